// Whom the daemon looks at and how they answer; and what each broker costs.

import { byId, el, keyed, mark, say, show } from "./dom.js";
import { count, duration } from "./words.js";

let sources;
let brokers;
const knownSources = new Map();
const knownBrokers = new Map();

export function begin() {
  sources = el("ul", { class: "sources" });
  brokers = el("div", { class: "brokers" });
  const brokerPanel = el("section", { class: "panel", "aria-labelledby": "brokers-title", hidden: true }, el("h2", { id: "brokers-title", text: "Brokers" }), brokers);
  byId("side").append(el("section", { class: "panel", "aria-labelledby": "sources-title" }, el("h2", { id: "sources-title", text: "What it sees" }), sources), brokerPanel);
}

export function update(status) {
  const bySource = new Map(status.sources.map((source) => [source.source, source]));
  keyed(sources, knownSources, [...bySource.keys()], (name) => new Source(name));
  for (const [name, source] of bySource) knownSources.get(name).update(source, status.now);
  const told = status.brokers ?? (status.active_broker ? [{ name: status.active_broker, active: true }] : []);
  show(brokers.parentElement, told.length > 0);
  const byName = new Map(told.map((broker) => [broker.name ?? broker.broker, broker]));
  keyed(brokers, knownBrokers, [...byName.keys()], (name) => new Broker(name));
  for (const [name, broker] of byName) knownBrokers.get(name).update(broker);
}

export function tick(now) {
  for (const source of knownSources.values()) source.tick(now);
}

class Source {
  constructor(name) {
    this.state = el("span", { class: "state" });
    this.age = el("span", { class: "small" });
    this.detail = el("p", { class: "small" });
    this.node = el("li", {}, el("b", { text: name }), this.state, this.age, this.detail);
  }

  update(source, at) {
    this.source = source;
    this.at = at - source.age_seconds;
    mark(this.state, "kind", source.up ? "steady" : "blind");
    say(this.state, source.up ? "answers" : "does not answer");
    say(this.detail, source.detail);
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
    this.lines = el("dl", { class: "facts" });
    this.gauge = el("progress", { max: "1", hidden: true, "aria-label": "share of the budget that is used" });
    this.node = el("section", { class: "broker", "aria-label": `Broker ${name}` }, el("h3", {}, el("span", { text: name }), this.state), this.gauge, this.lines);
  }

  update(broker) {
    mark(this.state, "kind", broker.active ? "steady" : "zero");
    say(this.state, broker.active ? "active" : "standby");
    const used = broker.budget_used_ratio ?? broker.budget?.used_ratio ?? null;
    show(this.gauge, used !== null);
    if (used !== null) this.gauge.value = Math.min(1, used);
    const lines = facts(broker);
    this.lines.replaceChildren(...lines.map(([name, value]) => el("div", {}, el("dt", { text: name }), el("dd", { text: value }))));
  }
}

function facts(broker) {
  const known = [
    ["health", broker.health],
    ["commands", broker.commands === undefined ? undefined : count(broker.commands)],
  ];
  return known.filter(([, value]) => value !== undefined && value !== null && value !== "");
}
