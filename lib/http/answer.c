/* Lines of the head are gathered and judged one by one; a body is only counted. */
#include "http/answer.h"

#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "http/http.h"

enum { STATUS_LINE, HEADERS, BODY, TO_CLOSE, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILERS };

void rv_http_answer_init(struct rv_http_answer *a)
{
	a->status = 0;
	a->keep = false;
	a->retry_after_ms = -1;
	a->fault = NULL;
	a->part = STATUS_LINE;
	a->line_len = 0;
	a->behind_cr = false;
	a->head_bytes = 0;
	a->left = a->body_bytes = 0;
	a->old = a->has_length = a->chunked = a->close = a->keep_alive = false;
	a->date_ms = a->retry_date_ms = -1;
}

bool rv_http_answer_fresh(const struct rv_http_answer *a)
{
	return a->part == STATUS_LINE && a->head_bytes == 0;
}

static enum rv_http_answer_state broken(struct rv_http_answer *a, const char *why)
{
	a->fault = why;
	return RV_HTTP_ANSWER_BROKEN;
}

static enum rv_http_answer_state done(struct rv_http_answer *a)
{
	a->keep = !a->close && (!a->old || a->keep_alive) && a->part != TO_CLOSE;
	return RV_HTTP_ANSWER_DONE;
}

int64_t rv_http_answer_retry_after_ms(const struct rv_http_answer *a, int64_t now_ms)
{
	if (a->retry_date_ms < 0)
		return a->retry_after_ms;
	return rv_http_wait_until_ms(a->retry_date_ms, a->date_ms, now_ms);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool status_line(struct rv_http_answer *a)
{
	const char *s = a->line;

	if (a->line_len < 12 || memcmp(s, "HTTP/1.", 7) != 0 || (s[7] != '0' && s[7] != '1') ||
	    s[8] != ' ' || s[9] < '1' || s[9] > '5' || !is_digit(s[10]) || !is_digit(s[11]) ||
	    (a->line_len > 12 && s[12] != ' '))
		return false;
	a->old = s[7] == '0';
	a->status = (s[9] - '0') * 100 + (s[10] - '0') * 10 + (s[11] - '0');
	return true;
}

/* Whether `word` is one of a list between commas. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; *p;) {
		p += strspn(p, " \t,");
		size_t n = strcspn(p, " \t,");

		if (n == len && strncasecmp(p, word, len) == 0)
			return true;
		p += n;
	}
	return false;
}

static const char *header_value(struct rv_http_answer *a, size_t name_len)
{
	char *v = a->line + name_len + 1;

	while (*v == ' ' || *v == '\t')
		v++;
	for (size_t n = strlen(v); n && (v[n - 1] == ' ' || v[n - 1] == '\t'); n--)
		v[n - 1] = '\0';
	return v;
}

static const char *header(struct rv_http_answer *a)
{
	size_t name_len = strcspn(a->line, ":");
	uint64_t n;

	if (!name_len || a->line[name_len] != ':' || strcspn(a->line, " \t") < name_len)
		return "a header that is none";
	if (memchr(a->line, '\0', a->line_len))
		return "a NUL in a header";
	bool cut = a->line_len == sizeof(a->line) - 1;

#define IS(name) (name_len == sizeof(name) - 1 && strncasecmp(a->line, name, name_len) == 0)
	if (IS("content-length")) {
		const char *v = header_value(a, name_len);

		if (cut)
			return "a header that is too long";
		if (!rv_parse_u64(v, strlen(v), &n))
			return "a Content-Length that is none";
		if (a->has_length && n != a->left)
			return "two Content-Lengths";
		a->has_length = true;
		a->left = n;
	} else if (IS("transfer-encoding")) {
		if (a->chunked || strcasecmp(header_value(a, name_len), "chunked") != 0)
			return "a Transfer-Encoding that is not chunked";
		a->chunked = true;
	} else if (IS("connection")) {
		const char *v = header_value(a, name_len);

		if (cut)
			return "a header that is too long";
		a->close |= has_word(v, "close");
		a->keep_alive |= has_word(v, "keep-alive");
	} else if (IS("date")) {
		if (!rv_http_parse_date(header_value(a, name_len), &a->date_ms))
			a->date_ms = -1;
	} else if (IS("retry-after")) {
		const char *v = header_value(a, name_len);

		if (rv_parse_u64(v, strlen(v), &n))
			a->retry_after_ms = rv_http_wait_s_ms(n);
		else if (!rv_http_parse_date(v, &a->retry_date_ms))
			a->retry_date_ms = -1;
	}
#undef IS
	return NULL;
}

/* The blank line behind the headers. */
static enum rv_http_answer_state head_ended(struct rv_http_answer *a)
{
	if (a->status < 200) {
		if (a->status == 101)
			return broken(a, "it switches to another protocol");
		size_t head_bytes = a->head_bytes;

		rv_http_answer_init(a);
		a->head_bytes = head_bytes; /* a flood of them is bounded like one head */
		return RV_HTTP_ANSWER_MORE;
	}
	if (a->has_length && a->chunked)
		return broken(a, "both a Content-Length and a Transfer-Encoding");
	if (a->status == 204 || a->status == 304) {
		if (a->chunked || (a->status == 204 && a->has_length && a->left))
			return broken(a, "a body where none can be");
		return done(a);
	}
	if (a->chunked) {
		a->part = CHUNK_SIZE;
		return RV_HTTP_ANSWER_MORE;
	}
	if (a->has_length) {
		if (!a->left)
			return done(a);
		if (a->left > RV_HTTP_SKIP_BYTES)
			return broken(a, "a body of more than 1 MiB");
		a->part = BODY;
		return RV_HTTP_ANSWER_MORE;
	}
	a->part = TO_CLOSE;
	return RV_HTTP_ANSWER_MORE;
}

static enum rv_http_answer_state chunk_size(struct rv_http_answer *a)
{
	size_t n = strspn(a->line, "0123456789abcdefABCDEF");

	if (!n || n > 15 || (a->line[n] && !strchr("; \t", a->line[n])) ||
	    !rv_parse_hex64(a->line, n, &a->left))
		return broken(a, "a chunk without its size");
	if (a->left > RV_HTTP_SKIP_BYTES || a->body_bytes + a->left > RV_HTTP_SKIP_BYTES)
		return broken(a, "a body of more than 1 MiB");
	a->body_bytes += a->left;
	a->part = a->left ? CHUNK : TRAILERS;
	return RV_HTTP_ANSWER_MORE;
}

static enum rv_http_answer_state line_ended(struct rv_http_answer *a)
{
	const char *fault;

	a->line[a->line_len] = '\0';
	switch (a->part) {
	case STATUS_LINE:
		if (!status_line(a))
			return broken(a, "no answer of HTTP/1.1");
		a->part = HEADERS;
		return RV_HTTP_ANSWER_MORE;
	case HEADERS:
		if (!a->line_len)
			return head_ended(a);
		fault = header(a);
		return fault ? broken(a, fault) : RV_HTTP_ANSWER_MORE;
	case CHUNK_SIZE:
		return chunk_size(a);
	case CHUNK_END:
		if (a->line_len)
			return broken(a, "a chunk longer than its size");
		a->part = CHUNK_SIZE;
		return RV_HTTP_ANSWER_MORE;
	default: /* TRAILERS */
		return a->line_len ? RV_HTTP_ANSWER_MORE : done(a);
	}
}

/* One line, up to its '\n'. What is too long is kept as far as it is looked at. */
static enum rv_http_answer_state take_line(struct rv_http_answer *a, const char *p, size_t len,
					   size_t *ret_used)
{
	const char *newline = memchr(p, '\n', len);
	size_t n = newline ? (size_t)(newline - p) : len;
	size_t room = sizeof(a->line) - 1 - a->line_len, take = n < room ? n : room;

	memcpy(a->line + a->line_len, p, take);
	a->line_len += take;
	if (n)
		a->behind_cr = p[n - 1] == '\r';
	*ret_used = n + (newline != NULL);
	a->head_bytes += *ret_used;
	if (a->head_bytes > RV_HTTP_HEAD_BYTES)
		return broken(a, "a head of more than 64 KiB");
	if (!newline)
		return RV_HTTP_ANSWER_MORE;
	if (!a->behind_cr)
		return broken(a, "a line that ends without CR");
	if (a->line[a->line_len - 1] == '\r')
		a->line_len--;
	enum rv_http_answer_state state = line_ended(a);

	a->line_len = 0;
	a->behind_cr = false;
	return state;
}

enum rv_http_answer_state rv_http_answer_feed(struct rv_http_answer *a, const char *p, size_t len,
					      size_t *ret_used)
{
	enum rv_http_answer_state state = RV_HTTP_ANSWER_MORE;
	size_t at = 0;

	*ret_used = 0;
	if (!len)
		return a->part == TO_CLOSE ? done(a) : broken(a, "it ends early");
	while (at < len && state == RV_HTTP_ANSWER_MORE) {
		size_t n;

		switch (a->part) {
		case BODY:
		case CHUNK:
			n = len - at < a->left ? len - at : (size_t)a->left;
			a->left -= n;
			at += n;
			if (a->left)
				break;
			if (a->part == BODY)
				state = done(a);
			a->part = CHUNK_END;
			break;
		case TO_CLOSE:
			a->body_bytes += len - at;
			at = len;
			if (a->body_bytes > RV_HTTP_SKIP_BYTES)
				state = broken(a, "a body of more than 1 MiB");
			break;
		default:
			state = take_line(a, p + at, len - at, &n);
			at += n;
		}
	}
	*ret_used = at;
	return state;
}
