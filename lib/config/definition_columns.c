/*
 * The columns of a contract: names, types, where values come from, how times are written. Checked
 * here in full, because a slip found at load time has already refused a million records.
 */
#include "config/definition_parse.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "format/json_path.h"

static const char *const type_names[] = {
	"string", "integer", "decimal", "double", "boolean", "date", "timestamp", "json", NULL,
};

const char *rv_column_type_name(enum rv_column_type type)
{
	return type_names[type];
}

bool rv_def_is_column_name(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > 63 || !(s[0] == '_' || (s[0] >= 'a' && s[0] <= 'z')))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!(s[i] == '_' || (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9')))
			return false;
	return true;
}

/* `invoice_no: { type: string, from: InvoiceNo }` for a field that is not called as a column is. */
static void suggest_column(const char *field, const char *type, struct rv_strbuf *sb)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf from = RV_STRBUF_INIT;
	bool plain = true, pointer = strpbrk(field, "./~") != NULL;

	if (pointer)
		rv_strbuf_putc(&from, '/');
	for (const char *s = field; *s; s++) {
		bool upper = *s >= 'A' && *s <= 'Z', lower = *s >= 'a' && *s <= 'z';
		bool digit = *s >= '0' && *s <= '9';
		char before = s > field ? s[-1] : '\0';

		if (pointer && (*s == '~' || *s == '/'))
			rv_strbuf_puts(&from, *s == '~' ? "~0" : "~1");
		else
			rv_strbuf_putc(&from, *s);
		plain &= upper || lower || digit || *s == '_';
		/* InvoiceNo, customerID, HTTPCode */
		bool word = upper && ((before >= 'a' && before <= 'z') || (before >= '0' && before <= '9') ||
				      (before >= 'A' && before <= 'Z' && s[1] >= 'a' && s[1] <= 'z'));

		if (digit ? !name.len : word || !(upper || lower))
			if (digit || (name.len && name.bytes[name.len - 1] != '_'))
				rv_strbuf_putc(&name, '_');
		if (upper || lower || digit)
			rv_strbuf_putc(&name, upper ? (char)(*s - 'A' + 'a') : *s);
	}
	while (name.len > 1 && name.bytes[name.len - 1] == '_')
		rv_strbuf_truncate(&name, name.len - 1);
	if (!rv_def_is_column_name(name.bytes))
		return;
	rv_strbuf_printf(sb, "%s%s: { type: %s%s%s, from: ", sb->len ? ", " : "", name.bytes,
			 strchr(type, ',') ? "\"" : "", type, strchr(type, ',') ? "\"" : "");
	if (plain)
		rv_strbuf_puts(sb, from.bytes);
	else
		rv_strbuf_json(sb, from.bytes, from.len);
	rv_strbuf_puts(sb, " }");
}

/* "decimal(18", which flow style makes of decimal(18,4). */
bool rv_def_is_cut_type(const struct rv_yaml_node *node)
{
	return node && node->kind == RV_YAML_SCALAR && rv_starts_with(node->text, "decimal(") &&
	       !strchr(node->text, ')');
}

/* All of a mapping's names that are none, in one message: a header often has many of the kind. */
static enum rv_status check_names(struct rv_def *p, const struct rv_yaml_node *map)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bad = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf hint = RV_STRBUF_INIT;
	const struct rv_yaml_node *first = NULL;
	size_t count = 0;

	for (size_t i = 0; i < map->count; i++) {
		const struct rv_yaml_node *name = map->keys[i], *value = map->items[i];
		size_t before = hint.len;

		/* the rest of an unquoted decimal(18,4), which is named when its beginning is read */
		if (rv_def_is_column_name(name->text) || (i > 0 && rv_def_is_cut_type(map->items[i - 1])))
			continue;
		if (value->kind == RV_YAML_MAPPING)
			value = rv_yaml_get(value, "type");
		bool typed = value && value->kind == RV_YAML_SCALAR && !rv_yaml_is_null(value);

		first = first ? first : name;
		count++;
		if (bad.len < 600)
			rv_strbuf_printf(&bad, "%s'%.100s'", bad.len ? ", " : "", name->text);
		else if (bad.len < 610)
			rv_strbuf_puts(&bad, " and others");
		suggest_column(name->text, typed ? value->text : "string", &hint);
		if (hint.len > 230)
			rv_strbuf_truncate(&hint, before);
	}
	if (!count)
		return RV_OK;
	rv_def_bad(p, first, "columns: %s %s", bad.bytes,
		   count == 1 ? "is not a column name" : "are not column names");
	if (hint.len)
		rv_hint(p->err, "write %s", hint.bytes);
	else
		rv_hint(p->err, "lower case letters, digits and _, at most 63, no digit first; the "
				"field it comes from goes into `from`");
	return p->err->status;
}

enum rv_status rv_def_check_column_name(struct rv_def *p, const struct rv_yaml_node *node,
					const char *path, const char *name)
{
	/* Columns river adds to its own tables and fields it adds to records. */
	static const char *const reserved[] = {"record", "file_name", "file_row", "loaded_at",
					       NULL};

	if (!rv_def_is_column_name(name)) {
		rv_def_bad(p, node, "%s: '%.200s' is not a column name", path, name);
		rv_hint(p->err, "lower case letters, digits and _, at most 63, no digit first; the "
				"field it comes from goes into `from`");
		return p->err->status;
	}
	for (size_t i = 0; reserved[i]; i++)
		if (strcmp(reserved[i], name) == 0 || rv_starts_with(name, "_river")) {
			rv_def_bad(p, node, "%s: the column name '%s' is river's own", path, name);
			rv_hint(p->err, "call it otherwise and say `from: %s`", name);
			return p->err->status;
		}
	return RV_OK;
}

bool rv_def_take_number(const char **s, unsigned *ret)
{
	const char *start = *s;
	uint64_t n;

	while (**s >= '0' && **s <= '9')
		(*s)++;
	if (!rv_parse_u64(start, (size_t)(*s - start), &n) || n > 1000)
		return false;
	*ret = (unsigned)n;
	return true;
}

const char *rv_def_skip_spaces(const char *s)
{
	while (*s == ' ')
		s++;
	return s;
}

/* What other systems call a type; NULL when nobody does. */
static const char *other_name(const char *typed)
{
	static const char *const names[][2] = {
		{"text", "string"},
		{"varchar", "string"},
		{"char", "string"},
		{"int", "integer"},
		{"bigint", "integer"},
		{"long", "integer"},
		{"int64", "integer"},
		{"float", "double"},
		{"real", "double"},
		{"number", "decimal(38,0)"},
		{"numeric", "decimal(18,4)"},
		{"decimal", "decimal(18,4)"},
		{"bool", "boolean"},
		{"datetime", "timestamp"},
		{"time", "timestamp"},
		{"timestamptz", "timestamp"},
		{"variant", "json"},
		{"object", "json"},
		{"array", "json"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], typed) == 0)
			return names[i][1];
	return NULL;
}

enum rv_status rv_def_parse_type(struct rv_def *p, const struct rv_yaml_node *node,
				 const char *path, struct rv_column *column)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	const char *s = node->text;

	if (rv_starts_with(s, "decimal") && *rv_def_skip_spaces(s + 7) == '(') {
		unsigned precision, scale = 0;

		s = rv_def_skip_spaces(rv_def_skip_spaces(s + 7) + 1);
		bool ok = rv_def_take_number(&s, &precision);

		s = rv_def_skip_spaces(s);
		if (ok && *s == ',') {
			s = rv_def_skip_spaces(s + 1);
			ok = rv_def_take_number(&s, &scale);
			s = rv_def_skip_spaces(s);
		}
		if (!ok || strcmp(s, ")") != 0) {
			rv_def_bad(p, node, "%s: '%.200s' is not a type", path, node->text);
			if (strchr(node->text, ')'))
				rv_hint(p->err,
					"write decimal(18,4): digits in all, digits behind the point");
			else
				rv_hint(p->err, "within { } a comma ends the value: quote the type, as "
						"in \"decimal(18,4)\"");
			return p->err->status;
		}
		if (precision < 1 || precision > 38)
			return rv_def_bad(p, node, "%s: a decimal has 1 to 38 digits, not %u", path,
					  precision);
		if (scale > precision)
			return rv_def_bad(p, node,
					  "%s: %u digits behind the point are more than %u in all",
					  path, scale, precision);
		column->type = RV_COLUMN_DECIMAL;
		column->precision = precision;
		column->scale = scale;
		return RV_OK;
	}
	for (int i = 0; type_names[i]; i++)
		if (strcmp(type_names[i], s) == 0 && i != RV_COLUMN_DECIMAL) {
			column->type = (enum rv_column_type)i;
			return RV_OK;
		}
	rv_def_bad(p, node, "%s: '%.200s' is not a type", path, s);
	const char *other = other_name(s);
	const char *near = other ? other : rv_nearest(s, type_names);

	if (near)
		rv_hint(p->err, "did you mean %s?", near);
	else
		rv_hint(p->err, "types are string, integer, decimal(p,s), double, boolean, date, "
				"timestamp, json");
	return p->err->status;
}

#define DIRECTIVES                                                                                 \
	"%%Y %%y %%m %%d %%e %%j %%b %%H %%I %%p %%M %%S %%f (fraction) %%z %%s (seconds since 1970) "  \
	"%%F %%T %%%%; for numbers since 1970 epoch_s, epoch_ms, epoch_us"

/* The parts of a time that a directive says. */
static unsigned parts_of(char directive)
{
	enum { YEAR = 1, MONTH = 2, DAY = 4, HOUR = 8, MINUTE = 16, SECOND = 32, FRACTION = 64, ZONE = 128 };

	switch (directive) {
	case 'Y':
	case 'y':
		return YEAR;
	case 'm':
	case 'b':
		return MONTH;
	case 'd':
	case 'e':
		return DAY;
	case 'j':
		return MONTH | DAY;
	case 'F':
		return YEAR | MONTH | DAY;
	case 'H':
	case 'I':
		return HOUR;
	case 'M':
		return MINUTE;
	case 'S':
		return SECOND;
	case 'T':
		return HOUR | MINUTE | SECOND;
	case 'f':
		return FRACTION;
	case 'z':
		return ZONE;
	case 's':
		return YEAR | MONTH | DAY | HOUR | MINUTE | SECOND | FRACTION | ZONE;
	default:
		return 0;
	}
}

/* Of two directives that say the same part one would be passed over, whatever the text says. */
static enum rv_status check_contradictions(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
					   const char *format, bool has_time)
{
	char said[200] = "";
	size_t count = 0;

	for (const char *s = format; *s; s++) {
		if (*s != '%')
			continue;
		s++;
		for (size_t i = 0; i < count; i++)
			if (parts_of(said[i]) & parts_of(*s))
				return rv_def_bad(p, node, "%s.format: %%%c and %%%c say the same part of a time", path,
						  said[i], *s);
		if (*s != '%')
			said[count++] = *s;
	}
	bool hour_12 = memchr(said, 'I', count), half = memchr(said, 'p', count);

	if (!has_time || hour_12 == half)
		return RV_OK;
	if (half)
		rv_def_bad(p, node, "%s.format: %%p says nothing without %%I", path);
	else
		rv_def_bad(p, node, "%s.format: %%I without %%p is the hour of a morning or an afternoon", path);
	rv_hint(p->err, "%%I is an hour from 1 to 12 and needs %%p, am or pm; %%H is one from 0 to 23 and needs none");
	return p->err->status;
}

/* What the reader of times understands, so that a slip is found here and not in a million rows. */
enum rv_status rv_def_check_time_format(struct rv_def *p, const struct rv_yaml_node *node,
					const char *path, const char *format, bool has_time)
{
	static const char *const epochs[] = {"epoch_s", "epoch_ms", "epoch_us", NULL};

	for (size_t i = 0; epochs[i]; i++)
		if (strcmp(epochs[i], format) == 0)
			return RV_OK;
	for (const char *s = format; *s; s++) {
		if (*s != '%')
			continue;
		s++;
		if (!*s || !strchr("YymdejbHIpMSfzsFT%", *s)) {
			rv_def_bad(p, node, "%s: %%%.1s is not a directive river knows", path, s);
			rv_hint(p->err, "known are " DIRECTIVES);
			return p->err->status;
		}
	}
	/* definitions that are in a lake already stay readable */
	if (strchr(format, '%'))
		return p->catalog ? RV_OK : check_contradictions(p, node, path, format, has_time);
	rv_def_bad(p, node, "%s.format: '%.60s' has no %% directive", path, format);
	rv_hint(p->err, "known are " DIRECTIVES);
	return p->err->status;
}

bool rv_def_is_zone(const char *s)
{
	unsigned hours, minutes;

	if (strcmp(s, "UTC") == 0)
		return true;
	if ((s[0] != '+' && s[0] != '-') || strlen(s) != 6 || s[3] != ':')
		return false;
	s++;
	if (!rv_def_take_number(&s, &hours) || *s++ != ':' || !rv_def_take_number(&s, &minutes) ||
	    *s)
		return false;
	return hours <= 14 && minutes <= 59;
}

static enum rv_status parse_column(struct rv_def *p, const struct rv_yaml_node *name_node,
				   const struct rv_yaml_node *node)
{
	static const char *const known[] = {"name",   "type",     "required", "from",
					    "format", "timezone", NULL};
	struct rv_stream *stream = p->stream;
	const char *name = name_node->text;

	if (rv_def_check_column_name(p, name_node, "columns", name) != RV_OK)
		return p->err->status;
	if (rv_stream_column(stream, name))
		return rv_def_bad(p, name_node, "columns: '%s' is there twice", name);
	if (stream->columns_count == RV_COLUMNS_MAX)
		return rv_def_bad(p, name_node, "columns: more than %d", RV_COLUMNS_MAX);
	stream->columns = rv_realloc_array(stream->columns, stream->columns_count + 1,
					   sizeof(*stream->columns));
	struct rv_column *column = &stream->columns[stream->columns_count++];

	*column = (struct rv_column){.name = rv_strdup(name), .line = name_node->line};
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("columns.%s", name);

	if (node->kind == RV_YAML_SCALAR && !rv_yaml_is_null(node))
		return rv_def_parse_type(p, node, path, column);
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, path) != RV_OK)
		return p->err->status;
	if (rv_def_is_cut_type(rv_yaml_get(node, "type")))
		return rv_def_parse_type(p, rv_yaml_get(node, "type"), path, column);
	if (rv_def_check_keys(p, node, path, known) != RV_OK)
		return p->err->status;
	const struct rv_yaml_node *type = rv_def_get(node, "type");
	const struct rv_yaml_node *required = rv_def_get(node, "required");
	const struct rv_yaml_node *from = rv_def_get(node, "from");
	const struct rv_yaml_node *format = rv_def_get(node, "format");
	const struct rv_yaml_node *zone = rv_def_get(node, "timezone");

	if (!type) {
		rv_def_bad(p, node, "%s: the type is missing", path);
		rv_hint(p->err, "types are string, integer, decimal(p,s), double, boolean, date, "
				"timestamp, json");
		return p->err->status;
	}
	if (rv_def_parse_type(p, type, path, column) != RV_OK ||
	    (required && rv_def_parse_bool(p, required, path, &column->required) != RV_OK) ||
	    (from && rv_def_parse_text(p, from, path, 1024, &column->from) != RV_OK))
		return p->err->status;
	if (from) {
		const char *const paths[] = {column->from};
		struct rv_json_paths *compiled = NULL;

		if (rv_json_paths_new(paths, 1, &compiled, p->err) != RV_OK) {
			RV_CLEANUP(rv_free_p) char *why = rv_strdup(p->err->message);

			rv_def_bad(p, from, "%s.from: %s", path, why);
			rv_hint(p->err, "write payload.price, or /payload/price (JSON Pointer)");
			return p->err->status;
		}
		rv_json_paths_free(compiled);
		if (strcmp(column->from, column->name) ==
		    0) { /* the default: say it one way only */
			free(column->from);
			column->from = NULL;
		}
	}
	bool is_time = column->type == RV_COLUMN_DATE || column->type == RV_COLUMN_TIMESTAMP;

	if (format) {
		if (!is_time)
			return rv_def_bad(p, format, "%s.format: is for date and timestamp columns",
					  path);
		if (rv_def_parse_text(p, format, path, 200, &column->format) != RV_OK ||
		    rv_def_check_time_format(p, format, path, column->format,
					     column->type == RV_COLUMN_TIMESTAMP) != RV_OK)
			return p->err->status;
	}
	if (zone) {
		if (column->type != RV_COLUMN_TIMESTAMP)
			return rv_def_bad(p, zone, "%s.timezone: is for timestamp columns", path);
		if (rv_def_parse_text(p, zone, path, 64, &column->timezone) != RV_OK)
			return p->err->status;
		if (!rv_def_is_zone(column->timezone)) {
			rv_def_bad(p, zone, "%s.timezone: '%s' is neither UTC nor an offset", path,
				   column->timezone);
			rv_hint(p->err,
				"write UTC or +02:00; names of places change their offset and are not "
				"supported");
			return p->err->status;
		}
	}
	return RV_OK;
}

/* A mapping by name (files), or a list of mappings with names (the catalog, where order matters).
 */
enum rv_status rv_def_parse_columns(struct rv_def *p, const struct rv_yaml_node *node)
{
	if (node->kind == RV_YAML_SCALAR)
		return rv_def_check_kind(p, node, RV_YAML_MAPPING, "columns");
	if (node->kind == RV_YAML_MAPPING && check_names(p, node) != RV_OK)
		return p->err->status;
	for (size_t i = 0; i < node->count; i++) {
		const struct rv_yaml_node *column = node->items[i], *name;

		if (node->kind == RV_YAML_SEQUENCE) {
			if (rv_def_check_kind(p, column, RV_YAML_MAPPING, "columns") != RV_OK)
				return p->err->status;
			name = rv_yaml_get(column, "name");
			if (!name || name->kind != RV_YAML_SCALAR)
				return rv_def_bad(p, column, "columns: a column has no name");
		} else {
			name = node->keys[i];
			if (column->kind == RV_YAML_MAPPING && rv_yaml_get(column, "name"))
				return rv_def_bad(p, column,
						  "columns.%s: is named by its key already, not by `name`",
						  name->text);
		}
		if (parse_column(p, name, column) != RV_OK)
			return p->err->status;
	}
	return RV_OK;
}

/* Key columns need no declaration: whatever they hold is compared as text. They count as the others do: a definition
 * with more could not be read again. */
enum rv_status rv_def_imply_key_columns(struct rv_def *p, const struct rv_yaml_node *key)
{
	struct rv_stream *stream = p->stream;
	size_t missing = 0;

	for (size_t i = 0; i < stream->key.count; i++)
		missing += !rv_stream_column(stream, stream->key.items[i]);
	if (stream->columns_count + missing > RV_COLUMNS_MAX)
		return rv_def_bad(p, key, "key: with those of the key there are %zu columns, more than %d",
				  stream->columns_count + missing, RV_COLUMNS_MAX);
	if (missing) {
		struct rv_column *columns =
			rv_calloc(stream->columns_count + missing, sizeof(*columns));
		size_t n = 0;

		for (size_t i = 0; i < stream->key.count; i++)
			if (!rv_stream_column(stream, stream->key.items[i]))
				columns[n++] = (struct rv_column){
					.name = rv_strdup(stream->key.items[i]),
					.type = RV_COLUMN_STRING,
				};
		if (stream->columns_count)
			memcpy(columns + n, stream->columns,
			       stream->columns_count * sizeof(*columns));
		free(stream->columns);
		stream->columns = columns;
		stream->columns_count += missing;
	}
	/* A null key is refused whatever the declaration says (semantics.md 6.4). */
	for (size_t i = 0; i < stream->columns_count; i++)
		if (rv_string_list_has(&stream->key, stream->columns[i].name))
			stream->columns[i].required = true;
	return RV_OK;
}
