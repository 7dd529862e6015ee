/*
 * A definition as JSON (the catalog, --output json), as YAML (show), and compared with another.
 * All three are views of one JSON form, so they cannot disagree about what a setting is called.
 */
#include "config/definition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

const char *rv_column_type_text(const struct rv_column *column, char *buf)
{
	if (column->type == RV_COLUMN_DECIMAL)
		snprintf(buf, RV_COLUMN_TYPE_TEXT, "decimal(%u,%u)", column->precision,
			 column->scale);
	else
		snprintf(buf, RV_COLUMN_TYPE_TEXT, "%s", rv_column_type_name(column->type));
	return buf;
}

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) != 0)
		rv_bug("cannot set %s", key);
}

/* Definitions hold UTF-8 only: YAML and JSON see to it, and rv_definition_parse for flags. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	if (!json)
		rv_bug("a definition holds text that is not UTF-8");
	return json;
}

static json_t *list_json(char *const *items, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, text_json(items[i]));
	return array;
}

static void set_list(json_t *object, const char *key, const struct rv_string_list *list)
{
	if (list->count)
		set(object, key, list_json(list->items, list->count));
}

/* Exactly the value, in the largest unit that divides it. */
static json_t *duration_json(int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t i = 0;

	while (ms % units[i].ms)
		i++;
	/* 60s reads better than 1m, and is how it is usually written */
	if (ms == 60000)
		i = 3;
	return json_sprintf("%" PRId64 "%s", ms / units[i].ms, units[i].unit);
}

static json_t *size_json(uint64_t bytes)
{
	static const char *const units[] = {"GiB", "MiB", "KiB"};

	for (int i = 0; i < 3; i++) {
		unsigned shift = 30 - 10 * (unsigned)i;

		if (bytes && bytes % ((uint64_t)1 << shift) == 0)
			return json_sprintf("%" PRIu64 "%s", bytes >> shift, units[i]);
	}
	return json_sprintf("%" PRIu64, bytes);
}

static json_t *csv_json(const struct rv_csv_dialect *csv)
{
	json_t *json = json_object();
	char delimiter[2] = {csv->delimiter, '\0'}, quote[2] = {csv->quote, '\0'};

	/* left out, it is a comma, or what a file's name says */
	if (csv->delimiter_given || csv->delimiter != ',')
		set(json, "delimiter", json_string(csv->delimiter == '\t' ? "tab" : delimiter));
	set(json, "quote", json_string(csv->quote ? quote : "none"));
	set(json, "header", json_boolean(!csv->no_header));
	if (csv->names_count)
		set(json, "names", list_json(csv->names, csv->names_count));
	if (csv->nulls_count)
		set(json, "null", list_json(csv->nulls, csv->nulls_count));
	set(json, "encoding", json_string("utf-8"));
	return json;
}

static json_t *column_json(const struct rv_column *column)
{
	json_t *json = json_object();
	char type[RV_COLUMN_TYPE_TEXT];

	set(json, "name", json_string(column->name));
	set(json, "type", json_string(rv_column_type_text(column, type)));
	if (column->required)
		set(json, "required", json_true());
	if (column->from)
		set(json, "from", text_json(column->from));
	if (column->format)
		set(json, "format", text_json(column->format));
	if (column->timezone)
		set(json, "timezone", json_string(column->timezone));
	return json;
}

/* Every setting, in the order of design.md 7; nothing that tells one stream from another. */
static void add_settings(json_t *json, const struct rv_stream *stream)
{
	static const char *const formats[] = {"auto", "ndjson", "json", "csv", "text"};
	static const char *const compressions[] = {"zstd", "gzip", "gzip:small", "none"};
	static const char *const stamps[] = {"none", "id", "full"};
	static const char *const layers[] = {"raw", "clean", "latest"};
	json_t *part;

	set(json, "format", json_string(formats[stream->format]));
	if (stream->format == RV_FORMAT_CSV)
		set(json, "csv", csv_json(&stream->csv));
	set_list(json, "key", &stream->key);
	if (stream->order_by)
		set(json, "order_by", json_string(stream->order_by));
	if (stream->dedup == RV_DEDUP_NONE)
		set(json, "dedup", json_string("none"));
	else if (stream->dedup == RV_DEDUP_CONTENT)
		set(json, "dedup", json_string("content"));
	else if (stream->dedup == RV_DEDUP_COLUMNS)
		set_list(json, "dedup", &stream->dedup_columns);
	if (stream->delete_column) {
		part = json_object();
		set(part, "column", json_string(stream->delete_column));
		set(part, "equals", text_json(stream->delete_equals));
		set(json, "delete_when", part);
	}
	part = json_array();
	for (unsigned i = 0; i < 3; i++)
		if (stream->layers & (1u << i))
			json_array_append_new(part, json_string(layers[i]));
	set(json, "layers", part);
	if (stream->columns_count) {
		part = json_array();
		for (size_t i = 0; i < stream->columns_count; i++)
			json_array_append_new(part, column_json(&stream->columns[i]));
		set(json, "columns", part);
	}
	set(json, "contract",
	    json_string(stream->contract == RV_CONTRACT_REJECT ? "reject" : "evolve"));
	set_list(json, "cluster_by", &stream->cluster_by);
	if (stream->grants_read.count || stream->grants_push.count || stream->grants_admin.count) {
		part = json_object();
		set_list(part, "read", &stream->grants_read);
		set_list(part, "push", &stream->grants_push);
		set_list(part, "admin", &stream->grants_admin);
		set(json, "grants", part);
	}
	set_list(json, "mask", &stream->mask);
	if (stream->retention_warehouse)
		set(json, "retention",
		    json_pack("{s:s}", "warehouse", stream->retention_warehouse));
	set(json, "monitor",
	    json_pack("{s:o}", "freshness", duration_json(stream->monitor_freshness_ms)));
	part = json_object();
	set(part, "size", size_json(stream->batch_bytes));
	set(part, "records", json_integer((json_int_t)stream->batch_records));
	set(part, "age", duration_json(stream->batch_age_ms));
	set(json, "batch", part);
	set(json, "compression", json_string(compressions[stream->compression]));
	set(json, "stamp", json_string(stamps[stream->stamp]));
	set(json, "pipe", json_string(stream->pipe_notify ? "notify" : "auto"));
}

json_t *rv_definition_json(const struct rv_stream *stream)
{
	json_t *json = json_object();
	char text[RV_STREAM_TEXT], time[RV_TIME_TEXT];

	/* the oldest that says it all, for the sake of rivers that know no newer one */
	bool comma_given = stream->format == RV_FORMAT_CSV && stream->csv.delimiter_given &&
			   stream->csv.delimiter == ',';

	set(json, "v", json_integer(comma_given ? RV_DEFINITION_VERSION : 1));
	set(json, "stream", json_string(rv_stream_text(stream, text)));
	if (stream->id[0]) {
		set(json, "id", json_string(stream->id));
		set(json, "created", json_string(rv_format_time(stream->created_ms, time)));
		set(json, "creator", json_string(stream->nonce));
	}
	if (stream->since[0])
		set(json, "since", json_string(stream->since));
	add_settings(json, stream);
	return json;
}

/* ---- YAML -------------------------------------------------------------------------------------
 */

static bool is_plain_yaml(const char *s)
{
	static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off"};
	size_t fine =
		strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+");

	if (!s[0] || s[fine] || strchr("./+", s[0]))
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(words[i], s) == 0)
			return false;
	/* numbers would be read as text all the same, but people should see which they are */
	return strspn(s, "0123456789.+") != strlen(s);
}

/* The code of a character that JSON may hold as it is and YAML may not, or would take for a line end (YAML 1.1,
 * 5.1 and 5.4); 0: none. *ret_len: its bytes. */
static unsigned not_for_yaml(const unsigned char *p, size_t len, size_t *ret_len)
{
	*ret_len = p[0] == 0x7f ? 1 : p[0] == 0xc2 ? 2 : 3;
	if (*ret_len > len)
		return 0;
	unsigned code = *ret_len == 1 ? p[0]
			: *ret_len == 2 ? (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu)
			: (p[0] & 0xf0) == 0xe0
				? (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu) : 0;

	return (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 || code == 0xfeff ||
			       code == 0xfffe || code == 0xffff ? code : 0;
}

static void yaml_text(const char *s, size_t len, struct rv_strbuf *sb)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf json = RV_STRBUF_INIT;
	size_t n;

	rv_strbuf_json(&json, s, len);
	for (size_t i = 0; i < json.len; i += n) {
		unsigned code = not_for_yaml((const unsigned char *)json.bytes + i, json.len - i, &n);

		if (code) {
			rv_strbuf_printf(sb, "\\u%04x", code);
		} else {
			n = 1;
			rv_strbuf_putc(sb, json.bytes[i]);
		}
	}
}

/* One line, in flow style. */
static void yaml_value(const json_t *json, struct rv_strbuf *sb)
{
	if (json_is_string(json)) {
		if (is_plain_yaml(json_string_value(json)))
			rv_strbuf_puts(sb, json_string_value(json));
		else
			yaml_text(json_string_value(json), json_string_length(json), sb);
	} else if (json_is_array(json)) {
		rv_strbuf_putc(sb, '[');
		for (size_t i = 0; i < json_array_size(json); i++) {
			rv_strbuf_puts(sb, i ? ", " : "");
			yaml_value(json_array_get(json, i), sb);
		}
		rv_strbuf_putc(sb, ']');
	} else if (json_is_object(json)) {
		bool first = true;
		json_t *writable =
			(json_t *)(uintptr_t)json; /* jansson's iterators are not const */

		rv_strbuf_puts(sb, "{ ");
		for (void *it = json_object_iter(writable); it;
		     it = json_object_iter_next(writable, it)) {
			rv_strbuf_printf(sb, "%s%s: ", first ? "" : ", ", json_object_iter_key(it));
			yaml_value(json_object_iter_value(it), sb);
			first = false;
		}
		rv_strbuf_puts(sb, " }");
	} else if (json_is_integer(json)) {
		rv_strbuf_printf(sb, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	} else {
		rv_strbuf_puts(sb, json_is_true(json) ? "true" : "false");
	}
}

void rv_definition_yaml(const struct rv_stream *stream, struct rv_strbuf *sb)
{
	char text[RV_STREAM_TEXT], time[RV_TIME_TEXT];
	json_t *json = json_object();

	rv_strbuf_printf(sb, "stream: %s\n", rv_stream_text(stream, text));
	if (stream->id[0])
		rv_strbuf_printf(sb, "# id %s, created %s\n", stream->id,
				 rv_format_time(stream->created_ms, time));
	if (stream->since[0])
		rv_strbuf_printf(sb, "# objects before %s belong to a former stream\n",
				 stream->since);
	add_settings(json, stream);
	for (void *it = json_object_iter(json); it; it = json_object_iter_next(json, it)) {
		const char *key = json_object_iter_key(it);
		json_t *value = json_object_iter_value(it);

		rv_strbuf_printf(sb, "%s:", key);
		if (strcmp(key, "columns") != 0) {
			rv_strbuf_putc(sb, ' ');
			yaml_value(value, sb);
			rv_strbuf_putc(sb, '\n');
			continue;
		}
		rv_strbuf_putc(sb, '\n');
		for (size_t i = 0; i < json_array_size(value); i++) {
			json_t *column = json_array_get(value, i);

			rv_strbuf_printf(sb, "  %s: ", stream->columns[i].name);
			json_object_del(column, "name");
			yaml_value(column, sb);
			rv_strbuf_putc(sb, '\n');
		}
	}
	json_decref(json);
}

/* ---- comparison -------------------------------------------------------------------------------
 */

/* Settings as key and text: "batch.size" and "64MiB", "columns.price" and "{ type: ... }". */
struct flat {
	struct flat_item {
		char *key, *text;
	} * items;
	size_t count, capacity;
};

static void flat_add(struct flat *flat, char *key, const json_t *value)
{
	struct rv_strbuf text = RV_STRBUF_INIT;

	yaml_value(value, &text);
	RV_GROW(flat->items, flat->count, flat->capacity);
	flat->items[flat->count++] = (struct flat_item){key, rv_strbuf_take(&text)};
}

static void flat_of(const struct rv_stream *stream, struct flat *flat)
{
	json_t *json = json_object();

	add_settings(json, stream);
	for (void *it = json_object_iter(json); it; it = json_object_iter_next(json, it)) {
		const char *key = json_object_iter_key(it);
		json_t *value = json_object_iter_value(it);

		if (strcmp(key, "columns") == 0) {
			for (size_t i = 0; i < json_array_size(value); i++) {
				json_object_del(json_array_get(value, i), "name");
				flat_add(flat, rv_asprintf("columns.%s", stream->columns[i].name),
					 json_array_get(value, i));
			}
		} else if (json_is_object(value) && strcmp(key, "delete_when") != 0) {
			for (void *in = json_object_iter(value); in;
			     in = json_object_iter_next(value, in))
				flat_add(flat, rv_asprintf("%s.%s", key, json_object_iter_key(in)),
					 json_object_iter_value(in));
		} else {
			flat_add(flat, rv_strdup(key), value);
		}
	}
	json_decref(json);
}

static void flat_release(struct flat *flat)
{
	for (size_t i = 0; i < flat->count; i++) {
		free(flat->items[i].key);
		free(flat->items[i].text);
	}
	free(flat->items);
}

static const char *flat_find(const struct flat *flat, const char *key, size_t guess)
{
	if (guess < flat->count && strcmp(flat->items[guess].key, key) == 0)
		return flat->items[guess].text;
	for (size_t i = 0; i < flat->count; i++)
		if (strcmp(flat->items[i].key, key) == 0)
			return flat->items[i].text;
	return NULL;
}

size_t rv_definition_diff(const struct rv_stream *from, const struct rv_stream *to,
			  void (*each)(void *arg, const char *key, const char *from,
				       const char *to),
			  void *arg)
{
	RV_CLEANUP(flat_release) struct flat old = {0};
	RV_CLEANUP(flat_release) struct flat new = {0};
	size_t differences = 0;

	flat_of(from, &old);
	flat_of(to, &new);
	for (size_t i = 0; i < old.count; i++) {
		const char *there = flat_find(&new, old.items[i].key, i);

		if (there && strcmp(there, old.items[i].text) == 0)
			continue;
		differences++;
		if (each)
			each(arg, old.items[i].key, old.items[i].text, there);
	}
	for (size_t i = 0; i < new.count; i++)
		if (!flat_find(&old, new.items[i].key, i)) {
			differences++;
			if (each)
				each(arg, new.items[i].key, NULL, new.items[i].text);
		}
	return differences;
}

static void note_rebuild(void *arg, const char *key, const char *from, const char *to RV_UNUSED)
{
	static const char *const keys[] = {"key",         "order_by", "dedup",
					   "delete_when", "contract", "stamp"};
	bool *rebuilds = arg;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		*rebuilds |= strcmp(keys[i], key) == 0;
	/* changed or removed; an added column has no `from`, unless it can refuse old records */
	if (rv_starts_with(key, "columns."))
		*rebuilds |= from != NULL || (to && strstr(to, "required: true"));
}

bool rv_definition_rebuilds(const struct rv_stream *from, const struct rv_stream *to)
{
	bool rebuilds = false;

	/* without clean there was nothing to make again */
	if (from->layers & RV_LAYER_CLEAN)
		rv_definition_diff(from, to, note_rebuild, &rebuilds);
	return rebuilds;
}
