/* The layers behind raw: typed, without duplicates, newest by key; and what is refused. */
#include "config/definition.h"
#include "duckdb_world.h"
#include "flow/catalog.h"

#include <unistd.h>

static void define(struct world *w, const char *yaml)
{
	RV_CLEANUP(rv_yaml_release) struct rv_yaml_documents docs = { 0 };
	struct rv_stream stream;
	char text[4096];

	snprintf(text, sizeof(text), "stream: web/clicks\n%s", yaml);
	rv_stream_init(&stream);
	assert_ok(w, rv_yaml_parse("test.yaml", text, strlen(text), &docs, &w->err));
	assert_ok(w, rv_definition_parse("test.yaml", docs.roots[0], &stream, &w->err));
	snprintf(stream.id, sizeof(stream.id), "01jd0000000000000000000000");
	rv_stream_release(&w->stream);
	w->stream = stream;
}

static void load(struct world *w, const char *run, uint64_t seq, const char *records)
{
	char *name = world_object(w, run, seq, records);
	struct rv_load item = world_load(w, name);

	if (item.state != RV_LOAD_LOADED)
		fail_msg("%s", item.message);
	free(name);
}

/* raw = clean + duplicates + refused, each counted */
static void assert_counts(struct world *w, uint64_t raw, uint64_t clean, uint64_t duplicates,
			  uint64_t refused, uint64_t latest, uint64_t tombstones)
{
	struct rv_warehouse_counts c = { 0 };

	assert_ok(w, w->warehouse->ops->count(w->warehouse, &w->stream, &c, &w->err));
	assert_int_equal(c.raw, raw);
	assert_int_equal(c.clean, clean);
	assert_int_equal(c.duplicates, duplicates);
	assert_int_equal(c.refused, refused);
	assert_int_equal(c.latest, latest);
	assert_int_equal(c.tombstones, tombstones);
	assert_int_equal(c.raw, c.clean + c.duplicates + c.refused);
}

static void test_typed_values(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, "layers: [raw, clean]\n"
		   "columns:\n"
		   "  s: {type: string}\n  i: {type: integer}\n"
		   "  d: {type: 'decimal(38,6)', from: payload.price}\n  small: {type: 'decimal(4,1)'}\n"
		   "  mid: {type: 'decimal(9,2)'}\n  big: {type: 'decimal(18,2)'}\n"
		   "  f: {type: double}\n  b: {type: boolean}\n  day: {type: date}\n"
		   "  t: {type: timestamp}\n  j: {type: json}\n");
	load(&w, "r", 1,
	     "{\"s\":\"\\u00e9\\n\",\"i\":-9223372036854775808,\"payload\":{\"price\":"
	     "12345678901234567.890123},\"small\":\"-1.5\",\"mid\":12.34,\"big\":1e3,\"f\":0.1,"
	     "\"b\":true,\"day\":\"2024-02-29\",\"t\":\"2024-05-01T02:00:00.5+02:00\","
	     "\"j\":{\"x\" : [1.0]}}\n"
	     "{\"s\":5,\"i\":\"7\",\"b\":\"false\",\"f\":\"\",\"j\":null}\n{}\n");
	assert_answer(&w, "select s, i, d, small, mid, big, f, b, day, t, j from web.clicks_clean "
			  "order by file_row",
		      "\"\xc3\xa9;\",-9223372036854775808,12345678901234567.890123,-1.5,12.34,1000.00,0.1,"
		      "true,2024-02-29,2024-05-01 00:00:00.5,\"{\"\"x\"\" : [1.0]}\";"
		      "5,7,,,,,,false,,,;,,,,,,,,,,;");
	assert_counts(&w, 3, 3, 0, 0, 0, 0);
	world_close(&w);
}

static void test_refused_and_mended(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, "layers: [raw, clean]\ncolumns:\n  id: {type: integer, required: true}\n"
		   "  price: {type: 'decimal(6,2)'}\n  at: {type: timestamp}\n");
	load(&w, "r", 1,
	     "{\"id\":1,\"price\":1.25,\"at\":\"2024-01-01T00:00:00Z\"}\n"
	     "{\"id\":2,\"price\":1.255}\n{\"price\":1}\n{\"id\":null}\n"
	     "{\"id\":5,\"at\":\"2024-03-31T02:30:00\"}\n{\"id\":6.5}\n{\"id\":[7]}\n"
	     "{\"id\":8,\"price\":12345.00}\n");
	assert_counts(&w, 8, 1, 0, 7, 0, 0);
	assert_answer(&w, "select file_row, column_name, reason, value, record from web.clicks_refused "
			  "where file_row in (2, 5) order by 1",
		      "2,price,has more decimals than the column,1.255,\"{\"\"id\"\":2,\"\"price\"\":1.255}\";"
		      "5,at,\"has no zone, and neither has the column: set its timezone, as in timezone: "
		      "UTC\",\"\"\"2024-03-31T02:30:00\"\"\","
		      "\"{\"\"id\"\":5,\"\"at\"\":\"\"2024-03-31T02:30:00\"\"}\";");
	/* one group for each fault, whatever the values are; a missing one has none */
	assert_answer(&w, "select column_name, reason, count(*), count(value) from web.clicks_refused "
			  "where column_name = 'id' group by all order by 2",
		      "id,is an array,1,1;id,is not whole,1,1;id,is required and not there,1,0;"
		      "id,is required and null,1,0;");
	/* a mended contract brings them back, and what it still refuses stays */
	define(&w, "layers: [raw, clean]\ncolumns:\n  id: {type: integer, required: true}\n"
		   "  price: {type: 'decimal(9,3)'}\n  at: {type: timestamp, timezone: '+01:00'}\n");
	assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true, NULL, NULL, &w.err));
	assert_counts(&w, 8, 4, 0, 4, 0, 0);
	assert_answer(&w, "select id, price, \"at\" from web.clicks_clean order by id",
		      "1,1.250,2024-01-01 00:00:00;2,1.255,;5,,2024-03-31 01:30:00;8,12345.000,;");
	world_close(&w);
}

static void test_new_column_is_filled(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, "layers: [raw, clean]\ncolumns:\n  a: {type: integer}\n");
	load(&w, "r", 1, "{\"a\":1,\"b\":{\"c\":\"x\"}}\n{\"a\":2}\n");
	define(&w, "layers: [raw, clean]\ncolumns:\n  a: {type: integer}\n"
		   "  c: {type: string, from: b.c}\n");
	/* the next load sees the new definition too, without being told */
	load(&w, "r", 2, "{\"a\":3,\"b\":{\"c\":\"y\"}}\n");
	assert_answer(&w, "select a, c from web.clicks_clean order by a", "1,x;2,;3,y;");
	assert_counts(&w, 3, 3, 0, 0, 0, 0);
	world_close(&w);
}

static void note_statement(void *arg, const char *statement)
{
	(void)statement;
	++*(unsigned *)arg;
}

static void test_plan_only_says(void **state)
{
	struct world w;
	unsigned count = 0;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, "key: [id]\n");
	assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, false, note_statement, &count,
					     &w.err));
	assert_true(count > 4);
	assert_int_not_equal(access(w.path, F_OK), 0);
	assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true, NULL, NULL, &w.err));
	count = 0;
	assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true, note_statement, &count,
					     &w.err));
	assert_int_equal(count, 0);
	world_close(&w);
}

/* A loader that waited holds the old definition; what the lake has now stays in force. */
static void test_old_definition_in_hand(void **state)
{
	static const char older[] = "layers: [raw, clean]\ncolumns:\n  a: {type: integer}\n";
	static const char newer[] = "layers: [raw, clean]\ncolumns:\n  a: {type: integer}\n"
				    "  b: {type: string}\n";
	struct rv_catalog_create create = { .now_ms = 1795000000000 };
	struct rv_stream existing, found;
	enum rv_catalog_outcome outcome = RV_CATALOG_UNCHANGED;
	char etag[RV_ETAG_TEXT], id[RV_ULID_TEXT];
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, older);
	rv_stream_init(&existing);
	assert_ok(&w, rv_catalog_create(w.store, &w.stream, &create, &outcome, &existing, &w.err));
	assert_int_equal(outcome, RV_CATALOG_CREATED);
	memcpy(id, w.stream.id, sizeof(id));
	load(&w, "r", 1, "{\"a\":1,\"b\":\"x\"}\n");
	rv_stream_init(&found);
	assert_ok(&w, rv_catalog_get(w.store, "web/clicks", &found, etag, &w.err));
	define(&w, newer);
	assert_ok(&w, rv_catalog_update(w.store, &found, etag, &w.stream, &w.err));
	memcpy(w.stream.id, id, sizeof(id));
	assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true, NULL, NULL, &w.err));
	define(&w, older);
	memcpy(w.stream.id, id, sizeof(id));
	load(&w, "r", 2, "{\"a\":2,\"b\":\"y\"}\n");
	assert_answer(&w, "select a, b from web.clicks_clean order by a", "1,x;2,y;");
	/* two changes of the definition at once: the older one comes last */
	assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true, NULL, NULL, &w.err));
	assert_answer(&w, "select a, b from web.clicks_clean order by a", "1,x;2,y;");
	rv_stream_release(&found);
	rv_stream_release(&existing);
	world_close(&w);
}

/* Layers that somebody dropped are made again, by the plan or by the next load. */
static void test_dropped_layers(void **state)
{
	static const char *const gone[] = {
		"table web.clicks_clean", "table web.clicks_refused", "view web.clicks_latest",
		"table _river.\"web/clicks/latest\"", "table _river.\"web/clicks/seen\"",
		"table _river.\"web/clicks/duplicates\"",
	};
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, "key: [id]\ncolumns:\n  id: {type: integer}\n");
	load(&w, "r", 1, "{\"id\":1}\n{\"id\":1}\n{\"id\":\"x\"}\n{\"id\":2}\n");
	assert_counts(&w, 4, 2, 1, 1, 2, 0);
	for (unsigned i = 0; i < sizeof(gone) / sizeof(*gone); i++) {
		RV_CLEANUP(rv_free_p) char *sql = rv_asprintf("drop %s", gone[i]);
		struct rv_strbuf ignored = RV_STRBUF_INIT;
		unsigned count = 0;

		assert_ok(&w, w.warehouse->ops->query(w.warehouse, sql, true, world_csv, &ignored,
						      &w.err));
		rv_strbuf_release(&ignored);
		if (i % 2) {
			load(&w, "s", i, "{\"id\":1}\n");
		} else {
			assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true,
							     note_statement, &count, &w.err));
			assert_true(count > 0);
		}
		count = 0;
		assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true, note_statement,
						     &count, &w.err));
		assert_int_equal(count, 0);
		assert_counts(&w, 4 + (i + 1) / 2, 2, 1 + (i + 1) / 2, 1, 2, 0);
		assert_answer(&w, "select id from web.clicks_latest order by id", "1;2;");
	}
	world_close(&w);
}

static void test_latest(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, "key: [id]\norder_by: at\ndelete_when: {column: gone, equals: true}\n"
		   "columns:\n  id: {type: string}\n  at: {type: integer}\n  gone: {type: boolean}\n"
		   "  v: {type: string}\n");
	load(&w, "r", 1,
	     "{\"id\":\"a\",\"at\":1,\"v\":\"old\"}\n{\"id\":\"a\",\"at\":3,\"v\":\"new\"}\n"
	     "{\"id\":\"a\",\"at\":2,\"v\":\"mid\"}\n{\"id\":\"b\",\"v\":\"null is lowest\"}\n"
	     "{\"id\":\"c\",\"at\":5,\"gone\":true}\n{\"id\":\"d\",\"at\":1,\"v\":\"row 6\"}\n"
	     "{\"id\":\"d\",\"at\":1,\"v\":\"row 7\"}\n{\"at\":1}\n{\"id\":null}\n");
	assert_answer(&w, "select id, v from web.clicks_latest order by id",
		      "a,new;b,null is lowest;d,row 7;");
	assert_counts(&w, 9, 7, 0, 2, 3, 1);
	load(&w, "r", 2,
	     "{\"id\":\"a\",\"at\":2,\"v\":\"late\"}\n{\"id\":\"c\",\"at\":4,\"v\":\"resurrected?\"}\n"
	     "{\"id\":\"b\",\"at\":0,\"v\":\"now\"}\n{\"id\":\"d\",\"at\":1,\"v\":\"later object\"}\n");
	assert_answer(&w, "select id, v from web.clicks_latest order by id",
		      "a,new;b,now;d,later object;");
	load(&w, "r", 3,
	     "{\"id\":\"a\",\"at\":9,\"gone\":true}\n{\"id\":\"c\",\"at\":6,\"v\":\"back\"}\n");
	assert_answer(&w, "select id, v from web.clicks_latest order by id",
		      "b,now;c,back;d,later object;");
	assert_counts(&w, 15, 13, 0, 2, 3, 1);
	/* made again from raw (a column that nothing has makes it another definition) */
	define(&w, "key: [id]\norder_by: at\ndelete_when: {column: gone, equals: true}\n"
		   "columns:\n  id: {type: string}\n  at: {type: integer}\n  gone: {type: boolean}\n"
		   "  v: {type: string}\n  more: {type: date}\n");
	assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true, NULL, NULL, &w.err));
	assert_answer(&w, "select id, v from web.clicks_latest order by id",
		      "b,now;c,back;d,later object;");
	assert_counts(&w, 15, 13, 0, 2, 3, 1);
	world_close(&w);
}

static void test_duplicates(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, "key: [id]\ncolumns:\n  id: {type: integer}\n  v: {type: string}\n");
	load(&w, "r", 1, "{\"id\":1,\"v\":\"a\"}\n{\"id\":1,\"v\":\"a\"}\n{\"id\":1,\"v\":\"b\"}\n");
	assert_counts(&w, 3, 2, 1, 0, 1, 0);
	load(&w, "r", 2, "{\"id\":1,\"v\":\"a\"}\n{\"id\":2,\"v\":\"a\"}\n{\"id\":2, \"v\":\"a\"}\n");
	assert_counts(&w, 6, 4, 2, 0, 2, 0);
	assert_answer(&w, "select id, v, file_row from web.clicks_latest order by id", "1,a,1;2,a,3;");
	/* by columns: the first one stays */
	define(&w, "key: [id]\ndedup: [id]\ncolumns:\n  id: {type: integer}\n  v: {type: string}\n");
	assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true, NULL, NULL, &w.err));
	assert_counts(&w, 6, 2, 4, 0, 2, 0);
	assert_answer(&w, "select id, v from web.clicks_clean order by id", "1,a;2,a;");
	define(&w, "key: [id]\ndedup: none\ncolumns:\n  id: {type: integer}\n  v: {type: string}\n");
	assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, true, NULL, NULL, &w.err));
	assert_counts(&w, 6, 6, 0, 0, 2, 0);
	world_close(&w);
}

#define WINNER                                                                                     \
	"with w as (select (record->>'$.id') as id, try_cast(record->>'$.at' as bigint) as t, "   \
	"(record->>'$.v') as v, file_name, file_row from web.clicks) "                             \
	"select id, v, file_name, file_row from w qualify row_number() over (partition by id "     \
	"order by t desc nulls last, file_name desc, file_row desc) = 1 order by id"

/* latest is the plain maximum over raw and clean the first of equal rows, however they came. */
static void test_any_order_of_loading(void **state)
{
	static const char definition[] =
		"key: [id]\norder_by: at\ncolumns:\n  id: {type: string}\n"
		"  at: {type: integer}\n  v: {type: string}\n";
	char *clean = NULL, *latest = NULL;
	unsigned seed = 7;
	(void)state;

	for (unsigned round = 0; round < 4; round++) {
		struct world w;
		char *names[6];
		size_t order[6] = { 0, 1, 2, 3, 4, 5 };
		unsigned content = 11;
		unsigned count = 0;

		world_open(&w, "web/clicks");
		define(&w, definition);
		for (size_t i = 0; i < 6; i++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
			char run[8];

			for (unsigned k = 0; k < 12; k++) {
				content = content * 1103515245u + 12345u;
				unsigned r = content >> 16;

				if (r % 5 == 0)
					rv_strbuf_printf(&sb, "{\"id\":\"%u\",\"v\":\"%u\"}\n",
							 r % 3, r / 8 % 2);
				else
					rv_strbuf_printf(&sb,
							 "{\"id\":\"%u\",\"at\":%u,\"v\":\"%u\"}\n",
							 r % 3, r / 4 % 2, r / 8 % 2);
			}
			snprintf(run, sizeof(run), "r%zu", i);
			names[i] = world_object(&w, run, 1, sb.bytes);
		}
		for (size_t i = 5; round > 0 && i > 0; i--) {
			size_t other = (size_t)rand_r(&seed) % (i + 1), t = order[i];

			order[i] = order[other];
			order[other] = t;
		}
		for (size_t i = 0; i < 6; i++)
			assert_int_equal(world_load(&w, names[order[i]]).state, RV_LOAD_LOADED);
		for (unsigned again = 0; again < 2; again++) {
			char *c = world_ask(&w, "select id, \"at\", v, file_name, file_row from "
						"web.clicks_clean order by all");
			char *l = world_ask(&w, "select id, v, file_name, file_row from "
						"web.clicks_latest order by id");
			char *wanted = world_ask(&w, WINNER);

			assert_string_equal(l, wanted);
			free(wanted);
			if (!clean) {
				clean = strdup(c);
				latest = strdup(l);
			}
			assert_string_equal(c, clean);
			assert_string_equal(l, latest);
			free(c);
			free(l);
			assert_answer(&w, "select count(*) from (select file_name, file_row from "
					  "web.clicks_clean union all select file_name, file_row from "
					  "_river.\"web/clicks/duplicates\")", "72;");
			if (again)
				break;
			/* once more from raw */
			assert_ok(&w, w.warehouse->ops->drop(w.warehouse, &w.stream, &w.err));
			for (size_t i = 0; i < 6; i++)
				world_load(&w, names[i]);
			assert_ok(&w, w.warehouse->ops->plan(w.warehouse, &w.stream, false,
							     note_statement, &count, &w.err));
			assert_int_equal(count, 0);
		}
		for (size_t i = 0; i < 6; i++)
			free(names[i]);
		world_close(&w);
	}
	free(clean);
	free(latest);
}

/* One key goes on, off and on again: what comes back is no news to clean, but it is to latest. */
static void test_latest_of_duplicates(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, "key: [id]\ncolumns:\n  id: {type: integer}\n  v: {type: string}\n");
	load(&w, "r", 1, "{\"id\":1,\"v\":\"on\"}\n");
	load(&w, "r", 2, "{\"id\":1,\"v\":\"off\"}\n");
	load(&w, "r", 3, "{\"id\":1,\"v\":\"on\"}\n");
	assert_answer(&w, "select v, file_row from web.clicks_latest", "on,1;");
	assert_counts(&w, 3, 2, 1, 0, 1, 0);
	world_close(&w);
}

static void test_reject_unknown_fields(void **state)
{
	struct world w;
	(void)state;

	world_open(&w, "web/clicks");
	define(&w, "layers: [raw, clean]\ncontract: reject\ncolumns:\n  a: {type: integer}\n"
		   "  c: {type: string, from: b.c}\n");
	load(&w, "r", 1, "{\"a\":1,\"b\":{\"c\":\"x\",\"other\":1}}\n{\"a\":2,\"x\\u0079\":1}\n"
			 "{\"\\u0061\":3}\n{\"_river\":{\"id\":\"z\"}}\n");
	assert_answer(&w, "select column_name, reason from web.clicks_refused",
		      "xy,is a field the contract does not have;");
	assert_counts(&w, 4, 3, 0, 1, 0, 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typed_values),
		cmocka_unit_test(test_refused_and_mended),
		cmocka_unit_test(test_new_column_is_filled),
		cmocka_unit_test(test_plan_only_says),
		cmocka_unit_test(test_old_definition_in_hand),
		cmocka_unit_test(test_dropped_layers),
		cmocka_unit_test(test_latest),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_any_order_of_loading),
		cmocka_unit_test(test_latest_of_duplicates),
		cmocka_unit_test(test_reject_unknown_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
