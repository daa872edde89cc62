/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan_fields.h
 * The fields of a stage's cost that plan.json carries, one table for writer and reader.
 */
#ifndef ATOLL_PLAN_FIELDS_H
#define ATOLL_PLAN_FIELDS_H

#include <atoll/plan.h>

/** X(JSON name and member of struct atoll_stage_cost): counts of bytes and operations, uint64_t. */
#define ATOLL__PLAN_COUNTS(X)                                                                      \
    X(on_chip_bytes)                                                                               \
    X(off_chip_bytes)                                                                              \
    X(input_bytes)                                                                                 \
    X(output_bytes) X(stored_bytes) X(narrow_bytes_per_tile) X(instruction_bytes) X(macs)

/** X(JSON name and member): times and energies, double; null in the file: NAN. */
#define ATOLL__PLAN_NUMBERS(X)                                                                     \
    X(service_us)                                                                                  \
    X(latency_us)                                                                                  \
    X(compute_us)                                                                                  \
    X(stream_us)                                                                                   \
    X(input_us)                                                                                    \
    X(output_us)                                                                                   \
    X(call_us) X(cpu_us) X(serial_us) X(load_us) X(busy_us) X(latency_u95_us) X(service_u95_us)    \
        X(active_mj) X(active_u95_mj)

#endif
