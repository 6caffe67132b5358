import { bytes, count, plural, shortModel } from "../lib/format.js";
import { html } from "../lib/html.js";
import { href, navigate } from "../lib/router.js";
import { ArtifactImage } from "./artifact-image.js";
import { Elapsed } from "./elapsed.js";
import { Icon } from "./icon.js";
import { RelativeTime } from "./relative-time.js";
import { ScoreChips } from "./score-chips.js";
import { StateBadge } from "./state-badge.js";

const THUMBNAILS = 3;

function Thumbnails({ trace }) {
  const shown = trace.images.slice(0, THUMBNAILS);
  const rest = trace.image_count - shown.length;
  return html`<span class="thumbs" title=${plural(trace.image_count, "image")}>
    ${shown.map((artifact) => html`<span key=${`${artifact.span_id} ${artifact.role} ${artifact.index}`} class="thumb"><${ArtifactImage} artifact=${artifact} size=${96} alt="" /></span>`)}
    ${rest > 0 && html`<span class="rest">+${count(rest)}</span>`}
    <span class="visually-hidden">${plural(trace.image_count, "image")}</span>
  </span>`;
}

export function stepsText({ steps, steps_total: total }) {
  if (steps === null || steps === undefined) return "";
  return total && steps !== total ? `${count(steps)}/${count(total)}` : count(steps);
}

const ownClick = (event) => event.target.closest("a, button") || event.ctrlKey || event.metaKey || getSelection().toString();

export function TraceRow({ trace, shows, onStar }) {
  const target = href.trace(trace.trace_id);
  const open = (event) => ownClick(event) || navigate(target);
  const progress = trace.state === "running" && trace.steps_total ? (trace.steps ?? 0) / trace.steps_total : null;
  return html`<tr data-trace=${trace.trace_id} onClick=${open}>
    <td class="col-state">
      <${StateBadge} trace=${trace} />
      ${progress !== null && html`<span class="progress" aria-hidden="true"><span style=${`width: ${progress * 100}%`} /></span>`}
    </td>
    <td class="col-images"><${Thumbnails} trace=${trace} /></td>
    <td class="col-name">
      <a class="name clamp-1" href=${target}>${trace.name || "Unnamed"}</a>
      <span class="prompt clamp-1" title=${trace.prompt ?? ""}>${trace.state === "error" && trace.status_message ? html`<span class="error-text">${trace.status_message}</span>` : trace.prompt}</span>
    </td>
    <td class="col-model"><span class="ellipsis" title=${trace.model ?? ""}>${shortModel(trace.model)}</span></td>
    <td class="num col-duration"><${Elapsed} trace=${trace} /></td>
    <td class="num col-steps">${stepsText(trace)}</td>
    ${shows.gpu && html`<td class="num col-gpu">${trace.gpu_peak_bytes === null ? "" : bytes(trace.gpu_peak_bytes)}</td>`}
    ${shows.scores && html`<td class="col-scores"><${ScoreChips} scores=${trace.scores} most=${2} grouped /></td>`}
    <td class="num col-started"><${RelativeTime} unixNano=${trace.start_time_unix_nano} /></td>
    <td class="col-star"><${StarButton} starred=${trace.starred} onClick=${() => onStar(trace)} /></td>
  </tr>`;
}

export function StarButton({ starred, onClick }) {
  const label = starred ? "Remove the star" : "Star";
  return html`<button class=${starred ? "icon-button on" : "icon-button"} type="button" aria-pressed=${starred ? "true" : "false"} aria-label=${label} title=${label} onClick=${onClick}>
    <${Icon} name="star" filled=${starred} />
  </button>`;
}
