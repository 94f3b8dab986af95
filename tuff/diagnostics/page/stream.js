// --- The task stream ---------------------------------------------------------------------------------

/** Index of the first event of a lane that ends after `time`. */
function firstAfter(lane, time) {
  let [low, high] = [0, lane.count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane.end[middle] > time) high = middle; else low = middle + 1;
  }
  return low;
}

/** Colours of waits, by cause. */
const WAIT_STYLES = ["--wait-input", "--wait-memory", "--wait-resources", "--wait-none", "--wait-stealing"];

/** Three to four times as many as a wide screen has pixels: closer views draw records, a third of them or less. */
const OVERVIEW_CELLS = 4096;

/** The parts of a crowd, each as an object. */
const partsOf = (lane, record) => Array.from({length: lane.size[record]}, (_, p) =>
  Object.fromEntries(Object.entries(lane.parts).map(([name, values]) => [name, values[lane.what[record] + p]])));

function tasksIn(lane, record) {
  let tasks = 0;
  for (let p = lane.what[record]; p < lane.what[record] + lane.size[record]; ++p) {
    if (lane.parts.code[p] > CROWD) tasks += lane.parts.count[p];
  }
  return tasks;
}

/** A colour "#rrggbb" as a pixel of an image. */
function pixelOf(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return new Uint32Array(new Uint8Array([red, green, blue, 255]).buffer)[0];
}

class Stream {
  constructor(trace, view, colors) {
    this.view = view;
    this.trace = trace;
    this.lanes = unpackLanes(trace);
    this.kinds = unpackKinds(trace);
    this.spills = unpackSpills(trace);
    // Operations by rank, longest first: a column has the longest at its foot. Waits come after them.
    const ranks = new Map(trace.operationTotals.map(({operation}, rank) => [operation, rank]));
    this.operationColors = [...ranks.keys()].map((operation) => colors.get(trace.operations[operation]));
    const waits = WAIT_STYLES.map((_, cause) => ranks.size + cause);
    this.rankOfOperationCode = [...waits, null, ...trace.operations.map((_, operation) => ranks.get(operation))];
    this.rankOfCode = [...waits, null, ...this.kinds.operation.map((operation) => ranks.get(operation))];
    this.hovered = null;
    const depth = trace.phases.reduce((most, phase) => Math.max(most, phase.depth + 1), 0);
    this.top = depth * 20 + (depth > 0 ? 6 : 0);
    // 40 pixels per row, fewer when there are many threads, so that 64 rows still fit a screen.
    this.rowHeight = Math.min(40, Math.max(9, Math.floor(560 / this.lanes.length)));
    this.bottom = this.top + this.rowHeight * this.lanes.length;
    const canvas = byId("stream-canvas");
    this.area = new TimeCanvas(canvas, view, this.bottom + 24, (context) => this.paint(context));
    canvas.setAttribute("aria-label", `Task stream: ${tasksText(trace.totals.tasks)} on ` +
      `${this.lanes.length} rows. Arrow keys move, + and - zoom, 0 shows all.`);
  }

  paint(context) {
    const {area} = this;
    const width = area.width - area.left;
    this.colors = [...this.operationColors, ...WAIT_STYLES.map(styleValue)];
    this.ground = pixelOf(styleValue("--lane"));
    this.pixels = this.colors.map(pixelOf);
    this.paintPhases(context);
    context.fillStyle = styleValue("--lane");
    for (let l = 0; l < this.lanes.length; ++l) {
      context.fillRect(area.left, this.rowTop(l), width, this.rowHeight - 3);
    }
    area.axis(context, this.bottom, this.top);
    this.paintLabels(context);
    context.save();
    context.beginPath();
    context.rect(area.left, this.top, width, this.bottom - this.top);
    context.clip();
    for (let l = 0; l < this.lanes.length; ++l) this.paintLane(context, l);
    this.paintSpills(context);
    this.paintBoundaries(context);
    if (this.hovered !== null) this.paintHovered(context);
    context.restore();
  }

  rowTop(l) {
    return this.top + l * this.rowHeight + 1;
  }

  paintLabels(context) {
    context.fillStyle = styleValue("--faint");
    context.textAlign = "right";
    context.textBaseline = "middle";
    const every = Math.ceil(13 / this.rowHeight);
    for (let l = 0; l < this.lanes.length; l += every) {
      const wide = this.area.left > 50 && this.lanes.every(({label}) => label.length < 2);
      const text = (wide ? "thread " : "") + this.lanes[l].label;
      context.fillText(text, this.area.left - 7, this.rowTop(l) + (this.rowHeight - 3) / 2);
    }
  }

  paintPhases(context) {
    const {area} = this;
    context.textBaseline = "middle";
    context.textAlign = "left";
    for (const phase of this.trace.phases) {
      const from = Math.max(area.x(phase.start), area.left);
      const to = Math.min(area.x(phase.end), area.width);
      if (to <= area.left || from >= area.width) continue;
      const y = phase.depth * 20;
      context.fillStyle = styleValue("--accent-soft");
      context.fillRect(from, y, Math.max(to - from, 1), 17);
      context.fillStyle = styleValue("--accent");
      context.fillRect(from, y, 2, 17);
      const room = to - from - 12;
      if (context.measureText(phase.name).width <= room) context.fillText(phase.name, from + 8, y + 9);
    }
  }

  paintBoundaries(context) {
    context.strokeStyle = styleValue("--accent");
    context.globalAlpha = 0.45;
    context.setLineDash([3, 3]);
    for (const phase of this.trace.phases) {
      for (const time of [phase.start, phase.end]) {
        const x = Math.round(this.area.x(time)) + 0.5;
        context.beginPath();
        context.moveTo(x, this.top);
        context.lineTo(x, this.bottom);
        context.stroke();
      }
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /** Tasks and waits of 3 pixels and more are boxes. The others add up, pixel by pixel, to a column as high
   *  as the share of its time that is filled, each operation and cause with its part. */
  paintLane(context, l) {
    const {area} = this;
    const lane = this.lanes[l];
    const {start, end, code, count} = lane;
    const {ratio} = area;
    const scale = area.scale * ratio;
    const pixels = Math.ceil((area.width - area.left) * ratio);
    const parts = this.colors.map(() => null);  // by rank: filled share of each pixel
    const add = (rank, x0, x1, share) => {
      const part = (parts[rank] ??= new Float32Array(pixels));
      const last = Math.min(Math.floor(x1), pixels - 1);
      for (let p = Math.max(Math.floor(x0), 0); p <= last; ++p) {
        part[p] += (Math.min(x1, p + 1) - Math.max(x0, p)) * share;
      }
    };
    const boxes = [];
    const from = this.view.start;
    const put = (i) => {
      const x0 = (start[i] - from) * scale;
      const x1 = (end[i] - from) * scale;
      if (code[i] === CROWD) {
        this.addCrowd(lane, i, (rank, share) => add(rank, x0, x1, share));
      } else if (x1 - x0 >= 3 * ratio) {
        boxes.push(i);
      } else {
        add(this.rankOfCode[code[i]], x0, x1, 1);
      }
    };
    const overview = count > 4 * OVERVIEW_CELLS ? this.overviewOf(l) : null;
    if (overview !== null && overview.cell * scale <= 1) {
      const first = Math.floor(from / overview.cell);
      const last = Math.min(Math.ceil(this.view.end / overview.cell), OVERVIEW_CELLS);
      overview.parts.forEach((part, rank) => {
        for (let c = first; part !== null && c < last; ++c) {
          if (part[c] > 0) add(rank, (c * overview.cell - from) * scale, ((c + 1) * overview.cell - from) * scale, part[c]);
        }
      });
      for (const i of overview.long) {
        if (end[i] > from && start[i] < this.view.end) put(i);
      }
    } else {
      for (let i = firstAfter(lane, from); i < count && start[i] < this.view.end; ++i) put(i);
    }
    if (parts.some((part) => part !== null)) this.paintColumns(context, l, pixels, parts);
    this.paintBoxes(context, l, boxes, pixels);
  }

  /** Calls add(rank, share of the crowd's time) for each part. */
  addCrowd(lane, i, add) {
    const duration = Math.max(lane.end[i] - lane.start[i], 1);
    for (let p = lane.what[i]; p < lane.what[i] + lane.size[i]; ++p) {
      add(this.rankOfOperationCode[lane.parts.code[p]], lane.parts.busy[p] / duration);
    }
  }

  /** A row in cells of equal length, for views in which no cell is wider than a pixel: the share of each cell
   *  that each rank fills, and the records that are longer than two cells. Made when first asked for. */
  overviewOf(l) {
    const lane = this.lanes[l];
    if (lane.overview !== undefined) return lane.overview;
    const cell = this.view.duration / OVERVIEW_CELLS;
    const parts = this.colors.map(() => null);
    const add = (rank, from, to, share) => {
      const part = (parts[rank] ??= new Float32Array(OVERVIEW_CELLS));
      for (let c = Math.floor(from / cell); c < OVERVIEW_CELLS && c * cell < to; ++c) {
        part[c] += (Math.min(to, (c + 1) * cell) - Math.max(from, c * cell)) / cell * share;
      }
    };
    const long = [];
    for (let i = 0; i < lane.count; ++i) {
      const [from, to] = [lane.start[i], lane.end[i]];
      if (to - from > 2 * cell) long.push(i);
      else if (lane.code[i] !== CROWD) add(this.rankOfCode[lane.code[i]], from, to, 1);
      else this.addCrowd(lane, i, (rank, share) => add(rank, from, to, share));
    }
    return lane.overview = {cell, parts, long};
  }

  /** As an image of the whole row: one call, where a rectangle for each part of each column would be 100,000. */
  paintColumns(context, l, pixels, parts) {
    const {ratio} = this.area;
    const top = Math.round(this.rowTop(l) * ratio);
    const height = Math.round((this.rowTop(l) + this.rowHeight - 3) * ratio) - top;
    const image = context.createImageData(pixels, height);
    const data = new Uint32Array(image.data.buffer).fill(this.ground);
    const filled = new Float32Array(pixels);
    const bottom = new Int32Array(pixels).fill(height);
    parts.forEach((part, rank) => {
      if (part === null) return;
      for (let p = 0; p < pixels; ++p) {
        if (part[p] === 0) continue;
        filled[p] += part[p];
        const until = Math.max(Math.round(height * (1 - filled[p])), 0);
        for (let y = bottom[p] - 1; y >= until; --y) data[y * pixels + p] = this.pixels[rank];
        bottom[p] = Math.min(bottom[p], until);
      }
    });
    context.putImageData(image, Math.round(this.area.left * ratio), top);
  }

  paintBoxes(context, l, boxes, pixels) {
    const {area} = this;
    const {ratio} = area;
    const {start, end, code} = this.lanes[l];
    const [y, height] = [this.rowTop(l), this.rowHeight - 3];
    const scale = area.scale * ratio;
    let painted = -1;
    for (const i of boxes) {
      const rank = this.rankOfCode[code[i]];
      if (rank !== painted) context.fillStyle = this.colors[painted = rank];
      const x0 = (start[i] - this.view.start) * scale;
      const x1 = (end[i] - this.view.start) * scale;
      const gap = code[i] < CROWD ? 0 : x1 - x0 >= 5 * ratio ? 1 : 0.5;
      const left = Math.max(x0, -8);
      const right = Math.min(x1, pixels + 8);
      context.fillRect(area.left + left / ratio, y, (right - left) / ratio - gap, height);
    }
  }

  /** Marks at the foot of the row: a bar for a block that went to disk, a hollow one when it came back. */
  paintSpills(context) {
    const {area} = this;
    const high = Math.min(5, Math.max(2, this.rowHeight / 6));
    context.strokeStyle = styleValue("--spill");
    for (const spill of this.spills) {
      const x0 = area.x(spill.start);
      const width = Math.max(area.x(spill.end) - x0, 2);
      if (x0 + width < area.left || x0 > area.width) continue;
      const y = this.rowTop(spill.lane) + this.rowHeight - 3 - high;
      context.fillStyle = spill.readBack ? styleValue("--paper") : styleValue("--spill");
      context.fillRect(x0, y, width, high);
      if (spill.readBack) context.strokeRect(x0 + 0.5, y + 0.5, width - 1, high - 1);
    }
  }

  paintHovered(context) {
    const lane = this.lanes[this.hovered.lane];
    const x0 = Math.max(this.area.x(lane.start[this.hovered.event]), this.area.left - 4);
    const x1 = Math.min(this.area.x(lane.end[this.hovered.event]), this.area.width + 4);
    context.strokeStyle = styleValue("--text");
    context.lineWidth = 1.5;
    context.strokeRect(x0 - 0.5, this.rowTop(this.hovered.lane) - 0.5, Math.max(x1 - x0, 2), this.rowHeight - 2);
    context.lineWidth = 1;
  }

  /** The longest of the records within a pixel of (x, y), tasks before others, and how many tasks there are;
   *  or null. */
  find(x, y) {
    const l = Math.floor((y - this.top) / this.rowHeight);
    if (l < 0 || l >= this.lanes.length || x < this.area.left) return null;
    const lane = this.lanes[l];
    const until = this.area.time(x + 1);
    let found = null;
    let count = 0;
    let most = -1;
    for (let i = firstAfter(lane, this.area.time(x - 1)); i < lane.count && lane.start[i] <= until; ++i) {
      const isTask = lane.code[i] > CROWD;
      if (isTask) ++count;
      else if (lane.code[i] === CROWD) count += tasksIn(lane, i);
      const weight = lane.end[i] - lane.start[i] + (lane.code[i] >= CROWD ? this.view.duration : 0);
      if (weight > most) [most, found] = [weight, i];
    }
    return found === null ? null : {lane: l, event: found, count};
  }

  hover(clientX, clientY) {
    const box = this.area.canvas.getBoundingClientRect();
    const found = this.find(clientX - box.left, clientY - box.top);
    const changed = this.hovered?.lane !== found?.lane || this.hovered?.event !== found?.event;
    this.hovered = found;
    if (changed) this.area.redraw();
    if (found === null) return hideTooltip();
    const lane = this.lanes[found.lane];
    const [start, end] = [lane.start[found.event], lane.end[found.event]];
    const code = lane.code[found.event];
    const times = [["start", startText(start)], ["duration", timeText(end - start)]];
    if (code < CROWD) {
      return showTooltip(clientX, clientY, this.trace.waitNames[code], [["no task", `on ${lane.name}`], ...times]);
    }
    if (code === CROWD) return this.tellCrowd(clientX, clientY, lane, found.event, times);
    const kind = code - FIRST_KIND;
    const [read, written] = [this.kinds.bytesIn[kind], this.kinds.bytesOut[kind]];
    const rows = [
      ["task", `${countText(lane.what[found.event])} on ${lane.name}`],
      ...times,
      ["read", bytesText(read)],
      ["written", bytesText(written)],
      ["rate", rateText(read + written, end - start)],
    ];
    if (this.kinds.failed[kind]) rows.push(["result", "failed"]);
    const others = found.count - 1;
    showTooltip(clientX, clientY, this.trace.operations[this.kinds.operation[kind]], rows,
      others > 0 ? `and ${tasksText(others)} more under this point: zoom in` : "");
  }

  tellCrowd(clientX, clientY, lane, record, times) {
    const parts = partsOf(lane, record).sort((a, b) => b.busy - a.busy);
    const sum = (name) => parts.reduce((all, part) => all + part[name], 0);
    const rows = parts.slice(0, 8).map(({code, count, busy, failed}) => {
      const name = code < CROWD ? this.trace.waitNames[code] : this.trace.operations[code - FIRST_KIND];
      const what = code < CROWD ? `${countText(count)} time${count === 1 ? "" : "s"}` : tasksText(count);
      return [name, `${what}, ${timeText(busy)}${failed > 0 ? `, ${countText(failed)} failed` : ""}`];
    });
    const bytes = [["read", bytesText(sum("bytesIn"))], ["written", bytesText(sum("bytesOut"))]];
    showTooltip(clientX, clientY, `${tasksText(tasksIn(lane, record))} on ${lane.name}`, [...times, ...rows, ...bytes],
      `What is shorter than ${timeText(this.trace.shortest)} was added up when this page was written.`);
  }
}

