/*
 * Extracts into Snowflake: what is missing is made, the extract is taken by one request, and whatever became of
 * its answer, the ledger says whether it was.
 */
#include "warehouse/snowflake_extract.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "warehouse/snowflake_ledger.h"

/* Snowflake takes a request of so many bytes. */
#define REQUEST_MAX_BYTES 1000000

/* ---- statements one by one ---- */

static const char *asking_role(const struct rv_snowflake_warehouse *w)
{
	const char *role = w->params.role ? w->params.role : rv_snowflake_role(w->params.snowflake);

	return role ? role : "<the user's default role>";
}

/* A refusal, with what has to be granted: who is to see nothing of an object is told that it is not there. */
static void name_grant(const struct rv_snowflake_warehouse *w, const char *needed, struct rv_error *err)
{
	if (!needed || (err->status != RV_AUTH && err->status != RV_NOT_FOUND))
		return;
	err->status = RV_AUTH;
	rv_hint(err, "GRANT %s TO ROLE %s", needed, asking_role(w));
}

static enum rv_status run_step(struct rv_snowflake_warehouse *w, const struct snow_step *step,
			       struct rv_error *err)
{
	enum rv_status status = snow_ask(w, step->sql, NULL, NULL, NULL, err);

	if (status == RV_OK)
		return RV_OK;
	if (strstr(err->message, "is not allowed by integration"))
		rv_hint(err, "let the integration read loads/ of the lake beside data/: ALTER STORAGE INTEGRATION "
			     "... SET STORAGE_ALLOWED_LOCATIONS = (...), and its role in AWS");
	if (!step->needless) {
		name_grant(w, step->grant, err);
		return rv_context(err, "%.*s", (int)strcspn(step->sql, "(\n"), step->sql);
	}
	if (err->status != RV_AUTH && err->status != RV_NOT_FOUND)
		return err->status;
	if (w->params.note)
		w->params.note("%s: %s", step->sql, err->message);
	*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}

/* ---- objects ---- */

static enum rv_status look(struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			   struct snow_steps *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(snow_seen_release) struct snow_seen seen = { 0 };

	snow_extract_look_sql(&sql, w, extract);
	if (snow_see_facts(w, sql.bytes, &seen, err) != RV_OK)
		return rv_context(err, "what there is for the tables of %s", extract->job);
	return snow_extract_make_steps(w, extract, &seen, ret, err);
}

/* What a run has found to be there once is not looked for again before each of its extracts. */
static bool is_made(const struct rv_snowflake_warehouse *w, const struct rv_extract *extract)
{
	return w->extracts_made && strcmp(w->extracts_made, extract->job) == 0;
}

static void note_made(struct rv_snowflake_warehouse *w, const struct rv_extract *extract)
{
	free(w->extracts_made);
	w->extracts_made = rv_strdup(extract->job);
}

static enum rv_status make(struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			   struct rv_error *err)
{
	RV_CLEANUP(snow_steps_release) struct snow_steps steps = { 0 };

	if (is_made(w, extract))
		return RV_OK;
	if (look(w, extract, &steps, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < steps.count; i++)
		if (run_step(w, &steps.items[i], err) != RV_OK)
			return err->status;
	note_made(w, extract);
	return RV_OK;
}

enum rv_status snow_extract_plan(struct rv_warehouse *warehouse, const struct rv_extract *extract,
				 void (*each)(void *arg, const char *statement), void *arg, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(snow_steps_release) struct snow_steps steps = { 0 };

	if (look(w, extract, &steps, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < steps.count; i++)
		each(arg, steps.items[i].sql);
	return RV_OK;
}

/* ---- the ledger ---- */

struct found {
	bool any;
	struct rv_strbuf *summary; /* Optional */
	char run[RV_ULID_TEXT];
};

static enum rv_status take_found(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	struct found *found = arg;

	/* What is not found is loaded. */
	if (snow_check_page(page, "tt", err) != RV_OK)
		return err->status;
	if (!page->count)
		return RV_OK;
	struct rv_str summary = snow_text(page, 0, 0), run = snow_text(page, 0, 1);

	found->any = true;
	if (found->summary)
		rv_strbuf_add(found->summary, summary.p, summary.len);
	if (run.len < sizeof(found->run))
		memcpy(found->run, run.p, run.len + 1);
	return RV_OK;
}

static enum rv_status find(struct rv_snowflake_warehouse *w, const char *job, const char *identity,
			   struct found *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	snow_extract_find_sql(&sql, w, job, identity);
	return snow_ask(w, sql.bytes, NULL, take_found, ret, err);
}

enum rv_status snow_extract_find(struct rv_warehouse *warehouse, const char *job, const char *identity,
				 struct rv_strbuf *ret_summary, bool *ret_found, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	struct found found = { .summary = ret_summary };
	enum rv_status status = find(w, job, identity, &found, err);

	*ret_found = found.any;
	if (status == RV_NOT_FOUND) {
		/* Nothing was ever taken; or the role sees nothing of it, and then cannot make it either. */
		*err = (struct rv_error)RV_ERROR_INIT;
		return RV_OK;
	}
	return status == RV_OK ? RV_OK : rv_context(err, "the ledger of extracts");
}

static enum rv_status take_name(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	struct rv_strbuf *ret = arg;

	if (snow_check_page(page, "T", err) != RV_OK)
		return err->status;
	if (page->count) {
		struct rv_str name = snow_text(page, 0, 0);

		rv_strbuf_add(ret, name.p, name.len);
	}
	return RV_OK;
}

enum rv_status snow_extract_above(struct rv_warehouse *warehouse, const struct rv_extract *extract,
				  struct rv_strbuf *ret, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	snow_extract_above_sql(&sql, w, extract);
	enum rv_status status = snow_ask(w, sql.bytes, NULL, take_name, ret, err);

	if (status == RV_NOT_FOUND) {
		/* as in snow_extract_find */
		*err = (struct rv_error)RV_ERROR_INIT;
		return RV_OK;
	}
	return status == RV_OK ? RV_OK : rv_context(err, "the ledger of extracts");
}

/* ---- taking ---- */

/* Of several statements the one that failed, if Snowflake's words tell. */
static const struct snow_step *failed_step(const struct snow_steps *steps,
					   const struct rv_snowflake_outcome *outcome)
{
	return outcome->done < steps->count ? &steps->items[outcome->done] : NULL;
}

static enum rv_status explain(struct rv_snowflake_warehouse *w, const struct snow_steps *steps,
			      const struct rv_snowflake_outcome *outcome, struct rv_error *err)
{
	const struct snow_step *step = failed_step(steps, outcome);
	const char *rows = NULL;

	/* the last one: the statement may be quoted before */
	for (const char *p = err->message; (p = strstr(p, SNOW_EXTRACT_ROWS " ")); p++)
		rows = p;
	if (step && step->table && rows) {
		const struct rv_extract_table *t = step->table;
		uint64_t have = 0;

		rows += strlen(SNOW_EXTRACT_ROWS " ");
		if (!rv_parse_u64(rows, strspn(rows, "0123456789"), &have))
			have = 0;
		return rv_fail(err, RV_BAD_DATA,
			       "%s.%s: %" PRIu64 " rows were sent, %" PRIu64 " are in the table", t->schema,
			       t->name, t->rows, have);
	}
	/* with an outcome that names no statement, the first would be blamed */
	name_grant(w, step && outcome->done ? step->grant : NULL, err);
	return err->status;
}

/* The answer was lost, or says no: the ledger knows. Somebody else may have taken it meanwhile. */
static enum rv_status settle(struct rv_snowflake_warehouse *w, const struct rv_extract *extract,
			     const char run[RV_ULID_TEXT], const struct snow_steps *steps,
			     const struct rv_snowflake_outcome *outcome, struct rv_error *err)
{
	struct rv_error failure = *err, later = RV_ERROR_INIT;
	struct found found = { 0 };

	if (find(w, extract->job, extract->identity, &found, &later) == RV_OK && found.any &&
	    (strcmp(found.run, run) == 0 || !extract->replace)) {
		*err = (struct rv_error)RV_ERROR_INIT;
		return RV_OK;
	}
	*err = failure;
	return explain(w, steps, outcome, err);
}

static enum rv_status take_repeated(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	struct rv_extract *extract = arg;

	if (snow_check_page(page, "NN", err) != RV_OK)
		return err->status;
	for (size_t row = 0; row < page->count; row++) {
		uint64_t place = snow_u64(page, row, 0);

		if (place < extract->tables_count)
			extract->tables[place].repeated = snow_u64(page, row, 1);
	}
	return RV_OK;
}

/* It is taken; that keys were in it more than once is only said. */
static void count_repeated(struct rv_snowflake_warehouse *w, struct rv_extract *extract,
			   const char run[RV_ULID_TEXT])
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	if (snow_extract_repeated_sql(&sql, w, extract, run) &&
	    snow_ask(w, sql.bytes, NULL, take_repeated, extract, &err) != RV_OK && w->params.note)
		w->params.note("%s is taken; how many keys it has twice is not known: %s", extract->name,
			       err.message);
}

static enum rv_status execute(struct rv_snowflake_warehouse *w, const struct snow_steps *steps,
			      rv_snowflake_sink *sink, void *arg, struct rv_snowflake_outcome *ret_outcome,
			      struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	snow_steps_join(steps, &sql);
	if (sql.len > REQUEST_MAX_BYTES) {
		rv_fail(err, RV_FAILED, "the extract has too many objects for one request to Snowflake");
		rv_hint(err, "take tables or members out of the job, into a second one");
		return err->status;
	}
	const struct rv_snowflake_statement statement = {
		.sql = sql.bytes,
		.count = (unsigned)steps->count,
		.database = w->params.database,
		.warehouse = w->params.warehouse,
		.role = w->params.role,
		.query_tag = "river extract-load",
	};

	return rv_snowflake_execute(w->params.snowflake, &statement, sink, arg, ret_outcome, err);
}

enum rv_status snow_extract_take(struct rv_warehouse *warehouse, struct rv_extract *extract, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(snow_steps_release) struct snow_steps steps = { 0 };
	struct rv_snowflake_outcome outcome = { .done = 0 };
	char run[RV_ULID_TEXT];

	if (extract->check_only) {
		enum rv_status status = look(w, extract, &steps, err);

		if (status == RV_OK && !steps.count)
			note_made(w, extract);
		return status;
	}
	if (make(w, extract, err) != RV_OK)
		return err->status;
	rv_ulid_new(rv_clock_ms(), run);
	snow_extract_take_steps(w, extract, run, &steps);
	if (execute(w, &steps, NULL, NULL, &outcome, err) != RV_OK &&
	    settle(w, extract, run, &steps, &outcome, err) != RV_OK)
		return rv_context(err, "take %s", extract->name);
	count_repeated(w, extract, run);
	return RV_OK;
}

/* ---- documents ---- */

struct changed {
	const struct rv_extract *extract;
	const struct rv_extract_changes *changes;
	const struct snow_steps *steps;
	size_t first, key_count;
};

/* Rows have all columns of their table; keys are whole, and never null. */
static enum rv_status check_cells(const struct rv_snowflake_page *page, size_t wanted, bool is_key, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf columns = RV_STRBUF_INIT;

	for (size_t i = 0; i < wanted; i++)
		rv_strbuf_putc(&columns, is_key ? 'T' : 't');
	return snow_check_page(page, columns.bytes, err);
}

static enum rv_status take_changed(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	const struct changed *c = arg;

	if (page->statement < c->first || page->statement >= c->steps->count)
		return RV_OK;
	const struct rv_extract_table *t = c->steps->items[page->statement].table;

	if (check_cells(page, t ? t->columns_count : c->key_count, !t, err) != RV_OK)
		return err->status;
	for (size_t row = 0; row < page->count; row++) {
		const struct rv_str *cells = page->values + row * page->columns_count;
		enum rv_status status =
			t ? c->changes->row(c->changes->arg, (size_t)(t - c->extract->tables), cells,
					    page->columns_count, err)
			  : c->changes->gone(c->changes->arg, cells, page->columns_count, err);

		if (status != RV_OK)
			return status;
	}
	return RV_OK;
}

enum rv_status snow_extract_changed(struct rv_warehouse *warehouse, const struct rv_extract *extract,
				    size_t document, const struct rv_extract_changes *changes,
				    struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(snow_steps_release) struct snow_steps steps = { 0 };
	struct changed changed = { .extract = extract, .changes = changes, .steps = &steps,
				   .key_count = extract->tables[extract->documents[document].nodes[0].table].key->count };
	struct rv_snowflake_outcome outcome = { .done = 0 };
	char run[RV_ULID_TEXT];

	/* an extract that was taken before there were documents has no list of theirs */
	if (make(w, extract, err) != RV_OK)
		return err->status;
	rv_ulid_new(rv_clock_ms(), run);
	snow_extract_changed_steps(w, extract, document, run, &steps, &changed.first);
	if (execute(w, &steps, take_changed, &changed, &outcome, err) == RV_OK)
		return RV_OK;
	name_grant(w, outcome.done && outcome.done < steps.count ? steps.items[outcome.done].grant : NULL, err);
	return rv_context(err, "what changed of documents.%s", extract->documents[document].name);
}

static enum rv_status take_number(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	if (snow_check_page(page, "N", err) != RV_OK)
		return err->status;
	if (page->count)
		*(uint64_t *)arg = snow_u64(page, 0, 0);
	return RV_OK;
}

enum rv_status snow_extract_number(struct rv_warehouse *warehouse, uint64_t *ret, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "SELECT COALESCE(MAX(\"EXTRACT_NUMBER\"), 0) AS \"N\" FROM ");
	snow_add_house(&sql, w, SNOW_EXTRACTS);
	*ret = 0;
	return snow_ask(w, sql.bytes, NULL, take_number, ret, err) == RV_OK
		       ? RV_OK
		       : rv_context(err, "the ledger of extracts");
}

enum rv_status snow_extract_settled(struct rv_warehouse *warehouse, const struct rv_extract *extract,
				    size_t document, uint64_t number, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	snow_extract_settled_sql(&sql, w, extract, document, number);
	return snow_ask(w, sql.bytes, NULL, NULL, NULL, err) == RV_OK
		       ? RV_OK
		       : rv_context(err, "the list of changed documents.%s", extract->documents[document].name);
}

enum rv_status snow_extract_left(struct rv_warehouse *warehouse, const struct rv_extract *extract, size_t document,
				 uint64_t *ret, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	snow_extract_left_sql(&sql, w, extract, document);
	*ret = 0;
	return snow_ask(w, sql.bytes, NULL, take_number, ret, err) == RV_OK
		       ? RV_OK
		       : rv_context(err, "the list of changed documents.%s", extract->documents[document].name);
}
