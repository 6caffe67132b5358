import { html, useEffect, useRef, useState } from "../lib/html.js";
import { Icon } from "./icon.js";

const SHOWN_MS = 1400;

async function toClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Plain HTTP on another host than localhost has no clipboard API; beside an open dialog nothing can be selected.
  const area = document.createElement("textarea");
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function useCopy(text) {
  const [done, setDone] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (event) => {
    event.stopPropagation();
    await toClipboard(text).then(() => setDone(true), () => {});
    timer.current = setTimeout(() => setDone(false), SHOWN_MS);
  };
  return [done, copy];
}

// A button with a name, such as "Copy as Python".
export function CopyButton({ text, name = "Copy" }) {
  const [done, copy] = useCopy(text);
  return html`<button class="button small" type="button" onClick=${copy}>
    <${Icon} name=${done ? "check" : "copy"} small /><span aria-live="polite">${done ? "Copied" : name}</span>
  </button>`;
}

// Text that copies itself when clicked: ids, hashes. `shown` may be shorter than what is copied.
export function CopyLine({ text, shown = text, label }) {
  const [done, copy] = useCopy(text);
  return html`<button class=${done ? "copy-line mono done" : "copy-line mono"} type="button" title=${text} aria-label=${`Copy ${label}`} onClick=${copy}>
    <span class="ellipsis">${shown}</span><${Icon} name=${done ? "check" : "copy"} />
  </button>`;
}

// Only the icon, for a corner.
export function CopyIcon({ text, label }) {
  const [done, copy] = useCopy(text);
  return html`<button class="icon-button small" type="button" title=${`Copy ${label}`} aria-label=${`Copy ${label}`} onClick=${copy}>
    <${Icon} name=${done ? "check" : "copy"} small />
  </button>`;
}
