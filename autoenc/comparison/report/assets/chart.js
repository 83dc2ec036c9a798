// Axes: a frame with ticks and labels, and the position of a value.

const TICK_LENGTH = 5;
const CHARACTER = 6.6; // its width in a tick's label, about, in pixels

/**
 * An axis of numbers over some values, or of categories.
 *
 * `log` holds only if all values are above zero. The result maps a value to a place in [0, 1] and back.
 */
function numberAxis(values, { log, label, zero = false }) {
  const finite = values.filter(isFiniteNumber);
  const positive = finite.length > 0 && finite.every((value) => value > 0);
  const useLog = log && positive;
  const least = finite.every(Number.isInteger) ? 1 : 0; // the smallest step: there is no epoch 1.5
  let low = finite.length ? finite.reduce((a, b) => Math.min(a, b)) : 0;
  let high = finite.length ? finite.reduce((a, b) => Math.max(a, b)) : 1;
  const forward = useLog ? Math.log10 : (value) => value;
  const back = useLog ? (value) => 10 ** value : (value) => value;
  let [first, last] = [forward(low), forward(high)];
  if (zero && !useLog && first > 0 && first < 0.35 * last) first = 0;
  const padding = last > first ? (last - first) * 0.04 : useLog ? 0.1 : Math.abs(first) * 0.1 || 0.5;
  const touchesZero = !useLog && first === 0 && low >= 0;
  first -= touchesZero ? 0 : padding;
  last += padding;
  [low, high] = [back(first), back(last)];
  const scale = useLog ? " (log scale)" : log && finite.length > 0 ? " (linear: not all values are above zero)" : "";
  return {
    label: label + scale, low, high,
    place: (value) => (forward(value) - first) / (last - first),
    value: (place) => back(first + place * (last - first)),
    ticks: (count) => (useLog ? logTicks(low, high, count) : linearTicks(low, high, count, least)).map((value) => [value, onAxis(value)]),
  };
}

function categoryAxis(names, { label }) {
  return {
    label, categories: names,
    place: (name) => (names.indexOf(name) + 0.5) / names.length,
    value: (place) => names[Math.max(0, Math.min(names.length - 1, Math.floor(place * names.length)))],
    ticks: () => names.map((name) => [name, name]),
  };
}

function linearTicks(low, high, count, least = 0) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(least, [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power);
  const ticks = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + step * 1e-9 && ticks.length < 50; number += 1) {
    ticks.push(Number((number * step).toPrecision(12)));
  }
  return ticks;
}

const LOG_STEPS = [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]; // in a decade

/** Places in each decade, as many as there is room for; of many decades, only some. */
function logTicks(low, high, count) {
  const most = Math.max(count, 5);
  for (const steps of LOG_STEPS) {
    const ticks = powersBetween(low, high).flatMap((power) => steps.map((step) => Number((step * 10 ** power).toPrecision(3))));
    const inside = ticks.filter((value) => value >= low * 0.999 && value <= high * 1.001);
    if (inside.length <= most) return inside.length > 2 ? inside : linearTicks(low, high, count);
  }
  const every = Math.ceil(powersBetween(low, high).length / most);
  return powersBetween(low, high).filter((power) => power % every === 0).map((power) => 10 ** power).filter((value) => value >= low && value <= high);
}

function powersBetween(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  return Array.from({ length: last - first + 1 }, (_, place) => first + place);
}

/**
 * A chart without content. Returns its element, the group to draw into, and functions from values to pixels.
 *
 * @param {{width: number, height: number, x: object, y: object, name: string}} plan
 */
function chartFrame({ width, height, x, y, name }) {
  const yTicks = y.ticks(Math.max(3, Math.floor(height / 50)));
  const longest = Math.max(...yTicks.map(([, text]) => text.length), 1);
  const box = { left: Math.min(width * 0.4, 16 + longest * CHARACTER), top: 30, right: 12, bottom: 50 };
  box.width = Math.max(60, width - box.left - box.right);
  box.height = Math.max(60, height - box.top - box.bottom);
  const px = (value) => box.left + x.place(value) * box.width;
  const py = (value) => box.top + (1 - y.place(value)) * box.height;
  const plot = shape("g", { class: "plot" });
  const node = shape(
    "svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name },
    yAxisOf(yTicks, { box, py, label: y.label, width }),
    xAxisOf(x, { box, px, height }),
    plot,
  );
  return { node, plot, box, px, py };
}

function yAxisOf(ticks, { box, py, label, width }) {
  const group = shape("g", { class: "axis" });
  for (const [value, text] of ticks) {
    const at = py(value);
    group.append(
      shape("line", { class: "grid", x1: box.left, x2: box.left + box.width, y1: at, y2: at }),
      shape("text", { x: box.left - 7, y: at, dy: "0.34em", "text-anchor": "end" }, clipped(text, box.left - 10)),
    );
  }
  group.append(shape("text", { class: "axis-label", x: 4, y: 14 }, clipped(label, width - 8)));
  return group;
}

function xAxisOf(x, { box, px, height }) {
  const bottom = box.top + box.height;
  const group = shape("g", { class: "axis" }, shape("line", { class: "base", x1: box.left, x2: box.left + box.width, y1: bottom, y2: bottom }));
  const ticks = x.ticks(Math.max(3, Math.floor(box.width / 70)));
  const room = x.categories ? box.width / ticks.length : Infinity;
  let reached = -Infinity;
  for (const [value, text] of ticks) {
    const at = px(value);
    const shown = clipped(text, Math.max(room - 6, 24));
    const half = (shown.length * CHARACTER) / 2;
    group.append(shape("line", { class: "base", x1: at, x2: at, y1: bottom, y2: bottom + TICK_LENGTH }));
    if (at - half < reached + 6) continue; // labels do not overlap
    reached = at + half;
    group.append(shape("text", { x: at, y: bottom + 18, "text-anchor": "middle" }, shown));
  }
  group.append(shape("text", { class: "axis-label", x: box.left + box.width, y: height - 8, "text-anchor": "end" }, clipped(x.label, box.left + box.width)));
  return group;
}

/** A text that takes at most so many pixels. */
function clipped(text, pixels) {
  const most = Math.max(2, Math.floor(pixels / CHARACTER));
  return text.length > most ? `${text.slice(0, most - 1)}\u2026` : text;
}

/** `test.mse, mean over pixels of the squared error`. */
function labelled(name, unit) {
  const between = /(^|\.)denoising_/.test(name) ? ", from the noisy input to the clean image" : "";
  return `${name}${between}${unit ? `, ${briefUnit(unit)}` : ""}`;
}

/**
 * A chart of items with one unit, as wide as there is room, with a legend of the runs.
 *
 * `items` have a `run` each; `draw(items, { unit, width })` returns the drawing and a function that highlights some runs in it.
 */
function chartOf(unit, items, draw, { several }) {
  const holder = element("div", { class: "chart-box" });
  let highlight = () => {};
  withWidth(holder, (width) => {
    const drawn = draw(items, { unit, width });
    highlight = drawn.highlight;
    holder.replaceChildren(drawn.node);
  });
  const here = new Set(items.map((item) => item.run.index));
  const entries = looks.legend
    .map((entry) => ({ ...entry, runs: entry.runs.filter((run) => here.has(run.index)) }))
    .filter((entry) => entry.runs.length);
  const heading = several ? element("p", { class: "chart-unit" }, unit || "in a unit that is not known") : null;
  return element("figure", {}, heading, holder, element("figcaption", {}, legendOf(entries, (indices) => highlight(indices))));
}
