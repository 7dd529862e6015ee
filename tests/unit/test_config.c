/* Which files, which profile, which value, and what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/config.h"

static char root[256];      /* scratch folder, made anew for each test */
static char folder[300];    /* root/work/deep */

static char *at(const char *path)
{
	static char text[8][512];
	static unsigned next;
	char *p = text[next++ % 8];
	snprintf(p, sizeof(text[0]), "%s/%s", root, path);
	return p;
}

static void put(const char *path, const char *text)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(at(path));
	assert_int_equal(rv_make_folders(parent, 0755, &err), RV_OK);
	assert_int_equal(rv_replace_file(at(path), text, strlen(text), 0644, &err), RV_OK);
}

static int set_up(void **state RV_UNUSED)
{
	static const char *const variables[] = {
		"RIVER_CONFIG", "RIVER_PROFILE", "RIVER_STATE_DIR", "STATE_DIRECTORY", "RIVER_LAKE",
		"RIVER_DELIVERY", "RIVER_DELIVERY_TYPE", "RIVER_WAREHOUSE", "RIVER_WAREHOUSE_PATH",
		"RIVER_WAREHOUSE_THREADS", "RIVER_SPOOL_MAX", "RIVER_STATE", "XDG_CONFIG_HOME",
		"XDG_DATA_HOME", "XDG_STATE_HOME",
	};
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	strcpy(root, "/tmp/river-test-config-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(folder, sizeof(folder), "%s/work/deep", root);
	setenv("HOME", at("home"), 1);
	struct rv_error err = RV_ERROR_INIT;
	return rv_make_folders(folder, 0755, &err) == RV_OK ? 0 : -1;
}

static int tear_down(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	return rv_remove_tree(root, &err) == RV_OK ? 0 : -1;
}

static struct rv_config *loaded_as(const char *profile, const char *override)
{
	struct rv_config *c = NULL;
	struct rv_error err = RV_ERROR_INIT;
	const char *const overrides[] = { override };
	const struct rv_config_params params = { .profile = profile, .folder = folder,
						 .overrides = overrides,
						 .overrides_count = override ? 1 : 0 };
	if (rv_config_load(&params, &c, &err) != RV_OK)
		fail_msg("%s:%d:%d: %s", err.file, (int)err.line, (int)err.column, err.message);
	return c;
}
static struct rv_config *loaded(void)
{
	return loaded_as(NULL, NULL);
}

static struct rv_error refused(const char *profile, const char *override, enum rv_status status,
			       const char *says)
{
	struct rv_config *c = NULL;
	struct rv_error err = RV_ERROR_INIT;
	const char *const overrides[] = { override };
	const struct rv_config_params params = { .profile = profile, .folder = folder,
						 .overrides = overrides,
						 .overrides_count = override ? 1 : 0 };
	enum rv_status got = rv_config_load(&params, &c, &err);
	if (got != status || !strstr(err.message, says))
		fail_msg("wanted %s '%s', got %s '%s'", rv_status_name(status), says,
			 rv_status_name(got), err.message);
	assert_null(c);
	return err;
}

static void value_is(const struct rv_config *c, const char *name, const char *value,
		     const char *origin)
{
	struct rv_error err = RV_ERROR_INIT;
	const char *v, *o;
	assert_int_equal(rv_config_get(c, name, &v, &o, &err), RV_OK);
	if (!value) {
		assert_null(v);
		assert_null(o);
		return;
	}
	assert_non_null(v);
	assert_string_equal(v, value);
	assert_string_equal(o, origin);
}

static void test_no_file(void **state RV_UNUSED)
{
	struct rv_config *c = loaded();
	const struct rv_profile *p = rv_config_profile(c);
	size_t files;
	rv_config_files(c, &files);
	assert_int_equal(files, 0);
	assert_string_equal(p->name, "local");
	assert_string_equal(p->lake, at("home/.local/share/river/lake"));
	assert_string_equal(p->warehouse_path, at("home/.local/share/river/warehouse.duckdb"));
	assert_string_equal(p->state_dir, at("home/.local/state/river"));
	assert_string_equal(p->delivery_type, "direct");
	assert_string_equal(p->warehouse_type, "duckdb");
	assert_int_equal(p->warehouse_memory_limit_bytes, 1ull << 30);
	assert_int_equal(p->warehouse_threads, 0);
	assert_int_equal(p->spool_max_bytes, 10ull << 30);
	assert_int_equal(p->max_memory_bytes, 256ull << 20);
	assert_true(p->lake_is_folder);
	value_is(c, "lake", p->lake, "default");
	value_is(c, "aws.region", NULL, NULL);
	value_is(c, "warehouse", "duckdb", "default");
	assert_string_equal(rv_config_profile_origin(c), "default");
	rv_config_free(c);
	refused("prod", NULL, RV_BAD_CONFIG, "no profile prod");
	c = loaded_as("local", NULL);
	assert_string_equal(rv_config_profile_origin(c), "--profile");
	rv_config_free(c);
}

static void test_nearest_file_wins_whole(void **state RV_UNUSED)
{
	put("home/.config/river/config.yaml", "profiles:\n"
					      "  local: { lake: /user, max_memory: 1GiB }\n"
					      "  mine: { lake: ~/own }\n");
	put("work/river.yaml", "default_profile: near\n"
			       "profiles:\n"
			       "  local: { lake: ./x }\n"
			       "  near:\n"
			       "    lake: ../lake/.\n");
	struct rv_config *c = loaded();
	size_t files;
	const char *const *paths = rv_config_files(c, &files);
	assert_int_equal(files, 2);
	assert_string_equal(paths[0], at("work/river.yaml"));
	assert_string_equal(paths[1], at("home/.config/river/config.yaml"));
	char origin[512];
	snprintf(origin, sizeof(origin), "file:%s:5", at("work/river.yaml"));
	value_is(c, "lake", at("lake"), origin);
	assert_string_equal(rv_config_profile(c)->warehouse_path, at("warehouse.duckdb"));
	rv_config_free(c);

	c = loaded_as("local", NULL);
	snprintf(origin, sizeof(origin), "file:%s:3", at("work/river.yaml"));
	value_is(c, "lake", at("work/x"), origin);
	value_is(c, "max_memory", "256MiB", "default"); /* not of the farther file */
	rv_config_free(c);
	c = loaded_as("mine", NULL);
	assert_string_equal(rv_config_profile(c)->lake, at("home/own"));
	rv_config_free(c);

	put("work/deep/river.yaml", "default_profile: mine\n");
	c = loaded();
	assert_string_equal(rv_config_profile(c)->name, "mine");
	rv_config_files(c, &files);
	assert_int_equal(files, 2); /* the one above is not read: only the nearest is */
	rv_config_free(c);
}

static void test_river_config_replaces_all(void **state RV_UNUSED)
{
	put("work/river.yaml", "broken: [\n");
	put("other.yaml", "profiles: { local: { lake: l } }\n");
	setenv("RIVER_CONFIG", at("other.yaml"), 1);
	struct rv_config *c = loaded();
	assert_string_equal(rv_config_profile(c)->lake, at("l"));
	rv_config_free(c);
	setenv("RIVER_CONFIG", at("nothing.yaml"), 1);
	refused(NULL, NULL, RV_BAD_CONFIG, "RIVER_CONFIG names no file");
}

static void test_precedence(void **state RV_UNUSED)
{
	put("work/river.yaml", "profiles:\n  local:\n    spool: { max: 1MiB }\n");
	char origin[512];
	snprintf(origin, sizeof(origin), "file:%s:3", at("work/river.yaml"));
	struct rv_config *c = loaded();
	value_is(c, "spool.max", "1MiB", origin);
	rv_config_free(c);
	setenv("RIVER_SPOOL_MAX", "2MiB", 1);
	c = loaded();
	value_is(c, "spool.max", "2MiB", "environment RIVER_SPOOL_MAX");
	assert_int_equal(rv_config_profile(c)->spool_max_bytes, 2 << 20);
	rv_config_free(c);
	c = loaded_as(NULL, "spool.max=3MiB");
	value_is(c, "spool.max", "3MiB", "-c");
	rv_config_free(c);
	setenv("RIVER_SPOOL_MAX", "", 1); /* empty: not set */
	c = loaded();
	value_is(c, "spool.max", "1MiB", origin);
	rv_config_free(c);
}

static void test_shorthand(void **state RV_UNUSED)
{
	put("work/river.yaml", "profiles:\n  local:\n    warehouse: none\n    delivery: direct\n");
	struct rv_config *c = loaded();
	assert_string_equal(rv_config_profile(c)->warehouse_type, "none");
	assert_null(rv_config_profile(c)->warehouse_path);
	value_is(c, "warehouse.threads", NULL, NULL);
	/* the engine also writes Parquet */
	value_is(c, "warehouse.memory_limit", "1GiB", "default");
	rv_config_free(c);
	setenv("RIVER_WAREHOUSE", "duckdb", 1);
	c = loaded();
	value_is(c, "warehouse.type", "duckdb", "environment RIVER_WAREHOUSE");
	value_is(c, "warehouse.memory_limit", "1GiB", "default");
	rv_config_free(c);
	c = loaded_as(NULL, "warehouse=none");
	value_is(c, "warehouse.type", "none", "-c");
	rv_config_free(c);
}

static void test_paths(void **state RV_UNUSED)
{
	/* of where one stands, not of where the files are looked for */
	assert_int_equal(chdir(at("work")), 0);
	struct rv_config *c = loaded_as(NULL, "lake=x/../y");
	assert_string_equal(rv_config_profile(c)->lake, at("work/y"));
	rv_config_free(c);
	c = loaded_as(NULL, "lake=~/z");
	assert_string_equal(rv_config_profile(c)->lake, at("home/z"));
	rv_config_free(c);
	c = loaded_as(NULL, "lake=~//z");
	assert_string_equal(rv_config_profile(c)->lake, at("home/z"));
	rv_config_free(c);
	setenv("RIVER_WAREHOUSE_PATH", "w.duckdb", 1);
	c = loaded();
	assert_string_equal(rv_config_profile(c)->warehouse_path, at("work/w.duckdb"));
	rv_config_free(c);
	assert_int_equal(chdir("/"), 0);
	refused(NULL, "lake=~other/z", RV_USAGE, "only ~/");
	refused(NULL, "lake=$HOME/z", RV_USAGE, "variables are not replaced");
	refused(NULL, "lake=gs://b/p", RV_USAGE, "s3://bucket/prefix");
	refused(NULL, "lake=s3://B", RV_USAGE, "not the name of a bucket");
	refused(NULL, "lake=s3://bucket//p", RV_USAGE, "'s3://bucket//p': a piece of the prefix is empty");
	refused(NULL, "lake=s3://bucket/p//q", RV_USAGE, "a piece of the prefix is empty");
	refused(NULL, "lake=s3://bucket/p//", RV_USAGE, "a piece of the prefix is empty");
	refused(NULL, "lake=s3://bucket//", RV_USAGE, "a piece of the prefix is empty");
	refused(NULL, "lake=s3:/acme-lake", RV_USAGE, "s3://bucket/prefix");
	refused(NULL, "lake=s3:acme-lake/river", RV_USAGE, "s3://bucket/prefix");
	refused(NULL, "lake=", RV_USAGE, "empty");
	refused(NULL, "lake", RV_USAGE, "not key=value");
}

static void test_state(void **state RV_UNUSED)
{
	struct rv_config *c;
	setenv("XDG_STATE_HOME", at("xdg"), 1);
	c = loaded();
	value_is(c, "state", at("xdg/river"), "default");
	rv_config_free(c);
	setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", 1);
	c = loaded();
	value_is(c, "state", "/var/lib/a", "environment STATE_DIRECTORY");
	rv_config_free(c);
	put("work/river.yaml", "profiles: { local: { state: st } }\n");
	c = loaded();
	assert_string_equal(rv_config_profile(c)->state_dir, at("work/st"));
	rv_config_free(c);
	setenv("RIVER_STATE_DIR", "here", 1);
	refused(NULL, NULL, RV_BAD_CONFIG, "not an absolute path");
	setenv("RIVER_STATE_DIR", "/here", 1);
	c = loaded();
	value_is(c, "state", "/here", "environment RIVER_STATE_DIR");
	rv_config_free(c);
	c = loaded_as(NULL, "state=/x");
	value_is(c, "state", "/x", "-c");
	rv_config_free(c);
	refused(NULL, "state=lake", RV_USAGE, "not in this build");
}

static void test_no_home(void **state RV_UNUSED)
{
	unsetenv("HOME"); /* the passwd entry knows */
	struct rv_config *c = loaded();
	assert_true(rv_config_profile(c)->state_dir[0] == '/');
	rv_config_free(c);
}

static void test_choosing(void **state RV_UNUSED)
{
	put("work/river.yaml", "profiles: { prod: { lake: a }, stage: }\n");
	struct rv_error err = refused(NULL, NULL, RV_BAD_CONFIG, "default_profile is not set");
	assert_non_null(strstr(err.hint, "prod, stage"));
	err = refused("prd", NULL, RV_BAD_CONFIG, "no profile prd");
	assert_string_equal(err.hint, "did you mean prod?");
	setenv("RIVER_PROFILE", "stage", 1);
	struct rv_config *c = loaded();
	assert_string_equal(rv_config_profile_origin(c), "environment RIVER_PROFILE");
	rv_config_free(c);
	c = loaded_as("prod", NULL);
	assert_string_equal(rv_config_profile(c)->name, "prod");
	rv_config_free(c);
	unsetenv("RIVER_PROFILE");
	put("work/river.yaml", "# x\ndefault_profile: pord\nprofiles: { prod: }\n");
	err = refused(NULL, NULL, RV_BAD_CONFIG, "no profile pord");
	assert_int_equal(err.line, 2);
	assert_string_equal(err.file, at("work/river.yaml"));
}

/* The whole example of the documentation is known, and refused only when it is opened. */
static void test_cloud_profile(void **state RV_UNUSED)
{
	put("work/river.yaml",
	    "default_profile: prod\n"
	    "profiles:\n"
	    "  prod:\n"
	    "    lake: s3://acme-lake/river/\n"
	    "    aws: { profile: data, region: eu-west-1, endpoint_url: \"http://x:9\" }\n"
	    "    delivery: { type: firehose, role_arn: \"arn:aws:iam::123456789012:role/river\","
	    " buffer: { size: 64MiB, age: 60s } }\n"
	    "    warehouse: { type: snowflake, connection: prod, database: RIVER,"
	    " warehouse: LOAD_WH, storage_integration: RIVER_S3 }\n"
	    "    businesses:\n"
	    "      vista: { connection: vista, database: VISTA }\n");
	struct rv_config *c = loaded();
	struct rv_error err = RV_ERROR_INIT;
	const struct rv_profile *p = rv_config_profile(c);
	assert_string_equal(p->lake, "s3://acme-lake/river");
	assert_false(p->lake_is_folder);
	assert_string_equal(p->snowflake_connection, "prod");
	assert_string_equal(p->snowflake_database, "RIVER");
	assert_string_equal(p->snowflake_warehouse, "LOAD_WH");
	assert_string_equal(p->snowflake_integration, "RIVER_S3");
	assert_null(p->snowflake_role);
	assert_true(p->snowflake_makes_roles);
	assert_int_equal(p->businesses_count, 1);
	assert_true(rv_profile_has_business(p, "vista"));
	assert_false(rv_profile_has_business(p, "vist"));
	char origin[512];
	snprintf(origin, sizeof(origin), "file:%s:9", at("work/river.yaml"));
	value_is(c, "businesses.vista.database", "VISTA", origin);
	value_is(c, "businesses.other.database", NULL, NULL);
	value_is(c, "warehouse.threads", NULL, NULL);
	assert_int_equal(rv_profile_check_supported(p, &err), RV_OK);
	assert_int_equal(rv_config_get(c, "businesses.Vista.database", &(const char *){ 0 },
				       &(const char *){ 0 }, &err),
			 RV_USAGE);
	rv_config_free(c);
	refused(NULL, "lake=/x", RV_BAD_CONFIG, "firehose needs a lake on S3");
	c = loaded_as(NULL, "warehouse=duckdb"); /* duckdb takes either */
	rv_config_free(c);
}

/* What Firehose does not take is told from the configuration, and where it was said. */
static void test_firehose(void **state RV_UNUSED)
{
	static const char head[] = "profiles:\n  local:\n    lake: s3://acme-lake\n";
	char text[512];
	snprintf(text, sizeof(text), "%s    delivery: firehose\n", head);
	put("work/river.yaml", text);
	struct rv_config *c = loaded();
	const struct rv_profile *p = rv_config_profile(c);
	value_is(c, "delivery.buffer.size", "64MiB", "default");
	value_is(c, "delivery.packing", "none", "default");
	assert_int_equal(p->delivery_buffer_bytes, 64u << 20);
	assert_int_equal(p->delivery_buffer_ms, 60000);
	rv_config_free(c);
	c = loaded_as(NULL, "delivery.buffer.age=0s");
	assert_int_equal(rv_config_profile(c)->delivery_buffer_ms, 0);
	rv_config_free(c);
	refused(NULL, "delivery.buffer.size=129MiB", RV_BAD_CONFIG, "1MiB to 128MiB in whole MiB (-c)");
	refused(NULL, "delivery.buffer.size=1500KiB", RV_BAD_CONFIG, "'1500KiB' is not 1MiB to");
	refused(NULL, "delivery.buffer.age=901s", RV_BAD_CONFIG, "0s to 900s in whole seconds");
	refused(NULL, "delivery.buffer.age=1500ms", RV_BAD_CONFIG, "'1500ms' is not 0s");
	refused(NULL, "delivery.role_arn=river", RV_BAD_CONFIG, "not the ARN of an IAM role");
	refused(NULL, "delivery.role_arn=arn:aws:iam::1:role/x", RV_BAD_CONFIG, "not the ARN");
	refused(NULL, "delivery.role_arn=arn:aws:iam::123456789012:user/x", RV_BAD_CONFIG, "role");
	/* of another delivery: kept, not looked at, and without defaults */
	c = loaded_as(NULL, "delivery=direct");
	value_is(c, "delivery.buffer.size", NULL, NULL);
	assert_int_equal(rv_config_profile(c)->delivery_buffer_ms, -1);
	rv_config_free(c);
}

static void test_notify(void **state RV_UNUSED)
{
	put("work/river.yaml", "profiles:\n  local:\n    lake: s3://acme-lake\n"
			       "    notify: { arn: eventbridge,"
			       " landing_arn: \"arn:aws-cn:sns:cn-north-1:123456789012:t\" }\n");
	struct rv_config *c = loaded();
	assert_string_equal(rv_config_profile(c)->notify_arn, "eventbridge");
	assert_string_equal(rv_config_profile(c)->notify_landing_arn,
			    "arn:aws-cn:sns:cn-north-1:123456789012:t");
	rv_config_free(c);
	c = loaded_as(NULL, "notify.arn=arn:aws:lambda:eu-west-1:123456789012:function:load");
	rv_config_free(c);
	refused(NULL, "notify.arn=queue", RV_BAD_CONFIG, "not eventbridge, and not the ARN of");
	refused(NULL, "notify.arn=arn:aws:sqs:eu-west-1:123:q", RV_BAD_CONFIG, "not the ARN of");
	refused(NULL, "notify.arn=arn:aws:s3:::bucket", RV_BAD_CONFIG, "not the ARN of");
	refused(NULL, "notify.arn=arn:aws:sqs:eu-west-1:123456789012:q.fifo", RV_BAD_CONFIG,
		"FIFO one, which S3 cannot notify");
	refused(NULL, "notify.arn=arn:aws:sqs:eu-west-1:123456789012:a<b", RV_BAD_CONFIG, "not the ARN");
	put("work/river.yaml", "profiles:\n  local:\n    notify: { arn:"
			       " \"arn:aws:sqs:eu-west-1:123456789012:q\" }\n");
	refused(NULL, NULL, RV_BAD_CONFIG, "needs a lake on S3");
}

/* Where the tables of this lake are, when the profile does not say. */
static char *warehouse_of(const char *lake)
{
	char setting[512];
	snprintf(setting, sizeof(setting), "lake=%s", lake);
	struct rv_config *c = loaded_as(NULL, setting);
	char *path = rv_strdup(rv_config_profile(c)->warehouse_path);
	rv_config_free(c);
	return path;
}

static void warehouse_is(const char *lake, const char *wanted)
{
	char *path = warehouse_of(lake), expected[200];
	snprintf(expected, sizeof(expected), "home/.local/share/river/%s", wanted);
	assert_string_equal(path, at(expected));
	free(path);
}

/* Two lakes of a user never share tables: each has a file of its own name. */
static void test_warehouse_of_bucket(void **state RV_UNUSED)
{
	char a[300], b[300];
	warehouse_is("s3://acme-lake", "acme-lake.duckdb");
	warehouse_is("s3://acme-lake/", "acme-lake.duckdb");
	warehouse_is("s3://acme-lake/river", "acme-lake+river.duckdb");
	warehouse_is("s3://acme-lake/river/eu", "acme-lake+river+eu.duckdb");
	warehouse_is("s3://acme-lake/river+eu", "acme-lake+river%2Beu.duckdb");
	warehouse_is("s3://acme-lake/a b%20", "acme-lake+a%20b%2520.duckdb");
	warehouse_is("s3://acme-lake/\303\274", "acme-lake+%C3%BC.duckdb");
	/* warehouse.duckdb is that of the lake on this host, and x.warehouse.duckdb that of a lake x beside it */
	warehouse_is("s3://warehouse", "warehouse+.duckdb");
	warehouse_is("s3://x.warehouse/", "x.warehouse+.duckdb");
	warehouse_is("s3://warehouse/river", "warehouse+river.duckdb");
	warehouse_is("s3://my-warehouse", "my-warehouse.duckdb");
	snprintf(a, sizeof(a), "s3://acme-lake/%0250d", 1);
	snprintf(b, sizeof(b), "s3://acme-lake/%0250d", 2);
	char *first = warehouse_of(a), *second = warehouse_of(b);
	assert_string_not_equal(first, second);
	assert_true(strlen(strrchr(first, '/')) < 240);
	free(first);
	free(second);
}

/* A business takes what it does not say from the profile. */
static void test_businesses(void **state RV_UNUSED)
{
	put("work/river.yaml",
	    "profiles:\n"
	    "  local:\n"
	    "    lake: s3://acme-lake/river\n"
	    "    warehouse: { type: snowflake, connection: prod, database: RIVER, warehouse: LOAD_WH,"
	    " role: LOADER, storage_integration: RIVER_S3, roles: none,"
	    " storage_role_arn: \"arn:aws:iam::123456789012:role/lake\" }\n"
	    "    businesses:\n"
	    "      vista: { connection: vista, database: VISTA, lake: \"s3://vista/v/\", role: R }\n"
	    "      staged: { stage: ETL.LAKE, warehouse: W }\n");
	struct rv_config *c = loaded();
	struct rv_error err = RV_ERROR_INIT;
	struct rv_profile own = { 0 };

	assert_int_equal(rv_profile_check_supported(rv_config_profile(c), &err), RV_OK);
	rv_profile_of_business(rv_config_profile(c), "vista", &own);
	assert_string_equal(own.name, "local");
	assert_string_equal(own.snowflake_connection, "vista");
	assert_string_equal(own.snowflake_database, "VISTA");
	assert_string_equal(own.snowflake_warehouse, "LOAD_WH");
	assert_string_equal(own.snowflake_role, "R");
	assert_string_equal(own.snowflake_integration, "RIVER_S3");
	assert_string_equal(own.snowflake_storage_role_arn, "arn:aws:iam::123456789012:role/lake");
	assert_false(own.snowflake_makes_roles);
	assert_string_equal(own.bucket, "vista");
	assert_string_equal(own.lake_prefix, "v");
	assert_int_equal(own.businesses_count, 0);
	rv_profile_release(&own);
	rv_profile_of_business(rv_config_profile(c), "staged", &own);
	assert_string_equal(own.snowflake_stage, "ETL.LAKE");
	assert_null(own.snowflake_integration);
	assert_null(own.snowflake_storage_role_arn);
	assert_string_equal(own.snowflake_warehouse, "W");
	assert_string_equal(own.bucket, "acme-lake");
	rv_profile_release(&own);
	rv_profile_of_business(rv_config_profile(c), "web", &own);
	assert_string_equal(own.snowflake_database, "RIVER");
	assert_string_equal(own.lake, "s3://acme-lake/river");
	rv_profile_release(&own);
	rv_config_free(c);

	c = loaded_as(NULL, "warehouse.stage=A.B");
	assert_int_equal(rv_profile_check_supported(rv_config_profile(c), &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "not both"));
	rv_config_free(c);
	c = loaded_as(NULL, "businesses.web.stage=A.B");
	assert_int_equal(rv_profile_check_supported(rv_config_profile(c), &err), RV_OK);
	rv_config_free(c);
	refused(NULL, "warehouse.storage_role_arn=lake", RV_BAD_CONFIG, "is not the ARN of an IAM role");
	refused(NULL, "businesses.web.storage_role_arn=x", RV_BAD_CONFIG, "is not the ARN of an IAM role");
	refused(NULL, "businesses.web.lake=/folder", RV_BAD_CONFIG, "is a folder");
	put("work/river.yaml", "profiles: { local: { lake: \"s3://acme/b\", warehouse: { type: snowflake,"
			       " storage_role_arn: \"arn:aws:iam::123456789012:role/x\" } } }\n");
	c = loaded();
	assert_int_equal(rv_profile_check_supported(rv_config_profile(c), &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "is not named"));
	rv_config_free(c);
}

static void test_supported(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_config *c = loaded();
	assert_int_equal(rv_profile_check_supported(rv_config_profile(c), &err), RV_OK);
	rv_config_free(c);
	c = loaded_as(NULL, "businesses.vista.database=V");
	assert_int_equal(rv_profile_check_supported(rv_config_profile(c), &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "which only Snowflake has"));
	rv_config_free(c);
	refused(NULL, "warehouse=snowflake", RV_BAD_CONFIG, "snowflake needs a lake on S3");
}

/* Text of a file, the place and the words of the refusal, and of its hint. */
static void test_wrong_files(void **state RV_UNUSED)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *says, *hint;
	} cases[] = {
		{ "profiles:\n  local:\n    lakes: x\n", 3, 5, "unknown key lakes in profile local",
		  "did you mean lake?" },
		{ "profiles:\n  local:\n    warehouse: { pth: x }\n", 3, 18,
		  "unknown key warehouse.pth", "did you mean warehouse.path?" },
		{ "profiles:\n  local:\n    memory_limit: 1GiB\n", 3, 5, "unknown key memory_limit",
		  "did you mean warehouse.memory_limit?" },
		{ "profiles:\n  local:\n    warehouse.path: x\n", 3, 5,
		  "unknown key warehouse.path", "" },
		{ "profiles:\n  local:\n    businesses: { Vista: { database: x } }\n", 3, 19,
		  "unknown key businesses.Vista", "" },
		{ "profiles:\n  local:\n    businesses: { v: { databse: x } }\n", 3, 24,
		  "unknown key businesses.v.databse", "did you mean businesses.v.database?" },
		{ "profile:\n  local:\n", 1, 1, "unknown key profile", "did you mean profiles?" },
		{ "lake: x\n", 1, 1, "unknown key lake", "lake belongs into a profile" },
		{ "profiles: [a]\n", 1, 11, "profiles must be a mapping", "" },
		{ "profiles: { local: x }\n", 1, 20, "profile local must be a mapping", "" },
		{ "profiles: { 'a b': {} }\n", 1, 13, "not the name of a profile", "" },
		{ "default_profile: [x]\n", 1, 18, "default_profile must be", "" },
		{ "- a\n", 1, 1, "a configuration is a mapping", "" },
		{ "profiles:\n---\nprofiles:\n", 3, 1, "one document", "" },
		{ "profiles: { local: { lake: ~ } }\n", 1, 28, "lake has no value", "a ~ alone" },
		{ "profiles: { local: { lake: '' } }\n", 1, 28, "lake: the value is empty", "" },
		{ "profiles: { local: { lake: [a] } }\n", 1, 28, "lake must be one value", "" },
		{ "profiles: { local: { aws: x } }\n", 1, 27, "aws must be a mapping", "" },
		{ "profiles: { local: { spool: { max: lots } } }\n", 1, 36,
		  "spool.max: 'lots' is not a size", "" },
		{ "profiles: { local: { warehouse: { threads: -1 } } }\n", 1, 44,
		  "warehouse.threads: '-1' is not a number", "" },
		{ "profiles: { local: { warehouse: sqlite } }\n", 1, 33,
		  "'sqlite' is not duckdb, snowflake or none", "" },
		{ "profiles: { local: { delivery: { buffer: { age: x } } } }\n", 1, 49,
		  "delivery.buffer.age: 'x' is not a time", "" },
		{ "profiles: { local: { warehouse: { database: D } } }\n", 1, 0,
		  "warehouse.database goes with warehouse.type: snowflake, not with duckdb", "" },
		{ "profiles: { local: { lake: a, lake: b } }\n", 1, 31, "there twice", "" },
		{ "profiles: { local: { lake: \"a\\nb\" } }\n", 1, 28, "control character", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("work/river.yaml", cases[i].text);
		struct rv_error err = refused(NULL, NULL, RV_BAD_CONFIG, cases[i].says);
		if (err.line != cases[i].line || err.column != cases[i].column)
			fail_msg("%s: at %d:%d", cases[i].says, (int)err.line, (int)err.column);
		if (!strstr(err.hint, cases[i].hint))
			fail_msg("%s: hint '%s'", cases[i].says, err.hint);
		assert_string_equal(err.file, at("work/river.yaml"));
	}
}

static void count_problem(void *arg, const struct rv_error *problem)
{
	unsigned *lines = arg;
	lines[0]++;
	lines[lines[0]] = (unsigned)problem->line;
}

static void test_all_problems_are_reported(void **state RV_UNUSED)
{
	put("f.yaml", "profiles:\n"
		      "  local:\n"
		      "    lakes: x\n"
		      "    spool: { max: lots }\n"
		      "  b: 1\n"
		      "default: x\n");
	unsigned lines[16] = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	assert_int_equal(rv_config_check_file(at("f.yaml"), count_problem, lines, &err),
			 RV_BAD_CONFIG);
	assert_int_equal(lines[0], 4);
	assert_int_equal(lines[1], 3);
	assert_int_equal(lines[2], 4);
	assert_int_equal(lines[3], 5);
	assert_int_equal(lines[4], 6);
	assert_int_equal(err.line, 3);
	put("f.yaml", "profiles:\n");
	assert_int_equal(rv_config_check_file(at("f.yaml"), count_problem, lines, &err), RV_OK);
	assert_int_equal(lines[0], 4);
}

static void test_owner_and_mode(void **state RV_UNUSED)
{
	put("work/river.yaml", "profiles:\n");
	assert_int_equal(chmod(at("work/river.yaml"), 0664), 0);
	struct rv_error err = refused(NULL, NULL, RV_BAD_CONFIG, "others may write");
	assert_string_equal(err.file, at("work/river.yaml"));
	assert_non_null(strstr(err.hint, "chmod go-w"));
	assert_int_equal(chmod(at("work/river.yaml"), 0646), 0);
	refused(NULL, NULL, RV_BAD_CONFIG, "others may write");
	assert_int_equal(chmod(at("work/river.yaml"), 0600), 0);
	rv_config_free(loaded());
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(at("work/river.yaml"), 12345, 0), 0);
	refused(NULL, NULL, RV_BAD_CONFIG, "belongs to user 12345");
}

static void test_not_a_file(void **state RV_UNUSED)
{
	assert_int_equal(mkfifo(at("work/river.yaml"), 0600), 0);
	refused(NULL, NULL, RV_BAD_CONFIG, "not a regular file");
	unlink(at("work/river.yaml"));
	assert_int_equal(mkdir(at("work/river.yaml"), 0700), 0);
	refused(NULL, NULL, RV_BAD_CONFIG, "is a folder");
}

static void test_environment_and_overrides_wrong(void **state RV_UNUSED)
{
	struct rv_error err = refused(NULL, "lak=x", RV_USAGE, "-c lak=x: unknown key lak");
	assert_string_equal(err.hint, "did you mean lake?");
	refused(NULL, "spool.max=x", RV_USAGE, "-c spool.max: 'x' is not a size");
	setenv("RIVER_SPOOL_MAX", "x", 1);
	refused(NULL, NULL, RV_BAD_CONFIG, "environment RIVER_SPOOL_MAX: 'x' is not a size");
	setenv("RIVER_SPOOL_MAXIMUM", "x", 1); /* no key's: not ours to judge */
	setenv("RIVER_SPOOL_MAX", "1", 1);
	rv_config_free(loaded());
	unsetenv("RIVER_SPOOL_MAXIMUM");
}

static void check_order(void *arg, const struct rv_config_value *value)
{
	const struct rv_key **last = arg;
	assert_true(!*last || *last < value->key);
	*last = value->key;
}

static void test_table(void **state RV_UNUSED)
{
	for (size_t i = 0; i < rv_keys_count; i++) {
		const struct rv_key *key = &rv_keys[i];
		assert_ptr_equal(rv_key_find(rv_key_has_star(key) ? "businesses.a.lake" : key->name),
				 rv_key_has_star(key) ? rv_key_find("businesses.b.lake") : key);
		struct rv_error err = RV_ERROR_INIT;
		RV_CLEANUP(rv_free_p) char *value = NULL;
		if (key->def && key->def[0] != '<')
			assert_int_equal(rv_key_value(key, key->def, "/", &value, &err), RV_OK);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(key->name, rv_keys[j].name);
	}
	RV_CLEANUP(rv_free_p) char *env = rv_key_env(rv_key_find("warehouse.memory_limit"));
	assert_string_equal(env, "RIVER_WAREHOUSE_MEMORY_LIMIT");
	assert_null(rv_key_find("warehous"));
	assert_null(rv_key_find(""));
	assert_null(rv_key_find("aws"));
	assert_true(rv_key_is_group("businesses.x"));
	assert_false(rv_key_is_group("lake"));
	assert_null(rv_key_nearest("qqqqqqqqqqqq"));
	struct rv_config *c = loaded_as(NULL, "aws.region=x");
	const struct rv_key *last = NULL;
	rv_config_each(c, check_order, &last);
	assert_non_null(last);
	rv_config_free(c);
}

int main(void)
{
	if (access("/etc/river/config.yaml", F_OK) == 0) {
		puts("1..0 # SKIP this host has a configuration of river's own");
		return 0;
	}
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_no_file),
		TEST(test_nearest_file_wins_whole),
		TEST(test_river_config_replaces_all),
		TEST(test_precedence),
		TEST(test_shorthand),
		TEST(test_paths),
		TEST(test_state),
		TEST(test_no_home),
		TEST(test_choosing),
		TEST(test_cloud_profile),
		TEST(test_firehose),
		TEST(test_notify),
		TEST(test_warehouse_of_bucket),
		TEST(test_businesses),
		TEST(test_supported),
		TEST(test_wrong_files),
		TEST(test_all_problems_are_reported),
		TEST(test_owner_and_mode),
		TEST(test_not_a_file),
		TEST(test_environment_and_overrides_wrong),
		TEST(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
