/* Documents as items: every type, numbers digit by digit, sizes as DynamoDB counts them, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/dynamodb_item.h"
#include "base/memory.h"
#include "delivery/expiry.h"

static const struct rv_dynamodb_schema by_id = { .fields = { { "id", 'S' } }, .count = 1 };
static const struct rv_dynamodb_schema by_number = { .fields = { { "n", 'N' } }, .count = 1 };
static const struct rv_dynamodb_schema by_both = { .fields = { { "id", 'S' }, { "n", 'N' } }, .count = 2 };
static struct rv_dynamodb_item item = RV_DYNAMODB_ITEM_INIT;
static struct rv_error err;

static enum rv_status make(const struct rv_dynamodb_schema *schema, const char *document)
{
	const struct rv_dynamodb_extra extras[] = { { "_v", "7" }, { "_deleted", "" } };
	const struct rv_dynamodb_item_params params = { .schema = schema, .extras = extras, .extras_count = 2 };

	err = (struct rv_error)RV_ERROR_INIT;
	return rv_dynamodb_item_make(&params, document, strlen(document), &item, &err);
}

static void assert_item(const char *document, const char *json, uint64_t bytes)
{
	if (make(&by_id, document) != RV_OK)
		fail_msg("%s", err.message);
	assert_string_equal(item.json.bytes, json);
	assert_int_equal(item.bytes, bytes);
}

static void assert_refused(const struct rv_dynamodb_schema *schema, const char *document, const char *message)
{
	assert_int_equal(make(schema, document), RV_BAD_DATA);
	assert_string_equal(err.message, message);
}

/* _v is 2 bytes and its number 2 */
static void every_type_becomes_an_attribute(void **state)
{
	(void)state;
	assert_item("{\"id\":\"x\"}", "{\"id\":{\"S\":\"x\"},\"_v\":{\"N\":\"7\"}}", 3 + 4);
	assert_item(" { \"id\" : \"x\" , \"a\":null,\"b\":true,\"c\":false}\n",
		    "{\"id\":{\"S\":\"x\"},\"a\":{\"NULL\":true},\"b\":{\"BOOL\":true},\"c\":{\"BOOL\":false},"
		    "\"_v\":{\"N\":\"7\"}}", 3 + 2 + 2 + 2 + 4);
	/* a list or map: 3, and 1 for each element */
	assert_item("{\"id\":\"x\",\"l\":[1,\"ab\",[]],\"m\":{\"k\":{}}}",
		    "{\"id\":{\"S\":\"x\"},\"l\":{\"L\":[{\"N\":\"1\"},{\"S\":\"ab\"},{\"L\":[]}]},"
		    "\"m\":{\"M\":{\"k\":{\"M\":{}}}},\"_v\":{\"N\":\"7\"}}",
		    3 + (1 + 3 + 3 + 2 + 2 + 3) + (1 + 3 + 1 + 1 + 3) + 4);
	/* texts stay as they are written, and count as what they mean */
	assert_item("{\"id\":\"\\u00e9\\ud83d\\ude00\\n\",\"e\":\"\"}",
		    "{\"id\":{\"S\":\"\\u00e9\\ud83d\\ude00\\n\"},\"e\":{\"S\":\"\"},\"_v\":{\"N\":\"7\"}}",
		    2 + 7 + 1 + 4);
}

static void numbers_are_never_converted(void **state)
{
	char document[256], json[256];
	static const char *const numbers[] = {
		"9007199254740993", "0.1", "-0", "1.10", "1E+2", "123456789012345678901234567890.12345678",
		"99999999999999999999999999999999999999", "1e-130", "9.99e125", "0e999999999999",
		"100000000000000000000000000000000000000000000000000",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		snprintf(document, sizeof(document), "{\"id\":\"x\",\"n\":%s}", numbers[i]);
		snprintf(json, sizeof(json), "{\"id\":{\"S\":\"x\"},\"n\":{\"N\":\"%s\"},\"_v\":{\"N\":\"7\"}}", numbers[i]);
		assert_int_equal(make(&by_id, document), RV_OK);
		assert_string_equal(item.json.bytes, json);
	}
}

static void numbers_beyond_are_refused_with_their_path(void **state)
{
	(void)state;
	assert_refused(&by_id, "{\"id\":\"x\",\"lines\":[{},{\"total\":123456789012345678901234567890123456789}]}",
		       "lines[1].total: 39 digits, and DynamoDB keeps 38");
	assert_refused(&by_id, "{\"id\":\"x\",\"a\":{\"b\":1e126}}",
		       "a.b: 1e126 is beyond what DynamoDB keeps (1e-130 to 9.9e125)");
	assert_refused(&by_id, "{\"id\":\"x\",\"a\":1e-131}",
		       "a: 1e-131 is beyond what DynamoDB keeps (1e-130 to 9.9e125)");
	assert_refused(&by_id, "{\"id\":\"x\",\"a\":1e99999999999999999999}",
		       "a: 1e99999999999999999999 is beyond what DynamoDB keeps (1e-130 to 9.9e125)");
	/* a name with a NUL ends no message */
	assert_refused(&by_id, "{\"id\":\"x\",\"\\u0000a\\nb\":1e126}",
		       "\\u0000a\\u000ab: 1e126 is beyond what DynamoDB keeps (1e-130 to 9.9e125)");
}

static void sizes_of_numbers(void **state)
{
	/* one byte, one for each two digits, one for a sign, one where the point parts a pair */
	static const struct {
		const char *text;
		unsigned bytes;
	} numbers[] = { { "0", 1 }, { "0.000", 1 }, { "-0", 1 }, { "7", 2 }, { "70", 2 }, { "700", 2 }, { "12", 2 },
			{ "123", 3 }, { "12.3", 3 }, { "1.2", 3 }, { "0.12", 2 }, { "0.012", 3 }, { "-7", 3 }, { "1e100", 2 },
			{ "1234567890", 6 }, { "99999999999999999999999999999999999999", 20 } };
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		struct rv_dynamodb_number number;

		rv_dynamodb_number_look(numbers[i].text, strlen(numbers[i].text), &number);
		if (rv_dynamodb_number_bytes(&number) != numbers[i].bytes)
			fail_msg("%s: %u", numbers[i].text, (unsigned)rv_dynamodb_number_bytes(&number));
	}
}

static void items_that_are_too_large_are_refused_155(void **state)
{
	(void)state;
	/* 3 + 2 for id and x, 4 for _v, 1 for t */
	for (int more = 0; more < 2; more++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf document = RV_STRBUF_INIT;

		rv_strbuf_puts(&document, "{\"id\":\"x\",\"t\":\"");
		for (int i = 0; i < RV_DYNAMODB_ITEM_BYTES - 8 + more; i++)
			rv_strbuf_putc(&document, 'a');
		rv_strbuf_puts(&document, "\"}");
		assert_int_equal(make(&by_id, document.bytes), more ? RV_BAD_DATA : RV_OK);
	}
	assert_string_equal(err.message, "an item of 409601 bytes, and DynamoDB takes 409600");
}

static void keys_are_checked(void **state)
{
	(void)state;
	assert_refused(&by_id, "{\"x\":1}", "id is not there, which is the table's partition key");
	assert_refused(&by_id, "{}", "id is not there, which is the table's partition key");
	assert_refused(&by_id, "{\"id\":1}", "id: a number, and the table's key is a text");
	assert_refused(&by_number, "{\"n\":\"1\"}", "n: a text, and the table's key is a number");
	assert_refused(&by_id, "{\"id\":null}", "id: null, and the table's key is a text");
	assert_refused(&by_id, "{\"id\":\"\"}", "id: it is empty, which a key cannot be");
	assert_refused(&by_both, "{\"id\":\"x\"}", "n is not there, which is the table's sort key");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf document = RV_STRBUF_INIT;
	rv_strbuf_puts(&document, "{\"id\":\"");
	for (int i = 0; i < 2049; i++)
		rv_strbuf_putc(&document, 'k');
	rv_strbuf_puts(&document, "\"}");
	assert_refused(&by_id, document.bytes, "id: a key of 2049 bytes, and DynamoDB takes 2048");
}

static void what_is_no_item_is_refused(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf deep = RV_STRBUF_INIT;

	(void)state;
	assert_refused(&by_id, "[]", "no JSON object: not a JSON object at byte 1");
	assert_refused(&by_id, "{\"id\":\"x\"} 1", "no JSON object: something follows it at byte 12");
	assert_refused(&by_id, "{\"id\":\"x\",\"\":1}", "a name is empty, and DynamoDB wants one of a byte or more");
	assert_refused(&by_id, "{\"id\":\"x\",\"a\":{\"\":1}}", "a: a name is empty, and DynamoDB wants one of a byte or more");
	assert_refused(&by_id, "{\"id\":\"x\",\"a\":{\"k\":1,\"\\u006b\":2}}", "a: a name is there twice");
	assert_refused(&by_id, "{\"id\":\"x\",\"_v\":1}",
		       "_v: the document has a member of this name, which river writes itself");
	assert_refused(&by_id, "{\"id\":\"x\",\"_deleted\":1}",
		       "_deleted: the document has a member of this name, which river writes itself");
	for (int levels = RV_DYNAMODB_DEPTH; levels < RV_DYNAMODB_DEPTH + 2; levels++) {
		rv_strbuf_clear(&deep);
		rv_strbuf_puts(&deep, "{\"id\":\"x\",\"d\":");
		for (int i = 0; i < levels; i++)
			rv_strbuf_putc(&deep, '[');
		for (int i = 0; i < levels; i++)
			rv_strbuf_putc(&deep, ']');
		rv_strbuf_putc(&deep, '}');
		assert_int_equal(make(&by_id, deep.bytes), levels > RV_DYNAMODB_DEPTH ? RV_BAD_DATA : RV_OK);
	}
	/* many names, one of them twice */
	rv_strbuf_clear(&deep);
	rv_strbuf_puts(&deep, "{\"id\":\"x\"");
	for (int i = 0; i < 300; i++)
		rv_strbuf_printf(&deep, ",\"a%d\":1", i);
	rv_strbuf_putc(&deep, '}');
	assert_int_equal(make(&by_id, deep.bytes), RV_OK);
	rv_strbuf_truncate(&deep, deep.len - 1);
	rv_strbuf_puts(&deep, ",\"a17\":2}");
	assert_refused(&by_id, deep.bytes, "a name is there twice");
}

static void a_removal_needs_its_key_alone(void **state)
{
	const struct rv_dynamodb_extra extras[] = { { "_v", "7" } };
	const struct rv_dynamodb_item_params params = { .schema = &by_both, .extras = extras, .extras_count = 1,
							.keys_only = true };
	const char *document = "{\"z\":1e999,\"id\":\"x\",\"y\":[],\"n\":3,\"w\":{\"a\":1,\"a\":2}}";

	(void)state;
	assert_int_equal(rv_dynamodb_item_make(&params, document, strlen(document), &item, &err), RV_OK);
	assert_string_equal(item.json.bytes, "{\"id\":{\"S\":\"x\"},\"n\":{\"N\":\"3\"},\"_v\":{\"N\":\"7\"}}");
	assert_int_equal(item.bytes, 3 + 3 + 4);
}

static bool same_key(const struct rv_dynamodb_schema *schema, const char *document, const char *attributes)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;

	assert_int_equal(make(schema, document), RV_OK);
	assert_true(rv_dynamodb_item_key(schema, attributes, strlen(attributes), &key));
	return key.len == item.key.len && memcmp(key.bytes, item.key.bytes, key.len) == 0;
}

static void keys_have_one_form(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	(void)state;
	assert_true(same_key(&by_number, "{\"n\":100}", "{\"n\":{\"N\":\"1e2\"}}"));
	assert_true(same_key(&by_number, "{\"n\":-0.50}", "{ \"n\" : { \"N\" : \"-5E-1\" } }"));
	assert_true(same_key(&by_number, "{\"n\":-0}", "{\"n\":{\"N\":\"0.0\"}}"));
	assert_false(same_key(&by_number, "{\"n\":1}", "{\"n\":{\"N\":\"-1\"}}"));
	assert_false(same_key(&by_number, "{\"n\":1}", "{\"n\":{\"N\":\"10\"}}"));
	assert_true(same_key(&by_id, "{\"id\":\"\\u0041\"}", "{\"id\":{\"S\":\"A\"}}"));
	/* in any order; two texts are not one */
	assert_true(same_key(&by_both, "{\"n\":1,\"id\":\"x\"}", "{\"id\":{\"S\":\"x\"},\"o\":{\"S\":\"\"},\"n\":{\"N\":\"1\"}}"));
	assert_false(rv_dynamodb_item_key(&by_id, "{\"id\":{\"N\":\"1\"}}", 16, &text));
	assert_false(rv_dynamodb_item_key(&by_id, "{}", 2, &text));
}

static void documents_have_names(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	const char *document = "{\"n\":3,\"id\":\"a\\nb\"}", *attributes = "{\"id\":{\"S\":\"q\"},\"n\":{\"N\":\"3\"}}";

	(void)state;
	rv_dynamodb_document_name(&by_both, document, strlen(document), &text);
	assert_string_equal(text.bytes, "id a\\u000ab, n 3");
	rv_strbuf_clear(&text);
	rv_dynamodb_document_name(&by_id, "{}", 2, &text);
	assert_string_equal(text.bytes, "a document without id");
	rv_strbuf_clear(&text);
	rv_dynamodb_item_name(&by_both, attributes, strlen(attributes), &text);
	assert_string_equal(text.bytes, "id q, n 3");
}

/* ---- the time to live ---- */

static int64_t at(const char *text)
{
	int64_t ms = -1;

	assert_true(rv_expiry_parse(text, strlen(text), &ms));
	return ms;
}

static void months_are_the_calendars_157(void **state)
{
	(void)state;
	assert_int_equal(rv_expiry_after(at("2026-11-20T16:58:51.25Z"), 9, RV_JOB_MONTHS), at("2027-08-20T16:58:51.25Z"));
	assert_int_equal(rv_expiry_after(at("2026-05-31"), 9, RV_JOB_MONTHS), at("2027-02-28"));
	assert_int_equal(rv_expiry_after(at("2027-05-31"), 9, RV_JOB_MONTHS), at("2028-02-29"));
	assert_int_equal(rv_expiry_after(at("2026-12-31"), 12, RV_JOB_MONTHS), at("2027-12-31"));
	assert_int_equal(rv_expiry_after(at("2024-02-29"), 1, RV_JOB_YEARS), at("2025-02-28"));
	assert_int_equal(rv_expiry_after(at("2026-02-27"), 2, RV_JOB_DAYS), at("2026-03-01"));
	assert_int_equal(rv_expiry_after(at("2026-02-27"), 1, RV_JOB_WEEKS), at("2026-03-06"));
	assert_int_equal(rv_expiry_after(at("1969-12-31T23:59:59Z"), 1, RV_JOB_MONTHS), at("1970-01-31T23:59:59Z"));
	assert_int_equal(at("2026-11-20T01:00:00+02:00"), at("2026-11-19T23:00:00Z"));
	int64_t ms;
	assert_false(rv_expiry_parse("2026-02-30", 10, &ms));
	assert_false(rv_expiry_parse("20.11.2026", 10, &ms));
	assert_false(rv_expiry_parse("2026-11-20x", 11, &ms));
}

static void dates_beyond_the_window_are_not_sane_157(void **state)
{
	int64_t now = at("2026-11-29");

	(void)state;
	assert_true(rv_expiry_is_sane(at("1970-01-01"), now));
	assert_false(rv_expiry_is_sane(at("1969-12-31"), now));
	assert_true(rv_expiry_is_sane(at("2027-11-29"), now));
	assert_false(rv_expiry_is_sane(at("2027-12-02"), now));
	assert_false(rv_expiry_is_sane(at("9999-12-31"), now));
}

static int tear_down(void **state)
{
	(void)state;
	rv_dynamodb_item_release(&item);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_becomes_an_attribute),
		cmocka_unit_test(numbers_are_never_converted),
		cmocka_unit_test(numbers_beyond_are_refused_with_their_path),
		cmocka_unit_test(sizes_of_numbers),
		cmocka_unit_test(items_that_are_too_large_are_refused_155),
		cmocka_unit_test(keys_are_checked),
		cmocka_unit_test(what_is_no_item_is_refused),
		cmocka_unit_test(a_removal_needs_its_key_alone),
		cmocka_unit_test(keys_have_one_form),
		cmocka_unit_test(documents_have_names),
		cmocka_unit_test(months_are_the_calendars_157),
		cmocka_unit_test(dates_beyond_the_window_are_not_sane_157),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
