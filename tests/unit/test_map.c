/* Map files: the shape of the manual page, the built-in one, and every refusal with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/map.h"

static const char whole[] =
	"input: { format: csv, delimiter: \";\", quote: \"'\", null: [\"\", NULL] }\n"
	"session: customer\n"
	"time: { column: placed_at, as: rfc3339 }\n"
	"lookup:\n"
	"  catalog: { file: products.csv, key: sku, by: product }\n"
	"  other: { file: other.csv, key: customer }\n"
	"kinds:\n"
	"  order: { type: [order, reorder], channel: \"\" }\n"
	"  rest:\n"
	"others: skip\n"
	"fields:\n"
	"  id: uuid4\n"
	"  at: now\n"
	"  text: \"now\"\n"
	"  n: row\n"
	"  one: 1\n"
	"  yes: true\n"
	"  page: \"https://shop.example/{{{category}}}/{product}?\"\n"
	"  visitor: { uuid5: \"{customer}:{type}\", namespace: fe971b24-9572-4005-b22f-351e9c09274d }\n"
	"  sum: { hash: customer, with: sha1 }\n"
	"  device: { pick: [phone, tablet], by: customer, hash: fnv1a }\n"
	"  event: { switch: type, cases: { order: sale, \"\": none }, absent: other }\n"
	"  price: { lookup: catalog.price, as: number, empty: \"0\", absent: \"0.0\", kinds: [order] }\n"
	"  cost: { lookup: catalog.cost, omit_empty: true }\n"
	"  stamp: { now: rfc3339 }\n"
	"  id2: { value: uuid4, kinds: rest }\n";

static void test_whole_shape(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_map map;

	if (rv_map_parse("m.yaml", whole, strlen(whole), &map, &err) != RV_OK)
		fail_msg("line %d: %s (%s)", (int)err.line, err.message, err.hint);
	assert_int_equal(map.format, RV_FORMAT_CSV);
	assert_int_equal(map.csv.delimiter, ';');
	assert_true(map.csv.delimiter_given);
	assert_int_equal(map.csv.nulls_count, 2);
	assert_true(map.csv_given && !map.csv.no_header && map.skip_others);
	assert_string_equal(map.columns.items[map.session], "customer");
	assert_string_equal(map.columns.items[map.time], "placed_at");
	assert_int_equal(map.time_as, RV_MAP_TIME_RFC3339);
	assert_int_equal(map.lookups_count, 2);
	assert_string_equal(map.lookups[0].columns.items[1], "cost");
	assert_string_equal(map.columns.items[map.lookups[1].by], "customer");
	assert_int_equal(map.kinds_count, 2);
	assert_int_equal(map.kinds[0].conditions_count, 2);
	assert_int_equal(map.kinds[0].conditions[0].values.count, 2);
	assert_string_equal(map.kinds[0].conditions[1].values.items[0], "");
	assert_int_equal(map.kinds[1].conditions_count, 0);
	assert_int_equal(map.fields_count, 15);
	const struct rv_map_field *f = map.fields;

	assert_int_equal(f[0].from, RV_MAP_UUID4);
	assert_int_equal(f[1].from, RV_MAP_NOW);
	assert_int_equal(f[2].from, RV_MAP_TEXT);
	assert_string_equal(f[2].text.pieces[0].text, "now");
	assert_int_equal(f[3].from, RV_MAP_ROW);
	assert_string_equal(f[4].literal, "1");
	assert_string_equal(f[5].literal, "true");
	assert_int_equal(f[6].text.count, 5);
	assert_string_equal(f[6].text.pieces[0].text, "https://shop.example/{");
	assert_string_equal(f[6].text.pieces[2].text, "}/");
	assert_int_equal(f[7].text.count, 3);
	assert_int_equal(f[7].name_space[0], 0xfe);
	assert_int_equal(f[8].hash, RV_MAP_SHA1);
	assert_int_equal(f[9].hash, RV_MAP_FNV1A);
	assert_int_equal(f[9].choices.count, 2);
	assert_string_equal(f[10].absent, "other");
	assert_int_equal(f[11].kinds, 1);
	assert_int_equal(f[11].as, RV_MAP_AS_NUMBER);
	assert_true(f[12].omit_empty);
	assert_int_equal(f[13].time, RV_MAP_TIME_RFC3339);
	assert_int_equal(f[14].kinds, 2);
	rv_map_release(&map);
	rv_map_release(&map);
}

static void test_builtin(void **state RV_UNUSED)
{
	static const char *const keys[] = { "dl", "tm", "z", "sr", "sd", "ul", "ua", "de", "tid", "cid", "t",
					    "pa", "ti", "tr", "pr1id", "pr1pr", "pr1ca" };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_map map;

	if (rv_map_parse("builtin", rv_map_coveo, strlen(rv_map_coveo), &map, &err) != RV_OK)
		fail_msg("line %d: %s (%s)", (int)err.line, err.message, err.hint);
	assert_int_equal(map.fields_count, sizeof(keys) / sizeof(*keys));
	for (size_t i = 0; i < map.fields_count; i++)
		assert_string_equal(map.fields[i].name, keys[i]);
	assert_int_equal(map.fields[3].choices.count, 4);
	assert_int_equal(map.fields[5].choices.count, 7);
	assert_int_equal(map.fields[6].choices.count, 7);
	assert_int_equal(map.fields[8].choices.count, 5);
	rv_map_release(&map);
}

static void test_empty_map_sends_rows_as_they_are(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_map map;

	assert_int_equal(rv_map_parse("m", "session: a.b\n", 13, &map, &err), RV_OK);
	assert_int_equal(map.fields_count, 0);
	assert_string_equal(map.columns.items[map.session], "a.b");
	assert_int_equal(map.time, RV_MAP_NONE);
	rv_map_release(&map);
}

static void test_refused(void **state RV_UNUSED)
{
	static const struct {
		const char *text, *says;
		int line;
	} wrong[] = {
		{ "", "one document", 0 },
		{ "[a]", "a mapping is expected", 1 },
		{ "a: 1\n---\nb: 1\n", "one document", 3 },
		{ "session: x\nfeilds: {}\n", "unknown key 'feilds'", 2 },
		{ "session: [a]\n", "one value is expected", 1 },
		{ "session: a..b\n", "empty piece", 1 },
		{ "time: { as: ms }\n", "column is missing", 1 },
		{ "time: { column: a, as: hours }\n", "not one of ms, s, rfc3339", 1 },
		{ "input: { delimiter: ',', quote: ',' }\n", "are the same", 1 },
		{ "input: { format: xml }\n", "not one of", 1 },
		{ "others: skip\n", "without kinds", 1 },
		{ "kinds: {}\n", "1 to 64", 1 },
		{ "kinds: { 'a b': }\n", "is not a name", 1 },
		{ "kinds: { a: { b: [] } }\n", "no value", 1 },
		{ "kinds: { a: { b: { c: d } } }\n", "one value is expected", 1 },
		{ "lookup: { c: { key: a } }\n", "file is missing", 1 },
		{ "lookup: { c: { file: a } }\n", "key, the column", 1 },
		{ "fields: {}\n", "1 to 1000", 1 },
		{ "fields: { a: '{b' }\n", "'{' without", 1 },
		{ "fields: { a: 'b}' }\n", "'}' without", 1 },
		{ "fields: { a: '{}' }\n", "'{' without", 1 },
		{ "fields:\n  a: { as: number }\n", "comes from is missing", 2 },
		{ "fields:\n  a: { value: b, column: c }\n", "either value or column", 2 },
		{ "fields:\n  a: { column: b, namespace: dns }\n", "goes with uuid5", 2 },
		{ "fields:\n  a: { uuid5: b, namespace: nowhere }\n", "nor a UUID", 2 },
		{ "fields:\n  a: { hash: b, with: md5 }\n", "not one of xxh3", 2 },
		{ "fields:\n  a: { pick: [], by: b }\n", "nothing to pick", 2 },
		{ "fields:\n  a: { pick: [x] }\n", "by, the column", 2 },
		{ "fields:\n  a: { lookup: price }\n", "is not the name of a lookup", 2 },
		{ "fields:\n  a: { lookup: c.price }\n", "no lookup 'c'", 2 },
		{ "fields:\n  a: { switch: b }\n", "cases are missing", 2 },
		{ "fields:\n  a: { column: b, absent: c }\n", "absent is for", 2 },
		{ "fields:\n  a: { column: b, as: number, empty: x }\n", "is no number", 2 },
		{ "fields:\n  a: { column: b, kinds: [c] }\n", "no kind 'c'", 2 },
		{ "fields:\n  a: { column: b, omit_empty: maybe }\n", "not one of", 2 },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct rv_error err = RV_ERROR_INIT;
		struct rv_map map = { .session = 7 };

		if (rv_map_parse("m.yaml", wrong[i].text, strlen(wrong[i].text), &map, &err) !=
		    RV_BAD_CONFIG)
			fail_msg("taken: %s", wrong[i].text);
		if (!strstr(err.message, wrong[i].says) || (int)err.line != wrong[i].line)
			fail_msg("%s: line %d: %s", wrong[i].text, (int)err.line, err.message);
		assert_string_equal(err.file, "m.yaml");
		assert_int_equal(map.session, 7);
	}
}

static void test_numbers(void **state RV_UNUSED)
{
	static const char *const right[] = { "0", "-0", "1", "10", "0.5", "-1.25e+10", "1E5", "9e-1" };
	static const char *const wrong[] = { "", "-", "01", ".5", "1.", "+1", "1e", "1e+", " 1", "1 ", "0x1",
					     "NaN", "1,5" };

	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++)
		assert_true(rv_map_is_number(right[i], strlen(right[i])));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(rv_map_is_number(wrong[i], strlen(wrong[i])));
}

static void test_files(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_map map;

	assert_int_equal(rv_map_read("/nonexistent/map.yaml", &map, &err), RV_NOT_FOUND);
	assert_int_equal(rv_map_read("/tmp", &map, &err), RV_LOCAL_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_shape),
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_empty_map_sends_rows_as_they_are),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
