import { html } from "../lib/html.js";
import { useConnection } from "../lib/hooks.js";
import { Notice } from "./notice.js";

const retry = () => dispatchEvent(new Event("lytrace:retry"));

export function ConnectionBanner() {
  if (useConnection() !== "unreachable") return null;
  const button = html`<button class="button small" type="button" onClick=${retry}>Retry now</button>`;
  return html`<${Notice} tone="warn" icon="offline" className="banner" action=${button}>
    The collector cannot be reached. What you see may be out of date; it is tried again by itself.
  <//>`;
}
