/* Which profile, region and endpoint are in use, with AWS's files in a folder of the test. */
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

#include "aws/settings.h"
#include "base/file.h"
#include "base/memory.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

extern char **environ;
static char root[64];

static void clear_environment(void)
{
	for (size_t i = 0; environ[i];) {
		RV_CLEANUP(rv_free_p) char *name = NULL;
		if (strncmp(environ[i], "AWS_", 4) == 0) {
			name = rv_strndup(environ[i], strcspn(environ[i], "="));
			unsetenv(name);
		} else {
			i++;
		}
	}
	setenv("HOME", root, 1);
}

static int set_up_group(void **state RV_UNUSED)
{
	strcpy(root, "/tmp/river-test-settings-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down_group(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	return rv_remove_tree(root, &err) == RV_OK ? 0 : -1;
}

static int set_up(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	clear_environment();
	RV_CLEANUP(rv_free_p) char *folder = rv_path_join(root, ".aws");
	if (rv_remove_tree(folder, &err) != RV_OK)
		return -1;
	return mkdir(folder, 0700);
}

static void write_file(const char *name, const char *text)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(root, name);
	assert_int_equal(rv_replace_file(path, text, strlen(text), 0600, &err), RV_OK);
}

static void write_config(const char *text)
{
	write_file(".aws/config", text);
}

static struct rv_aws_settings *load(const struct rv_aws_settings_params *params)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_aws_settings *settings = NULL;
	static const struct rv_aws_settings_params none;
	if (rv_aws_settings_load(params ? params : &none, &settings, &err) != RV_OK)
		fail_msg("%s", err.message);
	return settings;
}

static struct rv_error load_fails(const struct rv_aws_settings_params *params)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_aws_settings *settings = NULL;
	static const struct rv_aws_settings_params none;
	assert_int_equal(rv_aws_settings_load(params ? params : &none, &settings, &err),
			 RV_BAD_CONFIG);
	assert_null(settings);
	return err;
}

static void test_nothing(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	const char *region;
	setenv("AWS_PROFILE", "", 1);
	setenv("AWS_REGION", "", 1);
	RV_CLEANUP(rv_aws_settings_free_p) struct rv_aws_settings *settings = load(NULL);
	assert_string_equal(settings->profile, "default");
	assert_false(settings->profile_explicit);
	assert_false(settings->profile_exists);
	assert_null(settings->region);
	assert_null(settings->ca_bundle);
	assert_string_equal(settings->addressing_style, "auto");
	assert_false(settings->use_fips || settings->use_dualstack);
	assert_int_equal(rv_aws_region(settings, &region, &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "AWS_DEFAULT_REGION"));
	assert_non_null(strstr(err.message, root));
}

static void test_profile(void **state RV_UNUSED)
{
	write_config("[default]\nregion = r-default\n[profile env]\nregion = r-env\n"
		     "[profile old]\nregion = r-old\n[profile mine]\nregion = r-mine\n");
	struct rv_aws_settings *settings = load(NULL);
	assert_true(settings->profile_exists);
	assert_string_equal(settings->region, "r-default");
	rv_aws_settings_free(settings);

	setenv("AWS_DEFAULT_PROFILE", "old", 1);
	settings = load(NULL);
	assert_string_equal(settings->profile, "old");
	assert_string_equal(settings->profile_origin, "AWS_DEFAULT_PROFILE");
	rv_aws_settings_free(settings);

	setenv("AWS_PROFILE", "env", 1);
	settings = load(NULL);
	assert_string_equal(settings->region, "r-env");
	assert_false(settings->profile_explicit);
	rv_aws_settings_free(settings);

	settings = load(&(struct rv_aws_settings_params){ .profile = "mine" });
	assert_string_equal(settings->region, "r-mine");
	assert_true(settings->profile_explicit);
	assert_non_null(strstr(settings->region_origin, "profile mine in "));
	assert_non_null(strstr(settings->region_origin, root));
	rv_aws_settings_free(settings);

	struct rv_error err = load_fails(&(struct rv_aws_settings_params){ .profile = "nobody" });
	assert_non_null(strstr(err.message, "'nobody'"));
	assert_string_equal(err.hint, "there are: default, env, old, mine");
	setenv("AWS_PROFILE", "no", 1);
	err = load_fails(NULL);
	assert_non_null(strstr(err.message, "AWS_PROFILE"));
}

/* [profile default] counts when there is also a [default]; each name is offered once. */
static void test_default_twice(void **state RV_UNUSED)
{
	write_config("[profile default]\nregion = one\n[default]\nregion = two\nca_bundle = x\n");
	write_file(".aws/credentials", "[default]\naws_access_key_id = A\n[other]\n");
	struct rv_aws_settings *settings = load(NULL);
	assert_string_equal(settings->region, "one");
	assert_null(settings->ca_bundle);
	assert_string_equal(rv_aws_setting(settings, "default", "aws_access_key_id"), "A");
	assert_true(rv_aws_profile_exists(settings, "other"));
	rv_aws_settings_free(settings);
	struct rv_error err = load_fails(&(struct rv_aws_settings_params){ .profile = "nobody" });
	assert_string_equal(err.hint, "there are: default, other");
}

static void test_files_elsewhere(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *config = rv_path_join(root, "c");
	RV_CLEANUP(rv_free_p) char *keys = rv_path_join(root, "k");
	write_file("c", "[profile p]\nregion = r1\naws_access_key_id = from-config\n");
	write_file("k", "[p]\naws_access_key_id = from-keys\naws_session_token =\n");
	setenv("AWS_CONFIG_FILE", "~/c", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", keys, 1);
	setenv("AWS_PROFILE", "p", 1);
	RV_CLEANUP(rv_aws_settings_free_p) struct rv_aws_settings *settings = load(NULL);
	assert_string_equal(rv_ini_path(settings->config), config);
	assert_string_equal(settings->region, "r1");
	assert_string_equal(rv_aws_setting(settings, "p", "aws_access_key_id"), "from-keys");
	assert_null(rv_aws_setting(settings, "p", "aws_session_token"));
	assert_null(rv_aws_setting(settings, "q", "region"));
}

static void test_home_missing(void **state RV_UNUSED)
{
	unsetenv("HOME");
	RV_CLEANUP(rv_free_p) char *none = rv_path_join(root, "none");
	setenv("AWS_CONFIG_FILE", none, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", none, 1);
	RV_CLEANUP(rv_free_p) char *home = rv_aws_home();
	assert_non_null(home); /* the user's entry */
	RV_CLEANUP(rv_aws_settings_free_p) struct rv_aws_settings *settings = load(NULL);
	assert_null(rv_ini_section(settings->config, 0));
}

static void test_region(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	const char *region;
	write_config("[default]\nregion = from-file\n");
	setenv("AWS_DEFAULT_REGION", "eu-central-1", 1);
	struct rv_aws_settings *settings = load(NULL);
	assert_string_equal(settings->region, "eu-central-1");
	rv_aws_settings_free(settings);
	setenv("AWS_REGION", "eu-west-1", 1);
	settings = load(NULL);
	assert_int_equal(rv_aws_region(settings, &region, &err), RV_OK);
	assert_string_equal(region, "eu-west-1");
	assert_string_equal(settings->region_origin, "AWS_REGION");
	rv_aws_settings_free(settings);
	settings = load(&(struct rv_aws_settings_params){ .region = "us-east-2" });
	assert_string_equal(settings->region, "us-east-2");
	rv_aws_settings_free(settings);
	settings = load(&(struct rv_aws_settings_params){ .region = "evil.com/x" });
	assert_int_equal(rv_aws_region(settings, &region, &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "evil.com/x"));
	assert_non_null(strstr(err.message, "river's profile"));
	rv_aws_settings_free(settings);

	static const char *const bad[] = { "", "EU-west-1", "a.b", "a/b", "a b", "-a", "a-", "a_b",
					   "a123456789012345678901234567890123456789012345678901234567890123" };
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(rv_aws_region_valid(bad[i]));
	assert_true(rv_aws_region_valid("us-east-1"));
	assert_true(rv_aws_region_valid("garage"));
}

static void test_values(void **state RV_UNUSED)
{
	write_config("[default]\nca_bundle = ~/ca.pem\nuse_fips_endpoint = TRUE\n"
		     "use_dualstack_endpoint = true\ns3 =\n  addressing_style = path\n");
	RV_CLEANUP(rv_free_p) char *bundle = rv_path_join(root, "ca.pem");
	struct rv_aws_settings *settings = load(NULL);
	assert_string_equal(settings->ca_bundle, bundle);
	assert_true(settings->use_fips);
	assert_true(settings->use_dualstack);
	assert_string_equal(settings->addressing_style, "path");
	rv_aws_settings_free(settings);

	setenv("AWS_CA_BUNDLE", "/ca", 1);
	setenv("AWS_USE_FIPS_ENDPOINT", "false", 1);
	setenv("AWS_USE_DUALSTACK_ENDPOINT", "False", 1);
	settings = load(&(struct rv_aws_settings_params){ .addressing_style = "virtual" });
	assert_string_equal(settings->ca_bundle, "/ca");
	assert_false(settings->use_fips || settings->use_dualstack);
	assert_string_equal(settings->addressing_style, "virtual");
	rv_aws_settings_free(settings);

	setenv("AWS_USE_FIPS_ENDPOINT", "yes", 1);
	struct rv_error err = load_fails(NULL);
	assert_string_equal(err.message, "AWS_USE_FIPS_ENDPOINT is 'yes'");
	unsetenv("AWS_USE_FIPS_ENDPOINT");
	write_config("[default]\nuse_fips_endpoint = 1\n");
	err = load_fails(NULL);
	assert_non_null(strstr(err.message, "use_fips_endpoint of profile default"));
	write_config("[default]\ns3 =\n  addressing_style = both\n");
	err = load_fails(NULL);
	assert_non_null(strstr(err.message, "'both'"));
	err = load_fails(&(struct rv_aws_settings_params){ .addressing_style = "x" });
	assert_non_null(strstr(err.message, "river's profile is 'x'"));
	write_config("[default\n");
	err = load_fails(NULL);
	assert_int_equal(err.line, 1);
	assert_non_null(strstr(err.file, "/.aws/config"));
}

/* ---- endpoints ---- */
static void assert_endpoint(const struct rv_aws_settings *settings, const char *service,
			    const char *region, const char *want, const char *want_origin)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *url = NULL;
	const char *origin = "not set";
	bool custom;
	if (rv_aws_endpoint(settings, service, region, &url, &custom, &origin, &err) != RV_OK)
		fail_msg("%s", err.message);
	assert_string_equal(url, want);
	assert_int_equal(custom, want_origin != NULL);
	if (want_origin)
		assert_string_equal(origin, want_origin);
	else
		assert_null(origin);
}

static void test_default_endpoints(void **state RV_UNUSED)
{
	/* what botocore's endpoint rules say */
	static const struct {
		const char *service, *region, *plain, *dual, *fips, *both;
	} cases[] = {
		{ "s3", "eu-west-1", "s3.eu-west-1.amazonaws.com",
		  "s3.dualstack.eu-west-1.amazonaws.com", "s3-fips.eu-west-1.amazonaws.com",
		  "s3-fips.dualstack.eu-west-1.amazonaws.com" },
		{ "s3", "cn-north-1", "s3.cn-north-1.amazonaws.com.cn",
		  "s3.dualstack.cn-north-1.amazonaws.com.cn", NULL, NULL },
		{ "s3", "us-gov-west-1", "s3.us-gov-west-1.amazonaws.com",
		  "s3.dualstack.us-gov-west-1.amazonaws.com", "s3-fips.us-gov-west-1.amazonaws.com",
		  "s3-fips.dualstack.us-gov-west-1.amazonaws.com" },
		{ "firehose", "us-east-1", "firehose.us-east-1.amazonaws.com",
		  "firehose.us-east-1.api.aws", "firehose-fips.us-east-1.amazonaws.com",
		  "firehose-fips.us-east-1.api.aws" },
		{ "firehose", "us-gov-west-1", "firehose.us-gov-west-1.amazonaws.com",
		  "firehose.us-gov-west-1.api.aws", "firehose-fips.us-gov-west-1.amazonaws.com",
		  "firehose-fips.us-gov-west-1.api.aws" },
		{ "firehose", "us-isob-east-1", "firehose.us-isob-east-1.sc2s.sgov.gov",
		  "firehose.us-isob-east-1.api.aws.scloud",
		  "firehose-fips.us-isob-east-1.sc2s.sgov.gov",
		  "firehose-fips.us-isob-east-1.api.aws.scloud" },
		{ "sts", "us-gov-west-1", "sts.us-gov-west-1.amazonaws.com",
		  "sts.us-gov-west-1.api.aws", "sts.us-gov-west-1.amazonaws.com",
		  "sts-fips.us-gov-west-1.api.aws" },
		{ "sts", "eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu",
		  "sts.eusc-de-east-1.api.amazonwebservices.eu",
		  "sts-fips.eusc-de-east-1.amazonaws.eu",
		  "sts-fips.eusc-de-east-1.api.amazonwebservices.eu" },
		{ "sso", "eu-west-1", "portal.sso.eu-west-1.amazonaws.com",
		  "portal.sso.eu-west-1.api.aws", "portal.sso-fips.eu-west-1.amazonaws.com",
		  "portal.sso-fips.eu-west-1.api.aws" },
		{ "sso-oidc", "us-iso-east-1", "oidc.us-iso-east-1.c2s.ic.gov",
		  "oidc.us-iso-east-1.api.aws.ic.gov", "oidc-fips.us-iso-east-1.c2s.ic.gov",
		  "oidc-fips.us-iso-east-1.api.aws.ic.gov" },
	};
	RV_CLEANUP(rv_aws_settings_free_p) struct rv_aws_settings *settings = load(NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const want[] = { cases[i].plain, cases[i].dual, cases[i].fips,
					     cases[i].both };
		for (size_t k = 0; k < COUNT(want); k++) {
			if (!want[k])
				continue;
			RV_CLEANUP(rv_free_p) char *url = rv_asprintf("https://%s", want[k]);
			settings->use_dualstack = k & 1;
			settings->use_fips = k & 2;
			assert_endpoint(settings, cases[i].service, cases[i].region, url, NULL);
		}
	}
	struct rv_error err = RV_ERROR_INIT;
	char *url = NULL;
	assert_int_equal(rv_aws_endpoint(settings, "s3", "x.evil", &url, NULL, NULL, &err),
			 RV_BAD_CONFIG);
	assert_null(url);
}

static void test_configured_endpoints(void **state RV_UNUSED)
{
	write_config("[profile p]\nendpoint_url = http://profile/\nservices = mine\n"
		     "[services mine]\ns3 =\n  endpoint_url = http://127.0.0.1:9000/base//\n"
		     "sso_oidc =\n  endpoint_url = http://oidc\n");
	setenv("AWS_PROFILE", "p", 1);
	RV_CLEANUP(rv_aws_settings_free_p) struct rv_aws_settings *settings = load(NULL);
	assert_endpoint(settings, "s3", "r", "http://127.0.0.1:9000/base",
			"[services] of the AWS profile");
	assert_endpoint(settings, "sso-oidc", "r", "http://oidc", "[services] of the AWS profile");
	assert_endpoint(settings, "firehose", "r", "http://profile",
			"endpoint_url of the AWS profile");
	setenv("AWS_ENDPOINT_URL", "https://all:8443", 1);
	assert_endpoint(settings, "s3", "r", "https://all:8443", "AWS_ENDPOINT_URL");
	setenv("AWS_ENDPOINT_URL_SSO_OIDC", "https://o", 1);
	setenv("AWS_ENDPOINT_URL_S3", "https://[::1]:9", 1);
	setenv("AWS_ENDPOINT_URL_FIREHOSE", "", 1);
	assert_endpoint(settings, "s3", "r", "https://[::1]:9", "AWS_ENDPOINT_URL_<SERVICE>");
	assert_endpoint(settings, "sso-oidc", "r", "https://o", "AWS_ENDPOINT_URL_<SERVICE>");
	assert_endpoint(settings, "firehose", "r", "https://all:8443", "AWS_ENDPOINT_URL");

	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	struct rv_aws_settings *ignoring =
		load(&(struct rv_aws_settings_params){ .endpoint_url = "http://river:1" });
	assert_endpoint(ignoring, "s3", "r", "http://river:1", "endpoint_url of river's profile");
	/* Credentials may come from elsewhere. */
	assert_endpoint(ignoring, "sts", "r", "https://sts.r.amazonaws.com", NULL);
	rv_aws_settings_free(ignoring);
	ignoring = load(NULL);
	assert_endpoint(ignoring, "s3", "r", "https://s3.r.amazonaws.com", NULL);
	rv_aws_settings_free(ignoring);
}

static void test_bad_endpoints(void **state RV_UNUSED)
{
	static const char *const bad[] = {
		"localhost:9000", "ftp://h", "http://", "https:///x", "http://h/?a=b", "http://h#x",
		"http://user:PASS@h", "http://h x", "http://:80",
	};
	RV_CLEANUP(rv_aws_settings_free_p) struct rv_aws_settings *settings = load(NULL);
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct rv_error err = RV_ERROR_INIT;
		char *url = NULL;
		setenv("AWS_ENDPOINT_URL", bad[i], 1);
		print_message("# %s\n", bad[i]);
		assert_int_equal(rv_aws_endpoint(settings, "s3", "r", &url, NULL, NULL, &err),
				 RV_BAD_CONFIG);
		assert_null(url);
		assert_non_null(strstr(err.message, "AWS_ENDPOINT_URL"));
		assert_null(strstr(err.message, "PASS"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing, set_up),
		cmocka_unit_test_setup(test_profile, set_up),
		cmocka_unit_test_setup(test_default_twice, set_up),
		cmocka_unit_test_setup(test_files_elsewhere, set_up),
		cmocka_unit_test_setup(test_home_missing, set_up),
		cmocka_unit_test_setup(test_region, set_up),
		cmocka_unit_test_setup(test_values, set_up),
		cmocka_unit_test_setup(test_default_endpoints, set_up),
		cmocka_unit_test_setup(test_configured_endpoints, set_up),
		cmocka_unit_test_setup(test_bad_endpoints, set_up),
	};
	return cmocka_run_group_tests_name("aws_settings", tests, set_up_group, tear_down_group);
}
