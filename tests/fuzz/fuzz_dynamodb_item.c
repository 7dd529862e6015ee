/*
 * Any record as an item of DynamoDB: refused with its path, or JSON whose attributes are what jansson reads in
 * the record, with the size counted a second time, and a key that is one and the same however it is written.
 */
#include "fuzz.h"

#include <jansson.h>

#include "aws/dynamodb_item.h"
#include "format/json_scan.h"

static uint64_t size_of(const json_t *attribute);

/* A list or a map: 3, and 1 for each element. */
static uint64_t size_of_all(const json_t *container)
{
	uint64_t bytes = 3;
	const char *key;
	size_t i, key_len;
	json_t *value;

	if (json_is_array(container)) {
		json_array_foreach (container, i, value)
			bytes += 1 + size_of(value);
	} else {
		json_object_keylen_foreach ((json_t *)(uintptr_t)container, key, key_len, value)
			bytes += 1 + key_len + size_of(value);
	}
	return bytes;
}

static uint64_t size_of(const json_t *attribute)
{
	const char *type = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)attribute));
	const json_t *value = json_object_get(attribute, type);
	struct rv_dynamodb_number number;

	CHECK(json_object_size(attribute) == 1 && type && value);
	if (strcmp(type, "S") == 0)
		return json_string_length(value);
	if (strcmp(type, "N") == 0) {
		rv_dynamodb_number_look(json_string_value(value), json_string_length(value), &number);
		CHECK(number.digits <= 38);
		return rv_dynamodb_number_bytes(&number);
	}
	if (strcmp(type, "L") == 0 || strcmp(type, "M") == 0)
		return size_of_all(value);
	CHECK(strcmp(type, "NULL") == 0 || strcmp(type, "BOOL") == 0);
	return 1;
}

/* The attribute says what stood in the record. */
static void check_attribute(const json_t *attribute, const json_t *value)
{
	static const char *const types[] = {
		[JSON_OBJECT] = "M",	[JSON_ARRAY] = "L",   [JSON_STRING] = "S",  [JSON_INTEGER] = "N",
		[JSON_REAL] = "N",	[JSON_TRUE] = "BOOL", [JSON_FALSE] = "BOOL", [JSON_NULL] = "NULL",
	};
	const json_t *is = json_object_get(attribute, types[json_typeof(value)]);
	const char *key;
	size_t i;
	json_t *item;

	CHECK(is);
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		CHECK(json_object_size(is) == json_object_size(value));
		json_object_foreach ((json_t *)(uintptr_t)value, key, item)
			check_attribute(json_object_get(is, key), item);
		break;
	case JSON_ARRAY:
		CHECK(json_array_size(is) == json_array_size(value));
		json_array_foreach (value, i, item)
			check_attribute(json_array_get(is, i), item);
		break;
	case JSON_STRING:
	case JSON_TRUE:
	case JSON_FALSE:
		CHECK(json_equal(is, value));
		break;
	case JSON_INTEGER:
	case JSON_REAL: {
		RV_CLEANUP(json_decrefp) json_t *number = json_loads(json_string_value(is), JSON_DECODE_ANY, NULL);

		CHECK(json_equal(number, value));
		break;
	}
	case JSON_NULL:
		CHECK(json_is_true(is));
		break;
	}
}

static void check_item(const struct rv_dynamodb_item_params *params, const struct rv_dynamodb_item *item,
		       const char *p, size_t len)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT, name = RV_STRBUF_INIT;
	struct rv_json_scan scan;

	CHECK(rv_json_scan_object(item->json.bytes, item->json.len, 0, 0, &scan) == RV_JSON_OK);
	CHECK(scan.end == item->json.len);
	CHECK(rv_dynamodb_item_key(params->schema, item->json.bytes, item->json.len, &key));
	CHECK(key.len == item->key.len && memcmp(key.bytes, item->key.bytes, key.len) == 0);
	rv_dynamodb_item_name(params->schema, item->json.bytes, item->json.len, &name);
	CHECK(name.len > 0);
	RV_CLEANUP(json_decrefp) json_t *tree = json_loadb(p, len, JSON_ALLOW_NUL, NULL);
	RV_CLEANUP(json_decrefp)
	json_t *attributes = json_loadb(item->json.bytes, item->json.len, JSON_ALLOW_NUL, NULL);
	const char *member;
	json_t *value;

	if (!tree || !attributes) /* numbers of any size, keys with a NUL: not for jansson */
		return;
	/* an object's own 3, and 1 for each member, are not counted for the item itself */
	CHECK(size_of_all(attributes) - 3 - json_object_size(attributes) == item->bytes);
	json_object_foreach (attributes, member, value)
		if (strcmp(member, "_v") != 0)
			check_attribute(value, json_object_get(tree, member));
	CHECK(params->keys_only || json_object_size(attributes) == json_object_size(tree) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rv_dynamodb_schema schemas[] = {
		{ .fields = { { "id", 'S' } }, .count = 1 },
		{ .fields = { { "n", 'N' } }, .count = 1 },
		{ .fields = { { "id", 'S' }, { "n", 'N' } }, .count = 2 },
	};
	static const struct rv_dynamodb_extra extras[] = { { "_v", "7" }, { "_deleted", "" } };
	RV_CLEANUP(rv_dynamodb_item_release) struct rv_dynamodb_item item = RV_DYNAMODB_ITEM_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	if (size < 1 || size > 16 << 10)
		return 0;
	const struct rv_dynamodb_item_params params = {
		.schema = &schemas[data[0] % 3],
		.extras = extras,
		.extras_count = 2,
		.keys_only = data[0] & 4,
	};
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);

	if (rv_dynamodb_item_make(&params, p, size - 1, &item, &err) == RV_OK)
		check_item(&params, &item, p, size - 1);
	else
		CHECK(err.status == RV_BAD_DATA && err.message[0]);
	rv_dynamodb_document_name(params.schema, p, size - 1, &name);
	CHECK(name.len > 0);
	return 0;
}
