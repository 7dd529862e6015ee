/*
 * The child's side of zip_child.h. Stored, deflated (ISA-L) and zstd members are inflated here; for all
 * others libarchive is handed an archive of one entry, made of the member's packed bytes and a header of
 * river's: so of libarchive only the decoders are used, and none of its reading of archives.
 */
#include "source/zip_child.h"

#include <dlfcn.h>
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
#include <zstd.h>

#include "base/memory.h"

#define INPUT_BYTES (256u << 10)

struct job {
	struct rv_zip_shared *shared;
	int file, channel;
	/* copies of the order */
	uint64_t bytes, packed_bytes;
	uint32_t method, flags;
	/* input */
	unsigned char *in;
	size_t in_pos, in_len;
	uint64_t offset, packed_left; /* in the file: what has not been read */
	/* output */
	unsigned char *slot;
	size_t slot_len;
	uint64_t produced;
	enum rv_zip_ended ended; /* once it does not run: for the parent to see behind the last slot */
};

static bool fault(struct job *j, enum rv_zip_ended ended, const char *fmt, ...) RV_PRINTF(3, 4);
static bool fault(struct job *j, enum rv_zip_ended ended, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(j->shared->fault, sizeof(j->shared->fault), fmt, ap);
	va_end(ap);
	j->ended = ended;
	return false;
}

static bool damaged(struct job *j, const char *why)
{
	return fault(j, RV_ZIP_DAMAGED, "its packed data is damaged after %llu inflated bytes: %s",
		     (unsigned long long)j->produced, why);
}

static bool ends_early(struct job *j)
{
	return fault(j, RV_ZIP_DAMAGED, "its packed data ends early, after %llu inflated bytes",
		     (unsigned long long)j->produced);
}

static unsigned long long wide(uint64_t n)
{
	return (unsigned long long)n;
}

/* ---- the channel ---- */

static _Noreturn void leave(void)
{
	syscall(SYS_exit_group, 0); /* as sandbox.c does */
	_exit(0);
}

/* Waits for a byte; without a parent there is nothing left to do. */
static void wait_for_byte(const struct job *j)
{
	char byte;
	ssize_t n;

	do
		n = read(j->channel, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		leave();
}

static void wake_parent(const struct job *j)
{
	if (atomic_exchange(&j->shared->parent_waits, 0) && write(j->channel, "", 1) != 1)
		leave();
}

static uint32_t pending(const struct job *j)
{
	return atomic_load(&j->shared->filled) - atomic_load(&j->shared->emptied);
}

/* ---- output ---- */

static void publish(struct job *j)
{
	uint32_t filled = atomic_load(&j->shared->filled);

	j->shared->lens[filled % RV_ZIP_SLOTS] = (uint32_t)j->slot_len;
	atomic_store(&j->shared->filled, filled + 1);
	j->slot = NULL;
	j->slot_len = 0;
	/* Not for every slot: going to sleep and waking up costs both sides. */
	if (pending(j) >= RV_ZIP_SLOTS / 2)
		wake_parent(j);
}

static void take_slot(struct job *j)
{
	if (pending(j) >= RV_ZIP_SLOTS) {
		for (;;) {
			atomic_store(&j->shared->child_waits, 1);
			if (pending(j) <= RV_ZIP_SLOTS / 2)
				break;
			wait_for_byte(j);
		}
		atomic_store(&j->shared->child_waits, 0);
	}
	j->slot = j->shared->slots[atomic_load(&j->shared->filled) % RV_ZIP_SLOTS];
	j->slot_len = 0;
}

/* Room for the next bytes: at most one more than there may be, so that too many show. */
static unsigned char *room(struct job *j, size_t *ret_size)
{
	if (j->slot && j->slot_len == RV_ZIP_SLOT_BYTES)
		publish(j);
	if (!j->slot)
		take_slot(j);
	uint64_t may = j->bytes - j->produced + 1;

	*ret_size = RV_ZIP_SLOT_BYTES - j->slot_len;
	if (may < *ret_size)
		*ret_size = (size_t)may;
	return j->slot + j->slot_len;
}

static bool took(struct job *j, size_t n)
{
	j->slot_len += n;
	j->produced += n;
	if (j->produced <= j->bytes)
		return true;
	j->slot_len--; /* the one too many */
	return fault(j, RV_ZIP_DAMAGED, "it inflates to more than the %llu bytes its directory says",
		     wide(j->bytes));
}

/* ---- input ---- */

/* At most `size` packed bytes into `p`; *ret_n 0 when there are no more. */
static bool read_packed(struct job *j, void *p, size_t size, size_t *ret_n)
{
	ssize_t n;

	if (size > j->packed_left)
		size = (size_t)j->packed_left;
	*ret_n = 0;
	if (size == 0)
		return true;
	do
		n = pread(j->file, p, size, (off_t)j->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fault(j, RV_ZIP_UNREADABLE, "cannot read at byte %llu: %s", wide(j->offset),
			     strerror(errno));
	if (n == 0)
		return fault(j, RV_ZIP_DAMAGED, "the file became shorter than %llu bytes while it was read",
			     wide(j->offset));
	j->offset += (uint64_t)n;
	j->packed_left -= (uint64_t)n;
	*ret_n = (size_t)n;
	return true;
}

static bool refill(struct job *j)
{
	j->in_pos = 0;
	return read_packed(j, j->in, INPUT_BYTES, &j->in_len);
}

static bool leftover(struct job *j, uint64_t n)
{
	return n == 0 || fault(j, RV_ZIP_DAMAGED, "%llu packed bytes follow its end", wide(n));
}

/* ---- methods ---- */

static bool copy_stored(struct job *j)
{
	while (j->packed_left) {
		size_t size = 0, n = 0;
		unsigned char *p = room(j, &size);

		if (!read_packed(j, p, size, &n) || !took(j, n))
			return false;
	}
	return true;
}

static bool inflate_all(struct job *j)
{
	static struct inflate_state z; /* 80 KiB */

	isal_inflate_init(&z);
	for (;;) {
		size_t size = 0;

		if (z.avail_in == 0) {
			if (!refill(j))
				return false;
			z.next_in = j->in;
			z.avail_in = (uint32_t)j->in_len;
		}
		unsigned char *p = room(j, &size);

		z.next_out = p;
		z.avail_out = (uint32_t)size;
		bool dry = z.avail_in == 0;
		int result = isal_inflate(&z);
		size_t n = size - z.avail_out;

		if (!took(j, n))
			return false;
		if (result < 0)
			return damaged(j, result == ISAL_INVALID_LOOKBACK ? "it refers to bytes before its first"
					  : result == ISAL_INVALID_SYMBOL ? "an unknown code"
									  : "a block that is none");
		if (z.block_state == ISAL_BLOCK_FINISH)
			return leftover(j, j->packed_left + z.avail_in + (uint64_t)z.read_in_length / 8);
		if (dry && n == 0)
			return ends_early(j);
	}
}

static bool decompress_zstd(struct job *j)
{
	static ZSTD_DStream *z;
	size_t result = 1;

	if (!z)
		z = ZSTD_createDStream();
	if (!z || ZSTD_isError(ZSTD_DCtx_reset(z, ZSTD_reset_session_only)))
		return damaged(j, "the decoder does not start");
	for (;;) {
		size_t size = 0;

		if (j->in_pos == j->in_len) {
			if (!refill(j))
				return false;
			if (j->in_len == 0 && result == 0)
				return true;
		}
		unsigned char *p = room(j, &size);
		ZSTD_inBuffer in = { j->in, j->in_len, j->in_pos };
		ZSTD_outBuffer out = { p, size, 0 };
		bool dry = j->in_len == 0;

		result = ZSTD_decompressStream(z, &out, &in);
		j->in_pos = in.pos;
		if (!took(j, out.pos))
			return false;
		if (ZSTD_isError(result))
			return damaged(j, ZSTD_getErrorName(result));
		if (dry && out.pos == 0)
			return ends_early(j);
	}
}

/* ---- libarchive, by its documented interface (archive_read(3)) ---- */

#define ARCHIVE_LIBRARY "libarchive.so.13"
#define ARCHIVE_OK 0

static struct {
	bool open;
	void *(*read_new)(void);
	int (*support_zip)(void *);
	int (*set_option)(void *, const char *module, const char *option, const char *value);
	int (*read_open)(void *, void *arg, int (*opened)(void *, void *),
			 ssize_t (*read)(void *, void *, const void **), int (*closed)(void *, void *));
	int (*next_header)(void *, void **entry);
	ssize_t (*read_data)(void *, void *, size_t);
	const char *(*error_string)(void *);
	int (*read_free)(void *);
} archive;

static bool find(void *library, const char *name, void *ret_function)
{
	void *p = dlsym(library, name);

	memcpy(ret_function, &p, sizeof(p)); /* ISO C has no cast from object to function */
	return p != NULL;
}

void rv_zip_child_prepare(void *arg)
{
	struct rv_zip_shared *shared = arg;

	if (!rv_zip_needs_library(shared->method))
		return;
	/* Everything bound now: later it could not be. */
	void *library = dlopen(ARCHIVE_LIBRARY, RTLD_NOW | RTLD_LOCAL);

	archive.open = library && find(library, "archive_read_new", &archive.read_new) &&
		       find(library, "archive_read_support_format_zip_streamable", &archive.support_zip) &&
		       find(library, "archive_read_set_option", &archive.set_option) &&
		       find(library, "archive_read_open", &archive.read_open) &&
		       find(library, "archive_read_next_header", &archive.next_header) &&
		       find(library, "archive_read_data", &archive.read_data) &&
		       find(library, "archive_error_string", &archive.error_string) &&
		       find(library, "archive_read_free", &archive.read_free);
}

static size_t put(unsigned char *p, size_t at, uint64_t n, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[at + i] = (unsigned char)(n >> 8 * i);
	return at + size;
}

/* A local header for the member: no name to speak of, sizes always with zip64. The CRC-32 is for the
 * parent to compare, so it is not said. */
static size_t make_header(const struct job *j, unsigned char *p)
{
	size_t at = put(p, 0, 0x04034b50, 4);

	at = put(p, at, 63, 2);                 /* the version that knows all methods */
	at = put(p, at, j->flags & 6, 2);       /* how the method was used: lzma needs it */
	at = put(p, at, j->method, 2);
	at = put(p, at, 0, 2);
	at = put(p, at, 0x21, 2);               /* 1980-01-01 */
	at = put(p, at, 0, 4);
	at = put(p, at, UINT32_MAX, 4);
	at = put(p, at, UINT32_MAX, 4);
	at = put(p, at, 1, 2);
	at = put(p, at, 20, 2);
	at = put(p, at, 'm', 1);
	at = put(p, at, 1, 2);
	at = put(p, at, 16, 2);
	at = put(p, at, j->bytes, 8);
	return put(p, at, j->packed_bytes, 8);
}

struct feed {
	struct job *j;
	unsigned char header[64];
	bool begun, broken;
};

static ssize_t feed_read(void *a, void *arg, const void **ret)
{
	struct feed *feed = arg;
	struct job *j = feed->j;

	(void)a;
	if (!feed->begun) {
		feed->begun = true;
		*ret = feed->header;
		return (ssize_t)make_header(j, feed->header);
	}
	if (!refill(j)) {
		feed->broken = true; /* the fault is said */
		return -1;
	}
	*ret = j->in;
	return (ssize_t)j->in_len;
}

static bool from_archive(struct job *j, void *a)
{
	struct feed feed = { .j = j };
	void *entry = NULL;

	if (archive.support_zip(a) != ARCHIVE_OK ||
	    archive.set_option(a, "zip", "ignorecrc32", "1") != ARCHIVE_OK ||
	    archive.read_open(a, &feed, NULL, feed_read, NULL) != ARCHIVE_OK ||
	    archive.next_header(a, &entry) != ARCHIVE_OK) {
		const char *why = archive.error_string(a);

		return feed.broken ? false : damaged(j, why ? why : "libarchive does not read it");
	}
	for (;;) {
		size_t size = 0;
		unsigned char *p = room(j, &size);
		ssize_t n = archive.read_data(a, p, size);

		if (feed.broken)
			return false;
		if (n < 0) {
			const char *why = archive.error_string(a);

			return damaged(j, why ? why : "libarchive does not read it");
		}
		if (n == 0)
			return leftover(j, j->packed_left);
		if (!took(j, (size_t)n))
			return false;
	}
}

static bool by_library(struct job *j)
{
	if (!archive.open)
		return fault(j, RV_ZIP_NO_LIBRARY, "it is packed by a method that needs %s",
			     ARCHIVE_LIBRARY);
	void *a = archive.read_new();

	if (!a)
		return damaged(j, "libarchive does not start");
	bool good = from_archive(j, a);

	archive.read_free(a);
	return good;
}

/* ---- orders ---- */

static void run_job(struct job *j)
{
	bool good;

	switch (j->method) {
	case RV_ZIP_STORED:
		good = copy_stored(j);
		break;
	case RV_ZIP_DEFLATE:
		good = inflate_all(j);
		break;
	case RV_ZIP_ZSTD:
		good = decompress_zstd(j);
		break;
	default:
		good = by_library(j);
		break;
	}
	/* What came before a fault is handed over too: its reader may be far behind. */
	if (j->slot && j->slot_len)
		publish(j);
	atomic_store(&j->shared->ended, (uint32_t)(good ? RV_ZIP_DONE : j->ended));
	wake_parent(j);
}

int rv_zip_child_run(void *arg, int file, int channel)
{
	struct rv_zip_shared *shared = arg;
	unsigned char *in = rv_malloc(INPUT_BYTES);
	uint32_t done = 0;

	for (;;) {
		struct job j = { .shared = shared, .file = file, .channel = channel, .in = in };

		while (atomic_load(&shared->order) == done)
			wait_for_byte(&j);
		done = atomic_load(&shared->order);
		j.bytes = shared->bytes;
		j.packed_bytes = j.packed_left = shared->packed_bytes;
		j.offset = shared->data_offset;
		j.method = shared->method;
		j.flags = shared->flags;
		run_job(&j);
	}
}
