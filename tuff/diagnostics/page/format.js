// --- Numbers for people, elements, colours ---------------------------------------------------------

/** `digits` significant digits, without trailing zeros or exponents. */
function significant(number, digits = 3) {
  if (number === 0) return "0";
  const decimals = digits - 1 - Math.floor(Math.log10(Math.abs(number)));
  return Number(number.toFixed(Math.min(Math.max(decimals, 0), 20))).toString();
}

function scaled(number, units, step) {
  let unit = 0;
  while (unit + 1 < units.length && Math.abs(number) >= step * 0.9995) {
    number /= step;
    ++unit;
  }
  return significant(number) + " " + units[unit];
}

/** Nanoseconds as text with a unit. */
function timeText(ns) {
  if (Math.abs(ns) < 59.95e9) return ns === 0 ? "0 s" : scaled(ns, ["ns", "µs", "ms", "s"], 1000);
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

const bytesText = (bytes) => scaled(bytes, ["B", "kB", "MB", "GB", "TB"], 1000);
const percentText = (share) => (100 * share).toFixed(1) + " %";
/** Bytes per nanosecond are gigabytes per second. */
const rateText = (bytes, ns) => (ns > 0 && bytes > 0 ? significant(bytes / ns) + " GB/s" : "–");
const countText = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const tasksText = (count) => `${countText(count)} task${count === 1 ? "" : "s"}`;

/** A value on an axis or under the cursor. */
function valueText(value) {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e6)) {
    return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e").replace("-", "−");
  }
  return significant(value, 5).replace("-", "−");
}

const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text is always text, never markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function svgElement(tag, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** A long name in one line, whole in its title. */
const nameText = (name) => element("span", {class: "name-text", title: name}, name);

function swatch(color) {
  const made = element("span", {class: "swatch"});
  made.style.background = color;
  return made;
}

const emptyNote = (text) => element("p", {class: "empty"}, text);

/** A table; `columns` are [heading, is a number]. Cells are texts or nodes. */
function tableOf(columns, rows) {
  const kind = (c) => (columns[c][1] ? {class: "number"} : c === 0 ? {class: "name"} : {});
  const head = element("tr", {}, ...columns.map(([title], c) => element("th", kind(c), title)));
  const body = rows.map((row) => element("tr", {}, ...row.map((cell, c) => element("td", kind(c), cell))));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", {class: "scroll"}, table);
}

// Told apart on light and on dark ground.
const PALETTE = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#499894", "#b07aa1", "#d4a72c", "#e377a2",
                 "#9c755f", "#5b8ff9", "#86a925", "#8b6fd1", "#c0504d", "#3fa7b5", "#c0803a", "#7d8a97"];

/** A colour per name, by hash, so that an operation looks alike in all reports; the first of two names
 *  that hash alike (by alphabet) keeps the colour while others are left. */
function colorsOf(names) {
  const colors = new Map();
  const taken = new Set();
  for (const name of [...names].sort()) {
    let hash = 2166136261;
    for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 16777619);
    let at = (hash >>> 0) % PALETTE.length;
    while (taken.size < PALETTE.length && taken.has(at)) at = (at + 1) % PALETTE.length;
    taken.add(at);
    colors.set(name, PALETTE[at]);
  }
  return colors;
}

const styleValue = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Round steps for an axis from `low` to `high` with about `count` ticks. */
function ticksBetween(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; ++k) ticks.push(k * step);
  return {ticks, step};
}

// --- The tooltip -----------------------------------------------------------------------------------

const tooltip = byId("tooltip");

function showTooltip(x, y, title, rows, note = "") {
  tooltip.replaceChildren(
    element("strong", {}, title),
    element("table", {}, ...rows.map(([name, value]) =>
      element("tr", {}, element("td", {class: "faint"}, name), element("td", {}, value)))));
  if (note) tooltip.append(element("p", {}, note));
  tooltip.hidden = false;
  const {width, height} = tooltip.getBoundingClientRect();
  const left = Math.min(x + 14, innerWidth - width - 8);
  const top = y + 18 + height > innerHeight ? y - height - 12 : y + 18;
  tooltip.style.transform = `translate(${Math.max(left, 8)}px, ${Math.max(top, 8)}px)`;
}

function hideTooltip() {
  tooltip.hidden = true;
}

