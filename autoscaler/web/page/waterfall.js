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
    outcomes(decision),
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

function outcomes({ outcomes: ended = [], actions = [] }) {
  if (!ended.length && !actions.length) return null;
  const orders = actions.map((action) => el("li", {}, el("b", { text: action.kind }), ` ${action.replica}: ${action.because}`));
  const ends = ended.map((outcome) => {
    const { action, result, detail, exit } = outcome;
    const left = exit ? `, exit code ${exit.code ?? "unknown"}${exit.oom ? ", out of memory" : ""}` : "";
    const line = el("li", { data: { result } }, el("b", { text: `${action.kind} ${result.replaceAll("_", " ")}` }), ` ${action.replica}${left}${detail ? `: ${detail}` : ""}`);
    if (exit?.log_tail?.length) line.append(el("pre", { text: exit.log_tail.join("\n") }));
    return line;
  });
  return el("div", { class: "deeds" }, el("h3", { text: "What was done" }), el("ul", {}, ...orders, ...ends));
}
