// A map of codes: the decoded image under the pointer, interpolated between images that were decoded on a grid.

const mapView = { run: null, blend: true, behind: "both", at: null };
const NARROW = 700; // as in the style
const NAME_HEIGHT = 17; // pixels
const MAP_STEP = 1 / 60; // of a side, for an arrow key; with shift, eight times as far

function buildMap() {
  if (!data.maps.length) {
    byId("map").hidden = true;
    return;
  }
  mapView.run = data.maps[0].run;
  const place = contentOf("map");
  const holder = element("div", { class: "map" });
  const drawn = panel("map", () => drawMap(holder));
  const set = (key) => (value) => {
    mapView[key] = value;
    drawn.change();
  };
  const options = data.maps.map((map) => [String(map.run), runs[map.run].label]);
  place.append(
    element(
      "div", { class: "tools" },
      selectBox("Run", { options, value: String(mapView.run), change: (value) => set("run")(Number(value)) }),
      choice("Show", { options: [["both", "images and codes"], ["images", "images"], ["codes", "codes"]], value: mapView.behind, change: set("behind") }),
      checkbox("blend the four nearest", { checked: true, change: set("blend") }),
    ),
    element("p", { class: "note" }, "Point, drag, or use the arrow keys (with Shift: further)."),
    holder,
  );
}

function drawMap(holder) {
  const map = data.maps.find((found) => found.run === mapView.run);
  const side = element("div", { class: "map-side" });
  const chart = element("div", { class: "map-chart chart-box" });
  const view = decodedView(map);
  side.append(view.node, classLegend(map), element("p", { class: "note" }, mapNote(map)));
  holder.replaceChildren(chart, side);
  const draw = (width) => drawPlane(chart, { map, width: Math.min(width, 640), view });
  withWidth(chart, draw);
  spritePixels(map.sprite).then((pixels) => {
    view.pixels = pixels;
    view.again();
  });
}

/** The outer codes are in the middle of the outer cells, so the map extends half a cell beyond them. */
function edgesOf([first, last], count) {
  const half = (last - first) / (count - 1) / 2;
  return [first - half, last + half];
}

function fixedAxis([low, high], label) {
  return {
    label, low, high,
    place: (value) => (value - low) / (high - low),
    value: (place) => low + place * (high - low),
    ticks: (count) => linearTicks(low, high, count).map((value) => [value, onAxis(value)]),
  };
}

function drawPlane(chart, { map, width, view }) {
  const x = fixedAxis(edgesOf(map.across, map.columns), "code 1");
  const y = fixedAxis(edgesOf(map.up, map.rows), "code 2");
  const frame = chartFrame({ width, height: Math.round(width * 0.98), x, y, name: `Codes of ${runs[map.run].label}` });
  const { box, plot } = frame;
  const around = { x: box.left, y: box.top, width: box.width, height: box.height };
  plot.append(shape("rect", { class: "plane", ...around }));
  if (mapView.behind !== "codes") {
    const image = shape("image", { class: "mosaic", preserveAspectRatio: "none", href: `data:image/png;base64,${map.sprite}`, ...around });
    plot.append(image);
    image.classList.toggle("behind", mapView.behind === "both" && Boolean(map.points));
  }
  if (mapView.behind !== "images" && map.points) plot.append(...codeMarks(map, box));
  const cross = shape("g", { class: "cross" }, shape("circle", { r: 9 }), shape("circle", { r: 9, class: "inner" }), shape("circle", { r: 1.8, class: "dot" }));
  plot.append(cross);
  const move = (across, up) => {
    mapView.at = [across, up].map((place) => Math.max(0, Math.min(1, place)));
    cross.setAttribute("transform", `translate(${box.left + mapView.at[0] * box.width} ${box.top + (1 - mapView.at[1]) * box.height})`);
    view.show(x.value(mapView.at[0]), y.value(mapView.at[1]), mapView.at);
  };
  walkable(frame, move);
  chart.replaceChildren(frame.node);
  move(...(mapView.at ?? [0.5, 0.5]));
}

/** Pointer and keys move over the plane. */
function walkable(frame, move) {
  const { node, box } = frame;
  node.classList.add("walk");
  node.setAttribute("tabindex", "0");
  node.setAttribute("role", "application");
  node.setAttribute("aria-roledescription", "map of codes; arrow keys move");
  const follow = (event) => {
    const area = node.getBoundingClientRect();
    move((event.clientX - area.left - box.left) / box.width, 1 - (event.clientY - area.top - box.top) / box.height);
  };
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    follow(event);
  });
  node.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) follow(event);
  });
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  node.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const far = MAP_STEP * (event.shiftKey ? 8 : 1);
    move(mapView.at[0] + step[0] * far, mapView.at[1] + step[1] * far);
  });
}

/** The image at the pointer, and its code. */
function decodedView(map) {
  const { width, height } = map;
  const room = window.innerWidth <= NARROW ? 112 : 224; // on a phone it is above the map, where no finger hides it
  const scale = Math.max(1, Math.round(room / Math.max(width, height)));
  const canvas = imageCanvas({ width, height, scale, label: "decoded image" });
  canvas.id = "decoded";
  const words = element("output", { class: "code", id: "code", "aria-live": "polite" });
  const view = { pixels: null, node: element("div", { class: "decoded" }, canvas, words) };
  view.again = () => {};
  view.show = (across, up, [right, top]) => {
    view.again = () => view.show(across, up, [right, top]);
    words.textContent = `code (${measured(across)}, ${measured(up)})`;
    if (!view.pixels) return;
    const column = right * map.columns - 0.5;
    const row = (1 - top) * map.rows - 0.5;
    canvas.getContext("2d").putImageData(decodedAt(map, view.pixels, column, row), 0, 0);
  };
  return view;
}

/** The image at a place on the grid, in cells: the nearest one, or interpolated between the four around it. */
function decodedAt(map, pixels, column, row) {
  const { width, height } = map;
  const image = new ImageData(width, height);
  const cells = mapView.blend ? aroundCells(map, column, row) : [{ column: inside(Math.round(column), map.columns), row: inside(Math.round(row), map.rows), weight: 1 }];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const to = 4 * (y * width + x);
      for (let channel = 0; channel < 3; channel += 1) {
        let value = 0;
        for (const cell of cells) {
          const from = 4 * ((cell.row * height + y) * pixels.width + cell.column * width + x);
          value += cell.weight * pixels.data[from + channel];
        }
        image.data[to + channel] = value;
      }
      image.data[to + 3] = 255;
    }
  }
  return image;
}

function inside(place, count) {
  return Math.max(0, Math.min(count - 1, place));
}

function aroundCells(map, column, row) {
  const [left, top] = [Math.floor(column), Math.floor(row)];
  const [right, down] = [column - left, row - top];
  return [
    [left, top, (1 - right) * (1 - down)], [left + 1, top, right * (1 - down)],
    [left, top + 1, (1 - right) * down], [left + 1, top + 1, right * down],
  ].map(([across, below, weight]) => ({ column: inside(across, map.columns), row: inside(below, map.rows), weight }));
}

// The codes of the test images.

const CODE_SIZE = 2.6;

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** A path for each class, of its marks. */
function codeMarks(map, box) {
  const bytes = bytesOf(map.points);
  const labels = bytesOf(map.labels);
  const places = new DataView(bytes.buffer);
  const paths = map.classes.map(() => "");
  labels.forEach((label, point) => {
    const x = box.left + (places.getUint16(4 * point, true) / 65535) * box.width;
    const y = box.top + (1 - places.getUint16(4 * point + 2, true) / 65535) * box.height;
    paths[label] += `M${x.toFixed(1)} ${y.toFixed(1)}${markPath(classLook(label)?.mark ?? 0, CODE_SIZE)}`;
  });
  const drawn = paths.map((path, label) => ({ path, label })).filter(({ path }) => path);
  const dots = drawn.flatMap(({ path, label }) => [
    shape("path", { class: "codes edge", d: path }),
    paint(shape("path", { class: "codes", d: path }), classLook(label)),
  ]);
  return [...dots, ...classNames(map, labels, places, box)];
}

/** As in the pictures (`class_colors.look`): 70 pairs of a colour and a mark, then grey. */
function classLook(label) {
  const [turn, color] = [Math.floor(label / COLORS), label % COLORS];
  return turn < MARKS ? { color: `color-${color}`, mark: (color + turn) % MARKS } : null;
}

/** The name of each class at the median of its codes; a name that would cover another moves down. */
function classNames(map, labels, places, box) {
  const names = map.classes.flatMap((name, label) => {
    const of = [...labels.keys()].filter((point) => labels[point] === label);
    if (!of.length) return [];
    const [across, up] = [0, 2].map((offset) => median(of.map((point) => places.getUint16(4 * point + offset, true) / 65535)));
    return [{ name: clipped(name, 90), x: box.left + across * box.width, y: box.top + (1 - up) * box.height }];
  });
  const placed = [];
  for (const each of names.sort((a, b) => a.y - b.y)) {
    const half = (other) => ((each.name.length + other.name.length) * CHARACTER) / 2 + 4;
    for (const other of placed) {
      if (Math.abs(other.x - each.x) < half(other) && each.y - other.y < NAME_HEIGHT) each.y = other.y + NAME_HEIGHT;
    }
    placed.push(each);
  }
  return placed.map(({ name, x, y }) => shape("text", { class: "class-name", x, y, dy: "0.35em", "text-anchor": "middle" }, name));
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function classLegend(map) {
  if (!map.points) return null;
  return element(
    "ul", { class: "legend classes", "aria-label": "Classes" },
    ...map.classes.map((name, label) => element("li", {}, element("span", { class: "legend-entry" }, swatch(classLook(label)), element("span", {}, name)))),
  );
}

function mapNote(map) {
  const grid = `Decoded ahead of time at ${map.columns} \u00d7 ${map.rows} codes.`;
  if (!map.points) return grid;
  const drawn = map.pointsInside.toLocaleString("en-US");
  return `${grid} Marks: the codes (of variational models, the posterior means) of ${drawn} test images by class, of ${map.pointsOf.toLocaleString("en-US")}; ${plural(map.pointsDrawn - map.pointsInside, "code")} of these lie outside this map.`;
}
