/* The journal of a pump: read whole at the start, rewritten short, then appended to. */
#include "flow/pump_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/ulid.h"
#include "flow/input.h"
#include "format/json_text.h"
#include "spool/checkpoint.h"

#define JOURNAL_MAX_BYTES (UINT64_C(1) << 30)
#define COMPACT_BYTES (4u << 20)

struct window {
	uint64_t row;
	int64_t time_ms;
	struct rv_pump_place place; /* its csv_header is one of `headers` */
};
struct rv_pump_state {
	char *path;
	const char *name;
	struct rv_lock lock;
	int fd;
	uint64_t bytes;             /* of the journal */
	json_t *of;
	char *target;
	uint8_t seed[RV_PUMP_SEED_BYTES];
	uint64_t done;
	bool ended, keep_windows;
	uint64_t passes;            /* after which it has; 0: not known */
	struct window *windows;
	size_t count, capacity;
	size_t asked;               /* the window of the row that was asked for last */
	uint64_t known_end;         /* rows from here on had no time before */
	char **headers;
	size_t headers_count, headers_capacity;
};

void rv_pump_state_free(struct rv_pump_state *state)
{
	if (!state)
		return;
	rv_close_p(&state->fd);
	rv_lock_release(&state->lock);
	free(state->path);
	free(state->target);
	json_decref(state->of);
	free(state->windows);
	for (size_t i = 0; i < state->headers_count; i++)
		free(state->headers[i]);
	free(state->headers);
	free(state);
}

void rv_pump_state_free_p(struct rv_pump_state **state)
{
	rv_pump_state_free(*state);
	*state = NULL;
}

const uint8_t *rv_pump_state_seed(const struct rv_pump_state *state)
{
	return state->seed;
}

uint64_t rv_pump_state_done(const struct rv_pump_state *state)
{
	return state->done;
}

bool rv_pump_state_ended(const struct rv_pump_state *state)
{
	return state->ended;
}

uint64_t rv_pump_state_passes(const struct rv_pump_state *state)
{
	return state->passes;
}

const char *rv_pump_state_name(const struct rv_pump_state *state)
{
	return state->name;
}

const struct rv_pump_place *rv_pump_state_place(const struct rv_pump_state *state)
{
	const struct rv_pump_place *best = NULL;

	for (size_t i = 0; i < state->count && state->windows[i].place.row <= state->done; i++)
		best = &state->windows[i].place;
	return best;
}

bool rv_pump_state_time(struct rv_pump_state *state, uint64_t row, int64_t *ret_ms)
{
	if (row >= state->known_end || !state->count || row < state->windows[0].row)
		return false;
	while (state->asked + 1 < state->count && state->windows[state->asked + 1].row <= row)
		state->asked++;
	*ret_ms = state->windows[state->asked].time_ms;
	return true;
}

/* ---- windows ---- */

static char *keep_header(struct rv_pump_state *state, const char *header)
{
	if (!header)
		return NULL;
	if (state->headers_count && strcmp(state->headers[state->headers_count - 1], header) == 0)
		return state->headers[state->headers_count - 1];
	RV_GROW(state->headers, state->headers_count, state->headers_capacity);
	return state->headers[state->headers_count++] = rv_strdup(header);
}

/* Those that no row that is not settled needs; the last one stays for its place. */
static void forget_windows(struct rv_pump_state *state)
{
	size_t keep = 0;

	if (state->keep_windows)
		return;
	for (size_t i = 0; i + 1 < state->count; i++)
		if (state->windows[i + 1].row <= state->done &&
		    state->windows[i + 1].place.row <= state->done)
			keep = i + 1;
	if (!keep)
		return;
	memmove(state->windows, state->windows + keep, (state->count - keep) * sizeof(*state->windows));
	state->count -= keep;
	state->asked = state->asked > keep ? state->asked - keep : 0;
}

static void add_window(struct rv_pump_state *state, uint64_t row, int64_t time_ms,
		       const struct rv_pump_place *place)
{
	RV_GROW(state->windows, state->count, state->capacity);
	struct window *w = &state->windows[state->count++];

	*w = (struct window){ row, time_ms, *place };
	w->place.csv_header = keep_header(state, place->csv_header);
}

/* ---- lines ---- */

static void put_window(const struct window *w, struct rv_strbuf *sb)
{
	json_t *place = json_pack("{s:I, s:I, s:I, s:I, s:I, s:i, s:s}", "row", (json_int_t)w->place.row,
				  "pass", (json_int_t)w->place.pass, "file", (json_int_t)w->place.file,
				  "offset", (json_int_t)w->place.offset, "line",
				  (json_int_t)w->place.line, "in_array", (int)w->place.in_array, "format",
				  rv_format_name(w->place.format));

	if (w->place.csv_header)
		json_object_set_new(place, "csv_header", rv_json_bytes(w->place.csv_header));
	rv_json_line(sb, json_pack("{s:I, s:I, s:o}", "row", (json_int_t)w->row, "time",
				   (json_int_t)w->time_ms, "place", place));
}

static void put_head(const struct rv_pump_state *state, struct rv_strbuf *sb)
{
	char seed[2 * RV_PUMP_SEED_BYTES + 1];

	for (unsigned i = 0; i < RV_PUMP_SEED_BYTES; i++)
		snprintf(seed + 2 * i, 3, "%02x", state->seed[i]);
	rv_json_line(sb, json_pack("{s:i, s:o, s:O, s:s}", "v", RV_PUMP_STATE_VERSION, "target",
				   rv_json_bytes(state->target), "of", state->of, "seed", seed));
}

static void put_end(const struct rv_pump_state *state, struct rv_strbuf *sb)
{
	rv_json_line(sb, json_pack("{s:b, s:I}", "end", 1, "passes", (json_int_t)state->passes));
}

/* All that counts, as a new file; appended to from then on. */
static enum rv_status rewrite(struct rv_pump_state *state, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	rv_close_p(&state->fd);
	put_head(state, &sb);
	for (size_t i = 0; i < state->count; i++)
		put_window(&state->windows[i], &sb);
	rv_json_line(&sb, json_pack("{s:I}", "done", (json_int_t)state->done));
	if (state->ended)
		put_end(state, &sb);
	if (rv_replace_file(state->path, sb.bytes, sb.len, 0600, err) != RV_OK)
		return rv_context(err, "keep how far the pump is");
	state->fd = rv_open(state->path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	if (state->fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", state->path);
	state->bytes = sb.len;
	return RV_OK;
}

static enum rv_status append(struct rv_pump_state *state, const struct rv_strbuf *sb, bool sync,
			     struct rv_error *err)
{
	/* Half a line at its end is taken for one that was torn by a kill. */
	if (rv_write_all(state->fd, sb->bytes, sb->len, state->path, err) != RV_OK)
		return rv_context(err, "keep how far the pump is");
	state->bytes += sb->len;
	return sync ? rv_fsync(state->fd, state->path, err) : RV_OK;
}

/* ---- reading ---- */

static bool parse_seed(const char *text, uint8_t *ret)
{
	uint64_t high, low;

	if (!text || strlen(text) != 2 * RV_PUMP_SEED_BYTES || !rv_parse_hex64(text, 16, &high) ||
	    !rv_parse_hex64(text + 16, 16, &low))
		return false;
	high = __builtin_bswap64(high);
	low = __builtin_bswap64(low);
	memcpy(ret, &high, 8);
	memcpy(ret + 8, &low, 8);
	return true;
}

static bool take_window(struct rv_pump_state *state, const json_t *line)
{
	const json_t *p = json_object_get(line, "place");
	const char *format = json_string_value(json_object_get(p, "format"));
	RV_CLEANUP(rv_free_p) char *header = rv_json_bytes_value(json_object_get(p, "csv_header"));
	struct rv_pump_place place = {
		.row = rv_json_get_u64(p, "row"),
		.pass = rv_json_get_u64(p, "pass"),
		.file = rv_json_get_u64(p, "file"),
		.offset = rv_json_get_u64(p, "offset"),
		.line = rv_json_get_u64(p, "line"),
		.in_array = (unsigned)rv_json_get_u64(p, "in_array"),
		.csv_header = header,
	};

	if (!format || !rv_format_parse(format, &place.format) ||
	    !json_is_integer(json_object_get(line, "time")))
		return false;
	add_window(state, rv_json_get_u64(line, "row"),
		   json_integer_value(json_object_get(line, "time")), &place);
	return true;
}

/* False: it is no line of a journal. */
static bool take_line(struct rv_pump_state *state, const json_t *line)
{
	if (json_object_get(line, "row"))
		return take_window(state, line);
	if (json_object_get(line, "done")) {
		state->done = rv_json_get_u64(line, "done");
		return true;
	}
	if (json_object_get(line, "end")) {
		state->ended = true;
		state->passes = rv_json_get_u64(line, "passes");
		return true;
	}
	return false;
}

static enum rv_status damaged(const struct rv_pump_state *state, uint64_t line, const char *what,
			      struct rv_error *err)
{
	rv_fail(err, RV_DAMAGED, "line %" PRIu64 " of the journal %s is %s", line, state->path, what);
	rv_hint(err, "--restart begins anew and forgets how far it was");
	return err->status;
}

static void say_file(const json_t *file, struct rv_strbuf *sb)
{
	rv_strbuf_printf(sb, "%" PRIu64 " bytes, modified %" PRIu64 ", beginning with %s",
			 rv_json_get_u64(file, "bytes"), rv_json_get_u64(file, "modified_ns"),
			 json_string_value(json_object_get(file, "head")));
}

/* Is it the same that is to be pumped in the same way? */
static enum rv_status compare(const struct rv_pump_state *state, const json_t *then, const json_t *now,
			      struct rv_error *err)
{
	const char *key;
	json_t *value;

	(void)state;
	if (json_equal(then, now))
		return RV_OK;
	json_object_foreach((json_t *)(uintptr_t)now, key, value)
	{
		const json_t *before = json_object_get(then, key);

		if (json_equal(before, value))
			continue;
		if (!json_is_array(value)) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf a = RV_STRBUF_INIT;
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf b = RV_STRBUF_INIT;

			rv_json_dump(&a, before ? before : json_null());
			rv_json_dump(&b, value);
			rv_fail(err, RV_CONFLICT, "%s is another one than when this pump was begun: "
				"%.200s then, %.200s now", key, a.bytes, b.bytes);
			break;
		}
		for (size_t i = 0; i < json_array_size(value); i++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf a = RV_STRBUF_INIT;
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf b = RV_STRBUF_INIT;
			const json_t *was = json_array_get(before, i), *is = json_array_get(value, i);
			RV_CLEANUP(rv_free_p)
			char *path = rv_json_bytes_value(json_object_get(is, "path"));

			if (json_equal(was, is))
				continue;
			say_file(was, &a);
			say_file(is, &b);
			rv_fail(err, RV_CONFLICT, "%s has changed since this pump was begun: "
				"%s; now %s", path ? path : "a file", was ? a.bytes : "it was not there",
				b.bytes);
			break;
		}
		break;
	}
	if (err->status != RV_CONFLICT)
		rv_fail(err, RV_CONFLICT, "this pump was begun in another way");
	rv_hint(err, "--restart begins anew and forgets how far it was");
	return err->status;
}

static enum rv_status read_journal(struct rv_pump_state *state, const json_t *of, bool *ret_found,
				   struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_error why = RV_ERROR_INIT;
	uint64_t number = 0;

	*ret_found = false;
	if (rv_read_file(state->path, JOURNAL_MAX_BYTES, &text, &why) != RV_OK) {
		if (why.status == RV_NOT_FOUND)
			return RV_OK;
		*err = why;
		return err->status;
	}
	for (const char *p = text.bytes, *end = p + text.len; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		RV_CLEANUP(json_decrefp)
		json_t *line = rv_json_line_parse(p, (size_t)((newline ? newline : end) - p));

		number++;
		if (!line || !newline) {
			/* torn by a kill, if nothing comes behind it */
			if (!newline && number > 1)
				break;
			return damaged(state, number, "damaged", err);
		}
		if (number == 1) {
			uint64_t version = rv_json_get_u64(line, "v");
			const json_t *then = json_object_get(line, "of");

			if (version > RV_PUMP_STATE_VERSION) {
				rv_fail(err, RV_BAD_CONFIG, "the journal %s is of version %" PRIu64
					", and this river knows %d", state->path, version,
					RV_PUMP_STATE_VERSION);
				return err->status;
			}
			if (!then || !parse_seed(json_string_value(json_object_get(line, "seed")),
						 state->seed))
				return damaged(state, number, "no head of one", err);
			if (compare(state, then, of, err) != RV_OK)
				return err->status;
		} else if (!take_line(state, line)) {
			return damaged(state, number, "none of its kind", err);
		}
		p = newline + 1;
	}
	*ret_found = number > 0;
	return RV_OK;
}

/* ---- opening ---- */

static enum rv_status make_folder(const char *path, struct rv_error *err)
{
	struct stat st;

	if (rv_make_folders(path, 0700, err) != RV_OK) {
		rv_hint(err, "how far a pump is is kept there; set RIVER_STATE_DIR to a folder of yours");
		return err->status;
	}
	if (stat(path, &st) == 0 && st.st_uid != geteuid()) {
		rv_fail(err, RV_LOCAL_IO, "state folder %s belongs to another user (uid %u)", path,
			(unsigned)st.st_uid);
		rv_hint(err, "set RIVER_STATE_DIR to a folder of yours");
		return err->status;
	}
	return RV_OK;
}

static char *name_of(const struct rv_pump_state_params *params, const char *target)
{
	XXH3_state_t hash;

	XXH3_128bits_reset(&hash);
	XXH3_128bits_update(&hash, target, strlen(target) + 1);
	for (size_t i = 0; i < params->files_count; i++) {
		RV_CLEANUP(rv_free_p) char *path = rv_path_absolute(params->files[i]);

		XXH3_128bits_update(&hash, path, strlen(path) + 1);
	}
	XXH128_hash_t sum = XXH3_128bits_digest(&hash);

	return rv_asprintf("%016" PRIx64 "%016" PRIx64, sum.high64, sum.low64);
}

/* A river before this one left the query out of the name. What it has of this very target goes on under
 * the name of now; another's is left to it. */
static void take_over(const struct rv_pump_state *state, const char *folder,
		      const struct rv_pump_state_params *params)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *name = name_of(params, params->shown);
	RV_CLEANUP(rv_free_p) char *old = rv_path_join(folder, name);
	struct rv_error ignored = RV_ERROR_INIT;

	if (strcmp(params->target, params->shown) == 0 || access(state->path, F_OK) == 0 ||
	    rv_read_file(old, JOURNAL_MAX_BYTES, &text, &ignored) != RV_OK)
		return;
	RV_CLEANUP(json_decrefp)
	json_t *head = rv_json_line_parse(text.bytes, strcspn(text.bytes, "\n"));
	const json_t *then = json_object_get(json_object_get(head, "of"), "target");

	if (then && json_equal(then, json_object_get(params->of, "target")))
		(void)!rename(old, state->path);
}

enum rv_status rv_pump_state_open(const struct rv_pump_state_params *params, struct rv_pump_state **ret,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_pump_state_free_p) struct rv_pump_state *state = rv_calloc(1, sizeof(*state));
	RV_CLEANUP(rv_free_p) char *folder = rv_path_join(params->state_dir, "pump");
	RV_CLEANUP(rv_free_p) char *name = name_of(params, params->target);
	bool found = false;

	state->fd = -1;
	state->lock = (struct rv_lock)RV_LOCK_INIT;
	state->keep_windows = params->keep_windows;
	state->target = rv_strdup(params->shown);
	state->of = json_deep_copy(params->of);
	state->path = rv_path_join(folder, name);
	state->name = rv_path_base(state->path);
	if (make_folder(folder, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *lock = rv_asprintf("%s.lock", state->path);

	if (rv_lock_take(&state->lock, lock, RV_LOCK_EXCLUSIVE, params->lock_timeout_ms, 0600, err) != RV_OK) {
		if (err->status == RV_LOCKED)
			rv_context(err, "this data is being pumped there by another process");
		return err->status;
	}
	rv_sweep_temporaries(folder); /* of one that was killed */
	take_over(state, folder, params);
	if (!params->restart && read_journal(state, params->of, &found, err) != RV_OK)
		return err->status;
	if (!found)
		rv_random_bytes(state->seed, sizeof(state->seed));
	forget_windows(state);
	if (state->count)
		state->known_end = state->windows[state->count - 1].row + RV_PUMP_WINDOW_ROWS;
	if (rewrite(state, err) != RV_OK)
		return err->status;
	*ret = rv_take(state);
	return RV_OK;
}

/* ---- writing ---- */

enum rv_status rv_pump_state_window(struct rv_pump_state *state, uint64_t row, int64_t time_ms,
				    const struct rv_pump_place *place, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	add_window(state, row, time_ms, place);
	put_window(&state->windows[state->count - 1], &sb);
	/* Before an event goes out with it: after a power cut the same id must not come with another time. */
	return append(state, &sb, true, err);
}

enum rv_status rv_pump_state_settled(struct rv_pump_state *state, uint64_t done, bool sync,
				     struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	state->done = done;
	forget_windows(state);
	if (state->bytes > COMPACT_BYTES && !state->keep_windows)
		return rewrite(state, err);
	rv_json_line(&sb, json_pack("{s:I}", "done", (json_int_t)done));
	return append(state, &sb, sync, err);
}

enum rv_status rv_pump_state_end(struct rv_pump_state *state, uint64_t passes, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	state->ended = true;
	state->passes = passes;
	put_end(state, &sb);
	return append(state, &sb, true, err);
}

/* ---- files from outside ---- */

enum rv_status rv_pump_file_json(const char *path, json_t **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_input_file_release) struct rv_input_file file = RV_INPUT_FILE_INIT;
	RV_CLEANUP(rv_free_p) char *head = rv_malloc(RV_CHECKPOINT_WINDOW);
	char key[RV_FILE_KEY_TEXT];
	bool regular;
	size_t n;

	if (rv_input_file_open(path, &file, &regular, err) != RV_OK ||
	    rv_file_key(file.fd, path, key, err) != RV_OK ||
	    rv_pread_full(file.fd, head, RV_CHECKPOINT_WINDOW, 0, &n, path, err) != RV_OK)
		return err->status;
	*ret = json_pack("{s:o, s:I, s:I, s:s, s:o}", "path", rv_json_bytes(file.path), "bytes",
			 (json_int_t)file.stat.st_size, "modified_ns",
			 (json_int_t)rv_time_ns(file.stat.st_mtim.tv_sec, file.stat.st_mtim.tv_nsec),
			 "key", key, "head", rv_json_hex64(XXH3_64bits(head, n)));
	return RV_OK;
}
