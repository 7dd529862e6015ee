/*
 * HTTP for everything that talks to a network: one client over libcurl, one retry loop.
 *
 * libcurl is opened at the first request (dlopen), so what needs no network does not pay for it.
 * A client is shared by all threads of the process; each request borrows a connection of its own,
 * which is kept for the next one. HTTP/1.1 only. Redirects are never followed (credentials would
 * travel with them): a 3xx is a response like any other. TLS is verified against the system's
 * certificates or `ca_file`; there is no switch to turn that off.
 *
 * libcurl sends a POST again by itself when a kept connection turns out to be dead. Here it cannot:
 * a body that was begun is never rewound, so every attempt is one that this code made and counted.
 *
 * Proxies: HTTPS_PROXY, https_proxy, http_proxy (never HTTP_PROXY: CGI), ALL_PROXY, NO_PROXY, as
 * libcurl reads them; link-local addresses (169.254.0.0/16, fd00:ec2::/32) and requests that say so
 * never use one.
 */
#ifndef RV_HTTP_HTTP_H
#define RV_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/* ---- headers ---- */
struct rv_http_header {
	char *name, *value; /* owned */
};
struct rv_http_headers {
	struct rv_http_header *items;
	size_t count, capacity;
};
/* A value with CR, LF or NUL, or a name that is no token, is RV_BUG: callers check what is not
 * theirs with rv_http_value_valid. Names compare case-insensitively. */
void rv_http_headers_add(struct rv_http_headers *headers, const char *name, const char *value);
void rv_http_headers_set(struct rv_http_headers *headers, const char *name, const char *value);
const char *rv_http_headers_get(const struct rv_http_headers *headers, const char *name);
void rv_http_headers_release(struct rv_http_headers *headers);
bool rv_http_value_valid(const char *value);

/* ---- one request ---- */
struct rv_http_body {
	const void *bytes;  /* used when fd < 0 */
	int fd;             /* -1: memory; else read with pread from `offset` */
	uint64_t offset, len;
};
#define RV_HTTP_NO_BODY { .fd = -1 }

typedef enum rv_status rv_http_sink(void *arg, const void *p, size_t len, struct rv_error *err);

struct rv_http_request {
	const char *method;      /* "GET", "HEAD", "PUT", "POST", "DELETE" */
	const char *url;         /* absolute and percent-encoded: sent exactly as it is */
	const struct rv_http_headers *headers; /* Optional; no Host, no Content-Length */
	struct rv_http_body body;
	/* Optional: pieces of a 2xx body go here as they come, instead of into the response. Its
	 * failure ends the request with its error; such a request is not sent again once a piece has
	 * been handed out. Bodies of other answers go into the response. */
	rv_http_sink *sink;
	void *sink_arg;
	size_t max_body_bytes;   /* of the response's body in memory; 0: 1 MiB. More is an error. */
	int64_t connect_timeout_ms; /* 0: 10 s */
	/* No byte either way for so long, or less than 1 KiB in ten times that; 0: 60 s */
	int64_t stall_timeout_ms;
	int64_t total_timeout_ms;   /* of one attempt; 0: none */
	bool no_proxy;              /* straight to the host, whatever the environment says */
};

struct rv_http_response {
	int status;              /* 100..599 */
	struct rv_http_headers headers;
	struct rv_strbuf body;
	int64_t date_ms;         /* of the Date header, -1: none */
};
#define RV_HTTP_RESPONSE_INIT { .body = RV_STRBUF_INIT, .date_ms = -1 }
void rv_http_response_release(struct rv_http_response *response);
void rv_http_response_clear(struct rv_http_response *response); /* to be filled again */

/* What became of a request that has no answer. */
enum rv_http_outcome {
	RV_HTTP_ANSWERED,
	RV_HTTP_NOT_SENT, /* certain: no connection, or the body was not sent whole */
	RV_HTTP_UNKNOWN,  /* it may have been carried out */
};

/* ---- client ---- */
struct rv_http;
struct rv_http_params {
	const char *ca_file;      /* Optional: PEM; else the system's */
	/* Optional: for hints, the variable or the option that names it; else AWS_CA_BUNDLE */
	const char *ca_variable;
	bool (*should_stop)(void); /* Optional: ends waits and transfers with RV_FAILED */
	/* Optional: one line an attempt, secrets already taken out (--verbose, tests) */
	void (*trace)(void *arg, const char *line);
	void *trace_arg;
};
/* Does not open libcurl yet. Strings are copied. */
struct rv_http *rv_http_new(const struct rv_http_params *params);
void rv_http_free(struct rv_http *http);
void rv_http_free_p(struct rv_http **http);

/* One attempt. RV_OK: there is an answer, whatever its status. Without one: RV_FAILED, transient
 * (resolve, connect, TLS handshake, stall, cut off, stopped); RV_BAD_CONFIG, not transient (a proxy
 * that refuses, 407 included, a certificate that does not verify, no TLS on the other side);
 * RV_LOCAL_IO (the body cannot be read); RV_NOT_FOUND when libcurl is not installed; the sink's own.
 * The message says which of them, and the hint what to do. */
enum rv_status rv_http_once(struct rv_http *http, const struct rv_http_request *request,
			    struct rv_http_response *response, enum rv_http_outcome *ret_outcome,
			    struct rv_error *err) RV_MUST_CHECK;

/* ---- the retry loop ---- */
enum rv_http_verdict {
	RV_HTTP_DONE,      /* take the answer */
	RV_HTTP_RETRY,     /* wait (full jitter, Retry-After), then again */
	RV_HTTP_RETRY_NOW, /* again at once, once: something was mended (clock, credentials, region) */
	RV_HTTP_GIVE_UP,   /* err says why */
};
struct rv_http_call {
	/* Prepares an attempt, number from 1: signs it, picks the host. `request` is the caller's
	 * own; what it points at lives until the attempt is over. */
	enum rv_status (*prepare)(void *arg, unsigned attempt, struct rv_http_request *request,
				  struct rv_error *err);
	/* Judges what came. `response` NULL: no answer, and err says why. Fills err for RETRY and
	 * GIVE_UP (status, transient, codes, message, hint). */
	enum rv_http_verdict (*judge)(void *arg, const struct rv_http_response *response,
				      enum rv_http_outcome outcome, struct rv_error *err);
	void *arg;
	/* May it be sent again when the outcome is unknown? */
	bool repeatable;
	unsigned max_attempts;    /* 0: 5 */
	int64_t base_delay_ms;    /* of the first wait; 0: 100 */
	int64_t max_delay_ms;     /* 0: 20 s */
	int64_t deadline_ms;      /* monotonic; no attempt begins after it; 0: none */
};
struct rv_http_tally {
	unsigned attempts;
	unsigned unknown;         /* attempts whose outcome nobody heard */
};
/* Waits draw on a budget that all threads of the client share (a token bucket: an outage must not
 * multiply the load), and end early when should_stop says so. The last failure is returned with
 * the attempts folded into its message. `ret_tally` Optional. */
enum rv_status rv_http_call(struct rv_http *http, const struct rv_http_call *call,
			    struct rv_http_response *response, struct rv_http_tally *ret_tally,
			    struct rv_error *err) RV_MUST_CHECK;

/* Sleeps, interruptible by should_stop: RV_FAILED then. For pacing outside of the loop. */
enum rv_status rv_http_wait(struct rv_http *http, int64_t ms, struct rv_error *err) RV_MUST_CHECK;
/* Full jitter: a random time between 0 and min(max, base * 2^(attempt-1)). */
int64_t rv_http_backoff_ms(unsigned attempt, int64_t base_ms, int64_t max_ms);

/* ---- text ---- */
/* Percent-encodes all but A-Z a-z 0-9 - . _ ~, upper-case hex; `keep_slash` leaves '/'. */
void rv_http_encode(struct rv_strbuf *out, const char *bytes, size_t len, bool keep_slash);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7); false when it is not exactly that. */
bool rv_http_parse_date(const char *s, int64_t *ret_ms);
/* What Retry-After's seconds, or its date beside the answer's own (-1: it has none), ask for; at most a week. */
int64_t rv_http_wait_s_ms(uint64_t seconds);
int64_t rv_http_wait_until_ms(int64_t until_ms, int64_t date_ms, int64_t now_ms);
/* How long an answer asks to wait, at most a week: x-amz-retry-after (ms) or Retry-After (seconds, or a date,
 * which counts from the answer's own Date, else from now_ms); -1: it does not say. */
int64_t rv_http_retry_after_ms(const struct rv_http_response *response, int64_t now_ms);
/* `text` with the values of secrets taken out: Authorization, security tokens, X-Amz-Signature and
 * X-Amz-Security-Token in URLs, bearer tokens, JSON Web Tokens wherever they stand, user:password@. For
 * messages and traces. */
void rv_http_redact(struct rv_strbuf *out, const char *text);

#endif
