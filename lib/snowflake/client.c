/*
 * Requests to one account: each attempt carries the token of the moment, and after a 401 one that can
 * be renewed is renewed, once a call. Everything about waiting is http.h's.
 */
#include "snowflake/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/ulid.h"
#include "snowflake/internal.h"
#include "snowflake/secret_file.h"

#define TELL_AFTER_MS (5 * 60 * 1000)
#define MAX_ATTEMPTS 8 /* some 15 s of waiting in all */
#define BASE_DELAY_MS 250
#define MAX_DELAY_MS 15000
#define MAX_BODY_BYTES ((size_t)1024 * 1024)
/* Snowflake answers a statement within 45 s, with 202 when it is not done. */
#define STALL_TIMEOUT_MS 90000
#define REACH_TIMEOUT_MS 30000

/* ---- the client ------------------------------------------------------------------------------- */

static enum rv_status take_name(const struct rv_snowflake_settings *settings,
				enum rv_snowflake_key key, char **ret, struct rv_error *err)
{
	const char *written = rv_snowflake_setting(settings, key);
	if (!written)
		return RV_OK;
	if (rv_snowflake_name(written, ret, err) != RV_OK)
		return rv_context(err, "%s (%s)", rv_snowflake_key_name(key),
				  settings->values[key].origin);
	return RV_OK;
}

enum rv_status rv_snowflake_new(const struct rv_snowflake_settings_params *params,
				struct rv_http *http, struct rv_snowflake **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_snowflake_free_p) struct rv_snowflake *snowflake = rv_calloc(1, sizeof(*snowflake));
	snowflake->http = http;
	snowflake->max_attempts = MAX_ATTEMPTS;
	snowflake->tell_after_ms = TELL_AFTER_MS;
	if (rv_snowflake_settings_load(params, &snowflake->settings, err) != RV_OK)
		return err->status;
	const struct rv_snowflake_settings *settings = snowflake->settings;
	snowflake->token = rv_snowflake_token_new(settings);
	if (take_name(settings, RV_SNOWFLAKE_DATABASE, &snowflake->database, err) != RV_OK ||
	    take_name(settings, RV_SNOWFLAKE_SCHEMA, &snowflake->schema, err) != RV_OK ||
	    take_name(settings, RV_SNOWFLAKE_WAREHOUSE, &snowflake->warehouse, err) != RV_OK ||
	    take_name(settings, RV_SNOWFLAKE_ROLE, &snowflake->role, err) != RV_OK)
		return err->status;
	*ret = rv_take(snowflake);
	return RV_OK;
}

void rv_snowflake_free(struct rv_snowflake *snowflake)
{
	if (!snowflake)
		return;
	rv_snowflake_token_free(snowflake->token);
	rv_snowflake_settings_free(snowflake->settings);
	free(snowflake->database);
	free(snowflake->schema);
	free(snowflake->warehouse);
	free(snowflake->role);
	free(snowflake);
}

void rv_snowflake_free_p(struct rv_snowflake **snowflake)
{
	rv_snowflake_free(*snowflake);
	*snowflake = NULL;
}

void rv_snowflake_on_wait(struct rv_snowflake *snowflake, void (*note)(const char *fmt, ...))
{
	snowflake->note = note;
}

const char *rv_snowflake_account(const struct rv_snowflake *snowflake)
{
	return snowflake->settings->claim_account;
}

const char *rv_snowflake_user(const struct rv_snowflake *snowflake)
{
	return rv_snowflake_setting(snowflake->settings, RV_SNOWFLAKE_USER);
}

const char *rv_snowflake_database(const struct rv_snowflake *snowflake)
{
	return rv_snowflake_setting(snowflake->settings, RV_SNOWFLAKE_DATABASE);
}

const char *rv_snowflake_warehouse(const struct rv_snowflake *snowflake)
{
	return rv_snowflake_setting(snowflake->settings, RV_SNOWFLAKE_WAREHOUSE);
}

const char *rv_snowflake_role(const struct rv_snowflake *snowflake)
{
	return rv_snowflake_setting(snowflake->settings, RV_SNOWFLAKE_ROLE);
}

const struct rv_snowflake_settings *rv_snowflake_settings(const struct rv_snowflake *snowflake)
{
	return snowflake->settings;
}

/* Version 4 of RFC 9562. */
void rv_snowflake_uuid(char *ret)
{
	uint8_t b[16];
	rv_random_bytes(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	char hex[33];
	rv_hex(b, sizeof(b), hex);
	char *to = ret;
	for (size_t i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*to++ = '-';
		*to++ = hex[i];
	}
	*to = '\0';
}

/* ---- one call --------------------------------------------------------------------------------- */

struct call {
	struct rv_snowflake *snowflake;
	const struct rv_snowflake_request *request;
	struct rv_http_headers headers;
	char *url;
	unsigned token_number;
	bool renewed;
	int64_t sent_ms;
};

static void forget_headers(struct rv_http_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		if (strcmp(headers->items[i].name, "Authorization") == 0)
			explicit_bzero(headers->items[i].value, strlen(headers->items[i].value));
	rv_http_headers_release(headers);
}

static void call_release(struct call *call)
{
	forget_headers(&call->headers);
	free(call->url);
}

static enum rv_status add_token(struct call *call, struct rv_error *err)
{
	struct rv_snowflake_token *token = call->snowflake->token;
	RV_CLEANUP(rv_snowflake_wipe) struct rv_strbuf value = RV_STRBUF_INIT;
	const char *type = rv_snowflake_token_type(token);
	rv_strbuf_reserve(&value, 32 * 1024);
	rv_strbuf_puts(&value, "Bearer ");
	if (rv_snowflake_token_get(token, &value, &call->token_number, err) != RV_OK)
		return err->status;
	rv_http_headers_add(&call->headers, "Authorization", value.bytes);
	if (type)
		rv_http_headers_add(&call->headers, "X-Snowflake-Authorization-Token-Type", type);
	return RV_OK;
}

static enum rv_status prepare(void *arg, unsigned attempt, struct rv_http_request *http,
			      struct rv_error *err)
{
	struct call *call = arg;
	const struct rv_snowflake_request *request = call->request;
	const struct rv_snowflake_settings *settings = call->snowflake->settings;
	const char *query = attempt > 1 && request->query_again ? request->query_again : request->query;
	size_t body_len = request->body ? strlen(request->body) : 0;
	forget_headers(&call->headers);
	free(call->url);
	call->url = rv_asprintf("%s%s%s%s", settings->url, request->path, query ? "?" : "",
				query ? query : "");
	rv_http_headers_add(&call->headers, "User-Agent", "river/" RIVER_VERSION);
	rv_http_headers_add(&call->headers, "Accept", "application/json");
	rv_http_headers_add(&call->headers, "Accept-Encoding", "gzip");
	if (body_len)
		rv_http_headers_add(&call->headers, "Content-Type", "application/json");
	if (add_token(call, err) != RV_OK)
		return err->status;
	call->sent_ms = rv_clock_ms();
	*http = (struct rv_http_request){
		.method = request->method,
		.url = call->url,
		.headers = &call->headers,
		.body = { .bytes = request->body, .fd = -1, .len = body_len },
		.max_body_bytes = request->max_body_bytes ? request->max_body_bytes : MAX_BODY_BYTES,
		.stall_timeout_ms = STALL_TIMEOUT_MS,
		.total_timeout_ms = request->total_timeout_ms,
		/* An emulator of this machine: its token is not for a proxy. */
		.no_proxy = settings->is_loopback,
	};
	return RV_OK;
}

/* Their clock between the sending and the answer, in whole seconds: the nearest of what it can be. */
static int64_t offset_of(int64_t sent_ms, int64_t date_ms)
{
	int64_t now_ms = rv_clock_ms();
	if (date_ms > now_ms)
		return date_ms - now_ms;
	return date_ms + 999 < sent_ms ? date_ms + 999 - sent_ms : 0;
}

static void learn_clock(struct call *call, const struct rv_http_response *response)
{
	if (response->date_ms < 0)
		return;
	atomic_store(&call->snowflake->clock_offset_ms, offset_of(call->sent_ms, response->date_ms));
	atomic_store(&call->snowflake->clock_known, true);
}

int64_t rv_snowflake_clock_ms(const struct rv_snowflake *snowflake)
{
	return rv_clock_ms() + atomic_load(&snowflake->clock_offset_ms);
}

static bool is_among(int status, const int *statuses)
{
	for (; statuses && *statuses; statuses++)
		if (*statuses == status)
			return true;
	return false;
}

/* An object of JSON begins, or gzip. */
static bool is_theirs(const struct rv_http_response *response)
{
	const struct rv_strbuf *body = &response->body;
	return body->bytes[strspn(body->bytes, " \t\r\n")] == '{' ||
	       (body->len > 2 && memcmp(body->bytes, "\x1f\x8b", 2) == 0);
}

static enum rv_http_verdict judge(void *arg, const struct rv_http_response *response,
				  enum rv_http_outcome outcome RV_UNUSED, struct rv_error *err)
{
	struct call *call = arg;
	struct rv_snowflake_failure failure;
	if (!response)
		return err->transient ? RV_HTTP_RETRY : RV_HTTP_GIVE_UP;
	learn_clock(call, response);
	if (is_among(response->status, call->request->also_ok))
		return RV_HTTP_DONE;
	if (response->status / 100 == 2) {
		if (is_theirs(response))
			return RV_HTTP_DONE;
		/* A portal says 200 to everything. */
		failure = (struct rv_snowflake_failure){ .http_status = response->status,
							 .not_snowflake = true };
		rv_snowflake_failure_tell(call->snowflake, &failure, err);
		err->transient = true;
		return RV_HTTP_RETRY;
	}
	rv_snowflake_failure_read(response, &failure);
	bool renewed = response->status == 401 && !call->renewed &&
		       rv_snowflake_token_renew(call->snowflake->token, call->token_number);
	rv_snowflake_failure_tell(call->snowflake, &failure, err);
	if (renewed) {
		call->renewed = true;
		return RV_HTTP_RETRY_NOW;
	}
	return err->transient ? RV_HTTP_RETRY : RV_HTTP_GIVE_UP;
}

enum rv_status rv_snowflake_send(struct rv_snowflake *snowflake,
				 const struct rv_snowflake_request *request,
				 struct rv_http_response *response, struct rv_http_tally *ret_tally,
				 struct rv_error *err)
{
	RV_CLEANUP(call_release) struct call call = { .snowflake = snowflake, .request = request };
	const struct rv_http_call http = {
		.prepare = prepare,
		.judge = judge,
		.arg = &call,
		.repeatable = true,
		.max_attempts = request->max_attempts ? request->max_attempts : snowflake->max_attempts,
		.base_delay_ms = BASE_DELAY_MS,
		.max_delay_ms = MAX_DELAY_MS,
		.deadline_ms = request->deadline_ms,
	};
	return rv_http_call(snowflake->http, &http, response, ret_tally, err);
}

/* ---- for doctor ------------------------------------------------------------------------------- */

enum rv_status rv_snowflake_identify(struct rv_snowflake *snowflake, struct rv_snowflake_identity *ret,
				     struct rv_error *err)
{
	RV_CLEANUP(rv_snowflake_wipe) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *source = rv_snowflake_token_source(snowflake->token);
	unsigned number;
	if (rv_snowflake_token_get(snowflake->token, &text, &number, err) != RV_OK)
		return err->status;
	snprintf(ret->source, sizeof(ret->source), "%s", source);
	rv_snowflake_token_fingerprint(snowflake->token, ret->fingerprint);
	return RV_OK;
}

enum rv_status rv_snowflake_reach(struct rv_snowflake *snowflake, int64_t *ret_offset_ms,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("%s/", snowflake->settings->url);
	const struct rv_http_request request = {
		.method = "GET",
		.url = url,
		.body = RV_HTTP_NO_BODY,
		.total_timeout_ms = REACH_TIMEOUT_MS,
		.no_proxy = snowflake->settings->is_loopback,
	};
	enum rv_http_outcome outcome;
	int64_t sent_ms = rv_clock_ms();
	if (rv_http_once(snowflake->http, &request, &response, &outcome, err) != RV_OK)
		return err->status;
	*ret_offset_ms = response.date_ms < 0 ? INT64_MIN : offset_of(sent_ms, response.date_ms);
	return RV_OK;
}
