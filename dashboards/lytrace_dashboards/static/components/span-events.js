import { duration } from "../lib/format.js";
import { html } from "../lib/html.js";
import { AttributeRows } from "./attribute-rows.js";
import { CopyIcon } from "./copy-button.js";
import { Fold } from "./fold.js";

const EXCEPTION = "exception";
const TYPE = "exception.type";
const MESSAGE = "exception.message";
const STACK = "exception.stacktrace";

// Exceptions first and open, with their stack trace; other events below.
export function SpanEvents({ events, tree }) {
  if (!events.length) return null;
  const failures = events.filter((event) => event.name === EXCEPTION);
  const others = events.filter((event) => event.name !== EXCEPTION);
  return html`
    ${failures.map((event, place) => html`<${Exception} key=${place} event=${event} />`)}
    ${others.length > 0 && html`<${Fold} title="Events" tally=${others.length} open>
      <ul class="events">${others.map((event, place) => html`<li key=${place}><p><b>${event.name}</b> <span class="faint">${after(event, tree)}</span></p><${AttributeRows} attributes=${event.attributes} /></li>`)}</ul>
    <//>`}
  `;
}

function after(event, tree) {
  return `${duration(Math.max(0, Number(BigInt(event.time_unix_nano) - tree.base)))} after the start`;
}

function Exception({ event }) {
  const { [TYPE]: type, [MESSAGE]: message, [STACK]: stack, ...rest } = event.attributes;
  return html`<section class="exception">
    <header><h4>${String(type ?? "Exception")}</h4>${stack && html`<${CopyIcon} text=${String(stack)} label="stack trace" />`}</header>
    ${message && html`<p>${String(message)}</p>`}
    ${stack && html`<pre tabindex="0" aria-label="Stack trace">${String(stack)}</pre>`}
    ${Object.keys(rest).length > 0 && html`<${AttributeRows} attributes=${rest} />`}
  </section>`;
}
