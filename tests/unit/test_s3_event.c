/* The forms an event document comes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/s3_event.h"

#define RECORD(name, key)                                                                          \
	"{\"eventVersion\":\"2.9\",\"eventSource\":\"aws:s3\",\"eventName\":\"" name "\",\"s3\":{"   \
	"\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"" key "\",\"size\":1}}}"

static void check(const char *text, size_t count, const char *first, uint64_t other, bool test)
{
	RV_CLEANUP(rv_s3_events_release) struct rv_s3_events events = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	if (rv_s3_events_parse(text, strlen(text), &events, &err) != RV_OK)
		fail_msg("%s: %s", text, err.message);
	assert_int_equal(events.count, count);
	assert_int_equal(events.other, other);
	assert_int_equal(events.test, test);
	if (count) {
		assert_string_equal(events.items[0].key, first);
		assert_string_equal(events.items[0].bucket, "b");
	}
}

static void test_forms(void **state)
{
	(void)state;
	check("{\"Records\":[" RECORD("ObjectCreated:Put", "data/a+b%2Bc%C3%A9%3D.zst") "]}", 1,
	      "data/a b+c\xc3\xa9=.zst", 0, false);
	check("{\"Records\":[" RECORD("ObjectCreated:CompleteMultipartUpload", "x") ","
	      RECORD("ObjectRemoved:Delete", "y") "," RECORD("ObjectCreated:Copy", "z") "]}",
	      2, "x", 1, false);
	check("{\"Records\":[]}", 0, "", 0, false);
	check("{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}", 0, "", 0, true);
	check("{\"Type\":\"Notification\",\"Message\":\"{\\\"Records\\\":[{\\\"eventName\\\":"
	      "\\\"ObjectCreated:Put\\\",\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":\\\"b\\\"},"
	      "\\\"object\\\":{\\\"key\\\":\\\"k%20k\\\"}}}]}\"}",
	      1, "k k", 0, false);
	check("{\"source\":\"aws.s3\",\"detail-type\":\"Object Created\",\"detail\":{\"bucket\":"
	      "{\"name\":\"b\"},\"object\":{\"key\":\"a+b%20\"}}}",
	      1, "a+b%20", 0, false);
	check("{\"source\":\"aws.s3\",\"detail-type\":\"Object Deleted\",\"detail\":{}}", 0, "", 1,
	      false);
	check("{\"Records\":[" RECORD("ObjectCreated:Put", "1") "]}\n{\"Records\":["
	      RECORD("ObjectCreated:Put", "2") "]}\n", 2, "1", 0, false);
	/* named as the configuration names it; of another service; of no kind */
	check("{\"Records\":[" RECORD("s3:ObjectCreated:Put", "x") "]}", 1, "x", 0, false);
	check("{\"Records\":[{\"eventSource\":\"aws:sqs\",\"eventName\":\"ObjectCreated:Put\"},"
	      "{\"eventSource\":\"aws:s3\"}," RECORD("ObjectCreated:Put", "x") "]}",
	      1, "x", 2, false);
	check("{\"source\":\"aws.s3\",\"detail\":{}}", 0, "", 1, false);
	check("{\"Body\":\"{\\\"Records\\\":[]}\"}", 0, "", 0, false);
	/* as Lambda is given what a queue or a topic carries */
#define CARRIED "\"{\\\"Records\\\":[{\\\"eventName\\\":\\\"ObjectCreated:Put\\\",\\\"s3\\\":{\\\"bucket\\\":"           \
		"{\\\"name\\\":\\\"b\\\"},\\\"object\\\":{\\\"key\\\":\\\"k+k\\\"}}}]}\""
	check("{\"Records\":[{\"messageId\":\"1\",\"eventSource\":\"aws:sqs\",\"body\":" CARRIED "},"
	      "{\"messageId\":\"2\",\"eventSource\":\"aws:sqs\",\"body\":" CARRIED "}]}", 2, "k k", 0, false);
	check("{\"Records\":[{\"EventSource\":\"aws:sns\",\"Sns\":{\"Message\":" CARRIED "}}]}", 1, "k k", 0, false);
	check("", 0, "", 0, false);
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"not json",
		"\xff",
		"{",
		"[]",
		"{}",
		"{\"Type\":\"SubscriptionConfirmation\",\"Message\":\"You have chosen\"}",
		"{\"Records\":[" RECORD("ObjectCreated:Put", "") "]}",
		"{\"Records\":[" RECORD("ObjectCreated:Put", "%zz") "]}",
		"{\"Records\":[" RECORD("ObjectCreated:Put", "a%00b") "]}",
		"{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":3}]}",
		"{\"Message\":\"{\\\"Message\\\":\\\"{}\\\"}\"}",
		"{\"Records\":[{\"body\":\"{\\\"Message\\\":\\\"{}\\\"}\"}]}",
		"{\"Event\":\"s3:Other\"}",
		"{\"source\":\"aws.ec2\",\"detail\":{}}",
		"{\"source\":\"aws.s3\",\"detail\":[]}",
		"{\"source\":\"aws.s3\",\"detail-type\":\"Object Created\",\"detail\":{}}",
	};
	(void)state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		RV_CLEANUP(rv_s3_events_release) struct rv_s3_events events = { 0 };
		struct rv_error err = RV_ERROR_INIT;

		if (rv_s3_events_parse(texts[i], strlen(texts[i]), &events, &err) != RV_BAD_DATA)
			fail_msg("accepted: %s", texts[i]);
	}
}

/* What a cut power leaves at the end of a file is no blank. */
static void test_zeros_behind(void **state)
{
	static const char text[] = "{\"Records\":[]}\n\0\0";
	struct rv_s3_events events = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	(void)state;

	assert_int_equal(rv_s3_events_parse(text, sizeof(text) - 1, &events, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "not JSON at byte 1"));
	rv_s3_events_release(&events);
}

static void test_many(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	(void)state;

	rv_strbuf_puts(&text, "{\"Records\":[");
	for (int i = 0; i < 20; i++)
		rv_strbuf_puts(&text, i ? "," RECORD("ObjectCreated:Put", "other") : RECORD("ObjectCreated:Put", "x"));
	rv_strbuf_puts(&text, "]}");
	check(text.bytes, 20, "x", 0, false);
}

/* A bucket that is not named is whatever the queue was made for. */
static void test_no_bucket(void **state)
{
	static const char text[] = "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\","
				   "\"s3\":{\"object\":{\"key\":\"k\"}}}]}";
	RV_CLEANUP(rv_s3_events_release) struct rv_s3_events events = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	(void)state;

	assert_int_equal(rv_s3_events_parse(text, strlen(text), &events, &err), RV_OK);
	assert_int_equal(events.count, 1);
	assert_string_equal(events.items[0].bucket, "");
}

/* S3 in EventBridge in SNS in SQS is read, one level more is refused. */
static void test_depth(void **state)
{
	(void)state;
	for (int depth = 0; depth < 5; depth++) {
		RV_CLEANUP(rv_s3_events_release) struct rv_s3_events events = { 0 };
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		struct rv_error err = RV_ERROR_INIT;

		rv_strbuf_puts(&text, "{\"Records\":[]}");
		for (int i = 0; i < depth; i++) {
			RV_CLEANUP(rv_free_p) char *inner = rv_strbuf_take(&text);

			rv_strbuf_puts(&text, "{\"Message\":");
			rv_strbuf_json(&text, inner, strlen(inner));
			rv_strbuf_putc(&text, '}');
		}
		assert_int_equal(rv_s3_events_parse(text.bytes, text.len, &events, &err),
				 depth < 4 ? RV_OK : RV_BAD_DATA);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_zeros_behind),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_no_bucket),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
