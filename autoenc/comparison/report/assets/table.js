// The table of all runs, which sorts, filters, and selects the runs for the sections below it. The seeds of a setting are
// one row that opens to its runs.

const MOST_ROWS = 400;
const SHORT_NAME = 34; // characters that fit into one line, except on a phone

const table = { columns: [], sort: { key: null, descending: false }, filter: () => true, states: new Set(), most: MOST_ROWS, eachRun: !groups, open: new Set() };

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
    scrolling("All runs", table.node),
    table.more,
    table.note,
    ...data.baselines.map((text) => element("p", { class: "notice baselines" }, text)),
    ...data.comparisons.map(([heading, ...lines]) =>
      element("div", { class: "comparisons" }, element("p", { class: "note" }, heading), element("ul", { class: "notes" }, ...lines.map((text) => element("li", {}, text)))),
    ),
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
    options: [...(groups ? [["setting", "setting, not seed"]] : []), ["run", "run"], ...mainSettings.map(({ key }) => [key, key])],
    value: store.colorBy,
    change: (key) => store.setColorBy(key),
  });
  return element(
    "div", { class: "tools" },
    element("label", { class: "control grow" }, element("span", {}, "Filter"), box),
    stateFilter(),
    settings.size ? checkbox("settings", { checked: true, change: (on) => table.node.classList.toggle("without-settings", !on) }) : null,
    groups ? checkbox("each run", { checked: false, change: (on) => { table.eachRun = on; drawRows(); } }) : null,
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
  const means = table.eachRun ? "" : "\u00b1 half of the 95 % interval of the mean over seeds (Student's t). sd: the standard deviation over seeds.";
  if (key === null) return ["Bold: the best of the runs shown.", means].join(" ");
  const split = [...metrics.values()].some((metric) => metric.sections.length > 1);
  const tests = metrics.get(key)?.better && key.startsWith("test.");
  return [
    "Bold: the best of the runs shown.",
    means,
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
      ...groups.map((group) => element("th", { colspan: group.span, scope: "colgroup", class: group.name === "settings" ? "setting" : null }, group.name)),
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
  const unit = units.length > 1 ? "units differ" : units.length ? briefUnit(units[0]) : "";
  const title = [column.key, ...units, ...(column.metric?.better ? [`${column.metric.better} is better`] : [])].join("\n");
  return element(
    "th", { scope: "col", class: cellClass(column), "aria-sort": ariaSort(column.key), title, "data-key": column.key },
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

// Selection.

function selectShown(on) {
  selectRuns(shownRuns(), on);
}

function selectRuns(some, on) {
  const indices = some.map((run) => run.index);
  const others = [...store.selected].filter((index) => !indices.includes(index));
  store.select(on ? [...others, ...indices] : others);
}

function showSelection() {
  const rows = runs.map((run) => ({ ...table.rows.get(run.index), runs: [run] }));
  for (const { box, mark, node, runs: some } of [...rows, ...table.items.filter((item) => item.runs.length > 1)]) {
    const on = some.filter((run) => store.selected.has(run.index));
    const look = store.colorBy === "run" && some.length > 1 ? null : looks.of(on[0] ?? some[0]);
    box.checked = on.length === some.length;
    box.indeterminate = on.length > 0 && on.length < some.length;
    node.classList.toggle("selected", on.length > 0);
    paint(mark, look).firstChild.setAttribute("d", markPath(look?.mark ?? 0, 4.6));
  }
  const shown = shownRuns();
  const selected = shown.filter((run) => store.selected.has(run.index)).length;
  table.all.checked = selected > 0 && selected === shown.length;
  table.all.indeterminate = selected > 0 && selected < shown.length;
  const filtered = shown.length === runs.length ? plural(runs.length, "run") : `${shown.length} of ${plural(runs.length, "run")} shown`;
  table.count.textContent = `${filtered}; ${store.selected.size} selected for the sections below`;
}
