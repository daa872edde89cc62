# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:googlenet --tpus 3 --pareto --json | tr -d " \n" | grep -oE "\"(front|complete)\":(true|.)"
