/*
 * What the files of this folder share: the client, its kept connections, and texts of the protocol.
 */
#ifndef RV_HTTP_INTERNAL_H
#define RV_HTTP_INTERNAL_H

#include <pthread.h>

#include "http/curl_api.h"
#include "http/http.h"

/* A handle of libcurl with the one connection that it keeps; used by one thread at a time. */
struct rv_http_conn {
	CURL *easy;
	char *origin;     /* "https://host:port": where it leads */
	curl_socket_t socket; /* the one that requests go over, once one is begun */
	curl_socket_t opened[4]; /* the last ones: while it connects, two addresses race each other */
	unsigned opened_count;
	char error_text[CURL_ERROR_SIZE];
	struct rv_http_conn *next;
};

/* A token bucket: what the threads of a client may spend on retries. */
struct rv_http_budget {
	pthread_mutex_t mutex;
	double tokens;       /* below zero: spent in advance by those who wait */
	int64_t counted_ms;  /* monotonic; up to when what dripped in is counted */
};
void rv_http_budget_init(struct rv_http_budget *budget);
/* Takes `cost` tokens; how long to wait until they are there. */
int64_t rv_http_budget_take(struct rv_http_budget *budget, double cost, int64_t now_ms);
void rv_http_budget_give(struct rv_http_budget *budget, double tokens);

struct rv_http {
	char *ca_file, *ca_variable;
	bool (*should_stop)(void);
	_Atomic int64_t stop_ms; /* monotonic: when a request first saw it; 0: none has */
	void (*trace)(void *arg, const char *line);
	void *trace_arg;
	pthread_mutex_t mutex;
	struct rv_http_conn *idle; /* last used first */
	size_t idle_count;
	struct rv_http_budget budget;
};

/* A stop was asked for at `stop_ms`: is a request that began at `started_ms` to be left? */
bool rv_http_stop_is_due(int64_t now_ms, int64_t stop_ms, int64_t started_ms);

/* One attempt as rv_http_once, and what the retry loop must know of it. */
struct rv_http_facts {
	enum rv_http_outcome outcome;
	bool sink_used;   /* a piece of the answer was handed out */
	bool sink_failed; /* err is the sink's */
	bool timed_out;
};
enum rv_status rv_http_attempt(struct rv_http *http, const struct rv_http_request *request,
			       struct rv_http_response *response, struct rv_http_facts *ret_facts,
			       struct rv_error *err) RV_MUST_CHECK;

/* Where an attempt ended that has no answer. */
struct rv_http_end {
	CURLcode code;
	const char *url;
	const char *text;         /* libcurl's own words */
	const char *ca_file;      /* Optional */
	const char *ca_variable;
	bool sent_any;            /* a connection was there and the request was begun */
	bool again;               /* libcurl would have sent it again */
	uint64_t received;        /* bytes of the answer */
	int64_t connect_timeout_ms, total_timeout_ms;
};
/* Says in words of our own why. */
enum rv_status rv_http_explain(const struct rv_curl_api *api, CURL *easy,
			       const struct rv_http_end *end, struct rv_error *err);
enum rv_status rv_http_proxy_refused(const char *url, long code, struct rv_error *err);

/* "https://host:port" of a URL, without user and password. */
void rv_http_origin(struct rv_strbuf *out, const char *url);

#endif
