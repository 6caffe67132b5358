import { readAnswer } from "../lib/answer.js";
import { html } from "../lib/html.js";
import { Prose } from "./prose.js";
import { Rows } from "./rows.js";

// What came back from a model, and what went wrong where something did.
export function AnswerSection({ span }) {
  const { text, refusal, revisedPrompts, rows } = readAnswer(span);
  const failed = span.status.code === "ERROR" ? span.status.message : null;
  return html`
    ${revisedPrompts.map((prompt) => html`<${Prose} key=${prompt} title="Rewritten prompt" text=${prompt} />`)}
    <${Prose} title="Answer" text=${text} />
    <${Prose} title="Refusal" text=${refusal} />
    ${(rows.length > 0 || failed) && html`<section><h3>Response</h3><${Rows} rows=${[["Failed", failed], ...rows]} /></section>`}
  `;
}
