# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:mobilenet_v1 --board usb4_x86 >/dev/null
