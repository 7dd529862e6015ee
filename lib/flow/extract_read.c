/*
 * Members into objects that have no name yet. Each member is read by one thread: inflated in its child, cut
 * into rows here, written as one object per load, or several when it is large. Names are made of table,
 * member and part, so they are the same whatever thread was faster.
 */
#include "flow/extract_impl.h"

#include <pthread.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/table_value.h"
#include "format/json_text.h"
#include "format/packed_row.h"

enum {
	REJECT_BYTES = 64 << 10, /* of a row that is kept aside */
	THREADS_MAX = 64,
};
/* They are kept in memory until all members were read. */
#define REJECTS_MAX_BYTES ((uint64_t)64 << 20)

enum rv_status extract_stage(struct extract_reading *reading, const char *ours, const char *folder,
			     struct extract_object *object, struct rv_error *err)
{
	struct rv_store *lake = reading->params->lake;

	if (lake->ops->stage)
		return lake->ops->stage(lake, folder, &object->stage, &object->fd, err);
	return rv_temporary_open(ours, 0600, &object->file, &object->fd, err);
}

void extract_add_object(struct extract_objects *objects, const struct extract_object *object)
{
	RV_GROW(objects->items, objects->count, objects->capacity);
	objects->items[objects->count++] = *object;
}

void extract_drop_object(struct extract_reading *reading, struct extract_object *o)
{
	struct rv_store *lake = reading->params->lake;

	if (o->stage)
		lake->ops->stage_discard(lake, o->stage);
	else
		rv_close_p(&o->fd);
	if (o->file)
		unlink(o->file);
	free(o->file);
	free(o->name);
}

void extract_reading_release(struct extract_reading *reading)
{
	for (size_t i = 0; i < reading->objects.count; i++)
		extract_drop_object(reading, &reading->objects.items[i]);
	free(reading->objects.items);
	for (size_t i = 0; reading->tables && i < reading->params->job->tables_count; i++)
		free(reading->tables[i].members);
	free(reading->tables);
	extract_documents_release(reading);
	rv_strbuf_release(&reading->rejects);
	rv_strbuf_release(&reading->first_reject);
	rv_strbuf_release(&reading->refused);
	rv_zip_free(reading->zip);
}

/* ---- which member is which table ---- */

/* Whether anything is made of a table's rows. */
static bool is_wanted(const struct rv_job *job, size_t table)
{
	if (extract_documents_use(job, table))
		return true;
	for (size_t i = 0; i < job->loads_count; i++)
		if (job->loads[i].table == table)
			return true;
	return false;
}

#define OTHERS_SHOWN 8

enum rv_status extract_match(struct extract_reading *reading, struct rv_error *err)
{
	const struct rv_job *job = reading->params->job;
	const char *label = reading->archive->shown;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf other = RV_STRBUF_INIT;
	size_t matched = 0, others = 0;

	reading->tables = rv_calloc(job->tables_count, sizeof(*reading->tables));
	for (size_t i = 0; i < rv_zip_count(reading->zip); i++) {
		const struct rv_zip_entry *entry = rv_zip_entry(reading->zip, i);
		const struct rv_job_table *table = NULL;

		for (size_t t = 0; t < job->tables_count; t++) {
			struct extract_table *mine = &reading->tables[t];

			if (!rv_job_member_is(&job->tables[t], entry->name))
				continue;
			if (table) {
				rv_fail(err, RV_BAD_CONFIG, "%s: the member %s would be rows of %s and of %s",
					label, entry->shown, table->name, job->tables[t].name);
				rv_error_at(err, job->file, job->tables[t].line, job->tables[t].column);
				return err->status;
			}
			table = &job->tables[t];
			matched++;
			mine->members = rv_realloc_array(mine->members, mine->members_count + 1,
							 sizeof(*mine->members));
			mine->members[mine->members_count++] = i;
			if (is_wanted(job, t)) {
				mine->bytes += entry->bytes;
				reading->total_bytes += entry->bytes;
			}
		}
		if (table)
			continue;
		if (others++ < OTHERS_SHOWN)
			rv_strbuf_printf(&other, "%s%s", others > 1 ? ", " : "", entry->shown);
	}
	if (others > OTHERS_SHOWN)
		rv_strbuf_printf(&other, " and %zu more", others - OTHERS_SHOWN);
	if (others)
		extract_say(reading->params->note, reading->params->arg, "%s: no table of the job: %s", label,
			    other.bytes);
	for (size_t t = 0; t < job->tables_count; t++) {
		if (reading->tables[t].members_count || job->tables[t].optional)
			continue;
		rv_fail(err, RV_BAD_DATA, "%s: no member %s, which is the table %s", label,
			job->tables[t].member, job->tables[t].name);
		if (matched)
			rv_hint(err, "`optional: true` says that an extract may be without it");
		return err->status;
	}
	return RV_OK;
}

/* ---- one member ---- */

struct crew;
struct member {
	struct crew *crew;
	size_t table, entry;    /* of the job, of the archive */
	unsigned number;        /* among the table's members, from 1 */
	struct extract_objects objects;
	struct rv_strbuf rejects, first_reject;
	struct rv_table_counts counts;
	struct extract_writer **writers;
	size_t writers_count;
	const struct rv_packed_column *columns;
	uint64_t told_bytes, told_rows;
	struct rv_error err;
	bool done;
};
struct crew {
	struct extract_reading *reading;
	struct rv_packed_column **columns; /* of each table */
	char *folder;           /* of files of ours */
	pthread_mutex_t mutex;  /* for what follows, and for calls to the outside */
	struct member *members;
	size_t *turns;          /* largest members first, so that none is left alone at the end */
	size_t count, next;
	bool stop;
	uint64_t rejected, rejects_bytes, done_bytes, rows;
};

static enum rv_status take_row(void *arg, const char *row, size_t len, struct rv_error *err)
{
	struct member *m = arg;

	for (size_t i = 0; i < m->writers_count; i++)
		if (extract_writer_row(m->writers[i], row, len, err) != RV_OK)
			return err->status;
	return extract_documents_row(m->crew->reading, m->table, row, len, err);
}

static enum rv_status take_reject(void *arg, const struct rv_table_reject *reject, struct rv_error *err)
{
	struct member *m = arg;
	struct crew *crew = m->crew;
	const struct rv_extract_params *params = crew->reading->params;
	const char *member = rv_zip_entry(crew->reading->zip, m->entry)->shown;
	size_t len = reject->len < REJECT_BYTES ? reject->len : REJECT_BYTES, before = m->rejects.len;

	if (!m->first_reject.len)
		rv_strbuf_printf(&m->first_reject, "%s, line %" PRIu64 ": %s", member, reject->line,
				 reject->reason);
	rv_strbuf_puts(&m->rejects, "{\"v\":1,\"member\":");
	rv_strbuf_json(&m->rejects, member, strlen(member));
	rv_strbuf_printf(&m->rejects, ",\"table\":\"%s\",\"line\":%" PRIu64 ",\"offset\":%" PRIu64
				      ",\"code\":\"%s\",\"column\":\"%s\",\"reason\":",
			 params->job->tables[m->table].name, reject->line, reject->offset, reject->code,
			 reject->column);
	rv_strbuf_json(&m->rejects, reject->reason, strlen(reject->reason));
	rv_strbuf_puts(&m->rejects, ",\"bytes\":\"");
	rv_strbuf_base64(&m->rejects, reject->bytes, len);
	rv_strbuf_printf(&m->rejects, "\",\"length\":%zu}\n", reject->len);
	pthread_mutex_lock(&crew->mutex);
	bool too_many = ++crew->rejected > params->max_rejects;
	bool too_large = (crew->rejects_bytes += m->rejects.len - before) > REJECTS_MAX_BYTES;

	pthread_mutex_unlock(&crew->mutex);
	if (!too_many && !too_large)
		return RV_OK;
	if (!too_many) {
		rv_fail(err, RV_BAD_DATA, "%s: the rows that cannot be taken are more than 64 MiB can hold; %s",
			crew->reading->archive->shown, m->first_reject.bytes);
		rv_hint(err, "nothing of it was loaded: is it another file than the job says?");
		return err->status;
	}
	if (!params->max_rejects)
		rv_fail(err, RV_BAD_DATA, "%s: %s", crew->reading->archive->shown, m->first_reject.bytes);
	else
		rv_fail(err, RV_BAD_DATA, "%s: more than %" PRIu64 " row%s cannot be taken; %s",
			crew->reading->archive->shown, params->max_rejects,
			params->max_rejects == 1 ? "" : "s", m->first_reject.bytes);
	rv_hint(err, "nothing of it was loaded; --max-rejects says how many rows may be set aside");
	return err->status;
}

static enum rv_status tell(void *arg, uint64_t bytes, struct rv_error *err)
{
	struct member *m = arg;
	struct crew *crew = m->crew;
	const struct rv_extract_params *params = crew->reading->params;

	pthread_mutex_lock(&crew->mutex);
	crew->done_bytes += bytes - m->told_bytes;
	crew->rows += m->counts.rows - m->told_rows;
	m->told_bytes = bytes;
	m->told_rows = m->counts.rows;
	const struct rv_extract_progress progress = {
		.archive = crew->reading->archive->shown,
		.member = rv_zip_entry(crew->reading->zip, m->entry)->shown,
		.done_bytes = crew->done_bytes, .total_bytes = crew->reading->total_bytes,
		.rows = crew->rows,
	};

	if (params->progress)
		params->progress(params->arg, &progress);
	if (params->should_stop && params->should_stop())
		crew->stop = true;
	bool stop = crew->stop;

	pthread_mutex_unlock(&crew->mutex);
	return stop ? rv_fail(err, RV_FAILED, "stopped") : RV_OK;
}

static enum rv_status make_writers(struct member *m, struct rv_error *err)
{
	const struct rv_job *job = m->crew->reading->params->job;

	m->writers = rv_calloc(job->loads_count + 1, sizeof(*m->writers));
	for (size_t i = 0; i < job->loads_count; i++) {
		const struct extract_writer_params params = {
			.reading = m->crew->reading, .ours = m->crew->folder, .load = i,
			.member = m->number, .columns = m->columns, .objects = &m->objects };

		if (job->loads[i].table != m->table)
			continue;
		if (extract_writer_new(&params, &m->writers[m->writers_count], err) != RV_OK)
			return err->status;
		m->writers_count++;
	}
	return RV_OK;
}

static enum rv_status read_member(struct member *m, struct rv_error *err)
{
	struct extract_reading *reading = m->crew->reading;
	const struct rv_job *job = reading->params->job;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	const struct rv_table_sink sink = { .row = take_row, .reject = take_reject, .progress = tell, .arg = m };

	if (make_writers(m, err) != RV_OK ||
	    rv_zip_member_unpacked(reading->zip, m->entry, &source, err) != RV_OK ||
	    rv_table_csv_read(&job->tables[m->table], job->max_row_bytes, source, &sink, &m->counts, err) !=
		    RV_OK)
		return err->status;
	for (size_t i = 0; i < m->writers_count; i++)
		if (extract_writer_end(m->writers[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

static void release_writers(struct member *m)
{
	for (size_t i = 0; i < m->writers_count; i++)
		extract_writer_free(m->writers[i]);
	free(m->writers);
	m->writers = NULL;
	m->writers_count = 0;
}

/* ---- all of them ---- */

static void *work(void *arg)
{
	struct crew *crew = arg;

	for (;;) {
		pthread_mutex_lock(&crew->mutex);
		struct member *m = !crew->stop && crew->next < crew->count ? &crew->members[crew->turns[crew->next++]]
									   : NULL;

		pthread_mutex_unlock(&crew->mutex);
		if (!m)
			return NULL;
		enum rv_status status = read_member(m, &m->err);

		release_writers(m);
		m->done = status == RV_OK;
		if (status == RV_OK)
			continue;
		pthread_mutex_lock(&crew->mutex);
		crew->stop = true;
		pthread_mutex_unlock(&crew->mutex);
	}
}

/* An object staged is an open file, and of a thousand members there are a thousand. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void plan_members(struct crew *crew)
{
	const struct rv_job *job = crew->reading->params->job;

	crew->columns = rv_calloc(job->tables_count, sizeof(*crew->columns));
	for (size_t t = 0; t < job->tables_count; t++) {
		const struct extract_table *table = &crew->reading->tables[t];

		if (!is_wanted(job, t))
			continue;
		crew->columns[t] = rv_calloc(job->tables[t].columns_count, sizeof(**crew->columns));
		for (size_t c = 0; c < job->tables[t].columns_count; c++)
			rv_packed_column_init(&crew->columns[t][c], job->tables[t].columns[c].name,
					      rv_table_is_literal(&job->tables[t].columns[c]));
		for (size_t i = 0; i < table->members_count; i++) {
			crew->members = rv_realloc_array(crew->members, crew->count + 1,
							 sizeof(*crew->members));
			crew->members[crew->count++] = (struct member){
				.crew = crew, .table = t, .entry = table->members[i],
				.number = (unsigned)i + 1, .columns = crew->columns[t],
				.rejects = RV_STRBUF_INIT, .first_reject = RV_STRBUF_INIT,
				.err = RV_ERROR_INIT };
		}
	}
}

static uint64_t bytes_of(const struct crew *crew, size_t member)
{
	return rv_zip_entry(crew->reading->zip, crew->members[member].entry)->bytes;
}

static int compare_turns(const void *a, const void *b, void *arg)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	uint64_t bytes = bytes_of(arg, x), others = bytes_of(arg, y);

	return bytes != others ? (bytes < others) - (bytes > others) : (x > y) - (x < y);
}

static void plan_turns(struct crew *crew)
{
	crew->turns = rv_calloc(crew->count + 1, sizeof(*crew->turns));
	for (size_t i = 0; i < crew->count; i++)
		crew->turns[i] = i;
	qsort_r(crew->turns, crew->count, sizeof(*crew->turns), compare_turns, crew);
}

/* What the members made, in their order. */
static enum rv_status gather(struct crew *crew, struct rv_error *err)
{
	struct extract_reading *reading = crew->reading;
	const struct member *failed = NULL;

	for (size_t i = 0; i < crew->count; i++) {
		struct member *m = &crew->members[i];

		for (size_t k = 0; k < m->objects.count; k++)
			extract_add_object(&reading->objects, &m->objects.items[k]);

		reading->tables[m->table].rows += m->counts.rows;
		reading->tables[m->table].rejected += m->counts.rejected;
		reading->rows += m->counts.rows;
		reading->rejected += m->counts.rejected;
		reading->bytes += m->counts.bytes;
		rv_strbuf_add(&reading->rejects, m->rejects.bytes, m->rejects.len);
		if (!reading->first_reject.len)
			rv_strbuf_add(&reading->first_reject, m->first_reject.bytes, m->first_reject.len);
		/* one that was stopped by another's failure says nothing of its own */
		bool own = m->err.status != RV_OK && strcmp(m->err.message, "stopped") != 0;

		if (m->err.status != RV_OK && (!failed || (own && strcmp(failed->err.message, "stopped") == 0)))
			failed = m;
	}
	if (failed)
		*err = failed->err;
	return failed ? err->status : RV_OK;
}

enum rv_status extract_read(struct extract_reading *reading, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	struct crew crew = { .reading = reading, .mutex = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[THREADS_MAX];
	size_t started = 0, most = params->threads < THREADS_MAX ? params->threads : THREADS_MAX;

	if (extract_folder(params, &crew.folder, err) != RV_OK)
		return err->status;
	allow_files();
	plan_members(&crew);
	plan_turns(&crew);
	/* a member is one file at a time, and what those take has a bound */
	if (reading->parquet && reading->parquet->files_max < most)
		most = reading->parquet->files_max;
	while (started + 1 < most && started + 1 < crew.count &&
	       pthread_create(&threads[started], NULL, work, &crew) == 0)
		started++;
	work(&crew);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	enum rv_status status = gather(&crew, err);

	for (size_t i = 0; i < crew.count; i++) {
		free(crew.members[i].objects.items);
		rv_strbuf_release(&crew.members[i].rejects);
		rv_strbuf_release(&crew.members[i].first_reject);
	}
	for (size_t t = 0; t < params->job->tables_count; t++) {
		for (size_t c = 0; crew.columns[t] && c < params->job->tables[t].columns_count; c++)
			rv_packed_column_release(&crew.columns[t][c]);
		free(crew.columns[t]);
	}
	free(crew.columns);
	free(crew.members);
	free(crew.turns);
	free(crew.folder);
	pthread_mutex_destroy(&crew.mutex);
	return status;
}
