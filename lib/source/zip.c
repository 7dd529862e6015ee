/*
 * The parent's side: the archive, its children, and members as sources. A child inflates one member at a
 * time; one that has finished its member waits for the next, so as many are forked as members are open
 * at once. See zip_child.h for the hand-over.
 */
#include "source/zip.h"

#include <errno.h>
#include <isa-l/crc.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "source/zip_child.h"

/* Windows of zstd go up to 128 MiB. */
#define CHILD_MEMORY_BYTES (192u << 20)
/* The slowest method does 10 MiB a second; a child that takes longer does something else. */
#define CHILD_CPU_S 60
#define CHILD_CPU_BYTES (4u << 20)
#define PATIENCE_MS 600000

struct worker {
	struct worker *next;       /* among the idle */
	struct rv_sandbox sandbox;
	struct rv_zip_shared *shared;
	bool has_library;
};

struct rv_zip {
	int fd;
	char *label;
	struct rv_zip_directory directory;
	struct rv_zip_limits limits;
	struct rv_zip_child_params child;
	pthread_mutex_t mutex;     /* the idle, the state */
	struct worker *idle;
	struct rv_sandbox_state state;
};

struct member {
	struct rv_source source;
	struct rv_zip *zip;
	const struct rv_zip_entry *entry;
	char *label;
	struct worker *worker;     /* NULL once it has ended */
	size_t at;                 /* taken of the slot */
	uint64_t offset;           /* handed out */
	uint32_t crc;              /* of these */
	int64_t silent_since_ms;   /* 0: the child is not waited for */
	bool ended, failed;
	struct rv_error error;     /* once failed */
};

/* ---- children ---- */

static void worker_free(struct worker *w)
{
	if (!w)
		return;
	rv_sandbox_end(&w->sandbox);
	if (w->shared)
		munmap(w->shared, sizeof(*w->shared));
	free(w);
}

static void worker_free_p(struct worker **w)
{
	worker_free(*w);
}

static enum rv_status start_worker(struct rv_zip *zip, unsigned method, struct worker **ret,
				   struct rv_error *err)
{
	RV_CLEANUP(worker_free_p) struct worker *w = rv_calloc(1, sizeof(*w));

	w->sandbox = (struct rv_sandbox)RV_SANDBOX_INIT;
	void *shared = mmap(NULL, sizeof(*w->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return rv_fail_errno(err, RV_LOCAL_IO, "%s: cannot map memory", zip->label);
	w->shared = shared;
	w->shared->method = method;
	w->has_library = rv_zip_needs_library(method);
	struct rv_sandbox_params params = {
		.what = "the child that inflates",
		.prepare = zip->child.prepare,
		.run = zip->child.run,
		.arg = shared,
		.file = zip->fd,
		.memory_bytes = zip->child.memory_bytes,
		.cpu_s = zip->child.cpu_s,
		.no_seccomp = zip->child.no_seccomp,
		.no_landlock = zip->child.no_landlock,
	};

	if (rv_sandbox_start(&params, &w->sandbox, err) != RV_OK)
		return rv_context(err, "%s", zip->label);
	/* The next child is not to see this one's bytes. */
	(void)madvise(shared, sizeof(*w->shared), MADV_DONTFORK);
	pthread_mutex_lock(&zip->mutex);
	zip->state = w->sandbox.state;
	pthread_mutex_unlock(&zip->mutex);
	*ret = rv_take(w);
	return RV_OK;
}

static enum rv_status take_worker(struct rv_zip *zip, const struct rv_zip_entry *entry,
				  struct worker **ret, struct rv_error *err)
{
	bool needs_library = rv_zip_needs_library(entry->method);
	struct worker *w = NULL;

	pthread_mutex_lock(&zip->mutex);
	for (struct worker **p = &zip->idle; *p; p = &(*p)->next) {
		if (needs_library && !(*p)->has_library)
			continue;
		w = *p;
		*p = w->next;
		break;
	}
	pthread_mutex_unlock(&zip->mutex);
	if (!w && start_worker(zip, entry->method, &w, err) != RV_OK)
		return err->status;
	*ret = w;
	return RV_OK;
}

static void make_idle(struct rv_zip *zip, struct worker *w)
{
	pthread_mutex_lock(&zip->mutex);
	w->next = zip->idle;
	zip->idle = w;
	pthread_mutex_unlock(&zip->mutex);
}

enum rv_status rv_zip_start_children(struct rv_zip *zip, size_t count, struct rv_error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct worker *w = NULL;

		if (start_worker(zip, RV_ZIP_DEFLATE, &w, err) != RV_OK)
			return err->status;
		make_idle(zip, w);
	}
	return RV_OK;
}

/* One that is lost leaves both sides waiting for each other. A full channel wakes as well. */
static void wake(const struct worker *w)
{
	while (send(w->sandbox.channel, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
		;
}

static void give_order(struct rv_zip *zip, struct worker *w, const struct rv_zip_entry *entry)
{
	struct rv_zip_shared *s = w->shared;

	rv_sandbox_allow_cpu(&w->sandbox, zip->child.cpu_s + entry->bytes / CHILD_CPU_BYTES);
	s->data_offset = entry->data_offset;
	s->packed_bytes = entry->packed_bytes;
	s->bytes = entry->bytes;
	s->method = entry->method;
	s->flags = entry->flags;
	s->fault[0] = '\0';
	atomic_store(&s->filled, 0);
	atomic_store(&s->emptied, 0);
	atomic_store(&s->parent_waits, 0);
	atomic_store(&s->ended, RV_ZIP_RUNS);
	atomic_fetch_add(&s->order, 1);
	/* A child that is no more shows when its bytes are waited for. */
	wake(w);
}

/* ---- members ---- */

static enum rv_status fail_for_good(struct member *m, enum rv_status status, const char *fmt, ...)
	RV_PRINTF(3, 4);
static enum rv_status fail_for_good(struct member *m, enum rv_status status, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	m->error = (struct rv_error)RV_ERROR_INIT;
	rv_fail(&m->error, status, "%s: entry '%s': %s", m->zip->label, m->entry->shown, text.bytes);
	rv_error_at(&m->error, m->zip->label, 0, 0);
	if (status == RV_NOT_FOUND)
		rv_hint(&m->error, "install the package libarchive13");
	m->failed = true;
	worker_free(m->worker);
	m->worker = NULL;
	return status;
}

static enum rv_status fail_garbage(struct member *m)
{
	return fail_for_good(m, RV_BAD_DATA, "the child that inflates it handed over garbage");
}

static unsigned long long wide(uint64_t n)
{
	return (unsigned long long)n;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Its own words, as far as they may be printed. */
static enum rv_status fail_as_said(struct member *m, enum rv_zip_ended ended)
{
	char text[sizeof(m->worker->shared->fault)];

	memcpy(text, m->worker->shared->fault, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	return fail_for_good(m, ended == RV_ZIP_UNREADABLE   ? RV_LOCAL_IO
				: ended == RV_ZIP_NO_LIBRARY ? RV_NOT_FOUND
							     : RV_BAD_DATA,
			     "%s", text);
}

/* The child has ended the member, and all it gave has been taken. */
static enum rv_status finish(struct member *m, uint32_t ended)
{
	const struct rv_zip_entry *e = m->entry;

	if (ended == RV_ZIP_DAMAGED || ended == RV_ZIP_UNREADABLE || ended == RV_ZIP_NO_LIBRARY)
		return fail_as_said(m, (enum rv_zip_ended)ended);
	if (ended != RV_ZIP_DONE)
		return fail_garbage(m);
	if (m->offset != e->bytes)
		return fail_for_good(m, RV_BAD_DATA, "it inflates to %llu bytes, %llu are expected",
				     wide(m->offset), wide(e->bytes));
	if (m->crc != e->crc)
		return fail_for_good(m, RV_BAD_DATA, "its CRC-32 is %08x, %08x is expected", m->crc, e->crc);
	m->ended = true;
	make_idle(m->zip, m->worker);
	m->worker = NULL;
	return RV_OK;
}

/* Bytes of the slot at hand, copied before they are looked at. */
static enum rv_status take_bytes(struct member *m, void *buf, size_t size, size_t *ret_n)
{
	struct rv_zip_shared *s = m->worker->shared;
	uint32_t emptied = atomic_load(&s->emptied), slot = emptied % RV_ZIP_SLOTS;
	size_t len = __atomic_load_n(&s->lens[slot], __ATOMIC_RELAXED);

	if (len > RV_ZIP_SLOT_BYTES || len <= m->at)
		return fail_garbage(m);
	size_t n = len - m->at < size ? len - m->at : size;

	if (n > m->entry->bytes - m->offset)
		return fail_garbage(m);
	memcpy(buf, s->slots[slot] + m->at, n);
	m->crc = crc32_gzip_refl(m->crc, buf, n);
	m->offset += n;
	m->at += n;
	*ret_n = n;
	if (m->at < len)
		return RV_OK;
	m->at = 0;
	atomic_store(&s->emptied, emptied + 1);
	if (atomic_load(&s->filled) - (emptied + 1) <= RV_ZIP_SLOTS / 2 &&
	    atomic_exchange(&s->child_waits, 0))
		wake(m->worker);
	return RV_OK;
}

/* Until the child says something, timeout_ms have passed (*ret_waited), or it is no more. */
static enum rv_status wait_for_child(struct member *m, int64_t timeout_ms, bool *ret_waited)
{
	struct rv_sandbox *sandbox = &m->worker->sandbox;
	struct pollfd p = { .fd = sandbox->channel, .events = POLLIN };
	int64_t now = now_ms(), patience = m->zip->child.patience_ms, left;
	char bytes[64];

	if (!m->silent_since_ms)
		m->silent_since_ms = now;
	left = m->silent_since_ms + patience - now;
	if (left <= 0)
		return fail_for_good(m, RV_BAD_DATA, "the child that inflates it gave nothing for %lld s",
				     (long long)patience / 1000);
	int64_t ms = timeout_ms < 0 || timeout_ms > left ? left : timeout_ms;
	int n = poll(&p, 1, ms > INT_MAX ? INT_MAX : (int)ms);

	*ret_waited = n <= 0 && (n < 0 || ms == timeout_ms);
	if (n <= 0)
		return RV_OK;
	ssize_t got = recv(sandbox->channel, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return RV_OK;
	const char *fate = rv_sandbox_fate(sandbox, 1000);

	return fail_for_good(m, RV_BAD_DATA, "the child that inflates it %s", fate);
}

static enum rv_status member_read(struct rv_source *source, void *buf, size_t size, int64_t timeout_ms,
				  size_t *ret_n, enum rv_source_state *ret_state, struct rv_error *err)
{
	struct member *m = (struct member *)source;
	enum rv_status status = RV_OK;
	bool waited = false;

	*ret_n = 0;
	while (status == RV_OK && !m->failed && !m->ended && size) {
		struct rv_zip_shared *s = m->worker->shared;
		/* In this order: behind the last slot comes the end. */
		uint32_t ended = atomic_load(&s->ended);
		uint32_t ready = atomic_load(&s->filled) - atomic_load(&s->emptied);

		if (ready > RV_ZIP_SLOTS) {
			status = fail_garbage(m);
		} else if (ready) {
			m->silent_since_ms = 0;
			status = take_bytes(m, buf, size, ret_n);
			if (status == RV_OK) {
				*ret_state = RV_SOURCE_BYTES;
				return RV_OK;
			}
		} else if (ended != RV_ZIP_RUNS) {
			status = finish(m, ended);
		} else if (waited) {
			*ret_state = RV_SOURCE_WAIT;
			return RV_OK;
		} else if (!atomic_exchange(&s->parent_waits, 1)) {
			continue; /* look again, now that the child knows */
		} else {
			status = wait_for_child(m, timeout_ms, &waited);
		}
	}
	if (m->failed) {
		*err = m->error;
		return err->status;
	}
	*ret_state = RV_SOURCE_END;
	return RV_OK;
}

static void member_free(struct rv_source *source)
{
	struct member *m = (struct member *)source;

	worker_free(m->worker); /* in the middle of its member: it has no other use */
	free(m->label);
	free(m);
}

static const struct rv_source_ops member_ops = {
	.name = "zip",
	.read = member_read,
	.free = member_free,
};

enum rv_status rv_zip_member(struct rv_zip *zip, size_t i, struct rv_source **ret,
			     struct rv_error *err)
{
	struct worker *worker = NULL;

	if (i >= zip->directory.count)
		rv_bug("an archive of %zu entries has no %zu", zip->directory.count, i);
	if (take_worker(zip, &zip->directory.entries[i], &worker, err) != RV_OK)
		return err->status;
	struct member *m = rv_calloc(1, sizeof(*m));

	m->zip = zip;
	m->entry = &zip->directory.entries[i];
	m->worker = worker;
	m->label = rv_asprintf("%s: %s", zip->label, m->entry->shown);
	m->source = (struct rv_source){ .ops = &member_ops, .label = m->label };
	give_order(zip, worker, m->entry);
	*ret = &m->source;
	return RV_OK;
}

/* ---- members that are packed once more ---- */

/* Ends with an error where more comes than may. */
struct bounded {
	struct rv_source source;
	struct rv_source *inner;
	uint64_t left, most;
};

static enum rv_status bounded_read(struct rv_source *source, void *buf, size_t size,
				   int64_t timeout_ms, size_t *ret_n,
				   enum rv_source_state *ret_state, struct rv_error *err)
{
	struct bounded *b = (struct bounded *)source;

	if (b->inner->ops->read(b->inner, buf, size, timeout_ms, ret_n, ret_state, err) != RV_OK)
		return err->status;
	if (*ret_state != RV_SOURCE_BYTES)
		return RV_OK;
	if (*ret_n > b->left) {
		*ret_n = 0;
		rv_fail(err, RV_BAD_DATA, "%s decompresses to more than %llu bytes", source->label,
			wide(b->most));
		rv_hint(err, "the limits of a job (max_bytes, max_ratio) may allow more");
		return RV_BAD_DATA;
	}
	b->left -= *ret_n;
	return RV_OK;
}

static void bounded_free(struct rv_source *source)
{
	struct bounded *b = (struct bounded *)source;

	rv_source_free(b->inner);
	free(b);
}

static const struct rv_source_ops bounded_ops = {
	.name = "zip",
	.read = bounded_read,
	.free = bounded_free,
};

static enum rv_compression compression_of(const char *name)
{
	return rv_ends_with(name, ".gz")    ? RV_COMPRESSION_GZIP
	       : rv_ends_with(name, ".zst") ? RV_COMPRESSION_ZSTD
	       : rv_ends_with(name, ".bz2") ? RV_COMPRESSION_BZIP2
	       : rv_ends_with(name, ".xz")  ? RV_COMPRESSION_XZ
					    : RV_COMPRESSION_NONE;
}

enum rv_status rv_zip_member_unpacked(struct rv_zip *zip, size_t i, struct rv_source **ret,
				      struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	struct rv_source *unpacked = NULL;

	if (rv_zip_member(zip, i, &source, err) != RV_OK)
		return err->status;
	const struct rv_zip_entry *e = &zip->directory.entries[i];
	enum rv_compression compression = compression_of(e->name);

	if (compression == RV_COMPRESSION_NONE) {
		*ret = rv_take(source);
		return RV_OK;
	}
	if (rv_source_decompress_new(rv_take(source), compression, NULL, 0, &unpacked, err) != RV_OK)
		return err->status;
	struct bounded *b = rv_calloc(1, sizeof(*b));
	uint64_t by_ratio;

	if (__builtin_mul_overflow(e->packed_bytes, zip->limits.max_ratio, &by_ratio))
		by_ratio = UINT64_MAX;
	b->most = by_ratio < RV_ZIP_RATIO_FREE_BYTES ? RV_ZIP_RATIO_FREE_BYTES : by_ratio;
	if (b->most > zip->limits.max_bytes)
		b->most = zip->limits.max_bytes;
	b->left = b->most;
	b->inner = unpacked;
	b->source = (struct rv_source){ .ops = &bounded_ops, .label = unpacked->label };
	*ret = &b->source;
	return RV_OK;
}

/* ---- the archive ---- */

bool rv_zip_detect(const void *p, size_t len)
{
	return len >= 4 && (memcmp(p, "PK\3\4", 4) == 0 || memcmp(p, "PK\5\6", 4) == 0);
}

static enum rv_status read_fd(void *arg, void *p, size_t len, uint64_t offset, struct rv_error *err)
{
	const struct rv_zip *zip = arg;
	size_t n = 0;

	if (rv_pread_full(zip->fd, p, len, offset, &n, zip->label, err) != RV_OK)
		return err->status;
	if (n == len)
		return RV_OK;
	return rv_fail(err, RV_BAD_DATA, "%s: it became shorter than %llu bytes while it was read",
		       zip->label, wide(offset + len));
}

enum rv_status rv_zip_open(int fd, const char *label, const struct rv_zip_limits *limits,
			   struct rv_zip **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_zip_free_p) struct rv_zip *zip = rv_calloc(1, sizeof(*zip));
	struct stat st;

	zip->fd = fd;
	zip->label = rv_strdup(label);
	pthread_mutex_init(&zip->mutex, NULL);
	zip->child = (struct rv_zip_child_params){ .prepare = rv_zip_child_prepare,
						   .run = rv_zip_child_run,
						   .memory_bytes = CHILD_MEMORY_BYTES,
						   .cpu_s = CHILD_CPU_S,
						   .patience_ms = PATIENCE_MS };
	zip->limits = rv_zip_limits_with_defaults(limits);
	if (fstat(fd, &st) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "cannot read %s", label);
	if (S_ISDIR(st.st_mode))
		return rv_fail(err, RV_USAGE, "%s is a folder, not an archive", label);
	if (!S_ISREG(st.st_mode)) {
		rv_fail(err, RV_LOCAL_IO, "%s: an archive has to be a regular file: its directory is at its "
			"end", label);
		rv_hint(err, "write it to a file first");
		return err->status;
	}
	struct rv_zip_input input = { (uint64_t)st.st_size, read_fd, zip };

	if (rv_zip_directory_read(&input, label, &zip->limits, &zip->directory, err) != RV_OK)
		return err->status;
	*ret = rv_take(zip);
	return RV_OK;
}

void rv_zip_free(struct rv_zip *zip)
{
	if (!zip)
		return;
	while (zip->idle) {
		struct worker *next = zip->idle->next;

		worker_free(zip->idle);
		zip->idle = next;
	}
	if (zip->fd >= 0)
		close(zip->fd);
	rv_zip_directory_release(&zip->directory);
	pthread_mutex_destroy(&zip->mutex);
	free(zip->label);
	free(zip);
}

void rv_zip_free_p(struct rv_zip **zip)
{
	rv_zip_free(*zip);
}

size_t rv_zip_count(const struct rv_zip *zip)
{
	return zip->directory.count;
}

const struct rv_zip_entry *rv_zip_entry(const struct rv_zip *zip, size_t i)
{
	return &zip->directory.entries[i];
}

const struct rv_zip_directory *rv_zip_directory(const struct rv_zip *zip)
{
	return &zip->directory;
}

const char *rv_zip_label(const struct rv_zip *zip)
{
	return zip->label;
}

enum rv_status rv_zip_identity(const struct rv_zip *zip, char ret[RV_ZIP_IDENTITY_TEXT],
			       struct rv_error *err)
{
	return rv_zip_directory_identity(&zip->directory, ret, err);
}

struct rv_sandbox_state rv_zip_sandbox(struct rv_zip *zip)
{
	pthread_mutex_lock(&zip->mutex);
	struct rv_sandbox_state state = zip->state;

	pthread_mutex_unlock(&zip->mutex);
	return state;
}

void rv_zip_set_child(struct rv_zip *zip, const struct rv_zip_child_params *params)
{
	struct rv_zip_child_params now = *params;

	if (!now.prepare)
		now.prepare = zip->child.prepare;
	if (!now.run)
		now.run = zip->child.run;
	if (!now.memory_bytes)
		now.memory_bytes = zip->child.memory_bytes;
	if (!now.cpu_s)
		now.cpu_s = zip->child.cpu_s;
	if (!now.patience_ms)
		now.patience_ms = zip->child.patience_ms;
	zip->child = now;
}
