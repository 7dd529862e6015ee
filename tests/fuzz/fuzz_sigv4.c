/*
 * Canonical requests and presigned queries of any path, query, header value and further fields, one a line, with
 * and without a session token: their shape, that making canonical what is canonical changes nothing, and that the
 * order of the fields does not either.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "aws/sigv4.h"
#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The line `n` of a canonical request, from 0. */
static char *line_of(const struct rv_strbuf *text, int n)
{
	const char *p = text->bytes;
	for (; n > 0; n--) {
		p = strchr(p, '\n');
		assert(p);
		p++;
	}
	return rv_strndup(p, strcspn(p, "\n"));
}

static bool is_encoded(const char *s, const char *also)
{
	for (; *s; s++) {
		if (*s == '%') {
			if (!strchr("0123456789ABCDEF", s[1]) || !s[1] ||
			    !strchr("0123456789ABCDEF", s[2]) || !s[2])
				return false;
			s += 2;
		} else if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~",
				   *s) && !strchr(also, *s)) {
			return false;
		}
	}
	return true;
}

static void check(struct rv_sigv4 *sign, const char *path, const struct rv_http_headers *headers)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf first = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf second = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf query = RV_STRBUF_INIT;

	assert(rv_sigv4_canonical(sign, headers, &first, &err) == RV_OK);
	RV_CLEANUP(rv_free_p) char *path_line = line_of(&first, 1);
	RV_CLEANUP(rv_free_p) char *query_line = line_of(&first, 2);
	if (sign->is_s3) {
		assert(strcmp(path_line, *path ? path : "/") == 0);
	} else {
		assert(path_line[0] == '/' && is_encoded(path_line, "/"));
		assert(!strstr(path_line, "//") && !strstr(path_line, "/./") &&
		       !strstr(path_line, "/../"));
	}
	assert(is_encoded(query_line, "=&"));
	sign->query = query_line;
	assert(rv_sigv4_canonical(sign, headers, &second, &err) == RV_OK);
	assert(first.len == second.len && memcmp(first.bytes, second.bytes, first.len) == 0);
	assert(rv_sigv4_presign(sign, headers, 60, &query, &err) == RV_OK);
	assert(is_encoded(query.bytes, "=&"));
	assert(query.len > 64 && strstr(query.bytes + query.len - 64 - 17, "&X-Amz-Signature=") ==
					 query.bytes + query.len - 64 - 17);
}

/* The order in which fields were added is none of the request's, unless a name stands there twice. */
static void check_order(const struct rv_sigv4 *sign, const struct rv_http_headers *headers)
{
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers reversed = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf first = RV_STRBUF_INIT, second = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	for (size_t i = headers->count; i-- > 0;) {
		if (rv_http_headers_get(&reversed, headers->items[i].name))
			return;
		rv_http_headers_add(&reversed, headers->items[i].name, headers->items[i].value);
	}
	assert(rv_sigv4_canonical(sign, headers, &first, &err) == RV_OK);
	assert(rv_sigv4_canonical(sign, &reversed, &second, &err) == RV_OK);
	assert(first.len == second.len && memcmp(first.bytes, second.bytes, first.len) == 0);
}

/* "name: value" a line; what is no field is left out. The first has its name already. */
static void add_fields(char *text, struct rv_http_headers *headers)
{
	for (bool first = true; text && headers->count < 20; first = false) {
		char *line = strsep(&text, "\n"), *colon = first ? NULL : strchr(line, ':');
		const char *name = first ? "X-Amz-Meta-Fuzz" : line, *value = first ? line : colon ? colon + 1 : NULL;

		if (!value || !rv_http_value_valid(value))
			continue;
		if (!first)
			*colon = '\0';
		if (*name && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
				     strlen(name) && strcasecmp(name, "host") != 0)
			rv_http_headers_add(headers, name, value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_free_p) char *text = rv_strndup((const char *)data, size);
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	struct rv_aws_credentials credentials = {
		.access_key_id = (char *)(uintptr_t)"AKIDEXAMPLE",
		.secret_access_key = (char *)(uintptr_t)"secret",
	};
	char *path = text, *query, *value = NULL;
	if ((query = strchr(path, '\n')))
		*query++ = '\0';
	if (query && (value = strchr(query, '\n')))
		*value++ = '\0';
	add_fields(value, &headers);
	for (int i = 0; i < 4; i++) {
		int s3 = i & 1;

		credentials.session_token = i & 2 ? (char *)(uintptr_t)"token/+=" : NULL;
		struct rv_sigv4 sign = {
			.credentials = &credentials,
			.region = "eu-west-1",
			.service = s3 ? "s3" : "service",
			.now_ms = 1440938160000,
			.method = "GET",
			.host = "example.amazonaws.com",
			.path = path,
			.query = query,
			.payload_hash = RV_SHA256_EMPTY,
			.is_s3 = s3,
		};
		check_order(&sign, &headers);
		check(&sign, path, &headers); /* leaves its own query in sign */
	}
	return 0;
}
