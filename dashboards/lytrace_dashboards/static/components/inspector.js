import { html } from "../lib/html.js";
import { ParametersPanel } from "./parameters-panel.js";
import { ScoresPanel } from "./scores-panel.js";
import { SpanPanel } from "./span-panel.js";

// The column beside the timeline: parameters of the generation, the selected span, scores.
export function Inspector({ tab, onTab, detail, tree, images, selected, generation, onSelect, refresh }) {
  const tabs = [
    ...(generation ? [{ value: "parameters", name: "Parameters" }] : []),
    { value: "span", name: "Span" },
    { value: "scores", name: "Scores", tally: detail.scores.length },
  ];
  const current = tabs.some((one) => one.value === tab) ? tab : "span";
  const move = (event) => {
    const offset = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!offset) return;
    const place = tabs.findIndex((one) => one.value === current);
    const next = tabs[(place + offset + tabs.length) % tabs.length].value;
    onTab(next);
    event.currentTarget.querySelector(`[data-tab="${next}"]`).focus();
  };
  return html`<aside class="panel inspector" aria-label="Inspector">
    <div class="segmented tabs" role="tablist" onKeyDown=${move}>
      ${tabs.map(
        ({ value, name, tally }) => html`<button key=${value} type="button" role="tab" data-tab=${value} id=${`tab-${value}`} aria-selected=${value === current ? "true" : "false"} aria-controls="inspector-body" tabindex=${value === current ? 0 : -1} onClick=${() => onTab(value)}>
          ${name}${tally > 0 && html`<span class="tally">${tally}</span>`}
        </button>`,
      )}
    </div>
    <div class="inspector-body" id="inspector-body" role="tabpanel" aria-labelledby=${`tab-${current}`}>
      ${current === "parameters" && html`<${ParametersPanel} tree=${tree} generation=${generation} images=${images.outputs} onSelect=${onSelect} />`}
      ${current === "span" && selected && html`<${SpanPanel} key=${selected.id} node=${selected} tree=${tree} artifacts=${detail.artifacts} onSelect=${onSelect} />`}
      ${current === "span" && !selected && html`<p class="faint">No span has arrived yet.</p>`}
      ${current === "scores" && html`<${ScoresPanel} detail=${detail} tree=${tree} images=${images.outputs} refresh=${refresh} />`}
    </div>
  </aside>`;
}
