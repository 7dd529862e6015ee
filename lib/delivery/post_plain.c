/*
 * Posting over plain connections, by one thread and epoll: each lane has one, and sends what comes next as
 * soon as the answer to what came before has been read. A request costs one send and one receive.
 *
 * Registered once, edge-triggered, for both directions: nothing is asked of the kernel between requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/post_impl.h"
#include "http/answer.h"

#define EVENTS 128
#define READ_BYTES 16384
#define CONNECT_TIMEOUT_MS 10000
#define SCAN_MS 1000
#define COMPACT_BYTES 65536

struct item {
	uint64_t tag;
	size_t len;              /* of the request, with its head */
};
struct lane {
	int fd;
	enum { CLOSED, CONNECTING, IDLE, BUSY, PAUSING } state;
	bool used;               /* the connection has brought an answer */
	struct rv_strbuf bytes;  /* requests, from `head` on */
	size_t head;
	struct item *items;      /* a ring */
	size_t first, count, capacity;
	size_t sent;             /* of the first one */
	unsigned attempts;
	bool maybe_twice;
	int64_t sent_us;
	int64_t failing_ms;      /* monotonic, since when; 0: it does not */
	int64_t wake_ms;         /* monotonic: end of the pause, or of the patience */
	const struct addrinfo *address;
	struct rv_http_answer answer;
};
struct plain {
	struct rv_post post;
	struct rv_post_params params; /* its texts are copied below */
	char *url;               /* for messages */
	struct addrinfo *addresses;
	struct rv_strbuf prefix; /* up to the number of bytes */
	struct lane *lanes;
	int epoll;
	uint64_t bytes;          /* of requests that wait */
	int64_t scan_ms;         /* when the clocks of the lanes are to be looked at */
	bool settled;            /* something was, in this step */
	struct rv_error dead;    /* nothing will be taken any more */
	char buf[READ_BYTES];
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- lanes ---- */

static void drop_connection(struct lane *lane)
{
	if (lane->fd >= 0)
		close(lane->fd); /* epoll forgets it */
	lane->fd = -1;
	lane->state = CLOSED;
	lane->used = false;
}

static void wake_at(struct plain *p, struct lane *lane, int64_t ms)
{
	lane->wake_ms = ms;
	if (ms < p->scan_ms)
		p->scan_ms = ms;
}

static void die(struct plain *p, const struct rv_error *why)
{
	if (p->dead.status == RV_OK)
		p->dead = *why;
}

/* The first request has failed, and is to be sent again. */
static void failed(struct plain *p, struct lane *lane, int64_t retry_after_ms, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void failed(struct plain *p, struct lane *lane, int64_t retry_after_ms, const char *fmt, ...)
{
	int64_t now_ms = rv_clock_monotonic_ms();
	va_list ap;

	drop_connection(lane);
	va_start(ap, fmt);
	vsnprintf(p->post.trouble, sizeof(p->post.trouble), fmt, ap);
	va_end(ap);
	if (!lane->failing_ms)
		lane->failing_ms = now_ms;
	int64_t pause_ms = rv_post_pause_ms(lane->attempts, retry_after_ms, now_ms - lane->failing_ms,
					    p->params.retry_for_ms);

	if (pause_ms < 0) {
		struct rv_error why = RV_ERROR_INIT;

		rv_post_gave_up(p->url, p->post.trouble, lane->attempts, &why);
		die(p, &why);
		return;
	}
	p->post.retries++;
	lane->state = PAUSING;
	wake_at(p, lane, now_ms + pause_ms);
}

static void send_more(struct plain *p, struct lane *lane);

static void begin(struct plain *p, struct lane *lane)
{
	lane->state = BUSY;
	lane->sent = 0;
	lane->attempts++;
	lane->sent_us = now_us();
	wake_at(p, lane, lane->sent_us / 1000 + p->params.answer_timeout_ms);
	rv_http_answer_init(&lane->answer);
	send_more(p, lane);
}

static void cut_off(struct plain *p, struct lane *lane, const char *how)
{
	/* A kept connection that the server had closed just then: a new one, at once. */
	bool stale = lane->used && rv_http_answer_fresh(&lane->answer) && !lane->failing_ms;

	lane->maybe_twice |= lane->sent > 0;
	if (!stale) {
		failed(p, lane, -1, "%s", how);
		return;
	}
	p->post.retries++;
	drop_connection(lane);
	lane->failing_ms = rv_clock_monotonic_ms();
	lane->state = PAUSING;
	wake_at(p, lane, 0);
}

static void send_more(struct plain *p, struct lane *lane)
{
	const struct item *item = &lane->items[lane->first];

	while (lane->sent < item->len) {
		ssize_t n = send(lane->fd, lane->bytes.bytes + lane->head + lane->sent,
				 item->len - lane->sent, MSG_NOSIGNAL);

		if (n >= 0) {
			lane->sent += (size_t)n;
		} else if (errno == EAGAIN) {
			return; /* the next edge says when */
		} else if (errno != EINTR) {
			/* What it answered before it closed may still be there to read. */
			if (errno == EPIPE || errno == ECONNRESET)
				return;
			cut_off(p, lane, strerror(errno));
			return;
		}
	}
}

static void open_connection(struct plain *p, struct lane *lane)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				     .data.ptr = lane };
	int one = 1;

	if (!lane->address)
		lane->address = p->addresses;
	const struct addrinfo *a = lane->address;

	lane->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (lane->fd < 0) {
		lane->attempts++;
		failed(p, lane, -1, "no socket: %s", strerror(errno));
		return;
	}
	setsockopt(lane->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	lane->state = CONNECTING;
	wake_at(p, lane, rv_clock_monotonic_ms() + CONNECT_TIMEOUT_MS);
	p->post.connects++;
	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, lane->fd, &event) < 0 ||
	    (connect(lane->fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS)) {
		lane->attempts++;
		lane->address = a->ai_next;
		failed(p, lane, -1, "cannot connect: %s", strerror(errno));
	}
}

/* Something to send, if there is. */
static void go_on(struct plain *p, struct lane *lane)
{
	if (!lane->count)
		return;
	if (lane->state == IDLE)
		begin(p, lane);
	else if (lane->state == CLOSED)
		open_connection(p, lane);
}

static void settle(struct plain *p, struct lane *lane, enum rv_post_fate fate, int status)
{
	struct item *item = &lane->items[lane->first];
	const struct rv_post_result result = {
		.tag = item->tag,
		.fate = fate,
		.status = status,
		.attempts = lane->attempts,
		.maybe_twice = lane->maybe_twice,
		.answer_us = now_us() - lane->sent_us,
	};

	lane->head += item->len;
	p->bytes -= item->len;
	lane->first = (lane->first + 1) % lane->capacity;
	lane->count--;
	if (!lane->count) {
		rv_strbuf_clear(&lane->bytes);
		lane->head = 0;
	} else if (lane->head > COMPACT_BYTES && lane->head > lane->bytes.len / 2) {
		memmove(lane->bytes.bytes, lane->bytes.bytes + lane->head, lane->bytes.len - lane->head);
		rv_strbuf_truncate(&lane->bytes, lane->bytes.len - lane->head);
		lane->head = 0;
	}
	lane->attempts = 0;
	lane->maybe_twice = false;
	lane->failing_ms = 0;
	p->post.waiting--;
	p->post.trouble[0] = '\0';
	p->settled = true;
	p->params.settled(p->params.arg, &result);
}

/* ---- answers ---- */

/* `whole`: nothing came behind it. */
static void answered(struct plain *p, struct lane *lane, bool whole)
{
	struct rv_error why = RV_ERROR_INIT;
	const struct rv_http_answer *a = &lane->answer;
	enum rv_post_verdict verdict = rv_post_judge(p->url, a->status, &why);
	bool all_sent = lane->sent == lane->items[lane->first].len;
	/* An answer in the middle of the request leaves the connection in the middle of it. */
	bool keep = a->keep && whole && all_sent;
	int status = a->status;

	if (verdict == RV_POST_HOPELESS) {
		die(p, &why);
		drop_connection(lane);
		return;
	}
	if (verdict == RV_POST_AGAIN) {
		int64_t retry_after_ms = rv_http_answer_retry_after_ms(a, rv_clock_ms());

		failed(p, lane, retry_after_ms, "it answers %d", status);
		return;
	}
	/* Nobody can have taken what was not sent. */
	if (verdict == RV_POST_OK && !all_sent) {
		lane->maybe_twice = true;
		failed(p, lane, -1, "it answers %d before it has the event", status);
		return;
	}
	lane->used = true;
	lane->state = IDLE;
	if (!keep)
		drop_connection(lane);
	settle(p, lane, verdict == RV_POST_OK ? RV_POST_TAKEN : RV_POST_REFUSED, status);
	go_on(p, lane);
}

static void read_answer(struct plain *p, struct lane *lane, bool hung_up)
{
	int fd = lane->fd;

	while (lane->state == BUSY && lane->fd == fd) {
		ssize_t n = recv(fd, p->buf, sizeof(p->buf), 0);
		size_t used;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			cut_off(p, lane, strerror(errno));
			return;
		}
		switch (rv_http_answer_feed(&lane->answer, p->buf, (size_t)n, &used)) {
		case RV_HTTP_ANSWER_DONE:
			answered(p, lane, used == (size_t)n);
			/* what was sent just now is answered at the next edge */
			if (!hung_up)
				return;
			break;
		case RV_HTTP_ANSWER_BROKEN:
			if (n == 0)
				cut_off(p, lane, "it closed the connection without an answer");
			else {
				lane->maybe_twice = true;
				failed(p, lane, -1, "not an answer: %s", lane->answer.fault);
			}
			return;
		case RV_HTTP_ANSWER_MORE:
			/* A short count is no promise that nothing is left, and no other edge would tell. */
			break;
		}
	}
}

static void connected(struct plain *p, struct lane *lane)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(lane->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error) {
		lane->attempts++;
		lane->address = lane->address->ai_next;
		failed(p, lane, -1, "cannot connect: %s", strerror(error));
		return;
	}
	lane->state = IDLE;
	go_on(p, lane);
}

static void handle(struct plain *p, const struct epoll_event *event)
{
	struct lane *lane = event->data.ptr;
	uint32_t what = event->events;
	bool hung_up = what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
	int fd = lane->fd;

	if (fd < 0)
		return;
	switch (lane->state) {
	case CONNECTING:
		/* What it says, or that it hung up, may have come with the connection: it is told once. */
		if (what & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			connected(p, lane);
		break;
	case BUSY:
		if ((what & EPOLLOUT) && lane->sent < lane->items[lane->first].len && !hung_up)
			send_more(p, lane);
		break;
	case IDLE:
		if (hung_up || (what & EPOLLIN)) /* closed, or it speaks without being asked */
			drop_connection(lane);
		return;
	default:
		return;
	}
	if (lane->state == BUSY && lane->fd == fd && (hung_up || (what & EPOLLIN)))
		read_answer(p, lane, hung_up);
	/* An answer, and then it hung up: nothing can be asked there any more. */
	if (hung_up && lane->state == IDLE && lane->fd == fd)
		drop_connection(lane);
}

/* Pauses that are over, and answers that do not come. */
static void look_at_clocks(struct plain *p, int64_t now_ms)
{
	p->scan_ms = now_ms + SCAN_MS;
	for (unsigned i = 0; i < p->params.lanes && p->dead.status == RV_OK; i++) {
		struct lane *lane = &p->lanes[i];

		if (lane->state == CLOSED || lane->state == IDLE)
			continue;
		if (lane->wake_ms > now_ms) {
			if (lane->wake_ms < p->scan_ms)
				p->scan_ms = lane->wake_ms;
		} else if (lane->state == PAUSING) {
			lane->state = CLOSED;
			go_on(p, lane);
		} else if (lane->state == CONNECTING) {
			lane->attempts++;
			lane->address = lane->address->ai_next;
			failed(p, lane, -1, "no connection within %d s", CONNECT_TIMEOUT_MS / 1000);
		} else {
			lane->maybe_twice = true;
			failed(p, lane, -1, "no answer within %lld s",
			       (long long)p->params.answer_timeout_ms / 1000);
		}
	}
}

/* ---- operations ---- */

static bool plain_add(struct rv_post *post, unsigned n, uint64_t tag, const char *body, size_t len)
{
	struct plain *p = (struct plain *)post;
	struct lane *lane = &p->lanes[n % p->params.lanes];
	char number[32];
	size_t start = lane->bytes.len;

	if (p->bytes + len > p->params.max_bytes && post->waiting)
		return false;
	if (lane->count == lane->capacity) {
		size_t capacity = lane->capacity ? lane->capacity * 2 : 8;
		struct item *items = rv_calloc(capacity, sizeof(*items));

		for (size_t i = 0; i < lane->count; i++)
			items[i] = lane->items[(lane->first + i) % lane->capacity];
		free(lane->items);
		lane->items = items;
		lane->first = 0;
		lane->capacity = capacity;
	}
	int digits = snprintf(number, sizeof(number), "%zu\r\n\r\n", len);

	rv_strbuf_reserve(&lane->bytes, p->prefix.len + (size_t)digits + len);
	rv_strbuf_add(&lane->bytes, p->prefix.bytes, p->prefix.len);
	rv_strbuf_add(&lane->bytes, number, (size_t)digits);
	rv_strbuf_add(&lane->bytes, body, len);
	lane->items[(lane->first + lane->count++) % lane->capacity] =
		(struct item){ tag, lane->bytes.len - start };
	p->bytes += lane->bytes.len - start;
	post->waiting++;
	if (p->dead.status == RV_OK && (lane->state == IDLE || lane->state == CLOSED))
		go_on(p, lane);
	return true;
}

/* Milliseconds would be too coarse for the pace of a thousand events a second. */
static int wait_for_events(struct plain *p, struct epoll_event *events, int64_t us)
{
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
	int n = epoll_pwait2(p->epoll, events, EVENTS, &t, NULL);

	if (n < 0 && errno == ENOSYS) /* before Linux 5.11 */
		n = epoll_wait(p->epoll, events, EVENTS, (int)((us + 999) / 1000));
	return n;
}

static int64_t wait_us(const struct plain *p, int64_t end_us, int64_t us)
{
	int64_t left_us = p->scan_ms * 1000 - us;

	if (end_us >= 0 && end_us - us < left_us)
		left_us = end_us - us;
	return p->settled || left_us < 0 ? 0 : left_us;
}

static enum rv_status plain_step(struct rv_post *post, int64_t timeout_us, struct rv_error *err)
{
	struct plain *p = (struct plain *)post;
	struct epoll_event events[EVENTS];
	int64_t us = now_us(), end_us = timeout_us < 0 ? -1 : us + timeout_us;

	p->settled = false;
	for (;;) {
		if (us / 1000 >= p->scan_ms)
			look_at_clocks(p, us / 1000);
		if (p->dead.status != RV_OK) {
			*err = p->dead;
			return err->status;
		}
		int n = wait_for_events(p, events, wait_us(p, end_us, us));

		if (n < 0 && errno == EINTR)
			return RV_OK;
		if (n < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "wait for answers");
		for (int i = 0; i < n && p->dead.status == RV_OK; i++)
			handle(p, &events[i]);
		us = now_us();
		if (p->dead.status != RV_OK)
			continue;
		if (p->settled || (end_us >= 0 && us >= end_us))
			return RV_OK;
	}
}

static void plain_free(struct rv_post *post)
{
	struct plain *p = (struct plain *)post;

	for (unsigned i = 0; p->lanes && i < p->params.lanes; i++) {
		drop_connection(&p->lanes[i]);
		rv_strbuf_release(&p->lanes[i].bytes);
		free(p->lanes[i].items);
	}
	free(p->lanes);
	if (p->epoll >= 0)
		close(p->epoll);
	if (p->addresses)
		freeaddrinfo(p->addresses);
	rv_strbuf_release(&p->prefix);
	free(p->url);
	free(p);
}

static const struct rv_post_ops plain_ops = {
	.name = "plain",
	.add = plain_add,
	.step = plain_step,
	.free = plain_free,
};

static void make_prefix(struct plain *p, const struct rv_post_url *url)
{
	bool named = false;

	rv_strbuf_printf(&p->prefix, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n", url->target,
			 url->authority, p->params.content_type);
	for (size_t i = 0; i < p->params.headers_count; i++) {
		named |= strncasecmp(p->params.headers[i], "User-Agent:", 11) == 0;
		rv_strbuf_printf(&p->prefix, "%s\r\n", p->params.headers[i]);
	}
	if (!named)
		rv_strbuf_puts(&p->prefix, "User-Agent: river\r\n");
	rv_strbuf_puts(&p->prefix, "Content-Length: ");
}

enum rv_status rv_post_plain_new(const struct rv_post_params *params, const struct rv_post_url *url,
				 struct rv_post **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_post_free_p) struct rv_post *post = rv_calloc(1, sizeof(struct plain));
	struct plain *p = (struct plain *)post;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };

	p->post.ops = &plain_ops;
	p->params = *params;
	p->params.answer_timeout_ms = params->answer_timeout_ms ? params->answer_timeout_ms : 60000;
	p->url = rv_post_url_shown(params->url);
	p->prefix = (struct rv_strbuf)RV_STRBUF_INIT;
	p->epoll = -1;
	p->dead = (struct rv_error)RV_ERROR_INIT;
	make_prefix(p, url);
	p->lanes = rv_calloc(params->lanes, sizeof(*p->lanes));
	for (unsigned i = 0; i < params->lanes; i++) {
		p->lanes[i].fd = -1;
		p->lanes[i].bytes = (struct rv_strbuf)RV_STRBUF_INIT;
	}
	int r = getaddrinfo(url->host, url->port, &hints, &p->addresses);

	/* a machine with nothing but loopback has no address that AI_ADDRCONFIG would count */
	if (r == EAI_NONAME || r == EAI_ADDRFAMILY) {
		hints.ai_flags = 0;
		r = getaddrinfo(url->host, url->port, &hints, &p->addresses);
	}
	if (r != 0) {
		rv_fail(err, RV_NOT_FOUND, "%s: there is no host %s: %s", p->url, url->host,
			r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		err->transient = r == EAI_AGAIN;
		return err->status;
	}
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "epoll");
	p->scan_ms = rv_clock_monotonic_ms() + SCAN_MS;
	*ret = rv_take(post);
	return RV_OK;
}
