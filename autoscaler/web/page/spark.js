// The last hour of a pool in a small picture: above, how many tasks waited; below, the replicas by phase and how many were wanted.

import { curve, HOUR } from "./curves.js";
import { el, say } from "./dom.js";
import { colour } from "./theme.js";
import { count, duration } from "./words.js";

const STACK = ["ready", "starting", "draining"];
const SPLIT = 0.42; // of the height, for what waits

export class Spark {
  constructor(name) {
    this.name = name;
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.peak = el("span", { class: "peak" });
    this.node = el("div", { class: "spark" }, this.canvas, this.peak);
  }

  // To be called while it is on the screen: its past is asked for when it first comes into view.
  refresh() {
    curve(this.name, HOUR).then(
      (told) => this.draw(told),
      () => say(this.peak, "the journal cannot be read"),
    );
  }

  draw(told) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * scale)) this.canvas.width = Math.round(width * scale);
    if (this.canvas.height !== Math.round(height * scale)) this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const [from, until] = told.range;
    const view = { pen, step: told.step, points: told.points, x: (at) => ((at - from) / (until - from)) * width };
    const top = Math.round(height * SPLIT);
    const waiting = told.peak("backlog");
    area(view, told.points.map((p) => p.backlog), null, 2, top - 3, Math.max(waiting, 1), colour("waiting"), 0.55);
    const most = Math.max(told.peak("desired"), told.peak(...STACK), 1);
    let below = null;
    for (const phase of STACK) {
      const floor = below;
      const ceiling = told.points.map((p, i) => (floor ? floor[i] : 0) + (p[phase] ?? 0));
      area(view, ceiling, floor, top + 3, height - 1, most, colour(phase), 0.75);
      below = ceiling;
    }
    line(view, (p) => p.desired, top + 3, height - 1, most, colour("ink"));
    pen.fillStyle = colour("line");
    pen.fillRect(0, top, width, 1);
    say(this.peak, `last ${duration(until - from)}: up to ${count(waiting)} waiting, ${count(told.peak(...STACK))} replicas`);
  }
}

function area({ pen, points, x, step }, ceiling, floor, top, bottom, most, fill, alpha) {
  const y = (n) => bottom - ((bottom - top) * (n ?? 0)) / most;
  pen.beginPath();
  points.forEach((p, i) => {
    const right = x(points[i + 1]?.at ?? p.at + step);
    if (i === 0) pen.moveTo(x(p.at), y(ceiling[i]));
    pen.lineTo(x(p.at), y(ceiling[i]));
    pen.lineTo(right, y(ceiling[i]));
  });
  for (let i = points.length - 1; i >= 0; i--) {
    const p = points[i];
    pen.lineTo(x(points[i + 1]?.at ?? p.at + step), y(floor ? floor[i] : 0));
    pen.lineTo(x(p.at), y(floor ? floor[i] : 0));
  }
  pen.globalAlpha = alpha;
  pen.fillStyle = fill;
  pen.fill();
  pen.globalAlpha = 1;
}

function line({ pen, points, x, step }, value, top, bottom, most, stroke) {
  const y = (n) => bottom - ((bottom - top) * n) / most;
  pen.beginPath();
  let joined = false;
  points.forEach((p, i) => {
    const n = value(p);
    if (n === null) return (joined = false);
    if (joined) pen.lineTo(x(p.at), y(n));
    else pen.moveTo(x(p.at), y(n));
    pen.lineTo(x(points[i + 1]?.at ?? p.at + step), y(n));
    joined = true;
  });
  pen.strokeStyle = stroke;
  pen.lineWidth = 1.25;
  pen.stroke();
}
