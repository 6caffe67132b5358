import { duration, plural, shortModel, shortScheduler } from "../lib/format.js";
import { html } from "../lib/html.js";
import { ArtifactImage } from "./artifact-image.js";
import { ScoreChips } from "./score-chips.js";
import { UniformBadge } from "./uniform-badge.js";

// The same picture may come from many traces: a row of the gallery is a place in a trace, not the picture.
export const imageKey = (image) => `${image.trace_id} ${image.span_id} ${image.role} ${image.index}`;

const seedText = (image) => (image.seed === null || image.seed === undefined ? null : `seed ${image.seed}`);

// What tells the images of one prompt apart: the seed, else the model that made them.
export const madeBy = (image) => seedText(image) ?? (image.model ? shortModel(image.model) : "no seed");

function describe(image) {
  const parts = [image.prompt || "Image without a prompt", seedText(image), image.model && `model ${shortModel(image.model)}`];
  return parts.filter(Boolean).join(", ");
}

export function ImageTile({ image, thumbnail = 256, onOpen }) {
  return html`<button class="tile" type="button" aria-label=${describe(image)} onClick=${() => onOpen(imageKey(image))}>
    <${ArtifactImage} artifact=${image} size=${thumbnail} alt="" />
  </button>`;
}

export function ImageCard({ image, thumbnail, onOpen }) {
  const facts = [seedText(image), image.steps && plural(image.steps, "step"), duration(image.duration_ns)];
  const origin = [shortModel(image.model), shortScheduler(image.scheduler)];
  return html`<li class="card" data-artifact=${image.artifact_id}>
    <${ImageTile} image=${image} thumbnail=${thumbnail} onOpen=${onOpen} />
    <p class="prompt clamp-2" title=${image.prompt}>${image.prompt || html`<span class="faint">No prompt</span>`}</p>
    <p class="facts">${facts.filter(Boolean).join(" · ")}</p>
    <p class="facts faint ellipsis" title=${origin.filter(Boolean).join(" · ")}>${origin.filter(Boolean).join(" · ")}</p>
    <${UniformBadge} image=${image} />
    ${image.likeness && html`<p class="likeness">${image.likeness}</p>`}
    <${ScoreChips} scores=${image.scores} />
  </li>`;
}
