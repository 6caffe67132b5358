import { html } from "../lib/html.js";
import { Icon } from "./icon.js";

const SIGN = { info: "info", warn: "warn", error: "circle-cross", offline: "plug" };

// One quiet sentence; `action` is a button or link at its end.
export function Notice({ tone = "info", icon = tone, action, children, className = "" }) {
  return html`<div class=${`notice ${tone} ${className}`} role=${tone === "error" ? "alert" : "status"}>
    <${Icon} name=${SIGN[icon]} />
    <div class="notice-body">${children}</div>
    ${action}
  </div>`;
}
