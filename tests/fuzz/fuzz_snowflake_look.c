/*
 * Any rows as what Snowflake answers to what river asks of its tables: the ledger with its witnesses, what is in raw,
 * counts, stamps, refused rows, streams, a pipe's state, the objects of an account, the ledger of extracts, a COPY. Of
 * any number of columns, with nulls and doubled rows. What is told is what the cells say, read here by themselves;
 * nothing is taken for loaded of which no row says so; a number that is none is no 0; and the same rows in other pages
 * tell the same.
 *
 * The first byte chooses what is asked. The rest is answers, with a line "%" between them: a row a line, its cells with
 * tabs between them, "\N" null; the first line has the names of the columns, or "!" and a status, for a refusal.
 */
#include "fuzz.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/number.h"
#include "format/stamp.h"
#include "snowflake/internal.h"
#include "warehouse/changes.h"
#include "warehouse/snowflake_differ.h"
#include "warehouse/snowflake_extract.h"
#include "warehouse/snowflake_load.h"
#include "warehouse/snowflake_look.h"
#include "warehouse/snowflake_seen.h"

#define MOST_CELLS 512
#define D "data/web/clicks/dt=2026-11-20/hr=14/"

/* ---- Snowflake ---- */

static struct rv_snowflake snowflake;

static struct {
	const char *p, *end;
	size_t a_page;            /* rows */
	unsigned calls;
} script;

struct answer {
	char *text;
	struct rv_snowflake_column columns[32];
	size_t width, count;
	struct rv_str values[MOST_CELLS];
};

static void take_line(struct answer *a, char *line, bool first)
{
	size_t n = 0;

	for (char *cell = line, *tab; cell && n < (first ? 32 : a->width); cell = tab, n++) {
		tab = strchr(cell, '\t');
		if (tab)
			*tab++ = '\0';
		if (first)
			a->columns[n] = (struct rv_snowflake_column){ .name = cell, .type = RV_SNOWFLAKE_TEXT };
		else
			a->values[a->count * a->width + n] = strcmp(cell, "\\N") == 0 ? (struct rv_str){ NULL, 0 }
										   : rv_str_of(cell);
	}
	if (first)
		a->width = n;
	/* as in any answer, a row has a value for each column */
	while (!first && n < a->width)
		a->values[a->count * a->width + n++] = (struct rv_str){ NULL, 0 };
	a->count += !first;
}

/* Caller frees a->text. False: there is none. */
static bool next_answer(struct answer *a)
{
	const char *p = script.p, *end;

	memset(a, 0, sizeof(*a));
	if (p >= script.end)
		return false;
	end = strstr(p, "\n%\n");
	a->text = rv_strndup(p, end ? (size_t)(end - p) : (size_t)(script.end - p));
	script.p = end ? end + 3 : script.end;
	char *line = a->text;

	for (bool first = true; line && (first || (a->count + 1) * a->width <= MOST_CELLS); first = false) {
		char *next = strchr(line, '\n');

		if (next)
			*next++ = '\0';
		take_line(a, line, first);
		line = next;
	}
	return true;
}

static enum rv_status give(const struct answer *a, unsigned statement, rv_snowflake_sink *sink, void *arg,
			   struct rv_error *err)
{
	size_t row = 0;

	do {
		size_t n = a->count - row < script.a_page ? a->count - row : script.a_page;
		/* with nothing behind it */
		RV_CLEANUP(rv_free_p) struct rv_str *values =
			(void *)exact_copy(a->values + row * a->width, n * a->width * sizeof(*values));
		const struct rv_snowflake_page page = { .statement = statement, .columns = a->columns,
							.columns_count = a->width, .values = values, .count = n };

		if (sink(arg, &page, err) != RV_OK) {
			CHECK(err->status != RV_OK && err->message[0]);
			return err->status;
		}
		row += n;
	} while (row < a->count);
	return RV_OK;
}

/* What is written into the ledger is JSON that says what it means. */
static void check_bound(const char *text)
{
	json_t *rows = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *row;
	size_t i;

	CHECK(json_is_array(rows));
	json_array_foreach(rows, i, row) {
		const char *state = json_string_value(json_object_get(row, "s"));
		const char *at = json_string_value(json_object_get(row, "l"));
		int64_t ms;

		CHECK(json_is_string(json_object_get(row, "f")) && state);
		CHECK(strcmp(state, "loaded") == 0 || strcmp(state, "partial") == 0 || strcmp(state, "failed") == 0 ||
		      strcmp(state, "submitted") == 0);
		CHECK(!at || rv_parse_time(at, strlen(at), &ms));
	}
	json_decref(rows);
}

enum rv_status rv_snowflake_execute(struct rv_snowflake *of, const struct rv_snowflake_statement *statement,
				    rv_snowflake_sink *sink, void *arg, struct rv_snowflake_outcome *ret_outcome,
				    struct rv_error *err)
{
	struct answer a;
	enum rv_status status = RV_OK;

	CHECK(of == &snowflake && ++script.calls < 100);
	if (ret_outcome)
		*ret_outcome = (struct rv_snowflake_outcome){ .done = 0 };
	if (statement->bindings_count)
		check_bound(statement->bindings[0].value);
	for (unsigned i = 0; i < (statement->count ? statement->count : 1) && status == RV_OK; i++) {
		if (!next_answer(&a))
			return rv_fail(err, RV_FAILED, "nobody answers");
		if (a.text[0] == '!') {
			status = rv_fail(err, a.text[1] == 'n' ? RV_NOT_FOUND : RV_FAILED, "refused");
			snprintf(err->service_code, sizeof(err->service_code), "%s", a.text[1] == 'd' ? "100069" : "");
		} else if (sink) {
			status = give(&a, i, sink, arg, err);
		}
		free(a.text);
	}
	return status;
}

/* ---- what is told ---- */

static struct rv_strbuf told = RV_STRBUF_INIT;
static struct rv_stream stream;
static struct rv_warehouse *warehouse;

static bool is_loaded(enum rv_load_state state)
{
	return state == RV_LOAD_LOADED || state == RV_LOAD_KNOWN || state == RV_LOAD_PARTIAL;
}

/* Some row of some answer says that this file is loaded, or that raw has rows of it. */
static bool somebody_says_loaded(const char *input, const char *object)
{
	const char *name = strrchr(object, '/') ? strrchr(object, '/') + 1 : object;
	bool found = false;

	for (const char *line = input; *line && !found; line += strcspn(line, "\n"), line += *line == '\n') {
		RV_CLEANUP(rv_free_p) char *row = rv_strndup(line, strcspn(line, "\n"));
		unsigned column = 0;

		if (!strstr(row, name))
			continue;
		for (char *cell = row, *tab; cell && !found; cell = tab, column++) {
			tab = strchr(cell, '\t');
			if (tab)
				*tab++ = '\0';
			found = strcmp(cell, "loaded") == 0 || strcmp(cell, "partial") == 0 ||
				strcmp(cell, "retired") == 0 || strcmp(cell, "Loaded") == 0 ||
				strcmp(cell, "Partially loaded") == 0 || strcmp(cell, "LOADED") == 0 ||
				strcmp(cell, "PARTIALLY_LOADED") == 0 || (column == 21 && strtoull(cell, NULL, 10) > 0);
		}
	}
	return found;
}

static const char *input_text;

static enum rv_status tell_load(void *arg RV_UNUSED, const struct rv_load *load, struct rv_error *err RV_UNUSED)
{
	CHECK(load->object && rv_starts_with(load->object, "data/web/clicks/"));
	if (is_loaded(load->state))
		CHECK(somebody_says_loaded(input_text, load->object));
	rv_strbuf_printf(&told, "%s %d %llu %llu %lld %s\n", load->object, (int)load->state,
			 (unsigned long long)load->rows, (unsigned long long)load->rejected,
			 (long long)load->loaded_ms, load->message ? load->message : "");
	return RV_OK;
}

static enum rv_status tell_present(void *arg RV_UNUSED, const struct rv_load *load, struct rv_error *err RV_UNUSED)
{
	rv_strbuf_printf(&told, "%s\t%llu\n", load->object, (unsigned long long)load->rows);
	return RV_OK;
}

static enum rv_status tell_loaded(void *arg RV_UNUSED, const char *object, enum rv_load_state state,
				  struct rv_error *err RV_UNUSED)
{
	if (state == RV_LOAD_KNOWN)
		CHECK(somebody_says_loaded(input_text, object));
	rv_strbuf_printf(&told, "%s %d\n", object, (int)state);
	return RV_OK;
}

static enum rv_status tell_stamps(void *arg RV_UNUSED, const struct rv_loaded_stamps *stamps, struct rv_error *err RV_UNUSED)
{
	CHECK(stamps->range.from > 0 && stamps->range.from <= stamps->range.to);
	rv_strbuf_printf(&told, "%s\t%s\t%llu\t%llu\t%llu\n", stamps->object, stamps->run,
			 (unsigned long long)stamps->range.seq, (unsigned long long)stamps->range.from,
			 (unsigned long long)stamps->range.to);
	return RV_OK;
}

static enum rv_status tell_name(void *arg RV_UNUSED, const char *name, struct rv_error *err RV_UNUSED)
{
	rv_strbuf_printf(&told, "%s\n", name);
	return RV_OK;
}

/* ---- read here by themselves ---- */

/* Caller frees a->text. False: there is none, or it is a failure. */
static bool first_answer(struct answer *a)
{
	script.p = input_text;
	if (!next_answer(a))
		return false;
	if (a->text[0] != '!')
		return true;
	free(a->text);
	return false;
}

static const char *cell(const struct answer *a, size_t row, size_t column)
{
	const char *p = a->values[row * a->width + column].p;

	return p ? p : "";
}

/* A number and nothing else, of 64 bits. */
static bool is_number(const char *text)
{
	size_t digits = strspn(text, "0123456789"), zeros = strspn(text, "0");
	const char *most = "18446744073709551615";

	if (!digits || text[digits])
		return false;
	return digits - zeros < 20 || (digits - zeros == 20 && strcmp(text + zeros, most) <= 0);
}

static void check_present(enum rv_status status)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf wanted = RV_STRBUF_INIT;
	struct answer a;

	if (status == RV_OK) {
		CHECK(first_answer(&a) && a.width == 2);
		for (size_t i = 0; i < a.count; i++) {
			CHECK(is_number(cell(&a, i, 1)));
			rv_strbuf_printf(&wanted, "%s\t%llu\n", cell(&a, i, 0), strtoull(cell(&a, i, 1), NULL, 10));
		}
		CHECK(strcmp(wanted.bytes, told.bytes) == 0);
		free(a.text);
	}
}

static void check_stamps(enum rv_status status)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf wanted = RV_STRBUF_INIT;
	struct answer a;

	if (status != RV_OK)
		return;
	CHECK(first_answer(&a) && a.width == 5);
	for (size_t i = 0; i < a.count; i++) {
		bool numbers = is_number(cell(&a, i, 2)) && is_number(cell(&a, i, 3)) && is_number(cell(&a, i, 4));
		unsigned long long from = strtoull(cell(&a, i, 3), NULL, 10), to = strtoull(cell(&a, i, 4), NULL, 10);

		if (numbers && from && from <= to && strlen(cell(&a, i, 1)) <= RV_STAMP_RUN_MAX)
			rv_strbuf_printf(&wanted, "%s\t%s\t%llu\t%llu\t%llu\n", cell(&a, i, 0), cell(&a, i, 1),
					 strtoull(cell(&a, i, 2), NULL, 10), from, to);
	}
	CHECK(strcmp(wanted.bytes, told.bytes) == 0);
	free(a.text);
}

/* The last row of a term. */
static uint64_t term(const struct answer *a, const char *name)
{
	uint64_t n = 0;

	for (size_t i = 0; i < a->count; i++)
		if (strcmp(cell(a, i, 0), name) == 0) {
			CHECK(is_number(cell(a, i, 1)));
			n = strtoull(cell(a, i, 1), NULL, 10);
		}
	return n;
}

static void check_counts(const struct rv_warehouse_counts *counts)
{
	struct answer a;

	CHECK(first_answer(&a) && a.width == 2);
	CHECK(counts->raw == term(&a, "raw") && counts->clean == term(&a, "clean"));
	CHECK(counts->duplicates == term(&a, "duplicates") && counts->refused == term(&a, "refused"));
	CHECK(counts->latest == term(&a, "latest") && counts->tombstones == term(&a, "tombstones"));
	free(a.text);
}

static void check_pipe(const struct rv_warehouse_pipe *pipe)
{
	struct answer a;

	CHECK(first_answer(&a));
	json_t *json = a.count ? json_loads(cell(&a, 0, 0), 0, NULL) : NULL;
	const char *state = json_string_value(json_object_get(json, "executionState"));

	CHECK(pipe->runs == (state && strcmp(state, "RUNNING") == 0));
	CHECK(memchr(pipe->state, '\0', sizeof(pipe->state)) && memchr(pipe->channel, '\0', sizeof(pipe->channel)) &&
	      memchr(pipe->error, '\0', sizeof(pipe->error)));
	json_decref(json);
	free(a.text);
}

/* ---- asking ---- */

static enum rv_status try_facts(struct rv_error *err)
{
	const struct rv_snowflake_warehouse *w = (const struct rv_snowflake_warehouse *)warehouse;
	const struct rv_stream *streams[] = { &stream };
	RV_CLEANUP(snow_seen_release) struct snow_seen seen = { .has_database = false };
	RV_CLEANUP(rv_changes_release) struct rv_changes changes = { .count = 0 };
	enum rv_status status = snow_see(w, streams, 1, &seen, err);

	for (size_t i = 0; i < seen.count && status == RV_OK; i++) {
		const struct snow_fact *f = &seen.facts[i], *found = snow_seen_find(&seen, f->kind, f->schema, f->name);

		CHECK(found && found <= f && snow_seen_value(&seen, f->kind, f->schema, f->name, f->attribute));
		rv_strbuf_printf(&told, "%s %s %s %s %s\n", f->kind, f->schema, f->name, f->attribute, f->value);
	}
	if (status != RV_OK || snow_compare_seen(w, streams, 1, &seen, &changes, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < changes.count; i++) {
		const struct rv_change *c = &changes.items[i];

		CHECK(c->object && c->object[0] && c->why && c->why[0] && c->after_count <= RV_CHANGE_AFTER_MAX);
		CHECK(c->kind == RV_CHANGE_CONFLICT || c->kind == RV_CHANGE_FOREIGN || c->statements_count > 0);
		for (size_t k = 0; k < c->after_count; k++)
			CHECK(c->after[k] < changes.count && c->after[k] != i);
		rv_strbuf_printf(&told, "%d %s: %s\n", (int)c->kind, c->object, c->why);
	}
	return RV_OK;
}

static enum rv_status try_extract(unsigned which, struct rv_error *err)
{
	static const char *const names[] = { "id" };
	static const struct rv_string_list key = { .items = (char **)(uintptr_t)names, .count = 1 };
	static struct rv_extract_table table = { .schema = "SHOP", .name = "ORDERS", .key = &key, .merge = true };
	static struct rv_extract_node node;
	static struct rv_extract_document document = { .name = "orders", .nodes = &node, .nodes_count = 1 };
	const struct rv_extract extract = { .job = "shop", .identity = "i", .name = "a.zip", .order = "1",
					    .summary = "{}", .tables = &table, .tables_count = 1,
					    .documents = &document, .documents_count = 1 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf summary = RV_STRBUF_INIT;
	struct answer a;
	uint64_t n = 0;
	bool found = false;
	enum rv_status status = which == 0   ? snow_extract_find(warehouse, "shop", "i", &summary, &found, err)
				: which == 1 ? snow_extract_number(warehouse, &n, err)
					     : snow_extract_left(warehouse, &extract, 0, &n, err);

	rv_strbuf_printf(&told, "%d %llu %s\n", found, (unsigned long long)n, summary.bytes);
	if (status != RV_OK || !first_answer(&a))
		return status;
	CHECK(a.width == (which ? 1 : 2) && (which || found == (a.count > 0)));
	if (which && a.count)
		CHECK(is_number(cell(&a, 0, 0)) && n == strtoull(cell(&a, 0, 0), NULL, 10));
	free(a.text);
	return status;
}

static enum rv_status try_load(unsigned how, struct rv_error *err)
{
	char *names[] = { rv_strdup(D "a.ndjson.zst"), rv_strdup(D "b.ndjson.zst") };
	struct rv_load items[] = { { .object = names[0], .modified_ms = 1 }, { .object = names[1], .modified_ms = 1 } };
	const struct rv_load_params params = { .by_hand = how & 1, .force = how & 2 };
	enum rv_status status = warehouse->ops->load(warehouse, &stream, items, 2, &params, err);

	for (size_t i = 0; i < 2; i++) {
		if (is_loaded(items[i].state))
			CHECK(somebody_says_loaded(input_text, items[i].object));
		rv_strbuf_printf(&told, "%s %d %llu\n", items[i].object, (int)items[i].state,
				 (unsigned long long)items[i].rows);
		rv_load_release(&items[i]);
	}
	return status;
}

static enum rv_status ask(unsigned what, struct rv_error *err)
{
	struct rv_warehouse_refused refused = { .count = 0 };
	struct rv_warehouse_counts counts = { .raw = 0 };
	struct rv_warehouse_pipe pipe = { .runs = false };
	enum rv_status status;

	switch (what % 12) {
	case 0:
	case 1: return snow_history_op(warehouse, &stream, tell_load, NULL, err);
	case 2: return snow_loaded(warehouse, &stream, tell_loaded, NULL, err);
	case 3:
		status = snow_present(warehouse, &stream, false, tell_present, NULL, err);
		check_present(status);
		return status;
	case 4:
		status = snow_stamps(warehouse, &stream, tell_stamps, NULL, err);
		check_stamps(status);
		return status;
	case 5:
		status = snow_refused(warehouse, &stream, false, &refused, err);
		CHECK(memchr(refused.column, '\0', sizeof(refused.column)) &&
		      memchr(refused.reason, '\0', sizeof(refused.reason)));
		rv_strbuf_printf(&told, "%llu %llu %llu %llu %s %s", (unsigned long long)refused.count,
				 (unsigned long long)refused.last_rows, (unsigned long long)refused.last_refused,
				 (unsigned long long)refused.commonest, refused.column, refused.reason);
		return status;
	case 6:
		status = snow_count(warehouse, &stream, &counts, err);
		if (status == RV_OK)
			check_counts(&counts);
		return status;
	case 7: return snow_streams(warehouse, tell_name, NULL, err);
	case 8:
		status = snow_pipe(warehouse, &stream, &pipe, err);
		if (status == RV_OK)
			check_pipe(&pipe);
		return status;
	case 9: return try_facts(err);
	case 10: return try_extract(what / 12 % 3, err);
	default: return try_load(what / 12, err);
	}
}

static void set_up(void)
{
	static const struct rv_snowflake_warehouse_params params = {
		.snowflake = &snowflake, .database = "RIVER", .warehouse = "LOAD_WH", .role = "R", .bucket = "lake",
		.lake_prefix = "", .storage_integration = "S3", .makes_roles = true };
	struct rv_error err = RV_ERROR_INIT;

	warehouse = rv_warehouse_snowflake_new(&params, NULL);
	rv_stream_init(&stream);
	snprintf(stream.id, sizeof(stream.id), "01JCX0000000000000000000ZZ");
	CHECK(rv_stream_parse_name("web/clicks", &stream, &err) == RV_OK);
	stream.columns = rv_calloc(1, sizeof(*stream.columns));
	stream.columns[0] = (struct rv_column){ .name = rv_strdup("id"), .from = rv_strdup("id"), .required = true };
	stream.columns_count = 1;
	stream.layers = RV_LAYER_RAW | RV_LAYER_CLEAN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf before = RV_STRBUF_INIT;
	enum rv_status status = RV_OK;

	if (size < 1 || size > 8192)
		return 0;
	if (!warehouse)
		set_up();
	RV_CLEANUP(rv_free_p) char *text = exact_text(data + 1, size - 1);

	input_text = text;
	/* all in a page, then page by page; of a pipe and of the ledger of extracts there is one row */
	unsigned rounds = data[0] % 12 == 8 || data[0] % 12 == 10 ? 1 : 2;

	for (unsigned round = 0; round < rounds; round++) {
		struct rv_error err = RV_ERROR_INIT;

		rv_strbuf_clear(&told);
		script.p = text;
		script.end = text + size - 1;
		script.a_page = round ? 1 : MOST_CELLS;
		script.calls = 0;
		enum rv_status now = ask(data[0], &err);

		CHECK(now == RV_OK || (err.status == now && err.message[0]));
		/* of two things that are wrong either may be told */
		CHECK(!round || (now == RV_OK) == (status == RV_OK));
		CHECK(!round || now != RV_OK || strcmp(before.bytes, told.bytes) == 0);
		status = now;
		rv_strbuf_puts(&before, told.bytes);
	}
	return 0;
}
