/*
 * Bytes to a port of this machine, and what comes back:
 *
 *	http_raw PORT [--half-close] [--each BYTES MS] [--answers N] [--idle N] [--hold MS] [--early] <request >answer
 *
 * Sends standard input (with --each in pieces, with pauses between them), ends its side with --half-close, and
 * prints until the other side ends or, with --answers, until so many heads of answers with their bodies have
 * come. --idle opens N connections more first and sends nothing on them; --hold leaves without reading after
 * so long; --early connects before it reads what it is to send. 1: nothing came; 3: the connection was reset.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in address = { .sin_family = AF_INET };

static int dial(void)
{
	const struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("connect");
		exit(2);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void pause_ms(long ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	nanosleep(&pause, NULL);
}

static size_t read_input(char **ret)
{
	size_t len = 0, size = 1 << 16;
	char *bytes = malloc(size);
	for (ssize_t n = 1; bytes && n > 0; len += (size_t)n) {
		if (len == size)
			bytes = realloc(bytes, size *= 2);
		n = bytes ? read(STDIN_FILENO, bytes + len, size - len) : -1;
		if (n < 0)
			exit(2);
	}
	*ret = bytes;
	return len;
}

/* Whole answers at the beginning of the text. */
static long count_answers(const char *text, size_t len)
{
	long count = 0;
	for (size_t at = 0; at < len; count++) {
		const char *end = memmem(text + at, len - at, "\r\n\r\n", 4);
		if (!end)
			break;
		size_t head = (size_t)(end + 4 - text) - at, body = 0;
		const char *length = memmem(text + at, head, "Content-Length: ", 16);
		if (length)
			body = strtoul(length + 16, NULL, 10);
		if (at + head + body > len)
			break;
		at += head + body;
	}
	return count;
}

int main(int argc, char **argv)
{
	bool half_close = false, early = false;
	long each = 0, each_ms = 0, answers = -1, idle = 0, hold_ms = -1;
	if (argc < 2)
		return 2;
	address.sin_port = htons((unsigned short)strtoul(argv[1], NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--half-close") == 0) {
			half_close = true;
		} else if (strcmp(argv[i], "--early") == 0) {
			early = true;
		} else if (strcmp(argv[i], "--each") == 0 && i + 2 < argc) {
			each = strtol(argv[++i], NULL, 10);
			each_ms = strtol(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--answers") == 0 && i + 1 < argc) {
			answers = strtol(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--idle") == 0 && i + 1 < argc) {
			idle = strtol(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--hold") == 0 && i + 1 < argc) {
			hold_ms = strtol(argv[++i], NULL, 10);
		} else {
			return 2;
		}
	}
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (long i = 0; i < idle; i++)
		(void)dial();
	char *request;
	int fd = early ? dial() : -1;
	size_t len = read_input(&request), sent = 0;
	if (!early)
		fd = dial();
	while (sent < len) {
		size_t piece = each && (size_t)each < len - sent ? (size_t)each : len - sent;
		ssize_t n = send(fd, request + sent, piece, MSG_NOSIGNAL);
		if (n <= 0)
			break; /* it was answered before all was sent */
		sent += (size_t)n;
		if (each && sent < len)
			pause_ms(each_ms);
	}
	free(request);
	if (hold_ms >= 0) {
		pause_ms(hold_ms);
		return 0;
	}
	if (half_close)
		shutdown(fd, SHUT_WR);
	size_t size = 32 << 20, got = 0;
	char *text = malloc(size);
	while (text && got < size && (answers < 0 || count_answers(text, got) < answers)) {
		ssize_t n = recv(fd, text + got, size - got, 0);
		if (n < 0 && !got)
			return 3;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (!text || fwrite(text, 1, got, stdout) != got || fflush(stdout))
		return 2;
	return got ? 0 : 1;
}
