import { tickDuration } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { useSize } from "../lib/hooks.js";
import { ticks } from "../lib/ticks.js";

const TICK_PX = 110;
const CLICK_PX = 4;

// The time axis above the bars. Dragging over it zooms into that stretch.
export function TimeAxis({ view, totalNs, onRange }) {
  const [box, { width }] = useSize();
  const [drag, setDrag] = useState(null);
  const length = view.to - view.from;
  const marks = ticks(view.from, view.to, Math.max(2, width / TICK_PX));
  const left = (ns) => ((ns - view.from) / length) * 100;
  const positionOf = (event) => {
    const edge = box.current.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - edge.left) / edge.width));
  };
  const begin = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag({ from: positionOf(event), to: positionOf(event) });
  };
  const end = () => {
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    setDrag(null);
    if ((to - from) * width < CLICK_PX) return;
    onRange({ from: view.from + from * length, to: Math.min(totalNs, view.from + to * length) });
  };
  return html`<div class="axis">
    <div class="axis-name">Span</div>
    <div class="axis-track" ref=${box} title="Drag to zoom in" onPointerDown=${begin} onPointerMove=${(event) => drag && setDrag({ ...drag, to: positionOf(event) })} onPointerUp=${() => drag && end()}>
      ${marks.map((ns) => html`<span key=${ns} class=${left(ns) > 92 ? "tick last" : "tick"} style=${`left: ${left(ns)}%`}>${tickDuration(ns)}</span>`)}
      ${drag && html`<span class="brush" style=${`left: ${Math.min(drag.from, drag.to) * 100}%; width: ${Math.abs(drag.to - drag.from) * 100}%`} />`}
    </div>
    <div class="axis-length">Duration</div>
  </div>`;
}
