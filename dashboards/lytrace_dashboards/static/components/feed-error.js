import { html } from "../lib/html.js";
import { Notice } from "./notice.js";
import { QueryPlace } from "./query-place.js";

const UNAUTHORIZED = 401;

// Why a list could not be read, and in a filter where. An unreachable collector and a missing token have their own places.
export function FeedError({ error, query }) {
  if (!error?.status || error.status === UNAUTHORIZED) return null;
  const place = isBadQuery(error) && html`<${QueryPlace} query=${query} details=${error.details} />`;
  return html`<${Notice} tone="error">${error.message}.${place}<//>`;
}

export const isBadQuery = (error) => error?.code === "bad_query";

// What a list says of a filter that did not look at everything.
export const CutNotice = ({ cut }) => cut && html`<${Notice} tone="warn">${cut}<//>`;
