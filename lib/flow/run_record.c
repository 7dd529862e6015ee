/* First come, first served: what a named run's batches look like. */
#include "flow/run_record.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/object_name.h"
#include "format/json_text.h"

/* What JSON records are known to shrink by, at the least: batches then stay below batch.size. */
#define RATIO 4
/* In the place of a batch that is not there; no object's name. */
#define END "end"

/* As JSON holds it: so much is no limit either. */
static json_int_t limit(uint64_t n, unsigned times)
{
	return n > INT64_MAX / times ? INT64_MAX : (json_int_t)(n * times);
}

/* False: it is none that this river writes. */
static bool parse_suffix(const char *suffix, enum rv_output_compression *ret)
{
	static const enum rv_output_compression kinds[] = { RV_OUTPUT_ZSTD, RV_OUTPUT_GZIP, RV_OUTPUT_NONE };

	for (size_t i = 0; suffix && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(suffix, rv_object_suffix(kinds[i])) == 0) {
			*ret = kinds[i];
			return true;
		}
	return false;
}

static enum rv_status parse(const char *name, const struct rv_stream *stream,
			    const struct rv_strbuf *text, struct rv_run_record *ret,
			    struct rv_error *err)
{
	json_error_t at;
	json_t *o = json_loadb(text->bytes, text->len, JSON_REJECT_DUPLICATES, &at);
	json_int_t version = json_integer_value(json_object_get(o, "v"));
	const char *folder = json_string_value(json_object_get(o, "folder"));
	const char *id = json_string_value(json_object_get(o, "stream_id"));
	enum rv_status status = RV_OK;
	const char *suffix = json_string_value(json_object_get(o, "compression"));
	enum rv_output_compression compression = RV_OUTPUT_NONE;
	if (version > RV_RUN_RECORD_VERSION)
		status = rv_fail(err, RV_BAD_CONFIG, "%s was written by a newer river (version %d)", name,
				 (int)version);
	else if (!folder || !rv_object_folder_valid(folder) || !parse_suffix(suffix, &compression) || !id ||
		 !rv_json_get_u64(o, "batch_record_bytes"))
		status = rv_fail(err, RV_DAMAGED, "%s is not a run's record", name);
	else if (strcmp(id, stream->id) != 0)
		status = rv_fail(err, RV_CONFLICT,
				 "run %s belongs to an earlier stream of that name; use another name",
				 name);
	if (status == RV_OK) {
		memcpy(ret->folder, folder, strlen(folder) + 1);
		ret->batch_record_bytes = rv_json_get_u64(o, "batch_record_bytes");
		ret->batch_records = rv_json_get_u64(o, "batch_records");
		ret->compression = compression;
	}
	json_decref(o);
	return status;
}

enum rv_status rv_run_record_fix(struct rv_store *lake, const struct rv_stream *stream,
				 const char *run, uint64_t batch_bytes, uint64_t batch_record_bytes,
				 uint64_t batch_records,
				 int64_t now_ms, struct rv_run_record *ret, struct rv_error *err)
{
	char name[256], etag[RV_ETAG_TEXT], folder[RV_TIME_TEXT], time[RV_TIME_TEXT];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	snprintf(name, sizeof(name), "_river/runs/%s/%s/%s.json", stream->business, stream->name, run);
	bool found;
	if (rv_store_get_optional(lake, name, 1u << 20, &text, etag, &found, err) != RV_OK)
		return err->status;
	if (found)
		return parse(name, stream, &text, ret, err);
	rv_stream_run_folder(stream, now_ms, folder);
	json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:I}", "v", RV_RUN_RECORD_VERSION, "run",
			      run, "stream_id", stream->id, "folder", folder, "created",
			      rv_format_time(now_ms, time), "batch_record_bytes",
			      batch_record_bytes ? limit(batch_record_bytes, 1)
			      : batch_bytes      ? limit(batch_bytes, RATIO)
						 : 256 << 20,
			      "batch_records", limit(batch_records, 1));
	json_object_set_new(o, "compression", json_string(rv_object_suffix(stream->compression)));
	rv_strbuf_clear(&text);
	rv_json_dump(&text, o);
	rv_strbuf_putc(&text, '\n');
	json_decref(o);
	struct rv_store_put conditions = { .if_absent = true };
	enum rv_status status = rv_store_put_bytes(lake, name, text.bytes, text.len, &conditions, err);
	if (status != RV_OK && status != RV_CONFLICT)
		return status;
	/* Whoever was first, both read the same now. */
	if (lake->ops->get(lake, name, 1u << 20, &text, etag, err) != RV_OK)
		return err->status;
	return parse(name, stream, &text, ret, err);
}

enum rv_status rv_run_record_claim(struct rv_store *lake, const struct rv_stream *stream, const char *run,
				   uint64_t seq, const char *name, struct rv_error *err)
{
	char place[256], etag[RV_ETAG_TEXT];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	const struct rv_store_put conditions = { .if_absent = true };
	snprintf(place, sizeof(place), "_river/runs/%s/%s/%s/%06" PRIu64, stream->business, stream->name,
		 run, seq);
	if (!name)
		name = END;
	rv_strbuf_printf(&text, "%s\n", name);
	enum rv_status status =
		rv_store_put_bytes(lake, place, text.bytes, text.len, &conditions, err);
	if (status != RV_CONFLICT)
		return status;
	rv_strbuf_clear(&text);
	if (lake->ops->get(lake, place, RV_OBJECT_NAME_MAX, &text, etag, err) != RV_OK)
		return err->status;
	while (text.len && text.bytes[text.len - 1] == '\n')
		text.bytes[--text.len] = '\0';
	if (text.bytes && strcmp(text.bytes, name) == 0)
		return RV_OK;
	if (text.bytes && strcmp(text.bytes, END) == 0)
		rv_fail(err, RV_CONFLICT, "run %s was sent before, and ended with fewer records", run);
	else if (strcmp(name, END) == 0)
		rv_fail(err, RV_CONFLICT, "run %s goes on with batch %" PRIu64 " in another input: %.300s", run,
			seq, text.bytes ? text.bytes : "");
	else
		rv_fail(err, RV_CONFLICT, "run %s has sent other data as its batch %" PRIu64 ": %.300s", run,
			seq, text.bytes ? text.bytes : "");
	rv_hint(err, "--run makes one input repeatable; give another input another name");
	return RV_CONFLICT;
}
