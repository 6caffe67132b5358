import { html, useEffect, useRef } from "../lib/html.js";

// The list below a search box. `active` is the chosen one's place, -1 where none is.
export function Suggestions({ id, suggestions, active, onAccept, onPoint }) {
  const list = useRef(null);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const keepFocus = (event) => event.preventDefault();
  return html`<ul ref=${list} id=${id} class="suggestions" role="listbox" aria-label="Suggestions" onMouseDown=${keepFocus}>
    ${suggestions.map(
      (suggestion, place) => html`<li
        key=${suggestion.text}
        id=${`${id}-${place}`}
        role="option"
        aria-selected=${place === active}
        onMouseMove=${() => onPoint(place)}
        onClick=${() => onAccept(suggestion)}
      >
        <code>${suggestion.text}</code>
        <span class="detail">${suggestion.detail}</span>
        ${suggestion.count !== null && html`<span class="count">${suggestion.count.toLocaleString()}</span>`}
      </li>`,
    )}
  </ul>`;
}
