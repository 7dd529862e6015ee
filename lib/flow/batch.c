/* One batch from spans of records to a finished object body. */
#include "flow/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/rejects.h"
#include "format/json_text.h"
#include "format/stamp.h"
#include "format/xxh3.h"

/* Small batches never touch a file of their own; larger ones must not sit in memory. */
#define MEMORY_BYTES (1u << 20)
/* Write-back is started this often, so that the fsync at the end finds little to do. */
#define KICK_BYTES (8u << 20)

struct rv_batcher {
	struct rv_batcher_params params;
	struct rv_compressor *compressors[RV_OUTPUT_NONE + 1]; /* made when first needed */
	enum rv_output_compression compression;
	struct rv_compressor *compressor;
	struct rv_stamper stamper;
	struct rv_strbuf stamped;
	const struct rv_run *run; /* NULL: no batch is open */
	struct rv_batch_entry entry;
	struct rv_body body, rejects;
	char *lake_folder;        /* of the object, relative to the lake */
	XXH3_state_t *reject_hash;
	XXH3_state_t *body_hash;  /* spooled bodies only */
	XXH3_state_t *rejects_body_hash; /* the same */
	uint64_t reject_len;
	char *reject_csv;         /* how the csv row before in this object was read */
};

void rv_body_release(struct rv_body *body)
{
	rv_strbuf_release(&body->memory);
	if (body->stage)
		body->store->ops->stage_discard(body->store, body->stage);
	else if (body->fd >= 0)
		close(body->fd);
	free(body->path);
	*body = (struct rv_body)RV_BODY_INIT;
}

void rv_finished_release(struct rv_finished *finished)
{
	rv_batch_entry_release(&finished->entry);
	rv_body_release(&finished->body);
	rv_body_release(&finished->rejects);
}

enum rv_status rv_batcher_compression(struct rv_batcher *b, enum rv_output_compression compression,
				      struct rv_error *err)
{
	struct rv_compressor **slot = &b->compressors[compression];
	if (!*slot && rv_compressor_new(compression, b->params.threads, slot, err) != RV_OK)
		return err->status;
	b->compression = compression;
	b->compressor = *slot;
	return RV_OK;
}

enum rv_status rv_batcher_new(const struct rv_batcher_params *params, struct rv_batcher **ret,
			      struct rv_error *err)
{
	struct rv_batcher *b = rv_calloc(1, sizeof(*b));
	b->params = *params;
	if (!b->params.memory_bytes)
		b->params.memory_bytes = MEMORY_BYTES;
	b->body = b->rejects = (struct rv_body)RV_BODY_INIT;
	b->stamper = (struct rv_stamper)RV_STAMPER_INIT;
	b->stamped = (struct rv_strbuf)RV_STRBUF_INIT;
	if (rv_batcher_compression(b, params->stream->compression, err) != RV_OK) {
		rv_batcher_free(b);
		return err->status;
	}
	*ret = b;
	return RV_OK;
}

void rv_batcher_free(struct rv_batcher *b)
{
	if (!b)
		return;
	rv_batcher_abandon(b);
	for (size_t i = 0; i <= RV_OUTPUT_NONE; i++)
		rv_compressor_free(b->compressors[i]);
	rv_stamper_release(&b->stamper);
	rv_strbuf_release(&b->stamped);
	XXH3_freeState(b->reject_hash);
	XXH3_freeState(b->body_hash);
	XXH3_freeState(b->rejects_body_hash);
	free(b->reject_csv);
	free(b);
}

static enum rv_status open_spool_file(struct rv_body *body, char *path, struct rv_error *err)
{
	body->path = path;
	body->fd = rv_open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (body->fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "create %s", path);
	return RV_OK;
}

/* Give a body in memory a file: where the store can move it into place, else in the run's folder. */
static enum rv_status spill(struct rv_batcher *b, struct rv_body *body, struct rv_error *err)
{
	struct rv_store *lake = b->params.lake;
	if (body == &b->body && lake->ops->stage) {
		body->store = lake;
		if (lake->ops->stage(lake, b->lake_folder, &body->stage, &body->fd, err) != RV_OK)
			return err->status;
	} else {
		char *path = body == &b->body ? rv_run_body_path(b->run, b->entry.seq)
					      : rv_run_rejects_path(b->run, b->entry.seq);
		if (open_spool_file(body, path, err) != RV_OK)
			return err->status;
	}
	if (rv_write_all(body->fd, body->memory.bytes, body->memory.len,
			 body->path ? body->path : b->lake_folder, err) != RV_OK)
		return err->status;
	rv_strbuf_release(&body->memory);
	return RV_OK;
}

static enum rv_status append(struct rv_batcher *b, struct rv_body *body, const void *p, size_t len,
			     struct rv_error *err)
{
	if (body->fd < 0 && body->memory.len + len > b->params.memory_bytes && spill(b, body, err) != RV_OK)
		return err->status;
	if (body->fd < 0)
		rv_strbuf_add(&body->memory, p, len);
	else if (rv_write_all(body->fd, p, len, body->path ? body->path : b->lake_folder, err) != RV_OK)
		return err->status;
	body->len += len;
	if (body->fd >= 0 && body->len - body->kicked >= KICK_BYTES) {
		/* Advice only: the fsync that counts comes later and is checked. */
		(void)sync_file_range(body->fd, (off64_t)body->kicked,
				      (off64_t)(body->len - body->kicked), SYNC_FILE_RANGE_WRITE);
		body->kicked = body->len;
	}
	return RV_OK;
}

static enum rv_status body_sink(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct rv_batcher *b = arg;
	if (b->body_hash)
		XXH3_64bits_update(b->body_hash, p, len);
	return append(b, &b->body, p, len, err);
}

enum rv_status rv_batcher_begin(struct rv_batcher *b, const struct rv_run *run, uint64_t seq,
				struct rv_error *err)
{
	rv_batcher_abandon(b);
	b->run = run;
	b->entry = (struct rv_batch_entry){ .seq = seq };
	free(rv_take(b->reject_csv));
	b->lake_folder = rv_asprintf("data/%s/%s/%s", b->params.stream->business,
				     b->params.stream->name, run->lake_folder);
	rv_compressor_begin(b->compressor, body_sink, b);
	if (b->params.stream->stamp != RV_STAMP_NONE)
		rv_stamper_begin(&b->stamper, &(struct rv_stamper_params){
						      .run = run->name,
						      .seq = seq,
						      .full = b->params.stream->stamp == RV_STAMP_FULL,
						      .at_ms = run->started_ms,
						      .host = run->host,
						      .source = run->source,
					      });
	if (run->pipe && !b->body_hash && !(b->body_hash = XXH3_createState()))
		return rv_fail(err, RV_LOCAL_IO, "no memory for a hash");
	if (run->pipe && !b->rejects_body_hash && !(b->rejects_body_hash = XXH3_createState()))
		return rv_fail(err, RV_LOCAL_IO, "no memory for a hash");
	if (run->pipe) {
		XXH3_64bits_reset(b->body_hash);
		XXH3_64bits_reset(b->rejects_body_hash);
	}
	if (run->pipe &&
	    (open_spool_file(&b->body, rv_run_body_path(run, seq), err) != RV_OK ||
	     open_spool_file(&b->rejects, rv_run_rejects_path(run, seq), err) != RV_OK)) {
		rv_batcher_abandon(b);
		return err->status;
	}
	return RV_OK;
}

bool rv_batcher_open(const struct rv_batcher *b)
{
	return b->run != NULL;
}

/* What a row cannot be read again without. Said once for all rows it holds for, else NULL: a header is
 * often longer than a row. */
static const char *csv_reading(struct rv_batcher *b, const struct rv_span *span)
{
	if (!span->csv || !span->csv_header || strlen(span->csv_header) > RV_REJECTS_HEADER_MAX)
		return NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	const char delimiter[] = { span->csv->delimiter, '\0' }, quote[] = { span->csv->quote, '\0' };
	json_t *csv = json_pack("{s:s, s:s, s:s, s:[]}", "header", span->csv_header, "delimiter",
				delimiter, "quote", quote, "nulls");
	for (size_t i = 0; i < span->csv->nulls_count; i++)
		json_array_append_new(json_object_get(csv, "nulls"), rv_json_bytes(span->csv->nulls[i]));
	rv_json_dump(&text, csv);
	json_decref(csv);
	if (b->reject_csv && strcmp(b->reject_csv, text.bytes) == 0)
		return NULL;
	free(b->reject_csv);
	return b->reject_csv = rv_strbuf_take(&text);
}

/* One line of the rejects object; a large reject comes in pieces whose base64 joins without a seam. */
static enum rv_status add_reject(struct rv_batcher *b, const struct rv_span *span,
				 const char *label, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	if (!b->reject_hash && !(b->reject_hash = XXH3_createState()))
		return rv_fail(err, RV_LOCAL_IO, "no memory for a hash");
	if (span->first) {
		XXH3_64bits_reset(b->reject_hash);
		b->reject_len = 0;
	}
	XXH3_64bits_update(b->reject_hash, span->bytes, span->len);
	b->reject_len += span->len;
	rv_rejects_add_piece(&line, span, label, span->first ? csv_reading(b, span) : NULL, b->reject_len);
	if (!span->more) {
		b->entry.rejected++;
		b->entry.rejects_hash += XXH3_64bits_digest(b->reject_hash);
	}
	if (b->rejects_body_hash)
		XXH3_64bits_update(b->rejects_body_hash, line.bytes, line.len);
	return append(b, &b->rejects, line.bytes, line.len, err);
}

enum rv_status rv_batcher_add(struct rv_batcher *b, const struct rv_span *span, const char *label,
			      struct rv_error *err)
{
	if (span->kind == RV_SPAN_REJECT)
		return add_reject(b, span, label, err);
	b->entry.records += span->records;
	b->entry.record_bytes += span->record_bytes;
	b->entry.set_hash += span->set_hash;
	if (b->params.stream->stamp == RV_STAMP_NONE)
		return rv_compressor_write(b->compressor, span->bytes, span->len, err);
	rv_strbuf_clear(&b->stamped);
	rv_stamper_lines(&b->stamper, span->bytes, span->len, &b->stamped);
	return rv_compressor_write(b->compressor, b->stamped.bytes, b->stamped.len, err);
}

uint64_t rv_batcher_compressed_bytes(const struct rv_batcher *b)
{
	return rv_compressor_bytes(b->compressor);
}

const struct rv_batch_entry *rv_batcher_entry(const struct rv_batcher *b)
{
	return &b->entry;
}

static void name_objects(struct rv_batcher *b)
{
	const struct rv_stream *stream = b->params.stream;
	struct rv_object_name name = {
		.seq = b->entry.seq,
		.records = b->entry.records,
		.set_hash = b->entry.set_hash,
		.compression = b->compression,
	};
	snprintf(name.business, sizeof(name.business), "%s", stream->business);
	snprintf(name.stream, sizeof(name.stream), "%s", stream->name);
	snprintf(name.folder, sizeof(name.folder), "%s", b->run->lake_folder);
	snprintf(name.run, sizeof(name.run), "%s", b->run->name);
	b->entry.name = rv_calloc(1, RV_OBJECT_NAME_MAX);
	if (b->entry.records)
		rv_object_name_format(&name, b->entry.name);
	if (b->entry.rejected) {
		struct rv_rejects_name rejects = { .seq = b->entry.seq, .rejected = b->entry.rejected };
		snprintf(rejects.business, sizeof(rejects.business), "%s", stream->business);
		snprintf(rejects.stream, sizeof(rejects.stream), "%s", stream->name);
		snprintf(rejects.day, sizeof(rejects.day), "%.10s", b->run->lake_folder + 3);
		snprintf(rejects.run, sizeof(rejects.run), "%s", b->run->name);
		b->entry.rejects_name = rv_calloc(1, RV_OBJECT_NAME_MAX);
		rv_rejects_name_format(&rejects, b->entry.rejects_name);
	}
}

enum rv_status rv_batcher_finish(struct rv_batcher *b, struct rv_finished *ret, struct rv_error *err)
{
	if (rv_compressor_end(b->compressor, err) != RV_OK)
		return err->status;
	b->entry.bytes = b->body.len;
	b->entry.rejects_bytes = b->rejects.len;
	if (b->body_hash)
		b->entry.body_hash = XXH3_64bits_digest(b->body_hash);
	if (b->rejects_body_hash)
		b->entry.rejects_body_hash = XXH3_64bits_digest(b->rejects_body_hash);
	name_objects(b);
	*ret = (struct rv_finished){ .entry = b->entry, .body = b->body, .rejects = b->rejects };
	b->entry = (struct rv_batch_entry){ .seq = 0 };
	b->body = b->rejects = (struct rv_body)RV_BODY_INIT;
	free(rv_take(b->lake_folder));
	b->run = NULL;
	return RV_OK;
}

void rv_batcher_abandon(struct rv_batcher *b)
{
	if (b->body.path)
		unlink(b->body.path);
	if (b->rejects.path)
		unlink(b->rejects.path);
	rv_body_release(&b->body);
	rv_body_release(&b->rejects);
	rv_batch_entry_release(&b->entry);
	free(rv_take(b->lake_folder));
	b->run = NULL;
}
