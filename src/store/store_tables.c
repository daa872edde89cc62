/* SPDX-License-Identifier: Apache-2.0 */
/* The schema, once: which column holds which struct field. Everything else is derived from here. */
#include "store_internal.h"

/* clang-format off */
#define COLUMN(row, field, type, flags, doc) \
    {#field, ATOLL__COLUMN_##type, offsetof(struct row, field), (flags), (doc)}
/* clang-format on */
#define KEY ATOLL__COLUMN_KEY
#define MUST ATOLL__COLUMN_NOT_NULL
#define LOCAL ATOLL__COLUMN_LOCAL
#define KEPT ATOLL__COLUMN_KEPT
#define RUN ATOLL__COLUMN_RUN
#define NEW ATOLL__COLUMN_NEW

#define E(field, type, flags, doc) COLUMN(atoll_experiment_row, field, type, flags, doc)
static const struct atoll__column experiment[] = {
    E(key, TEXT, KEY,
      "sha256 over the canonical experiment: meaning of the yaml, board text, models, seed, atoll "
      "version"),
    E(name, TEXT, KEPT, "name in the yaml"),
    E(yaml, TEXT, KEPT, "text of the experiment file"),
    E(board, TEXT, KEPT, "board profile"),
    E(board_title, TEXT, KEPT, "its title"),
    E(board_yaml, TEXT, KEPT, "text of the board profile"),
    E(device, TEXT, KEPT, "sim, cpu or edgetpu"),
    E(meter, TEXT, KEPT, "none, synth, serial:PORT or replay:FILE"),
    E(clock, TEXT, KEPT, "runtime build: standard or max"),
    E(runner, TEXT, KEPT, "who drives the stages: python or c"),
    E(compiler, TEXT, KEPT, "compiler whose rules the plans follow: v16 or 2019"),
    E(atoll_version, TEXT, KEPT, "version of atoll"),
    E(device_version, TEXT, KEPT, "version of the driver or runtime"),
    E(seed, U64, KEPT, "seed of order, jitter and arrivals"),
    E(repeats, INT, KEPT, "runs of each plan and workload"),
    E(units, INT, KEPT, "runs of the whole experiment, all shards"),
    E(tpus_max, INT, KEPT, "largest number of TPUs asked for"),
    E(assumptions, TEXT, KEPT, "board constants that are assumed, one a line"),
};
#define M(field, type, flags, doc) COLUMN(atoll_model_row, field, type, flags, doc)
static const struct atoll__column model[] = {
    M(spec, TEXT, KEY, "model argument as in the experiment"),
    M(label, TEXT, KEPT, "short name for people"),
    M(sha256, TEXT, 0, "of the .tflite bytes"),
    M(source, TEXT, KEPT, "paper or file"),
    M(ops, INT, KEPT, "operators"),
    M(macs, REAL, KEPT, "multiply-accumulates of one inference"),
    M(weight_bytes, REAL, KEPT, "constant weights in the file"),
    M(stored_bytes, REAL, KEPT, "parameters as stored for one TPU"),
    M(input_h, INT, KEPT, "height of the first input, pixels"),
    M(input_w, INT, KEPT, "width of the first input, pixels"),
};
#define P(field, type, flags, doc) COLUMN(atoll_plan_row, field, type, flags, doc)
static const struct atoll__column plan[] = {
    P(experiment, TEXT, KEY, "experiment.key"),
    P(model, TEXT, KEY, "model.spec"),
    P(strategy, TEXT, KEY, "single, replicas, vendor, partition:4+2+2, ..."),
    P(tpus, INT, KEY, "TPUs asked for"),
    P(tpus_used, INT, 0, "TPUs that have a stage"),
    P(n_pipelines, INT, 0, "independent pipelines"),
    P(n_stages, INT, 0, "stages, all pipelines"),
    P(json, TEXT, 0, "plan.json"),
    P(latency_us, REAL, 0, "computed: best pipeline, one input in an empty system"),
    P(latency_u95_us, REAL, 0, "computed: 95 % half-width of latency_us"),
    P(latency_worst_us, REAL, 0, "computed: slowest pipeline"),
    P(interval_us, REAL, 0, "computed: 1e6 / throughput_hz"),
    P(throughput_hz, REAL, 0, "computed: all pipelines, saturated"),
    P(energy_mj, REAL, 0, "computed: per inference, saturated, board share included"),
    P(energy_u95_mj, REAL, 0, "computed: 95 % half-width of energy_mj"),
    P(lower_bound, REAL, 0, "of the objective"),
    P(gap_frac, REAL, 0, "distance to lower_bound"),
    P(on_chip_bytes, REAL, 0, "parameters in the TPUs' memory, summed over the pipelines' stages"),
    P(off_chip_bytes, REAL, 0, "parameters streamed at every inference, summed likewise"),
    P(skipped, TEXT, 0, "why the strategy does not apply; NULL: it does"),
    P(bottleneck, TEXT, 0, "sentence: the stage that bounds throughput"),
    P(streams, TEXT, 0, "sentence: what streams"),
    P(next_tpu, TEXT, 0, "sentence: what one more TPU would bring"),
    P(assumption, TEXT, 0, "sentence: the assumption that matters most"),
};
#define S(field, type, flags, doc) COLUMN(atoll_stage_row, field, type, flags, doc)
static const struct atoll__column stage[] = {
    S(experiment, TEXT, KEY, "experiment.key"),
    S(model, TEXT, KEY, "model.spec"),
    S(strategy, TEXT, KEY, "plan.strategy"),
    S(tpus_key, INT, KEY, "plan.tpus"),
    S(pipeline, INT, KEY, "number of the pipeline, from 0"),
    S(stage, INT, KEY, "number of the stage in it, from 0"),
    S(tpus, TEXT, 0, "TPU numbers, the replicas of the stage: 0,1"),
    S(n_ops, INT, 0, "operators"),
    S(first_op, INT, 0, "index of its first operator"),
    S(last_op, INT, 0, "index of its last operator"),
    S(first_name, TEXT, 0, "kind of its first operator"),
    S(last_name, TEXT, 0, "kind of its last operator"),
    S(stored_bytes, REAL, 0, "parameters as stored"),
    S(on_chip_bytes, REAL, 0, "of them, kept on the TPU"),
    S(off_chip_bytes, REAL, 0, "of them, streamed at every inference"),
    S(narrow_bytes_per_tile, REAL, 0, "activation memory of a tile"),
    S(input_bytes, REAL, 0, "sent to the TPU per inference, as laid out on the wire"),
    S(output_bytes, REAL, 0, "fetched from it, likewise"),
    S(compute_us, REAL, 0, "computed: layers"),
    S(stream_us, REAL, 0, "computed: streaming that compute does not hide"),
    S(input_us, REAL, 0, "computed: input transfer"),
    S(output_us, REAL, 0, "computed: output transfer"),
    S(call_us, REAL, 0, "computed: host cost of the call"),
    S(latency_us, REAL, 0, "computed: whole stage, called by hand"),
    S(service_us, REAL, 0, "computed: whole stage, driven by a thread"),
    S(load_us, REAL, 0, "computed: loading its parameters"),
    S(strips, INT, 0, "1: activations exceed the narrow memory"),
};
#define L(field, type, flags, doc) COLUMN(atoll_layer_row, field, type, flags, doc)
static const struct atoll__column layer[] = {
    L(experiment, TEXT, KEY, "experiment.key"),
    L(model, TEXT, KEY, "model.spec"),
    L(index, INT, KEY, "operator index"),
    L(op, TEXT, 0, "kind of operator"),
    L(bound, TEXT, 0, "what bounds it: array, depthwise, vector, link, free, cpu, call"),
    L(us, REAL, 0, "computed: time whole on one TPU"),
    L(cycles, REAL, 0, "computed: cycles of the unit that computes it"),
    L(ideal_cycles, REAL, 0, "computed: cycles with a full array"),
    L(macs, REAL, 0, "multiply-accumulates"),
    L(stored_bytes, REAL, 0, "parameters as stored"),
    L(stream_bytes, REAL, 0, "of them, streamed at every inference"),
};
#define Y(field, type, flags, doc) COLUMN(atoll_accuracy_row, field, type, flags, doc)
static const struct atoll__column accuracy[] = {
    Y(experiment, TEXT, KEY, "experiment.key"),
    Y(model, TEXT, KEY, "model.spec"),
    Y(data, TEXT, KEY, "set of images, as in the experiment"),
    Y(part, TEXT, KEY, "test, validation or train"),
    Y(image_limit, INT, KEPT, "images asked for at most; 0: all"),
    Y(task, TEXT, 0, "classify, segment or detect"),
    Y(images, INT, 0, "images counted"),
    Y(bad, INT, 0, "corrupt images left out"),
    Y(classes, INT, 0, "classes of the set"),
    Y(bad_first, TEXT, KEPT, "sentence about the first corrupt image"),
    Y(top1, REAL, 0, "classify: share of images whose first answer is right"),
    Y(top1_low95, REAL, 0, "lower end of its 95 % interval (Wilson)"),
    Y(top1_high95, REAL, 0, "upper end"),
    Y(top5, REAL, 0, "classify: the label is among the first five; NULL for five classes or fewer"),
    Y(top5_low95, REAL, 0, "lower end of its 95 % interval (Wilson)"),
    Y(top5_high95, REAL, 0, "upper end"),
    Y(pixel_frac, REAL, 0, "segment: share of equal pixels"),
    Y(pixel_low95, REAL, 0, "lower end of its 95 % interval (bootstrap over images)"),
    Y(pixel_high95, REAL, 0, "upper end"),
    Y(mean_iou, REAL, 0, "segment: mean intersection over union"),
    Y(ap, REAL, 0, "detect: COCO average precision, IoU 0.50 to 0.95"),
    Y(ap50, REAL, 0, "detect: at IoU 0.50"),
    Y(ap75, REAL, 0, "detect: at IoU 0.75"),
    Y(origin, TEXT, 0, "measured"),
    Y(runtime, TEXT, KEPT, "version of the TFLite runtime"),
    Y(kernels, TEXT, KEPT, "xnnpack or builtin"),
    Y(host, TEXT, LOCAL, "machine that computed it"),
    Y(started, TEXT, LOCAL, "wall clock, UTC, ISO 8601"),
    Y(seconds, REAL, LOCAL, "real seconds it took"),
    Y(images_per_s, REAL, LOCAL, "images per second"),
};
#define G(field, type, flags, doc) COLUMN(atoll_training_row, field, type, flags, doc)
static const struct atoll__column training[] = {
    G(key, TEXT, KEY, "sha256 over network, recipe, data, seed, threads and version of atoll"),
    G(calibration, INT, KEY, "training images that scaled the int8 model; 0: none written"),
    G(network, TEXT, KEPT, "its name"),
    G(data, TEXT, KEPT, "set of images"),
    G(recipe, TEXT, KEPT, "how it was trained, in one line"),
    G(seed, U64, KEPT, "of first weights, order and augmentation"),
    G(threads, INT, KEPT, "of the kernels"),
    G(epochs, INT, KEPT, "passes over the training images"),
    G(parameters, INT, KEPT, "trained numbers"),
    G(kernels, TEXT, KEPT, "version and instruction set of the training kernels"),
    G(weights_sha256, TEXT, 0, "of all parameters"),
    G(model_sha256, TEXT, 0, "of the float .tflite"),
    G(int8_sha256, TEXT, 0, "of the int8 .tflite; joins model.sha256, as model_sha256 does"),
    G(images, INT, 0, "images of the test part"),
    G(top1, REAL, 0, "float network: share of test images whose first answer is right"),
    G(top1_low95, REAL, 0, "lower end of its 95 % interval (Wilson)"),
    G(top1_high95, REAL, 0, "upper end"),
    G(atoll_version, TEXT, KEPT, "version of atoll"),
    G(host, TEXT, LOCAL, "machine that trained"),
};
#define J(field, type, flags, doc) COLUMN(atoll_epoch_row, field, type, flags, doc)
static const struct atoll__column epoch[] = {
    J(training, TEXT, KEY, "training.key"),
    J(epoch, INT, KEY, "number of the epoch, from 1"),
    J(rate, REAL, 0, "learning rate of its last step"),
    J(loss, REAL, 0, "mean loss over its training images"),
    J(accuracy_frac, REAL, 0, "share of them whose first answer was right"),
    J(validation_loss, REAL, 0, "mean loss over the validation images"),
    J(validation_accuracy_frac, REAL, 0, "share of them whose first answer is right"),
    J(seconds, REAL, LOCAL, "real seconds it took"),
};
#define R(field, type, flags, doc) COLUMN(atoll_run_row, field, type, flags, doc)
static const struct atoll__column run[] = {
    R(id, INT, ATOLL__COLUMN_ID | LOCAL, "number of the run in this file"),
    R(experiment, TEXT, KEY, "experiment.key"),
    R(model, TEXT, KEY, "model.spec"),
    R(strategy, TEXT, KEY, "plan.strategy"),
    R(tpus, INT, KEY, "plan.tpus"),
    R(workload, TEXT, KEY, "latency, saturated, rate=30, poisson=30, cold"),
    R(repeat, INT, KEY, "number of the repeat, from 0"),
    R(status, TEXT, MUST, "done or failed"),
    R(error, TEXT, 0, "sentence of a failed run"),
    R(seed, U64, 0, "of this run, from experiment.seed and the natural key"),
    R(order_index, INT, LOCAL, "place in the shuffled order"),
    R(origin, TEXT, 0, "simulated or measured"),
    R(host, TEXT, LOCAL, "machine that ran it"),
    R(started, TEXT, LOCAL, "wall clock, UTC, ISO 8601"),
    R(wall_s, REAL, LOCAL, "real seconds the run took"),
    R(count, INT, 0, "inferences in the steady phase"),
    R(p50_us, REAL, 0, "median latency"),
    R(p50_low95_us, REAL, 0, "lower end of its 95 % interval, order statistics"),
    R(p50_high95_us, REAL, 0, "upper end"),
    R(p90_us, REAL, 0, "90 % quantile"),
    R(p99_us, REAL, 0, "99 % quantile"),
    R(min_us, REAL, 0, "smallest latency"),
    R(max_us, REAL, 0, "largest latency"),
    R(mean_us, REAL, 0, "mean latency"),
    R(stdev_us, REAL, 0, "standard deviation, n-1 form"),
    R(first_us, REAL, 0, "first inference: parameters are loaded"),
    R(cold_us, REAL, 0, "creation and first inference"),
    R(throughput_hz, REAL, 0, "inferences per second in the steady window"),
    R(energy_mj, REAL, 0, "per inference, through the meter"),
    R(energy_u95_mj, REAL, 0, "its 95 % expanded uncertainty"),
    R(energy_idle_share_frac, REAL, 0, "share of energy_mj that the idle board would have used"),
    R(mean_w, REAL, 0, "mean power of the steady window"),
    R(temperature_max_c, REAL, 0, "highest TPU temperature"),
    R(throttled, INT, 0, "1: a TPU ran below full clock"),
    R(outliers, INT, 0, "samples with abs(x - median) / MAD > 14.826"),
    R(meter_lost_scans, INT, 0, "scans missing in the steady window"),
    R(idle_w, REAL, NEW, "mean power of the idle window before the run"),
    R(window_s, REAL, NEW, "length of the steady window"),
    R(energy_above_mj, REAL, NEW, "energy_mj less what the idle board takes in the time"),
    R(energy_above_u95_mj, REAL, NEW, "its 95 % expanded uncertainty; the zero cancels"),
    R(u_gain_mj, REAL, NEW, "standard uncertainty of energy_mj from gain"),
    R(u_zero_mj, REAL, NEW, "from the zero point"),
    R(u_drift_mj, REAL, NEW, "from drift"),
    R(u_noise_mj, REAL, NEW, "from noise"),
    R(u_time_mj, REAL, NEW, "from the time map"),
    R(u_volt_mj, REAL, NEW, "from a voltage that is taken as nominal"),
    R(coverage_k, REAL, NEW, "energy_u95_mj = k times the root of the sum of their squares"),
    R(energy_asked_frac, REAL, NEW, "ranging: uncertainty asked for, share of energy_mj"),
    R(ranging_s, REAL, NEW, "length of the ranging pass"),
};
#define A(field, type, flags, doc) COLUMN(atoll_rail_row, field, type, flags, doc)
static const struct atoll__column rail[] = {
    A(run, INT, KEY | RUN | LOCAL, "run.id"),
    A(rail, TEXT, KEY, "name of the rail"),
    A(energy_mj, REAL, 0, "of the steady window, whole"),
    A(u95_mj, REAL, 0, "its 95 % expanded uncertainty"),
    A(mean_w, REAL, 0, "mean power of the window"),
    A(u_gain_mj, REAL, 0, "standard uncertainty from gain"),
    A(u_zero_mj, REAL, 0, "from the zero point"),
    A(u_drift_mj, REAL, 0, "from drift"),
    A(u_noise_mj, REAL, 0, "from noise"),
    A(u_time_mj, REAL, 0, "from the time map"),
};
#define T(field, type, flags, doc) COLUMN(atoll_state_row, field, type, flags, doc)
static const struct atoll__column state[] = {
    T(run, INT, KEY | RUN | LOCAL, "run.id"),
    T(state, TEXT, KEY, "idle, transfer, load, stream or compute"),
    T(tpu_s, REAL, 0, "seconds in it in the steady window, all TPUs together"),
    T(power_w, REAL, 0, "idle: whole board; else one TPU above idle; NULL: not known"),
    T(power_u95_w, REAL, 0, "its 95 % expanded uncertainty"),
    T(energy_mj, REAL, 0, "of it in one inference"),
    T(energy_u95_mj, REAL, 0, "its 95 % expanded uncertainty"),
    T(goes_with, TEXT, 0, "state that it cannot be told from; NULL and no power: did not occur"),
};
#define H(field, type, flags, doc) COLUMN(atoll_phase_row, field, type, flags, doc)
static const struct atoll__column phase[] = {
    H(run, INT, KEY | RUN | LOCAL, "run.id"),
    H(index, INT, KEY, "number of the phase, from 0"),
    H(phase, TEXT, MUST, "idle, load, warm-up, ranging, steady, drain or cool-down"),
    H(from_s, REAL, 0, "beginning, device time as in trace and timeline"),
    H(seconds, REAL, 0, "length"),
    H(energy_mj, REAL, 0, "all rails"),
    H(u95_mj, REAL, 0, "its 95 % expanded uncertainty"),
    H(mean_w, REAL, 0, "mean power"),
};
#define B(field, type, flags, doc) COLUMN(atoll__series_row, field, type, flags, doc)
static const struct atoll__column series[] = {
    B(run, INT, KEY | RUN | LOCAL, "run.id"),
    B(kind, TEXT, KEY, "samples, trace or timeline"),
    B(n, INT, 0, "entries"),
    B(n_rails, INT, 0, "trace: rails; else 0"),
    B(names, TEXT, 0, "trace: names of the rails, a comma between"),
    B(data, BLOB, 0, "the packed entries"),
};

#define TABLE(id, name, where, since, doc)                                                         \
    [ATOLL__TABLE_##id] = {#name, doc, name, sizeof name / sizeof name[0], where, since}
const struct atoll__table atoll__tables[ATOLL__TABLES] = {
    TABLE(EXPERIMENT, experiment, NULL, 1, "One row for each experiment in the file."),
    TABLE(MODEL, model, NULL, 1, "One row for each model that an experiment names."),
    TABLE(PLAN, plan, "experiment", 1,
          "One row for each plan of an experiment, also those that do not apply. Every figure is "
          "computed."),
    TABLE(STAGE, stage, "experiment", 1, "One row for each stage of each plan."),
    TABLE(LAYER, layer, "experiment", 1,
          "One row for each operator of a model whole on one TPU, and after them the call and its "
          "transfers."),
    TABLE(ACCURACY, accuracy, "experiment", 3,
          "One row for each model of an experiment whose accuracy was asked for. Measured on the "
          "host with the TFLite runtime."),
    TABLE(TRAINING, training, NULL, 3,
          "One row for each finished training that was told to write here (atoll train --db)."),
    TABLE(EPOCH, epoch, "training", 3, "One row for each epoch of each training."),
    TABLE(RUN, run, "experiment", 1, "One row for each run."),
    TABLE(RAIL, rail, "run", 1, "One row for each rail of the meter and each run."),
    TABLE(STATE, state, "run", 2,
          "One row for each power state of each run under a meter; the power is a regression "
          "of the meter's trace on the timeline of states."),
    TABLE(PHASE, phase, "run", 2,
          "One row for each phase of the runs that keep a trace or a timeline."),
    TABLE(SERIES, series, "run", 1, "One row for each series of a run."),
};
