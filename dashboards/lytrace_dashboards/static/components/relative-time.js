import { absoluteTime, dateOf, relativeTime } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useNow } from "../lib/hooks.js";

export function RelativeTime({ unixNano }) {
  const now = useNow();
  return html`<time datetime=${dateOf(unixNano)?.toISOString()} title=${absoluteTime(unixNano)}>${relativeTime(unixNano, now)}</time>`;
}
