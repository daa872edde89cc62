// SPDX-License-Identifier: Apache-2.0
// Three small Chart.js plug-ins: error bars, zoom, names at the ends of lines.

// A point or bar whose raw value has `low` and `high` gets a whisker along the value axis.
const errorBars = {
  id: "errorBars",
  afterDatasetsDraw(chart) {
    const ctx = chart.ctx, area = chart.chartArea;
    const sideways = chart.options.indexAxis === "y";
    ctx.save();
    ctx.beginPath();
    ctx.rect(area.left - 1, area.top - 1, area.right - area.left + 2, area.bottom - area.top + 2);
    ctx.clip();
    chart.data.datasets.forEach((set, i) => {
      if (!chart.isDatasetVisible(i) || !set.errorBars) return;
      const meta = chart.getDatasetMeta(i);
      const scale = chart.scales[sideways ? meta.xAxisID : meta.yAxisID];
      ctx.strokeStyle = set.errorColor || set.borderColor;
      ctx.lineWidth = 1.4;
      meta.data.forEach((shape, j) => {
        const raw = set.data[j];
        if (!raw || nan(raw.low) || nan(raw.high)) return;
        const a = scale.getPixelForValue(raw.low), b = scale.getPixelForValue(raw.high);
        if (Math.abs(a - b) < 3) return;
        const cap = 3;
        ctx.beginPath();
        if (sideways) {
          ctx.moveTo(a, shape.y); ctx.lineTo(b, shape.y);
          for (const x of [a, b]) { ctx.moveTo(x, shape.y - cap); ctx.lineTo(x, shape.y + cap); }
        } else {
          ctx.moveTo(shape.x, a); ctx.lineTo(shape.x, b);
          for (const y of [a, b]) { ctx.moveTo(shape.x - cap, y); ctx.lineTo(shape.x + cap, y); }
        }
        ctx.stroke();
      });
    });
    ctx.restore();
  },
};

// Drag a rectangle to zoom, double click (or 0) to see all again; + and - zoom, arrows pan.
const zoom = {
  id: "zoom",
  axes(chart) {
    const wanted = chart.options.plugins.zoom && chart.options.plugins.zoom.axes;
    return (wanted || []).map((id) => chart.scales[id]).filter((s) => s && s.type !== "category");
  },
  set(chart, scale, low, high) {
    const o = chart.options.scales[scale.id];
    if (!chart.$zoom) chart.$zoom = {};
    if (!(scale.id in chart.$zoom)) chart.$zoom[scale.id] = { min: o.min, max: o.max };
    if (!(high > low) || !Number.isFinite(high - low)) return;
    o.min = low; o.max = high;
  },
  reset(chart) {
    for (const [id, range] of Object.entries(chart.$zoom || {})) {
      Object.assign(chart.options.scales[id], range);
    }
    chart.$zoom = null;
    chart.update("none");
  },
  scaleBy(chart, factor, shift) {
    for (const s of zoom.axes(chart)) {
      const a = s.isHorizontal() ? s.left : s.bottom, b = s.isHorizontal() ? s.right : s.top;
      const middle = (a + b) / 2 + shift * (b - a), half = ((b - a) / 2) * factor;
      if (shift && !s.isHorizontal()) continue;
      zoom.set(chart, s, s.getValueForPixel(middle - half), s.getValueForPixel(middle + half));
    }
    chart.update("none");
  },
  afterInit(chart) {
    const canvas = chart.canvas;
    if (!chart.options.plugins.zoom || !chart.options.plugins.zoom.axes) return;
    const place = (e) => {
      const box = canvas.getBoundingClientRect();
      return { x: e.clientX - box.left, y: e.clientY - box.top };
    };
    const listeners = {
      pointerdown(e) {
        if (e.pointerType === "touch" || e.button !== 0) return;
        chart.$drag = { from: place(e), to: place(e) };
      },
      pointermove(e) {
        if (!chart.$drag) return;
        chart.$drag.to = place(e);
        chart.draw();
      },
      pointerup() {
        const d = chart.$drag;
        chart.$drag = null;
        if (!d || Math.abs(d.from.x - d.to.x) < 8) { chart.draw(); return; }
        for (const s of zoom.axes(chart)) {
          const axis = s.isHorizontal() ? "x" : "y";
          if (axis === "y" && Math.abs(d.from.y - d.to.y) < 8) continue;
          const a = s.getValueForPixel(d.from[axis]), b = s.getValueForPixel(d.to[axis]);
          zoom.set(chart, s, Math.min(a, b), Math.max(a, b));
        }
        chart.update("none");
      },
      dblclick() { zoom.reset(chart); },
      keydown(e) {
        const act = {
          "+": [0.7, 0], "=": [0.7, 0], "-": [1 / 0.7, 0], ArrowLeft: [1, -0.2],
            ArrowRight: [1, 0.2],
        }[e.key];
        if (e.key === "0" || e.key === "Escape") zoom.reset(chart);
        else if (act) zoom.scaleBy(chart, act[0], act[1]);
        else return;
        e.preventDefault();
      },
    };
    chart.$listeners = listeners;
    for (const [name, f] of Object.entries(listeners)) canvas.addEventListener(name, f);
  },
  afterDraw(chart) {
    const d = chart.$drag;
    if (!d) return;
    const a = chart.chartArea, both = zoom.axes(chart).length > 1;
    const x = Math.min(d.from.x, d.to.x), w = Math.abs(d.from.x - d.to.x);
    chart.ctx.save();
    chart.ctx.fillStyle = alpha(css("--c0"), 0.16);
    if (both) chart.ctx.fillRect(x, Math.min(d.from.y, d.to.y), w, Math.abs(d.from.y - d.to.y));
    else chart.ctx.fillRect(x, a.top, w, a.bottom - a.top);
    chart.ctx.restore();
  },
  beforeDestroy(chart) {
    for (const [name, f] of Object.entries(chart.$listeners || {})) {
      chart.canvas.removeEventListener(name, f);
    }
  },
};

// Writes each line's name beside its last point, pushed apart where they would overlap.
const endNames = {
  id: "endNames",
  afterDatasetsDraw(chart) {
    if (!chart.options.plugins.endNames || !chart.options.plugins.endNames.on) return;
    const ctx = chart.ctx, names = [];
    chart.data.datasets.forEach((set, i) => {
      if (!chart.isDatasetVisible(i)) return;
      const known = (p, j) => set.data[j] && !nan(set.data[j].y);
      const shapes = chart.getDatasetMeta(i).data.filter(known);
      const last = shapes[shapes.length - 1];
      if (last) names.push({ x: last.x, y: last.y, at: last.y, text: set.label,
        color: set.baseColor });
    });
    names.sort((a, b) => a.y - b.y);
    const gap = 14;
    for (let i = 1; i < names.length; i++) {
      names[i].at = Math.max(names[i].at, names[i - 1].at + gap);
    }
    let floor = chart.chartArea.bottom - 2;
    for (let i = names.length - 1; i >= 0 && names[i].at > floor; i--) {
      names[i].at = floor;
      floor -= gap;
    }
    ctx.save();
    ctx.font = "12px " + Chart.defaults.font.family;
    ctx.textBaseline = "middle";
    const left = chart.chartArea.right + 8;
    for (const n of names) {
      ctx.strokeStyle = n.color;
      ctx.globalAlpha = 0.5;
      ctx.lineWidth = 1;
      ctx.beginPath(); ctx.moveTo(n.x + 5, n.y); ctx.lineTo(left, n.at); ctx.stroke();
      ctx.globalAlpha = 1;
      ctx.fillStyle = n.color;
      ctx.fillText(clip(ctx, n.text, chart.width - left - 6), left + 3, n.at);
    }
    ctx.restore();
  },
};

function clip(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  while (text.length > 1 && ctx.measureText(text + "…").width > width) text = text.slice(0, -1);
  return text + "…";
}

Chart.register(errorBars, zoom, endNames);
