/* Members that differ by digits and dates alone, and are written alike, are one table. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/extract_infer_impl.h"
#include "format/text_copy.h"

enum {
	HEAD_BYTES = 1 << 20,
	HEADS_OF_A_TABLE = 64, /* so many members are looked into; of more, the names say enough */
	DATE_DIGITS = 6,       /* a run of so many changes from one extract to the next */
};

/* ---- names ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The next run of digits from *p, "2026-11-20T10.00" included; false: there is none. */
static bool next_run(const char **p, size_t *ret_len, size_t *ret_digits)
{
	const char *s = *p + strcspn(*p, "0123456789"), *end = s;
	size_t digits = 0;

	if (!*s)
		return false;
	while (is_digit(*end) || (strchr("-_.:T", *end) && *end && is_digit(end[1]))) {
		digits += is_digit(*end);
		end++;
	}
	*p = s;
	*ret_len = (size_t)(end - s);
	*ret_digits = digits;
	return true;
}

static char *pattern_of(const char *name)
{
	struct rv_strbuf sb = RV_STRBUF_INIT;
	const char *p = name;
	size_t len, digits;

	while (next_run(&p, &len, &digits)) {
		rv_strbuf_add(&sb, name, (size_t)(p - name));
		rv_strbuf_putc(&sb, '0');
		name = p += len;
	}
	rv_strbuf_puts(&sb, name);
	return rv_strbuf_take(&sb);
}

/* What a glob would take for something else, and what YAML cannot hold, is any character. */
static void put_literal(struct rv_strbuf *sb, const char *p, size_t len)
{
	while (len) {
		size_t fine = rv_utf8_check(p, len);

		for (size_t i = 0; i < fine; i++)
			rv_strbuf_putc(sb, strchr("*?[\\", p[i]) ? '?' : p[i]);
		if (fine < len)
			rv_strbuf_putc(sb, '?');
		p += fine + (fine < len);
		len -= fine + (fine < len);
	}
}

/* `names` differ in their runs of digits alone. A run that is the same in all stays, unless it is a date. */
static void put_glob(struct rv_strbuf *sb, const char **names, size_t count)
{
	const char *start = names[0];
	RV_CLEANUP(rv_free_p) const char **at = rv_calloc(count, sizeof(*at));
	size_t len, digits;

	memcpy(at, names, count * sizeof(*at));
	while (next_run(&at[0], &len, &digits)) {
		bool same = digits < DATE_DIGITS;

		put_literal(sb, start, (size_t)(at[0] - start));
		for (size_t i = 1; i < count; i++) {
			size_t other_len, other_digits;

			if (!next_run(&at[i], &other_len, &other_digits))
				rv_bug("members of one pattern differ: %s, %s", names[0], names[i]);
			same &= other_len == len && memcmp(at[i], at[0], len) == 0;
			at[i] += other_len;
		}
		if (same)
			rv_strbuf_add(sb, at[0], len);
		else
			rv_strbuf_puts(sb, "[0-9]*");
		start = at[0] += len;
	}
	put_literal(sb, start, strlen(start));
}

void rv_infer_glob_of(const char *name, struct rv_strbuf *sb)
{
	const char *start = name;
	size_t len, digits;

	while (next_run(&name, &len, &digits)) {
		put_literal(sb, start, (size_t)(name - start));
		/* v2 is a version, 0042 a number */
		if (digits >= 3)
			rv_strbuf_puts(sb, "[0-9]*");
		else
			put_literal(sb, name, len);
		start = name += len;
	}
	put_literal(sb, start, strlen(start));
}

/* Letters, digits and _, no digit first, at most `most` bytes; may be "". Caller frees. */
static char *identifier_of(const char *text, size_t len, size_t most)
{
	struct rv_strbuf sb = RV_STRBUF_INIT;

	for (size_t i = 0; i < len && sb.len < most; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (sb.len && is_digit((char)c)))
			rv_strbuf_putc(&sb, (char)c);
		else if (is_digit((char)c))
			rv_strbuf_printf(&sb, "n%c", c);
		else if (sb.len && sb.bytes[sb.len - 1] != '_')
			rv_strbuf_putc(&sb, '_');
	}
	while (sb.len && sb.bytes[sb.len - 1] == '_')
		rv_strbuf_truncate(&sb, sb.len - 1);
	return rv_strbuf_take(&sb);
}

char *rv_infer_name(const char *file, const char *otherwise)
{
	static const char *const endings[] = { ".gz", ".zst", ".bz2", ".xz", ".csv", ".txt", ".tsv", ".tab",
					       ".dat", ".psv", ".zip", NULL };
	size_t n = strlen(file), len, digits;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	for (size_t i = 0; endings[i]; i++) {
		size_t ending = strlen(endings[i]);

		if (n > ending && strncasecmp(file + n - ending, endings[i], ending) == 0)
			n -= ending;
	}
	RV_CLEANUP(rv_free_p) char *stem = rv_strndup(file, n);
	const char *p = stem, *start = stem;

	while (next_run(&p, &len, &digits)) {
		rv_strbuf_add(&sb, start, (size_t)(p - start));
		if (digits < 3)
			rv_strbuf_add(&sb, p, len);
		start = p += len;
	}
	rv_strbuf_puts(&sb, start);
	char *name = identifier_of(sb.bytes, sb.len, 48);

	if (*name)
		return name;
	free(name);
	return rv_strdup(otherwise);
}

static char *unused_name(const struct rv_infer *infer, const struct rv_infer_table *table, const char *wish,
			 size_t count)
{
	char *name = rv_strdup(wish);

	for (unsigned n = 2;; n++) {
		bool taken = false;

		for (size_t i = 0; i < count; i++)
			taken |= infer ? strcmp(infer->tables[i].name, name) == 0
				       : table->columns[i].name && strcmp(table->columns[i].name, name) == 0;
		if (!taken)
			return name;
		free(name);
		name = rv_asprintf("%s_%u", wish, n);
	}
}

/* ---- columns ---- */

static size_t count_same(const struct rv_string_list *names, const char *name, bool rough)
{
	size_t n = 0;

	for (size_t i = 0; i < names->count; i++)
		n += (rough ? strcasecmp(names->items[i], name) : strcmp(names->items[i], name)) == 0;
	return n;
}

static bool is_reserved(const char *name)
{
	return strcmp(name, "record") == 0 || strcmp(name, "file_name") == 0 ||
	       strcmp(name, "file_row") == 0 || strcmp(name, "loaded_at") == 0;
}

static void name_columns(struct rv_infer_table *table)
{
	const struct rv_string_list *names = &table->dialect.names;
	size_t kept = 0;

	table->columns_count = names->count;
	table->columns = rv_calloc(names->count, sizeof(*table->columns));
	for (size_t i = 0; i < names->count; i++) {
		struct rv_infer_column *column = &table->columns[i];
		const char *header = names->items[i];

		*column = (struct rv_infer_column){ .header = rv_strdup(header), .why = RV_STRBUF_INIT,
						    .parent = RV_INFER_NONE };
		rv_infer_type_init(&column->seen);
		if (!header[strspn(header, " \t")])
			column->why_not = "the header gives it no name";
		else if (strlen(header) > 1024 || rv_utf8_check(header, strlen(header)) < strlen(header))
			column->why_not = "its name cannot be written";
		else if (count_same(names, header, false) > 1)
			column->why_not = "the header has that name twice";
		else if (kept == RV_COLUMNS_MAX)
			column->why_not = "there are more columns than a table may have";
		if (column->why_not)
			continue;
		RV_CLEANUP(rv_free_p) char *plain = identifier_of(header, strlen(header), 50);
		RV_CLEANUP(rv_free_p)
		char *wish = !*plain ? rv_asprintf("column_%zu", i + 1)
				     : is_reserved(plain) ? rv_asprintf("source_%s", plain) : rv_strdup(plain);

		column->name = unused_name(NULL, table, wish, i);
		column->from = strcasecmp(column->name, header) != 0 ||
			       (count_same(names, header, true) > 1 && strcmp(column->name, header) != 0);
		kept++;
	}
}

/* ---- members ---- */

/* The first bytes of an entry; *ret_whole: there are no more. */
static enum rv_status read_head(struct rv_infer *infer, size_t i, struct rv_strbuf *sb, bool *ret_whole,
				struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	enum rv_source_state state = RV_SOURCE_BYTES;
	size_t n;

	if (rv_zip_member_unpacked(infer->zip, i, &source, err) != RV_OK)
		return err->status;
	rv_strbuf_reserve(sb, HEAD_BYTES);
	while (sb->len < HEAD_BYTES) {
		if (source->ops->read(source, sb->bytes + sb->len, HEAD_BYTES - sb->len, -1, &n, &state, err) !=
		    RV_OK)
			return err->status;
		if (state == RV_SOURCE_END)
			break;
		sb->len += state == RV_SOURCE_BYTES ? n : 0;
	}
	sb->bytes[sb->len] = '\0';
	*ret_whole = state == RV_SOURCE_END;
	return RV_OK;
}

static bool is_alike(const struct rv_job_dialect *a, const struct rv_job_dialect *b)
{
	if (a->delimiter != b->delimiter || a->header != b->header || a->names.count != b->names.count)
		return false;
	for (size_t i = 0; i < a->names.count; i++)
		if (strcmp(a->names.items[i], b->names.items[i]) != 0)
			return false;
	return true;
}

static void add_to(struct rv_infer_table *table, size_t entry)
{
	RV_GROW(table->members, table->members_count, table->members_room);
	table->members[table->members_count++] = entry;
}

/* What of a member another one of its table did not show. */
static void take_head(struct rv_infer_table *table, const struct rv_infer_head *head)
{
	struct rv_job_dialect *d = &table->dialect;
	const struct rv_job_dialect *other = &head->dialect;

	for (size_t i = 0; i < other->nulls.count; i++)
		if (!rv_string_list_has(&d->nulls, other->nulls.items[i]))
			rv_string_list_add(&d->nulls, other->nulls.items[i], strlen(other->nulls.items[i]));
	if (table->ascii && !head->ascii) {
		d->encoding = other->encoding;
		table->ascii = false;
	}
	/* a member without quotes shows none */
	if (d->quote != other->quote && other->quote == '\'')
		d->quote = other->quote;
	d->escape = d->escape ? d->escape : other->escape;
}

static void say_no_table(struct rv_infer *infer, const char *shown, const char *why)
{
	rv_strbuf_puts(&infer->others, "  # no table: ");
	rv_infer_quote(&infer->others, shown, strlen(shown));
	rv_strbuf_printf(&infer->others, ", %s\n", why);
}

enum rv_status rv_infer_add_member(struct rv_infer *infer, size_t i, struct rv_error *err)
{
	const struct rv_zip_entry *entry = rv_zip_entry(infer->zip, i);
	RV_CLEANUP(rv_free_p) char *pattern = pattern_of(entry->name);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	struct rv_infer_head head;
	bool whole = false;

	for (size_t t = 0; t < infer->tables_count; t++)
		if (infer->tables[t].members_count >= HEADS_OF_A_TABLE &&
		    strcmp(infer->tables[t].pattern, pattern) == 0) {
			add_to(&infer->tables[t], i);
			return RV_OK;
		}
	if (read_head(infer, i, &bytes, &whole, err) != RV_OK)
		return err->status;
	rv_infer_head_read(bytes.bytes, bytes.len, whole, &head);
	if (!head.table || infer->tables_count == RV_JOB_TABLES_MAX) {
		say_no_table(infer, entry->shown,
			     head.table ? "there are too many tables already" : head.why_not);
		rv_infer_head_release(&head);
		return RV_OK;
	}
	for (size_t t = 0; t < infer->tables_count; t++) {
		struct rv_infer_table *table = &infer->tables[t];

		if (strcmp(table->pattern, pattern) != 0 || !is_alike(&table->dialect, &head.dialect))
			continue;
		add_to(table, i);
		take_head(table, &head);
		rv_infer_head_release(&head);
		return RV_OK;
	}
	infer->tables = rv_realloc_array(infer->tables, infer->tables_count + 1, sizeof(*infer->tables));
	struct rv_infer_table *table = &infer->tables[infer->tables_count++];

	*table = (struct rv_infer_table){ .pattern = rv_take(pattern), .dialect = head.dialect,
					  .ascii = head.ascii, .line_end = head.line_end,
					  .header_why = head.header_why, .key_why = RV_STRBUF_INIT };
	head.dialect = (struct rv_job_dialect){ 0 };
	rv_infer_head_release(&head);
	add_to(table, i);
	return RV_OK;
}

/* ---- globs ---- */

/* A member that the glob matches and that is none of the table's; NULL: there is none. */
static const char *matches_also(const struct rv_infer *infer, const struct rv_infer_table *table)
{
	const struct rv_job_table as_job = { .member = table->glob };
	RV_CLEANUP(rv_free_p) bool *own = rv_calloc(rv_zip_count(infer->zip), sizeof(*own));

	for (size_t i = 0; i < table->members_count; i++)
		own[table->members[i]] = true;
	for (size_t i = 0; i < rv_zip_count(infer->zip); i++) {
		const struct rv_zip_entry *entry = rv_zip_entry(infer->zip, i);

		if (!own[i] && rv_job_member_is(&as_job, entry->name))
			return entry->shown;
	}
	return NULL;
}

/* By the last part of its name, else by all of it, else as it is: whichever means this table alone. */
static void make_glob(const struct rv_infer *infer, struct rv_infer_table *table)
{
	RV_CLEANUP(rv_free_p) const char **names = rv_calloc(table->members_count, sizeof(*names));

	for (int way = 0; way < 3; way++) {
		struct rv_strbuf sb = RV_STRBUF_INIT;

		if (way == 2 && table->members_count > 1)
			return;
		for (size_t i = 0; i < table->members_count; i++) {
			const char *name = rv_zip_entry(infer->zip, table->members[i])->name;

			names[i] = way == 0 ? rv_path_base(name) : name;
		}
		if (way < 2)
			put_glob(&sb, names, table->members_count);
		else
			put_literal(&sb, names[0], strlen(names[0]));
		free(table->glob);
		table->glob = rv_strbuf_take(&sb);
		if (!(table->also = matches_also(infer, table)))
			return;
	}
}

void rv_infer_name_tables(struct rv_infer *infer)
{
	for (size_t t = 0; t < infer->tables_count; t++) {
		struct rv_infer_table *table = &infer->tables[t];
		const char *first = rv_zip_entry(infer->zip, table->members[0])->name;
		RV_CLEANUP(rv_free_p) char *wish = rv_infer_name(rv_path_base(first), "rows");

		table->name = unused_name(infer, NULL, wish, t);
		make_glob(infer, table);
		name_columns(table);
	}
}
