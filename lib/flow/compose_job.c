/* A document of a job, as the composer takes it. */
#include "flow/compose_job.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static size_t column_of(const struct rv_job_table *table, const char *name)
{
	for (size_t i = 0; i < table->columns_count; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return i;
	rv_bug("table %s of a job has no column %s", table->name, name);
}

static bool is_number(enum rv_column_type type)
{
	return type == RV_COLUMN_INTEGER || type == RV_COLUMN_DECIMAL || type == RV_COLUMN_DOUBLE;
}

static void convert_table(struct rv_compose_table *ret, const struct rv_job_table *table)
{
	struct rv_compose_column *columns = rv_calloc(table->columns_count + 1, sizeof(*columns));
	size_t *key = rv_calloc(table->key.count + 1, sizeof(*key));

	for (size_t i = 0; i < table->columns_count; i++) {
		enum rv_column_type type = table->columns[i].type;

		columns[i] = (struct rv_compose_column){
			.name = table->columns[i].name,
			.number = is_number(type),
			.literal = is_number(type) || type == RV_COLUMN_BOOLEAN || type == RV_COLUMN_JSON,
		};
	}
	for (size_t i = 0; i < table->key.count; i++)
		key[i] = column_of(table, table->key.items[i]);
	*ret = (struct rv_compose_table){
		.name = table->name,
		.columns = columns,
		.columns_count = table->columns_count,
		.key = key,
		.key_count = table->key.count,
	};
}

static struct rv_compose_nest *convert_nests(const struct rv_job *job, size_t parent,
					     const struct rv_job_nest *nests, size_t count)
{
	const struct rv_job_table *around = &job->tables[parent];
	struct rv_compose_nest *ret = rv_calloc(count + 1, sizeof(*ret));

	for (size_t i = 0; i < count; i++) {
		const struct rv_job_nest *nest = &nests[i];
		const struct rv_job_table *table = &job->tables[nest->table];
		struct rv_compose_on *on = rv_calloc(nest->on_count + 1, sizeof(*on));
		struct rv_compose_order *order = rv_calloc(nest->order_by_count + 1, sizeof(*order));

		for (size_t k = 0; k < nest->on_count; k++)
			on[k] = (struct rv_compose_on){
				.child = column_of(table, nest->on[k].child),
				.parent = column_of(around, nest->on[k].parent),
			};
		for (size_t k = 0; k < nest->order_by_count; k++)
			order[k] = (struct rv_compose_order){
				.column = column_of(table, nest->order_by[k].column),
				.descending = nest->order_by[k].descending,
			};
		ret[i] = (struct rv_compose_nest){
			.field = nest->field,
			.table = nest->table,
			.on = on,
			.on_count = nest->on_count,
			.many = nest->many,
			.hide_on = true,
			.order_by = order,
			.order_by_count = nest->order_by_count,
			.nests = convert_nests(job, nest->table, nest->nests, nest->nests_count),
			.nests_count = nest->nests_count,
		};
	}
	return ret;
}

/* What is const to the composer is ours. */
static void free_const(const void *p)
{
	union {
		const void *in;
		void *out;
	} both = { .in = p };

	free(both.out);
}

static void free_nests(const struct rv_compose_nest *nests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free_const(nests[i].on);
		free_const(nests[i].order_by);
		free_nests(nests[i].nests, nests[i].nests_count);
	}
	free_const(nests);
}

void rv_compose_job_init(struct rv_compose_job *ret, const struct rv_job *job,
			 const struct rv_job_document *document)
{
	*ret = (struct rv_compose_job){
		.tables = rv_calloc(job->tables_count + 1, sizeof(*ret->tables)),
		.nests = convert_nests(job, document->root, document->nests, document->nests_count),
	};
	for (size_t i = 0; i < job->tables_count; i++)
		convert_table(&ret->tables[i], &job->tables[i]);
	ret->spec = (struct rv_compose_spec){
		.tables = ret->tables,
		.tables_count = job->tables_count,
		.root = document->root,
		.nests = ret->nests,
		.nests_count = document->nests_count,
	};
}

void rv_compose_job_release(struct rv_compose_job *job)
{
	for (size_t i = 0; i < job->spec.tables_count; i++) {
		free_const(job->tables[i].columns);
		free_const(job->tables[i].key);
	}
	free(job->tables);
	free_nests(job->nests, job->spec.nests_count);
	*job = (struct rv_compose_job){ 0 };
}
