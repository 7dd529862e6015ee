/*
 * What Snowflake's refusals mean for river. The codes are data, at the head of the file: those of its
 * services have six digits (390144), those of SQL are shorter (2003, written 002003). Sources:
 * Snowflake's SQL API reference, its key-pair troubleshooting guide, and its drivers' lists.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/number.h"
#include "snowflake/internal.h"

/* More than this is told as the probable reason why a token was refused. */
#define SKEW_NOTED_MS (30 * INT64_C(1000))

enum advice {
	NO_ADVICE,
	ON_JWT,
	ON_TOKEN,
	ON_NETWORK_POLICY,
	ON_LOGIN,
	ON_ROLE,
	ON_CONTEXT,        /* database, schema or warehouse of the connection */
	ON_MISSING,
	ON_EXISTING,
	ON_SYNTAX,
	ON_PRIVILEGE,
	ON_NO_WAREHOUSE,
	ON_NO_DATABASE,
	ON_QUOTA,
	ON_TIMEOUT,
	ON_LOCK,
	ON_RIVER,          /* a mistake of ours */
	ON_SIZE,
};
static const struct {
	unsigned code;
	enum rv_status status;
	bool transient;
	enum advice advice;
} known[] = {
	{ 390144, RV_AUTH, false, ON_JWT },
	{ 394300, RV_AUTH, false, ON_JWT }, /* the user of the JWT's issuer */
	{ 394301, RV_AUTH, false, ON_JWT },
	{ 394302, RV_AUTH, false, ON_JWT }, /* its time of issue, or of expiry */
	{ 394303, RV_AUTH, false, ON_JWT },
	{ 394304, RV_AUTH, false, ON_JWT }, /* its fingerprint */
	{ 394305, RV_AUTH, false, ON_JWT },
	{ 394306, RV_AUTH, false, ON_JWT },
	{ 394307, RV_AUTH, false, ON_JWT }, /* its account */
	{ 390100, RV_AUTH, false, ON_LOGIN }, /* incorrect user name or password */
	{ 390101, RV_AUTH, false, ON_LOGIN },
	{ 390102, RV_AUTH, false, ON_LOGIN }, /* the user is locked */
	{ 390106, RV_AUTH, false, ON_LOGIN },
	{ 390111, RV_AUTH, false, ON_TOKEN },
	{ 390112, RV_AUTH, false, ON_TOKEN },
	{ 390114, RV_AUTH, false, ON_TOKEN },
	{ 390189, RV_AUTH, false, ON_ROLE },
	{ 390186, RV_AUTH, false, ON_ROLE },
	{ 390201, RV_NOT_FOUND, false, ON_CONTEXT },
	{ 390303, RV_AUTH, false, ON_TOKEN },
	{ 390318, RV_AUTH, false, ON_TOKEN },
	{ 390420, RV_AUTH, false, ON_NETWORK_POLICY },
	{ 390422, RV_AUTH, false, ON_NETWORK_POLICY },
	{ 390432, RV_AUTH, false, ON_NETWORK_POLICY },
	{ 394400, RV_AUTH, false, ON_TOKEN },
	{ 394401, RV_AUTH, false, ON_TOKEN },
	{ 394402, RV_AUTH, false, ON_TOKEN },
	{ 390142, RV_INTERNAL, false, ON_RIVER },
	{ 390505, RV_FAILED, true, NO_ADVICE },
	{ 391908, RV_FAILED, false, ON_SIZE },
	{ 904, RV_USAGE, false, ON_SYNTAX },   /* invalid identifier */
	{ 1003, RV_USAGE, false, ON_SYNTAX },
	{ 1044, RV_USAGE, false, ON_SYNTAX },  /* invalid argument types */
	{ 2140, RV_USAGE, false, ON_SYNTAX },  /* unknown function */
	{ 2002, RV_CONFLICT, false, ON_EXISTING },
	{ 2003, RV_NOT_FOUND, false, ON_MISSING },
	{ 2043, RV_NOT_FOUND, false, ON_MISSING },
	{ 3001, RV_AUTH, false, ON_PRIVILEGE },
	{ 3041, RV_AUTH, false, ON_PRIVILEGE },
	{ 3540, RV_AUTH, false, ON_PRIVILEGE },
	{ 606, RV_BAD_CONFIG, false, ON_NO_WAREHOUSE },
	{ 90105, RV_BAD_CONFIG, false, ON_NO_DATABASE },
	{ 90106, RV_BAD_CONFIG, false, ON_NO_DATABASE },
	{ 90073, RV_FAILED, false, ON_QUOTA },
	{ 604, RV_FAILED, false, NO_ADVICE },  /* cancelled */
	{ 630, RV_FAILED, false, ON_TIMEOUT },
	{ 625, RV_FAILED, true, ON_LOCK },
	{ 8, RV_INTERNAL, false, ON_RIVER },   /* another number of statements than was said */
};

/* ---- reading ---------------------------------------------------------------------------------- */

/* On one line, without control characters, and without the full stop behind it. */
static void take_message(char *to, size_t size, const char *text)
{
	size_t n = 0;
	bool blank = false;
	for (; *text && n + 2 < size; text++) {
		if ((unsigned char)*text <= ' ') {
			blank = n > 0;
			continue;
		}
		if (blank)
			to[n++] = ' ';
		blank = false;
		to[n++] = *text;
	}
	/* not in the middle of a character */
	if (*text)
		while (n > 0 && ((unsigned char)to[n - 1] & 0xC0) == 0x80)
			n--;
	if (*text && n > 0 && (unsigned char)to[n - 1] >= 0xC0)
		n--;
	while (n > 0 && to[n - 1] == '.')
		n--;
	to[n] = '\0';
}

static void take_word(char *to, size_t size, const char *text)
{
	size_t len = strlen(text);
	if (len < size && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
				  len)
		memcpy(to, text, len + 1);
}

/* "Uncaught Execution of multiple statements failed on statement "..." (at line 7, position 0).\nwhy in
 * SYSTEM$MULTISTMT at '...'": a long statement, and the code around it, leave no room for why. */
#define QUOTED_MAX 80
static char *without_quoted(const char *message)
{
	const char *start = strstr(message, "failed on statement \""), *end = NULL;
	if (start) {
		start += strlen("failed on statement \"");
		/* the statement may hold what looks like its end */
		for (const char *p = start; (p = strstr(p, "\" (at line ")); p++)
			end = p;
	}
	if (!end)
		return rv_strdup(message);
	const char *why = end, *tail = strstr(end, " in SYSTEM$MULTISTMT at ");
	size_t len = (size_t)(end - start), why_len = tail ? (size_t)(tail - why) : strlen(why);
	size_t kept = len > QUOTED_MAX ? QUOTED_MAX : len;
	/* not in the middle of a character */
	while (kept > 0 && kept < len && ((unsigned char)start[kept] & 0xC0) == 0x80)
		kept--;
	return rv_asprintf("%.*s%.*s%s%.*s", (int)(start - message), message, (int)kept, start,
			   kept < len ? "..." : "", (int)why_len, why);
}

void rv_snowflake_failure_of(const json_t *json, int http_status, struct rv_snowflake_failure *ret)
{
	*ret = (struct rv_snowflake_failure){ .http_status = http_status };
	const json_t *code = json_object_get(json, "code");
	const char *message = json_string_value(json_object_get(json, "message"));
	const char *handle = json_string_value(json_object_get(json, "statementHandle"));
	if (json_is_string(code))
		take_word(ret->code, sizeof(ret->code), json_string_value(code));
	else if (json_is_integer(code))
		snprintf(ret->code, sizeof(ret->code), "%06" JSON_INTEGER_FORMAT, json_integer_value(code));
	if (message) {
		RV_CLEANUP(rv_free_p) char *shorter = without_quoted(message);
		take_message(ret->message, sizeof(ret->message), shorter);
	}
	if (handle)
		take_word(ret->handle, sizeof(ret->handle), handle);
}

void rv_snowflake_failure_read(const struct rv_http_response *response,
			       struct rv_snowflake_failure *ret)
{
	const char *body = response->body.bytes;
	json_t *json = rv_snowflake_json(response, RV_SNOWFLAKE_SMALL_MAX_BYTES);
	rv_snowflake_failure_of(json, response->status, ret);
	ret->not_snowflake = !json_is_object(json) && body[strspn(body, " \t\r\n")] != '\0';
	json_decref(json);
}

/* ---- sorting ---------------------------------------------------------------------------------- */

struct sorted {
	enum rv_status status;
	bool transient;
	enum advice advice;
};

static bool sort_by_code(const char *code, struct sorted *ret)
{
	uint64_t number;
	if (!rv_parse_u64(code, strlen(code), &number))
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].code == number) {
			*ret = (struct sorted){ known[i].status, known[i].transient, known[i].advice };
			return true;
		}
	return false;
}

/* Several statements fail under one code, and some refusals have changed theirs over the years: their
 * sentences have not. */
static bool sort_by_message(const char *message, struct sorted *ret)
{
	static const struct {
		const char *part;
		struct sorted as;
	} sentences[] = {
		{ "is not allowed to access Snowflake", { RV_AUTH, false, ON_NETWORK_POLICY } },
		{ "network policy", { RV_AUTH, false, ON_NETWORK_POLICY } },
		{ "JWT token is invalid", { RV_AUTH, false, ON_JWT } },
		{ "Insufficient privileges", { RV_AUTH, false, ON_PRIVILEGE } },
		{ "does not exist or not authorized", { RV_NOT_FOUND, false, ON_MISSING } },
		{ "already exists", { RV_CONFLICT, false, ON_EXISTING } },
		{ "has locked table", { RV_FAILED, true, ON_LOCK } },
		{ "syntax error", { RV_USAGE, false, ON_SYNTAX } },
		{ "No active warehouse selected", { RV_BAD_CONFIG, false, ON_NO_WAREHOUSE } },
		{ "does not have a current database", { RV_BAD_CONFIG, false, ON_NO_DATABASE } },
		{ "cannot be resumed", { RV_FAILED, false, ON_QUOTA } },
		{ "exceeded its quota", { RV_FAILED, false, ON_QUOTA } },
	};
	for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++)
		if (strcasestr(message, sentences[i].part)) {
			*ret = sentences[i].as;
			return true;
		}
	return false;
}

static struct sorted sort_by_http(int http_status)
{
	switch (http_status) {
	case 401:
	case 403: return (struct sorted){ RV_AUTH, false, NO_ADVICE };
	case 404: return (struct sorted){ RV_NOT_FOUND, false, NO_ADVICE };
	case 301:
	case 302:
	case 307:
	case 308: return (struct sorted){ RV_BAD_CONFIG, false, NO_ADVICE };
	case 408:
	case 429:
	case 500:
	case 502:
	case 503:
	case 504: return (struct sorted){ RV_FAILED, true, NO_ADVICE };
	default: return (struct sorted){ RV_FAILED, false, NO_ADVICE };
	}
}

static struct sorted sort(const struct rv_snowflake_failure *failure)
{
	struct sorted sorted = sort_by_http(failure->http_status), by_message;
	bool is_sql = failure->http_status == 422 || failure->http_status == 200;
	bool known_message = sort_by_message(failure->message, &by_message);
	if (sorted.transient && failure->http_status != 408)
		return sorted; /* whatever its body says */
	/* A policy refuses under several codes, one of which also means something else. */
	if (known_message && by_message.advice == ON_NETWORK_POLICY)
		return by_message;
	if (sort_by_code(failure->code, &sorted))
		return sorted;
	if (known_message && (is_sql || sorted.status != RV_FAILED)) {
		/* Of a 404 of Snowpipe the status is as good, and its words are the advice. */
		return by_message;
	}
	return sorted;
}

/* ---- telling ---------------------------------------------------------------------------------- */

static const char *or_default(const char *name, const char *otherwise)
{
	return name ? name : otherwise;
}

/* Their clock against ours; false: near enough. */
static bool tell_clock(struct rv_snowflake *snowflake, struct rv_error *err)
{
	int64_t offset = atomic_load(&snowflake->clock_offset_ms);
	int64_t off_by = offset < 0 ? -offset : offset;
	char text[RV_NUMBER_TEXT];
	if (!atomic_load(&snowflake->clock_known) || off_by < SKEW_NOTED_MS)
		return false;
	size_t len = strlen(err->message);
	snprintf(err->message + len, sizeof(err->message) - len,
		 ": the clock of this machine is %s %s Snowflake's", rv_format_duration(off_by, text),
		 offset < 0 ? "ahead of" : "behind");
	rv_hint(err, "set the clock of this machine (a JWT is valid from its time of issue on, for an hour)");
	return true;
}

static void advise_on_jwt(struct rv_snowflake *snowflake, struct rv_error *err)
{
	const char *user = rv_snowflake_user(snowflake);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	char fingerprint[64];
	if (tell_clock(snowflake, err))
		return;
	rv_snowflake_token_fingerprint(snowflake->token, fingerprint);
	if (!*fingerprint) {
		rv_hint(err, "make a new token");
		return;
	}
	rv_snowflake_identifier(&name, user ? user : "?");
	for (char *p = name.bytes; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	rv_hint(err,
		"the key in use is %s: DESC USER %s must show it as RSA_PUBLIC_KEY_FP or "
		"RSA_PUBLIC_KEY_2_FP; ALTER USER %s SET RSA_PUBLIC_KEY_2='<body of the public key>' "
		"registers it. The account is %s",
		fingerprint, name.bytes, name.bytes, snowflake->settings->claim_account);
}

static void advise(struct rv_snowflake *snowflake, const struct rv_snowflake_failure *failure,
		   enum advice advice, struct rv_error *err)
{
	const char *user = or_default(rv_snowflake_user(snowflake), "of the token");
	const char *database = failure->is_statement ? failure->database : snowflake->database;
	const char *warehouse = failure->is_statement ? failure->warehouse : snowflake->warehouse;
	const char *role = or_default(failure->is_statement ? failure->role : snowflake->role,
				      "the user's default role");
	RV_CLEANUP(rv_free_p) char *source = NULL;
	switch (advice) {
	case NO_ADVICE:
		break;
	case ON_JWT:
		advise_on_jwt(snowflake, err);
		break;
	case ON_TOKEN:
		if (tell_clock(snowflake, err))
			break;
		source = rv_snowflake_token_source(snowflake->token);
		rv_hint(err, "%s has expired, was revoked, or is of another kind or account: make a new one",
			source);
		break;
	case ON_NETWORK_POLICY:
		rv_hint(err, "a network policy of the account or of user %s refuses this address: an "
			     "administrator adds it to the policy's allowed list", user);
		break;
	case ON_LOGIN:
		rv_hint(err, "user %s does not exist in account %s, or is disabled or locked: DESC USER "
			     "shows it to an administrator", user, snowflake->settings->claim_account);
		break;
	case ON_ROLE:
		rv_hint(err, "the role must be granted to the user: GRANT ROLE %s TO USER %s", role, user);
		break;
	case ON_CONTEXT:
		rv_hint(err, "check database (%s), schema and warehouse (%s) of the profile and the "
			     "connection, and that %s has USAGE on them",
			or_default(database, "none"), or_default(warehouse, "none"), role);
		break;
	case ON_MISSING:
		rv_hint(err, "it is not there, or %s (user %s) may not see it", role, user);
		break;
	case ON_EXISTING:
		rv_hint(err, "it is there already, and not as river would make it");
		break;
	case ON_SYNTAX:
		break;
	case ON_PRIVILEGE:
		rv_hint(err, "%s (user %s) lacks a privilege on it: who owns it grants that", role, user);
		break;
	case ON_NO_WAREHOUSE:
		if (warehouse)
			rv_hint(err, "there is no warehouse %s, or %s has no USAGE on it, or it is suspended and "
				     "does not resume by itself: river doctor says which", warehouse, role);
		else
			rv_hint(err, "set warehouse.warehouse of the profile to one that %s has USAGE on",
				role);
		break;
	case ON_NO_DATABASE:
		rv_hint(err, "set warehouse.database of the profile to one that %s has USAGE on", role);
		break;
	case ON_QUOTA:
		rv_hint(err, "the warehouse is suspended and may not resume: raise the resource monitor's "
			     "quota, or name another warehouse in the profile");
		break;
	case ON_TIMEOUT:
		rv_hint(err, "it took longer than it may: a larger warehouse, or a higher "
			     "STATEMENT_TIMEOUT_IN_SECONDS");
		break;
	case ON_LOCK:
		rv_hint(err, "another transaction holds the table: try again later");
		break;
	case ON_RIVER:
		rv_hint(err, "this is a mistake of river's own: please report it");
		break;
	case ON_SIZE:
		rv_hint(err, "ask for less: fewer columns, or a LIMIT");
		break;
	}
}

/* "syntax error line 1 at position 7 unexpected 'x'": positions count from 0. */
static void find_place(const char *message, struct rv_error *err)
{
	const char *p = strstr(message, "line ");
	unsigned long line, position;
	if (p && sscanf(p, "line %9lu at position %9lu", &line, &position) == 2 && line > 0) {
		err->line = line;
		err->column = position + 1;
	}
}

enum rv_status rv_snowflake_failure_tell(struct rv_snowflake *snowflake,
					 const struct rv_snowflake_failure *failure,
					 struct rv_error *err)
{
	const struct sorted sorted = sort(failure);
	const char *host = snowflake->settings->host;
	bool is_sql = failure->http_status == 422 || failure->http_status == 200;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf said = RV_STRBUF_INIT;
	/* What was sent may be quoted. */
	rv_http_redact(&said, failure->message);
	if (failure->not_snowflake)
		rv_fail(err, sorted.status, "%s answers %d with something that is not Snowflake's", host,
			failure->http_status);
	else if (is_sql && said.len)
		rv_fail(err, sorted.status, "%s (Snowflake %s)", said.bytes,
			*failure->code ? failure->code : "without a code");
	else
		rv_fail(err, sorted.status, "%s answers %d%s%s%s%s", host, failure->http_status,
			*failure->code ? " " : "", failure->code, said.len ? ": " : "", said.bytes);
	err->transient = sorted.transient;
	err->http_status = failure->http_status;
	snprintf(err->service_code, sizeof(err->service_code), "%s", failure->code);
	snprintf(err->request_id, sizeof(err->request_id), "%s", failure->handle);
	if (failure->not_snowflake)
		rv_hint(err, "a proxy or portal may stand in between: look at the proxy variables and the "
			     "account's host");
	else if (sorted.advice == NO_ADVICE && failure->http_status == 401)
		advise(snowflake, failure, rv_snowflake_token_type(snowflake->token) &&
					  strcmp(rv_snowflake_token_type(snowflake->token),
						 "KEYPAIR_JWT") == 0 ? ON_JWT : ON_TOKEN, err);
	else if (sorted.advice == NO_ADVICE && failure->http_status == 404 && !is_sql && !*failure->code)
		rv_hint(err, "there is no such account: check account (and region) of the connection");
	else
		advise(snowflake, failure, sorted.advice, err);
	if (sorted.advice == ON_SYNTAX)
		find_place(failure->message, err);
	return err->status;
}
