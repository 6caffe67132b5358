import { html } from "../lib/html.js";
import { stageName, stagesOf, stepsOf } from "../lib/spans.js";
import { GenerationPicker } from "./generation-picker.js";
import { StageBreakdown } from "./stage-breakdown.js";
import { StepChart } from "./step-chart.js";
import { readSteps } from "../lib/steps.js";

// Where one generation's time went: its stages, then each denoising step.
export function GenerationPanel({ tree, generation, selected, onSelect }) {
  const stages = stagesOf(generation);
  const steps = readSteps(stepsOf(generation), stages);
  if (!stages.length && !steps.length) return null;
  return html`<section class="panel generation" aria-label="Stages and steps">
    <header>
      <h2>Stages and steps</h2>
      <div class="spacer" />
      <${GenerationPicker} tree=${tree} generation=${generation} onSelect=${onSelect} />
    </header>
    ${stages.length > 0 && html`<${StageBreakdown} generation=${generation} stages=${stages} nameOf=${stageName} onSelect=${onSelect} />`}
    ${steps.length > 0 && html`<${StepChart} steps=${steps} selectedId=${selected?.id} onSelect=${onSelect} />`}
  </section>`;
}
