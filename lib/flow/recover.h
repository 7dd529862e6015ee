/*
 * Finishing what a killed push left behind: spooled batches are delivered, batches of files are
 * made again from the same bytes under the same names, receipts are closed.
 */
#ifndef RV_FLOW_RECOVER_H
#define RV_FLOW_RECOVER_H

#include "base/error.h"
#include "flow/deliver.h"

struct rv_recover_result {
	uint64_t runs, batches, records; /* finished now */
	uint64_t own_records;            /* of them, those of runs that deliver->is_own knows */
	uint64_t waiting_runs;           /* left, because delivery failed; `failure` says why */
	uint64_t waiting_file_runs;      /* of them, those whose batches are still only in files */
	struct rv_error failure;         /* of the first run that could not be finished; RV_OK: none */
};

/* Looks at every run of the stream that is not alive, under the stream's recovery lock (waits up to
 * timeout_ms, -1 for ever). RV_OK also when runs are left waiting; deliver->loss holds what was lost.
 * `should_stop` (Optional) is asked between batches. */
enum rv_status rv_recover(struct rv_deliver *deliver, int64_t timeout_ms, bool (*should_stop)(void),
			  struct rv_recover_result *ret, struct rv_error *err) RV_MUST_CHECK;

#endif
