# SPDX-License-Identifier: Apache-2.0
atoll zoo write mobilenet_v1 --set alpha=0.5 -o m.tflite -q
atoll plan m.tflite --tpus 2 --strategy vendor -o p.json -q >/dev/null
atoll zoo write mobilenet_v1 --set alpha=0.25 -o m.tflite -q
atoll run p.json
