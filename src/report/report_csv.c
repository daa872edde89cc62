/* SPDX-License-Identifier: Apache-2.0 */
/* runs.csv, segments.csv, samples.csv, accuracy.csv: every row of one experiment; epochs.csv: of
 * the trainings in the file. Columns in docs/csv.md. */
#include "report_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* Rows are gathered and written in pieces of this size. */
#define PIECE (1u << 20)

struct csv {
    FILE *f;
    char *path; ///< owned
    struct atoll_buf b;
    struct atoll_store *store;
    struct atoll_err *err;
    bool first; ///< in this line
};

static void put_number(struct csv *c, double v)
{
    atoll_buf_puts(&c->b, c->first ? "" : ",");
    c->first = false;
    if (isfinite(v)) {
        atoll_buf_printf(&c->b, "%.12g", v);
    }
}
static void put_integer(struct csv *c, int64_t v)
{
    atoll_buf_printf(&c->b, c->first ? "%lld" : ",%lld", (long long)v);
    c->first = false;
}
static void put_text(struct csv *c, const char *s)
{
    atoll_buf_puts(&c->b, c->first ? "" : ",");
    c->first = false;
    atoll__text_csv(&c->b, s);
}

static int flush_piece(struct csv *c, size_t limit)
{
    if (c->b.failed) {
        return atoll_fail_nomem(c->err, c->path, c->b.size);
    }
    if (c->b.size > 0 && c->b.size >= limit) {
        if (fwrite(c->b.data, 1, c->b.size, c->f) != c->b.size) {
            return atoll_fail(c->err, ATOLL_EIO, "%s: writing failed: %s", c->path,
                              strerror(errno));
        }
        c->b.size = 0;
        c->b.data[0] = '\0';
    }
    return 0;
}
static int end_line(struct csv *c)
{
    atoll_buf_puts(&c->b, "\n");
    c->first = true;
    return flush_piece(c, PIECE);
}

static const char runs_head[] =
    "run,model,strategy,tpus,workload,repeat,status,error,origin,seed,order_index,host,started,"
    "wall_s,count,p50_us,p50_low95_us,"
    "p50_high95_us,p90_us,p99_us,min_us,max_us,mean_us,stdev_us,first_us,cold_us,throughput_hz,"
    "energy_mj,energy_u95_mj,"
    "energy_idle_share_frac,mean_w,temperature_max_c,throttled,outliers,meter_lost_scans,"
    "idle_w,window_s,energy_above_mj,energy_above_u95_mj,u_gain_mj,u_zero_mj,u_drift_mj,u_noise_mj,"
    "u_time_mj,u_volt_mj,coverage_k,energy_asked_frac,ranging_s\n";

static int on_run(void *u, const struct atoll_run_row *r)
{
    struct csv *c = u;
    char seed[24];
    snprintf(seed, sizeof seed, "%016llx", (unsigned long long)r->seed);
    put_integer(c, r->id);
    put_text(c, r->model);
    put_text(c, r->strategy);
    put_integer(c, r->tpus);
    put_text(c, r->workload);
    put_integer(c, r->repeat);
    put_text(c, r->status);
    put_text(c, r->error);
    put_text(c, r->origin);
    put_text(c, seed);
    put_integer(c, r->order_index);
    put_text(c, r->host);
    put_text(c, r->started);
    put_number(c, r->wall_s);
    put_integer(c, r->count);
    const double numbers[] = {r->p50_us,    r->p50_low95_us,     r->p50_high95_us,
                              r->p90_us,    r->p99_us,           r->min_us,
                              r->max_us,    r->mean_us,          r->stdev_us,
                              r->first_us,  r->cold_us,          r->throughput_hz,
                              r->energy_mj, r->energy_u95_mj,    r->energy_idle_share_frac,
                              r->mean_w,    r->temperature_max_c};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_number(c, numbers[i]);
    }
    put_integer(c, r->throttled);
    put_integer(c, r->outliers);
    put_integer(c, r->meter_lost_scans);
    const double meter[] = {r->idle_w,    r->window_s,  r->energy_above_mj, r->energy_above_u95_mj,
                            r->u_gain_mj, r->u_zero_mj, r->u_drift_mj,      r->u_noise_mj,
                            r->u_time_mj, r->u_volt_mj, r->coverage_k,      r->energy_asked_frac,
                            r->ranging_s};
    for (size_t i = 0; i < sizeof meter / sizeof *meter; i++) {
        put_number(c, meter[i]);
    }
    return end_line(c);
}

static const char states_head[] =
    "run,state,tpu_s,power_w,power_u95_w,energy_mj,energy_u95_mj,goes_with\n";

static int on_state(void *u, const struct atoll_state_row *r)
{
    struct csv *c = u;
    put_integer(c, r->run);
    put_text(c, r->state);
    const double numbers[] = {r->tpu_s, r->power_w, r->power_u95_w, r->energy_mj, r->energy_u95_mj};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_number(c, numbers[i]);
    }
    put_text(c, r->goes_with);
    return end_line(c);
}

static int on_states(void *u, const struct atoll_run_row *r)
{
    struct csv *c = u;
    return atoll_store_each_state(c->store, r->id, on_state, c, c->err);
}

static const char segments_head[] = "model,strategy,tpus,pipeline,stage,on_tpus,n_ops,first_op,"
                                    "last_op,first_name,last_name,stored_bytes,on_chip_bytes,"
                                    "off_chip_bytes,narrow_bytes_per_tile,input_bytes,output_bytes,"
                                    "compute_us,stream_us,input_us,output_us,call_us,latency_us,"
                                    "service_us,load_us,strips\n";

static int on_stage(void *u, const struct atoll_stage_row *r)
{
    struct csv *c = u;
    put_text(c, r->model);
    put_text(c, r->strategy);
    put_integer(c, r->tpus_key);
    put_integer(c, r->pipeline);
    put_integer(c, r->stage);
    put_text(c, r->tpus);
    put_integer(c, r->n_ops);
    put_integer(c, r->first_op);
    put_integer(c, r->last_op);
    put_text(c, r->first_name);
    put_text(c, r->last_name);
    const double numbers[] = {
        r->stored_bytes, r->on_chip_bytes, r->off_chip_bytes, r->narrow_bytes_per_tile,
        r->input_bytes,  r->output_bytes,  r->compute_us,     r->stream_us,
        r->input_us,     r->output_us,     r->call_us,        r->latency_us,
        r->service_us,   r->load_us};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_number(c, numbers[i]);
    }
    put_integer(c, r->strips);
    return end_line(c);
}

static const char samples_head[] = "run,sample,latency_us\n";

static int on_samples(void *u, const struct atoll_run_row *r)
{
    struct csv *c = u;
    double *v = NULL;
    size_t n = 0;
    int e = atoll_store_get_samples(c->store, r->id, &v, &n, c->err);
    for (size_t i = 0; !e && i < n; i++) {
        atoll_buf_printf(&c->b, "%lld,%zu,%.2f\n", (long long)r->id, i, v[i]);
        e = flush_piece(c, PIECE);
    }
    atoll_free(v);
    return e;
}

static const char accuracy_head[] =
    "model,data,part,image_limit,task,images,bad,classes,bad_first,top1,top1_low95,top1_high95,"
    "top5,"
    "top5_low95,top5_high95,pixel_frac,pixel_low95,pixel_high95,mean_iou,ap,ap50,ap75,origin,"
    "runtime,kernels,host,started,seconds,images_per_s\n";

static int on_accuracy(void *u, const struct atoll_accuracy_row *r)
{
    struct csv *c = u;
    put_text(c, r->model);
    put_text(c, r->data);
    put_text(c, r->part);
    put_integer(c, r->image_limit);
    put_text(c, r->task);
    put_integer(c, r->images);
    put_integer(c, r->bad);
    put_integer(c, r->classes);
    put_text(c, r->bad_first);
    const double numbers[] = {r->top1,         r->top1_low95,  r->top1_high95, r->top5,
                              r->top5_low95,   r->top5_high95, r->pixel_frac,  r->pixel_low95,
                              r->pixel_high95, r->mean_iou,    r->ap,          r->ap50,
                              r->ap75};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_number(c, numbers[i]);
    }
    put_text(c, r->origin);
    put_text(c, r->runtime);
    put_text(c, r->kernels);
    put_text(c, r->host);
    put_text(c, r->started);
    put_number(c, r->seconds);
    put_number(c, r->images_per_s);
    return end_line(c);
}

static const char epochs_head[] =
    "network,data,training,model_sha256,int8_sha256,epochs,epoch,rate,"
    "loss,accuracy_frac,validation_loss,validation_accuracy_frac,"
    "seconds\n";

struct epochs {
    struct csv *c;
    const struct atoll_training_row *training;
};

static int on_epoch(void *u, const struct atoll_epoch_row *r)
{
    const struct epochs *p = u;
    struct csv *c = p->c;
    put_text(c, p->training->network);
    put_text(c, p->training->data);
    put_text(c, r->training);
    put_text(c, p->training->model_sha256);
    put_text(c, p->training->int8_sha256);
    put_integer(c, p->training->epochs);
    put_integer(c, r->epoch);
    const double numbers[] = {
        r->rate,   r->loss, r->accuracy_frac, r->validation_loss, r->validation_accuracy_frac,
        r->seconds};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_number(c, numbers[i]);
    }
    return end_line(c);
}

static int on_training(void *u, const struct atoll_training_row *r)
{
    struct csv *c = u;
    struct epochs p = {c, r};
    return atoll_store_each_epoch(c->store, r->key, on_epoch, &p, c->err);
}

/* Opens DIR/name, writes the head line. The file is written under its name with ".part" and renamed
 * when whole, so that a full disk never leaves half a table under the right name. */
static int open_csv(struct csv *c, const char *dir, const char *name, const char *head)
{
    struct atoll_buf path = {0};
    atoll_buf_printf(&path, "%s/%s.part", dir, name);
    c->path = path.failed ? NULL : path.data;
    if (!c->path) {
        atoll_buf_finish(&path);
        return atoll_fail_nomem(c->err, "a path", strlen(dir));
    }
    c->f = fopen(c->path, "wb");
    c->first = true;
    c->b.size = 0;
    if (!c->f) {
        return atoll_fail(c->err, ATOLL_EIO, "%s: cannot be written: %s", c->path, strerror(errno));
    }
    atoll_buf_puts(&c->b, head);
    return 0;
}

static int close_csv(struct csv *c, int e)
{
    e = e || !c->f ? e : flush_piece(c, 0);
    if (c->f && fclose(c->f) != 0 && !e) {
        e = atoll_fail(c->err, ATOLL_EIO, "%s: writing failed: %s", c->path, strerror(errno));
    }
    c->f = NULL;
    if (c->path && !e) {
        char *whole = atoll_strdup(c->path);
        if (!whole) {
            e = atoll_fail_nomem(c->err, "a path", strlen(c->path));
        } else {
            whole[strlen(whole) - strlen(".part")] = '\0';
            if (rename(c->path, whole) != 0) {
                e = atoll_fail(c->err, ATOLL_EIO, "%s: cannot be renamed: %s", c->path,
                               strerror(errno));
            }
        }
        atoll_free(whole);
    }
    if (c->path && e) {
        remove(c->path);
    }
    atoll_free(c->path);
    c->path = NULL;
    return e;
}

int atoll__write_csv(struct atoll_store *s, const char *path, struct atoll_err *err)
{
    struct csv c = {.store = s, .err = err};
    char *key = NULL;
    int e = atoll__report_newest(s, &key, err);
    if (!e && mkdir(path, 0777) != 0 && errno != EEXIST) {
        e = atoll_fail(err, ATOLL_EIO, "%s: cannot be made: %s", path, strerror(errno));
    }
    if (!e) {
        e = open_csv(&c, path, "runs.csv", runs_head);
        e = close_csv(&c, e ? e : atoll_store_each_run(s, key, on_run, &c, err));
    }
    if (!e) {
        e = open_csv(&c, path, "segments.csv", segments_head);
        e = close_csv(&c, e ? e : atoll_store_each_stage(s, key, on_stage, &c, err));
    }
    if (!e) {
        e = open_csv(&c, path, "samples.csv", samples_head);
        e = close_csv(&c, e ? e : atoll_store_each_run(s, key, on_samples, &c, err));
    }
    if (!e) {
        e = open_csv(&c, path, "states.csv", states_head);
        e = close_csv(&c, e ? e : atoll_store_each_run(s, key, on_states, &c, err));
    }
    if (!e) {
        e = open_csv(&c, path, "accuracy.csv", accuracy_head);
        e = close_csv(&c, e ? e : atoll_store_each_accuracy(s, key, on_accuracy, &c, err));
    }
    if (!e) {
        e = open_csv(&c, path, "epochs.csv", epochs_head);
        e = close_csv(&c, e ? e : atoll_store_each_training(s, on_training, &c, err));
    }
    atoll_buf_finish(&c.b);
    atoll_free(key);
    return e;
}
