/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host CPU time per million samples of a meter with 8 channels: atoll's way (blocks of up to 4 KiB,
 * framed, checked by CRC-32, counted, summed exactly) against the field's (PowerSensor3's words,
 * two bytes a call of read, a product and a sum per pair at the time of arrival). Both read the
 * same kind of pseudo-terminal, fed by another process, which is not counted.
 */
#include <atoll/impl/meter.h>
#include <atoll_wire.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { CHANNELS = 8, PAIRS = 4, SCANS = 250000, FRAME_SCANS = 14, WORD_BYTES = 2 };

static double thread_cpu_s(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint16_t code_of(uint32_t scan, uint32_t channel)
{
    return (uint16_t)(500 + (scan * 7 + channel * 31) % 200);
}

/* ------------------------------------------------------------------ the devices */

static bool write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t put = write(fd, bytes, n);
        if (put <= 0) {
            return false;
        }
        bytes += put;
        n -= (size_t)put;
    }
    return true;
}

static bool send_frames(int fd)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_CONFIG,
                                 .config = {.id = 1,
                                            .channels = 255,
                                            .bits = 16,
                                            .conversions = 1,
                                            .adc_bits = 16,
                                            .tick_hz = 1000000000,
                                            .period_ticks = 50000}};
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    uint8_t seq = 1;
    bool fine = write_all(fd, bytes, atoll_wire_encode(&f, bytes));
    for (uint32_t at = 0; fine && at < SCANS; at += FRAME_SCANS) {
        uint16_t codes[FRAME_SCANS * CHANNELS];
        const uint32_t n = SCANS - at < FRAME_SCANS ? SCANS - at : FRAME_SCANS;
        for (uint32_t i = 0; i < n * CHANNELS; i++) {
            codes[i] = code_of(at + i / CHANNELS, i % CHANNELS);
        }
        const struct atoll_wire_data d = {.config = 1, .first_scan = at, .n_scans = (uint8_t)n};
        fine = write_all(
            fd, bytes, atoll_wire_encode_scans(seq++, &d, codes, (size_t)n * CHANNELS, 16, bytes));
    }
    return fine;
}

static bool send_words(int fd)
{
    bool fine = true;
    for (uint32_t scan = 0; fine && scan < SCANS; scan++) {
        uint8_t bytes[WORD_BYTES * (CHANNELS + 1)];
        const uint32_t stamp = scan * 50 % 1024;
        bytes[0] = (uint8_t)(0xf0 | stamp >> 6);
        bytes[1] = (uint8_t)(0x40 | (stamp & 63));
        for (uint32_t c = 0; c < CHANNELS; c++) {
            const uint16_t code = code_of(scan, c);
            bytes[2 + 2 * c] = (uint8_t)(0x80 | c << 4 | code >> 6);
            bytes[3 + 2 * c] = (uint8_t)(code & 63);
        }
        fine = write_all(fd, bytes, sizeof bytes);
    }
    return fine;
}

/* A pseudo-terminal and a process that sends; the end to read from. */
static int plug_in(bool (*device)(int fd), pid_t *child)
{
    const int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0) {
        return -1;
    }
    const int end = open(ptsname(fd), O_RDWR | O_NOCTTY);
    struct termios t;
    if (end < 0 || tcgetattr(end, &t) != 0) {
        return -1;
    }
    cfmakeraw(&t);
    (void)tcsetattr(end, TCSANOW, &t);
    *child = fork();
    if (*child == 0) {
        uint8_t byte;
        (void)close(end);
        (void)alarm(60); /* whatever happens to the parent */
        _exit(device(fd) && read(fd, &byte, 1) <= 0 ? 0 : 1);
    }
    (void)close(fd);
    return end;
}

static void unplug(int end, pid_t child)
{
    if (end >= 0) {
        (void)close(end); /* the child's next read of the other end fails, and it ends */
    }
    if (child > 0) {
        (void)waitpid(child, NULL, 0);
    }
}

/* ------------------------------------------------------------------ the readers */

/* Whole way of atoll, as the thread of the serial meter and its owner go it. */
static double read_blocks(double *mj)
{
    static const struct atoll_meter_rail rails[CHANNELS] = {
        {"a", 12}, {"b", 12}, {"c", 12}, {"d", 12}, {"e", 5}, {"f", 5}, {"g", 5}, {"h", 5}};
    const struct atoll_meter_opts o = {
        .rails = rails, .n_rails = CHANNELS, .rate_hz = 20000, .ideal = true};
    struct atoll_meter *m = NULL;
    struct atoll_err err = {0};
    pid_t child = -1;
    const int fd = plug_in(send_frames, &child);
    uint64_t base_ns = 0;
    size_t bytes_left = (size_t)((SCANS + FRAME_SCANS - 1) / FRAME_SCANS) * 200;
    if (fd < 0 || atoll_meter_open("synth", &o, &m, &err) != 0 ||
        atoll_meter_start(m, 0, &err) != 0) {
        return -1;
    }
    const double from_s = thread_cpu_s();
    while (bytes_left > 0) {
        uint8_t bytes[4096];
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 500) <= 0) {
            break; /* all was sent */
        }
        const ssize_t n = read(fd, bytes, sizeof bytes);
        if (n <= 0) {
            break;
        }
        base_ns = base_ns == 0 ? atoll_now_ns() : base_ns;
        atoll_meter_push(m, bytes, (size_t)n, atoll_now_ns() - base_ns);
    }
    const double cpu_s = thread_cpu_s() - from_s;
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    unplug(fd, child);
    *mj = atoll_meter_range(m, &first_ns, &last_ns, &err) == 0 ? 1 : 0;
    atoll_meter_close(&m);
    return cpu_s;
}

static double read_pairs_of_bytes(double *mj)
{
    pid_t child = -1;
    const int fd = plug_in(send_words, &child);
    double value[CHANNELS] = {0};
    double energy[PAIRS] = {0};
    uint32_t sensors = 0;
    uint32_t scans = 0;
    double before_s = 0;
    const double from_s = thread_cpu_s();
    while (fd >= 0 && scans < SCANS) {
        uint8_t word[WORD_BYTES];
        size_t have = 0;
        while (have < sizeof word) {
            const ssize_t n = read(fd, word + have, sizeof word - have);
            if (n <= 0) {
                break;
            }
            have += (size_t)n;
        }
        const uint8_t sensor = word[0] >> 4 & 7;
        if (sensor == CHANNELS - 1 && (word[1] & 64) != 0) {
            continue; /* time stamp */
        }
        value[sensor] = 3.3 / 1023 * ((word[0] & 15) << 6 | (word[1] & 63)) - 1.65;
        if (++sensors == CHANNELS) {
            struct timespec t;
            (void)clock_gettime(CLOCK_MONOTONIC, &t);
            const double now_s = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
            for (int p = 0; p < PAIRS; p++) {
                energy[p] += value[2 * p] * value[2 * p + 1] * (now_s - before_s);
            }
            before_s = now_s;
            sensors = 0;
            scans++;
        }
    }
    const double cpu_s = thread_cpu_s() - from_s;
    *mj = energy[0] + energy[1] + energy[2] + energy[3];
    unplug(fd, child);
    return cpu_s;
}

int main(void)
{
    double mj[2] = {0, 0};
    const double million = SCANS * (double)CHANNELS / 1e6;
    const double theirs_s = read_pairs_of_bytes(&mj[0]) / million;
    const double ours_s = read_blocks(&mj[1]) / million;
    if (!(ours_s > 0) || !(mj[1] > 0)) {
        (void)fprintf(stderr, "bench_reader: no pseudo-terminal, or nothing came\n");
        return 1;
    }
    (void)printf("reader: CPU time per million samples: blocks and frames %.4f s, two bytes a call "
                 "%.4f s, ratio %.2f\n",
                 ours_s, theirs_s, theirs_s / ours_s);
    return 0;
}
