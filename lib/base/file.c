/* Durable files: nothing half-written ever carries a final name. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/ulid.h"

/* Names are written after half a minute, where nobody has changed the kernel's ways. */
#define SETTLED_S 60

int rv_open(const char *path, int flags, mode_t mode)
{
	int fd;
	do {
		fd = open(path, flags, mode);
	} while (fd < 0 && errno == EINTR);
	return fd;
}

int rv_open_waiting(const char *path, int flags)
{
	int fd;
	do {
		fd = open(path, flags);
	} while (fd < 0 && errno == EINTR && !rv_should_stop());
	return fd;
}

DIR *rv_opendir(const char *path)
{
	DIR *dir;
	do {
		dir = opendir(path);
	} while (!dir && errno == EINTR);
	return dir;
}

enum rv_status rv_read_file(const char *path, size_t max_bytes, struct rv_strbuf *ret,
			    struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open_waiting(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return rv_fail(err, RV_NOT_FOUND, "no file %s", path);
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	}
	rv_strbuf_clear(ret);
	for (;;) {
		size_t want = 1 << 16, n;
		rv_strbuf_reserve(ret, want);
		if (rv_read_some(fd, ret->bytes + ret->len, want, &n, path, err) != RV_OK)
			return err->status;
		if (n == 0)
			return RV_OK;
		ret->len += n;
		ret->bytes[ret->len] = '\0';
		if (ret->len > max_bytes)
			return rv_fail(err, RV_BAD_DATA, "%s is larger than %zu bytes", path,
				       max_bytes);
	}
}

enum rv_status rv_write_all(int fd, const void *p, size_t len, const char *what,
			    struct rv_error *err)
{
	const char *at = p;
	while (len) {
		ssize_t n = write(fd, at, len);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return rv_fail_errno(err, RV_LOCAL_IO, "write %s", what);
		}
		at += n;
		len -= (size_t)n;
	}
	return RV_OK;
}

enum rv_status rv_pwrite_all(int fd, const void *p, size_t len, uint64_t offset, const char *what,
			     struct rv_error *err)
{
	const char *at = p;
	while (len) {
		ssize_t n = pwrite(fd, at, len, (off_t)offset);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return rv_fail_errno(err, RV_LOCAL_IO, "write %s", what);
		}
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return RV_OK;
}

enum rv_status rv_read_some(int fd, void *p, size_t size, size_t *ret_n, const char *what,
			    struct rv_error *err)
{
	for (;;) {
		ssize_t n = read(fd, p, size);
		if (n >= 0) {
			*ret_n = (size_t)n;
			return RV_OK;
		}
		if (errno != EINTR)
			return rv_fail_errno(err, RV_LOCAL_IO, "read %s", what);
		/* A pipe may stay silent for ever. */
		if (rv_should_stop())
			return rv_fail(err, RV_FAILED, "stopped while reading %s", what);
	}
}

enum rv_status rv_pread_full(int fd, void *p, size_t len, uint64_t offset, size_t *ret_n,
			     const char *what, struct rv_error *err)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = pread(fd, (char *)p + done, len - done, (off_t)(offset + done));
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return rv_fail_errno(err, RV_LOCAL_IO, "read %s", what);
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_n = done;
	return RV_OK;
}

enum rv_status rv_fsync(int fd, const char *what, struct rv_error *err)
{
	/* EINTR says nothing about the data, so that one may be asked again. */
	while (fsync(fd) < 0)
		if (errno != EINTR)
			return rv_fail_errno(err, RV_LOCAL_IO, "fsync %s", what);
	return RV_OK;
}

enum rv_status rv_fsync_folder(const char *path, struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open folder %s", path);
	return rv_fsync(fd, path, err);
}

enum rv_status rv_fsync_parent(const char *path, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(path);
	return rv_fsync_folder(parent, err);
}

char *rv_temporary_beside(const char *path)
{
	char id[RV_ULID_TEXT];
	rv_ulid_new(rv_clock_ms(), id);
	RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(path);
	return rv_asprintf("%s/" RV_TEMPORARY_PREFIX "%s", parent, id);
}

/* One attempt; errno EAGAIN when somebody holds it. */
static int try_lock(int fd, enum rv_lock_kind kind)
{
	struct flock range = {
		.l_type = kind == RV_LOCK_SHARED ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	int r = fcntl(fd, F_OFD_SETLK, &range);
	if (r < 0 && errno == EACCES)
		errno = EAGAIN;
	return r;
}

enum rv_status rv_temporary_open(const char *folder, mode_t mode, char **ret_path, int *ret_fd,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *inside = rv_path_join(folder, "x");
	for (;;) {
		RV_CLEANUP(rv_free_p) char *path = rv_temporary_beside(inside);
		RV_CLEANUP(rv_close_p)
		int fd = rv_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
				 mode ? mode : 0666);
		if (fd < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "create a file in %s", folder);
		/* Until it was locked it looked like a leftover, and may have been swept. Where nothing
		 * can be locked nothing is swept. */
		struct stat st;
		if ((try_lock(fd, RV_LOCK_EXCLUSIVE) < 0 && errno == EAGAIN) ||
		    (fstat(fd, &st) == 0 && st.st_nlink == 0))
			continue;
		*ret_path = rv_take(path);
		*ret_fd = fd;
		fd = -1;
		return RV_OK;
	}
}

void rv_sweep_temporaries(const char *folder)
{
	DIR *dir = rv_opendir(folder);
	if (!dir)
		return;
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL) {
		if (!rv_starts_with(entry->d_name, RV_TEMPORARY_PREFIX))
			continue;
		RV_CLEANUP(rv_close_p)
		int fd = openat(dirfd(dir), entry->d_name,
				O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0 && try_lock(fd, RV_LOCK_EXCLUSIVE) == 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}

/* Without /proc an unnamed file could never get a name. */
static bool can_name_descriptors(void)
{
	return access("/proc/self/fd", X_OK) == 0;
}

enum rv_status rv_new_file_open(struct rv_new_file *file, const char *folder, mode_t mode,
				struct rv_error *err)
{
	*file = (struct rv_new_file)RV_NEW_FILE_INIT;
	if (can_name_descriptors())
		file->fd = rv_open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode ? mode : 0666);
	if (file->fd < 0) {
		/* Whatever the reason was, a named file either works or tells the better error. */
		if (rv_temporary_open(folder, mode, &file->temporary, &file->fd, err) != RV_OK)
			return err->status;
	}
	if (mode && fchmod(file->fd, mode) < 0) {
		rv_fail_errno(err, RV_LOCAL_IO, "chmod a file in %s", folder);
		rv_new_file_discard(file);
		return err->status;
	}
	return RV_OK;
}

static int give_name(const struct rv_new_file *file, const char *path)
{
	if (file->temporary)
		return link(file->temporary, path);
	char self[64];
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static enum rv_status name_new(struct rv_new_file *file, const char *path, struct rv_error *err)
{
	/* link(2), unlike rename(2), refuses a name that is taken. */
	if (give_name(file, path) < 0) {
		if (errno != EEXIST)
			return rv_fail_errno(err, RV_LOCAL_IO, "link %s", path);
		/* Whoever made it may have died before its folder was durable. */
		if (rv_fsync_parent(path, err) != RV_OK)
			return err->status;
		return rv_fail(err, RV_CONFLICT, "%s exists already", path);
	}
	if (file->temporary)
		unlink(file->temporary);
	return rv_fsync_parent(path, err);
}

static enum rv_status name_over(struct rv_new_file *file, const char *path, struct rv_error *err)
{
	if (!file->temporary) {
		RV_CLEANUP(rv_free_p) char *temporary = rv_temporary_beside(path);
		/* No sweep may take it for a leftover between here and the rename. */
		(void)try_lock(file->fd, RV_LOCK_EXCLUSIVE);
		if (give_name(file, temporary) < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "link %s", temporary);
		file->temporary = rv_take(temporary);
	}
	if (rename(file->temporary, path) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "rename %s to %s", file->temporary, path);
	free(rv_take(file->temporary));
	return rv_fsync_parent(path, err);
}

enum rv_status rv_new_file_publish(struct rv_new_file *file, const char *path, bool replace,
				   struct rv_error *err)
{
	enum rv_status status = rv_fsync(file->fd, path, err);
	if (status == RV_OK)
		status = replace ? name_over(file, path, err) : name_new(file, path, err);
	if (status == RV_OK) {
		free(rv_take(file->temporary));
		close(file->fd); /* durable already: a failing close changes nothing */
		file->fd = -1;
	} else {
		rv_new_file_discard(file);
	}
	return status;
}

enum rv_status rv_unnamed_open(const char *folder, int *ret_fd, struct rv_error *err)
{
	struct rv_new_file file = RV_NEW_FILE_INIT;
	if (rv_new_file_open(&file, folder, 0600, err) != RV_OK)
		return err->status;
	/* Where a file cannot be made without a name, it loses it now, and the lock that protected it. */
	if (file.temporary) {
		struct flock range = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
		unlink(file.temporary);
		free(file.temporary);
		(void)fcntl(file.fd, F_OFD_SETLK, &range);
	}
	*ret_fd = file.fd;
	return RV_OK;
}

void rv_new_file_discard(struct rv_new_file *file)
{
	if (file->temporary)
		unlink(file->temporary);
	free(rv_take(file->temporary));
	rv_close_p(&file->fd);
}

static enum rv_status write_file(const char *path, const void *p, size_t len, mode_t mode,
				 bool replace, struct rv_error *err)
{
	RV_CLEANUP(rv_new_file_discard) struct rv_new_file file = RV_NEW_FILE_INIT;
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(path);
	if (rv_new_file_open(&file, folder, mode, err) != RV_OK ||
	    rv_write_all(file.fd, p, len, path, err) != RV_OK)
		return err->status;
	return rv_new_file_publish(&file, path, replace, err);
}

enum rv_status rv_replace_file(const char *path, const void *p, size_t len, mode_t mode,
			       struct rv_error *err)
{
	return write_file(path, p, len, mode, true, err);
}

enum rv_status rv_create_file(const char *path, const void *p, size_t len, mode_t mode,
			      struct rv_error *err)
{
	return write_file(path, p, len, mode, false, err);
}

enum rv_status rv_make_folders(const char *path, mode_t mode, struct rv_error *err)
{
	struct stat st;
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return RV_OK;
		errno = ENOTDIR;
		return rv_fail_errno(err, RV_LOCAL_IO, "make folder %s", path);
	}
	RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(path);
	if (strcmp(parent, path) != 0 && rv_make_folders(parent, mode, err) != RV_OK)
		return err->status;
	if (mkdir(path, mode ? mode : 0777) < 0) {
		/* Somebody else was faster, who may not have made it durable yet; or it is a link to
		 * nowhere. */
		int reason = errno;
		if (reason != EEXIST || stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
			errno = reason;
			return rv_fail_errno(err, RV_LOCAL_IO, "make folder %s", path);
		}
	} else if (mode && chmod(path, mode) < 0) {
		return rv_fail_errno(err, RV_LOCAL_IO, "chmod %s", path);
	}
	return rv_fsync_folder(parent, err);
}

/* Born so long ago that the kernel has written it, whatever became of its maker. */
static bool is_settled(const char *path)
{
	struct statx st;
	if (statx(AT_FDCWD, path, 0, STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME))
		return false;
	int64_t age_s = rv_clock_ms() / 1000 - st.stx_btime.tv_sec;
	return age_s > SETTLED_S;
}

enum rv_status rv_settle_folder(const char *path, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *folder = rv_strdup(path);
	while (!is_settled(folder)) {
		RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(folder);
		if (strcmp(parent, folder) == 0)
			return RV_OK;
		RV_CLEANUP(rv_close_p) int fd = rv_open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		/* One that may not be read is not one that river made folders in. */
		if (fd < 0)
			return errno == EACCES ? RV_OK
					       : rv_fail_errno(err, RV_LOCAL_IO, "open folder %s", parent);
		if (rv_fsync(fd, parent, err) != RV_OK)
			return err->status;
		free(folder);
		folder = rv_take(parent);
	}
	return RV_OK;
}

enum rv_status rv_remove_file(const char *path, struct rv_error *err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return rv_fail_errno(err, RV_LOCAL_IO, "remove %s", path);
	return RV_OK;
}

static enum rv_status remove_below(int parent_fd, const char *name, const char *path,
				   struct rv_error *err)
{
	int fd;
	do {
		fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		if (errno == ENOENT)
			return RV_OK;
		return rv_fail_errno(err, RV_LOCAL_IO, "open folder %s", path);
	}
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return rv_fail_errno(err, RV_LOCAL_IO, "read folder %s", path);
	}
	enum rv_status status = RV_OK;
	struct dirent *entry;
	while (status == RV_OK && (errno = 0, entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		RV_CLEANUP(rv_free_p) char *child = rv_path_join(path, entry->d_name);
		if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM)
			status = rv_fail_errno(err, RV_LOCAL_IO, "remove %s", child);
		else
			status = remove_below(fd, entry->d_name, child, err);
	}
	if (status == RV_OK && errno != 0)
		status = rv_fail_errno(err, RV_LOCAL_IO, "read folder %s", path);
	closedir(dir);
	if (status == RV_OK && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		status = rv_fail_errno(err, RV_LOCAL_IO, "remove folder %s", path);
	return status;
}

enum rv_status rv_remove_tree(const char *path, struct rv_error *err)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? RV_OK : rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	if (!S_ISDIR(st.st_mode))
		return rv_remove_file(path, err);
	return remove_below(AT_FDCWD, path, path, err);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

enum rv_status rv_each_entry(const char *path,
			     enum rv_status (*each)(void *arg, const char *name,
						    struct rv_error *err),
			     void *arg, struct rv_error *err)
{
	struct dirent **entries = NULL;
	int count;
	do {
		count = scandir(path, &entries, visible, alphasort);
	} while (count < 0 && errno == EINTR);
	if (count < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return RV_OK;
		return rv_fail_errno(err, RV_LOCAL_IO, "read folder %s", path);
	}
	enum rv_status status = RV_OK;
	for (int i = 0; i < count; i++) {
		if (status == RV_OK)
			status = each(arg, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return status;
}

char *rv_path_join(const char *a, const char *b)
{
	if (b[0] == '/' || !*a)
		return rv_strdup(b);
	size_t len = strlen(a);
	return rv_asprintf(a[len - 1] == '/' ? "%s%s" : "%s/%s", a, b);
}

char *rv_path_parent(const char *path)
{
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	if (len == 0)
		return rv_strdup(".");
	while (len > 1 && path[len - 1] == '/')
		len--;
	return rv_strndup(path, len);
}

const char *rv_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

enum rv_status rv_working_folder(char **ret, struct rv_error *err)
{
	char *cwd = getcwd(NULL, 0);
	if (cwd) {
		*ret = cwd;
		return RV_OK;
	}
	if (errno == ENOMEM)
		rv_out_of_memory(0);
	rv_fail_errno(err, errno == ENOENT ? RV_NOT_FOUND : RV_LOCAL_IO, "the working folder");
	rv_hint(err, "go to one that is there, or name one by -C");
	return err->status;
}

char *rv_path_absolute(const char *path)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf full = RV_STRBUF_INIT;
	if (path[0] != '/') {
		char *cwd = getcwd(NULL, 0);
		if (!cwd && errno == ENOMEM)
			rv_out_of_memory(0); /* another path is another file */
		rv_strbuf_puts(&full, cwd ? cwd : "");
		free(cwd);
		rv_strbuf_putc(&full, '/');
	}
	rv_strbuf_puts(&full, path);
	struct rv_strbuf out = RV_STRBUF_INIT;
	for (char *save = NULL, *part = strtok_r(full.bytes, "/", &save); part;
	     part = strtok_r(NULL, "/", &save)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			char *slash = out.len ? strrchr(out.bytes, '/') : NULL;
			rv_strbuf_truncate(&out, slash ? (size_t)(slash - out.bytes) : 0);
			continue;
		}
		rv_strbuf_putc(&out, '/');
		rv_strbuf_puts(&out, part);
	}
	if (!out.len)
		rv_strbuf_putc(&out, '/');
	return rv_strbuf_take(&out);
}

/* A reader may share a lock that it cannot write to; *ret_none: there is none, nor may it be made. */
static int open_lock(const char *path, enum rv_lock_kind kind, mode_t mode, bool *ret_none)
{
	int fd = rv_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode ? mode : 0600);
	*ret_none = false;
	if (fd >= 0 || kind != RV_LOCK_SHARED ||
	    (errno != EACCES && errno != EROFS && errno != EPERM))
		return fd;
	fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	*ret_none = fd < 0 && errno == ENOENT;
	return fd;
}

enum rv_status rv_lock_take(struct rv_lock *lock, const char *path, enum rv_lock_kind kind,
			    int64_t timeout_ms, mode_t mode, struct rv_error *err)
{
	int64_t deadline = timeout_ms < 0 ? INT64_MAX : rv_clock_monotonic_ms() + timeout_ms;
	int64_t pause_ms = 1;
	/* Whoever was stopped before may need the lock to end well, but does not wait for ever. */
	bool none, stopped_before = rv_should_stop() && timeout_ms >= 0;
	for (;;) {
		RV_CLEANUP(rv_close_p)
		int fd = open_lock(path, kind, mode, &none);
		if (none) {
			lock->fd = -1;
			return RV_OK;
		}
		if (fd < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "open lock %s", path);
		while (try_lock(fd, kind) < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				return rv_fail_errno(err, RV_LOCAL_IO, "lock %s", path);
			if (rv_clock_monotonic_ms() >= deadline)
				return rv_fail(err, RV_LOCKED, "%s is held by another process",
					       path);
			if (rv_should_stop() && !stopped_before)
				return rv_fail(err, RV_FAILED, "stopped while waiting for %s, which another "
							       "process holds", path);
			/* Polling, not F_OFD_SETLKW: the wait must end at a deadline. */
			struct timespec ts = { pause_ms / 1000, pause_ms % 1000 * 1000000 };
			nanosleep(&ts, NULL);
			if (pause_ms < 50)
				pause_ms *= 2;
		}
		struct stat mine, there;
		if (fstat(fd, &mine) < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "look at lock %s", path);
		bool gone = stat(path, &there) < 0;
		if (gone && errno != ENOENT)
			return rv_fail_errno(err, RV_LOCAL_IO, "look at lock %s", path);
		if (!gone && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev) {
			lock->fd = fd;
			fd = -1;
			return RV_OK;
		}
		/* The file was removed while we waited: the name is another file now. */
	}
}

void rv_lock_release(struct rv_lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	lock->fd = -1;
}
