import { html } from "../lib/html.js";

// The filter with the place that could not be read marked. Places count characters, not the halves that JavaScript counts.
export function QueryPlace({ query, details }) {
  if (!query || details?.position === undefined) return null;
  const { before, marked, after } = splitAt([...query], details.position, details.length ?? 1);
  return html`<code class="query-place">${before}<mark>${marked || "\u2026"}</mark>${after}</code>`;
}

export function splitAt(characters, position, length) {
  const part = (from, to) => characters.slice(from, to).join("");
  return { before: part(0, position), marked: part(position, position + length), after: part(position + length) };
}
