/*
 * A crew: threads that take work from something shared, all behind one lock.
 *
 * Whoever has work signals `work`; whoever waits for what they do waits for `done`. Both are waited for by the
 * monotonic clock. What is shared, and what a thread does, is the owner's:
 *
 *	pthread_mutex_lock(&crew->lock);
 *	while (!crew->quit) {
 *		if (!take(...)) {
 *			rv_crew_wait(crew, &crew->work, until);
 *			continue;
 *		}
 *		pthread_mutex_unlock(&crew->lock);
 *		...
 *		pthread_mutex_lock(&crew->lock);
 *	}
 *	pthread_mutex_unlock(&crew->lock);
 */
#ifndef RV_BASE_CREW_H
#define RV_BASE_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct rv_crew {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	bool quit;              /* set by rv_crew_end */
	pthread_t *threads;
	unsigned wanted, started;
};
void rv_crew_init(struct rv_crew *crew, unsigned threads);
/* Starts them, once; one is enough to go on with. Signals are the main thread's. */
enum rv_status rv_crew_start(struct rv_crew *crew, void *(*work)(void *arg), void *arg,
			     struct rv_error *err) RV_MUST_CHECK;
/* Under the lock. `until_ms` INT64_MAX: for ever. Who comes back looks for itself why. */
void rv_crew_wait(struct rv_crew *crew, pthread_cond_t *for_what, int64_t until_ms);
/* Has them quit, and waits until they have. The lock is there until rv_crew_release. */
void rv_crew_end(struct rv_crew *crew);
void rv_crew_release(struct rv_crew *crew);

#endif
