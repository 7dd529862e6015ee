/*
 * Notes what a run of river asks the disk for, so that tests/fault/power can tell every state a power cut
 * may leave behind:
 *
 *	LD_PRELOAD=.../power.so POWER_WORLD=FOLDER POWER_RECORD=FOLDER river ...
 *
 * Before each call that changes files, syncs them, answers a client or ends the process, the whole tree below
 * POWER_WORLD is noted as the program sees it; every content that was ever seen is kept by its hash. A sync is
 * noted with what it asks for and with who asked (return addresses within the program), and again when it
 * is over. Nothing is synced in truth: what would be on the disk is computed from these notes, and a
 * file system that is kinder than it must be cannot hide a sync that is missing.
 *
 * POWER_RECORD/notes, a line each:
 *	event N WORDS            what is about to happen; then the tree, in which a folder comes before its entries:
 *	d MODE KEY PATH          a folder; PATH is "." for the world itself
 *	f MODE KEY CONTENT PATH  a file; the bytes are POWER_RECORD/CONTENT
 *	sync N f KEY CONTENT | sync N d KEY | sync N all
 *	by N ADDRESS,...         who asked, innermost first; - is a library
 *	done N                   that sync has returned
 *	acked COUNT              so many requests were answered with 2xx
 *	exit CODE
 * KEY is the inode's number and time of birth, as numbers come back. Only programs called river are noted.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, FRAMES = 24, KEY_SIZE = 64, CONTENT_SIZE = 40 };

static struct {
	bool on;
	char world[PATH_SIZE], record[PATH_SIZE];
	FILE *notes;
	uint64_t events;
	uintptr_t base, end;           /* where the program itself lies */
	uintptr_t own_base, own_end;   /* and this library */
} p;

static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
/* The calls that taking notes makes are not noted. */
static __thread int inside;

#define NEXT(name)                                                                                 \
	static __typeof__(&name) next;                                                             \
	if (!next)                                                                                 \
		next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "power: %s: %s\n", what, strerror(errno));
	_exit(125);
}

/* ---- contents ---------------------------------------------------------------------------------- */

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void name_content(const char *bytes, size_t len, char ret[CONTENT_SIZE])
{
	uint64_t a = 0x8f3b51c7d2e94a6bull ^ len;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = 0;
		memcpy(&word, bytes + i, len - i < 8 ? len - i : 8);
		a = fold(a ^ word, 0xd6e8feb86659fd93ull) + word;
	}
	snprintf(ret, CONTENT_SIZE, "%016" PRIx64 "-%zu", fold(a, 0x9e3779b97f4a7c15ull), len);
}

static void keep_content(int fd, char ret[CONTENT_SIZE])
{
	char path[PATH_SIZE + CONTENT_SIZE], *bytes = NULL;
	size_t len = 0, room = 0;
	ssize_t n;

	do {
		if (room - len < 1 << 16) {
			room = room * 2 + (1 << 17);
			bytes = realloc(bytes, room);
			if (!bytes)
				die("contents");
		}
		n = pread(fd, bytes + len, room - len, (off_t)len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	if (n < 0)
		die("read a file of the world");
	name_content(bytes, len, ret);
	snprintf(path, sizeof(path), "%s/%s", p.record, ret);
	if (access(path, F_OK) < 0) {
		FILE *f = fopen(path, "we");
		if (!f || fwrite(bytes, 1, len, f) != len || fclose(f))
			die(path);
	}
	free(bytes);
}

/* ---- the tree ---------------------------------------------------------------------------------- */

static bool key_of(int fd, char ret[KEY_SIZE], mode_t *ret_mode)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return false;
	snprintf(ret, KEY_SIZE, "%" PRIu64 ".%" PRId64 ".%" PRIu32, (uint64_t)st.stx_ino,
		 (int64_t)st.stx_btime.tv_sec, (uint32_t)st.stx_btime.tv_nsec);
	*ret_mode = st.stx_mode;
	return true;
}

static void note_tree(const char *path, const char *shown)
{
	char key[KEY_SIZE], content[CONTENT_SIZE];
	mode_t mode;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	/* gone since its folder was read: another thread is at work */
	if (fd < 0)
		return;
	if (!key_of(fd, key, &mode))
		die(path);
	if (S_ISREG(mode)) {
		keep_content(fd, content);
		fprintf(p.notes, "f %o %s %s %s\n", (unsigned)mode & 07777, key, content, shown);
	}
	if (!S_ISDIR(mode)) {
		close(fd);
		return;
	}
	fprintf(p.notes, "d %o %s %s\n", (unsigned)mode & 07777, key, shown);
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	while (dir && (entry = readdir(dir)) != NULL) {
		char below[PATH_SIZE], below_shown[PATH_SIZE];
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		bool long_path =
			snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >= PATH_SIZE ||
			snprintf(below_shown, sizeof(below_shown), "%s/%s", shown, entry->d_name) >= PATH_SIZE;
		if (long_path)
			die("a path is too long");
		note_tree(below, below_shown);
	}
	if (dir)
		closedir(dir);
}

static void begin(void)
{
	pthread_mutex_lock(&mutex);
	inside++;
}

static void finish(void)
{
	if (fflush(p.notes))
		die("notes");
	inside--;
	pthread_mutex_unlock(&mutex);
}

__attribute__((format(printf, 1, 2))) static uint64_t note_event(const char *fmt, ...)
{
	va_list ap;
	uint64_t number = ++p.events;

	fprintf(p.notes, "event %" PRIu64 " ", number);
	va_start(ap, fmt);
	vfprintf(p.notes, fmt, ap);
	va_end(ap);
	fputc('\n', p.notes);
	note_tree(p.world, ".");
	return number;
}

/* What changes files: only the state before it is of interest. */
#define CHANGES(...)                                                                               \
	do {                                                                                       \
		if (p.on && !inside) {                                                             \
			int kept_errno = errno;                                                    \
			begin();                                                                   \
			note_event(__VA_ARGS__);                                                   \
			finish();                                                                  \
			errno = kept_errno;                                                        \
		}                                                                                  \
	} while (0)

static bool is_file(int fd)
{
	struct stat st;
	int kept_errno = errno;
	bool yes = p.on && !inside && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	errno = kept_errno;
	return yes;
}

/* ---- syncing ----------------------------------------------------------------------------------- */

static void note_callers(uint64_t number)
{
	void *frames[FRAMES];
	int count = backtrace(frames, FRAMES);
	const char *comma = "";
	bool own = true;

	fprintf(p.notes, "by %" PRIu64 " ", number);
	for (int i = 0; i < count; i++) {
		uintptr_t at = (uintptr_t)frames[i];
		if (own && at >= p.own_base && at < p.own_end)
			continue;
		own = false;
		if (at < p.base || at >= p.end) {
			/* not river asked, but a library */
			if (!*comma)
				break;
			continue;
		}
		/* of the call, not of what comes after it */
		fprintf(p.notes, "%s0x%" PRIxPTR, comma, at - p.base - 1);
		comma = ",";
	}
	fputs(*comma ? "\n" : "-\n", p.notes);
}

static int note_sync(int fd, const char *name, bool all)
{
	char key[KEY_SIZE], content[CONTENT_SIZE];
	mode_t mode;

	if (!key_of(fd, key, &mode))
		return -1;
	begin();
	uint64_t number = note_event("%s", name);
	if (all) {
		fprintf(p.notes, "sync %" PRIu64 " all\n", number);
	} else if (S_ISDIR(mode)) {
		fprintf(p.notes, "sync %" PRIu64 " d %s\n", number, key);
	} else {
		/* a descriptor that is only written cannot be read; the file can */
		char self[64];
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		int again = open(self, O_RDONLY | O_CLOEXEC);
		if (again < 0)
			die("read what is synced");
		keep_content(again, content);
		close(again);
		fprintf(p.notes, "sync %" PRIu64 " f %s %s\n", number, key, content);
	}
	note_callers(number);
	finish();
	begin();
	fprintf(p.notes, "done %" PRIu64 "\n", number);
	finish();
	return 0;
}

int fsync(int fd)
{
	NEXT(fsync);
	return p.on && !inside ? note_sync(fd, "fsync", false) : next(fd);
}

int fdatasync(int fd)
{
	NEXT(fdatasync);
	return p.on && !inside ? note_sync(fd, "fdatasync", false) : next(fd);
}

int syncfs(int fd)
{
	NEXT(syncfs);
	return p.on && !inside ? note_sync(fd, "syncfs", true) : next(fd);
}

/* ---- changing ---------------------------------------------------------------------------------- */

#define OPENS(name, first, ...)                                                                    \
	{                                                                                          \
		NEXT(name);                                                                        \
		mode_t mode = 0;                                                                   \
		if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {                       \
			va_list ap;                                                                \
			va_start(ap, flags);                                                       \
			mode = (mode_t)va_arg(ap, unsigned);                                       \
			va_end(ap);                                                                \
		}                                                                                  \
		if (flags & (O_CREAT | O_TRUNC))                                                   \
			CHANGES("open %s", path);                                                  \
		return next(__VA_ARGS__, flags, mode);                                             \
	}
int open(const char *path, int flags, ...) OPENS(open, flags, path)
int open64(const char *path, int flags, ...) OPENS(open64, flags, path)
int openat(int at, const char *path, int flags, ...) OPENS(openat, flags, at, path)
int openat64(int at, const char *path, int flags, ...) OPENS(openat64, flags, at, path)

ssize_t write(int fd, const void *bytes, size_t len)
{
	NEXT(write);
	if (is_file(fd))
		CHANGES("write %zu", len);
	return next(fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	NEXT(pwrite);
	if (is_file(fd))
		CHANGES("pwrite %zu", len);
	return next(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
	NEXT(pwrite64);
	if (is_file(fd))
		CHANGES("pwrite %zu", len);
	return next(fd, bytes, len, at);
}

int ftruncate(int fd, off_t len)
{
	NEXT(ftruncate);
	CHANGES("ftruncate %" PRIdMAX, (intmax_t)len);
	return next(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
	NEXT(ftruncate64);
	CHANGES("ftruncate %" PRIdMAX, (intmax_t)len);
	return next(fd, len);
}

int rename(const char *from, const char *to)
{
	NEXT(rename);
	CHANGES("rename %s", to);
	return next(from, to);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
	NEXT(renameat2);
	CHANGES("rename %s", to);
	return next(from_at, from, to_at, to, flags);
}

int link(const char *from, const char *to)
{
	NEXT(link);
	CHANGES("link %s", to);
	return next(from, to);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	NEXT(linkat);
	CHANGES("link %s", to);
	return next(from_at, from, to_at, to, flags);
}

int unlink(const char *path)
{
	NEXT(unlink);
	CHANGES("unlink %s", path);
	return next(path);
}

int unlinkat(int at, const char *path, int flags)
{
	NEXT(unlinkat);
	CHANGES("unlink %s", path);
	return next(at, path, flags);
}

int rmdir(const char *path)
{
	NEXT(rmdir);
	CHANGES("rmdir %s", path);
	return next(path);
}

int mkdir(const char *path, mode_t mode)
{
	NEXT(mkdir);
	CHANGES("mkdir %s", path);
	return next(path, mode);
}

/* ---- what others come to know -------------------------------------------------------------------- */

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
	static const char good[] = "HTTP/1.1 2";
	NEXT(send);
	CHANGES("send");
	ssize_t sent = next(fd, bytes, len, flags);
	if (!p.on || inside || sent <= 0)
		return sent;
	int count = 0;
	const char *at = bytes, *end = at + sent;
	while (at < end && (at = memmem(at, (size_t)(end - at), good, sizeof(good) - 1)) != NULL) {
		at += sizeof(good) - 1;
		count++;
	}
	begin();
	fprintf(p.notes, "acked %d\n", count);
	finish();
	return sent;
}

static void at_exit(int code, void *arg)
{
	(void)arg;
	if (!p.on)
		return;
	begin();
	fprintf(p.notes, "exit %d\n", code);
	note_event("exit %d", code);
	finish();
}

/* ---- beginning --------------------------------------------------------------------------------- */

static int find_objects(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t end = info->dlpi_addr, here = (uintptr_t)&note_callers;
	bool *first = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		if (part->p_type == PT_LOAD && info->dlpi_addr + part->p_vaddr + part->p_memsz > end)
			end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
	}
	/* the first one is the program */
	if (*first) {
		p.base = info->dlpi_addr;
		p.end = end;
	}
	*first = false;
	if (here >= info->dlpi_addr && here < end) {
		p.own_base = info->dlpi_addr;
		p.own_end = end;
	}
	return 0;
}

/* Numbers go on where an earlier river of the same record ended. */
static void count_events(const char *path)
{
	char line[PATH_SIZE];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "event ", 6))
			p.events = strtoull(line + 6, NULL, 10);
	if (f)
		fclose(f);
}

__attribute__((constructor)) static void start(void)
{
	const char *world = getenv("POWER_WORLD"), *record = getenv("POWER_RECORD");
	void *frames[FRAMES];
	char notes[PATH_SIZE + 8];

	if (!world || !record || strcmp(program_invocation_short_name, "river") != 0)
		return;
	snprintf(p.world, sizeof(p.world), "%s", world);
	snprintf(p.record, sizeof(p.record), "%s", record);
	snprintf(notes, sizeof(notes), "%s/notes", p.record);
	count_events(notes);
	p.notes = fopen(notes, "ae");
	if (!p.notes)
		die(notes);
	bool first = true;
	dl_iterate_phdr(find_objects, &first);
	(void)backtrace(frames, FRAMES); /* the first one loads a library */
	on_exit(at_exit, NULL);
	p.on = true;
	begin();
	note_event("begin");
	finish();
}
