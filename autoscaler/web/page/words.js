// Numbers, times and reasons as people read them. What nobody could see is a dash, never a zero.

export const UNKNOWN = "–";

const UNITS = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];

export function count(number) {
  if (number === null || number === undefined) return UNKNOWN;
  const digits = String(Math.round(number)); // a page of many pools has thousands of these: the browser's own formats are slower
  return digits.length > 3 ? digits.replace(/\B(?=(\d{3})+$)/g, ",") : digits;
}

// The same where there is room for few digits: from ten thousand on "12.3K".
export function brief(number) {
  return typeof number === "number" && number >= 10_000 ? thousands().format(number) : count(number);
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

// In its two largest units; below ten seconds with one decimal where it is asked for.
export function duration(seconds, { fine = false } = {}) {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (fine && seconds < 9.95) return `${seconds.toFixed(1)} s`;
  let left = Math.max(0, Math.round(seconds));
  const words = [];
  for (const [name, size] of UNITS) {
    const n = Math.floor(left / size);
    left -= n * size;
    if (n || words.length) words.push(n ? `${n} ${name}` : "");
    if (words.length === 2) break;
  }
  return words.filter(Boolean).join(" ") || "0 s";
}

// How `autoscaler pause --for` takes it.
export function compact(seconds) {
  return duration(seconds).replaceAll(" ", "");
}

export function rate(perSecond) {
  if (perSecond === null || perSecond === undefined) return UNKNOWN;
  const [amount, unit] = perSecond > 0 && perSecond < 0.5 ? [perSecond * 60, "min"] : [perSecond, "s"];
  return `${amount.toFixed(amount < 9.95 ? 1 : 0)}/${unit}`;
}

// The browser's formats are made when they are first needed: the first one takes longer than all that the page shows at first.
const once = (make) => {
  let made = null;
  return () => (made ??= make());
};
const thousands = once(() => new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }));
const clockFormat = once(() => new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }));
const dayFormat = once(() => new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" }));
const longFormat = once(() => new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" }));

export function clock(at) {
  const date = new Date(at * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clockFormat().format(date) : `${dayFormat().format(date)} ${clockFormat().format(date)}`;
}

// With date and zone, for tooltips.
export function moment(at) {
  return longFormat().format(new Date(at * 1000));
}

// A sentence of the daemon without the name of the pool in front, which stands above it anyway.
export function sentence(why, pool) {
  const bare = why.startsWith(`${pool} `) ? why.slice(pool.length + 1) : why.startsWith(`${pool}: `) ? why.slice(pool.length + 2) : why;
  return bare
    .replace(/^(\d+): /, "stays at $1: ")
    .replace(/^(\d+), holding: /, "held at $1: ")
    .replace(/(\d+) -> (\d+)/g, "$1 → $2");
}

// "ScaleDownStabilized" -> "scale down stabilized"
export function spaced(reason) {
  return reason.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}
