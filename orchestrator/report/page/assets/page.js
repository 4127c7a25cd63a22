"use strict";

const text = (id) => document.getElementById(id).textContent;
const specifications = JSON.parse(text("specifications"));
const ERRORS = 1; // Vega's log level: a chart without one of its layers deserves no warning
const options = {
  actions: false, ast: true, config: JSON.parse(text("config")), defaultStyle: false, logLevel: ERRORS, renderer: "svg",
  tooltip: { theme: "custom", disableDefaultStyle: true },
};
const kinds = ["workload", "task", "framework"];
const DASHES = [[], [8, 3], [2, 2], [8, 3, 2, 3]];
const SHAPES = ["circle", "square", "diamond", "triangle-up", "cross", "triangle-down"];
const TONES = 8;
const COLUMN = 190; // pixels of width for a mode's name in a legend
const LINE = 20; // pixels of height for one at an axis

const filter = document.getElementById("filter");
const figures = [...document.querySelectorAll("figure.picture")];
const views = new Map();

/** Return the ticked numbers by kind; no entry for a kind without a choice. */
function chosen() {
  const boxes = [...filter.querySelectorAll("input")];
  const of = (kind) => boxes.filter((box) => box.name === kind);
  return new Map(
    kinds.filter((kind) => of(kind).length)
      .map((kind) => [kind, new Set(of(kind).filter((box) => box.checked).map((box) => Number(box.value)))]),
  );
}

/** Check that all frameworks of a row, its workload and its task are ticked. */
function passes(marks, ticked) {
  return [...ticked].every(([kind, numbers]) => (marks[kind] || []).every((number) => numbers.has(number)));
}

/** Check that the workload and task of a group are ticked, and any of its frameworks. */
function hasAny(marks, ticked) {
  return [...ticked].every(([kind, numbers]) => marks[kind].some((number) => numbers.has(number)));
}

function marksOf(element) {
  return Object.fromEntries(
    kinds.filter((kind) => kind in element.dataset).map((kind) => [kind, element.dataset[kind].split(" ").map(Number)]),
  );
}

const toneOf = (place) => `var(--tone-${place % TONES})`;

/** Return a text or a value of JSON with the colours that the page has now, in place of its variables. */
function colour(value) {
  const style = getComputedStyle(document.documentElement);
  return JSON.parse(JSON.stringify(value).replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim()));
}

/** Return the visible rows of a chart as objects, each with its mode's colour. */
function rowsOf(data, ticked) {
  const tones = new Map(data.modes.map(([mode, place]) => [mode, toneOf(place)]));
  const columns = Object.entries(data.columns).map(([name, column]) => [
    name, Array.isArray(column) ? column : column.at.map((place) => column.words[place]),
  ]);
  return columns[0][1]
    .map((_, index) => Object.fromEntries(columns.map(([name, column]) => [name, column[index]])))
    .filter((row) => passes(row, ticked))
    .map((row) => ({ ...row, tone: tones.get(row.mode) }));
}

/** Return the specification of a chart, with its visible modes and their colours, dashes and shapes. */
function specificationOf(data, rows, width) {
  const spec = specifications[data.kind];
  const { step, fields } = spec.usermeta ?? { step: 0, fields: [] };
  const there = new Set(rows.map((row) => row.mode));
  const modes = data.modes.filter(([mode]) => there.has(mode));
  const filled = {
    $columns: Math.max(1, Math.floor(width / COLUMN)),
    $height: Math.max(step * new Set(rows.map((row) => JSON.stringify(fields.map((field) => row[field])))).size, LINE * modes.length),
    $modes: modes.map(([mode]) => mode),
    $tones: modes.map(([, place]) => toneOf(place)),
    $dashes: modes.map(([, place]) => DASHES[(place + Math.floor(place / TONES)) % DASHES.length]),
    $shapes: modes.map(([, place]) => SHAPES[place % SHAPES.length]),
  };
  const fill = (key, value) => (typeof value === "string" && value in filled ? filled[value] : value);
  return JSON.parse(JSON.stringify(spec), fill);
}

const dataOf = (figure) => JSON.parse(figure.querySelector("script").textContent);

async function draw(figure) {
  const data = dataOf(figure);
  const rows = rowsOf(data, chosen());
  const place = figure.querySelector(".drawing > div"); // Vega labels the element it draws into, which would hide the label around it
  figure.classList.toggle("empty", !rows.length);
  views.get(figure)?.finalize();
  views.delete(figure);
  if (rows.length) {
    views.set(figure, await vegaEmbed(place, { ...specificationOf(data, rows, place.clientWidth), data: { values: rows } }, options));
  } else {
    place.textContent = "Nothing to draw for this selection.";
  }
  reachable(place.parentElement);
}

/** Return the name of a saved chart: its run, its section and its title. */
function fileName(figure, format) {
  const parts = [document.body.dataset.run, figure.closest("section").id, figure.querySelector("h3").textContent];
  return `${parts.join(" ").toLowerCase().replace(/[^a-z0-9]+/g, "-")}.${format}`;
}

/** Save a chart as it is filtered now. Outside the page its colours are no variables, so it is drawn again with values. */
async function save(figure, format) {
  const data = dataOf(figure);
  const width = figure.querySelector(".drawing").clientWidth;
  const spec = { ...specificationOf(data, rowsOf(data, chosen()), width), data: { values: rowsOf(data, chosen()) } };
  const sized = spec.width === "container" ? { ...spec, width } : spec;
  const page = getComputedStyle(document.documentElement).getPropertyValue("--page").trim();
  const config = { ...colour(options.config), background: page };
  const drawn = await vegaEmbed(document.createElement("div"), colour(sized), { ...options, config });
  const link = document.createElement("a");
  // Not a data address: a browser refuses to save one of more than two megabytes.
  link.href = URL.createObjectURL(await imageOf(drawn.view, format));
  link.download = fileName(figure, format);
  link.click();
  drawn.finalize();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** The content of an image file with a drawing, at twice the size for pixels. */
async function imageOf(view, format) {
  if (format === "svg") return new Blob([await view.toSVG()], { type: "image/svg+xml" });
  const canvas = await view.toCanvas(2);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** Give each chart its buttons, which only a script can serve. */
function addButtons(figure) {
  const row = document.createElement("p");
  row.className = "save";
  for (const format of ["svg", "png"]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Save as ${format.toUpperCase()}`;
    button.setAttribute("aria-label", `${button.textContent}: ${figure.querySelector("h3").textContent}`);
    button.addEventListener("click", () => save(figure, format));
    row.append(button);
  }
  figure.querySelector(".drawing").after(row);
}

/** Let a frame that scrolls be scrolled by keyboard. */
function reachable(frame) {
  if (frame.scrollWidth > frame.clientWidth) frame.tabIndex = 0;
  else frame.removeAttribute("tabindex");
}

/** Draw each chart when it comes near, and again after the filter has changed. */
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((each) => each.isIntersecting)) {
    watcher.unobserve(entry.target);
    draw(entry.target);
  }
}, { rootMargin: "800px" });

function applyFilter() {
  const ticked = chosen();
  for (const group of document.querySelectorAll(".group")) group.hidden = !hasAny(marksOf(group), ticked);
  for (const row of document.querySelectorAll("tbody tr, #overview [data-framework]")) row.hidden = !passes(marksOf(row), ticked);
  show();
}

/** Show the number of visible groups, and draw the charts that come near. */
function show() {
  const groups = [...document.querySelectorAll("section.group")];
  const showing = groups.filter((group) => !group.hidden).length;
  document.getElementById("showing").textContent = `${showing} of ${groups.length} groups are shown.`;
  for (const figure of figures) {
    watcher.unobserve(figure);
    watcher.observe(figure);
  }
}

filter.hidden = !filter.querySelector("input");
filter.addEventListener("change", applyFilter);
figures.forEach(addButtons);
window.addEventListener("beforeprint", () => document.querySelectorAll(".more").forEach((each) => { each.open = true; }));
window.addEventListener("beforeprint", () => figures.filter((figure) => !views.has(figure)).forEach(draw));
show();
