/* What the files of reconcile share. Not for use outside lib/flow/reconcile*.c. */
#ifndef RV_FLOW_RECONCILE_IMPL_H
#define RV_FLOW_RECONCILE_IMPL_H

#include "flow/object_name.h"
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
	bool look[2];            /* there at the first and at the second look */
	bool older;              /* before the window, here because a journal knows it */
	bool in_ledger, load_failed;
	bool journal_landed;     /* a journal says so */
	bool listed;             /* by its run's receipt */
	bool named;              /* as missing */
	uint64_t seq, records, set_hash;
	uint64_t bytes;
	int64_t modified_ms;
	uint64_t ledger_rows, ledger_rejected, ledger_hash, ledger_bytes;
	int64_t loaded_ms;
	uint64_t raw_rows, raw_hash, raw_whole_hash;
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
	uint64_t rejects, open_rejects;
	uint64_t loaded_objects, rows, load_rejected, failed_objects, failed_records, present;
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
	unsigned look;           /* 0, 1 */
	char former_before[24];  /* stream->since */
};

/* Files a finding; `what` holds everything but the message, its strings are copied. */
void rc_find(struct reconcile *r, const struct rv_finding *what, const char *fmt, ...)
	RV_PRINTF(3, 4);
enum rv_finding_level rc_level_by_age(const struct reconcile *r, int64_t age_ms);
static inline struct rc_run *rc_run_at(const struct reconcile *r, uint32_t index)
{
	return index == RC_NONE ? NULL : (struct rc_run *)(void *)r->runs.items + index;
}
static inline struct rc_object *rc_object_at(const struct reconcile *r, size_t index)
{
	return (struct rc_object *)(void *)r->objects.items + index;
}

/* reconcile_check.c: everything is collected; find and sum. */
enum rv_status rc_check(struct reconcile *r, struct rv_error *err) RV_MUST_CHECK;
/* reconcile_verify.c: read what the objects of the window hold. */
enum rv_status rc_verify_objects(struct reconcile *r, struct rv_error *err) RV_MUST_CHECK;

#endif
