/* SPDX-License-Identifier: Apache-2.0 */
/* The log of edgetpu_compiler: its report of each segment, and its reasons for failing. */
#include "edgetpu_compiler.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const struct compiler_failure *compiler_failure_of(const char *log)
{
    static const struct compiler_failure known[] = {
        {"Internal compiler error", "an internal error", "it often passes when it is run again",
         ATOLL_EDEVICE, true},
        {"std::out_of_range", "an internal error", "another number of segments may pass",
         ATOLL_EDEVICE, true},
        {"ompilation timed out", "its own time limit", "a longer --timeout or more segments",
         ATOLL_EDEVICE, false},
        {"not quantized", "the model is not quantized", "it takes int8 models only", ATOLL_EINPUT,
         false},
        {"dynamic-sized tensors", "a tensor has no fixed size", "convert with a batch of 1",
         ATOLL_EINPUT, false},
        {"Invalid model", "it cannot read the model", "convert with an older converter",
         ATOLL_EINPUT, false},
        {NULL, NULL, NULL, 0, false},
    };
    for (const struct compiler_failure *f = known; f->said; f++) {
        if (strstr(log, f->said)) {
            return f;
        }
    }
    return NULL;
}

/* "3.41MiB": powers of 1024, two decimals. */
static json_t *size_of(const char *text)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"B", 1.0}};
    char *end = NULL;
    const double v = strtod(text, &end);
    for (size_t i = 0; end != text && v >= 0 && v < 1e9 && i < 4; i++) {
        if (strncmp(end, units[i].unit, strlen(units[i].unit)) == 0) {
            return json_integer((json_int_t)(v * units[i].bytes + 0.5));
        }
    }
    return json_null();
}

static json_t *count_of(const char *text)
{
    char *end = NULL;
    const long v = strtol(text, &end, 10);
    return end != text && v >= 0 ? json_integer(v) : json_null();
}

static const struct field {
    const char *begins, *name;
    json_t *(*read)(const char *text);
} fields[] = {
    {"Input size: ", "input_bytes", size_of},
    {"Output size: ", "output_bytes", size_of},
    {"On-chip memory used for caching model parameters: ", "on_chip_bytes", size_of},
    {"On-chip memory remaining for caching model parameters: ", "on_chip_remaining_bytes", size_of},
    {"On-chip memory available for caching model parameters: ", "on_chip_remaining_bytes", size_of},
    {"Off-chip memory used for streaming uncached model parameters: ", "off_chip_bytes", size_of},
    {"Number of Edge TPU subgraphs: ", "subgraphs", count_of},
    {"Total number of operations: ", "operations", count_of},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static json_t *new_segment(void)
{
    json_t *s = json_object();
    for (size_t i = 0; i < FIELDS; i++) {
        json_object_set_new(s, fields[i].name, json_null());
    }
    json_object_set_new(s, "operators", json_array());
    return s;
}

/* "CONV_2D   21   Mapped to Edge TPU": name, number, sentence. */
static void read_operator(json_t *s, char *line)
{
    char *at = line;
    while (*at && !isspace((unsigned char)*at)) {
        at++;
    }
    char *end = NULL;
    const long n = *at ? strtol(at, &end, 10) : 0;
    if (at == line || !*at || end == at || n < 1 || !isspace((unsigned char)*end)) {
        return;
    }
    *at = '\0';
    while (isspace((unsigned char)*end)) {
        end++;
    }
    json_array_append_new(json_object_get(s, "operators"),
                          json_pack("{s:o, s:I, s:o}", "op", out_string(line), "count",
                                    (json_int_t)n, "status", out_string(end)));
}

static void read_line(json_t *list, char *line)
{
    if (strncmp(line, "Input model: ", 13) == 0) {
        json_array_append_new(list, new_segment());
    }
    json_t *s = json_array_get(list, json_array_size(list) - 1);
    if (json_array_size(list) == 0) {
        return;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        const size_t n = strlen(fields[i].begins);
        if (strncmp(line, fields[i].begins, n) == 0) {
            json_object_set_new(s, fields[i].name, fields[i].read(line + n));
            return;
        }
    }
    if (!strchr(line, ':')) {
        read_operator(s, line);
    }
}

json_t *compiler_told(const char *log)
{
    json_t *list = json_array();
    char *text = atoll_strdup(log);
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        if (end) {
            *end = '\0';
        }
        read_line(list, line);
        line = end ? end + 1 : NULL;
    }
    if (!text) {
        json_decref(list);
        return NULL;
    }
    atoll_free(text);
    return list;
}
