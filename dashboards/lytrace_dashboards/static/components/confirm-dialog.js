import { html } from "../lib/html.js";
import { Dialog } from "./dialog.js";

export function ConfirmDialog({ title, confirm, busy = false, error = null, onConfirm, onClose, children }) {
  return html`<${Dialog} label=${title} onClose=${onClose}>
    <h2>${title}</h2>
    <p>${children}</p>
    ${error && html`<p role="alert" style="color: var(--error); margin-top: 8px">${error}</p>`}
    <div class="actions">
      <button class="button" type="button" autofocus onClick=${onClose}>Cancel</button>
      <button class="button danger" type="button" disabled=${busy} onClick=${onConfirm}>${confirm}</button>
    </div>
  <//>`;
}
