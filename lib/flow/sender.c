/* One worker, a queue of two, and the totals both sides look at. */
#include "flow/sender.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define QUEUE_MAX 2

struct job {
	struct rv_run *run;
	bool end_run, complete;
	struct rv_finished finished;
};

struct rv_sender {
	struct rv_deliver *deliver;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct job queue[QUEUE_MAX];
	unsigned queued;      /* jobs in the queue, the one under way included */
	bool quit, only_promise;
	struct rv_error failure; /* RV_OK: none */
	struct rv_sender_totals totals;
};

static void promised(struct rv_sender *sender, const struct rv_batch_entry *entry, bool pipe)
{
	pthread_mutex_lock(&sender->mutex);
	sender->totals.promised_records += entry->records;
	sender->totals.promised_bytes += entry->bytes;
	sender->totals.promised_batches++;
	sender->totals.input_to = entry->input_to;
	if (pipe)
		sender->totals.waiting_spool_bytes += entry->bytes;
	pthread_mutex_unlock(&sender->mutex);
}

/* What became of a run's batches since `before`. Damaged ones wait no longer, and have not landed. */
static void note_progress(struct rv_sender *sender, struct rv_run *run,
			  const struct rv_run_totals *before)
{
	struct rv_run_totals after;
	rv_run_totals(run, &after);
	pthread_mutex_lock(&sender->mutex);
	struct rv_sender_totals *totals = &sender->totals;
	totals->landed_records += after.landed_records - before->landed_records;
	totals->landed_bytes += after.landed_bytes - before->landed_bytes;
	totals->landed_batches += after.landed - before->landed;
	totals->sent_records += after.sent_records - before->sent_records;
	totals->counts.requests += after.counts.requests - before->counts.requests;
	totals->counts.refused += after.counts.refused - before->counts.refused;
	totals->counts.maybe_twice += after.counts.maybe_twice - before->counts.maybe_twice;
	totals->counts.record_bytes += after.counts.record_bytes - before->counts.record_bytes;
	totals->counts.billed_bytes += after.counts.billed_bytes - before->counts.billed_bytes;
	if (run->pipe)
		totals->waiting_spool_bytes -= before->waiting_bytes - after.waiting_bytes;
	pthread_mutex_unlock(&sender->mutex);
}

static void note_delivery(struct rv_sender *sender, const struct rv_error *why)
{
	pthread_mutex_lock(&sender->mutex);
	sender->totals.delivery = why ? *why : (struct rv_error)RV_ERROR_INIT;
	pthread_mutex_unlock(&sender->mutex);
}

/* Deliver what the spool holds of this run; a failure is remembered, not returned. */
static void try_spool(struct rv_sender *sender, struct rv_run *run)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_run_totals before;
	pthread_mutex_lock(&sender->mutex);
	bool skip = sender->only_promise;
	pthread_mutex_unlock(&sender->mutex);
	if (skip)
		return;
	rv_run_totals(run, &before);
	enum rv_status status = rv_deliver_spooled(sender->deliver, run, NULL, &err);
	note_progress(sender, run, &before);
	note_delivery(sender, status == RV_OK ? NULL : &err);
}

static enum rv_status do_batch(struct rv_sender *sender, struct job *job, struct rv_error *err)
{
	struct rv_run *run = job->run;
	const struct rv_batch_entry *entry = &job->finished.entry;
	uint64_t seq = entry->seq;
	struct rv_batch_entry shown = *entry; /* the promise takes the entry over */
	if (rv_deliver_promise(sender->deliver, run, &job->finished, err) != RV_OK)
		return err->status;
	promised(sender, &shown, run->pipe);
	if (run->pipe) {
		rv_body_release(&job->finished.body);
		rv_body_release(&job->finished.rejects);
		try_spool(sender, run);
		return RV_OK;
	}
	struct rv_run_totals before;
	rv_run_totals(run, &before);
	enum rv_status status = rv_deliver_batch(sender->deliver, run, seq, &job->finished.body,
						 &job->finished.rejects, err);
	note_progress(sender, run, &before);
	return status;
}

static enum rv_status do_end_run(struct rv_sender *sender, struct job *job, struct rv_error *err)
{
	struct rv_run *run = job->run;
	struct rv_run_totals totals;
	if (job->complete && rv_run_close(run, err) != RV_OK)
		return err->status;
	if (run->pipe)
		try_spool(sender, run);
	rv_run_totals(run, &totals);
	if (totals.waiting)
		return RV_OK; /* stays in the spool for the next push or flush */
	if (run->named && !job->complete)
		return rv_run_remove(run, err);
	enum rv_status status = rv_deliver_finish(sender->deliver, run, err);
	if (status == RV_OK || !run->pipe || status == RV_CONFLICT)
		return status;
	note_delivery(sender, err);
	return RV_OK;
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
			rv_run_free(job->run);

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

enum rv_status rv_sender_new(struct rv_deliver *deliver, struct rv_sender **ret,
			     struct rv_error *err)
{
	struct rv_sender *sender = rv_calloc(1, sizeof(*sender));
	sender->deliver = deliver;
	sender->failure = sender->totals.delivery = (struct rv_error)RV_ERROR_INIT;
	pthread_mutex_init(&sender->mutex, NULL);
	pthread_cond_init(&sender->changed, NULL);
	/* Signals are for the thread that reads: it is the one that can stop. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&sender->thread, NULL, work, sender);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
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
	pthread_mutex_destroy(&sender->mutex);
	pthread_cond_destroy(&sender->changed);
	free(sender);
}

static enum rv_status enqueue(struct rv_sender *sender, const struct job *job, struct rv_error *err)
{
	pthread_mutex_lock(&sender->mutex);
	while (sender->queued == QUEUE_MAX && sender->failure.status == RV_OK)
		pthread_cond_wait(&sender->changed, &sender->mutex);
	enum rv_status status = sender->failure.status;
	if (status == RV_OK) {
		sender->queue[sender->queued++] = *job;
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
		rv_run_free(run);
		return err->status;
	}
	return RV_OK;
}

enum rv_status rv_sender_drain(struct rv_sender *sender, struct rv_error *err)
{
	pthread_mutex_lock(&sender->mutex);
	while (sender->queued)
		pthread_cond_wait(&sender->changed, &sender->mutex);
	enum rv_status status = sender->failure.status;
	if (status != RV_OK)
		*err = sender->failure;
	pthread_mutex_unlock(&sender->mutex);
	return status;
}

void rv_sender_only_promise(struct rv_sender *sender)
{
	pthread_mutex_lock(&sender->mutex);
	sender->only_promise = true;
	pthread_mutex_unlock(&sender->mutex);
}

void rv_sender_totals(struct rv_sender *sender, struct rv_sender_totals *ret)
{
	pthread_mutex_lock(&sender->mutex);
	*ret = sender->totals;
	pthread_mutex_unlock(&sender->mutex);
}
