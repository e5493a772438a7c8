// Whom the daemon looks at and how they answer; and every broker with what it costs.

import { byId, el, keyed, mark, say, show, title } from "./dom.js";
import { count, duration } from "./words.js";

const knownSources = new Map();
const knownBrokers = new Map();
let sources;
let brokers;
let brokerPanel;

// Who sends commands, as the API calls them and as people do.
const SENDERS = [["autoscaler", "this daemon"], ["flower", "Flower"], ["idle", "idle workers"], ["busy", "busy workers"], ["unexplained", "others"]];

export function begin() {
  sources = el("ul", { class: "sources" });
  brokers = el("div", { class: "brokers" });
  brokerPanel = panel("brokers", "Brokers", brokers);
  byId("side").append(panel("sources", "What it sees", sources), brokerPanel);
}

function panel(name, words, content) {
  return el("section", { class: "panel", "aria-labelledby": `${name}-title` }, el("h2", { id: `${name}-title`, text: words }), content);
}

export function update(status) {
  const bySource = new Map(status.sources.map((source) => [source.source, source]));
  keyed(sources, knownSources, [...bySource.keys()], (name) => new Source(name));
  for (const [name, source] of bySource) knownSources.get(name).update(source, status.now);
  const byName = new Map((status.brokers ?? []).map((broker) => [broker.broker, broker]));
  show(brokerPanel, byName.size > 0);
  keyed(brokers, knownBrokers, [...byName.keys()], (name) => new Broker(name));
  for (const [name, broker] of byName) knownBrokers.get(name).update(broker, status.now);
}

export function tick(now) {
  for (const source of knownSources.values()) source.tick(now);
}

class Source {
  constructor(name) {
    this.state = el("span", { class: "state" });
    this.age = el("span", { class: "small" });
    this.detail = el("p", { class: "small detail-line" });
    this.node = el("li", {}, el("b", { text: name }), this.state, this.age, this.detail);
  }

  update(source, at) {
    this.source = source;
    this.at = at - source.age_seconds;
    mark(this.state, "kind", source.up ? "steady" : "blind");
    say(this.state, source.up ? "answers" : "does not answer");
    mark(this.node, "up", source.up);
    say(this.detail, source.detail);
    title(this.detail, source.detail);
    show(this.detail, Boolean(source.detail));
    this.tick(at);
  }

  tick(now) {
    say(this.age, `${duration(Math.max(0, now - this.at))} old, took ${Math.round(this.source.seconds * 1000)} ms`);
  }
}

class Broker {
  constructor(name) {
    this.state = el("span", { class: "state" });
    this.why = el("p", { class: "small detail-line" });
    this.lines = new Map();
    this.list = el("dl", { class: "facts" });
    this.gauge = el("progress", { max: "1", "aria-label": `share of the budget of ${name} that is used` });
    this.node = el("section", { class: "broker", "aria-label": `Broker ${name}` }, el("h3", {}, el("span", { text: name }), this.state), this.gauge, this.list, this.why);
  }

  update(broker, now) {
    const isUp = broker.health === "up" || broker.health === "unknown";
    mark(this.state, "kind", isUp ? (broker.active ? "steady" : "zero") : "blind");
    say(this.state, `${broker.active ? "active" : "not in use"}${isUp ? "" : `, ${broker.health}`}`);
    const words = [broker.detail, broker.why].filter(Boolean).join(" · ");
    say(this.why, words);
    title(this.why, words);
    show(this.why, Boolean(words));
    const cost = costs(broker, now);
    show(this.gauge, cost.used !== null);
    if (cost.used !== null) this.gauge.value = Math.min(1, cost.used);
    mark(this.gauge, "over", cost.used > 1 || cost.projected > 1);
    const lines = new Map([["waiting", count(broker.waiting)], ...cost.lines]);
    keyed(this.list, this.lines, [...lines.keys()], term);
    for (const [name, value] of lines) say(this.lines.get(name).value, value);
  }
}

function term(name) {
  const value = el("dd");
  return { node: el("div", {}, el("dt", { text: name }), value), value };
}

// What is used of the budget, what that makes by the end of the period, who uses it, and what having no worker saves.
function costs({ budget, usage, costs: learned }, now) {
  const known = { used: budget?.ratio ?? null, projected: budget ? budget.projected / budget.commands : null, lines: [] };
  const add = (name, words) => known.lines.push([name, words]);
  if (budget) {
    add("budget", `${count(budget.commands)} a ${budget.period}`);
    add("used", percent(known.used));
    add("by the end", percent(known.projected));
    if (budget.runs_out_at !== null) add("runs out", budget.runs_out_at > now ? `in ${duration(budget.runs_out_at - now)}` : "it is spent");
  }
  if (usage) {
    add("today", count(usage.today.total));
    for (const [by, name] of SENDERS) if (usage.today[by]) add(`— ${name}`, count(usage.today[by]));
    add("this month", count(usage.month.total));
    if (usage.saved_month) add("saved by having none", count(usage.saved_month));
  }
  if (learned) add("an idle worker", `${count(learned.idle_worker_per_minute)}/min${learned.learned.includes("idle") ? "" : " usually"}`);
  return known;
}

const percent = (ratio) => `${Math.round(100 * ratio)} %`;
