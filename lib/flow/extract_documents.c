/*
 * Documents of an extract: its rows go to a composer as they are read, and what that makes goes into the lake,
 * staged like the loads, or to a keeper of documents, when all else of the extract is there.
 */
#include "flow/extract_documents_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/json_text.h"

/* Documents that are refused and said why. */
#define REFUSED_MAX 1000
#define REFUSED_MAX_BYTES ((size_t)256 << 20)

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
		if (job->documents[i].dynamodb || job->documents[i].scope == RV_JOB_SCOPE_HISTORY)
			return true;
	return false;
}

bool extract_documents_are_histories(const struct rv_job *job)
{
	for (size_t i = 0; i < job->documents_count; i++)
		if (job->documents[i].dynamodb && job->documents[i].scope != RV_JOB_SCOPE_HISTORY)
			return false;
	return true;
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
		/* one member is read by one thread */
		bool several = reading->tables[table].members_count > 1;

		if (several)
			pthread_mutex_lock(&d->mutexes[table]);
		enum rv_status status = rv_compose_row(d->compose, table, row, len, err);

		if (several)
			pthread_mutex_unlock(&d->mutexes[table]);
		if (status != RV_OK)
			return rv_context(err, "documents.%s", d->document->name);
	}
	return RV_OK;
}

/* ---- into the lake ---- */

static enum rv_status take_document(void *arg, const struct rv_compose_document *document,
				    struct rv_error *err)
{
	return extract_lake_write(arg, document->json, document->len, false, err);
}

static enum rv_status write_document(struct extract_reading *reading, size_t i, struct rv_error *err)
{
	struct extract_document *d = &reading->documents[i];
	struct extract_lake_writer *w = NULL;
	enum rv_status status = extract_lake_writer_new(reading, i, 0, &w, err);

	if (status == RV_OK)
		status = rv_compose_finish(d->compose, take_document, w, err);
	if (status == RV_OK)
		status = extract_lake_writer_finish(w, err);
	extract_lake_writer_free(w);
	return status == RV_OK ? RV_OK : rv_context(err, "documents.%s", d->document->name);
}

enum rv_status extract_documents_stage(struct extract_reading *reading, struct rv_error *err)
{
	for (size_t i = 0; i < reading->params->job->documents_count; i++) {
		const struct rv_job_document *document = reading->documents[i].document;

		if (document->scope == RV_JOB_SCOPE_EXTRACT && !document->dynamodb &&
		    write_document(reading, i, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* ---- to a keeper of documents ---- */

struct sender {
	struct extract_reading *reading;
	struct extract_document *document;
	struct rv_documents *documents;
	uint64_t version;
};

void extract_document_settled(void *arg, const struct rv_document_result *result)
{
	struct extract_document *d = arg;

	d->expired += result->fate == RV_DOCUMENT_EXPIRED;
	d->written += result->fate == RV_DOCUMENT_WRITTEN;
	d->superseded += result->fate == RV_DOCUMENT_SUPERSEDED;
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
	if (params->documents(params->arg, d->document, extract_document_settled, d, &s.documents, err) != RV_OK)
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

/* ---- those that cannot be written ---- */

/* Of each shard its own, for they would write over each other's. Caller frees. */
static char *refused_name(const struct extract_reading *reading)
{
	const struct rv_extract_params *params = reading->params;

	if (params->shard.of < 2)
		return rv_asprintf("_river/extracts/%s/%s.refused.ndjson", params->job->name, reading->identity);
	return rv_asprintf("_river/extracts/%s/%s.refused-%uof%u.ndjson", params->job->name, reading->identity,
			   params->shard.number, params->shard.of);
}

/* What a run before this one has named: if its documents have left the warehouse's list, this one does not see
 * them any more. */
static enum rv_status read_refused(struct extract_reading *reading, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = refused_name(reading);
	char etag[RV_ETAG_TEXT];
	bool found;

	if (rv_store_get_optional(reading->params->lake, name, REFUSED_MAX_BYTES, &reading->refused, etag, &found,
				  err) != RV_OK)
		return err->status;
	for (const char *c = reading->refused.bytes; (c = strchr(c, '\n')); c++)
		reading->refused_before++;
	reading->refused_before_bytes = reading->refused.len;
	return RV_OK;
}

/* Adds a line unless it is there. */
static void add_refused(struct extract_reading *reading, const char *line, size_t len)
{
	const struct rv_strbuf *all = &reading->refused;

	for (const char *c = all->bytes, *end; (end = strchr(c, '\n')); c = end + 1)
		if ((size_t)(end + 1 - c) == len && memcmp(c, line, len) == 0) {
			if ((size_t)(c - all->bytes) < reading->refused_before_bytes && reading->refused_before)
				reading->refused_before--;
			return;
		}
	rv_strbuf_add(&reading->refused, line, len);
}

enum rv_status extract_documents_keep_refused(struct extract_reading *reading, const struct extract_document *d,
					      struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = refused_name(reading);

	if (!d->refusals.len)
		return RV_OK;
	for (const char *line = d->refusals.bytes, *end; (end = strchr(line, '\n')); line = end + 1)
		add_refused(reading, line, (size_t)(end + 1 - line));
	return rv_store_put_bytes(reading->params->lake, name, reading->refused.bytes, reading->refused.len, NULL, err);
}

static enum rv_status send_one(struct extract_reading *reading, size_t number, const struct extract_tables *tables,
			       struct rv_error *err)
{
	struct extract_document *d = &reading->documents[number];

	if (d->document->scope == RV_JOB_SCOPE_HISTORY)
		return extract_history_send(reading, number, tables, err);
	if (send(reading, d, err) != RV_OK)
		return err->status;
	return extract_documents_keep_refused(reading, d, err);
}

enum rv_status extract_documents_send(struct extract_reading *reading, const struct extract_tables *tables,
				      struct rv_error *err)
{
	if (reading->again && extract_documents_are_sent(reading->params->job) && read_refused(reading, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < reading->params->job->documents_count; i++) {
		const struct extract_document *d = &reading->documents[i];

		if (d->document->scope == RV_JOB_SCOPE_EXTRACT && !d->document->dynamodb)
			continue;
		if (send_one(reading, i, tables, err) != RV_OK)
			return rv_context(err, "documents.%s", d->document->name);
		reading->documents_refused += d->refused;
	}
	reading->documents_refused += reading->refused_before;
	reading->rejected += reading->documents_refused;
	if (reading->refused.len && !reading->first_reject.len)
		rv_strbuf_printf(&reading->first_reject, "a document: %.*s", (int)strcspn(reading->refused.bytes, "\n"),
				 reading->refused.bytes);
	return RV_OK;
}

bool extract_documents_written(const struct extract_reading *reading)
{
	for (size_t i = 0; i < reading->params->job->documents_count; i++) {
		const struct extract_document *d = &reading->documents[i];

		if (d->written || d->removed || d->refused || d->expired || d->superseded)
			return true;
	}
	return false;
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
				    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "documents",
					      (json_int_t)t->documents, "bytes",
					      (json_int_t)t->document_bytes, "repeated_roots",
					      (json_int_t)t->repeated_roots, "keyless_roots",
					      (json_int_t)t->keyless_roots, "written",
					      (json_int_t)d->written, "removed", (json_int_t)d->removed, "superseded",
					      (json_int_t)d->superseded, "expired", (json_int_t)d->expired,
					      "refused", (json_int_t)d->refused, "nests", nests));
	}
	return all;
}
