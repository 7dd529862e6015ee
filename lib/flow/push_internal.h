/*
 * What the files of the push flow share: push.c (inputs, and the whole) and push_batches.c (runs,
 * batches, records). Nobody else includes this.
 */
#ifndef RV_FLOW_PUSH_INTERNAL_H
#define RV_FLOW_PUSH_INTERNAL_H

#include "base/clock.h"
#include "flow/batch.h"
#include "flow/push.h"
#include "flow/push_file.h"
#include "flow/run_record.h"
#include "flow/sender.h"
#include "spool/checkpoint.h"

/* A file that is open in the push: from its lock to its landing. */
struct rv_push_input {
	struct rv_input_file file;
	char key[RV_FILE_KEY_TEXT];
	struct rv_checkpoint checkpoint; /* as of `offset` */
	uint64_t run_file;               /* index in the current run; UINT64_MAX: not registered */
	uint64_t offset, line;           /* all before is in a batch */
	unsigned in_array;               /* what rv_reader_in_array() said there */
	bool finished;                   /* the unterminated end was handed out as well */
	bool taken_finished;             /* that end is in the open extent */
	bool at_end;
	bool watched;                    /* `first` and `last` are set: heads and tails only */
	struct rv_checkpoint first;      /* the file's first bytes when it was opened */
	struct rv_checkpoint last;       /* what the extent before ended with */
	struct rv_extent extent;         /* of the open batch */
	bool extent_open;
	uint64_t run_number;             /* of the run that `run_file` is an index of */
	/* Files that are followed. */
	uint64_t read_to;                /* read up to here; 0: to the end */
	bool goes_on;                    /* there is more behind that */
	bool pending;                    /* an end without its line end was left for later */
	uint64_t job;                    /* of the sender, that takes what was read last */
};

struct rv_push_state {
	const struct rv_push_params *params;
	struct rv_push_result *result;
	struct rv_state state;
	struct rv_deliver deliver;
	struct rv_stream batch_stream;   /* the stream, shallow, as batches are to be made */
	struct rv_batcher *batcher;
	struct rv_sender *sender;
	struct rv_run *run;              /* NULL: none yet, or the last one is over */
	uint64_t run_number;             /* counts runs, from 1 */
	uint64_t next_seq;
	uint64_t jobs;                   /* batches and ends of runs the sender was given */
	int64_t batch_started_ms;        /* monotonic */
	struct rv_extent *extents;       /* closed ones of the open batch */
	size_t extents_count, extents_capacity;
	uint64_t extents_bytes;          /* of their texts, which may be long */
	bool recovers;                   /* the courier finishes what was left by others */
	int64_t told_ms;                 /* monotonic: when an outage was last spoken of */
	int locks_fd;                    /* files.lock; its ranges are this push's locks */
	bool spooling;                   /* batches go to the spool: pipes, --run, --wait spooled */
	bool stopped;                    /* by a signal */
	bool incomplete;                 /* the input was not read to its end */
	bool abandon;                    /* the open batch must not be sent */
	bool fatal;                      /* no further input can be pushed either */
	bool over_limit;                 /* --max-rejects */
	uint64_t failed_inputs, skipped_inputs; /* files that were not pushed whole; that were locked */
	struct rv_error input_failure;   /* of the first of them */
	uint64_t batch_bytes, batch_records, batch_record_bytes; /* 0: no limit */
	uint64_t large_bytes;            /* records over this go into batches of their own; 0: none */
	bool large;                      /* the open batch is one of those */
	struct rv_run_record record;     /* of a named run */
	uint64_t *recent;                /* hashes of the keys of files since the last settle() */
	size_t recent_count, recent_size; /* open addressing; size is a power of two */
	uint64_t input_base;             /* pipes: bytes of the inputs before the one being read */
	uint64_t input_offset;           /* pipes: bytes taken into batches */
	struct rv_push_progress progress;
	int64_t last_pass_ms;            /* follow: a signal has come; monotonic: read on until then */
};

/* A signal asked to stop; noted in the state. */
bool rv_push_must_stop(struct rv_push_state *push);
typedef void rv_push_say(void *arg, const char *text);
void rv_push_tell(const struct rv_push_state *push, rv_push_say *how, const char *fmt, ...)
	RV_PRINTF(3, 4);
/* Says that the delivery is failing, once a minute. */
void rv_push_tell_outage(struct rv_push_state *push);
#define note(push, ...) rv_push_tell(push, (push)->params->note, __VA_ARGS__)
#define warn(push, ...) rv_push_tell(push, (push)->params->warn, __VA_ARGS__)

/* Notes a file; true when it was noted since the last rv_push_settle. */
bool rv_push_seen(struct rv_push_state *push, const char *key);
/* Everything read so far lands, so that no lock is held while we wait for another one. */
enum rv_status rv_push_settle(struct rv_push_state *push, struct rv_error *err) RV_MUST_CHECK;
/* The lock of a file, waited for as long as the params say. */
enum rv_status rv_push_lock(struct rv_push_state *push, const struct rv_push_input *input,
			    struct rv_error *err) RV_MUST_CHECK;
/* Without a wait; *ret false: another process has it. */
enum rv_status rv_push_try_lock(struct rv_push_state *push, const char *key, bool *ret,
				struct rv_error *err) RV_MUST_CHECK;
void rv_push_unlock(struct rv_push_state *push, const char *key);
enum rv_status rv_push_recover_again(struct rv_push_state *push, struct rv_error *err) RV_MUST_CHECK;
/* Says where in the file this push begins. */
void rv_push_describe_start(struct rv_push_state *push, const struct rv_push_input *input,
			    enum rv_file_start start);
/* What is in the file behind its checkpoint, up to input->read_to, into batches. */
enum rv_status rv_push_read_file(struct rv_push_state *push, struct rv_push_input *input,
				 struct rv_error *err) RV_MUST_CHECK;

/* flow/follow.c: in place of the inputs one after another. */
enum rv_status rv_push_follow(struct rv_push_state *push, struct rv_error *err) RV_MUST_CHECK;
void rv_push_follow_tick(struct rv_push_state *push);
int rv_push_follow_held(void *follow, const char *key);
/* The session has begun a run; and whether one of that name is from this follower. */
void rv_push_follow_began(struct rv_push_state *push);
bool rv_push_follow_is_own(void *follow, const char *run);

/* The folder of a run that begins now. */
const char *rv_push_folder_now(const struct rv_push_state *push, char folder[RV_TIME_TEXT]);
enum rv_status rv_push_begin_run(struct rv_push_state *push, struct rv_error *err) RV_MUST_CHECK;
/* Hands the run, if any, over to the sender. `complete`: its input came to an end. */
enum rv_status rv_push_end_run(struct rv_push_state *push, bool complete,
			       struct rv_error *err) RV_MUST_CHECK;
void rv_push_clear_extents(struct rv_push_state *push);
/* Ends what the open batch has of this file, with the checkpoint that it will move to. */
enum rv_status rv_push_close_extent(struct rv_push_state *push, struct rv_push_input *input,
				    struct rv_error *err) RV_MUST_CHECK;
/* Hands the open batch, if any, over to the sender. `input` may be NULL. */
enum rv_status rv_push_close_batch(struct rv_push_state *push, struct rv_push_input *input,
				   struct rv_error *err) RV_MUST_CHECK;
/* All records of one reader into batches. `input` NULL: a pipe. */
enum rv_status rv_push_read_all(struct rv_push_state *push, struct rv_push_input *input,
				struct rv_reader *reader, const char *label,
				struct rv_error *err) RV_MUST_CHECK;

#endif
