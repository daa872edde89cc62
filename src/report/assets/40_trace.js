// SPDX-License-Identifier: Apache-2.0
// Power of a run with its phases and what each TPU did above it, on one time axis.

const SPAN_KINDS = ["host", "input", "load", "compute", "stream", "output"];
const SPAN_COLORS = [6, 5, 3, 0, 1, 2];

const timelineStrip = {
  id: "timelineStrip",
  rows(chart) { return (chart.options.plugins.timelineStrip || {}).spans; },
  afterDatasetsDraw(chart) {
    const spans = timelineStrip.rows(chart);
    if (!spans) return;
    const ctx = chart.ctx, area = chart.chartArea, x = chart.scales.x;
    const tracks = [...new Set(spans.tpu)].sort((a, b) => a - b);
    const top = 6, height = Math.min(14, (area.top - 14) / Math.max(1, tracks.length));
    ctx.save();
    ctx.font = "11px " + Chart.defaults.font.family;
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    ctx.fillStyle = css("--soft");
    tracks.forEach((t, i) => ctx.fillText("TPU " + t, area.left - 6, top + (i + 0.5) * height));
    ctx.beginPath();
    ctx.rect(area.left, 0, area.right - area.left, area.top);
    ctx.clip();
    const colors = SPAN_COLORS.map(color);
    for (let i = 0; i < spans.tpu.length; i++) {
      const a = x.getPixelForValue(spans.s[i]), b = x.getPixelForValue(spans.e[i]);
      if (b < area.left || a > area.right) continue;
      ctx.fillStyle = colors[spans.kind[i]] || colors[0];
      ctx.fillRect(a, top + tracks.indexOf(spans.tpu[i]) * height + 1, Math.max(0.6, b - a),
        height - 2);
    }
    ctx.restore();
  },
};

// Phases: a line where each begins, its name, every other one shaded.
const phaseBands = {
  id: "phaseBands",
  beforeDatasetsDraw(chart) {
    const phases = (chart.options.plugins.phaseBands || {}).phases;
    if (!phases || !phases.length) return;
    const ctx = chart.ctx, area = chart.chartArea, x = chart.scales.x;
    ctx.save();
    ctx.beginPath();
    ctx.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
    ctx.clip();
    ctx.font = "11px " + Chart.defaults.font.family;
    ctx.textBaseline = "top";
    phases.forEach((p, i) => {
      const a = x.getPixelForValue(p.s), b = x.getPixelForValue(p.s + p.ms);
      const left = Math.max(a, area.left), right = Math.min(b, area.right);
      if (right <= left) return;
      ctx.globalAlpha = i % 2 ? 0 : 0.35;
      ctx.fillStyle = css("--grid");
      ctx.fillRect(left, area.top, right - left, area.bottom - area.top);
      ctx.globalAlpha = 1;
      ctx.fillStyle = css("--line");
      ctx.fillRect(a, area.top, 1, area.bottom - area.top);
      ctx.fillStyle = css("--soft");
      if (ctx.measureText(p.name).width < right - left - 6) {
        ctx.fillText(p.name, left + 4, area.top + 4);
      }
    });
    ctx.restore();
  },
};

// The finest level of a trace that covers what is looked at.
function levelOf(t, min, max) {
  const last = t.levels.length - 1;
  for (let i = last; i > 0; i--) {
    const l = t.levels[i], end = l.t0 + l.dt * (l.lo[0].length - 1);
    if (min >= l.t0 - l.dt && max <= end + l.dt) return i;
  }
  return 0;
}
function levelPoints(l, rail) {
  const points = [];
  l.lo[rail].forEach((mw, k) => {
    const x = l.t0 + k * l.dt;
    points.push({ x, y: mw / 1000 });
    if (l.hi) points.push({ x: x + l.dt / 2, y: l.hi[rail][k] / 1000 });
  });
  return points;
}
const pyramid = {
  id: "pyramid",
  beforeUpdate(chart) {
    const t = (chart.options.plugins.pyramid || {}).trace;
    if (!t || !t.levels.length) return;
    const { min, max } = chart.options.scales.x;
    const level = levelOf(t, min, max);
    if (chart.$level === level) return;
    chart.$level = level;
    t.rails.forEach((name, i) => {
      chart.data.datasets[i].data = levelPoints(t.levels[level], i);
    });
  },
};
Chart.register(timelineStrip, phaseBands, pyramid);
const phaseAt = (t, x) => t.phases.find((p) => x >= p.s && x < p.s + p.ms);

// How many TPUs work at each moment, where no power was kept.
function busyTpus(spans) {
  const steps = [];
  for (let i = 0; i < spans.tpu.length; i++) {
    if (SPAN_KINDS[spans.kind[i]] === "host") continue;
    steps.push([spans.s[i], spans.tpu[i], 1], [spans.e[i], spans.tpu[i], -1]);
  }
  steps.sort((a, b) => a[0] - b[0] || a[2] - b[2]);
  const open = new Map(), points = [];
  let busy = 0;
  for (const [x, tpu, change] of steps) {
    const now = (open.get(tpu) || 0) + change;
    if (now === 1 && change === 1) busy++;
    if (now === 0) busy--;
    open.set(tpu, now);
    points.push({ x, y: busy });
  }
  return points;
}

function railSets(t) {
  return t.rails.map((name, i) => ({
    label: name, borderColor: color(i), backgroundColor: color(i), baseColor: color(i),
    borderWidth: 1.3, pointRadius: 0, pointHoverRadius: 3,
    data: levelPoints(t.levels[0], i),
  }));
}
function busySet(t) {
  return [{
    label: "TPUs at work", stepped: "before", borderColor: color(0), backgroundColor: color(0),
    baseColor: color(0), borderWidth: 1.3, pointRadius: 0, data: busyTpus(t.spans),
  }];
}
// Kinds of the timeline share the legend through empty series.
function kindSets(t) {
  return [...new Set(t.spans.kind)].sort().map((k) => ({
    label: SPAN_KINDS[k] || "host", data: [], bar: true, baseColor: color(SPAN_COLORS[k]),
    borderColor: color(SPAN_COLORS[k]),
  }));
}
const lastOf = (list) => list.reduce((a, b) => Math.max(a, b), 0);
function wholeRun(t) {
  const l = t.levels[0];
  return { min: 0, max: l ? l.t0 + l.dt * (l.lo[0].length - (l.hi ? 0 : 1)) : lastOf(t.spans.e) };
}
// What the timeline tells of the loading, and of how the steady window begins.
function spansBetween(t, from, to) {
  const { s, e } = t.spans, starts = [], ends = [];
  s.forEach((x, i) => { if (x >= from && x < to) { starts.push(x); ends.push(e[i]); } });
  if (!starts.length) return null;
  starts.sort((a, b) => a - b);
  const min = starts[0], max = lastOf(ends);
  return { min: Math.max(0, min - (max - min) * 0.04), max };
}
function view(t) {
  const whole = wholeRun(t), steady = t.phases.find((p) => p.name === "steady");
  const from = steady ? steady.s : whole.max / 2;
  const shown = choices.traceview === "load" ? spansBetween(t, 0, from)
    : choices.traceview === "steady" ? spansBetween(t, from, Infinity) : null;
  return shown || whole;
}

if (D.traces.length) {
  FIGURES.push({
    id: "trace", wide: true, title: "Timeline of a run",
    note: "What each TPU did, and under it the power of each rail, or the number of TPUs at work "
      + "where no power was kept. Zoomed out, lowest and highest of each step; every scan by "
      + "atoll report DB --trace RUN. The timeline is kept of the first input and of the beginning "
      + "of the steady window.",
    more: { id: "traceview", label: "View", options: [["whole", "whole run"], ["load", "loading"],
      ["steady", "steady, close up"]] },
    options: D.traces.map((t, i) => [String(i), [modelLabel(t.m),
      arrangement(strategyName(t.s), t.t), workloadName(t.w)].join(" · ")]),
    optionLabel: "Run",
    build() {
      const t = D.traces[Number(choices.trace)], power = t.levels.length > 0;
      const tracks = new Set(t.spans.tpu).size;
      const time = Object.assign({ type: "linear" }, view(t));
      return {
        height: 300 + 14 * tracks,
        title: (power ? "Power and timeline of a run: " : "Timeline of a run: ") + modelLabel(t.m),
        config: {
          type: "line",
          data: { datasets: [...(power ? railSets(t) : busySet(t)), ...kindSets(t)] },
          options: {
            parsing: false, normalized: true, spanGaps: true,
            layout: { padding: { top: tracks ? 14 * tracks + 10 : 0 } },
            scales: {
              x: axis("time, ms", { ticks: { includeBounds: false }, rest: time }),
              y: axis(power ? "W" : "TPUs at work", { ticks: power ? {} : { precision: 0 },
                rest: { type: "linear", beginAtZero: true } }),
            },
            interaction: { mode: "nearest", axis: "x", intersect: false },
            plugins: {
              timelineStrip: { spans: t.spans }, zoom: { axes: ["x"] },
              phaseBands: { phases: t.phases }, pyramid: power ? { trace: t } : {},
              tooltip: tooltip((item) => {
                const p = phaseAt(t, item.raw.x);
                const lines = [item.dataset.label + ": " + full(item.raw.y) + (power ? " W" : ""),
                  short(item.raw.x, 6) + " ms, run " + t.run + ", " + D.origin];
                if (p) lines.push(p.name + ": " + short(p.ms, 4) + " ms" + (nan(p.mj) ? ""
                  : ", " + short(p.mj, 5) + " mJ ± " + short(p.u95, 2) + " in all"));
                return lines;
              }),
            },
          },
        },
      };
    },
  });
}
