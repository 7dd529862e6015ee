/* Shared by the files of documents (extract_documents.c, extract_documents_lake.c, extract_history.c); nobody
 * else includes this. */
#ifndef RV_FLOW_EXTRACT_DOCUMENTS_IMPL_H
#define RV_FLOW_EXTRACT_DOCUMENTS_IMPL_H

#include <pthread.h>

#include "flow/compose_job.h"
#include "flow/extract_impl.h"

struct extract_document {
	const struct rv_job_document *document;
	struct rv_compose_job job;
	struct rv_compose *compose;
	bool *uses;               /* tables of the job whose rows it takes as they are read */
	size_t in_warehouse;      /* HISTORY: its number there */
	pthread_mutex_t *mutexes; /* of each table: the composer takes one thread per table */
	uint64_t refused, expired, written, removed, superseded;
	struct rv_strbuf refusals;
};

/* What became of a document of `arg`, a struct extract_document. */
void extract_document_settled(void *arg, const struct rv_document_result *result);
/* Names in the lake which of them cannot be written; before they leave the warehouse's list, for nobody is told
 * of them afterwards. */
enum rv_status extract_documents_keep_refused(struct extract_reading *reading, const struct extract_document *d,
					      struct rv_error *err) RV_MUST_CHECK;

/* ---- extract_documents_lake.c: documents into objects, a line each ---- */

struct extract_lake_writer;
/* Of the document of this number; `version` 0: of an extract, whose documents have none. */
enum rv_status extract_lake_writer_new(struct extract_reading *reading, size_t document, uint64_t version,
				       struct extract_lake_writer **ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status extract_lake_write(struct extract_lake_writer *w, const char *json, size_t len, bool removed,
				  struct rv_error *err) RV_MUST_CHECK;
/* All of it is staged, in the objects of the reading. An extract has an object at least, perhaps an empty one. */
enum rv_status extract_lake_writer_finish(struct extract_lake_writer *w, struct rv_error *err) RV_MUST_CHECK;
void extract_lake_writer_free(struct extract_lake_writer *w); /* NULL is fine */

/* ---- extract_history.c: documents over all extracts ---- */

/* The list of changed roots, to its end; also what an earlier run has left of it. */
enum rv_status extract_history_send(struct extract_reading *reading, size_t document,
				    const struct extract_tables *tables, struct rv_error *err) RV_MUST_CHECK;

#endif
