/*
 * The one retry loop: full jitter, what the service asks for, and a budget of all threads.
 *
 * Full jitter: Amazon Architecture Blog, "Exponential Backoff And Jitter". The budget is the token
 * bucket of the AWS SDKs' standard mode (500 tokens; a retry costs 5, after a time-out 10; success
 * gives back what was spent, or 1), with one difference: theirs fails a call when the bucket is
 * empty, here the call waits until enough has dripped in, because data must not be given up.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/number.h"
#include "http/internal.h"

#define BUDGET_TOKENS 500.0
#define DRIP_PER_S 5.0
#define RETRY_COST 5.0
#define TIMEOUT_COST 10.0
#define LONGEST_RETRY_AFTER_MS (5 * 60 * INT64_C(1000))
#define MOST_MENDS 2

/* ---- chance ---- */
/* splitmix64, seeded by the kernel for each thread: nobody's secrets depend on it. */
static uint64_t random_u64(void)
{
	static _Thread_local uint64_t state;
	static _Thread_local bool seeded;

	if (!seeded) {
		if (getrandom(&state, sizeof(state), GRND_NONBLOCK) != sizeof(state)) {
			struct timespec now;

			clock_gettime(CLOCK_REALTIME, &now);
			state = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^
				(uint64_t)(uintptr_t)&state;
		}
		seeded = true;
	}
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int64_t rv_http_backoff_ms(unsigned attempt, int64_t base_ms, int64_t max_ms)
{
	int64_t top = base_ms;

	for (unsigned i = 1; i < attempt && top < max_ms; i++)
		top *= 2;
	if (top > max_ms)
		top = max_ms;
	return top <= 0 ? 0 : (int64_t)(random_u64() % ((uint64_t)top + 1));
}

/* ---- the budget ---- */
void rv_http_budget_init(struct rv_http_budget *budget)
{
	pthread_mutex_init(&budget->mutex, NULL);
	budget->tokens = BUDGET_TOKENS;
	budget->counted_ms = rv_clock_monotonic_ms();
}

static void add_tokens(struct rv_http_budget *budget, double tokens)
{
	budget->tokens += tokens;
	if (budget->tokens > BUDGET_TOKENS)
		budget->tokens = BUDGET_TOKENS;
}

int64_t rv_http_budget_take(struct rv_http_budget *budget, double cost, int64_t now_ms)
{
	double missing;

	pthread_mutex_lock(&budget->mutex);
	if (now_ms > budget->counted_ms) {
		add_tokens(budget, (double)(now_ms - budget->counted_ms) / 1000 * DRIP_PER_S);
		budget->counted_ms = now_ms;
	}
	budget->tokens -= cost;
	missing = -budget->tokens;
	pthread_mutex_unlock(&budget->mutex);
	return missing > 0 ? (int64_t)(missing / DRIP_PER_S * 1000) : 0;
}

void rv_http_budget_give(struct rv_http_budget *budget, double tokens)
{
	pthread_mutex_lock(&budget->mutex);
	add_tokens(budget, tokens);
	pthread_mutex_unlock(&budget->mutex);
}

/* ---- waiting ---- */
static bool stopping(const struct rv_http *http)
{
	return http->should_stop && http->should_stop();
}

enum rv_status rv_http_wait(struct rv_http *http, int64_t ms, struct rv_error *err)
{
	int64_t end_ms = rv_clock_monotonic_ms() + ms;

	for (;;) {
		if (stopping(http)) {
			rv_fail(err, RV_FAILED, "stopped while waiting");
			err->transient = true;
			return err->status;
		}
		int64_t left_ms = end_ms - rv_clock_monotonic_ms();
		if (left_ms <= 0)
			return RV_OK;
		if (left_ms > 50)
			left_ms = 50;
		struct timespec slice = { .tv_sec = 0, .tv_nsec = left_ms * 1000000 };
		nanosleep(&slice, NULL); /* a signal ends it early, which is welcome */
	}
}

/* ---- the loop ---- */
struct loop {
	struct rv_http *http;
	const struct rv_http_call *call;
	struct rv_http_tally tally;
	unsigned mends;
	int64_t started_ms;
	double spent;
};

/* " (4 attempts in 3.2 s)" at the end of the message, which gives way when it is too long. */
static enum rv_status fold(const struct loop *loop, struct rv_error *err)
{
	char took[RV_NUMBER_TEXT], text[80];

	if (loop->tally.attempts < 2)
		return err->status;
	rv_format_duration(rv_clock_monotonic_ms() - loop->started_ms, took);
	size_t text_len = (size_t)snprintf(text, sizeof(text), " (%u attempts in %s)",
					   loop->tally.attempts, took);
	size_t len = strlen(err->message);
	if (len + text_len >= sizeof(err->message)) {
		len = sizeof(err->message) - 1 - text_len;
		/* not in the middle of a character */
		while (len > 0 && ((unsigned char)err->message[len] & 0xC0) == 0x80)
			len--;
	}
	memcpy(err->message + len, text, text_len + 1);
	return err->status;
}

/* What the service asks for, or else chance. */
static int64_t wait_ms(const struct loop *loop, const struct rv_error *err)
{
	int64_t base_ms = loop->call->base_delay_ms > 0 ? loop->call->base_delay_ms : 100;
	int64_t max_ms = loop->call->max_delay_ms > 0 ? loop->call->max_delay_ms : 20000;
	int64_t jitter_ms = rv_http_backoff_ms(loop->tally.attempts, base_ms, max_ms);
	int64_t asked_ms = err->retry_after_ms;

	if (asked_ms < 0)
		return jitter_ms;
	if (asked_ms > LONGEST_RETRY_AFTER_MS)
		asked_ms = LONGEST_RETRY_AFTER_MS;
	/* Not all at the same moment. */
	return asked_ms + rv_http_backoff_ms(1, base_ms, max_ms);
}

/* RV_OK: the next attempt may begin. */
static enum rv_status pause_between(struct loop *loop, const struct rv_http_facts *facts,
				    struct rv_error *err)
{
	const struct rv_http_call *call = loop->call;
	double cost = facts->timed_out ? TIMEOUT_COST : RETRY_COST;
	int64_t now_ms = rv_clock_monotonic_ms();
	int64_t ms = wait_ms(loop, err);

	if (call->deadline_ms && now_ms + ms >= call->deadline_ms)
		return RV_FAILED;
	int64_t budget_ms = rv_http_budget_take(&loop->http->budget, cost, now_ms);
	if (budget_ms > ms)
		ms = budget_ms;
	if (call->deadline_ms && now_ms + ms >= call->deadline_ms) {
		rv_http_budget_give(&loop->http->budget, cost); /* not spent after all */
		return RV_FAILED;
	}
	loop->spent += cost;
	struct rv_error stopped = RV_ERROR_INIT;
	return rv_http_wait(loop->http, ms, &stopped);
}

static void judge_for_callers(const struct rv_http_response *answer, struct rv_error *err)
{
	if (err->status != RV_OK)
		return;
	if (!answer) {
		rv_fail(err, RV_FAILED, "the service did not answer");
		return;
	}
	rv_fail(err, RV_FAILED, "the service answered %d", answer->status);
	err->http_status = answer->status;
}

/* One attempt and its verdict. Not RV_OK: the loop ends with err. *ret_again: one more. */
static enum rv_status attempt(struct loop *loop, struct rv_http_response *response,
			      bool *ret_again, struct rv_error *err)
{
	const struct rv_http_call *call = loop->call;
	struct rv_http_request request = { .body = RV_HTTP_NO_BODY };
	struct rv_http_facts facts;
	struct rv_error why = RV_ERROR_INIT;
	unsigned most = (call->max_attempts ? call->max_attempts : 5) + loop->mends;

	*ret_again = false;
	if (call->prepare(call->arg, loop->tally.attempts + 1, &request, err) != RV_OK)
		return fold(loop, err);
	loop->tally.attempts++;
	enum rv_status status = rv_http_attempt(loop->http, &request, response, &facts, &why);
	if (facts.outcome == RV_HTTP_UNKNOWN)
		loop->tally.unknown++;
	if (facts.sink_failed) {
		*err = why;
		return fold(loop, err);
	}
	const struct rv_http_response *answer = status == RV_OK ? response : NULL;
	enum rv_http_verdict verdict = call->judge(call->arg, answer, facts.outcome, &why);
	if (verdict == RV_HTTP_DONE && answer) {
		rv_http_budget_give(&loop->http->budget, loop->spent > 0 ? loop->spent : 1);
		return RV_OK;
	}
	judge_for_callers(answer, &why);
	if (answer && why.retry_after_ms < 0)
		why.retry_after_ms = rv_http_retry_after_ms(answer, rv_clock_ms());
	*err = why;
	if (verdict == RV_HTTP_DONE || verdict == RV_HTTP_GIVE_UP || facts.sink_used ||
	    (facts.outcome == RV_HTTP_UNKNOWN && !call->repeatable))
		return fold(loop, err);
	if (verdict == RV_HTTP_RETRY_NOW) {
		if (loop->mends++ >= MOST_MENDS || stopping(loop->http))
			return fold(loop, err);
		*ret_again = true;
		return RV_OK;
	}
	if (loop->tally.attempts >= most || pause_between(loop, &facts, err) != RV_OK)
		return fold(loop, err);
	*ret_again = true;
	return RV_OK;
}

enum rv_status rv_http_call(struct rv_http *http, const struct rv_http_call *call,
			    struct rv_http_response *response, struct rv_http_tally *ret_tally,
			    struct rv_error *err)
{
	struct loop loop = { .http = http, .call = call, .started_ms = rv_clock_monotonic_ms() };
	enum rv_status status;
	bool again;

	if (call->deadline_ms && loop.started_ms >= call->deadline_ms) {
		rv_fail(err, RV_FAILED, "no time is left to send the request");
		err->transient = true;
		status = err->status;
	} else {
		struct rv_error last = RV_ERROR_INIT;

		do
			status = attempt(&loop, response, &again, &last);
		while (status == RV_OK && again);
		if (status != RV_OK)
			*err = last;
	}
	if (ret_tally)
		*ret_tally = loop.tally;
	return status;
}
