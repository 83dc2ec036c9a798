// Any metric against any setting or metric, with buttons for the usual comparisons.

const NO_PRESET = { preset: null, lines: false, baseline: false, only: null, note: null, bounds: false };
const pointView = { x: null, y: null, logX: false, logY: false, ...NO_PRESET };

const FAR = 8; // times the smallest value: from here on an axis is logarithmic

const DENOISERS = data.mainMetric?.endsWith(".denoising_mse") ?? false;
const ERROR = DENOISERS ? "test.denoising_mse" : "test.mse";

const PRESETS = [
  {
    name: DENOISERS ? "Denoising error against seconds" : "Error against seconds",
    fits: () => hasNumbers(ERROR) && hasNumbers("seconds.training"),
    view: { x: "seconds.training", y: ERROR, logX: true, logY: true },
  },
  {
    name: DENOISERS ? "Denoising error against code size, with the best linear denoiser" : "Error against code size, with PCA",
    fits: () => hasNumbers(ERROR) && hasNumbers("code_size"),
    view: { x: "code_size", y: ERROR, logX: true, logY: true, lines: true, baseline: true },
  },
  {
    name: "Rate against distortion",
    fits: () => runs.some(isRateDistortion),
    view: {
      x: "test.kl_nats", y: "test.reconstruction", only: isRateDistortion, bounds: true,
      note: "Rate: the divergence of the codes from their prior, unweighted. Distortion: the reconstruction loss. Both are nats an image; along each dotted line their sum, the negative evidence lower bound, is the same.",
    },
  },
];

function hasNumbers(key) {
  const metric = metrics.get(key);
  return Boolean(metric) && runs.some((run) => isFiniteNumber(metric.of(run)));
}

/** Whether both a run's rate and its distortion are in nats an image. */
function isRateDistortion(run) {
  const [rate, distortion] = [metrics.get("test.kl_nats"), metrics.get("test.reconstruction")];
  return (
    Boolean(rate && distortion) && isFiniteNumber(rate.of(run)) && isFiniteNumber(distortion.of(run)) &&
    distortion.unitOf(run).startsWith("nats an image")
  );
}

function buildPoints() {
  const keys = [...metrics.keys()].filter(hasNumbers);
  if (!keys.length) {
    byId("points").hidden = true;
    return;
  }
  pointView.y = keys.includes(data.mainMetric) ? data.mainMetric : keys[0];
  pointView.x = firstAcross()?.key ?? keys.find((key) => key !== pointView.y) ?? pointView.y;
  pointView.logX = reachesFar(pointView.x);
  const place = contentOf("points");
  const charts = element("div");
  const drawn = panel("points", () => charts.replaceChildren(...pointCharts()));
  const presets = PRESETS.filter((preset) => preset.fits());
  const buttons = presets.map((preset) =>
    button(preset.name, () => {
      Object.assign(pointView, { logX: false, logY: false }, NO_PRESET, preset.view, { preset: preset.name });
      changed();
    }),
  );
  const changed = () => {
    showView();
    for (const found of buttons) found.setAttribute("aria-pressed", found.textContent === pointView.preset);
    drawn.change();
  };
  const { tools, showView } = pointTools(keys, changed);
  place.append(
    presets.length ? element("div", { class: "presets", role: "group", "aria-label": "Usual comparisons" }, ...buttons) : "",
    tools,
    charts,
  );
  changed();
  store.listeners.push(drawn.change);
}

/** The first numeric setting that is not a seed; else the first setting. */
function firstAcross() {
  const numeric = mainSettings.filter(({ key, of }) => key !== "seed" && runs.every((run) => isNumberOrMissing(of(run))));
  return numeric[0] ?? mainSettings[0];
}

/** The controls, and a function that updates them to the view. */
function pointTools(keys, changed) {
  const set = (key) => (value) => {
    Object.assign(pointView, { [key]: value });
    if (key === "x" || key === "y") Object.assign(pointView, NO_PRESET, { lines: pointView.lines });
    if (key === "x") pointView.logX = reachesFar(value);
    if (key === "y") pointView.logY = metrics.get(value).scale === "log" && reachesFar(value);
    showView();
    changed();
  };
  const across = [...[...settings.keys()].map((key) => [key, key, "settings"]), ...keys.map((key) => [key, key, "metrics"])];
  const controls = {
    y: selectBox("Vertical", { options: keys.map((key) => [key, key]), value: pointView.y, change: set("y") }),
    x: selectBox("Horizontal", { options: across, value: pointView.x, change: set("x") }),
    logY: checkbox("log vertical", { checked: pointView.logY, change: set("logY") }),
    logX: checkbox("log horizontal", { checked: pointView.logX, change: set("logX") }),
    lines: checkbox("lines", { checked: pointView.lines, change: set("lines") }),
  };
  const showView = () => {
    for (const [key, { control }] of Object.entries(controls)) control[typeof pointView[key] === "boolean" ? "checked" : "value"] = pointView[key];
  };
  return { tools: element("div", { class: "tools" }, ...Object.values(controls)), showView };
}

/** Whether the values of a setting or metric are all above zero, and the largest is many times the smallest. */
function reachesFar(key) {
  const { of } = settings.get(key) ?? metrics.get(key);
  const values = runs.map(of).filter((value) => value !== undefined && value !== null);
  if (!values.length || !values.every((value) => isFiniteNumber(value) && value > 0)) return false;
  return values.reduce((a, b) => Math.max(a, b)) > FAR * values.reduce((a, b) => Math.min(a, b));
}

function pointCharts() {
  const y = metrics.get(pointView.y);
  const across = settings.get(pointView.x) ?? metrics.get(pointView.x);
  const points = runs
    .filter((run) => (!pointView.only || pointView.only(run)) && isFiniteNumber(y.of(run)) && isPlace(across.of(run)))
    .map((run) => ({ run, x: across.of(run), y: y.of(run), look: looks.of(run) }));
  if (!points.length) return [element("p", { class: "note" }, "No run has both.")];
  const byUnit = groupBy(points, (point) => y.unitOf(point.run));
  const faint = points.some((point) => !point.look);
  const notes = [
    pointView.note,
    groups ? "Large marks with bars: means over the seeds of a setting, with 95 % intervals by Student's t. Small marks: runs." : "Each mark is a run.",
    faint ? "Runs that are not selected in the table are grey." : null,
    pointView.lines ? "Lines go through the means of runs that differ only in their seed." : null,
    byUnit.size > 1 ? "Runs in different units have charts of their own." : null,
  ];
  return [
    element("p", { class: "note" }, notes.filter(Boolean).join(" ")),
    element("div", { class: "charts" }, ...[...byUnit].map(([unit, group]) => chartOf(unit, group, drawPoints, { several: byUnit.size > 1 }))),
  ];
}

function isPlace(value) {
  return value !== undefined && value !== null && !(typeof value === "number" && !Number.isFinite(value));
}

function drawPoints(points, { unit, width }) {
  const baseline = pointView.baseline ? baselinePoints(points) : [];
  const x = acrossAxis(points, baseline);
  const means = groups ? meansOf(points) : [];
  const ends = means.flatMap(({ y: middle, half }) => [middle - half, middle + half]).filter((end) => end > 0 || !pointView.logY); // a log axis cuts them
  const y = numberAxis([...points.map((point) => point.y), ...ends, ...baseline.map((point) => point.y)], {
    log: pointView.logY, label: labelled(pointView.y, unit),
  });
  const height = Math.round(Math.max(280, Math.min(480, width * 0.52)));
  const frame = chartFrame({ width, height, x, y, name: `${pointView.y} against ${pointView.x}, ${plural(points.length, "run")}` });
  const along = (value) => frame.px(x.categories ? settingText(pointView.x, value) : value);
  if (pointView.bounds) frame.plot.append(...boundLines(frame, x, y));
  if (pointView.lines && !x.categories) frame.plot.append(...seriesLines(points, frame));
  if (baseline.length) frame.plot.append(...baselineMarks(baseline, frame));
  const ordered = [...points].sort((a, b) => Boolean(a.look) - Boolean(b.look));
  for (const point of ordered) {
    point.at = [along(point.x) + (x.categories ? jitter(point.run.index) : 0), frame.py(point.y)];
    point.node = paint(
      shape("path", {
        class: `mark point${point.look ? "" : " unselected"}`, d: markPath(point.look?.mark ?? 0, point.look && !means.length ? 5.5 : 3.5),
        transform: `translate(${point.at[0].toFixed(1)} ${point.at[1].toFixed(1)})`,
      }),
      point.look,
    );
    frame.plot.append(point.node);
  }
  frame.plot.append(...means.map((mean) => meanMark(mean, along(mean.x), frame)));
  const highlight = (indices) => {
    frame.plot.classList.toggle("faded", indices !== null);
    points.forEach((point) => point.node.classList.toggle("lit", indices !== null && indices.has(point.run.index)));
  };
  followPoints(frame, points, highlight);
  return { node: frame.node, highlight };
}

/** The means of the settings with several seeds at one place across, with half of their intervals. */
function meansOf(points) {
  const metric = metrics.get(pointView.y);
  const found = [...groupBy(points, (point) => `${groupOf(point.run).index} ${asSet(point.x)}`).values()];
  return found.flatMap((some) => {
    const estimate = haveSeveralSeeds(some.map((point) => point.run)) ? estimateOf(metric, some.map((point) => point.run)) : null;
    return estimate ? [{ x: some[0].x, y: estimate.mean, half: estimate.half ?? 0, look: some.find((point) => point.look)?.look ?? null }] : [];
  });
}

/** A large mark with a bar; the bar ends where the axis does. */
function meanMark({ y, half, look }, x, frame) {
  const bottom = frame.box.top + frame.box.height;
  const [low, high] = [frame.py(y - half), frame.py(y + half)];
  const end = Number.isFinite(low) ? Math.min(low, bottom) : bottom;
  return paint(
    shape(
      "g", { class: "mean" },
      shape("line", { class: "interval", x1: x, x2: x, y1: end, y2: high }),
      shape("path", { class: "mark", d: markPath(look?.mark ?? 0, 6), transform: `translate(${x.toFixed(1)} ${frame.py(y).toFixed(1)})` }),
    ),
    look,
  );
}

function acrossAxis(points, baseline) {
  const metric = metrics.get(pointView.x);
  const label = metric && !settings.has(pointView.x) ? labelled(pointView.x, metric.units.length === 1 ? metric.units[0] : "") : pointView.x;
  const values = points.map((point) => point.x);
  if (values.every((value) => typeof value === "number")) {
    const axis = numberAxis([...values, ...baseline.map((point) => point.x)], { log: pointView.logX, label });
    return axis;
  }
  const names = [...new Set(values)].sort((a, b) => inOrder(a, b, false)).map((value) => settingText(pointView.x, value));
  return categoryAxis([...new Set(names)], { label });
}

/** A little to the side, always the same for a run: marks in a category do not hide one another. */
function jitter(index) {
  return (((index * 7919) % 17) - 8) * 1.1;
}

function followPoints(frame, points, highlight) {
  const follow = (event) => {
    const area = frame.node.getBoundingClientRect();
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    const distance = (point) => (point.at[0] - x) ** 2 + (point.at[1] - y) ** 2;
    const nearest = points.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    if (distance(nearest) > NEAR * NEAR) {
      leave();
      return;
    }
    highlight(new Set([nearest.run.index]));
    const value = settings.has(pointView.x) ? settingText(pointView.x, nearest.x) : measured(nearest.x);
    tip.show(event, nearest.run.label, `${pointView.y} ${measured(nearest.y)}`, `${pointView.x} ${value}`);
  };
  const leave = () => {
    highlight(null);
    tip.hide();
  };
  frame.node.addEventListener("pointermove", follow);
  frame.node.addEventListener("pointerdown", follow);
  frame.node.addEventListener("pointerleave", leave);
}
