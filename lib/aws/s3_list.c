/* Lists, page by page: ListObjectsV2, and uploads that were begun and never finished. */
#include <stdlib.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/xml.h"

/* A page of 1,000 keys of 1,024 bytes, each written as %XX, with what stands around them. */
#define PAGE_BYTES_MAX ((size_t)8 << 20)
/* In a row; each stands for a thousand and more versions that were deleted. */
#define EMPTY_PAGES_MAX 10000

static void add_query(struct rv_strbuf *query, const char *name, const char *value)
{
	rv_strbuf_printf(query, "%s%s=", query->len ? "&" : "", name);
	rv_http_encode(query, value, strlen(value), false);
}

struct page {
	struct rv_xml_document *document;
	const struct rv_xml *root;
	bool encoded, truncated;
};

static void page_release(struct page *page)
{
	rv_xml_free(page->document);
	*page = (struct page){ 0 };
}

static enum rv_status get_page(struct rv_s3 *s3, const char *query, const char *root,
			       struct page *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	struct rv_aws_request request = {
		.method = "GET",
		.query = query,
		.body = RV_HTTP_NO_BODY,
		.max_body_bytes = PAGE_BYTES_MAX,
		.error_in_200 = true,
	};
	if (rv_s3_send(s3, NULL, &request, NULL, &response, NULL, err) != RV_OK ||
	    rv_s3_answer(s3, &response, root, &ret->document, err) != RV_OK)
		return err->status;
	ret->root = rv_xml_root(ret->document);
	/* Stores that do not know the parameter send the keys as they are. */
	ret->encoded = strcmp(rv_xml_text(ret->root, "EncodingType"), "url") == 0;
	ret->truncated = strcmp(rv_xml_text(ret->root, "IsTruncated"), "true") == 0;
	return RV_OK;
}

static enum rv_status key_of(const struct page *page, const struct rv_xml *node, const char *name,
			     struct rv_strbuf *ret, struct rv_error *err)
{
	const char *text = rv_xml_text(node, name);
	rv_strbuf_clear(ret);
	if (!page->encoded)
		rv_strbuf_puts(ret, text);
	else if (!rv_strbuf_form_decode(ret, text)) /* a key that no store of ours can have */
		return rv_fail(err, RV_BAD_DATA, "the list has a key that cannot be: '%.200s'", text);
	return RV_OK;
}

/* ---- objects ---------------------------------------------------------------------------------- */

/* What a list must be for its readers: keys of the prefix alone, each once and in order. A server that
 * does not hold to it would have objects counted twice, and could lead us around for ever. */
struct listing {
	struct rv_s3 *s3;
	const char *prefix, *after;
	struct rv_strbuf last;   /* key, or folder */
	unsigned empty_pages;    /* in a row */
	enum rv_status (*each)(void *arg, const struct rv_s3_object *, struct rv_error *err);
	void *arg;
};

static void listing_release(struct listing *l)
{
	rv_strbuf_release(&l->last);
}

static enum rv_status misplaced(const struct listing *l, const char *key, const char *what,
				struct rv_error *err)
{
	rv_fail(err, RV_FAILED, "%s lists '%.200s' %s", rv_aws_client_endpoint(l->s3->client), key, what);
	rv_hint(err, "that is not how S3 lists: a proxy or another kind of store may stand in between");
	return err->status;
}

static enum rv_status check_place(struct listing *l, const char *key, struct rv_error *err)
{
	if (!rv_starts_with(key, l->prefix))
		return misplaced(l, key, "and was asked for another prefix", err);
	if (l->last.len && strcmp(key, l->last.bytes) <= 0)
		return misplaced(l, key, "out of order", err);
	rv_strbuf_clear(&l->last);
	rv_strbuf_puts(&l->last, key);
	return RV_OK;
}

static enum rv_status give_object(struct listing *l, const struct rv_xml *contents,
				  const char *key, struct rv_error *err)
{
	struct rv_s3_object object = { .key = key, .modified_ms = -1 };
	const char *size = rv_xml_text(contents, "Size");
	const char *modified = rv_xml_text(contents, "LastModified");
	const char *etag = rv_xml_text(contents, "ETag");
	if (check_place(l, key, err) != RV_OK)
		return err->status;
	if (l->after && strcmp(key, l->after) <= 0)
		return RV_OK;
	if (!rv_parse_u64(size, strlen(size), &object.bytes))
		return rv_fail(err, RV_BAD_DATA, "the list has no size for '%.200s'", key);
	if (!rv_parse_time(modified, strlen(modified), &object.modified_ms) || object.modified_ms < 0)
		object.modified_ms = -1;
	/* it becomes a header of the next If-Match */
	if (strlen(etag) < sizeof(object.etag) && rv_http_value_valid(etag))
		memcpy(object.etag, etag, strlen(etag) + 1);
	return l->each(l->arg, &object, err);
}

static enum rv_status give_folder(struct listing *l, const char *key, struct rv_error *err)
{
	struct rv_s3_object object = { .key = key, .modified_ms = -1 };
	/* Some stores repeat the folder that a page ended with. */
	if (strcmp(key, l->last.bytes) == 0)
		return RV_OK;
	if (check_place(l, key, err) != RV_OK)
		return err->status;
	if (l->after && strcmp(key, l->after) <= 0)
		return RV_OK;
	return l->each(l->arg, &object, err);
}

/* Objects and folders come apart, each in order. */
static enum rv_status give_page(struct listing *l, const struct page *page, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT, folder = RV_STRBUF_INIT;
	const struct rv_xml *contents = rv_xml_child(page->root, "Contents");
	const struct rv_xml *common = rv_xml_child(page->root, "CommonPrefixes");
	bool have_key = false, have_folder = false;
	while (contents || common) {
		if (contents && !have_key &&
		    key_of(page, contents, "Key", &key, err) != RV_OK)
			return err->status;
		if (common && !have_folder &&
		    key_of(page, common, "Prefix", &folder, err) != RV_OK)
			return err->status;
		have_key = contents != NULL;
		have_folder = common != NULL;
		enum rv_status status;
		if (have_key && (!have_folder || strcmp(key.bytes, folder.bytes) < 0)) {
			status = give_object(l, contents, key.bytes, err);
			contents = rv_xml_next(contents, "Contents");
			have_key = false;
		} else {
			status = give_folder(l, folder.bytes, err);
			common = rv_xml_next(common, "CommonPrefixes");
			have_folder = false;
		}
		if (status != RV_OK)
			return status;
	}
	return RV_OK;
}

static enum rv_status stuck(struct rv_s3 *s3, struct rv_error *err)
{
	return rv_fail(err, RV_FAILED, "%s says that there is more, and not where",
		       rv_aws_client_endpoint(s3->client));
}

enum rv_status rv_s3_list(struct rv_s3 *s3, const char *prefix, const char *after, bool folders,
			  enum rv_status (*each)(void *arg, const struct rv_s3_object *,
						 struct rv_error *err),
			  void *arg, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf query = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *token = NULL;
	RV_CLEANUP(listing_release) struct listing l = {
		.s3 = s3,
		.prefix = prefix,
		.after = after,
		.last = RV_STRBUF_INIT,
		.each = each,
		.arg = arg,
	};
	for (;;) {
		RV_CLEANUP(page_release) struct page page = { 0 };
		rv_strbuf_clear(&query);
		add_query(&query, "list-type", "2");
		add_query(&query, "encoding-type", "url");
		if (*prefix)
			add_query(&query, "prefix", prefix);
		if (folders)
			add_query(&query, "delimiter", "/");
		if (token)
			add_query(&query, "continuation-token", token);
		else if (after)
			add_query(&query, "start-after", after);
		if (get_page(s3, query.bytes, "ListBucketResult", &page, err) != RV_OK)
			return rv_s3_context(s3, "list", prefix, err);
		bool empty = !rv_xml_child(page.root, "Contents") &&
			     !rv_xml_child(page.root, "CommonPrefixes");
		enum rv_status status = give_page(&l, &page, err);
		if (status != RV_OK)
			return status;
		if (!page.truncated)
			return RV_OK;
		/* A page may be empty and still not the last. */
		l.empty_pages = empty ? l.empty_pages + 1 : 0;
		if (l.empty_pages == EMPTY_PAGES_MAX) {
			stuck(s3, err);
			return rv_s3_context(s3, "list", prefix, err);
		}
		/* Page upon page, each answered well: nothing else would look. */
		if (rv_http_wait(s3->http, 0, err) != RV_OK)
			return rv_s3_context(s3, "list", prefix, err);
		const char *next = rv_xml_text(page.root, "NextContinuationToken");
		if (!*next || (token && strcmp(next, token) == 0)) {
			stuck(s3, err);
			return rv_s3_context(s3, "list", prefix, err);
		}
		free(token);
		token = rv_strdup(next);
	}
}

/* ---- unfinished uploads ----------------------------------------------------------------------- */

static enum rv_status uploads_page(struct rv_s3 *s3, const struct page *page, const char *prefix,
				   int64_t before_ms, bool abort, uint64_t *count, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;
	for (const struct rv_xml *upload = rv_xml_child(page->root, "Upload"); upload;
	     upload = rv_xml_next(upload, "Upload")) {
		const char *begun = rv_xml_text(upload, "Initiated");
		const char *id = rv_xml_text(upload, "UploadId");
		int64_t begun_ms;
		/* One that does not say when it was begun may be somebody's who is at it. */
		if (!rv_parse_time(begun, strlen(begun), &begun_ms) || begun_ms > before_ms || !*id)
			continue;
		if (key_of(page, upload, "Key", &key, err) != RV_OK)
			return err->status;
		/* A store that does not know the prefix tells of everybody's. */
		if (!rv_starts_with(key.bytes, prefix))
			continue;
		if (abort && rv_s3_abort(s3, key.bytes, id, err) != RV_OK)
			return err->status;
		++*count;
	}
	return RV_OK;
}

static enum rv_status each_upload(struct rv_s3 *s3, const char *prefix, int64_t older_ms, bool abort,
				  uint64_t *ret_count, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf query = RV_STRBUF_INIT, key = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *id = NULL;
	unsigned idle_pages = 0; /* in a row: without uploads, or of the same key */
	int64_t before_ms = rv_aws_client_now_ms(s3->client) - older_ms;
	*ret_count = 0;
	for (;;) {
		RV_CLEANUP(page_release) struct page page = { 0 };
		rv_strbuf_clear(&query);
		add_query(&query, "uploads", "");
		add_query(&query, "encoding-type", "url");
		if (*prefix)
			add_query(&query, "prefix", prefix);
		if (id) {
			add_query(&query, "key-marker", key.bytes);
			add_query(&query, "upload-id-marker", id);
		}
		if (get_page(s3, query.bytes, "ListMultipartUploadsResult", &page, err) != RV_OK ||
		    uploads_page(s3, &page, prefix, before_ms, abort, ret_count, err) != RV_OK)
			return rv_s3_context(s3, "look for unfinished uploads in", prefix, err);
		if (!page.truncated)
			return RV_OK;
		const char *next = rv_xml_text(page.root, "NextUploadIdMarker");
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf next_key = RV_STRBUF_INIT;
		if (key_of(&page, page.root, "NextKeyMarker", &next_key, err) != RV_OK)
			return err->status;
		int order = id ? strcmp(key.bytes, next_key.bytes) : -1;
		idle_pages = order < 0 && rv_xml_child(page.root, "Upload") ? 0 : idle_pages + 1;
		/* Keys come in order, those of one key as they were begun: nothing leads back. */
		if (!next_key.len || order > 0 || (order == 0 && strcmp(id, next) == 0) ||
		    idle_pages == EMPTY_PAGES_MAX)
			return stuck(s3, err);
		if (rv_http_wait(s3->http, 0, err) != RV_OK)
			return rv_s3_context(s3, "look for unfinished uploads in", prefix, err);
		rv_strbuf_clear(&key);
		rv_strbuf_puts(&key, next_key.bytes);
		free(id);
		id = rv_strdup(next);
	}
}

enum rv_status rv_s3_count_uploads(struct rv_s3 *s3, const char *prefix, int64_t older_ms, uint64_t *ret,
				   struct rv_error *err)
{
	return each_upload(s3, prefix, older_ms, false, ret, err);
}

enum rv_status rv_s3_abort_uploads(struct rv_s3 *s3, const char *prefix, int64_t older_ms,
				   uint64_t *ret_aborted, struct rv_error *err)
{
	return each_upload(s3, prefix, older_ms, true, ret_aborted, err);
}
