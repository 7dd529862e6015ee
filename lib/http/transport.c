/*
 * One attempt over libcurl: a borrowed connection, the callbacks, and what became of it.
 *
 * What libcurl must not do by itself is to send a request again: when a kept connection turns out
 * to be dead it opens another and starts over (Curl_retry_request), for requests with and without a
 * body, and nobody counts that. Two callbacks prevent it: PREREQ is called before each time that
 * a request is written and refuses the second time, and SEEK refuses to rewind a body that was
 * begun. The attempt then ends, and the retry loop decides.
 *
 * A server that closes an idle connection would make many such ends. So a kept connection is used
 * again only before long, and when nothing has come in on it: bytes on an idle connection are the
 * end of it (TLS's note about that, or a balancer's 408, which libcurl 7.88 takes for a sign of
 * life and for the answer to what is sent next).
 */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/internal.h"

#define MOST_IDLE 16
/* S3 does not say when it closes idle connections, balancers do after 60 s as a rule: this is well
 * before, and long enough that who sends much shakes hands once. */
#define LONGEST_IDLE_S 15L
#define MOST_HEADER_BYTES (64 * 1024)
#define MOST_HEADER_LINES 200
#define MOST_BODY_BYTES ((size_t)1024 * 1024)
#define CONNECT_TIMEOUT_MS 10000
#define STALL_TIMEOUT_MS 60000
/* What all requests together may still take once a stop was asked for, and what each gets all the same:
 * on a line that works, the end of a run is a few short ones. */
#define AFTER_STOP_MS 5000
#define AFTER_STOP_EACH_MS 1000
#define LOOK_MS 200
/* Slower than this much in ten stall times is no transfer. Not less: S3 sends blanks for minutes
 * while it completes a multipart upload. */
#define CRAWL_BYTES 1024
#define CRAWL_TIMES 10
#define SEND_BUFFER_BYTES (256 * 1024L)
#define RECEIVE_BUFFER_BYTES (64 * 1024L)

struct attempt {
	struct rv_http *http;
	struct rv_http_conn *conn;
	const struct rv_http_request *request;
	struct rv_http_response *response;
	struct rv_http_facts *facts;
	struct rv_error *err; /* filled by a callback: that one ended the attempt */
	int64_t started_ms, stall_timeout_ms;
	uint64_t handed;      /* bytes of the body that libcurl has taken */
	bool begun;           /* a connection is there, and the request was begun on it */
	bool again;           /* libcurl wanted to rewind, or to begin it once more */
	bool head_done;       /* the last header of the answer was read */
	size_t header_bytes, header_lines;
	uint64_t body_bytes;
	uint64_t moved, crawl_from, waiting; /* bytes either way; in the system's send buffer */
	int64_t moved_ms, crawl_ms, looked_ms; /* monotonic */
};

/* ---- connections ---- */
static bool link_local(const char *origin)
{
	const char *host = strstr(origin, "://") + 3;

	return strncmp(host, "169.254.", 8) == 0 ? host[strspn(host, "0123456789.")] == '\0' ||
						   host[strspn(host, "0123456789.")] == ':' :
						   strncasecmp(host, "[fd00:ec2:", 10) == 0;
}

/* Something came in on a kept connection, or it was closed. Then the handle goes with it: one that
 * is told to connect anew keeps the old connection too, and may come back to it. */
static bool is_stale(const struct rv_curl_api *api, const struct rv_http_conn *conn)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (api->easy_getinfo(conn->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
	    fd == CURL_SOCKET_BAD)
		return false;
	struct pollfd idle = { .fd = fd, .events = POLLIN };
	return poll(&idle, 1, 0) != 0;
}

static void close_conn(const struct rv_curl_api *api, struct rv_http_conn *conn)
{
	api->easy_cleanup(conn->easy);
	free(conn->origin);
	free(conn);
}

/* The last used one of this origin, or NULL. */
static struct rv_http_conn *take_idle(struct rv_http *http, const char *origin)
{
	struct rv_http_conn **at, *conn = NULL;

	pthread_mutex_lock(&http->mutex);
	for (at = &http->idle; *at && strcmp((*at)->origin, origin) != 0; at = &(*at)->next)
		;
	if (*at) {
		conn = *at;
		*at = conn->next;
		conn->next = NULL;
		http->idle_count--;
	}
	pthread_mutex_unlock(&http->mutex);
	return conn;
}

static void give_back(const struct rv_curl_api *api, struct rv_http *http,
		      struct rv_http_conn *conn)
{
	struct rv_http_conn **at, *surplus = NULL;

	pthread_mutex_lock(&http->mutex);
	conn->next = http->idle;
	http->idle = conn;
	if (++http->idle_count > MOST_IDLE) {
		for (at = &http->idle; (*at)->next; at = &(*at)->next)
			;
		surplus = *at;
		*at = NULL;
		http->idle_count--;
	}
	pthread_mutex_unlock(&http->mutex);
	if (surplus)
		close_conn(api, surplus);
}

/* ---- callbacks ---- */
/* Of two addresses that were tried at once the one begun first may have won; what was closed then is
 * anybody's descriptor. libcurl says the port here that the winner goes out from. */
static void find_socket(struct rv_http_conn *conn, int local_port)
{
	for (unsigned i = 0; i < conn->opened_count && i < 4; i++) {
		union {
			struct sockaddr any;
			struct sockaddr_in four;
			struct sockaddr_in6 six;
		} at = { .any.sa_family = AF_UNSPEC };
		socklen_t size = sizeof(at);

		if (getsockname(conn->opened[i], &at.any, &size) == 0 &&
		    ((at.any.sa_family == AF_INET && ntohs(at.four.sin_port) == local_port) ||
		     (at.any.sa_family == AF_INET6 && ntohs(at.six.sin6_port) == local_port)))
			conn->socket = conn->opened[i];
	}
}

static int before_request(void *arg, RV_UNUSED char *ip, RV_UNUSED char *local_ip,
			  RV_UNUSED int port, int local_port)
{
	struct attempt *a = arg;

	find_socket(a->conn, local_port);

	if (a->begun) {
		a->again = true;
		return CURL_PREREQFUNC_ABORT;
	}
	a->begun = true;
	a->moved_ms = a->crawl_ms = rv_clock_monotonic_ms();
	return CURL_PREREQFUNC_OK;
}

static size_t read_body(char *buffer, size_t size, size_t count, void *arg)
{
	struct attempt *a = arg;
	const struct rv_http_body *body = &a->request->body;
	uint64_t left = body->len - a->handed;
	size_t want = size * count;

	if (want > left)
		want = (size_t)left;
	if (want == 0)
		return 0;
	if (body->fd < 0) {
		memcpy(buffer, (const char *)body->bytes + a->handed, want);
		a->handed += want;
		return want;
	}
	for (;;) {
		ssize_t n = pread(body->fd, buffer, want, (off_t)(body->offset + a->handed));

		if (n > 0) {
			a->handed += (uint64_t)n;
			return (size_t)n;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rv_fail_errno(a->err, RV_LOCAL_IO, "cannot read what is to be sent");
		else
			rv_fail(a->err, RV_LOCAL_IO, "what is to be sent ends after %llu of %llu bytes",
				(unsigned long long)a->handed, (unsigned long long)body->len);
		return CURL_READFUNC_ABORT;
	}
}

static int rewind_body(void *arg, curl_off_t offset, int origin)
{
	struct attempt *a = arg;

	if (a->handed == 0 && offset == 0 && origin == SEEK_SET)
		return CURL_SEEKFUNC_OK;
	a->again = true;
	return CURL_SEEKFUNC_FAIL;
}

static void answer_too_large(struct attempt *a, const char *what)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf origin = RV_STRBUF_INIT;

	rv_http_origin(&origin, a->request->url);
	rv_fail(a->err, RV_FAILED, "the answer of %s has %s", origin.bytes, what);
	rv_hint(a->err, "check the endpoint: this is nothing the service would send");
	a->err->transient = true;
}

/* "Name: value" into the answer; what is no header field is passed over. */
static void take_header(struct attempt *a, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);

	while (len > 0 && strchr("\r\n \t", line[len - 1]))
		len--;
	if (!colon || colon == line || colon >= line + len || memchr(line, '\0', len))
		return;
	size_t name_len = (size_t)(colon - line);
	for (size_t i = 0; i < name_len; i++)
		if (line[i] <= ' ' || line[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", line[i]))
			return;
	RV_CLEANUP(rv_free_p) char *name = rv_strndup(line, name_len);
	const char *p = colon + 1, *end = line + len;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	RV_CLEANUP(rv_free_p) char *value = rv_strndup(p, (size_t)(end - p));
	if (rv_http_value_valid(value))
		rv_http_headers_add(&a->response->headers, name, value);
}

/*
 * A server that writes head and body apiece, and leaves Nagle's algorithm on, holds the body back until
 * the head is acknowledged; and that is delayed by 40 ms. Ceph's gateway is one. So acknowledge now.
 */
static void acknowledge(const struct attempt *a)
{
	int now = 1;

	setsockopt(a->conn->socket, IPPROTO_TCP, TCP_QUICKACK, &now, sizeof(now));
}

static int keep_socket(void *arg, curl_socket_t socket, curlsocktype purpose RV_UNUSED)
{
	struct rv_http_conn *conn = arg;

	conn->opened[conn->opened_count++ % 4] = socket;
	return CURL_SOCKOPT_OK;
}

static size_t read_header(char *line, size_t size, size_t count, void *arg)
{
	struct attempt *a = arg;
	size_t len = size * count;

	/* All sections together: a server can send 1xx for ever, and fields after the body. */
	a->header_bytes += len;
	a->header_lines++;
	if (a->header_bytes > MOST_HEADER_BYTES || a->header_lines > MOST_HEADER_LINES) {
		answer_too_large(a, a->header_bytes > MOST_HEADER_BYTES ?
				 "headers of more than 64 KiB" : "more than 200 lines of headers");
		return 0;
	}
	if (a->head_done)
		return len;
	if (len > 5 && strncmp(line, "HTTP/", 5) == 0) {
		const char *space = memchr(line, ' ', len);

		rv_http_response_clear(a->response);
		if (space && space + 4 <= line + len)
			a->response->status = (int)strtol(space + 1, NULL, 10);
	} else if (len <= 2 && strchr("\r\n", *line)) {
		a->head_done = a->response->status >= 200;
		acknowledge(a);
	} else {
		take_header(a, line, len);
	}
	return len;
}

static size_t read_answer(char *p, size_t size, size_t count, void *arg)
{
	struct attempt *a = arg;
	size_t len = size * count;
	int status = a->response->status;
	size_t most = a->request->max_body_bytes ? a->request->max_body_bytes : MOST_BODY_BYTES;

	a->body_bytes += len;
	if (a->request->sink && status >= 200 && status < 300) {
		a->facts->sink_used = true;
		if (a->request->sink(a->request->sink_arg, p, len, a->err) == RV_OK)
			return len;
		a->facts->sink_failed = true;
		return 0;
	}
	if (len > most - a->response->body.len) {
		char what[64];

		snprintf(what, sizeof(what), "a body of more than %zu bytes", most);
		answer_too_large(a, what);
		return 0;
	}
	rv_strbuf_add(&a->response->body, p, len);
	return len;
}

static int end_transfer(struct attempt *a, const char *what, int64_t ms)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf origin = RV_STRBUF_INIT;

	rv_http_origin(&origin, a->request->url);
	rv_fail(a->err, RV_FAILED, "%s %s%lld ms", origin.bytes, what, (long long)ms);
	a->err->transient = true;
	return 1;
}

/* What the system has taken and the other side has not yet: on a slow line that moves for minutes
 * after libcurl handed over the last byte. */
static uint64_t in_flight(const struct attempt *a)
{
	int bytes = 0;

	return ioctl(a->conn->socket, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (uint64_t)bytes : 0;
}

bool rv_http_stop_is_due(int64_t now_ms, int64_t stop_ms, int64_t started_ms)
{
	return now_ms - stop_ms >= AFTER_STOP_MS && now_ms - started_ms >= AFTER_STOP_EACH_MS;
}

/* Called about once a second, and more often while bytes move. */
static int watch(void *arg, RV_UNUSED curl_off_t down_total, curl_off_t down,
		 RV_UNUSED curl_off_t up_total, curl_off_t up)
{
	struct attempt *a = arg;
	int64_t now_ms = rv_clock_monotonic_ms();
	uint64_t moved = (uint64_t)down + (uint64_t)up + a->header_bytes;

	if (a->http->should_stop && a->http->should_stop()) {
		int64_t stop_ms = 0;

		if (atomic_compare_exchange_strong(&a->http->stop_ms, &stop_ms, now_ms))
			stop_ms = now_ms;
		if (rv_http_stop_is_due(now_ms, stop_ms, a->started_ms))
			return end_transfer(a, "was left: stopped, and no answer came within ",
					    now_ms - (a->started_ms > stop_ms ? a->started_ms : stop_ms));
	}
	if (!a->begun)
		return 0; /* has a time limit of its own */
	if (moved != a->moved) {
		a->moved = moved;
		a->moved_ms = now_ms;
	} else if (now_ms - a->looked_ms >= LOOK_MS) {
		uint64_t waiting = in_flight(a);

		a->looked_ms = now_ms;
		if (waiting != a->waiting) {
			a->waiting = waiting;
			a->moved_ms = a->crawl_ms = now_ms;
		}
	}
	if (now_ms - a->moved_ms >= a->stall_timeout_ms) {
		a->facts->timed_out = true;
		return end_transfer(a, "stalled: not a byte moved for ", now_ms - a->moved_ms);
	}
	if (moved - a->crawl_from >= CRAWL_BYTES) {
		a->crawl_from = moved;
		a->crawl_ms = now_ms;
	}
	if (now_ms - a->crawl_ms >= CRAWL_TIMES * a->stall_timeout_ms) {
		a->facts->timed_out = true;
		return end_transfer(a, "crawls: less than 1 KiB moved in ", now_ms - a->crawl_ms);
	}
	return 0;
}

/* ---- setting up ---- */
#define SET(option, value) api->easy_setopt(conn->easy, option, value)

/* What is the same for all requests of a connection. */
static struct rv_http_conn *open_conn(const struct rv_curl_api *api, const struct rv_http *http,
				      const char *origin, struct rv_error *err)
{
	struct rv_http_conn *conn = rv_calloc(1, sizeof(*conn));

	conn->easy = api->easy_init();
	if (!conn->easy) {
		free(conn);
		rv_fail(err, RV_FAILED, "libcurl does not start");
		return NULL;
	}
	conn->origin = rv_strdup(origin);
	conn->socket = CURL_SOCKET_BAD;
	SET(CURLOPT_ERRORBUFFER, conn->error_text);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_MAXCONNECTS, 1L);
	SET(CURLOPT_MAXAGE_CONN, LONGEST_IDLE_S);
	SET(CURLOPT_TCP_NODELAY, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_USERAGENT, "river");
	SET(CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER_BYTES);
	SET(CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
	SET(CURLOPT_SOCKOPTFUNCTION, keep_socket);
	SET(CURLOPT_SOCKOPTDATA, conn);
	SET(CURLOPT_PREREQFUNCTION, before_request);
	SET(CURLOPT_READFUNCTION, read_body);
	SET(CURLOPT_SEEKFUNCTION, rewind_body);
	SET(CURLOPT_HEADERFUNCTION, read_header);
	SET(CURLOPT_WRITEFUNCTION, read_answer);
	SET(CURLOPT_XFERINFOFUNCTION, watch);
	SET(CURLOPT_NOPROGRESS, 0L);
	if (http->ca_file) {
		SET(CURLOPT_CAINFO, http->ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	return conn;
}

static struct curl_slist *append(const struct rv_curl_api *api, struct curl_slist *list,
				 const char *line)
{
	struct curl_slist *longer = api->slist_append(list, line);

	if (!longer)
		rv_bug("out of memory in a list of headers");
	return longer;
}

/* The caller's fields, and none of those that libcurl adds of its own accord. */
static struct curl_slist *header_list(const struct rv_curl_api *api,
				      const struct rv_http_headers *headers)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	struct curl_slist *list = append(api, NULL, "Expect:");

	if (!headers || !rv_http_headers_get(headers, "Accept"))
		list = append(api, list, "Accept:");
	for (size_t i = 0; headers && i < headers->count; i++) {
		const struct rv_http_header *h = &headers->items[i];

		if (strcasecmp(h->name, "Content-Length") == 0 || strcasecmp(h->name, "Host") == 0)
			rv_bug("header %s is not the caller's", h->name);
		/* "Name;" is how libcurl is told of an empty value. */
		rv_strbuf_clear(&line);
		rv_strbuf_printf(&line, h->value[0] ? "%s: %s" : "%s;", h->name, h->value);
		list = append(api, list, line.bytes);
	}
	return list;
}

static void set_method(const struct rv_curl_api *api, struct rv_http_conn *conn,
		       const struct rv_http_request *request)
{
	const char *method = request->method;
	bool sends = request->body.len > 0 || strcmp(method, "PUT") == 0 ||
		     strcmp(method, "POST") == 0;

	SET(CURLOPT_HTTPGET, 1L); /* whatever the request before was */
	SET(CURLOPT_CUSTOMREQUEST, NULL);
	if (sends) {
		SET(CURLOPT_UPLOAD, 1L); /* adds no Content-Type, as POST would */
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body.len);
	} else if (strcmp(method, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
	}
	if (strcmp(method, "HEAD") != 0)
		SET(CURLOPT_CUSTOMREQUEST, method);
}

static void set_up(const struct rv_curl_api *api, struct rv_http_conn *conn, struct attempt *a,
		   struct curl_slist *headers)
{
	const struct rv_http_request *request = a->request;
	int64_t connect_ms = request->connect_timeout_ms > 0 ? request->connect_timeout_ms :
							       CONNECT_TIMEOUT_MS;

	set_method(api, conn, request);
	SET(CURLOPT_URL, request->url);
	SET(CURLOPT_NOPROXY, request->no_proxy || link_local(conn->origin) ? "*" : NULL);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	SET(CURLOPT_TIMEOUT_MS, (long)request->total_timeout_ms);
	SET(CURLOPT_PREREQDATA, a);
	SET(CURLOPT_READDATA, a);
	SET(CURLOPT_SEEKDATA, a);
	SET(CURLOPT_HEADERDATA, a);
	SET(CURLOPT_WRITEDATA, a);
	SET(CURLOPT_XFERINFODATA, a);
	conn->error_text[0] = '\0';
}
#undef SET

/* ---- judging ---- */
/* Of the body, as libcurl counts. */
static uint64_t bytes_sent(const struct rv_curl_api *api, const struct rv_http_conn *conn)
{
	curl_off_t sent = 0;

	api->easy_getinfo(conn->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	return (uint64_t)sent;
}

/* Never less than what went out: when it wanted to start over it has already forgotten what it had
 * sent, and 7.88 says 0. */
static uint64_t most_sent(const struct rv_curl_api *api, const struct rv_http_conn *conn,
			  const struct attempt *a)
{
	uint64_t sent = bytes_sent(api, conn);

	return a->again || sent == 0 ? a->handed : sent;
}

/* Of an attempt without an answer. */
static enum rv_http_outcome outcome_of(const struct rv_curl_api *api,
				       const struct rv_http_conn *conn, const struct attempt *a)
{
	long request_bytes = 1;

	if (!a->begun)
		return RV_HTTP_NOT_SENT;
	/* Somebody answered, and perhaps acted, before it had the whole body. */
	if (a->response->status >= 200)
		return RV_HTTP_UNKNOWN;
	api->easy_getinfo(conn->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
	if (request_bytes == 0 || most_sent(api, conn, a) < a->request->body.len)
		return RV_HTTP_NOT_SENT;
	return RV_HTTP_UNKNOWN;
}

static enum rv_status judge(const struct rv_curl_api *api, struct rv_http_conn *conn,
			    struct attempt *a, CURLcode code)
{
	struct rv_http_response *response = a->response;
	const struct rv_http_request *request = a->request;

	a->facts->outcome = outcome_of(api, conn, a); /* unless there is an answer */
	if (a->err->status != RV_OK)
		return a->err->status;
	if (code != CURLE_OK) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

		/* It quotes a proxy variable that it does not understand, password and all. */
		rv_http_redact(&text, conn->error_text[0] ? conn->error_text :
							    api->easy_strerror(code));
		struct rv_http_end end = {
			.code = code,
			.url = request->url,
			.text = text.bytes,
			.ca_file = a->http->ca_file,
			.ca_variable = a->http->ca_variable,
			.sent_any = a->begun,
			.again = a->again,
			.received = a->header_bytes + a->body_bytes,
			.connect_timeout_ms = request->connect_timeout_ms > 0 ?
				request->connect_timeout_ms : CONNECT_TIMEOUT_MS,
			.total_timeout_ms = request->total_timeout_ms,
		};
		a->facts->timed_out = code == CURLE_OPERATION_TIMEDOUT;
		return rv_http_explain(api, conn->easy, &end, a->err);
	}
	/* libcurl takes a connection that ends in the middle of the headers for the end of them. */
	if (!a->head_done) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf origin = RV_STRBUF_INIT;

		rv_http_origin(&origin, request->url);
		rv_fail(a->err, RV_FAILED, "the answer of %s was cut off in its headers",
			origin.bytes);
		a->err->transient = true;
		return a->err->status;
	}
	/* Only a proxy asks for that, and the request went no further. */
	if (response->status == 407) {
		a->facts->outcome = RV_HTTP_NOT_SENT;
		return rv_http_proxy_refused(request->url, 407, a->err);
	}
	if (response->status >= 200 && response->status < 300 &&
	    bytes_sent(api, conn) < request->body.len) {
		rv_fail(a->err, RV_FAILED, "answered %d before all of the body was sent",
			response->status);
		a->err->transient = true;
		return a->err->status;
	}
	const char *date = rv_http_headers_get(&response->headers, "Date");
	if (date && !rv_http_parse_date(date, &response->date_ms))
		response->date_ms = -1;
	a->facts->outcome = RV_HTTP_ANSWERED;
	return RV_OK;
}

static void trace(const struct attempt *a, const struct rv_curl_api *api,
		  const struct rv_http_conn *conn, enum rv_status status)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf clean = RV_STRBUF_INIT;
	static const char *const outcomes[] = { "answered", "not sent", "outcome unknown" };
	long connects = 0;

	if (!a->http->trace)
		return;
	api->easy_getinfo(conn->easy, CURLINFO_NUM_CONNECTS, &connects);
	rv_strbuf_printf(&line, "%s %s ", a->request->method, a->request->url);
	if (status == RV_OK)
		rv_strbuf_printf(&line, "%d", a->response->status);
	else
		rv_strbuf_printf(&line, "failed (%s: %s)", outcomes[a->facts->outcome],
				 a->err->message);
	rv_strbuf_printf(&line, ", sent %llu, received %llu bytes in %lld ms%s",
			 (unsigned long long)most_sent(api, conn, a),
			 (unsigned long long)a->body_bytes,
			 (long long)(rv_clock_monotonic_ms() - a->started_ms),
			 connects > 0 ? ", new connection" : "");
	rv_http_redact(&clean, line.bytes);
	a->http->trace(a->http->trace_arg, clean.bytes);
}

enum rv_status rv_http_attempt(struct rv_http *http, const struct rv_http_request *request,
			       struct rv_http_response *response, struct rv_http_facts *ret_facts,
			       struct rv_error *err)
{
	const struct rv_curl_api *api;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf origin = RV_STRBUF_INIT;
	struct rv_error why = RV_ERROR_INIT;

	*ret_facts = (struct rv_http_facts){ .outcome = RV_HTTP_NOT_SENT };
	rv_http_response_clear(response);
	if (strncasecmp(request->url, "http://", 7) != 0 &&
	    strncasecmp(request->url, "https://", 8) != 0) {
		rv_fail(err, RV_BAD_CONFIG, "a URL must begin with http:// or https://");
		rv_hint(err, "check the endpoint");
		return err->status;
	}
	if (rv_curl_api(&api, err) != RV_OK)
		return err->status;

	rv_http_origin(&origin, request->url);
	struct rv_http_conn *conn = take_idle(http, origin.bytes);
	if (conn && is_stale(api, conn)) {
		close_conn(api, conn);
		conn = NULL;
	}
	if (!conn && !(conn = open_conn(api, http, origin.bytes, err)))
		return err->status;

	struct attempt a = {
		.http = http,
		.conn = conn,
		.request = request,
		.response = response,
		.facts = ret_facts,
		.err = &why,
		.started_ms = rv_clock_monotonic_ms(),
		.stall_timeout_ms = request->stall_timeout_ms > 0 ? request->stall_timeout_ms :
								    STALL_TIMEOUT_MS,
	};
	struct curl_slist *headers = header_list(api, request->headers);
	set_up(api, conn, &a, headers);
	CURLcode code = api->easy_perform(conn->easy);
	enum rv_status status = judge(api, conn, &a, code);
	trace(&a, api, conn, status);
	api->slist_free_all(headers);
	if (status == RV_OK) {
		give_back(api, http, conn);
		return RV_OK;
	}
	close_conn(api, conn);
	rv_http_response_clear(response);
	*err = why;
	return status;
}

enum rv_status rv_http_once(struct rv_http *http, const struct rv_http_request *request,
			    struct rv_http_response *response, enum rv_http_outcome *ret_outcome,
			    struct rv_error *err)
{
	struct rv_http_facts facts;
	enum rv_status status = rv_http_attempt(http, request, response, &facts, err);

	*ret_outcome = facts.outcome;
	return status;
}
