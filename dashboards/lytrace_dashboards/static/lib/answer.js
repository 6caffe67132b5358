// What a model that was called over an API, or a local language model, answered: texts, reasons, tokens, cost.
import { count, duration, money } from "./format.js";
import {
  COST_USD,
  GEN_AI_OUTPUT_MESSAGES,
  GEN_AI_RESPONSE_FINISH_REASONS,
  GEN_AI_RESPONSE_MODEL,
  GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
  GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
  GEN_AI_USAGE_IMAGE_INPUT_TOKENS,
  GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS,
  GEN_AI_USAGE_INPUT_TOKENS,
  GEN_AI_USAGE_OUTPUT_TOKENS,
  GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
  GEN_AI_USAGE_TEXT_INPUT_TOKENS,
  GEN_AI_USAGE_TEXT_OUTPUT_TOKENS,
  HTTP_RESEND_COUNT,
  REFUSAL,
  RESPONSE_ERROR_CODE,
  REVISED_PROMPTS,
  STREAM_OUTCOME,
} from "./semconv.js";

const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

const listed = (value) => (Array.isArray(value) ? value : []);

// The words of the answer, without thoughts and tool calls.
function answerText(attributes) {
  const parts = listed(parse(attributes[GEN_AI_OUTPUT_MESSAGES])).flatMap((message) => listed(message?.parts));
  return parts.filter((part) => part?.type === "text" && typeof part.content === "string").map((part) => part.content).join("\n");
}

// "1,295 (image 1,290, text 5)": the total, then the kinds that are not zero.
function tokens(total, kinds) {
  if (typeof total !== "number") return null;
  const told = Object.entries(kinds).filter(([, value]) => value > 0 && value !== total);
  return count(total) + (told.length ? ` (${told.map(([kind, value]) => `${kind} ${count(value)}`).join(", ")})` : "");
}

export function readAnswer(span) {
  const a = span.attributes;
  const revised = listed(parse(a[REVISED_PROMPTS])).filter((prompt) => typeof prompt === "string");
  const firstChunk = a[GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK];
  return {
    text: answerText(a),
    refusal: a[REFUSAL],
    revisedPrompts: [...new Set(revised)],
    rows: [
      ["Answered by", a[GEN_AI_RESPONSE_MODEL]],
      ["Finished", [...new Set(listed(a[GEN_AI_RESPONSE_FINISH_REASONS]))].join(", ")],
      ["Error code", a[RESPONSE_ERROR_CODE]],
      ["Tried again", a[HTTP_RESEND_COUNT]],
      ["Stream", a[STREAM_OUTCOME]],
      ["First chunk", typeof firstChunk === "number" ? duration(firstChunk * 1e9) : null],
      ["Tokens in", tokens(a[GEN_AI_USAGE_INPUT_TOKENS], {
        image: a[GEN_AI_USAGE_IMAGE_INPUT_TOKENS],
        text: a[GEN_AI_USAGE_TEXT_INPUT_TOKENS],
        cached: a[GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS],
      })],
      ["Tokens out", tokens(a[GEN_AI_USAGE_OUTPUT_TOKENS], {
        image: a[GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS],
        text: a[GEN_AI_USAGE_TEXT_OUTPUT_TOKENS],
        reasoning: a[GEN_AI_USAGE_REASONING_OUTPUT_TOKENS],
      })],
      ["Cost", typeof a[COST_USD] === "number" ? money(a[COST_USD]) : null],
    ].filter(([, value]) => value !== null && value !== undefined && value !== ""),
  };
}
