/*
 * Runs a command whose fdatasync calls take MS milliseconds more, as on a disk that does not keep up:
 *
 *	slow_sync MS CMD...
 *
 * The kernel asks here before each of them (seccomp, user notification; Linux 5.5). Ends with the command's
 * code, 125 when it could not be arranged; TERM and HUP are passed on.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void pass_on(int number)
{
	kill(child, number);
}

static int send_fd(int over, int fd)
{
	char byte = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	return sendmsg(over, &message, 0) == 1 ? 0 : -1;
}

static int receive_fd(int over)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd = -1;
	if (recvmsg(over, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

static void run(int over, char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fdatasync, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(125);
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (fd < 0 || send_fd(over, (int)fd) < 0)
		_exit(125);
	close((int)fd);
	close(over);
	execvp(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	int pair[2], status;
	if (argc < 3 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 125;
	long ms = strtol(argv[1], NULL, 10);
	child = fork();
	if (child < 0)
		return 125;
	if (child == 0)
		run(pair[1], argv + 2);
	close(pair[1]);
	int fd = receive_fd(pair[0]);
	signal(SIGTERM, pass_on);
	signal(SIGHUP, pass_on);
	while (fd >= 0) {
		struct seccomp_notif asked;
		memset(&asked, 0, sizeof(asked));
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0) {
			if (errno == EINTR)
				continue;
			break; /* nobody is left who could ask */
		}
		/* Somebody who was ended meanwhile need not be waited for. */
		for (long left_ms = ms; left_ms > 0; left_ms -= 50) {
			struct timespec slice = { .tv_nsec = (left_ms < 50 ? left_ms : 50) * 1000000 };
			while (nanosleep(&slice, &slice) < 0 && errno == EINTR)
				;
			if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &asked.id) < 0)
				break;
		}
		struct seccomp_notif_resp answer = { .id = asked.id,
						     .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 && errno != ENOENT)
			break;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return fd < 0 ? 125 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
