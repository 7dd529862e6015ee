/*
 * DynamoDB's calls over HTTP, against a server in this process: what is sent, and what each answer, or none,
 * says about the writes (faults 154, 155, 156 and 159).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "aws_world.h"

#include <jansson.h>
#include <libdeflate.h>

#include "aws/dynamodb.h"
#include "delivery/dynamodb_crew.h"

#define CALL "POST / HTTP/1.1\r\n"
#define FOR(operation) "\r\nX-Amz-Target: DynamoDB_20120810." operation "\r\n"

static const struct rv_dynamodb_schema schema = { .fields = { { "id", 'S' } }, .count = 1 };
#define ITEM(text) .item = text, .len = sizeof(text) - 1
static const struct rv_dynamodb_write writes[] = {
	{ ITEM("{\"id\":{\"S\":\"a\"},\"x\":{\"N\":\"1\"}}"), .key = { "S\1\0\0\0a", 6 }, .version = 7 },
	{ ITEM("{\"id\":{\"S\":\"b\"}}"), .remove = true, .key = { "S\1\0\0\0b", 6 }, .version = 8 },
};

struct test {
	struct world world;
	struct rv_dynamodb *dynamodb;
	struct rv_dynamodb_room room;
	enum rv_dynamodb_fate fates[2];
	struct rv_dynamodb_result result;
	struct rv_error err;
};

static void start(struct test *t, const struct step *steps, size_t count)
{
	*t = (struct test){ .room = RV_DYNAMODB_ROOM_INIT, .err = RV_ERROR_INIT };
	world_start(&t->world, steps, count);
	assert_int_equal(rv_dynamodb_new(t->world.aws, &t->dynamodb, &t->err), RV_OK);
}
#define START(t, steps) start(t, steps, sizeof(steps) / sizeof((steps)[0]))

static void stop(struct test *t)
{
	rv_dynamodb_room_release(&t->room);
	rv_dynamodb_free(t->dynamodb);
	world_stop(&t->world);
}

static enum rv_status batch(struct test *t)
{
	return rv_dynamodb_batch(t->dynamodb, "orders", &schema, writes, 2, &t->room, t->fates, &t->result, &t->err);
}

static enum rv_status one(struct test *t, size_t i, bool versioned)
{
	return rv_dynamodb_write_one(t->dynamodb, "orders", &schema, &writes[i], versioned, &t->room, t->fates,
				     &t->result, &t->err);
}

static void a_batch_is_sent(void **state)
{
	static const struct step steps[] = {
		{ CALL, FOR("BatchWriteItem"), NULL, 200, NULL,
		  "{\"UnprocessedItems\":{},\"ConsumedCapacity\":[{\"TableName\":\"orders\",\"CapacityUnits\":2.0}]}" },
		{ CALL, "Content-Type: application/x-amz-json-1.0", NULL, 200, NULL, "{\"UnprocessedItems\":{}}" },
		{ CALL, "/us-east-1/dynamodb/aws4_request", NULL, 200, NULL, "{\"UnprocessedItems\":{}}" },
	};
	struct test t;

	(void)state;
	START(&t, steps);
	assert_int_equal(batch(&t), RV_OK);
	assert_int_equal(t.fates[0], RV_DYNAMODB_TAKEN);
	assert_int_equal(t.fates[1], RV_DYNAMODB_TAKEN);
	assert_true(t.result.units == 2);
	assert_string_equal(t.room.body.bytes,
			    "{\"RequestItems\":{\"orders\":[{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"a\"},\"x\":{\"N\":\"1\"}}}},"
			    "{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"b\"}}}}]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
	assert_int_equal(batch(&t), RV_OK);
	assert_true(t.result.units < 0);
	assert_int_equal(batch(&t), RV_OK);
	stop(&t);
}

static void unprocessed_items_are_told_apart_154(void **state)
{
	static const struct step steps[] = {
		{ CALL, FOR("BatchWriteItem"), NULL, 200, NULL,
		  "{\"UnprocessedItems\":{\"orders\":[{\"DeleteRequest\":{\"Key\":{\"id\":{ \"S\":\"\\u0062\"}}}}]}}" },
		{ CALL, NULL, NULL, 200, NULL, "{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":{\"Item\":"
		  "{\"x\":{\"N\":\"1\"},\"id\":{\"S\":\"a\"}}}},{\"DeleteRequest\":{\"Key\":{\"id\":{\"S\":\"b\"}}}}]}}" },
		{ CALL, NULL, NULL, 200, NULL, "{\"UnprocessedItems\":{\"orders\":[{\"PutRequest\":{\"Item\":"
		  "{\"id\":{\"S\":\"q\"}}}}]}}" },
		{ CALL, NULL, NULL, 200, NULL, "{\"UnprocessedItems\":{\"arn:aws:dynamodb:eu-west-1:123456789012:table/orders\":"
		  "[{\"PutRequest\":{\"Item\":{\"id\":{\"S\":\"a\"}}}}]}}" },
		{ CALL, NULL, NULL, 200, NULL, "{\"UnprocessedItems\":{\"orders\":{\"PutRequest\":1}}}" },
	};
	struct test t;

	(void)state;
	START(&t, steps);
	assert_int_equal(batch(&t), RV_OK);
	assert_int_equal(t.fates[0], RV_DYNAMODB_TAKEN);
	assert_int_equal(t.fates[1], RV_DYNAMODB_LEFT);
	assert_int_equal(batch(&t), RV_OK);
	assert_int_equal(t.fates[0], RV_DYNAMODB_LEFT);
	assert_int_equal(t.fates[1], RV_DYNAMODB_LEFT);
	/* somebody else's answer */
	assert_int_equal(batch(&t), RV_FAILED);
	assert_true(t.err.transient);
	assert_int_equal(t.fates[0], RV_DYNAMODB_UNKNOWN);
	/* whatever the table is called there, what is left is not taken */
	assert_int_equal(batch(&t), RV_OK);
	assert_int_equal(t.fates[0], RV_DYNAMODB_LEFT);
	assert_int_equal(t.fates[1], RV_DYNAMODB_TAKEN);
	assert_int_equal(batch(&t), RV_FAILED);
	assert_int_equal(t.fates[0], RV_DYNAMODB_UNKNOWN);
	assert_int_equal(t.fates[1], RV_DYNAMODB_UNKNOWN);
	stop(&t);
}

static void failures_say_whether_anything_was_taken_154(void **state)
{
	static const struct {
		struct step step;
		enum rv_dynamodb_fate fate;
		enum rv_status status;
		bool transient;
	} cases[] = {
		{ { CALL, NULL, NULL, 400, NULL, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#"
		    "ProvisionedThroughputExceededException\",\"message\":\"slow\"}" }, RV_DYNAMODB_LEFT, RV_FAILED, true },
		{ { CALL, NULL, NULL, 400, NULL, "{\"__type\":\"com.amazon.coral.availability#ThrottlingException\"}" },
		  RV_DYNAMODB_LEFT, RV_FAILED, true },
		{ { CALL, NULL, NULL, 400, NULL, "{\"__type\":\"x#TransactionConflictException\"}" },
		  RV_DYNAMODB_LEFT, RV_FAILED, true },
		{ { CALL, NULL, NULL, 400, NULL, "{\"__type\":\"x#ValidationException\",\"message\":\"no\"}" },
		  RV_DYNAMODB_LEFT, RV_FAILED, false },
		{ { CALL, NULL, NULL, 400, NULL, "{\"__type\":\"x#ResourceNotFoundException\"}" },
		  RV_DYNAMODB_LEFT, RV_NOT_FOUND, false },
		{ { CALL, NULL, NULL, 400, NULL, "{\"__type\":\"x#AccessDeniedException\"}" },
		  RV_DYNAMODB_LEFT, RV_AUTH, false },
		{ { CALL, NULL, NULL, 500, NULL, "{\"__type\":\"x#InternalServerError\"}" },
		  RV_DYNAMODB_UNKNOWN, RV_FAILED, true },
		{ { CALL, NULL, NULL, 0, NULL, NULL }, RV_DYNAMODB_UNKNOWN, RV_FAILED, true },
		{ { CALL, NULL, NULL, -200, NULL, "{\"UnprocessedItems\":{}}" }, RV_DYNAMODB_UNKNOWN, RV_FAILED, true },
		{ { CALL, NULL, NULL, 200, NULL, "<html>" }, RV_DYNAMODB_UNKNOWN, RV_FAILED, true },
		{ { CALL, NULL, NULL, 200, NULL, "{}" }, RV_DYNAMODB_UNKNOWN, RV_FAILED, true },
		{ { CALL, NULL, NULL, 200, "x-amz-crc32: 12345\r\n", "{\"UnprocessedItems\":{}}" },
		  RV_DYNAMODB_UNKNOWN, RV_FAILED, true },
		/* an error that was damaged is no refusal */
		{ { CALL, NULL, NULL, 400, "x-amz-crc32: 12345\r\n", "{\"__type\":\"x#ValidationException\"}" },
		  RV_DYNAMODB_UNKNOWN, RV_FAILED, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct test t;

		start(&t, &cases[i].step, 1);
		assert_int_equal(batch(&t), cases[i].status);
		if (t.err.transient != cases[i].transient || t.fates[0] != cases[i].fate ||
		    t.fates[1] != cases[i].fate)
			fail_msg("case %zu: fate %d, %s", i, t.fates[0], t.err.message);
		stop(&t);
	}
}

static void sums_of_answers_are_verified(void **state)
{
	static const char body[] = "{\"UnprocessedItems\":{}}";
	char fields[64];
	const struct step steps[] = { { CALL, NULL, NULL, 200, fields, body } };
	struct test t;

	(void)state;
	snprintf(fields, sizeof(fields), "x-amz-crc32: %u\r\n", libdeflate_crc32(0, body, strlen(body)));
	START(&t, steps);
	assert_int_equal(batch(&t), RV_OK);
	stop(&t);
}

#define FAILED_CONDITION(item)                                                                     \
	"{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\","        \
	"\"message\":\"The conditional request failed\"" item "}"

static void older_never_overwrites_newer_156(void **state)
{
	static const struct step steps[] = {
		{ CALL, FOR("PutItem"), NULL, 200, NULL, "{\"ConsumedCapacity\":{\"CapacityUnits\":3.0}}" },
		{ CALL, FOR("DeleteItem"), NULL, 200, NULL, "{}" },
		{ CALL, FOR("PutItem"), NULL, 400, NULL, FAILED_CONDITION("") },
		{ CALL, NULL, NULL, 400, NULL, FAILED_CONDITION(",\"Item\":{\"id\":{\"S\":\"a\"},\"_v\":{\"N\":\"9\"}}") },
		{ CALL, NULL, NULL, 400, NULL, FAILED_CONDITION(",\"Item\":{\"id\":{\"S\":\"a\"}}") },
		{ CALL, NULL, NULL, 400, NULL, "{\"__type\":\"x#ValidationException\",\"message\":\"bad item\"}" },
		{ CALL, NULL, NULL, 400, NULL, "{\"__type\":\"x#ItemCollectionSizeLimitExceededException\"}" },
		{ CALL, NULL, NULL, 400, NULL, "{\"__type\":\"x#ThrottlingException\"}" },
		{ CALL, NULL, NULL, 200, NULL, "ok" },
	};
	static const enum rv_dynamodb_fate fates[] = {
		RV_DYNAMODB_TAKEN, RV_DYNAMODB_TAKEN, RV_DYNAMODB_NEWER, RV_DYNAMODB_NEWER, RV_DYNAMODB_FOREIGN,
		RV_DYNAMODB_REFUSED, RV_DYNAMODB_REFUSED, RV_DYNAMODB_LEFT, RV_DYNAMODB_UNKNOWN,
	};
	struct test t;

	(void)state;
	START(&t, steps);
	assert_int_equal(one(&t, 0, true), RV_OK);
	assert_true(t.result.units == 3);
	assert_string_equal(t.room.body.bytes,
			    "{\"TableName\":\"orders\",\"Item\":{\"id\":{\"S\":\"a\"},\"x\":{\"N\":\"1\"}},"
			    "\"ConditionExpression\":\"attribute_not_exists(#k) OR #v <= :v\","
			    "\"ExpressionAttributeNames\":{\"#k\":\"id\",\"#v\":\"_v\"},"
			    "\"ExpressionAttributeValues\":{\":v\":{\"N\":\"7\"}},"
			    "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\",\"ReturnConsumedCapacity\":\"TOTAL\"}");
	assert_int_equal(one(&t, 1, false), RV_OK);
	assert_string_equal(t.room.body.bytes, "{\"TableName\":\"orders\",\"Key\":{\"id\":{\"S\":\"b\"}},"
			    "\"ReturnConsumedCapacity\":\"TOTAL\"}");
	for (size_t i = 2; i < sizeof(fates) / sizeof(*fates); i++) {
		bool certain = fates[i] != RV_DYNAMODB_LEFT && fates[i] != RV_DYNAMODB_UNKNOWN;

		t.err = (struct rv_error)RV_ERROR_INIT;
		assert_int_equal(one(&t, 0, true), certain ? RV_OK : RV_FAILED);
		if (t.fates[0] != fates[i])
			fail_msg("step %zu: fate %d", i, t.fates[0]);
	}
	stop(&t);
}

/* ---- the table ---- */

#define TABLE(status)                                                                              \
	"{\"Table\":{\"TableName\":\"orders\",\"TableStatus\":\"" status "\",\"AttributeDefinitions\":["  \
	"{\"AttributeName\":\"n\",\"AttributeType\":\"N\"},{\"AttributeName\":\"id\",\"AttributeType\":\"S\"}]," \
	"\"KeySchema\":[{\"AttributeName\":\"n\",\"KeyType\":\"RANGE\"},{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}]}}"
#define BINARY                                                                                     \
	"{\"Table\":{\"TableStatus\":\"ACTIVE\",\"AttributeDefinitions\":[{\"AttributeName\":\"id\"," \
	"\"AttributeType\":\"B\"}],\"KeySchema\":[{\"AttributeName\":\"id\",\"KeyType\":\"HASH\"}]}}"
#define TTL(status, attribute)                                                                     \
	"{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"" status "\"" attribute "}}"
#define BY_EXPIRES ",\"AttributeName\":\"expires_at\""
#define MISSING "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\",\"message\":\"no\"}"
#define DATED "Date: Sun, 29 Nov 2026 16:00:00 GMT\r\n"

static enum rv_status prepare(struct test *t, bool create, const char *table)
{
	const struct rv_documents_dynamodb_params params = {
		.aws = t->world.aws, .table = table, .ttl_attribute = "expires_at", .ttl_count = 9,
		.ttl_unit = RV_JOB_MONTHS, .create_hash = create ? "id" : NULL,
		.create_range = create ? "n" : NULL, .create_range_is_number = true,
	};
	struct rv_dynamodb_schema found;
	int64_t now_ms = 0;

	t->err = (struct rv_error)RV_ERROR_INIT;
	if (rv_documents_dynamodb_prepare(&params, t->dynamodb, &found, &now_ms, &t->err) != RV_OK)
		return t->err.status;
	assert_int_equal(t->err.status, RV_OK);
	assert_int_equal(found.count, 2);
	assert_string_equal(found.fields[0].name, "id");
	assert_int_equal(found.fields[1].type, 'N');
	assert_int_equal(now_ms, INT64_C(1795968000000));
	return RV_OK;
}

static void a_table_is_looked_at_before_anything_is_written_159(void **state)
{
	static const struct {
		struct step steps[2];
		size_t count;
		enum rv_status status;
		const char *has;
	} cases[] = {
		{ { { CALL, FOR("DescribeTable"), NULL, 200, DATED, TABLE("ACTIVE") },
		    { CALL, FOR("DescribeTimeToLive"), NULL, 200, NULL, TTL("ENABLED", BY_EXPIRES) } }, 2, RV_OK, NULL },
		{ { { CALL, NULL, NULL, 400, NULL, MISSING } }, 1, RV_NOT_FOUND, "look at the table orders" },
		{ { { CALL, NULL, NULL, 400, NULL, "{\"__type\":\"x#AccessDeniedException\"}" } }, 1, RV_AUTH, "" },
		{ { { CALL, NULL, NULL, 200, DATED, TABLE("DELETING") } }, 1, RV_CONFLICT, "the table orders is DELETING" },
		{ { { CALL, NULL, NULL, 200, DATED, BINARY } }, 1, RV_CONFLICT, "the key id of the table orders is binary" },
		{ { { CALL, NULL, NULL, 200, DATED, TABLE("ACTIVE") },
		    { CALL, NULL, NULL, 200, NULL, TTL("DISABLED", "") } }, 2, RV_CONFLICT, "nothing in it would ever expire" },
		{ { { CALL, NULL, NULL, 200, DATED, TABLE("ACTIVE") },
		    { CALL, NULL, NULL, 200, NULL, TTL("ENABLED", ",\"AttributeName\":\"other\"") } }, 2, RV_CONFLICT,
		  "items of the table orders expire by other, and not by expires_at" },
		{ { { CALL, NULL, NULL, 200, DATED, "{\"Table\":{\"TableStatus\":\"ACTIVE\"}}" } }, 1, RV_FAILED, "no key" },
		{ { { 0 } }, 0, RV_BAD_CONFIG, "is no name of a table" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct test t;

		start(&t, cases[i].steps, cases[i].count);
		enum rv_status status = prepare(&t, false, cases[i].count ? "orders" : "or\"ders");
		if (status != cases[i].status || (cases[i].has && !strstr(t.err.message, cases[i].has)))
			fail_msg("case %zu: %d %s", i, (int)status, t.err.message);
		stop(&t);
	}
}

static void a_table_is_made_with_its_time_to_live(void **state)
{
	static const struct step steps[] = {
		{ CALL, FOR("DescribeTable"), NULL, 400, NULL, MISSING },
		{ CALL, FOR("CreateTable"), NULL, 200, NULL, "{\"TableDescription\":{}}" },
		{ CALL, FOR("DescribeTable"), NULL, 400, NULL, MISSING },
		{ CALL, FOR("DescribeTable"), NULL, 200, DATED, TABLE("CREATING") },
		{ CALL, FOR("DescribeTable"), NULL, 200, DATED, TABLE("ACTIVE") },
		{ CALL, FOR("DescribeTimeToLive"), NULL, 200, NULL, TTL("DISABLED", "") },
		{ CALL, FOR("UpdateTimeToLive"), NULL, 200, NULL, "{\"TimeToLiveSpecification\":{}}" },
	};
	static const struct step raced[] = {
		{ CALL, FOR("DescribeTable"), NULL, 400, NULL, MISSING },
		{ CALL, FOR("CreateTable"), NULL, 400, NULL, "{\"__type\":\"x#ResourceInUseException\"}" },
		{ CALL, FOR("DescribeTable"), NULL, 200, DATED, TABLE("ACTIVE") },
		{ CALL, FOR("DescribeTimeToLive"), NULL, 200, NULL, TTL("ENABLING", BY_EXPIRES) },
	};
	struct test t;

	(void)state;
	START(&t, steps);
	if (prepare(&t, true, "orders") != RV_OK)
		fail_msg("%s", t.err.message);
	stop(&t);
	START(&t, raced);
	if (prepare(&t, true, "orders") != RV_OK)
		fail_msg("%s", t.err.message);
	stop(&t);
}

static int set_up(void **state)
{
	http_world_setup(state);
	world_environment();
	unsetenv("AWS_ENDPOINT_URL_DYNAMODB");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_is_sent),
		cmocka_unit_test(unprocessed_items_are_told_apart_154),
		cmocka_unit_test(failures_say_whether_anything_was_taken_154),
		cmocka_unit_test(sums_of_answers_are_verified),
		cmocka_unit_test(older_never_overwrites_newer_156),
		cmocka_unit_test(a_table_is_looked_at_before_anything_is_written_159),
		cmocka_unit_test(a_table_is_made_with_its_time_to_live),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
