/*
 * Which records of a batch a service has acknowledged, when it did not take all of them: one bit a
 * record, kept beside the batch (runs/<run>/<seq>.sent), so that only the others are sent again.
 *
 * It saves work and doubles, no more: it is not synced, and one that is damaged, torn, or of another
 * batch counts as none. Forgetting it sends records twice, under the same stamps.
 */
#ifndef RV_FLOW_ACKNOWLEDGED_H
#define RV_FLOW_ACKNOWLEDGED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "spool/run.h"

/* *ret: as many bits as the batch has records, all 0 when *ret_known is false; caller frees. */
void rv_acknowledged_load(const struct rv_run *run, const struct rv_batch_entry *entry,
			  uint8_t **ret, bool *ret_known);
/* Of the batch's records, how many are acknowledged. */
uint64_t rv_acknowledged_count(const struct rv_batch_entry *entry, const uint8_t *bits);
enum rv_status rv_acknowledged_save(const struct rv_run *run, const struct rv_batch_entry *entry,
				    const uint8_t *bits, struct rv_error *err) RV_MUST_CHECK;
/* The batch needs it no more. */
enum rv_status rv_acknowledged_remove(const struct rv_run *run, uint64_t seq,
				      struct rv_error *err) RV_MUST_CHECK;

#endif
