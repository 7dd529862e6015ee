/* Folders of followed files: what is in them, what came, what was renamed, and what is gone. */
#include "source/watch_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#define DEPTH_MAX 16

/* Another host may write there, and no event tells. */
bool rv_watch_is_remote(const char *path)
{
	static const uint32_t remote[] = {
		0x6969,     /* NFS */
		0x517b,     /* SMB */
		0xff534d42, /* CIFS */
		0xfe534d42, /* SMB2 */
		0x65735546, /* FUSE */
		0x01021997, /* 9P */
		0x00c36400, /* Ceph */
		0x0bd00bd0, /* Lustre */
		0x5346414f, /* AFS */
		0x6b414653, /* kAFS */
		0x01161970, /* GFS2 */
		0x7461636f, /* OCFS2 */
		0x47504653, /* GPFS */
	};
	struct statfs fs;
	if (statfs(path, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(remote) / sizeof(*remote); i++)
		if ((uint32_t)fs.f_type == remote[i])
			return true;
	return false;
}

void rv_watch_folder_free(struct rv_watch_folder *folder)
{
	for (size_t i = 0; i < folder->names_count; i++)
		free(folder->names[i].name);
	free(folder->names);
	free(folder->path);
	free(folder);
}

/* ---- operands ---- */

static struct rv_watch_folder *add_folder(struct rv_watch *w, const char *path,
					  const struct rv_look *look, unsigned depth)
{
	for (size_t i = 0; i < w->folders_count; i++)
		if (w->folders[i]->device == look->device && w->folders[i]->inode == look->inode)
			return w->folders[i];
	struct rv_watch_folder *folder = rv_calloc(1, sizeof(*folder));
	folder->path = rv_strdup(path);
	folder->number = ++w->folders_made;
	folder->device = look->device;
	folder->inode = look->inode;
	folder->depth = depth;
	folder->event_number = -1;
	folder->scan = true;
	RV_GROW(w->folders, w->folders_count, w->folders_capacity);
	w->folders[w->folders_count++] = folder;
	return folder;
}

static void add_name(struct rv_watch_folder *folder, const char *name)
{
	for (size_t i = 0; i < folder->names_count; i++)
		if (strcmp(folder->names[i].name, name) == 0)
			return;
	RV_GROW(folder->names, folder->names_count, folder->names_capacity);
	folder->names[folder->names_count++] = (struct rv_watch_name){ .name = rv_strdup(name) };
}

enum rv_status rv_watch_operand(struct rv_watch *w, const char *path, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *absolute = rv_path_absolute(path);
	struct rv_look look;
	int error = rv_look_at(AT_FDCWD, absolute, 0, &look);
	if (!error && S_ISDIR(look.mode)) {
		struct rv_watch_folder *folder = add_folder(w, absolute, &look, 0);
		folder->operand = folder->whole = true;
		if (access(absolute, R_OK | X_OK) < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "read folder %s", path);
		return RV_OK;
	}
	if (!error && !S_ISREG(look.mode)) {
		rv_fail(err, RV_USAGE, "%s is neither a file nor a folder: it has no end to wait at", path);
		rv_hint(err, "a pipe is pushed without --follow; it is read for as long as it is open");
		return err->status;
	}
	if (error && error != ENOENT && error != EACCES) {
		errno = error;
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	}
	RV_CLEANUP(rv_free_p) char *parent = rv_path_parent(absolute);
	error = rv_look_at(AT_FDCWD, parent, 0, &look);
	if (error || !S_ISDIR(look.mode))
		return rv_fail(err, RV_NOT_FOUND, "no folder %s for %s to appear in", parent, path);
	struct rv_watch_folder *folder = add_folder(w, parent, &look, 0);
	folder->operand = true;
	add_name(folder, rv_path_base(absolute));
	return RV_OK;
}

/* ---- what became of files ---- */

struct inode_search {
	struct rv_watch_folder *folder;
	const struct rv_watched *item;
	char *found;
};

static enum rv_status find_inode(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct inode_search *search = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(search->folder->path, name);
	struct rv_look look;
	if (!search->found && rv_look_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &look) == 0 &&
	    look.device == search->item->device && look.inode == search->item->inode &&
	    (!look.birth_ns || !search->item->birth_ns || look.birth_ns == search->item->birth_ns))
		search->found = rv_strdup(name);
	return RV_OK;
}

/* Its name has another file, or none. It may have another name beside. */
static void detach(struct rv_watch *w, struct rv_watched *item, bool replaced)
{
	struct inode_search search = { .folder = item->folder, .item = item };
	RV_CLEANUP(rv_free_p) char *path = rv_strdup(item->path);
	struct rv_error ignored;
	item->detached = true;
	item->named = false;
	w->stale = true;
	if (item->fd >= 0)
		rv_watch_restat(w, item);
	/* Where a whole folder was looked at, it was not there under any name. */
	if (!item->removed && !item->folder->whole)
		(void)!rv_each_entry(item->folder->path, find_inode, &search, &ignored);
	if (search.found) {
		rv_watch_rename(w, item, item->folder, search.found);
		(void)!rv_watch_open(w, item, &ignored);
	}
	free(search.found);
	if (item->fd < 0 && item->news_ms)
		rv_watch_tell(w, RV_WATCH_LOST, item, "it went before it could be opened");
	else
		rv_watch_tell(w, replaced || strcmp(path, item->path) != 0 ? RV_WATCH_ROTATED : RV_WATCH_REMOVED,
			      item, path);
	if (item->fd < 0)
		rv_watch_forget(w, item);
}

static void say_failed(struct rv_watch *w, const char *path, int error, int *said)
{
	if (error == *said)
		return;
	*said = error;
	RV_CLEANUP(rv_free_p) char *text = rv_asprintf("look at %s: %s", path, strerror(error));
	rv_watch_tell(w, RV_WATCH_FAILED, NULL, text);
}

static void look_at_name(struct rv_watch *w, struct rv_watch_folder *folder, struct rv_watch_name *name)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder->path, name->name);
	struct rv_look look;
	struct rv_watched *now = rv_watch_named(w, folder, name->name);
	int error = rv_look_at(AT_FDCWD, path, 0, &look);
	if (!error && !S_ISREG(look.mode))
		error = EINVAL;
	if (error == ENOENT || error == ENOTDIR) {
		if (now)
			detach(w, now, false);
		else if (!name->missed)
			rv_watch_tell(w, RV_WATCH_MISSING, NULL, path);
		name->missed = true;
		return;
	}
	if (error) {
		say_failed(w, path, error, &name->failed);
		return;
	}
	name->failed = 0;
	name->missed = false;
	struct rv_watched *known = rv_watch_known(w, &look);
	if (now && now == known) {
		rv_watch_update(w, now, &look);
		return;
	}
	if (now)
		detach(w, now, true);
	if (!known) {
		rv_watch_add(w, folder, name->name, &look)->named = true;
		return;
	}
	/* Rotated away and put back, or one file under two names: it is followed once. */
	if (known->detached) {
		known->detached = false;
		rv_watch_rename(w, known, folder, name->name);
		known->named = true;
	}
	rv_watch_update(w, known, &look);
}

void rv_watch_scan_names(struct rv_watch *w, struct rv_watch_folder *folder)
{
	for (size_t i = 0; i < folder->names_count; i++)
		look_at_name(w, folder, &folder->names[i]);
}

/* ---- whole folders ---- */

struct scan {
	struct rv_watch *watch;
	struct rv_watch_folder *folder;
	uint64_t number;
};

static void see_file(struct scan *scan, const char *name, const struct rv_look *look)
{
	struct rv_watch *w = scan->watch;
	struct rv_watched *item = rv_watch_known(w, look);
	if (!item) {
		item = rv_watch_add(w, scan->folder, name, look);
	} else if (item->seen != scan->number &&
		   (item->folder != scan->folder || item->detached || strcmp(item->name, name) != 0)) {
		/* Under a second name (hard links) it is what it was under the first. */
		struct rv_look before;
		bool there = !item->detached &&
			     rv_look_at(AT_FDCWD, item->path, AT_SYMLINK_NOFOLLOW, &before) == 0 &&
			     before.device == look->device && before.inode == look->inode;
		if (!there) {
			RV_CLEANUP(rv_free_p) char *path = rv_strdup(item->path);
			item->detached = false;
			rv_watch_rename(w, item, scan->folder, name);
			rv_watch_tell(w, RV_WATCH_RENAMED, item, path);
		}
	}
	item->seen = scan->number;
	rv_watch_update(w, item, look);
}

static enum rv_status see_entry(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct scan *scan = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(scan->folder->path, name);
	struct rv_look look;
	/* Gone since the folder was read, or not to be looked at: the next scan sees. */
	if (rv_look_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &look))
		return RV_OK;
	if (S_ISREG(look.mode)) {
		see_file(scan, name, &look);
	} else if (S_ISDIR(look.mode) && scan->folder->depth < DEPTH_MAX) {
		struct rv_watch_folder *inner =
			add_folder(scan->watch, path, &look, scan->folder->depth + 1);
		inner->whole = true;
		if (strcmp(inner->path, path) != 0) { /* renamed */
			free(inner->path);
			inner->path = rv_take(path);
			inner->scan = true;
		}
	}
	return RV_OK;
}

/* The folder of that name may be another one than before. */
static bool open_folder(struct rv_watch *w, struct rv_watch_folder *folder)
{
	struct rv_look look;
	int error = rv_look_at(AT_FDCWD, folder->path, 0, &look);
	if (!error && !S_ISDIR(look.mode))
		error = ENOTDIR;
	if (!error && access(folder->path, R_OK | X_OK) < 0)
		error = errno;
	folder->missing = error == ENOENT || error == ENOTDIR;
	if (error) {
		if (folder->operand)
			say_failed(w, folder->path, error, &folder->failed);
		return false;
	}
	folder->failed = 0;
	if (look.device != folder->device || look.inode != folder->inode) {
		folder->device = look.device;
		folder->inode = look.inode;
		folder->event_number = -1;
	}
	/* First listen, then look: what comes in between is seen twice, not never. */
	rv_watch_listen(w, folder);
	return true;
}

void rv_watch_scan(struct rv_watch *w, struct rv_watch_folder *folder)
{
	struct scan scan = { .watch = w, .folder = folder, .number = ++w->scans };
	folder->scan = false;
	folder->scanned_ms = rv_clock_monotonic_ms();
	if (!open_folder(w, folder) && !folder->missing)
		return;
	if (!folder->whole) {
		rv_watch_scan_names(w, folder);
		return;
	}
	struct rv_error err;
	if (!folder->missing && rv_each_entry(folder->path, see_entry, &scan, &err) != RV_OK)
		return;
	/* From the end, for forgetting one puts the last in its place. */
	for (size_t i = w->count; i-- > 0;) {
		struct rv_watched *item = w->items[i];
		struct rv_look look;
		if (item->folder != folder || item->detached || item->seen == scan.number)
			continue;
		/* Renamed while the folder was read, it may have been missed under both names. */
		if (rv_look_at(AT_FDCWD, item->path, AT_SYMLINK_NOFOLLOW, &look) == 0 &&
		    look.device == item->device && look.inode == item->inode)
			continue;
		detach(w, item, false);
	}
}

/* Folders that are gone, once nothing of theirs is left. */
void rv_watch_drop_folders(struct rv_watch *w)
{
	for (size_t i = w->folders_count; i-- > 0;) {
		struct rv_watch_folder *folder = w->folders[i];
		bool used = false;
		if (folder->operand || !folder->missing)
			continue;
		for (size_t j = 0; j < w->count && !used; j++)
			used = w->items[j]->folder == folder;
		if (used)
			continue;
		rv_watch_folder_free(folder);
		w->folders[i] = w->folders[--w->folders_count];
	}
}

/* ---- beside ---- */

struct rv_watched *rv_watch_add_beside(struct rv_watch *w, const struct rv_watched *item,
				       const char *name)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(item->folder->path, name);
	struct rv_look look;
	if (rv_look_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &look) || !S_ISREG(look.mode) ||
	    rv_watch_known(w, &look))
		return NULL;
	struct rv_watched *added = rv_watch_add(w, item->folder, name, &look);
	struct rv_error ignored;
	if (rv_watch_open(w, added, &ignored) != RV_OK) {
		rv_watch_forget(w, added);
		return NULL;
	}
	added->detached = true;
	w->stale = true;
	return added;
}

struct beside {
	struct rv_watch *watch;
	const struct rv_watched *item;
	enum rv_status (*each)(void *arg, const char *name, struct rv_error *err);
	void *arg;
};

static enum rv_status see_beside(void *arg, const char *name, struct rv_error *err)
{
	struct beside *beside = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(beside->item->folder->path, name);
	struct rv_look look;
	if (rv_look_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &look) || !S_ISREG(look.mode) ||
	    !look.bytes || rv_watch_known(beside->watch, &look))
		return RV_OK;
	return beside->each(beside->arg, name, err);
}

enum rv_status rv_watch_each_beside(struct rv_watch *w, const struct rv_watched *item,
				    enum rv_status (*each)(void *arg, const char *name,
							   struct rv_error *err),
				    void *arg, struct rv_error *err)
{
	struct beside beside = { w, item, each, arg };
	return rv_each_entry(item->folder->path, see_beside, &beside, err);
}
