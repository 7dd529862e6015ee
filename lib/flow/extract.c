/* A run: the lock, one archive after the other in their order, and what is said of them. */
#include "flow/extract_impl.h"

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
	return json_pack("{s:i, s:s, s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "v", 1, "job", job->name,
			 "identity", reading->identity, "name", name ? name : rv_json_bytes(archive->name),
			 "status", status, "modified", rv_format_time(archive->modified_ms, time), "taken_by",
			 "river", "bytes", (json_int_t)archive->bytes, "text_bytes",
			 (json_int_t)reading->bytes, "rows", (json_int_t)reading->rows, "rejected",
			 (json_int_t)reading->rejected, "tables", tables);
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

static enum rv_status read_archive(struct extract_reading *reading, bool replace,
				   struct rv_extract_result *result, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	struct stat before;
	int fd = -1;
	enum extract_known known = EXTRACT_NEW;

	if (extract_open(params, reading->archive, &reading->zip, &fd, err) != RV_OK)
		return err->status;
	if (fstat(fd, &before) != 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "%s", reading->archive->shown);
	if (rv_zip_identity(reading->zip, reading->identity, err) != RV_OK ||
	    (!replace && extract_known(params, reading->identity, &known, err) != RV_OK))
		return err->status;
	if (known == EXTRACT_TAKEN) {
		result->known++;
		return RV_OK;
	}
	if (known == EXTRACT_TORN)
		replace = true;
	if (extract_match(reading, err) != RV_OK ||
	    extract_open_parquet(params, &reading->parquet, err) != RV_OK ||
	    (!result->taken && extract_preflight(reading, err) != RV_OK) || extract_documents_begin(reading, err) != RV_OK ||
	    extract_read(reading, err) != RV_OK || extract_documents_stage(reading, err) != RV_OK ||
	    check_unchanged(reading->archive, fd, &before, err) != RV_OK)
		return err->status;
	json_t *summary = summary_of(reading, reading->rejected ? "partial" : "taken");
	enum rv_status status = extract_write(reading, replace, summary, err);

	if (status != RV_OK) {
		json_decref(summary);
		return status;
	}
	/* against the clock now: the time that it took counts */
	int64_t age_ms = params->now_ms ? rv_clock_ms() - reading->archive->modified_ms : 0;

	json_object_set_new(summary, "age_ms", json_integer(age_ms));
	json_array_append_new(result->extracts, summary);
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
	if (reading->rejected)
		extract_say(params->warn, params->arg, "%s: %" PRIu64 " row%s set aside; the first: %s",
			    reading->archive->shown, reading->rejected, reading->rejected == 1 ? "" : "s",
			    reading->first_reject.bytes);
	if (params->deadline_ms && age_ms > params->deadline_ms) {
		char age[RV_NUMBER_TEXT], limit[RV_NUMBER_TEXT];

		result->late = true;
		extract_say(params->warn, params->arg, "%s was taken %s after it was written; the deadline is %s",
			    reading->archive->shown, rv_format_duration(age_ms, age),
			    rv_format_duration(params->deadline_ms, limit));
	}
	return RV_OK;
}

/* RV_OK also when the archive is refused and the run goes on: `first` has the first refusal then. */
static enum rv_status take_archive(const struct rv_extract_params *params, struct extract_archive *archive,
				   struct rv_extract_result *result, struct rv_error *first,
				   struct rv_error *err)
{
	struct extract_reading reading = { .params = params, .archive = archive, .rejects = RV_STRBUF_INIT,
					   .first_reject = RV_STRBUF_INIT };
	bool replace = params->date || params->since;
	enum rv_status status = read_archive(&reading, replace, result, err);

	if (status == RV_OK) {
		archive->seen = true;
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
	if (unreadable && !archive->bucket && params->now_ms - archive->modified_ms < SETTLE_MS &&
	    !params->sources_count) {
		extract_say(params->note, params->arg, "%s is new and not whole yet; the next run looks again",
			    archive->shown);
		result->waiting++;
	} else {
		result->failed++;
		json_t *name = json_string(archive->name);

		json_array_append_new(result->extracts,
				      json_pack("{s:o, s:s, s:s}", "name",
						name ? name : rv_json_bytes(archive->name), "status",
						"refused", "message", err->message));
		if (first->status == RV_OK)
			*first = *err;
		else
			extract_say(params->warn, params->arg, "%s", err->message);
	}
	*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}

/* ---- all of them ---- */

static enum rv_status run_locked(const struct rv_extract_params *params, struct rv_extract_result *result,
				 struct rv_error *err)
{
	struct extract_archives archives = { 0 };
	struct rv_error first = RV_ERROR_INIT;
	enum rv_status status = extract_find(params, &archives, err);

	/* Taking anew may be cut short, and then it is the next run that has to look at them again. */
	if (status == RV_OK)
		status = params->date || params->since ? extract_forget(params, err)
						       : extract_remember(params, &archives, err);
	for (size_t i = 0; status == RV_OK && i < archives.count; i++) {
		struct extract_archive *archive = &archives.items[i];

		result->found++;
		if (archive->seen) {
			result->known++;
			continue;
		}
		if (params->should_stop && params->should_stop())
			break;
		status = take_archive(params, archive, result, &first, err);
		/* after each, so that a run that is killed does not open them all again */
		if (status == RV_OK && archive->seen && !params->date && !params->since)
			status = extract_keep(params, &archives, err);
	}
	extract_archives_release(&archives);
	if (status != RV_OK)
		return status;
	if (first.status != RV_OK) {
		*err = first;
		if (result->failed > 1)
			rv_context(err, "%" PRIu64 " extracts were refused; the first", result->failed);
		return err->status;
	}
	if (result->late)
		return rv_fail(err, RV_FAILED, "an extract was taken after the deadline");
	if (result->rejected)
		return rv_fail(err, RV_PARTIAL, "%" PRIu64 " row%s set aside in _river/extracts/%s",
			       result->rejected, result->rejected == 1 ? " was" : "s were", params->job->name);
	return RV_OK;
}

enum rv_status rv_extract_run(const struct rv_extract_params *params, struct rv_extract_result *ret,
			      struct rv_error *err)
{
	struct rv_lock lock = RV_LOCK_INIT;
	RV_CLEANUP(rv_free_p) char *folder = NULL;

	*ret = (struct rv_extract_result){ .extracts = json_array() };
	if (extract_folder(params, &folder, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, "lock");

	if (rv_lock_take(&lock, path, RV_LOCK_EXCLUSIVE, params->lock_timeout_ms, 0, err) != RV_OK) {
		if (err->status != RV_LOCKED)
			return err->status;
		rv_fail(err, RV_LOCKED, "another run of the job %s works", params->job->name);
		rv_hint(err, "--lock=wait waits for it, --lock=skip leaves the work to it");
		return err->status;
	}
	rv_sweep_temporaries(folder);
	enum rv_status status = run_locked(params, ret, err);

	rv_lock_release(&lock);
	return status;
}

/* ---- --check ---- */

static enum rv_status check_archive(const struct rv_extract_params *params,
				    const struct extract_archive *archive, struct rv_strbuf *ret,
				    struct rv_error *err)
{
	struct extract_reading reading = { .params = params, .archive = archive, .rejects = RV_STRBUF_INIT,
					   .first_reject = RV_STRBUF_INIT };
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
		rv_strbuf_printf(ret, "%s: %s\n", archive->shown,
				 known == EXTRACT_TAKEN && !params->date && !params->since ? "was taken"
											   : "would be taken");
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

enum rv_status rv_extract_check(const struct rv_extract_params *params, struct rv_strbuf *ret,
				struct rv_error *err)
{
	struct extract_archives archives = { 0 };
	struct rv_error first = RV_ERROR_INIT;
	struct rv_parquet *parquet;

	/* what every run would fail for comes before what one archive is refused for */
	if (extract_open_parquet(params, &parquet, err) != RV_OK)
		return err->status;
	enum rv_status status = extract_find(params, &archives, err);


	for (size_t i = 0; i < archives.count && status == RV_OK; i++) {
		status = check_archive(params, &archives.items[i], ret, err);
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
	extract_archives_release(&archives);
	if (status == RV_OK && first.status != RV_OK) {
		*err = first;
		return err->status;
	}
	return status;
}
