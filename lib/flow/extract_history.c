/*
 * Documents over all extracts: which ones an extract changed is what the warehouse lists, and so are the rows they
 * are made of now. They go to a keeper of documents, or into the lake as versions; what is written leaves the list.
 */
#include "flow/extract_documents_impl.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "flow/table_value.h"
#include "format/packed_row.h"

/* Rows of the warehouse on their way to the composer, and documents on theirs. */
struct history {
	struct extract_reading *reading;
	struct extract_document *document;
	const struct extract_tables *tables;
	uint64_t version;
	struct rv_documents *keeper;      /* one of these two */
	struct extract_lake_writer *lake;
	struct rv_packed_column *key;     /* of the root */
	struct rv_strbuf row, json;
};

/* ---- documents ---- */

static enum rv_status put(struct history *h, const char *json, size_t len, bool remove, struct rv_error *err)
{
	if (h->lake) {
		if (extract_lake_write(h->lake, json, len, remove, err) != RV_OK)
			return err->status;
		h->document->written++;
		h->document->removed += remove;
		return RV_OK;
	}
	const struct rv_document document = { .json = json, .len = len, .remove = remove, .version = h->version,
					      .extract_ms = h->reading->archive->modified_ms };

	h->document->removed += remove;
	return h->keeper->ops->put(h->keeper, &document, err);
}

static enum rv_status take_document(void *arg, const struct rv_compose_document *composed, struct rv_error *err)
{
	return put(arg, composed->json, composed->len, false, err);
}

/* ---- rows ---- */

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
	const struct rv_job *job = h->reading->params->job;

	if (pack_cells(&job->tables[of_job], cells, count, &h->row, err) != RV_OK)
		return err->status;
	return rv_compose_row(h->document->compose, of_job, h->row.bytes, h->row.len, err);
}

static enum rv_status take_gone(void *arg, const struct rv_str *key, size_t count, struct rv_error *err)
{
	struct history *h = arg;
	const struct rv_job_table *root = &h->reading->params->job->tables[h->document->document->root];
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
	return put(h, h->json.bytes, h->json.len, true, err);
}

/* ---- all of it ---- */

static enum rv_status open_end(struct history *h, size_t number, struct rv_error *err)
{
	const struct rv_extract_params *params = h->reading->params;

	if (!h->document->document->dynamodb)
		return extract_lake_writer_new(h->reading, number, h->version, &h->lake, err);
	if (!params->documents)
		return rv_fail(err, RV_USAGE, "there is no way to DynamoDB here");
	return params->documents(params->arg, h->document->document, extract_document_settled, h->document,
				 &h->keeper, err);
}

/* What was written can be seen and stays. */
static enum rv_status close_end(struct history *h, size_t number, size_t first_object, struct rv_error *err)
{
	const struct rv_extract_params *params = h->reading->params;

	if (h->keeper)
		return h->keeper->ops->flush(h->keeper, err);
	RV_CLEANUP(rv_free_p) char *stem = extract_documents_stem(params->job, number, h->version, &params->shard);

	if (extract_lake_writer_finish(h->lake, err) != RV_OK)
		return err->status;
	return extract_put_later(h->reading, first_object, stem, err);
}

/*
 * Newer versions are those of runs that took extracts meanwhile. Where none was, they are of another warehouse or job,
 * or of this job under another scope, whose versions are times; and this one's would stay older for good, unseen.
 */
static enum rv_status check_superseded(struct history *h, struct rv_error *err)
{
	const struct extract_document *d = h->document;
	struct rv_warehouse *warehouse = h->tables->warehouse;
	uint64_t number;

	if (!d->superseded)
		return RV_OK;
	if (warehouse->ops->extract_number(warehouse, &number, err) != RV_OK)
		return err->status;
	if (number != h->version)
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "%" PRIu64 " of them %s in the table %s with a version above %" PRIu64
				  ", which this warehouse has not given yet", d->superseded,
		d->superseded == 1 ? "is" : "are", d->document->dynamodb, number);
	rv_hint(err, "another job or warehouse wrote there, or this job with `scope: extract`: name another table, or "
		     "remove those items; they are written then");
	return err->status;
}

static enum rv_status send(struct history *h, size_t number, struct rv_error *err)
{
	const struct rv_extract_changes changes = { .row = take_changed, .gone = take_gone, .arg = h };
	struct rv_warehouse *warehouse = h->tables->warehouse;
	size_t document = h->document->in_warehouse, first_object = h->reading->objects.count;

	/* Before the rows are read: they may be newer than their version then, never older. */
	if (warehouse->ops->extract_number(warehouse, &h->version, err) != RV_OK ||
	    open_end(h, number, err) != RV_OK)
		return err->status;
	enum rv_status status =
		warehouse->ops->extract_changed(warehouse, &h->tables->extract, document, &changes, err);

	if (status == RV_OK)
		status = rv_compose_finish(h->document->compose, take_document, h, err);
	if (status == RV_OK)
		status = close_end(h, number, first_object, err);
	else if (h->keeper) {
		struct rv_error ignored = RV_ERROR_INIT;

		/* what is in flight is settled, whatever came of the rest */
		if (h->keeper->ops->flush(h->keeper, &ignored) != RV_OK)
			ignored.status = RV_OK;
	}
	if (status != RV_OK || check_superseded(h, err) != RV_OK ||
	    extract_documents_keep_refused(h->reading, h->document, err) != RV_OK)
		return err->status;
	return warehouse->ops->extract_settled(warehouse, &h->tables->extract, document, h->version, err);
}

enum rv_status extract_history_send(struct extract_reading *reading, size_t number,
				    const struct extract_tables *tables, struct rv_error *err)
{
	struct extract_document *d = &reading->documents[number];
	const struct rv_job_table *root = &reading->params->job->tables[d->document->root];
	struct history h = { .reading = reading, .document = d, .tables = tables, .row = RV_STRBUF_INIT,
			     .json = RV_STRBUF_INIT };

	h.key = rv_calloc(root->key.count, sizeof(*h.key));
	for (size_t i = 0; i < root->key.count; i++)
		rv_packed_column_init(&h.key[i], root->key.items[i],
				      rv_table_is_literal(rv_job_column(root, root->key.items[i])));
	enum rv_status status = send(&h, number, err);

	rv_documents_free(h.keeper);
	extract_lake_writer_free(h.lake);
	for (size_t i = 0; i < root->key.count; i++)
		rv_packed_column_release(&h.key[i]);
	free(h.key);
	rv_strbuf_release(&h.row);
	rv_strbuf_release(&h.json);
	return status;
}
