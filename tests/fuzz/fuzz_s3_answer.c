/*
 * Any bytes as what S3 answers: lists page by page, unfinished uploads, the head of an object, its bytes. Requests
 * end here instead of in a network; answers are judged and repeated as lib/aws does it. Whoever asks is given keys
 * of the prefix alone, each once and in order, and never asks for ever, whatever pages lead to. And keys put into
 * pages by this file, in two ways, come back as they are.
 *
 * The first byte chooses what is asked; the rest is answers with a line "%" between them: a status, header fields,
 * an empty line, a body.
 */
#include "fuzz.h"

#include "aws/s3.h"
#include "base/clock.h"
#include "base/crc.h"
#include "base/strbuf.h"
#include "format/xml.h"
#include "http/internal.h"

/* Beyond it whoever asks was led around. */
#define MOST_CALLS 64
#define PREFIX "a/"

static struct {
	const char *p;
	size_t len, at;
	bool again;       /* from the first answer on, behind the last one */
	unsigned calls, waits, aborts;
	size_t piece;     /* of a body */
} script;
static struct rv_aws *aws;
static struct rv_s3 *s3;

/* ---- in place of lib/http/retry.c ---- */

/* Up to a line "%"; false: there is no answer left. */
static bool next_answer(struct rv_str *ret)
{
	if (script.again && script.at >= script.len)
		script.at = 0;
	if (script.at >= script.len)
		return false;
	const char *p = script.p + script.at, *end = memmem(p, script.len - script.at, "\n%\n", 3);

	*ret = (struct rv_str){ p, end ? (size_t)(end - p) : script.len - script.at };
	script.at += end ? ret->len + 3 : ret->len;
	return true;
}

/* "200\nETag: x\n\nbody": as lib/http/transport.c fills it. Returns where the body starts. */
static const char *read_head(struct rv_str answer, struct rv_http_response *response)
{
	const char *p = answer.p, *end = answer.p + answer.len;

	response->status = 200;
	for (bool first = true; p < end; first = false) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl ? nl : end) - p);
		RV_CLEANUP(rv_free_p) char *line = exact_text(p, len);
		char *colon = strchr(line, ':');
		bool name = colon && colon > line && strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
								  "0123456789-") == (size_t)(colon - line);

		p = nl ? nl + 1 : end;
		if (!len)
			break;
		if (first && len == 3 && *line >= '1' && *line <= '5' && strspn(line, "0123456789") == 3) {
			response->status = atoi(line);
		} else if (name) {
			char *value = colon + 1 + strspn(colon + 1, " ");

			*colon = '\0';
			if (rv_http_value_valid(value))
				rv_http_headers_add(&response->headers, line, value);
		}
	}
	return p;
}

/* One attempt; false: no answer came. */
static bool attempt(const struct rv_http_request *request, struct rv_http_response *response, bool *ret_refused,
		    struct rv_error *err)
{
	struct rv_str answer;

	*ret_refused = false;
	if (strcmp(request->method, "DELETE") == 0) {
		script.aborts++;
		response->status = 204;
		return true;
	}
	if (!next_answer(&answer) || answer.len < 3)
		return false;
	const char *body = read_head(answer, response);
	size_t left = (size_t)(answer.p + answer.len - body);

	if (strcmp(request->method, "HEAD") == 0)
		return true;
	if (!request->sink || response->status / 100 != 2) {
		rv_strbuf_add(&response->body, body, left);
		return true;
	}
	while (left) {
		size_t n = left < script.piece ? left : script.piece;
		RV_CLEANUP(rv_free_p) char *copy = exact_copy(body, n);

		if (request->sink(request->sink_arg, copy, n, err) != RV_OK) {
			*ret_refused = true;
			return true;
		}
		body += n;
		left -= n;
	}
	return true;
}

enum rv_status rv_http_call(struct rv_http *http RV_UNUSED, const struct rv_http_call *call,
			    struct rv_http_response *response, struct rv_http_tally *ret_tally,
			    struct rv_error *err)
{
	for (unsigned i = 1;; i++) {
		struct rv_http_request request = { .body = RV_HTTP_NO_BODY };
		struct rv_error why = RV_ERROR_INIT;
		bool refused;

		CHECK(++script.calls <= 16 * MOST_CALLS);
		if (ret_tally)
			*ret_tally = (struct rv_http_tally){ .attempts = i };
		if (call->prepare(call->arg, i, &request, err) != RV_OK)
			return err->status;
		rv_http_response_clear(response);
		CHECK(strncmp(request.url, "http", 4) == 0 && strlen(request.url) < 1 << 18);
		for (const char *p = request.url; *p; p++)
			CHECK(*p > ' ' && *p < 127);
		bool answered = attempt(&request, response, &refused, &why);

		if (!answered) {
			rv_fail(&why, RV_FAILED, "nobody answers");
			why.transient = true;
		}
		if (refused) {
			*err = why;
			return err->status;
		}
		enum rv_http_verdict verdict = call->judge(call->arg, answered ? response : NULL,
							   answered ? RV_HTTP_ANSWERED : RV_HTTP_NOT_SENT, &why);

		if (verdict == RV_HTTP_DONE && answered)
			return RV_OK;
		CHECK(why.status != RV_OK && why.message[0]);
		if (verdict == RV_HTTP_GIVE_UP || verdict == RV_HTTP_DONE || i == 3) {
			*err = why;
			return err->status;
		}
	}
}

/* Between pages, and between attempts that bring nothing: here somebody who waits for an end loses patience. */
enum rv_status rv_http_wait(struct rv_http *http RV_UNUSED, int64_t ms, struct rv_error *err)
{
	CHECK(ms >= 0);
	return ++script.waits <= MOST_CALLS ? RV_OK : rv_fail(err, RV_FAILED, "stopped");
}

int64_t rv_http_backoff_ms(unsigned attempts, int64_t base_ms, int64_t max_ms)
{
	CHECK(attempts >= 1 && base_ms <= max_ms);
	return base_ms;
}

void rv_http_budget_init(struct rv_http_budget *budget RV_UNUSED)
{
}

int64_t rv_http_budget_take(struct rv_http_budget *budget RV_UNUSED, double cost RV_UNUSED, int64_t now_ms RV_UNUSED)
{
	return 0;
}

void rv_http_budget_give(struct rv_http_budget *budget RV_UNUSED, double tokens RV_UNUSED)
{
}

/* ---- what is asked ---- */

static void set_up(void)
{
	const struct rv_aws_settings_params settings = { .endpoint_url = "http://127.0.0.1:9" };
	const struct rv_http_params http = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "example", 1);
	setenv("AWS_REGION", "us-east-1", 1);
	CHECK(rv_aws_new(&settings, &http, &aws, &err) == RV_OK);
	CHECK(rv_s3_new(aws, "lake", &s3, &err) == RV_OK);
}

struct seen {
	struct rv_strbuf keys;   /* a line each */
	char *last;
	const char *after;
	unsigned count;
	bool ours;               /* they are of pages that this file made: as it gave them */
};

static enum rv_status see(void *arg, const struct rv_s3_object *object, struct rv_error *err RV_UNUSED)
{
	struct seen *seen = arg;

	CHECK(strncmp(object->key, PREFIX, strlen(PREFIX)) == 0);
	CHECK(!seen->last || strcmp(seen->last, object->key) < 0);
	CHECK(!seen->after || strcmp(seen->after, object->key) < 0);
	CHECK(memchr(object->etag, '\0', sizeof(object->etag)) && object->modified_ms >= -1);
	CHECK(!seen->ours || object->key[strlen(object->key) - 1] == '/' ||
	      (object->bytes == seen->count && strcmp(object->etag, "\"e\"") == 0));
	rv_strbuf_printf(&seen->keys, "%s\n", object->key);
	free(seen->last);
	seen->last = rv_strdup(object->key);
	seen->count++;
	return RV_OK;
}

static void seen_release(struct seen *seen)
{
	rv_strbuf_release(&seen->keys);
	free(seen->last);
}

/* True: it is none. */
static bool check_refusal(enum rv_status status, const struct rv_error *err)
{
	CHECK(status == RV_OK || (status == err->status && err->message[0] &&
				  memchr(err->message, '\0', sizeof(err->message))));
	return status == RV_OK;
}

static void try_list(unsigned how)
{
	RV_CLEANUP(seen_release) struct seen seen = { .keys = RV_STRBUF_INIT, .after = how & 1 ? PREFIX "m" : NULL };
	struct rv_error err = RV_ERROR_INIT;

	(void)check_refusal(rv_s3_list(s3, PREFIX, seen.after, how & 2, see, &seen, &err), &err);
}

static void try_uploads(bool remove)
{
	struct rv_error err = RV_ERROR_INIT;
	uint64_t count = 0;
	enum rv_status status = remove ? rv_s3_abort_uploads(s3, PREFIX, 0, &count, &err)
				       : rv_s3_count_uploads(s3, PREFIX, 0, &count, &err);

	(void)check_refusal(status, &err);
	CHECK(remove ? script.aborts >= count : script.aborts == 0);
}

static void try_head(void)
{
	struct rv_s3_object object = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	if (check_refusal(rv_s3_head(s3, "k", &object, &err), &err))
		CHECK(object.etag[0] && memchr(object.etag, '\0', sizeof(object.etag)));
}

static enum rv_status keep(void *arg, const void *p, size_t len, struct rv_error *err RV_UNUSED)
{
	rv_strbuf_add(arg, p, len);
	return RV_OK;
}

/* What was read is the first answer's bytes, in whatever pieces they came. */
static void try_read(uint64_t from)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT, again = RV_STRBUF_INIT;
	struct rv_s3_object object = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	enum rv_status status = rv_s3_read(s3, "k", from, NULL, keep, &out, &object, &err);

	if (check_refusal(status, &err))
		CHECK(object.etag[0] && object.bytes == from + out.len);

	err = (struct rv_error)RV_ERROR_INIT;
	script.at = script.calls = script.waits = 0;
	script.piece = 1 << 16;
	CHECK(rv_s3_read(s3, "k", from, NULL, keep, &again, &object, &err) == status);
	CHECK(status != RV_OK || (out.len == again.len && memcmp(out.bytes, again.bytes, out.len) == 0));
}

/* ---- pages of our own ---- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_key(struct rv_strbuf *out, const char *element, const char *key, bool encoded)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	/* as S3 does: a space is a plus */
	for (const char *p = key; *p; p++) {
		if (*p == ' ')
			rv_strbuf_puts(&text, "+");
		else
			rv_http_encode(&text, p, 1, true);
	}
	rv_strbuf_printf(out, "<%s>", element);
	rv_xml_escape(out, encoded ? text.bytes : key);
	rv_strbuf_printf(out, "</%s>", element);
}

static void make_pages(char *const *keys, size_t count, size_t a_page, bool encoded, struct rv_strbuf *out)
{
	for (size_t i = 0, objects = 0; i < count || !i; i += a_page) {
		bool more = i + a_page < count;

		rv_strbuf_printf(out, "200\n\n<ListBucketResult>%s<IsTruncated>%s</IsTruncated>",
				 encoded ? "<EncodingType>url</EncodingType>" : "", more ? "true" : "false");
		if (more)
			rv_strbuf_printf(out, "<NextContinuationToken>t%zu</NextContinuationToken>", i);
		for (size_t k = i; k < count && k < i + a_page; k++, objects++) {
			bool folder = keys[k][strlen(keys[k]) - 1] == '/';

			rv_strbuf_puts(out, folder ? "<CommonPrefixes>" : "<Contents>");
			put_key(out, folder ? "Prefix" : "Key", keys[k], encoded);
			rv_strbuf_printf(out, folder ? "</CommonPrefixes>"
						     : "<Size>%zu</Size><ETag>\"e\"</ETag></Contents>", objects);
		}
		rv_strbuf_puts(out, more ? "</ListBucketResult>\n%\n" : "</ListBucketResult>");
	}
}

/* Text is lines; what XML cannot hold unencoded is left out of keys. */
static void check_round(const char *text, size_t a_page, bool encoded)
{
	char *keys[40];
	size_t count = 0, kept = 0;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf pages = RV_STRBUF_INIT, wanted = RV_STRBUF_INIT;
	RV_CLEANUP(seen_release) struct seen seen = { .keys = RV_STRBUF_INIT, .ours = true };
	struct rv_error err = RV_ERROR_INIT;

	while (*text && count < sizeof(keys) / sizeof(*keys)) {
		size_t len = strcspn(text, "\n");
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;

		rv_strbuf_puts(&key, PREFIX);
		for (size_t i = 0; i < len && i < 60; i++)
			if (encoded ? text[i] != '%' : text[i] > ' ' && text[i] < 127 && text[i] != '%')
				rv_strbuf_putc(&key, text[i]);
		keys[count++] = rv_strdup(key.bytes);
		text += len + (text[len] == '\n');
	}
	qsort(keys, count, sizeof(*keys), compare);
	for (size_t i = 0; i < count; i++) {
		if (kept && strcmp(keys[kept - 1], keys[i]) == 0)
			free(keys[i]);
		else
			keys[kept++] = keys[i];
	}
	make_pages(keys, kept, a_page, encoded, &pages);
	for (size_t i = 0; i < kept; i++) {
		rv_strbuf_printf(&wanted, "%s\n", keys[i]);
		free(keys[i]);
	}
	script.p = pages.bytes;
	script.len = pages.len;
	enum rv_status status = rv_s3_list(s3, PREFIX, NULL, true, see, &seen, &err);

	if (status != RV_OK)
		fprintf(stderr, "%s\n%s\n", err.message, pages.bytes);
	CHECK(status == RV_OK && script.at == script.len);
	CHECK(strcmp(seen.keys.bytes, wanted.bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 16 << 10)
		return 0;
	if (!s3)
		set_up();
	RV_CLEANUP(rv_free_p) char *p = exact_text(data + 1, size - 1);
	unsigned how = data[0] >> 3;

	memset(&script, 0, sizeof(script));
	script.p = p;
	script.len = size - 1;
	script.piece = 1 + how % 7;
	script.again = how & 16;
	switch (data[0] & 7) {
	case 0:
	case 1: try_list(how); break;
	case 2: try_uploads(false); break;
	case 3: try_uploads(true); break;
	case 4: try_head(); break;
	case 5: try_read(how & 8 ? how & 7 : 0); break;
	default: check_round(p, 1 + how % 8, data[0] & 1);
	}
	return 0;
}
