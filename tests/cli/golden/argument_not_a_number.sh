# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:mobilenet_v1 --tpus four
