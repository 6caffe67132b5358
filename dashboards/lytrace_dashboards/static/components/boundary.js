import { html, useErrorBoundary } from "../lib/html.js";
import { Notice } from "./notice.js";

// Data that no component expected breaks its page, not the dashboard.
export function Boundary({ children }) {
  const [error, reset] = useErrorBoundary((reason) => console.error(reason));
  if (!error) return children;
  const again = html`<button class="button small" type="button" onClick=${reset}>Try again</button>`;
  return html`<${Notice} tone="error" action=${again}>This page could not be drawn: ${String(error.message ?? error)}<//>`;
}
