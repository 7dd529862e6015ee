/* Turns signals into a flag that flows poll, so that a run ends between two steps. */
#include "base/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

static atomic_int stop_signal; /* without a lock: handlers write it, threads read it */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "what handlers write is never locked");

static const int asking[] = { SIGINT, SIGTERM, SIGHUP };
static const int ignored[] = { SIGPIPE, SIGXFSZ };
#define ASKING (sizeof(asking) / sizeof(asking[0]))
#define IGNORED (sizeof(ignored) / sizeof(ignored[0]))
static struct sigaction before[ASKING + IGNORED];
static bool installed;

static void ask(int signal)
{
	if (stop_signal)
		_exit(128 + signal);
	stop_signal = signal;
}

void rv_stop_install(void)
{
	/* No SA_RESTART: a read that waits for a silent pipe must come back. */
	struct sigaction action = { .sa_handler = ask };
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ASKING; i++) {
		sigaction(asking[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			sigaction(asking[i], &action, NULL);
	}
	action.sa_handler = SIG_IGN;
	for (size_t i = 0; i < IGNORED; i++)
		sigaction(ignored[i], &action, &before[ASKING + i]);
	installed = true;
}

void rv_stop_uninstall(void)
{
	if (!installed)
		return;
	for (size_t i = 0; i < ASKING; i++)
		sigaction(asking[i], &before[i], NULL);
	for (size_t i = 0; i < IGNORED; i++)
		sigaction(ignored[i], &before[ASKING + i], NULL);
	installed = false;
}

void rv_stop_ignore_hangup(void)
{
	struct sigaction action = { .sa_handler = SIG_IGN };
	sigemptyset(&action.sa_mask);
	sigaction(SIGHUP, &action, NULL);
}

int rv_stop_signal(void)
{
	return stop_signal;
}

bool rv_should_stop(void)
{
	return stop_signal != 0;
}
