/*
 * walk: run a command and let it die, fail or be interrupted at its N-th system call.
 *
 * A program that must not lose data is killed at every single system call it makes, run again, and
 * its results compared. strace's fault injection cannot do this: its `when=N` counts each system
 * call by itself, so a program that calls thirty different ones once is only ever hit at the first
 * few. Here one counter runs over everything the command does, in all its threads and children, in
 * the order of arrival. Counting starts when the command has been executed.
 *
 *	walk [options] count -- CMD...               count the calls, in all and by class
 *	walk [options] kill N -- CMD...              SIGKILL everything at the entry of call N
 *	walk [options] signal SIG N -- CMD...        send SIG to the command at call N, and go on
 *	walk [options] fail CLASS HOW N [WHEN] -- CMD...
 *	        let the N-th call of CLASS fail. HOW is an errno name (it is not executed), or
 *	        `short` (reads and writes move one byte). WHEN: once (default), forever (from the
 *	        N-th on), or alternate (the N-th and every second one after it). What the dynamic
 *	        loader does with shared objects does not count here, unless --path asks for it.
 *	        CLASS able: every call that can give the error, on a disk for errors of disks; what is
 *	        written to standard error is spared, and so are tasks under a filter of system calls,
 *	        which would take the missing call for one that is not allowed.
 *	walk classes                                 list the classes
 *
 *	--file-ops        count only calls that change what others can see (files, locks, sockets),
 *	                  closing what was open for writing, and the exit: killing anywhere between
 *	                  two of them leaves the same state behind
 *	--path TEXT       count only calls on a file whose path contains TEXT
 *	--spare TEXT      count no calls on a file whose path contains TEXT
 *	--report FILE     write the report there, not to standard error
 *	--log FILE        one line for each call that counted: number, task, name, files
 *	--timeout SECONDS kill everything then and end with 124 (default 120, 0: never)
 *
 * Ends with the command's code (128 + n when a signal ended it), 90 when walk killed it, 124 after
 * the time ran out, 125 when walk itself failed. The report's first line is one of
 *	completed TOTAL | killed N NAME FILES | reached TIMES of TOTAL | not-reached TOTAL | timeout
 *
 * Linux 5.3 or later, x86-64 and arm64.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "walk_calls.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "walk knows the registers of x86-64 and arm64 only"
#endif

enum { CODE_KILLED = 90, CODE_TIMEOUT = 124, CODE_OURS = 125 };

/* ---- the state of a walk ------------------------------------------------------------------ */

enum { NR_MAX = 600, ONE_MAX = 8200, FILES_MAX = 2 * ONE_MAX + 2 };
static const struct call *call_by_nr[NR_MAX];

enum verb { V_COUNT, V_KILL, V_SIGNAL, V_FAIL };
enum when { W_ONCE, W_FOREVER, W_ALTERNATE };

typedef struct user_regs_struct regs_t;

/* A thread or process under us. */
struct task {
	pid_t tid;
	bool changed;      /* this call was rewritten: put things right at its end */
	bool set_result;
	long result;
	regs_t at_entry;
};

static struct {
	enum verb verb;
	bool file_ops;
	const char *path, *spare;
	FILE *report, *log;
	uint64_t at;             /* N */
	int signal;
	enum class fail_class;
	int fail_errno;          /* 0: short */
	enum when when;
	unsigned timeout_s;

	pid_t root;
	int root_status;
	bool root_ended;
	bool counting;           /* the command itself runs */
	bool killing;
	uint64_t counted;
	uint64_t hits;
	uint64_t by_class[C_MAX];
	char first_hit[FILES_MAX + 64];
	struct task *tasks;
	size_t task_count, task_room;
} w;

static volatile sig_atomic_t time_is_up;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "walk: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	/* PTRACE_O_EXITKILL takes the command with us */
	exit(CODE_OURS);
}

static struct task *task_of(pid_t tid)
{
	for (size_t i = 0; i < w.task_count; i++)
		if (w.tasks[i].tid == tid)
			return &w.tasks[i];
	if (w.task_count == w.task_room) {
		w.task_room = w.task_room ? w.task_room * 2 : 64;
		w.tasks = realloc(w.tasks, w.task_room * sizeof(*w.tasks));
		if (!w.tasks)
			die("out of memory");
	}
	w.tasks[w.task_count] = (struct task){ .tid = tid };
	return &w.tasks[w.task_count++];
}

static void task_gone(pid_t tid)
{
	for (size_t i = 0; i < w.task_count; i++) {
		if (w.tasks[i].tid != tid)
			continue;
		w.tasks[i] = w.tasks[--w.task_count];
		return;
	}
}

/* ---- registers: the only part that knows the machine -------------------------------------- */

/* A task can be killed by others at any time, so ESRCH is never a fault of ours. */
static bool get_regs(pid_t tid, regs_t *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	return ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &iov) == 0;
}

static void set_regs(pid_t tid, regs_t *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	if (ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &iov) && errno != ESRCH)
		die("cannot set the registers of %d: %s", (int)tid, strerror(errno));
}

#ifdef __x86_64__
static void set_arg(regs_t *regs, int i, unsigned long v)
{
	switch (i) {
	case 0: regs->rdi = v; break;
	case 1: regs->rsi = v; break;
	case 2: regs->rdx = v; break;
	case 3: regs->r10 = v; break;
	case 4: regs->r8 = v; break;
	}
}

static void set_result(regs_t *regs, long v)
{
	regs->rax = (unsigned long)v;
}

/* With the registers of the entry, but for what the kernel answered. */
static void restore_args(regs_t *now, const regs_t *entry)
{
	now->rdi = entry->rdi;
	now->rsi = entry->rsi;
	now->rdx = entry->rdx;
	now->r10 = entry->r10;
	now->r8 = entry->r8;
}

static void set_nr(pid_t tid, regs_t *regs, long nr)
{
	(void)tid;
	regs->orig_rax = (unsigned long)nr;
}
#else
static void set_arg(regs_t *regs, int i, unsigned long v)
{
	regs->regs[i] = v;
}

static void set_result(regs_t *regs, long v)
{
	regs->regs[0] = (unsigned long)v;
}

static void restore_args(regs_t *now, const regs_t *entry)
{
	for (int i = 1; i < 5; i++)
		now->regs[i] = entry->regs[i];
}

static void set_nr(pid_t tid, regs_t *regs, long nr)
{
	int number = (int)nr;
	struct iovec iov = { &number, sizeof(number) };

	(void)regs;
	if (ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)NT_ARM_SYSTEM_CALL, &iov) &&
	    errno != ESRCH)
		die("cannot set the system call of %d: %s", (int)tid, strerror(errno));
}
#endif

/* ---- what a call is about ----------------------------------------------------------------- */

static size_t read_memory(pid_t tid, uint64_t address, void *buf, size_t len)
{
	struct iovec local = { buf, len };
	struct iovec remote = { (void *)(uintptr_t)address, len };
	ssize_t n = process_vm_readv(tid, &local, 1, &remote, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}

static void read_path(pid_t tid, uint64_t address, char *buf, size_t size)
{
	size_t have = 0;

	/* page by page: the string may end just before an unmapped page */
	while (have + 1 < size) {
		size_t want = 4096 - (address + have) % 4096;
		if (want > size - 1 - have)
			want = size - 1 - have;
		size_t n = read_memory(tid, address + have, buf + have, want);
		if (memchr(buf + have, 0, n))
			return;
		have += n;
		if (n < want)
			break;
	}
	buf[have] = 0;
}

static void read_fd(pid_t tid, int fd, char *buf, size_t size)
{
	char link[64];

	if (fd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", (int)tid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)tid, fd);
	ssize_t n = readlink(link, buf, size - 1);
	buf[n < 0 ? 0 : n] = 0;
}

static void read_at(pid_t tid, int fd, uint64_t address, char *buf, size_t size)
{
	char path[4096];

	read_path(tid, address, path, sizeof(path));
	if (path[0] == '/') {
		snprintf(buf, size, "%s", path);
		return;
	}
	char folder[4096];
	read_fd(tid, fd, folder, sizeof(folder));
	snprintf(buf, size, "%s%s%s", folder, path[0] ? "/" : "", path);
}

/* The files a call is about, as far as they have names. */
static void describe(pid_t tid, const struct call *call, const uint64_t *a, char *buf, size_t size)
{
	char one[ONE_MAX], two[ONE_MAX];

	one[0] = two[0] = 0;
	switch (call ? call->shape : S_NONE) {
	case S_NONE:
		break;
	case S_FD:
		read_fd(tid, (int)a[0], one, sizeof(one));
		break;
	case S_FD_MAPPED:
		if ((int)a[4] >= 0)
			read_fd(tid, (int)a[4], one, sizeof(one));
		break;
	case S_FD_OUT2:
		read_fd(tid, (int)a[2], one, sizeof(one));
		break;
	case S_PATH:
		read_at(tid, AT_FDCWD, a[0], one, sizeof(one));
		break;
	case S_PATH_PATH:
		read_at(tid, AT_FDCWD, a[0], one, sizeof(one));
		read_at(tid, AT_FDCWD, a[1], two, sizeof(two));
		break;
	case S_AT:
		read_at(tid, (int)a[0], a[1], one, sizeof(one));
		break;
	case S_AT_AT:
		read_at(tid, (int)a[0], a[1], one, sizeof(one));
		read_at(tid, (int)a[2], a[3], two, sizeof(two));
		break;
	case S_PATH_AT:
		read_path(tid, a[0], one, sizeof(one));
		read_at(tid, (int)a[1], a[2], two, sizeof(two));
		break;
	}
	snprintf(buf, size, "%s%s%s", one, two[0] ? " " : "", two);
}

static enum class classify(pid_t tid, const struct call *call, const uint64_t *a)
{
	uint64_t flags;

	if (!call)
		return C_OTHER;
	switch (call->nr) {
	case SYS_openat:
		flags = a[2];
		break;
	case SYS_openat2:
		/* struct open_how starts with the flags */
		if (read_memory(tid, a[2], &flags, sizeof(flags)) != sizeof(flags))
			flags = 0;
		break;
#ifdef SYS_open
	case SYS_open:
		flags = a[1];
		break;
#endif
	case SYS_fcntl:
		switch ((int)a[1]) {
		case F_SETLK: case F_SETLKW: case F_OFD_SETLK: case F_OFD_SETLKW:
			return C_LOCK;
		}
		return call->class;
	default:
		return call->class;
	}
	return flags & (O_CREAT | O_TRUNC) ? C_CREATE : C_OPEN;
}

/* Only such a descriptor can hold a write lock, or the end of a pipe somebody reads. */
static bool is_open_for_writing(pid_t tid, int fd)
{
	char path[64], line[128];
	bool writing = false;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)tid, fd);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "flags:", 6))
			writing = (strtoul(line + 6, NULL, 8) & O_ACCMODE) != O_RDONLY;
	fclose(f);
	return writing;
}

/* A filter of system calls looks at what we put in a call's place as well, and kills for it. */
static bool is_sandboxed(pid_t tid)
{
	char path[64], line[256];
	bool filtered = false;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "Seccomp:", 8))
			filtered = strtol(line + 8, NULL, 10) == 2;
	fclose(f);
	return filtered;
}

/* In --file-ops: can anybody outside tell whether it happened? */
static bool is_visible(pid_t tid, enum class class, const uint64_t *a)
{
	switch (class) {
	case C_CLOSE:
		return is_open_for_writing(tid, (int)a[0]);
	case C_WRITE: case C_FSYNC: case C_RENAME: case C_LINK: case C_UNLINK: case C_CREATE:
	case C_MKDIR: case C_TRUNC: case C_META: case C_COPY: case C_LOCK: case C_CONNECT: case C_SEND:
	case C_EXIT:
		return true;
	default:
		return false;
	}
}

static bool is_wanted(pid_t tid, const struct call *call, enum class class, const uint64_t *a)
{
	if (w.file_ops && !is_visible(tid, class, a))
		return false;
	if (w.verb != V_FAIL)
		return true;
	switch (w.fail_class) {
	case C_ANY:
		return class != C_EXIT;
	case C_ABLE:
		/* what is sent to an address of its own, as questions to the kernel are, goes whole */
		if (!w.fail_errno && call && call->nr == SYS_sendto && a[4])
			return false;
		/* a message that cannot be written says nothing about the fault it would tell of */
		return can_give(call, class, w.fail_errno) &&
		       !(class == C_WRITE && a[0] == STDERR_FILENO);
	case C_OPEN:
		return class == C_OPEN || class == C_CREATE;
	case C_FILE:
		switch (class) {
		case C_WRITE: case C_FSYNC: case C_RENAME: case C_LINK: case C_UNLINK:
		case C_CREATE: case C_MKDIR: case C_TRUNC: case C_META: case C_COPY:
			return true;
		default:
			return false;
		}
	default:
		return class == w.fail_class;
	}
}

/* ---- doing it ----------------------------------------------------------------------------- */

static void kill_all(void)
{
	w.killing = true;
	for (size_t i = 0; i < w.task_count; i++)
		kill(w.tasks[i].tid, SIGKILL);
}

/* The call is not executed, whatever comes. */
static void skip_call(struct task *t)
{
	regs_t regs = t->at_entry;

	set_nr(t->tid, &regs, -1);
	set_regs(t->tid, &regs);
}

/* Let the call move one byte. The vector kinds become the plain ones on their first filled part. */
static void shorten_call(struct task *t, const struct call *call, const uint64_t *a)
{
	regs_t regs = t->at_entry;
	int count_arg = 2;

	switch (call->nr) {
	case SYS_writev: case SYS_readv: case SYS_pwritev: case SYS_preadv:
	case SYS_pwritev2: case SYS_preadv2: {
		struct iovec part = { 0 };
		for (uint64_t i = 0; i < a[2] && i < 1024 && !part.iov_len; i++) {
			uint64_t address = a[1] + i * sizeof(part);
			if (read_memory(t->tid, address, &part, sizeof(part)) != sizeof(part))
				return;
		}
		if (!part.iov_len)
			return;
		bool writes = call->class == C_WRITE;
		bool places = call->nr != SYS_writev && call->nr != SYS_readv && (int64_t)a[3] >= 0;
		long plain = writes ? SYS_write : SYS_read;
		if (places)
			plain = writes ? SYS_pwrite64 : SYS_pread64;
		set_nr(t->tid, &regs, plain);
		set_arg(&regs, 1, (unsigned long)(uintptr_t)part.iov_base);
		set_arg(&regs, 2, 1);
		set_regs(t->tid, &regs);
		t->changed = true;
		return;
	}
	case SYS_sendfile:
		count_arg = 3;
		break;
	case SYS_copy_file_range: case SYS_splice:
		count_arg = 4;
		break;
	case SYS_write: case SYS_read: case SYS_pwrite64: case SYS_pread64:
	case SYS_sendto: case SYS_recvfrom:
		break;
	default:
		return; /* sendmsg and the like: not shortened */
	}
	if (a[count_arg] <= 1)
		return;
	set_arg(&regs, count_arg, 1);
	set_regs(t->tid, &regs);
	t->changed = true;
}

static bool is_hit(void)
{
	if (w.verb == V_COUNT || w.counted < w.at)
		return false;
	switch (w.when) {
	case W_FOREVER:
		return true;
	case W_ALTERNATE:
		return (w.counted - w.at) % 2 == 0;
	default:
		return w.counted == w.at;
	}
}

/* Shared objects are the dynamic loader's: their faults tell nothing about the program. */
static bool is_loaders(const char *files)
{
	size_t n = strlen(files);

	return strstr(files, ".so.") || (n > 3 && !strcmp(files + n - 3, ".so"));
}

static void on_entry(pid_t tid, const struct __ptrace_syscall_info *info)
{
	struct task *t = task_of(tid);
	uint64_t nr = info->entry.nr;
	uint64_t args[6];
	char files[FILES_MAX] = "";

	t->changed = false;
	if (!w.counting)
		return;
	memcpy(args, info->entry.args, sizeof(args));
	const struct call *call = nr < NR_MAX ? call_by_nr[nr] : NULL;
	enum class class = classify(tid, call, args);
	if (!is_wanted(tid, call, class, args))
		return;
	if (w.path || w.spare || w.log || w.verb == V_FAIL)
		describe(tid, call, args, files, sizeof(files));
	if ((w.path && !strstr(files, w.path)) || (w.spare && strstr(files, w.spare)))
		return;
	if (w.verb == V_FAIL && !w.path && is_loaders(files))
		return;
	if (w.verb == V_FAIL && w.fail_class == C_ABLE &&
	    (!can_fail(files, w.fail_errno) || is_sandboxed(tid)))
		return;
	w.by_class[class]++;
	w.counted++;
	char number[32];
	snprintf(number, sizeof(number), "call%llu", (unsigned long long)nr);
	const char *name = call ? call->name : number;
	bool hit = is_hit();
	if (w.log)
		fprintf(w.log, "%llu %d %s %s%s\n", (unsigned long long)w.counted, (int)tid, name,
			files, hit ? " <= here" : "");
	if (!hit)
		return;
	if (!w.hits++) {
		describe(tid, call, args, files, sizeof(files));
		snprintf(w.first_hit, sizeof(w.first_hit), "%.40s %s", name, files);
	}
	switch (w.verb) {
	case V_COUNT:
		return;
	case V_SIGNAL:
		kill(w.root, w.signal);
		return;
	case V_KILL:
		/* SIGKILL alone prevents the call on today's kernels: be sure on all */
		if (get_regs(tid, &t->at_entry))
			skip_call(t);
		kill_all();
		return;
	case V_FAIL:
		if (!get_regs(tid, &t->at_entry))
			return;
		if (!w.fail_errno) {
			shorten_call(t, call, args);
			return;
		}
		skip_call(t);
		t->changed = true;
		t->set_result = true;
		t->result = -w.fail_errno;
		return;
	}
}

/* The machine code around a system call relies on its argument registers being kept. */
static void on_exit_of_call(pid_t tid)
{
	struct task *t = task_of(tid);
	regs_t regs;

	if (!t->changed)
		return;
	t->changed = false;
	if (!get_regs(tid, &regs))
		return;
	restore_args(&regs, &t->at_entry);
	if (t->set_result)
		set_result(&regs, t->result);
	t->set_result = false;
	set_regs(tid, &regs);
}

static void go_on(pid_t tid, int sig)
{
	if (w.killing)
		kill(tid, SIGKILL);
	if (ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(uintptr_t)sig) && errno != ESRCH)
		die("cannot continue %d: %s", (int)tid, strerror(errno));
}

static void on_stop(pid_t tid, int status)
{
	int sig = WSTOPSIG(status);
	int event = status >> 16;
	struct __ptrace_syscall_info info;
	unsigned long old_tid;

	task_of(tid);
	if (sig == (SIGTRAP | 0x80)) {
		long n = ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info);
		if (n < 0 && errno != ESRCH)
			die("PTRACE_GET_SYSCALL_INFO: %s (Linux 5.3 is needed)", strerror(errno));
		if (n > 0 && !w.killing) {
			if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
				on_entry(tid, &info);
			else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
				on_exit_of_call(tid);
		}
		go_on(tid, 0);
		return;
	}
	switch (event) {
	case 0:
		go_on(tid, sig); /* a signal on its way to the task */
		return;
	case PTRACE_EVENT_EXEC:
		w.counting = true;
		/* a thread that executes takes the number of its leader */
		if (!ptrace(PTRACE_GETEVENTMSG, tid, NULL, &old_tid) && (pid_t)old_tid != tid)
			task_gone((pid_t)old_tid);
		task_of(tid)->changed = false;
		go_on(tid, 0);
		return;
	case PTRACE_EVENT_STOP:
		/* stopped by SIGSTOP and the like: stay stopped until SIGCONT, but tell us of it */
		if (sig != SIGTRAP && !w.killing) {
			if (ptrace(PTRACE_LISTEN, tid, NULL, NULL) && errno != ESRCH)
				die("PTRACE_LISTEN: %s", strerror(errno));
			return;
		}
		go_on(tid, 0);
		return;
	default:
		go_on(tid, 0);
		return;
	}
}

static void on_alarm(int sig)
{
	(void)sig;
	time_is_up = 1;
}

static void start(char **argv)
{
	int gate[2];
	char c;

	if (pipe2(gate, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	w.root = fork();
	if (w.root < 0)
		die("fork: %s", strerror(errno));
	if (!w.root) {
		/* wait until we are seized */
		if (close(gate[1]) || read(gate[0], &c, 1) != 1)
			_exit(CODE_OURS);
		execvp(argv[0], argv);
		int code = errno == ENOENT ? 127 : 126;
		fprintf(stderr, "walk: cannot run %s: %s\n", argv[0], strerror(errno));
		_exit(code);
	}
	close(gate[0]);
	unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
				PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	if (ptrace(PTRACE_SEIZE, w.root, NULL, (void *)options)) {
		int e = errno;
		kill(w.root, SIGKILL);
		die("cannot trace: %s", strerror(e));
	}
	task_of(w.root);
	if (write(gate[1], "", 1) != 1)
		die("cannot start the command: %s", strerror(errno));
	close(gate[1]);
}

static void watch(void)
{
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (time_is_up && !w.killing) {
			kill_all();
			/* one that had not yet reported is killed when it does */
		}
		if (tid < 0) {
			if (errno == EINTR)
				continue;
			if (errno == ECHILD)
				return;
			die("waitpid: %s", strerror(errno));
		}
		if (WIFSTOPPED(status)) {
			on_stop(tid, status);
			continue;
		}
		if (tid == w.root) {
			w.root_status = status;
			w.root_ended = true;
		}
		task_gone(tid);
	}
}

/* ---- the command line --------------------------------------------------------------------- */

__attribute__((noreturn)) static void usage(void)
{
	fprintf(stderr,
		"usage: walk [options] count -- CMD...\n"
		"       walk [options] kill N -- CMD...\n"
		"       walk [options] signal SIG N -- CMD...\n"
		"       walk [options] fail CLASS ERRNO|short N [once|forever|alternate] -- CMD...\n"
		"       walk classes\n"
		"options: --file-ops --path TEXT --spare TEXT --report FILE --log FILE --timeout SECONDS\n");
	exit(CODE_OURS);
}

static uint64_t parse_number(const char *s, uint64_t min)
{
	char *end;

	errno = 0;
	unsigned long long v = strtoull(s, &end, 10);
	if (errno || end == s || *end || *s < '0' || *s > '9' || v < min)
		die("not a number from %llu: %s", (unsigned long long)min, s);
	return v;
}

static enum class parse_class(const char *s)
{
	for (size_t i = 0; i < sizeof(class_names) / sizeof(*class_names); i++)
		if (!strcmp(class_names[i], s))
			return (enum class)i;
	die("no such class: %s (see walk classes)", s);
}

static int parse_errno(const char *s)
{
	if (!strcmp(s, "short"))
		return 0;
	for (int e = 1; e < 134; e++) {
		const char *name = strerrorname_np(e);
		if (name && !strcmp(name, s))
			return e;
	}
	die("no such errno: %s", s);
}

static int parse_signal(const char *s)
{
	if (*s >= '0' && *s <= '9')
		return (int)parse_number(s, 1);
	for (int n = 1; n < 32; n++) {
		const char *name = sigabbrev_np(n);
		if (name && (!strcmp(name, s) || (!strncmp(s, "SIG", 3) && !strcmp(name, s + 3))))
			return n;
	}
	die("no such signal: %s", s);
}

static FILE *open_output(const char *path)
{
	/* not inherited by the command, which may count its descriptors */
	FILE *f = fopen(path, "we");

	if (!f)
		die("cannot write %s: %s", path, strerror(errno));
	return f;
}

static char **parse(int argc, char **argv)
{
	int i = 1;

	w.report = stderr;
	w.timeout_s = 120;
	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		const char *o = argv[i];
		if (!strcmp(o, "--file-ops")) {
			w.file_ops = true;
			continue;
		}
		if (i + 1 >= argc)
			usage();
		const char *v = argv[++i];
		if (!strcmp(o, "--path"))
			w.path = v;
		else if (!strcmp(o, "--spare"))
			w.spare = v;
		else if (!strcmp(o, "--report"))
			w.report = open_output(v);
		else if (!strcmp(o, "--log"))
			w.log = open_output(v);
		else if (!strcmp(o, "--timeout"))
			w.timeout_s = (unsigned)parse_number(v, 0);
		else
			usage();
	}
	char *words[6];
	int n = 0;
	for (; i < argc && strcmp(argv[i], "--"); i++) {
		if (n == 6)
			usage();
		words[n++] = argv[i];
	}
	if (n == 1 && !strcmp(words[0], "classes")) {
		for (size_t k = 0; k < sizeof(class_names) / sizeof(*class_names); k++)
			puts(class_names[k]);
		exit(0);
	}
	if (!n || i + 1 >= argc)
		usage();
	if (n == 1 && !strcmp(words[0], "count")) {
		w.verb = V_COUNT;
	} else if (n == 2 && !strcmp(words[0], "kill")) {
		w.verb = V_KILL;
		w.at = parse_number(words[1], 1);
	} else if (n == 3 && !strcmp(words[0], "signal")) {
		w.verb = V_SIGNAL;
		w.signal = parse_signal(words[1]);
		w.at = parse_number(words[2], 1);
	} else if ((n == 4 || n == 5) && !strcmp(words[0], "fail")) {
		w.verb = V_FAIL;
		w.fail_class = parse_class(words[1]);
		w.fail_errno = parse_errno(words[2]);
		w.at = parse_number(words[3], 1);
		if (n == 5 && !strcmp(words[4], "forever"))
			w.when = W_FOREVER;
		else if (n == 5 && !strcmp(words[4], "alternate"))
			w.when = W_ALTERNATE;
		else if (n == 5 && strcmp(words[4], "once"))
			usage();
	} else {
		usage();
	}
	return argv + i + 1;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (calls[i].nr >= 0 && calls[i].nr < NR_MAX)
			call_by_nr[calls[i].nr] = &calls[i];
	char **command = parse(argc, argv);

	/* Orphans become ours to reap: nothing of the command outlives walk, not even dead. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		die("prctl: %s", strerror(errno));
	start(command);
	struct sigaction sa = { .sa_handler = on_alarm };
	sigaction(SIGALRM, &sa, NULL);
	alarm(w.timeout_s);
	watch();
	alarm(0);

	bool timed_out = time_is_up && !(w.verb == V_KILL && w.hits);
	if (!w.counting && !timed_out)
		fprintf(w.report, "not-started\n");
	else if (timed_out)
		fprintf(w.report, "timeout after %llu\n", (unsigned long long)w.counted);
	else if (w.verb == V_KILL && w.hits)
		fprintf(w.report, "killed %llu %s\n", (unsigned long long)w.at, w.first_hit);
	else if (w.verb == V_COUNT || w.verb == V_KILL)
		fprintf(w.report, "completed %llu\n", (unsigned long long)w.counted);
	else if (w.hits)
		fprintf(w.report, "reached %llu of %llu %s\n", (unsigned long long)w.hits,
			(unsigned long long)w.counted, w.first_hit);
	else
		fprintf(w.report, "not-reached %llu\n", (unsigned long long)w.counted);
	if (w.verb == V_COUNT)
		for (int i = 0; i < C_MAX; i++)
			if (w.by_class[i])
				fprintf(w.report, "%s %llu\n", class_names[i],
					(unsigned long long)w.by_class[i]);
	if (fflush(w.report) || (w.log && fclose(w.log)))
		die("cannot write the report: %s", strerror(errno));
	free(w.tasks);

	if (timed_out)
		return CODE_TIMEOUT;
	if (w.verb == V_KILL && w.hits)
		return CODE_KILLED;
	if (!w.root_ended)
		die("the command's end was not seen");
	if (WIFSIGNALED(w.root_status))
		return 128 + WTERMSIG(w.root_status);
	return WEXITSTATUS(w.root_status);
}
