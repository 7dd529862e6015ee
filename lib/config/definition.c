/*
 * From a tree to a checked struct rv_stream: the one place that knows which settings there are,
 * what they may hold, and which of them make sense together.
 */
#include "config/definition_parse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"

enum rv_status rv_def_bad(struct rv_def *p, const struct rv_yaml_node *node, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	rv_fail(p->err, p->file ? RV_BAD_CONFIG : RV_USAGE, "%s", text.bytes);
	if (p->file)
		rv_error_at(p->err, p->file, node ? node->line : 0, node ? node->column : 0);
	return p->err->status;
}

enum rv_status rv_def_check_kind(struct rv_def *p, const struct rv_yaml_node *node,
				 enum rv_yaml_kind kind, const char *path)
{
	static const char *const kinds[] = {"one value", "a list", "a mapping"};

	if (node->kind == kind)
		return RV_OK;
	return rv_def_bad(p, node, "%s: %s is expected here, not %s", path, kinds[kind],
			  kinds[node->kind]);
}

/* Absent and null are the same: the setting keeps its default. */
const struct rv_yaml_node *rv_def_get(const struct rv_yaml_node *map, const char *key)
{
	const struct rv_yaml_node *node = rv_yaml_get(map, key);

	return node && rv_yaml_is_null(node) ? NULL : node;
}

enum rv_status rv_def_check_keys(struct rv_def *p, const struct rv_yaml_node *map, const char *path,
				 const char *const *known)
{
	for (size_t i = 0; i < map->count; i++) {
		const char *key = map->keys[i]->text;
		size_t j = 0;

		while (known[j] && strcmp(known[j], key) != 0)
			j++;
		if (known[j])
			continue;
		rv_def_bad(p, map->keys[i], "unknown key '%s%s%.200s'", path, *path ? "." : "",
			   key);
		const char *near = rv_nearest(key, known);
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf all = RV_STRBUF_INIT;

		for (j = 0; known[j]; j++)
			rv_strbuf_printf(&all, "%s%s", j ? ", " : "", known[j]);
		if (near)
			rv_hint(p->err, "did you mean '%s'?", near);
		else
			rv_hint(p->err, "known here: %s", all.bytes);
		return p->err->status;
	}
	return RV_OK;
}

enum rv_status rv_def_parse_choice(struct rv_def *p, const struct rv_yaml_node *node,
				   const char *path, const char *const *words, int *ret)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf all = RV_STRBUF_INIT;

	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], node->text) == 0) {
			*ret = i;
			return RV_OK;
		}
		rv_strbuf_printf(&all, "%s%s", i ? ", " : "", words[i]);
	}
	rv_def_bad(p, node, "%s: '%.200s' is not one of %s", path, node->text, all.bytes);
	const char *near = rv_nearest(node->text, words);

	if (near)
		rv_hint(p->err, "did you mean '%s'?", near);
	return p->err->status;
}

enum rv_status rv_def_parse_bool(struct rv_def *p, const struct rv_yaml_node *node,
				 const char *path, bool *ret)
{
	static const char *const words[] = {"false", "true", NULL};
	int choice = 0;

	if (rv_def_parse_choice(p, node, path, words, &choice) != RV_OK)
		return p->err->status;
	*ret = choice == 1;
	return RV_OK;
}

enum rv_status rv_def_parse_text(struct rv_def *p, const struct rv_yaml_node *node,
				 const char *path, size_t max, char **ret)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	if (!*node->text)
		return rv_def_bad(p, node, "%s: is empty", path);
	if (strlen(node->text) > max)
		return rv_def_bad(p, node, "%s: is longer than %zu bytes", path, max);
	free(*ret);
	*ret = rv_strdup(node->text);
	return RV_OK;
}

enum rv_status rv_def_parse_duration(struct rv_def *p, const struct rv_yaml_node *node,
				     const char *path, int64_t max_ms, int64_t *ret)
{
	int64_t ms;

	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	if (!rv_parse_duration(node->text, &ms)) {
		rv_def_bad(p, node, "%s: '%.200s' is not a duration", path, node->text);
		rv_hint(p->err, "write 250ms, 60s, 15m, 2h or 7d");
		return p->err->status;
	}
	if (ms <= 0 || ms > max_ms)
		return rv_def_bad(p, node,
				  "%s: must be more than 0 and at most %" PRId64 " days, not %s",
				  path, max_ms / 86400000, node->text);
	*ret = ms;
	return RV_OK;
}

/* A list of scalars; one scalar stands for a list of one. Nothing twice. */
enum rv_status rv_def_parse_list(struct rv_def *p, const struct rv_yaml_node *node,
				 const char *path, struct rv_string_list *ret)
{
	const struct rv_yaml_node *one[1] = {node};
	bool is_list = node->kind == RV_YAML_SEQUENCE;
	size_t count = is_list ? node->count : 1;

	for (size_t i = 0; i < count; i++) {
		const struct rv_yaml_node *item = is_list ? node->items[i] : one[0];

		if (rv_def_check_kind(p, item, RV_YAML_SCALAR, path) != RV_OK)
			return p->err->status;
		if (!*item->text || strlen(item->text) > 1024)
			return rv_def_bad(p, item, "%s: an item is empty or longer than 1024 bytes",
					  path);
		if (rv_string_list_has(ret, item->text))
			return rv_def_bad(p, item, "%s: '%.200s' is there twice", path, item->text);
		rv_string_list_add(ret, item->text, strlen(item->text));
	}
	return RV_OK;
}

/* ---- the other settings -----------------------------------------------------------------------
 */

enum rv_status rv_def_parse_character(struct rv_def *p, const struct rv_yaml_node *node,
				     const char *path, char *ret)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	const char *s = node->text;

	if (strcmp(s, "tab") == 0 || strcmp(s, "\\t") == 0)
		s = "\t";
	unsigned char c = (unsigned char)s[0];

	if (strlen(s) != 1 || c >= 0x80 || (c < 0x20 && c != '\t') || c == 0x7f ||
	    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
		rv_def_bad(p, node, "%s: '%.200s' cannot be used", path, node->text);
		rv_hint(p->err,
			"one ASCII character that is neither letter nor digit; tab for a tabulator");
		return p->err->status;
	}
	*ret = s[0];
	return RV_OK;
}

static void take_list(struct rv_string_list *list, char ***ret_items, size_t *ret_count)
{
	*ret_items = list->items;
	*ret_count = list->count;
	*list = (struct rv_string_list){0};
}

static enum rv_status parse_csv(struct rv_def *p, const struct rv_yaml_node *node)
{
	static const char *const known[] = {"delimiter", "quote",    "header", "names",
					    "null",      "encoding", NULL};
	struct rv_csv_dialect *csv = &p->stream->csv;

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "csv") != RV_OK ||
	    rv_def_check_keys(p, node, "csv", known) != RV_OK)
		return p->err->status;
	const struct rv_yaml_node *delimiter = rv_def_get(node, "delimiter");
	const struct rv_yaml_node *quote = rv_def_get(node, "quote");
	const struct rv_yaml_node *header = rv_def_get(node, "header");
	const struct rv_yaml_node *names = rv_def_get(node, "names");
	const struct rv_yaml_node *null = rv_yaml_get(node, "null");
	const struct rv_yaml_node *encoding = rv_def_get(node, "encoding");

	if (delimiter && rv_def_parse_character(p, delimiter, "csv.delimiter", &csv->delimiter) != RV_OK)
		return p->err->status;
	csv->delimiter_given = delimiter && !(p->catalog && p->version == 1 && csv->delimiter == ',');
	if (quote && quote->kind == RV_YAML_SCALAR &&
	    (!*quote->text || strcmp(quote->text, "none") == 0))
		csv->quote = 0;
	else if (quote && rv_def_parse_character(p, quote, "csv.quote", &csv->quote) != RV_OK)
		return p->err->status;
	if (csv->quote == csv->delimiter)
		return rv_def_bad(p, quote ? quote : delimiter,
				  "csv: delimiter and quote are the same");
	if (header && header->kind == RV_YAML_SEQUENCE) {
		/* names of a file that has no header of its own */
		if (names)
			return rv_def_bad(p, names, "csv.names: `header` has the names already");
		names = header;
		csv->no_header = true;
	} else if (header) {
		bool has = true;

		if (rv_def_parse_bool(p, header, "csv.header", &has) != RV_OK)
			return p->err->status;
		csv->no_header = !has;
	}
	if (names) {
		struct rv_string_list list = {0};

		if (rv_def_parse_list(p, names, "csv.names", &list) != RV_OK) {
			rv_string_list_release(&list);
			return p->err->status;
		}
		take_list(&list, &csv->names, &csv->names_count);
	}
	if (null) {
		/* Here the empty text and a plain null are values: what stands for null in the
		 * file. */
		struct rv_string_list list = {0};
		bool is_list = null->kind == RV_YAML_SEQUENCE;

		for (size_t i = 0; i < (is_list ? null->count : 1); i++) {
			const struct rv_yaml_node *item = is_list ? null->items[i] : null;

			if (rv_def_check_kind(p, item, RV_YAML_SCALAR, "csv.null") != RV_OK) {
				rv_string_list_release(&list);
				return p->err->status;
			}
			if (!rv_string_list_has(&list, item->text))
				rv_string_list_add(&list, item->text, strlen(item->text));
		}
		take_list(&list, &csv->nulls, &csv->nulls_count);
	}
	if (encoding) {
		static const char *const words[] = {"utf-8", NULL};
		int choice;

		if (rv_def_parse_choice(p, encoding, "csv.encoding", words, &choice) != RV_OK) {
			rv_hint(p->err,
				"river reads UTF-8: convert on the way in, iconv -f LATIN1 -t UTF-8");
			return p->err->status;
		}
	}
	return RV_OK;
}

static enum rv_status parse_dedup(struct rv_def *p, const struct rv_yaml_node *node)
{
	struct rv_stream *stream = p->stream;

	if (node->kind == RV_YAML_SCALAR && strcmp(node->text, "none") == 0) {
		stream->dedup = RV_DEDUP_NONE;
	} else if (node->kind == RV_YAML_SCALAR && strcmp(node->text, "content") == 0) {
		stream->dedup = RV_DEDUP_CONTENT;
	} else {
		stream->dedup = RV_DEDUP_COLUMNS;
		if (rv_def_parse_list(p, node, "dedup", &stream->dedup_columns) != RV_OK)
			return p->err->status;
		if (stream->dedup_columns.count == 0)
			return rv_def_bad(p, node, "dedup: the list of columns is empty");
	}
	return RV_OK;
}

static enum rv_status parse_delete_when(struct rv_def *p, const struct rv_yaml_node *node)
{
	static const char *const known[] = {"column", "equals", NULL};

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "delete_when") != RV_OK ||
	    rv_def_check_keys(p, node, "delete_when", known) != RV_OK)
		return p->err->status;
	const struct rv_yaml_node *column = rv_def_get(node, "column"),
				  *equals = rv_def_get(node, "equals");

	if (!column || !equals)
		return rv_def_bad(p, node, "delete_when: needs both column and equals");
	if (rv_def_parse_text(p, column, "delete_when.column", 63, &p->stream->delete_column) !=
		    RV_OK ||
	    rv_def_check_kind(p, equals, RV_YAML_SCALAR, "delete_when.equals") != RV_OK)
		return p->err->status;
	p->stream->delete_equals = rv_strdup(equals->text);
	return RV_OK;
}

static enum rv_status parse_layers(struct rv_def *p, const struct rv_yaml_node *node)
{
	static const char *const words[] = {"raw", "clean", "latest", NULL};
	const struct rv_yaml_node *one[1] = {node};
	bool is_list = node->kind == RV_YAML_SEQUENCE;

	p->stream->layers = 0;
	for (size_t i = 0; i < (is_list ? node->count : 1); i++) {
		int choice;

		if (rv_def_parse_choice(p, is_list ? node->items[i] : one[0], "layers", words,
					&choice) != RV_OK)
			return p->err->status;
		p->stream->layers |= 1u << choice;
	}
	if (!(p->stream->layers & RV_LAYER_RAW))
		return rv_def_bad(p, node, "layers: raw is missing: the others are made from it");
	if ((p->stream->layers & RV_LAYER_LATEST) && !(p->stream->layers & RV_LAYER_CLEAN))
		return rv_def_bad(p, node, "layers: clean is missing: latest is made from it");
	return RV_OK;
}

/* As the warehouse spells it: a plain word, or anything in double quotes, where "" is one of them. */
static bool is_role_name(const char *role)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t len = strlen(role), inside = 0;

	if (role[0] != '"')
		return len > 0 && len <= 255 && strchr(letters, role[0]) &&
		       strspn(role, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$") == len;
	if (len < 3 || role[len - 1] != '"')
		return false;
	for (size_t i = 1; i < len - 1; i++, inside++)
		if (role[i] == '"' && (i + 1 == len - 1 || role[++i] != '"'))
			return false;
	return inside <= 255;
}

static enum rv_status parse_grants(struct rv_def *p, const struct rv_yaml_node *node)
{
	static const char *const known[] = {"read", "push", "admin", NULL};
	struct rv_string_list *const lists[] = {&p->stream->grants_read, &p->stream->grants_push,
						&p->stream->grants_admin};

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "grants") != RV_OK ||
	    rv_def_check_keys(p, node, "grants", known) != RV_OK)
		return p->err->status;
	for (size_t i = 0; known[i]; i++) {
		const struct rv_yaml_node *roles = rv_def_get(node, known[i]);

		if (!roles)
			continue;
		if (rv_def_parse_list(p, roles, "grants", lists[i]) != RV_OK)
			return p->err->status;
		for (size_t j = 0; j < lists[i]->count; j++) {
			const char *role = lists[i]->items[j];

			if (!is_role_name(role)) {
				rv_def_bad(p, roles, "grants.%s: '%.200s' is not a role name", known[i],
					   role);
				rv_hint(p->err, "letters, digits, '_' and '$' stand as they are, and count as "
						"upper case; all else stands in double quotes: '\"my-role\"'");
				return p->err->status;
			}
		}
	}
	return RV_OK;
}

/* "3 months", "1 day": a number of calendar units, kept as text for the warehouse. */
static enum rv_status parse_retention(struct rv_def *p, const struct rv_yaml_node *node)
{
	static const char *const known[] = {"warehouse", NULL};
	static const char *const units[] = {"day", "week", "month", "year", NULL};
	unsigned n = 0;

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "retention") != RV_OK ||
	    rv_def_check_keys(p, node, "retention", known) != RV_OK)
		return p->err->status;
	const struct rv_yaml_node *warehouse = rv_def_get(node, "warehouse");

	if (!warehouse)
		return RV_OK;
	if (rv_def_check_kind(p, warehouse, RV_YAML_SCALAR, "retention.warehouse") != RV_OK)
		return p->err->status;
	const char *s = warehouse->text;

	if (rv_def_take_number(&s, &n) && n >= 1) {
		s = rv_def_skip_spaces(s);
		for (size_t i = 0; units[i]; i++) {
			size_t len = strlen(units[i]);

			if (strncmp(s, units[i], len) == 0 &&
			    (!s[len] || strcmp(s + len, "s") == 0)) {
				p->stream->retention_warehouse =
					rv_asprintf("%u %s%s", n, units[i], n == 1 ? "" : "s");
				return RV_OK;
			}
		}
	}
	rv_def_bad(p, warehouse, "retention.warehouse: '%.200s' is not a time to keep",
		   warehouse->text);
	rv_hint(p->err, "write 90 days, 3 months or 2 years, at most 1000 of them");
	return p->err->status;
}

static enum rv_status parse_batch(struct rv_def *p, const struct rv_yaml_node *node)
{
	static const char *const known[] = {"size", "records", "age", NULL};

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "batch") != RV_OK ||
	    rv_def_check_keys(p, node, "batch", known) != RV_OK)
		return p->err->status;
	const struct rv_yaml_node *size = rv_def_get(node, "size"),
				  *records = rv_def_get(node, "records"),
				  *age = rv_def_get(node, "age");

	if (size) {
		if (rv_def_check_kind(p, size, RV_YAML_SCALAR, "batch.size") != RV_OK)
			return p->err->status;
		uint64_t bytes;

		if (!rv_parse_size(size->text, &bytes)) {
			rv_def_bad(p, size, "batch.size: '%.200s' is not a size", size->text);
			rv_hint(p->err, "write 64MiB, 512KiB or a number of bytes");
			return p->err->status;
		}
		/* one object is at most what a single S3 put takes */
		if (bytes == 0 || bytes > (uint64_t)5 << 30)
			return rv_def_bad(p, size,
					  "batch.size: must be more than 0 and at most 5GiB");
		p->stream->batch_bytes = bytes;
	}
	if (records) {
		if (rv_def_check_kind(p, records, RV_YAML_SCALAR, "batch.records") != RV_OK)
			return p->err->status;
		/* as much as JSON is written with */
		if (!rv_parse_u64(records->text, strlen(records->text), &p->stream->batch_records) ||
		    p->stream->batch_records > INT64_MAX)
			return rv_def_bad(p, records, "batch.records: '%.200s' is not a number",
					  records->text);
	}
	if (age)
		return rv_def_parse_duration(p, age, "batch.age", 86400000, &p->stream->batch_age_ms);
	return RV_OK;
}

static enum rv_status parse_monitor(struct rv_def *p, const struct rv_yaml_node *node)
{
	static const char *const known[] = {"freshness", NULL};

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "monitor") != RV_OK ||
	    rv_def_check_keys(p, node, "monitor", known) != RV_OK)
		return p->err->status;
	const struct rv_yaml_node *freshness = rv_def_get(node, "freshness");

	return freshness ? rv_def_parse_duration(p, freshness, "monitor.freshness",
					  (int64_t)366 * 86400000, &p->stream->monitor_freshness_ms)
			 : RV_OK;
}

/* ---- what must fit together -------------------------------------------------------------------
 */

static enum rv_status need_column(struct rv_def *p, const struct rv_yaml_node *node,
				  const char *path, const char *name, const struct rv_column **ret)
{
	*ret = rv_stream_column(p->stream, name);
	if (*ret)
		return RV_OK;
	RV_CLEANUP(rv_free_p)
	const char **names = rv_calloc(p->stream->columns_count + 1, sizeof(*names));

	for (size_t i = 0; i < p->stream->columns_count; i++)
		names[i] = p->stream->columns[i].name;
	rv_def_bad(p, node, "%s: there is no column '%.200s'", path, name);
	const char *near = rv_nearest(name, names);

	if (near)
		rv_hint(p->err, "did you mean '%s'?", near);
	else if (p->file)
		rv_hint(p->err, "declare it: columns: { %.100s: { type: string } }", name);
	else
		rv_hint(p->err, "declare it: --column %.100s=string", name);
	return p->err->status;
}

static enum rv_status check_delete_when(struct rv_def *p, const struct rv_yaml_node *node)
{
	struct rv_stream *stream = p->stream;
	const struct rv_column *column;
	uint64_t n;

	if (need_column(p, node, "delete_when", stream->delete_column, &column) != RV_OK)
		return p->err->status;
	const char *equals = stream->delete_equals;
	const char *digits = equals + (*equals == '-');

	switch (column->type) {
	case RV_COLUMN_STRING:
		return RV_OK;
	case RV_COLUMN_BOOLEAN:
		if (strcmp(equals, "true") == 0 || strcmp(equals, "false") == 0)
			return RV_OK;
		return rv_def_bad(p, node, "delete_when.equals: '%.200s' is neither true nor false",
				  equals);
	case RV_COLUMN_INTEGER:
		if (rv_parse_u64(digits, strlen(digits), &n) && n <= (uint64_t)INT64_MAX + (*equals == '-'))
			return RV_OK;
		return rv_def_bad(p, node, "delete_when.equals: '%.200s' is not an integer",
				  equals);
	default:
		return rv_def_bad(
			p, node,
			"delete_when.column: '%s' is a %s; string, boolean and integer work",
			column->name, rv_column_type_name(column->type));
	}
}

static enum rv_status check_cluster_by(struct rv_def *p, const struct rv_yaml_node *node)
{
	for (size_t i = 0; i < p->stream->cluster_by.count; i++) {
		const char *item = p->stream->cluster_by.items[i];
		const struct rv_column *column;
		bool date = rv_starts_with(item, "date("), hour = rv_starts_with(item, "hour(");
		RV_CLEANUP(rv_free_p) char *name = rv_strdup(item);

		if (date || hour) {
			size_t len = strlen(item);

			if (item[len - 1] != ')')
				return rv_def_bad(p, node, "cluster_by: '%.200s' is not closed",
						  item);
			free(name);
			name = rv_strndup(item + 5, len - 6);
		}
		if (need_column(p, node, "cluster_by", name, &column) != RV_OK)
			return p->err->status;
		if ((hour && column->type != RV_COLUMN_TIMESTAMP) ||
		    (date && column->type != RV_COLUMN_TIMESTAMP && column->type != RV_COLUMN_DATE))
			return rv_def_bad(p, node,
					  "cluster_by: %.4s() works on times, but '%s' is a %s",
					  item, column->name, rv_column_type_name(column->type));
		if (column->type == RV_COLUMN_JSON)
			return rv_def_bad(p, node, "cluster_by: '%s' is json", column->name);
	}
	return RV_OK;
}

static enum rv_status check_together(struct rv_def *p, const struct rv_yaml_node *root)
{
	struct rv_stream *stream = p->stream;
	const struct rv_column *column;
	const struct rv_yaml_node *node;
	bool has_key = stream->key.count > 0;

	node = rv_def_get(root, "key");
	for (size_t i = 0; i < stream->key.count; i++) {
		if (need_column(p, node, "key", stream->key.items[i], &column) != RV_OK)
			return p->err->status;
		if (column->type == RV_COLUMN_JSON)
			return rv_def_bad(p, node, "key: '%s' is json, which has no equality",
					  column->name);
	}
	node = rv_def_get(root, "layers");
	/* Who declares columns wants to query them: raw alone would do nothing with them. */
	if (!node && stream->columns_count)
		stream->layers |= RV_LAYER_CLEAN;
	if (!node && has_key)
		stream->layers |= RV_LAYER_CLEAN | RV_LAYER_LATEST;
	if ((stream->layers & RV_LAYER_LATEST) && !has_key) {
		rv_def_bad(p, node, "layers: latest needs a key");
		rv_hint(p->err,
			"latest holds the newest row per key: say which columns are the key");
		return p->err->status;
	}
	if ((stream->layers & RV_LAYER_CLEAN) && !stream->columns_count) {
		rv_def_bad(p, node, "layers: clean needs columns or a key");
		rv_hint(p->err, "clean holds the columns of the contract: declare at least one");
		return p->err->status;
	}
	if (stream->order_by) {
		node = rv_def_get(root, "order_by");
		if (!has_key)
			return rv_def_bad(p, node, "order_by: has no effect without a key");
		if (need_column(p, node, "order_by", stream->order_by, &column) != RV_OK)
			return p->err->status;
		if (column->type == RV_COLUMN_JSON || column->type == RV_COLUMN_BOOLEAN)
			return rv_def_bad(p, node,
					  "order_by: '%s' is a %s, which has no useful order",
					  column->name, rv_column_type_name(column->type));
	}
	if (stream->delete_column) {
		node = rv_def_get(root, "delete_when");
		if (!has_key)
			return rv_def_bad(p, node, "delete_when: has no effect without a key");
		if (check_delete_when(p, node) != RV_OK)
			return p->err->status;
	}
	node = rv_def_get(root, "dedup");
	for (size_t i = 0; i < stream->dedup_columns.count; i++)
		if (need_column(p, node, "dedup", stream->dedup_columns.items[i], &column) != RV_OK)
			return p->err->status;
	if ((stream->dedup == RV_DEDUP_CONTENT || stream->dedup == RV_DEDUP_COLUMNS) &&
	    !(stream->layers & RV_LAYER_CLEAN)) {
		rv_def_bad(p, node, "dedup: has no effect without the layer clean");
		rv_hint(p->err, "raw keeps everything that landed; add layers: [raw, clean]");
		return p->err->status;
	}
	node = rv_def_get(root, "mask");
	for (size_t i = 0; i < stream->mask.count; i++)
		if (need_column(p, node, "mask", stream->mask.items[i], &column) != RV_OK)
			return p->err->status;
	if (check_cluster_by(p, rv_def_get(root, "cluster_by")) != RV_OK)
		return p->err->status;
	if (stream->contract == RV_CONTRACT_REJECT && !stream->columns_count)
		return rv_def_bad(p, rv_def_get(root, "contract"),
				  "contract: reject needs declared columns");
	return RV_OK;
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static enum rv_status parse_catalog_keys(struct rv_def *p, const struct rv_yaml_node *root)
{
	struct rv_stream *stream = p->stream;
	const struct rv_yaml_node *id = rv_def_get(root, "id"),
				  *created = rv_def_get(root, "created"),
				  *creator = rv_def_get(root, "creator"),
				  *since = rv_def_get(root, "since");

	if (!id || id->kind != RV_YAML_SCALAR || !rv_ulid_valid(id->text, strlen(id->text)))
		return rv_def_bad(p, id, "id: is missing or not one");
	memcpy(stream->id, id->text, RV_ULID_TEXT);
	if (!created || created->kind != RV_YAML_SCALAR ||
	    !rv_parse_time(created->text, strlen(created->text), &stream->created_ms))
		return rv_def_bad(p, created, "created: is missing or not a time");
	if (!creator || creator->kind != RV_YAML_SCALAR ||
	    !rv_ulid_valid(creator->text, strlen(creator->text)))
		return rv_def_bad(p, creator, "creator: is missing or not one");
	memcpy(stream->nonce, creator->text, RV_ULID_TEXT);
	if (since) {
		if (since->kind != RV_YAML_SCALAR || !rv_starts_with(since->text, "dt=") ||
		    strlen(since->text) != strlen("dt=2026-11-20/hr=14"))
			return rv_def_bad(p, since, "since: is not a folder");
		memcpy(stream->since, since->text, strlen(since->text) + 1);
	}
	return RV_OK;
}

static enum rv_status parse_version(struct rv_def *p, const struct rv_yaml_node *node)
{
	uint64_t v = 0;

	if (!node || node->kind != RV_YAML_SCALAR ||
	    !rv_parse_u64(node->text, strlen(node->text), &v) || v == 0)
		return rv_def_bad(p, node,
				  "v: the version of the definition is missing or not a number");
	if (v > RV_DEFINITION_VERSION) {
		rv_def_bad(p, node,
			   "the definition has version %" PRIu64 ", this river knows up to %d", v,
			   RV_DEFINITION_VERSION);
		rv_hint(p->err, "a newer river wrote it: use that one");
		return p->err->status;
	}
	p->version = v;
	return RV_OK;
}

static enum rv_status parse_settings(struct rv_def *p, const struct rv_yaml_node *root)
{
	static const char *const formats[] = {"auto", "ndjson", "json", "csv", "text", NULL};
	static const char *const contracts[] = {"evolve", "reject", NULL};
	static const char *const compressions[] = {"zstd", "gzip", "gzip:small", "none", NULL};
	static const char *const stamps[] = {"none", "id", "full", NULL};
	static const char *const pipes[] = {"auto", "notify", NULL};
	struct rv_stream *stream = p->stream;
	const struct rv_yaml_node *node;
	int choice;

#define CHOICE(key, words, assign)                                                                 \
	if ((node = rv_def_get(root, key))) {                                                      \
		if (rv_def_parse_choice(p, node, key, words, &choice) != RV_OK)                    \
			return p->err->status;                                                     \
		assign;                                                                            \
	}
#define PART(key, call)                                                                            \
	if ((node = rv_def_get(root, key)) && (call) != RV_OK)                                     \
		return p->err->status;
	CHOICE("format", formats, stream->format = (enum rv_format)choice)
	PART("csv", parse_csv(p, node))
	if (node && stream->format == RV_FORMAT_AUTO)
		stream->format = RV_FORMAT_CSV;
	else if (node && stream->format != RV_FORMAT_CSV)
		return rv_def_bad(p, node, "csv: the format is %s", formats[stream->format]);
	PART("key", rv_def_parse_list(p, node, "key", &stream->key))
	PART("order_by", rv_def_parse_text(p, node, "order_by", 63, &stream->order_by))
	PART("dedup", parse_dedup(p, node))
	PART("delete_when", parse_delete_when(p, node))
	PART("layers", parse_layers(p, node))
	PART("columns", rv_def_parse_columns(p, node))
	CHOICE("contract", contracts, stream->contract = (enum rv_contract)choice)
	PART("cluster_by", rv_def_parse_list(p, node, "cluster_by", &stream->cluster_by))
	PART("grants", parse_grants(p, node))
	PART("mask", rv_def_parse_list(p, node, "mask", &stream->mask))
	PART("retention", parse_retention(p, node))
	PART("monitor", parse_monitor(p, node))
	PART("batch", parse_batch(p, node))
	CHOICE("compression", compressions,
	       stream->compression = (enum rv_output_compression)choice)
	CHOICE("stamp", stamps, stream->stamp = (enum rv_stamp)choice)
	stream->stamp_given = node != NULL;
	CHOICE("pipe", pipes, stream->pipe_notify = choice == 1)
#undef CHOICE
#undef PART
	node = rv_def_get(root, "key");
	for (size_t i = 0; i < stream->key.count; i++)
		if (rv_def_check_column_name(p, node, "key", stream->key.items[i]) != RV_OK)
			return p->err->status;
	if (rv_def_imply_key_columns(p, node) != RV_OK)
		return p->err->status;
	return check_together(p, root);
}

static enum rv_status parse_root(struct rv_def *p, const struct rv_yaml_node *root)
{
	static const char *const known[] = {
		"stream",
		"format",
		"csv",
		"key",
		"order_by",
		"dedup",
		"delete_when",
		"layers",
		"columns",
		"contract",
		"cluster_by",
		"grants",
		"mask",
		"retention",
		"monitor",
		"batch",
		"compression",
		"stamp",
		"pipe",
		/* the catalog's own: */
		"v",
		"id",
		"created",
		"creator",
		"since",
		NULL,
	};
	static const char *const known_in_files[] = {
		"stream",     "format",      "csv",    "key",       "order_by",
		"dedup",      "delete_when", "layers", "columns",   "contract",
		"cluster_by", "grants",      "mask",   "retention", "monitor",
		"batch",      "compression", "stamp",  "pipe",      NULL,
	};

	if (root->kind != RV_YAML_MAPPING)
		return rv_def_check_kind(p, root, RV_YAML_MAPPING, "a stream's definition");
	if (p->catalog && parse_version(p, rv_yaml_get(root, "v")) != RV_OK)
		return p->err->status;
	if (rv_def_check_keys(p, root, "", p->catalog ? known : known_in_files) != RV_OK)
		return p->err->status;
	const struct rv_yaml_node *name = rv_def_get(root, "stream");

	if (!name || name->kind != RV_YAML_SCALAR) {
		rv_def_bad(p, name ? name : root, "stream: the name is missing");
		rv_hint(p->err, "a definition begins with stream: business/name");
		return p->err->status;
	}
	if (rv_stream_parse_name(name->text, p->stream, p->err) != RV_OK) {
		if (p->file) {
			p->err->status = RV_BAD_CONFIG;
			rv_error_at(p->err, p->file, name->line, name->column);
		}
		return p->err->status;
	}
	if (p->catalog && parse_catalog_keys(p, root) != RV_OK)
		return p->err->status;
	return parse_settings(p, root);
}

/* Flags are bytes of the command line, which may be anything. */
static enum rv_status check_utf8(struct rv_def *p, const struct rv_yaml_node *node)
{
	if (node->kind == RV_YAML_SCALAR) {
		json_t *text = json_string(node->text);

		if (!text)
			return rv_def_bad(p, node, "'%.200s' is not UTF-8", node->text);
		json_decref(text);
	}
	for (size_t i = 0; i < node->count; i++)
		if (check_utf8(p, node->items[i]) != RV_OK)
			return p->err->status;
	return RV_OK;
}

/* Checked here and not when it is written, so that it is found before anything is changed. */
static enum rv_status check_length(struct rv_def *p, const struct rv_yaml_node *root)
{
	const size_t identity_bytes = 256; /* id, created, creator, since */
	json_t *json = rv_definition_json(p->stream);
	size_t len = json_dumpb(json, NULL, 0, JSON_COMPACT);

	json_decref(json);
	if (len + identity_bytes <= RV_DEFINITION_MAX_BYTES)
		return RV_OK;
	return rv_def_bad(p, root, "the definition of %s/%s takes %zu bytes, at most %zu fit",
			  p->stream->business, p->stream->name, len,
			  RV_DEFINITION_MAX_BYTES - identity_bytes);
}

static enum rv_status parse_into(const char *file, bool catalog, const struct rv_yaml_node *root,
				 struct rv_stream *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct rv_def p = {.file = file, .catalog = catalog, .stream = &stream, .err = err};

	rv_stream_init(&stream);
	if (!file && check_utf8(&p, root) != RV_OK)
		return err->status;
	if (parse_root(&p, root) != RV_OK)
		return err->status;
	if (!catalog && check_length(&p, root) != RV_OK)
		return err->status;
	rv_stream_release(ret);
	*ret = stream;
	rv_stream_init(&stream);
	return RV_OK;
}

enum rv_status rv_definition_parse(const char *file, const struct rv_yaml_node *root,
				   struct rv_stream *ret, struct rv_error *err)
{
	return parse_into(file, false, root, ret, err);
}

enum rv_status rv_definition_from_json(const char *object, const char *text, size_t len,
				       struct rv_stream *ret, struct rv_error *err)
{
	json_error_t problem;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &problem);

	if (!json) {
		rv_fail(err, RV_DAMAGED, "the definition is not JSON: %s", problem.text);
		rv_error_at(err, object, problem.line > 0 ? (uint64_t)problem.line : 0, 0);
		return err->status;
	}
	RV_CLEANUP(rv_definition_node_free_p) struct rv_yaml_node *root = rv_def_node_of_json(json);

	json_decref(json);
	return parse_into(object, true, root, ret, err);
}
