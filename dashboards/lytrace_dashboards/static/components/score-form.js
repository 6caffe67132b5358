import { addScores, listScores } from "../api.js";
import { html, useEffect, useId, useMemo, useState } from "../lib/html.js";
import { useStored } from "../lib/hooks.js";
import { ArtifactImage } from "./artifact-image.js";
import { Icon } from "./icon.js";

const EVALUATOR = "dashboard";
const KNOWN_SCORES = 200;
const VERDICTS = [
  { label: "good", value: 1, icon: "up" },
  { label: "bad", value: 0, icon: "down" },
];
const UNIT_RANGE = { min: 0, max: 1 };
const EMPTY = { verdict: null, value: "", label: "", explanation: "" };

const imageTarget = (image) => `${image.span_id} ${image.index}`;

// Names and ranges in use, so that a score by hand joins the ones that exist.
function useKnownScores(scores) {
  const [all, setAll] = useState([]);
  useEffect(() => {
    const controller = new AbortController();
    listScores({ limit: KNOWN_SCORES }, controller.signal).then((page) => setAll(page.scores ?? []), () => {});
    return () => controller.abort();
  }, []);
  return useMemo(() => new Map([...all, ...scores].map((score) => [score.name, score])), [all, scores]);
}

function rangeOf(score) {
  const { min, max } = score ?? {};
  return Number.isFinite(min) && Number.isFinite(max) && max > min ? { min, max } : UNIT_RANGE;
}

export function ScoreForm({ trace, scores, images, onAdded }) {
  const id = useId();
  const known = useKnownScores(scores);
  const [name, setName] = useStored("lytrace.score.name", "quality");
  const [author, setAuthor] = useStored("lytrace.score.author", "");
  const [target, setTarget] = useState(images.length === 1 ? imageTarget(images[0]) : "");
  const [draft, setDraft] = useState(EMPTY);
  const [state, setState] = useState({ busy: false, failure: "", added: "" });
  const edit = (change) => setDraft((old) => ({ ...old, ...change }));
  const range = rangeOf(known.get(name));
  const judge = (verdict) => edit(draft.verdict === verdict.label ? EMPTY : { verdict: verdict.label, label: verdict.label, value: String(verdict.value) });
  const ready = name.trim() && (draft.value !== "" || draft.label.trim());

  const submit = async (event) => {
    event.preventDefault();
    setState({ busy: true, failure: "", added: "" });
    try {
      await addScores([toScore({ trace, images, target, name, author, draft, range })]);
      setDraft(EMPTY);
      setState({ busy: false, failure: "", added: name.trim() });
      onAdded();
    } catch (error) {
      setState({ busy: false, failure: error.message, added: "" });
    }
  };

  return html`<form class="score-form" aria-label="Add a score" onSubmit=${submit}>
    <h3>Add a score</h3>
    ${images.length > 0 && html`<${TargetPicker} images=${images} target=${target} onPick=${setTarget} />`}
    <div class="form-line">
      <div class="grow">
        <label class="label" for=${`${id}-name`}>Name</label>
        <input id=${`${id}-name`} class="field" list=${`${id}-names`} required maxlength="200" value=${name} onInput=${(event) => setName(event.target.value)} />
        <datalist id=${`${id}-names`}>${[...known.keys()].sort().map((one) => html`<option key=${one} value=${one} />`)}</datalist>
      </div>
      <div>
        <span class="label">Verdict</span>
        <div class="verdicts">
          ${VERDICTS.map(
            (verdict) => html`<button key=${verdict.label} class=${`button ${verdict.label}`} type="button" aria-pressed=${draft.verdict === verdict.label ? "true" : "false"} aria-label=${`Mark as ${verdict.label}`} title=${verdict.label} onClick=${() => judge(verdict)}><${Icon} name=${verdict.icon === "up" ? "up" : "thumbsdown"} /></button>`,
          )}
        </div>
      </div>
    </div>
    <div class="form-line">
      <div class="grow">
        <label class="label" for=${`${id}-slider`}>Value</label>
        <input id=${`${id}-slider`} type="range" min=${range.min} max=${range.max} step=${(range.max - range.min) / 100} value=${draft.value === "" ? (range.min + range.max) / 2 : draft.value} class=${draft.value === "" ? "unset" : ""} onInput=${(event) => edit({ value: event.target.value, verdict: null })} />
      </div>
      <input class="field number" type="number" step="any" aria-label="Value as a number" placeholder="–" value=${draft.value} onInput=${(event) => edit({ value: event.target.value, verdict: null })} />
      <div class="narrow">
        <label class="label" for=${`${id}-label`}>Label</label>
        <input id=${`${id}-label`} class="field" maxlength="1000" placeholder="optional" value=${draft.label} onInput=${(event) => edit({ label: event.target.value, verdict: null })} />
      </div>
    </div>
    <textarea class="field" rows="2" aria-label="Explanation" placeholder="Why? (optional)" maxlength="65536" value=${draft.explanation} onInput=${(event) => edit({ explanation: event.target.value })} />
    <div class="form-line end">
      <input class="field grow" aria-label="Your name" placeholder="Your name (optional)" maxlength="200" autocomplete="name" value=${author} onInput=${(event) => setAuthor(event.target.value)} />
      <button class="button primary" type="submit" disabled=${!ready || state.busy}>Add score</button>
    </div>
    <p role="status" class="facts faint">${state.added && `Added ${state.added}.`}</p>
    ${state.failure && html`<p class="error-text" role="alert">${state.failure}</p>`}
  </form>`;
}

function toScore({ trace, images, target, name, author, draft, range }) {
  const image = images.find((one) => imageTarget(one) === target);
  const value = draft.value === "" ? null : Number(draft.value);
  const inside = value !== null && value >= range.min && value <= range.max;
  return {
    trace_id: trace.trace_id,
    ...(image ? { span_id: image.span_id, image_index: image.index } : {}),
    name: name.trim(),
    value,
    label: draft.label.trim() || null,
    explanation: draft.explanation.trim() || null,
    annotator_kind: "human",
    evaluator: EVALUATOR,
    identifier: author.trim(),
    ...(inside ? range : {}),
  };
}

function TargetPicker({ images, target, onPick }) {
  const option = (value, label, content) => html`<label key=${value} class="target" title=${label}>
    <input type="radio" name="target" value=${value} checked=${value === target} aria-label=${label} onChange=${() => onPick(value)} />
    ${content}
  </label>`;
  return html`<fieldset class="targets">
    <legend class="label">What is judged</legend>
    ${option("", "Whole trace", html`<span class="whole-trace">Whole trace</span>`)}
    ${images.slice(0, 48).map((image) => option(imageTarget(image), `Image ${image.index + 1}${image.seed === undefined ? "" : `, seed ${image.seed}`}`, html`<span class="thumb"><${ArtifactImage} artifact=${image} size=${96} alt="" /></span>`))}
  </fieldset>`;
}
