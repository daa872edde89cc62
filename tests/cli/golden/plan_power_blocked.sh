# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 zoo:mobilenet_v2 --rates 30,60 --max-w 5 >/dev/null
