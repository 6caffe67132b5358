import { html } from "../lib/html.js";
import { Notice } from "./notice.js";

const UNAUTHORIZED = 401;

// Why a list could not be read. An unreachable collector and a missing token have their own places.
export function FeedError({ error }) {
  if (!error?.status || error.status === UNAUTHORIZED) return null;
  return html`<${Notice} tone="error">${error.message}<//>`;
}
