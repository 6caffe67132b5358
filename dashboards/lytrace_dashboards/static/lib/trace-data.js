// One trace, kept fresh while something about it may still change.
import { getSpans, getTrace } from "../api.js";
import { useCallback, useMemo, useState } from "./html.js";
import { usePolling } from "./hooks.js";

const RUNNING_MS = 2000;
const BYTES_AWAITED_MS = 4000;
const LOST_MS = 15_000;
const SHARE_OF_TIME = 8;
const SPANS_A_PAGE = 5000;
const NONE = [];

// The newest answer about a span stands; the order is that of their starts.
export function joinPages(first, later) {
  const known = new Set(first.map((span) => span.span_id));
  return [...first, ...later.filter((span) => !known.has(span.span_id))];
}

// A trace takes its time to load: it is then asked for less often.
function nextPause(detail, tookMs) {
  const atLeast = tookMs * SHARE_OF_TIME;
  if (detail.trace.state === "running") return Math.max(RUNNING_MS, atLeast);
  if (detail.artifacts.some((artifact) => !artifact.stored)) return Math.max(BYTES_AWAITED_MS, atLeast);
  return detail.trace.state === "lost" ? Math.max(LOST_MS, atLeast) : false;
}

export function useTrace(traceId) {
  const [answer, setAnswer] = useState({ detail: null, error: null });
  const [later, setLater] = useState({ traceId, spans: [], cursor: null, loading: false });
  const [asked, ask] = useState(0);
  usePolling(async (signal) => {
    const began = performance.now();
    try {
      const detail = await getTrace(traceId, signal);
      setAnswer({ detail, error: null });
      return nextPause(detail, performance.now() - began);
    } catch (error) {
      if (error.name !== "AbortError") setAnswer((old) => ({ ...old, error }));
      throw error;
    }
  }, RUNNING_MS, [traceId, asked], (event) => event.trace_id === traceId || event.event === "reset");
  const refresh = useCallback(() => ask((times) => times + 1), []);
  const change = useCallback((trace) => setAnswer((old) => old.detail && { ...old, detail: { ...old.detail, trace: { ...old.detail.trace, ...trace } } }), []);
  const hasLater = later.traceId === traceId && later.spans.length > 0;
  const spans = hasLater ? later.spans : NONE;
  const cursor = hasLater ? later.cursor : (answer.detail?.next_cursor ?? null);
  const loading = later.traceId === traceId && later.loading;
  const loadMore = useCallback(async () => {
    if (!cursor || loading) return;
    setLater({ traceId, spans, cursor, loading: true });
    try {
      const page = await getSpans(traceId, { cursor, limit: SPANS_A_PAGE });
      setLater({ traceId, spans: [...spans, ...page.spans], cursor: page.next_cursor, loading: false });
    } catch (error) {
      setLater({ traceId, spans, cursor, loading: false });
      setAnswer((old) => ({ ...old, error }));
    }
  }, [traceId, spans, cursor, loading]);
  const detail = useMemo(() => answer.detail && { ...answer.detail, spans: joinPages(answer.detail.spans, spans) }, [answer.detail, spans]);
  return { detail, error: answer.error, refresh, change, more: { cursor, loading, loadMore } };
}
