import { html } from "../lib/html.js";
import { JsonView } from "./json-view.js";

// Whether a value has the shape of the standard's messages: [{role, parts: [...]}].
export const isMessages = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((message) => typeof message?.role === "string" && Array.isArray(message.parts));

const isText = (part) => part?.type === "text" && typeof part.content === "string";

// A conversation as people read it: who, then what. Parts that are no text are shown as JSON.
export function Messages({ messages }) {
  return html`<ol class="messages">
    ${messages.map(
      (message, place) => html`<li key=${place}>
        <p class="faint">${message.role}</p>
        ${message.parts.map((part, number) => (isText(part) ? html`<p key=${number} class="whole">${part.content}</p>` : html`<${JsonView} key=${number} value=${part} />`))}
      </li>`,
    )}
  </ol>`;
}
