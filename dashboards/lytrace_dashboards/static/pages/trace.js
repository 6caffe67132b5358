import { FeedError } from "../components/feed-error.js";
import { GenerationPanel } from "../components/generation-panel.js";
import { Inspector } from "../components/inspector.js";
import { MoreSpans } from "../components/more-spans.js";
import { TraceHeader } from "../components/trace-header.js";
import { TraceImages } from "../components/trace-images.js";
import { TraceNotices } from "../components/trace-notices.js";
import { Waterfall } from "../components/waterfall.js";
import { html, useMemo, useState } from "../lib/html.js";
import { useTitle } from "../lib/hooks.js";
import { href, navigate } from "../lib/router.js";
import { KIND_GENERATION } from "../lib/semconv.js";
import { buildTree, generationNear } from "../lib/spans.js";
import { useTrace } from "../lib/trace-data.js";
import { imagesOf } from "../lib/trace-images.js";

// Where the inspector lies below the timeline instead of beside it: see styles/trace.css.
const ONE_COLUMN = "(width < 1080px)";

export function TracePage({ route }) {
  const { detail, error, refresh, change, more } = useTrace(route.traceId);
  useTitle(detail?.trace.name || "Trace");
  if (!detail) return error?.status ? html`<${Missing} error=${error} />` : html`<${Skeleton} />`;
  return html`<${LoadedTrace} route=${route} detail=${detail} refresh=${refresh} change=${change} more=${more} />`;
}

function LoadedTrace({ route, detail, refresh, change, more }) {
  const { trace } = detail;
  const tree = useMemo(() => buildTree(trace, detail.spans), [detail.spans, trace.duration_ns]);
  const images = useMemo(() => imagesOf(detail, tree), [detail, tree]);
  const wanted = route.query.get("span");
  const selected = tree.byId.get(wanted) ?? null;
  const generation = generationNear(tree, selected);
  const [tab, setTab] = useState(() => firstTab(selected, generation));
  const select = (spanId, { inspect = true } = {}) => {
    navigate(href.trace(trace.trace_id, { span: spanId }), { replace: true });
    if (!inspect) return;
    setTab("span");
    if (matchMedia(ONE_COLUMN).matches) document.querySelector(".inspector").scrollIntoView({ behavior: "smooth" });
  };
  return html`<article class="trace">
    <${TraceHeader} trace=${trace} detail=${detail} change=${change} />
    <${TraceNotices} trace=${trace} tree=${tree} onSelect=${select} />
    <div class="trace-columns">
      <div class="trace-main">
        <${TraceImages} images=${images} trace=${trace} onSelect=${select} />
        <${Waterfall} tree=${tree} running=${trace.state === "running"} selected=${selected} onSelect=${select} />
        <${MoreSpans} more=${more} shown=${detail.spans.length} total=${trace.span_count} isAwaited=${Boolean(wanted && !selected && more.cursor)} />
        ${generation && html`<${GenerationPanel} key=${generation.id} tree=${tree} generation=${generation} selected=${selected} onSelect=${select} />`}
      </div>
      <${Inspector} tab=${tab} onTab=${setTab} detail=${detail} tree=${tree} images=${images} selected=${selected ?? tree.roots[0] ?? null} generation=${generation} onSelect=${select} refresh=${refresh} />
    </div>
  </article>`;
}

// A link from the gallery names the generation, whose parameters are what the reader came for.
function firstTab(selected, generation) {
  if (selected && selected.kind !== KIND_GENERATION) return "span";
  return generation ? "parameters" : "span";
}

function Missing({ error }) {
  if (error.status !== 404) return html`<${FeedError} error=${error} />`;
  return html`<section class="empty">
    <h1>This trace does not exist</h1>
    <p>It may have been deleted, or its program has not sent it yet. The page looks again by itself.</p>
    <p style="margin-top: 14px"><a class="button" href=${href.traces()}>All traces</a></p>
  </section>`;
}

function Skeleton() {
  return html`<div aria-hidden="true" style="display: grid; gap: 14px">
    ${[64, 180, 320].map((height) => html`<div key=${height} class="skeleton" style=${`height: ${height}px`} />`)}
  </div>`;
}
