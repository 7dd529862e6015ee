/* Threads around one lock: all work is done, a wait ends in time, and the end comes when it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"

#define THREADS 4
#define PIECES 1000

struct shared {
	struct rv_crew crew;
	unsigned left, done, signals_seen;
};

static void *work(void *arg)
{
	struct shared *shared = arg;
	struct rv_crew *crew = &shared->crew;
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	pthread_mutex_lock(&crew->lock);
	shared->signals_seen += !sigismember(&blocked, SIGTERM);
	while (!crew->quit) {
		if (!shared->left) {
			rv_crew_wait(crew, &crew->work, INT64_MAX);
			continue;
		}
		shared->left--;
		pthread_mutex_unlock(&crew->lock);
		pthread_mutex_lock(&crew->lock);
		shared->done++;
		pthread_cond_signal(&crew->done);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

static void test_all_is_done(void **state)
{
	struct shared shared = { .left = PIECES };
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	rv_crew_init(&shared.crew, THREADS);
	assert_int_equal(rv_crew_start(&shared.crew, work, &shared, &err), RV_OK);
	assert_int_equal(rv_crew_start(&shared.crew, work, &shared, &err), RV_OK); /* they are there */
	assert_int_equal(shared.crew.started, THREADS);
	for (int turn = 1; turn <= 2; turn++) {
		pthread_mutex_lock(&shared.crew.lock);
		while (shared.done < PIECES * (unsigned)turn)
			rv_crew_wait(&shared.crew, &shared.crew.done, INT64_MAX);
		if (turn == 1)
			shared.left = PIECES;
		pthread_cond_broadcast(&shared.crew.work);
		pthread_mutex_unlock(&shared.crew.lock);
	}
	rv_crew_end(&shared.crew);
	assert_int_equal(shared.done, 2 * PIECES);
	assert_int_equal(shared.signals_seen, 0);
	rv_crew_release(&shared.crew);
}

static void test_a_wait_ends(void **state)
{
	struct rv_crew crew;
	int64_t now_ms = rv_clock_monotonic_ms();

	(void)state;
	rv_crew_init(&crew, 1);
	pthread_mutex_lock(&crew.lock);
	rv_crew_wait(&crew, &crew.done, now_ms - 1000); /* in the past: at once */
	while (rv_clock_monotonic_ms() < now_ms + 20)
		rv_crew_wait(&crew, &crew.done, now_ms + 20);
	pthread_mutex_unlock(&crew.lock);
	rv_crew_release(&crew); /* none was started */
}

/* None can be started: a crew of none is the same to whoever asks. */
static void test_no_thread(void **state)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_crew crew;

	(void)state;
	rv_crew_init(&crew, 0);
	assert_int_equal(rv_crew_start(&crew, work, &crew, &err), RV_FAILED);
	assert_true(err.transient);
	assert_non_null(strstr(err.message, "start a thread"));
	rv_crew_release(&crew);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_is_done),
		cmocka_unit_test(test_a_wait_ends),
		cmocka_unit_test(test_no_thread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
