/*
 * Everything that is shared is behind one lock: the window, the pace, the counts. A thread takes a
 * load of lines under it, sends them without it, and enters the answer under it again.
 */
#include "delivery/firehose_crew.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/memory.h"

/* should_stop is a flag that a signal sets: it has to be looked at, also in a pause. */
#define LOOK_EVERY_MS 100
/* The pause between attempts at records of which it is doubtful that they will ever be taken. */
#define DOUBTFUL_PAUSE_MAX_MS 1000

struct rv_firehose_crew {
	struct rv_firehose_crew_params params;
	struct rv_crew threads;  /* `done`: nothing flies any more, and nothing is left to send */

	struct rv_firehose_pace pace;
	unsigned flying;
	/* of the window that is being carried; NULL: none is */
	struct rv_firehose_window *window;
	uint8_t *acknowledged;
	uint64_t first;
	struct rv_firehose_carried *carried;
	bool ended;             /* no further load is taken, and `why` says why */
	struct rv_error why;
	int64_t last_taken_ms;  /* monotonic */
};

static bool is_done(const struct rv_firehose_crew *crew)
{
	return !crew->flying && (crew->ended || !crew->window->left);
}

static void end(struct rv_firehose_crew *crew, const struct rv_error *why)
{
	if (!crew->ended)
		crew->why = *why;
	crew->ended = true;
}

/* What one answer means for the window, the pace and the whole. Under the lock. */
static void settle(struct rv_firehose_crew *crew, const struct rv_firehose_load *load,
		   const enum rv_firehose_fate *fates, const struct rv_firehose_result *result,
		   int64_t began_ms, struct rv_error *err)
{
	struct rv_firehose_carried *carried = crew->carried;
	bool answered = err->status == RV_OK;
	int64_t now = rv_clock_monotonic_ms();
	struct rv_firehose_settled settled;

	rv_firehose_window_settle(crew->window, load, fates, answered, crew->acknowledged, crew->first,
				  &settled);
	carried->requests++;
	carried->doubted_lines += settled.doubted_lines;
	carried->taken_bytes += settled.taken_bytes;
	carried->billed_bytes += settled.billed_bytes;
	if (answered || err->transient)
		carried->refused_lines += settled.refused_lines;
	if (settled.taken_lines)
		crew->last_taken_ms = now;
	int64_t pause_max_ms = crew->params.pause_max_ms;
	if (answered && load->all_refused_before && pause_max_ms > DOUBTFUL_PAUSE_MAX_MS)
		pause_max_ms = DOUBTFUL_PAUSE_MAX_MS;
	rv_firehose_pace_answer(&crew->pace, now, began_ms, load->count, load->count - result->taken,
				err->retry_after_ms, pause_max_ms);
	if (answered && result->taken < load->count) {
		rv_fail(err, RV_FAILED, "%zu of %zu records were refused: %s%s%s",
			load->count - result->taken, load->count, result->code,
			result->message[0] ? ": " : "", result->message);
		err->transient = true;
		snprintf(err->service_code, sizeof(err->service_code), "%s", result->code);
	}
	if (err->status == RV_OK)
		return;
	carried->last = *err;
	if (settled.most_refusals >= RV_FIREHOSE_REFUSALS_MAX) {
		carried->poisoned = true;
		end(crew, err);
	} else if (!err->transient) {
		end(crew, err);
	}
}

/* Whether to go on. Under the lock. */
static void look(struct rv_firehose_crew *crew, int64_t now)
{
	struct rv_error err = RV_ERROR_INIT;

	if (crew->params.should_stop && crew->params.should_stop()) {
		rv_fail(&err, RV_FAILED, "stopped before every record was sent");
		err.transient = true;
		end(crew, &err);
	} else if (now - crew->last_taken_ms >= crew->params.give_up_after_ms &&
		   crew->carried->last.status != RV_OK) {
		err = crew->carried->last;
		rv_context(&err, "no record was taken for %lld s",
			   (long long)((now - crew->last_taken_ms) / 1000));
		end(crew, &err);
	}
}

static bool has_work(const struct rv_firehose_crew *crew)
{
	return crew->window && !crew->ended && crew->window->first_waiting < crew->window->count;
}

/* Takes a load when there is one and the pace allows it; else says until when to wait. */
static bool take_load(struct rv_firehose_crew *crew, struct rv_firehose_load *load,
		      int64_t *ret_until_ms)
{
	int64_t now = rv_clock_monotonic_ms();
	struct rv_firehose_limits limits;

	*ret_until_ms = INT64_MAX;
	if (has_work(crew))
		look(crew, now);
	if (!has_work(crew))
		return false;
	if (!rv_firehose_pace_may_send(&crew->pace, crew->flying, now)) {
		if (crew->pace.not_before_ms > now)
			*ret_until_ms = crew->pace.not_before_ms;
		return false;
	}
	rv_firehose_pace_limits(&crew->pace, &limits);
	return rv_firehose_window_claim(crew->window, &limits, load);
}

static void *work(void *arg)
{
	struct rv_firehose_crew *crew = arg;
	struct rv_firehose_room room = RV_FIREHOSE_ROOM_INIT;
	struct rv_firehose_load *load = rv_malloc(sizeof(*load));
	enum rv_firehose_fate *fates = rv_malloc(RV_FIREHOSE_BATCH_RECORDS * sizeof(*fates));

	pthread_mutex_lock(&crew->threads.lock);
	while (!crew->threads.quit) {
		int64_t until;

		if (!take_load(crew, load, &until)) {
			rv_crew_wait(&crew->threads, &crew->threads.work, until);
			continue;
		}
		/* Whoever takes a load wakes the next one: nobody is woken for nothing, and the one
		 * that comes back with an answer always looks for itself. */
		if (++crew->flying < crew->params.in_flight && has_work(crew))
			pthread_cond_signal(&crew->threads.work);
		pthread_mutex_unlock(&crew->threads.lock);

		struct rv_firehose_result result = { 0 };
		struct rv_error err = RV_ERROR_INIT;
		int64_t began_ms = rv_clock_monotonic_ms();
		/* err.status says how it ended, too */
		if (crew->params.put(crew->params.arg, load->records, load->count, &room, fates, &result,
				     &err) == RV_OK)
			err = (struct rv_error)RV_ERROR_INIT;

		pthread_mutex_lock(&crew->threads.lock);
		crew->flying--;
		settle(crew, load, fates, &result, began_ms, &err);
		if (is_done(crew))
			pthread_cond_signal(&crew->threads.done);
	}
	pthread_mutex_unlock(&crew->threads.lock);
	free(fates);
	free(load);
	rv_firehose_room_release(&room);
	return NULL;
}

struct rv_firehose_crew *rv_firehose_crew_new(const struct rv_firehose_crew_params *params)
{
	struct rv_firehose_crew *crew = rv_calloc(1, sizeof(*crew));

	crew->params = *params;
	rv_crew_init(&crew->threads, params->in_flight);
	rv_firehose_pace_init(&crew->pace, params->in_flight, &params->limits);
	return crew;
}

void rv_firehose_crew_free(struct rv_firehose_crew *crew)
{
	if (!crew)
		return;
	rv_crew_release(&crew->threads);
	free(crew);
}

enum rv_status rv_firehose_crew_carry(struct rv_firehose_crew *crew,
				      struct rv_firehose_window *window, uint8_t *acknowledged,
				      uint64_t first, struct rv_firehose_carried *ret,
				      struct rv_error *err)
{
	if (!window->left)
		return RV_OK;
	if (rv_crew_start(&crew->threads, work, crew, err) != RV_OK)
		return err->status;
	pthread_mutex_lock(&crew->threads.lock);
	crew->window = window;
	crew->acknowledged = acknowledged;
	crew->first = first;
	crew->carried = ret;
	crew->ended = false;
	crew->last_taken_ms = rv_clock_monotonic_ms();
	pthread_cond_signal(&crew->threads.work);
	while (!is_done(crew)) {
		int64_t now = rv_clock_monotonic_ms();

		if (!crew->ended)
			look(crew, now);
		if (!is_done(crew))
			rv_crew_wait(&crew->threads, &crew->threads.done, now + LOOK_EVERY_MS);
	}
	crew->window = NULL;
	bool done = window->left == 0;
	if (!done)
		*err = crew->why;
	pthread_mutex_unlock(&crew->threads.lock);
	return done ? RV_OK : err->status;
}
