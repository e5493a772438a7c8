// The daemon's status: once at the start, then as it changes, over one kept connection that is opened again when it breaks.
//
//   connecting --(first event)--> live --(error)--> lost --(backoff)--> connecting
//
// The page is told the whole status after every connection and what changed after that; `docs/http-api.md` describes the events.

const FIRST_RETRY_SECONDS = 1;
const LONGEST_RETRY_SECONDS = 15;
const SILENCE_SECONDS = 25; // the daemon says something every ten seconds at least
const HIDDEN_SECONDS = 300; // a page that nobody looks at leaves its place to others
const EVENTS = ["status", "change", "decisions", "heartbeat"];

export class Feed {
  constructor({ onStatus, onDecisions, onLink }) {
    this.hear = { status: onStatus, decisions: onDecisions, link: onLink };
    this.status = null;
    this.offset = 0; // the daemon's clock minus ours, in seconds
    this.failures = 0;
    this.retryAt = null;
    this.state = "connecting";
    this.lastHeard = performance.now();
    document.addEventListener("visibilitychange", () => this.onVisibility());
    addEventListener("online", () => this.retryNow());
    setInterval(() => this.watch(), 1000);
  }

  get now() {
    return Date.now() / 1000 + this.offset;
  }

  async begin() {
    this.open();
    try {
      const answer = await fetch("api/v1/status?workers=false", { headers: { accept: "application/json" } });
      const told = await answer.json();
      if (answer.ok && !this.status) this.take("status", told); // the stream may have been faster
    } catch {
      // The stream says so, too, and tries again.
    }
  }

  open() {
    this.close();
    this.setState("connecting");
    this.lastHeard = performance.now();
    this.source = new EventSource("api/v1/events");
    this.source.onerror = () => this.lose();
    for (const name of EVENTS) {
      this.source.addEventListener(name, (event) => {
        this.failures = 0;
        this.lastHeard = performance.now();
        this.setState("live");
        this.take(name, JSON.parse(event.data));
      });
    }
  }

  take(name, told) {
    if (name === "decisions") return this.hear.decisions(told);
    if (told.now) this.offset = told.now - Date.now() / 1000;
    if (name === "heartbeat") return;
    const changed = name === "status" ? null : new Set(told.pools.map((pool) => pool.pool));
    this.status = name === "status" ? told : this.merged(told);
    this.hear.status(this.status, changed);
  }

  merged(told) {
    const fresh = new Map(told.pools.map((pool) => [pool.pool, pool]));
    return { ...this.status, ...told, pools: this.status.pools.map((pool) => fresh.get(pool.pool) ?? pool) };
  }

  lose() {
    this.close();
    this.failures += 1;
    const longest = Math.min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** (this.failures - 1));
    const seconds = longest * (0.75 + Math.random() / 2); // so that many pages do not come back in one moment
    this.retryAt = performance.now() + seconds * 1000;
    this.timer = setTimeout(() => this.open(), seconds * 1000);
    this.setState("lost");
  }

  retryNow() {
    if (this.state !== "live") this.open();
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.hiding);
    this.retryAt = null;
    this.source?.close();
    this.source = null;
  }

  onVisibility() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      this.hiding = setTimeout(() => {
        this.close();
        this.setState("resting");
      }, HIDDEN_SECONDS * 1000);
    } else if (this.state === "resting" || this.state === "lost") {
      this.failures = 0;
      this.open();
    }
  }

  // A connection that is open and silent is as good as broken; and a laptop that slept does not know it yet.
  watch() {
    if (this.source && performance.now() - this.lastHeard > SILENCE_SECONDS * 1000) this.lose();
  }

  setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.hear.link(state);
  }
}

// One question to the API; an error is the daemon's own words.
export async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { accept: "application/json", ...options.headers } });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(body.error || `the daemon answered ${answer.status}`), { code: answer.status });
  return body;
}
