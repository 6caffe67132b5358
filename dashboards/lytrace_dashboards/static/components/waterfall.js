import { count, plural } from "../lib/format.js";
import { html, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { flip, keysToReveal, visibleRows } from "../lib/rows.js";
import { TimeAxis } from "./time-axis.js";
import { ROW_PX, WaterfallRow } from "./waterfall-row.js";

const SPARE_ROWS = 12;
const MOST_ROWS_SHOWN = 20;
const MOST_OPEN_GENERATIONS = 4;
const KINDS = ["function", "generation", "stage", "step", "other"];

// The spans of a trace over time. Only the rows in view exist in the page, so 50,000 spans scroll like 50.
export function Waterfall({ tree, running, selected, onSelect }) {
  const [toggled, setToggled] = useState(() => {
    const closed = new Set(tree.generations.length > MOST_OPEN_GENERATIONS ? tree.generations.map((node) => node.id) : []);
    return selected ? keysToReveal(selected, closed) : closed;
  });
  const [range, setRange] = useState(null);
  const rows = useMemo(() => visibleRows(tree, toggled), [tree, toggled]);
  const view = range ?? { from: 0, to: tree.totalNs };
  const box = useRef(null);
  const [scrolled, setScrolled] = useState(0);
  const height = Math.min(rows.length, MOST_ROWS_SHOWN) * ROW_PX;
  const first = Math.max(0, Math.floor(scrolled / ROW_PX) - SPARE_ROWS);
  const shown = rows.slice(first, first + Math.ceil(height / ROW_PX) + 2 * SPARE_ROWS);
  const place = rows.findIndex((row) => row.node && row.node === selected);
  const sought = useRef(null);
  useEffect(() => {
    sought.current = selected?.id;
    if (selected && place < 0) setToggled((old) => keysToReveal(selected, old));
  }, [selected?.id, place < 0]);
  useEffect(() => {
    // After every render until the row is in view: rows that come with the next page may move it, or not be laid out yet.
    if (place >= 0 && sought.current === selected.id && scrollIntoBox(box.current, place)) sought.current = null;
  });

  const toggle = (key) => setToggled((old) => flip(new Set(old), key));
  const press = (event) => {
    const next = keyAction(event.key, rows, place);
    if (!next) return;
    event.preventDefault();
    if (next.toggle) toggle(next.toggle);
    if (next.select) onSelect(next.select);
  };
  const errors = tree.nodes.filter((node) => node.span.status.code === "ERROR").length;
  return html`<section class="panel waterfall" aria-label="Timeline">
    <header>
      <h2>Timeline</h2>
      <span class="faint">${plural(tree.nodes.length, "span")}${errors > 0 && html` · <span class="error-text">${plural(errors, "error")}</span>`}</span>
      <div class="spacer" />
      <${Legend} nodes=${tree.nodes} />
      ${range && html`<button class="button small" type="button" onClick=${() => setRange(null)}>Show the whole trace</button>`}
    </header>
    <${TimeAxis} view=${view} totalNs=${tree.totalNs} onRange=${setRange} />
    <div class="waterfall-rows" role="tree" aria-label=${`${count(rows.length)} rows`} tabindex="0" ref=${box} style=${`height: ${height}px`} aria-activedescendant=${place >= 0 ? `row-${selected.id}` : undefined} onKeyDown=${press} onScroll=${(event) => setScrolled(event.currentTarget.scrollTop)}>
      <div style=${`height: ${rows.length * ROW_PX}px`}>
        <div style=${`transform: translateY(${first * ROW_PX}px)`}>
          ${shown.map((row) => html`<${WaterfallRow} key=${row.key} row=${row} view=${view} running=${running} selected=${row.node === selected && Boolean(selected)} onToggle=${toggle} onSelect=${onSelect} onZoom=${setRange} />`)}
        </div>
      </div>
    </div>
  </section>`;
}

function Legend({ nodes }) {
  const kinds = useMemo(() => new Set(nodes.map((node) => node.kind)), [nodes]);
  return html`<ul class="legend" aria-label="Colours">
    ${KINDS.filter((kind) => kinds.has(kind)).map((kind) => html`<li key=${kind}><span class=${`dot ${kind}`} />${kind}</li>`)}
  </ul>`;
}

// Whether the row is in view now.
function scrollIntoBox(box, place) {
  const top = place * ROW_PX;
  const isAbove = () => top < box.scrollTop - 1;
  const isBelow = () => top + ROW_PX > box.scrollTop + box.clientHeight + 1;
  if (isAbove()) box.scrollTop = top;
  else if (isBelow()) box.scrollTop = top + ROW_PX - box.clientHeight;
  return !isAbove() && !isBelow();
}

// What a key does on the row at `place`: {select: span id} or {toggle: row key}.
function keyAction(key, rows, place) {
  const nearest = (offset) => {
    for (let next = place + offset; rows[next]; next += offset) if (rows[next].node) return { select: rows[next].node.id };
    return null;
  };
  const row = rows[place];
  if (key === "ArrowDown") return nearest(1);
  if (key === "ArrowUp") return nearest(-1);
  if (key === "ArrowRight" && row?.expandable && !row.expanded) return { toggle: row.key };
  if (key === "ArrowRight" && rows[place + 1]?.steps && !rows[place + 1].expanded) return { toggle: rows[place + 1].key };
  if (key === "ArrowLeft" && row?.expanded) return { toggle: row.key };
  if (key === "ArrowLeft" && row?.node.parent) return { select: row.node.parent.id };
  return null;
}
