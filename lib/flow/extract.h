/*
 * A run of a job: extracts are found, those that were not taken yet are read, checked, loaded and written
 * down. An extract appears whole in tables, or not at all; one that was taken is never loaded twice.
 *
 * An extract is what is in it (names, sizes and CRCs of its members), not a file name or an ETag. Nothing of
 * it can be seen before each wanted member was read to its end and its CRC-32 was right: until then its
 * objects have no names. Then, in this order:
 *
 *   loads/<job>/<identity, 16 digits>/<table>-<member %04u>-<part %04u>.ndjson.zst   objects, per load
 *                                                             (or .csv.gz, .parquet ...)
 *   loads/<job>/<identity, 16 digits>/<table>.manifest        as Redshift reads it
 *   the streams' records, under a run name made of job, identity and table
 *   the rows of tables, and the warehouse's ledger row, in one transaction
 *   documents, to where they are kept; of a history in the lake as
 *   loads/<job>/<identity, 16 digits>/documents-<name>-v<version %09u>-<part %04u>.ndjson.zst
 *   _river/extracts/<job>/<identity>.json                     taken; the lake's ledger
 *
 * Each step can be done again with the same result, so a run that was killed is done by the next one.
 *
 * What is in _river/extracts is all a run asks about extracts that were taken; which files they were is
 * remembered below the state folder, so that old archives are not opened again.
 */
#ifndef RV_FLOW_EXTRACT_H
#define RV_FLOW_EXTRACT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/job.h"
#include "delivery/documents.h"
#include "store/store.h"
#include "warehouse/parquet.h"
#include "warehouse/warehouse.h"

struct rv_extract_progress {
	const char *archive, *member;
	uint64_t done_bytes, total_bytes, rows;
};
/* One of several runs that share the documents of a job among them. */
struct rv_extract_shard {
	unsigned number, of; /* from 1; 0, 0: there is but one */
};
struct rv_extract_params {
	const struct rv_job *job;
	struct rv_store *lake;
	const char *state_dir;
	/* Each opened when it is needed, and the caller's to free; `ret` is borrowed until the run has ended. */
	enum rv_status (*warehouse)(void *arg, struct rv_warehouse **ret, struct rv_error *err);
	enum rv_status (*parquet)(void *arg, struct rv_parquet **ret, struct rv_error *err);
	enum rv_status (*bucket)(void *arg, const char *bucket, struct rv_store **ret, struct rv_error *err);
	/* Sends the NDJSON files to a stream under this run name. Without files: only whether it is there. */
	enum rv_status (*push)(void *arg, const char *stream, const char *run, char **files,
			       size_t count, struct rv_error *err);
	/* Opens where a document is kept. */
	enum rv_status (*documents)(void *arg, const struct rv_job_document *document,
				    void (*settled)(void *arg, const struct rv_document_result *result),
				    void *settled_arg, struct rv_documents **ret, struct rv_error *err);
	/* Where extracts are: files, folders, globs, s3:// prefixes; none: the job says it. */
	char *const *sources;
	size_t sources_count;
	const char *date;            /* Optional, "2026-11-20": the extracts of that day, taken anew */
	const char *since;           /* Optional, the same: of that day and later ones */
	struct rv_extract_shard shard;
	bool allow_gaps;             /* extracts behind a number of the sequence that is missing are taken */
	uint64_t max_rejects;
	int64_t deadline_ms;         /* 0: none; an extract older than this when it is taken is late */
	int64_t now_ms;
	uint64_t max_memory_bytes;   /* of composing documents */
	unsigned threads;            /* members read at once */
	int64_t lock_timeout_ms;     /* as rv_lock_take */
	int64_t rows_timeout_ms;     /* the same: how long a shard waits while another one takes an extract */
	bool (*should_stop)(void);   /* Optional */
	/* Optional. */
	void (*progress)(void *arg, const struct rv_extract_progress *progress);
	void (*note)(void *arg, const char *text);
	void (*warn)(void *arg, const char *text);
	void *arg;
};
struct rv_extract_result {
	uint64_t found, taken, known, failed, waiting; /* extracts; `waiting` are not whole yet, or behind a gap */
	uint64_t rows, rejected, objects, object_bytes, input_bytes;
	uint64_t documents_refused;  /* of `rejected`, the others are rows */
	int64_t oldest_age_ms;       /* of those taken, when they were; 0: none */
	bool late;                   /* one of them was older than the deadline */
	json_t *missing;             /* numbers of the sequence, pairs of first and last: an array; NULL: there is none */
	json_t *extracts;            /* what became of each that was not known: an array */
};

/* RV_OK: all is taken. RV_PARTIAL: so it is, and rejects were kept aside. RV_BAD_DATA: an extract is no
 * sound archive, or has more rejects than may be; the others were taken. RV_FAILED: late, or held by
 * a gap in their sequence. RV_LOCKED: another
 * run of the job works. Others end the run where they happen. `ret` is filled whatever comes out, and to be
 * released. */
enum rv_status rv_extract_run(const struct rv_extract_params *params, struct rv_extract_result *ret,
			      struct rv_error *err) RV_MUST_CHECK;
void rv_extract_result_release(struct rv_extract_result *result);

/* For --check: what each archive holds and which member is which table, a line each, and with a warehouse that
 * tells what would be made in it; opens archives and changes nothing. Appends. */
enum rv_status rv_extract_check(const struct rv_extract_params *params, struct rv_strbuf *ret,
				struct rv_error *err) RV_MUST_CHECK;

#endif
