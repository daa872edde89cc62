/* SPDX-License-Identifier: Apache-2.0 */
/* Error codes as values, and the one sentence for people that goes with them. */
#include <atoll/base.h>

#include <string.h>

struct code_info {
    const char *name, *text;
    int exit_code;
};

static const struct code_info code_table[] = {
    {"OK", "no error", 0},
#define X_ROW(name, exit_code, text) {"E" #name, text, exit_code},
    ATOLL_ERR_MAP(X_ROW)
#undef X_ROW
};
static const int code_count = (int)(sizeof code_table / sizeof code_table[0]);

static const struct code_info *find_code(int code)
{
    return code <= 0 && code > -code_count ? &code_table[-code] : NULL;
}

const char *atoll_code_name(int code)
{
    const struct code_info *info = find_code(code);
    return info != NULL ? info->name : "?";
}

const char *atoll_code_text(int code)
{
    const struct code_info *info = find_code(code);
    return info != NULL ? info->text : "unknown error code";
}

int atoll_code_exit(int code)
{
    const struct code_info *info = find_code(code);
    return info != NULL ? info->exit_code : 5;
}

/* The arguments may point into err->text, so the sentence is made aside and copied at the end. */
int atoll_fail(struct atoll_err *err, int code, const char *fmt, ...)
{
    if (err == NULL) {
        return code;
    }
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err->code = code;
    if (n < 0) {
        text[0] = '\0';
    }
    memcpy(err->text, text, strlen(text) + 1);
    return code;
}

/* Copies as much of s as fits, with a NUL; returns the characters copied. room > 0. */
static size_t append_text(char *to, size_t room, const char *s)
{
    const size_t n = strnlen(s, room - 1);
    memcpy(to, s, n);
    to[n] = '\0';
    return n;
}

int atoll_fail_at(struct atoll_err *err, const char *fmt, ...)
{
    if (err == NULL) {
        return ATOLL_EINTERNAL;
    }
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : strlen(text);
    used += append_text(text + used, sizeof text - used, ": ");
    used += append_text(text + used, sizeof text - used, err->text);
    memcpy(err->text, text, used + 1);
    return err->code;
}

int atoll_fail_nomem(struct atoll_err *err, const char *what, size_t bytes)
{
    return atoll_fail(err, ATOLL_ENOMEM, "out of memory: %zu bytes for %s", bytes, what);
}

const char *atoll_origin_name(enum atoll_origin o)
{
    switch (o) {
    case ATOLL_ORIGIN_COMPUTED:
        return "computed";
    case ATOLL_ORIGIN_SIMULATED:
        return "simulated";
    case ATOLL_ORIGIN_MEASURED:
        return "measured";
    }
    return "?";
}
