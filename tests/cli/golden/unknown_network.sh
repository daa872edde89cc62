# SPDX-License-Identifier: Apache-2.0
atoll info zoo:mobilnet_v2
