# SPDX-License-Identifier: Apache-2.0
atoll split "zoo:mobilenet_v1?alpha=0.5" --cuts 5,9 -o parts && ls parts
