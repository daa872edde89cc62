/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file json.h
 * Room `base`: the conventions of atoll's JSON (contracts.md) on top of jansson: a number that is
 * not finite is null, 64-bit tokens are hex strings, every answer carries schema and version.
 */
#ifndef ATOLL_JSON_H
#define ATOLL_JSON_H

#include <atoll/base.h>
#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/** {"schema": "atoll.<command>/1", "version": ATOLL_VERSION}; owned; NULL: no memory. */
ATOLL_API json_t *atoll_json_answer(const char *command);
/** Number, or null when not finite. Owned. */
ATOLL_API json_t *atoll_json_number(double v);
/** "0123456789abcdef". Owned. */
ATOLL_API json_t *atoll_json_hex64(uint64_t v);
/** Sets a number (null when not finite). 0 or ATOLL_ENOMEM. */
ATOLL_API int atoll_json_set_number(json_t *object, const char *key, double v);
/** Reads a JSON file with limits (256 MiB, depth 64, duplicate keys refused); *out owned
 *  (json_decref). ATOLL_EINPUT and ATOLL_ELIMIT name file and line. */
ATOLL_API int atoll_json_open(const char *path, json_t **out, struct atoll_err *err);
/** Text with 2-space indent, keys in their order, numbers short and exact, final newline. Owned,
 *  atoll_free. NULL: no memory, or nested deeper than 64. */
ATOLL_API char *atoll_json_text(const json_t *j, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
