import { html, useMemo } from "../lib/html.js";
import { ticks } from "../lib/ticks.js";

const HEIGHT = 152;
const MARGIN = { top: 8, right: 2, bottom: 22, left: 62 };
const TICK_PX = 46;
const WIDEST_BAR = 34;

// More steps than pixels share bars: each then shows its largest step, which is the one worth finding.
function bucket(steps, metric, most) {
  const size = Math.max(1, Math.ceil(steps.length / most));
  const bars = [];
  for (let first = 0; first < steps.length; first += size) {
    const places = Array.from({ length: Math.min(size, steps.length - first) }, (_, offset) => first + offset);
    const valueAt = (place) => (Number.isFinite(steps[place][metric]) ? steps[place][metric] : -Infinity);
    bars.push({ first, place: places.reduce((best, place) => (valueAt(place) > valueAt(best) ? place : best), first), size: places.length });
  }
  return bars;
}

function toneOf(step, selected) {
  if (step.nonfinite > 0 || step.failed) return "broken";
  return selected ? "selected" : "";
}

export function StepBars({ steps, metric, text, width, place, selectedId, onPlace, onPick }) {
  const inner = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const bars = useMemo(() => bucket(steps, metric, Math.max(1, Math.floor(inner.width / 3))), [steps, metric, width]);
  const values = steps.map((step) => step[metric]).filter(Number.isFinite);
  const low = Math.min(0, ...bars.map((bar) => steps[bar.place][metric] ?? 0));
  const high = Math.max(...bars.map((bar) => steps[bar.place][metric] ?? 0), low + Number.MIN_VALUE);
  const y = (value) => MARGIN.top + inner.height * (1 - (value - low) / (high - low || 1));
  const band = inner.width / steps.length;
  const onMove = (event) => {
    const edge = event.currentTarget.getBoundingClientRect();
    const at = Math.floor((event.clientX - edge.left - MARGIN.left) / band);
    onPlace(at >= 0 && at < steps.length ? at : null);
  };
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  const marks = ticks(0, steps.length - 1, Math.min(steps.length, inner.width / TICK_PX)).filter(Number.isInteger);
  return html`<svg width=${width} height=${HEIGHT} aria-hidden="true" onPointerMove=${onMove} onClick=${() => steps[place] && onPick(steps[place])}>
    ${ticks(low, high, 4).map((value) => html`<g key=${value} class="grid-line"><line x1=${MARGIN.left} x2=${width} y1=${y(value)} y2=${y(value)} /><text x=${MARGIN.left - 8} y=${y(value) + 4} text-anchor="end">${text(value)}</text></g>`)}
    ${place !== null && html`<rect class="hovered" x=${MARGIN.left + place * band} y=${MARGIN.top} width=${Math.max(1, band)} height=${inner.height} />`}
    ${bars.map((bar) => {
      const step = steps[bar.place];
      const value = Number.isFinite(step[metric]) ? step[metric] : 0;
      const slot = band * bar.size;
      const thick = Math.max(1, Math.min(WIDEST_BAR, slot - Math.min(3, slot * 0.25)));
      const top = Math.min(y(value), y(0));
      return html`<rect key=${bar.first} class=${`step-bar ${toneOf(step, step.spanId === selectedId && bar.size === 1)}`} x=${MARGIN.left + bar.first * band + (slot - thick) / 2} y=${top} width=${thick} height=${Math.max(1, Math.abs(y(value) - y(0)))} rx=${Math.min(2, thick / 4)} />`;
    })}
    ${steps.length > 2 && html`<line class="median" x1=${MARGIN.left} x2=${width} y1=${y(median)} y2=${y(median)} />`}
    ${marks.map((index) => html`<text key=${index} class="tick" x=${MARGIN.left + (index + 0.5) * band} y=${HEIGHT - 6} text-anchor="middle">${steps[index].index}</text>`)}
  </svg>`;
}
