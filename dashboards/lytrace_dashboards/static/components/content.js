import { html, useMemo } from "../lib/html.js";
import { CopyIcon } from "./copy-button.js";
import { JsonView } from "./json-view.js";
import { Messages, isMessages } from "./messages.js";

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
    <div class="content-box"><${Body} text=${text} value=${value} /></div>
  </section>`;
}

function Body({ text, value }) {
  if (isMessages(value)) return html`<${Messages} messages=${value} />`;
  if (value !== undefined) return html`<${JsonView} value=${value} />`;
  return html`<pre>${typeof text === "string" ? text : JSON.stringify(text, null, 2)}</pre>`;
}
