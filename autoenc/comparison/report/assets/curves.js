// The curves of the selected runs in one chart; curves in another unit have a chart of their own.

const curveView = { name: null, x: "epoch", log: true, train: true, validation: true };
const NEAR = 40; // pixels from the pointer to a curve

function buildCurves() {
  const { names } = data.curves;
  if (!names.length) {
    byId("curves").hidden = true;
    return;
  }
  const showCurvesOf = (name) => Object.assign(curveView, { name, log: data.curves.scales[names.indexOf(name)] === "log" });
  showCurvesOf(names[0]);
  const place = contentOf("curves");
  const charts = element("div");
  const drawn = panel("curves", () => charts.replaceChildren(...curveCharts()));
  const set = (key) => (value) => {
    curveView[key] = value;
    drawn.change();
  };
  const log = checkbox("log scale", { checked: curveView.log, change: set("log") });
  const choose = (name) => {
    showCurvesOf(name);
    log.control.checked = curveView.log;
    drawn.change();
  };
  const withSeconds = data.curves.runs.some((curve) => curve?.seconds);
  place.append(
    element(
      "div", { class: "tools" },
      names.length > 1 ? selectBox("Metric", { options: names.map((name) => [name, name]), value: names[0], change: choose }) : null,
      withSeconds ? choice("Against", { options: [["epoch", "epoch"], ["seconds", "seconds"]], value: "epoch", change: set("x") }) : null,
      checkbox("training", { checked: true, change: set("train") }),
      checkbox("validation", { checked: true, change: set("validation") }),
      log,
    ),
    charts,
  );
  store.listeners.push(drawn.change);
}

function curveCharts() {
  const lines = linesWithMeans(store.chosen);
  if (!lines.length) return [element("p", { class: "note" }, store.selected.size ? "None of the selected runs has such a curve." : "Select runs in the table.")];
  const byUnit = groupBy(lines, (line) => line.unit);
  const several = byUnit.size > 1;
  return [
    element("p", { class: "note" }, curvesNote(lines), several ? " Runs whose curves are in different units have charts of their own." : ""),
    element("div", { class: "charts" }, ...[...byUnit].map(([unit, group]) => chartOf(unit, group, drawCurves, { several }))),
  ];
}

function curvesNote(lines) {
  const splits = ["validation", "train"].filter((split) => lines.some((line) => line.split === split));
  const words = { validation: "Solid: validation", train: "dashed: training" };
  const means = lines.some((line) => line.isMean) ? " Strong lines: means over the seeds of a setting; faint lines: its runs." : "";
  return `${capitalized(splits.map((split) => words[split]).join("; "))}${splits.length ? "." : ""}${means}`;
}

function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The lines of runs and, for the settings with several seeds, of their means. */
function linesWithMeans(chosen) {
  const lines = chosen.flatMap(linesOf);
  if (!groups || store.colorBy === "run") return lines;
  const found = [...groupBy(lines, (line) => `${groupOf(line.run).index} ${line.split} ${line.unit}`).values()];
  const means = found.filter((some) => haveSeveralSeeds(some.map((line) => line.run))).map(meanOf);
  const averaged = new Set(means.flatMap((mean) => mean.of));
  return [...lines.map((line) => ({ ...line, isSeed: averaged.has(line) })), ...means];
}

/** The mean of lines where all of them are known, at the places of the first; between its points, a line is straight. */
function meanOf(some) {
  const [first] = some;
  const known = some.map((line) => line.points.filter(([x, y]) => x !== null && y !== null));
  const points = known[0].map(([x]) => {
    const values = known.map((points) => valueAt(points, x));
    return [x, values.includes(null) ? null : average(values)];
  });
  return { ...first, of: some, points, isMean: true };
}

function valueAt(points, x) {
  const right = points.findIndex((point) => point[0] >= x);
  if (right < 0) return null;
  const [end, height] = points[right];
  if (end === x) return height;
  if (right === 0) return null;
  const [start, low] = points[right - 1];
  return low + ((height - low) * (x - start)) / (end - start);
}

/** The lines of a run: points of x and y, with null where a value is missing. */
function linesOf(run) {
  const curve = data.curves.runs[run.index];
  const { name } = curveView;
  const xs = curve?.[curveView.x];
  if (!xs) return [];
  const unit = curve.units[data.curves.names.indexOf(name)] ?? "";
  const series = new Map(Object.entries(curve.series)); // a run may call one "constructor"
  const found = [];
  for (const [split, key] of [["validation", `validation/${name}`], ["train", `train/${name}`], ["", name]]) {
    const values = series.get(key);
    if (!values || (split && !curveView[split])) continue;
    const points = values.map((value, place) => [xs[place], value]);
    if (!points.some(([, value]) => value !== null)) continue;
    found.push({ run, split, unit, points, dashed: split === "train", look: looks.of(run) });
  }
  return found;
}

function drawCurves(lines, { unit, width }) {
  const xs = lines.flatMap((line) => line.points.map(([x]) => x));
  const ys = lines.flatMap((line) => line.points.map(([, y]) => y));
  const x = numberAxis(xs, { log: false, zero: curveView.x === "seconds", label: curveView.x === "epoch" ? "epoch" : "seconds of training" });
  const y = numberAxis(ys, { log: curveView.log, label: labelled(curveView.name, unit) });
  const height = Math.round(Math.max(260, Math.min(460, width * 0.5)));
  const frame = chartFrame({ width, height, x, y, name: `${curveView.name} by ${curveView.x}, ${plural(lines.length, "curve")}` });
  const many = lines.length > 30;
  for (const line of lines) {
    line.pixels = line.points.map(([a, b]) => (a === null || b === null ? null : [frame.px(a), frame.py(b)]));
    line.node = paint(shape("path", { class: `curve${line.dashed ? " dashed" : ""}${many ? " thin" : ""}${line.isSeed ? " seed" : ""}`, d: pathThrough(line.pixels) }), line.look);
    line.end = line.isSeed ? null : endMark(line);
  }
  frame.plot.append(...lines.map((line) => line.node), ...lines.map((line) => line.end).filter(Boolean));
  const highlight = (indices) => {
    frame.plot.classList.toggle("faded", indices !== null);
    for (const line of lines) {
      const on = indices !== null && indices.has(line.run.index);
      for (const node of [line.node, line.end]) node?.classList.toggle("lit", on);
    }
  };
  followCurves(frame, lines, highlight);
  return { node: frame.node, highlight };
}

/** A mark at the curve's last value, which distinguishes runs of the same colour. */
function endMark(line) {
  const last = line.pixels.findLast((pixel) => pixel !== null);
  if (!last) return null;
  return paint(shape("path", { class: "mark", d: markPath(line.look.mark, 4), transform: `translate(${last[0]} ${last[1]})` }), line.look);
}

function pathThrough(pixels) {
  let path = "";
  let down = false;
  for (const pixel of pixels) {
    if (pixel === null) {
      down = false;
      continue;
    }
    path += `${down ? "L" : "M"}${pixel[0].toFixed(1)} ${pixel[1].toFixed(1)}`;
    down = true;
  }
  return path;
}

/** The curve nearest to the pointer comes to the front, with the name of its run. */
function followCurves(frame, lines, highlight) {
  const follow = (event) => {
    const area = frame.node.getBoundingClientRect();
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    const found = nearestPoint(lines, x, y);
    if (!found) {
      leave();
      return;
    }
    highlight(new Set((found.line.of ?? [found.line]).map((line) => line.run.index)));
    const [a, b] = found.line.points[found.place];
    const split = { train: "training", validation: "validation" }[found.line.split] ?? "";
    tip.show(event, found.line.isMean ? `mean of ${groupLabel(found.line.of.map((line) => line.run))}` : found.line.run.label, `${split} ${curveView.name} ${measured(b)}`.trim(), `${curveView.x} ${measured(a)}`);
  };
  const leave = () => {
    highlight(null);
    tip.hide();
  };
  frame.node.addEventListener("pointermove", follow);
  frame.node.addEventListener("pointerdown", follow);
  frame.node.addEventListener("pointerleave", leave);
}

function nearestPoint(lines, x, y) {
  let best = null;
  let least = NEAR * NEAR;
  for (const line of lines) {
    line.pixels.forEach((pixel, place) => {
      if (pixel === null) return;
      const distance = (pixel[0] - x) ** 2 + (pixel[1] - y) ** 2;
      if (distance < least) {
        least = distance;
        best = { line, place };
      }
    });
  }
  return best;
}
