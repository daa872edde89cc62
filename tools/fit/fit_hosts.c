/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts with rows, and what is known of their constants before the fit: every link class has a
 * median and a spread, from the rates that streaming_k.tsv states and the floors of the sweeps. A
 * host whose rows say more overrules it; a host without rows keeps it.
 */
#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const fit_class_constant[FIT_CLASSES] = {"conv_cycle_factor", "depthwise_cycle_factor",
                                                     "vector_cycle_factor"};

/** Median and relative spread (of the logarithm). */
struct known {
    double median, spread;
};
/** Constants of a link class: call us, input us/MiB, output us/MiB, output us/kpx, stream us/MiB.
 */
struct link_class {
    struct known call, input, output, px, stream;
};
static const struct link_class usb3 = {
    {350, 0.4}, {2400, 0.35}, {11000, 0.35}, {90, 0.7}, {2290, 0.03}};
static const struct link_class usb3_slow = {
    {450, 0.4}, {3400, 0.35}, {16000, 0.4}, {120, 0.7}, {3290, 0.03}};
static const struct link_class usb3_2019 = {
    {350, 0.4}, {3000, 0.3}, {12000, 0.5}, {90, 0.7}, {2906, 0.1}};
static const struct link_class usb2 = {
    {450, 0.4}, {32000, 0.15}, {40000, 0.5}, {200, 0.7}, {31000, 0.1}};
static const struct link_class usb2_micro = {
    {2500, 0.5}, {32000, 0.15}, {40000, 0.5}, {200, 0.7}, {31000, 0.1}};
static const struct link_class pcie = {
    {220, 0.5}, {2750, 0.25}, {5600, 0.4}, {20, 1.0}, {2720, 0.02}};
static const struct link_class card = {
    {400, 0.6}, {2750, 0.25}, {5600, 0.4}, {20, 1.0}, {2760, 0.01}};
static const struct link_class card_threads = {
    {400, 0.6}, {1500, 1.0}, {1500, 1.0}, {20, 1.0}, {2760, 0.01}};

/** A host of the tables. */
struct host_known {
    const char *name, *profile;
    bool writes;
    int runner;
    enum atoll_clock clock;
    const struct link_class *link;
    bool drives_differ; ///< threads and hand calls are fitted apart
    bool chains; ///< synthetic chains: their own array factor, so that they move no network's
};
static const struct host_known known_hosts[] = {
    {"coral benchmarks page, USB 3", "usb3_x86", true, 1, ATOLL_CLOCK_MAX, &usb3, false, false},
    {"Python API, x86, USB 3", "usb3_x86", true, 0, ATOLL_CLOCK_MAX, &usb3, false, false},
    {"coral models page", "usb3_x86", false, 1, ATOLL_CLOCK_MAX, &usb3, false, false},
    {"Mac, USB 3", "usb3_x86", false, 0, ATOLL_CLOCK_MAX, &usb3, false, false},
    {"desktop, standard build", "usb3_x86", false, 1, ATOLL_CLOCK_STANDARD, &usb3, false, false},
    {"Dev Board", "dev_board", true, 1, ATOLL_CLOCK_MAX, &pcie, false, false},
    {"Raspberry Pi 4, USB 3", "usb3_pi4", true, 0, ATOLL_CLOCK_STANDARD, &usb3_slow, false, false},
    {"Raspberry Pi 3, USB 2", "usb2_pi3", true, 0, ATOLL_CLOCK_MAX, &usb2, false, false},
    {"iwatake 10W, USB 3", "usb3_x86", false, 1, ATOLL_CLOCK_MAX, &usb3_2019, false, false},
    {"iwatake 5W, USB 3", "usb3_x86", false, 1, ATOLL_CLOCK_MAX, &usb3_2019, false, false},
    {"iwatake 10W, USB 2", "usb2_x86", true, 1, ATOLL_CLOCK_MAX, &usb2, false, false},
    {"iwatake 5W, USB 2", "usb2_x86", false, 1, ATOLL_CLOCK_MAX, &usb2, false, false},
    {"LibrEdgeTPU host, USB 3", "usb3_x86", false, 0, ATOLL_CLOCK_STANDARD, &usb3_2019, false,
     false},
    {"issue 151, USB 2", "usb2_x86", false, 1, ATOLL_CLOCK_MAX, &usb2, false, false},
    {"Dev Board Micro", "dev_board_micro", true, 1, ATOLL_CLOCK_MAX, &usb2_micro, false, false},
    {"Jorgitou98, dense", "pcie_x86", true, 0, ATOLL_CLOCK_MAX, &pcie, false, false},
    {"Jorgitou98, dense, 6912 inputs", "pcie_x86", false, 0, ATOLL_CLOCK_MAX, &pcie, false, false},
    {"Jorgitou98, convolutions", "pcie_x86", false, 0, ATOLL_CLOCK_MAX, &pcie, false, true},
    {"iwatake 10W, USB 3, 7x7", "usb3_x86", false, 1, ATOLL_CLOCK_MAX, &usb3_2019, false, false},
    {"iwatake 5W, USB 3, 7x7", "usb3_x86", false, 1, ATOLL_CLOCK_MAX, &usb3_2019, false, false},
    {"iwatake 10W, USB 2, 7x7", "usb2_x86", false, 1, ATOLL_CLOCK_MAX, &usb2, false, false},
    {"iwatake 5W, USB 2, 7x7", "usb2_x86", false, 1, ATOLL_CLOCK_MAX, &usb2, false, false},
    {"8-TPU card", "asus_crl_g18u", true, 0, ATOLL_CLOCK_MAX, &card, true, false},
};

static void add_param(struct fit *f, const char *what, int host, enum fit_place place,
                      size_t offset, int drive, struct known k)
{
    struct fit_param *p = &f->params[f->n_params++];
    *p = (struct fit_param){.place = place,
                            .host = host,
                            .offset = offset,
                            .drive = drive,
                            .prior = k.median,
                            .sigma = k.spread,
                            .log_value = log(k.median)};
    (void)snprintf(p->name, sizeof p->name, "%s", what);
}

static void drive_params(struct fit *f, int host, const struct link_class *l, int drive)
{
    add_param(f, "call_us", host, FIT_DRIVE, offsetof(struct atoll_drive_cost, call_us), drive,
              l->call);
    add_param(f, "input_us_per_mib", host, FIT_DRIVE,
              offsetof(struct atoll_drive_cost, input_us_per_mib), drive, l->input);
    add_param(f, "output_us_per_mib", host, FIT_DRIVE,
              offsetof(struct atoll_drive_cost, output_us_per_mib), drive, l->output);
    add_param(f, "output_us_per_kpx", host, FIT_DRIVE,
              offsetof(struct atoll_drive_cost, output_us_per_kpx), drive, l->px);
}

static void host_params(struct fit *f, int host, const struct host_known *k)
{
    add_param(f, "stream_us", host, FIT_BOARD, offsetof(struct atoll_board, stream_us), 0,
              (struct known){500, 0.7});
    add_param(f, "stream_us_per_mib", host, FIT_BOARD,
              offsetof(struct atoll_board, stream_us_per_mib), 0, k->link->stream);
    if (k->chains) {
        add_param(f, "array_factor", host, FIT_ARRAY_FACTOR, 0, 0, (struct known){1.0, 0.5});
    }
    if (!k->drives_differ) {
        drive_params(f, host, k->link, 2);
        return;
    }
    drive_params(f, host, k->link, 0);
    drive_params(f, host, &card_threads, 1);
    add_param(f, "copy_us", host, FIT_DRIVE, offsetof(struct atoll_drive_cost, copy_us), 2,
              (struct known){40, 0.5});
    add_param(f, "copy_interval_us", host, FIT_DRIVE,
              offsetof(struct atoll_drive_cost, copy_interval_us), 2, (struct known){80, 0.5});
}

static void chip_params(struct fit *f)
{
    static const struct known known[FIT_CLASSES] = {{1.0, 0.5}, {1.1, 0.5}, {1.0, 0.3}};
    for (int c = 0; c < FIT_CLASSES; c++) {
        struct fit_param *p = &f->params[f->n_params++];
        *p = (struct fit_param){.place = FIT_CHIP,
                                .host = -1,
                                .chip = (enum fit_class)c,
                                .prior = known[c].median,
                                .sigma = known[c].spread,
                                .log_value = log(known[c].median)};
        (void)snprintf(p->name, sizeof p->name, "%s", fit_class_constant[c]);
    }
}

int fit_host_index(const struct fit *f, const char *name)
{
    for (int i = 0; i < f->n_hosts; i++) {
        if (strcmp(f->hosts[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static int open_host(struct fit *f, const struct host_known *k, struct atoll_err *err)
{
    struct fit_host *h = &f->hosts[f->n_hosts];
    *h = (struct fit_host){
        .name = k->name, .profile = k->profile, .writes = k->writes, .runner = k->runner};
    h->use.clock = k->clock;
    h->use.runner = k->runner == 0 ? ATOLL_RUNNER_PYTHON : ATOLL_RUNNER_C;
    const int rc = atoll_board_open(k->profile, f->share, &h->opened, err);
    if (rc != 0) {
        return rc;
    }
    h->board = *h->opened;
    host_params(f, f->n_hosts++, k);
    return 0;
}

int fit_open_hosts(struct fit *f, struct atoll_err *err)
{
    int rc = 0;
    chip_params(f);
    for (size_t i = 0; i < sizeof known_hosts / sizeof known_hosts[0] && rc == 0; i++) {
        rc = open_host(f, &known_hosts[i], err);
    }
    return rc;
}

int fit_own_host(struct fit *f, const char *profile, int *host, struct atoll_err *err)
{
    for (int i = 0; i < f->n_own; i++) {
        if (strcmp(f->own[i], profile) == 0) {
            *host = fit_host_index(f, f->own[i]);
            return 0;
        }
    }
    struct atoll_board *b = NULL;
    int rc = f->n_own == FIT_OWN_MAX || strlen(profile) >= sizeof f->own[0]
                 ? atoll_fail(err, ATOLL_EINPUT,
                              "networks_latency.tsv: \"%.100s\": at most %d "
                              "boards of one's own, with short names",
                              profile, FIT_OWN_MAX)
                 : atoll_board_open(profile, f->share, &b, err);
    if (rc != 0) {
        return rc;
    }
    (void)snprintf(f->own[f->n_own], sizeof f->own[0], "%s", profile);
    const struct host_known k = {.name = f->own[f->n_own],
                                 .profile = f->own[f->n_own],
                                 .writes = true,
                                 .runner = b->runner == ATOLL_RUNNER_C,
                                 .clock = b->clock,
                                 .link = b->link == ATOLL_LINK_USB2   ? &usb2
                                         : b->link == ATOLL_LINK_USB3 ? &usb3
                                                                      : &pcie};
    atoll_board_close(&b);
    f->n_own++;
    *host = f->n_hosts;
    return open_host(f, &k, err);
}
