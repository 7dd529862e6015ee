/*
 * Any packed bytes as a member of an archive, inflated by the function that the sandboxed child runs (here a
 * thread, so that the fuzzer sees into it): never more than was announced, whole or a readable fault, and for
 * deflate the same verdict as another library. Plain bytes, packed by others, come back.
 *
 * The first byte chooses method and flags, the second how many bytes are announced beside the truth.
 */
#include "fuzz.h"

#include <errno.h>
#include <libdeflate.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#include "base/strbuf.h"
#include "format/text_copy.h"
#include "format/zip_directory.h"
#include "source/zip_child.h"

#define MOST_BYTES (2u << 20)

static struct rv_zip_shared *shared;
static int file = -1, channels[2];

static void *run_child(void *arg)
{
	(void)arg;
	rv_zip_child_run(shared, file, channels[1]);
	return NULL;
}

static void set_up(void)
{
	pthread_t thread;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	file = memfd_create("archive.zip", MFD_CLOEXEC);
	CHECK(file >= 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channels) == 0);
	/* any method that needs it: the library is opened for all that follow */
	shared->method = RV_ZIP_XZ;
	rv_zip_child_prepare(shared);
	CHECK(pthread_create(&thread, NULL, run_child, NULL) == 0);
	CHECK(pthread_detach(thread) == 0);
}

/* What the parent in lib/source/zip.c does, without its doubts. Returns how it ended. */
static uint32_t inflate(unsigned method, unsigned flags, const char *p, size_t len, uint64_t bytes,
			struct rv_strbuf *out)
{
	CHECK(ftruncate(file, 0) == 0 && pwrite(file, p, len, 3) == (ssize_t)len);
	shared->data_offset = 3;
	shared->packed_bytes = len;
	shared->bytes = bytes;
	shared->method = method;
	shared->flags = flags;
	shared->fault[0] = '\0';
	atomic_store(&shared->filled, 0);
	atomic_store(&shared->emptied, 0);
	atomic_store(&shared->parent_waits, 0);
	atomic_store(&shared->ended, RV_ZIP_RUNS);
	atomic_fetch_add(&shared->order, 1);
	CHECK(write(channels[0], "", 1) == 1);
	for (;;) {
		uint32_t ended = atomic_load(&shared->ended), emptied = atomic_load(&shared->emptied);
		uint32_t ready = atomic_load(&shared->filled) - emptied;
		char byte;

		CHECK(ready <= RV_ZIP_SLOTS);
		if (ready) {
			size_t slot_len = shared->lens[emptied % RV_ZIP_SLOTS];

			CHECK(slot_len > 0 && slot_len <= RV_ZIP_SLOT_BYTES);
			rv_strbuf_add(out, shared->slots[emptied % RV_ZIP_SLOTS], slot_len);
			CHECK(out->len <= bytes);
			atomic_store(&shared->emptied, emptied + 1);
			if (atomic_exchange(&shared->child_waits, 0))
				CHECK(write(channels[0], "", 1) == 1);
		} else if (ended != RV_ZIP_RUNS) {
			return ended;
		} else if (atomic_exchange(&shared->parent_waits, 1)) {
			ssize_t n;

			do /* the fuzzer has timers */
				n = read(channels[0], &byte, 1);
			while (n < 0 && errno == EINTR);
			CHECK(n == 1);
		}
	}
}

static void check_end(uint32_t ended, const struct rv_strbuf *out, uint64_t bytes)
{
	if (ended == RV_ZIP_DONE) {
		CHECK(!shared->fault[0] && out->len <= bytes);
		return;
	}
	CHECK(ended == RV_ZIP_DAMAGED || ended == RV_ZIP_NO_LIBRARY);
	CHECK(shared->fault[0] && memchr(shared->fault, '\0', sizeof(shared->fault)));
}

/* libdeflate wants all the room there may be, so it is asked with one byte more. */
static void check_deflate(const char *p, size_t len, uint64_t bytes, uint32_t ended,
			  const struct rv_strbuf *out)
{
	struct libdeflate_decompressor *other = libdeflate_alloc_decompressor();
	RV_CLEANUP(rv_free_p) char *room = rv_malloc(bytes + 1);
	size_t used = 0, n = 0;

	CHECK(other);
	bool good = libdeflate_deflate_decompress_ex(other, p, len, room, bytes + 1, &used, &n) ==
			    LIBDEFLATE_SUCCESS && used == len && n <= bytes;

	libdeflate_free_decompressor(other);
	if (ended == RV_ZIP_DONE)
		CHECK(good && n == out->len && memcmp(room, out->bytes, n) == 0);
	else
		CHECK(!good);
}

static void check_round(const char *p, size_t len, unsigned level)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	struct libdeflate_compressor *c = libdeflate_alloc_compressor((int)(level % 12) + 1);
	size_t room = libdeflate_deflate_compress_bound(c, len) + ZSTD_compressBound(len);
	RV_CLEANUP(rv_free_p) char *packed = rv_malloc(room);
	size_t n = libdeflate_deflate_compress(c, p, len, packed, room);

	libdeflate_free_compressor(c);
	CHECK(n && inflate(RV_ZIP_DEFLATE, 0, packed, n, len, &out) == RV_ZIP_DONE);
	CHECK(out.len == len && memcmp(out.bytes, p, len) == 0);
	rv_strbuf_clear(&out);
	n = ZSTD_compress(packed, room, p, len, 1);
	CHECK(!ZSTD_isError(n) && inflate(RV_ZIP_ZSTD, 0, packed, n, len, &out) == RV_ZIP_DONE);
	CHECK(out.len == len && memcmp(out.bytes, p, len) == 0);
	/* one byte less than there is, and one that is missing */
	rv_strbuf_clear(&out);
	CHECK(!len || inflate(RV_ZIP_ZSTD, 0, packed, n, len - 1, &out) == RV_ZIP_DAMAGED);
	rv_strbuf_clear(&out);
	CHECK(inflate(RV_ZIP_ZSTD, 0, packed, n - 1, len, &out) == RV_ZIP_DAMAGED);
	rv_strbuf_clear(&out);
	CHECK(inflate(RV_ZIP_STORED, 0, p, len, len, &out) == RV_ZIP_DONE && out.len == len);
}

/* A member of this method says how much memory it wants. The child has a limit for that, a thread has none. */
static bool wants_too_much(unsigned method, const char *p, size_t len)
{
	return method == RV_ZIP_LZMA && len > 8 && (unsigned char)p[8] >= 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned methods[] = { RV_ZIP_DEFLATE, RV_ZIP_ZSTD, RV_ZIP_STORED, RV_ZIP_BZIP2,
					    RV_ZIP_LZMA, RV_ZIP_XZ, RV_ZIP_PPMD, RV_ZIP_DEFLATE };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;

	if (size < 2 || size > 64 << 10)
		return 0;
	if (!shared)
		set_up();
	const char *p = (const char *)data + 2;
	size_t len = size - 2;
	unsigned method = methods[data[0] & 7], flags = data[0] >> 3 & 6;
	/* of every size, small ones more often */
	uint64_t bytes = data[1] < 128 ? data[1] : (uint64_t)data[1] << (data[1] & 15);

	if (wants_too_much(method, p, len))
		return 0;
	if (bytes > MOST_BYTES)
		bytes = MOST_BYTES;
	uint32_t ended = inflate(method, flags, p, len, bytes, &out);

	check_end(ended, &out, bytes);
	if (method == RV_ZIP_DEFLATE)
		check_deflate(p, len, bytes, ended, &out);
	if ((data[0] & 7) == 7)
		check_round(p, len, data[1]);
	return 0;
}
