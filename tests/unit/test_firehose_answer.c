/*
 * PutRecordBatch's body, and its answers: those that can be believed, with a fate for each record,
 * and every kind that cannot, after which nothing is known about any (faults 25 and 32).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "aws/firehose.h"
#include "base/memory.h"

/* ---- the body ---------------------------------------------------------------- */

static void body_is_what_was_given(void **state)
{
	(void)state;
	struct rv_strbuf body = RV_STRBUF_INIT;
	const struct rv_firehose_record records[] = {
		{ "{}\n", 3 }, { "{\"a\":1}\n", 8 }, { "{\"a\":12}\n", 9 },
	};
	rv_firehose_put_body(&body, "river-web-clicks", records, 3);
	assert_string_equal(body.bytes, "{\"DeliveryStreamName\":\"river-web-clicks\",\"Records\":["
					"{\"Data\":\"e30K\"},{\"Data\":\"eyJhIjoxfQo=\"},"
					"{\"Data\":\"eyJhIjoxMn0K\"}]}");
	assert_int_equal(body.len, strlen(body.bytes));
	/* used again, smaller */
	rv_firehose_put_body(&body, "s", records, 1);
	assert_string_equal(body.bytes, "{\"DeliveryStreamName\":\"s\",\"Records\":[{\"Data\":\"e30K\"}]}");
	rv_strbuf_release(&body);
}

static void largest_body_fits_the_limit(void **state)
{
	(void)state;
	struct rv_strbuf body = RV_STRBUF_INIT;
	static char bytes[RV_FIREHOSE_BATCH_BYTES];
	struct rv_firehose_record records[RV_FIREHOSE_BATCH_RECORDS];
	char name[65];
	memset(bytes, 'x', sizeof(bytes));
	memset(name, 'n', 64);
	name[64] = '\0';
	for (size_t i = 0; i < RV_FIREHOSE_BATCH_RECORDS; i++)
		records[i] = (struct rv_firehose_record){ bytes + i * 8000, 8000 };
	rv_firehose_put_body(&body, name, records, RV_FIREHOSE_BATCH_RECORDS);
	assert_true(body.len < 5500000);
	json_error_t why;
	json_t *json = json_loadb(body.bytes, body.len, 0, &why);
	assert_non_null(json);
	assert_int_equal(json_array_size(json_object_get(json, "Records")), 500);
	json_decref(json);
	rv_strbuf_release(&body);
}

/* ---- answers ----------------------------------------------------------------- */

static enum rv_firehose_fate fates[600];
static struct rv_firehose_result result;
static struct rv_error err;

/* From a copy of exactly this length, so that AddressSanitizer sees a read past the end. */
static enum rv_status read_bytes(const char *text, size_t len, size_t count)
{
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	err = (struct rv_error)RV_ERROR_INIT;
	memset(&result, 0x5a, sizeof(result));
	for (size_t i = 0; i < 600; i++)
		fates[i] = (enum rv_firehose_fate)77;
	enum rv_status status = rv_firehose_read_answer(copy, len, count, fates, &result, &err);
	free(copy);
	assert_int_equal(result.taken + result.refused + result.unknown, count);
	assert_int_equal(fates[count], 77);
	return status;
}

static enum rv_status read_text(const char *text, size_t count)
{
	return read_bytes(text, strlen(text), count);
}

static void assert_believed(const char *text, const char *want)
{
	static const char letters[] = "tru";
	if (read_text(text, strlen(want)) != RV_OK)
		fail_msg("%s: %s", text, err.message);
	for (size_t i = 0; want[i]; i++)
		if (letters[fates[i]] != want[i])
			fail_msg("%s: record %zu is '%c'", text, i, letters[fates[i]]);
}

static void assert_disbelieved(const char *text, size_t count, const char *message)
{
	if (read_text(text, count) == RV_OK)
		fail_msg("believed: %s", text);
	assert_int_equal(err.status, RV_FAILED);
	assert_true(err.transient);
	assert_int_equal(err.http_status, 200);
	assert_int_equal(result.unknown, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(fates[i], RV_FIREHOSE_UNKNOWN);
	if (!strstr(err.message, message))
		fail_msg("'%s' does not say '%s'", err.message, message);
}

#define ID(x) "{\"RecordId\":\"" x "\"}"
#define ERROR(code) "{\"ErrorCode\":\"" code "\",\"ErrorMessage\":\"Slow down.\"}"
#define SLOW ERROR("ServiceUnavailableException")
#define ANSWER(failed, list)                                                                       \
	"{\"FailedPutCount\":" failed ",\"Encrypted\":false,\"RequestResponses\":[" list "]}"

static void all_taken(void **state)
{
	(void)state;
	assert_believed(ANSWER("0", ID("a")), "t");
	assert_believed(ANSWER("0", ID("a") "," ID("bcdefghijklmnop") "," ID("c")), "ttt");
	assert_believed("{\"RequestResponses\":[" ID("a") "],\"FailedPutCount\":0}", "t");
	assert_believed("{\"RequestResponses\":[" ID("a") "],\"Encrypted\":true,\"FailedPutCount\":0}", "t");
	/* other ways to write the same */
	assert_believed(" {\n \"FailedPutCount\" : 0 , \"RequestResponses\" : [ {\"RecordId\" : \"a\"} ]\n}\r\n",
			"t");
	assert_believed("{\"FailedPutCount\":0,\"New\":{\"a\":[1]},\"RequestResponses\":[" ID("a") "]}", "t");
	assert_believed(ANSWER("0", ID("a\\\"},{\\\"RecordId\\\":\\\"b")), "t");
	assert_believed(ANSWER("0", "{\"RecordId\":\"a\",\"ErrorCode\":null,\"ErrorMessage\":null}"), "t");
	assert_believed(ANSWER("0", "{\"RecordId\":\"\xc3\xa4\"}"), "t");
	assert_int_equal(result.code[0], 0);
}

static void some_refused(void **state)
{
	(void)state;
	assert_believed(ANSWER("1", ID("a") "," SLOW), "tr");
	assert_string_equal(result.code, "ServiceUnavailableException");
	assert_string_equal(result.message, "Slow down.");
	assert_int_equal(result.taken, 1);
	assert_int_equal(result.refused, 1);
	assert_believed(ANSWER("2", SLOW "," SLOW), "rr");
	/* it may have been written all the same */
	assert_believed(ANSWER("2", ERROR("InternalFailure") "," ID("a") "," SLOW), "utr");
	assert_string_equal(result.code, "InternalFailure");
	/* an error is an error, whatever else is said */
	assert_believed(ANSWER("1", "{\"RecordId\":\"a\",\"ErrorCode\":\"X\"}"), "r");
	assert_believed(ANSWER("1", "{\"ErrorCode\":\"a\\u0062\\n\",\"ErrorMessage\":\"\"}"), "r");
	assert_string_equal(result.code, "ab\n");
}

static void long_texts_are_cut(void **state)
{
	(void)state;
	char code[2000];
	memset(code, 'c', sizeof(code) - 1);
	code[sizeof(code) - 1] = '\0';
	RV_CLEANUP(rv_free_p)
	char *text = rv_asprintf(ANSWER("1", "{\"ErrorCode\":\"%s\",\"ErrorMessage\":\"%s\"}"), code, code);
	assert_believed(text, "r");
	assert_int_equal(strlen(result.code), sizeof(result.code) - 1);
	assert_int_equal(strlen(result.message), sizeof(result.message) - 1);
}

static void t0025_count_disagrees(void **state)
{
	(void)state;
	assert_disbelieved(ANSWER("0", ID("a")), 2, "has 1 results for 2 records");
	assert_disbelieved(ANSWER("0", ID("a") "," ID("b")), 1, "has 2 results for 1 records");
	assert_disbelieved(ANSWER("0", ""), 1, "has 0 results");
	assert_disbelieved(ANSWER("1", ID("a")), 1, "counts 1 failed records and lists 0");
	assert_disbelieved(ANSWER("0", SLOW "," ID("a")), 2, "counts 0 failed records and lists 1");
	assert_disbelieved(ANSWER("2", SLOW "," ID("a")), 2, "counts 2 failed records and lists 1");
	assert_disbelieved(ANSWER("-1", ID("a")), 1, "no FailedPutCount");
	assert_disbelieved(ANSWER("0.5", ID("a")), 1, "no FailedPutCount");
	assert_disbelieved(ANSWER("\"0\"", ID("a")), 1, "no FailedPutCount");
	assert_disbelieved("{\"RequestResponses\":[" ID("a") "]}", 1, "no FailedPutCount");
	assert_disbelieved("{\"FailedPutCount\":0}", 1, "no RequestResponses");
	assert_disbelieved("{\"FailedPutCount\":0,\"RequestResponses\":{}}", 1, "no RequestResponses");
	assert_disbelieved("{}", 1, "no RequestResponses");
}

static void t0025_entry_says_nothing(void **state)
{
	(void)state;
	assert_disbelieved(ANSWER("0", "{}"), 1, "neither an id nor an error for record 1 of 1");
	assert_disbelieved(ANSWER("0", ID("a") ",{\"RecordId\":\"\"}"), 2, "record 2 of 2");
	assert_disbelieved(ANSWER("0", "{\"RecordId\":null}"), 1, "neither");
	assert_disbelieved(ANSWER("0", "{\"RecordId\":7}"), 1, "neither");
	assert_disbelieved(ANSWER("0", "null"), 1, "neither");
	assert_disbelieved(ANSWER("0", "[]"), 1, "neither");
	assert_disbelieved(ANSWER("0", "{\"ErrorMessage\":\"x\"}"), 1, "neither");
}

static void t0032_no_json(void **state)
{
	(void)state;
	assert_disbelieved("", 1, "no JSON object");
	assert_disbelieved("<html><body>Welcome to the airport</body></html>", 1, "no JSON object");
	assert_non_null(strstr(err.hint, "portal"));
	assert_disbelieved("[]", 1, "no JSON object");
	assert_disbelieved("ok", 1, "no JSON object");
	assert_disbelieved(ANSWER("0", ID("a")) "x", 1, "no JSON object");
	assert_disbelieved(ANSWER("0", ID("a")) "{}", 1, "no JSON object");
	assert_disbelieved(ANSWER("0", ID("a\x01")), 1, "no JSON object");
	assert_disbelieved(ANSWER("0", ID("a\xff")), 1, "no JSON object");
	assert_disbelieved(ANSWER("0", ID("a\\x")), 1, "no JSON object");
	assert_disbelieved(ANSWER("00", ID("a")), 1, "no JSON object");
	assert_disbelieved(ANSWER("0", ID("a") ","), 1, "no JSON object");
	assert_disbelieved("{\"FailedPutCount\":0,,\"RequestResponses\":[" ID("a") "]}", 1, "no JSON object");
	/* a NUL, in the middle and instead */
	assert_int_not_equal(read_bytes("\0", 1, 1), RV_OK);
	assert_int_not_equal(read_bytes(ANSWER("0", ID("a")) "\0", sizeof(ANSWER("0", ID("a"))), 1), RV_OK);
}

static void every_cut_is_disbelieved(void **state)
{
	(void)state;
	static const char *const whole[] = { ANSWER("0", ID("abcdefghijklmnopqrstuvwxyz") "," ID("b")),
					     ANSWER("1", ID("a") "," SLOW) };
	for (size_t w = 0; w < 2; w++)
		for (size_t len = 0; len < strlen(whole[w]); len++)
			assert_int_not_equal(read_bytes(whole[w], len, 2), RV_OK);
}

/* Every byte of an answer replaced: it is believed only when it still is JSON that says so. */
static void every_flip_is_judged_as_jansson_does(void **state)
{
	(void)state;
	static const char whole[] = ANSWER("0", ID("abcdefghijkl") "," ID("b"));
	static const char bytes[] = "\"\\,:{}[]0 19aZ\x01\x80\x7f\n";
	char text[sizeof(whole)];
	unsigned believed = 0;
	for (size_t at = 0; at < sizeof(whole) - 1; at++)
		for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
			memcpy(text, whole, sizeof(whole));
			text[at] = bytes[b];
			json_t *json = json_loadb(text, sizeof(whole) - 1, 0, NULL);
			json_t *list = json_object_get(json, "RequestResponses");
			json_t *failed = json_object_get(json, "FailedPutCount");
			bool want = json_array_size(list) == 2 && json_is_integer(failed) &&
				    json_integer_value(failed) == 0;
			for (size_t i = 0; want && i < 2; i++) {
				const char *id = json_string_value(
					json_object_get(json_array_get(list, i), "RecordId"));
				want = id && *id;
			}
			json_decref(json);
			bool got = read_bytes(text, sizeof(whole) - 1, 2) == RV_OK;
			if (got != want)
				fail_msg("%s: %s", got ? "believed" : "not believed", text);
			believed += got;
		}
	assert_true(believed > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(body_is_what_was_given),
		cmocka_unit_test(largest_body_fits_the_limit),
		cmocka_unit_test(all_taken),
		cmocka_unit_test(some_refused),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(t0025_count_disagrees),
		cmocka_unit_test(t0025_entry_says_nothing),
		cmocka_unit_test(t0032_no_json),
		cmocka_unit_test(every_cut_is_disbelieved),
		cmocka_unit_test(every_flip_is_judged_as_jansson_does),
	};
	return cmocka_run_group_tests_name("firehose answer", tests, NULL, NULL);
}
