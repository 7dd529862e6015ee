/*
 * In three steps: members become tables by their names and first bytes; each table's rows are read through
 * the reader of a run, as strings, and every value is held against what its column has been so far; then
 * columns are compared with keys. The text that comes of it is read by the job reader before it is given.
 */
#include "flow/extract_infer.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/extract_infer_impl.h"
#include "flow/table_csv.h"
#include "format/packed_row.h"
#include "format/record_hash.h"

enum {
	MEMBER_BYTES = 64 << 20,
	TABLE_BYTES = 256 << 20,
	MAX_ROW_BYTES = 16 << 20,
	KEYS_KEPT = 4 << 20, /* values of the keys of all tables */
	SAMPLE_LEAST = 64,   /* values of another column */
};

static void table_release(struct rv_infer_table *table)
{
	for (size_t i = 0; i < table->columns_count; i++) {
		struct rv_infer_column *column = &table->columns[i];

		free(column->header);
		free(column->name);
		rv_infer_set_release(&column->all);
		rv_infer_set_release(&column->sample);
		rv_strbuf_release(&column->why);
	}
	for (size_t i = 0; i < table->pairs_count; i++)
		rv_infer_set_release(&table->pairs[i].all);
	free(table->columns);
	free(table->name);
	free(table->glob);
	free(table->pattern);
	free(table->members);
	free(table->first);
	rv_job_dialect_release(&table->dialect);
	rv_strbuf_release(&table->key_why);
}

static void infer_release(struct rv_infer *infer)
{
	for (size_t i = 0; i < infer->tables_count; i++)
		table_release(&infer->tables[i]);
	free(infer->tables);
	rv_strbuf_release(&infer->others);
}

/* ---- rows ---- */

struct sampling {
	struct rv_infer_table *table;
	uint64_t *hashes;
	uint64_t bytes, most;   /* of the member that is read */
	bool header;            /* its first row is to come */
	bool enough, other_encoding;
};

static enum rv_status take_row(void *arg, const char *row, size_t len, struct rv_error *err)
{
	struct sampling *s = arg;
	struct rv_infer_table *table = s->table;
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
	struct rv_packed_cell cell;

	if (s->header) {
		s->header = false;
		return RV_OK;
	}
	table->rows++;
	for (size_t i = 0; i < table->columns_count && rv_packed_next(&cursor, &cell); i++) {
		struct rv_infer_column *column = &table->columns[i];

		s->hashes[i] = 0;
		/* an empty text is null to all types but string */
		if (cell.null) {
			column->nulls++;
			continue;
		}
		if (cell.len)
			rv_infer_type_add(&column->seen, cell.p, cell.len, table->rows);
		if (column->tracked) {
			uint64_t hash = rv_record_hash(cell.p, cell.len);

			s->hashes[i] = hash + (hash == 0);
		}
	}
	rv_infer_key_row(table, s->hashes);
	if (s->bytes < s->most)
		return RV_OK;
	s->enough = true;
	return rv_fail(err, RV_FAILED, "enough was read");
}

static enum rv_status take_reject(void *arg, const struct rv_table_reject *reject, struct rv_error *err)
{
	struct sampling *s = arg;
	struct rv_infer_table *table = s->table;

	/* all of the first bytes were ASCII: it may be another encoding that is like it */
	if (table->ascii && strcmp(reject->code, "invalid_utf8") == 0) {
		s->other_encoding = true;
		return rv_fail(err, RV_BAD_DATA, "another encoding");
	}
	if (!table->rejected++)
		snprintf(table->reject, sizeof(table->reject), "line %llu, %s",
			 (unsigned long long)reject->line, reject->reason);
	return RV_OK;
}

static enum rv_status take_progress(void *arg, uint64_t bytes, struct rv_error *err RV_UNUSED)
{
	struct sampling *s = arg;

	s->bytes = bytes;
	return RV_OK;
}

/* The table as strings, by place: names may be missing, or there twice. */
static void job_table_of(const struct rv_infer_table *table, struct rv_job_table *ret)
{
	*ret = (struct rv_job_table){ .name = rv_strdup(table->name), .dialect = table->dialect };
	ret->dialect.header = false;
	ret->dialect.names = (struct rv_string_list){ 0 };
	ret->columns = rv_calloc(table->columns_count, sizeof(*ret->columns));
	ret->columns_count = table->columns_count;
	for (size_t i = 0; i < table->columns_count; i++) {
		char *name = rv_asprintf("c%zu", i);

		rv_string_list_add(&ret->dialect.names, name, strlen(name));
		ret->columns[i] = (struct rv_column){ .name = name, .type = RV_COLUMN_STRING };
	}
}

static void job_table_release(struct rv_job_table *table)
{
	/* the rest of the dialect is the other table's */
	rv_string_list_release(&table->dialect.names);
	for (size_t i = 0; i < table->columns_count; i++)
		free(table->columns[i].name);
	free(table->columns);
	free(table->name);
}

static enum rv_status read_member(struct rv_infer *infer, struct sampling *s, size_t entry,
				  const struct rv_job_table *as_job, struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	const struct rv_table_sink sink = { .row = take_row, .reject = take_reject,
					    .progress = take_progress, .arg = s };
	struct rv_table_counts counts;

	s->bytes = 0;
	s->enough = false;
	s->header = s->table->dialect.header;
	if (rv_zip_member_unpacked(infer->zip, entry, &source, err) != RV_OK)
		return err->status;
	if (rv_table_csv_read(as_job, MAX_ROW_BYTES, source, &sink, &counts, err) != RV_OK && !s->enough)
		return err->status;
	if (s->enough)
		*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}

/* What a reading in the wrong encoding has left. */
static void forget_rows(struct rv_infer_table *table)
{
	for (size_t i = 0; i < table->columns_count; i++) {
		struct rv_infer_column *column = &table->columns[i];

		rv_infer_type_init(&column->seen);
		column->nulls = 0;
		rv_infer_set_release(&column->all);
		rv_infer_set_release(&column->sample);
	}
	for (size_t i = 0; i < table->pairs_count; i++)
		rv_infer_set_release(&table->pairs[i].all);
	table->pairs_count = 0;
	free(table->first);
	table->first = NULL;
	table->rows = table->rejected = 0;
}

static enum rv_status read_members(struct rv_infer *infer, struct rv_infer_table *table,
				   struct sampling *s, struct rv_error *err)
{
	const struct rv_extract_infer_params *params = infer->params;
	uint64_t left = params->table_bytes ? params->table_bytes : TABLE_BYTES;
	uint64_t most = params->member_bytes ? params->member_bytes : MEMBER_BYTES;
	struct rv_job_table as_job;
	enum rv_status status = RV_OK;

	job_table_of(table, &as_job);
	rv_infer_key_start(table);
	table->whole = true;
	for (size_t i = 0; i < table->members_count && status == RV_OK; i++) {
		if (!left) {
			table->whole = false;
			break;
		}
		s->most = left < most ? left : most;
		status = read_member(infer, s, table->members[i], &as_job, err);
		table->whole &= !s->enough;
		left -= s->bytes < left ? s->bytes : left;
	}
	job_table_release(&as_job);
	return status;
}

static enum rv_status sample_table(struct rv_infer *infer, struct rv_infer_table *table,
				   struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	uint64_t *hashes = rv_calloc(table->columns_count, sizeof(*hashes));
	struct sampling s = { .table = table, .hashes = hashes };
	enum rv_status status = read_members(infer, table, &s, err);

	/* of the two that are like ASCII, the one without holes is tried last: it takes any byte */
	for (int i = 0; i < 2 && status == RV_BAD_DATA && table->ascii &&
			(s.other_encoding || table->dialect.encoding == RV_ENCODING_WINDOWS1252); i++) {
		table->dialect.encoding = i ? RV_ENCODING_LATIN1 : RV_ENCODING_WINDOWS1252;
		s.other_encoding = false;
		*err = (struct rv_error)RV_ERROR_INIT;
		forget_rows(table);
		status = read_members(infer, table, &s, err);
	}
	if (status != RV_OK)
		return status;
	/* the more tables, the fewer values of each stay for the relations */
	size_t kept = KEYS_KEPT / infer->tables_count, sample = kept / 64;

	sample = sample < SAMPLE_LEAST ? SAMPLE_LEAST : sample;
	rv_infer_key_end(table, kept);
	for (size_t i = 0; i < table->columns_count; i++) {
		struct rv_infer_column *column = &table->columns[i];

		rv_infer_type_say(&column->seen, &column->type, &column->why);
		if (column->type.type == RV_COLUMN_TIMESTAMP && !rv_infer_type_has_zone(&column->seen))
			infer->timezone = true;
		/* only these refer to anything */
		if (column->type.type != RV_COLUMN_STRING && column->type.type != RV_COLUMN_INTEGER)
			rv_infer_set_release(&column->sample);
		else
			rv_infer_set_shrink(&column->sample, sample);
	}
	return RV_OK;
}

/* ---- the whole ---- */

static bool same_way(const struct rv_job_dialect *a, const struct rv_job_dialect *b)
{
	if (a->delimiter != b->delimiter || a->quote != b->quote || a->escape != b->escape ||
	    a->encoding != b->encoding || a->line_end != b->line_end || a->nulls.count != b->nulls.count)
		return false;
	for (size_t i = 0; i < a->nulls.count; i++)
		if (!rv_string_list_has(&b->nulls, a->nulls.items[i]))
			return false;
	return true;
}

/* The one that most tables have is the job's. */
static void choose_dialect(struct rv_infer *infer)
{
	size_t most = 0;

	for (size_t i = 0; i < infer->tables_count; i++) {
		size_t same = 0;

		for (size_t k = 0; k < infer->tables_count; k++)
			same += same_way(&infer->tables[i].dialect, &infer->tables[k].dialect);
		if (same > most) {
			most = same;
			infer->dialect = infer->tables[i].dialect;
		}
	}
}

struct named {
	const char *name;
	size_t entry;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static enum rv_status find_tables(struct rv_infer *infer, struct rv_error *err)
{
	size_t count = rv_zip_count(infer->zip);
	RV_CLEANUP(rv_free_p) struct named *order = rv_calloc(count + 1, sizeof(*order));

	for (size_t i = 0; i < count; i++)
		order[i] = (struct named){ rv_zip_entry(infer->zip, i)->name, i };
	qsort(order, count, sizeof(*order), by_name);
	for (size_t i = 0; i < count; i++)
		if (rv_infer_add_member(infer, order[i].entry, err) != RV_OK)
			return err->status;
	if (!infer->tables_count) {
		rv_fail(err, RV_BAD_DATA, "%s: none of its %zu members is a table", rv_zip_label(infer->zip),
			count);
		rv_hint(err, "tables are CSV or the like: rows of fields between , ; | or tabulators");
		return err->status;
	}
	rv_infer_name_tables(infer);
	return RV_OK;
}

static enum rv_status infer_all(struct rv_infer *infer, struct rv_strbuf *ret, struct rv_error *err)
{
	struct rv_job job = { 0 };
	size_t before = ret->len;

	if (find_tables(infer, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < infer->tables_count; i++)
		if (sample_table(infer, &infer->tables[i], err) != RV_OK)
			return err->status;
	choose_dialect(infer);
	rv_infer_relate(infer);
	rv_infer_print(infer, ret);
	if (rv_job_parse("extract-load.yaml", ret->bytes + before, ret->len - before, &job, err) != RV_OK) {
		rv_strbuf_truncate(ret, before);
		rv_context(err, "%s: its job file would not be one", rv_zip_label(infer->zip));
		return err->status;
	}
	rv_job_release(&job);
	return RV_OK;
}

enum rv_status rv_extract_infer(struct rv_zip *zip, const struct rv_extract_infer_params *params,
				struct rv_strbuf *ret, struct rv_error *err)
{
	struct rv_infer infer = { .params = params, .zip = zip, .others = RV_STRBUF_INIT };
	enum rv_status status = infer_all(&infer, ret, err);

	infer_release(&infer);
	return status;
}
