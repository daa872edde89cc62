/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the seeds of fuzz_tflite and fuzz_darwinn into DIR/tflite and DIR/darwinn: small models
 * made by the builder, so that no foreign file is kept in the tree.  usage: model_seeds DIR */
#include "model_compiled.h"
#include "model_random.h"

#include <sys/stat.h>

static bool save(const char *dir, const char *kind, int index, const void *bytes, size_t n)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s/seed_%d", dir, kind, index);
    return atoll_write_file(path, bytes, n, NULL) == 0;
}

static bool save_model(const char *dir, int index, struct atoll_model *m)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    const bool good = m != NULL && atoll_model_serialize(m, &bytes, &n, NULL) == 0 &&
                      save(dir, "tflite", index, bytes, n);
    atoll_free(bytes);
    atoll_model_close(&m);
    return good;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/tflite", argv[1]);
    (void)mkdir(path, 0777);
    (void)snprintf(path, sizeof path, "%s/darwinn", argv[1]);
    (void)mkdir(path, 0777);
    bool good = true;
    int seed = 0;
    for (; seed < 12; seed++) {
        good = good &&
               save_model(argv[1], seed, random_model((uint64_t)seed + 1, 1 + (uint32_t)seed * 2));
    }
    for (int legacy = 0; legacy < 2; legacy++) {
        struct atoll_buf options = {0};
        (legacy ? cm_options_legacy : cm_options)(&options);
        good = good && !options.failed &&
               save(argv[1], "darwinn", legacy, options.data, options.size) &&
               save_model(argv[1], seed + legacy, cm_model(options.data, options.size));
        atoll_buf_finish(&options);
    }
    return good ? 0 : 1;
}
