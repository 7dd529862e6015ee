/* One thread, a list of runs, and one clock for pauses and giving up. */
#include "flow/courier.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/ulid.h"

#define PAUSE_MS 1000
#define PAUSE_MAX_MS 30000
/* How often a wait looks at what no condition tells: signals. */
#define TICK_MS 100
/* Behind a signal the rest is brought while that goes well, but not for longer. */
#define STOPPING_MS 8000

struct lane {
	struct rv_run *run;
	uint64_t announced;      /* batches below this number */
	bool ended, complete, finish;
};

struct rv_courier {
	struct rv_deliver deliver;
	struct rv_retry retry;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct lane **lanes;
	size_t lanes_count, lanes_capacity;
	bool quit, held, busy, keep, given_up;
	bool recover;            /* what others left is still to be finished */
	unsigned failures;       /* in a row */
	int64_t wake_ms;         /* the pause's end; 0: none */
	int64_t ending_ms;       /* since when there is no more input; 0: there is */
	int64_t stopping_ms;     /* the same for a signal */
	struct rv_courier_totals totals;
};

int64_t rv_retry_pause_ms(const struct rv_retry *retry, unsigned failures)
{
	int64_t pause = retry->pause_ms ? retry->pause_ms : PAUSE_MS;
	int64_t max = retry->pause_max_ms ? retry->pause_max_ms : PAUSE_MAX_MS;
	uint32_t random;
	for (unsigned i = 1; i < failures && pause < max; i++)
		pause *= 2;
	if (pause > max)
		pause = max;
	rv_random_bytes(&random, sizeof(random));
	return pause - (int64_t)(random % (uint64_t)(pause / 2 + 1));
}

bool rv_retry_helps(const struct rv_error *err)
{
	return err->transient;
}

/* With the mutex held. */
static void wait_ms(struct rv_courier *c, int64_t ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&c->changed, &c->mutex, &until);
}

/* ---- the thread's side; called with the mutex held, which the slow parts let go of ---- */

static void attempted(struct rv_courier *c, enum rv_status status, const struct rv_error *err)
{
	int64_t now_ms = rv_clock_monotonic_ms();
	struct rv_courier_totals *totals = &c->totals;
	totals->loss = c->deliver.loss;
	memcpy(totals->diverted, c->deliver.diverted, sizeof(totals->diverted));
	if (status == RV_OK) {
		c->failures = 0;
		c->wake_ms = 0;
		totals->delivery = (struct rv_error)RV_ERROR_INIT;
		totals->failing_since_ms = 0;
		return;
	}
	totals->delivery = *err;
	if (!totals->failing_since_ms)
		totals->failing_since_ms = now_ms;
	c->failures++;
	c->wake_ms = now_ms + rv_retry_pause_ms(&c->retry, c->failures);
	/* The last try is made when the time is up, not a pause later. */
	if (c->ending_ms && c->wake_ms > c->ending_ms + c->retry.for_ms)
		c->wake_ms = c->ending_ms + c->retry.for_ms;
	bool over = c->ending_ms && (!rv_retry_helps(err) || now_ms - c->ending_ms >= c->retry.for_ms);
	if (over || c->stopping_ms)
		c->given_up = true;
}

static void deliver_one(struct rv_courier *c, struct rv_run *run, const struct rv_batch_entry *before)
{
	struct rv_error err = RV_ERROR_INIT;
	pthread_mutex_unlock(&c->mutex);
	enum rv_status status = rv_deliver_spooled_one(&c->deliver, run, before->seq, &err);
	pthread_mutex_lock(&c->mutex);
	rv_delivered_add(&c->totals.delivered, run, before);
	attempted(c, status, &err);
}

/* The run's last batch is gone. True: it is done with. */
static bool finish_run(struct rv_courier *c, const struct lane *lane)
{
	struct rv_error err = RV_ERROR_INIT;
	pthread_mutex_unlock(&c->mutex);
	/* A named run whose input never came to its end stays open: the same input will come again. */
	enum rv_status status = lane->run->named && !lane->complete
					? rv_run_remove(lane->run, &err)
					: rv_deliver_finish(&c->deliver, lane->run, &err);
	pthread_mutex_lock(&c->mutex);
	if (status == RV_CONFLICT) {
		c->totals.failure = err;
		return true;
	}
	attempted(c, status, &err);
	return status == RV_OK;
}

static void let_go(struct rv_courier *c, size_t i)
{
	struct lane *lane = c->lanes[i];
	memmove(c->lanes + i, c->lanes + i + 1, (c->lanes_count - i - 1) * sizeof(struct lane *));
	c->lanes_count--;
	rv_run_free(lane->run);
	free(lane);
}

static bool may_deliver(const struct rv_courier *c)
{
	return !c->keep && !c->given_up && !c->held;
}

/* What is left of it stays in the spool. */
static bool is_over(const struct rv_courier *c, const struct lane *lane)
{
	return lane->ended && (!lane->finish || c->keep || c->given_up);
}

static bool waits(const struct lane *lane, struct rv_batch_entry *ret)
{
	return rv_run_next_waiting(lane->run, 0, ret) && ret->seq < lane->announced;
}

static void finish_others(struct rv_courier *c)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_recover_result result;
	uint64_t opened = c->deliver.opened;
	bool reopened = c->deliver.reopened;
	pthread_mutex_unlock(&c->mutex);
	/* Whoever holds the lock does the same: that is fine. */
	enum rv_status status = rv_recover(&c->deliver, 0, c->retry.should_stop, &result, &err);
	pthread_mutex_lock(&c->mutex);
	c->deliver.opened = opened;
	c->deliver.reopened = reopened;
	c->recover = false;
	if (status == RV_LOCKED)
		return;
	if (status != RV_OK) {
		c->totals.recovered.failure = err;
		return;
	}
	struct rv_recover_result *all = &c->totals.recovered;
	all->runs += result.runs;
	all->batches += result.batches;
	all->records += result.records;
	all->own_records += result.own_records;
	all->waiting_runs = result.waiting_runs;
	all->waiting_file_runs = result.waiting_file_runs;
	all->failure = result.failure;
	/* The outage of a service is one for all runs; what stands in the way of one is its own. */
	bool outage = result.waiting_runs && rv_retry_helps(&result.failure);
	if (outage)
		attempted(c, result.failure.status, &result.failure);
	c->recover = outage;
}

/* One step; false: there is nothing to do now. */
static bool step(struct rv_courier *c)
{
	struct rv_batch_entry entry;
	bool pausing = c->wake_ms && rv_clock_monotonic_ms() < c->wake_ms;
	for (size_t i = 0; i < c->lanes_count; i++) {
		struct lane *lane = c->lanes[i];
		if (!is_over(c, lane))
			continue;
		/* All of it may have been brought, and only the receipt be missing. */
		if (lane->finish && c->keep && !c->given_up && !waits(lane, &entry))
			finish_run(c, lane);
		let_go(c, i);
		return true;
	}
	if (!may_deliver(c) || pausing)
		return false;
	c->wake_ms = 0;
	if (c->recover) {
		finish_others(c);
		return true;
	}
	if (!c->lanes_count)
		return false;
	struct lane *lane = c->lanes[0];
	if (waits(lane, &entry))
		deliver_one(c, lane->run, &entry);
	else if (lane->ended && finish_run(c, lane))
		let_go(c, 0);
	else if (!lane->ended)
		return false;
	return true;
}

static void *work(void *arg)
{
	struct rv_courier *c = arg;
	pthread_mutex_lock(&c->mutex);
	while (!c->quit) {
		c->busy = true;
		bool more = step(c);
		c->busy = false;
		pthread_cond_broadcast(&c->changed);
		if (more || c->quit)
			continue;
		if (c->wake_ms)
			wait_ms(c, TICK_MS);
		else
			pthread_cond_wait(&c->changed, &c->mutex);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

/* ---- the others' side ---- */

enum rv_status rv_courier_new(const struct rv_deliver *deliver, const struct rv_retry *retry,
			      bool recover, struct rv_courier **ret, struct rv_error *err)
{
	struct rv_courier *c = rv_calloc(1, sizeof(*c));
	c->deliver = *deliver;
	c->deliver.opened = c->deliver.known = 0;
	c->deliver.closed = NULL;
	c->deliver.loss = (struct rv_error)RV_ERROR_INIT;
	c->deliver.waiting = NULL;
	c->deliver.held = NULL; /* what is open there is the other thread's */
	c->retry = *retry;
	c->recover = recover;
	c->totals = (struct rv_courier_totals){
		.delivery = RV_ERROR_INIT,
		.failure = RV_ERROR_INIT,
		.loss = RV_ERROR_INIT,
		.recovered = { .failure = RV_ERROR_INIT },
	};
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&c->mutex, NULL);
	/* Signals are for the thread that reads: it is the one that can stop. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&c->thread, NULL, work, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		free(c);
		return rv_fail(err, RV_LOCAL_IO, "start a thread: %s", strerror(r));
	}
	*ret = c;
	return RV_OK;
}

void rv_courier_free(struct rv_courier *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->mutex);
	c->quit = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	pthread_join(c->thread, NULL);
	for (size_t i = 0; i < c->lanes_count; i++) {
		if (c->lanes[i]->ended)
			rv_run_free(c->lanes[i]->run);
		free(c->lanes[i]);
	}
	free(c->lanes);
	rv_deliver_release(&c->deliver);
	pthread_mutex_destroy(&c->mutex);
	pthread_cond_destroy(&c->changed);
	free(c);
}

static struct lane *lane_of(struct rv_courier *c, struct rv_run *run)
{
	for (size_t i = 0; i < c->lanes_count; i++)
		if (c->lanes[i]->run == run)
			return c->lanes[i];
	struct lane *lane = rv_calloc(1, sizeof(*lane));
	lane->run = run;
	RV_GROW(c->lanes, c->lanes_count, c->lanes_capacity);
	c->lanes[c->lanes_count++] = lane;
	return lane;
}

void rv_courier_announce(struct rv_courier *c, struct rv_run *run, uint64_t seq)
{
	pthread_mutex_lock(&c->mutex);
	lane_of(c, run)->announced = seq + 1;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

void rv_courier_end(struct rv_courier *c, struct rv_run *run, bool complete, bool finish)
{
	pthread_mutex_lock(&c->mutex);
	struct lane *lane = lane_of(c, run);
	lane->ended = true;
	lane->complete = complete;
	lane->finish = finish;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

void rv_courier_hold(struct rv_courier *c)
{
	pthread_mutex_lock(&c->mutex);
	c->held = true;
	while (c->busy)
		pthread_cond_wait(&c->changed, &c->mutex);
	pthread_mutex_unlock(&c->mutex);
}

void rv_courier_resume(struct rv_courier *c)
{
	pthread_mutex_lock(&c->mutex);
	c->held = false;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

void rv_courier_keep(struct rv_courier *c)
{
	pthread_mutex_lock(&c->mutex);
	c->keep = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

static bool is_done(const struct rv_courier *c)
{
	struct rv_batch_entry entry;
	if (c->busy)
		return false;
	if (c->given_up || c->keep) {
		for (size_t i = 0; i < c->lanes_count; i++)
			if (c->lanes[i]->ended)
				return false;
		return true;
	}
	for (size_t i = 0; i < c->lanes_count; i++)
		if (c->lanes[i]->ended || waits(c->lanes[i], &entry))
			return false;
	return !c->recover;
}

void rv_courier_finish(struct rv_courier *c, void (*tick)(void *arg), void *arg)
{
	pthread_mutex_lock(&c->mutex);
	if (!c->ending_ms) {
		c->ending_ms = rv_clock_monotonic_ms();
		c->wake_ms = 0; /* a pause ends: this is the time to know */
		c->failures = 0;
	}
	pthread_cond_broadcast(&c->changed);
	while (!is_done(c)) {
		int64_t now_ms = rv_clock_monotonic_ms();
		if (!c->stopping_ms && c->retry.should_stop && c->retry.should_stop()) {
			c->stopping_ms = now_ms;
			/* In an outage nothing more is tried. */
			c->given_up = c->given_up || c->totals.failing_since_ms;
			pthread_cond_broadcast(&c->changed);
		}
		if (c->stopping_ms && now_ms - c->stopping_ms > STOPPING_MS) {
			c->given_up = true;
			pthread_cond_broadcast(&c->changed);
		}
		wait_ms(c, TICK_MS);
		if (tick) {
			pthread_mutex_unlock(&c->mutex);
			tick(arg);
			pthread_mutex_lock(&c->mutex);
		}
	}
	pthread_mutex_unlock(&c->mutex);
}

void rv_courier_totals(struct rv_courier *c, struct rv_courier_totals *ret)
{
	pthread_mutex_lock(&c->mutex);
	*ret = c->totals;
	pthread_mutex_unlock(&c->mutex);
}
