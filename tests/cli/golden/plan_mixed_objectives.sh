# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:googlenet --tpus 4 --objective latency,energy --tolerance 5 --json | tr -d " \n" | grep -oE "\"(then|tolerance_frac|objective)\":[^],}]+"
