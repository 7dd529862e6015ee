/*
 * A warehouse is where loaded rows are queried. Every load of an object changes the tables and the
 * warehouse's own ledger row of that object in one transaction, so the same object never loads
 * twice, whoever else is loading.
 *
 * Tables of stream business/name: business.name (raw: record, file_name, file_row from 1,
 * loaded_at), business.name_clean, _latest, _refused. semantics.md 3.3 and 6 are the rules.
 *
 * Statuses besides the usual: RV_LOCKED (another program has the file), RV_NOT_FOUND (engine not
 * installed; the hint names the command that does), RV_DAMAGED. One thread at a time.
 */
#ifndef RV_WAREHOUSE_WAREHOUSE_H
#define RV_WAREHOUSE_WAREHOUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "format/stamp_set.h"
#include "store/store.h"
#include "warehouse/changes.h"
#include "warehouse/extract.h"

enum rv_load_state {
	RV_LOAD_PENDING,   /* not tried */
	RV_LOAD_LOADED,    /* by this call */
	RV_LOAD_KNOWN,     /* was loaded before */
	RV_LOAD_PARTIAL,   /* loaded, some lines were not records */
	RV_LOAD_FAILED,    /* nothing of it is in the tables; `message` says why */
	RV_LOAD_QUEUED,    /* a pipe has its name; whether it is loaded is not known yet */
};
/* One object, and what became of it: a row of the warehouse's ledger. There may be a hundred thousand
 * of them at once, so texts are no longer than they are. */
struct rv_load {
	char *object;          /* lake-relative name */
	uint64_t bytes;        /* compressed */
	enum rv_load_state state;
	uint64_t rows;         /* that were loaded into raw */
	uint64_t retired;      /* of these, taken out of raw since, on purpose */
	uint64_t rejected;     /* lines that are no records, or that the warehouse would not take */
	uint64_t set_hash;     /* of the rows loaded, without their stamps; 0 when `remote` */
	uint64_t whole_hash;   /* present alone: the same with their stamps */
	int64_t modified_ms;   /* to load: when it came into the lake; 0: unknown */
	int64_t submitted_ms;  /* when a pipe was given its name; 0: it was not, or nobody knows */
	int64_t loaded_ms;
	uint64_t error_line, error_character; /* of the first error; 0: unknown */
	char *message;         /* first error, with where it is; NULL: none */
};
void rv_load_release(struct rv_load *load); /* object and message */
/* Sets `message`. */
void rv_load_say(struct rv_load *load, const char *fmt, ...) RV_PRINTF(2, 3);

struct rv_load_params {
	/* To a warehouse that is `remote`, for an embedded one always does it all: */
	/* Until every item is loaded or failed, or `deadline_ms` has passed; and until the layers have
	 * what is in raw, also without items. */
	bool wait;
	int64_t deadline_ms;   /* monotonic; 0: none */
	bool by_hand;          /* submit also what an `auto` pipe ought to find by itself */
	bool force;            /* and what may have been loaded before, for nothing tells any more */
	/* Optional. Called between objects and chunks, and while waiting; returning false stops after
	 * the current transaction. */
	bool (*progress)(void *arg, uint64_t rows, uint64_t bytes);
	void *arg;
};

/* Stamps of records in a loaded object: numbers of one batch. Ranges of an object overlap where it holds
 * a record more than once. */
struct rv_loaded_stamps {
	const char *object, *run;
	struct rv_stamp_range range;
};

/* What is in the tables now, counted by looking. */
struct rv_warehouse_counts {
	uint64_t raw, clean, duplicates, refused, latest, tombstones;
	bool has_clean, has_latest;
};

/* What the contract refuses (semantics.md 6.3). */
struct rv_warehouse_refused {
	uint64_t count;
	/* The rest is 0 and "" when asked quickly, or when nothing is refused. */
	uint64_t last_rows, last_refused; /* of the newest load: rows in raw, and of them refused */
	uint64_t commonest;        /* refused for this fault */
	char column[128], reason[160];
};

/* What loads a stream's objects, where that is not river itself. */
struct rv_warehouse_pipe {
	char state[48];            /* "RUNNING", "PAUSED", ...; "" there is none */
	bool runs;
	uint64_t pending;          /* files in its queue */
	int64_t oldest_ms, last_loaded_ms, last_notified_ms; /* -1: unknown */
	char channel[256];         /* that notifications for it go to; "" none */
	char error[512];           /* why it does not run, "" none */
};

struct rv_rows; /* a batch of result rows; see rows.h */
struct rv_warehouse;
struct rv_warehouse_ops {
	const char *name;
	/* It is a service that loads by itself: no verb but those that are there for it loads first, and
	 * what was given to it may be QUEUED. It has counts, no set hashes. */
	bool remote;
	/* Keep the warehouse open over several calls, all of which then see one state; each begin
	 * wants its end. `writing` must be set when load, drop or plan with apply come. Without them
	 * each call opens and closes for itself. */
	enum rv_status (*begin)(struct rv_warehouse *, bool writing, struct rv_error *err);
	void (*end)(struct rv_warehouse *);
	/* What has to change in the warehouse for this definition, as statements, one call of `each`
	 * a statement; `apply` also does it (back-filling new columns from raw). No change: no call. */
	enum rv_status (*plan)(struct rv_warehouse *, const struct rv_stream *, bool apply,
			       void (*each)(void *arg, const char *statement), void *arg,
			       struct rv_error *err);
	/* Optional, both or none: for a warehouse that is a service, where a look at it is dear. What has
	 * to change for all of these streams, found by one look; the streams are borrowed while `ret`
	 * (zeroed, the caller's) lives. Conflicts are in it; what stops the look is returned. */
	enum rv_status (*compare)(struct rv_warehouse *, const struct rv_stream *const *streams,
				  size_t count, struct rv_changes *ret, struct rv_error *err);
	/* Does what compare found, independent changes side by side. One that fails leaves the others
	 * to be made, but for those that depend on it; then the first failure is returned, and each
	 * has its state. Finding and doing it again goes on from there. */
	enum rv_status (*change)(struct rv_warehouse *, struct rv_changes *changes,
				 const struct rv_change_params *params, struct rv_error *err);
	/* Optional (NULL: nothing goes by itself). What of a stream is river's in the warehouse, as
	 * changes that remove it: what loads or computes by itself, and with `data` all the rest.
	 * `ret` is for `change`. */
	enum rv_status (*removal)(struct rv_warehouse *, const struct rv_stream *, bool data,
				  struct rv_changes *ret, struct rv_error *err);
	/* Optional (NULL: no stream of it is stamped). The stamps of all loaded objects, in any order:
	 * of those Firehose wrote, and of river's own when the stream is stamped. */
	enum rv_status (*stamps)(struct rv_warehouse *, const struct rv_stream *,
				 enum rv_status (*each)(void *arg, const struct rv_loaded_stamps *,
							struct rv_error *err),
				 void *arg, struct rv_error *err);
	/* Load these objects of the stream, in order; results in the items. RV_OK when every item has
	 * a state, failed ones included; after an error items still PENDING were not loaded. A `remote`
	 * one may leave them QUEUED, and with RV_OK also PENDING: those of an `auto` pipe that nobody
	 * submitted. Several objects may share one transaction. An object whose name is one of river's (object_name.h)
	 * must hold what the name says, records and set hash, or it FAILS whole; any other one is
	 * foreign: its lines are validated, and what is no record is counted as rejected. Foreign
	 * objects are loaded only because they are in `items`: flow/load.h finds only those pending that
	 * Firehose wrote, of which a line may hold several records. The stamps of records are noted with
	 * the ledger's row. `params` Optional. */
	enum rv_status (*load)(struct rv_warehouse *, const struct rv_stream *, struct rv_load *items,
			       size_t count, const struct rv_load_params *params,
			       struct rv_error *err);
	/* "business/name" of every stream that the warehouse has loads or layers of, ordered. */
	enum rv_status (*streams)(struct rv_warehouse *,
				  enum rv_status (*each)(void *arg, const char *name,
							 struct rv_error *err),
				  void *arg, struct rv_error *err);
	/* The ledger of a stream, ordered by object name. */
	enum rv_status (*history)(struct rv_warehouse *, const struct rv_stream *,
				  enum rv_status (*each)(void *arg, const struct rv_load *,
							 struct rv_error *err),
				  void *arg, struct rv_error *err);
	/* Of the ledger, the names of the objects that are loaded (KNOWN), some lines or all, and of
	 * those that are QUEUED; ordered. */
	enum rv_status (*loaded)(struct rv_warehouse *, const struct rv_stream *,
				 enum rv_status (*each)(void *arg, const char *object,
							enum rv_load_state state,
							struct rv_error *err),
				 void *arg, struct rv_error *err);
	enum rv_status (*count)(struct rv_warehouse *, const struct rv_stream *,
				struct rv_warehouse_counts *ret, struct rv_error *err);
	/* Optional (NULL: it has no pipes). */
	enum rv_status (*pipe)(struct rv_warehouse *, const struct rv_stream *,
			       struct rv_warehouse_pipe *ret, struct rv_error *err);
	/* Optional (NULL: nothing is ever refused). */
	enum rv_status (*refused)(struct rv_warehouse *, const struct rv_stream *, bool quick,
				  struct rv_warehouse_refused *ret, struct rv_error *err);
	/* Rows present in raw per object, ordered by name; with `hash`, their set hashes as well
	 * (reads every record). Only state, object, rows, set_hash, whole_hash are filled. */
	enum rv_status (*present)(struct rv_warehouse *, const struct rv_stream *, bool hash,
				  enum rv_status (*each)(void *arg, const struct rv_load *,
							 struct rv_error *err),
				  void *arg, struct rv_error *err);
	/* Forget tables and ledger of the stream (rebuild, delete --data). */
	enum rv_status (*drop)(struct rv_warehouse *, const struct rv_stream *, struct rv_error *err);
	/* Optional, all or none but extract_above and extract_plan: tables of extracts (warehouse/extract.h). Whether this
	 * extract of the job was taken, and the summary it was taken with (appended). */
	enum rv_status (*extract_find)(struct rv_warehouse *, const char *job, const char *identity,
				       struct rv_strbuf *ret_summary, bool *ret_found,
				       struct rv_error *err);
	/* Optional. Of the extracts of this job, the name of the newest one that is above this one's order and came
	 * by an order of another kind (rv_extract_kind), so that it is newer by accident; "" none. */
	enum rv_status (*extract_above)(struct rv_warehouse *, const struct rv_extract *, struct rv_strbuf *ret,
					struct rv_error *err);
	/* Optional. What has to be made or altered before it can be taken, as statements; nothing is. */
	enum rv_status (*extract_plan)(struct rv_warehouse *, const struct rv_extract *,
				       void (*each)(void *arg, const char *statement), void *arg,
				       struct rv_error *err);
	/* All of it in one transaction: rows of each table, and the ledger's row. RV_CONFLICT: a table is
	 * there and not of extracts, or its columns are others; the extract was taken already and is not to
	 * be replaced. RV_BAD_DATA: the objects do not hold what they should. Nothing has changed then. Of
	 * a `remote` one the tables may have been made; that somebody else took the extract meanwhile is
	 * RV_OK; and after RV_FAILED it may be taken later: to ask again is right. */
	enum rv_status (*extract_take)(struct rv_warehouse *, struct rv_extract *, struct rv_error *err);
	/* The documents (number `document` of `extract`) that changed and were not settled yet; */
	enum rv_status (*extract_changed)(struct rv_warehouse *, const struct rv_extract *, size_t document,
					  const struct rv_extract_changes *changes, struct rv_error *err);
	/* The number of the latest extract in the ledger: what is read now is of this version. */
	enum rv_status (*extract_number)(struct rv_warehouse *, uint64_t *ret, struct rv_error *err);
	/* They are written, those that changed up to this extract. */
	enum rv_status (*extract_settled)(struct rv_warehouse *, const struct rv_extract *, size_t document,
					  uint64_t number, struct rv_error *err);
	/* Optional: without it changed documents cannot be divided into shards. How many of all shards that changed
	 * up to this extract are not settled. */
	enum rv_status (*extract_left)(struct rv_warehouse *, const struct rv_extract *, size_t document,
				       uint64_t *ret, struct rv_error *err);
	/* Run SQL; `writable` false refuses anything that changes data (RV_USAGE). Rows go to `sink`
	 * in batches, at least one batch (perhaps of no rows) for each statement that has a result. */
	enum rv_status (*query)(struct rv_warehouse *, const char *sql, bool writable,
				enum rv_status (*sink)(void *arg, const struct rv_rows *,
						       struct rv_error *err),
				void *arg, struct rv_error *err);
	void (*free)(struct rv_warehouse *);
};
struct rv_warehouse {
	const struct rv_warehouse_ops *ops;
	/* Set by who waits for an answer until then, monotonic; 0: for as long as it takes. What a `remote` one is
	 * asked is cancelled a moment later (the last look is made when the time is up); a copy that has begun is
	 * not. */
	int64_t deadline_ms;
};

void rv_warehouse_free(struct rv_warehouse *warehouse);
void rv_warehouse_free_p(struct rv_warehouse **warehouse);

#endif
