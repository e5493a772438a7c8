// A pool's replicas as one bar: a place for each allowed replica, filled by phase, with a pointer at the wanted count.
// Each phase has a pattern of its own and stands in words beside the bar, so nothing is told by colour alone.

import { el, mark, say, show } from "./dom.js";
import { count, plural } from "./words.js";

const MOST_PLACES = 60; // more would be thinner than the gaps between them
const KEPT = ["ready", "lost", "starting"];
const LEAVING = ["draining", "stopping"];
export const PHASES = [...KEPT, ...LEAVING];

export class Bar {
  constructor() {
    this.parts = new Map(PHASES.map((phase) => [phase, el("i", { class: "part", data: { phase } })]));
    this.busy = el("i", { class: "busy" });
    this.parts.get("ready").append(this.busy);
    this.fill = el("div", { class: "fill" }, ...this.parts.values());
    this.wanted = el("i", { class: "wanted" });
    this.least = el("i", { class: "least" });
    this.node = el("div", { class: "bar", role: "img" }, this.wanted, this.fill, this.least);
  }

  update(pool) {
    const counted = pool.replicas;
    mark(this.node, "unknown", !counted);
    const leaving = counted ? LEAVING.reduce((sum, phase) => sum + counted[phase], 0) : 0;
    const places = Math.max(pool.max, (pool.current ?? 0) + leaving, pool.desired ?? 0, 1);
    const share = (n) => `${(100 * n) / places}%`;
    this.node.style.setProperty("--places", places);
    mark(this.fill, "places", places <= MOST_PLACES ? "apart" : "joined");
    for (const [phase, part] of this.parts) part.style.width = share(counted ? counted[phase] : 0);
    this.busy.style.width = pool.slots && pool.busy !== null ? `${Math.min(100, (100 * pool.busy) / pool.slots)}%` : "0";
    show(this.wanted, pool.desired !== null);
    this.wanted.style.left = share(pool.desired ?? 0);
    show(this.least, pool.min > 0);
    this.least.style.left = share(pool.min);
    const words = inWords(pool);
    if (this.node.getAttribute("aria-label") !== words) this.node.setAttribute("aria-label", words);
  }
}

export function inWords(pool) {
  if (!pool.replicas) return "replicas unknown: the engine was not seen";
  const phases = PHASES.filter((phase) => pool.replicas[phase]).map((phase) => `${pool.replicas[phase]} ${phase}`);
  return `${phases.join(", ") || "no replica"}; ${count(pool.desired)} wanted, ${pool.min} to ${plural(pool.max, "replica")} allowed`;
}

// How many there are of how many that should be, and what is allowed.
export function bounds(pool) {
  if (pool.removed) return `${count(pool.current)} left of a pool that is no longer configured`;
  return `${count(pool.current)} of ${count(pool.desired)} wanted · ${count(pool.min)} to ${count(pool.max)} allowed`;
}

// The phases that there are, each with its pattern, its number and its name.
export class Legend {
  constructor() {
    this.numbers = new Map(PHASES.map((phase) => [phase, el("b")]));
    this.items = new Map(PHASES.map((phase) => [phase, el("li", {}, el("i", { class: "swatch", data: { phase } }), this.numbers.get(phase), ` ${phase}`)]));
    this.node = el("ul", { class: "legend" }, ...this.items.values());
  }

  update(pool) {
    for (const [phase, item] of this.items) {
      const n = pool.replicas?.[phase] ?? 0;
      show(item, n > 0 || phase === "ready");
      say(this.numbers.get(phase), count(pool.replicas ? n : null));
    }
  }
}
