# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:mobilenet_v1 zoo:mobilenet_v2 --tpus 1 --rates 20,10 -o p.json --objective energy --compile-alone >plan.txt 2>messages.txt && atoll run p.json --count 300 --json | grep -E "\"reloads\""
