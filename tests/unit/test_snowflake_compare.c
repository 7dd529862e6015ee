/*
 * What is wanted against what Snowflake reports: from nothing to everything and back, and every way in
 * which something may differ. What Snowflake reports is made from the statements of the first comparison,
 * by a reader of the few forms they have.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/definition.h"
#include "warehouse/snowflake_contract.h"
#include "warehouse/snowflake_plan.h"

static struct rv_snowflake_warehouse w = {
	.params = {
		.database = "RIVER",
		.warehouse = "LOAD_WH",
		.bucket = "acme-lake",
		.lake_prefix = "river",
		.storage_integration = "RIVER_S3",
		.storage_role_arn = "arn:aws:iam::123456789012:role/snowflake",
		.makes_roles = true,
	},
};

static const char clicks[] = "stream: web/clicks\n"
			     "key: [id]\n"
			     "columns: { id: { type: string }, email: { type: string } }\n"
			     "cluster_by: [id]\n"
			     "grants: { read: [analyst], push: [producer] }\n"
			     "mask: [email]\n";
static const char orders[] = "stream: shop/orders\n"
			     "key: [id]\n"
			     "columns: { id: { type: integer } }\n"
			     "retention: { warehouse: 3 months }\n"
			     "pipe: notify\n";

static void must_parse(const char *text, struct rv_stream *ret)
{
	struct rv_yaml_documents documents;
	struct rv_error err = RV_ERROR_INIT;

	rv_stream_init(ret);
	if (rv_yaml_parse("s.yaml", text, strlen(text), &documents, &err) != RV_OK ||
	    rv_definition_parse("s.yaml", documents.roots[0], ret, &err) != RV_OK)
		fail_msg("%s\nline %d: %s (%s)", text, (int)err.line, err.message, err.hint);
	rv_yaml_release(&documents);
	snprintf(ret->id, sizeof(ret->id), "01JCQ8Z5T0AAAAAAAAAAAAAAAA");
}

/* ---- a world made of statements ---- */

/* The parts of "D"."S"."N" that begin at `p`: the last one, and the one before it. */
static void take_name(const char *p, char schema[128], char name[128])
{
	schema[0] = name[0] = '\0';
	while (*p == '"') {
		size_t len = strcspn(p + 1, "\"");

		memcpy(schema, name, 128);
		snprintf(name, 128, "%.*s", (int)len, p + 1);
		p += len + 2;
		p += *p == '.';
	}
}

static void take_comment(const char *sql, char *comment, size_t size)
{
	const char *p = strstr(sql, "COMMENT = '");

	comment[0] = '\0';
	if (p)
		snprintf(comment, size, "%.*s", (int)strcspn(p + 11, "'"), p + 11);
}

struct naming {
	struct snow_seen *seen;
	const char *schema, *name;
};

static void add_column(void *arg, const char *name, const char *type, bool not_null RV_UNUSED)
{
	const struct naming *n = arg;

	snow_seen_add(n->seen, "column", n->schema, n->name, name, type);
}

static void do_create(struct snow_seen *seen, const struct rv_stream *stream, const char *sql)
{
	static const struct {
		const char *words, *kind, *attribute;
	} forms[] = { { "SCHEMA ", "schema", "" },	   { "TABLE ", "table", "TABLE" },
		      { "DYNAMIC TABLE ", "table", "DYNAMIC" }, { "VIEW ", "table", "VIEW" },
		      { "PIPE ", "pipe", "" },		   { "FILE FORMAT ", "format", "" },
		      { "STAGE ", "stage", "s3://acme-lake/river/data/" },
		      { "STREAM ", "owned", "STREAM" },	   { "TASK ", "task", "started" } };
	char schema[128], name[128], comment[512];

	take_comment(sql, comment, sizeof(comment));
	take_name(strchr(sql, '"'), schema, name);
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		const char *at = strstr(sql, forms[i].words);
		struct naming n = { seen, schema, name };

		if (!at || at != sql + 7)
			continue;
		if (strcmp(forms[i].kind, "schema") == 0)
			snow_seen_add(seen, "schema", name, "", "", comment);
		else
			snow_seen_add(seen, forms[i].kind, schema, name, forms[i].attribute, comment);
		if (strcmp(forms[i].words, "TABLE ") == 0)
			snow_each_column(strcmp(name, "LEDGER") == 0 ? NULL : stream,
					 strstr(name, "$NEWEST") ? SNOW_NEWEST : SNOW_RAW, add_column,
					 &n);
		if (strcmp(forms[i].words, "PIPE ") == 0)
			snow_seen_add(seen, "copy", schema, name, "arn:aws:sqs:queue",
				      strstr(sql, "AS COPY") + 3);
		if (strcmp(forms[i].words, "DYNAMIC TABLE ") == 0)
			snow_seen_add(seen, "lag", schema, name, "5 minutes", "ACTIVE LOAD_WH");
		if (strcmp(forms[i].words, "TASK ") == 0)
			snow_seen_add(seen, "when", schema, name,
				      strstr(sql, "MINUTE") ? "5 MINUTE" : "USING CRON", "LOAD_WH");
	}
}

static void do_grant(struct snow_seen *seen, const char *sql)
{
	const char *on = strstr(sql, " ON "), *to = strstr(sql, " TO ROLE ");
	char schema[128], name[128], role_schema[128], role[128];

	if (!on || !to)
		return;
	take_name(strchr(on, '"'), schema, name);
	take_name(to + 9, role_schema, role);
	if (strncmp(on, " ON SCHEMA", 10) == 0) {
		memcpy(schema, name, 128);
		name[0] = '\0';
	}
	for (const char *p = sql + 6; p < on; p += 2) {
		size_t len = strcspn(p, ",");
		size_t most = (size_t)(on - p);
		RV_CLEANUP(rv_free_p) char *one = rv_strndup(p, len < most ? len : most);

		snow_seen_add(seen, "grant", schema, name, one, role);
		p += len < most ? len : most;
	}
}

static void do_mask(struct snow_seen *seen, const char *sql)
{
	char schema[128], name[128], column_schema[128], column[128], policy_schema[128], policy[128];

	take_name(strchr(sql, '"'), schema, name);
	take_name(strstr(sql, "COLUMN ") + 7, column_schema, column);
	take_name(strstr(sql, "POLICY ") + 7, policy_schema, policy);
	snow_seen_add(seen, "mask", schema, name, column, policy);
}

static void carry_out(struct snow_seen *seen, const struct rv_changes *changes)
{
	seen->has_database = true;
	for (size_t i = 0; i < changes->count; i++)
		for (size_t k = 0; k < changes->items[i].statements_count; k++) {
			const char *sql = changes->items[i].statements[k];
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf plain = RV_STRBUF_INIT;
			const char *exists = strstr(sql, "IF NOT EXISTS ");

			/* CREATE <kind> IF NOT EXISTS <name> -> CREATE <kind> <name> */
			rv_strbuf_add(&plain, sql, exists ? (size_t)(exists - sql) : strlen(sql));
			if (exists)
				rv_strbuf_puts(&plain, exists + 14);
			if (strncmp(sql, "CREATE ", 7) == 0)
				do_create(seen, changes->items[i].stream, plain.bytes);
			else if (strncmp(sql, "GRANT ", 6) == 0)
				do_grant(seen, sql);
			else if (strstr(sql, "SET MASKING POLICY"))
				do_mask(seen, sql);
		}
	snow_seen_sort(seen);
}

struct world {
	struct rv_stream streams[2];
	const struct rv_stream *both[2];
	struct snow_seen seen;
};

static void compare(struct world *world, size_t count, struct rv_changes *ret)
{
	struct rv_error err = RV_ERROR_INIT;

	if (snow_compare_seen(&w, world->both, count, &world->seen, ret, &err) != RV_OK)
		fail_msg("%s", err.message);
}

static int set_up(void **state)
{
	struct world *world = rv_calloc(1, sizeof(*world));
	struct rv_changes all = { 0 };

	must_parse(clicks, &world->streams[0]);
	must_parse(orders, &world->streams[1]);
	world->both[0] = &world->streams[0];
	world->both[1] = &world->streams[1];
	compare(world, 2, &all);
	carry_out(&world->seen, &all);
	rv_changes_release(&all);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	snow_seen_release(&world->seen);
	rv_stream_release(&world->streams[0]);
	rv_stream_release(&world->streams[1]);
	free(world);
	return 0;
}

/* Changes a fact: its value, or without one takes it away. */
static void change_fact(struct world *world, const char *kind, const char *name, const char *attribute,
			const char *to)
{
	for (size_t i = 0; i < world->seen.count; i++) {
		struct snow_fact *fact = &world->seen.facts[i];

		if (strcmp(fact->kind, kind) != 0 || strcmp(fact->name, name) != 0 ||
		    (attribute && strcmp(fact->attribute, attribute) != 0))
			continue;
		if (to) {
			fact->value = to;
		} else {
			memmove(fact, fact + 1, (world->seen.count - i - 1) * sizeof(*fact));
			world->seen.count--;
		}
		snow_seen_sort(&world->seen);
		return;
	}
	fail_msg("no fact %s of %s", kind, name);
}

/* The one change there is of the object, which ends like this. */
static const struct rv_change *only(const struct rv_changes *changes, enum rv_change_kind kind,
				    const char *object, const char *why)
{
	if (changes->count != 1)
		for (size_t i = 0; i < changes->count; i++)
			print_message("%s: %s\n", changes->items[i].object, changes->items[i].why);
	assert_int_equal(changes->count, 1);
	assert_non_null(strstr(changes->items[0].object, object));
	if (!strstr(changes->items[0].why, why))
		fail_msg("%s is no %s", changes->items[0].why, why);
	assert_int_equal(changes->items[0].kind, kind);
	return &changes->items[0];
}

static void differs(struct world *world, enum rv_change_kind kind, const char *object, const char *why,
		    const char *statement)
{
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };
	bool found = statement[0] == '\0';

	compare(world, 2, &changes);
	const struct rv_change *change = only(&changes, kind, object, why);

	for (size_t i = 0; i < change->statements_count; i++)
		found |= strstr(change->statements[i], statement) != NULL;
	if (!found)
		fail_msg("%s: no statement %s", object, statement);
}

/* ---- tests ---- */

/* The schema and the table have one name, and grants of their own. */
static void test_name_of_its_business(void **state)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(snow_seen_release) struct snow_seen seen = { 0 };
	RV_CLEANUP(rv_changes_release) struct rv_changes all = { 0 };
	RV_CLEANUP(rv_changes_release) struct rv_changes again = { 0 };
	const struct rv_stream *one = &stream;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	must_parse("stream: web/web\ngrants: { read: [analyst], admin: [platform] }\n", &stream);
	assert_int_equal(snow_compare_seen(&w, &one, 1, &seen, &all, &err), RV_OK);
	carry_out(&seen, &all);
	assert_true(snow_seen_granted(&seen, "WEB", "WEB", "SELECT", "ANALYST"));
	assert_int_equal(snow_compare_seen(&w, &one, 1, &seen, &again, &err), RV_OK);
	for (size_t i = 0; i < again.count; i++)
		print_message("%s: %s\n", again.items[i].object, again.items[i].why);
	assert_int_equal(again.count, 0);
}

static void test_nothing_differs(void **state)
{
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };

	compare(*state, 2, &changes);
	for (size_t i = 0; i < changes.count; i++)
		print_message("%s: %s\n", changes.items[i].object, changes.items[i].why);
	assert_int_equal(changes.count, 0);
}

/* Everything is after what it is made from, and each object is one change. */
static void test_from_nothing(void **state)
{
	struct world *world = *state;
	struct rv_changes changes = { 0 };
	size_t pipes = 0;

	snow_seen_release(&world->seen);
	compare(world, 2, &changes);
	assert_string_equal(changes.items[0].object, "database RIVER");
	for (size_t i = 0; i < changes.count; i++) {
		const struct rv_change *change = &changes.items[i];

		assert_int_equal(change->kind, RV_CHANGE_MAKE);
		assert_true(change->statements_count > 0);
		for (size_t k = 0; k < change->after_count; k++)
			assert_true(change->after[k] < i);
		pipes += strstr(change->object, "$PIPE") != NULL;
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(changes.items[k].object, change->object);
	}
	assert_int_equal(pipes, 2);
	rv_changes_release(&changes);
}

static void test_drift(void **state)
{
	struct world *world = *state;

	change_fact(world, "lag", "CLICKS_CLEAN", NULL, "SUSPENDED LOAD_WH");
	differs(world, RV_CHANGE_ALTER, "CLICKS_CLEAN", "it is suspended", "RESUME");
	change_fact(world, "lag", "CLICKS_CLEAN", NULL, "ACTIVE OTHER");
	differs(world, RV_CHANGE_ALTER, "CLICKS_CLEAN", "it runs on warehouse OTHER",
		"SET WAREHOUSE = \"LOAD_WH\"");
	change_fact(world, "lag", "CLICKS_CLEAN", NULL, "ACTIVE LOAD_WH");
	change_fact(world, "copy", "CLICKS$PIPE", NULL, "COPY INTO X");
	differs(world, RV_CHANGE_REPLACE, "CLICKS$PIPE", "copies otherwise",
		"MERGE INTO \"RIVER\".\"RIVER\".\"LEDGER\"");
}

static void test_missing(void **state)
{
	struct world *world = *state;

	change_fact(world, "mask", "CLICKS_CLEAN", "EMAIL", NULL);
	differs(world, RV_CHANGE_ALTER, "CLICKS_CLEAN", "masks differ", "SET MASKING POLICY");
	snow_seen_add(&world->seen, "mask", "WEB", "CLICKS_CLEAN", "EMAIL", "MASK_VARCHAR");
	snow_seen_add(&world->seen, "mask", "WEB", "CLICKS_CLEAN", "ID", "MASK_VARCHAR");
	snow_seen_sort(&world->seen);
	differs(world, RV_CHANGE_ALTER, "CLICKS_CLEAN", "masks differ",
		"MODIFY COLUMN \"ID\" UNSET MASKING POLICY");
}

static void test_grants(void **state)
{
	struct world *world = *state;

	change_fact(world, "grant", "CLICKS_LATEST", "SELECT", "SOMEBODY");
	differs(world, RV_CHANGE_ALTER, "CLICKS_LATEST", "grants differ", "GRANT SELECT ON VIEW");
}

/* A role whose name is no plain word is granted as it is spelled, and found again. */
static void test_quoted_role(void **state)
{
	struct world *world = *state;
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };
	size_t granted = 0;

	rv_string_list_release(&world->streams[0].grants_read);
	rv_string_list_add(&world->streams[0].grants_read, "\"my-role\"", 9);
	compare(world, 2, &changes);
	for (size_t i = 0; i < changes.count; i++)
		for (size_t k = 0; k < changes.items[i].statements_count; k++) {
			const char *sql = changes.items[i].statements[k];

			granted += strstr(sql, "GRANT SELECT ON VIEW") &&
				   strstr(sql, "CLICKS_LATEST") && strstr(sql, " TO ROLE \"my-role\"");
			assert_null(strstr(sql, "MY-ROLE"));
		}
	assert_int_equal(granted, 1);
	rv_changes_release(&changes);
	snow_seen_add(&world->seen, "grant", "WEB", "CLICKS_LATEST", "SELECT", "my-role");
	snow_seen_sort(&world->seen);
	compare(world, 2, &changes);
	for (size_t i = 0; i < changes.count; i++)
		for (size_t k = 0; k < changes.items[i].statements_count; k++)
			assert_false(strstr(changes.items[i].statements[k], "GRANT SELECT ON VIEW") &&
				     strstr(changes.items[i].statements[k], "CLICKS_LATEST") &&
				     strstr(changes.items[i].statements[k], "my-role"));
}

/* A role that left the definition loses what it had; others' grants are theirs. */
static void test_former_roles(void **state)
{
	struct world *world = *state;
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };
	size_t revoked = 0;

	rv_string_list_release(&world->streams[0].grants_read);
	snow_seen_add(&world->seen, "grant", "WEB", "CLICKS_LATEST", "SELECT", "STRANGER");
	snow_seen_sort(&world->seen);
	compare(world, 2, &changes);
	for (size_t i = 0; i < changes.count; i++)
		for (size_t k = 0; k < changes.items[i].statements_count; k++) {
			const char *sql = changes.items[i].statements[k];

			revoked += strncmp(sql, "REVOKE", 6) == 0;
			assert_null(strstr(sql, "STRANGER"));
		}
	assert_int_equal(revoked, 2); /* of clean and latest: it was masked */
}

static void test_columns(void **state)
{
	struct world *world = *state;

	snow_seen_add(&world->seen, "column", "WEB", "CLICKS", "NOTE", "VARCHAR");
	snow_seen_sort(&world->seen);
	differs(world, RV_CHANGE_FOREIGN, "CLICKS", "column NOTE is not river's", "");
	change_fact(world, "column", "CLICKS", "NOTE", NULL);
	change_fact(world, "column", "CLICKS", "LOADED_AT", "TIMESTAMP_LTZ(9)"); /* the same */
	change_fact(world, "column", "CLICKS", "FILE_NAME", "TEXT(16777216)");
	change_fact(world, "column", "CLICKS", "RECORD", "VARCHAR");
	differs(world, RV_CHANGE_CONFLICT, "CLICKS", "column RECORD is VARCHAR, not VARIANT", "");
}

static void test_columns_gone(void **state)
{
	struct world *world = *state;

	change_fact(world, "column", "LEDGER", "RETIRED_ROWS", NULL);
	differs(world, RV_CHANGE_ALTER, "LEDGER", "column RETIRED_ROWS is not there",
		"ADD COLUMN IF NOT EXISTS \"RETIRED_ROWS\"");
}

static void test_others(void **state)
{
	struct world *world = *state;
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };

	change_fact(world, "pipe", "CLICKS$PIPE", NULL, "a pipe of ours");
	compare(world, 2, &changes);
	only(&changes, RV_CHANGE_CONFLICT, "pipe RIVER.WEB.CLICKS$PIPE", "is there and not river's");
	assert_non_null(changes.items[0].hint);
}

static void test_case(void **state)
{
	struct world *world = *state;
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };

	snow_seen_add(&world->seen, "table", "SHOP", "Orders", "TABLE", "");
	snow_seen_sort(&world->seen);
	compare(world, 2, &changes);
	only(&changes, RV_CHANGE_CONFLICT, "ORDERS", "which differs in case alone");
}

/* Rows that tasks have merged are not thrown away for another key. */
static void test_merged(void **state)
{
	struct world *world = *state;
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };
	bool blocked = false;

	free(world->streams[1].key.items[0]);
	world->streams[1].key.items[0] = rv_strdup("other");
	compare(world, 2, &changes);
	for (size_t i = 0; i < changes.count; i++)
		blocked |= changes.items[i].kind == RV_CHANGE_CONFLICT &&
			   strstr(changes.items[i].why, "the newest row of each id") != NULL;
	assert_true(blocked);
}

static void test_retention_comes(void **state)
{
	struct world *world = *state;
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };
	bool dropped = false, made = false;

	world->streams[0].retention_warehouse = rv_strdup("1 year");
	compare(world, 2, &changes);
	for (size_t i = 0; i < changes.count; i++)
		for (size_t k = 0; k < changes.items[i].statements_count; k++) {
			const char *sql = changes.items[i].statements[k];

			dropped |= rv_starts_with(sql, "DROP DYNAMIC TABLE IF EXISTS");
			made |= rv_starts_with(sql, "CREATE STREAM IF NOT EXISTS");
			assert_int_not_equal(changes.items[i].kind, RV_CHANGE_CONFLICT);
		}
	assert_true(dropped && made);
}

static void test_removal(void **state)
{
	struct world *world = *state;
	RV_CLEANUP(rv_changes_release) struct rv_changes moving = { 0 };
	RV_CLEANUP(rv_changes_release) struct rv_changes all = { 0 };

	snow_removal_seen(&w, world->both[1], false, &world->seen, &moving);
	assert_int_equal(moving.count, 3);
	change_fact(world, "table", "ORDERS_REFUSED", NULL, "mine");
	snow_removal_seen(&w, world->both[1], true, &world->seen, &all);
	size_t foreign = 0, raw = SIZE_MAX, ledger = SIZE_MAX;

	for (size_t i = 0; i < all.count; i++) {
		foreign += all.items[i].kind == RV_CHANGE_FOREIGN;
		if (strcmp(all.items[i].object, "table RIVER.SHOP.ORDERS") == 0)
			raw = i;
		if (strncmp(all.items[i].object, "rows of", 7) == 0)
			ledger = i;
	}
	assert_int_equal(foreign, 1);
	assert_true(raw != SIZE_MAX && ledger != SIZE_MAX);
	bool after = false;

	for (size_t k = 0; k < all.items[raw].after_count; k++)
		after |= all.items[raw].after[k] == ledger;
	assert_true(after);
}

static void test_bad(void **state)
{
	struct world *world = *state;
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_snowflake_warehouse bare = w;

	bare.params.storage_integration = NULL;
	assert_int_equal(snow_compare_seen(&bare, world->both, 2, &world->seen, &changes, &err),
			 RV_BAD_CONFIG);
	rv_string_list_add(&world->streams[0].grants_push, "no role", 7);
	assert_int_equal(snow_compare_seen(&w, world->both, 2, &world->seen, &changes, &err),
			 RV_BAD_CONFIG);
	assert_non_null(strstr(err.message, "no role"));
}

static void test_markers(void **state RV_UNUSED)
{
	static const char *const others[] = { "", "x", "{", "[]", "{\"river\":true}", "null",
					      "{\"stream\":\"web/clicks\"}" };
	struct snow_marker marker;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		snow_marker_parse(others[i], &marker);
		assert_false(marker.is_river);
		snow_marker_release(&marker);
	}
	snow_marker_parse("{\"river\":1,\"stream\":7,\"shape\":\"abc\",\"roles\":[\"a\",1]}", &marker);
	assert_true(marker.is_river);
	assert_string_equal(marker.stream, "");
	assert_string_equal(marker.shape, "abc");
	assert_int_equal(marker.roles.count, 1);
	snow_marker_release(&marker);
}

static void is_golden(const char *name, const char *text)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("tests/data/snowflake/%s.sql", name);
	RV_CLEANUP(rv_free_p) char *now = rv_asprintf("%s\n", text);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf golden = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	if (getenv("RIVER_GOLDEN")) {
		assert_int_equal(rv_replace_file(path, now, strlen(now), 0644, &err), RV_OK);
		return;
	}
	if (rv_read_file(path, 1 << 20, &golden, &err) != RV_OK)
		fail_msg("%s", err.message);
	assert_string_equal(golden.bytes, now);
}

static void test_looks(void **state)
{
	struct world *world = *state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	snow_add_look(&sql, &w, world->both, 2);
	is_golden("look", sql.bytes);
	rv_strbuf_clear(&sql);
	assert_true(snow_add_look_for_masks(&sql, &w, world->both, 2, &world->seen));
	is_golden("look-masks", sql.bytes);
	rv_strbuf_clear(&sql);
	assert_false(snow_add_look_for_masks(&sql, &w, world->both + 1, 1, &world->seen));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_differs), TEST(test_from_nothing), TEST(test_drift),
		TEST(test_missing),	    TEST(test_grants),	     TEST(test_quoted_role),	     TEST(test_former_roles),
		TEST(test_columns),	    TEST(test_columns_gone), TEST(test_others),
		TEST(test_case),	    TEST(test_merged),	     TEST(test_retention_comes),
		TEST(test_removal),	    TEST(test_bad),	     TEST(test_looks),
		cmocka_unit_test(test_markers),
		cmocka_unit_test(test_name_of_its_business),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
