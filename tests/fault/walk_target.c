/*
 * What walk is tested on: small programs that do, on purpose, what is hard to follow from outside.
 *
 *	walk_target threads N DIR     N threads, each writes ten lines to a file of its own
 *	walk_target spawn CMD...      posix_spawn (a vfork inside), its code is ours
 *	walk_target exec-thread CMD.. a thread that is not the first executes CMD
 *	walk_target signals           delivers 100 signals to itself and counts them
 *	walk_target stop              is stopped by SIGSTOP and continued by its child
 *	walk_target writev FILE       3000 bytes with writev and pwritev, however short they come out
 *	walk_target datagram          sends itself five bytes, which come together or not at all
 *	walk_target sleep             two threads and a child that never end
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *folder;
static volatile sig_atomic_t seen;

__attribute__((noreturn)) static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void *write_lines(void *arg)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/t%d", folder, (int)(long)arg);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0)
		fail(path);
	for (int i = 0; i < 10; i++)
		if (write(fd, "line\n", 5) != 5)
			fail("write");
	if (close(fd))
		fail("close");
	return NULL;
}

static int threads(int n)
{
	pthread_t t[64];

	if (n > 64)
		n = 64;
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, write_lines, (void *)(long)i))
			fail("pthread_create");
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	puts("joined");
	return 0;
}

static int spawn(char **argv)
{
	pid_t pid;
	int status;

	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		fail("posix_spawn");
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void *execute(void *arg)
{
	char **argv = arg;

	execvp(argv[0], argv);
	fail("execvp");
}

static int exec_thread(char **argv)
{
	pthread_t t;

	if (pthread_create(&t, NULL, execute, argv))
		fail("pthread_create");
	for (;;)
		pause();
}

static void on_signal(int sig)
{
	(void)sig;
	seen++;
}

static int signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < 100; i++)
		kill(getpid(), SIGUSR1);
	printf("%d signals\n", (int)seen);
	return 0;
}

static int stop(void)
{
	pid_t parent = getpid();
	pid_t child = fork();
	char state[256];

	if (child < 0)
		fail("fork");
	if (!child) {
		/* until we are seen stopped (T), then wake us */
		for (;;) {
			char path[64];
			snprintf(path, sizeof(path), "/proc/%d/stat", (int)parent);
			FILE *f = fopen(path, "re");
			char *end = f && fgets(state, sizeof(state), f) ? strrchr(state, ')') : NULL;
			if (f)
				fclose(f);
			if (end && (end[2] == 'T' || end[2] == 't'))
				break;
			usleep(2000);
		}
		usleep(20000);
		kill(parent, SIGCONT);
		_exit(0);
	}
	raise(SIGSTOP);
	waitpid(child, NULL, 0);
	puts("continued");
	return 0;
}

static int write_vectors(const char *path)
{
	char text[3000];
	size_t done = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0)
		fail(path);
	for (int turn = 0; done < sizeof(text); turn++) {
		size_t left = sizeof(text) - done;
		struct iovec part[3] = {
			{ text + done, 0 },
			{ text + done, left / 2 },
			{ text + done + left / 2, left - left / 2 },
		};
		ssize_t n = turn % 2 ? pwritev(fd, part, 3, (off_t)done) : writev(fd, part, 3);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("writev");
		done += (size_t)n;
		if (lseek(fd, (off_t)done, SEEK_SET) < 0)
			fail("lseek");
	}
	return close(fd);
}

static int datagram(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	char bytes[5];
	struct iovec part = { bytes, sizeof(bytes) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) ||
	    getsockname(fd, (struct sockaddr *)&address, &size))
		fail("bind");
	if (sendto(fd, "whole", sizeof(bytes), 0, (struct sockaddr *)&address, size) < 0)
		fail("sendto");
	ssize_t n = recvmsg(fd, &message, 0);
	if (n < 0)
		fail("recvmsg");
	printf("%d bytes\n", (int)n);
	return close(fd);
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int sleepers(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, sleep_for_ever, NULL))
		fail("pthread_create");
	if (fork() >= 0)
		sleep_for_ever(NULL);
	return 1;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (!strcmp(mode, "threads") && argc == 4) {
		folder = argv[3];
		return threads(atoi(argv[2]));
	}
	if (!strcmp(mode, "spawn") && argc > 2)
		return spawn(argv + 2);
	if (!strcmp(mode, "exec-thread") && argc > 2)
		return exec_thread(argv + 2);
	if (!strcmp(mode, "signals"))
		return signals();
	if (!strcmp(mode, "stop"))
		return stop();
	if (!strcmp(mode, "writev") && argc == 3)
		return write_vectors(argv[2]);
	if (!strcmp(mode, "datagram"))
		return datagram();
	if (!strcmp(mode, "sleep"))
		return sleepers();
	fprintf(stderr, "walk_target: see the head of its source\n");
	return 2;
}
