// One decision step by step: from what the work asks for to the final count, each step a bar from where it began to where it ended.

import { el } from "./dom.js";
import { moment, clock, spaced } from "./words.js";

export function waterfall(decision, most) {
  const scale = Math.max(most, 1, ...decision.steps.flatMap((step) => [step.before, step.after]));
  const rows = decision.steps.map((step) => row(step, scale));
  const ends = el(
    "li",
    { class: "step total" },
    el("span", { class: "rule", text: "final" }),
    track(0, decision.desired, scale, "total"),
    el("span", { class: "counts", text: String(decision.desired) }),
  );
  return el(
    "div",
    { class: "waterfall" },
    el("p", { class: "when" }, el("time", { datetime: new Date(decision.at * 1000).toISOString(), title: moment(decision.at), text: clock(decision.at) }), ` ${change(decision)}`),
    el("ol", { class: "steps" }, ...rows, ends),
    deeds(decision),
  );
}

function change({ current, desired }) {
  if (current === desired) return `keeps ${current}`;
  return `from ${current} to ${desired}`;
}

function row(step, scale) {
  const way = step.after > step.before ? "up" : step.after < step.before ? "down" : "same";
  return el(
    "li",
    { class: "step", data: { way } },
    el("span", { class: "rule", text: step.rule.replaceAll("_", " ") }),
    track(step.before, step.after, scale, way),
    el("span", { class: "counts", text: way === "same" ? `${step.after}` : `${step.before} → ${step.after}` }),
    el("p", { class: "because" }, el("b", { text: spaced(step.reason) }), ` ${step.because}`),
  );
}

function track(before, after, scale, way) {
  const from = Math.min(before, after);
  const piece = el("i", { class: "piece", data: { way } });
  piece.style.left = `${(100 * from) / scale}%`;
  piece.style.width = `${(100 * Math.abs(after - before)) / scale}%`;
  return el("span", { class: "track", "aria-hidden": "true" }, piece);
}

// Each action with what became of it; what became of earlier ones stands behind.
function deeds({ outcomes = [], actions = [] }) {
  if (!outcomes.length && !actions.length) return null;
  const same = (outcome, action) => outcome.action.kind === action.kind && outcome.action.replica === action.replica;
  const own = actions.map((action) => deed(action, outcomes.find((outcome) => same(outcome, action)), action.because));
  const earlier = outcomes.filter((outcome) => !actions.some((action) => same(outcome, action)));
  const items = [...own, ...earlier.map((outcome) => deed(outcome.action, outcome, ""))];
  return el("div", { class: "deeds" }, el("h3", { text: "What was done" }), el("ul", {}, ...items));
}

function deed({ kind, replica }, outcome, because) {
  const result = outcome ? outcome.result.replaceAll("_", " ") : "ordered";
  const left = outcome?.exit ? `, exit code ${outcome.exit.code ?? "unknown"}${outcome.exit.oom ? ", out of memory" : ""}` : "";
  const words = [because, outcome?.detail].filter(Boolean).join("; ");
  const line = el("li", { data: { result: outcome?.result ?? "ordered" } }, el("b", { text: `${kind} ${replica}` }), ` ${result}${left}${words ? `: ${words}` : ""}`);
  if (outcome?.exit?.log_tail?.length) line.append(el("pre", { text: outcome.exit.log_tail.join("\n") }));
  return line;
}
