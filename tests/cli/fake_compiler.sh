#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A double of edgetpu_compiler: its options, its log, its files, its ways to fail. What each call
# does stands in $FAKE_PLAN, a word a line: ok, internal, silent, crash, hang, unquantized, refuse,
# truncated. Each call is noted in $FAKE_CALLS.
set -u
version='Edge TPU Compiler version 16.0.384591198'
if [ "${1-}" = --version ]; then
    echo "$version"
    exit 0
fi
segments=1 out=. model=
while [ $# -gt 0 ]; do
    case $1 in
    -o) out=$2; shift 2 ;;
    -t) shift 2 ;;
    -s) shift ;;
    --num_segments=*) segments=${1#*=}; shift ;;
    *) model=$1; shift ;;
    esac
done
echo "$segments $model" >>"$FAKE_CALLS"
mode=$(sed -n "$(wc -l <"$FAKE_CALLS")p" "$FAKE_PLAN")
name=$(basename "$model" .tflite)
report() { # OUTPUT ON OFF
    cat <<TEXT

Input model: $model
Input size: 3.41MiB
Output model: $1
Output size: 604.50KiB
On-chip memory used for caching model parameters: $2
On-chip memory remaining for caching model parameters: 4.25MiB
Off-chip memory used for streaming uncached model parameters: $3
Number of Edge TPU subgraphs: 1
Total number of operations: 31
Operation log: ${1%.tflite}.log

Operator                       Count      Status

CONV_2D                        14         Mapped to Edge TPU
DEPTHWISE_CONV_2D              13         Mapped to Edge TPU
SOFTMAX                        1          Operation is otherwise supported, but not mapped due to some unspecified limitation
TEXT
}
echo "$version"
case $mode in
ok) echo 'Model compiled successfully in 412 ms.' ;;
internal) echo 'Internal compiler error. Aborting! '; exit 1 ;;
silent) exit 0 ;;
crash) kill -SEGV $$ ;;
hang) sleep 60; exit 0 ;;
unquantized) echo 'ERROR: Model not quantized'; exit 1 ;;
refuse) echo 'Something else'; exit 7 ;;
truncated) head -c 100 "$model" >"$out/${name}_edgetpu.tflite"; exit 0 ;;
esac
i=0
while [ $i -lt "$segments" ]; do
    file=$out/${name}_edgetpu.tflite
    [ "$segments" = 1 ] || file=$out/${name}_segment_${i}_of_${segments}_edgetpu.tflite
    cp "$model" "$file"
    report "$file" 3.33MiB "$i.00B"
    i=$((i + 1))
done
