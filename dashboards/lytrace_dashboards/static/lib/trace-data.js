// One trace, kept fresh while something about it may still change.
import { getTrace } from "../api.js";
import { useCallback, useState } from "./html.js";
import { usePolling } from "./hooks.js";

const RUNNING_MS = 2000;
const BYTES_AWAITED_MS = 4000;
const LOST_MS = 15_000;
const SHARE_OF_TIME = 8;

// A trace of 50,000 spans takes its time to load: it is then asked for less often.
function nextPause(detail, tookMs) {
  const atLeast = tookMs * SHARE_OF_TIME;
  if (detail.trace.state === "running") return Math.max(RUNNING_MS, atLeast);
  if (detail.artifacts.some((artifact) => !artifact.stored)) return Math.max(BYTES_AWAITED_MS, atLeast);
  return detail.trace.state === "lost" ? Math.max(LOST_MS, atLeast) : false;
}

export function useTrace(traceId) {
  const [answer, setAnswer] = useState({ detail: null, error: null });
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
  }, RUNNING_MS, [traceId, asked]);
  const refresh = useCallback(() => ask((times) => times + 1), []);
  const change = useCallback((trace) => setAnswer((old) => old.detail && { ...old, detail: { ...old.detail, trace: { ...old.detail.trace, ...trace } } }), []);
  return { ...answer, refresh, change };
}
