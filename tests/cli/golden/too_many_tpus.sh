# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:mobilenet_v1 --board pcie_x86 --tpus 2
