// What scores say, in few words. Pure functions.
const GOOD = new Set(["good", "pass", "passed", "correct", "yes", "true", "up", "win"]);
const BAD = new Set(["bad", "fail", "failed", "wrong", "incorrect", "no", "false", "down", "loss"]);

// Whether a label says yes or no in the field's usual words; null for any other label.
export function verdictOf(score) {
  const label = String(score.label ?? "").trim().toLowerCase();
  if (GOOD.has(label)) return "good";
  return BAD.has(label) ? "bad" : null;
}

// Scores of one name as one: a trace of ten images has ten of each. The mean of their values, or how many are good.
export function byName(scores) {
  return [...Map.groupBy(scores ?? [], (score) => score.name).values()].map((same) => (same.length === 1 ? same[0] : together(same)));
}

function together(same) {
  const values = same.map((score) => score.value).filter(Number.isFinite);
  const verdicts = same.map(verdictOf);
  const judged = verdicts.every(Boolean);
  const good = verdicts.filter((verdict) => verdict === "good").length;
  const value = values.length ? values.reduce((sum, one) => sum + one, 0) / values.length : null;
  return {
    ...same[0],
    value,
    label: value === null && judged ? `${good}/${same.length}` : null,
    verdict: judged && (good === 0 || good === same.length) ? verdicts[0] : null,
    times: value === null ? null : same.length,
  };
}
