/* A run: the lock, one archive after the other in their order, and what is said of them. */
#include "flow/extract_sequence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/json_text.h"

/* An archive that cannot be read and is younger than this may still be on its way. */
#define SETTLE_MS 60000

void extract_say(void (*say)(void *arg, const char *text), void *arg, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;

	if (!say)
		return;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	say(arg, text.bytes);
}

void rv_extract_result_release(struct rv_extract_result *result)
{
	json_decref(result->extracts);
	json_decref(result->missing);
	*result = (struct rv_extract_result){ 0 };
}

/* ---- one archive ---- */

static json_t *summary_of(const struct extract_reading *reading, const char *status)
{
	const struct rv_job *job = reading->params->job;
	const struct extract_archive *archive = reading->archive;
	char time[RV_TIME_TEXT];
	json_t *tables = json_object(), *name = json_string(archive->name);

	for (size_t i = 0; i < job->tables_count; i++)
		json_object_set_new(tables, job->tables[i].name,
				    json_pack("{s:I, s:I, s:I}", "members",
					      (json_int_t)reading->tables[i].members_count, "rows",
					      (json_int_t)reading->tables[i].rows, "rejected",
					      (json_int_t)reading->tables[i].rejected));
	json_t *summary =
		json_pack("{s:i, s:s, s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "v", 1, "job", job->name,
			 "identity", reading->identity, "name", name ? name : rv_json_bytes(archive->name),
			 "status", status, "modified", rv_format_time(archive->modified_ms, time), "taken_by",
			 "river", "bytes", (json_int_t)archive->bytes, "text_bytes",
			 (json_int_t)reading->bytes, "rows", (json_int_t)reading->rows, "rejected",
			 (json_int_t)reading->rejected, "tables", tables);

	if (reading->params->shard.of > 1)
		json_object_set_new(summary, "shards", json_integer(reading->params->shard.of));
	return summary;
}

/* Whether the file that was read is still what it was when it was opened. */
static enum rv_status check_unchanged(const struct extract_archive *archive, int fd,
				      const struct stat *before, struct rv_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "%s", archive->shown);
	if (st.st_size != before->st_size || st.st_mtim.tv_sec != before->st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
		return rv_fail(err, RV_BAD_DATA, "%s changed while it was read", archive->shown);
	return RV_OK;
}

/* One run at a time reads an archive and commits its rows. A run alone holds this lock from its beginning. */
static enum rv_status lock_rows(const struct rv_extract_params *params, struct rv_lock *lock,
				struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *folder = NULL;

	if (params->shard.of < 2)
		return RV_OK;
	if (extract_folder(params, &folder, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, "lock");

	if (rv_lock_take(lock, path, RV_LOCK_EXCLUSIVE, params->rows_timeout_ms, 0, err) == RV_OK)
		return RV_OK;
	return rv_context(err, "another shard of the job %s takes an extract", params->job->name);
}

/* Reads the archive, and brings everything but documents of histories to where it belongs. */
static enum rv_status load_archive(struct extract_reading *reading, int fd, const struct stat *before,
				   const struct rv_extract_result *result, bool replace, json_t **ret_summary,
				   struct rv_error *err)
{
	if (extract_match(reading, err) != RV_OK ||
	    extract_open_parquet(reading->params, &reading->parquet, err) != RV_OK ||
	    (!result->taken && extract_preflight(reading, err) != RV_OK) ||
	    extract_documents_begin(reading, err) != RV_OK || extract_read(reading, err) != RV_OK ||
	    extract_documents_stage(reading, err) != RV_OK ||
	    check_unchanged(reading->archive, fd, before, err) != RV_OK)
		return err->status;
	*ret_summary = summary_of(reading, reading->rejected ? "partial" : "taken");
	return extract_write_rows(reading, replace, *ret_summary, err);
}

/* Its rows are in the warehouse: by a run that was killed behind them, or by another shard. */
static enum rv_status go_on(struct extract_reading *reading, const json_t *summary, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	uint64_t shards = json_object_get(summary, "shards") ? rv_json_get_u64(summary, "shards") : 1;

	if (shards != (params->shard.of > 1 ? params->shard.of : 1)) {
		if (shards == 1) {
			rv_fail(err, RV_CONFLICT, "%s: its documents are not divided into shards, and not all written",
				reading->archive->shown);
			rv_hint(err, "run the job once without --shard");
		} else {
			rv_fail(err, RV_CONFLICT, "%s: its documents are divided into %" PRIu64 " shards, and not all "
						  "written", reading->archive->shown, shards);
			rv_hint(err, "run --shard i/%" PRIu64 " for each of them; or take it anew with --date",
				shards);
		}
		return err->status;
	}
	reading->again = true;
	reading->rows = rv_json_get_u64(summary, "rows");
	reading->rejected = rv_json_get_u64(summary, "rejected");
	reading->bytes = rv_json_get_u64(summary, "text_bytes");
	return extract_documents_begin(reading, err);
}

/* What the warehouse's ledger says decides: of hosts that read an archive at once, one has its rows. */
static enum rv_status was_faster(struct extract_reading *reading, enum extract_known *ret,
				 json_t **ret_summary, struct rv_error *err)
{
	if (err->status != RV_CONFLICT || reading->params->shard.of < 2)
		return err->status;
	struct rv_error ignored = RV_ERROR_INIT;
	json_t *other = NULL;

	if (extract_known(reading->params, reading->identity, ret, &other, &ignored) != RV_OK ||
	    *ret != EXTRACT_LOADED) {
		json_decref(other);
		return err->status;
	}
	json_decref(*ret_summary);
	*ret_summary = other;
	/* they begin anew, with the rows of the other one */
	extract_documents_release(reading);
	*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}

static enum rv_status take_rows(struct extract_reading *reading, int fd, bool replace,
				const struct rv_extract_result *result, enum extract_known *ret,
				json_t **ret_summary, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	struct stat before;

	if (fstat(fd, &before) != 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "%s", reading->archive->shown);
	if (rv_zip_identity(reading->zip, reading->identity, err) != RV_OK ||
	    (!replace && extract_known(params, reading->identity, ret, ret_summary, err) != RV_OK))
		return err->status;
	if (*ret == EXTRACT_TAKEN)
		return RV_OK;
	if (*ret == EXTRACT_TORN && params->shard.of > 1) {
		rv_fail(err, RV_CONFLICT, "%s: a run that took it anew was killed", reading->archive->shown);
		rv_hint(err, "run the job once without --shard");
		return err->status;
	}
	if (*ret != EXTRACT_LOADED &&
	    load_archive(reading, fd, &before, result, replace || *ret == EXTRACT_TORN, ret_summary, err) != RV_OK &&
	    was_faster(reading, ret, ret_summary, err) != RV_OK)
		return err->status;
	return *ret == EXTRACT_LOADED ? go_on(reading, *ret_summary, err) : RV_OK;
}

/* "2 rows", "1 row and 3 documents" */
static void aside_text(struct rv_strbuf *ret, uint64_t rows, uint64_t documents)
{
	if (rows || !documents)
		rv_strbuf_printf(ret, "%" PRIu64 " row%s", rows, rows == 1 ? "" : "s");
	if (documents)
		rv_strbuf_printf(ret, "%s%" PRIu64 " document%s", rows ? " and " : "", documents,
				 documents == 1 ? "" : "s");
}

static void count_archive(const struct extract_reading *reading, bool whole, json_t *summary,
			  struct rv_extract_result *result)
{
	const struct rv_extract_params *params = reading->params;
	/* against the clock now: the time that it took counts */
	int64_t age_ms = params->now_ms ? rv_clock_ms() - reading->archive->modified_ms : 0;

	json_object_set_new(summary, "age_ms", json_integer(age_ms));
	if (params->shard.of > 1) {
		json_object_set_new(summary, "shard", json_integer(params->shard.number));
		json_object_set_new(summary, "whole", json_boolean(whole));
	}
	json_array_append(result->extracts, summary);
	result->taken++;
	result->rows += reading->rows;
	result->rejected += reading->rejected;
	result->input_bytes += reading->bytes;
	for (size_t i = 0; i < reading->objects.count; i++) {
		result->objects++;
		result->object_bytes += reading->objects.items[i].bytes;
	}
	if (age_ms > result->oldest_age_ms)
		result->oldest_age_ms = age_ms;
	result->documents_refused += reading->documents_refused;
	if (reading->rejected) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf what = RV_STRBUF_INIT;

		aside_text(&what, reading->rejected - reading->documents_refused, reading->documents_refused);
		extract_say(params->warn, params->arg, "%s: %s set aside; the first: %s",
			    reading->archive->shown, what.bytes,
			    reading->first_reject.len ? reading->first_reject.bytes
						      : "see _river/extracts in the lake");
	}
	if (params->deadline_ms && age_ms > params->deadline_ms) {
		char age[RV_NUMBER_TEXT], limit[RV_NUMBER_TEXT];

		result->late = true;
		extract_say(params->warn, params->arg, "%s was taken %s after it was written; the deadline is %s",
			    reading->archive->shown, rv_format_duration(age_ms, age),
			    rv_format_duration(params->deadline_ms, limit));
	}
}

static enum rv_status read_archive(struct extract_reading *reading, bool replace,
				   struct rv_extract_result *result, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	struct rv_lock lock = RV_LOCK_INIT;
	enum extract_known known = EXTRACT_NEW;
	json_t *summary = NULL;
	int fd = -1;

	if (extract_open(params, reading->archive, &reading->zip, &fd, err) != RV_OK ||
	    lock_rows(params, &lock, err) != RV_OK)
		return err->status;
	enum rv_status status = take_rows(reading, fd, replace, result, &known, &summary, err);

	rv_lock_release(&lock);
	reading->whole = true;
	if (status == RV_OK && known == EXTRACT_TAKEN) {
		result->known++;
	} else if (status == RV_OK) {
		status = extract_write_documents(reading, summary, &reading->whole, err);
		/* its part was written by an earlier run; others are not yet */
		if (status == RV_OK && !reading->whole && known == EXTRACT_LOADED &&
		    !extract_documents_written(reading))
			result->known++;
		else if (status == RV_OK)
			count_archive(reading, reading->whole, summary, result);
	}
	json_decref(summary);
	return status;
}

static void refuse(const struct rv_extract_params *params, const struct extract_archive *archive,
		   struct rv_extract_result *result, struct rv_error *first, const struct rv_error *err)
{
	json_t *name = json_string(archive->name);

	result->failed++;
	json_array_append_new(result->extracts, json_pack("{s:o, s:s, s:s}", "name",
							  name ? name : rv_json_bytes(archive->name), "status",
							  "refused", "message", err->message));
	if (first->status == RV_OK)
		*first = *err;
	else
		extract_say(params->warn, params->arg, "%s", err->message);
}

/* RV_OK also when the archive is refused and the run goes on: `first` has the first refusal then. */
static enum rv_status take_archive(const struct rv_extract_params *params, struct extract_archive *archive,
				   struct rv_extract_result *result, struct rv_error *first,
				   struct rv_error *err)
{
	struct extract_reading reading = { .params = params, .archive = archive, .rejects = RV_STRBUF_INIT,
					   .first_reject = RV_STRBUF_INIT, .refused = RV_STRBUF_INIT };
	bool replace = params->date || params->since;
	enum rv_status status = read_archive(&reading, replace, result, err);

	if (status == RV_OK) {
		archive->seen = reading.whole;
		memcpy(archive->identity, reading.identity, sizeof(archive->identity));
	}
	bool unreadable = !reading.zip;

	extract_reading_release(&reading);
	if (status == RV_NOT_FOUND && unreadable) {
		extract_say(params->warn, params->arg, "%s has gone", archive->shown);
		*err = (struct rv_error)RV_ERROR_INIT;
		return RV_OK;
	}
	if (status != RV_BAD_DATA)
		return status;
	int64_t age_ms = params->now_ms - archive->modified_ms;

	/* a time to come is no time of writing, and would have it waited for until then */
	if (unreadable && !archive->bucket && age_ms < SETTLE_MS && age_ms > -SETTLE_MS && !params->sources_count) {
		extract_say(params->note, params->arg, "%s is new and not whole yet; the next run looks again",
			    archive->shown);
		result->waiting++;
	} else {
		refuse(params, archive, result, first, err);
	}
	*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}

/* ---- all of them ---- */

/* What a run has at hand while it goes through the archives. */
struct round {
	const struct rv_extract_params *params;
	struct rv_extract_result *result;
	struct extract_archives archives;
	struct extract_sequence sequence;
	struct rv_error first;        /* the first archive that was refused */
	struct rv_error gap;          /* the first that waits for a missing one, and what it waits for */
	struct extract_range awaited;
	uint64_t held;
	bool remembered;              /* some are, that were not before */
};

static enum rv_status no_number(const struct rv_extract_params *params, const struct extract_archive *archive,
				struct rv_error *err)
{
	return rv_fail(err, RV_BAD_DATA, "%s has no number: the job's sequence is %s", archive->shown,
		       params->job->sequence);
}

/* Whether an archive of a sequence may be taken now. */
static bool is_due(struct round *p, const struct extract_archive *archive)
{
	const struct rv_extract_params *params = p->params;
	struct extract_range gap;
	struct rv_error err = RV_ERROR_INIT;
	char text[EXTRACT_RANGE_TEXT];
	uint64_t number;

	if (!extract_sequence_number(params->job, archive->name, &number)) {
		if (no_number(params, archive, &err) != RV_OK)
			refuse(params, archive, p->result, &p->first, &err);
		return false;
	}
	/* extracts of some days alone are asked for */
	if (params->date || params->since ||
	    !extract_sequence_gap(&p->sequence, &p->archives, number, &gap))
		return true;
	extract_range_text(&gap, text);
	if (params->allow_gaps) {
		extract_say(params->warn, params->arg, "%s is taken, and %s before it %s missing", archive->shown, text,
			    gap.first == gap.last ? "is" : "are");
		return true;
	}
	p->result->waiting++;
	if (p->held++)
		return false;
	p->awaited = gap;
	rv_fail(&p->gap, RV_FAILED, "%s waits: %s of the sequence %s %s missing", archive->shown, text,
		params->job->sequence, gap.first == gap.last ? "is" : "are");
	rv_hint(&p->gap, "--allow-gaps takes what there is; one that comes late is put in its place");
	return false;
}

static enum rv_status visit(struct round *p, struct extract_archive *archive, struct rv_error *err)
{
	const struct rv_extract_params *params = p->params;
	uint64_t number;

	if (params->job->sequence && !is_due(p, archive))
		return RV_OK;
	if (take_archive(params, archive, p->result, &p->first, err) != RV_OK)
		return err->status;
	if (archive->seen && params->job->sequence && extract_sequence_number(params->job, archive->name, &number) &&
	    extract_sequence_took(params, &p->sequence, number, err) != RV_OK)
		return err->status;
	/* after each, so that a run that is killed does not open them all again */
	if (!archive->seen || params->date || params->since)
		return RV_OK;
	p->remembered = true;
	return extract_keep(params, archive, err);
}

static enum rv_status visit_all(struct round *p, struct rv_error *err)
{
	const struct rv_extract_params *params = p->params;
	enum rv_status status = extract_find(params, &p->archives, err);

	/* Taking anew may be cut short, and then it is the next run that has to look at them again. */
	if (status == RV_OK)
		status = params->date || params->since ? extract_forget(params, err)
						       : extract_remember(params, &p->archives, err);
	if (status == RV_OK && params->job->sequence)
		status = extract_sequence_read(params, &p->archives, &p->sequence, err);
	for (size_t i = 0; status == RV_OK && i < p->archives.count; i++) {
		struct extract_archive *archive = &p->archives.items[i];

		p->result->found++;
		if (archive->seen) {
			p->result->known++;
			continue;
		}
		if (params->should_stop && params->should_stop())
			return rv_fail(err, RV_FAILED, "stopped by a signal; the same command again goes on");
		status = visit(p, archive, err);
	}
	/* a run of some archives has not looked for the others */
	if (status == RV_OK && p->remembered && !params->sources_count)
		status = extract_keep_all(params, &p->archives, err);
	return status;
}

/* What a run that went to its end comes to: the worst first. */
static enum rv_status conclude(const struct round *p, struct rv_error *err)
{
	const struct rv_extract_result *result = p->result;

	if (p->first.status != RV_OK) {
		if (p->held)
			extract_say(p->params->warn, p->params->arg, "%s", p->gap.message);
		*err = p->first;
		if (result->failed > 1)
			rv_context(err, "%" PRIu64 " extracts were refused; the first", result->failed);
		return err->status;
	}
	/* the oldest of those that were taken anew against what was not */
	if ((p->params->date || p->params->since) && result->taken &&
	    extract_check_order(p->params, &p->archives.items[0], err) != RV_OK)
		return err->status == RV_CONFLICT ? rv_context(err, "taken anew") : err->status;
	if (p->held) {
		*err = p->gap;
		if (p->held > 1)
			rv_context(err, "%" PRIu64 " extracts wait; the first", p->held);
		return err->status;
	}
	if (result->late)
		return rv_fail(err, RV_FAILED, "an extract was taken after the deadline");
	if (result->rejected) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf what = RV_STRBUF_INIT;

		aside_text(&what, result->rejected - result->documents_refused,
			   result->documents_refused);
		rv_fail(err, RV_PARTIAL, "%s %s set aside in %s/_river/extracts/%s", what.bytes,
			result->rejected == 1 ? "was" : "were", p->params->lake->url, p->params->job->name);
		rv_hint(err, "<extract>.rejects.ndjson has each with its line, reason and bytes, and <extract>.refused.ndjson "
			     "documents that cannot be written; all other rows are loaded");
		return err->status;
	}
	return RV_OK;
}

static enum rv_status run_locked(const struct rv_extract_params *params, struct rv_extract_result *result,
				 struct rv_error *err)
{
	struct round p = { .params = params, .result = result, .first = RV_ERROR_INIT, .gap = RV_ERROR_INIT };
	enum rv_status status = visit_all(&p, err);

	if (params->job->sequence)
		result->missing = extract_sequence_missing(&p.sequence);
	if (p.held)
		json_array_append_new(result->missing, json_pack("[I, I]", (json_int_t)p.awaited.first,
								 (json_int_t)p.awaited.last));
	if (status == RV_OK)
		status = conclude(&p, err);
	extract_archives_release(&p.archives);
	extract_sequence_release(&p.sequence);
	return status;
}

/* Who may work beside whom: runs of different shards, but a run without shards alone. */
static enum rv_status lock_run(const struct rv_extract_params *params, const char *folder,
			       struct rv_lock *ret_shards, struct rv_lock *ret_own, struct rv_error *err)
{
	bool shard = params->shard.of > 1;
	RV_CLEANUP(rv_free_p) char *shards = rv_path_join(folder, "shards.lock");
	RV_CLEANUP(rv_free_p)
	char *own = shard ? rv_asprintf("%s/shard-%u-of-%u.lock", folder, params->shard.number, params->shard.of)
			  : rv_path_join(folder, "lock");

	if (rv_lock_take(ret_shards, shards, shard ? RV_LOCK_SHARED : RV_LOCK_EXCLUSIVE, params->lock_timeout_ms,
			 0, err) == RV_OK &&
	    rv_lock_take(ret_own, own, RV_LOCK_EXCLUSIVE, params->lock_timeout_ms, 0, err) == RV_OK)
		return RV_OK;
	if (err->status != RV_LOCKED)
		return err->status;
	if (shard && ret_shards->fd >= 0)
		rv_fail(err, RV_LOCKED, "another run of shard %u/%u of the job %s works", params->shard.number,
			params->shard.of, params->job->name);
	else
		rv_fail(err, RV_LOCKED, "another run of the job %s works", params->job->name);
	rv_hint(err, "--lock=wait waits for it, --lock=skip leaves the work to it");
	return err->status;
}

enum rv_status rv_extract_run(const struct rv_extract_params *params, struct rv_extract_result *ret,
			      struct rv_error *err)
{
	struct rv_lock shards = RV_LOCK_INIT, own = RV_LOCK_INIT;
	RV_CLEANUP(rv_free_p) char *folder = NULL;

	*ret = (struct rv_extract_result){ .extracts = json_array() };
	if (extract_folder(params, &folder, err) != RV_OK)
		return err->status;
	enum rv_status status = lock_run(params, folder, &shards, &own, err);

	if (status == RV_OK) {
		rv_sweep_temporaries(folder);
		status = run_locked(params, ret, err);
	}
	rv_lock_release(&own);
	rv_lock_release(&shards);
	return status;
}

/* ---- --check ---- */

static enum rv_status check_archive(const struct rv_extract_params *params,
				    const struct extract_archive *archive, bool waits, bool *ret_takes,
				    struct rv_strbuf *ret, struct rv_error *err)
{
	struct extract_reading reading = { .params = params, .archive = archive, .rejects = RV_STRBUF_INIT,
					   .first_reject = RV_STRBUF_INIT, .refused = RV_STRBUF_INIT };
	int fd = -1;
	enum extract_known known = EXTRACT_NEW;
	char size[RV_NUMBER_TEXT];
	enum rv_status status = extract_open(params, archive, &reading.zip, &fd, err);

	if (status == RV_OK)
		status = rv_zip_identity(reading.zip, reading.identity, err);
	if (status == RV_OK)
		status = extract_match(&reading, err);
	if (status == RV_OK && params->lake)
		status = extract_known_lake(params, reading.identity, &known, err);
	if (status == RV_OK) {
		bool taken = known == EXTRACT_TAKEN && !params->date && !params->since;

		*ret_takes = !taken && !waits;
		rv_strbuf_printf(ret, "%s: %s\n", archive->shown,
				 taken ? "was taken" : waits ? "would wait" : "would be taken");
		for (size_t t = 0; t < params->job->tables_count; t++)
			for (size_t i = 0; i < reading.tables[t].members_count; i++) {
				const struct rv_zip_entry *e =
					rv_zip_entry(reading.zip, reading.tables[t].members[i]);

				rv_strbuf_printf(ret, "  %s: %s, %s\n", params->job->tables[t].name, e->shown,
						 rv_format_size(e->bytes, size));
			}
	}
	extract_reading_release(&reading);
	return status;
}

/* A run takes numbers one by one; here nothing is taken, so only what is not in the source is missing. */
static enum rv_status check_number(const struct rv_extract_params *params,
				   const struct extract_sequence *sequence,
				   const struct extract_archives *archives,
				   const struct extract_archive *archive, bool *ret_waits,
				   struct rv_strbuf *ret, struct rv_error *err)
{
	struct extract_range gap;
	char text[EXTRACT_RANGE_TEXT];
	uint64_t number;

	*ret_waits = false;
	if (!params->job->sequence)
		return RV_OK;
	if (!extract_sequence_number(params->job, archive->name, &number))
		return no_number(params, archive, err);
	/* as in is_due */
	if (params->date || params->since || !extract_sequence_gap(sequence, archives, number, &gap))
		return RV_OK;
	*ret_waits = !params->allow_gaps;
	rv_strbuf_printf(ret, "%s: %s before it %s missing%s\n", archive->shown, extract_range_text(&gap, text),
			 gap.first == gap.last ? "is" : "are", *ret_waits ? ", and it would wait" : "");
	return RV_OK;
}

enum rv_status rv_extract_check(const struct rv_extract_params *params, struct rv_strbuf *ret,
				struct rv_error *err)
{
	struct extract_archives archives = { 0 };
	struct extract_sequence sequence = { 0 };
	struct rv_error first = RV_ERROR_INIT;
	struct rv_parquet *parquet;
	const struct extract_archive *next = NULL; /* the first that would be taken */

	/* what every run would fail for comes before what one archive is refused for */
	if (extract_open_parquet(params, &parquet, err) != RV_OK || extract_check_streams(params, err) != RV_OK)
		return err->status;
	enum rv_status status = extract_find(params, &archives, err);

	if (status == RV_OK && params->job->sequence)
		status = extract_sequence_read(params, &archives, &sequence, err);
	for (size_t i = 0; i < archives.count && status == RV_OK; i++) {
		bool waits, takes = false;

		status = check_number(params, &sequence, &archives, &archives.items[i], &waits, ret, err);
		if (status == RV_OK)
			status = check_archive(params, &archives.items[i], waits, &takes, ret, err);
		if (takes && !next)
			next = &archives.items[i];
		if (status != RV_BAD_DATA)
			continue;
		/* a run goes on behind one that it refuses, and so does this */
		rv_strbuf_printf(ret, "%s: would be refused\n", archives.items[i].shown);
		if (first.status == RV_OK)
			first = *err;
		else
			extract_say(params->warn, params->arg, "%s", err->message);
		*err = (struct rv_error)RV_ERROR_INIT;
		status = RV_OK;
	}
	if (status == RV_OK && !archives.count)
		rv_strbuf_puts(ret, "there is no extract\n");
	if (status == RV_OK)
		status = extract_plan(params, ret, err);
	if (status == RV_OK && next && params->warehouse && !params->date && !params->since)
		status = extract_check_order(params, next, err);
	extract_archives_release(&archives);
	extract_sequence_release(&sequence);
	if (status == RV_OK && first.status != RV_OK) {
		*err = first;
		return err->status;
	}
	return status;
}
