/*
 * From intake (spool/intake.h) to a promised batch: what a collector does with each file it has closed,
 * and recovery with those that a killed one left.
 */
#ifndef RV_FLOW_INTAKE_H
#define RV_FLOW_INTAKE_H

#include <stdint.h>

#include "base/error.h"
#include "flow/deliver.h"
#include "format/reader.h"
#include "spool/intake.h"

/* Rejects of a file of intake are numbered, and lie behind one another. */
struct rv_intake_rejects {
	uint64_t count, bytes; /* so far */
};
/* A frame with a reject, in the pieces in which a reader hands one out; `add` gets each until it fails. */
enum rv_status rv_intake_reject(struct rv_intake_rejects *rejects, const struct rv_intake_frame *frame,
				enum rv_status (*add)(void *arg, const struct rv_span *span, const char *source,
						      struct rv_error *err),
				void *arg, struct rv_error *err) RV_MUST_CHECK;

/*
 * Makes batch `seq` of the file of that number and promises it; nothing is done for one that is promised
 * already. *ret_made false: the file holds nothing. The file stays.
 *
 * A damaged file is linked into <state>/damaged/ first, and noted as deliver->loss; what stands before the
 * damage becomes the batch.
 */
enum rv_status rv_intake_promise(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				 bool *ret_made, struct rv_error *err) RV_MUST_CHECK;
/* All files of a run that is nobody's any more. */
enum rv_status rv_intake_recover(struct rv_deliver *deliver, struct rv_run *run,
				 struct rv_error *err) RV_MUST_CHECK;

#endif
