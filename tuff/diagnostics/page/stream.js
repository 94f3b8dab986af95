// --- The stretch of time that task stream and memory show ---------------------------------------------

/** Times are nanoseconds since the start of the recording. */
class View {
  constructor(duration) {
    this.duration = Math.max(duration, 1);
    this.listeners = [];
    this.start = 0;
    this.end = this.duration;
  }

  get span() {
    return this.end - this.start;
  }

  /** Shows [start, end], moved or widened so that it is inside the recording and 50 ns or more. */
  show(start, end) {
    const span = Math.min(Math.max(end - start, Math.min(50, this.duration)), this.duration);
    const middle = (start + end) / 2;
    this.start = Math.min(Math.max(middle - span / 2, 0), this.duration - span);
    this.end = this.start + span;
    for (const listener of this.listeners) listener();
  }

  /** By `factor` (more than 1 zooms in), with the moment at `share` of the width staying where it is. */
  zoom(factor, share = 0.5) {
    const moment = this.start + share * this.span;
    const span = this.span / factor;
    this.show(moment - share * span, moment + (1 - share) * span);
  }

  pan(share) {
    this.show(this.start + share * this.span, this.end + share * this.span);
  }

  showAll() {
    this.show(0, this.duration);
  }
}

/** A canvas with a left margin and a time axis, drawn again when the view, its size or the colours change. */
class TimeCanvas {
  constructor(canvas, view, height, paint) {
    Object.assign(this, {canvas, view, height, paint, pending: false});
    this.context = canvas.getContext("2d");
    canvas.style.height = height + "px";
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    view.listeners.push(() => this.redraw());
  }

  get left() {
    return this.width < 500 ? 34 : 58;
  }

  redraw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    if (this.width === 0) return;
    const [width, height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.ratio = ratio;
    const context = this.context;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.font = "11px system-ui, sans-serif";
    this.scale = (this.width - this.left) / this.view.span;
    this.paint(context, this);
  }

  x(time) {
    return this.left + (time - this.view.start) * this.scale;
  }

  time(x) {
    return this.view.start + (x - this.left) / this.scale;
  }

  /** Ticks in one unit, with as many digits as the step needs. */
  axis(context, y, top) {
    const {start, end} = this.view;
    const {ticks, step} = ticksBetween(start, end, (this.width - this.left) / 105);
    const largest = Math.max(Math.abs(start), Math.abs(end));
    const [unit, size] = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]].find(([, s]) => largest >= s) ?? ["ns", 1];
    const digits = Math.max(0, -Math.floor(Math.log10(step / size) + 1e-9));
    context.strokeStyle = styleValue("--line");
    context.fillStyle = styleValue("--faint");
    context.textBaseline = "top";
    for (const tick of ticks) {
      const x = Math.round(this.x(tick)) + 0.5;
      context.beginPath();
      context.moveTo(x, top);
      context.lineTo(x, y + 4);
      context.stroke();
      const text = `${(tick / size).toFixed(Math.min(digits, 9))} ${unit}`;
      const half = context.measureText(text).width / 2;
      context.textAlign = "left";
      context.fillText(text, Math.min(Math.max(x - half, this.left - 8), this.width - 2 * half), y + 6);
    }
  }
}

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

class Stream {
  constructor(trace, view, colors) {
    this.view = view;
    this.trace = trace;
    this.lanes = unpackLanes(trace);
    this.kinds = unpackKinds(trace);
    // Operations by rank, longest first: a column has the longest at its foot.
    const ranks = new Map(trace.operationTotals.map(({operation}, rank) => [operation, rank]));
    this.colors = [...ranks.keys()].map((operation) => colors.get(trace.operations[operation]));
    this.rankOfKind = this.kinds.operation.map((operation) => ranks.get(operation));
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
      const wide = this.area.left > 50 && this.lanes[l].label.length < 3;
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

  /** Tasks of 3 pixels and more are boxes. The others add up, pixel by pixel, to a column as high as the
   *  share of its time that is filled, each operation with its part. */
  paintLane(context, l) {
    const {area, colors, rankOfKind} = this;
    const {start, end, kind, count} = this.lanes[l];
    const [y, height] = [this.rowTop(l), this.rowHeight - 3];
    const {ratio} = area;
    const scale = area.scale * ratio;
    const pixels = Math.ceil((area.width - area.left) * ratio) + 1;
    const parts = colors.map(() => null);  // by rank: filled share of each pixel
    const from = this.view.start;
    let painted = -1;
    for (let i = firstAfter(this.lanes[l], from); i < count && start[i] < this.view.end; ++i) {
      const x0 = (start[i] - from) * scale;
      const x1 = (end[i] - from) * scale;
      const rank = rankOfKind[kind[i]];
      if (x1 - x0 >= 3 * ratio) {
        if (rank !== painted) context.fillStyle = colors[painted = rank];
        const gap = x1 - x0 >= 5 * ratio ? 1 : 0.5;
        const left = Math.max(x0, -8);
        const right = Math.min(x1, pixels + 8);
        context.fillRect(area.left + left / ratio, y, (right - left) / ratio - gap, height);
        continue;
      }
      const part = (parts[rank] ??= new Float32Array(pixels));
      const last = Math.min(Math.floor(x1), pixels - 1);
      for (let p = Math.max(Math.floor(x0), 0); p <= last; ++p) {
        part[p] += Math.min(x1, p + 1) - Math.max(x0, p);
      }
    }
    const bottom = new Float32Array(pixels).fill(y + height);
    parts.forEach((part, rank) => {
      if (part === null) return;
      context.fillStyle = colors[rank];
      for (let p = 0; p < pixels; ++p) {
        if (part[p] === 0) continue;
        const high = part[p] * height;
        context.fillRect(area.left + p / ratio, bottom[p] - high, 1 / ratio, high);
        bottom[p] -= high;
      }
    });
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

  /** The longest of the tasks within a pixel of (x, y), and how many there are; or null. */
  find(x, y) {
    const l = Math.floor((y - this.top) / this.rowHeight);
    if (l < 0 || l >= this.lanes.length || x < this.area.left) return null;
    const lane = this.lanes[l];
    const until = this.area.time(x + 1);
    let found = null;
    let count = 0;
    for (let i = firstAfter(lane, this.area.time(x - 1)); i < lane.count && lane.start[i] <= until; ++i) {
      ++count;
      const length = lane.end[i] - lane.start[i];
      if (found === null || length > lane.end[found] - lane.start[found]) found = i;
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
    const kind = lane.kind[found.event];
    const [read, written] = [this.kinds.bytesIn[kind], this.kinds.bytesOut[kind]];
    const rows = [
      ["task", `${countText(lane.task[found.event])} on ${lane.name}`],
      ["start", startText(start)],
      ["duration", timeText(end - start)],
      ["read", bytesText(read)],
      ["written", bytesText(written)],
      ["rate", rateText(read + written, end - start)],
    ];
    if (this.kinds.failed[kind]) rows.push(["result", "failed"]);
    const others = found.count - 1;
    showTooltip(clientX, clientY, this.trace.operations[this.kinds.operation[kind]], rows,
      others > 0 ? `and ${tasksText(others)} more under this point: zoom in` : "");
  }
}

/** A moment, to the microsecond; in seconds when the recording lasts longer than one. */
const startText = (ns) => (trace.duration < 1e9 ? `${(ns / 1e6).toFixed(3)} ms` : `${(ns / 1e9).toFixed(6)} s`);

/** Wheel, drag, pinch, double click and keys on a canvas move the view. */
function listenTo(area, view, hover) {
  const {canvas} = area;
  const share = (event) => {
    const box = canvas.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left - area.left) / (box.width - area.left), 0), 1);
  };
  canvas.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    // Nothing left to zoom out of: the page scrolls.
    if (!sideways && event.deltaY > 0 && view.span >= view.duration) return;
    event.preventDefault();
    const amount = (sideways && event.deltaX !== 0 ? event.deltaX : event.deltaY) * (event.deltaMode === 1 ? 30 : 1);
    if (sideways) view.pan(amount / canvas.clientWidth);
    else view.zoom(Math.exp(-amount / 400), share(event));
    hover(event);
  }, {passive: false});

  const pointers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("dragging");
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (before !== undefined) {
      const width = canvas.clientWidth - area.left;
      if (pointers.size === 1) {
        view.pan(-(event.clientX - before.clientX) / width);
      } else {
        const other = [...pointers.values()].find((p) => p.pointerId !== event.pointerId);
        const distance = (p) => Math.max(Math.abs(p.clientX - other.clientX), 10);
        view.zoom(distance(event) / distance(before), share(other));
      }
      pointers.set(event.pointerId, event);
    }
    hover(event);
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size === 0) canvas.classList.remove("dragging");
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => hover(null));
  canvas.addEventListener("dblclick", () => view.showAll());
  canvas.addEventListener("keydown", (event) => {
    const act = {
      "+": () => view.zoom(1.5), "=": () => view.zoom(1.5), "-": () => view.zoom(1 / 1.5),
      "ArrowLeft": () => view.pan(-0.2), "ArrowRight": () => view.pan(0.2),
      "0": () => view.showAll(), "Home": () => view.showAll(),
    }[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
}

