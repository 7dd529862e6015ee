/* Servers and networks that misbehave: what became of the request, and what the message says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "http/internal.h"
#include "unit/http_world.h"

/* A client, a server and the last result. */
struct world {
	struct server server;
	struct rv_http *http;
	struct rv_http_response response;
	struct rv_error err;
	enum rv_http_outcome outcome;
	bool (*should_stop)(void);
};

static void open_world(struct world *w, peer_script *script)
{
	*w = (struct world){ .response = RV_HTTP_RESPONSE_INIT, .err = RV_ERROR_INIT };
	server_start(&w->server, script, NULL);
	w->http = rv_http_new(&(struct rv_http_params){ 0 });
}

static void close_world(struct world *w)
{
	rv_http_free(w->http);
	rv_http_response_release(&w->response);
	server_stop(&w->server);
	server_release(&w->server);
}

static enum rv_status once(struct world *w, const struct rv_http_request *base)
{
	struct rv_http_request request = *base;

	if (!request.method)
		request.method = "GET";
	if (!request.url)
		request.url = w->server.url;
	w->err = (struct rv_error)RV_ERROR_INIT;
	return rv_http_once(w->http, &request, &w->response, &w->outcome, &w->err);
}

static void assert_says(const struct world *w, const char *text)
{
	if (!strstr(w->err.message, text))
		fail_msg("'%s' is not in: %s", text, w->err.message);
}

#define GET { .method = "GET", .body = RV_HTTP_NO_BODY }

/* ---- no libcurl ---- */
static void test_no_libcurl(void **state)
{
	pid_t pid = fork();
	(void)state;

	assert_true(pid >= 0);
	if (pid == 0) {
		/* before anything has loaded it: a loader that can open no file */
		struct rlimit none = { 0, 0 };
		struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
		struct rv_http_request request = GET;
		struct rv_error err = RV_ERROR_INIT;
		enum rv_http_outcome outcome;
		struct rv_http *http = rv_http_new(&(struct rv_http_params){ 0 });

		request.url = "http://127.0.0.1:1/";
		setrlimit(RLIMIT_NOFILE, &none);
		enum rv_status status = rv_http_once(http, &request, &response, &outcome, &err);
		rv_http_free(http);
		_exit(status == RV_NOT_FOUND && outcome == RV_HTTP_NOT_SENT &&
		      strstr(err.message, "libcurl") && strstr(err.hint, "libcurl4") ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- what was sent ---- */
static void script_leave_at_second(struct peer *peer)
{
	if (peer_read(peer) && peer_answer(peer, 200, "", "ok"))
		peer_read(peer);
}

/* libcurl alone would send it again, and nobody would know. */
static void test_26_no_silent_second_send(void **state)
{
	static const struct {
		const char *method;
		size_t len;
	} cases[] = { { "POST", 300000 }, { "POST", 10 }, { "POST", 0 }, { "PUT", 2000000 },
		      { "DELETE", 0 },    { "GET", 0 } };
	RV_CLEANUP(rv_free_p) char *bytes = rv_calloc(1, 2000000);
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world w;
		struct rv_http_request request = {
			.method = cases[i].method,
			.body = { .bytes = bytes, .fd = -1, .len = cases[i].len }
		};

		open_world(&w, script_leave_at_second);
		assert_int_equal(once(&w, &request), RV_OK);
		assert_int_equal(once(&w, &request), RV_FAILED);
		assert_int_equal(w.outcome, RV_HTTP_UNKNOWN);
		assert_true(w.err.transient);
		assert_says(&w, "closed the kept connection without an answer");
		rv_http_free(w.http);
		w.http = NULL;
		server_stop(&w.server);
		/* it may open a connection, but must write nothing there */
		assert_int_equal(w.server.heads, 2);
		assert_int_equal(w.server.requests, 2);
		server_release(&w.server);
		rv_http_response_release(&w.response);
	}
}

static void script_leave(struct peer *peer)
{
	peer_read(peer);
}

static void test_no_answer(void **state)
{
	struct world w;
	(void)state;

	open_world(&w, script_leave);
	assert_int_equal(once(&w, &(struct rv_http_request){
				      .method = "POST",
				      .body = { .bytes = "abc", .fd = -1, .len = 3 } }), RV_FAILED);
	assert_int_equal(w.outcome, RV_HTTP_UNKNOWN);
	close_world(&w);
}

static void script_reset_in_body(struct peer *peer)
{
	if (peer->number == 1) {
		peer_read(peer);
		peer_answer(peer, 200, "", "ok");
	}
	if (peer_read_head(peer))
		peer_reset(peer);
}

/* More than what fits into the buffers of the system. */
static void test_reset_in_body(void **state)
{
	size_t len = 64 * 1024 * 1024;
	void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rv_http_request small = { .method = "POST",
					 .body = { .bytes = "abc", .fd = -1, .len = 3 } };
	struct rv_http_request large = { .method = "POST",
					 .body = { .bytes = bytes, .fd = -1, .len = len } };
	struct world w;
	(void)state;

	assert_true(bytes != MAP_FAILED);
	open_world(&w, script_reset_in_body);
	assert_int_equal(once(&w, &small), RV_OK);
	for (int i = 0; i < 2; i++) {
		/* on a kept connection, and on a new one */
		assert_int_equal(once(&w, &large), RV_FAILED);
		assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
		assert_true(w.err.transient);
	}
	close_world(&w);
	munmap(bytes, len);
}

static void script_one_each(struct peer *peer)
{
	if (!peer_read(peer))
		return;
	peer_answer(peer, 200, "", "ok");
	/* as balancers do; libcurl would take it for the answer to the next request */
	peer_say(peer, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
}

/* The server closes what is idle, with or without a word: no request may fall victim to that. */
static void test_stale_connection(void **state)
{
	struct rv_http_request request = { .method = "POST",
					   .body = { .bytes = "abc", .fd = -1, .len = 3 } };
	struct world w;
	(void)state;

	open_world(&w, script_one_each);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(once(&w, &request), RV_OK);
		assert_int_equal(w.response.status, 200);
		usleep(20000); /* its end arrives; too short a sleep proves less, but fails nothing */
		for (int k = 0; k < 500; k++) {
			bool open = false;

			pthread_mutex_lock(&w.server.mutex);
			for (struct peer *p = w.server.peers; p; p = p->next)
				open = open || p->fd >= 0;
			pthread_mutex_unlock(&w.server.mutex);
			if (!open)
				break;
			usleep(10000);
		}
	}
	close_world(&w);
}

static void test_no_connection(void **state)
{
	struct rv_http_request request = GET;
	char url[128];
	struct world w;
	(void)state;

	open_world(&w, script_ok);
	struct nobody nobody;
	nobody_start(&nobody);
	request.url = nobody.url;
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	assert_true(w.err.transient);
	assert_says(&w, "cannot connect to http://127.0.0.1:");
	close(nobody.fd);

	/* a name that no server needs to be asked about: a label of 64 letters */
	snprintf(url, sizeof(url), "http://%064d.example/", 0);
	request.url = url;
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	assert_says(&w, "cannot resolve");

	request.url = "file:///etc/passwd";
	assert_int_equal(once(&w, &request), RV_BAD_CONFIG);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	request.url = "http://127.0.0.1:123456/";
	assert_int_equal(once(&w, &request), RV_BAD_CONFIG);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	close_world(&w);
}

static void test_body_cannot_be_read(void **state)
{
	RV_CLEANUP(rv_close_p) int fd = memfd_create("body", MFD_CLOEXEC);
	RV_CLEANUP(rv_close_p) int unreadable = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct world w;
	(void)state;

	open_world(&w, script_ok);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	assert_int_equal(once(&w, &(struct rv_http_request){
				      .method = "PUT", .body = { .fd = fd, .len = 11 } }),
			 RV_LOCAL_IO);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	assert_says(&w, "ends after 10 of 11 bytes");
	assert_int_equal(once(&w, &(struct rv_http_request){
				      .method = "PUT", .body = { .fd = unreadable, .len = 1 } }),
			 RV_LOCAL_IO);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	close_world(&w);
}

/* ---- answers ---- */
static void script_large_headers(struct peer *peer)
{
	RV_CLEANUP(rv_free_p) char *value = rv_calloc(1, 16001);

	memset(value, 'a', 16000);
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 64; i++) {
		peer_say(peer, "X-A: ");
		peer_say(peer, value);
		if (!peer_say(peer, "\r\n"))
			return;
	}
	peer_say(peer, "Content-Length: 0\r\n\r\n");
}

static void script_long_header(struct peer *peer)
{
	RV_CLEANUP(rv_free_p) char *value = rv_calloc(1, 300001);

	memset(value, 'a', 300000);
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\nX-A: ");
	peer_say(peer, value);
	peer_say(peer, "\r\nContent-Length: 0\r\n\r\n");
}

static void script_many_headers(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 300; i++)
		if (!peer_say(peer, "X-A: 1\r\n"))
			return;
	peer_say(peer, "Content-Length: 0\r\n\r\n");
}

static void script_interim_flood(struct peer *peer)
{
	peer_read(peer);
	while (peer_say(peer, "HTTP/1.1 100 Continue\r\n\r\n"))
		;
}

static void script_endless_body(struct peer *peer)
{
	static char block[65536];

	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\n\r\n");
	while (peer_send(peer, block, sizeof(block)))
		;
}

static void script_trailer_flood(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	while (peer_say(peer, "X-A: 1\r\n"))
		;
}

static void script_garbage(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "SSH-2.0-OpenSSH_9.2\r\n");
}

static void script_no_colon(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\nno field\r\nContent-Length: 0\r\n\r\n");
}

static void script_short_body(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
}

static void script_short_chunk(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
}

static void script_half_head(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Le");
}

static void test_64_bad_answers(void **state)
{
	static const struct {
		peer_script *script;
		const char *says;
	} cases[] = {
		{ script_large_headers, "headers of more than 64 KiB" },
		{ script_long_header, "headers" },
		{ script_many_headers, "more than 200 lines of headers" },
		{ script_interim_flood, "more than 200 lines of headers" },
		{ script_trailer_flood, "more than 200 lines of headers" },
		{ script_endless_body, "a body of more than 1048576 bytes" },
		{ script_garbage, "not HTTP" },
		{ script_no_colon, "not HTTP" },
		{ script_short_body, "cut off" },
		{ script_short_chunk, "cut off" },
		{ script_half_head, "cut off" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world w;

		open_world(&w, cases[i].script);
		assert_int_equal(once(&w, &(struct rv_http_request){
					      .method = "POST",
					      .body = { .bytes = "abc", .fd = -1, .len = 3 } }),
				 RV_FAILED);
		assert_says(&w, cases[i].says);
		assert_true(w.err.transient);
		assert_int_equal(w.outcome, RV_HTTP_UNKNOWN);
		assert_int_equal(w.response.status, 0);
		assert_int_equal(w.response.body.len, 0);
		close_world(&w);
	}
}

static void test_64_body_limit(void **state)
{
	struct rv_http_request request = GET;
	struct world w;
	(void)state;

	open_world(&w, script_ok);
	request.max_body_bytes = 2;
	assert_int_equal(once(&w, &request), RV_OK);
	request.max_body_bytes = 1;
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_says(&w, "a body of more than 1 bytes");
	close_world(&w);
}

static void script_no_answer(struct peer *peer)
{
	peer_read(peer);
}

/* What a port for TLS does with a request in plain text. */
static void test_no_answer_over_http(void **state)
{
	struct rv_http_request request = GET;
	struct world w;
	(void)state;

	open_world(&w, script_no_answer);
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_says(&w, "closed the connection without an answer");
	assert_non_null(strstr(w.err.hint, "must begin with https://"));
	assert_true(w.err.transient);
	close_world(&w);
}

static void script_http_1_0(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
}

static void test_65_no_content_length(void **state)
{
	struct rv_http_request request = GET;
	struct world w;
	(void)state;

	open_world(&w, script_http_1_0);
	assert_int_equal(once(&w, &request), RV_OK);
	assert_string_equal(w.response.body.bytes, "until the end");
	assert_int_equal(once(&w, &request), RV_OK);
	close_world(&w);
}

static void script_early_503(struct peer *peer)
{
	if (!peer_read_head(peer))
		return;
	peer_answer(peer, 503, "Connection: close\r\n", "slow down");
	/* what still comes is taken, so that no reset overtakes the answer */
	while (peer_fill(peer))
		rv_strbuf_clear(&peer->in);
}

static void script_early_200(struct peer *peer)
{
	if (!peer_read_head(peer))
		return;
	peer_answer(peer, 200, "Connection: close\r\n", "thank you");
	while (peer_fill(peer))
		rv_strbuf_clear(&peer->in);
}

static void test_early_answer(void **state)
{
	size_t len = 64 * 1024 * 1024;
	void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rv_http_request request = { .method = "PUT",
					   .body = { .bytes = bytes, .fd = -1, .len = len } };
	struct world w;
	(void)state;

	assert_true(bytes != MAP_FAILED);
	open_world(&w, script_early_503);
	assert_int_equal(once(&w, &request), RV_OK);
	assert_int_equal(w.outcome, RV_HTTP_ANSWERED);
	assert_int_equal(w.response.status, 503);
	assert_string_equal(w.response.body.bytes, "slow down");
	close_world(&w);

	open_world(&w, script_early_200);
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_int_equal(w.outcome, RV_HTTP_UNKNOWN);
	assert_says(&w, "answered 200 before all of the body was sent");
	close_world(&w);
	munmap(bytes, len);
}

/* ---- time ---- */
static void script_stall(struct peer *peer)
{
	peer_read(peer);
	peer_sleep(peer);
}

static void script_stall_in_body(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
	peer_sleep(peer);
}

static void script_drip(struct peer *peer)
{
	peer_read(peer);
	peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	while (!atomic_load(&peer->server->stopping) && peer_say(peer, "x"))
		usleep(10000);
}

static void test_stall(void **state)
{
	struct rv_http_request request = GET;
	struct world w;
	(void)state;

	request.stall_timeout_ms = 100;
	open_world(&w, script_stall);
	do { /* the request has to be out before it is a stall */
		assert_int_equal(once(&w, &request), RV_FAILED);
		assert_true(w.err.transient);
		assert_says(&w, "stalled");
	} while (w.outcome != RV_HTTP_UNKNOWN && (request.stall_timeout_ms *= 4) < 100000);
	assert_int_equal(w.outcome, RV_HTTP_UNKNOWN);
	close_world(&w);

	open_world(&w, script_stall_in_body);
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_says(&w, "stalled");
	close_world(&w);
}

static void script_take_nothing(struct peer *peer)
{
	peer_sleep(peer);
}

/* An upload that nobody reads. */
static void test_stall_in_upload(void **state)
{
	size_t len = 64 * 1024 * 1024;
	void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct world w;
	(void)state;

	assert_true(bytes != MAP_FAILED);
	open_world(&w, script_take_nothing);
	assert_int_equal(once(&w, &(struct rv_http_request){
				      .method = "PUT", .stall_timeout_ms = 100,
				      .body = { .bytes = bytes, .fd = -1, .len = len } }),
			 RV_FAILED);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	assert_says(&w, "stalled");
	close_world(&w);
	munmap(bytes, len);
}

/* Takes 2 KiB 20 times a second, or more rarely by a factor: what was handed over whole long ago is
 * still on its way. */
static void script_take_slowly(struct peer *peer)
{
	unsigned factor = *(const unsigned *)peer->server->arg;
	char buf[2048];
	size_t taken = 0;

	while (taken < 200000) {
		ssize_t n = recv(peer->fd, buf, sizeof(buf), 0);

		if (n <= 0)
			return;
		taken += (size_t)n;
		usleep(50000 * factor * (unsigned)n / sizeof(buf));
	}
	peer_answer(peer, 200, "", "ok");
	peer_sleep(peer);
}

static void test_slow_line(void **state)
{
	RV_CLEANUP(rv_free_p) char *bytes = rv_calloc(1, 200000);
	int small = 4096;
	(void)state;

	/* a machine that is so busy that the server stalls: slower, and with more patience */
	for (unsigned factor = 1;; factor *= 4) {
		struct world w;

		open_world(&w, script_take_slowly);
		w.server.arg = &factor;
		/* what is accepted there takes this over */
		assert_int_equal(setsockopt(w.server.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
		enum rv_status status =
			once(&w, &(struct rv_http_request){
					 .method = "PUT", .stall_timeout_ms = 1500 * factor,
					 .body = { .bytes = bytes, .fd = -1, .len = 200000 } });
		if (status != RV_OK && factor == 16)
			fail_msg("%s", w.err.message);
		close_world(&w);
		if (status == RV_OK)
			return;
	}
}

/* A byte now and then is no progress. */
static void test_crawl(void **state)
{
	struct rv_http_request request = GET;
	char text[64];
	struct world w;
	(void)state;

	request.stall_timeout_ms = 200;
	open_world(&w, script_drip);
	assert_int_equal(once(&w, &request), RV_FAILED);
	/* a machine that is busy for long may make it a stall */
	assert_true(strstr(w.err.message, "crawls") || strstr(w.err.message, "stalled"));
	close_world(&w);

	request.stall_timeout_ms = 0;
	request.total_timeout_ms = 300;
	open_world(&w, script_drip);
	do { /* the request has to be out before the time is up */
		assert_int_equal(once(&w, &request), RV_FAILED);
		assert_true(w.err.transient);
	} while (w.outcome != RV_HTTP_UNKNOWN && (request.total_timeout_ms *= 4) < 100000);
	snprintf(text, sizeof(text), "did not answer whole within %d ms", (int)request.total_timeout_ms);
	assert_says(&w, text);
	close_world(&w);
}

static bool always(void)
{
	return true;
}

static void test_stop_is_due(void **state)
{
	(void)state;
	/* asked for at 1000; begun before it, and behind it */
	assert_false(rv_http_stop_is_due(5999, 1000, 500));
	assert_true(rv_http_stop_is_due(6000, 1000, 500));
	assert_false(rv_http_stop_is_due(6000, 1000, 5500));
	assert_false(rv_http_stop_is_due(6499, 1000, 5500));
	assert_true(rv_http_stop_is_due(6500, 1000, 5500));
	assert_false(rv_http_stop_is_due(9999, 1000, 9000));
	assert_true(rv_http_stop_is_due(10000, 1000, 9000));
}

/* What is under way when a stop is asked for gets five seconds more; what comes after it gets one. */
static void test_stop(void **state)
{
	struct rv_http_request request = GET;
	struct world w;
	(void)state;

	open_world(&w, script_stall);
	rv_http_free(w.http);
	w.http = rv_http_new(&(struct rv_http_params){ .should_stop = always });
	int64_t start_ms = rv_clock_monotonic_ms();
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_true(rv_clock_monotonic_ms() - start_ms >= 5000);
	assert_says(&w, "stopped");
	assert_int_equal(w.outcome, RV_HTTP_UNKNOWN);
	int64_t again_ms = rv_clock_monotonic_ms();
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_true(rv_clock_monotonic_ms() - again_ms >= 1000);
	/* a second is enough, but for a machine that is busy for longer */
	w.server.script = script_ok;
	enum rv_status status = RV_FAILED;
	for (int i = 0; i < 20 && status != RV_OK; i++)
		status = once(&w, &request);
	assert_int_equal(status, RV_OK);
	close_world(&w);
}

/* ---- TLS that is none ---- */
static void script_hold(struct peer *peer)
{
	peer_sleep(peer);
}

static void script_plain(struct peer *peer)
{
	peer_fill(peer);
	peer_say(peer, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	/* not a reset, which would overtake it */
	while (peer_fill(peer))
		;
}

static void test_no_tls(void **state)
{
	struct rv_http_request request = GET;
	char url[64], text[64];
	struct world w;
	(void)state;

	open_world(&w, script_plain);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", w.server.port);
	request.url = url;
	assert_int_equal(once(&w, &request), RV_BAD_CONFIG);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	assert_false(w.err.transient);
	assert_says(&w, "does not speak TLS");
	close_world(&w);

	open_world(&w, script_hold);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", w.server.port);
	request.connect_timeout_ms = 200;
	do { /* the connection has to be there before the time is up */
		assert_int_equal(once(&w, &request), RV_FAILED);
		assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
		assert_true(w.err.transient);
	} while (!strstr(w.err.message, "handshake") && (request.connect_timeout_ms *= 4) < 100000);
	snprintf(text, sizeof(text), "did not end the TLS handshake within %d ms",
		 (int)request.connect_timeout_ms);
	assert_says(&w, text);
	close_world(&w);
}

/* ---- proxies ---- */
static void script_refuse(struct peer *peer)
{
	while (peer_read_head(peer)) {
		bool tunnel = rv_starts_with(peer->head.bytes, "CONNECT ");

		atomic_fetch_add(&peer->server->requests, 1);
		if (!peer_answer(peer, tunnel ? *(const int *)peer->server->arg : 407,
				 "Proxy-Authenticate: Basic realm=\"x\"\r\n", "no"))
			return;
	}
}

static void test_proxy_refuses(void **state)
{
	struct rv_http_request request = GET;
	char proxy[64], name[128];
	struct world w;
	int code = 403;
	(void)state;

	open_world(&w, script_refuse);
	w.server.arg = &code;
	snprintf(proxy, sizeof(proxy), "http://me:SECRET@127.0.0.1:%d", w.server.port);
	snprintf(name, sizeof(name), "proxy 127.0.0.1:%d refused a connection to "
		 "https://service.example", w.server.port);
	setenv("https_proxy", proxy, 1);
	request.url = "https://service.example/path";
	assert_int_equal(once(&w, &request), RV_BAD_CONFIG);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	assert_false(w.err.transient);
	assert_says(&w, name);
	assert_says(&w, "(403)");
	assert_null(strstr(w.err.message, "SECRET"));
	assert_null(strstr(w.err.hint, "SECRET"));

	code = 407;
	assert_int_equal(once(&w, &request), RV_BAD_CONFIG);
	assert_says(&w, "(407)");
	assert_non_null(strstr(w.err.hint, "user and password"));

	code = 503; /* that may pass */
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_true(w.err.transient);
	unsetenv("https_proxy");

	/* no tunnel for plain HTTP: the proxy answers in the service's place */
	setenv("http_proxy", proxy, 1);
	request.url = "http://service.example/path";
	assert_int_equal(once(&w, &request), RV_BAD_CONFIG);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	assert_says(&w, "(407)");
	unsetenv("http_proxy");
	close_world(&w);
}

static void test_proxy_is_not_there(void **state)
{
	struct rv_http_request request = GET;
	struct world w;
	struct nobody nobody;
	char text[64];
	(void)state;

	open_world(&w, script_ok);
	nobody_start(&nobody);
	setenv("ALL_PROXY", nobody.url, 1);
	snprintf(text, sizeof(text), "cannot connect to proxy 127.0.0.1:%d", nobody.port);
	request.url = "https://service.example/";
	assert_int_equal(once(&w, &request), RV_FAILED);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	assert_true(w.err.transient);
	assert_says(&w, text);
	unsetenv("ALL_PROXY");
	close(nobody.fd);

	/* nor one that nobody understands, and whose password libcurl would show */
	setenv("https_proxy", "http://me:SECRET@127.0.0.1:port", 1);
	assert_int_equal(once(&w, &request), RV_BAD_CONFIG);
	assert_int_equal(w.outcome, RV_HTTP_NOT_SENT);
	assert_says(&w, "proxy");
	assert_null(strstr(w.err.message, "SECRET"));
	unsetenv("https_proxy");
	close_world(&w);
}

static void test_202_203_proxy_variables(void **state)
{
	static const char *const link_local[] = { "http://169.254.169.254/x", "http://[fd00:ec2::254]/" };
	struct rv_http_request request = GET;
	struct world w;
	struct server other;
	(void)state;

	open_world(&w, script_ok); /* the proxy */
	server_start(&other, script_ok, NULL);
	setenv("http_proxy", w.server.url, 1);
	request.url = "http://service.example/a//b";
	assert_int_equal(once(&w, &request), RV_OK);
	pthread_mutex_lock(&w.server.mutex);
	assert_true(rv_starts_with(w.server.last_head.bytes, "GET http://service.example/a//b "));
	pthread_mutex_unlock(&w.server.mutex);
	unsigned seen = w.server.requests;

	setenv("no_proxy", "127.0.0.1", 1);
	request.url = other.url;
	assert_int_equal(once(&w, &request), RV_OK);
	unsetenv("no_proxy");

	/* never these, whatever answers there */
	for (size_t i = 0; i < 2; i++) {
		request.url = link_local[i];
		request.connect_timeout_ms = 50;
		(void)!once(&w, &request);
	}
	unsetenv("http_proxy");

	/* a header of a CGI request must not choose the proxy */
	setenv("HTTP_PROXY", w.server.url, 1);
	request.url = other.url;
	request.connect_timeout_ms = 0;
	assert_int_equal(once(&w, &request), RV_OK);
	unsetenv("HTTP_PROXY");
	assert_int_equal(w.server.requests, seen);
	close_world(&w);
	server_stop(&other);
	assert_int_equal(other.requests, 2);
	server_release(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_libcurl), /* first: it is not loaded yet */
		cmocka_unit_test(test_26_no_silent_second_send),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_reset_in_body),
		cmocka_unit_test(test_stale_connection),
		cmocka_unit_test(test_no_connection),
		cmocka_unit_test(test_body_cannot_be_read),
		cmocka_unit_test(test_64_bad_answers),
		cmocka_unit_test(test_64_body_limit),
		cmocka_unit_test(test_no_answer_over_http),
		cmocka_unit_test(test_65_no_content_length),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_stall_in_upload),
		cmocka_unit_test(test_slow_line),
		cmocka_unit_test(test_crawl),
		cmocka_unit_test(test_stop_is_due),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_no_tls),
		cmocka_unit_test(test_proxy_refuses),
		cmocka_unit_test(test_proxy_is_not_there),
		cmocka_unit_test(test_202_203_proxy_variables),
	};
	return cmocka_run_group_tests_name("http faults", tests, http_world_setup, NULL);
}
