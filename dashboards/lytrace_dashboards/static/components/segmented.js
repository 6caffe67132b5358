import { html } from "../lib/html.js";
import { Icon } from "./icon.js";

// A few options side by side, one chosen. `options`: [{value, name, icon?}].
export function Segmented({ label, options, value, onChange }) {
  return html`<div class="segmented" role="group" aria-label=${label}>
    ${options.map(
      (option) => html`<button key=${option.value} type="button" aria-pressed=${option.value === value ? "true" : "false"} onClick=${() => onChange(option.value)}>
        ${option.icon && html`<${Icon} name=${option.icon} small />`}${option.name}
      </button>`,
    )}
  </div>`;
}
