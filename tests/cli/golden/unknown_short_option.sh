# SPDX-License-Identifier: Apache-2.0
atoll info -z zoo:mobilenet_v1
