/*
 * Where to start in a file: what its checkpoint says, and whether it is the same file still.
 */
#ifndef RV_FLOW_PUSH_FILE_H
#define RV_FLOW_PUSH_FILE_H

#include "base/error.h"
#include "flow/input.h"
#include "flow/read_settings.h"
#include "spool/checkpoint.h"
#include "store/store.h"

enum rv_file_start {
	RV_FILE_NEW,       /* from byte 0 */
	RV_FILE_APPENDED,  /* from the checkpoint */
	RV_FILE_ROTATED,   /* from the checkpoint of the file it was before */
	RV_FILE_CHANGED,   /* has a checkpoint, but another content: from byte 0 */
	RV_FILE_UNCHANGED, /* nothing behind the checkpoint */
};

/* `key` as rv_file_key gives it; the caller holds the file's lock. On RV_OK *ret is the checkpoint
 * to start from, filled also for a new file (offset 0). *ret_twin (caller frees, NULL: none) is a
 * file that was pushed, is still there and has the same content: this one is sent all the same. */
enum rv_status rv_push_file_start(const struct rv_state *state, const struct rv_input_file *input,
				  const char *key, const struct rv_read_settings *read, bool again,
				  struct rv_checkpoint *ret, enum rv_file_start *ret_start,
				  char **ret_twin, struct rv_error *err) RV_MUST_CHECK;

/* Hash of the first record in lake form; 0 when there is none near the start. */
enum rv_status rv_push_file_first_record(const struct rv_input_file *input,
					 const struct rv_read_settings *read, uint64_t *ret,
					 struct rv_error *err) RV_MUST_CHECK;
/* A file that nothing is known of begins with this record, and so did others: is it known by its content,
 * under another key whose file does not hold it any more? */
enum rv_status rv_push_file_is_rotated(const struct rv_state *state, const struct rv_input_file *input,
				       const char *key, const struct rv_read_settings *read, bool *ret,
				       struct rv_error *err) RV_MUST_CHECK;
/* Is all that the file holds now what another one begins with, which was pushed and is there still? Then it
 * may be a copy that is being made of it, before that one is cut to nothing or removed. */
enum rv_status rv_push_file_may_be_copy(const struct rv_state *state, const struct rv_input_file *input,
					const char *key, uint64_t first_record, bool *ret,
					struct rv_error *err) RV_MUST_CHECK;

/* Reads [0, checkpoint->offset) and compares counts and set hash with the checkpoint's. */
enum rv_status rv_push_file_prefix_matches(const struct rv_checkpoint *checkpoint,
					   const struct rv_input_file *input,
					   const struct rv_read_settings *read, bool *ret,
					   struct rv_error *err) RV_MUST_CHECK;
/* Are the batches that the checkpoint's prefix went into in the lake now? RV_FAILED: not all. RV_KEPT:
 * a service has acknowledged those that are not, and brings them there in objects of its own. */
enum rv_status rv_push_file_in_lake(struct rv_store *lake, const struct rv_state *state,
				    const struct rv_checkpoint *checkpoint,
				    struct rv_error *err) RV_MUST_CHECK;

#endif
