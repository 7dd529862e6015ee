/* Typed values out of the bytes of a record; see the header for what makes a value exact. */
#include "warehouse/cut.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* the state on the stack */
#include <xxhash.h>

#include "base/memory.h"
#include "format/json_path.h"
#include "format/stamp.h"

#define REASON 160
#define VALUE sizeof(((struct rv_cut_refusal *)NULL)->value)

struct rv_cut {
	const struct rv_stream *stream;
	struct rv_json_paths *paths;  /* one a column, then the stamp's */
	size_t stamp;                 /* its index; columns_count when there is none */
	size_t paths_count;
	bool *is_key;
	size_t *dedup;                /* columns of dedup: columns */
	size_t dedup_count;
	enum { IDENTITY_NONE, IDENTITY_CONTENT, IDENTITY_COLUMNS, IDENTITY_STAMP } identity;
	/* contract: reject. First pieces of the columns' paths. */
	char **fields;
	size_t fields_count;
};
struct rv_cut_scratch {
	struct rv_json_value *found;
	struct rv_strbuf text;        /* unescaped strings */
};

/* ---- the contract ---- */

static size_t column_index(const struct rv_stream *stream, const char *name)
{
	for (size_t i = 0; i < stream->columns_count; i++)
		if (strcmp(stream->columns[i].name, name) == 0)
			return i;
	return stream->columns_count;
}

/* "payload.price" and "/payload/price" -> "payload" */
static char *first_piece(const char *path)
{
	if (path[0] != '/')
		return rv_strndup(path, strcspn(path, "."));
	size_t len = strcspn(path + 1, "/");
	char *piece = rv_strndup(path + 1, len), *to = piece;

	for (const char *p = piece; *p; p++) {
		if (p[0] == '~' && (p[1] == '0' || p[1] == '1')) {
			*to++ = p[1] == '0' ? '~' : '/';
			p++;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	return piece;
}

static enum rv_status set_identity(struct rv_cut *cut, struct rv_error *err)
{
	const struct rv_stream *stream = cut->stream;

	switch (stream->dedup) {
	case RV_DEDUP_NONE:
		cut->identity = IDENTITY_NONE;
		break;
	case RV_DEDUP_CONTENT:
		cut->identity = IDENTITY_CONTENT;
		break;
	case RV_DEDUP_COLUMNS:
		cut->identity = IDENTITY_COLUMNS;
		break;
	case RV_DEDUP_DEFAULT:
		/* Key and content: the same content has the same key. */
		cut->identity = stream->stamp != RV_STAMP_NONE ? IDENTITY_STAMP
				: stream->key.count	       ? IDENTITY_CONTENT
							       : IDENTITY_NONE;
		break;
	}
	cut->dedup = rv_calloc(stream->dedup_columns.count, sizeof(*cut->dedup));
	for (size_t i = 0; i < stream->dedup_columns.count; i++) {
		const char *name = stream->dedup_columns.items[i];

		cut->dedup[i] = column_index(stream, name);
		if (cut->dedup[i] == stream->columns_count)
			return rv_fail(err, RV_BAD_CONFIG, "dedup: %s is no column", name);
		cut->dedup_count++;
	}
	return RV_OK;
}

enum rv_status rv_cut_new(const struct rv_stream *stream, struct rv_cut **ret,
			  struct rv_error *err)
{
	struct rv_cut *cut = rv_calloc(1, sizeof(*cut));
	size_t n = stream->columns_count;
	RV_CLEANUP(rv_free_p) const char **paths = rv_calloc(n + 1, sizeof(*paths));
	enum rv_status status;

	cut->stream = stream;
	cut->is_key = rv_calloc(n + 1, sizeof(*cut->is_key));
	cut->fields = rv_calloc(n + 1, sizeof(*cut->fields));
	for (size_t i = 0; i < n; i++) {
		const struct rv_column *column = &stream->columns[i];

		paths[i] = column->from ? column->from : column->name;
		cut->is_key[i] = rv_string_list_has(&stream->key, column->name);
		cut->fields[cut->fields_count++] = first_piece(paths[i]);
	}
	status = set_identity(cut, err);
	cut->stamp = n;
	paths[n] = "_river.id";
	cut->paths_count = n + 1;
	if (status == RV_OK)
		status = rv_json_paths_new(paths, cut->paths_count, &cut->paths, err);
	if (status != RV_OK) {
		rv_cut_free(cut);
		return status;
	}
	*ret = cut;
	return RV_OK;
}

void rv_cut_free(struct rv_cut *cut)
{
	if (!cut)
		return;
	for (size_t i = 0; i < cut->fields_count; i++)
		free(cut->fields[i]);
	free(cut->fields);
	free(cut->is_key);
	free(cut->dedup);
	rv_json_paths_free(cut->paths);
	free(cut);
}

struct rv_cut_scratch *rv_cut_scratch_new(const struct rv_cut *cut)
{
	struct rv_cut_scratch *scratch = rv_calloc(1, sizeof(*scratch));

	scratch->found = rv_calloc(cut->paths_count, sizeof(*scratch->found));
	scratch->text = (struct rv_strbuf)RV_STRBUF_INIT;
	return scratch;
}

void rv_cut_scratch_free(struct rv_cut_scratch *scratch)
{
	if (!scratch)
		return;
	rv_strbuf_release(&scratch->text);
	free(scratch->found);
	free(scratch);
}

/* ---- numbers ---- */

static bool refuse(char *reason, const char *what)
{
	snprintf(reason, REASON, "%s", what);
	return false;
}

static bool cut_double(struct rv_str s, double *ret, char *reason)
{
	char text[RV_CUT_NUMBER_MAX + 1];
	struct rv_cut_number n;

	if (!rv_cut_number(s, &n, reason))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	*ret = strtod(text, NULL);
	return isinf(*ret) ? refuse(reason, "is beyond what a double holds") : true;
}

/* ---- one value ---- */

/* The value's text: a string's inside, unescaped into the scratch buffer (reserved beforehand, so
 * that slices of it stay where they are). */
static struct rv_str text_of(struct rv_cut_scratch *scratch, const struct rv_json_value *v)
{
	if (v->type != RV_JSON_STRING)
		return (struct rv_str){ v->p, v->len };
	struct rv_str inside = { v->p + 1, v->len - 2 };

	if (!v->escaped)
		return inside;
	char *to = scratch->text.bytes + scratch->text.len;
	size_t len = rv_json_unescape(inside.p, inside.len, to);

	scratch->text.len += len;
	return (struct rv_str){ to, len };
}

static bool cut_text(const struct rv_column *column, struct rv_str s, enum rv_json_type type,
		     struct rv_cut_value *value, char *reason)
{
	static const char number[] = "is a number; if it counts from 1970, the column needs format: "
				     "epoch_s, epoch_ms or epoch_us";
	bool is_string = type == RV_JSON_STRING;

	switch (column->type) {
	case RV_COLUMN_STRING:
		value->u.text = s;
		return true;
	case RV_COLUMN_INTEGER:
		return rv_cut_integer(s, &value->u.integer, reason);
	case RV_COLUMN_DECIMAL:
		return rv_cut_decimal(s, column->precision, column->scale, &value->u.decimal, reason);
	case RV_COLUMN_DOUBLE:
		return cut_double(s, &value->u.number, reason);
	case RV_COLUMN_BOOLEAN:
		return rv_cut_boolean(s, &value->u.boolean, reason);
	case RV_COLUMN_DATE:
		if (!is_string && !column->format)
			return refuse(reason, type == RV_JSON_NUMBER_VALUE ? number : "is not a date");
		return rv_cut_date(s, column->format, &value->u.integer, reason);
	case RV_COLUMN_TIMESTAMP:
		if (!is_string && !column->format)
			return refuse(reason, type == RV_JSON_NUMBER_VALUE ? number : "is not a time");
		return rv_cut_timestamp(s, column->format, column->timezone, &value->u.integer,
					reason);
	case RV_COLUMN_JSON:
		break;
	}
	return refuse(reason, "has no type");
}

static bool cut_value(const struct rv_column *column, struct rv_cut_scratch *scratch,
		      const struct rv_json_value *v, struct rv_cut_value *value, char *reason)
{
	*value = (struct rv_cut_value){ .null = true };
	if (v->type == RV_JSON_ABSENT || v->type == RV_JSON_NULL)
		return true;
	value->null = false;
	if (column->type == RV_COLUMN_JSON) {
		value->u.text = (struct rv_str){ v->p, v->len };
		return true;
	}
	if (v->type == RV_JSON_OBJECT || v->type == RV_JSON_ARRAY)
		return refuse(reason, v->type == RV_JSON_OBJECT ? "is an object" : "is an array");
	struct rv_str s = text_of(scratch, v);

	if (!s.len && column->type != RV_COLUMN_STRING) {
		value->null = true; /* an empty field of a CSV row */
		return true;
	}
	return cut_text(column, s, v->type, value, reason);
}

/* A shortened copy, beside the reason and not in it: reasons are for grouping. */
static void copy_value(const struct rv_json_value *v, char value[VALUE])
{
	size_t most = VALUE - 4, len = v->len < most ? v->len : most;

	while (len < v->len && len > 0 && ((unsigned char)v->p[len] & 0xc0) == 0x80)
		len--;
	snprintf(value, VALUE, "%.*s%s", (int)len, v->p, len < v->len ? "..." : "");
}

/* ---- records ---- */

static bool known_field(const struct rv_cut *cut, struct rv_str name)
{
	if (rv_str_is(name, "_river"))
		return true;
	for (size_t i = 0; i < cut->fields_count; i++)
		if (rv_str_is(name, cut->fields[i]))
			return true;
	return false;
}

static bool only_known_fields(const struct rv_cut *cut, const char *p, size_t len,
			      struct rv_cut_refusal *refusal)
{
	struct rv_json_iter it;
	struct rv_json_key key;

	rv_json_iter_init(&it, p, len);
	while (rv_json_iter_next(&it, &key, NULL)) {
		RV_CLEANUP(rv_free_p) char *decoded = NULL;
		struct rv_str name = { key.p, key.len };

		if (key.escaped) {
			decoded = rv_malloc(key.len);
			name = (struct rv_str){ decoded, rv_json_unescape(key.p, key.len, decoded) };
		}
		if (known_field(cut, name))
			continue;
		size_t most = sizeof(refusal->field) - 1;
		size_t n = name.len < most ? name.len : most;

		while (n < name.len && n > 0 && ((unsigned char)name.p[n] & 0xc0) == 0x80)
			n--;
		memcpy(refusal->field, name.p, n);
		refusal->field[n] = '\0';
		refusal->column = refusal->field;
		return refuse(refusal->reason, "is a field the contract does not have");
	}
	return true;
}

bool rv_cut_record(const struct rv_cut *cut, struct rv_cut_scratch *scratch, const char *p,
		   size_t len, struct rv_cut_value *values, struct rv_cut_refusal *refusal)
{
	const struct rv_stream *stream = cut->stream;

	refusal->value[0] = '\0';
	rv_json_paths_extract(cut->paths, p, len, scratch->found);
	rv_strbuf_clear(&scratch->text);
	size_t room = 0;

	/* Two paths may lead to the same string, so the record's length is not enough. */
	for (size_t i = 0; i < stream->columns_count; i++)
		if (scratch->found[i].escaped)
			room += scratch->found[i].len;
	rv_strbuf_reserve(&scratch->text, room + 1);
	for (size_t i = 0; i < stream->columns_count; i++) {
		const struct rv_column *column = &stream->columns[i];
		const struct rv_json_value *v = &scratch->found[i];

		refusal->column = column->name;
		if (!cut_value(column, scratch, v, &values[i], refusal->reason)) {
			copy_value(v, refusal->value);
			return false;
		}
		if (values[i].null && cut->is_key[i])
			return refuse(refusal->reason, "is part of the key and null");
		if (values[i].null && column->required)
			return refuse(refusal->reason, v->type == RV_JSON_ABSENT
							       ? "is required and not there"
							       : "is required and null");
	}
	return stream->contract != RV_CONTRACT_REJECT || only_known_fields(cut, p, len, refusal);
}

bool rv_cut_dedups(const struct rv_cut *cut)
{
	return cut->identity != IDENTITY_NONE;
}

static void hash_columns(const struct rv_cut *cut, const struct rv_cut_value *values,
			 uint64_t ret[2])
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf all = RV_STRBUF_INIT;

	for (size_t i = 0; i < cut->dedup_count; i++) {
		size_t k = cut->dedup[i];
		const struct rv_cut_value *v = &values[k];
		enum rv_column_type type = cut->stream->columns[k].type;
		bool is_text = type == RV_COLUMN_STRING || type == RV_COLUMN_JSON;
		uint64_t len = v->null ? UINT64_MAX : is_text ? v->u.text.len : 0;
		/* 0.0 and -0.0 are one number */
		double number = type == RV_COLUMN_DOUBLE && !v->null ? v->u.number + 0.0 : 0;
		bool boolean = type == RV_COLUMN_BOOLEAN && !v->null && v->u.boolean;

		rv_strbuf_add(&all, &len, sizeof(len));
		if (v->null)
			continue;
		if (is_text)
			rv_strbuf_add(&all, v->u.text.p, v->u.text.len);
		else if (type == RV_COLUMN_DECIMAL)
			rv_strbuf_add(&all, &v->u.decimal, sizeof(v->u.decimal));
		else if (type == RV_COLUMN_DOUBLE)
			rv_strbuf_add(&all, &number, sizeof(number));
		else if (type == RV_COLUMN_BOOLEAN)
			rv_strbuf_add(&all, &boolean, sizeof(boolean));
		else
			rv_strbuf_add(&all, &v->u.integer, sizeof(v->u.integer));
	}
	XXH128_hash_t hash = XXH3_128bits(all.bytes, all.len);

	ret[0] = hash.low64;
	ret[1] = hash.high64;
}

void rv_cut_identity(const struct rv_cut *cut, const struct rv_cut_scratch *scratch, const char *p,
		     size_t len, const struct rv_cut_value *values, uint64_t ret[2])
{
	const struct rv_json_value *stamp = &scratch->found[cut->stamp];
	struct rv_str of = { p, len };

	if (cut->identity == IDENTITY_COLUMNS) {
		hash_columns(cut, values, ret);
		return;
	}
	struct rv_stamp_id id;
	size_t keep;
	XXH128_hash_t hash;

	/* A record that landed before the stream was stamped has only its content. */
	if (cut->identity == IDENTITY_STAMP && stamp->type == RV_JSON_STRING)
		of = (struct rv_str){ stamp->p, stamp->len };
	if (cut->identity == IDENTITY_CONTENT && cut->stream->stamp != RV_STAMP_NONE &&
	    rv_stamp_cut(p, len, &keep, &id)) {
		XXH3_state_t state;

		/* Two records of the same content have two stamps. */
		XXH3_128bits_reset(&state);
		XXH3_128bits_update(&state, p, keep);
		XXH3_128bits_update(&state, "}", 1);
		hash = XXH3_128bits_digest(&state);
	} else {
		hash = XXH3_128bits(of.p, of.len);
	}

	ret[0] = hash.low64;
	ret[1] = hash.high64;
}
