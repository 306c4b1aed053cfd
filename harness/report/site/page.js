"use strict";

// All content comes from the JSON embedded in the page and is inserted as text, never as HTML. The texts are generated
// in Python; this script filters, sorts, shows and hides them.

const data = JSON.parse(document.getElementById("data").textContent);
const texts = (indices) => indices.map((index) => data.texts[index]);
const rows = data.rows.map((values) => {
  const row = Object.fromEntries(data.row.map((name, index) => [name, values[index]]));
  row.configuration = data.configurations[row.configuration];
  row.measure = data.measures[row.measure];
  row.origin = data.origins[row.origin];
  row.facets = data.facets[row.facets];
  row.texts = texts(row.texts);
  row.pair = texts(row.pair);
  return row;
});

const PER_PAGE = 80; // leaderboard rows shown at a time, to keep sorting fast
const SEARCHES = 40; // searches listed initially in the evidence
const METHODS = 10; // methods whose cells are drawn initially
const CELLS_SHOWN = 24; // cells of a method's searches drawn at a time
const NOTHING = "\u2013";
const UNLIKE = "not comparable";

// Elements ------------------------------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") node.addEventListener("click", value);
    else if (value !== null && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function button(text, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, text);
}

function svg(name, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
}

const link = (address, ...children) => element("a", { href: address }, ...children);
const methodLink = (configuration, ...children) => link(`#method=${encodeURIComponent(data.methods[configuration.of].name)}`, ...children);
const runLink = (index, ...children) => link(`#run=${data.searches.key[index]}`, ...children);
const proxyBadge = ({ proxy, sentence }) => (proxy ? element("span", { class: "proxy", title: sentence }, proxy) : null);
const verdictClass = (verdict) => `verdict ${verdict.replaceAll(" ", "-")}`;
const verdictBadge = (verdict) => element("span", { class: verdictClass(verdict) }, `${data.signs[verdict]} ${verdict}`.trim());

// The table -----------------------------------------------------------------------------------------------------------

const label = (column) => (column.group ? `${column.group}, ${column.title}` : column.title);

/** Renderers of the columns of the row-per-number view that need more than a plain cell. */
const CELLS = {
  method: (line, column, again) => methodCell(line.configuration, again),
  verdict: (row, column) => element("td", { "data-label": label(column) }, verdictBadge(row.verdict)),
};
const NUMBERS = data.columns.map((column, index) => ({
  ...column,
  value: (row) => row.texts[index],
  order: (row) => row.orders[column.name] ?? row.texts[index],
  cell: CELLS[column.name],
}));
const MEAN = NUMBERS.find((column) => column.name === "mean");
const OURS = NUMBERS.filter((column) => column.group === MEAN.group);
const METHOD = {
  title: "Method",
  value: (line) => line.configuration.method,
  cell: CELLS.method,
};
const EVIDENCE = {
  title: "Evidence",
  cell: (row) => element("td", { class: "wide" }, button("Evidence", () => openEvidence(row), opens(row))),
};

/** A column of costs or sizes: ours above the published value, with a sign if they are not comparable. */
const besideColumn = (title, index) => ({
  title,
  number: true,
  left: true,
  lower: true,
  value: (line) => data.beside[index(line)]?.[0],
  order: (line) => data.beside[index(line)]?.[3],
  cell: (line, column) => {
    const [ours, theirs, verdict] = data.beside[index(line)] ?? [NOTHING, "", ""];
    const sign = element("span", { role: "img", "aria-label": verdict, title: verdict }, data.signs[verdict] ?? "");
    const below = element("div", { class: "theirs" }, theirs, ...(verdict === UNLIKE ? ["\u00a0", sign] : []));
    return element("td", { class: "beside", "data-label": label(column) }, element("div", {}, ours), below);
  },
});
const SIZE = besideColumn("Parameters", (line) => line.size);
const COST = besideColumn("Search cost", (line) => (line.cost === undefined ? line.configuration.cost : line.cost));
/** Columns next to the numbers: sizes of retrained cells, if any, and search costs. */
const beside = (shown) => [...(shown.some((row) => row.size !== null) ? [SIZE] : []), COST];

/** The two views of the results, each with functions for its lines and columns; every line has a configuration. */
const VIEWS = {
  methods: { lines: methodLines, columns: methodColumns },
  numbers: { lines: (block) => block.rows, columns: (shown) => [...NUMBERS, ...beside(shown), EVIDENCE] },
};

const state = { sort: null, descending: false, row: null, limit: PER_PAGE, cells: METHODS, shown: [], columns: [], blocks: [] };
const view = document.getElementById("view");
const table = document.getElementById("leaderboard");

/** One column for each dataset, split and metric. */
function methodColumns(shown) {
  const measures = [...new Set(shown.map((row) => row.measure))].sort((a, b) => a.order - b.order);
  const columns = measures.map((measure) => ({
    group: measure.dataset,
    title: measure.title,
    number: true,
    lower: measure.lower,
    value: (line) => line.numbers.get(measure)?.pair[0],
    cell: (line) => pair(line.numbers.get(measure), measure.name),
  }));
  return [METHOD, ...columns, ...beside(shown)];
}

function methodLines(block) {
  const lines = new Map();
  for (const row of block.rows) {
    const name = row.configuration.method;
    const { configuration, size } = row;
    if (!lines.has(name)) lines.set(name, { configuration, cost: configuration.cost, size, numbers: new Map() });
    const line = lines.get(name);
    line.numbers.set(row.measure, row);
    if (line.configuration !== configuration) line.cost = null; // searches on several datasets, each at its own cost
  }
  return [...lines.values()];
}

/** The blocks with results; a row is added to its second block only if its method has other rows there. */
function blocks(shown) {
  const filled = data.blocks.map((block) => ({ ...block, rows: [] }));
  const others = new Set(shown.map(({ blocks: [home], configuration }) => `${home} ${configuration.method}`));
  for (const row of shown) {
    const [home, also] = row.blocks;
    filled[home].rows.push(row);
    if (also !== null && others.has(`${also} ${row.configuration.method}`)) filled[also].rows.push(row);
  }
  return filled.filter((block) => block.rows.length);
}

/** The heading row of a block. */
function blockHeading(block) {
  const about = element("span", { class: "faint" }, ` ${block.about}`);
  const cell = { colspan: state.columns.length, scope: "rowgroup" };
  return element("tr", { class: "block" }, element("th", cell, block.title, " ", proxyBadge(block), about));
}

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
  const shown = { scope: "col", class: column.number && !column.left ? "number" : null, title: column.about ?? null };
  return element("th", shown, button(column.title, () => sortBy(column), attributes));
}

/** Rebuild the table for the current results; the sort column is kept if it still exists. */
function showTable() {
  const { lines, columns } = VIEWS[view.value];
  state.columns = columns(state.shown);
  state.blocks = blocks(state.shown).map((block) => ({ ...block, lines: lines(block) }));
  state.sort = state.columns.find((column) => state.sort && label(column) === label(state.sort)) ?? null;
  const caption = "Results in %, ours next to published ones, in blocks; sorting keeps the blocks";
  table.className = view.value;
  table.replaceChildren(element("caption", { class: "unseen" }, caption), head());
  showRows();
}

/** Whether lower is better in a column: its own setting, otherwise that of all numbers shown. */
const lowerIsBetter = (column) => column.lower ?? state.shown.every((row) => row.measure.lower);

/** Sort by a column, numbers best first; sorting by the same column again reverses the order. */
function sortBy(column) {
  state.descending = state.sort === column ? !state.descending : Boolean(column.number) && !lowerIsBetter(column);
  state.sort = column;
  showRows();
  remember();
}

/** Sort key of a line: null if missing; texts of number columns sort by their leading number. */
function sortKey(column, line) {
  const value = (column.order ?? column.value)(line);
  if (value === NOTHING) return null;
  return column.number && typeof value === "string" ? Number.parseFloat(value) : value;
}

function sorted(lines) {
  if (!state.sort) return lines;
  const sign = state.descending ? -1 : 1;
  const missing = (key) => key === null || key === undefined || Number.isNaN(key);
  return lines
    .map((line) => [sortKey(state.sort, line), line])
    .sort(([a], [b]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b); // missing values last in either direction
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
    const lines = shown.map((line, number) => tableRow(line, shown[number - 1]));
    if (shown.length) bodies.push(element("tbody", {}, blockHeading(block), ...lines));
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
  return element("td", { "data-label": label(column), class: column.number ? "number" : null }, column.value(row));
}

/** The method's name with its overrides in smaller type and a proxy badge; fainter in repeated rows of a method, in
    italics for a control. */
function methodCell(configuration, again) {
  const { name, details } = configuration;
  const below = details && !again ? element("span", { class: "changed" }, ` [${details}]`) : null;
  const shown = methodLink(configuration, name);
  const marks = [again && "again", configuration.control && "control"].filter(Boolean).join(" ");
  const about = { scope: "row", class: marks || null, title: configuration.control ? "a control" : null };
  return element("th", about, shown, below, " ", proxyBadge(configuration));
}

/** Ours above published, with the sign of the verdict, and the difference or the other split after the published value. */
function pair(row, name) {
  const cell = (...lines) => element("td", { class: "pair", "data-label": name }, ...lines);
  if (!row) return cell(NOTHING);
  const { pair: pairTexts, verdict } = row;
  const attributes = { type: "button", class: "side", onclick: () => openEvidence(row), ...opens(row) };
  const ours = element("button", attributes, ...side(pairTexts));
  const none = element("span", { class: "side" }, element("b", { title: verdict }, NOTHING));
  if (pairTexts.length === 3) return cell(element("div", {}, ours), element("div", { class: "theirs" }, none));
  const attributesOfSign = { class: `sign ${verdictClass(verdict)}`, role: "img", "aria-label": verdict, title: verdict };
  const sign = element("span", attributesOfSign, data.signs[verdict]);
  const theirs = element("span", { class: "side" }, ...side(pairTexts.slice(3)));
  return cell(element("div", {}, ours, sign), element("div", { class: "theirs" }, theirs, element("span", {}, pairTexts[6])));
}

function side([mean, std, n]) {
  return [element("b", {}, mean), element("span", {}, std), element("span", {}, n)];
}

function opens(row) {
  return { "aria-label": `Evidence: ${row.configuration.method}, ${row.measure.name}, ${row.pair[0]}`, "aria-haspopup": "dialog" };
}

// Filters -------------------------------------------------------------------------------------------------------------

const filters = [...document.querySelectorAll("#filters .filter")];
const search = document.getElementById("search");

function makeFilters() {
  const form = document.getElementById("filters");
  form.addEventListener("input", () => { applyFilters(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("reset").addEventListener("click", () => {
    setFilters(new URLSearchParams({ view: view.value }));
    applyFilters();
    remember();
  });
}

/** Set filters, search and sorting as in an address; what it leaves out, or calls by an unknown name, has its default. */
function setFilters(address) {
  for (const control of [view, ...filters, search]) {
    const value = address.get(control.name);
    const known = control === search || [...control.options].some((option) => option.value === value);
    control.value = value !== null && known ? value : defaultOf(control);
  }
  state.sort = address.has("sort") ? { title: address.get("sort") } : null;
  state.descending = address.get("order") === "descending";
}

const defaultOf = (control) => (control === view ? "methods" : control.querySelector("[selected]")?.value ?? "");

function applyFilters() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  state.shown = rows.filter(
    (row) =>
      filters.every((filter, index) => !filter.value || row.facets[index].includes(filter.value)) &&
      words.every((word) => row.configuration.method.toLowerCase().includes(word)),
  );
  state.limit = PER_PAGE;
  state.cells = METHODS;
  const counted = (verdict) => state.shown.filter((row) => row.verdict === verdict).length;
  const verdicts = Object.keys(data.signs).filter(counted).map((verdict) => element("span", {}, verdictBadge(verdict), ` ${counted(verdict)}`));
  document.getElementById("verdicts").replaceChildren(...verdicts);
  const units = [...new Set(state.shown.map((row) => row.measure.unit)), "\u2020: quoted from memory, not verified"].join("; ");
  const reading = view.value === "methods" ? "; above: ours, below: published. Click a number for its evidence" : "";
  document.getElementById("shown").textContent = `${state.shown.length} of ${rows.length} results; ${units}${reading}.`;
  showTable();
  showCells();
}

// Cells ---------------------------------------------------------------------------------------------------------------

/** Drawings of a cell given by its index, one per cell type; null if the cell has no graphs. */
function drawings(cell) {
  const graphs = data.drawings[cell];
  if (!graphs) return null;
  const name = ([kind]) => (graphs.length > 1 ? element("p", { class: "faint" }, data.kinds[kind][0]) : "");
  return element("div", {}, ...graphs.flatMap((graph) => [name(graph), drawing(...graph)]));
}

/** Drawing of one graph; `edges` alternates between indices of edges and of operations. */
function drawing(kind, edges) {
  const [title, viewBox, nodes] = data.kinds[kind];
  const lines = [];
  const labels = [];
  const named = [];
  for (let index = 0; index < edges.length; index += 2) {
    const [ends, line, head, x, y] = data.edges[edges[index]];
    const [operation, name, light, dark, dashes] = data.operations[edges[index + 1]];
    const parts = [svg("path", { d: line, "stroke-dasharray": dashes }), svg("path", { d: head })];
    const text = svg("text", { class: "operation", x, y }, name);
    for (const part of parts) part.style.stroke = `light-dark(${light}, ${dark})`;
    text.style.fill = `light-dark(${light}, ${dark})`;
    lines.push(...parts);
    labels.push(text);
    if (operation) named.push(`${ends} ${operation}`);
  }
  const circles = nodes.flatMap(([name, cx, cy]) => [svg("circle", { cx, cy, r: 12 }), svg("text", { class: "node", x: cx, y: cy }, name)]);
  const picture = svg("svg", { class: "cell", viewBox, role: "img", "aria-label": `${title}: ${named.join(", ")}` });
  picture.append(...lines, ...labels, ...circles);
  return picture;
}

function showCells() {
  const methods = [...new Set(state.shown.map((row) => row.configuration))];
  const shown = methods.slice(0, state.cells).map(methodCells);
  const left = methods.length - shown.length;
  const more = button(`Show more of ${left} methods`, () => { state.cells += METHODS; showCells(); });
  document.getElementById("cells").replaceChildren(...shown, ...(left > 0 ? [element("p", {}, more)] : []));
}

function methodCells(configuration) {
  return element(
    "div",
    { class: "method-cells" },
    element("h3", {}, methodLink(configuration, configuration.method), " ", proxyBadge(configuration)),
    element("p", { class: "faint" }, configuration.cells_of),
    element("div", { class: "drawings" }, ...configuration.cells.map(([cell, caption]) => cellFigure(cell, caption))),
  );
}

function cellFigure(cell, caption) {
  const string = element("details", {}, element("summary", {}, "string"), element("span", { class: "string" }, data.cells[cell]));
  return element("figure", { class: "drawing" }, drawings(cell), element("figcaption", {}, caption, string));
}

// Evidence ------------------------------------------------------------------------------------------------------------

const dialog = document.getElementById("evidence");

/** Open the dialog with the evidence of a row. The browser closes it on Escape and restores the focus. */
function openEvidence(row) {
  const close = button("Close", () => dialog.close());
  const { configuration, measure } = row;
  const title = element("h2", { id: "evidence-heading" }, `${configuration.method}, ${measure.name}: ${row.pair[0]} `, proxyBadge(configuration));
  dialog.replaceChildren(element("header", {}, title, close), ...evidence(row));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  close.focus();
  state.row = row;
  remember();
}

dialog.addEventListener("close", () => {
  if (dialog.open) return; // on another row, which an address has opened since
  dialog.replaceChildren();
  state.row = null;
  remember();
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

function evidence(row) {
  const { configuration, origin } = row;
  return [
    element("p", {}, data.texts[row.about]),
    section("Ours and published", comparison(row)),
    configuration.published.length ? section("Published errors, sizes and costs", published(configuration)) : null,
    row.regret ? section("Regret", facts(texts(row.regret).map((text, index) => [data.regret[index], text]), "")) : null,
    section("Searches", ...searches(row)),
    ...configured(configuration, origin.arguments, origin.afterwards),
    origin.recipe === null ? null : section("Recipe of the retraining", facts(data.facts[origin.recipe], "none")),
    section("Machine and versions", ...machines(configuration, origin)),
    section("Data", facts([...data.facts[origin.facts], ...data.facts[configuration.data]], "none")),
  ].filter(Boolean);
}

/** How the searches of a configuration were run; with the arguments and the command of retrainings, if any. */
function configured(configuration, ...retraining) {
  return [
    section("Command", ...command(configuration, ...retraining)),
    section("Overrides", facts(data.facts[configuration.overrides], "none")),
    section("Settings of the method", facts(data.facts[configuration.settings], "none")),
    section("Protocol of the search", facts([["protocol", configuration.protocol_id], ...data.facts[configuration.protocol]], "none")),
  ];
}

function section(title, ...children) {
  return element("section", {}, element("h3", {}, title), ...children);
}

function facts(entries, nothing) {
  if (!entries.length) return element("p", { class: "faint" }, nothing);
  const line = ([name, text]) => element("div", { class: text.length > 24 ? "long" : null }, element("dt", {}, name), element("dd", {}, text));
  return element("dl", {}, ...entries.map(line));
}

/** Ours and published line by line; lines whose difference makes them not comparable are marked. */
function comparison(row) {
  if (!row.comparison) return element("p", { class: "faint" }, "No published value for this method, dataset and metric.");
  const published = (column) => NUMBERS.find(({ group, title }) => group === "Published" && title === column.title);
  const numbers = OURS.filter(published).map((column) => [column.title, column.value(row), published(column).value(row)]);
  const lines = [...numbers, ...row.comparison.map((index) => data.lines[index])].map(([title, ours, theirs, unlike]) => {
    const heading = element("th", { scope: "row" }, unlike ? `\u2260 ${title}` : title);
    return element("tr", { class: unlike ? "unlike" : null }, heading, element("td", {}, ours), element("td", {}, theirs));
  });
  const difference = NUMBERS.find((column) => column.name === "difference").value(row);
  const verdict = element("p", {}, verdictBadge(row.verdict), difference === NOTHING ? "" : ` difference ${difference}`);
  const reasons = data.texts[row.reasons];
  const judged = data.texts[row.judged];
  const why = reasons || judged ? element("p", { class: "faint" }, reasons ? `Not comparable: ${reasons}.` : `${judged}.`) : null;
  return element("div", { class: "scroll" }, verdict, why, plainTable(["", "ours", "published"], element("tbody", {}, ...lines)));
}

/** All published errors, sizes and costs of a method: several per metric where papers differ. */
function published(configuration) {
  const line = (indices) => element("tr", {}, ...texts(indices).map((text) => element("td", {}, text)));
  return element("div", { class: "scroll", tabindex: "0" }, plainTable(data.listed, element("tbody", {}, ...configuration.published.map(line))));
}

function plainTable(titles, lines, attributes = {}) {
  const head = element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)));
  return element("table", attributes, element("thead", {}, head), lines);
}

/** What is known of a search, by the name of the column. */
const ofSearch = (name, index) => String(data.searches[name]?.[index] ?? NOTHING);

/** Rank of a search's cell in its space by the accuracy of a row. */
const rankOf = (row, index) => String(data.ranks[row.ranks].cells[data.searches[row.selection][index]] ?? NOTHING);

/** The searches behind a number as a table. */
function searches(row) {
  const { searches: [start, end], machines, black_box: asks, training_free: scores } = row.configuration;
  const indices = Array.from({ length: end - start }, (_, number) => number).filter((index) => row.values[index] !== null);
  const search = (name) => (index) => ofSearch(name, start + index);
  const retraining = (name) => (index) => String(data.retrainings[name][row.retrainings[index]] ?? NOTHING);
  const columns = [
    ["seed", search("seed")],
    [row.measure.value, (index) => row.values[index]],
    ...(row.regrets ? [["regret", (index) => data.texts[row.regrets[index]]]] : []),
    ...(row.ranks === null ? [] : [[`rank of ${data.ranks[row.ranks].of}`, (index) => rankOf(row, start + index)]]),
    ["cell", (index) => drawnWithString(data.searches[row.selection][start + index])],
    ...(asks ? [["queries", search("queries")], ["simulated s", search("simulated")]] : scores ? [] : [["best epoch", search("best_epoch")]]),
    [data.measured.seconds, search("seconds")],
    ["memory MB", search("memory")],
    ...(machines.length > 1 ? [["machine", search("machine")]] : []),
    ["record", (index) => runLink(start + index, element("code", {}, search("key")(index)))],
    ...(row.retrainings
      ? [
          ["parameters", retraining("parameters")],
          ["retraining s", retraining("seconds")],
          ["retraining", (index) => element("code", {}, retraining("key")(index))],
        ]
      : []),
  ];
  const line = (index) => element("tr", {}, ...columns.map(([, value]) => element("td", {}, value(index))));
  const lines = element("tbody", {}, ...indices.slice(0, SEARCHES).map(line));
  const scrolled = element("div", { class: "scroll", tabindex: "0" }, plainTable(columns.map(([title]) => title), lines, { class: "searches" }));
  const rest = indices.slice(SEARCHES);
  const more = button(`Show the other ${rest.length}`, () => { lines.append(...rest.map(line)); more.remove(); });
  const numbers = OURS.map((column) => `${column.title} ${column.value(row)}`).join(", ");
  const remarks = [numbers, "records are in runs/<record>\u2026.json", data.texts[row.left_out]].filter(Boolean).join("; ");
  return [element("p", { class: "faint" }, remarks), scrolled, ...(rest.length ? [more] : [])];
}

function drawnWithString(cell) {
  const string = element("span", { class: "string" }, data.cells[cell]);
  const long = data.drawings[cell]?.length > 1;
  return element("div", {}, drawings(cell), long ? element("details", {}, element("summary", {}, "string"), string) : string);
}

const machine = (index, title) => element("div", {}, title ? element("p", {}, title) : null, facts(data.facts[index], "not recorded"));

function machines({ machines: known }, { machines: others }) {
  return [
    ...known.map((index, number) => machine(index, known.length > 1 ? `machine ${number + 1}` : "")),
    ...others.map((index) => machine(index, "of the retrainings")),
  ];
}

function command(configuration, more = "", afterwards = "") {
  const line = (text) => element("pre", { tabindex: "0" }, text);
  const faint = (text) => element("p", { class: "faint" }, text);
  const then = faint("Then, for the CELL and the SEED of each search:");
  const search = [configuration.command, more].filter(Boolean).join(" ");
  return [line(search), ...texts(configuration.notes).map(faint), ...(afterwards ? [then, line(afterwards)] : [])];
}

// Pages of a method and of a run --------------------------------------------------------------------------------------

const board = document.getElementById("board");
const page = document.getElementById("page");
const TITLE = document.title;

/** The pages by the name of their address; each makes a title and the content. */
const PAGES = { method: methodPage, run: runPage };

function openPage(title, ...content) {
  document.title = `${title} \u2013 ${TITLE}`;
  const heading = element("h2", { tabindex: "-1" }, title);
  const back = element("p", {}, link(boardAddress(), "\u2190 Leaderboard"));
  page.replaceChildren(back, heading, ...content.filter(Boolean));
  scrollTo(0, 0);
  heading.focus();
}

function methodPage(name) {
  const index = data.methods.findIndex((method) => method.name === name);
  if (index < 0) return [name, nothing("This page has no finished searches of a method of this name.")];
  const method = data.methods[index];
  const configurations = data.configurations.filter(({ of }) => of === index);
  return [
    method.name,
    element("p", {}, method.link ? link(method.link, method.paper || method.link) : method.paper || "No paper is named."),
    section("Algorithm", ...algorithm(method)),
    section("Settings", settings(method)),
    section("Results and search cost", ...configurations.map(results)),
    section("Final cells", ...configurations.map(finalCells)),
    method.bibtex ? section("Citation", element("pre", { tabindex: "0" }, method.bibtex)) : null,
  ];
}

function algorithm({ file, about, source, note }) {
  if (!source) return [nothing("The file of this method is not at hand.")];
  return [
    note ? element("p", { class: "notice" }, note) : null,
    about ? element("pre", { class: "about", tabindex: "0" }, about) : null,
    element("p", { class: "faint" }, file),
    element("pre", { tabindex: "0" }, source),
  ].filter(Boolean);
}

const nothing = (text) => element("p", { class: "faint" }, text);
const cells = (each) => element("tr", {}, ...each.map((text) => element("td", {}, text)));
const scrolled = (content) => element("div", { class: "scroll", tabindex: "0" }, content);

function settings({ settings: lines }) {
  if (!lines.length) return nothing("none");
  return scrolled(plainTable(data.settings, element("tbody", {}, ...lines.map((line) => cells(line)))));
}

/** The numbers of a configuration, a row each, with the columns of the view with a row per number; and its cost. */
function results(configuration) {
  const { method, protocol_id, cells_of, cost, failed } = configuration;
  const [ours, theirs, verdict] = data.beside[cost];
  const published = theirs && theirs !== NOTHING ? `, published ${theirs} (${verdict})` : "";
  const about = [
    cells_of,
    `protocol ${protocol_id}`,
    `search cost ${ours}${published}`,
    failed ? `${failed} failed` : "",
  ];
  const numbers = rows.filter((row) => row.configuration === configuration);
  return element(
    "div",
    {},
    element("h4", {}, method, " ", proxyBadge(configuration)),
    element("p", { class: "faint" }, about.filter(Boolean).join(" \u00b7 ")),
    numbers.length ? numbersTable(numbers) : nothing("No accuracies of its cells are stored."),
  );
}

function numbersTable(numbers) {
  const shown = NUMBERS.filter(({ name }) => name !== "method");
  const titles = shown.map((column) => (column.group === MEAN.group ? column.title : label(column)));
  const number = (column, row) => {
    if (column === MEAN) return button(column.value(row), () => openEvidence(row), opens(row));
    return column.name === "verdict" ? verdictBadge(row.verdict) : column.value(row);
  };
  const line = (row) => cells([row.selection, ...shown.map((column) => number(column, row))]);
  return scrolled(plainTable(["Cell", ...titles], element("tbody", {}, ...numbers.map(line)), { class: "all" }));
}

/** The last cell of every search of a configuration, with its accuracies; drawn when they are asked for. */
function finalCells(configuration) {
  const [start, end] = configuration.searches;
  const numbers = rows.filter((row) => row.configuration === configuration && row.selection === "last");
  const figure = (index) => {
    const known = numbers.filter((row) => row.values[index - start] !== null);
    const ranked = (row) => (row.ranks === null ? "" : ` (rank ${rankOf(row, index)})`);
    const accuracy = (row) => `${row.measure.title} ${row.values[index - start]}${ranked(row)}`;
    const lines = [...new Set(known.map((row) => row.measure.dataset))].map((dataset) => {
      const accuracies = known.filter((row) => row.measure.dataset === dataset).map(accuracy);
      return element("div", {}, `${dataset}: ${accuracies.join(", ")}`);
    });
    const caption = element("div", {}, runLink(index, `seed ${ofSearch("seed", index)}`), ...lines);
    return cellFigure(data.searches.last[index], caption);
  };
  const drawn = element("div", { class: "drawings" });
  const more = element("p");
  const draw = (from) => {
    const to = Math.min(end, from + CELLS_SHOWN);
    for (let index = from; index < to; index += 1) drawn.append(figure(index));
    more.replaceChildren(...(to < end ? [button(`Show more of ${end - to} cells`, () => draw(to))] : []));
  };
  draw(start);
  const title = element("h4", {}, configuration.method, " ", proxyBadge(configuration));
  return element("div", { class: "method-cells" }, title, element("p", { class: "faint" }, configuration.cells_of), drawn, more);
}

function runPage(key) {
  const index = data.searches.key?.indexOf(key) ?? -1;
  if (index < 0) return [key, nothing("This page has no finished search with a record of this name.")];
  const configuration = data.configurations.find(({ searches: [start, end] }) => start <= index && index < end);
  const search = index - configuration.searches[0];
  const numbers = rows.filter((row) => row.configuration === configuration && row.values[search] !== null);
  const best = data.searches["best-valid"]?.[index] ?? null;
  const bestCaption = `best supernet validation accuracy, epoch ${ofSearch("best_epoch", index)}`;
  const drawn = [cellFigure(data.searches.last[index], "last"), ...(best === null ? [] : [cellFigure(best, bestCaption)])];
  const spent = Object.entries(data.measured).map(([name, title]) => [title, ofSearch(name, index)]);
  return [
    `${configuration.method}, seed ${ofSearch("seed", index)}`,
    element(
      "p",
      {},
      methodLink(configuration, "Method"),
      proxyBadge(configuration),
      ` \u00b7 ${configuration.cells_of} \u00b7 record `,
      element("code", {}, `runs/${key}\u2026.json`),
    ),
    section("Results of this search", runResults(numbers, index, search)),
    section("Cells", element("div", { class: "drawings" }, ...drawn)),
    section("Measured in this search", facts(spent.filter(([, text]) => text !== NOTHING), "not recorded")),
    ...configured(configuration),
    section("Machine and versions", machine(configuration.machines[data.searches.machine[index] - 1], "")),
    section("Data", facts(data.facts[configuration.data], "none")),
  ];
}

function runResults(numbers, index, search) {
  if (!numbers.length) return nothing("No accuracies of its cells are stored.");
  const line = (row) =>
    cells([
      row.measure.name,
      row.selection,
      button(String(row.values[search]), () => openEvidence(row), opens(row)),
      row.regrets ? data.texts[row.regrets[search]] : NOTHING,
      row.ranks === null ? NOTHING : `${rankOf(row, index)} of ${data.ranks[row.ranks].of}`,
    ]);
  return scrolled(plainTable(["", "cell", "%", "regret, points", "rank"], element("tbody", {}, ...numbers.map(line))));
}

// Address -------------------------------------------------------------------------------------------------------------

// The fragment says what is shown, so that a link shows the same, from a file as well: #method=NAME, #run=KEY, or
// filters, search, sorting and the opened row of the leaderboard where they differ from the defaults
// (#split=x-test&sort=Method&row=...).

/** The leaderboard's address: the fragment, empty for the defaults. */
function boardAddress() {
  if (!rows.length) return "#";
  const address = new URLSearchParams();
  for (const control of [view, ...filters, search]) {
    if (control.value !== defaultOf(control)) address.set(control.name, control.value);
  }
  if (state.sort) {
    address.set("sort", label(state.sort));
    address.set("order", state.descending ? "descending" : "ascending");
  }
  if (state.row) address.set("row", state.row.id);
  return `#${address}`;
}

/** Put what is shown into the address, in the place of the present entry of the history. */
function remember() {
  if (!page.hidden) return;
  const address = boardAddress();
  if (address !== (location.hash || "#")) history.replaceState(null, "", address);
}

/** Show what the address says. */
function show() {
  const isPlace = location.hash && !location.hash.includes("="); // of the leaderboard, from the link that skips to it
  if (isPlace && page.hidden && state.columns.length) return;
  const address = new URLSearchParams((isPlace ? boardAddress() : location.hash).slice(1));
  const asked = Object.keys(PAGES).find((name) => address.has(name));
  const wasBoard = page.hidden;
  if (asked && wasBoard) state.scrolled = scrollY;
  dialog.close();
  page.hidden = !asked;
  board.hidden = Boolean(asked);
  if (asked) openPage(...PAGES[asked](address.get(asked)));
  else if (rows.length) showBoard(address);
  if (!asked && !wasBoard) scrollTo(0, state.scrolled ?? 0);
}

function showBoard(address) {
  page.replaceChildren();
  document.title = TITLE;
  setFilters(address);
  applyFilters();
  const row = rows.find(({ id }) => id === address.get("row"));
  if (row) openEvidence(row);
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
  try { localStorage.setItem("theme", themeButton.value); } catch { /* pages opened from disk may have no storage */ }
}

function savedTheme() {
  try { return localStorage.getItem("theme"); } catch { return null; }
}

setTheme(Object.keys(THEMES).find((name) => name === savedTheme()) ?? "system");
themeButton.hidden = false;
themeButton.addEventListener("click", nextTheme);
if (rows.length) makeFilters();
addEventListener("hashchange", show);
show();
