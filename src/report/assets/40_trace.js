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

if (D.traces.length) {
  FIGURES.push({
    id: "trace", wide: true, ofAll: true, title: "Power of a run",
    note: "Rails over time with what each TPU did above. At most 4000 points a rail: "
      + "lowest and highest of each step.",
    options: D.traces.map((t, i) => [String(i), modelLabel(t.m) + " · "
      + arrangement(strategyName(t.s), t.t)
      + " · " + workloadName(t.w)]),
    optionLabel: "Run",
    build() {
      const t = D.traces[Number(choices.trace)], spans = t.spans;
      const tracks = new Set(spans.tpu).size;
      const sets = t.rails.map((name, i) => ({ label: name, borderColor: color(i),
        backgroundColor: color(i),
        baseColor: color(i), borderWidth: 1.3, pointRadius: 0, pointHoverRadius: 3,
        data: t.t_ms.map((x, j) => ({ x, y: t.mw[i][j] / 1000 })) }));
      // Kinds of the timeline share the legend through empty series.
      const used = [...new Set(spans.kind)].sort();
      for (const k of used) {
        sets.push({ label: SPAN_KINDS[k] || "host", data: [], bar: true,
          baseColor: color(SPAN_COLORS[k]),
          borderColor: color(SPAN_COLORS[k]) });
      }
      const last = t.t_ms[t.t_ms.length - 1];
      // Start with the first busy stretch that can be read, the whole is one double click away.
      const begin = spans.s.length ? spans.s[0] : 0;
      const early = spans.e[Math.min(spans.e.length - 1, 20)];
      const end = spans.e.length ? Math.min(last, begin + 12 * Math.max(1, early - begin)) : last;
      return { height: 300 + 14 * tracks, title: "Power of a run: " + modelLabel(t.m), config: {
        type: "line", data: { datasets: sets },
        options: { parsing: false, normalized: true, spanGaps: true,
          layout: { padding: { top: tracks ? 14 * tracks + 10 : 0 } },
          scales: { x: axis("time, ms", { ticks: { includeBounds: false }, rest: { type: "linear",
            min: Math.max(0, begin - 1), max: end } }),
            y: axis("W", { rest: { type: "linear", beginAtZero: true } }) },
          interaction: { mode: "nearest", axis: "x", intersect: false },
          plugins: { timelineStrip: { spans }, zoom: { axes: ["x"] },
            tooltip: tooltip((item) => [item.dataset.label + ": " + full(item.raw.y) + " W",
              full(item.raw.x) + " ms, " + D.origin]) } } } };
    },
  });
}
