import { listTraces, patchTrace } from "../api.js";
import { DroppedBanner } from "../components/dropped-banner.js";
import { EmptyState, NothingFound } from "../components/empty-state.js";
import { CutNotice, FeedError, isBadQuery } from "../components/feed-error.js";
import { FreshPill } from "../components/fresh-pill.js";
import { LoadMore } from "../components/load-more.js";
import { SearchBox } from "../components/search-box.js";
import { Segmented } from "../components/segmented.js";
import { TableSkeleton, TraceTable } from "../components/trace-table.js";
import { useFeed } from "../lib/feed.js";
import { plural } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useTitle } from "../lib/hooks.js";
import { href, navigate } from "../lib/router.js";

const PAGE_SIZE = 50;
const STATES = [
  { value: "", name: "All" },
  { value: "running", name: "Running" },
  { value: "ok", name: "OK" },
  { value: "error", name: "Error" },
  { value: "lost", name: "Lost" },
];
const traceKey = (trace) => trace.trace_id;

async function fetchTraces(params, cursor, signal) {
  const page = await listTraces({ ...params, cursor, limit: PAGE_SIZE }, signal);
  return { items: page.traces, cursor: page.next_cursor, cut: page.cut };
}

export function TracesPage({ route }) {
  const q = route.query.get("q") ?? "";
  const state = route.query.get("state") ?? "";
  const feed = useFeed((cursor, signal) => fetchTraces({ q, state }, cursor, signal), traceKey, [q, state]);
  const show = (params) => navigate(href.traces({ q, state, ...params }), { replace: true });
  const star = async (trace) => {
    const starred = !trace.starred;
    feed.update(trace.trace_id, { starred });
    await patchTrace(trace.trace_id, { starred }).catch(() => feed.update(trace.trace_id, { starred: !starred }));
  };
  const isEmpty = feed.settled && !feed.items.length && !q && !state;
  useTitle("Traces");
  return html`
    <h1 class="visually-hidden">Traces</h1>
    <${DroppedBanner} />
    ${!isEmpty && html`<div class="toolbar">
      <${SearchBox} of="traces" value=${q} label="Search prompts, names, models" example="status:error AND duration:>2s" invalid=${isBadQuery(feed.error)} onSearch=${(text) => show({ q: text })} />
      <${Segmented} label="State" options=${STATES} value=${state} onChange=${(value) => show({ state: value })} />
      <div class="spacer" />
      <span class="tally">${feed.ready && `${plural(feed.items.length, "trace")}${feed.cursor ? " loaded" : ""}`}</span>
    </div>`}
    <${FreshPill} feed=${feed} noun="trace" />
    <${FeedError} error=${feed.error} query=${q} />
    <${CutNotice} cut=${feed.cut} />
    ${!feed.ready && !feed.error && html`<${TableSkeleton} />`}
    ${feed.settled && !feed.items.length && (!isEmpty ? html`<${NothingFound} query=${q} onClear=${() => show({ q: "", state: "" })} />` : html`<${EmptyState} what="traces" />`)}
    ${feed.items.length > 0 && html`<${TraceTable} traces=${feed.items} onStar=${star} />`}
    <${LoadMore} feed=${feed} />
  `;
}
