// SPDX-License-Identifier: Apache-2.0
// The page's data block and how its numbers are written. Text from the database only ever becomes
// text nodes (textContent), never markup.
// Faults are kept from the first line on, for the self-test (70_selftest.js).
const FAULTS = [];
window.addEventListener("error", (e) => FAULTS.push("error: " + e.message));
window.addEventListener("unhandledrejection", (e) => FAULTS.push("rejection: " + e.reason));
const consoleError = console.error.bind(console);
console.error = (...words) => {
  FAULTS.push("console: " + words.join(" "));
  consoleError(...words);
};

const D = JSON.parse(document.getElementById("data").textContent);
const STATE = { model: 0, objective: "latency" };

const byId = (id) => document.getElementById(id);
const nan = (v) => v === null || v === undefined || Number.isNaN(v);

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// Three significant digits or more for the eye; the tooltips carry every stored digit.
function short(v, digits = 3) {
  if (nan(v)) return "–";
  const a = Math.abs(v);
  if (a === 0) return "0";
  if (a >= 1e6) return v.toExponential(2);
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(a)));
  return group(v.toFixed(Math.min(decimals, 6)));
}
function group(text) {
  const [whole, part] = text.split(".");
  const spaced = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  return part === undefined ? spaced : spaced + "." + part;
}
const full = (v) => (nan(v) ? "not known" : group(String(v)));
function bytes(v) {
  if (nan(v)) return "–";
  if (v === 0) return "0";
  const units = ["B", "KiB", "MiB", "GiB"];
  let i = 0;
  while (v >= 1024 && i < 3) { v /= 1024; i++; }
  return (i === 0 ? String(v) : v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2))
    + " " + units[i];
}
const ms = (us) => (nan(us) ? null : us / 1000);
const mib = (b) => (nan(b) ? null : b / 1048576);
const plural = (n, word) => n + " " + word + (n === 1 ? "" : "s");

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const color = (i) => css("--c" + (((i % 7) + 7) % 7));
const SHAPES = ["circle", "triangle", "rect", "rectRot", "star", "crossRot", "rectRounded"];
const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]];
const alpha = (hex, a) => hex + Math.round(a * 255).toString(16).padStart(2, "0");

const modelLabel = (m) => D.models.label[m] || D.models.spec[m];
const strategyName = (s) => D.strategies[s];
const workloadName = (w) => D.workloads[w];
const STRATEGY_COLORS = { single: 6, replicas: 0, vendor: 1, smallest_resident: 2, exact: 3,
  "exact:throughput": 3, "exact:latency": 5, "exact:energy": 3, partition: 4 };
const isPartition = (name) => name.startsWith("partition:");
const strategyColor = (name) => {
  const i = STRATEGY_COLORS[isPartition(name) ? "partition" : name];
  return color(i === undefined ? 5 : i);
};
function arrangement(strategy, tpus) {
  if (strategy === "single") return "one TPU";
  if (strategy === "replicas") return plural(tpus, "replica");
  if (strategy === "vendor") return "vendor cuts, " + plural(tpus, "TPU");
  if (strategy === "smallest_resident") return "smallest resident, " + plural(tpus, "TPU");
  if (strategy.split(":")[0] === "exact") {
    return strategy.replace(":", " search for ") + ", " + plural(tpus, "TPU");
  }
  if (isPartition(strategy)) return strategy.slice(10).replace(/\+/g, " + ") + " TPUs";
  return strategy + ", " + plural(tpus, "TPU");
}

// Indices of configurations; an index over (model, workload) keeps look-ups short.
const CONFIG_INDEX = new Map();
for (let i = 0; i < D.configs.m.length; i++) {
  const key = D.configs.m[i] + "|" + D.configs.w[i];
  if (!CONFIG_INDEX.has(key)) CONFIG_INDEX.set(key, []);
  CONFIG_INDEX.get(key).push(i);
}
function configs(model, workload) {
  const w = D.workloads.indexOf(workload);
  return CONFIG_INDEX.get(model + "|" + w) || [];
}
const PLAN_INDEX = new Map();
for (let i = 0; i < D.plans.m.length; i++) {
  PLAN_INDEX.set(D.plans.m[i] + "|" + D.plans.s[i] + "|" + D.plans.t[i], i);
}
const planOf = (m, s, t) => PLAN_INDEX.get(m + "|" + s + "|" + t);
const planOfConfig = (c) => planOf(D.configs.m[c], D.configs.s[c], D.configs.t[c]);
const STAGES_OF = new Map();
for (let i = 0; i < D.stages.p.length; i++) {
  if (!STAGES_OF.has(D.stages.p[i])) STAGES_OF.set(D.stages.p[i], []);
  STAGES_OF.get(D.stages.p[i]).push(i);
}
const hasWorkload = (name) => D.workloads.includes(name);
const loadWorkload = () => (hasWorkload("saturated") ? "saturated" : D.workloads[0]);
const singleWorkload = () => (hasWorkload("latency") ? "latency" : D.workloads[0]);

// Metrics of a configuration: column, its interval, factor to the unit shown.
const METRICS = {
  latency: { column: "p50", low: "p50l", high: "p50h", scale: 1e-3, unit: "ms", better: "less",
    title: "Median inference time" },
  throughput: { column: "hz", low: "hzl", high: "hzh", scale: 1, unit: "inferences/s",
    better: "more",
    title: "Throughput" },
  energy: { column: "mj", low: "mjl", high: "mjh", scale: 1, unit: "mJ", better: "less",
    title: "Energy per inference" },
};
function point(c, metric, x) {
  const k = METRICS[metric];
  const scaled = (column) => {
    const v = D.configs[column][c];
    return nan(v) ? null : v * k.scale;
  };
  return { x, y: scaled(k.column), low: scaled(k.low), high: scaled(k.high), config: c };
}
