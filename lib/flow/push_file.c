/* Checkpoints against files: the same one, grown; rotated; or another content under an old name. */
#include "flow/push_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/reader.h"

/* How far into a file its first record is looked for. */
#define FIRST_RECORD_BYTES (32u << 20)
#define EVIDENCE_BYTES (4u << 10)

/* What a file holds up to an offset, counted. */
struct prefix {
	bool known;     /* was read */
	uint64_t offset;
	char format[16], delimiter;
	bool whole;     /* it is that long, and of that format */
	uint64_t records, rejected, set_hash, to;
};

struct candidates {
	const struct rv_state *state;
	const struct rv_input_file *input;
	/* Thousands of files may hold the same: what was found out about this one is not found out again. */
	struct prefix prefix;
	struct rv_checkpoint ends; /* of plain bytes */
	struct rv_input_folder folder;
	const char *key;
	const struct rv_read_settings *read;
	struct rv_checkpoint best;
	bool found;
	char *twin;
};

/* `c` (Optional): what its checkpoint says of how it was read. */
static enum rv_status new_reader(const struct rv_input_file *input, uint64_t to,
				 const struct rv_read_settings *read, const struct rv_checkpoint *c,
				 struct rv_source **ret_source, struct rv_reader **ret,
				 struct rv_error *err)
{
	if (rv_input_file_source(input, 0, to, ret_source, err) != RV_OK)
		return err->status;
	struct rv_reader_params params = { .name = input->path };
	rv_read_settings_apply(read, &params);
	if (c && !rv_format_parse(c->format, &params.format))
		return rv_fail(err, RV_DAMAGED, "a checkpoint of %s names the format '%s'", input->path,
			       c->format);
	params.csv_delimiter = c ? c->csv_delimiter : '\0';
	return rv_reader_new(*ret_source, &params, ret, err);
}

/* Reads the whole prefix: the only way where bytes are compressed, for the offset is inside. */
static enum rv_status read_prefix(const struct rv_checkpoint *c, const struct rv_input_file *input,
				  const struct rv_read_settings *read, struct prefix *ret,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	uint64_t records = 0, rejected = 0, set_hash = 0, to = 0;
	bool finished = false;
	*ret = (struct prefix){ .known = false };
	enum rv_status status = new_reader(input, c->offset, read, c, &source, &reader, err);
	while (status == RV_OK) {
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		struct rv_span span;
		status = rv_reader_next(reader, &limits, &span, err);
		if (status != RV_OK)
			break;
		if (span.kind == RV_SPAN_END) {
			uint64_t pending_offset, pending;
			rv_reader_pending(reader, &pending_offset, &pending);
			if (finished || !pending)
				break;
			/* The prefix ends where a span did, so these bytes were handed out then. */
			finished = true;
			rv_reader_finish(reader);
			continue;
		}
		records += span.kind == RV_SPAN_RECORDS ? span.records : 0;
		set_hash += span.kind == RV_SPAN_RECORDS ? span.set_hash : 0;
		rejected += rv_span_is_rejected(&span);
		to = span.to;
	}
	/* shorter, or another csv header: another content */
	if (status != RV_OK && status != RV_BAD_DATA)
		return status;
	*ret = (struct prefix){
		.known = strlen(c->format) < sizeof(ret->format),
		.offset = c->offset,
		.delimiter = c->csv_delimiter,
		.whole = status == RV_OK,
		.records = records,
		.rejected = rejected,
		.set_hash = set_hash,
		.to = to,
	};
	snprintf(ret->format, sizeof(ret->format), "%s", c->format);
	return RV_OK;
}

static bool is_prefix(const struct prefix *prefix, const struct rv_checkpoint *c)
{
	return prefix->whole && prefix->records == c->records && prefix->rejected == c->rejected &&
	       prefix->set_hash == c->set_hash && prefix->to <= c->offset;
}

enum rv_status rv_push_file_prefix_matches(const struct rv_checkpoint *c,
					   const struct rv_input_file *input,
					   const struct rv_read_settings *read, bool *ret,
					   struct rv_error *err)
{
	struct prefix prefix;
	*ret = false;
	if (read_prefix(c, input, read, &prefix, err) != RV_OK)
		return err->status;
	*ret = is_prefix(&prefix, c);
	return RV_OK;
}

static enum rv_status content_matches(const struct rv_checkpoint *c, const struct rv_input_file *input,
				      const struct rv_read_settings *read, bool *ret,
				      struct rv_error *err)
{
	/* Only what was measured on plain bytes can be compared on plain bytes. */
	if (input->compression == RV_COMPRESSION_NONE && strcmp(c->compression, "none") == 0)
		return rv_checkpoint_matches(c, input->fd, ret, err);
	return rv_push_file_prefix_matches(c, input, read, ret, err);
}

static int64_t modified_ns(const struct stat *st)
{
	return rv_time_ns(st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

static bool is_untouched(const struct rv_checkpoint *c, const struct rv_input_file *input)
{
	return c->file_bytes == (uint64_t)input->stat.st_size &&
	       c->file_modified_ns == modified_ns(&input->stat);
}

/* Does the file hold what its checkpoint knows? A compressed one is only read again when something about it
 * changed. */
static enum rv_status is_unchanged(const struct rv_checkpoint *c, const struct rv_input_file *input,
				   const struct rv_read_settings *read, bool *ret, struct rv_error *err)
{
	*ret = input->compression != RV_COMPRESSION_NONE && is_untouched(c, input);
	return *ret ? RV_OK : content_matches(c, input, read, ret, err);
}

/* Does the file that the checkpoint knows still hold these bytes, there or renamed beside? */
static enum rv_status still_held(struct candidates *search, const struct rv_checkpoint *c, bool *ret,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_input_file_release) struct rv_input_file known = RV_INPUT_FILE_INIT;
	*ret = false;
	if (rv_input_file_find_again(&search->folder, c->path, c->key, &known, err) != RV_OK)
		return err->status;
	return known.fd >= 0 ? is_unchanged(c, &known, search->read, ret, err) : RV_OK;
}

/* content_matches of the file that is looked for, with what is known of it from the candidates before. */
static enum rv_status input_matches(struct candidates *search, const struct rv_checkpoint *c, bool *ret,
				    struct rv_error *err)
{
	struct prefix *prefix = &search->prefix;
	struct rv_checkpoint *ends = &search->ends;
	*ret = false;
	if (search->input->compression != RV_COMPRESSION_NONE || strcmp(c->compression, "none") != 0) {
		if ((!prefix->known || prefix->offset != c->offset || prefix->delimiter != c->csv_delimiter ||
		     strcmp(prefix->format, c->format) != 0) &&
		    read_prefix(c, search->input, search->read, prefix, err) != RV_OK)
			return err->status;
		*ret = is_prefix(prefix, c);
		return RV_OK;
	}
	if (ends->offset != c->offset || !ends->head_len) {
		*ends = (struct rv_checkpoint){ .offset = c->offset, .path = search->input->path };
		struct rv_error shorter;
		if (rv_checkpoint_measure(ends, search->input->fd, &shorter) != RV_OK)
			ends->head_len = 0;
	}
	if (!ends->head_len || ends->head_len != c->head_len || ends->tail_len != c->tail_len)
		return rv_checkpoint_matches(c, search->input->fd, ret, err);
	*ret = ends->head_hash == c->head_hash && ends->tail_hash == c->tail_hash;
	return RV_OK;
}

/* Many logs begin with the same line. So little is only taken for a rotated file when the name says
 * so too: log.ndjson and log.ndjson.1.gz, log-2026.ndjson. */
static bool is_evidence(const struct rv_checkpoint *c, const char *path)
{
	const char *a = rv_path_base(c->path), *b = rv_path_base(path);
	size_t stem = strcspn(a, "."), same = 0;
	if (c->offset >= EVIDENCE_BYTES)
		return true;
	while (a[same] && a[same] == b[same])
		same++;
	return stem > 0 && same >= stem;
}

static enum rv_status consider(void *arg, struct rv_checkpoint *c, struct rv_error *err)
{
	struct candidates *search = arg;
	bool matches, held;
	if (strcmp(c->key, search->key) == 0 || !is_evidence(c, search->input->path) ||
	    (search->found && c->offset <= search->best.offset))
		return RV_OK;
	if (input_matches(search, c, &matches, err) != RV_OK)
		return err->status;
	if (!matches)
		return RV_OK;
	if (still_held(search, c, &held, err) != RV_OK)
		return err->status;
	if (held) {
		if (!search->twin)
			search->twin = rv_strdup(c->path);
		return RV_OK;
	}
	if (search->found)
		rv_checkpoint_release(&search->best);
	search->best = *c;
	search->found = true;
	*c = (struct rv_checkpoint){ .offset = 0 };
	return RV_OK;
}

enum rv_status rv_push_file_first_record(const struct rv_input_file *input,
					 const struct rv_read_settings *read, uint64_t *ret,
					 struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	*ret = 0;
	enum rv_status status = new_reader(input, UINT64_MAX, read, NULL, &source, &reader, err);
	while (status == RV_OK) {
		struct rv_reader_limits limits = { .max_records = 1, .timeout_ms = -1 };
		struct rv_span span;
		status = rv_reader_next(reader, &limits, &span, err);
		if (status != RV_OK || span.kind == RV_SPAN_END || span.from > FIRST_RECORD_BYTES)
			break;
		if (span.kind == RV_SPAN_RECORDS) {
			*ret = XXH3_64bits(span.bytes, span.record_bytes);
			break;
		}
	}
	/* What is wrong with the file is said when it is read in earnest. */
	return status == RV_BAD_DATA ? RV_OK : status;
}

static enum rv_status find_rotated(const struct rv_state *state, const struct rv_input_file *input,
				   const char *key, const struct rv_read_settings *read,
				   struct rv_checkpoint *ret, bool *ret_found, char **ret_twin,
				   struct rv_error *err)
{
	struct candidates search = { .state = state, .input = input, .key = key, .read = read };
	uint64_t first;
	bool any;
	*ret_found = false;
	if (rv_checkpoint_any(state, &any, err) != RV_OK)
		return err->status;
	if (!any)
		return RV_OK;
	if (rv_push_file_first_record(input, read, &first, err) != RV_OK)
		return err->status;
	if (!first)
		return RV_OK;
	enum rv_status status = rv_checkpoint_each_head(state, first, consider, &search, err);
	rv_input_folder_release(&search.folder);
	if (status != RV_OK) {
		rv_checkpoint_release(&search.best);
		free(search.twin);
		return err->status;
	}
	*ret = search.best;
	*ret_found = search.found;
	/* A rotated file explains itself; a copy beside the original is worth a word. */
	if (search.found)
		free(search.twin);
	else
		*ret_twin = search.twin;
	return RV_OK;
}

enum rv_status rv_push_file_is_rotated(const struct rv_state *state, const struct rv_input_file *input,
				       const char *key, const struct rv_read_settings *read, bool *ret,
				       struct rv_error *err)
{
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	RV_CLEANUP(rv_free_p) char *twin = NULL;
	return find_rotated(state, input, key, read, &c, ret, &twin, err);
}

struct original_search {
	const struct rv_input_file *input;
	const char *key;
	bool found;
};

/* The ends of what the one has, in both. */
static enum rv_status holds_the_same(int fd, int other_fd, uint64_t bytes, const char *path, bool *ret,
				     struct rv_error *err)
{
	size_t len = bytes < RV_CHECKPOINT_WINDOW ? (size_t)bytes : RV_CHECKPOINT_WINDOW;
	RV_CLEANUP(rv_free_p) char *mine = rv_malloc(len);
	RV_CLEANUP(rv_free_p) char *other = rv_malloc(len);
	const uint64_t offsets[] = { 0, bytes - len };
	*ret = false;
	for (size_t i = 0; i < 2; i++) {
		size_t n, m;
		if (rv_pread_full(fd, mine, len, offsets[i], &n, path, err) != RV_OK ||
		    rv_pread_full(other_fd, other, len, offsets[i], &m, path, err) != RV_OK)
			return err->status;
		if (n != len || m != len || memcmp(mine, other, len) != 0)
			return RV_OK;
	}
	*ret = true;
	return RV_OK;
}

static enum rv_status see_original(void *arg, struct rv_checkpoint *c, struct rv_error *err)
{
	struct original_search *search = arg;
	RV_CLEANUP(rv_input_file_release) struct rv_input_file known = RV_INPUT_FILE_INIT;
	struct stat st;
	bool regular;
	if (search->found || strcmp(c->key, search->key) == 0)
		return RV_OK;
	/* Opening a FIFO would wait for a writer. */
	if (stat(c->path, &st) < 0 || !S_ISREG(st.st_mode))
		return RV_OK;
	if (rv_input_file_open(c->path, &known, &regular, err) != RV_OK || !regular ||
	    !rv_input_file_has_key(&known, c->key))
		return RV_OK; /* it is somewhere else, and nothing is copied from there */
	if (known.compression != search->input->compression)
		return RV_OK;
	return holds_the_same(search->input->fd, known.fd, (uint64_t)search->input->stat.st_size, c->path,
			      &search->found, err);
}

enum rv_status rv_push_file_may_be_copy(const struct rv_state *state, const struct rv_input_file *input,
					const char *key, uint64_t first_record, bool *ret,
					struct rv_error *err)
{
	struct original_search search = { .input = input, .key = key };
	enum rv_status status =
		rv_checkpoint_each_head(state, first_record, see_original, &search, err);
	*ret = search.found;
	return status;
}

static void start_anew(const struct rv_input_file *input, const char *key, bool again,
		       struct rv_checkpoint *ret)
{
	*ret = (struct rv_checkpoint){
		.line = 1,
		.generation = rv_clock_ms(),
		.again_open = again,
	};
	snprintf(ret->key, sizeof(ret->key), "%s", key);
	ret->path = rv_strdup(input->path);
	ret->format = rv_strdup("auto");
	ret->compression = rv_strdup(rv_compression_name(input->compression));
}

/* --again means from the start; but where an earlier --again was ended half way, the same command
 * finishes it and does not send its first half twice. */
static enum rv_status start_again(const struct rv_state *state, const struct rv_input_file *input,
				  const char *key, const struct rv_read_settings *read,
				  struct rv_checkpoint *ret, enum rv_file_start *ret_start,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	bool known, same = false;
	enum rv_status status = rv_checkpoint_load(state, key, &c, &known, err);
	if (status == RV_OK && known)
		status = is_unchanged(&c, input, read, &same, err);
	/* What is known of another content is still known where that went, and its batches are not this one's. */
	if (status == RV_OK && known && !same)
		status = rv_checkpoint_detach(state, &c, err);
	if (status != RV_OK && status != RV_DAMAGED)
		return status;
	if (!same || !c.again_open || input->compression != RV_COMPRESSION_NONE ||
	    strcmp(c.compression, "none") != 0 || c.offset >= (uint64_t)input->stat.st_size) {
		start_anew(input, key, true, ret);
		/* Clocks may stand still or go back; generations must not. */
		if (known && ret->generation <= c.generation)
			ret->generation = c.generation + 1;
		return RV_OK;
	}
	*ret_start = RV_FILE_APPENDED;
	*ret = c;
	c = (struct rv_checkpoint){ .offset = 0 };
	return RV_OK;
}

enum rv_status rv_push_file_start(const struct rv_state *state, const struct rv_input_file *input,
				  const char *key, const struct rv_read_settings *read, bool again,
				  struct rv_checkpoint *ret, enum rv_file_start *ret_start,
				  char **ret_twin, struct rv_error *err)
{
	bool known, matches = false, rotated = false;
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	*ret_start = RV_FILE_NEW;
	if (again)
		return start_again(state, input, key, read, ret, ret_start, err);
	if (rv_checkpoint_load(state, key, &c, &known, err) != RV_OK)
		return err->status;
	if (known) {
		if (is_unchanged(&c, input, read, &matches, err) != RV_OK)
			return err->status;
		*ret_start = RV_FILE_APPENDED;
		if (matches && input->compression != RV_COMPRESSION_NONE && is_untouched(&c, input) && c.at_end)
			*ret_start = RV_FILE_UNCHANGED;
	}
	if (known && !matches) {
		if (rv_checkpoint_detach(state, &c, err) != RV_OK)
			return err->status;
		rv_checkpoint_release(&c);
		*ret_start = RV_FILE_CHANGED;
	}
	if (!matches) {
		if (find_rotated(state, input, key, read, &c, &rotated, ret_twin, err) != RV_OK)
			return err->status;
		if (rotated) {
			if (rv_checkpoint_move(state, &c, key, input->path, err) != RV_OK)
				return err->status;
			*ret_start = RV_FILE_ROTATED;
		}
	}
	if (!matches && !rotated) {
		start_anew(input, key, false, ret);
		return RV_OK;
	}
	if (input->compression == RV_COMPRESSION_NONE && c.offset == (uint64_t)input->stat.st_size)
		*ret_start = *ret_start == RV_FILE_ROTATED ? RV_FILE_ROTATED : RV_FILE_UNCHANGED;
	/* Head and tail are of the bytes they were measured on: a .gz of a plain file has none. */
	free(c.compression);
	c.compression = rv_strdup(rv_compression_name(input->compression));
	free(c.path);
	c.path = rv_strdup(input->path);
	*ret = c;
	c = (struct rv_checkpoint){ .offset = 0 };
	return RV_OK;
}
