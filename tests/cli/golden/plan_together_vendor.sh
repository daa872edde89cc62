# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 --tpus 2 --together 60-70 --strategy vendor >/dev/null
