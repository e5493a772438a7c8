// What needs attention, in the daemon's own words: the first thing on the page, and the only one that is read out by itself.

import { announce, byId, el, keyed, mark, say } from "./dom.js";
import { clock, duration, plural } from "./words.js";

const SIGNS = { bad: "✕", warn: "!", info: "i", good: "✓" };
const WORDS = { bad: "Problem", warn: "Attention", info: "Note", good: "Good" };
const MOST = 6;

let list;
let more;
let known = new Map();
let isOpen = false;
let announced = "";

export function begin() {
  list = el("ul");
  more = el("button", { type: "button", class: "quiet more", hidden: true, on: { click: () => ((isOpen = !isOpen), arrange(last)) } });
  byId("notices").append(list, more);
}

let last = [];

export function update(status, link) {
  last = [...linkNotices(status, link), ...statusNotices(status)];
  if (!last.length) last = [{ kind: "good", text: allWell(status) }];
  arrange(last);
  const urgent = last.filter((n) => n.kind === "bad" || n.kind === "warn").map((n) => n.steady ?? n.text);
  const words = urgent.length ? `${plural(urgent.length, "thing needs", "things need")} attention: ${urgent[0]}` : "all is well";
  if (words !== announced) announce((announced = words));
  return urgent.length;
}

function arrange(notices) {
  const shown = isOpen ? notices : notices.slice(0, MOST);
  keyed(list, known, shown.map((_, i) => i), () => new Notice());
  shown.forEach((notice, i) => known.get(i).update(notice));
  more.hidden = notices.length <= MOST;
  say(more, isOpen ? "Show fewer" : `Show ${Math.max(0, notices.length - MOST)} more`);
}

class Notice {
  constructor() {
    this.sign = el("span", { class: "sign", "aria-hidden": "true" });
    this.kind = el("span", { class: "visually-hidden" });
    this.words = el("span", { class: "words" });
    this.node = el("li", { class: "notice" }, this.sign, this.kind, this.words);
  }

  update({ kind, text }) {
    mark(this.node, "kind", kind);
    say(this.sign, SIGNS[kind]);
    say(this.kind, `${WORDS[kind]}: `);
    say(this.words, text);
  }
}

function linkNotices(status, { state, age, retryIn, isOld }) {
  if (state === "lost") {
    const again = retryIn === null ? "trying again now" : `trying again in ${duration(retryIn)}`;
    const old = status ? `; what you see is ${duration(age)} old` : "";
    return [{ kind: "bad", text: `No connection to the daemon: ${again}${old}`, steady: "No connection to the daemon" }];
  }
  if (isOld) {
    const text = `The daemon answers, but its loop has not finished a tick for ${duration(age)}: what you see is that old`;
    return [{ kind: "bad", text, steady: "The daemon's loop does not tick" }];
  }
  return [];
}

function statusNotices(status) {
  if (!status) return [];
  const down = status.sources.filter((source) => !source.up).map((source) => source.source);
  const bad = (text) => text.startsWith("config.yaml was refused") || down.some((name) => text.startsWith(`${name}: `));
  const found = status.trouble.map((text) => ({ kind: bad(text) ? "bad" : "warn", text, steady: text.replace(/\d+/g, "") }));
  found.push(...status.config.problems.slice(1).map((text) => ({ kind: "bad", text: `also in config.yaml: ${text}` })));
  if (status.dry_run) found.push({ kind: "info", text: "Dry run: everything is decided and reported, nothing is started or stopped" });
  if (status.standby) found.push({ kind: "info", text: typeof status.standby === "string" ? status.standby : "Standby: another instance is in charge, this one only looks" });
  found.push(...status.pools.flatMap(orders));
  found.push(...status.config.not_in_force.map((text) => ({ kind: "info", text })));
  found.sort((a, b) => "bad warn info".indexOf(a.kind) - "bad warn info".indexOf(b.kind));
  return found;
}

// What people have ordered and still stands.
export function orders(pool) {
  return pool.orders.map((order) => {
    const ends = order.until ? `until ${clock(order.until)}` : "until it is resumed";
    const who = [order.by && `by ${order.by}`, order.why && `“${order.why}”`].filter(Boolean).join(", ");
    return { kind: "info", text: `${pool.pool} ${told(order)} ${ends}${who ? ` (${who})` : ""}` };
  });
}

function told(order) {
  if (order.kind === "pause") return order.direction === "both" ? "is paused" : `is paused for scaling ${order.direction}`;
  if (order.kind === "scale") return `is held at ${plural(order.replicas, "replica")} by hand`;
  if (order.kind === "drain") return order.worker ? `drains ${order.worker}` : "is being drained by hand";
  return `has the order ${order.kind}`;
}

function allWell(status) {
  if (!status) return "Asking the daemon …";
  const pools = plural(status.totals.pools, "pool");
  return `All is well: ${pools}, everything seen`;
}
