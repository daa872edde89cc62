/* SPDX-License-Identifier: Apache-2.0 */
/* Markers: a host time waits until the scans around it have arrived, then keeps a window of them,
 * wide enough for what the time map may still learn. */
#include "power_internal.h"

#include <math.h>
#include <string.h>

int32_t atoll__power_mark(struct atoll_meter *m, uint64_t t_ns, const char *label,
                          struct atoll_err *err)
{
    void *markers = m->markers;
    if (m->n_markers >= INT32_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "meter: too many markers");
    }
    if (atoll_grow(&markers, &m->markers_capacity, m->n_markers + 1, sizeof *m->markers) != 0) {
        return atoll_fail_nomem(err, "markers", (m->n_markers + 1) * sizeof *m->markers);
    }
    m->markers = markers;
    m->markers[m->n_markers] = (struct power_marker){.t_ns = t_ns};
    (void)snprintf(m->markers[m->n_markers].label, sizeof m->markers->label, "%s",
                   label != NULL ? label : "");
    return (int32_t)m->n_markers++;
}

static int copy_window(struct atoll_meter *m, struct power_window *w, uint64_t first, uint64_t end)
{
    const size_t n = (size_t)(end - first);
    w->codes = atoll_alloc(n * m->n * sizeof *w->codes);
    w->sums = atoll_alloc(n * m->n * sizeof *w->sums);
    if (w->codes == NULL || w->sums == NULL) {
        return ATOLL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t row = (size_t)((first + i) & (m->ring_rows - 1)) * m->n;
        memcpy(w->codes + i * m->n, m->ring_codes + row, m->n * sizeof *w->codes);
        memcpy(w->sums + i * m->n, m->ring_sums + row, m->n * sizeof *w->sums);
    }
    w->first = first;
    w->n = (uint32_t)n;
    return 0;
}

/* Rows [first, end) around a marker, cut to what the ring holds. */
static void keep(struct atoll_meter *m, struct power_marker *k, double node)
{
    const double from = floor(node) - m->half_window;
    uint64_t first = from > (double)m->ring_first ? (uint64_t)from : m->ring_first;
    const double to = node + m->half_window;
    uint64_t end = to < (double)m->next ? (uint64_t)(to > 0 ? to : 0) : m->next;
    first = first < m->next ? first : m->next;
    end = end > first ? end : first;
    if (copy_window(m, &k->window, first, end) != 0) {
        m->failed = ATOLL_ENOMEM;
    }
    k->kept = true;
}

void atoll__power_keep_windows(struct atoll_meter *m)
{
    for (; m->first_waiting < m->n_markers; m->first_waiting++) {
        struct power_marker *k = &m->markers[m->first_waiting];
        if (m->map.n == 0) {
            return;
        }
        const double node = atoll__power_node(m, k->t_ns);
        if (node + m->half_window >= (double)m->next) {
            return; /* times do not go back, so later markers wait as well */
        }
        keep(m, k, node);
    }
}
