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
#include "format/compress.h"
#include "format/json_text.h"
#include "format/packed_row.h"

enum {
	BLOCK = 256 << 10,      /* what the compressor gets at once */
	REJECT_BYTES = 64 << 10, /* of a row that is kept aside */
};
/* A part closes at so many bytes of text: some hundred MB packed at most, as warehouses like it. */
#define PART_BYTES ((uint64_t)1 << 30)
#define REJECTS_MAX_BYTES (256u << 20)

enum rv_status extract_stage(struct extract_reading *reading, const char *ours, const char *folder,
			     struct extract_object *object, struct rv_error *err)
{
	struct rv_store *lake = reading->params->lake;

	if (lake->ops->stage)
		return lake->ops->stage(lake, folder, &object->stage, &object->fd, err);
	return rv_temporary_open(ours, 0600, &object->file, &object->fd, err);
}

void extract_add_object(struct extract_reading *reading, const struct extract_object *object)
{
	RV_GROW(reading->objects, reading->objects_count, reading->objects_capacity);
	reading->objects[reading->objects_count++] = *object;
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
	for (size_t i = 0; i < reading->objects_count; i++)
		extract_drop_object(reading, &reading->objects[i]);
	free(reading->objects);
	for (size_t i = 0; reading->tables && i < reading->params->job->tables_count; i++)
		free(reading->tables[i].members);
	free(reading->tables);
	extract_documents_release(reading);
	rv_strbuf_release(&reading->rejects);
	rv_strbuf_release(&reading->first_reject);
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

enum rv_status extract_match(struct extract_reading *reading, struct rv_error *err)
{
	const struct rv_job *job = reading->params->job;
	const char *label = reading->archive->shown;
	size_t matched = 0;

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
		if (!table)
			extract_say(reading->params->note, reading->params->arg,
				    "%s: the member %s is no table of the job", label, entry->shown);
	}
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

/* An object that is being written. */
struct writer {
	const struct rv_job_load *load;
	size_t load_index;
	struct rv_compressor *compressor;
	struct rv_strbuf block;
	uint64_t text_bytes, rows, written;
	unsigned part;
	bool open;
	struct extract_object object;
};
struct crew;
struct member {
	struct crew *crew;
	size_t table, entry;    /* of the job, of the archive */
	unsigned number;        /* among the table's members, from 1 */
	struct extract_object *objects;
	size_t objects_count, objects_capacity;
	struct rv_strbuf rejects, first_reject;
	struct rv_table_counts counts;
	struct writer *writers;
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
	uint64_t rejected, done_bytes, rows;
};

static const char *ending(const struct rv_job_load *load)
{
	static const char *const packed[] = { ".zst", ".gz", ".gz", "" };

	return load->to == RV_JOB_TO_STREAM ? ".zst" : packed[load->compression];
}

static enum rv_status write_staged(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct writer *w = arg;

	w->written += len;
	return rv_write_all(w->object.fd, p, len, w->object.name, err);
}

static enum rv_status flush_block(struct writer *w, struct rv_error *err)
{
	if (w->block.len &&
	    rv_compressor_write(w->compressor, w->block.bytes, w->block.len, err) != RV_OK)
		return err->status;
	rv_strbuf_clear(&w->block);
	return RV_OK;
}

static void csv_text(struct rv_strbuf *sb, const char *p, size_t len)
{
	bool plain = len > 0;

	for (size_t i = 0; i < len && plain; i++)
		plain = p[i] != '"' && p[i] != ',' && p[i] != '\n' && p[i] != '\r';
	if (plain) {
		rv_strbuf_add(sb, p, len);
		return;
	}
	rv_strbuf_putc(sb, '"');
	for (const char *quote; len && (quote = memchr(p, '"', len)); len -= (size_t)(quote + 1 - p), p = quote + 1) {
		rv_strbuf_add(sb, p, (size_t)(quote + 1 - p));
		rv_strbuf_putc(sb, '"');
	}
	rv_strbuf_add(sb, p, len);
	rv_strbuf_putc(sb, '"');
}

static void csv_row(const struct rv_job_table *table, const char *row, size_t len, struct rv_strbuf *sb)
{
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
	struct rv_packed_cell cell;

	for (size_t i = 0; rv_packed_next(&cursor, &cell); i++) {
		if (i)
			rv_strbuf_putc(sb, ',');
		/* nothing is null, "" is the empty text */
		if (cell.null)
			continue;
		if (rv_table_is_literal(&table->columns[i]) && table->columns[i].type != RV_COLUMN_JSON)
			rv_strbuf_add(sb, cell.p, cell.len);
		else
			csv_text(sb, cell.p, cell.len);
	}
	rv_strbuf_putc(sb, '\n');
}

/* Starts the next part of a load. */
static enum rv_status open_part(struct member *m, struct writer *w, struct rv_error *err)
{
	const struct extract_reading *reading = m->crew->reading;
	const struct rv_job *job = reading->params->job;
	const struct rv_job_table *table = &job->tables[m->table];
	RV_CLEANUP(rv_free_p)
	char *folder = rv_asprintf("loads/%s/%.16s", job->name, reading->identity);

	w->part++;
	w->object = (struct extract_object){ .load = w->load_index, .fd = -1 };
	w->object.name = rv_asprintf("%s/%s-%04u-%04u.%s%s", folder, table->name, m->number, w->part,
				     w->load->format == RV_JOB_CSV ? "csv" : "ndjson", ending(w->load));
	/* a file of a stream's is pushed by its name */
	if ((w->load->to == RV_JOB_TO_STREAM
		     ? rv_temporary_open(m->crew->folder, 0600, &w->object.file, &w->object.fd, err)
		     : extract_stage(m->crew->reading, m->crew->folder, folder, &w->object, err)) != RV_OK)
		return err->status;
	w->open = true;
	w->text_bytes = w->written = w->rows = 0;
	rv_compressor_begin(w->compressor, write_staged, w);
	if (w->load->format == RV_JOB_CSV) {
		for (size_t i = 0; i < table->columns_count; i++)
			rv_strbuf_printf(&w->block, "%s%s", i ? "," : "", table->columns[i].name);
		rv_strbuf_putc(&w->block, '\n');
	}
	return RV_OK;
}

static enum rv_status close_part(struct member *m, struct writer *w, struct rv_error *err)
{
	if (flush_block(w, err) != RV_OK || rv_compressor_end(w->compressor, err) != RV_OK)
		return err->status;
	w->object.bytes = w->written;
	w->object.rows = w->rows;
	RV_GROW(m->objects, m->objects_count, m->objects_capacity);
	m->objects[m->objects_count++] = w->object;
	w->open = false;
	return RV_OK;
}

static enum rv_status take_row(void *arg, const char *row, size_t len, struct rv_error *err)
{
	struct member *m = arg;
	const struct rv_job_table *table = &m->crew->reading->params->job->tables[m->table];

	for (size_t i = 0; i < m->writers_count; i++) {
		struct writer *w = &m->writers[i];
		size_t before = w->block.len;

		if (!w->open && open_part(m, w, err) != RV_OK)
			return err->status;
		if (w->load->format == RV_JOB_CSV) {
			csv_row(table, row, len, &w->block);
		} else {
			rv_strbuf_putc(&w->block, '{');
			if (!rv_packed_row_json(m->columns, table->columns_count, row, len, &w->block))
				rv_bug("a packed row of %zu bytes that is none", len);
			rv_strbuf_add(&w->block, "}\n", 2);
		}
		w->rows++;
		w->text_bytes += w->block.len - before;
		if (w->block.len >= BLOCK && flush_block(w, err) != RV_OK)
			return err->status;
		if (w->text_bytes >= PART_BYTES && close_part(m, w, err) != RV_OK)
			return err->status;
	}
	return extract_documents_row(m->crew->reading, m->table, row, len, err);
}

static enum rv_status take_reject(void *arg, const struct rv_table_reject *reject, struct rv_error *err)
{
	struct member *m = arg;
	struct crew *crew = m->crew;
	const struct rv_extract_params *params = crew->reading->params;
	const char *member = rv_zip_entry(crew->reading->zip, m->entry)->shown;
	size_t len = reject->len < REJECT_BYTES ? reject->len : REJECT_BYTES;

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

	pthread_mutex_unlock(&crew->mutex);
	if (!too_many && m->rejects.len < REJECTS_MAX_BYTES)
		return RV_OK;
	rv_fail(err, RV_BAD_DATA, "%s: more than %" PRIu64 " row%s cannot be taken; %s",
		crew->reading->archive->shown, params->max_rejects, params->max_rejects == 1 ? "" : "s",
		m->first_reject.bytes);
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
		const struct rv_job_load *load = &job->loads[i];

		if (load->table != m->table)
			continue;
		struct writer *w = &m->writers[m->writers_count++];

		*w = (struct writer){ .load = load, .load_index = i, .block = RV_STRBUF_INIT };
		if (rv_compressor_new(load->to == RV_JOB_TO_STREAM ? RV_OUTPUT_ZSTD : load->compression, 0,
				      &w->compressor, err) != RV_OK)
			return err->status;
		/* also of a member without rows: its load is there, and empty */
		if (open_part(m, w, err) != RV_OK)
			return err->status;
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
		if (m->writers[i].open && close_part(m, &m->writers[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

static void release_writers(struct member *m)
{
	for (size_t i = 0; i < m->writers_count; i++) {
		struct writer *w = &m->writers[i];

		if (w->open)
			extract_drop_object(m->crew->reading, &w->object);
		rv_compressor_free(w->compressor);
		rv_strbuf_release(&w->block);
	}
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

		for (size_t k = 0; k < m->objects_count; k++)
			extract_add_object(reading, &m->objects[k]);

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
	pthread_t threads[64];
	size_t started = 0;

	if (extract_folder(params, &crew.folder, err) != RV_OK)
		return err->status;
	allow_files();
	plan_members(&crew);
	plan_turns(&crew);
	while (started + 1 < params->threads && started < 63 && started + 1 < crew.count &&
	       pthread_create(&threads[started], NULL, work, &crew) == 0)
		started++;
	work(&crew);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	enum rv_status status = gather(&crew, err);

	for (size_t i = 0; i < crew.count; i++) {
		free(crew.members[i].objects);
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
