/* SPDX-License-Identifier: Apache-2.0 */
/* One callback for what the library has to say beside its results; silent by default. */
#include <atoll/base.h>

static atoll_log_fn log_fn;
static void *log_user;

void atoll_log_set(atoll_log_fn fn, void *user)
{
    log_fn = fn;
    log_user = user;
}

void atoll_log(enum atoll_log_level level, const char *fmt, ...)
{
    if (log_fn == NULL) {
        return;
    }
    char sentence[1000];
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    if (n >= 0) {
        log_fn(log_user, level, sentence);
    }
}
