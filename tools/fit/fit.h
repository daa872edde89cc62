/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fit: constants of the chip and of hosts from tables of published measurements, by weighted
 * least squares on relative errors. A tool of the source tree, not installed.
 *
 * A row is a measured time of a network (or of its segments on several Edge TPUs) on a host. Its
 * prediction is the library's own law (atoll_cost_stage_of) on programs whose cycles are rebuilt
 * from the parameters at hand. Parameters are logarithms, so constants stay positive; each has a
 * prior (what is known without these rows, and how well), so that a host with few rows is not
 * fitted beyond what they say.
 */
#ifndef ATOLL_FIT_H
#define ATOLL_FIT_H

#include <atoll/cost.h>

#include "tsv.h"

#include <stdio.h>

/* Classes of operators whose cycles are one fitted factor times a count. */
enum fit_class { FIT_CONV, FIT_DEPTHWISE, FIT_VECTOR, FIT_CLASSES };
extern const char *const fit_class_constant[FIT_CLASSES]; ///< names in the table of constants
#define FIT_MIB 1048576.0
/** Relative standard error from which on a row says nothing about the laws: its source repeats no
 * better, or rounds to whole milliseconds. */
#define FIT_SIGMA_NO_TEST 0.3

enum { FIT_HOSTS_MAX = 40, FIT_OWN_MAX = 16, FIT_PARAMS_MAX = 240, FIT_STAGES_MAX = 8 };

/** A platform with rows of its own: a copy of a board profile, changed by the parameters. */
struct fit_host {
    const char *name;    ///< in reports
    const char *profile; ///< board profile it starts from
    bool writes;         ///< the fitted constants go back into the profile
    int runner;          ///< 0 python, 1 c: which drives of the profile it fits
    struct atoll_board *opened;
    struct atoll_board board; ///< working copy
    struct atoll_use use;
    double array_factor; ///< factor of the array for chains of one kind; 0: the chip's
    double step_cycles;  ///< cycles more per step of the array (chains; 0 for real networks)
};

/** One segment of a row. */
struct fit_stage {
    struct atoll_program program;
    double *unit; ///< n_layers x FIT_CLASSES: cycles of each layer at a factor of 1
};

enum fit_kind {
    FIT_LATENCY,         ///< sum over stages, called one after the other
    FIT_INTERVAL,        ///< slowest stage, driven by threads
    FIT_COPIES,          ///< measured latency of one copy, with further independent copies beside
    FIT_COPIES_INTERVAL, ///< measured interval of one copy, the same
};
struct fit_row {
    char label[80];
    const char *family;
    int host;
    enum fit_kind kind;
    uint32_t copies; ///< further copies
    double one_ms;   ///< of copies: measured latency or interval of one
    struct fit_stage *stages;
    uint32_t n_stages;
    double ms;      ///< measured
    double half_ms; ///< half of the last digit that its source gives; 0: many digits
    double sigma;   ///< relative standard error that its source deserves
    bool shown;     ///< predicted, but no part of any fit
    double host_ms; ///< of shown rows: the host's threads, per stage, one after the other
    double predicted_ms, row_out_ms, family_out_ms, host_out_ms;
    double family_out_u95_ms, host_out_u95_ms; ///< half-widths as the library states them
    double family_out_layers_ms;               ///< part of family_out_ms that the chip's laws make
};

enum fit_place { FIT_CHIP, FIT_BOARD, FIT_DRIVE, FIT_ARRAY_FACTOR };
/** One parameter. */
struct fit_param {
    char name[64];
    enum fit_place place;
    int host; ///< -1 for the chip
    enum fit_class chip;
    size_t offset;       ///< of the quantity in struct atoll_board or atoll_drive_cost
    int drive;           ///< of FIT_DRIVE: 0 called, 1 threaded, 2 both
    double prior, sigma; ///< median and relative spread of what is known beforehand
    double log_value;
    double rel_u95; ///< after the fit
};

struct fit {
    struct fit_host hosts[FIT_HOSTS_MAX];
    int n_hosts;
    char own[FIT_OWN_MAX][96]; ///< names of boards whose rows are the caller's own
    int n_own;
    const char *share; ///< directory of the board profiles; NULL: the usual ones
    struct fit_row *rows;
    size_t n_rows, cap_rows;
    struct fit_param params[FIT_PARAMS_MAX];
    int n_params;
    double chip[FIT_CLASSES];        ///< factors at hand
    double load_ms, load_ms_per_mib; ///< loading parameters on USB 3
    double mj_per_gmac;              ///< arithmetic on the Dev Board Micro
    FILE *out;                       ///< where the report goes
    const char *data;                ///< directory of the tables
};

/* fit_models.c */
/** "zoo specification", "posenet:HxW", "bodypix:HxW", "io:<sweep>:HxW",
 *  "dense:<units>x<layers>". */
struct atoll_model *fit_model(const char *spec, struct atoll_err *err);

/* fit_rows.c, fit_rows_board.c */
int fit_add_row(struct fit *f, const char *family, int host, const char *label, double ms,
                double sigma, struct fit_row **row, struct atoll_err *err);
/** Adds the operators [from, to) of a vendor order, or the whole model (order NULL), as a stage. */
int fit_add_stage(struct fit_row *row, const struct atoll_model *m, enum atoll_compiler compiler,
                  const uint32_t *ops, uint32_t n, struct atoll_err *err);
void fit_drop_stages(struct fit_row *row);
/** A row of a whole network on one device. */
int fit_add_whole(struct fit *f, const char *family, const char *host, const char *label,
                  const char *spec, enum atoll_compiler compiler, double ms, double sigma,
                  struct atoll_err *err);
/** Replaces the law by what a capture of the link showed. */
void fit_set_instructions(struct fit_row *row, uint64_t bytes);
/** Replaces the cache law by a known off-chip size (compiler 1.0): the last layers stream. */
void fit_force_streaming(struct fit_row *row, double off_mib);
/** Cuts by the vendor's rule; a softmax at the end is left out. */
int fit_add_vendor_stages(struct fit_row *row, const struct atoll_model *m, uint32_t n,
                          struct atoll_err *err);
int fit_host_index(const struct fit *f, const char *name);
int fit_load_networks(struct fit *f, struct atoll_err *err);
int fit_load_sweeps(struct fit *f, struct atoll_err *err);
int fit_load_card(struct fit *f, struct atoll_err *err);
int fit_load_others(struct fit *f, struct atoll_err *err);
int fit_load_synthetic(struct fit *f, struct atoll_err *err);
/* fit_rows_pipes.c */
/** Chains on several devices: rows that are shown, not fitted. */
int fit_load_pipes(struct fit *f, struct atoll_err *err);

/* fit_hosts.c */
int fit_open_hosts(struct fit *f, struct atoll_err *err);
/** The host of rows that name a board profile; made when it is first asked for. */
int fit_own_host(struct fit *f, const char *profile, int *host, struct atoll_err *err);

/* fit_predict.c */
void fit_apply(struct fit *f);
double fit_predict(const struct fit *f, const struct fit_row *row);
/** 95 % half-width that the library states for the row, ms; `layers_ms`: time on the chip. */
double fit_predict_u95(const struct fit *f, const struct fit_row *row, double *layers_ms);

/* fit_solve.c */
/** Least squares over the rows for which use[i]; starts from the parameters at hand. */
int fit_solve(struct fit *f, const bool *use, int iterations, bool with_u95, struct atoll_err *err);
int fit_cross_validate(struct fit *f, struct atoll_err *err);

/* fit_extra.c */
/** Loading and energy: fits and prints. */
int fit_extra(struct fit *f, struct atoll_err *err);

/* fit_energy.c */
/** Energy of inferences on the Dev Board Micro, given the measured time and from the model alone.
 */
int fit_energy(struct fit *f, struct atoll_err *err);

/* fit_depth.c */
/** Latency against pipeline depth: table to `out`, picture into docs/img (source_dir NULL: none).
 */
int fit_depth(const struct fit *f, const char *source_dir, struct atoll_err *err);

/* fit_report.c, fit_write.c, fit_svg.c */
void fit_report(const struct fit *f, bool rows);
int fit_write(const struct fit *f, const char *source_dir, struct atoll_err *err);
int fit_write_plots(const struct fit *f, const char *source_dir, struct atoll_err *err);

void fit_close(struct fit *f);

#endif
