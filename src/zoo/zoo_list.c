/* SPDX-License-Identifier: Apache-2.0 */
/* The list of networks, and building one by name. */
#include "zoo_internal.h"

#include <string.h>

#define PARAM(name, value) \
    { name, value }
#define COMMON PARAM("bias", "seeded"), PARAM("seed", "1")
#define IMAGE(size, classes) PARAM("size", size), PARAM("classes", classes), COMMON
#define WIDE(size, classes) PARAM("alpha", "1.0"), IMAGE(size, classes)

#define LITE "Tan & Le 2019, arXiv:1905.11946; tensorflow/tpu efficientnet/lite"
#define EDGE "Tan & Le 2019, arXiv:1905.11946; tensorflow/tpu efficientnet/edgetpu"
#define SWEEPS \
    "sweeps of Jorgitou98/EdgeTPU-QuantRL-Evaluation (2023) and iwatake2222/EdgeTPU_Analysis (2019)"

/* X(name, family, variant, source, parameters with defaults) */
#define NETWORKS(X) \
    X("mobilenet_v1", mobilenet_v1, 0, "Howard et al. 2017, arXiv:1704.04861, table 1", \
      WIDE("224", "1001")) \
    X("mobilenet_v2", mobilenet_v2, 0, "Sandler et al. 2018, arXiv:1801.04381, table 2", \
      WIDE("224", "1001")) \
    X("mobilenet_v3_large", mobilenet_v3, 0, "Howard et al. 2019, arXiv:1905.02244, table 1", \
      WIDE("224", "1000")) \
    X("resnet18", resnet, 18, "He et al. 2015, arXiv:1512.03385, table 1", IMAGE("224", "1000")) \
    X("resnet34", resnet, 34, "He et al. 2015, arXiv:1512.03385, table 1", IMAGE("224", "1000")) \
    X("resnet50", resnet, 50, "He et al. 2015, arXiv:1512.03385, table 1", IMAGE("224", "1000")) \
    X("resnet101", resnet, 101, "He et al. 2015, arXiv:1512.03385, table 1", IMAGE("224", "1000")) \
    X("resnet152", resnet, 152, "He et al. 2015, arXiv:1512.03385, table 1", IMAGE("224", "1000")) \
    X("resnet50_v2", resnet_v2, 50, "He et al. 2016, arXiv:1603.05027, figure 1b", \
      IMAGE("224", "1000")) \
    X("resnet152_v2", resnet_v2, 152, "He et al. 2016, arXiv:1603.05027, figure 1b", \
      IMAGE("224", "1000")) \
    X("googlenet", googlenet, 0, "Szegedy et al. 2014, arXiv:1409.4842, table 1", \
      IMAGE("224", "1000")) \
    X("bn_inception", bn_inception, 0, "Ioffe & Szegedy 2015, arXiv:1502.03167, figure 5", \
      IMAGE("224", "1000")) \
    X("inception_v3", inception_v3, 0, "Szegedy et al. 2015, arXiv:1512.00567, table 1", \
      IMAGE("299", "1000")) \
    X("inception_v4", inception_v4, 0, "Szegedy et al. 2016, arXiv:1602.07261, figure 9", \
      IMAGE("299", "1000")) \
    X("inception_resnet_v2", inception_resnet_v2, 0, \
      "Szegedy et al. 2016, arXiv:1602.07261, figure 15", IMAGE("299", "1000")) \
    X("densenet121", densenet, 121, "Huang et al. 2016, arXiv:1608.06993, table 1", \
      IMAGE("224", "1000")) \
    X("densenet169", densenet, 169, "Huang et al. 2016, arXiv:1608.06993, table 1", \
      IMAGE("224", "1000")) \
    X("densenet201", densenet, 201, "Huang et al. 2016, arXiv:1608.06993, table 1", \
      IMAGE("224", "1000")) \
    X("xception", xception, 0, "Chollet 2016, arXiv:1610.02357, figure 5", IMAGE("299", "1000")) \
    X("efficientnet_lite0", efficientnet_lite, 0, LITE, IMAGE("224", "1000")) \
    X("efficientnet_lite1", efficientnet_lite, 1, LITE, IMAGE("240", "1000")) \
    X("efficientnet_lite2", efficientnet_lite, 2, LITE, IMAGE("260", "1000")) \
    X("efficientnet_lite3", efficientnet_lite, 3, LITE, IMAGE("280", "1000")) \
    X("efficientnet_lite4", efficientnet_lite, 4, LITE, IMAGE("300", "1000")) \
    X("efficientnet_edgetpu_s", efficientnet_edgetpu, 0, EDGE, IMAGE("224", "1000")) \
    X("efficientnet_edgetpu_m", efficientnet_edgetpu, 1, EDGE, IMAGE("240", "1000")) \
    X("efficientnet_edgetpu_l", efficientnet_edgetpu, 2, EDGE, IMAGE("300", "1000")) \
    X("vgg16", vgg, 16, "Simonyan & Zisserman 2014, arXiv:1409.1556, table 1 column D", \
      IMAGE("224", "1000")) \
    X("vgg19", vgg, 19, "Simonyan & Zisserman 2014, arXiv:1409.1556, table 1 column E", \
      IMAGE("224", "1000")) \
    X("squeezenet1_1", squeezenet, 0, "Iandola et al. 2016, arXiv:1602.07360, release 1.1", \
      IMAGE("224", "1000")) \
    X("ssd_mobilenet_v1", ssd, 1, \
      "Liu et al. 2015, arXiv:1512.02325; TensorFlow Object Detection API", WIDE("300", "91")) \
    X("ssd_mobilenet_v2", ssd, 2, \
      "Liu et al. 2015, arXiv:1512.02325; TensorFlow Object Detection API", WIDE("300", "91")) \
    X("unet_mobilenet_v2", unet, 0, \
      "Ronneberger et al. 2015, arXiv:1505.04597; TensorFlow tutorial", WIDE("128", "3")) \
    X("conv_chain", conv_chain, 0, SWEEPS, PARAM("layers", "5"), PARAM("filters", "32"), \
      PARAM("kernel", "3"), PARAM("size", "64"), PARAM("inputs", "3"), PARAM("classes", "0"), \
      PARAM("bias", "zero"), PARAM("seed", "1")) \
    X("dense_chain", dense_chain, 0, SWEEPS, PARAM("layers", "4"), PARAM("units", "100"), \
      PARAM("inputs", "64"), PARAM("classes", "10"), PARAM("bias", "zero"), PARAM("seed", "1")) \
    X("cifar_resnet18", resnet, ATOLL__CIFAR + 18, "He et al. 2015, arXiv:1512.03385; 3x3 stem", \
      IMAGE("32", "100")) \
    X("cifar_resnet50", resnet, ATOLL__CIFAR + 50, "He et al. 2015, arXiv:1512.03385; 3x3 stem", \
      IMAGE("32", "100")) \
    X("cifar_vgg19", vgg, ATOLL__CIFAR + 19, \
      "Simonyan & Zisserman 2014, arXiv:1409.1556; one linear layer", IMAGE("32", "100")) \
    X("cifar_wrn28_10", wide_resnet, 0, "Zagoruyko & Komodakis 2016, arXiv:1605.07146, table 1", \
      IMAGE("32", "100")) \
    X("cifar_mobilenet_v2", mobilenet_v2, ATOLL__CIFAR, \
      "Sandler et al. 2018, arXiv:1801.04381; stem stride 1", WIDE("32", "100")) \
    X("cifar_googlenet", googlenet, ATOLL__CIFAR, \
      "Szegedy et al. 2014, arXiv:1409.4842; stem stride 1, no first pool", IMAGE("32", "100")) \
    X("cifar_squeezenet1_1", squeezenet, ATOLL__CIFAR, \
      "Iandola et al. 2016, arXiv:1602.07360; stem stride 1", IMAGE("32", "100"))

#define PARAMS(...) ((const struct atoll_zoo_param[]){__VA_ARGS__})
static const struct atoll_zoo_network networks[] = {
#define X_NETWORK(network, family, variant, cited, ...) \
    {.name = network, \
     .source = cited, \
     .params = PARAMS(__VA_ARGS__), \
     .n_params = sizeof PARAMS(__VA_ARGS__) / sizeof(struct atoll_zoo_param)},
    NETWORKS(X_NETWORK)
#undef X_NETWORK
};

static const struct {
    atoll__zoo_make make;
    int variant;
} makers[] = {
#define X_MAKER(network, family, variant, cited, ...) {atoll__zoo_##family, variant},
    NETWORKS(X_MAKER)
#undef X_MAKER
};

#define N_NETWORKS (sizeof networks / sizeof networks[0])

const struct atoll_zoo_network *atoll_zoo_list(size_t *n) {
    *n = N_NETWORKS;
    return networks;
}

static int unknown_network(const char *name, size_t n, struct atoll_err *err) {
    const char *nearest = atoll__zoo_nearest(name, n);
    char known[900] = "";
    size_t used = 0;
    for (size_t i = 0; i < N_NETWORKS && used < sizeof known; i++) {
        if (networks[i].name != nearest) {
            used += (size_t)snprintf(known + used, sizeof known - used, ", %s", networks[i].name);
        }
    }
    return atoll_fail(err, ATOLL_ENOTFOUND, "no network \"%.*s\": did you mean %s? Others:%s",
                      (int)(n < 60 ? n : 60), name, nearest, known + 1);
}

/* Builds network `i` with its arguments; `path` is the model's. */
static int build(size_t i, const char *path, const struct atoll__zoo_args *args,
                 struct atoll_model **model, struct atoll_err *err) {
    struct atoll__net net = {
        .err = err, .args = args, .pad = ATOLL__PAD_SAME, .act = ATOLL_ACT_RELU};
    char description[80];
    snprintf(description, sizeof description, "atoll zoo: %s", networks[i].name);
    int code = atoll_builder_create(path, description, &net.builder, err);
    if (code != 0) {
        return code;
    }
    makers[i].make(&net, makers[i].variant);
    code = net.code;
    if (code == 0) {
        code = atoll_builder_finish(&net.builder, net.inputs, net.n_inputs, net.outputs,
                                    net.n_outputs, model, err);
    }
    atoll_builder_destroy(&net.builder);
    atoll__net_finish(&net);
    return code;
}

int atoll_zoo_build(const char *spec, struct atoll_model **model, struct atoll_err *err) {
    const size_t name_len = strcspn(spec, "?");
    size_t i = 0;
    while (i < N_NETWORKS && (strlen(networks[i].name) != name_len ||
                              memcmp(networks[i].name, spec, name_len) != 0)) {
        i++;
    }
    if (i == N_NETWORKS) {
        return unknown_network(spec, name_len, err);
    }
    struct atoll_buf path = {0};
    atoll_buf_printf(&path, "zoo:%s", spec);
    struct atoll__zoo_args args;
    int code = path.failed
                   ? atoll_fail_nomem(err, "a name", strlen(spec))
                   : atoll__zoo_parse(&networks[i],
                                      spec[name_len] == '?' ? spec + name_len + 1 : "", &args, err);
    if (code == 0) {
        code = build(i, path.data, &args, model, err);
    }
    if (code != 0 && code != ATOLL_ENOMEM) {
        atoll_fail_at(err, "zoo:%.100s", spec);
    }
    atoll_buf_finish(&path);
    return code;
}

int atoll_zoo_open(const char *argument, const char *base_dir, struct atoll_model **model,
                   struct atoll_err *err) {
    if (strncmp(argument, "zoo:", 4) == 0) {
        return atoll_zoo_build(argument + 4, model, err);
    }
    if (base_dir == NULL || argument[0] == '/') {
        return atoll_model_open(argument, model, err);
    }
    struct atoll_buf path = {0};
    atoll_buf_printf(&path, "%s/%s", base_dir, argument);
    const int code = path.failed ? atoll_fail_nomem(err, "a path", strlen(argument))
                                 : atoll_model_open(path.data, model, err);
    atoll_buf_finish(&path);
    return code;
}
