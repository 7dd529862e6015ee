/*
 * What the files of the follower share: follow.c (sessions, the loop) and follow_file.c (one file: where it
 * begins, what became of it, its turn). Nobody else includes this.
 */
#ifndef RV_FLOW_FOLLOW_IMPL_H
#define RV_FLOW_FOLLOW_IMPL_H

#include <pthread.h>

#include "flow/follow.h"
#include "flow/push_internal.h"
#include "source/watch.h"

/* What a followed file is beside what the watch knows; its `user`. Times are monotonic. */
struct rv_followed {
	struct rv_push_input input; /* `file.fd` is the watch's */
	bool active;            /* locked, its checkpoint in `input` */
	bool sought;            /* its rotated copies were looked for */
	bool skipped;           /* another push has it, and --lock=skip */
	bool waits;             /* it has news, and is not to be read yet */
	int64_t due_ms;         /* not before; 0: at once */
	int64_t locked_ms;      /* since when another push has it; 0: none has */
	int64_t read_ms;        /* when it gave a byte last */
	uint64_t bytes;         /* the most it was seen to have */
	struct rv_error failure; /* RV_OK: none; then it is tried again when it changes, or at due_ms */
	uint64_t failed_bytes;
	int64_t failed_modified_ns;
};

struct rv_follow {
	struct rv_push_params params; /* of its sessions */
	struct rv_follow_params follow;
	struct rv_watch *watch;
	struct rv_push_state *push;   /* of the session; NULL: between two */
	size_t active;
	size_t active_max;
	bool begun;             /* a session has been set up */
	bool final;             /* the failure is not one that passes */
	bool looking;           /* in rv_watch_look */
	bool reading;           /* in a turn */
	struct rv_error loss;   /* told; RV_OK: none */
	uint64_t rotations;
	int64_t wall_ahead_ms;  /* the wall clock less the monotonic one, at the start */
	int64_t news_ms;        /* when a byte was read last, or the start */
	int64_t batch_ms;       /* the same, a batch begun */
	int64_t told_ms;        /* when rejects were spoken of */
	uint64_t told_rejects;
	char first_reject[sizeof(((struct rv_push_result *)0)->first_reject)];
	uint64_t told_delivered;
	/* Runs of all its sessions that may not be over. The courier asks for them as well. */
	pthread_mutex_t runs_mutex;
	char **runs;
	size_t runs_count, runs_capacity;
};

/* json_pack's arguments behind "event". */
void rv_follow_event(struct rv_follow *f, const char *event, const char *file, const char *key,
		     json_t *value);
/* Everything read so far is where it is to go, and the checkpoints are on disk. */
enum rv_status rv_follow_flush(struct rv_follow *f, struct rv_error *err) RV_MUST_CHECK;
void rv_follow_note_loss(struct rv_follow *f, const struct rv_error *loss);

struct rv_followed *rv_followed_of(struct rv_watched *item);
void rv_followed_free(struct rv_watched *item);
/* The same, unless there is something to remember: most files of a large folder rest. */
void rv_followed_drop(struct rv_watched *item);
/* Is all that was read of it on disk or in the lake? */
bool rv_followed_is_landed(const struct rv_follow *f, const struct rv_followed *file);
void rv_followed_set_path(struct rv_followed *file, const char *path);
/* Forgets its checkpoint and lock. It is read from where the state says when it has news again. */
void rv_followed_rest(struct rv_follow *f, struct rv_watched *item);
/* Reads what is new of it. Failures of the file alone are kept in it. */
enum rv_status rv_followed_turn(struct rv_follow *f, struct rv_watched *item,
				struct rv_error *err) RV_MUST_CHECK;

#endif
