import { html, useState } from "../lib/html.js";
import { Icon } from "./icon.js";

const FIRST = 50;
const OPEN_DEPTH = 3;
const OPEN_ENTRIES = 20;
const SHORT_ARRAY = 8;
const SHORT_OBJECT = 2;
const SHORT_ITEM = 24;

const isScalar = (value) => value === null || typeof value !== "object";

const scalar = (value) => (typeof value === "string" ? JSON.stringify(value) : String(value));

function kindOf(value) {
  return value === null ? "null" : typeof value;
}

const isShort = (one) => isScalar(one) && String(one).length < SHORT_ITEM;

// Short arrays and objects of plain values stand on one line.
export function isInline(value) {
  if (isScalar(value)) return true;
  const members = Object.values(value);
  return members.every(isShort) && (Array.isArray(value) ? members.length <= SHORT_ARRAY : members.length > 0 && members.length <= SHORT_OBJECT);
}

function inlineText(value) {
  if (Array.isArray(value)) return `[${value.map(scalar).join(", ")}]`;
  return `{ ${Object.entries(value).map(([name, member]) => `${name}: ${scalar(member)}`).join(", ")} }`;
}

// A JSON value as a tree whose branches open one by one; nothing below a closed branch is built.
export function JsonView({ value, name, depth = 0 }) {
  const label = name === undefined ? null : html`<span class="json-name">${name}: </span>`;
  if (isScalar(value)) return html`<div class="json">${label}<span class=${`json-${kindOf(value)}`}>${scalar(value)}</span></div>`;
  if (isInline(value)) return html`<div class="json">${label}${inlineText(value)}</div>`;
  return html`<${Branch} value=${value} label=${label} depth=${depth} />`;
}

function Branch({ value, label, depth }) {
  const entries = Object.entries(value);
  const [open, setOpen] = useState(depth < OPEN_DEPTH && entries.length <= OPEN_ENTRIES);
  const [shown, setShown] = useState(FIRST);
  const brackets = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return html`<div class="json">${label}${brackets.join("")}</div>`;
  return html`<div class="json branch">
    <button class="json-toggle" type="button" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}>
      <${Icon} name=${open ? "down" : "right"} />${label}${brackets[0]}${!open && html`<span class="faint"> ${entries.length} ${brackets[1]}</span>`}
    </button>
    ${open && html`<div class="json-children">
      ${entries.slice(0, shown).map(([key, child]) => html`<${JsonView} key=${key} value=${child} name=${key} depth=${depth + 1} />`)}
      ${entries.length > shown && html`<button class="text-button" type="button" onClick=${() => setShown(shown + 10 * FIRST)}>${entries.length - shown} more</button>`}
    </div>
    <div class="json">${brackets[1]}</div>`}
  </div>`;
}
