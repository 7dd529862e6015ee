/*
 * A client of the collector that does not give up: sends events 0..COUNT-1, each under a `z` of its own, on
 * several connections, and again whenever it heard nothing or was asked to come back, until every one of
 * them was answered by 2xx.
 *
 *	collect_client PORT PATH COUNT CONNECTIONS [--batch N] [--start N] [--tries N]
 *	               [--acknowledged FILE] [--key KEY] [--rate N] [--until FILE]
 *
 *	--tries N              gives each of them up after so many times, and goes on with the next one; a
 *	                       connection that nobody answers sends nothing more
 *	--acknowledged FILE    the numbers that were answered by 2xx, one a line: those that are in it are not
 *	                       sent, and the new ones are added as they come (not with --batch)
 *	--key KEY              is sent as X-Write-Key
 *	--rate N               so many events a second at most
 *	--until FILE           begins no other one once the file is there: COUNT is the most there can be
 *
 * Prints "acknowledged=N again=N" at the end; 1 when it took longer than two minutes, or ten with
 * --until. Knows nothing of river.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in address = { .sin_family = AF_INET };
static const char *path, *key, *until;
static long count, start, batch = 1, tries, rate;
static bool *known; /* --acknowledged: by number from start */
static int known_fd = -1;
static atomic_long next, made, acknowledged, again;
static time_t give_up;
static struct timespec began;

/* From another address than the server's: whoever dials a port that nobody listens on can get himself. */
static int dial(void)
{
	const int on = 1;
	const struct timeval patience = { .tv_sec = tries ? 2 : 20 };
	struct sockaddr_in mine = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&mine, sizeof(mine)) == 0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The status of one answer; 0: none came. */
static int read_answer(int fd)
{
	char text[65536];
	size_t len = 0;
	for (;;) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n <= 0)
			return 0;
		len += (size_t)n;
		text[len] = '\0';
		char *end = strstr(text, "\r\n\r\n");
		if (!end)
			continue;
		const char *length = strstr(text, "Content-Length: ");
		size_t body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
		if (len >= (size_t)(end + 4 - text) + body)
			return strncmp(text, "HTTP/1.1 ", 9) == 0 ? (int)strtol(text + 9, NULL, 10) : 0;
	}
}

static size_t build(char *request, size_t size, long first, long n)
{
	size_t room = (size_t)n * 200 + 3, len = 0;
	char *body = malloc(room);
	if (!body)
		exit(2);
	if (batch > 1)
		body[len++] = '[';
	for (long i = first; i < first + n; i++)
		len += (size_t)snprintf(body + len, room - len,
					"%s{\"cid\":\"c%ld\",\"z\":\"z-%ld\",\"t\":\"pageview\",\"sr\":\"1920\u00d71080\"}",
					i > first ? "," : "", i % 97, i);
	if (batch > 1)
		body[len++] = ']';
	int head = snprintf(request, size,
			    "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
			    "%s%s%sContent-Length: %zu\r\n\r\n%.*s",
			    path, key ? "X-Write-Key: " : "", key ? key : "", key ? "\r\n" : "",
			    len, (int)len, body);
	free(body);
	if (head < 0 || (size_t)head >= size)
		exit(2);
	return (size_t)head;
}

static bool send_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static void read_known(const char *name)
{
	char line[32];

	known = calloc((size_t)count, sizeof(*known));
	known_fd = open(name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	FILE *f = fopen(name, "re");
	if (!known || known_fd < 0 || !f)
		exit(2);
	while (fgets(line, sizeof(line), f)) {
		long i = strtol(line, NULL, 10) - start;
		if (i >= 0 && i < count)
			known[i] = true;
	}
	fclose(f);
}

/* In one write, so that lines of several threads stay whole. */
static void note_known(long i)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "%ld\n", start + i);

	if (known_fd >= 0 && write(known_fd, line, (size_t)n) != n)
		exit(2);
}

/* Waits for its turn. */
static void pace(long first)
{
	if (!rate)
		return;
	struct timespec due = { .tv_sec = began.tv_sec + first / rate,
				.tv_nsec = began.tv_nsec + first % rate * 1000000000 / rate };
	due.tv_sec += due.tv_nsec / 1000000000;
	due.tv_nsec %= 1000000000;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;
}

static void *work(void *arg)
{
	(void)arg;
	static const struct timespec pause = { .tv_nsec = 10000000 };
	size_t size = (size_t)batch * 200 + 512;
	char *request = malloc(size);
	int fd = -1;
	if (!request)
		exit(2);
	for (;;) {
		if (until && access(until, F_OK) == 0)
			break;
		long first = atomic_fetch_add(&next, batch);
		if (first >= count)
			break;
		long n = count - first < batch ? count - first : batch;
		if (known && known[first])
			continue;
		atomic_fetch_add(&made, n);
		pace(first);
		size_t len = build(request, size, start + first, n);
		for (long tried = 1;; tried++) {
			if (fd < 0)
				fd = dial();
			int status = fd >= 0 && send_all(fd, request, len) ? read_answer(fd) : 0;
			if (status / 100 == 2) {
				atomic_fetch_add(&acknowledged, n);
				note_known(first);
				break;
			}
			if (status / 100 == 4) {
				fprintf(stderr, "answered %d\n", status);
				exit(1);
			}
			if (time(NULL) > give_up) {
				fprintf(stderr, "not acknowledged in time: %ld\n", start + first);
				exit(1);
			}
			atomic_fetch_add(&again, n);
			if (fd >= 0)
				close(fd);
			fd = -1;
			if (tried == tries && !status)
				goto out;
			if (tried == tries)
				break;
			nanosleep(&pause, NULL);
		}
	}
out:
	if (fd >= 0)
		close(fd);
	free(request);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	address.sin_port = htons((unsigned short)strtoul(argv[1], NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	path = argv[2];
	count = strtol(argv[3], NULL, 10);
	const char *known_name = NULL;
	long connections = strtol(argv[4], NULL, 10);
	for (int i = 5; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--batch") == 0)
			batch = strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--start") == 0)
			start = strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--tries") == 0)
			tries = strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--acknowledged") == 0)
			known_name = argv[i + 1];
		else if (strcmp(argv[i], "--key") == 0)
			key = argv[i + 1];
		else if (strcmp(argv[i], "--rate") == 0)
			rate = strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--until") == 0)
			until = argv[i + 1];
		else
			return 2;
	}
	if (known_name && batch == 1)
		read_known(known_name);
	else if (known_name)
		return 2;
	give_up = time(NULL) + (until ? 600 : 120);
	clock_gettime(CLOCK_MONOTONIC, &began);
	pthread_t threads[256];
	if (connections < 1 || connections > 256 || batch < 1)
		return 2;
	for (long i = 0; i < connections; i++)
		if (pthread_create(&threads[i], NULL, work, NULL))
			return 2;
	for (long i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	printf("acknowledged=%ld again=%ld\n", atomic_load(&acknowledged), atomic_load(&again));
	free(known);
	bool all = atomic_load(&acknowledged) == (until ? atomic_load(&made) : count);
	return known_fd >= 0 || all ? 0 : 1;
}
