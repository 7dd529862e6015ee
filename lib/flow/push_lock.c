/* The locks of files that are being pushed, and what whoever held one before has left. */
#include "flow/push_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/memory.h"

/* The lock of one file is one byte of files.lock, far out; two files on one byte only wait. */
static struct flock lock_range(const char *key, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(XXH3_64bits(key, strlen(key)) >> 2),
		.l_len = 1,
	};
}

static int set_lock(struct rv_push_state *push, struct flock range)
{
	int r;
	while ((r = fcntl(push->locks_fd, F_OFD_SETLK, &range)) < 0 && errno == EINTR)
		;
	return r;
}

enum rv_status rv_push_try_lock(struct rv_push_state *push, const char *key, bool *ret,
				struct rv_error *err)
{
	*ret = set_lock(push, lock_range(key, F_WRLCK)) == 0;
	if (*ret || errno == EAGAIN || errno == EACCES)
		return RV_OK;
	push->fatal = true;
	return rv_fail_errno(err, RV_LOCAL_IO, "lock %s/files.lock", push->state.folder);
}

void rv_push_unlock(struct rv_push_state *push, const char *key)
{
	/* It ends with the descriptor at the latest. */
	(void)!set_lock(push, lock_range(key, F_UNLCK));
}

static bool put_recent(struct rv_push_state *push, uint64_t hash)
{
	size_t i = hash & (push->recent_size - 1);
	while (push->recent[i] && push->recent[i] != hash)
		i = (i + 1) & (push->recent_size - 1);
	if (push->recent[i])
		return true;
	push->recent[i] = hash;
	push->recent_count++;
	return false;
}

bool rv_push_seen(struct rv_push_state *push, const char *key)
{
	uint64_t hash = XXH3_64bits(key, strlen(key)) | 1; /* 0 is an empty place */
	if (push->recent_count * 2 >= push->recent_size) {
		size_t old_size = push->recent_size;
		uint64_t *old = push->recent;
		push->recent_size = old_size ? old_size * 2 : 64;
		push->recent = rv_calloc(push->recent_size, sizeof(*push->recent));
		push->recent_count = 0;
		for (size_t i = 0; i < old_size; i++)
			if (old[i])
				put_recent(push, old[i]);
		free(old);
	}
	return put_recent(push, hash);
}

enum rv_status rv_push_settle(struct rv_push_state *push, struct rv_error *err)
{
	if (rv_push_close_batch(push, NULL, err) != RV_OK || rv_sender_drain(push->sender, err) != RV_OK)
		return err->status;
	if (push->recent)
		memset(push->recent, 0, push->recent_size * sizeof(*push->recent));
	push->recent_count = 0;
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
	if (set_lock(push, all) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "unlock %s/files.lock", push->state.folder);
	return RV_OK;
}

enum rv_status rv_push_lock(struct rv_push_state *push, const struct rv_push_input *input,
			    struct rv_error *err)
{
	int64_t started_ms = rv_clock_monotonic_ms();
	bool waited = false;
	for (;;) {
		bool locked;
		if (rv_push_try_lock(push, input->key, &locked, err) != RV_OK)
			return err->status;
		if (locked)
			return RV_OK;
		int64_t limit_ms = push->params->lock_timeout_ms;
		if (limit_ms >= 0 && rv_clock_monotonic_ms() - started_ms >= limit_ms) {
			rv_fail(err, RV_LOCKED, "%s is being pushed by another process",
				input->file.path);
			return err->status;
		}
		if (rv_push_must_stop(push))
			return rv_fail(err, RV_FAILED, "stopped while waiting for %s", input->file.path);
		if (!waited) {
			waited = true;
			if (rv_push_settle(push, err) != RV_OK)
				return err->status;
			note(push, "%s is being pushed by another process, waiting", input->file.path);
		}
		struct timespec pause = { .tv_nsec = 50000000 };
		nanosleep(&pause, NULL);
	}
}

struct other_runs {
	const char *mine;
	bool any;
};

static enum rv_status see_run(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct other_runs *others = arg;
	if (!others->mine || strcmp(name, others->mine) != 0)
		others->any = true;
	return RV_OK;
}

/*
 * Whoever held the file's lock before may have been killed since this push looked for left-over
 * runs: its promises move the checkpoint first.
 */
enum rv_status rv_push_recover_again(struct rv_push_state *push, struct rv_error *err)
{
	struct other_runs others = { .mine = push->run ? push->run->name : NULL };
	struct rv_recover_result recovered;
	if (rv_run_each(&push->state, see_run, &others, err) != RV_OK)
		return err->status;
	if (!others.any)
		return RV_OK;
	if (rv_sender_drain(push->sender, err) != RV_OK)
		return err->status;
	rv_sender_hold(push->sender);
	uint64_t opened = push->deliver.opened;
	bool reopened = push->deliver.reopened;
	enum rv_status status =
		rv_recover(&push->deliver, push->params->lock_timeout_ms, push->params->should_stop,
			   &recovered, err);
	push->deliver.opened = opened;
	push->deliver.reopened = reopened;
	rv_sender_resume(push->sender);
	if (status != RV_OK)
		return status;
	push->result->recovered.runs += recovered.runs;
	push->result->recovered.batches += recovered.batches;
	push->result->recovered.records += recovered.records;
	push->result->recovered.own_records += recovered.own_records;
	if (!recovered.waiting_file_runs)
		return RV_OK;
	*err = recovered.failure;
	return rv_context(err, "finish an earlier push first");
}
