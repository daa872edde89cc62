# SPDX-License-Identifier: Apache-2.0
echo "not a database, but long enough to be looked at as one" > x.db
atoll report x.db
