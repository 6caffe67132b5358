import { artifactUrl } from "../api.js";
import { html, useEffect, useState } from "../lib/html.js";
import { Icon } from "./icon.js";

const SMALL_PX = 160;

const isSmall = (artifact) => (artifact.width ?? Infinity) <= SMALL_PX && (artifact.height ?? Infinity) <= SMALL_PX;

const isPicture = (artifact) => !artifact.mime_type || artifact.mime_type.startsWith("image/");

// The picture of an artifact, or a calm placeholder while its bytes are not there. `size` asks for a thumbnail.
export function ArtifactImage({ artifact, size, alt, className = "" }) {
  const [failed, setFailed] = useState(false);
  useEffect(() => setFailed(false), [artifact.artifact_id, artifact.stored, size]);
  useEffect(() => {
    const retry = () => setFailed(false);
    addEventListener("lytrace:retry", retry);
    return () => removeEventListener("lytrace:retry", retry);
  }, []);
  const shown = artifact.stored && isPicture(artifact) && !failed;
  const source = shown ? artifactUrl(artifact.artifact_id, size) : null;
  if (!source) return html`<${Placeholder} reason=${reasonOf(artifact)} />`;
  const classes = `${className} ${isSmall(artifact) ? "pixelated" : ""}`;
  return html`<img class=${classes} src=${source} alt=${alt} width=${artifact.width ?? undefined} height=${artifact.height ?? undefined} loading="lazy" decoding="async" draggable=${false} onError=${() => setFailed(true)} />`;
}

function reasonOf(artifact) {
  if (!artifact.stored) return "Not received yet";
  return isPicture(artifact) ? "Not available" : artifact.mime_type;
}

function Placeholder({ reason }) {
  return html`<span class="placeholder"><${Icon} name="image" /><span>${reason}</span></span>`;
}
