/* What the files of reconcile share. Not for use outside lib/flow/reconcile*.c. */
#ifndef RV_FLOW_RECONCILE_IMPL_H
#define RV_FLOW_RECONCILE_IMPL_H

#include "base/number.h"
#include "flow/object_name.h"
#include "flow/object_read.h"
#include "flow/receipt.h"
#include "flow/reconcile.h"

/* Items that begin with `char *name`, found by it; pointers move with every add. */
struct rc_table {
	char *items;
	size_t item_bytes, count, capacity;
	uint32_t *slots; /* index + 1 */
	size_t mask;
};
void *rc_table_find(const struct rc_table *table, const char *name);
void *rc_table_enter(struct rc_table *table, const char *name); /* finds or adds */

#define RC_NONE UINT32_MAX

struct rc_object {
	char *name;
	uint32_t run;            /* index; RC_NONE: not a name of river's */
	bool firehose;           /* but Firehose's for this stream */
	bool look[2];            /* there at the first and at the second look */
	bool older;              /* before the window, here because a journal knows it */
	bool in_ledger, load_failed;
	bool journal_landed;     /* a journal says so */
	bool listed;             /* by its run's receipt */
	bool named;              /* as missing */
	uint64_t seq, records, set_hash;
	uint64_t bytes;
	int64_t modified_ms;
	uint64_t ledger_rows, ledger_retired, ledger_rejected, ledger_hash, ledger_bytes;
	int64_t loaded_ms;
	uint64_t raw_rows, raw_hash, raw_whole_hash;
	uint64_t stamped;        /* records of it that carry a stamp, by the ledger */
	char *load_message;      /* Optional */
};

struct rc_run {
	char *name;
	bool open, closed, twice;
	bool former;             /* of an earlier stream of that name */
	bool older;
	bool journal, alive;     /* has state here; its push is going on */
	struct rv_receipt_name receipt;
	int64_t sign_ms;         /* last sign of life */
	uint64_t promised, promised_rejects, promised_batches; /* by the journal */
	uint64_t objects, records, set_hash; /* at the second look */
	uint64_t rejects_objects, rejects;
	size_t first;            /* of its objects in `ordered` */
	char *host;              /* Optional */
};

struct rc_waiting {
	uint32_t run;
	uint64_t seq, records, bytes;
	int64_t since_ms;
	char *object;            /* or of its rejects */
	bool rejects_only;
};

/* What lies before the window. */
struct rc_older {
	uint64_t accepted, rejected, set_hash, batches;
	struct rv_hop landed, open_landed;
	struct rv_hop firehose;  /* its objects; records as the ledger has them */
	uint64_t arrived;        /* different stamps of runs that are closed */
	uint64_t stamped_own;    /* stamps in objects of river's names */
	uint64_t rejects, open_rejects;
	uint64_t loaded_objects, rows, retired, load_rejected, failed_objects, failed_records, present;
};

struct reconcile {
	const struct rv_reconcile_params *params;
	const struct rv_stream *stream;
	struct rv_reconcile *report;
	struct rc_table objects, runs;
	struct rc_waiting *waiting;
	size_t waiting_count, waiting_capacity;
	uint32_t *ordered;       /* river's objects of the second look by run and number */
	size_t ordered_count;
	struct rc_older older;
	struct rv_stamp_set stamps; /* of all loaded objects, and of what else was looked into */
	bool *stamps_older;      /* of its runs: closed before the window */
	size_t stamps_older_count;
	struct rc_table older_runs; /* names alone, for `verify` */
	/* Firehose's objects of the window; not loaded; not looked into either */
	uint64_t firehose_objects, firehose_pending, firehose_unread;
	uint64_t firehose_rejected; /* lines of them that are no records */
	/* with `verify`: objects that could not be read up to now, without one that could; not tried then */
	unsigned unread_in_a_row;
	uint64_t unread_passed_over;
	bool asked;              /* the warehouse has begun to answer */
	int64_t last_load_ms;    /* when it loaded last; 0: never, or nobody knows */
	bool seen_taken;         /* a receipt says that Firehose took its run */
	unsigned look;           /* 0, 1 */
	char former_before[24];  /* stream->since */
};

/* reconcile.c */
bool rc_before_window(const struct reconcile *r, const char *day);
/* What the name of an object under data/ says. */
struct rc_place {
	bool own;                /* river gave it for this stream: `name` is what is in it */
	bool firehose;           /* Firehose did */
	bool former;             /* of one of them: it is an earlier stream's (create --fresh) */
	bool older;              /* likewise: it lies before the window */
	struct rv_object_name name;
};
struct rc_place rc_place_of(const struct reconcile *r, const char *object);
/* Finds or adds; `name` NULL when it is none of river's. */
struct rc_object *rc_enter_object(struct reconcile *r, const char *text,
				  const struct rv_object_name *name);
/* RV_FAILED once somebody wants to stop. */
enum rv_status rc_stop_or_go(const struct reconcile *r, struct rv_error *err) RV_MUST_CHECK;

/* Files a finding; `what` holds everything but the message, its strings are copied. */
void rc_find(struct reconcile *r, const struct rv_finding *what, const char *fmt, ...)
	RV_PRINTF(3, 4);
/* How long ago that was. Clocks of hosts and services differ by minutes: what is no further ahead is new. Else it was
 * written by a clock that was wrong; nobody knows how long ago, and it counts as late, or it would be called new until
 * that time has come. */
int64_t rc_age_of(const struct reconcile *r, int64_t ms);
#define RC_AGE_UNKNOWN (-1)
const char *rc_age_text(int64_t age_ms, char buf[RV_NUMBER_TEXT]);
enum rv_finding_level rc_level_by_age(const struct reconcile *r, int64_t age_ms);
static inline struct rc_run *rc_run_at(const struct reconcile *r, uint32_t index)
{
	return index == RC_NONE ? NULL : (struct rc_run *)(void *)r->runs.items + index;
}
static inline struct rc_object *rc_object_at(const struct reconcile *r, size_t index)
{
	return (struct rc_object *)(void *)r->objects.items + index;
}

/* reconcile_warehouse.c */
enum rv_status rc_look_at_warehouse(struct reconcile *r, struct rv_error *err) RV_MUST_CHECK;

/* reconcile_stamps.c */
/* Before the second look: what the stamps of loaded objects say. */
enum rv_status rc_ask_stamps(struct reconcile *r, struct rv_warehouse *w,
			     struct rv_error *err) RV_MUST_CHECK;
/* A receipt of before the window was seen. */
void rc_stamps_of_older(struct reconcile *r, const struct rv_receipt_name *receipt);
/* After check_objects: what is there and not loaded. */
enum rv_status rc_complete_stamps(struct reconcile *r, struct rv_error *err) RV_MUST_CHECK;
/* `same`: the objects of river's names are what the receipt says. *ret_done false: they are not, and
 * nothing came through Firehose that could explain it. */
enum rv_status rc_check_arrival(struct reconcile *r, uint32_t index, bool same, bool *ret_done,
				struct rv_error *err) RV_MUST_CHECK;
/* A run that is not closed. Returns how many of its records are there. */
uint64_t rc_add_open_arrival(struct reconcile *r, uint32_t index);
/* After all runs. */
void rc_check_stamps(struct reconcile *r);

/* reconcile_check.c: everything is collected; find and sum. */
enum rv_status rc_check(struct reconcile *r, struct rv_error *err) RV_MUST_CHECK;
/* *ret NULL: not there, or not JSON. Caller decrefs. */
enum rv_status rc_read_receipt(struct reconcile *r, const struct rc_run *run, json_t **ret,
			       struct rv_error *err) RV_MUST_CHECK;
struct rv_finding rc_about_run(const struct rc_run *run, enum rv_finding_code code);
/* reconcile_verify.c: read what the objects of the window hold. `go_on` asks should_stop. */
bool rc_go_on(void *reconcile, const struct rv_object_content *so_far);
/* What an object should hold. */
struct rc_expected {
	uint64_t records, set_hash;
};
/* Reads one, again when it does not come whole or is not `expected` (Optional). *ret_read false: it could not be
 * had, which is noted, or somebody wants to stop, which is the status. Else the status says what of it came:
 * RV_OK, RV_NOT_FOUND, or RV_BAD_DATA and RV_DAMAGED for what is no whole object. */
enum rv_status rc_read_object(struct reconcile *r, const struct rc_object *o, const struct rc_expected *expected,
			      struct rv_stamp_set *stamps, struct rv_object_content *ret, bool *ret_read,
			      struct rv_error *err) RV_MUST_CHECK;
enum rv_status rc_verify_objects(struct reconcile *r, struct rv_error *err) RV_MUST_CHECK;

#endif
