# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 --tpus 8 --deadline-ms 5 >/dev/null
