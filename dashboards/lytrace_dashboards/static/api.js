// The one module that talks to the collector. Everything else asks these functions.
const ROOT = new URL("api/v1/", document.baseURI);
const SIGNED_IN_KEY = "lytrace.signed-in";
const ARTIFACT_ID = /^sha256:[0-9a-f]{64}$/;
const PROXY_FAILURES = [502, 503, 504];

class ApiError extends Error {
  constructor(message, { status = 0, code = "unreachable", details = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
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

// --- session: the token is sent once, for a cookie that no script can read; what is kept here is only that there is one ---
export const isSignedIn = () => localStorage.getItem(SIGNED_IN_KEY) !== null;

export async function signIn(token) {
  await json("login", { method: "POST", body: { token } });
  localStorage.setItem(SIGNED_IN_KEY, "yes");
  dispatchEvent(new Event("lytrace:retry"));
}

export async function signOut() {
  try {
    await json("logout", { method: "POST" });
  } catch {
    return; // still signed in; the banner says why
  }
  localStorage.removeItem(SIGNED_IN_KEY);
  location.reload();
}

// --- requests ---
async function send(path, { method = "GET", params = {}, body, file, signal } = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(params)) if (value) url.searchParams.set(name, value);
  const options = { method, signal, headers: body === undefined ? {} : { "Content-Type": "application/json" } };
  if (body !== undefined) options.body = JSON.stringify(body);
  if (file !== undefined) Object.assign(options, { body: file, headers: { "Content-Type": "application/octet-stream" } });
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
  const { code = "http_error", details = null } = answer?.error ?? {};
  const error = new ApiError(message, { status: response.status, code, details });
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
export const findImages = (params, signal) => json("find-image", { params, signal });
export const readHashes = (file) => json("find-image", { method: "POST", file, params: { limit: 1 } });
export const listTraces = (params, signal) => json("traces", { params, signal });
export const getTrace = (traceId, signal) => json(`traces/${traceId}`, { signal });
export const getSpans = (traceId, params, signal) => json(`traces/${traceId}/spans`, { params, signal });
export const patchTrace = (traceId, patch) => json(`traces/${traceId}`, { method: "PATCH", body: patch });
export const deleteTrace = (traceId) => json(`traces/${traceId}`, { method: "DELETE" });
export const completeQuery = (params, signal) => json("complete", { params, signal });
export const openLive = (lastId, signal) => send("live", { signal, extra: lastId ? { "Last-Event-ID": lastId } : {} });
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
