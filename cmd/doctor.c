/*
 * `river doctor`: tries everything a push and a load will need, changes nothing, and says for each
 * what is wrong and what to do about it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/probe.h"
#include "base/strbuf.h"
#include "cli/output.h"
#include "config/config.h"
#include "config/stream.h"
#include "context.h"
#include "flow/catalog.h"
#include "lakes.h"
#include "source/sandbox.h"
#include "spool/run.h"
#include "warehouse/duckdb.h"
#include "warehouse/warehouse.h"

#define LITTLE_FREE_BYTES (1ull << 30) /* a few batches and a load's temporary files */
#define NO_FREE_BYTES (16ull << 20)
#define SKEW_MS 5000
#define EARLIEST_MS 1735689600000      /* 2025-01-01: river did not exist before */
#define LATEST_MS 4102444800000        /* 2100-01-01 */

enum result { OK, WARN, FAIL };
static const char *const results[] = { "ok", "warn", "fail" };

struct doctor {
	struct rv_command_context *cx;
	size_t counts[3];
	const struct rv_profile *home; /* while a business is entered, cx->profile is another */
};

/* One line. `hint` says what to do; NULL or "" when there is nothing to do. */
static void say(struct doctor *d, enum result result, const char *check, const char *hint,
		const char *fmt, ...) RV_PRINTF(5, 6);
static void say(struct doctor *d, enum result result, const char *check, const char *hint,
		const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	d->counts[result]++;
	if (hint && !hint[0])
		hint = NULL;
	rv_out_json(d->cx->out, json_pack("{s:s, s:s, s:o, s:o}", "check", check, "result",
					  results[result], "message", rv_out_text(text.bytes), "hint",
					  rv_out_text(hint)));
	rv_out_line(d->cx->out, "%-4s  %-14s  %s", results[result], check, text.bytes);
	if (hint)
		rv_out_line(d->cx->out, "                      -> %s", hint);
}

static void say_error(struct doctor *d, const char *check, const struct rv_error *err)
{
	if (err->file[0] && err->line)
		say(d, FAIL, check, err->hint, "%s:%llu: %s", err->file,
		    (unsigned long long)err->line, err->message);
	else if (err->file[0])
		say(d, FAIL, check, err->hint, "%s: %s", err->file, err->message);
	else
		say(d, FAIL, check, err->hint, "%s", err->message);
}

/* What errno says about a path, while it still holds. */
static void say_errno(struct doctor *d, const char *check, const char *hint, const char *path)
{
	struct rv_error err = RV_ERROR_INIT;
	rv_fail_errno(&err, RV_LOCAL_IO, "%s", path);
	rv_hint(&err, "%s", hint);
	say_error(d, check, &err);
}

/* ---- configuration --------------------------------------------------------------------------- */

static bool check_config(struct doctor *d, struct rv_config **ret)
{
	char **paths = NULL;
	size_t count = 0;
	bool good = true;
	struct rv_error err = RV_ERROR_INIT;
	if (rv_config_discover(NULL, &paths, &count, &err) != RV_OK) {
		say_error(d, "config", &err);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		err = (struct rv_error)RV_ERROR_INIT;
		if (rv_config_check_file(paths[i], NULL, NULL, &err) == RV_OK) {
			say(d, OK, "config", NULL, "%s is read", paths[i]);
		} else {
			say_error(d, "config", &err);
			good = false;
		}
	}
	rv_config_paths_free(paths, count);
	if (count == 0)
		say(d, OK, "config", "river init writes a configuration",
		    "no configuration file; the defaults hold");
	if (!good)
		return false;
	if (rv_config_load(d->cx->config_params, ret, &err) != RV_OK) {
		say_error(d, "config", &err);
		return false;
	}
	const struct rv_profile *profile = rv_config_profile(*ret);
	if (rv_profile_check_supported(profile, &err) != RV_OK) {
		say_error(d, "profile", &err);
		return false;
	}
	say(d, OK, "profile", NULL, "%s (%s)", profile->name, rv_config_profile_origin(*ret));
	return true;
}

/* ---- folders --------------------------------------------------------------------------------- */

/* Its line is called "<what> disk". */
static void check_file_system(struct doctor *d, const char *what, const char *path)
{
	RV_CLEANUP(rv_free_p) char *check = rv_asprintf("%s disk", what);
	struct rv_file_system fs;
	struct rv_error err = RV_ERROR_INIT;
	char space[RV_NUMBER_TEXT];
	if (rv_probe_file_system(path, &fs, &err) != RV_OK) {
		say_error(d, check, &err);
		return;
	}
	rv_format_size(fs.free_bytes, space);
	if (fs.read_only)
		say(d, FAIL, check, "mount it writable, or choose another folder",
		    "%s is on a read-only file system", path);
	else if (fs.full_of_files)
		say(d, FAIL, check, "remove files, or choose another file system",
		    "the file system of %s has no room for another file", path);
	else if (fs.free_bytes < NO_FREE_BYTES)
		say(d, FAIL, check, "make room, or choose another file system",
		    "the file system of %s is full: %s free", path, space);
	else if (fs.free_bytes < LITTLE_FREE_BYTES)
		say(d, WARN, check, "make room before the next large push",
		    "the file system of %s has only %s free", path, space);
	else if (fs.network)
		say(d, WARN, check,
		    "a local disk is safer: locks and durable writes depend on the server",
		    "%s is on a network file system (%s), %s free", path, fs.type, space);
	else if (fs.volatile_data)
		say(d, WARN, check, "choose a folder on a disk for data that is to stay",
		    "%s is in memory (%s) and gone after a restart", path, fs.type);
	else
		say(d, OK, check, NULL, "%s free on %s", space, fs.type);
}

/* For a folder that is not there yet: could it be made? */
static bool check_can_be_made(struct doctor *d, const char *check, const char *path,
			      const char *when)
{
	RV_CLEANUP(rv_free_p) char *above = rv_probe_existing(path);
	struct stat st;
	if (stat(above, &st) < 0 || !S_ISDIR(st.st_mode)) {
		say(d, FAIL, check, "choose another folder", "%s is in the way: not a folder", above);
		return false;
	}
	if (access(above, W_OK | X_OK) < 0) {
		struct rv_error err = RV_ERROR_INIT;
		rv_fail_errno(&err, RV_LOCAL_IO, "%s is not there and cannot be made: %s", path,
			      above);
		rv_hint(&err, "choose a folder of yours, or have this one made for you");
		say_error(d, check, &err);
		return false;
	}
	say(d, OK, check, NULL, "%s is not there yet; %s makes it", path, when);
	check_file_system(d, check, above);
	return true;
}

/* What durable files need, tried in the folder. */
static bool check_writing(struct doctor *d, const char *check, const char *path)
{
	struct rv_error err = RV_ERROR_INIT;
	int64_t skew_ms = 0;
	if (rv_probe_create(path, &skew_ms, &err) != RV_OK ||
	    rv_probe_replace(path, &err) != RV_OK || rv_probe_lock(path, &err) != RV_OK) {
		if (!err.hint[0])
			rv_hint(&err, "river needs a folder where files can be created, replaced "
				      "and locked");
		say_error(d, check, &err);
		return false;
	}
	if (skew_ms > SKEW_MS || skew_ms < -SKEW_MS) {
		char text[RV_NUMBER_TEXT];
		say(d, WARN, check, "set the clocks of this host and of the file server",
		    "times of files in %s are %s %s the clock", path,
		    rv_format_duration(skew_ms < 0 ? -skew_ms : skew_ms, text),
		    skew_ms < 0 ? "behind" : "ahead of");
	}
	return true;
}

static void explained(void *arg, const char *check, enum rv_explained result, const char *message,
		      const char *hint)
{
	static const enum result as[] = { [RV_EXPLAIN_OK] = OK, [RV_EXPLAIN_WARN] = WARN,
					  [RV_EXPLAIN_FAIL] = FAIL };
	struct doctor *d = arg;
	const char *lake = d->cx->profile->lake;
	if (strcmp(lake, d->home->lake) == 0)
		say(d, as[result], check, hint, "%s", message);
	else
		say(d, as[result], check, hint, "%s: %s", lake, message);
}

static void check_lake(struct doctor *d, const struct rv_profile *profile)
{
	struct stat st;
	if (!profile->lake_is_folder) {
		rv_wire_explain(profile, explained, d);
		return;
	}
	if (stat(profile->lake, &st) < 0) {
		if (errno == ENOENT)
			check_can_be_made(d, "lake", profile->lake, "the first use");
		else
			say_errno(d, "lake", "choose another folder with lake in river.yaml",
				  profile->lake);
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		say(d, FAIL, "lake", "set lake to a folder", "%s is not a folder", profile->lake);
		return;
	}
	if (!check_writing(d, "lake", profile->lake))
		return;
	say(d, OK, "lake", NULL, "%s can be read and written", profile->lake);
	check_file_system(d, "lake", profile->lake);
}

static bool check_state(struct doctor *d, const struct rv_profile *profile)
{
	static const char hint[] = "set RIVER_STATE_DIR to a folder of yours";
	const char *path = profile->state_dir;
	struct stat st;
	if (stat(path, &st) < 0) {
		if (errno == ENOENT)
			check_can_be_made(d, "state", path, "the first push");
		else
			say_errno(d, "state", hint, path);
		return false;
	}
	bool shared = (st.st_mode & S_ISGID) && (st.st_mode & S_IWGRP);
	if (!S_ISDIR(st.st_mode)) {
		say(d, FAIL, "state", hint, "%s is not a folder", path);
		return false;
	}
	if (st.st_uid != geteuid() && !shared) {
		say(d, FAIL, "state", hint, "%s belongs to user %u", path, (unsigned)st.st_uid);
		return false;
	}
	if (!check_writing(d, "state", path))
		return false;
	if (!shared && (st.st_mode & 077)) {
		RV_CLEANUP(rv_free_p) char *what = rv_asprintf("chmod 700 %s", path);
		say(d, WARN, "state", what, "%s is open to others (mode %04o)", path,
		    (unsigned)st.st_mode & 07777);
	} else {
		say(d, OK, "state", NULL, "%s is %s, locks and renames work", path,
		    shared ? "shared with its group" : "yours alone");
	}
	check_file_system(d, "state", path);
	return true;
}

/* ---- spool ----------------------------------------------------------------------------------- */

/* By the stream, as spool.max is. */
struct waiting {
	struct doctor *d;
	uint64_t bytes, most;
	char fullest[RV_STREAM_TEXT];
};

static enum rv_status add_state(void *arg, const struct rv_state *state, struct rv_error *err)
{
	struct waiting *waiting = arg;
	uint64_t bytes;
	if (rv_spool_bytes(state, &bytes, err) != RV_OK)
		return err->status;
	waiting->bytes += bytes;
	if (bytes > waiting->most) {
		waiting->most = bytes;
		snprintf(waiting->fullest, sizeof(waiting->fullest), "%s/%s", state->business,
			 state->stream);
	}
	return RV_OK;
}

static enum rv_status add_lake(void *arg, struct rv_error *err)
{
	const struct rv_command_context *cx = ((struct waiting *)arg)->d->cx;
	return rv_state_each(cx->profile->state_dir, cx->lake->url, add_state, arg, err);
}

static void check_spool(struct doctor *d)
{
	struct waiting waiting = { .d = d };
	struct river_lakes lakes;
	struct rv_error err = RV_ERROR_INIT;
	char all[RV_NUMBER_TEXT], fullest[RV_NUMBER_TEXT], limit[RV_NUMBER_TEXT];
	uint64_t max = d->home->spool_max_bytes;
	river_lakes_init(&lakes, d->cx);
	if (river_lakes_each(&lakes, add_lake, &waiting, &err) != RV_OK) {
		say_error(d, "spool", &err);
		return;
	}
	rv_format_size(waiting.bytes, all);
	rv_format_size(waiting.most, fullest);
	rv_format_size(max, limit);
	if (!waiting.bytes) {
		say(d, OK, "spool", NULL, "nothing waits, %s of each stream are allowed by spool.max", limit);
		return;
	}
	enum result result = waiting.most >= max ? FAIL : waiting.most >= max - max / 5 ? WARN : OK;
	say(d, result, "spool",
	    result == OK ? NULL : "river spool list shows what waits, river spool flush sends it",
	    "%s wait, %s of them of %s; %s of each stream are allowed by spool.max", all, fullest,
	    waiting.fullest, limit);
}

/* ---- archives -------------------------------------------------------------------------------- */

static void check_sandbox(struct doctor *d)
{
	struct rv_sandbox_state state;
	struct rv_error err = RV_ERROR_INIT;
	char text[64];
	if (rv_sandbox_probe(&state, &err) != RV_OK) {
		say_error(d, "sandbox", &err);
		return;
	}
	rv_sandbox_state_text(&state, text, sizeof(text));
	if (state.limits && state.seccomp && state.landlock)
		say(d, OK, "sandbox", NULL, "archives are inflated behind %s", text);
	else
		say(d, WARN, "sandbox",
		    "archives are read all the same; a newer kernel, or a container that allows it, "
		    "has all three",
		    "archives are inflated behind %s, and not behind%s%s%s", text,
		    state.limits ? "" : " limits", state.seccomp ? "" : " seccomp",
		    state.landlock ? "" : " Landlock");
}

/* ---- warehouse ------------------------------------------------------------------------------- */

static void check_engine(struct doctor *d)
{
	struct rv_error err = RV_ERROR_INIT;
	char path[1024], version[1024];
	if (rv_duckdb_locate(path, version, sizeof(path), &err) != RV_OK)
		say_error(d, "duckdb", &err);
	else
		say(d, OK, "duckdb", NULL, "%s at %s", version, path);
}

/* "DUCK" stands at byte 8 of every DuckDB file (DuckDB documentation, storage format). */
static bool is_database(const char *path, bool *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	char bytes[12];
	size_t n = 0;
	if (fd < 0) {
		rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
		return false;
	}
	if (rv_pread_full(fd, bytes, sizeof(bytes), 0, &n, path, err) != RV_OK)
		return false;
	*ret = n == 0 || (n == sizeof(bytes) && memcmp(bytes + 8, "DUCK", 4) == 0);
	return true;
}

static void check_warehouse_file(struct doctor *d, const char *path)
{
	struct rv_error err = RV_ERROR_INIT;
	struct stat st;
	bool database = false;
	pid_t holder = 0;
	if (stat(path, &st) < 0) {
		if (errno == ENOENT)
			check_can_be_made(d, "warehouse", path, "the first load");
		else
			say_errno(d, "warehouse", "choose another file with warehouse.path", path);
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		say(d, FAIL, "warehouse", "set warehouse.path to a file", "%s is not a file", path);
	} else if (access(path, R_OK | W_OK) < 0) {
		say_errno(d, "warehouse", "make it yours, or choose another file with warehouse.path",
			  path);
	} else if (!is_database(path, &database, &err) ||
		   rv_probe_locked_by(path, &holder, &err) != RV_OK) {
		say_error(d, "warehouse", &err);
	} else if (!database) {
		say(d, FAIL, "warehouse",
		    "choose another file with warehouse.path; river snowpipe notify --rebuild makes "
		    "the tables again from the lake",
		    "%s is not a DuckDB file", path);
	} else if (holder > 0) {
		say(d, WARN, "warehouse", "close it there before the next load or query",
		    "%s is in use by process %ld", path, (long)holder);
	} else if (holder != 0) {
		say(d, WARN, "warehouse", "close it there before the next load or query",
		    "%s is in use by another program", path);
	} else {
		char text[RV_NUMBER_TEXT];
		say(d, OK, "warehouse", NULL, "%s (%s) can be opened", path,
		    rv_format_size((uint64_t)st.st_size, text));
		check_file_system(d, "warehouse", path);
	}
}

/* So many pipes are asked about: a question each. */
#define PIPES_MAX 100

struct pipes {
	struct doctor *d;
	size_t looked, running, left;
	uint64_t queued;
	size_t listening; /* to a queue that the profile does not have the bucket notify */
	char channel[sizeof(((struct rv_warehouse_pipe *)0)->channel)]; /* of the first of these */
};

/* What does not run is a line of its own. */
static enum rv_status check_pipe(void *arg, const char *name, struct rv_error *err)
{
	struct pipes *pipes = arg;
	struct rv_command_context *cx = pipes->d->cx;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_warehouse_free_p) struct rv_warehouse *warehouse = NULL;
	struct rv_warehouse_pipe pipe;
	if (pipes->looked == PIPES_MAX) {
		pipes->left++;
		return RV_OK;
	}
	rv_stream_init(&stream);
	pipes->looked++;
	if (rv_wire_business(cx, name, err) != RV_OK ||
	    rv_catalog_get(cx->lake, name, &stream, NULL, err) != RV_OK ||
	    rv_wire_warehouse(cx->profile, cx->lake, &warehouse, err) != RV_OK ||
	    !warehouse->ops->pipe || warehouse->ops->pipe(warehouse, &stream, &pipe, err) != RV_OK) {
		if (err->status == RV_NOT_FOUND)
			rv_hint(err, "river stream apply makes what is missing; its role needs MONITOR on it");
		say_error(pipes->d, "pipe", err);
		return RV_OK;
	}
	pipes->queued += pipe.pending;
	pipes->running += pipe.runs;
	if (pipe.channel[0] && !cx->profile->notify_arn && !pipes->listening++)
		memcpy(pipes->channel, pipe.channel, sizeof(pipes->channel));
	if (!pipe.runs)
		say(pipes->d, FAIL, "pipe",
		    strcmp(pipe.state, "PAUSED") == 0
			    ? "its owner resumes it with alter pipe ... set pipe_execution_paused = false"
			    : "river stream apply mends what it can; the rest is the state's own name",
		    "the pipe of %s is %s%s%s", name, pipe.state[0] ? pipe.state : "in no state",
		    pipe.error[0] ? ": " : "", pipe.error);
	return RV_OK;
}

/* Of the streams in all lakes of the profile. */
static void check_pipes(struct doctor *d)
{
	struct pipes pipes = { .d = d };
	struct river_lakes lakes;
	struct rv_error err = RV_ERROR_INIT;
	char files[RV_NUMBER_TEXT];
	river_lakes_init(&lakes, d->cx);
	if (river_lakes_streams(&lakes, "", NULL, check_pipe, &pipes, &err) != RV_OK)
		say_error(d, "pipes", &err);
	else if (!pipes.looked)
		say(d, OK, "pipes", NULL, "there are no streams yet");
	else
		say(d, OK, "pipes", NULL, "%zu of %zu run, %s files in their queues%s", pipes.running,
		    pipes.looked, rv_format_count(pipes.queued, files),
		    pipes.left ? "; the others were not asked" : "");
	/* Somebody else may have seen to it, so this is no failure. */
	if (pipes.listening)
		say(d, WARN, "pipes",
		    "set notify.arn to it and run river stream apply; until the bucket notifies it, river "
		    "snowpipe notify has pipes look for themselves",
		    "%zu with pipe: auto hear of new objects through %s, which notify.arn does not name",
		    pipes.listening, pipes.channel);
}

static void check_warehouse(struct doctor *d, const struct rv_profile *profile)
{
	if (strcmp(profile->warehouse_type, "snowflake") == 0) {
		size_t failed = d->counts[FAIL];
		rv_wire_explain_snowflake(profile, explained, d);
		if (d->counts[FAIL] == failed && d->cx->lake)
			check_pipes(d);
		return;
	}
	if (!profile->warehouse_path) {
		say(d, OK, "warehouse", NULL, "the profile has none");
		return;
	}
	check_engine(d);
	check_warehouse_file(d, profile->warehouse_path);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void check_clock(struct doctor *d)
{
	char text[RV_TIME_TEXT];
	int64_t now_ms = rv_clock_ms();
	if (now_ms < EARLIEST_MS || now_ms >= LATEST_MS)
		say(d, FAIL, "clock", "set the clock: object names and ages come from it",
		    "the clock says %s", rv_format_time(now_ms, text));
	else
		say(d, OK, "clock", NULL, "%s", rv_format_time(now_ms, text));
}

static enum rv_status check_other_lake(void *arg, struct rv_error *err RV_UNUSED)
{
	struct doctor *d = arg;
	if (d->cx->profile != d->home)
		check_lake(d, d->cx->profile);
	return RV_OK;
}

/* Of businesses that have one of their own. */
static void check_other_lakes(struct doctor *d)
{
	struct river_lakes lakes;
	struct rv_error err = RV_ERROR_INIT;
	river_lakes_init(&lakes, d->cx);
	if (river_lakes_each(&lakes, check_other_lake, d, &err) != RV_OK)
		say_error(d, "lake", &err);
}

static void check_profile(struct doctor *d, const struct rv_profile *profile)
{
	struct rv_error told = RV_ERROR_INIT;
	d->home = d->cx->profile = profile;
	check_lake(d, profile);
	if (rv_wire_lake(profile, &d->cx->lake, &told) == RV_OK)
		check_other_lakes(d);
	if (check_state(d, profile) && d->cx->lake)
		check_spool(d);
	check_warehouse(d, profile);
}

static enum rv_status doctor_run(struct rv_command_context *cx, void *options RV_UNUSED,
				 int operands_count, char **operands, struct rv_error *err)
{
	struct doctor d = { .cx = cx };
	RV_CLEANUP(rv_config_free_p) struct rv_config *config = NULL;
	if (operands_count > 0)
		return rv_fail(err, RV_USAGE, "unexpected argument '%s'", operands[0]);
	check_clock(&d);
	check_sandbox(&d);
	if (check_config(&d, &config))
		check_profile(&d, rv_config_profile(config));
	if (d.counts[FAIL] == 0)
		return RV_OK;
	return rv_fail(err, RV_FAILED, "%zu of %zu checks failed", d.counts[FAIL],
		       d.counts[OK] + d.counts[WARN] + d.counts[FAIL]);
}

struct doctor_options {
	char none;
};
static const struct rv_opt doctor_options_table[] = { OPT_END };

static const struct rv_example doctor_examples[] = {
	{ "river doctor", "say whether everything a push and a load need is in place" },
	{ "river --profile prod --output json doctor", "the same for a program, of another profile" },
	{ NULL, NULL },
};

const struct rv_command cmd_doctor = {
	.name = "doctor",
	.group = RV_GROUP_MEND,
	.summary = "check that everything river needs is in place",
	.operands = "",
	.options = doctor_options_table,
	.options_size = sizeof(struct doctor_options),
	.examples = doctor_examples,
	.run = doctor_run,
};
