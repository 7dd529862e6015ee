/* The retry loop: what is sent again, how often, and how long it waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/internal.h"
#include "unit/failing_call.h"
#include "unit/http_world.h"

/* What the n-th request is answered: 0 closes without an answer. */
struct script {
	int statuses[16];
	const char *fields;
};

static void run_script(struct peer *peer)
{
	const struct script *script = peer->server->arg;

	while (peer_read(peer)) {
		unsigned n = atomic_load(&peer->server->requests);
		int status = script->statuses[n <= 16 ? n - 1 : 15];

		if (status == 0 || !peer_answer(peer, status, script->fields ? script->fields : "",
						"body"))
			return;
	}
}

struct world {
	struct server server;
	struct rv_http *http;
	struct rv_http_response response;
	struct rv_error err;
	struct rv_http_tally tally;
	struct rv_http_call call;
	unsigned prepared, judged, fail_prepare_at;
	enum rv_http_verdict on_403;
	bool says_nothing;                   /* where no answer came, but ends with */
	enum rv_http_verdict on_no_answer;
	const char *says;                    /* instead of the status */
	enum rv_http_outcome last_outcome;
	struct rv_strbuf got;
	rv_http_sink *sink;
};

static enum rv_status prepare(void *arg, unsigned attempt, struct rv_http_request *request,
			      struct rv_error *err)
{
	struct world *w = arg;

	w->prepared++;
	assert_int_equal(attempt, w->prepared);
	if (attempt == w->fail_prepare_at)
		return rv_fail(err, RV_AUTH, "no credentials");
	request->method = "POST";
	request->url = w->server.url;
	request->body.bytes = "abc";
	request->body.len = 3;
	request->sink = w->sink;
	request->sink_arg = &w->got;
	return RV_OK;
}

static enum rv_http_verdict judge(void *arg, const struct rv_http_response *response,
				  enum rv_http_outcome outcome, struct rv_error *err)
{
	struct world *w = arg;

	w->judged++;
	w->last_outcome = outcome;
	assert_int_equal(response != NULL, outcome == RV_HTTP_ANSWERED);
	if (!response && w->says_nothing) {
		*err = (struct rv_error)RV_ERROR_INIT;
		return w->on_no_answer;
	}
	if (!response)
		return err->transient ? RV_HTTP_RETRY : RV_HTTP_GIVE_UP;
	if (response->status < 300)
		return RV_HTTP_DONE;
	if (response->status == 418)
		return RV_HTTP_GIVE_UP; /* says nothing about why */
	if (w->says)
		rv_fail(err, RV_FAILED, "%s", w->says);
	else
		rv_fail(err, RV_FAILED, "status %d", response->status);
	err->http_status = response->status;
	if (response->status == 403)
		return w->on_403;
	return response->status >= 500 || response->status == 429 ? RV_HTTP_RETRY : RV_HTTP_GIVE_UP;
}

static void open_world(struct world *w, const struct script *script)
{
	*w = (struct world){
		.response = RV_HTTP_RESPONSE_INIT,
		.err = RV_ERROR_INIT,
		.got = RV_STRBUF_INIT,
		.on_403 = RV_HTTP_RETRY_NOW,
		.call = { .prepare = prepare, .judge = judge, .arg = w, .base_delay_ms = 1,
			  .max_delay_ms = 4, .repeatable = true },
	};
	server_start(&w->server, run_script, NULL);
	w->server.arg = (void *)(uintptr_t)script;
	w->http = rv_http_new(&(struct rv_http_params){ 0 });
}

static enum rv_status run(struct world *w)
{
	return rv_http_call(w->http, &w->call, &w->response, &w->tally, &w->err);
}

static void close_world(struct world *w)
{
	rv_http_free(w->http);
	rv_http_response_release(&w->response);
	rv_strbuf_release(&w->got);
	server_stop(&w->server);
	server_release(&w->server);
}

static void test_until_it_works(void **state)
{
	static const struct script script = { .statuses = { 503, 429, 0, 500, 200 } };
	struct world w;
	(void)state;

	open_world(&w, &script);
	assert_int_equal(run(&w), RV_OK);
	assert_int_equal(w.err.status, RV_OK);
	assert_int_equal(w.response.status, 200);
	assert_string_equal(w.response.body.bytes, "body");
	assert_int_equal(w.tally.attempts, 5);
	assert_int_equal(w.tally.unknown, 1);
	assert_int_equal(w.judged, 5);
	close_world(&w);
}

static void test_gives_up(void **state)
{
	static const struct script always_503 = { .statuses = { 503, 503, 503, 503, 503, 503, 503 } };
	static const struct script refused = { .statuses = { 404 } };
	static const struct script wordless = { .statuses = { 418 } };
	struct world w;
	(void)state;

	open_world(&w, &always_503);
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 5);
	assert_int_equal(w.tally.unknown, 0);
	assert_true(rv_starts_with(w.err.message, "status 503 (5 attempts in "));
	assert_int_equal(w.err.http_status, 503);
	w.call.max_attempts = 1;
	w.prepared = 0;
	assert_int_equal(run(&w), RV_FAILED);
	assert_string_equal(w.err.message, "status 503");
	close_world(&w);

	open_world(&w, &refused);
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 1);
	close_world(&w);

	open_world(&w, &wordless);
	assert_int_equal(run(&w), RV_FAILED);
	assert_string_equal(w.err.message, "the service answered 418");
	assert_int_equal(w.err.http_status, 418);
	close_world(&w);

	open_world(&w, &always_503);
	w.fail_prepare_at = 2;
	assert_int_equal(run(&w), RV_AUTH);
	assert_int_equal(w.tally.attempts, 1);
	close_world(&w);
}

/* Whoever judges: without an answer nothing is done, and a failure has a reason. */
static void test_no_answer(void **state)
{
	static const struct script script = { .statuses = { 0, 200 } };
	static const enum rv_http_verdict verdicts[] = { RV_HTTP_DONE, RV_HTTP_GIVE_UP };
	struct world w;
	(void)state;

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++) {
		open_world(&w, &script);
		w.says_nothing = true;
		w.on_no_answer = verdicts[i];
		assert_int_equal(run(&w), RV_FAILED);
		assert_int_equal(w.tally.attempts, 1);
		assert_string_equal(w.err.message, "the service did not answer");
		assert_int_equal(w.err.http_status, 0);
		close_world(&w);
	}
}

/* How often it was tried is told in any case, and what gives way for it is no part of a character. */
static void test_long_message(void **state)
{
	static const struct script script = { .statuses = { 503, 503 } };
	static const char *const begins[] = { "", "x", "" }, *const fills[] = { "\xC3\xA9", "\xC3\xA9", "\x80" };
	struct world w;
	(void)state;

	for (size_t i = 0; i < 3; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		size_t begin_len = strlen(begins[i]);

		rv_strbuf_puts(&text, begins[i]);
		while (text.len < sizeof(w.err.message))
			rv_strbuf_puts(&text, fills[i]);
		open_world(&w, &script);
		w.says = text.bytes;
		w.call.max_attempts = 2;
		assert_int_equal(run(&w), RV_FAILED);
		const char *end = strstr(w.err.message, " (2 attempts in ");

		assert_non_null(end);
		if (i < 2)
			assert_true(strlen(w.err.message) >= sizeof(w.err.message) - 2);
		else /* of what is no text nothing is left */
			assert_ptr_equal(end, w.err.message);
		assert_int_equal(((size_t)(end - w.err.message) - begin_len) % strlen(fills[i]), 0);
		assert_memory_equal(w.err.message, text.bytes, (size_t)(end - w.err.message));
		close_world(&w);
	}
}

/* What may have been carried out is sent again only when the caller allows it. */
static void test_not_repeatable(void **state)
{
	static const struct script script = { .statuses = { 503, 0, 200 } };
	struct world w;
	(void)state;

	open_world(&w, &script);
	w.call.repeatable = false;
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 2); /* a refusal is no unknown outcome */
	assert_int_equal(w.tally.unknown, 1);
	assert_int_equal(w.last_outcome, RV_HTTP_UNKNOWN);
	assert_true(w.err.transient);
	close_world(&w);
	assert_int_equal(w.server.heads, 2);

	/* nothing was sent: again */
	open_world(&w, &script);
	struct nobody nobody;
	nobody_start(&nobody);
	snprintf(w.server.url, sizeof(w.server.url), "%s", nobody.url);
	w.call.repeatable = false;
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 5);
	assert_int_equal(w.tally.unknown, 0);
	close(nobody.fd);
	close_world(&w);
}

static void test_mended(void **state)
{
	static const struct script once = { .statuses = { 403, 200 } };
	static const struct script always = { .statuses = { 403, 403, 403, 403, 403, 403, 403, 403 } };
	struct world w;
	(void)state;

	open_world(&w, &once);
	w.call.max_attempts = 1; /* mending does not count */
	w.call.base_delay_ms = w.call.max_delay_ms = 1000000;
	assert_int_equal(run(&w), RV_OK);
	assert_int_equal(w.tally.attempts, 2);
	close_world(&w);

	open_world(&w, &always);
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 3);
	assert_true(rv_starts_with(w.err.message, "status 403 (3 attempts in "));
	close_world(&w);
}

static void test_retry_after(void **state)
{
	static const struct script ms = { .statuses = { 503, 200 },
					  .fields = "x-amz-retry-after: 300\r\nRetry-After: 9999\r\n" };
	static const struct script far = { .statuses = { 503, 200 }, .fields = "Retry-After: 100\r\n" };
	struct world w;
	(void)state;

	open_world(&w, &ms);
	int64_t start_ms = rv_clock_monotonic_ms();
	assert_int_equal(run(&w), RV_OK);
	assert_true(rv_clock_monotonic_ms() - start_ms >= 300);
	close_world(&w);

	/* what the deadline does not allow is not waited for */
	open_world(&w, &far);
	w.call.deadline_ms = rv_clock_monotonic_ms() + 50000;
	start_ms = rv_clock_monotonic_ms();
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 1);
	assert_int_equal(w.err.retry_after_ms, 100000);
	assert_true(rv_clock_monotonic_ms() - start_ms < 50000);
	w.call.deadline_ms = rv_clock_monotonic_ms() - 1;
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 0);
	close_world(&w);
}

static void set_field(struct rv_http_response *r, const char *name, const char *value)
{
	rv_http_headers_release(&r->headers);
	rv_http_headers_add(&r->headers, name, value);
}

static void test_171_retry_after_values(void **state)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response r = RV_HTTP_RESPONSE_INIT;
	const int64_t now_ms = INT64_C(784111777000); /* Sun, 06 Nov 1994 08:49:37 GMT */
	static const char *const bad[] = { "", "-1", "1.5", "soon", "1 ", "99999999999999999999999" };
	(void)state;

	assert_int_equal(rv_http_retry_after_ms(&r, now_ms), -1);
	set_field(&r, "Retry-After", "0");
	assert_int_equal(rv_http_retry_after_ms(&r, now_ms), 0);
	set_field(&r, "Retry-After", "120");
	assert_int_equal(rv_http_retry_after_ms(&r, now_ms), 120000);
	set_field(&r, "Retry-After", "18446744073709551615"); /* not for ever */
	assert_int_equal(rv_http_retry_after_ms(&r, now_ms), 7 * 86400 * 1000);
	set_field(&r, "Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT");
	assert_int_equal(rv_http_retry_after_ms(&r, now_ms), 60000);
	set_field(&r, "Retry-After", "Sun, 06 Nov 1994 08:40:37 GMT");
	assert_int_equal(rv_http_retry_after_ms(&r, now_ms), 0);
	/* by the server's clock, when it shows one */
	set_field(&r, "Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT");
	r.date_ms = now_ms + 50000;
	assert_int_equal(rv_http_retry_after_ms(&r, now_ms), 10000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		set_field(&r, "Retry-After", bad[i]);
		assert_int_equal(rv_http_retry_after_ms(&r, now_ms), -1);
	}
}

static bool always(void)
{
	return true;
}

static void test_stop_ends_waits(void **state)
{
	static const struct script script = { .statuses = { 503, 200 },
					      .fields = "Retry-After: 1000\r\n" };
	struct world w;
	(void)state;

	open_world(&w, &script);
	rv_http_free(w.http);
	w.http = rv_http_new(&(struct rv_http_params){ .should_stop = always });
	/* it would take a quarter of an hour otherwise */
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 1);
	assert_string_equal(w.err.message, "status 503");
	assert_int_equal(rv_http_wait(w.http, 1000000, &w.err), RV_FAILED);
	close_world(&w);

	/* nor is anything sent again at once */
	static const struct script mended = { .statuses = { 403, 200 } };

	open_world(&w, &mended);
	rv_http_free(w.http);
	w.http = rv_http_new(&(struct rv_http_params){ .should_stop = always });
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 1);
	close_world(&w);
}

static enum rv_status into_buffer(void *arg, const void *p, size_t len, struct rv_error *err)
{
	(void)err;
	rv_strbuf_add(arg, p, len);
	return RV_OK;
}

static void cut_in_body(struct peer *peer)
{
	if (peer_read(peer))
		peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
}

/* What was handed out cannot be taken back. */
static void test_sink_was_used(void **state)
{
	static const struct script script = { .statuses = { 503, 200 } };
	struct world w;
	(void)state;

	open_world(&w, &script);
	w.sink = into_buffer;
	assert_int_equal(run(&w), RV_OK);
	assert_string_equal(w.got.bytes, "body");
	close_world(&w);

	open_world(&w, &script);
	w.server.script = cut_in_body;
	w.sink = into_buffer;
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 1);
	assert_string_equal(w.got.bytes, "abc");
	close_world(&w);
}

/* ---- delays ---- */
static void test_backoff(void **state)
{
	int64_t most = 0;
	(void)state;

	for (int i = 0; i < 2000; i++) {
		int64_t first = rv_http_backoff_ms(1, 100, 20000);
		int64_t fourth = rv_http_backoff_ms(4, 100, 20000);
		int64_t late = rv_http_backoff_ms(4000000000u, 100, 20000);

		assert_true(first >= 0 && first <= 100);
		assert_true(fourth >= 0 && fourth <= 800);
		assert_true(late >= 0 && late <= 20000);
		if (fourth > most)
			most = fourth;
	}
	assert_true(most > 400); /* 1 in 2^2000 */
	assert_int_equal(rv_http_backoff_ms(1, 0, 0), 0);
	assert_true(rv_http_backoff_ms(3, 100, 50) <= 50);
}

static void *try_chance(void *arg)
{
	int64_t most = 0;

	for (int i = 0; i < 1000; i++) {
		int64_t ms = rv_http_backoff_ms(1, 20000, 20000);

		if (ms < 0 || ms > 20000)
			return NULL;
		if (ms > most)
			most = ms;
	}
	*(bool *)arg = most > 10000;
	return NULL;
}

/* In a thread of its own, which has not asked for any yet. */
static int without_randomness(void *arg, const struct failing_call *call)
{
	pthread_t thread;
	bool good = false;
	(void)arg;

	if (!let_calls_fail(call) || pthread_create(&thread, NULL, try_chance, &good) != 0)
		return 1;
	pthread_join(thread, NULL);
	return good ? 0 : 2;
}

/* Early at boot, or on a kernel without it: the clock has to do. */
static void test_chance_without_a_kernel(void **state)
{
	static const struct failing_call call = { "getrandom", EAGAIN, { SYS_getrandom }, 0 };
	(void)state;

	assert_int_equal(in_child(without_randomness, NULL, &call), 0);
}

static void test_budget(void **state)
{
	struct rv_http_budget budget;
	(void)state;

	rv_http_budget_init(&budget);
	int64_t now_ms = budget.counted_ms;
	for (int i = 0; i < 100; i++)
		assert_int_equal(rv_http_budget_take(&budget, 5, now_ms), 0);
	/* empty: each waits for its own share, one a second */
	assert_int_equal(rv_http_budget_take(&budget, 5, now_ms), 1000);
	assert_int_equal(rv_http_budget_take(&budget, 10, now_ms), 3000);
	now_ms += 3000;
	assert_int_equal(rv_http_budget_take(&budget, 5, now_ms), 1000);
	/* success gives back, never more than there was */
	rv_http_budget_give(&budget, 5);
	assert_int_equal(rv_http_budget_take(&budget, 5, now_ms), 1000);
	rv_http_budget_give(&budget, 1e9);
	for (int i = 0; i < 100; i++)
		assert_int_equal(rv_http_budget_take(&budget, 5, now_ms), 0);
	assert_int_equal(rv_http_budget_take(&budget, 5, now_ms), 1000);
	pthread_mutex_destroy(&budget.mutex);
}

/* But not beyond its deadline, and then it has taken nothing out of it. */
static void test_empty_budget_and_a_deadline(void **state)
{
	static const struct script script = { .statuses = { 503, 200 } };
	struct world w;
	(void)state;

	open_world(&w, &script);
	w.http->budget.tokens = -1000; /* for minutes */
	w.call.deadline_ms = rv_clock_monotonic_ms() + 100000;
	assert_int_equal(run(&w), RV_FAILED);
	assert_int_equal(w.tally.attempts, 1);
	assert_string_equal(w.err.message, "status 503");
	assert_true(w.http->budget.tokens >= -1000);
	close_world(&w);
	open_world(&w, &script);
	w.call.deadline_ms = rv_clock_monotonic_ms() + 1000000;
	assert_int_equal(run(&w), RV_OK);
	close_world(&w);
}

/* An empty budget delays a call and fails none. */
static void test_empty_budget(void **state)
{
	static const struct script script = { .statuses = { 503, 200 } };
	struct world w;
	(void)state;

	open_world(&w, &script);
	w.http->budget.tokens = 3;
	/* from when on it fills */
	int64_t start_ms = w.http->budget.counted_ms = rv_clock_monotonic_ms();
	assert_int_equal(run(&w), RV_OK);
	assert_int_equal(w.tally.attempts, 2);
	assert_true(rv_clock_monotonic_ms() - start_ms >= 300);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_until_it_works),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_long_message),
		cmocka_unit_test(test_not_repeatable),
		cmocka_unit_test(test_mended),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_171_retry_after_values),
		cmocka_unit_test(test_stop_ends_waits),
		cmocka_unit_test(test_sink_was_used),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_chance_without_a_kernel),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_empty_budget),
		cmocka_unit_test(test_empty_budget_and_a_deadline),
	};
	return cmocka_run_group_tests_name("http retry", tests, http_world_setup, NULL);
}
