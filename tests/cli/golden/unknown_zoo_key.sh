# SPDX-License-Identifier: Apache-2.0
atoll info "zoo:mobilenet_v2?alpah=1"
