import { accepted, isWithinValue, useCompletion } from "../lib/completion.js";
import { html, useEffect, useId, useRef, useState } from "../lib/html.js";
import { useHotkeys } from "../lib/hooks.js";
import { Icon } from "./icon.js";
import { Suggestions } from "./suggestions.js";

const PAUSE_MS = 250;
const MOVES = new Set(["ArrowLeft", "ArrowRight", "Home", "End"]);
const HALF_TYPED = /[:<>=(]$/;

// Reports what was typed once the typing pauses, and offers what it can go on with; a value that is half-typed, which the offers
// tell, is reported when they close. `/` focuses it, Esc closes the offers, then clears it. `invalid` says that it could not be read.
// Source of the keys and roles: https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ (list autocomplete, manual selection).
export function SearchBox({ value, label, example, of, invalid = false, onSearch }) {
  const [text, setText] = useState(value);
  const [chosen, choose] = useState(null);
  const [completion, ask, hide, answered] = useCompletion(of);
  const field = useRef(null);
  const timer = useRef(0);
  const within = useRef(false);
  const reported = useRef(value);
  const id = useId();
  const { suggestions } = completion;
  const isOpen = suggestions.length > 0;
  const active = suggestions.findIndex((suggestion) => suggestion.text === chosen);
  within.current = isWithinValue(text, completion);
  useHotkeys({ "/": () => field.current.select() });
  useEffect(() => {
    if (value !== reported.current) setText(value);
  }, [value]);
  const forget = () => {
    clearTimeout(timer.current);
    timer.current = 0;
  };
  useEffect(() => forget, []);
  const report = (next) => {
    reported.current = next.trim();
    onSearch(reported.current);
  };
  const change = (next, pause) => {
    setText(next);
    forget();
    if (pause && HALF_TYPED.test(next)) return;
    const own = setTimeout(async () => {
      const isHalfTyped = pause && isWithinValue(next, await answered());
      if (timer.current === own && !isHalfTyped) report(next);
    }, pause);
    timer.current = own;
  };
  const close = () => {
    if (within.current) change(text, 0);
    choose(null);
    hide();
  };
  const type = ({ target }) => {
    choose(null);
    change(target.value, PAUSE_MS);
    ask(target.value, target.selectionStart);
  };
  const accept = (suggestion) => {
    const whole = accepted(text, completion, suggestion.text);
    change(whole.text, suggestion.kind === "value" ? 0 : PAUSE_MS);
    field.current.value = whole.text;
    field.current.setSelectionRange(whole.cursor, whole.cursor);
    choose(null);
    hide();
    if (suggestion.kind !== "value") ask(whole.text, whole.cursor);
  };
  const move = (by) => {
    if (!isOpen) return ask(text, field.current.selectionStart);
    const places = suggestions.length + 1;
    return choose(suggestions[((active + 1 + by + places) % places) - 1]?.text ?? null);
  };
  const keys = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Enter: () => (active >= 0 ? accept(suggestions[active]) : (hide(), change(text, 0))),
    Tab: active >= 0 && (() => accept(suggestions[active])),
    Escape: () => (isOpen ? close() : text ? change("", 0) : field.current.blur()),
  };
  const press = (event) => {
    if (MOVES.has(event.key)) hide();
    const action = !event.isComposing && keys[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };
  return html`<div class=${`search ${invalid ? "invalid" : ""}`} role="search">
    <${Icon} name="search" />
    <input
      ref=${field} type="search" role="combobox" aria-label=${label} placeholder=${`Words, or ${example}`} value=${text} spellcheck=${false} autocomplete="off"
      aria-invalid=${invalid} aria-autocomplete="list" aria-expanded=${isOpen} aria-controls=${`${id}-list`}
      aria-activedescendant=${active >= 0 ? `${id}-list-${active}` : undefined}
      onInput=${type} onKeyDown=${press} onClick=${hide} onBlur=${close}
    />
    ${text
      ? html`<button class="icon-button small" type="button" aria-label="Clear search" onClick=${() => (hide(), change("", 0))}><${Icon} name="close" small /></button>`
      : html`<kbd class="key" aria-hidden="true">/</kbd>`}
    ${isOpen && html`<${Suggestions} id=${`${id}-list`} suggestions=${suggestions} active=${active} onAccept=${accept} onPoint=${(place) => choose(suggestions[place].text)} />`}
  </div>`;
}
