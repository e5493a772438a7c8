// A hand on the wheel: what can be ordered, the command that does the same in a terminal, and the request itself.
// The token is typed in here, kept in this tab alone, and sent with orders only.

import { announce, byId, el, say } from "./dom.js";
import { ask } from "./feed.js";

const KEPT_AS = "autoscaler-token";
const PERIODS = [["", "until it is resumed"], ["15m", "15 minutes"], ["1h", "1 hour"], ["4h", "4 hours"], ["1d", "1 day"]];
const DIRECTIONS = [["both", "up and down"], ["up", "up only"], ["down", "down only"]];
const TOAST_SECONDS = 8;

// What each order asks for, and how it is told. `fields` are asked in this order; `path` is relative to the pool.
const ORDERS = {
  pause: { title: "Pause", verb: "Pause", about: "Holds the count as it is, whatever the work asks for.", fields: ["direction", "for", "why"] },
  resume: { title: "Resume", verb: "Resume", about: "Ends a pause, a count set by hand and a drain of the whole pool.", fields: ["why"] },
  scale: { title: "Set the count", verb: "Set", about: "So many replicas, at once, past windows and cooldowns; minimum and maximum still hold.", fields: ["replicas", "for", "why"] },
  wake: { title: "Wake", verb: "Wake", about: "Looks and decides now instead of at the next tick; work was sent.", fields: ["count"] },
  drain: { title: "Drain", verb: "Drain all", about: "Every worker finishes what it has begun and leaves; none is started until the pool is resumed.", fields: ["for", "why"] },
  "drain-worker": { title: "Drain one worker", verb: "Drain", action: "drain", about: "It finishes what it has begun and leaves; it is replaced if the work asks for it.", fields: ["why"] },
  reload: { title: "Reload config.yaml", verb: "Reload", about: "Reads the file now; it is put in force whole or refused whole.", fields: [] },
};
const BUTTONS = [["pause", "Pause …"], ["resume", "Resume"], ["scale", "Set count …"], ["wake", "Wake"], ["drain", "Drain …"]];

export class Steer {
  constructor() {
    this.token = kept();
    byId("key").addEventListener("click", () => this.openToken());
    byId("reload").addEventListener("click", () => this.open(null, "reload"));
    this.showToken();
  }

  for(pool) {
    return {
      open: (kind, given) => this.open(pool, kind, given),
      buttons: () => BUTTONS.map(([kind, text]) => el("button", { type: "button", text, "aria-haspopup": "dialog", on: { click: () => this.open(pool, kind) } })),
    };
  }

  open(pool, kind, given = {}) {
    const order = ORDERS[kind];
    const form = new Form(order.fields, this.token === "");
    const command = el("code", { class: "command" });
    const problem = el("p", { class: "problem", role: "alert" });
    const go = el("button", { type: "submit", class: "main", text: order.verb });
    const target = given.worker ?? pool;
    const dialog = this.dialog(`${order.title}${target ? ` ${target}` : ""}`, [
      el("p", { text: order.about }),
      form.node,
      el("div", { class: "terminal" }, el("span", { class: "label", text: "The same in a terminal" }), el("div", { class: "copyable" }, command, copyButton(() => command.textContent))),
      problem,
    ], go);
    const tell = () => say(command, inTerminal(kind, target, form.values()));
    dialog.addEventListener("input", tell);
    tell();
    dialog.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      say(problem, "");
      try {
        const told = await this.send(pool, order.action ?? kind, { ...given, ...form.values() }, form.token());
        dialog.close();
        toast([told.detail, ...(told.notes ?? [])].join(". "));
      } catch (error) {
        say(problem, error.message);
        if (error.code === 401) this.keep("");
      } finally {
        go.disabled = false;
      }
    });
  }

  async send(pool, action, said, typed) {
    const token = typed || this.token;
    const path = pool ? `api/v1/pools/${encodeURIComponent(pool)}/${action}` : "-/reload";
    const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const told = await ask(path, { method: "POST", headers, body: JSON.stringify(said) });
    if (typed) this.keep(typed);
    return told;
  }

  openToken() {
    const field = tokenField();
    const forget = el("button", { type: "button", text: "Forget it", disabled: this.token === "", on: { click: () => (this.keep(""), dialog.close()) } });
    const dialog = this.dialog("Token", [el("p", { text: "One of those in api.token_file. It stays in this tab, is sent with orders only and is gone when the tab is closed." }), field], el("button", { type: "submit", class: "main", text: "Keep" }), forget);
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.keep(field.querySelector("input").value.trim() || this.token);
      dialog.close();
    });
  }

  dialog(title, content, ...buttons) {
    const heading = el("h2", { id: "dialog-title", text: title });
    const cancel = el("button", { type: "button", text: "Cancel", on: { click: () => dialog.close() } });
    const dialog = el("dialog", { "aria-labelledby": "dialog-title", on: { close: () => dialog.remove(), click: (event) => event.target === dialog && dialog.close() } }, el("form", {}, heading, ...content, el("div", { class: "choices" }, cancel, ...buttons.toReversed())));
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
  }

  keep(token) {
    this.token = token;
    try {
      if (token) sessionStorage.setItem(KEPT_AS, token);
      else sessionStorage.removeItem(KEPT_AS);
    } catch {
      // Without storage it is kept as long as the page.
    }
    this.showToken();
  }

  showToken() {
    say(byId("key"), this.token ? "Token: kept" : "Token");
  }
}

function kept() {
  try {
    return sessionStorage.getItem(KEPT_AS) ?? "";
  } catch {
    return "";
  }
}

// The fields of one order. Empty ones are not said.
class Form {
  constructor(names, needsToken) {
    this.fields = names.map((name) => [name, FIELDS[name]()]);
    this.secret = needsToken ? tokenField() : null;
    this.node = el("div", { class: "fields" }, ...this.fields.map(([, field]) => field), this.secret);
  }

  values() {
    const said = this.fields.map(([name, field]) => [name, field.querySelector("input, select").value.trim()]).filter(([, text]) => text !== "");
    return Object.fromEntries(said.map(([name, text]) => [name, NUMBERS.has(name) ? Number(text) : text]));
  }

  token() {
    return this.secret?.querySelector("input").value.trim() ?? "";
  }
}

const NUMBERS = new Set(["replicas", "count"]);
const FIELDS = {
  direction: () => field("Which changes", choice(DIRECTIONS)),
  for: () => field("For how long", choice(PERIODS)),
  why: () => field("Why", el("input", { type: "text", maxlength: 200, autocomplete: "off", placeholder: "is shown wherever the order is" })),
  replicas: () => field("Replicas", el("input", { type: "number", min: 0, max: 10000, step: 1, value: 1, required: true })),
  count: () => field("Tasks sent, if known", el("input", { type: "number", min: 0, step: 1 })),
};

function field(text, control) {
  return el("label", {}, el("span", { text }), control);
}

function choice(options) {
  return el("select", {}, ...options.map(([value, text]) => el("option", { value, text })));
}

function tokenField() {
  return field("Token", el("input", { type: "password", autocomplete: "off", spellcheck: "false" }));
}

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function inTerminal(kind, target, said) {
  const action = ORDERS[kind].action ?? kind;
  const words = ["autoscaler", action, ...(target ? [quoted(target)] : []), ...("replicas" in said ? [said.replicas] : [])];
  for (const name of ["for", "direction", "count", "why"]) {
    if (name in said && said[name] !== "both") words.push(`--${name}`, quoted(String(said[name])));
  }
  return words.join(" ");
}

function copyButton(text) {
  const button = el("button", { type: "button", class: "quiet small", text: "Copy" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      say(button, "Copied");
    } catch {
      say(button, "Select it"); // no clipboard on an address without TLS
    }
    setTimeout(() => say(button, "Copy"), 2000);
  });
  return button;
}

function toast(text) {
  const node = el("p", { class: "toast", text });
  byId("toasts").append(node);
  announce(text);
  setTimeout(() => node.remove(), TOAST_SECONDS * 1000);
}
