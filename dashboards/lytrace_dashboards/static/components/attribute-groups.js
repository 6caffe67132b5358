import { html } from "../lib/html.js";
import { AttributeRows } from "./attribute-rows.js";
import { Fold } from "./fold.js";

// First match wins.
const GROUPS = [
  ["Parameters", /^diffusion\./],
  ["Model", /^gen_ai\./],
  ["GPU", /^(lytrace\.gpu|hw)\./],
  ["Output", /^lytrace\.(artifact|image|images|output)\./],
  ["lytrace", /^lytrace\./],
  ["Other", /^/],
];

export function groupAttributes(attributes, without = new Set()) {
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
    ([title, members]) => html`<${Fold} key=${title} title=${title} tally=${Object.keys(members).length} open><${AttributeRows} attributes=${members} /><//>`,
  );
}
