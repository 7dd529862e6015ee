/* The journal of a run: written before things are done, read after a crash. */
#include "spool/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/json_text.h"

/* A journal is read whole; at some 400 bytes a batch this is more than a run can make in an hour. */
#define JOURNAL_MAX_BYTES (1u << 30)
/* Of files it holds each one's checkpoint, and with that the header of a csv file. */
#define JOURNAL_LONG_BYTES (16u << 20)
#define VERIFY_BYTES (256u << 10)

static char *journal_path(const struct rv_run *run)
{
	return rv_path_join(run->folder, "journal");
}

static struct rv_run *run_new(const struct rv_state *state, const char *name)
{
	static atomic_uint_least64_t serials;
	struct rv_run *run = rv_calloc(1, sizeof(*run));
	run->serial = atomic_fetch_add(&serials, 1) + 1;
	snprintf(run->name, sizeof(run->name), "%s", name);
	run->folder = rv_asprintf("%s/runs/%s", state->folder, name);
	run->journal_fd = -1;
	run->cut_to = -1;
	run->source = rv_strdup("");
	run->host = rv_strdup("");
	pthread_mutex_init(&run->mutex, NULL);
	return run;
}

static void file_free(struct rv_run_file *file)
{
	free(file->path);
	free(file->key);
	free(file->format);
	free(file->compression);
	free(file);
}

static void extent_release(struct rv_extent *extent)
{
	free(extent->csv_header);
	json_decref(extent->checkpoint);
}

static void release_extents(struct rv_batch_entry *entry)
{
	for (size_t i = 0; i < entry->extents_count; i++)
		extent_release(&entry->extents[i]);
	free(rv_take(entry->extents));
	entry->extents_count = 0;
}

void rv_batch_entry_release(struct rv_batch_entry *entry)
{
	release_extents(entry);
	free(entry->name);
	free(entry->rejects_name);
	*entry = (struct rv_batch_entry){ .seq = 0 };
}

uint64_t rv_batch_spool_bytes(const struct rv_batch_entry *entry)
{
	return entry->bytes + entry->rejects_bytes;
}

/* With the mutex, or alone: what is there of a line that does not count is cut off. Where that cannot be done, as on
 * a full disk that copies what it writes, it is done before anything is written behind it, or at the end. */
static bool cut_back(struct rv_run *run)
{
	if (run->cut_to < 0)
		return true;
	if (ftruncate(run->journal_fd, (off_t)run->cut_to) < 0)
		return false;
	run->cut_to = -1;
	return true;
}

void rv_run_free(struct rv_run *run)
{
	if (!run)
		return;
	(void)!cut_back(run);
	for (size_t i = 0; i < run->batches_count; i++)
		rv_batch_entry_release(&run->batches[i]);
	for (size_t i = 0; i < run->files_count; i++)
		file_free(run->files[i]);
	free(run->batches);
	free(run->files);
	free(run->folder);
	free(run->source);
	free(run->host);
	json_decref(run->settings);
	if (run->journal_fd >= 0)
		close(run->journal_fd);
	pthread_mutex_destroy(&run->mutex);
	free(run);
}

void rv_run_free_p(struct rv_run **run)
{
	rv_run_free(*run);
	*run = NULL;
}

static enum rv_status lock_journal(struct rv_run *run, struct rv_error *err)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	while (fcntl(run->journal_fd, F_OFD_SETLK, &whole) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EACCES)
			return rv_fail(err, RV_LOCKED, "run %s is still going on", run->name);
		return rv_fail_errno(err, RV_LOCAL_IO, "lock %s/journal", run->folder);
	}
	return RV_OK;
}

bool rv_run_is_alive(const struct rv_run *run)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	/* Where that cannot be asked it may be. */
	return fcntl(run->journal_fd, F_OFD_GETLK, &whole) < 0 || whole.l_type != F_UNLCK;
}

static enum rv_status lock_runs(const struct rv_state *state, struct rv_lock *lock,
				struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(state, "runs.lock");
	return rv_lock_take(lock, path, RV_LOCK_EXCLUSIVE, 60000, 0600, err);
}

enum rv_status rv_run_create(const struct rv_state *state, const char *name, int64_t now_ms,
			     struct rv_run **ret, struct rv_error *err)
{
	char fresh[RV_ULID_TEXT];
	if (!name) {
		rv_ulid_new(now_ms, fresh);
		name = fresh;
	}
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = run_new(state, name);
	run->started_ms = now_ms;
	rv_format_folder(now_ms, run->lake_folder);
	char host[256];
	if (gethostname(host, sizeof(host)) == 0) {
		host[sizeof(host) - 1] = '\0';
		free(run->host);
		run->host = rv_strdup(host);
	}
	/* Recovery removes runs that were never begun: it must not see one half made. */
	RV_CLEANUP(rv_lock_release) struct rv_lock lock = RV_LOCK_INIT;
	if (lock_runs(state, &lock, err) != RV_OK ||
	    rv_make_folders(run->folder, 0700, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *path = journal_path(run);
	run->journal_fd = rv_open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (run->journal_fd < 0) {
		rv_fail_errno(err, RV_LOCAL_IO, "create %s", path);
		/* Where nothing can be created now, there may be many attempts. */
		rmdir(run->folder);
		return err->status;
	}
	if (lock_journal(run, err) != RV_OK)
		return err->status;
	struct stat st;
	if (fstat(run->journal_fd, &st) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	if (st.st_size > 0)
		return rv_fail(err, RV_CONFLICT, "run %s has been begun here already", name);
	*ret = rv_take(run);
	return RV_OK;
}

/* Appends one line; with `sync` it is durable on return. Takes the reference to `entry`. `ret_doubt` Optional: it
 * failed, and yet the line may be found there. */
static enum rv_status append(struct rv_run *run, json_t *entry, bool sync, bool *ret_doubt,
			     struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	rv_json_line(&line, entry);

	pthread_mutex_lock(&run->mutex);
	RV_CLEANUP(rv_free_p) char *path = journal_path(run);
	bool whole = cut_back(run);
	off_t before = whole ? lseek(run->journal_fd, 0, SEEK_END) : -1;
	enum rv_status status =
		!whole       ? rv_fail_errno(err, RV_LOCAL_IO, "cut the torn end of %s", path)
		: before < 0 ? rv_fail_errno(err, RV_LOCAL_IO, "seek in %s", path)
			     : rv_write_all(run->journal_fd, line.bytes, line.len, path, err);
	if (status == RV_OK && sync)
		status = rv_fsync(run->journal_fd, path, err);
	/* A line that is not wholly there must not be followed by another one, and one that does not count must not
	 * be found after a power cut. */
	struct rv_error ignored = RV_ERROR_INIT;
	bool undone = status == RV_OK || before < 0;
	if (!undone) {
		run->cut_to = before;
		undone = cut_back(run) && rv_fsync(run->journal_fd, path, &ignored) == RV_OK;
	}
	if (ret_doubt)
		*ret_doubt = !undone;
	run->journal_bytes += line.len;
	pthread_mutex_unlock(&run->mutex);
	return status;
}

bool rv_run_is_long(struct rv_run *run)
{
	pthread_mutex_lock(&run->mutex);
	bool is_long = run->journal_bytes >= JOURNAL_LONG_BYTES;
	pthread_mutex_unlock(&run->mutex);
	return is_long;
}

static const char *compression_text(enum rv_output_compression compression)
{
	return rv_object_suffix(compression) + strlen(".ndjson");
}

static const char *const stamps[] = { "none", "id", "full" };

static enum rv_status write_begin(struct rv_run *run, struct rv_error *err)
{
	/* What an older river can finish, it may. */
	int version = run->intake					     ? RV_RUN_VERSION
		      : run->delivery[0] || run->stamp != RV_STAMP_NONE ? 2
									: 1;
	json_t *entry = json_pack("{s:s, s:i, s:s, s:b, s:b, s:I, s:s, s:s}", "t", "run", "v",
				  version, "run", run->name, "named", run->named, "pipe",
				  run->pipe, "started", (json_int_t)run->started_ms, "folder",
				  run->lake_folder, "compression", compression_text(run->compression));
	json_object_set_new(entry, "source", rv_json_bytes(run->source));
	json_object_set_new(entry, "host", rv_json_bytes(run->host));
	if (run->settings)
		json_object_set(entry, "settings", run->settings);
	if (run->stamp != RV_STAMP_NONE)
		json_object_set_new(entry, "stamp", json_string(stamps[run->stamp]));
	if (run->delivery[0])
		json_object_set_new(entry, "delivery", json_string(run->delivery));
	if (run->intake)
		json_object_set_new(entry, "intake", json_true());
	if (append(run, entry, true, NULL, err) != RV_OK)
		return err->status;
	/* The names journal and runs/<run> must be as durable as what is in them. */
	if (rv_fsync_folder(run->folder, err) != RV_OK)
		return err->status;
	return rv_fsync_parent(run->folder, err);
}

enum rv_status rv_run_begin(struct rv_run *run, struct rv_error *err)
{
	if (write_begin(run, err) == RV_OK)
		return RV_OK;
	/* On a full disk that happens again and again, and nothing was promised. What else may be in the
	 * folder is not of this run: then it stays. */
	RV_CLEANUP(rv_free_p) char *path = journal_path(run);
	unlink(path);
	rmdir(run->folder);
	return err->status;
}

uint64_t rv_run_add_file(struct rv_run *run, const char *path, const char *key, const char *format,
			 const char *compression)
{
	struct rv_run_file *file = rv_malloc(sizeof(*file));
	*file = (struct rv_run_file){
		.path = rv_strdup(path),
		.key = rv_strdup(key),
		.format = rv_strdup(format),
		.compression = rv_strdup(compression),
	};
	pthread_mutex_lock(&run->mutex);
	RV_GROW(run->files, run->files_count, run->files_capacity);
	run->files[run->files_count] = file;
	uint64_t index = run->files_count++;
	pthread_mutex_unlock(&run->mutex);
	return index;
}

static struct rv_run_file *file_at(struct rv_run *run, uint64_t index)
{
	pthread_mutex_lock(&run->mutex);
	struct rv_run_file *file = index < run->files_count ? run->files[index] : NULL;
	pthread_mutex_unlock(&run->mutex);
	return file;
}

const struct rv_run_file *rv_run_file(struct rv_run *run, uint64_t index)
{
	return file_at(run, index);
}

void rv_csv_reading_put(json_t *object, const char *csv_header, char csv_delimiter)
{
	if (csv_header)
		json_object_set_new(object, "header", rv_json_bytes(csv_header));
	if (csv_header && csv_delimiter)
		json_object_set_new(object, "delimiter", json_stringn(&csv_delimiter, 1));
}

void rv_csv_reading_get(const json_t *object, char **ret_header, char *ret_delimiter)
{
	const char *delimiter = json_string_value(json_object_get(object, "delimiter"));
	*ret_header = rv_json_bytes_value(json_object_get(object, "header"));
	bool is_one = delimiter && strlen(delimiter) == 1 && !strchr("\r\n\"", delimiter[0]);
	*ret_delimiter = is_one ? delimiter[0] : '\0';
}

void rv_reader_state_put(json_t *object, unsigned in_array)
{
	if (in_array)
		json_object_set_new(object, "in_array",
				    in_array == 1 ? json_true() : json_integer((json_int_t)in_array));
}

unsigned rv_reader_state_get(const json_t *object)
{
	const json_t *in_array = json_object_get(object, "in_array");
	return json_is_true(in_array) ? 1 : (unsigned)json_integer_value(in_array);
}

static json_t *extent_json(const struct rv_extent *extent)
{
	json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "file", (json_int_t)extent->file, "from",
			      (json_int_t)extent->from, "to", (json_int_t)extent->to, "line",
			      (json_int_t)extent->line);
	rv_reader_state_put(o, extent->in_array);
	if (extent->finish)
		json_object_set_new(o, "finish", json_true());
	rv_csv_reading_put(o, extent->csv_header, extent->csv_delimiter);
	if (extent->checkpoint)
		json_object_set(o, "checkpoint", extent->checkpoint);
	return o;
}

enum rv_status rv_run_promise(struct rv_run *run, struct rv_batch_entry *entry,
			      struct rv_error *err)
{
	json_t *o = json_pack("{s:s, s:I, s:s, s:I, s:I, s:I}", "t", "batch", "seq",
			      (json_int_t)entry->seq, "name", entry->name, "records",
			      (json_int_t)entry->records, "record_bytes",
			      (json_int_t)entry->record_bytes, "bytes", (json_int_t)entry->bytes);
	json_object_set_new(o, "hash", rv_json_hex64(entry->set_hash));
	if (entry->rejected) {
		json_object_set_new(o, "rejected", json_integer((json_int_t)entry->rejected));
		json_object_set_new(o, "rejects_hash", rv_json_hex64(entry->rejects_hash));
		json_object_set_new(o, "rejects", json_string(entry->rejects_name));
	}
	if (run->pipe && entry->rejected) {
		json_object_set_new(o, "rejects_bytes", json_integer((json_int_t)entry->rejects_bytes));
		json_object_set_new(o, "rejects_body_hash", rv_json_hex64(entry->rejects_body_hash));
	}
	if (run->pipe) {
		json_object_set_new(o, "input_to", json_integer((json_int_t)entry->input_to));
		json_object_set_new(o, "body_hash", rv_json_hex64(entry->body_hash));
	}
	if (entry->extents_count) {
		json_t *list = json_array();
		for (size_t i = 0; i < entry->extents_count; i++) {
			struct rv_run_file *file = file_at(run, entry->extents[i].file);
			json_array_append_new(list, extent_json(&entry->extents[i]));
			if (file->journaled)
				continue;
			json_t *f = json_pack("{s:s, s:I, s:s, s:s, s:s}", "t", "file", "index",
					      (json_int_t)entry->extents[i].file, "key", file->key,
					      "format", file->format, "compression",
					      file->compression);
			json_object_set_new(f, "path", rv_json_bytes(file->path));
			if (append(run, f, false, NULL, err) != RV_OK) {
				json_decref(list);
				json_decref(o);
				return err->status;
			}
			file->journaled = true;
		}
		json_object_set_new(o, "extents", list);
	}
	bool doubt;
	if (append(run, o, true, &doubt, err) != RV_OK) {
		if (doubt && run->pipe && !run->named)
			rv_hint(err, "the batch behind that may count all the same: before the rest is sent again, mend "
				     "the disk and see with 'river spool list' what there is of run %s", run->name);
		return rv_context(err, "promise batch %" PRIu64 " of run %s", entry->seq, run->name);
	}
	pthread_mutex_lock(&run->mutex);
	RV_GROW(run->batches, run->batches_count, run->batches_capacity);
	run->batches[run->batches_count++] = *entry;
	pthread_mutex_unlock(&run->mutex);
	*entry = (struct rv_batch_entry){ .seq = 0 };
	return RV_OK;
}

static struct rv_batch_entry *find_batch(struct rv_run *run, uint64_t seq)
{
	for (size_t i = run->batches_count; i-- > 0;)
		if (run->batches[i].seq == seq)
			return &run->batches[i];
	return NULL;
}

static void add_counts(json_t *o, const struct rv_sent_counts *sent)
{
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {
		{ "requests", sent->requests },
		{ "refused", sent->refused },
		{ "maybe_twice", sent->maybe_twice },
		{ "record_bytes", sent->record_bytes },
		{ "billed_bytes", sent->billed_bytes },
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		if (counts[i].value)
			json_object_set_new(o, counts[i].key, json_integer((json_int_t)counts[i].value));
}

static struct rv_sent_counts counts_of(const json_t *o)
{
	return (struct rv_sent_counts){
		.requests = rv_json_get_u64(o, "requests"),
		.refused = rv_json_get_u64(o, "refused"),
		.maybe_twice = rv_json_get_u64(o, "maybe_twice"),
		.record_bytes = rv_json_get_u64(o, "record_bytes"),
		.billed_bytes = rv_json_get_u64(o, "billed_bytes"),
	};
}

static enum rv_status set_state(struct rv_run *run, uint64_t seq, enum rv_batch_state state,
				const char *type, bool sync, struct rv_error *err)
{
	pthread_mutex_lock(&run->mutex);
	struct rv_batch_entry *entry = find_batch(run, seq);
	if (!entry)
		rv_bug("batch %" PRIu64 " %s without a promise", seq, type);
	entry->state = state;
	json_t *o = json_pack("{s:s, s:I}", "t", type, "seq", (json_int_t)seq);
	add_counts(o, &entry->sent);
	/* The journal has them; a push of very many files must not keep them all. */
	release_extents(entry);
	pthread_mutex_unlock(&run->mutex);
	return append(run, o, sync, NULL, err);
}

static bool copy_entry(const struct rv_batch_entry *entry, struct rv_batch_entry *ret)
{
	if (!entry)
		return false;
	/* The names live as long as the run does. */
	*ret = *entry;
	ret->extents = NULL;
	ret->extents_count = 0;
	return true;
}

bool rv_run_entry(struct rv_run *run, uint64_t seq, struct rv_batch_entry *ret)
{
	pthread_mutex_lock(&run->mutex);
	bool found = copy_entry(find_batch(run, seq), ret);
	pthread_mutex_unlock(&run->mutex);
	return found;
}

bool rv_run_next_waiting(struct rv_run *run, uint64_t from, struct rv_batch_entry *ret)
{
	const struct rv_batch_entry *next = NULL;
	pthread_mutex_lock(&run->mutex);
	/* Numbers go up without holes but for batches that were abandoned: none stands behind its own. */
	size_t i = from < run->batches_count ? (size_t)from : run->batches_count;
	while (i > 0 && run->batches[i - 1].seq >= from)
		i--;
	for (; i < run->batches_count && !next; i++)
		if (run->batches[i].seq >= from && run->batches[i].state == RV_BATCH_WAITING)
			next = &run->batches[i];
	bool found = copy_entry(next, ret);
	pthread_mutex_unlock(&run->mutex);
	return found;
}

enum rv_status rv_run_sending(struct rv_run *run, uint64_t seq, struct rv_error *err)
{
	pthread_mutex_lock(&run->mutex);
	struct rv_batch_entry *entry = find_batch(run, seq);
	bool told = !entry || entry->sending;
	if (entry)
		entry->sending = true;
	pthread_mutex_unlock(&run->mutex);
	return told ? RV_OK
		    : append(run, json_pack("{s:s, s:I}", "t", "sending", "seq", (json_int_t)seq), false,
			     NULL, err);
}

void rv_run_add_counts(struct rv_run *run, uint64_t seq, const struct rv_sent_counts *counts)
{
	pthread_mutex_lock(&run->mutex);
	struct rv_batch_entry *entry = find_batch(run, seq);
	if (entry) {
		entry->sent.requests += counts->requests;
		entry->sent.refused += counts->refused;
		entry->sent.maybe_twice += counts->maybe_twice;
		entry->sent.record_bytes += counts->record_bytes;
		entry->sent.billed_bytes += counts->billed_bytes;
	}
	pthread_mutex_unlock(&run->mutex);
}

enum rv_status rv_run_note_counts(struct rv_run *run, uint64_t seq, struct rv_error *err)
{
	pthread_mutex_lock(&run->mutex);
	const struct rv_batch_entry *entry = find_batch(run, seq);
	if (!entry)
		rv_bug("batch %" PRIu64 " has counts without a promise", seq);
	json_t *o = json_pack("{s:s, s:I}", "t", "sending", "seq", (json_int_t)seq);
	add_counts(o, &entry->sent);
	pthread_mutex_unlock(&run->mutex);
	return append(run, o, false, NULL, err);
}

enum rv_status rv_run_sent(struct rv_run *run, uint64_t seq, struct rv_error *err)
{
	return set_state(run, seq, RV_BATCH_SENT, "sent", run->pipe, err);
}

enum rv_status rv_run_landed(struct rv_run *run, uint64_t seq, struct rv_error *err)
{
	return set_state(run, seq, RV_BATCH_LANDED, "landed", false, err);
}

enum rv_status rv_run_dropped(struct rv_run *run, uint64_t seq, struct rv_error *err)
{
	return set_state(run, seq, RV_BATCH_DROPPED, "dropped", true, err);
}

enum rv_status rv_run_close(struct rv_run *run, struct rv_error *err)
{
	run->closed = true;
	return append(run, json_pack("{s:s}", "t", "closed"), true, NULL, err);
}

struct removal {
	const struct rv_run *run;
	const char *last;
};

static enum rv_status remove_other(void *arg, const char *name, struct rv_error *err)
{
	const struct removal *removal = arg;
	if (strcmp(name, removal->last) == 0)
		return RV_OK;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(removal->run->folder, name);
	return rv_remove_tree(path, err);
}

enum rv_status rv_run_remove(struct rv_run *run, struct rv_error *err)
{
	/* The journal last: what is found without one is taken for damage. */
	struct removal removal = { run, "journal" };
	if (rv_each_entry(run->folder, remove_other, &removal, err) != RV_OK)
		return err->status;
	return rv_remove_tree(run->folder, err);
}

char *rv_run_body_path(const struct rv_run *run, uint64_t seq)
{
	return rv_asprintf("%s/%06" PRIu64 ".body", run->folder, seq);
}

char *rv_run_rejects_path(const struct rv_run *run, uint64_t seq)
{
	return rv_asprintf("%s/%06" PRIu64 ".rejects", run->folder, seq);
}

char *rv_run_sent_path(const struct rv_run *run, uint64_t seq)
{
	return rv_asprintf("%s/%06" PRIu64 ".sent", run->folder, seq);
}

enum rv_status rv_run_check_spooled(int fd, const char *path, uint64_t bytes, uint64_t hash,
				    struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *piece = rv_malloc(VERIFY_BYTES);
	XXH3_state_t *state = XXH3_createState();
	if (!state)
		return rv_fail(err, RV_LOCAL_IO, "no memory for a hash");
	XXH3_64bits_reset(state);
	enum rv_status status = RV_OK;
	uint64_t at = 0;
	for (size_t n = 1; status == RV_OK && n > 0; at += n) {
		n = 0;
		status = rv_pread_full(fd, piece, VERIFY_BYTES, at, &n, path, err);
		XXH3_64bits_update(state, piece, n);
	}
	uint64_t found = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	if (status != RV_OK)
		return status;
	if (at != bytes)
		return rv_fail(err, RV_DAMAGED,
			       "the spooled batch %s is not what was promised: %" PRIu64 " bytes of %" PRIu64,
			       path, at, bytes);
	if (found != hash)
		return rv_fail(err, RV_DAMAGED,
			       "the spooled batch %s is not what was promised: its %" PRIu64
			       " bytes have the hash %016" PRIx64 ", not %016" PRIx64,
			       path, bytes, found, hash);
	return RV_OK;
}

void rv_run_totals(struct rv_run *run, struct rv_run_totals *ret)
{
	*ret = (struct rv_run_totals){ .records = 0 };
	pthread_mutex_lock(&run->mutex);
	for (size_t i = 0; i < run->batches_count; i++) {
		const struct rv_batch_entry *b = &run->batches[i];
		if (b->state == RV_BATCH_DROPPED)
			continue;
		ret->records += b->records;
		ret->record_bytes += b->record_bytes;
		ret->bytes += b->bytes;
		ret->rejected += b->rejected;
		ret->set_hash += b->set_hash;
		ret->rejects_hash += b->rejects_hash;
		ret->batches += b->records > 0;
		if (b->input_to > ret->input_to)
			ret->input_to = b->input_to;
		ret->counts.requests += b->sent.requests;
		ret->counts.refused += b->sent.refused;
		ret->counts.maybe_twice += b->sent.maybe_twice;
		ret->counts.record_bytes += b->sent.record_bytes;
		ret->counts.billed_bytes += b->sent.billed_bytes;
		if (b->state == RV_BATCH_LANDED) {
			ret->landed++;
			ret->landed_records += b->records;
			ret->landed_bytes += b->bytes;
		} else if (b->state == RV_BATCH_SENT) {
			ret->sent++;
			ret->sent_records += b->records;
		} else {
			ret->waiting++;
			ret->waiting_records += b->records;
			ret->waiting_bytes += b->bytes;
		}
	}
	pthread_mutex_unlock(&run->mutex);
}

/* ---- reading a journal back ---- */

static char *dup_string(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? rv_strdup(s) : NULL;
}

static bool replay_run(struct rv_run *run, const json_t *o)
{
	const char *folder = json_string_value(json_object_get(o, "folder"));
	const char *compression = json_string_value(json_object_get(o, "compression"));
	RV_CLEANUP(rv_free_p) char *source = rv_json_bytes_value(json_object_get(o, "source"));
	RV_CLEANUP(rv_free_p) char *host = rv_json_bytes_value(json_object_get(o, "host"));
	if (!folder || strlen(folder) >= sizeof(run->lake_folder) || !compression || !source || !host)
		return false;
	memcpy(run->lake_folder, folder, strlen(folder) + 1);
	run->named = json_is_true(json_object_get(o, "named"));
	run->pipe = json_is_true(json_object_get(o, "pipe"));
	run->intake = json_is_true(json_object_get(o, "intake"));
	run->started_ms = json_integer_value(json_object_get(o, "started"));
	run->compression = strcmp(compression, ".zst") == 0  ? RV_OUTPUT_ZSTD
			   : strcmp(compression, ".gz") == 0 ? RV_OUTPUT_GZIP
							     : RV_OUTPUT_NONE;
	free(run->source);
	free(run->host);
	run->source = rv_take(source);
	run->host = rv_take(host);
	run->settings = json_incref(json_object_get(o, "settings"));
	const char *stamp = json_string_value(json_object_get(o, "stamp"));
	const char *delivery = json_string_value(json_object_get(o, "delivery"));
	if (stamp)
		run->stamp = strcmp(stamp, "full") == 0 ? RV_STAMP_FULL : RV_STAMP_ID;
	if (delivery)
		snprintf(run->delivery, sizeof(run->delivery), "%s", delivery);
	return true;
}

static bool replay_file(struct rv_run *run, const json_t *o)
{
	RV_CLEANUP(rv_free_p) char *path = rv_json_bytes_value(json_object_get(o, "path"));
	const char *key = json_string_value(json_object_get(o, "key"));
	const char *format = json_string_value(json_object_get(o, "format"));
	const char *compression = json_string_value(json_object_get(o, "compression"));
	if (!path || !key || !format || !compression)
		return false;
	/* Files are journaled when first used, which need not be in the order of their indexes. */
	uint64_t index = rv_json_get_u64(o, "index");
	if (index > run->files_count + 100000)
		return false;
	while (run->files_count <= index)
		rv_run_add_file(run, "", "", "", "");
	file_free(run->files[index]);
	run->files[index] = rv_malloc(sizeof(**run->files));
	*run->files[index] = (struct rv_run_file){
		.path = rv_take(path),
		.key = rv_strdup(key),
		.format = rv_strdup(format),
		.compression = rv_strdup(compression),
		.journaled = true,
	};
	return true;
}

static bool replay_batch(struct rv_run *run, const json_t *o)
{
	struct rv_batch_entry entry = {
		.seq = rv_json_get_u64(o, "seq"),
		.name = dup_string(o, "name"),
		.records = rv_json_get_u64(o, "records"),
		.record_bytes = rv_json_get_u64(o, "record_bytes"),
		.bytes = rv_json_get_u64(o, "bytes"),
		.rejected = rv_json_get_u64(o, "rejected"),
		.rejects_name = dup_string(o, "rejects"),
		.rejects_bytes = rv_json_get_u64(o, "rejects_bytes"),
		.input_to = rv_json_get_u64(o, "input_to"),
	};
	const json_t *list = json_object_get(o, "extents"), *item;
	size_t i;
	bool ok = entry.name && (!run->pipe || rv_json_get_hex64(o, "body_hash", &entry.body_hash)) &&
		  rv_json_get_hex64(o, "hash", &entry.set_hash) &&
		  (!entry.rejected ||
		   (entry.rejects_name && rv_json_get_hex64(o, "rejects_hash", &entry.rejects_hash) &&
		    (!run->pipe ||
		     rv_json_get_hex64(o, "rejects_body_hash", &entry.rejects_body_hash))));
	entry.extents = rv_calloc(json_array_size(list), sizeof(*entry.extents));
	json_array_foreach(list, i, item) {
		struct rv_extent *extent = &entry.extents[entry.extents_count++];
		*extent = (struct rv_extent){
			.file = rv_json_get_u64(item, "file"),
			.from = rv_json_get_u64(item, "from"),
			.to = rv_json_get_u64(item, "to"),
			.line = rv_json_get_u64(item, "line"),
			.in_array = rv_reader_state_get(item),
			.finish = json_is_true(json_object_get(item, "finish")),
			.checkpoint = json_incref(json_object_get(item, "checkpoint")),
		};
		rv_csv_reading_get(item, &extent->csv_header, &extent->csv_delimiter);
		ok = ok && extent->file < run->files_count && extent->from <= extent->to;
	}
	if (!ok) {
		rv_batch_entry_release(&entry);
		return false;
	}
	RV_GROW(run->batches, run->batches_count, run->batches_capacity);
	run->batches[run->batches_count++] = entry;
	return true;
}

static bool replay(struct rv_run *run, const json_t *o, size_t line_number)
{
	const char *type = json_string_value(json_object_get(o, "t"));
	if (!type || (line_number == 1) != (strcmp(type, "run") == 0))
		return false;
	if (strcmp(type, "run") == 0)
		return replay_run(run, o);
	if (strcmp(type, "file") == 0)
		return replay_file(run, o);
	if (strcmp(type, "batch") == 0)
		return replay_batch(run, o);
	if (strcmp(type, "sending") == 0) {
		struct rv_batch_entry *entry = find_batch(run, rv_json_get_u64(o, "seq"));
		if (entry) {
			entry->sending = true;
			entry->sent = counts_of(o);
		}
		return entry != NULL;
	}
	bool landed = strcmp(type, "landed") == 0, sent = strcmp(type, "sent") == 0;
	if (landed || sent || strcmp(type, "dropped") == 0) {
		struct rv_batch_entry *entry = find_batch(run, rv_json_get_u64(o, "seq"));
		if (!entry)
			return false;
		entry->state = landed ? RV_BATCH_LANDED : sent ? RV_BATCH_SENT : RV_BATCH_DROPPED;
		/* Its checkpoints have moved: see set_state. */
		release_extents(entry);
		entry->sent = counts_of(o);
		return true;
	}
	if (strcmp(type, "closed") == 0)
		return run->closed = true;
	return false;
}

/*
 * Was this last line being written when the power went? Then it has no end, or bytes of it never came
 * to the disk and read as zeros. A whole line with a wrong sum is one that was written and has changed
 * since: cutting it off would forget a promise. The same for a whole line whose end has changed.
 */
static bool is_torn(const char *line, size_t len, bool ended)
{
	if (ended)
		return len == 0 || line[0] == '\0' || memmem(line, len, "\0\0", 2);
	json_t *o = len ? rv_json_line_parse(line, len - 1) : NULL;
	json_decref(o);
	return !o;
}

static enum rv_status damaged(struct rv_run *run, size_t line_number, size_t at,
			      struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = journal_path(run);
	rv_fail(err, RV_DAMAGED, "the journal of run %s is damaged at line %zu, from byte %zu",
		run->name, line_number, at);
	rv_error_at(err, path, line_number, 0);
	rv_hint(err, "see 'river spool check'; spooled batches beside it are kept");
	return err->status;
}

static enum rv_status replay_journal(struct rv_run *run, bool may_cut, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *path = journal_path(run);
	if (rv_read_file(path, JOURNAL_MAX_BYTES, &text, err) != RV_OK)
		return err->status;
	size_t line_number = 0, at = 0;
	while (at < text.len) {
		const char *end = memchr(text.bytes + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.bytes) - at : text.len - at;
		line_number++;
		json_t *o = end ? rv_json_line_parse(text.bytes + at, len) : NULL;
		if (!o) {
			/* What was being written when the power went: nothing can follow it. */
			bool last = !end || (size_t)(end - text.bytes) + 1 == text.len;
			if (!last || !is_torn(text.bytes + at, len, end != NULL))
				return damaged(run, line_number, at, err);
			break;
		}
		json_int_t version = json_integer_value(json_object_get(o, "v"));
		if (line_number == 1 && version > RV_RUN_VERSION) {
			json_decref(o);
			rv_fail(err, RV_BAD_CONFIG, "run %s was written by a newer river (version %d)",
				run->name, (int)version);
			rv_hint(err, "use that river to finish it");
			return err->status;
		}
		bool ok = replay(run, o, line_number);
		json_decref(o);
		if (!ok)
			return damaged(run, line_number, at, err);
		at += len + 1;
	}
	if (may_cut && at < text.len && ftruncate(run->journal_fd, (off_t)at) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "cut the torn end of %s", path);
	if (at == 0) /* killed before its first line: nothing was promised */
		return rv_fail(err, RV_NOT_FOUND, "run %s was never begun", run->name);
	return RV_OK;
}

static enum rv_status open_journal(struct rv_run *run, bool lock, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = journal_path(run);
	run->journal_fd =
		rv_open(path, (lock ? O_RDWR | O_APPEND : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW, 0);
	if (run->journal_fd < 0) {
		if (errno == ENOENT)
			return rv_fail(err, RV_NOT_FOUND, "run %s has no journal", run->name);
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	}
	if (!lock)
		return RV_OK;
	if (lock_journal(run, err) != RV_OK)
		return err->status;
	/* Whoever held the lock may have finished and removed the run meanwhile. */
	struct stat mine, there;
	if (fstat(run->journal_fd, &mine) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	bool gone = stat(path, &there) < 0;
	/* Taken for gone, it would be removed with all that it promises. */
	if (gone && errno != ENOENT)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	if (gone || there.st_ino != mine.st_ino)
		return rv_fail(err, RV_NOT_FOUND, "run %s has been finished", run->name);
	return RV_OK;
}

static enum rv_status see_more(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	if (strcmp(name, "journal") != 0)
		*(bool *)arg = true;
	return RV_OK;
}

enum rv_status rv_run_open(const struct rv_state *state, const char *name, bool lock,
			   struct rv_run **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = run_new(state, name);
	RV_CLEANUP(rv_lock_release) struct rv_lock runs = RV_LOCK_INIT;
	if (lock && lock_runs(state, &runs, err) != RV_OK)
		return err->status;
	enum rv_status status = open_journal(run, lock, err);
	if (status == RV_OK)
		status = replay_journal(run, lock, err);
	if (status == RV_NOT_FOUND && lock) {
		/* Killed before its first line: nothing was promised, nothing is lost. But where there
		 * is anything beside an empty journal, somebody has taken the promises away. */
		struct rv_error ignored;
		bool more = false;
		if (rv_each_entry(run->folder, see_more, &more, &ignored) != RV_OK)
			return status;
		if (more) {
			rv_fail(err, RV_DAMAGED, "%s holds files, but no journal that says what they are",
				run->folder);
			return err->status;
		}
		if (rv_remove_tree(run->folder, &ignored) != RV_OK)
			return status;
	}
	if (status == RV_OK)
		*ret = rv_take(run);
	return status;
}

struct each_run {
	const char *folder;
	enum rv_status (*each)(void *arg, const char *run, struct rv_error *err);
	void *arg;
};

/* What is not a folder is not river's, and in nobody's way. */
static enum rv_status each_run_folder(void *arg, const char *name, struct rv_error *err)
{
	struct each_run *walk = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(walk->folder, name);
	struct stat st;
	if (!rv_run_name_valid(name))
		return RV_OK;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? RV_OK : rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	if (!S_ISDIR(st.st_mode))
		return RV_OK;
	return walk->each(walk->arg, name, err);
}

enum rv_status rv_run_each(const struct rv_state *state,
			   enum rv_status (*each)(void *arg, const char *run, struct rv_error *err),
			   void *arg, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(state, "runs");
	struct each_run walk = { path, each, arg };
	return rv_each_entry(path, each_run_folder, &walk, err);
}

struct sum {
	const char *folder;
	uint64_t bytes;
};

static enum rv_status add_file(void *arg, const char *name, struct rv_error *err)
{
	struct sum *sum = arg;
	struct stat st;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(sum->folder, name);
	if (strcmp(name, "journal") == 0)
		return RV_OK;
	if (lstat(path, &st) < 0) /* delivered meanwhile, or not to be looked at */
		return errno == ENOENT ? RV_OK : rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	sum->bytes += (uint64_t)st.st_size;
	return RV_OK;
}

static enum rv_status add_run(void *arg, const char *name, struct rv_error *err)
{
	struct sum *sum = arg;
	RV_CLEANUP(rv_free_p) char *folder = rv_path_join(sum->folder, name);
	struct sum inner = { .folder = folder };
	enum rv_status status = rv_each_entry(folder, add_file, &inner, err);
	sum->bytes += inner.bytes;
	return status;
}

enum rv_status rv_spool_bytes(const struct rv_state *state, uint64_t *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_state_path(state, "runs");
	struct sum sum = { .folder = path };
	enum rv_status status = rv_each_entry(path, add_run, &sum, err);
	*ret = sum.bytes;
	return status;
}
