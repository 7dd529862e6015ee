/* Requests as the collector reads them: what is taken, what is refused and why; in one piece and byte by byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "http/server_request.h"

#define HOST "Host: h\r\n"

static enum rv_http_read read_whole(const char *text, size_t len, struct rv_http_head *head,
				    struct rv_http_refusal *refusal)
{
	/* Exactly the bytes that may be read. */
	char *copy = rv_malloc(len);
	memcpy(copy, text, len);
	enum rv_http_read whole = rv_http_head_read(copy, len, 0, head, refusal);
	/* As it trickles in: the same, or refused earlier. */
	struct rv_http_head again;
	struct rv_http_refusal why = { 0 };
	enum rv_http_read read = RV_HTTP_MORE;
	for (size_t n = 0, seen = 0; n <= len && read == RV_HTTP_MORE; n++) {
		char *piece = rv_malloc(n);
		memcpy(piece, text, n);
		read = rv_http_head_read(piece, n, seen, &again, &why);
		seen = n;
		free(piece);
	}
	assert_int_equal(read, whole);
	if (whole == RV_HTTP_REFUSED)
		assert_int_equal(why.status, refusal->status);
	free(copy);
	/* Slices of what is still there. */
	return rv_http_head_read(text, len, 0, head, refusal);
}

static struct rv_http_head taken(const char *text)
{
	struct rv_http_head head;
	struct rv_http_refusal refusal = { 0, "" };
	if (read_whole(text, strlen(text), &head, &refusal) != RV_HTTP_DONE)
		fail_msg("refused with %d, %s: %s", refusal.status, refusal.why, text);
	return head;
}

static void refused_len(const char *text, size_t len, int status)
{
	struct rv_http_head head;
	struct rv_http_refusal refusal = { 0, "" };
	if (read_whole(text, len, &head, &refusal) != RV_HTTP_REFUSED)
		fail_msg("not refused: %s", text);
	if (refusal.status != status)
		fail_msg("%d, %s: %s", refusal.status, refusal.why, text);
}

static void refused(const char *text, int status)
{
	refused_len(text, strlen(text), status);
}

static void is(struct rv_str s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.p, want, s.len);
}

static void test_plain(void **state)
{
	(void)state;
	struct rv_http_head h = taken("POST /rest/collect?a=b?c HTTP/1.1\r\nHost: a.example:80\r\n"
				      "Content-Length:  12\t\r\nX-Empty:\r\nX-Latin: \xe9\xff\r\n\r\nrest");
	is(h.method, "POST");
	is(h.path, "/rest/collect");
	is(h.query, "a=b?c");
	is(h.host, "a.example:80");
	assert_int_equal(h.content_length, 12);
	assert_true(h.keep_alive);
	assert_false(h.chunked);
	assert_int_equal(h.fields_count, 4);
	is(h.fields[2].value, "");
	is(h.fields[3].value, "\xe9\xff");
	is(rv_http_head_field(&h, "content-length")->value, "12");
	assert_null(rv_http_head_field(&h, "cookie"));

	h = taken("\r\nGET / HTTP/1.0\r\n\r\n");
	assert_int_equal(h.minor, 0);
	assert_false(h.keep_alive);
	assert_null(h.query.p);
	assert_int_equal(h.len, 20);
	assert_true(taken("GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n").keep_alive);
	assert_false(taken("GET / HTTP/1.1\r\n" HOST "Connection: keep-alive , close\r\n\r\n").keep_alive);
	assert_true(taken("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n").chunked);
	h = taken("GET http://b.example/x?y HTTP/1.1\r\n" HOST "\r\n");
	is(h.host, "b.example");
	is(h.path, "/x");
	is(h.query, "y");
	is(taken("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n").host, "[2001:db8::1]:80");
	is(taken("GET / HTTP/1.1\r\nHost: A-b_c.9\r\n\r\n").host, "A-b_c.9");
	/* lists of one header, and headers of one list */
	assert_false(taken("GET / HTTP/1.1\r\n" HOST "Connection: , ,close\r\n\r\n").keep_alive);
	assert_false(taken("GET / HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: keep-alive\r\n"
			   "Connection: keep-alive\r\n\r\n").keep_alive);
	assert_true(taken("GET / HTTP/1.1\r\n" HOST "Connection: , ,\t\r\n\r\n").keep_alive);
	assert_true(taken("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nConnection: x\r\n\r\n").keep_alive);
	assert_false(taken("GET / HTTP/1.0\r\nConnection: keep-alives\r\n\r\n").keep_alive);
	assert_null(rv_http_head_field(&h, "hos"));
	assert_null(rv_http_head_field(&h, "hosts"));
	is(taken("OPTIONS * HTTP/1.1\r\n" HOST "\r\n").path, "*");
	is(taken("GET /a|{}^\\`\"<> HTTP/1.1\r\n" HOST "\r\n").path, "/a|{}^\\`\"<>");
}

static void test_182_expect(void **state)
{
	(void)state;
	assert_true(taken("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n")
			    .expects_continue);
	assert_true(taken("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
			    .expects_continue);
	/* Nobody waits for it where there is no body, or before it was invented. */
	assert_false(taken("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n").expects_continue);
	assert_false(taken("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
			     .expects_continue);
	refused("POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n", 417);
}

/* What two programs could take for different requests. */
static void test_184_framing(void **state)
{
	(void)state;
	static const char *const fields[] = {
		"Content-Length: 1\r\nContent-Length: 1",
		"Content-Length: 1\r\nContent-Length: 2",
		"Content-Length: 1, 1",
		"Content-Length: 1\r\nTransfer-Encoding: chunked",
		"Transfer-Encoding: chunked\r\nContent-Length: 1",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
		"Content-Length: -1",
		"Content-Length: +1",
		"Content-Length: 0x10",
		"Content-Length: 1 1",
		"Content-Length: 1e3",
		"Content-Length:",
		"Content-Length: 9999999999999999999",
		"Content-Length: 18446744073709551617",
		"Content-Length : 1",
		"Transfer-Encoding : chunked",
		" Content-Length: 1",
		"X: 1\r\n folded",
		"X: 1\r\n\tContent-Length: 1",
		": 1",
		"X",
		"X\x01: 1",
		"X: a\x01z",
		"X: a\x7fz",
		"X: a\rb",
		"\xe9: 1",
		"Host: other",
		"Content-Length: 5\rX: 1",
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		RV_CLEANUP(rv_free_p)
		char *text = rv_asprintf("POST /collect HTTP/1.1\r\n" HOST "%s\r\n\r\n", fields[i]);
		refused(text, 400);
	}
	refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
	refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
		"chunked\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501);
	refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost:\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
}

static void test_184_lines(void **state)
{
	(void)state;
	static const char *const heads[] = {
		"GET / HTTP/1.1\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n\n",
		"\nGET / HTTP/1.1\r\n" HOST "\r\n",
		"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
		" GET / HTTP/1.1\r\n" HOST "\r\n",
		"GET  / HTTP/1.1\r\n" HOST "\r\n",
		"GET /  HTTP/1.1\r\n" HOST "\r\n",
		"GET / HTTP/1.1 \r\n" HOST "\r\n",
		"GET\t/ HTTP/1.1\r\n" HOST "\r\n",
		"GET /\r\n" HOST "\r\n",
		"GET\r\n" HOST "\r\n",
		"G(T / HTTP/1.1\r\n" HOST "\r\n",
		"GET x HTTP/1.1\r\n" HOST "\r\n",
		"GET * HTTP/1.1\r\n" HOST "\r\n",
		"GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n",
		"GET http://h HTTP/1.1\r\n" HOST "\r\n",
		"GET http://h?x HTTP/1.1\r\n" HOST "\r\n",
		"GET http://h{/x HTTP/1.1\r\n" HOST "\r\n",
		"GET /\x7f HTTP/1.1\r\n" HOST "\r\n",
		"GETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\n" HOST "\r\n",
		"\rGET / HTTP/1.1\r\n" HOST "\r\n",
		"GET / HTTP/!.1\r\n" HOST "\r\n",
		"GET / HTTP/:.1\r\n" HOST "\r\n",
		"GET / HTTP/1x1\r\n" HOST "\r\n",
		"GET / HTTP/1./\r\n" HOST "\r\n",
		"GET http:///x HTTP/1.1\r\n" HOST "\r\n",
		"GET http://a@b/x HTTP/1.1\r\n" HOST "\r\n",
		"GET /# HTTP/1.1\r\n" HOST "\r\n",
		"GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n",
		"GET / HTTP/1.x\r\n" HOST "\r\n",
		"GET / http/1.1\r\n" HOST "\r\n",
		"GET / HTTP/11\r\n" HOST "\r\n",
		"\x16\x03\x01\x02\x01\x01\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		refused(heads[i], 400);
	refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
	refused("GET / HTTP/1.2\r\n" HOST "\r\n", 505);
	static const char nul[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
	refused_len(nul, sizeof(nul) - 1, 400);
	static const char nul_value[] = "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n";
	refused_len(nul_value, sizeof(nul_value) - 1, 400);
}

static void test_184_sizes(void **state)
{
	(void)state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_strbuf_puts(&text, "GET / HTTP/1.1\r\n" HOST);
	for (int i = 1; i < RV_HTTP_FIELDS_MAX; i++)
		rv_strbuf_printf(&text, "X%d: 1\r\n", i);
	size_t fields = text.len;
	rv_strbuf_puts(&text, "\r\n");
	assert_int_equal(taken(text.bytes).fields_count, RV_HTTP_FIELDS_MAX);
	rv_strbuf_truncate(&text, fields);
	rv_strbuf_puts(&text, "One: more\r\n\r\n");
	refused(text.bytes, 431);

	/* Never ends, and is refused where the limit is. */
	struct rv_http_head head;
	struct rv_http_refusal refusal;
	rv_strbuf_clear(&text);
	rv_strbuf_puts(&text, "GET / HTTP/1.1\r\nX: ");
	while (text.len < RV_HTTP_HEAD_MAX)
		rv_strbuf_putc(&text, 'x');
	assert_int_equal(rv_http_head_read(text.bytes, text.len, 0, &head, &refusal), RV_HTTP_MORE);
	rv_strbuf_putc(&text, 'x');
	assert_int_equal(rv_http_head_read(text.bytes, text.len, 0, &head, &refusal), RV_HTTP_REFUSED);
	assert_int_equal(refusal.status, 431);

	rv_strbuf_clear(&text);
	rv_strbuf_puts(&text, "GET /");
	while (text.len < RV_HTTP_TARGET_MAX + 5)
		rv_strbuf_putc(&text, 'x');
	rv_strbuf_puts(&text, " HTTP/1.1\r\n" HOST "\r\n");
	refused(text.bytes, 414);
}

/* ---- chunks ---- */

/* Decodes in pieces of `piece` bytes; what comes behind the body goes to `rest`. */
static enum rv_http_read decode(const char *text, size_t len, size_t piece, uint64_t max,
				struct rv_strbuf *out, size_t *rest, int *status)
{
	struct rv_http_chunks chunks = { .digits = 0 };
	struct rv_http_refusal refusal = { 0, "" };
	for (size_t at = 0; at < len;) {
		size_t n = len - at < piece ? len - at : piece, used;
		struct rv_str data;
		RV_CLEANUP(rv_free_p) char *copy = rv_malloc(n);
		memcpy(copy, text + at, n);
		enum rv_http_read read =
			rv_http_chunks_read(&chunks, copy, n, max, &used, &data, &refusal);
		assert_true(used <= n && (used > 0 || n == 0));
		rv_strbuf_add(out, data.p, data.len);
		at += used;
		*rest = len - at;
		*status = refusal.status;
		if (read != RV_HTTP_MORE)
			return read;
	}
	return RV_HTTP_MORE;
}

static void chunked(const char *text, size_t max, enum rv_http_read want, const char *body, int status)
{
	for (size_t piece = 1; piece < 8; piece++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
		size_t rest = 0;
		int got = 0;
		enum rv_http_read read = decode(text, strlen(text), piece, max, &out, &rest, &got);
		if (read != want || got != status)
			fail_msg("%d with %d, not %d with %d: %s", read, got, want, status, text);
		if (body)
			assert_string_equal(out.bytes, body);
	}
}

static void test_183_chunks(void **state)
{
	(void)state;
	chunked("5\r\nhello\r\n0\r\n\r\n", 100, RV_HTTP_DONE, "hello", 0);
	chunked("5;a=b\r\nhello\r\n1;x\r\n!\r\n000\r\n\r\nGET", 100, RV_HTTP_DONE, "hello!", 0);
	chunked("A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", 20, RV_HTTP_DONE,
		"0123456789abcdefghij", 0);
	chunked("5;a=\tb\r\nhello\r\n0\r\n\r\n", 100, RV_HTTP_DONE, "hello", 0);
	/* Cut anywhere it is not whole. */
	static const char whole[] = "5\r\nhello\r\n0\r\n\r\n";
	for (size_t n = 0; n + 1 < sizeof(whole); n++) {
		RV_CLEANUP(rv_free_p) char *cut = rv_strndup(whole, n);
		chunked(cut, 100, RV_HTTP_MORE, NULL, 0);
	}
}

static void test_183_no_chunks(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"+1\r\nx\r\n0\r\n\r\n",   "0x10\r\n",		   "-1\r\n",
		" 1\r\nx\r\n",		  "1 \r\nx\r\n",	   "\r\n",
		"g\r\n",		  ";x\r\n",		   "1\nx\r\n",
		"1\r\nx\n0\r\n\r\n",	  "1\r\nxy\r\n0\r\n\r\n",  "1\r\nx0\r\n\r\n",
		"00000000000000001\r\nx", "1;a\nx\r\n",		   "1;\x01\r\nx\r\n",
		"0\r\nTrailer: 1\r\n\r\n", "0\r\n\n",		   "1\rx\r\n",
		"0\r\n \r\n",		  "1;\x7f\r\nx\r\n",	   "1\r\nx\rx",
		"0\r\n\rx",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		chunked(bad[i], 1000, RV_HTTP_REFUSED, NULL, 400);
	chunked("ffffffffffffffff\r\n", 1000, RV_HTTP_REFUSED, NULL, 413);
	chunked("5\r\nhello\r\nfffffffffffffffe\r\n", 1000, RV_HTTP_REFUSED, "hello", 413);
	chunked("b\r\n", 10, RV_HTTP_REFUSED, NULL, 413);
	chunked("5\r\nhello\r\n6\r\nworld!\r\n", 10, RV_HTTP_REFUSED, "hello", 413);

	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_strbuf_puts(&text, "1;");
	for (int i = 0; i < 1 << 20; i++)
		rv_strbuf_putc(&text, 'e');
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	size_t rest;
	int status;
	assert_int_equal(decode(text.bytes, text.len, text.len, 10, &out, &rest, &status), RV_HTTP_REFUSED);
	assert_int_equal(status, 400);
	assert_true(rest > 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_182_expect),
		cmocka_unit_test(test_184_framing),
		cmocka_unit_test(test_184_lines),
		cmocka_unit_test(test_184_sizes),
		cmocka_unit_test(test_183_chunks),
		cmocka_unit_test(test_183_no_chunks),
	};
	return cmocka_run_group_tests_name("server_request", tests, NULL, NULL);
}
