import { bytes, duration } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { GPU_MEMORY_ALLOCATED, GPU_MEMORY_DELTA, GPU_MEMORY_PEAK, GPU_MEMORY_RESERVED, GPU_TIME } from "../lib/semconv.js";
import { isInline, JsonView } from "./json-view.js";

const LONG_TEXT = 400;
const SHORT_TEXT = 26;
const BYTES = new Set([GPU_MEMORY_ALLOCATED, GPU_MEMORY_DELTA, GPU_MEMORY_PEAK, GPU_MEMORY_RESERVED]);

function asRead(name, value) {
  if (typeof value !== "number") return null;
  if (BYTES.has(name)) return bytes(value);
  return name === GPU_TIME ? duration(value * 1e9) : null;
}

// Short values stand beside their name, others below it.
const isWide = (value) => (value !== null && typeof value === "object" ? !isInline(value) : String(value).length > SHORT_TEXT);

// Attributes by their full names, values as they are; a unit that helps reading stands behind the number.
export function AttributeRows({ attributes }) {
  return html`<dl class="attributes">
    ${Object.entries(attributes).map(
      ([name, value]) => html`<div key=${name} class=${isWide(value) ? "wide" : ""}><dt>${name}</dt><dd><${Value} value=${value} />${asRead(name, value) && html` <span class="faint">${asRead(name, value)}</span>`}</dd></div>`,
    )}
  </dl>`;
}

function Value({ value }) {
  const [whole, setWhole] = useState(false);
  if (value !== null && typeof value === "object") return html`<${JsonView} value=${value} />`;
  const text = value === "" ? '""' : String(value);
  if (text.length <= LONG_TEXT || whole) return text;
  return html`${text.slice(0, LONG_TEXT)}… <button class="text-button" type="button" onClick=${() => setWhole(true)}>Show all</button>`;
}
