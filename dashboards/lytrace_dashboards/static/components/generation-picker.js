import { html } from "../lib/html.js";
import { Icon } from "./icon.js";

// Walks through the generations of a trace that made more than one image call.
export function GenerationPicker({ tree, generation, onSelect }) {
  const all = tree.generations;
  const place = all.indexOf(generation);
  if (all.length < 2 || place < 0) return null;
  const go = (offset) => onSelect(all[place + offset].id, { inspect: false });
  return html`<div class="picker" role="group" aria-label="Generation">
    <button class="icon-button small" type="button" aria-label="Previous generation" disabled=${place === 0} onClick=${() => go(-1)}><${Icon} name="left" small /></button>
    <span>Generation ${place + 1} of ${all.length}</span>
    <button class="icon-button small" type="button" aria-label="Next generation" disabled=${place === all.length - 1} onClick=${() => go(1)}><${Icon} name="right" small /></button>
  </div>`;
}
