/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and loading the TFLite runtime. A file is accepted by its symbols, never by its name:
 * there are libraries of the same maker without the C interface. */
#include "nn_internal.h"

#include "src/nn/runtime_config.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUNTIMES_MAX = 8, CANDIDATES_MAX = 5 };

static struct {
    pthread_mutex_t lock;
    struct atoll_runtime *list[RUNTIMES_MAX]; /* stay until the process ends */
    size_t n;
} loaded = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool load_symbol(void *library, const char *name, void *slot)
{
    void *symbol = dlsym(library, name);
    memcpy(slot, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* NULL, or the name of the first symbol that is missing. */
static const char *load_symbols(struct atoll_runtime *rt)
{
#define LOAD(result, name, arguments)                                                              \
    if (!load_symbol(rt->library, #name, &rt->name)) {                                             \
        return #name;                                                                              \
    }
    ATOLL__NN_SYMBOLS(LOAD)
#undef LOAD
    rt->has_xnnpack = true;
#define LOAD(result, name, arguments)                                                              \
    rt->has_xnnpack = load_symbol(rt->library, #name, &rt->name) && rt->has_xnnpack;
    ATOLL__NN_XNN_SYMBOLS(LOAD)
#undef LOAD
    return NULL;
}

static const char *reason_of_loader(const char *path)
{
    const char *reason = dlerror();
    if (strchr(path, '/') != NULL && access(path, F_OK) != 0) {
        return "no such file";
    }
    const char *colon = reason != NULL ? strstr(reason, ": ") : NULL;
    return colon != NULL ? colon + 2 : "it cannot be loaded";
}

static void refuse(struct atoll_buf *why, const char *path, const char *reason)
{
    atoll_buf_printf(why, "%s%s: %s", why->size > 0 ? "; " : "", path, reason);
}

/* Loads one candidate; *rt stays NULL when it is refused, with the reason in `why`. */
static int try_candidate(const char *path, struct atoll_buf *why, struct atoll_runtime **rt,
                         struct atoll_err *err)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        refuse(why, path, reason_of_loader(path));
        return 0;
    }
    struct atoll_runtime *made = atoll_calloc(1, sizeof *made);
    if (made == NULL) {
        (void)dlclose(library);
        return atoll_fail_nomem(err, "the runtime", sizeof *made);
    }
    made->library = library;
    const char *missing = load_symbols(made);
    if (missing != NULL) {
        struct atoll_buf text = {0};
        atoll_buf_printf(&text, "it has no %s, so it is not the C interface", missing);
        refuse(why, path, text.data != NULL ? text.data : missing);
        atoll_buf_finish(&text);
        (void)dlclose(library);
        atoll_free(made);
        return 0;
    }
    (void)snprintf(made->path, sizeof made->path, "%s", path);
    (void)snprintf(made->version, sizeof made->version, "%s", made->TfLiteVersion());
    *rt = made;
    return 0;
}

static int get_candidate(const char *path, struct atoll_buf *why, const struct atoll_runtime **out,
                         struct atoll_err *err)
{
    for (size_t i = 0; i < loaded.n; i++) {
        if (strcmp(loaded.list[i]->path, path) == 0) {
            *out = loaded.list[i];
            return 0;
        }
    }
    if (loaded.n == RUNTIMES_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "more than %d runtimes in one process", RUNTIMES_MAX);
    }
    struct atoll_runtime *made = NULL;
    const int rc = try_candidate(path, why, &made, err);
    if (rc == 0 && made != NULL) {
        loaded.list[loaded.n++] = made;
        *out = made;
    }
    return rc;
}

/* runtime/ beside the program: build/atoll finds build/runtime/ from anywhere. */
static bool beside_program(char out[1024])
{
    char exe[900];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0) {
        return false;
    }
    exe[n] = '\0';
    char *slash = strrchr(exe, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    (void)snprintf(out, 1024, "%s/runtime/libtensorflowlite_c.so", exe);
    return true;
}

static int search(const char *path, struct atoll_buf *why, const struct atoll_runtime **out,
                  struct atoll_err *err)
{
    const char *from_env = getenv("ATOLL_TFLITE");
    if (path == NULL && from_env != NULL && from_env[0] != '\0') {
        path = from_env;
    }
    if (path != NULL) {
        return get_candidate(path, why, out, err);
    }
    char beside[1024];
    const char *candidates[CANDIDATES_MAX];
    size_t n = 0;
    if (beside_program(beside)) {
        candidates[n++] = beside;
    }
    candidates[n++] = ATOLL_RUNTIME_SOURCE "/libtensorflowlite_c.so";
    candidates[n++] = ATOLL_RUNTIME_INSTALLED "/libtensorflowlite_c.so";
    candidates[n++] = "libtensorflowlite_c.so";
    candidates[n++] = "libLiteRt.so";
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0 && *out == NULL; i++) {
        rc = get_candidate(candidates[i], why, out, err);
    }
    return rc;
}

int atoll_runtime_open(const char *path, const struct atoll_runtime **rt, struct atoll_err *err)
{
    struct atoll_buf why = {0};
    const struct atoll_runtime *found = NULL;
    (void)pthread_mutex_lock(&loaded.lock);
    int rc = search(path, &why, &found, err);
    (void)pthread_mutex_unlock(&loaded.lock);
    if (rc == 0 && found == NULL) {
        rc = atoll_fail(err, ATOLL_EDEVICE,
                        "no TFLite runtime: \"./run build\" gets one (from the Python wheel "
                        "pymicro-wakeword), or ATOLL_TFLITE names a libtensorflowlite_c.so. "
                        "Tried: %s",
                        why.data != NULL ? why.data : "nothing");
    }
    atoll_buf_finish(&why);
    if (rc == 0) {
        *rt = found;
    }
    return rc;
}

const char *atoll_runtime_version(const struct atoll_runtime *rt)
{
    return rt->version;
}

const char *atoll_runtime_path(const struct atoll_runtime *rt)
{
    return rt->path;
}

const char *atoll_kernels_name(enum atoll_kernels k)
{
    return k == ATOLL_KERNELS_BUILTIN ? "builtin" : "xnnpack";
}

int atoll_kernels_parse(const char *text, enum atoll_kernels *k, struct atoll_err *err)
{
    if (strcmp(text, "xnnpack") == 0) {
        *k = ATOLL_KERNELS_XNNPACK;
    } else if (strcmp(text, "builtin") == 0) {
        *k = ATOLL_KERNELS_BUILTIN;
    } else {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: no such kernels (xnnpack or builtin expected)",
                          text);
    }
    return 0;
}
