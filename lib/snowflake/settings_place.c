/*
 * From what is configured to where requests go and what they show: account -> host, authenticator ->
 * kind of token. Tokens go to Snowflake's hosts alone, over TLS; and to a configured host of this
 * machine, where an emulator may be.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "snowflake/settings.h"

#define DOMAIN ".snowflakecomputing.com"
#define DOMAIN_CHINA ".snowflakecomputing.cn"
#define ACCOUNT_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

static const char *get(const struct rv_snowflake_settings *settings, enum rv_snowflake_key key)
{
	return settings->values[key].value;
}

static const char *origin(const struct rv_snowflake_settings *settings, enum rv_snowflake_key key)
{
	return settings->values[key].origin;
}

static bool ends_with_any_case(const char *s, const char *suffix)
{
	size_t a = strlen(s), b = strlen(suffix);
	return a > b && strcasecmp(s + a - b, suffix) == 0;
}

static const char *snowflake_domain(const char *host)
{
	return ends_with_any_case(host, DOMAIN)	      ? DOMAIN :
	       ends_with_any_case(host, DOMAIN_CHINA) ? DOMAIN_CHINA :
							NULL;
}

/* localhost, 127.0.0.0/8, [::1] */
static bool is_loopback(const char *host)
{
	unsigned part = 0;
	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	if (strncmp(host, "127.", 4) != 0 || strspn(host, "0123456789.") != strlen(host))
		return false;
	/* four numbers, and nothing that a resolver would read otherwise */
	for (const char *p = host; *p; part++) {
		uint64_t number;
		size_t len = strcspn(p, ".");
		if (!rv_parse_u64(p, len, &number) || number > 255 || (len > 1 && *p == '0'))
			return false;
		p += len;
		if (*p == '.' && !p[1])
			return false;
		p += *p == '.';
	}
	return part == 4;
}

static bool is_host(const char *host)
{
	size_t len = strlen(host);
	if (strcmp(host, "[::1]") == 0)
		return true;
	return len > 0 && len <= 253 && strspn(host, ACCOUNT_CHARACTERS) == len && host[0] != '.' &&
	       host[0] != '-' && host[len - 1] != '.' && !strstr(host, "..");
}

/* ---- account ---------------------------------------------------------------------------------- */

static enum rv_status no_account(struct rv_error *err, const struct rv_snowflake_settings *settings)
{
	rv_fail(err, RV_BAD_CONFIG,
		"nothing says which Snowflake account: not connection %s in %s, not SNOWFLAKE_ACCOUNT",
		settings->connection, settings->file ? settings->file : "any file");
	rv_hint(err, "set account of the connection to organization-name, as SELECT "
		     "CURRENT_ORGANIZATION_NAME() || '-' || CURRENT_ACCOUNT_NAME() shows it");
	return err->status;
}

static enum rv_status check_account(const struct rv_snowflake_settings *settings, const char *account,
				    struct rv_error *err)
{
	const char *domain = snowflake_domain(account);
	const char *scheme = strstr(account, "://");
	size_t len = strlen(account);
	if (domain || scheme) {
		const char *host = scheme ? scheme + 3 : account;
		size_t host_len = strcspn(host, "/:");
		RV_CLEANUP(rv_free_p) char *name = rv_strndup(host, host_len);
		domain = snowflake_domain(name);
		rv_fail(err, RV_BAD_CONFIG, "the account '%s' (%s) is an address", account,
			origin(settings, RV_SNOWFLAKE_ACCOUNT));
		if (domain)
			rv_hint(err, "write %.*s: the part before %s",
				(int)(strlen(name) - strlen(domain)), name, domain);
		else
			rv_hint(err, "write organization-name alone");
		return err->status;
	}
	if (len > 255 || strspn(account, ACCOUNT_CHARACTERS) != len || account[0] == '.' ||
	    account[0] == '-' || account[len - 1] == '.' || account[len - 1] == '-' ||
	    strstr(account, "..")) {
		rv_fail(err, RV_BAD_CONFIG, "'%.300s' (%s) cannot be a Snowflake account", account,
			origin(settings, RV_SNOWFLAKE_ACCOUNT));
		rv_hint(err, "an account is organization-name, or a locator such as xy12345.eu-west-1");
		return err->status;
	}
	return RV_OK;
}

/* "acme-data", "xy12345.eu-west-1.aws", "xy12345" with a region of its own; '_' is for no host
 * name of TLS, and Snowflake answers to '-' in its place (user guide, "Account identifiers"). */
static char *host_of_account(const char *account, const char *region)
{
	RV_CLEANUP(rv_free_p) char *name = NULL;
	/* What Snowflake's drivers do: their first region is in no host name. */
	if (region && strcasecmp(region, "us-west-2") != 0)
		name = rv_asprintf("%.*s.%s", (int)strcspn(account, "."), account, region);
	else
		name = rv_strdup(account);
	const char *dot = strchr(name, '.');
	bool china = dot && strncasecmp(dot + 1, "cn-", 3) == 0;
	char *host = rv_asprintf("%s%s", name, china ? DOMAIN_CHINA : DOMAIN);
	for (char *p = host; *p; p++)
		*p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
	return host;
}

/* SQL API guide, "Generating a JWT": upper case, without the region; the locators of global accounts
 * end at their first '-'. */
static char *claim_of_account(const char *account)
{
	size_t len = strcasestr(account, ".global") ? strcspn(account, "-.") : strcspn(account, ".");
	char *claim = rv_strndup(account, len);
	for (char *p = claim; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return claim;
}

/* ---- host, port, protocol --------------------------------------------------------------------- */

static enum rv_status choose_host(struct rv_snowflake_settings *settings, struct rv_error *err)
{
	const char *account = get(settings, RV_SNOWFLAKE_ACCOUNT);
	const char *host = get(settings, RV_SNOWFLAKE_HOST), *region = get(settings, RV_SNOWFLAKE_REGION);
	if (!account && !(host && snowflake_domain(host)))
		return no_account(err, settings);
	if (account && check_account(settings, account, err) != RV_OK)
		return err->status;
	if (region && (strspn(region, ACCOUNT_CHARACTERS) != strlen(region) || region[0] == '.' ||
		       rv_ends_with(region, ".") || strstr(region, ".."))) {
		rv_fail(err, RV_BAD_CONFIG, "'%.200s' (%s) cannot be a region of Snowflake", region,
			origin(settings, RV_SNOWFLAKE_REGION));
		return err->status;
	}
	if (!host) {
		settings->host = host_of_account(account, region);
		settings->claim_account = claim_of_account(account);
		return RV_OK;
	}
	if (!is_host(host)) {
		rv_fail(err, RV_BAD_CONFIG, "'%.300s' (%s) is not the name of a host", host,
			origin(settings, RV_SNOWFLAKE_HOST));
		rv_hint(err, "a host stands alone; port and protocol are settings of their own");
		return err->status;
	}
	settings->host = rv_strdup(host);
	settings->is_loopback = is_loopback(host);
	if (!settings->is_loopback && !snowflake_domain(host)) {
		rv_fail(err, RV_BAD_CONFIG, "%s (%s) is not a host of Snowflake: no token is sent there",
			host, origin(settings, RV_SNOWFLAKE_HOST));
		rv_hint(err, "Snowflake's hosts end with " DOMAIN " or " DOMAIN_CHINA
			     "; only this machine's own addresses may be in their place");
		return err->status;
	}
	/* In TLS names '_' is wrong here as well. */
	for (char *p = settings->host; *p; p++)
		*p = *p == '_' ? '-' : *p;
	RV_CLEANUP(rv_free_p) char *named = NULL;
	if (!account) {
		named = rv_strndup(host, strlen(host) - strlen(snowflake_domain(host)));
		account = named;
	}
	settings->claim_account = claim_of_account(account);
	return RV_OK;
}

static enum rv_status choose_url(struct rv_snowflake_settings *settings, struct rv_error *err)
{
	const char *protocol = get(settings, RV_SNOWFLAKE_PROTOCOL);
	const char *port = get(settings, RV_SNOWFLAKE_PORT);
	bool plain = protocol && strcasecmp(protocol, "http") == 0;
	uint64_t number = plain ? 80 : 443;
	if (protocol && !plain && strcasecmp(protocol, "https") != 0) {
		rv_fail(err, RV_BAD_CONFIG, "the protocol '%.40s' (%s) is not https", protocol,
			origin(settings, RV_SNOWFLAKE_PROTOCOL));
		return err->status;
	}
	if (plain && !settings->is_loopback) {
		rv_fail(err, RV_BAD_CONFIG, "protocol http (%s) would show the token to everybody on the "
			"way to %s", origin(settings, RV_SNOWFLAKE_PROTOCOL), settings->host);
		rv_hint(err, "leave protocol out: it is https");
		return err->status;
	}
	if (port && (!rv_parse_u64(port, strlen(port), &number) || number < 1 || number > 65535)) {
		rv_fail(err, RV_BAD_CONFIG, "'%.40s' (%s) is not a port", port,
			origin(settings, RV_SNOWFLAKE_PORT));
		return err->status;
	}
	settings->url = number == (plain ? 80 : 443)
				? rv_asprintf("%s://%s", plain ? "http" : "https", settings->host)
				: rv_asprintf("%s://%s:%u", plain ? "http" : "https", settings->host,
					      (unsigned)number);
	return RV_OK;
}

/* ---- authenticator ---------------------------------------------------------------------------- */

static const char use_instead[] =
	"river runs without a person beside it: set authenticator = \"SNOWFLAKE_JWT\" and "
	"private_key_file, or authenticator = \"PROGRAMMATIC_ACCESS_TOKEN\" and token_file_path";

static bool has_key(const struct rv_snowflake_settings *settings)
{
	return get(settings, RV_SNOWFLAKE_PRIVATE_KEY_PATH) ||
	       get(settings, RV_SNOWFLAKE_PRIVATE_KEY_RAW);
}

static bool has_token(const struct rv_snowflake_settings *settings)
{
	return get(settings, RV_SNOWFLAKE_TOKEN) || get(settings, RV_SNOWFLAKE_TOKEN_FILE_PATH);
}

static enum rv_status missing(const struct rv_snowflake_settings *settings, const char *what,
			      const char *hint, struct rv_error *err)
{
	rv_fail(err, RV_AUTH, "connection %s (%s) has no %s", settings->connection,
		settings->file ? settings->file : "in no file", what);
	rv_hint(err, "%s", hint);
	return err->status;
}

static enum rv_status refuse(const struct rv_snowflake_settings *settings, const char *authenticator,
			     struct rv_error *err)
{
	const char *where = origin(settings, RV_SNOWFLAKE_AUTHENTICATOR);
	if (!where)
		where = origin(settings, RV_SNOWFLAKE_PASSWORD);
	if (strcasecmp(authenticator, "snowflake") == 0 ||
	    strcasecmp(authenticator, "username_password_mfa") == 0)
		rv_fail(err, RV_AUTH, "Snowflake's REST interfaces take no password (%s)", where);
	else if (strcasecmp(authenticator, "externalbrowser") == 0)
		rv_fail(err, RV_AUTH, "authenticator externalbrowser (%s) wants a person at a browser",
			where);
	else
		rv_fail(err, RV_AUTH, "river does not know how to log in with authenticator '%.60s' (%s)",
			authenticator, where);
	rv_hint(err, "%s", use_instead);
	return err->status;
}

static enum rv_status choose_auth(struct rv_snowflake_settings *settings, struct rv_error *err)
{
	static const char key_hint[] =
		"set private_key_file of the connection, or SNOWFLAKE_PRIVATE_KEY_PATH";
	static const char token_hint[] =
		"set token_file_path of the connection, or SNOWFLAKE_TOKEN_FILE_PATH";
	const char *authenticator = get(settings, RV_SNOWFLAKE_AUTHENTICATOR);
	if (!authenticator) {
		if (has_key(settings))
			settings->auth = RV_SNOWFLAKE_AUTH_KEY;
		else if (has_token(settings))
			settings->auth = RV_SNOWFLAKE_AUTH_SOME;
		else if (get(settings, RV_SNOWFLAKE_PASSWORD))
			return refuse(settings, "snowflake", err);
		else
			return missing(settings, "credentials", use_instead, err);
	} else if (strcasecmp(authenticator, "SNOWFLAKE_JWT") == 0) {
		settings->auth = RV_SNOWFLAKE_AUTH_KEY;
		if (!has_key(settings))
			return missing(settings, "private key", key_hint, err);
	} else if (strcasecmp(authenticator, "oauth") == 0) {
		settings->auth = RV_SNOWFLAKE_AUTH_OAUTH;
		if (!has_token(settings))
			return missing(settings, "token", token_hint, err);
	} else if (strcasecmp(authenticator, "PROGRAMMATIC_ACCESS_TOKEN") == 0) {
		settings->auth = RV_SNOWFLAKE_AUTH_PAT;
		if (!has_token(settings))
			return missing(settings, "token", token_hint, err);
	} else {
		return refuse(settings, authenticator, err);
	}
	const char *user = get(settings, RV_SNOWFLAKE_USER);
	if (settings->auth == RV_SNOWFLAKE_AUTH_KEY && !user)
		return missing(settings, "user", "set user of the connection, or SNOWFLAKE_USER", err);
	if (user && (strlen(user) > 255 || strpbrk(user, "\r\n\t"))) {
		rv_fail(err, RV_BAD_CONFIG, "the user (%s) cannot be a name of Snowflake",
			origin(settings, RV_SNOWFLAKE_USER));
		return err->status;
	}
	return RV_OK;
}

enum rv_status rv_snowflake_place(struct rv_snowflake_settings *settings, struct rv_error *err)
{
	if (choose_host(settings, err) != RV_OK || choose_url(settings, err) != RV_OK)
		return err->status;
	return choose_auth(settings, err);
}
