/*
 * See the header. Sources: Linux man-pages seccomp(2), landlock(7), setrlimit(2), proc(5);
 * Documentation/userspace-api/seccomp_filter.rst and landlock.rst of the kernel. Numbers of Landlock's
 * interface are declared here: its header is younger than some systems river is built on.
 */
#include "source/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

/* Where the child has its two descriptors. */
#define FILE_FD 3
#define CHANNEL_FD 4
#define START_MS 60000

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0 /* else shadow memory takes terabytes of the address space */
#endif

/* ---- limits ---- */

static bool limit(int resource, uint64_t value)
{
	struct rlimit r = { .rlim_cur = value, .rlim_max = value };

	return setrlimit((__rlimit_resource_t)resource, &r) == 0;
}

/* What is mapped now, in bytes; 0: not known. */
static uint64_t mapped_bytes(void)
{
	char text[64];
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	long page = sysconf(_SC_PAGESIZE);

	if (fd >= 0)
		close(fd);
	if (n <= 0 || page <= 0)
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 10) * (uint64_t)page;
}

static bool set_limits(const struct rv_sandbox_params *params, uint64_t mapped)
{
	bool good = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, 0);

	if (params->memory_bytes && !HAS_SANITIZER)
		good = mapped && limit(RLIMIT_AS, mapped + params->memory_bytes) && good;
	if (params->cpu_s) { /* the soft one alone: the parent gives more for further work */
		struct rlimit r = { .rlim_cur = params->cpu_s, .rlim_max = RLIM_INFINITY };

		good = setrlimit(RLIMIT_CPU, &r) == 0 && good;
	}
	return good;
}

/* ---- Landlock ---- */

#define LANDLOCK_CREATE 444   /* the same number on every architecture */
#define LANDLOCK_RESTRICT 446
#define LANDLOCK_VERSION 1u

struct landlock_attr {
	uint64_t files, net, scoped;
};

/* The ABI that is in force, 0: none. Rights the kernel does not know may not be named. */
static int set_landlock(void)
{
	long abi = syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION);

	if (abi < 1)
		return 0;
	struct landlock_attr attr = {
		.files = abi >= 5 ? 0xffff : abi >= 3 ? 0x7fff : abi == 2 ? 0x3fff : 0x1fff,
		.net = abi >= 4 ? 3 : 0,    /* bind and connect of TCP */
		.scoped = abi >= 6 ? 3 : 0, /* abstract sockets, signals */
	};
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	int fd = (int)syscall(LANDLOCK_CREATE, &attr, size, 0);

	if (fd < 0)
		return 0;
	long result = syscall(LANDLOCK_RESTRICT, fd, 0);

	close(fd);
	return result == 0 ? (int)abi : 0;
}

/* ---- seccomp ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
/* The low half: descriptors, and flags of mmap. */
#define LOAD_ARG(i) LOAD(args[i])
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (skip))
#define ALLOW(call) UNLESS(SYS_##call, 1), RETURN(SECCOMP_RET_ALLOW)
#define KILL(call) UNLESS(SYS_##call, 1), RETURN(SECCOMP_RET_KILL_PROCESS)
/* Allowed with this value as its argument i. */
#define ALLOW_WITH(call, i, value)                                                                 \
	UNLESS(SYS_##call, 4), LOAD_ARG(i), UNLESS(value, 1), RETURN(SECCOMP_RET_ALLOW),           \
		RETURN(SECCOMP_RET_KILL_PROCESS)
/* Allowed when none of these bits is in argument i. */
#define ALLOW_WITHOUT(call, i, bits)                                                               \
	UNLESS(SYS_##call, 4), LOAD_ARG(i),                                                        \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(bits), 1, 0),                      \
		RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_KILL_PROCESS)

static bool set_seccomp(void)
{
	struct sock_filter filter[] = {
		LOAD(arch),
		UNLESS(ARCHITECTURE, 1),
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
#if defined(__x86_64__)
		/* x32: the same kernel functions by other numbers */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
#endif
		/* what it is there for */
		ALLOW_WITH(pread64, 0, FILE_FD),
		ALLOW_WITH(read, 0, CHANNEL_FD),
		ALLOW_WITH(write, 0, CHANNEL_FD),
		ALLOW(futex),
		ALLOW(exit_group),
		ALLOW(exit),
		/* memory, never executable */
		ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
		ALLOW_WITHOUT(mprotect, 2, PROT_EXEC),
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(madvise),
		ALLOW(brk),
		ALLOW(rt_sigreturn),
		ALLOW(rt_sigprocmask),
		ALLOW(clock_gettime),
		ALLOW(getpid),
		ALLOW(gettid),
		ALLOW(sched_yield),
		ALLOW(getrandom),
		ALLOW_WITH(tgkill, 0, getpid()), /* abort() */
		/* what only an attacker would want */
#ifdef SYS_open
		KILL(open),
		KILL(creat),
		KILL(fork),
		KILL(vfork),
		KILL(unlink),
		KILL(rename),
		KILL(link),
		KILL(symlink),
		KILL(mkdir),
		KILL(rmdir),
		KILL(chmod),
#endif
		KILL(openat),
		KILL(openat2),
		KILL(execve),
		KILL(execveat),
		KILL(clone),
		KILL(clone3),
		KILL(socket),
		KILL(socketpair),
		KILL(connect),
		KILL(bind),
		KILL(sendto),
		KILL(sendmsg),
		KILL(recvmsg),
		KILL(ptrace),
		KILL(process_vm_readv),
		KILL(process_vm_writev),
		KILL(kill),
		KILL(tkill),
		KILL(unlinkat),
		KILL(renameat2),
		KILL(linkat),
		KILL(symlinkat),
		KILL(mkdirat),
		KILL(pwrite64),
		KILL(writev),
		KILL(ioctl),
		KILL(prctl),
		KILL(prlimit64),
		KILL(setrlimit),
		KILL(bpf),
		KILL(io_uring_setup),
		KILL(memfd_create),
		KILL(unshare),
		KILL(setns),
		KILL(mount),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = { .len = sizeof(filter) / sizeof(*filter), .filter = filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}
#else
static bool set_seccomp(void)
{
	return false; /* no list for this machine's system calls */
}
#endif

/* ---- the child ---- */

/* What it says before its function runs. */
struct report {
	char magic[4];
	struct rv_sandbox_state state;
};
#define REPORT_MAGIC "RVS"

static bool close_from(unsigned first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return true;
#endif
	long most = sysconf(_SC_OPEN_MAX);

	for (long fd = first; fd < most && fd < 1 << 20; fd++)
		close((int)fd);
	return true;
}

/* Descriptors: nothing to read or say on 0 to 2, the file, the channel, and no more. */
static bool arrange_descriptors(int file, int channel)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Out of the way of where they belong. */
	file = file < 0 ? null : fcntl(file, F_DUPFD_CLOEXEC, 10);
	channel = fcntl(channel, F_DUPFD_CLOEXEC, 10);
	if (null < 0 || file < 0 || channel < 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return false;
	return dup2(file, FILE_FD) >= 0 && dup2(channel, CHANNEL_FD) >= 0 && close_from(CHANNEL_FD + 1);
}

static void quiet_signals(void)
{
	/* The terminal's signals are the parent's to answer; what would kill kills. */
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGUSR1,
				       SIGUSR2, SIGWINCH };
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGXCPU, SIGXFSZ,
				      SIGALRM, SIGCHLD };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(*deadly); i++)
		signal(deadly[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_main(const struct rv_sandbox_params *params, int channel)
{
	struct report report = { .magic = REPORT_MAGIC };

	quiet_signals();
	if (!arrange_descriptors(params->file, channel))
		_exit(1);
	/* Else a library that converts a time reads the zone's file. */
	setenv("TZ", "UTC0", 1);
	tzset();
	if (params->prepare)
		params->prepare(params->arg);
	(void)prctl(PR_SET_DUMPABLE, 0);
	bool no_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

	/* What is mapped stands in a file, and Landlock needs a descriptor for its rules, which the
	 * limits take away. */
	uint64_t mapped = params->memory_bytes ? mapped_bytes() : 0;

	if (no_privileges && !params->no_landlock)
		report.state.landlock = set_landlock();
	report.state.limits = set_limits(params, mapped);
	if (no_privileges && !params->no_seccomp)
		report.state.seccomp = set_seccomp();
	for (size_t sent = 0; sent < sizeof(report);) {
		ssize_t n = write(CHANNEL_FD, (const char *)&report + sent, sizeof(report) - sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		sent += (size_t)n;
	}
	int code = params->run(params->arg, params->file < 0 ? -1 : FILE_FD, CHANNEL_FD);

	/* Past whatever a sanitizer does at the end, which needs more calls than there are. */
	syscall(SYS_exit_group, code);
	_exit(code);
}

/* ---- the parent ---- */

static enum rv_status wait_for_report(struct rv_sandbox *s, const char *what, struct rv_error *err)
{
	struct report report;
	size_t have = 0;

	while (have < sizeof(report)) {
		struct pollfd p = { .fd = s->channel, .events = POLLIN };
		int ready = poll(&p, 1, START_MS);
		ssize_t n = ready > 0 ? recv(s->channel, (char *)&report + have, sizeof(report) - have,
					     MSG_DONTWAIT)
				      : -1;

		if ((ready < 0 || (ready > 0 && n < 0)) && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return rv_fail(err, RV_LOCAL_IO, "%s did not start: it %s", what,
				       rv_sandbox_fate(s, ready == 0 ? 0 : 1000));
		have += (size_t)n;
	}
	if (memcmp(report.magic, REPORT_MAGIC, sizeof(report.magic)) != 0)
		return rv_fail(err, RV_LOCAL_IO, "%s did not start: it said something else", what);
	s->state = report.state;
	return RV_OK;
}

enum rv_status rv_sandbox_start(const struct rv_sandbox_params *params, struct rv_sandbox *ret,
				struct rv_error *err)
{
	struct rv_sandbox s = RV_SANDBOX_INIT;
	sigset_t all, before;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "cannot start %s: socketpair", params->what);
	/* No handler of the parent's runs in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s.pid = fork();
	if (s.pid == 0)
		child_main(params, ends[1]);
	int code = errno;

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	s.channel = ends[0];
	if (s.pid < 0) {
		s.pid = 0;
		rv_sandbox_end(&s);
		errno = code;
		return rv_fail_errno(err, RV_LOCAL_IO, "cannot start %s: fork", params->what);
	}
	if (wait_for_report(&s, params->what, err) != RV_OK) {
		rv_sandbox_end(&s);
		return err->status;
	}
	*ret = s;
	return RV_OK;
}

void rv_sandbox_allow_cpu(struct rv_sandbox *sandbox, uint64_t seconds)
{
	clockid_t clock;
	struct timespec used = { 0 };

	if (sandbox->pid <= 0 || clock_getcpuclockid(sandbox->pid, &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		return;
	struct rlimit r = { .rlim_cur = (uint64_t)used.tv_sec + 1 + seconds, .rlim_max = RLIM_INFINITY };

	(void)prlimit(sandbox->pid, RLIMIT_CPU, &r, NULL);
}

static void describe(struct rv_sandbox *s, int status)
{
	int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	const char *why = signal_number == SIGSYS    ? "made a system call that is not allowed"
			  : signal_number == SIGXCPU ? "took more processor time than is allowed"
			  : signal_number == SIGKILL ? "was killed, perhaps for want of memory"
			  : signal_number == SIGBUS  ? "crashed, perhaps because the file became shorter"
						     : "crashed";

	if (signal_number)
		snprintf(s->fate, sizeof(s->fate), "%s (signal %d, %s)", why, signal_number,
			 strsignal(signal_number));
	else if (WEXITSTATUS(status) == 70) /* rv_malloc's way */
		snprintf(s->fate, sizeof(s->fate), "ran out of the memory it may have");
	else
		snprintf(s->fate, sizeof(s->fate), "ended with %d", WEXITSTATUS(status));
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const char *rv_sandbox_fate(struct rv_sandbox *sandbox, int patience_ms)
{
	int64_t until = now_ms() + patience_ms;
	bool killed = false;
	int status = 0;

	if (sandbox->channel >= 0)
		close(sandbox->channel);
	sandbox->channel = -1;
	while (sandbox->pid > 0) {
		pid_t n = waitpid(sandbox->pid, &status, killed ? 0 : WNOHANG);

		if (n == sandbox->pid) {
			if (killed)
				snprintf(sandbox->fate, sizeof(sandbox->fate), "was ended by river");
			else
				describe(sandbox, status);
			sandbox->pid = 0;
		} else if (n < 0 && errno != EINTR) {
			/* Whoever ignores SIGCHLD does not learn how children end. */
			snprintf(sandbox->fate, sizeof(sandbox->fate), "vanished");
			sandbox->pid = 0;
		} else if (n == 0 && now_ms() >= until) {
			(void)kill(sandbox->pid, SIGKILL);
			killed = true;
		} else if (n == 0) {
			struct timespec pause = { 0, 1000000 };

			nanosleep(&pause, NULL);
		}
	}
	return sandbox->fate[0] ? sandbox->fate : "was not there";
}

void rv_sandbox_end(struct rv_sandbox *sandbox)
{
	(void)rv_sandbox_fate(sandbox, 0);
}

/* ---- looking ---- */

static int probe_run(void *arg, int file, int channel)
{
	(void)arg;
	(void)file;
	(void)channel;
	return 0;
}

enum rv_status rv_sandbox_probe(struct rv_sandbox_state *ret, struct rv_error *err)
{
	struct rv_sandbox_params params = { .what = "a child with nothing to do", .run = probe_run,
					    .file = -1, .memory_bytes = 1 << 26, .cpu_s = 10 };
	struct rv_sandbox s = RV_SANDBOX_INIT;

	if (rv_sandbox_start(&params, &s, err) != RV_OK)
		return err->status;
	*ret = s.state;
	/* It has nothing to do, and ends by itself. */
	(void)rv_sandbox_fate(&s, 1000);
	return RV_OK;
}

const char *rv_sandbox_state_text(const struct rv_sandbox_state *state, char *buf, size_t size)
{
	char landlock[32] = "";

	if (state->landlock)
		snprintf(landlock, sizeof(landlock), "Landlock (ABI %d)", state->landlock);
	const char *const parts[] = { state->limits ? "limits" : NULL, landlock[0] ? landlock : NULL,
				      state->seccomp ? "seccomp" : NULL };
	size_t left = 0, n = 0;

	for (size_t i = 0; i < 3; i++)
		left += parts[i] != NULL;
	if (left == 0)
		snprintf(buf, size, "nothing");
	for (size_t i = 0, first = 1; i < 3; i++) {
		if (!parts[i])
			continue;
		left--;
		n += (size_t)snprintf(buf + n, size - n, "%s%s", first ? "" : left ? ", " : " and ",
				      parts[i]);
		if (n >= size)
			break;
		first = 0;
	}
	return buf;
}
