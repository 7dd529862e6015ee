/*
 * The rows of an answer, as they come out of gzip: no tree is built of them, and no more than a page is
 * kept. What is not rows (metadata, handles, codes) is small and goes to jansson.
 *
 * An answer may say what its rows are behind them: then they are passed over, and read once more.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/number.h"
#include "snowflake/internal.h"

#define HEAD_MAX_BYTES (32 * 1024 * 1024) /* thousands of columns, tens of thousands of partitions */
#define PAGE_ROWS 1024
#define PAGE_BYTES (1024 * 1024)
/* Snowflake's largest VARIANT has 128 MB; this is a row. */
#define ROW_MAX_BYTES (256 * 1024 * 1024)
#define COLUMNS_MAX 100000

void rv_snowflake_reading_release(struct rv_snowflake_reading *reading)
{
	for (size_t i = 0; i < reading->columns_count; i++)
		free((char *)(uintptr_t)reading->columns[i].name);
	free(reading->columns);
	free(reading->partition_rows);
	free(reading->values);
	json_decref(reading->head);
	rv_strbuf_release(&reading->texts);
	*reading = (struct rv_snowflake_reading)RV_SNOWFLAKE_READING_INIT;
}

/* ---- metadata --------------------------------------------------------------------------------- */

static enum rv_snowflake_type type_of(const char *name)
{
	static const struct {
		const char *name;
		enum rv_snowflake_type type;
	} types[] = {
		{ "fixed", RV_SNOWFLAKE_FIXED },
		{ "real", RV_SNOWFLAKE_REAL },
		{ "text", RV_SNOWFLAKE_TEXT },
		{ "boolean", RV_SNOWFLAKE_BOOLEAN },
		{ "date", RV_SNOWFLAKE_DATE },
		{ "time", RV_SNOWFLAKE_TIME },
		{ "timestamp_ntz", RV_SNOWFLAKE_TIMESTAMP_NTZ },
		{ "timestamp_ltz", RV_SNOWFLAKE_TIMESTAMP_LTZ },
		{ "timestamp_tz", RV_SNOWFLAKE_TIMESTAMP_TZ },
		{ "binary", RV_SNOWFLAKE_BINARY },
		{ "variant", RV_SNOWFLAKE_VARIANT },
		{ "object", RV_SNOWFLAKE_VARIANT },
		{ "array", RV_SNOWFLAKE_VARIANT },
	};
	for (size_t i = 0; name && i < sizeof(types) / sizeof(*types); i++)
		if (strcasecmp(name, types[i].name) == 0)
			return types[i].type;
	return RV_SNOWFLAKE_OTHER;
}

static unsigned small_number(const json_t *json)
{
	json_int_t n = json_integer_value(json);
	return n > 0 && n < 1000000 ? (unsigned)n : 0;
}

static uint64_t count_of(const json_t *json)
{
	json_int_t n = json_integer_value(json);
	return n > 0 ? (uint64_t)n : 0;
}

static enum rv_status wrong(struct rv_error *err, const char *why)
{
	return rv_fail(err, RV_BAD_DATA, "the answer is not what it should be: %s", why);
}

static enum rv_status take_metadata(struct rv_snowflake_reading *reading, struct rv_error *err)
{
	const json_t *meta = json_object_get(reading->head, "resultSetMetaData");
	const json_t *types = json_object_get(meta, "rowType");
	const json_t *parts = json_object_get(meta, "partitionInfo");
	size_t i;
	json_t *item;
	reading->columns_count = 0;
	if (json_array_size(types) > COLUMNS_MAX)
		return wrong(err, "it has too many columns");
	reading->columns = rv_calloc(json_array_size(types) + 1, sizeof(*reading->columns));
	json_array_foreach(types, i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));
		const json_t *nullable = json_object_get(item, "nullable");
		if (!name)
			return wrong(err, "a column has no name");
		reading->columns[i] = (struct rv_snowflake_column){
			.name = rv_strdup(name),
			.type = type_of(json_string_value(json_object_get(item, "type"))),
			.precision = small_number(json_object_get(item, "precision")),
			.scale = small_number(json_object_get(item, "scale")),
			.nullable = !json_is_false(nullable),
		};
		reading->columns_count++;
	}
	reading->partitions = json_array_size(parts) ? json_array_size(parts) : 1;
	reading->partition_rows = rv_calloc(reading->partitions, sizeof(*reading->partition_rows));
	for (i = 0; i < reading->partitions; i++) {
		const json_t *rows = json_object_get(json_array_get(parts, i), "rowCount");
		reading->partition_rows[i] = json_is_integer(rows) ? count_of(rows) : UINT64_MAX;
	}
	return RV_OK;
}

/* ---- rows ------------------------------------------------------------------------------------- */

static enum rv_status give_page(struct rv_snowflake_reading *reading, struct rv_error *err)
{
	size_t width = reading->columns_count;
	enum rv_status status = RV_OK;
	for (size_t i = 0; i < reading->values_count; i++)
		if (reading->values[i].p)
			reading->values[i].p = reading->texts.bytes + ((uintptr_t)reading->values[i].p - 1);
	if (reading->sink) {
		const struct rv_snowflake_page page = {
			.statement = reading->statement,
			.columns = reading->columns,
			.columns_count = width,
			.values = reading->values,
			.count = width ? reading->values_count / width : 0,
		};
		status = reading->sink(reading->arg, &page, err);
		reading->sink_failed = status != RV_OK;
	}
	reading->given = true;
	reading->values_count = 0;
	rv_strbuf_clear(&reading->texts);
	/* One giant value must not stay for the rest of the result. */
	if (reading->texts.capacity > 4 * PAGE_BYTES) {
		rv_strbuf_release(&reading->texts);
		rv_strbuf_limit(&reading->texts, ROW_MAX_BYTES);
	}
	return status;
}

/* "number of rows inserted" and its kin are what DML answers with. */
static bool counts_changes(const char *name)
{
	return strcasecmp(name, "number of rows inserted") == 0 ||
	       strcasecmp(name, "number of rows updated") == 0 ||
	       strcasecmp(name, "number of rows deleted") == 0;
}

static void count_changes(struct rv_snowflake_reading *reading)
{
	const struct rv_str *row = reading->values + reading->values_count - reading->columns_count;
	for (size_t i = 0; i < reading->columns_count; i++) {
		uint64_t n;
		if (row[i].p && counts_changes(reading->columns[i].name) &&
		    rv_parse_u64(reading->texts.bytes + ((uintptr_t)row[i].p - 1), row[i].len, &n))
			reading->rows_changed += n;
	}
}

/* A text or null; other scalars as they are spelled. Its end is a NUL that does not count. */
static enum rv_status take_value(struct rv_snowflake_reading *reading, struct rv_json_pull *pull, int c,
				 struct rv_error *err)
{
	size_t start = reading->texts.len;
	struct rv_str value = { 0 };
	enum rv_status status;
	if (c <= 0 || !strchr("\"-0123456789tfn", c))
		return rv_json_pull_wrong(pull, "a value of a row is no text", err);
	status = c == '"' ? rv_json_pull_string(pull, &reading->texts, err)
			  : rv_json_pull_value(pull, &reading->texts, err);
	if (status != RV_OK)
		return status;
	size_t len = reading->texts.len - start;
	bool is_null = c == 'n';
	if (is_null) {
		if (len != 4 || memcmp(reading->texts.bytes + start, "null", 4) != 0)
			return rv_json_pull_wrong(pull, "a value of a row is no text", err);
		rv_strbuf_truncate(&reading->texts, start);
	} else {
		value = (struct rv_str){ .p = (const char *)(start + 1), .len = len };
		rv_strbuf_putc(&reading->texts, '\0');
	}
	RV_GROW(reading->values, reading->values_count, reading->values_capacity);
	reading->values[reading->values_count++] = value;
	return RV_OK;
}

static enum rv_status take_row(struct rv_snowflake_reading *reading, struct rv_json_pull *pull,
			       struct rv_error *err)
{
	bool first = true, there;
	size_t width = 0;
	int c = -1;
	if (rv_json_pull_take(pull, '[', err) != RV_OK)
		return err->status;
	for (;; width++) {
		if (rv_json_pull_next(pull, ']', &first, NULL, &there, err) != RV_OK)
			return err->status;
		if (!there)
			break;
		if (width == reading->columns_count)
			return rv_json_pull_wrong(pull, "a row has more values than columns", err);
		if (rv_json_pull_peek(pull, &c, err) != RV_OK ||
		    take_value(reading, pull, c, err) != RV_OK)
			return err->status;
	}
	if (width < reading->columns_count)
		return rv_json_pull_wrong(pull, "a row has less values than columns", err);
	reading->rows_seen++;
	if (width == 0)
		return RV_OK; /* rows of nothing are none */
	if (reading->rows_seen == 1)
		count_changes(reading);
	size_t rows = reading->values_count / width;
	if (rows >= PAGE_ROWS || reading->texts.len >= PAGE_BYTES)
		return give_page(reading, err);
	return RV_OK;
}

static enum rv_status take_rows(struct rv_snowflake_reading *reading, struct rv_json_pull *pull,
				struct rv_error *err)
{
	bool first = true, there;
	rv_strbuf_limit(&reading->texts, ROW_MAX_BYTES);
	if (rv_json_pull_take(pull, '[', err) != RV_OK)
		return err->status;
	for (;;) {
		if (rv_json_pull_next(pull, ']', &first, NULL, &there, err) != RV_OK)
			return err->status;
		if (!there)
			return RV_OK;
		if (take_row(reading, pull, err) != RV_OK)
			return err->status;
	}
}

static enum rv_status check_count(const struct rv_snowflake_reading *reading, size_t partition,
				  uint64_t seen, struct rv_error *err)
{
	uint64_t want = partition < reading->partitions ? reading->partition_rows[partition] : UINT64_MAX;
	if (want == UINT64_MAX || want == seen)
		return RV_OK;
	return rv_fail(err, RV_BAD_DATA, "partition %zu of the answer has %llu rows, and %llu were promised",
		       partition, (unsigned long long)seen, (unsigned long long)want);
}

/* ---- answers ---------------------------------------------------------------------------------- */

/* One key of the answer that is not rows. */
static enum rv_status take_member(struct rv_snowflake_reading *reading, struct rv_json_pull *pull,
				  const char *key, size_t *room, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	json_error_t why;
	rv_strbuf_limit(&text, *room);
	if (rv_json_pull_value(pull, &text, err) != RV_OK)
		return err->status;
	*room -= text.len;
	json_t *value = json_loadb(text.bytes, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (!value)
		return rv_json_pull_wrong(pull, why.text, err);
	json_object_set_new(reading->head, key, value);
	return RV_OK;
}

/* Everything but rows into the head; rows too, where it is known what they are. */
static enum rv_status read_object(struct rv_snowflake_reading *reading, struct rv_str body,
				  bool metadata_is_known, bool *ret_rows_left, struct rv_error *err)
{
	RV_CLEANUP(rv_snowflake_bytes_free_p) struct rv_snowflake_bytes *bytes = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;
	struct rv_json_pull pull = rv_snowflake_pull(body, "the answer", &bytes);
	bool first = true, there, has_rows = false;
	size_t room = HEAD_MAX_BYTES;
	*ret_rows_left = false;
	rv_strbuf_limit(&key, 1024);
	if (rv_json_pull_take(&pull, '{', err) != RV_OK)
		return err->status;
	for (;;) {
		if (rv_json_pull_next(&pull, '}', &first, &key, &there, err) != RV_OK)
			return err->status;
		if (!there)
			break;
		int c = -1;
		if (rv_json_pull_peek(&pull, &c, err) != RV_OK)
			return err->status;
		bool is_rows = strcmp(key.bytes, "data") == 0 && c == '[';
		enum rv_status status;
		if (is_rows && has_rows)
			return rv_json_pull_wrong(&pull, "it has rows twice", err);
		has_rows |= is_rows;
		if (is_rows && reading->columns) {
			status = take_rows(reading, &pull, err);
		} else if (is_rows || metadata_is_known) {
			*ret_rows_left |= is_rows;
			status = rv_json_pull_value(&pull, NULL, err);
		} else {
			bool is_meta = strcmp(key.bytes, "resultSetMetaData") == 0;
			if (is_meta && reading->columns)
				return rv_json_pull_wrong(&pull, "it says twice what its rows are", err);
			status = take_member(reading, &pull, key.bytes, &room, err);
			if (status == RV_OK && is_meta)
				status = take_metadata(reading, err);
		}
		if (status != RV_OK)
			return status;
	}
	reading->has_rows = has_rows;
	return rv_json_pull_end(&pull, err);
}

static void take_stats(struct rv_snowflake_reading *reading)
{
	static const char *const names[] = { "numRowsInserted", "numRowsUpdated", "numRowsDeleted" };
	const json_t *stats = json_object_get(reading->head, "stats");
	uint64_t changed = 0;
	if (!json_is_object(stats))
		return;
	for (size_t i = 0; i < 3; i++)
		changed += count_of(json_object_get(stats, names[i]));
	reading->rows_changed = changed;
}

/* The data that is bad is not the user's: it is the service that fails. */
static enum rv_status blame(const struct rv_snowflake_reading *reading, struct rv_error *err)
{
	if (err->status == RV_BAD_DATA && !reading->sink_failed)
		err->status = RV_FAILED;
	return err->status;
}

static enum rv_status read_first(struct rv_snowflake_reading *reading, struct rv_str body,
				 struct rv_error *err)
{
	bool rows_left;
	reading->head = json_object();
	if (read_object(reading, body, false, &rows_left, err) != RV_OK)
		return err->status;
	if (rows_left && !reading->columns)
		return wrong(err, "it has rows, and does not say of what");
	if (rows_left && read_object(reading, body, true, &rows_left, err) != RV_OK)
		return err->status;
	if (!reading->columns)
		reading->partitions = 1;
	if (reading->columns && check_count(reading, 0, reading->rows_seen, err) != RV_OK)
		return err->status;
	take_stats(reading);
	return RV_OK;
}

/* {"data":[...]}: without metadata, which came with the first. */
static enum rv_status read_partition(struct rv_snowflake_reading *reading, size_t number,
				     struct rv_str body, struct rv_error *err)
{
	uint64_t before = reading->rows_seen;
	bool rows_left;
	if (!reading->columns)
		return wrong(err, "it has partitions, and does not say of what");
	if (read_object(reading, body, true, &rows_left, err) != RV_OK)
		return err->status;
	/* Where nobody promised a number, one that brings none would go unnoticed. */
	if (!reading->has_rows)
		return wrong(err, "a partition has no rows");
	return check_count(reading, number, reading->rows_seen - before, err);
}

static enum rv_status read_end(struct rv_snowflake_reading *reading, struct rv_error *err)
{
	const json_t *rows = json_object_get(json_object_get(reading->head, "resultSetMetaData"), "numRows");
	if (!reading->columns)
		return RV_OK;
	if (json_is_integer(rows) && count_of(rows) != reading->rows_seen)
		return rv_fail(err, RV_BAD_DATA, "the answer has %llu rows, and %llu were promised",
			       (unsigned long long)reading->rows_seen,
			       (unsigned long long)count_of(rows));
	if (reading->values_count || !reading->given)
		return give_page(reading, err);
	return RV_OK;
}

enum rv_status rv_snowflake_read_first(struct rv_snowflake_reading *reading, struct rv_str body,
				       struct rv_error *err)
{
	return read_first(reading, body, err) == RV_OK ? RV_OK : blame(reading, err);
}

enum rv_status rv_snowflake_read_partition(struct rv_snowflake_reading *reading, size_t number,
					   struct rv_str body, struct rv_error *err)
{
	return read_partition(reading, number, body, err) == RV_OK ? RV_OK : blame(reading, err);
}

enum rv_status rv_snowflake_read_end(struct rv_snowflake_reading *reading, struct rv_error *err)
{
	return read_end(reading, err) == RV_OK ? RV_OK : blame(reading, err);
}
