import { number } from "../lib/format.js";
import { html } from "../lib/html.js";
import { readParameters, readVersions } from "../lib/parameters.js";
import { toPython } from "../lib/python.js";
import { AnswerSection } from "./answer-section.js";
import { CopyButton, CopyLine } from "./copy-button.js";
import { GenerationPicker } from "./generation-picker.js";
import { Prose } from "./prose.js";
import { Rows } from "./rows.js";

function stepsText({ steps, stepsRun }) {
  if (steps === undefined) return stepsRun;
  return stepsRun !== undefined && stepsRun !== steps ? `${steps} asked for, ${stepsRun} run` : steps;
}

const faint = (text) => html`<span class="faint"> ${text}</span>`;

// A pipeline without a seed is worth a word; most APIs have none.
function seedNote({ seeds, generatorFresh, generatorIgnored, generatorSource, generatorStates }) {
  if (generatorIgnored) return faint("this scheduler ignores it");
  if (!seeds.length) return faint(generatorStates.length ? "none given; the default generator's state is recorded" : "not set");
  if (generatorFresh === false) return faint(generatorStates.length ? "generator had been used before; its state is recorded" : "generator had been used before");
  return generatorSource === "default" ? faint("of the default generator") : null;
}

function seedRow(parameters) {
  const { seeds, pipeline } = parameters;
  if (!seeds.length && !pipeline) return ["Seed", null];
  const lines = html`<span class="seeds">${seeds.map((seed, place) => html`<${CopyLine} key=${place} text=${String(seed)} label="seed" />`)}</span>`;
  return [seeds.length > 1 ? "Seeds" : "Seed", html`${seeds.length > 0 && lines}${seedNote(parameters)}`];
}

const joined = (values) => (values === undefined ? null : [values].flat().filter(Boolean).join(", "));

// Pipelines have sizes of their own: where none was asked for, that of the first image.
function sizeText({ width, height }, image) {
  if (width) return `${width} × ${height}`;
  return image?.width ? `${image.width} × ${image.height}` : null;
}

// What the generation was asked to do and where it ran, complete enough to ask for the same again.
export function ParametersPanel({ tree, generation, images, onSelect }) {
  const parameters = readParameters(generation.span);
  const rows = [
    ["Model", parameters.model],
    ["Provider", parameters.provider === "diffusers" ? null : parameters.provider],
    ["Pipeline", parameters.pipeline],
    seedRow(parameters),
    ["Scheduler", parameters.scheduler],
    ["Steps", stepsText(parameters)],
    ["Guidance scale", parameters.guidanceScale === undefined ? null : number(parameters.guidanceScale)],
    ["Strength", parameters.strength],
    ["Temperature", parameters.temperature],
    ["Asked for", [parameters.askedSize, parameters.aspectRatio].filter(Boolean).join(", ")],
    ["Quality", parameters.quality],
    ["Size", sizeText(parameters, images.find((image) => image.span_id === generation.id))],
    ["LoRA", joined(parameters.loras)],
    ["ControlNet", joined(parameters.controlnets)],
    ["Data type", parameters.dtype],
    ["Device", parameters.device],
    ["Offloading", parameters.offload],
    ["Quantization", joined(parameters.quantization)],
    ["Compiled", joined(parameters.compiled)],
    ["Attention", joined(parameters.attention)],
    ["Threads", parameters.threads],
    ["Torch settings", joined(parameters.settings)],
  ];
  const versions = readVersions(generation.span.resource);
  return html`<div class="stack">
    <${GenerationPicker} tree=${tree} generation=${generation} onSelect=${onSelect} />
    ${parameters.prompts.map((prompt, place) => html`<${Prose} key=${place} title=${parameters.prompts.length > 1 ? `Prompt ${place + 1}` : "Prompt"} text=${prompt} />`)}
    <${Prose} title="Negative prompt" text=${parameters.negativePrompt} />
    <${AnswerSection} span=${generation.span} />
    <section><h3>Parameters</h3><${Rows} rows=${rows} /></section>
    ${versions.length > 0 && html`<section><h3>Environment</h3><${Rows} rows=${versions} /></section>`}
    <div><${CopyButton} text=${toPython(parameters)} name="Copy as Python" /></div>
  </div>`;
}
