/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include <string.h>

extern const struct command cmd_bench, cmd_compare, cmd_compile, cmd_devices, cmd_eval, cmd_info,
    cmd_plan, cmd_power_calibrate, cmd_power_record, cmd_power_replay, cmd_power_run,
    cmd_power_test, cmd_report, cmd_run, cmd_split, cmd_store_dump, cmd_store_merge, cmd_train,
    cmd_zoo_list, cmd_zoo_write;

const struct command *const commands[] = {
    &cmd_devices,
    &cmd_info,
    &cmd_zoo_list,
    &cmd_zoo_write,
    &cmd_split,
    &cmd_compile,
    &cmd_plan,
    &cmd_run,
    &cmd_eval,
    &cmd_train,
    &cmd_bench,
    &cmd_power_run,
    &cmd_power_record,
    &cmd_power_replay,
    &cmd_power_test,
    &cmd_power_calibrate,
    &cmd_store_merge,
    &cmd_store_dump,
    &cmd_report,
    &cmd_compare,
    NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}
