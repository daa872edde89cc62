# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 --without 0,3 --tpus 4 --strategy vendor --json | tr -d " \n" | grep -oE "\"(tpus|without)\":\[[0-9,]+\]"
