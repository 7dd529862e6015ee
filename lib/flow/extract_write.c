/* What can be seen of an extract, in the order that a killed run can be done again from. */
#include "flow/extract_impl.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "format/json_text.h"

#define LEDGER_VERSION 1
#define LEDGER_MAX_BYTES (16u << 20)
#define REPLACING "replacing"

bool extract_has_tables(const struct rv_job *job)
{
	for (size_t i = 0; i < job->loads_count; i++)
		if (job->loads[i].to == RV_JOB_TO_TABLE)
			return true;
	return false;
}

static char *ledger_name(const struct rv_job *job, const char *identity)
{
	return rv_asprintf("_river/extracts/%s/%s.json", job->name, identity);
}

static enum rv_status open_warehouse(const struct rv_extract_params *params, struct rv_warehouse **ret,
				     struct rv_error *err)
{
	if (!params->warehouse)
		return rv_fail(err, RV_BAD_CONFIG, "tables, and documents over all extracts, need a warehouse, and "
						   "there is none");
	if (params->warehouse(params->arg, ret, err) != RV_OK)
		return err->status == RV_BAD_CONFIG ? rv_context(err, "tables, and documents over all extracts")
						    : err->status;
	if ((*ret)->ops->extract_take && (params->shard.of < 2 || (*ret)->ops->extract_left))
		return RV_OK;
	if ((*ret)->ops->extract_take)
		return rv_fail(err, RV_BAD_CONFIG, "the warehouse %s does not divide documents into shards",
			       (*ret)->ops->name);
	rv_fail(err, RV_BAD_CONFIG, "the warehouse %s takes no tables of extracts", (*ret)->ops->name);
	rv_hint(err, "load into a stream, or into the lake alone: the manifest of a table lists its objects");
	return err->status;
}

/* What is none says nothing about the extract, least of all that it was taken. */
static enum rv_status known_row(const struct rv_strbuf *text, const char *name, enum extract_known *ret,
				struct rv_error *err)
{
	RV_CLEANUP(json_decrefp) json_t *row = json_loadb(text->bytes, text->len, 0, NULL);
	json_int_t version = json_integer_value(json_object_get(row, "v"));
	const char *status = json_string_value(json_object_get(row, "status"));

	if (version > LEDGER_VERSION)
		return rv_fail(err, RV_BAD_CONFIG, "%s was written by a newer river (version %" JSON_INTEGER_FORMAT ")",
			       name, version);
	if (!status) {
		rv_fail(err, RV_DAMAGED, "%s in the lake is damaged", name);
		rv_hint(err, "without it the extract is taken once more, and what is there already stays as it is");
		return err->status;
	}
	*ret = strcmp(status, REPLACING) == 0 ? EXTRACT_TORN : EXTRACT_TAKEN;
	return RV_OK;
}

enum rv_status extract_known_lake(const struct rv_extract_params *params, const char *identity,
				  enum extract_known *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = ledger_name(params->job, identity);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	bool found;

	if (rv_store_get_optional(params->lake, name, LEDGER_MAX_BYTES, &text, etag, &found, err) != RV_OK)
		return err->status;
	*ret = EXTRACT_NEW;
	return found ? known_row(&text, name, ret, err) : RV_OK;
}

enum rv_status extract_known(const struct rv_extract_params *params, const char *identity,
			     enum extract_known *ret, json_t **ret_summary, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = ledger_name(params->job, identity);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_warehouse *warehouse = NULL;
	bool there = false;

	if (extract_known_lake(params, identity, ret, err) != RV_OK)
		return err->status;
	/* documents of the extract's own rows may have to be written still: it is read once more */
	if (*ret != EXTRACT_NEW || !extract_has_tables(params->job) ||
	    (extract_documents_are_sent(params->job) && !extract_documents_are_histories(params->job)))
		return RV_OK;
	/* A run was killed behind its transaction, or another shard was first. */
	if (open_warehouse(params, &warehouse, err) != RV_OK ||
	    warehouse->ops->extract_find(warehouse, params->job->name, identity, &text, &there, err) != RV_OK)
		return err->status;
	if (!there)
		return RV_OK;
	if (extract_documents_are_sent(params->job)) {
		*ret_summary = json_loadb(text.bytes, text.len, 0, NULL);
		if (!*ret_summary)
			return rv_fail(err, RV_DAMAGED, "the ledger of the warehouse: the summary of %s is no JSON",
				       identity);
		*ret = EXTRACT_LOADED;
		return RV_OK;
	}
	*ret = EXTRACT_TAKEN;
	return rv_store_put_bytes(params->lake, name, text.bytes, text.len, NULL, err);
}

/* ---- what is replaced ---- */

struct replaced {
	struct extract_reading *reading;
	struct rv_string_list identities; /* other extracts under this one's name */
};

static enum rv_status look_at_entry(void *arg, const struct rv_store_object *object, struct rv_error *err)
{
	struct replaced *replaced = arg;
	const struct extract_reading *reading = replaced->reading;
	const char *base = rv_path_base(object->name);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	bool found;

	if (strlen(base) != 64 + strlen(".json") || strncmp(base, reading->identity, 64) == 0)
		return RV_OK;
	if (rv_store_get_optional(reading->params->lake, object->name, LEDGER_MAX_BYTES, &text, etag, &found,
				  err) != RV_OK)
		return err->status;
	json_t *entry = found ? json_loadb(text.bytes, text.len, 0, NULL) : NULL;
	RV_CLEANUP(rv_free_p) char *name = rv_json_bytes_value(json_object_get(entry, "name"));

	json_decref(entry);
	if (name && strcmp(name, reading->archive->name) == 0)
		rv_string_list_add(&replaced->identities, base, 64);
	return RV_OK;
}

/* Versions of documents outlive the extract that made them: others may wait for nothing but these. */
static bool is_version(const char *name)
{
	return fnmatch("documents-*-v[0-9]*", rv_path_base(name), 0) == 0;
}

static enum rv_status list_names(void *arg, const struct rv_store_object *object,
				 struct rv_error *err RV_UNUSED)
{
	if (!is_version(object->name))
		rv_string_list_add(arg, object->name, strlen(object->name));
	return RV_OK;
}

/* Manifests first: what they name is not all there from then on. */
static enum rv_status remove_loads(struct rv_store *lake, const char *prefix, struct rv_error *err)
{
	const struct rv_store_list list = { .prefix = prefix, .names_only = true };
	struct rv_string_list names = { 0 };
	enum rv_status status = lake->ops->list(lake, &list, list_names, &names, err);

	for (int manifests = 1; manifests >= 0; manifests--)
		for (size_t i = 0; i < names.count && status == RV_OK; i++)
			if (rv_ends_with(names.items[i], ".manifest") == (manifests == 1))
				status = lake->ops->remove(lake, names.items[i], NULL, err);
	rv_string_list_release(&names);
	return status;
}

/* From here on it is not what it was, and not yet what it will be. */
static enum rv_status put_torn(const struct extract_reading *reading, const char *ledger,
			       json_t *summary, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	json_t *row = json_copy(summary);

	json_object_set_new(row, "status", json_string(REPLACING));
	rv_json_dump(&text, row);
	rv_strbuf_putc(&text, '\n');
	json_decref(row);
	return rv_store_put_bytes(reading->params->lake, ledger, text.bytes, text.len, NULL, err);
}

/* Loads of this extract go, and loads and ledger rows of others that came under its name. */
static enum rv_status remove_replaced(struct extract_reading *reading, struct rv_error *err)
{
	const struct rv_job *job = reading->params->job;
	struct rv_store *lake = reading->params->lake;
	RV_CLEANUP(rv_free_p) char *ledger = rv_asprintf("_river/extracts/%s/", job->name);
	const struct rv_store_list list = { .prefix = ledger, .names_only = true };
	struct replaced replaced = { .reading = reading };

	rv_string_list_add(&replaced.identities, reading->identity, 64);
	enum rv_status status = lake->ops->list(lake, &list, look_at_entry, &replaced, err);

	for (size_t i = 0; i < replaced.identities.count && status == RV_OK; i++) {
		RV_CLEANUP(rv_free_p)
		char *loads = rv_asprintf("loads/%s/%.16s/", job->name, replaced.identities.items[i]);
		RV_CLEANUP(rv_free_p) char *row = ledger_name(job, replaced.identities.items[i]);

		/* what was set aside of it: the same names, if there is any this time */
		RV_CLEANUP(rv_free_p)
		char *aside = rv_asprintf("%s%s.re", ledger, replaced.identities.items[i]);

		status = remove_loads(lake, loads, err);
		if (status == RV_OK)
			status = remove_loads(lake, aside, err);
		/* the row last: a run that is killed finds it again; its own one says that it is torn */
		if (status == RV_OK && i)
			status = lake->ops->remove(lake, row, NULL, err);
	}
	rv_string_list_release(&replaced.identities);
	return status;
}

/* ---- objects ---- */

/* The manifest goes before its objects change, and comes when all of them are there. */
static char *manifest_name(const struct extract_reading *reading, size_t load)
{
	const struct rv_job *job = reading->params->job;
	bool documents = load >= EXTRACT_DOCUMENTS;

	return rv_asprintf("loads/%s/%.16s/%s%s.manifest", job->name, reading->identity,
			   documents ? "documents-" : "",
			   documents ? job->documents[load - EXTRACT_DOCUMENTS].name
				     : job->tables[job->loads[load].table].name);
}

static enum rv_status put_objects(struct extract_reading *reading, size_t first, struct rv_error *err)
{
	struct rv_store *lake = reading->params->lake;

	for (size_t i = first; i < reading->objects.count; i++) {
		struct extract_object *o = &reading->objects.items[i];
		char etag[RV_ETAG_TEXT];
		struct rv_store_body body = { .len = o->bytes, .fd = o->fd, .staged = o->stage };
		const struct rv_store_put put = { 0 };

		if (o->load < EXTRACT_DOCUMENTS &&
		    reading->params->job->loads[o->load].to == RV_JOB_TO_STREAM)
			continue;
		enum rv_status status = lake->ops->put(lake, o->name, &body, &put, etag, err);

		if (o->stage)
			o->fd = -1;
		o->stage = NULL; /* used up, whatever came of it */
		if (status != RV_OK)
			return rv_context(err, "put %s", o->name);
	}
	return RV_OK;
}

/* {"entries":[{"url":...,"mandatory":true,"meta":{"content_length":...}}]} (Amazon Redshift, "Using a
 * manifest to specify data files"). */
static enum rv_status put_manifest_as(struct extract_reading *reading, size_t load, const char *name,
				      struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT, url = RV_STRBUF_INIT;
	bool first = true;

	rv_strbuf_puts(&text, "{\"entries\":[");
	for (size_t i = 0; i < reading->objects.count; i++) {
		const struct extract_object *o = &reading->objects.items[i];

		if (o->load != load)
			continue;
		rv_strbuf_clear(&url);
		rv_strbuf_printf(&url, "%s%s/%s", rv_starts_with(reading->params->lake->url, "/") ? "file://" : "",
				 reading->params->lake->url, o->name);
		rv_strbuf_puts(&text, first ? "\n{\"url\":" : ",\n{\"url\":");
		rv_strbuf_json(&text, url.bytes, url.len);
		rv_strbuf_printf(&text, ",\"mandatory\":true,\"meta\":{\"content_length\":%" PRIu64
					",\"record_count\":%" PRIu64 "}}", o->bytes, o->rows);
		first = false;
	}
	rv_strbuf_puts(&text, "\n]}\n");
	return rv_store_put_bytes(reading->params->lake, name, text.bytes, text.len, NULL, err);
}

static enum rv_status put_manifest(struct extract_reading *reading, size_t load, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = manifest_name(reading, load);

	return put_manifest_as(reading, load, name, err);
}

enum rv_status extract_put_later(struct extract_reading *reading, size_t first, const char *stem,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	char *name = rv_asprintf("loads/%s/%.16s/%s.manifest", reading->params->job->name, reading->identity, stem);

	if (first == reading->objects.count)
		return RV_OK;
	if (put_objects(reading, first, err) != RV_OK)
		return err->status;
	return put_manifest_as(reading, reading->objects.items[first].load, name, err);
}

/* Whether the job itself loads the rows of this load's table elsewhere into the lake, under the same name. */
static bool is_second(const struct rv_job *job, size_t load)
{
	for (size_t i = 0; i < job->loads_count; i++)
		if (job->loads[load].kept && i != load && job->loads[i].table == job->loads[load].table &&
		    job->loads[i].to == RV_JOB_TO_LAKE)
			return true;
	return false;
}

/* ---- streams and tables ---- */

static enum rv_status push_load(struct extract_reading *reading, size_t load, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	const struct rv_job *job = params->job;
	RV_CLEANUP(rv_free_p) char **files = rv_calloc(reading->objects.count + 1, sizeof(*files));
	/* a run's name has 64 characters: the table may be what does not fit */
	RV_CLEANUP(rv_free_p)
	char *run = rv_asprintf("x-%.16s-%.44s", reading->identity, job->tables[job->loads[load].table].name);
	size_t count = 0;

	for (char *c = run; *c; c++)
		if (*c == '_')
			*c = '-';
	while (rv_ends_with(run, "-"))
		run[strlen(run) - 1] = '\0';
	for (size_t i = 0; i < reading->objects.count; i++)
		if (reading->objects.items[i].load == load && reading->objects.items[i].rows)
			files[count++] = reading->objects.items[i].file;
	if (!count)
		return RV_OK;
	if (!params->push)
		return rv_fail(err, RV_USAGE, "there is no way to streams here");
	enum rv_status status = params->push(params->arg, job->loads[load].name, run, files, count, err);

	/* which run it was named nobody */
	if (status == RV_CONFLICT)
		rv_hint(err, "the stream has this extract's rows of %.63s already, as another job or an earlier form of "
			     "this one made them: leave the load out, or send them to another stream",
			job->tables[job->loads[load].table].name);
	return status;
}

/* Index of a table of the job among those of the warehouse. */
static size_t in_warehouse(const struct extract_tables *tables, size_t job_table)
{
	for (size_t i = 0; i < tables->extract.tables_count; i++)
		if (tables->job_tables[i] == job_table)
			return i;
	rv_bug("a document of a table that is not in the warehouse");
}

static void add_nests(const struct extract_tables *tables, const struct rv_job_nest *nests, size_t count,
		      size_t parent, struct rv_extract_document *document)
{
	for (size_t i = 0; i < count; i++) {
		size_t index = document->nodes_count++;

		document->nodes = rv_realloc_array(document->nodes, index + 1, sizeof(*document->nodes));
		struct rv_extract_node *node = &document->nodes[index];

		*node = (struct rv_extract_node){ .table = in_warehouse(tables, nests[i].table),
						  .parent = parent, .touch = nests[i].touch,
						  .on_count = nests[i].on_count };
		node->on = rv_calloc(node->on_count, sizeof(*node->on));
		for (size_t k = 0; k < node->on_count; k++)
			node->on[k] = (struct rv_extract_on){ nests[i].on[k].child, nests[i].on[k].parent };
		add_nests(tables, nests[i].nests, nests[i].nests_count, index, document);
	}
}

static void tables_release(struct extract_tables *tables)
{
	for (size_t i = 0; i < tables->extract.documents_count; i++) {
		struct rv_extract_document *document = &tables->extract.documents[i];

		for (size_t n = 0; n < document->nodes_count; n++)
			free(document->nodes[n].on);
		free(document->nodes);
	}
	free(tables->extract.documents);
	free(tables->extract.tables);
	free(tables->job_tables);
	free(tables->objects);
}

static void tables_init(struct extract_tables *tables, struct extract_reading *reading, bool replace,
			const char *summary)
{
	const struct rv_job *job = reading->params->job;
	size_t used = 0;

	*tables = (struct extract_tables){
		.extract = { .job = job->name, .identity = reading->identity, .name = reading->archive->name,
			     .order = reading->archive->order, .summary = summary, .replace = replace,
			     .shard = reading->params->shard.of ? reading->params->shard.number - 1 : 0,
			     .shards = reading->params->shard.of },
		.job_tables = rv_calloc(job->loads_count + 1, sizeof(size_t)),
		.objects = rv_calloc(reading->objects.count + 1, sizeof(char *)) };
	struct rv_extract *extract = &tables->extract;

	extract->tables = rv_calloc(job->loads_count + 1, sizeof(*extract->tables));
	for (size_t i = 0; i < job->loads_count; i++) {
		const struct rv_job_load *load = &job->loads[i];
		const struct rv_job_table *table = &job->tables[load->table];

		if (load->to != RV_JOB_TO_TABLE)
			continue;
		struct rv_extract_table *t = &extract->tables[extract->tables_count];

		tables->job_tables[extract->tables_count++] = load->table;
		*t = (struct rv_extract_table){
			.schema = load->schema, .name = load->name, .columns = table->columns,
			.columns_count = table->columns_count, .key = &table->key,
			.merge = table->mode == RV_JOB_MERGE, .delete_column = table->delete_column,
			.delete_equals = table->delete_equals, .objects = tables->objects + used };
		for (size_t k = 0; k < reading->objects.count; k++) {
			if (reading->objects.items[k].load != i)
				continue;
			tables->objects[used++] = reading->objects.items[k].name;
			t->objects_count++;
			t->rows += reading->objects.items[k].rows;
		}
	}
	extract->documents = rv_calloc(job->documents_count + 1, sizeof(*extract->documents));
	for (size_t i = 0; i < job->documents_count; i++) {
		const struct rv_job_document *document = &job->documents[i];

		if (document->scope != RV_JOB_SCOPE_HISTORY)
			continue;
		struct rv_extract_document *d = &extract->documents[extract->documents_count++];

		d->name = document->name;
		d->nodes = rv_calloc(1, sizeof(*d->nodes));
		d->nodes[0] = (struct rv_extract_node){ .table = in_warehouse(tables, document->root),
							.touch = true };
		d->nodes_count = 1;
		add_nests(tables, document->nests, document->nests_count, 0, d);
	}
}

static enum rv_status take_tables(struct extract_reading *reading, struct extract_tables *tables,
				  json_t *repeated, struct rv_error *err)
{
	struct rv_warehouse *warehouse = tables->warehouse;

	if (warehouse->ops->extract_take(warehouse, &tables->extract, err) != RV_OK) {
		/* what river wrote itself is not what the archive had wrong */
		if (err->status == RV_BAD_DATA)
			err->status = RV_DAMAGED;
		return err->status;
	}
	for (size_t i = 0; i < tables->extract.tables_count; i++) {
		const struct rv_extract_table *t = &tables->extract.tables[i];

		if (!t->repeated)
			continue;
		extract_say(reading->params->warn, reading->params->arg,
			    "%s: %" PRIu64 " rows of %s.%s have a key that another row of the extract has too; "
			    "the last one counts", reading->archive->shown, t->repeated, t->schema, t->name);
		RV_CLEANUP(rv_free_p) char *name = rv_asprintf("%s.%s", t->schema, t->name);

		json_object_set_new(repeated, name, json_integer((json_int_t)t->repeated));
	}
	return RV_OK;
}

/* The rows and the ledger's row, unless a run that was killed behind them has left only documents to do. */
static enum rv_status write_tables(struct extract_reading *reading, struct extract_tables *tables,
				   json_t *summary, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf ignored = RV_STRBUF_INIT;
	bool taken = false;

	if (open_warehouse(reading->params, &tables->warehouse, err) != RV_OK ||
	    (!tables->extract.replace &&
	     tables->warehouse->ops->extract_find(tables->warehouse, tables->extract.job, reading->identity,
						  &ignored, &taken, err) != RV_OK))
		return err->status;
	if (taken) {
		reading->again = true;
		return RV_OK;
	}
	json_t *repeated = json_object();
	enum rv_status status = take_tables(reading, tables, repeated, err);

	if (status == RV_OK && json_object_size(repeated))
		json_object_set(summary, "repeated_keys", repeated);
	json_decref(repeated);
	return status;
}

/* ---- all of it ---- */

enum rv_status extract_open_parquet(const struct rv_extract_params *params, struct rv_parquet **ret,
				    struct rv_error *err)
{
	*ret = NULL;
	if (!rv_job_has_parquet(params->job))
		return RV_OK;
	if (!params->parquet)
		return rv_fail(err, RV_USAGE, "there is nothing here that writes Parquet");
	return params->parquet(params->arg, ret, err);
}

enum rv_status extract_check_streams(const struct rv_extract_params *params, struct rv_error *err)
{
	for (size_t i = 0; i < params->job->loads_count; i++)
		if (params->job->loads[i].to == RV_JOB_TO_STREAM && params->push &&
		    params->push(params->arg, params->job->loads[i].name, NULL, NULL, 0, err) != RV_OK)
			return err->status;
	return RV_OK;
}

bool extract_merges(const struct rv_job *job)
{
	for (size_t i = 0; i < job->loads_count; i++)
		if (job->loads[i].to == RV_JOB_TO_TABLE && job->tables[job->loads[i].table].mode == RV_JOB_MERGE)
			return true;
	return false;
}

enum rv_status extract_check_order(const struct rv_extract_params *params, const struct extract_archive *archive,
				   struct rv_error *err)
{
	const struct rv_extract extract = { .job = params->job->name, .name = archive->name, .order = archive->order };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf above = RV_STRBUF_INIT;
	struct rv_warehouse *warehouse = NULL;

	if (!extract_merges(params->job))
		return RV_OK;
	if (open_warehouse(params, &warehouse, err) != RV_OK ||
	    (warehouse->ops->extract_above &&
	     warehouse->ops->extract_above(warehouse, &extract, &above, err) != RV_OK))
		return err->status;
	if (!above.len)
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "%s would be older than %s, which came by another source.order, source.sequence or "
				  "source.path", archive->shown, above.bytes);
	rv_hint(err, "set them back to what they were; or, if all extracts are still there, take all of them anew with "
		     "--since 1970-01-01");
	return err->status;
}

enum rv_status extract_preflight(struct extract_reading *reading, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	const struct rv_job *job = params->job;
	struct extract_tables tables;

	if (extract_check_streams(params, err) != RV_OK)
		return err->status;
	if (!extract_has_tables(job))
		return RV_OK;
	/* what is taken anew may be all that is in the way: then it is looked at afterwards */
	if (!params->date && !params->since && extract_check_order(params, reading->archive, err) != RV_OK)
		return err->status;
	tables_init(&tables, reading, false, NULL);
	tables.extract.check_only = true;
	enum rv_status status = open_warehouse(params, &tables.warehouse, err);

	if (status == RV_OK)
		status = tables.warehouse->ops->extract_take(tables.warehouse, &tables.extract, err);
	tables_release(&tables);
	return status;
}

static void add_line(void *arg, const char *statement)
{
	struct rv_strbuf *text = arg;

	/* one statement, one line */
	rv_strbuf_puts(text, "  ");
	for (const char *c = statement; *c; c++)
		if (*c == '\n') {
			rv_strbuf_putc(text, ' ');
			c += strspn(c + 1, " ");
		} else {
			rv_strbuf_putc(text, *c);
		}
	rv_strbuf_puts(text, ";\n");
}

enum rv_status extract_plan(const struct rv_extract_params *params, struct rv_strbuf *ret, struct rv_error *err)
{
	struct extract_archive archive = { 0 };
	struct extract_reading reading = { .params = params, .archive = &archive };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf lines = RV_STRBUF_INIT;
	struct extract_tables tables;

	if (!params->warehouse || !extract_has_tables(params->job))
		return RV_OK;
	tables_init(&tables, &reading, false, NULL);
	enum rv_status status = open_warehouse(params, &tables.warehouse, err);

	if (status == RV_OK && tables.warehouse->ops->extract_plan) {
		status = tables.warehouse->ops->extract_plan(tables.warehouse, &tables.extract, add_line, &lines,
							     err);
		rv_strbuf_printf(ret, "warehouse: %s\n%s", lines.len ? "would be changed first" : "all is there",
				 lines.bytes);
	}
	tables_release(&tables);
	return status;
}

enum rv_status extract_write_rows(struct extract_reading *reading, bool replace, json_t *summary,
				  struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	const struct rv_job *job = params->job;
	RV_CLEANUP(rv_free_p) char *ledger = ledger_name(job, reading->identity);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	rv_json_dump(&text, summary);
	rv_strbuf_putc(&text, '\n');
	if ((replace && (put_torn(reading, ledger, summary, err) != RV_OK ||
			 remove_replaced(reading, err) != RV_OK)) ||
	    put_objects(reading, 0, err) != RV_OK)
		return err->status;
	if (reading->rejects.len) {
		RV_CLEANUP(rv_free_p)
		char *name = rv_asprintf("_river/extracts/%s/%s.rejects.ndjson", job->name, reading->identity);

		if (rv_store_put_bytes(params->lake, name, reading->rejects.bytes, reading->rejects.len, NULL,
				       err) != RV_OK)
			return err->status;
	}
	for (size_t i = 0; i < job->loads_count; i++)
		if (!is_second(job, i) &&
		    (job->loads[i].to == RV_JOB_TO_STREAM ? push_load(reading, i, err)
							  : put_manifest(reading, i, err)) != RV_OK)
			return err->status;
	for (size_t i = 0; i < job->documents_count; i++)
		if (job->documents[i].scope == RV_JOB_SCOPE_EXTRACT && !job->documents[i].dynamodb &&
		    put_manifest(reading, EXTRACT_DOCUMENTS + i, err) != RV_OK)
			return err->status;
	if (!extract_has_tables(job))
		return RV_OK;
	struct extract_tables tables;

	tables_init(&tables, reading, replace, text.bytes);
	enum rv_status status = write_tables(reading, &tables, summary, err);

	tables_release(&tables);
	return status;
}

/* Whether all shards have written what the extract changed. */
static enum rv_status look_for_others(const struct extract_tables *tables, bool *ret_whole, struct rv_error *err)
{
	struct rv_warehouse *warehouse = tables->warehouse;

	for (size_t i = 0; i < tables->extract.documents_count && *ret_whole; i++) {
		uint64_t left;

		if (warehouse->ops->extract_left(warehouse, &tables->extract, i, &left, err) != RV_OK)
			return err->status;
		*ret_whole = left == 0;
	}
	return RV_OK;
}

static enum rv_status write_documents(struct extract_reading *reading, bool *ret_whole, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	struct extract_tables tables;
	enum rv_status status = RV_OK;

	tables_init(&tables, reading, false, NULL);
	if (extract_has_tables(params->job))
		status = open_warehouse(params, &tables.warehouse, err);
	if (status == RV_OK)
		status = extract_documents_send(reading, &tables, err);
	if (status == RV_OK && params->shard.of > 1)
		status = look_for_others(&tables, ret_whole, err);
	tables_release(&tables);
	return status;
}

enum rv_status extract_write_documents(struct extract_reading *reading, json_t *summary, bool *ret_whole,
				       struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	RV_CLEANUP(rv_free_p) char *ledger = ledger_name(params->job, reading->identity);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	*ret_whole = true;
	if (params->job->documents_count) {
		if (write_documents(reading, ret_whole, err) != RV_OK)
			return err->status;
		json_object_set_new(summary, "documents", extract_documents_summary(reading));
	}
	if (!*ret_whole)
		return RV_OK;
	rv_json_dump(&text, summary);
	rv_strbuf_putc(&text, '\n');
	return rv_store_put_bytes(params->lake, ledger, text.bytes, text.len, NULL, err);
}
