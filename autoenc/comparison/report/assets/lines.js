// Lines in a chart of points: through runs that differ only in the horizontal axis and the seed, of PCA, and of constant
// rate plus distortion.

const CODE_SIZE_KEYS = ["code_size", "architecture.code_size"];

function seriesLines(points, frame) {
  const across = CODE_SIZE_KEYS.includes(pointView.x) ? CODE_SIZE_KEYS : [pointView.x];
  const others = mainSettings.filter((setting) => !across.includes(setting.key) && setting.key !== "seed");
  const series = groupBy(points, (point) => others.map((setting) => keyOf(setting.of(point.run))).join("\n"));
  return [...series.values()].flatMap((group) => {
    const means = meansByX(group);
    if (means.length < 2) return [];
    const look = group.find((point) => point.look)?.look ?? null;
    const same = group.every((point) => point.look?.color === look?.color);
    return [paint(shape("path", { class: "series", d: pathThrough(means.map((mean) => [frame.px(mean.x), frame.py(mean.y)])) }), same ? look : null)];
  });
}

function meansByX(group) {
  return [...groupBy(group, (point) => point.x)]
    .map(([x, at]) => ({ x, y: at.reduce((sum, point) => sum + point.y, 0) / at.length }))
    .sort((a, b) => a.x - b.x);
}

// The baseline of an error: that of PCA or of the best linear denoiser, with as many components as the code has numbers.

function baselinePoints(points) {
  const error = metrics.get(pointView.y);
  const baseline = metrics.get(error?.baseline);
  if (!baseline) return [];
  const known = points.filter((point) => isFiniteNumber(baseline.of(point.run)));
  const dataset = settings.get("dataset");
  const kind = (run) => (error.sections.length > 1 ? (dataset ? settingText(dataset.key, dataset.of(run)) : error.sectionOf(run)) : "");
  return [...groupBy(known, (point) => kind(point.run))].flatMap(([series, group]) =>
    meansByX(group.map((point) => ({ x: point.x, y: baseline.of(point.run) }))).map((mean) => ({ ...mean, series })),
  );
}

function baselineMarks(baseline, frame) {
  const { baselineName } = metrics.get(pointView.y);
  return [...groupBy(baseline, (point) => point.series)].flatMap(([series, group]) => {
    const [left, top] = [frame.px(group[0].x), frame.py(group[0].y)];
    return [
      shape("path", { class: "baseline", d: pathThrough(group.map((point) => [frame.px(point.x), frame.py(point.y)])) }),
      ...group.map((point) => shape("circle", { class: "baseline-mark", cx: frame.px(point.x), cy: frame.py(point.y), r: 3 })),
      shape("text", { class: "baseline-name", x: left + 6, y: top - 8 }, `${baselineName}${series === "" ? "" : `, ${series}`}`),
    ];
  });
}

/** Lines of constant rate plus distortion. */
function boundLines(frame, x, y) {
  const sums = linearTicks(x.low + y.low, x.high + y.high, 12);
  return sums.map((sum) => {
    const places = [];
    for (let step = 0; step <= 40; step += 1) {
      const rate = x.value(step / 40);
      const distortion = sum - rate;
      const inside = distortion >= y.low && distortion <= y.high;
      places.push(inside ? [frame.px(rate), frame.py(distortion)] : null);
    }
    return shape("path", { class: "bound", d: pathThrough(places) });
  });
}
