/* What refusals of Snowflake are called, and the tokens that requests carry. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snowflake_sql_world.h"

/* ---- refusals ---- */

#define SQL_FAILS(code, text, want, hint)                                                            \
	ONE_STEP_FAILS(want, "(Snowflake " code ")", hint, .status = 422,                            \
		       .body = "{\"code\":\"" code "\",\"sqlState\":\"42000\",\"message\":\"" text "\"}")

static void test_sql_refused(void **state RV_UNUSED)
{
	SQL_FAILS("002003", "Object 'X' does not exist or not authorized.", RV_NOT_FOUND, "RIVER_RW");
	SQL_FAILS("002043", "Object does not exist, or operation cannot be performed.", RV_NOT_FOUND, "it is not there");
	SQL_FAILS("002002", "Object 'X' already exists.", RV_CONFLICT, "it is there already");
	SQL_FAILS("003001", "SQL access control error:\\nInsufficient privileges to operate on schema 'WEB'", RV_AUTH,
		  "RIVER_RW (user loader) lacks a privilege");
	says("schema 'WEB'", NULL);
	SQL_FAILS("000606", "No active warehouse selected in the current session.", RV_BAD_CONFIG,
		  "there is no warehouse LOAD_WH, or RIVER_RW has no USAGE on it, or it is suspended");
	SQL_FAILS("090105", "Cannot perform CREATE TABLE. This session does not have a current database.",
		  RV_BAD_CONFIG, "set warehouse.database");
	SQL_FAILS("090073", "Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.",
		  RV_FAILED, "resource monitor");
	SQL_FAILS("000604", "SQL execution canceled", RV_FAILED, NULL);
	SQL_FAILS("000625", "Statement 'x' has locked table 'T'", RV_FAILED, "another transaction");
	assert_true(err.transient);
	SQL_FAILS("100132", "Execution of multiple statements failed: Statement 'x' has locked table 'T'", RV_FAILED,
		  "another transaction");
	assert_true(err.transient);
	SQL_FAILS("000008", "Actual statement count 2 did not match the desired statement count 1.", RV_INTERNAL,
		  "report");
	SQL_FAILS("999999", "Something new.", RV_FAILED, NULL);
	assert_string_equal(err.hint, "");
	SQL_FAILS("999998", "Insufficient privileges to operate on account 'A'", RV_AUTH, "lacks a privilege");
	SQL_FAILS("390189", "Role 'X' specified in the connect string is not granted to this user.", RV_AUTH,
		  "GRANT ROLE RIVER_RW TO USER loader");
	SQL_FAILS("390201", "The requested database does not exist or not authorized.", RV_NOT_FOUND,
		  "check database (RIVER)");
	ONE_STEP_FAILS(RV_FAILED, "127.0.0.1 answers 422", NULL, .status = 422, .body = "{}");
}

/* Hints name what the statement was to run with, not what the connection would have had. */
static void test_what_the_statement_names(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 422, .body = "{\"code\":\"000606\",\"message\":\"No active warehouse selected.\"}" },
		{ POST, .status = 422, .body = "{\"code\":\"003001\",\"message\":\"Insufficient privileges\"}" },
	};
	world_start(steps);
	assert_int_equal(run(&(struct rv_snowflake_statement){ .sql = "x", .role = "R", .warehouse = "" }),
			 RV_BAD_CONFIG);
	says("000606", "set warehouse.warehouse of the profile to one that R has USAGE on");
	assert_int_equal(run(&(struct rv_snowflake_statement){ .sql = "x", .role = "" }), RV_AUTH);
	says("003001", "the user's default role (user loader) lacks a privilege");
	world_stop();
}

static void test_syntax_names_the_place(void **state RV_UNUSED)
{
	SQL_FAILS("001003", "SQL compilation error:\\nsyntax error line 3 at position 7 unexpected 'FORM'.", RV_USAGE, NULL);
	assert_int_equal(err.line, 3);
	assert_int_equal(err.column, 8);
	assert_string_equal(err.service_code, "001003");
	assert_int_equal(err.http_status, 422);
	SQL_FAILS("000904", "SQL compilation error: error line 1 at position 9\\ninvalid identifier 'X'", RV_USAGE, NULL);
	assert_int_equal(err.column, 10);
}

static void test_http_refused(void **state RV_UNUSED)
{
	ONE_STEP_FAILS(RV_AUTH, "127.0.0.1 answers 403 390422: Incoming request with IP/Token 192.0.2.7",
		       "network policy", .status = 403,
		       .body = "{\"code\":\"390422\",\"message\":\"Incoming request with IP/Token 192.0.2.7 is not "
			       "allowed to access Snowflake.\"}");
	ONE_STEP_FAILS(RV_AUTH, "390201", "network policy", .status = 403,
		       .body = "{\"code\":\"390201\",\"message\":\"Network policy is required.\"}");
	ONE_STEP_FAILS(RV_AUTH, "answers 403", NULL, .status = 403, .body = "");
	ONE_STEP_FAILS(RV_NOT_FOUND, "answers 404", "there is no such account", .status = 404, .body = "");
	ONE_STEP_FAILS(RV_BAD_CONFIG, "answers 302", NULL, .status = 302,
		       .fields = "Location: https://evil.example/\r\n", .body = "");
	ONE_STEP_FAILS(RV_FAILED, "something that is not Snowflake's", "proxy or portal", .status = 400,
		       .body = "<html>");
	ONE_STEP_FAILS(RV_INTERNAL, "400 390142", "report", .status = 400,
		       .body = "{\"code\":\"390142\",\"message\":\"Incoming request does not contain a valid payload.\"}");
	ONE_STEP_FAILS(RV_FAILED, "answers 415", NULL, .status = 415, .body = "{\"code\":391000}");
	assert_string_equal(err.service_code, "391000");
}

/* A service may quote what it was sent. */
static void test_199_secrets_are_not_told(void **state RV_UNUSED)
{
	ONE_STEP_FAILS(RV_FAILED, "Bearer ***", NULL, .status = 400,
		       .body = "{\"code\":\"1\",\"message\":\"bad header Authorization Bearer abc.def.ghi\"}");
	assert_null(strstr(err.message, "abc.def"));
}

/* ---- tokens over the wire ---- */

#define REFUSED "{\"code\":\"390144\",\"message\":\"JWT token is invalid. [0ce9eb56-821d-4ca9-a774-04ae89a0cf5a]\"}"

static void test_renewed_once(void **state RV_UNUSED)
{
	static const struct step mended[] = {
		{ POST, .status = 401, .body = REFUSED },
		{ POST, .has = "&retry=true", .status = 200, .body = ONE_ROW("x") },
		{ POST, .status = 200, .body = ONE_ROW("x") },
	};
	static const struct step refused[] = {
		{ POST, .status = 401, .body = REFUSED },
		{ POST, .status = 401, .body = REFUSED },
	};
	world_start(mended);
	runs(&select_1);
	runs(&select_1);
	world_stop();
	world_start(refused);
	assert_int_equal(run(&select_1), RV_AUTH);
	says("127.0.0.1 answers 401 390144: JWT token is invalid", "the key in use is SHA256:");
	says("", "ALTER USER \"LOADER\" SET RSA_PUBLIC_KEY_2=");
	says("", "The account is ACME-DATA");
	assert_false(err.transient);
	world_stop();
}

static void test_170_clock_is_said(void **state RV_UNUSED)
{
	static const struct step ahead[] = {
		{ POST, .status = 401, .fields = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", .body = REFUSED },
		{ POST, .status = 401, .fields = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", .body = REFUSED },
	};
	static const struct step behind[] = {
		{ POST, .status = 401, .fields = "Date: Sun, 07 Nov 2094 08:49:37 GMT\r\n", .body = REFUSED },
		{ POST, .status = 401, .fields = "Date: Sun, 07 Nov 2094 08:49:37 GMT\r\n", .body = REFUSED },
	};
	fails(ahead, 2, RV_AUTH, "h ahead of Snowflake's", "set the clock of this machine");
	says("the clock of this machine is ", NULL);
	fails(behind, 2, RV_AUTH, "h behind Snowflake's", "set the clock of this machine");
}

/* What Snowflake forgets it forgets by its own clock, whatever ours says. */
static void test_198_their_clock(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 401, .fields = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", .body = REFUSED },
	};
	const int64_t then_ms = INT64_C(784111777000), hour_ms = 3600000;

	world_start(steps);
	w.last_repeats = true;
	assert_in_range(rv_snowflake_clock_ms(w.snowflake), rv_clock_ms() - hour_ms, rv_clock_ms() + hour_ms);
	assert_int_equal(run(&select_1), RV_AUTH);
	assert_in_range(rv_snowflake_clock_ms(w.snowflake), then_ms, then_ms + hour_ms);
	world_stop();
}

static void put_new_key(void)
{
	void *key = rsa_generate("RSA", 2048);

	world_key_file("rsa_key.p8", key, RSA_PKCS1);
	rsa_free(key);
}

/* The key was rotated while we ran: the file is read again, and the token is another. */
static void test_key_rotation(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .status = 401, .body = REFUSED, .meanwhile = put_new_key },
		{ POST, .status = 401, .body = REFUSED },
	};
	char now[64];

	world_start(steps);
	assert_int_equal(run(&select_1), RV_AUTH);
	RV_CLEANUP(rv_free_p) char *pem = NULL;
	struct rv_rsa_key *old = NULL;
	pem = rsa_pem(w.key, RSA_PKCS8);
	assert_int_equal(rv_rsa_key_read(pem, strlen(pem), NULL, &old, &err), RV_OK);
	assert_int_equal(rv_snowflake_fingerprint(old, now, &err), RV_OK);
	rv_rsa_key_free(old);
	char used[64];
	rv_snowflake_token_fingerprint(w.snowflake->token, used);
	assert_string_not_equal(used, now);
	world_stop();
	world_key_file("rsa_key.p8", w.key, RSA_PKCS8);
}

static void put_new_token(void)
{
	world_file("token", "second\n", 0600);
}

static void test_token_file(void **state RV_UNUSED)
{
	static const char by_file[] = "authenticator = \"oauth\"\ntoken_file_path = \"~/token\"\n";
	static const struct step mended[] = {
		{ POST, .has = "Authorization: Bearer first\r\nX-Snowflake-Authorization-Token-Type: OAUTH\r\n",
		  .status = 401, .body = "{\"code\":\"390318\",\"message\":\"expired\"}", .meanwhile = put_new_token },
		{ POST, .has = "Authorization: Bearer second\r\n", .status = 200, .body = ONE_ROW("x") },
	};
	static const struct step refused[] = {
		{ POST, .status = 401, .body = "{\"code\":\"390318\",\"message\":\"OAuth access token expired.\"}" },
	};
	world_file("token", "first\n", 0600);
	world_start_as(mended, 2, by_file, NULL);
	runs(&select_1);
	world_stop();
	/* the same as before: not asked again */
	world_start_as(refused, 1, by_file, NULL);
	assert_int_equal(run(&select_1), RV_AUTH);
	says("401 390318", "/token (connection default in ");
	says("", "has expired, was revoked");
	world_stop();
}

static void test_token_as_it_is(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ POST, .has = "Authorization: Bearer pat-1\r\n", .has_not = "Token-Type", .status = 200,
		  .body = ONE_ROW("x") },
		{ POST, .status = 401, .body = "" },
	};
	world_start_as(steps, 2, "token = \"pat-1\"\n", NULL);
	runs(&select_1);
	assert_int_equal(run(&select_1), RV_AUTH);
	says("answers 401", "the token of connection default in ");
	world_stop();
}

/* A proxy must not see the token of an emulator, which travels in clear. */
static void test_no_proxy_for_loopback(void **state RV_UNUSED)
{
	static const struct step steps[] = { { POST, .status = 200, .body = ONE_ROW("x") } };

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	world_start(steps);
	runs(&select_1);
	world_stop();
	unsetenv("http_proxy");
}

static void test_bad_names(void **state RV_UNUSED)
{
	const struct rv_snowflake_settings_params params = { .database = "two words" };
	struct rv_http *http = rv_http_new(&(struct rv_http_params){ 0 });
	struct rv_snowflake *snowflake = NULL;

	err = (struct rv_error)RV_ERROR_INIT;
	assert_int_equal(rv_snowflake_new(&params, http, &snowflake, &err), RV_BAD_CONFIG);
	says("database (river's profile): 'two words' is not a name of Snowflake", "double quotes");
	assert_null(snowflake);
	rv_http_free(http);
}

/* ---- texts ---- */

static void test_texts(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	static const char *const wrong[] = { "", "1a", "a b", "a-b", "\"", "\"\"", "\"a", "\"a\"b\"", "a\"", "\xc3\xbc" };
	static const char *const good[][2] = { { "river", "RIVER" }, { "_a$1", "_A$1" }, { "\"River\"", "River" },
					       { "\"a\"\"b\"", "a\"b" }, { "\"my-wh\"", "my-wh" } };

	rv_snowflake_identifier(&out, "a\"b");
	rv_snowflake_literal(&out, "it's \\ \n\0x", 10);
	assert_string_equal(out.bytes, "\"a\"\"b\"'it''s \\\\ \\n\\x00x'");
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		RV_CLEANUP(rv_free_p) char *name = NULL;

		assert_int_equal(rv_snowflake_name(good[i][0], &name, &err), RV_OK);
		assert_string_equal(name, good[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char *name = NULL;

		if (rv_snowflake_name(wrong[i], &name, &err) != RV_BAD_CONFIG)
			fail_msg("'%s' is taken", wrong[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sql_refused),
		cmocka_unit_test(test_what_the_statement_names),
		cmocka_unit_test(test_syntax_names_the_place),
		cmocka_unit_test(test_http_refused),
		cmocka_unit_test(test_199_secrets_are_not_told),
		cmocka_unit_test(test_renewed_once),
		cmocka_unit_test(test_170_clock_is_said),
		cmocka_unit_test(test_198_their_clock),
		cmocka_unit_test(test_key_rotation),
		cmocka_unit_test(test_token_file),
		cmocka_unit_test(test_token_as_it_is),
		cmocka_unit_test(test_no_proxy_for_loopback),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_texts),
	};
	int failed = cmocka_run_group_tests(tests, world_setup, world_teardown);
	rv_strbuf_release(&seen);
	return failed;
}
