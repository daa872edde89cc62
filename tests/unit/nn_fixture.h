/* SPDX-License-Identifier: Apache-2.0 */
/* For tests that need the TFLite runtime or the shared models: skipped aloud without. */
#ifndef ATOLL_NN_FIXTURE_H
#define ATOLL_NN_FIXTURE_H

#include "atoll_test.h"

#include <atoll/nn.h>
#include <atoll/zoo.h>

/* Ends the program with 77 when there is no runtime. */
static inline const struct atoll_runtime *fixture_runtime(void)
{
    const struct atoll_runtime *rt = NULL;
    struct atoll_err err = {0};
    if (atoll_runtime_open(NULL, &rt, &err) != 0) {
        (void)printf("skipped: %s\n", err.text);
        exit(77);
    }
    return rt;
}

static inline void fixture_ok(int rc, const struct atoll_err *err)
{
    if (rc != 0) {
        fail_msg("%s: %s", atoll_code_name(rc), err->text);
    }
}

/* Path below the shared models; skips the test when the file is not there. */
static inline const char *fixture_shared(const char *name, char path[1024])
{
    const char *dir = getenv("ATOLL_SHARED");
    (void)snprintf(path, 1024, "%s/models/test_data/%s", dir != NULL ? dir : "", name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is missing\n", path);
        skip();
    }
    return path;
}

static inline struct atoll_model *fixture_model(const char *argument)
{
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    fixture_ok(atoll_zoo_open(argument, NULL, &m, &err), &err);
    return m;
}

#endif
