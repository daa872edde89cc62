# SPDX-License-Identifier: Apache-2.0
export XDG_CACHE_HOME="$PWD"
PATH=$(dirname "$(command -v atoll)") atoll compile 'zoo:dense_chain?layers=3&units=64'
