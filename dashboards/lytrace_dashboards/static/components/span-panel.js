import { duration, shortId } from "../lib/format.js";
import { html } from "../lib/html.js";
import { CLOCK, DIFFUSION_DEVICE, GEN_AI_INPUT_MESSAGES, GEN_AI_OUTPUT_MESSAGES, INPUT, OUTPUT } from "../lib/semconv.js";
import { AttributeGroups } from "./attribute-groups.js";
import { CopyLine } from "./copy-button.js";
import { Content } from "./content.js";
import { Fold } from "./fold.js";
import { Notice } from "./notice.js";
import { Rows } from "./rows.js";
import { SpanEvents } from "./span-events.js";
import { SpanImages } from "./span-images.js";
import { AttributeRows } from "./attribute-rows.js";

const KIND_NAMES = { function: "Function", generation: "Generation", stage: "Stage", step: "Step", other: "Span" };
const CONTENT = [
  ["Input", INPUT],
  ["Output", OUTPUT],
  ["Input messages", GEN_AI_INPUT_MESSAGES],
  ["Output messages", GEN_AI_OUTPUT_MESSAGES],
];

function clockText(span) {
  const clock = span.attributes[CLOCK];
  if (clock === "device") return "device: measured by events on the accelerator";
  return clock === "host" ? "host: the Python side; queued device work may end later" : null;
}

function onAccelerator(tree, node) {
  for (let one = node; one; one = one.parent) {
    const device = one.span.attributes[DIFFUSION_DEVICE];
    if (device) return !String(device).startsWith("cpu");
  }
  return false;
}

function facts(node, tree) {
  const { span } = node;
  const clock = clockText(span);
  return [
    ["Status", span.pending ? "no end recorded yet" : span.status.code === "UNSET" ? "unset" : span.status.code],
    ["Duration", span.pending ? null : duration(span.duration_ns)],
    ["Starts", node.startNs ? `${duration(node.startNs)} after the trace` : "with the trace"],
    ["Clock", clock && (span.attributes[CLOCK] === "device" || onAccelerator(tree, node) ? clock : "host")],
    ["Kind", span.kind === "INTERNAL" ? null : span.kind.toLowerCase()],
    ["Span", html`<${CopyLine} text=${span.span_id} label="span id" />`],
    ["Cut", cutText(span)],
  ];
}

function cutText(span) {
  const cuts = [[span.dropped_attributes_count, "attributes"], [span.dropped_events_count, "events"], [span.dropped_links_count, "links"]];
  return cuts.filter(([amount]) => amount > 0).map(([amount, what]) => `${amount} ${what}`).join(", ");
}

// Everything one span says.
export function SpanPanel({ node, tree, artifacts, onSelect }) {
  const { span } = node;
  const shownApart = new Set(CONTENT.map(([, name]) => name));
  return html`<div class="stack">
    <header class="span-head">
      <span class=${`dot ${node.kind}`} /><h3>${span.name || "unnamed"}</h3><span class="kind">${KIND_NAMES[node.kind]}</span>
    </header>
    ${span.status.code === "ERROR" && span.status.message && html`<${Notice} tone="error"><span class="whole">${span.status.message}</span><//>`}
    <section><${Rows} rows=${facts(node, tree)} /></section>
    <${SpanImages} artifacts=${artifacts.filter((artifact) => artifact.span_id === node.id)} />
    <${SpanEvents} events=${span.events} tree=${tree} />
    ${CONTENT.map(([title, name]) => span.attributes[name] !== undefined && html`<${Content} key=${name} title=${title} text=${span.attributes[name]} />`)}
    <${AttributeGroups} attributes=${span.attributes} without=${shownApart} />
    <${Links} links=${span.links} tree=${tree} onSelect=${onSelect} />
    <${Fold} title="Environment" tally=${Object.keys(span.resource).length}><${AttributeRows} attributes=${span.resource} /><//>
    ${span.scope.name && html`<${Fold} title="Instrumentation scope"><${Rows} rows=${[["Name", span.scope.name], ["Version", span.scope.version]]} /><//>`}
  </div>`;
}

function Links({ links, tree, onSelect }) {
  if (!links.length) return null;
  return html`<${Fold} title="Links" tally=${links.length} open>
    <ul class="links">
      ${links.map((link, place) => {
        const target = tree.byId.get(link.span_id);
        return html`<li key=${place}>
          ${target ? html`<button class="text-button" type="button" onClick=${() => onSelect(target.id)}>${target.span.name}</button>` : html`<span>trace <${CopyLine} text=${link.trace_id} shown=${shortId(link.trace_id)} label="linked trace id" /></span>`}
          <${AttributeRows} attributes=${link.attributes} />
        </li>`;
      })}
    </ul>
  <//>`;
}
