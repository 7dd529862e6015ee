/* Profile, region and the other values of the environment and of AWS's files. */
#include "aws/settings.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"

const char *rv_aws_env(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

char *rv_aws_home(void)
{
	const char *home = rv_aws_env("HOME");
	if (home)
		return rv_strdup(home);
	char text[4096];
	struct passwd entry, *found = NULL;
	if (getpwuid_r(getuid(), &entry, text, sizeof(text), &found) || !found || !*found->pw_dir)
		return NULL;
	return rv_strdup(found->pw_dir);
}

static char *expand_home(const char *path, const char *home)
{
	if (path[0] == '~' && path[1] == '/' && home)
		return rv_path_join(home, path + 2);
	return rv_strdup(path);
}

/* ---- profiles ---- */
static char *config_section(const char *profile)
{
	return rv_asprintf("profile %s", profile);
}

bool rv_aws_profile_exists(const struct rv_aws_settings *settings, const char *profile)
{
	RV_CLEANUP(rv_free_p) char *section = config_section(profile);
	return rv_ini_has(settings->config, section) || rv_ini_has(settings->credentials, profile) ||
	       (strcmp(profile, "default") == 0 && rv_ini_has(settings->config, "default"));
}

/* `ret_file` Optional: where it stands. */
static const char *lookup(const struct rv_aws_settings *settings, const char *profile,
			  const char *key, const char *nested, const struct rv_ini **ret_file)
{
	RV_CLEANUP(rv_free_p) char *section = config_section(profile);
	const char *value = rv_ini_get(settings->credentials, profile, key, nested);
	if (ret_file)
		*ret_file = settings->credentials;
	if (value && *value)
		return value;
	if (ret_file)
		*ret_file = settings->config;
	value = rv_ini_get(settings->config, section, key, nested);
	/* [profile default] is the one that counts when both are there. */
	if (strcmp(profile, "default") == 0 && !rv_ini_has(settings->config, section))
		value = rv_ini_get(settings->config, "default", key, nested);
	return value && *value ? value : NULL;
}

const char *rv_aws_setting(const struct rv_aws_settings *settings, const char *profile,
			   const char *key)
{
	return lookup(settings, profile, key, NULL, NULL);
}

static void add_name(struct rv_strbuf *names, const char *name)
{
	rv_strbuf_puts(names, names->len ? ", " : "");
	rv_strbuf_puts(names, name);
}

static enum rv_status fail_no_profile(const struct rv_aws_settings *settings, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf names = RV_STRBUF_INIT;
	const char *section;
	for (size_t i = 0; (section = rv_ini_section(settings->config, i)); i++) {
		if (rv_starts_with(section, "profile "))
			add_name(&names, section + strlen("profile "));
		else if (strcmp(section, "default") == 0 &&
			 !rv_ini_has(settings->config, "profile default"))
			add_name(&names, section);
	}
	for (size_t i = 0; (section = rv_ini_section(settings->credentials, i)); i++) {
		RV_CLEANUP(rv_free_p) char *same = config_section(section);
		if (!rv_ini_has(settings->config, same) &&
		    (strcmp(section, "default") != 0 || !rv_ini_has(settings->config, section)))
			add_name(&names, section);
	}
	rv_fail(err, RV_BAD_CONFIG, "the AWS profile '%s' (%s) is neither in %s nor in %s",
		settings->profile, settings->profile_origin, rv_ini_path(settings->config),
		rv_ini_path(settings->credentials));
	if (names.len)
		rv_hint(err, "there are: %s", names.bytes);
	else
		rv_hint(err, "make it with 'aws configure --profile %s'; if none is named, the default one is used",
			settings->profile);
	return err->status;
}

static enum rv_status choose_profile(struct rv_aws_settings *settings, const char *wanted,
				     struct rv_error *err)
{
	const char *name;
	if (wanted && *wanted) {
		settings->profile_explicit = true;
		settings->profile_origin = "river's profile";
	} else if ((name = rv_aws_env("AWS_PROFILE"))) {
		wanted = name;
		settings->profile_origin = "AWS_PROFILE";
	} else if ((name = rv_aws_env("AWS_DEFAULT_PROFILE"))) {
		wanted = name;
		settings->profile_origin = "AWS_DEFAULT_PROFILE";
	} else {
		wanted = "default";
		settings->profile_origin = "default";
	}
	settings->profile = rv_strdup(wanted);
	settings->profile_exists = rv_aws_profile_exists(settings, wanted);
	if (settings->profile_exists || strcmp(wanted, "default") == 0)
		return RV_OK;
	return fail_no_profile(settings, err);
}

/* ---- values ---- */
static void choose_region(struct rv_aws_settings *settings, const char *wanted)
{
	static const char *const variables[] = { "AWS_REGION", "AWS_DEFAULT_REGION" };
	if (wanted && *wanted) {
		settings->region = rv_strdup(wanted);
		settings->region_origin = rv_strdup("river's profile");
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		const char *value = rv_aws_env(variables[i]);
		if (value) {
			settings->region = rv_strdup(value);
			settings->region_origin = rv_strdup(variables[i]);
			return;
		}
	}
	const struct rv_ini *file;
	const char *value = lookup(settings, settings->profile, "region", NULL, &file);
	if (value) {
		settings->region = rv_strdup(value);
		settings->region_origin =
			rv_asprintf("profile %s in %s", settings->profile, rv_ini_path(file));
	}
}

/* Of the variable, else of the profile; "true" or "false" in any case. */
static enum rv_status choose_bool(const struct rv_aws_settings *settings, const char *variable,
				  const char *key, bool *ret, struct rv_error *err)
{
	const struct rv_ini *file = NULL;
	const char *value = rv_aws_env(variable);
	if (!value)
		value = lookup(settings, settings->profile, key, NULL, &file);
	*ret = value && strcasecmp(value, "true") == 0;
	if (!value || *ret || strcasecmp(value, "false") == 0)
		return RV_OK;
	if (file)
		rv_fail(err, RV_BAD_CONFIG, "%s of profile %s in %s is '%s'", key,
			settings->profile, rv_ini_path(file), value);
	else
		rv_fail(err, RV_BAD_CONFIG, "%s is '%s'", variable, value);
	rv_hint(err, "write true or false");
	return err->status;
}

static enum rv_status choose_addressing(struct rv_aws_settings *settings, const char *wanted,
					struct rv_error *err)
{
	const struct rv_ini *file = NULL;
	const char *value = wanted && *wanted ? wanted
					      : lookup(settings, settings->profile, "s3",
						       "addressing_style", &file);
	settings->addressing_style = rv_strdup(value ? value : "auto");
	if (!value || strcmp(value, "auto") == 0 || strcmp(value, "virtual") == 0 ||
	    strcmp(value, "path") == 0)
		return RV_OK;
	rv_fail(err, RV_BAD_CONFIG, "the S3 addressing style of %s%s is '%s'",
		file ? "" : "river's profile", file ? rv_ini_path(file) : "", value);
	rv_hint(err, "write auto, virtual or path");
	return err->status;
}

static enum rv_status load_file(const char *variable, const char *home, const char *name,
				struct rv_ini **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = NULL;
	const char *value = rv_aws_env(variable);
	if (value)
		path = expand_home(value, home);
	else if (home)
		path = rv_path_join(home, name);
	else
		return rv_ini_parse(name, "", 0, ret, err);
	return rv_ini_load(path, ret, err);
}

enum rv_status rv_aws_settings_reread(struct rv_ini **ret_config, struct rv_ini **ret_credentials,
				      struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *home = rv_aws_home();
	struct rv_ini *config = NULL;
	enum rv_status status = load_file("AWS_CONFIG_FILE", home, ".aws/config", &config, err);
	if (status == RV_OK)
		status = load_file("AWS_SHARED_CREDENTIALS_FILE", home, ".aws/credentials",
				   ret_credentials, err);
	if (status == RV_OK)
		*ret_config = config;
	else
		rv_ini_free(config);
	return status;
}

static enum rv_status fill(struct rv_aws_settings *settings,
			   const struct rv_aws_settings_params *params, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *home = rv_aws_home();
	enum rv_status status =
		rv_aws_settings_reread(&settings->config, &settings->credentials, err);
	if (status == RV_OK)
		status = choose_profile(settings, params->profile, err);
	if (status != RV_OK)
		return status;
	choose_region(settings, params->region);
	const char *bundle = rv_aws_env("AWS_CA_BUNDLE");
	if (!bundle)
		bundle = lookup(settings, settings->profile, "ca_bundle", NULL, NULL);
	if (bundle)
		settings->ca_bundle = expand_home(bundle, home);
	if (params->endpoint_url && *params->endpoint_url)
		settings->explicit_endpoint_url = rv_strdup(params->endpoint_url);
	status = choose_addressing(settings, params->addressing_style, err);
	if (status == RV_OK)
		status = choose_bool(settings, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint",
				     &settings->use_fips, err);
	if (status == RV_OK)
		status = choose_bool(settings, "AWS_USE_DUALSTACK_ENDPOINT",
				     "use_dualstack_endpoint", &settings->use_dualstack, err);
	if (status == RV_OK)
		status = choose_bool(settings, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
				     "ignore_configured_endpoint_urls", &settings->ignore_endpoints,
				     err);
	return status;
}

enum rv_status rv_aws_settings_load(const struct rv_aws_settings_params *params,
				    struct rv_aws_settings **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_aws_settings_free_p)
	struct rv_aws_settings *settings = rv_calloc(1, sizeof(*settings));
	enum rv_status status = fill(settings, params, err);
	if (status == RV_OK)
		*ret = rv_take(settings);
	return status;
}

void rv_aws_settings_free(struct rv_aws_settings *settings)
{
	if (!settings)
		return;
	rv_free_p(&settings->profile);
	rv_free_p(&settings->region);
	rv_free_p(&settings->region_origin);
	rv_free_p(&settings->ca_bundle);
	rv_free_p(&settings->addressing_style);
	rv_free_p(&settings->explicit_endpoint_url);
	rv_ini_free(settings->config);
	rv_ini_free(settings->credentials);
	rv_free_p(&settings);
}

void rv_aws_settings_free_p(struct rv_aws_settings **settings)
{
	rv_aws_settings_free(*settings);
	*settings = NULL;
}

/* ---- region ---- */
bool rv_aws_region_valid(const char *region)
{
	size_t len = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return len >= 1 && len <= 63 && region[len] == '\0' && region[0] != '-' &&
	       region[len - 1] != '-';
}

enum rv_status rv_aws_region(const struct rv_aws_settings *settings, const char **ret,
			     struct rv_error *err)
{
	if (!settings->region) {
		rv_fail(err, RV_BAD_CONFIG,
			"nothing says which AWS region: not river's profile, not AWS_REGION or "
			"AWS_DEFAULT_REGION, not profile %s in %s, not EC2's instance metadata",
			settings->profile, rv_ini_path(settings->config));
		rv_hint(err, "set aws.region in river.yaml, or AWS_REGION=eu-west-1");
		return err->status;
	}
	if (!rv_aws_region_valid(settings->region)) {
		rv_fail(err, RV_BAD_CONFIG, "'%s' (%s) cannot be an AWS region", settings->region,
			settings->region_origin);
		rv_hint(err, "a region is lower-case letters, digits and '-', such as eu-west-1");
		return err->status;
	}
	*ret = settings->region;
	return RV_OK;
}
