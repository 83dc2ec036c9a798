// Creates elements one by one. Texts become text nodes: no text of a folder is ever parsed as HTML.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

/** An HTML element. Attributes that are false or null are left out; `on` holds listeners. */
function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG_NAMESPACE, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value !== null && value !== false && value !== undefined) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function byId(id) {
  return document.getElementById(id);
}

/** The element of a section that the program fills. */
function contentOf(id) {
  return document.querySelector(`#${id} .content`);
}

// Controls, each inside its label.

function checkbox(label, { checked, change }) {
  const box = element("input", { type: "checkbox", on: { change: () => change(box.checked) } });
  box.checked = checked;
  return element("label", { class: "control" }, box, element("span", {}, label));
}

/** `options`: pairs of a value and a text; a third entry is the name of its group. */
function selectBox(label, { options, value, change }) {
  const select = element("select", { on: { change: () => change(select.value) } });
  const groups = new Map();
  for (const [option, text, group] of options) {
    const node = element("option", { value: option }, text);
    if (!group) {
      select.append(node);
      continue;
    }
    if (!groups.has(group)) {
      groups.set(group, element("optgroup", { label: group }));
      select.append(groups.get(group));
    }
    groups.get(group).append(node);
  }
  select.value = value;
  return element("label", { class: "control select" }, element("span", {}, label), select);
}

/** A table that scrolls, with an arrow at its right edge as long as columns are hidden there. */
function scrolling(name, table) {
  const box = element("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": `${name}, a table that scrolls` }, table);
  const frame = element("div", { class: "scrolling" }, box);
  const check = () => frame.classList.toggle("more-right", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  box.addEventListener("scroll", check);
  const sizes = new ResizeObserver(check);
  sizes.observe(box);
  sizes.observe(table);
  return frame;
}

let radioGroups = 0;

/** Radio buttons for a few options. */
function choice(label, { options, value, change }) {
  const name = `choice-${(radioGroups += 1)}`;
  const buttons = options.map(([option, text]) => {
    const button = element("input", { type: "radio", name, value: option, on: { change: () => change(option) } });
    button.checked = option === value;
    return element("label", {}, button, element("span", {}, text));
  });
  return element("fieldset", { class: "choice" }, element("legend", {}, label), ...buttons);
}

function button(text, press, attributes = {}) {
  return element("button", { type: "button", ...attributes, on: { click: press } }, text);
}

// The tooltip next to the pointer.

const tip = {
  show(event, ...lines) {
    const box = byId("tip");
    box.replaceChildren(...lines.filter(Boolean).map((line, number) => element("div", { class: number ? "" : "first" }, line)));
    box.hidden = false;
    const { innerWidth: width, innerHeight: height } = window;
    const left = Math.min(event.clientX + 14, width - box.offsetWidth - 8);
    const below = event.clientY + 18 + box.offsetHeight < height;
    const top = below ? event.clientY + 18 : event.clientY - box.offsetHeight - 12;
    box.style.setProperty("left", `${Math.max(8, left)}px`);
    box.style.setProperty("top", `${Math.max(8, top)}px`);
  },
  hide() {
    byId("tip").hidden = true;
  },
};

/** Shows an error in its section; the other sections still work. */
function guarded(id, work) {
  try {
    work();
  } catch (error) {
    console.error(error);
    contentOf(id).append(element("p", { class: "notice" }, `This part could not be drawn: ${error.message}`));
  }
}

// Panels: sections that are drawn while the page loads, and redrawn when their data changes. Visible ones are redrawn at
// once, the others when the browser is idle.

const panels = [];
let panelsAsked = false;

/** `change` redraws the section. */
function panel(id, draw) {
  const entry = { dirty: true, near: false };
  entry.now = () => {
    if (!entry.dirty) return;
    entry.dirty = false;
    guarded(id, draw);
  };
  entry.change = () => {
    entry.dirty = true;
    askForPanels();
  };
  new IntersectionObserver((changes) => {
    entry.near = changes.at(-1).isIntersecting;
    askForPanels();
  }).observe(byId(id));
  panels.push(entry);
  return entry;
}

function askForPanels() {
  if (panelsAsked || !panels.some((entry) => entry.dirty)) return;
  panelsAsked = true;
  document.documentElement.setAttribute("data-drawing", "");
  requestAnimationFrame(drawPanels);
}

function drawPanels() {
  panels.filter((entry) => entry.near).forEach((entry) => entry.now());
  panelsAsked = false;
  const next = panels.find((entry) => entry.dirty);
  if (!next) {
    document.documentElement.removeAttribute("data-drawing");
    return;
  }
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 30));
  idle(() => {
    next.now();
    drawPanels();
  });
}

/** Calls back with the width of an element, at once and whenever it changes. */
function withWidth(node, draw) {
  let last = 0;
  node.fit = () => {
    const width = Math.floor(node.clientWidth);
    if (width > 0 && width !== last) {
      last = width;
      draw(width);
    }
  };
  new ResizeObserver(node.fit).observe(node);
}

// Printing: everything is drawn in the width of a page, and wide tables are made smaller until they fit.

window.addEventListener("beforeprint", () => {
  panels.forEach((entry) => entry.now());
  document.documentElement.classList.add("printing");
  fitCharts();
  for (const table of document.querySelectorAll("table")) {
    table.style.setProperty("zoom", Math.min(1, table.parentElement.clientWidth / table.scrollWidth));
  }
});

window.addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  for (const table of document.querySelectorAll("table")) table.style.removeProperty("zoom");
  fitCharts();
});

function fitCharts() {
  for (const node of document.querySelectorAll(".chart-box")) node.fit?.();
}
