// The denoising steps of a generation as plain records: from step spans, or from the arrays on the denoise span.
import {
  CLOCK,
  DIFFUSION_STEP_DURATIONS,
  DIFFUSION_STEP_INDEX,
  DIFFUSION_STEP_SIGMA,
  DIFFUSION_STEP_TIMESTEP,
  DIFFUSION_STEP_TIMESTEPS,
  GPU_MEMORY_ALLOCATED,
  GPU_MEMORY_PEAK,
  GPU_TIME,
  LATENT_MEAN,
  LATENT_NONFINITE_COUNT,
  LATENT_STD,
} from "./semconv.js";

const NS_PER_S = 1e9;

export function readSteps(stepNodes, stages) {
  if (stepNodes.length) return stepNodes.filter((node) => !node.span.pending).map(fromSpan);
  return stages.flatMap((node) => fromArrays(node));
}

function fromSpan(node, place) {
  const a = node.span.attributes;
  return {
    spanId: node.id,
    index: a[DIFFUSION_STEP_INDEX] ?? place,
    durationNs: node.span.duration_ns,
    gpuNs: a[GPU_TIME] === undefined ? undefined : a[GPU_TIME] * NS_PER_S,
    timestep: a[DIFFUSION_STEP_TIMESTEP],
    sigma: a[DIFFUSION_STEP_SIGMA],
    mean: a[LATENT_MEAN],
    std: a[LATENT_STD],
    nonfinite: a[LATENT_NONFINITE_COUNT],
    allocated: a[GPU_MEMORY_ALLOCATED],
    peak: a[GPU_MEMORY_PEAK],
    clock: a[CLOCK],
    failed: node.span.status.code === "ERROR",
  };
}

function fromArrays(node) {
  const a = node.span.attributes;
  const durations = a[DIFFUSION_STEP_DURATIONS];
  if (!Array.isArray(durations)) return [];
  return durations.map((seconds, index) => ({
    spanId: node.id,
    index,
    durationNs: seconds * NS_PER_S,
    timestep: a[DIFFUSION_STEP_TIMESTEPS]?.[index],
    clock: a[CLOCK],
  }));
}

const METRICS = [
  { value: "durationNs", name: "Duration" },
  { value: "gpuNs", name: "GPU time" },
  { value: "std", name: "Latent std" },
  { value: "mean", name: "Latent mean" },
  { value: "allocated", name: "Memory" },
];

export const metricsOf = (steps) => METRICS.filter(({ value }) => steps.some((step) => Number.isFinite(step[value])));

export function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
