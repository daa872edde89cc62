/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy on Fashion-MNIST's 10 000 test images. Always: a tenth of the images, one epoch. In the
 * long check (ATOLL_SEEDS): 6 epochs of the compact network at seed 1 reach 91.3 %. */
#include "atoll_test.h"

#include <atoll/train.h>

static void ok(int rc, const struct atoll_err *err)
{
    if (rc != 0) {
        fail_msg("%s: %s", atoll_code_name(rc), err->text);
    }
}

static void accuracy(void **state)
{
    (void)state;
    const int whole = getenv("ATOLL_SEEDS") != NULL;
    struct atoll_err err = {0};
    struct atoll_dataset *data = NULL;
    struct atoll_net *net = NULL;
    char *path = NULL;
    struct atoll_train_result r;
    struct atoll_data_opts d = atoll_data_opts_default();
    d.validation_frac = 0;
    ok(atoll_dataset_open("fashion_mnist", &d, &data, &err), &err);
    ok(atoll_share_find(NULL, "networks/compact.yaml", &path, &err), &err);
    ok(atoll_net_open(path, &net, &err), &err);
    struct atoll_train_request q = {.net = net,
                                    .data = data,
                                    .recipe = atoll_recipe_default(),
                                    .seed = 1,
                                    .threads = 1,
                                    .limit = whole ? 0 : 6000};
    q.recipe.epochs = whole ? 6 : 1;
    ok(atoll_train_run(&q, &r, &err), &err);
    assert_int_equal(r.images_test, 10000);
    print_message("%u epochs: %.2f %%\n", q.recipe.epochs, 0.01 * (double)r.correct_test);
    assert_true(r.correct_test >= (whole ? 9130u : 6500u));
    atoll_train_result_finish(&r);
    atoll_net_close(&net);
    atoll_dataset_close(&data);
    atoll_free(path);
}

int main(void)
{
    struct atoll_err err = {0};
    struct atoll_dataset *data = NULL;
    if (atoll_trainer_kernels()[0] == '\0') {
        (void)printf("skipped: built without training (libdnnl-dev)\n");
        return 77;
    }
    if (atoll_dataset_open("fashion_mnist", NULL, &data, &err) != 0) {
        (void)printf("skipped: %s\n", err.text);
        return 77;
    }
    atoll_dataset_close(&data);
    const struct CMUnitTest tests[] = {cmocka_unit_test(accuracy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
