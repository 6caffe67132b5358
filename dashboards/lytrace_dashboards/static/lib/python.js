// A generation's parameters as Python to paste. Values come from a span, so names must look like names and everything else
// is written as a literal: nothing in a prompt can become code.
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]{0,80}$/;
const DTYPES = { float16: "torch.float16", bfloat16: "torch.bfloat16", float32: "torch.float32" };

// JSON's string escapes are Python's too, but for lone surrogates, which well-formed text has none of.
const text = (value) => JSON.stringify(String(value).toWellFormed());

const literal = (value) => Array.isArray(value) ? `[${value.map(literal).join(", ")}]` : scalar(value);

const scalar = (value) => (typeof value === "number" && Number.isFinite(value) ? String(value) : text(value));

// Seeds past 2^63 arrive as text.
const isWhole = (seed) => /^-?\d+$/.test(String(seed));

// A state as lytrace writes it: nothing else is pasted into a program.
const STATE = /^zlib:[A-Za-z0-9+/=]+$/;
const RESTORE = [
  "",
  "def generator_at(state):",
  "    generator = torch.Generator()",
  "    state = zlib.decompress(base64.b64decode(state))",
  "    generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))",
  "    return generator",
  "",
];

const dtypeOf = (dtype) => DTYPES[String(dtype ?? "").replace(/^torch\./, "")];

export function toPython(parameters) {
  return parameters.pipeline && IDENTIFIER.test(parameters.pipeline) ? diffusersCall(parameters) : plainCall(parameters);
}

function diffusersCall(parameters) {
  const { pipeline, model, scheduler, device, seeds } = parameters;
  const classes = [pipeline, ...(IDENTIFIER.test(scheduler ?? "") ? [scheduler] : [])];
  const dtype = dtypeOf(parameters.dtype);
  const load = [text(model ?? ""), ...(dtype ? [`torch_dtype=${dtype}`] : [])].join(", ");
  const states = (parameters.generatorStates ?? []).filter((state) => STATE.test(state));
  const lines = [...(states.length ? ["import base64", "import zlib", ""] : []), "import torch", `from diffusers import ${[...classes].sort().join(", ")}`, ""];
  if (states.length) lines.push(...RESTORE);
  lines.push(`pipeline = ${pipeline}.from_pretrained(${load})${device ? `.to(${text(device)})` : ""}`);
  if (classes.length > 1) lines.push(`pipeline.scheduler = ${scheduler}.from_config(pipeline.scheduler.config)`);
  const fromStates = states.map((state) => `generator_at(${text(state.slice("zlib:".length))})`);
  const generators = fromStates.length ? fromStates : seeds.filter(isWhole).map((seed) => `torch.Generator("cpu").manual_seed(${seed})`);
  const generator = generators.length > 1 ? `[\n        ${generators.join(",\n        ")},\n    ]` : generators[0];
  lines.push("images = pipeline(", ...callArguments(parameters, seeds.length), ...(generator ? [`    generator=${generator},`] : []));
  return [...lines, ").images", ""].join("\n");
}

const isGiven = ([, value]) => value !== undefined && value !== null && value !== "";

const onePrompt = ({ prompts }) => (prompts.length > 1 ? prompts : prompts[0]);

function callArguments(parameters, imageCount) {
  const perPrompt = imageCount / Math.max(1, parameters.prompts.length);
  const named = {
    prompt: onePrompt(parameters),
    negative_prompt: parameters.negativePrompt,
    num_inference_steps: parameters.steps,
    guidance_scale: parameters.guidanceScale,
    strength: parameters.strength,
    width: parameters.width,
    height: parameters.height,
    num_images_per_prompt: perPrompt > 1 ? Math.round(perPrompt) : undefined,
  };
  const given = Object.entries(named).filter(isGiven);
  return given.map(([name, value]) => `    ${name}=${literal(value)},`);
}

function plainCall(parameters) {
  const { model, width, height, seeds } = parameters;
  const named = { model, prompt: onePrompt(parameters), width, height, seed: seeds[0] };
  const given = Object.entries(named).filter(isGiven);
  return ["parameters = dict(", ...given.map(([name, value]) => `    ${name}=${literal(value)},`), ")", ""].join("\n");
}
