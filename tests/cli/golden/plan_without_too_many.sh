# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 --tpus 8 --without 3,5
