"use strict";

// Everything shown comes from the JSON in the page and is set as text: no string is ever read as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows.map((values) => {
  const row = Object.fromEntries(data.row.map((name, place) => [name, values[place]]));
  row.configuration = data.configurations[row.configuration];
  row.published = row.published === null ? null : data.published[row.published];
  return row;
});

const PER_PAGE = 200; // rows of the leaderboard, so that a sort stays quick however many there are
const SEARCHES = 40; // searches that the evidence lists at first
const METHODS = 10; // methods whose cells are drawn at first
const CELLS = 3; // cells drawn of each
const NOTHING = "\u2013";
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

function svg(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function proxyBadge(configuration) {
  return configuration.proxy ? element("span", { class: "proxy", title: configuration.sentence }, configuration.proxy) : null;
}

function verdictBadge(verdict) {
  return element("span", { class: `verdict ${verdict.replaceAll(" ", "-")}` }, `${VERDICTS[verdict] ?? ""} ${verdict}`.trim());
}

// The table -----------------------------------------------------------------------------------------------------------

const columns = [
  { title: "Method", value: (row) => row.configuration.method, heads: true },
  { title: "Family", value: (row) => row.configuration.family },
  { title: "Space", value: (row) => row.configuration.space, varies: true },
  { title: "Profile", value: (row) => row.configuration.profile, varies: true },
  { title: "Searched on", value: (row) => row.configuration.searched_on, varies: true },
  { title: "Selection", value: (row) => row.selection, varies: true },
  { title: "Dataset", value: (row) => row.dataset },
  { title: "Split", value: (row) => row.split },
  { group: "Ours", title: "mean", number: true, value: (row) => row.mean },
  { group: "Ours", title: "std", number: true, value: (row) => row.std },
  { group: "Ours", title: "n", number: true, value: (row) => row.n },
  { group: "Published", title: "mean", number: true, value: (row) => row.published?.mean, mark: (row) => (row.published?.recalled ? "\u2020" : "") },
  { group: "Published", title: "std", number: true, value: (row) => row.published?.std },
  { group: "Published", title: "n", number: true, value: (row) => (row.published ? (row.published.n ?? "?") : null) },
  { group: "Published", title: "split", value: (row) => (row.published ? row.published.split || "not stated" : null) },
  { title: "Difference", number: true, value: (row) => row.difference },
  { title: "Verdict", value: (row) => row.verdict, badge: true, rank: (row) => Object.keys(VERDICTS).indexOf(row.verdict) },
];
const label = (column) => (column.group ? `${column.group}, ${column.title}` : column.title);

const state = { sort: null, descending: false, limit: PER_PAGE, cells: METHODS, found: [] };
const table = document.getElementById("leaderboard");
const body = element("tbody");

function head() {
  const groups = element("tr");
  const titles = element("tr");
  for (const column of columns) {
    const before = groups.lastElementChild;
    if (before && column.group && before.textContent === column.group) before.colSpan += 1;
    else groups.append(element(column.group ? "th" : "td", column.group ? { scope: "colgroup" } : {}, column.group ?? ""));
    column.head = element(
      "th",
      { scope: "col", class: column.number ? "number" : null },
      element("button", { type: "button", "aria-label": `${label(column)}, sort`, "data-group": column.group ? `${column.group} ` : null, onclick: () => sortBy(column) }, column.title),
    );
    column.over = groups.lastElementChild;
    titles.append(column.head);
  }
  groups.append(element("td"));
  titles.append(element("th", { scope: "col", class: "plain" }, "Evidence"));
  table.append(
    element("caption", { class: "unseen" }, "Accuracies in % of found cells, ours beside published ones"),
    element("thead", {}, groups, titles),
    body,
  );
}

function sortBy(column) {
  state.descending = state.sort === column ? !state.descending : Boolean(column.number);
  state.sort = column;
  showRows();
}

function sortKey(column, row) {
  const value = column.rank ? column.rank(row) : column.value(row);
  return column.number && typeof value === "string" ? Number.parseFloat(value) : value;
}

function sorted(found) {
  if (!state.sort) return found;
  const sign = state.descending ? -1 : 1;
  const missing = (key) => key === null || key === undefined || Number.isNaN(key);
  return found
    .map((row) => [sortKey(state.sort, row), row])
    .sort(([a], [b]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b); // at the end, whatever the direction
      return a < b ? -sign : a > b ? sign : 0;
    })
    .map(([, row]) => row);
}

function showRows() {
  const shown = sorted(state.found).slice(0, state.limit);
  const visible = columns.filter((column) => !column.hidden);
  for (const column of columns) {
    column.head.hidden = Boolean(column.hidden);
    if (!column.group) column.over.hidden = Boolean(column.hidden);
    column.head.removeAttribute("aria-sort");
  }
  state.sort?.head.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
  body.replaceChildren(...shown.map((row) => tableRow(row, visible)));
  const left = state.found.length - shown.length;
  document.getElementById("more").replaceChildren(
    ...(left > 0 ? [element("button", { type: "button", onclick: showMore }, `Show ${Math.min(left, PER_PAGE)} more of ${left}`)] : []),
  );
}

function showMore() {
  const first = state.limit;
  state.limit += PER_PAGE;
  showRows();
  body.children[first]?.querySelector("button").focus();
}

function tableRow(row, visible) {
  const made = element("tr");
  for (const column of visible) {
    const value = column.value(row);
    const text = value === null || value === undefined ? NOTHING : `${value}${column.mark?.(row) ?? ""}`;
    if (column.heads) made.append(element("th", { scope: "row" }, text, " ", proxyBadge(row.configuration)));
    else made.append(element("td", { "data-label": label(column), class: column.number ? "number" : null }, column.badge ? verdictBadge(value) : text));
  }
  const name = `Evidence: ${row.configuration.method}, ${row.dataset} ${row.split}, ${row.mean}`;
  const button = element("button", { type: "button", "aria-label": name, "aria-haspopup": "dialog", onclick: () => openEvidence(row, button) }, "Evidence");
  made.append(element("td", { class: "wide" }, button));
  return made;
}

// Filters -------------------------------------------------------------------------------------------------------------

const METRICS = { test_accuracy: "all test accuracies", valid_accuracy: "validation accuracies" };
const filters = [
  { title: "Space", value: (row) => row.configuration.space },
  { title: "Profile", value: (row) => row.configuration.profile },
  { title: "Searched on", value: (row) => row.configuration.searched_on },
  { title: "Selection", value: (row) => row.selection, names: data.selections },
  { title: "Dataset", value: (row) => row.dataset },
  { title: "Split", value: (row) => row.split, also: (row) => row.metric, names: METRICS },
  { title: "Family", value: (row) => row.configuration.family },
];
const search = element("input", { type: "search", id: "search", placeholder: "Method" });

/** The cells of the last epoch; their test accuracies, or where there are none their validation accuracies. */
function setDefaults() {
  for (const filter of filters) filter.select.value = "";
  const has = (title, value) => [...filters.find((filter) => filter.title === title).select.options].some((option) => option.value === value);
  const set = (title, value) => {
    if (has(title, value)) filters.find((filter) => filter.title === title).select.value = value;
  };
  set("Selection", "last");
  set("Split", has("Split", "test_accuracy") ? "test_accuracy" : "valid_accuracy");
  search.value = "";
  state.sort = null;
}

function makeFilters() {
  const form = document.getElementById("filters");
  for (const filter of filters) {
    const values = [...new Set([...rows.map((row) => filter.also?.(row)), ...rows.map(filter.value)])].filter(Boolean);
    const options = values.map((value) => element("option", { value }, filter.names?.[value] ?? value));
    filter.select = element("select", {}, element("option", { value: "" }, "all"), ...options);
    const choice = new Set(rows.map(filter.value)).size > 1;
    form.append(element("label", { hidden: choice ? null : "" }, filter.title, filter.select));
  }
  const reset = () => { setDefaults(); applyFilters(); };
  form.append(element("label", {}, "Search", search), element("button", { type: "button", onclick: reset }, "Reset"));
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
  // What all rows share stands above the table once, and not in a column.
  const common = [];
  for (const column of columns.filter((each) => each.varies)) {
    const values = new Set(state.found.map(column.value));
    column.hidden = values.size <= 1;
    for (const value of column.hidden ? values : []) common.push(`${column.title.toLowerCase()}: ${data.selections[value] ?? value}`);
  }
  const sentences = [...new Set(state.found.map((row) => row.configuration.sentence))];
  const lines = sentences.length === 1 ? [...common, sentences[0]] : common;
  document.getElementById("common").textContent = lines.join(" \u00b7 ");
  document.getElementById("shown").textContent =
    `${state.found.length} of ${rows.length} results; accuracies in % after 200 epochs of training; \u2020: recalled, not verified`;
  showRows();
  showCells();
}

// Cells ---------------------------------------------------------------------------------------------------------------

const looks = new Map(Object.entries(data.looks)); // operation -> label, colour, colour in the dark, dashes

/** [title, number of nodes, [[source, target, operation], ...]] of every cell type; empty if the string is no cell. */
function graphs(text) {
  if (text.startsWith("|")) {
    const parts = text.split("+");
    const edges = parts.flatMap((part, place) => [...part.matchAll(/([a-z0-9_]+)~(\d+)\|/g)].map((found) => [Number(found[2]), place + 1, found[1]]));
    return checked([["cell", parts.length + 1, edges]]);
  }
  const types = [...text.matchAll(/(\w+)=\[((?:\('\w+', \d+\)(?:, )?)+)\]/g)];
  return checked(types.map(([, title, list]) => {
    const edges = [...list.matchAll(/\('(\w+)', (\d+)\)/g)].map((found, place) => [Number(found[2]), 2 + Math.floor(place / 2), found[1]]);
    const output = 2 + edges.length / 2;
    return [title, output + 1, [...edges, ...concatenated(text, title).map((node) => [node, output, ""])]];
  }));
}

function concatenated(text, title) {
  const range = text.match(new RegExp(`${title}_concat=range\\((\\d+), (\\d+)\\)`));
  if (range) return Array.from({ length: Math.min(100, range[2] - range[1]) }, (_, place) => Number(range[1]) + place);
  return [...(text.match(new RegExp(`${title}_concat=\\[([\\d, ]*)\\]`))?.[1].matchAll(/\d+/g) ?? [])].map(Number);
}

function checked(found) {
  const good = found.every(([, nodes, edges]) => edges.length && edges.every(([source, target]) => source < target && target < nodes));
  return good ? found : [];
}

function place(nodes, node) {
  const angle = Math.PI * (1 - (2 * node) / nodes);
  return data.layouts[nodes]?.[node] ?? [0.5 + Math.cos(angle) / 2, 0.5 + Math.sin(angle) / 2];
}

/** Drawings of a cell, one per cell type; null if the string is no cell. */
function drawings(text) {
  const found = graphs(text);
  return found.length ? element("div", {}, ...found.map((graph) => drawing(...graph))) : null;
}

function drawing(title, nodes, edges) {
  const [width, height] = nodes <= 4 ? [300, 150] : [400, 230];
  const at = (node) => {
    const [x, y] = place(nodes, node);
    return [22 + x * (width - 44), height - 16 - y * (height - 32)];
  };
  const description = edges.filter(([, , operation]) => operation).map(([source, target, operation]) => `${source} to ${target} ${operation}`);
  const picture = svg("svg", { class: "cell", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${description.join(", ")}` });
  const labels = [];
  const drawn = new Map();
  for (const [source, target, operation] of edges) {
    const look = looks.get(operation) ?? [operation, "#666666", "#aaaaaa", []];
    const color = `light-dark(${look[1]}, ${look[2]})`;
    const [[x0, y0], [x1, y1]] = [at(source), at(target)];
    const key = `${source} ${target}`;
    const bend = 26 * (drawn.get(key) ?? 0); // a second edge between the same nodes takes a bow
    drawn.set(key, (drawn.get(key) ?? 0) + 1);
    const length = Math.hypot(x1 - x0, y1 - y0);
    const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
    const end = [x1 - 13 * ux, y1 - 13 * uy];
    const middle = [(x0 + x1) / 2 - bend * uy, (y0 + y1) / 2 + bend * ux];
    const head = `M${[end[0] - 6 * ux - 3.5 * uy, end[1] - 6 * uy + 3.5 * ux]} L${end} L${[end[0] - 6 * ux + 3.5 * uy, end[1] - 6 * uy - 3.5 * ux]}`;
    const line = svg("path", { d: `M${[x0, y0]} Q${middle} ${end}`, "stroke-dasharray": look[3].join(" ") });
    const arrow = svg("path", { d: head });
    line.style.stroke = arrow.style.stroke = color;
    picture.append(line, arrow);
    const share = nodes <= 4 ? 0.5 : 0.62; // near the target, where fewer edges meet
    const text = svg("text", { class: "operation", x: x0 + share * (x1 - x0) - (bend / 2) * uy, y: y0 + share * (y1 - y0) + (bend / 2) * ux }, look[0]);
    text.style.fill = color;
    labels.push(text);
  }
  for (let node = 0; node < nodes; node += 1) {
    const [cx, cy] = at(node);
    const name = nodes <= 4 ? (node ? (node < nodes - 1 ? node : "out") : "in") : node < 2 ? `k\u2212${2 - node}` : node < nodes - 1 ? node - 2 : "out";
    labels.push(svg("circle", { cx, cy, r: 12 }), svg("text", { class: "node", x: cx, y: cy }, String(name)));
  }
  picture.append(...labels);
  return picture;
}

function showCells() {
  const methods = [...new Set(state.found.map((row) => row.configuration))];
  const shown = methods.slice(0, state.cells).map(methodCells);
  const left = methods.length - shown.length;
  const more = () => { state.cells += METHODS; showCells(); };
  document.getElementById("cells").replaceChildren(
    ...shown,
    ...(left > 0 ? [element("p", {}, element("button", { type: "button", onclick: more }, `Show more of ${left} methods`))] : []),
  );
}

function methodCells(configuration) {
  const [start, end] = configuration.searches;
  const counts = new Map();
  for (const cell of data.searches.last.slice(start, end)) counts.set(data.cells[cell], (counts.get(data.cells[cell]) ?? 0) + 1);
  const ordered = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, CELLS);
  const figures = ordered.map(([cell, count]) =>
    element("figure", { class: "drawing" }, drawings(cell),
      element("figcaption", {}, `found by ${count} of ${end - start}`, element("details", {}, element("summary", {}, "string"), element("span", { class: "string" }, cell)))));
  const where = `${configuration.space}, ${configuration.profile} profile, searched on ${configuration.searched_on}`;
  const summary = `${where}: ${end - start} searches, ${counts.size} different cells`;
  return element("div", { class: "method-cells" },
    element("h3", {}, configuration.method, " ", proxyBadge(configuration)), element("p", { class: "faint" }, summary), element("div", { class: "drawings" }, ...figures));
}

// Evidence ------------------------------------------------------------------------------------------------------------

const dialog = document.getElementById("evidence");
let opener = null;

function openEvidence(row, button) {
  opener = button;
  const close = element("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const title = element("h2", { id: "evidence-heading" }, `${row.configuration.method}: ${row.mean} `, proxyBadge(row.configuration));
  dialog.replaceChildren(element("header", {}, title, close), ...evidence(row));
  dialog.showModal();
  dialog.scrollTop = 0;
  close.focus();
}

dialog.addEventListener("close", () => { opener?.focus(); dialog.replaceChildren(); });
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

function evidence(row) {
  const configuration = row.configuration;
  const [list, machines] = searches(row);
  const about = `${row.dataset} ${row.split}, accuracy in % after 200 epochs of training; ${data.selections[row.selection] ?? row.selection}. ${configuration.sentence}.`;
  return [
    element("p", {}, about),
    section("Ours and published", comparison(row)),
    section("Searches", ...list),
    section("Command", element("pre", { tabindex: "0" }, configuration.command), ...commandNotes(configuration)),
    section("Changed with --set", facts(configuration.changed, "nothing")),
    section("Settings of the method", facts(configuration.settings, "none")),
    section("Protocol", facts(configuration.protocol, "none")),
    section("Machine and versions", ...machines),
    section("Data", facts(dataFacts(row), "none")),
  ];
}

function section(title, ...children) {
  return element("section", {}, element("h3", {}, title), ...children);
}

function facts(values, nothing) {
  const entries = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  if (!entries.length) return element("p", { class: "faint" }, nothing);
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const line = (name, value) => element("div", { class: value.length > 24 ? "long" : null }, element("dt", {}, name), element("dd", {}, value));
  return element("dl", {}, ...entries.map(([name, value]) => line(name, text(value))));
}

/** Both sides line by line; a line is marked where a difference keeps them from being compared. */
function comparison(row) {
  const { configuration, published } = row;
  if (!published) return element("p", { class: "faint" }, "No published value is known for this method, dataset and metric.");
  const configured = Object.keys(configuration.changed).length ? `${configuration.profile}, changed` : configuration.profile;
  const lines = [
    ["mean", row.mean, published.mean],
    ["std", row.std, published.std],
    ["searches (n)", row.n, published.n],
    ["split", row.split, published.split || "not stated", row.split !== published.split],
    ["searched on", configuration.searched_on, published.searched_on || "not stated", configuration.searched_on !== published.searched_on],
    ["cell", data.selections[row.selection] ?? row.selection, "as published", row.selection !== "last"],
    ["protocol", `${configured} profile`, published.protocol || "not stated", configured !== "paper" || !["direct", "transfer"].includes(published.protocol)],
    ["how known", "searches below", published.status],
    ["source", `table ${row.table}`, published.source],
  ];
  const head = ["", "ours", "published"].map((title) => element("th", { scope: "col" }, title));
  const made = lines.map(([title, ours, theirs, unlike]) =>
    element("tr", { class: unlike ? "unlike" : null }, element("th", { scope: "row" }, unlike ? `\u2260 ${title}` : title), element("td", {}, String(ours ?? NOTHING)), element("td", {}, String(theirs ?? NOTHING))));
  return element("div", { class: "scroll" },
    element("p", {}, verdictBadge(row.verdict), row.difference === null ? "" : ` difference ${row.difference}`),
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...made)));
}

/** The searches behind a number as a table, and what they ran on. */
function searches(row) {
  const { searches: [start, end], failed } = row.configuration;
  const accuracies = data.accuracies[`${row.dataset} ${row.split}`];
  const column = (name) => data.searches[name].slice(start, end);
  const all = column("seed").map((seed, place) => ({ seed, cell: data.searches[row.selection][start + place], at: start + place }));
  const counted = all.filter(({ cell }) => cell !== null && accuracies[cell] !== null);
  const kinds = [...new Set(column("provenance"))];
  const blackBox = row.configuration.kind === "black-box";
  const titles = ["seed", "accuracy", "cell", blackBox ? "queries" : "best epoch", ...(blackBox ? ["simulated s"] : []), "seconds", "memory MB", ...(kinds.length > 1 ? ["machine"] : []), "record"];
  const line = ({ seed, cell, at }) => {
    const value = (name) => String(data.searches[name][at] ?? NOTHING);
    const string = data.cells[cell];
    const entries = [seed, accuracies[cell], element("div", {}, drawings(string), element("span", { class: "string" }, string)), value(blackBox ? "queries" : "best_epoch")];
    entries.push(...(blackBox ? [value("simulated")] : []), value("seconds"), value("memory"), ...(kinds.length > 1 ? [kinds.indexOf(data.searches.provenance[at]) + 1] : []), element("code", {}, value("key")));
    return element("tr", {}, ...entries.map((entry) => element("td", {}, entry)));
  };
  const lines = element("tbody", {}, ...counted.slice(0, SEARCHES).map(line));
  const table = element("table", { class: "searches" }, element("thead", {}, element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)))), lines);
  const rest = counted.slice(SEARCHES);
  const more = element("button", { type: "button", onclick: () => { lines.append(...rest.map(line)); more.remove(); } }, `Show the other ${rest.length}`);
  const left = all.length - counted.length;
  const remarks = [
    `mean ${row.mean}, std ${row.std ?? NOTHING}, n ${row.n}; a record is runs/<digits\u2026>.json`,
    left ? `${left} finished without such a cell or without its accuracy in the table: not counted` : "",
    failed ? `${failed} failed: not counted` : "",
  ];
  return [
    [element("p", { class: "faint" }, remarks.filter(Boolean).join("; ")), element("div", { class: "scroll", tabindex: "0" }, table), rest.length ? more : null].filter(Boolean),
    kinds.map((kind, place) => machine(data.provenances[kind], kinds.length > 1 ? `machine ${place + 1}` : null)),
  ];
}

function machine({ versions, ...provenance }, title) {
  return element("div", {}, title ? element("p", {}, title) : null, facts({ ...provenance, ...versions }, "not recorded"));
}

function commandNotes(configuration) {
  const notes = [];
  if (configuration.source) notes.push(`The method came from a file with the SHA-256 ${configuration.source}.`);
  if (configuration.table) notes.push(`TABLE is the table with the SHA-256 ${configuration.table}; its cells were scored after ${configuration.signal_epochs} epochs of training.`);
  return notes.map((note) => element("p", { class: "faint" }, note));
}

function dataFacts(row) {
  const { data: digest, started } = row.configuration;
  return {
    "table, SHA-256": `${row.table}\u2026`,
    "source of the table": data.tables[row.table],
    "search data, SHA-256": digest,
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
  head();
  makeFilters();
  applyFilters();
} else {
  document.getElementById("shown").textContent = "No accuracies yet; see the notes below.";
}
