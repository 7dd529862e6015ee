/* What becomes of an extract on Snowflake when its one request fails, or nobody hears how it ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snowflake_sql_world.h"
#include "warehouse/snowflake_extract.h"

static const struct rv_column columns[] = { { .name = (char[]){ "id" }, .type = RV_COLUMN_INTEGER } };
static char *key_items[] = { (char[]){ "id" } };
static const struct rv_string_list key = { key_items, 1 };
static char *objects[] = { (char[]){ "loads/shop/0123456789abcdef/t-0001-0001.ndjson.zst" } };

static bool check_only;

static enum rv_status take_with(bool replace, uint64_t *ret_repeated)
{
	const struct rv_snowflake_warehouse_params params = {
		.snowflake = w.snowflake, .database = "RIVER", .warehouse = "LOAD_WH", .role = "R",
		.bucket = "lake", .lake_prefix = "", .storage_integration = "S3" };
	struct rv_extract_table table = { .schema = "dw", .name = "t", .columns = columns, .columns_count = 1,
					  .key = &key, .merge = true, .objects = objects, .objects_count = 1,
					  .rows = 3 };
	struct rv_extract extract = { .job = "shop", .identity = "0123456789abcdef", .name = "1.zip",
				      .order = "1", .summary = "{}", .replace = replace, .tables = &table,
				      .tables_count = 1 };
	struct rv_warehouse *warehouse = rv_warehouse_snowflake_new(&params, NULL);

	err = (struct rv_error)RV_ERROR_INIT;
	((struct rv_snowflake_warehouse *)warehouse)->extracts_made = rv_strdup("shop");
	extract.check_only = check_only;
	if (check_only) /* what an earlier question left there is none of its failures */
		rv_fail(&err, RV_NOT_FOUND, "there is no row");
	enum rv_status status = warehouse->ops->extract_take(warehouse, &extract, &err);

	*ret_repeated = table.repeated;
	rv_warehouse_free(warehouse);
	return status;
}

static enum rv_status take(bool replace)
{
	uint64_t repeated;

	return take_with(replace, &repeated);
}

/* Statement `line` of the request, its first word, and why. */
#define FAILED(line, statement, why)                                                                 \
	"{\"code\":\"100132\",\"message\":\"Uncaught Execution of multiple statements failed on statement " \
	"\\\"" statement "\\\" (at line " line ", position 0).\\n" why " in SYSTEM$MULTISTMT at 'x'\"}"
#define LEDGER(rows, data) \
	"{" META(rows, COLUMN("SUMMARY", "text") "," COLUMN("RUN", "text")) "},\"data\":[" data "],\"code\":\"090001\"}"
#define FACTS                                                                                               \
	"{" META("0", COLUMN("KIND", "text") "," COLUMN("SCHEMA", "text") "," COLUMN("NAME", "text") ","       \
		 COLUMN("ATTRIBUTE", "text") "," COLUMN("VALUE", "text")) "},\"data\":[],\"code\":\"090001\"}"
#define TAKE POST, .body_has = "MULTI_STATEMENT_COUNT"
#define ASK POST, .body_has = "SELECT \\\"SUMMARY\\\", \\\"RUN\\\" FROM"
#define COUNT POST, .body_has = "REPEATED"
#define REPEATED "{" META("1", COLUMN("PLACE", "fixed") "," COLUMN("REPEATED", "fixed")) "},\"data\":[[\"0\",\"2\"]],\"code\":\"090001\"}"

static void test_somebody_else_was_first(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ TAKE, .status = 422, .body = FAILED("6", "SELECT", "Numeric value 'RIVER$TAKEN 1' is not recognized") },
		{ ASK, .status = 200, .body = LEDGER("1", "[\"{}\",\"01JD\"]") },
		{ COUNT, .status = 200, .body = REPEATED },
	};
	uint64_t repeated;

	world_start(steps);
	if (take_with(false, &repeated) != RV_OK)
		fail_msg("%s", err.message);
	assert_int_equal(repeated, 2);
	world_stop();
}

/* What replaces has not replaced because somebody else has. */
static void test_replacing_is_not_somebody_elses(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ TAKE, .status = 422, .body = FAILED("6", "DELETE", "Something new") },
		{ ASK, .status = 200, .body = LEDGER("1", "[\"{}\",\"01JD\"]") },
	};

	world_start(steps);
	assert_int_equal(take(true), RV_FAILED);
	says("take 1.zip: ", NULL);
	says("Something new", NULL);
	world_stop();
}

static void test_a_look_that_finds_nothing_is_no_failure(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .body_has = "SELECT", .status = 200, .body = FACTS },
	};

	check_only = true;
	world_start(steps);
	assert_int_equal(take(false), RV_OK);
	world_stop();
	check_only = false;
}

/* The ninth statement, behind one of five lines. */
static void test_rows_are_missing(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ TAKE, .status = 422, .body = FAILED("13", "SELECT TO_NUMBER('RIVER$ROWS ' || 1)",
						      "Numeric value 'RIVER$ROWS 2' is not recognized") },
		{ ASK, .status = 200, .body = LEDGER("0", "") },
	};

	world_start(steps);
	assert_int_equal(take(false), RV_BAD_DATA);
	says("take 1.zip: dw.t: 3 rows were sent, 2 are in the table", NULL);
	world_stop();
}

static void test_the_grant_is_named(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ TAKE, .status = 422, .body = FAILED("2", "COPY INTO", "Stage 'X' does not exist or not authorized.") },
		{ ASK, .status = 200, .body = LEDGER("0", "") },
	};
	static const struct step unnamed[] = {
		{ TAKE, .status = 422, .body = "{\"code\":\"003001\",\"message\":\"Insufficient privileges\"}" },
		{ ASK, .status = 422, .body = "{\"code\":\"003001\",\"message\":\"Insufficient privileges\"}" },
	};

	world_start(steps);
	assert_int_equal(take(false), RV_AUTH);
	says("does not exist or not authorized", "GRANT USAGE ON STAGE \"RIVER\".\"RIVER\".\"LOADS\" TO ROLE R");
	world_stop();
	/* which statement it was nobody said: nothing is guessed */
	world_start(unnamed);
	assert_int_equal(take(false), RV_AUTH);
	says("Insufficient privileges", "lacks a privilege");
	world_stop();
}

/* That it was counted is not what was asked for. */
static void test_repeated_keys_are_not_known(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ TAKE, .status = 200, .body = "{" META("1", COLUMN("A", "text")) "},\"data\":[[\"x\"]],\"code\":\"090001\","
					       "\"statementHandle\":\"h\",\"statementHandles\":[\"1\",\"2\",\"3\",\"4\","
					       "\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\"]}" },
		{ COUNT, .status = 422, .body = "{\"code\":\"000604\",\"message\":\"SQL execution canceled\"}" },
	};
	uint64_t repeated;

	world_start(steps);
	if (take_with(false, &repeated) != RV_OK)
		fail_msg("%s", err.message);
	assert_int_equal(repeated, 0);
	world_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_somebody_else_was_first),
		cmocka_unit_test(test_replacing_is_not_somebody_elses),
		cmocka_unit_test(test_a_look_that_finds_nothing_is_no_failure),
		cmocka_unit_test(test_rows_are_missing),
		cmocka_unit_test(test_the_grant_is_named),
		cmocka_unit_test(test_repeated_keys_are_not_known),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
