/* What was found, as a job file: each guess on its own line, with what speaks for it behind it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/extract_infer_impl.h"

enum { COMMENT_COLUMN = 48 };

/* A character of a UTF-8 text; a byte that is none stands for itself. */
static uint32_t next_character(const char **p, const char *end)
{
	const unsigned char *s = (const unsigned char *)*p;
	size_t left = (size_t)(end - *p), n = *s < 0xc0 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? *s : *s & (0x7fu >> n);

	if (n > left)
		n = 1;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			n = i;
			break;
		}
		c = c << 6 | (s[i] & 0x3f);
	}
	*p += n;
	return c;
}

void rv_infer_quote(struct rv_strbuf *sb, const char *p, size_t len)
{
	const char *end = p + len;

	rv_strbuf_putc(sb, '"');
	while (p < end) {
		const char *start = p;
		uint32_t c = next_character(&p, end);

		if (c == '"' || c == '\\')
			rv_strbuf_printf(sb, "\\%c", (char)c);
		else if (c >= 0x20 && c < 0x7f)
			rv_strbuf_putc(sb, (char)c);
		/* what YAML does not print, or takes for the end of a line */
		else if (c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c >= 0xfff0)
			rv_strbuf_printf(sb, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
		else
			rv_strbuf_add(sb, start, (size_t)(p - start));
	}
	rv_strbuf_putc(sb, '"');
}

static void quote(struct rv_strbuf *sb, const char *text)
{
	rv_infer_quote(sb, text, strlen(text));
}

static const char *count(uint64_t n, char *buf)
{
	return rv_format_count(n, buf);
}

/* A comment behind what the line has since `start`. */
static void comment(struct rv_strbuf *sb, size_t start, const char *why)
{
	if (*why) {
		do
			rv_strbuf_putc(sb, ' ');
		while (sb->len - start < COMMENT_COLUMN);
		rv_strbuf_printf(sb, "# %s", why);
	}
	rv_strbuf_putc(sb, '\n');
}

/* ---- dialects ---- */

static void put_character(struct rv_strbuf *sb, char c)
{
	if (!c)
		rv_strbuf_puts(sb, "none");
	else if (c == '\t')
		rv_strbuf_puts(sb, "tab");
	else
		rv_infer_quote(sb, &c, 1);
}

static void put_list(struct rv_strbuf *sb, const struct rv_string_list *list)
{
	rv_strbuf_putc(sb, '[');
	for (size_t i = 0; i < list->count; i++) {
		rv_strbuf_puts(sb, i ? ", " : "");
		quote(sb, list->items[i]);
	}
	rv_strbuf_putc(sb, ']');
}

static bool same_list(const struct rv_string_list *a, const struct rv_string_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!rv_string_list_has(b, a->items[i]))
			return false;
	return true;
}

static const char *const line_ends[] = { "any", "lf", "crlf", "cr" };

static void print_dialect(const struct rv_infer *infer, struct rv_strbuf *sb)
{
	const struct rv_job_dialect *d = &infer->dialect;
	size_t start;

	rv_strbuf_puts(sb, "\ndialect:\n");
	rv_strbuf_puts(sb, "  delimiter: ");
	put_character(sb, d->delimiter);
	rv_strbuf_puts(sb, "\n  quote: ");
	put_character(sb, d->quote);
	if (d->escape) {
		rv_strbuf_puts(sb, "\n  escape: ");
		put_character(sb, d->escape);
	}
	rv_strbuf_printf(sb, "\n  encoding: %s\n", rv_encoding_names[d->encoding]);
	if (d->line_end != RV_LINE_END_ANY)
		rv_strbuf_printf(sb, "  line_end: %s\n", line_ends[d->line_end]);
	start = sb->len;
	rv_strbuf_puts(sb, "  null: ");
	put_list(sb, &d->nulls);
	comment(sb, start, "as fields without quotes");
	if (infer->timezone) {
		start = sb->len;
		rv_strbuf_puts(sb, "  timezone: UTC");
		comment(sb, start, "a guess: times without a zone were seen, and none says which");
	}
}

/* What a table has otherwise. */
static void print_own_dialect(const struct rv_infer *infer, const struct rv_infer_table *table,
			      struct rv_strbuf *sb)
{
	const struct rv_job_dialect *all = &infer->dialect, *d = &table->dialect;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf own = RV_STRBUF_INIT;

	if (d->delimiter != all->delimiter) {
		rv_strbuf_puts(&own, ", delimiter: ");
		put_character(&own, d->delimiter);
	}
	if (d->quote != all->quote) {
		rv_strbuf_puts(&own, ", quote: ");
		put_character(&own, d->quote);
	}
	if (d->escape != all->escape) {
		rv_strbuf_puts(&own, ", escape: ");
		put_character(&own, d->escape);
	}
	if (d->encoding != all->encoding)
		rv_strbuf_printf(&own, ", encoding: %s", rv_encoding_names[d->encoding]);
	if (d->line_end != all->line_end)
		rv_strbuf_printf(&own, ", line_end: %s", line_ends[d->line_end]);
	if (!same_list(&d->nulls, &all->nulls)) {
		rv_strbuf_puts(&own, ", null: ");
		put_list(&own, &d->nulls);
	}
	if (!d->header) {
		rv_strbuf_puts(&own, ", names: ");
		put_list(&own, &d->names);
	}
	if (!own.len)
		return;
	size_t start = sb->len;

	rv_strbuf_printf(sb, "    dialect: { %s }", own.bytes + 2);
	comment(sb, start, d->header ? "" : table->header_why);
}

/* ---- tables ---- */

static void put_type(struct rv_strbuf *sb, const struct rv_column *type)
{
	if (type->type == RV_COLUMN_DECIMAL)
		rv_strbuf_printf(sb, "\"decimal(%u,%u)\"", type->precision, type->scale);
	else
		rv_strbuf_puts(sb, rv_column_type_name(type->type));
}

/* Some readers of YAML take these for something else than a name. */
static bool is_yaml_word(const char *name)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y", "n", NULL };

	for (size_t i = 0; words[i]; i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return false;
}

static void print_column(const struct rv_infer *infer, const struct rv_infer_table *table,
			 const struct rv_infer_column *column, struct rv_strbuf *sb)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf why = RV_STRBUF_INIT;
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	size_t start = sb->len;

	if (!column->name) {
		rv_strbuf_puts(sb, "      # not kept: ");
		quote(sb, column->header);
		rv_strbuf_printf(sb, ", %s\n", column->why_not);
		return;
	}
	rv_strbuf_puts(sb, "      ");
	if (is_yaml_word(column->name))
		quote(sb, column->name);
	else
		rv_strbuf_puts(sb, column->name);
	rv_strbuf_puts(sb, ": ");
	if (column->from || column->type.format) {
		rv_strbuf_puts(sb, "{ type: ");
		put_type(sb, &column->type);
		if (column->type.format) {
			rv_strbuf_puts(sb, ", format: ");
			quote(sb, column->type.format);
		}
		if (column->from) {
			rv_strbuf_puts(sb, ", from: ");
			quote(sb, column->header);
		}
		rv_strbuf_puts(sb, " }");
	} else {
		put_type(sb, &column->type);
	}
	rv_strbuf_puts(&why, column->why.bytes);
	if (column->nulls && column->seen.values)
		rv_strbuf_printf(&why, "%snull in %s", why.len ? "; " : "", count(column->nulls, a));
	if (column->parent != RV_INFER_NONE) {
		const struct rv_infer_table *parent = &infer->tables[column->parent];

		rv_strbuf_printf(&why, "%s%s of %s values compared are in %s.%s", why.len ? "; " : "",
				 column->within == column->compared ? "all" : count(column->within, a),
				 count(column->compared, b), parent->name,
				 parent->columns[parent->key[0]].name);
	}
	if (column->unique && table->rows > 1)
		rv_strbuf_printf(&why, "%sunique in %s rows sampled", why.len ? "; " : "",
				 count(table->rows, a));
	comment(sb, start, why.bytes);
}

static void print_table(const struct rv_infer *infer, const struct rv_infer_table *table,
			struct rv_strbuf *sb)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	size_t start;

	rv_strbuf_printf(sb, "  %s:", table->name);
	rv_strbuf_printf(sb, " # %s member%s, %s row%s %s", count(table->members_count, a),
			 table->members_count == 1 ? "" : "s", count(table->rows, b),
			 table->rows == 1 ? "" : "s", table->whole ? "in all" : "sampled of more");
	rv_strbuf_printf(sb, "; line ends: %s\n", table->line_end);
	if (table->rejected) {
		rv_strbuf_printf(sb, "    # %s row%s would be refused; the first: ",
				 count(table->rejected, a), table->rejected == 1 ? "" : "s");
		rv_strbuf_printf(sb, "%s\n", table->reject);
	}
	rv_strbuf_puts(sb, "    member: ");
	quote(sb, table->glob);
	rv_strbuf_putc(sb, '\n');
	if (table->also) {
		rv_strbuf_puts(sb, "    # it matches another member as well: ");
		quote(sb, table->also);
		rv_strbuf_putc(sb, '\n');
	}
	print_own_dialect(infer, table, sb);
	start = sb->len;
	if (table->key_count) {
		rv_strbuf_printf(sb, "    key: [%s", table->columns[table->key[0]].name);
		if (table->key_count > 1)
			rv_strbuf_printf(sb, ", %s", table->columns[table->key[1]].name);
		rv_strbuf_putc(sb, ']');
		comment(sb, start, table->key_why.bytes);
		start = sb->len;
		rv_strbuf_puts(sb, "    mode: merge");
		comment(sb, start, "a later row of the same key replaces; append keeps both");
	} else {
		rv_strbuf_puts(sb, "    mode: append");
		comment(sb, start, table->key_why.bytes);
	}
	rv_strbuf_puts(sb, "    columns:\n");
	for (size_t i = 0; i < table->columns_count; i++)
		print_column(infer, table, &table->columns[i], sb);
}

/* "orders_2026" of ".../Orders-2026.zip" */
static void print_job_name(const char *file, struct rv_strbuf *sb)
{
	RV_CLEANUP(rv_free_p) char *name = rv_infer_name(rv_path_base(file), "extract");

	rv_strbuf_printf(sb, "job: %s\n", name);
}

void rv_infer_print(const struct rv_infer *infer, struct rv_strbuf *sb)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_absolute(infer->params->file);
	RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(path);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf glob = RV_STRBUF_INIT;
	size_t start;

	rv_strbuf_puts(sb, "# A first job file, made by looking into ");
	quote(sb, rv_path_base(infer->params->file));
	rv_strbuf_puts(sb, ".\n# Each guess is followed by its reason: read them before cron runs this;\n"
			   "# river extract-load --check says what a run would do.\n");
	print_job_name(infer->params->file, sb);
	start = sb->len;
	rv_infer_glob_of(rv_path_base(path), &glob);
	for (char *c = parent; *c; c++)
		if (strchr("*?[\\", *c))
			*c = '?';
	RV_CLEANUP(rv_free_p) char *source = rv_path_join(parent, glob.bytes);

	rv_strbuf_puts(sb, "source: { path: ");
	quote(sb, source);
	rv_strbuf_puts(sb, " }");
	comment(sb, start, strcmp(glob.bytes, rv_path_base(path)) == 0
				   ? "" : "numbers and dates change from one to the next");
	print_dialect(infer, sb);
	rv_strbuf_puts(sb, "\ntables:\n");
	for (size_t i = 0; i < infer->tables_count; i++) {
		rv_strbuf_puts(sb, i ? "\n" : "");
		print_table(infer, &infer->tables[i], sb);
	}
	if (infer->others.len)
		rv_strbuf_printf(sb, "\n%s", infer->others.bytes);
	rv_strbuf_puts(sb, "\n# Where the rows go: lake, or `table <schema>.<name>` or "
			   "`stream <business>/<name>`.\nloads:\n");
	for (size_t i = 0; i < infer->tables_count; i++)
		rv_strbuf_printf(sb, "  %s: { to: lake, format: ndjson }\n", infer->tables[i].name);
	rv_infer_print_documents(infer, sb);
}
