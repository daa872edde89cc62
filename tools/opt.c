/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing a command line by its table. */
#include "opt.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OPTS_MAX 40

const struct opt opt_common_table[] = {
    {.short_name = 'h',
     .long_name = "help",
     .type = OPT_FLAG,
     .offset = offsetof(struct opt_common, help),
     .help = "Show this help and exit"},
    {.long_name = "json",
     .type = OPT_FLAG,
     .offset = offsetof(struct opt_common, json),
     .help = "Print the answer as one JSON object"},
    {.short_name = 'q',
     .long_name = "quiet",
     .type = OPT_FLAG,
     .offset = offsetof(struct opt_common, quiet),
     .help = "Print no messages and no progress, only the answer and errors"},
    {.long_name = NULL},
};

/* Optimal string alignment distance, for words of at most 32 letters; longer ones are far away. */
static unsigned distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    const size_t n = strlen(a), m = strlen(b);
    if (n > MAX || m > MAX) {
        return 1000;
    }
    unsigned d[MAX + 1][MAX + 1];
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (unsigned)(i + j);
                continue;
            }
            const unsigned change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            const unsigned drop = d[i - 1][j] + 1, add = d[i][j - 1] + 1;
            d[i][j] = change < drop ? change : drop;
            d[i][j] = add < d[i][j] ? add : d[i][j];
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j]) {
                d[i][j] = d[i - 2][j - 2] + 1;
            }
        }
    }
    return d[n][m];
}

const char *opt_nearest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    unsigned least = (unsigned)(strlen(word) / 3 + 2);
    for (size_t i = 0; i < n; i++) {
        const size_t length = strlen(word);
        const bool begins = length >= 2 && strncmp(names[i], word, length) == 0;
        const unsigned d = begins ? 1 : distance(word, names[i]);
        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

/* The tables of a command put in a row: its own, then the common ones. */
struct options {
    const struct opt *list[OPTS_MAX];
    bool given[OPTS_MAX];
    size_t n;
};

static void collect(struct options *all, const struct opt *table)
{
    for (; table && table->long_name && all->n < OPTS_MAX; table++) {
        all->list[all->n++] = table;
    }
}

static int fail_unknown(struct call *call, const struct options *all, const char *name)
{
    const char *names[OPTS_MAX];
    for (size_t i = 0; i < all->n; i++) {
        names[i] = all->list[i]->long_name;
    }
    const char *near = opt_nearest(name, names, all->n);
    return near ? atoll_fail(&call->err, ATOLL_EUSAGE, "unknown option --%s; did you mean --%s?",
                             name, near)
                : atoll_fail(&call->err, ATOLL_EUSAGE,
                             "unknown option --%s; \"atoll %s --help\" lists the known ones", name,
                             call->command->name);
}

static int fail_value(struct call *call, const struct opt *o, const char *value,
                      const char *expected)
{
    return atoll_fail(&call->err, ATOLL_EUSAGE, "option --%s: found \"%s\", expected %s",
                      o->long_name, value, expected);
}

static int set_uint(struct call *call, const struct opt *o, const char *value, uint64_t *out)
{
    char *end = NULL;
    char expected[96];
    errno = 0;
    const unsigned long long v = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || (double)v < o->low ||
        (double)v > o->high) {
        snprintf(expected, sizeof expected, "a whole number from %.0f to %.0f", o->low, o->high);
        return fail_value(call, o, value, expected);
    }
    *out = v;
    return 0;
}

static int set_real(struct call *call, const struct opt *o, const char *value, double *out)
{
    char *end = NULL;
    char expected[96];
    const double v = strtod(value, &end);
    if (end == value || *end || !isfinite(v) || v < o->low || v > o->high) {
        snprintf(expected, sizeof expected, "a number from %g to %g", o->low, o->high);
        return fail_value(call, o, value, expected);
    }
    *out = v;
    return 0;
}

static int fail_choice(struct call *call, const struct opt *o, const char *value)
{
    struct atoll_buf expected = {0};
    for (unsigned i = 0; o->choices[i]; i++) {
        atoll_buf_printf(&expected, "%s%s",
                         i == 0              ? ""
                         : o->choices[i + 1] ? ", "
                                             : " or ",
                         o->choices[i]);
    }
    const int code = fail_value(call, o, value, expected.data ? expected.data : "a known choice");
    atoll_buf_finish(&expected);
    return code;
}

static int set_choice(struct call *call, const struct opt *o, const char *value, unsigned *out)
{
    for (unsigned i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], value) == 0) {
            *out = i;
            return 0;
        }
    }
    return fail_choice(call, o, value);
}

static int add_item(struct call *call, const struct opt *o, const char *value, struct opt_list *out)
{
    if (out->n == OPT_LIST_MAX) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "option --%s: more than %d times", o->long_name,
                          OPT_LIST_MAX);
    }
    out->items[out->n++] = value;
    return 0;
}

static int set_value(struct call *call, const struct opt *o, const char *value)
{
    char *const at = (char *)call->opts + o->offset;
    switch (o->type) {
    case OPT_FLAG:
        *(bool *)(void *)at = true;
        return 0;
    case OPT_TEXT:
        *(const char **)(void *)at = value;
        return 0;
    case OPT_UINT:
        return set_uint(call, o, value, (uint64_t *)(void *)at);
    case OPT_REAL:
        return set_real(call, o, value, (double *)(void *)at);
    case OPT_CHOICE:
        return set_choice(call, o, value, (unsigned *)(void *)at);
    case OPT_LIST:
        return add_item(call, o, value, (struct opt_list *)(void *)at);
    }
    return 0;
}

/* One option: its name, and the value behind '=' or -n (NULL: the next word of the line). */
static int take_option(struct call *call, struct options *all, size_t at, const char *value,
                       char ***words)
{
    const struct opt *o = all->list[at];
    if (all->given[at] && o->type != OPT_LIST) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "option --%s is given twice", o->long_name);
    }
    all->given[at] = true;
    if (o->type == OPT_FLAG) {
        if (value) {
            return atoll_fail(&call->err, ATOLL_EUSAGE, "option --%s takes no argument",
                              o->long_name);
        }
        return set_value(call, o, NULL);
    }
    if (!value) {
        value = **words;
        if (!value) {
            return atoll_fail(&call->err, ATOLL_EUSAGE, "option --%s needs an argument (%s)",
                              o->long_name, o->argument);
        }
        ++*words;
    }
    return set_value(call, o, value);
}

static int take_long(struct call *call, struct options *all, const char *word, char ***words)
{
    const char *value = strchr(word, '=');
    const size_t length = value ? (size_t)(value - word) : strlen(word);
    for (size_t i = 0; i < all->n; i++) {
        const char *name = all->list[i]->long_name;
        if (strlen(name) == length && strncmp(name, word, length) == 0) {
            return take_option(call, all, i, value ? value + 1 : NULL, words);
        }
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), word);
    return fail_unknown(call, all, name);
}

static int take_short(struct call *call, struct options *all, const char *word, char ***words)
{
    for (size_t i = 0; i < all->n; i++) {
        if (all->list[i]->short_name && all->list[i]->short_name == word[0]) {
            return take_option(call, all, i, word[1] ? word + 1 : NULL, words);
        }
    }
    return atoll_fail(&call->err, ATOLL_EUSAGE,
                      "unknown option -%c; \"atoll %s --help\" lists the known ones", word[0],
                      call->command->name);
}

static int check_operands(struct call *call)
{
    const struct command *c = call->command;
    if (call->n_operands < c->operands_min) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "%s is missing; usage: atoll %s [options] %s",
                          c->operands, c->name, c->operands);
    }
    if (call->n_operands > c->operands_max) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "\"%s\" is one operand too many; usage: atoll %s [options] %s",
                          call->operands[c->operands_max], c->name, c->operands);
    }
    return 0;
}

int opt_parse(struct call *call, int argc, char **argv)
{
    struct options all = {.n = 0};
    collect(&all, call->command->opts);
    collect(&all, opt_common_table);
    bool ended = false;
    int code = 0;
    for (char **words = argv; words < argv + argc && code == 0;) {
        const char *word = *words++;
        if (ended || word[0] != '-' || word[1] == '\0') {
            call->operands[call->n_operands++] = word;
        } else if (strcmp(word, "--") == 0) {
            ended = true;
        } else if (word[1] == '-') {
            code = take_long(call, &all, word + 2, &words);
        } else {
            code = take_short(call, &all, word + 1, &words);
        }
    }
    const struct opt_common *common = call->opts;
    call->json = common->json;
    call->quiet = common->quiet;
    return code || common->help ? code : check_operands(call);
}
