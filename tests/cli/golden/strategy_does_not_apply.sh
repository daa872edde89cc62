# SPDX-License-Identifier: Apache-2.0
atoll plan "zoo:dense_chain?units=1000" --tpus 4 --strategy vendor >/dev/null
