/* Documents that the relations would allow, as a section that is commented out: what a person would
 * otherwise have to type. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/extract_infer_impl.h"

enum { DEPTH_MAX = 6, DOCUMENTS_MAX = 5 };

/* The tables around the one that is printed, the root first. */
struct path {
	size_t tables[DEPTH_MAX + 1];
	size_t depth;
};

static bool is_on_path(const struct path *path, size_t table)
{
	for (size_t i = 0; i <= path->depth; i++)
		if (path->tables[i] == table)
			return true;
	return false;
}

/* Names of fields that the object has already, each between line ends. */
static bool is_taken(const struct rv_infer_table *table, const struct rv_strbuf *fields, const char *name)
{
	RV_CLEANUP(rv_free_p) char *line = rv_asprintf("\n%s\n", name);

	for (size_t i = 0; i < table->columns_count; i++)
		if (table->columns[i].name && strcmp(table->columns[i].name, name) == 0)
			return true;
	return strstr(fields->bytes, line) != NULL;
}

/* A name for what is nested into a row of `table`; caller frees. */
static char *field_name(const struct rv_infer_table *table, struct rv_strbuf *fields, const char *wish,
			size_t len, const char *by)
{
	char *name = rv_strndup(wish, len);

	for (unsigned n = 1; is_taken(table, fields, name); n++) {
		free(name);
		name = n == 1 ? rv_asprintf("%.*s_by_%s", (int)len, wish, by)
			      : rv_asprintf("%.*s_by_%s_%u", (int)len, wish, by, n);
	}
	if (!fields->len)
		rv_strbuf_putc(fields, '\n');
	rv_strbuf_printf(fields, "%s\n", name);
	return name;
}

static void indent(struct rv_strbuf *sb, size_t n)
{
	rv_strbuf_puts(sb, "#");
	for (size_t i = 0; i <= n; i++)
		rv_strbuf_puts(sb, "  ");
}

static void print_on(struct rv_strbuf *sb, const char *nested, const char *around)
{
	if (strcmp(nested, around) == 0)
		rv_strbuf_printf(sb, "on: [%s]", nested);
	else
		rv_strbuf_printf(sb, "on: { %s: %s }", nested, around);
}

static const struct rv_infer_column *key_of(const struct rv_infer_table *table)
{
	return &table->columns[table->key[0]];
}

static bool has_nests(const struct rv_infer *infer, size_t t, const struct path *path)
{
	const struct rv_infer_table *table = &infer->tables[t];

	for (size_t i = 0; path->depth && i < table->columns_count; i++)
		if (table->columns[i].parent != RV_INFER_NONE && !is_on_path(path, table->columns[i].parent))
			return true;
	for (size_t c = 0; c < infer->tables_count; c++)
		for (size_t i = 0; i < infer->tables[c].columns_count; i++)
			if (infer->tables[c].columns[i].parent == t && !is_on_path(path, c) &&
			    path->depth < DEPTH_MAX)
				return true;
	return false;
}

/* What is nested into rows of the table at the end of the path. */
static void print_nests(const struct rv_infer *infer, struct path *path, size_t level, struct rv_strbuf *sb)
{
	size_t t = path->tables[path->depth];
	const struct rv_infer_table *table = &infer->tables[t];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf fields = RV_STRBUF_INIT;

	if (!has_nests(infer, t, path))
		return;
	indent(sb, level);
	rv_strbuf_puts(sb, "nest:\n");
	/* what a row refers to, but for the row it is nested into */
	for (size_t i = 0; path->depth && i < table->columns_count; i++) {
		const struct rv_infer_column *column = &table->columns[i];

		if (column->parent == RV_INFER_NONE || is_on_path(path, column->parent))
			continue;
		const struct rv_infer_table *parent = &infer->tables[column->parent];
		RV_CLEANUP(rv_free_p)
		char *name = field_name(table, &fields, parent->name, rv_infer_singular(parent->name),
					column->name);

		indent(sb, level + 1);
		rv_strbuf_printf(sb, "%s: { table: %s, ", name, parent->name);
		print_on(sb, key_of(parent)->name, column->name);
		rv_strbuf_puts(sb, ", many: false }\n");
	}
	for (size_t c = 0; c < infer->tables_count && path->depth < DEPTH_MAX; c++) {
		const struct rv_infer_table *child = &infer->tables[c];

		for (size_t i = 0; i < child->columns_count && !is_on_path(path, c); i++) {
			const struct rv_infer_column *column = &child->columns[i];

			if (column->parent != t)
				continue;
			bool many = child->key_count != 1 || child->key[0] != i;
			RV_CLEANUP(rv_free_p)
			char *name = field_name(table, &fields, child->name, strlen(child->name), column->name);

			indent(sb, level + 1);
			rv_strbuf_printf(sb, "%s:\n", name);
			indent(sb, level + 2);
			rv_strbuf_printf(sb, "table: %s\n", child->name);
			indent(sb, level + 2);
			print_on(sb, column->name, key_of(table)->name);
			rv_strbuf_putc(sb, '\n');
			indent(sb, level + 2);
			rv_strbuf_printf(sb, "many: %s\n", many ? "true" : "false");
			const char *order = NULL;

			for (size_t k = 0; many && k < child->key_count && !order; k++)
				if (child->key[k] != i)
					order = child->columns[child->key[k]].name;
			if (order) {
				indent(sb, level + 2);
				rv_strbuf_printf(sb, "order_by: [%s]\n", order);
			}
			path->tables[++path->depth] = c;
			print_nests(infer, path, level + 2, sb);
			path->depth--;
		}
	}
}

/* How many tables refer to it, and to those in turn. */
static size_t count_below(const struct rv_infer *infer, size_t t, struct path *path)
{
	size_t n = 0;

	if (path->depth == DEPTH_MAX)
		return 0;
	for (size_t c = 0; c < infer->tables_count; c++)
		for (size_t i = 0; i < infer->tables[c].columns_count; i++) {
			if (infer->tables[c].columns[i].parent != t || is_on_path(path, c))
				continue;
			path->tables[++path->depth] = c;
			n += 1 + count_below(infer, c, path);
			path->depth--;
			break;
		}
	return n;
}

static bool has_parent(const struct rv_infer *infer, size_t t)
{
	for (size_t i = 0; i < infer->tables[t].columns_count; i++) {
		size_t parent = infer->tables[t].columns[i].parent;

		if (parent != RV_INFER_NONE && parent != t)
			return true;
	}
	return false;
}

static const char heading[] =
	"\n# Documents that these relations allow. Take the marks away from one, and say where it goes.\n"
	"# Where rows of a document come in several extracts, it is `scope: history` without `complete`: its\n"
	"# tables are merged by their keys and kept in the warehouse.\n#documents:\n";

void rv_infer_print_documents(const struct rv_infer *infer, struct rv_strbuf *sb)
{
	RV_CLEANUP(rv_free_p) size_t *below = rv_calloc(infer->tables_count, sizeof(*below));
	size_t printed = 0;

	for (size_t t = 0; t < infer->tables_count; t++) {
		struct path path = { .tables = { t } };

		if (infer->tables[t].key_count == 1)
			below[t] = count_below(infer, t, &path);
	}
	for (int parents = 0; parents < 2; parents++)
		for (;;) {
			size_t best = RV_INFER_NONE;

			for (size_t t = 0; t < infer->tables_count; t++)
				if (below[t] && has_parent(infer, t) == (parents == 1) &&
				    (best == RV_INFER_NONE || below[t] > below[best]))
					best = t;
			if (best == RV_INFER_NONE || printed == DOCUMENTS_MAX)
				break;
			struct path path = { .tables = { best } };
			const char *name = infer->tables[best].name;

			if (!printed++)
				rv_strbuf_puts(sb, heading);
			rv_strbuf_printf(sb, "#  %.*s:\n", (int)rv_infer_singular(name), name);
			rv_strbuf_printf(sb, "#    root: %s\n#    scope: extract\n", name);
			rv_strbuf_puts(sb, "#    complete: true  # each extract holds whole documents; is it so?\n"
					   "#    target: { lake: true }  # or { dynamodb: <table> }\n");
			print_nests(infer, &path, 1, sb);
			below[best] = 0;
		}
}
