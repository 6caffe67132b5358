import { scoreValue } from "../lib/format.js";
import { html } from "../lib/html.js";
import { byName, verdictOf } from "../lib/scores.js";
import { Icon } from "./icon.js";

function ScoreChip({ score }) {
  const verdict = score.verdict ?? verdictOf(score);
  const value = scoreValue(score.value);
  const label = score.label && !(verdict && value) ? score.label : "";
  const title = `${score.name}: ${[value, score.label].filter(Boolean).join(", ")}${score.times ? `, mean of ${score.times}` : ` · ${score.annotator_kind}`}`;
  return html`<span class=${`chip ${verdict ?? ""}`} title=${title}>
    ${verdict && html`<${Icon} name=${verdict === "good" ? "check" : "cross"} />`}
    <span class="ellipsis">${score.name}</span>
    ${value && html`<b>${value}</b>`}
    ${label && html`<b class="ellipsis">${label}</b>`}
    ${score.times && html`<span class="faint">×${score.times}</span>`}
    ${verdict && !label && html`<span class="visually-hidden">${score.label}</span>`}
  </span>`;
}

// `grouped` joins scores of one name, for a trace with many images.
export function ScoreChips({ scores, most = 3, grouped = false }) {
  if (!scores?.length) return null;
  const shown = grouped ? byName(scores) : scores;
  const rest = shown.length - most;
  return html`<span class="chips">
    ${shown.slice(0, most).map((score) => html`<${ScoreChip} key=${score.id} score=${score} />`)}
    ${rest > 0 && html`<span class="chip" title=${`${rest} more`}>+${rest}</span>`}
  </span>`;
}
