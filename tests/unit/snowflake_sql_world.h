/* What the tests of statements share: a sink that writes rows down, and expectations of failures. */
#ifndef RV_TESTS_UNIT_SNOWFLAKE_SQL_WORLD_H
#define RV_TESTS_UNIT_SNOWFLAKE_SQL_WORLD_H

#include "snowflake/sql.h"
#include "snowflake_world.h"

#define POST "POST /api/v2/statements?requestId="
#define META(rows, types) "\"resultSetMetaData\":{\"numRows\":" rows ",\"format\":\"jsonv2\",\"rowType\":[" types "]"
#define COLUMN(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\",\"scale\":2,\"precision\":38,\"nullable\":true}"
#define ONE_ROW(text) "{" META("1", COLUMN("A", "text")) "},\"data\":[[\"" text "\"]],\"code\":\"090001\",\"statementHandle\":\"h-1\"}"

static struct rv_strbuf seen = RV_STRBUF_INIT; /* "0: A,B | x,NULL | ..." */

static enum rv_status collect(void *arg RV_UNUSED, const struct rv_snowflake_page *page,
			      struct rv_error *e RV_UNUSED)
{
	rv_strbuf_printf(&seen, "%u:", page->statement);
	for (size_t i = 0; i < page->columns_count; i++)
		rv_strbuf_printf(&seen, "%s%s/%d", i ? "," : " ", page->columns[i].name,
				 (int)page->columns[i].type);
	for (size_t i = 0; i < page->count * page->columns_count; i++) {
		const struct rv_str *value = &page->values[i];
		rv_strbuf_puts(&seen, i % page->columns_count ? "," : " | ");
		if (value->p) {
			rv_strbuf_add(&seen, value->p, value->len);
			assert_int_equal(value->p[value->len], '\0');
		} else {
			rv_strbuf_puts(&seen, "NULL");
		}
	}
	rv_strbuf_puts(&seen, "\n");
	return RV_OK;
}

static struct rv_snowflake_outcome outcome;

static enum rv_status run(const struct rv_snowflake_statement *statement)
{
	err = (struct rv_error)RV_ERROR_INIT;
	rv_strbuf_clear(&seen);
	return rv_snowflake_execute(w.snowflake, statement, collect, NULL, &outcome, &err);
}

RV_UNUSED static void runs(const struct rv_snowflake_statement *statement)
{
	if (run(statement) != RV_OK)
		fail_msg("%s (%s)", err.message, err.hint);
}

static const struct rv_snowflake_statement select_1 = { .sql = "SELECT 1" };

RV_UNUSED static void fails(const struct step *steps, size_t count, enum rv_status want, const char *message,
		  const char *hint)
{
	world_start_as(steps, count, WORLD_BY_KEY, NULL);
	assert_int_equal(run(&select_1), want);
	says(message, hint);
	world_stop();
}
#define ONE_STEP_FAILS(want, message, hint, ...)                                                    \
	do {                                                                                        \
		static const struct step steps_[] = { { POST, __VA_ARGS__ } };                      \
		fails(steps_, 1, want, message, hint);                                              \
	} while (0)

#endif
