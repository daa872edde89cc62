/* SPDX-License-Identifier: Apache-2.0 */
/* The pinned TFLite runtime, loaded with dlopen: an interpreter that is not ours. */
#ifndef ATOLL_TESTS_RUNTIME_H
#define ATOLL_TESTS_RUNTIME_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RT_FUNCTIONS(X)                                                                            \
    X(void *, TfLiteModelCreate, (const void *, size_t))                                           \
    X(void, TfLiteModelDelete, (void *))                                                           \
    X(void *, TfLiteInterpreterCreate, (const void *, const void *))                               \
    X(void, TfLiteInterpreterDelete, (void *))                                                     \
    X(int, TfLiteInterpreterAllocateTensors, (void *))                                             \
    X(int, TfLiteInterpreterInvoke, (void *))                                                      \
    X(int, TfLiteInterpreterResetVariableTensors, (void *))                                        \
    X(int32_t, TfLiteInterpreterGetInputTensorCount, (const void *))                               \
    X(void *, TfLiteInterpreterGetInputTensor, (const void *, int32_t))                            \
    X(int32_t, TfLiteInterpreterGetOutputTensorCount, (const void *))                              \
    X(const void *, TfLiteInterpreterGetOutputTensor, (const void *, int32_t))                     \
    X(const char *, TfLiteTensorName, (const void *))                                              \
    X(size_t, TfLiteTensorByteSize, (const void *))                                                \
    X(void *, TfLiteTensorData, (const void *))

struct runtime {
    void *library;
#define RT_MEMBER(ret, name, args) ret(*name) args;
    RT_FUNCTIONS(RT_MEMBER)
#undef RT_MEMBER
};

static inline bool rt_try(struct runtime *rt, const char *path)
{
    rt->library = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (rt->library == NULL) {
        return false;
    }
#define RT_LOAD(ret, name, args)                                                                   \
    {                                                                                              \
        void *symbol = dlsym(rt->library, #name);                                                  \
        if (symbol == NULL) {                                                                      \
            return false;                                                                          \
        }                                                                                          \
        memcpy(&rt->name, &symbol, sizeof symbol);                                                 \
    }
    RT_FUNCTIONS(RT_LOAD)
#undef RT_LOAD
    return true;
}

/* Ends the test with 77 when there is no runtime. */
static inline void rt_open(struct runtime *rt)
{
    char places[2][1024] = {"", ""};
    const char *source = getenv("ATOLL_SOURCE");
    const char *build = getenv("ATOLL_BUILD");
    const char *file = "runtime/libtensorflowlite_c.so";
    (void)snprintf(places[0], sizeof places[0], "%s/%s", build != NULL ? build : ".", file);
    (void)snprintf(places[1], sizeof places[1], "%s/build/%s", source != NULL ? source : ".", file);
    if (!rt_try(rt, getenv("ATOLL_TFLITE")) && !rt_try(rt, places[0]) && !rt_try(rt, places[1])) {
        printf("skipped: no TFLite runtime (looked at $ATOLL_TFLITE, %s, %s)\n", places[0],
               places[1]);
        exit(77);
    }
}

#endif
