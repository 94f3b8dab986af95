// --- What is known, kept up to date by messages (their format is described in live.h) ------------------

const SECOND = 1e9;
// Workers tell what they did every 50 ms; the pictures end before that, so that their edge is not ragged.
const LAG = 0.1 * SECOND;
const WAITS = ["waiting for input", "waiting for memory", "waiting for resources", "none ready", "stealing"];
const OTHERS = "#8a929a";

const known = {
  now: 0, bin: 1, bins: 1, threads: 1,
  operations: new Map(),  // by number: {name, done, failed, total, busy, bytesIn, bytesOut}
  rows: [],               // {client, thread, bins: Map from number to [operation, time, ...], boxes: []}
  samples: [], runs: {active: [], ended: [], underWay: 0, count: 0, failed: 0}, lastBox: -1,
};
let colors = new Map();
const view = {start: 0, end: 1, listeners: [], get span() { return this.end - this.start; }};
let paused = false;

const windowLength = () => known.bin * known.bins;
const colorOf = (operation) => colors.get(known.operations.get(operation)?.name) ?? OTHERS;
const nameOf = (operation) => known.operations.get(operation)?.name ?? "others";

function learn(message) {
  if (message.first !== undefined) {
    Object.assign(known, message.first, {operations: new Map(), rows: [], samples: [], lastBox: -1});
    byId("footer").textContent = `Shown by Tuff ${message.first.version}, from this process alone.`;
  }
  known.now = message.now;
  known.runs = message.runs;
  for (const [number, name, done, failed, total, busy, bytesIn, bytesOut] of message.operations) {
    if (!known.operations.has(number)) colors = null;
    known.operations.set(number, {name, done, failed, total, busy, bytesIn, bytesOut});
  }
  colors ??= colorsOf([...known.operations.values()].map(({name}) => name));
  for (const [r, [client, thread]] of (message.rows ?? []).entries()) {
    known.rows[r] ??= {client, thread, bins: new Map(), boxes: []};
  }
  for (const [row, bin, ...parts] of message.bins) known.rows[row]?.bins.set(bin, parts);
  for (const [number, row, operation, task, failed, start, end] of message.boxes) {
    if (number <= known.lastBox) continue;
    known.lastBox = number;
    known.rows[row]?.boxes.push({operation, task, failed, start, end});
  }
  known.samples.push(...message.samples.map(([time, resident, live, budget, disk, spilled, readBack, cpu, busy, tasks, ...waits]) =>
    ({time, resident, live, budget, disk, spilled, readBack, cpu, busy, tasks, waits})));
  forget();
}

/** What is older than the pictures, also when they stand still for a while. */
function forget() {
  const oldest = (paused ? Math.min(view.start, known.now) : known.now - LAG - windowLength()) - SECOND;
  for (const row of known.rows) {
    for (const bin of row.bins.keys()) {
      if ((bin + 1) * known.bin < oldest) row.bins.delete(bin);
    }
    row.boxes = row.boxes.filter((box) => box.end >= oldest);
  }
  while (known.samples.length > 2 && known.samples[1].time < oldest) known.samples.shift();
}

/** The last sample, and the one `seconds` before it or the first. */
function recentSamples(seconds) {
  const last = known.samples[known.samples.length - 1];
  return [known.samples.find((sample) => sample.time >= last.time - seconds * SECOND), last];
}

// --- Figures and tables: cells are changed where they are, so that a selection survives -----------------

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Cells are texts, or {share, color} for a bar, or {swatch, text}. */
function setCell(cell, content) {
  if (typeof content === "string") return setText(cell, content);
  if (content.share !== undefined) {
    if (cell.firstChild === null) cell.append(element("span", {class: "track"}, element("span")));
    const bar = cell.firstChild.firstChild;
    bar.style.width = (100 * content.share).toFixed(1) + "%";
    bar.style.background = content.color ?? "";
    return;
  }
  if (cell.firstChild === null) cell.append(swatch(content.swatch), " ", nameText(content.text));
  cell.firstChild.style.background = content.swatch;
  cell.lastChild.title = content.text;
  setText(cell.lastChild, content.text);
}

/** `columns` are [heading, class]. */
function setTable(table, columns, rows) {
  table.hidden = rows.length === 0;
  if (table.tHead === null) {
    table.append(element("thead", {}, element("tr", {}, ...columns.map(([title, kind]) => element("th", {class: kind}, title)))),
                 element("tbody"));
  }
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((row, r) => {
    const line = body.rows[r] ?? body.insertRow();
    row.forEach((content, c) => {
      const cell = line.cells[c] ?? line.insertCell();
      cell.className = columns[c][1];
      setCell(cell, content);
    });
  });
}

function showFacts() {
  const [first, last] = recentSamples(2);
  const span = Math.max(last.time - first.time, 1);
  const percent = (part) => `${Math.round(100 * part)} %`;
  const facts = [["processors", percent((last.cpu - first.cpu) / span)],
                 ["time in tasks", percent((last.busy - first.busy) / span / known.threads)],
                 ["tasks per second", significant(((last.tasks - first.tasks) / span) * SECOND)],
                 ["threads", countText(known.threads)], ["live blocks", bytesText(last.live)],
                 ["budget", bytesText(last.budget)], ["resident", bytesText(last.resident)], ["spilled", bytesText(last.spilled)]];
  const list = byId("facts");
  facts.forEach(([name, value], f) => {
    const item = list.children[f] ?? list.appendChild(element("div", {}, element("dt"), element("dd")));
    setText(item.firstChild, name);
    setText(item.lastChild, value);
  });
}

const share = (done, total) => (total > 0 ? Math.min(done / total, 1) : 1);

function showRuns() {
  const {active, ended, underWay, count, failed} = known.runs;
  byId("runs-empty").hidden = count > 0;
  setText(byId("runs-lead"), `${countText(underWay)} under way, ${countText(count - underWay)} ended` +
    (failed > 0 ? `, ${countText(failed)} of them failed or cancelled.` : "."));
  const rows = active.map(([number, start, done, total]) => {
    const elapsed = known.now - start;
    const left = done > 0 && done < total ? `, ${timeText((elapsed * (total - done)) / done)} left` : "";
    return [`run ${countText(number)}`, {share: share(done, total)}, `${countText(done)} of ${countText(total)}`,
            timeText(elapsed) + left, "under way"];
  });
  for (const [number, start, end, done, total, wrong] of ended.slice(-8).reverse()) {
    rows.push([`run ${countText(number)}`, {share: share(done, total), color: wrong ? "#cf4a4a" : "var(--second)"},
               `${countText(done)} of ${countText(total)}`, timeText(end - start), wrong ? "failed or cancelled" : "done"]);
  }
  setTable(byId("runs-table"), [["Run", "short"], ["", "bar-cell"], ["Tasks", "number"], ["Time", "number"], ["", "short"]], rows);
}

function showOperations() {
  const most = 40;
  const all = [...known.operations].sort(([, a], [, b]) => b.busy - a.busy);
  byId("operations-empty").hidden = all.length > 0;
  setText(byId("operations-lead"), all.length === 0 ? "" : `Tasks that ended, of all tasks of the runs so far` +
    (all.length > most ? `; the ${most} operations with the longest time of ${countText(all.length)}.` : "."));
  const columns = [["Operation", "name"], ["", "bar-cell"], ["Tasks", "number"], ["Time in tasks", "number"],
                   ["Mean", "number"], ["Read", "number"], ["Written", "number"], ["Failed", "number"]];
  setTable(byId("operations-table"), columns, all.slice(0, most).map(([number, o]) =>
    [{swatch: colorOf(number), text: o.name}, {share: share(o.done, o.total), color: colorOf(number)},
     o.done < o.total ? `${countText(o.done)} of ${countText(o.total)}` : countText(o.done), timeText(o.busy),
     timeText(o.done > 0 ? o.busy / o.done : 0), bytesText(o.bytesIn), bytesText(o.bytesOut),
     o.failed > 0 ? countText(o.failed) : "–"]));
}

/** Where the threads' time went in the last ten seconds. Clients that run at once may use more than all of it. */
function showWhiteSpace() {
  const [first, last] = recentSamples(10);
  const all = Math.max(last.time - first.time, 1) * known.threads;
  const causes = WAITS.map((name, w) => [name, (last.waits[w] - first.waits[w]) / all])
    .filter(([, part]) => part >= 0.0005).map(([name, part]) => `, ${percentText(part)} ${name}`);
  setText(byId("stream-lead"), "A row per thread; where nothing is drawn, no task ran. Of the threads' time in the last 10 s: " +
    `${percentText((last.busy - first.busy) / all)} in tasks${causes.join("")}.`);
}

// --- Pictures of the last half minute -------------------------------------------------------------------

const stream = new TimeCanvas(byId("stream-canvas"), view, 100, paintStream);
const rowHeight = () => Math.min(40, Math.max(9, Math.floor(560 / Math.max(known.rows.length, 1))));
const rowsInOrder = () => [...known.rows].sort((a, b) => a.client - b.client || a.thread - b.thread);
const several = () => known.rows.some(({client}) => client > 0);
const rowName = (row) => (several() ? `client ${row.client + 1}, thread ${row.thread}` : `thread ${row.thread}`);

/** Ticks are seconds before now. */
function paintAxis(context, area, bottom, top) {
  const until = view.end;
  const moved = {start: view.start - until, end: 0};
  const shifted = Object.create(area, {view: {value: moved}, x: {value: (time) => area.x(time + until)}});
  TimeCanvas.prototype.axis.call(shifted, context, bottom, top);
}

function clipped(context, area, bottom, paint) {
  context.save();
  context.beginPath();
  context.rect(area.left, 0, area.width - area.left, bottom);
  context.clip();
  paint();
  context.restore();
}

function paintStream(context, area) {
  const rows = rowsInOrder();
  const step = rowHeight();
  const [bottom, height] = [step * rows.length, step - 3];
  context.fillStyle = styleValue("--lane");
  rows.forEach((_, r) => context.fillRect(area.left, r * step + 1, area.width - area.left, height));
  paintAxis(context, area, bottom, 0);
  context.fillStyle = styleValue("--faint");
  context.textAlign = "right";
  context.textBaseline = "middle";
  const every = Math.ceil(13 / step);
  for (let r = 0; r < rows.length; r += every) {
    const label = several() ? `${rows[r].client + 1}/${rows[r].thread}` : String(rows[r].thread);
    const text = (area.left > 50 && label.length < 3 ? "thread " : "") + label;
    context.fillText(text, area.left - 7, r * step + 1 + height / 2);
  }
  clipped(context, area, bottom, () => rows.forEach((row, r) => paintRow(context, area, row, r * step + 1, height)));
}

/** Tasks of 3 pixels and more are boxes. The others add up, pixel by pixel, to a column as high as the share of
 *  its time that is filled, each operation with its part, the longest of all at the foot. */
function paintRow(context, area, row, y, height) {
  const {ratio, left} = area;
  const scale = area.scale * ratio;
  const pixels = Math.ceil((area.width - left) * ratio);
  const parts = new Map();  // by operation: filled share of each pixel
  const add = (operation, start, end, share) => {
    const [x0, x1] = [(start - view.start) * scale, (end - view.start) * scale];
    if (x1 <= 0 || x0 >= pixels) return;
    if (!parts.has(operation)) parts.set(operation, new Float32Array(pixels));
    const part = parts.get(operation);
    const last = Math.min(Math.floor(x1), pixels - 1);
    for (let p = Math.max(Math.floor(x0), 0); p <= last; ++p) part[p] += share * (Math.min(x1, p + 1) - Math.max(x0, p));
  };
  for (const [bin, list] of row.bins) {
    for (let i = 0; i < list.length; i += 2) add(list[i], bin * known.bin, (bin + 1) * known.bin, list[i + 1] / known.bin);
  }
  for (const {operation, start, end} of row.boxes) {
    if ((end - start) * scale < 3 * ratio) {
      add(operation, start, end, 1);
      continue;
    }
    const [x0, x1] = [area.x(start), area.x(end)];
    context.fillStyle = colorOf(operation);
    if (x1 > left) context.fillRect(x0, y, x1 - x0 - (x1 - x0 >= 5 ? 1 : 0.5), height);
  }
  const foot = new Float32Array(pixels).fill(y + height);
  const busy = (operation) => known.operations.get(operation)?.busy ?? 0;
  for (const [operation, part] of [...parts].sort(([a], [b]) => busy(b) - busy(a))) {
    context.fillStyle = colorOf(operation);
    for (let p = 0; p < pixels; ++p) {
      if (part[p] === 0) continue;
      const high = Math.min(part[p], 1) * height;
      context.fillRect(left + p / ratio, foot[p] - high, 1 / ratio, high);
      foot[p] -= high;
    }
  }
}

function hoverStream(event) {
  const box = stream.canvas.getBoundingClientRect();
  const row = rowsInOrder()[Math.floor((event.clientY - box.top) / rowHeight())];
  const time = stream.time(event.clientX - box.left);
  if (row === undefined || event.clientX - box.left < stream.left) return hideTooltip();
  const ago = `${((view.end - time) / SECOND).toFixed(2)} s ago`;
  const task = row.boxes.find(({start, end}) => start <= time && time < end);
  if (task !== undefined) {
    return showTooltip(event.clientX, event.clientY, nameOf(task.operation), [
      ["task", `${countText(task.task)} on ${rowName(row)}`], ["when", ago], ["duration", timeText(task.end - task.start)],
      ...(task.failed ? [["result", "failed"]] : [])]);
  }
  const parts = row.bins.get(Math.floor(time / known.bin)) ?? [];
  if (parts.length === 0) return hideTooltip();
  const rows = [];
  for (let p = 0; p < parts.length; p += 2) rows.push([nameOf(parts[p]), percentText(parts[p + 1] / known.bin)]);
  showTooltip(event.clientX, event.clientY, `${timeText(known.bin)} on ${rowName(row)}, ${ago}`, rows);
}

/** Lines of [value of a sample, colour, dashed] over time; `high` is the top of the scale. */
function lineChart(id, height, high, textOf, lines) {
  const bottom = height - 24;
  const area = new TimeCanvas(byId(id), view, height, (context) => {
    paintAxis(context, area, bottom, bottom);
    const most = Math.max(high(), 1e-9);
    const y = (value) => bottom - (value / most) * (bottom - 8);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const tick of ticksBetween(0, most, (bottom - 8) / 34).ticks) {
      context.fillStyle = styleValue("--line");
      context.fillRect(area.left, Math.round(y(tick)), area.width - area.left, 1);
      context.fillStyle = styleValue("--faint");
      const text = textOf(tick);
      context.fillText(area.left > 50 ? text : text.replace(" ", ""), area.left - 5, y(tick));
    }
    clipped(context, area, bottom + 1, () => {
      for (const [value, color, dashed] of lines) {
        context.strokeStyle = styleValue(color);
        context.lineWidth = 1.6;
        context.setLineDash(dashed ? [5, 4] : []);
        context.beginPath();
        known.samples.forEach((sample, s) => context.lineTo(area.x(sample.time), y(value(sample, s))));
        context.stroke();
      }
      context.setLineDash([]);
    });
  });
  return area;
}

const MEMORY = [["resident", "process, resident", "--accent"], ["live", "live blocks", "--second"],
                ["disk", "blocks on disk", "--faint"]];
const most = (value) => known.samples.reduce((high, sample, s) => Math.max(high, value(sample, s)), 0);
// The budget is on the scale when there is not much more room than what is used.
const memoryHigh = () => {
  const used = Math.max(...MEMORY.map(([name]) => most((sample) => sample[name]))) * 1.08;
  const budget = most((sample) => sample.budget) * 1.04;
  return budget < 3 * used ? Math.max(used, budget) : used;
};
lineChart("memory-canvas", 176, memoryHigh, bytesText,
  [...MEMORY.map(([name, , color]) => [(sample) => sample[name], color, false]), [(sample) => sample.budget, "--faint", true]]);
const processors = (sample, s) => {
  const before = known.samples[Math.max(s - 1, 0)];
  return sample.time > before.time ? (sample.cpu - before.cpu) / (sample.time - before.time) : 0;
};
lineChart("cpu-canvas", 120, () => Math.max(known.threads, most(processors)) * 1.06, (share) => `${Math.round(100 * share)} %`,
  [[processors, "--second", false]]);

function keyOf(text, color, dashed) {
  const mark = swatch(dashed ? "none" : `var(${color})`);
  if (dashed) mark.style.border = `1px dashed var(${color})`;
  return element("li", {}, mark, text);
}
byId("memory-keys").append(...MEMORY.map(([, text, color]) => keyOf(text, color, false)), keyOf("budget", "--faint", true));
byId("cpu-keys").append(keyOf("processors in use by this process, in percent of one", "--second", false));

function showPictures() {
  if (!paused) {
    // By whole pixels, so that what has been drawn only moves.
    const pixel = stream.width > 0 ? windowLength() / ((stream.width - stream.left) * stream.ratio) : 1;
    view.end = Math.floor((known.now - LAG) / pixel) * pixel;
    view.start = view.end - windowLength();
  }
  const height = rowHeight() * known.rows.length + 24;
  if (stream.height !== height) {
    stream.height = height;
    stream.canvas.style.height = height + "px";
  }
  stream.canvas.setAttribute("aria-label", `Task stream of the last half minute on ${known.rows.length} rows`);
  setText(byId("range"), paused ? `held still, ${timeText(Math.max(known.now - LAG - view.end, 0))} ago` : "");
  const last = known.samples[known.samples.length - 1];
  setText(byId("resources-lead"), `${bytesText(last.spilled)} were moved to disk so far, ${bytesText(last.readBack)} read back. ` +
    (most((sample) => sample.budget) > memoryHigh() ? `The budget of ${bytesText(last.budget)} lies above the picture.` : ""));
  for (const redraw of view.listeners) redraw();
}

function show() {
  showFacts();
  showRuns();
  showOperations();
  showWhiteSpace();
  showPictures();
}

// --- The connection ---------------------------------------------------------------------------------------

function setStatus(kind, text) {
  byId("status").className = kind;
  setText(byId("status"), text);
  document.body.classList.toggle("lost-page", kind === "lost");
}

// A page that nobody sees needs no messages; and a browser has six connections to one server, for all its tabs.
let source = null;

function connect() {
  if (document.hidden || source !== null) return;
  source = new EventSource("events");
  source.onmessage = (event) => {
    setStatus("live", "live");
    learn(JSON.parse(event.data));
    show();
  };
  source.onerror = () => {
    setStatus("lost", "no connection: the program has ended, or does not answer; trying again");
    if (source.readyState !== EventSource.CLOSED) return;
    source = null;  // refused, which browsers take for final
    setTimeout(connect, 1000);
  };
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return connect();
  source?.close();
  source = null;
});
byId("pause").onclick = () => {
  paused = !paused;
  byId("pause").textContent = paused ? "Go on" : "Pause";
  if (known.samples.length > 0) showPictures();
};
stream.canvas.addEventListener("pointermove", hoverStream);
stream.canvas.addEventListener("pointerleave", hideTooltip);
byId("title").textContent = JSON.parse(byId("data").textContent).title;
setStatus("", "connecting");
connect();
