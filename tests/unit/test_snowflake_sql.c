/* Statements over the wire: what is asked, what comes of the answers, and what is said when it fails. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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

static void runs(const struct rv_snowflake_statement *statement)
{
	if (run(statement) != RV_OK)
		fail_msg("%s (%s)", err.message, err.hint);
}

static void test_select(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .has = "Authorization: Bearer eyJ", .status = 200,
		  .body_has = "{\"statement\":\"SELECT 1\",\"database\":\"RIVER\",\"warehouse\":\"LOAD_WH\","
			      "\"role\":\"RIVER_RW\",\"parameters\":{\"TIMEZONE\":\"UTC\"",
		  .body = "{" META("2", COLUMN("A", "fixed") "," COLUMN("B", "text"))
			  ",\"partitionInfo\":[{\"rowCount\":2,\"uncompressedSize\":1}]},"
			  "\"data\":[[\"1\",\"x\\u0000\\n\\ud83d\\ude00\"],[null,\"\"]],\"code\":\"090001\","
			  "\"statementHandle\":\"h-1\",\"message\":\"Statement executed successfully.\"}" },
	};
	world_start(steps);
	runs(&(struct rv_snowflake_statement){ .sql = "SELECT 1" });
	assert_memory_equal(seen.bytes, "0: A/0,B/2 | 1,x\0\n\xF0\x9F\x98\x80 | NULL,\n", 32);
	assert_string_equal(outcome.handle, "h-1");
	assert_int_equal(outcome.done, 1);
	assert_false(outcome.unknown);
	world_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_select),
	};
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
