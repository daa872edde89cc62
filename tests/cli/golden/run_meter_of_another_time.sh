# SPDX-License-Identifier: Apache-2.0
atoll run zoo:mobilenet_v1 --device sim --meter serial:/dev/ttyACM99
