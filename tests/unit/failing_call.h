/*
 * System calls that fail, for tests of what happens then: in a child of the test, where the kernel answers every call
 * of one kind with an error. So nothing of river has to be built for it, and the test itself goes on unharmed.
 */
#ifndef RV_TESTS_UNIT_FAILING_CALL_H
#define RV_TESTS_UNIT_FAILING_CALL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/error.h"

/* The same thing has several numbers, and not each machine has each of them. */
struct failing_call {
	const char *name;
	int error;
	long numbers[4]; /* 0: no more (a call that tests do not make) */
	unsigned spares; /* calls with one of these in their third argument work */
};
static const struct failing_call failing_calls[] = {
	{ "open", EMFILE, { SYS_openat,
#ifdef SYS_open
			    SYS_open,
#endif
	} },
	{ "opening files", EIO, { SYS_openat }, O_DIRECTORY },
	{ "write", ENOSPC, { SYS_write, SYS_pwrite64, SYS_writev } },
	{ "fsync", EIO, { SYS_fsync, SYS_fdatasync } },
	{ "rename", EIO, { SYS_renameat2, SYS_renameat,
#ifdef SYS_rename
			   SYS_rename,
#endif
	} },
	{ "unlink", EIO, { SYS_unlinkat,
#ifdef SYS_unlink
			   SYS_unlink,
#endif
#ifdef SYS_rmdir
			   SYS_rmdir,
#endif
	} },
	{ "mkdir", ENOSPC, { SYS_mkdirat,
#ifdef SYS_mkdir
			     SYS_mkdir,
#endif
	} },
	{ "link", EIO, { SYS_linkat,
#ifdef SYS_link
			 SYS_link,
#endif
	} },
	{ "lock", ENOLCK, { SYS_fcntl } },
	{ "seek", EIO, { SYS_lseek } },
	{ "pread", EIO, { SYS_pread64 } },
	{ "read", EIO, { SYS_pread64, SYS_read } },
	{ "stat", EIO, { SYS_newfstatat, SYS_statx, SYS_fstat,
#ifdef SYS_stat
			 SYS_stat,
#endif
	} },
	{ "list", EIO, { SYS_getdents64 } },
	{ "truncate", EIO, { SYS_ftruncate } },
	{ "syncfs", EIO, { SYS_syncfs } },
	{ "chmod", EPERM, { SYS_fchmodat, SYS_fchmod,
#ifdef SYS_chmod
			    SYS_chmod,
#endif
	} },
};
#define FAILING_CALLS (sizeof(failing_calls) / sizeof(*failing_calls))

static inline bool let_calls_fail(const struct failing_call *call)
{
	enum { MOST = sizeof(call->numbers) / sizeof(*call->numbers) };
	struct sock_filter code[4 * MOST + 2];
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < MOST && call->numbers[i]; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call->numbers[i], 0,
							 call->spares ? 3 : 1);
		if (call->spares) { /* its low half, on machines that are little-endian */
			code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
								 offsetof(struct seccomp_data, args[2]));
			code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, call->spares,
								 1, 0);
		}
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)call->error);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = { .len = n, .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* The same, but only call number `nth` fails; the others are made. What decides that is a handler of SIGSYS, which makes
 * them with a mark in the sixth argument: no call of the table has one. */
static volatile sig_atomic_t failing_left;
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) /* which takes ten times as long to fork */
#define HAS_NTH_CALL 1
#define FAILING_MARK 0x72697665u
static int failing_error;
static void on_call(int signal RV_UNUSED, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	int kept = errno;

	if (failing_left > 0 && --failing_left == 0) {
		r[REG_RAX] = -failing_error;
	} else {
		long result = syscall(info->si_syscall, r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8],
				      (long)FAILING_MARK);

		r[REG_RAX] = result < 0 ? -errno : result;
	}
	errno = kept;
}

static inline bool let_nth_call_fail(const struct failing_call *call, unsigned nth)
{
	enum { MOST = sizeof(call->numbers) / sizeof(*call->numbers) };
	struct sock_filter code[4 * MOST + 2];
	unsigned short n = 0;
	const struct sigaction action = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER };

	failing_left = (sig_atomic_t)nth;
	failing_error = call->error;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < MOST && call->numbers[i]; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call->numbers[i], 0, 3);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5]));
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FAILING_MARK, 1, 0);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = { .len = n, .filter = code };

	return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#else
#define HAS_NTH_CALL 0
static inline bool let_nth_call_fail(const struct failing_call *call, unsigned nth RV_UNUSED)
{
	return let_calls_fail(call);
}
#endif

/* Runs `child` in a child, which lets calls fail when it is ready for that; its result is what this returns, or -1
 * when it ended in another way. Nothing that asserts may be called in it. */
static inline int in_child(int (*child)(void *arg, const struct failing_call *call), void *arg,
			   const struct failing_call *call)
{
	int status;

	fflush(NULL);
	pid_t pid = fork();

	if (pid == 0)
		_exit(child(arg, call));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

#endif
