// Light, dark, or as the system has it; and the colours of the theme for what is drawn on a canvas.

import { byId, say } from "./dom.js";

const CHOICES = ["auto", "light", "dark"];
const listeners = new Set();
let cache = new Map();

function kept() {
  try {
    return localStorage.getItem("theme") || "auto";
  } catch {
    return "auto";
  }
}

function apply(choice) {
  document.documentElement.style.colorScheme = choice === "auto" ? "" : choice;
  say(byId("theme"), `Theme: ${choice}`);
  cache = new Map();
  for (const listener of listeners) listener();
}

export function begin() {
  let choice = CHOICES.includes(kept()) ? kept() : "auto";
  byId("theme").addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    apply(choice);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(choice));
  apply(choice);
}

export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// The colour that a custom property has now, as the canvas understands it.
export function colour(name) {
  let found = cache.get(name);
  if (!found) {
    const probe = document.createElement("span");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    found = getComputedStyle(probe).color;
    probe.remove();
    cache.set(name, found);
  }
  return found;
}
