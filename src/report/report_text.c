/* SPDX-License-Identifier: Apache-2.0 */
/* Text of the database into HTML, JSON and CSV: names are hostile until escaped. */
#include "report_internal.h"

#include <math.h>
#include <string.h>

void atoll__text_html(struct atoll_buf *b, const char *s)
{
    for (const char *p = s ? s : ""; *p; p++) {
        switch (*p) {
        case '&':
            atoll_buf_puts(b, "&amp;");
            break;
        case '<':
            atoll_buf_puts(b, "&lt;");
            break;
        case '>':
            atoll_buf_puts(b, "&gt;");
            break;
        case '"':
            atoll_buf_puts(b, "&quot;");
            break;
        case '\'':
            atoll_buf_puts(b, "&#39;");
            break;
        default:
            atoll_buf_append(b, p, 1);
        }
    }
}

/* Bytes of the UTF-8 sequence at s, 0 when it is not one (RFC 3629: no surrogates, no overlong). */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80) {
        return 1;
    }
    const size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    uint32_t c = s[0] & (0xffu >> (n + 1));
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (s[i] & 0x3fu);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

void atoll__text_json(struct atoll_buf *b, const char *s)
{
    if (!s) {
        atoll_buf_puts(b, "null");
        return;
    }
    atoll_buf_puts(b, "\"");
    for (const unsigned char *p = (const unsigned char *)s; *p;) {
        const size_t n = utf8_length(p);
        if (n == 0) {
            atoll_buf_puts(b, "\\ufffd");
            p++;
            continue;
        }
        /* '<' never stands in the page's script block, so nothing can end it. */
        if (*p == '"' || *p == '\\') {
            atoll_buf_printf(b, "\\%c", *p);
        } else if (*p < 0x20 || *p == '<' || *p == '>' || *p == '&' || *p == 0x7f) {
            atoll_buf_printf(b, "\\u%04x", *p);
        } else {
            atoll_buf_append(b, p, n);
        }
        p += n;
    }
    atoll_buf_puts(b, "\"");
}

void atoll__text_number(struct atoll_buf *b, double v, int digits)
{
    char text[40];
    if (!isfinite(v)) {
        atoll_buf_puts(b, "null");
        return;
    }
    const int n = snprintf(text, sizeof text, "%.*g", digits, v);
    atoll_buf_append(b, text, (size_t)n);
}

void atoll__text_csv(struct atoll_buf *b, const char *s)
{
    if (!s) {
        return;
    }
    /* A spreadsheet would run a cell that begins with one of these; a quote mark disarms it. */
    const bool formula = *s && strchr("=+-@\t\r", *s) != NULL;
    if (!formula && !strpbrk(s, ",\"\r\n")) {
        atoll_buf_puts(b, s);
        return;
    }
    atoll_buf_puts(b, formula ? "\"'" : "\"");
    for (const char *p = s; *p; p++) {
        atoll_buf_append(b, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
    }
    atoll_buf_puts(b, "\"");
}

const char *atoll__text_short(struct atoll_arena *a, double v, int digits)
{
    if (!isfinite(v)) {
        return "unknown";
    }
    if (v == 0) {
        return "0";
    }
    const int magnitude = (int)floor(log10(fabs(v)) + 1e-12);
    int decimals = digits - 1 - magnitude;
    decimals = decimals < 0 ? 0 : decimals > 6 ? 6 : decimals;
    char text[64];
    snprintf(text, sizeof text, "%.*f", decimals, v);
    char *point = strchr(text, '.');
    const size_t whole = point ? (size_t)(point - text) : strlen(text);
    const size_t digits_whole = whole - (text[0] == '-');
    const char *s;
    if (digits_whole > 4) {
        /* A narrow no-break space between thousands. */
        char out[128] = "";
        size_t n = 0;
        for (size_t i = 0; text[i] && n + 5 < sizeof out; i++) {
            if (i > (text[0] == '-') && i < whole && (whole - i) % 3 == 0) {
                memcpy(out + n, "\xe2\x80\xaf", 3);
                n += 3;
            }
            out[n++] = text[i];
        }
        out[n] = '\0';
        s = atoll_arena_strndup(a, out, n);
    } else {
        s = atoll_arena_strndup(a, text, strlen(text));
    }
    return s ? s : "?";
}

const char *atoll__text_bytes(struct atoll_arena *a, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    size_t u = 0;
    if (!isfinite(bytes)) {
        return "unknown";
    }
    for (; bytes >= 1024 && u < 3; u++) {
        bytes /= 1024;
    }
    const char *s =
        u == 0 ? atoll_arena_printf(a, "%.0f B", bytes)
               : atoll_arena_printf(a, "%s\xc2\xa0%s", atoll__text_short(a, bytes, 3), units[u]);
    return s ? s : "?";
}
