// Small hooks that several components share.
import { currentConnection, onConnection } from "../api.js";
import { useEffect, useRef, useState } from "./html.js";
import { isLive } from "./live.js";

const SLOWEST_POLL_MS = 30_000;
const LIVE_POLL_MS = 20_000; // what no event tells: a program that fell silent
const NEWS_PAUSE_MS = 400;

export function useConnection() {
  const [state, setState] = useState(currentConnection());
  useEffect(() => onConnection(setState), []);
  return state;
}

// Calls `task(signal)` at once and then again and again while the tab is visible; a failure doubles the pause.
// `task` may return a number of milliseconds for its next pause, or `false` to stop. With `concerns(event)` it is called at once for
// a live event that concerns it, and seldom while live events come.
export function usePolling(task, intervalMs, deps, concerns = null) {
  const latest = useRef(task);
  latest.current = task;
  const asked = useRef(concerns);
  asked.current = concerns;
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let timer = 0;
    let failures = 0;
    let running = false;
    let news = false;
    const tick = async () => {
      clearTimeout(timer);
      if (running || signal.aborted || document.hidden) return;
      running = true;
      news = false;
      let pause = intervalMs;
      try {
        const wish = await latest.current(signal);
        failures = 0;
        pause = wish ?? intervalMs;
      } catch {
        failures += 1;
        pause = Math.min(intervalMs * 2 ** failures, SLOWEST_POLL_MS);
      }
      running = false;
      if (signal.aborted) return;
      if (news) timer = setTimeout(tick, NEWS_PAUSE_MS);
      else if (pause !== false) timer = setTimeout(tick, asked.current && isLive() ? Math.max(pause, LIVE_POLL_MS) : pause);
    };
    const hear = ({ detail }) => {
      if (news || !asked.current?.(detail)) return;
      news = true;
      clearTimeout(timer);
      if (!running) timer = setTimeout(tick, NEWS_PAUSE_MS);
    };
    addEventListener("lytrace:news", hear, { signal });
    document.addEventListener("visibilitychange", tick, { signal });
    addEventListener("lytrace:retry", tick, { signal });
    tick();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, deps);
}

const isTyping = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]");

// `keys` maps "x" or "g t" (two keys in a row) to a function. Keys typed into a field, or with a modifier, are left alone.
export function useHotkeys(keys) {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    let first = "";
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      const action = latest.current[`${first} ${event.key}`] ?? latest.current[event.key];
      first = event.key;
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

// A preference of this browser. Storage may be blocked; the page then works without memory.
export function useStored(key, initial) {
  const [value, setValue] = useState(() => {
    try {
      return localStorage.getItem(key) ?? initial;
    } catch {
      return initial;
    }
  });
  const store = (next) => {
    setValue(next);
    try {
      localStorage.setItem(key, next);
    } catch {
      // Nothing to do: the choice holds until the page closes.
    }
  };
  return [value, store];
}

// Re-renders every `intervalMs`, so that "3m ago" stays true.
export function useNow(intervalMs = 10_000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}

// Width and height of an element in CSS pixels, as [ref, {width, height}].
export function useSize() {
  const ref = useRef(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry.contentRect;
      setSize((old) => (old.width === width && old.height === height ? old : { width, height }));
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}

export function useTitle(title) {
  useEffect(() => {
    document.title = title ? `${title} · lytrace` : "lytrace";
  }, [title]);
}
