// SPDX-License-Identifier: Apache-2.0
// The pipeline drawing: one row a stage, top to bottom as data flows, bytes on each boundary.

const OBJECTIVES = [["latency", "one input, least time"], ["throughput", "most per second"],
  ["energy", "least energy"]];

const replicas = (i) => String(D.stages.tpus[i]).split(",").length;
// Of a stage for each inference of the pipeline: its replicas work in turn.
const shareUs = (i) => D.stages.service[i] / replicas(i);

// Pipelines of a plan with equal stages are drawn once, with their number.
function pipelinesOf(plan) {
  const found = new Map();
  for (const i of STAGES_OF.get(plan) || []) {
    const p = D.stages.pipe[i];
    if (!found.has(p)) found.set(p, []);
    found.get(p).push(i);
  }
  const groups = new Map();
  for (const stages of found.values()) {
    stages.sort((a, b) => D.stages.stage[a] - D.stages.stage[b]);
    const key = stages.map((i) => [D.stages.op0[i], D.stages.op1[i], D.stages.nops[i],
      replicas(i)].join()).join(";");
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(stages);
  }
  return [...groups.values()];
}

const PARTS = [["input", "input", 5], ["compute", "compute", 0], ["stream", "streaming", 1],
  ["output", "output", 2], ["call", "host call", 6]];

function fit(text, width, size) {
  const room = Math.floor(width / (size * 0.54));
  return text.length <= room ? text : text.slice(0, Math.max(1, room - 1)) + "…";
}

function stageRow(i, y, w, scale, bottleneck) {
  const S = D.stages, phone = w < 560, left = 12, g = svg("g");
  const textWidth = phone ? w - 2 * left : w * 0.36;
  const barX = phone ? left : left + textWidth + 14, barW = w - barX - left - 180;
  const h = phone ? 92 : 64, bars = phone ? y + 48 : y + 15;
  g.append(svg("rect", { x: 1, y, width: w - 2, height: h, rx: 8, fill: css("--panel"),
    stroke: bottleneck ? css("--off") : css("--line"), "stroke-width": bottleneck ? 2 : 1 }));
  const name = "Stage " + (S.stage[i] + 1) + " · TPU " + String(S.tpus[i]).replace(/,/g, ", ");
  g.append(svg("text", { x: left, y: y + 21, "font-weight": 600 },
    fit(name + (bottleneck ? " · bottleneck" : ""), textWidth, 13.5)));
  const range = S.op0[i] === S.op1[i] ? "operator " + S.op0[i] : "operators " + S.op0[i] + " to "
    + S.op1[i];
  g.append(svg("text", { x: left, y: y + 38, class: "soft" },
    fit(range + " (" + S.nops[i] + ")", textWidth, 12)));
  if (!phone) {
    g.append(svg("text", { x: left, y: y + 54, class: "soft" },
      fit((S.name0[i] || "") + " … " + (S.name1[i] || ""), textWidth, 12)));
  }
  const bar = (top, parts, unit, label) => {
    let x = barX;
    for (const [value, fill, title] of parts) {
      const width = Math.max(0, value * unit);
      if (width <= 0) continue;
      g.append(svg("rect", { x, y: top, width, height: 13, fill }, svg("title", {}, title)));
      x += width;
    }
    g.append(svg("text", { x: x + 6, y: top + 11, class: "soft" }, label));
  };
  const parts = PARTS.map(([column, title, c]) => {
    const v = S[column][i];
    return [nan(v) ? 0 : v, color(c), title + ": " + full(v) + " µs, computed"];
  });
  bar(bars, parts, barW / scale.us, short(S.service[i] / 1000) + " ms" + (replicas(i) > 1
    ? ", " + short(shareUs(i) / 1000) + " by " + replicas(i) : ""));
  const off = nan(S.off[i]) ? 0 : S.off[i], on = nan(S.on[i]) ? 0 : S.on[i];
  bar(bars + 20, [[on, css("--on"), "on chip: " + full(on) + " B, computed"],
    [off, css("--off"), "off chip, streamed for each inference: " + full(off) + " B, computed"]],
  barW / scale.bytes, bytes(on + off) + (off > 0 ? ", " + bytes(off) + " streamed" : ""));
  return { g, h };
}

function flow(y, text, w) {
  const g = svg("g");
  g.append(svg("path", { d: "M24 " + y + "v22m-4.5 -6l4.5 6l4.5 -6", fill: "none",
    stroke: css("--soft"), "stroke-width": 1.5 }));
  g.append(svg("text", { x: 38, y: y + 16, class: "soft" }, fit(text, w - 40, 12)));
  return g;
}

// The stage that sets the pace. Streams beside each other add the same time c to every stage, and
// interval = max of (service + c) / replicas; so it is the stage that leaves least for c. With
// several pipelines only the plan's interval is known, and c is left out.
function slowestStage(stages, plan) {
  const interval = 1e6 / D.plans.hz[plan], alone = D.plans.pipes[plan] === 1 && interval > 0;
  const slack = (i) => (alone ? interval * replicas(i) - D.stages.service[i] : -shareUs(i));
  return stages.reduce((a, b) => (slack(b) < slack(a) ? b : a));
}

function pipelineDrawing(stages, w, copies, plan) {
  const S = D.stages, root = svg("svg", { role: "img" });
  const us = (i) => Math.max(nan(S.service[i]) ? 0 : S.service[i],
    PARTS.reduce((sum, p) => sum + (nan(S[p[0]][i]) ? 0 : S[p[0]][i]), 0));
  const scale = { us: Math.max(1e-9, ...stages.map(us)),
    bytes: Math.max(1, ...stages.map((i) => (S.on[i] || 0) + (S.off[i] || 0))) };
  const slowest = slowestStage(stages, plan);
  let y = 2;
  root.append(flow(y, bytes(S.inb[stages[0]]) + " in", w));
  y += 26;
  stages.forEach((i, n) => {
    const row = stageRow(i, y, w, scale, stages.length > 1 && i === slowest);
    root.append(row.g);
    y += row.h + 2;
    const next = stages[n + 1];
    const text = next === undefined ? " out"
      : S.inb[next] === S.outb[i] ? " to the next stage"
        : " written for later stages, " + bytes(S.inb[next]) + " read by the next";
    root.append(flow(y, bytes(S.outb[i]) + text, w));
    y += 26;
  });
  root.setAttribute("viewBox", "0 0 " + w + " " + y);
  root.setAttribute("aria-label", plural(stages.length, "stage") + (copies > 1 ? ", " + copies
    + " times" : "")
    + ": " + stages.map((i) => "stage " + (S.stage[i] + 1) + ", operators " + S.op0[i] + " to "
      + S.op1[i] + ", "
    + short(S.service[i] / 1000) + " ms, " + bytes(S.off[i]) + " streamed").join("; "));
  return root;
}

function drawPipelines() {
  const box = byId("pipeline"), controls = byId("pipeline-controls");
  if (!controls.children.length) {
    controls.append(segmented("pipeline", "Objective", OBJECTIVES, drawPipelines));
  }
  const b = D.best, at = b.m.findIndex((m, i) => m === STATE.model
    && b.objective[i] === choices.pipeline);
  box.replaceChildren();
  const plan = at < 0 ? undefined : b.plan[at];
  if (plan === undefined || plan === null || !STAGES_OF.has(plan)) {
    box.append(el("p", { class: "none" }, "No plan with stages for " + modelLabel(STATE.model)
      + "."));
    return;
  }
  const P = D.plans, k = METRICS[choices.pipeline], c = b.config[at];
  box.append(el("p", {}, el("strong", {}, modelLabel(STATE.model) + ": "
    + arrangement(strategyName(P.s[plan]), P.t[plan])), ". " + k.title + " "
    + short(D.configs[k.column][c] * k.scale, 4) + " " + k.unit + ", " + D.origin + "."));
  const key = el("div", { class: "legend" }, PARTS.map(([, title, i]) =>
    el("span", {}, swatch({ bar: true, baseColor: color(i) }), " " + title + "  ")),
  el("span", {}, swatch({ bar: true, baseColor: css("--on") }), " on chip  "),
  el("span", {}, swatch({ bar: true, baseColor: css("--off") }), " off chip"),
  el("span", {}, "The number is the service time; parts that overlap in time add up to more. "
    + "Replicas take the inputs in turn, so their share of it is what the next stage waits for."));
  box.append(key);
  const width = Math.max(280, Math.min(980, box.clientWidth));
  for (const group of pipelinesOf(plan)) {
    const tpus = group.flat().map((i) => D.stages.tpus[i]).join(", ");
    if (pipelinesOf(plan).length > 1 || group.length > 1) {
      box.append(el("h3", {}, group.length > 1 ? group.length + " equal pipelines, TPUs " + tpus
        : "Pipeline on TPUs " + tpus));
    }
    box.append(pipelineDrawing(group[0], width, group.length, plan));
  }
}
