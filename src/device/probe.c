/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine has: Edge TPUs on PCIe and USB, the kernel driver, the run-time libraries. */
#include "device_internal.h"

#include <atoll/nn.h>

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct probe {
    const char *root;
    struct atoll_probe_finding *out;
    size_t capacity, n;
    struct atoll_probe_finding spill; /* counted but not kept: the caller's array is full */
};

static struct atoll_probe_finding *add(struct probe *p, const char *kind, const char *name,
                                       bool available)
{
    struct atoll_probe_finding *f = p->n < p->capacity ? &p->out[p->n] : &p->spill;
    p->n++;
    *f = (struct atoll_probe_finding){.available = available};
    (void)snprintf(f->kind, sizeof f->kind, "%s", kind);
    (void)snprintf(f->name, sizeof f->name, "%.63s", name);
    return f;
}

/* First line of a small file below the root; "" when it cannot be read. */
static void read_line(const struct probe *p, char out[64], const char *directory, const char *entry,
                      const char *file)
{
    char path[512];
    out[0] = '\0';
    (void)snprintf(path, sizeof path, "%s%s/%.200s/%s", p->root, directory, entry, file);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return;
    }
    if (fgets(out, 64, f) == NULL) {
        out[0] = '\0';
    }
    (void)fclose(f);
    out[strcspn(out, "\r\n")] = '\0';
}

/* ---------------------------------------------------------------------- PCIe */

static void add_apex(struct probe *p, const char *entry)
{
    char node[320];
    char temperature[64];
    (void)snprintf(node, sizeof node, "%s/dev/%.200s", p->root, entry);
    read_line(p, temperature, "/sys/class/apex", entry, "temp");
    const bool there = access(node, F_OK) == 0;
    const bool open = access(node, R_OK | W_OK) == 0;
    struct atoll_probe_finding *f = add(p, "tpu", entry, open);
    if (!there) {
        (void)snprintf(f->detail, sizeof f->detail,
                       "the driver knows it but /dev/%.64s is missing: check that udev runs, or "
                       "reload the module apex",
                       entry);
    } else if (!open) {
        (void)snprintf(f->detail, sizeof f->detail,
                       "no permission on /dev/%.64s: add a udev rule (SUBSYSTEM==\"apex\", "
                       "MODE=\"0660\", GROUP=\"apex\") and yourself to group apex",
                       entry);
    } else if (temperature[0] != '\0') {
        (void)snprintf(f->detail, sizeof f->detail, "PCIe, %.1f degC",
                       (double)strtol(temperature, NULL, 10) / 1000);
    } else {
        (void)snprintf(f->detail, sizeof f->detail, "PCIe, temperature not known");
    }
}

static bool is_apex(const char *entry)
{
    return strncmp(entry, "apex_", 5) == 0;
}

/* ----------------------------------------------------------------------- USB */

static bool is_edge_tpu_usb(const char *vendor, const char *product, bool *fresh)
{
    *fresh = strcmp(vendor, "1a6e") == 0 && strcmp(product, "089a") == 0;
    return *fresh || (strcmp(vendor, "18d1") == 0 && strcmp(product, "9302") == 0);
}

static void add_usb(struct probe *p, const char *entry)
{
    char vendor[64], product[64], bus[64], number[64], speed[64], node[320];
    bool fresh = false;
    read_line(p, vendor, "/sys/bus/usb/devices", entry, "idVendor");
    read_line(p, product, "/sys/bus/usb/devices", entry, "idProduct");
    if (!is_edge_tpu_usb(vendor, product, &fresh)) {
        return;
    }
    read_line(p, bus, "/sys/bus/usb/devices", entry, "busnum");
    read_line(p, number, "/sys/bus/usb/devices", entry, "devnum");
    read_line(p, speed, "/sys/bus/usb/devices", entry, "speed");
    (void)snprintf(node, sizeof node, "%s/dev/bus/usb/%03ld/%03ld", p->root, strtol(bus, NULL, 10),
                   strtol(number, NULL, 10));
    const bool open = access(node, R_OK | W_OK) == 0;
    struct atoll_probe_finding *f = add(p, "tpu", entry, open);
    (void)snprintf(
        f->detail, sizeof f->detail, "USB%s, %.16s Mbit/s%s%s",
        fresh ? ", firmware not loaded yet (its id changes at first use)" : "",
        speed[0] != '\0' ? speed : "?",
        strtol(speed, NULL, 10) == 480
            ? " (a USB 2 port: weights stream 10 times slower than on USB 3)"
            : "",
        open ? "" : "; no permission: install the udev rules of libedgetpu and plug it in again");
}

static bool is_usb_device(const char *entry)
{
    return entry[0] >= '0' && entry[0] <= '9';
}

enum { ENTRIES_MAX = 128, ENTRY_BYTES = 64 };

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Calls `each` for the entries of a directory that fit, in alphabetical order. */
static size_t scan(struct probe *p, const char *directory, bool (*fits)(const char *),
                   void (*each)(struct probe *, const char *))
{
    char path[512];
    char names[ENTRIES_MAX][ENTRY_BYTES];
    size_t n = 0;
    (void)snprintf(path, sizeof path, "%s%s", p->root, directory);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return 0;
    }
    for (const struct dirent *e = readdir(dir); e != NULL && n < ENTRIES_MAX; e = readdir(dir)) {
        if (fits(e->d_name) && strlen(e->d_name) < ENTRY_BYTES) {
            (void)snprintf(names[n++], ENTRY_BYTES, "%s", e->d_name);
        }
    }
    (void)closedir(dir);
    qsort(names, n, ENTRY_BYTES, by_name);
    for (size_t i = 0; i < n; i++) {
        each(p, names[i]);
    }
    return n;
}

static void add_kernel_driver(struct probe *p, size_t n_apex)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/sys/module/apex", p->root);
    const bool loaded = access(path, F_OK) == 0;
    struct atoll_probe_finding *f = add(p, "driver", "apex", loaded);
    if (!loaded) {
        (void)snprintf(f->detail, sizeof f->detail,
                       "kernel module not loaded (needed for Edge TPUs on PCIe only): install "
                       "gasket-dkms and run modprobe apex");
    } else if (n_apex == 0) {
        (void)snprintf(
            f->detail, sizeof f->detail,
            "loaded, but no Edge TPU answered on PCIe: see lspci -d 1ac1: and the kernel log");
    } else {
        (void)snprintf(f->detail, sizeof f->detail, "loaded, %zu Edge TPU%s on PCIe", n_apex,
                       n_apex == 1 ? "" : "s");
    }
}

/* ------------------------------------------------------------------ libraries */

/* The runtime by the same search as everything that computes with it. */
static void add_runtime(struct probe *p, const char *path)
{
    const struct atoll_runtime *rt = NULL;
    struct atoll_err why = {0};
    const bool found = atoll_runtime_open(path, &rt, &why) == 0;
    struct atoll_probe_finding *f = add(p, "library", "tflite", found);
    if (found) {
        (void)snprintf(f->detail, sizeof f->detail, "%.200s, version %.40s", atoll_runtime_path(rt),
                       atoll_runtime_version(rt));
    } else {
        (void)snprintf(f->detail, sizeof f->detail, "%.*s", (int)sizeof f->detail - 1, why.text);
    }
}

static void add_edgetpu(struct probe *p)
{
    static const char name[] = "libedgetpu.so.1";
    void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    const char *reason = library == NULL ? dlerror() : NULL;
    const bool fits = library != NULL && dlsym(library, "edgetpu_list_devices") != NULL;
    struct atoll_probe_finding *f = add(p, "library", "libedgetpu", fits);
    if (fits) {
        (void)snprintf(f->detail, sizeof f->detail, "%s", name);
    } else {
        (void)snprintf(f->detail, sizeof f->detail,
                       "not installed: packages libedgetpu1-std or libedgetpu1-max of coral.ai "
                       "(%.200s)",
                       reason != NULL ? reason : "it has no edgetpu_list_devices");
    }
    if (library != NULL) {
        (void)dlclose(library);
    }
}

int atoll_device_probe(const struct atoll_probe_opts *o, struct atoll_probe_finding *out,
                       size_t capacity, size_t *n, struct atoll_err *err)
{
    struct probe p = {
        .root = o != NULL && o->root != NULL ? o->root : "", .out = out, .capacity = capacity};
    if (capacity > 0 && out == NULL) {
        return atoll_fail(err, ATOLL_EUSAGE, "probe: no array for the findings");
    }
    const size_t n_apex = scan(&p, "/sys/class/apex", is_apex, add_apex);
    (void)scan(&p, "/sys/bus/usb/devices", is_usb_device, add_usb);
    add_kernel_driver(&p, n_apex);
    add_runtime(&p, o != NULL ? o->runtime : NULL);
    add_edgetpu(&p);
    *n = p.n;
    return 0;
}
