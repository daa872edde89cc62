# SPDX-License-Identifier: Apache-2.0
atoll run zoo:mobilenet_v1 --mode saturated --energy-u95 0.01%
