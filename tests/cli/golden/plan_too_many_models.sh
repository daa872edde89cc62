# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 zoo:mobilenet_v1 --strategy exact >/dev/null
