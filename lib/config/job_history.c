/*
 * What documents over all extracts need: tables that are kept, in which the newest row of each key counts.
 * A job need not say so: tables of such a document that are loaded nowhere else are kept in a schema that is
 * called as the job is, and a key makes them merged.
 */
#include "config/job_impl.h"

#include <string.h>

#include "base/memory.h"

struct keeping {
	struct rv_def *p;
	struct rv_job *job;
	const struct rv_job_document *document;
};

/* Fails at a place that was remembered. */
static struct rv_yaml_node place(uint64_t line, uint64_t column)
{
	return (struct rv_yaml_node){ .kind = RV_YAML_SCALAR, .line = line, .column = column };
}

/* The newest row of a key counts: there is one, and nothing says otherwise. */
static enum rv_status need_merged(struct keeping *k, struct rv_job_table *table)
{
	const struct rv_yaml_node node = place(table->line, table->column);

	if (!table->key.count) {
		rv_def_bad(k->p, &node, "tables.%s: documents.%s is made of its newest rows, and it has no key",
			   table->name, k->document->name);
		rv_hint(k->p->err, "write key: [...], the columns that tell its rows apart; or give the document "
				   "`scope: extract` and `complete: true`");
		return k->p->err->status;
	}
	if (table->mode_said && table->mode != RV_JOB_MERGE) {
		rv_def_bad(k->p, &node, "tables.%s: documents.%s is made of its newest rows, and it is appended",
			   table->name, k->document->name);
		rv_hint(k->p->err, "write mode: merge, or leave it out: its key says the same");
		return k->p->err->status;
	}
	table->mode = RV_JOB_MERGE;
	return RV_OK;
}

static enum rv_status keep(struct keeping *k, size_t index)
{
	struct rv_job *job = k->job;
	struct rv_job_table *table = &job->tables[index];
	const struct rv_yaml_node node = place(table->line, table->column);
	struct rv_job_load *load = NULL;

	if (need_merged(k, table) != RV_OK)
		return k->p->err->status;
	for (size_t i = 0; i < job->loads_count; i++) {
		struct rv_job_load *l = &job->loads[i];

		if (l->table == index && l->to == RV_JOB_TO_TABLE)
			return RV_OK;
		if (l->to == RV_JOB_TO_TABLE && strcmp(l->schema, job->name) == 0 &&
		    strcmp(l->name, table->name) == 0) {
			rv_def_bad(k->p, &node, "tables.%s: documents.%s keeps it as %s.%s, where the rows of %s go",
				   table->name, k->document->name, l->schema, l->name,
				   job->tables[l->table].name);
			rv_hint(k->p->err, "write loads: { %.60s: { to: table dw.%.60s } }", table->name,
				table->name);
			return k->p->err->status;
		}
		/* what is in the lake as the warehouse reads it need not be there twice */
		if (l->table == index && l->to == RV_JOB_TO_LAKE && l->format == RV_JOB_NDJSON)
			load = l;
	}
	if (rv_job_check_schema(k->p, &node, "job: tables are kept in a schema of its name", job->name) != RV_OK)
		return k->p->err->status;
	if (!load) {
		/* there is room for one more of each table */
		load = &job->loads[job->loads_count++];
		*load = (struct rv_job_load){ .table = index, .line = table->line, .column = table->column };
	}
	load->to = RV_JOB_TO_TABLE;
	load->kept = true;
	load->schema = rv_strdup(job->name);
	load->name = rv_strdup(table->name);
	return RV_OK;
}

static enum rv_status keep_nests(struct keeping *k, const struct rv_job_nest *nests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (keep(k, nests[i].table) != RV_OK || keep_nests(k, nests[i].nests, nests[i].nests_count) != RV_OK)
			return k->p->err->status;
	return RV_OK;
}

/* Documents of the lake and items are told apart by their version, and what is gone by its mark. */
static enum rv_status check_members(struct keeping *k)
{
	static const char *const own[] = { "_v", "_deleted" };
	const struct rv_job_document *document = k->document;
	const struct rv_job_table *root = &k->job->tables[document->root];

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		bool taken = rv_job_column(root, own[i]) != NULL;

		for (size_t n = 0; n < document->nests_count && !taken; n++)
			taken = strcmp(document->nests[n].field, own[i]) == 0;
		if (!taken)
			continue;
		const struct rv_yaml_node node = place(document->line, document->column);

		return rv_def_bad(k->p, &node, "documents.%s: its member %s is river's own", document->name, own[i]);
	}
	return RV_OK;
}

enum rv_status rv_job_keep_histories(struct rv_def *p, struct rv_job *job)
{
	bool any = false;

	for (size_t i = 0; i < job->documents_count; i++) {
		const struct rv_job_document *document = &job->documents[i];
		struct keeping k = { p, job, document };

		any |= document->scope == RV_JOB_SCOPE_HISTORY;
		if ((document->scope == RV_JOB_SCOPE_HISTORY || document->dynamodb) && check_members(&k) != RV_OK)
			return p->err->status;
	}
	if (!any)
		return RV_OK;
	job->loads = rv_realloc_array(job->loads, job->loads_count + job->tables_count, sizeof(*job->loads));
	for (size_t i = 0; i < job->documents_count; i++) {
		const struct rv_job_document *document = &job->documents[i];
		struct keeping k = { p, job, document };

		if (document->scope == RV_JOB_SCOPE_HISTORY &&
		    (keep(&k, document->root) != RV_OK ||
		     keep_nests(&k, document->nests, document->nests_count) != RV_OK))
			return p->err->status;
	}
	return RV_OK;
}
