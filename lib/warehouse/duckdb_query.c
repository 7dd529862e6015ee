/*
 * Running the user's SQL: statement by statement, rows streamed as DuckDB makes them, so memory
 * does not grow with the result. Without `writable` each statement must be one that only reads,
 * the file is attached read-only, and SQL gets no files of its own to open.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/memory.h"
#include "source/zip.h"
#include "warehouse/duckdb_internal.h"
#include "warehouse/rows.h"

/* ---- columns ---- */

static void column_release(const struct rv_duckdb_api *api, struct rv_rows_column *column)
{
	union {
		const char *borrowed;
		char *owned;
	} name = { .borrowed = column->name };

	for (size_t i = 0; i < column->children_count; i++)
		column_release(api, &column->children[i]);
	free(column->children);
	for (size_t i = 0; column->words && column->words[i]; i++)
		api->free(column->words[i]);
	free(column->words);
	free(name.owned);
}

static unsigned width_of(int type)
{
	switch (type) {
	case DUCK_UTINYINT:
		return 1;
	case DUCK_SMALLINT:
	case DUCK_USMALLINT:
		return 2;
	case DUCK_INTEGER:
	case DUCK_UINTEGER:
		return 4;
	case DUCK_BIGINT:
		return 8;
	default:
		return 16;
	}
}

static const struct {
	int type;
	enum rv_row_kind kind;
	unsigned scale;
} kinds[] = {
	{ DUCK_SQLNULL, RV_ROW_NULL, 0 },
	{ DUCK_BOOLEAN, RV_ROW_BOOL, 0 },
	{ DUCK_TINYINT, RV_ROW_I8, 0 },
	{ DUCK_SMALLINT, RV_ROW_I16, 0 },
	{ DUCK_INTEGER, RV_ROW_I32, 0 },
	{ DUCK_BIGINT, RV_ROW_I64, 0 },
	{ DUCK_HUGEINT, RV_ROW_I128, 0 },
	{ DUCK_UTINYINT, RV_ROW_U8, 0 },
	{ DUCK_USMALLINT, RV_ROW_U16, 0 },
	{ DUCK_UINTEGER, RV_ROW_U32, 0 },
	{ DUCK_UBIGINT, RV_ROW_U64, 0 },
	{ DUCK_UHUGEINT, RV_ROW_U128, 0 },
	{ DUCK_FLOAT, RV_ROW_FLOAT, 0 },
	{ DUCK_DOUBLE, RV_ROW_DOUBLE, 0 },
	{ DUCK_DECIMAL, RV_ROW_DECIMAL, 0 },
	{ DUCK_VARCHAR, RV_ROW_TEXT, 0 },
	{ DUCK_BLOB, RV_ROW_BLOB, 0 },
	{ DUCK_BIT, RV_ROW_BIT, 0 },
	{ DUCK_DATE, RV_ROW_DATE, 0 },
	{ DUCK_TIME, RV_ROW_TIME, 6 },
	{ DUCK_TIME_NS, RV_ROW_TIME, 9 },
	{ DUCK_TIMESTAMP, RV_ROW_TIMESTAMP, 6 },
	{ DUCK_TIMESTAMP_S, RV_ROW_TIMESTAMP, 0 },
	{ DUCK_TIMESTAMP_MS, RV_ROW_TIMESTAMP, 3 },
	{ DUCK_TIMESTAMP_NS, RV_ROW_TIMESTAMP, 9 },
	{ DUCK_TIMESTAMP_TZ, RV_ROW_TIMESTAMP_ZONE, 6 },
	{ DUCK_INTERVAL, RV_ROW_INTERVAL, 0 },
	{ DUCK_UUID, RV_ROW_UUID, 0 },
	{ DUCK_ENUM, RV_ROW_ENUM, 0 },
	{ DUCK_LIST, RV_ROW_LIST, 0 },
	{ DUCK_ARRAY, RV_ROW_ARRAY, 0 },
	{ DUCK_STRUCT, RV_ROW_STRUCT, 0 },
	{ DUCK_MAP, RV_ROW_MAP, 0 },
};

/* Takes `type`. */
static enum rv_status describe(const struct rv_duckdb_api *api, duck_type type, const char *name,
			       struct rv_rows_column *ret, struct rv_error *err);

static enum rv_status describe_children(const struct rv_duckdb_api *api, duck_type type,
					struct rv_rows_column *c, struct rv_error *err)
{
	if (c->kind == RV_ROW_STRUCT) {
		size_t count = api->struct_type_child_count(type);

		c->children = rv_calloc(count, sizeof(*c->children));
		for (; c->children_count < count; c->children_count++) {
			size_t i = c->children_count;
			char *name = api->struct_type_child_name(type, i);

			if (!name)
				rv_out_of_memory(0);
			enum rv_status status = describe(api, api->struct_type_child_type(type, i),
							 name, &c->children[i], err);

			api->free(name);
			if (status != RV_OK)
				return status;
		}
		return RV_OK;
	}
	c->children = rv_calloc(1, sizeof(*c->children));
	if (c->kind != RV_ROW_MAP) {
		c->children_count = 1;
		return describe(api,
				c->kind == RV_ROW_LIST ? api->list_type_child_type(type)
						       : api->array_type_child_type(type),
				"", &c->children[0], err);
	}
	struct rv_rows_column *entry = &c->children[0];

	c->children_count = 1;
	entry->kind = RV_ROW_STRUCT;
	entry->children = rv_calloc(2, sizeof(*entry->children));
	entry->children_count = 2;
	if (describe(api, api->map_type_key_type(type), "key", &entry->children[0], err) != RV_OK)
		return err->status;
	return describe(api, api->map_type_value_type(type), "value", &entry->children[1], err);
}

static enum rv_status describe(const struct rv_duckdb_api *api, duck_type type, const char *name,
			       struct rv_rows_column *ret, struct rv_error *err)
{
	int id = api->get_type_id(type);
	enum rv_status status = RV_OK;
	size_t k = 0;

	ret->name = rv_strdup(name);
	while (k < sizeof(kinds) / sizeof(*kinds) && kinds[k].type != id)
		k++;
	if (k == sizeof(kinds) / sizeof(*kinds)) {
		api->destroy_logical_type(&type);
		rv_fail(err, RV_USAGE, "column %s has a type that cannot be printed", name);
		rv_hint(err, "cast it: %s::VARCHAR", name);
		return RV_USAGE;
	}
	ret->kind = kinds[k].kind;
	ret->scale = kinds[k].scale;
	if (ret->kind == RV_ROW_TEXT) {
		char *alias = api->logical_type_get_alias(type);

		if (alias && strcmp(alias, "JSON") == 0)
			ret->kind = RV_ROW_JSON;
		if (alias)
			api->free(alias);
	} else if (ret->kind == RV_ROW_DECIMAL) {
		ret->scale = api->decimal_scale(type);
		ret->width = width_of(api->decimal_internal_type(type));
	} else if (ret->kind == RV_ROW_ENUM) {
		uint32_t count = api->enum_dictionary_size(type);

		ret->width = width_of(api->enum_internal_type(type));
		ret->words = rv_calloc(count + 1, sizeof(char *));
		for (uint32_t i = 0; i < count; i++)
			if (!(ret->words[i] = api->enum_dictionary_value(type, i)))
				rv_out_of_memory(0);
	} else if (ret->kind == RV_ROW_ARRAY) {
		ret->width = (unsigned)api->array_type_array_size(type);
	}
	if (ret->kind >= RV_ROW_LIST)
		status = describe_children(api, type, ret, err);
	api->destroy_logical_type(&type);
	return status;
}

static void point_at(const struct rv_duckdb_api *api, duck_vector vector, struct rv_rows_column *c)
{
	c->data = api->vector_get_data(vector);
	c->valid = api->vector_get_validity(vector);
	switch (c->kind) {
	case RV_ROW_LIST:
	case RV_ROW_MAP:
		point_at(api, api->list_vector_get_child(vector), &c->children[0]);
		break;
	case RV_ROW_ARRAY:
		point_at(api, api->array_vector_get_child(vector), &c->children[0]);
		break;
	case RV_ROW_STRUCT:
		for (size_t i = 0; i < c->children_count; i++)
			point_at(api, api->struct_vector_get_child(vector, i), &c->children[i]);
		break;
	default:
		break;
	}
}

/* ---- statements ---- */

struct running {
	struct rv_duckdb *d;
	enum rv_status (*sink)(void *arg, const struct rv_rows *, struct rv_error *err);
	void *arg;
	struct rv_rows_column *columns;
	size_t columns_count;
};

static void running_release(struct running *r)
{
	for (size_t i = 0; i < r->columns_count; i++)
		column_release(r->d->api, &r->columns[i]);
	free(r->columns);
	r->columns = NULL;
	r->columns_count = 0;
}

static enum rv_status hand_out(struct running *r, struct duck_result *result, struct rv_error *err)
{
	const struct rv_duckdb_api *api = r->d->api;
	size_t count = api->column_count(result);
	struct rv_rows rows = { .columns_count = count };

	r->columns = rv_calloc(count, sizeof(*r->columns));
	for (size_t i = 0; i < count; i++) {
		r->columns_count = i + 1;
		if (describe(api, api->column_logical_type(result, i), api->column_name(result, i),
			     &r->columns[i], err) != RV_OK)
			return err->status;
	}
	rows.columns = r->columns;
	if (r->sink(r->arg, &rows, err) != RV_OK)
		return err->status;
	for (;;) {
		duck_chunk chunk = api->fetch_chunk(*result);
		enum rv_status status = RV_OK;

		if (!chunk)
			break;
		rows.count = api->data_chunk_get_size(chunk);
		for (size_t i = 0; i < count; i++)
			point_at(api, api->data_chunk_get_vector(chunk, i), &r->columns[i]);
		if (duck_stopped(r->d))
			status = rv_fail(err, RV_FAILED, "interrupted");
		else if (rows.count)
			status = r->sink(r->arg, &rows, err);
		api->destroy_data_chunk(&chunk);
		if (status != RV_OK)
			return status;
	}
	const char *message = api->result_error(result);

	return message && *message ? duck_fail(r->d, err, result) : RV_OK;
}

static bool is_wanted(void *arg)
{
	return !duck_stopped(arg);
}

static enum rv_status execute(struct running *r, duck_prepared statement, struct rv_error *err)
{
	const struct rv_duckdb_api *api = r->d->api;
	struct duck_result result = { 0 };
	duck_pending pending = NULL;
	enum rv_status status = RV_OK;

	if (api->pending_prepared_streaming(statement, &pending) != 0)
		status = duck_fail_text(err, api->pending_error(pending));
	int state = status == RV_OK ? duck_pending_await(api, pending, is_wanted, r->d) : DUCK_PENDING_ERROR;

	if (status == RV_OK && state == DUCK_PENDING_ERROR)
		status = duck_fail_text(err, api->pending_error(pending));
	if (state == DUCK_PENDING_NOT_READY) {
		api->interrupt(r->d->connection);
		status = rv_fail(err, RV_FAILED, "interrupted");
	}
	if (status == RV_OK && api->execute_pending(pending, &result) != 0)
		status = duck_fail(r->d, err, &result);
	else if (status == RV_OK && api->result_return_type(result) == DUCK_RESULT_ROWS)
		status = hand_out(r, &result, err);
	api->destroy_result(&result);
	api->destroy_pending(&pending);
	running_release(r);
	return status;
}

static const char *const statement_names[] = {
	"?", "SELECT", "INSERT", "UPDATE", "EXPLAIN", "DELETE", "PREPARE", "CREATE", "EXECUTE",
	"ALTER", "BEGIN or COMMIT", "COPY", "ANALYZE", "SET VARIABLE", "CREATE FUNCTION", "DROP",
	"EXPORT", "PRAGMA", "VACUUM", "CALL", "SET", "LOAD", "a relation", "an extension's statement",
	"a plan", "ATTACH", "DETACH", "several statements", "COPY DATABASE", "UPDATE EXTENSIONS",
	"MERGE INTO",
};

static const char *skip_blank(const char *p)
{
	for (;;) {
		p += strspn(p, " \t\r\n\f\v;");
		if (rv_starts_with(p, "--"))
			p += strcspn(p, "\n");
		else if (rv_starts_with(p, "/*") && strstr(p, "*/"))
			p = strstr(p, "*/") + 2;
		else
			return p;
	}
}

/* Behind a word, NULL when it is another one. */
static const char *skip_word(const char *p, const char *word)
{
	size_t len = strlen(word);

	p = skip_blank(p);
	return strncasecmp(p, word, len) == 0 && !isalnum((unsigned char)p[len]) && p[len] != '_'
		       ? p + len
		       : NULL;
}

/* EXPLAIN ANALYZE runs what it explains, which may as well be a COPY over the file that is queried.
 * Its type says nothing of that, so what follows is prepared by itself; whatever is not understood
 * here is refused. */
static enum rv_status check_explained(struct rv_duckdb *d, const char *sql, struct rv_error *err)
{
	const struct rv_duckdb_api *api = d->api;
	const char *rest = skip_word(sql, "EXPLAIN"), *more;
	duck_extracted all = NULL;
	duck_prepared statement = NULL;

	if (rest && (more = skip_word(rest, "ANALYZE")))
		rest = more;
	else if (rest && *(more = skip_blank(rest)) == '(' && strchr(more, ')'))
		rest = strchr(more, ')') + 1;
	bool reads = rest && api->extract_statements(d->connection, rest, &all) == 1 &&
		     api->prepare_extracted_statement(d->connection, all, 0, &statement) == 0 &&
		     api->prepared_statement_type(statement) == DUCK_STATEMENT_SELECT;

	api->destroy_prepare(&statement);
	api->destroy_extracted(&all);
	if (reads)
		return RV_OK;
	rv_fail(err, RV_USAGE, "only a single SELECT can be explained");
	rv_hint(err, "with --write anything goes");
	return RV_USAGE;
}

static enum rv_status check_reads(struct rv_duckdb *d, duck_prepared statement, const char *sql,
				  struct rv_error *err)
{
	int type = d->api->prepared_statement_type(statement);

	if (type == DUCK_STATEMENT_SELECT)
		return RV_OK;
	if (type == DUCK_STATEMENT_EXPLAIN)
		return check_explained(d, sql, err);
	if (type == DUCK_STATEMENT_CREATE && strcasestr(sql, "pivot")) {
		rv_fail(err, RV_USAGE, "PIVOT without IN makes a type first, which is not a query");
		rv_hint(err, "name the values: PIVOT ... ON column IN (...)");
		return RV_USAGE;
	}
	size_t known = sizeof(statement_names) / sizeof(*statement_names);

	rv_fail(err, RV_USAGE, "%s is not a query",
		type >= 0 && (size_t)type < known ? statement_names[type] : "this statement");
	rv_hint(err, "with --write anything goes");
	return RV_USAGE;
}

/* SQL has no files of its own: what to do instead. */
static enum rv_status explain_files(enum rv_status status, struct rv_error *err)
{
	static const char before[] = "Cannot access ", after[] = " - file system operations";
	const char *from = strstr(err->message, before), *to = from ? strstr(from, after) : NULL;

	if (!to)
		return status;
	from += sizeof(before) - 1;
	RV_CLEANUP(rv_free_p) char *what = rv_strndup(from, (size_t)(to - from));

	rv_fail(err, RV_USAGE, "%s: a query neither reads nor writes files", what);
	rv_hint(err, "to write the result: --output csv '...' > file; to read a file: --from file; "
		     "with --write anything goes");
	return RV_USAGE;
}

/* One pass over all statements: looks at them, or runs them. */
static enum rv_status each_statement(struct running *r, const char *sql, bool writable, bool run,
				     struct rv_error *err)
{
	const struct rv_duckdb_api *api = r->d->api;
	duck_extracted all = NULL;
	duck_idx count = api->extract_statements(r->d->connection, sql, &all);
	enum rv_status status = RV_OK;

	if (count == 0) {
		const char *message = api->extract_statements_error(all);

		status = message && *message ? duck_fail_text(err, message)
					     : rv_fail(err, RV_USAGE, "there is no statement in it");
	}
	for (duck_idx i = 0; i < count && status == RV_OK; i++) {
		duck_prepared statement = NULL;

		if (api->prepare_extracted_statement(r->d->connection, all, i, &statement) != 0)
			status = duck_fail_text(err, api->prepare_error(statement));
		if (status == RV_OK && !writable)
			status = check_reads(r->d, statement, sql, err);
		if (status == RV_OK && run)
			status = execute(r, statement, err);
		api->destroy_prepare(&statement);
		if (status != RV_OK && !writable)
			status = explain_files(status, err);
		if (status != RV_OK && count > 1)
			rv_context(err, "statement %llu", (unsigned long long)i + 1);
	}
	api->destroy_extracted(&all);
	return status;
}

/* ---- files as tables ---- */

static const struct {
	const char *ending, *function;
} readers[] = {
	{ ".parquet", "read_parquet" },
	{ ".csv", "read_csv" },
	{ ".tsv", "read_csv" },
	{ ".ndjson", "read_ndjson" },
	{ ".jsonl", "read_ndjson" },
	{ ".json", "read_json" },
};

/* "/a/Page views-2026.csv.gz" -> "page_views_2026", *ret_reader by its ending. Caller frees. */
static char *view_name(const char *path, const char **ret_reader)
{
	char *name = rv_strdup(rv_path_base(path));

	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	static const char *const packings[] = { ".gz", ".zst" };

	for (size_t i = 0; i < 2; i++)
		if (rv_ends_with(name, packings[i]))
			name[strlen(name) - strlen(packings[i])] = '\0';
	*ret_reader = NULL;
	for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++) {
		if (!rv_ends_with(name, readers[i].ending))
			continue;
		*ret_reader = readers[i].function;
		name[strlen(name) - strlen(readers[i].ending)] = '\0';
		break;
	}
	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p))
			*p = '_';
	if (isdigit((unsigned char)name[0]) || !name[0]) {
		char *prefixed = rv_asprintf("_%s", name);

		free(name);
		name = prefixed;
	}
	return name;
}

/* Only these files, and nothing else from now on. */
static enum rv_status allow_files(struct rv_duckdb *d, char *const *paths, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;

	rv_strbuf_puts(&sql, "SET allowed_paths = [");
	for (size_t i = 0; i < d->params.files_count; i++) {
		if (i)
			rv_strbuf_puts(&sql, ", ");
		duck_literal(&sql, paths[i]);
	}
	rv_strbuf_putc(&sql, ']');
	return duck_run(d, sql.bytes, NULL, err);
}

static enum rv_status make_view(struct rv_duckdb *d, size_t i, const char *path,
				struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	const char *given = d->params.files[i], *reader = NULL;
	RV_CLEANUP(rv_free_p) char *name = view_name(given, &reader);

	if (!reader) {
		rv_fail(err, RV_USAGE, "%s: no kind of file is known by this name", given);
		rv_hint(err, "files are .ndjson, .jsonl, .json, .csv, .tsv or .parquet, the texts "
			     "also with .gz or .zst, and .zip with such texts in it");
		return RV_USAGE;
	}
	rv_strbuf_puts(&sql, "CREATE VIEW ");
	duck_name(&sql, name);
	rv_strbuf_printf(&sql, " AS SELECT * FROM %s(", reader);
	duck_literal(&sql, path);
	/* Else a folder called "dt=2026-11-20" takes the place of the rows' own dt. */
	rv_strbuf_puts(&sql, ", hive_partitioning = false)");
	if (duck_run(d, sql.bytes, NULL, err) != RV_OK) {
		if (strstr(err->message, "already exists"))
			err->status = RV_CONFLICT;
		else
			rv_hint(err, "it is read by %s, because of its name", reader);
		return rv_context(err, "%s", given);
	}
	if (i || strcmp(name, "t") == 0)
		return RV_OK;
	return duck_runf(d, err, "CREATE VIEW t AS SELECT * FROM \"%s\"", name);
}

static void free_paths(char ***paths)
{
	for (size_t i = 0; *paths && (*paths)[i]; i++)
		free((*paths)[i]);
	free(*paths);
}

/* By its name, or by what it begins with: an archive without the ending is one all the same. */
static bool is_archive(const char *path)
{
	char magic[4] = "";
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	size_t len = strlen(path);

	return (len > 4 && strcasecmp(path + len - 4, ".zip") == 0) ||
	       (fd >= 0 && pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
		rv_zip_detect(magic, sizeof(magic)));
}

enum rv_status duck_make_views(struct rv_duckdb *d, const char *sql, struct rv_error *err)
{
	size_t count = d->params.files_count;
	RV_CLEANUP(free_paths) char **paths = rv_calloc(count + 1, sizeof(char *));

	for (size_t i = 0; i < count; i++) {
		char real[PATH_MAX];

		if (!realpath(d->params.files[i], real))
			return rv_fail_errno(err, errno == ENOENT ? RV_NOT_FOUND : RV_LOCAL_IO,
					     "%s", d->params.files[i]);
		/* DuckDB takes these for patterns, of which the file is not the only match. */
		if (strpbrk(real, "*?["))
			return rv_fail(err, RV_USAGE, "%s: names with *, ? or [ cannot be queried",
				       d->params.files[i]);
		paths[i] = rv_strdup(real);
	}
	if (allow_files(d, paths, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < count; i++)
		if ((is_archive(paths[i]) ? duck_archive_open(d, paths[i], d->params.files[i], sql, i == 0,
							      err)
					  : make_view(d, i, paths[i], err)) != RV_OK)
			return err->status;
	return RV_OK;
}

/* ---- the operation ---- */

static enum rv_status query_entered(struct rv_duckdb *d, const char *sql, bool writable,
				    struct running *r, struct rv_error *err)
{
	if (d->params.files_count && duck_make_views(d, sql, err) != RV_OK)
		return err->status;
	/* Nothing is printed before the last statement has been looked at. With `writable` that is
	 * not possible: one may make the table the next one needs. */
	if (!writable && (duck_run(d, "SET enable_external_access = false;"
				      "SET lock_configuration = true", NULL, err) != RV_OK ||
			  each_statement(r, sql, writable, false, err) != RV_OK))
		return err->status;
	return each_statement(r, sql, writable, true, err);
}

enum rv_status duck_query(struct rv_warehouse *w, const char *sql, bool writable,
			  enum rv_status (*sink)(void *arg, const struct rv_rows *,
						 struct rv_error *err),
			  void *arg, struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	struct running r = { .d = d, .sink = sink, .arg = arg };

	/* Locking the configuration is for good, so this one is never shared with a begin. */
	if (d->held)
		rv_bug("a query inside a begin");
	if (duck_enter(d, writable, err) != RV_OK)
		return err->status;
	enum rv_status status = query_entered(d, sql, writable, &r, err);

	if (status != RV_OK) {
		duck_archive_explain(d, err);
		status = err->status;
	}
	duck_leave(d);
	return status;
}
