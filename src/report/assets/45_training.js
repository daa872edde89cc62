// SPDX-License-Identifier: Apache-2.0
// How networks were trained: loss and accuracy after each epoch, and what the test images said.

const trainingName = (t) => t.network + " on " + t.data;

// One line for the training images and one for the validation images of each training.
function epochSets(training, validation, scale) {
  const several = D.trainings.length > 1, sets = [];
  D.trainings.forEach((t, i) => {
    const add = (column, label, dashes) => {
      const data = t[column].map((v, e) => ({ x: e + 1, y: nan(v) ? null : v * scale, t: i }))
        .filter((p) => p.y !== null);
      if (data.length) {
        sets.push(lineSet(several ? trainingName(t) + ", " + label : label, i, data,
          { borderDash: dashes, color: color(several ? i : sets.length) }));
      }
    };
    add(training, "training images", []);
    add(validation, "validation images", [6, 3]);
  });
  return sets;
}
// The test part, a point with its interval: the float network, and the models that it became.
function testSets() {
  const sets = [];
  D.trainings.forEach((t, i) => {
    const last = t.loss.length, several = D.trainings.length > 1 ? t.network + ", " : "";
    const add = (label, r, c) => sets.push(lineSet(several + label, c,
      [{ x: last, y: r.top1 * 100, low: r.top1_low * 100, high: r.top1_high * 100, t: i,
        images: r.images }], { showLine: false, pointRadius: 5, color: color(c) }));
    if (!nan(t.top1)) add("test images, float", t, i + 2);
    for (const r of D.accuracy) {
      if (r.m === t.m && !nan(r.top1)) {
        add((r.part === "test" ? "test" : r.part) + " images, " + modelLabel(r.m), r, i + 3);
      }
    }
  });
  return sets;
}
function epochLines(sets, unit) {
  const most = D.trainings.reduce((a, t) => Math.max(a, t.loss.length), 1);
  return { type: "line", data: { datasets: sets }, options: {
    parsing: false, normalized: true, onHover: hoverFocus,
    scales: { x: countAxis("epoch", most), y: axis(unit, { rest: { type: "linear" } }) },
    interaction: { mode: "nearest", intersect: false, axis: "xy" },
    plugins: { zoom: { axes: ["y"] }, tooltip: tooltip((item) => {
      const p = item.raw, t = D.trainings[p.t];
      const lines = [trainingName(t), item.dataset.label + ": " + full(p.y) + (unit === "%"
        ? " %" : "")];
      if (!nan(p.low)) lines.push("95 %: " + short(p.low, 4) + " to " + short(p.high, 4) + " % of "
        + plural(p.images, "image"));
      return [...lines, "after epoch " + p.x + ", measured"];
    }) } } };
}

if (D.trainings.length) {
  FIGURES.push({
    id: "loss", ofAll: true, title: "Training: loss", origin: "measured",
    note: "Mean cross-entropy after each epoch.",
    build() {
      const sets = epochSets("loss", "validation_loss", 1);
      return sets.length ? { config: epochLines(sets, "loss") } : "No epoch in this database.";
    },
  }, {
    id: "learned", ofAll: true, title: "Training: accuracy", origin: "measured",
    note: "Share of images whose first answer is right. Points: the test images, with 95 % bars.",
    build() {
      const sets = [...epochSets("accuracy", "validation_accuracy", 100), ...testSets()];
      return sets.length ? { config: epochLines(sets, "%") } : "No epoch in this database.";
    },
  });
}

// The overview's column; null where no model's accuracy was asked for.
const ACCURACY_NAMES = { classify: ["top1", "right"], segment: ["mean_iou", "mean IoU"],
  detect: ["ap", "average precision"] };
function accuracyCell(m) {
  const r = D.accuracy.find((a) => a.m === m);
  if (!r) return cell("–", null, true);
  const [key, name] = ACCURACY_NAMES[r.task] || ACCURACY_NAMES.classify;
  const low = r[key + "_low"], high = r[key + "_high"];
  const half = Math.max(high - r[key], r[key] - low);
  const td = cell((100 * r[key]).toFixed(1), nan(low) ? null : "±" + (100 * half).toFixed(1), true);
  td.title = [modelLabel(m), name + ": " + full(100 * r[key]) + " %"
    + (nan(low) ? "" : ", 95 %: " + short(100 * low, 4) + " to " + short(100 * high, 4)),
  plural(r.images, "image") + " of " + r.data + ", " + r.part,
  r.origin + " on the host, " + r.kernels + " kernels"].join("\n");
  return td;
}
