/*
 * Everything that is shared is behind one lock: the queue, the pace, the budget, the news. A thread takes a
 * load under it, sends it without it, and enters the answer under it again.
 *
 * The pace is Firehose's: requests at a time and items in each shrink when DynamoDB throttles and grow back
 * when it does not. A root that is throttled while others are taken (a hot key) has pauses of its own.
 */
#include "delivery/dynamodb_crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/memory.h"
#include "delivery/firehose_pace.h"

/* should_stop is a flag that a signal sets: it has to be looked at, also in a pause. */
#define LOOK_EVERY_MS 100

struct rv_dynamodb_crew {
	struct rv_dynamodb_crew_params params;
	struct rv_crew threads;  /* `done`: something was settled, or nothing flies any more */

	struct rv_dynamodb_queue queue;
	struct rv_firehose_pace pace;
	struct rv_dynamodb_budget budget;
	unsigned flying;
	struct rv_dynamodb_news *news;
	size_t news_count, news_capacity;
	struct rv_documents_counts counts;
	bool ended;             /* no further load is taken, and `why` says why */
	struct rv_error why, last;
	int64_t last_taken_ms;  /* monotonic; or when there was nothing to do */
	int64_t due_ms;         /* when the next root is due, as far as was seen */
};

static void end(struct rv_dynamodb_crew *crew, const struct rv_error *why)
{
	if (!crew->ended)
		crew->why = *why;
	crew->ended = true;
}

static void tell(struct rv_dynamodb_crew *crew, struct rv_dynamodb_news *news)
{
	struct rv_documents_counts *counts = &crew->counts;

	switch (news->fate) {
	case RV_DOCUMENT_WRITTEN: *(news->remove ? &counts->removed : &counts->written) += 1; break;
	case RV_DOCUMENT_SUPERSEDED: counts->superseded++; break;
	case RV_DOCUMENT_MERGED: counts->merged++; break;
	case RV_DOCUMENT_EXPIRED: counts->expired++; break;
	case RV_DOCUMENT_REFUSED: counts->refused++; break;
	}
	RV_GROW(crew->news, crew->news_count, crew->news_capacity);
	crew->news[crew->news_count++] = *news;
}

/* ---- answers ------------------------------------------------------------------------------------- */

static bool is_for_an_item(const struct rv_error *err)
{
	return !err->transient && (strcmp(err->service_code, "ValidationException") == 0 ||
				   strcmp(err->service_code, "SerializationException") == 0 ||
				   strcmp(err->service_code, "ItemCollectionSizeLimitExceededException") == 0);
}

/* Puts the document's name in front of why it was refused, as long as its root is there to be asked. */
static char *named(const struct rv_dynamodb_crew *crew, const struct rv_dynamodb_load *load, size_t i,
		   const char *why)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	rv_dynamodb_item_name(crew->params.schema, load->writes[i].item, load->writes[i].len, &text);
	rv_strbuf_printf(&text, ": %s", why);
	return rv_strbuf_take(&text);
}

/* What one answer means for the queue, the pace and the whole. Under the lock. */
static void settle(struct rv_dynamodb_crew *crew, const struct rv_dynamodb_load *load,
		   enum rv_dynamodb_fate *fates, const struct rv_dynamodb_result *result,
		   int64_t began_ms, struct rv_error *err)
{
	struct rv_dynamodb_news news[RV_DYNAMODB_BATCH_ITEMS];
	char *reasons[RV_DYNAMODB_BATCH_ITEMS] = { NULL };
	struct rv_dynamodb_settled settled;
	int64_t now = rv_clock_monotonic_ms();
	bool split = false;
	size_t failed = 0;

	if (err->status != RV_OK && !load->single && is_for_an_item(err)) {
		split = load->count > 1;
		if (!split)
			fates[0] = RV_DYNAMODB_REFUSED;
		*err = (struct rv_error)RV_ERROR_INIT;
	}
	for (size_t i = 0; i < load->count; i++) {
		failed += !split && (fates[i] == RV_DYNAMODB_LEFT || fates[i] == RV_DYNAMODB_UNKNOWN);
		if (fates[i] == RV_DYNAMODB_REFUSED)
			reasons[i] = named(crew, load, i, result->message);
		else if (fates[i] == RV_DYNAMODB_FOREIGN)
			reasons[i] = named(crew, load, i, "an item without " RV_DYNAMODB_VERSION
					   " is there, which river has not written");
	}
	size_t count = rv_dynamodb_queue_settle(&crew->queue, load, fates, split, reasons,
						crew->params.service.doubt_ms, now, news, &settled);
	for (size_t i = 0; i < count; i++)
		tell(crew, &news[i]);
	crew->counts.requests++;
	crew->counts.again += settled.again;
	crew->counts.maybe_twice += settled.doubted;
	crew->counts.bytes += settled.taken_bytes;
	if (settled.done || split)
		crew->last_taken_ms = now;
	if (settled.done) /* what went wrong before is over: whoever waits now, waits for something else */
		crew->last = (struct rv_error)RV_ERROR_INIT;
	/* what it really cost: a condition that fails is charged for what is there */
	double units = result->units >= 0 ? result->units : failed == load->count || split ? 0 : load->units;
	rv_dynamodb_budget_spend(&crew->budget, units - load->units);
	crew->counts.units += units;
	rv_firehose_pace_answer(&crew->pace, now, began_ms, load->count, failed, err->retry_after_ms,
				crew->params.service.pause_max_ms);
	if (err->status == RV_OK && failed) {
		rv_fail(err, RV_FAILED, "%zu of %zu documents were left unprocessed", failed, load->count);
		err->transient = true;
	}
	if (err->status == RV_OK)
		return;
	crew->last = *err;
	if (!err->transient)
		end(crew, err);
}

/* ---- the threads --------------------------------------------------------------------------------- */

/* Whether to go on. Under the lock. */
static void look(struct rv_dynamodb_crew *crew, int64_t now)
{
	struct rv_error err = RV_ERROR_INIT;

	if (crew->params.should_stop && crew->params.should_stop()) {
		rv_fail(&err, RV_FAILED, "stopped before every document was written");
		err.transient = true;
		end(crew, &err);
	} else if (now - crew->last_taken_ms >= crew->params.give_up_after_ms &&
		   crew->last.status != RV_OK &&
		   /* a root that waits an attempt out is no sign of anything */
		   (crew->flying || crew->due_ms <= now + RV_DYNAMODB_ROOT_PAUSE_MAX_MS)) {
		err = crew->last;
		rv_context(&err, "no document was taken for %lld s, and %zu are left",
			   (long long)((now - crew->last_taken_ms) / 1000), crew->queue.roots);
		end(crew, &err);
	}
}

/* Takes a load when there is one and the pace and the budget allow it; else says until when to wait. */
static bool take_load(struct rv_dynamodb_crew *crew, struct rv_dynamodb_load *load, int64_t *ret_until_ms)
{
	int64_t now = rv_clock_monotonic_ms();
	struct rv_firehose_limits pace;

	*ret_until_ms = INT64_MAX;
	if (crew->ended || !crew->queue.waiting)
		return false;
	look(crew, now);
	if (crew->ended)
		return false;
	if (!rv_firehose_pace_may_send(&crew->pace, crew->flying, now)) {
		if (crew->pace.not_before_ms > now)
			*ret_until_ms = crew->pace.not_before_ms;
		return false;
	}
	int64_t due = rv_dynamodb_budget_due(&crew->budget, now);
	if (due > now) {
		*ret_until_ms = due;
		return false;
	}
	rv_firehose_pace_limits(&crew->pace, &pace);
	const struct rv_dynamodb_limits limits = {
		.items = crew->params.exclusive ? pace.records : 1,
		.bytes = pace.bytes,
		.units = crew->budget.per_second > 0 ? crew->budget.units : 1e12,
		.exclusive = crew->params.exclusive,
	};
	if (!rv_dynamodb_queue_claim(&crew->queue, &limits, now, load, ret_until_ms)) {
		crew->due_ms = *ret_until_ms;
		return false;
	}
	crew->due_ms = now;
	rv_dynamodb_budget_spend(&crew->budget, load->units);
	return true;
}

static void send(struct rv_dynamodb_crew *crew, const struct rv_dynamodb_load *load,
		 struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fates,
		 struct rv_dynamodb_result *result, struct rv_error *err)
{
	const struct rv_dynamodb_crew_params *p = &crew->params;
	enum rv_status status =
		load->single ? p->service.write_one(p->service.arg, p->table, p->schema, &load->writes[0],
						    load->versioned, room, &fates[0], result, err) :
			       p->service.batch(p->service.arg, p->table, p->schema, load->writes,
						load->count, room, fates, result, err);
	/* err.status says how it ended, too */
	if (status == RV_OK)
		*err = (struct rv_error)RV_ERROR_INIT;
}

static void *work(void *arg)
{
	struct rv_dynamodb_crew *crew = arg;
	struct rv_dynamodb_room room = RV_DYNAMODB_ROOM_INIT;
	enum rv_dynamodb_fate fates[RV_DYNAMODB_BATCH_ITEMS];
	struct rv_dynamodb_load load;

	pthread_mutex_lock(&crew->threads.lock);
	while (!crew->threads.quit) {
		int64_t until;

		if (!take_load(crew, &load, &until)) {
			rv_crew_wait(&crew->threads, &crew->threads.work, until);
			continue;
		}
		if (++crew->flying < crew->params.in_flight && crew->queue.waiting)
			pthread_cond_signal(&crew->threads.work);
		pthread_mutex_unlock(&crew->threads.lock);

		struct rv_dynamodb_result result = { .units = -1 };
		struct rv_error err = RV_ERROR_INIT;
		int64_t began_ms = rv_clock_monotonic_ms();
		send(crew, &load, &room, fates, &result, &err);

		pthread_mutex_lock(&crew->threads.lock);
		crew->flying--;
		settle(crew, &load, fates, &result, began_ms, &err);
		pthread_cond_signal(&crew->threads.done);
	}
	pthread_mutex_unlock(&crew->threads.lock);
	rv_dynamodb_room_release(&room);
	return NULL;
}

/* ---- the crew ------------------------------------------------------------------------------------ */

struct rv_dynamodb_crew *rv_dynamodb_crew_new(const struct rv_dynamodb_crew_params *params)
{
	struct rv_dynamodb_crew *crew = rv_calloc(1, sizeof(*crew));
	/* room for the request around the items */
	const struct rv_firehose_limits limits = {
		.records = params->exclusive ? RV_DYNAMODB_BATCH_ITEMS : 1,
		.bytes = RV_DYNAMODB_BATCH_BYTES - 4096,
	};

	crew->params = *params;
	if (!crew->params.service.pause_max_ms)
		crew->params.service.pause_max_ms = RV_FIREHOSE_PAUSE_MAX_MS;
	if (!crew->params.service.doubt_ms)
		crew->params.service.doubt_ms = RV_DYNAMODB_DOUBT_MS;
	rv_crew_init(&crew->threads, params->in_flight);
	crew->last = crew->why = (struct rv_error)RV_ERROR_INIT;
	rv_dynamodb_queue_init(&crew->queue);
	rv_firehose_pace_init(&crew->pace, params->in_flight, &limits);
	rv_dynamodb_budget_init(&crew->budget, params->max_wcu, rv_clock_monotonic_ms());
	return crew;
}

void rv_dynamodb_crew_free(struct rv_dynamodb_crew *crew)
{
	if (!crew)
		return;
	rv_crew_release(&crew->threads);
	rv_dynamodb_queue_release(&crew->queue);
	for (size_t i = 0; i < crew->news_count; i++)
		free(crew->news[i].reason);
	free(crew->news);
	if (crew->params.service.free)
		crew->params.service.free(crew->params.service.arg);
	free(crew);
}

enum rv_status rv_dynamodb_crew_put(struct rv_dynamodb_crew *crew, struct rv_str key,
				    const struct rv_dynamodb_pending *pending, struct rv_error *err)
{
	struct rv_dynamodb_news news;

	if (rv_crew_start(&crew->threads, work, crew, err) != RV_OK) {
		free(pending->item);
		return err->status;
	}
	pthread_mutex_lock(&crew->threads.lock);
	if (!crew->queue.roots)
		crew->last_taken_ms = rv_clock_monotonic_ms();
	while (!crew->ended && crew->queue.bytes > crew->params.max_bytes) {
		int64_t now = rv_clock_monotonic_ms();

		look(crew, now);
		if (!crew->ended)
			rv_crew_wait(&crew->threads, &crew->threads.done, now + LOOK_EVERY_MS);
	}
	if (crew->ended) {
		*err = crew->why;
		free(pending->item);
	} else {
		if (rv_dynamodb_queue_put(&crew->queue, key, pending, &news))
			tell(crew, &news);
		/* those that are awake look for themselves; a batch waits for company only in the queue */
		pthread_cond_signal(&crew->threads.work);
	}
	bool ended = crew->ended;
	pthread_mutex_unlock(&crew->threads.lock);
	return ended ? err->status : RV_OK;
}

void rv_dynamodb_crew_tell(struct rv_dynamodb_crew *crew, uint64_t tag, bool remove,
			   enum rv_document_fate fate, const char *reason)
{
	struct rv_dynamodb_news news = { .tag = tag, .fate = fate, .remove = remove };

	if (reason)
		news.reason = rv_strdup(reason);
	pthread_mutex_lock(&crew->threads.lock);
	tell(crew, &news);
	pthread_mutex_unlock(&crew->threads.lock);
}

void rv_dynamodb_crew_news(struct rv_dynamodb_crew *crew,
			   void (*settled)(void *arg, const struct rv_document_result *result), void *arg)
{
	pthread_mutex_lock(&crew->threads.lock);
	struct rv_dynamodb_news *news = crew->news;
	size_t count = crew->news_count;
	crew->news = NULL;
	crew->news_count = crew->news_capacity = 0;
	pthread_mutex_unlock(&crew->threads.lock);
	for (size_t i = 0; i < count; i++) {
		const struct rv_document_result result = {
			.tag = news[i].tag,
			.fate = news[i].fate,
			.reason = news[i].reason ? news[i].reason : "",
		};

		if (settled)
			settled(arg, &result);
		free(news[i].reason);
	}
	free(news);
}

enum rv_status rv_dynamodb_crew_flush(struct rv_dynamodb_crew *crew, struct rv_error *err)
{
	pthread_mutex_lock(&crew->threads.lock);
	while (crew->ended ? crew->flying > 0 : crew->queue.roots > 0) {
		int64_t now = rv_clock_monotonic_ms();

		if (!crew->ended)
			look(crew, now);
		rv_crew_wait(&crew->threads, &crew->threads.done, now + LOOK_EVERY_MS);
	}
	bool ended = crew->ended;
	if (ended)
		*err = crew->why;
	pthread_mutex_unlock(&crew->threads.lock);
	return ended ? err->status : RV_OK;
}

void rv_dynamodb_crew_counts(struct rv_dynamodb_crew *crew, struct rv_documents_counts *ret)
{
	pthread_mutex_lock(&crew->threads.lock);
	*ret = crew->counts;
	pthread_mutex_unlock(&crew->threads.lock);
}
