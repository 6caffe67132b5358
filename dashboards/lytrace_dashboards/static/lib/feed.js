// A list, newest first, that keeps itself fresh: keyset pages at its end; its head is read again when a
// live event comes, and every few seconds where none can.
import { useCallback, useReducer, useRef } from "./html.js";
import { usePolling } from "./hooks.js";

const EMPTY = { items: [], cursor: null, cut: null, answered: null, error: null, loadingMore: false, waiting: null };
const AT_TOP_PX = 160;

// Joins a newly polled first page with the rows already there. Rows of the page replace their older selves; rows that the
// page should hold but does not are gone. Without any overlap the list starts anew: what lies between is unknown.
export function mergeHead(items, cursor, page, pageCursor, keyOf) {
  const place = new Map(items.map((item, index) => [keyOf(item), index]));
  const added = page.filter((item) => !place.has(keyOf(item))).length;
  if (!pageCursor) return { items: page, cursor: null, added };
  const last = Math.max(-1, ...page.map((item) => place.get(keyOf(item)) ?? -1));
  if (last < 0) return { items: page, cursor: pageCursor, added };
  const fresh = new Set(page.map(keyOf));
  const tail = items.slice(last + 1).filter((item) => !fresh.has(keyOf(item)));
  return { items: [...page, ...tail], cursor: tail.length ? cursor : pageCursor, added };
}

const refresh = (items, page, keyOf) => {
  const newer = new Map(page.map((item) => [keyOf(item), item]));
  return items.map((item) => newer.get(keyOf(item)) ?? item);
};

function reduce(feed, action) {
  switch (action.type) {
    case "head": {
      const { items, cursor, cut } = action.page;
      if (feed.answered !== action.asked) return { ...EMPTY, items, cursor, cut, answered: action.asked };
      const merged = mergeHead(feed.items, feed.cursor, items, cursor, action.keyOf);
      if (action.atTop || merged.added === 0) return { ...feed, ...merged, cut, error: null, waiting: null };
      return { ...feed, items: refresh(feed.items, items, action.keyOf), cut, error: null, waiting: merged };
    }
    case "more": {
      const known = new Set(feed.items.map(action.keyOf));
      const items = [...feed.items, ...action.page.items.filter((item) => !known.has(action.keyOf(item)))];
      return { ...feed, items, cursor: action.page.cursor, loadingMore: false, waiting: null };
    }
    case "loading more":
      return { ...feed, loadingMore: true };
    case "failed":
      return { ...feed, error: action.error, loadingMore: false };
    case "reveal":
      return { ...feed, ...feed.waiting, waiting: null };
    case "update":
      return { ...feed, items: feed.items.map((item) => (action.keyOf(item) === action.key ? { ...item, ...action.change } : item)) };
    default:
      return feed;
  }
}

// `fetchPage(cursor, signal)` answers {items, cursor, cut}. New rows wait behind `waiting` while the reader has scrolled down.
// While another question (`deps`) is under way the old rows stay: `ready` says there is an answer, `settled` that it is to
// the question asked now.
export function useFeed(fetchPage, keyOf, deps, intervalMs = 3000) {
  const [feed, dispatch] = useReducer(reduce, EMPTY);
  const asked = JSON.stringify(deps);
  const latest = useRef(asked);
  latest.current = asked;
  usePolling(async (signal) => {
    try {
      const page = await fetchPage(null, signal);
      dispatch({ type: "head", page, keyOf, asked, atTop: scrollY < AT_TOP_PX });
    } catch (error) {
      if (error.name !== "AbortError") dispatch({ type: "failed", error });
      throw error;
    }
  }, intervalMs, [asked], () => true);

  const loadMore = useCallback(async () => {
    if (!feed.cursor || feed.loadingMore) return;
    dispatch({ type: "loading more" });
    try {
      const page = await fetchPage(feed.cursor);
      if (latest.current === asked) dispatch({ type: "more", page, keyOf });
    } catch (error) {
      dispatch({ type: "failed", error });
    }
  }, [feed.cursor, feed.loadingMore, asked]);

  return {
    ...feed,
    ready: feed.answered !== null,
    settled: feed.answered === asked,
    loadMore,
    reveal: () => dispatch({ type: "reveal" }),
    update: (key, change) => dispatch({ type: "update", key, change, keyOf }),
  };
}
