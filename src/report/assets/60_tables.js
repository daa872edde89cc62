// SPDX-License-Identifier: Apache-2.0
// The overview beside the verdict, and the table of all configurations with sorting and filters.

function cell(text, sub, numeric) {
  return el("td", { class: numeric ? "num" : "" }, text, sub ? el("span", { class: "sub" },
    " " + sub) : null);
}

function bestOf(m, objective) {
  return D.best.m.findIndex((x, i) => x === m && D.best.objective[i] === objective);
}
function bestCell(m, objective, digits) {
  const i = bestOf(m, objective);
  if (i < 0) return el("td", { class: "num" }, "–");
  const B = D.best, k = METRICS[objective], c = B.config[i];
  const gain = nan(B.ratio[i]) ? null : B.single[i] === c ? "one TPU" : !B.beyond_noise[i]
    ? "±noise"
    : objective === "energy" ? "−" + short(100 * (1 - 1 / B.ratio[i])) + " %" : "×"
      + short(B.ratio[i]);
  const td = cell(short(D.configs[k.column][c] * k.scale, digits), gain, true);
  td.title = configLines(c, objective).join("\n");
  return td;
}
function glance() {
  const body = el("tbody"), unit = (text, sub) => el("th", { scope: "col", class: "num" }, text,
    el("br"), sub);
  D.models.spec.forEach((spec, m) => {
    const resident = D.models.resident[m], one = D.models.off_one[m];
    const until = nan(one) ? "–" : nan(resident) ? "> " + TPUS_MAX : String(resident);
    body.append(el("tr", { "data-model": m },
      el("th", { scope: "row" }, el("button", { type: "button", onclick: () => choose(m) },
        modelLabel(m))),
      cell(bytes(one), null, true), cell(until, null, true),
      bestCell(m, "latency", 3), bestCell(m, "throughput", 3), bestCell(m, "energy", 3),
      D.accuracy.length ? accuracyCell(m) : null));
  });
  byId("glance").append(el("div", { class: "tablewrap", tabindex: "0", role: "region",
    "aria-label": "All models" },
    el("table", { class: "sticky" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Model"),
        unit("streams on", "one TPU"),
        unit("all on chip", "from TPUs"), unit("least time", "ms"), unit("most", "per s"),
          unit("least", "mJ"), D.accuracy.length ? unit("right", "%") : null)), body)),
  el("p", { class: "note" }, "× and % are gains over one TPU. Bytes are computed, the rest is "
    + D.origin + (D.accuracy.length ? "; accuracy is measured on the host, ± half of "
    + "its 95 % interval." : ".")));
}
function markCurrent() {
  for (const tr of document.querySelectorAll("tr[data-model]")) {
    tr.classList.toggle("current", Number(tr.dataset.model) === STATE.model);
  }
  for (const a of document.querySelectorAll(".sentences article")) {
    a.classList.toggle("current", Number(a.dataset.model) === STATE.model
      || a.dataset.model === "all");
  }
}

const interval = (low, high, scale) =>
  (nan(low) ? null : "[" + short(low * scale, 4) + ", " + short(high * scale, 4) + "]");
const COLUMNS = (() => {
  const C = D.configs, value = (column, scale, digits, low, high) => ({
    numeric: true, get: (c) => C[column][c],
    cell: (c) => {
      const td = cell(nan(C[column][c]) ? "–" : short(C[column][c] * scale, digits),
        low && interval(C[low][c], C[high][c], scale), true);
      td.title = full(C[column][c]);
      return td;
    } });
  return [
    { name: "Model", get: (c) => modelLabel(C.m[c]) },
    { name: "Arrangement", get: (c) => arrangement(strategyName(C.s[c]), C.t[c]) },
    { name: "TPUs", numeric: true, get: (c) => C.t[c] },
    { name: "Workload", get: (c) => workloadName(C.w[c]) },
    Object.assign({ name: "Median, ms" }, value("p50", 1e-3, 4, "p50l", "p50h")),
    Object.assign({ name: "p99, ms" }, value("p99", 1e-3, 4)),
    Object.assign({ name: "First, ms" }, value("first", 1e-3, 4)),
    Object.assign({ name: "Per second" }, value("hz", 1, 4, "hzl", "hzh")),
    Object.assign({ name: "Energy, mJ" }, value("mj", 1, 4, "mjl", "mjh")),
    Object.assign({ name: "Off chip" }, { numeric: true, get: (c) => {
      const p = planOfConfig(c);
      return p === undefined ? null : D.plans.off[p];
    }, cell: (c) => {
      const p = planOfConfig(c);
      return cell(p === undefined ? "–" : bytes(D.plans.off[p]), null, true);
    } }),
    { name: "Repeats", numeric: true, get: (c) => C.n[c], cell: (c) => cell(String(C.n[c]),
      [C.failed[c] ? C.failed[c] + " failed" : "", C.throttled[c] ? C.throttled[c] + " throttled"
        : ""]
        .filter(Boolean).join(", "), true) },
  ];
})();

const TABLE = { sort: 4, down: false, rows: 25, filter: { text: "", model: "", workload: "",
  tpus: "" } };

function matching() {
  const f = TABLE.filter, C = D.configs, found = [];
  const words = f.text.toLowerCase().split(/\s+/).filter(Boolean);
  for (let c = 0; c < C.m.length; c++) {
    if (f.model !== "" && C.m[c] !== Number(f.model)) continue;
    if (f.workload !== "" && C.w[c] !== Number(f.workload)) continue;
    if (f.tpus !== "" && C.t[c] !== Number(f.tpus)) continue;
    if (words.length) {
      const text = (modelLabel(C.m[c]) + " " + strategyName(C.s[c]) + " "
        + arrangement(strategyName(C.s[c]), C.t[c]) + " " + workloadName(C.w[c])).toLowerCase();
      if (!words.every((w) => text.includes(w))) continue;
    }
    found.push(c);
  }
  const get = COLUMNS[TABLE.sort].get, sign = TABLE.down ? -1 : 1;
  return found.map((c) => [get(c), c]).sort((a, b) => {
    if (nan(a[0]) || nan(b[0])) return nan(a[0]) - nan(b[0]);
    return sign * (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]);
  }).map((pair) => pair[1]);
}

function drawTable() {
  const found = matching(), body = byId("rows");
  body.replaceChildren(...found.slice(0, TABLE.rows).map((c) => el("tr", {},
    COLUMNS.map((column, i) => {
    if (i === 0) return el("th", { scope: "row" }, column.get(c));
    return column.cell ? column.cell(c) : cell(nan(column.get(c)) ? "–" : String(column.get(c)),
      null, column.numeric);
  }))));
  byId("count").textContent = found.length + " of " + plural(D.configs.m.length, "configuration")
    + (found.length > TABLE.rows ? ", the first " + TABLE.rows + " shown" : "");
  byId("more").hidden = found.length <= TABLE.rows;
  document.querySelectorAll("#configs thead th").forEach((th, i) => {
    if (i === TABLE.sort) th.setAttribute("aria-sort", TABLE.down ? "descending" : "ascending");
    else th.removeAttribute("aria-sort");
  });
}

function select(label, key, options) {
  const node = el("select",
    { onchange() { TABLE.filter[key] = node.value; TABLE.rows = 25; drawTable(); } },
    el("option", { value: "" }, "all"), options.map(([value, text]) => el("option", { value },
      text)));
  return el("label", {}, label, node);
}

function buildTable() {
  const tpus = [...new Set(D.configs.t)].sort((a, b) => a - b);
  const text = el("input", { type: "search", placeholder: "vendor, 4 + 2 + 2 …",
    oninput() { TABLE.filter.text = text.value; TABLE.rows = 25; drawTable(); } });
  const head = el("tr", {},
    COLUMNS.map((column, i) => el("th", { scope: "col", class: column.numeric ? "num" : "" },
    el("button", { type: "button", onclick() {
      TABLE.down = TABLE.sort === i ? !TABLE.down : false;
      TABLE.sort = i;
      drawTable();
    } }, column.name))));
  byId("tables-body").append(
    el("p", { class: "note" },
      "Mean over repeats of each run's figure; in brackets its 95 % interval. "
      + "Every single run is in runs.csv (atoll report DB --csv DIR)."),
    el("div", { class: "filters" }, el("label", {}, "Find", text),
      select("Model", "model", D.models.spec.map((s, m) => [m, modelLabel(m)])),
      select("Workload", "workload", D.workloads.map((w, i) => [i, w])),
      select("TPUs", "tpus", tpus.map((t) => [t, t]))),
    el("div", { class: "tablewrap", tabindex: "0", role: "region", "aria-label": "Configurations" },
      el("table", { id: "configs", class: "sticky" },
        el("caption", { id: "count", "aria-live": "polite" }),
        el("thead", {}, head), el("tbody", { id: "rows" }))),
    el("p", {}, el("button", { type: "button", id: "more", class: "more",
      onclick() { TABLE.rows += 100; drawTable(); } }, "Show more")));
  drawTable();
}
