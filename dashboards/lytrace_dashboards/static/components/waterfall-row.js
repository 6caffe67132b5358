import { duration, plural } from "../lib/format.js";
import { html } from "../lib/html.js";
import { seedsOf } from "../lib/parameters.js";
import { DIFFUSION_STEP_INDEX, KIND_GENERATION, KIND_STEP } from "../lib/semconv.js";
import { Icon } from "./icon.js";

export const ROW_PX = 28;
const DEEPEST_INDENT = 14;

const indent = (depth) => `--depth: ${Math.min(depth, DEEPEST_INDENT)}`;

function Caret({ row, name, onToggle }) {
  if (!row.expandable) return html`<span class="caret" />`;
  const click = (event) => {
    event.stopPropagation();
    onToggle(row.key);
  };
  return html`<button class="caret" type="button" tabindex="-1" aria-label=${`${row.expanded ? "Collapse" : "Expand"} ${name}`} onClick=${click}>
    <${Icon} name=${row.expanded ? "down" : "right"} />
  </button>`;
}

// Where a stretch of time lies in the view, in per cent; null outside it.
function stretch(startNs, endNs, { from, to }) {
  if (endNs < from || startNs > to) return null;
  const left = ((Math.max(startNs, from) - from) / (to - from)) * 100;
  const right = ((Math.min(endNs, to) - from) / (to - from)) * 100;
  return { left, width: right - left };
}

function Bar({ node, view, running }) {
  const at = stretch(node.startNs, node.endNs, view);
  if (!at) return null;
  const failed = node.span.status.code === "ERROR";
  return html`<span class=${`bar ${node.kind}${failed ? " failed" : ""}${node.span.pending ? (running ? " pending moving" : " pending") : ""}`} style=${`left: min(${at.left}%, 100% - 2px); width: max(2px, ${at.width}%)`} />`;
}

// All steps as one shape: one element, however many there are.
function StepBars({ steps, view }) {
  const path = (place) => {
    const step = steps[place];
    const at = stretch(step.startNs, step.endNs, view);
    return at && at.width > 0 ? `M${at.left * 10} 0h${at.width * 10}v10h${-at.width * 10}z` : "";
  };
  const shape = (odd) => steps.map((_, place) => (place % 2 === odd ? path(place) : "")).join("");
  return html`<svg class="step-bars" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
    <path class="even" d=${shape(0)} /><path class="odd" d=${shape(1)} />
  </svg>`;
}

export function WaterfallRow({ row, view, running, selected, onToggle, onSelect, onZoom }) {
  return row.steps
    ? html`<${GroupRow} row=${row} view=${view} onToggle=${onToggle} />`
    : html`<${SpanRow} row=${row} view=${view} running=${running} selected=${selected} onToggle=${onToggle} onSelect=${onSelect} onZoom=${onZoom} />`;
}

// What tells a span apart from others of its name: the seed of a generation, the index of a step.
function whichOne(node) {
  if (node.kind === KIND_STEP) return node.span.attributes[DIFFUSION_STEP_INDEX] ?? null;
  const seeds = node.kind === KIND_GENERATION ? seedsOf(node.span) : [];
  if (!seeds.length) return null;
  return seeds.length === 1 ? `seed ${seeds[0]}` : `${seeds.length} seeds`;
}

function SpanRow({ row, view, running, selected, onToggle, onSelect, onZoom }) {
  const { node } = row;
  const { span } = node;
  const failed = span.status.code === "ERROR";
  const zoom = () => node.endNs > node.startNs && onZoom({ from: node.startNs, to: node.endNs });
  const length = span.pending ? (running ? "running" : "no end") : duration(span.duration_ns);
  return html`<div class=${`row${selected ? " selected" : ""}`} id=${`row-${node.id}`} role="treeitem" aria-level=${row.depth + 1} aria-selected=${selected ? "true" : "false"} aria-expanded=${row.expandable ? String(row.expanded) : undefined} data-span=${node.id} data-kind=${node.kind} title=${`${span.name} · ${length}, ${duration(node.startNs)} after the start`} onClick=${() => onSelect(node.id)} onDblClick=${zoom}>
    <div class="row-name" style=${indent(row.depth)}>
      <${Caret} row=${row} name=${span.name} onToggle=${onToggle} />
      <span class=${`dot ${node.kind}`} />
      <span class="ellipsis">${span.name || "unnamed"}</span>
      ${whichOne(node) !== null && html`<span class="which">${whichOne(node)}</span>`}
      ${failed && html`<span class="failed-mark"><${Icon} name="circle-cross" small /><span class="visually-hidden">failed</span></span>`}
    </div>
    <div class="track"><${Bar} node=${node} view=${view} running=${running} /></div>
    <div class="row-length">${length}</div>
  </div>`;
}

function GroupRow({ row, view, onToggle }) {
  const { steps } = row;
  const name = steps[0].span.name;
  const lengths = steps.map((step) => step.endNs - step.startNs).sort((a, b) => a - b);
  const median = lengths[Math.floor(lengths.length / 2)];
  const failed = steps.some((step) => step.span.status.code === "ERROR");
  return html`<div class="row group" role="treeitem" aria-level=${row.depth + 1} aria-expanded=${String(row.expanded)} data-steps=${steps.length} onClick=${() => onToggle(row.key)}>
    <div class="row-name" style=${indent(row.depth)}>
      <${Caret} row=${row} name=${plural(steps.length, "step")} onToggle=${onToggle} />
      <span class="dot step" />
      <span class="ellipsis">${name} <span class="times">× ${steps.length}</span></span>
      ${failed && html`<span class="failed-mark"><${Icon} name="circle-cross" small /><span class="visually-hidden">failed</span></span>`}
    </div>
    <div class="track"><${StepBars} steps=${steps} view=${view} /></div>
    <div class="row-length faint" title="Median of the steps">≈ ${duration(median)}</div>
  </div>`;
}
