/* One worker, a queue of two, a courier behind it, and the totals all sides look at. */
#include "flow/sender.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "spool/checkpoint.h"

#define QUEUE_MAX 2
/* How often who waits here looks at what no condition tells. */
#define TICK_MS 100

struct job {
	struct rv_run *run;
	bool end_run, complete;
	struct rv_finished finished;
};

struct rv_sender {
	struct rv_deliver *deliver;
	struct rv_retry retry;
	void (*tick)(void *arg);
	void *tick_arg;
	struct rv_courier *courier; /* NULL: nothing is spooled */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct job queue[QUEUE_MAX];
	unsigned queued;      /* jobs in the queue, the one under way included */
	bool quit;
	struct rv_error failure; /* RV_OK: none */
	struct rv_delivered delivered; /* files */
	struct rv_sender_totals totals;
};

static void promised(struct rv_sender *sender, const struct rv_batch_entry *entry, bool pipe)
{
	pthread_mutex_lock(&sender->mutex);
	sender->totals.promised_records += entry->records;
	sender->totals.promised_record_bytes += entry->record_bytes;
	sender->totals.promised_rejected += entry->rejected;
	sender->totals.promised_objects += entry->records > 0;
	sender->totals.promised_bytes += entry->bytes;
	sender->totals.promised_batches++;
	sender->totals.input_to = entry->input_to;
	if (pipe) {
		sender->totals.queued_spool_bytes -= rv_batch_spool_bytes(entry);
		sender->totals.waiting_spool_bytes += rv_batch_spool_bytes(entry);
	}
	pthread_mutex_unlock(&sender->mutex);
}

static bool should_stop(const struct rv_sender *sender)
{
	return sender->retry.should_stop && sender->retry.should_stop();
}

static void pause_between(const struct rv_sender *sender, int64_t pause_ms)
{
	int64_t until_ms = rv_clock_monotonic_ms() + pause_ms, left;
	while ((left = until_ms - rv_clock_monotonic_ms()) > 0 && !should_stop(sender)) {
		struct timespec slice = { .tv_nsec = (left < 100 ? left : 100) * 1000000 };
		nanosleep(&slice, NULL);
	}
}

struct attempts {
	int64_t started_ms;
	unsigned failures;
};

/* What a failed attempt means: false, no other is made; true, the pause before it is over. */
static bool try_again(struct rv_sender *sender, struct attempts *attempts, const struct rv_error *err)
{
	int64_t now_ms = rv_clock_monotonic_ms();
	if (!attempts->failures++)
		attempts->started_ms = now_ms;
	int64_t pause_ms = rv_retry_pause_ms(&sender->retry, attempts->failures);
	int64_t left_ms = attempts->started_ms + sender->retry.for_ms - now_ms;
	if (!rv_retry_helps(err) || should_stop(sender) || left_ms <= 0)
		return false;
	pthread_mutex_lock(&sender->mutex);
	sender->totals.delivery = *err;
	sender->totals.failing_since_ms = attempts->started_ms;
	pthread_mutex_unlock(&sender->mutex);
	/* The last try is made when the time is up, not a pause later. */
	pause_between(sender, pause_ms < left_ms ? pause_ms : left_ms);
	return true;
}

static void went_well(struct rv_sender *sender, const struct attempts *attempts)
{
	if (!attempts->failures)
		return;
	pthread_mutex_lock(&sender->mutex);
	sender->totals.delivery = (struct rv_error)RV_ERROR_INIT;
	sender->totals.failing_since_ms = 0;
	pthread_mutex_unlock(&sender->mutex);
}

/* A promise asks the lake: whether the stream is still this one, and under a name what the batch was
 * before. An answer is waited for as long as for a delivery; meanwhile the input is held up. */
static enum rv_status promise(struct rv_sender *sender, struct rv_run *run, struct rv_finished *finished,
			      struct rv_error *err)
{
	struct attempts attempts = { .failures = 0 };
	do {
		*err = (struct rv_error)RV_ERROR_INIT;
		if (rv_deliver_promise(sender->deliver, run, finished, err) == RV_OK) {
			went_well(sender, &attempts);
			return RV_OK;
		}
		/* A full disk is another matter, and what it says is not to be waited for here. */
	} while (err->status == RV_FAILED && try_again(sender, &attempts, err));
	if (run->named && err->status == RV_FAILED && rv_retry_helps(err))
		rv_hint(err, "nothing is lost: give the same input again under the same name; what is "
			     "there by then is not sent twice");
	return err->status;
}

/* What passes is no failure of a push that the same command goes on with. */
static enum rv_status keep(struct rv_error *err)
{
	if (err->status == RV_FAILED && rv_retry_helps(err)) {
		rv_hint(err, "nothing is lost: run the same command again, it goes on where this one ended");
		err->status = RV_KEPT;
	}
	return err->status;
}

/* A file keeps what it holds: it is worth a while of trying, and then the same command goes on. */
static enum rv_status deliver_file_batch(struct rv_sender *sender, struct rv_run *run, uint64_t seq,
					 struct rv_finished *finished, struct rv_error *err)
{
	struct attempts attempts = { .failures = 0 };
	bool again;
	do {
		again = !finished->body.stage; /* an attempt uses a staged one up */
		*err = (struct rv_error)RV_ERROR_INIT;
		if (rv_deliver_batch(sender->deliver, run, seq, &finished->body, &finished->rejects, err) ==
		    RV_OK) {
			went_well(sender, &attempts);
			return RV_OK;
		}
	} while (again && try_again(sender, &attempts, err));
	return keep(err);
}

/* All of it is in the lake, or taken for it, and the receipt is what the counts are proved by. */
static enum rv_status finish_file_run(struct rv_sender *sender, struct rv_run *run, struct rv_error *err)
{
	struct attempts attempts = { .failures = 0 };
	do {
		*err = (struct rv_error)RV_ERROR_INIT;
		if (rv_deliver_finish(sender->deliver, run, err) == RV_OK) {
			went_well(sender, &attempts);
			return RV_OK;
		}
	} while (err->status == RV_FAILED && try_again(sender, &attempts, err));
	return keep(err);
}

static enum rv_status do_batch(struct rv_sender *sender, struct job *job, struct rv_error *err)
{
	struct rv_run *run = job->run;
	const struct rv_batch_entry *entry = &job->finished.entry;
	uint64_t seq = entry->seq;
	struct rv_batch_entry before, shown = *entry; /* the promise takes the entry over */
	enum rv_status status = promise(sender, run, &job->finished, err);
	/* It stands once it is in the journal, also where what follows (the checkpoints) fails. */
	bool stands = rv_run_entry(run, seq, &before);
	if (stands)
		promised(sender, &shown, run->pipe);
	if (status != RV_OK)
		return status;
	if (!stands)
		rv_bug("a batch was promised and is not there");
	if (run->pipe) {
		rv_courier_announce(sender->courier, run, seq);
		return RV_OK;
	}
	status = deliver_file_batch(sender, run, seq, &job->finished, err);
	pthread_mutex_lock(&sender->mutex);
	rv_delivered_add(&sender->delivered, run, &before);
	pthread_mutex_unlock(&sender->mutex);
	return status;
}

/* Moves the run on to the courier, or ends it here. */
static enum rv_status do_end_run(struct rv_sender *sender, struct job *job, struct rv_error *err)
{
	struct rv_run *run = job->run;
	if (job->complete && rv_run_close(run, err) != RV_OK)
		return err->status;
	if (run->pipe) {
		/* Checkpoints moved with the promises; the courier forgets the run when it is done. */
		rv_courier_end(sender->courier, rv_take(job->run), job->complete, true);
		return RV_OK;
	}
	struct rv_run_totals totals;
	rv_run_totals(run, &totals);
	if (totals.waiting)
		return RV_OK;
	return run->named && !job->complete ? rv_run_remove(run, err)
					    : finish_file_run(sender, run, err);
}

/* A run that nobody goes on with: the courier may be at it. */
static void let_go(struct rv_sender *sender, struct rv_run *run)
{
	if (run && run->pipe)
		rv_courier_end(sender->courier, run, false, false);
	else
		rv_run_free(run);
}

static void *work(void *arg)
{
	struct rv_sender *sender = arg;
	pthread_mutex_lock(&sender->mutex);
	for (;;) {
		while (!sender->queued && !sender->quit)
			pthread_cond_wait(&sender->changed, &sender->mutex);
		if (!sender->queued)
			break;
		struct job *job = &sender->queue[0];
		bool failed = sender->failure.status != RV_OK;
		pthread_mutex_unlock(&sender->mutex);

		struct rv_error err = RV_ERROR_INIT;
		enum rv_status status = RV_OK;
		if (!failed)
			status = job->end_run ? do_end_run(sender, job, &err)
					      : do_batch(sender, job, &err);
		rv_finished_release(&job->finished);
		if (job->end_run)
			let_go(sender, job->run);

		pthread_mutex_lock(&sender->mutex);
		if (status != RV_OK)
			sender->failure = err;
		sender->queued--;
		memmove(sender->queue, sender->queue + 1, sender->queued * sizeof(*sender->queue));
		pthread_cond_broadcast(&sender->changed);
	}
	pthread_mutex_unlock(&sender->mutex);
	return NULL;
}

enum rv_status rv_sender_new(const struct rv_sender_params *params, struct rv_sender **ret,
			     struct rv_error *err)
{
	struct rv_sender *sender = rv_calloc(1, sizeof(*sender));
	sender->deliver = params->deliver;
	sender->retry = params->retry;
	sender->tick = params->tick;
	sender->tick_arg = params->tick_arg;
	sender->failure = sender->totals.delivery = (struct rv_error)RV_ERROR_INIT;
	if (params->spooled && rv_courier_new(params->deliver, &params->retry, params->recover,
					      &sender->courier, err) != RV_OK) {
		free(sender);
		return err->status;
	}
	pthread_mutex_init(&sender->mutex, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&sender->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	/* Signals are for the thread that reads: it is the one that can stop. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&sender->thread, NULL, work, sender);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		rv_courier_free(sender->courier);
		free(sender);
		return rv_fail(err, RV_LOCAL_IO, "start a thread: %s", strerror(r));
	}
	*ret = sender;
	return RV_OK;
}

void rv_sender_free(struct rv_sender *sender)
{
	if (!sender)
		return;
	pthread_mutex_lock(&sender->mutex);
	sender->quit = true;
	pthread_cond_broadcast(&sender->changed);
	pthread_mutex_unlock(&sender->mutex);
	pthread_join(sender->thread, NULL);
	rv_courier_free(sender->courier);
	pthread_mutex_destroy(&sender->mutex);
	pthread_cond_destroy(&sender->changed);
	free(sender);
}

/* With the mutex held, which is let go of meanwhile. */
static void wait_for_worker(struct rv_sender *sender)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	if (pthread_cond_timedwait(&sender->changed, &sender->mutex, &until) != ETIMEDOUT || !sender->tick)
		return;
	pthread_mutex_unlock(&sender->mutex);
	sender->tick(sender->tick_arg);
	pthread_mutex_lock(&sender->mutex);
}

static enum rv_status enqueue(struct rv_sender *sender, const struct job *job, struct rv_error *err)
{
	pthread_mutex_lock(&sender->mutex);
	while (sender->queued == QUEUE_MAX && sender->failure.status == RV_OK)
		wait_for_worker(sender);
	enum rv_status status = sender->failure.status;
	if (status == RV_OK) {
		sender->queue[sender->queued++] = *job;
		if (job->run->pipe)
			sender->totals.queued_spool_bytes += rv_batch_spool_bytes(&job->finished.entry);
		pthread_cond_broadcast(&sender->changed);
	} else {
		*err = sender->failure;
	}
	pthread_mutex_unlock(&sender->mutex);
	return status;
}

enum rv_status rv_sender_batch(struct rv_sender *sender, struct rv_run *run,
			       struct rv_finished *finished, struct rv_error *err)
{
	struct job job = { .run = run, .finished = *finished };
	if (enqueue(sender, &job, err) != RV_OK) {
		rv_finished_release(finished);
		return err->status;
	}
	*finished = (struct rv_finished){ .body = RV_BODY_INIT, .rejects = RV_BODY_INIT };
	return RV_OK;
}

enum rv_status rv_sender_end_run(struct rv_sender *sender, struct rv_run *run, bool complete,
				 struct rv_error *err)
{
	struct job job = {
		.run = run,
		.end_run = true,
		.complete = complete,
		.finished = { .body = RV_BODY_INIT, .rejects = RV_BODY_INIT },
	};
	if (enqueue(sender, &job, err) != RV_OK) {
		/* The worker may still hold it for the batch that failed. */
		struct rv_error ignored;
		(void)!rv_sender_drain(sender, &ignored);
		let_go(sender, run);
		return err->status;
	}
	return RV_OK;
}

enum rv_status rv_sender_drain(struct rv_sender *sender, struct rv_error *err)
{
	pthread_mutex_lock(&sender->mutex);
	while (sender->queued)
		wait_for_worker(sender);
	enum rv_status status = sender->failure.status;
	if (status != RV_OK)
		*err = sender->failure;
	pthread_mutex_unlock(&sender->mutex);
	return status;
}

enum rv_status rv_sender_finish(struct rv_sender *sender, void (*tick)(void *arg), void *arg,
				struct rv_error *err)
{
	enum rv_status status = rv_sender_drain(sender, err);
	if (!sender->courier)
		return status;
	rv_courier_finish(sender->courier, tick, arg);
	struct rv_courier_totals totals;
	rv_courier_totals(sender->courier, &totals);
	if (status == RV_OK && totals.failure.status != RV_OK) {
		*err = totals.failure;
		return err->status;
	}
	return status;
}

void rv_sender_hold(struct rv_sender *sender)
{
	if (sender->courier)
		rv_courier_hold(sender->courier);
}

void rv_sender_resume(struct rv_sender *sender)
{
	if (sender->courier)
		rv_courier_resume(sender->courier);
}

void rv_sender_only_promise(struct rv_sender *sender)
{
	if (sender->courier)
		rv_courier_keep(sender->courier);
}

unsigned rv_sender_queued(struct rv_sender *sender)
{
	pthread_mutex_lock(&sender->mutex);
	unsigned queued = sender->queued;
	pthread_mutex_unlock(&sender->mutex);
	return queued;
}

void rv_sender_totals(struct rv_sender *sender, struct rv_sender_totals *ret)
{
	struct rv_courier_totals courier = { .delivered = { .landed_records = 0 } };
	/* First, for what it has brought was promised before. */
	if (sender->courier)
		rv_courier_totals(sender->courier, &courier);
	pthread_mutex_lock(&sender->mutex);
	*ret = sender->totals;
	struct rv_delivered delivered = sender->delivered;
	pthread_mutex_unlock(&sender->mutex);
	ret->recovered.failure = ret->loss = (struct rv_error)RV_ERROR_INIT;
	if (sender->courier) {
		ret->waiting_spool_bytes -= courier.delivered.gone_bytes;
		if (!ret->failing_since_ms || (courier.failing_since_ms &&
					       courier.failing_since_ms < ret->failing_since_ms)) {
			ret->delivery = courier.delivery;
			ret->failing_since_ms = courier.failing_since_ms;
		}
		ret->loss = courier.loss;
		ret->recovered = courier.recovered;
		memcpy(ret->diverted, courier.diverted, sizeof(ret->diverted));
	}
	/* One sender has files or spooled runs; tests have both. */
	const struct rv_delivered *by_courier = &courier.delivered;
	ret->landed_records = delivered.landed_records + by_courier->landed_records;
	ret->landed_bytes = delivered.landed_bytes + by_courier->landed_bytes;
	ret->landed_batches = delivered.landed_batches + by_courier->landed_batches;
	ret->sent_records = delivered.sent_records + by_courier->sent_records;
	ret->counts = sender->courier ? by_courier->counts : delivered.counts;
}
