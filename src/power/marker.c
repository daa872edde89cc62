/* SPDX-License-Identifier: Apache-2.0 */
/* Markers: a host time waits until the scans around it have arrived, then keeps a window of them,
 * wide enough for what the time map may still learn. */
#include "power_internal.h"

#include <math.h>
#include <string.h>

enum { MARKERS_MAX = 1 << 20 }; /* a device may send edges without end */

int32_t atoll__power_mark(struct atoll_meter *m, uint64_t t_ns, const char *label,
                          struct atoll_err *err)
{
    void *markers = m->markers;
    if (m->n_markers >= MARKERS_MAX) {
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

void atoll__power_mark_edge(struct atoll_meter *m, double edge, const char *label)
{
    const int32_t made = atoll__power_mark(m, 0, label, NULL);
    if (made < 0) {
        m->failed = made;
        return;
    }
    struct power_marker *k = &m->markers[made];
    k->on_grid = true;
    k->edge = edge;
}

double atoll__power_marker_node(const struct atoll_meter *m, const struct power_marker *k)
{
    return k->on_grid ? k->edge - 0.5 : atoll__power_node(m, k->t_ns);
}

uint64_t atoll__power_marker_ns(const struct atoll_meter *m, const struct power_marker *k)
{
    if (!k->on_grid) {
        return k->t_ns;
    }
    const double ns = atoll__power_timemap_ns(&m->map, k->edge, m->start_ns);
    return m->start_ns + (ns > 0 ? (uint64_t)(ns + 0.5) : 0);
}

static int copy_window(struct atoll_meter *m, struct power_window *w, uint64_t first, uint64_t end)
{
    const size_t n = (size_t)(end - first);
    w->codes = atoll_alloc(n * m->n_samples * sizeof *w->codes);
    w->sums = atoll_alloc(n * m->n_sums * sizeof *w->sums);
    if (w->codes == NULL || w->sums == NULL) {
        return ATOLL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t row = (size_t)((first + i) & (m->ring_rows - 1));
        memcpy(w->codes + i * m->n_samples, m->ring_codes + row * m->n_samples,
               m->n_samples * sizeof *w->codes);
        memcpy(w->sums + i * m->n_sums, m->ring_sums + row * m->n_sums,
               m->n_sums * sizeof *w->sums);
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
        const double node = atoll__power_marker_node(m, k);
        if (node + m->half_window >= (double)m->next && !m->stopped) {
            return; /* times do not go back, so later markers wait as well */
        }
        keep(m, k, node);
    }
}
