/* SPDX-License-Identifier: Apache-2.0 */
/* The help of a command, from its table. */
#include "opt.h"

#include <string.h>

#define WIDTH 96
#define COLUMN 30

/* Puts text at a margin, broken at spaces; keeps line breaks of its own. */
static void put_wrapped(struct atoll_buf *out, const char *text, size_t margin, size_t at)
{
    while (*text) {
        const size_t word = strcspn(text, " \n");
        if (at > margin && at + 1 + word > WIDTH) {
            atoll_buf_printf(out, "\n%*s", (int)margin, "");
            at = margin;
        } else if (at > margin) {
            atoll_buf_puts(out, " ");
            at++;
        }
        atoll_buf_append(out, text, word);
        at += word;
        text += word;
        if (*text == '\n') {
            atoll_buf_printf(out, "\n%*s", (int)margin, "");
            at = margin;
        }
        text += *text != '\0';
    }
    atoll_buf_puts(out, "\n");
}

void opt_spell(const struct opt *o, struct atoll_buf *out)
{
    if (o->short_name) {
        atoll_buf_printf(out, "-%c, ", o->short_name);
    }
    atoll_buf_printf(out, "--%s", o->long_name);
    if (o->argument) {
        atoll_buf_printf(out, " %s", o->argument);
    }
}

static void put_option(const struct opt *o, struct atoll_buf *out)
{
    struct atoll_buf left = {0}, right = {0};
    atoll_buf_printf(&left, o->short_name ? "  " : "      ");
    opt_spell(o, &left);
    atoll_buf_puts(&right, o->help);
    for (unsigned i = 0; o->choices && o->choices[i]; i++) {
        atoll_buf_printf(&right, "%s%s",
                         i == 0              ? ": "
                         : o->choices[i + 1] ? ", "
                                             : " or ",
                         o->choices[i]);
    }
    if (o->fallback) {
        atoll_buf_printf(&right, " (default: %s)", o->fallback);
    }
    atoll_buf_puts(out, left.data ? left.data : "");
    if (left.size + 2 > COLUMN) {
        atoll_buf_printf(out, "\n%*s", COLUMN, "");
    } else {
        atoll_buf_printf(out, "%*s", (int)(COLUMN - left.size), "");
    }
    put_wrapped(out, right.data ? right.data : "", COLUMN, COLUMN);
    if (o->example) { /* not wrapped: it is there to be copied */
        atoll_buf_printf(out, "%*s$ %s\n", COLUMN, "", o->example);
    }
    atoll_buf_finish(&left);
    atoll_buf_finish(&right);
}

void opt_help(const struct command *c, struct atoll_buf *out)
{
    atoll_buf_printf(out, "Usage: atoll %s [options]%s%s\n\n", c->name, *c->operands ? " " : "",
                     c->operands);
    put_wrapped(out, c->summary, 0, 0);
    if (c->text) {
        atoll_buf_puts(out, "\n");
        put_wrapped(out, c->text, 0, 0);
    }
    atoll_buf_puts(out, "\nOptions:\n");
    for (const struct opt *o = c->opts; o && o->long_name; o++) {
        put_option(o, out);
    }
    for (const struct opt *o = opt_common_table; o->long_name; o++) {
        put_option(o, out);
    }
    atoll_buf_printf(out, "\nExample:\n  $ %s\n", c->example);
}
