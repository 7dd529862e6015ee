/*
 * Writes: what is sent and how answers are read. Items are JSON already, so requests are put together from
 * slices; answers, which may repeat 16 MiB of what was sent, are walked without building anything.
 */
#include "aws/dynamodb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/dynamodb_impl.h"
#include "base/memory.h"
#include "format/json_path.h"
#include "format/json_scan.h"

/* An answer to a batch repeats what was not processed, and may spell it longer. */
#define ANSWER_MAX (2 * (size_t)RV_DYNAMODB_BATCH_BYTES)

void rv_dynamodb_room_release(struct rv_dynamodb_room *room)
{
	rv_strbuf_release(&room->body);
	rv_strbuf_release(&room->key);
	rv_http_response_release(&room->response);
}

/* ---- looking at answers -------------------------------------------------------------------------- */

static bool is_key(const struct rv_json_key *key, const char *name)
{
	return !key->escaped && key->len == strlen(name) && memcmp(key->p, name, key->len) == 0;
}

static struct rv_json_value member(const struct rv_json_value *object, const char *name)
{
	struct rv_json_value value, found = { 0 };
	struct rv_json_key key;
	struct rv_json_iter it;

	if (object->type != RV_JSON_OBJECT)
		return found;
	rv_json_iter_init(&it, object->p, object->len);
	while (rv_json_iter_next(&it, &key, &value))
		if (is_key(&key, name))
			found = value;
	return found;
}

/* The whole text as one value; its type is ABSENT when it is no JSON object. */
static struct rv_json_value whole(const char *p, size_t len)
{
	struct rv_json_scan scan;

	for (; len && memchr(" \t\r\n", *p, 4); p++)
		len--;
	if (rv_json_scan_object(p, len, 0, 0, &scan) != RV_JSON_OK)
		return (struct rv_json_value){ 0 };
	for (size_t i = scan.end; i < len; i++)
		if (!memchr(" \t\r\n", p[i], 4))
			return (struct rv_json_value){ 0 };
	return (struct rv_json_value){ .type = RV_JSON_OBJECT, .p = p, .len = scan.end };
}

/* Of one ConsumedCapacity. */
static double units_of(const struct rv_json_value *capacity)
{
	struct rv_json_value units = member(capacity, "CapacityUnits");
	char text[32];

	if (units.type != RV_JSON_NUMBER_VALUE || units.len >= sizeof(text))
		return -1;
	memcpy(text, units.p, units.len);
	text[units.len] = '\0';
	return strtod(text, NULL);
}

static void read_units(const struct rv_json_value *answer, struct rv_dynamodb_result *ret)
{
	struct rv_json_value capacity = member(answer, "ConsumedCapacity"), each;
	struct rv_json_iter it;

	ret->units = -1;
	if (capacity.type == RV_JSON_OBJECT)
		ret->units = units_of(&capacity);
	if (capacity.type != RV_JSON_ARRAY)
		return;
	rv_json_iter_init(&it, capacity.p, capacity.len);
	while (rv_json_iter_next(&it, NULL, &each)) {
		double units = units_of(&each);

		if (units >= 0)
			ret->units = (ret->units < 0 ? 0 : ret->units) + units;
	}
}

/* ---- batches ------------------------------------------------------------------------------------- */

static void set_all(enum rv_dynamodb_fate fate, size_t count, enum rv_dynamodb_fate *fates)
{
	for (size_t i = 0; i < count; i++)
		fates[i] = fate;
}

static enum rv_status disbelieve(const char *why, struct rv_error *err)
{
	rv_fail(err, RV_FAILED, "the answer to a write %s", why);
	rv_hint(err, "a proxy or a portal may have answered instead of DynamoDB: look at HTTPS_PROXY and at the "
		     "endpoint");
	err->transient = true;
	err->http_status = 200;
	return err->status;
}

/* Which of the writes it is, that was not processed; `count`: none. */
static size_t find_write(const struct rv_json_value *request, const struct rv_dynamodb_schema *schema,
			 const struct rv_dynamodb_write *writes, size_t count, struct rv_strbuf *key)
{
	struct rv_json_value put = member(request, "PutRequest"), removal = member(request, "DeleteRequest");
	struct rv_json_value item = put.type == RV_JSON_OBJECT ? member(&put, "Item") : member(&removal, "Key");

	rv_strbuf_clear(key);
	if (item.type != RV_JSON_OBJECT || !rv_dynamodb_item_key(schema, item.p, item.len, key))
		return count;
	for (size_t i = 0; i < count; i++)
		if (rv_str_eq(writes[i].key, (struct rv_str){ key->bytes, key->len }))
			return i;
	return count;
}

enum rv_status rv_dynamodb_read_batch(const char *p, size_t len, const struct rv_dynamodb_schema *schema,
				      const struct rv_dynamodb_write *writes, size_t count,
				      struct rv_strbuf *key, enum rv_dynamodb_fate *fates,
				      struct rv_dynamodb_result *ret, struct rv_error *err)
{
	struct rv_json_value answer = whole(p, len), request, requests;
	struct rv_json_iter tables, it;
	struct rv_json_key table;

	*ret = (struct rv_dynamodb_result){ .units = -1 };
	set_all(RV_DYNAMODB_UNKNOWN, count, fates);
	if (answer.type != RV_JSON_OBJECT)
		return disbelieve("is no JSON object", err);
	struct rv_json_value unprocessed = member(&answer, "UnprocessedItems");
	if (unprocessed.type != RV_JSON_OBJECT)
		return disbelieve("has no UnprocessedItems", err);
	set_all(RV_DYNAMODB_TAKEN, count, fates);
	/* There is one table, by its name or its ARN: of whichever they say, what is left of it is left. */
	rv_json_iter_init(&tables, unprocessed.p, unprocessed.len);
	while (rv_json_iter_next(&tables, &table, &requests)) {
		bool known = requests.type == RV_JSON_ARRAY;

		if (known)
			rv_json_iter_init(&it, requests.p, requests.len);
		while (known && rv_json_iter_next(&it, NULL, &request)) {
			size_t i = find_write(&request, schema, writes, count, key);

			known = i < count;
			if (known)
				fates[i] = RV_DYNAMODB_LEFT;
		}
		if (!known) {
			set_all(RV_DYNAMODB_UNKNOWN, count, fates);
			return disbelieve("names as unprocessed what was not sent", err);
		}
	}
	read_units(&answer, ret);
	return RV_OK;
}

static void batch_body(struct rv_strbuf *body, const char *table, const struct rv_dynamodb_write *writes,
		       size_t count)
{
	size_t room = strlen(table) + 128;

	for (size_t i = 0; i < count; i++)
		room += writes[i].len + 40;
	rv_strbuf_clear(body);
	rv_strbuf_reserve(body, room);
	/* names of tables need no escapes: [a-zA-Z0-9_.-]+, in ARNs ':' and '/' too */
	rv_strbuf_puts(body, "{\"RequestItems\":{\"");
	rv_strbuf_puts(body, table);
	rv_strbuf_puts(body, "\":[");
	for (size_t i = 0; i < count; i++) {
		rv_strbuf_puts(body, i ? "," : "");
		rv_strbuf_puts(body, writes[i].remove ? "{\"DeleteRequest\":{\"Key\":" : "{\"PutRequest\":{\"Item\":");
		rv_strbuf_add(body, writes[i].item, writes[i].len);
		rv_strbuf_puts(body, "}}");
	}
	rv_strbuf_puts(body, "]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
}

/* One attempt. On failure *ret_certain: nothing was taken. */
static enum rv_status send_body(struct rv_dynamodb *dynamodb, const char *target,
				struct rv_dynamodb_room *room, bool *ret_certain, struct rv_error *err)
{
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	struct rv_http_tally tally = { 0 };

	rv_dynamodb_headers(&headers, target);
	rv_http_response_clear(&room->response);
	const struct rv_aws_request request = {
		.method = "POST",
		.headers = &headers,
		.body = { .bytes = room->body.bytes, .fd = -1, .len = room->body.len },
		.max_body_bytes = ANSWER_MAX,
		/* whoever holds the documents decides about another attempt */
		.not_repeatable = true,
		.max_attempts = 1,
		.total_timeout_ms = RV_DYNAMODB_WRITE_TIMEOUT_MS,
	};
	enum rv_status status = rv_aws_send(dynamodb->client, &request, NULL, &room->response, &tally, err);
	/* Refusals and "slow down" come before anything is taken; 0 is no answer, which the tally knows about;
	 * a 200 that is damaged was one. */
	int http = err->http_status;
	*ret_certain = !tally.unknown && (http == 0 || (http >= 300 && http < 500) ||
					  rv_aws_code_throttle(err->service_code, http));
	return status;
}

enum rv_status rv_dynamodb_batch(struct rv_dynamodb *dynamodb, const char *table,
				 const struct rv_dynamodb_schema *schema,
				 const struct rv_dynamodb_write *writes, size_t count,
				 struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fates,
				 struct rv_dynamodb_result *ret, struct rv_error *err)
{
	bool certain;

	batch_body(&room->body, table, writes, count);
	if (send_body(dynamodb, RV_DYNAMODB_TARGET("BatchWriteItem"), room, &certain, err) == RV_OK)
		return rv_dynamodb_read_batch(room->response.body.bytes, room->response.body.len, schema, writes,
					      count, &room->key, fates, ret, err);
	set_all(certain ? RV_DYNAMODB_LEFT : RV_DYNAMODB_UNKNOWN, count, fates);
	*ret = (struct rv_dynamodb_result){ .units = -1 };
	snprintf(ret->code, sizeof(ret->code), "%s", err->service_code);
	snprintf(ret->message, sizeof(ret->message), "%.255s", err->message);
	return err->status;
}

/* ---- one by one ---------------------------------------------------------------------------------- */

static void one_body(struct rv_strbuf *body, const char *table, const struct rv_dynamodb_schema *schema,
		     const struct rv_dynamodb_write *write, bool versioned)
{
	rv_strbuf_clear(body);
	rv_strbuf_reserve(body, write->len + strlen(table) + 512);
	rv_strbuf_printf(body, "{\"TableName\":\"%s\",\"%s\":", table, write->remove ? "Key" : "Item");
	rv_strbuf_add(body, write->item, write->len);
	if (versioned) {
		rv_strbuf_puts(body, ",\"ConditionExpression\":\"attribute_not_exists(#k) OR #v <= :v\","
				     "\"ExpressionAttributeNames\":{\"#k\":");
		rv_strbuf_json(body, schema->fields[0].name, strlen(schema->fields[0].name));
		rv_strbuf_printf(body, ",\"#v\":\"" RV_DYNAMODB_VERSION "\"},\"ExpressionAttributeValues\":"
				       "{\":v\":{\"N\":\"%" PRIu64 "\"}},"
				       "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"", write->version);
	}
	rv_strbuf_puts(body, ",\"ReturnConsumedCapacity\":\"TOTAL\"}");
}

/* What stands in the way: an item that has a version, or one that has none. An answer without the item says
 * that it is the version. */
static enum rv_dynamodb_fate why_not(const struct rv_strbuf *body)
{
	struct rv_json_value answer = whole(body->bytes, body->len);
	struct rv_json_value item = member(&answer, "Item");
	struct rv_json_value version = member(&item, RV_DYNAMODB_VERSION);
	struct rv_json_value number = member(&version, "N");

	return item.type == RV_JSON_OBJECT && number.type != RV_JSON_STRING ? RV_DYNAMODB_FOREIGN :
									       RV_DYNAMODB_NEWER;
}

/* The item's own fault: the same write never succeeds, others do. */
static bool is_for_the_item(const char *code)
{
	return strcmp(code, "ValidationException") == 0 || strcmp(code, "SerializationException") == 0 ||
	       strcmp(code, "ItemCollectionSizeLimitExceededException") == 0;
}

enum rv_status rv_dynamodb_write_one(struct rv_dynamodb *dynamodb, const char *table,
				     const struct rv_dynamodb_schema *schema,
				     const struct rv_dynamodb_write *write, bool versioned,
				     struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fate,
				     struct rv_dynamodb_result *ret, struct rv_error *err)
{
	bool certain;

	*ret = (struct rv_dynamodb_result){ .units = -1 };
	one_body(&room->body, table, schema, write, versioned);
	if (send_body(dynamodb, write->remove ? RV_DYNAMODB_TARGET("DeleteItem") : RV_DYNAMODB_TARGET("PutItem"),
		      room, &certain, err) == RV_OK) {
		struct rv_json_value answer = whole(room->response.body.bytes, room->response.body.len);

		*fate = answer.type == RV_JSON_OBJECT ? RV_DYNAMODB_TAKEN : RV_DYNAMODB_UNKNOWN;
		if (*fate == RV_DYNAMODB_UNKNOWN)
			return disbelieve("is no JSON object", err);
		read_units(&answer, ret);
		return RV_OK;
	}
	snprintf(ret->code, sizeof(ret->code), "%s", err->service_code);
	snprintf(ret->message, sizeof(ret->message), "%.255s", err->message);
	*fate = certain ? RV_DYNAMODB_LEFT : RV_DYNAMODB_UNKNOWN;
	if (!certain)
		return err->status;
	if (strcmp(err->service_code, "ConditionalCheckFailedException") == 0)
		*fate = why_not(&room->response.body);
	else if (is_for_the_item(err->service_code))
		*fate = RV_DYNAMODB_REFUSED;
	if (*fate == RV_DYNAMODB_LEFT)
		return err->status;
	*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}
