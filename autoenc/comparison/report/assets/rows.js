// The rows of the table: runs, and settings with several seeds; their order, and the best of them.

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
    data.pages[run.index] ? element("a", { class: "page", href: data.pages[run.index] }, "index.html") : null,
  );
  const cells = columns.map((column) => element("td", { class: cellClass(column) }, column.text(run)));
  return { node: element("tr", { class: `state-${run.state}` }, head, ...cells), box, mark, cells };
}

function cellClass(column) {
  return `${column.numeric ? "number" : "text"}${column.metric ? "" : " setting"}`;
}

/** The standard deviation over seeds, below a mean with an interval. */
function deviationOf(metric, some) {
  const found = metric.key.includes(".") ? estimateOf(metric, some) : null;
  if (!(found?.sd > 1e-12 * Math.abs(found?.mean))) return null;
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(found.sd)));
  return element("span", { class: "sd" }, `sd ${decimals > MOST_DIGITS ? exponential(found.sd) : found.sd.toFixed(decimals)}`);
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
  const name = element("span", { class: label.length <= SHORT_NAME ? "run-name short" : "run-name", title: label }, element("bdi", {}, label));
  const badge = unfinished ? element("span", { class: "badge" }, `${unfinished} not finished`) : null;
  const head = element(
    "th", { class: "run", scope: "row" },
    element("label", {}, box, mark, element("span", { class: "run-text" }, name, badge)), seeds,
  );
  const cells = table.cells.map((column) =>
    element("td", { class: cellClass(column) }, ...(column.metric ? [groupText(column.metric, some), deviationOf(column.metric, some)] : [groupSetting(column, some)])),
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
        // All values that look like the best: marking only one of equal values would mislead.
        item.cells[place].classList.toggle("best", group.length > 1 && !partial && measured(valueOfItem(metric, item)) === best);
        if (metric.sections.length > 1) item.cells[place].title = metric.sections[section(item)];
      }
    }
  });
}
