import { html } from "../lib/html.js";
import { ArtifactImage } from "./artifact-image.js";

const MOST = 24;

// The pictures that one span took or made, under their role and index.
export function SpanImages({ artifacts }) {
  if (!artifacts.length) return null;
  return html`<div class="span-images">
    ${artifacts.slice(0, MOST).map(
      (artifact) => html`<figure key=${`${artifact.role} ${artifact.index}`}>
        <span class="thumb"><${ArtifactImage} artifact=${artifact} size=${128} alt="" /></span>
        <figcaption>${artifact.role} ${artifact.index}</figcaption>
      </figure>`,
    )}
    ${artifacts.length > MOST && html`<p class="faint">and ${artifacts.length - MOST} more</p>`}
  </div>`;
}
