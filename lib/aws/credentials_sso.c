/*
 * IAM Identity Center: the token that `aws sso login` left in AWS's cache,
 * exchanged for credentials of a role. A token of an sso-session that has ended is renewed, and put
 * back into the cache as AWS's tools do: its refresh token may be good for one use only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials_impl.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/memory.h"

#define TIMEOUT_MS 10000
#define ATTEMPTS 3
/* Nobody gives tokens for longer; sums with it stay within what fits. */
#define LIFE_MAX_S (366 * 86400)

struct sso {
	const struct rv_aws_asking *asking;
	const char *profile;
	const char *session; /* NULL: the old form, by start URL */
	const char *start_url, *region, *account, *role;
	char *cache_path;
	json_t *cache;       /* owned */
};

static void sso_release(struct sso *sso)
{
	free(sso->cache_path);
	json_decref(sso->cache);
}

static enum rv_status log_in(const struct sso *sso, struct rv_error *err)
{
	rv_hint(err, "run 'aws sso login --profile %s'", sso->profile);
	return err->status;
}

static enum rv_status needs(const char *profile, const char *key, const char *value,
			    struct rv_error *err)
{
	if (value)
		return RV_OK;
	rv_fail(err, RV_AUTH, "AWS profile %s uses SSO, but has no %s", profile, key);
	rv_hint(err, "run 'aws configure sso --profile %s'", profile);
	return err->status;
}

static enum rv_status configure(struct sso *sso, struct rv_error *err)
{
	const struct rv_aws_settings *settings = sso->asking->settings;
	sso->session = rv_aws_setting(settings, sso->profile, "sso_session");
	sso->account = rv_aws_setting(settings, sso->profile, "sso_account_id");
	sso->role = rv_aws_setting(settings, sso->profile, "sso_role_name");
	sso->start_url = rv_aws_setting(settings, sso->profile, "sso_start_url");
	sso->region = rv_aws_setting(settings, sso->profile, "sso_region");
	if (sso->session) {
		RV_CLEANUP(rv_free_p) char *section = rv_asprintf("sso-session %s", sso->session);
		if (!rv_ini_has(settings->config, section))
			return rv_fail(err, RV_AUTH, "AWS profile %s names the sso-session %s, which is "
				       "not in %s", sso->profile, sso->session,
				       rv_ini_path(settings->config));
		sso->start_url = rv_ini_get(settings->config, section, "sso_start_url", NULL);
		sso->region = rv_ini_get(settings->config, section, "sso_region", NULL);
	}
	if (needs(sso->profile, "sso_start_url", sso->start_url, err) != RV_OK ||
	    needs(sso->profile, "sso_region", sso->region, err) != RV_OK ||
	    needs(sso->profile, "sso_account_id", sso->account, err) != RV_OK ||
	    needs(sso->profile, "sso_role_name", sso->role, err) != RV_OK)
		return err->status;
	if (!rv_aws_region_valid(sso->region))
		return rv_fail(err, RV_AUTH, "sso_region of AWS profile %s is '%s'", sso->profile,
			       sso->region);
	return RV_OK;
}

static enum rv_status read_cache(struct sso *sso, struct rv_error *err)
{
	const char *of = sso->session ? sso->session : sso->start_url;
	char name[RV_SHA1_HEX];
	RV_CLEANUP(rv_free_p) char *home = rv_aws_home();
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	if (!home)
		return rv_fail(err, RV_AUTH, "there is no home folder with an SSO token in it");
	if (rv_sha1_hex(of, strlen(of), name, err) != RV_OK)
		return err->status;
	sso->cache_path = rv_asprintf("%s/.aws/sso/cache/%s.json", home, name);
	if (rv_aws_read_secret_file("the SSO token", sso->cache_path, &text, err) != RV_OK) {
		rv_fail(err, RV_AUTH, "nobody has logged in to SSO for AWS profile %s here", sso->profile);
		return log_in(sso, err);
	}
	sso->cache = json_loadb(text.bytes, text.len, 0, NULL);
	explicit_bzero(text.bytes, text.len);
	if (!json_is_object(sso->cache)) {
		rv_fail(err, RV_AUTH, "%s is no JSON object", sso->cache_path);
		return log_in(sso, err);
	}
	return RV_OK;
}

/* NULL: it is not there, or empty, which no token and no key is. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text && *text ? text : NULL;
}

static const char *cached(const struct sso *sso, const char *key)
{
	return text_of(sso->cache, key);
}

static bool passed(const struct sso *sso, const char *key)
{
	int64_t at_ms;
	struct rv_error ignored = RV_ERROR_INIT;
	const char *text = cached(sso, key);
	return !text || rv_aws_read_expiration("SSO", text, &at_ms, &ignored) != RV_OK ||
	       at_ms <= sso->asking->now_ms;
}

/* Where the home folder cannot be written to, this run goes on with the token that it has; a later
 * one may have to ask for a login. */
static void save_cache(const struct sso *sso)
{
	struct rv_error ignored = RV_ERROR_INIT;
	char *text = json_dumps(sso->cache, JSON_INDENT(2));
	enum rv_status status = rv_replace_file(sso->cache_path, text, strlen(text), 0600, &ignored);
	(void)status;
	explicit_bzero(text, strlen(text));
	free(text);
}

static enum rv_status service_url(const struct sso *sso, const char *service, char **ret,
				  struct rv_error *err)
{
	const char *origin;
	bool custom;
	return rv_aws_endpoint(sso->asking->settings, service, sso->region, ret, &custom, &origin, err);
}

static enum rv_status renew(struct sso *sso, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *endpoint = NULL, *url = NULL;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { .count = 0 };
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	if (service_url(sso, "sso-oidc", &endpoint, err) != RV_OK)
		return err->status;
	url = rv_asprintf("%s/token", endpoint);
	json_t *form = json_pack("{s:s, s:s, s:s, s:s}", "clientId", cached(sso, "clientId"),
				 "clientSecret", cached(sso, "clientSecret"), "grantType",
				 "refresh_token", "refreshToken", cached(sso, "refreshToken"));
	char *body = json_dumps(form, JSON_COMPACT);
	json_decref(form);
	rv_http_headers_add(&headers, "Content-Type", "application/json");
	const struct rv_aws_ask ask = {
		.what = "SSO's token service",
		.method = "POST",
		.url = url,
		.headers = &headers,
		.body = body,
		.timeout_ms = TIMEOUT_MS,
		.attempts = 1, /* the token may be good for one use only */
	};
	enum rv_status status = rv_aws_ask(sso->asking->http, &ask, &response, err);
	explicit_bzero(body, strlen(body));
	free(body);
	if (status != RV_OK)
		return status;
	json_t *json = json_loadb(response.body.bytes, response.body.len, 0, NULL);
	const char *token = text_of(json, "accessToken");
	json_int_t life_s = json_integer_value(json_object_get(json, "expiresIn"));
	if (response.status / 100 != 2 || !token || life_s <= 0) {
		rv_fail(err, RV_AUTH, "the SSO login of AWS profile %s has ended, and cannot be renewed: "
			"answer %d", sso->profile, response.status);
		status = log_in(sso, err);
	} else {
		char until[RV_TIME_TEXT];
		const char *next = text_of(json, "refreshToken");
		if (life_s > LIFE_MAX_S)
			life_s = LIFE_MAX_S;
		rv_format_time((sso->asking->now_ms / 1000 + life_s) * 1000, until);
		json_object_set_new(sso->cache, "accessToken", json_string(token));
		json_object_set_new(sso->cache, "expiresAt", json_string(until));
		if (next)
			json_object_set(sso->cache, "refreshToken", json_object_get(json, "refreshToken"));
		save_cache(sso);
	}
	json_decref(json);
	explicit_bzero(response.body.bytes, response.body.len);
	return status;
}

static enum rv_status exchange(const struct sso *sso, struct rv_aws_credentials *ret,
			       struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *endpoint = NULL, *url = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf query = RV_STRBUF_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { .count = 0 };
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	if (service_url(sso, "sso", &endpoint, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&query, "role_name=");
	rv_http_encode(&query, sso->role, strlen(sso->role), false);
	rv_strbuf_puts(&query, "&account_id=");
	rv_http_encode(&query, sso->account, strlen(sso->account), false);
	url = rv_asprintf("%s/federation/credentials?%s", endpoint, query.bytes);
	const char *token = cached(sso, "accessToken");
	if (!token || !rv_http_value_valid(token)) {
		rv_fail(err, RV_AUTH, "%s holds no access token", sso->cache_path);
		return log_in(sso, err);
	}
	rv_http_headers_add(&headers, "x-amz-sso_bearer_token", token);
	const struct rv_aws_ask ask = {
		.what = "SSO",
		.method = "GET",
		.url = url,
		.headers = &headers,
		.timeout_ms = TIMEOUT_MS,
		.attempts = ATTEMPTS,
	};
	if (rv_aws_ask(sso->asking->http, &ask, &response, err) != RV_OK)
		return err->status;
	json_t *json = json_loadb(response.body.bytes, response.body.len, 0, NULL);
	const json_t *given = json_object_get(json, "roleCredentials");
	const char *id = text_of(given, "accessKeyId");
	const char *secret = text_of(given, "secretAccessKey");
	const char *session = text_of(given, "sessionToken");
	/* Here, and only here, in milliseconds since 1970. */
	json_int_t expires_ms = json_integer_value(json_object_get(given, "expiration"));
	enum rv_status status = RV_OK;
	if (response.status / 100 != 2 || !id || !secret || !session || expires_ms <= 0 ||
	    !rv_http_value_valid(id) || !rv_http_value_valid(session)) {
		const char *said = json_string_value(json_object_get(json, "message"));
		rv_fail(err, RV_AUTH, "SSO gives no credentials of role %s in account %s: answer %d%s%s",
			sso->role, sso->account, response.status, said ? ": " : "", said ? said : "");
		err->http_status = response.status;
		status = log_in(sso, err);
	} else {
		ret->access_key_id = rv_strdup(id);
		ret->secret_access_key = rv_strdup(secret);
		ret->session_token = rv_strdup(session);
		ret->expires_ms = expires_ms;
	}
	json_decref(json);
	explicit_bzero(response.body.bytes, response.body.len);
	return status;
}

/* Another process was quicker: its token is in the cache, and ours was good for one use. */
static bool renewed_elsewhere(struct sso *sso)
{
	struct rv_error ignored = RV_ERROR_INIT;
	rv_free_p(&sso->cache_path);
	json_decref(rv_take(sso->cache));
	return read_cache(sso, &ignored) == RV_OK && !passed(sso, "expiresAt");
}

enum rv_status rv_aws_sso(const struct rv_aws_asking *asking, const char *profile,
			  struct rv_aws_credentials *ret, struct rv_error *err)
{
	RV_CLEANUP(sso_release) struct sso sso = { .asking = asking, .profile = profile };
	if (configure(&sso, err) != RV_OK || read_cache(&sso, err) != RV_OK)
		return err->status;
	if (passed(&sso, "expiresAt")) {
		bool renewable = sso.session && cached(&sso, "refreshToken") &&
				 cached(&sso, "clientId") && cached(&sso, "clientSecret") &&
				 !passed(&sso, "registrationExpiresAt");
		if (!renewable) {
			rv_fail(err, RV_AUTH, "the SSO login of AWS profile %s has ended", profile);
			return log_in(&sso, err);
		}
		struct rv_error why = RV_ERROR_INIT;
		if (renew(&sso, &why) != RV_OK && !renewed_elsewhere(&sso)) {
			*err = why;
			return err->status;
		}
	}
	return exchange(&sso, ret, err);
}
