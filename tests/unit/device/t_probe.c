/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine has, on a tree of files that stands for /sys and /dev. */
#include "../atoll_test.h"

#include "device_internal.h"

#include <sys/stat.h>

static char made[64][300];
static size_t n_made;

static void make(const char *root, const char *path, const char *content)
{
    char full[300];
    (void)snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(full, 0755) == 0) {
            (void)snprintf(made[n_made++], 300, "%s", full);
        }
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    assert_int_equal(fclose(f), 0);
    (void)snprintf(made[n_made++], 300, "%s", full);
}

static const struct atoll_probe_finding *find(const struct atoll_probe_finding *f, size_t n,
                                              const char *kind, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(f[i].kind, kind) == 0 && strcmp(f[i].name, name) == 0) {
            return &f[i];
        }
    }
    return NULL;
}

static void finds_what_is_there(void **state)
{
    (void)state;
    char root[256];
    struct atoll_probe_finding f[16];
    size_t n = 0;
    test_scratch(root);
    n_made = 0;
    make(root, "/sys/class/apex/apex_0/temp", "41300\n");
    make(root, "/dev/apex_0", "");
    make(root, "/sys/class/apex/apex_1/temp", "40000\n");
    make(root, "/sys/module/apex/version", "1\n");
    make(root, "/sys/bus/usb/devices/2-1/idVendor", "18d1\n");
    make(root, "/sys/bus/usb/devices/2-1/idProduct", "9302\n");
    make(root, "/sys/bus/usb/devices/2-1/busnum", "2\n");
    make(root, "/sys/bus/usb/devices/2-1/devnum", "7\n");
    make(root, "/sys/bus/usb/devices/2-1/speed", "480\n");
    make(root, "/dev/bus/usb/002/007", "");
    make(root, "/sys/bus/usb/devices/1-4/idVendor", "046d\n");
    make(root, "/sys/bus/usb/devices/1-4/idProduct", "c52b\n");
    const struct atoll_probe_opts o = {.root = root,
                                       .runtime = "/nonexistent/libtensorflowlite_c.so"};
    assert_int_equal(atoll_device_probe(&o, f, 16, &n, NULL), 0);
    assert_int_equal(n, 6);
    const struct atoll_probe_finding *x = find(f, n, "tpu", "apex_0");
    assert_true(x != NULL && x->available);
    assert_non_null(strstr(x->detail, "41.3 degC"));
    x = find(f, n, "tpu", "apex_1");
    assert_true(x != NULL && !x->available);
    assert_non_null(strstr(x->detail, "missing"));
    x = find(f, n, "tpu", "2-1");
    assert_true(x != NULL && x->available);
    assert_non_null(strstr(x->detail, "USB 2 port"));
    x = find(f, n, "driver", "apex");
    assert_true(x != NULL && x->available);
    assert_non_null(strstr(x->detail, "2 Edge TPUs"));
    assert_non_null(find(f, n, "library", "tflite"));
    assert_non_null(find(f, n, "library", "libedgetpu"));
    size_t all = 0;
    assert_int_equal(atoll_device_probe(&o, f, 2, &all, NULL), 0); /* counts past a small array */
    assert_int_equal(all, 6);
    for (size_t i = n_made; i-- > 0;) {
        (void)remove(made[i]);
    }
    assert_int_equal(rmdir(root), 0);
}

/* A library that loads but is no TFLite runtime is refused, and the sentence says why. */
static void refuses_a_file_name_alone(void **state)
{
    (void)state;
    struct atoll_probe_finding f[64];
    size_t n = 0;
    const struct atoll_probe_opts o = {.root = "/nonexistent", .runtime = "libm.so.6"};
    assert_int_equal(atoll_device_probe(&o, f, 64, &n, NULL), 0);
    const struct atoll_probe_finding *x = find(f, n, "library", "tflite");
    assert_non_null(x);
    assert_false(x->available);
    assert_non_null(strstr(x->detail, "libm.so.6: it has no TfLite"));
    x = find(f, n, "driver", "apex");
    assert_true(x != NULL && !x->available);
    assert_non_null(strstr(x->detail, "modprobe apex"));
    assert_int_equal(atoll_device_probe(NULL, f, 64, &n, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_what_is_there),
                                       cmocka_unit_test(refuses_a_file_name_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
