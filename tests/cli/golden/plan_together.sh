# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 --tpus 2 --together 10-70 --objective throughput --json | grep -c "\"skipped\": null"
