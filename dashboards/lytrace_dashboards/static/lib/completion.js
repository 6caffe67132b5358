// What a half-typed search can go on with, asked of the collector while someone types.
import { completeQuery } from "../api.js";
import { useEffect, useRef, useState } from "./html.js";

const PAUSE_MS = 60;
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

// [completion, ask(text, offset), close()]; an answer that comes after the next question is dropped.
export function useCompletion(of) {
  const [completion, setCompletion] = useState(NONE);
  const asking = useRef({ timer: 0, controller: new AbortController() });
  const stop = () => {
    clearTimeout(asking.current.timer);
    asking.current.controller.abort();
  };
  const close = () => {
    stop();
    setCompletion(NONE);
  };
  const ask = (text, offset) => {
    stop();
    const controller = new AbortController();
    const read = async () => {
      try {
        const answer = await completeQuery({ q: text, at: charactersBefore(text, offset), of }, controller.signal);
        setCompletion({ ...answer, asked: text });
      } catch (error) {
        if (error.name !== "AbortError") setCompletion(NONE);
      }
    };
    asking.current = { controller, timer: setTimeout(read, PAUSE_MS) };
  };
  useEffect(() => stop, []);
  return [completion, ask, close];
}
