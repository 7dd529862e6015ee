/*
 * Holds a listening socket, as systemd does, and runs a command with it again and again:
 *
 *	listen_exec PORT_FILE TIMES CMD...
 *
 * The port (chosen by the kernel) is written to PORT_FILE; the socket is descriptor 3 of the command, with
 * LISTEN_FDS and LISTEN_PID as sd_listen_fds(3) wants them. TERM goes to the command that runs; the next one
 * is started when it has ended, until TIMES are over. Ends with the first code that is not 0.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t child;

static void pass_on(int number)
{
	if (child > 0)
		kill(child, number);
}

static void run(int listener, char **argv)
{
	char pid[32];
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	if (dup2(listener, 3) < 0 || setenv("LISTEN_FDS", "1", 1) || setenv("LISTEN_PID", pid, 1))
		_exit(125);
	execvp(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	if (argc < 4)
		return 125;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 1024) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) < 0)
		return 125;
	struct sigaction action = { .sa_handler = pass_on };
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	FILE *file = fopen(argv[1], "w");
	if (!file || fprintf(file, "%d\n", ntohs(address.sin_port)) < 0 || fclose(file))
		return 125;
	for (long left = strtol(argv[2], NULL, 10); left > 0; left--) {
		int status;
		child = fork();
		if (child < 0)
			return 125;
		if (child == 0)
			run(listener, argv + 3);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		child = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	return 0;
}
