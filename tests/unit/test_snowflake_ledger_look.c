/* The ledger and its witnesses as Snowflake answers them: what is read out of a page, what is written back, and what
 * becomes of a look that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snowflake_sql_world.h"
#include "warehouse/snowflake_ledger.h"

#define D "data/web/clicks/dt=2026-11-20/hr=14/"
#define AT "1795193931.000000000"
#define LOOK POST, .body_has = "FULL OUTER JOIN"
#define WRITE POST, .body_has = "MERGE INTO"
#define WRITTEN { WRITE, .status = 200, .body = ONE_ROW("1") }

/* As the columns of the answer; NULL is NULL. */
struct row {
	const char *name, *state, *via, *bytes, *rows, *errors, *error, *error_line, *submitted, *loaded, *retired;
	const char *status, *file_size, *row_count, *row_parsed, *error_count, *message, *line, *character, *column,
		*load_time;
	const char *raw_rows, *raw_at;
};
#define COLUMNS (sizeof(struct row) / sizeof(char *))

static void add_answer(struct rv_strbuf *out, const struct row *rows, size_t count)
{
	rv_strbuf_printf(out, "{\"resultSetMetaData\":{\"numRows\":%zu,\"format\":\"jsonv2\",\"rowType\":[", count);
	for (size_t i = 0; i < COLUMNS; i++)
		rv_strbuf_printf(out, "%s{\"name\":\"C%zu\",\"type\":\"text\",\"nullable\":true}", i ? "," : "", i);
	rv_strbuf_puts(out, "]},\"data\":[");
	for (size_t row = 0; row < count; row++) {
		const char *const *cells = (const char *const *)&rows[row];

		for (size_t i = 0; i < COLUMNS; i++) {
			rv_strbuf_puts(out, i ? "," : row ? ",[" : "[");
			if (cells[i])
				rv_strbuf_json(out, cells[i], strlen(cells[i]));
			else
				rv_strbuf_puts(out, "null");
		}
		rv_strbuf_putc(out, ']');
	}
	rv_strbuf_puts(out, "],\"code\":\"090001\",\"statementHandle\":\"h-1\"}");
}

/* ---- looking ---- */

static struct rv_strbuf told = RV_STRBUF_INIT;
static char noted[512];
static unsigned fail_at; /* the file with which the caller gives up; 0: never */

static enum rv_status tell(void *arg RV_UNUSED, const struct snow_file *file, const struct rv_load *settled,
			   struct rv_error *e)
{
	static const char *const states[] = {
		[RV_LOAD_PENDING] = "pending", [RV_LOAD_QUEUED] = "queued",   [RV_LOAD_KNOWN] = "known",
		[RV_LOAD_PARTIAL] = "partial", [RV_LOAD_FAILED] = "failed",
	};

	rv_strbuf_printf(&told, "%s %s%s %d-%d%s%s\n", strrchr(settled->object, '/') + 1, states[settled->state],
			 file->by_copy ? " by copy" : "", (int)settled->rows, (int)settled->rejected,
			 settled->message ? " " : "", settled->message ? settled->message : "");
	return fail_at && --fail_at == 0 ? rv_fail(e, RV_LOCAL_IO, "enough") : RV_OK;
}

__attribute__((format(printf, 1, 2)))
static void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(noted, sizeof(noted), fmt, ap);
	va_end(ap);
}

static struct rv_snowflake_warehouse_params params_of(const char *role)
{
	return (struct rv_snowflake_warehouse_params){
		.snowflake = w.snowflake, .database = "RIVER", .warehouse = "LOAD_WH", .role = role, .bucket = "lake",
		.lake_prefix = "", .storage_integration = "S3", .note = note };
}

static struct rv_stream stream;

static int64_t deadline_ms; /* 0: none */

static enum rv_status look_with(const struct rv_snowflake_warehouse_params *params)
{
	struct rv_warehouse *warehouse = rv_warehouse_snowflake_new(params, NULL);

	warehouse->deadline_ms = deadline_ms;
	err = (struct rv_error)RV_ERROR_INIT;
	noted[0] = '\0';
	rv_strbuf_clear(&told);
	enum rv_status status = snow_ledger_look((struct rv_snowflake_warehouse *)warehouse, &stream, tell, NULL, &err);

	rv_warehouse_free(warehouse);
	return status;
}

static enum rv_status look(void)
{
	const struct rv_snowflake_warehouse_params params = params_of("R");

	return look_with(&params);
}

static void start(struct step *steps, size_t count, const struct rv_strbuf *answer)
{
	steps[0].body = answer->bytes;
	world_start_as(steps, count, WORLD_BY_KEY, NULL);
}

static int set_up(void **state)
{
	if (world_setup(state) != 0)
		return 1;
	rv_stream_init(&stream);
	snprintf(stream.id, sizeof(stream.id), "01JCX0000000000000000000ZZ");
	return rv_stream_parse_name("web/clicks", &stream, &err) == RV_OK ? 0 : 1;
}

static int tear_down(void **state)
{
	rv_stream_release(&stream);
	rv_strbuf_release(&told);
	return world_teardown(state);
}

static void test_what_is_read(void **state RV_UNUSED)
{
	static const struct row rows[] = {
		{ .name = D "a", .state = "submitted", .via = "copy", .submitted = AT, .status = "Loaded",
		  .row_count = "10", .row_parsed = "10", .load_time = AT },
		{ .name = D "b", .state = "loaded", .rows = "5", .loaded = AT },
		{ .name = D "c", .state = "partial", .rows = "5", .errors = "1", .error = "it was no JSON" },
		{ .name = D "d", .state = "failed", .error = "no access", .errors = "7" },
		/* more were parsed than were loaded, and not all of those were counted as errors */
		{ .name = D "e", .status = "Partially loaded", .row_count = "8", .row_parsed = "10", .error_count = "1",
		  .message = "no number", .line = "3", .load_time = AT },
		{ .name = D "f", .status = "Load failed", .row_count = "0", .row_parsed = "1", .error_count = "1",
		  .message = "no access", .load_time = AT },
		{ .name = D "g", .status = "Load in progress" },
		{ .name = D "h", .raw_rows = "3", .raw_at = AT },
		{ .name = D "i", .state = "submitted", .submitted = AT },
		/* not the stream's */
		{ .name = "data/web/clicks-of-others/x", .status = "Loaded", .row_count = "1" },
		{ .name = "x", .state = "loaded" },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf answer = RV_STRBUF_INIT;
	/* what the ledger has not known */
	struct step steps[] = {
		{ LOOK, .status = 200 },
		{ POST, .status = 200, .body = ONE_ROW("1"),
		  .body_has = "[{\\\"f\\\":\\\"dt=2026-11-20/hr=14/a\\\",\\\"s\\\":\\\"loaded\\\",\\\"r\\\":10,\\\"p\\\":10,"
			      "\\\"e\\\":0,\\\"l\\\":\\\"2026-11-20T16:58:51.000Z\\\"},"
			      "{\\\"f\\\":\\\"dt=2026-11-20/hr=14/e\\\",\\\"s\\\":\\\"partial\\\",\\\"r\\\":8,\\\"p\\\":10,"
			      "\\\"e\\\":2,\\\"m\\\":\\\"line 3: no number\\\",\\\"n\\\":3,"
			      "\\\"l\\\":\\\"2026-11-20T16:58:51.000Z\\\"},"
			      "{\\\"f\\\":\\\"dt=2026-11-20/hr=14/f\\\",\\\"s\\\":\\\"failed\\\",\\\"r\\\":0,\\\"p\\\":1,"
			      "\\\"e\\\":1,\\\"m\\\":\\\"no access\\\",\\\"l\\\":\\\"2026-11-20T16:58:51.000Z\\\"},"
			      "{\\\"f\\\":\\\"dt=2026-11-20/hr=14/g\\\",\\\"s\\\":\\\"submitted\\\"},"
			      "{\\\"f\\\":\\\"dt=2026-11-20/hr=14/h\\\",\\\"s\\\":\\\"loaded\\\",\\\"r\\\":3,\\\"p\\\":3,"
			      "\\\"e\\\":0,\\\"l\\\":\\\"2026-11-20T16:58:51.000Z\\\"}]" },
	};

	add_answer(&answer, rows, sizeof(rows) / sizeof(*rows));
	start(steps, 2, &answer);
	if (look() != RV_OK)
		fail_msg("%s", err.message);
	assert_string_equal(told.bytes, "a known by copy 10-0\n"
					"b known 5-0\n"
					"c partial 5-1 it was no JSON\n"
					"d failed 0-7 no access\n"
					"e partial 8-2 line 3: no number\n"
					"f failed 0-1 no access\n"
					"g queued 0-0\n"
					"h known 3-0\n"
					"i queued 0-0\n");
	world_stop();
}

/* What the ledger knows already is not written again; what it does not is, all of it. */
static void test_news(void **state RV_UNUSED)
{
	struct row rows[9];
	char names[9][80];
	struct step steps[] = { { LOOK, .status = 200 }, { WRITE, .status = 200, .body = ONE_ROW("9") } };

	for (size_t i = 0; i < 9; i++)
		rows[i] = (struct row){ .name = names[i], .status = "Loaded", .row_count = "8", .row_parsed = "10",
					.error_count = "2" };
	for (int known = 0; known < 2; known++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf answer = RV_STRBUF_INIT;

		for (size_t i = 0; i < 9; i++) {
			snprintf(names[i], sizeof(names[i]), D "%zu", i);
			rows[i].state = known ? "partial" : NULL;
			rows[i].rows = "8";
			rows[i].errors = "2";
		}
		add_answer(&answer, rows, 9);
		start(steps, known ? 1 : 2, &answer);
		if (look() != RV_OK)
			fail_msg("%s", err.message);
		assert_true(rv_starts_with(told.bytes, "0 partial 8-2\n1 partial 8-2\n"));
		world_stop();
	}
}

static const struct row news[] = {
	{ .name = D "a", .status = "Loaded", .row_count = "1", .row_parsed = "1" },
	{ .name = D "b", .status = "Loaded", .row_count = "2", .row_parsed = "2" },
};

/* Who may read and not write has looked all the same. */
static void test_ledger_that_cannot_be_written(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf answer = RV_STRBUF_INIT;
	struct step refused[] = {
		{ LOOK, .status = 200 },
		{ WRITE, .status = 422, .body = "{\"code\":\"003001\",\"message\":\"Insufficient privileges\"}" },
	};
	struct step failed[] = {
		{ LOOK, .status = 200 },
		{ WRITE, .status = 422, .body = "{\"code\":\"100132\",\"message\":\"something new\"}" },
	};

	add_answer(&answer, news, 2);
	start(refused, 2, &answer);
	assert_int_equal(look(), RV_OK);
	assert_string_equal(told.bytes, "a known 1-0\nb known 2-0\n");
	assert_non_null(strstr(noted, "the ledger of web/clicks could not be brought up to date: "));
	assert_non_null(strstr(noted, "Insufficient privileges"));
	world_stop();

	/* nor is there one */
	refused[1].body = "{\"code\":\"002003\",\"message\":\"Table 'X' does not exist or not authorized.\"}";
	start(refused, 2, &answer);
	assert_int_equal(look(), RV_OK);
	assert_non_null(strstr(noted, "does not exist"));
	world_stop();

	/* also where nobody wants to know */
	start(refused, 2, &answer);
	struct rv_snowflake_warehouse_params params = params_of("R");

	params.note = NULL;
	assert_int_equal(look_with(&params), RV_OK);
	assert_string_equal(noted, "");
	world_stop();

	start(failed, 2, &answer);
	assert_int_equal(look(), RV_FAILED);
	says("write the ledger: ", NULL);
	says("something new", NULL);
	assert_string_equal(noted, "");
	world_stop();
}

/* Whoever has seen enough: nothing is written. */
static void test_look_that_is_given_up(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf answer = RV_STRBUF_INIT;
	struct step steps[] = { { LOOK, .status = 200 } };

	add_answer(&answer, news, 2);
	start(steps, 1, &answer);
	fail_at = 2;
	assert_int_equal(look(), RV_LOCAL_IO);
	says("what is loaded of web/clicks: enough", NULL);
	assert_string_equal(told.bytes, "a known 1-0\nb known 2-0\n");
	world_stop();
}

static void test_look_that_fails(void **state RV_UNUSED)
{
	static const struct step others[] = { { LOOK, .status = 200, .body = ONE_ROW("1") } };
	static const struct step missing[] = {
		{ LOOK, .status = 422, .body = "{\"code\":\"002003\",\"message\":\"SQL compilation error:\\nSchema 'X' does "
					       "not exist or not authorized.\"}" },
	};

	world_start(others);
	assert_int_equal(look(), RV_FAILED);
	says("what is loaded of web/clicks: Snowflake answers 1 columns where 23 were asked for", NULL);
	world_stop();

	/* the role that asks is named: that of the call, of the connection, or of the user */
	world_start(missing);
	assert_int_equal(look(), RV_NOT_FOUND);
	says("what is loaded of web/clicks: ", "let R see");
	world_stop();
	world_start(missing);
	struct rv_snowflake_warehouse_params params = params_of(NULL);

	assert_int_equal(look_with(&params), RV_NOT_FOUND);
	says("", "let river_rw see");
	world_stop();
	world_start_as(missing, 1, "user = \"loader\"\nauthenticator = \"SNOWFLAKE_JWT\"\n"
				   "private_key_file = \"~/rsa_key.p8\"\n", NULL);
	params = params_of(NULL);
	assert_int_equal(look_with(&params), RV_NOT_FOUND);
	says("", "let the user's default role see");
	world_stop();
}

/* ---- writing ---- */

/* Very many are no single statement. */
static void test_many_rows(void **state RV_UNUSED)
{
	enum { COUNT = 5001 };
	static const struct step steps[] = {
		{ POST, .body_has = "MERGE INTO", .status = 200, .body = ONE_ROW("5000") },
		{ POST, .body_has = "[{\\\"f\\\":\\\"last\\\",\\\"s\\\":\\\"submitted\\\"}]", .status = 200,
		  .body = ONE_ROW("1") },
	};
	static const struct step failing[] = {
		WRITTEN, { WRITE, .status = 422, .body = "{\"code\":\"100132\",\"message\":\"something new\"}" },
	};
	char name[] = "data/web/clicks/x", last_name[] = "data/web/clicks/last";
	struct rv_load item = { .object = name, .state = RV_LOAD_QUEUED }, last = { .object = last_name,
										    .state = RV_LOAD_QUEUED };
	RV_CLEANUP(rv_free_p) struct rv_load **items = rv_calloc(COUNT, sizeof(struct rv_load *));

	for (size_t i = 0; i < COUNT; i++)
		items[i] = i + 1 < COUNT ? &item : &last;
	for (int i = 0; i < 2; i++) {
		world_start_as(i ? failing : steps, 2, WORLD_BY_KEY, NULL);
		const struct rv_snowflake_warehouse_params params = params_of("R");
		struct rv_warehouse *warehouse = rv_warehouse_snowflake_new(&params, NULL);

		err = (struct rv_error)RV_ERROR_INIT;
		assert_int_equal(snow_ledger_write((struct rv_snowflake_warehouse *)warehouse, &stream, items, COUNT,
						   NULL, &err),
				 i ? RV_FAILED : RV_OK);
		if (i)
			says("write the ledger: ", NULL);
		rv_warehouse_free(warehouse);
		world_stop();
	}
}

/* A statement that is said to run for ever holds nobody who waits until then; what is asked at the very end has
 * ten seconds more. */
static void test_look_without_an_end(void **state RV_UNUSED)
{
#define RUNNING "{\"code\":\"333334\",\"message\":\"in progress\",\"statementHandle\":\"h-1\"}"
	static const struct step runs_on[] = {
		{ LOOK, .status = 202, .body = RUNNING },
		{ "", .status = 202, .body = RUNNING },
	};
	static const struct step ended[] = {
		{ LOOK, .status = 408, .body = "{\"code\":\"000630\",\"message\":\"Statement reached its statement or "
					      "warehouse timeout of 1 second(s) and was canceled.\"}" },
	};

	/* A machine that is too busy to ask within so little has more. */
	for (int64_t left_ms = 300;; left_ms *= 10) {
		world_start_as(runs_on, 2, WORLD_BY_KEY, NULL);
		w.last_repeats = true;
		deadline_ms = rv_clock_monotonic_ms() - 10000 + left_ms;
		assert_int_equal(look(), RV_FAILED);
		assert_true(err.transient);
		world_stop();
		if (strstr(err.message, "the time for it is over"))
			break;
		assert_true(left_ms < 100000);
	}
	/* Snowflake knows the limit, and may be the one that ends it. */
	world_start_as(ended, 1, WORLD_BY_KEY, NULL);
	deadline_ms = rv_clock_monotonic_ms() + 1000;
	assert_int_equal(look(), RV_FAILED);
	assert_true(err.transient);
	world_stop();
	/* What was learned is written also when no time is left. */
	static const struct step written[] = { WRITTEN, WRITTEN };
	char name[] = D "a";
	struct rv_load load = { .object = name, .state = RV_LOAD_KNOWN };
	struct rv_load *items[] = { &load };

	world_start_as(written, 2, WORLD_BY_KEY, NULL);
	const struct rv_snowflake_warehouse_params params = params_of("R");
	struct rv_warehouse *warehouse = rv_warehouse_snowflake_new(&params, NULL);

	for (int64_t left_ms = -60000; left_ms <= 60000; left_ms += 120000) {
		warehouse->deadline_ms = rv_clock_monotonic_ms() + left_ms;
		if (snow_ledger_write((struct rv_snowflake_warehouse *)warehouse, &stream, items, 1, "copy", &err) != RV_OK)
			fail_msg("%s", err.message);
	}
	rv_warehouse_free(warehouse);
	world_stop();
	deadline_ms = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_ledger_that_cannot_be_written),
		cmocka_unit_test(test_look_that_is_given_up),
		cmocka_unit_test(test_look_that_fails),
		cmocka_unit_test(test_look_without_an_end),
		cmocka_unit_test(test_many_rows),
	};

	return cmocka_run_group_tests_name("snowflake_ledger_look", tests, set_up, tear_down);
}
