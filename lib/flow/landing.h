/*
 * Uploads that wait in the lake before they are looked at (semantics.md 8), and their publishing.
 *
 *   _river/landing/<business>/<stream>/<run>-<seq %06u>
 *
 * An upload is pushed under the named run "<run>-<seq>": whoever does it, and however often, makes
 * the same objects. It is removed once they have landed. So a process killed at any point, or two at
 * once, publish it once; and another content under a name that was used goes to the rejects whole.
 */
#ifndef RV_FLOW_LANDING_H
#define RV_FLOW_LANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "delivery/delivery.h"
#include "flow/object_name.h"
#include "store/store.h"

#define RV_LANDING_PREFIX "_river/landing/"
/* The named run is this, the number, and in the rejects nine bytes more. */
#define RV_LANDING_RUN_MAX 40

struct rv_landing_name {
	char business[RV_BUSINESS_MAX + 1];
	char stream[RV_STREAM_NAME_MAX + 1];
	char run[RV_LANDING_RUN_MAX + 1];
	uint64_t seq;               /* 1..999999 */
};
/* ret has RV_OBJECT_NAME_MAX bytes. */
void rv_landing_name_format(const struct rv_landing_name *name, char *ret);
/* False for anything that is not exactly such a name. */
bool rv_landing_name_parse(const char *text, struct rv_landing_name *ret);
/* The run its records are pushed under: "<run>-<seq>". */
void rv_landing_run(const struct rv_landing_name *name, char ret[RV_RUN_MAX + 1]);

enum rv_landing_outcome {
	RV_LANDING_LANDED,   /* its records are in the lake; it is removed */
	RV_LANDING_REJECTED, /* the whole of it is in the rejects; it is removed */
	RV_LANDING_GONE,     /* it is not there (any more): somebody else did it */
	RV_LANDING_LEFT,     /* it stays where it is, and `why` says why */
	RV_LANDING_WAITING,  /* dry run: it would be processed */
};
struct rv_landing_result {
	const char *object;         /* name in the lake; borrowed for the callback */
	enum rv_landing_outcome outcome;
	uint64_t bytes;             /* of the upload, as it came */
	uint64_t accepted, rejected; /* records */
	char first_reject[256];     /* "" or why the first record was rejected */
	struct rv_error why;        /* RV_OK unless something is to be said of it */
};

struct rv_landing_params {
	struct rv_store *lake;
	struct rv_delivery *delivery; /* direct: uploads go into the lake, whatever the profile says */
	const char *state_dir;
	uint64_t max_bytes;         /* a larger upload is left */
	uint64_t max_record_bytes;
	uint64_t spool_max_bytes;
	int64_t lock_timeout_ms;    /* for another process at the same stream; -1: for ever */
	unsigned threads;           /* for compression */
	bool dry_run;
	bool (*should_stop)(void);
	void (*each)(void *arg, const struct rv_landing_result *result);
	void (*note)(void *arg, const char *text); /* Optional */
	void *arg;
};

/*
 * Processes these objects; `names` are relative to the lake, in an order that keeps a stream's
 * together. What is wrong with one of them does not stop the others: the status is RV_OK or, after
 * all have had their turn, the gravest of 10, 12, 4, 8, 1, 7, 5. Out of reach, locked and stopped
 * end it at once.
 */
enum rv_status rv_landing_process(const struct rv_landing_params *params, char *const *names,
				  size_t count, struct rv_error *err) RV_MUST_CHECK;
/* What waits, of one stream ("business/name") or of all (NULL), in the order of names. */
enum rv_status rv_landing_each(struct rv_store *lake, const struct rv_stream *stream,
			       enum rv_status (*each)(void *arg, const struct rv_store_object *,
						      struct rv_error *err),
			       void *arg, struct rv_error *err) RV_MUST_CHECK;
/* For status: how much of a stream waits in landing. */
struct rv_landing_pending {
	uint64_t objects, bytes;
	int64_t oldest_ms;          /* since 1970; -1: nothing waits */
};
enum rv_status rv_landing_pending(struct rv_store *lake, const struct rv_stream *stream,
				  struct rv_landing_pending *ret, struct rv_error *err) RV_MUST_CHECK;

#endif
