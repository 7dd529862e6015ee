/* Members of archives: what was packed comes out, and whatever goes wrong names archive and entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "source/zip.h"
#include "source/zip_child.h"
#define MAKE_ZIP_NO_MAIN
#include "lib/make_zip.c"

#define MEMBERS_MAX 50 /* of archives with thousands, so many are read */

static int file_of(const struct bytes *b)
{
	int fd = memfd_create("extract.zip", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b->p ? (const void *)b->p : "", b->len), b->len);
	return fd;
}

static struct bytes bytes_of(const char *name)
{
	struct zip z = { 0 };

	for (int i = 0; i < ZIP_CASES; i++) {
		if (strcmp(zip_cases[i].name, name) != 0)
			continue;
		zip_cases[i].make(&z);
		return z.out;
	}
	fail_msg("no case %s", name);
	return z.out;
}

static struct rv_zip *open_bytes(struct bytes b)
{
	struct rv_zip *zip = NULL;
	struct rv_error err = RV_ERROR_INIT;

	if (rv_zip_open(file_of(&b), "extract.zip", NULL, &zip, &err) != RV_OK)
		fail_msg("%s", err.message);
	free(b.p);
	return zip;
}

static struct rv_zip *open_case(const char *name)
{
	return open_bytes(bytes_of(name));
}

/* To its end, in pieces of `piece`. */
static enum rv_status read_source(struct rv_source *source, size_t piece, struct rv_strbuf *sb,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(piece);

	for (;;) {
		enum rv_source_state state = RV_SOURCE_WAIT;
		size_t n = 0;

		if (source->ops->read(source, buf, piece, -1, &n, &state, err) != RV_OK)
			return err->status;
		if (state == RV_SOURCE_END)
			return RV_OK;
		rv_strbuf_add(sb, buf, n);
	}
}

static enum rv_status read_member(struct rv_zip *zip, size_t i, size_t piece, struct rv_strbuf *sb,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;

	if (rv_zip_member(zip, i, &source, err) != RV_OK)
		return err->status;
	return read_source(source, piece, sb, err);
}

/* ---- against libarchive, which reads archives in its own way ---- */

static void *libarchive;
#define LA(name) ((__typeof__(&name))dlsym(libarchive, #name))

/* The bytes of entry `name`, as libarchive finds it through the directory. */
static void read_by_libarchive(const struct bytes *b, const char *name, struct rv_strbuf *sb)
{
	struct archive *a = LA(archive_read_new)();
	struct archive_entry *entry;
	char buf[1 << 16];
	int code;

	assert_int_equal(LA(archive_read_support_format_zip_seekable)(a), ARCHIVE_OK);
	assert_int_equal(LA(archive_read_open_memory)(a, b->p, b->len), ARCHIVE_OK);
	while ((code = LA(archive_read_next_header)(a, &entry)) == ARCHIVE_OK || code == ARCHIVE_WARN) {
		const char *path = LA(archive_entry_pathname)(entry);
		ssize_t n;

		if (!path || strcmp(path, name) != 0)
			continue;
		while ((n = LA(archive_read_data)(a, buf, sizeof(buf))) > 0)
			rv_strbuf_add(sb, buf, (size_t)n);
		assert_int_equal(n, 0);
		LA(archive_read_free)(a);
		return;
	}
	fail_msg("libarchive has no %s", name);
}

/* Where libarchive of Debian 12 gives nothing to compare with: it fails on zstd of a high ratio, takes an
 * end record's signature within the comment for the end, refuses extra fields that are none, and names
 * are not its strength. */
static bool comparable(const char *case_name, const char *name)
{
	static const char *const others[] = { "102-blanks", "109-comment",
					      "110-extra-short", "110-extra-over" };

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strcmp(case_name, others[i]) == 0)
			return false;
	for (; *name; name++)
		if ((unsigned char)*name >= 0x80)
			return false;
	return true;
}

static void one_case(void **state)
{
	const struct zip_case *c = *state;
	struct bytes b = bytes_of(c->name);
	struct rv_zip *zip = NULL;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_zip_open(file_of(&b), "extract.zip", NULL, &zip, &err);
	size_t damaged = 0, compared = 0;

	if (c->says[0] && !c->member) {
		assert_int_equal(status, RV_BAD_DATA);
		assert_null(zip);
		free(b.p);
		return;
	}
	if (status != RV_OK)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < rv_zip_count(zip) && i < MEMBERS_MAX; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf ours = RV_STRBUF_INIT, theirs = RV_STRBUF_INIT;
		const struct rv_zip_entry *e = rv_zip_entry(zip, i);

		if (read_member(zip, i, 1 << 16, &ours, &err) != RV_OK) {
			damaged++;
			assert_int_equal(err.status, RV_BAD_DATA);
			if (!c->member || !strstr(err.message, c->says))
				fail_msg("%s", err.message);
			assert_memory_equal(err.message, "extract.zip: entry '", 20);
			assert_non_null(strstr(err.message, e->shown));
			continue;
		}
		assert_int_equal(ours.len, e->bytes);
		if (c->member || !comparable(c->name, e->name) || rv_zip_count(zip) > MEMBERS_MAX)
			continue;
		read_by_libarchive(&b, e->name, &theirs);
		assert_int_equal(ours.len, theirs.len);
		assert_memory_equal(ours.bytes, theirs.bytes, ours.len);
		compared++;
	}
	assert_int_equal(damaged, c->member ? 1 : 0);
	if (strcmp(c->name, "mixed") == 0)
		assert_int_equal(compared, 5);
	rv_zip_free(zip);
	free(b.p);
}

/* ---- sizes of pieces, ends, ways to stop ---- */

static void pieces_of_all_sizes(void **state)
{
	static const size_t pieces[] = { 1000, 4096, 65537, 262144, 1 << 20, 5 << 20 };
	struct rv_zip *zip = open_case("large");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf first = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	assert_int_equal(read_member(zip, 2, 1 << 20, &first, &err), RV_OK);
	assert_true(first.len > 3u << 20);
	for (size_t i = 0; i < rv_zip_count(zip); i++)
		for (size_t k = 0; k < sizeof(pieces) / sizeof(*pieces); k++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

			assert_int_equal(read_member(zip, i, pieces[k], &sb, &err), RV_OK);
			assert_int_equal(sb.len, first.len);
			assert_memory_equal(sb.bytes, first.bytes, sb.len);
		}
	rv_zip_free(zip);
}

static void the_end_stays_and_so_does_a_failure(void **state)
{
	struct rv_zip *zip = open_case("90-crc-stored");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_source *good = NULL, *bad = NULL;
	enum rv_source_state state_of = RV_SOURCE_WAIT;
	char byte;
	size_t n = 7;

	(void)state;
	assert_int_equal(rv_zip_member(zip, 0, &good, &err), RV_OK);
	assert_string_equal(good->label, "extract.zip: a.csv");
	assert_int_equal(read_source(good, 10, &sb, &err), RV_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(good->ops->read(good, &byte, 1, -1, &n, &state_of, &err), RV_OK);
		assert_int_equal(state_of, RV_SOURCE_END);
		assert_int_equal(n, 0);
	}
	assert_int_equal(rv_zip_member(zip, 1, &bad, &err), RV_OK);
	for (int i = 0; i < 2; i++) {
		err = (struct rv_error)RV_ERROR_INIT;
		assert_int_equal(read_source(bad, 10, &sb, &err), RV_BAD_DATA);
		assert_non_null(strstr(err.message, "extract.zip: entry 'b.csv': its CRC-32 is "));
		assert_string_equal(err.file, "extract.zip");
	}
	rv_source_free(bad);
	rv_source_free(good);
	rv_zip_free(zip);
}

static void stopping_in_the_middle(void **state)
{
	struct rv_zip *zip = open_case("large");
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	for (int i = 0; i < 6; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
		struct rv_source *source = NULL;
		enum rv_source_state state_of = RV_SOURCE_WAIT;
		char buf[100];
		size_t n = 0;

		assert_int_equal(rv_zip_member(zip, (size_t)i % 3, &source, &err), RV_OK);
		if (i >= 3)
			assert_int_equal(source->ops->read(source, buf, sizeof(buf), -1, &n, &state_of, &err),
					 RV_OK);
		rv_source_free(source);
		assert_int_equal(read_member(zip, (size_t)i % 3, 1 << 16, &sb, &err), RV_OK);
	}
	rv_zip_free(zip);
}

struct reader {
	struct rv_zip *zip;
	size_t i;
	bool good;
};

static void *read_in_thread(void *arg)
{
	struct reader *r = arg;
	struct rv_error err = RV_ERROR_INIT;

	r->good = true;
	for (int k = 0; k < 5; k++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

		r->good &= read_member(r->zip, (r->i + (size_t)k) % 3, 10000, &sb, &err) == RV_OK;
	}
	return NULL;
}

static void several_threads(void **state)
{
	struct rv_zip *zip = open_case("large");
	struct reader readers[4];
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		readers[i] = (struct reader){ zip, i, false };
		assert_int_equal(pthread_create(&threads[i], NULL, read_in_thread, &readers[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(readers[i].good);
	}
	rv_zip_free(zip);
}

/* One flipped bit in each byte of data: found out while reading, or without consequence. Never other
 * bytes, whatever the method. Headers are test_zip_directory's. */
static void a_flipped_bit_never_gives_other_bytes(void **state)
{
	static const char *const names[] = { "methods", "mixed" };
	size_t found = 0;

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct bytes b = bytes_of(names[k]);
		struct rv_zip *whole = open_case(names[k]);
		struct rv_strbuf right[8];
		struct rv_error err = RV_ERROR_INIT;
		size_t count = rv_zip_count(whole);

		for (size_t i = 0; i < count; i++) {
			right[i] = (struct rv_strbuf)RV_STRBUF_INIT;
			assert_int_equal(read_member(whole, i, 1 << 16, &right[i], &err), RV_OK);
		}
		for (size_t i = 0; i < count; i++) {
			const struct rv_zip_entry *e = rv_zip_entry(whole, i);
			uint64_t end = e->data_offset + e->packed_bytes;
			/* Opening libarchive for each takes its time. */
			unsigned step = rv_zip_needs_library(e->method) ? 3 : 1;

			for (uint64_t at = e->data_offset; at < end; at += step) {
				RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
				struct rv_zip *zip = NULL;

				b.p[at] ^= (unsigned char)(1u << at % 8);
				assert_int_equal(rv_zip_open(file_of(&b), "extract.zip", NULL, &zip, &err),
						 RV_OK);
				if (read_member(zip, i, 1 << 16, &sb, &err) != RV_OK) {
					assert_int_equal(err.status, RV_BAD_DATA);
					found++;
				} else {
					assert_int_equal(sb.len, right[i].len);
					assert_memory_equal(sb.bytes, right[i].bytes, sb.len);
				}
				rv_zip_free(zip);
				b.p[at] ^= (unsigned char)(1u << at % 8);
			}
		}
		for (size_t i = 0; i < count; i++)
			rv_strbuf_release(&right[i]);
		rv_zip_free(whole);
		free(b.p);
	}
	assert_true(found > 400);
}

static void children_are_used_again(void **state)
{
	struct rv_zip *zip = open_case("105-many");
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	/* A child for each of 3000 would take half a minute, or be refused. */
	for (size_t i = 0; i < 3000; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

		assert_int_equal(read_member(zip, i, 100, &sb, &err), RV_OK);
	}
	struct rv_sandbox_state s = rv_zip_sandbox(zip);

	assert_true(s.limits && s.seccomp);
	rv_zip_free(zip);
}

static void children_started_early(void **state)
{
	struct rv_zip *zip = open_case("mixed");
	struct rv_source *sources[3];
	struct rv_error err = RV_ERROR_INIT;
	struct rlimit before, none;

	(void)state;
	assert_int_equal(rv_zip_start_children(zip, 3, &err), RV_OK);
	assert_true(rv_zip_sandbox(zip).limits);
	/* With them there, nothing is opened any more. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(rv_zip_member(zip, i, &sources[i], &err), RV_OK);
	assert_int_equal(rv_zip_start_children(zip, 1, &err), RV_LOCAL_IO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (size_t i = 0; i < 3; i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

		assert_int_equal(read_source(sources[i], 100, &sb, &err), RV_OK);
		rv_source_free(sources[i]);
	}
	rv_zip_free(zip);
}

static void members_packed_once_more(void **state)
{
	struct zip z = { 0 };
	struct bytes inner = { 0 };
	size_t len;
	char *rows = make_rows(5000, 7, &len);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT, packed = RV_STRBUF_INIT;
	struct rv_source *source = NULL;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	add(&inner, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
	deflate_into(&inner, rows, len);
	add_int(&inner, crc32_gzip_refl(0, (const unsigned char *)rows, len), 4);
	add_int(&inner, len, 4);
	PUT(&z, .name = "a.csv.gz", .data = (const char *)inner.p, .len = inner.len);
	PUT(&z, .name = "b.csv", TEXT(ABC));
	PUT(&z, .name = "cut.csv.gz", .data = (const char *)inner.p, .len = inner.len - 9);
	inner.len = 0;
	/* 16 MiB of nothing in 16 KiB, which is 512 bytes with the member's own packing. */
	RV_CLEANUP(rv_free_p) char *zeros = rv_calloc(1, 16 << 20);

	add(&inner, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
	deflate_into(&inner, zeros, 16 << 20);
	add_int(&inner, crc32_gzip_refl(0, (const unsigned char *)zeros, 16 << 20), 4);
	add_int(&inner, 16 << 20, 4);
	PUT(&z, .name = "bomb.csv.gz", .data = (const char *)inner.p, .len = inner.len, .method = DEFLATE);
	finish(&z);
	struct rv_zip *zip = open_bytes(z.out);

	assert_int_equal(rv_zip_member_unpacked(zip, 0, &source, &err), RV_OK);
	assert_int_equal(read_source(source, 1000, &sb, &err), RV_OK);
	rv_source_free(source);
	assert_int_equal(sb.len, len);
	assert_memory_equal(sb.bytes, rows, len);
	rv_strbuf_clear(&sb);
	assert_int_equal(rv_zip_member_unpacked(zip, 1, &source, &err), RV_OK);
	assert_int_equal(read_source(source, 1000, &sb, &err), RV_OK);
	rv_source_free(source);
	assert_string_equal(sb.bytes, ABC);
	/* fault 104: not unpacked unless asked for */
	assert_int_equal(read_member(zip, 0, 1000, &packed, &err), RV_OK);
	assert_memory_equal(packed.bytes, "\x1f\x8b", 2);
	assert_int_equal(rv_zip_member_unpacked(zip, 2, &source, &err), RV_OK);
	assert_int_equal(read_source(source, 1000, &sb, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "extract.zip: cut.csv.gz: the gzip stream ends early"));
	rv_source_free(source);
	assert_int_equal(rv_zip_member_unpacked(zip, 3, &source, &err), RV_OK);
	assert_int_equal(read_source(source, 1000, &sb, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "bomb.csv.gz decompresses to more than "));
	rv_source_free(source);
	rv_zip_free(zip);
	free(inner.p);
	free(rows);
}

/* ---- 105: more than 4 GiB ---- */

static void fault_105_four_gibibytes_of_data(void **state)
{
	const uint64_t len = (UINT64_C(4) << 30) + 12345;
	struct zip z = { 0 };
	struct rv_zip *zip = NULL;
	struct rv_source *source = NULL;
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) unsigned char *buf = rv_calloc(1, 1 << 20);
	uint32_t crc = 0;
	int fd = memfd_create("big.zip", MFD_CLOEXEC);

	(void)state;
	for (uint64_t at = 0; at < len; at += 1 << 20)
		crc = crc32_gzip_refl(crc, buf, len - at < 1 << 20 ? len - at : 1 << 20);
	/* Holes take no memory. The writer knows nothing of the data but its length. */
	PUT(&z, .name = "big.csv", .data = "", .len = 0, .zip64 = true, .zip64_central = true,
	    .bytes_all = (int64_t)len, .packed_all = (int64_t)len, .crc_all = crc);
	assert_int_equal(pwrite(fd, z.out.p, z.out.len, 0), z.out.len);
	uint64_t tail = z.out.len + len;

	z.out.len = 0;
	finish_as(&z, &(struct ending){ .zip64 = true, .directory_offset = (int64_t)tail });
	set_int(&z.out, z.out.len - 22 - 12, tail + z.out.len - 22 - 20 - 56, 8);
	assert_int_equal(pwrite(fd, z.out.p, z.out.len, (off_t)tail), z.out.len);
	free(z.out.p);
	if (rv_zip_open(fd, "big.zip", NULL, &zip, &err) != RV_OK)
		fail_msg("%s", err.message);
	assert_int_equal(rv_zip_member(zip, 0, &source, &err), RV_OK);
	uint64_t sum = 0;

	for (;;) {
		enum rv_source_state state_of = RV_SOURCE_WAIT;
		size_t n = 0;

		if (source->ops->read(source, buf, 1 << 20, -1, &n, &state_of, &err) != RV_OK)
			fail_msg("%s", err.message);
		if (state_of == RV_SOURCE_END)
			break;
		sum += n;
	}
	assert_int_equal(sum, len);
	rv_source_free(source);
	rv_zip_free(zip);
}

/* The name says how; and how much may come out is the least of what its packed bytes, its size and the
 * limits allow. */
static void members_packed_in_other_ways(void **state)
{
	struct zip z = { 0 };
	char packed[200];
	size_t len = ZSTD_compress(packed, sizeof(packed), ABC, strlen(ABC), 1);
	static const struct rv_zip_limits few = { .max_bytes = 2 << 20, .max_ratio = UINT64_MAX };
	static const char *const says[] = { "a.csv.bz2: the bzip2 stream ", "a.csv.xz: the xz stream " };
	char zeros_packed[4096];
	RV_CLEANUP(rv_free_p) char *zeros = rv_calloc(1, 4 << 20);
	size_t zeros_len = ZSTD_compress(zeros_packed, sizeof(zeros_packed), zeros, 4 << 20, 1);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	struct rv_source *source = NULL;
	struct rv_zip *zip = NULL;
	struct rv_error err = RV_ERROR_INIT;
	char identity[RV_ZIP_IDENTITY_TEXT];

	(void)state;
	assert_false(ZSTD_isError(len) || ZSTD_isError(zeros_len));
	PUT(&z, .name = "a.csv.bz2", TEXT(ABC));
	PUT(&z, .name = "a.csv.xz", TEXT(ABC));
	PUT(&z, .name = "a.csv.zst", .data = packed, .len = len);
	PUT(&z, .name = "b.csv.zst", .data = zeros_packed, .len = zeros_len);
	finish(&z);
	int fd = file_of(&z.out);

	assert_int_equal(rv_zip_open(fd, "extract.zip", &few, &zip, &err), RV_OK);
	assert_string_equal(rv_zip_label(zip), "extract.zip");
	assert_int_equal(rv_zip_directory(zip)->count, 4);
	assert_int_equal(rv_zip_identity(zip, identity, &err), RV_OK);
	assert_int_equal(strlen(identity), RV_ZIP_IDENTITY_TEXT - 1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(rv_zip_member_unpacked(zip, i, &source, &err), RV_OK);
		assert_int_equal(read_source(source, 1000, &sb, &err), RV_BAD_DATA);
		assert_non_null(strstr(err.message, says[i]));
		rv_source_free(source);
	}
	assert_int_equal(rv_zip_member_unpacked(zip, 2, &source, &err), RV_OK);
	assert_int_equal(read_source(source, 1000, &sb, &err), RV_OK);
	assert_string_equal(sb.bytes, ABC);
	rv_source_free(source);
	assert_int_equal(rv_zip_member_unpacked(zip, 3, &source, &err), RV_OK);
	assert_int_equal(read_source(source, 1 << 20, &sb, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "b.csv.zst decompresses to more than 2097152 bytes"));
	rv_source_free(source);
	rv_zip_free(zip);
	/* few packed bytes may become a MiB by any ratio */
	zip = open_bytes(z.out);
	assert_int_equal(rv_zip_member_unpacked(zip, 3, &source, &err), RV_OK);
	assert_int_equal(read_source(source, 1 << 20, &sb, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "b.csv.zst decompresses to more than 1048576 bytes"));
	rv_source_free(source);
	rv_zip_free(zip);
}

/* ---- 111: children that go wrong ---- */

static void wait_for_order(struct rv_zip_shared *s, int channel)
{
	char byte;

	while (atomic_load(&s->order) == 0)
		if (read(channel, &byte, 1) <= 0)
			_exit(0);
}

static int child_crashes(void *arg, int file, int channel)
{
	(void)file;
	wait_for_order(arg, channel);
	__builtin_trap();
}

static int child_exits(void *arg, int file, int channel)
{
	(void)file;
	wait_for_order(arg, channel);
	return 1;
}

static int child_loops(void *arg, int file, int channel)
{
	volatile unsigned n = 0;

	(void)file;
	wait_for_order(arg, channel);
	for (;;)
		n++;
	return 0;
}

static int child_takes_memory(void *arg, int file, int channel)
{
	(void)file;
	wait_for_order(arg, channel);
	if (mmap(NULL, UINT64_C(10) << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		return 70; /* as rv_malloc does */
	return 71;
}

static int child_opens(void *arg, int file, int channel)
{
	(void)file;
	wait_for_order(arg, channel);
	return open("/etc/hostname", O_RDONLY) >= 0 ? 72 : 73;
}

static int child_connects(void *arg, int file, int channel)
{
	(void)file;
	wait_for_order(arg, channel);
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 72 : 73;
}

static int child_executes(void *arg, int file, int channel)
{
	char *const words[] = { NULL };

	(void)file;
	wait_for_order(arg, channel);
	execv("/bin/true", words);
	return 73;
}

static int child_is_silent(void *arg, int file, int channel)
{
	char byte;

	(void)file;
	wait_for_order(arg, channel);
	while (read(channel, &byte, 1) > 0) /* until its parent is gone */
		;
	return 0;
}

/* Bytes, then the slot's length is more than a slot. */
static int child_lies_about_lengths(void *arg, int file, int channel)
{
	struct rv_zip_shared *s = arg;

	wait_for_order(s, channel);
	s->lens[0] = RV_ZIP_SLOT_BYTES + 1;
	atomic_store(&s->filled, 1);
	(void)!write(channel, "", 1);
	return child_is_silent(arg, file, channel);
}

static int child_gives_empty_slots(void *arg, int file, int channel)
{
	struct rv_zip_shared *s = arg;

	wait_for_order(s, channel);
	s->lens[0] = 0;
	atomic_store(&s->filled, 1);
	(void)!write(channel, "", 1);
	return child_is_silent(arg, file, channel);
}

static int child_counts_wildly(void *arg, int file, int channel)
{
	struct rv_zip_shared *s = arg;

	wait_for_order(s, channel);
	atomic_store(&s->filled, 1000000);
	(void)!write(channel, "", 1);
	return child_is_silent(arg, file, channel);
}

static int child_gives_too_much(void *arg, int file, int channel)
{
	struct rv_zip_shared *s = arg;

	wait_for_order(s, channel);
	s->lens[0] = RV_ZIP_SLOT_BYTES;
	atomic_store(&s->filled, 1);
	(void)!write(channel, "", 1);
	return child_is_silent(arg, file, channel);
}

static int child_ends_strangely(void *arg, int file, int channel)
{
	struct rv_zip_shared *s = arg;

	wait_for_order(s, channel);
	atomic_store(&s->ended, 77);
	(void)!write(channel, "", 1);
	return child_is_silent(arg, file, channel);
}

static int child_says_done_early(void *arg, int file, int channel)
{
	struct rv_zip_shared *s = arg;

	wait_for_order(s, channel);
	atomic_store(&s->ended, RV_ZIP_DONE);
	(void)!write(channel, "", 1);
	return child_is_silent(arg, file, channel);
}

/* The right number of bytes, and not the right ones. */
static int child_makes_bytes_up(void *arg, int file, int channel)
{
	struct rv_zip_shared *s = arg;

	wait_for_order(s, channel);
	s->lens[0] = (uint32_t)s->bytes;
	memset(s->slots[0], 'x', s->bytes);
	atomic_store(&s->filled, 1);
	atomic_store(&s->ended, RV_ZIP_DONE);
	(void)!write(channel, "", 1);
	return child_is_silent(arg, file, channel);
}

static int child_says_rude_things(void *arg, int file, int channel)
{
	struct rv_zip_shared *s = arg;

	wait_for_order(s, channel);
	memset(s->fault, '\x1b', sizeof(s->fault));
	atomic_store(&s->ended, RV_ZIP_DAMAGED);
	(void)!write(channel, "", 1);
	return child_is_silent(arg, file, channel);
}

static int child_cannot_read(void *arg, int file, int channel)
{
	struct rv_zip_shared *s = arg;

	wait_for_order(s, channel);
	snprintf(s->fault, sizeof(s->fault), "cannot read at byte 7: Input/output error");
	atomic_store(&s->ended, RV_ZIP_UNREADABLE);
	(void)!write(channel, "", 1);
	return child_is_silent(arg, file, channel);
}

static int child_closes_its_channel(void *arg, int file, int channel)
{
	wait_for_order(arg, channel);
	close(channel);
	return child_is_silent(arg, file, channel);
}

static void fault_111_children_that_go_wrong(void **state)
{
	static const struct {
		int (*run)(void *, int, int);
		bool no_seccomp;
		const char *says;
	} cases[] = {
		{ child_crashes, false, "the child that inflates it crashed (signal " },
		{ child_exits, false, "the child that inflates it ended with 1" },
		{ child_loops, false, "the child that inflates it took more processor time than is allowed" },
		{ child_takes_memory, false, "the child that inflates it " },
		{ child_lies_about_lengths, false, "the child that inflates it handed over garbage" },
		{ child_gives_empty_slots, false, "the child that inflates it handed over garbage" },
		{ child_counts_wildly, false, "the child that inflates it handed over garbage" },
		{ child_gives_too_much, false, "the child that inflates it handed over garbage" },
		{ child_ends_strangely, false, "the child that inflates it handed over garbage" },
		{ child_says_done_early, false, "it inflates to 0 bytes, 16 are expected" },
		{ child_makes_bytes_up, false, "its CRC-32 is " },
		{ child_says_rude_things, false, "entry 'a.csv': ????" },
		{ child_is_silent, false, "the child that inflates it gave nothing for 1 s" },
		{ child_closes_its_channel, true, "the child that inflates it " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct rv_zip *zip = open_case("plain");
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
		struct rv_error err = RV_ERROR_INIT;
		struct rv_zip_child_params params = {
			.run = cases[i].run,
			.cpu_s = 1,
			.patience_ms = cases[i].run == child_is_silent ? 1500 : 30000,
			.no_seccomp = cases[i].no_seccomp,
		};

		rv_zip_set_child(zip, &params);
		assert_int_equal(read_member(zip, 0, 1000, &sb, &err), RV_BAD_DATA);
		assert_memory_equal(err.message, "extract.zip: entry 'a.csv': ", 28);
		if (!strstr(err.message, cases[i].says))
			fail_msg("%zu: %s", i, err.message);
		/* The run goes on. */
		params = (struct rv_zip_child_params){ .run = rv_zip_child_run };
		rv_zip_set_child(zip, &params);
		rv_strbuf_clear(&sb);
		assert_int_equal(read_member(zip, 0, 1000, &sb, &err), RV_OK);
		assert_string_equal(sb.bytes, ABC);
		rv_zip_free(zip);
	}
}

static void fault_112_a_child_that_opens_connects_or_executes(void **state)
{
	int (*const runs[])(void *, int, int) = { child_opens, child_connects, child_executes };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct rv_zip *zip = open_case("plain");
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
		struct rv_error err = RV_ERROR_INIT;

		rv_zip_set_child(zip, &(struct rv_zip_child_params){ .run = runs[i] });
		assert_int_equal(read_member(zip, 0, 1000, &sb, &err), RV_BAD_DATA);
		assert_non_null(strstr(err.message, "entry 'a.csv': the child that inflates it made a system "
						    "call that is not allowed (signal 31"));
		rv_zip_free(zip);
	}
}

/* Which is not the archive's fault; and whoever has much patience and memory says so. */
static void a_file_that_the_child_cannot_read(void **state)
{
	struct rv_zip *zip = open_case("plain");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	rv_zip_set_child(zip, &(struct rv_zip_child_params){ .run = child_cannot_read, .memory_bytes = 64 << 20,
							     .patience_ms = INT64_C(1) << 40 });
	assert_int_equal(read_member(zip, 0, 1000, &sb, &err), RV_LOCAL_IO);
	assert_string_equal(err.message, "extract.zip: entry 'a.csv': cannot read at byte 7: Input/output error");
	rv_zip_free(zip);
}

/* One that has no library is no use to a member that needs it, and is one to the next that does not. */
static void children_with_and_without_the_library(void **state)
{
	struct rv_zip *zip = open_case("methods");
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	assert_int_equal(rv_zip_start_children(zip, 2, &err), RV_OK);
	for (size_t i = 0; i < rv_zip_count(zip); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

		assert_int_equal(read_member(zip, i, 1000, &sb, &err), RV_OK);
	}
	rv_zip_free(zip);
}

/* As on a kernel without them, and with each method. */
static void without_seccomp_and_landlock(void **state)
{
	static const char *const names[] = { "mixed", "methods" };

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct rv_zip *zip = open_case(names[k]);
		struct rv_error err = RV_ERROR_INIT;

		rv_zip_set_child(zip, &(struct rv_zip_child_params){ .no_seccomp = true,
								     .no_landlock = true });
		for (size_t i = 0; i < rv_zip_count(zip); i++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

			assert_int_equal(read_member(zip, i, 1000, &sb, &err), RV_OK);
		}
		struct rv_sandbox_state s = rv_zip_sandbox(zip);

		assert_false(s.seccomp);
		assert_int_equal(s.landlock, 0);
		rv_zip_free(zip);
	}
}

static void nothing_prepared(void *shared)
{
	(void)shared;
}

static void without_libarchive(void **state)
{
	struct rv_zip *zip = open_case("methods");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	rv_zip_set_child(zip, &(struct rv_zip_child_params){ .prepare = nothing_prepared });
	assert_int_equal(read_member(zip, 0, 1000, &sb, &err), RV_NOT_FOUND);
	assert_string_equal(err.message, "extract.zip: entry 'bzip2.csv': it is packed by a method that "
					 "needs libarchive.so.13");
	assert_string_equal(err.hint, "install the package libarchive13");
	rv_zip_free(zip);
}

/* ---- waiting ---- */

static void waiting_has_an_end(void **state)
{
	struct rv_zip *zip = open_case("plain");
	struct rv_source *source = NULL;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_source_state state_of = RV_SOURCE_END;
	char buf[10];
	size_t n = 3;

	(void)state;
	rv_zip_set_child(zip, &(struct rv_zip_child_params){ .run = child_is_silent });
	assert_int_equal(rv_zip_member(zip, 0, &source, &err), RV_OK);
	for (int ms = 0; ms < 3; ms++) {
		assert_int_equal(source->ops->read(source, buf, sizeof(buf), ms, &n, &state_of, &err), RV_OK);
		assert_int_equal(state_of, RV_SOURCE_WAIT);
		assert_int_equal(n, 0);
	}
	rv_source_free(source);
	rv_zip_free(zip);
}

/* ---- files ---- */

static void the_file_becomes_shorter(void **state)
{
	struct bytes b = bytes_of("large");
	int fd = file_of(&b);
	struct rv_zip *zip = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	assert_int_equal(rv_zip_open(fd, "extract.zip", NULL, &zip, &err), RV_OK);
	assert_int_equal(ftruncate(fd, 100000), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(read_member(zip, i, 1 << 16, &sb, &err), RV_BAD_DATA);
		assert_non_null(strstr(err.message, "the file became shorter than "));
	}
	rv_zip_free(zip);
	free(b.p);
}

/* A folder can be opened, and not be read. */
static void what_is_no_file(void **state)
{
	struct rv_zip *zip = NULL;
	struct rv_error err = RV_ERROR_INIT;
	int ends[2];

	(void)state;
	assert_int_equal(rv_zip_open(open("/", O_RDONLY | O_CLOEXEC), "folder", NULL, &zip, &err), RV_USAGE);
	assert_string_equal(err.message, "folder is a folder, not an archive");
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(rv_zip_open(ends[0], "pipe", NULL, &zip, &err), RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "pipe: an archive has to be a regular file"));
	close(ends[1]);
	assert_int_equal(rv_zip_open(-1, "none", NULL, &zip, &err), RV_LOCAL_IO);
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_int_equal(rv_zip_open(fd, "null", NULL, &zip, &err), RV_LOCAL_IO);
	assert_null(zip);
}

static void a_file_that_may_not_be_read(void **state)
{
	char path[] = "/tmp/river-zip-XXXXXX";
	struct bytes b = bytes_of("plain");
	struct rv_zip *zip = NULL;
	struct rv_error err = RV_ERROR_INIT;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, b.p, b.len), b.len);
	close(fd);
	assert_int_equal(rv_zip_open(open(path, O_WRONLY | O_CLOEXEC), "extract.zip", NULL, &zip, &err),
			 RV_LOCAL_IO);
	unlink(path);
	free(b.p);
}

static void no_descriptor_left_for_a_child(void **state)
{
	struct rv_zip *zip = open_case("plain");
	struct rv_source *source = NULL;
	struct rv_error err = RV_ERROR_INIT;
	struct rlimit before, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(rv_zip_member(zip, 0, &source, &err), RV_LOCAL_IO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(err.message, "extract.zip: cannot start the child that inflates"));
	rv_zip_free(zip);
}

static void detecting(void **state)
{
	(void)state;
	assert_true(rv_zip_detect("PK\3\4more", 8));
	assert_true(rv_zip_detect("PK\5\6", 4));
	assert_false(rv_zip_detect("PK\3", 3));
	assert_false(rv_zip_detect("\x1f\x8b\x08\0", 4));
}

int main(void)
{
	/* The first forks most, so it comes while this process is small. */
	static const struct CMUnitTest more[] = {
		cmocka_unit_test(a_flipped_bit_never_gives_other_bytes),
		cmocka_unit_test(children_started_early),
		cmocka_unit_test(pieces_of_all_sizes),
		cmocka_unit_test(the_end_stays_and_so_does_a_failure),
		cmocka_unit_test(stopping_in_the_middle),
		cmocka_unit_test(several_threads),
		cmocka_unit_test(children_are_used_again),
		cmocka_unit_test(members_packed_once_more),
		cmocka_unit_test(members_packed_in_other_ways),
		cmocka_unit_test(fault_105_four_gibibytes_of_data),
		cmocka_unit_test(fault_111_children_that_go_wrong),
		cmocka_unit_test(fault_112_a_child_that_opens_connects_or_executes),
		cmocka_unit_test(a_file_that_the_child_cannot_read),
		cmocka_unit_test(children_with_and_without_the_library),
		cmocka_unit_test(without_seccomp_and_landlock),
		cmocka_unit_test(without_libarchive),
		cmocka_unit_test(waiting_has_an_end),
		cmocka_unit_test(the_file_becomes_shorter),
		cmocka_unit_test(what_is_no_file),
		cmocka_unit_test(a_file_that_may_not_be_read),
		cmocka_unit_test(no_descriptor_left_for_a_child),
		cmocka_unit_test(detecting),
	};
	enum { MORE = sizeof(more) / sizeof(*more) };
	static struct CMUnitTest tests[MORE + ZIP_CASES];
	static char names[ZIP_CASES][64];
	static struct zip_case cases[ZIP_CASES];

	libarchive = dlopen("libarchive.so.13", RTLD_NOW);
	for (int i = 0; i < ZIP_CASES; i++) {
		cases[i] = zip_cases[i];
		snprintf(names[i], sizeof(names[i]), "fault_%s", cases[i].name);
		tests[MORE + i] = (struct CMUnitTest){ .name = names[i], .test_func = one_case,
						       .initial_state = &cases[i] };
	}
	memcpy(tests, more, sizeof(more));
	return libarchive ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
