// SPDX-License-Identifier: Apache-2.0
// Puts the page together; one selected model drives verdict, figures and drawing.

function choose(m) {
  STATE.model = m;
  byId("model").value = String(m);
  markCurrent();
  const own = D.traces.findIndex((t) => t.m === m);
  if (own >= 0) choices.trace = String(own);
  for (const f of FIGURES) if (!f.ofAll) draw(f);
  drawPipelines();
}
function redraw() {
  for (const f of FIGURES) draw(f);
  drawPipelines();
}
function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  if (FIGURES[0].dom) redraw();
}
function isDark() {
  const set = document.documentElement.dataset.theme;
  return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function main() {
  document.body.classList.add("js");
  const flags = location.hash.slice(1).split(",");
  if (flags.includes("dark")) theme("dark");
  const picker = byId("model");
  D.models.spec.forEach((spec, m) => picker.append(el("option", { value: m }, modelLabel(m))));
  picker.addEventListener("change", () => choose(Number(picker.value)));
  byId("theme").addEventListener("click", () => theme(isDark() ? "light" : "dark"));
  glance();
  byId("figures").append(...FIGURES.map(frame));
  for (const f of FIGURES) if (f.ofAll) draw(f);
  // The model that gains most from several TPUs tells most on the first screen.
  let first = 0, most = 0;
  D.best.m.forEach((m, i) => {
    if (D.best.objective[i] === "latency"
      && D.best.ratio[i] > most) { most = D.best.ratio[i]; first = m; }
  });
  if (D.models.spec.length) choose(first);
  buildTable();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = window.innerWidth, wait = 0;
  window.addEventListener("resize", () => {
    clearTimeout(wait);
    wait = setTimeout(() => {
      if (width !== window.innerWidth) {
        width = window.innerWidth;
        redraw();
      }
    }, 200);
  });
  // Paper is white: charts are drawn in light colours while printing.
  let before;
  window.addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme;
    theme("light");
  });
  window.addEventListener("afterprint", () => {
    if (before) theme(before);
    else { delete document.documentElement.dataset.theme; redraw(); }
  });
  if (flags.includes("selftest")) setTimeout(selftest, 50);
}
main();
