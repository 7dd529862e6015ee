/*
 * The state folder: what this user on this host has promised for each stream of each lake.
 *
 *   <state>/<hash of lake URL>/lake                     the URL, for people
 *   <state>/<hash>/<business>/<stream>/<stream id>/     one stream's state, 0700, files 0600:
 *       recover.lock      held while left-over runs are finished
 *       files.lock        byte ranges of it are the locks of single files
 *       runs/<run>/       journal, spooled batches and rejects of a run (run.h)
 *       files/<key>       checkpoint of a pushed file (checkpoint.h)
 *       files/<key>.batches
 *       followed/<hash>      since when a path is followed (flow/follow_file.c)
 *       heads/<hash>/<key>   finds checkpoints by a file's first record
 *       seen, seen.lock      which events a collector has taken (collect/remembered.h)
 */
#ifndef RV_SPOOL_STATE_H
#define RV_SPOOL_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "config/stream.h"

struct rv_state {
	char *root;   /* <state>/<hash> */
	char *folder; /* the stream's */
	char business[RV_BUSINESS_MAX + 1];
	char stream[RV_STREAM_NAME_MAX + 1];
	char stream_id[RV_ULID_TEXT];
};
#define RV_STATE_INIT { .root = NULL }

/* The names only; nothing is made. */
void rv_state_locate(struct rv_state *state, const char *state_dir, const char *lake_url,
		     const struct rv_stream *stream);
/* Makes the folders. RV_LOCAL_IO naming RIVER_STATE_DIR when the state belongs to somebody else or
 * cannot be written. */
enum rv_status rv_state_open(struct rv_state *state, const char *state_dir, const char *lake_url,
			     const struct rv_stream *stream, struct rv_error *err) RV_MUST_CHECK;
void rv_state_release(struct rv_state *state);
/* "<folder>/<name>", caller frees. */
char *rv_state_path(const struct rv_state *state, const char *name);

/* Every stream of this lake that has state, in name order; a missing folder is an empty list. */
enum rv_status rv_state_each(const char *state_dir, const char *lake_url,
			     enum rv_status (*each)(void *arg, const struct rv_state *state,
						    struct rv_error *err),
			     void *arg, struct rv_error *err) RV_MUST_CHECK;

#endif
