// All pools together, in a few large numbers.

import { byId, el, mark, say } from "./dom.js";
import { count, plural } from "./words.js";

const tiles = new Map();

function tile(name, label) {
  const number = el("span", { class: "number" });
  const small = el("span", { class: "small" });
  const node = el("div", { class: "vital", data: { name } }, el("span", { class: "label", text: label }), number, small);
  tiles.set(name, { node, number, small });
  return node;
}

export function begin() {
  byId("vitals").append(tile("waiting", "Tasks waiting"), tile("busy", "Slots busy"), tile("replicas", "Replicas"), tile("pools", "Pools"));
}

function put(name, number, small, tone = "") {
  const made = tiles.get(name);
  say(made.number, number);
  say(made.small, small);
  mark(made.node, "tone", tone);
}

export function update(status) {
  const { totals, pools } = status;
  const oldest = Math.max(0, ...pools.map((pool) => pool.oldest_wait_seconds ?? 0));
  put("waiting", count(totals.backlog), totals.backlog ? `the oldest for up to ${Math.ceil(oldest)} s` : totals.backlog === 0 ? "nobody waits" : "not all queues are seen");
  const used = totals.slots ? `${Math.round((100 * totals.busy) / totals.slots)} % of ${count(totals.slots)}` : totals.slots === 0 ? "no slot is open" : "not known";
  put("busy", count(totals.busy), totals.busy === null ? "not all workers say" : used);
  const leaving = totals.draining ? `, ${count(totals.draining)} leaving` : "";
  put("replicas", count(totals.replicas), `${count(totals.desired)} wanted, at most ${count(totals.max_replicas)}${leaving}`);
  const held = pools.filter((pool) => pool.limited_by.length).length;
  const words = [totals.blind && `${totals.blind} blind`, held && `${held} held back`].filter(Boolean).join(", ");
  put("pools", count(totals.pools), words || plural(pools.filter((pool) => pool.current).length, "at work", "at work"), totals.blind ? "warn" : "");
}
