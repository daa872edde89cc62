# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 --tpus 2 --min-rate 1000 >/dev/null
