# SPDX-License-Identifier: Apache-2.0
atoll store merge out.db
