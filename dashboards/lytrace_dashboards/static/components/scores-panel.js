import { deleteScore } from "../api.js";
import { scoreValue } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { verdictOf } from "../lib/scores.js";
import { ArtifactImage } from "./artifact-image.js";
import { Icon } from "./icon.js";
import { RelativeTime } from "./relative-time.js";
import { ScoreForm } from "./score-form.js";

const WHO = { human: { icon: "person", name: "a person" }, code: { icon: "code", name: "code" }, llm: { icon: "llm", name: "a model" } };

const targetKey = (score) => `${score.span_id} ${score.image_index ?? ""}`;

// The whole trace first, then spans and images in their order.
const byTarget = (a, b) => a.span_id.localeCompare(b.span_id) || (a.image_index ?? -1) - (b.image_index ?? -1) || a.name.localeCompare(b.name);

function targetOf(score, tree, images) {
  if (!score.span_id) return { name: "Whole trace" };
  const span = tree.byId.get(score.span_id)?.span.name ?? "a span that is not here";
  if (score.image_index === null || score.image_index === undefined) return { name: `Span ${span}` };
  const image = images.find((one) => one.span_id === score.span_id && one.index === score.image_index);
  const seed = image?.seed === undefined || image?.seed === null ? "" : `, seed ${image.seed}`;
  return { name: `Image ${score.image_index + 1}${seed}`, image };
}

// The scores of a trace by what they judge, and the form that adds one.
export function ScoresPanel({ detail, tree, images, refresh }) {
  const groups = [...Map.groupBy([...detail.scores].sort(byTarget), targetKey).values()];
  return html`<div class="stack">
    <${ScoreForm} trace=${detail.trace} scores=${detail.scores} images=${images} onAdded=${refresh} />
    ${groups.map((scores) => {
      const { name, image } = targetOf(scores[0], tree, images);
      return html`<section key=${targetKey(scores[0])} class="score-group">
        <header>${image && html`<span class="thumb"><${ArtifactImage} artifact=${image} size=${96} alt="" /></span>`}<h3>${name}</h3></header>
        <ul>${scores.map((score) => html`<${ScoreLine} key=${score.id} score=${score} onRemoved=${refresh} />`)}</ul>
      </section>`;
    })}
  </div>`;
}

function ScoreLine({ score, onRemoved }) {
  const [failure, setFailure] = useState("");
  const who = WHO[score.annotator_kind] ?? WHO.code;
  const verdict = verdictOf(score);
  const remove = () => deleteScore(score.id).then(onRemoved, (error) => setFailure(error.message));
  return html`<li class="score-line" data-score=${score.id}>
    <div class="score-main">
      <span class="score-name">${score.name}</span>
      ${score.label && html`<span class=${`score-label ${verdict ?? ""}`}>${verdict && html`<${Icon} name=${verdict === "good" ? "check" : "cross"} small />`}${score.label}</span>`}
      ${score.value !== null && score.value !== undefined && html`<${Value} score=${score} />`}
      <button class="icon-button small" type="button" aria-label=${`Delete the score ${score.name}`} title="Delete" onClick=${remove}><${Icon} name="trash" small /></button>
    </div>
    ${score.explanation && html`<p class="explanation">${score.explanation}</p>`}
    <p class="facts faint"><${Icon} name=${who.icon} small />${score.identifier || score.evaluator || who.name} · <${RelativeTime} unixNano=${score.time_unix_nano} /></p>
    ${failure && html`<p class="error-text" role="alert">${failure}</p>`}
  </li>`;
}

// The number, with a bar where the score says what its range is.
function Value({ score }) {
  const { value, min, max } = score;
  const ranged = Number.isFinite(min) && Number.isFinite(max) && max > min;
  const share = ranged ? Math.min(1, Math.max(0, (value - min) / (max - min))) : 0;
  return html`<span class="score-value">
    ${ranged && html`<span class="meter" title=${`from ${min} to ${max}`}><span style=${`width: ${share * 100}%`} /></span>`}
    <b>${scoreValue(value)}</b>
  </span>`;
}
