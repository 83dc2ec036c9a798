// Test images in rows, runs in columns: one matrix for each set of test images.

const matrixView = { show: "reconstruction", noisy: true, size: 84 };
const MOST_COLUMNS = 40;

function buildMatrices() {
  if (!data.matrices.length) {
    byId("matrix").hidden = true;
    return;
  }
  const place = contentOf("matrix");
  const holder = element("div", { class: "matrices" });
  const drawn = panel("matrix", () => holder.replaceChildren(...drawMatrices()));
  const set = (key) => (value) => {
    matrixView[key] = value;
    drawn.change();
  };
  const size = element("input", { type: "range", min: 28, max: 224, step: 28, on: { input: () => set("size")(Number(size.value)) } });
  size.value = matrixView.size;
  place.append(
    element(
      "div", { class: "tools" },
      choice("Show", { options: [["reconstruction", "reconstruction"], ["error", "error"]], value: matrixView.show, change: set("show") }),
      data.matrices.some((matrix) => matrix.noisy.length) ? checkbox("noisy input", { checked: true, change: set("noisy") }) : null,
      element("label", { class: "control" }, element("span", {}, "Size"), size),
    ),
    holder,
  );
  store.listeners.push(drawn.change);
}

function drawMatrices() {
  const drawn = data.matrices
    .map((matrix) => ({ matrix, columns: matrix.runs.filter((column) => store.selected.has(column.run)) }))
    .filter(({ columns }) => columns.length);
  if (!drawn.length) {
    return [element("p", { class: "note" }, store.selected.size ? "None of the selected runs kept its reconstructions." : "Select runs in the table.")];
  }
  return drawn.map(({ matrix, columns }) => matrixFigure(matrix, columns));
}

function matrixFigure(matrix, all) {
  const columns = all.slice(0, MOST_COLUMNS);
  const scale = Math.max(1, Math.round(matrixView.size / matrix.width));
  const parts = columnsOf(matrix, columns);
  const head = element(
    "tr", {}, element("td", { class: "caption" }),
    ...parts.map((part) => element("th", { scope: "col", class: part.fixed ? "fixed" : "" }, part.look ? swatch(part.look) : null, element("bdi", {}, part.label), part.remark ? element("span", { class: "unit" }, part.remark) : null)),
  );
  const body = matrix.captions.map((caption, row) => {
    const least = leastErrors(parts, row);
    return element(
      "tr", {}, element("th", { scope: "row", class: "caption" }, caption),
      ...parts.map((part) => matrixCell(matrix, part, { row, scale, least: least.get(part.input) })),
    );
  });
  const means = element(
    "tr", { class: "means" }, element("th", { scope: "row", class: "caption" }, "mean"),
    ...parts.map((part) => element("td", {}, part.errors ? measured(mean(part.errors)) : "")),
  );
  const table = element("table", { class: "matrix" }, element("thead", {}, head), element("tbody", {}, ...body), element("tfoot", {}, means));
  return element(
    "figure", { class: "matrix-figure" },
    element("figcaption", { class: "note" }, matrixNote(matrix, columns.length, all.length), matrixView.show === "error" ? errorScale(matrix) : null),
    scrolling("Reconstructions by run", table),
  );
}

/** The smallest error of a row for each input, if at least two runs have the same input. */
function leastErrors(parts, row) {
  const scored = parts.filter((part) => isFiniteNumber(part.errors?.[row]));
  const groups = [...groupBy(scored, (part) => part.input)].filter(([, group]) => group.length > 1);
  return new Map(groups.map(([input, group]) => [input, Math.min(...group.map((part) => part.errors[row]))]));
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The columns: the originals, the noisy inputs if they are shown, and the runs. */
function columnsOf(matrix, columns) {
  const parts = [{ label: "original", sprite: matrix.clean, fixed: true }];
  const inputs = new Set(columns.filter((column) => column.noisy >= 0).map((column) => column.noisy));
  const shared = inputs.size === 1 && columns.every((column) => column.noisy >= 0);
  if (matrixView.noisy && shared) parts.push({ label: "noisy input", sprite: matrix.noisy[[...inputs][0]] });
  for (const column of columns) {
    const run = runs[column.run];
    if (matrixView.noisy && !shared && column.noisy >= 0) parts.push({ label: `input of ${run.label}`, sprite: matrix.noisy[column.noisy] });
    parts.push({ label: run.label, sprite: column.final, look: looks.of(run), errors: column.mse.map(numberOf), remark: column.remark, input: column.noisy, compared: true });
  }
  return parts;
}

function matrixNote(matrix, shown, of) {
  const kind = `${matrix.width} \u00d7 ${matrix.height} pixels, ${matrix.channels === 1 ? "grey" : "colour"}`;
  const left = of > shown ? ` The first ${shown} of ${of} selected runs are shown here.` : "";
  const denoising = matrix.noisy.length ? " Errors of runs with noise are denoising errors: from the noisy input to the clean image." : "";
  return `${plural(matrix.captions.length, "test image")}, ${kind}. Below each, the mean squared error of its pixels in [0, 1]; the smallest of those with the same input in bold.${denoising}${left}`;
}

function errorScale(matrix) {
  const canvas = element("canvas", { width: 64, height: 1, class: "scale", role: "img", "aria-label": "colour scale" });
  const context = canvas.getContext("2d");
  for (let place = 0; place < 64; place += 1) {
    context.fillStyle = `rgb(${errorColor(place / 63).map(Math.round).join(" ")})`;
    context.fillRect(place, 0, 1, 1);
  }
  return element("span", { class: "error-scale" }, " Absolute error of a pixel: 0 ", canvas, ` ${measured(numberOf(matrix.highestError))} and more`);
}

function matrixCell(matrix, part, { row, scale, least }) {
  const { width, height } = matrix;
  const error = part.errors?.[row];
  const asError = part.compared && matrixView.show === "error";
  const name = part.input >= 0 ? "denoising error" : "mse";
  const label = `${part.label}, ${matrix.captions[row]}${error === undefined ? "" : `, ${name} ${measured(error)}`}`;
  const canvas = imageCanvas({ width, height, scale, label });
  if (asError) drawError(canvas, matrix, part.sprite, row);
  else spriteImage(part.sprite).then((image) => canvas.getContext("2d").drawImage(image, 0, -row * height));
  const number = error === undefined ? null : element("span", { class: error === least ? "mse best" : "mse" }, measured(error));
  return element("td", { class: part.fixed ? "fixed" : "" }, canvas, number);
}

async function drawError(canvas, matrix, sprite, row) {
  const [made, wanted] = await Promise.all([spritePixels(sprite), spritePixels(matrix.clean)]);
  const { width, height } = matrix;
  const pixels = new ImageData(width, height);
  const highest = 255 * (numberOf(matrix.highestError) || 1);
  for (let place = 0; place < width * height; place += 1) {
    const at = 4 * (row * width * height + place);
    let error = 0;
    for (let channel = 0; channel < 3; channel += 1) error += Math.abs(made.data[at + channel] - wanted.data[at + channel]) / 3;
    pixels.data.set([...errorColor(error / highest), 255], 4 * place);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}
