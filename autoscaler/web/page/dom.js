// Elements from plain values. All text enters the page as text: nothing here, or anywhere else, parses markup.

export function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

// Writes only where something differs, so that an unchanged page costs no layout.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function mark(node, name, value) {
  const text = String(value);
  if (node.dataset[name] !== text) node.dataset[name] = text;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

export function title(node, text) {
  if (node.title !== text) node.title = text;
}

// Keeps one node for each key, in this order: nodes that stay are moved only where the order changed.
export function keyed(parent, known, keys, make) {
  const wanted = new Set(keys);
  for (const [key, made] of known) {
    if (!wanted.has(key)) {
      made.node.remove();
      known.delete(key);
    }
  }
  let before = null;
  for (let i = keys.length - 1; i >= 0; i--) {
    let made = known.get(keys[i]);
    if (!made) known.set(keys[i], (made = make(keys[i], i)));
    if (made.node.parentNode !== parent || made.node.nextSibling !== before) parent.insertBefore(made.node, before);
    before = made.node;
  }
}

// For screen readers, once, and only what nobody should miss.
export function announce(text) {
  say(byId("said"), text);
}
