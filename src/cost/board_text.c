/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a board profile as yaml, in the order of the table it is read by. */
#include "board_internal.h"

#include <string.h>

/** A double-quoted yaml scalar; control characters cannot occur in a profile that was read. */
static void put_text(struct atoll_buf *o, const char *text)
{
    atoll_buf_puts(o, "\"");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            atoll_buf_puts(o, "\\");
        }
        atoll_buf_append(o, c, 1);
    }
    atoll_buf_puts(o, "\"");
}

static void put_quantity(struct atoll_buf *o, const char *indent,
                         const struct atoll__board_field *f, const void *base)
{
    const struct atoll_quantity *q =
        (const struct atoll_quantity *)(const void *)((const char *)base + f->offset);
    atoll_buf_printf(o, "%s%s: {value: %.6g, u95: %.3g, unit: \"%s\", source: ", indent, f->key,
                     q->value, q->u95, f->unit);
    put_text(o, q->source != NULL ? q->source : "");
    atoll_buf_puts(o, ", date: ");
    put_text(o, q->date != NULL ? q->date : "");
    atoll_buf_printf(o, ", assumed: %s}\n", q->assumed ? "true" : "false");
}

static void put_head(struct atoll_buf *o, const struct atoll_board *b)
{
    atoll_buf_puts(o, "# SPDX-License-Identifier: Apache-2.0\n");
    atoll_buf_printf(o, "name: %s\ntitle: ", b->name);
    put_text(o, b->title);
    atoll_buf_printf(
        o, "\ntpus: %u\nlink: %s\nclock: %s\nrunner: %s\nhost_threads: %u\nthrottles: %s\n",
        b->n_tpus, atoll__board_links[b->link], atoll__board_clocks[b->clock],
        atoll__board_runners[b->runner], b->host_threads, b->throttles ? "true" : "false");
    atoll_buf_printf(o, "trip_c: [%g, %g, %g]\n", b->trip_c[0], b->trip_c[1], b->trip_c[2]);
    atoll_buf_puts(o, "rails:\n");
    for (uint32_t i = 0; i < b->n_rails; i++) {
        atoll_buf_puts(o, "  - {name: ");
        put_text(o, b->rails[i].name);
        atoll_buf_printf(o, ", volt: %g, share_frac: %g}\n", b->rails[i].volt,
                         b->rails[i].share_frac);
    }
}

char *atoll_board_text(const struct atoll_board *b)
{
    struct atoll_buf o = {0};
    size_t n;
    put_head(&o, b);
    const struct atoll__board_field *f = atoll__board_fields(&n);
    for (int s = 0; atoll__board_sections[s] != NULL; s++) {
        atoll_buf_printf(&o, "%s:\n", atoll__board_sections[s]);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(f[i].section, atoll__board_sections[s]) == 0) {
                put_quantity(&o, "  ", &f[i], b);
            }
        }
    }
    f = atoll__board_drive_fields(&n);
    atoll_buf_puts(&o, "drive:\n");
    for (int r = 0; r < 2; r++) {
        atoll_buf_printf(&o, "  %s:\n", atoll__board_runners[r + 1]);
        for (int d = 0; d < 2; d++) {
            atoll_buf_printf(&o, "    %s:\n", atoll__board_drives[d]);
            for (size_t i = 0; i < n; i++) {
                put_quantity(&o, "      ", &f[i], &b->drive[r][d]);
            }
        }
    }
    size_t size;
    char *text = atoll_buf_take(&o, &size);
    atoll_buf_finish(&o);
    return text;
}
