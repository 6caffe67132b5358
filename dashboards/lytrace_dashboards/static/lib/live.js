// Live events of the collector: one stream for this page while it is visible. Each event goes out as a "lytrace:news" event of the
// window; what polls the collector rests meanwhile. Where there is no stream, polling goes on as before.
import { openLive } from "../api.js";

const PAUSES_MS = [1000, 2000, 5000, 15_000, 30_000];
const SILENCE_MS = 30_000; // the collector says something every 10 s

let lastId = "";
let isOpen = false;

export const isLive = () => isOpen;

// Splits what has arrived into whole blocks, as [{id, data}], and the rest of a block that is still coming.
export function readBlocks(text) {
  const parts = text.split("\n\n");
  const rest = parts.pop();
  return { blocks: parts.map(readBlock), rest };
}

function readBlock(block) {
  const fields = block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
  return Object.fromEntries(fields.filter(([name]) => name === "id" || name === "data"));
}

function tell({ id, data }) {
  if (id) lastId = id;
  if (data) dispatchEvent(new CustomEvent("lytrace:news", { detail: JSON.parse(data) }));
}

async function follow(controller) {
  const response = await openLive(lastId, controller.signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let timer = 0;
  let pending = "";
  try {
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(), SILENCE_MS);
      const { done, value } = await reader.read();
      if (done) return;
      isOpen = true;
      const { blocks, rest } = readBlocks(pending + value);
      pending = rest;
      blocks.forEach(tell);
    }
  } finally {
    clearTimeout(timer);
    isOpen = false;
  }
}

const seen = () => new Promise((resolve) => {
  if (!document.hidden) return resolve();
  return document.addEventListener("visibilitychange", () => resolve(), { once: true });
});

const rest = (ms) => new Promise((resolve) => {
  setTimeout(resolve, ms);
  addEventListener("lytrace:retry", resolve, { once: true });
});

// Follows for as long as the page is open. A hidden page holds no connection: browsers allow few to one host.
export async function followLive() {
  let failures = 0;
  for (;;) {
    await seen();
    const controller = new AbortController();
    const hide = () => document.hidden && controller.abort();
    document.addEventListener("visibilitychange", hide);
    try {
      await follow(controller);
      failures = 0;
    } catch {
      failures += 1;
    }
    document.removeEventListener("visibilitychange", hide);
    if (!document.hidden) await rest(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]);
  }
}
