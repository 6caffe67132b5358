import { scoreValue } from "../lib/format.js";
import { html } from "../lib/html.js";
import { Icon } from "./icon.js";

const GOOD = new Set(["good", "pass", "passed", "correct", "yes", "true", "up", "win"]);
const BAD = new Set(["bad", "fail", "failed", "wrong", "incorrect", "no", "false", "down", "loss"]);

// Whether a label says yes or no in the field's usual words; null for any other label.
export function verdictOf(score) {
  const label = String(score.label ?? "").trim().toLowerCase();
  if (GOOD.has(label)) return "good";
  return BAD.has(label) ? "bad" : null;
}

function ScoreChip({ score }) {
  const verdict = verdictOf(score);
  const value = scoreValue(score.value);
  const label = score.label && !(verdict && value) ? score.label : "";
  const title = [`${score.name}: ${[value, score.label].filter(Boolean).join(", ")}`, score.annotator_kind].join(" · ");
  return html`<span class=${`chip ${verdict ?? ""}`} title=${title}>
    ${verdict && html`<${Icon} name=${verdict === "good" ? "check" : "cross"} />`}
    <span class="ellipsis">${score.name}</span>
    ${value && html`<b>${value}</b>`}
    ${label && html`<b class="ellipsis">${label}</b>`}
    ${verdict && !label && html`<span class="visually-hidden">${score.label}</span>`}
  </span>`;
}

export function ScoreChips({ scores, most = 3 }) {
  if (!scores?.length) return null;
  const rest = scores.length - most;
  return html`<span class="chips">
    ${scores.slice(0, most).map((score) => html`<${ScoreChip} key=${score.id} score=${score} />`)}
    ${rest > 0 && html`<span class="chip" title=${`${rest} more`}>+${rest}</span>`}
  </span>`;
}
