// SPDX-License-Identifier: Apache-2.0
// Energy by power state (regression of the metered power on the timeline), and the budget of its
// uncertainty.

const STATES = ["idle", "transfer", "load", "stream", "compute"];
const STATE_LABELS = { idle: "idle board", transfer: "transfer", load: "load", stream: "stream",
  compute: "compute" };
const STATE_COLORS = { idle: 6, transfer: 5, load: 3, stream: 1, compute: 0 };
const COMPONENTS = ["gain", "zero", "drift", "noise", "time", "voltage"];

// Rows of D.power that belong to a model under a workload, in the order of TPUs.
function powerRows(model, workload) {
  const C = D.configs, w = D.workloads.indexOf(workload), rows = [];
  D.power.c.forEach((c, i) => {
    // One TPU is one TPU, by whatever name.
    const own = (strategyName(C.s[c]) === "single") === (C.t[c] === 1);
    if (own && C.m[c] === model && C.w[c] === w) rows.push(i);
  });
  return rows.sort((a, b) => C.t[D.power.c[a]] - C.t[D.power.c[b]]
    || C.s[D.power.c[a]] - C.s[D.power.c[b]]);
}
const rowName = (i) => arrangement(strategyName(D.configs.s[D.power.c[i]]),
  D.configs.t[D.power.c[i]]);
// The row with the least energy, which the two small figures speak of.
function leastRow(rows) {
  const mj = (i) => D.configs.mj[D.power.c[i]];
  return rows.reduce((a, b) => (a === null || mj(b) < mj(a) ? b : a), null);
}
function powerWorkload() {
  return choices.energystates === "single" ? singleWorkload() : loadWorkload();
}

if (D.power.c.length) {
  FIGURES.push({
    id: "energystates", wide: true, title: "Energy per inference by power state",
    note: "Whole board, through the meter; the part of each state by regression of the metered "
      + "power on the timeline of what each TPU did. Bars: 95 % of the sum, meter included.",
    options: [["load", "all TPUs busy"], ["single", "one input at a time"]],
    build() {
      const m = STATE.model, rows = powerRows(m, powerWorkload()), C = D.configs;
      if (!rows.length) return "No run of " + modelLabel(m) + " under a meter.";
      const labels = rows.map(rowName);
      const known = (i) => STATES.some((s) => !nan(D.power.states[s].mj[i]));
      const sets = STATES.map((s) => ({
        label: STATE_LABELS[s], bar: true, baseColor: color(STATE_COLORS[s]), stack: "e",
        backgroundColor: color(STATE_COLORS[s]), barPercentage: 0.8, categoryPercentage: 0.95,
        state: s, data: rows.map((i, k) => ({ x: D.power.states[s].mj[i], y: labels[k], row: i })),
      })).filter((set) => set.data.some((p) => !nan(p.x) && p.x > 0));
      // Where states cannot be told apart, what is above idle stands as one.
      const rest = rows.map((i, k) => {
        const told = STATES.reduce((sum, s) => sum + (D.power.states[s].mj[i] || 0), 0);
        const left = C.mj[D.power.c[i]] - told;
        return { x: left > 0.01 * C.mj[D.power.c[i]] ? left : null, y: labels[k], row: i };
      });
      if (rest.some((p) => !nan(p.x))) {
        sets.push({ label: "not told apart", bar: true, baseColor: css("--soft"), stack: "e",
          backgroundColor: css("--soft"), barPercentage: 0.8, categoryPercentage: 0.95, data: rest,
        });
      }
      sets.push({ label: "energy, 95 %", showLine: false, type: "line", noLegend: true,
        baseColor: css("--ink"), borderColor: css("--ink"), backgroundColor: css("--ink"),
        pointRadius: 2, errorBars: true, errorColor: css("--ink"), order: -1, stack: "total",
        data: rows.map((i, k) => ({ x: C.mj[D.power.c[i]], y: labels[k], row: i,
          low: C.mjl[D.power.c[i]], high: C.mjh[D.power.c[i]] })) });
      return { title: "Energy per inference by power state: " + modelLabel(m),
        height: 110 + 20 * rows.length, config: { type: "bar", data: { labels, datasets: sets },
          options: { indexAxis: "y", parsing: { xAxisKey: "x", yAxisKey: "y" }, scales: {
            x: axis("mJ per inference", { rest: { type: "linear", stacked: true,
              beginAtZero: true } }),
            y: axis("", { ticks: { autoSkip: false, font: { size: 11.5 } }, rest: { stacked: true,
              title: { display: false }, grid: { display: false } } }) },
          plugins: { tooltip: tooltip((item) => {
            const i = item.raw.row, c = D.power.c[i], s = item.dataset.state;
            const lines = [modelLabel(m), rowName(i)];
            if (s) {
              const k = D.power.states[s];
              lines.push(STATE_LABELS[s] + ": " + full(k.mj[i]) + " ± " + full(k.mju[i]) + " mJ",
                s === "idle" ? full(k.w[i]) + " ± " + full(k.wu[i]) + " W, the whole board"
                  : full(k.w[i]) + " ± " + full(k.wu[i]) + " W a TPU, above idle; "
                    + full(k.tpu_s[i]) + " s in it");
            } else if (item.dataset.stack === "e") {
              lines.push("not told apart: " + short(item.raw.x, 4) + " mJ");
            } else {
              lines.push(...metricLines(c, "energy").slice(0, 2));
              if (!nan(D.power.above[i])) lines.push("above the idle board: "
                + full(D.power.above[i]) + " ± " + full(D.power.aboveu[i]) + " mJ");
            }
            if (!known(i)) lines.push("states not known: the meter kept no scans");
            lines.push(D.origin + ", " + plural(D.configs.n[c], "repeat"));
            return lines;
          }) } } } };
    },
  });

  FIGURES.push({
    id: "statepower", title: "Power of the states",
    note: "One TPU above the idle board, by regression; the arrangement with the least energy. "
      + "Bars: 95 %, meter and model included.",
    build() {
      const m = STATE.model, row = leastRow(powerRows(m, loadWorkload()));
      if (row === null) return "No run of " + modelLabel(m) + " under a meter.";
      const shown = STATES.slice(1), P = D.power.states;
      const told = shown.filter((s) => !nan(P[s].w[row]));
      if (!told.length) return "The states of " + modelLabel(m) + " are not known.";
      const apart = shown.filter((s) => P[s].with[row]).map((s) => s + " goes together with "
        + P[s].with[row]);
      const data = told.map((s) => ({ x: s, y: P[s].w[row], low: P[s].w[row] - P[s].wu[row],
        high: P[s].w[row] + P[s].wu[row], state: s }));
      return { title: "Power of the states: " + modelLabel(m) + ", " + rowName(row)
        + (apart.length ? " (" + apart.join(", ") + ": not told apart)" : ""),
        config: { type: "bar", data: { labels: told, datasets: [{ label: "W above idle", data,
          backgroundColor: told.map((s) => color(STATE_COLORS[s])), baseColor: color(0),
          errorBars: true, errorColor: css("--ink"), barPercentage: 0.7 }] },
        options: { parsing: { xAxisKey: "x", yAxisKey: "y" }, scales: {
          x: axis("state of a TPU", { rest: { grid: { display: false } } }),
          y: axis("W above idle, one TPU", { rest: { type: "linear", beginAtZero: true,
            suggestedMax: Math.max(...data.map((p) => p.high)) } }) },
        plugins: { tooltip: tooltip((item) => {
          const s = item.raw.state;
          return [rowName(row), s + ": " + full(P[s].w[row]) + " ± " + full(P[s].wu[row]) + " W",
            "idle board: " + full(P.idle.w[row]) + " ± " + full(P.idle.wu[row]) + " W",
            full(P[s].tpu_s[row]) + " s in it, by the timeline, all TPUs",
            full(P[s].mj[row]) + " ± " + full(P[s].mju[row]) + " mJ per inference", D.origin];
        }) } } } };
    },
  });

  FIGURES.push({
    id: "budget", title: "Uncertainty of the energy",
    note: "Standard components of one run's energy, share of it, and all of them expanded to "
      + "95 %; the arrangement with the least energy.",
    build() {
      const m = STATE.model, row = leastRow(powerRows(m, loadWorkload())), B = D.power.budget;
      if (row === null) return "No run of " + modelLabel(m) + " under a meter.";
      const k = B.k[row], parts = COMPONENTS.filter((c) => !nan(B[c][row]));
      const all = Math.sqrt(parts.reduce((sum, c) => sum + B[c][row] ** 2, 0));
      const labels = [...parts, "all, 95 %"];
      const data = [...parts.map((c) => ({ x: 100 * B[c][row], y: c })),
        { x: 100 * k * all, y: "all, 95 %" }];
      return { title: "Uncertainty of the energy: " + modelLabel(m) + ", " + rowName(row),
        config: { type: "bar", data: { labels, datasets: [{ label: "% of the energy", data,
          baseColor: color(4), backgroundColor: labels.map((l, i) => (i < parts.length ? color(4)
            : css("--ink"))), barPercentage: 0.75 }] },
        options: { indexAxis: "y", parsing: { xAxisKey: "x", yAxisKey: "y" }, scales: {
          x: axis("% of the energy of an inference", { rest: { type: "linear",
            beginAtZero: true } }),
          y: axis("", { ticks: { autoSkip: false }, rest: { title: { display: false },
            grid: { display: false } } }) },
        plugins: { tooltip: tooltip((item) => [rowName(row), item.raw.y + ": "
          + short(item.raw.x, 3) + " %" + (item.raw.y === "all, 95 %" ? ", k " + short(k, 3)
            : ", standard"), D.origin]) } } } };
    },
  });
}
