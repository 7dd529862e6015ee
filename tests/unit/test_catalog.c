/* The catalog on a store in memory that fails where it is told to, and on a folder for races. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/definition.h"
#include "flow/catalog.h"

#define NOW 1795193931123 /* 2026-11-20T16:58:51.123Z */
#define HOUR 3600000

static void define(const char *name, const char *key, struct rv_stream *ret)
{
	struct rv_yaml_node *root = rv_definition_node(RV_YAML_MAPPING);
	struct rv_error err = RV_ERROR_INIT;

	rv_definition_put(root, "stream", rv_definition_scalar(name));
	if (key)
		rv_definition_put(root, "key", rv_definition_scalar(key));
	rv_stream_init(ret);
	assert_int_equal(rv_definition_parse(NULL, root, ret, &err), RV_OK);
	rv_definition_node_free(root);
}

static enum rv_status create_with(struct rv_store *lake, const char *name, const char *key,
				  struct rv_catalog_create params, enum rv_catalog_outcome *ret,
				  struct rv_stream *ret_stream, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream existing;

	*err = (struct rv_error)RV_ERROR_INIT;
	if (!params.now_ms)
		params.now_ms = NOW;
	define(name, key, &stream);
	rv_stream_init(&existing);
	enum rv_status status = rv_catalog_create(lake, &stream, &params, ret, &existing, err);

	if (ret_stream) {
		*ret_stream = stream;
		rv_stream_init(&stream);
	}
	return status;
}

static enum rv_status create(struct rv_store *lake, const char *name, const char *key,
			     enum rv_catalog_outcome *ret, struct rv_error *err)
{
	return create_with(lake, name, key, (struct rv_catalog_create){ 0 }, ret, NULL, err);
}

static void put(struct rv_store *lake, const char *name, const char *text)
{
	struct rv_error err = RV_ERROR_INIT;

	assert_int_equal(rv_store_put_bytes(lake, name, text, strlen(text), NULL, &err), RV_OK);
}

static bool there(struct rv_store *lake, const char *name)
{
	struct rv_store_object object;
	struct rv_error err = RV_ERROR_INIT;

	return lake->ops->head(lake, name, &object, &err) == RV_OK;
}

static void create_get_create(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	RV_CLEANUP(rv_stream_release_p) struct rv_stream a;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream b;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;
	char etag[RV_ETAG_TEXT];

	rv_stream_init(&b);
	assert_int_equal(create_with(lake, "web/clicks", "id", (struct rv_catalog_create){ 0 },
				     &outcome, &a, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_CREATED);
	assert_true(rv_ulid_valid(a.id, strlen(a.id)));
	assert_true(there(lake, RV_LAKE_FORMAT_NAME));
	assert_true(there(lake, "_river/streams/web/clicks.json"));
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &b, etag, &err), RV_OK);
	assert_string_equal(a.id, b.id);
	assert_string_equal(a.nonce, b.nonce);
	assert_int_equal(b.created_ms, NOW);
	assert_string_equal(b.key.items[0], "id");

	assert_int_equal(create(lake, "web/clicks", "id", &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_UNCHANGED);
	assert_int_equal(create(lake, "web/clicks", "other", &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_DIFFERS);
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &b, NULL, &err), RV_OK);
	assert_string_equal(a.nonce, b.nonce);
}

static void a_dry_run_writes_nothing(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;

	assert_int_equal(create_with(lake, "web/clicks", NULL,
				     (struct rv_catalog_create){ .dry_run = true }, &outcome, NULL,
				     &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_CREATED);
	assert_false(there(lake, RV_LAKE_FORMAT_NAME));
	assert_false(there(lake, "_river/streams/web/clicks.json"));
}

static void missing_streams_are_told_with_a_hint(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;

	rv_stream_init(&stream);
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &stream, NULL, &err), RV_NOT_FOUND);
	assert_string_equal(err.message, "stream web/clicks does not exist in lake mem:");
	assert_string_equal(err.hint, "'river stream list' shows what there is; or create it: river stream create web/clicks");
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_OK);
	assert_int_equal(rv_catalog_get(lake, "web/cliks", &stream, NULL, &err), RV_NOT_FOUND);
	assert_non_null(strstr(err.hint, "did you mean web/clicks?"));
	assert_int_equal(rv_catalog_get(lake, "clicks", &stream, NULL, &err), RV_NOT_FOUND);
	assert_non_null(strstr(err.hint, "did you mean web/clicks?"));
	assert_int_equal(rv_catalog_get(lake, "Clicks", &stream, NULL, &err), RV_USAGE);
}

static void old_objects_want_a_decision(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;
	char after[RV_STREAM_PLACE_MAX];

	put(lake, "data/web/clicks/dt=2026-11-20/hr=15/x-000001-r1-h1.ndjson", "{}\n");
	put(lake, "data/web/clicks_more/dt=2026-11-20/hr=16/x-000001-r1-h1.ndjson", "{}\n");
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_CONFLICT);
	assert_non_null(strstr(err.message, "data/web/clicks/ already holds objects"));
	assert_non_null(strstr(err.hint, "--adopt"));
	assert_false(there(lake, "_river/streams/web/clicks.json"));

	/* fresh: from the present hour on, and only where the former stream did not write */
	assert_int_equal(create_with(lake, "web/clicks", NULL,
				     (struct rv_catalog_create){ .fresh = true, .now_ms = NOW - HOUR },
				     &outcome, NULL, &err), RV_CONFLICT);
	assert_non_null(strstr(err.message, "hr=15/x-000001"));
	assert_int_equal(create_with(lake, "web/clicks", NULL,
				     (struct rv_catalog_create){ .fresh = true, .now_ms = NOW }, &outcome,
				     &stream, &err), RV_OK);
	assert_string_equal(stream.since, "dt=2026-11-20/hr=16");
	assert_string_equal(rv_stream_since(&stream, after), "data/web/clicks/dt=2026-11-20/hr=16");
	rv_stream_release(&stream);
	/* known after that, whatever lies there */
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_UNCHANGED);

	assert_int_equal(create_with(lake, "web/clicks_more", NULL,
				     (struct rv_catalog_create){ .adopt = true }, &outcome, &stream, &err),
			 RV_OK);
	assert_int_equal(outcome, RV_CATALOG_CREATED);
	assert_string_equal(stream.since, "");
	rv_stream_release(&stream);
	/* without objects, fresh is nothing special */
	assert_int_equal(create_with(lake, "web/others", NULL, (struct rv_catalog_create){ .fresh = true },
				     &outcome, &stream, &err), RV_OK);
	assert_string_equal(stream.since, "");
	rv_stream_release(&stream);
}

static void newer_lakes_are_refused(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;

	rv_stream_init(&stream);
	put(lake, RV_LAKE_FORMAT_NAME, "{\"v\":2,\"whatever\":[]}");
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "has format 2, this river knows up to 1"));
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &stream, NULL, &err), RV_BAD_CONFIG);
	assert_int_equal(rv_catalog_delete(lake, "web/clicks", NULL, &err), RV_BAD_CONFIG);
	assert_int_equal(rv_catalog_list(lake, "", NULL, NULL, NULL, &err), RV_BAD_CONFIG);
	put(lake, RV_LAKE_FORMAT_NAME, "{}");
	assert_int_equal(rv_catalog_check_lake(lake, &err), RV_DAMAGED);
	put(lake, RV_LAKE_FORMAT_NAME, "not json");
	assert_int_equal(rv_catalog_check_lake(lake, &err), RV_DAMAGED);
	put(lake, RV_LAKE_FORMAT_NAME, "{\"v\":1,\"more\":1}");
	assert_int_equal(rv_catalog_check_lake(lake, &err), RV_OK);
}

static void definitions_that_are_not(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];

	rv_stream_init(&stream);
	put(lake, "_river/streams/web/clicks.json", "{\"v\":9}");
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &stream, NULL, &err), RV_BAD_CONFIG);
	assert_string_equal(err.file, "_river/streams/web/clicks.json");
	assert_non_null(strstr(err.message, "has version 9"));
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_BAD_CONFIG);
	/* a copy under another name would mix two streams */
	assert_int_equal(create(lake, "web/views", NULL, &outcome, &err), RV_OK);
	assert_int_equal(lake->ops->get(lake, "_river/streams/web/views.json", 1 << 20, &text, etag, &err),
			 RV_OK);
	put(lake, "_river/streams/web/clicks.json", text.bytes);
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &stream, NULL, &err), RV_DAMAGED);
	assert_non_null(strstr(err.hint, "river stream create web/clicks --adopt"));
	assert_non_null(strstr(err.message, "is the definition of web/views"));
}

static void updates_are_conditional(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	RV_CLEANUP(rv_stream_release_p) struct rv_stream old;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream new;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream now;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;
	char etag[RV_ETAG_TEXT];

	rv_stream_init(&old);
	rv_stream_init(&now);
	define("web/clicks", "id", &new);
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_OK);
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &old, etag, &err), RV_OK);
	assert_int_equal(rv_catalog_update(lake, &old, etag, &new, &err), RV_OK);
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &now, NULL, &err), RV_OK);
	assert_string_equal(now.id, old.id);
	assert_string_not_equal(now.nonce, old.nonce);
	assert_int_equal(now.created_ms, old.created_ms);
	assert_int_equal(now.key.count, 1);

	/* the second one with the same etag comes too late */
	assert_int_equal(rv_catalog_update(lake, &old, etag, &new, &err), RV_CONFLICT);
	assert_non_null(strstr(err.message, "changed by somebody else"));
	assert_int_equal(rv_catalog_delete(lake, "web/clicks", etag, &err), RV_CONFLICT);
	assert_int_equal(rv_catalog_delete(lake, "web/clicks", NULL, &err), RV_OK);
	assert_int_equal(rv_catalog_delete(lake, "web/clicks", NULL, &err), RV_OK);
	assert_int_equal(rv_catalog_delete(lake, "web/clicks", etag, &err), RV_NOT_FOUND);
	/* deleted and made again it is another stream */
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_CREATED);
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &now, NULL, &err), RV_OK);
	assert_string_not_equal(now.id, old.id);
}

/* Each operation of create fails once: told, and the same call afterwards finishes. */
static void create_survives_every_failure(void **state RV_UNUSED)
{
	for (uint64_t at = 1;; at++) {
		RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
		struct rv_error err = RV_ERROR_INIT;
		enum rv_catalog_outcome outcome;
		struct rv_stream stream;

		rv_store_mem_fail(lake, at, false, RV_LOCAL_IO);
		enum rv_status status = create_with(lake, "web/clicks", "id",
						    (struct rv_catalog_create){ 0 }, &outcome, &stream, &err);
		if (status == RV_OK) {
			/* look, put format; look, list objects, put definition */
			assert_int_equal(at, 6);
			rv_stream_release(&stream);
			break;
		}
		assert_int_equal(status, RV_LOCAL_IO);
		assert_non_null(strstr(err.message, "failure on purpose"));
		assert_non_null(strstr(err.message, "create stream web/clicks"));
		assert_string_equal(stream.id, "");
		rv_stream_release(&stream);
		assert_int_equal(create(lake, "web/clicks", "id", &outcome, &err), RV_OK);
		assert_int_equal(outcome, RV_CATALOG_CREATED);
	}
}

/* The conditional puts fail as if somebody else had been faster. */
static void lost_races(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;

	/* the format file: read again and found missing, that is no reason to stop */
	rv_store_mem_fail(lake, 2, false, RV_CONFLICT);
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_CREATED);

	/* the definition: the winner has deleted his already; the next attempt wins */
	rv_store_mem_fail(lake, 5, false, RV_CONFLICT);
	assert_int_equal(create(lake, "web/views", NULL, &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_CREATED);

	/* for ever: told in the end */
	rv_store_mem_fail(lake, 0, false, RV_OK);
	assert_int_equal(rv_catalog_delete(lake, "web/views", NULL, &err), RV_OK);
	rv_store_mem_fail(lake, 4, true, RV_CONFLICT);
	assert_int_equal(create(lake, "web/views", NULL, &outcome, &err), RV_CONFLICT);
}

static void other_operations_report_failures(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;
	struct rv_stream stream;
	struct rv_catalog_contents contents;

	define("web/clicks", NULL, &stream);
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_OK);
	put(lake, "data/web/clicks/dt=2026-11-20/hr=15/x", "{}\n");
	for (uint64_t at = 1; at <= 2; at++) {
		rv_store_mem_fail(lake, at, false, RV_AUTH);
		assert_int_equal(rv_catalog_get(lake, "web/clicks", &stream, NULL, &err), RV_AUTH);
		rv_store_mem_fail(lake, at, false, RV_AUTH);
		assert_int_equal(rv_catalog_delete(lake, "web/clicks", NULL, &err), RV_AUTH);
		rv_store_mem_fail(lake, at, false, RV_AUTH);
		assert_int_equal(rv_catalog_list(lake, "", NULL, NULL, NULL, &err), RV_AUTH);
		rv_store_mem_fail(lake, at, false, RV_AUTH);
		assert_int_equal(rv_catalog_update(lake, &stream, "g1", &stream, &err),
				 RV_AUTH);
		rv_store_mem_fail(lake, at, false, RV_AUTH);
		assert_int_equal(rv_catalog_contents(lake, &stream, &contents, &err), RV_AUTH);
		rv_store_mem_fail(lake, at, false, RV_AUTH);
		assert_int_equal(rv_catalog_remove_contents(lake, &stream, &contents, &err), RV_AUTH);
	}
	rv_store_mem_fail(lake, 0, false, RV_OK);
	assert_true(there(lake, "_river/streams/web/clicks.json"));
	rv_stream_release(&stream);
}

/* The same store as it would be elsewhere: without conditions, or with answers that get lost. */
static struct rv_store_ops other_ops;
static enum rv_status (*true_put)(struct rv_store *, const char *, const struct rv_store_body *,
				  const struct rv_store_put *, char *, struct rv_error *);

static enum rv_status put_and_lose_the_answer(struct rv_store *store, const char *name,
					      const struct rv_store_body *body,
					      const struct rv_store_put *conditions, char *etag,
					      struct rv_error *err)
{
	enum rv_status status = true_put(store, name, body, conditions, etag, err);

	/* what the store says to the second attempt of one that had worked */
	return status == RV_OK ? rv_fail(err, RV_CONFLICT, "object %s exists already", name) : status;
}

static void a_lost_answer_is_recognised(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	RV_CLEANUP(rv_stream_release_p) struct rv_stream old;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream new;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;
	char etag[RV_ETAG_TEXT];

	rv_stream_init(&old);
	define("web/clicks", "id", &new);
	other_ops = *lake->ops;
	true_put = lake->ops->put;
	other_ops.put = put_and_lose_the_answer;
	lake->ops = &other_ops;
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_CREATED);
	assert_int_equal(rv_catalog_get(lake, "web/clicks", &old, etag, &err), RV_OK);
	assert_int_equal(rv_catalog_update(lake, &old, etag, &new, &err), RV_OK);
	assert_int_equal(create(lake, "web/clicks", "id", &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_UNCHANGED);
}

/* Another one writes behind our back on a store that cannot prevent it: read back, so seen. */
static enum rv_status put_and_be_overwritten(struct rv_store *store, const char *name,
					     const struct rv_store_body *body,
					     const struct rv_store_put *conditions RV_UNUSED,
					     char *etag, struct rv_error *err)
{
	static const struct rv_store_put unconditional;
	static const char theirs[] =
		"{\"v\":1,\"stream\":\"web/clicks\",\"id\":\"01arz3ndektsv4rrffq69g5fav\","
		"\"created\":\"2026-11-20T16:58:51.123Z\",\"creator\":\"01arz3ndektsv4rrffq69g5faw\","
		"\"format\":\"csv\"}";
	struct rv_store_body other = { .bytes = theirs, .len = sizeof(theirs) - 1, .fd = -1 };

	return true_put(store, name, rv_starts_with(name, RV_CATALOG_PREFIX) ? &other : body,
			&unconditional, etag, err);
}

static void without_conditions_what_is_there_decides(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;

	other_ops = *lake->ops;
	true_put = lake->ops->put;
	other_ops.conditional_puts = false;
	lake->ops = &other_ops;
	assert_int_equal(create(lake, "web/views", NULL, &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_CREATED);
	other_ops.put = put_and_be_overwritten;
	assert_int_equal(create(lake, "web/clicks", NULL, &outcome, &err), RV_OK);
	assert_int_equal(outcome, RV_CATALOG_DIFFERS);
}

static enum rv_status collect(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	rv_strbuf_printf(arg, "%s ", name);
	return RV_OK;
}

static void lists(void **state RV_UNUSED)
{
	static const char *const names[] = { "web/clicks", "web/click", "web_shop/a", "clicks", "wea/z",
					     "web/click_2", "web/click2" };
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_error err = RV_ERROR_INIT;
	enum rv_catalog_outcome outcome;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(create(lake, names[i], NULL, &outcome, &err), RV_OK);
	put(lake, "_river/streams/web/README", "x");
	put(lake, "_river/streams/web/Upper.json", "x");
	put(lake, "_river/streams/stray.json", "x");
	put(lake, "_river/streams/web/deep/er.json", "x");
	static const struct {
		const char *prefix, *after, *expected;
	} cases[] = {
		{ "", NULL,
		  "main/clicks wea/z web/click web/click2 web/click_2 web/clicks web_shop/a " },
		{ "web/", NULL, "web/click web/click2 web/click_2 web/clicks " },
		{ "web", NULL, "web/click web/click2 web/click_2 web/clicks web_shop/a " },
		{ "web/clicks", NULL, "web/clicks " },
		{ "nothing", NULL, "" },
		{ "", "web/click", "web/click2 web/click_2 web/clicks web_shop/a " },
		{ "", "web/click_2", "web/clicks web_shop/a " },
		{ "", "web/clicj", "web/click web/click2 web/click_2 web/clicks web_shop/a " },
		{ "web/", "web_shop/a", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

		assert_int_equal(rv_catalog_list(lake, cases[i].prefix, cases[i].after, collect, &text, &err),
				 RV_OK);
		assert_string_equal(text.bytes, cases[i].expected);
	}
	assert_int_equal(rv_catalog_list(lake, "../", NULL, collect, NULL, &err), RV_USAGE);
	assert_int_equal(rv_catalog_list(lake, "Web", NULL, collect, NULL, &err), RV_USAGE);
}

static void contents_are_counted_and_removed(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_mem_new();
	struct rv_error err = RV_ERROR_INIT;
	struct rv_catalog_contents contents;
	struct rv_stream stream;

	define("web/clicks", NULL, &stream);
	for (int i = 0; i < 2500; i++) {
		char name[100];

		snprintf(name, sizeof(name), "data/web/clicks/dt=2026-11-20/hr=15/x-%06d", i);
		put(lake, name, "{}\n");
	}
	put(lake, "data/web/clicks_more/dt=2026-11-20/hr=15/x", "{}\n");
	put(lake, "_river/receipts/web/clicks/2026-11-20/r.json", "{}");
	put(lake, "_river/rejects/web/clicks/2026-11-20/r.ndjson", "{}");
	put(lake, "_river/landing/web/clicks/r-1", "{}");
	put(lake, "_river/landing/web/clicks2/r-1", "{}");
	assert_int_equal(rv_catalog_contents(lake, &stream, &contents, &err), RV_OK);
	assert_int_equal(contents.count[RV_CATALOG_OBJECTS], 2500);
	assert_int_equal(contents.bytes[RV_CATALOG_OBJECTS], 7500);
	assert_int_equal(contents.count[RV_CATALOG_RECEIPTS], 1);
	assert_int_equal(rv_catalog_remove_contents(lake, &stream, &contents, &err), RV_OK);
	assert_int_equal(contents.count[RV_CATALOG_OBJECTS], 2500);
	assert_int_equal(contents.count[RV_CATALOG_REJECTS], 1);
	assert_int_equal(contents.count[RV_CATALOG_LANDING], 1);
	assert_int_equal(rv_catalog_contents(lake, &stream, &contents, &err), RV_OK);
	for (int i = 0; i < RV_CATALOG_PARTS; i++)
		assert_int_equal(contents.count[i], 0);
	assert_true(there(lake, "data/web/clicks_more/dt=2026-11-20/hr=15/x"));
	assert_true(there(lake, "_river/landing/web/clicks2/r-1"));
	rv_stream_release(&stream);
}

#define RACERS 50
struct racer {
	struct rv_store *lake;
	const char *key;
	enum rv_status status;
	enum rv_catalog_outcome outcome;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	struct rv_error err = RV_ERROR_INIT;

	racer->status = create(racer->lake, "web/clicks", racer->key, &racer->outcome, &err);
	return NULL;
}

static void fifty_at_once_make_one(void **state RV_UNUSED)
{
	char root[] = "/tmp/river-catalog-XXXXXX";
	pthread_t threads[RACERS];
	struct racer racers[RACERS];
	struct rv_error err = RV_ERROR_INIT;
	int made = 0, unchanged = 0, differs = 0;

	assert_non_null(mkdtemp(root));
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = rv_store_file_new(root);

	for (int i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){ .lake = lake, .key = i % 2 ? "id" : "other" };
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < RACERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(racers[i].status, RV_OK);
		made += racers[i].outcome == RV_CATALOG_CREATED;
		unchanged += racers[i].outcome == RV_CATALOG_UNCHANGED;
		differs += racers[i].outcome == RV_CATALOG_DIFFERS;
	}
	assert_int_equal(made, 1);
	assert_int_equal(unchanged, RACERS / 2 - 1);
	assert_int_equal(differs, RACERS / 2);
	assert_int_equal(rv_remove_tree(root, &err), RV_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_get_create),
		cmocka_unit_test(a_dry_run_writes_nothing),
		cmocka_unit_test(missing_streams_are_told_with_a_hint),
		cmocka_unit_test(old_objects_want_a_decision),
		cmocka_unit_test(newer_lakes_are_refused),
		cmocka_unit_test(definitions_that_are_not),
		cmocka_unit_test(updates_are_conditional),
		cmocka_unit_test(create_survives_every_failure),
		cmocka_unit_test(lost_races),
		cmocka_unit_test(other_operations_report_failures),
		cmocka_unit_test(a_lost_answer_is_recognised),
		cmocka_unit_test(without_conditions_what_is_there_decides),
		cmocka_unit_test(lists),
		cmocka_unit_test(contents_are_counted_and_removed),
		cmocka_unit_test(fifty_at_once_make_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
