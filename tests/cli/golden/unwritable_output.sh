# SPDX-License-Identifier: Apache-2.0
atoll zoo write mobilenet_v1 --set size=96 -o /nonexistent/m.tflite
