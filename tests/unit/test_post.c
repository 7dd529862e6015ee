/* Addresses, headers and verdicts of posting; what goes over a wire is in tests/cli/t0641-pump-address.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "delivery/post_impl.h"
#include "http_world.h"

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *host, *port, *authority, *target;
		bool tls;
	} right[] = {
		{ "http://a", "a", "80", "a", "/", false },
		{ "https://a.example/", "a.example", "443", "a.example", "/", true },
		{ "http://127.0.0.1:8080/rest/collect?k=v&x", "127.0.0.1", "8080", "127.0.0.1:8080",
		  "/rest/collect?k=v&x", false },
		{ "http://a?q", "a", "80", "a", "/?q", false },
		{ "http://[::1]:9/x", "::1", "9", "[::1]:9", "/x", false },
		{ "http://[fe80::1]", "fe80::1", "80", "[fe80::1]", "/", false },
		{ "http://a/b@c", "a", "80", "a", "/b@c", false },
	};
	static const char *const wrong[] = { "http://%[", "http://a]b/", "http://a%20b",
		"", "a", "ftp://a", "http://", "http:///x", "http://:80", "http://a:", "http://a:0",
		"http://a:65536", "http://a:8x", "http://u:p@a/", "http://u@a", "http://a b", "http://a/\n",
		"http://a/#f", "http://a\\b", "http://[::1", "http://[]/", "http://[x]/", "http://[::1]x/",
		"HTTP://a", "http://a/\xc3\xa9",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		struct rv_post_url url;

		if (!rv_post_url_parse(right[i].text, &url))
			fail_msg("%s", right[i].text);
		assert_string_equal(url.host, right[i].host);
		assert_string_equal(url.port, right[i].port);
		assert_string_equal(url.authority, right[i].authority);
		assert_string_equal(url.target, right[i].target);
		assert_int_equal(url.tls, right[i].tls);
		rv_post_url_release(&url);
		assert_true(rv_post_url_valid(right[i].text));
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (rv_post_url_valid(wrong[i]))
			fail_msg("taken: %s", wrong[i]);
	RV_CLEANUP(rv_free_p) char *shown = rv_post_url_shown("https://a/b?key=secret");

	assert_string_equal(shown, "https://a/b");
}

static void test_headers(void **state)
{
	static const char *const wrong[] = {
		"", "X", ": y", "X Y: z", "X\t: z", "Host: a", "content-length: 1", "Transfer-Encoding: chunked",
		"Connection: close", "Content-Type: text/plain", "Expect: 100-continue", "X: a\r\nY: b", "X(: y",
	};

	(void)state;
	assert_true(rv_post_header_valid("X-Write-Key: abc"));
	assert_true(rv_post_header_valid("Authorization: Bearer a.b.c"));
	assert_true(rv_post_header_valid("X:"));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (rv_post_header_valid(wrong[i]))
			fail_msg("taken: %s", wrong[i]);
}

static void test_verdicts(void **state)
{
	static const struct {
		int status;
		enum rv_post_verdict verdict;
		enum rv_status says;
	} all[] = {
		{ 200, RV_POST_OK, RV_OK }, { 204, RV_POST_OK, RV_OK }, { 299, RV_POST_OK, RV_OK },
		{ 301, RV_POST_HOPELESS, RV_BAD_CONFIG }, { 304, RV_POST_HOPELESS, RV_BAD_CONFIG },
		{ 400, RV_POST_WRONG, RV_OK }, { 401, RV_POST_HOPELESS, RV_AUTH },
		{ 403, RV_POST_HOPELESS, RV_AUTH }, { 404, RV_POST_HOPELESS, RV_NOT_FOUND },
		{ 405, RV_POST_HOPELESS, RV_NOT_FOUND }, { 407, RV_POST_HOPELESS, RV_AUTH },
		{ 408, RV_POST_AGAIN, RV_OK }, { 410, RV_POST_HOPELESS, RV_NOT_FOUND },
		{ 413, RV_POST_WRONG, RV_OK }, { 422, RV_POST_WRONG, RV_OK }, { 425, RV_POST_AGAIN, RV_OK },
		{ 429, RV_POST_AGAIN, RV_OK }, { 500, RV_POST_AGAIN, RV_OK }, { 503, RV_POST_AGAIN, RV_OK },
		{ 599, RV_POST_AGAIN, RV_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct rv_error err = RV_ERROR_INIT;

		assert_int_equal(rv_post_judge("http://a", all[i].status, &err), all[i].verdict);
		assert_int_equal(err.status, all[i].says);
	}
}

static void test_pauses(void **state)
{
	(void)state;
	for (unsigned attempts = 1; attempts < 40; attempts++) {
		assert_in_range(rv_post_pause_ms(attempts, -1, 0, 1000000) + 1, 1, 20001);
		/* what was asked for, and never all at the same moment */
		assert_in_range(rv_post_pause_ms(attempts, 7000, 0, 1000000), 7000, 7100);
	}
	/* nobody waits for a day because a server says so */
	assert_in_range(rv_post_pause_ms(1, 86400000, 0, INT64_MAX), 300000, 300100);
	assert_int_equal(rv_post_pause_ms(1, 7000, 55000, 60000), -1);
	/* a long pause ends with the time */
	for (unsigned i = 0; i < 100; i++)
		assert_in_range(rv_post_pause_ms(30, -1, 59000, 60000) + 1, 1, 1001);
	assert_int_equal(rv_post_pause_ms(1, -1, 60000, 60000), -1);
	assert_int_equal(rv_post_pause_ms(1, -1, 0, 0), -1);
}

static void test_no_such_host(void **state)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_post *post = NULL;
	/* longer than a label of a name can be, so that nobody is asked */
	struct rv_post_params params = {
		.url = "http://no-such-host-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/x?k=secret",
		.lanes = 1,
	};

	(void)state;
	assert_int_equal(rv_post_new(&params, &post, &err), RV_NOT_FOUND);
	assert_non_null(strstr(err.message, "no-such-host-aaa"));
	assert_null(strstr(err.message, "secret"));
	params.url = "nowhere";
	assert_int_equal(rv_post_new(&params, &post, &err), RV_USAGE);
}

static void take_one(struct peer *peer)
{
	if (peer_read(peer))
		peer_answer(peer, 200, "Connection: close\r\n", "");
}

static void settled(void *arg, const struct rv_post_result *result)
{
	*(bool *)arg = result->fate == RV_POST_TAKEN;
}

typedef enum rv_status open_post(const struct rv_post_params *params, struct rv_post **ret,
				 struct rv_error *err);

static enum rv_status open_plain(const struct rv_post_params *params, struct rv_post **ret,
				 struct rv_error *err)
{
	struct rv_post_url url;

	assert_true(rv_post_url_parse(params->url, &url));
	enum rv_status status = rv_post_plain_new(params, &url, ret, err);
	rv_post_url_release(&url);
	return status;
}

/* How often each header goes out is the same over http as over https. */
static void test_headers_once(void **state)
{
	static open_post *const ways[] = { open_plain, rv_post_client_new };
	static char agent[] = "user-agent: mine", key[] = "X-Key: k";
	static const char *const once[] = { "\r\nHost:", "\r\nContent-Type:", "\r\nContent-Length:",
					    "\r\nUser-Agent:" };
	char *headers[] = { key, agent };

	http_world_setup(state);
	for (size_t i = 0; i < 4; i++) {
		struct server server;
		struct rv_error err = RV_ERROR_INIT;
		RV_CLEANUP(rv_post_free_p) struct rv_post *post = NULL;
		bool taken = false;

		server_start(&server, take_one, NULL);
		const struct rv_post_params params = {
			.url = server.url, .content_type = "text/plain", .headers = headers,
			.headers_count = 1 + i / 2, .lanes = 1, .max_bytes = 1000, .settled = settled,
			.arg = &taken,
		};
		assert_int_equal(ways[i % 2](&params, &post, &err), RV_OK);
		assert_true(post->ops->add(post, 0, 0, "x", 1));
		while (post->waiting)
			if (post->ops->step(post, -1, &err) != RV_OK)
				fail_msg("%s", err.message);
		assert_true(taken);
		server_stop(&server);
		for (size_t j = 0; j < 4; j++) {
			const char *first = strcasestr(server.last_head.bytes, once[j]);

			if (!first || strcasestr(first + 1, once[j]))
				fail_msg("%s: %s", post->ops->name, server.last_head.bytes);
		}
		assert_non_null(strcasestr(server.last_head.bytes,
					   i / 2 ? "\r\nUser-Agent: mine\r\n" : "\r\nUser-Agent: river\r\n"));
		assert_non_null(strstr(server.last_head.bytes, "\r\nX-Key: k\r\n"));
		server_release(&server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_headers_once),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_no_such_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
