/*
 * Followed files: the list of them, what the kernel says of their folders, and looks at both.
 *
 * Looking is what decides; the kernel's events only say where to look. So a lost event, a full queue or
 * a file system without events costs time and nothing else.
 */
#include "source/watch_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#define EVENTS                                                                                      \
	(IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO |         \
	 IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)
#define POLL_MS 1000
/* Events may get lost where memory is mapped or another host writes: all is looked at this often. */
#define RESCAN_MS 60000
/* A busy writer makes an event a write; between two looks they are one. */
#define CALM_MS 50

/* ---- the list ---- */

static uint64_t name_hash(const struct rv_watch_folder *folder, const char *name)
{
	return XXH3_64bits_withSeed(name, strlen(name), folder->number);
}

static uint64_t inode_hash(uint64_t device, uint64_t inode)
{
	const uint64_t both[] = { device, inode };
	return XXH3_64bits(both, sizeof(both));
}

static void index_put(struct rv_watch_index *index, uint64_t hash, struct rv_watched *item)
{
	size_t i = hash & (index->size - 1);
	while (index->slots[i])
		i = (i + 1) & (index->size - 1);
	index->slots[i] = item;
}

/* Detached ones have no name that anybody could ask for. */
static void index_all(struct rv_watch *w)
{
	size_t size = 64;
	while (size < w->count * 2 + 2)
		size *= 2;
	struct rv_watch_index *const both[] = { &w->by_name, &w->by_inode };
	for (size_t i = 0; i < 2; i++) {
		free(both[i]->slots);
		both[i]->size = size;
		both[i]->slots = rv_calloc(size, sizeof(*both[i]->slots));
	}
	for (size_t i = 0; i < w->count; i++) {
		struct rv_watched *item = w->items[i];
		if (!item->detached)
			index_put(&w->by_name, name_hash(item->folder, item->name), item);
		index_put(&w->by_inode, inode_hash(item->device, item->inode), item);
	}
	w->stale = false;
}

struct rv_watched *rv_watch_named(struct rv_watch *w, const struct rv_watch_folder *folder,
				  const char *name)
{
	if (w->stale)
		index_all(w);
	size_t i = name_hash(folder, name) & (w->by_name.size - 1);
	for (; w->by_name.slots[i]; i = (i + 1) & (w->by_name.size - 1)) {
		struct rv_watched *item = w->by_name.slots[i];
		if (item->folder == folder && strcmp(item->name, name) == 0)
			return item;
	}
	return NULL;
}

static bool is_same(const struct rv_watched *item, const struct rv_look *look)
{
	return item->device == look->device && item->inode == look->inode &&
	       (!item->birth_ns || !look->birth_ns || item->birth_ns == look->birth_ns);
}

struct rv_watched *rv_watch_known(struct rv_watch *w, const struct rv_look *look)
{
	if (w->stale)
		index_all(w);
	size_t i = inode_hash(look->device, look->inode) & (w->by_inode.size - 1);
	for (; w->by_inode.slots[i]; i = (i + 1) & (w->by_inode.size - 1))
		if (is_same(w->by_inode.slots[i], look))
			return w->by_inode.slots[i];
	return NULL;
}

void rv_watch_tell(struct rv_watch *w, enum rv_watch_event event, struct rv_watched *item,
		   const char *detail)
{
	if (w->params.event)
		w->params.event(w->params.arg, event, item, detail);
}

static void item_free(struct rv_watched *item)
{
	rv_close_p(&item->fd);
	free(item->name);
	free(item->path);
	free(item);
}

void rv_watch_forget(struct rv_watch *w, struct rv_watched *item)
{
	if (w->params.gone)
		w->params.gone(w->params.arg, item);
	rv_watch_close(w, item);
	/* The others keep their places but the last: whoever walks the list goes on to the end. */
	w->items[item->place] = w->items[--w->count];
	w->items[item->place]->place = item->place;
	item_free(item);
	w->stale = true;
}

void rv_watch_rename(struct rv_watch *w, struct rv_watched *item, struct rv_watch_folder *folder,
		     const char *name)
{
	char *new_name = rv_strdup(name);
	free(item->name);
	free(item->path);
	item->folder = folder;
	item->name = new_name;
	item->path = rv_path_join(folder->path, name);
	w->stale = true;
}

struct rv_watched *rv_watch_add(struct rv_watch *w, struct rv_watch_folder *folder, const char *name,
				const struct rv_look *look)
{
	struct rv_watched *item = rv_calloc(1, sizeof(*item));
	bool indexed = !w->stale && w->count * 2 + 4 < w->by_name.size;
	item->fd = -1;
	item->device = look->device;
	item->inode = look->inode;
	item->birth_ns = look->birth_ns;
	item->bytes = UINT64_MAX; /* other than whatever is there */
	RV_GROW(w->items, w->count, w->capacity);
	item->place = w->count;
	w->items[w->count++] = item;
	rv_watch_rename(w, item, folder, name);
	if (indexed) { /* there may be very many of them at once */
		index_put(&w->by_name, name_hash(folder, name), item);
		index_put(&w->by_inode, inode_hash(item->device, item->inode), item);
		w->stale = false;
	}
	rv_watch_update(w, item, look);
	rv_watch_tell(w, RV_WATCH_FOUND, item, NULL);
	return item;
}

size_t rv_watch_count(const struct rv_watch *w)
{
	return w->count;
}

struct rv_watched *rv_watch_at(const struct rv_watch *w, size_t i)
{
	return w->items[i];
}

/* ---- looks at one file ---- */

static int64_t time_ns(struct statx_timestamp t)
{
	return rv_time_ns(t.tv_sec, t.tv_nsec);
}

int rv_look_at(int folder_fd, const char *path, int flags, struct rv_look *ret)
{
	struct statx st;
	if (statx(folder_fd, path, flags, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return errno;
	*ret = (struct rv_look){
		.device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor,
		.inode = st.stx_ino,
		.birth_ns = st.stx_mask & STATX_BTIME ? time_ns(st.stx_btime) : 0,
		.bytes = st.stx_size,
		.modified_ns = time_ns(st.stx_mtime),
		.status_changed_ns = time_ns(st.stx_ctime),
		.links = st.stx_nlink,
		.mode = st.stx_mode,
	};
	return 0;
}

/* Notes what a look has found; one with news is held open from then on. */
void rv_watch_update(struct rv_watch *w, struct rv_watched *item, const struct rv_look *look)
{
	bool news = look->bytes != item->bytes || look->modified_ns != item->modified_ns;
	if (news || look->status_changed_ns != item->status_changed_ns)
		item->changed_ms = rv_clock_monotonic_ms();
	item->bytes = look->bytes;
	item->modified_ns = look->modified_ns;
	item->status_changed_ns = look->status_changed_ns;
	item->links = look->links;
	item->removed = look->links == 0;
	if (!news)
		return;
	if (!item->news_ms)
		item->news_ms = item->changed_ms;
	struct rv_error ignored;
	if (item->fd < 0 && item->bytes && rv_watch_may_hold(w))
		(void)!rv_watch_open(w, item, &ignored);
}

void rv_watch_taken(struct rv_watched *item, uint64_t bytes, int64_t modified_ns)
{
	if (item->bytes == bytes && item->modified_ns == modified_ns) {
		item->news_ms = 0;
		return;
	}
	/* It has changed behind what was read: the next look finds it as new. */
	item->bytes = bytes;
	item->modified_ns = modified_ns;
	item->news_ms = rv_clock_monotonic_ms();
}

enum rv_status rv_watch_open(struct rv_watch *w, struct rv_watched *item, struct rv_error *err)
{
	if (item->fd >= 0)
		return RV_OK;
	/* What took the name of a file meanwhile may be a FIFO: that must not make us wait. */
	RV_CLEANUP(rv_close_p) int fd = rv_open(item->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return rv_fail(err, RV_NOT_FOUND, "no file %s", item->path);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", item->path);
	struct rv_look look;
	int error = rv_look_at(fd, "", AT_EMPTY_PATH, &look);
	if (error) {
		errno = error;
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", item->path);
	}
	if (!is_same(item, &look))
		return rv_fail(err, RV_NOT_FOUND, "%s is another file now", item->path);
	item->fd = fd;
	fd = -1;
	w->held++;
	return RV_OK;
}

void rv_watch_close(struct rv_watch *w, struct rv_watched *item)
{
	if (item->fd < 0)
		return;
	rv_close_p(&item->fd);
	w->held--;
}

bool rv_watch_may_hold(const struct rv_watch *w)
{
	return w->held < w->params.hold_max;
}

/* A file that is held is asked itself, wherever its name went. */
void rv_watch_restat(struct rv_watch *w, struct rv_watched *item)
{
	struct rv_look look;
	if (item->fd >= 0 ? rv_look_at(item->fd, "", AT_EMPTY_PATH, &look)
			  : rv_look_at(AT_FDCWD, item->path, 0, &look))
		return; /* the scan of its folder finds out */
	if (is_same(item, &look))
		rv_watch_update(w, item, &look);
}

/* ---- events ---- */

static struct rv_watch_folder *folder_of_event(const struct rv_watch *w, int number)
{
	for (size_t i = 0; i < w->folders_count; i++)
		if (w->folders[i]->event_number == number)
			return w->folders[i];
	return NULL;
}

static void scan_everything(struct rv_watch *w)
{
	for (size_t i = 0; i < w->folders_count; i++)
		w->folders[i]->scan = true;
}

static void take_event(struct rv_watch *w, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW) {
		scan_everything(w);
		return;
	}
	struct rv_watch_folder *folder = folder_of_event(w, event->wd);
	if (!folder)
		return;
	if (event->mask & IN_IGNORED) { /* the folder is gone; another one of its name may come */
		folder->event_number = -1;
		folder->scan = true;
		return;
	}
	const uint32_t content = IN_MODIFY | IN_CLOSE_WRITE;
	if (!event->len || (event->mask & ~content)) {
		folder->scan = true;
		return;
	}
	struct rv_watched *item = rv_watch_named(w, folder, event->name);
	if (item)
		rv_watch_restat(w, item);
	else
		folder->scan = folder->scan || folder->whole;
}

static void take_events(struct rv_watch *w)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;
	while (w->events_fd >= 0 && (n = read(w->events_fd, buffer, sizeof(buffer))) > 0)
		for (char *p = buffer; p < buffer + n;) {
			struct inotify_event event;
			memcpy(&event, p, sizeof(event));
			/* Aligned by the kernel, whole. */
			take_event(w, (const struct inotify_event *)(void *)p);
			p += sizeof(event) + event.len;
		}
}

/* A folder that cannot be told about is looked at more often. */
void rv_watch_listen(struct rv_watch *w, struct rv_watch_folder *folder)
{
	if (folder->event_number >= 0)
		return;
	if (w->events_fd >= 0)
		folder->event_number =
			inotify_add_watch(w->events_fd, folder->path, EVENTS | IN_ONLYDIR);
	bool polled = folder->event_number < 0 || rv_watch_is_remote(folder->path);
	if (polled && !folder->polled)
		rv_watch_tell(w, RV_WATCH_POLLED, NULL, folder->path);
	folder->polled = polled;
}

/* ---- the whole ---- */

static int64_t folder_due_ms(const struct rv_watch *w, const struct rv_watch_folder *folder)
{
	if (folder->scan)
		return 0;
	bool often = folder->polled || folder->event_number < 0;
	return folder->scanned_ms + (often ? w->poll_ms : RESCAN_MS);
}

static void look_now(struct rv_watch *w)
{
	int64_t now_ms = rv_clock_monotonic_ms();
	take_events(w);
	bool names = now_ms >= w->names_ms;
	for (size_t i = 0; i < w->folders_count; i++) {
		struct rv_watch_folder *folder = w->folders[i];
		if (now_ms >= folder_due_ms(w, folder))
			rv_watch_scan(w, folder);
		else if (names && !folder->whole)
			rv_watch_scan_names(w, folder);
	}
	/* Nobody tells about what has left its folder, and there are few. */
	for (size_t i = 0; i < w->count; i++)
		if (w->items[i]->detached)
			rv_watch_restat(w, w->items[i]);
	if (names)
		w->names_ms = now_ms + w->poll_ms;
	rv_watch_drop_folders(w);
	w->looked_ms = now_ms;
}

int64_t rv_watch_next_ms(const struct rv_watch *w)
{
	int64_t now_ms = rv_clock_monotonic_ms(), next_ms = w->names_ms;
	for (size_t i = 0; i < w->folders_count; i++)
		if (folder_due_ms(w, w->folders[i]) < next_ms)
			next_ms = folder_due_ms(w, w->folders[i]);
	return next_ms > now_ms ? next_ms - now_ms : 0;
}

void rv_watch_look(struct rv_watch *w, int64_t timeout_ms)
{
	int64_t calm_ms = w->looked_ms + CALM_MS - rv_clock_monotonic_ms();
	if (calm_ms > timeout_ms)
		calm_ms = timeout_ms;
	if (calm_ms > 0 && poll(NULL, 0, (int)calm_ms) == 0)
		timeout_ms -= calm_ms;
	if (timeout_ms > 0) {
		int64_t next_ms = rv_watch_next_ms(w);
		struct pollfd p = { .fd = w->events_fd, .events = POLLIN };
		poll(&p, 1, (int)(timeout_ms < next_ms ? timeout_ms : next_ms));
	}
	look_now(w);
}

enum rv_status rv_watch_new(const struct rv_watch_params *params, struct rv_watch **ret,
			    struct rv_error *err)
{
	RV_CLEANUP(rv_watch_free_p) struct rv_watch *w = rv_calloc(1, sizeof(*w));
	w->params = *params;
	w->poll_ms = params->poll_ms ? params->poll_ms : POLL_MS;
	w->stale = true;
	/* Without events all is polled; that is said of each folder. */
	w->events_fd = params->no_inotify ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	for (size_t i = 0; i < params->paths_count; i++)
		if (rv_watch_operand(w, params->paths[i], err) != RV_OK)
			return err->status;
	look_now(w);
	*ret = rv_take(w);
	return RV_OK;
}

void rv_watch_free(struct rv_watch *w)
{
	if (!w)
		return;
	while (w->count)
		rv_watch_forget(w, w->items[w->count - 1]);
	for (size_t i = 0; i < w->folders_count; i++)
		rv_watch_folder_free(w->folders[i]);
	free(w->items);
	free(w->folders);
	free(w->by_name.slots);
	free(w->by_inode.slots);
	rv_close_p(&w->events_fd);
	free(w);
}

void rv_watch_free_p(struct rv_watch **watch)
{
	rv_watch_free(*watch);
	*watch = NULL;
}
