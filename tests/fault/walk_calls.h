/*
 * The system calls that walk knows: what class each is of, where it names its files, and which
 * errors it can give. For walk.c alone.
 */
#ifndef RIVER_TESTS_WALK_CALLS_H
#define RIVER_TESTS_WALK_CALLS_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

enum class {
	C_OTHER, C_WRITE, C_READ, C_FSYNC, C_RENAME, C_LINK, C_UNLINK, C_OPEN, C_CREATE, C_MKDIR,
	C_TRUNC, C_META, C_COPY, C_CLOSE, C_LOCK, C_STAT, C_LIST, C_MMAP, C_SOCKET, C_CONNECT,
	C_SEND, C_RECV, C_PROCESS, C_EXIT, C_MAX,
	C_FILE = C_MAX, /* for fail: everything that changes the file system */
	C_ANY,          /* for fail: every call */
	C_ABLE,         /* for fail: every call that can give the error */
};

static const char *const class_names[] = {
	[C_OTHER] = "other", [C_WRITE] = "write", [C_READ] = "read", [C_FSYNC] = "fsync",
	[C_RENAME] = "rename", [C_LINK] = "link", [C_UNLINK] = "unlink", [C_OPEN] = "open",
	[C_CREATE] = "create", [C_MKDIR] = "mkdir", [C_TRUNC] = "trunc", [C_META] = "meta",
	[C_COPY] = "copy", [C_CLOSE] = "close", [C_LOCK] = "lock", [C_STAT] = "stat",
	[C_LIST] = "list", [C_MMAP] = "mmap", [C_SOCKET] = "socket", [C_CONNECT] = "connect",
	[C_SEND] = "send", [C_RECV] = "recv", [C_PROCESS] = "process", [C_EXIT] = "exit",
	[C_FILE] = "file", [C_ANY] = "any", [C_ABLE] = "able",
};

/* Where a call names its files. */
enum shape {
	S_NONE,
	S_FD,        /* descriptor in 0 */
	S_PATH,      /* path in 0 */
	S_PATH_PATH, /* paths in 0 and 1 */
	S_AT,        /* folder in 0, path in 1 */
	S_AT_AT,     /* folder in 0, path in 1, folder in 2, path in 3 */
	S_PATH_AT,   /* path in 0, folder in 1, path in 2 (symlinkat) */
	S_FD_MAPPED, /* descriptor in 4, or -1 (mmap) */
	S_FD_OUT2,   /* the descriptor written to is in 2 (copy_file_range, splice) */
};

struct call {
	long nr;
	const char *name;
	enum class class;
	enum shape shape;
};

#define CALL(name, class, shape) { SYS_##name, #name, class, shape }
static const struct call calls[] = {
	CALL(write, C_WRITE, S_FD), CALL(pwrite64, C_WRITE, S_FD), CALL(writev, C_WRITE, S_FD),
	CALL(pwritev, C_WRITE, S_FD), CALL(pwritev2, C_WRITE, S_FD),
	CALL(read, C_READ, S_FD), CALL(pread64, C_READ, S_FD), CALL(readv, C_READ, S_FD),
	CALL(preadv, C_READ, S_FD), CALL(preadv2, C_READ, S_FD),
	CALL(fsync, C_FSYNC, S_FD), CALL(fdatasync, C_FSYNC, S_FD),
	CALL(sync_file_range, C_FSYNC, S_FD),
	CALL(syncfs, C_FSYNC, S_FD), CALL(sync, C_FSYNC, S_NONE), CALL(msync, C_FSYNC, S_NONE),
	CALL(renameat, C_RENAME, S_AT_AT), CALL(renameat2, C_RENAME, S_AT_AT),
	CALL(linkat, C_LINK, S_AT_AT), CALL(symlinkat, C_LINK, S_PATH_AT),
	CALL(unlinkat, C_UNLINK, S_AT),
	CALL(openat, C_OPEN, S_AT), CALL(openat2, C_OPEN, S_AT),
	CALL(mkdirat, C_MKDIR, S_AT), CALL(mknodat, C_MKDIR, S_AT),
	CALL(ftruncate, C_TRUNC, S_FD), CALL(truncate, C_TRUNC, S_PATH),
	CALL(fallocate, C_TRUNC, S_FD),
	CALL(fchmod, C_META, S_FD), CALL(fchmodat, C_META, S_AT), CALL(fchown, C_META, S_FD),
	CALL(fchownat, C_META, S_AT), CALL(utimensat, C_META, S_AT), CALL(fsetxattr, C_META, S_FD),
	CALL(copy_file_range, C_COPY, S_FD_OUT2), CALL(sendfile, C_COPY, S_FD),
	CALL(splice, C_COPY, S_FD_OUT2),
	CALL(close, C_CLOSE, S_FD),
#ifdef SYS_close_range
	CALL(close_range, C_CLOSE, S_NONE),
#endif
	CALL(flock, C_LOCK, S_FD),
	CALL(fcntl, C_OTHER, S_FD), /* the locking ones are told apart in classify() */
	CALL(fstat, C_STAT, S_FD), CALL(newfstatat, C_STAT, S_AT), CALL(statx, C_STAT, S_AT),
	CALL(faccessat, C_STAT, S_AT), CALL(readlinkat, C_STAT, S_AT), CALL(statfs, C_STAT, S_PATH),
	CALL(fstatfs, C_STAT, S_FD), CALL(lseek, C_OTHER, S_FD),
#ifdef SYS_faccessat2
	CALL(faccessat2, C_STAT, S_AT),
#endif
	CALL(getdents64, C_LIST, S_FD),
	CALL(mmap, C_MMAP, S_FD_MAPPED), CALL(mremap, C_MMAP, S_NONE), CALL(brk, C_MMAP, S_NONE),
	CALL(socket, C_SOCKET, S_NONE), CALL(bind, C_SOCKET, S_FD), CALL(listen, C_SOCKET, S_FD),
	CALL(accept, C_SOCKET, S_FD), CALL(accept4, C_SOCKET, S_FD), CALL(shutdown, C_SOCKET, S_FD),
	CALL(connect, C_CONNECT, S_FD),
	CALL(sendto, C_SEND, S_FD), CALL(sendmsg, C_SEND, S_FD), CALL(sendmmsg, C_SEND, S_FD),
	CALL(recvfrom, C_RECV, S_FD), CALL(recvmsg, C_RECV, S_FD), CALL(recvmmsg, C_RECV, S_FD),
	CALL(clone, C_PROCESS, S_NONE), CALL(execve, C_PROCESS, S_PATH),
	CALL(execveat, C_PROCESS, S_AT),
	CALL(wait4, C_OTHER, S_NONE), CALL(kill, C_OTHER, S_NONE), CALL(futex, C_OTHER, S_NONE),
	CALL(ioctl, C_OTHER, S_FD), CALL(munmap, C_OTHER, S_NONE), CALL(pipe2, C_OTHER, S_NONE),
#ifdef SYS_clone3
	CALL(clone3, C_PROCESS, S_NONE),
#endif
	CALL(exit_group, C_EXIT, S_NONE),
#ifdef __x86_64__
	CALL(rename, C_RENAME, S_PATH_PATH), CALL(link, C_LINK, S_PATH_PATH),
	CALL(symlink, C_LINK, S_PATH_PATH), CALL(unlink, C_UNLINK, S_PATH),
	CALL(rmdir, C_UNLINK, S_PATH),
	CALL(open, C_OPEN, S_PATH), CALL(creat, C_CREATE, S_PATH), CALL(mkdir, C_MKDIR, S_PATH),
	CALL(chmod, C_META, S_PATH), CALL(chown, C_META, S_PATH), CALL(stat, C_STAT, S_PATH),
	CALL(lstat, C_STAT, S_PATH), CALL(access, C_STAT, S_PATH), CALL(readlink, C_STAT, S_PATH),
	CALL(fork, C_PROCESS, S_NONE), CALL(vfork, C_PROCESS, S_NONE),
#endif
};

/*
 * Can a call of that kind give this error? 0 is a short count. What only exotic file systems see is
 * left out, and so is EINTR of connect, which goes on behind the program's back.
 */
static bool can_give(const struct call *call, enum class class, int error)
{
	switch (error) {
	case 0:
		return class == C_READ || class == C_WRITE || class == C_COPY ||
		       (call && (call->nr == SYS_sendto || call->nr == SYS_recvfrom));
	case EINTR:
		switch (class) {
		case C_READ: case C_WRITE: case C_OPEN: case C_CREATE: case C_FSYNC: case C_LOCK:
		case C_SEND: case C_RECV:
			return true;
		default:
			return call && (call->nr == SYS_accept || call->nr == SYS_accept4 ||
					call->nr == SYS_wait4);
		}
	case EMFILE:
	case ENFILE:
		return class == C_OPEN || class == C_CREATE ||
		       (call && (call->nr == SYS_socket || call->nr == SYS_accept ||
				 call->nr == SYS_accept4 || call->nr == SYS_pipe2));
	case ENOLCK:
		return class == C_LOCK;
	case EIO:
		if (class == C_READ || class == C_OPEN || class == C_LIST)
			return true;
		/* fall through */
	case EROFS:
		if (class == C_UNLINK || class == C_META)
			return true;
		/* fall through */
	case ENOSPC:
	case EDQUOT:
		switch (class) {
		case C_WRITE: case C_FSYNC: case C_CREATE: case C_MKDIR: case C_LINK: case C_RENAME:
		case C_TRUNC: case C_COPY:
			return error != EROFS || (class != C_WRITE && class != C_FSYNC);
		default:
			return false;
		}
	default:
		return true;
	}
}

/* Disks fail and fill; pipes and sockets do not, and what the kernel makes up does none of it. */
static bool can_fail(const char *files, int error)
{
	if (!strncmp(files, "/proc/", 6) || !strncmp(files, "/sys/", 5) ||
	    !strncmp(files, "/dev/", 5) || !strncmp(files, "anon_inode:", 11))
		return false;
	switch (error) {
	case EIO: case ENOSPC: case EDQUOT: case EROFS:
		return files[0] == '/';
	default:
		return true;
	}
}

#endif
