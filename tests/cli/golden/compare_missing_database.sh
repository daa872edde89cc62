# SPDX-License-Identifier: Apache-2.0
atoll compare a.db b.db
