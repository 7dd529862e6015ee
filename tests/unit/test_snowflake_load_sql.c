/* The statements that look at and load a stream on Snowflake, against golden copies in tests/data/snowflake.
 * RIVER_GOLDEN=1 renews them: read the difference before it is committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/definition.h"
#include "warehouse/snowflake_look.h"
#include "warehouse/snowflake_load.h"

struct golden {
	struct rv_snowflake_warehouse w;
	struct rv_stream stream;
	struct rv_error err;
};

static void begin(struct golden *g)
{
	*g = (struct golden){ .err = RV_ERROR_INIT };
	g->w.params.database = "RIVER";
	g->w.params.warehouse = "LOAD_WH";
	g->w.params.bucket = "acme-lake";
	g->w.params.lake_prefix = "river";
	rv_stream_init(&g->stream);
	if (rv_stream_parse_name("web/clicks", &g->stream, &g->err) != RV_OK)
		fail_msg("%s", g->err.message);
	snprintf(g->stream.id, sizeof(g->stream.id), "01jd0000000000000000000000");
}

static void end(struct golden *g)
{
	rv_stream_release(&g->stream);
}

static void give_layers(struct rv_stream *stream)
{
	struct rv_column column = { .name = rv_strdup("id"), .type = RV_COLUMN_INTEGER, .required = true };

	stream->columns = rv_calloc(1, sizeof(*stream->columns));
	stream->columns[0] = column;
	stream->columns_count = 1;
	stream->layers = RV_LAYER_RAW | RV_LAYER_CLEAN | RV_LAYER_LATEST;
	rv_string_list_add(&stream->key, "id", 2);
}

/* One statement, or several divided by lines of ';'. */
static void check(struct golden *g, const char *name, struct rv_strbuf *sql)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("tests/data/snowflake/%s.sql", name);

	rv_strbuf_putc(sql, '\n');
	if (getenv("RIVER_GOLDEN")) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_int_equal(fwrite(sql->bytes, 1, sql->len, f), sql->len);
		assert_int_equal(fclose(f), 0);
	}
	if (rv_read_file(path, 1 << 20, &want, &g->err) != RV_OK)
		fail_msg("%s", g->err.message);
	assert_string_equal(sql->bytes, want.bytes);
	rv_strbuf_clear(sql);
}

static void test_golden(void **state RV_UNUSED)
{
	struct golden g;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	char object[] = "data/web/clicks/dt=2026-11-20/hr=14/r-000001-r2-h0000000000000000.ndjson.zst";
	struct rv_load file = { .object = object };
	struct rv_load *items[] = { &file };

	begin(&g);
	snow_ledger_look_sql(&sql, &g.w, &g.stream);
	check(&g, "load-ledger-look", &sql);
	snow_ledger_write_sql(&sql, &g.w, &g.stream);
	check(&g, "load-ledger-write", &sql);
	snow_copy_sql(&sql, &g.w, &g.stream, items, 1);
	check(&g, "load-copy-files", &sql);
	snow_pipe_refresh_sql(&sql, &g.w, &g.stream, 1763640000000);
	check(&g, "load-pipe-refresh", &sql);
	snow_pipe_status_sql(&sql, &g.w, &g.stream);
	check(&g, "load-pipe-status", &sql);
	snow_present_sql(&sql, &g.w, &g.stream);
	check(&g, "load-present", &sql);
	snow_stamps_sql(&sql, &g.w, &g.stream);
	check(&g, "load-stamps", &sql);
	snow_count_sql(&sql, &g.w, &g.stream);
	check(&g, "load-count-raw", &sql);
	give_layers(&g.stream);
	snow_count_sql(&sql, &g.w, &g.stream);
	check(&g, "load-count", &sql);
	snow_refused_sql(&sql, &g.w, &g.stream, false);
	check(&g, "load-refused", &sql);
	snow_refused_sql(&sql, &g.w, &g.stream, true);
	check(&g, "load-refused-quick", &sql);
	snow_streams_sql(&sql, &g.w);
	check(&g, "load-streams", &sql);
	end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
	};

	return cmocka_run_group_tests_name("snowflake_load_sql", tests, NULL, NULL);
}
