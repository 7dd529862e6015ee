/*
 * A guess about a member: a type that is said takes every value it was said of, a glob matches the name it was
 * made of, and a dialect is one that the member can be read in. The first byte chooses.
 */
#include "fuzz.h"

#include <fnmatch.h>

#include "flow/extract_infer_impl.h"
#include "flow/table_csv.h"
#include "flow/table_value.h"
#include "format/text_copy.h"

/* ---- types ---- */

/* Values, one a line. */
static void try_type(const char *p, size_t len)
{
	static char utc[] = "UTC";
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf why = RV_STRBUF_INIT, row = RV_STRBUF_INIT;
	struct rv_column column = { .type = RV_COLUMN_STRING };
	struct rv_infer_type type;
	char reason[RV_CUT_REASON] = "";
	const char *end = p + len, *newline;

	if (rv_utf8_check(p, len) < len || memchr(p, '\0', len))
		return;
	rv_infer_type_init(&type);
	uint64_t n = 0;
	for (const char *v = p; v < end; v = newline + 1) {
		newline = memchr(v, '\n', (size_t)(end - v));
		newline = newline ? newline : end;
		if (newline > v)
			rv_infer_type_add(&type, v, (size_t)(newline - v), ++n);
	}
	rv_infer_type_say(&type, &column, &why);
	CHECK(type.values == n && (n || column.type == RV_COLUMN_STRING));
	if (column.type == RV_COLUMN_TIMESTAMP && !rv_infer_type_has_zone(&type))
		column.timezone = utc;
	for (const char *v = p; v < end; v = newline + 1) {
		newline = memchr(v, '\n', (size_t)(end - v));
		newline = newline ? newline : end;
		rv_strbuf_clear(&row);
		if (!rv_table_value(&column, (struct rv_str){ v, (size_t)(newline - v) }, &row, reason)) {
			fprintf(stderr, "'%.*s' as %d(%u,%u) %s: %s\n", (int)(newline - v), v, (int)column.type,
				column.precision, column.scale, column.format ? column.format : "-", reason);
			CHECK(!"a type that takes all its values");
		}
	}
}

/* ---- names ---- */

static void try_name(const char *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf glob = RV_STRBUF_INIT, quoted = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *name = rv_infer_name(text, "otherwise");

	CHECK(name[0]);
	for (const char *c = name; *c; c++)
		CHECK((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_');
	CHECK(rv_infer_singular(name) <= strlen(name));
	(void)rv_infer_key_name(name, text);
	/* members have no names with these (format/zip_name.h) */
	if (!strchr(text, '\\')) {
		rv_infer_glob_of(text, &glob);
		CHECK(fnmatch(glob.bytes, text, 0) == 0);
	}
	rv_infer_quote(&quoted, text, strlen(text));
	CHECK(quoted.len >= 2 && quoted.bytes[0] == '"' && quoted.bytes[quoted.len - 1] == '"');
	CHECK(!strchr(quoted.bytes, '\n'));
}

/* ---- dialects ---- */

struct seen {
	uint64_t rows, rejects;
	char first[128];
};

static enum rv_status take_row(void *arg, const char *row RV_UNUSED, size_t len RV_UNUSED,
			       struct rv_error *err RV_UNUSED)
{
	((struct seen *)arg)->rows++;
	return RV_OK;
}

static enum rv_status take_reject(void *arg, const struct rv_table_reject *r, struct rv_error *err RV_UNUSED)
{
	struct seen *seen = arg;

	if (!seen->rejects++)
		snprintf(seen->first, sizeof(seen->first), "%s", r->reason);
	return RV_OK;
}

static void read_member(const struct rv_infer_head *head, const char *p, size_t len)
{
	struct rv_job_table table = { .dialect = head->dialect };
	RV_CLEANUP(rv_free_p) struct rv_column *columns = rv_calloc(head->dialect.names.count, sizeof(*columns));
	struct seen seen = { 0 };
	const struct rv_table_sink sink = { .row = take_row, .reject = take_reject, .arg = &seen };
	struct rv_table_counts counts;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_source *source = rv_source_mem_new(p, len, 0, UINT64_MAX);

	for (size_t i = 0; i < head->dialect.names.count; i++)
		columns[i] = (struct rv_column){ .name = head->dialect.names.items[i],
						 .from = head->dialect.names.items[i] };
	table.columns = columns;
	table.columns_count = head->dialect.names.count;
	/* two columns of one name, and the like */
	if (rv_table_csv_read(&table, 1 << 20, source, &sink, &counts, &err) != RV_OK)
		CHECK(err.status == RV_BAD_DATA && err.message[0]);
	else
		CHECK(counts.rows == seen.rows && counts.rejected == seen.rejects);
	rv_source_free(source);
}

static void try_head(const char *p, size_t len, bool whole)
{
	struct rv_infer_head head;

	rv_infer_head_read(p, len, whole, &head);
	if (!head.table) {
		CHECK(head.why_not && head.why_not[0]);
	} else {
		CHECK(rv_utf8_check(head.text.bytes, head.text.len) == head.text.len);
		CHECK(head.good <= head.rows && head.dialect.names.count > 0 && head.line_end);
		for (size_t i = 0; i < head.dialect.names.count; i++)
			CHECK(head.dialect.names.items[i]);
		if (whole)
			read_member(&head, p, len);
	}
	rv_infer_head_release(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 8192)
		return 0;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);
	RV_CLEANUP(rv_free_p) char *text = exact_text(data + 1, size - 1);

	switch (data[0] & 3) {
	case 0: try_type(p, size - 1); break;
	case 1: try_name(text); break;
	default: try_head(p, size - 1, data[0] & 1);
	}
	return 0;
}
