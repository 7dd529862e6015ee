/* Tables of a job: which members they are, how those are written, and what is kept of them. */
#include "config/job_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/cut_text.h"
#include "format/number_pattern.h"

static void copy_list(const struct rv_string_list *from, struct rv_string_list *to)
{
	for (size_t i = 0; i < from->count; i++)
		rv_string_list_add(to, from->items[i], strlen(from->items[i]));
}

void rv_job_dialect_init(struct rv_job_dialect *dialect)
{
	*dialect = (struct rv_job_dialect){ .delimiter = ',', .quote = '"', .header = true };
	rv_string_list_add(&dialect->nulls, "", 0);
}

static void copy_dialect(const struct rv_job_dialect *from, struct rv_job_dialect *to)
{
	*to = *from;
	to->names = to->nulls = (struct rv_string_list){ 0 };
	copy_list(&from->names, &to->names);
	copy_list(&from->nulls, &to->nulls);
	to->timezone = from->timezone ? rv_strdup(from->timezone) : NULL;
	to->trailer = from->trailer ? rv_strdup(from->trailer) : NULL;
}

void rv_job_dialect_release(struct rv_job_dialect *dialect)
{
	rv_string_list_release(&dialect->names);
	rv_string_list_release(&dialect->nulls);
	free(dialect->timezone);
	free(dialect->trailer);
	*dialect = (struct rv_job_dialect){ 0 };
}

void rv_job_table_release(struct rv_job_table *table)
{
	free(table->name);
	free(table->member);
	rv_job_dialect_release(&table->dialect);
	rv_string_list_release(&table->key);
	free(table->delete_column);
	free(table->delete_equals);
	for (size_t i = 0; i < table->columns_count; i++) {
		free(table->columns[i].name);
		free(table->columns[i].from);
		free(table->columns[i].format);
		free(table->columns[i].timezone);
	}
	free(table->columns);
	*table = (struct rv_job_table){ 0 };
}

/* ---- the dialect ---- */

static enum rv_status parse_zone(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				 char **ret)
{
	if (rv_def_parse_text(p, node, path, 64, ret) != RV_OK)
		return p->err->status;
	if (rv_def_is_zone(*ret))
		return RV_OK;
	rv_def_bad(p, node, "%s: '%s' is neither UTC nor an offset", path, *ret);
	rv_hint(p->err, "write UTC or +02:00; names of places change their offset and are not supported");
	return p->err->status;
}

/* "" or none: there is no such character. */
static enum rv_status parse_optional_character(struct rv_def *p, const struct rv_yaml_node *node,
					       const char *path, char *ret)
{
	if (node->kind == RV_YAML_SCALAR && (!*node->text || strcmp(node->text, "none") == 0)) {
		*ret = '\0';
		return RV_OK;
	}
	return rv_def_parse_character(p, node, path, ret);
}

/* Here the empty text and a plain null are values: what stands for null in the file. */
static enum rv_status parse_nulls(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				  struct rv_string_list *ret)
{
	bool is_list = node->kind == RV_YAML_SEQUENCE;
	size_t count = is_list ? node->count : 1;

	rv_string_list_release(ret);
	for (size_t i = 0; i < count; i++) {
		const struct rv_yaml_node *item = is_list ? node->items[i] : node;

		if (rv_def_check_kind(p, item, RV_YAML_SCALAR, path) != RV_OK)
			return p->err->status;
		if (strlen(item->text) > 64)
			return rv_def_bad(p, item, "%s: what stands for null has at most 64 bytes", path);
		if (!rv_string_list_has(ret, item->text))
			rv_string_list_add(ret, item->text, strlen(item->text));
	}
	return RV_OK;
}

/* "T|{count}", or { row: "T|{count}", counts: all }; none: there is none. */
static enum rv_status parse_trailer(struct rv_def *p, const struct rv_yaml_node *node,
				    struct rv_job_dialect *dialect)
{
	static const char *const known[] = { "row", "counts", NULL };
	static const char *const counts[] = { "rows", "all", NULL };
	const struct rv_yaml_node *row = node, *n;
	int choice = 0;

	free(rv_take(dialect->trailer));
	dialect->trailer_counts_all = false;
	if (node->kind == RV_YAML_SCALAR && strcmp(node->text, "none") == 0)
		return RV_OK;
	if (node->kind == RV_YAML_MAPPING) {
		if (rv_def_check_keys(p, node, "trailer", known) != RV_OK)
			return p->err->status;
		if (!(row = rv_def_get(node, "row")))
			return rv_def_bad(p, node, "trailer: `row`, how it is written, is missing");
		if ((n = rv_def_get(node, "counts")) &&
		    rv_def_parse_choice(p, n, "trailer.counts", counts, &choice) != RV_OK)
			return p->err->status;
		dialect->trailer_counts_all = choice == 1;
	}
	if (rv_def_parse_text(p, row, "trailer", 1024, &dialect->trailer) != RV_OK)
		return p->err->status;
	if (rv_number_pattern_is_good(dialect->trailer, "count"))
		return RV_OK;
	rv_def_bad(p, row, "trailer: '%.200s' does not say where the count is", dialect->trailer);
	rv_hint(p->err, "write {count} there, once, and * for what may be anything: \"T|{count}|*\"");
	return p->err->status;
}

enum rv_status rv_job_parse_dialect(struct rv_def *p, const struct rv_yaml_node *node,
				    const char *path, struct rv_job_dialect *dialect)
{
	static const char *const known[] = { "delimiter", "quote", "escape", "header", "names", "encoding",
					     "line_end", "null", "timezone", "trailer", NULL };
	static const char *const line_ends[] = { "any", "lf", "crlf", "cr", NULL };
	const struct rv_yaml_node *n, *null = NULL;
	int choice;

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, path) != RV_OK ||
	    rv_def_check_keys(p, node, path, known) != RV_OK)
		return p->err->status;
	null = rv_yaml_get(node, "null");
	if ((n = rv_def_get(node, "delimiter")) &&
	    rv_def_parse_character(p, n, "delimiter", &dialect->delimiter) != RV_OK)
		return p->err->status;
	if ((n = rv_yaml_get(node, "quote")) &&
	    parse_optional_character(p, n, "quote", &dialect->quote) != RV_OK)
		return p->err->status;
	if ((n = rv_yaml_get(node, "escape")) &&
	    parse_optional_character(p, n, "escape", &dialect->escape) != RV_OK)
		return p->err->status;
	if (dialect->quote == dialect->delimiter || dialect->escape == dialect->delimiter)
		return rv_def_bad(p, node, "%s: delimiter and quote or escape are the same", path);
	/* what RFC 4180 does anyhow */
	if (dialect->escape == dialect->quote)
		dialect->escape = '\0';
	if ((n = rv_def_get(node, "header")) &&
	    rv_def_parse_bool(p, n, "header", &dialect->header) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "names"))) {
		rv_string_list_release(&dialect->names);
		if (rv_def_parse_list(p, n, "names", &dialect->names) != RV_OK)
			return p->err->status;
		if (!rv_def_get(node, "header"))
			dialect->header = false;
		else if (dialect->header)
			return rv_def_bad(p, n, "names: the header has the names already");
	}
	if ((n = rv_def_get(node, "encoding"))) {
		if (rv_def_parse_choice(p, n, "encoding", rv_encoding_names, &choice) != RV_OK)
			return p->err->status;
		dialect->encoding = (enum rv_encoding)choice;
	}
	if ((n = rv_def_get(node, "line_end"))) {
		if (rv_def_parse_choice(p, n, "line_end", line_ends, &choice) != RV_OK)
			return p->err->status;
		dialect->line_end = (enum rv_job_line_end)choice;
	}
	if ((n = rv_def_get(node, "timezone")) &&
	    parse_zone(p, n, "timezone", &dialect->timezone) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "trailer")) && parse_trailer(p, n, dialect) != RV_OK)
		return p->err->status;
	return null ? parse_nulls(p, null, "null", &dialect->nulls) : RV_OK;
}

/* ---- columns ---- */

static enum rv_status parse_column(struct rv_def *p, const struct rv_yaml_node *name,
				   const struct rv_yaml_node *node, struct rv_job_table *table)
{
	static const char *const known[] = { "type", "required", "from", "format", "timezone", NULL };
	RV_CLEANUP(rv_free_p)
	char *path = rv_asprintf("tables.%s.columns.%.64s", table->name, name->text);

	if (rv_def_check_column_name(p, name, path, name->text) != RV_OK)
		return p->err->status;
	struct rv_column *column = &table->columns[table->columns_count++];

	*column = (struct rv_column){ .name = rv_strdup(name->text), .line = name->line };
	if (node->kind == RV_YAML_SCALAR) {
		/* `order_id:` alone is a text */
		if (!rv_yaml_is_null(node) && rv_def_parse_type(p, node, path, column) != RV_OK)
			return p->err->status;
	} else {
		const struct rv_yaml_node *n;

		if (rv_def_check_kind(p, node, RV_YAML_MAPPING, path) != RV_OK)
			return p->err->status;
		if (rv_def_is_cut_type(rv_yaml_get(node, "type")))
			return rv_def_parse_type(p, rv_yaml_get(node, "type"), path, column);
		if (rv_def_check_keys(p, node, path, known) != RV_OK)
			return p->err->status;
		if ((n = rv_def_get(node, "type")) && rv_def_parse_type(p, n, path, column) != RV_OK)
			return p->err->status;
		if ((n = rv_def_get(node, "required")) &&
		    rv_def_parse_bool(p, n, path, &column->required) != RV_OK)
			return p->err->status;
		if ((n = rv_def_get(node, "from")) &&
		    rv_def_parse_text(p, n, path, 1024, &column->from) != RV_OK)
			return p->err->status;
		if ((n = rv_def_get(node, "format"))) {
			if (column->type != RV_COLUMN_DATE && column->type != RV_COLUMN_TIMESTAMP)
				return rv_def_bad(p, n, "%s.format: is for date and timestamp columns", path);
			if (rv_def_parse_text(p, n, path, 200, &column->format) != RV_OK ||
			    rv_def_check_time_format(p, n, path, column->format,
						     column->type == RV_COLUMN_TIMESTAMP) != RV_OK)
				return p->err->status;
		}
		if ((n = rv_def_get(node, "timezone"))) {
			if (column->type != RV_COLUMN_TIMESTAMP)
				return rv_def_bad(p, n, "%s.timezone: is for timestamp columns", path);
			if (parse_zone(p, n, path, &column->timezone) != RV_OK)
				return p->err->status;
		}
	}
	if (column->type == RV_COLUMN_TIMESTAMP && !column->timezone && table->dialect.timezone)
		column->timezone = rv_strdup(table->dialect.timezone);
	return RV_OK;
}

/* A mapping of names to types, or a list of names, which are texts. */
static enum rv_status parse_columns(struct rv_def *p, const struct rv_yaml_node *node,
				    struct rv_job_table *table)
{
	static char string[] = "string";
	static const struct rv_yaml_node text = { .kind = RV_YAML_SCALAR, .text = string };
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("tables.%s.columns", table->name);

	if (node->kind == RV_YAML_SCALAR)
		return rv_def_check_kind(p, node, RV_YAML_MAPPING, path);
	if (node->count == 0 || node->count > RV_COLUMNS_MAX)
		return rv_def_bad(p, node, "%s: there are %zu columns; 1 to %d are possible", path,
				  node->count, RV_COLUMNS_MAX);
	table->columns = rv_calloc(node->count, sizeof(*table->columns));
	for (size_t i = 0; i < node->count; i++) {
		bool list = node->kind == RV_YAML_SEQUENCE;
		const struct rv_yaml_node *name = list ? node->items[i] : node->keys[i];

		if (rv_def_check_kind(p, name, RV_YAML_SCALAR, path) != RV_OK)
			return p->err->status;
		if (rv_job_column(table, name->text))
			return rv_def_bad(p, name, "%s: '%s' is there twice", path, name->text);
		if (parse_column(p, name, list ? &text : node->items[i], table) != RV_OK)
			return p->err->status;
	}
	return RV_OK;
}

/* ---- a table ---- */

/* What no value of the column is would never be equal: no row would be deleted, and nobody be told. */
static enum rv_status check_equals(struct rv_def *p, const struct rv_yaml_node *node,
				   const struct rv_column *column)
{
	const struct rv_str text = rv_str_of(node->text);
	char type[RV_COLUMN_TYPE_TEXT], why[RV_CUT_REASON];
	struct rv_cut_number number;
	__int128 decimal;
	int64_t value;
	bool yes, good = true;

	switch (column->type) {
	case RV_COLUMN_STRING:
	case RV_COLUMN_JSON:
		break;
	case RV_COLUMN_INTEGER:
		good = rv_cut_integer(text, &value, why);
		break;
	case RV_COLUMN_DECIMAL:
		good = rv_cut_decimal(text, column->precision, column->scale, &decimal, why);
		break;
	case RV_COLUMN_DOUBLE:
		good = rv_cut_number(text, &number, why);
		break;
	case RV_COLUMN_BOOLEAN:
		good = rv_cut_boolean(text, &yes, why);
		break;
	case RV_COLUMN_DATE:
		good = rv_cut_date(text, NULL, &value, why);
		break;
	case RV_COLUMN_TIMESTAMP:
		good = rv_cut_timestamp(text, NULL, "UTC", &value, why);
		break;
	}
	if (good)
		return RV_OK;
	rv_def_bad(p, node, "delete_when: '%.100s' %s, and %s is a %s", node->text, why, column->name,
		   rv_column_type_text(column, type));
	rv_hint(p->err, "it is compared with the column's value, not with how the file writes it: true, 1.50, "
			"2026-11-20");
	return p->err->status;
}

static enum rv_status parse_delete_when(struct rv_def *p, const struct rv_yaml_node *node,
					struct rv_job_table *table)
{
	static const char *const known[] = { "column", "equals", NULL };
	const struct rv_yaml_node *column, *equals;

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "delete_when") != RV_OK ||
	    rv_def_check_keys(p, node, "delete_when", known) != RV_OK)
		return p->err->status;
	column = rv_def_get(node, "column");
	equals = rv_def_get(node, "equals");
	if (!column || !equals || rv_def_check_kind(p, equals, RV_YAML_SCALAR, "equals") != RV_OK)
		return rv_def_bad(p, node, "delete_when: write { column: op, equals: D }");
	if (table->mode != RV_JOB_MERGE)
		return rv_def_bad(p, node, "delete_when: needs `mode: merge`");
	if (rv_def_parse_text(p, column, "delete_when.column", 63, &table->delete_column) != RV_OK ||
	    rv_job_need_column(p, table, column, "delete_when.column", table->delete_column) != RV_OK)
		return p->err->status;
	if (check_equals(p, equals, rv_job_column(table, table->delete_column)) != RV_OK)
		return p->err->status;
	table->delete_equals = rv_strdup(equals->text);
	return RV_OK;
}

static enum rv_status parse_table(struct rv_def *p, const struct rv_yaml_node *name,
				  const struct rv_yaml_node *node, const struct rv_job_dialect *dialect,
				  struct rv_job *job)
{
	static const char *const known[] = { "member", "dialect", "key", "mode", "delete_when", "optional",
					     "columns", NULL };
	static const char *const modes[] = { "append", "merge", NULL };
	struct rv_job_table *table = &job->tables[job->tables_count];
	const struct rv_yaml_node *n;
	int choice;

	if (rv_job_check_name(p, name, "tables", RV_JOB_NAME_MAX) != RV_OK)
		return p->err->status;
	if (rv_job_table(job, name->text))
		return rv_def_bad(p, name, "tables: '%s' is there twice", name->text);
	job->tables_count++;
	*table = (struct rv_job_table){ .name = rv_strdup(name->text), .line = name->line,
					.column = name->column };
	copy_dialect(dialect, &table->dialect);
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("tables.%s", table->name);

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, path) != RV_OK ||
	    rv_def_check_keys(p, node, path, known) != RV_OK)
		return p->err->status;
	n = rv_def_get(node, "member");
	if (!n) {
		rv_def_bad(p, node, "%s: which member is it?", path);
		rv_hint(p->err, "write member: \"%.60s*.csv\"", table->name);
		return p->err->status;
	}
	if (rv_def_parse_text(p, n, "member", 1024, &table->member) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "dialect")) &&
	    rv_job_parse_dialect(p, n, "dialect", &table->dialect) != RV_OK)
		return p->err->status;
	if (!table->dialect.header && !table->dialect.names.count) {
		rv_def_bad(p, name, "%s: its members have no header, so their columns need names", path);
		rv_hint(p->err, "write dialect: { names: [order_id, placed, ...] }");
		return p->err->status;
	}
	if (!(n = rv_def_get(node, "columns"))) {
		rv_def_bad(p, node, "%s: which columns are kept?", path);
		rv_hint(p->err, "write columns: { order_id: string }; --infer FILE.zip shows what there is");
		return p->err->status;
	}
	if (parse_columns(p, n, table) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "key"))) {
		if (rv_def_parse_list(p, n, "key", &table->key) != RV_OK)
			return p->err->status;
		for (size_t i = 0; i < table->key.count; i++) {
			const char *key = table->key.items[i];

			if (rv_job_need_column(p, table, n, "key", key) != RV_OK)
				return p->err->status;
			/* a row without its key is no row */
			for (size_t c = 0; c < table->columns_count; c++)
				if (strcmp(table->columns[c].name, key) == 0)
					table->columns[c].required = true;
		}
	}
	if ((n = rv_def_get(node, "mode"))) {
		if (rv_def_parse_choice(p, n, "mode", modes, &choice) != RV_OK)
			return p->err->status;
		table->mode = (enum rv_job_mode)choice;
		table->mode_said = true;
		if (table->mode == RV_JOB_MERGE && !table->key.count)
			return rv_def_bad(p, n, "mode: merge needs a key");
	}
	if ((n = rv_def_get(node, "optional")) &&
	    rv_def_parse_bool(p, n, "optional", &table->optional) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "delete_when")))
		return parse_delete_when(p, n, table);
	return RV_OK;
}

enum rv_status rv_job_parse_tables(struct rv_def *p, const struct rv_yaml_node *node,
				   const struct rv_job_dialect *dialect, struct rv_job *job)
{
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "tables") != RV_OK)
		return p->err->status;
	if (node->count == 0 || node->count > RV_JOB_TABLES_MAX)
		return rv_def_bad(p, node, "tables: there are %zu; 1 to %d are possible", node->count,
				  RV_JOB_TABLES_MAX);
	job->tables = rv_calloc(node->count, sizeof(*job->tables));
	for (size_t i = 0; i < node->count; i++)
		if (parse_table(p, node->keys[i], node->items[i], dialect, job) != RV_OK)
			return p->err->status;
	return RV_OK;
}
