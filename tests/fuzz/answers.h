/*
 * For targets that are what a service of AWS, or Snowflake, answers: requests end here instead of in a network, one
 * after the other is given the next answer, judged and repeated as lib/aws and lib/snowflake do it, and nobody waits.
 * It stands in place of lib/http/retry.c.
 *
 * Answers are text, with a line "%" between them: a status, header fields, an empty line, a body. In place of "?"
 * alone nobody hears whether the request was carried out.
 */
#ifndef RV_TESTS_FUZZ_ANSWERS_H
#define RV_TESTS_FUZZ_ANSWERS_H

#include "fuzz.h"

#include <jansson.h>

#include "aws/client.h"
#include "base/strbuf.h"
#include "http/internal.h"
#include "snowflake/client.h"

/* Beyond it whoever asks was led around. */
#define MOST_CALLS 64

static struct {
	const char *p;
	size_t len, at;
	bool again;       /* from the first answer on, behind the last one */
	unsigned calls, waits, aborts;
	unsigned unheard;  /* "?" */
	size_t piece;     /* of a body */
	bool removes;     /* a DELETE is answered from the script as well, not "204" */
	/* Optional: each answer, before it is judged. */
	void (*heard)(const struct rv_http_request *, const struct rv_http_response *);
} script;
static struct rv_aws *answers_aws;

/* Up to a line "%"; false: there is no answer left. */
static bool next_answer(struct rv_str *ret)
{
	if (script.again && script.at >= script.len)
		script.at = 0;
	if (script.at >= script.len)
		return false;
	const char *p = script.p + script.at, *end = memmem(p, script.len - script.at, "\n%\n", 3);

	*ret = (struct rv_str){ p, end ? (size_t)(end - p) : script.len - script.at };
	script.at += end ? ret->len + 3 : ret->len;
	return true;
}

/* "200\nETag: x\n\nbody": as lib/http/transport.c fills it. Returns where the body starts. */
static const char *read_head(struct rv_str answer, struct rv_http_response *response)
{
	const char *p = answer.p, *end = answer.p + answer.len;

	response->status = 200;
	for (bool first = true; p < end; first = false) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl ? nl : end) - p);
		RV_CLEANUP(rv_free_p) char *line = exact_text(p, len);
		char *colon = strchr(line, ':');
		bool name = colon && colon > line && strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
								  "0123456789-") == (size_t)(colon - line);

		p = nl ? nl + 1 : end;
		if (!len)
			break;
		if (first && len == 3 && *line >= '1' && *line <= '5' && strspn(line, "0123456789") == 3) {
			response->status = atoi(line);
		} else if (name) {
			char *value = colon + 1 + strspn(colon + 1, " ");

			*colon = '\0';
			if (rv_http_value_valid(value))
				rv_http_headers_add(&response->headers, line, value);
		}
	}
	return p;
}

/* One attempt; false: no answer came. */
static bool attempt(const struct rv_http_request *request, struct rv_http_response *response, bool *ret_refused,
		    enum rv_http_outcome *ret_outcome, struct rv_error *err)
{
	struct rv_str answer;

	*ret_refused = false;
	*ret_outcome = RV_HTTP_ANSWERED;
	if (strcmp(request->method, "DELETE") == 0 && !script.removes) {
		script.aborts++;
		response->status = 204;
		return true;
	}
	if (!next_answer(&answer) || answer.len < 3) {
		*ret_outcome = script.at && rv_str_is(answer, "?") ? RV_HTTP_UNKNOWN : RV_HTTP_NOT_SENT;
		script.unheard += *ret_outcome == RV_HTTP_UNKNOWN;
		return false;
	}
	const char *body = read_head(answer, response);
	size_t left = (size_t)(answer.p + answer.len - body);

	if (strcmp(request->method, "HEAD") == 0)
		return true;
	if (!request->sink || response->status / 100 != 2) {
		rv_strbuf_add(&response->body, body, left);
		return true;
	}
	while (left) {
		size_t n = left < script.piece ? left : script.piece;
		RV_CLEANUP(rv_free_p) char *copy = exact_copy(body, n);

		if (request->sink(request->sink_arg, copy, n, err) != RV_OK) {
			*ret_refused = true;
			return true;
		}
		body += n;
		left -= n;
	}
	return true;
}

enum rv_status rv_http_call(struct rv_http *http RV_UNUSED, const struct rv_http_call *call,
			    struct rv_http_response *response, struct rv_http_tally *ret_tally,
			    struct rv_error *err)
{
	unsigned unknown = 0;

	for (unsigned i = 1;; i++) {
		struct rv_http_request request = { .body = RV_HTTP_NO_BODY };
		struct rv_error why = RV_ERROR_INIT;
		bool refused;

		CHECK(++script.calls <= 16 * MOST_CALLS);
		if (call->prepare(call->arg, i, &request, err) != RV_OK)
			return err->status;
		rv_http_response_clear(response);
		CHECK(strncmp(request.url, "http", 4) == 0 && strlen(request.url) < 1 << 18);
		for (const char *p = request.url; *p; p++)
			CHECK(*p > ' ' && *p < 127);
		enum rv_http_outcome outcome;
		bool answered = attempt(&request, response, &refused, &outcome, &why);

		if (ret_tally)
			*ret_tally = (struct rv_http_tally){ .attempts = i, .unknown = unknown += outcome == RV_HTTP_UNKNOWN };
		if (answered && script.heard)
			script.heard(&request, response);

		if (!answered) {
			rv_fail(&why, RV_FAILED, "nobody answers");
			why.transient = true;
		}
		if (refused) {
			*err = why;
			return err->status;
		}
		enum rv_http_verdict verdict = call->judge(call->arg, answered ? response : NULL, outcome, &why);

		if (verdict == RV_HTTP_DONE && answered)
			return RV_OK;
		CHECK(why.status != RV_OK && why.message[0]);
		if (verdict == RV_HTTP_GIVE_UP || verdict == RV_HTTP_DONE || i == 3) {
			*err = why;
			return err->status;
		}
	}
}

/* Between pages, and between attempts that bring nothing: here somebody who waits for an end loses patience. */
enum rv_status rv_http_wait(struct rv_http *http RV_UNUSED, int64_t ms, struct rv_error *err)
{
	CHECK(ms >= 0);
	return ++script.waits <= MOST_CALLS ? RV_OK : rv_fail(err, RV_FAILED, "stopped");
}

int64_t rv_http_backoff_ms(unsigned attempts, int64_t base_ms, int64_t max_ms)
{
	CHECK(attempts >= 1 && base_ms <= max_ms);
	return base_ms;
}

void rv_http_budget_init(struct rv_http_budget *budget RV_UNUSED)
{
}

int64_t rv_http_budget_take(struct rv_http_budget *budget RV_UNUSED, double cost RV_UNUSED, int64_t now_ms RV_UNUSED)
{
	return 0;
}

void rv_http_budget_give(struct rv_http_budget *budget RV_UNUSED, double tokens RV_UNUSED)
{
}

RV_UNUSED static void answers_set_up(void)
{
	const struct rv_aws_settings_params settings = { .endpoint_url = "http://127.0.0.1:9" };
	const struct rv_http_params http = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "example", 1);
	setenv("AWS_REGION", "us-east-1", 1);
	CHECK(rv_aws_new(&settings, &http, &answers_aws, &err) == RV_OK);
}

RV_UNUSED static struct rv_snowflake *answers_of_snowflake(void)
{
	const struct rv_snowflake_settings_params params = { .account = "acme-data", .user = "loader" };
	struct rv_snowflake *snowflake = NULL;
	struct rv_error err = RV_ERROR_INIT;

	setenv("SNOWFLAKE_HOME", "/nonexistent", 1);
	setenv("HOME", "/nonexistent", 1);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	setenv("SNOWFLAKE_AUTHENTICATOR", "oauth", 1);
	setenv("SNOWFLAKE_TOKEN", "example", 1);
	CHECK(rv_snowflake_new(&params, NULL, &snowflake, &err) == RV_OK);
	json_object_seed(1);
	return snowflake;
}

#endif
