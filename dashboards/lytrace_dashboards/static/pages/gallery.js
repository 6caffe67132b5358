import { listImages } from "../api.js";
import { EmptyState, NothingFound } from "../components/empty-state.js";
import { CutNotice, FeedError, isBadQuery } from "../components/feed-error.js";
import { FreshPill } from "../components/fresh-pill.js";
import { GridSkeleton, ImageGrid } from "../components/image-grid.js";
import { imageKey } from "../components/image-card.js";
import { Lightbox } from "../components/lightbox.js";
import { LoadMore } from "../components/load-more.js";
import { PromptRows } from "../components/prompt-rows.js";
import { SearchBox } from "../components/search-box.js";
import { PictureDrop, PicturePicker } from "../components/picture-drop.js";
import { Segmented } from "../components/segmented.js";
import { useFeed } from "../lib/feed.js";
import { plural } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { useStored, useTitle } from "../lib/hooks.js";
import { href, navigate } from "../lib/router.js";

const PAGE_SIZE = 60;
const LAYOUTS = [
  { value: "grid", name: "Grid", icon: "grid" },
  { value: "prompts", name: "By prompt", icon: "rows" },
];
const SIZES = [
  { value: "small", name: "S" },
  { value: "medium", name: "M" },
  { value: "large", name: "L" },
];

async function fetchImages(q, cursor, signal) {
  const page = await listImages({ q, cursor, limit: PAGE_SIZE }, signal);
  return { items: page.images, cursor: page.next_cursor, cut: page.cut };
}

export function GalleryPage({ route }) {
  const q = route.query.get("q") ?? "";
  const [layout, setLayout] = useStored("lytrace.gallery.layout", "grid");
  const [size, setSize] = useStored("lytrace.gallery.size", "medium");
  const [open, setOpen] = useState(null);
  const feed = useFeed((cursor, signal) => fetchImages(q, cursor, signal), imageKey, [q]);
  const search = (text) => navigate(href.images({ q: text }), { replace: true });
  const isEmpty = feed.settled && !feed.items.length && !q;
  useTitle("Images");
  const View = layout === "prompts" ? PromptRows : ImageGrid;
  return html`
    <h1 class="visually-hidden">Images</h1>
    ${!isEmpty && html`<div class="toolbar">
      <${SearchBox} of="images" value=${q} label="Search prompts and models" example="model:flux* AND duration:>2s" invalid=${isBadQuery(feed.error)} onSearch=${search} />
      <span class="tally">${feed.ready && `${plural(feed.items.length, "image")}${feed.cursor ? " loaded" : ""}`}</span>
      <div class="spacer" />
      <${PicturePicker} />
      <${Segmented} label="Size of the images" options=${SIZES} value=${size} onChange=${setSize} />
      <${Segmented} label="Arrangement" options=${LAYOUTS} value=${layout} onChange=${setLayout} />
    </div>`}
    <${PictureDrop} />
    <${FreshPill} feed=${feed} noun="image" />
    <${FeedError} error=${feed.error} query=${q} />
    <${CutNotice} cut=${feed.cut} />
    ${!feed.ready && !feed.error && html`<${GridSkeleton} size=${size} />`}
    ${feed.settled && !feed.items.length && (!isEmpty ? html`<${NothingFound} query=${q} onClear=${() => search("")} />` : html`<${EmptyState} what="images" />`)}
    ${feed.items.length > 0 && html`<${View} images=${feed.items} size=${size} onOpen=${setOpen} />`}
    <${LoadMore} feed=${feed} />
    ${open !== null && html`<${Lightbox} images=${feed.items} current=${open} onSelect=${setOpen} onClose=${() => setOpen(null)} onNearEnd=${feed.loadMore} />`}
  `;
}
