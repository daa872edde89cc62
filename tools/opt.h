/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file opt.h
 * Commands and their options as const tables. One table parses the line, prints the help, makes the
 * man page and the bash completion, so the four cannot differ.
 */
#ifndef ATOLL_TOOLS_OPT_H
#define ATOLL_TOOLS_OPT_H

#include <atoll/base.h>

enum opt_type {
    OPT_FLAG,   ///< bool, takes no argument
    OPT_TEXT,   ///< const char *
    OPT_UINT,   ///< uint64_t in [low, high]
    OPT_REAL,   ///< double in [low, high]
    OPT_CHOICE, ///< unsigned: position in `choices`
    OPT_LIST,   ///< struct opt_list: the only type that may be repeated
};

#define OPT_LIST_MAX 64
struct opt_list {
    const char *items[OPT_LIST_MAX];
    size_t n;
};

struct opt {
    char short_name; ///< 0: none
    const char *long_name;
    enum opt_type type;
    size_t offset;              ///< of the destination in the command's options
    const char *argument;       ///< name of the argument in the help ("N"); NULL for flags
    const char *help;           ///< one sentence without full stop
    const char *fallback;       ///< default as shown; NULL: none
    const char *example;        ///< a line that can be run as it stands; NULL: see the command's
    double low, high;           ///< range of UINT and REAL
    const char *const *choices; ///< NULL-terminated, for CHOICE
};

/** Options that every command has. First member of each command's options. */
struct opt_common {
    bool help, json, quiet;
};

struct command;

/** One call of a command. */
struct call {
    const struct command *command;
    void *opts;            ///< the command's options, starts with struct opt_common
    const char **operands; ///< borrowed from the line
    unsigned n_operands;
    bool json, quiet;
    struct atoll_err err; ///< the sentence of the failure
};

struct command {
    const char *name;     ///< "zoo list": one or two words
    const char *operands; ///< "FILE", "" when it takes none
    const char *summary;  ///< one line
    const char *text;     ///< paragraphs of the help, NULL: none
    const char *example;  ///< a line that can be run as it stands
    const struct opt
        *opts; ///< ends with an entry without long_name; without the common ones; NULL: none
    const void *defaults; ///< initial options, opts_bytes of them; NULL: zero
    size_t opts_bytes;
    unsigned operands_min, operands_max;
    /** Does the work: 0 or a negative code with call->err filled. ATOLL_ENO: the answer is no. */
    int (*run)(struct call *call);
};

/** The options of every command, ends with an entry without long_name. */
extern const struct opt opt_common_table[];

/** Reads argv into the call (options at any place, `--` ends them). ATOLL_EUSAGE with a sentence:
 *  unknown option (with the nearest name), repeated option, missing or bad argument, too few or too
 *  many operands. With --help only the options are read. */
int opt_parse(struct call *call, int argc, char **argv);

/** The help of a command, as text. */
void opt_help(const struct command *c, struct atoll_buf *out);
/** "--tpus N, -n N" for the help and the man page. */
void opt_spell(const struct opt *o, struct atoll_buf *out);

/** The name nearest to `word` in edit distance, NULL when none is near. */
const char *opt_nearest(const char *word, const char *const *names, size_t n);

#endif
