# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:mobilenet_v1 --tpus 4 --strategy partition:2+2 -o p.json --quiet >/dev/null
atoll split zoo:mobilenet_v1 --plan p.json -o parts
atoll split "zoo:mobilenet_v1?alpha=0.5" --plan p.json -o other
