// The past of each pool, as points in steps of equal length: fetched from the journal once, then continued from what comes live.

import { ask } from "./feed.js";

export const HOUR = 3600;
export const DAY = 86400;
const POINTS = 240;
const PEAKS = ["backlog", "wait", "busy", "desired"];
const PHASES = ["ready", "starting", "draining"];

const kept = new Map();

// The points of a pool, oldest first; the same promise for everybody who asks while the span is the same.
export function curve(pool, span) {
  const key = `${span} ${pool}`;
  if (!kept.has(key)) {
    const since = Math.floor(Date.now() / 1000 - span);
    const query = new URLSearchParams({ pool, since, points: POINTS });
    const asked = ask(`api/v1/history?${query}`).then((told) => new Curve(told.pools[pool], told.step, span));
    asked.then((made) => (kept.get(key).made = made)).catch(() => kept.delete(key));
    kept.set(key, { asked, made: null });
  }
  return kept.get(key).asked;
}

// What was seen now, added to every curve that is kept.
export function follow(status) {
  if (!status.last_tick_at) return;
  for (const pool of status.pools) {
    for (const span of [HOUR, DAY]) kept.get(`${span} ${pool.pool}`)?.made?.add(status.last_tick_at, pool);
  }
}

// After a gap in what came live the journal knows better.
export function forget() {
  kept.clear();
}

// A point tells the most of its step; its phases are those of the moment with most replicas, as in the journal's own points.
class Curve {
  constructor(rows, step, span) {
    this.step = step;
    this.span = span;
    this.points = rows;
  }

  add(at, pool) {
    const seen = { at: this.begin(at), backlog: pool.backlog, wait: pool.oldest_wait_seconds, busy: pool.busy, desired: pool.desired };
    for (const phase of PHASES) seen[phase] = pool.replicas?.[phase] ?? 0;
    const last = this.points.at(-1);
    if (last && last.at >= seen.at) this.points[this.points.length - 1] = most(last, seen);
    else this.points.push(seen);
    while (this.points[0].at < at - this.span - this.step) this.points.shift();
    if (this.points.length > 2 * POINTS) this.coarsen();
  }

  begin(at) {
    return Math.floor(at / this.step) * this.step;
  }

  coarsen() {
    this.step *= 2;
    const merged = new Map();
    for (const point of this.points) {
      const at = this.begin(point.at);
      merged.set(at, { ...(merged.has(at) ? most(merged.get(at), point) : point), at });
    }
    this.points = [...merged.values()];
  }

  peak(...names) {
    return this.points.reduce((top, point) => Math.max(top, names.reduce((sum, name) => sum + (point[name] ?? 0), 0)), 0);
  }

  // From when to when there is something to draw: five minutes at least, all of the span once there is so much.
  get range() {
    const until = (this.points.at(-1)?.at ?? Date.now() / 1000) + this.step;
    const known = until - (this.points[0]?.at ?? until);
    return [until - Math.min(this.span, Math.max(known, 300)), until];
  }
}

const total = (point) => PHASES.reduce((sum, phase) => sum + (point[phase] ?? 0), 0);

function most(a, b) {
  const peaks = PEAKS.map((name) => [name, a[name] === null ? b[name] : b[name] === null ? a[name] : Math.max(a[name], b[name])]);
  const fuller = total(b) >= total(a) ? b : a;
  return { at: a.at, ...Object.fromEntries(peaks), ...Object.fromEntries(PHASES.map((phase) => [phase, fuller[phase]])) };
}
