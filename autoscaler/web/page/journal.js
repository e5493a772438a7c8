// What happened: decisions of all pools that said something new, with what became of them, and what people have ordered;
// newest first, filtered by kind and by words.

import { address } from "./cards.js";
import { byId, el, keyed, show } from "./dom.js";
import { ask } from "./feed.js";
import { Slices } from "./slices.js";
import { clock, moment, sentence } from "./words.js";

const KEPT = 400;
const SHOWN = 80;
const rows = new Map();
const known = new Map();
const soon = new Slices(() => arrange()); // the pools come first, and several things that come together are one change
let standing = "";

export function begin() {
  byId("log-kind").addEventListener("change", arrange);
  byId("log-filter").addEventListener("input", arrange);
}

export function add(fresh) {
  for (const row of fresh) rows.set(`d${row.id}`, row);
  const oldest = [...rows.keys()].slice(0, Math.max(0, rows.size - KEPT));
  for (const key of oldest) rows.delete(key);
  soon.put("rows");
}

// Orders are not in the stream: they are asked for when those that stand are others.
export async function follow(status) {
  const now = JSON.stringify(status.pools.map((pool) => pool.orders));
  if (now === standing) return;
  standing = now;
  try {
    const { given } = await ask("api/v1/orders?limit=50");
    for (const order of given) rows.set(`o${order.id}`, { ...order, isOrder: true });
    soon.put("rows");
  } catch {
    // What is asked for is shown when the journal can be read again and something changes.
  }
}

const isBad = (outcome) => outcome.result === "failed" || outcome.oom || (outcome.code ?? 0) !== 0;
const way = (row) => (row.isOrder ? "order" : row.desired > row.current ? "up" : row.desired < row.current ? "down" : "none");
const SIGNS = { up: "▲", down: "▼", none: "=", order: "☞" };
const KINDS = {
  news: (row) => row.isNews,
  all: () => true,
  changes: (row) => !row.isOrder && row.desired !== row.current,
  held: (row) => !row.isOrder && row.desired === row.current && row.why.includes(", holding: "),
  failed: (row) => (row.outcomes ?? []).some(isBad),
  orders: (row) => Boolean(row.isOrder),
};

function arrange() {
  const kind = KINDS[byId("log-kind").value];
  const words = byId("log-filter").value.trim().toLowerCase();
  const matches = (row) => kind(row) && (!words || `${row.pool} ${row.why} ${row.told ?? ""} ${row.reason ?? ""}`.toLowerCase().includes(words));
  const all = [...rows.entries()].sort(([, a], [, b]) => a.at - b.at || a.id - b.id);
  markNews(all.map(([, row]) => row));
  const found = all.filter(([, row]) => matches(row)).reverse();
  keyed(byId("log"), known, found.slice(0, SHOWN).map(([key]) => key), (key) => ({ node: line(rows.get(key)) }));
  show(byId("log-empty"), !found.length);
}

// What changes a count, does something, or has another reason than the decision of the same pool before.
function markNews(oldestFirst) {
  const reasons = new Map();
  for (const row of oldestFirst) {
    row.isNews = row.isOrder || row.desired !== row.current || row.outcomes?.length > 0 || reasons.get(row.pool) !== row.reason;
    if (!row.isOrder) reasons.set(row.pool, row.reason);
  }
}

function line(row) {
  const ended = (row.outcomes ?? []).filter((outcome) => isBad(outcome) || outcome.kind !== "remove").map(outcome);
  const text = row.isOrder ? row.told : sentence(row.why, row.pool);
  return el(
    "li",
    { data: { bad: (row.outcomes ?? []).some(isBad), way: way(row) } },
    el("time", { datetime: new Date(row.at * 1000).toISOString(), title: moment(row.at), text: clock(row.at) }),
    el("span", { class: "way", "aria-hidden": "true", text: SIGNS[way(row)] }),
    el("span", { class: "told" }, row.pool ? el("a", { href: address(row.pool), text: row.pool }) : null, ` ${text}`, ended.length ? el("span", { class: "ends", text: ended.join("; ") }) : null),
  );
}

function outcome({ kind, replica, result, detail, code, oom }) {
  const left = oom ? ", out of memory" : code ? `, exit code ${code}` : "";
  const done = { start: "started", drain: "asked to leave", kill: "killed", remove: "gone" }[kind] ?? kind;
  return `${replica} ${result === "done" ? done : `${kind} ${result.replaceAll("_", " ")}`}${left}${detail && result === "failed" ? `: ${detail}` : ""}`;
}
