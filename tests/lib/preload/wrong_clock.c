/*
 * A wall clock that is wrong: an LD_PRELOAD library that moves what a program is told of the date. What is
 * measured (CLOCK_MONOTONIC), and the times of files, stay right.
 *
 *	WRONG_CLOCK=STEP[,STEP...]    a step is SECONDS, or CALL:SECONDS: from the CALLth question on, counted from 1
 *	                              over all threads, the clock is so far off; @SECONDS (since 1970) instead of
 *	                              SECONDS: it shows that time at that moment, and goes on from there
 *	WRONG_CLOCK_FILE=FILE         instead: so many seconds as the file says, which is read for each question and may
 *	                              change at any time
 *	WRONG_CLOCK_COUNT=FILE        how often the program had asked when it ended, in decimal
 *
 *	WRONG_CLOCK_BACK=1            besides: it shows a second less at every question than at the one before
 *
 * WRONG_CLOCK=0,7:-3600 is set back by an hour at the seventh question.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MOST_STEPS 16

static struct step {
	uint64_t call;
	int64_t seconds;
	bool absolute;
	_Atomic int64_t base; /* of an absolute one: the true time when it began, 0 before that */
} steps[MOST_STEPS];
static size_t steps_count;
static _Atomic uint64_t calls;

static int64_t number(const char **at)
{
	char *end;
	int64_t n = strtoll(*at, &end, 10);

	if (end == *at)
		_exit(125);
	*at = end;
	return n;
}

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("WRONG_CLOCK");

	while (at && *at && steps_count < MOST_STEPS) {
		struct step *step = &steps[steps_count++];

		step->absolute = *at == '@';
		at += step->absolute;
		step->seconds = number(&at);
		if (*at == ':') {
			step->call = (uint64_t)step->seconds;
			step->absolute = *++at == '@';
			at += step->absolute;
			step->seconds = number(&at);
		}
		if (*at == ',')
			at++;
		else if (*at)
			_exit(125);
	}
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("WRONG_CLOCK_COUNT");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (file) {
		fprintf(file, "%llu\n", (unsigned long long)atomic_load(&calls));
		fclose(file);
	}
}

/* Without locks and memory of its own: whoever asks may be in the middle of anything. */
static int64_t said_by_file(const char *path)
{
	char text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strtoll(text, NULL, 10);
}

static int64_t moved(int64_t true_seconds)
{
	uint64_t call = atomic_fetch_add(&calls, 1) + 1;
	const char *file = getenv("WRONG_CLOCK_FILE");

	if (getenv("WRONG_CLOCK_BACK"))
		true_seconds -= (int64_t)call;
	if (file)
		return true_seconds + said_by_file(file);
	struct step *step = NULL;

	for (size_t i = 0; i < steps_count && steps[i].call <= call; i++)
		step = &steps[i];
	if (!step)
		return true_seconds;
	if (!step->absolute)
		return true_seconds + step->seconds;
	int64_t base = 0;
	if (atomic_compare_exchange_strong(&step->base, &base, true_seconds))
		base = true_seconds;
	return step->seconds + true_seconds - base;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int result = (int)syscall(SYS_clock_gettime, clock, ret);

	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ret->tv_sec = moved(ret->tv_sec);
	return result;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	*ret = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}
