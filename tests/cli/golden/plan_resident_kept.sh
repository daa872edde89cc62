# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:mobilenet_v1 --tpus 4 --resident --json | grep -E "off_chip_bytes" | sort -u
