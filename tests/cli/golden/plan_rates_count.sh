# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 zoo:mobilenet_v2 --rates 30
