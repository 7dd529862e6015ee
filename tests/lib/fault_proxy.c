/*
 * A proxy that knows requests from answers, between a client and a server of HTTP/1.1 on this machine, and spoils
 * those it is told to:
 *
 *	fault_proxy TO_PORT [--port OWN_PORT] [--only TEXT] [RULE...]
 *
 * Prints its own port (any that is free, when it is not told), and then a line for each request: its number, its
 * rule or "-", the status of the server's answer or 0, how many bytes that answer has, method and target. Ends with
 * the process that started it.
 *
 * RULE is NTH[+COUNT]:WHAT[:N]: from the NTH request on, for so many (1; "*": all). Of the requests only those
 * count, from 1 on, whose "METHOD target" contains the TEXT of --only. The first rule that fits is the request's.
 *
 * Not passed on to the server:
 *	unread       reset as soon as the head has come           shut         closed then, without a word
 *	other        answered as the request before was           tls          answered by an alert of TLS
 *	redirect     307 to somewhere else                        nothing      an answer of no bytes, then closed
 * Passed on, and carried out:
 *	lose         closed instead of an answer                  lose-reset   reset instead
 *	cut:N        N bytes of the answer, then closed; from its end when N is negative
 *	cut-reset:N  then reset                                   stall:N      N bytes, 300 ms, and the rest
 *	drip         a byte at a time                             late:N       the answer N ms later
 *	longer:N     Content-Length says N more, and it is closed shorter:N    it says N less
 *	chunks       the body in chunks of 5 bytes                unended      so, without the last one
 *	interim:N    N answers of 103 before it                   headers:N    a field of N bytes in it
 *	twice        the answer twice in a row                    twice-late   the second one 20 ms later
 *	leave        closed behind it, which it does not say      leave:N      N ms later
 *	slow:N       the request is read after N ms
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_RULES 16
#define PIECE 65536

struct rule {
	unsigned long nth, count;
	char what[16];
	long n;
};

struct bytes {
	char *p;
	size_t len, capacity;
};

static struct rule rules[MOST_RULES];
static size_t rules_count;
static const char *only;
static int to_port;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned long requests;
static struct bytes last; /* the last whole answer of the server */

/* ---- bytes ---- */

static void add(struct bytes *b, const void *p, size_t len)
{
	if (b->len + len + 1 > b->capacity) {
		b->capacity = (b->len + len + 1) * 2;
		b->p = realloc(b->p, b->capacity);
		if (!b->p)
			abort();
	}
	memcpy(b->p + b->len, p, len);
	b->len += len;
	b->p[b->len] = '\0';
}

static void put(struct bytes *b, const char *text)
{
	add(b, text, strlen(text));
}

static void drop(struct bytes *b, size_t len)
{
	memmove(b->p, b->p + len, b->len - len);
	b->len -= len;
	b->p[b->len] = '\0';
}

/* More of what comes; false: no more. */
static bool fill(struct bytes *b, int fd)
{
	char piece[PIECE];
	ssize_t n;

	do
		n = read(fd, piece, sizeof(piece));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	add(b, piece, (size_t)n);
	return true;
}

static bool give(int fd, const char *p, size_t len)
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

static void pause_ms(long ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* ---- messages ---- */

/* How long the head is with its blank line; 0: it is not there yet. */
static size_t head_of(const struct bytes *b)
{
	const char *end = b->len ? memmem(b->p, b->len, "\r\n\r\n", 4) : NULL;

	return end ? (size_t)(end - b->p) + 4 : 0;
}

/* The value of a field, NULL: there is none. */
static const char *field(const struct bytes *b, size_t head, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = b->p; p && p + 2 < b->p + head;) {
		p = strstr(p, "\r\n");
		if (!p)
			break;
		p += 2;
		if (strncasecmp(p, name, len) == 0 && p[len] == ':')
			return p + len + 1 + strspn(p + len + 1, " ");
	}
	return NULL;
}

/* A chunked body from `at` on: where it ends, 0: not yet. */
static size_t chunks_end(const struct bytes *b, size_t at)
{
	for (;;) {
		char *end;
		const char *line = b->p + at, *line_end = strstr(line, "\r\n");

		if (!line_end)
			return 0;
		size_t len = strtoul(line, &end, 16);
		at = (size_t)(line_end - b->p) + 2 + len + 2;
		if (at > b->len)
			return 0;
		if (len == 0)
			return at;
	}
}

/* One message, from what was read and what comes. *ret_head 0: it was not a whole one. */
static bool read_message(struct bytes *b, int fd, bool no_body, bool is_answer, size_t *ret_head, size_t *ret_len)
{
	size_t head;

	while (!(head = head_of(b)))
		if (!fill(b, fd))
			return false;
	*ret_head = head;
	if (is_answer && (strncmp(b->p + 8, " 204", 4) == 0 || strncmp(b->p + 8, " 304", 4) == 0 ||
			  strncmp(b->p + 8, " 1", 2) == 0))
		no_body = true;
	const char *length = field(b, head, "Content-Length"), *coding = field(b, head, "Transfer-Encoding");
	size_t end = head;

	if (no_body) {
		/* as it is */
	} else if (coding && strncasecmp(coding, "chunked", 7) == 0) {
		while (!(end = chunks_end(b, head)))
			if (!fill(b, fd))
				return false;
	} else if (length) {
		end = head + strtoul(length, NULL, 10);
		while (b->len < end)
			if (!fill(b, fd))
				return false;
	} else if (is_answer) {
		while (fill(b, fd))
			;
		end = b->len;
	}
	*ret_len = end;
	return true;
}

static int connect_to(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* The server's answer to the request; false: it gave none. */
static bool ask(const char *request, size_t len, struct bytes *ret, size_t *ret_head)
{
	int fd = connect_to(to_port);
	bool no_body = strncmp(request, "HEAD ", 5) == 0, whole = false;
	size_t end = 0;

	if (fd < 0)
		return false;
	if (give(fd, request, len)) {
		whole = read_message(ret, fd, no_body, true, ret_head, &end);
		/* 100 and the like are the server's own affair here */
		while (whole && strncmp(ret->p + 8, " 1", 2) == 0) {
			drop(ret, *ret_head);
			whole = read_message(ret, fd, no_body, true, ret_head, &end);
		}
		ret->len = whole ? end : ret->len;
	}
	close(fd);
	return whole;
}

/* ---- spoiling ---- */

static void reset(int fd)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* The head without a field, and with another in its place. */
static void with_field(struct bytes *out, const struct bytes *answer, size_t head, const char *without, const char *line)
{
	const char *old = field(answer, head, without), *p = answer->p;

	if (old) {
		const char *start = old;

		while (start[-1] != '\n')
			start--;
		add(out, p, (size_t)(start - p));
		p = strstr(old, "\r\n") + 2;
	}
	add(out, p, (size_t)(answer->p + head - 2 - p));
	put(out, line);
	put(out, "\r\n\r\n");
}

static bool is(const struct rule *rule, const char *what)
{
	return rule && strcmp(rule->what, what) == 0;
}

/* Instead of asking the server; false: it is to be asked. *ret_keep: the connection stays. */
static bool without_server(int fd, const struct rule *rule, bool *ret_keep)
{
	*ret_keep = false;
	if (is(rule, "unread")) {
		reset(fd);
	} else if (is(rule, "other")) {
		pthread_mutex_lock(&mutex);
		*ret_keep = last.len > 0 && give(fd, last.p, last.len);
		pthread_mutex_unlock(&mutex);
	} else if (is(rule, "tls")) {
		(void)!give(fd, "\x15\x03\x03\x00\x02\x02\x28", 7);
	} else if (is(rule, "redirect")) {
		static const char text[] = "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\n"
					   "Content-Length: 0\r\n\r\n";

		*ret_keep = give(fd, text, strlen(text));
	} else if (!is(rule, "shut") && !is(rule, "nothing")) {
		return false;
	}
	return true;
}

/* False: the connection ends. */
static bool answer_client(int fd, const struct rule *rule, const struct bytes *answer, size_t head)
{
	struct bytes out = { 0 };
	size_t body = answer->len - head;
	char line[128];
	bool keep = true;

	if (!rule) {
		return give(fd, answer->p, answer->len);
	} else if (is(rule, "lose") || is(rule, "lose-reset")) {
		if (is(rule, "lose-reset"))
			reset(fd);
		return false;
	} else if (is(rule, "cut") || is(rule, "cut-reset")) {
		long n = rule->n < 0 ? (long)answer->len + rule->n : rule->n;

		(void)!give(fd, answer->p, n < 0 ? 0 : (size_t)n < answer->len ? (size_t)n : answer->len);
		if (is(rule, "cut-reset")) {
			pause_ms(20); /* what was given would be thrown away with the rest */
			reset(fd);
		}
		return false;
	} else if (is(rule, "stall")) {
		size_t n = (size_t)rule->n < answer->len ? (size_t)rule->n : answer->len;

		if (!give(fd, answer->p, n))
			return false;
		pause_ms(300);
		return give(fd, answer->p + n, answer->len - n);
	} else if (is(rule, "drip")) {
		for (size_t i = 0; i < answer->len && keep; i++)
			keep = give(fd, answer->p + i, 1);
		return keep;
	} else if (is(rule, "longer") || is(rule, "shorter")) {
		long n = (long)body + (is(rule, "longer") ? rule->n : -rule->n);

		snprintf(line, sizeof(line), "Content-Length: %ld", n < 0 ? 0 : n);
		with_field(&out, answer, head, "Content-Length", line);
		add(&out, answer->p + head, body);
		keep = is(rule, "shorter");
	} else if (is(rule, "chunks") || is(rule, "unended")) {
		with_field(&out, answer, head, "Content-Length", "Transfer-Encoding: chunked");
		for (size_t at = head; at < answer->len; at += 5) {
			size_t n = answer->len - at < 5 ? answer->len - at : 5;

			snprintf(line, sizeof(line), "%zx\r\n", n);
			put(&out, line);
			add(&out, answer->p + at, n);
			put(&out, "\r\n");
		}
		keep = is(rule, "chunks");
		put(&out, keep ? "0\r\n\r\n" : "");
	} else if (is(rule, "interim")) {
		for (long i = 0; i < rule->n; i++)
			put(&out, "HTTP/1.1 103 Early Hints\r\nLink: </>; rel=preload\r\n\r\n");
		add(&out, answer->p, answer->len);
	} else if (is(rule, "headers")) {
		struct bytes value = { 0 };

		put(&value, "X-Filler: ");
		for (long i = 0; i < rule->n; i++)
			add(&value, "x", 1);
		with_field(&out, answer, head, "X-Filler", value.p);
		add(&out, answer->p + head, body);
		free(value.p);
	} else if (is(rule, "twice") || is(rule, "twice-late")) {
		add(&out, answer->p, answer->len);
		if (is(rule, "twice")) {
			add(&out, answer->p, answer->len);
		} else if (give(fd, out.p, out.len)) {
			pause_ms(20);
		}
	} else if (is(rule, "late")) {
		pause_ms(rule->n);
		return give(fd, answer->p, answer->len);
	} else if (is(rule, "leave")) {
		if (give(fd, answer->p, answer->len))
			pause_ms(rule->n);
		return false;
	} else {
		return give(fd, answer->p, answer->len);
	}
	keep = give(fd, out.p, out.len) && keep;
	free(out.p);
	return keep;
}

/* ---- connections ---- */

static const struct rule *rule_for(const char *request_line, unsigned long *ret_number)
{
	const struct rule *found = NULL;

	*ret_number = 0;
	if (only && !strstr(request_line, only))
		return NULL;
	pthread_mutex_lock(&mutex);
	*ret_number = ++requests;
	pthread_mutex_unlock(&mutex);
	for (size_t i = 0; i < rules_count && !found; i++)
		if (*ret_number >= rules[i].nth && *ret_number - rules[i].nth < rules[i].count)
			found = &rules[i];
	return found;
}

static void tell(unsigned long number, const struct rule *rule, const struct bytes *answer, const char *request_line)
{
	pthread_mutex_lock(&mutex);
	printf("%lu %s %d %zu %s\n", number, rule ? rule->what : "-", answer->len > 12 ? atoi(answer->p + 9) : 0,
	       answer->len, request_line);
	fflush(stdout);
	pthread_mutex_unlock(&mutex);
}

/* One request and its answer; false: the connection is over. */
static bool serve_one(int fd, struct bytes *in)
{
	struct bytes answer = { 0 };
	unsigned long number;
	size_t head, len, answer_head = 0;
	char request_line[512];
	bool keep = false;

	while (!(head = head_of(in)))
		if (!fill(in, fd))
			return false;
	snprintf(request_line, sizeof(request_line), "%.*s", (int)(strstr(in->p, "\r\n") - in->p), in->p);
	const struct rule *rule = rule_for(request_line, &number);

	if (is(rule, "slow"))
		pause_ms(rule->n);
	if (is(rule, "unread") || is(rule, "shut")) {
		tell(number, rule, &answer, request_line);
		without_server(fd, rule, &keep);
		return false;
	}
	if (!read_message(in, fd, false, false, &head, &len))
		return false;
	if (without_server(fd, rule, &keep)) {
		tell(number, rule, &answer, request_line);
	} else if (ask(in->p, len, &answer, &answer_head)) {
		tell(number, rule, &answer, request_line);
		pthread_mutex_lock(&mutex);
		last.len = 0;
		add(&last, answer.p, answer.len);
		pthread_mutex_unlock(&mutex);
		keep = answer_client(fd, rule, &answer, answer_head);
	}
	free(answer.p);
	drop(in, len);
	return keep;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg, on = 1;
	struct bytes in = { 0 };

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (serve_one(fd, &in))
		;
	close(fd);
	free(in.p);
	return NULL;
}

static void read_rule(const char *text)
{
	struct rule *rule = &rules[rules_count];
	char *at, *colon;

	if (rules_count == MOST_RULES)
		exit(125);
	*rule = (struct rule){ .nth = strtoul(text, &at, 10), .count = 1 };
	if (*at == '+') {
		rule->count = at[1] == '*' ? (unsigned long)-1 : strtoul(at + 1, &at, 10);
		at = strchr(at, ':');
	}
	if (!at || *at != ':' || rule->nth == 0)
		exit(125);
	colon = strchr(at + 1, ':');
	snprintf(rule->what, sizeof(rule->what), "%.*s", colon ? (int)(colon - at - 1) : 15, at + 1);
	rule->n = colon ? strtol(colon + 1, NULL, 10) : 0;
	rules_count++;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int on = 1;

	if (argc < 2)
		return 125;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	to_port = atoi(argv[1]);
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = argv[++i];
		else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
			a.sin_port = htons((uint16_t)atoi(argv[++i]));
		else
			read_rule(argv[i]);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 128) < 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &size) < 0)
		return 125;
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (fd < 0)
			continue;
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
			close(fd);
		else
			pthread_detach(thread);
	}
}
