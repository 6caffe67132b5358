import { html } from "../lib/html.js";
import { ImageCard, imageKey } from "./image-card.js";

const SKELETONS = 12;

export function ImageGrid({ images, size, onOpen }) {
  const thumbnail = size === "large" ? 512 : 256;
  return html`<ul class=${`grid ${size}`} aria-label="Generated images">
    ${images.map((image) => html`<${ImageCard} key=${imageKey(image)} image=${image} thumbnail=${thumbnail} onOpen=${onOpen} />`)}
  </ul>`;
}

export function GridSkeleton({ size }) {
  return html`<div class=${`grid ${size}`} aria-hidden="true">
    ${Array.from({ length: SKELETONS }, (_, place) => html`<div key=${place} class="skeleton" style="aspect-ratio: 1" />`)}
  </div>`;
}
