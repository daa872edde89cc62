/* SPDX-License-Identifier: Apache-2.0 */
/* Layers written as text (zoo_internal.h, section text). The texts are constants of this room, so
 * a mistake in one is a fault of ours, and says where. */
#include "zoo_internal.h"

#include <stdarg.h>
#include <string.h>

#define BRANCHES_MAX 8

struct reader {
    struct atoll__net *net;
    const char *text, *at;
};

static int32_t bad_text(struct reader *r, const char *expected) {
    return atoll__net_fail(r->net, ATOLL_EINTERNAL, "layer text, byte %d: expected %s at \"%.16s\"",
                           (int)(r->at - r->text), expected, r->at);
}

/* Reads `word` when it stands here. */
static bool take(struct reader *r, const char *word) {
    const size_t n = strlen(word);
    if (strncmp(r->at, word, n) != 0) {
        return false;
    }
    r->at += n;
    return true;
}

static int32_t read_number(struct reader *r) {
    int32_t v = 0;
    const char *start = r->at;
    while (*r->at >= '0' && *r->at <= '9' && v < 1000000) {
        v = v * 10 + (*r->at++ - '0');
    }
    if (r->at == start || v == 0) {
        bad_text(r, "a number");
    }
    return v;
}

/* ":KHxKW[/STRIDE][letters]" */
static struct atoll__window read_window(struct reader *r) {
    struct atoll__window w = {.stride = 1, .pad = ATOLL__PAD_NET, .act = r->net->act};
    if (!take(r, ":")) {
        bad_text(r, "':'");
    }
    w.kernel_h = read_number(r);
    if (!take(r, "x")) {
        bad_text(r, "'x'");
    }
    w.kernel_w = read_number(r);
    if (take(r, "/")) {
        w.stride = read_number(r);
    }
    for (;; r->at++) {
        switch (*r->at) {
        case 'v': w.pad = ATOLL__PAD_VALID; break;
        case 's': w.pad = ATOLL__PAD_SAME; break;
        case 'c': w.pad = ATOLL__PAD_CEIL; break;
        case '-': w.act = ATOLL_ACT_NONE; break;
        case '+':
            w.act = ATOLL_ACT_NONE;
            w.role = ATOLL__ROLE_BRANCH;
            break;
        case '=':
            w.act = ATOLL_ACT_NONE;
            w.role = ATOLL__ROLE_WIDE;
            break;
        case '~': w.linear_range = true; break;
        default: return w;
        }
    }
}

static int32_t read_layer(struct reader *r, int32_t x) {
    struct atoll__net *n = r->net;
    struct atoll__window w;
    if (take(r, "bn")) {
        return atoll__net_norm_relu(n, x);
    }
    if (take(r, "relu")) {
        return atoll__net_unary(n, ATOLL_OP_RELU, x, ATOLL__RANGE_RELU);
    }
    if (take(r, "dw")) {
        w = read_window(r);
        return atoll__net_depthwise(n, x, &w);
    }
    if (take(r, "max")) {
        w = read_window(r);
        return atoll__net_pool(n, x, ATOLL_OP_MAX_POOL_2D, &w);
    }
    if (take(r, "avg")) {
        w = read_window(r);
        return atoll__net_pool(n, x, ATOLL_OP_AVERAGE_POOL_2D, &w);
    }
    const int32_t out = read_number(r);
    w = read_window(r);
    w.out = out;
    return atoll__net_conv(n, x, &w);
}

static int32_t read_path(struct reader *r, int32_t x);

static int32_t read_branches(struct reader *r, int32_t x) {
    int32_t branches[BRANCHES_MAX];
    uint32_t count = 0;
    do {
        if (count == BRANCHES_MAX) {
            return bad_text(r, "fewer branches");
        }
        branches[count++] = read_path(r, x);
    } while (take(r, "|"));
    if (!take(r, ")")) {
        return bad_text(r, "')'");
    }
    return r->net->code != 0 ? -1 : atoll__net_concat(r->net, branches, count, 3);
}

static int32_t read_path(struct reader *r, int32_t x) {
    while (r->net->code == 0) {
        if (take(r, " ")) {
            continue;
        }
        if (*r->at == '\0' || *r->at == ')' || *r->at == '|') {
            return x;
        }
        x = take(r, "(") ? read_branches(r, x) : read_layer(r, x);
    }
    return -1;
}

int32_t atoll__net_text(struct atoll__net *n, int32_t x, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    const int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct reader r = {.net = n, .text = text, .at = text};
    if (len < 0 || (size_t)len >= sizeof text) {
        return bad_text(&r, "a shorter text");
    }
    x = read_path(&r, x);
    return n->code == 0 && *r.at != '\0' ? bad_text(&r, "the end") : x;
}
