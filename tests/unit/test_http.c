/* Requests as they go over the wire, answers as they come back, connections that are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "http/internal.h"
#include "unit/http_world.h"

struct trace {
	struct rv_strbuf text;
};

static void keep_trace(void *arg, const char *line)
{
	struct trace *trace = arg;

	rv_strbuf_puts(&trace->text, line);
	rv_strbuf_putc(&trace->text, '\n');
}

/* One request to a server of its own; the head that it saw is left in `head`. */
static void send_one(const struct rv_http_request *base, const char *path, peer_script *script,
		     struct rv_http_response *response, struct rv_strbuf *head,
		     struct rv_strbuf *body)
{
	struct server server;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_http_outcome outcome;
	struct rv_http *http = rv_http_new(&(struct rv_http_params){ 0 });
	struct rv_http_request request = *base;

	server_start(&server, script, NULL);
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("%s%s", server.url, path);
	request.url = url;
	enum rv_status status = rv_http_once(http, &request, response, &outcome, &err);
	rv_http_free(http);
	server_stop(&server);
	if (status != RV_OK)
		fail_msg("%s", err.message);
	assert_int_equal(outcome, RV_HTTP_ANSWERED);
	if (head)
		rv_strbuf_add(head, server.last_head.bytes, server.last_head.len);
	if (body)
		rv_strbuf_add(body, server.last_body.bytes, server.last_body.len);
	server_release(&server);
}

static void test_get(void **state)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
		RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf head = RV_STRBUF_INIT;
	(void)state;

	send_one(&(struct rv_http_request){ .method = "GET", .body = RV_HTTP_NO_BODY },
		 "/a/../b//c/./d%2Fe?x=%20&y", script_ok, &response, &head, NULL);
	assert_int_equal(response.status, 200);
	assert_string_equal(response.body.bytes, "ok");
	/* exactly what was given, and nothing of libcurl's own */
	assert_non_null(strstr(head.bytes, "GET /a/../b//c/./d%2Fe?x=%20&y HTTP/1.1\r\nHost: "));
	assert_null(strcasestr(head.bytes, "\r\naccept"));
	assert_null(strcasestr(head.bytes, "expect"));
	assert_null(strcasestr(head.bytes, "content-"));
}

static void test_put_and_post(void **state)
{
	static const char *const methods[] = { "PUT", "POST" };
	(void)state;

	for (size_t i = 0; i < 2; i++) {
		for (size_t len = 0; len <= 3 * 1024 * 1024; len = len * 1000 + 1) {
			RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
				RV_HTTP_RESPONSE_INIT;
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf head = RV_STRBUF_INIT;
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
			struct rv_http_headers headers = { 0 };
			char length[64];
			RV_CLEANUP(rv_free_p) char *bytes = rv_malloc(len);

			for (size_t k = 0; k < len; k++)
				bytes[k] = (char)(k * 7 + k / 251);
			rv_http_headers_add(&headers, "X-Empty", "");
			rv_http_headers_add(&headers, "X-Amz-Target", "Firehose.PutRecordBatch");
			send_one(&(struct rv_http_request){
					 .method = methods[i],
					 .headers = &headers,
					 .body = { .bytes = bytes, .fd = -1, .len = len } },
				 "/", script_ok, &response, &head, &body);
			rv_http_headers_release(&headers);
			snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", len);
			assert_non_null(strstr(head.bytes, length));
			assert_true(rv_starts_with(head.bytes, methods[i]));
			assert_non_null(strstr(head.bytes, "\r\nX-Empty:\r\n"));
			assert_non_null(strstr(head.bytes, "\r\nX-Amz-Target: Firehose.PutRecordBatch\r\n"));
			assert_null(strcasestr(head.bytes, "content-type"));
			assert_null(strcasestr(head.bytes, "transfer-encoding"));
			assert_int_equal(body.len, len);
			assert_memory_equal(body.bytes, bytes, len);
		}
	}
}

static void test_body_from_file(void **state)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
		RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	RV_CLEANUP(rv_close_p) int fd = memfd_create("body", MFD_CLOEXEC);
	(void)state;

	assert_int_equal(write(fd, "0123456789", 10), 10);
	send_one(&(struct rv_http_request){ .method = "PUT",
					    .body = { .fd = fd, .offset = 3, .len = 5 } },
		 "/", script_ok, &response, NULL, &body);
	assert_string_equal(body.bytes, "34567");
}

static void script_head(struct peer *peer)
{
	while (peer_read(peer))
		peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 123456\r\n"
			       "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nETag:  \"x\"  \r\n\r\n");
}

static void test_head(void **state)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
		RV_HTTP_RESPONSE_INIT;
	(void)state;

	send_one(&(struct rv_http_request){ .method = "HEAD", .body = RV_HTTP_NO_BODY }, "/",
		 script_head, &response, NULL, NULL);
	assert_string_equal(rv_http_headers_get(&response.headers, "content-length"), "123456");
	assert_string_equal(rv_http_headers_get(&response.headers, "etag"), "\"x\"");
	assert_true(response.date_ms == INT64_C(784111777000));
	assert_int_equal(response.body.len, 0);
}

static void script_odd(struct peer *peer)
{
	if (!peer_read(peer))
		return;
	peer_say(peer, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
		       "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n"
		       "bad name: 1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
		       "5\r\nmoved\r\n0\r\nX-Late: 1\r\n\r\n");
}

/* Interim answers, redirects, chunks and trailers. */
static void test_65_odd_answer(void **state)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
		RV_HTTP_RESPONSE_INIT;
	(void)state;

	send_one(&(struct rv_http_request){ .method = "GET", .body = RV_HTTP_NO_BODY }, "/",
		 script_odd, &response, NULL, NULL);
	assert_int_equal(response.status, 301);
	assert_string_equal(response.body.bytes, "moved");
	assert_null(rv_http_headers_get(&response.headers, "X-Early"));
	assert_null(rv_http_headers_get(&response.headers, "X-Late"));
	assert_string_equal(rv_http_headers_get(&response.headers, "location"),
			    "http://127.0.0.1:1/");
}

/* ---- connections ---- */
static void script_by_method(struct peer *peer)
{
	while (peer_read(peer)) {
		if (rv_starts_with(peer->head.bytes, "HEAD "))
			peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
		else if (rv_starts_with(peer->head.bytes, "DELETE "))
			peer_say(peer, "HTTP/1.1 204 No Content\r\n\r\n");
		else
			peer_answer(peer, 200, "", "ok");
	}
}

/* No request leaves anything behind for the next one. */
static void test_connection_is_kept(void **state)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
		RV_HTTP_RESPONSE_INIT;
	struct trace trace = { .text = RV_STRBUF_INIT };
	struct server server;
	struct rv_http *http = rv_http_new(&(struct rv_http_params){ .trace = keep_trace,
								     .trace_arg = &trace });
	static const char *const methods[] = { "GET", "PUT", "HEAD", "DELETE", "POST", "GET" };
	enum rv_http_outcome outcome;
	struct rv_error err = RV_ERROR_INIT;
	(void)state;

	server_start(&server, script_by_method, NULL);
	for (size_t i = 0; i < 6; i++) {
		struct rv_http_request request = { .method = methods[i], .url = server.url,
						   .body = RV_HTTP_NO_BODY };

		if (strcmp(methods[i], "PUT") == 0)
			request.body = (struct rv_http_body){ .bytes = "abc", .fd = -1, .len = 3 };
		assert_int_equal(rv_http_once(http, &request, &response, &outcome, &err), RV_OK);
		bool empty = methods[i][0] == 'H' || methods[i][0] == 'D';
		assert_int_equal(response.status, methods[i][0] == 'D' ? 204 : 200);
		assert_string_equal(response.body.bytes, empty ? "" : "ok");
	}
	rv_http_free(http);
	server_stop(&server);
	assert_int_equal(server.connections, 1);
	assert_int_equal(server.requests, 6);
	server_release(&server);
	assert_non_null(strstr(trace.text.bytes, "PUT http://127.0.0.1:"));
	assert_non_null(strstr(trace.text.bytes, " 200, sent 3, received 2 bytes in "));
	rv_strbuf_release(&trace.text);
}

struct crowd {
	struct rv_http *http;
	const char *url;
	atomic_uint good;
};

static void *crowd_main(void *arg)
{
	struct crowd *crowd = arg;
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	char body[50000];

	memset(body, 'x', sizeof(body));
	for (int i = 0; i < 20; i++) {
		struct rv_http_request request = {
			.method = "POST", .url = crowd->url,
			.body = { .bytes = body, .fd = -1, .len = sizeof(body) }
		};
		enum rv_http_outcome outcome;
		struct rv_error err = RV_ERROR_INIT;

		if (rv_http_once(crowd->http, &request, &response, &outcome, &err) == RV_OK &&
		    response.status == 200)
			atomic_fetch_add(&crowd->good, 1);
	}
	rv_http_response_release(&response);
	return NULL;
}

static void test_many_threads(void **state)
{
	struct server server;
	struct crowd crowd = { .http = rv_http_new(&(struct rv_http_params){ 0 }) };
	pthread_t threads[8];
	(void)state;

	server_start(&server, script_ok, NULL);
	crowd.url = server.url;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowd), 0);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	rv_http_free(crowd.http);
	server_stop(&server);
	assert_int_equal(crowd.good, 160);
	assert_int_equal(server.requests, 160);
	assert_true(server.connections <= 8);
	server_release(&server);
}

/* ---- sinks ---- */
static enum rv_status into_buffer(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct rv_strbuf *sb = arg;

	if (sb->len + len > 10)
		return rv_fail(err, RV_LOCAL_IO, "the buffer is full");
	rv_strbuf_add(sb, p, len);
	return RV_OK;
}

static void script_404(struct peer *peer)
{
	while (peer_read(peer))
		peer_answer(peer, 404, "", "this is not here");
}

static void script_long(struct peer *peer)
{
	while (peer_read(peer))
		peer_answer(peer, 200, "", "more than ten bytes");
}

static void test_sink(void **state)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
		RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	struct rv_http_request request = { .method = "GET", .body = RV_HTTP_NO_BODY,
					   .sink = into_buffer, .sink_arg = &got };
	struct server server;
	struct rv_http *http = rv_http_new(&(struct rv_http_params){ 0 });
	enum rv_http_outcome outcome;
	struct rv_error err = RV_ERROR_INIT;
	(void)state;

	send_one(&request, "/", script_ok, &response, NULL, NULL);
	assert_string_equal(got.bytes, "ok");
	assert_int_equal(response.body.len, 0);
	/* what is no success does not go there */
	send_one(&request, "/", script_404, &response, NULL, NULL);
	assert_string_equal(got.bytes, "ok");
	assert_string_equal(response.body.bytes, "this is not here");

	server_start(&server, script_long, NULL);
	request.url = server.url;
	assert_int_equal(rv_http_once(http, &request, &response, &outcome, &err), RV_LOCAL_IO);
	assert_string_equal(err.message, "the buffer is full");
	rv_http_free(http);
	server_stop(&server);
	server_release(&server);
}

/* ---- headers and text ---- */
static void test_headers(void **state)
{
	struct rv_http_headers headers = { 0 };
	(void)state;

	rv_http_headers_add(&headers, "Content-Type", "a");
	rv_http_headers_add(&headers, "x-b", "1");
	rv_http_headers_set(&headers, "content-type", "b");
	rv_http_headers_set(&headers, "X-C", "");
	assert_int_equal(headers.count, 3);
	assert_string_equal(rv_http_headers_get(&headers, "CONTENT-TYPE"), "b");
	assert_string_equal(headers.items[0].name, "Content-Type");
	assert_string_equal(rv_http_headers_get(&headers, "x-c"), "");
	assert_null(rv_http_headers_get(&headers, "x"));
	rv_http_headers_release(&headers);
	assert_true(rv_http_value_valid("a b\t\xc3\xa4"));
	assert_false(rv_http_value_valid("a\r\nX-Evil: 1"));
	assert_false(rv_http_value_valid("a\nb"));
}

static void test_encode(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	(void)state;

	rv_http_encode(&out, "aZ09-._~ +/%\xc3\xa4\0=", 16, true);
	assert_string_equal(out.bytes, "aZ09-._~%20%2B/%25%C3%A4%00%3D");
	rv_strbuf_clear(&out);
	rv_http_encode(&out, "a/b", 3, false);
	assert_string_equal(out.bytes, "a%2Fb");
}

static void test_199_redact(void **state)
{
	static const char *const pairs[][2] = {
		{ "GET https://b.example/k?X-Amz-Credential=AK&X-Amz-Signature=SECRET&x=1",
		  "GET https://b.example/k?X-Amz-Credential=AK&X-Amz-Signature=***&x=1" },
		{ "x-amz-security-token: SECRET\r\nnext: 1", "x-amz-security-token: ***\r\nnext: 1" },
		{ "Authorization: AWS4-HMAC-SHA256 Credential=A, Signature=SECRET\nnext",
		  "Authorization: ***\nnext" },
		{ "Proxy-Authorization: Basic SECRET", "Proxy-Authorization: ***" },
		{ "sent Bearer SECRET.x-y to", "sent Bearer *** to" },
		{ "http://user:SECRET@host/p?q=a@b", "http://***@host/p?q=a@b" },
		{ "https_proxy=http://u:p@SECRET@host:1", "https_proxy=http://***@host:1" },
		{ "https://host/path@x", "https://host/path@x" },
		{ "{\"SecretAccessKey\": \"SECRET\", \"Token\":\"SECRET\",\"a\":1}",
		  "{\"SecretAccessKey\": \"***\", \"Token\":\"***\",\"a\":1}" },
		{ "<SessionToken>SECRET</SessionToken>", "<SessionToken>***</SessionToken>" },
		{ "?list-type=2&continuation-token=abc&prefix=token/x",
		  "?list-type=2&continuation-token=abc&prefix=token/x" },
		{ "the security token included is expired", "the security token included is expired" },
		{ "Token:", "Token:" },
		{ "seen eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJBQ01FLURBVEEu.c2lnbmF0dXJlLXBhcnQ, refused",
		  "seen ***, refused" },
		{ "eyJ is no token, nor is eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJBQ01FLURBVEEu alone",
		  "eyJ is no token, nor is eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJBQ01FLURBVEEu alone" },
		{ "CREDENTIALS=(AWS_SECRET_KEY='SECRET' AWS_TOKEN = 'SECRET')",
		  "CREDENTIALS=(AWS_SECRET_KEY='***' AWS_TOKEN = '***')" },
		{ "private_key_passphrase = \"SECRET\"", "private_key_passphrase = \"***\"" },
		{ "", "" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;

		rv_http_redact(&out, pairs[i][0]);
		assert_string_equal(out.bytes, pairs[i][1]);
	}
}

static void test_dates(void **state)
{
	static const char *const bad[] = {
		"", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 06 Nov -994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
	};
	int64_t ms;
	(void)state;

	assert_true(rv_http_parse_date("Sun, 06 Nov 1994 08:49:37 GMT", &ms));
	assert_true(ms == INT64_C(784111777000));
	assert_true(rv_http_parse_date("Thu, 29 Feb 2024 23:59:60 GMT", &ms));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(rv_http_parse_date(bad[i], &ms));
}

static void test_origin(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	(void)state;

	rv_http_origin(&out, "https://u:p@host:1?a=b@c");
	assert_string_equal(out.bytes, "https://host:1");
}

struct two {
	int six, four; /* listeners on one port; `six` -1: there is no IPv6 here */
	int port, peer;
	bool four_wins;
};

/* A listener that takes nobody: its queue is full. The one in it is left in *ret_first. */
static void fill(int fd, const struct sockaddr *address, socklen_t size, int *ret_first)
{
	assert_int_equal(listen(fd, 0), 0);
	*ret_first = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*ret_first, address, size), 0);
}

/* Lets one of them in when the other has long been tried too. */
static void *let_in(void *arg)
{
	struct two *two = arg;
	int listener = two->six >= 0 && !two->four_wins ? two->six : two->four;
	char buf[4096];

	if (two->six >= 0)
		usleep(700000);
	int first = accept(listener, NULL, NULL);
	two->peer = accept(listener, NULL, NULL);
	close(first);
	if (two->peer >= 0 && recv(two->peer, buf, sizeof(buf), 0) > 0) {
		static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

		(void)!send(two->peer, ok, sizeof(ok) - 1, MSG_NOSIGNAL);
	}
	return NULL;
}

/* Two addresses are tried at once, and the one that was begun first wins: it is that one's send buffer that
 * is looked at, not a descriptor that was closed and may be anybody's. */
static void race(bool four_wins)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
		RV_HTTP_RESPONSE_INIT;
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const struct timeval patience = { .tv_sec = 20 };
	struct two two = { .six = -1, .peer = -1, .four_wins = four_wins };
	struct rv_error err = RV_ERROR_INIT;
	enum rv_http_outcome outcome;
	const struct rv_curl_api *api;
	curl_socket_t active = CURL_SOCKET_BAD;
	int first_four, first_six = -1, on = 1;
	pthread_t thread;

	/* a port that is free at both addresses */
	for (int i = 0; i < 20 && two.six < 0; i++) {
		if (i)
			close(two.four);
		two.four = open_port(&two.port);
		two.six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		six.sin6_port = htons((uint16_t)two.port);
		if (two.six >= 0 &&
		    (setsockopt(two.six, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
		     bind(two.six, (struct sockaddr *)&six, sizeof(six)) < 0)) {
			close(two.six);
			two.six = -1;
		}
	}
	four.sin_port = htons((uint16_t)two.port);
	fill(two.four, (struct sockaddr *)&four, sizeof(four), &first_four);
	if (two.six >= 0)
		fill(two.six, (struct sockaddr *)&six, sizeof(six), &first_six);
	setsockopt(two.six, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(two.four, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(pthread_create(&thread, NULL, let_in, &two), 0);

	struct rv_http *http = rv_http_new(&(struct rv_http_params){ 0 });
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("http://localhost:%d/", two.port);
	const struct rv_http_request request = { .method = "GET", .url = url, .body = RV_HTTP_NO_BODY };
	enum rv_status status = rv_http_once(http, &request, &response, &outcome, &err);
	pthread_join(thread, NULL);
	if (status != RV_OK)
		fail_msg("%s", err.message);
	assert_non_null(http->idle);
	assert_int_equal(rv_curl_api(&api, &err), RV_OK);
	assert_int_equal(api->easy_getinfo(http->idle->easy, CURLINFO_ACTIVESOCKET, &active), CURLE_OK);
	assert_int_equal(http->idle->socket, active);
	rv_http_free(http);
	close(two.peer);
	close(first_four);
	close(two.four);
	if (two.six >= 0) {
		close(first_six);
		close(two.six);
	}
}

static void test_socket_of_the_winner(void **state)
{
	(void)state;
	race(false);
	race(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_put_and_post),
		cmocka_unit_test(test_body_from_file),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_65_odd_answer),
		cmocka_unit_test(test_connection_is_kept),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_socket_of_the_winner),
		cmocka_unit_test(test_sink),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_199_redact),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_origin),
	};
	return cmocka_run_group_tests_name("http", tests, http_world_setup, NULL);
}
