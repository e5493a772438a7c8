// A pool's last hour or day: replicas by phase with the wanted count, what waits, and for how long.

import uPlot from "./vendor/uplot.js";
import { curve, DAY, HOUR } from "./curves.js";
import { el, say } from "./dom.js";
import { colour, onTheme } from "./theme.js";
import { clock, count, duration, UNKNOWN } from "./words.js";

const STACK = ["ready", "starting", "draining"];
const HEIGHT = 150;
const sync = uPlot.sync("pool");

export class Charts {
  constructor(pool) {
    this.pool = pool;
    this.span = HOUR;
    this.plots = [];
    this.buttons = [["Hour", HOUR], ["Day", DAY]].map(([text, span]) => el("button", { type: "button", text, "aria-pressed": span === HOUR, on: { click: () => this.choose(span) } }));
    this.spans = [HOUR, DAY];
    this.figures = FIGURES.map(({ name }) => {
      const box = el("div", { class: "plot" });
      const words = el("span", { class: "small" });
      const node = el("figure", {}, el("figcaption", {}, el("b", { text: name }), " ", words), box);
      return { node, box, words };
    });
    this.problem = el("p", { class: "empty", hidden: true });
    this.node = el("section", { class: "panel charts", "aria-labelledby": "charts-title" }, el("div", { class: "section-head" }, el("h2", { id: "charts-title", text: "Over time" }), el("div", { class: "switch", role: "group", "aria-label": "Span of the charts" }, ...this.buttons)), this.problem, ...this.figures.map((f) => f.node));
    this.unsubscribe = onTheme(() => this.rebuild());
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.node);
    this.refresh();
  }

  choose(span) {
    this.span = span;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", this.spans[i] === span));
    this.rebuild();
  }

  rebuild() {
    for (const plot of this.plots) plot.destroy();
    this.plots = [];
    this.refresh();
  }

  close() {
    this.unsubscribe();
    this.resizing.disconnect();
    for (const plot of this.plots) plot.destroy();
    this.closed = true;
  }

  async refresh() {
    const span = this.span;
    try {
      const told = await curve(this.pool, span);
      if (!this.closed && span === this.span) this.draw(told);
    } catch (error) {
      this.problem.hidden = false;
      say(this.problem, `No charts: ${error.message}`);
    }
  }

  draw(told) {
    this.problem.hidden = true;
    FIGURES.forEach((figure, i) => {
      const data = figure.data(told.points);
      say(this.figures[i].words, figure.words(told));
      if (this.plots[i]) this.plots[i].setData(data, false);
      else this.plots[i] = new uPlot(options(figure, this.width(i)), data, this.figures[i].box);
      const [min, max] = told.range;
      this.plots[i].setScale("x", { min, max });
      // While nobody points anywhere the latest values stand below; the library clears them after it has drawn.
      if (!(this.plots[i].cursor.left >= 0)) setTimeout(() => !this.closed && this.plots[i]?.setLegend({ idx: data[0].length - 1 }), 0);
    });
  }

  width(i) {
    return Math.max(120, Math.floor(this.figures[i].box.clientWidth));
  }

  resize() {
    this.plots.forEach((plot, i) => {
      if (plot.width !== this.width(i)) plot.setSize({ width: this.width(i), height: HEIGHT });
    });
  }
}

const column = (points, of) => points.map(of);
const times = (points) => column(points, (p) => p.at);

// Stacked from the ground: each line is the sum of those below, and the highest is painted first.
function stacked(points) {
  const sums = STACK.map((_, top) => column(points, (p) => (p.ready === null ? null : STACK.slice(0, top + 1).reduce((sum, name) => sum + (p[name] ?? 0), 0))));
  return [times(points), ...sums.reverse(), column(points, (p) => p.desired)];
}

// What a layer of the stack adds to the one below it, which is the next series.
const part = (below) => (plot, sum, i, at) => (sum === null || at === null ? UNKNOWN : count(sum - (below > 1 ? (plot.data[i + 1][at] ?? 0) : 0)));

const steps = (align = 1) => uPlot.paths.stepped({ align });
const filled = (label, name, alpha = 1) => ({ label, fill: translucent(name, alpha), stroke: colour(name), width: 1, paths: steps(), points: { show: false }, spanGaps: false });

const FIGURES = [
  {
    name: "Replicas",
    words: (told) => `at most ${count(told.peak(...STACK))}; the dashed line is what was wanted`,
    data: stacked,
    series: () => [...STACK.toReversed().map((phase, i) => ({ ...filled(phase, phase, 0.75), value: part(STACK.length - i) })), { label: "wanted", stroke: colour("ink"), width: 1.5, dash: [5, 3], paths: steps(), points: { show: false } }],
    value: count,
    least: 2,
  },
  {
    name: "Tasks waiting",
    words: (told) => `at most ${count(told.peak("backlog"))}`,
    data: (points) => [times(points), column(points, (p) => p.backlog)],
    series: () => [filled("waiting", "waiting", 0.45)],
    value: count,
    least: 4,
  },
  {
    name: "Oldest wait",
    words: (told) => `at most ${duration(told.peak("wait"), { fine: true })}`,
    data: (points) => [times(points), column(points, (p) => p.wait)],
    series: () => [filled("oldest wait", "wait", 0.4)],
    value: (n) => duration(n, { fine: true }),
    least: 4,
  },
];

function options({ series, value, least }, width) {
  const shades = series();
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "11px system-ui, sans-serif" };
  return {
    width,
    height: HEIGHT,
    legend: { live: true, markers: { width: 0, fill: (_, i) => shades[i - 1]?.fill ?? shades[i - 1]?.stroke } },
    cursor: { sync: { key: sync.key }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { time: true, auto: false }, y: { range: (_, __, most) => [0, Math.max(least, (most ?? 0) * 1.08)] } },
    axes: [{ ...axis, space: 70, size: 28, values: (_, at) => at.map((t) => (at[1] - at[0] < 60 ? clock(t) : clock(t).slice(0, -3))) }, { ...axis, size: 44, values: (_, ticks) => ticks.map((n) => (Number.isInteger(n) ? value(n) : "")) }],
    series: [{ label: "at", value: (_, at) => (at === null ? "–" : clock(at)) }, ...shades.map((s) => ({ value: (_, n) => value(n), ...s }))],
  };
}

function translucent(name, alpha) {
  const [r, g, b] = colour(name).match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}
