/*
 * Posting to servers that lie, stall and break off: no body is settled but by an answer that is one, none twice,
 * none out of order, and nobody is waited for without end. The server is a thread; how it answers the first
 * requests is the test's, the others it takes as they should be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/post_impl.h"

#define BODIES 5
#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

enum end { KEEP, CLOSE, RESET, STALL };
struct attack {
	const char *answer;      /* the beginning of what it says */
	size_t len;              /* 0: strlen */
	const char *flood;       /* and this again and again, until it is left */
	unsigned pause_ms;       /* between its bytes */
	enum end end;            /* what it does then */
	bool before;             /* without reading the request */
	bool at_once;            /* as soon as somebody connects */
	unsigned times;          /* so many requests, then it is good; 0: all */
};
struct server {
	struct attack attack;
	int listener;
	char url[64];
	pthread_t thread;
	atomic_bool over;
	unsigned attacked;
	unsigned bodies[64], bodies_count; /* their numbers, of whole requests that were answered well */
};

static void pause_for_ms(unsigned ms)
{
	poll(NULL, 0, (int)ms);
}

static bool say(int fd, const char *p, size_t len, unsigned pause_ms, const atomic_bool *over)
{
	for (size_t at = 0; at < len && !atomic_load(over);) {
		ssize_t n = send(fd, p + at, pause_ms ? 1 : len - at, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		at += (size_t)n;
		if (pause_ms)
			pause_for_ms(pause_ms);
	}
	return true;
}

/* One whole request; its body's number, -1: none came. */
static int read_request(int fd, const atomic_bool *over)
{
	char text[4096];
	size_t len = 0;
	for (;;) {
		struct pollfd look = { .fd = fd, .events = POLLIN };
		if (atomic_load(over))
			return -1;
		if (poll(&look, 1, 5) <= 0)
			continue;
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n <= 0)
			return -1;
		len += (size_t)n;
		text[len] = '\0';
		const char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
		if (end && length && len >= (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10))
			return atoi(end + 4);
	}
}

static void attack(struct server *s, int fd)
{
	const struct attack *a = &s->attack;
	const struct linger at_once = { .l_onoff = 1 };
	s->attacked++;
	if (a->answer && !say(fd, a->answer, a->len ? a->len : strlen(a->answer), a->pause_ms, &s->over))
		return;
	while (a->flood && say(fd, a->flood, strlen(a->flood), a->pause_ms, &s->over) && !atomic_load(&s->over))
		;
	if (a->end == RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	/* An end may not be heard of behind what is not read. */
	for (int i = 0; a->end == STALL && i < (a->before ? 20 : 4000) && !atomic_load(&s->over); i++) {
		struct pollfd look = { .fd = fd, .events = POLLRDHUP };
		if (poll(&look, 1, 5) > 0)
			return;
	}
}

static void serve(struct server *s, int fd)
{
	for (;;) {
		bool attacks = !s->attack.times || s->attacked < s->attack.times;
		if (attacks && s->attack.before) {
			char byte;
			if (!s->attack.at_once && recv(fd, &byte, 1, 0) != 1)
				return;
			attack(s, fd);
			return;
		}
		int body = read_request(fd, &s->over);
		if (body < 0)
			return;
		if (attacks) {
			attack(s, fd);
			if (s->attack.end != KEEP)
				return;
			continue;
		}
		/* On a slow machine a good answer may come too late as well. */
		if (!s->bodies_count || s->bodies[s->bodies_count - 1] != (unsigned)body) {
			assert_true(s->bodies_count < 64);
			s->bodies[s->bodies_count++] = (unsigned)body;
		}
		if (!say(fd, GOOD, sizeof(GOOD) - 1, 0, &s->over))
			return;
	}
}

static void *serve_all(void *arg)
{
	struct server *s = arg;
	while (!atomic_load(&s->over)) {
		struct pollfd look = { .fd = s->listener, .events = POLLIN };
		if (poll(&look, 1, 5) <= 0)
			continue;
		int fd = accept(s->listener, NULL, NULL);
		if (fd < 0)
			continue;
		serve(s, fd);
		close(fd);
	}
	return NULL;
}

static void server_start(struct server *s, const struct attack *attack)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	const int small = 4096;
	*s = (struct server){ .attack = *attack };
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(bind(s->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(s->listener, 16), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &len), 0);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/x", ntohs(address.sin_port));
	assert_int_equal(pthread_create(&s->thread, NULL, serve_all, s), 0);
}

static void server_stop(struct server *s)
{
	atomic_store(&s->over, true);
	pthread_join(s->thread, NULL);
	close(s->listener);
}

struct outcome {
	unsigned settled, taken, twice, last_status;
	uint64_t next;
};

static void settled(void *arg, const struct rv_post_result *r)
{
	struct outcome *o = arg;
	/* in the order in which they were handed over */
	assert_int_equal(r->tag, o->next++);
	o->settled++;
	o->taken += r->fate == RV_POST_TAKEN;
	o->twice += r->maybe_twice;
	o->last_status = (unsigned)r->status;
}

/* Sends bodies over one lane. */
static int64_t answer_timeout_ms = 100;
static bool through_client; /* the way that https takes */
static enum rv_status post(struct server *s, unsigned bodies, size_t size, int64_t retry_for_ms,
			   struct outcome *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_post_free_p) struct rv_post *p = NULL;
	RV_CLEANUP(rv_free_p) char *body = rv_calloc(1, size + 1);
	const struct rv_post_params params = {
		.url = s->url,
		.content_type = "application/json",
		.lanes = 1,
		.max_bytes = 64u << 20,
		.retry_for_ms = retry_for_ms,
		.answer_timeout_ms = answer_timeout_ms,
		.settled = settled,
		.arg = ret,
	};
	enum rv_status status = RV_OK;
	*ret = (struct outcome){ .settled = 0 };
	assert_int_equal(through_client ? rv_post_client_new(&params, &p, err) : rv_post_new(&params, &p, err), RV_OK);
	memset(body, 'x', size);
	for (unsigned i = 0; i < bodies; i++) {
		char number[16];
		int digits = snprintf(number, sizeof(number), "%u ", i);
		memcpy(body, number, (size_t)digits);
		assert_true(p->ops->add(p, 0, i, body, size));
	}
	int64_t end_ms = rv_clock_monotonic_ms() + 60000;
	while (status == RV_OK && p->waiting && rv_clock_monotonic_ms() < end_ms)
		status = p->ops->step(p, 50000, err);
	assert_true(rv_clock_monotonic_ms() < end_ms);
	return status;
}

static void assert_arrived(const struct server *s, unsigned from)
{
	assert_int_equal(s->bodies_count, BODIES - from);
	for (unsigned i = 0; i < s->bodies_count; i++)
		assert_int_equal(s->bodies[i], from + i);
}

/* Cut off, or reset, behind any byte of a good answer. */
static void test_64_ends_at_each_byte(void **state)
{
	struct server s;
	struct outcome o;
	struct rv_error err = RV_ERROR_INIT;
	(void)state;
	for (size_t len = 0; len < sizeof(GOOD) - 1; len++)
		for (int end = CLOSE; end <= RESET; end++) {
			/* every other byte each way, the first and the last ones both ways */
			if (len > 2 && len < sizeof(GOOD) - 4 && (len & 1) == (end == CLOSE))
				continue;
			const struct attack attack = { .answer = len ? GOOD : NULL, .len = len,
						       .end = (enum end)end, .times = 1 };
			server_start(&s, &attack);
			assert_int_equal(post(&s, BODIES, 20, 20000, &o, &err), RV_OK);
			server_stop(&s);
			assert_int_equal(o.taken, BODIES);
			/* The first one was read, and its answer never heard. */
			assert_true(o.twice >= 1);
			assert_arrived(&s, 0);
		}
}

/* What is no answer, or none for this request, or has no end: sent again, and taken once it is answered. */
static void test_64_liars(void **state)
{
	static const struct attack attacks[] = {
		{ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok\n", .end = CLOSE },
		{ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok\n", .end = STALL },
		{ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", .flood = "ok\n" },
		{ .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .flood = "3\r\nok\n\r\n" },
		{ .answer = "HTTP/1.1 200 OK\r\n\r\n", .flood = "for ever and ever" },
		{ .answer = "HTTP/1.1 200 OK\r\n", .flood = "X: y\r\n" },
		{ .answer = "HTTP/1.1 200 ", .flood = "OK " },
		{ .flood = "HTTP/1.1 100 Continue\r\n\r\n" },
		{ .flood = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" },
		{ .flood = "HTTP/1.1 100 Continue\r\n\r\n", .pause_ms = 2 },
		{ .answer = GOOD, .pause_ms = 40, .end = STALL },
		{ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", .end = CLOSE },
		{ .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .end = CLOSE },
		{ .answer = "HTTP/1.1 503 No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", .end = KEEP },
		{ .answer = "HTTP/1.1 101 Switching Protocols\r\n\r\n", .end = STALL },
		{ .end = STALL },
	};
	struct server s;
	struct outcome o;
	struct rv_error err = RV_ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		struct attack attack = attacks[i];
		attack.times = 1;
		server_start(&s, &attack);
		enum rv_status status = post(&s, BODIES, 20, 20000, &o, &err);
		server_stop(&s);
		if (status != RV_OK || o.taken != BODIES)
			fail_msg("liar %zu: %u taken, %s", i, o.taken, err.message);
		assert_arrived(&s, 0);
		/* For ever: it is given up, and nothing counts as taken. */
		attack.times = 0;
		server_start(&s, &attack);
		status = post(&s, BODIES, 20, 100, &o, &err);
		server_stop(&s);
		if (status != RV_LOCAL_IO || o.settled)
			fail_msg("liar %zu for ever: %d, %u settled", i, status, o.settled);
	}
}

/* A wait that is longer than the patience ends it at once; a time that is over, or none, is no reason to wait. */
static void test_29_retry_after(void **state)
{
	static const struct {
		const char *value;
		bool waits;
	} values[] = {
		{ "1000", true }, { "99999999", true }, { "Fri, 31 Dec 2999 23:59:59 GMT", true },
		{ "0", false }, { "Sun, 06 Nov 1994 08:49:37 GMT", false }, { "-5", false }, { "soon", false },
		{ "99999999999999999999999", false },
	};
	struct server s;
	struct outcome o;
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(values) / sizeof(*values); i++) {
		struct rv_error err = RV_ERROR_INIT;
		char answer[128];
		const struct attack attack = { .answer = answer, .times = values[i / 2].waits ? 0 : 2 };
		snprintf(answer, sizeof(answer), "HTTP/1.1 503 No\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\nRetry-After: %s\r\n"
			 "Content-Length: 0\r\n\r\n", values[i / 2].value);
		through_client = i & 1;
		answer_timeout_ms = 20000;
		server_start(&s, &attack);
		enum rv_status status = post(&s, 1, 20, 20000, &o, &err);
		server_stop(&s);
		through_client = false;
		if (s.attacked != (values[i / 2].waits ? 1 : 2) || o.taken != !values[i / 2].waits ||
		    status != (values[i / 2].waits ? RV_LOCAL_IO : RV_OK))
			fail_msg("%s, %s: %u times, %u taken, %s", values[i / 2].value,
				 i & 1 ? "client" : "plain", s.attacked, o.taken, err.message);
	}
}

/* "Thank you" for what was not even sent is no thanks. */
static void test_64_taken_without_being_read(void **state)
{
	struct server s;
	struct outcome o;
	struct rv_error err = RV_ERROR_INIT;
	(void)state;
	answer_timeout_ms = 20000;
	for (int at_once = 0; at_once < 2; at_once++) {
		const struct attack attack = { .answer = GOOD, .before = true, .at_once = at_once, .end = STALL,
					       .times = 0 };
		server_start(&s, &attack);
		assert_int_equal(post(&s, 1, 32u << 20, 200, &o, &err), RV_LOCAL_IO);
		server_stop(&s);
		assert_int_equal(o.settled, 0);
		assert_non_null(strstr(err.message, "before it has the event"));
	}
	/* A refusal may come early: nobody wants to read all of it. */
	const struct attack attack = { .answer = "HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
				       .before = true, .end = STALL, .times = 0 };
	server_start(&s, &attack);
	assert_int_equal(post(&s, 1, 32u << 20, 20000, &o, &err), RV_OK);
	server_stop(&s);
	assert_int_equal(o.settled, 1);
	assert_int_equal(o.taken, 0);
	assert_int_equal(o.last_status, 413);
}

/* ---- a server by hand, in the test's own thread: what it does is done before the next step looks ---- */

struct hand {
	struct sockaddr_in address;
	int listener, fd;
	struct rv_post *post;
	struct outcome outcome;
};

static void hand_add(struct hand *h, unsigned number)
{
	char body[16];
	assert_true(h->post->ops->add(h->post, 0, number, body, (size_t)snprintf(body, sizeof(body), "%u", number)));
}

static void hand_start(struct hand *h)
{
	socklen_t len = sizeof(h->address);
	struct rv_error err = RV_ERROR_INIT;
	char url[64];
	*h = (struct hand){ .address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(h->listener, (struct sockaddr *)&h->address, len), 0);
	assert_int_equal(listen(h->listener, 16), 0);
	assert_int_equal(getsockname(h->listener, (struct sockaddr *)&h->address, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", ntohs(h->address.sin_port));
	const struct rv_post_params params = {
		.url = url,
		.content_type = "application/json",
		.lanes = 1,
		.max_bytes = 1 << 20,
		.answer_timeout_ms = 20000,
		.settled = settled,
		.arg = &h->outcome,
	};
	assert_int_equal(rv_post_new(&params, &h->post, &err), RV_OK);
	hand_add(h, 0);
	h->fd = accept(h->listener, NULL, NULL);
	assert_true(h->fd >= 0);
}

static void hand_end(struct hand *h)
{
	rv_post_free_p(&h->post);
	close(h->fd);
	close(h->listener);
}

/* Has the request sent, and reads it. */
static void hand_read(struct hand *h)
{
	struct rv_error err = RV_ERROR_INIT;
	struct pollfd look = { .fd = h->fd, .events = POLLIN };
	const atomic_bool over = false;
	while (poll(&look, 1, 0) == 0)
		assert_int_equal(h->post->ops->step(h->post, 1000, &err), RV_OK);
	assert_true(read_request(h->fd, &over) >= 0);
}

static void hand_say(struct hand *h, const char *text, int flags)
{
	assert_int_equal(send(h->fd, text, strlen(text), MSG_NOSIGNAL | flags), strlen(text));
}

/* What was sent has come to where it is read. */
static void hand_arrived(struct hand *h)
{
	int left = 1;
	while (assert_int_equal(ioctl(h->fd, SIOCOUTQ, &left), 0), left)
		pause_for_ms(1);
}

static enum rv_status hand_settled(struct hand *h, struct rv_error *err)
{
	enum rv_status status = RV_OK;
	while (status == RV_OK && h->post->waiting)
		status = h->post->ops->step(h->post, 50000, err);
	return status;
}

/* The kernel ends a read at urgent data, however much lies behind it, and tells of all of it once. */
static void test_07_short_count(void **state)
{
	struct hand h;
	struct rv_error err = RV_ERROR_INIT;
	(void)state;
	hand_start(&h);
	hand_read(&h);
	hand_say(&h, "HTTP/1.1 200 OK\r\nContent-Le!", MSG_OOB);
	hand_say(&h, "ngth: 3\r\n\r\nok\n", 0);
	hand_arrived(&h);
	assert_int_equal(hand_settled(&h, &err), RV_OK);
	assert_int_equal(h.outcome.taken, 1);
	hand_end(&h);
}

/* An answer that is there before the connection is looked at. */
static void test_64_answered_at_once(void **state)
{
	struct hand h;
	struct rv_error err = RV_ERROR_INIT;
	(void)state;
	hand_start(&h);
	hand_say(&h, "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 0);
	assert_int_equal(shutdown(h.fd, SHUT_WR), 0);
	hand_arrived(&h);
	assert_int_equal(hand_settled(&h, &err), RV_LOCAL_IO);
	if (!strstr(err.message, "503"))
		fail_msg("%s", err.message);
	hand_end(&h);
}

/* It hangs up behind its answer, and reads on: what comes next goes over another connection. */
static void test_64_hangs_up_behind_its_answer(void **state)
{
	struct hand h;
	struct rv_error err = RV_ERROR_INIT;
	(void)state;
	hand_start(&h);
	hand_read(&h);
	hand_say(&h, GOOD, 0);
	assert_int_equal(shutdown(h.fd, SHUT_WR), 0);
	hand_arrived(&h);
	assert_int_equal(hand_settled(&h, &err), RV_OK);
	hand_add(&h, 1);
	assert_int_equal(h.post->connects, 2);
	int old = h.fd;
	h.fd = accept(h.listener, NULL, NULL);
	hand_read(&h);
	hand_say(&h, GOOD, 0);
	assert_int_equal(hand_settled(&h, &err), RV_OK);
	assert_int_equal(h.outcome.taken, 2);
	assert_int_equal(h.outcome.twice, 0);
	close(old);
	hand_end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_64_ends_at_each_byte),
		cmocka_unit_test(test_64_liars),
		cmocka_unit_test(test_29_retry_after),
		cmocka_unit_test(test_64_taken_without_being_read),
		cmocka_unit_test(test_07_short_count),
		cmocka_unit_test(test_64_answered_at_once),
		cmocka_unit_test(test_64_hangs_up_behind_its_answer),
	};

	return cmocka_run_group_tests_name("post attack", tests, NULL, NULL);
}
