/*
 * What the tables of an archive's members are: their names, and by the first MiBs of each the dialect,
 * the columns and the types, which DuckDB's own sniffer says as it does for files. Values behind those
 * that do not fit their column's type fail the query; the schema as_text has the same tables as texts.
 */
#include "warehouse/duckdb_archive.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define SAMPLE_BYTES (4u << 20)
/* Archives of more members have only those tables that the SQL seems to mention. */
#define MEMBERS_FEW 64

static const struct {
	const char *ending;
	bool json;
} kinds[] = {
	{ ".csv", false },   { ".tsv", false },	  { ".txt", false },
	{ ".ndjson", true }, { ".jsonl", true },
};

/* "EXPORT/Page views-2026.csv.gz" -> "page_views_2026", with `whole` "export_page_views_2026"; NULL for
 * what is no table. Caller frees. */
static char *table_name(const char *path, bool whole, bool *ret_json)
{
	RV_CLEANUP(rv_free_p) char *name = rv_strdup(whole ? path : rv_path_base(path));
	static const char *const packings[] = { ".gz", ".zst", ".bz2", ".xz" };
	bool known = false;

	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	for (size_t i = 0; i < sizeof(packings) / sizeof(*packings); i++)
		if (rv_ends_with(name, packings[i])) {
			name[strlen(name) - strlen(packings[i])] = '\0';
			break;
		}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && !known; i++) {
		if (!rv_ends_with(name, kinds[i].ending))
			continue;
		name[strlen(name) - strlen(kinds[i].ending)] = '\0';
		*ret_json = kinds[i].json;
		known = true;
	}
	if (!known)
		return NULL;
	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p))
			*p = '_';
	if (isdigit((unsigned char)name[0]) || !name[0])
		return rv_asprintf("_%s", name);
	return rv_take(name);
}

/* ---- the sample ---- */

/* The first bytes of the member, whole rows of them, in a file without a name; *ret_len 0: it is empty. */
static enum rv_status take_sample(const struct duck_archive *archive, size_t entry, int *ret_fd,
				  size_t *ret_len, struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(SAMPLE_BYTES);
	enum rv_source_state state = RV_SOURCE_WAIT;
	size_t len = 0;

	if (rv_zip_member_unpacked(archive->zip, entry, &source, err) != RV_OK)
		return err->status;
	while (len < SAMPLE_BYTES && state != RV_SOURCE_END) {
		size_t n = 0;

		if (source->ops->read(source, buf + len, SAMPLE_BYTES - len, -1, &n, &state, err) != RV_OK)
			return err->status;
		len += n;
	}
	if (state != RV_SOURCE_END) { /* to the last line end with all quotes closed */
		size_t end = 0;
		bool open = false;

		for (size_t i = 0; i < len; i++) {
			open ^= buf[i] == '"';
			if (buf[i] == '\n' && !open)
				end = i + 1;
		}
		len = end ? end : len;
	}
	int fd = memfd_create("river-sample", MFD_CLOEXEC);

	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "cannot keep the first rows of %s", source->label);
	*ret_fd = fd;
	*ret_len = len;
	return rv_write_all(fd, buf, len, source->label, err);
}

/* ---- CSV ---- */

static void add_column(struct duck_member *member, struct rv_str name)
{
	size_t n = member->columns_count++;

	member->columns = rv_realloc_array(member->columns, n + 1, sizeof(char *));
	member->columns[n] = rv_strndup(name.p, name.len);
}

/* The sniffer's words: "(empty)", and some characters by their names. */
static bool take_character(struct rv_str text, char otherwise, char *ret)
{
	if (rv_str_is(text, "(empty)") || text.len == 0)
		*ret = otherwise;
	else if (rv_str_is(text, "\\t"))
		*ret = '\t';
	else if (text.len == 1)
		*ret = text.p[0];
	else
		return false;
	return true;
}

static enum rv_status take_dialect(struct rv_duckdb *d, const char *path, struct duck_dialect *ret,
				   struct rv_strbuf *dates, struct rv_strbuf *timestamps,
				   struct rv_error *err)
{
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "SELECT \"Delimiter\", \"Quote\", \"Escape\", \"Comment\", \"SkipRows\"::BIGINT,"
			     " \"HasHeader\"::BIGINT, \"DateFormat\", \"TimestampFormat\" FROM sniff_csv(");
	duck_literal(&sql, path);
	rv_strbuf_putc(&sql, ')');
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	if (!duck_next(&cursor))
		return rv_fail(err, RV_FAILED, "nothing is known of its dialect");
	/* Without quotes in the sample there may be some behind it: RFC 4180. */
	if (!take_character(duck_text(&cursor, 0), ',', &ret->delimiter) ||
	    !take_character(duck_text(&cursor, 1), '"', &ret->quote) ||
	    !take_character(duck_text(&cursor, 2), ret->quote, &ret->escape) ||
	    !take_character(duck_text(&cursor, 3), '\0', &ret->comment))
		return rv_fail(err, RV_USAGE, "its columns are parted by more than one character");
	ret->skip_lines = duck_u64(&cursor, 4);
	ret->header = duck_u64(&cursor, 5) != 0;
	if (!duck_is_null(&cursor, 6))
		rv_strbuf_add(dates, duck_text(&cursor, 6).p, duck_text(&cursor, 6).len);
	if (!duck_is_null(&cursor, 7))
		rv_strbuf_add(timestamps, duck_text(&cursor, 7).p, duck_text(&cursor, 7).len);
	return RV_OK;
}

/* The column with its type: CAST("id" AS BIGINT) AS "id". */
static void add_typed(struct rv_strbuf *sql, const char *name, const char *type, const char *dates,
		      const char *timestamps)
{
	const char *format = strcmp(type, "DATE") == 0	      ? dates
			     : strcmp(type, "TIMESTAMP") == 0 ? timestamps
							      : "";

	if (strcmp(type, "VARCHAR") == 0) {
		duck_name(sql, name);
		return;
	}
	rv_strbuf_puts(sql, "CAST(");
	if (format[0] && strcmp(format, "%Y-%m-%d") != 0) {
		rv_strbuf_puts(sql, "strptime(");
		duck_name(sql, name);
		rv_strbuf_puts(sql, ", ");
		duck_literal(sql, format);
		rv_strbuf_putc(sql, ')');
	} else {
		duck_name(sql, name);
	}
	rv_strbuf_printf(sql, " AS %s) AS ", type);
	duck_name(sql, name);
}

/* *ret_select becomes what the view selects. */
static enum rv_status describe_csv(struct rv_duckdb *d, struct duck_member *member, const char *path,
				   struct rv_strbuf *select, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT, dates = RV_STRBUF_INIT,
						       timestamps = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	if (take_dialect(d, path, &member->dialect, &dates, &timestamps, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&sql, "SELECT c.name, c.type FROM (SELECT unnest(\"Columns\") AS c FROM sniff_csv(");
	duck_literal(&sql, path);
	rv_strbuf_puts(&sql, "))");
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		struct rv_str type_text = duck_text(&cursor, 1);
		RV_CLEANUP(rv_free_p) char *type = rv_strndup(type_text.p, type_text.len);

		add_column(member, duck_text(&cursor, 0));
		rv_strbuf_puts(select, member->columns_count > 1 ? ", " : "SELECT ");
		add_typed(select, member->columns[member->columns_count - 1], type, dates.bytes,
			  timestamps.bytes);
	}
	if (!member->columns_count)
		return rv_fail(err, RV_BAD_DATA, "it has no columns");
	rv_strbuf_printf(select, " FROM %s()", member->function);
	return RV_OK;
}

/* ---- JSON ---- */

/* A column that is null in every record has no type; from_json wants one. */
static void type_nulls(struct rv_strbuf *structure)
{
	for (char *p = structure->bytes; (p = strstr(p, "\"NULL\"")); p += 6)
		if (p > structure->bytes && (p[-1] == ':' || p[-1] == '['))
			memcpy(p, "\"JSON\"", 6);
}

/* The structure of all records, so that none is lost: one pass over the member. "" when there is none. */
static enum rv_status take_structure(struct rv_duckdb *d, const struct duck_member *member,
				     struct rv_strbuf *ret, struct rv_error *err)
{
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	RV_CLEANUP(rv_free_p) char *sql = rv_asprintf(
		"SELECT json_group_structure(record)::VARCHAR FROM %s()", member->function);

	if (duck_select(d, &cursor, sql, err) != RV_OK)
		return err->status;
	if (duck_next(&cursor) && !duck_is_null(&cursor, 0))
		rv_strbuf_add(ret, duck_text(&cursor, 0).p, duck_text(&cursor, 0).len);
	if (ret->len < 4 || ret->bytes[0] != '{')
		rv_strbuf_clear(ret);
	type_nulls(ret);
	return RV_OK;
}

/* What read_ndjson sees in the sample: dates and times are texts to json_group_structure. Names and types
 * by turns, each ended by NUL. */
static enum rv_status take_sampled_types(struct rv_duckdb *d, const char *path, struct rv_strbuf *ret,
					 struct rv_error *err)
{
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_ndjson(");
	duck_literal(&sql, path);
	rv_strbuf_puts(&sql, "))");
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor))
		for (unsigned i = 0; i < 2; i++) {
			rv_strbuf_add(ret, duck_text(&cursor, i).p, duck_text(&cursor, i).len);
			rv_strbuf_putc(ret, '\0');
		}
	return RV_OK;
}

static const char *sampled_type(const struct rv_strbuf *types, const char *name)
{
	const char *end = types->bytes + types->len;

	for (const char *p = types->bytes; p < end;) {
		const char *type = p + strlen(p) + 1;

		if (strcmp(p, name) == 0)
			return type;
		p = type + strlen(type) + 1;
	}
	return "";
}

/* The type that a column gets instead of what its structure says. */
static const char *type_of_json(const char *structure, const char *sampled)
{
	static const char *const of_texts[] = { "DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE",
						"UUID" };

	if (strcmp(structure, "\"UBIGINT\"") == 0)
		return "BIGINT";
	if (strcmp(structure, "\"VARCHAR\"") != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(of_texts) / sizeof(*of_texts); i++)
		if (strcmp(sampled, of_texts[i]) == 0)
			return of_texts[i];
	return NULL;
}

static enum rv_status describe_json(struct rv_duckdb *d, struct duck_member *member, const char *path,
				    struct rv_strbuf *select, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf structure = RV_STRBUF_INIT, sql = RV_STRBUF_INIT,
						       types = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	size_t columns = 0;

	if (take_structure(d, member, &structure, err) != RV_OK)
		return err->status;
	if (!structure.len) {
		rv_strbuf_printf(select, "SELECT record FROM %s()", member->function);
		return RV_OK;
	}
	if (take_sampled_types(d, path, &types, err) != RV_OK)
		return err->status;
	rv_strbuf_puts(&sql, "SELECT key, value::VARCHAR FROM json_each(");
	duck_literal(&sql, structure.bytes);
	rv_strbuf_putc(&sql, ')');
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		struct rv_str key = duck_text(&cursor, 0), value = duck_text(&cursor, 1);
		RV_CLEANUP(rv_free_p) char *name = rv_strndup(key.p, key.len);
		RV_CLEANUP(rv_free_p) char *shape = rv_strndup(value.p, value.len);
		const char *type = type_of_json(shape, sampled_type(&types, name));

		rv_strbuf_puts(select, columns++ ? ", " : "SELECT ");
		rv_strbuf_puts(select, type ? "CAST(r." : "r.");
		duck_name(select, name);
		if (type)
			rv_strbuf_printf(select, " AS %s)", type);
		rv_strbuf_puts(select, " AS ");
		duck_name(select, name);
	}
	rv_strbuf_puts(select, " FROM (SELECT from_json(record, ");
	duck_literal(select, structure.bytes);
	rv_strbuf_printf(select, ") AS r FROM %s())", member->function);
	return RV_OK;
}

/* ---- views ---- */

static bool mentions(const char *sql, const char *name)
{
	return strcasestr(sql, name) != NULL;
}

static enum rv_status make_view(struct rv_duckdb *d, const char *schema, const char *name,
				const char *select, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "CREATE VIEW ");
	if (schema)
		rv_strbuf_printf(&sql, "%s.", schema);
	duck_name(&sql, name);
	rv_strbuf_printf(&sql, " AS %s", select);
	return duck_run(d, sql.bytes, NULL, err);
}

static enum rv_status make_views(struct rv_duckdb *d, const struct duck_member *member, const char *name,
				 const char *select, bool first, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *texts = rv_asprintf("SELECT * FROM %s()", member->function);

	if (make_view(d, NULL, name, select, err) != RV_OK ||
	    make_view(d, "as_text", name, texts, err) != RV_OK)
		return err->status;
	if (!first || strcmp(name, "t") == 0)
		return RV_OK;
	if (make_view(d, NULL, "t", select, err) != RV_OK)
		return err->status;
	return make_view(d, "as_text", "t", texts, err);
}

static enum rv_status describe(struct rv_duckdb *d, struct duck_member *member, const char *path,
			       bool wanted, struct rv_strbuf *select, struct rv_error *err)
{
	if (!member->dialect.json) {
		if (describe_csv(d, member, path, select, err) != RV_OK)
			return err->status;
		return duck_member_register(d, member, err);
	}
	add_column(member, RV_STR("record"));
	if (duck_member_register(d, member, err) != RV_OK)
		return err->status;
	if (wanted)
		return describe_json(d, member, path, select, err);
	rv_strbuf_printf(select, "SELECT record FROM %s()", member->function);
	return RV_OK;
}

static bool is_taken(const struct rv_duckdb *d, const char *name)
{
	for (const struct duck_member *m = d->members; m; m = m->next)
		if (strcmp(m->name, name) == 0)
			return true;
	return false;
}

/* *ret_made false: it is no table, empty, or not mentioned. */
static enum rv_status make_table(struct rv_duckdb *d, struct duck_archive *archive, size_t entry,
				 const char *sql, bool first, bool *ret_made, struct rv_error *err)
{
	const struct rv_zip_entry *e = rv_zip_entry(archive->zip, entry);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf select = RV_STRBUF_INIT;
	RV_CLEANUP(rv_close_p) int fd = -1;
	bool json = false;
	RV_CLEANUP(rv_free_p) char *name = table_name(e->name, false, &json);
	size_t sample_len = 0;
	char path[64];

	*ret_made = false;
	if (!name)
		return RV_OK;
	if (is_taken(d, name)) { /* the same in another folder */
		free(name);
		name = table_name(e->name, true, &json);
	}
	bool wanted = first || mentions(sql, name);

	if (!wanted && rv_zip_count(archive->zip) > MEMBERS_FEW)
		return RV_OK;
	if (take_sample(archive, entry, &fd, &sample_len, err) != RV_OK)
		return err->status;
	if (sample_len == 0 && !json)
		return RV_OK;
	struct duck_member *member = rv_calloc(1, sizeof(*member));

	member->next = d->members;
	d->members = member;
	member->archive = archive;
	member->entry = entry;
	member->name = rv_strdup(name);
	member->dialect.json = json;
	snprintf(member->function, sizeof(member->function), "river_member_%u", d->members_count++);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (describe(d, member, path, wanted, &select, err) != RV_OK ||
	    make_views(d, member, name, select.bytes, first, err) != RV_OK) {
		if (strstr(err->message, "already exists"))
			err->status = RV_CONFLICT;
		duck_archive_explain(d, err);
		return rv_context(err, "%s: %s", rv_zip_label(archive->zip), e->shown);
	}
	*ret_made = true;
	return RV_OK;
}

/* ---- archives ---- */

enum rv_status duck_archive_open(struct rv_duckdb *d, const char *path, const char *label,
				 const char *sql, bool first, struct rv_error *err)
{
	struct rv_zip *zip = NULL;
	int fd = rv_open(path, O_RDONLY | O_CLOEXEC, 0);
	bool any = false;

	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "%s", label);
	if (rv_zip_open(fd, label, NULL, &zip, err) != RV_OK)
		return err->status;
	struct duck_archive *archive = rv_calloc(1, sizeof(*archive));

	archive->zip = zip;
	archive->error = (struct rv_error)RV_ERROR_INIT;
	pthread_mutex_init(&archive->mutex, NULL);
	archive->next = d->archives;
	d->archives = archive;
	if (duck_run(d, "CREATE SCHEMA IF NOT EXISTS as_text", NULL, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < rv_zip_count(zip); i++) {
		bool made = false;

		if (make_table(d, archive, i, sql, first && !any, &made, err) != RV_OK)
			return err->status;
		any = any || made;
	}
	if (any || rv_zip_count(zip) > MEMBERS_FEW)
		return RV_OK;
	rv_fail(err, RV_BAD_DATA, "%s: it holds no table", label);
	rv_hint(err, "tables are members that end in .csv, .tsv, .txt, .ndjson or .jsonl, each also with "
		     ".gz or .zst");
	return RV_BAD_DATA;
}

void duck_archive_explain(struct rv_duckdb *d, struct rv_error *err)
{
	for (struct duck_archive *a = d->archives; a; a = a->next) {
		pthread_mutex_lock(&a->mutex);
		if (a->error.status != RV_OK)
			*err = a->error;
		pthread_mutex_unlock(&a->mutex);
	}
	if (d->archives && !err->hint[0] && strstr(err->message, "Conversion Error"))
		rv_hint(err, "types are those of a member's first rows; the schema as_text has the same tables "
			     "as texts");
}

void duck_archive_free_all(struct rv_duckdb *d)
{
	while (d->members) {
		struct duck_member *next = d->members->next;

		for (size_t i = 0; i < d->members->columns_count; i++)
			free(d->members->columns[i]);
		free(d->members->columns);
		free(d->members->name);
		free(d->members);
		d->members = next;
	}
	while (d->archives) {
		struct duck_archive *next = d->archives->next;

		rv_zip_free(d->archives->zip);
		pthread_mutex_destroy(&d->archives->mutex);
		free(d->archives);
		d->archives = next;
	}
	d->members_count = 0;
}
