/* One connection: bytes to requests, answers to bytes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "collect/server_impl.h"

/* 1x1, as trackers have been answered with for ever. */
static const unsigned char pixel[42] = {
	0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0x80, 0x00, 0x00, 0x00,
	0x00, 0x00, 0xff, 0xff, 0xff, 0x21, 0xf9, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x2c,
	0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x02, 0x01, 0x44, 0x00, 0x3b,
};

/* ---- answers ---- */

struct answer *rv_connection_answer(struct connection *c, const struct rv_http_head *head,
				    enum answer_kind kind, int status)
{
	RV_GROW(c->answers, c->answers_count, c->answers_capacity);
	struct answer *answer = &c->answers[c->answers_count++];
	*answer = (struct answer){
		.kind = kind,
		.status = status,
		.close = !head || !head->keep_alive,
		.old = head && head->minor == 0,
		.head_only = head && rv_str_is(head->method, "HEAD"),
	};
	c->ends = c->ends || (answer->close && kind != ANSWER_CONTINUE);
	return answer;
}

struct answer *rv_connection_error(struct connection *c, const struct rv_http_head *head, int status,
				   const char *why)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_strbuf_printf(&text, "{\"status\":%d,\"error\":", status);
	rv_strbuf_json(&text, why, strlen(why));
	rv_strbuf_puts(&text, "}\n");
	struct answer *answer = rv_connection_answer(c, head, ANSWER_TEXT, status);
	answer->type = "application/json";
	answer->len = text.len;
	answer->text = rv_strbuf_take(&text);
	return answer;
}

static void answer_release(struct answer *answer)
{
	free(answer->text);
	free(answer->origin);
}

static const char *phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" },
		{ 204, "No Content" },
		{ 207, "Multi-Status" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};
	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

static void build_answer(struct rv_collect_server *server, const struct answer *a, struct rv_strbuf *out)
{
	if (a->kind == ANSWER_CONTINUE) {
		rv_strbuf_puts(out, "HTTP/1.1 100 Continue\r\n\r\n");
		return;
	}
	size_t len = a->kind == ANSWER_PIXEL ? sizeof(pixel) : a->kind == ANSWER_TEXT ? a->len : 0;
	const char *type = a->kind == ANSWER_PIXEL ? "image/gif" : a->type;
	rv_strbuf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", a->status, phrase(a->status), server->date);
	if (type)
		rv_strbuf_printf(out, "Content-Type: %s\r\n", type);
	if (a->any_origin)
		rv_strbuf_puts(out, "Access-Control-Allow-Origin: *\r\n");
	if (a->origin)
		rv_strbuf_printf(out, "Access-Control-Allow-Origin: %s\r\n"
				 "Access-Control-Allow-Credentials: true\r\nVary: Origin\r\n", a->origin);
	if (a->preflight)
		rv_strbuf_puts(out, "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
				    "Access-Control-Allow-Headers: Content-Type, Authorization, X-Write-Key\r\n"
				    "Access-Control-Max-Age: 86400\r\n");
	if (a->allow)
		rv_strbuf_printf(out, "Allow: %s\r\n", a->allow);
	if (a->status == 401)
		rv_strbuf_puts(out, "WWW-Authenticate: Bearer\r\n");
	if (a->retry_after_s)
		rv_strbuf_printf(out, "Retry-After: %u\r\n", a->retry_after_s);
	/* A pixel from a cache would be an event that nobody heard of. */
	rv_strbuf_puts(out, "Cache-Control: no-store\r\n");
	if (a->close)
		rv_strbuf_puts(out, "Connection: close\r\n");
	else if (a->old)
		rv_strbuf_puts(out, "Connection: keep-alive\r\n");
	if (a->status != 204)
		rv_strbuf_printf(out, "Content-Length: %zu\r\n", len);
	rv_strbuf_puts(out, "\r\n");
	if (!a->head_only)
		rv_strbuf_add(out, a->kind == ANSWER_PIXEL ? (const char *)pixel : a->text, len);
}

/* The answer nearly every request gets, in one piece. */
static void build(struct rv_collect_server *server, const struct answer *a, struct rv_strbuf *out)
{
	server->counters.by_status[a->status]++;
	if (a->kind != ANSWER_PIXEL || a->close || a->old || a->head_only || !a->any_origin) {
		build_answer(server, a, out);
		return;
	}
	static const char begin[] = "HTTP/1.1 200 OK\r\nDate: ";
	static const char rest[] = "\r\nContent-Type: image/gif\r\nAccess-Control-Allow-Origin: *\r\n"
				   "Cache-Control: no-store\r\nContent-Length: 42\r\n\r\n";
	rv_strbuf_reserve(out, sizeof(begin) + sizeof(rest) + sizeof(pixel) + 40);
	rv_strbuf_add(out, begin, sizeof(begin) - 1);
	rv_strbuf_puts(out, server->date);
	rv_strbuf_add(out, rest, sizeof(rest) - 1);
	rv_strbuf_add(out, pixel, sizeof(pixel));
}

/* Takes the answers that may go into `out`. */
static void take_answers(struct rv_collect_server *server, struct connection *c, struct rv_strbuf *out)
{
	size_t n = 0;
	while (n < c->answers_count && !c->answers[n].round) {
		build(server, &c->answers[n], out);
		answer_release(&c->answers[n]);
		n++;
	}
	if (n)
		memmove(c->answers, c->answers + n, (c->answers_count - n) * sizeof(*c->answers));
	c->answers_count -= n;
}

/* Number of bytes that were taken; -1: the client is gone. */
static ssize_t send_bytes(struct rv_collect_server *server, struct connection *c, const char *p, size_t len)
{
	ssize_t n = 0;
	while (len && (n = send(c->fd, p, len, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n)
		c->since_ms = server->now_ms;
	return n;
}

static void linger(struct rv_collect_server *server, struct connection *c)
{
	/* Closed with unread bytes, the answer might be thrown away on its way. */
	if (c->eof || shutdown(c->fd, SHUT_WR) < 0) {
		rv_server_close(server, c);
		return;
	}
	c->lingers = true;
	c->since_ms = server->now_ms;
	rv_strbuf_release(&c->in);
	rv_strbuf_release(&c->body);
	rv_server_count(server, c);
	rv_server_watch(server, c);
}

static void send_answers(struct rv_collect_server *server, struct connection *c)
{
	if (c->fd < 0 || c->lingers)
		return;
	struct rv_strbuf *out = &server->built;
	bool waited = c->out.len > 0;
	rv_strbuf_clear(out);
	/* What waits in front goes first. */
	if (c->out.len) {
		rv_strbuf_add(out, c->out.bytes, c->out.len);
		rv_strbuf_release(&c->out);
	}
	take_answers(server, c, out);
	ssize_t sent = send_bytes(server, c, out->bytes, out->len);
	if (sent < 0) {
		rv_server_close(server, c);
		return;
	}
	if ((size_t)sent < out->len) {
		rv_strbuf_add(&c->out, out->bytes + sent, out->len - (size_t)sent);
		c->out_taken = waited ? c->out_taken + (uint64_t)sent : 0;
		c->out_since_ms = waited ? c->out_since_ms : server->now_ms;
	}
	rv_server_count(server, c);
	/* Of those who are too much together the first to go is who does not read. */
	if (c->out.len && server->buffered > BUFFERED_MAX_BYTES) {
		rv_server_close(server, c);
		return;
	}
	if (!c->out.len && !c->answers_count && (c->ends || (c->eof && !c->in.len))) {
		linger(server, c);
		return;
	}
	rv_server_watch(server, c);
}

/* ---- requests ---- */

static void refuse(struct rv_collect_server *server, struct connection *c,
		   const struct rv_http_refusal *refusal)
{
	(void)server;
	rv_connection_error(c, NULL, refusal->status, refusal->why);
	c->head_len = 0;
}

bool rv_connection_may_take(const struct connection *c)
{
	return !c->ends && c->answers_count < ANSWERS_MAX && c->out.len < UNTAKEN_MAX_BYTES;
}

/* Of the body that begins at p[head_len], how much is there? True: all; `body` is it. */
static bool body_is_whole(struct rv_collect_server *server, struct connection *c, const char *p, size_t len,
			  size_t *used, struct rv_str *body)
{
	struct rv_http_refusal refusal;
	*used = c->head_len;
	if (!c->chunked) {
		*body = (struct rv_str){ p + c->head_len, (size_t)c->body_length };
		if (len - c->head_len < c->body_length)
			return false;
		*used += (size_t)c->body_length;
		return true;
	}
	while (*used < len) {
		size_t n;
		struct rv_str piece;
		enum rv_http_read read = rv_http_chunks_read(&c->chunks, p + *used, len - *used,
							     server->settings.max_body_bytes, &n, &piece,
							     &refusal);
		*used += n;
		rv_strbuf_add(&c->body, piece.p, piece.len);
		if (read == RV_HTTP_DONE) {
			*body = (struct rv_str){ c->body.bytes, c->body.len };
			return true;
		}
		if (read == RV_HTTP_REFUSED) {
			refuse(server, c, &refusal);
			return false;
		}
	}
	return false;
}

/* The head is whole and its body is wanted. `head` NULL: it was read before, and is read again only when all of the
 * body is there, or whoever sends single bytes would have it read for each of them. */
static size_t take_body(struct rv_collect_server *server, struct connection *c, const char *p, size_t len,
			const struct rv_http_head *head, size_t *keep)
{
	struct rv_http_head again;
	struct rv_http_refusal refusal;
	struct rv_str body = { p, 0 };
	size_t used;
	if (body_is_whole(server, c, p, len, &used, &body)) {
		if (!head && rv_http_head_read(p, len, 0, &again, &refusal) != RV_HTTP_DONE)
			rv_bug("a head of %zu bytes is none any more", c->head_len);
		c->head_len = 0;
		rv_handle_request(server, c, head ? head : &again, body);
		return used;
	}
	if (c->ends)
		return len;
	c->body_seen = c->chunked ? c->body.len : len - c->head_len;
	if (!c->chunked)
		return 0;
	*keep = c->head_len;
	return used;
}

/*
 * One request from p[0..len). Number of bytes that are done with; 0: more are needed, or no more requests
 * are taken. A chunked body is decoded as it comes: its bytes are taken out behind the head by the caller,
 * `keep` says how many of the used ones are the head that is needed again.
 */
static size_t take_request(struct rv_collect_server *server, struct connection *c, const char *p, size_t len,
			   size_t *keep)
{
	struct rv_http_head head;
	struct rv_http_refusal refusal;
	*keep = 0;
	if (c->head_len)
		return take_body(server, c, p, len, NULL, keep);
	switch (rv_http_head_read(p, len, c->seen, &head, &refusal)) {
	case RV_HTTP_MORE:
		c->seen = len;
		return 0;
	case RV_HTTP_REFUSED:
		refuse(server, c, &refusal);
		return len;
	case RV_HTTP_DONE:
		break;
	}
	c->seen = 0;
	if (!rv_handle_head(server, c, &head)) {
		if (c->ends)
			return len;
		c->skip = head.content_length;
		return head.len;
	}
	c->chunks = (struct rv_http_chunks){ .digits = 0 };
	rv_strbuf_clear(&c->body);
	c->head_len = head.len;
	c->chunked = head.chunked;
	c->body_length = head.content_length;
	size_t used = take_body(server, c, p, len, &head, keep);
	if (c->head_len && !c->ends && head.expects_continue && len == head.len)
		rv_connection_answer(c, &head, ANSWER_CONTINUE, 100);
	return used;
}

/* Requests from p[0..len); what is left over goes to, or stays in, c->in. */
static void take_requests(struct rv_collect_server *server, struct connection *c, const char *p, size_t len)
{
	bool buffered = p == c->in.bytes;
	size_t at = 0, keep = 0;
	while (at < len && rv_connection_may_take(c)) {
		if (c->skip) {
			size_t n = len - at < c->skip ? len - at : (size_t)c->skip;
			c->skip -= n;
			at += n;
			continue;
		}
		size_t used = take_request(server, c, p + at, len - at, &keep);
		if (!used || keep)
			break;
		at += used;
		c->since_ms = server->now_ms;
		c->body_seen = 0;
	}
	c->held = !c->ends && !rv_connection_may_take(c) && at < len;
	if (c->ends) {
		rv_strbuf_release(&c->in);
		return;
	}
	/* Of chunks only the head is needed again: what came of them is decoded. */
	size_t left = keep ? keep : len - at;
	if (left == 0) {
		rv_strbuf_release(&c->in);
	} else if (!buffered) {
		rv_strbuf_clear(&c->in);
		rv_strbuf_add(&c->in, p + at, left);
	} else {
		memmove(c->in.bytes, c->in.bytes + at, left);
		rv_strbuf_truncate(&c->in, left);
	}
}

/* Parses what is buffered further. */
static void go_on(struct rv_collect_server *server, struct connection *c)
{
	if (c->fd < 0 || !c->in.len || !rv_connection_may_take(c))
		return;
	take_requests(server, c, c->in.bytes, c->in.len);
	/* Half of a request is none. */
	if (c->eof && rv_connection_may_take(c))
		rv_strbuf_release(&c->in);
	rv_server_count(server, c);
}

void rv_connection_flush(struct rv_collect_server *server, struct connection *c)
{
	send_answers(server, c);
	while (c->fd >= 0 && !c->lingers && c->held && rv_connection_may_take(c)) {
		go_on(server, c);
		send_answers(server, c);
	}
}

static void discard(struct rv_collect_server *server, struct connection *c)
{
	ssize_t n = recv(c->fd, server->read, sizeof(server->read), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		rv_server_close(server, c);
}

void rv_connection_readable(struct rv_collect_server *server, struct connection *c)
{
	if (c->lingers) {
		discard(server, c);
		return;
	}
	ssize_t n = recv(c->fd, server->read, sizeof(server->read), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		rv_server_close(server, c);
		return;
	}
	if (n == 0) {
		c->eof = true;
		go_on(server, c);
	} else if (!c->in.len) {
		if (!c->head_len)
			c->since_ms = server->now_ms;
		take_requests(server, c, server->read, (size_t)n);
	} else {
		rv_strbuf_add(&c->in, server->read, (size_t)n);
		take_requests(server, c, c->in.bytes, c->in.len);
	}
	rv_server_count(server, c);
	/* Somebody has to give way, and it is not those who have sent all of theirs. */
	if (server->buffered > BUFFERED_MAX_BYTES && (c->in.len || c->body.len) && !c->ends) {
		rv_connection_error(c, NULL, 503, "too much is being received at once")->retry_after_s = 1;
		rv_strbuf_release(&c->in);
		rv_strbuf_release(&c->body);
		rv_server_count(server, c);
	}
	rv_connection_flush(server, c);
}
