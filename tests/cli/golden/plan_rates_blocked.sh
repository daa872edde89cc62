# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 zoo:mobilenet_v2 --tpus 2 --rates 300,60 >/dev/null
