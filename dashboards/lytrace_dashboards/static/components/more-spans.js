import { count } from "../lib/format.js";
import { html, useEffect } from "../lib/html.js";

// A long trace comes in pages, by the start of its spans. A span that a link names is looked for until it is there.
export function MoreSpans({ more, shown, total, isAwaited }) {
  useEffect(() => {
    if (isAwaited) more.loadMore();
  }, [isAwaited, more.loadMore]);
  if (!more.cursor) return null;
  return html`<div class="more-spans" role="status">
    <span>${count(shown)} of ${count(Math.max(total, shown))} spans are shown, the earliest first.</span>
    <button class="button small" type="button" disabled=${more.loading} onClick=${more.loadMore}>${more.loading ? "Loading…" : "Load more spans"}</button>
  </div>`;
}
