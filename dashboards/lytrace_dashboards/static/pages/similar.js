import { findImages } from "../api.js";
import { ArtifactImage } from "../components/artifact-image.js";
import { FeedError } from "../components/feed-error.js";
import { GridSkeleton, ImageGrid } from "../components/image-grid.js";
import { Lightbox } from "../components/lightbox.js";
import { Notice } from "../components/notice.js";
import { PictureDrop, PicturePicker } from "../components/picture-drop.js";
import { Segmented } from "../components/segmented.js";
import { pictureOf } from "../lib/asked-picture.js";
import { plural } from "../lib/format.js";
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { useStored, useTitle } from "../lib/hooks.js";

const MOST = 200;
const NEARNESS = [
  { value: "0", name: "Same" },
  { value: "10", name: "Alike" },
  { value: "18", name: "Loosely" },
];
const SAME = { bytes: "The same file", pixels: "The same pixels" };

const likeness = ({ kind, distance }) => SAME[kind] ?? (distance === 0 ? "Looks the same" : `${plural(distance, "bit")} apart`);
const roleOf = ({ role }) => (role === "output" ? "" : ` · ${role}`);
const withLikeness = (match) => ({ ...match.image, likeness: likeness(match) + roleOf(match.image) });

function useMatches(question) {
  const [state, setState] = useState({ asked: null, answer: null, error: null });
  const asked = JSON.stringify(question);
  useEffect(() => {
    const controller = new AbortController();
    findImages({ ...question, limit: MOST }, controller.signal).then(
      (answer) => setState({ asked, answer, error: null }),
      (error) => error.name !== "AbortError" && setState({ asked, answer: null, error }),
    );
    return () => controller.abort();
  }, [asked]);
  return state.asked === asked ? state : { asked: null, answer: null, error: null };
}

// Where a picture, and those that look like it, were put out or taken in. The address holds its hashes.
export function SimilarPage({ route }) {
  const [near, setNear] = useStored("lytrace.similar.near", "10");
  const [open, setOpen] = useState(null);
  const hashes = Object.fromEntries(["artifact_id", "pixel_hash", "phash"].map((name) => [name, route.query.get(name)]));
  const { answer, error } = useMatches({ ...hashes, near });
  useTitle("Similar images");
  const images = answer?.matches.map(withLikeness) ?? [];
  return html`
    <${PictureDrop} />
    <header class="asked">
      <${Asked} artifactId=${hashes.artifact_id} images=${images} />
      <div>
        <h1>Images like this one</h1>
        <p role="status">${answer ? summary(answer.matches) : "Looking"}</p>
      </div>
      <div class="spacer" />
      <${PicturePicker} />
      <${Segmented} label="How alike" options=${NEARNESS} value=${near} onChange=${setNear} />
    </header>
    <${FeedError} error=${error} />
    ${answer?.cut && html`<${Notice}>${answer.cut}<//>`}
    ${!answer && !error && html`<${GridSkeleton} size="medium" />`}
    ${images.length > 0 && html`<${ImageGrid} images=${images} size="medium" onOpen=${setOpen} />`}
    ${open !== null && html`<${Lightbox} images=${images} current=${open} onSelect=${setOpen} onClose=${() => setOpen(null)} />`}
  `;
}

// The picture itself: the dropped file, else what is stored of it.
function Asked({ artifactId, images }) {
  const dropped = pictureOf(artifactId);
  const stored = images.find((image) => image.artifact_id === artifactId);
  if (!dropped && !stored) return null;
  return html`<span class="thumb">
    ${dropped ? html`<${Drawn} bitmap=${dropped} />` : html`<${ArtifactImage} artifact=${stored} size=${128} alt="The image that is looked for" />`}
  </span>`;
}

// Pixels on a canvas: pictures from elsewhere are never loaded as a document.
function Drawn({ bitmap }) {
  const canvas = useRef(null);
  useEffect(() => canvas.current.getContext("2d").drawImage(bitmap, 0, 0), [bitmap]);
  return html`<canvas ref=${canvas} width=${bitmap.width} height=${bitmap.height} role="img" aria-label="The image that is looked for" />`;
}

function summary(matches) {
  if (!matches.length) return "Nothing here looks like it.";
  const same = matches.filter(({ kind }) => kind !== "near").length;
  const parts = [same && `${plural(same, "place")} with this very picture`, matches.length > same && `${plural(matches.length - same, "image")} that look${matches.length - same === 1 ? "s" : ""} like it`];
  return `${parts.filter(Boolean).join(", ")}.`;
}
