# SPDX-License-Identifier: Apache-2.0
atoll bench missing.yaml --db x.db
