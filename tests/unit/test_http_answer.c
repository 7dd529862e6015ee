/* Answers of servers: where each ends, whatever pieces it comes in, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "http/answer.h"

/* Feeds in pieces; *ret_left is what came behind the answer. */
static enum rv_http_answer_state feed(struct rv_http_answer *a, const char *text, size_t len, size_t piece,
				      size_t *ret_left)
{
	enum rv_http_answer_state state = RV_HTTP_ANSWER_MORE;
	size_t at = 0;

	rv_http_answer_init(a);
	while (state == RV_HTTP_ANSWER_MORE && at < len) {
		size_t used, n = len - at < piece ? len - at : piece;

		state = rv_http_answer_feed(a, text + at, n, &used);
		assert_true(used <= n && (used == n || state != RV_HTTP_ANSWER_MORE));
		at += used;
	}
	*ret_left = len - at;
	return state;
}

static void test_right(void **state)
{
	static const struct {
		const char *text;
		int status;
		bool keep;
		size_t left;
		int64_t retry_after_ms;
	} right[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, true, 0, -1 },
		{ "HTTP/1.1 200\r\ncontent-length:2\r\n\r\nokHTTP", 200, true, 4, -1 },
		{ "HTTP/1.1 204 No Content\r\n\r\nX", 204, true, 1, -1 },
		{ "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, true, 0, -1 },
		{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, true, 0, -1 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 200, false, 0, -1 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, CLOSE\r\n\r\n", 200, false, 0, -1 },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, false, 0, -1 },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", 200, true, 0, -1 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;a=b\r\n0123456789\r\n"
		  "0\r\nTrailer: x\r\n\r\nnext", 200, true, 4, -1 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n",
		  201, true, 0, -1 },
		{ "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 503, true, 0, 7000 },
		{ "HTTP/1.1 429 No\r\nRetry-After:  Sun, 06 Nov 1994 08:49:47 GMT \r\n"
		  "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n", 429, true, 0, 10000 },
		{ "HTTP/1.1 429 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", 429, true, 0, -1 },
		{ "HTTP/1.1 429 No\r\nRetry-After: 99999999\r\nContent-Length:\t0\t\r\n\r\n", 429, true, 0, 604800000 },
		/* a time without that of the service counts from ours, 08:49:40, and one that was is now */
		{ "HTTP/1.1 429 No\r\nRetry-After: Sun, 06 Nov 1994 08:49:47 GMT\r\nDate: today\r\n"
		  "Content-Length: 0\r\n\r\n", 429, true, 0, 7000 },
		{ "HTTP/1.1 429 No\r\nRetry-After: Sun, 06 Nov 1994 08:49:39 GMT\r\n"
		  "Content-Length: 0\r\n\r\n", 429, true, 0, 0 },
		{ "HTTP/1.1 429 No\r\nRetry-After: Sun, 06 Nov 2094 08:49:47 GMT\r\n"
		  "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n", 429, true, 0, 604800000 },
		{ "HTTP/1.1 429 No\r\nRetry-After: Sun, 06 Nov 1994 08:49:47 GMT\r\n"
		  "Date: Sun, 06 Nov 1994 08:49:57 GMT\r\nContent-Length: 0\r\n\r\n", 429, true, 0, 0 },
		/* as long as names and words that count */
		{ "HTTP/1.1 200 OK\r\nXontent-Length: 9\r\nXransfer-Encoding: gzip\r\nXonnection: close\r\n"
		  "Xetry-After: 5\r\nXate: x\r\nConnection: clone\r\nContent-Length: 0\r\n\r\n", 200, true, 0, -1 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 200, true, 0, -1 },
	};
	struct rv_http_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++)
		for (size_t piece = 1; piece <= strlen(right[i].text); piece++) {
			size_t left;

			if (feed(&a, right[i].text, strlen(right[i].text), piece, &left) !=
			    RV_HTTP_ANSWER_DONE)
				fail_msg("%s (%s)", right[i].text, a.fault ? a.fault : "more");
			assert_int_equal(a.status, right[i].status);
			assert_int_equal(a.keep, right[i].keep);
			assert_int_equal(left, right[i].left);
			assert_int_equal(rv_http_answer_retry_after_ms(&a, 784111780000), right[i].retry_after_ms);
		}
}

/* A line that is not kept whole ends where it ends, however it is cut; and its bytes count once. */
static void test_long_lines(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_http_answer a;
	size_t left;

	(void)state;
	for (int extra = -3; extra <= 3; extra++) {
		rv_strbuf_clear(&text);
		rv_strbuf_puts(&text, "HTTP/1.1 200 OK\r\nX: ");
		for (int i = 0; i < RV_HTTP_LINE_BYTES + extra; i++)
			rv_strbuf_putc(&text, 'y');
		rv_strbuf_puts(&text, "\r\nContent-Length: 0\r\n\r\n");
		for (size_t piece = 1; piece <= text.len; piece++)
			if (feed(&a, text.bytes, text.len, piece, &left) != RV_HTTP_ANSWER_DONE)
				fail_msg("%d, in pieces of %zu: %s", extra, piece, a.fault ? a.fault : "more");
		/* without its CR it has no end */
		memmove(strstr(text.bytes, "\r\nC"), strstr(text.bytes, "\nC"), strlen(strstr(text.bytes, "\nC")));
		for (size_t piece = 1; piece < text.len; piece++)
			assert_int_equal(feed(&a, text.bytes, text.len - 1, piece, &left), RV_HTTP_ANSWER_BROKEN);
	}
	rv_strbuf_clear(&text);
	rv_strbuf_puts(&text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
	while (text.len < RV_HTTP_HEAD_BYTES - 100)
		rv_strbuf_puts(&text, "X: y\r\n");
	rv_strbuf_puts(&text, "\r\n");
	assert_int_equal(feed(&a, text.bytes, text.len, 1, &left), RV_HTTP_ANSWER_DONE);
}

static void test_65_to_the_close(void **state)
{
	struct rv_http_answer a;
	size_t left, used;

	(void)state;
	assert_int_equal(feed(&a, "HTTP/1.0 200 OK\r\n\r\nas it comes", 30, 7, &left), RV_HTTP_ANSWER_MORE);
	assert_int_equal(rv_http_answer_feed(&a, "", 0, &used), RV_HTTP_ANSWER_DONE);
	assert_false(a.keep);
	assert_int_equal(feed(&a, "HTTP/1.1 200 OK\r\n\r\nas it comes", 30, 7, &left), RV_HTTP_ANSWER_MORE);
	assert_false(rv_http_answer_fresh(&a));
	assert_int_equal(rv_http_answer_feed(&a, "", 0, &used), RV_HTTP_ANSWER_DONE);
	assert_false(a.keep);
	/* but one that was promised is cut off */
	assert_int_equal(feed(&a, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nas", 40, 99, &left),
			 RV_HTTP_ANSWER_MORE);
	assert_int_equal(rv_http_answer_feed(&a, "", 0, &used), RV_HTTP_ANSWER_BROKEN);
	rv_http_answer_init(&a);
	assert_true(rv_http_answer_fresh(&a));
	assert_int_equal(rv_http_answer_feed(&a, "H", 1, &used), RV_HTTP_ANSWER_MORE);
	assert_false(rv_http_answer_fresh(&a));
	assert_int_equal(rv_http_answer_feed(&a, "", 0, &used), RV_HTTP_ANSWER_BROKEN);
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = {
		"HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.2 200 OK\r\n\r\n", "HTTP/1.1-200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 20x OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\n",
		"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5x\r\n",
		"HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "<html>\r\n\r\n", "\r\n",
		"HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: x\r\n\r\n", "HTTP/1.1 200 OK\r\nA b: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 101 Switch\r\n\r\n",
		"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
	};
	struct rv_http_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		for (size_t piece = 1; piece < 64; piece += 9) {
			size_t left;

			if (feed(&a, wrong[i], strlen(wrong[i]), piece, &left) != RV_HTTP_ANSWER_BROKEN)
				fail_msg("taken: %s", wrong[i]);
			assert_non_null(a.fault);
		}
	static const char nul[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\0\r\n\r\n";
	size_t left;

	assert_int_equal(feed(&a, nul, sizeof(nul) - 1, 9, &left), RV_HTTP_ANSWER_BROKEN);
	assert_string_equal(a.fault, "a NUL in a header");
}

/* Of a long line the beginning is looked at: what counts must not stand behind that. */
static void test_64_cut_headers(void **state)
{
	static const char *const names[] = { "Content-Length", "Transfer-Encoding", "Connection" };
	static const char *const values[] = { "5", "chunked", "close" };
	struct rv_http_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		size_t left;

		rv_strbuf_printf(&text, "HTTP/1.1 200 OK\r\n%s: ", names[i]);
		for (int j = 0; j < 1100; j++)
			rv_strbuf_putc(&text, i == 0 ? '0' : ',');
		rv_strbuf_printf(&text, "%s\r\n%s\r\n", values[i], i == 2 ? "Content-Length: 0\r\n" : "");
		assert_int_equal(feed(&a, text.bytes, text.len, 99, &left), RV_HTTP_ANSWER_BROKEN);
	}
}

/* 64: heads and bodies without an end are given up, and no memory is spent on them. */
static void test_64_without_an_end(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_http_answer a;
	size_t left;

	(void)state;
	rv_strbuf_puts(&text, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 10000; i++)
		rv_strbuf_printf(&text, "X-%d: y\r\n", i);
	assert_int_equal(feed(&a, text.bytes, text.len, 999, &left), RV_HTTP_ANSWER_BROKEN);
	rv_strbuf_clear(&text);
	rv_strbuf_puts(&text, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < 70000; i++)
		rv_strbuf_putc(&text, 'y');
	assert_int_equal(feed(&a, text.bytes, text.len, 999, &left), RV_HTTP_ANSWER_BROKEN);
	/* a long line that nobody looks at is fine */
	rv_strbuf_truncate(&text, 5000);
	rv_strbuf_puts(&text, "\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(feed(&a, text.bytes, text.len, 999, &left), RV_HTTP_ANSWER_DONE);
	rv_strbuf_clear(&text);
	for (int i = 0; i < 5000; i++)
		rv_strbuf_puts(&text, "HTTP/1.1 100 Continue\r\n\r\n");
	assert_int_equal(feed(&a, text.bytes, text.len, 999, &left), RV_HTTP_ANSWER_BROKEN);
	rv_strbuf_clear(&text);
	rv_strbuf_puts(&text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 200; i++) {
		rv_strbuf_puts(&text, "2000\r\n");
		for (int j = 0; j < 0x2000; j++)
			rv_strbuf_putc(&text, 'y');
		rv_strbuf_puts(&text, "\r\n");
	}
	assert_int_equal(feed(&a, text.bytes, text.len, 999, &left), RV_HTTP_ANSWER_BROKEN);
	/* one that ends with the connection */
	rv_strbuf_clear(&text);
	rv_strbuf_puts(&text, "HTTP/1.1 200 OK\r\n\r\n");
	for (size_t i = 0; i < RV_HTTP_SKIP_BYTES; i++)
		rv_strbuf_putc(&text, 'y');
	assert_int_equal(feed(&a, text.bytes, text.len, 9999, &left), RV_HTTP_ANSWER_MORE);
	rv_strbuf_putc(&text, 'y');
	assert_int_equal(feed(&a, text.bytes, text.len, 9999, &left), RV_HTTP_ANSWER_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_65_to_the_close),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_64_cut_headers),
		cmocka_unit_test(test_64_without_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
