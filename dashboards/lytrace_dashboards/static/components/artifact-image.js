import { artifactBlobUrl, artifactUrl, hasToken } from "../api.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { Icon } from "./icon.js";

const SMALL_PX = 160;

const isSmall = (artifact) => (artifact.width ?? Infinity) <= SMALL_PX && (artifact.height ?? Infinity) <= SMALL_PX;

const isPicture = (artifact) => !artifact.mime_type || artifact.mime_type.startsWith("image/");

// The picture of an artifact, or a calm placeholder while its bytes are not there. `size` asks for a thumbnail.
export function ArtifactImage({ artifact, size, alt, className = "" }) {
  const [failed, setFailed] = useState(false);
  useEffect(() => setFailed(false), [artifact.artifact_id, artifact.stored, size]);
  const shown = artifact.stored && isPicture(artifact) && !failed;
  const [place, source] = useSource(shown ? artifact.artifact_id : null, size);
  if (!shown || source === "") return html`<${Placeholder} reason=${reasonOf(artifact)} />`;
  const classes = `${className} ${isSmall(artifact) ? "pixelated" : ""}`;
  return html`<img ref=${place} class=${classes} src=${source ?? undefined} alt=${alt} width=${artifact.width ?? undefined} height=${artifact.height ?? undefined} loading="lazy" decoding="async" draggable=${false} onError=${() => setFailed(true)} />`;
}

// [ref, URL]: at once without a token; with one, fetched when the element comes near the view. "" where there is none.
function useSource(artifactId, size) {
  const place = useRef(null);
  const direct = artifactId && !hasToken() ? (artifactUrl(artifactId, size) ?? "") : null;
  const [blob, setBlob] = useState(null);
  useEffect(() => {
    setBlob(null);
    if (!artifactId || direct !== null || !place.current) return undefined;
    let live = true;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (!entry.isIntersecting) return;
        observer.disconnect();
        artifactBlobUrl(artifactId, size).then((url) => live && setBlob(url), () => live && setBlob(""));
      },
      { rootMargin: "400px" },
    );
    observer.observe(place.current);
    return () => {
      live = false;
      observer.disconnect();
    };
  }, [artifactId, size, direct]);
  return [place, direct ?? blob];
}

function reasonOf(artifact) {
  if (!artifact.stored) return "Not received yet";
  return isPicture(artifact) ? "Not available" : artifact.mime_type;
}

function Placeholder({ reason }) {
  return html`<span class="placeholder"><${Icon} name="image" /><span>${reason}</span></span>`;
}
