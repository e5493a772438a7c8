// The overview: a card for each pool, which leads to everything about it.

import { Bar, bounds, Legend } from "./bar.js";
import { byId, el, keyed, mark, say, show, title } from "./dom.js";
import { Slices } from "./slices.js";
import { Spark } from "./spark.js";
import { brief, count, duration, rate, sentence } from "./words.js";

const SOME = 6; // more than these can be searched and ordered
const MANY = 24; // more than these do not move
const CARD_REM = [23, 18]; // how small a card may be
const known = new Map();
let pools = [];
let time = 0; // on the daemon's clock

// Cards on the screen are drawn at once, all others soon after: they are read by screen readers and searched for, too.
const later = new Slices((card) => card.draw());
const cardOf = new WeakMap();
const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) cardOf.get(entry.target)?.onSight(entry.isIntersecting);
  },
  { rootMargin: "200px" },
);

export const address = (pool) => `#/pools/${encodeURIComponent(pool)}`;

export function begin() {
  byId("pool-filter").addEventListener("input", arrange);
  byId("pool-order").addEventListener("change", arrange);
}

export function update(status, changed) {
  pools = status.pools;
  time = status.now;
  show(byId("pool-controls"), pools.length > SOME);
  mark(byId("pools"), "many", pools.length > MANY);
  arrange();
  for (const pool of pools) if (!changed || changed.has(pool.pool)) known.get(pool.pool)?.update(pool);
  for (const card of known.values()) card.follow();
}

export function tick(now) {
  time = now;
  for (const card of known.values()) card.tick();
}

const ORDERS = {
  attention: (pool) => -(pool.blind.length * 100 + (pool.replicas?.lost ?? 0) * 10 + pool.limited_by.length),
  waiting: (pool) => -(pool.backlog ?? Infinity),
  workers: (pool) => -(pool.current ?? 0),
};

function arrange() {
  const words = byId("pool-filter").value.trim().toLowerCase();
  const matches = (pool) => pool.pool.toLowerCase().includes(words) || pool.queues.some((q) => q.queue.toLowerCase().includes(words));
  const found = words ? pools.filter(matches) : [...pools];
  const order = ORDERS[byId("pool-order").value];
  if (order) found.sort((a, b) => order(a) - order(b));
  const byName = new Map(found.map((pool) => [pool.pool, pool]));
  let room = null;
  keyed(byId("pools"), known, [...byName.keys()], (name, i) => {
    const card = new Card(name, i < (room ??= fitting()));
    card.update(byName.get(name));
    return card;
  });
  show(byId("pools-empty"), !found.length && pools.length > 0);
}

// How many cards the screen can show at most.
function fitting() {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const [across, down] = [innerWidth / (CARD_REM[0] * rem), innerHeight / (CARD_REM[1] * rem)];
  return Math.max(1, Math.floor(across)) * Math.ceil(down);
}

export function focus(name) {
  known.get(name)?.link.focus({ preventScroll: true });
}

export function redraw() {
  for (const card of known.values()) card.follow();
}

// A card begins as its name and gets the rest when it is drawn first.
class Card {
  constructor(name, isSeen) {
    this.name = name;
    this.isSeen = isSeen;
    this.link = el("a", { href: address(name), text: name });
    this.bounds = el("p", { class: "small" });
    this.header = el("header", {}, el("div", {}, el("h3", {}, this.link), this.bounds));
    this.node = el("article", { class: "card", on: { click: (event) => this.open(event) } }, this.header);
    cardOf.set(this.node, this);
    watcher.observe(this.node);
  }

  build() {
    this.state = el("span", { class: "state" });
    this.bar = new Bar();
    this.legend = new Legend();
    this.spark = new Spark(this.name);
    this.facts = facts();
    this.why = el("p", { class: "why" });
    this.hold = new Hold();
    this.header.append(this.state);
    this.node.append(this.bar.node, this.legend.node, this.spark.node, this.facts.node, this.why, this.hold.node);
  }

  open(event) {
    if (event.target.closest("a, button") || getSelection().toString()) return;
    location.hash = address(this.name);
  }

  onSight(isSeen) {
    this.isSeen = isSeen;
    if (!isSeen || !this.pool) return;
    if (later.take(this) || !this.state) this.draw();
    this.follow();
  }

  update(pool) {
    this.pool = pool;
    if (this.isSeen) this.draw();
    else later.put(this);
  }

  draw() {
    const { pool } = this;
    if (!this.state) this.build();
    const { kind, words } = state(pool);
    mark(this.state, "kind", kind);
    say(this.state, words);
    say(this.bounds, bounds(pool));
    this.bar.update(pool);
    this.legend.update(pool);
    this.facts.update(pool);
    const told = sentence(pool.why, pool.pool);
    say(this.why, told);
    title(this.why, told);
    this.hold.update(pool, time);
  }

  follow() {
    if (this.isSeen) this.spark?.refresh();
  }

  tick() {
    if (this.isSeen) this.hold?.update(this.pool, time);
  }
}

// The one word that tells best what goes on.
export function state(pool) {
  if (pool.removed) return { kind: "leaving", words: "removed" };
  if (pool.blind.length) return { kind: "blind", words: "blind" };
  if (pool.orders.some((order) => order.kind === "pause")) return { kind: "paused", words: "paused" };
  if (pool.direction === "up") return { kind: "up", words: "scaling up" };
  if (pool.direction === "down") return { kind: "down", words: "scaling down" };
  if (pool.limited_by.length) return { kind: "held", words: "held" };
  if (pool.current === 0 && !pool.desired) return { kind: "zero", words: "at zero" };
  return { kind: "steady", words: "steady" };
}

// The numbers of a pool as a list of terms.
export function facts() {
  const names = ["waiting", "oldest", "busy slots", "arrivals", "task time"];
  const values = new Map(names.map((name) => [name, el("dd")]));
  const node = el("dl", { class: "facts" }, ...names.map((name) => el("div", {}, el("dt", { text: name }), values.get(name))));
  const update = (pool) => {
    say(values.get("waiting"), brief(pool.backlog));
    say(values.get("oldest"), pool.backlog === null ? duration(null) : duration(Math.ceil(pool.oldest_wait_seconds ?? 0)));
    say(values.get("busy slots"), pool.slots === null ? count(null) : `${brief(pool.busy)}/${brief(pool.slots)}`);
    say(values.get("arrivals"), rate(pool.arrivals_per_second));
    say(values.get("task time"), duration(pool.runtime_seconds, { fine: true }));
  };
  return { node, update };
}

// What holds a pool back, and when that ends.
export class Hold {
  constructor() {
    this.words = el("span");
    this.node = el("p", { class: "hold" }, this.words);
  }

  update(pool, now) {
    const told = pool.removed ? "" : hold(pool, now);
    mark(this.node, "on", Boolean(told));
    say(this.words, told || "nothing holds it back");
  }
}

function hold(pool, now) {
  const next = pool.next_change;
  if (!pool.limited_by.length && !next) return "";
  const rules = pool.limited_by.length ? `held: ${pool.limited_by.map(spacedReason).join(", ")}` : "";
  const change = next ? `${next.to > pool.current ? "up" : "down"} to ${next.to} in ${duration(Math.max(0, next.at - now))}` : "";
  return [rules, change].filter(Boolean).join(" · ");
}

const spacedReason = (reason) => reason.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
