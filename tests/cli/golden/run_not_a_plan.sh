# SPDX-License-Identifier: Apache-2.0
atoll info zoo:mobilenet_v1 --json > p.json
atoll run p.json
