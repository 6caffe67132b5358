// What a half-typed search can go on with, asked of the collector while someone types.
import { completeQuery } from "../api.js";
import { useEffect, useRef, useState } from "./html.js";

const PAUSE_MS = 60;
const LONGEST_MS = 1000;
const NONE = { suggestions: [], from: 0, to: 0, asked: "" };

// The collector counts characters, JavaScript halves of some of them.
export const charactersBefore = (text, offset) => [...text.slice(0, offset)].length;

// The text with a suggestion in its place, and where the cursor then stands. What was typed since the answer was asked for
// belongs to the word that is replaced.
export function accepted(text, { from, to, asked }, suggestion) {
  const characters = [...text];
  const before = characters.slice(0, from).join("") + suggestion;
  const since = characters.length - [...asked].length;
  return { text: before + characters.slice(Math.max(from, to + since)).join(""), cursor: before.length };
}

// Whether someone is in the middle of a value that is among the offers: what stands there yet is not meant.
export function isWithinValue(text, { suggestions, from, to }) {
  const typed = [...text].slice(from, to).join("");
  return suggestions.length > 0 && suggestions.every(({ kind, text: offer }) => kind === "value" && offer !== typed);
}

// [completion, ask(text, offset), close(), answered()]; an answer that comes after the next question is dropped. What was answered
// last, or will be, is a promise: of nothing where the question was given up or is not answered soon.
export function useCompletion(of) {
  const [completion, setCompletion] = useState(NONE);
  const asking = useRef({ timer: 0, controller: new AbortController(), answer: NONE });
  const stop = () => {
    clearTimeout(asking.current.timer);
    asking.current.controller.abort();
  };
  const close = () => {
    stop();
    asking.current.answer = NONE;
    setCompletion(NONE);
  };
  const ask = (text, offset) => {
    stop();
    const controller = new AbortController();
    const read = async () => {
      const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(LONGEST_MS)]);
      try {
        const answer = { ...(await completeQuery({ q: text, at: charactersBefore(text, offset), of }, signal)), asked: text };
        setCompletion(answer);
        return answer;
      } catch {
        if (!controller.signal.aborted) setCompletion(NONE);
        return NONE;
      }
    };
    asking.current = { controller };
    asking.current.answer = new Promise((resolve) => {
      asking.current.timer = setTimeout(() => resolve(read()), PAUSE_MS);
      controller.signal.addEventListener("abort", () => resolve(NONE));
    });
  };
  useEffect(() => stop, []);
  return [completion, ask, close, () => asking.current.answer];
}
