// Spans → a tree of nodes with times relative to the trace's start. Pure functions: no DOM, no network.
import {
  ENCLOSING_STAGE,
  GEN_AI_OPERATION_NAME,
  KIND_FUNCTION,
  KIND_GENERATION,
  KIND_STAGE,
  KIND_STEP,
  OPERATION_GENERATE_CONTENT,
  SPAN_DENOISE_STEP,
  SPAN_KIND,
  STAGE_NAME,
} from "./semconv.js";

const KINDS = new Set([KIND_FUNCTION, KIND_GENERATION, KIND_STAGE, KIND_STEP]);

export function kindOf(span) {
  const kind = span.attributes[SPAN_KIND];
  if (KINDS.has(kind)) return kind;
  if (span.attributes[GEN_AI_OPERATION_NAME] === OPERATION_GENERATE_CONTENT) return KIND_GENERATION;
  return span.name === SPAN_DENOISE_STEP ? KIND_STEP : "other";
}

export const stageName = (node) => String(node.span.attributes[STAGE_NAME] ?? node.span.name);

// `endNs` of a span that still runs is the end of what is known of the trace.
export function buildTree(trace, spans) {
  const starts = spans.map((span) => BigInt(span.start_time_unix_nano));
  // a trace whose sender's clock was ahead is listed when it came: its spans lie together, elsewhere
  const listed = trace.incomplete?.times && starts.length ? starts[0] : BigInt(trace.start_time_unix_nano);
  const base = starts.reduce((first, start) => (start < first ? start : first), listed);
  const nodes = spans.map((span, place) => makeNode(span, Number(starts[place] - base)));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  let totalNs = Math.max(1, Number(trace.duration_ns) || 0, trace.state === "running" ? sinceNs(base) : 0);
  for (const node of nodes) totalNs = Math.max(totalNs, node.endNs);
  for (const node of nodes) if (node.span.pending) node.endNs = totalNs;
  for (const node of nodes) attach(node, byId.get(node.span.parent_span_id));
  for (const node of nodes) sortByStart(node.children);
  for (const node of nodes) if (node.kind === KIND_GENERATION) nestEnclosed(node);
  const roots = findRoots(nodes);
  return { base, totalNs, nodes, byId, roots, generations: generationsOf(roots) };
}

// This machine's clock may differ from the sender's: a time that cannot be is ignored.
const LONGEST_RUN_NS = 7 * 86400e9;

function sinceNs(base) {
  const ns = Number(BigInt(Date.now()) * 1000000n - base);
  return ns > 0 && ns < LONGEST_RUN_NS ? ns : 0;
}

function makeNode(span, startNs) {
  const kind = kindOf(span);
  const endNs = startNs + Math.max(0, Number(span.duration_ns) || 0);
  return { id: span.span_id, span, kind, startNs, endNs, parent: null, children: [], depth: 0 };
}

function attach(node, parent) {
  if (!parent || parent === node) return;
  node.parent = parent;
  parent.children.push(node);
}

const sortByStart = (nodes) => nodes.sort((a, b) => a.startNs - b.startNs || b.endNs - a.endNs);

// A user's span made inside a stage is a child of the generation and names the stage: by time it belongs below it.
function nestEnclosed(generation) {
  const stages = generation.children.filter((node) => node.kind === KIND_STAGE);
  const moved = new Set();
  for (const node of generation.children) {
    const name = node.span.attributes[ENCLOSING_STAGE];
    if (name === undefined || node.kind === KIND_STAGE) continue;
    const named = stages.filter((stage) => stageName(stage) === name);
    const stage = named.find((one) => holds(one, node)) ?? named[0];
    if (!stage) continue;
    node.parent = stage;
    stage.children.push(node);
    moved.add(node);
  }
  if (!moved.size) return;
  generation.children = generation.children.filter((node) => !moved.has(node));
  for (const stage of stages) sortByStart(stage.children);
}

const holds = (outer, inner) => outer.startNs <= inner.startNs && inner.startNs <= outer.endNs;

// Everything is reachable from a root, even where a sender wrote a circle of parents: it is cut where first met.
function findRoots(nodes) {
  const seen = new Set();
  const roots = nodes.filter((node) => !node.parent);
  for (const root of roots) mark(root, seen);
  for (const node of nodes) {
    if (seen.has(node)) continue;
    node.parent.children.splice(node.parent.children.indexOf(node), 1);
    node.parent = null;
    roots.push(node);
    mark(node, seen);
  }
  return sortByStart(roots);
}

function mark(root, seen) {
  const open = [root];
  root.depth = 0;
  while (open.length) {
    const node = open.pop();
    seen.add(node);
    for (const child of node.children) {
      child.depth = node.depth + 1;
      open.push(child);
    }
  }
}

export function* walk(roots) {
  const open = [...roots].reverse();
  while (open.length) {
    const node = open.pop();
    yield node;
    for (let place = node.children.length - 1; place >= 0; place -= 1) open.push(node.children[place]);
  }
}

const generationsOf = (roots) => [...walk(roots)].filter((node) => node.kind === KIND_GENERATION);

// The generation that a reader who looks at `node` means: itself, one around it, the first one inside it, or the first.
export function generationNear(tree, node) {
  for (let one = node; one; one = one.parent) if (one.kind === KIND_GENERATION) return one;
  if (node) for (const one of walk([node])) if (one.kind === KIND_GENERATION) return one;
  return tree.generations[0] ?? null;
}

export const stagesOf = (generation) => generation.children.filter((node) => node.kind === KIND_STAGE);

export function stepsOf(generation) {
  const steps = [...walk([generation])].filter((node) => node.kind === KIND_STEP);
  return steps.length ? sortByStart(steps) : [];
}
