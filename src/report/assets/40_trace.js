// SPDX-License-Identifier: Apache-2.0
// Power of a run with what each TPU did above it, on one time axis.

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
Chart.register(timelineStrip);

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
    data: t.t_ms.map((x, j) => ({ x, y: t.mw[i][j] / 1000 })),
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
// A stretch of the steady phase, past loading and warm-up; the whole run is one double click away.
function steadyStretch(t) {
  const { s, e } = t.spans;
  const last = t.t_ms.length ? t.t_ms[t.t_ms.length - 1] : e.reduce((a, b) => Math.max(a, b), 0);
  if (!s.length) return { min: 0, max: last };
  const starts = [...s].sort((a, b) => a - b);
  const begin = starts[Math.floor(starts.length * 0.5)];
  const end = starts[Math.floor(starts.length * 0.85)];
  return end > begin ? { min: begin, max: end } : { min: 0, max: last };
}

if (D.traces.length) {
  FIGURES.push({
    id: "trace", wide: true, title: "Timeline of a run",
    note: "What each TPU did, and under it the power of each rail, or the number of TPUs at work "
      + "where no power was kept. At most 4000 points a rail: lowest and highest of each step.",
    options: D.traces.map((t, i) => [String(i), [modelLabel(t.m),
      arrangement(strategyName(t.s), t.t), workloadName(t.w)].join(" · ")]),
    optionLabel: "Run",
    build() {
      const t = D.traces[Number(choices.trace)], power = t.rails.length > 0;
      const tracks = new Set(t.spans.tpu).size;
      const time = Object.assign({ type: "linear" }, steadyStretch(t));
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
              tooltip: tooltip((item) => [
                item.dataset.label + ": " + full(item.raw.y) + (power ? " W" : ""),
                full(item.raw.x) + " ms, " + D.origin]),
            },
          },
        },
      };
    },
  });
}
