import { html } from "../lib/html.js";
import { CopyIcon } from "./copy-button.js";

// A titled text that may be long, such as a prompt, with a button that copies it.
export function Prose({ title, text }) {
  if (!text) return null;
  return html`<section class="prose">
    <header><h3>${title}</h3><${CopyIcon} text=${String(text)} label=${title.toLowerCase()} /></header>
    <p>${String(text)}</p>
  </section>`;
}
