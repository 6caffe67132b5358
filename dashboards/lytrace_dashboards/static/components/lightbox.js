import { artifactUrl } from "../api.js";
import { html, useEffect, useState } from "../lib/html.js";
import { useSize } from "../lib/hooks.js";
import { ArtifactImage } from "./artifact-image.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";
import { imageKey } from "./image-card.js";
import { ImageFacts } from "./image-facts.js";

const NEAR_END = 4;
const isTyping = (target) => target.closest("input, textarea, select");

// One image large, with what made it. Arrow keys walk through `images`; Esc closes.
export function Lightbox({ images, current, onSelect, onClose, onNearEnd, onShowSpan, linkTrace = true }) {
  const place = images.findIndex((image) => imageKey(image) === current);
  const image = images[place];
  useEffect(() => {
    if (!image) onClose();
    else if (place >= images.length - NEAR_END) onNearEnd?.();
  }, [place, images.length]);
  if (!image) return null;
  const go = (offset) => images[place + offset] && onSelect(imageKey(images[place + offset]));
  const showSpan = (spanId) => {
    onClose();
    onShowSpan(spanId);
  };
  const press = (event) => {
    const offset = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!offset || isTyping(event.target)) return;
    event.preventDefault();
    go(offset);
  };
  return html`<${Dialog} label="Image" className="lightbox" onClose=${onClose} onKeyDown=${press}>
    <div class="stage">
      <header>
        <span class="counter">${place + 1} of ${images.length}</span>
        <div class="spacer" />
        ${image.stored && html`<a class="icon-button" href=${artifactUrl(image.artifact_id)} download aria-label="Download the image" title="Download"><${Icon} name="download" /></a>`}
        <button class="icon-button" type="button" aria-label="Close" title="Close (Esc)" onClick=${onClose}><${Icon} name="close" /></button>
      </header>
      <${Picture} key=${current} image=${image} />
      <button class="turn left" type="button" aria-label="Previous image" disabled=${place === 0} onClick=${() => go(-1)}><${Icon} name="left" /></button>
      <button class="turn right" type="button" aria-label="Next image" disabled=${place === images.length - 1} onClick=${() => go(1)}><${Icon} name="right" /></button>
    </div>
    <${ImageFacts} image=${image} linkTrace=${linkTrace} onShowSpan=${onShowSpan && showSpan} />
  <//>`;
}

// Small pictures grow by whole factors, so that every pixel stays a square; large ones shrink to fit.
function scaleToFit(image, box) {
  if (!image.width || !image.height || !box.width) return 1;
  const scale = Math.min(box.width / image.width, box.height / image.height);
  return scale > 1 ? Math.max(1, Math.min(Math.floor(scale), 10)) : scale;
}

function Picture({ image }) {
  const [actual, setActual] = useState(false);
  const [box, size] = useSize();
  const scale = actual ? 1 : scaleToFit(image, size);
  const style = image.width ? `width: ${image.width * scale}px; height: ${image.height * scale}px` : "";
  const label = image.width ? `${image.width} × ${image.height}${scale === 1 ? "" : ` at ${scale > 1 ? `${scale}×` : `${Math.round(scale * 100)} %`}`}` : "";
  return html`<div class=${actual ? "picture actual" : "picture"} ref=${box}>
      <div class="frame" style=${style} onDblClick=${() => setActual(!actual)}>
        <${ArtifactImage} artifact=${image} alt=${image.prompt || "Generated image"} className=${scale > 1 ? "pixelated" : ""} />
      </div>
    </div>
    <footer>
      <span>${label}</span>
      ${image.width && html`<button class="text-button" type="button" onClick=${() => setActual(!actual)}>${actual ? "Fit" : "Actual size"}</button>`}
    </footer>`;
}
