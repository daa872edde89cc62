# SPDX-License-Identifier: Apache-2.0
atoll info --json zoo:mobilenet_v1 --json
