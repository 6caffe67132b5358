// Round positions for an axis.
const STEPS = [1, 2, 5, 10];

function niceStep(span, most) {
  const rough = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  return STEPS.map((step) => step * power).find((step) => step >= rough * 0.999) ?? power * 10;
}

// From the first round value at or above `from` up to `to`, about `most` of them.
export function ticks(from, to, most) {
  if (!(to > from)) return [from];
  const step = niceStep(to - from, most);
  const first = Math.ceil(from / step - 1e-9);
  return Array.from({ length: Math.floor(to / step + 1e-9) - first + 1 }, (_, place) => (first + place) * step);
}
