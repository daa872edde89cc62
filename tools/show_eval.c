/* SPDX-License-Identifier: Apache-2.0 */
#include "show_eval.h"

#include <math.h>
#include <stdlib.h>

enum { CLASSES_SHOWN = 30, WORST_SHOWN = 10 };

/* ------------------------------------------------------------------------ JSON */

static json_t *interval_json(struct atoll_interval i)
{
    if (!isfinite(i.value)) {
        return json_null();
    }
    json_t *j = json_object();
    atoll_json_set_number(j, "value", i.value);
    atoll_json_set_number(j, "low95", i.low95);
    atoll_json_set_number(j, "high95", i.high95);
    return j;
}

/* Images with a label, and how many of them were answered right. */
static void count_class(const struct atoll_eval *e, uint32_t label, uint64_t *images,
                        uint64_t *right)
{
    const uint64_t *row = e->confusion + (size_t)label * (e->n_classes + 1);
    *images = 0;
    for (uint32_t i = 0; i <= e->n_classes; i++) {
        *images += row[i];
    }
    *right = row[label];
}

static json_t *classes_json(const struct eval_view *v, const struct atoll_dataset_info *info)
{
    const struct atoll_eval *e = v->results[0];
    json_t *list = json_array();
    for (uint32_t c = 0; c < e->n_classes; c++) {
        json_t *j = json_object();
        json_object_set_new(j, "index", json_integer(c));
        json_object_set_new(j, "label", out_string(info->labels[c]));
        if (e->task == ATOLL_TASK_CLASSIFY) {
            uint64_t images = 0, right = 0;
            count_class(e, c, &images, &right);
            json_object_set_new(j, "images", json_integer((json_int_t)images));
            json_object_set_new(
                j, "top1", images > 0 ? interval_json(atoll_wilson(right, images)) : json_null());
        } else if (e->task == ATOLL_TASK_SEGMENT) {
            atoll_json_set_number(j, "iou", e->iou[c]);
        } else {
            atoll_json_set_number(j, "ap", e->class_ap[c]);
        }
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *confusion_json(const struct atoll_eval *e)
{
    const uint32_t columns = e->n_classes + (e->task == ATOLL_TASK_CLASSIFY);
    json_t *rows = json_array();
    for (uint32_t r = 0; r < e->n_classes && e->confusion; r++) {
        json_t *row = json_array();
        for (uint32_t c = 0; c < columns; c++) {
            json_array_append_new(row,
                                  json_integer((json_int_t)e->confusion[(size_t)r * columns + c]));
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

static int model_json(struct call *call, json_t *j, const struct atoll_model *m)
{
    char sha256[65];
    const int code = atoll_model_sha256(m, sha256, &call->err);
    json_t *model = json_object();
    json_object_set_new(model, "path", out_string(m->path));
    json_object_set_new(model, "sha256", code == 0 ? json_string(sha256) : json_null());
    json_object_set_new(j, "model", model);
    return code;
}

/* The figures of the task. */
static void figures_json(json_t *j, const struct atoll_eval *e)
{
    json_object_set_new(j, "images", json_integer((json_int_t)e->images));
    json_object_set_new(j, "top1", interval_json(e->top1));
    json_object_set_new(j, "top5", interval_json(e->top5));
    if (e->task == ATOLL_TASK_SEGMENT) {
        json_object_set_new(j, "pixels", interval_json(e->pixels));
        atoll_json_set_number(j, "mean_iou", e->mean_iou);
    }
    if (e->task == ATOLL_TASK_DETECT) {
        atoll_json_set_number(j, "ap", e->ap);
        atoll_json_set_number(j, "ap50", e->ap50);
        atoll_json_set_number(j, "ap75", e->ap75);
    }
    atoll_json_set_number(j, "images_per_s", e->images_per_s);
}

static int against_json(struct call *call, json_t *j, const struct eval_view *v)
{
    if (!v->results[1]) {
        return 0;
    }
    const struct atoll_eval_pair *p = v->pair;
    json_t *other = json_object();
    const int code = model_json(call, other, v->models[1]);
    figures_json(other, v->results[1]);
    json_object_set_new(other, "difference", interval_json(p->difference));
    atoll_json_set_number(other, "mcnemar_p", p->p);
    json_object_set_new(other, "both_right", json_integer((json_int_t)p->both));
    json_object_set_new(other, "only_first_right", json_integer((json_int_t)p->only_a));
    json_object_set_new(other, "only_second_right", json_integer((json_int_t)p->only_b));
    json_object_set_new(other, "both_wrong", json_integer((json_int_t)p->neither));
    json_object_set_new(j, "against", other);
    return code;
}

int show_eval_json(struct call *call, const struct eval_view *v)
{
    const struct atoll_eval *e = v->results[0];
    struct atoll_dataset_info info;
    atoll_dataset_info(v->data, &info);
    json_t *j = atoll_json_answer("eval");
    json_object_set_new(j, "origin", json_string(atoll_origin_name(ATOLL_ORIGIN_MEASURED)));
    int code = model_json(call, j, v->models[0]);
    json_object_set_new(j, "data", out_string(info.name));
    json_object_set_new(j, "part", json_string(atoll_part_name(v->part)));
    json_object_set_new(j, "task", json_string(atoll_task_name(e->task)));
    figures_json(j, e);
    json_object_set_new(j, "runtime", out_string(atoll_runtime_version(v->rt)));
    json_object_set_new(j, "kernels", json_string(atoll_kernels_name(e->kernels)));
    json_object_set_new(j, "threads", json_integer(e->threads));
    json_object_set_new(j, "bad", json_integer((json_int_t)(e->n_bad + info.n_bad)));
    const char *first = info.n_bad > 0 ? info.bad_first : e->bad_first;
    json_object_set_new(j, "bad_first", first[0] ? out_string(first) : json_null());
    json_object_set_new(j, "classes", classes_json(v, &info));
    if (v->confusion) {
        json_object_set_new(j, "confusion", confusion_json(e));
    }
    code = code ? code : against_json(call, j, v);
    if (code) {
        json_decref(j);
        return code;
    }
    return out_json(call, j);
}

/* ------------------------------------------------------------------ for people */

static void print_interval(const char *name, struct atoll_interval i)
{
    if (!isfinite(i.value)) {
        return;
    }
    out_text("  %-11s %.2f %%", name, 100 * i.value);
    if (isfinite(i.low95)) {
        out_text(" [%.2f, %.2f]", 100 * i.low95, 100 * i.high95);
    }
    out_text("\n");
}

static void print_figures(const struct atoll_eval *e)
{
    print_interval("top-1", e->top1);
    print_interval("top-5", e->top5);
    print_interval("pixels", e->pixels);
    if (e->task == ATOLL_TASK_SEGMENT) {
        out_text("  %-11s %.4f\n", "mean IoU", e->mean_iou);
    }
    if (e->task == ATOLL_TASK_DETECT) {
        out_text("  %-11s %.4f (IoU 0.50 to 0.95), %.4f at 0.50, %.4f at 0.75\n", "AP", e->ap,
                 e->ap50, e->ap75);
    }
}

struct shown {
    uint32_t label;
    double value;
};

static int worst_first(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return x->label < y->label ? -1 : x->label > y->label;
}

/* The answer most often given in place of the right one. */
static uint32_t mistaken_for(const struct atoll_eval *e, uint32_t label, uint64_t *times)
{
    const uint64_t *row = e->confusion + (size_t)label * (e->n_classes + 1);
    uint32_t at = label;
    *times = 0;
    for (uint32_t c = 0; c <= e->n_classes; c++) {
        if (c != label && row[c] > *times) {
            *times = row[c];
            at = c;
        }
    }
    return at;
}

static double class_value(const struct atoll_eval *e, uint32_t c, uint64_t *images)
{
    uint64_t right = 0;
    *images = 0;
    if (e->task == ATOLL_TASK_CLASSIFY) {
        count_class(e, c, images, &right);
        return *images > 0 ? (double)right / (double)*images : NAN;
    }
    return e->task == ATOLL_TASK_SEGMENT ? e->iou[c] : e->class_ap[c];
}

static void class_row(struct out_table *t, const struct atoll_eval *e, const struct shown *s,
                      const struct atoll_dataset_info *info)
{
    uint64_t images = 0, times = 0;
    (void)class_value(e, s->label, &images);
    out_cell(t, "%u %.40s", s->label, info->labels[s->label]);
    out_cell(t, "%.2f %%", 100 * s->value);
    if (e->task != ATOLL_TASK_CLASSIFY) {
        return;
    }
    const uint32_t other = mistaken_for(e, s->label, &times);
    out_cell(t, "%llu", (unsigned long long)images);
    if (times > 0) {
        out_cell(t, "%.30s (%llu)", other < e->n_classes ? info->labels[other] : "another class",
                 (unsigned long long)times);
    } else {
        out_cell(t, "-");
    }
}

static int print_classes(struct call *call, const struct atoll_eval *e,
                         const struct atoll_dataset_info *info)
{
    static const struct out_column columns[] = {
        {"class", OUT_LEFT}, {"right", OUT_RIGHT}, {"images", OUT_RIGHT}, {"taken for", OUT_LEFT}};
    static const struct out_column others[] = {{"class", OUT_LEFT}, {"value", OUT_RIGHT}};
    struct shown *all = atoll_calloc((size_t)e->n_classes + 1, sizeof *all);
    struct out_table t;
    uint32_t n = 0;
    if (!all) {
        return atoll_fail_nomem(&call->err, "classes", e->n_classes * sizeof *all);
    }
    for (uint32_t c = 0; c < e->n_classes; c++) {
        uint64_t images = 0;
        const double value = class_value(e, c, &images);
        if (isfinite(value)) {
            all[n++] = (struct shown){c, value};
        }
    }
    const bool short_list = n <= CLASSES_SHOWN;
    if (!short_list) {
        qsort(all, n, sizeof *all, worst_first);
        n = WORST_SHOWN;
    }
    const bool classify = e->task == ATOLL_TASK_CLASSIFY;
    out_text("\n%s", short_list ? "" : "The classes with the lowest values:\n");
    out_table_start(&t, classify ? columns : others, classify ? 4 : 2);
    for (uint32_t i = 0; i < n; i++) {
        class_row(&t, e, &all[i], info);
    }
    atoll_free(all);
    return out_table_print(&t, &call->err);
}

static void print_confusion(const struct atoll_eval *e)
{
    const uint32_t columns = e->n_classes + (e->task == ATOLL_TASK_CLASSIFY);
    out_text("\nlabels (rows) by answers (columns)%s:\n",
             e->task == ATOLL_TASK_CLASSIFY ? ", the last column another class" : "");
    for (uint32_t r = 0; r < e->n_classes && e->confusion; r++) {
        for (uint32_t c = 0; c < columns; c++) {
            out_text("%s%llu", c > 0 ? " " : "",
                     (unsigned long long)e->confusion[(size_t)r * columns + c]);
        }
        out_text("\n");
    }
}

static void print_against(const struct eval_view *v)
{
    const struct atoll_eval_pair *p = v->pair;
    if (!v->results[1]) {
        return;
    }
    out_text("\nagainst %s\n", v->models[1]->path);
    print_figures(v->results[1]);
    out_text("  %-11s %+.2f points [%+.2f, %+.2f], p = %.3g (McNemar)\n", "difference",
             100 * p->difference.value, 100 * p->difference.low95, 100 * p->difference.high95,
             p->p);
    out_text("  only the first is right on %llu images, only the second on %llu\n",
             (unsigned long long)p->only_a, (unsigned long long)p->only_b);
}

int show_eval(struct call *call, const struct eval_view *v)
{
    const struct atoll_eval *e = v->results[0];
    struct atoll_dataset_info info;
    atoll_dataset_info(v->data, &info);
    out_text("%s on %s, %s: %llu images (measured)\n", v->models[0]->path, info.name,
             atoll_part_name(v->part), (unsigned long long)e->images);
    print_figures(e);
    out_text("  %-11s %.1f images/s with %u threads (TFLite %s, %s kernels)\n", "speed",
             e->images_per_s, e->threads, atoll_runtime_version(v->rt),
             atoll_kernels_name(e->kernels));
    if (e->n_bad + info.n_bad > 0) {
        out_text("  %-11s %llu images were bad and left out; the first: %s\n", "left out",
                 (unsigned long long)(e->n_bad + info.n_bad),
                 info.n_bad > 0 ? info.bad_first : e->bad_first);
    }
    print_against(v);
    const int code = print_classes(call, e, &info);
    if (code == 0 && v->confusion) {
        print_confusion(e);
    }
    return code;
}
