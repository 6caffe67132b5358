import { html, useEffect, useRef, useState } from "../lib/html.js";
import { useHotkeys } from "../lib/hooks.js";
import { Icon } from "./icon.js";

const PAUSE_MS = 250;

// Reports what was typed once the typing pauses. `/` focuses it, Esc clears it. `invalid` says that it could not be read.
export function SearchBox({ value, placeholder, invalid = false, onSearch }) {
  const [text, setText] = useState(value);
  const field = useRef(null);
  const timer = useRef(0);
  useHotkeys({ "/": () => field.current.select() });
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = (next, pause) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onSearch(next.trim()), pause);
  };
  const press = (event) => {
    if (event.key === "Enter") change(text, 0);
    if (event.key !== "Escape") return;
    if (text) change("", 0);
    else field.current.blur();
  };
  return html`<div class=${`search ${invalid ? "invalid" : ""}`} role="search">
    <${Icon} name="search" />
    <input ref=${field} type="search" aria-label=${placeholder} aria-invalid=${invalid} placeholder=${placeholder} value=${text} spellcheck=${false} autocomplete="off" onInput=${(event) => change(event.target.value, PAUSE_MS)} onKeyDown=${press} />
    ${text
      ? html`<button class="icon-button small" type="button" aria-label="Clear search" onClick=${() => change("", 0)}><${Icon} name="close" small /></button>`
      : html`<kbd class="key" aria-hidden="true">/</kbd>`}
  </div>`;
}
