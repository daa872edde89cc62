# SPDX-License-Identifier: Apache-2.0
atoll zoo write mobilenet_v1 --set size=96 --set alpha=0.25 -o m.tflite --quiet
head -c 20000 m.tflite > t.tflite
atoll info t.tflite
