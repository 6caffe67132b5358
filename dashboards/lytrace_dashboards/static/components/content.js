import { html, useMemo } from "../lib/html.js";
import { CopyIcon } from "./copy-button.js";
import { JsonView } from "./json-view.js";

function parse(text) {
  if (typeof text !== "string" || !/^\s*[[{"]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Captured input or output: as a JSON tree where it is JSON, as text where it is not (or was cut).
export function Content({ title, text }) {
  const value = useMemo(() => parse(text), [text]);
  return html`<section class="content">
    <header><h4>${title}</h4><${CopyIcon} text=${typeof text === "string" ? text : JSON.stringify(text)} label=${title.toLowerCase()} /></header>
    <div class="content-box">${value === undefined ? html`<pre>${typeof text === "string" ? text : JSON.stringify(text, null, 2)}</pre>` : html`<${JsonView} value=${value} />`}</div>
  </section>`;
}
