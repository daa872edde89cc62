# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:mobilenet_v1 --tpus 2 --strategy vendor -o p.json -q >/dev/null
atoll run p.json --board pcie_x86
