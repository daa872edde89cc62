// SPDX-License-Identifier: Apache-2.0
// What the figures share: axes, tooltips, legend, the data table behind each figure.

Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
Chart.defaults.font.size = 12.5;
Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;
Chart.defaults.plugins.legend.display = false;

function axis(title, options) {
  const o = options || {};
  return Object.assign({
    title: { display: true, text: title, color: css("--soft"), font: { size: 12.5 } },
    grid: { color: css("--grid"), borderColor: css("--line"), drawTicks: false },
    ticks: Object.assign({ color: css("--soft"), padding: 6, maxRotation: 0 },
      o.rest && o.rest.type === "linear"
        ? { callback: (v) => group(String(Number(v.toPrecision(8)))) } : null, o.ticks),
  }, o.rest);
}
const PLAIN_LOG = {
  includeBounds: false,
  callback(v) { return /^[125]0*$/.test(String(v).replace(/^0\.0*/, "")) ? group(String(v)) : ""; },
  autoSkip: false,
};
const logAxis = (title, rest) =>
  axis(title, { ticks: PLAIN_LOG, rest: Object.assign({ type: "logarithmic" }, rest) });
const countAxis = (title, max) =>
  axis(title, { ticks: { stepSize: 1, precision: 0 }, rest: { type: "linear", min: 1, max,
    offset: true } });

function tooltip(lines, title) {
  return {
    backgroundColor: css("--ink"), titleColor: css("--bg"), bodyColor: css("--bg"), padding: 9,
    displayColors: false, bodyFont: { size: 12 }, titleFont: { size: 12.5 },
    callbacks: { title: title || (() => ""), label: lines },
  };
}

// All digits of one metric of a configuration, its interval, repeats and origin.
function metricLines(c, metric) {
  const k = METRICS[metric], C = D.configs;
  const unit = metric === "latency" ? "µs" : k.unit;
  const lines = [k.title + ": " + full(C[k.column][c]) + " " + unit];
  if (!nan(C[k.low][c])) lines.push("95 %: " + full(C[k.low][c]) + " to " + full(C[k.high][c])
    + " " + unit);
  lines.push(D.origin + ", " + workloadName(C.w[c]) + ", " + plural(C.n[c], "repeat"));
  return lines;
}
function configLines(c, metric) {
  const C = D.configs;
  return [modelLabel(C.m[c]), arrangement(strategyName(C.s[c]), C.t[c]), ...metricLines(c, metric)];
}
const configTooltip = (metric) =>
  tooltip((item) => (item.raw && item.raw.config !== undefined
    ? configLines(item.raw.config, metric(item.raw)) : item.formattedValue));

function lineSet(label, i, data, extra) {
  const c = extra && extra.color ? extra.color : color(i);
  return Object.assign({
    label, data, baseColor: c, borderColor: c, backgroundColor: c, borderWidth: 2,
    pointStyle: SHAPES[(i + Math.floor(i / 7)) % 7], pointRadius: 3.4, pointHoverRadius: 6,
    borderDash: DASHES[Math.floor(i / 7) % 4], errorBars: true, spanGaps: true, tension: 0,
  }, extra || {});
}

// Fading the other lines while one is pointed at keeps a figure of many models readable.
function focusLine(chart, index) {
  if (chart.$focus === index) return;
  chart.$focus = index;
  chart.data.datasets.forEach((set, i) => {
    const c = index === null || i === index ? set.baseColor : alpha(set.baseColor, 0.18);
    set.borderColor = c;
    set.backgroundColor = c;
  });
  chart.update("none");
}
const hoverFocus = (event, items, chart) =>
  focusLine(chart, items.length ? items[0].datasetIndex : null);

function swatch(set) {
  const s = svg("svg", { width: 22, height: 10, "aria-hidden": "true" });
  if (set.type === "bar" || set.bar) {
    s.append(svg("rect", { x: 4, y: 0, width: 12, height: 10, rx: 2, fill: set.baseColor }));
    return s;
  }
  if (set.showLine !== false) {
    s.append(svg("line", { x1: 0, x2: 22, y1: 5, y2: 5, stroke: set.baseColor, "stroke-width": 2,
      "stroke-dasharray": (set.borderDash || []).join(" ") }));
  }
  s.append(svg("circle", { cx: 11, cy: 5, r: 3.4, fill: set.baseColor }));
  return s;
}
function legend(chart, box) {
  box.replaceChildren();
  if (chart.data.datasets.length < 2) return;
  chart.data.datasets.forEach((set, i) => {
    if (set.noLegend) return;
    const button = el("button", { type: "button", "aria-pressed": "true",
      onclick() {
        const show = !chart.isDatasetVisible(i);
        chart.setDatasetVisibility(i, show);
        button.setAttribute("aria-pressed", String(show));
        chart.update("none");
      } }, swatch(set), set.label);
    box.append(button);
  });
}

function dataTable(chart) {
  const body = el("tbody"), sideways = chart.options.indexAxis === "y";
  const labels = chart.data.labels || [];
  const x = chart.options.scales.x, y = chart.options.scales.y;
  const names = sideways ? [y, x] : [x, y];
  let rows = 0;
  chart.data.datasets.forEach((set) => set.data.forEach((raw, j) => {
    if (raw === null || raw === undefined || rows >= 400) return;
    const value = typeof raw === "object" ? (sideways ? raw.x : raw.y) : raw;
    const place = typeof raw === "object" ? (sideways ? raw.y : raw.x) : labels[j];
    if (nan(value)) return;
    rows++;
    const shown = Array.isArray(place) ? place.join(" ") : String(place);
    body.append(el("tr", {}, el("th", { scope: "row" }, set.label || ""),
      el("td", { class: "num" }, shown),
      el("td", { class: "num" }, full(value)), el("td", { class: "num" }, nan(raw.low) ? ""
        : full(raw.low)),
      el("td", { class: "num" }, nan(raw.high) ? "" : full(raw.high))));
  }));
  const heading = (s, fallback) => (s && s.title && s.title.text) || fallback;
  return el("div", { class: "tablewrap", tabindex: "0", role: "region",
    "aria-label": "Data of the figure" },
    el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Series"),
      el("th", { scope: "col", class: "num" }, heading(names[0], "At")),
      el("th", { scope: "col", class: "num" }, heading(names[1], "Value")),
      el("th", { scope: "col", class: "num" }, "95 % low"),
        el("th", { scope: "col", class: "num" }, "95 % high"))),
    body));
}

const choices = {};  // figure id -> the value of its control
function segmented(id, label, options, changed) {
  if (!(id in choices) || !options.some((o) => o[0] === choices[id])) choices[id] = options[0][0];
  if (options.length > 4) {
    const menu = el("select",
      { "aria-label": label, onchange() { choices[id] = menu.value; changed(); } },
      options.map(([value, text]) => el("option", { value }, text)));
    menu.sync = () => { menu.value = choices[id]; };
    return menu;
  }
  const box = el("span", { class: "seg", role: "group", "aria-label": label });
  for (const [value, text] of options) {
    box.append(el("button", { type: "button", onclick() {
      choices[id] = value;
      box.sync();
      changed();
    } }, text));
  }
  box.sync = () => options.forEach(([value], i) =>
    box.children[i].setAttribute("aria-pressed", String(value === choices[id])));
  box.sync();
  return box;
}

// The verdict's sentence on the selected model stands over the figure that shows it.
function findingOf(model, topic) {
  const found = D.findings.find((f) => f.model === modelLabel(model) && f.topic === topic);
  return found ? found.sentence : "";
}

// {id, title, note, topic, origin, wide, ofAll, options, build}, in the page's order.
const FIGURES = [];
const CHARTS = new Map();

function frame(f) {
  const canvas = el("canvas", { role: "img", tabindex: "0", "aria-label": f.title + ". "
    + f.note });
  const box = el("div", { class: "canvas" }, canvas);
  const details = el("details", {}, el("summary", {}, "Data of this figure"));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length < 2 && CHARTS.has(f.id)) {
      details.append(dataTable(CHARTS.get(f.id)));
    }
  });
  f.dom = { canvas, box, details, title: el("h3", {}, f.title),
    reading: el("p", { class: "reading" }), legend: el("div", { class: "legend" }),
    none: el("p", { class: "none", hidden: "" }), controls: el("div", { class: "controls" }) };
  if (f.options) {
    f.dom.controls.append(segmented(f.id, f.optionLabel || "Shown", f.options, () => draw(f)));
  }
  if (f.more) {
    f.dom.controls.append(segmented(f.more.id, f.more.label, f.more.options, () => draw(f)));
  }
  return el("figure", { id: "fig-" + f.id, class: f.wide ? "wide" : "" },
    el("figcaption", {}, f.dom.title, f.dom.reading,
      el("p", {}, f.note + " ", el("span", { class: "origin" }, f.origin || D.origin))),
    f.dom.controls, box, f.dom.none, f.dom.legend, details);
}

function draw(f) {
  const old = CHARTS.get(f.id);
  if (old) old.destroy();
  CHARTS.delete(f.id);
  for (const control of f.dom.controls.children) control.sync();
  const built = f.build(f);
  const empty = typeof built === "string";
  f.dom.box.hidden = empty;
  f.dom.details.hidden = empty;
  f.dom.none.hidden = !empty;
  f.dom.legend.replaceChildren();
  while (f.dom.details.children.length > 1) f.dom.details.lastChild.remove();
  f.dom.details.open = false;
  if (empty) { f.dom.none.textContent = built; return; }
  if (built.height) f.dom.box.style.height = built.height + "px";
  if (built.title) f.dom.title.textContent = built.title;
  f.dom.reading.textContent = f.topic ? (built.title ? "" : modelLabel(STATE.model) + ": ")
    + findingOf(STATE.model, f.topic) : "";
  f.dom.reading.hidden = !f.dom.reading.textContent;
  const chart = new Chart(f.dom.canvas, built.config);
  CHARTS.set(f.id, chart);
  legend(chart, f.dom.legend);
}
