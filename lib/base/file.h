/*
 * Files and folders the way durable data needs them: whole writes, fsync of file and folder,
 * names that appear complete or not at all, kernel locks. All descriptors are close-on-exec.
 *
 * Failures are RV_LOCAL_IO with the path and the system's reason, RV_NOT_FOUND for a path that is
 * not there where the comment says so. An fsync that failed once is never retried: its bytes count
 * as lost and the caller must write a new file.
 */
#ifndef RV_BASE_FILE_H
#define RV_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/strbuf.h"

/* open(2) and opendir(3), again when they were interrupted, which file systems on a network let
 * happen. `mode` is that of O_CREAT. -1 or NULL, and errno. */
int rv_open(const char *path, int flags, mode_t mode);
DIR *rv_opendir(const char *path);
/* For what may be a FIFO, which waits for a writer: a stop ends that, with EINTR. */
int rv_open_waiting(const char *path, int flags);

/* Reads the whole file into `ret` (emptied first). More than `max_bytes` is RV_BAD_DATA, a missing
 * file RV_NOT_FOUND, a folder RV_LOCAL_IO. Works on FIFOs too. */
enum rv_status rv_read_file(const char *path, size_t max_bytes, struct rv_strbuf *ret,
			    struct rv_error *err) RV_MUST_CHECK;

/* write(2) until all is written; EINTR and short writes are continued. */
enum rv_status rv_write_all(int fd, const void *p, size_t len, const char *what,
			    struct rv_error *err) RV_MUST_CHECK;
/* The same at an offset, with pwrite(2): not for files opened with O_APPEND. */
enum rv_status rv_pwrite_all(int fd, const void *p, size_t len, uint64_t offset, const char *what,
			     struct rv_error *err) RV_MUST_CHECK;
/* read(2) once, EINTR continued; *ret_n = 0 at the end of the file. RV_FAILED: a stop came in the wait. */
enum rv_status rv_read_some(int fd, void *p, size_t size, size_t *ret_n, const char *what,
			    struct rv_error *err) RV_MUST_CHECK;
/* pread(2) until `len` bytes or the end; *ret_n says how many there were. */
enum rv_status rv_pread_full(int fd, void *p, size_t len, uint64_t offset, size_t *ret_n,
			     const char *what, struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_fsync(int fd, const char *what, struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_fsync_folder(const char *path, struct rv_error *err) RV_MUST_CHECK;
/* The folder that holds `path`. */
enum rv_status rv_fsync_parent(const char *path, struct rv_error *err) RV_MUST_CHECK;

/* Replaces or creates `path` in one step (temporary, fsync, rename, fsync of the folder). `mode`
 * is applied exactly when it is not 0, whatever the umask; 0 means 0666 under the umask. */
enum rv_status rv_replace_file(const char *path, const void *p, size_t len, mode_t mode,
			       struct rv_error *err) RV_MUST_CHECK;
/* Creates `path` with these bytes in one step (temporary, fsync, link, fsync of the folder), or
 * fails with RV_CONFLICT when the name is taken. */
enum rv_status rv_create_file(const char *path, const void *p, size_t len, mode_t mode,
			      struct rv_error *err) RV_MUST_CHECK;

/*
 * A file on its way to a name. Where the file system can (O_TMPFILE) it has no name until it is
 * published, so a killed process leaves nothing behind; elsewhere a temporary name beside.
 */
struct rv_new_file {
	int fd;
	char *temporary; /* NULL: has no name yet */
};
#define RV_NEW_FILE_INIT { .fd = -1 }
/* Opens a new file in `folder` for reading and writing. `mode` as in rv_replace_file. */
enum rv_status rv_new_file_open(struct rv_new_file *file, const char *folder, mode_t mode,
				struct rv_error *err) RV_MUST_CHECK;
/* fsync, give it the name (in the same file system), fsync the folder, close. Without `replace` a
 * taken name is RV_CONFLICT, and that name is durable then. Discards the file on any failure. */
enum rv_status rv_new_file_publish(struct rv_new_file *file, const char *path, bool replace,
				   struct rv_error *err) RV_MUST_CHECK;
void rv_new_file_discard(struct rv_new_file *file); /* for RV_CLEANUP; fine after publish */
/* A file in `folder` for reading and writing that never has a name, nor a lock. Caller closes it. */
enum rv_status rv_unnamed_open(const char *folder, int *ret_fd, struct rv_error *err) RV_MUST_CHECK;

/* Makes the folder and its parents, each made durable in its parent; existing ones are left as
 * they are. `mode` as in rv_replace_file, 0 meaning 0777 under the umask. */
enum rv_status rv_make_folders(const char *path, mode_t mode, struct rv_error *err) RV_MUST_CHECK;
/* Makes the names durable that lead to a folder which was made only a while ago: whoever made it may have
 * been killed before they were. One that is older the kernel has long written. */
enum rv_status rv_settle_folder(const char *path, struct rv_error *err) RV_MUST_CHECK;
/* unlink; a missing file is fine. */
enum rv_status rv_remove_file(const char *path, struct rv_error *err) RV_MUST_CHECK;
/* Removes a folder and all below it; what is missing, or goes meanwhile, is fine. What is made in it meanwhile may be
 * missed by somebody: RV_LOCAL_IO, it stays. Never follows symbolic links. */
enum rv_status rv_remove_tree(const char *path, struct rv_error *err) RV_MUST_CHECK;
/*
 * Temporary names start with this. Whoever writes one holds a lock on it until it is closed, so one
 * that can be locked is the leftover of a killed process.
 */
#define RV_TEMPORARY_PREFIX ".tmp-"
/* "<folder of path>/.tmp-<random>"; caller frees. */
char *rv_temporary_beside(const char *path);
/* Creates a temporary file in `folder`, locked. `mode` as in rv_replace_file but under the umask. Caller
 * frees the path and closes the descriptor. */
enum rv_status rv_temporary_open(const char *folder, mode_t mode, char **ret_path, int *ret_fd,
				 struct rv_error *err) RV_MUST_CHECK;
/* Removes the leftovers in a folder, as far as that can be done. */
void rv_sweep_temporaries(const char *folder);

/* Calls `each` with the names in folder `path`, in bytewise order, without those that start with a
 * dot. A missing folder is an empty one; `each` returning other than RV_OK ends it. */
enum rv_status rv_each_entry(const char *path,
			     enum rv_status (*each)(void *arg, const char *name,
						    struct rv_error *err),
			     void *arg, struct rv_error *err) RV_MUST_CHECK;

/* "a/b" joined with exactly one slash; b absolute gives b. Caller frees. */
char *rv_path_join(const char *a, const char *b);
/* Everything before the last slash, "." or "/"; caller frees. */
char *rv_path_parent(const char *path);
const char *rv_path_base(const char *path);
/* `path` made absolute against the working folder, "." and ".." and doubled slashes resolved by
 * text alone; against the root where there is no such folder any more, which rv_working_folder tells. Caller frees. */
char *rv_path_absolute(const char *path);
/* Where relative paths begin. Caller frees. RV_NOT_FOUND: it was removed; RV_LOCAL_IO. */
enum rv_status rv_working_folder(char **ret, struct rv_error *err) RV_MUST_CHECK;

/*
 * Kernel locks (open-file-description locks: they end with the process, whatever kills it).
 * A lock file is never removed while it may be held; rv_lock_take re-checks the inode after
 * locking, so a removed lock file does not let two holders in.
 */
enum rv_lock_kind { RV_LOCK_SHARED, RV_LOCK_EXCLUSIVE };
struct rv_lock {
	int fd; /* -1: not held */
};
#define RV_LOCK_INIT { .fd = -1 }
/* timeout_ms: 0 do not wait, -1 wait for ever. RV_LOCKED when the time is over; RV_FAILED when a stop came in
 * the wait; RV_LOCAL_IO when the file system cannot lock (never runs unlocked). The file is created 0600 (`mode`
 * 0) or as `mode` says. A shared lock asks for no more than reading the file; where it is not there and this
 * process may not make it (a read-only medium), RV_OK comes without a lock, fd -1. */
enum rv_status rv_lock_take(struct rv_lock *lock, const char *path, enum rv_lock_kind kind,
			    int64_t timeout_ms, mode_t mode, struct rv_error *err) RV_MUST_CHECK;
void rv_lock_release(struct rv_lock *lock);

#endif
