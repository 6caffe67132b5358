import { deleteTrace, patchTrace } from "../api.js";
import { absoluteTime, bytes, count, money, plural, shortId } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { href, navigate } from "../lib/router.js";
import { ConfirmDialog } from "./confirm-dialog.js";
import { CopyLine } from "./copy-button.js";
import { Elapsed } from "./elapsed.js";
import { Icon } from "./icon.js";
import { RelativeTime } from "./relative-time.js";
import { StateBadge } from "./state-badge.js";
import { StarButton, stepsText } from "./trace-row.js";
import { TraceNotes } from "./trace-notes.js";

function facts(trace) {
  const rows = [
    ["Duration", html`<${Elapsed} trace=${trace} />`],
    ["Model", trace.model],
    ["Images", trace.image_count ? count(trace.image_count) : null],
    ["Steps", stepsText(trace)],
    ["GPU peak", trace.gpu_peak_bytes === null ? null : bytes(trace.gpu_peak_bytes)],
    ["Cost", trace.cost_usd === null ? null : money(trace.cost_usd)],
    ["Started", html`<span title=${absoluteTime(trace.start_time_unix_nano)}><${RelativeTime} unixNano=${trace.start_time_unix_nano} /></span>`],
    ["Service", trace.service_name],
    ["Session", trace.session_id],
    ["User", trace.user_id],
    ["Trace", html`<${CopyLine} text=${trace.trace_id} shown=${shortId(trace.trace_id)} label="trace id" />`],
  ];
  return rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
}

export function TraceHeader({ trace, detail, change }) {
  const [asking, ask] = useState(false);
  const star = async () => {
    const starred = !trace.starred;
    change({ starred });
    await patchTrace(trace.trace_id, { starred }).catch(() => change({ starred: !starred }));
  };
  return html`<header class="trace-header">
    <a class="back" href=${href.traces()}><${Icon} name="left" small />Traces</a>
    <div class="title">
      <h1>${trace.name || "Unnamed"}</h1>
      <${StateBadge} trace=${trace} />
      <div class="spacer" />
      <${StarButton} starred=${trace.starred} onClick=${star} />
      <button class="icon-button" type="button" aria-label="Delete this trace" title="Delete" onClick=${() => ask(true)}><${Icon} name="trash" /></button>
    </div>
    <${Prompt} text=${trace.prompt} />
    <dl class="trace-facts">${facts(trace).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd title=${typeof value === "string" ? value : undefined}>${value}</dd></div>`)}</dl>
    <${TraceNotes} trace=${trace} change=${change} />
    ${asking && html`<${DeleteDialog} detail=${detail} onClose=${() => ask(false)} />`}
  </header>`;
}

const LONG_PROMPT = 220;

function Prompt({ text }) {
  const [open, setOpen] = useState(false);
  if (!text) return null;
  const long = text.length > LONG_PROMPT;
  return html`<p class="lead"><span class=${long && !open ? "clamp-2" : "whole"}>${text}</span>
    ${long && html`<button class="text-button" type="button" onClick=${() => setOpen(!open)}>${open ? "Show less" : "Show all"}</button>`}
  </p>`;
}

function DeleteDialog({ detail, onClose }) {
  const [state, setState] = useState({ busy: false, error: null });
  const { trace, spans, scores } = detail;
  const remove = async () => {
    setState({ busy: true, error: null });
    try {
      await deleteTrace(trace.trace_id);
      navigate(href.traces());
    } catch (error) {
      setState({ busy: false, error: error.message });
    }
  };
  return html`<${ConfirmDialog} title="Delete this trace?" confirm="Delete trace" busy=${state.busy} error=${state.error} onConfirm=${remove} onClose=${onClose}>
    ${plural(spans.length, "span")}, ${plural(trace.image_count, "image")} and ${plural(scores.length, "score")} will be removed for good. Pictures that another trace also holds stay.
  <//>`;
}
