import { count } from "../lib/format.js";
import { html, useState } from "../lib/html.js";

// A section that opens and closes; what is closed is not built.
export function Fold({ title, tally, open = false, children }) {
  const [shown, setShown] = useState(open);
  return html`<details class="fold" open=${shown} onToggle=${(event) => setShown(event.currentTarget.open)}>
    <summary>${title}${tally !== undefined && html`<span class="faint">${count(tally)}</span>`}</summary>
    ${shown && html`<div class="fold-body">${children}</div>`}
  </details>`;
}
