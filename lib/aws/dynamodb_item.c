/* JSON to AttributeValues. The scanner of json_scan.h has the last word on what is valid JSON. */
#include "aws/dynamodb_item.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/memory.h"
#include "format/json_path.h"
#include "format/json_scan.h"

/* Powers of ten of the largest and of the smallest number there is. */
#define MAGNITUDE_MAX 125
#define MAGNITUDE_MIN (-130)
/* Up to so many keys of an object are compared with each other, more are sorted. */
#define COMPARED_MAX 32
/* A name in a message. */
#define SHOWN_MAX 80

/* ---- numbers ------------------------------------------------------------------------------------- */

/* Calls `add` (Optional) for each significant digit, but not for trailing zeros. */
static void walk_number(const char *p, size_t len, struct rv_dynamodb_number *ret, struct rv_strbuf *digits)
{
	const char *end = p + len;
	int64_t position = 0, exponent = 0; /* of the decimal point, in digits behind the first one */
	size_t zeros = 0;                   /* held back: they may be trailing */
	bool point = false, seen = false;

	*ret = (struct rv_dynamodb_number){ 0 };
	if (p < end && *p == '-') {
		ret->negative = true;
		p++;
	}
	for (; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (*p == '0' && !seen) {
			position -= point; /* 0.001: the point is two digits before the first one */
			continue;
		}
		seen = true;
		position += !point;
		if (*p == '0') {
			zeros++;
			continue;
		}
		for (; zeros; zeros--) {
			ret->digits++;
			if (digits)
				rv_strbuf_putc(digits, '0');
		}
		ret->digits++;
		if (digits)
			rv_strbuf_putc(digits, *p);
	}
	if (p < end) {
		bool down = *++p == '-';

		p += *p == '-' || *p == '+';
		for (; p < end; p++)
			if (exponent < 1000000000)
				exponent = exponent * 10 + (*p - '0');
		if (exponent > 1000000000)
			exponent = 1000000000;
		if (down)
			exponent = -exponent;
	}
	if (ret->digits)
		ret->magnitude = position - 1 + exponent;
	else
		ret->negative = false;
}

void rv_dynamodb_number_look(const char *p, size_t len, struct rv_dynamodb_number *ret)
{
	walk_number(p, len, ret, NULL);
}

uint64_t rv_dynamodb_number_bytes(const struct rv_dynamodb_number *number)
{
	/* Two digits a byte, in pairs that the decimal point does not part. */
	if (!number->digits)
		return 1;
	bool parted = number->digits % 2 == 0 && number->magnitude % 2 == 0;
	return 1 + (number->digits + 1) / 2 + parted + number->negative;
}

/* One form for each number. */
static void add_number(struct rv_strbuf *out, const char *p, size_t len)
{
	struct rv_dynamodb_number number;
	size_t sign = out->len;

	rv_strbuf_putc(out, '+');
	walk_number(p, len, &number, out);
	if (number.negative)
		out->bytes[sign] = '-';
	rv_strbuf_printf(out, "e%" PRId64, number.magnitude);
}

/* ---- paths --------------------------------------------------------------------------------------- */

/* Where the walk is; the innermost first. */
struct place {
	const struct place *outer;
	struct rv_json_key key;   /* p NULL: an element */
	size_t index;
};

static void add_text(struct rv_strbuf *out, const char *p, size_t len, bool escaped)
{
	size_t start = out->len;

	rv_strbuf_reserve(out, len + 1);
	size_t n = escaped ? rv_json_unescape(p, len, out->bytes + start) : len;
	if (!escaped && n)
		memcpy(out->bytes + start, p, n);
	out->len = start + n;
	out->bytes[out->len] = '\0';
}

/* As much of a text as a message takes, whole characters of it. */
static void add_shown(struct rv_strbuf *out, const char *p, size_t len, bool escaped)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	add_text(&text, p, len, escaped);
	size_t n = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;
	while (n < text.len && n && ((unsigned char)text.bytes[n] & 0xc0) == 0x80)
		n--;
	/* a NUL would end the message, and what is around it is one line */
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text.bytes[i] < ' ')
			rv_strbuf_printf(out, "\\u%04x", (unsigned)(unsigned char)text.bytes[i]);
		else
			rv_strbuf_putc(out, text.bytes[i]);
	if (n < text.len)
		rv_strbuf_puts(out, "...");
}

static void add_place(struct rv_strbuf *out, const struct place *place)
{
	if (place->outer)
		add_place(out, place->outer);
	if (!place->key.p) {
		rv_strbuf_printf(out, "[%zu]", place->index);
		return;
	}
	if (out->len)
		rv_strbuf_putc(out, '.');
	add_shown(out, place->key.p, place->key.len, place->key.escaped);
}

RV_PRINTF(3, 4)
static enum rv_status refuse(const struct place *place, struct rv_error *err, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;

	if (place) {
		add_place(&text, place);
		rv_strbuf_puts(&text, ": ");
	}
	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	return rv_fail(err, RV_BAD_DATA, "%s", text.bytes);
}

/* ---- values -------------------------------------------------------------------------------------- */

struct walk {
	struct rv_strbuf *out;
	uint64_t bytes;
	struct rv_strbuf text;     /* a string, decoded */
	uint64_t *keys;            /* hashes of those of the objects around, outermost first */
	size_t keys_count, keys_capacity;
	struct rv_error *err;
};
static void walk_release(struct walk *walk)
{
	rv_strbuf_release(&walk->text);
	free(walk->keys);
}

/* The inside of quotes, decoded. */
static struct rv_str decode(struct walk *walk, const char *p, size_t len, bool escaped)
{
	if (!escaped)
		return (struct rv_str){ p, len };
	rv_strbuf_clear(&walk->text);
	add_text(&walk->text, p, len, true);
	return (struct rv_str){ walk->text.bytes, walk->text.len };
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Whether two keys of the object that began at `first` are the same. */
static bool has_twins(struct walk *walk, size_t first)
{
	size_t count = walk->keys_count - first;

	if (count < 2) /* of none at all there is no list either */
		return false;
	uint64_t *keys = walk->keys + first;

	if (count > COMPARED_MAX) {
		qsort(keys, count, sizeof(*keys), compare_hashes);
		for (size_t i = 1; i < count; i++)
			if (keys[i] == keys[i - 1])
				return true;
		return false;
	}
	for (size_t i = 1; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (keys[i] == keys[k])
				return true;
	return false;
}

/* A name: written as it stands, counted, and remembered for has_twins. */
static enum rv_status add_name(struct walk *walk, const struct place *place, struct rv_str *ret_name)
{
	const struct rv_json_key *key = &place->key;
	struct rv_str name = decode(walk, key->p, key->len, key->escaped);

	if (!name.len)
		return refuse(place->outer, walk->err, "a name is empty, and DynamoDB wants one of a byte or more");
	RV_GROW(walk->keys, walk->keys_count, walk->keys_capacity);
	walk->keys[walk->keys_count++] = XXH3_64bits(name.p, name.len);
	walk->bytes += name.len;
	rv_strbuf_putc(walk->out, '"');
	rv_strbuf_add(walk->out, key->p, key->len);
	rv_strbuf_puts(walk->out, "\":");
	*ret_name = name;
	return RV_OK;
}

static enum rv_status add_value(struct walk *walk, const struct rv_json_value *value,
				const struct place *place, unsigned depth);

static enum rv_status add_members(struct walk *walk, const struct rv_json_value *value,
				  const struct place *outer, unsigned depth)
{
	bool list = value->type == RV_JSON_ARRAY;
	size_t first_key = walk->keys_count;
	struct place place = { .outer = outer };
	struct rv_json_value member;
	struct rv_json_key key;
	struct rv_json_iter it;
	struct rv_str name;
	bool first = true;

	if (depth > RV_DYNAMODB_DEPTH)
		return refuse(outer, walk->err, "more than %d levels of lists and objects, which is all that "
			      "DynamoDB takes", RV_DYNAMODB_DEPTH);
	rv_strbuf_puts(walk->out, list ? "{\"L\":[" : "{\"M\":{");
	walk->bytes += 3;
	rv_json_iter_init(&it, value->p, value->len);
	while (rv_json_iter_next(&it, &key, &member)) {
		if (!first)
			rv_strbuf_putc(walk->out, ',');
		first = false;
		walk->bytes++;
		if (!list) {
			place.key = key;
			if (add_name(walk, &place, &name) != RV_OK)
				return walk->err->status;
		}
		if (add_value(walk, &member, &place, depth) != RV_OK)
			return walk->err->status;
		place.index++;
	}
	if (has_twins(walk, first_key))
		return refuse(outer, walk->err, "a name is there twice");
	walk->keys_count = first_key;
	rv_strbuf_puts(walk->out, list ? "]}" : "}}");
	return RV_OK;
}

static enum rv_status add_value(struct walk *walk, const struct rv_json_value *value,
				const struct place *place, unsigned depth)
{
	struct rv_dynamodb_number number;

	switch (value->type) {
	case RV_JSON_STRING:
		walk->bytes += decode(walk, value->p + 1, value->len - 2, value->escaped).len;
		rv_strbuf_puts(walk->out, "{\"S\":");
		rv_strbuf_add(walk->out, value->p, value->len);
		rv_strbuf_putc(walk->out, '}');
		return RV_OK;
	case RV_JSON_NUMBER_VALUE:
		rv_dynamodb_number_look(value->p, value->len, &number);
		if (number.digits > RV_DYNAMODB_DIGITS)
			return refuse(place, walk->err, "%zu digits, and DynamoDB keeps %d", number.digits,
				      RV_DYNAMODB_DIGITS);
		if (number.magnitude > MAGNITUDE_MAX || number.magnitude < MAGNITUDE_MIN)
			return refuse(place, walk->err, "%.*s is beyond what DynamoDB keeps (1e%d to 9.9e%d)",
				      value->len < 40 ? (int)value->len : 40, value->p, MAGNITUDE_MIN,
				      MAGNITUDE_MAX);
		walk->bytes += rv_dynamodb_number_bytes(&number);
		rv_strbuf_puts(walk->out, "{\"N\":\"");
		rv_strbuf_add(walk->out, value->p, value->len);
		rv_strbuf_puts(walk->out, "\"}");
		return RV_OK;
	case RV_JSON_OBJECT:
	case RV_JSON_ARRAY:
		return add_members(walk, value, place, depth + 1);
	case RV_JSON_NULL:
		walk->bytes++;
		rv_strbuf_puts(walk->out, "{\"NULL\":true}");
		return RV_OK;
	default:
		walk->bytes++;
		rv_strbuf_puts(walk->out, value->type == RV_JSON_TRUE ? "{\"BOOL\":true}" : "{\"BOOL\":false}");
		return RV_OK;
	}
}

/* ---- keys ---------------------------------------------------------------------------------------- */

/* Appends one value of a key; what it is made of tells values apart whatever they hold. */
static void add_key(struct rv_strbuf *key, char type, struct rv_str value)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf number = RV_STRBUF_INIT;
	uint32_t len;

	if (type == 'N') {
		add_number(&number, value.p, value.len);
		value = (struct rv_str){ number.bytes, number.len };
	}
	len = (uint32_t)value.len;
	rv_strbuf_putc(key, type);
	rv_strbuf_add(key, &len, sizeof(len));
	rv_strbuf_add(key, value.p, value.len);
}

static const char *const type_names[] = {
	[RV_JSON_NULL] = "null", [RV_JSON_FALSE] = "a boolean", [RV_JSON_TRUE] = "a boolean",
	[RV_JSON_NUMBER_VALUE] = "a number", [RV_JSON_STRING] = "a text", [RV_JSON_OBJECT] = "an object",
	[RV_JSON_ARRAY] = "a list",
};

/* That it can be the key's; its form goes into `key`. */
static enum rv_status check_key(struct walk *walk, const struct rv_dynamodb_schema *schema, size_t i,
				const struct rv_json_value *value, const struct place *place,
				struct rv_strbuf *key)
{
	char type = schema->fields[i].type;
	size_t most = i ? RV_DYNAMODB_RANGE_BYTES : RV_DYNAMODB_HASH_BYTES;
	bool fits = type == 'S' ? value->type == RV_JSON_STRING :
		    type == 'N' ? value->type == RV_JSON_NUMBER_VALUE : false;

	if (!fits)
		return refuse(place, walk->err, "%s, and the table's key is %s", type_names[value->type],
			      type == 'S' ? "a text" : type == 'N' ? "a number" : "binary");
	struct rv_str text = { value->p, value->len };
	if (type == 'S') {
		text = decode(walk, value->p + 1, value->len - 2, value->escaped);
		if (!text.len)
			return refuse(place, walk->err, "it is empty, which a key cannot be");
		if (text.len > most)
			return refuse(place, walk->err, "a key of %zu bytes, and DynamoDB takes %zu", text.len, most);
	}
	rv_strbuf_clear(key);
	add_key(key, type, text);
	return RV_OK;
}

static size_t field_of(const struct rv_dynamodb_schema *schema, struct rv_str name)
{
	for (size_t i = 0; i < schema->count; i++)
		if (rv_str_is(name, schema->fields[i].name))
			return i;
	return schema->count;
}

/* ---- items --------------------------------------------------------------------------------------- */

void rv_dynamodb_item_release(struct rv_dynamodb_item *item)
{
	rv_strbuf_release(&item->json);
	rv_strbuf_release(&item->key);
}

static enum rv_status check_json(const char *document, size_t len, struct rv_error *err)
{
	struct rv_json_scan scan;
	size_t blank = 0;

	while (blank < len && memchr(" \t\r\n", document[blank], 4))
		blank++;
	if (rv_json_scan_object(document + blank, len - blank, 0, 0, &scan) != RV_JSON_OK)
		return rv_fail(err, RV_BAD_DATA, "no JSON object: %s at byte %zu", rv_json_fault_text(scan.fault),
			       blank + scan.end + 1);
	for (size_t i = blank + scan.end; i < len; i++)
		if (!memchr(" \t\r\n", document[i], 4))
			return rv_fail(err, RV_BAD_DATA, "no JSON object: something follows it at byte %zu", i + 1);
	return RV_OK;
}

enum rv_status rv_dynamodb_item_make(const struct rv_dynamodb_item_params *params, const char *document,
				     size_t len, struct rv_dynamodb_item *ret, struct rv_error *err)
{
	const struct rv_dynamodb_schema *schema = params->schema;
	RV_CLEANUP(walk_release) struct walk walk = { .out = &ret->json, .text = RV_STRBUF_INIT, .err = err };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf range = RV_STRBUF_INIT;
	struct place place = { 0 };
	struct rv_json_value value;
	struct rv_json_key key;
	struct rv_json_iter it;
	bool has[2] = { false, false }, first = true;

	rv_strbuf_clear(&ret->json);
	rv_strbuf_clear(&ret->key);
	if (check_json(document, len, err) != RV_OK)
		return err->status;
	rv_strbuf_reserve(&ret->json, len * 2 + 256);
	rv_strbuf_putc(&ret->json, '{');
	rv_json_iter_init(&it, document, len);
	while (rv_json_iter_next(&it, &key, &value)) {
		size_t before = ret->json.len;
		struct rv_str name;

		place.key = key;
		if (!first)
			rv_strbuf_putc(&ret->json, ',');
		if (add_name(&walk, &place, &name) != RV_OK)
			return err->status;
		size_t field = field_of(schema, name);
		if (params->keys_only && field == schema->count) {
			walk.bytes -= name.len;
			rv_strbuf_truncate(&ret->json, before);
			continue;
		}
		first = false;
		for (size_t i = 0; i < params->extras_count; i++)
			if (rv_str_is(name, params->extras[i].name))
				return refuse(&place, err, "the document has a member of this name, which river writes itself");
		if (field < schema->count) {
			has[field] = true;
			if (check_key(&walk, schema, field, &value, &place, field ? &range : &ret->key) != RV_OK)
				return err->status;
		}
		if (add_value(&walk, &value, &place, 0) != RV_OK)
			return err->status;
	}
	if (has_twins(&walk, 0))
		return refuse(NULL, err, "a name is there twice");
	for (size_t i = 0; i < schema->count; i++)
		if (!has[i])
			return refuse(NULL, err, "%s is not there, which is the table's %s key",
				      schema->fields[i].name, i ? "sort" : "partition");
	rv_strbuf_add(&ret->key, range.bytes, range.len);
	for (size_t i = 0; i < params->extras_count; i++) {
		const struct rv_dynamodb_extra *extra = &params->extras[i];
		struct rv_dynamodb_number number;

		if (!*extra->number)
			continue;
		rv_dynamodb_number_look(extra->number, strlen(extra->number), &number);
		rv_strbuf_printf(&ret->json, ",\"%s\":{\"N\":\"%s\"}", extra->name, extra->number);
		walk.bytes += strlen(extra->name) + rv_dynamodb_number_bytes(&number);
	}
	rv_strbuf_putc(&ret->json, '}');
	ret->bytes = walk.bytes;
	if (ret->bytes > RV_DYNAMODB_ITEM_BYTES)
		return refuse(NULL, err, "an item of %" PRIu64 " bytes, and DynamoDB takes %d", ret->bytes,
			      RV_DYNAMODB_ITEM_BYTES);
	return RV_OK;
}

/* The members of an object that have the names of the key. */
static void find_fields(const struct rv_dynamodb_schema *schema, const char *p, size_t len,
			struct rv_json_value values[2])
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	struct rv_json_value value;
	struct rv_json_key key;
	struct rv_json_iter it;

	values[0] = values[1] = (struct rv_json_value){ 0 };
	rv_json_iter_init(&it, p, len);
	while (rv_json_iter_next(&it, &key, &value)) {
		rv_strbuf_clear(&name);
		add_text(&name, key.p, key.len, key.escaped);
		size_t field = field_of(schema, (struct rv_str){ name.bytes, name.len });
		if (field < schema->count)
			values[field] = value;
	}
}

/* What an AttributeValue of the type holds. */
static bool inner(const struct rv_json_value *attribute, char type, struct rv_json_value *ret)
{
	struct rv_json_key key;
	struct rv_json_iter it;

	if (attribute->type != RV_JSON_OBJECT)
		return false;
	rv_json_iter_init(&it, attribute->p, attribute->len);
	return rv_json_iter_next(&it, &key, ret) && key.len == 1 && *key.p == type &&
	       ret->type == RV_JSON_STRING;
}

bool rv_dynamodb_item_key(const struct rv_dynamodb_schema *schema, const char *p, size_t len,
			  struct rv_strbuf *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_json_value values[2], value;

	find_fields(schema, p, len, values);
	for (size_t i = 0; i < schema->count; i++) {
		if (!inner(&values[i], schema->fields[i].type, &value))
			return false;
		rv_strbuf_clear(&text);
		add_text(&text, value.p + 1, value.len - 2, value.escaped);
		add_key(ret, schema->fields[i].type, (struct rv_str){ text.bytes, text.len });
	}
	return true;
}

static void add_field(const struct rv_dynamodb_schema *schema, size_t i, const struct rv_json_value *value,
		      struct rv_strbuf *ret)
{
	bool text = value->type == RV_JSON_STRING;

	rv_strbuf_printf(ret, "%s%s ", i ? ", " : "", schema->fields[i].name);
	add_shown(ret, value->p + text, value->len - (size_t)text * 2, text && value->escaped);
}

void rv_dynamodb_document_name(const struct rv_dynamodb_schema *schema, const char *document, size_t len,
			       struct rv_strbuf *ret)
{
	struct rv_json_value values[2] = { { 0 }, { 0 } };
	struct rv_error ignored = RV_ERROR_INIT;

	if (check_json(document, len, &ignored) == RV_OK)
		find_fields(schema, document, len, values);
	if (values[0].type == RV_JSON_ABSENT)
		rv_strbuf_printf(ret, "a document without %s", schema->fields[0].name);
	for (size_t i = 0; i < schema->count && values[i].type != RV_JSON_ABSENT; i++)
		add_field(schema, i, &values[i], ret);
}

void rv_dynamodb_item_name(const struct rv_dynamodb_schema *schema, const char *item, size_t len,
			   struct rv_strbuf *ret)
{
	struct rv_json_value values[2], value;

	find_fields(schema, item, len, values);
	for (size_t i = 0; i < schema->count; i++)
		if (inner(&values[i], schema->fields[i].type, &value))
			add_field(schema, i, &value, ret);
}
