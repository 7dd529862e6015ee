/*
 * capture FILE [PORT]: takes POSTs on 127.0.0.1, prints its port when it is ready, and writes a line
 * "STATUS CONNECTION BODY" into FILE for each request before it answers, newlines in the body as blanks.
 * The path says how it behaves, so that a test reads as what it is about:
 *
 *	/ok                200, HTTP/1.1, kept
 *	/status-N          that status, for ever
 *	/flaky-N-of-M      503 to the first N of every M requests, with Retry-After: 0
 *	/reject-N          400 to every Nth request
 *	/cut-N             every Nth request is read and its connection closed without an answer
 *	/stale-N           a connection is closed N answers after it was opened, without a word
 *	/close             Connection: close each time
 *	/old               HTTP/1.0 with a body that ends with the connection
 *	/chunked           100, 103, then a chunked answer with trailers
 *	/slow-MS           an answer takes so long
 *	/drip-MS           a request is read 4 KiB every so many ms
 *	/garbage           what is no answer
 *	/flood             an answer of 2 MiB
 *	/early-413         the answer comes before the body was read, then the connection is closed
 *
 * GET /count answers how many POSTs there were. One thread a connection.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static FILE *out;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned long posts, connections;

struct conn {
	int fd;
	unsigned long number, answers;
	char *in;
	size_t len, size;
};

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static bool more(struct conn *c, size_t most)
{
	if (c->len + most + 1 > c->size) {
		c->size = (c->len + most) * 2 + 4096;
		c->in = realloc(c->in, c->size);
		if (!c->in)
			exit(1);
	}
	ssize_t n = recv(c->fd, c->in + c->len, most, 0);

	if (n <= 0)
		return false;
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	return true;
}

static bool say(struct conn *c, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool says(struct conn *c, const char *text)
{
	return say(c, text, strlen(text));
}

static const char *after(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

/* What becomes of the request: a status, or 0 for no answer. */
static int judge(const char *path, unsigned long number)
{
	const char *n;
	unsigned long a, b;

	if ((n = after(path, "/status-")))
		return atoi(n);
	if ((n = after(path, "/flaky-")) && sscanf(n, "%lu-of-%lu", &a, &b) == 2)
		return number % b < a ? 503 : 200;
	if ((n = after(path, "/reject-")))
		return (number + 1) % strtoul(n, NULL, 10) == 0 ? 400 : 200;
	if ((n = after(path, "/cut-")))
		return (number + 1) % strtoul(n, NULL, 10) == 0 ? 0 : 200;
	return strcmp(path, "/early-413") == 0 ? 413 : 200;
}

static void note(const struct conn *c, int status, const char *body, size_t len)
{
	fprintf(out, "%d %lu ", status, c->number);
	for (size_t i = 0; i < len; i++)
		putc(body[i] == '\n' ? ' ' : body[i], out);
	putc('\n', out);
	fflush(out);
}

static bool answer(struct conn *c, const char *path, int status)
{
	char text[512];
	const char *n;

	if ((n = after(path, "/slow-")))
		pause_ms(atol(n));
	if (status == 0)
		return false;
	c->answers++;
	if (strcmp(path, "/garbage") == 0)
		return says(c, "HELLO, THIS IS NO ANSWER\r\n\r\n") && false;
	if (strcmp(path, "/old") == 0)
		return says(c, "HTTP/1.0 200 OK\r\n\r\nas long as it lasts") && false;
	if (strcmp(path, "/chunked") == 0)
		return says(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
			       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			       "5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: yes\r\n\r\n");
	if (strcmp(path, "/flood") == 0) {
		says(c, "HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n");
		for (int i = 0; i < 4096 && says(c, "0123456789abcdef0123456789abcdef"); i++)
			;
		return false;
	}
	snprintf(text, sizeof(text), "HTTP/1.1 %d Whatever\r\nContent-Type: text/plain\r\n%s%s"
		 "Content-Length: 3\r\n\r\nok\n", status, status == 503 ? "Retry-After: 0\r\n" : "",
		 strcmp(path, "/close") == 0 ? "Connection: close\r\n" : "");
	if (!says(c, text) || strcmp(path, "/close") == 0)
		return false;
	return !((n = after(path, "/stale-")) && c->answers >= strtoul(n, NULL, 10));
}

/* One request. False: the connection is over. */
static bool request(struct conn *c)
{
	char path[256] = "", *end;
	size_t head, body = 0;

	while (!c->len || !(end = memmem(c->in, c->len, "\r\n\r\n", 4)))
		if (!more(c, 4096))
			return false;
	head = (size_t)(end - c->in) + 4;
	bool is_post = sscanf(c->in, "POST %255[^ ?]", path) == 1;

	for (char *line = strstr(c->in, "\r\n") + 2; line < end; line = strstr(line, "\r\n") + 2)
		if (strncasecmp(line, "content-length:", 15) == 0)
			body = strtoul(line + 15, NULL, 10);
	if (strcmp(path, "/early-413") == 0 && body > 65536) {
		pthread_mutex_lock(&mutex);
		posts++;
		note(c, 413, "", 0);
		pthread_mutex_unlock(&mutex);
		says(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		pause_ms(50);
		return false;
	}
	const char *drip = after(path, "/drip-");

	while (c->len < head + body) {
		if (drip)
			pause_ms(atol(drip));
		if (!more(c, drip ? 4096 : 65536))
			return false;
	}
	if (!is_post) {
		char text[128], count[32];

		pthread_mutex_lock(&mutex);
		snprintf(count, sizeof(count), "%lu\n", posts);
		pthread_mutex_unlock(&mutex);
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(count),
			 count);
		says(c, text);
		return false;
	}
	pthread_mutex_lock(&mutex);
	int status = judge(path, posts++);

	note(c, status, c->in + head, body);
	pthread_mutex_unlock(&mutex);
	memmove(c->in, c->in + head + body, c->len - head - body);
	c->len -= head + body;
	return answer(c, path, status);
}

static void *serve(void *arg)
{
	struct conn *c = arg;

	while (request(c))
		;
	/* what is read no more must not turn the answer into a reset */
	shutdown(c->fd, SHUT_WR);
	close(c->fd);
	free(c->in);
	free(c);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	out = argc > 1 ? fopen(argv[1], "a") : NULL;
	if (argc > 2)
		a.sin_port = htons((unsigned short)atoi(argv[2]));
	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!out || bind(listener, (struct sockaddr *)&a, sizeof(a)) || listen(listener, 512) ||
	    getsockname(listener, (struct sockaddr *)&a, &size)) {
		perror("capture");
		return 1;
	}
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;) {
		struct conn *c = calloc(1, sizeof(*c));
		pthread_t thread;
		pthread_attr_t attr;

		if (!c)
			return 1;
		c->fd = accept(listener, NULL, NULL);
		if (c->fd < 0) {
			free(c);
			continue;
		}
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->number = ++connections;
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		if (pthread_create(&thread, &attr, serve, c))
			return 1;
	}
}
