// Hash routing: `#/images?q=cat`, `#/similar?phash=…`, `#/traces`, `#/traces/<trace id>?span=<span id>`.
import { useEffect, useState } from "./html.js";

const TRACE_ID = /^[0-9a-f]{32}$/;

function parseRoute(hash) {
  const [path, search = ""] = hash.replace(/^#/, "").split("?");
  const query = new URLSearchParams(search);
  const [page = "", id = ""] = path.split("/").filter(Boolean);
  if (page === "" || (page === "images" && !id)) return { page: "images", query };
  if (page === "similar" && !id) return { page: "similar", query };
  if (page === "traces" && !id) return { page: "traces", query };
  if (page === "traces" && TRACE_ID.test(id)) return { page: "trace", traceId: id, query };
  return { page: "unknown", query };
}

function build(path, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value));
  return query.size ? `#${path}?${query}` : `#${path}`;
}

export const href = {
  images: (params) => build("/images", params),
  similar: (params) => build("/similar", params),
  traces: (params) => build("/traces", params),
  trace: (traceId, params) => build(`/traces/${encodeURIComponent(traceId)}`, params),
};

// `replace` keeps one history entry for what is typed into a search box.
export function navigate(hash, { replace = false } = {}) {
  if (hash === location.hash) return;
  if (!replace) {
    location.hash = hash;
    return;
  }
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const follow = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}
