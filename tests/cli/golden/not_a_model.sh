# SPDX-License-Identifier: Apache-2.0
echo "this is not a model" > x.tflite
atoll info x.tflite
