# SPDX-License-Identifier: Apache-2.0
atoll run zoo:mobilenet_v1 --mode cold --energy-u95 2%
