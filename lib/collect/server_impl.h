/*
 * What the files of the server share: turns.c (who drives), server.c (loop, connections coming and going),
 * connection.c (bytes to requests, answers to bytes), handle.c (what a request is answered), metrics.c. Nobody
 * else includes this.
 */
#ifndef RV_COLLECT_SERVER_IMPL_H
#define RV_COLLECT_SERVER_IMPL_H

#include <netinet/in.h>
#include <pthread.h>

#include "collect/event.h"
#include "collect/server.h"
#include "http/server_request.h"

#define READ_BYTES (64u << 10)
/* Requests of one connection that wait for their answer. */
#define ANSWERS_MAX 64
/* Of all connections together: bodies that are not whole, answers that are not taken. */
#define BUFFERED_MAX_BYTES (64u << 20)
/* Of answers that a client has not taken; beyond it no more of its requests are. */
#define UNTAKEN_MAX_BYTES (64u << 10)
/* A round that is being received; beyond it clients are asked to come back. */
#define ROUND_MAX_BYTES (8u << 20)

/* What the events of one request may become: with many header fields a small event is a large record. All
 * three, and one record more, have to go into one frame. */
#define REQUEST_MAX_BYTES (32u << 20)

#define HEAD_MS 10000
#define IDLE_MS 60000
#define BODY_GRACE_MS 10000
#define BODY_BYTES_A_SECOND 1024
#define WRITE_GRACE_MS 20000
#define WRITE_BYTES_A_SECOND 1024
#define LINGER_MS 2000
#define DRAIN_MS 10000
#define RATE_BUCKETS 4096

enum answer_kind {
	ANSWER_PIXEL,
	ANSWER_TEXT,        /* `text` is the whole body */
	ANSWER_EMPTY,
	ANSWER_CONTINUE,
};
struct answer {
	enum answer_kind kind;
	int status;
	uint64_t round;            /* waits for that one; 0: can go */
	bool close, old, head_only; /* HTTP/1.0; HEAD */
	bool preflight;
	bool any_origin;           /* Access-Control-Allow-Origin: * */
	char *origin;              /* Owned, Optional: that origin, with credentials */
	const char *type;          /* of text */
	char *text;                /* Owned, Optional */
	size_t len;
	const char *allow;         /* 405 */
	unsigned retry_after_s;    /* 0: not said */
};

struct connection {
	struct connection *previous, *next;
	int fd;                    /* -1: gone, and only a round still knows it */
	uint32_t events;           /* as epoll was told */
	struct rv_strbuf in;       /* read, and not understood yet */
	struct rv_strbuf body;     /* of chunks */
	struct rv_strbuf out;      /* not taken by the client yet */
	struct answer *answers;    /* in the order of their requests */
	size_t answers_count, answers_capacity;
	struct rv_http_chunks chunks;
	size_t seen;               /* of `in`, in search of a head's end */
	size_t head_len;           /* of a request whose body is awaited; 0: none */
	bool chunked;              /* that body, or else it has */
	uint64_t body_length;      /* so many bytes */
	uint64_t skip;             /* bytes of a body nobody wants */
	size_t counted;            /* of the buffers, in server->buffered */
	int64_t since_ms;          /* when this phase began, or something last moved */
	uint64_t body_seen;        /* bytes of the body that came */
	int64_t out_since_ms;      /* since when something waits in `out` */
	uint64_t out_taken;        /* bytes that were taken of it since */
	bool held;                 /* `in` holds requests that could not be taken yet */
	uint64_t round;            /* the last one it waits for */
	unsigned rounds;           /* that know it */
	bool ends;                 /* no more requests are taken: answer, then close */
	bool eof;                  /* the client will send nothing more */
	bool lingers;              /* all is answered, the client may still be sending */
	char peer[INET6_ADDRSTRLEN];
	uint64_t peer_hash;
};

struct bucket {
	uint64_t who;
	int64_t tokens_milli, at_ms;
};

/* A round and those who wait for it. */
struct round {
	struct rv_collect_round stored;
	struct connection **waiting;
	size_t waiting_count, waiting_capacity;
	uint64_t number;           /* from 1 */
};

struct counters {
	uint64_t connections, refused_connections, requests, duplicates;
	uint64_t by_status[600];
};

/* Everything else of the server is whose turn it is. */
struct turns {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool driven;               /* by a thread that is not writing a round */
	bool sleeps;               /* the other thread wants to be told of the next round */
	bool over;
	uint64_t rounds;           /* that were begun to be written */
	struct round *written;     /* Optional: done, and not settled yet */
	struct rv_error outcome;
	int done_fd;               /* an eventfd that wakes who drives */
	int over_fd;               /* an eventfd, for whom waits for the end */
};

struct rv_collect_server {
	struct rv_collect_server_params params;
	struct rv_collect_settings settings;
	char *path;                /* "/rest/collect" */
	struct rv_collect_store *store;
	int *listeners;            /* -1: closed */
	int epoll_fd;
	struct turns turns;
	bool listening;            /* false: paused, or over */
	int64_t listen_again_ms;
	struct connection *first, *last;
	struct connection *gone;   /* epoll may still have told of them: freed at the end of a turn */
	size_t connections_count;
	uint64_t connections_max;  /* as set, or as there are descriptors for */
	uint64_t buffered;
	struct round rounds[2];
	struct round *filling, *committing; /* committing: NULL when none is */
	struct rv_seen mine;       /* events of the request at hand */
	struct rv_seen_window seen;
	uint64_t seen_seed;
	struct bucket key_buckets[RV_COLLECT_KEYS_MAX]; /* nobody without a key takes of these */
	struct bucket peer_buckets[RATE_BUCKETS];
	int64_t now_ms;            /* monotonic, once a turn */
	int64_t wall_ms;
	int64_t date_s;
	char date[40];
	int64_t swept_ms;
	int64_t stopping_ms;       /* monotonic; 0: not asked to stop */
	bool last_round_failed;
	bool said_full;           /* the spool; until something is taken again */
	struct rv_strbuf built;    /* answers on their way */
	struct rv_strbuf text, headers, scratch; /* of the request at hand */
	struct counters counters;
	char read[READ_BYTES];
};

/* ---- turns.c ---- */
enum rv_status rv_turns_init(struct turns *turns, struct rv_error *err) RV_MUST_CHECK;
void rv_turns_release(struct turns *turns);
/* Writes the round. False: that took so long that another thread drives now, and will be told; the caller
 * touches nothing more. */
bool rv_turns_write(struct rv_collect_server *server, struct round *round) RV_MUST_CHECK;
/* The round that is written, once; NULL: none is. */
struct round *rv_turns_written(struct rv_collect_server *server);

/* ---- server.c ---- */
/* Until the end, or until the turn is lost in writing a round: *ret_over false. */
enum rv_status rv_server_drive(struct rv_collect_server *server, bool *ret_over,
			       struct rv_error *err) RV_MUST_CHECK;
void rv_server_close_all(struct rv_collect_server *server);
void rv_server_watch(struct rv_collect_server *server, struct connection *c);
void rv_server_close(struct rv_collect_server *server, struct connection *c);
/* Keeps server->buffered right; called when a buffer of the connection may have changed. */
void rv_server_count(struct rv_collect_server *server, struct connection *c);
/* The connection waits for the round that is being filled. */
void rv_server_join_round(struct rv_collect_server *server, struct connection *c);

/* ---- connection.c ---- */
void rv_connection_readable(struct rv_collect_server *server, struct connection *c);
/* Sends what can be sent, and takes requests that had to wait for that; may close the connection. */
void rv_connection_flush(struct rv_collect_server *server, struct connection *c);
struct answer *rv_connection_answer(struct connection *c, const struct rv_http_head *head,
				    enum answer_kind kind, int status);
/* An error as JSON. */
struct answer *rv_connection_error(struct connection *c, const struct rv_http_head *head, int status,
				   const char *why);
/* May more of its requests be taken now? */
bool rv_connection_may_take(const struct connection *c);

/* ---- handle.c ---- */
/* A request whose body may not be there yet: true, it is wanted; false, it has been answered. */
bool rv_handle_head(struct rv_collect_server *server, struct connection *c, const struct rv_http_head *head);
void rv_handle_request(struct rv_collect_server *server, struct connection *c,
		       const struct rv_http_head *head, struct rv_str body);

/* ---- metrics.c ---- */
/* NULL: ready; else why not. */
const char *rv_server_unready(struct rv_collect_server *server);
void rv_server_metrics(struct rv_collect_server *server, struct rv_strbuf *out);

#endif
