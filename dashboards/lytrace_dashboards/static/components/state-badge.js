import { plural } from "../lib/format.js";
import { html } from "../lib/html.js";
import { Icon } from "./icon.js";

const SIGNS = {
  running: { icon: "circle-run", name: "Running" },
  ok: { icon: "circle-check", name: "OK" },
  error: { icon: "circle-cross", name: "Error" },
  lost: { icon: "circle-lost", name: "Lost" },
};

// The state of a trace as icon and word; a running one also says how far it is, and one that ended well what failed within it.
export function StateBadge({ trace }) {
  const { state, steps, steps_total: stepsTotal, error_count: errors } = trace;
  const sign = SIGNS[state] ?? { icon: "info", name: String(state) };
  const progress = state === "running" && stepsTotal ? `${steps ?? 0}/${stepsTotal}` : null;
  return html`<span class=${`state ${SIGNS[state] ? state : ""}`}>
    <${Icon} name=${sign.icon} spin=${state === "running"} />
    <span>${progress ?? sign.name}</span>
    ${progress && html`<span class="visually-hidden">steps, running</span>`}
    ${state === "ok" && errors > 0 && html`<span class="error-text" title="The trace ended well; spans within it failed.">${plural(errors, "error")}</span>`}
  </span>`;
}
