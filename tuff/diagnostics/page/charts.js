// --- Histories: one line per chart --------------------------------------------------------------------

const CHART = {height: 210, left: 56, right: 10, top: 12, bottom: 34};

/** Values as they are drawn: log10 on a log scale; null where there is a gap. */
function drawnValues(series) {
  return series.values.map((value) => {
    if (value === null || (series.log && value <= 0)) return null;
    return series.log ? Math.log10(value) : value;
  });
}

/** Ticks of the value axis as [position, text]. */
function valueTicks(series, low, high) {
  if (!series.log) return ticksBetween(low, high, 4).ticks.map((tick) => [tick, valueText(tick)]);
  const step = Math.max(1, Math.ceil((high - low) / 5));
  const ticks = [];
  for (let power = Math.ceil(low - 1e-9); power <= high + 1e-9; power += step) {
    ticks.push([power, power >= -2 && power <= 4 ? valueText(10 ** power) : `1e${power}`.replace("-", "−")]);
  }
  return ticks;
}

function drawChart(svg, series) {
  svg.replaceChildren();
  const width = svg.clientWidth;
  if (width === 0) return;
  const values = drawnValues(series);
  const known = values.filter((value) => value !== null);
  let low = known.reduce((a, b) => Math.min(a, b), Infinity);
  let high = known.reduce((a, b) => Math.max(a, b), -Infinity);
  if (series.log) [low, high] = [Math.floor(low), Math.max(Math.ceil(high), Math.floor(low) + 1)];
  else if (low === high) [low, high] = [low - (Math.abs(low) || 1) * 0.1, high + (Math.abs(high) || 1) * 0.1];
  else [low, high] = [low - (high - low) * 0.04, high + (high - low) * 0.04];
  const last = Math.max(values.length - 1, 1);
  const x = (k) => CHART.left + (k / last) * (width - CHART.left - CHART.right);
  const y = (v) => CHART.top + ((high - v) / (high - low)) * (CHART.height - CHART.top - CHART.bottom);
  svg.setAttribute("viewBox", `0 0 ${width} ${CHART.height}`);
  svg.style.height = CHART.height + "px";

  for (const [tick, text] of valueTicks(series, low, high)) {
    svg.append(svgElement("line", {class: "rule", x1: CHART.left, x2: width - CHART.right, y1: y(tick), y2: y(tick)}));
    svg.append(svgElement("text", {x: CHART.left - 8, y: y(tick) + 4, "text-anchor": "end"}, text));
  }
  const foot = CHART.height - CHART.bottom;
  for (const tick of ticksBetween(0, last, Math.min(width / 90, last)).ticks) {
    if (tick % 1 === 0) svg.append(svgElement("text", {x: x(tick), y: foot + 15, "text-anchor": "middle"}, countText(tick)));
  }
  svg.append(svgElement("text", {x: (CHART.left + width - CHART.right) / 2, y: CHART.height - 3, "text-anchor": "middle"}, series.x));

  let path = "";
  values.forEach((value, k) => {
    if (value === null) return;
    path += `${k > 0 && values[k - 1] !== null ? "L" : "M"}${x(k).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  svg.append(svgElement("path", {class: "curve", d: path}));
  if (values.length <= 40) {
    values.forEach((value, k) => value !== null && svg.append(svgElement("circle", {class: "dot", cx: x(k), cy: y(value), r: 2.2})));
  }
  followCursor(svg, series, values, {x, y, width, last, foot});
}

function followCursor(svg, series, values, {x, y, width, last, foot}) {
  const cursor = svgElement("line", {class: "cursor", y1: CHART.top, y2: foot, visibility: "hidden"});
  const dot = svgElement("circle", {class: "dot", r: 3.6, visibility: "hidden"});
  svg.append(cursor, dot);
  svg.onpointermove = (event) => {
    const share = (event.clientX - svg.getBoundingClientRect().left - CHART.left) / (width - CHART.left - CHART.right);
    const k = Math.min(Math.max(Math.round(share * last), 0), values.length - 1);
    cursor.setAttribute("x1", x(k));
    cursor.setAttribute("x2", x(k));
    cursor.setAttribute("visibility", "visible");
    dot.setAttribute("visibility", values[k] === null ? "hidden" : "visible");
    if (values[k] !== null) {
      dot.setAttribute("cx", x(k));
      dot.setAttribute("cy", y(values[k]));
    }
    const value = series.values[k];
    showTooltip(event.clientX, event.clientY, series.title,
      [[series.x, countText(k)], [series.y || "value", value === null ? "not finite" : valueText(value)]]);
  };
  svg.onpointerleave = () => {
    cursor.setAttribute("visibility", "hidden");
    dot.setAttribute("visibility", "hidden");
    hideTooltip();
  };
}

function buildHistories(all) {
  if (all.length === 0) return;
  const section = byId("histories");
  section.hidden = false;
  for (const series of all) {
    const scale = series.log ? "log scale" : "";
    const note = [series.y === series.title ? "" : series.y, scale].filter((part) => part !== "").join(", ");
    const title = element("h3", {}, series.title, " ", element("span", {class: "faint"}, note));
    const figure = element("div", {class: "figure"}, title);
    section.querySelector(".grid").append(figure);
    if (drawnValues(series).every((value) => value === null)) {
      figure.append(element("p", {class: "faint"}, series.values.length === 0 ? "No values." :
        "No value can be drawn" + (series.log ? " on a log scale." : ".")));
      continue;
    }
    const svg = svgElement("svg", {class: "chart", role: "img", "aria-label": `${series.title}: ${series.values.length} values`});
    figure.append(svg);
    new ResizeObserver(() => drawChart(svg, series)).observe(svg);
  }
}

// --- Memory and processors over time -----------------------------------------------------------------

const MEMORY_LINES = [["resident", "process, resident", "--accent"], ["live", "blocks, live", "--second"]];

const most = (values) => values.reduce((high, value) => Math.max(high, value), 0);

/** Index of the sample at or after a moment, else of the last one. */
function sampleAt(samples, time) {
  let [low, high] = [0, samples.time.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (samples.time[middle] >= time) high = middle; else low = middle + 1;
  }
  return low;
}

/** Lines over the time that the view shows. `lines`: [values by sample, colour]; `text` is that of a value. */
function lineChart(canvas, view, height, samples, high, lines, text, more = () => {}) {
  const [top, bottom] = [8, height - 24];
  const area = new TimeCanvas(canvas, view, height, (context) => {
    area.axis(context, bottom, bottom);
    const y = (value) => bottom - (value / high) * (bottom - top);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const tick of ticksBetween(0, high, height / 38).ticks) {
      context.fillStyle = styleValue("--line");
      context.fillRect(area.left, Math.round(y(tick)), area.width - area.left, 1);
      context.fillStyle = styleValue("--faint");
      context.fillText(area.left > 50 ? text(tick) : text(tick).replace(" ", ""), area.left - 5, y(tick));
    }
    context.save();
    context.beginPath();
    context.rect(area.left, 0, area.width - area.left, bottom + 1);
    context.clip();
    // One sample more on either side, so that lines reach the edges.
    const first = Math.max(sampleAt(samples, view.start) - 1, 0);
    const last = Math.min(sampleAt(samples, view.end) + 1, samples.time.length - 1);
    for (const [values, color] of lines) {
      context.strokeStyle = styleValue(color);
      context.lineWidth = 1.6;
      context.beginPath();
      for (let i = first; i <= last; ++i) context.lineTo(area.x(samples.time[i]), y(values[i]));
      context.stroke();
    }
    context.lineWidth = 1;
    more(context, area, bottom);
    context.restore();
  });
  return area;
}

function tellSamples(canvas, area, samples, rows) {
  canvas.addEventListener("pointermove", (event) => {
    const i = sampleAt(samples, area.time(event.clientX - canvas.getBoundingClientRect().left));
    showTooltip(event.clientX, event.clientY, startText(samples.time[i]), rows(i));
  });
  canvas.addEventListener("pointerleave", hideTooltip);
}

/** At the foot of the memory chart: when blocks went to disk, and hollow, when they came back. */
function paintSpillMarks(context, area, bottom, spills) {
  context.fillStyle = context.strokeStyle = styleValue("--spill");
  for (const spill of spills) {
    const x = area.x(spill.start);
    const width = Math.max(area.x(spill.end) - x, 2);
    if (spill.readBack) context.strokeRect(x + 0.5, bottom - 14.5, width, 6);
    else context.fillRect(x, bottom - 7, width, 7);
  }
}

function spillText(spills) {
  const sum = (readBack) => {
    const own = spills.filter((spill) => spill.readBack === readBack);
    const [count, bytes] = ["count", "bytes"].map((part) => own.reduce((all, spill) => all + spill[part], 0));
    return `${countText(count)} block${count === 1 ? "" : "s"} (${bytesText(bytes)})`;
  };
  return spills.length === 0 ? "" : ` ${sum(false)} went to disk, ${sum(true)} came back.`;
}

function buildResources(trace, view) {
  const samples = unpackSamples(trace);
  if (samples.time.length < 2) {
    byId("memory-lead").remove();
    byId("memory-figure").replaceWith(emptyNote("No memory was sampled."));
    return;
  }
  const spills = unpackSpills(trace);
  byId("memory-lead").textContent = `At most ${bytesText(most(samples.resident))} resident in the process, ` +
    `at most ${bytesText(most(samples.live))} in live blocks, as sampled.${spillText(spills)} ` +
    `At most ${significant(most(samples.cpu))} processors at work. The time shown is that of the task stream.`;

  const memory = byId("memory-canvas");
  memory.setAttribute("aria-label", `Memory over time, ${samples.time.length} samples`);
  const highest = Math.max(most(samples.resident), most(samples.live), 1) * 1.06;
  const lines = MEMORY_LINES.map(([name, , color]) => [samples[name], color]);
  const area = lineChart(memory, view, 192, samples, highest, lines, bytesText,
    (context, chart, bottom) => paintSpillMarks(context, chart, bottom, spills));
  tellSamples(memory, area, samples, (i) => MEMORY_LINES.map(([name, text]) => [text, bytesText(samples[name][i])]));
  document.querySelector("#memory .keys").append(
    ...MEMORY_LINES.map(([, text, color]) => element("li", {}, swatch(`var(${color})`), text)));
  if (spills.length > 0) {
    document.querySelector("#memory .keys").append(element("li", {}, swatch("var(--spill)"), "spilled, hollow: read back"));
  }

  const cpu = byId("cpu-canvas");
  cpu.setAttribute("aria-label", `Processors over time, ${samples.time.length} samples`);
  const processors = Math.max(trace.threads, most(samples.cpu), 1) * 1.06;
  const chart = lineChart(cpu, view, 110, samples, processors, [[samples.cpu, "--accent"]],
    (count) => `${significant(100 * count)} %`);
  document.querySelector("#cpu-canvas + .keys").append(element("li", {}, swatch("var(--accent)"), "processors at work"));
  tellSamples(cpu, chart, samples, (i) => [["processors", percentText(samples.cpu[i])]]);
}
