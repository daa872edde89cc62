/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers to and from text whatever the locale of the program that we are linked into. */
#include <atoll/base.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX_CHARS = 400 };

static char locale_point(void)
{
    char half[8];
    (void)snprintf(half, sizeof half, "%.1f", 0.5);
    return half[1];
}

static const char *skip_digits(const char *p)
{
    while (*p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool is_decimal(const char *text)
{
    const char *p = text + (*text == '+' || *text == '-');
    const char *end = skip_digits(p);
    size_t digits = (size_t)(end - p);
    if (*end == '.') {
        p = end + 1;
        end = skip_digits(p);
        digits += (size_t)(end - p);
    }
    if (digits == 0) {
        return false;
    }
    if (*end == 'e' || *end == 'E') {
        p = end + 1;
        p += *p == '+' || *p == '-';
        end = skip_digits(p);
        if (end == p) {
            return false;
        }
    }
    return *end == '\0';
}

bool atoll_parse_double(const char *text, double *out)
{
    char copy[NUMBER_MAX_CHARS];
    const size_t n = strlen(text);
    if (n >= sizeof copy || !is_decimal(text)) {
        return false;
    }
    memcpy(copy, text, n + 1);
    char *point = strchr(copy, '.');
    if (point != NULL) {
        *point = locale_point();
    }
    char *end = NULL;
    const double v = strtod(copy, &end);
    if (*end != '\0' || !isfinite(v)) {
        return false;
    }
    *out = v;
    return true;
}

/* A number of at most 15 digits comes back as written; others need 16 or 17. */
void atoll_format_double(char out[40], double v)
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, 40, "%.*g", digits, v);
        if (strtod(out, NULL) == v) {
            break;
        }
    }
    char *point = strchr(out, locale_point());
    if (point != NULL) {
        *point = '.';
    }
}
