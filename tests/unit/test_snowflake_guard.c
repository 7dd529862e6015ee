/* Which SQL reads only, and how many statements it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "warehouse/snowflake_guard.h"

static void test_readers(void **state)
{
	static const struct {
		const char *sql;
		unsigned count;
	} cases[] = {
		{ "select 1", 1 },
		{ " ( select 1 ) union all (select 2) ;\n", 1 },
		{ "-- a comment; with more\nSELECT ';' , \";\", $$;drop table t;$$ // ; end", 1 },
		{ "/* drop table t; */ with a as (select 1) select * from a", 1 },
		{ "select 'it''s; \\'; ' ; show tables;;; describe table x;", 3 },
		{ "use schema web; set a = 1; alter session set timezone = 'UTC'; select $a", 4 },
		{ "explain delete from t", 1 },
		{ "show tables ->> select * from $1", 1 },
		{ "select system$pipe_status('x'), SYSTEM$TYPEOF(1), system$get_tag('a','b','c')", 1 },
		{ "select procedure, \"call\" from t", 1 },
		{ "select begin, declare from t", 1 },
		{ "values (1), (2)", 1 },
		{ "list @a.b.c", 1 },
		{ "with a as (select 1) select \"delete\", f(1) call from merge, a", 1 },
		{ "with call as (select 1), merge(b) as (select 2) select * from call", 1 },
		{ "select * from identifier('web.clicks') where (1) = 1; select \"x\"(1)", 2 },
		{ "select 1 -- a line\r\n", 1 },
		{ "select 1 - -1 /2", 1 },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rv_error err = RV_ERROR_INIT;
		unsigned count = 0;

		if (snow_guard(cases[i].sql, false, &count, &err) != RV_OK)
			fail_msg("%s: %s", cases[i].sql, err.message);
		if (count != cases[i].count)
			fail_msg("%s: %u statements", cases[i].sql, count);
	}
}

static void test_writers(void **state)
{
	static const struct {
		const char *sql;
		unsigned count;      /* with --write */
		const char *said;
	} cases[] = {
		{ "delete from t", 1, "DELETE is not a query" },
		{ "select 1; drop table t", 2, "DROP is not a query (statement 2)" },
		{ "/**/ insert into t select 1", 1, "INSERT" },
		{ "--\n;;update t set a = 1", 1, "UPDATE is not a query" },
		{ "(select 1); (delete from t)", 2, "DELETE is not a query (statement 2)" },
		{ "select 1 ->> delete from t", 1, "DELETE" },
		{ "show tables->>create table a as select * from $1", 1, "CREATE" },
		{ "with p as procedure () returns int language sql as $$ begin return 1; end $$ call p()", 1,
		  "AS PROCEDURE" },
		{ "call p()", 1, "CALL" },
		{ "execute immediate $$ drop table t $$", 1, "EXECUTE" },
		{ "begin drop table t; return 1; end", 1, "BEGIN" },
		{ "declare a int; begin drop table t; end", 1, "DECLARE" },
		{ "begin; delete from t; commit", 3, "BEGIN" },
		{ "begin transaction; delete from t; commit", 3, "BEGIN" },
		{ "create procedure p() returns int language sql as begin drop table t; return 1; end", 1,
		  "CREATE" },
		{ "alter table t drop column a", 1, "ALTER" },
		{ "alter \"session\" set a = 1", 1, "ALTER" },
		{ "copy into @s from (select 1)", 1, "COPY" },
		{ "truncate t", 1, "TRUNCATE" }, { "merge into a using b on true", 1, "MERGE" },
		{ "grant select on t to role r", 1, "GRANT" }, { "undrop table t", 1, "UNDROP" },
		{ "select system$pipe_force_resume('p')", 1, "SYSTEM$PIPE_FORCE_RESUME" },
		{ "select system$cancel_query('q')", 1, "SYSTEM$CANCEL_QUERY" },
		{ "\"select\" 1", 1, "does not begin with a word" },
		{ "'text'", 1, "does not begin with a word" },
		{ "rm @s", 1, "RM" },
		{ "with a as (select 1) delete from t", 1, "DELETE" },
		{ "select 1; with a as (select 1) insert into t select * from a", 2, "INSERT is not a query (s" },
		{ "(with a as (select (1)) merge into t using a on true when matched then delete)", 1, "MERGE" },
		{ "show tables ->> with a as (select 1) update t set a = 1", 1, "UPDATE" },
		{ "with a as (select 1) call p(1)", 1, "CALL" },
		{ "select \"SYSTEM$CANCEL_QUERY\"('q')", 1, "SYSTEM$CANCEL_QUERY" },
		{ "select identifier('system$cancel_query')('q')", 1, "IDENTIFIER" },
		{ "set f = 'SYSTEM' || '$ABORT_SESSION'; select identifier ( ($f) ) /**/ (1)", 2, "IDENTIFIER" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rv_error err = RV_ERROR_INIT;
		unsigned count = 0;

		if (snow_guard(cases[i].sql, false, &count, &err) != RV_USAGE)
			fail_msg("%s is let through", cases[i].sql);
		if (!strstr(err.message, cases[i].said))
			fail_msg("%s: %s", cases[i].sql, err.message);
		assert_string_equal(err.hint, "with --write anything goes");
		if (snow_guard(cases[i].sql, true, &count, &err) != RV_OK)
			fail_msg("%s: %s", cases[i].sql, err.message);
		if (count != cases[i].count)
			fail_msg("%s: %u statements", cases[i].sql, count);
	}
}

static void test_broken(void **state)
{
	static const char *const cases[][2] = {
		{ "select 'a", "ends within a text" }, { "select 'a\\'", "within a text" },
		{ "select \"a", "a quoted name" },     { "select /* a", "a comment" },
		{ "select $$ a $", "between $$" },     { "", "no statement" },
		{ " ; -- nothing\n;", "no statement" }, { "->> select 1", "nothing in front" },
		{ "-- a\rdelete from t (--\nselect 1)", "carriage return" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rv_error err = RV_ERROR_INIT;
		unsigned count = 0;

		assert_int_equal(snow_guard(cases[i][0], true, &count, &err), RV_USAGE);
		if (!strstr(err.message, cases[i][1]))
			fail_msg("%s: %s", cases[i][0], err.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_writers),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests_name("snowflake_guard", tests, NULL, NULL);
}
