// The status page: puts the parts together. Data flows one way: feed -> views; views only ask for what they alone show.

import * as cards from "./cards.js";
import * as curves from "./curves.js";
import { byId, mark, say, show } from "./dom.js";
import { Feed } from "./feed.js";
import * as journal from "./journal.js";
import * as neighbours from "./neighbours.js";
import * as notices from "./notices.js";
import { PoolView } from "./pool.js";
import { Steer } from "./steer.js";
import * as theme from "./theme.js";
import * as vitals from "./vitals.js";
import { duration } from "./words.js";

const GRACE_SECONDS = 5; // beyond two intervals, before what is seen is called old

const steer = new Steer();
let detail = null;
let scrolled = 0;

const feed = new Feed({ onStatus, onDecisions, onLink });

function onStatus(status, changed) {
  curves.follow(status);
  journal.follow(status);
  say(byId("instance"), status.instance ?? "");
  say(byId("version"), `autoscaler ${status.version}.`);
  if (!detail) overview(status, changed);
  else detail.update(status.pools.find((pool) => pool.pool === detail.name), feed.now);
  mark(byId("main"), "ready", true);
  tick();
}

function overview(status, changed) {
  vitals.update(status);
  cards.update(status, changed);
  neighbours.update(status);
}

function onDecisions(rows) {
  journal.add(rows);
  detail?.news(rows);
}

function onLink(state) {
  if (state === "live") curves.forget();
  tick();
}

// Once a second: ages, countdowns, and whether what is shown is still true.
function tick() {
  const { status, now, state } = feed;
  const age = status?.last_tick_at ? Math.max(0, now - status.last_tick_at) : 0;
  const isOld = Boolean(status?.last_tick_at) && age > 2 * (status.interval_seconds ?? 2) + GRACE_SECONDS;
  const retryIn = feed.retryAt === null ? null : Math.max(0, (feed.retryAt - performance.now()) / 1000);
  lamp(state, age, isOld, status);
  const urgent = notices.update(status, { state, age, isOld, retryIn });
  headline(status, urgent);
  if (!status) return;
  if (detail) detail.tick(now);
  else {
    cards.tick(now);
    neighbours.tick(now);
  }
}

function lamp(state, age, isOld, status) {
  const live = state === "live" && !isOld;
  mark(byId("live"), "state", live ? "live" : state === "connecting" && !isOld ? "waiting" : "old");
  const ago = status?.last_tick_at ? `${duration(age)} ago` : "no tick yet";
  const words = { live: isOld ? `old: ${ago}` : `live, ${ago}`, connecting: "connecting", lost: `no connection, ${ago}`, resting: "resting" };
  say(byId("live-words"), words[state]);
}

function headline(status, urgent) {
  const waiting = status?.totals.backlog;
  const words = [urgent ? `(${urgent}!)` : "", waiting ? `${waiting} waiting` : "", "autoscaler"].filter(Boolean).join(" ");
  if (document.title !== words) document.title = words;
  const icon = `page/icon${urgent ? "-trouble" : ""}.svg`;
  const link = document.querySelector("link[rel=icon]");
  if (link.getAttribute("href") !== icon) link.setAttribute("href", icon);
}

// #/ is the overview, #/pools/<name> one pool.
function route() {
  const name = location.hash.startsWith("#/pools/") ? decodeURIComponent(location.hash.slice("#/pools/".length)) : null;
  if (detail?.name === name) return;
  if (!detail && name) scrolled = scrollY;
  const left = detail?.name;
  detail?.close();
  detail = name ? new PoolView(name, steer) : null;
  byId("detail").replaceChildren(...(detail ? [detail.node] : []));
  show(byId("detail"), Boolean(detail));
  show(byId("overview"), !detail);
  if (feed.status) onStatus(feed.status, null);
  if (detail) detail.heading.focus({ preventScroll: true });
  else if (left) cards.focus(left);
  scrollTo(0, detail ? 0 : scrolled);
}

theme.begin();
theme.onTheme(() => cards.redraw());
notices.begin();
vitals.begin();
cards.begin();
journal.begin();
neighbours.begin();
addEventListener("hashchange", route);
addEventListener("resize", () => cards.redraw());
document.addEventListener("visibilitychange", tick);
setInterval(tick, 1000);
route();
feed.begin();
