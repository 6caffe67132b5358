import { html } from "../lib/html.js";
import { TraceRow } from "./trace-row.js";

const SKELETONS = 8;

// A column of GPU memory or cost is there only when some trace has one.
export function TraceTable({ traces, onStar }) {
  const shows = {
    gpu: traces.some((trace) => trace.gpu_peak_bytes !== null && trace.gpu_peak_bytes !== undefined),
    scores: traces.some((trace) => trace.scores?.length),
  };
  return html`<table class="traces">
    <thead>
      <tr>
        <th scope="col">State</th>
        <th scope="col" class="col-images">Images</th>
        <th scope="col">Trace</th>
        <th scope="col" class="col-model">Model</th>
        <th scope="col" class="num">Duration</th>
        <th scope="col" class="num col-steps">Steps</th>
        ${shows.gpu && html`<th scope="col" class="num col-gpu">GPU peak</th>`}
        ${shows.scores && html`<th scope="col" class="col-scores">Scores</th>`}
        <th scope="col" class="num">Started</th>
        <th scope="col"><span class="visually-hidden">Star</span></th>
      </tr>
    </thead>
    <tbody>${traces.map((trace) => html`<${TraceRow} key=${trace.trace_id} trace=${trace} shows=${shows} onStar=${onStar} />`)}</tbody>
  </table>`;
}

export function TableSkeleton() {
  return html`<div aria-hidden="true" style="display: grid; gap: 8px">
    ${Array.from({ length: SKELETONS }, (_, place) => html`<div key=${place} class="skeleton" style="height: 52px" />`)}
  </div>`;
}
