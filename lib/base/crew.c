/* Threads around one lock; see the header. */
#include "base/crew.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

void rv_crew_init(struct rv_crew *crew, unsigned threads)
{
	pthread_condattr_t monotonic;

	*crew = (struct rv_crew){ .wanted = threads };
	pthread_mutex_init(&crew->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&crew->work, &monotonic);
	pthread_cond_init(&crew->done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	crew->threads = rv_calloc(threads, sizeof(*crew->threads));
}

enum rv_status rv_crew_start(struct rv_crew *crew, void *(*work)(void *arg), void *arg, struct rv_error *err)
{
	sigset_t all, before;
	int failure = 0;

	if (crew->started)
		return RV_OK;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (crew->started < crew->wanted && !failure) {
		failure = pthread_create(&crew->threads[crew->started], NULL, work, arg);
		if (!failure)
			crew->started++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (crew->started)
		return RV_OK;
	rv_fail(err, RV_FAILED, "start a thread: %s", strerror(failure));
	err->transient = true;
	return err->status;
}

void rv_crew_wait(struct rv_crew *crew, pthread_cond_t *for_what, int64_t until_ms)
{
	struct timespec at = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };

	if (until_ms == INT64_MAX)
		pthread_cond_wait(for_what, &crew->lock);
	else
		pthread_cond_timedwait(for_what, &crew->lock, &at);
}

void rv_crew_end(struct rv_crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->quit = true;
	pthread_cond_broadcast(&crew->work);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned i = 0; i < crew->started; i++)
		pthread_join(crew->threads[i], NULL);
	crew->started = 0;
}

void rv_crew_release(struct rv_crew *crew)
{
	rv_crew_end(crew);
	pthread_cond_destroy(&crew->work);
	pthread_cond_destroy(&crew->done);
	pthread_mutex_destroy(&crew->lock);
	free(rv_take(crew->threads));
}
