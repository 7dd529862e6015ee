/* Credentials that are found on this machine: the environment, AWS's profiles, and what they refer
 * to (AWS SDKs and Tools Reference Guide). */
#include <stdlib.h>
#include <string.h>

#include "aws/credentials_impl.h"
#include "base/memory.h"

#define CHAIN_MAX 10 /* profiles that name each other */

struct visited {
	const char *profiles[CHAIN_MAX];
	size_t count;
};

/* "AKIA...MPLE": enough to tell keys apart. */
static char *key_hint(const char *id)
{
	size_t len = strlen(id);
	return len < 12 ? rv_strdup("key ...") : rv_asprintf("key %.4s...%s", id, id + len - 4);
}

static enum rv_status give_keys(const char *where, const char *id, const char *secret,
				const char *token, struct rv_aws_credentials *ret,
				struct rv_error *err)
{
	if (!id || !secret) {
		rv_fail(err, RV_AUTH, "%s has %s without %s", where,
			id ? "an access key id" : "a secret access key",
			id ? "its secret access key" : "its access key id");
		rv_hint(err, "set both, or neither");
		return err->status;
	}
	ret->access_key_id = rv_strdup(id);
	ret->secret_access_key = rv_strdup(secret);
	ret->session_token = token ? rv_strdup(token) : NULL;
	ret->expires_ms = INT64_MAX;
	return RV_OK;
}

/* ---- environment ---- */

static enum rv_status environment_keys(bool *ret_there, struct rv_aws_credentials *ret,
				       struct rv_error *err)
{
	const char *id = rv_aws_env("AWS_ACCESS_KEY_ID");
	const char *secret = rv_aws_env("AWS_SECRET_ACCESS_KEY");
	const char *token = rv_aws_env("AWS_SESSION_TOKEN");
	*ret_there = id || secret;
	if (!*ret_there)
		return RV_OK;
	return give_keys("the environment", id, secret,
			 token ? token : rv_aws_env("AWS_SECURITY_TOKEN"), ret, err);
}

enum rv_status rv_aws_from_environment(const struct rv_aws_asking *asking, struct rv_aws_given *ret,
				       struct rv_error *err)
{
	if (asking->settings->profile_explicit) {
		ret->detail = rv_strdup("not looked at: river's profile names an AWS profile");
		return RV_OK;
	}
	if (environment_keys(&ret->configured, &ret->credentials, err) != RV_OK)
		return err->status;
	ret->fixed = true;
	ret->detail = ret->configured ? key_hint(ret->credentials.access_key_id)
				      : rv_strdup("AWS_ACCESS_KEY_ID is not set");
	return RV_OK;
}

enum rv_status rv_aws_from_web_identity(const struct rv_aws_asking *asking, struct rv_aws_given *ret,
					struct rv_error *err)
{
	const char *file = rv_aws_env("AWS_WEB_IDENTITY_TOKEN_FILE");
	struct rv_aws_role role = {
		.arn = rv_aws_env("AWS_ROLE_ARN"),
		.session_name = rv_aws_env("AWS_ROLE_SESSION_NAME"),
	};
	if (!file) {
		ret->detail = rv_strdup("AWS_WEB_IDENTITY_TOKEN_FILE is not set");
		return RV_OK;
	}
	if (!role.arn) {
		rv_fail(err, RV_AUTH, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
		rv_hint(err, "set AWS_ROLE_ARN to the role this token is for");
		return err->status;
	}
	ret->configured = true;
	ret->detail = rv_asprintf("role %s, token of %s", role.arn, file);
	return rv_aws_assume_role_with_token(asking, &role, file, &ret->credentials, err);
}

/* ---- profiles ---- */

static enum rv_status profile_credentials(const struct rv_aws_asking *asking, const char *profile,
					  struct visited *visited, struct rv_aws_given *ret,
					  struct rv_error *err);

/* Keys of one file: a half of each would be a pair that nobody wrote. */
static enum rv_status file_keys(const struct rv_ini *ini, const char *section, const char *profile,
				struct rv_aws_given *ret, struct rv_error *err)
{
	const char *id = rv_ini_get(ini, section, "aws_access_key_id", NULL);
	const char *secret = rv_ini_get(ini, section, "aws_secret_access_key", NULL);
	const char *token = rv_ini_get(ini, section, "aws_session_token", NULL);
	if (!id && !secret)
		return RV_OK;
	RV_CLEANUP(rv_free_p)
	char *where = rv_asprintf("profile %s in %s", profile, rv_ini_path(ini));
	if (give_keys(where, id && *id ? id : NULL, secret && *secret ? secret : NULL,
		      token && *token ? token : NULL, &ret->credentials, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *key = key_hint(id);
	ret->configured = true;
	ret->detail = rv_asprintf("%s, %s", where, key);
	return RV_OK;
}

static enum rv_status config_keys(const struct rv_aws_settings *settings, const char *profile,
				  struct rv_aws_given *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *section = rv_asprintf("profile %s", profile);
	if (!rv_ini_has(settings->config, section) && strcmp(profile, "default") == 0)
		return file_keys(settings->config, profile, profile, ret, err);
	return file_keys(settings->config, section, profile, ret, err);
}

static enum rv_status own_keys(const struct rv_aws_settings *settings, const char *profile,
			       struct rv_aws_given *ret, struct rv_error *err)
{
	if (file_keys(settings->credentials, profile, profile, ret, err) != RV_OK)
		return err->status;
	return ret->configured ? RV_OK : config_keys(settings, profile, ret, err);
}

static enum rv_status source_of_role(const struct rv_aws_asking *asking, const char *profile,
				     struct visited *visited, struct rv_aws_given *ret,
				     struct rv_error *err)
{
	const struct rv_aws_settings *settings = asking->settings;
	const char *from = rv_aws_setting(settings, profile, "source_profile");
	const char *source = rv_aws_setting(settings, profile, "credential_source");
	if (from && source) {
		rv_fail(err, RV_AUTH, "AWS profile %s has both source_profile and credential_source",
			profile);
		rv_hint(err, "leave one of them out");
		return err->status;
	}
	if (from) {
		/* A profile may be its own source: then its keys are meant. */
		if (strcmp(from, profile) == 0) {
			if (own_keys(settings, profile, ret, err) != RV_OK)
				return err->status;
		} else if (!rv_aws_profile_exists(settings, from)) {
			return rv_fail(err, RV_AUTH, "source_profile of AWS profile %s: there is no "
				       "profile %s", profile, from);
		} else if (profile_credentials(asking, from, visited, ret, err) != RV_OK) {
			return rv_context(err, "source_profile of AWS profile %s", profile);
		}
		return ret->configured
			       ? RV_OK
			       : rv_fail(err, RV_AUTH, "source_profile of AWS profile %s: profile %s has "
					 "no credentials", profile, from);
	}
	rv_aws_source *ask = NULL;
	if (source && strcmp(source, "Environment") == 0) {
		if (environment_keys(&ret->configured, &ret->credentials, err) != RV_OK)
			return err->status;
	} else if (source && strcmp(source, "EcsContainer") == 0) {
		ask = rv_aws_from_container;
	} else if (source && strcmp(source, "Ec2InstanceMetadata") == 0) {
		ask = rv_aws_from_instance;
	} else if (source) {
		rv_fail(err, RV_AUTH, "credential_source of AWS profile %s is '%s'", profile, source);
		rv_hint(err, "write Environment, EcsContainer or Ec2InstanceMetadata");
		return err->status;
	} else {
		rv_fail(err, RV_AUTH, "AWS profile %s has role_arn, but nothing to take the role with",
			profile);
		rv_hint(err, "add source_profile, credential_source or web_identity_token_file");
		return err->status;
	}
	if (ask && ask(asking, ret, err) != RV_OK)
		return err->status;
	return ret->configured ? RV_OK
			       : rv_fail(err, RV_AUTH, "credential_source of AWS profile %s: %s has no "
					 "credentials", profile, source);
}

static enum rv_status take_role(const struct rv_aws_asking *asking, const char *profile,
				const char *arn, struct visited *visited, struct rv_aws_given *ret,
				struct rv_error *err)
{
	const struct rv_aws_settings *settings = asking->settings;
	struct rv_aws_role role = {
		.arn = arn,
		.session_name = rv_aws_setting(settings, profile, "role_session_name"),
		.external_id = rv_aws_setting(settings, profile, "external_id"),
		.duration_s = rv_aws_setting(settings, profile, "duration_seconds"),
	};
	const char *token_file = rv_aws_setting(settings, profile, "web_identity_token_file");
	ret->configured = true;
	ret->detail = rv_asprintf("profile %s: role %s", profile, arn);
	if (token_file)
		return rv_aws_assume_role_with_token(asking, &role, token_file, &ret->credentials, err);
	if (rv_aws_setting(settings, profile, "mfa_serial")) {
		rv_fail(err, RV_AUTH, "AWS profile %s asks for a code of an MFA device, which river "
			"cannot ask for", profile);
		rv_hint(err, "get a session with 'aws sts get-session-token' or 'aws sso login', and "
			     "name its profile");
		return err->status;
	}
	struct rv_aws_given source = { .configured = false };
	enum rv_status status = source_of_role(asking, profile, visited, &source, err);
	if (status == RV_OK)
		status = rv_aws_assume_role(asking, &role, &source.credentials, &ret->credentials, err);
	rv_aws_given_release(&source);
	return status;
}

static enum rv_status profile_credentials(const struct rv_aws_asking *asking, const char *profile,
					  struct visited *visited, struct rv_aws_given *ret,
					  struct rv_error *err)
{
	const struct rv_aws_settings *settings = asking->settings;
	for (size_t i = 0; i < visited->count; i++)
		if (strcmp(visited->profiles[i], profile) == 0)
			return rv_fail(err, RV_AUTH, "the AWS profiles %s and %s are each other's source",
				       profile, visited->profiles[visited->count - 1]);
	if (visited->count == CHAIN_MAX)
		return rv_fail(err, RV_AUTH, "more than %d AWS profiles in a chain", CHAIN_MAX);
	visited->profiles[visited->count++] = profile;

	const char *arn = rv_aws_setting(settings, profile, "role_arn");
	if (arn)
		return take_role(asking, profile, arn, visited, ret, err);
	if (rv_aws_setting(settings, profile, "sso_session") ||
	    rv_aws_setting(settings, profile, "sso_start_url")) {
		ret->configured = true;
		ret->detail = rv_asprintf("profile %s: SSO", profile);
		return rv_aws_sso(asking, profile, &ret->credentials, err);
	}
	enum rv_status status = file_keys(settings->credentials, profile, profile, ret, err);
	if (status != RV_OK || ret->configured)
		return status;
	const char *command = rv_aws_setting(settings, profile, "credential_process");
	if (command) {
		ret->configured = true;
		ret->detail = rv_asprintf("profile %s: credential_process", profile);
		return rv_aws_run_process(profile, command, RV_AWS_PROCESS_TIMEOUT_MS,
					  &ret->credentials, err);
	}
	return config_keys(settings, profile, ret, err);
}

enum rv_status rv_aws_from_profile(const struct rv_aws_asking *asking, struct rv_aws_given *ret,
				   struct rv_error *err)
{
	const struct rv_aws_settings *settings = asking->settings;
	struct visited visited = { .count = 0 };
	if (!settings->profile_exists) {
		ret->detail = rv_asprintf("there is no profile %s in %s or %s", settings->profile,
					  rv_ini_path(settings->config),
					  rv_ini_path(settings->credentials));
		return RV_OK;
	}
	if (profile_credentials(asking, settings->profile, &visited, ret, err) != RV_OK)
		return err->status;
	if (!ret->configured && !ret->detail)
		ret->detail = rv_asprintf("profile %s has no credentials", settings->profile);
	return RV_OK;
}
