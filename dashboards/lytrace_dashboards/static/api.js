// The one module that talks to the collector. Everything else asks these functions.
const ROOT = new URL("api/v1/", document.baseURI);
const TOKEN_KEY = "lytrace.token";
const ARTIFACT_ID = /^sha256:[0-9a-f]{64}$/;
const PROXY_FAILURES = [502, 503, 504];

class ApiError extends Error {
  constructor(message, { status = 0, code = "unreachable" } = {}) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// --- connection: "ok", "unreachable" or "unauthorized", for the banner and the token prompt ---
const listeners = new Set();
let connection = "ok";

export function onConnection(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const currentConnection = () => connection;

function setConnection(state) {
  if (state === connection) return;
  connection = state;
  for (const listener of listeners) listener(state);
}

// --- token: kept for this browser tab only ---
export const hasToken = () => Boolean(sessionStorage.getItem(TOKEN_KEY));

export function setToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
  setConnection("ok");
  dispatchEvent(new Event("lytrace:retry"));
}

function headers(extra = {}) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  return token ? { ...extra, Authorization: `Bearer ${token}` } : extra;
}

// --- requests ---
async function send(path, { method = "GET", params = {}, body, signal } = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(params)) if (value) url.searchParams.set(name, value);
  const options = { method, signal, headers: headers(body === undefined ? {} : { "Content-Type": "application/json" }) };
  if (body !== undefined) options.body = JSON.stringify(body);
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    setConnection("unreachable");
    throw new ApiError("The collector cannot be reached.");
  }
  if (response.ok) setConnection("ok");
  else await refuse(response);
  return response;
}

async function refuse(response) {
  const answer = await response.json().catch(() => null);
  const message = answer?.error?.message ?? `The collector answered ${response.status}.`;
  const error = new ApiError(message, { status: response.status, code: answer?.error?.code ?? "http_error" });
  if (response.status === 401) setConnection("unauthorized");
  else setConnection(PROXY_FAILURES.includes(response.status) ? "unreachable" : "ok");
  throw error;
}

async function json(path, options) {
  const response = await send(path, options);
  return response.status === 204 ? null : response.json();
}

export const getStats = (signal) => json("stats", { signal });
export const listImages = (params, signal) => json("images", { params, signal });
export const listTraces = (params, signal) => json("traces", { params, signal });
export const getTrace = (traceId, signal) => json(`traces/${traceId}`, { signal });
export const getSpans = (traceId, params, signal) => json(`traces/${traceId}/spans`, { params, signal });
export const patchTrace = (traceId, patch) => json(`traces/${traceId}`, { method: "PATCH", body: patch });
export const deleteTrace = (traceId) => json(`traces/${traceId}`, { method: "DELETE" });
export const listScores = (params, signal) => json("scores", { params, signal });
export const addScores = (scores) => json("scores", { method: "POST", body: scores });
export const deleteScore = (scoreId) => json(`scores/${encodeURIComponent(scoreId)}`, { method: "DELETE" });

// --- pictures ---
// null for anything that is not a content address: an id is data and never becomes a URL as it stands.
export function artifactUrl(artifactId, size) {
  if (!ARTIFACT_ID.test(artifactId ?? "")) return null;
  const path = size ? `artifacts/${artifactId}/thumbnail?size=${size}` : `artifacts/${artifactId}`;
  return new URL(path.replace("sha256:", "sha256%3A"), ROOT).href;
}

// With a token an <img> cannot ask for itself: the bytes are fetched and shown from a blob. The last ones are kept.
const KEPT_BLOBS = 400;
const blobUrls = new Map();

export function artifactBlobUrl(artifactId, size) {
  const url = artifactUrl(artifactId, size);
  if (!url) return Promise.reject(new ApiError("Not an artifact.", { code: "not_an_artifact" }));
  if (!blobUrls.has(url)) {
    const path = url.slice(ROOT.href.length);
    const loading = send(path).then((response) => response.blob()).then((blob) => URL.createObjectURL(blob));
    loading.catch(() => blobUrls.delete(url));
    blobUrls.set(url, loading);
    if (blobUrls.size > KEPT_BLOBS) forgetOldestBlob();
  }
  return blobUrls.get(url);
}

function forgetOldestBlob() {
  const [oldest, loading] = blobUrls.entries().next().value;
  blobUrls.delete(oldest);
  loading.then((blobUrl) => URL.revokeObjectURL(blobUrl), () => {});
}
