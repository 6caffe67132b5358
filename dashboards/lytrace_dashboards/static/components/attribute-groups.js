import { html } from "../lib/html.js";
import { AttributeRows } from "./attribute-rows.js";
import { Fold } from "./fold.js";

// Long lists of hashes: read rarely, so closed at first.
const HASHES = "Output images";

// First match wins.
const GROUPS = [
  ["Parameters", /^diffusion\./],
  ["Model", /^gen_ai\./],
  ["GPU", /^(lytrace\.gpu|hw)\./],
  [HASHES, /^lytrace\.(artifact|image|images|output)\./],
  ["lytrace", /^lytrace\./],
  ["Other", /^/],
];

function groupAttributes(attributes, without = new Set()) {
  const groups = new Map(GROUPS.map(([title]) => [title, {}]));
  for (const name of Object.keys(attributes).sort()) {
    if (without.has(name)) continue;
    const [title] = GROUPS.find(([, pattern]) => pattern.test(name));
    groups.get(title)[name] = attributes[name];
  }
  return [...groups].filter(([, members]) => Object.keys(members).length);
}

export function AttributeGroups({ attributes, without }) {
  return groupAttributes(attributes, without).map(
    ([title, members]) => html`<${Fold} key=${title} title=${title} tally=${Object.keys(members).length} open=${title !== HASHES}><${AttributeRows} attributes=${members} /><//>`,
  );
}
