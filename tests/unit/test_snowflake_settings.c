/* Which value holds and where it is said to come from; which host gets a token. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "snowflake_world.h"

#define SHARED ".snowflake/"
#define MINIMAL "account = \"acme-data\"\nuser = \"u\"\nprivate_key_file = \"~/rsa_key.p8\"\n"

static struct rv_snowflake_settings *settings;

static enum rv_status load_as(const struct rv_snowflake_settings_params *params)
{
	err = (struct rv_error)RV_ERROR_INIT;
	rv_snowflake_settings_free_p(&settings);
	return rv_snowflake_settings_load(params, &settings, &err);
}

static enum rv_status load(const char *connection)
{
	return load_as(&(struct rv_snowflake_settings_params){ .connection = connection });
}

static void loads(const char *connection)
{
	if (load(connection) != RV_OK)
		fail_msg("%s (%s)", err.message, err.hint);
}

static void connections(const char *text)
{
	world_file(SHARED "connections.toml", text, 0600);
}

static void is(enum rv_snowflake_key key, const char *value, const char *origin)
{
	const char *have = rv_snowflake_setting(settings, key);

	if (!value) {
		assert_null(have);
		return;
	}
	assert_non_null(have);
	assert_string_equal(have, value);
	if (!strstr(settings->values[key].origin, origin))
		fail_msg("%s comes from %s, not %s", value, settings->values[key].origin, origin);
}

/* An empty home, and no variables. */
static int clear(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *shared = rv_path_join(w.home, ".snowflake");
	RV_CLEANUP(rv_free_p) char *config = rv_path_join(w.home, ".config");

	world_clear_environment();
	rv_snowflake_settings_free_p(&settings);
	return rv_remove_tree(shared, &err) == RV_OK && rv_remove_tree(config, &err) == RV_OK ? 0 : 1;
}

/* ---- files and precedence ---- */

static void test_precedence(void **state RV_UNUSED)
{
	connections("[default]\nrole = \"d\"\n[prod]\n" MINIMAL "role = \"file\"\nport = 8443\n");
	setenv("SNOWFLAKE_ROLE", "generic", 1);
	setenv("SNOWFLAKE_WAREHOUSE", "generic_wh", 1);
	setenv("SNOWFLAKE_DATABASE", "", 1);
	loads("prod");
	is(RV_SNOWFLAKE_ROLE, "file", "connection prod in ");
	is(RV_SNOWFLAKE_ROLE, "file", "/.snowflake/connections.toml");
	is(RV_SNOWFLAKE_WAREHOUSE, "generic_wh", "SNOWFLAKE_WAREHOUSE");
	is(RV_SNOWFLAKE_PORT, "8443", "connection prod");
	is(RV_SNOWFLAKE_DATABASE, NULL, NULL);
	assert_string_equal(settings->connection_origin, "river's profile");
	assert_string_equal(settings->url, "https://acme-data.snowflakecomputing.com:8443");
	setenv("SNOWFLAKE_CONNECTIONS_PROD_ROLE", "named", 1);
	loads("prod");
	is(RV_SNOWFLAKE_ROLE, "named", "SNOWFLAKE_CONNECTIONS_PROD_ROLE");
	const struct rv_snowflake_settings_params params = {
		.connection = "prod", .role = "river", .account = "other-one", .user = "me",
		.warehouse = "wh", .database = "db",
	};
	assert_int_equal(load_as(&params), RV_OK);
	is(RV_SNOWFLAKE_ROLE, "river", "river's profile");
	is(RV_SNOWFLAKE_ACCOUNT, "other-one", "river's profile");
	is(RV_SNOWFLAKE_USER, "me", "river's profile");
	is(RV_SNOWFLAKE_WAREHOUSE, "wh", "river's profile");
	is(RV_SNOWFLAKE_DATABASE, "db", "river's profile");
}

static void test_connections_exclude_config(void **state RV_UNUSED)
{
	world_file(SHARED "config.toml",
		   "default_connection_name = \"prod\"\n[connections.prod]\nrole = \"config\"\n" MINIMAL, 0600);
	loads(NULL);
	is(RV_SNOWFLAKE_ROLE, "config", "connection prod in ");
	is(RV_SNOWFLAKE_ROLE, "config", "config.toml");
	assert_non_null(strstr(settings->connection_origin, "default_connection_name in "));
	/* once the other file is there, its connections are the only ones */
	connections("[dev]\n" MINIMAL);
	assert_int_equal(load(NULL), RV_BAD_CONFIG);
	says("there is no Snowflake connection 'prod' (default_connection_name in ", "there are: dev");
	says("connections.toml", NULL);
	setenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "dev", 1);
	loads(NULL);
	assert_string_equal(settings->connection, "dev");
	assert_string_equal(settings->connection_origin, "SNOWFLAKE_DEFAULT_CONNECTION_NAME");
}

static void test_folders(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *elsewhere = rv_path_join(w.home, "elsewhere");

	world_file(".config/snowflake/connections.toml", "[default]\nrole = \"xdg\"\n" MINIMAL, 0600);
	loads(NULL);
	is(RV_SNOWFLAKE_ROLE, "xdg", "/.config/snowflake/connections.toml");
	/* named and not there: as if it were not named */
	setenv("SNOWFLAKE_HOME", elsewhere, 1);
	loads(NULL);
	is(RV_SNOWFLAKE_ROLE, "xdg", "/.config/");
	world_file("elsewhere/connections.toml", "[default]\nrole = \"home\"\n" MINIMAL, 0600);
	loads(NULL);
	is(RV_SNOWFLAKE_ROLE, "home", "/elsewhere/connections.toml");
	setenv("SNOWFLAKE_HOME", "~/elsewhere", 1);
	loads(NULL);
	is(RV_SNOWFLAKE_ROLE, "home", "/elsewhere/connections.toml");
	unsetenv("SNOWFLAKE_HOME");
	connections("[default]\nrole = \"dot\"\n" MINIMAL);
	loads(NULL);
	is(RV_SNOWFLAKE_ROLE, "dot", "/.snowflake/connections.toml");
	assert_int_equal(rv_remove_tree(elsewhere, &err), RV_OK);
}

static void test_environment_alone(void **state RV_UNUSED)
{
	setenv("SNOWFLAKE_ACCOUNT", "acme-data", 1);
	setenv("SNOWFLAKE_USER", "u", 1);
	setenv("SNOWFLAKE_PRIVATE_KEY_PATH", "~/rsa_key.p8", 1);
	setenv("PRIVATE_KEY_PASSPHRASE", "p", 1);
	loads(NULL);
	is(RV_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE, "p", "PRIVATE_KEY_PASSPHRASE");
	assert_string_equal(settings->connection_origin, "default");
	assert_null(settings->file);
	assert_true(rv_snowflake_setting(settings, RV_SNOWFLAKE_PRIVATE_KEY_PATH)[0] == '/');
	/* a connection that only variables make */
	setenv("SNOWFLAKE_CONNECTIONS_CI_ROLE", "r", 1);
	loads("ci");
	is(RV_SNOWFLAKE_ROLE, "r", "SNOWFLAKE_CONNECTIONS_CI_ROLE");
	assert_int_equal(load("other"), RV_BAD_CONFIG);
	says("there is no Snowflake connection 'other' (river's profile)", "write it there: [other]");
}

static void test_bad_files(void **state RV_UNUSED)
{
	connections("[default]\n\naccount = acme\n");
	assert_int_equal(load(NULL), RV_BAD_CONFIG);
	says("the value of 'account' is none", NULL);
	assert_int_equal(err.line, 3);
	assert_non_null(strstr(err.file, "connections.toml"));
	connections("[default]\nuser = [\"u\"]\n");
	assert_int_equal(load(NULL), RV_BAD_CONFIG);
	says("user of connection default is not a text", NULL);
	assert_int_equal(err.line, 2);
	connections("default = 'x'\n");
	assert_int_equal(load("default"), RV_BAD_CONFIG);
	says("there is no Snowflake connection 'default'", NULL);
}

static void test_200_modes(void **state RV_UNUSED)
{
	connections("[default]\n" MINIMAL);
	world_file(SHARED "connections.toml", "[default]\n" MINIMAL, 0644);
	assert_int_equal(load(NULL), RV_BAD_CONFIG);
	says("can be read by others (mode 0644)", "chmod 600 ");
	says("", "SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION=true");
	setenv("SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION", "true", 1);
	loads(NULL);
	world_file(SHARED "connections.toml", "[default]\n" MINIMAL, 0622);
	assert_int_equal(load(NULL), RV_BAD_CONFIG);
	says("can be written by others (mode 0622)", "chmod 600 ");
	world_file(SHARED "connections.toml", "[default]\n" MINIMAL, 0400);
	unsetenv("SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION");
	loads(NULL);
	world_file(SHARED "config.toml/in_the_way", "", 0600);
	assert_int_equal(load(NULL), RV_BAD_CONFIG);
	says("is not a file", NULL);
}

/* ---- where requests go ---- */

static void goes_to(const char *lines, const char *url, const char *claim)
{
	RV_CLEANUP(rv_free_p) char *text =
		rv_asprintf("[default]\nuser = \"u\"\nprivate_key_file = \"~/rsa_key.p8\"\n%s\n", lines);

	connections(text);
	loads(NULL);
	assert_string_equal(settings->url, url);
	assert_string_equal(settings->claim_account, claim);
}

static void goes_nowhere(const char *lines, const char *message, const char *hint)
{
	RV_CLEANUP(rv_free_p) char *text =
		rv_asprintf("[default]\nuser = \"u\"\nprivate_key_file = \"~/rsa_key.p8\"\n%s\n", lines);

	connections(text);
	assert_int_equal(load(NULL), RV_BAD_CONFIG);
	says(message, hint);
}
#define DOMAIN ".snowflakecomputing.com"

static void test_accounts(void **state RV_UNUSED)
{
	goes_to("account = 'acme-data'", "https://acme-data" DOMAIN, "ACME-DATA");
	goes_to("account = 'Acme-My_Data'", "https://acme-my-data" DOMAIN, "ACME-MY_DATA");
	goes_to("account = 'xy12345'", "https://xy12345" DOMAIN, "XY12345");
	goes_to("account = 'xy12345.eu-west-1.aws'", "https://xy12345.eu-west-1.aws" DOMAIN, "XY12345");
	goes_to("account = 'xy12345.cn-north-1'", "https://xy12345.cn-north-1.snowflakecomputing.cn", "XY12345");
	goes_to("account = 'xy12345.eu-west-1.privatelink'", "https://xy12345.eu-west-1.privatelink" DOMAIN,
		"XY12345");
	goes_to("account = 'acme-data.privatelink'", "https://acme-data.privatelink" DOMAIN, "ACME-DATA");
	goes_to("account = 'xy12345-abc.global'", "https://xy12345-abc.global" DOMAIN, "XY12345");
	goes_to("account = 'xy12345'\nregion = 'eu-west-1'", "https://xy12345.eu-west-1" DOMAIN, "XY12345");
	goes_to("account = 'xy12345'\nregion = 'us-west-2'", "https://xy12345" DOMAIN, "XY12345");
	goes_to("account = 'xy12345.old'\nregion = 'cn-north-1'",
		"https://xy12345.cn-north-1.snowflakecomputing.cn", "XY12345");
	goes_nowhere("", "nothing says which Snowflake account", "organization-name");
	goes_nowhere("account = 'https://acme-data" DOMAIN "/x'", "is an address", "write acme-data:");
	goes_nowhere("account = 'Acme-Data.SnowflakeComputing.com'", "is an address", "write Acme-Data:");
	goes_nowhere("account = 'https://evil.example'", "is an address", "organization-name");
	goes_nowhere("account = 'a/b'", "'a/b' (connection default in ", NULL);
	goes_nowhere("account = 'a..b'", "cannot be a Snowflake account", NULL);
	goes_nowhere("account = 'evil.example#'", "cannot be a Snowflake account", NULL);
	goes_nowhere("account = '-a'", "cannot be a Snowflake account", NULL);
	goes_nowhere("account = 'a'\nregion = 'x/y'", "cannot be a region", NULL);
	goes_nowhere("account = 'a'\nregion = 'x.'", "cannot be a region", NULL);
}

static void test_hosts(void **state RV_UNUSED)
{
	goes_to("host = 'acme-data" DOMAIN "'", "https://acme-data" DOMAIN, "ACME-DATA");
	goes_to("account = 'acme-data'\nhost = 'acme_x" DOMAIN "'", "https://acme-x" DOMAIN, "ACME-DATA");
	goes_to("account = 'a'\nhost = 'x.snowflakecomputing.cn'\nport = '443'", "https://x.snowflakecomputing.cn", "A");
	goes_to("account = 'a'\nhost = '127.0.0.1'\nport = 80\nprotocol = 'http'", "http://127.0.0.1", "A");
	assert_true(settings->is_loopback);
	goes_to("account = 'a'\nhost = 'localhost'\nport = 8082\nprotocol = 'HTTP'", "http://localhost:8082", "A");
	goes_to("account = 'a'\nhost = '[::1]'\nport = 8082", "https://[::1]:8082", "A");
	static const char *const others[] = { "evil.example", "snowflakecomputing.com", "evilsnowflakecomputing.com",
					      "a.snowflakecomputing.com.evil.example", "128.0.0.1", "127.0.0.1.evil.example",
					      "127.1", "127.0.0.01", "127.0.0.256", "127.0.0.0.1", "169.254.169.254" };
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		RV_CLEANUP(rv_free_p) char *lines = rv_asprintf("account = 'a'\nhost = '%s'", others[i]);

		goes_nowhere(lines, "is not a host of Snowflake: no token is sent there", "snowflakecomputing");
	}
	goes_nowhere("account = 'a'\nhost = 'evil.example@x" DOMAIN "'", "is not the name of a host", NULL);
	goes_nowhere("account = 'a'\nhost = 'evil.example/.snowflakecomputing.com'", "is not the name of a host", NULL);
	goes_nowhere("account = 'a'\nhost = 'x" DOMAIN ":443'", "is not the name of a host", "port and protocol");
	goes_nowhere("account = 'a'\nhost = 'evil.example'\nprotocol = 'http'", "is not a host of Snowflake", NULL);
	goes_nowhere("account = 'a'\nprotocol = 'http'", "would show the token to everybody", "leave protocol out");
	goes_nowhere("account = 'a'\nprotocol = 'ftp'", "the protocol 'ftp'", NULL);
	goes_nowhere("account = 'a'\nport = 0", "'0' (connection default", NULL);
	goes_nowhere("account = 'a'\nport = 65536", "is not a port", NULL);
	goes_nowhere("account = 'a'\nport = '44x'", "is not a port", NULL);
}

/* ---- how one signs in ---- */

static void signs_in(const char *lines, enum rv_snowflake_auth want)
{
	RV_CLEANUP(rv_free_p) char *text = rv_asprintf("[default]\naccount = 'a'\nuser = 'u'\n%s\n", lines);

	connections(text);
	loads(NULL);
	assert_int_equal(settings->auth, want);
}

static void does_not(const char *lines, const char *message, const char *hint)
{
	RV_CLEANUP(rv_free_p) char *text = rv_asprintf("[default]\naccount = 'a'\n%s\n", lines);

	connections(text);
	assert_int_equal(load(NULL), RV_AUTH);
	says(message, hint);
	assert_null(strstr(err.message, "hunter2"));
}

static void test_authenticators(void **state RV_UNUSED)
{
	signs_in("private_key_path = '/k'", RV_SNOWFLAKE_AUTH_KEY);
	signs_in("private_key_raw = 'x'\nauthenticator = 'snowflake_jwt'", RV_SNOWFLAKE_AUTH_KEY);
	signs_in("private_key_path = '/k'\npassword = 'hunter2'", RV_SNOWFLAKE_AUTH_KEY);
	signs_in("token = 't'\nauthenticator = 'OAuth'", RV_SNOWFLAKE_AUTH_OAUTH);
	signs_in("token_file_path = '/t'\nauthenticator = 'programmatic_access_token'", RV_SNOWFLAKE_AUTH_PAT);
	signs_in("token = 't'", RV_SNOWFLAKE_AUTH_SOME);
	does_not("", "connection default (", "SNOWFLAKE_JWT");
	says("has no credentials", NULL);
	does_not("password = 'hunter2'", "take no password (connection default in ", "SNOWFLAKE_JWT");
	does_not("password = 'hunter2'\nauthenticator = 'snowflake'", "take no password", "token_file_path");
	does_not("authenticator = 'username_password_mfa'", "take no password", NULL);
	does_not("authenticator = 'externalbrowser'", "wants a person at a browser", "without a person");
	does_not("authenticator = 'WORKLOAD_IDENTITY'", "does not know how to log in with authenticator "
		 "'WORKLOAD_IDENTITY'", "SNOWFLAKE_JWT");
	does_not("authenticator = 'https://acme.okta.com'", "does not know how", NULL);
	does_not("user = 'u'\nauthenticator = 'snowflake_jwt'", "has no private key", "SNOWFLAKE_PRIVATE_KEY_PATH");
	does_not("authenticator = 'oauth'", "has no token", "token_file_path");
	does_not("authenticator = 'programmatic_access_token'\npassword = 'hunter2'", "has no token", NULL);
	does_not("private_key_path = '/k'", "has no user", "SNOWFLAKE_USER");
	connections("[default]\naccount = 'a'\nuser = \"a\\nb\"\ntoken = 't'\n");
	assert_int_equal(load(NULL), RV_BAD_CONFIG);
	says("cannot be a name of Snowflake", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_precedence, clear),
		cmocka_unit_test_setup(test_connections_exclude_config, clear),
		cmocka_unit_test_setup(test_folders, clear),
		cmocka_unit_test_setup(test_environment_alone, clear),
		cmocka_unit_test_setup(test_bad_files, clear),
		cmocka_unit_test_setup(test_200_modes, clear),
		cmocka_unit_test_setup(test_accounts, clear),
		cmocka_unit_test_setup(test_hosts, clear),
		cmocka_unit_test_setup_teardown(test_authenticators, clear, clear),
	};
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
