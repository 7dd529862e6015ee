/*
 * What the two files of the watch share: watch.c (list, events, looks) and watch_scan.c (folders). Nobody
 * else includes this.
 */
#ifndef RV_SOURCE_WATCH_IMPL_H
#define RV_SOURCE_WATCH_IMPL_H

#include "source/watch.h"

struct rv_watch_name {
	char *name;
	bool missed;            /* it was said that it is not there */
	int failed;             /* errno that was said */
};

struct rv_watch_folder {
	char *path;             /* absolute */
	uint64_t number;        /* among all there ever were: seeds its names */
	uint64_t device, inode;
	bool whole;             /* all files in it; else only `names` */
	bool operand;           /* stays, also when it is gone */
	bool missing;           /* that was said */
	int failed;             /* errno that was said */
	unsigned depth;         /* below the operand */
	struct rv_watch_name *names;
	size_t names_count, names_capacity;
	int event_number;       /* inotify's; -1: none */
	bool polled;
	bool scan;              /* at the next look */
	int64_t scanned_ms;     /* monotonic */
};

/* Open addressing; size is a power of two. */
struct rv_watch_index {
	struct rv_watched **slots;
	size_t size;
};

struct rv_watch {
	struct rv_watch_params params;
	int64_t poll_ms;
	int events_fd;          /* -1: none */
	struct rv_watched **items;
	size_t count, capacity;
	size_t held;            /* open ones */
	struct rv_watch_folder **folders;
	size_t folders_count, folders_capacity;
	uint64_t folders_made;
	struct rv_watch_index by_name, by_inode;
	bool stale;             /* the indexes are */
	uint64_t scans;
	int64_t names_ms;       /* monotonic: when named files are due */
	int64_t looked_ms;
};

/* What statx says of a file. */
struct rv_look {
	uint64_t device, inode, bytes, links;
	int64_t birth_ns, modified_ns, status_changed_ns;
	uint16_t mode;
};
/* 0 or an errno. */
int rv_look_at(int folder_fd, const char *path, int flags, struct rv_look *ret);

struct rv_watched *rv_watch_named(struct rv_watch *w, const struct rv_watch_folder *folder,
				  const char *name);
struct rv_watched *rv_watch_known(struct rv_watch *w, const struct rv_look *look);
struct rv_watched *rv_watch_add(struct rv_watch *w, struct rv_watch_folder *folder, const char *name,
				const struct rv_look *look);
void rv_watch_rename(struct rv_watch *w, struct rv_watched *item, struct rv_watch_folder *folder,
		     const char *name);
void rv_watch_update(struct rv_watch *w, struct rv_watched *item, const struct rv_look *look);
void rv_watch_restat(struct rv_watch *w, struct rv_watched *item);
void rv_watch_tell(struct rv_watch *w, enum rv_watch_event event, struct rv_watched *item,
		   const char *detail);
void rv_watch_listen(struct rv_watch *w, struct rv_watch_folder *folder);

/* watch_scan.c */
enum rv_status rv_watch_operand(struct rv_watch *w, const char *path,
				struct rv_error *err) RV_MUST_CHECK;
void rv_watch_scan(struct rv_watch *w, struct rv_watch_folder *folder);
void rv_watch_scan_names(struct rv_watch *w, struct rv_watch_folder *folder);
void rv_watch_drop_folders(struct rv_watch *w);
bool rv_watch_is_remote(const char *path);
void rv_watch_folder_free(struct rv_watch_folder *folder);

#endif
