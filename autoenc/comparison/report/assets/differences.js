// The settings in which the selected runs differ, side by side.

const MOST_COMPARED = 60;

function buildDifferences() {
  const place = contentOf("differences");
  const drawn = panel("differences", () => place.replaceChildren(...differences().filter(Boolean)));
  store.listeners.push(drawn.change);
}

function differences() {
  const compared = store.chosen.slice(0, MOST_COMPARED);
  if (compared.length < 2) return [element("p", { class: "note" }, "Select two runs or more in the table.")];
  const differing = [...settings.values()].filter((setting) => new Set(compared.map((run) => keyOf(setting.of(run)))).size > 1);
  const rows = differing.filter((setting) => !comesWithItsGroup(setting, compared));
  const note = element("p", { class: "note" }, differencesNote(compared, rows));
  const shared = sharedTable(compared, differing);
  if (!rows.length) return [note, shared];
  const others = differing.filter((setting) => !rows.includes(setting));
  return [
    note,
    differencesTable(compared, rows, "Settings that differ"),
    others.length
      ? element("details", {}, element("summary", {}, `${plural(others.length, "setting")} that come with a choice named above`), differencesTable(compared, others, "Settings that come with a choice"))
      : null,
    shared,
  ];
}

/** Whether a setting has one value, and only the runs with certain choices of its group have it. */
function comesWithItsGroup(setting, compared) {
  const group = settings.get(setting.key.split(".")[0]);
  if (!group || group === setting) return false;
  const having = compared.filter((run) => setting.of(run) !== undefined);
  const lacking = compared.filter((run) => setting.of(run) === undefined);
  const choices = new Set(having.map((run) => keyOf(group.of(run))));
  return new Set(having.map((run) => keyOf(setting.of(run)))).size < 2 && lacking.every((run) => !choices.has(keyOf(group.of(run))));
}

function differencesTable(compared, rows, name) {
  const head = element(
    "tr", {}, element("th", { scope: "col" }, "setting"),
    ...compared.map((run) => element("th", { scope: "col", class: "text" }, swatch(looks.of(run)), " ", element("bdi", {}, run.label))),
  );
  const body = rows.map((setting) => {
    const most = commonestOf(setting, compared);
    return element(
      "tr", {}, element("th", { scope: "row" }, ...breakable(setting.key)),
      ...compared.map((run) => {
        const value = setting.of(run);
        return element("td", { class: keyOf(value) === most ? "usual" : "odd", title: value === undefined ? "this run has no such setting" : null }, settingText(setting.key, value));
      }),
    );
  });
  return scrolling(name, element("table", { class: "differences" }, element("thead", {}, head), element("tbody", {}, ...body)));
}

function differencesNote(compared, rows) {
  const count = rows.length;
  const left = store.selected.size - compared.length;
  const more = left > 0 ? ` The first ${compared.length} of ${store.selected.size} selected runs are shown here.` : "";
  if (!count) return `The ${compared.length} selected runs differ in no setting.${more}`;
  const grey = rows.some((setting) => commonestOf(setting, compared) !== null) ? "; a value that most of them have is grey" : "";
  return `${plural(count, "setting")} in which the ${compared.length} selected runs differ${grey}.${more}`;
}

/** 1 and "1" are different. */
function keyOf(value) {
  return `${typeof value} ${String(value)}`;
}

/** The value of a setting that more than half of some runs have; else null. */
function commonestOf(setting, some) {
  const values = some.map((run) => keyOf(setting.of(run)));
  const [most, group] = [...groupBy(values, (value) => value)].reduce((a, b) => (b[1].length > a[1].length ? b : a));
  return group.length * 2 > values.length ? most : null;
}

/** The settings that the selected runs share. */
function sharedTable(compared, differing) {
  const same = [...settings.values()].filter((setting) => !differing.includes(setting) && setting.of(compared[0]) !== undefined);
  const pairs = [...same.map((setting) => [setting.key, setting.of(compared[0])]), ...sharedSettings];
  if (!pairs.length) return null;
  return element(
    "details", {}, element("summary", {}, `${plural(pairs.length, "setting")} that they share`),
    element("dl", { class: "shared" }, ...pairs.map(([key, value]) => element("div", {}, element("dt", {}, ...breakable(key)), element("dd", {}, settingText(key, value))))),
  );
}
