# SPDX-License-Identifier: Apache-2.0
atoll split zoo:mobilenet_v1 -n 3 -o parts && ls parts
