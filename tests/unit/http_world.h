/*
 * A small HTTP server for the tests of lib/http: loopback, a port of the kernel's choice, a thread
 * for each connection, which runs a script of the test.
 *
 * A script reads requests with peer_read and writes what it likes with peer_say. It runs in another
 * thread, so it counts and keeps, and the test itself asserts after server_stop.
 */
#ifndef RV_TESTS_UNIT_HTTP_WORLD_H
#define RV_TESTS_UNIT_HTTP_WORLD_H

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "http/http.h"

struct server;
struct peer {
	struct server *server;
	int fd;
	unsigned number;       /* of the connection, from 1 */
	unsigned requests;     /* read on it so far */
	struct rv_strbuf in;   /* what was read and not yet used */
	struct rv_strbuf head; /* of the last request */
	struct rv_strbuf body;
	pthread_t thread;
	struct peer *next;
};
typedef void peer_script(struct peer *peer);

struct server {
	int fd;
	int port;
	char url[64]; /* "http://127.0.0.1:port" */
	peer_script *script;
	void *arg;
	atomic_uint connections;
	atomic_uint heads, requests; /* requests begun, and whole ones */
	atomic_bool stopping;
	pthread_t thread;
	pthread_mutex_t mutex;
	struct peer *peers;
	struct rv_strbuf last_head, last_body; /* of the last whole request; read after a stop */
};

/* false: the client has gone. */
RV_UNUSED static bool peer_fill(struct peer *peer)
{
	char buf[65536];
	ssize_t n = recv(peer->fd, buf, sizeof(buf), 0);

	if (n <= 0)
		return false;
	rv_strbuf_add(&peer->in, buf, (size_t)n);
	return true;
}

static void peer_drop(struct peer *peer, size_t len)
{
	memmove(peer->in.bytes, peer->in.bytes + len, peer->in.len - len);
	rv_strbuf_truncate(&peer->in, peer->in.len - len);
}

/* The head alone. */
RV_UNUSED static bool peer_read_head(struct peer *peer)
{
	char *end;

	while (!(end = memmem(peer->in.bytes, peer->in.len, "\r\n\r\n", 4)))
		if (!peer_fill(peer))
			return false;
	size_t len = (size_t)(end - peer->in.bytes) + 4;
	rv_strbuf_clear(&peer->head);
	rv_strbuf_add(&peer->head, peer->in.bytes, len);
	peer_drop(peer, len);
	atomic_fetch_add(&peer->server->heads, 1);
	return true;
}

/* One whole request. */
RV_UNUSED static bool peer_read(struct peer *peer)
{
	if (!peer_read_head(peer))
		return false;
	const char *field = strcasestr(peer->head.bytes, "\r\nContent-Length:");
	size_t len = field ? strtoul(field + 17, NULL, 10) : 0;
	while (peer->in.len < len)
		if (!peer_fill(peer))
			return false;
	rv_strbuf_clear(&peer->body);
	rv_strbuf_add(&peer->body, peer->in.bytes, len);
	peer_drop(peer, len);
	peer->requests++;
	struct server *server = peer->server;
	pthread_mutex_lock(&server->mutex);
	rv_strbuf_clear(&server->last_head);
	rv_strbuf_add(&server->last_head, peer->head.bytes, peer->head.len);
	rv_strbuf_clear(&server->last_body);
	rv_strbuf_add(&server->last_body, peer->body.bytes, peer->body.len);
	pthread_mutex_unlock(&server->mutex);
	atomic_fetch_add(&server->requests, 1);
	return true;
}

RV_UNUSED static bool peer_send(struct peer *peer, const void *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(peer->fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p = (const char *)p + n;
		len -= (size_t)n;
	}
	return true;
}

RV_UNUSED static bool peer_say(struct peer *peer, const char *text)
{
	return peer_send(peer, text, strlen(text));
}

RV_UNUSED static bool peer_answer(struct peer *peer, int status, const char *fields, const char *body)
{
	RV_CLEANUP(rv_free_p) char *text =
		rv_asprintf("HTTP/1.1 %d Text\r\n%sContent-Length: %zu\r\n\r\n%s", status, fields,
			    strlen(body), body);

	return peer_say(peer, text);
}

/* Until the client has gone, without reading: a stall. */
RV_UNUSED static void peer_sleep(struct peer *peer)
{
	while (!atomic_load(&peer->server->stopping))
		usleep(5000);
}

/* Closes with a reset instead of an end. */
RV_UNUSED static void peer_reset(struct peer *peer)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void *peer_main(void *arg)
{
	struct peer *peer = arg;

	peer->server->script(peer);
	pthread_mutex_lock(&peer->server->mutex);
	close(peer->fd);
	peer->fd = -1;
	pthread_mutex_unlock(&peer->server->mutex);
	return NULL;
}

static void *server_main(void *arg)
{
	struct server *server = arg;

	for (;;) {
		int fd = accept(server->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		struct peer *peer = rv_calloc(1, sizeof(*peer));
		*peer = (struct peer){ .server = server, .fd = fd, .in = RV_STRBUF_INIT,
				       .head = RV_STRBUF_INIT, .body = RV_STRBUF_INIT };
		peer->number = atomic_fetch_add(&server->connections, 1) + 1;
		pthread_mutex_lock(&server->mutex);
		peer->next = server->peers;
		server->peers = peer;
		pthread_create(&peer->thread, NULL, peer_main, peer);
		pthread_mutex_unlock(&server->mutex);
	}
}

/* A socket with a port of the kernel's choice; nobody listens yet. */
static int open_port(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/* A port where nobody listens. It is held until the test closes `fd`: one that was let go of may be
 * another program's by the time it is asked. */
struct nobody {
	int fd, port;
	char url[64];
};

RV_UNUSED static void nobody_start(struct nobody *nobody)
{
	nobody->fd = open_port(&nobody->port);
	snprintf(nobody->url, sizeof(nobody->url), "http://127.0.0.1:%d", nobody->port);
}

RV_UNUSED static void server_start(struct server *server, peer_script *script, void *arg)
{
	*server = (struct server){ .script = script, .arg = arg, .last_head = RV_STRBUF_INIT,
				   .last_body = RV_STRBUF_INIT };
	pthread_mutex_init(&server->mutex, NULL);
	server->fd = open_port(&server->port);
	assert_int_equal(listen(server->fd, 16), 0);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", server->port);
	assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
}

/* Closes everything and waits for the scripts; counts and last_* hold afterwards. */
RV_UNUSED static void server_stop(struct server *server)
{
	atomic_store(&server->stopping, true);
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
	pthread_mutex_lock(&server->mutex);
	for (struct peer *peer = server->peers; peer; peer = peer->next)
		if (peer->fd >= 0)
			shutdown(peer->fd, SHUT_RDWR);
	pthread_mutex_unlock(&server->mutex);
	while (server->peers) {
		struct peer *peer = server->peers;

		server->peers = peer->next;
		pthread_join(peer->thread, NULL);
		rv_strbuf_release(&peer->in);
		rv_strbuf_release(&peer->head);
		rv_strbuf_release(&peer->body);
		free(peer);
	}
	pthread_mutex_destroy(&server->mutex);
}

RV_UNUSED static void server_release(struct server *server)
{
	rv_strbuf_release(&server->last_head);
	rv_strbuf_release(&server->last_body);
}

/* Answers all requests with 200 "ok". */
RV_UNUSED static void script_ok(struct peer *peer)
{
	while (peer_read(peer))
		if (!peer_answer(peer, 200, "", "ok"))
			return;
}

/* No test meets the proxies or the signals of whoever runs it. */
RV_UNUSED static int http_world_setup(void **state)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
					     "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE",
					     "SSL_CERT_DIR" };
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unsetenv(names[i]);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

#endif
