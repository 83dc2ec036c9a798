// Runs that differ only in their seed: groups, and means with 95 % intervals by Student's t distribution.

/** Groups of runs: a label, and the runs of each seed; copies of a run share one. Null if no setting has several seeds. */
const groups = data.groups?.members.map((draws, index) => ({ index, label: data.groups.labels[index], draws: draws.map((draw) => draw.map((run) => runs[run])) }));

/** The group and the seed of each run, as numbers. */
const placeInGroup = new Map(groups?.flatMap((group) => group.draws.flatMap((draw, seed) => draw.map((run) => [run.index, { group, seed }]))));

const groupOf = (run) => placeInGroup.get(run.index).group;
const seedOf = (run) => placeInGroup.get(run.index).seed;

/** Whether some runs are of the same group and of different seeds. */
function haveSeveralSeeds(some) {
  return new Set(some.map(seedOf)).size > 1;
}

/** `conv (5 seeds)`. */
function groupLabel(some) {
  return haveSeveralSeeds(some) ? `${groupOf(some[0]).label} (${plural(new Set(some.map(seedOf)).size, "seed")})` : some[0].label;
}

/** The mean of a metric over the seeds of some runs of a group; null if none has it, or if the values are not comparable. */
function estimateOf(metric, some) {
  const known = some.filter((run) => isFiniteNumber(metric.of(run)) && metric.sectionOf(run) >= 0);
  if (!known.length || new Set(known.map(metric.sectionOf)).size > 1) return null;
  const values = [...groupBy(known, seedOf).values()].map((copies) => average(copies.map(metric.of)));
  const [mean, n] = [average(values), values.length];
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  const half = n > 1 ? (data.groups.t[Math.min(n, data.groups.t.length + 1) - 2] * spread) / Math.sqrt(n) : null;
  return { mean, half, n, sd: n > 1 ? spread : null, partial: n < new Set(some.map(seedOf)).size };
}

function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const MOST_DIGITS = 6;

/** `0.0506 ± 0.0011`: two digits of the interval. */
function withInterval({ mean, half }) {
  if (!(half > 1e-12 * Math.abs(mean))) return measured(mean); // a single seed, or a number that no seed changes
  const decimals = 1 - Math.floor(Math.log10(half));
  const digits = decimals + Math.ceil(Math.log10(Math.abs(mean) || half)); // of the mean
  if (digits > MOST_DIGITS || half >= 1e7) return `${measured(mean)} \u00b1 ${exponential(half)}`;
  const written = (value) => value.toLocaleString("en-US", { minimumFractionDigits: Math.max(0, decimals), maximumFractionDigits: Math.max(0, decimals) });
  return `${written(mean)} \u00b1 ${written(half)}`.replaceAll("-", MINUS);
}

/** A metric of some runs of a group: the mean of a score, the range of a fact such as the number of parameters. */
function groupText(metric, some) {
  const values = some.map(metric.of).filter((value) => value !== null);
  if (!values.length) return "";
  if (!metric.key.includes(".") && !metric.better) {
    const ends = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    return [...new Set(ends.map(measured))].join(" to ");
  }
  const found = estimateOf(metric, some);
  if (!found) return "mixed";
  return `${withInterval(found)}${found.partial ? ` (${found.n})` : ""}`;
}

/** The value of a setting that all runs of a group share, else its first values. */
function groupSetting(setting, some) {
  const values = [...new Set(some.map((run) => settingText(setting.key, setting.value(run))))];
  return values.length > 4 ? `${values.slice(0, 3).join(", ")}, \u2026` : values.join(", ");
}
