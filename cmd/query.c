/* `river query`: SQL on the profile's warehouse, or over files. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "context.h"
#include "flow/load.h"
#include "query_explain.h"
#include "warehouse/rows.h"

#define SQL_MAX_BYTES (64u << 20)
/* Rows of a text table that are measured, then printed; columns only grow from one lot to the next. */
#define MEASURED_ROWS 1000
/* A wider value of a text table is cut, when it goes to a terminal. */
#define CELL_MIN 16

struct query_options {
	const char *file, *business;
	struct rv_opt_list from;
	bool write, load;
};

static const struct rv_opt query_options_table[] = {
	OPT_STRING(struct query_options, 'f', "file", file, "file", "read the SQL from this file",
		   .complete = RV_COMPLETE_FILE),
	OPT_LIST(struct query_options, 0, "from", from, "file",
		 "query this file as a table, without any warehouse",
		 .complete = RV_COMPLETE_FILE),
	OPT_STRING(struct query_options, 0, "business", business, "name",
		   "ask the account of this business, where it has one of its own"),
	OPT_FLAG(struct query_options, 0, "write", write, "allow statements that change data"),
	OPT_FLAG(struct query_options, 0, "load", load, "load what is pending first",
		 .def = "yes"),
	OPT_END
};

/* ---- results ---------------------------------------------------------------------------------- */

struct printing {
	struct rv_command_context *cx;
	struct rv_strbuf text;
	/* Text tables: cells of the next rows, until their widths are known. */
	struct rv_strbuf cells;        /* each ended by NUL */
	size_t held;                   /* rows in `cells` */
	size_t *widths;
	bool *right;
	size_t columns;
	size_t results;
};

static void printing_release(struct printing *p)
{
	rv_strbuf_release(&p->text);
	rv_strbuf_release(&p->cells);
	free(p->widths);
	free(p->right);
}

/* Columns on a screen, where each character takes one. */
static size_t width_of(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static void put_cell(struct printing *p, size_t column, const char *cell, bool last)
{
	size_t len = strlen(cell), width = width_of(cell, len), most = p->widths[column];
	size_t pad = width < most ? most - width : 0;

	if (width > most && rv_out_is_terminal(p->cx->out)) {
		size_t n = 0, keep = 0;

		for (; n < most - 1 && cell[keep]; n++)
			do
				keep++;
			while (((unsigned char)cell[keep] & 0xc0) == 0x80);
		rv_strbuf_add(&p->text, cell, keep);
		rv_strbuf_puts(&p->text, "\xe2\x80\xa6");
		pad = 0;
	} else if (p->right[column]) {
		rv_strbuf_printf(&p->text, "%*s%s", (int)pad, "", cell);
		pad = 0;
	} else {
		rv_strbuf_add(&p->text, cell, len);
	}
	if (!last)
		rv_strbuf_printf(&p->text, "%*s", (int)pad + 2, "");
}

/* Makes the widest columns narrower until a row fits the terminal. */
static void fit_widths(struct printing *p)
{
	if (!rv_out_is_terminal(p->cx->out))
		return;
	size_t room = (size_t)rv_out_width(p->cx->out), total = 2 * (p->columns - 1);

	for (size_t i = 0; i < p->columns; i++)
		total += p->widths[i];
	while (total > room) {
		size_t widest = 0;

		for (size_t i = 1; i < p->columns; i++)
			if (p->widths[i] > p->widths[widest])
				widest = i;
		if (p->widths[widest] <= CELL_MIN)
			return;
		p->widths[widest]--;
		total--;
	}
}

static void print_held(struct printing *p)
{
	const char *cell = p->cells.bytes;

	/* No result has begun: the first one comes, or the statement had none, or it failed. */
	if (!p->columns)
		return;
	fit_widths(p);
	for (size_t row = 0; row < p->held; row++) {
		for (size_t i = 0; i < p->columns; i++) {
			put_cell(p, i, cell, i + 1 == p->columns);
			cell += strlen(cell) + 1;
		}
		rv_strbuf_putc(&p->text, '\n');
	}
	rv_out_write(p->cx->out, p->text.bytes, p->text.len);
	rv_strbuf_clear(&p->text);
	rv_strbuf_clear(&p->cells);
	p->held = 0;
}

static void hold_cell(struct printing *p, size_t column, struct rv_str text)
{
	size_t start = p->cells.len;

	rv_text_clean(&p->cells, text.p, text.len);
	size_t width = width_of(p->cells.bytes + start, p->cells.len - start);

	if (width > p->widths[column])
		p->widths[column] = width;
	rv_strbuf_putc(&p->cells, '\0');
}

static void begin_table(struct printing *p, const struct rv_rows *rows)
{
	if (p->results)
		rv_strbuf_putc(&p->text, '\n');
	p->columns = rows->columns_count;
	free(p->widths);
	free(p->right);
	p->widths = rv_calloc(p->columns, sizeof(*p->widths));
	p->right = rv_calloc(p->columns, sizeof(*p->right));
	for (size_t i = 0; i < p->columns; i++) {
		p->right[i] = rv_rows_is_number(&rows->columns[i]);
		hold_cell(p, i, rv_str_of(rows->columns[i].name));
	}
	p->held = 1;
}

static void print_text(struct printing *p, const struct rv_rows *rows)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf value = RV_STRBUF_INIT;

	for (size_t row = 0; row < rows->count; row++) {
		for (size_t i = 0; i < rows->columns_count; i++) {
			rv_strbuf_clear(&value);
			rv_rows_text(&rows->columns[i], row, &value);
			hold_cell(p, i, (struct rv_str){ value.bytes, value.len });
		}
		if (++p->held > MEASURED_ROWS)
			print_held(p);
	}
}

static enum rv_status print_rows(void *arg, const struct rv_rows *rows, struct rv_error *err)
{
	struct printing *p = arg;
	struct rv_out *out = p->cx->out;
	bool first = rows->count == 0; /* each result begins with a batch of none */

	if (rv_out_format(out) == RV_OUT_TEXT) {
		if (first) {
			print_held(p);
			begin_table(p, rows);
			p->results++;
		}
		print_text(p, rows);
	} else {
		if (rv_out_format(out) == RV_OUT_JSON)
			rv_rows_json(rows, &p->text);
		else if (first)
			rv_rows_csv_header(rows, &p->text);
		else
			rv_rows_csv(rows, &p->text);
		rv_out_write(out, p->text.bytes, p->text.len);
		rv_strbuf_clear(&p->text);
	}
	/* Nobody reads on: the query need not go on either. */
	return rv_out_failed(out) ? rv_fail(err, RV_LOCAL_IO, "standard output is closed") : RV_OK;
}

/* ---- loading first ---------------------------------------------------------------------------- */

static bool show_load(void *arg, uint64_t rows, uint64_t bytes)
{
	rv_progress_update(arg, rv_clock_monotonic_ms(), bytes, 0, rows);
	return !rv_stop_signal();
}

/* What is loaded is worth asking all the same, but nobody may take it for all there is. */
static void keep_unloaded(const struct rv_load_sum *sum, struct rv_error *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	if (sum->streams_failed)
		rv_strbuf_printf(&text, "%" PRIu64 " stream%s could not be loaded; first %.400s",
				 sum->streams_failed, sum->streams_failed == 1 ? "" : "s",
				 sum->first_stream_failed);
	if (sum->failed)
		rv_strbuf_printf(&text, "%s%" PRIu64 " object%s could not be loaded; first %.400s",
				 text.len ? "; " : "", sum->failed, sum->failed == 1 ? "" : "s",
				 sum->first_failed);
	if (!text.len)
		return;
	rv_fail(ret, RV_PARTIAL, "records may be missing in the result: %s", text.bytes);
	rv_hint(ret, "'river status' has all of them; --no-load asks what is loaded and nothing else");
}

static enum rv_status load_pending(struct rv_store *lake, struct rv_warehouse *warehouse,
				   struct rv_error *ret_unloaded, struct rv_error *err)
{
	struct rv_load_sum sum = { 0 };
	struct rv_progress progress;

	rv_progress_start(&progress, "load", rv_clock_monotonic_ms());
	enum rv_status status = rv_load_all(lake, warehouse, show_load, &progress, &sum, err);

	rv_progress_end(&progress);
	keep_unloaded(&sum, ret_unloaded);
	if (sum.objects)
		rv_verbose("loaded %llu objects, %llu rows", (unsigned long long)sum.objects,
			   (unsigned long long)sum.rows);
	if (status == RV_OK && rv_stop_signal())
		return rv_fail(err, RV_FAILED, "interrupted");
	return status;
}

/* ---- the command ------------------------------------------------------------------------------ */

static bool is_file(const char *path)
{
	struct stat st;

	return strlen(path) < 4096 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* With --from, operands that are files are more of them; what is left is the SQL. */
static enum rv_status sort_operands(const struct query_options *o, int count, char **operands,
				    const char **files, size_t *files_count, const char **ret_sql,
				    struct rv_error *err)
{
	*ret_sql = NULL;
	for (size_t i = 0; i < o->from.count; i++)
		files[(*files_count)++] = o->from.items[i];
	for (int i = 0; i < count; i++) {
		if (*files_count && is_file(operands[i]))
			files[(*files_count)++] = operands[i];
		else if (!*ret_sql)
			*ret_sql = operands[i];
		else
			return rv_fail(err, RV_USAGE, "unexpected argument '%s'", operands[i]);
	}
	if (*ret_sql && o->file)
		return rv_fail(err, RV_USAGE, "SQL is given twice, by --file and as an argument");
	if (!*ret_sql && !o->file) {
		rv_fail(err, RV_USAGE, "no SQL given");
		rv_hint(err, "quote it as one argument, or give - to read standard input");
		return RV_USAGE;
	}
	return RV_OK;
}

static enum rv_status read_sql(const char *path, struct rv_strbuf *sql, struct rv_error *err)
{
	enum rv_status status = rv_read_file(path, SQL_MAX_BYTES, sql, err);

	if (status == RV_OK && memchr(sql->bytes, 0, sql->len))
		status = rv_fail(err, RV_USAGE, "%s holds a NUL byte", path);
	return status;
}

static enum rv_status enter_business(struct rv_command_context *cx, const char *business,
				     struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *any = rv_asprintf("%s/any", business);

	if (!rv_profile_has_business(cx->profile, business)) {
		rv_fail(err, RV_USAGE, "business '%s' has nothing of its own in profile %s", business,
			cx->profile->name);
		rv_hint(err, "businesses of the profile names those that have; the others are asked "
			"without --business");
		return RV_USAGE;
	}
	return rv_wire_business(cx, any, err);
}

static enum rv_status query_run(struct rv_command_context *cx, void *options, int operands_count,
				char **operands, struct rv_error *err)
{
	const struct query_options *o = options;
	RV_CLEANUP(printing_release) struct printing p = {
		.cx = cx, .text = RV_STRBUF_INIT, .cells = RV_STRBUF_INIT };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_store_free_p) struct rv_store *lake = NULL;
	RV_CLEANUP(rv_warehouse_free_p) struct rv_warehouse *warehouse = NULL;
	RV_CLEANUP(rv_free_p) const char **files =
		rv_calloc(o->from.count + (size_t)operands_count + 1, sizeof(*files));
	size_t files_count = 0;
	const char *sql = NULL;
	struct rv_error unloaded = RV_ERROR_INIT;

	if (sort_operands(o, operands_count, operands, files, &files_count, &sql, err) != RV_OK)
		return err->status;
	if (o->file || strcmp(sql, "-") == 0) {
		const char *path = o->file && strcmp(o->file, "-") ? o->file : "/dev/stdin";

		if (read_sql(path, &text, err) != RV_OK)
			return err->status;
		sql = text.bytes;
	}
	if (files_count) {
		if (o->write)
			return rv_fail(err, RV_USAGE, "--write and --from do not go together");
		if (o->business)
			return rv_fail(err, RV_USAGE, "--business and --from do not go together: files belong to nobody");
		if (rv_wire_files(files, files_count, &warehouse, err) != RV_OK)
			return err->status;
	} else if ((o->business && enter_business(cx, o->business, err) != RV_OK) ||
		   rv_wire_lake(cx->profile, &lake, err) != RV_OK ||
		   rv_wire_warehouse(cx->profile, lake, &warehouse, err) != RV_OK ||
		   (o->load && load_pending(lake, warehouse, &unloaded, err) != RV_OK)) {
		return err->status;
	}
	enum rv_status status = warehouse->ops->query(warehouse, sql, o->write, print_rows, &p, err);

	if (status != RV_OK)
		river_query_explain(files_count ? NULL : lake, sql, err);
	if (rv_out_format(cx->out) == RV_OUT_TEXT)
		print_held(&p);
	/* That standard output failed is for the output to say: a reader that left is no failure. */
	if (rv_out_failed(cx->out))
		return RV_OK;
	if (unloaded.status == RV_OK)
		return status;
	if (status == RV_OK) {
		*err = unloaded;
		return err->status;
	}
	rv_warn("%s", unloaded.message);
	return status;
}

static const struct rv_example query_examples[] = {
	{ "river query 'select count(*) from web.clicks'", "ask the warehouse" },
	{ "river query --output csv 'select * from web.clicks_latest' >latest.csv",
	  "a table as csv" },
	{ "river query --from events.ndjson 'select event, count(*) from t group by all'",
	  "a file as a table, without any warehouse" },
	{ "river query --from extract.zip 'select count(*) from orders'",
	  "a member of a ZIP archive, orders.csv, as a table" },
	{ NULL, NULL },
};

const struct rv_command cmd_query = {
	.name = "query",
	.group = RV_GROUP_LOOK,
	.summary = "run SQL on the warehouse, or over files",
	.operands = "<sql> [<file>...]",
	.needs = RV_NEEDS_PROFILE,
	.operand_complete = { RV_COMPLETE_NOTHING, RV_COMPLETE_FILE },
	.options = query_options_table,
	.options_size = sizeof(struct query_options),
	.csv = true,
	.examples = query_examples,
	.run = query_run,
};
