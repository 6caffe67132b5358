// What a generation was asked to do, read from its span's attributes, as rows of [label, value] and as Python.
import {
  DIFFUSION_ATTENTION_PROCESSORS,
  DIFFUSION_COMPILED,
  DIFFUSION_CONTROLNET_NAMES,
  DIFFUSION_DEVICE,
  DIFFUSION_DTYPE,
  DIFFUSION_GENERATOR_FRESH,
  DIFFUSION_GENERATOR_IGNORED,
  DIFFUSION_GENERATOR_SOURCE,
  DIFFUSION_GENERATOR_STATES,
  DIFFUSION_GUIDANCE_SCALE,
  DIFFUSION_HEIGHT,
  DIFFUSION_LORA_NAMES,
  DIFFUSION_LORA_SCALES,
  DIFFUSION_NEGATIVE_PROMPT,
  DIFFUSION_NUM_INFERENCE_STEPS,
  DIFFUSION_OFFLOAD,
  DIFFUSION_PIPELINE_CLASS,
  DIFFUSION_QUANTIZATION,
  DIFFUSION_SCHEDULER_CLASS,
  DIFFUSION_SEEDS,
  DIFFUSION_STEP_COUNT,
  DIFFUSION_STRENGTH,
  DIFFUSION_WIDTH,
  GEN_AI_INPUT_MESSAGES,
  GEN_AI_PROVIDER_NAME,
  GEN_AI_REQUEST_MODEL,
  GEN_AI_REQUEST_SEED,
  GEN_AI_REQUEST_TEMPERATURE,
  HW_NAME,
  LIB_VERSION_PREFIX,
  TORCH_SETTINGS,
  TORCH_THREADS,
  REQUEST_ASPECT_RATIO,
  REQUEST_QUALITY,
  REQUEST_SIZE,
} from "./semconv.js";

const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

function textOf(part) {
  if (typeof part === "string") return part;
  return part?.type === "text" ? (part.content ?? part.text) : null;
}

function messageText(message) {
  const parts = message.parts ?? message.content;
  if (typeof parts === "string") return parts;
  return Array.isArray(parts) ? parts.map(textOf).filter((text) => typeof text === "string").join("\n") : "";
}

// The texts of the user's messages: one, or one for each prompt of a batch.
function promptsOf(span) {
  const messages = parse(span.attributes[GEN_AI_INPUT_MESSAGES]);
  const all = Array.isArray(messages) ? messages.filter((message) => message !== null && typeof message === "object") : [];
  const byUser = all.filter((message) => message.role === "user");
  return (byUser.length ? byUser : all).map(messageText).filter((text) => text.trim());
}

export function seedsOf(span) {
  const seeds = span.attributes[DIFFUSION_SEEDS];
  if (Array.isArray(seeds) && seeds.length) return seeds;
  const seed = span.attributes[GEN_AI_REQUEST_SEED];
  return seed === undefined ? [] : [seed];
}

// One seed for the whole call stands for each of its images.
export function imageSeed(span, index) {
  const seeds = seedsOf(span);
  return seeds.length === 1 ? seeds[0] : seeds[index];
}

export function readParameters(span) {
  const a = span.attributes;
  return {
    prompts: promptsOf(span),
    negativePrompt: [a[DIFFUSION_NEGATIVE_PROMPT] ?? []].flat().join("\n"),
    model: a[GEN_AI_REQUEST_MODEL],
    provider: a[GEN_AI_PROVIDER_NAME],
    pipeline: a[DIFFUSION_PIPELINE_CLASS],
    scheduler: a[DIFFUSION_SCHEDULER_CLASS],
    seeds: seedsOf(span),
    generatorFresh: a[DIFFUSION_GENERATOR_FRESH],
    generatorIgnored: a[DIFFUSION_GENERATOR_IGNORED],
    generatorSource: a[DIFFUSION_GENERATOR_SOURCE],
    generatorStates: a[DIFFUSION_GENERATOR_STATES] ?? [],
    steps: a[DIFFUSION_NUM_INFERENCE_STEPS],
    stepsRun: a[DIFFUSION_STEP_COUNT],
    guidanceScale: a[DIFFUSION_GUIDANCE_SCALE],
    strength: a[DIFFUSION_STRENGTH],
    width: a[DIFFUSION_WIDTH],
    height: a[DIFFUSION_HEIGHT],
    dtype: a[DIFFUSION_DTYPE],
    device: a[DIFFUSION_DEVICE],
    loras: pairs(a[DIFFUSION_LORA_NAMES], a[DIFFUSION_LORA_SCALES]),
    controlnets: a[DIFFUSION_CONTROLNET_NAMES],
    attention: a[DIFFUSION_ATTENTION_PROCESSORS],
    quantization: a[DIFFUSION_QUANTIZATION],
    compiled: a[DIFFUSION_COMPILED],
    offload: a[DIFFUSION_OFFLOAD],
    threads: a[TORCH_THREADS],
    settings: a[TORCH_SETTINGS],
    temperature: a[GEN_AI_REQUEST_TEMPERATURE],
    askedSize: a[REQUEST_SIZE],
    aspectRatio: a[REQUEST_ASPECT_RATIO],
    quality: a[REQUEST_QUALITY],
  };
}

const pairs = (names, scales) => (Array.isArray(names) ? names.map((name, place) => `${name} × ${scales?.[place] ?? 1}`) : undefined);

// Versions of libraries and the device, from the resource: with the parameters they are what a rerun needs.
export function readVersions(resource) {
  const rows = [];
  if (resource[HW_NAME]) rows.push(["Hardware", resource[HW_NAME]]);
  for (const [name, value] of Object.entries(resource)) {
    if (name.startsWith(LIB_VERSION_PREFIX)) rows.push([name.slice(LIB_VERSION_PREFIX.length).replace(/\.version$/, ""), value]);
  }
  const python = resource["process.runtime.version"];
  if (python) rows.push(["python", python]);
  return rows;
}
