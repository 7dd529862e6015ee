/*
 * csv: the header once, then every row an object of strings with the columns' names.
 *
 * A row is read as RFC 4180 says, but only so far: a quote that is not closed within
 * max_record_bytes costs the line it was opened in, and reading goes on at the next line, so that
 * one stray quote does not swallow the file.
 */
#include "format/reader_impl.h"
#include "format/csv.h"
#include "format/text_copy.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/number.h"

static char **copy_texts(char *const *texts, size_t n)
{
	char **copy = n ? rv_calloc(n, sizeof(*copy)) : NULL;

	for (size_t i = 0; i < n; i++)
		copy[i] = rv_strdup(texts[i]);
	return copy;
}

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void free_columns(struct rv_csv_column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(columns[i].prefix);
	free(columns);
}

void rv_csv_release(struct rv_reader *rd)
{
	free_texts(rd->dialect.names, rd->dialect.names_count);
	free_texts(rd->dialect.nulls, rd->dialect.nulls_count);
	free_columns(rd->columns, rd->columns_count);
	free(rd->csv_header);
}

/* ---- the header ---- */

/* The text behind an escaped field `"..."`, added as a quoted CSV field. */
static bool add_csv_field(struct rv_strbuf *row, const char *p, size_t len)
{
	rv_strbuf_putc(row, '"');
	for (size_t i = 1; i + 1 < len; i++) {
		char c = p[i];

		if (c == '\\') {
			c = p[++i];
			if (c == 'u') {
				unsigned code = (unsigned)strtoul((char[3]){ p[i + 3], p[i + 4], 0 },
								  NULL, 16);

				if (!code)
					return false;
				c = (char)code;
				i += 4;
			} else if (c == 'n' || c == 'r' || c == 't') {
				c = c == 'n' ? '\n' : c == 'r' ? '\r' : '\t';
			}
		}
		if (c == '"')
			rv_strbuf_putc(row, c);
		rv_strbuf_putc(row, c);
	}
	rv_strbuf_putc(row, '"');
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum rv_status header_fail(const struct rv_reader *rd, struct rv_error *err, const char *what)
{
	rv_fail(err, RV_BAD_DATA, "%s: %s", rd->source->label, what);
	rv_error_at(err, rd->source->label, rd->line, 0);
	rv_hint(err, "mend the header, or give the column names yourself");
	return err->status;
}

static enum rv_status check_names(const struct rv_reader *rd, char **names, size_t n,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char **sorted = rv_calloc(n, sizeof(*sorted));
	char text[200];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], "\"\"") == 0) {
			snprintf(text, sizeof(text), "column %zu of the header has no name", i + 1);
			return header_fail(rd, err, text);
		}
		sorted[i] = names[i];
	}
	qsort(sorted, n, sizeof(*sorted), by_text);
	for (size_t i = 1; i < n; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0) {
			snprintf(text, sizeof(text), "the header names the column %.100s twice",
				 sorted[i]);
			return header_fail(rd, err, text);
		}
	return RV_OK;
}

/* Takes the row p[0..row->len) as the header. */
static enum rv_status set_columns(struct rv_reader *rd, const struct rv_csv_rules *dialect,
				  const char *p, const struct rv_csv_row *row, struct rv_error *err)
{
	size_t n = row->fields;
	RV_CLEANUP(rv_free_p) struct rv_csv_column *marks = rv_calloc(n, sizeof(*marks));
	RV_CLEANUP(rv_free_p) char **names = rv_calloc(n, sizeof(*names));
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf fields = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf header = RV_STRBUF_INIT;
	static char separator[] = "\n"; /* cannot stand in an escaped field */
	struct rv_csv_rules rules = { .delimiter = dialect->delimiter, .quote = dialect->quote,
				      .columns = marks, .columns_count = n };
	struct rv_csv_row again;

	for (size_t i = 0; i < n; i++)
		marks[i] = (struct rv_csv_column){ separator, 1 };
	rv_csv_row(&rules, p, row->len, true, &fields, &again);
	rv_strbuf_putc(&fields, '\n');
	char *field = fields.bytes + 1;

	for (size_t i = 0; i < n; i++) {
		char *end = strchr(field, '\n');

		*end = '\0';
		names[i] = field;
		field = end + 1;
		if (i)
			rv_strbuf_putc(&header, ',');
		if (!add_csv_field(&header, names[i], strlen(names[i])))
			return header_fail(rd, err, "a column name in the header holds a NUL byte");
	}
	if (check_names(rd, names, n, err) != RV_OK)
		return err->status;
	free_columns(rd->columns, rd->columns_count);
	rd->columns = rv_calloc(n, sizeof(*rd->columns));
	rd->columns_count = n;
	for (size_t i = 0; i < n; i++) {
		rd->columns[i].prefix = rv_asprintf("%c%s:", i ? ',' : '{', names[i]);
		rd->columns[i].len = strlen(rd->columns[i].prefix);
	}
	free(rd->csv_header);
	rd->csv_header = rv_strbuf_take(&header);
	return RV_OK;
}

/* A header that is not in the input: names given, or a checkpoint's. */
static enum rv_status set_columns_from(struct rv_reader *rd, const char *text, size_t len,
				       struct rv_error *err)
{
	static const struct rv_csv_rules rules = { .delimiter = ',', .quote = '"' };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT, out = RV_STRBUF_INIT;
	struct rv_csv_row r;

	rv_strbuf_add(&row, text, len);
	rv_strbuf_reserve(&row, RV_COPY_BYTES);
	memset(row.bytes + row.len, 0, RV_COPY_BYTES);
	if (rv_csv_row(&rules, row.bytes, row.len, true, &out, &r) != RV_CSV_ROW || r.junk ||
	    r.len != row.len || rv_utf8_check(row.bytes, row.len) != row.len)
		return header_fail(rd, err, "the column names given are no CSV row in UTF-8");
	return set_columns(rd, &rules, row.bytes, &r, err);
}

bool rv_csv_header_names(const char *header, char ***ret, size_t *ret_count)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	char **names = NULL;
	size_t count = 0, capacity = 0;
	const char *p = header;

	while (*p == '"') {
		for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
			rv_strbuf_putc(&name, *p);
			p += *p == '"';
		}
		RV_GROW(names, count, capacity);
		names[count++] = rv_strbuf_take(&name);
		if (*p != '"')
			break;
		p++;
		if (!*p) {
			*ret = names;
			*ret_count = count;
			return true;
		}
		if (*p++ != ',')
			break;
	}
	free_texts(names, count);
	return false;
}

bool rv_csv_header_suits(const char *header, const struct rv_csv_dialect *d)
{
	char **names;
	size_t count;

	if ((!d->names_count && !d->no_header) || !rv_csv_header_names(header, &names, &count))
		return true;
	bool suits = !d->names_count || d->names_count == count;

	for (size_t i = 0; suits && i < count; i++) {
		char number[RV_NUMBER_TEXT];

		snprintf(number, sizeof(number), "c%zu", i + 1);
		suits = strcmp(names[i], d->names_count ? d->names[i] : number) == 0;
	}
	free_texts(names, count);
	return suits;
}

static enum rv_status set_columns_named(struct rv_reader *rd, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;

	for (size_t i = 0; i < rd->dialect.names_count; i++) {
		rv_strbuf_puts(&row, i ? ",\"" : "\"");
		for (const char *c = rd->dialect.names[i]; *c; c++)
			rv_strbuf_printf(&row, *c == '"' ? "\"\"" : "%c", *c);
		rv_strbuf_putc(&row, '"');
	}
	return set_columns_from(rd, row.bytes, row.len, err);
}

static enum rv_status set_columns_numbered(struct rv_reader *rd, size_t n, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;

	for (size_t i = 1; i <= n; i++)
		rv_strbuf_printf(&row, i > 1 ? ",c%zu" : "c%zu", i);
	return set_columns_from(rd, row.bytes, row.len, err);
}

enum rv_status rv_csv_setup(struct rv_reader *rd, const struct rv_reader_params *params,
			    struct rv_error *err)
{
	rd->dialect = (struct rv_csv_dialect)RV_CSV_DIALECT_INIT;
	if (params->csv) {
		const struct rv_csv_dialect *d = params->csv;
		char a = d->delimiter, q = d->quote;

		if (a == '\n' || a == '\r' || a == '\0' || a == q || (a & '\x80') || q == '\n' ||
		    q == '\r' || (q & '\x80'))
			return rv_fail(err, RV_USAGE,
				       "a csv delimiter and quote are two different bytes of ASCII, "
				       "not line ends");
		rd->dialect = *d;
		rd->dialect.names = copy_texts(d->names, d->names_count);
		rd->dialect.nulls = copy_texts(d->nulls, d->nulls_count);
	}
	if (params->csv_header && params->offset)
		return set_columns_from(rd, params->csv_header, strlen(params->csv_header), err);
	return RV_OK;
}

/* ---- rows ---- */

static struct rv_csv_rules rules_of(const struct rv_reader *rd)
{
	return (struct rv_csv_rules){ .delimiter = rd->dialect.delimiter,
				      .quote = rd->dialect.quote,
				      .columns = rd->columns,
				      .columns_count = rd->columns_count,
				      .nulls = rd->dialect.nulls,
				      .nulls_count = rd->dialect.nulls_count };
}

/* A row and the longest line end. One byte more tells that it is too long. */
static size_t row_reach(const struct rv_reader *rd)
{
	size_t avail = rd->end - rd->pos;

	return avail > rd->max_record_bytes + 2 ? (size_t)rd->max_record_bytes + 2 : avail;
}

/* Blank lines, also one that ends with the input behind its '\r'; false: the bytes end before it is clear
 * whether there is another one. */
static bool skip_blank_rows(struct rv_reader *rd)
{
	while (rd->pos < rd->end) {
		const char *p = rd->buf + rd->pos;
		size_t n = *p == '\n' ? 1 : 0;

		if (*p == '\r') {
			bool is_last = rd->end - rd->pos < 2;

			if (is_last && !(rd->eof && rd->finished))
				return false;
			n = is_last ? 1 : p[1] == '\n' ? 2 : 0;
		}
		if (!n)
			return true;
		rd->line += p[n - 1] == '\n';
		rd->pos += n;
	}
	return false;
}

/* Bytes of the row without its line end. It has some: blank ones are skipped. */
static size_t row_content(const char *p, size_t len)
{
	if (p[len - 1] == '\n')
		len -= p[len - 2] == '\r' ? 2 : 1;
	return len;
}

static bool is_final(const struct rv_reader *rd, size_t reach)
{
	return rd->eof && rd->finished && reach == rd->end - rd->pos;
}

/* Nothing to be done with these bytes alone. A row is read again from its start when more are there:
 * not before there are half as many more, so that long rows stay linear. */
static enum rv_step need_more(struct rv_reader *rd, size_t reach)
{
	rd->want = reach + reach / 2;
	return RV_STEP_NEED;
}

static enum rv_status other_format(const struct rv_reader *rd, struct rv_error *err, const char *what,
				   const char *hint)
{
	header_fail(rd, err, what);
	rv_hint(err, "%s", hint);
	return err->status;
}

/* A first row that is a header only to the letter: taken as one, every value would land under a wrong
 * name. `len` is without the line end. Names that were given make any row a header. */
static enum rv_status doubt_header(const struct rv_reader *rd, const char *p, size_t len, size_t fields,
				   struct rv_error *err)
{
	const struct rv_csv_dialect *d = &rd->dialect;
	struct rv_json_scan scan;
	char what[80], hint[160];

	if (d->names_count)
		return RV_OK;
	if (len == 5 && memcmp(p, "sep=", 4) == 0) {
		snprintf(what, sizeof(what), "the first line is Excel's 'sep=%c', not a header", p[4]);
		snprintf(hint, sizeof(hint), "push it without that line: tail -n +2 FILE | river push "
					     "--format csv --csv-delimiter '%c' ...", p[4]);
		return other_format(rd, err, what, hint);
	}
	if (p[0] == '{' &&
	    (len == 1 || rv_json_scan_object(p, len, rd->max_depth, 0, &scan) == RV_JSON_OK))
		return other_format(rd, err, "the header looks like JSON",
				    len == 1 ? "say --format json" : "say --format ndjson");
	if (p[0] == '[' && (len == 1 || p[1] == '{'))
		return other_format(rd, err, "the header looks like JSON", "say --format json");
	/* Another delimiter than the default was chosen by somebody who knew, unless it is a .tsv's. */
	if (fields != 1 || (d->delimiter != ',' && !rd->delimiter_by_name) || (d->quote && p[0] == d->quote))
		return RV_OK;
	for (const char *c = rd->delimiter_by_name ? ",;|" : ";\t|"; *c; c++) {
		if (!memchr(p, *c, len))
			continue;
		snprintf(what, sizeof(what), *c == '\t' ? "the header looks separated by tabs"
							: "the header looks separated by '%c'", *c);
		snprintf(hint, sizeof(hint), *c == '\t'
			 ? "say --csv-delimiter tab; if it is one column, give its name: --csv-names"
			 : "say --csv-delimiter '%c'; if it is one column, give its name: --csv-names", *c);
		return other_format(rd, err, what, hint);
	}
	return RV_OK;
}

static enum rv_step take_header(struct rv_reader *rd, struct rv_error *err)
{
	const struct rv_csv_dialect *d = &rd->dialect;
	const char *p = rd->buf + rd->pos;
	size_t reach = row_reach(rd);
	struct rv_csv_rules rules = { .delimiter = d->delimiter, .quote = d->quote };
	struct rv_csv_row row;
	char text[120];

	if (d->names_count && d->no_header)
		return set_columns_named(rd, err) == RV_OK ? RV_STEP_FULL : RV_STEP_FAILED;
	enum rv_csv_end end = rv_csv_row(&rules, p, reach, rd->eof && reach == rd->end - rd->pos,
					 &rd->side, &row);

	rv_strbuf_clear(&rd->side);
	if (end != RV_CSV_ROW && !rd->eof && reach <= rd->max_record_bytes + 1)
		return need_more(rd, reach);
	if (end != RV_CSV_ROW || row_content(p, row.len) > rd->max_record_bytes) {
		header_fail(rd, err,
			    end == RV_CSV_MORE_QUOTED
				    ? "a quote in the first row is never closed"
				    : "the first row is longer than a record may be");
		return RV_STEP_FAILED;
	}
	if (row.len == reach && rd->eof && !rd->finished && p[row.len - 1] != '\n')
		return RV_STEP_NEED; /* it may still be being written */
	if (d->no_header)
		return set_columns_numbered(rd, row.fields, err) == RV_OK ? RV_STEP_FULL
									  : RV_STEP_FAILED;
	if (doubt_header(rd, p, row_content(p, row.len), row.fields, err) != RV_OK)
		return RV_STEP_FAILED;
	/* What stands in it is nobody's where names were given; but it may be more than one row. */
	const char *fault = row.lone_cr ? "the header holds a carriage return without a line feed"
			    : d->names_count ? NULL
			    : row.junk ? "a name in the header goes on behind its closing quote"
			    : row.high && rv_utf8_check(p, row.len) < row.len
				    ? "the header is not UTF-8"
				    : NULL;

	if (!fault && d->names_count && d->names_count != row.fields) {
		snprintf(text, sizeof(text), "%zu column names were given, the header has %zu",
			 d->names_count, row.fields);
		fault = text;
	}
	if (fault) {
		header_fail(rd, err, fault);
		return RV_STEP_FAILED;
	}
	enum rv_status status = d->names_count ? set_columns_named(rd, err)
					       : set_columns(rd, &rules, p, &row, err);

	if (status != RV_OK)
		return RV_STEP_FAILED;
	rd->pos += row.len;
	rd->line += row.newlines;
	return RV_STEP_FULL;
}

/* The row has no end within its limits. */
static enum rv_step reject_endless(struct rv_reader *rd, size_t reach, bool quoted,
				   const struct rv_csv_row *row)
{
	uint64_t start = rv_reader_at(rd, rd->pos);

	if (!quoted) {
		rv_reject_too_long(rd, RV_RESYNC_LINE, rd->pos);
		rd->reject.searched = start + reach;
		return RV_STEP_REJECT;
	}
	const char *p = rd->buf + rd->pos;
	const char *nl = memrchr(p, '\n', row->quote_at);
	size_t column = row->quote_at - (nl ? (size_t)(nl + 1 - p) : 0) + 1;

	rv_reject(rd, RV_RESYNC_LINE, 0, start + row->quote_at, "unterminated_quote",
		  "the quote opened at line %llu, byte %zu is not closed %s",
		  (unsigned long long)(rd->line + row->quote_line), column,
		  rd->eof && reach == rd->end - rd->pos ? "before the end"
							: "within the limit of a record");
	rd->reject.searched = start + row->quote_at;
	return RV_STEP_REJECT;
}

/* A whole row that is not good. */
static enum rv_step judge_row(struct rv_reader *rd, const struct rv_csv_row *row, size_t content,
			      size_t record)
{
	uint64_t start = rv_reader_at(rd, rd->pos), end = start + row->len;
	size_t bad;

	if (content > rd->max_record_bytes)
		return rv_reject(rd, RV_RESYNC_KNOWN, end, start + rd->max_record_bytes, "too_long",
				 "longer than the limit of %llu bytes",
				 (unsigned long long)rd->max_record_bytes);
	if (row->junk)
		return rv_reject(rd, RV_RESYNC_KNOWN, end, start + row->junk_at, "text_after_quote",
				 "text behind a closing quote at byte %zu of the row",
				 row->junk_at + 1);
	if (row->fields != rd->columns_count)
		return rv_reject(rd, RV_RESYNC_KNOWN, end, start, "ragged_row",
				 "%zu field%s where the header has %zu", row->fields,
				 row->fields == 1 ? "" : "s", rd->columns_count);
	bad = row->high ? rv_utf8_check(rd->buf + rd->pos, row->len) : row->len;
	if (bad < row->len)
		return rv_reject(rd, RV_RESYNC_KNOWN, end, start + bad, "invalid_utf8",
				 "byte %zu of the row is not UTF-8", bad + 1);
	if (record > rd->max_record_bytes)
		return rv_reject(rd, RV_RESYNC_KNOWN, end, start, "too_long",
				 "its record would have %zu bytes, the limit is %llu", record,
				 (unsigned long long)rd->max_record_bytes);
	return RV_STEP_FULL;
}

enum rv_step rv_csv_step(struct rv_reader *rd, const struct rv_reader_limits *limits,
			 struct rv_error *err)
{
	while (!rd->columns) {
		if (!skip_blank_rows(rd))
			return RV_STEP_NEED;
		enum rv_step step = take_header(rd, err);

		if (step != RV_STEP_FULL)
			return step;
	}
	const struct rv_csv_rules rules = rules_of(rd);

	rv_span_to_side(rd);
	for (;;) {
		if (!skip_blank_rows(rd))
			return RV_STEP_NEED;
		const char *p = rd->buf + rd->pos;
		size_t reach = row_reach(rd), start = rd->side.len;
		struct rv_csv_row row;
		enum rv_csv_end end =
			rv_csv_row(&rules, p, reach, is_final(rd, reach), &rd->side, &row);

		if (end != RV_CSV_ROW) {
			rd->side.len = start;
			if (reach > rd->max_record_bytes + 1 || is_final(rd, reach))
				return reject_endless(rd, reach, end == RV_CSV_MORE_QUOTED, &row);
			return need_more(rd, reach);
		}
		rv_strbuf_putc(&rd->side, '}');
		size_t record = rd->side.len - start, content = row_content(p, row.len);

		if (row.fields != rd->columns_count || row.junk || row.high ||
		    content > rd->max_record_bytes || record > rd->max_record_bytes) {
			enum rv_step step = judge_row(rd, &row, content, record);

			if (step != RV_STEP_FULL) {
				rv_strbuf_truncate(&rd->side, start);
				return step;
			}
		}
		if (rv_span_other_size(rd, limits, record)) {
			rv_strbuf_truncate(&rd->side, start);
			return RV_STEP_FULL;
		}
		if (!rd->records)
			rd->span_line = rd->line;
		rv_span_count(rd, rd->side.bytes + start, record);
		rv_strbuf_putc(&rd->side, '\n');
		rd->pos += row.len;
		rd->line += row.newlines;
		rv_span_mark(rd);
		if (rv_span_full(rd, limits))
			return RV_STEP_FULL;
	}
}
