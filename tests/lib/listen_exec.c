/*
 * Holds listening sockets, as systemd does, and runs a command with them again and again:
 *
 *	listen_exec [-n SOCKETS] PORT_FILE TIMES CMD...
 *
 * The ports (chosen by the kernel) are written to PORT_FILE, a line each; the sockets are the descriptors from 3 on
 * of the command, with LISTEN_FDS and LISTEN_PID as sd_listen_fds(3) wants them. TERM goes to the command that runs; the next one
 * is started when it has ended, until TIMES are over. Ends with the first code that is not 0.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t child;

static void pass_on(int number)
{
	if (child > 0)
		kill(child, number);
}

/* Where the sockets are kept here, above all that the command gets. */
#define KEPT 200
#define SOCKETS_MAX 100

static void run(int count, char **argv)
{
	char pid[32], text[32];
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	snprintf(text, sizeof(text), "%d", count);
	for (int i = 0; i < count; i++)
		if (dup2(KEPT + i, 3 + i) < 0)
			_exit(125);
	if (setenv("LISTEN_FDS", text, 1) || setenv("LISTEN_PID", pid, 1))
		_exit(125);
	execvp(argv[0], argv);
	_exit(127);
}

static int listen_at(int place)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
	    fcntl(fd, F_DUPFD_CLOEXEC, place) != place)
		return -1;
	close(fd);
	return ntohs(address.sin_port);
}

int main(int argc, char **argv)
{
	int count = 1;
	if (argc > 2 && strcmp(argv[1], "-n") == 0) {
		count = (int)strtol(argv[2], NULL, 10);
		argv += 2;
		argc -= 2;
	}
	if (argc < 4 || count < 1 || count > SOCKETS_MAX)
		return 125;
	struct sigaction action = { .sa_handler = pass_on };
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	FILE *file = fopen(argv[1], "w");
	for (int i = 0; file && i < count; i++) {
		int port = listen_at(KEPT + i);
		if (port < 0 || fprintf(file, "%d\n", port) < 0)
			return 125;
	}
	if (!file || fclose(file))
		return 125;
	for (long left = strtol(argv[2], NULL, 10); left > 0; left--) {
		int status;
		child = fork();
		if (child < 0)
			return 125;
		if (child == 0)
			run(count, argv + 3);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		child = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	return 0;
}
