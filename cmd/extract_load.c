/* `river extract-load`: archives of table files into loads, tables and streams, as a job file says. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "cli/parse.h"
#include "config/job.h"
#include "context.h"
#include "delivery/delivery.h"
#include "delivery/documents.h"
#include "extract_infer.h"
#include "flow/catalog.h"
#include "flow/extract.h"
#include "flow/push.h"
#include "format/s3_event.h"
#include "warehouse/parquet.h"
#include "warehouse/warehouse.h"

struct extract_options {
	bool check, allow_gaps;
	const char *date, *since, *event, *infer, *shard;
	uint64_t max_rejects, threads, max_memory, max_wcu, max_bytes, max_ratio;
	int64_t deadline, retry_for;
};

enum { SHARDS_MAX = 1024 };

static const struct rv_opt extract_options_table[] = {
	OPT_FLAG(struct extract_options, 'n', "check", check,
		 "say what the job does and which extracts it would take; change nothing"),
	OPT_STRING(struct extract_options, 0, "infer", infer, "archive",
		   "print a first job file for this archive, with the reason for each guess; load nothing",
		   .complete = RV_COMPLETE_FILE),
	OPT_STRING(struct extract_options, 0, "date", date, "day",
		   "take the extracts of this day (2026-11-20) anew: they replace what they brought before"),
	OPT_STRING(struct extract_options, 0, "since", since, "day",
		   "the same for this day and all later ones"),
	OPT_FLAG(struct extract_options, 0, "allow-gaps", allow_gaps,
		 "take extracts behind a missing number of the job's sequence too"),
	OPT_STRING(struct extract_options, 0, "event", event, "file",
		   "only the objects that this S3 event names; - is standard input",
		   .complete = RV_COMPLETE_FILE),
	OPT_COUNT(struct extract_options, 0, "max-rejects", max_rejects, "n",
		  "rows of an extract that may be set aside; default: the job's, or none"),
	OPT_SIZE(struct extract_options, 0, "max-bytes", max_bytes, "bytes",
		 "what an archive may inflate to; default: the job's, or 1TiB"),
	OPT_COUNT(struct extract_options, 0, "max-ratio", max_ratio, "n",
		  "how often its packed bytes a member may inflate to; default: the job's, or 1000"),
	OPT_DURATION(struct extract_options, 0, "deadline", deadline, "time",
		     "warn and exit 1 when an extract is older than this once it is taken; default: the job's"),
	OPT_SIZE(struct extract_options, 0, "max-memory", max_memory, "bytes",
		 "what composing documents may take; default: max_memory of the profile", .def = "0"),
	OPT_COUNT(struct extract_options, 0, "max-wcu", max_wcu, "n",
		  "write at most so many capacity units of DynamoDB a second; 0: no limit", .def = "0"),
	OPT_STRING(struct extract_options, 0, "shard", shard, "i/n",
		   "write part i, from 1, of n of the documents over all extracts; the others are for other runs"),
	OPT_DURATION(struct extract_options, 0, "retry-for", retry_for, "time",
		     "how long to try on when a stream's lake or delivery is out of reach; 0: one try",
		     .def = "60s"),
	OPT_COUNT(struct extract_options, 0, "threads", threads, "n",
		  "members read at once; 0 is one for each core", .def = "0"),
	OPT_END
};

static const struct rv_example extract_examples[] = {
	{ "river extract-load --infer /drop/ext-0001.zip", "a first job file, from what is in an archive" },
	{ "river extract-load orders.yaml", "take the extracts that are new; for cron" },
	{ "river extract-load orders.yaml --check", "what would a run do?" },
	{ "river extract-load orders.yaml /drop/ext-0001.zip", "this archive" },
	{ "river extract-load orders.yaml --date 2026-11-20", "take that day's extracts once more" },
	{ NULL, NULL }
};

/* What a run opens, when it first needs it. */
struct run {
	struct rv_command_context *cx;
	struct rv_warehouse *warehouse;
	struct rv_parquet *parquet;
	struct rv_store **buckets;
	char **names;
	size_t buckets_count;
	uint64_t threads, max_wcu;
	const struct rv_job *job;
	struct rv_progress progress;
	int64_t retry_for_ms;
};

static void run_release(struct run *run)
{
	rv_warehouse_free(run->warehouse);
	rv_parquet_free(run->parquet);
	for (size_t i = 0; i < run->buckets_count; i++) {
		rv_store_free(run->buckets[i]);
		free(run->names[i]);
	}
	free(run->buckets);
	free(run->names);
}

static enum rv_status open_warehouse(void *arg, struct rv_warehouse **ret, struct rv_error *err)
{
	struct run *run = arg;
	if (!run->warehouse &&
	    rv_wire_warehouse(run->cx->profile, run->cx->lake, &run->warehouse, err) != RV_OK)
		return err->status;
	*ret = run->warehouse;
	return RV_OK;
}

static enum rv_status open_parquet(void *arg, struct rv_parquet **ret, struct rv_error *err)
{
	struct run *run = arg;
	if (!run->parquet && rv_wire_parquet(run->cx->profile, &run->parquet, err) != RV_OK)
		return err->status;
	*ret = run->parquet;
	return RV_OK;
}

static enum rv_status open_bucket(void *arg, const char *bucket, struct rv_store **ret,
				  struct rv_error *err)
{
	struct run *run = arg;
	struct rv_store *store = NULL;
	for (size_t i = 0; i < run->buckets_count; i++)
		if (strcmp(run->names[i], bucket) == 0) {
			*ret = run->buckets[i];
			return RV_OK;
		}
	if (rv_wire_bucket(run->cx->profile, bucket, &store, err) != RV_OK)
		return err->status;
	run->buckets = rv_realloc_array(run->buckets, run->buckets_count + 1, sizeof(*run->buckets));
	run->names = rv_realloc_array(run->names, run->buckets_count + 1, sizeof(*run->names));
	run->names[run->buckets_count] = rv_strdup(bucket);
	run->buckets[run->buckets_count++] = store;
	*ret = store;
	return RV_OK;
}

static enum rv_status open_documents(void *arg, const struct rv_job_document *document,
				      void (*settled)(void *arg, const struct rv_document_result *result),
				      void *settled_arg, struct rv_documents **ret, struct rv_error *err)
{
	struct run *run = arg;
	const struct rv_document_target target = { .job = run->job, .document = document,
						   .max_wcu = (double)run->max_wcu, .settled = settled,
						   .arg = settled_arg };
	return rv_wire_documents(run->cx->profile, &target, ret, err);
}

static void show_progress(void *arg, const struct rv_extract_progress *p)
{
	struct run *run = arg;
	rv_progress_update(&run->progress, rv_clock_monotonic_ms(), p->done_bytes, p->total_bytes, p->rows);
}

/* ---- streams ---- */

static enum rv_status push_files(struct run *run, const char *name, const char *run_name, char **files,
				 size_t count, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_delivery_free_p) struct rv_delivery *delivery = NULL;
	struct rv_command_context *cx = run->cx;
	struct rv_push_result result;
	rv_stream_init(&stream);
	if (rv_wire_business(cx, name, err) != RV_OK ||
	    rv_catalog_get(cx->lake, name, &stream, NULL, err) != RV_OK ||
	    rv_wire_delivery(cx->profile, cx->lake, &delivery, err) != RV_OK)
		return err->status;
	if (!count)
		return RV_OK;
	const struct rv_push_params params = {
		.stream = &stream,
		.lake = cx->lake,
		.delivery = delivery,
		.state_dir = cx->profile->state_dir,
		/* how long a row may be is the job's, and it has been looked at */
		.read = { .format = RV_FORMAT_NDJSON, .max_record_bytes = 128 << 20, .max_depth = 1024,
			  .refuse_river_key = stream.stamp != RV_STAMP_NONE,
			  .csv = RV_CSV_DIALECT_INIT },
		.files = files,
		.files_count = count,
		.run = run_name,
		.wait = RV_WAIT_SENT,
		.batch_bytes = stream.batch_bytes,
		.batch_records = stream.batch_records,
		.flush_after_ms = stream.batch_age_ms,
		.retry_for_ms = run->retry_for_ms,
		.max_rejects = 0,
		.spool_max_bytes = cx->profile->spool_max_bytes,
		.threads = (unsigned)run->threads,
		.lock_timeout_ms = cx->timeout_ms,
		.should_stop = rv_should_stop,
		.check_stream = true,
		.note = rv_flow_note,
		.warn = rv_flow_warning,
	};
	enum rv_status status = rv_push(&params, &result, err);
	rv_push_result_release(&result);
	return status;
}

static enum rv_status push(void *arg, const char *name, const char *run_name, char **files,
			   size_t count, struct rv_error *err)
{
	struct run *run = arg;
	/* a business may have a lake of its own; the run's is the profile's */
	const struct rv_profile *profile = run->cx->profile;
	struct rv_store *lake = run->cx->lake;
	enum rv_status status = push_files(run, name, run_name, files, count, err);
	run->cx->profile = profile;
	run->cx->lake = lake;
	return status;
}

/* ---- what is asked and said ---- */

static enum rv_status check_day(const char *option, const char *text, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *time = text ? rv_asprintf("%sT00:00:00Z", text) : NULL;
	int64_t ms;
	/* days are compared as texts */
	if (!text || (strlen(text) == 10 && rv_parse_time(time, strlen(time), &ms)))
		return RV_OK;
	rv_fail(err, RV_USAGE, "--%s takes a day, not '%s'", option, text);
	rv_hint(err, "write it as 2026-11-20");
	return err->status;
}

/* Objects of an event as s3:// URLs. */
static enum rv_status read_event(const char *file, struct rv_string_list *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_s3_events_release) struct rv_s3_events events = { 0 };
	bool standard = strcmp(file, "-") == 0;
	if (rv_read_file(standard ? "/dev/stdin" : file, RV_S3_EVENTS_MAX_BYTES, &text, err) != RV_OK)
		return err->status; /* names the file */
	if (rv_s3_events_parse(text.bytes, text.len, &events, err) != RV_OK)
		return rv_context(err, "%s", standard ? "standard input" : file);
	for (size_t i = 0; i < events.count; i++) {
		/* the mark of a folder is no archive, and does not mean those that are in it */
		if (rv_ends_with(events.items[i].key, "/"))
			continue;
		/* a key may hold what a pattern would mean */
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf url = RV_STRBUF_INIT;
		rv_strbuf_printf(&url, "s3://%s/", events.items[i].bucket);
		for (const char *c = events.items[i].key; *c; c++)
			rv_strbuf_printf(&url, strchr("*?[\\", *c) ? "\\%c" : "%c", *c);
		if (!events.items[i].bucket[0])
			return rv_fail(err, RV_BAD_DATA, "the event does not say in which bucket %s is",
				       events.items[i].key);
		rv_string_list_add(ret, url.bytes, url.len);
	}
	return RV_OK;
}

static json_t *result_json(const struct rv_job *job, const struct rv_extract_result *r, int64_t took_ms,
			   enum rv_status status)
{
	json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:O}", "job",
			 job->name, "status", rv_status_name(status), "found", (json_int_t)r->found, "taken",
			 (json_int_t)r->taken, "known", (json_int_t)r->known, "refused",
			 (json_int_t)r->failed, "waiting", (json_int_t)r->waiting, "rows",
			 (json_int_t)r->rows, "rejected", (json_int_t)r->rejected, "objects",
			 (json_int_t)r->objects, "object_bytes", (json_int_t)r->object_bytes, "text_bytes",
			 (json_int_t)r->input_bytes, "oldest_age_ms", (json_int_t)r->oldest_age_ms, "late",
			 (int)r->late, "took_ms", (json_int_t)took_ms, "extracts", r->extracts);

	if (r->missing)
		json_object_set(o, "missing", r->missing);
	return o;
}

static void print_summary(const struct rv_command_context *cx, const struct rv_job *job,
			  const struct rv_extract_result *r, int64_t took_ms)
{
	char rows[RV_NUMBER_TEXT], text[RV_NUMBER_TEXT], took[RV_NUMBER_TEXT], age[RV_NUMBER_TEXT];
	if (!cx->verbose && !rv_messages_terminal())
		return;
	if (!r->taken) {
		if (!r->failed)
			rv_note("%s: no new extract", job->name);
		return;
	}
	rv_note("%s: %" PRIu64 " extract%s, %s rows (%s) taken in %s, %s after %s written", job->name, r->taken,
		r->taken == 1 ? "" : "s", rv_format_count(r->rows, rows),
		rv_format_size(r->input_bytes, text), rv_format_duration(took_ms, took),
		rv_format_duration(r->oldest_age_ms, age), r->taken == 1 ? "it was" : "the oldest was");
}

/* ---- the command ---- */

static enum rv_status check(struct rv_command_context *cx, const struct rv_job *job,
			    const struct rv_extract_params *params, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_job_explain(job, &text);
	/* without a configuration it is one below the home folder: say where things would go */
	rv_strbuf_printf(&text, "lake %s, profile %s\n", cx->lake->url, cx->profile->name);
	enum rv_status status = RV_OK;
	if (job->source || params->sources_count) {
		rv_strbuf_puts(&text, "extracts\n");
		struct rv_extract_params asking = *params;
		/* a database in a file is not opened to be asked what can be read in the job */
		if (strcmp(cx->profile->warehouse_type, "snowflake") != 0)
			asking.warehouse = NULL;
		status = rv_extract_check(&asking, &text, err);
	}
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:s, s:s}", "job", job->name, "check", text.bytes));
	for (char *line = text.bytes, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		rv_out_line(cx->out, "%s", line);
	}
	return status;
}

static enum rv_status run_job(struct rv_command_context *cx, const struct extract_options *o,
			      const struct rv_job *job, const struct rv_extract_shard *shard,
			      char *const *sources, size_t count, struct rv_error *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct run run = { .cx = cx, .job = job, .max_wcu = o->max_wcu, .retry_for_ms = o->retry_for,
			   .threads = o->threads ? o->threads : cores > 0 ? (uint64_t)cores : 1 };
	/* Runs of a job do not queue up behind each other unless that is asked for. */
	bool wait = cx->locks == RV_LOCKS_WAIT && cx->locks_typed;
	const struct rv_extract_params params = {
		.job = job,
		.lake = cx->lake,
		.state_dir = cx->profile->state_dir,
		.warehouse = open_warehouse,
		.parquet = open_parquet,
		.bucket = open_bucket,
		.push = push,
		.documents = open_documents,
		.sources = sources,
		.sources_count = count,
		.date = o->date,
		.since = o->since,
		.shard = *shard,
		.allow_gaps = o->allow_gaps || job->gaps,
		.max_rejects = o->max_rejects == RV_OPT_NOT_GIVEN ? job->max_rejects : o->max_rejects,
		.deadline_ms = o->deadline >= 0 ? o->deadline : job->deadline_ms,
		.now_ms = rv_clock_ms(),
		.max_memory_bytes = o->max_memory ? o->max_memory : cx->profile->max_memory_bytes,
		.threads = (unsigned)(run.threads > 64 ? 64 : run.threads),
		.lock_timeout_ms = wait ? cx->timeout_ms : 0,
		.rows_timeout_ms = cx->timeout_ms,
		.should_stop = rv_should_stop,
		.progress = show_progress,
		.note = rv_flow_note,
		.warn = rv_flow_warning,
		.arg = &run,
	};
	struct rv_extract_result result = { 0 };
	int64_t started_ms = rv_clock_monotonic_ms();
	enum rv_status status;
	if (o->check) {
		status = check(cx, job, &params, err);
		run_release(&run);
		return status;
	}
	RV_CLEANUP(rv_free_p) char *what = rv_asprintf("extract-load %s", job->name);
	rv_progress_start(&run.progress, what, started_ms);
	status = rv_extract_run(&params, &result, err);
	rv_progress_end(&run.progress);
	run_release(&run);
	if (status == RV_LOCKED && cx->locks == RV_LOCKS_SKIP) {
		rv_flow_note(NULL, err->message);
		*err = (struct rv_error)RV_ERROR_INIT;
		status = RV_OK;
	}
	int64_t took_ms = rv_clock_monotonic_ms() - started_ms;
	print_summary(cx, job, &result, took_ms);
	if (cx->output == RV_OUT_JSON && status != RV_LOCKED)
		rv_out_json(cx->out, result_json(job, &result, took_ms, status));
	rv_extract_result_release(&result);
	return status;
}

static enum rv_status check_limits(const struct extract_options *o, struct rv_error *err)
{
	if (o->max_bytes && o->max_ratio)
		return RV_OK;
	return rv_fail(err, RV_USAGE, "--%s takes a number from 1", o->max_bytes ? "max-ratio" : "max-bytes");
}

/* What --infer would ignore is refused. The environment may hold options of runs. */
static enum rv_status check_infer(const struct rv_command_context *cx, struct rv_error *err)
{
	static const char *const used[] = { "infer", "max-bytes", "max-ratio" };

	for (size_t i = 0; i < cx->args->given_count; i++) {
		const struct rv_opt *option = cx->args->given[i].option;
		bool ours = false, known = false;

		for (const struct rv_opt *o = extract_options_table; o->name; o++)
			ours |= o == option;
		for (size_t k = 0; k < sizeof(used) / sizeof(used[0]) && ours; k++)
			known |= strcmp(used[k], option->name) == 0;
		if (!ours || known)
			continue;
		rv_fail(err, RV_USAGE, "--%s is for a run; --infer looks into its archive alone", option->name);
		rv_hint(err, "--max-bytes and --max-ratio hold for it too");
		return err->status;
	}
	return RV_OK;
}

static enum rv_status infer(struct rv_command_context *cx, const struct extract_options *o,
			    struct rv_error *err)
{
	const struct rv_zip_limits limits = {
		.max_bytes = o->max_bytes == RV_OPT_NOT_GIVEN ? 0 : o->max_bytes,
		.max_ratio = o->max_ratio == RV_OPT_NOT_GIVEN ? 0 : o->max_ratio,
	};

	return rv_extract_infer_command(cx, o->infer, &limits, err);
}

/* Records of a stream cannot be taken back, so taking an extract anew would add to them. */
static enum rv_status check_replacing(const struct extract_options *o, const struct rv_job *job,
				      struct rv_error *err)
{
	for (size_t i = 0; (o->date || o->since) && i < job->loads_count; i++) {
		const struct rv_job_load *load = &job->loads[i];

		if (load->to != RV_JOB_TO_STREAM)
			continue;
		rv_fail(err, RV_USAGE, "--%s replaces what extracts brought, and records of the stream %s stay",
			o->date ? "date" : "since", load->name);
		rv_hint(err, "leave the load of %s out of the job file for this run; or name a corrected archive: "
			     "its records are added", job->tables[load->table].name);
		return err->status;
	}
	return RV_OK;
}

static bool parse_shard(const char *text, struct rv_extract_shard *ret)
{
	const char *slash = strchr(text, '/');
	uint64_t number, of;

	if (!slash || !rv_parse_u64(text, (size_t)(slash - text), &number) ||
	    !rv_parse_u64(slash + 1, strlen(slash + 1), &of) || number < 1 || number > of || of > SHARDS_MAX)
		return false;
	*ret = (struct rv_extract_shard){ (unsigned)number, (unsigned)of };
	return true;
}

/* Only what is made of the warehouse's rows can be shared: an archive is read by one run. */
static enum rv_status check_shard(const struct extract_options *o, const struct rv_job *job,
				  struct rv_extract_shard *ret, struct rv_error *err)
{
	if (!o->shard)
		return RV_OK;
	if (!parse_shard(o->shard, ret)) {
		rv_fail(err, RV_USAGE, "--shard takes part and parts, not '%s'", o->shard);
		rv_hint(err, "write 1/4 to 4/4 for four runs, at most %d", SHARDS_MAX);
		return err->status;
	}
	if (o->date || o->since) {
		rv_fail(err, RV_USAGE, "--%s is for a run without --shard", o->date ? "date" : "since");
		rv_hint(err, "what each shard took anew, the next one would take anew again");
		return err->status;
	}
	if (!job->documents_count)
		return rv_fail(err, RV_USAGE, "--shard divides documents, and the job %s has none", job->name);
	for (size_t i = 0; i < job->documents_count; i++) {
		const struct rv_job_document *document = &job->documents[i];

		if (document->scope != RV_JOB_SCOPE_HISTORY)
			return rv_fail(err, RV_USAGE, "--shard divides documents over all extracts; documents.%s is of "
						      "one (`scope: extract`)", document->name);
		if (document->exclusive)
			return rv_fail(err, RV_USAGE, "--shard: `exclusive: true` of documents.%s says that one run writes "
						      "alone", document->name);
	}
	return RV_OK;
}

static enum rv_status extract_run(struct rv_command_context *cx, void *options, int count,
				  char **operands, struct rv_error *err)
{
	const struct extract_options *o = options;
	struct rv_string_list named = { 0 };
	struct rv_job job = { 0 };
	struct rv_extract_shard shard = { 0 };
	if (check_limits(o, err) != RV_OK)
		return err->status;
	if (o->infer)
		return count ? rv_fail(err, RV_USAGE, "--infer looks into its archive alone: no job file")
		       : check_infer(cx, err) != RV_OK ? err->status
						       : infer(cx, o, err);
	if (count < 1) {
		rv_fail(err, RV_USAGE, "extract-load needs a job file");
		rv_hint(err, "river extract-load <job.yaml>; --infer FILE.zip prints a first one");
		return err->status;
	}
	if (rv_ends_with(operands[0], ".zip")) {
		rv_fail(err, RV_USAGE, "%s is an archive; the job file comes first", operands[0]);
		rv_hint(err, "river extract-load <job.yaml> %s", operands[0]);
		return err->status;
	}
	if (check_day("date", o->date, err) != RV_OK || check_day("since", o->since, err) != RV_OK)
		return err->status;
	if (o->date && o->since)
		return rv_fail(err, RV_USAGE, "--date is one day, --since all from one on");
	if (o->event && count > 1)
		return rv_fail(err, RV_USAGE, "--event names the archives already");
	if (rv_job_read(operands[0], &job, err) != RV_OK)
		return err->status;
	if (o->max_bytes != RV_OPT_NOT_GIVEN)
		job.max_bytes = o->max_bytes;
	if (o->max_ratio != RV_OPT_NOT_GIVEN)
		job.max_ratio = o->max_ratio;
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(operands[0]);
	RV_CLEANUP(rv_free_p) char *origin = rv_asprintf("profile of %s", operands[0]);
	enum rv_status status = check_replacing(o, &job, err);
	if (status == RV_OK)
		status = check_shard(o, &job, &shard, err);
	if (status == RV_OK)
		status = rv_wire_profile(cx, job.profile, origin, folder, err);
	if (status == RV_OK && o->event)
		status = read_event(o->event, &named, err);
	/* an event that names nothing is nothing to do, not the whole source */
	if (status == RV_OK && !(o->event && !named.count))
		status = run_job(cx, o, &job, &shard, o->event ? named.items : operands + 1,
				 o->event ? named.count : (size_t)count - 1, err);
	rv_string_list_release(&named);
	rv_job_release(&job);
	return status;
}

const struct rv_command cmd_extract_load = {
	.name = "extract-load",
	.group = RV_GROUP_DELIVER,
	.summary = "take ZIP extracts of tables into the lake, tables and streams",
	.operands = "<job.yaml> [<archive>...]",
	.operand_complete = { RV_COMPLETE_FILE, RV_COMPLETE_FILE },
	.options = extract_options_table,
	.options_size = sizeof(struct extract_options),
	.examples = extract_examples,
	.run = extract_run,
};
