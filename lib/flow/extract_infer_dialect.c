/* How a member is written, from its first bytes: each way there is is tried on them, and the one by which
 * most rows are whole and of one width is it. Only then is what the cells say looked at. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/extract_infer_impl.h"
#include "format/text_copy.h"

enum { ROWS_LOOKED_AT = 2000, WIDTH_MAX = 4096 };

void rv_infer_head_release(struct rv_infer_head *head)
{
	rv_strbuf_release(&head->text);
	rv_job_dialect_release(&head->dialect);
}

/* ---- encoding ---- */

/* Of each two bytes, how often the first and the second is NUL. */
static void count_nuls(const char *p, size_t len, size_t nuls[2])
{
	for (size_t i = 0; i < len; i++)
		nuls[i & 1] += p[i] == '\0';
}

/* The first bytes of a character whose others did not come. */
static bool is_cut(const char *p, size_t len)
{
	unsigned char c = (unsigned char)*p;
	size_t needs = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < len; i++)
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return false;
	return len < needs;
}

static enum rv_encoding guess_encoding(const char *p, size_t len, bool whole, bool *ret_ascii)
{
	static const char undefined[] = "\x81\x8d\x8f\x90\x9d";
	size_t nuls[2] = { 0 }, valid;
	bool c1 = false;

	*ret_ascii = false;
	if (len >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0))
		return RV_ENCODING_UTF16;
	count_nuls(p, len, nuls);
	if (nuls[1] * 4 > len && nuls[0] * 16 < len)
		return RV_ENCODING_UTF16LE;
	if (nuls[0] * 4 > len && nuls[1] * 16 < len)
		return RV_ENCODING_UTF16BE;
	valid = rv_utf8_check(p, len);
	if (valid == len || (!whole && is_cut(p + valid, len - valid))) {
		*ret_ascii = true;
		for (size_t i = 0; i < len && *ret_ascii; i++)
			*ret_ascii = (unsigned char)p[i] < 0x80;
		return RV_ENCODING_UTF8;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c >= 0x80 && c < 0xa0) {
			c1 = true;
			if (strchr(undefined, p[i]))
				return RV_ENCODING_LATIN1;
		}
	}
	return c1 ? RV_ENCODING_WINDOWS1252 : RV_ENCODING_LATIN1;
}

/* ---- rows ---- */

struct cutter {
	const char *p, *end;
	const struct rv_job_dialect *dialect;
	struct rv_infer_cell cells[WIDTH_MAX];
	size_t count;
	bool wrong;             /* text behind a quote, or a quote in a cell without */
	bool open;              /* the row has no end */
};

static size_t line_end(const struct cutter *c, const char *p)
{
	if (c->dialect->line_end == RV_LINE_END_CR)
		return *p == '\r';
	if (*p == '\n')
		return 1;
	return *p == '\r' && p + 1 < c->end && p[1] == '\n' ? 2 : 0;
}

static void cut_cell(struct cutter *c)
{
	const struct rv_job_dialect *d = c->dialect;
	struct rv_infer_cell cell = { .p = c->p };

	if (d->quote && c->p < c->end && *c->p == d->quote) {
		cell.quoted = true;
		cell.p = ++c->p;
		while (c->p < c->end) {
			if (d->escape && *c->p == d->escape && c->p + 1 < c->end)
				c->p++;
			else if (*c->p == d->quote && c->p + 1 < c->end && c->p[1] == d->quote)
				c->p++;
			else if (*c->p == d->quote)
				break;
			c->p++;
		}
		cell.len = (size_t)(c->p - cell.p);
		c->open = c->p >= c->end;
		c->p += !c->open;
		if (c->p < c->end && *c->p != d->delimiter && !line_end(c, c->p))
			c->wrong = true;
	}
	while (c->p < c->end && *c->p != d->delimiter && !line_end(c, c->p)) {
		if (d->escape && *c->p == d->escape && c->p + 1 < c->end)
			c->p++;
		else if (d->quote && *c->p == d->quote)
			c->wrong = true;
		c->p++;
	}
	if (!cell.quoted)
		cell.len = (size_t)(c->p - cell.p);
	if (c->count < WIDTH_MAX)
		c->cells[c->count] = cell;
	c->count++;
}

/* The next row that is not blank; false at the end. */
static bool cut_row(struct cutter *c)
{
	size_t n;

	c->count = 0;
	c->wrong = c->open = false;
	while (c->p < c->end && (n = line_end(c, c->p)))
		c->p += n;
	if (c->p >= c->end)
		return false;
	for (;;) {
		cut_cell(c);
		if (c->p >= c->end)
			return true;
		if (*c->p != c->dialect->delimiter)
			break;
		c->p++;
	}
	c->p += line_end(c, c->p);
	return true;
}

static void cutter_start(struct cutter *c, const struct rv_infer_head *head)
{
	c->p = head->text.bytes;
	c->end = head->text.bytes + head->text.len;
	c->dialect = &head->dialect;
}

/* ---- delimiter, quote, line end ---- */

static void guess_line_end(struct rv_infer_head *head)
{
	const char *p = head->text.bytes;
	size_t lf = 0, crlf = 0, cr = 0;

	for (size_t i = 0; i < head->text.len; i++) {
		lf += p[i] == '\n' && !(i && p[i - 1] == '\r');
		crlf += p[i] == '\n' && i && p[i - 1] == '\r';
		cr += p[i] == '\r' && p[i + 1] != '\n';
	}
	head->line_end = crlf && lf ? "CRLF and LF" : crlf ? "CRLF" : lf ? "LF" : cr ? "CR" : "none";
	if (cr && !lf && !crlf)
		head->dialect.line_end = RV_LINE_END_CR;
	else if (cr && lf && !crlf)
		head->dialect.line_end = RV_LINE_END_LF;
}

/* How well the rows go with the dialect, of 1000; 0 when they have one cell. */
static unsigned score(struct cutter *c, struct rv_infer_head *head, size_t *ret_width, size_t *ret_quoted)
{
	size_t widths[ROWS_LOOKED_AT], rows = 0, good = 0, width = 0, most = 0, quoted = 0;

	cutter_start(c, head);
	while (rows < ROWS_LOOKED_AT && cut_row(c)) {
		widths[rows++] = c->wrong || c->open || c->count > WIDTH_MAX ? 0 : c->count;
		for (size_t i = 0; i < c->count && i < WIDTH_MAX; i++)
			quoted += c->cells[i].quoted;
	}
	/* the header's width, or that of most rows: of few different ones the first to have most */
	for (size_t i = 0; i < rows && i < 16; i++) {
		size_t same = 0;

		for (size_t k = 0; k < rows; k++)
			same += widths[k] == widths[i];
		if (widths[i] && same > most) {
			most = same;
			width = widths[i];
		}
	}
	good = most;
	*ret_width = width;
	*ret_quoted = quoted;
	head->rows = rows;
	head->good = good;
	return rows && width ? (unsigned)(good * 1000 / rows) : 0;
}

static void guess_cells(struct cutter *c, struct rv_infer_head *head)
{
	static const char delimiters[] = { ',', ';', '\t', '|' };
	/* quotes that nothing is in count for nothing: none is what is left then */
	static const char quotes[] = { '"', '\'', '\0' };
	struct rv_job_dialect *d = &head->dialect, best = *d;
	bool backslashes = strstr(head->text.bytes, "\\\"") || strstr(head->text.bytes, "\\'");
	unsigned best_score = 0;
	size_t best_width = 0, best_rows = 0, best_good = 0, width, quoted;

	for (size_t i = 0; i < sizeof(delimiters); i++)
		for (size_t k = 0; k < sizeof(quotes); k++)
			for (int escape = 0; escape <= (quotes[k] && backslashes); escape++) {
				d->delimiter = delimiters[i];
				d->quote = quotes[k];
				d->escape = escape ? '\\' : '\0';
				unsigned n = score(c, head, &width, &quoted);

				if (quotes[k] == '\'' && !quoted)
					continue;
				/* one column is what every text has by a delimiter it does not hold */
				bool better = (width > 1) != (best_width > 1)
						      ? width > 1 && n >= 500
						      : n > best_score ||
								(n == best_score && width > best_width);

				if ((best_width > 1 && width <= 1) || !better)
					continue;
				best = *d;
				best_score = n;
				best_width = width;
				best_rows = head->rows;
				best_good = head->good;
			}
	d->delimiter = best.delimiter;
	d->quote = best.quote;
	d->escape = best.escape;
	head->rows = best_rows;
	head->good = best_good;
	if (best_score < 500) {
		head->table = false;
		head->why_not = "its rows have no width in common";
	}
}

/* ---- header and nulls ---- */

static bool is_name(const struct rv_infer_cell *cell)
{
	bool letter = false;

	if (!cell->len || cell->len > 128)
		return false;
	for (size_t i = 0; i < cell->len; i++) {
		unsigned char c = (unsigned char)cell->p[i] | 0x20;

		letter |= (c >= 'a' && c <= 'z') || c >= 0x80;
	}
	return letter && !rv_infer_type_is_typed(cell->p, cell->len);
}

static bool has_header(struct cutter *c, struct rv_infer_head *head, const struct rv_infer_cell *first,
		       size_t width)
{
	bool typed_below = false;

	for (size_t i = 0; i < width; i++) {
		/* a delimiter behind the last name */
		if (!first[i].len && i + 1 == width && width > 1)
			continue;
		if (!is_name(&first[i])) {
			head->header_why = first[i].len ? "the first row holds a value that is no name"
							: "the first row has an empty cell";
			return false;
		}
		for (size_t k = 0; k < i; k++)
			if (first[k].len == first[i].len && !memcmp(first[k].p, first[i].p, first[i].len)) {
				head->header_why = "the first row says the same twice";
				return false;
			}
	}
	for (size_t rows = 1; rows < ROWS_LOOKED_AT && cut_row(c); rows++)
		for (size_t i = 0; i < width && i < c->count; i++) {
			const struct rv_infer_cell *cell = &c->cells[i];

			if (cell->len && cell->len == first[i].len && !memcmp(cell->p, first[i].p, cell->len)) {
				head->header_why = "a cell of the first row is a value further down";
				return false;
			}
			typed_below = typed_below ||
				      (cell->len && rv_infer_type_is_typed(cell->p, cell->len));
		}
	head->header_why = typed_below ? "the first row holds names, numbers or dates follow"
				       : "the first row holds names, as it seems";
	return true;
}

/* The text of a cell of the first row. */
static void add_name(struct rv_string_list *names, const struct rv_job_dialect *d,
		     const struct rv_infer_cell *cell)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	for (size_t i = 0; i < cell->len; i++) {
		if (i + 1 < cell->len && ((d->escape && cell->p[i] == d->escape) ||
					  (cell->quoted && cell->p[i] == d->quote)))
			i++;
		rv_strbuf_putc(&sb, cell->p[i]);
	}
	rv_string_list_add(names, sb.bytes, sb.len);
}

/* Words that stand for null: \N anywhere; others where all else in their column is typed. */
static void guess_nulls(struct cutter *c, struct rv_infer_head *head, size_t width)
{
	static const char *const words[] = { "\\N", "NULL", "null", "Null", "(null)", "NA", "N/A",
					     "n/a", "#N/A", "None", "NaN", "nan" };
	enum { WORDS = sizeof(words) / sizeof(*words) };
	struct column {
		size_t words[WORDS];
		bool any, typed, others;
	};
	RV_CLEANUP(rv_free_p) struct column *columns = rv_calloc(width, sizeof(*columns));

	/* words first; then what else there is in the columns that have some */
	for (int pass = 0; pass < 2; pass++) {
		cutter_start(c, head);
		if (head->dialect.header)
			cut_row(c);
		while (cut_row(c))
			for (size_t i = 0; i < width && i < c->count; i++) {
				const struct rv_infer_cell *cell = &c->cells[i];
				size_t k = 0;

				if (!cell->len || (pass && (!columns[i].any || columns[i].others)))
					continue;
				while (k < WORDS && (cell->quoted || cell->len != strlen(words[k]) ||
						     memcmp(cell->p, words[k], cell->len) != 0))
					k++;
				if (k < WORDS)
					columns[i].any = ++columns[i].words[k];
				else if (pass && rv_infer_type_is_typed(cell->p, cell->len))
					columns[i].typed = true;
				else if (pass)
					columns[i].others = true;
			}
	}
	for (size_t k = 0; k < WORDS; k++)
		for (size_t i = 0; i < width; i++)
			if (columns[i].words[k] && (k == 0 || (columns[i].typed && !columns[i].others))) {
				rv_string_list_add(&head->dialect.nulls, words[k], strlen(words[k]));
				break;
			}
}

static void guess_names(struct cutter *c, struct rv_infer_head *head)
{
	struct rv_job_dialect *d = &head->dialect;
	size_t width;

	cutter_start(c, head);
	if (!cut_row(c)) {
		head->table = false;
		head->why_not = "it is empty";
		return;
	}
	width = c->count;
	if (c->wrong || c->open || width > WIDTH_MAX) {
		head->table = false;
		head->why_not = width > WIDTH_MAX ? "it has too many columns" : "its first row is no row";
		return;
	}
	RV_CLEANUP(rv_free_p)
	struct rv_infer_cell *first = rv_calloc(width, sizeof(*first));

	memcpy(first, c->cells, width * sizeof(*first));
	d->header = has_header(c, head, first, width);
	for (size_t i = 0; i < width; i++) {
		RV_CLEANUP(rv_free_p) char *name = rv_asprintf("column_%zu", i + 1);

		if (d->header)
			add_name(&d->names, d, &first[i]);
		else
			rv_string_list_add(&d->names, name, strlen(name));
	}
	guess_nulls(c, head, width);
}

static const char *why_no_table(const struct rv_strbuf *text)
{
	size_t i = strspn(text->bytes, " \t\r\n");

	if (i == text->len)
		return "it is empty";
	if (memchr(text->bytes, 0, text->len))
		return "it is no text";
	if (strchr("{[<", text->bytes[i]))
		return "it looks like JSON or XML";
	for (size_t k = 0; k < text->len; k++)
		if ((unsigned char)text->bytes[k] < 0x20 && !strchr("\t\r\n\f\v\x1a", text->bytes[k]))
			return "it is no text";
	return NULL;
}

void rv_infer_head_read(const char *bytes, size_t len, bool whole, struct rv_infer_head *ret)
{
	struct rv_recode recode = { 0 };
	bool bad = false;

	*ret = (struct rv_infer_head){ .text = RV_STRBUF_INIT, .table = true, .line_end = "none",
				       .header_why = "" };
	struct rv_job_dialect *d = &ret->dialect;

	*d = (struct rv_job_dialect){ .delimiter = ',', .quote = '"', .header = true };
	rv_string_list_add(&d->nulls, "", 0);
	d->encoding = recode.encoding = guess_encoding(bytes, len, whole, &ret->ascii);
	rv_recode(&recode, bytes, len, whole, &ret->text, &bad);
	if (ret->text.len >= 3 && memcmp(ret->text.bytes, "\xef\xbb\xbf", 3) == 0) {
		memmove(ret->text.bytes, ret->text.bytes + 3, ret->text.len - 3);
		rv_strbuf_truncate(&ret->text, ret->text.len - 3);
	}
	if ((ret->why_not = why_no_table(&ret->text)) || bad) {
		if (!ret->why_not)
			ret->why_not = "it is no text";
		ret->table = false;
		return;
	}
	guess_line_end(ret);
	if (!whole) {
		/* the last row is not all there; a quoted line end there costs one row of the guess */
		size_t n = ret->text.len;
		char end = d->line_end == RV_LINE_END_CR ? '\r' : '\n';

		while (n && ret->text.bytes[n - 1] != end)
			n--;
		if (!n) {
			ret->table = false;
			ret->why_not = "its first row has no end that was seen";
			return;
		}
		rv_strbuf_truncate(&ret->text, n);
	}
	RV_CLEANUP(rv_free_p) struct cutter *c = rv_calloc(1, sizeof(*c));

	guess_cells(c, ret);
	if (ret->table)
		guess_names(c, ret);
}
