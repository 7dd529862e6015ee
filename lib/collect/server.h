/*
 * The collector's server: HTTP/1.1 on epoll, one thread at a time, thousands of connections.
 *
 *   POST <stage>/collect    an event, an array of them, NDJSON, or a form; answered with a pixel
 *   GET <stage>/collect?…   the same as a pixel
 *   OPTIONS                 CORS preflight
 *   GET /healthz /readyz /metrics
 *
 * A 2xx is sent only when the event is durable (store.h). Every request that is open when a round of writing
 * begins goes into the next one, so that many share an fdatasync.
 */
#ifndef RV_COLLECT_SERVER_H
#define RV_COLLECT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "collect/settings.h"
#include "collect/store.h"

struct rv_collect_server_params {
	const int *listeners;       /* sockets that listen; the server's from now on */
	size_t listeners_count;
	const char *stage;          /* "" or "rest": what stands before /collect */
	struct rv_collect_settings *settings; /* taken over */
	struct rv_collect_store_params store; /* without record */
	bool (*should_stop)(void);
	bool (*should_reload)(void); /* true once for each time it is asked for */
	enum rv_status (*reload)(void *arg, struct rv_collect_settings *ret, struct rv_error *err);
	void (*note)(void *arg, const char *text);
	void (*warn)(void *arg, const char *text);
	void *arg;
};
struct rv_collect_server;
enum rv_status rv_collect_server_new(const struct rv_collect_server_params *params,
				     struct rv_collect_server **ret, struct rv_error *err) RV_MUST_CHECK;
/* Serves until it is asked to stop; then what was begun is answered (10 s at most), and what was accepted
 * goes to the lake as far as it can. */
enum rv_status rv_collect_server_run(struct rv_collect_server *server, struct rv_error *err) RV_MUST_CHECK;
void rv_collect_server_totals(struct rv_collect_server *server, struct rv_collect_totals *ret);
void rv_collect_server_free(struct rv_collect_server *server);

/* "127.0.0.1:8080", "[::1]:0", "*:80" or ":80", as a socket that listens. Caller closes it. */
enum rv_status rv_collect_listen(const char *address, int *ret, struct rv_error *err) RV_MUST_CHECK;
/* The address a socket listens on, as it would stand in a URL; caller frees. */
char *rv_collect_address(int fd);

#endif
