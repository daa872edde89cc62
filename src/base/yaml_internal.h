/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATOLL_YAML_INTERNAL_H
#define ATOLL_YAML_INTERNAL_H

#include <atoll/yaml.h>

struct atoll_yaml_doc {
    struct atoll_arena arena; /* the nodes, their keys and texts, the name */
    const char *name;
    const struct atoll_yaml *root;
};

#endif
