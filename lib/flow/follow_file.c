/* One followed file: where it begins, when it may be read, and what became of it. */
#include "flow/follow_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/file_name.h"
#include "format/json_text.h"

/* One file must not keep the others waiting; a record is never longer than 128 MiB. */
#define TURN_BYTES (64u << 20)
#define LOCK_PAUSE_MS 500

struct rv_followed *rv_followed_of(struct rv_watched *item)
{
	if (!item->user) {
		struct rv_followed *file = rv_calloc(1, sizeof(*file));
		file->input = (struct rv_push_input){ .file = RV_INPUT_FILE_INIT, .run_file = UINT64_MAX };
		file->failure = (struct rv_error)RV_ERROR_INIT;
		item->user = file;
	}
	return item->user;
}

void rv_followed_free(struct rv_watched *item)
{
	struct rv_followed *file = item->user;
	if (!file)
		return;
	free(file->input.file.path);
	free(file);
	item->user = NULL;
}

void rv_followed_drop(struct rv_watched *item)
{
	const struct rv_followed *file = item->user;
	if (file && !file->active && !file->waits && !file->skipped && !item->named &&
	    file->failure.status == RV_OK && !file->locked_ms)
		rv_followed_free(item);
}

bool rv_followed_is_landed(const struct rv_follow *f, const struct rv_followed *file)
{
	const struct rv_push_state *push = f->push;
	if (!file->active || !file->input.run_number)
		return true;
	return file->input.job + rv_sender_queued(push->sender) < push->jobs;
}

void rv_followed_set_path(struct rv_followed *file, const char *path)
{
	struct rv_push_input *input = &file->input;
	free(input->file.path);
	input->file.path = rv_strdup(path);
	free(input->checkpoint.path);
	input->checkpoint.path = rv_strdup(path);
	input->run_file = UINT64_MAX;
}

void rv_followed_rest(struct rv_follow *f, struct rv_watched *item)
{
	struct rv_followed *file = item->user;
	if (!file || !file->active)
		return;
	if (f->push && f->push->locks_fd >= 0)
		rv_push_unlock(f->push, file->input.key);
	free(file->input.extent.csv_header);
	rv_checkpoint_release(&file->input.checkpoint);
	free(file->input.file.path);
	file->input = (struct rv_push_input){ .file = RV_INPUT_FILE_INIT, .run_file = UINT64_MAX };
	file->active = false;
	f->active--;
}

/* ---- is it to be read, and from where ---- */

static void file_key(const struct rv_watched *item, char ret[RV_FILE_KEY_TEXT])
{
	rv_file_key_text((uint32_t)(item->device >> 32), (uint32_t)item->device, item->inode, item->birth_ns,
			 ret);
}

/* Its checkpoint says that nothing can be new: most files of a folder, at a start. */
static enum rv_status is_known_whole(const struct rv_follow *f, const struct rv_watched *item, bool *ret,
				     struct rv_error *err)
{
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	char key[RV_FILE_KEY_TEXT];
	bool found;
	file_key(item, key);
	enum rv_status status = rv_checkpoint_load(&f->push->state, key, &c, &found, err);
	*ret = status == RV_OK && found && c.at_end && c.file_bytes == item->bytes &&
	       c.file_modified_ns == item->modified_ns;
	return status;
}

/*
 * By what was seen of it, or by its times: a file that was at rest before need not be waited for. Whichever way
 * the wall clock has jumped since the start, one that is still being copied must not look an hour old.
 */
static bool is_at_rest(const struct rv_follow *f, const struct rv_watched *item)
{
	int64_t settle_ms = f->params.settle_ms;
	int64_t now_ms = rv_clock_monotonic_ms(), wall_ms = rv_clock_ms();
	if (now_ms + f->wall_ahead_ms < wall_ms)
		wall_ms = now_ms + f->wall_ahead_ms;
	return now_ms - item->changed_ms >= settle_ms ||
	       wall_ms - item->status_changed_ns / 1000000 >= settle_ms;
}

static void wait_for_rest(const struct rv_follow *f, struct rv_watched *item)
{
	struct rv_followed *file = item->user;
	int64_t rest_ms = item->changed_ms + f->params.settle_ms;
	int64_t soon_ms = rv_clock_monotonic_ms() + LOCK_PAUSE_MS;
	file->waits = true;
	file->due_ms = rest_ms < soon_ms ? rest_ms : soon_ms;
}

static enum rv_status take_lock(struct rv_follow *f, struct rv_watched *item, bool *ret,
				struct rv_error *err)
{
	struct rv_followed *file = item->user;
	const struct rv_push_params *params = &f->params;
	int64_t now_ms = rv_clock_monotonic_ms();
	if (rv_push_try_lock(f->push, file->input.key, ret, err) != RV_OK)
		return err->status;
	if (*ret) {
		file->locked_ms = 0;
		return RV_OK;
	}
	file->waits = true;
	file->due_ms = now_ms + LOCK_PAUSE_MS;
	if (!file->locked_ms) {
		file->locked_ms = now_ms;
		rv_follow_event(f, "locked", item->path, NULL, NULL);
		if (!item->named || params->lock_timeout_ms)
			rv_push_tell(f->push, params->note, "%s is being pushed by another process%s",
				     item->path, params->lock_skip && item->named ? "" : ", waiting");
	}
	/* In a folder two may share the work; what was named is wanted from this one. */
	if (!item->named || params->lock_timeout_ms < 0 ||
	    now_ms - file->locked_ms < params->lock_timeout_ms)
		return RV_OK;
	rv_fail(err, RV_LOCKED, "%s is being pushed by another process", item->path);
	if (params->lock_skip) {
		file->skipped = true;
		file->failure = *err;
		return RV_OK;
	}
	f->final = f->push->fatal = true;
	return err->status;
}

/* Another file with its bytes may be what it is a copy of: the copy of copytruncate, while it is made. To
 * read it now would send all of them twice. */
static enum rv_status may_be_copy(struct rv_follow *f, struct rv_watched *item, bool *ret,
				  struct rv_error *err)
{
	struct rv_push_input *input = &((struct rv_followed *)item->user)->input;
	uint64_t first;
	*ret = false;
	if (rv_push_file_first_record(&input->file, &f->params.read, &first, err) != RV_OK)
		return err->status;
	if (!first)
		return RV_OK;
	/* What is on its way has no checkpoint on disk yet. */
	for (size_t i = 0; i < rv_watch_count(f->watch); i++) {
		const struct rv_followed *other = rv_watch_at(f->watch, i)->user;
		if (!other || !other->active || other->input.checkpoint.first_record != first ||
		    rv_followed_is_landed(f, other))
			continue;
		if (rv_follow_flush(f, err) != RV_OK)
			return err->status;
		break;
	}
	if (is_at_rest(f, item))
		return RV_OK;
	return rv_push_file_may_be_copy(&f->push->state, &input->file, input->key, first, ret, err);
}

static enum rv_status look_inside(struct rv_follow *f, struct rv_watched *item, bool *ret_ready,
				  struct rv_error *err)
{
	struct rv_followed *file = item->user;
	struct rv_input_file *input = &file->input.file;
	unsigned char magic[8];
	size_t n;
	*ret_ready = false;
	input->fd = item->fd;
	free(input->path);
	input->path = rv_strdup(item->path);
	if (fstat(item->fd, &input->stat) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", item->path);
	if (rv_pread_full(item->fd, magic, sizeof(magic), 0, &n, item->path, err) != RV_OK)
		return err->status;
	input->compression = rv_compression_detect(magic, n);
	if (n == 0) {
		rv_watch_taken(item, (uint64_t)input->stat.st_size, item->modified_ns);
		return RV_OK;
	}
	/* A stream that grows cannot be taken apart from its start; and so little may yet become one. */
	if ((input->compression != RV_COMPRESSION_NONE || rv_compression_may_begin(magic, n)) &&
	    !is_at_rest(f, item)) {
		wait_for_rest(f, item);
		return RV_OK;
	}
	*ret_ready = true;
	return RV_OK;
}

static void describe(struct rv_follow *f, const struct rv_watched *item, enum rv_file_start start)
{
	const struct rv_push_input *input = &((struct rv_followed *)item->user)->input;
	rv_push_describe_start(f->push, input, start);
	rv_follow_event(f, start == RV_FILE_ROTATED ? "rotated" : "following", item->path, "offset",
			json_integer((json_int_t)input->checkpoint.offset));
	if (start == RV_FILE_ROTATED)
		f->rotations++;
}

/* Locked, and its checkpoint found. *ret_ready false: not yet, or there is nothing to read. */
static enum rv_status begin_file(struct rv_follow *f, struct rv_watched *item, bool *ret_ready,
				 struct rv_error *err)
{
	struct rv_followed *file = item->user;
	struct rv_push_input *input = &file->input;
	struct rv_push_state *push = f->push;
	bool whole = false, ready, locked, known, copy = false;
	enum rv_file_start start;
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint before = { .offset = 0 };
	RV_CLEANUP(rv_free_p) char *twin = NULL;
	*ret_ready = false;
	/* One that was named is locked in any case. */
	if (!item->named && is_known_whole(f, item, &whole, err) != RV_OK)
		return err->status;
	if (whole) {
		rv_watch_taken(item, item->bytes, item->modified_ns);
		return RV_OK;
	}
	if (look_inside(f, item, &ready, err) != RV_OK)
		return err->status;
	if (!ready)
		return RV_OK;
	if (rv_file_key(item->fd, item->path, input->key, err) != RV_OK ||
	    take_lock(f, item, &locked, err) != RV_OK)
		return err->status;
	if (!locked)
		return RV_OK;
	if (rv_push_recover_again(push, err) != RV_OK) {
		push->fatal = true;
		return err->status;
	}
	rv_follow_note_loss(f, &push->deliver.loss);
	enum rv_status status = rv_checkpoint_load(&push->state, input->key, &before, &known, err);
	if (status == RV_OK && !known)
		status = may_be_copy(f, item, &copy, err);
	if (status == RV_OK && !copy)
		status = rv_push_file_start(&push->state, &input->file, input->key, &f->params.read, false,
					    &input->checkpoint, &start, &twin, err);
	if (status != RV_OK || copy) {
		rv_push_unlock(push, input->key);
		if (copy)
			wait_for_rest(f, item);
		return status;
	}
	if (twin)
		rv_push_tell(push, f->params.warn,
			     "%s begins with all that was pushed of %s, which is still there: both are sent",
			     item->path, twin);
	file->active = true;
	f->active++;
	push->result->files++;
	push->result->skipped_bytes += input->checkpoint.offset;
	input->offset = input->checkpoint.offset;
	file->bytes = (uint64_t)input->file.stat.st_size;
	describe(f, item, start);
	*ret_ready = true;
	return RV_OK;
}

/* ---- rotation ---- */

/* app.log.1, app.log-20261129.gz, app-20261129.log, app.1.log.zst: earlier ones of app.log. */
static bool is_earlier_name(const char *base, const char *name)
{
	size_t base_len = strlen(base), len = rv_name_unpacked(name, strlen(name));
	if (len > base_len && memcmp(name, base, base_len) == 0 &&
	    rv_name_is_counter(name + base_len, len - base_len))
		return true;
	const char *dot = strrchr(base, '.');
	size_t stem = dot ? (size_t)(dot - base) : base_len, end = base_len - stem;
	return stem > 0 && len > base_len && memcmp(name, base, stem) == 0 &&
	       memcmp(name + len - end, base + stem, end) == 0 &&
	       rv_name_is_counter(name + stem, len - base_len);
}

/*
 * Since when a name has been followed, in the words of its file system: when the file it had first was
 * written last. It is kept for good: whatever is rotated away from the name later is younger, also when
 * nobody ever saw it.
 */
static enum rv_status followed_since(struct rv_follow *f, const struct rv_watched *item, int64_t *ret_ns,
				     struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *folder = rv_state_path(&f->push->state, "followed");
	uint64_t hash = XXH3_64bits(item->path, strlen(item->path));
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/%016" PRIx64, folder, hash);
	enum rv_status status = rv_read_file(path, 1u << 16, &text, err);
	if (status == RV_OK && text.len && text.bytes[text.len - 1] == '\n') {
		json_t *o = rv_json_line_parse(text.bytes, text.len - 1);
		const json_t *since = json_object_get(o, "since");
		bool is_ours = json_is_integer(since) && json_integer_value(json_object_get(o, "v")) == 1;
		*ret_ns = is_ours ? json_integer_value(since) : 0;
		json_decref(o);
		if (is_ours)
			return RV_OK;
	}
	if (status != RV_OK && status != RV_NOT_FOUND && status != RV_BAD_DATA)
		return status;
	/* None, or none that can be read: then what cannot be known to be later is not this name's. */
	*ret_ns = item->modified_ns;
	json_t *o = json_pack("{s:i, s:I}", "v", 1, "since", (json_int_t)item->modified_ns);
	json_object_set_new(o, "path", rv_json_bytes(item->path));
	rv_strbuf_clear(&text);
	rv_json_line(&text, o);
	if (rv_make_folders(folder, 0700, err) != RV_OK)
		return err->status;
	rv_sweep_temporaries(folder);
	if (rv_replace_file(path, text.bytes, text.len, 0600, err) != RV_OK)
		return err->status;
	return RV_OK;
}

struct sibling {
	char *name;
	int64_t modified_ns;
	bool known;
};

struct siblings {
	struct rv_follow *f;
	const struct rv_watched *item;
	struct sibling *all;
	size_t count, capacity;
};

static void siblings_release(struct siblings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->all[i].name);
	free(s->all);
}

static enum rv_status see_sibling(void *arg, const char *name, struct rv_error *err)
{
	struct siblings *s = arg;
	const struct rv_state *state = &s->f->push->state;
	const char *base = s->item->name;
	size_t stem = strcspn(base, ".");
	if (!stem || strncmp(name, base, stem) != 0)
		return RV_OK;
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(s->item->path);
	RV_CLEANUP(rv_free_p) char *full = rv_path_join(folder, name);
	RV_CLEANUP(rv_input_file_release) struct rv_input_file file = RV_INPUT_FILE_INIT;
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	char key[RV_FILE_KEY_TEXT];
	bool regular, known;
	struct rv_error ignored;
	/* What cannot be read is none of the file's earlier contents that could be. */
	if (rv_input_file_open(full, &file, &regular, &ignored) != RV_OK || !regular ||
	    rv_file_key(file.fd, full, key, &ignored) != RV_OK)
		return RV_OK;
	enum rv_status status = rv_checkpoint_load(state, key, &c, &known, err);
	if (status == RV_OK && !known)
		status = rv_push_file_is_rotated(state, &file, key, &s->f->params.read, &known, err);
	/* Its damage, or a compressed one that is half there, is not this file's. */
	if (status == RV_DAMAGED || status == RV_BAD_DATA)
		return RV_OK;
	if (status != RV_OK)
		return status;
	if (!known && !is_earlier_name(base, name))
		return RV_OK;
	struct sibling sibling = {
		.name = rv_strdup(name),
		.modified_ns = rv_time_ns(file.stat.st_mtim.tv_sec, file.stat.st_mtim.tv_nsec),
		.known = known,
	};
	RV_GROW(s->all, s->count, s->capacity);
	s->all[s->count++] = sibling;
	return RV_OK;
}

/*
 * Earlier contents of a followed name that lie beside it: what is known of them is read to its end. So is what
 * came and was rotated while nobody looked: it was written since the name is followed. The rest was there
 * before, and is none of it.
 */
static enum rv_status find_earlier(struct rv_follow *f, struct rv_watched *item, struct rv_error *err)
{
	RV_CLEANUP(siblings_release) struct siblings s = { .f = f, .item = item };
	int64_t since_ns;
	if (followed_since(f, item, &since_ns, err) != RV_OK)
		return err->status;
	if (rv_watch_each_beside(f->watch, item, see_sibling, &s, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < s.count; i++) {
		const struct sibling *sibling = &s.all[i];
		if (sibling->known || sibling->modified_ns >= since_ns)
			rv_watch_add_beside(f->watch, item, sibling->name);
	}
	return RV_OK;
}

/* It holds other bytes than were read of it: it was cut, and written anew. */
static enum rv_status begin_anew(struct rv_follow *f, struct rv_watched *item, struct rv_error *err)
{
	struct rv_followed *file = item->user;
	uint64_t read = file->input.offset;
	uint64_t unread = file->bytes > read ? file->bytes - read : 0;
	char size[RV_NUMBER_TEXT];
	/* Its earlier bytes are looked for by its checkpoint. */
	if (rv_follow_flush(f, err) != RV_OK)
		return err->status;
	f->rotations++;
	rv_follow_event(f, "truncated", item->path, "read", json_integer((json_int_t)read));
	rv_push_tell(f->push, f->params.note, "%s was cut and begins anew; %s of what it held were read",
		     item->path, rv_format_size(read, size));
	rv_followed_rest(f, item);
	file->sought = false;
	file->bytes = 0;
	if (unread)
		rv_push_tell(f->push, f->params.warn,
			     "%s was cut before its last %" PRIu64
			     " bytes were read: they are only sent if a copy of them lies beside it",
			     item->path, unread);
	return RV_OK;
}

/* ---- a turn ---- */

static enum rv_status still_holds(const struct rv_watched *item, bool *ret, struct rv_error *err)
{
	const struct rv_push_input *input = &((struct rv_followed *)item->user)->input;
	const struct rv_checkpoint *c = &input->checkpoint;
	*ret = true;
	if (input->file.compression != RV_COMPRESSION_NONE || strcmp(c->compression, "none") != 0 ||
	    !c->offset)
		return RV_OK;
	*ret = (uint64_t)input->file.stat.st_size >= c->offset;
	return *ret ? rv_checkpoint_matches(c, item->fd, ret, err) : RV_OK;
}

static enum rv_status read_on(struct rv_follow *f, struct rv_watched *item, struct rv_error *err)
{
	struct rv_followed *file = item->user;
	struct rv_push_input *input = &file->input;
	uint64_t bytes = (uint64_t)input->file.stat.st_size;
	uint64_t most = 2 * f->params.read.max_record_bytes;
	uint64_t before = f->push->result->input_bytes;
	int64_t modified_ns = rv_time_ns(input->file.stat.st_mtim.tv_sec, input->file.stat.st_mtim.tv_nsec);
	bool plain = input->file.compression == RV_COMPRESSION_NONE;
	most = most > TURN_BYTES ? most : TURN_BYTES;
	if (bytes > file->bytes)
		file->bytes = bytes;
	input->read_to = plain ? bytes : 0;
	input->goes_on = plain && bytes - input->checkpoint.offset > most;
	if (input->goes_on)
		input->read_to = input->checkpoint.offset + most;
	input->finished = input->pending = input->at_end = false;
	if (!plain || bytes > input->checkpoint.offset) {
		if (rv_push_read_file(f->push, input, err) != RV_OK)
			return err->status;
	}
	if (f->push->result->input_bytes != before)
		f->news_ms = file->read_ms = rv_clock_monotonic_ms();
	/* A stop in between leaves the rest. */
	if (!input->goes_on && !rv_push_must_stop(f->push))
		rv_watch_taken(item, bytes, modified_ns);
	/* A compressed file is known by its size and time, so as not to be read at every start. */
	struct rv_checkpoint *c = &input->checkpoint;
	if (plain || !input->at_end || !c->offset || f->push->result->input_bytes != before)
		return RV_OK;
	rv_checkpoint_note_stat(c, &input->file.stat);
	c->at_end = true;
	return rv_checkpoint_save(&f->push->state, c, true, err);
}

static enum rv_status turn(struct rv_follow *f, struct rv_watched *item, struct rv_error *err)
{
	struct rv_followed *file = item->user;
	struct rv_push_input *input = &file->input;
	bool ready = true, same;
	enum rv_status status = rv_watch_open(f->watch, item, err);
	if (status == RV_NOT_FOUND)
		return RV_OK; /* the next look finds out what became of it */
	if (status != RV_OK)
		return status;
	for (unsigned attempt = 0;; attempt++) {
		if (!file->active && begin_file(f, item, &ready, err) != RV_OK)
			return err->status;
		if (!ready)
			return RV_OK;
		input->file.fd = item->fd;
		if (strcmp(input->file.path, item->path) != 0)
			rv_followed_set_path(file, item->path);
		if (fstat(item->fd, &input->file.stat) < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", item->path);
		if (still_holds(item, &same, err) != RV_OK)
			return err->status;
		if (same)
			break;
		if (begin_anew(f, item, err) != RV_OK)
			return err->status;
		if (attempt)
			return RV_OK; /* it is being written over and over: at its next turn */
	}
	if (item->named && !file->sought) {
		size_t before = rv_watch_count(f->watch);
		file->sought = true;
		if (find_earlier(f, item, err) != RV_OK)
			return err->status;
		if (rv_watch_count(f->watch) > before)
			return RV_OK; /* those come first */
	}
	return read_on(f, item, err);
}

enum rv_status rv_followed_turn(struct rv_follow *f, struct rv_watched *item, struct rv_error *err)
{
	struct rv_followed *file = rv_followed_of(item);
	struct rv_push_state *push = f->push;
	file->waits = false;
	file->due_ms = 0;
	*err = (struct rv_error)RV_ERROR_INIT;
	f->reading = true;
	enum rv_status status = turn(f, item, err);
	f->reading = false;
	/* What waits is held while there is room. */
	if (!file->active && !item->detached && !rv_watch_may_hold(f->watch))
		rv_watch_close(f->watch, item);
	if (status == RV_OK) {
		if (!file->skipped && file->failure.status != RV_OK) {
			file->failure = (struct rv_error)RV_ERROR_INIT;
			rv_push_tell(push, f->params.note, "%s can be read again", item->path);
		}
		return RV_OK;
	}
	if (push->abandon || push->fatal)
		return err->status;
	/* One bad file does not stop its neighbours: it is said, and looked at again. */
	file->due_ms = rv_clock_monotonic_ms() + 30000;
	file->failed_bytes = item->bytes;
	file->failed_modified_ns = item->modified_ns;
	if (strcmp(file->failure.message, err->message) != 0) {
		rv_push_tell(push, f->params.warn, "%s%s%s", err->message, *err->hint ? "; " : "", err->hint);
		rv_follow_event(f, "failed", item->path, "message", json_string(err->message));
	}
	file->failure = *err;
	*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}
