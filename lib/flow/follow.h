/*
 * Following: files that go on growing, pushed for as long as nobody says stop (semantics.md 4).
 *
 * It is a push of files again and again in one process: the same checkpoints, journal and recovery, so a
 * killed follower, or one whose lake was away, goes on as the same command would. A failure that may pass
 * ends one session and the next one begins after a pause, with files that were rotated or removed meanwhile
 * still held open.
 *
 * A file is its own spool: while the lake is away nothing more is read than fits into two batches. With
 * `wait` RV_WAIT_SPOOLED what is read is copied into the spool first, up to spool.max.
 */
#ifndef RV_FLOW_FOLLOW_H
#define RV_FLOW_FOLLOW_H

#include <jansson.h>

#include "base/error.h"
#include "flow/push.h"

struct rv_follow_params {
	int64_t until_quiet_ms; /* ends when nothing new came for so long; -1: never */
	int64_t poll_ms;        /* as in source/watch.h */
	bool no_inotify;        /* for tests */
	/* Optional: {"event":"rotated","file":...}, for programs. Takes the reference. */
	void (*event)(void *arg, json_t *event);
	void *arg;
};

/* `params->files` are files and folders. `params->flush_after_ms` is the age a batch closes at. Returns when
 * params->should_stop says so, or after until_quiet_ms: RV_OK when all that was read is where params->wait
 * says, RV_KEPT when the lake did not take it, RV_PARTIAL, RV_LOCAL_IO (also when a file could not be read
 * up to the end), RV_LOCKED, RV_CONFLICT, RV_NOT_FOUND. `ret` is filled in every case. */
enum rv_status rv_follow(const struct rv_push_params *params, const struct rv_follow_params *follow,
			 struct rv_push_result *ret, struct rv_error *err) RV_MUST_CHECK;

#endif
