/* The sandbox: what a child may not do it cannot do, and how it ended is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "source/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

/* A child that has to use a second of the processor may not get one in a minute. */
#define PATIENCE_MS 600000

typedef int run_fn(void *arg, int file, int channel);

/* How a child that runs this ended. */
static const char *fate_of(run_fn *run, struct rv_sandbox_params params)
{
	static char text[200];
	struct rv_sandbox s = RV_SANDBOX_INIT;
	struct rv_error err = RV_ERROR_INIT;

	params.what = "the child";
	params.run = run;
	if (!params.file)
		params.file = -1;
	if (rv_sandbox_start(&params, &s, &err) != RV_OK)
		fail_msg("%s", err.message);
	snprintf(text, sizeof(text), "%s", rv_sandbox_fate(&s, PATIENCE_MS));
	return text;
}

static void assert_fate(run_fn *run, struct rv_sandbox_params params, const char *says)
{
	const char *fate = fate_of(run, params);

	if (!strstr(fate, says))
		fail_msg("the child %s, not: %s", fate, says);
}

/* ---- in force ---- */

static long landlock_of_kernel(void)
{
	long abi = syscall(444, NULL, 0, 1u);

	return abi < 0 ? 0 : abi;
}

static void state_is_what_the_kernel_has(void **state)
{
	struct rv_sandbox_state s = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	char text[64];

	(void)state;
	assert_int_equal(rv_sandbox_probe(&s, &err), RV_OK);
	assert_true(s.limits);
	assert_int_equal(s.landlock, landlock_of_kernel());
	/* Every kernel since 3.17, unless it was built without. */
	assert_true(s.seccomp);
	assert_non_null(strstr(rv_sandbox_state_text(&s, text, sizeof(text)), "limits"));
}

static void state_as_text(void **state)
{
	char text[64];
	struct rv_sandbox_state all = { true, true, 7 }, two = { true, true, 0 }, one = { true, false, 0 },
				none = { 0 };

	(void)state;
	assert_string_equal(rv_sandbox_state_text(&all, text, sizeof(text)),
			    "limits, Landlock (ABI 7) and seccomp");
	assert_string_equal(rv_sandbox_state_text(&two, text, sizeof(text)), "limits and seccomp");
	assert_string_equal(rv_sandbox_state_text(&one, text, sizeof(text)), "limits");
	assert_string_equal(rv_sandbox_state_text(&none, text, sizeof(text)), "nothing");
}

/* ---- 112: open, connect, execute ---- */

static int try_open(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return open("/etc/passwd", O_RDONLY) >= 0 ? 1 : 2;
}

static int try_connect(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 1 : 2;
}

static int try_exec(void *arg, int file, int channel)
{
	char *const words[] = { arg, NULL };

	(void)file;
	(void)channel;
	execv("/bin/true", words);
	return 2;
}

static int try_fork(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0 ? 1 : 2;
}

static int try_kill(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return kill(getppid(), 0) == 0 ? 1 : 2;
}

static int try_limit(void *arg, int file, int channel)
{
	struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };

	(void)arg;
	(void)file;
	(void)channel;
	return setrlimit(RLIMIT_CPU, &r) == 0 ? 1 : 2;
}

static int try_write_file(void *arg, int file, int channel)
{
	(void)arg;
	(void)channel;
	return write(file, "x", 1) == 1 ? 1 : 2;
}

static int try_executable_memory(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
			       MAP_FAILED
		       ? 1
		       : 2;
}

/* One that is on no list. */
static int try_unknown(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return syscall(SYS_getppid) < 0 && errno == EPERM ? 42 : 1;
}

static void fault_112_calls_that_end_the_child(void **state)
{
	run_fn *const runs[] = { try_open, try_connect, try_exec, try_fork, try_limit,
				 try_executable_memory };

	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++)
		assert_fate(runs[i], (struct rv_sandbox_params){ 0 }, "made a system call that is not allowed");
	/* getppid is not allowed, but harmless */
	assert_fate(try_kill, (struct rv_sandbox_params){ 0 }, "made a system call that is not allowed");
	assert_fate(try_unknown, (struct rv_sandbox_params){ 0 }, "ended with 42");
}

static void fault_112_the_file_is_only_read(void **state)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	struct stat st;

	(void)state;
	assert_true(fd > 0);
	assert_fate(try_write_file, (struct rv_sandbox_params){ .file = fd },
		    "made a system call that is not allowed");
	/* Without seccomp its size may not grow. */
	assert_fate(try_write_file, (struct rv_sandbox_params){ .file = fd, .no_seccomp = true },
		    "signal 25");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
}

/* Landlock alone; making a folder needs no descriptor, which the limits would refuse before it. */
static int try_make_folder(void *arg, int file, int channel)
{
	(void)file;
	(void)channel;
	return mkdir(arg, 0700) == 0 ? 1 : errno == EACCES ? 42 : 2;
}

static void fault_112_landlock_alone(void **state)
{
	char path[] = "/tmp/river-sandbox-XXXXXX";
	struct rv_sandbox_params params = { .no_seccomp = true };

	(void)state;
	assert_non_null(mkdtemp(path));
	RV_CLEANUP(rv_free_p) char *inner = rv_asprintf("%s/inner", path);

	params.arg = inner;
	/* On a kernel without it the folder is made, and the state says that nothing hinders it. */
	assert_fate(try_make_folder, params, landlock_of_kernel() ? "ended with 42" : "ended with 1");
	assert_int_equal(access(inner, F_OK) == 0, landlock_of_kernel() == 0);
	(void)rmdir(inner);
	params.no_landlock = true;
	assert_fate(try_make_folder, params, "ended with 1");
	assert_int_equal(access(inner, F_OK), 0);
	(void)rmdir(inner);
	(void)rmdir(path);
}

static int nothing_to_do(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return 0;
}

static void a_kernel_without_either(void **state)
{
	struct rv_sandbox_params params = { .what = "the child", .run = nothing_to_do, .file = -1,
					    .no_seccomp = true, .no_landlock = true };
	struct rv_sandbox s = RV_SANDBOX_INIT;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	assert_int_equal(rv_sandbox_start(&params, &s, &err), RV_OK);
	assert_false(s.state.seccomp);
	assert_int_equal(s.state.landlock, 0);
	assert_true(s.state.limits);
	assert_string_equal(rv_sandbox_fate(&s, PATIENCE_MS), "ended with 0");
}

/* ---- 111: limits and ends ---- */

static int crash(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would report it */
	__builtin_trap();
}

static int run_for_ever(void *arg, int file, int channel)
{
	volatile unsigned n = 0;

	(void)arg;
	(void)file;
	(void)channel;
	for (;;)
		n++;
	return 0;
}

static int take_memory(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	/* 10 GiB; not through malloc, so that no sanitizer minds */
	void *p = mmap(NULL, UINT64_C(10) << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	return p == MAP_FAILED && errno == ENOMEM ? 42 : 1;
}

static int duplicate(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	return dup(channel) < 0 && errno == EMFILE ? 42 : 1;
}

static int count_descriptors(void *arg, int file, int channel)
{
	int n = 0;

	(void)arg;
	(void)file;
	(void)channel;
	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int end_with_7(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return 7;
}

static int run_out_of_memory(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return 70;
}

static void fault_111_ends_are_named(void **state)
{
	const struct rv_sandbox_params plain = { 0 }, open = { .no_seccomp = true };

	(void)state;
	assert_fate(crash, plain, "crashed (signal ");
	assert_fate(end_with_7, plain, "ended with 7");
	assert_fate(run_out_of_memory, plain, "ran out of the memory it may have");
	assert_fate(run_for_ever, (struct rv_sandbox_params){ .cpu_s = 1 },
		    "took more processor time than is allowed (signal 24");
	assert_fate(take_memory, (struct rv_sandbox_params){ .memory_bytes = 64 << 20 },
		    HAS_SANITIZER ? "ended with " : "ended with 42");
	assert_fate(duplicate, open, "ended with 42");
	assert_fate(count_descriptors, open, "ended with 5");
}

static int wait_for_the_end(void *arg, int file, int channel)
{
	char byte;

	(void)arg;
	(void)file;
	return read(channel, &byte, 1) == 0 ? 42 : 1;
}

static int never_end(void *arg, int file, int channel)
{
	char byte;

	(void)arg;
	(void)file;
	for (;;)
		(void)!read(channel, &byte, 1);
	return 0;
}

static void it_ends_with_its_parent(void **state)
{
	struct rv_sandbox_params params = { .what = "the child", .run = wait_for_the_end, .file = -1 };
	struct rv_sandbox s = RV_SANDBOX_INIT;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	assert_int_equal(rv_sandbox_start(&params, &s, &err), RV_OK);
	assert_string_equal(rv_sandbox_fate(&s, PATIENCE_MS), "ended with 42");
	assert_int_equal(s.pid, 0);
	/* One that does not is ended; ending it twice is fine. */
	params.run = never_end;
	assert_int_equal(rv_sandbox_start(&params, &s, &err), RV_OK);
	pid_t pid = s.pid;

	assert_string_equal(rv_sandbox_fate(&s, 10), "was ended by river");
	assert_int_equal(kill(pid, 0), -1);
	rv_sandbox_end(&s);
}

/* Nothing is left behind by a parent that is killed. */
static void it_ends_with_a_parent_that_is_killed(void **state)
{
	int tell[2];
	pid_t child = 0;

	(void)state;
	assert_int_equal(pipe(tell), 0);
	pid_t parent = fork();

	if (parent == 0) {
		struct rv_sandbox_params params = { .what = "the child", .run = wait_for_the_end,
						    .file = -1 };
		struct rv_sandbox first = RV_SANDBOX_INIT, second = RV_SANDBOX_INIT;
		struct rv_error err = RV_ERROR_INIT;

		/* The second must not hold the first one's channel open. */
		if (rv_sandbox_start(&params, &first, &err) != RV_OK)
			_exit(1);
		params.run = run_for_ever;
		params.cpu_s = 30;
		if (rv_sandbox_start(&params, &second, &err) != RV_OK ||
		    write(tell[1], &first.pid, sizeof(first.pid)) != sizeof(first.pid) ||
		    write(tell[1], &second.pid, sizeof(second.pid)) != sizeof(second.pid))
			_exit(1);
		pause();
		_exit(0);
	}
	pid_t second = 0;

	assert_int_equal(read(tell[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(read(tell[0], &second, sizeof(second)), sizeof(second));
	close(tell[0]);
	close(tell[1]);
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	/* Whoever inherits it reaps it in its own time: gone, or a zombie without memory. */
	for (int i = 0; i < 6000; i++) {
		RV_CLEANUP(rv_free_p) char *path = rv_asprintf("/proc/%d/statm", (int)child);
		FILE *f = fopen(path, "r");
		unsigned long pages = 0;

		if (f && fscanf(f, "%lu", &pages) != 1)
			pages = 0;
		if (f)
			fclose(f);
		if (pages == 0) {
			child = 0;
			break;
		}
		usleep(10000);
	}
	(void)kill(second, SIGKILL);
	assert_int_equal(child, 0);
}

static void more_processor_time(void **state)
{
	struct rv_sandbox_params params = { .what = "the child", .run = never_end, .file = -1, .cpu_s = 5 };
	struct rv_sandbox s = RV_SANDBOX_INIT;
	struct rv_error err = RV_ERROR_INIT;
	struct rlimit r;

	(void)state;
	assert_int_equal(rv_sandbox_start(&params, &s, &err), RV_OK);
	rv_sandbox_allow_cpu(&s, 1000);
	assert_int_equal(prlimit(s.pid, RLIMIT_CPU, NULL, &r), 0);
	assert_in_range(r.rlim_cur, 1000, 1100);
	rv_sandbox_end(&s);
}

/* The terminal's signals go to all of the group; the parent is the one to answer. */
static void signals_of_the_terminal_are_the_parents(void **state)
{
	struct rv_sandbox_params params = { .what = "the child", .run = wait_for_the_end, .file = -1 };
	struct rv_sandbox s = RV_SANDBOX_INIT;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	assert_int_equal(rv_sandbox_start(&params, &s, &err), RV_OK);
	assert_int_equal(kill(s.pid, SIGINT), 0);
	assert_int_equal(kill(s.pid, SIGTERM), 0);
	assert_int_equal(kill(s.pid, SIGHUP), 0);
	assert_string_equal(rv_sandbox_fate(&s, PATIENCE_MS), "ended with 42");
}

/* ---- no child at all ---- */

static void die_early(void *arg)
{
	(void)arg;
	_exit(9);
}

static void a_child_that_does_not_start(void **state)
{
	struct rv_sandbox_params params = { .what = "the child", .run = nothing_to_do, .file = -1,
					    .prepare = die_early };
	struct rv_sandbox s = RV_SANDBOX_INIT;
	struct rv_error err = RV_ERROR_INIT;
	struct rlimit before, none;

	(void)state;
	assert_int_equal(rv_sandbox_start(&params, &s, &err), RV_LOCAL_IO);
	assert_string_equal(err.message, "the child did not start: it ended with 9");
	params.prepare = NULL;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(rv_sandbox_start(&params, &s, &err), RV_LOCAL_IO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(err.message, "cannot start the child: socketpair: "));
}

static void without_sigchld(void **state)
{
	struct rv_sandbox_params params = { .what = "the child", .run = end_with_7, .file = -1 };
	struct rv_sandbox s = RV_SANDBOX_INIT;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(rv_sandbox_start(&params, &s, &err), RV_OK);
	assert_string_equal(rv_sandbox_fate(&s, PATIENCE_MS), "vanished");
	signal(SIGCHLD, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_is_what_the_kernel_has),
		cmocka_unit_test(state_as_text),
		cmocka_unit_test(fault_112_calls_that_end_the_child),
		cmocka_unit_test(fault_112_the_file_is_only_read),
		cmocka_unit_test(fault_112_landlock_alone),
		cmocka_unit_test(a_kernel_without_either),
		cmocka_unit_test(fault_111_ends_are_named),
		cmocka_unit_test(it_ends_with_its_parent),
		cmocka_unit_test(it_ends_with_a_parent_that_is_killed),
		cmocka_unit_test(more_processor_time),
		cmocka_unit_test(signals_of_the_terminal_are_the_parents),
		cmocka_unit_test(a_child_that_does_not_start),
		cmocka_unit_test(without_sigchld),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
