// The workers of one pool: what each runs and holds, how long it is there, how far its drain is.

import { el, keyed, mark, say, show, title } from "./dom.js";
import { count, duration, plural } from "./words.js";

const SHOWN = 100;
const RANK = ["lost", "draining", "stopping", "starting", "ready", "foreign"];
const COLUMNS = ["Worker", "Phase", "For", "Tasks", "Broker", "Order"];

export class Workers {
  constructor(steer) {
    this.steer = steer;
    this.known = new Map();
    this.all = false;
    this.detail = null;
    this.body = el("tbody");
    this.caption = el("p", { class: "empty" });
    this.more = el("button", { type: "button", class: "quiet", on: { click: () => ((this.all = !this.all), this.arrange()) } });
    this.table = el("table", { class: "workers" }, el("thead", {}, el("tr", {}, ...COLUMNS.map((text) => el("th", { scope: "col", text })))), this.body);
    this.heading = el("h2", { id: "workers-title", text: "Workers" });
    this.node = el("section", { class: "panel", "aria-labelledby": "workers-title" }, this.heading, this.caption, el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table of workers" }, this.table), this.more);
  }

  update(detail, now) {
    this.detail = detail;
    this.born = now;
    this.arrange();
  }

  arrange() {
    const rank = (worker) => RANK.indexOf(worker.phase) * 1e6 - (worker.running ?? 0);
    const workers = [...this.detail.workers].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
    const shown = this.all ? workers : workers.slice(0, SHOWN);
    const byName = new Map(shown.map((worker) => [worker.name, worker]));
    keyed(this.body, this.known, [...byName.keys()], (name) => new Row(name, this.steer));
    const drains = new Map(this.detail.memory.drains.map((drain) => [drain.replica, drain]));
    for (const [name, worker] of byName) this.known.get(name).update(worker, drains.get(name), this.detail);
    say(this.heading, `Workers (${count(workers.length)})`);
    show(this.table, workers.length > 0);
    show(this.caption, !workers.length);
    say(this.caption, this.detail.replicas ? "No worker runs: nothing is paid for." : "The engine was not seen, so nobody knows which workers run.");
    show(this.more, workers.length > SHOWN);
    say(this.more, this.all ? `Show the first ${SHOWN}` : `Show all ${count(workers.length)}`);
  }

  tick(now) {
    for (const row of this.known.values()) row.age(now - this.born);
  }
}

class Row {
  constructor(name, steer) {
    this.phase = el("span", { class: "phase" });
    this.since = el("td", { class: "number" });
    this.boxes = el("span", { class: "boxes", "aria-hidden": "true" });
    this.tasks = el("span", { class: "tasks" });
    this.drain = el("span", { class: "drain" });
    this.progress = el("progress", { max: "1", "aria-label": "of the time that a drain may take" });
    this.broker = el("td");
    this.button = el("button", { type: "button", class: "quiet small", text: "Drain", "aria-label": `Drain ${name}`, on: { click: () => steer.open("drain-worker", { worker: name }) } });
    this.node = el("tr", {}, el("th", { scope: "row" }, el("code", { text: name })), el("td", {}, this.phase), this.since, el("td", {}, this.boxes, this.tasks, this.drain, this.progress), this.broker, el("td", {}, this.button));
  }

  update(worker, drain, pool) {
    this.worker = worker;
    this.limit = worker.phase === "draining" ? pool.policy?.drain_timeout_seconds : null;
    mark(this.phase, "phase", worker.phase);
    say(this.phase, worker.phase);
    boxes(this.boxes, worker);
    const parts = [worker.running === null ? "nobody can say what it runs" : `${worker.running} of ${worker.slots} running`];
    if (worker.reserved) parts.push(`${worker.reserved} prefetched`);
    if (worker.scheduled) parts.push(`${worker.scheduled} scheduled`);
    say(this.tasks, parts.join(", "));
    title(this.drain, drain?.because ?? "");
    show(this.progress, this.limit !== null && this.limit !== undefined);
    say(this.broker, worker.broker ?? "");
    show(this.button, worker.phase === "ready" || worker.phase === "starting");
    this.age(0);
  }

  age(more) {
    const seconds = this.worker.age_seconds + more;
    say(this.since, duration(seconds));
    const left = this.worker.running === null ? "" : this.worker.running ? `, ${plural(this.worker.running, "task")} left` : ", nothing left to do";
    say(this.drain, this.limit ? `leaves: asked ${duration(seconds)} ago${left}, may take ${duration(this.limit)}` : "");
    if (this.limit) this.progress.value = Math.min(1, seconds / this.limit);
  }
}

// A box for each slot: full, free, or nobody knows; those of prefetched tasks stand behind.
function boxes(node, { slots, running, reserved }) {
  const key = `${slots} ${running} ${reserved}`;
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  const kinds = Array.from({ length: Math.min(slots, 16) }, (_, i) => (running === null ? "unknown" : i < running ? "full" : "free"));
  kinds.push(...Array.from({ length: Math.min(reserved, 16) }, () => "held"));
  node.replaceChildren(...kinds.map((kind) => el("i", { data: { kind } })));
}
