/*
 * Documents of an extract: its rows go to a composer as they are read, and what that makes goes into the lake,
 * staged like the loads, or to a keeper of documents, when all else of the extract is there.
 */
#include "flow/extract_impl.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/compose_job.h"
#include "flow/table_value.h"
#include "format/compress.h"
#include "format/json_text.h"
#include "format/packed_row.h"

#define PART_BYTES ((uint64_t)1 << 30)
#define BLOCK_BYTES (256u << 10)
/* Documents that are refused and said why. */
#define REFUSED_MAX 1000

struct extract_document {
	const struct rv_job_document *document;
	struct rv_compose_job job;
	struct rv_compose *compose;
	bool *uses;               /* tables of the job whose rows it takes as they are read */
	size_t in_warehouse;      /* HISTORY: its number there */
	pthread_mutex_t *mutexes; /* of each table: the composer takes one thread per table */
	uint64_t refused, expired, written;
	struct rv_strbuf refusals;
};

static void mark_nests(bool *uses, const struct rv_job_nest *nests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uses[nests[i].table] = true;
		mark_nests(uses, nests[i].nests, nests[i].nests_count);
	}
}

static bool nests_use(const struct rv_job_nest *nests, size_t count, size_t table)
{
	for (size_t i = 0; i < count; i++)
		if (nests[i].table == table || nests_use(nests[i].nests, nests[i].nests_count, table))
			return true;
	return false;
}

bool extract_documents_use(const struct rv_job *job, size_t table)
{
	for (size_t i = 0; i < job->documents_count; i++)
		if (job->documents[i].root == table ||
		    nests_use(job->documents[i].nests, job->documents[i].nests_count, table))
			return true;
	return false;
}

bool extract_documents_are_sent(const struct rv_job *job)
{
	for (size_t i = 0; i < job->documents_count; i++)
		if (job->documents[i].dynamodb)
			return true;
	return false;
}

enum rv_status extract_documents_begin(struct extract_reading *reading, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	const struct rv_job *job = params->job;
	RV_CLEANUP(rv_free_p) char *folder = NULL;
	size_t histories = 0;

	if (!job->documents_count)
		return RV_OK;
	if (extract_folder(params, &folder, err) != RV_OK)
		return err->status;
	reading->documents = rv_calloc(job->documents_count, sizeof(*reading->documents));
	for (size_t i = 0; i < job->documents_count; i++) {
		struct extract_document *d = &reading->documents[i];
		const struct rv_compose_params compose = {
			.max_memory_bytes = params->max_memory_bytes / job->documents_count >
							    RV_COMPOSE_MEMORY_MIN
						    ? params->max_memory_bytes / job->documents_count
						    : RV_COMPOSE_MEMORY_MIN,
			.spill_folder = folder,
			.threads = params->threads,
			.should_stop = params->should_stop,
		};

		*d = (struct extract_document){ .document = &job->documents[i], .refusals = RV_STRBUF_INIT };
		d->uses = rv_calloc(job->tables_count, sizeof(*d->uses));
		d->mutexes = rv_calloc(job->tables_count, sizeof(*d->mutexes));
		for (size_t t = 0; t < job->tables_count; t++)
			pthread_mutex_init(&d->mutexes[t], NULL);
		if (d->document->scope == RV_JOB_SCOPE_EXTRACT) {
			d->uses[d->document->root] = true;
			mark_nests(d->uses, d->document->nests, d->document->nests_count);
		} else {
			d->in_warehouse = histories++;
		}
		rv_compose_job_init(&d->job, job, d->document);
		if (rv_compose_new(&d->job.spec, &compose, &d->compose, err) != RV_OK)
			return rv_context(err, "documents.%s", d->document->name);
	}
	return RV_OK;
}

void extract_documents_release(struct extract_reading *reading)
{
	const struct rv_job *job = reading->params->job;

	for (size_t i = 0; reading->documents && i < job->documents_count; i++) {
		struct extract_document *d = &reading->documents[i];

		rv_compose_free(d->compose);
		rv_compose_job_release(&d->job);
		for (size_t t = 0; d->mutexes && t < job->tables_count; t++)
			pthread_mutex_destroy(&d->mutexes[t]);
		free(d->mutexes);
		free(d->uses);
		rv_strbuf_release(&d->refusals);
	}
	free(reading->documents);
	reading->documents = NULL;
}

enum rv_status extract_documents_row(struct extract_reading *reading, size_t table, const char *row,
				     size_t len, struct rv_error *err)
{
	for (size_t i = 0; i < reading->params->job->documents_count; i++) {
		struct extract_document *d = &reading->documents[i];

		if (!d->uses[table])
			continue;
		pthread_mutex_lock(&d->mutexes[table]);
		enum rv_status status = rv_compose_row(d->compose, table, row, len, err);

		pthread_mutex_unlock(&d->mutexes[table]);
		if (status != RV_OK)
			return rv_context(err, "documents.%s", d->document->name);
	}
	return RV_OK;
}

/* ---- into the lake ---- */

struct lake_writer {
	struct extract_reading *reading;
	size_t document;
	const char *folder;
	struct rv_compressor *compressor;
	struct rv_strbuf block;
	struct extract_object object;
	uint64_t text_bytes;
	unsigned part;
	bool open;
};

static enum rv_status write_staged(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct lake_writer *w = arg;

	w->object.bytes += len;
	return rv_write_all(w->object.fd, p, len, w->object.name, err);
}

static enum rv_status open_part(struct lake_writer *w, struct rv_error *err)
{
	static const char *const endings[] = { ".zst", ".gz", ".gz", "" };
	const struct rv_extract_params *params = w->reading->params;
	const struct rv_job_document *document = &params->job->documents[w->document];
	RV_CLEANUP(rv_free_p)
	char *folder = rv_asprintf("loads/%s/%.16s", params->job->name, w->reading->identity);

	w->object = (struct extract_object){ .load = EXTRACT_DOCUMENTS + w->document, .fd = -1 };
	w->object.name = rv_asprintf("%s/documents-%s-%04u.ndjson%s", folder, document->name, ++w->part,
				     endings[document->compression]);
	w->open = true;
	w->text_bytes = 0;
	rv_compressor_begin(w->compressor, write_staged, w);
	return extract_stage(w->reading, w->folder, folder, &w->object, err);
}

static enum rv_status flush_block(struct lake_writer *w, struct rv_error *err)
{
	if (w->block.len && rv_compressor_write(w->compressor, w->block.bytes, w->block.len, err) != RV_OK)
		return err->status;
	rv_strbuf_clear(&w->block);
	return RV_OK;
}

static enum rv_status close_part(struct lake_writer *w, struct rv_error *err)
{
	if (flush_block(w, err) != RV_OK || rv_compressor_end(w->compressor, err) != RV_OK)
		return err->status;
	extract_add_object(&w->reading->objects, &w->object);
	w->open = false;
	return RV_OK;
}

static enum rv_status take_document(void *arg, const struct rv_compose_document *document,
				    struct rv_error *err)
{
	struct lake_writer *w = arg;

	if (!w->open && open_part(w, err) != RV_OK)
		return err->status;
	rv_strbuf_add(&w->block, document->json, document->len);
	rv_strbuf_putc(&w->block, '\n');
	w->object.rows++;
	w->text_bytes += document->len + 1;
	if (w->block.len >= BLOCK_BYTES && flush_block(w, err) != RV_OK)
		return err->status;
	return w->text_bytes >= PART_BYTES ? close_part(w, err) : RV_OK;
}

static enum rv_status write_document(struct extract_reading *reading, size_t i, const char *folder,
				     struct rv_error *err)
{
	struct extract_document *d = &reading->documents[i];
	struct lake_writer w = { .reading = reading, .document = i, .folder = folder,
				 .block = RV_STRBUF_INIT };

	if (rv_compressor_new(d->document->compression, reading->params->threads, &w.compressor, err) !=
	    RV_OK)
		return err->status;
	enum rv_status status = open_part(&w, err);

	if (status == RV_OK)
		status = rv_compose_finish(d->compose, take_document, &w, err);
	if (status == RV_OK && w.open)
		status = close_part(&w, err);
	if (w.open)
		extract_drop_object(reading, &w.object);
	rv_compressor_free(w.compressor);
	rv_strbuf_release(&w.block);
	return status == RV_OK ? RV_OK : rv_context(err, "documents.%s", d->document->name);
}

enum rv_status extract_documents_stage(struct extract_reading *reading, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *folder = NULL;

	if (extract_folder(reading->params, &folder, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < reading->params->job->documents_count; i++)
		if (!reading->documents[i].document->dynamodb &&
		    write_document(reading, i, folder, err) != RV_OK)
			return err->status;
	return RV_OK;
}

/* ---- to a keeper of documents ---- */

struct sender {
	struct extract_reading *reading;
	struct extract_document *document;
	struct rv_documents *documents;
	uint64_t version;
};

static void settled(void *arg, const struct rv_document_result *result)
{
	struct extract_document *d = arg;

	d->expired += result->fate == RV_DOCUMENT_EXPIRED;
	d->written += result->fate == RV_DOCUMENT_WRITTEN;
	if (result->fate != RV_DOCUMENT_REFUSED || ++d->refused > REFUSED_MAX)
		return;
	rv_strbuf_printf(&d->refusals, "{\"v\":1,\"document\":\"%s\",\"reason\":", d->document->name);
	rv_strbuf_json(&d->refusals, result->reason, strlen(result->reason));
	rv_strbuf_puts(&d->refusals, "}\n");
}

static enum rv_status send_document(void *arg, const struct rv_compose_document *composed,
				    struct rv_error *err)
{
	struct sender *s = arg;
	const struct rv_document document = { .json = composed->json, .len = composed->len,
					      .version = s->version,
					      .extract_ms = s->reading->archive->modified_ms };

	return s->documents->ops->put(s->documents, &document, err);
}

static enum rv_status send(struct extract_reading *reading, struct extract_document *d, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	/* the extract's time is the version: what an older extract says never goes over a newer one's */
	struct sender s = { .reading = reading, .document = d,
			    .version = (uint64_t)reading->archive->modified_ms };
	struct rv_error ignored = RV_ERROR_INIT;

	if (!params->documents)
		return rv_fail(err, RV_USAGE, "there is no way to DynamoDB here");
	if (params->documents(params->arg, d->document, settled, d, &s.documents, err) != RV_OK)
		return err->status;
	enum rv_status status = rv_compose_finish(d->compose, send_document, &s, err);

	/* what is in flight is settled, whatever came of the rest */
	if (status == RV_OK)
		status = s.documents->ops->flush(s.documents, err);
	else if (s.documents->ops->flush(s.documents, &ignored) != RV_OK)
		ignored.status = RV_OK;
	rv_documents_free(s.documents);
	return status;
}

/* ---- over all extracts ---- */

/* Rows of the warehouse on their way to the composer. */
struct history {
	struct sender sender;
	const struct extract_tables *tables;
	struct rv_packed_column *key; /* of the root */
	struct rv_strbuf row, json;
};

static enum rv_status pack_cells(const struct rv_job_table *table, const struct rv_str *cells, size_t count,
				 struct rv_strbuf *row, struct rv_error *err)
{
	char reason[RV_CUT_REASON];

	rv_strbuf_clear(row);
	for (size_t i = 0; i < count; i++) {
		/* what the warehouse gives is in river's own form, whatever the member's was */
		struct rv_column column = table->columns[i];

		column.format = column.timezone = NULL;
		if (!cells[i].p)
			rv_packed_put_null(row);
		else if (!rv_table_value(&column, cells[i], row, reason))
			return rv_fail(err, RV_DAMAGED, "the warehouse holds a value of %s.%s that %s", table->name,
				       column.name, reason);
	}
	return RV_OK;
}

static enum rv_status take_changed(void *arg, size_t table, const struct rv_str *cells, size_t count,
				   struct rv_error *err)
{
	struct history *h = arg;
	size_t of_job = h->tables->job_tables[table];
	const struct rv_job *job = h->sender.reading->params->job;

	if (pack_cells(&job->tables[of_job], cells, count, &h->row, err) != RV_OK)
		return err->status;
	return rv_compose_row(h->sender.document->compose, of_job, h->row.bytes, h->row.len, err);
}

static enum rv_status take_gone(void *arg, const struct rv_str *key, size_t count, struct rv_error *err)
{
	struct history *h = arg;
	const struct rv_job *job = h->sender.reading->params->job;
	const struct rv_job_table *root = &job->tables[h->sender.document->document->root];
	char reason[RV_CUT_REASON];

	rv_strbuf_clear(&h->row);
	for (size_t i = 0; i < count; i++) {
		struct rv_column column = *rv_job_column(root, root->key.items[i]);

		column.format = column.timezone = NULL;
		if (!rv_table_value(&column, key[i], &h->row, reason))
			return rv_fail(err, RV_DAMAGED, "the warehouse holds a key of %s that %s", root->name, reason);
	}
	rv_strbuf_clear(&h->json);
	rv_strbuf_putc(&h->json, '{');
	if (!rv_packed_row_json(h->key, count, h->row.bytes, h->row.len, &h->json))
		rv_bug("a packed key that is none");
	rv_strbuf_putc(&h->json, '}');
	const struct rv_document document = { .json = h->json.bytes, .len = h->json.len, .remove = true,
					      .version = h->sender.version,
					      .extract_ms = h->sender.reading->archive->modified_ms };

	return h->sender.documents->ops->put(h->sender.documents, &document, err);
}

/* The list of changed roots, to its end; also what an earlier run has left of it. */
static enum rv_status send_history(struct extract_reading *reading, size_t number,
				   const struct extract_tables *tables, struct rv_error *err)
{
	struct extract_document *d = &reading->documents[number];
	const struct rv_job_table *root = &reading->params->job->tables[d->document->root];
	struct history h = { .sender = { .reading = reading, .document = d }, .tables = tables,
			     .row = RV_STRBUF_INIT, .json = RV_STRBUF_INIT };
	const struct rv_extract_changes changes = { .row = take_changed, .gone = take_gone, .arg = &h };
	struct rv_warehouse *warehouse = tables->warehouse;
	size_t document = d->in_warehouse;

	if (!reading->params->documents)
		return rv_fail(err, RV_USAGE, "there is no way to DynamoDB here");
	h.key = rv_calloc(root->key.count, sizeof(*h.key));
	for (size_t i = 0; i < root->key.count; i++)
		rv_packed_column_init(&h.key[i], root->key.items[i],
				      rv_table_is_literal(rv_job_column(root, root->key.items[i])));
	enum rv_status status = warehouse->ops->extract_number(warehouse, &h.sender.version, err);

	if (status == RV_OK)
		status = reading->params->documents(reading->params->arg, d->document, settled, d,
						    &h.sender.documents, err);
	if (status == RV_OK)
		status = warehouse->ops->extract_changed(warehouse, &tables->extract, document, &changes, err);
	if (status == RV_OK)
		status = rv_compose_finish(d->compose, send_document, &h.sender, err);
	if (h.sender.documents) {
		struct rv_error later = RV_ERROR_INIT;

		/* what is in flight is settled, whatever came of the rest */
		if (h.sender.documents->ops->flush(h.sender.documents, &later) != RV_OK && status == RV_OK) {
			*err = later;
			status = later.status;
		}
		rv_documents_free(h.sender.documents);
	}
	if (status == RV_OK)
		status = warehouse->ops->extract_settled(warehouse, &tables->extract, document,
							 h.sender.version, err);
	for (size_t i = 0; i < root->key.count; i++)
		rv_packed_column_release(&h.key[i]);
	free(h.key);
	rv_strbuf_release(&h.row);
	rv_strbuf_release(&h.json);
	return status;
}

enum rv_status extract_documents_send(struct extract_reading *reading, const struct extract_tables *tables,
				      struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf refusals = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p)
	char *name = rv_asprintf("_river/extracts/%s/%s.refused.ndjson", reading->params->job->name,
				 reading->identity);

	for (size_t i = 0; i < reading->params->job->documents_count; i++) {
		struct extract_document *d = &reading->documents[i];

		if (!d->document->dynamodb)
			continue;
		if ((d->document->scope == RV_JOB_SCOPE_HISTORY ? send_history(reading, i, tables, err)
								: send(reading, d, err)) != RV_OK)
			return rv_context(err, "documents.%s", d->document->name);
		rv_strbuf_add(&refusals, d->refusals.bytes, d->refusals.len);
		reading->rejected += d->refused;
		if (d->refused && !reading->first_reject.len)
			rv_strbuf_printf(&reading->first_reject, "document %s: %.*s", d->document->name,
					 (int)strcspn(d->refusals.bytes, "\n"), d->refusals.bytes);
	}
	if (!refusals.len)
		return RV_OK;
	return rv_store_put_bytes(reading->params->lake, name, refusals.bytes, refusals.len, NULL, err);
}

/* ---- what is said ---- */

static void tell(const struct extract_reading *reading, const struct extract_document *d, uint64_t count,
		 const char *what, const char *where, const struct rv_compose_examples *examples)
{
	if (count)
		extract_say(reading->params->warn, reading->params->arg, "%s: documents.%s: %" PRIu64 " %s%s%s, the "
			    "first: %s", reading->archive->shown, d->document->name, count, what,
			    *where ? " in " : "", where, examples->count ? examples->text[0] : "(no key)");
}

json_t *extract_documents_summary(const struct extract_reading *reading)
{
	json_t *all = json_object();

	for (size_t i = 0; i < reading->params->job->documents_count; i++) {
		const struct extract_document *d = &reading->documents[i];
		const struct rv_compose_totals *t = rv_compose_totals(d->compose);
		json_t *nests = json_object();

		if (d->document->scope == RV_JOB_SCOPE_EXTRACT)
			tell(reading, d, t->repeated_roots, "rows with the key of another root", "", &t->repeated);
		for (size_t k = 0; k < t->nests_count; k++) {
			const struct rv_compose_nest_totals *n = &t->nests[k];

			/* of a history the rows of changed documents alone are looked at */
			if (d->document->scope == RV_JOB_SCOPE_HISTORY)
				continue;
			tell(reading, d, n->orphans, "rows without parent", n->path, &n->orphan);
			tell(reading, d, n->missing, "that found no row", n->path, &n->missed);
			tell(reading, d, n->several, "keys with several rows where one may be", n->path,
			     &n->severals);
			tell(reading, d, n->repeated_parents, "parents beyond the first", n->path,
			     &n->repeated);
			json_object_set_new(nests, n->path,
					    json_pack("{s:I, s:I, s:I, s:I}", "orphans",
						      (json_int_t)n->orphans, "missing",
						      (json_int_t)n->missing, "several",
						      (json_int_t)n->several, "repeated_parents",
						      (json_int_t)n->repeated_parents));
		}
		json_object_set_new(all, d->document->name,
				    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "documents",
					      (json_int_t)t->documents, "bytes",
					      (json_int_t)t->document_bytes, "repeated_roots",
					      (json_int_t)t->repeated_roots, "keyless_roots",
					      (json_int_t)t->keyless_roots, "written",
					      (json_int_t)d->written, "expired", (json_int_t)d->expired,
					      "refused", (json_int_t)d->refused, "nests", nests));
	}
	return all;
}
