# SPDX-License-Identifier: Apache-2.0
PATH=$(dirname "$(command -v atoll)") atoll compile m.tflite
