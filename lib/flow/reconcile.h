/*
 * Reconcile: the proof that every record of a stream arrived once (semantics.md 7).
 *
 * Spool, lake, warehouse, then the lake again are looked at, in this order; each number is counted
 * where it is and joined with the others by the names of objects and runs. What changes between the
 * two looks at the lake is in flight and called no difference. Nothing is written anywhere.
 *
 * Under Firehose the names of objects say nothing: there a run is compared by the stamps of its records
 * that are in loaded objects (or, with `verify`, in objects that are not).
 *
 * What lies before `since_day` is summed and compared as a sum, not object by object.
 * Memory: some 300 bytes an object of the window.
 */
#ifndef RV_FLOW_RECONCILE_H
#define RV_FLOW_RECONCILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "store/store.h"
#include "warehouse/warehouse.h"

/* What can be found: RV_FINDING(NAME, "stable code", "what it means"). */
#define RV_FINDINGS(RV_FINDING)                                                                    \
	RV_FINDING(STREAM_UNKNOWN, "stream_unknown", "a stream with data is not in the catalog")    \
	RV_FINDING(OBJECT_MISSING, "object_missing", "an object that landed is not in the lake")   \
	RV_FINDING(OBJECT_FOREIGN, "object_foreign", "an object that no run of river put there")   \
	RV_FINDING(OBJECT_ALTERED, "object_altered", "an object does not hold what it did")        \
	RV_FINDING(OBJECT_UNREAD, "object_unread", "an object could not be read")                  \
	RV_FINDING(SEQUENCE_TWICE, "sequence_twice", "two objects of one run and number")          \
	RV_FINDING(RUN_DIFFERS, "run_differs", "a run's receipt and its objects differ")           \
	RV_FINDING(RECORDS_MISSING, "records_missing", "records that Firehose took are not there")  \
	RV_FINDING(RECORDS_TWICE, "records_twice", "records arrived more than once")               \
	RV_FINDING(RECORDS_UNKNOWN, "records_unknown", "stamps of a run without a receipt")        \
	RV_FINDING(RECORDS_UNSTAMPED, "records_unstamped", "records that river did not push")      \
	RV_FINDING(NOT_PROVABLE, "not_provable", "nothing tells whether records arrived")          \
	RV_FINDING(REJECTS_DIFFER, "rejects_differ", "a run's receipt and its rejects differ")     \
	RV_FINDING(RECEIPT_TWICE, "receipt_twice", "a run was closed with two sets of counts")     \
	RV_FINDING(RECEIPT_DAMAGED, "receipt_damaged", "a receipt does not say what its name says") \
	RV_FINDING(BATCH_LOST, "batch_lost", "a batch that was read could not be kept")            \
	RV_FINDING(RUN_DAMAGED, "run_damaged", "a run's journal or batch was damaged on disk")     \
	RV_FINDING(LOAD_FAILED, "load_failed", "an object could not be loaded")                    \
	RV_FINDING(LOAD_DIFFERS, "load_differs", "the ledger and an object's name differ")         \
	RV_FINDING(ROWS_MISSING, "rows_missing", "rows of an object are gone from the raw table")  \
	RV_FINDING(ROWS_ADDED, "rows_added", "the raw table has more rows of an object")           \
	RV_FINDING(ROWS_ALTERED, "rows_altered", "rows are not what the object holds")             \
	RV_FINDING(ROWS_UNKNOWN, "rows_unknown", "rows of an object that was never loaded")        \
	RV_FINDING(REFUSED, "refused", "the contract refuses records")                             \
	RV_FINDING(LAYERS_DIFFER, "layers_differ", "raw is not clean + duplicates + refused")      \
	RV_FINDING(OLDER_DIFFERS, "older_differs", "sums from before the window differ")           \
	RV_FINDING(SPOOLED, "spooled", "a batch waits in the spool")                               \
	RV_FINDING(IN_LANDING, "in_landing", "uploads wait to be processed")                       \
	RV_FINDING(RUN_OPEN, "run_open", "a run has no closed receipt")                            \
	RV_FINDING(PENDING, "pending", "objects are not loaded yet")

enum rv_finding_code {
#define RV_FINDING(name, text, meaning) RV_FINDING_##name,
	RV_FINDINGS(RV_FINDING)
#undef RV_FINDING
	RV_FINDING_CODES
};
const char *rv_finding_name(enum rv_finding_code code); /* "object_missing" */

enum rv_finding_level {
	RV_FINDING_NOTED, /* on its way, or done on purpose: no reason to worry */
	RV_FINDING_LATE,  /* on its way for longer than the stream's monitor.freshness */
	RV_FINDING_WRONG, /* counts differ */
	RV_FINDING_LEVELS
};
const char *rv_finding_level_name(enum rv_finding_level level); /* "noted", "late", "wrong" */

struct rv_finding {
	enum rv_finding_code code;
	enum rv_finding_level level;
	char *message;              /* whole sentence, names included */
	char *object, *run, *host;  /* Optional each */
	bool has_seq, has_counts;
	uint64_t seq;
	uint64_t expected, found;   /* records or rows */
	int64_t age_ms;             /* -1: none */
};

struct rv_hop {
	uint64_t objects, records, bytes, set_hash;
};
/* What the stamps say, of runs whose receipts are known. */
struct rv_stamped {
	bool used;              /* some of the stream came through Firehose, or carries stamps */
	uint64_t arrived;       /* of what was accepted: different records there, each counted once */
	uint64_t missing;       /* accepted by closed runs, and not there */
	uint64_t twice;         /* there once more than once, under a stamp that is there */
	uint64_t unknown;       /* of runs without a receipt */
	uint64_t unstamped;     /* in objects of Firehose, and not river's */
	uint64_t unproven;      /* accepted without stamps by Firehose */
	bool deduplicated;      /* the clean layer keeps one of each */
};
struct rv_reconcile {
	/* From receipts, and journals of runs that are not closed. */
	uint64_t runs_closed, runs_open;
	uint64_t accepted, rejected, batches;
	struct rv_hop spooled;      /* journaled here and not in the lake */
	struct rv_hop in_landing;   /* uploads that nobody has looked into: objects and bytes */
	struct rv_hop landed;       /* river's and Firehose's names under data/; how many records are
				     * in Firehose's is known once they are loaded */
	struct rv_stamped stamped;
	struct rv_hop foreign;      /* other names there: objects and bytes */
	struct rv_hop rejects;      /* _river/rejects/ */
	/* From the warehouse's ledger; of what landed and can be loaded. */
	struct rv_hop loaded, load_rejected, pending;
	uint64_t retired;           /* of the rows loaded: taken out of raw on purpose */
	uint64_t present;           /* rows of loaded objects in raw; not when `quick` */
	struct rv_warehouse_counts tables; /* not when `quick` */
	struct rv_warehouse_refused refused; /* only its count when `quick` */
	bool has_warehouse;         /* it was looked at */
	bool has_hashes;            /* the warehouse has set hashes: `loaded` has one */
	bool has_tables;            /* present and tables are filled */
	/* Why it was not, though there is one. RV_OK: profile without one, or it was. */
	struct rv_error warehouse_error;
	/* With `verify`: objects that could not be read, and the gravest reason. RV_OK: all were. */
	uint64_t unread;
	struct rv_error unread_error;
	int64_t oldest_pending_ms, oldest_spooled_ms, oldest_in_landing_ms; /* when it came; -1: none */
	int64_t newest_landed_ms, newest_loaded_ms;   /* landing times; -1: none */
	int64_t lag_ms;             /* newest landed behind newest loaded; -1: unknown */
	int64_t last_run_ms;        /* last sign of a run; -1: none */
	struct rv_finding *findings; /* worst first; at most RV_FINDINGS_KEPT of a code */
	size_t findings_count, findings_capacity;
	uint64_t found[RV_FINDING_CODES]; /* all, also those not kept */
	uint64_t levels[RV_FINDING_LEVELS];
	bool all_once;              /* everything accepted is loaded (landed, without a warehouse) once */
};
#define RV_FINDINGS_KEPT 1000
void rv_reconcile_release(struct rv_reconcile *report);

struct rv_reconcile_params {
	const struct rv_stream *stream;  /* as in the catalog, with an id */
	struct rv_store *lake;
	const char *state_dir;
	struct rv_warehouse *warehouse;  /* Optional */
	int64_t now_ms;
	int64_t delivery_buffer_ms;      /* how long the delivery may hold records back; 0: not at all */
	const char *since_day;           /* Optional: "2026-11-13", the first day to join */
	bool quick;                      /* leave the rows in the tables alone */
	bool verify;                     /* read every object and row of the window */
	bool refresh;                    /* where layers follow by themselves, have them follow now */
	bool (*should_stop)(void);       /* Optional */
	void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes); /* Optional: verify */
	void *arg;
};

/* RV_OK also when things are wrong: they are in the report. Without the engine (RV_NOT_FOUND), with a
 * locked warehouse (RV_LOCKED), or when a `remote` one does not answer for whatever reason, the report
 * has everything else and warehouse_error. */
enum rv_status rv_reconcile(const struct rv_reconcile_params *params, struct rv_reconcile *ret,
			    struct rv_error *err) RV_MUST_CHECK;

#endif
