/* `river pump`: a data set as events, to an address or into a stream. */
#include "pump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/ulid.h"
#include "flow/pump_sample.h"
#include "format/json_text.h"

static const char *const batch_forms[] = { "array", "lines", NULL };

struct pump_options {
	const char *to, *map;
	uint64_t count;
	const char *rate, *speed;
	bool replay_time;
	uint64_t loop;
	int64_t jitter;
	bool resume, restart;
	bool dry_run, check;
	const char *sample;
	bool print_map;
	uint64_t batch;
	int batch_as;
	uint64_t connections;
	int64_t retry_for;
	uint64_t max_rejects;
	const char *headers, *ca_file;
};

static const struct rv_opt pump_options_table[] = {
	OPT_STRING(struct pump_options, 0, "to", to, "target",
		   "an http or https address that takes events, or a stream",
		   .complete = RV_COMPLETE_STREAM),
	OPT_STRING(struct pump_options, 0, "map", map, "file",
		   "how a row becomes an event; without it rows are sent as they are",
		   .complete = RV_COMPLETE_FILE),
	OPT_COUNT(struct pump_options, 0, "count", count, "n", "the first rows only, over all passes"),
	OPT_STRING(struct pump_options, 0, "rate", rate, "number",
		   "events a second at most: 500, 500/s, 30/m or 1000/h"),
	OPT_STRING(struct pump_options, 0, "speed", speed, "factor",
		   "keep the pace of the data's own times, so many times as fast: 1x, 10x"),
	OPT_FLAG(struct pump_options, 0, "replay-time", replay_time,
		 "events have the data's own times instead of now, and each time the same ids"),
	OPT_COUNT(struct pump_options, 0, "loop", loop, "n", "go through the data so often; 0: for ever",
		  .def = "1"),
	OPT_DURATION(struct pump_options, 0, "jitter", jitter, "time",
		     "send each event later by a random time up to this", .def = "0s"),
	OPT_FLAG(struct pump_options, 0, "resume", resume,
		 "remember how far it is, and go on where the same command was ended"),
	OPT_FLAG(struct pump_options, 0, "restart", restart,
		 "with --resume: forget what is remembered and begin anew"),
	OPT_FLAG(struct pump_options, 'n', "dry-run", dry_run,
		 "send nothing; print the events, a line each"),
	OPT_FLAG(struct pump_options, 0, "check", check,
		 "with --dry-run: print how many there are of each kind instead"),
	OPT_STRING(struct pump_options, 0, "sample", sample, "folder",
		   "write a synthetic data set there, of --count rows (default 10000), and do nothing "
		   "else",
		   .complete = RV_COMPLETE_FOLDER),
	OPT_FLAG(struct pump_options, 0, "print-map", print_map,
		 "print the built-in map, to begin one's own with, and do nothing else"),
	OPT_COUNT(struct pump_options, 0, "batch", batch, "n", "events in a request, to an address",
		  .def = "1"),
	OPT_CHOICE(struct pump_options, 0, "batch-as", batch_as, batch_forms,
		   "what a request of several is: a JSON array, or lines", .def = "array"),
	OPT_COUNT(struct pump_options, 0, "connections", connections, "n",
		  "requests in flight, up to 1024; default: 64, 8 for batches and for https"),
	OPT_DURATION(struct pump_options, 0, "retry-for", retry_for, "time",
		     "how long to try on when the target is out of reach", .def = "60s"),
	OPT_COUNT(struct pump_options, 0, "max-rejects", max_rejects, "n",
		  "stop when more rows than this are rejected; without it none is too many"),
	OPT_STRING(struct pump_options, 0, "headers", headers, "file",
		   "send the headers of this file too, a line each: Name: value",
		   .complete = RV_COMPLETE_FILE),
	OPT_STRING(struct pump_options, 0, "ca-file", ca_file, "file",
		   "certificates to trust instead of the system's, for https",
		   .complete = RV_COMPLETE_FILE),
	OPT_END
};

static const struct rv_example pump_examples[] = {
	{ "river pump --sample ./dataset --count 100000", "write a data set to play with" },
	{ "river pump --dry-run --check ./dataset", "how many events of each kind it has" },
	{ "river pump --to http://127.0.0.1:8080/collect --rate 500/s ./dataset",
	  "send it as if it happened now" },
	{ "river pump --to web/clicks --map map.yaml --resume orders.csv",
	  "rows as a map says, into a stream; after a kill the same command goes on" },
	{ NULL, NULL }
};

/* ---- what is asked for ---- */

/* All that a run is put together of. */
struct pump {
	struct rv_command_context *cx;
	const struct pump_options *o;
	char **files;                  /* owned */
	size_t files_count;
	bool coveo;
	struct rv_map map;
	uint64_t map_hash;
	char *shown;                   /* the target, without its query */
	bool to_address;
	struct rv_pump_pace pace;
	json_t *of;
	struct rv_pump_state *state;
	struct rv_pump_feed *feed;
	struct rv_pump_mapper *mapper;
	struct rv_pump_line line;
	bool has_line;
	struct rv_progress progress;
	struct rv_strbuf header_text;
	char **headers;                /* of header_text */
	size_t headers_count, headers_capacity;
};

static void pump_release(struct pump *p)
{
	if (p->has_line)
		rv_pump_line_release(&p->line);
	rv_pump_feed_free(p->feed);
	rv_pump_mapper_free(p->mapper);
	rv_pump_state_free(p->state);
	json_decref(p->of);
	rv_map_release(&p->map);
	for (size_t i = 0; i < p->files_count; i++)
		free(p->files[i]);
	free(p->files);
	free(p->shown);
	free(p->headers);
	rv_strbuf_release(&p->header_text);
}

static uint64_t given(uint64_t option, uint64_t otherwise)
{
	return option == RV_OPT_NOT_GIVEN ? otherwise : option;
}

static enum rv_status check_options(struct pump *p, int count, struct rv_error *err)
{
	const struct pump_options *o = p->o;

	if (!count) {
		rv_fail(err, RV_USAGE, "pump needs data");
		rv_hint(err, "name a file, a folder with " RV_MAP_COVEO_FILE " in it, or - for standard "
			"input; --sample writes some");
		return err->status;
	}
	if (!o->to && !o->dry_run) {
		rv_fail(err, RV_USAGE, "--to says where the events go");
		rv_hint(err, "an address, a stream, or --dry-run to see them");
		return err->status;
	}
	if (o->check && !o->dry_run)
		return rv_fail(err, RV_USAGE, "--check is for --dry-run");
	if (o->restart && !o->resume)
		return rv_fail(err, RV_USAGE, "--restart is for --resume");
	if (o->resume && o->dry_run)
		return rv_fail(err, RV_USAGE, "--dry-run sends nothing that could be resumed");
	if (o->count == 0)
		return rv_fail(err, RV_USAGE, "--count is at least 1");
	if (o->rate && o->speed)
		return rv_fail(err, RV_USAGE, "either --rate or --speed sets the pace");
	if (o->rate && !rv_pump_parse_rate(o->rate, &p->pace.per_s)) {
		rv_fail(err, RV_USAGE, "--rate: '%s' is no number of events in a time", o->rate);
		rv_hint(err, "write 500/s, 30/m or 1000/h");
		return err->status;
	}
	if (o->speed && !rv_pump_parse_speed(o->speed, &p->pace.speed)) {
		rv_fail(err, RV_USAGE, "--speed: '%s' is no factor", o->speed);
		rv_hint(err, "write 1x for the data's own pace, 10x for ten times as fast");
		return err->status;
	}
	if (o->batch == 0 || o->batch > 100000)
		return rv_fail(err, RV_USAGE, "--batch is from 1 to 100000");
	if (o->connections != RV_OPT_NOT_GIVEN &&
	    (o->connections == 0 || o->connections > RV_POST_LANES_MAX))
		return rv_fail(err, RV_USAGE, "--connections is from 1 to %d", RV_POST_LANES_MAX);
	p->pace.jitter_us = o->jitter * 1000;
	rv_random_bytes(&p->pace.random, sizeof(p->pace.random));
	p->to_address = o->to && (rv_starts_with(o->to, "http://") || rv_starts_with(o->to, "https://"));
	if (p->to_address && !rv_post_url_valid(o->to)) {
		rv_fail(err, RV_USAGE, "--to: this is no address");
		rv_hint(err, "write http://host:port/path or https://..., without user and password");
		return err->status;
	}
	if (o->to && !p->to_address && strstr(o->to, "://"))
		return rv_fail(err, RV_USAGE, "--to: an address begins with http:// or https://");
	if (o->to)
		p->shown = rv_post_url_shown(o->to);
	if (!p->to_address && (o->batch > 1 || o->headers || o->ca_file))
		return rv_fail(err, RV_USAGE, "--batch, --headers and --ca-file are for an address");
	return RV_OK;
}

static enum rv_status find_files(struct pump *p, int count, char **operands, struct rv_error *err)
{
	p->files = rv_calloc((size_t)count + 1, sizeof(*p->files));
	for (int i = 0; i < count; i++) {
		struct stat st;

		if (strstr(operands[i], "://")) {
			rv_fail(err, RV_USAGE, "%s: data is read from files and standard input", operands[i]);
			rv_hint(err, "fetch it first: whether a download is whole cannot be seen in a pipe");
			return err->status;
		}
		if (stat(operands[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			char *data = rv_path_join(operands[i], RV_MAP_COVEO_FILE);

			p->files[p->files_count++] = data;
			p->coveo = true;
			if (stat(data, &st) < 0 && errno == ENOENT) {
				rv_fail(err, RV_NOT_FOUND, "no file %s", data);
				rv_hint(err, "a folder stands for that data set; of other data name the files");
				return err->status;
			}
		} else {
			p->coveo |= strcmp(rv_path_base(operands[i]), RV_MAP_COVEO_FILE) == 0;
			p->files[p->files_count++] = rv_strdup(operands[i]);
		}
	}
	if (p->o->resume)
		for (size_t i = 0; i < p->files_count; i++)
			if (strcmp(p->files[i], "-") == 0)
				return rv_fail(err, RV_USAGE, "standard input cannot be resumed");
	return RV_OK;
}

static bool is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* Second files are beside the map, or beside the data. */
static void find_lookups(struct pump *p)
{
	RV_CLEANUP(rv_free_p) char *of_map = p->o->map ? rv_path_parent(p->o->map) : NULL;
	RV_CLEANUP(rv_free_p) char *of_data = rv_path_parent(p->files[0]);

	for (size_t i = 0; i < p->map.lookups_count; i++) {
		struct rv_map_lookup *lookup = &p->map.lookups[i];
		char *path = of_map ? rv_path_join(of_map, lookup->file) : NULL;

		if (!path || !is_there(path)) {
			char *beside = rv_path_join(of_data, lookup->file);

			if (!path || is_there(beside)) {
				free(path);
				path = beside;
			} else {
				free(beside);
			}
		}
		free(lookup->file);
		lookup->file = rv_path_absolute(path);
		free(path);
	}
}

static enum rv_status read_map(struct pump *p, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	if (!p->o->map && !p->coveo)
		return RV_OK;
	rv_map_release(&p->map);
	if (p->o->map) {
		if (rv_read_file(p->o->map, 1 << 20, &text, err) != RV_OK) {
			if (err->status == RV_BAD_DATA)
				err->status = RV_BAD_CONFIG;
			return err->status;
		}
	} else {
		rv_strbuf_puts(&text, rv_map_coveo);
	}
	p->map_hash = XXH3_64bits(text.bytes, text.len);
	if (rv_map_parse(p->o->map ? p->o->map : "the built-in map", text.bytes, text.len, &p->map, err) !=
	    RV_OK)
		return err->status;
	find_lookups(p);
	return RV_OK;
}

/* ---- headers ---- */

static enum rv_status read_headers(struct pump *p, struct rv_error *err)
{
	char *line, *rest;

	if (!p->o->headers)
		return RV_OK;
	if (rv_read_file(p->o->headers, 64 << 10, &p->header_text, err) != RV_OK)
		return err->status;
	for (line = strtok_r(p->header_text.bytes, "\r\n", &rest); line;
	     line = strtok_r(NULL, "\r\n", &rest)) {
		if (*line == '#' || !line[strspn(line, " \t")])
			continue;
		/* what is wrong may be a secret, so it is not shown */
		if (!rv_post_header_valid(line)) {
			rv_fail(err, RV_BAD_CONFIG, "%s: the header number %zu is none, or one that river "
				"sends itself", p->o->headers, p->headers_count + 1);
			rv_hint(err, "write Name: value, one a line");
			return err->status;
		}
		RV_GROW(p->headers, p->headers_count, p->headers_capacity);
		p->headers[p->headers_count++] = line;
	}
	return RV_OK;
}

/* ---- how far it is ---- */

static enum rv_status describe(struct pump *p, struct rv_error *err)
{
	json_t *sources = json_array(), *lookups = json_array(), *file;

	p->of = json_pack("{s:o, s:o}", "sources", sources, "lookups", lookups);
	for (size_t i = 0; i < p->files_count; i++) {
		if (rv_pump_file_json(p->files[i], &file, err) != RV_OK)
			return err->status;
		json_array_append_new(sources, file);
	}
	for (size_t i = 0; i < p->map.lookups_count; i++) {
		if (rv_pump_file_json(p->map.lookups[i].file, &file, err) != RV_OK)
			return err->status;
		json_array_append_new(lookups, file);
	}
	json_object_set_new(p->of, "map", rv_json_hex64(p->map_hash));
	json_object_set_new(p->of, "times", json_string(p->o->replay_time ? "replayed" : "now"));
	/* A run of push is of one input, whole. */
	if (!p->to_address)
		json_object_set_new(p->of, "count", json_integer((json_int_t)given(p->o->count, 0)));
	json_object_set_new(p->of, "target", rv_json_hex64(XXH3_64bits(p->o->to, strlen(p->o->to))));
	return RV_OK;
}

static enum rv_status open_state(struct pump *p, struct rv_error *err)
{
	if (!p->o->resume)
		return RV_OK;
	if (describe(p, err) != RV_OK)
		return err->status;
	const struct rv_pump_state_params params = {
		.state_dir = p->cx->profile->state_dir,
		.target = p->o->to,
		.shown = p->shown,
		.files = p->files,
		.files_count = p->files_count,
		.of = p->of,
		.restart = p->o->restart,
		.keep_windows = !p->to_address,
		.lock_timeout_ms = rv_lock_timeout_ms(p->cx),
	};

	return rv_pump_state_open(&params, &p->state, err);
}

/* ---- putting it together ---- */

static enum rv_status open_line(struct pump *p, struct rv_error *err)
{
	bool to_stream = p->o->to && !p->to_address;
	const struct rv_pump_feed_params feed = {
		.files = p->files,
		.files_count = p->files_count,
		.map = &p->map,
		.passes = p->o->loop,
		/* a run of push is made again from its start, so that it can be compared */
		.from = p->state && !to_stream ? rv_pump_state_place(p->state) : NULL,
	};
	struct rv_pump_mapper_params mapper = {
		.map = &p->map,
		.folder = "/", /* the paths are absolute by now */
		.replay_time = p->o->replay_time,
		.need_time = p->pace.speed > 0,
	};

	/* Times of the data: the same events under the same ids, every time. */
	if (p->state && !p->o->replay_time)
		memcpy(mapper.seed, rv_pump_state_seed(p->state), sizeof(mapper.seed));
	else if (!p->o->replay_time)
		rv_random_bytes(mapper.seed, sizeof(mapper.seed));
	if (rv_pump_feed_new(&feed, &p->feed, err) != RV_OK ||
	    rv_pump_mapper_new(&mapper, &p->mapper, err) != RV_OK)
		return err->status;
	const struct rv_pump_line_params line = {
		.feed = p->feed,
		.mapper = p->mapper,
		.map = &p->map,
		.pace = &p->pace,
		.state = p->state,
		.count = given(p->o->count, 0),
		.catch_up = to_stream,
		.from = p->state && !to_stream ? rv_pump_state_done(p->state) : 0,
		.max_rejects = p->o->max_rejects,
		.window_ms = to_stream ? 1000 : 0,
		.warn = rv_flow_warning,
	};

	rv_pump_line_init(&p->line, &line);
	p->has_line = true;
	return RV_OK;
}

/* ---- the ways ---- */

static void show_progress(void *arg, const struct rv_pump_counts *counts)
{
	struct pump *p = arg;
	uint64_t done, total;

	rv_pump_feed_progress(p->feed, &done, &total);
	rv_progress_update(&p->progress, rv_clock_monotonic_ms(), done, p->o->loop == 1 ? total : 0,
			   counts->events);
}

static void warn_trouble(void *arg, const char *text)
{
	const struct pump *p = arg;

	rv_warn("%s takes no events at the moment: %s; trying on", p->shown, text);
}

static enum rv_status to_address(struct pump *p, int64_t started_ms, struct rv_error *err)
{
	const struct pump_options *o = p->o;
	bool few = o->batch > 1 || rv_starts_with(o->to, "https://");
	unsigned lanes = (unsigned)given(o->connections, few ? 8 : 64);
	const struct rv_pump_post_params params = {
		.line = &p->line,
		.lanes = lanes,
		.batch = o->batch,
		.batch_lines = o->batch_as == 1,
		.should_stop = rv_should_stop,
		.progress = show_progress,
		.warn = warn_trouble,
		.arg = p,
	};
	struct rv_pump_poster *poster = rv_pump_poster_new(&params);
	const struct rv_post_params post_params = {
		.url = o->to,
		.content_type = o->batch > 1 && o->batch_as == 1 ? "application/x-ndjson"
								 : "application/json",
		.headers = p->headers,
		.headers_count = p->headers_count,
		.lanes = lanes,
		.max_bytes = o->batch > 1 ? 4 << 20 : 1 << 20,
		.retry_for_ms = o->retry_for,
		.answer_timeout_ms = p->cx->timeout_ms > 0 ? p->cx->timeout_ms : 0,
		.ca_file = o->ca_file,
		.should_stop = rv_should_stop,
		.settled = rv_pump_poster_settled,
		.arg = poster,
	};
	struct rv_post *post = NULL;
	struct rv_pump_post_result *result = rv_calloc(1, sizeof(*result));
	enum rv_status status = rv_post_new(&post_params, &post, err);

	if (status == RV_OK) {
		RV_CLEANUP(rv_free_p) char *what = rv_asprintf("pump to %s", p->shown);

		rv_progress_start(&p->progress, what, started_ms);
		status = rv_pump_post(poster, post, result, err);
		rv_progress_end(&p->progress);
		const struct river_pump_said said = {
			.to = p->shown,
			.map = &p->map,
			.line = &p->line,
			.post = result,
			.took_ms = rv_clock_monotonic_ms() - started_ms,
			.status = status,
		};

		river_pump_say(p->cx, &said);
		if (status != RV_OK && status != RV_PARTIAL && p->state && !err->hint[0])
			rv_hint(err, "the same command goes on where this one ended");
	}
	rv_post_free(post);
	rv_pump_poster_free(poster);
	free(result);
	return status;
}

/* False: nobody reads on, and data may go round for ever. */
static bool print_event(void *arg, const char *event, size_t len)
{
	struct rv_command_context *cx = arg;

	rv_out_write(cx->out, event, len);
	rv_out_write(cx->out, "\n", 1);
	return !rv_out_failed(cx->out);
}

static enum rv_status dry_run(struct pump *p, int64_t started_ms, struct rv_error *err)
{
	struct rv_pump_check check;

	/* nobody waits for what is not sent */
	p->pace = (struct rv_pump_pace){ .per_s = 0 };
	enum rv_status status = rv_pump_check(&p->line, rv_should_stop, p->o->check ? NULL : print_event,
					      p->cx, &check, err);
	const struct rv_pump_counts *c = &p->line.counts;

	if (status == RV_OK && c->rejected)
		status = rv_fail(err, c->events ? RV_PARTIAL : RV_BAD_DATA,
				 "%" PRIu64 " of %" PRIu64 " rows %s rejected, the first: %s", c->rejected,
				 c->rows, c->rejected == 1 ? "is" : "are", c->first_reject);
	const struct river_pump_said said = {
		.map = &p->map,
		.line = &p->line,
		.took_ms = rv_clock_monotonic_ms() - started_ms,
		.status = status,
	};

	if (p->o->check)
		river_pump_say_check(p->cx, &said, &check);
	return status;
}

static enum rv_status sample(struct rv_command_context *cx, const struct pump_options *o, int count,
			     struct rv_error *err)
{
	struct rv_pump_sample made;
	char rows[RV_NUMBER_TEXT], sessions[RV_NUMBER_TEXT], products[RV_NUMBER_TEXT];

	if (count || o->to)
		return rv_fail(err, RV_USAGE, "--sample writes data and sends none");
	if (rv_pump_sample(o->sample, given(o->count, 10000), 1, &made, err) != RV_OK)
		return err->status;
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "folder",
					       rv_out_text(o->sample), "rows", (json_int_t)made.rows,
					       "sessions", (json_int_t)made.sessions, "products",
					       (json_int_t)made.products, "pageview",
					       (json_int_t)made.pageviews, "detail",
					       (json_int_t)made.details, "add", (json_int_t)made.adds,
					       "remove", (json_int_t)made.removes, "purchase",
					       (json_int_t)made.purchases));
	else if (cx->verbose || rv_messages_terminal())
		rv_note("%s: %s rows of %s sessions, %s products", o->sample,
			rv_format_count(made.rows, rows), rv_format_count(made.sessions, sessions),
			rv_format_count(made.products, products));
	return RV_OK;
}

/* Is --loop more than what has been pumped? */
static bool asks_for_more(const struct pump *p)
{
	uint64_t passes = rv_pump_state_passes(p->state);

	return passes && (!p->o->loop || p->o->loop > passes);
}

static enum rv_status run(struct pump *p, int count, char **operands, struct rv_error *err)
{
	int64_t started_ms = rv_clock_monotonic_ms();

	if (check_options(p, count, err) != RV_OK || find_files(p, count, operands, err) != RV_OK ||
	    read_map(p, err) != RV_OK || read_headers(p, err) != RV_OK || open_state(p, err) != RV_OK)
		return err->status;
	if (p->state && rv_pump_state_ended(p->state) && asks_for_more(p)) {
		/* A run of push is of one input, whole. */
		if (!p->to_address) {
			rv_fail(err, RV_CONFLICT, "all of it was pumped to %s before, in fewer passes than --loop asks "
				"for", p->shown);
			rv_hint(err, "--restart begins anew and forgets how far it was");
			return err->status;
		}
	} else if (p->state && rv_pump_state_ended(p->state)) {
		rv_note("all of it was pumped to %s before (--restart begins anew)", p->shown);
		return RV_OK;
	}
	if (open_line(p, err) != RV_OK)
		return err->status;
	if (p->o->dry_run)
		return dry_run(p, started_ms, err);
	if (p->to_address)
		return to_address(p, started_ms, err);
	RV_CLEANUP(rv_free_p) char *name = NULL;

	if (p->state) {
		const uint8_t *seed = rv_pump_state_seed(p->state);

		name = rv_asprintf("pump-%.16s-%02x%02x%02x%02x", rv_pump_state_name(p->state), seed[0],
				   seed[1], seed[2], seed[3]);
	}
	return river_pump_stream(p->cx, p->o->to, &p->line, name, p->o->retry_for, started_ms, err);
}

static enum rv_status pump_run(struct rv_command_context *cx, void *options, int count,
			       char **operands, struct rv_error *err)
{
	const struct pump_options *o = options;
	struct pump p = { .cx = cx, .o = o, .header_text = RV_STRBUF_INIT };

	if (o->print_map) {
		rv_out_printf(cx->out, "%s", rv_map_coveo);
		return RV_OK;
	}
	if (o->sample)
		return sample(cx, o, count, err);
	rv_map_init(&p.map);
	enum rv_status status = run(&p, count, operands, err);

	pump_release(&p);
	return status;
}

const struct rv_command cmd_pump = {
	.name = "pump",
	.group = RV_GROUP_DELIVER,
	.summary = "replay a data set as events, to an address or a stream",
	.operands = "<file>|<folder>...",
	.needs = RV_NEEDS_PROFILE,
	.operand_complete = { RV_COMPLETE_FILE, RV_COMPLETE_FILE },
	.options = pump_options_table,
	.options_size = sizeof(struct pump_options),
	.examples = pump_examples,
	.run = pump_run,
};
