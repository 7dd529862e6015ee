/* Names of streams and the golden copies of what they map to. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "config/stream.h"

static void good_names(void **state RV_UNUSED)
{
	static const struct {
		const char *text, *business, *name;
	} cases[] = {
		{ "clicks", "main", "clicks" },
		{ "web/clicks", "web", "clicks" },
		{ "a/b", "a", "b" },
		{ "web/clean", "web", "clean" },
		{ "web/clean_up", "web", "clean_up" },
		{ "rivers/river", "rivers", "river" },
		{ "b23456789_b23456789_b234/n23456789_n23456789_n23456789_n2",
		  "b23456789_b23456789_b234", "n23456789_n23456789_n23456789_n2" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
		struct rv_error err = RV_ERROR_INIT;

		rv_stream_init(&stream);
		assert_int_equal(rv_stream_parse_name(cases[i].text, &stream, &err), RV_OK);
		assert_string_equal(stream.business, cases[i].business);
		assert_string_equal(stream.name, cases[i].name);
	}
}

static void bad_names(void **state RV_UNUSED)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "not a stream name" },
		{ "/", "not a stream name" },
		{ "web/", "not a stream name" },
		{ "/clicks", "not a stream name" },
		{ "web/clicks/", "not a stream name" },
		{ "web//clicks", "not a stream name" },
		{ "web/clicks/more", "not a stream name" },
		{ "../clicks", "not a stream name" },
		{ "web/..", "not a stream name" },
		{ "Web/clicks", "not a stream name" },
		{ "web/Clicks", "not a stream name" },
		{ "web/page-views", "not a stream name" },
		{ "web/9clicks", "not a stream name" },
		{ "web/_clicks", "not a stream name" },
		{ "web/clicks\n", "not a stream name" },
		{ "web/cl\303\257cks", "not a stream name" },
		{ "b23456789_b23456789_b2345/a", "not a stream name" },
		{ "n23456789_n23456789_n23456789_n23", "not a stream name" },
		{ "web/clicks_clean", "may not end in _clean" },
		{ "clicks_latest", "may not end in _latest" },
		{ "web/clicks_refused", "may not end in _refused" },
		{ "river/clicks", "business 'river' is reserved" },
		{ "temp/clicks", "business 'temp' is reserved" },
		{ "system/clicks", "business 'system' is reserved" },
		{ "information_schema/clicks", "business 'information_schema' is reserved" },
		{ "memory/clicks", "business 'memory' is reserved" },
		{ "pg_catalog/clicks", "business 'pg_catalog' is reserved" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
		struct rv_error err = RV_ERROR_INIT;

		rv_stream_init(&stream);
		assert_int_equal(rv_stream_parse_name(cases[i].text, &stream, &err), RV_USAGE);
		assert_non_null(strstr(err.message, cases[i].says));
		assert_true(err.hint[0]);
		assert_string_equal(stream.business, "");
		assert_string_equal(stream.name, "");
	}
}

static void near_misses_are_suggested(void **state RV_UNUSED)
{
	struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;

	rv_stream_init(&stream);
	assert_int_equal(rv_stream_parse_name("Web-Shop/Page.Views", &stream, &err), RV_USAGE);
	assert_string_equal(err.hint, "did you mean web_shop/page_views?");
	assert_int_equal(rv_stream_parse_name("web.clicks", &stream, &err), RV_USAGE);
	assert_string_equal(err.hint, "did you mean web/clicks? (web.clicks is its table)");
	assert_int_equal(rv_stream_parse_name("web.clicks_latest", &stream, &err), RV_USAGE);
	assert_string_equal(err.hint, "did you mean web/clicks? (web.clicks_latest is its table)");
}

/* Renaming any of these loses data that is already there. */
static void golden_mappings(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;
	char buf[RV_STREAM_PLACE_MAX];
	char text[RV_STREAM_TEXT];

	rv_stream_init(&stream);
	assert_int_equal(rv_stream_parse_name("web/clicks", &stream, &err), RV_OK);
	assert_string_equal(rv_stream_text(&stream, text), "web/clicks");
	assert_string_equal(rv_stream_catalog_name(&stream, buf), "_river/streams/web/clicks.json");
	assert_string_equal(rv_stream_data_prefix(&stream, buf), "data/web/clicks/");
	assert_string_equal(rv_stream_since(&stream, buf), "");
	assert_string_equal(rv_stream_table(&stream, RV_TABLE_RAW, buf), "web.clicks");
	assert_string_equal(rv_stream_table(&stream, RV_TABLE_CLEAN, buf), "web.clicks_clean");
	assert_string_equal(rv_stream_table(&stream, RV_TABLE_LATEST, buf), "web.clicks_latest");
	assert_string_equal(rv_stream_table(&stream, RV_TABLE_REFUSED, buf), "web.clicks_refused");
	assert_string_equal(rv_stream_firehose(&stream, buf), "river-web-clicks");
	memcpy(stream.since, "dt=2026-11-20/hr=14", 20);
	assert_string_equal(rv_stream_since(&stream, buf), "data/web/clicks/dt=2026-11-20/hr=14");

	assert_int_equal(rv_stream_parse_name("b23456789_b23456789_b234/"
					      "n23456789_n23456789_n23456789_n2", &stream, &err),
			 RV_OK);
	assert_string_equal(rv_stream_catalog_name(&stream, buf),
			    "_river/streams/b23456789_b23456789_b234/"
			    "n23456789_n23456789_n23456789_n2.json");
	assert_int_equal(strlen(rv_stream_firehose(&stream, buf)), 63);
}

static void defaults(void **state RV_UNUSED)
{
	struct rv_stream stream;

	rv_stream_init(&stream);
	assert_int_equal(stream.layers, RV_LAYER_RAW);
	assert_int_equal(stream.batch_bytes, 67108864);
	assert_int_equal(stream.batch_age_ms, 60000);
	assert_int_equal(stream.batch_records, 0);
	assert_int_equal(stream.monitor_freshness_ms, 900000);
	assert_int_equal(stream.compression, RV_OUTPUT_ZSTD);
	assert_int_equal(stream.stamp, RV_STAMP_NONE);
	assert_int_equal(stream.format, RV_FORMAT_AUTO);
	assert_false(stream.pipe_notify);
	rv_stream_release(&stream);
	rv_stream_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_names),      cmocka_unit_test(bad_names),
		cmocka_unit_test(near_misses_are_suggested),
		cmocka_unit_test(golden_mappings), cmocka_unit_test(defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
