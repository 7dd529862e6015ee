/* Signals: the first one asks, the second one leaves; what was ignored stays ignored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/stop.h"
#include "cli/output.h"

/* Runs `body` in a process of its own; its exit code, or 128+n when a signal killed it. */
static int in_child(int (*body)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int first_asks(void)
{
	static const int asking[] = { SIGTERM, SIGINT, SIGHUP };
	for (size_t i = 0; i < 3; i++)
		signal(asking[i], SIG_DFL);
	rv_stop_install();
	if (rv_stop_signal() != 0)
		return 1;
	raise(SIGTERM);
	return rv_stop_signal() == SIGTERM ? 0 : 2;
}

static int second_leaves(void)
{
	if (first_asks() != 0)
		return 1;
	raise(SIGINT);
	return 2;
}

static void nothing(int number)
{
	(void)number;
}

/* SIGTERM for this process, when it most likely sits in a system call. Where it has not come that far
 * the flag is up before the call begins, and the signals behind it end the call: they only interrupt. */
static void stop_soon(void)
{
	struct sigaction action = { .sa_handler = nothing }; /* without SA_RESTART */
	sigaction(SIGUSR1, &action, NULL);
	pid_t parent = getpid();
	if (fork() != 0)
		return;
	usleep(50000);
	kill(parent, SIGTERM);
	while (getppid() == parent) {
		usleep(1000);
		kill(parent, SIGUSR1);
	}
	_exit(0);
}

static int calls_are_not_restarted(void)
{
	static const int asking[] = { SIGTERM, SIGINT, SIGHUP };
	for (size_t i = 0; i < 3; i++)
		signal(asking[i], SIG_DFL);
	rv_stop_install();
	for (size_t i = 0; i < 3; i++) {
		struct sigaction action;
		if (sigaction(asking[i], NULL, &action) != 0 || action.sa_flags & SA_RESTART)
			return 1;
	}
	return 0;
}

static int read_is_interrupted(void)
{
	int ends[2];
	char c;
	signal(SIGTERM, SIG_DFL);
	rv_stop_install();
	if (pipe(ends) != 0)
		return 1;
	stop_soon();
	ssize_t n = -1;
	errno = EINTR;
	if (!rv_stop_signal())
		n = read(ends[0], &c, 1);
	return n < 0 && errno == EINTR && rv_stop_signal() == SIGTERM ? 0 : 2;
}

/* A lock that somebody keeps, and a pipe that stays silent: river's own waits end as well. */
static int waits_end(void)
{
	char path[] = "/tmp/river-stop-XXXXXX", c;
	struct rv_lock held = RV_LOCK_INIT, wanted = RV_LOCK_INIT;
	struct rv_error err = RV_ERROR_INIT;
	int ends[2];
	size_t n;
	signal(SIGTERM, SIG_DFL);
	rv_stop_install();
	close(mkstemp(path));
	if (pipe(ends) != 0 || rv_lock_take(&held, path, RV_LOCK_EXCLUSIVE, 0, 0, &err) != RV_OK)
		return 1;
	stop_soon();
	enum rv_status status = rv_lock_take(&wanted, path, RV_LOCK_EXCLUSIVE, 60000, 0, &err);
	unlink(path);
	if (status != RV_FAILED || !strstr(err.message, "stopped while waiting for /tmp/river-stop-"))
		return 2;
	/* who was stopped before has its time, and no more */
	if (rv_lock_take(&wanted, path, RV_LOCK_EXCLUSIVE, 0, 0, &err) != RV_OK)
		return 3;
	rv_lock_release(&held);
	held = wanted;
	wanted = (struct rv_lock)RV_LOCK_INIT;
	if (rv_lock_take(&wanted, path, RV_LOCK_EXCLUSIVE, 20, 0, &err) != RV_LOCKED ||
	    rv_lock_take(&wanted, path, RV_LOCK_EXCLUSIVE, -1, 0, &err) != RV_FAILED)
		return 4;
	unlink(path);
	return rv_read_some(ends[0], &c, 1, &n, "a pipe", &err) == RV_FAILED &&
	       strcmp(err.message, "stopped while reading a pipe") == 0 ? 0 : 5;
}

static int ignored_stays(void)
{
	signal(SIGHUP, SIG_IGN);
	rv_stop_install();
	raise(SIGHUP);
	raise(SIGHUP);
	raise(SIGPIPE);
	raise(SIGXFSZ);
	return rv_stop_signal();
}

static int uninstalled(void)
{
	signal(SIGPIPE, SIG_DFL);
	rv_stop_install();
	rv_stop_uninstall();
	raise(SIGPIPE);
	return 1;
}

/* A reader that neither reads nor leaves must not hold a run that was asked to stop. */
static int stuck_output(void)
{
	int ends[2];
	char block[65536] = "";
	signal(SIGTERM, SIG_DFL);
	rv_stop_install();
	if (pipe(ends) != 0)
		return 1;
	stop_soon();
	struct rv_out *out = rv_out_new(ends[1], RV_OUT_TEXT);
	for (int i = 0; i < 1000 && !rv_out_failed(out); i++)
		rv_out_write(out, block, sizeof(block));
	struct rv_error err = RV_ERROR_INIT;
	return rv_out_finish(out, &err) == RV_FAILED && rv_stop_signal() == SIGTERM ? 0 : 2;
}

/* The same, where the pipe took a part: then the call that is interrupted says how much, and no EINTR. */
static int half_stuck_output(void)
{
	int ends[2], there = 0;
	char block[65536] = "";
	signal(SIGTERM, SIG_DFL);
	rv_stop_install();
	if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1)
		return 1;
	pid_t parent = getpid();
	if (fork() == 0) {
		int room = fcntl(ends[0], F_GETPIPE_SZ);
		/* full (the byte in front has a page of its own): the write is under way */
		while (ioctl(ends[0], FIONREAD, &there) == 0 && there <= room - 4096)
			usleep(1000);
		kill(parent, SIGTERM);
		/* it does not come back? then fail, but end */
		for (int i = 0; i < 600 && getppid() == parent; i++)
			usleep(50000);
		if (getppid() == parent)
			kill(parent, SIGTERM);
		_exit(0);
	}
	struct rv_out *out = rv_out_new(ends[1], RV_OUT_TEXT);
	rv_out_write(out, block, sizeof(block));
	struct rv_error err = RV_ERROR_INIT;
	return rv_out_finish(out, &err) == RV_FAILED && rv_stop_signal() == SIGTERM ? 0 : 2;
}

static int file_size_limit(void)
{
	rv_stop_install();
	FILE *file = tmpfile();
	if (!file)
		return 1;
	int fd = fileno(file);
	struct rlimit limit = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY };
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 2;
	struct rv_out *out = rv_out_new(fd, RV_OUT_TEXT);
	rv_out_printf(out, "more than ten bytes\n");
	struct rv_error err = RV_ERROR_INIT;
	return rv_out_finish(out, &err) == RV_LOCAL_IO ? 0 : 3;
}

static void test_12_signals(void **state)
{
	(void)state;
	assert_int_equal(in_child(first_asks), 0);
	assert_int_equal(in_child(second_leaves), 128 + SIGINT);
	assert_int_equal(in_child(calls_are_not_restarted), 0);
	assert_int_equal(in_child(read_is_interrupted), 0);
	assert_int_equal(in_child(waits_end), 0);
	assert_int_equal(in_child(ignored_stays), 0);
	assert_int_equal(in_child(uninstalled), 128 + SIGPIPE);
}

static void test_output(void **state)
{
	(void)state;
	assert_int_equal(in_child(stuck_output), 0);
	assert_int_equal(in_child(half_stuck_output), 0);
	assert_int_equal(in_child(file_size_limit), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_12_signals),
		cmocka_unit_test(test_output),
	};
	return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
