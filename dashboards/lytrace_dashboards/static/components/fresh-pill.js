import { html } from "../lib/html.js";
import { plural } from "../lib/format.js";

// New rows wait here while the reader has scrolled down, so that nothing moves under the cursor.
export function FreshPill({ feed, noun }) {
  const show = () => {
    feed.reveal();
    scrollTo({ top: 0 });
  };
  return html`<div class="fresh" role="status">
    ${feed.waiting?.added > 0 && html`<button type="button" onClick=${show}>${plural(feed.waiting.added, `new ${noun}`)}</button>`}
  </div>`;
}
