import { getStats } from "../api.js";
import { plural } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { usePolling, useStored } from "../lib/hooks.js";
import { Notice } from "./notice.js";
import { RelativeTime } from "./relative-time.js";

const POLL_MS = 15_000;
const COUNTERS = [
  ["dropped_spans", "span", "dropped"],
  ["dropped_images", "image", "dropped"],
  ["dropped_scores", "score", "dropped"],
  ["unsampled_spans", "span", "not sampled"],
];

const total = (processes, field) => processes.reduce((sum, process) => sum + (process[field] ?? 0), 0);

function sentence(processes) {
  const parts = COUNTERS.map(([field, noun, verb]) => [total(processes, field), noun, verb]).filter(([amount]) => amount > 0);
  return parts.map(([amount, noun, verb]) => `${plural(amount, noun)} ${verb}`).join(", ");
}

// What senders could not record. It stays away only until a count changes: nothing vanishes silently.
export function DroppedBanner() {
  const [processes, setProcesses] = useState([]);
  const [dismissed, dismiss] = useStored("lytrace.dropped.seen", "");
  usePolling(async (signal) => setProcesses((await getStats(signal)).processes ?? []), POLL_MS, []);
  const losing = processes.filter((process) => COUNTERS.some(([field]) => process[field] > 0));
  const signature = losing.map((process) => [process.process_uuid, ...COUNTERS.map(([field]) => process[field])].join(",")).sort().join(";");
  if (!losing.length || signature === dismissed) return null;
  const hide = html`<button class="button small" type="button" onClick=${() => dismiss(signature)}>Hide until it changes</button>`;
  return html`<${Notice} tone="warn" action=${hide}>
    <details class="dropped">
      <summary>${plural(losing.length, "program")} could not record everything: ${sentence(losing)}.</summary>
      <ul>
        ${losing.map(
          (process) => html`<li key=${process.process_uuid}>
            <b>${process.service_name || "unnamed program"}</b>${process.pid ? ` (pid ${process.pid})` : ""}: ${sentence([process])}, last heard of <${RelativeTime} unixNano=${process.last_seen_unix_nano} />
          </li>`,
        )}
      </ul>
    </details>
  <//>`;
}
