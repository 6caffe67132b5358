import { absoluteTime, bytes, duration, number, shortHash } from "../lib/format.js";
import { html } from "../lib/html.js";
import { href } from "../lib/router.js";
import { CopyLine } from "./copy-button.js";
import { Icon } from "./icon.js";
import { Prose } from "./prose.js";
import { RelativeTime } from "./relative-time.js";
import { Rows } from "./rows.js";
import { ScoreChips } from "./score-chips.js";
import { readUniform } from "./uniform-badge.js";

// Everything known about one image, beside it in the lightbox.
export function ImageFacts({ image, linkTrace, onShowSpan }) {
  const made = [
    ["Model", image.model],
    ["Seed", image.seed === null || image.seed === undefined ? null : html`<${CopyLine} text=${String(image.seed)} label="seed" />`],
    ["Scheduler", image.scheduler],
    ["Steps", image.steps],
    ["Duration", image.duration_ns ? duration(image.duration_ns) : null],
    ["Started", image.start_time_unix_nano && html`<span title=${absoluteTime(image.start_time_unix_nano)}><${RelativeTime} unixNano=${image.start_time_unix_nano} /></span>`],
  ];
  const stored = [
    ["Role", image.role === "output" ? null : image.role],
    ["Taken", image.step === undefined ? null : `after step ${image.step}${image.shows ? `, of image ${image.shows}` : ""}`],
    ["Colour", image.uniform_color && readUniform(image)[1]],
    ["Size", image.width && `${number(image.width)} × ${number(image.height)}${image.size_bytes ? `, ${bytes(image.size_bytes)}` : ""}`],
    ["Format", image.mime_type],
    ["File", html`<${CopyLine} text=${image.artifact_id} shown=${shortHash(image.artifact_id)} label="file hash" />`],
    ["Pixels", image.pixel_hash && html`<${CopyLine} text=${image.pixel_hash} shown=${shortHash(image.pixel_hash)} label="pixel hash" />`],
    ["Perceptual", image.phash && html`<${CopyLine} text=${image.phash} shown=${shortHash(image.phash)} label="perceptual hash" />`],
  ];
  return html`<aside class="facts-panel">
    <${Prose} title="Prompt" text=${image.prompt} />
    <${Prose} title="Negative prompt" text=${image.negative_prompt} />
    ${image.scores?.length > 0 && html`<section><h3>Scores</h3><${ScoreChips} scores=${image.scores} most=${24} /></section>`}
    <section><h3>Made with</h3><${Rows} rows=${made} /></section>
    <section><h3>Image</h3><${Rows} rows=${stored} /></section>
    <a class="button trace-link" href=${href.similar({ artifact_id: image.artifact_id })}>
      <span class="ellipsis">Find similar images</span><${Icon} name="like" small />
    </a>
    ${linkTrace && html`<a class="button trace-link" href=${href.trace(image.trace_id, { span: image.span_id })}>
      <span class="ellipsis">Open trace${image.trace_name ? ` ${image.trace_name}` : ""}</span><${Icon} name="right" small />
    </a>`}
    ${onShowSpan && image.node && html`<button class="button trace-link" type="button" onClick=${() => onShowSpan(image.span_id)}>
      <span class="ellipsis">Show span ${image.node.span.name}</span><${Icon} name="right" small />
    </button>`}
  </aside>`;
}
