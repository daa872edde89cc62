# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 --tpus 8 --deadline-ms 13 --objective throughput --json >p.json
grep -oE "\"deadline_us\": [0-9.]+" p.json
grep -cE "\"latency_worst_us\": (1[0-2]|[0-9])[0-9]{3}\." p.json
