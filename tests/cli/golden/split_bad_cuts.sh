# SPDX-License-Identifier: Apache-2.0
atoll split zoo:mobilenet_v1 --cuts 9,5 -o parts
