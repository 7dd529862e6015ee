/*
 * Where AWS is and how to get at it: profile, region, endpoints, addressing, CA bundle, from
 * river's profile (aws.*), the environment and AWS's own files, in the order AWS's tools read them
 * (AWS SDKs and Tools Reference Guide). Read once, then never changed: any thread may look. Only who
 * fetches credentials reads the files anew (rv_aws_settings_reread).
 *
 * river's own order is: river's option or profile key > environment > AWS's files > default.
 */
#ifndef RV_AWS_SETTINGS_H
#define RV_AWS_SETTINGS_H

#include <stdbool.h>

#include "aws/ini.h"
#include "base/error.h"

struct rv_aws_settings_params {
	/* Of river's profile; each Optional. */
	const char *profile, *region, *endpoint_url, *addressing_style;
};
struct rv_aws_settings {
	char *profile;          /* AWS profile in use, "default" */
	bool profile_explicit;  /* named by river's profile: environment keys are then not used */
	const char *profile_origin; /* "river's profile", "AWS_PROFILE", "default" */
	bool profile_exists;
	char *region;           /* NULL: nothing says one; rv_aws_region() tells */
	char *region_origin;    /* "AWS_REGION", "profile data in /home/me/.aws/config" */
	char *ca_bundle;        /* Optional: AWS_CA_BUNDLE, ca_bundle */
	char *addressing_style; /* "auto", "virtual", "path" */
	bool use_fips, use_dualstack;
	bool ignore_endpoints;  /* only river's own endpoint_url counts */
	struct rv_ini *config;      /* ~/.aws/config; empty when there is none */
	struct rv_ini *credentials; /* ~/.aws/credentials */
	char *explicit_endpoint_url; /* from river's profile; Optional */
};
/* RV_BAD_CONFIG with file and line for a file that cannot be read as one, and for a named profile
 * that exists nowhere (the hint names those that do). */
enum rv_status rv_aws_settings_load(const struct rv_aws_settings_params *params,
				    struct rv_aws_settings **ret, struct rv_error *err) RV_MUST_CHECK;
void rv_aws_settings_free(struct rv_aws_settings *settings);
/* AWS's two files as they are now. RV_BAD_CONFIG: one of them is none, perhaps as it is being written. */
enum rv_status rv_aws_settings_reread(struct rv_ini **ret_config, struct rv_ini **ret_credentials,
				      struct rv_error *err) RV_MUST_CHECK;
void rv_aws_settings_free_p(struct rv_aws_settings **settings);

/* A key of the profile in use: credentials file first for keys and tokens. NULL: not there. */
const char *rv_aws_setting(const struct rv_aws_settings *settings, const char *profile,
			   const char *key);
/* The region, or RV_BAD_CONFIG with where it was looked for. Checked: [a-z0-9-]{1,63}. */
enum rv_status rv_aws_region(const struct rv_aws_settings *settings, const char **ret,
			     struct rv_error *err) RV_MUST_CHECK;
bool rv_aws_region_valid(const char *region);

/* A variable's value; an empty one counts as unset, as AWS's tools have it. NULL: unset. */
const char *rv_aws_env(const char *name);
/* The home folder, HOME or the user's entry; NULL: none. Caller frees. */
char *rv_aws_home(void);
/* Does a file define this AWS profile? */
bool rv_aws_profile_exists(const struct rv_aws_settings *settings, const char *profile);

/* The endpoint of a service ("s3", "firehose", "sts", ...): "https://firehose.eu-west-1.amazonaws.com"
 * without a trailing slash, with a path when the configured one has one. *ret_custom: it was
 * configured, and by what (`ret_origin`, static; NULL: it is the default one). The endpoint of
 * river's profile is not that of "sts", "sso" and "sso-oidc": credentials may come from elsewhere
 * (AWS_ENDPOINT_URL_STS ... say where from). Caller frees *ret. */
enum rv_status rv_aws_endpoint(const struct rv_aws_settings *settings, const char *service,
			       const char *region, char **ret, bool *ret_custom,
			       const char **ret_origin, struct rv_error *err) RV_MUST_CHECK;

#endif
