# SPDX-License-Identifier: Apache-2.0
{ atoll info zoo:resnet152 --json; echo "exit $?" >&2; } | :
