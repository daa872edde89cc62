/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's power sensors and energy counters, on trees that look like sysfs. */
#include "meter_fixture.h"

#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static char root[256];

static void put(const char *name, const char *text)
{
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    /* in place and in one go, as sysfs shows a value whole or not at all */
    FILE *f = fopen(path, access(path, F_OK) == 0 ? "r+" : "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    (void)state;
    test_scratch(root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[300];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static int open_it(const char *kind, const char *more, struct atoll_meter **m,
                   struct atoll_err *err)
{
    char spec[400];
    const struct atoll_meter_opts o = {.rate_hz = 200};
    (void)snprintf(spec, sizeof spec, "%s:%s%s", kind, root, more);
    *m = NULL;
    *err = (struct atoll_err){0};
    return atoll_meter_open(spec, &o, m, err);
}

static void pause_ms(unsigned ms)
{
    const struct timespec t = {.tv_nsec = (long)ms * 1000000};
    (void)nanosleep(&t, NULL);
}

static struct atoll_meter *opened(const char *kind, const char *more)
{
    struct atoll_meter *m = NULL;
    struct atoll_err err;
    if (open_it(kind, more, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return m;
}

static void started(struct atoll_meter *m)
{
    struct atoll_err err = {0};
    if (atoll_meter_start(m, atoll_now_ns(), &err) != 0) {
        fail_msg("%s", err.text);
    }
}

static void refused(const char *kind, const char *more, int code, const char *words)
{
    struct atoll_meter *m = NULL;
    struct atoll_err err;
    assert_int_equal(open_it(kind, more, &m, &err), code);
    if (strstr(err.text, words) == NULL) {
        fail_msg("'%s' is not in: %s", words, err.text);
    }
}

static void sensors_of_the_kernel(void **state)
{
    (void)state;
    put("hwmon0/name", "coretemp\n"); /* no power */
    put("hwmon2/name", "ina226\n");
    put("hwmon2/power1_input", "12340000\n");
    put("hwmon2/power1_label", "board 12 V\n");
    put("hwmon2/update_interval", "4\n");
    put("hwmon10/name", "ina3221\n");
    put("hwmon10/curr1_input", "1500\n");
    put("hwmon10/in1_input", "3300\n");
    struct atoll_meter *m = opened("hwmon", ",gain=0.01,zero=0.02");
    struct atoll_meter_info info;
    struct atoll_energy rails[2];
    struct atoll_energy e;
    atoll_meter_info(m, &info);
    assert_int_equal(info.n_rails, 2);
    assert_string_equal(info.rails[0].name, "board 12 V");
    assert_string_equal(info.rails[1].name, "ina3221_1");
    assert_true(info.origin == ATOLL_ORIGIN_MEASURED);
    assert_non_null(strstr(info.description, "assumed"));
    started(m);
    assert_int_equal(fix_mark(m, atoll_now_ns()), 0);
    pause_ms(200);
    put("hwmon10/curr1_input", "0500\n");
    pause_ms(200);
    assert_int_equal(fix_mark(m, atoll_now_ns()), 1);
    assert_int_equal(atoll_meter_stop(m, atoll_now_ns(), NULL), 0);
    const int rc = atoll_meter_energy(m, 0, 1, rails, &e, NULL);
    if (rc == 0) { /* a busy machine may leave gaps: reported, then */
        test_close(rails[0].mean_w, 12.34, 0.01);
        test_close(rails[1].mean_w, (4.95 + 1.65) / 2, 0.25);
    }
    assert_true(rc == 0 || (rc == ATOLL_ENO && e.lost_scans > 0));
    test_close(rails[0].u_gain_mj, 0.01 * rails[0].energy_mj, 0.1);
    test_close(rails[0].u_zero_mj, 20 * e.seconds, 0.2);
    atoll_meter_close(&m);
}

static void sensors_that_vanish(void **state)
{
    (void)state;
    struct atoll_meter *m = NULL;
    struct atoll_err err = {0};
    char path[400];
    refused("hwmon", "", ATOLL_EDEVICE, "no chip with power");
    refused("hwmon", ",gain=7", ATOLL_EUSAGE, "expected gain=0..1");
    put("hwmon0/name", "ina226\n");
    put("hwmon0/power1_input", "many\n");
    refused("hwmon", "", ATOLL_EDEVICE, "holds 'many' (expected a number)");
    put("hwmon0/power1_input", "5000\n");
    m = opened("hwmon", "");
    started(m);
    (void)snprintf(path, sizeof path, "%s/hwmon0/power1_input", root);
    assert_int_equal(unlink(path), 0);
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++) {
        pause_ms(5);
        rc = atoll_meter_advance(m, atoll_now_ns(), &err);
    }
    assert_int_equal(rc, ATOLL_EDEVICE);
    assert_non_null(strstr(err.text, "power1_input: cannot be read: No such file"));
    atoll_meter_close(&m);
}

/* ------------------------------------------------------------------------- RAPL */

struct counter {
    pthread_t thread;
    volatile bool stop;
    double uj_per_ns;
    uint64_t start_ns, range_uj, first_uj;
};

/* 20 W, counted in whole microjoules, moved on each ms, wraps at the range. */
static void *count(void *arg)
{
    struct counter *c = arg;
    while (!c->stop) {
        char text[40];
        const double uj = (double)(atoll_now_ns() - c->start_ns) * c->uj_per_ns;
        (void)snprintf(text, sizeof text, "%012llu\n",
                       (unsigned long long)((c->first_uj + (uint64_t)uj) % c->range_uj));
        put("intel-rapl:0/energy_uj", text);
        pause_ms(1);
    }
    return NULL;
}

static void counters_of_the_processor(void **state)
{
    (void)state;
    struct counter c = {.uj_per_ns = 0.02,
                        .start_ns = atoll_now_ns(),
                        .range_uj = 262143328850,
                        .first_uj = 262143328850 - 12000000}; /* wraps after 0.6 s */
    put("intel-rapl:0/name", "package-0\n");
    put("intel-rapl:0/max_energy_range_uj", "262143328850\n");
    put("intel-rapl:0/energy_uj", "262131328850\n");
    put("intel-rapl:0:0/name", "core\n");
    put("intel-rapl:0:0/energy_uj", "77\n");
    put("intel-rapl:0:1/name", "dram\n");
    put("intel-rapl:0:1/energy_uj", "1000\n");
    put("intel-rapl:0:1/max_energy_range_uj", "65712999613\n");
    put("intel-rapl:1/name", "psys\n");
    put("intel-rapl:1/energy_uj", "5\n");
    assert_int_equal(pthread_create(&c.thread, NULL, count, &c), 0);
    pause_ms(5);
    struct atoll_meter *m = opened("rapl", "");
    struct atoll_meter_info info;
    struct atoll_energy rails[2];
    struct atoll_energy e;
    atoll_meter_info(m, &info);
    assert_int_equal(info.n_rails, 2); /* neither core, which package holds, nor psys */
    assert_string_equal(info.rails[0].name, "package-0");
    assert_string_equal(info.rails[1].name, "dram-0");
    started(m);
    (void)fix_mark(m, atoll_now_ns());
    for (int i = 0; i < 100; i++) {
        pause_ms(10);
        assert_int_equal(atoll_meter_advance(m, atoll_now_ns(), NULL), 0);
    }
    (void)fix_mark(m, atoll_now_ns());
    assert_int_equal(atoll_meter_stop(m, atoll_now_ns(), NULL), 0);
    c.stop = true;
    (void)pthread_join(c.thread, NULL);
    assert_int_equal(atoll_meter_energy(m, 0, 1, rails, &e, NULL), 0); /* counters leave no gap */
    test_close(rails[0].mean_w, 20, 0.6);
    test_close(rails[1].mean_w, 0, 1e-6);
    test_close(e.u_gain_mj, 0.03 * e.energy_mj, 1);
    atoll_meter_close(&m);
}

static void counters_that_cannot_be_read(void **state)
{
    (void)state;
    char path[400];
    refused("rapl", "", ATOLL_EDEVICE, "no package is there");
    put("intel-rapl:0/name", "package-0\n");
    put("intel-rapl:0/max_energy_range_uj", "1000000\n");
    put("intel-rapl:0/energy_uj", "500\n");
    (void)snprintf(path, sizeof path, "%s/intel-rapl:0/energy_uj", root);
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(chmod(root, 0755), 0);
    (void)snprintf(path, sizeof path, "%s/intel-rapl:0", root);
    assert_int_equal(chmod(path, 0755), 0);
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) { /* root may read all: as nobody */
        struct atoll_meter *m = NULL;
        struct atoll_err err;
        const bool other = geteuid() != 0 || setuid(65534) == 0;
        const bool right = other && open_it("rapl", "", &m, &err) == ATOLL_EDEVICE &&
                           strstr(err.text, "Permission denied (only root may read it") != NULL;
        _exit(right ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sensors_of_the_kernel, setup, teardown),
        cmocka_unit_test_setup_teardown(sensors_that_vanish, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_of_the_processor, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_that_cannot_be_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
