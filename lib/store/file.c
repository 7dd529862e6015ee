/*
 * A folder as a store. An object is written to a temporary file in its final folder, made durable,
 * then linked under its name, so a name is there whole or not at all; link(2) is also what makes
 * "only if absent" atomic. Replacing under an etag takes a lock, for POSIX has no compare-and-swap.
 */
#include "store/store.h"

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

#include "base/file.h"
#include "base/memory.h"

struct store_file {
	struct rv_store base;
	char *root;
	_Atomic uint64_t swept;   /* hash of the folder last looked through for leftovers */
	_Atomic uint64_t settled; /* and of the one last known to be durable */
};

struct rv_store_stage {
	struct rv_new_file file;
};

#define COPY_BYTES (1u << 20)

static char *path_of(const struct store_file *store, const char *name)
{
	return rv_path_join(store->root, name);
}

static enum rv_status check_name(const char *name, struct rv_error *err)
{
	if (rv_store_name_valid(name))
		return RV_OK;
	return rv_fail(err, RV_USAGE, "'%s' is not an object name", name);
}

static int64_t modified_ms(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static void etag_of_bytes(const void *p, size_t len, char etag[RV_ETAG_TEXT])
{
	XXH128_hash_t h = XXH3_128bits(p, len);
	snprintf(etag, RV_ETAG_TEXT, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
}

/* Big objects are written once and never replaced, so their identity is the inode's. */
static void etag_of_stat(const struct stat *st, char etag[RV_ETAG_TEXT])
{
	snprintf(etag, RV_ETAG_TEXT, "%" PRIx64 "-%" PRIx64 "-%" PRIx64, (uint64_t)st->st_ino,
		 (uint64_t)st->st_size, (uint64_t)modified_ms(st));
}

/* What is below a root that is no folder was not found, but that is not the news. */
static enum rv_status check_root(const struct store_file *store, struct rv_error *err)
{
	struct stat st;
	if (stat(store->root, &st) < 0 || S_ISDIR(st.st_mode))
		return RV_OK;
	rv_fail(err, RV_LOCAL_IO, "%s is not a folder", store->root);
	rv_hint(err, "set 'lake' of the profile to a folder");
	return RV_LOCAL_IO;
}

static enum rv_status open_object(struct store_file *store, const char *name, int *ret_fd,
				  struct stat *ret_stat, struct rv_error *err)
{
	if (check_name(name, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *path = path_of(store, name);
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	if (fd < 0) {
		int reason = errno;
		if (reason == ENOTDIR && check_root(store, err) != RV_OK)
			return err->status;
		errno = reason;
		if (reason == ENOENT || reason == ENOTDIR)
			return rv_fail(err, RV_NOT_FOUND, "no object %s in %s", name, store->root);
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	}
	if (fstat(fd, ret_stat) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	if (!S_ISREG(ret_stat->st_mode))
		return rv_fail(err, RV_NOT_FOUND, "%s is not a file", path);
	*ret_fd = fd;
	fd = -1;
	return RV_OK;
}

static enum rv_status file_get(struct rv_store *base, const char *name, size_t max_bytes,
			       struct rv_strbuf *ret, char ret_etag[RV_ETAG_TEXT],
			       struct rv_error *err)
{
	struct store_file *store = (struct store_file *)base;
	RV_CLEANUP(rv_close_p) int fd = -1;
	struct stat st;
	if (open_object(store, name, &fd, &st, err) != RV_OK)
		return err->status;
	rv_strbuf_clear(ret);
	for (;;) {
		size_t n;
		rv_strbuf_reserve(ret, 1 << 16);
		if (rv_read_some(fd, ret->bytes + ret->len, 1 << 16, &n, name, err) != RV_OK)
			return err->status;
		if (n == 0)
			break;
		ret->len += n;
		ret->bytes[ret->len] = '\0';
		if (ret->len > max_bytes)
			return rv_fail(err, RV_BAD_DATA, "object %s is larger than %zu bytes", name,
				       max_bytes);
	}
	etag_of_bytes(ret->bytes, ret->len, ret_etag);
	return RV_OK;
}

static enum rv_status file_read(struct rv_store *base, const char *name,
				enum rv_status (*sink)(void *arg, const void *p, size_t len,
						       struct rv_error *err),
				void *arg, struct rv_error *err)
{
	struct store_file *store = (struct store_file *)base;
	RV_CLEANUP(rv_close_p) int fd = -1;
	struct stat st;
	if (open_object(store, name, &fd, &st, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *piece = rv_malloc(COPY_BYTES);
	for (;;) {
		size_t n;
		if (rv_read_some(fd, piece, COPY_BYTES, &n, name, err) != RV_OK)
			return err->status;
		if (n == 0)
			return RV_OK;
		if (sink(arg, piece, n, err) != RV_OK)
			return err->status;
	}
}

static enum rv_status file_head(struct rv_store *base, const char *name,
				struct rv_store_object *ret, struct rv_error *err)
{
	struct store_file *store = (struct store_file *)base;
	RV_CLEANUP(rv_close_p) int fd = -1;
	struct stat st;
	if (open_object(store, name, &fd, &st, err) != RV_OK)
		return err->status;
	*ret = (struct rv_store_object){
		.name = name,
		.bytes = (uint64_t)st.st_size,
		.modified_ms = modified_ms(&st),
	};
	etag_of_stat(&st, ret->etag);
	return RV_OK;
}

/* Its bytes were durable before it had a name; the name may not be. */
static enum rv_status file_settle(struct rv_store *base, const char *name, struct rv_error *err)
{
	struct store_file *store = (struct store_file *)base;
	if (check_name(name, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *path = path_of(store, name);
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(path);
	return rv_fsync_folder(folder, err) != RV_OK ? err->status : rv_settle_folder(folder, err);
}

static void file_stage_discard(struct rv_store *base RV_UNUSED, struct rv_store_stage *stage)
{
	if (!stage)
		return;
	rv_new_file_discard(&stage->file);
	free(stage);
}

/* Looking through a folder costs, and what turns up meanwhile is no leftover: once in a row. */
static void sweep(struct store_file *store, const char *path)
{
	uint64_t hash = XXH3_64bits(path, strlen(path));
	if (atomic_exchange(&store->swept, hash) != hash)
		rv_sweep_temporaries(path);
}

/* A folder that was there already need not be durable, if its maker was killed: asked once in a row. */
static enum rv_status have_folder(struct store_file *store, const char *path, struct rv_error *err)
{
	uint64_t hash = XXH3_64bits(path, strlen(path));
	if (rv_make_folders(path, 0, err) != RV_OK)
		return err->status;
	if (atomic_load(&store->settled) == hash)
		return RV_OK;
	if (rv_settle_folder(path, err) != RV_OK)
		return err->status;
	atomic_store(&store->settled, hash);
	return RV_OK;
}

static enum rv_status stage_in(struct store_file *store, const char *path,
			       struct rv_store_stage **ret, int *ret_fd, struct rv_error *err)
{
	if (have_folder(store, path, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_new_file_discard) struct rv_new_file file = RV_NEW_FILE_INIT;
	if (rv_new_file_open(&file, path, 0, err) != RV_OK)
		return err->status;
	if (file.temporary) /* without O_TMPFILE a kill leaves them behind */
		sweep(store, path);
	struct rv_store_stage *stage = rv_malloc(sizeof(*stage));
	stage->file = file;
	file = (struct rv_new_file)RV_NEW_FILE_INIT;
	*ret = stage;
	*ret_fd = stage->file.fd;
	return RV_OK;
}

static enum rv_status file_stage(struct rv_store *base, const char *folder,
				 struct rv_store_stage **ret, int *ret_fd, struct rv_error *err)
{
	struct store_file *store = (struct store_file *)base;
	if (check_name(folder, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *path = path_of(store, folder);
	return stage_in(store, path, ret, ret_fd, err);
}

/* Body bytes into the staged file, whichever form they come in. */
static enum rv_status fill_stage(int fd, const char *path, const struct rv_store_body *body,
				 struct rv_error *err)
{
	if (body->fd < 0)
		return rv_write_all(fd, body->bytes, body->len, path, err);
	RV_CLEANUP(rv_free_p) char *piece = rv_malloc(COPY_BYTES);
	for (uint64_t at = 0; at < body->len;) {
		size_t n, want = body->len - at < COPY_BYTES ? (size_t)(body->len - at) : COPY_BYTES;
		if (rv_pread_full(body->fd, piece, want, at, &n, path, err) != RV_OK)
			return err->status;
		if (n != want)
			return rv_fail(err, RV_DAMAGED,
				       "a finished batch ends at byte %" PRIu64 " of %" PRIu64, at + n,
				       body->len);
		if (rv_write_all(fd, piece, n, path, err) != RV_OK)
			return err->status;
		at += n;
	}
	return RV_OK;
}

/* Compares what is under the name now with the etag a caller read before. */
static enum rv_status check_etag(struct store_file *store, const char *name, const char *etag,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf now = RV_STRBUF_INIT;
	struct rv_store_object object;
	char found[RV_ETAG_TEXT];
	/* Etags that head gave have dashes. */
	if (strchr(etag, '-')) {
		if (file_head(&store->base, name, &object, err) != RV_OK)
			return err->status;
		memcpy(found, object.etag, sizeof(found));
	} else if (file_get(&store->base, name, 64u << 20, &now, found, err) != RV_OK) {
		return err->status;
	}
	if (strcmp(found, etag) != 0)
		return rv_fail(err, RV_CONFLICT, "object %s was changed by somebody else", name);
	return RV_OK;
}

static enum rv_status lock_name(struct store_file *store, const char *name, struct rv_lock *lock,
				struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *folder = path_of(store, "_river/locks");
	if (rv_make_folders(folder, 0, err) != RV_OK)
		return err->status;
	/* One lock file per bucket of names keeps the folder small; collisions only wait. */
	RV_CLEANUP(rv_free_p)
	char *path = rv_asprintf("%s/%02x", folder, (unsigned)(XXH3_64bits(name, strlen(name)) & 0x3f));
	return rv_lock_take(lock, path, RV_LOCK_EXCLUSIVE, 30000, 0666, err);
}

static enum rv_status file_put(struct rv_store *base, const char *name,
			       const struct rv_store_body *body, const struct rv_store_put *conditions,
			       char ret_etag[RV_ETAG_TEXT], struct rv_error *err)
{
	struct store_file *store = (struct store_file *)base;
	struct rv_store_stage *stage = body->staged;
	RV_CLEANUP(rv_free_p) char *path = path_of(store, name);
	enum rv_status status = check_name(name, err);
	if (status == RV_OK && !stage) {
		RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(path);
		int fd;
		status = stage_in(store, folder, &stage, &fd, err);
		if (status == RV_OK)
			status = fill_stage(fd, path, body, err);
	}
	if (status == RV_OK && !conditions->if_absent) {
		/* Replacing goes through a temporary name. */
		RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(path);
		sweep(store, folder);
	}
	struct rv_lock lock = RV_LOCK_INIT;
	if (status == RV_OK && conditions->if_etag) {
		status = lock_name(store, name, &lock, err);
		if (status == RV_OK)
			status = check_etag(store, name, conditions->if_etag, err);
	}
	if (status == RV_OK)
		status = rv_new_file_publish(&stage->file, path, !conditions->if_absent, err);
	rv_lock_release(&lock);
	if (status == RV_OK && body->fd < 0)
		etag_of_bytes(body->bytes, body->len, ret_etag);
	else
		ret_etag[0] = '\0';
	file_stage_discard(base, stage);
	return status;
}

static enum rv_status file_remove(struct rv_store *base, const char *name, const char *if_etag,
				  struct rv_error *err)
{
	struct store_file *store = (struct store_file *)base;
	if (check_name(name, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *path = path_of(store, name);
	struct rv_lock lock = RV_LOCK_INIT;
	enum rv_status status = RV_OK;
	if (if_etag) {
		status = lock_name(store, name, &lock, err);
		if (status == RV_OK)
			status = check_etag(store, name, if_etag, err);
	}
	if (status == RV_OK && unlink(path) < 0) {
		/* What is not there needs no sync, and its folder may not be there either. */
		if (errno != ENOENT && errno != ENOTDIR)
			status = rv_fail_errno(err, RV_LOCAL_IO, "remove %s", path);
	} else if (status == RV_OK) {
		status = rv_fsync_parent(path, err);
	}
	rv_lock_release(&lock);
	return status;
}

/* ---- listing: names in bytewise order of the whole name, as S3 gives them ---- */

struct entry {
	char *name; /* with a trailing slash for folders, which is how S3 order compares them */
};

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

struct listing {
	struct store_file *store;
	const struct rv_store_list *params;
	enum rv_status (*each)(void *arg, const struct rv_store_object *, struct rv_error *err);
	void *arg;
};

static bool is_folder(int folder_fd, const struct dirent *entry, bool *ret_file)
{
	unsigned char type = entry->d_type;
	if (type == DT_UNKNOWN || type == DT_LNK) {
		struct stat st;
		if (fstatat(folder_fd, entry->d_name, &st, 0) < 0)
			return *ret_file = false;
		type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_FIFO;
	}
	*ret_file = type == DT_REG;
	return type == DT_DIR;
}

/* Could anything below `folder_name` (ending in '/') match the prefix and come after `after`? */
static bool folder_matters(const struct rv_store_list *params, const char *folder_name)
{
	size_t a = strlen(folder_name), b = strlen(params->prefix);
	if (strncmp(folder_name, params->prefix, a < b ? a : b) != 0)
		return false;
	return !params->after || strncmp(folder_name, params->after, a) >= 0;
}

static enum rv_status emit(struct listing *listing, int folder_fd, const char *name,
			   const char *base_name, struct rv_error *err)
{
	const struct rv_store_list *params = listing->params;
	if (!rv_starts_with(name, params->prefix) ||
	    (params->after && strcmp(name, params->after) <= 0))
		return RV_OK;
	struct rv_store_object object = { .name = name };
	if (base_name && !params->names_only) {
		struct stat st;
		if (fstatat(folder_fd, base_name, &st, 0) < 0) {
			if (errno == ENOENT)
				return RV_OK; /* removed since the folder was read */
			return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", name);
		}
		object.bytes = (uint64_t)st.st_size;
		object.modified_ms = modified_ms(&st);
	}
	return listing->each(listing->arg, &object, err);
}

static enum rv_status list_folder(struct listing *listing, const char *folder, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	char *path = *folder ? path_of(listing->store, folder) : rv_strdup(listing->store->root);
	DIR *dir = rv_opendir(path);
	if (!dir) {
		if (errno == ENOTDIR)
			return check_root(listing->store, err);
		if (errno == ENOENT)
			return RV_OK;
		return rv_fail_errno(err, RV_LOCAL_IO, "read folder %s", path);
	}
	struct entry *entries = NULL;
	size_t count = 0, capacity = 0;
	enum rv_status status = RV_OK;
	struct dirent *entry;
	while ((errno = 0, entry = readdir(dir)) != NULL) {
		bool file;
		if (entry->d_name[0] == '.')
			continue; /* ".", "..", temporary files */
		bool sub = is_folder(dirfd(dir), entry, &file);
		if (!sub && !file)
			continue;
		RV_GROW(entries, count, capacity);
		entries[count++].name = rv_asprintf("%s%s%s", folder, entry->d_name, sub ? "/" : "");
	}
	if (errno)
		status = rv_fail_errno(err, RV_LOCAL_IO, "read folder %s", path);
	if (count)
		qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < count && status == RV_OK; i++) {
		const char *name = entries[i].name;
		size_t len = strlen(name);
		if (name[len - 1] != '/')
			status = emit(listing, dirfd(dir), name, name + strlen(folder), err);
		else if (!folder_matters(listing->params, name))
			continue;
		else if (listing->params->folders && len > strlen(listing->params->prefix))
			status = emit(listing, -1, name, NULL, err);
		else
			status = list_folder(listing, name, err);
	}
	for (size_t i = 0; i < count; i++)
		free(entries[i].name);
	free(entries);
	closedir(dir);
	return status;
}

static enum rv_status file_list(struct rv_store *base, const struct rv_store_list *params,
				enum rv_status (*each)(void *arg, const struct rv_store_object *,
						       struct rv_error *err),
				void *arg, struct rv_error *err)
{
	struct listing listing = { (struct store_file *)base, params, each, arg };
	/* Start at the deepest folder the prefix names, not at the root. */
	const char *slash = strrchr(params->prefix, '/');
	RV_CLEANUP(rv_free_p)
	char *folder = rv_strndup(params->prefix, slash ? (size_t)(slash - params->prefix) + 1 : 0);
	if (*folder) {
		RV_CLEANUP(rv_free_p) char *bare = rv_strndup(folder, strlen(folder) - 1);
		if (check_name(bare, err) != RV_OK)
			return err->status;
	}
	return list_folder(&listing, folder, err);
}

static void file_free(struct rv_store *base)
{
	struct store_file *store = (struct store_file *)base;
	free(store->root);
	free(store->base.url);
	free(store);
}

static const struct rv_store_ops file_ops = {
	.name = "file",
	.conditional_puts = true,
	.get = file_get,
	.read = file_read,
	.head = file_head,
	.put = file_put,
	.settle = file_settle,
	.list = file_list,
	.remove = file_remove,
	.stage = file_stage,
	.stage_discard = file_stage_discard,
	.free = file_free,
};

/* realpath(3) of as much of the path as exists, and the rest behind it. */
static char *real_path(const char *path)
{
	char *real = realpath(path, NULL);
	if (real)
		return real;
	/* Under another name nothing is known of what was pushed, and all of it would be pushed again. */
	if (errno == ENOMEM)
		rv_out_of_memory(0);
	RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(path);
	if (strcmp(parent, path) == 0)
		return rv_strdup(path);
	RV_CLEANUP(rv_free_p) char *above = real_path(parent);
	return rv_path_join(above, rv_path_base(path));
}

struct rv_store *rv_store_file_new(const char *root)
{
	struct store_file *store = rv_calloc(1, sizeof(*store));
	store->base.ops = &file_ops;
	store->root = rv_strdup(root);
	/* One lake has one name, whichever link leads to it: what was pushed is remembered by it. */
	store->base.url = real_path(root);
	return &store->base;
}
