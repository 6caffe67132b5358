import { html, useEffect, useRef } from "../lib/html.js";

// Asks for the next page when the reader comes near the end; the button does the same for those who do not scroll.
export function LoadMore({ feed }) {
  const place = useRef(null);
  useEffect(() => {
    if (!feed.cursor) return undefined;
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && feed.loadMore(), { rootMargin: "600px" });
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [feed.cursor, feed.loadMore]);
  return html`<div class="load-more" ref=${place}>
    ${feed.cursor && html`<button class="button" type="button" disabled=${feed.loadingMore} onClick=${feed.loadMore}>${feed.loadingMore ? "Loading…" : "Load more"}</button>`}
  </div>`;
}
