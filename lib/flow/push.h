/*
 * push: records from files or a pipe, through batches, into the lake (semantics.md 4 and 5).
 */
#ifndef RV_FLOW_PUSH_H
#define RV_FLOW_PUSH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "delivery/delivery.h"
#include "flow/read_settings.h"
#include "flow/recover.h"
#include "source/source.h"
#include "spool/run.h"
#include "store/store.h"

enum rv_wait { RV_WAIT_SPOOLED, RV_WAIT_SENT, RV_WAIT_LANDED, RV_WAIT_LOADED };

struct rv_push_progress {
	uint64_t done_bytes, total_bytes; /* of the input; total 0: unknown */
	uint64_t records;
};

struct rv_push_params {
	const struct rv_stream *stream; /* as in the catalog, with an id */
	struct rv_store *lake;
	struct rv_delivery *delivery;
	const char *state_dir;
	struct rv_read_settings read;   /* borrowed */
	bool layout_given;              /* its format or columns are no setting of the stream */
	char **files;                   /* "-" is standard input; none: standard input */
	size_t files_count;
	struct rv_source *source;       /* Optional: read this instead, as a pipe; borrowed */
	const char *run;                /* Optional: a name that makes a pipe repeatable */
	enum rv_wait wait;              /* LOADED is LANDED here; the caller loads */
	bool again;                     /* files: from the start, whatever the checkpoints say */
	uint64_t batch_bytes, batch_records; /* compressed size and number a batch closes at */
	int64_t flush_after_ms;         /* pipes: age a batch closes at; -1: never */
	int64_t settle_ms;              /* files: an unterminated end counts as written after this */
	uint64_t max_rejects;           /* UINT64_MAX: no limit */
	uint64_t spool_max_bytes;
	int64_t retry_for_ms;           /* how long a delivery that fails is tried, behind the input's
					 * end or for a file's batch; 0: once */
	int64_t retry_pause_ms;         /* the first pause; 0: 1 s */
	unsigned threads;               /* for compression */
	int64_t lock_timeout_ms;        /* 0: do not wait for a file that another push holds */
	bool (*should_stop)(void);
	void (*progress)(void *arg, const struct rv_push_progress *progress); /* Optional */
	bool own_runs_only;             /* what earlier pushes left to another delivery stays with it */
	bool lock_skip;                 /* a file that another push holds is left out, the others go on */
	bool check_stream;              /* ask the catalog before each batch whether the stream is still
					 * the one it was */
	void (*note)(void *arg, const char *text); /* Optional: things worth saying in between */
	void (*warn)(void *arg, const char *text); /* Optional: things to be said in any case */
	void *arg;
	struct rv_follow *follow;       /* Optional: flow/follow.h alone sets it */
};

struct rv_push_result {
	uint64_t files, files_unchanged;     /* regular files looked at; of them with nothing new */
	uint64_t input_bytes;                /* read by this push, decompressed */
	uint64_t skipped_bytes;              /* pushed before */
	uint64_t left_bytes;                 /* unterminated ends left for later */
	uint64_t records, record_bytes, rejected;
	uint64_t accepted;                   /* records promised: spooled or landed */
	uint64_t landed;                     /* records in the lake */
	uint64_t sent;                       /* records the next hop has acknowledged, and that it brings
					      * to the lake; not among `landed` */
	bool by_stamp;                       /* the delivery names its objects itself */
	struct rv_sent_counts counts;        /* then: what sending took */
	char diverted[320];                  /* why a batch went around the service; "": none did */
	uint64_t batches, objects;           /* batches made, objects written */
	uint64_t object_bytes;               /* compressed, landed */
	uint64_t waiting_spool_bytes;
	uint64_t accepted_offset;            /* pipes: input accepted up to here */
	bool pipe;
	bool kept;                           /* all of the input is in the lake, with the next hop or kept
					      * here, rejects too: it need not and must not be sent again */
	uint64_t rotations;                  /* files that are followed: how often one was rotated */
	struct rv_recover_result recovered;
	struct rv_error loss;                /* something promised earlier is lost or damaged */
	struct rv_error delivery;            /* why what is spooled has not landed */
	struct rv_error unended;             /* all of this push has, and why its run could not be ended:
					      * the next push of the stream or a flush of its spool does that */
	char first_reject[256];              /* "events.ndjson:3: a lone surrogate escape", "" */
	json_t *runs;                        /* names of this push's runs; owned by the result */
	json_t *older;                       /* --wait loaded: objects that hold what was pushed of the
					      * same files before; owned, NULL: none */
};
void rv_push_result_release(struct rv_push_result *result);

/* The status is the one the exit code comes from, by the rules of design.md 4: RV_PARTIAL when some
 * were rejected, RV_KEPT when spooled but not landed, RV_BAD_DATA, RV_LOCAL_IO when not all was
 * accepted, RV_DAMAGED, RV_CONFLICT, RV_FAILED when a signal stopped it. `ret` is filled in every
 * case. */
enum rv_status rv_push(const struct rv_push_params *params, struct rv_push_result *ret,
		       struct rv_error *err) RV_MUST_CHECK;

/* Is every byte of this file in the lake now? RV_OK yes; RV_FAILED no, with the reason; RV_KEPT: the
 * delivery has acknowledged every byte, and that is all that is known. */
enum rv_status rv_push_shipped(const struct rv_push_params *params, const char *file,
			       struct rv_error *err) RV_MUST_CHECK;

#endif
