// Everything about one pool: where it stands, why, what was decided before, its charts and its workers.

import { facts, Hold, state } from "./cards.js";
import { Bar, bounds, Legend } from "./bar.js";
import { el, keyed, mark, say, show, title } from "./dom.js";
import { ask } from "./feed.js";
import { waterfall } from "./waterfall.js";
import { Workers } from "./workers.js";
import { clock, duration, moment, sentence } from "./words.js";

const PAGE = 20;

export class PoolView {
  constructor(name, steer) {
    this.name = name;
    this.chosen = null; // the id of the decision that is explained; null: the latest
    this.busy = false;
    this.state = el("span", { class: "state" });
    this.bounds = el("span", { class: "small" });
    this.bar = new Bar();
    this.legend = new Legend();
    this.facts = facts();
    this.why = el("p", { class: "why whole" });
    this.hold = new Hold();
    this.learned = el("p", { class: "small learned" });
    this.workers = new Workers(steer.for(name));
    this.decisions = new Decisions(name);
    this.chartPlace = el("div");
    this.heading = el("h1", { tabindex: "-1", text: name });
    const actions = el("div", { class: "actions", role: "group", "aria-label": `Steer ${name}` }, ...steer.for(name).buttons());
    this.steering = actions;
    this.node = el(
      "div",
      { class: "detail" },
      el("nav", { "aria-label": "Back" }, el("a", { href: "#/", text: "← All pools" })),
      el("header", {}, this.heading, this.state, this.bounds, actions),
      el("section", { class: "panel now", "aria-label": "Now" }, this.bar.node, this.legend.node, this.facts.node, this.why, this.hold.node, this.learned),
      el("div", { class: "halves" }, this.decisions.node, this.chartPlace),
      this.workers.node,
    );
    import("./charts.js").then(({ Charts }) => {
      if (this.closed) return;
      this.charts = new Charts(name);
      this.chartPlace.replaceChildren(this.charts.node);
    });
    this.load();
    this.decisions.load();
  }

  update(pool, now) {
    if (!pool) return say(this.why, "There is no such pool (any more).");
    this.pool = pool;
    const { kind, words } = state(pool);
    mark(this.state, "kind", kind);
    say(this.state, words);
    say(this.bounds, bounds(pool));
    this.bar.update(pool);
    this.legend.update(pool);
    this.facts.update(pool);
    say(this.why, sentence(pool.why, pool.pool));
    this.hold.update(pool, now);
    this.decisions.most = pool.max;
    this.charts?.refresh();
    this.load(now);
  }

  // The list of workers may be long, so it is asked for only while it is looked at, one question at a time.
  async load(now = Date.now() / 1000) {
    if (this.busy || this.closed) return;
    this.busy = true;
    try {
      const detail = await ask(`api/v1/pools/${encodeURIComponent(this.name)}`);
      if (this.closed) return;
      this.workers.update(detail, now);
      say(this.learned, learned(detail));
    } catch (error) {
      if (error.code === 404) say(this.why, error.message);
    } finally {
      this.busy = false;
    }
  }

  news(rows) {
    if (rows.some((row) => row.pool === this.name)) this.decisions.load();
  }

  tick(now) {
    if (this.pool) this.hold.update(this.pool, now);
    if (this.workers.detail) this.workers.tick(now);
  }

  close() {
    this.closed = true;
    this.charts?.close();
  }
}

function learned({ foresight, memory, policy }) {
  const parts = [];
  if (foresight) parts.push(`${foresight.words}.`);
  parts.push(`A start takes about ${duration(memory.boot_seconds, { fine: true })}, a stop ${duration(memory.stop_seconds, { fine: true })}.`);
  if (policy?.schedule) parts.push(`Bounds by schedule${policy.schedule}.`);
  const words = parts.join(" ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// Past decisions, and the chosen one step by step.
class Decisions {
  constructor(pool) {
    this.pool = pool;
    this.rows = new Map();
    this.known = new Map();
    this.chosen = null;
    this.most = 1;
    this.place = el("div", { class: "explained", "aria-live": "off" });
    this.list = el("ol", { class: "decisions" });
    this.older = el("button", { type: "button", class: "quiet", text: "Older", hidden: true, on: { click: () => this.load(Math.min(...this.rows.keys())) } });
    this.problem = el("p", { class: "empty", hidden: true });
    this.node = el("section", { class: "panel why-panel", "aria-labelledby": "why-title" }, el("h2", { id: "why-title", text: "Why" }), this.place, el("h3", { text: "Decisions" }), this.problem, this.list, this.older);
  }

  async load(before = null) {
    const query = new URLSearchParams({ limit: PAGE, ...(before ? { before } : {}) });
    try {
      const { decisions } = await ask(`api/v1/pools/${encodeURIComponent(this.pool)}/decisions?${query}`);
      for (const row of decisions) this.rows.set(row.id, row);
      if (before || decisions.length < PAGE) show(this.older, decisions.length === PAGE);
      else if (this.rows.size === PAGE) show(this.older, true);
      show(this.problem, false);
    } catch (error) {
      show(this.problem, true);
      say(this.problem, error.message);
    }
    this.arrange();
  }

  arrange() {
    const ids = [...this.rows.keys()].sort((a, b) => b - a);
    keyed(this.list, this.known, ids, (id) => this.item(this.rows.get(id)));
    const chosen = this.chosen ?? ids[0];
    for (const [id, { button }] of this.known) button.setAttribute("aria-pressed", id === chosen);
    const row = this.rows.get(chosen);
    if (row && this.shown !== chosen) {
      this.shown = chosen;
      this.place.replaceChildren(waterfall(row, this.most));
    }
  }

  item(row) {
    const way = row.desired > row.current ? "▲" : row.desired < row.current ? "▼" : "=";
    const button = el(
      "button",
      { type: "button", class: "decision", data: { way: row.direction }, on: { click: () => this.choose(row.id) } },
      el("time", { datetime: new Date(row.at * 1000).toISOString(), title: moment(row.at), text: clock(row.at) }),
      el("span", { class: "way", "aria-hidden": "true", text: way }),
      el("span", { class: "told", text: sentence(row.why, row.pool) }),
    );
    title(button, "Explain this decision");
    return { node: el("li", {}, button), button };
  }

  choose(id) {
    this.chosen = id;
    this.arrange();
    this.place.scrollIntoView({ block: "nearest" });
  }
}
