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

