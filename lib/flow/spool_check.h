/*
 * Looks at everything that one stream keeps on this host, and changes nothing: journals, spooled
 * batches and their hashes, checkpoints, and what does not belong there.
 */
#ifndef RV_FLOW_SPOOL_CHECK_H
#define RV_FLOW_SPOOL_CHECK_H

#include <stdint.h>

#include "base/error.h"
#include "spool/state.h"
#include "store/store.h"

enum rv_finding_kind {
	RV_FINDING_DAMAGED,   /* something promised cannot be read, or is not what was promised */
	RV_FINDING_SET_ASIDE, /* found damaged earlier and kept; nobody uses it any more */
	RV_FINDING_LEFTOVER,  /* harmless: of a killed process, removed when the run is finished */
};
struct rv_finding {
	enum rv_finding_kind kind;
	const char *path;     /* borrowed for the callback */
	uint64_t line;        /* 0: unknown */
	const char *message;
};
struct rv_spool_check {
	struct rv_store *lake; /* looked into for batches whose spool file is gone */
	const struct rv_state *state;
	void (*finding)(void *arg, const struct rv_finding *finding);
	void *arg;
	/* What was looked at. */
	uint64_t runs, alive_runs, batches, checkpoints;
	uint64_t damaged;      /* findings of the first two kinds */
};
/* RV_OK whatever is found; failures are those of looking. Runs that are alive are left alone. */
enum rv_status rv_spool_check(struct rv_spool_check *check, struct rv_error *err) RV_MUST_CHECK;

#endif
