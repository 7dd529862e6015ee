/* Rows to events: the exact shape of the pumper that the built-in map stands for, and every way of a map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/pump_event.h"
#include "flow/pump_lookup.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NOW 1795193931123

struct world {
	char folder[64];
	struct rv_map map;
	struct rv_pump_mapper *mapper;
	struct rv_strbuf out, why;
	struct rv_error err;
	struct rv_pump_row row;
};

static void put_file(const struct world *w, const char *name, const char *text)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(w->folder, name);
	struct rv_error err = RV_ERROR_INIT;

	assert_int_equal(rv_replace_file(path, text, strlen(text), 0, &err), RV_OK);
}

static void open_world(struct world *w)
{
	*w = (struct world){ .out = RV_STRBUF_INIT, .why = RV_STRBUF_INIT, .err = RV_ERROR_INIT };
	snprintf(w->folder, sizeof(w->folder), "%s/river-pump-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(w->folder));
}

static enum rv_status open_mapper(struct world *w, const char *map, bool replay)
{
	struct rv_pump_mapper_params params = { .folder = w->folder, .replay_time = replay, .map = &w->map };

	if (rv_map_parse("map", map, strlen(map), &w->map, &w->err) != RV_OK)
		fail_msg("%s", w->err.message);
	return rv_pump_mapper_new(&params, &w->mapper, &w->err);
}

static void close_mapper(struct world *w)
{
	rv_pump_mapper_free_p(&w->mapper);
	rv_map_release(&w->map);
}

static void close_world(struct world *w)
{
	close_mapper(w);
	rv_strbuf_release(&w->out);
	rv_strbuf_release(&w->why);
	assert_int_equal(rv_remove_tree(w->folder, &w->err), RV_OK);
}

/* The event of a record; NULL: it was not taken. */
static const char *event(struct world *w, uint64_t number, const char *record)
{
	w->row = (struct rv_pump_row){ .number = number, .record = record, .len = strlen(record) };
	rv_strbuf_clear(&w->out);
	if (rv_pump_cut(w->mapper, &w->row, &w->why) != RV_PUMP_TAKEN ||
	    rv_pump_render(w->mapper, &w->row, NOW, &w->out, &w->why) != RV_PUMP_TAKEN)
		return NULL;
	return w->out.bytes;
}

/* The text of a key's value, quotes included. */
static const char *value(const char *json, const char *key)
{
	static char text[8][512];
	static unsigned turn;
	char wanted[64], *to = text[turn++ % 8];

	snprintf(wanted, sizeof(wanted), "\"%s\":", key);
	const char *p = strstr(json, wanted);

	if (!p)
		return NULL;
	p += strlen(wanted);
	size_t len = *p == '"' ? strcspn(p + 1, "\"") + 2 : strcspn(p, ",}");

	snprintf(to, sizeof(text[0]), "%.*s", (int)len, p);
	return to;
}

/* The keys, joined by blanks. */
static const char *keys(const char *json)
{
	static char text[512];
	size_t n = 0;

	for (const char *p = json; *p && n + 64 < sizeof(text); p++) {
		if (*p != '"')
			continue;
		size_t len = strcspn(p + 1, "\"");

		if (p[len + 2] == ':')
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", n ? " " : "", (int)len,
					      p + 1);
		p += len + 1;
	}
	text[n] = '\0';
	return text;
}

static const char *browsing(const char *type, const char *action, const char *sku)
{
	static char text[1024];

	snprintf(text, sizeof(text),
		 "{\"session_id_hash\":\"" A64 "\",\"event_type\":\"%s\",\"product_action\":\"%s\","
		 "\"product_sku_hash\":\"%s\",\"server_timestamp_epoch_ms\":\"1550885210881\","
		 "\"hashed_url\":\"u1\"}", type, action, sku);
	return text;
}

static const char catalog[] =
	"product_sku_hash,description_vector,category_hash,image_vector,price_bucket\n"
	"p1,\"[0.1, -0.2, 3]\",c1/c2,\"[1, 2]\",7.0\n"
	"p2,,,,\n";

static void test_coveo_shape(void **state RV_UNUSED)
{
	struct world w;
	const char *e;

	open_world(&w);
	put_file(&w, "sku_to_content.csv", catalog);
	assert_int_equal(open_mapper(&w, rv_map_coveo, false), RV_OK);

	e = event(&w, 0, browsing("pageview", "", ""));
	assert_string_equal(keys(e), "dl tm z sr sd ul ua de tid cid t");
	assert_string_equal(value(e, "dl"), "\"https://shop.example/?page=u1\"");
	assert_string_equal(value(e, "tm"), "1795193931123");
	assert_string_equal(value(e, "sd"), "\"30-bit\"");
	assert_string_equal(value(e, "de"), "\"UTF-8\"");
	assert_string_equal(value(e, "t"), "\"pageview\"");
	assert_string_equal(value(e, "cid"), "\"efd9d9de-780b-5e83-a3e7-30a408967cf8\"");
	assert_int_equal(w.row.kind, 0);

	e = event(&w, 1, browsing("event_product", "detail", "p1"));
	assert_string_equal(keys(e), "dl tm z sr sd ul ua de tid cid t pa pr1id pr1pr pr1ca");
	assert_string_equal(value(e, "t"), "\"event\"");
	assert_string_equal(value(e, "pa"), "\"detail\"");
	assert_string_equal(value(e, "pr1id"), "\"p1\"");
	assert_string_equal(value(e, "pr1pr"), "\"7.0\"");
	assert_string_equal(value(e, "pr1ca"), "\"c1/c2\"");
	assert_int_equal(w.row.kind, 1);

	e = event(&w, 2, browsing("event_product", "purchase", "p1"));
	assert_string_equal(keys(e), "dl tm z sr sd ul ua de tid cid t pa ti tr pr1id pr1pr pr1ca");
	assert_string_equal(value(e, "tr"), "7.0");
	assert_string_not_equal(value(e, "ti"), value(e, "z"));

	/* in the catalog, and nothing is known of it */
	e = event(&w, 3, browsing("event_product", "purchase", "p2"));
	assert_string_equal(value(e, "tr"), "0.0");
	assert_string_equal(value(e, "pr1pr"), "\"\"");
	assert_string_equal(value(e, "pr1ca"), "\"\"");
	/* not in it */
	e = event(&w, 4, browsing("event_product", "remove", "p3"));
	assert_string_equal(value(e, "pr1pr"), "\"0.0\"");
	assert_string_equal(value(e, "pr1ca"), "\"NOCAT\"");
	assert_null(value(e, "tr"));

	/* an action or a type that there is none of */
	assert_null(event(&w, 5, browsing("event_product", "click", "p1")));
	assert_string_equal(w.why.bytes, "it is of no kind");
	assert_null(event(&w, 6, browsing("search", "", "")));
	close_world(&w);
}

static void test_picks_are_of_the_session(void **state RV_UNUSED)
{
	static const char *const picked[] = { "sr", "ul", "ua", "tid", "cid" };
	struct world w;
	char first[8][512];

	open_world(&w);
	put_file(&w, "sku_to_content.csv", catalog);
	assert_int_equal(open_mapper(&w, rv_map_coveo, false), RV_OK);
	const char *e = event(&w, 0, browsing("pageview", "", ""));

	for (unsigned i = 0; i < 5; i++)
		snprintf(first[i], sizeof(first[i]), "%s", value(e, picked[i]));
	e = event(&w, 7, browsing("event_product", "add", "p1"));
	for (unsigned i = 0; i < 5; i++)
		assert_string_equal(value(e, picked[i]), first[i]);
	/* and the same in every run, on every machine */
	assert_string_equal(first[0], "\"1920\xc3\x97""1080\"");
	assert_string_equal(first[3], "\"5b1fae0c-54dc-4f0e-8f6e-1d3c52f0a6e1\"");
	close_world(&w);
}

static void test_ids_are_of_seed_row_and_time(void **state RV_UNUSED)
{
	struct world w;
	char z[4][64];

	open_world(&w);
	assert_int_equal(open_mapper(&w, "fields: { z: uuid4, y: uuid4, tm: now }\n", false), RV_OK);
	const char *e = event(&w, 5, "{}");

	snprintf(z[0], sizeof(z[0]), "%s", value(e, "z"));
	assert_string_not_equal(z[0], value(e, "y"));
	assert_int_equal(z[0][15], '4');
	assert_non_null(strchr("89ab", z[0][20]));
	assert_string_equal(value(event(&w, 5, "{}"), "z"), z[0]);
	assert_string_not_equal(value(event(&w, 6, "{}"), "z"), z[0]);
	rv_strbuf_clear(&w.out);
	w.row.number = 5;
	assert_int_equal(rv_pump_render(w.mapper, &w.row, NOW + 1, &w.out, &w.why), RV_PUMP_TAKEN);
	assert_string_not_equal(value(w.out.bytes, "z"), z[0]);
	close_world(&w);
}

static void test_68_replayed_times(void **state RV_UNUSED)
{
	static const char map[] = "time: { column: at, as: s }\nfields: { z: uuid4, tm: now, iso: { now: rfc3339 }, s: { now: s } }\n";
	struct world w;
	char z[64];

	open_world(&w);
	assert_int_equal(open_mapper(&w, map, true), RV_OK);
	const char *e = event(&w, 0, "{\"at\":1550885210.881}");

	assert_string_equal(value(e, "tm"), "1550885210881");
	assert_string_equal(value(e, "iso"), "\"2019-02-23T01:26:50.881Z\"");
	assert_string_equal(value(e, "s"), "1550885210");
	snprintf(z, sizeof(z), "%s", value(e, "z"));
	/* whenever it is: the same id */
	rv_strbuf_clear(&w.out);
	assert_int_equal(rv_pump_render(w.mapper, &w.row, NOW + 99, &w.out, &w.why), RV_PUMP_TAKEN);
	assert_string_equal(value(w.out.bytes, "z"), z);
	assert_null(event(&w, 1, "{\"at\":\"yesterday\"}"));
	assert_string_equal(w.why.bytes, "'yesterday' in at is no time");
	assert_null(event(&w, 1, "{}"));
	close_mapper(&w);
	assert_int_equal(open_mapper(&w, "fields: { a: now }\n", true), RV_USAGE);
	close_world(&w);
}

static void test_values(void **state RV_UNUSED)
{
	static const char good[] =
		"fields:\n"
		"  text: \"<{a}|{n.x}|{o}>\"\n"
		"  as_is: { column: a }\n"
		"  number: { column: n.x }\n"
		"  string: { column: n.x, as: string }\n"
		"  tree: { column: o }\n"
		"  flat: { column: o, as: string }\n"
		"  nothing: { column: z }\n"
		"  nil: { column: nil }\n"
		"  filled: { column: z, empty: none }\n"
		"  \"quo\\\"te\": \"\\\\\"\n"
		"  row: row\n"
		"  lit: -1.5\n"
		"  other: { switch: a, cases: { x: y } }\n"
		"  sha1: { hash: n.x, with: sha1 }\n"
		"  crc: { hash: n.x, with: crc32c }\n"
		"  fnv: { hash: \"{n.x}\", with: fnv1a }\n";
	struct world w;

	open_world(&w);
	assert_int_equal(open_mapper(&w, good, false), RV_OK);
	assert_string_equal(
		event(&w, 41, "{\"a\":\"q\\\"\\n\\u00e9\", \"n\":{\"x\":1.50}, \"o\":{\"k\":[\"v\"]}, \"nil\":null}"),
		"{\"text\":\"<q\\\"\\n\\u00e9|1.50|{\\\"k\\\":[\\\"v\\\"]}>\",\"as_is\":\"q\\\"\\n\\u00e9\","
		"\"number\":1.50,\"string\":\"1.50\",\"tree\":{\"k\":[\"v\"]},"
		"\"flat\":\"{\\\"k\\\":[\\\"v\\\"]}\",\"nil\":null,\"filled\":\"none\",\"quo\\\"te\":\"\\\\\","
		"\"row\":42,\"lit\":-1.5,\"sha1\":\"d334a13c0d4775a67e1e0880da2e444693d5d957\","
		"\"crc\":\"8e42d596\",\"fnv\":\"41ddd9f11651fdcb\"}");
	close_world(&w);
}

static void test_no_number_rejects_the_row(void **state RV_UNUSED)
{
	struct world w;

	open_world(&w);
	assert_int_equal(open_mapper(&w, "fields: { a: 1, b: { column: x, as: number } }\n", false), RV_OK);
	assert_string_equal(event(&w, 0, "{\"x\":\"12.50\"}"), "{\"a\":1,\"b\":12.50}");
	assert_null(event(&w, 0, "{\"x\":\"12,50\"}"));
	assert_string_equal(w.why.bytes, "b: '12,50' is no number");
	assert_int_equal(w.out.len, 0);
	close_world(&w);
}

/* A text that names a long column again and again is no way to fill the memory. */
static void test_a_text_that_grows(void **state RV_UNUSED)
{
	static const char *const fields[] = { "\"%s\"", "{ hash: \"%s\" }", "{ uuid5: \"%s\" }",
					      "{ pick: [x, y], by: \"%s\" }",
					      "{ switch: \"%s\", cases: { x: y }, absent: z }" };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf many = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf record = RV_STRBUF_INIT;
	struct world w;

	for (int i = 0; i < 20000; i++)
		rv_strbuf_puts(&many, "{a}");
	rv_strbuf_puts(&record, "{\"a\":\"");
	for (int i = 0; i < 1 << 20; i++)
		rv_strbuf_putc(&record, 'x');
	rv_strbuf_puts(&record, "\"}");
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf map = RV_STRBUF_INIT;
		char form[128];

		snprintf(form, sizeof(form), "fields:\n  f: %s\n  n: row\n", fields[i]);
		const char *at = strstr(form, "%s");

		rv_strbuf_add(&map, form, (size_t)(at - form));
		rv_strbuf_puts(&map, many.bytes);
		rv_strbuf_puts(&map, at + 2);
		open_world(&w);
		assert_int_equal(open_mapper(&w, map.bytes, false), RV_OK);
		assert_null(event(&w, 0, record.bytes));
		assert_string_equal(w.why.bytes, "its event would be longer than 16 MiB");
		assert_int_equal(w.out.len, 0);
		assert_in_range(w.out.capacity, 0, 64u << 20);
		/* and the next row is none the worse for it */
		assert_non_null(event(&w, 1, "{\"a\":\"1\"}"));
		assert_non_null(strstr(w.out.bytes, "\"n\":2"));
		close_world(&w);
	}
}

static void test_kinds(void **state RV_UNUSED)
{
	struct world w;

	open_world(&w);
	assert_int_equal(open_mapper(&w, "kinds: { a: { t: [x, \"y z\"], u: \"\" }, b: { t: x } }\nothers: skip\n",
				     false), RV_OK);
	assert_string_equal(event(&w, 0, "{\"t\":\"x\"}"), "{\"t\":\"x\"}");
	assert_int_equal(w.row.kind, 0);
	assert_non_null(event(&w, 0, "{\"t\":\"y\\u0020z\",\"u\":null}"));
	assert_int_equal(w.row.kind, 0);
	assert_non_null(event(&w, 0, "{\"t\":\"x\",\"u\":1}"));
	assert_int_equal(w.row.kind, 1);
	w.row = (struct rv_pump_row){ .record = "{}", .len = 2 };
	assert_int_equal(rv_pump_cut(w.mapper, &w.row, &w.why), RV_PUMP_SKIPPED);
	close_world(&w);
}

static void test_second_files(void **state RV_UNUSED)
{
	static const char map[] = "lookup: { c: { file: c.csv, key: k, by: id } }\n"
				  "fields: { v: { lookup: c.v }, n: { lookup: c.n, as: number, absent: \"-1\" } }\n";
	struct world w;

	open_world(&w);
	assert_int_equal(open_mapper(&w, map, false), RV_NOT_FOUND);
	assert_non_null(strstr(w.err.message, "lookup c"));
	rv_map_release(&w.map);
	put_file(&w, "c.csv", "k,v,m\na,1,2\n");
	assert_int_equal(open_mapper(&w, map, false), RV_BAD_CONFIG);
	assert_non_null(strstr(w.err.message, "has no column 'n'"));
	rv_map_release(&w.map);
	put_file(&w, "c.csv", "k,v,n\na,1\n");
	assert_int_equal(open_mapper(&w, map, false), RV_BAD_DATA);
	assert_int_equal(w.err.line, 2);
	rv_map_release(&w.map);
	/* keys that are there twice: the last one counts; they are compared decoded */
	put_file(&w, "c.csv", "{\"k\":\"a\",\"v\":\"old\",\"n\":1}\n{\"k\":\"\\u0062\",\"v\":\"q\\\"\",\"n\":2.50}\n"
			      "{\"k\":\"a\",\"v\":\"new\",\"n\":3}\n{\"v\":\"no key\"}\n{\"k\":7,\"v\":null,\"n\":4}\n");
	RV_CLEANUP(rv_free_p) char *json = rv_path_join(w.folder, "c.ndjson");
	RV_CLEANUP(rv_free_p) char *csv = rv_path_join(w.folder, "c.csv");

	assert_int_equal(rename(csv, json), 0);
	char *mended = rv_strdup(map);
	char *other = rv_asprintf("%.*sc.ndjson%s", (int)(strstr(mended, "c.csv") - mended), mended,
				  strstr(mended, "c.csv") + 5);

	assert_int_equal(open_mapper(&w, other, false), RV_OK);
	free(mended);
	free(other);
	assert_string_equal(event(&w, 0, "{\"id\":\"a\"}"), "{\"v\":\"new\",\"n\":3}");
	assert_string_equal(event(&w, 0, "{\"id\":\"b\"}"), "{\"v\":\"q\\\"\",\"n\":2.50}");
	assert_string_equal(event(&w, 0, "{\"id\":\"7\"}"), "{\"v\":null,\"n\":4}");
	assert_string_equal(event(&w, 0, "{\"id\":\"c\"}"), "{\"n\":-1}");
	assert_string_equal(event(&w, 0, "{}"), "{\"n\":-1}");
	close_world(&w);
}

static void test_second_file_too_large(void **state RV_UNUSED)
{
	struct world w;
	struct rv_string_list columns = { .items = (char *[]){ (char[]){ "v" } }, .count = 1 };
	const struct rv_map_lookup lookup = { .name = (char[]){ "c" }, .key = (char[]){ "k" }, .columns = columns };
	struct rv_pump_lookup *ret = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	open_world(&w);
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(w.folder, "c.csv");

	rv_strbuf_puts(&text, "k,v\n");
	for (int i = 0; i < 20000; i++)
		rv_strbuf_printf(&text, "key-%d,value %d\n", i, i % 10);
	put_file(&w, "c.csv", text.bytes);
	/* ten different rows are kept once */
	assert_int_equal(rv_pump_lookup_read(path, &lookup, 300000, &ret, &w.err), RV_OK);
	assert_int_equal(rv_pump_lookup_count(ret), 20000);
	for (int i = 0; i < 20000; i += 777) {
		char key[32], expected[32];
		struct rv_pump_value v;

		snprintf(key, sizeof(key), "key-%d", i);
		snprintf(expected, sizeof(expected), "value %d", i % 10);
		assert_true(rv_pump_lookup_find(ret, rv_str_of(key), &v));
		assert_int_equal(v.len, strlen(expected));
		assert_memory_equal(v.p, expected, v.len);
		assert_false(rv_pump_lookup_find(ret, RV_STR("key-"), &v));
	}
	rv_pump_lookup_free(ret);
	assert_int_equal(rv_pump_lookup_read(path, &lookup, 100000, &ret, &w.err), RV_BAD_DATA);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coveo_shape),
		cmocka_unit_test(test_picks_are_of_the_session),
		cmocka_unit_test(test_ids_are_of_seed_row_and_time),
		cmocka_unit_test(test_68_replayed_times),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_a_text_that_grows),
		cmocka_unit_test(test_no_number_rejects_the_row),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_second_files),
		cmocka_unit_test(test_second_file_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
