/* SPDX-License-Identifier: Apache-2.0 */
/* Identity of a model: the SHA-256 of its file. */
#include "model_internal.h"

int atoll_model_sha256(const struct atoll_model *m, char hex[65], struct atoll_err *err)
{
    if (m->file_bytes > 0) {
        atoll_sha256_hex(m->bytes, (size_t)m->file_bytes, hex);
        return 0;
    }
    uint8_t *bytes = NULL;
    size_t n = 0;
    const int rc = atoll_model_serialize(m, &bytes, &n, err);
    if (rc == 0) {
        atoll_sha256_hex(bytes, n, hex);
    }
    atoll_free(bytes);
    return rc;
}
