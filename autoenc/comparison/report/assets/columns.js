// The columns of the table, and those that are shown by default.

const MOST_SETTINGS_AT_FIRST = 8;
const METRICS_AT_FIRST = [
  "test.mse", "test.mae", "test.denoising_mse", "test.denoising_mae", "test.loss", "test.elbo_nats", "test.nll_nats", "test.kl_nats", "test.psnr", "test.ssim",
  "test.pca_mse", "test.linear_denoising_mse", "test.noise_mse", "validation.mse", "validation.denoising_mse", "validation.elbo_nats",
  "parameters", "code_size", "best_epoch", "seconds.training",
];

function tableColumns() {
  const first = new Set(mainSettings.slice(0, MOST_SETTINGS_AT_FIRST).map((setting) => setting.key));
  const ofSettings = [...settings.values()].map((setting) => ({
    key: setting.key, title: setting.key, short: setting.key.split(".").at(-1), prefix: setting.key.split(".").slice(0, -1).join("."),
    group: "settings", shown: first.has(setting.key), metric: null,
    value: setting.of, text: (run) => settingText(setting.key, setting.of(run)), numeric: runs.every((run) => isNumberOrMissing(setting.of(run))),
  }));
  const ofMetrics = [...metrics.values()].map((metric) => {
    const [split, ...rest] = metric.key.split(".");
    return {
      key: metric.key, title: rest.join(".") || split, short: rest.join(".") || split, prefix: "", group: rest.length ? split : "of the run", shown: isShownAtFirst(metric), metric,
      value: (run) => metric.of(run) ?? undefined, text: (run) => measured(metric.of(run)), numeric: true,
    };
  });
  const main = ofMetrics.find((column) => column.key === data.mainMetric);
  const place = (column) => (column === main ? 0 : column.group === main?.group ? 1 : column.metric.key.includes(".") ? 2 : 4);
  const placed = [...ofMetrics.map((column) => [place(column), column]), ...ofSettings.map((column) => [3, column])];
  return placed.sort(([a], [b]) => a - b).map(([, column]) => column); // the ranking metric is first, the other scores follow
}

function isNumberOrMissing(value) {
  return value === undefined || value === null || isNumber(value);
}

/** Default metrics, without the loss if it looks like the error, and without facts that are the same for all runs. */
function isShownAtFirst(metric) {
  if (metric.key === data.mainMetric) return true;
  if (!METRICS_AT_FIRST.includes(metric.key)) return false;
  const mse = metrics.get("test.mse");
  if (metric.key === "test.loss" && mse && runs.every((run) => measured(metric.of(run)) === measured(mse.of(run)))) return false;
  if (metric.key === "code_size" && settings.has("architecture.code_size")) return false;
  const fact = !metric.key.includes(".");
  return !fact || new Set(runs.map(metric.of).filter((value) => value !== null)).size > 1;
}
