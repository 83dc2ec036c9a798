// The data of the page, and the selected runs.

const data = JSON.parse(byId("data").textContent);

const runs = data.runs.map((run, index) => ({ hasSettings: true, ...run, index }));

/**
 * Settings that differ, by key: `of(run)` is the value, undefined if the run's config does not have the key. `main` marks
 * the settings that tables show: neither paths nor settings that come with a choice of their group.
 */
const settings = new Map(
  data.settings.differing.map(({ key, values, of, main }) => {
    const read = values.map(settingOf);
    return [key, { key, main, of: (run) => read[of[run.index]] }];
  }),
);
const labels = new Map(Object.entries(data.settings.labels).map(([key, texts]) => [key, new Map(Object.entries(texts))]));

/** The value of a setting in words: `ReLU`, `VAE`. */
function settingText(key, value) {
  const text = asSet(value);
  return labels.get(key)?.get(text) ?? text;
}

const mainSettings = [...settings.values()].filter((setting) => setting.main);
const sharedSettings = new Map(data.settings.shared.map(([key, value]) => [key, settingOf(value)]));

/** Metrics by key. */
const metrics = new Map(
  data.metrics.map((metric) => {
    const values = metric.values.map(numberOf);
    const units = metric.units;
    return [
      metric.key,
      {
        key: metric.key,
        units,
        better: metric.better,
        scale: metric.scale,
        baseline: metric.baseline,
        baselineName: metric.baselineName,
        sections: metric.sections ?? [],
        of: (run) => values[run.index],
        unitOf: (run) => (metric.unitOf ? units[metric.unitOf[run.index]] : units[0]) ?? "",
        /** Runs with different numbers here cannot be ranked together. */
        sectionOf: (run) => (metric.sectionOf ? metric.sectionOf[run.index] : 0),
      },
    ];
  }),
);

// Looks: ten colours, then the same with another mark; for a numeric setting, a ramp.

const COLORS = 10;
const MARKS = 7;
const RAMP = 9;

const MOST_SELECTED_AT_FIRST = 10;

const store = {
  /** Indices of runs. */
  selected: new Set(),
  /** "run", "setting" for one colour for all seeds of a setting, or the key of a setting. */
  colorBy: "run",
  listeners: [],

  get chosen() {
    return runs.filter((run) => this.selected.has(run.index));
  },

  select(indices) {
    this.selected = new Set(indices);
    this.changed();
  },

  toggle(index, on) {
    if (on) this.selected.add(index);
    else this.selected.delete(index);
    this.changed();
  },

  setColorBy(key) {
    this.colorBy = key;
    this.changed();
  },

  changed() {
    looks = newLooks();
    this.listeners.forEach((listener) => listener());
  },
};

/** All runs if there are few; else the best of the largest comparable group, or the first. */
function firstSelection() {
  if (runs.length <= MOST_SELECTED_AT_FIRST) return runs.map((run) => run.index);
  const metric = metrics.get(data.mainMetric);
  const scored = metric ? runs.filter((run) => isFiniteNumber(metric.of(run)) && metric.sectionOf(run) >= 0) : [];
  if (!scored.length) return runs.slice(0, MOST_SELECTED_AT_FIRST).map((run) => run.index);
  const bySection = Map.groupBy ? Map.groupBy(scored, metric.sectionOf) : groupBy(scored, metric.sectionOf);
  const largest = [...bySection.values()].reduce((most, group) => (group.length > most.length ? group : most));
  const sign = metric.better === "higher" ? -1 : 1;
  largest.sort((a, b) => sign * (metric.of(a) - metric.of(b)));
  if (!groups) return largest.slice(0, MOST_SELECTED_AT_FIRST).map((run) => run.index);
  const bySetting = [...groupBy(largest, groupOf).values()];
  bySetting.sort((a, b) => sign * (estimateOf(metric, a).mean - estimateOf(metric, b).mean));
  const whole = [];
  for (const group of bySetting) {
    if (whole.length && whole.length + group.length > MOST_SELECTED_AT_FIRST) break;
    whole.push(...group.map((run) => run.index));
  }
  return whole;
}

function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(item);
  }
  return groups;
}

let looks = { of: () => null, legend: [] };

/** How each selected run is drawn, and the legend: entries with a label, a look and runs. */
function newLooks() {
  const chosen = store.chosen;
  const setting = settings.get(store.colorBy);
  const bySetting = store.colorBy === "setting";
  const found = groupBy(chosen, (run) => (setting ? asSet(setting.of(run)) : bySetting ? groupOf(run) : run.index));
  const entries = [...found.values()].map((group) => ({
    label: setting ? settingText(setting.key, setting.of(group[0])) : bySetting ? groupLabel(group) : group[0].label,
    value: setting ? setting.of(group[0]) : null,
    runs: group,
  }));
  const numeric = entries.length > 2 && entries.every((entry) => typeof entry.value === "number");
  if (numeric) entries.sort((a, b) => a.value - b.value);
  const byRun = new Map();
  entries.forEach((entry, number) => {
    entry.look = numeric
      ? { color: `ramp-${Math.round((number * (RAMP - 1)) / (entries.length - 1))}`, mark: 0 }
      : { color: `color-${number % COLORS}`, mark: Math.floor(number / COLORS) % MARKS };
    entry.runs.forEach((run) => byRun.set(run.index, entry.look));
  });
  return { of: (run) => byRun.get(run.index) ?? null, legend: entries };
}

/** Paints an element in the colour of a look; its style says what for. */
function paint(node, look) {
  node.style.setProperty("--color", look ? `var(--${look.color})` : "var(--faint)");
  return node;
}

/** A legend whose entries highlight their runs: `highlight` is called with a set of run indices, or null. */
function legendOf(entries, highlight) {
  const list = element("ul", { class: "legend" });
  if (settings.has(store.colorBy)) list.append(element("li", { class: "legend-title" }, store.colorBy));
  for (const entry of entries) {
    const indices = new Set(entry.runs.map((run) => run.index));
    const item = element("button", { type: "button", class: "legend-entry" }, swatch(entry.look), element("span", {}, entry.label));
    item.addEventListener("pointerenter", () => highlight(indices));
    item.addEventListener("pointerleave", () => highlight(null));
    item.addEventListener("focus", () => highlight(indices));
    item.addEventListener("blur", () => highlight(null));
    list.append(element("li", {}, item));
  }
  return list;
}

function swatch(look) {
  return paint(
    shape("svg", { class: "swatch", viewBox: "-6 -6 12 12", "aria-hidden": "true" }, shape("path", { d: markPath(look?.mark ?? 0, 4.6) })),
    look,
  );
}

/** A mark around the origin, or around the point to which a path has moved. */
function markPath(mark, size) {
  const at = (share) => (share * size).toFixed(2);
  const lines = (...ends) => ends.map(([right, down]) => `l${at(right)} ${at(down)}`).join("");
  const from = (right, down) => `m${at(right)} ${at(down)}`;
  const third = 2 / 3;
  switch (mark) {
    case 1: return `${from(0, -1)}${lines([1, 1.8], [-2, 0])}z`;
    case 2: return `${from(-0.85, -0.85)}${lines([1.7, 0], [0, 1.7], [-1.7, 0])}z`;
    case 3: return `${from(0, -1.15)}${lines([1.15, 1.15], [-1.15, 1.15], [-1.15, -1.15])}z`;
    case 4: return `${from(0, 1)}${lines([1, -1.8], [-2, 0])}z`;
    case 5: return `${from(-1 / 3, -1)}${lines([third, 0], [0, third], [third, 0], [0, third], [-third, 0], [0, third], [-third, 0], [0, -third], [-third, 0], [0, -third], [third, 0])}z`;
    case 6: return `${from(-1, -0.4)}${lines([0.6, -0.6], [0.4, 0.45], [0.4, -0.45], [0.6, 0.6], [-0.45, 0.4], [0.45, 0.4], [-0.6, 0.6], [-0.4, -0.45], [-0.4, 0.45], [-0.6, -0.6], [0.45, -0.4])}z`;
    default: return `${from(-1, 0)}a${at(1)} ${at(1)} 0 1 0 ${at(2)} 0a${at(1)} ${at(1)} 0 1 0 ${at(-2)} 0z`;
  }
}
