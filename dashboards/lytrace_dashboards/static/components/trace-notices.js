import { count, plural } from "../lib/format.js";
import { html } from "../lib/html.js";
import { Notice } from "./notice.js";

const SINGULAR = { images: "image", attributes: "attribute", events: "event", links: "link", spans: "span" };

const cutText = (incomplete) =>
  Object.entries(incomplete).filter(([kind, amount]) => kind !== "times" && amount > 0).map(([kind, amount]) => (SINGULAR[kind] ? plural(amount, SINGULAR[kind]) : `${amount} ${kind}`)).join(", ");

// What a reader must know before trusting the page: it failed, it was cut short, or something is missing.
export function TraceNotices({ trace, tree, onSelect }) {
  const failed = firstFailure(tree);
  const cut = cutText(trace.incomplete ?? {});
  const message = trace.status_message || failed?.span.status.message;
  const show = failed && html`<button class="button small" type="button" onClick=${() => onSelect(failed.id)}>Show the failed span</button>`;
  return html`
    ${trace.state === "error" && html`<${Notice} tone="error" action=${show}><span class="clamp-2">${message || "A span of this trace failed."}</span><//>`}
    ${trace.state === "ok" && failed && html`<${Notice} tone="warn" action=${show}><span class="clamp-2">The trace ended well, but ${plural(trace.error_count, "span")} within it failed${message ? `: ${message}` : "."}</span><//>`}
    ${trace.state === "lost" && html`<${Notice} tone="warn">The program stopped${stopped(trace)} before this trace ended. What it had recorded until then is shown; open spans end where the record ends.<//>`}
    ${trace.incomplete?.times > 0 && html`<${Notice} tone="warn">The sender's clock was wrong: ${plural(trace.incomplete.times, "span")} with times that cannot be.<//>`}
    ${cut && html`<${Notice} tone="warn">Limits cut this trace: ${cut} not recorded.<//>`}
  `;
}

// Where a generation was when its program stopped.
function stopped({ steps, steps_total: total }) {
  return total && steps < total ? ` at step ${count(steps ?? 0)} of ${count(total)},` : "";
}

// The deepest failed span tells more than the functions around it that re-raised.
function firstFailure(tree) {
  let deepest = null;
  for (const node of tree.nodes) {
    if (node.span.status.code === "ERROR" && (!deepest || node.depth > deepest.depth)) deepest = node;
  }
  return deepest;
}
