/* SPDX-License-Identifier: Apache-2.0 */
/* atoll info: what a model file holds and where its time goes. */
#include "cmd_info.h"

static const struct opt opts[] = {
    BOARD_OPTS(struct info_opts),
    {.short_name = 'a',
     .long_name = "all",
     .type = OPT_FLAG,
     .offset = offsetof(struct info_opts, all),
     .help = "List every operator, not only the costliest",
     .example = "atoll info zoo:mobilenet_v1 --all"},
    {.long_name = "top",
     .type = OPT_UINT,
     .offset = offsetof(struct info_opts, top),
     .argument = "N",
     .help = "List the N costliest operators",
     .fallback = "10",
     .example = "atoll info zoo:resnet50 --top 3",
     .low = 0,
     .high = 200000},
    COMPILER_OPT(struct info_opts),
    OPTS_END,
};
static const struct info_opts defaults = {.top = 10, .board.name = BOARD_DEFAULT};

static int run(struct call *call)
{
    struct atoll_model *m = NULL;
    int code = atoll_zoo_open(call->operands[0], NULL, &m, &call->err);
    if (code == 0) {
        code = atoll_model_is_compiled(m) ? info_compiled(call, m) : info_source(call, m);
    }
    atoll_model_close(&m);
    return code;
}

const struct command cmd_info = {
    .name = "info",
    .operands = "MODEL",
    .summary =
        "Show what a model holds: operators, sizes, what maps to the Edge TPU and where time goes",
    .text = "MODEL is a .tflite file or zoo:NAME?key=value. For a source model: operators, shapes, "
            "multiply-accumulates, parameters, which operators edgetpu_compiler would map and why "
            "not; what one inference takes on one TPU of the board, and where that time goes: per "
            "operator what bounds it, what is padding, on chip or streamed (computed). For a "
            "compiled model "
            "(*_edgetpu.tflite): its executables, parameter caching, instructions, and operators "
            "left on the CPU.",
    .example = "atoll info zoo:mobilenet_v2",
    .opts = opts,
    .defaults = &defaults,
    .opts_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
