# SPDX-License-Identifier: Apache-2.0
atoll plan zoo:resnet50 --together 70-100
