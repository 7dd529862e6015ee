/*
 * Any bytes as what S3 answers: lists page by page, unfinished uploads, the head of an object, its bytes. Whoever
 * asks is given keys of the prefix alone, each once and in order, and never asks for ever, whatever pages lead to.
 * And keys put into pages by this file, in two ways, come back as they are. The first byte chooses what is asked;
 * the rest is answers (answers.h).
 */
#include "fuzz.h"

#include "answers.h"
#include "aws/s3.h"
#include "format/xml.h"

#define PREFIX "a/"

static struct rv_s3 *s3;

/* ---- what is asked ---- */

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
	/* it goes into the next If-Match */
	CHECK(rv_http_value_valid(object->etag));
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
		CHECK(object.etag[0] && memchr(object.etag, '\0', sizeof(object.etag)) && object.modified_ms >= -1);
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
		CHECK(object.etag[0] && object.bytes == from + out.len && object.modified_ms >= -1);

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
	if (!s3) {
		struct rv_error err = RV_ERROR_INIT;

		answers_set_up();
		CHECK(rv_s3_new(answers_aws, "lake", &s3, &err) == RV_OK);
	}
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
