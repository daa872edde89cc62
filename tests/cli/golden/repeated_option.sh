# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:mobilenet_v1 --tpus 2 -n 3
