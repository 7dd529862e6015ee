/* The strict reader of requests: a head at once, a chunked body byte by byte where it is not data. */
#include "http/server_request.h"

#include <string.h>

/* Of one chunk; nobody is known to send any. */
#define EXTENSION_MAX_BYTES 256

static enum rv_http_read refuse(struct rv_http_refusal *refusal, int status, const char *why)
{
	*refusal = (struct rv_http_refusal){ status, why };
	return RV_HTTP_REFUSED;
}

/* RFC 9110, tchar */
static const bool is_token_byte[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true,
	['!'] = true, ['#' ... '\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,
	['^' ... '`'] = true, ['|'] = true, ['~'] = true,
};

static bool is_token(unsigned char c)
{
	return is_token_byte[c];
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool rv_http_name_is(struct rv_str name, const char *low)
{
	for (size_t i = 0; i < name.len; i++)
		if (!low[i] || lower(name.p[i]) != low[i])
			return false;
	return low[name.len] == '\0';
}

const struct rv_http_field *rv_http_head_field(const struct rv_http_head *head, const char *name)
{
	for (size_t i = 0; i < head->fields_count; i++)
		if (rv_http_name_is(head->fields[i].name, name))
			return &head->fields[i];
	return NULL;
}

/* ---- where the head ends ---- */

/* Index behind the empty line; 0: not yet, `*bad` is set when it never can. */
static size_t find_end(const char *p, size_t len, size_t from, bool *bad)
{
	const char *at = p + from, *end = p + len;
	while ((at = memchr(at, '\n', (size_t)(end - at)))) {
		size_t i = (size_t)(at - p);
		if (i == 0 || p[i - 1] != '\r') {
			*bad = true;
			return 0;
		}
		if (i >= 3 && p[i - 2] == '\n')
			return i + 1;
		at++;
	}
	return 0;
}

/* ---- the request line ---- */

static bool is_target(struct rv_str target)
{
	for (size_t i = 0; i < target.len; i++)
		/* Browsers leave {|}^` as they are in a query. */
		if (target.p[i] <= ' ' || target.p[i] > '~' || target.p[i] == '#')
			return false;
	return target.len > 0;
}

static bool is_host(struct rv_str host)
{
	static const bool in_host[256] = { ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true,
					   ['.'] = true, ['-'] = true, ['_'] = true, [':'] = true,
					   ['['] = true, [']'] = true };
	for (size_t i = 0; i < host.len; i++)
		if (!in_host[(unsigned char)host.p[i]])
			return false;
	return host.len > 0;
}

/* "http://host/path?query", as a proxy would send it: the host of the target is the one that counts. */
static bool split_absolute(struct rv_str *target, struct rv_str *host)
{
	static const char *const schemes[] = { "http://", "https://" };
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);
		if (target->len <= n || !rv_http_name_is((struct rv_str){ target->p, n }, schemes[i]))
			continue;
		host->p = target->p + n;
		host->len = 0;
		while (n + host->len < target->len && !strchr("/?", host->p[host->len]))
			host->len++;
		target->p += n + host->len;
		target->len -= n + host->len;
		return is_host(*host) && target->len > 0 && target->p[0] == '/';
	}
	return false;
}

static enum rv_http_read read_version(struct rv_str version, struct rv_http_head *ret,
				      struct rv_http_refusal *refusal)
{
	if (rv_str_is(version, "HTTP/1.1"))
		ret->minor = 1;
	else if (rv_str_is(version, "HTTP/1.0"))
		ret->minor = 0;
	else if (version.len == 8 && !memcmp(version.p, "HTTP/", 5) && version.p[5] >= '0' &&
		 version.p[5] <= '9' && version.p[6] == '.' && version.p[7] >= '0' && version.p[7] <= '9')
		return refuse(refusal, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	else
		return refuse(refusal, 400, "the request line has no version of HTTP");
	return RV_HTTP_DONE;
}

static enum rv_http_read read_line(struct rv_str line, struct rv_http_head *ret,
				   struct rv_http_refusal *refusal)
{
	size_t at = 0;
	while (at < line.len && is_token((unsigned char)line.p[at]))
		at++;
	if (at == 0 || at > 32 || at == line.len || line.p[at] != ' ')
		return refuse(refusal, 400, "the request line does not begin with a method");
	ret->method = (struct rv_str){ line.p, at };
	struct rv_str rest = { line.p + at + 1, line.len - at - 1 };
	const char *blank = memchr(rest.p, ' ', rest.len);
	if (!blank)
		return refuse(refusal, 400, "the request line has no version of HTTP");
	struct rv_str target = { rest.p, (size_t)(blank - rest.p) };
	struct rv_str version = { blank + 1, rest.len - target.len - 1 };
	if (read_version(version, ret, refusal) != RV_HTTP_DONE)
		return RV_HTTP_REFUSED;
	if (target.len > RV_HTTP_TARGET_MAX)
		return refuse(refusal, 414, "the target is too long");
	if (!is_target(target))
		return refuse(refusal, 400, "the target holds what has to be encoded there");
	if (target.p[0] != '/' && !(rv_str_is(target, "*") && rv_str_is(ret->method, "OPTIONS")) &&
	    !split_absolute(&target, &ret->host))
		return refuse(refusal, 400, "the target is no path");
	const char *mark = memchr(target.p, '?', target.len);
	ret->path = (struct rv_str){ target.p, mark ? (size_t)(mark - target.p) : target.len };
	if (mark)
		ret->query = (struct rv_str){ mark + 1, target.len - ret->path.len - 1 };
	return RV_HTTP_DONE;
}

/* ---- fields ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static enum rv_http_read read_field(struct rv_str line, struct rv_http_head *ret,
				    struct rv_http_refusal *refusal)
{
	if (is_blank(line.p[0]))
		return refuse(refusal, 400, "a header field goes on in another line");
	size_t name = 0;
	while (name < line.len && is_token((unsigned char)line.p[name]))
		name++;
	if (name == 0 || name == line.len || line.p[name] != ':')
		return refuse(refusal, 400, "a header line is no name and a colon");
	if (ret->fields_count == RV_HTTP_FIELDS_MAX)
		return refuse(refusal, 431, "too many header fields");
	struct rv_str value = { line.p + name + 1, line.len - name - 1 };
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return refuse(refusal, 400, "a header value holds a control character");
	}
	while (value.len && is_blank(value.p[0])) {
		value.p++;
		value.len--;
	}
	while (value.len && is_blank(value.p[value.len - 1]))
		value.len--;
	ret->fields[ret->fields_count++] =
		(struct rv_http_field){ .name = { line.p, name }, .value = value };
	return RV_HTTP_DONE;
}

static bool read_length(struct rv_str value, uint64_t *ret)
{
	uint64_t n = 0;
	if (value.len == 0 || value.len > 18)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(value.p[i] - '0');
	}
	*ret = n;
	return true;
}

/* Does the list hold this token? */
static bool lists(struct rv_str list, const char *token)
{
	size_t at = 0;
	while (at < list.len) {
		size_t end = at;
		while (end < list.len && list.p[end] != ',')
			end++;
		struct rv_str item = { list.p + at, end - at };
		while (item.len && is_blank(item.p[0])) {
			item.p++;
			item.len--;
		}
		while (item.len && is_blank(item.p[item.len - 1]))
			item.len--;
		if (rv_http_name_is(item, token))
			return true;
		at = end + 1;
	}
	return false;
}

/* What the fields say about the message itself. */
static enum rv_http_read read_framing(struct rv_http_head *ret, struct rv_http_refusal *refusal)
{
	bool has_length = false, has_host = false, close = false, keep = false;
	for (size_t i = 0; i < ret->fields_count; i++) {
		const struct rv_http_field *f = &ret->fields[i];
		if (rv_http_name_is(f->name, "content-length")) {
			if (has_length)
				return refuse(refusal, 400, "Content-Length stands there twice");
			if (!read_length(f->value, &ret->content_length))
				return refuse(refusal, 400, "Content-Length is no number");
			has_length = true;
		} else if (rv_http_name_is(f->name, "transfer-encoding")) {
			if (ret->chunked)
				return refuse(refusal, 400, "Transfer-Encoding stands there twice");
			if (ret->minor == 0)
				return refuse(refusal, 400, "HTTP/1.0 has no Transfer-Encoding");
			if (!rv_http_name_is(f->value, "chunked"))
				return refuse(refusal, 501, "only chunked is known as Transfer-Encoding");
			ret->chunked = true;
		} else if (rv_http_name_is(f->name, "host")) {
			if (has_host)
				return refuse(refusal, 400, "Host stands there twice");
			if (!is_host(f->value))
				return refuse(refusal, 400, "Host is no name of a host");
			has_host = true;
			if (!ret->host.len)
				ret->host = f->value;
		} else if (rv_http_name_is(f->name, "connection")) {
			close = close || lists(f->value, "close");
			keep = keep || lists(f->value, "keep-alive");
		} else if (rv_http_name_is(f->name, "expect")) {
			if (!rv_http_name_is(f->value, "100-continue"))
				return refuse(refusal, 417, "nothing but 100-continue can be expected");
			ret->expects_continue = ret->minor == 1;
		}
	}
	if (has_length && ret->chunked)
		return refuse(refusal, 400, "Content-Length and Transfer-Encoding exclude each other");
	if (!has_host && ret->minor == 1)
		return refuse(refusal, 400, "Host is missing");
	ret->keep_alive = !close && (ret->minor == 1 || keep);
	ret->expects_continue = ret->expects_continue && (ret->chunked || ret->content_length);
	return RV_HTTP_DONE;
}

enum rv_http_read rv_http_head_read(const char *p, size_t len, size_t seen, struct rv_http_head *ret,
				    struct rv_http_refusal *refusal)
{
	/* One empty line before a request is some clients' end of the body before it. */
	size_t begin = len >= 2 && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
	bool bad = false;
	/* Not as the end of the head, which it is not. */
	size_t from = seen > begin ? seen : begin;
	size_t end = find_end(p + begin, len - begin, from - begin, &bad);
	if (bad)
		return refuse(refusal, 400, "a line ends without CR");
	if ((end ? end : len - begin) > RV_HTTP_HEAD_MAX)
		return refuse(refusal, 431, "the head is too long");
	if (!end)
		return RV_HTTP_MORE;
	ret->query = ret->host = (struct rv_str){ NULL, 0 };
	ret->chunked = ret->expects_continue = false;
	ret->content_length = 0;
	ret->fields_count = 0;
	ret->len = begin + end;
	const char *at = p + begin, *last = p + begin + end - 2; /* the empty line */
	for (bool first = true; at < last; first = false) {
		const char *lf = memchr(at, '\n', (size_t)(last - at));
		struct rv_str line = { at, (size_t)(lf - at) - 1 };
		if (memchr(line.p, '\r', line.len))
			return refuse(refusal, 400, "a CR stands within a line");
		enum rv_http_read read = first ? read_line(line, ret, refusal)
					       : read_field(line, ret, refusal);
		if (read != RV_HTTP_DONE)
			return read;
		at = lf + 1;
	}
	return read_framing(ret, refusal);
}

/* ---- chunks ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum rv_http_read size_is_read(struct rv_http_chunks *chunks, uint64_t max_bytes,
				      struct rv_http_refusal *refusal)
{
	if (chunks->left > max_bytes || chunks->total > max_bytes - chunks->left)
		return refuse(refusal, 413, "the body is too long");
	chunks->state = chunks->left ? RV_HTTP_CHUNK_DATA : RV_HTTP_CHUNK_END_CR;
	return RV_HTTP_MORE;
}

static enum rv_http_read read_size(struct rv_http_chunks *chunks, char c,
				   struct rv_http_refusal *refusal)
{
	int digit = hex_digit(c);
	if (digit >= 0) {
		/* 16 digits and no overflow; a leading zero is a digit like any other. */
		if (chunks->digits == 16)
			return refuse(refusal, 400, "the size of a chunk is too long");
		chunks->left = chunks->left << 4 | (uint64_t)digit;
		chunks->digits++;
		return RV_HTTP_MORE;
	}
	if (!chunks->digits || (c != '\r' && c != ';'))
		return refuse(refusal, 400, "a chunk does not begin with its size");
	chunks->digits = 0;
	chunks->extension_bytes = 0;
	chunks->state = c == ';' ? RV_HTTP_CHUNK_EXTENSION : RV_HTTP_CHUNK_SIZE_LF;
	return RV_HTTP_MORE;
}

static enum rv_http_read read_extension(struct rv_http_chunks *chunks, char c,
					struct rv_http_refusal *refusal)
{
	if (c == '\r')
		chunks->state = RV_HTTP_CHUNK_SIZE_LF;
	else if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
		return refuse(refusal, 400, "the extension of a chunk holds a control character");
	else if (++chunks->extension_bytes > EXTENSION_MAX_BYTES)
		return refuse(refusal, 400, "the extension of a chunk is too long");
	return RV_HTTP_MORE;
}

/* One byte that is no data. */
static enum rv_http_read read_byte(struct rv_http_chunks *chunks, char c, uint64_t max_bytes,
				   struct rv_http_refusal *refusal)
{
	switch (chunks->state) {
	case RV_HTTP_CHUNK_SIZE:
		return read_size(chunks, c, refusal);
	case RV_HTTP_CHUNK_EXTENSION:
		return read_extension(chunks, c, refusal);
	case RV_HTTP_CHUNK_SIZE_LF:
		if (c == '\n')
			return size_is_read(chunks, max_bytes, refusal);
		break;
	case RV_HTTP_CHUNK_DATA:
		break;
	case RV_HTTP_CHUNK_DATA_CR:
		chunks->state = RV_HTTP_CHUNK_DATA_LF;
		if (c == '\r')
			return RV_HTTP_MORE;
		break;
	case RV_HTTP_CHUNK_DATA_LF:
		chunks->state = RV_HTTP_CHUNK_SIZE;
		if (c == '\n')
			return RV_HTTP_MORE;
		break;
	case RV_HTTP_CHUNK_END_CR:
		chunks->state = RV_HTTP_CHUNK_END_LF;
		if (c == '\r')
			return RV_HTTP_MORE;
		return refuse(refusal, 400, "trailers are not taken");
	case RV_HTTP_CHUNK_END_LF:
		if (c == '\n')
			return RV_HTTP_DONE;
		break;
	}
	return refuse(refusal, 400, "a chunk does not end where it should");
}

enum rv_http_read rv_http_chunks_read(struct rv_http_chunks *chunks, const char *p, size_t len,
				      uint64_t max_bytes, size_t *used, struct rv_str *data,
				      struct rv_http_refusal *refusal)
{
	*data = (struct rv_str){ p, 0 };
	*used = 0;
	while (*used < len) {
		if (chunks->state == RV_HTTP_CHUNK_DATA) {
			size_t n = len - *used < chunks->left ? len - *used : (size_t)chunks->left;
			*data = (struct rv_str){ p + *used, n };
			*used += n;
			chunks->left -= n;
			chunks->total += n;
			if (!chunks->left)
				chunks->state = RV_HTTP_CHUNK_DATA_CR;
			return RV_HTTP_MORE;
		}
		enum rv_http_read read = read_byte(chunks, p[(*used)++], max_bytes, refusal);
		if (read != RV_HTTP_MORE)
			return read;
	}
	return RV_HTTP_MORE;
}
