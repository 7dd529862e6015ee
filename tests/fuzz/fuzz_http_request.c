/*
 * Any bytes as requests: read whole and as they trickle in they are the same; what is taken has one meaning
 * only (a length or chunks, no control characters, a path), and nothing points outside. Chunked bodies are
 * the same in pieces of any size.
 */
#include "fuzz.h"

#include "http/server_request.h"

static void inside(struct rv_str s, const char *p, size_t len)
{
	CHECK(!s.p || (s.p >= p && s.p + s.len <= p + len));
	CHECK(!memchr(s.p ? s.p : "", '\n', s.len) && !memchr(s.p ? s.p : "", '\r', s.len) &&
	      !memchr(s.p ? s.p : "", '\0', s.len));
}

static void check_head(const struct rv_http_head *head, const char *p, size_t len)
{
	size_t lengths = 0, encodings = 0, hosts = 0;
	CHECK(head->len >= 4 && head->len <= len && memcmp(p + head->len - 4, "\r\n\r\n", 4) == 0);
	CHECK(head->fields_count <= RV_HTTP_FIELDS_MAX);
	CHECK(head->method.len > 0 && head->path.len > 0 && (head->path.p[0] == '/' || head->path.p[0] == '*'));
	inside(head->method, p, head->len);
	inside(head->path, p, head->len);
	inside(head->query, p, head->len);
	inside(head->host, p, head->len);
	for (size_t i = 0; i < head->fields_count; i++) {
		inside(head->fields[i].name, p, head->len);
		inside(head->fields[i].value, p, head->len);
		CHECK(head->fields[i].name.len > 0);
		lengths += rv_http_name_is(head->fields[i].name, "content-length");
		encodings += rv_http_name_is(head->fields[i].name, "transfer-encoding");
		hosts += rv_http_name_is(head->fields[i].name, "host");
	}
	CHECK(lengths + encodings <= 1 && hosts <= 1 && head->chunked == (encodings == 1));
	CHECK(!head->chunked || head->content_length == 0);
	CHECK(head->minor == 0 || hosts == 1);
}

static enum rv_http_read decode(const char *p, size_t len, size_t piece, struct rv_strbuf *out, size_t *end)
{
	struct rv_http_chunks chunks = { .digits = 0 };
	struct rv_http_refusal refusal;
	for (size_t at = 0; at < len;) {
		size_t n = len - at < piece ? len - at : piece, used;
		struct rv_str bytes;
		enum rv_http_read read = rv_http_chunks_read(&chunks, p + at, n, 4096, &used, &bytes, &refusal);
		CHECK(used > 0 && used <= n);
		CHECK(bytes.p >= p + at && bytes.p + bytes.len <= p + at + n);
		rv_strbuf_add(out, bytes.p, bytes.len);
		at += used;
		*end = at;
		if (read != RV_HTTP_MORE)
			return read;
	}
	return RV_HTTP_MORE;
}

static void check_chunks(const char *p, size_t len)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf whole = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf pieces = RV_STRBUF_INIT;
	size_t end = 0, other_end = 0;
	enum rv_http_read read = decode(p, len, len, &whole, &end);
	CHECK(decode(p, len, 1 + len % 3, &pieces, &other_end) == read);
	CHECK(whole.len == pieces.len && memcmp(whole.bytes, pieces.bytes, whole.len) == 0);
	CHECK(whole.len <= 4096);
	CHECK(read == RV_HTTP_MORE || end == other_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_http_head head, trickled;
	struct rv_http_refusal refusal = { 0, NULL }, earlier = { 0, NULL };
	/* Exactly the bytes that may be read. */
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(size);
	memcpy(text, data, size);
	enum rv_http_read read = rv_http_head_read(text, size, 0, &head, &refusal), step = RV_HTTP_MORE;
	if (read == RV_HTTP_DONE)
		check_head(&head, text, size);
	if (read == RV_HTTP_REFUSED)
		CHECK(refusal.status >= 400 && refusal.status < 600 && refusal.why && refusal.why[0]);
	for (size_t n = 0, seen = 0; n <= size && step == RV_HTTP_MORE; n += 1 + n / 64) {
		step = rv_http_head_read(text, n, seen, &trickled, &earlier);
		seen = n;
	}
	if (step == RV_HTTP_DONE) {
		CHECK(read == RV_HTTP_DONE && trickled.len == head.len &&
		      trickled.content_length == head.content_length &&
		      trickled.fields_count == head.fields_count);
	}
	CHECK(step != RV_HTTP_REFUSED || read == RV_HTTP_REFUSED);
	check_chunks(text + (read == RV_HTTP_DONE ? head.len : 0),
		     size - (read == RV_HTTP_DONE ? head.len : 0));
	return 0;
}
