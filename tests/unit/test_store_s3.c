/*
 * The store over S3: conditions where the store has none, names, folders. With RIVER_PEER_URL (and keys in
 * AWS_*) set, as tests/peers does it, also against a real server; its bucket is RIVER_PEER_BUCKET.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "aws/s3.h"
#include "aws_world.h"
#include "base/file.h"
#include "store/store.h"

#define XML_ERROR(code) "<Error><Code>" code "</Code><Message>no</Message></Error>"

static struct rv_error err;
static struct world w;
static struct rv_store *store;
static const struct rv_store_put absent = { .if_absent = true }, plain;

#define assert_ok(call)                                                                            \
	do {                                                                                       \
		if ((call) != RV_OK)                                                               \
			fail_msg("%s: %s", #call, err.message);                                    \
	} while (0)

static void start(const struct step *steps, size_t count, const char *prefix)
{
	world_start(&w, steps, count);
	err = (struct rv_error)RV_ERROR_INIT;
	assert_ok(rv_store_s3_new(w.aws, "lake", prefix, &store, &err));
}
#define START(steps, prefix) start(steps, sizeof(steps) / sizeof((steps)[0]), prefix)

static void stop(void)
{
	rv_store_free_p(&store);
	world_stop(&w);
}

static enum rv_status put(const char *name, const char *text, const struct rv_store_put *conditions)
{
	err = (struct rv_error)RV_ERROR_INIT;
	return rv_store_put_bytes(store, name, text, strlen(text), conditions, &err);
}

static enum rv_status list_one(void *arg, const struct rv_store_object *object,
			       struct rv_error *e RV_UNUSED)
{
	rv_strbuf_printf(arg, "%s|", object->name);
	return RV_OK;
}

static void expect_list(const struct rv_store_list *params, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;

	assert_ok(store->ops->list(store, params, list_one, &got, &err));
	assert_string_equal(got.bytes, want);
}

/* ---- conditions ---- */

static void test_a_store_that_refuses_conditions(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "PUT /lake/p/k ", "If-None-Match: *", .status = 501, .body = XML_ERROR("NotImplemented") },
		{ "HEAD /lake/p/k ", .status = 404 },
		{ "PUT /lake/p/k ", NULL, "If-None-Match", .status = 200, .fields = "ETag: \"e\"\r\n" },
		{ "HEAD /lake/p/k ", .status = 200, .fields = "ETag: \"e\"\r\n" },
		/* remembered */
		{ "HEAD /lake/p/k ", .status = 200, .fields = "ETag: \"e\"\r\n" },
		/* somebody else at the same time */
		{ "HEAD /lake/p/k ", .status = 404 },
		{ "PUT /lake/p/k ", .status = 200, .fields = "ETag: \"e\"\r\n" },
		{ "HEAD /lake/p/k ", .status = 200, .fields = "ETag: \"other\"\r\n" },
		/* under an etag */
		{ "HEAD /lake/p/k ", .status = 200, .fields = "ETag: \"e\"\r\n" },
		{ "PUT /lake/p/k ", NULL, "If-Match", .status = 200, .fields = "ETag: \"e2\"\r\n" },
		{ "HEAD /lake/p/k ", .status = 200, .fields = "ETag: \"e2\"\r\n" },
		{ "HEAD /lake/p/k ", .status = 200, .fields = "ETag: \"e2\"\r\n" },
		{ "HEAD /lake/p/k ", .status = 404 },
		{ "PUT /lake/p/k ", .status = 200, .fields = "ETag: \"e\"\r\n" },
	};
	const struct rv_store_put match = { .if_etag = "\"e\"" };

	START(steps, "p");
	assert_string_equal(store->url, "s3://lake/p");
	assert_true(store->ops->conditional_puts);
	assert_ok(put("k", "x", &absent));
	assert_false(store->ops->conditional_puts);
	assert_int_equal(put("k", "x", &absent), RV_CONFLICT);
	assert_int_equal(put("k", "x", &absent), RV_CONFLICT);
	assert_ok(put("k", "x", &match));
	assert_int_equal(put("k", "x", &match), RV_CONFLICT);
	assert_int_equal(put("k", "x", &match), RV_NOT_FOUND);
	assert_ok(put("k", "x", &plain));
	stop();
}

static void test_probe(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		/* heeded */
		{ "PUT /lake/probe ", "If-None-Match: *", .status = 200, .fields = "ETag: \"e\"\r\n" },
		{ "PUT /lake/probe ", "If-None-Match: *", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "PUT /lake/probe ", "If-Match: \"0000", .status = 412, .body = XML_ERROR("PreconditionFailed") },
		{ "HEAD /lake/probe ", .status = 200, .fields = "ETag: \"e\"\r\n" },
		{ "DELETE /lake/probe ", .status = 204 },
		/* taken and not heeded: old Ceph */
		{ "PUT /lake/probe ", .status = 200, .fields = "ETag: \"e\"\r\n" },
		{ "PUT /lake/probe ", .status = 200, .fields = "ETag: \"e\"\r\n" },
		{ "DELETE /lake/probe ", .status = 204 },
	};

	START(steps, "");
	assert_string_equal(store->url, "s3://lake");
	assert_ok(store->ops->probe(store, "probe", &err));
	assert_true(store->ops->conditional_puts);
	assert_ok(store->ops->probe(store, "probe", &err));
	assert_false(store->ops->conditional_puts);
	stop();
}

static void test_probes_that_fail(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "PUT /lake/probe ", .status = 501, .body = XML_ERROR("NotImplemented") },
		{ "DELETE /lake/probe ", .status = 204 },
		{ "PUT /lake/probe ", .status = 403, .body = XML_ERROR("AccessDenied") },
		{ "PUT /lake/probe ", .status = 404, .body = XML_ERROR("NoSuchBucket") },
	};

	START(steps, "");
	assert_ok(store->ops->probe(store, "probe", &err));
	assert_false(store->ops->conditional_puts);
	assert_int_equal(store->ops->probe(store, "probe", &err), RV_AUTH);
	assert_int_equal(store->ops->probe(store, "probe", &err), RV_NOT_FOUND);
	stop();
}

/* ---- names ---- */

static void test_names(void **state RV_UNUSED)
{
#define KEY(key) "<Contents><Key>" key "</Key><Size>1</Size></Contents>"
	static const struct step steps[] = {
		{ "GET /lake/?list-type=2&encoding-type=url&prefix=p%2Fd%2F&start-after=p%2Fd%2Fa ", .status = 200,
		  .body = "<ListBucketResult>" KEY("p/d/a") KEY("p/d/b") KEY("p/d/c/") KEY("p/d/c/x") "</ListBucketResult>" },
		{ "GET /lake/?list-type=2&encoding-type=url&prefix=p%2Fd%2F&delimiter=%2F ", .status = 200,
		  .body = "<ListBucketResult>" KEY("p/d/") KEY("p/d/b")
			  "<CommonPrefixes><Prefix>p/d/c/</Prefix></CommonPrefixes></ListBucketResult>" },
		/* the prefix itself, as a console makes it */
		{ "GET /lake/?list-type=2&encoding-type=url&prefix=p%2F ", .status = 200,
		  .body = "<ListBucketResult>" KEY("p/") KEY("p/b") "</ListBucketResult>" },
	};

	START(steps, "p");
	assert_int_equal(put("a//b", "x", &plain), RV_USAGE);
	assert_int_equal(put("/a", "x", &plain), RV_USAGE);
	expect_list(&(struct rv_store_list){ .prefix = "d/", .after = "d/a" }, "d/b|d/c/x|");
	expect_list(&(struct rv_store_list){ .prefix = "d/", .folders = true }, "d/b|d/c/|");
	expect_list(&(struct rv_store_list){ .prefix = "" }, "b|");
	stop();
}

static void test_get(void **state RV_UNUSED)
{
	static const struct step steps[] = {
		{ "GET /lake/k ", .status = 200, .fields = "ETag: \"e\"\r\n", .body = "hello" },
		{ "GET /lake/k ", .status = 200, .fields = "ETag: \"e\"\r\n", .body = "hello" },
		{ "GET /lake/k ", .status = 404, .body = XML_ERROR("NoSuchKey") },
		/* a bucket that is not there is no empty lake */
		{ "GET /lake/k ", .status = 404, .body = XML_ERROR("NoSuchBucket") },
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	bool found;

	START(steps, "");
	assert_ok(store->ops->get(store, "k", 5, &text, etag, &err));
	assert_string_equal(text.bytes, "hello");
	assert_string_equal(etag, "\"e\"");
	assert_int_equal(store->ops->get(store, "k", 4, &text, etag, &err), RV_BAD_DATA);
	assert_ok(rv_store_get_optional(store, "k", 4, &text, etag, &found, &err));
	assert_false(found);
	assert_int_equal(rv_store_get_optional(store, "k", 4, &text, etag, &found, &err), RV_NOT_FOUND);
	stop();
}

/* ---- against a real one ---- */

static struct rv_aws *peer;

static int set_up_peer(void **state RV_UNUSED)
{
	const struct rv_aws_settings_params settings = { .endpoint_url = getenv("RIVER_PEER_URL") };
	const struct rv_http_params http = { 0 };

	return rv_aws_new(&settings, &http, &peer, &err) == RV_OK &&
			       rv_store_s3_new(peer, getenv("RIVER_PEER_BUCKET"), "unit", &store, &err) ==
				       RV_OK &&
			       store->ops->probe(store, "probe", &err) == RV_OK
		       ? 0
		       : -1;
}

static int tear_down_peer(void **state RV_UNUSED)
{
	rv_store_free_p(&store);
	rv_aws_free_p(&peer);
	return 0;
}

static void expect(const char *name, const char *text, char etag[RV_ETAG_TEXT])
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	struct rv_store_object object;

	assert_ok(store->ops->get(store, name, 1 << 20, &got, etag, &err));
	assert_string_equal(got.bytes, text);
	assert_ok(store->ops->head(store, name, &object, &err));
	assert_int_equal(object.bytes, strlen(text));
	assert_string_equal(object.etag, etag);
	assert_true(object.modified_ms > INT64_C(1700000000000));
}

static void test_peer_objects(void **state RV_UNUSED)
{
	char etag[RV_ETAG_TEXT], old[RV_ETAG_TEXT];

	assert_ok(put("a/b", "one", &plain));
	expect("a/b", "one", old);
	assert_int_equal(put("a/b", "two", &absent), RV_CONFLICT);
	assert_ok(put("a/b", "three", &(struct rv_store_put){ .if_etag = old }));
	expect("a/b", "three", etag);
	assert_int_equal(put("a/b", "four", &(struct rv_store_put){ .if_etag = old }), RV_CONFLICT);
	assert_int_equal(put("a/none", "four", &(struct rv_store_put){ .if_etag = old }), RV_NOT_FOUND);
	assert_ok(put("a/empty", "", &absent));
	expect("a/empty", "", old);
	assert_int_equal(store->ops->remove(store, "a/b", old, &err), RV_CONFLICT);
	assert_ok(store->ops->remove(store, "a/b", etag, &err));
	assert_int_equal(store->ops->remove(store, "a/b", etag, &err), RV_NOT_FOUND);
	assert_ok(store->ops->remove(store, "a/b", NULL, &err));
	assert_ok(store->ops->remove(store, "a/empty", NULL, &err));
	expect_list(&(struct rv_store_list){ .prefix = "a/" }, "");
}

static void test_peer_odd_names(void **state RV_UNUSED)
{
	static const char *const names[] = {
		"odd/a b", "odd/a%20b", "odd/a+b", "odd/dt=2026-11-20/x", "odd/q?x=1&y=2#z", "odd/\xc3\xa9\xe2\x82\xac",
		"odd/~'()*!,;:@$", "odd/<&>\"", NULL
	};
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf listed = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];

	for (size_t i = 0; names[i]; i++) {
		assert_ok(put(names[i], names[i], &absent));
		expect(names[i], names[i], etag);
	}
	assert_ok(store->ops->list(store, &(struct rv_store_list){ .prefix = "odd/" }, list_one, &listed, &err));
	for (size_t i = 0; names[i]; i++) {
		RV_CLEANUP(rv_free_p) char *want = rv_asprintf("%s|", names[i]);

		if (!strstr(listed.bytes, want))
			fail_msg("'%s' is not in '%s'", want, listed.bytes);
		assert_ok(store->ops->remove(store, names[i], NULL, &err));
	}
}

/* More than one page, in order, with folders and from the middle. */
static void test_peer_pages(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf want = RV_STRBUF_INIT, tail = RV_STRBUF_INIT;
	char name[64];

	for (int i = 0; i < 1005; i++) {
		snprintf(name, sizeof(name), "pages/%c/%04d", 'a' + i / 350, i);
		assert_ok(put(name, "", &plain));
		rv_strbuf_printf(&want, "%s|", name);
		if (i > 800)
			rv_strbuf_printf(&tail, "%s|", name);
	}
	expect_list(&(struct rv_store_list){ .prefix = "pages/" }, want.bytes);
	expect_list(&(struct rv_store_list){ .prefix = "pages/", .after = "pages/c/0800" }, tail.bytes);
	expect_list(&(struct rv_store_list){ .prefix = "pages/", .folders = true }, "pages/a/|pages/b/|pages/c/|");
	expect_list(&(struct rv_store_list){ .prefix = "pages/", .folders = true, .after = "pages/a/" },
		    "pages/b/|pages/c/|");
	for (int i = 0; i < 1005; i++) {
		snprintf(name, sizeof(name), "pages/%c/%04d", 'a' + i / 350, i);
		assert_ok(store->ops->remove(store, name, NULL, &err));
	}
}

static enum rv_status add_up(void *arg, const void *p, size_t len, struct rv_error *e RV_UNUSED)
{
	const unsigned char *bytes = p;
	uint64_t *sum = arg;

	for (size_t i = 0; i < len; i++)
		*sum = *sum * 31 + bytes[i];
	return RV_OK;
}

static void test_peer_parts(void **state RV_UNUSED)
{
	const size_t len = (70u << 20) + 7;
	RV_CLEANUP(rv_free_p) char *bytes = rv_malloc(len);
	const struct rv_store_body body = { .bytes = bytes, .len = len, .fd = -1 };
	struct rv_store_object object;
	char etag[RV_ETAG_TEXT];
	uint64_t want = 0, got = 0;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	assert_ok(add_up(&want, bytes, len, &err));
	assert_ok(store->ops->put(store, "large", &body, &absent, etag, &err));
	assert_int_equal(store->ops->put(store, "large", &body, &absent, etag, &err), RV_CONFLICT);
	assert_ok(store->ops->head(store, "large", &object, &err));
	assert_int_equal(object.bytes, len);
	assert_string_equal(object.etag, etag);
	assert_ok(store->ops->read(store, "large", add_up, &got, &err));
	assert_true(got == want);
	assert_ok(store->ops->remove(store, "large", etag, &err));
}

static int set_up(void **state)
{
	world_environment();
	return http_world_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_store_that_refuses_conditions),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_probes_that_fail),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_get),
	};
	const struct CMUnitTest peer_tests[] = {
		cmocka_unit_test(test_peer_objects),
		cmocka_unit_test(test_peer_odd_names),
		cmocka_unit_test(test_peer_pages),
		cmocka_unit_test(test_peer_parts),
	};
	if (getenv("RIVER_PEER_URL"))
		return cmocka_run_group_tests_name("store_s3_peer", peer_tests, set_up_peer, tear_down_peer);
	return cmocka_run_group_tests_name("store_s3", tests, set_up, NULL);
}
