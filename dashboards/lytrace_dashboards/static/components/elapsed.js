import { dateOf, duration } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useNow } from "../lib/hooks.js";

// The duration of a trace; of one that runs, the time since its start.
export function Elapsed({ trace }) {
  return trace.state === "running" ? html`<${Ticking} trace=${trace} />` : duration(trace.duration_ns);
}

function Ticking({ trace }) {
  const now = useNow(1000);
  const sinceMs = Math.max(0, now - (dateOf(trace.start_time_unix_nano)?.getTime() ?? now));
  return duration(Math.max(trace.duration_ns, Math.round(sinceMs / 1000) * 1e9));
}
