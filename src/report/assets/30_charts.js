// SPDX-License-Identifier: Apache-2.0
// The figures, one builder each. A builder returns {config, title, height} or a sentence that says
// why there is nothing to draw.

const narrow = () => window.innerWidth < 640;
const TPUS_MAX = D.configs.t.reduce((a, b) => Math.max(a, b), 1);

// Figures that stand side by side are given one height.
const partitionsMost = new Set(D.configs.s.filter((s, i) => D.configs.t[i] === TPUS_MAX
  && isPartition(strategyName(s)))).size;

// Limits of a logarithmic axis: the data with a little air.
function around(points, key) {
  const v = points.map((p) => p[key]).filter((x) => !nan(x) && x > 0);
  return v.length ? { min: Math.min(...v) * 0.8, max: Math.max(...v) * 1.25 } : {};
}

// Series of one strategy over the TPUs; `single` is the first point of each (one TPU is one TPU).
function overTpus(model, workload, metric, accept) {
  const found = new Map();
  for (const c of configs(model, workload)) {
    if (!accept(strategyName(D.configs.s[c]))) continue;
    const p = point(c, metric, D.configs.t[c]);
    if (!nan(p.y)) found.set(p.x, p);
  }
  return [...found.values()].sort((a, b) => a.x - b.x);
}
// Best of all partitions at each number of TPUs.
function bestPartition(model, workload, metric) {
  const more = METRICS[metric].better === "more", best = new Map();
  for (const c of configs(model, workload)) {
    if (!isPartition(strategyName(D.configs.s[c]))) continue;
    const p = point(c, metric, D.configs.t[c]), q = best.get(p.x);
    if (!nan(p.y) && (!q || (more ? p.y > q.y : p.y < q.y))) best.set(p.x, p);
  }
  return [...best.values()].sort((a, b) => a.x - b.x);
}

function lines(datasets, x, y, metric, more) {
  return {
    type: "line",
    data: { datasets },
    options: Object.assign({
      parsing: false, normalized: true, scales: { x, y }, onHover: hoverFocus,
      interaction: { mode: "nearest", intersect: false, axis: "xy" },
      plugins: Object.assign({ tooltip: configTooltip(() => metric), zoom: { axes: ["y"] } },
        more && more.plugins),
    }, more && more.options),
  };
}

FIGURES.push({
  id: "depth", wide: true, topic: "latency", title: "Inference time against pipeline depth",
  note: "Median time of one input through a pipeline cut by the vendor's rule, all models. "
    + "Bars: 95 % over repeats.",
  options: [["time", "time"], ["speedup", "relative to one TPU"]],
  build() {
    const relative = choices.depth === "speedup", datasets = [];
    D.models.spec.forEach((spec, m) => {
      const data = overTpus(m, singleWorkload(), "latency", (s) => s === "vendor");
      const singles = overTpus(m, singleWorkload(), "latency", (s) => s === "single");
      const one = singles.find((p) => p.x === 1);
      if (one && !data.some((p) => p.x === 1)) data.unshift(one);
      const base = data.find((p) => p.x === 1);
      if (relative) {
        if (!base) return;
        for (const p of data) Object.assign(p, { low: null, high: null }, { y: p.y / base.y });
        if (base) base.y = 1;
      }
      if (data.length) datasets.push(lineSet(modelLabel(m), m,
        data.map((p) => Object.assign({}, p))));
    });
    if (!datasets.length) return "No run of the vendor's cuts with one input at a time.";
    const names = !narrow() && datasets.length <= 22;
    for (const set of datasets) {
      set.borderWidth = set.label === modelLabel(STATE.model) ? 3.6 : 1.8;
    }
    return {
      height: narrow() ? 400 : 470,
      config: lines(datasets, countAxis("TPUs in the pipeline", TPUS_MAX),
        logAxis(relative ? "time relative to one TPU" : "median inference time, ms",
          around(datasets.flatMap((s) => s.data), "y")), "latency",
        { options: { layout: { padding: { right: names ? 190 : 8 } } },
          plugins: { endNames: { on: names } } }),
    };
  },
});

function strategies(metric, workload, unit) {
  return () => {
    const m = STATE.model, sets = [];
    const add = (label, key, data) => {
      if (data.length) {
        sets.push(lineSet(label, STRATEGY_COLORS[key], data, { color: strategyColor(key),
          borderDash: [] }));
      }
    };
    const w = workload();
    for (const [key, label] of [["replicas", "replicas"], ["vendor", "vendor cuts"],
      ["smallest_resident", "smallest resident"], ["exact", "exact search"],
      ["exact:throughput", "exact for throughput"], ["exact:latency", "exact for latency"],
      ["exact:energy", "exact for energy"]]) {
      add(label, key, overTpus(m, w, metric, (s) => s === key));
    }
    add("best partition", "partition", bestPartition(m, w, metric));
    const one = overTpus(m, w, metric, (s) => s === "single").filter((p) => p.x === 1);
    add("one TPU", "single", one);
    if (!sets.length) return "No such run of " + modelLabel(m) + ".";
    return { title: METRICS[metric].title + " against TPUs: " + modelLabel(m),
      config: lines(sets, countAxis("TPUs on the board that are used", TPUS_MAX),
        axis(unit, { rest: { type: "linear", beginAtZero: true } }), metric) };
  };
}
FIGURES.push({
  id: "throughput", topic: "throughput", title: "Throughput against TPUs",
  note: "All TPUs kept busy; every strategy. Bars: 95 % over repeats.",
  build: strategies("throughput", loadWorkload, "inferences per second"),
});
FIGURES.push({
  id: "energy", topic: "energy", title: "Energy per inference",
  note: "Whole board, through the meter, idle share included, all TPUs kept busy. "
    + "Bars: 95 %, meter included.",
  build: strategies("energy", loadWorkload, "mJ per inference"),
});

FIGURES.push({
  id: "partitions", title: "Partitions compared",
  note: "Every way to split the largest number of TPUs into independent pipelines; best first.",
  options: [["throughput", "throughput"], ["latency", "time"], ["energy", "energy"]],
  build() {
    const m = STATE.model, metric = choices.partitions, k = METRICS[metric];
    const workload = metric === "latency" ? singleWorkload() : loadWorkload();
    const found = configs(m, workload).filter((c) =>
      D.configs.t[c] === TPUS_MAX && isPartition(strategyName(D.configs.s[c]))
        && !nan(D.configs[k.column][c]));
    if (!found.length) {
      return "No partition of " + plural(TPUS_MAX, "TPU") + " was run for " + modelLabel(m) + ".";
    }
    const rows = found.map((c) => ({ c, p: point(c, metric, 0) }));
    rows.sort((a, b) => (k.better === "more" ? b.p.y - a.p.y : a.p.y - b.p.y));
    const data = rows.map(({ c, p }) => ({ x: p.y, y: strategyName(D.configs.s[c]).slice(10),
      low: p.low, high: p.high, config: c }));
    const c = strategyColor("partition:");
    return {
      title: "The " + rows.length + " partitions of " + plural(TPUS_MAX, "TPU") + ": "
        + modelLabel(m),
      height: Math.max(150, 70 + 20 * rows.length),
      config: {
        type: "bar",
        data: { labels: data.map((d) => d.y),
          datasets: [{ label: k.title, data, backgroundColor: alpha(c, 0.75),
          borderColor: c, baseColor: c, errorBars: true, errorColor: css("--ink"),
            barPercentage: 0.82,
          categoryPercentage: 0.95 }] },
        options: { indexAxis: "y", parsing: { xAxisKey: "x", yAxisKey: "y" },
          scales: { x: axis(k.title + ", " + k.unit,
            { rest: { type: "linear", beginAtZero: true } }),
            y: axis("TPUs of each pipeline", { ticks: { autoSkip: false, font: { size: 11.5 } },
              rest: {
              grid: { display: false, borderColor: css("--line") } } }) },
          plugins: { tooltip: configTooltip(() => metric) } },
      },
    };
  },
});

FIGURES.push({
  id: "pareto", title: "Time against energy",
  note: "Each point is one arrangement; the line joins those that nothing beats in both.",
  options: [["load", "all TPUs busy"], ["single", "one input at a time"]],
  build() {
    const m = STATE.model, busy = choices.pareto === "load", groups = new Map(), all = [];
    for (const c of configs(m, busy ? loadWorkload() : singleWorkload())) {
      const C = D.configs, time = busy ? (nan(C.hz[c]) || !C.hz[c] ? null : 1000 / C.hz[c])
        : ms(C.p50[c]);
      if (nan(time) || nan(C.mj[c])) continue;
      const name = strategyName(C.s[c]), key = isPartition(name) ? "partition" : name;
      const p = { x: time, y: C.mj[c], config: c };
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(p);
      all.push(p);
    }
    if (!all.length) return "No run of " + modelLabel(m) + " has both time and energy.";
    all.sort((a, b) => a.x - b.x || a.y - b.y);
    const front = [];
    for (const p of all) if (!front.length || p.y < front[front.length - 1].y) front.push(p);
    const sets = [{ label: "front", type: "line", data: front, borderColor: css("--ink"),
      baseColor: css("--ink"),
      backgroundColor: "transparent", borderWidth: 1.4, stepped: "before", pointRadius: 7,
        pointStyle: "circle",
      pointBackgroundColor: "transparent", pointHoverRadius: 8, order: 5 }];
    let i = 0;
    for (const [key, data] of groups) {
      const c = strategyColor(key === "partition" ? "partition:" : key);
      sets.push({ label: key.replace("_", " ").replace(":", " for "), data, showLine: false, borderColor: c, baseColor: c,
        backgroundColor: alpha(c, 0.7), pointStyle: SHAPES[i++ % 7], pointRadius: 4,
        order: key === "partition" ? 4 : 2 });
    }
    const height = narrow() ? 340 : 70 + 20 * Math.max(14, partitionsMost);
    return { title: "Time against energy: " + modelLabel(m), height, config: {
      type: "scatter", data: { datasets: sets },
      options: { parsing: false, scales: {
        x: logAxis(busy ? "time between results, ms" : "median inference time, ms",
          around(all, "x")),
        y: logAxis("energy per inference, mJ", around(all, "y")) },
      plugins: { zoom: { axes: ["x", "y"] }, tooltip: tooltip((item) => {
        const c = item.raw.config;
        const energy = metricLines(c, "energy").slice(0, 2);
        return configLines(c, busy ? "throughput" : "latency").concat(energy);
      }) } } } };
  },
});

FIGURES.push({
  id: "memory", wide: true, topic: "streams", title: "Memory of each segment", origin: "computed",
  note: "Weights that stay on the chip and weights that are streamed for every inference, "
    + "by the vendor's cuts.",
  build() {
    const m = STATE.model, s = D.strategies.indexOf("vendor"), labels = [], on = [], off = [];
    for (let t = 1; t <= TPUS_MAX; t++) {
      const plan = planOf(m, s, t);
      const stages = plan === undefined ? [] : STAGES_OF.get(plan) || [];
      if (stages.length && labels.length) { labels.push(["", ""]); on.push(null); off.push(null); }
      stages.forEach((i, n) => {
        labels.push([String(n + 1), n === Math.floor((stages.length - 1) / 2)
          ? (narrow() ? "/" : "of ") + stages.length : ""]);
        on.push(mib(D.stages.on[i]));
        off.push(mib(D.stages.off[i]));
      });
    }
    if (!labels.length) return "No vendor cuts of " + modelLabel(m) + " in this database.";
    const set = (label, data, c) => ({ label, data, backgroundColor: c, baseColor: c, bar: true,
      barPercentage: 0.95,
      categoryPercentage: 0.95 });
    return { title: "Memory of each segment: " + modelLabel(m), height: 340, config: {
      type: "bar", data: { labels, datasets: [set("on chip", on, css("--on")),
        set("off chip, streamed", off, css("--off"))] },
      options: { scales: {
        x: axis("segment, by number of TPUs in the pipeline",
          { ticks: { autoSkip: false, padding: 2,
          font: { size: narrow() ? 8 : 10.5 } },
            rest: { stacked: true, grid: { display: false } } }),
        y: axis("MiB", { rest: { stacked: true, beginAtZero: true } }) },
      interaction: { mode: "index", intersect: false },
      plugins: { tooltip: tooltip((item) => item.dataset.label + ": " + full(item.raw * 1048576)
        + " B, computed",
        (items) => (items.length && items[0].label.trim(",") ? "segment "
          + items[0].label.replace(/,/g, " ") : "")) } } } };
  },
});

FIGURES.push({
  id: "kinds", wide: true, ofAll: true, title: "Where the time goes", origin: "computed",
  note: "Each model whole on one TPU: share of its time by kind of operator, of all models.",
  options: [["op", "by operator"], ["bound", "by what bounds it"]],
  build() {
    const L = D.layers, by = choices.kinds === "bound" ? L.bound : L.op, sum = new Map(),
      total = new Map();
    for (let i = 0; i < L.m.length; i++) {
      if (nan(L.us[i])) continue;
      total.set(by[i], (total.get(by[i]) || 0) + L.us[i]);
      sum.set(L.m[i], (sum.get(L.m[i]) || 0) + L.us[i]);
    }
    const models = [...sum.keys()].filter((m) => sum.get(m) > 0);
    if (!models.length) return "No layer times in this database.";
    models.sort((a, b) => sum.get(b) - sum.get(a));
    const kinds = [...total.keys()].sort((a, b) => total.get(b) - total.get(a));
    const named = kinds.slice(0, kinds.length > 7 ? 6 : 7);
    const shown = kinds.length > named.length ? [...named, "other"] : named;
    const shares = new Map(shown.map((k) => [k, models.map(() => 0)]));
    for (let i = 0; i < L.m.length; i++) {
      const at = models.indexOf(L.m[i]), key = named.includes(by[i]) ? by[i] : "other";
      if (at >= 0 && !nan(L.us[i])) shares.get(key)[at] += L.us[i];
    }
    let n = 0;
    const sets = [...shares].map(([label, us]) => {
      const c = color(label === "other" ? 6 : n++);
      return { label, bar: true, baseColor: c, backgroundColor: c, barPercentage: 0.85,
        categoryPercentage: 0.95,
        us, data: us.map((v, i) => (100 * v) / sum.get(models[i])) };
    });
    return { height: Math.max(170, 90 + 24 * models.length), config: { type: "bar",
      data: { labels: models.map((m) => (narrow() ? modelLabel(m).slice(0, 15) : modelLabel(m))),
        datasets: sets },
      options: { indexAxis: "y", scales: {
        x: axis("share of the time on one TPU, %", { rest: { stacked: true, max: 100 } }),
        y: axis("", { ticks: { autoSkip: false }, rest: { stacked: true, title: { display: false },
          grid: { display: false } } }) },
      plugins: { tooltip: tooltip((item) => [modelLabel(models[item.dataIndex]), item.dataset.label,
        full(item.dataset.us[item.dataIndex]) + " µs of " + full(sum.get(models[item.dataIndex]))
          + " µs",
        short(item.raw) + " %, computed"]) } } } };
  },
});
