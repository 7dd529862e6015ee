/*
 * Any bytes as what DynamoDB answers: to batches, to single writes, about tables. What jansson finds unprocessed in
 * the answer to a batch is never taken for written, an answer that cannot be believed leaves all in doubt, and what
 * is said of a table has a key. The first byte chooses what is asked; the rest is answers (answers.h), or for a batch
 * the body alone.
 */
#include "fuzz.h"

#include <jansson.h>

#include "answers.h"
#include "aws/dynamodb.h"
#include "format/json_scan.h"

#define WRITES 3

static const struct rv_dynamodb_schema schema = { .fields = { { "id", 'S' } }, .count = 1 };
#define ITEM(text) .item = text, .len = sizeof(text) - 1
static const struct rv_dynamodb_write writes[WRITES] = {
	{ ITEM("{\"id\":{\"S\":\"a\"},\"x\":{\"N\":\"1\"}}"), .key = { "S\1\0\0\0a", 6 }, .version = 7 },
	{ ITEM("{\"id\":{\"S\":\"b\"}}"), .remove = true, .key = { "S\1\0\0\0b", 6 }, .version = 8 },
	{ ITEM("{\"id\":{\"S\":\"c\"}}"), .key = { "S\1\0\0\0c", 6 }, .version = 9 },
};
static struct rv_dynamodb *dynamodb;

static void check_texts(const struct rv_dynamodb_result *result)
{
	CHECK(memchr(result->code, '\0', sizeof(result->code)));
	CHECK(memchr(result->message, '\0', sizeof(result->message)));
}

static void check_refusal(enum rv_status status, const struct rv_error *err)
{
	CHECK(status == err->status && err->message[0] && memchr(err->message, '\0', sizeof(err->message)));
}

/* Which write an unprocessed request is, as jansson sees it; WRITES: none. */
static size_t write_of(const json_t *request)
{
	const json_t *item = json_object_get(json_object_get(request, "PutRequest"), "Item");
	const char *id;

	if (!json_is_object(json_object_get(request, "PutRequest")))
		item = json_object_get(json_object_get(request, "DeleteRequest"), "Key");
	id = json_string_value(json_object_get(json_object_get(item, "id"), "S"));
	return id && id[0] >= 'a' && id[0] <= 'c' && !id[1] ? (size_t)(id[0] - 'a') : WRITES;
}

static void check_unprocessed(const char *p, size_t len, const enum rv_dynamodb_fate *fates)
{
	RV_CLEANUP(json_decrefp) json_t *answer = json_loadb(p, len, JSON_REJECT_DUPLICATES, NULL);
	const char *table;
	json_t *requests, *request;
	size_t i;

	/* what jansson refuses beyond the scanner is in test_json_scan_jansson.c */
	json_object_foreach(json_object_get(answer, "UnprocessedItems"), table, requests)
		json_array_foreach(requests, i, request) {
			size_t w = write_of(request);

			CHECK(w < WRITES && fates[w] == RV_DYNAMODB_LEFT);
		}
}

static void try_body(const char *p, size_t len)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;
	enum rv_dynamodb_fate fates[WRITES];
	struct rv_dynamodb_result result;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_dynamodb_read_batch(p, len, &schema, writes, WRITES, &key, fates, &result, &err);

	check_texts(&result);
	for (size_t i = 0; i < WRITES; i++)
		CHECK(status == RV_OK ? fates[i] == RV_DYNAMODB_TAKEN || fates[i] == RV_DYNAMODB_LEFT
				      : fates[i] == RV_DYNAMODB_UNKNOWN);
	if (status != RV_OK) {
		check_refusal(status, &err);
		CHECK(err.transient);
		return;
	}
	check_unprocessed(p, len, fates);
}

static void try_batch(void)
{
	struct rv_dynamodb_room room = RV_DYNAMODB_ROOM_INIT;
	enum rv_dynamodb_fate fates[WRITES];
	struct rv_dynamodb_result result;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status =
		rv_dynamodb_batch(dynamodb, "orders", &schema, writes, WRITES, &room, fates, &result, &err);

	/* once and no more: whoever holds the documents decides */
	CHECK(script.calls <= 3);
	check_texts(&result);
	for (size_t i = 0; i < WRITES; i++)
		CHECK(status == RV_OK ? fates[i] == RV_DYNAMODB_TAKEN || fates[i] == RV_DYNAMODB_LEFT
				      : fates[i] == fates[0] && fates[i] != RV_DYNAMODB_TAKEN);
	if (status != RV_OK)
		check_refusal(status, &err);
	else
		check_unprocessed(room.response.body.bytes, room.response.body.len, fates);
	rv_dynamodb_room_release(&room);
}

static void try_one(size_t i, bool versioned)
{
	struct rv_dynamodb_room room = RV_DYNAMODB_ROOM_INIT;
	enum rv_dynamodb_fate fate = RV_DYNAMODB_TAKEN;
	struct rv_dynamodb_result result;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_dynamodb_write_one(dynamodb, "orders", &schema, &writes[i], versioned, &room, &fate,
						      &result, &err);
	bool sure = fate == RV_DYNAMODB_TAKEN || fate == RV_DYNAMODB_NEWER || fate == RV_DYNAMODB_FOREIGN ||
		    fate == RV_DYNAMODB_REFUSED;

	check_texts(&result);
	CHECK(sure == (status == RV_OK));
	if (status != RV_OK)
		check_refusal(status, &err);
	else if (fate == RV_DYNAMODB_TAKEN)
		CHECK(room.response.status / 100 == 2);
	rv_dynamodb_room_release(&room);
}

static void try_describe(void)
{
	struct rv_dynamodb_table table = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_dynamodb_describe(dynamodb, "orders", &table, &err);

	if (status != RV_OK) {
		check_refusal(status, &err);
		return;
	}
	CHECK(table.status && (table.schema.count == 1 || table.schema.count == 2));
	for (size_t i = 0; i < table.schema.count; i++)
		CHECK(table.schema.fields[i].type && strchr("SNB", table.schema.fields[i].type) &&
		      memchr(table.schema.fields[i].name, '\0', sizeof(table.schema.fields[i].name)));
	rv_dynamodb_table_release(&table);
}

static void try_ttl(void)
{
	struct rv_dynamodb_ttl ttl = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_dynamodb_ttl(dynamodb, "orders", &ttl, &err);

	if (status != RV_OK)
		check_refusal(status, &err);
	CHECK(memchr(ttl.status, '\0', sizeof(ttl.status)) && memchr(ttl.attribute, '\0', sizeof(ttl.attribute)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 16 << 10)
		return 0;
	if (!dynamodb) {
		struct rv_error err = RV_ERROR_INIT;

		answers_set_up();
		CHECK(rv_dynamodb_new(answers_aws, &dynamodb, &err) == RV_OK);
	}
	RV_CLEANUP(rv_free_p) char *text = exact_text(data + 1, size - 1);
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);

	memset(&script, 0, sizeof(script));
	script.p = text;
	script.len = size - 1;
	switch (data[0] & 7) {
	case 0:
	case 1: try_batch(); break;
	case 2: try_one(data[0] >> 3 & 1, data[0] & 16); break;
	case 3: try_describe(); break;
	case 4: try_ttl(); break;
	default: try_body(p, size - 1);
	}
	return 0;
}
