/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of networks and recipes: shapes, counts, and errors that name file and line. Needs
 * no training kernels. */
#include "atoll_test.h"

#include <atoll/train.h>
#include <atoll/zoo.h>

static void ok(int rc, const struct atoll_err *err)
{
    if (rc != 0) {
        fail_msg("%s: %s", atoll_code_name(rc), err->text);
    }
}

static void compact_has_78_thousand(void **state)
{
    (void)state;
    char *path = NULL;
    struct atoll_net *net = NULL;
    struct atoll_err err = {0};
    ok(atoll_share_find(NULL, "networks/compact.yaml", &path, &err), &err);
    ok(atoll_net_open(path, &net, &err), &err);
    /* stem 144+32; block 1 2*2304+64; block 2 4608+9216+512+192; block 3 18432+36864+2048+384;
     * dense 650 */
    assert_int_equal(atoll_net_parameters(net), 77754);
    assert_int_equal(atoll_net_classes(net), 10);
    atoll_net_close(&net);
    atoll_free(path);
}

static void refused(const char *text, const char *line, const char *part)
{
    struct atoll_net *net = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_net_parse("n.yaml", text, strlen(text), &net, &err), ATOLL_EINPUT);
    if (strstr(err.text, line) == NULL || strstr(err.text, part) == NULL) {
        fail_msg("\"%s\" says neither \"%s\" nor \"%s\"", err.text, line, part);
    }
}
#define HEAD "name: n\ninput: [8, 8, 3]\nlayers:\n"

static void errors_name_file_and_line(void **state)
{
    (void)state;
    refused(HEAD "  - {op: convolution}\n", "n.yaml:4", "no operation");
    refused(HEAD "  - {op: conv, filters: 4, kernel: 3, colour: red}\n", "n.yaml:4", "colour");
    refused(HEAD "  - {op: conv, filters: 4, kernel: 3}\n  - {op: add, from: [a, b]}\n", "n.yaml:5",
            "name \"a\"");
    refused(HEAD "  - {op: conv, filters: 4, kernel: 9, padding: valid}\n", "n.yaml:4", "larger");
    refused(HEAD "  - {op: conv, filters: 4, kernel: 3, groups: 2}\n", "n.yaml:4", "groups");
    refused(HEAD "  - {op: conv, filters: 4}\n", "n.yaml:4", "kernel");
    refused(HEAD "  - {op: conv, name: a, filters: 4, kernel: 3}\n"
                 "  - {op: conv, name: b, filters: 5, kernel: 3}\n"
                 "  - {op: add, from: [a, b]}\n",
            "n.yaml:6", "different shapes");
    refused(HEAD "  - {op: conv, name: a, filters: 4, kernel: 3}\n"
                 "  - {op: conv, name: a, filters: 4, kernel: 3}\n",
            "n.yaml:5", "taken");
    refused(HEAD "  - {op: conv, filters: 4, kernel: 3, activation: tanh}\n", "n.yaml:4", "tanh");
    refused(HEAD "  - {op: conv, filters: 4, kernel: 3}\n", "n", "8 x 8 places");
    refused(HEAD "  - {op: conv, name: dead, filters: 4, kernel: 3}\n"
                 "  - {op: dense, from: input, units: 4}\n",
            "n", "dead");
    refused(HEAD "  - {op: global_pool}\n", "n", "no conv and no dense");
    refused("name: n\ninput: [8, 8, 4]\nlayers: []\n", "n", "1 or 3 channels");
}

static void zoo_networks_are_read(void **state)
{
    (void)state;
    static const char *const names[] = {"cifar_resnet18?classes=20", "cifar_mobilenet_v2",
                                        "cifar_googlenet", "cifar_squeezenet1_1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct atoll_model *m = NULL;
        struct atoll_net *net = NULL;
        struct atoll_err err = {0};
        ok(atoll_zoo_build(names[i], &m, &err), &err);
        ok(atoll_net_from_model(m, &net, &err), &err);
        const struct atoll_tensor *out = &m->tensors[m->outputs[0]];
        assert_int_equal(atoll_net_classes(net), out->shape[out->rank - 1]);
        /* the same weights, and two numbers a channel instead of a bias */
        uint64_t weights = 0, channels = 0;
        for (uint32_t k = 0; k < m->n_ops; k++) {
            struct atoll_op_info info;
            atoll_op_info(m, k, &info);
            weights += info.weight_bytes;
        }
        for (uint32_t k = 0; k < net->n_nodes; k++) {
            const struct atoll_net_node *n = &net->nodes[k];
            channels += n->op == ATOLL_NET_BATCH_NORM ? 2 * (uint64_t)n->channels : 0;
            channels += n->bias ? (uint64_t)n->channels : 0;
        }
        assert_int_equal(atoll_net_parameters(net), weights + channels);
        atoll_net_close(&net);
        atoll_model_close(&m);
    }
}

static void recipes(void **state)
{
    (void)state;
    char dir[256], path[400];
    struct atoll_err err = {0};
    struct atoll_recipe r = atoll_recipe_default();
    char *share = NULL;
    ok(atoll_share_find(NULL, "recipes/fashion_mnist.yaml", &share, &err), &err);
    ok(atoll_recipe_open(share, &r, &err), &err);
    const struct atoll_recipe d = atoll_recipe_default(); /* the file shows the defaults */
    assert_true(r.epochs == d.epochs && r.batch == d.batch && r.rate == d.rate &&
                r.momentum == d.momentum && r.weight_decay == d.weight_decay &&
                r.warm_up_frac == d.warm_up_frac && r.flip == d.flip && r.shift == d.shift);
    atoll_free(share);
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/r.yaml", dir);
    static const char good[] = "schedule: step\nstep_frac: [0.3, 0.6]\nteacher: big.tflite\n";
    ok(atoll_write_file(path, good, sizeof good - 1, &err), &err);
    ok(atoll_recipe_open(path, &r, &err), &err);
    assert_int_equal(r.schedule, ATOLL_SCHEDULE_STEP);
    assert_int_equal(r.n_steps, 2);
    assert_non_null(strstr(r.teacher, "/big.tflite"));
    static const char bad[] = "epochs: 3\nrate: -1\n";
    ok(atoll_write_file(path, bad, sizeof bad - 1, &err), &err);
    assert_int_equal(atoll_recipe_open(path, &r, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, ":2: rate"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compact_has_78_thousand),
        cmocka_unit_test(errors_name_file_and_line),
        cmocka_unit_test(zoo_networks_are_read),
        cmocka_unit_test(recipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
