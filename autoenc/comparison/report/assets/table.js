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
    element("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "All runs, a table that scrolls" }, table.node),
    table.more,
    table.note,
    data.comparisons.length ? element("ul", { class: "notes comparisons" }, ...data.comparisons.map((text) => element("li", {}, text))) : "",
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
  const means = table.eachRun ? "" : "\u00b1: half of the 95 % interval of the mean over seeds, by Student's t.";
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
  const mark = swatch(null);
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

/** The row of a setting with several seeds, and a button that shows its runs. */
function groupRowOf(some) {
  const { index, label } = groupOf(some[0]);
  const box = element("input", { type: "checkbox", on: { change: () => selectRuns(some, box.checked) } });
  const mark = swatch(null);
  const open = table.open.has(index);
  const seeds = button(`${plural(new Set(some.map(seedOf)).size, "seed")}`, () => {
    if (!table.open.delete(index)) table.open.add(index);
    drawRows();
    table.body.querySelector(`[data-group="${index}"] .open`).focus();
  }, { class: "open", "aria-expanded": String(open) });
  const unfinished = some.filter((run) => run.state !== "finished").length;
  const name = element("span", { class: label.length <= SHORT_NAME ? "run-name short" : "run-name" }, element("bdi", {}, label));
  const badge = unfinished ? element("span", { class: "badge" }, `${unfinished} not finished`) : null;
  const head = element(
    "th", { class: "run", scope: "row" },
    element("label", {}, box, mark, element("span", { class: "run-text" }, name, badge)), seeds,
  );
  const cells = table.cells.map((column) =>
    element("td", { class: column.numeric ? "number" : "text" }, column.metric ? groupText(column.metric, some) : groupSetting(column, some)),
  );
  return { node: element("tr", { class: "group", "data-group": index }, head, ...cells), box, mark, cells };
}

function shownRuns() {
  return runs.filter((run) => !table.states.has(run.state) && table.filter(run));
}

/** What the table shows in order: single runs, and settings with several seeds. */
function itemsOf(shown) {
  if (table.eachRun) return shown.map((run) => ({ runs: [run] }));
  const place = sectionOfSorted() ?? (() => 0);
  const bySetting = groupBy(shown, (run) => `${groupOf(run).index} ${place(run)}`);
  return [...bySetting.values()].flatMap((some) => (haveSeveralSeeds(some) ? [{ runs: some }] : some.map((run) => ({ runs: [run] }))));
}

function drawRows() {
  const shown = shownRuns();
  const items = sorted(itemsOf(shown));
  const drawn = items.slice(0, table.most);
  for (const item of drawn) Object.assign(item, item.runs.length > 1 ? groupRowOf(item.runs) : table.rows.get(item.runs[0].index));
  for (const row of table.rows.values()) row.node.classList.remove("inside");
  table.items = drawn;
  table.body.replaceChildren(...withHeadings(drawn));
  table.note.textContent = rankingNote();
  markBest(items);
  table.more.hidden = drawn.length === items.length;
  table.more.textContent = `Show ${Math.min(MOST_ROWS, items.length - drawn.length)} more of ${items.length} rows`;
  showSelection();
}

/** The number of a metric that stands for an item: the value of a run, or the mean over seeds. */
function valueOfItem(metric, item) {
  return item.runs.length > 1 ? (estimateOf(metric, item.runs)?.mean ?? null) : metric.of(item.runs[0]);
}

function sorted(items) {
  const { key, descending } = table.sort;
  if (key === null) return items;
  const column = table.columns.find((found) => found.key === key);
  const read = (item) => {
    if (!column) return item.runs.length > 1 ? groupOf(item.runs[0]).label : item.runs[0].label;
    return (column.metric ? valueOfItem(column.metric, item) : column.value(item.runs[0])) ?? undefined;
  };
  const place = sectionOfSorted() ?? (() => 0);
  const known = items.map((item) => ({ item, value: read(item), place: place(item.runs[0]), index: item.runs[0].index }));
  return known.sort((a, b) => a.place - b.place || inOrder(a.value, b.value, descending) || a.index - b.index).map(({ item }) => item);
}

/** The section of each run if the sorting metric cannot rank all of them together; unranked runs are last. */
function sectionOfSorted() {
  const metric = metrics.get(table.sort.key);
  if (!metric || metric.sections.length < 2) return null;
  return (run) => (metric.sectionOf(run) < 0 ? metric.sections.length : metric.sectionOf(run));
}

/** The rows of items in order, with those of open ones, and a row above each section that names it. */
function withHeadings(ordered) {
  const place = sectionOfSorted();
  const { sections } = metrics.get(table.sort.key) ?? {};
  return ordered.flatMap((item, at) => {
    const [run] = item.runs;
    const rows = [item.node, ...insideOf(item)];
    if (!place || (at > 0 && place(ordered[at - 1].runs[0]) === place(run))) return rows;
    const name = element("span", {}, sections[place(run)] ?? "not ranked");
    return [element("tr", { class: "section" }, element("th", { scope: "rowgroup", colspan: table.cells.length + 1 }, name)), ...rows];
  });
}

/** The rows of the runs of an open setting, in their own order. */
function insideOf(item) {
  if (item.runs.length === 1 || !table.open.has(groupOf(item.runs[0]).index)) return [];
  return sorted(item.runs.map((run) => ({ runs: [run] }))).map(({ runs: [run] }) => {
    const { node } = table.rows.get(run.index);
    node.classList.add("inside");
    return node;
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

/** The best of each section with at least two rows; no mean over only some of the seeds, which may be the better ones. */
function markBest(items) {
  table.cells.forEach((column, place) => {
    const { metric } = column;
    if (!metric?.better) return;
    for (const run of runs) table.rows.get(run.index).cells[place].classList.remove("best");
    const sign = metric.better === "higher" ? -1 : 1;
    const section = (item) => metric.sectionOf(item.runs.find((run) => isFiniteNumber(metric.of(run))) ?? item.runs[0]);
    const scored = items.filter((item) => isFiniteNumber(valueOfItem(metric, item)) && section(item) >= 0);
    for (const group of groupBy(scored, section).values()) {
      const best = measured(sign * Math.min(...group.map((item) => sign * valueOfItem(metric, item))));
      for (const item of group.filter((each) => each.cells)) {
        const partial = item.runs.length > 1 && estimateOf(metric, item.runs).partial;
        // All values that look like the best: one alone in bold would be a riddle.
        item.cells[place].classList.toggle("best", group.length > 1 && !partial && measured(valueOfItem(metric, item)) === best);
        if (metric.sections.length > 1) item.cells[place].title = metric.sections[section(item)];
      }
    }
  });
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
