/*
 * The rows of one member as the objects of one load: text that is packed on its way, or Parquet. A part follows
 * another one at so many bytes of text. None has a name yet, and their bytes are those of the rows alone.
 */
#include "flow/extract_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/table_value.h"
#include "format/compress.h"

/* What the compressor gets at once: it is in the cache still. */
#define BLOCK (64u << 10)
/* A part closes at so many bytes of text: some hundred MB packed at most, as warehouses like it. */
#define PART_BYTES ((uint64_t)1 << 30)
/* Streams and tables take records of so many bytes. A row has at most as many, but as JSON up to six times that. */
#define RECORD_BYTES_MAX ((size_t)128 << 20)

struct extract_writer {
	struct extract_writer_params params;
	const struct rv_job *job;
	const struct rv_job_load *load;
	const struct rv_job_table *table;
	struct rv_compressor *compressor;   /* of text */
	struct rv_strbuf block;
	struct rv_parquet_file *parquet;
	uint64_t text_bytes, rows, written; /* of the part */
	unsigned part;
	bool open;
	struct extract_object object;
};

static const char *ending(const struct rv_job_load *load)
{
	static const char *const endings[][4] = {
		[RV_JOB_NDJSON] = { "ndjson.zst", "ndjson.gz", "ndjson.gz", "ndjson" },
		[RV_JOB_CSV] = { "csv.zst", "csv.gz", "csv.gz", "csv" },
	};

	if (load->format == RV_JOB_PARQUET)
		return "parquet";
	return load->to == RV_JOB_TO_STREAM ? "ndjson.zst" : endings[load->format][load->compression];
}

/* ---- text ---- */

static enum rv_status write_staged(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct extract_writer *w = arg;

	w->written += len;
	return rv_write_all(w->object.fd, p, len, w->object.name, err);
}

static enum rv_status flush_block(struct extract_writer *w, struct rv_error *err)
{
	if (w->block.len &&
	    rv_compressor_write(w->compressor, w->block.bytes, w->block.len, err) != RV_OK)
		return err->status;
	rv_strbuf_clear(&w->block);
	return RV_OK;
}

static void csv_text(struct rv_strbuf *sb, const char *p, size_t len)
{
	bool plain = len > 0;

	for (size_t i = 0; i < len && plain; i++)
		plain = p[i] != '"' && p[i] != ',' && p[i] != '\n' && p[i] != '\r';
	if (plain) {
		rv_strbuf_add(sb, p, len);
		return;
	}
	rv_strbuf_putc(sb, '"');
	for (const char *quote; len && (quote = memchr(p, '"', len)); len -= (size_t)(quote + 1 - p), p = quote + 1) {
		rv_strbuf_add(sb, p, (size_t)(quote + 1 - p));
		rv_strbuf_putc(sb, '"');
	}
	rv_strbuf_add(sb, p, len);
	rv_strbuf_putc(sb, '"');
}

static void csv_row(const struct rv_job_table *table, const char *row, size_t len, struct rv_strbuf *sb)
{
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
	struct rv_packed_cell cell;

	for (size_t i = 0; rv_packed_next(&cursor, &cell); i++) {
		if (i)
			rv_strbuf_putc(sb, ',');
		/* nothing is null, "" is the empty text */
		if (cell.null)
			continue;
		if (rv_table_is_literal(&table->columns[i]) && table->columns[i].type != RV_COLUMN_JSON)
			rv_strbuf_add(sb, cell.p, cell.len);
		else
			csv_text(sb, cell.p, cell.len);
	}
	rv_strbuf_putc(sb, '\n');
}

static enum rv_status too_long(const struct extract_writer *w, size_t len, struct rv_error *err)
{
	char have[RV_NUMBER_TEXT], most[RV_NUMBER_TEXT];

	rv_fail(err, RV_BAD_DATA, "%s: a row of the table %s has %s as JSON; streams and tables take %s at most",
		w->params.reading->archive->shown, w->table->name, rv_format_size(len, have),
		rv_format_size(RECORD_BYTES_MAX, most));
	rv_hint(err, "nothing of it was loaded; limits.max_row refuses such rows with their place and may set them "
		     "aside, and a load into the lake alone takes them");
	return err->status;
}

static enum rv_status text_row(struct extract_writer *w, const char *row, size_t len, struct rv_error *err)
{
	size_t before = w->block.len;

	if (w->load->format == RV_JOB_CSV) {
		csv_row(w->table, row, len, &w->block);
	} else if (!rv_packed_row_line(w->params.columns, w->table->columns_count, row, len, &w->block)) {
		rv_bug("a packed row of %zu bytes that is none", len);
	} else if (w->load->to != RV_JOB_TO_LAKE && w->block.len - before > RECORD_BYTES_MAX + 1) {
		return too_long(w, w->block.len - before - 1, err);
	}
	w->text_bytes += w->block.len - before;
	return w->block.len >= BLOCK ? flush_block(w, err) : RV_OK;
}

/* ---- parts ---- */

/* The engine opens the file once more and locks it, which it could not if it had a name to be protected. */
static enum rv_status stage_parquet(struct extract_writer *w, const char *folder, struct rv_error *err)
{
	struct rv_store *lake = w->params.reading->params->lake;
	struct stat st;

	if (lake->ops->stage) {
		if (lake->ops->stage(lake, folder, &w->object.stage, &w->object.fd, err) != RV_OK)
			return err->status;
		if (fstat(w->object.fd, &st) == 0 && st.st_nlink == 0)
			return RV_OK;
		lake->ops->stage_discard(lake, w->object.stage);
		w->object.stage = NULL;
		w->object.fd = -1;
	}
	return rv_unnamed_open(w->params.ours, &w->object.fd, err);
}

static enum rv_status stage_part(struct extract_writer *w, const char *folder, struct rv_error *err)
{
	/* a file of a stream's is pushed by its name */
	if (w->load->to == RV_JOB_TO_STREAM)
		return rv_temporary_open(w->params.ours, 0600, &w->object.file, &w->object.fd, err);
	return w->load->format == RV_JOB_PARQUET
		       ? stage_parquet(w, folder, err)
		       : extract_stage(w->params.reading, w->params.ours, folder, &w->object, err);
}

static enum rv_status begin_parquet(struct extract_writer *w, struct rv_error *err)
{
	struct rv_parquet *parquet = w->params.reading->parquet;
	const struct rv_parquet_params params = {
		.label = w->object.name, .columns = w->table->columns,
		.columns_count = w->table->columns_count, .pages = w->load->pages, .fd = w->object.fd };

	return parquet->ops->begin(parquet, &params, &w->parquet, err);
}

/* Starts the next part. */
static enum rv_status open_part(struct extract_writer *w, struct rv_error *err)
{
	struct extract_reading *reading = w->params.reading;
	RV_CLEANUP(rv_free_p)
	char *folder = rv_asprintf("loads/%s/%.16s", w->job->name, reading->identity);

	w->part++;
	w->object = (struct extract_object){ .load = w->params.load, .fd = -1 };
	w->object.name = rv_asprintf("%s/%s-%04u-%04u.%s", folder, w->table->name, w->params.member, w->part,
				     ending(w->load));
	/* from here on there is something to drop */
	w->open = true;
	if (stage_part(w, folder, err) != RV_OK)
		return err->status;
	w->text_bytes = w->written = w->rows = 0;
	if (w->load->format == RV_JOB_PARQUET)
		return begin_parquet(w, err);
	rv_compressor_begin(w->compressor, write_staged, w);
	if (w->load->format == RV_JOB_CSV) {
		for (size_t i = 0; i < w->table->columns_count; i++)
			rv_strbuf_printf(&w->block, "%s%s", i ? "," : "", w->table->columns[i].name);
		rv_strbuf_putc(&w->block, '\n');
	}
	return RV_OK;
}

static void free_parquet(struct extract_writer *w)
{
	if (w->parquet)
		w->params.reading->parquet->ops->file_free(w->parquet);
	w->parquet = NULL;
}

static enum rv_status close_part(struct extract_writer *w, struct rv_error *err)
{
	if (w->parquet) {
		if (w->params.reading->parquet->ops->end(w->parquet, &w->written, err) != RV_OK)
			return err->status;
		free_parquet(w);
	} else if (flush_block(w, err) != RV_OK || rv_compressor_end(w->compressor, err) != RV_OK) {
		return err->status;
	}
	w->object.bytes = w->written;
	w->object.rows = w->rows;
	extract_add_object(w->params.objects, &w->object);
	w->open = false;
	return RV_OK;
}

enum rv_status extract_writer_row(struct extract_writer *w, const char *row, size_t len, struct rv_error *err)
{
	if (!w->open && open_part(w, err) != RV_OK)
		return err->status;
	w->rows++;
	if (w->parquet) {
		w->text_bytes += len;
		if (w->params.reading->parquet->ops->row(w->parquet, row, len, err) != RV_OK)
			return err->status;
	} else if (text_row(w, row, len, err) != RV_OK) {
		return err->status;
	}
	return w->text_bytes >= PART_BYTES ? close_part(w, err) : RV_OK;
}

enum rv_status extract_writer_end(struct extract_writer *w, struct rv_error *err)
{
	return w->open ? close_part(w, err) : RV_OK;
}

static void writer_free_p(struct extract_writer **w)
{
	extract_writer_free(*w);
}

enum rv_status extract_writer_new(const struct extract_writer_params *params, struct extract_writer **ret,
				  struct rv_error *err)
{
	const struct rv_job *job = params->reading->params->job;
	RV_CLEANUP(writer_free_p) struct extract_writer *w = rv_calloc(1, sizeof(*w));

	w->params = *params;
	w->job = job;
	w->load = &job->loads[params->load];
	w->table = &job->tables[w->load->table];
	w->block = (struct rv_strbuf)RV_STRBUF_INIT;
	if (w->load->format != RV_JOB_PARQUET &&
	    rv_compressor_new_for_rows(w->load->to == RV_JOB_TO_STREAM ? RV_OUTPUT_ZSTD : w->load->compression,
				       0, &w->compressor, err) != RV_OK)
		return err->status;
	/* also of a member without rows: its load is there, and empty */
	if (open_part(w, err) != RV_OK)
		return err->status;
	*ret = rv_take(w);
	return RV_OK;
}

void extract_writer_free(struct extract_writer *w)
{
	if (!w)
		return;
	free_parquet(w);
	if (w->open)
		extract_drop_object(w->params.reading, &w->object);
	rv_compressor_free(w->compressor);
	rv_strbuf_release(&w->block);
	free(w);
}
