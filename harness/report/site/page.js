"use strict";

// Everything shown comes from the JSON in the page and is set as text: no string is ever read as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows.map((values) => {
  const row = Object.fromEntries(data.row.map((name, place) => [name, values[place]]));
  row.configuration = data.configurations[row.configuration];
  row.published = row.published === null ? null : data.published[row.published];
  row.origin = data.origins[row.origin];
  row.measure = data.metrics[row.metric];
  return row;
});

const PER_PAGE = 80; // rows of the leaderboard, so that a sort stays quick however many there are
const SEARCHES = 40; // searches that the evidence lists at first
const METHODS = 10; // methods whose cells are drawn at first
const CELLS = 3; // cells drawn of each
const NOTHING = "\u2013";
const UNLIKE = "not comparable";
const VERDICTS = {
  "reproduced": "\u2713", "differs": "\u2717", "spread unknown": "?", "not comparable": "\u2260", "no published value": "",
};

// Elements ------------------------------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function button(text, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, text);
}

function svg(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function proxyBadge(configuration) {
  return configuration.proxy ? element("span", { class: "proxy", title: configuration.sentence }, configuration.proxy) : null;
}

const verdictClass = (verdict) => `verdict ${verdict.replaceAll(" ", "-")}`;

function verdictBadge(verdict) {
  return element("span", { class: verdictClass(verdict) }, `${VERDICTS[verdict] ?? ""} ${verdict}`.trim());
}

// The table -----------------------------------------------------------------------------------------------------------

const recalled = (row) => (row.published?.recalled ? "\u2020" : "");
const rank = (row) => Object.keys(VERDICTS).indexOf(row.verdict);
const measured = (row) => [row.split, row.measure.short].filter(Boolean).join(" ");
const place = (row) => `${row.dataset} ${measured(row)}`;
const label = (column) => (column.group ? `${column.group}, ${column.title}` : column.title);
const METHOD = {
  title: "Method",
  value: (line) => line.configuration.method,
  cell: (line, column, again) => methodCell(line.configuration, again),
};

const COST = {
  title: "Search cost",
  number: true,
  left: true,
  lower: true,
  value: (line) => line.configuration.cost.seconds,
  cell: ({ configuration: { cost } }, column) => oursOverTheirs(column, cost.ours, cost.theirs, cost.verdict),
};
const SIZE = {
  title: "Parameters",
  number: true,
  left: true,
  lower: true,
  value: (line) => line.size?.[0],
  cell: (line, column) => oursOverTheirs(column, ...(line.size ?? [NOTHING, "", ""])),
};
/** Columns that stand beside the numbers; sizes only where cells were trained. */
const beside = (found) => [...(found.some((row) => row.size) ? [SIZE] : []), COST];

const NUMBER_COLUMNS = [
  METHOD,
  { title: "Dataset", value: (row) => row.dataset },
  { title: "Split", value: measured },
  { group: "Ours", title: "mean", number: true, value: (row) => row.mean },
  { group: "Ours", title: "std", number: true, value: (row) => row.std },
  { group: "Ours", title: "n", number: true, value: (row) => row.n },
  { group: "Published", title: "mean", number: true, value: (row) => row.published?.mean, mark: recalled },
  { group: "Published", title: "std", number: true, value: (row) => row.published?.std },
  { group: "Published", title: "n", number: true, value: (row) => (row.published ? (row.published.n ?? "?") : null) },
  { group: "Published", title: "split", value: (row) => (row.published ? row.published.split || "not stated" : null) },
  { title: "Difference", number: true, value: (row) => row.difference },
  { title: "Verdict", value: (row) => row.verdict, rank, cell: (row) => element("td", { "data-label": "Verdict" }, verdictBadge(row.verdict)) },
  { title: "Evidence", cell: (row) => element("td", { class: "wide" }, button("Evidence", () => openEvidence(row), opens(row))) },
];

/** Two ways to see the same results. Lines and columns of each; a line has a configuration. */
const VIEWS = {
  methods: { title: "a row per method", lines: methodLines, columns: methodColumns },
  numbers: { title: "a row per number", lines: (block) => block.rows, columns: numberColumns },
};

const state = { view: "methods", sort: null, descending: false, limit: PER_PAGE, cells: METHODS, found: [], columns: [], blocks: [] };
const table = document.getElementById("leaderboard");

function numberColumns(found) {
  const last = NUMBER_COLUMNS.length - 1; // the evidence
  return [...NUMBER_COLUMNS.slice(0, last), ...beside(found), NUMBER_COLUMNS[last]];
}

/** One column for each dataset, split and metric. */
function methodColumns(found) {
  const places = new Map(found.map((row) => [place(row), row]));
  const order = [...new Set(rows.map((row) => row.dataset))];
  const sorted = [...places].sort(([, a], [, b]) => order.indexOf(a.dataset) - order.indexOf(b.dataset));
  const columns = sorted.map(([name, row]) => ({
    group: row.dataset,
    title: measured(row),
    number: true,
    lower: row.measure.lower,
    value: (line) => line.numbers.get(name)?.mean,
    cell: (line) => pair(line.numbers.get(name), name),
  }));
  return [METHOD, ...columns, ...beside(found)];
}

function methodLines(block) {
  const lines = new Map();
  for (const row of block.rows) {
    const name = row.configuration.method;
    if (!lines.has(name)) lines.set(name, { configuration: row.configuration, size: row.size, numbers: new Map() });
    lines.get(name).numbers.set(place(row), row);
  }
  return [...lines.values()];
}

const HOME = "cifar10"; // where the papers search when they do not search on each dataset
const EACH = "each dataset";

/** Results that one table of a paper puts together: one kind of search, on the same data, under one profile; cells that
 * were trained by one recipe. */
function blocks(found) {
  const made = new Map();
  const add = (row, where) => {
    const { space, profile, table: asked } = row.configuration;
    const kind = asked ? "black-box" : "one-shot"; // a control that asks no table stands beside the methods that search
    const recipe = row.trainings ? row.origin : null; // what was looked up may come from several tables
    const key = JSON.stringify([kind, space, profile, where, row.selection, recipe && [recipe.name, recipe.note]]);
    if (!made.has(key)) made.set(key, { ...row.configuration, kind, where, selection: row.selection, recipe, rows: [] });
    made.get(key).rows.push(row);
  };
  const same = ({ selection, configuration: { method, space, profile } }) => JSON.stringify([method, space, profile, selection]);
  const direct = (row) => row.dataset === row.configuration.searched_on;
  const elsewhere = new Set(found.filter((row) => direct(row) && row.dataset !== HOME).map(same));
  for (const row of found) {
    const home = row.configuration.searched_on === HOME;
    if (home || !direct(row) || row.trainings) add(row, row.configuration.searched_on);
    if (direct(row) && !row.trainings && elsewhere.has(same(row))) add(row, EACH); // of the home dataset the same number as above
  }
  const groups = [...new Set(rows.map(({ configuration }) => `${configuration.space} ${configuration.profile}`))];
  const key = ({ kind, space, profile, where }) => {
    const turn = where === EACH ? 1 : [HOME, "digits"].includes(where) ? 0 : 2;
    return 1000 * (kind !== "black-box") + 10 * groups.indexOf(`${space} ${profile}`) + turn;
  };
  return [...made.values()].sort((a, b) => key(a) - key(b));
}

/** The one line that says what a block is. */
function blockHeading(block) {
  const blackBox = block.kind === "black-box";
  const title = blackBox && block.where === HOME ? "Black box" : `${blackBox ? "Black box" : "Weight sharing"}, searched on ${block.where}`;
  const [protocol, cells] = block.sentence.split(": ");
  const away = block.rows.every((row) => row.dataset !== block.where); // what was found there and looked up there is in EACH
  const parts = [
    blackBox ? "each query trains one cell" : "one supernet for all cells",
    block.where === EACH ? "cells looked up where they were found" : away ? cells.replace("each dataset", "the others") : cells,
    block.proxy ? null : protocol,
    `${block.profile} profile`,
    varies((row) => row.configuration.space) ? block.space : null,
    varies((row) => row.selection) ? data.selections[block.selection] : null,
    block.recipe ? `test error in %, lower is better, of ${trainedBy(block.recipe)}` : null,
  ];
  const about = element("span", { class: "faint" }, ` ${parts.filter(Boolean).join(" \u00b7 ")}`);
  const cell = { colspan: state.columns.length, scope: "rowgroup" };
  return element("tr", { class: "block" }, element("th", cell, title, " ", proxyBadge(block), about));
}

const trainedBy = ({ name, note }) => `cells trained with ${name}${note ? ` (${note})` : ""}`;
const varies = (value) => new Set(rows.map(value)).size > 1;

function head() {
  const groups = element("tr");
  const titles = element("tr");
  for (const column of state.columns) {
    const before = groups.lastElementChild;
    if (before && column.group && before.textContent === column.group) before.colSpan += 1;
    else groups.append(element(column.group ? "th" : "td", column.group ? { scope: "colgroup" } : {}, column.group ?? ""));
    titles.append(columnHead(column));
  }
  return element("thead", {}, groups, titles);
}

function columnHead(column) {
  if (!column.value) return element("th", { scope: "col", class: "plain" }, column.title);
  const attributes = { "aria-label": `${label(column)}, sort`, "data-group": column.group ? `${column.group} ` : null };
  return element("th", { scope: "col", class: column.number && !column.left ? "number" : null }, button(column.title, () => sortBy(column), attributes));
}

/** The columns that the results need, sorted as before where there still is such a column. */
function showTable() {
  const view = VIEWS[state.view];
  state.columns = view.columns(state.found);
  state.blocks = blocks(state.found).map((block) => ({ ...block, lines: view.lines(block) }));
  state.sort = state.columns.find((column) => state.sort && label(column) === label(state.sort)) ?? null;
  const caption = "Results of found cells in %, ours beside published ones, in blocks; sorting keeps the blocks";
  table.className = state.view;
  table.replaceChildren(element("caption", { class: "unseen" }, caption), head());
  showRows();
}

/** Whether less is better in a column: as it says, else as all numbers shown have it. */
const lowerIsBetter = (column) => column.lower ?? state.found.every((row) => row.measure.lower);

/** Numbers begin at their better end; the arrow says which way they run. */
function sortBy(column) {
  state.descending = state.sort === column ? !state.descending : Boolean(column.number) && !lowerIsBetter(column);
  state.sort = column;
  showRows();
}

function sortKey(column, line) {
  const value = column.rank ? column.rank(line) : column.value(line);
  return column.number && typeof value === "string" ? Number.parseFloat(value) : value;
}

function sorted(lines) {
  if (!state.sort) return lines;
  const sign = state.descending ? -1 : 1;
  const missing = (key) => key === null || key === undefined || Number.isNaN(key);
  return lines
    .map((line) => [sortKey(state.sort, line), line])
    .sort(([a], [b]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b); // at the end, whatever the direction
      return a < b ? -sign : a > b ? sign : 0;
    })
    .map(([, line]) => line);
}

function showRows() {
  const heads = table.querySelectorAll("thead tr:last-child th");
  state.columns.forEach((column, number) => {
    heads[number].removeAttribute("aria-sort");
    if (column === state.sort) heads[number].setAttribute("aria-sort", state.descending ? "descending" : "ascending");
  });
  let left = state.limit;
  const bodies = [];
  for (const block of state.blocks) {
    const shown = left > 0 ? sorted(block.lines).slice(0, left) : [];
    const made = shown.map((line, number) => tableRow(line, shown[number - 1]));
    if (shown.length) bodies.push(element("tbody", {}, blockHeading(block), ...made));
    left -= shown.length;
  }
  for (const old of [...table.tBodies]) old.remove();
  table.append(...bodies);
  const more = state.blocks.reduce((total, block) => total + block.lines.length, -state.limit);
  const buttons = more > 0 ? [button(`Show ${Math.min(more, PER_PAGE)} more of ${more}`, showMore)] : [];
  document.getElementById("more").replaceChildren(...buttons);
}

function showMore() {
  const first = state.limit;
  state.limit += PER_PAGE;
  showRows();
  table.querySelectorAll("tbody tr:not(.block)")[first]?.querySelector("button").focus();
}

function tableRow(line, before) {
  const again = before?.configuration === line.configuration;
  return element("tr", {}, ...state.columns.map((column) => (column.cell ?? plainCell)(line, column, again)));
}

function plainCell(row, column) {
  const value = column.value(row);
  const text = value === null || value === undefined ? NOTHING : `${value}${column.mark?.(row) ?? ""}`;
  return element("td", { "data-label": label(column), class: column.number ? "number" : null }, text);
}

/** The name; below it, smaller, what was changed, and whether it is a proxy. In the next rows of a method faint. */
function methodCell(configuration, again) {
  const { name, details } = configuration;
  const below = details && !again ? element("span", { class: "changed" }, ` [${details}]`) : null;
  return element("th", { scope: "row", class: again ? "again" : null }, name, below, " ", proxyBadge(configuration));
}

/** Ours over published, with a sign for the verdict and, beside the published value, the difference or its other split. */
function pair(row, name) {
  const cell = (...lines) => element("td", { class: "pair", "data-label": name }, ...lines);
  if (!row) return cell(NOTHING);
  const { published, verdict } = row;
  const attributes = { type: "button", class: "side", onclick: () => openEvidence(row), ...opens(row) };
  const ours = element("button", attributes, ...side(row.mean, row.std, `(${row.n})`));
  const none = element("span", { class: "side" }, element("b", { title: verdict }, NOTHING));
  if (!published) return cell(element("div", {}, ours), element("div", { class: "theirs" }, none));
  const theirs = side(published.mean, published.std, `(${published.n ?? "?"})${recalled(row)}`);
  const said = { class: `sign ${verdictClass(verdict)}`, role: "img", "aria-label": verdict, title: verdict };
  const sign = element("span", said, VERDICTS[verdict] ?? verdict);
  const beside = element("span", {}, row.difference ?? (published.split || "split ?"));
  return cell(
    element("div", {}, ours, sign),
    element("div", { class: "theirs" }, element("span", { class: "side" }, ...theirs), beside),
  );
}

/** A cost or a size, ours over the published one, with the sign for what cannot be compared. */
function oursOverTheirs(column, ours, theirs, verdict) {
  const sign = element("span", { role: "img", "aria-label": verdict, title: verdict }, VERDICTS[verdict] ?? "");
  const below = element("div", { class: "theirs" }, theirs, ...(verdict === UNLIKE ? ["\u00a0", sign] : []));
  return element("td", { class: "beside", "data-label": label(column) }, element("div", {}, ours), below);
}

function side(mean, std, n) {
  return [element("b", {}, mean), element("span", {}, std === null ? "" : `\u00b1 ${std}`), element("span", {}, n)];
}

function opens(row) {
  return { "aria-label": `Evidence: ${row.configuration.method}, ${place(row)}, ${row.mean}`, "aria-haspopup": "dialog" };
}

// Filters -------------------------------------------------------------------------------------------------------------

/** Spaces with test results; the validation accuracies of the others stand in beside them. */
const tested = new Set(rows.filter((row) => row.measure.of === "tests").map((row) => row.configuration.space));
const standsIn = (row) => tested.size > 0 && !tested.has(row.configuration.space);
const RESULTS = {
  tests: rows.some(standsIn) ? "tests, else validation" : "all test results",
  validations: "validation accuracies",
};
const filters = [
  { title: "Space", value: (row) => row.configuration.space },
  { title: "Profile", value: (row) => row.configuration.profile },
  { title: "Searched on", value: (row) => row.configuration.searched_on },
  { title: "Selection", value: (row) => row.selection, names: data.selections },
  { title: "Dataset", value: (row) => row.dataset },
  { title: "Split", value: (row) => row.split, also: (row) => (standsIn(row) ? "tests" : row.measure.of), names: RESULTS },
  { title: "Family", value: (row) => row.configuration.family },
];
const search = element("input", { type: "search", id: "search", placeholder: "Method" });

/** The space with the most results, since no column serves two; the cells of the last epoch; their test results, or
 * where there are none their validation accuracies. */
function setDefaults() {
  for (const filter of filters) filter.select.value = "";
  const options = (title) => filters.find((filter) => filter.title === title).select;
  const has = (title, value) => [...options(title).options].some((option) => option.value === value);
  const set = (title, value) => {
    if (has(title, value)) options(title).value = value;
  };
  const results = (space) => rows.filter((row) => row.configuration.space === space).length;
  const spaces = [...new Set(rows.map((row) => row.configuration.space))];
  set("Space", spaces.sort((a, b) => results(b) - results(a))[0]);
  set("Selection", "last");
  set("Split", has("Split", "tests") ? "tests" : "validations");
  search.value = "";
  state.sort = null;
}

function makeFilters() {
  const form = document.getElementById("filters");
  const views = Object.entries(VIEWS).map(([value, { title }]) => element("option", { value }, title));
  const view = element("select", {}, ...views);
  form.append(element("label", {}, "View", view));
  view.addEventListener("input", () => { state.view = view.value; });
  for (const filter of filters) {
    const values = [...new Set([...rows.map((row) => filter.also?.(row)), ...rows.map(filter.value)])].filter(Boolean);
    const options = values.map((value) => element("option", { value }, filter.names?.[value] ?? value));
    filter.select = element("select", {}, element("option", { value: "" }, "all"), ...options);
    const choice = new Set(rows.map(filter.value)).size > 1;
    form.append(element("label", { hidden: choice ? null : "" }, filter.title, filter.select));
  }
  const reset = () => { setDefaults(); applyFilters(); };
  form.append(element("label", {}, "Search", search), button("Reset", reset));
  form.addEventListener("input", applyFilters);
  form.addEventListener("submit", (event) => event.preventDefault());
  setDefaults();
}

function applyFilters() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = filters.filter((filter) => filter.select.value);
  state.found = rows.filter(
    (row) =>
      chosen.every((filter) => [filter.value(row), filter.also?.(row)].includes(filter.select.value)) &&
      words.every((word) => row.configuration.method.toLowerCase().includes(word)),
  );
  state.limit = PER_PAGE;
  state.cells = METHODS;
  const counted = (verdict) => state.found.filter((row) => row.verdict === verdict).length;
  const verdicts = Object.keys(VERDICTS).filter(counted).map((verdict) => element("span", {}, verdictBadge(verdict), ` ${counted(verdict)}`));
  document.getElementById("verdicts").replaceChildren(...verdicts);
  const metrics = new Set(state.found.map((row) => (row.trainings ? "test errors in %, lower is better" : "accuracies in % after 200 epochs of training")));
  const units = [...metrics, "\u2020: recalled, not verified"].join("; ");
  const reading = state.view === "methods" ? "; above: ours, below: published. A number opens its evidence" : "";
  document.getElementById("shown").textContent = `${state.found.length} of ${rows.length} results; ${units}${reading}.`;
  showTable();
  showCells();
}

// Cells ---------------------------------------------------------------------------------------------------------------

const looks = new Map(Object.entries(data.looks)); // operation -> label, colour, colour in the dark, dashes

/** [title, number of nodes, [[source, target, operation], ...]] of every cell type; empty if the string is no cell. */
function graphs(text) {
  const types = [...text.matchAll(/(\w+)=\[((?:\('\w+', \d+\)(?:, )?)+)\]/g)];
  const found = text.startsWith("|") ? [nasbench201(text)] : types.map(([, title, list]) => darts(text, title, list));
  const good = ([, nodes, edges]) => edges.length && edges.every(([source, target]) => source < target && target < nodes);
  return found.every(good) ? found : [];
}

function nasbench201(text) {
  const edges = text.split("+").flatMap((part, node) =>
    [...part.matchAll(/([a-z0-9_]+)~(\d+)\|/g)].map(([, operation, source]) => [Number(source), node + 1, operation]),
  );
  return ["cell", 4, edges];
}

function darts(text, title, list) {
  const edges = [...list.matchAll(/\('(\w+)', (\d+)\)/g)].map(([, operation, source], number) => {
    return [Number(source), 2 + Math.floor(number / 2), operation]; // two inputs, then two edges into every node
  });
  const output = 2 + edges.length / 2;
  return [title, output + 1, [...edges, ...concatenated(text, title).map((node) => [node, output, ""])]];
}

function concatenated(text, title) {
  const [, start, stop] = text.match(new RegExp(`${title}_concat=range\\((\\d+), (\\d+)\\)`)) ?? [];
  if (start) return Array.from({ length: Math.min(100, stop - start) }, (_, node) => Number(start) + node);
  const [, list] = text.match(new RegExp(`${title}_concat=\\[([\\d, ]*)\\]`)) ?? [];
  return (list?.match(/\d+/g) ?? []).map(Number);
}

function nodePlace(nodes, node) {
  const angle = Math.PI * (1 - (2 * node) / nodes);
  return data.layouts[nodes]?.[node] ?? [0.5 + Math.cos(angle) / 2, 0.5 + Math.sin(angle) / 2];
}

/** Drawings of a cell, one per cell type; null if the string is no cell. */
function drawings(text) {
  const found = graphs(text);
  const name = (title) => (found.length > 1 ? element("p", { class: "faint" }, title) : "");
  return found.length ? element("div", {}, ...found.flatMap((graph) => [name(graph[0]), drawing(...graph)])) : null;
}

function drawing(title, nodes, edges) {
  const [width, height] = nodes <= 4 ? [300, 150] : [400, 230];
  const at = (node) => {
    const [x, y] = nodePlace(nodes, node);
    return [22 + x * (width - 44), height - 16 - y * (height - 32)];
  };
  const named = edges.filter(([, , operation]) => operation).map(([source, target, operation]) => `${source} to ${target} ${operation}`);
  const attributes = { class: "cell", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${named.join(", ")}` };
  const picture = svg("svg", attributes);
  const drawn = new Map(); // "source target" -> edges so far
  const arrows = edges.map(([source, target, operation]) => {
    const before = drawn.get(`${source} ${target}`) ?? 0;
    drawn.set(`${source} ${target}`, before + 1);
    return arrow(at(source), at(target), 26 * before, nodes <= 4 ? 0.5 : 0.62, operation);
  });
  picture.append(...arrows.flatMap(([lines]) => lines), ...arrows.map(([, text]) => text));
  for (let node = 0; node < nodes; node += 1) {
    const [cx, cy] = at(node);
    picture.append(svg("circle", { cx, cy, r: 12 }), svg("text", { class: "node", x: cx, y: cy }, nodeName(node, nodes)));
  }
  return picture;
}

/** The lines of an edge, which bows by `bend`, and its label at a share of its way. */
function arrow([x0, y0], [x1, y1], bend, share, operation) {
  const [name, light, dark, dashes] = looks.get(operation) ?? [operation, "#666666", "#aaaaaa", []];
  const length = Math.hypot(x1 - x0, y1 - y0);
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const point = (along, aside) => [x0 + along * ux - aside * uy, y0 + along * uy + aside * ux];
  const end = length - 13; // at the rim of the node
  const line = svg("path", { d: `M${x0},${y0} Q${point(length / 2, bend)} ${point(end, 0)}`, "stroke-dasharray": dashes.join(" ") });
  const head = svg("path", { d: `M${point(end - 6, 3.5)} L${point(end, 0)} L${point(end - 6, -3.5)}` });
  const [x, y] = point(share * length, bend / 2);
  const text = svg("text", { class: "operation", x, y }, name);
  line.style.stroke = head.style.stroke = text.style.fill = `light-dark(${light}, ${dark})`;
  return [[line, head], text];
}

function nodeName(node, nodes) {
  if (node === nodes - 1) return "out";
  if (nodes <= 4) return node ? String(node) : "in";
  return node < 2 ? `k\u2212${2 - node}` : String(node - 2);
}

function showCells() {
  const methods = [...new Set(state.found.map((row) => row.configuration))];
  const shown = methods.slice(0, state.cells).map(methodCells);
  const left = methods.length - shown.length;
  const more = button(`Show more of ${left} methods`, () => { state.cells += METHODS; showCells(); });
  document.getElementById("cells").replaceChildren(...shown, ...(left > 0 ? [element("p", {}, more)] : []));
}

function methodCells(configuration) {
  const [start, end] = configuration.searches;
  const counts = new Map();
  for (const cell of data.searches.last.slice(start, end)) counts.set(data.cells[cell], (counts.get(data.cells[cell]) ?? 0) + 1);
  const ordered = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, CELLS);
  const where = `${configuration.space}, ${configuration.profile} profile, searched on ${configuration.searched_on}`;
  return element(
    "div",
    { class: "method-cells" },
    element("h3", {}, configuration.method, " ", proxyBadge(configuration)),
    element("p", { class: "faint" }, `${where}; searches: ${end - start}, different cells: ${counts.size}`),
    element("div", { class: "drawings" }, ...ordered.map(([cell, count]) => cellFigure(cell, `found by ${count} of ${end - start}`))),
  );
}

function cellFigure(cell, caption) {
  const string = element("details", {}, element("summary", {}, "string"), element("span", { class: "string" }, cell));
  return element("figure", { class: "drawing" }, drawings(cell), element("figcaption", {}, caption, string));
}

// Evidence ------------------------------------------------------------------------------------------------------------

const dialog = document.getElementById("evidence");

/** The browser closes the dialog on Escape, and returns the focus to where it was. */
function openEvidence(row) {
  const close = button("Close", () => dialog.close());
  const title = element("h2", { id: "evidence-heading" }, `${row.configuration.method}, ${place(row)}: ${row.mean} `, proxyBadge(row.configuration));
  dialog.replaceChildren(element("header", {}, title, close), ...evidence(row));
  dialog.showModal();
  dialog.scrollTop = 0;
  close.focus();
}

dialog.addEventListener("close", () => dialog.replaceChildren());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

function evidence(row) {
  const configuration = row.configuration;
  const [list, machines] = searches(row);
  const selection = data.selections[row.selection] ?? row.selection;
  const { note, about: origin, recipe } = row.origin;
  const unit = row.measure.lower ? "error in %, lower is better" : "accuracy in %";
  const about = `${row.dataset} ${row.split}, ${unit}, after ${origin}${note ? ` (${note})` : ""}; ${selection}. ${configuration.sentence}.`;
  return [
    element("p", {}, about),
    section("Ours and published", comparison(row)),
    configuration.published.length ? section("Published errors, sizes and costs", published(configuration)) : null,
    row.best === null ? null : section("Regret", regret(row)),
    section("Searches", ...list),
    section("Command", ...command(row)),
    section("Changed", facts(configuration.changed, "nothing")),
    section("Settings of the method", facts(configuration.settings, "none")),
    section("Protocol of the search", facts(configuration.protocol, "none")),
    recipe ? section("Recipe of the training", facts(recipe, "none")) : null,
    section("Machine and versions", ...machines),
    section("Data", facts(dataFacts(row), "none")),
  ].filter(Boolean);
}

function section(title, ...children) {
  return element("section", {}, element("h3", {}, title), ...children);
}

function facts(values, nothing) {
  const entries = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  if (!entries.length) return element("p", { class: "faint" }, nothing);
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const lines = entries.map(([name, value]) => {
    const said = text(value);
    return element("div", { class: said.length > 24 ? "long" : null }, element("dt", {}, name), element("dd", {}, said));
  });
  return element("dl", {}, ...lines);
}

/** Both sides line by line; a line is marked where a difference keeps them from being compared. */
function comparison(row) {
  const { configuration, published } = row;
  if (!published) return element("p", { class: "faint" }, "No published value is known for this method, dataset and metric.");
  const changed = Object.keys(configuration.changed).length > 0;
  const differs = (aspect) => row.obstacles.some(([name]) => name === aspect);
  const { cost } = configuration;
  const lines = [
    [`mean ${row.measure.short}`.trim(), row.mean, published.mean],
    ["std", row.std, published.std],
    [row.trainings ? "n" : "searches (n)", row.n, published.n],
    ["split", row.split, published.split || "not stated", differs("split")],
    ["searched on", configuration.searched_on, published.searched_on || "not stated", differs("searched on")],
    ["cell", data.selections[row.selection] ?? row.selection, "as published", differs("cell")],
    ["protocol", `${configuration.profile} profile${changed ? ", changed" : ""}`, published.protocol || "not stated", differs("protocol")],
    ["how known", "searches below", published.status],
    ["source", row.origin.name, published.source, row.trainings !== null || differs("source")],
    ...(row.size ? [["parameters", row.size[0], row.size[1], row.size[2] === UNLIKE]] : []),
    ["search cost, median", cost.ours, cost.theirs, cost.verdict === UNLIKE],
  ];
  const made = lines.map(([title, ours, theirs, unlike]) => {
    const heading = element("th", { scope: "row" }, unlike ? `\u2260 ${title}` : title);
    const sides = [ours, theirs].map((side) => element("td", {}, String(side ?? NOTHING)));
    return element("tr", { class: unlike ? "unlike" : null }, heading, ...sides);
  });
  const verdict = element("p", {}, verdictBadge(row.verdict), row.difference === null ? "" : ` difference ${row.difference}`);
  const reasons = row.obstacles.map(([, reason]) => reason).join("; ");
  const why = reasons ? element("p", { class: "faint" }, `Not comparable: ${reasons}.`) : null;
  return element("div", { class: "scroll" }, verdict, why, plainTable(["", "ours", "published"], element("tbody", {}, ...made)));
}

/** All numbers that a paper's table has beside the errors: several, where papers differ. */
function published(configuration) {
  const titles = ["dataset", "number", "mean", "std", "n", "protocol", "searched on", "status", "source"];
  const values = configuration.published.map((place) => data.published[place]);
  const line = ({ dataset, metric, printed, std, n, protocol, searched_on, status, source }) =>
    [dataset, data.titles[metric], printed, std, n, protocol, searched_on, status, source].map((value) => element("td", {}, String(value ?? "") || NOTHING));
  const lines = values.map((value) => element("tr", {}, ...line(value)));
  return element("div", { class: "scroll", tabindex: "0" }, plainTable(titles, element("tbody", {}, ...lines)));
}

/** How far the searches end from the best cell of the table. */
function regret(row) {
  const points = (value) => `${value} points`;
  return facts({
    "best of the table": row.best.toFixed(2),
    "mean regret": points(row.regret),
    "hit rate": `${((100 * row.hits) / row.n).toFixed(1)} % (${row.hits} of ${row.n})`,
    "different cells": row.cells,
    "isomorphism classes": row.classes,
  });
}

function plainTable(titles, lines, attributes = {}) {
  const head = element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)));
  return element("table", attributes, element("thead", {}, head), lines);
}

/** The searches behind a number as a table, and what they ran on. */
function searches(row) {
  const { searches: [start, end], failed, kind } = row.configuration;
  const places = Array.from({ length: end - start }, (_, number) => start + number);
  const cell = (place) => data.searches[row.selection][place];
  const value = (place) => row.values[place - start];
  const counted = places.filter((place) => value(place) !== null);
  const trained = (name) => (place) => data.trainings[name][row.trainings[place - start]];
  const kinds = [...new Set(data.searches.provenance.slice(start, end))];
  const others = row.trainings ? [...new Set(counted.map(trained("provenance")))].filter((kind) => !kinds.includes(kind)) : [];
  const recorded = (name) => (place) => String(data.searches[name][place] ?? NOTHING);
  const columns = [
    ["seed", recorded("seed")],
    [row.measure.lower ? "error" : "accuracy", value],
    ...(row.best === null ? [] : [["regret", (place) => (row.best - value(place)).toFixed(2)]]),
    ["cell", (place) => drawnWithString(data.cells[cell(place)])],
    ...(kind === "black-box"
      ? [["queries", recorded("queries")], ["simulated s", recorded("simulated")]]
      : [["best epoch", recorded("best_epoch")]]),
    ["seconds", recorded("seconds")],
    ["memory MB", recorded("memory")],
    ...(kinds.length > 1 ? [["machine", (place) => kinds.indexOf(data.searches.provenance[place]) + 1]] : []),
    ["record", (place) => element("code", {}, recorded("key")(place))],
    ...(row.trainings
      ? [
          ["parameters", (place) => trained("parameters")(place)?.toLocaleString("en") ?? NOTHING],
          ["training s", (place) => String(trained("seconds")(place) ?? NOTHING)],
          ["training", (place) => element("code", {}, trained("key")(place))],
        ]
      : []),
  ];
  const line = (place) => element("tr", {}, ...columns.map(([, value]) => element("td", {}, value(place))));
  const lines = element("tbody", {}, ...counted.slice(0, SEARCHES).map(line));
  const table = plainTable(columns.map(([title]) => title), lines, { class: "searches" });
  const rest = counted.slice(SEARCHES);
  const more = button(`Show the other ${rest.length}`, () => { lines.append(...rest.map(line)); more.remove(); });
  const left = places.length - counted.length;
  const remarks = [
    `mean ${row.mean}, std ${row.std ?? NOTHING}, n ${row.n}; a record is runs/<digits\u2026>.json`,
    left ? `${left} finished without ${row.trainings ? "a training of the cell" : "such a cell or without its accuracy in the table"}: not counted` : "",
    failed ? `${failed} failed: not counted` : "",
  ].filter(Boolean);
  const scrolled = element("div", { class: "scroll", tabindex: "0" }, table);
  const machines = kinds.map((place, number) => machine(data.provenances[place], kinds.length > 1 ? `machine ${number + 1}` : null));
  machines.push(...others.map((place) => machine(data.provenances[place], "of trainings")));
  return [[element("p", { class: "faint" }, remarks.join("; ")), scrolled, ...(rest.length ? [more] : [])], machines];
}

function drawnWithString(cell) {
  const string = element("span", { class: "string" }, cell);
  const long = graphs(cell).length > 1;
  return element("div", {}, drawings(cell), long ? element("details", {}, element("summary", {}, "string"), string) : string);
}

function machine({ versions, ...provenance }, title) {
  return element("div", {}, title ? element("p", {}, title) : null, facts({ ...provenance, ...versions }, "not recorded"));
}

function command(row) {
  const { configuration, origin } = row;
  const line = (text) => element("pre", { tabindex: "0" }, text);
  const then = element("p", { class: "faint" }, "Then, for the CELL of each search under its SEED:");
  const afterwards = origin.afterwards ? [then, line(origin.afterwards)] : [];
  const search = [configuration.command, origin.arguments].filter(Boolean).join(" ");
  return [line(search), ...commandNotes(configuration), ...afterwards];
}

function commandNotes(configuration) {
  const notes = [];
  if (configuration.source) notes.push(`The method came from a file with the SHA-256 ${configuration.source}.`);
  if (configuration.optimizer) notes.push(`The optimizer came from a file with the SHA-256 ${configuration.optimizer}.`);
  if (configuration.table) {
    const signal = `its cells were scored after ${configuration.signal_epochs} epochs of training`;
    notes.push(`TABLE is the table with the SHA-256 ${configuration.table}; ${signal}.`);
  }
  return notes.map((note) => element("p", { class: "faint" }, note));
}

function dataFacts(row) {
  const { data: digest, split, started } = row.configuration;
  return {
    ...row.origin.facts,
    "search data, SHA-256": digest,
    "search split": split,
    "searches started": started.length ? started.join(" to ") : null,
  };
}

// Theme ---------------------------------------------------------------------------------------------------------------

const THEMES = { "system": "light dark", "light": "light", "dark": "dark" };
const themeButton = document.getElementById("theme");

function setTheme(name) {
  document.documentElement.style.colorScheme = THEMES[name];
  themeButton.textContent = `Theme: ${name}`;
  themeButton.value = name;
}

function nextTheme() {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(themeButton.value) + 1) % names.length]);
  try { localStorage.setItem("theme", themeButton.value); } catch { /* a page from disk may have no storage */ }
}

function savedTheme() {
  try { return localStorage.getItem("theme"); } catch { return null; }
}

setTheme(Object.keys(THEMES).find((name) => name === savedTheme()) ?? "system");
themeButton.hidden = false;
themeButton.addEventListener("click", nextTheme);
if (rows.length) {
  makeFilters();
  applyFilters();
} else {
  document.getElementById("shown").textContent = "No results yet; see the notes below.";
}
