// A tree of spans → the flat rows that the waterfall draws: spans, and one row for all the steps of a stage.
import { KIND_STEP } from "./semconv.js";

const FEW_STEPS = 2;

const groupKey = (parent) => `steps of ${parent?.id ?? "the trace"}`;

// `toggled` holds the keys whose default was turned around. Spans are open by default; groups of steps are closed, unless
// one of their steps failed.
export function visibleRows(tree, toggled) {
  const rows = [];
  const open = [...tree.roots].reverse().map((node) => ({ node, depth: 0 }));
  while (open.length) {
    const row = open.pop();
    rows.push(row);
    const below = row.node ? childrenOf(row, toggled) : stepsOf(row, toggled);
    for (let place = below.length - 1; place >= 0; place -= 1) open.push(below[place]);
  }
  return rows;
}

function childrenOf(row, toggled) {
  const { node, depth } = row;
  row.key = node.id;
  row.expandable = node.children.length > 0;
  row.expanded = row.expandable && !toggled.has(row.key);
  if (!row.expanded) return [];
  const steps = node.children.filter((child) => child.kind === KIND_STEP);
  if (steps.length <= FEW_STEPS) return node.children.map((child) => ({ node: child, depth: depth + 1 }));
  const rows = [];
  for (const child of node.children) {
    if (child === steps[0]) rows.push({ steps, parent: node, depth: depth + 1 });
    if (child.kind !== KIND_STEP) rows.push({ node: child, depth: depth + 1 });
  }
  return rows;
}

function stepsOf(row, toggled) {
  row.key = groupKey(row.parent);
  row.expandable = true;
  row.expanded = isGroupOpen(row.key, row.steps, toggled);
  return row.expanded ? row.steps.map((node) => ({ node, depth: row.depth + 1 })) : [];
}

const wantsOpen = (steps) => steps.length <= 64 && steps.some((step) => step.span.status.code === "ERROR");

const isGroupOpen = (key, steps, toggled) => toggled.has(key) !== wantsOpen(steps);

// The keys to turn around so that `node` becomes visible.
export function keysToReveal(node, toggled) {
  const next = new Set(toggled);
  for (let one = node; one.parent; one = one.parent) {
    next.delete(one.parent.id);
    const steps = one.kind === KIND_STEP ? one.parent.children.filter((child) => child.kind === KIND_STEP) : [];
    const key = groupKey(one.parent);
    if (steps.length > FEW_STEPS && !isGroupOpen(key, steps, next)) flip(next, key);
  }
  return next;
}

export function flip(keys, key) {
  if (!keys.delete(key)) keys.add(key);
  return keys;
}
