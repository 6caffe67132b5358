// Numbers, sizes and times as text. Every function takes data of unknown quality and never throws.
const COUNT = new Intl.NumberFormat("en-US");
const NONE = "–";

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export function count(value) {
  return isNumber(value) ? COUNT.format(value) : NONE;
}

export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

// Three significant digits, the unit that keeps the number between 1 and 1000.
export function duration(ns) {
  if (!isNumber(ns) || ns < 0) return NONE;
  if (ns === 0) return "0 ms";
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 1e6) return `${digits(ns / 1e3)} µs`;
  if (ns < 999.5e6) return `${digits(ns / 1e6)} ms`;
  if (ns < 59.95e9) return `${digits(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h ${pad(Math.floor((seconds % 3600) / 60))}m`;
}

const pad = (value) => String(value).padStart(2, "0");

function digits(value) {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

// For axes, where ".00" of a round number only takes room.
export const tickDuration = (ns) => (ns === 0 ? "0" : duration(ns).replace(/\.0+ /, " ").replace(/(\.\d*?)0+ /, "$1 "));

export function bytes(value) {
  if (!isNumber(value)) return NONE;
  const sign = value < 0 ? "−" : "";
  let size = Math.abs(value);
  if (size < 1024) return `${sign}${size} B`;
  let unit = "";
  for (unit of ["KiB", "MiB", "GiB", "TiB"]) {
    size /= 1024;
    if (size < 1023.5) break;
  }
  return `${sign}${digits(size)} ${unit}`;
}

export function number(value) {
  if (!isNumber(value)) return NONE;
  if (Number.isInteger(value)) return Math.abs(value) >= 1e15 ? String(value) : COUNT.format(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

export function percent(share) {
  if (!isNumber(share)) return NONE;
  if (share > 0 && share < 0.001) return "<0.1 %";
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

export function money(usd) {
  if (!isNumber(usd)) return NONE;
  return `$${usd < 0.1 ? usd.toFixed(4) : usd.toFixed(2)}`;
}

// A score's value: two decimals unless it is whole, so that a column of them lines up.
export function scoreValue(value) {
  if (!isNumber(value)) return "";
  return Number.isInteger(value) ? COUNT.format(value) : Math.abs(value) < 0.01 ? number(value) : value.toFixed(2);
}

export function dateOf(unixNano) {
  try {
    return new Date(Number(BigInt(unixNano) / 1000000n));
  } catch {
    return null;
  }
}

export function relativeTime(unixNano, now = Date.now()) {
  const date = dateOf(unixNano);
  if (!date) return NONE;
  const seconds = Math.round((now - date.getTime()) / 1000);
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h ago`;
  if (seconds < 7 * 86400) return `${Math.floor(seconds / 86400)}d ago`;
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

export function absoluteTime(unixNano) {
  const date = dateOf(unixNano);
  if (!date) return "";
  const day = date.toLocaleDateString("en-CA");
  const time = date.toLocaleTimeString("en-GB", { hour12: false });
  const zone = date.toLocaleTimeString("en-GB", { timeZoneName: "short" }).split(" ").pop();
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, "0")} ${zone}`;
}

export const shortId = (id) => String(id ?? "").slice(0, 8);

// "sha256:0123abcd…" → "sha256:0123abcd": enough to tell two apart in a list.
export function shortHash(hash) {
  const [scheme, digest] = String(hash ?? "").split(":");
  return digest ? `${scheme}:${digest.slice(0, 12)}` : String(hash ?? "").slice(0, 16);
}

// The model names people use are paths of a hub: the owner is noise in a dense list.
export const shortModel = (model) => String(model ?? "").split("/").pop();

export const shortScheduler = (name) => String(name ?? "").replace(/Scheduler$/, "");
