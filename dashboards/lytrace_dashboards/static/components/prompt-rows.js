import { plural } from "../lib/format.js";
import { html, useMemo } from "../lib/html.js";
import { ImageTile, imageKey, madeBy } from "./image-card.js";
import { ScoreChips } from "./score-chips.js";
import { CopyIcon } from "./copy-button.js";
import { UniformBadge } from "./uniform-badge.js";

// Loaded images by prompt, newest prompt first, seeds in order: how much one prompt varies is seen along its row.
function groupByPrompt(images) {
  const groups = new Map();
  for (const image of images) {
    const prompt = image.prompt ?? "";
    if (!groups.has(prompt)) groups.set(prompt, []);
    groups.get(prompt).push(image);
  }
  const bySeed = (a, b) => (a.seed ?? Infinity) - (b.seed ?? Infinity);
  return [...groups].map(([prompt, members]) => ({ prompt, images: [...members].sort(bySeed) }));
}

const distinct = (images, field) => new Set(images.map((image) => image[field]).filter((value) => value !== null && value !== undefined)).size;

function summary(images) {
  const parts = [plural(images.length, "image")];
  if (distinct(images, "seed") > 0) parts.push(plural(distinct(images, "seed"), "seed"));
  if (distinct(images, "model") > 1) parts.push(plural(distinct(images, "model"), "model"));
  if (distinct(images, "scheduler") > 1) parts.push(plural(distinct(images, "scheduler"), "scheduler"));
  return parts.join(" · ");
}

export function PromptRows({ images, size, onOpen }) {
  const groups = useMemo(() => groupByPrompt(images), [images]);
  return html`<div class=${`prompt-rows ${size}`}>
    ${groups.map(
      (group) => html`<section key=${group.prompt} class="prompt-row">
        <header>
          <h2 class="clamp-2">${group.prompt || html`<span class="faint">No prompt</span>`}</h2>
          ${group.prompt && html`<${CopyIcon} text=${group.prompt} label="prompt" />`}
          <p class="facts faint">${summary(group.images)}</p>
        </header>
        <ul class="strip">
          ${group.images.map(
            (image) => html`<li key=${imageKey(image)}>
              <${ImageTile} image=${image} onOpen=${onOpen} />
              <p class="facts ellipsis" title=${madeBy(image)}>${madeBy(image)}</p>
              <${UniformBadge} image=${image} />
              <${ScoreChips} scores=${image.scores} most=${2} />
            </li>`,
          )}
        </ul>
      </section>`,
    )}
  </div>`;
}
