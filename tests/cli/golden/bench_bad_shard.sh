# SPDX-License-Identifier: Apache-2.0
atoll bench x.yaml --db x.db --shard 2/2
