/* Appended to, and now and then written anew with its end alone. */
#include "collect/remembered.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/ulid.h"

#define MAGIC "rvseen1\n"
#define HEAD_BYTES 16
#define CHUNK_IDS 4096
/* Of ids that cannot be written the last ones are as many as this, whatever is asked for. */
#define UNSAVED_MAX (1u << 20)

static uint64_t offset_of(uint64_t id)
{
	return HEAD_BYTES + id * sizeof(struct rv_seen_id);
}

/* ---- reading ---- */

static enum rv_status read_head(struct rv_remembered *r, bool *ret_good, struct rv_error *err)
{
	char head[HEAD_BYTES];
	size_t n;
	if (rv_pread_full(r->fd, head, sizeof(head), 0, &n, r->path, err) != RV_OK)
		return err->status;
	*ret_good = n == sizeof(head) && memcmp(head, MAGIC, 8) == 0;
	if (*ret_good)
		memcpy(&r->seed, head + 8, sizeof(r->seed));
	return RV_OK;
}

static enum rv_status read_ids(struct rv_remembered *r, void (*each)(void *arg, struct rv_seen_id id),
			       void *arg, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) struct rv_seen_id *ids = rv_calloc(CHUNK_IDS, sizeof(*ids));
	size_t n;
	do {
		if (rv_pread_full(r->fd, ids, CHUNK_IDS * sizeof(*ids), offset_of(r->count), &n, r->path,
				  err) != RV_OK)
			return err->status;
		n /= sizeof(*ids);
		/* After a power cut there may be holes. */
		for (size_t i = 0; i < n; i++)
			if (ids[i].low)
				each(arg, ids[i]);
		r->count += n;
	} while (n == CHUNK_IDS);
	/* Half an id would shift all that come behind it. */
	if (ftruncate(r->fd, (off_t)offset_of(r->count)) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "cut %s", r->path);
	return RV_OK;
}

enum rv_status rv_remembered_open(struct rv_remembered *r, const char *folder,
				  void (*each)(void *arg, struct rv_seen_id id), void *arg,
				  bool *ret_damaged, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *lock = rv_path_join(folder, "seen.lock");
	bool good = true;
	*r = (struct rv_remembered)RV_REMEMBERED_INIT;
	*ret_damaged = false;
	rv_random_bytes(&r->seed, sizeof(r->seed));
	if (rv_lock_take(&r->lock, lock, RV_LOCK_EXCLUSIVE, 0, 0600, err) != RV_OK)
		return err->status;
	r->folder = rv_strdup(folder);
	r->path = rv_path_join(folder, "seen");
	r->fd = rv_open(r->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0);
	if (r->fd < 0 && errno == ENOENT)
		return RV_OK;
	enum rv_status status = r->fd < 0 ? rv_fail_errno(err, RV_LOCAL_IO, "open %s", r->path) : RV_OK;
	if (status == RV_OK)
		status = read_head(r, &good, err);
	if (status == RV_OK && good)
		status = read_ids(r, each, arg, err);
	if (status == RV_OK && !good) {
		rv_close_p(&r->fd);
		*ret_damaged = true;
	}
	if (status != RV_OK)
		rv_remembered_release(r);
	return status;
}

/* ---- writing ---- */

/* The last ids of the file that is there, as far as there is one. */
static enum rv_status copy_end(const struct rv_remembered *r, int fd, uint64_t first, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) struct rv_seen_id *ids = rv_calloc(CHUNK_IDS, sizeof(*ids));
	size_t n;
	for (uint64_t at = first; at < r->count; at += n) {
		size_t wanted = r->count - at < CHUNK_IDS ? (size_t)(r->count - at) : CHUNK_IDS;
		if (rv_pread_full(r->fd, ids, wanted * sizeof(*ids), offset_of(at), &n, r->path, err) != RV_OK)
			return err->status;
		n /= sizeof(*ids);
		if (n < wanted)
			return rv_fail(err, RV_LOCAL_IO, "%s became shorter", r->path);
		if (rv_write_all(fd, ids, n * sizeof(*ids), r->path, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status write_anew(struct rv_remembered *r, uint64_t least, struct rv_error *err)
{
	RV_CLEANUP(rv_new_file_discard) struct rv_new_file file = RV_NEW_FILE_INIT;
	uint64_t first = r->count > least ? r->count - least : 0;
	char head[HEAD_BYTES];
	memcpy(head, MAGIC, 8);
	memcpy(head + 8, &r->seed, sizeof(r->seed));
	if (rv_new_file_open(&file, r->folder, 0600, err) != RV_OK ||
	    rv_write_all(file.fd, head, sizeof(head), r->path, err) != RV_OK ||
	    copy_end(r, file.fd, first, err) != RV_OK)
		return err->status;
	/* Opened by its name it might not be, and then it would be written over without what is in it. */
	RV_CLEANUP(rv_close_p) int fd = fcntl(file.fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "keep %s open", r->path);
	if (rv_new_file_publish(&file, r->path, true, err) != RV_OK)
		return err->status;
	rv_close_p(&r->fd);
	r->fd = fd;
	fd = -1;
	r->count -= first;
	r->spoiled = false;
	return RV_OK;
}

static enum rv_status append(struct rv_remembered *r, const struct rv_seen_id *ids, size_t count,
			     struct rv_error *err)
{
	enum rv_status status = rv_write_all(r->fd, ids, count * sizeof(*ids), r->path, err);
	if (status == RV_OK && fdatasync(r->fd) < 0)
		status = rv_fail_errno(err, RV_LOCAL_IO, "sync %s", r->path);
	if (status == RV_OK) {
		r->count += count;
		return RV_OK;
	}
	/* Half an id may stand there now, and what could not be synced is not tried again: another file. */
	r->spoiled = true;
	return err->status;
}

enum rv_status rv_remembered_add(struct rv_remembered *r, const struct rv_seen_id *ids, size_t count,
				 uint64_t least, struct rv_error *err)
{
	if (!r->path)
		return RV_OK;
	for (size_t i = 0; i < count; i++) {
		RV_GROW(r->unsaved, r->unsaved_count, r->unsaved_capacity);
		r->unsaved[r->unsaved_count++] = ids[i];
	}
	if (r->unsaved_count > 2 * UNSAVED_MAX) {
		memmove(r->unsaved, r->unsaved + r->unsaved_count - UNSAVED_MAX,
			UNSAVED_MAX * sizeof(*r->unsaved));
		r->unsaved_count = UNSAVED_MAX;
	}
	if (!r->unsaved_count)
		return RV_OK;
	if ((r->fd < 0 || r->spoiled || r->count >= 2 * least) && write_anew(r, least, err) != RV_OK)
		return err->status;
	if (append(r, r->unsaved, r->unsaved_count, err) != RV_OK)
		return err->status;
	r->unsaved_count = 0;
	return RV_OK;
}

void rv_remembered_release(struct rv_remembered *r)
{
	rv_close_p(&r->fd);
	rv_lock_release(&r->lock);
	free(r->folder);
	free(r->path);
	free(r->unsaved);
	*r = (struct rv_remembered)RV_REMEMBERED_INIT;
}
