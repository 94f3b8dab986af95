// --- The page, from top to bottom -----------------------------------------------------------------------

const data = JSON.parse(byId("data").textContent);
const trace = data.trace;
const colors = colorsOf(trace.operations);

function buildFacts() {
  byId("title").textContent = data.title;
  const facts = [];
  if (trace.totals.tasks > 0) {
    const totals = trace.phaseTotals.find(({name}) => name === trace.phase) ?? trace.totals;
    const suffix = trace.phase === "" ? "" : ` (${trace.phase})`;
    facts.push(["seconds" + suffix, significant(totals.wall / 1e9, 4)],
               ["white space" + suffix, percentText(totals.white)],
               ["through tasks" + suffix, rateText(totals.bytesIn + totals.bytesOut, totals.wall)],
               ["threads", countText(trace.threads)]);
  }
  facts.push(...data.facts);
  // One row of up to six, else rows of equal length.
  const rows = Math.ceil(facts.length / 6);
  byId("facts").style.setProperty("--columns", Math.ceil(facts.length / rows) || 1);
  byId("facts").hidden = facts.length === 0;
  byId("facts").append(...facts.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function buildTables() {
  byId("tables").hidden = data.tables.length === 0;
  const isNumber = (text) => /^[+\-−]?(\d|\.\d|inf|nan)/i.test(text.trim());
  for (const table of data.tables) {
    const columns = table.columns.map((title, c) =>
      [title, c > 0 && table.rows.length > 0 && table.rows.every((row) => row[c] === "" || isNumber(row[c]))]);
    const body = table.rows.length > 0 ? tableOf(columns, table.rows) : element("p", {class: "faint"}, "No rows.");
    byId("tables").append(element("div", {class: "block"}, element("h2", {}, table.title),
      element("div", {class: "figure"}, body)));
  }
}

function buildPhases() {
  if (trace.phaseTotals.length === 0) return;
  const columns = [["Phase", false], ["Seconds", true], ["White space", true], ["Tasks", true],
                   ["Time in tasks", true], ["Bytes through tasks", true], ["GB/s", true]];
  const row = (name, totals) => {
    const bytes = totals.bytesIn + totals.bytesOut;
    return [name, significant(totals.wall / 1e9, 4), percentText(totals.white), countText(totals.tasks),
            timeText(totals.busy), bytesText(bytes), rateText(bytes, totals.wall).replace(" GB/s", "")];
  };
  const rows = trace.phaseTotals.map((totals) => row(totals.name, totals));
  rows.push([element("span", {class: "faint"}, "whole recording"), ...row("", trace.totals).slice(1)]);
  byId("phases").append(element("div", {class: "figure"}, tableOf(columns, rows)));
}

/** Where the threads' time went: shares of threads x wall time, by phase and of everything. */
function buildWhiteSpace() {
  const all = [...trace.phaseTotals, {...trace.totals, name: null}];
  const swatchOf = (style) => (style === null ? "" : swatch(`var(${style})`));
  const parts = [["in tasks", null, ({busy}) => busy],
    ...trace.waitNames.map((name, cause) => [name, WAIT_STYLES[cause], ({waits}) => waits[cause]]),
    ["between tasks", null, ({scheduling}) => scheduling], ["outside runs", null, ({outside}) => outside]]
    // Causes that never came up would be columns of zeros.
    .filter(([, style, part]) => style === null || all.some((totals) => part(totals) > 0));
  const heading = ([name, style]) => element("span", {}, swatchOf(style), style === null ? name : " " + name);
  const columns = [["Share of the threads' time", false], ...parts.map((part) => [heading(part), true])];
  const rows = all.map((totals) => {
    const room = parts.reduce((sum, [, , part]) => sum + part(totals), 0);
    const name = totals.name ?? element("span", {class: "faint"}, "whole recording");
    return [name, ...parts.map(([, , part]) => percentText(part(totals) / Math.max(room, 1)))];
  });
  byId("phases").append(element("div", {class: "figure", id: "white-space"}, tableOf(columns, rows)));
}

function buildStream(view) {
  const {totals} = trace;
  if (totals.tasks === 0) {
    byId("stream-lead").remove();
    byId("stream-figure").replaceWith(emptyNote("No tasks were recorded, so there is nothing to draw here."));
    return;
  }
  byId("stream-lead").textContent =
    `${tasksText(totals.tasks)} in ${countText(trace.runs)} run${trace.runs === 1 ? "" : "s"} of plans. A row per thread, ` +
    `a box per task; muted colours say why there was none. What is too short for a box adds up to columns, as high as ` +
    `the share of time it fills. ` +
    `White space: ${percentText(totals.white)} of the threads' time over the whole recording.` +
    (trace.shortest > 0 ? ` Tasks and waits shorter than ${timeText(trace.shortest)} were added up to keep this page small.` : "") +
    (trace.dropped > 0 ? ` The recording is full: ${tasksText(trace.dropped)} that started from ${startText(trace.droppedFrom)} on ` +
      `are missing, and look like white space.` : "");
  const stream = new Stream(trace, view, colors);
  listenTo(stream.area, view, (event) => {
    if (event !== null) return stream.hover(event.clientX, event.clientY);
    stream.hovered = null;
    stream.area.redraw();
    hideTooltip();
  });
  const range = () => {
    byId("range").textContent = `${startText(view.start)} – ${startText(view.end)} (${timeText(view.span)})`;
  };
  view.listeners.push(range);
  range();
  byId("zoom-in").onclick = () => view.zoom(2);
  byId("zoom-out").onclick = () => view.zoom(0.5);
  byId("pan-left").onclick = () => view.pan(-0.25);
  byId("pan-right").onclick = () => view.pan(0.25);
  byId("zoom-all").onclick = () => view.showAll();
  const most = 24;
  byId("legend").append(...trace.operationTotals.slice(0, most).map(({operation}) => {
    const name = trace.operations[operation];
    return element("li", {}, swatch(colors.get(name)), nameText(name));
  }));
  const others = trace.operationTotals.length - most;
  if (others > 0) byId("legend").append(element("li", {class: "faint"}, `and ${countText(others)} more, below`));
  const waits = trace.waitNames.map((name, cause) => [name, cause]).filter(([, cause]) => totals.waits[cause] > 0);
  byId("waits").hidden = waits.length === 0 && stream.spills.length === 0;
  byId("waits").append(...waits.map(([name, cause]) => element("li", {class: "faint"}, swatch(`var(${WAIT_STYLES[cause]})`), name)));
  if (stream.spills.length > 0) byId("waits").append(element("li", {class: "faint"}, swatch("var(--spill)"), "spilled, hollow: read back"));
}

function buildOperations() {
  const place = byId("operations").querySelector("div");
  if (trace.operationTotals.length === 0) {
    place.append(emptyNote("No tasks were recorded."));
    return;
  }
  const all = trace.operationTotals.reduce((sum, totals) => sum + totals.busy, 0);
  const columns = [["Operation", false], ["", false], ["Share", true], ["Time in tasks", true], ["Tasks", true],
                   ["Mean", true], ["Read", true], ["Written", true], ["GB/s per thread", true]];
  const rows = trace.operationTotals.map((totals) => {
    const name = trace.operations[totals.operation];
    const bar = element("span", {class: "bar"});
    bar.style.background = colors.get(name);
    bar.style.width = (100 * totals.busy) / Math.max(trace.operationTotals[0].busy, 1) + "%";
    const failed = totals.failed > 0 ? `, ${countText(totals.failed)} failed` : "";
    return [name, bar, percentText(totals.busy / Math.max(all, 1)), timeText(totals.busy), countText(totals.tasks) + failed,
            timeText(totals.busy / totals.tasks), bytesText(totals.bytesIn), bytesText(totals.bytesOut),
            rateText(totals.bytesIn + totals.bytesOut, totals.busy).replace(" GB/s", "")];
  });
  const table = tableOf(columns, rows);
  for (const row of table.querySelectorAll("tbody tr")) row.children[1].classList.add("bars");
  place.append(element("div", {class: "figure"}, table));
}

const view = new View(trace.duration);
buildFacts();
buildTables();
buildHistories(data.series);
buildStream(view);
buildPhases();
if (trace.totals.tasks > 0) buildWhiteSpace();
buildOperations();
buildResources(trace, view);
buildGraphs(data.graphs, colors);
byId("footer").textContent = `Made by Tuff ${data.version}. White space is 1 − (sum of task time) / (threads × wall time). ` +
  "Bytes through tasks are those of the blocks that tasks were given and that they yielded.";
