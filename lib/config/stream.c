/*
 * Names of streams, and what they are called in the lake, the warehouse and Firehose.
 *
 * The grammar is narrow on purpose: no upper case (DuckDB takes "Clicks" and "clicks" for one table
 * even when quoted) and no hyphen (it separates business and name for Firehose).
 */
#include "config/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "config/definition_parse.h"

#define DEFAULT_BUSINESS "main"

static const char *const reserved_businesses[] = {
	"river", "temp", "system", "memory", "information_schema", "pg_catalog", NULL,
};
static const char *const reserved_endings[] = {"_clean", "_latest", "_refused", NULL};

static bool is_name(const char *s, size_t len, size_t max)
{
	if (len == 0 || len > max || s[0] < 'a' || s[0] > 'z')
		return false;
	for (size_t i = 1; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '_'))
			return false;
	return true;
}

/* "Web-Shop/Page.Views" as "web_shop/page_views", when that would do. */
static void suggest_name(const char *text, struct rv_error *err)
{
	char try[RV_STREAM_TEXT] = "";
	size_t len = strlen(text);

	const char *dot = strchr(text, '.');

	if (dot && is_name(text, (size_t)(dot - text), RV_BUSINESS_MAX)) {
		size_t name_len = strlen(dot + 1);

		for (size_t i = 0; reserved_endings[i]; i++)
			if (rv_ends_with(dot + 1, reserved_endings[i]))
				name_len -= strlen(reserved_endings[i]);
		if (is_name(dot + 1, name_len, RV_STREAM_NAME_MAX)) {
			rv_hint(err, "did you mean %.*s/%.*s? (%s is its table)", (int)(dot - text), text,
				(int)name_len, dot + 1, text);
			return;
		}
	}
	if (len >= sizeof(try) || len == 0)
		return;
	for (size_t i = 0; i <= len; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if (c == '-' || c == '.' || c == ' ')
			c = '_';
		try[i] = c;
	}
	const char *slash = strchr(try, '/');
	const char *name = slash ? slash + 1 : try;

	if ((!slash || is_name(try, (size_t)(slash - try), RV_BUSINESS_MAX)) &&
	    is_name(name, strlen(name), RV_STREAM_NAME_MAX))
		rv_hint(err, "did you mean %s?", try);
}

bool rv_def_schema_is_taken(const char *schema)
{
	for (size_t i = 0; reserved_businesses[i]; i++)
		if (strcmp(reserved_businesses[i], schema) == 0)
			return true;
	return false;
}

enum rv_status rv_stream_parse_name(const char *text, struct rv_stream *ret, struct rv_error *err)
{
	const char *slash = strchr(text, '/');
	const char *business = slash ? text : DEFAULT_BUSINESS;
	size_t business_len = slash ? (size_t)(slash - text) : strlen(DEFAULT_BUSINESS);
	const char *name = slash ? slash + 1 : text;
	size_t name_len = strlen(name);

	if (!is_name(business, business_len, RV_BUSINESS_MAX) ||
	    !is_name(name, name_len, RV_STREAM_NAME_MAX)) {
		rv_fail(err, RV_USAGE, "'%.200s' is not a stream name", text);
		rv_hint(err,
			"a stream is business/name or name: lower case letters, digits and _, a letter "
			"first, at most %d and %d characters",
			RV_BUSINESS_MAX, RV_STREAM_NAME_MAX);
		suggest_name(text, err);
		return RV_USAGE;
	}
	char schema[RV_BUSINESS_MAX + 1];

	memcpy(schema, business, business_len);
	schema[business_len] = '\0';
	if (rv_def_schema_is_taken(schema)) {
		rv_fail(err, RV_USAGE, "business '%s' is reserved (stream '%s')", schema, text);
		rv_hint(err, RV_DEF_SCHEMAS_TAKEN "; choose another business");
		return RV_USAGE;
	}
	for (size_t i = 0; reserved_endings[i]; i++)
		if (rv_ends_with(name, reserved_endings[i])) {
			rv_fail(err, RV_USAGE, "stream names may not end in %s ('%s')",
				reserved_endings[i], text);
			rv_hint(err,
				"_clean, _latest and _refused are the tables river makes beside a "
				"stream's own");
			return RV_USAGE;
		}
	memcpy(ret->business, business, business_len);
	ret->business[business_len] = '\0';
	memcpy(ret->name, name, name_len + 1);
	return RV_OK;
}

const char *rv_stream_text(const struct rv_stream *stream, char *buf)
{
	snprintf(buf, RV_STREAM_TEXT, "%s/%s", stream->business, stream->name);
	return buf;
}

void rv_stream_init(struct rv_stream *stream)
{
	*stream = (struct rv_stream){
		.csv = RV_CSV_DIALECT_INIT,
		.layers = RV_LAYER_RAW,
		.monitor_freshness_ms = 15 * 60 * 1000,
		.batch_bytes = 64 << 20,
		.batch_age_ms = 60 * 1000,
	};
}

void rv_string_list_add(struct rv_string_list *list, const char *item, size_t len)
{
	list->items = rv_realloc_array(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = rv_strndup(item, len);
}

bool rv_string_list_has(const struct rv_string_list *list, const char *item)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], item) == 0)
			return true;
	return false;
}

static void free_strings(char **items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(items[i]);
	free(items);
}

void rv_string_list_release(struct rv_string_list *list)
{
	free_strings(list->items, list->count);
	*list = (struct rv_string_list){0};
}

void rv_stream_release(struct rv_stream *stream)
{
	if (!stream)
		return;
	free_strings(stream->csv.names, stream->csv.names_count);
	free_strings(stream->csv.nulls, stream->csv.nulls_count);
	rv_string_list_release(&stream->key);
	free(stream->order_by);
	rv_string_list_release(&stream->dedup_columns);
	free(stream->delete_column);
	free(stream->delete_equals);
	for (size_t i = 0; i < stream->columns_count; i++) {
		free(stream->columns[i].name);
		free(stream->columns[i].from);
		free(stream->columns[i].format);
		free(stream->columns[i].timezone);
	}
	free(stream->columns);
	rv_string_list_release(&stream->cluster_by);
	rv_string_list_release(&stream->grants_read);
	rv_string_list_release(&stream->grants_push);
	rv_string_list_release(&stream->grants_admin);
	rv_string_list_release(&stream->mask);
	free(stream->retention_warehouse);
	rv_stream_init(stream);
}

void rv_stream_release_p(struct rv_stream *stream)
{
	rv_stream_release(stream);
}

const char *rv_stream_catalog_name(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX])
{
	snprintf(buf, RV_STREAM_PLACE_MAX, "_river/streams/%s/%s.json", stream->business,
		 stream->name);
	return buf;
}

const char *rv_stream_data_prefix(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX])
{
	snprintf(buf, RV_STREAM_PLACE_MAX, "data/%s/%s/", stream->business, stream->name);
	return buf;
}

const char *rv_stream_since(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX])
{
	if (stream->since[0] == '\0')
		buf[0] = '\0';
	else
		snprintf(buf, RV_STREAM_PLACE_MAX, "data/%s/%s/%s", stream->business, stream->name,
			 stream->since);
	return buf;
}

const char *rv_stream_run_folder(const struct rv_stream *stream, int64_t ms, char buf[RV_TIME_TEXT])
{
	rv_format_folder(ms, buf);
	if (stream->since[0] && strcmp(buf, stream->since) < 0)
		snprintf(buf, RV_TIME_TEXT, "%s", stream->since);
	return buf;
}

const char *rv_stream_table(const struct rv_stream *stream, enum rv_table table,
			    char buf[RV_STREAM_PLACE_MAX])
{
	static const char *const endings[] = {"", "_clean", "_latest", "_refused"};

	snprintf(buf, RV_STREAM_PLACE_MAX, "%s.%s%s", stream->business, stream->name,
		 endings[table]);
	return buf;
}

const char *rv_stream_firehose(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX])
{
	snprintf(buf, RV_STREAM_PLACE_MAX, "river-%s-%s", stream->business, stream->name);
	return buf;
}

const struct rv_column *rv_stream_column(const struct rv_stream *stream, const char *name)
{
	for (size_t i = 0; i < stream->columns_count; i++)
		if (strcmp(stream->columns[i].name, name) == 0)
			return &stream->columns[i];
	return NULL;
}
