// The table of all runs, which sorts, filters, and selects the runs for the sections below it.

const MOST_ROWS = 400;
const SHORT_NAME = 34; // characters that fit into one line, except on a phone

const table = { columns: [], sort: { key: null, descending: false }, filter: () => true, states: new Set(), most: MOST_ROWS };

function buildTable() {
  table.columns = tableColumns();
  const main = metrics.get(data.mainMetric);
  table.sort = main ? { key: main.key, descending: main.better === "higher" } : { key: null, descending: false };
  table.body = element("tbody");
  table.head = element("thead");
  table.node = element("table", { class: "runs" }, element("caption", { class: "unseen" }, "All runs"), table.head, table.body);
  table.count = element("p", { class: "count", role: "status" });
  table.note = element("p", { class: "note" });
  table.more = button("", () => {
    table.most += MOST_ROWS;
    drawRows();
  }, { class: "more" });
  contentOf("runs").append(
    tableTools(),
    columnChooser(),
    table.count,
    element("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "All runs, a table that scrolls" }, table.node),
    table.more,
    table.note,
  );
  drawTable();
  store.listeners.push(showSelection);
}

// The tools above it.

function tableTools() {
  const problem = element("p", { class: "problem", role: "alert" });
  const box = element("input", {
    type: "search", id: "filter", autocomplete: "off", spellcheck: "false",
    placeholder: "a word, or test.mse<0.02 and seed=0",
    on: {
      input: () => {
        try {
          table.filter = parseFilter(box.value);
          problem.textContent = "";
        } catch (error) {
          table.filter = () => true;
          problem.textContent = `Not filtered: ${error.message}.`;
        }
        drawRows();
      },
    },
  });
  const colors = selectBox("Colours by", {
    options: [["run", "run"], ...mainSettings.map(({ key }) => [key, key])],
    value: store.colorBy,
    change: (key) => store.setColorBy(key),
  });
  return element(
    "div", { class: "tools" },
    element("label", { class: "control grow" }, element("span", {}, "Filter"), box),
    stateFilter(),
    element(
      "div", { class: "buttons", role: "group", "aria-label": "Select runs" },
      button("Select shown", () => store.select(shownRuns().map((run) => run.index)), { id: "select-shown" }),
      button("Select none", () => store.select([]), { id: "select-none" }),
    ),
    mainSettings.length ? colors : null,
    problem,
  );
}

function stateFilter() {
  const states = [...new Set(runs.map((run) => run.state))];
  if (states.length < 2) return null;
  const boxes = states.map((state) =>
    checkbox(state, {
      checked: true,
      change: (on) => {
        if (on) table.states.delete(state);
        else table.states.add(state);
        drawRows();
      },
    }),
  );
  return element("fieldset", { class: "choice states" }, element("legend", {}, "State"), ...boxes);
}

function columnChooser() {
  const groups = groupBy(table.columns, (column) => column.group);
  const lists = [...groups].map(([group, columns]) =>
    element(
      "fieldset", {}, element("legend", {}, group),
      ...columns.map((column) =>
        checkbox(column.title, {
          checked: column.shown,
          change: (on) => {
            column.shown = on;
            drawTable();
          },
        }),
      ),
    ),
  );
  return element("details", { class: "columns" }, element("summary", {}, "Columns"), element("div", { class: "column-groups" }, ...lists));
}

/** A note on the order, with a warning if it ranks by the test split. */
function rankingNote() {
  const { key } = table.sort;
  if (key === null) return "Bold: the best of the runs shown.";
  const split = [...metrics.values()].some((metric) => metric.sections.length > 1);
  const tests = metrics.get(key)?.better && key.startsWith("test.");
  return [
    "Bold: the best of the runs shown.",
    split ? "Runs that are not comparable are in separate groups, each with its own best; point at a number to see its group." : "",
    tests ? `Ranked by ${key}, on the test split. To choose among runs, rank by a validation column: a test score that was used to choose is no longer a test.` : `Sorted by ${key}.`,
  ].filter(Boolean).join(" ");
}

// Head.

function drawTable() {
  const columns = table.columns.filter((column) => column.shown);
  const groups = [];
  for (const column of columns) {
    if (groups.at(-1)?.name === column.group) groups.at(-1).span += 1;
    else groups.push({ name: column.group, span: 1 });
  }
  const all = element("input", { type: "checkbox", "aria-label": "Select all runs shown", on: { change: () => selectShown(all.checked) } });
  table.all = all;
  table.head.replaceChildren(
    element(
      "tr", { class: "groups" },
      element("td", { class: "run" }),
      ...groups.map((group) => element("th", { colspan: group.span, scope: "colgroup" }, group.name)),
    ),
    element(
      "tr", {},
      element("th", { class: "run", scope: "col", "aria-sort": ariaSort("run") }, element("span", { class: "run-head" }, all, sortButton("run", "run"))),
      ...columns.map(headOf),
    ),
  );
  table.rows = new Map(runs.map((run) => [run.index, rowOf(run, columns)]));
  table.cells = columns;
  drawRows();
}

function headOf(column) {
  const units = column.metric ? column.metric.units.filter(Boolean) : [];
  const unit = units.length > 1 ? "units differ" : units.length ? narrowUnit(units[0]) : "";
  const title = [column.key, ...units, ...(column.metric?.better ? [`${column.metric.better} is better`] : [])].join("\n");
  return element(
    "th", { scope: "col", class: column.numeric ? "number" : "text", "aria-sort": ariaSort(column.key), title, "data-key": column.key },
    column.prefix ? element("span", { class: "prefix" }, column.prefix) : null,
    sortButton(column.key, column.short),
    unit ? element("span", { class: "unit" }, unit) : null,
  );
}

function sortButton(key, title) {
  return element("button", { type: "button", class: "sort", on: { click: () => sortBy(key) } }, title);
}

function ariaSort(key) {
  if (table.sort.key !== key) return "none";
  return table.sort.descending ? "descending" : "ascending";
}

/** The best first; the other way round when asked again. */
function sortBy(key) {
  const better = metrics.get(key)?.better;
  const descending = table.sort.key === key ? !table.sort.descending : better === "higher";
  table.sort = { key, descending };
  for (const head of table.head.querySelectorAll("th[data-key]")) head.setAttribute("aria-sort", ariaSort(head.dataset.key));
  table.head.querySelector("th.run").setAttribute("aria-sort", ariaSort("run"));
  drawRows();
}

// Rows.

function rowOf(run, columns) {
  const box = element("input", { type: "checkbox", on: { change: () => store.toggle(run.index, box.checked) } });
  const mark = shape("svg", { class: "swatch", viewBox: "-6 -6 12 12", "aria-hidden": "true" }, shape("path", { d: markPath(0, 4.6) }));
  const name = element("span", { class: run.label.length <= SHORT_NAME ? "run-name short" : "run-name" }, element("bdi", {}, run.label));
  const badge = run.state === "finished" ? null : element("span", { class: `badge ${run.state}` }, run.state);
  const said = (run.reasons ?? []).join(" \u00b7 ");
  const reason = said ? element("span", { class: "reason", title: said }, said) : null;
  const head = element(
    "th", { class: "run", scope: "row", title: run.name },
    element("label", {}, box, mark, element("span", { class: "run-text" }, name, badge, reason)),
  );
  const cells = columns.map((column) => element("td", { class: column.numeric ? "number" : "text" }, column.text(run)));
  return { node: element("tr", { class: `state-${run.state}` }, head, ...cells), box, mark, cells };
}

function shownRuns() {
  return runs.filter((run) => !table.states.has(run.state) && table.filter(run));
}

function drawRows() {
  const shown = sorted(shownRuns());
  const drawn = shown.slice(0, table.most);
  table.body.replaceChildren(...withHeadings(drawn));
  table.note.textContent = rankingNote();
  markBest(shown);
  table.more.hidden = drawn.length === shown.length;
  table.more.textContent = `Show ${Math.min(MOST_ROWS, shown.length - drawn.length)} more of ${shown.length} runs`;
  showSelection();
}

function sorted(shown) {
  const { key, descending } = table.sort;
  if (key === null) return shown;
  const column = table.columns.find((found) => found.key === key);
  const read = column ? column.value : (run) => run.label;
  const place = sectionOfSorted() ?? (() => 0);
  return [...shown].sort((a, b) => place(a) - place(b) || inOrder(read(a), read(b), descending) || a.index - b.index);
}

/** The section of each run if the sorting metric cannot rank all of them together; unranked runs are last. */
function sectionOfSorted() {
  const metric = metrics.get(table.sort.key);
  if (!metric || metric.sections.length < 2) return null;
  return (run) => (metric.sectionOf(run) < 0 ? metric.sections.length : metric.sectionOf(run));
}

/** The rows of runs in order, with a row above each group that names it. */
function withHeadings(ordered) {
  const place = sectionOfSorted();
  const { sections } = metrics.get(table.sort.key) ?? {};
  return ordered.flatMap((run, at) => {
    const row = table.rows.get(run.index).node;
    if (!place || (at > 0 && place(ordered[at - 1]) === place(run))) return [row];
    const name = element("span", {}, sections[place(run)] ?? "not ranked");
    return [element("tr", { class: "section" }, element("th", { scope: "rowgroup", colspan: table.cells.length + 1 }, name)), row];
  });
}

const collator = new Intl.Collator("en", { numeric: true });

/** Missing values come last, whichever way. */
function inOrder(a, b, descending) {
  const missing = (value) => value === undefined || value === null || Number.isNaN(value);
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const sign = descending ? -1 : 1;
  if (!isNumber(a) || !isNumber(b)) return sign * collator.compare(asSet(a), asSet(b));
  return sign * (Number(a > b) - Number(a < b));
}

/** The best of each section with at least two runs. */
function markBest(shown) {
  table.cells.forEach((column, place) => {
    const { metric } = column;
    if (!metric?.better) return;
    const sign = metric.better === "higher" ? -1 : 1;
    const sections = groupBy(shown.filter((run) => isFiniteNumber(metric.of(run)) && metric.sectionOf(run) >= 0), metric.sectionOf);
    const best = new Map();
    for (const [section, group] of sections) {
      if (group.length > 1) best.set(section, Math.min(...group.map((run) => sign * metric.of(run))));
    }
    for (const run of shown) {
      const cell = table.rows.get(run.index).cells[place];
      const section = metric.sectionOf(run);
      // All values that look like the best: one alone in bold would be a riddle.
      const isBest = isFiniteNumber(metric.of(run)) && best.has(section) && measured(sign * best.get(section)) === measured(metric.of(run));
      cell.classList.toggle("best", isBest);
      if (metric.sections.length > 1 && section >= 0) cell.title = metric.sections[section];
    }
  });
}

// Selection.

function selectShown(on) {
  const indices = shownRuns().map((run) => run.index);
  const others = [...store.selected].filter((index) => !indices.includes(index));
  store.select(on ? [...others, ...indices] : others);
}

function showSelection() {
  for (const run of runs) {
    const { box, mark, node } = table.rows.get(run.index);
    const on = store.selected.has(run.index);
    const look = looks.of(run);
    box.checked = on;
    node.classList.toggle("selected", on);
    paint(mark, look).firstChild.setAttribute("d", markPath(look?.mark ?? 0, 4.6));
  }
  const shown = shownRuns();
  const selected = shown.filter((run) => store.selected.has(run.index)).length;
  table.all.checked = selected > 0 && selected === shown.length;
  table.all.indeterminate = selected > 0 && selected < shown.length;
  const filtered = shown.length === runs.length ? plural(runs.length, "run") : `${shown.length} of ${plural(runs.length, "run")} shown`;
  table.count.textContent = `${filtered}; ${store.selected.size} selected for the sections below`;
}
