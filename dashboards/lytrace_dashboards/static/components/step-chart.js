import { bytes, duration, number, plural, tickDuration } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { useSize } from "../lib/hooks.js";
import { metricsOf, quantile } from "../lib/steps.js";
import { Notice } from "./notice.js";
import { Segmented } from "./segmented.js";
import { StepBars } from "./step-bars.js";

const TICK_OF = { durationNs: tickDuration, gpuNs: tickDuration, allocated: bytes };

function summary(steps) {
  const sorted = steps.map((step) => step.durationNs).sort((a, b) => a - b);
  const totalNs = sorted.reduce((sum, ns) => sum + ns, 0);
  const rate = totalNs > 0 ? steps.length / (totalNs / 1e9) : null;
  const parts = [plural(steps.length, "step"), `median ${duration(quantile(sorted, 0.5))}`, `p95 ${duration(quantile(sorted, 0.95))}`];
  if (rate) parts.push(`${number(Number(rate.toPrecision(3)))} steps/s`);
  const clock = steps[0].clock;
  if (clock) parts.push(`${clock} clock`);
  return parts.join(" · ");
}

function describe(step) {
  const rows = [
    ["Duration", duration(step.durationNs)],
    ["GPU time", step.gpuNs === undefined ? null : duration(step.gpuNs)],
    ["Timestep", step.timestep],
    ["Sigma", step.sigma],
    ["Latent mean", step.mean],
    ["Latent std", step.std],
    ["Non-finite", step.nonfinite || null],
    ["Memory", step.allocated === undefined ? null : bytes(step.allocated)],
  ];
  const given = rows.filter(([, value]) => value !== undefined && value !== null);
  return given.map(([name, value]) => [name, typeof value === "number" ? number(value) : String(value)]);
}

// One bar a step. Hovering or the arrow keys read a step; a click or Enter selects its span.
export function StepChart({ steps, selectedId, onSelect }) {
  const [metric, setMetric] = useState("durationNs");
  const [box, { width }] = useSize();
  const [place, setPlace] = useState(null);
  const options = metricsOf(steps);
  const chosen = options.some((option) => option.value === metric) ? metric : "durationNs";
  const broken = steps.find((step) => step.nonfinite > 0);
  const press = (event) => {
    const offset = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (offset) setPlace((old) => Math.min(steps.length - 1, Math.max(0, (old ?? (offset > 0 ? -1 : steps.length)) + offset)));
    else if (event.key === "Enter" && steps[place]) onSelect(steps[place].spanId);
    else return;
    event.preventDefault();
  };
  const read = steps[place];
  return html`<div class="step-chart">
    ${broken && html`<${Notice} tone="error">The latents hold non-finite values from step ${broken.index} on: the image is likely black.<//>`}
    <div class="step-head">
      <p class="facts">${summary(steps)}</p>
      ${options.length > 1 && html`<${Segmented} label="Measure" options=${options} value=${chosen} onChange=${setMetric} />`}
    </div>
    <div class="step-plot" ref=${box} tabindex="0" role="img" aria-label=${`Denoising steps: ${summary(steps)}`} onKeyDown=${press} onPointerLeave=${() => setPlace(null)} onBlur=${() => setPlace(null)}>
      ${width > 0 && html`<${StepBars} steps=${steps} metric=${chosen} text=${TICK_OF[chosen] ?? number} width=${width} place=${place} selectedId=${selectedId} onPlace=${setPlace} onPick=${(step) => onSelect(step.spanId)} />`}
      ${read && html`<${Tip} step=${read} left=${(place + 0.5) / steps.length} />`}
    </div>
  </div>`;
}

function Tip({ step, left }) {
  return html`<div class=${left > 0.55 ? "tip before" : "tip"} style=${`--at: ${left}`} role="status">
    <b>Step ${step.index}</b>
    <dl>${describe(step).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
  </div>`;
}
