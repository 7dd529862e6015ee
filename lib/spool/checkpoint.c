/* How far files have been pushed, and how a rotated file is known again. */
#include "spool/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/json_text.h"

/* Files that begin alike are compared one by one; with more of them than this a rotated one may be
 * taken for new, never a new one for rotated. */
#define HEADS_MAX 1000
#define CHECKPOINT_MAX_BYTES (4u << 20) /* a csv header may be long */

void rv_checkpoint_release(struct rv_checkpoint *c)
{
	free(c->path);
	free(c->format);
	free(c->compression);
	free(c->csv_header);
	*c = (struct rv_checkpoint){ .offset = 0 };
}

void rv_file_key_text(uint32_t device_major, uint32_t device_minor, uint64_t inode, int64_t birth_ns,
		      char ret[RV_FILE_KEY_TEXT])
{
	snprintf(ret, RV_FILE_KEY_TEXT, "%x%08x-%" PRIx64 "-%" PRIx64, device_major, device_minor, inode,
		 (uint64_t)birth_ns);
}

enum rv_status rv_file_key(int fd, const char *path, char ret[RV_FILE_KEY_TEXT],
			   struct rv_error *err)
{
	struct statx st;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	int64_t birth_ns = st.stx_mask & STATX_BTIME
				   ? rv_time_ns(st.stx_btime.tv_sec, st.stx_btime.tv_nsec)
				   : 0;
	rv_file_key_text(st.stx_dev_major, st.stx_dev_minor, st.stx_ino, birth_ns, ret);
	return RV_OK;
}

void rv_checkpoint_note_stat(struct rv_checkpoint *c, const struct stat *st)
{
	c->file_bytes = (uint64_t)st->st_size;
	c->file_modified_ns = rv_time_ns(st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

json_t *rv_checkpoint_json(const struct rv_checkpoint *c)
{
	json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I}", "v", RV_CHECKPOINT_VERSION, "key",
			      c->key, "format", c->format, "compression", c->compression, "offset",
			      (json_int_t)c->offset, "line", (json_int_t)c->line);
	json_object_set_new(o, "path", rv_json_bytes(c->path));
	rv_csv_reading_put(o, c->csv_header, c->csv_delimiter);
	rv_reader_state_put(o, c->in_array);
	json_object_set_new(o, "head_len", json_integer((json_int_t)c->head_len));
	json_object_set_new(o, "head", rv_json_hex64(c->head_hash));
	json_object_set_new(o, "tail_len", json_integer((json_int_t)c->tail_len));
	json_object_set_new(o, "tail", rv_json_hex64(c->tail_hash));
	json_object_set_new(o, "first", rv_json_hex64(c->first_record));
	json_object_set_new(o, "records", json_integer((json_int_t)c->records));
	json_object_set_new(o, "rejected", json_integer((json_int_t)c->rejected));
	json_object_set_new(o, "hash", rv_json_hex64(c->set_hash));
	json_object_set_new(o, "file_bytes", json_integer((json_int_t)c->file_bytes));
	json_object_set_new(o, "file_modified", json_integer((json_int_t)c->file_modified_ns));
	json_object_set_new(o, "at_end", json_boolean(c->at_end));
	json_object_set_new(o, "generation", json_integer(c->generation));
	if (c->again_open)
		json_object_set_new(o, "again_open", json_true());
	json_object_set_new(o, "pushed", json_integer((json_int_t)c->pushed_ms));
	return o;
}

bool rv_checkpoint_parse(const json_t *o, struct rv_checkpoint *ret)
{
	const char *key = json_string_value(json_object_get(o, "key"));
	const char *format = json_string_value(json_object_get(o, "format"));
	const char *compression = json_string_value(json_object_get(o, "compression"));
	struct rv_checkpoint c = {
		.offset = rv_json_get_u64(o, "offset"),
		.line = rv_json_get_u64(o, "line"),
		.in_array = rv_reader_state_get(o),
		.head_len = rv_json_get_u64(o, "head_len"),
		.tail_len = rv_json_get_u64(o, "tail_len"),
		.records = rv_json_get_u64(o, "records"),
		.rejected = rv_json_get_u64(o, "rejected"),
		.file_bytes = rv_json_get_u64(o, "file_bytes"),
		.file_modified_ns = json_integer_value(json_object_get(o, "file_modified")),
		.at_end = json_is_true(json_object_get(o, "at_end")),
		.generation = json_integer_value(json_object_get(o, "generation")),
		.again_open = json_is_true(json_object_get(o, "again_open")),
		.pushed_ms = json_integer_value(json_object_get(o, "pushed")),
	};
	c.path = rv_json_bytes_value(json_object_get(o, "path"));
	if (json_integer_value(json_object_get(o, "v")) != RV_CHECKPOINT_VERSION || !key ||
	    strlen(key) >= sizeof(c.key) || !format || !compression || !c.path ||
	    c.head_len > RV_CHECKPOINT_WINDOW || c.tail_len > RV_CHECKPOINT_WINDOW ||
	    c.head_len > c.offset || c.tail_len > c.offset ||
	    !rv_json_get_hex64(o, "head", &c.head_hash) ||
	    !rv_json_get_hex64(o, "tail", &c.tail_hash) ||
	    !rv_json_get_hex64(o, "first", &c.first_record) ||
	    !rv_json_get_hex64(o, "hash", &c.set_hash)) {
		free(c.path);
		return false;
	}
	snprintf(c.key, sizeof(c.key), "%s", key);
	c.format = rv_strdup(format);
	c.compression = rv_strdup(compression);
	rv_csv_reading_get(o, &c.csv_header, &c.csv_delimiter);
	*ret = c;
	return true;
}

static char *file_path(const struct rv_state *state, const char *key)
{
	return rv_asprintf("%s/files/%s", state->folder, key);
}

static char *head_path(const struct rv_state *state, const struct rv_checkpoint *c)
{
	return rv_asprintf("%s/heads/%016" PRIx64 "/%s", state->folder, c->first_record, c->key);
}

static json_t *parse_text(const struct rv_strbuf *text)
{
	bool ended = text->len > 0 && text->bytes[text->len - 1] == '\n';
	return ended ? rv_json_line_parse(text->bytes, text->len - 1) : NULL;
}

enum rv_status rv_checkpoint_load(const struct rv_state *state, const char *key,
				  struct rv_checkpoint *ret, bool *ret_found, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = file_path(state, key);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	*ret_found = false;
	enum rv_status status = rv_read_file(path, CHECKPOINT_MAX_BYTES, &text, err);
	if (status == RV_NOT_FOUND)
		return RV_OK;
	if (status != RV_OK && status != RV_BAD_DATA)
		return status;
	/* A changed offset would otherwise pass for another content, and the file be sent again. */
	json_t *o = status == RV_OK ? parse_text(&text) : NULL;
	json_int_t version = json_integer_value(json_object_get(o, "v"));
	if (version > RV_CHECKPOINT_VERSION) {
		json_decref(o);
		rv_fail(err, RV_BAD_CONFIG, "checkpoint %s was written by a newer river (version %d)",
			path, (int)version);
		return err->status;
	}
	*ret_found = o && rv_checkpoint_parse(o, ret);
	json_decref(o);
	if (*ret_found)
		return RV_OK;
	rv_fail(err, RV_DAMAGED, "the checkpoint %s is damaged", path);
	rv_hint(err, "how far the file was pushed is not known any more: --again sends it from its "
		     "start, whatever of it is there already");
	return err->status;
}

static enum rv_status save_head(const struct rv_state *state, const struct rv_checkpoint *c,
				bool sync, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *head = head_path(state, c);
	if (access(head, F_OK) == 0)
		return RV_OK;
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(head);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return rv_fail_errno(err, RV_LOCAL_IO, "make folder %s", folder);
	RV_CLEANUP(rv_close_p)
	int fd = rv_open(head, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "create %s", head);
	if (sync && rv_fsync_parent(folder, err) != RV_OK)
		return err->status;
	return sync ? rv_fsync_parent(head, err) : RV_OK;
}

enum rv_status rv_checkpoint_save(const struct rv_state *state, const struct rv_checkpoint *c,
				  bool sync, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = file_path(state, c->key);
	RV_CLEANUP(rv_free_p) char *temporary = NULL;
	RV_CLEANUP(rv_close_p) int fd = -1;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	json_t *o = rv_checkpoint_json(c);
	rv_json_line(&text, o);
	/* Not beside it: leftovers are looked for at every push, in a folder that stays small. */
	if (rv_temporary_open(state->folder, 0600, &temporary, &fd, err) != RV_OK)
		return err->status;
	enum rv_status status = rv_write_all(fd, text.bytes, text.len, temporary, err);
	if (status == RV_OK && sync)
		status = rv_fsync(fd, temporary, err);
	if (status == RV_OK && rename(temporary, path) < 0)
		status = rv_fail_errno(err, RV_LOCAL_IO, "rename %s to %s", temporary, path);
	if (status != RV_OK) {
		unlink(temporary);
		return status;
	}
	if (sync && rv_fsync_parent(path, err) != RV_OK)
		return err->status;
	if (c->first_record)
		status = save_head(state, c, sync, err);
	return status;
}

enum rv_status rv_checkpoint_remove(const struct rv_state *state, const struct rv_checkpoint *c,
				    struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = file_path(state, c->key);
	RV_CLEANUP(rv_free_p) char *head = head_path(state, c);
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(head);
	if (rv_remove_file(path, err) != RV_OK || rv_remove_file(head, err) != RV_OK)
		return err->status;
	rmdir(folder); /* when it was the last; one that is left costs nothing */
	return RV_OK;
}

enum rv_status rv_checkpoint_sync(const struct rv_state *state, struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open(state->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open folder %s", state->folder);
	/* One call for however many small files there are. */
	if (syncfs(fd) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "sync %s", state->folder);
	return RV_OK;
}

enum rv_status rv_checkpoint_move(const struct rv_state *state, struct rv_checkpoint *c,
				  const char *key, const char *path, struct rv_error *err)
{
	struct rv_checkpoint old = *c;
	RV_CLEANUP(rv_free_p) char *old_batches = rv_asprintf("%s/files/%s.batches", state->folder, c->key);
	RV_CLEANUP(rv_free_p) char *new_batches = rv_asprintf("%s/files/%s.batches", state->folder, key);
	char old_key[RV_FILE_KEY_TEXT];
	snprintf(old_key, sizeof(old_key), "%s", c->key);
	snprintf(c->key, sizeof(c->key), "%s", key);
	c->path = rv_strdup(path);
	free(old.path);
	old.path = NULL;
	/* The list first: once the new checkpoint is there nobody looks for the old one's list again. */
	if (rename(old_batches, new_batches) < 0 && errno != ENOENT)
		return rv_fail_errno(err, RV_LOCAL_IO, "rename %s", old_batches);
	/* Durable, both, before the old one goes. */
	if (rv_checkpoint_save(state, c, true, err) != RV_OK)
		return err->status;
	return rv_checkpoint_remove(state, &old, err);
}

enum rv_status rv_checkpoint_detach(const struct rv_state *state, struct rv_checkpoint *c,
				    struct rv_error *err)
{
	/* Made of what it knows: killed half-way and done again, it must not become two, for each of
	 * them could keep one file with these bytes from being sent. */
	RV_CLEANUP(rv_free_p)
	char *known = rv_asprintf("%s %" PRIu64 " %016" PRIx64 " %016" PRIx64 " %" PRIi64, c->key,
				  c->offset, c->first_record, c->set_hash, c->pushed_ms);
	XXH128_hash_t hash = XXH3_128bits(known, strlen(known));
	char key[RV_FILE_KEY_TEXT];
	snprintf(key, sizeof(key), "gone-%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
		 (uint64_t)hash.low64);
	RV_CLEANUP(rv_free_p) char *path = rv_strdup(c->path);
	return rv_checkpoint_move(state, c, key, path, err);
}

struct head_walk {
	const struct rv_state *state;
	size_t left;
	enum rv_status (*each)(void *arg, struct rv_checkpoint *checkpoint, struct rv_error *err);
	void *arg;
};

static enum rv_status head_step(void *arg, const char *name, struct rv_error *err)
{
	struct head_walk *walk = arg;
	if (!walk->left)
		return RV_OK;
	walk->left--;
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	bool found;
	/* Another file's damaged checkpoint is none of this one's business. */
	if (rv_checkpoint_load(walk->state, name, &c, &found, err) != RV_OK)
		return err->status == RV_DAMAGED ? RV_OK : err->status;
	return found ? walk->each(walk->arg, &c, err) : RV_OK;
}

enum rv_status rv_checkpoint_each_head(const struct rv_state *state, uint64_t first_record,
				       enum rv_status (*each)(void *arg,
							      struct rv_checkpoint *checkpoint,
							      struct rv_error *err),
				       void *arg, struct rv_error *err)
{
	struct head_walk walk = { .state = state, .left = HEADS_MAX, .each = each, .arg = arg };
	RV_CLEANUP(rv_free_p)
	char *path = rv_asprintf("%s/heads/%016" PRIx64, state->folder, first_record);
	return rv_each_entry(path, head_step, &walk, err);
}

enum rv_status rv_checkpoint_any(const struct rv_state *state, bool *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(state, "heads");
	/* Not rv_each_entry, which reads and sorts all of what may be very many. */
	DIR *dir = rv_opendir(path);
	const struct dirent *entry = NULL;
	*ret = false;
	if (!dir && errno == ENOENT)
		return RV_OK;
	if (!dir)
		return rv_fail_errno(err, RV_LOCAL_IO, "read folder %s", path);
	while ((errno = 0, entry = readdir(dir)) && entry->d_name[0] == '.')
		;
	*ret = entry != NULL;
	/* A file that was pushed would be taken for a new one. */
	enum rv_status status =
		!entry && errno ? rv_fail_errno(err, RV_LOCAL_IO, "read folder %s", path) : RV_OK;
	closedir(dir);
	return status;
}

static enum rv_status hash_range(int fd, const char *path, uint64_t offset, uint64_t len,
				 bool *ret_whole, uint64_t *ret_hash, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *bytes = rv_malloc(len);
	size_t n;
	if (rv_pread_full(fd, bytes, len, offset, &n, path, err) != RV_OK)
		return err->status;
	*ret_whole = n == len;
	*ret_hash = XXH3_64bits(bytes, n);
	return RV_OK;
}

enum rv_status rv_checkpoint_matches(const struct rv_checkpoint *c, int fd, bool *ret,
				     struct rv_error *err)
{
	bool whole;
	uint64_t hash;
	*ret = false;
	if (hash_range(fd, c->path, 0, c->head_len, &whole, &hash, err) != RV_OK)
		return err->status;
	if (!whole || hash != c->head_hash)
		return RV_OK;
	if (hash_range(fd, c->path, c->offset - c->tail_len, c->tail_len, &whole, &hash, err) != RV_OK)
		return err->status;
	*ret = whole && hash == c->tail_hash;
	return RV_OK;
}

enum rv_status rv_checkpoint_measure(struct rv_checkpoint *c, int fd, struct rv_error *err)
{
	bool whole;
	c->head_len = c->tail_len = c->offset < RV_CHECKPOINT_WINDOW ? c->offset : RV_CHECKPOINT_WINDOW;
	if (hash_range(fd, c->path, 0, c->head_len, &whole, &c->head_hash, err) != RV_OK)
		return err->status;
	if (!whole)
		return rv_fail(err, RV_LOCAL_IO, "%s shrank below byte %" PRIu64 " while it was read",
			       c->path, c->head_len);
	if (hash_range(fd, c->path, c->offset - c->tail_len, c->tail_len, &whole, &c->tail_hash,
		       err) != RV_OK)
		return err->status;
	if (!whole)
		return rv_fail(err, RV_LOCAL_IO, "%s shrank below byte %" PRIu64 " while it was read",
			       c->path, c->offset);
	return RV_OK;
}

enum rv_status rv_checkpoint_note_batch(const struct rv_state *state, const char *key,
					const struct rv_run *run, const struct rv_batch_entry *entry,
					const struct rv_extent *extent, bool sync,
					struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/files/%s.batches", state->folder, key);
	/* Marked: no object of that name need be in the lake; the stamps of its records will. */
	const char *mark = *entry->name && run->delivery[0] ? "@" : "";
	/* The line end in front closes a line that a crash has torn. */
	RV_CLEANUP(rv_free_p)
	char *line = rv_asprintf("\n%" PRIu64 " %" PRIu64 " %s %" PRIu64 " %" PRIu64 " %s%s %s\n",
				 extent->from, extent->to, run->name, entry->seq, entry->bytes, mark,
				 *entry->name ? entry->name : "-",
				 entry->rejects_name ? entry->rejects_name : "-");
	RV_CLEANUP(rv_close_p)
	int fd = rv_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	if (rv_write_all(fd, line, strlen(line), path, err) != RV_OK)
		return err->status;
	return sync ? rv_fsync(fd, path, err) : RV_OK;
}

enum rv_status rv_checkpoint_each_batch(const struct rv_state *state, const char *key,
					enum rv_status (*each)(void *arg,
							       const struct rv_file_batch *batch,
							       struct rv_error *err),
					void *arg, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/files/%s.batches", state->folder, key);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	enum rv_status status = rv_read_file(path, 1u << 30, &text, err);
	if (status == RV_NOT_FOUND)
		return RV_OK;
	if (status != RV_OK)
		return status;
	/* By its length: a power cut may leave zeros in it, and what stands behind them counts. */
	char *end = text.bytes + text.len, *newline;
	for (char *line = text.bytes; (newline = memchr(line, '\n', (size_t)(end - line))); line = newline + 1) {
		struct rv_file_batch batch;
		*newline = '\0';
		/* 383 is RV_OBJECT_NAME_MAX - 1, and a mark. A line torn by a crash is followed by its repetition. */
		if (sscanf(line, "%" SCNu64 " %" SCNu64 " %*s %*s %" SCNu64 " %384s %383s",
			   &batch.from, &batch.to, &batch.bytes, batch.name, batch.rejects_name) != 5)
			continue;
		batch.by_stamp = batch.name[0] == '@';
		if (batch.by_stamp)
			memmove(batch.name, batch.name + 1, strlen(batch.name));
		if ((status = each(arg, &batch, err)) != RV_OK)
			return status;
	}
	return RV_OK;
}
