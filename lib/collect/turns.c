/*
 * Two threads take turns at driving the server. The one that drives writes its round itself: no other thread
 * has to be woken for it, and all requests that come meanwhile share the next one. A disk that does not
 * answer at once must hold nobody up: then the other thread goes on, and is told when the round is done.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "collect/server_impl.h"

/* How long a round may take before the other thread goes on; it looks as often. */
#define LOOK_MS 10
/* Looks at nothing after which it sleeps until a round is written. */
#define LOOKS 100

static void look_later(struct turns *turns)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += LOOK_MS * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&turns->changed, &turns->mutex, &at);
}

/* With the mutex held, which is let go of meanwhile. */
static void take_turn(struct rv_collect_server *server)
{
	struct turns *turns = &server->turns;
	struct rv_error err = RV_ERROR_INIT;
	bool over;
	turns->driven = true;
	pthread_mutex_unlock(&turns->mutex);
	enum rv_status status = rv_server_drive(server, &over, &err);
	pthread_mutex_lock(&turns->mutex);
	if (status != RV_OK)
		turns->outcome = err;
	if (!over && status == RV_OK)
		return;
	turns->over = true;
	pthread_cond_broadcast(&turns->changed);
}

static void *take_turns(void *arg)
{
	struct rv_collect_server *server = arg;
	struct turns *turns = &server->turns;
	const uint64_t one = 1;
	uint64_t looked_at = 0;
	unsigned idle = 0;
	pthread_mutex_lock(&turns->mutex);
	while (!turns->over) {
		/* The same round as at the last look is still being written. */
		if (!turns->driven && turns->rounds == looked_at) {
			take_turn(server);
			continue;
		}
		idle = turns->rounds == looked_at ? idle + 1 : 0;
		looked_at = turns->rounds;
		if (idle < LOOKS) {
			look_later(turns);
			continue;
		}
		turns->sleeps = true;
		pthread_cond_wait(&turns->changed, &turns->mutex);
		turns->sleeps = false;
		idle = 0;
	}
	pthread_mutex_unlock(&turns->mutex);
	(void)!write(turns->over_fd, &one, sizeof(one));
	return NULL;
}

bool rv_turns_write(struct rv_collect_server *server, struct round *round)
{
	struct turns *turns = &server->turns;
	const uint64_t one = 1;
	pthread_mutex_lock(&turns->mutex);
	turns->driven = false;
	turns->rounds++;
	if (turns->sleeps)
		pthread_cond_signal(&turns->changed);
	pthread_mutex_unlock(&turns->mutex);
	rv_collect_store_write(server->store, &round->stored);
	pthread_mutex_lock(&turns->mutex);
	bool mine = !turns->driven;
	turns->driven = true;
	turns->written = round;
	pthread_mutex_unlock(&turns->mutex);
	if (!mine)
		(void)!write(turns->done_fd, &one, sizeof(one));
	return mine;
}

struct round *rv_turns_written(struct rv_collect_server *server)
{
	struct turns *turns = &server->turns;
	pthread_mutex_lock(&turns->mutex);
	struct round *round = turns->written;
	turns->written = NULL;
	pthread_mutex_unlock(&turns->mutex);
	return round;
}

/* Signals come to this thread, which has nothing else to do: none of them waits for a disk. */
static void wait_for_end(struct turns *turns)
{
	const uint64_t one = 1;
	uint64_t over;
	while (read(turns->over_fd, &over, sizeof(over)) < 0 && errno == EINTR)
		(void)!write(turns->done_fd, &one, sizeof(one)); /* who drives looks what was asked for */
}

enum rv_status rv_collect_server_run(struct rv_collect_server *server, struct rv_error *err)
{
	struct turns *turns = &server->turns;
	pthread_t threads[2];
	size_t count = 0;
	int r = 0;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (count < 2 && !(r = pthread_create(&threads[count], NULL, take_turns, server)))
		count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* One alone can do it all, only that a slow disk is felt. */
	if (count)
		wait_for_end(turns);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	rv_server_close_all(server);
	rv_collect_store_finish(server->store);
	if (!count)
		return rv_fail(err, RV_LOCAL_IO, "start a thread: %s", strerror(r));
	*err = turns->outcome;
	return err->status;
}

enum rv_status rv_turns_init(struct turns *turns, struct rv_error *err)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&turns->mutex, NULL);
	pthread_cond_init(&turns->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	turns->outcome = (struct rv_error)RV_ERROR_INIT;
	turns->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	turns->over_fd = eventfd(0, EFD_CLOEXEC);
	if (turns->done_fd < 0 || turns->over_fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "prepare to wait for requests");
	return RV_OK;
}

void rv_turns_release(struct turns *turns)
{
	rv_close_p(&turns->done_fd);
	rv_close_p(&turns->over_fd);
	pthread_mutex_destroy(&turns->mutex);
	pthread_cond_destroy(&turns->changed);
}
