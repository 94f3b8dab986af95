// --- The page of an explanation, from top to bottom -------------------------------------------------------

const data = JSON.parse(byId("data").textContent);
// Pictures of more layers than this are drawn when asked for: laying out 1000 takes a second or two.
const PICTURE_LAYERS = 150;

/** What can be looked at: the layers as built, after each pass that changed them, and as they become tasks. */
function stagesOf() {
  const stages = [{name: "as built", layers: data.built, final: false}];
  for (const step of data.steps) {
    if (step.layers.length > 0) stages.push({name: "after " + step.name, layers: step.layers, final: false});
  }
  // The last change is the graph that becomes tasks; it alone has bytes.
  if (stages.length > 1) stages.pop();
  stages.push({name: "as run", layers: data.layers, final: true});
  return stages;
}

function buildFacts() {
  byId("title").textContent = data.title;
  const facts = [
    ["tasks", countText(data.tasks)],
    ["layers", `${countText(data.built.length)} → ${countText(data.layers.length)}`],
    ["held at most", bytesText(data.held)],
    ["results", bytesText(data.results)],
    ["largest task", bytesText(data.largestTask)],
    ["planned in", timeText(data.seconds * 1e9)],
    ["edges", countText(data.edges)],
    ["read from memory", bytesText(data.fromMemory)],
    ["in memory before", bytesText(data.inMemory)],
    ["from sources", bytesText(data.fromSources)],
    ["read from tasks", bytesText(data.fromTasks)],
    ["written", bytesText(data.written)],
  ];
  byId("facts").style.setProperty("--columns", 6);
  byId("facts").append(...facts.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

/** "L7" as a link to the row of that layer. */
function layerLink(number, label = "L" + number) {
  const link = element("a", {href: "#layers"}, label);
  link.onclick = (event) => {
    event.preventDefault();
    showLayer(number);
  };
  return link;
}

/** A text with links in place of L1, L2 and so on. */
function linkedText(text, layers) {
  return text.split(/\b(L\d+)\b/).map((part, k) =>
    (k % 2 === 1 && Number(part.slice(1)) < layers.length ? layerLink(Number(part.slice(1)), part) : part));
}

function buildHints() {
  const list = byId("hints").querySelector("ul");
  if (data.hints.length === 0) {
    list.replaceWith(emptyNote("Nothing stands out: no array is held whole, no task is very small, nothing is read over and over."));
    return;
  }
  const most = 40;
  list.append(...data.hints.slice(0, most).map((hint) => {
    const item = element("li", {}, ...linkedText(hint.text, data.layers));
    item.querySelectorAll("a").forEach((link) => link.addEventListener("click", () => showStage(stages.length - 1), true));
    return item;
  }));
  if (data.hints.length > most)
    list.after(element("p", {class: "faint"}, `and ${countText(data.hints.length - most)} more of less weight`));
}

function buildPasses() {
  const off = data.disabled.length > 0 ? ` Off: ${data.disabled.join(", ")}.` : "";
  byId("passes-lead").textContent = "In the order in which they ran. Passes on layers count layers; from cull on, tasks." + off;
  const columns = [["Pass", false], ["What for", false], ["Time", true], ["Before", true], ["After", true], ["Gone", false], ["New", false]];
  const rows = data.steps.map((step) => {
    const found = stages.findIndex(({name}) => name === "after " + step.name);
    const at = found < 0 && step.layers.length > 0 ? stages.length - 1 : found;  // the last change is what runs
    const name = at < 0 ? step.name : element("a", {href: "#layers"}, step.name);
    if (at >= 0) name.onclick = () => showStage(at);
    return [name, step.purpose, timeText(step.seconds * 1e9), countText(step.before), countText(step.after), step.gone, step.added];
  });
  const table = tableOf(columns, rows);
  table.querySelectorAll("tbody tr").forEach((row, r) => {
    if (data.steps[r].gone !== "" || data.steps[r].added !== "") row.classList.add("changed");
    row.children[5].classList.add("change");
    row.children[6].classList.add("change");
  });
  byId("passes").querySelector("div").append(element("div", {class: "figure"}, table));
}

// --- Layers -----------------------------------------------------------------------------------------------

const stages = stagesOf();
let stage = stages.length - 1;

function inputLinks(layer) {
  const most = 6;
  const parts = layer.inputs.slice(0, most).flatMap(([input, output], k) =>
    [k > 0 ? ", " : "", layerLink(input, "L" + input + (output > 0 ? "." + output : ""))]);
  if (layer.inputs.length > most) parts.push(`, ${countText(layer.inputs.length - most)} more`);
  return element("span", {}, ...parts);
}

function outputText(layer) {
  const counts = new Map();
  for (const output of layer.outputs) counts.set(output, (counts.get(output) ?? 0) + 1);
  const texts = [...counts].map(([text, count]) => (count > 1 ? `${text} ×${count}` : text));
  const most = 3;
  return texts.slice(0, most).join(" and ") + (texts.length > most ? ` and ${texts.length - most} more` : "");
}

function rowOf(layer, number, final) {
  const what = layer.width === "" ? layer.title
    : element("span", {}, layer.title, element("span", {class: "faint"}, layer.width));
  const row = ["L" + number, what, inputLinks(layer), outputText(layer), layer.tasks > 0 ? countText(layer.tasks) : ""];
  if (!final) return row;
  const bytes = (count) => (layer.tasks > 0 ? bytesText(count) : "");
  return [...row, bytes(layer.fromMemory), bytes(layer.fromTasks), bytes(layer.written), bytes(layer.held), bytes(layer.largestTask)];
}

function drawTable() {
  const {layers, final} = stages[stage];
  const columns = [["", false], ["Layer", false], ["Reads", false], ["Result", false], ["Tasks", true]];
  if (final) columns.push(["From memory", true], ["From tasks", true], ["Written", true], ["Held", true], ["Largest task", true]);
  const rows = layers.map((layer, number) => rowOf(layer, number, final));
  const table = tableOf(columns, rows);
  table.querySelectorAll("tbody tr").forEach((row, number) => {
    row.id = "layer-" + number;
    row.children[2].classList.add("links");
    row.dataset.text = `l${number} ${layers[number].title} ${layers[number].outputs.join(" ")}`.toLowerCase();
  });
  byId("layer-table").replaceChildren(table);
  filterTable();
}

function filterTable() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const rows = [...byId("layer-table").querySelectorAll("tbody tr")];
  let shown = 0;
  for (const row of rows) {
    // L7 is that layer alone, not L70.
    row.hidden = !words.every((word) => (/^l\d+$/.test(word) ? row.dataset.text.split(" ")[0] === word : row.dataset.text.includes(word)));
    shown += row.hidden ? 0 : 1;
  }
  const all = `${countText(rows.length)} layer${rows.length === 1 ? "" : "s"}`;
  byId("shown").textContent = shown === rows.length ? all : `${countText(shown)} of ${all}`;
}

function showStage(number) {
  if (number === stage && byId("layer-table").hasChildNodes()) return;
  stage = number;
  byId("stages").querySelectorAll("button").forEach((button, k) => button.setAttribute("aria-pressed", String(k === stage)));
  drawTable();
  drawPicture(stages[stage].layers.length <= PICTURE_LAYERS);
}

function showLayer(number) {
  byId("filter").value = "";
  filterTable();
  const row = byId("layer-" + number);
  byId("layer-table").querySelectorAll(".found").forEach((other) => other.classList.remove("found"));
  row.classList.add("found");
  row.scrollIntoView({block: "center"});
}

function drawPicture(draw) {
  const {layers, name} = stages[stage];
  const place = byId("picture").querySelector("div");
  byId("picture-lead").textContent = `${countText(layers.length)} layer${layers.length === 1 ? "" : "s"} ${name}; inputs stand above what reads them.`;
  if (!draw) {
    const button = element("button", {type: "button"}, `Draw ${countText(layers.length)} layers`);
    button.onclick = () => drawPicture(true);
    place.replaceChildren(button);
    return;
  }
  const seen = new Set();
  const edges = [];
  layers.forEach((layer, to) => layer.inputs.forEach(([from]) => {
    const key = from + " " + to;
    if (!seen.has(key)) edges.push([from, to]);
    seen.add(key);
  }));
  const graph = {edges, layers: layers.map((layer, number) =>
    ({title: `L${number} ${layer.title}`, operation: layer.name, tasks: layer.tasks, outputs: layer.outputs.slice(0, 3)}))};
  const {holder, arrange} = drawGraph(graph, colorsOf(new Set(layers.map((layer) => layer.name))), 0);
  place.replaceChildren(element("div", {class: "figure"}, holder));
  arrange();
}

function buildStages() {
  byId("stages").append(...stages.map(({name}, number) => {
    const button = element("button", {type: "button", "aria-pressed": "false"}, name);
    button.onclick = () => showStage(number);
    return button;
  }));
  byId("filter").addEventListener("input", filterTable);
}

function buildChoices() {
  byId("choices").hidden = data.choices.length === 0;
  const rows = data.choices.map(({what, value, reason}) => [what, value, reason]);
  byId("choices").querySelector("div").append(element("div", {class: "figure"}, tableOf([["What", false], ["Value", false], ["Why", false]], rows)));
}

buildFacts();
buildHints();
buildPasses();
buildStages();
showStage(stages.length - 1);
buildChoices();
byId("footer").textContent = `Made by Tuff ${data.version}. Nothing was run. Bytes are those of blocks; extents that only a run knows count with ` +
  "their upper bounds. Held: by tasks and results at a time, when one thread runs the tasks in their order.";
