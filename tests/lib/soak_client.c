/*
 * What tests/soak.sh sends and how it counts. Knows nothing of river. Every record has a number of its own,
 * 0, 1, 2 ..., as "z":"s-NUMBER", so that what came can be told from what was sent by a bit for each.
 *
 *	soak_client post PORT PATH SECONDS RATE CONNECTIONS [DRAIN_SECONDS]
 *	soak_client lines FIRST COUNT RATE
 *	soak_client count TOTAL <records
 *
 * post sends RATE records a second, half of them one a request and half of them in arrays of a hundred, each
 * at its time or, when the server was away, as soon after it as it can; a request that got no 2xx is sent
 * again, the same bytes, until it got one. Prints a line every ten seconds, and at the end "made=N
 * acknowledged=N again=N ..."; 1 when something was never acknowledged or refused for good.
 *
 * lines writes such records to standard output, one a line. 1: nobody reads.
 *
 * count reads records of either kind, one a line, and says how many of 0..TOTAL-1 are missing, doubled, and how
 * many lines are others; 1 when one is missing, doubled, or beyond TOTAL.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* A block is so many records alone, and as many in one array. */
#define BATCH 100
#define BLOCK (2 * BATCH)
#define TICKETS (BATCH + 1)
#define RECORD_MAX 200
#define SAMPLES 5

static struct sockaddr_in address = { .sin_family = AF_INET };
static const char *path;
static double rate, seconds, drain_seconds = 180, began;
static atomic_long next_ticket, made, acknowledged, again, refused, lost;
static atomic_long took_ms[24]; /* answers that took less than 2^i ms, the first one counted */

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_for(double s)
{
	if (s <= 0)
		return;
	struct timespec pause = { .tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9) };
	nanosleep(&pause, NULL);
}

static size_t write_record(char *p, size_t room, long n)
{
	int len = snprintf(p, room, "{\"cid\":\"c%ld\",\"z\":\"s-%ld\",\"t\":\"pageview\",\"sr\":\"1920\u00d71080\"}",
			   n % 9973, n);
	if (len < 0 || (size_t)len >= room)
		exit(2);
	return (size_t)len;
}

/* ---- post ---- */

/* From another address than the server's: whoever dials a port that nobody listens on can get himself. */
static int dial(void)
{
	const int on = 1;
	const struct timeval patience = { .tv_sec = 20 };
	struct sockaddr_in mine = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&mine, sizeof(mine)) == 0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The status of one answer; 0: none came. */
static int read_answer(int fd)
{
	char text[8192];
	size_t len = 0;
	while (len < sizeof(text) - 1) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
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
	return 0;
}

static bool send_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* The request of records first..first+n-1; its length. */
static size_t build(char *request, size_t size, char *body, size_t room, long first, long n)
{
	size_t len = 0;
	if (n > 1)
		body[len++] = '[';
	for (long i = first; i < first + n; i++) {
		if (i > first)
			body[len++] = ',';
		len += write_record(body + len, room - len, i);
	}
	if (n > 1)
		body[len++] = ']';
	int head = snprintf(request, size, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%.*s",
			    path, len, (int)len, body);
	if (head < 0 || (size_t)head >= size)
		exit(2);
	return (size_t)head;
}

static void note_time(double took)
{
	int i = 0;
	for (long ms = (long)(took * 1000); ms > 0 && i < 23; ms >>= 1)
		i++;
	atomic_fetch_add(&took_ms[i], 1);
}

/* False: the time is over. */
static bool insist(int *fd, const char *request, size_t len, long first, long n, unsigned *random)
{
	double since = now();
	for (unsigned tries = 0;; tries++) {
		if (*fd < 0)
			*fd = dial();
		int status = *fd >= 0 && send_all(*fd, request, len) ? read_answer(*fd) : 0;
		if (status / 100 == 2) {
			atomic_fetch_add(&acknowledged, n);
			note_time(now() - since);
			return true;
		}
		if (status && status != 503 && status != 408 && status != 429) {
			fprintf(stderr, "record %ld: answered %d\n", first, status);
			atomic_fetch_add(&refused, n);
			return true;
		}
		if (now() - began > seconds + drain_seconds) {
			fprintf(stderr, "record %ld and %ld behind it: never acknowledged\n", first, n - 1);
			atomic_fetch_add(&lost, n);
			return false;
		}
		atomic_fetch_add(&again, n);
		if (*fd >= 0 && !status) {
			close(*fd);
			*fd = -1;
		}
		/* Some come back at once, others when a server may have been started twice meanwhile. */
		double most = rand_r(random) % 16 ? 0.2 : 4;
		pause_for(most * (tries < 3 ? tries + 1 : 4) / 4 * (rand_r(random) % 1000) / 1000);
	}
}

static void *post(void *arg)
{
	unsigned random = (unsigned)(uintptr_t)arg;
	size_t room = (size_t)BATCH * RECORD_MAX, size = room + 512;
	char *request = malloc(size), *body = malloc(room);
	int fd = -1;
	if (!request || !body)
		exit(2);
	for (bool goes_on = true; goes_on;) {
		long ticket = atomic_fetch_add(&next_ticket, 1), block = ticket / TICKETS, k = ticket % TICKETS;
		double due = (double)(block * BLOCK + k * 2) / rate;
		/* A block is begun and ended, so that numbers have no holes. */
		if ((double)(block * BLOCK) / rate >= seconds)
			break;
		long first = block * BLOCK + k, n = k < BATCH ? 1 : BATCH;
		size_t len = build(request, size, body, room, first, n);
		pause_for(began + due - now());
		atomic_fetch_add(&made, n);
		goes_on = insist(&fd, request, len, first, n, &random);
	}
	if (fd >= 0)
		close(fd);
	free(request);
	free(body);
	return NULL;
}

/* Answers faster than so many ms are all but this share of them. */
static long slower_than(double share)
{
	long all = 0, more = 0;
	for (int i = 0; i < 24; i++)
		all += atomic_load(&took_ms[i]);
	for (int i = 23; i > 0; i--) {
		more += atomic_load(&took_ms[i]);
		if ((double)more > (double)all * share)
			return 1L << i;
	}
	return 1;
}

static void say(const char *what)
{
	printf("%s after=%.0f made=%ld acknowledged=%ld again=%ld refused=%ld lost=%ld p50_ms<%ld p99_ms<%ld p999_ms<%ld\n",
	       what, now() - began, atomic_load(&made), atomic_load(&acknowledged), atomic_load(&again),
	       atomic_load(&refused), atomic_load(&lost), slower_than(0.5), slower_than(0.01), slower_than(0.001));
	fflush(stdout);
}

static atomic_bool over;

static void *report(void *arg)
{
	(void)arg;
	for (unsigned n = 1; !atomic_load(&over); n++) {
		pause_for(1);
		if (n % 10 == 0)
			say("so far");
	}
	return NULL;
}

static int post_all(int argc, char **argv)
{
	if (argc < 7)
		return 2;
	address.sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	path = argv[3];
	seconds = strtod(argv[4], NULL);
	rate = strtod(argv[5], NULL);
	long connections = strtol(argv[6], NULL, 10);
	if (argc > 7)
		drain_seconds = strtod(argv[7], NULL);
	pthread_t threads[256], reporter;
	pthread_attr_t small;
	if (connections < 1 || connections > 256 || rate < 1)
		return 2;
	began = now();
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 128 << 10);
	if (pthread_create(&reporter, &small, report, NULL))
		return 2;
	for (long i = 0; i < connections; i++)
		if (pthread_create(&threads[i], &small, post, (void *)(uintptr_t)(i + 1)))
			return 2;
	for (long i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&over, true);
	pthread_join(reporter, NULL);
	say("in all");
	return atomic_load(&acknowledged) == atomic_load(&made) ? 0 : 1;
}

/* ---- lines ---- */

static int write_lines(int argc, char **argv)
{
	static char text[BATCH * RECORD_MAX];
	if (argc < 5)
		return 2;
	long first = strtol(argv[2], NULL, 10), count = strtol(argv[3], NULL, 10);
	rate = strtod(argv[4], NULL);
	signal(SIGPIPE, SIG_IGN);
	began = now();
	for (long i = 0; i < count;) {
		size_t len = 0;
		for (long k = 0; k < BATCH && i < count; k++, i++) {
			len += write_record(text + len, sizeof(text) - len, first + i);
			text[len++] = '\n';
		}
		pause_for(began + (double)i / rate - now());
		for (size_t at = 0; at < len;) {
			ssize_t n = write(STDOUT_FILENO, text + at, len - at);
			if (n < 0 && errno != EINTR)
				return 1;
			at += n > 0 ? (size_t)n : 0;
		}
	}
	return 0;
}

/* ---- count ---- */

/* The number behind the first "z" of a line; -1: there is none. */
static long number_of(const char *line, size_t len)
{
	static const char key[] = "\"z\"";
	const char *at = memmem(line, len, key, sizeof(key) - 1);
	if (!at)
		return -1;
	at += sizeof(key) - 1;
	at += strspn(at, ": ");
	if (strncmp(at, "\"s-", 3) != 0)
		return -1;
	return strtol(at + 3, NULL, 10);
}

static void sample(const char *what, long n, long *count)
{
	if (++*count <= SAMPLES)
		printf("%s: s-%ld\n", what, n);
}

static int count_lines(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	long total = strtol(argv[2], NULL, 10), lines = 0, others = 0, doubled = 0, beyond = 0, missing = 0;
	uint8_t *seen = calloc((size_t)total / 8 + 1, 1);
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	if (!seen)
		return 2;
	while ((len = getline(&line, &room, stdin)) > 0) {
		long n = number_of(line, (size_t)len);
		lines++;
		if (n < 0)
			others++;
		else if (n >= total)
			sample("beyond", n, &beyond);
		else if (seen[n / 8] & 1 << n % 8)
			sample("doubled", n, &doubled);
		else
			seen[n / 8] |= (uint8_t)(1 << n % 8);
	}
	for (long n = 0; n < total; n++)
		if (!(seen[n / 8] & 1 << n % 8))
			sample("missing", n, &missing);
	printf("lines=%ld missing=%ld doubled=%ld beyond=%ld others=%ld\n", lines, missing, doubled, beyond, others);
	free(line);
	free(seen);
	return missing || doubled || beyond || ferror(stdin) ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	if (strcmp(verb, "post") == 0)
		return post_all(argc, argv);
	if (strcmp(verb, "lines") == 0)
		return write_lines(argc, argv);
	if (strcmp(verb, "count") == 0)
		return count_lines(argc, argv);
	fprintf(stderr, "usage: soak_client post|lines|count ...\n");
	return 2;
}
