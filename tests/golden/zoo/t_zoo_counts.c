/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and MACs of every network against published numbers.
 *
 * Published counts are those of the trained network. Ours differ in three known ways, undone here:
 *   - A folded batch norm leaves one bias a channel; the reference counts two values (scale,
 * offset), or three where its convolution also has a bias (`per_norm`), or four where moving
 * averages count.
 *   - `plain` biases exist in the reference as they are (linear layers, convolutions without norm).
 *   - `extra` biases have no counterpart: the reference's layer has neither bias nor norm behind
 * it.
 *   - Explicit batch norms (MUL and ADD constants) count as they are, two values a channel.
 * So reference = weights + per_norm * (biases - plain - extra) + plain + explicit.
 *
 * MACs are those of convolutions and linear layers; where a source prints a rounded or wider number
 * it stands in the comment. */
#include "atoll_test.h"

#include <atoll/zoo.h>

struct expected {
    const char *spec;
    uint64_t params; ///< published
    uint64_t plain, extra;
    unsigned per_norm;
    uint64_t macs;
};

static const struct expected table[] = {
    /* keras.applications, trainable: 4,231,976; paper: 569 M MACs, 4.2 M. */
    {"mobilenet_v1?classes=1000", 4231976, 1000, 0, 2, 568740352},
    /* torchvision: 3,504,872; paper: 300 M, 3.4 M. TF-slim's 1001 classes: 300,775,552 (a real
       file). */
    {"mobilenet_v2?classes=1000", 3504872, 1000, 0, 2, 300774272},
    {"mobilenet_v2", 3506153, 1001, 0, 2, 300775552},
    /* torchvision: 5,483,032, 0.217 G; paper: 219 M, 5.4 M. Plain: the squeeze and excite layers
       (5080), the last two layers. */
    {"mobilenet_v3_large", 5483032, 5080 + 1280 + 1000, 0, 2, 216589760},
    /* torchvision: parameters exact; 1.814, 3.664, 4.089, 7.801, 11.514 G MACs. */
    {"resnet18", 11689512, 1000, 0, 2, 1814073344},
    {"resnet34", 21797672, 1000, 0, 2, 3663761408},
    {"resnet50", 25557032, 1000, 0, 2, 4089184256},
    {"resnet101", 44549160, 1000, 0, 2, 7801405440},
    {"resnet152", 60192808, 1000, 0, 2, 11513626624},
    /* keras.applications, trainable: 25,613,800 - 45,440 and 60,380,648 - 143,744. Plain: stem 64,
     * the last convolution of each block, shortcuts 3840, classes. The stride at the end of a stage
     * makes it cheaper than v1. */
    {"resnet50_v2", 25568360, 64 + 15104 + 3840 + 1000, 0, 2, 3482255360},
    {"resnet152_v2", 60236904, 64 + 47872 + 3840 + 1000, 0, 2, 10906697728},
    /* torchvision without auxiliary heads: 6,624,904; 1.498 G. */
    {"googlenet", 6624904, 1000, 0, 2, 1498376192},
    /* Cadene/pretrained-models.pytorch: 11,295,240 (convolutions with bias and norm). Their 2.05 G
       counts norms. */
    {"bn_inception", 11295240, 1000, 0, 3, 2032600064},
    /* timm: 23,834,568, 5.73 G with norms; torchvision: 5.713 G. */
    {"inception_v3", 23834568, 1000, 0, 2, 5713216096},
    /* timm: 42,679,816, 12.28 G with norms. */
    {"inception_v4", 42679816, 1000, 0, 2, 12253974624},
    /* timm: 55,843,464, 13.18 G with norms. Plain: last 1x1 of the residual blocks. */
    {"inception_resnet_v2", 55843464, 10 * 320 + 20 * 1088 + 10 * 2080 + 1000, 0, 2, 13155794016},
    /* torchvision: parameters exact; 2.834, 3.36, 4.291 G. Extra: the 3x3 of each layer and the
       transitions. */
    {"densenet121", 7978856, 1000, 58 * 32 + 128 + 256 + 512, 2, 2834161664},
    {"densenet169", 14149480, 1000, 82 * 32 + 128 + 256 + 640, 2, 3359843328},
    {"densenet201", 20013928, 1000, 98 * 32 + 128 + 256 + 896, 2, 4291365888},
    /* keras.applications, trainable: 22,855,952; timm: 8.40 G with norms. Extra: the depthwise
       layers. */
    {"xception", 22855952, 1000, 23048, 2, 8357403496},
    /* timm: parameters exact. The release prints 407, 631, 899, 1440, 2640 M: 3 to 6 % more, with
     * norms, activations and pools; EfficientNet-B0 counted our way is 386 M (torchvision), of
     * which lite0 lacks the squeeze and excite. */
    {"efficientnet_lite0", 4652008, 1000, 0, 2, 385187552},
    {"efficientnet_lite1", 5416680, 1000, 0, 2, 600185232},
    {"efficientnet_lite2", 6092072, 1000, 0, 2, 859736272},
    {"efficientnet_lite3", 8197096, 1000, 0, 2, 1383321872},
    {"efficientnet_lite4", 13006568, 1000, 0, 2, 2553034336},
    /* timm: parameters exact; its 1.81, 3.04, 8.00 G have the stride of a fused block in the 3x3.
     * The release (tensorflow/tpu, MBConvBlockWithoutDepthwise) has it in the 1x1 behind, as here.
     */
    {"efficientnet_edgetpu_s", 5438392, 1000, 0, 2, 2352307840},
    {"efficientnet_edgetpu_m", 6899496, 1000, 0, 2, 3660284288},
    {"efficientnet_edgetpu_l", 10589712, 1000, 0, 2, 9661894048},
    /* torchvision, no norms: every bias is plain; 15.47 and 19.632 G. */
    {"vgg16", 138357544, 13416, 0, 1, 15470264320},
    {"vgg19", 143667240, 14696, 0, 1, 19632062464},
    /* torchvision: 1,235,496, 0.349 G. */
    {"squeezenet1_1", 1235496, 3944, 0, 1, 349151936},
    /* Raw bytes of the published quantized file are 6,854,588 = weights + 4 * biases; see
     * t_zoo_cuts. As a count: every bias as it is. */
    {"ssd_mobilenet_v1", 6854588 - 3 * 15807, 15807, 0, 1, 1237129408},
    /* MobileNet v2 without head, torchvision's 3,504,872 - 1,281,000 = 2,223,872, and by the layer
     * table the extras (1x1 256,128,128,64 and 3x3 512,256,256,128, two norm values a channel) and
     * heads (3 or 6 anchors of 4 + 91 values). The reference's 19x19 map is the expansion of
     * layer 15. */
    {"ssd_mobilenet_v2",
     2223872 +
         (1280 * 256 + 9 * 256 * 512 + 512 * 128 + 9 * 128 * 256 + 256 * 128 + 9 * 128 * 256 +
          256 * 64 + 9 * 64 * 128) +
         2 * (256 + 512 + 128 + 256 + 128 + 256 + 64 + 128) +
         95 * (576 * 3 + 1280 * 6 + 512 * 6 + 256 * 6 * 2 + 128 * 6) + 95 * (3 + 5 * 6),
     95 * (3 + 5 * 6), 0, 2, 772779056},
    /* TensorFlow tutorial "Image segmentation": total 6,504,227 with moving averages. Extra: the
     * project layer of block 16, taken in front of its norm; plain: the last layer. No MACs
     * published; a transposed convolution counts each input pixel times its kernel. */
    {"unet_mobilenet_v2", 6504227, 3, 320, 4, 585512960},
    /* CIFAR-100 ports: 11.22 M and 0.56 G, 23.71 M and 1.3 G, 20.09 M (convolutions with bias and
       norm), */
    {"cifar_resnet18", 11220132, 100, 0, 2, 555468800},
    {"cifar_resnet50", 23705252, 100, 0, 2, 1298014208},
    {"cifar_vgg19", 20086692, 100, 0, 3, 398182400},
    /* 36.54 M and 5.2 G (paper: 36.5 M). Extra: stem, second convolutions and shortcuts, without
       norm behind. */
    {"cifar_wrn28_10", 36536884, 100,
     16 + 2 * 4 * (160 + 320 + 640) - 4 * (160 + 320 + 640) + 160 + 320 + 640, 2, 5243386368},
    /* torchvision's ImageNet networks with 100 classes in place of 1000. */
    {"cifar_mobilenet_v2", 3504872 - 1281000 + 128100, 100, 0, 2, 24576512},
    {"cifar_googlenet", 6624904 - 1025000 + 102500, 100, 0, 2, 460132352},
    {"cifar_squeezenet1_1", 1235496 - 513000 + 51300, 3044, 0, 1, 17331968},
    /* Sweeps: layer table of the chain. 2019: raw bytes of the files, 457,604 and 1,031,304, are
       weights + 4 * biases. */
    {"conv_chain?filters=602", 27 * 602 + 4 * 9 * 602 * 602 + 5 * 602, 5 * 602, 0, 1,
     4096ull * (27 * 602 + 4 * 9 * 602 * 602)},
    {"conv_chain?layers=10&kernel=7&size=128&filters=32&classes=1", 457604 - 3 * (320 + 1), 321, 0,
     1, 16384ull * (147 * 32 + 9 * 49 * 1024 + 32)},
    {"dense_chain?units=2620", 64 * 2620 + 3 * 2620 * 2620 + 26200 + 4 * 2620 + 10, 4 * 2620 + 10,
     0, 1, 64 * 2620 + 3 * 2620 * 2620 + 26200},
    {"dense_chain?inputs=12&units=100&layers=100&classes=1", 1031304 - 3 * (100 * 100 + 1), 10001,
     0, 1, 1200 + 99 * 10000 + 100},
};

struct counted {
    uint64_t weights, biases, explicit_norm, macs;
};

static struct counted count(const char *spec) {
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_zoo_build(spec, &m, &err) != 0) {
        fail_msg("%s: %s", spec, err.text);
    }
    struct counted c = {0};
    for (uint32_t i = 0; i < m->n_ops; i++) {
        struct atoll_op_info info;
        atoll_op_info(m, i, &info);
        c.weights += info.weight_bytes; /* int8: one byte each */
        c.biases += info.bias_bytes / 4;
        c.macs += info.macs;
        const int32_t code = m->ops[i].code;
        if ((code == ATOLL_OP_MUL || code == ATOLL_OP_ADD) &&
            info.const_bytes > 1) { /* 1: a scalar of h-swish */
            c.explicit_norm += info.const_bytes;
        }
    }
    atoll_model_close(&m);
    return c;
}

static void counts_are_the_published_ones(void **state) {
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct expected *e = &table[i];
        const struct counted c = count(e->spec);
        const uint64_t params =
            c.weights + e->per_norm * (c.biases - e->plain - e->extra) + e->plain + c.explicit_norm;
        if (params != e->params || c.macs != e->macs) {
            print_error("%s: %llu parameters (expected %llu), %llu MACs (expected %llu)\n", e->spec,
                        (unsigned long long)params, (unsigned long long)e->params,
                        (unsigned long long)c.macs, (unsigned long long)e->macs);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* No network of the list is missing above. */
static void every_network_is_counted(void **state) {
    (void)state;
    size_t n = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&n);
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof table / sizeof table[0]; k++) {
            const size_t len = strcspn(table[k].spec, "?");
            found = found ||
                    (len == strlen(list[i].name) && strncmp(table[k].spec, list[i].name, len) == 0);
        }
        if (!found) {
            fail_msg("%s is not counted", list[i].name);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_the_published_ones),
        cmocka_unit_test(every_network_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
