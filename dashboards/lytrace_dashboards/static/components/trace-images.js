import { plural } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { ROLE_PREVIEW } from "../lib/semconv.js";
import { ImageTile, imageKey, madeBy } from "./image-card.js";
import { Lightbox } from "./lightbox.js";
import { ScoreChips } from "./score-chips.js";
import { UniformBadge } from "./uniform-badge.js";

const FIRST = 24;
const OTHER_FIRST = 16;

// The pictures of the trace: outputs with seed and scores, then inputs, masks and previews under their role.
export function TraceImages({ images, trace, onSelect }) {
  const [open, setOpen] = useState(null);
  const all = [...images.outputs, ...images.others];
  if (!all.length) return trace.state === "running" ? html`<${Awaited} trace=${trace} />` : null;
  const roles = [...Map.groupBy(images.others, (image) => image.role)];
  return html`<section class="panel trace-images" aria-label="Images">
    <${Strip} images=${images.outputs} first=${FIRST} onOpen=${setOpen} caption=${(image) => html`<${OutputCaption} image=${image} />`} />
    ${roles.map(
      ([role, members]) => html`<div key=${role} class="role">
        <h3>${plural(members.length, role)}</h3>
        <${Strip} images=${members} first=${OTHER_FIRST} onOpen=${setOpen} small caption=${role === ROLE_PREVIEW && ((image) => html`<${PreviewCaption} image=${image} />`)} />
      </div>`,
    )}
    ${open !== null && html`<${Lightbox} images=${all} current=${open} linkTrace=${false} onSelect=${setOpen} onClose=${() => setOpen(null)} onShowSpan=${onSelect} />`}
  </section>`;
}

function Strip({ images, first, small = false, caption, onOpen }) {
  const [whole, setWhole] = useState(false);
  const shown = whole ? images : images.slice(0, first);
  if (!images.length) return null;
  return html`<ul class=${small ? "trace-strip small" : "trace-strip"}>
    ${shown.map((image) => html`<li key=${imageKey(image)}><${ImageTile} image=${image} onOpen=${onOpen} />${caption && caption(image)}</li>`)}
    ${!whole && images.length > first && html`<li><button class="tile all" type="button" onClick=${() => setWhole(true)}>Show all ${images.length}</button></li>`}
  </ul>`;
}

function OutputCaption({ image }) {
  const maker = image.model || image.seed !== undefined ? madeBy(image) : `image ${image.index}`;
  return html`<p class="facts ellipsis" title=${maker}>${maker}</p><${UniformBadge} image=${image} /><${ScoreChips} scores=${image.scores} most=${3} />`;
}

// Steps count from 0, as everywhere on the page.
function PreviewCaption({ image }) {
  if (image.step === undefined) return null;
  return html`<p class="facts">step ${image.step}${image.shows ? `, image ${image.shows}` : ""}</p>`;
}

function Awaited({ trace }) {
  const progress = trace.steps_total ? (trace.steps ?? 0) / trace.steps_total : 0;
  return html`<section class="panel awaited">
    <p>${trace.steps_total ? `Denoising, step ${trace.steps ?? 0} of ${trace.steps_total}` : "Running"}</p>
    ${trace.steps_total && html`<div class="progress"><span style=${`width: ${progress * 100}%`} /></div>`}
    <p class="faint">The images appear here as soon as they are made.</p>
  </section>`;
}
