/* Posting through the client of lib/http: a thread a lane, each with one request at a time. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/post_impl.h"
#include "http/http.h"

struct item {
	struct item *next;
	size_t len;
	struct rv_post_result result;
	char body[];
};
struct client;
struct lane {
	struct client *client;
	pthread_t thread;
	bool started;
	pthread_cond_t work;
	struct item *first, **last;
};
struct client {
	struct rv_post post;
	struct rv_post_params params;
	char *url, *shown;
	struct rv_http_headers headers;
	struct rv_http *http;
	struct lane *lanes;
	/* shared, under the mutex: */
	pthread_mutex_t mutex;
	pthread_cond_t done;
	struct item *settled, **settled_last;
	uint64_t bytes;
	bool stop;
	struct rv_error dead;
	char trouble[256];
	uint64_t retries;
};

static void deadline_in(int64_t us, struct timespec *ret)
{
	clock_gettime(CLOCK_MONOTONIC, ret);
	ret->tv_sec += us / 1000000;
	ret->tv_nsec += us % 1000000 * 1000;
	if (ret->tv_nsec >= 1000000000) {
		ret->tv_sec++;
		ret->tv_nsec -= 1000000000;
	}
}

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* ---- a lane's thread ---- */

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Until one answer counts. False: no more is to be sent. */
static bool deliver(struct client *c, struct lane *lane, struct item *item)
{
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	int64_t failing_ms = 0;
	bool settled = false;

	for (;;) {
		const struct rv_http_request request = {
			.method = "POST",
			.url = c->url,
			.headers = &c->headers,
			.body = { .bytes = item->body, .fd = -1, .len = item->len },
			.total_timeout_ms = c->params.answer_timeout_ms,
		};
		enum rv_http_outcome outcome;
		struct rv_error why = RV_ERROR_INIT;
		int64_t started_us = now_us(), asked_ms = -1;
		enum rv_post_verdict verdict;

		rv_http_response_clear(&response);
		item->result.attempts++;
		if (rv_http_once(c->http, &request, &response, &outcome, &why) != RV_OK) {
			item->result.maybe_twice |= outcome == RV_HTTP_UNKNOWN;
			verdict = why.transient ? RV_POST_AGAIN : RV_POST_HOPELESS;
		} else {
			verdict = rv_post_judge(c->shown, response.status, &why);
			if (verdict == RV_POST_AGAIN) {
				rv_fail(&why, RV_FAILED, "it answers %d", response.status);
				asked_ms = rv_http_retry_after_ms(&response, rv_clock_ms());
			}
		}
		item->result.answer_us = now_us() - started_us;
		item->result.status = response.status;
		settled = verdict == RV_POST_OK || verdict == RV_POST_WRONG;
		item->result.fate = verdict == RV_POST_OK ? RV_POST_TAKEN : RV_POST_REFUSED;
		if (settled)
			break;
		int64_t now_ms = rv_clock_monotonic_ms();

		if (!failing_ms)
			failing_ms = now_ms;
		int64_t pause_ms = rv_post_pause_ms(item->result.attempts, asked_ms, now_ms - failing_ms,
						    c->params.retry_for_ms);

		pthread_mutex_lock(&c->mutex);
		if (verdict == RV_POST_AGAIN && pause_ms < 0) {
			struct rv_error last = why;

			rv_post_gave_up(c->shown, last.message, item->result.attempts, &why);
			verdict = RV_POST_HOPELESS;
		}
		if (verdict == RV_POST_HOPELESS && c->dead.status == RV_OK)
			c->dead = why;
		if (verdict == RV_POST_AGAIN) {
			struct timespec until;

			snprintf(c->trouble, sizeof(c->trouble), "%.255s", why.message);
			c->retries++;
			deadline_in(pause_ms * 1000, &until);
			while (!c->stop && pthread_cond_timedwait(&lane->work, &c->mutex, &until) !=
						   ETIMEDOUT)
				;
		}
		bool over = c->stop || c->dead.status != RV_OK;

		pthread_cond_signal(&c->done);
		pthread_mutex_unlock(&c->mutex);
		if (over)
			break;
	}
	rv_http_response_release(&response);
	return settled;
}

static void *run_lane(void *arg)
{
	struct lane *lane = arg;
	struct client *c = lane->client;

	pthread_mutex_lock(&c->mutex);
	for (;;) {
		while (!lane->first && !c->stop)
			pthread_cond_wait(&lane->work, &c->mutex);
		if (c->stop || c->dead.status != RV_OK)
			break;
		struct item *item = lane->first;

		pthread_mutex_unlock(&c->mutex);
		bool settled = deliver(c, lane, item);

		pthread_mutex_lock(&c->mutex);
		if (!settled)
			break;
		lane->first = item->next;
		if (!lane->first)
			lane->last = &lane->first;
		item->next = NULL;
		*c->settled_last = item;
		c->settled_last = &item->next;
		pthread_cond_signal(&c->done);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

/* ---- operations ---- */

static bool client_add(struct rv_post *post, unsigned n, uint64_t tag, const char *p, size_t len)
{
	struct client *c = (struct client *)post;
	struct lane *lane = &c->lanes[n % c->params.lanes];

	if (c->bytes + len > c->params.max_bytes && post->waiting)
		return false;
	struct item *item = rv_malloc(sizeof(*item) + len);

	*item = (struct item){ .len = len, .result = { .tag = tag } };
	memcpy(item->body, p, len);
	c->bytes += len;
	post->waiting++;
	pthread_mutex_lock(&c->mutex);
	*lane->last = item;
	lane->last = &item->next;
	if (!lane->started) {
		lane->started = pthread_create(&lane->thread, NULL, run_lane, lane) == 0;
		if (!lane->started && c->dead.status == RV_OK)
			rv_fail(&c->dead, RV_LOCAL_IO, "there can be no more threads");
	}
	pthread_cond_signal(&lane->work);
	pthread_mutex_unlock(&c->mutex);
	return true;
}

static enum rv_status client_step(struct rv_post *post, int64_t timeout_us, struct rv_error *err)
{
	struct client *c = (struct client *)post;
	struct timespec until;
	int64_t end_us = timeout_us < 0 ? INT64_MAX : now_us() + timeout_us;

	pthread_mutex_lock(&c->mutex);
	/* signals do not end a wait for a condition: look up now and then */
	while (!c->settled && c->dead.status == RV_OK) {
		int64_t left_us = end_us - now_us();

		if (left_us <= 0)
			break;
		deadline_in(left_us > 50000 ? 50000 : left_us, &until);
		pthread_cond_timedwait(&c->done, &c->mutex, &until);
		if (c->params.should_stop && c->params.should_stop())
			break;
	}
	struct item *item = c->settled;

	c->settled = NULL;
	c->settled_last = &c->settled;
	if (item)
		post->trouble[0] = '\0';
	if (c->trouble[0])
		memcpy(post->trouble, c->trouble, sizeof(post->trouble));
	c->trouble[0] = '\0';
	post->retries = c->retries;
	struct rv_error dead = c->dead;

	pthread_mutex_unlock(&c->mutex);
	while (item) {
		struct item *next = item->next;

		c->bytes -= item->len;
		post->waiting--;
		c->params.settled(c->params.arg, &item->result);
		free(item);
		item = next;
	}
	if (dead.status == RV_OK)
		return RV_OK;
	*err = dead;
	return err->status;
}

static void free_items(struct item *item)
{
	while (item) {
		struct item *next = item->next;

		free(item);
		item = next;
	}
}

static void client_free(struct rv_post *post)
{
	struct client *c = (struct client *)post;

	pthread_mutex_lock(&c->mutex);
	c->stop = true;
	for (unsigned i = 0; i < c->params.lanes; i++)
		pthread_cond_broadcast(&c->lanes[i].work);
	pthread_mutex_unlock(&c->mutex);
	for (unsigned i = 0; i < c->params.lanes; i++) {
		if (c->lanes[i].started)
			pthread_join(c->lanes[i].thread, NULL);
		free_items(c->lanes[i].first);
		pthread_cond_destroy(&c->lanes[i].work);
	}
	free_items(c->settled);
	free(c->lanes);
	pthread_cond_destroy(&c->done);
	pthread_mutex_destroy(&c->mutex);
	rv_http_headers_release(&c->headers);
	rv_http_free(c->http);
	free(c->url);
	free(c->shown);
	free(c);
}

static const struct rv_post_ops client_ops = {
	.name = "client",
	.add = client_add,
	.step = client_step,
	.free = client_free,
};

enum rv_status rv_post_client_new(const struct rv_post_params *params, struct rv_post **ret,
				  struct rv_error *err RV_UNUSED)
{
	struct client *c = rv_calloc(1, sizeof(*c));
	const struct rv_http_params http = {
		.ca_file = params->ca_file,
		.ca_variable = "--ca-file",
		.should_stop = params->should_stop,
	};

	c->post.ops = &client_ops;
	c->params = *params;
	c->params.answer_timeout_ms = params->answer_timeout_ms ? params->answer_timeout_ms : 60000;
	c->url = rv_strdup(params->url);
	c->shown = rv_post_url_shown(params->url);
	c->dead = (struct rv_error)RV_ERROR_INIT;
	c->settled_last = &c->settled;
	rv_http_headers_add(&c->headers, "Content-Type", params->content_type);
	for (size_t i = 0; i < params->headers_count; i++) {
		const char *text = params->headers[i];
		size_t len = strcspn(text, ":");
		RV_CLEANUP(rv_free_p) char *name = rv_strndup(text, len);

		rv_http_headers_add(&c->headers, name, text + len + 1 + strspn(text + len + 1, " \t"));
	}
	c->http = rv_http_new(&http);
	pthread_mutex_init(&c->mutex, NULL);
	cond_init(&c->done);
	c->lanes = rv_calloc(params->lanes, sizeof(*c->lanes));
	for (unsigned i = 0; i < params->lanes; i++) {
		c->lanes[i].client = c;
		c->lanes[i].last = &c->lanes[i].first;
		cond_init(&c->lanes[i].work);
	}
	*ret = &c->post;
	return RV_OK;
}
