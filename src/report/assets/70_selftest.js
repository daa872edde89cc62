// SPDX-License-Identifier: Apache-2.0
// "#selftest" makes the page check itself: console errors, empty charts, text that overflows, the
// width of the window. The answer is JSON in <pre id="selftest">, for the browser test.

function inked(canvas) {
  if (!canvas.width || !canvas.height) return 0;
  // A copy is read, so that the page's canvas stays on the graphics card.
  const copy = el("canvas", { width: canvas.width, height: canvas.height });
  const ctx = copy.getContext("2d", { willReadFrequently: true });
  ctx.drawImage(canvas, 0, 0);
  const p = ctx.getImageData(0, 0, canvas.width, canvas.height).data;
  let n = 0;
  for (let i = 3; i < p.length; i += 4) if (p[i] > 0) n++;
  return n / (p.length / 4);
}
function chartFaults(where) {
  for (const f of FIGURES) {
    const chart = CHARTS.get(f.id);
    if (!chart) {
      if (!f.dom.none.textContent) FAULTS.push(where + "no chart and no reason: " + f.id);
      continue;
    }
    const points = chart.data.datasets.reduce((sum, s) => sum + s.data.filter((p) =>
      !nan(p) && (typeof p === "number" || !nan(p.y))).length, 0);
    if (!points) FAULTS.push(where + "chart without data: " + f.id);
    const a = chart.chartArea;
    if (a.right - a.left < 120 || a.bottom - a.top < 60) {
      FAULTS.push(where + "no room to draw: " + f.id + " " + Math.round(a.right - a.left) + "x"
        + Math.round(a.bottom - a.top));
    }
    tooltipFaults(f, chart, where);
    zoomFaults(f, chart, where);
    if (inked(f.dom.canvas) < 0.004) FAULTS.push(where + "empty chart: " + f.id);
  }
}
// A tooltip must have words and no hole in them.
function tooltipFaults(f, chart, where) {
  chart.data.datasets.forEach((set, datasetIndex) => {
    const index = set.data.findIndex((p) => !nan(p) && (typeof p === "number" || !nan(p.y)));
    if (index < 0 || !chart.isDatasetVisible(datasetIndex)) return;
    chart.tooltip.setActiveElements([{ datasetIndex, index }], { x: 0, y: 0 });
    chart.update("none");
    const text = (chart.tooltip.body || []).flatMap((b) => b.lines).join(" | ");
    if (!text || /undefined|NaN|not known/.test(text)) {
      FAULTS.push(where + "tooltip of " + f.id + ", " + set.label + ": '" + text + "'");
    }
    chart.tooltip.setActiveElements([], { x: 0, y: 0 });
  });
}
// The keyboard must zoom in and back.
function zoomFaults(f, chart, where) {
  const axes = zoom.axes(chart);
  if (!axes.length) return;
  const limits = () =>
    axes.map((s) => chart.scales[s.id].min + "," + chart.scales[s.id].max).join(";");
  const press = (key) =>
    f.dom.canvas.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
  const before = limits();
  press("+");
  if (limits() === before) FAULTS.push(where + "no zoom: " + f.id);
  press("0");
  if (limits() !== before) FAULTS.push(where + "zoom does not come back: " + f.id);
}
function overflowFaults(where) {
  const page = document.documentElement;
  if (page.scrollWidth > window.innerWidth) {
    FAULTS.push(where + "the page is wider than the window: " + page.scrollWidth + " > "
      + window.innerWidth);
  }
  const texts = "h1,h2,h3,p,li,dt,dd,th,td,button,label,summary,figcaption,figure,select,article";
  for (const node of document.querySelectorAll(texts)) {
    if (!node.offsetParent || node.closest(".tablewrap") && !/^T[HD]$/.test(node.tagName)) continue;
    if (node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== "inline") {
      FAULTS.push(where + "text overflows: " + node.tagName + " " + node.textContent.slice(0, 60));
    }
    const box = node.getBoundingClientRect();
    if (!node.closest(".tablewrap") && (box.right > window.innerWidth + 0.5 || box.left < -0.5)) {
      FAULTS.push(where + "outside the window: " + node.tagName + " " + node.textContent.slice(0,
        60));
    }
  }
  for (const text of document.querySelectorAll("#pipeline svg text")) {
    const box = text.getBBox(), view = text.ownerSVGElement.viewBox.baseVal;
    if (box.x + box.width > view.width + 1) FAULTS.push(where + "text leaves the drawing: "
      + text.textContent);
  }
}
function tableFaults() {
  document.querySelectorAll("#configs thead button").forEach((b) => { b.click(); b.click(); });
  TABLE.filter.text = "no such thing";
  drawTable();
  if (byId("rows").children.length) FAULTS.push("the filter let a row through");
  TABLE.filter.text = "";
  drawTable();
  if (D.configs.m.length && !byId("rows").children.length) FAULTS.push("the table is empty");
}

function selftest() {
  const models = D.models.spec.length;
  for (let m = 0; m < models; m += Math.max(1, Math.floor(models / 4))) {
    choose(m);
    for (const f of FIGURES) {
      for (const [value] of f.options || [[null]]) {
        if (value !== null) { choices[f.id] = value; draw(f); }
      }
      if (f.options) choices[f.id] = f.options[0][0];
    }
    for (const [value] of OBJECTIVES) {
      choices.pipeline = value;
      drawPipelines();
      overflowFaults(modelLabel(m) + ": ");
    }
    chartFaults(modelLabel(m) + ": ");
  }
  tableFaults();
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  overflowFaults("all open: ");
  const answer = { schema: "atoll.selftest/1", innerWidth: window.innerWidth, figures: CHARTS.size,
    models, configs: D.configs.m.length, faults: [...new Set(FAULTS)] };
  document.title = answer.faults.length ? "selftest: faults" : "selftest: ok";
  document.body.append(el("pre", { id: "selftest" }, JSON.stringify(answer)));
}
