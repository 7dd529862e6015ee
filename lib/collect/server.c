/* The loop: connections come and go, rounds are filled and made durable, clocks run out. */
#include "collect/server_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/url.h"

#define EVENTS_MAX 256
#define ACCEPT_MAX 64
#define BACKLOG 4096
#define TICK_MS 1000
/* Looks for more requests before a round is written. */
#define LOOKS_MAX 4
/* Open ones that are no connections: the spool's, the lake's. */
#define OTHER_FILES 128
/* Without descriptors nobody is taken for so long. */
#define PAUSE_MS 100
/* Nobody gives way to others within so long. */
#define YOUNG_MS 500

/* ---- listening ---- */

static enum rv_status listen_on(const char *address, const struct addrinfo *info, int *ret,
				struct rv_error *err)
{
	const int on = 1, off = 0;
	RV_CLEANUP(rv_close_p)
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "make a socket for %s", address);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		bool taken = errno == EADDRINUSE;
		rv_fail_errno(err, taken ? RV_CONFLICT : RV_LOCAL_IO, "listen on %s", address);
		if (taken)
			rv_hint(err, "another program listens there; --listen names another address, or with "
				"port 0 any that is free");
		return err->status;
	}
	*ret = fd;
	fd = -1;
	return RV_OK;
}

enum rv_status rv_collect_listen(const char *address, int *ret, struct rv_error *err)
{
	bool any;
	struct addrinfo *info = rv_url_listen(address, &any);
	if (!info) {
		rv_fail(err, RV_USAGE, "'%s' is no address to listen on", address);
		rv_hint(err, RV_URL_LISTEN_HINT);
		return err->status;
	}
	enum rv_status status = listen_on(address, info, ret, err);
	freeaddrinfo(info);
	if (status == RV_OK || !any)
		return status;
	/* A machine without IPv6. */
	const struct addrinfo v4 = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM,
				     .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST };
	if (getaddrinfo("0.0.0.0", strrchr(address, ':') + 1, &v4, &info))
		return status;
	status = listen_on(address, info, ret, err);
	freeaddrinfo(info);
	return status;
}

static bool address_text(const struct sockaddr_storage *address, char ret[INET6_ADDRSTRLEN],
			 unsigned *ret_port)
{
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;
		*ret_port = ntohs(in->sin_port);
		return inet_ntop(AF_INET, &in->sin_addr, ret, INET6_ADDRSTRLEN);
	}
	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)address;
		*ret_port = ntohs(in->sin6_port);
		/* An IPv4 client of a socket for both. */
		if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr))
			return inet_ntop(AF_INET, in->sin6_addr.s6_addr + 12, ret, INET6_ADDRSTRLEN);
		return inet_ntop(AF_INET6, &in->sin6_addr, ret, INET6_ADDRSTRLEN);
	}
	return false;
}

char *rv_collect_address(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);
	char text[INET6_ADDRSTRLEN];
	unsigned port = 0;
	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 || !address_text(&address, text, &port))
		return rv_strdup("localhost");
	return strchr(text, ':') ? rv_asprintf("[%s]:%u", text, port) : rv_asprintf("%s:%u", text, port);
}

/* ---- connections ---- */

static void watch_listeners(struct rv_collect_server *server, bool on)
{
	if (server->listening == on)
		return;
	server->listening = on;
	for (size_t i = 0; i < server->params.listeners_count; i++) {
		struct epoll_event event = { .events = on ? EPOLLIN : 0,
					     .data.u64 = (uint64_t)i << 1 | 1 };
		epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listeners[i], &event);
	}
}

void rv_server_watch(struct rv_collect_server *server, struct connection *c)
{
	bool reads = c->lingers || (!c->eof && rv_connection_may_take(c));
	uint32_t events = (reads ? EPOLLIN : 0u) | (c->out.len ? EPOLLOUT : 0u);
	if (events == c->events)
		return;
	struct epoll_event event = { .events = events, .data.ptr = c };
	c->events = events;
	epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

void rv_server_count(struct rv_collect_server *server, struct connection *c)
{
	size_t now = c->in.capacity + c->body.capacity + c->out.capacity;
	server->buffered += now;
	server->buffered -= c->counted;
	c->counted = now;
}

/* Nobody waits for it any more. */
static void forget(struct rv_collect_server *server, struct connection *c)
{
	c->next = server->gone;
	server->gone = c;
}

static void bury(struct rv_collect_server *server)
{
	while (server->gone) {
		struct connection *c = server->gone;
		server->gone = c->next;
		free(c->answers);
		free(c);
	}
}

void rv_server_close(struct rv_collect_server *server, struct connection *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	rv_strbuf_release(&c->in);
	rv_strbuf_release(&c->body);
	rv_strbuf_release(&c->out);
	rv_server_count(server, c);
	for (size_t i = 0; i < c->answers_count; i++) {
		free(c->answers[i].text);
		free(c->answers[i].origin);
	}
	c->answers_count = 0;
	*(c->previous ? &c->previous->next : &server->first) = c->next;
	*(c->next ? &c->next->previous : &server->last) = c->previous;
	c->previous = c->next = NULL;
	server->connections_count--;
	/* A place has become free. */
	if (!server->listening && !server->stopping_ms)
		watch_listeners(server, true);
	if (!c->rounds)
		forget(server, c);
}

void rv_server_join_round(struct rv_collect_server *server, struct connection *c)
{
	struct round *round = server->filling;
	if (c->round == round->number)
		return;
	c->round = round->number;
	c->rounds++;
	RV_GROW(round->waiting, round->waiting_count, round->waiting_capacity);
	round->waiting[round->waiting_count++] = c;
}

static bool has_sent(const struct connection *c)
{
	char byte;
	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/*
 * The one that has been idle for longest gives its place up, or else who takes longest for a head. What has
 * just come is not idle: its request may lie in the kernel.
 */
static bool make_room(struct rv_collect_server *server)
{
	struct connection *idle = NULL, *slow = NULL;
	for (struct connection *c = server->first; c; c = c->next) {
		if (c->head_len || c->answers_count || c->out.len || c->lingers ||
		    server->now_ms - c->since_ms < YOUNG_MS)
			continue;
		struct connection **oldest = c->in.len ? &slow : &idle;
		if (*oldest && c->since_ms >= (*oldest)->since_ms)
			continue;
		/* Nor is one whose request nobody came to read, on a slow disk or a busy machine. */
		if (!c->in.len && has_sent(c))
			c->since_ms = server->now_ms;
		else
			*oldest = c;
	}
	if (idle || slow)
		rv_server_close(server, idle ? idle : slow);
	return idle || slow;
}

static void add_connection(struct rv_collect_server *server, int fd,
			   const struct sockaddr_storage *address)
{
	struct connection *c = rv_calloc(1, sizeof(*c));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	unsigned port;
	const int on = 1;
	*c = (struct connection){
		.fd = fd,
		.events = EPOLLIN,
		.in = RV_STRBUF_INIT,
		.body = RV_STRBUF_INIT,
		.out = RV_STRBUF_INIT,
		.since_ms = server->now_ms,
	};
	if (!address_text(address, c->peer, &port))
		snprintf(c->peer, sizeof(c->peer), "local");
	c->peer_hash = XXH3_64bits_withSeed(c->peer, strlen(c->peer), server->seen_seed);
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		close(fd);
		free(c);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->previous = server->last;
	*(server->last ? &server->last->next : &server->first) = c;
	server->last = c;
	server->connections_count++;
	server->counters.connections++;
}

static void accept_some(struct rv_collect_server *server, int listener)
{
	for (int i = 0; i < ACCEPT_MAX; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t len = sizeof(address);
		if (server->connections_count >= server->connections_max && !make_room(server)) {
			/* They wait in the kernel until one of these is done. */
			server->counters.refused_connections++;
			server->listen_again_ms = server->now_ms + PAUSE_MS;
			watch_listeners(server, false);
			return;
		}
		int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			add_connection(server, fd, &address);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			server->counters.refused_connections++;
			if (make_room(server))
				continue;
			server->listen_again_ms = server->now_ms + PAUSE_MS;
			watch_listeners(server, false);
		}
		return;
	}
}

/* ---- time ---- */

static void read_clocks(struct rv_collect_server *server)
{
	server->now_ms = rv_clock_monotonic_ms();
	server->wall_ms = rv_clock_ms();
	if (server->wall_ms / 1000 == server->date_s)
		return;
	/* RFC 9110: IMF-fixdate. */
	time_t now = (time_t)(server->wall_ms / 1000);
	struct tm tm;
	server->date_s = now;
	strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
}

static bool waits_only(const struct connection *c)
{
	return c->answers_count > 0 && !c->out.len;
}

static bool is_fast_enough(int64_t age_ms, int64_t grace_ms, uint64_t bytes, uint64_t bytes_a_second)
{
	return age_ms < grace_ms || bytes / bytes_a_second >= (uint64_t)(age_ms - grace_ms) / 1000;
}

/* False: its time is over. */
static bool is_in_time(const struct rv_collect_server *server, const struct connection *c)
{
	int64_t age_ms = server->now_ms - c->since_ms;
	if (c->lingers)
		return age_ms < LINGER_MS;
	if (c->out.len)
		return is_fast_enough(server->now_ms - c->out_since_ms, WRITE_GRACE_MS, c->out_taken,
				      WRITE_BYTES_A_SECOND);
	if (waits_only(c))
		return true;
	if (c->head_len)
		return is_fast_enough(age_ms, BODY_GRACE_MS, c->body_seen, BODY_BYTES_A_SECOND);
	if (c->in.len)
		return age_ms < HEAD_MS;
	return age_ms < IDLE_MS && !server->stopping_ms;
}

static void sweep(struct rv_collect_server *server)
{
	if (server->now_ms - server->swept_ms < (server->stopping_ms ? 50 : TICK_MS))
		return;
	server->swept_ms = server->now_ms;
	for (struct connection *c = server->first, *next; c; c = next) {
		next = c->next;
		if (is_in_time(server, c))
			continue;
		/* Whoever is in the middle of a request is told. */
		if ((c->in.len || c->head_len) && !c->out.len && !c->lingers) {
			rv_connection_error(c, NULL, 408, "the request came too slowly");
			rv_strbuf_release(&c->in);
			rv_connection_flush(server, c);
		} else {
			rv_server_close(server, c);
		}
	}
}

/* ---- rounds ---- */

/* Answers that waited for the round can go; with `failed` they say so. */
static void settle_answers(struct connection *c, uint64_t number, const char *failed)
{
	for (size_t i = 0; i < c->answers_count; i++) {
		struct answer *a = &c->answers[i];
		if (a->round != number)
			continue;
		a->round = 0;
		if (!failed)
			continue;
		free(a->text);
		a->kind = ANSWER_TEXT;
		a->status = 503;
		a->type = "text/plain";
		a->text = rv_asprintf("%s\n", failed);
		a->len = strlen(a->text);
		a->retry_after_s = 5;
	}
}

static void settle_round(struct rv_collect_server *server, struct round *round, const char *failed)
{
	for (size_t i = 0; i < round->waiting_count; i++) {
		struct connection *c = round->waiting[i];
		c->rounds--;
		if (c->fd < 0) {
			if (!c->rounds)
				forget(server, c);
			continue;
		}
		settle_answers(c, round->number, failed);
		rv_connection_flush(server, c);
	}
	round->waiting_count = 0;
}

static void remember(struct rv_collect_server *server, const struct rv_seen *ids)
{
	for (size_t i = 0; i < ids->size && ids->count; i++)
		if (ids->slots[i].low)
			rv_seen_window_add(&server->seen, ids->slots[i]);
}

/* A round for what comes from now on, beside the one that is being written. */
static void turn(struct rv_collect_server *server)
{
	struct round *next = server->filling == &server->rounds[0] ? &server->rounds[1]
								   : &server->rounds[0];
	next->number = server->filling->number + 1;
	rv_collect_round_init(&next->stored);
	server->filling = next;
}

static void take_done(struct rv_collect_server *server)
{
	struct round *round = rv_turns_written(server);
	if (!round)
		return;
	const struct rv_error outcome = round->stored.outcome;
	server->committing = NULL;
	if (outcome.status == RV_OK) {
		server->last_round_failed = false;
		remember(server, &round->stored.ids);
		settle_round(server, round, NULL);
		return;
	}
	if (!server->last_round_failed)
		server->params.warn(server->params.arg, outcome.message);
	server->last_round_failed = true;
	settle_round(server, round, "what was sent could not be stored");
	/* What came meanwhile may lean on it: an event that was there already, and now is not. */
	struct round *with_it = server->filling;
	turn(server);
	settle_round(server, with_it, "what was sent could not be stored");
}

/* False: the turn is lost. */
static bool commit(struct rv_collect_server *server)
{
	struct round *round = server->filling;
	if (server->committing || !round->waiting_count)
		return true;
	turn(server);
	if (!rv_collect_round_bytes(&round->stored)) {
		settle_round(server, round, NULL);
		return true;
	}
	server->committing = round;
	if (!rv_turns_write(server, round))
		return false;
	read_clocks(server);
	take_done(server);
	return true;
}

/* ---- the loop ---- */

/* Some more than connections are needed, or nothing of what they send can be stored. */
static void limit_connections(struct rv_collect_server *server)
{
	struct rlimit limit;
	server->connections_max = server->settings.max_connections;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	rlim_t wanted = server->connections_max + OTHER_FILES;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
			return;
	}
	rlim_t others = limit.rlim_cur / 2 < OTHER_FILES ? limit.rlim_cur / 2 : OTHER_FILES;
	if (limit.rlim_cur - others < server->connections_max)
		server->connections_max = limit.rlim_cur - others;
}

static void reload(struct rv_collect_server *server)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_collect_settings settings = { .max_body_bytes = 0 };
	if (server->params.reload(server->params.arg, &settings, &err) != RV_OK) {
		RV_CLEANUP(rv_free_p) char *text = NULL;
		if (err.file[0] && err.line)
			text = rv_asprintf("the settings stay as they were: %s:%" PRIu64 ": %s", err.file,
					   err.line, err.message);
		else
			text = rv_asprintf("the settings stay as they were: %s", err.message);
		rv_collect_settings_release(&settings);
		server->params.warn(server->params.arg, text);
		return;
	}
	rv_collect_settings_release(&server->settings);
	server->settings = settings;
	server->seen.least = settings.remember;
	rv_collect_store_remember(server->store, settings.remember);
	limit_connections(server);
	server->params.note(server->params.arg, "the settings were read again");
}

static void begin_stop(struct rv_collect_server *server)
{
	if (server->stopping_ms || !server->params.should_stop())
		return;
	server->stopping_ms = server->now_ms;
	/* Sockets that systemd holds go on taking connections for whoever is started next. */
	watch_listeners(server, false);
	for (size_t i = 0; i < server->params.listeners_count; i++) {
		epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, server->listeners[i], NULL);
		close(server->listeners[i]);
		server->listeners[i] = -1;
	}
}

static bool is_over(const struct rv_collect_server *server)
{
	if (!server->stopping_ms)
		return false;
	return !server->committing && !server->filling->waiting_count &&
	       (!server->connections_count || server->now_ms - server->stopping_ms > DRAIN_MS);
}

/* A round that another thread wrote is done, or something was asked for. */
static void woken(struct rv_collect_server *server)
{
	uint64_t count;
	(void)!read(server->turns.done_fd, &count, sizeof(count));
	take_done(server);
}

static void handle_event(struct rv_collect_server *server, const struct epoll_event *event)
{
	if (event->data.u64 & 1) {
		uint64_t index = event->data.u64 >> 1;
		if (index == server->params.listeners_count)
			woken(server);
		else if (server->listening)
			accept_some(server, server->listeners[index]);
		return;
	}
	struct connection *c = event->data.ptr;
	if (c->fd < 0)
		return;
	if (event->events & EPOLLOUT)
		rv_connection_flush(server, c);
	if (c->fd >= 0 && event->events & (EPOLLERR | EPOLLHUP) && !(event->events & EPOLLIN))
		rv_server_close(server, c);
	else if (c->fd >= 0 && event->events & EPOLLIN)
		rv_connection_readable(server, c);
}

/* All that is there: what comes while the round is written has to wait for the next one. */
static enum rv_status take_events(struct rv_collect_server *server, struct rv_error *err)
{
	struct epoll_event events[EVENTS_MAX];
	int wait_ms = server->stopping_ms ? 50 : server->listening ? TICK_MS : PAUSE_MS;
	for (int looks = 0; looks < LOOKS_MAX; looks++) {
		int n = epoll_wait(server->epoll_fd, events, EVENTS_MAX, wait_ms);
		if (n < 0 && errno != EINTR)
			return rv_fail_errno(err, RV_LOCAL_IO, "wait for requests");
		if (n <= 0)
			break;
		if (wait_ms)
			read_clocks(server);
		for (int i = 0; i < n; i++)
			handle_event(server, &events[i]);
		if (server->committing || !server->filling->waiting_count)
			break;
		wait_ms = 0;
	}
	return RV_OK;
}

enum rv_status rv_server_drive(struct rv_collect_server *server, bool *ret_over, struct rv_error *err)
{
	*ret_over = false;
	while (read_clocks(server), !is_over(server)) {
		if (take_events(server, err) != RV_OK)
			return err->status;
		if (!commit(server))
			return RV_OK;
		if (!server->committing)
			rv_collect_store_tick(server->store);
		sweep(server);
		bury(server);
		if (!server->listening && !server->stopping_ms && server->now_ms >= server->listen_again_ms)
			watch_listeners(server, true);
		if (server->params.should_reload())
			reload(server);
		begin_stop(server);
	}
	*ret_over = true;
	return RV_OK;
}

void rv_server_close_all(struct rv_collect_server *server)
{
	while (server->first)
		rv_server_close(server, server->first);
}

/* ---- outside ---- */

static void know(void *arg, struct rv_seen_id id)
{
	struct rv_collect_server *server = arg;
	rv_seen_window_add(&server->seen, id);
}

static struct rv_seen_id see_record(void *arg, uint64_t seed, struct rv_str line)
{
	struct rv_collect_server *server = arg;
	const struct rv_seen_id none = { .low = 0 };
	struct rv_str body;
	if (!server->seen.least || !rv_event_stored_body(line.p, line.len, &body))
		return none;
	struct rv_seen_id id = rv_seen_id_of(seed, body);
	if (rv_seen_window_has(&server->seen, id))
		return none;
	rv_seen_window_add(&server->seen, id);
	return id;
}

static enum rv_status watch_fixed(struct rv_collect_server *server, struct rv_error *err)
{
	size_t count = server->params.listeners_count;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "prepare to wait for requests");
	for (size_t i = 0; i <= count; i++) {
		int fd = i < count ? server->listeners[i] : server->turns.done_fd;
		struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)i << 1 | 1 };
		if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
		    epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "wait for connections");
	}
	server->listening = true;
	return RV_OK;
}

enum rv_status rv_collect_server_new(const struct rv_collect_server_params *params,
				     struct rv_collect_server **ret, struct rv_error *err)
{
	struct rv_collect_server *server = rv_calloc(1, sizeof(*server));
	server->params = *params;
	server->listeners = rv_calloc(params->listeners_count, sizeof(int));
	memcpy(server->listeners, params->listeners, params->listeners_count * sizeof(int));
	server->settings = *params->settings;
	*params->settings = (struct rv_collect_settings){ .max_body_bytes = 0 };
	server->path = params->stage[0] ? rv_asprintf("/%s/collect", params->stage) : rv_strdup("/collect");
	server->epoll_fd = server->turns.done_fd = server->turns.over_fd = -1;
	server->built = server->text = server->headers = server->scratch =
		(struct rv_strbuf)RV_STRBUF_INIT;
	for (size_t i = 0; i < 2; i++) {
		server->rounds[i].stored.lines = server->rounds[i].stored.rejects =
			(struct rv_strbuf)RV_STRBUF_INIT;
		rv_collect_round_init(&server->rounds[i].stored);
	}
	server->filling = &server->rounds[0];
	server->filling->number = 1;
	server->seen.least = server->settings.remember;
	read_clocks(server);
	limit_connections(server);
	enum rv_status status = rv_turns_init(&server->turns, err);
	if (status == RV_OK)
		status = watch_fixed(server, err);
	if (status == RV_OK) {
		struct rv_collect_store_params store = params->store;
		store.remember = server->settings.remember;
		store.known = know;
		store.record = see_record;
		store.arg = server;
		status = rv_collect_store_new(&store, &server->store, err);
		if (status == RV_OK)
			server->seen_seed = rv_collect_store_seed(server->store);
	}
	if (status != RV_OK) {
		rv_collect_server_free(server);
		return err->status;
	}
	*ret = server;
	return RV_OK;
}

void rv_collect_server_totals(struct rv_collect_server *server, struct rv_collect_totals *ret)
{
	rv_collect_store_totals(server->store, ret);
}

void rv_collect_server_free(struct rv_collect_server *server)
{
	if (!server)
		return;
	rv_server_close_all(server);
	rv_collect_store_free(server->store);
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < server->rounds[i].waiting_count; k++)
			if (!--server->rounds[i].waiting[k]->rounds)
				forget(server, server->rounds[i].waiting[k]);
		free(server->rounds[i].waiting);
		rv_collect_round_release(&server->rounds[i].stored);
	}
	bury(server);
	for (size_t i = 0; i < server->params.listeners_count; i++)
		if (server->listeners[i] >= 0)
			close(server->listeners[i]);
	free(server->listeners);
	rv_close_p(&server->epoll_fd);
	rv_turns_release(&server->turns);
	rv_seen_window_release(&server->seen);
	rv_seen_release(&server->mine);
	rv_collect_settings_release(&server->settings);
	rv_strbuf_release(&server->built);
	rv_strbuf_release(&server->text);
	rv_strbuf_release(&server->headers);
	rv_strbuf_release(&server->scratch);
	free(server->path);
	free(server);
}
