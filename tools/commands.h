/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file commands.h
 * The commands of atoll, one file each (cmd_<name>.c).
 */
#ifndef ATOLL_TOOLS_COMMANDS_H
#define ATOLL_TOOLS_COMMANDS_H

#include "opt.h"

/** All commands in the order of the help; ends with NULL. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);

/** The man page of a command, of the whole (NULL), and the bash completion, from the tables. */
void manual_page(const struct command *c, struct atoll_buf *out);
void manual_completion(struct atoll_buf *out);
/** What `atoll --help` prints. */
void manual_usage(struct atoll_buf *out);

#endif
