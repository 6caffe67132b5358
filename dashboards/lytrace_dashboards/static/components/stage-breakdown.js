import { bytes, duration, percent, plural } from "../lib/format.js";
import { html } from "../lib/html.js";
import { DIFFUSION_COMPONENT_CLASS, DIFFUSION_COMPONENT_NAME, GPU_MEMORY_DELTA, GPU_MEMORY_PEAK, GPU_MEMORY_PEAK_EXACT, GPU_TIME } from "../lib/semconv.js";

const COLOURS = { text_encode: 1, denoise: 2, vae_decode: 3, postprocess: 4, image_encode: 5 };
const OTHER_COLOUR = 6;
const NS_PER_S = 1e9;

const colour = (name) => `var(--stage-${COLOURS[name] ?? OTHER_COLOUR})`;

const sum = (values) => values.reduce((total, value) => total + value, 0);

// Stages of one name as one line, in order of their first start.
function summarise(stages, nameOf) {
  return [...Map.groupBy(stages, nameOf)].map(([name, nodes]) => {
    const values = (attribute) => nodes.map((node) => node.span.attributes[attribute]).filter(Number.isFinite);
    const gpu = values(GPU_TIME);
    const peaks = values(GPU_MEMORY_PEAK);
    const deltas = values(GPU_MEMORY_DELTA);
    const a = nodes[0].span.attributes;
    return {
      name,
      first: nodes[0],
      times: nodes.length,
      ns: sum(nodes.map((node) => node.endNs - node.startNs)),
      component: [a[DIFFUSION_COMPONENT_NAME], a[DIFFUSION_COMPONENT_CLASS]].filter(Boolean).join(" · "),
      gpuNs: gpu.length ? sum(gpu) * NS_PER_S : null,
      peak: peaks.length ? Math.max(...peaks) : null,
      exact: nodes.some((node) => node.span.attributes[GPU_MEMORY_PEAK_EXACT] === true),
      delta: deltas.length ? sum(deltas) : null,
    };
  });
}

// The peak only ever grows: it is exact for the stage that raised it, and an upper bound for every other.
const peakText = ({ peak, exact }) => (peak === null ? "" : `${exact ? "" : "≤ "}${bytes(peak)}`);

// A strip of the stages' shares of the generation's time, and the same as a table with GPU columns where there is a GPU.
export function StageBreakdown({ generation, stages, nameOf, onSelect }) {
  const lines = summarise(stages, nameOf);
  const total = Math.max(1, generation.endNs - generation.startNs);
  const rest = Math.max(0, total - sum(lines.map((line) => line.ns)));
  const has = { gpu: lines.some((line) => line.gpuNs !== null), peak: lines.some((line) => line.peak !== null), delta: lines.some((line) => line.delta !== null) };
  return html`<div class="stages">
    <div class="stage-strip" role="img" aria-label=${lines.map((line) => `${line.name} ${percent(line.ns / total)}`).join(", ")}>
      ${lines.map((line) => html`<span key=${line.name} style=${`flex-grow: ${line.ns / total}; background: ${colour(line.name)}`} title=${`${line.name} ${percent(line.ns / total)}`} />`)}
      ${rest > 0 && html`<span class="rest" style=${`flex-grow: ${rest / total}`} title=${`between the stages ${percent(rest / total)}`} />`}
    </div>
    <table class="compact">
      <thead>
        <tr>
          <th scope="col">Stage</th><th scope="col" class="wide">Component</th><th scope="col" class="num">Time</th><th scope="col" class="num">Share</th>
          ${has.gpu && html`<th scope="col" class="num">GPU time</th>`}
          ${has.peak && html`<th scope="col" class="num">Peak memory</th>`}
          ${has.delta && html`<th scope="col" class="num wide">Allocated</th>`}
        </tr>
      </thead>
      <tbody>
        ${lines.map(
          (line) => html`<tr key=${line.name}>
            <th scope="row"><button type="button" class="stage-name" onClick=${() => onSelect(line.first.id)}><span class="swatch" style=${`background: ${colour(line.name)}`} />${line.name}${line.times > 1 && html` <span class="faint" title=${plural(line.times, "time")}>× ${line.times}</span>`}</button></th>
            <td class="wide faint ellipsis">${line.component}</td><td class="num">${duration(line.ns)}</td><td class="num">${percent(line.ns / total)}</td>
            ${has.gpu && html`<td class="num">${line.gpuNs === null ? "" : duration(line.gpuNs)}</td>`}
            ${has.peak && html`<td class="num" title=${line.exact ? "This stage raised the peak" : "At most: the peak was raised before"}>${peakText(line)}</td>`}
            ${has.delta && html`<td class="num wide">${line.delta === null ? "" : bytes(line.delta)}</td>`}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
