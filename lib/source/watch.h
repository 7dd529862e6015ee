/*
 * Which files there are to be followed, and which of them have news.
 *
 * Operands are files and folders. A folder stands for the regular files in it and below it, but for names
 * that begin with a dot and for symbolic links; a file that is not there yet is waited for. A file is known
 * by its inode: renamed it is the same one; a name that has another file now leaves the one it had
 * `detached`, to be read to its end.
 *
 * The kernel (inotify) says when to look; where it cannot (network file systems, no watches left) folders
 * are looked at every `poll_ms`. It is only ever a hint: named files are looked at that often anyway, and all
 * of a folder is every minute.
 *
 * Files with news are held open as soon as they are seen, up to `hold_max`, so that what is removed before
 * it was read can be read all the same. One thread.
 */
#ifndef RV_SOURCE_WATCH_H
#define RV_SOURCE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct rv_watch;
struct rv_watch_folder;

struct rv_watched {
	struct rv_watch_folder *folder;
	char *name;             /* in its folder; a detached one: the last that was seen */
	char *path;             /* absolute; the same */
	uint64_t device, inode;
	int64_t birth_ns;       /* 0: the file system does not know */
	uint64_t bytes;         /* when it was looked at last, as the next two */
	int64_t modified_ns, status_changed_ns;
	int64_t changed_ms;     /* monotonic: when it was last found to be other than before */
	int64_t news_ms;        /* the same, of the first change since rv_watch_taken; 0: no news */
	int fd;                 /* held open; -1: not */
	bool named;             /* an operand, or the file that took its name */
	bool detached;          /* its name has another file or none */
	bool removed;           /* no name is left */
	uint64_t links;
	void *user;             /* of the follower */
	uint64_t seen;          /* number of the scan it was last seen in */
	size_t place;           /* in the list */
};

enum rv_watch_event {
	RV_WATCH_FOUND,         /* a file that was not there before */
	RV_WATCH_RENAMED,       /* `detail`: the path it had */
	RV_WATCH_ROTATED,       /* its name, `detail`, has another file now or none, and it another name */
	RV_WATCH_REMOVED,       /* it has no name beside; it was held open or had no news */
	RV_WATCH_LOST,          /* it went with news that nobody had read; `detail`: why */
	RV_WATCH_MISSING,       /* `detail`: the path of an operand that is waited for */
	RV_WATCH_POLLED,        /* `detail`: the path of a folder that the kernel does not tell about */
	RV_WATCH_FAILED,        /* `detail`: what could not be looked at, and why; once for each reason */
};

struct rv_watch_params {
	char **paths;
	size_t paths_count;
	int64_t poll_ms;        /* 0: 1 s */
	size_t hold_max;        /* 0: none is held open */
	bool no_inotify;        /* for tests: as if the kernel had no watches left */
	/* Optional. `item` is NULL for the last three. */
	void (*event)(void *arg, enum rv_watch_event event, struct rv_watched *item,
		      const char *detail);
	/* Optional: an item is about to be forgotten. */
	void (*gone)(void *arg, struct rv_watched *item);
	void *arg;
};

/* Looks for the first time. RV_NOT_FOUND: a folder, or the folder of a file, that is not there; RV_USAGE:
 * what is neither. */
enum rv_status rv_watch_new(const struct rv_watch_params *params, struct rv_watch **ret,
			    struct rv_error *err) RV_MUST_CHECK;
void rv_watch_free(struct rv_watch *watch);
void rv_watch_free_p(struct rv_watch **watch);

/* Waits up to `timeout_ms` for news or a signal, then looks. */
void rv_watch_look(struct rv_watch *watch, int64_t timeout_ms);
/* How long nothing needs to be looked at: the longest wait that makes sense. */
int64_t rv_watch_next_ms(const struct rv_watch *watch);

/* Items live until they are forgotten; indexes change when one is. */
size_t rv_watch_count(const struct rv_watch *watch);
struct rv_watched *rv_watch_at(const struct rv_watch *watch, size_t i);
/* All up to what fstat says now has been read, or is remembered as read: no news until it changes. */
void rv_watch_taken(struct rv_watched *item, uint64_t bytes, int64_t modified_ns);
/* Opens it, unless it is held already. RV_NOT_FOUND when its name is gone or has another file. */
enum rv_status rv_watch_open(struct rv_watch *watch, struct rv_watched *item,
			     struct rv_error *err) RV_MUST_CHECK;
void rv_watch_close(struct rv_watch *watch, struct rv_watched *item);
/* Are fewer than hold_max open? */
bool rv_watch_may_hold(const struct rv_watch *watch);
/* A detached one that was read to its end. */
void rv_watch_forget(struct rv_watch *watch, struct rv_watched *item);
/* A file beside a followed one that is to be read to its end as well, a rotated copy; NULL: it is followed
 * already, or gone. */
struct rv_watched *rv_watch_add_beside(struct rv_watch *watch, const struct rv_watched *item,
				       const char *name);
/* Calls `each` with the names of the regular files beside `item` that are not followed. */
enum rv_status rv_watch_each_beside(struct rv_watch *watch, const struct rv_watched *item,
				    enum rv_status (*each)(void *arg, const char *name,
							   struct rv_error *err),
				    void *arg, struct rv_error *err) RV_MUST_CHECK;

#endif
