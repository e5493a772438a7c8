// The latest decisions of all pools that said something new, with what became of them; filtered by kind and by words.

import { address } from "./cards.js";
import { byId, el, keyed, show } from "./dom.js";
import { clock, moment, sentence } from "./words.js";

const KEPT = 400;
const SHOWN = 80;
const rows = new Map();
const known = new Map();

export function begin() {
  byId("log-kind").addEventListener("change", arrange);
  byId("log-filter").addEventListener("input", arrange);
}

export function add(fresh) {
  for (const row of fresh) rows.set(row.id, row);
  while (rows.size > KEPT) rows.delete(rows.keys().next().value);
  arrange();
}

const KINDS = {
  all: () => true,
  changes: (row) => row.desired !== row.current,
  held: (row) => row.desired === row.current && /Stabilized|Limit|Cooling|Backing|Blind|Unseen|TooMany|Paused/.test(row.reason),
  failed: (row) => row.outcomes?.some(isBad) ?? false,
  orders: (row) => Boolean(row.order) || /Paused|Ordered|ByHand/.test(row.reason),
};

const isBad = (outcome) => outcome.result === "failed" || outcome.oom || (outcome.code ?? 0) !== 0;

function arrange() {
  const kind = KINDS[byId("log-kind").value];
  const words = byId("log-filter").value.trim().toLowerCase();
  const matches = (row) => kind(row) && (!words || `${row.why} ${row.pool} ${row.reason}`.toLowerCase().includes(words));
  const ids = [...rows.keys()].sort((a, b) => b - a).filter((id) => matches(rows.get(id))).slice(0, SHOWN);
  keyed(byId("log"), known, ids, (id) => ({ node: line(rows.get(id)) }));
  show(byId("log-empty"), !ids.length);
}

function line(row) {
  const way = row.desired > row.current ? "▲" : row.desired < row.current ? "▼" : "=";
  const ends = (row.outcomes ?? []).filter((outcome) => isBad(outcome) || outcome.kind !== "remove").map(outcome);
  return el(
    "li",
    { data: { bad: (row.outcomes ?? []).some(isBad), way: row.desired > row.current ? "up" : row.desired < row.current ? "down" : "none" } },
    el("time", { datetime: new Date(row.at * 1000).toISOString(), title: moment(row.at), text: clock(row.at) }),
    el("span", { class: "way", "aria-hidden": "true", text: way }),
    el("span", { class: "told" }, el("a", { href: address(row.pool), text: row.pool }), ` ${sentence(row.why, row.pool)}`, ends.length ? el("span", { class: "ends", text: ends.join("; ") }) : null),
  );
}

function outcome({ kind, replica, result, detail, code, oom }) {
  const left = code === null || code === undefined ? "" : oom ? ", out of memory" : code ? `, exit code ${code}` : "";
  const done = result === "done" ? { start: "started", drain: "asked to leave", kill: "killed", remove: "gone" }[kind] ?? kind : `${kind} ${result.replaceAll("_", " ")}`;
  return `${replica} ${done}${left}${detail && result === "failed" ? `: ${detail}` : ""}`;
}
