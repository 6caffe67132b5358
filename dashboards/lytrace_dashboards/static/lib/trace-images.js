// The pictures of one trace as rows of the gallery's shape, so that the same components show both.
import { imageSeed, readParameters } from "./parameters.js";
import { DIFFUSION_PREVIEW_IMAGES, DIFFUSION_PREVIEW_STEPS, IMAGE_UNIFORM_CAUSES, IMAGE_UNIFORM_COLORS, KIND_GENERATION, ROLE_OUTPUT, ROLE_PREVIEW } from "./semconv.js";

export function imagesOf(detail, tree) {
  const scores = scoresByImage(detail.scores);
  const rows = detail.artifacts.map((artifact) => toImage(artifact, tree.byId.get(artifact.span_id), detail.trace, scores));
  const outputs = rows.filter((row) => row.role === ROLE_OUTPUT);
  const perSpan = Map.groupBy(outputs, (row) => row.span_id);
  for (const row of outputs) row.prompt ??= promptOf(row, perSpan.get(row.span_id).length);
  return { outputs: withoutCopies(outputs), others: withoutRepeats(rows.filter((row) => row.role !== ROLE_OUTPUT).sort(byTime)) };
}

const targetKey = (spanId, index) => `${spanId} ${index}`;

function scoresByImage(scores) {
  return Map.groupBy(scores.filter((score) => score.image_index !== null && score.image_index !== undefined), (score) => targetKey(score.span_id, score.image_index));
}

function toImage(artifact, node, trace, scores) {
  const span = node?.span;
  const parameters = span ? readParameters(span) : { prompts: [] };
  return {
    ...artifact,
    node,
    prompts: parameters.prompts,
    prompt: null,
    negative_prompt: parameters.negativePrompt,
    ...whatIsKnownOfIt(span, artifact),
    model: parameters.model,
    scheduler: parameters.scheduler,
    steps: parameters.steps,
    start_time_unix_nano: span?.start_time_unix_nano,
    duration_ns: span?.duration_ns,
    trace_name: trace.name,
    scores: artifact.role === ROLE_OUTPUT ? (scores.get(targetKey(artifact.span_id, artifact.index)) ?? []) : [],
  };
}

// An output's seed, and its colour where it has only one; a preview's step and which image of the batch it shows.
function whatIsKnownOfIt(span, { role, index }) {
  const of = (name, place) => span?.attributes[name]?.[place];
  if (role === ROLE_PREVIEW) {
    const shows = of(DIFFUSION_PREVIEW_IMAGES, index);
    return { seed: span ? imageSeed(span, shows ?? 0) : undefined, step: of(DIFFUSION_PREVIEW_STEPS, index), shows };
  }
  const seed = span ? imageSeed(span, index) : undefined;
  if (role !== ROLE_OUTPUT) return { seed };
  return { seed, uniform_color: of(IMAGE_UNIFORM_COLORS, index) || undefined, uniform_cause: of(IMAGE_UNIFORM_CAUSES, index) };
}

// A batch of P prompts gives its images prompt by prompt.
function promptOf({ prompts, index }, imageCount) {
  if (prompts.length < 2 || imageCount % prompts.length) return prompts.join("\n") || null;
  return prompts[Math.floor((index * prompts.length) / imageCount)] ?? null;
}

// Previews of one image of a batch stand together.
const byTime = (a, b) => (a.node?.startNs ?? 0) - (b.node?.startNs ?? 0) || (a.shows ?? 0) - (b.shows ?? 0) || a.index - b.index;

// The same picture may be stored twice: as the file that an API sent, and as a program's decoded copy of it.
const pictureOf = (row) => row.pixel_hash || row.artifact_id;

// A picture that is handed from call to call goes into each of them: it is shown once, where it first did.
function withoutRepeats(rows) {
  return [...Map.groupBy(rows, (row) => `${row.role} ${pictureOf(row)}`).values()].map(([first]) => first);
}

// A function that returns what its pipeline made holds the same picture: it is shown once, at the generation, with the
// scores of both places.
function withoutCopies(outputs) {
  const generated = (row) => (row.node?.kind === KIND_GENERATION ? 0 : 1);
  const groups = Map.groupBy(outputs, pictureOf);
  const kept = [];
  for (const copies of groups.values()) {
    const made = copies.filter((row) => generated(row) === 0);
    const [first] = made.length ? made : copies;
    const elsewhere = copies.filter((row) => row !== first && !made.includes(row)).flatMap((row) => row.scores);
    kept.push({ ...first, scores: [...first.scores, ...elsewhere] }, ...made.slice(1));
  }
  return kept.sort(byTime);
}
