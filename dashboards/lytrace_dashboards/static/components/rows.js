import { html } from "../lib/html.js";

const isGiven = ([, value]) => value !== null && value !== undefined && value !== "";

// Names and values, one pair a line. Pairs without a value are left out.
export function Rows({ rows }) {
  return html`<dl class="rows">
    ${rows.filter(isGiven).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${typeof value === "boolean" ? String(value) : value}</dd></div>`)}
  </dl>`;
}
