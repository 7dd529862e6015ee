/* A job as a whole: its source, its loads, its limits, and what a run of it does, in words. */
#include "config/job_impl.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/number_pattern.h"

void rv_job_release(struct rv_job *job)
{
	free(job->file);
	free(job->name);
	free(job->profile);
	free(job->source);
	free(job->sequence);
	for (size_t i = 0; i < job->tables_count; i++)
		rv_job_table_release(&job->tables[i]);
	free(job->tables);
	for (size_t i = 0; i < job->loads_count; i++) {
		free(job->loads[i].schema);
		free(job->loads[i].name);
	}
	free(job->loads);
	for (size_t i = 0; i < job->documents_count; i++)
		rv_job_document_release(&job->documents[i]);
	free(job->documents);
	*job = (struct rv_job){ 0 };
}

const struct rv_job_table *rv_job_table(const struct rv_job *job, const char *name)
{
	for (size_t i = 0; i < job->tables_count; i++)
		if (strcmp(job->tables[i].name, name) == 0)
			return &job->tables[i];
	return NULL;
}

const struct rv_column *rv_job_column(const struct rv_job_table *table, const char *name)
{
	for (size_t i = 0; i < table->columns_count; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	return NULL;
}

bool rv_job_has_parquet(const struct rv_job *job)
{
	for (size_t i = 0; i < job->loads_count; i++)
		if (job->loads[i].format == RV_JOB_PARQUET)
			return true;
	return false;
}

bool rv_job_member_is(const struct rv_job_table *table, const char *member)
{
	return fnmatch(table->member, member, FNM_PATHNAME | FNM_NOESCAPE) == 0 ||
	       fnmatch(table->member, rv_path_base(member), FNM_PATHNAME | FNM_NOESCAPE) == 0;
}

/* ---- pieces the other files use as well ---- */

enum rv_status rv_job_check_name(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				 size_t max)
{
	const char *s = node->kind == RV_YAML_SCALAR ? node->text : "";
	size_t len = strlen(s);

	if (len >= 1 && len <= max && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == len &&
	    !(s[0] >= '0' && s[0] <= '9'))
		return RV_OK;
	rv_def_bad(p, node, "%s: '%.100s' is not a name", path, s);
	rv_hint(p->err, "lower case letters, digits and _, at most %zu, no digit first", max);
	return p->err->status;
}

enum rv_status rv_job_find_table(struct rv_def *p, const struct rv_job *job,
				 const struct rv_yaml_node *node, const char *path, size_t *ret)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	const struct rv_job_table *table = rv_job_table(job, node->text);

	if (table) {
		*ret = (size_t)(table - job->tables);
		return RV_OK;
	}
	RV_CLEANUP(rv_free_p) const char **names = rv_calloc(job->tables_count + 1, sizeof(*names));

	for (size_t i = 0; i < job->tables_count; i++)
		names[i] = job->tables[i].name;
	rv_def_bad(p, node, "%s: there is no table '%.100s'", path, node->text);
	const char *near = rv_nearest(node->text, names);

	if (near)
		rv_hint(p->err, "did you mean '%s'?", near);
	return p->err->status;
}

enum rv_status rv_job_need_column(struct rv_def *p, const struct rv_job_table *table,
				  const struct rv_yaml_node *node, const char *path, const char *name)
{
	if (rv_job_column(table, name))
		return RV_OK;
	RV_CLEANUP(rv_free_p) const char **names = rv_calloc(table->columns_count + 1, sizeof(*names));

	for (size_t i = 0; i < table->columns_count; i++)
		names[i] = table->columns[i].name;
	rv_def_bad(p, node, "%s: the table %s keeps no column '%.100s'", path, table->name, name);
	const char *near = rv_nearest(name, names);

	if (near)
		rv_hint(p->err, "did you mean '%s'?", near);
	return p->err->status;
}

enum rv_status rv_job_parse_compression(struct rv_def *p, const struct rv_yaml_node *node,
					const char *path, enum rv_output_compression *ret)
{
	static const char *const words[] = { "zstd", "gzip", "gzip:small", "none", NULL };
	int choice;

	if (rv_def_parse_choice(p, node, path, words, &choice) != RV_OK)
		return p->err->status;
	*ret = (enum rv_output_compression)choice;
	return RV_OK;
}

/* ---- loads ---- */

static bool is_identifier(const char *s, size_t len)
{
	return len >= 1 && len <= 63 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") >= len &&
	       !(s[0] >= '0' && s[0] <= '9');
}

enum rv_status rv_job_check_schema(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				   const char *schema)
{
	if (rv_starts_with(schema, "_river"))
		return rv_def_bad(p, node, "%s: the schema %s is river's own", path, schema);
	if (!rv_def_schema_is_taken(schema))
		return RV_OK;
	rv_def_bad(p, node, "%s: there can be no schema %s", path, schema);
	rv_hint(p->err, RV_DEF_SCHEMAS_TAKEN);
	return p->err->status;
}

/* "table dw.orders", "stream dw/orders", "lake" */
static enum rv_status parse_to(struct rv_def *p, const struct rv_yaml_node *node, struct rv_job *job,
			       struct rv_job_load *load)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, "to") != RV_OK)
		return p->err->status;
	const char *s = node->text;

	if (strcmp(s, "lake") == 0)
		return RV_OK;
	if (rv_starts_with(s, "table ")) {
		s = rv_def_skip_spaces(s + 6);
		const char *point = strchr(s, '.');
		size_t len = point ? (size_t)(point - s) : 0;

		if (point && is_identifier(s, len) && is_identifier(point + 1, strlen(point + 1))) {
			load->to = RV_JOB_TO_TABLE;
			load->schema = rv_strndup(s, len);
			load->name = rv_strdup(point + 1);
			if (rv_job_check_schema(p, node, "to", load->schema) != RV_OK)
				return p->err->status;
		}
	} else if (rv_starts_with(s, "stream ")) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
		struct rv_error ignored = RV_ERROR_INIT;

		s = rv_def_skip_spaces(s + 7);
		rv_stream_init(&stream);
		if (rv_stream_parse_name(s, &stream, &ignored) == RV_OK) {
			char text[RV_STREAM_TEXT];

			load->to = RV_JOB_TO_STREAM;
			load->name = rv_strdup(rv_stream_text(&stream, text));
		}
	}
	if (load->to == RV_JOB_TO_LAKE) {
		rv_def_bad(p, node, "to: '%.100s' is not a place rows can go to", node->text);
		rv_hint(p->err, "write `table dw.orders`, `stream dw/orders` or `lake`");
		return p->err->status;
	}
	for (size_t i = 0; i + 1 < job->loads_count; i++) {
		const struct rv_job_load *other = &job->loads[i];

		if (other->to == load->to && strcmp(other->name, load->name) == 0 &&
		    (!load->schema || strcmp(other->schema, load->schema) == 0))
			return rv_def_bad(p, node, "to: the rows of %s go there already",
					  job->tables[other->table].name);
	}
	return RV_OK;
}

static enum rv_status parse_format(struct rv_def *p, const struct rv_yaml_node *node,
				   struct rv_job_load *load)
{
	static const char *const formats[] = { "ndjson", "csv", "parquet", NULL };
	int choice;

	if (rv_def_parse_choice(p, node, "format", formats, &choice) != RV_OK)
		return p->err->status;
	load->format = (enum rv_job_format)choice;
	if (load->to == RV_JOB_TO_STREAM && load->format != RV_JOB_NDJSON)
		return rv_def_bad(p, node, "format: records of a stream are ndjson");
	if (load->to == RV_JOB_TO_TABLE && load->format != RV_JOB_NDJSON) {
		rv_def_bad(p, node, "format: a table is loaded from ndjson, which %s",
			   load->format == RV_JOB_CSV ? "says what is null" : "keeps how numbers are written");
		rv_hint(p->err, "%s is for `to: lake`", formats[load->format]);
		return p->err->status;
	}
	return RV_OK;
}

/* Where numbers become doubles: in files of Parquet, and in tables. A row is right or not for all that is made of
 * it. */
static void mark_exact(struct rv_job *job)
{
	for (size_t i = 0; i < job->loads_count; i++) {
		const struct rv_job_load *load = &job->loads[i];
		const struct rv_job_table *table = &job->tables[load->table];

		for (size_t c = 0; c < table->columns_count; c++)
			if (load->to == RV_JOB_TO_TABLE || load->format == RV_JOB_PARQUET)
				table->columns[c].exact = true;
	}
}

static enum rv_status parse_pages(struct rv_def *p, const struct rv_yaml_node *node,
				  enum rv_job_pages *ret)
{
	static const char *const words[] = { "zstd", "snappy", "gzip", "none", NULL };
	int choice;

	if (rv_def_parse_choice(p, node, "compression", words, &choice) != RV_OK)
		return p->err->status;
	*ret = (enum rv_job_pages)choice;
	return RV_OK;
}

static enum rv_status parse_load(struct rv_def *p, const struct rv_yaml_node *name,
				 const struct rv_yaml_node *node, struct rv_job *job)
{
	static const char *const known[] = { "to", "format", "compression", NULL };
	struct rv_job_load *load = &job->loads[job->loads_count];
	const struct rv_yaml_node *n;

	*load = (struct rv_job_load){ .line = name->line, .column = name->column };
	job->loads_count++;
	if (rv_job_find_table(p, job, name, "loads", &load->table) != RV_OK ||
	    rv_def_check_kind(p, node, RV_YAML_MAPPING, "loads") != RV_OK ||
	    rv_def_check_keys(p, node, "loads", known) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "to")) && parse_to(p, n, job, load) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "format")) && parse_format(p, n, load) != RV_OK)
		return p->err->status;
	if (!(n = rv_def_get(node, "compression")))
		return RV_OK;
	if (load->to == RV_JOB_TO_STREAM)
		return rv_def_bad(p, n, "compression: a stream has its own");
	return load->format == RV_JOB_PARQUET
		       ? parse_pages(p, n, &load->pages)
		       : rv_job_parse_compression(p, n, "compression", &load->compression);
}

/* ---- source and limits ---- */

/* Which number an extract has, and what becomes of those behind one that is missing. */
static enum rv_status parse_sequence(struct rv_def *p, const struct rv_yaml_node *node, struct rv_job *job)
{
	static const char *const words[] = { "hold", "take", NULL };
	const struct rv_yaml_node *n = rv_def_get(node, "sequence"), *gaps = rv_def_get(node, "gaps");
	int choice;

	if (n) {
		if (rv_def_parse_text(p, n, "source.sequence", 1024, &job->sequence) != RV_OK)
			return p->err->status;
		if (!rv_number_pattern_is_good(job->sequence, "number")) {
			rv_def_bad(p, n, "source.sequence: '%.200s' does not say where the number is", job->sequence);
			rv_hint(p->err, "write {number} there, once, and * for what may be anything: \"ext-{number}*.zip\"");
			return p->err->status;
		}
	}
	if (!job->sequence && job->source_order == RV_JOB_ORDER_NUMBER) {
		rv_def_bad(p, rv_def_get(node, "order"), "source.order: number needs `sequence`, which says where it is");
		rv_hint(p->err, "write sequence: \"ext-{number}.zip\"");
		return p->err->status;
	}
	if (!gaps)
		return RV_OK;
	if (!job->sequence)
		return rv_def_bad(p, gaps, "source.gaps: is for a source with a `sequence`");
	if (rv_def_parse_choice(p, gaps, "source.gaps", words, &choice) != RV_OK)
		return p->err->status;
	job->gaps = choice == 1;
	return RV_OK;
}

static enum rv_status parse_source(struct rv_def *p, const struct rv_yaml_node *node,
				   struct rv_job *job)
{
	static const char *const known[] = { "path", "order", "sequence", "gaps", NULL };
	static const char *const orders[] = { "name", "time", "number", NULL };
	const struct rv_yaml_node *n;
	RV_CLEANUP(rv_free_p) char *path = NULL;
	int choice;

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "source") != RV_OK ||
	    rv_def_check_keys(p, node, "source", known) != RV_OK)
		return p->err->status;
	if (!(n = rv_def_get(node, "path")))
		return rv_def_bad(p, node, "source: `path` is missing");
	if (rv_def_parse_text(p, n, "source.path", 4000, &path) != RV_OK)
		return p->err->status;
	if (rv_starts_with(path, "s3://")) {
		if (!strchr(path + 5, '/') || path[5] == '/') {
			rv_def_bad(p, n, "source.path: '%.200s' names no object", path);
			rv_hint(p->err, "write s3://bucket/prefix/*.zip");
			return p->err->status;
		}
		job->source = rv_take(path);
	} else if (path[0] == '/') {
		job->source = rv_take(path);
	} else {
		RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(job->file);
		RV_CLEANUP(rv_free_p) char *joined = rv_path_join(folder, path);

		/* cron's working directory is not the one the file was written in */
		job->source = rv_path_absolute(joined);
	}
	if ((n = rv_def_get(node, "order"))) {
		if (rv_def_parse_choice(p, n, "source.order", orders, &choice) != RV_OK)
			return p->err->status;
		job->source_order = (enum rv_job_source_order)choice;
	}
	return parse_sequence(p, node, job);
}

static enum rv_status parse_number(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				   uint64_t least, uint64_t *ret)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	if (!rv_parse_u64(node->text, strlen(node->text), ret) || *ret < least)
		return rv_def_bad(p, node, "%s: '%.100s' is not a number from %" PRIu64, path, node->text,
				  least);
	return RV_OK;
}

static enum rv_status parse_size(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				 uint64_t most, uint64_t *ret)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	if (rv_parse_size(node->text, ret) && *ret > 0 && *ret <= most)
		return RV_OK;
	rv_def_bad(p, node, "%s: '%.100s' is not a size that can be", path, node->text);
	rv_hint(p->err, "write 64MiB, 200GiB or a number of bytes");
	return p->err->status;
}

static enum rv_status parse_limits(struct rv_def *p, const struct rv_yaml_node *node,
				   struct rv_job *job)
{
	static const char *const known[] = { "max_rejects", "max_bytes", "max_ratio", "max_entries",
					     "max_row", NULL };
	const struct rv_yaml_node *n;

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "limits") != RV_OK ||
	    rv_def_check_keys(p, node, "limits", known) != RV_OK)
		return p->err->status;
	if (((n = rv_def_get(node, "max_rejects")) &&
	     parse_number(p, n, "limits.max_rejects", 0, &job->max_rejects) != RV_OK) ||
	    ((n = rv_def_get(node, "max_bytes")) &&
	     parse_size(p, n, "limits.max_bytes", UINT64_MAX, &job->max_bytes) != RV_OK) ||
	    ((n = rv_def_get(node, "max_ratio")) &&
	     parse_number(p, n, "limits.max_ratio", 1, &job->max_ratio) != RV_OK) ||
	    ((n = rv_def_get(node, "max_entries")) &&
	     parse_number(p, n, "limits.max_entries", 1, &job->max_entries) != RV_OK) ||
	    ((n = rv_def_get(node, "max_row")) &&
	     parse_size(p, n, "limits.max_row", 128u << 20, &job->max_row_bytes) != RV_OK))
		return p->err->status;
	return RV_OK;
}

/* ---- the whole ---- */

/* "orders" of ".../orders.yaml"; NULL when that is no name. */
static char *name_of_file(const char *file)
{
	const char *base = rv_path_base(file), *point = strrchr(base, '.');
	size_t len = point ? (size_t)(point - base) : strlen(base);
	char *name = rv_strndup(base, len);

	for (char *c = name; *c; c++)
		if (*c == '-' || *c == '.' || *c == ' ')
			*c = '_';
		else if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return name;
}

static enum rv_status parse_root(struct rv_def *p, const struct rv_yaml_node *root, struct rv_job *job)
{
	static const char *const known[] = { "job", "profile", "source", "dialect", "tables", "loads",
					     "documents", "limits", "deadline", NULL };
	struct rv_job_dialect dialect;
	const struct rv_yaml_node *n;

	if (rv_def_check_kind(p, root, RV_YAML_MAPPING, "job") != RV_OK ||
	    rv_def_check_keys(p, root, "", known) != RV_OK)
		return p->err->status;
	job->max_row_bytes = 16u << 20;
	n = rv_def_get(root, "job");
	RV_CLEANUP(rv_free_p) char *by_file = name_of_file(job->file);
	struct rv_yaml_node name = { .kind = RV_YAML_SCALAR, .line = root->line, .column = root->column,
				     .text = by_file };

	if (rv_job_check_name(p, n ? n : &name, "job", RV_JOB_NAME_MAX) != RV_OK)
		return p->err->status;
	job->name = rv_strdup(n ? n->text : by_file);
	if ((n = rv_def_get(root, "profile")) &&
	    rv_def_parse_text(p, n, "profile", 64, &job->profile) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(root, "source")) && parse_source(p, n, job) != RV_OK)
		return p->err->status;
	if (!(n = rv_def_get(root, "tables")))
		return rv_def_bad(p, root, "`tables` is missing");
	const struct rv_yaml_node *said = rv_def_get(root, "dialect");

	rv_job_dialect_init(&dialect);
	if ((said && rv_job_parse_dialect(p, said, "dialect", &dialect) != RV_OK) ||
	    rv_job_parse_tables(p, n, &dialect, job) != RV_OK) {
		rv_job_dialect_release(&dialect);
		return p->err->status;
	}
	rv_job_dialect_release(&dialect);
	if ((n = rv_def_get(root, "loads"))) {
		if (rv_def_check_kind(p, n, RV_YAML_MAPPING, "loads") != RV_OK)
			return p->err->status;
		job->loads = rv_calloc(n->count, sizeof(*job->loads));
		for (size_t i = 0; i < n->count; i++)
			if (parse_load(p, n->keys[i], n->items[i], job) != RV_OK)
				return p->err->status;
	}
	if ((n = rv_def_get(root, "documents")) && rv_job_parse_documents(p, n, job) != RV_OK)
		return p->err->status;
	if (rv_job_keep_histories(p, job) != RV_OK)
		return p->err->status;
	mark_exact(job);
	if (!job->loads_count && !job->documents_count) {
		rv_def_bad(p, root, "the job has neither `loads` nor `documents`: it would do nothing");
		rv_hint(p->err, "write loads: { %s: { to: lake } }", job->tables[0].name);
		return p->err->status;
	}
	if ((n = rv_def_get(root, "limits")) && parse_limits(p, n, job) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(root, "deadline")))
		return rv_def_parse_duration(p, n, "deadline", (int64_t)366 * 86400000, &job->deadline_ms);
	return RV_OK;
}

static enum rv_status parse_documents(const char *file, const struct rv_yaml_documents *documents,
				      struct rv_job *ret, struct rv_error *err)
{
	struct rv_def p = { .file = file, .err = err };
	struct rv_job job = { .file = rv_strdup(file) };

	if (documents->count != 1) {
		rv_fail(err, RV_BAD_CONFIG, "a job file holds one job, not %zu", documents->count);
		rv_error_at(err, file, 0, 0);
	} else if (parse_root(&p, documents->roots[0], &job) == RV_OK) {
		*ret = job;
		return RV_OK;
	}
	rv_job_release(&job);
	return err->status;
}

enum rv_status rv_job_parse(const char *file, const char *text, size_t len, struct rv_job *ret,
			    struct rv_error *err)
{
	struct rv_yaml_documents documents;

	if (rv_yaml_parse(file, text, len, &documents, err) != RV_OK)
		return err->status;
	enum rv_status status = parse_documents(file, &documents, ret, err);

	rv_yaml_release(&documents);
	return status;
}

enum rv_status rv_job_read(const char *file, struct rv_job *ret, struct rv_error *err)
{
	struct rv_yaml_documents documents;

	if (rv_yaml_read(file, NULL, &documents, err) != RV_OK)
		return err->status;
	enum rv_status status = parse_documents(file, &documents, ret, err);

	rv_yaml_release(&documents);
	return status;
}

/* ---- in words ---- */

static void explain_nests(const struct rv_job *job, const struct rv_job_nest *nests, size_t count,
			  unsigned depth, struct rv_strbuf *sb)
{
	for (size_t i = 0; i < count; i++) {
		const struct rv_job_nest *nest = &nests[i];

		rv_strbuf_printf(sb, "%*s%s: %s %s by ", (int)(4 + 2 * depth), "", nest->field,
				 nest->many ? "the rows of" : "the one row of",
				 job->tables[nest->table].name);
		for (size_t k = 0; k < nest->on_count; k++)
			rv_strbuf_printf(sb, "%s%s", k ? ", " : "", nest->on[k].child);
		for (size_t k = 0; k < nest->order_by_count; k++)
			rv_strbuf_printf(sb, "%s%s%s", k ? ", " : ", ordered by ",
					 nest->order_by[k].column,
					 nest->order_by[k].descending ? " desc" : "");
		rv_strbuf_putc(sb, '\n');
		explain_nests(job, nest->nests, nest->nests_count, depth + 1, sb);
	}
}

static void explain_load(const struct rv_job *job, const struct rv_job_load *load, struct rv_strbuf *sb)
{
	static const char *const formats[] = { "ndjson", "csv", "parquet" };
	static const char *const compressions[] = { "zstd", "gzip", "gzip:small", "none" };
	static const char *const pages[] = { "zstd", "snappy", "gzip", "none" };
	const struct rv_job_table *table = &job->tables[load->table];

	rv_strbuf_printf(sb, "  %s: ", table->name);
	if (load->to == RV_JOB_TO_STREAM) {
		rv_strbuf_printf(sb, "records of the stream %s\n", load->name);
		return;
	}
	rv_strbuf_printf(sb, "loads/%s/<extract>/%s-*, %s, %s", job->name, table->name,
			 formats[load->format],
			 load->format == RV_JOB_PARQUET ? pages[load->pages] : compressions[load->compression]);
	if (load->to == RV_JOB_TO_TABLE)
		rv_strbuf_printf(sb, "; %s the table %s.%s%s",
				 table->mode == RV_JOB_MERGE ? "merged into" : "appended to", load->schema,
				 load->name, load->kept ? ", kept for documents" : "");
	rv_strbuf_putc(sb, '\n');
}

void rv_job_explain(const struct rv_job *job, struct rv_strbuf *sb)
{
	static const char *const units[] = { "day", "week", "month", "year" };
	static const char *const orders[] = { "name", "time", "number" };
	char type[RV_COLUMN_TYPE_TEXT];

	rv_strbuf_printf(sb, "job %s", job->name);
	if (job->source)
		rv_strbuf_printf(sb, ": extracts %s, by %s", job->source, orders[job->source_order]);
	if (job->sequence)
		rv_strbuf_printf(sb, "; %s, %s", job->sequence,
				 job->gaps ? "missing ones are told" : "those behind a missing one wait for it");
	rv_strbuf_puts(sb, "\ntables\n");
	for (size_t i = 0; i < job->tables_count; i++) {
		const struct rv_job_table *table = &job->tables[i];

		rv_strbuf_printf(sb, "  %s: members %s%s;", table->name, table->member,
				 table->optional ? " (may be missing)" : "");
		if (table->dialect.trailer)
			rv_strbuf_printf(sb, " the last row is %s;", table->dialect.trailer);
		for (size_t c = 0; c < table->columns_count; c++)
			rv_strbuf_printf(sb, "%s%s %s", c ? ", " : " ", table->columns[c].name,
					 rv_column_type_text(&table->columns[c], type));
		for (size_t k = 0; k < table->key.count; k++)
			rv_strbuf_printf(sb, "%s%s", k ? ", " : "; key ", table->key.items[k]);
		if (table->delete_column)
			rv_strbuf_printf(sb, "; deleted when %s is %s", table->delete_column,
					 table->delete_equals);
		rv_strbuf_putc(sb, '\n');
	}
	if (job->loads_count)
		rv_strbuf_puts(sb, "loads\n");
	for (size_t i = 0; i < job->loads_count; i++)
		explain_load(job, &job->loads[i], sb);
	if (job->documents_count)
		rv_strbuf_puts(sb, "documents\n");
	for (size_t i = 0; i < job->documents_count; i++) {
		const struct rv_job_document *document = &job->documents[i];

		rv_strbuf_printf(sb, "  %s: one for each row of %s, from %s, to %s%s", document->name,
				 job->tables[document->root].name,
				 document->scope == RV_JOB_SCOPE_EXTRACT ? "the extract alone"
									 : "all extracts so far",
				 document->dynamodb ? "the DynamoDB table " : "the lake",
				 document->dynamodb ? document->dynamodb : "");
		if (document->ttl_attribute)
			rv_strbuf_printf(sb, "; %s is %u %s%s after %s", document->ttl_attribute,
					 document->ttl_count, units[document->ttl_unit],
					 document->ttl_count == 1 ? "" : "s",
					 document->ttl_from ? document->ttl_from : "the extract's time");
		rv_strbuf_putc(sb, '\n');
		explain_nests(job, document->nests, document->nests_count, 0, sb);
	}
}
