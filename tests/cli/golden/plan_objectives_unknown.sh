# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 --objective speed
