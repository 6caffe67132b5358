import { patchTrace } from "../api.js";
import { html, useState } from "../lib/html.js";
import { Icon } from "./icon.js";

// "stage: draft" or "stage=draft" → ["stage", "draft"]; a lone word is a tag without a value.
function parseTag(text) {
  const [, key, value = ""] = /^\s*([^:=]+?)\s*(?:[:=]\s*(.*?)\s*)?$/s.exec(text) ?? [];
  return key ? [key, value] : null;
}

// Whether a tag that was to go is still there: those of the spans cannot be taken away.
const kept = (before, wanted, stored) => Object.keys(before).some((key) => !(key in wanted) && key in stored);

// Tags and the note: what a person adds to a trace.
export function TraceNotes({ trace, change }) {
  const [failure, setFailure] = useState("");
  const save = async (patch) => {
    const before = { tags: trace.tags, note: trace.note };
    change(patch);
    setFailure("");
    try {
      const stored = await patchTrace(trace.trace_id, patch);
      change({ tags: stored.tags, note: stored.note });
      if (patch.tags && kept(before.tags, patch.tags, stored.tags)) setFailure("The program set this tag: it stays.");
    } catch (error) {
      change(before);
      setFailure(error.message);
    }
  };
  return html`<div class="trace-notes">
    <${Tags} tags=${trace.tags} onChange=${(tags) => save({ tags })} />
    <${Note} note=${trace.note} onChange=${(note) => save({ note })} />
    ${failure && html`<p class="error-text" role="alert">${failure}</p>`}
  </div>`;
}

function Tags({ tags, onChange }) {
  const [adding, setAdding] = useState(false);
  const add = (event) => {
    event.preventDefault();
    const tag = parseTag(new FormData(event.target).get("tag"));
    if (tag) onChange({ ...tags, [tag[0]]: tag[1] });
    setAdding(false);
  };
  const remove = (key) => onChange(Object.fromEntries(Object.entries(tags).filter(([name]) => name !== key)));
  return html`<div class="tags">
    ${Object.entries(tags).map(
      ([key, value]) => html`<span key=${key} class="tag">
        <span class="ellipsis" title=${value ? `${key}: ${value}` : key}>${value ? html`<span class="faint">${key}</span> ${value}` : key}</span>
        <button type="button" aria-label=${`Remove the tag ${key}`} onClick=${() => remove(key)}><${Icon} name="close" /></button>
      </span>`,
    )}
    ${adding
      ? html`<form onSubmit=${add}>
          <input class="field small" name="tag" aria-label="New tag, as name: value" placeholder="name: value" maxlength="200" autofocus ref=${(field) => field?.focus()} onBlur=${() => setAdding(false)} onKeyDown=${(event) => event.key === "Escape" && setAdding(false)} />
        </form>`
      : html`<button class="add" type="button" onClick=${() => setAdding(true)}><${Icon} name="plus" small />Tag</button>`}
  </div>`;
}

function Note({ note, onChange }) {
  const [draft, setDraft] = useState(null);
  const finish = () => {
    if (draft !== null && draft.trim() !== note) onChange(draft.trim());
    setDraft(null);
  };
  const press = (event) => {
    if (event.key === "Escape") setDraft(null);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) finish();
  };
  if (draft !== null) {
    return html`<textarea class="field" aria-label="Note" rows="2" placeholder="What is worth remembering about this trace?" maxlength="65536" value=${draft} ref=${(field) => field?.focus()} onInput=${(event) => setDraft(event.target.value)} onBlur=${finish} onKeyDown=${press} />`;
  }
  const edit = () => setDraft(note);
  if (!note) return html`<button class="add" type="button" onClick=${edit}><${Icon} name="plus" small />Note</button>`;
  return html`<button class="note" type="button" aria-label="Edit the note" title="Edit the note" onClick=${edit}>${note}</button>`;
}
