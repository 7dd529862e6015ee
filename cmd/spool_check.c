/* `river spool check` and `export`: is it all as promised, and taking it out by hand. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/intake.h"
#include "flow/object_name.h"
#include "flow/rejects.h"
#include "flow/spool_check.h"
#include "format/json_text.h"
#include "source/source.h"
#include "spool.h"
#include "spool/intake.h"
#include "spool/run.h"

/* ---- check ------------------------------------------------------------------------------------ */

struct check_options {
	char none;
};

static const struct rv_opt check_options_table[] = { OPT_END };

struct check {
	struct rv_command_context *cx;
	char stream[RV_STREAM_TEXT];
	uint64_t runs, batches, checkpoints, damaged;
	struct rv_error first;
};

static void print_finding(void *arg, const struct rv_finding *finding)
{
	static const char *const kinds[] = { "damaged", "set aside", "leftover" };
	struct check *check = arg;
	char line[RV_NUMBER_TEXT + 2] = "";
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf path = RV_STRBUF_INIT;
	rv_text_clean(&path, finding->path, strlen(finding->path));
	if (finding->line)
		snprintf(line, sizeof(line), ":%" PRIu64, finding->line);
	rv_out_printf(check->cx->out, "%s: %s: %s%s: %s\n", check->stream, kinds[finding->kind],
		      path.bytes, line, finding->message);
	if (check->cx->output == RV_OUT_JSON) {
		json_t *o = json_pack("{s:s, s:s, s:o}", "stream", check->stream, "finding",
				      kinds[finding->kind], "path", rv_json_bytes(finding->path));
		if (finding->line)
			json_object_set_new(o, "line", json_integer((json_int_t)finding->line));
		json_object_set_new(o, "message", rv_json_bytes(finding->message));
		rv_out_json(check->cx->out, o);
	}
	if (finding->kind != RV_FINDING_LEFTOVER && check->first.status == RV_OK) {
		rv_fail(&check->first, RV_DAMAGED, "%s", finding->message);
		rv_error_at(&check->first, finding->path, finding->line, 0);
	}
}

static enum rv_status check_state(void *arg, const struct rv_state *state, struct rv_error *err)
{
	struct check *check = arg;
	struct rv_spool_check one = { .lake = check->cx->lake, .state = state,
				      .finding = print_finding, .arg = check };
	snprintf(check->stream, sizeof(check->stream), "%s/%s", state->business, state->stream);
	if (rv_spool_check(&one, err) != RV_OK)
		return err->status;
	check->runs += one.runs;
	check->batches += one.batches;
	check->checkpoints += one.checkpoints;
	check->damaged += one.damaged;
	return RV_OK;
}

static enum rv_status check_run(struct rv_command_context *cx, void *options RV_UNUSED, int count,
				char **operands, struct rv_error *err)
{
	struct check check = { .cx = cx, .first = RV_ERROR_INIT };
	if (river_spool_each(cx, count, operands, check_state, &check, err) != RV_OK)
		return err->status;
	if (cx->verbose || rv_messages_terminal())
		rv_note("looked at %" PRIu64 " runs, %" PRIu64 " spooled batches and %" PRIu64
			" checkpoints", check.runs, check.batches, check.checkpoints);
	if (!check.damaged)
		return RV_OK;
	*err = check.first;
	if (check.damaged > 1)
		rv_context(err, "%" PRIu64 " things are damaged, the first", check.damaged);
	rv_hint(err, "'river spool export' copies what can be read, 'river spool flush' delivers the "
		     "rest and sets damaged things aside");
	return err->status;
}

static const struct rv_example check_examples[] = {
	{ "river spool check", "is everything that was promised there and readable?" },
	{ NULL, NULL },
};

const struct rv_command cmd_spool_check = {
	.name = "spool check",
	.group = RV_GROUP_MEND,
	.summary = "verify what is kept on this host, changing nothing",
	.operands = "[<stream>]",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = check_options_table,
	.options_size = sizeof(struct check_options),
	.examples = check_examples,
	.run = check_run,
};

/* ---- export ----------------------------------------------------------------------------------- */

struct export_options {
	const char *to;
	const char *run;
};

static const struct rv_opt export_options_table[] = {
	OPT_STRING(struct export_options, 0, "to", to, "folder", "where the copies go; required",
		   .complete = RV_COMPLETE_FILE),
	OPT_STRING(struct export_options, 0, "run", run, "name", "only those of this run"),
	OPT_END
};

struct export {
	struct rv_command_context *cx;
	const struct export_options *options;
	const struct rv_state *state;
	char *folder;             /* made when the first copy goes there */
	bool one_stream;
	bool any;                 /* a run was looked at */
	uint64_t files, alive;
	struct rv_error damage;
};

static void remember_damage(struct export *export, const struct rv_error *err)
{
	rv_warn("%s", err->message);
	if (export->damage.status == RV_OK)
		export->damage = *err;
}

/* A damaged batch's own journal may be gone: what it begins with says what it is. */
static enum rv_status sniff_suffix(int fd, const char *path, const char **ret, struct rv_error *err)
{
	unsigned char magic[8];
	size_t n;
	if (rv_pread_full(fd, magic, sizeof(magic), 0, &n, path, err) != RV_OK)
		return err->status;
	enum rv_compression compression = rv_compression_detect(magic, n);
	*ret = compression == RV_COMPRESSION_ZSTD   ? ".ndjson.zst"
	       : compression == RV_COMPRESSION_GZIP ? ".ndjson.gz"
						    : ".ndjson";
	return RV_OK;
}

static enum rv_status copy_bytes(int from, int to, const char *path, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *piece = rv_malloc(256u << 10);
	for (uint64_t at = 0;;) {
		size_t n;
		if (rv_pread_full(from, piece, 256u << 10, at, &n, path, err) != RV_OK)
			return err->status;
		if (n == 0)
			return RV_OK;
		if (rv_write_all(to, piece, n, "the copy", err) != RV_OK)
			return err->status;
		at += n;
	}
}

/* <folder>/<base><mark><suffix>; `suffix` NULL: by what is in it. */
static enum rv_status export_file(struct export *export, const char *path, const char *base,
				  const char *mark, const char *suffix, uint64_t records,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	RV_CLEANUP(rv_new_file_discard) struct rv_new_file copy = RV_NEW_FILE_INIT;
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	if (!suffix && sniff_suffix(fd, path, &suffix, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *name = rv_asprintf("%s%s%s", base, mark, suffix);
	RV_CLEANUP(rv_free_p) char *to = rv_path_join(export->folder, name);
	if (access(to, F_OK) == 0) {
		rv_fail(err, RV_CONFLICT, "%s is there already", to);
		rv_hint(err, "name another folder, or move it away: nothing is overwritten");
		return err->status;
	}
	if (rv_make_folders(export->folder, 0, err) != RV_OK ||
	    rv_new_file_open(&copy, export->folder, 0600, err) != RV_OK ||
	    copy_bytes(fd, copy.fd, path, err) != RV_OK ||
	    rv_new_file_publish(&copy, to, false, err) != RV_OK)
		return err->status;
	export->files++;
	rv_out_printf(export->cx->out, "%s\n", to);
	if (export->cx->output == RV_OUT_JSON) {
		json_t *o = json_pack("{s:o, s:I, s:b}", "file", rv_json_bytes(to), "bytes",
				      (json_int_t)st.st_size, "damaged", *mark != '\0');
		if (records)
			json_object_set_new(o, "records", json_integer((json_int_t)records));
		rv_out_json(export->cx->out, o);
	}
	return RV_OK;
}

static enum rv_status export_part(struct export *export, const struct rv_run *run,
				  const struct rv_batch_entry *entry, bool rejects,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	char *path = rejects ? rv_run_rejects_path(run, entry->seq) : rv_run_body_path(run, entry->seq);
	RV_CLEANUP(rv_free_p) char *base = rv_asprintf("%s-%06" PRIu64, run->name, entry->seq);
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT) {
		rv_fail(err, RV_DAMAGED, "the spooled batch %s is gone", path);
		remember_damage(export, err);
		return RV_OK;
	}
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	enum rv_status status =
		rv_run_check_spooled(fd, path, rejects ? entry->rejects_bytes : entry->bytes,
				     rejects ? entry->rejects_body_hash : entry->body_hash, err);
	if (status != RV_OK && status != RV_DAMAGED)
		return status;
	if (status == RV_DAMAGED)
		remember_damage(export, err);
	/* What waits for Firehose is plain, but for a large record, whatever the run's other batches are. */
	struct rv_object_name name;
	enum rv_output_compression compression =
		rv_object_name_parse(entry->name, &name) ? name.compression : run->compression;
	return export_file(export, path, base, status == RV_DAMAGED ? ".damaged" : "",
			   rejects ? ".rejects.ndjson" : rv_object_suffix(compression),
			   rejects ? entry->rejected : entry->records, err);
}

static void say_where(struct rv_run *run, const struct rv_batch_entry *entry)
{
	for (size_t i = 0; i < entry->extents_count; i++) {
		const struct rv_extent *extent = &entry->extents[i];
		rv_warn("run %s: bytes %" PRIu64 " to %" PRIu64 " of %s are not in the lake; they are "
			"in that file only", run->name, extent->from, extent->to,
			rv_run_file(run, extent->file)->path);
	}
}

/* An intake file taken apart: records, and rejects as they stand in the lake. */
struct taking_apart {
	struct rv_strbuf records, rejects;
	uint64_t records_count, reject_bytes; /* of the reject that is being taken */
	struct rv_intake_rejects rejects_so_far;
};

static enum rv_status take_piece(void *arg, const struct rv_span *span, const char *source,
				 struct rv_error *err RV_UNUSED)
{
	struct taking_apart *apart = arg;
	apart->reject_bytes = (span->first ? 0 : apart->reject_bytes) + span->len;
	rv_rejects_add_piece(&apart->rejects, span, source, NULL, apart->reject_bytes);
	return RV_OK;
}

static enum rv_status take_frame(void *arg, struct rv_intake_frame *frame, struct rv_error *err)
{
	struct taking_apart *apart = arg;
	if (frame->kind == RV_INTAKE_RECORDS) {
		rv_strbuf_add(&apart->records, frame->bytes.p, frame->bytes.len);
		apart->records_count += frame->records;
		return RV_OK;
	}
	return rv_intake_reject(&apart->rejects_so_far, frame, take_piece, apart, err);
}

static enum rv_status export_bytes(struct export *export, const char *name, const struct rv_strbuf *bytes,
				   bool damaged, uint64_t records, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *to = rv_path_join(export->folder, name);
	if (!bytes->len)
		return RV_OK;
	if (rv_make_folders(export->folder, 0, err) != RV_OK)
		return err->status;
	if (rv_create_file(to, bytes->bytes, bytes->len, 0600, err) != RV_OK) {
		if (err->status == RV_CONFLICT)
			rv_hint(err, "name another folder, or move it away: nothing is overwritten");
		return err->status;
	}
	export->files++;
	rv_out_printf(export->cx->out, "%s\n", to);
	if (export->cx->output == RV_OUT_JSON)
		rv_out_json(export->cx->out, json_pack("{s:o, s:I, s:b, s:I}", "file", rv_json_bytes(to),
						       "bytes", (json_int_t)bytes->len, "damaged", damaged,
						       "records", (json_int_t)records));
	return RV_OK;
}

static enum rv_status export_intake(struct export *export, struct rv_run *run, uint64_t seq,
				    struct rv_error *err)
{
	struct rv_batch_entry entry;
	struct taking_apart apart = { .records = RV_STRBUF_INIT, .rejects = RV_STRBUF_INIT };
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(run, seq);
	if (rv_run_entry(run, seq, &entry))
		return RV_OK;
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	enum rv_status status = rv_intake_read(fd, path, take_frame, &apart, err);
	bool damaged = status == RV_DAMAGED;
	const char *mark = damaged ? ".damaged" : "";
	RV_CLEANUP(rv_free_p)
	char *records = rv_asprintf("%s-%06" PRIu64 "%s.ndjson", run->name, seq, mark);
	RV_CLEANUP(rv_free_p)
	char *rejects = rv_asprintf("%s-%06" PRIu64 "%s.rejects.ndjson", run->name, seq, mark);
	if (damaged) {
		remember_damage(export, err);
		status = RV_OK;
	}
	if (status == RV_OK)
		status = export_bytes(export, records, &apart.records, damaged, apart.records_count, err);
	if (status == RV_OK)
		status = export_bytes(export, rejects, &apart.rejects, damaged, apart.rejects_so_far.count, err);
	rv_strbuf_release(&apart.records);
	rv_strbuf_release(&apart.rejects);
	return status;
}

static enum rv_status export_intakes(struct export *export, struct rv_run *run, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) uint64_t *seqs = NULL;
	size_t count = 0;
	if (rv_run_intakes(run, &seqs, &count, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < count; i++)
		if (export_intake(export, run, seqs[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

struct loose {
	struct export *export;
	const char *folder, *run; /* run NULL: the names begin with it */
};

/* <seq>.body, <run>-<seq>.body and so on, of a run whose journal cannot be read. */
static enum rv_status export_loose(void *arg, const char *name, struct rv_error *err)
{
	struct loose *loose = arg;
	const char *dot = strrchr(name, '.');
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(loose->folder, name);
	bool body = dot && strcmp(dot, ".body") == 0, rejects = dot && strcmp(dot, ".rejects") == 0;
	bool journal = loose->run && strcmp(name, "journal") == 0;
	bool intake = dot && strcmp(dot, ".intake") == 0;
	struct stat st;
	if ((!body && !rejects && !journal && !intake) || stat(path, &st) < 0 || st.st_size == 0)
		return RV_OK;
	RV_CLEANUP(rv_free_p)
	char *stem = journal ? rv_strdup("journal") : rv_asprintf("%.*s", (int)(dot - name), name);
	RV_CLEANUP(rv_free_p)
	char *base = loose->run ? rv_asprintf("%s-%s", loose->run, stem) : rv_strdup(stem);
	return export_file(loose->export, path, base, ".damaged",
			   journal ? ".txt" : rejects ? ".rejects.ndjson" : intake ? ".intake" : NULL, 0,
			   err);
}

static enum rv_status export_run(void *arg, const char *name, struct rv_error *err)
{
	struct export *export = arg;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	if (export->options->run && strcmp(export->options->run, name) != 0)
		return RV_OK;
	enum rv_status status = rv_run_open(export->state, name, false, &run, err);
	if (status == RV_NOT_FOUND)
		return RV_OK;
	export->any = true;
	if (status == RV_DAMAGED || status == RV_BAD_CONFIG) {
		RV_CLEANUP(rv_free_p)
		char *folder = rv_asprintf("%s/runs/%s", export->state->folder, name);
		struct loose loose = { export, folder, name };
		remember_damage(export, err);
		return rv_each_entry(folder, export_loose, &loose, err);
	}
	if (status != RV_OK)
		return status;
	if (rv_run_is_alive(run)) {
		rv_warn("run %s is still going on: it delivers its batches itself", name);
		export->alive++;
		return RV_OK;
	}
	for (size_t i = 0; i < run->batches_count; i++) {
		const struct rv_batch_entry *entry = &run->batches[i];
		if (entry->state != RV_BATCH_WAITING)
			continue;
		if (!run->pipe)
			say_where(run, entry);
		else if ((entry->records && export_part(export, run, entry, false, err) != RV_OK) ||
			 (entry->rejected && export_part(export, run, entry, true, err) != RV_OK))
			return err->status;
	}
	return export_intakes(export, run, err);
}

static enum rv_status export_aside(void *arg, const char *name, struct rv_error *err)
{
	struct export *export = arg;
	RV_CLEANUP(rv_free_p) char *folder = rv_state_path(export->state, "damaged");
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, name);
	struct stat st;
	const char *run = export->options->run;
	/* <run>/ as a whole, <run>.2/ beside it, or <run>-<seq>.body alone */
	if (run && (!rv_starts_with(name, run) || (name[strlen(run)] && !strchr("-.", name[strlen(run)]))))
		return RV_OK;
	export->any = true;
	if (stat(path, &st) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	if (S_ISDIR(st.st_mode)) {
		struct loose loose = { export, path, name };
		return rv_each_entry(path, export_loose, &loose, err);
	}
	struct loose loose = { export, folder, NULL };
	return export_loose(&loose, name, err);
}

static enum rv_status export_state(void *arg, const struct rv_state *state, struct rv_error *err)
{
	struct export *export = arg;
	RV_CLEANUP(rv_free_p) char *damaged = rv_state_path(state, "damaged");
	export->state = state;
	free(export->folder);
	export->folder = export->one_stream ? rv_strdup(export->options->to)
					    : rv_asprintf("%s/%s/%s", export->options->to,
							  state->business, state->stream);
	if (rv_run_each(state, export_run, export, err) != RV_OK)
		return err->status;
	return rv_each_entry(damaged, export_aside, export, err);
}

static enum rv_status spool_export_run(struct rv_command_context *cx, void *options, int count,
				       char **operands, struct rv_error *err)
{
	struct export export = { .cx = cx, .options = options, .one_stream = count > 0,
				 .damage = RV_ERROR_INIT };
	if (!export.options->to) {
		rv_fail(err, RV_USAGE, "where to? --to is missing");
		rv_hint(err, "river spool export [<stream>] --to <folder>");
		return err->status;
	}
	enum rv_status status = river_spool_each(cx, count, operands, export_state, &export, err);
	free(export.folder);
	if (status != RV_OK)
		return status;
	if (export.options->run && !export.any) {
		rv_fail(err, RV_NOT_FOUND, "nothing of a run %s is kept here", export.options->run);
		rv_hint(err, "'river spool list' shows the runs");
		return err->status;
	}
	if (!export.files && (cx->verbose || rv_messages_terminal()))
		rv_note("nothing to export");
	if (export.damage.status == RV_OK)
		return RV_OK;
	*err = export.damage;
	rv_hint(err, "it was copied all the same; names with .damaged are not what was promised");
	return err->status;
}

static const struct rv_example export_examples[] = {
	{ "river spool export web/clicks --to /backup/clicks", "copy what has not landed as plain files" },
	{ "river spool export web/clicks --to . --run 2026-11-20", "of one run" },
	{ NULL, NULL },
};

const struct rv_command cmd_spool_export = {
	.name = "spool export",
	.group = RV_GROUP_MEND,
	.summary = "copy accepted batches that have not landed as plain files",
	.operands = "[<stream>]",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = export_options_table,
	.options_size = sizeof(struct export_options),
	.examples = export_examples,
	.run = spool_export_run,
};
