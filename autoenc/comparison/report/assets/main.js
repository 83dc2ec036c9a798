// The page from top to bottom.

const STATES = ["finished", "running", "waiting", "interrupted", "failed", "diverged", "dead", "unreadable"];

function buildHeader() {
  byId("title").textContent = data.title;
  const made = new Date(data.made);
  const when = made.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
  byId("made").append("Made ", element("time", { datetime: data.made }, when), `; ${plural(runs.length, "run")}, as of that time.`);
  if (data.links.length) {
    const links = data.links.map(([name, address]) => element("a", { href: address }, name));
    byId("made").append(" Next to this page: ", ...links.flatMap((link, at) => (at ? [", ", link] : [link])), ".");
  }
  const count = groupBy(runs, (run) => run.state);
  for (const state of STATES.filter((name) => count.has(name))) {
    byId("states").append(element("li", { class: `badge ${state}` }, `${count.get(state).length} ${state}`));
  }
  if (data.warnings.length) {
    byId("warnings").append(element("ul", { class: "warnings", "aria-label": "Before you compare" }, ...data.warnings.map((text) => element("li", {}, text))));
  }
}

function buildNotes() {
  if (!data.notes.length) {
    byId("notes").hidden = true;
    return;
  }
  contentOf("notes").append(element("ul", { class: "notes" }, ...data.notes.map((text) => element("li", {}, text))));
}

/** Links to the sections that are shown. */
function buildSections() {
  for (const section of document.querySelectorAll("main > section")) {
    if (section.hidden) continue;
    const short = section.dataset.short ?? section.querySelector("h2").textContent;
    byId("sections").append(element("li", {}, element("a", { href: `#${section.id}` }, short)));
  }
}

buildHeader();
if (groups) store.colorBy = "setting";
store.selected = new Set(firstSelection());
looks = newLooks();
guarded("runs", buildTable);
guarded("differences", buildDifferences);
guarded("curves", buildCurves);
guarded("points", buildPoints);
guarded("matrix", buildMatrices);
guarded("map", buildMap);
panels.forEach((entry) => entry.now());
buildNotes();
buildSections();

// The time when the page is usable, after layout and painting; for measurements and tests.
requestAnimationFrame(() => setTimeout(() => document.documentElement.setAttribute("data-ready", Math.round(performance.now()))));
