/* What the sources of credentials over HTTP have in common: asking, and reading the answers. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/credentials_impl.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#define ANSWER_MAX_BYTES (256u << 10)
#define SECRET_FILE_MAX_BYTES (64u << 10)

struct asked {
	const struct rv_aws_ask *ask;
};

static enum rv_status prepare(void *arg, unsigned attempt RV_UNUSED, struct rv_http_request *request,
			      struct rv_error *err RV_UNUSED)
{
	const struct rv_aws_ask *ask = ((struct asked *)arg)->ask;
	*request = (struct rv_http_request){
		.method = ask->method,
		.url = ask->url,
		.headers = ask->headers,
		.body = RV_HTTP_NO_BODY,
		.max_body_bytes = ANSWER_MAX_BYTES,
		.connect_timeout_ms = ask->timeout_ms,
		.total_timeout_ms = ask->timeout_ms,
	};
	if (ask->body) {
		request->body.bytes = ask->body;
		request->body.len = strlen(ask->body);
	}
	return RV_OK;
}

static enum rv_http_verdict judge(void *arg, const struct rv_http_response *response,
				  enum rv_http_outcome outcome, struct rv_error *err)
{
	const struct rv_aws_ask *ask = ((struct asked *)arg)->ask;
	if (ask->ret_unheard)
		*ask->ret_unheard = !response && outcome == RV_HTTP_UNKNOWN;
	if (!response) {
		bool transient = err->transient;
		err->status = transient ? RV_AUTH : err->status;
		return transient ? RV_HTTP_RETRY : RV_HTTP_GIVE_UP;
	}
	if (response->status < 500 && response->status != 429)
		return RV_HTTP_DONE;
	rv_fail(err, RV_AUTH, "%s: answer %d", ask->what, response->status);
	err->http_status = response->status;
	err->transient = true;
	return RV_HTTP_RETRY;
}

enum rv_status rv_aws_ask(struct rv_http *http, const struct rv_aws_ask *ask,
			  struct rv_http_response *response, struct rv_error *err)
{
	struct asked asked = { ask };
	const struct rv_http_call call = {
		.prepare = prepare,
		.judge = judge,
		.arg = &asked,
		.repeatable = true,
		.max_attempts = ask->attempts,
	};
	if (rv_http_call(http, &call, response, NULL, err) == RV_OK)
		return RV_OK;
	return rv_context(err, "%s", ask->what);
}

enum rv_status rv_aws_read_expiration(const char *what, const char *text, int64_t *ret_ms,
				      struct rv_error *err)
{
	*ret_ms = INT64_MAX;
	if (!text || !*text)
		return RV_OK;
	size_t len = strlen(text);
	/* Older tools write UTC for Z. */
	RV_CLEANUP(rv_free_p)
	char *plain = rv_ends_with(text, "UTC") ? rv_asprintf("%.*sZ", (int)len - 3, text)
						: rv_strdup(text);
	/* +0000 without its colon is ISO 8601 too. */
	len = strlen(plain);
	if (len > 5 && (plain[len - 5] == '+' || plain[len - 5] == '-') && !strchr(plain + len - 5, ':')) {
		char *colon = rv_asprintf("%.*s:%s", (int)len - 2, plain, plain + len - 2);
		free(plain);
		plain = colon;
	}
	if (!rv_parse_time(plain, strlen(plain), ret_ms))
		return rv_fail(err, RV_AUTH, "%s: '%.40s' is no time", what, text);
	return RV_OK;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text && *text ? text : NULL;
}

enum rv_status rv_aws_read_credentials(const char *what, const char *text, size_t len,
				       const char *token_key, struct rv_aws_credentials *ret,
				       struct rv_error *err)
{
	json_error_t why;
	json_t *json = json_loadb(text, len, 0, &why);
	if (!json_is_object(json)) {
		json_decref(json);
		return rv_fail(err, RV_AUTH, "%s is no JSON object", what);
	}
	const char *id = text_of(json, "AccessKeyId"), *secret = text_of(json, "SecretAccessKey");
	const char *token = text_of(json, token_key);
	const char *code = text_of(json, "Code"), *message = text_of(json, "Message");
	enum rv_status status = RV_OK;
	if (!id && !secret && code)
		status = rv_fail(err, RV_AUTH, "%s: %s%s%s", what, code, message ? ": " : "",
				 message ? message : "");
	else if (!id || !secret)
		status = rv_fail(err, RV_AUTH, "%s has no %s", what,
				 id ? "SecretAccessKey" : "AccessKeyId");
	else if (!rv_http_value_valid(id) || (token && !rv_http_value_valid(token)))
		status = rv_fail(err, RV_AUTH, "%s holds control characters", what);
	if (status == RV_OK)
		status = rv_aws_read_expiration(what, text_of(json, "Expiration"), &ret->expires_ms,
						err);
	if (status == RV_OK) {
		ret->access_key_id = rv_strdup(id);
		ret->secret_access_key = rv_strdup(secret);
		ret->session_token = token ? rv_strdup(token) : NULL;
	}
	json_decref(json);
	return status;
}

enum rv_status rv_aws_read_secret_file(const char *what, const char *path, struct rv_strbuf *ret,
				       struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open_waiting(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return rv_fail_errno(err, RV_AUTH, "read %s from %s", what, path);
	rv_strbuf_clear(ret);
	for (;;) {
		char buf[4096];
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_fail_errno(err, RV_AUTH, "read %s from %s", what, path);
		if (n == 0)
			break;
		rv_strbuf_add(ret, buf, (size_t)n);
		if (ret->len > SECRET_FILE_MAX_BYTES)
			return rv_fail(err, RV_AUTH, "%s in %s has more than %u bytes", what, path,
				       SECRET_FILE_MAX_BYTES);
	}
	while (ret->len && strchr("\r\n \t", ret->bytes[ret->len - 1]))
		rv_strbuf_truncate(ret, ret->len - 1);
	if (!ret->len)
		return rv_fail(err, RV_AUTH, "%s: %s is empty", what, path);
	return RV_OK;
}
