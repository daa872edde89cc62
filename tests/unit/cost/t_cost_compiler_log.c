/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include "cost_fixture.h"
#include "cost_internal.h"

static void the_log_has_the_compilers_lines_in_its_order(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_vector(&n, 64);
    const int32_t y = net_custom(&n, net_dense(&n, net_dense(&n, in, 64, false), 32, false));
    struct atoll_model *m = net_end(&n, in, &y, 1);
    struct atoll_cost *c = NULL;
    struct atoll_err err = {0};
    struct atoll_program p[2];
    const uint32_t first[] = {0};
    const uint32_t second[] = {1, 2};
    assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err), 0);
    assert_int_equal(atoll_cost_program(c, first, 1, &p[0], &err), 0);
    assert_int_equal(atoll_cost_program(c, second, 2, &p[1], &err), 0);
    char *text = atoll_cost_compiler_log(c, p, 2, "dir/net.tflite", true);
    assert_non_null(text);
    static const char *const lines[] = {
        "Edge TPU Compiler version 16.0.384591198",
        "Input model: net_segment_0_of_2.tflite",
        "Input size: ",
        "Output model: net_segment_0_of_2_edgetpu.tflite",
        "Output size: ",
        "On-chip memory used for caching model parameters: 4.50KiB\n",
        "On-chip memory remaining for caching model parameters: 7.74MiB\n",
        "Off-chip memory used for streaming uncached model parameters: 0.00B\n",
        "Number of Edge TPU subgraphs: 1\n",
        "Total number of operations: 1\n",
        "Operation log: net_segment_0_of_2_edgetpu.log\n",
        "Operator ",
        "FULLY_CONNECTED",
        "Mapped to Edge TPU",
        "Input model: net_segment_1_of_2.tflite",
        "Total number of operations: 2\n",
        "Unmapped",
        "Operation not supported"};
    const char *at = text;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *found = strstr(at, lines[i]);
        if (found == NULL) {
            fail_msg("\"%s\" is missing or out of order in\n%s", lines[i], text);
        }
        at = found + strlen(lines[i]);
    }
    atoll_free(text);
    atoll_program_finish(&p[0]);
    atoll_program_finish(&p[1]);
    atoll_cost_close(&c);
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_has_the_compilers_lines_in_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
