/* SPDX-License-Identifier: Apache-2.0 */
/* make_fixture OUT [report.html] [key=value]...: writes a fixture database, and its report. */
#include "fixture.h"

#include <atoll/report.h>

#include <stdlib.h>
#include <string.h>

static bool set(struct fixture *f, const char *arg)
{
    const char *eq = strchr(arg, '=');
    if (!eq) {
        return false;
    }
    const size_t n = (size_t)(eq - arg);
    const double v = strtod(eq + 1, NULL);
#define IS(name) (n == strlen(name) && memcmp(arg, name, n) == 0)
    if (IS("seed")) {
        f->seed = (uint64_t)v;
    } else if (IS("models")) {
        f->models = (unsigned)v;
    } else if (IS("tpus")) {
        f->tpus = (unsigned)v;
    } else if (IS("repeats")) {
        f->repeats = (unsigned)v;
    } else if (IS("samples")) {
        f->samples = (unsigned)v;
    } else if (IS("traces")) {
        f->traces = v != 0;
    } else if (IS("training")) {
        f->training = v != 0;
    } else if (IS("hostile")) {
        f->hostile = v != 0;
    } else if (IS("time")) {
        f->time_factor = v;
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct fixture f = fixture_default();
    struct atoll_err err = {0};
    const char *page = NULL;
    for (int i = 2; i < argc; i++) {
        if (!set(&f, argv[i])) {
            page = argv[i];
        }
    }
    if (argc < 2) {
        fprintf(stderr, "usage: make_fixture OUT.db [PAGE.html] [key=value]...\n");
        return 2;
    }
    remove(argv[1]);
    int e = fixture_write(argv[1], &f, &err);
    if (!e && page) {
        struct atoll_store *s = NULL;
        e = atoll_store_open(argv[1], ATOLL_STORE_READ, &s, &err);
        e = e ? e : atoll_report_writer_find("html")->write(s, page, &err);
        atoll_store_close(&s);
    }
    if (e) {
        fprintf(stderr, "make_fixture: %s\n", err.text);
        return atoll_code_exit(e);
    }
    return 0;
}
