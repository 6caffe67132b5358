import { html } from "../lib/html.js";
import { CAUSE_NONFINITE_DECODE, CAUSE_NONFINITE_LATENTS, CAUSE_SAFETY_CHECKER } from "../lib/semconv.js";

const CAUSES = {
  [CAUSE_SAFETY_CHECKER]: { name: "Blocked", why: "The safety checker found something in it, and the pipeline blackened it." },
  [CAUSE_NONFINITE_LATENTS]: { name: "No picture", why: "The latents held a NaN or an infinity." },
  [CAUSE_NONFINITE_DECODE]: { name: "No picture", why: "The decoder made a NaN or an infinity of its latents." },
};

const BLACK = "#000000";

// What to say of an image that has one colour all over: [a word, a sentence].
export function readUniform({ uniform_color: color, uniform_cause: cause }) {
  const { name, why } = CAUSES[cause] ?? { name: color === BLACK ? "Black" : "One colour", why: "Nothing that was recorded says why." };
  return [name, `Every pixel is ${color}. ${why}`];
}

export function UniformBadge({ image }) {
  if (!image.uniform_color) return null;
  const [name, sentence] = readUniform(image);
  return html`<span class="badge uniform" title=${sentence}>${name}</span>`;
}
