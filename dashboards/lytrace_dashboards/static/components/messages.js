import { html } from "../lib/html.js";
import { ARTIFACT_ID } from "../lib/semconv.js";
import { ArtifactImage } from "./artifact-image.js";
import { JsonView } from "./json-view.js";

// Whether a value has the shape of the standard's messages: [{role, parts: [...]}].
export const isMessages = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((message) => typeof message?.role === "string" && Array.isArray(message.parts));

const pictureOf = (part) => (typeof part?.[ARTIFACT_ID] === "string" ? { artifact_id: part[ARTIFACT_ID], mime_type: String(part.mime_type ?? ""), stored: true } : null);

const isText = (part) => part?.type === "text" && typeof part.content === "string";

// A conversation as people read it: who, then what. Pictures are shown small, other parts as JSON.
export function Messages({ messages }) {
  return html`<ol class="messages">
    ${messages.map(
      (message, place) => html`<li key=${place}>
        <p class="faint">${message.role}</p>
        ${message.parts.map((part, number) => html`<${Part} key=${number} part=${part} />`)}
      </li>`,
    )}
  </ol>`;
}

function Part({ part }) {
  if (isText(part)) return html`<p class="whole">${part.content}</p>`;
  const picture = pictureOf(part);
  if (picture) return html`<span class="thumb"><${ArtifactImage} artifact=${picture} size=${128} alt="" /></span>`;
  return html`<${JsonView} value=${part} />`;
}
