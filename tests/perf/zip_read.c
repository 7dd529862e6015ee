/*
 * zip_read ARCHIVE [PIECE_BYTES]: reads all members through the children that inflate them and drops the
 * bytes; then inflates the same packed bytes with ISA-L in one loop. Prints processor time of parent and
 * children together, of ISA-L's loop, and their ratio. Deflated and stored members only.
 */
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "source/zip.h"

#define BARE_BYTES (256u << 10)

static double cpu_seconds(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double wall_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const struct rv_error *err)
{
	fprintf(stderr, "zip_read: %s\n", err->message);
	return 1;
}

static int read_members(const char *path, size_t piece, uint64_t *ret_bytes)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_zip_free_p) struct rv_zip *zip = NULL;
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(piece);

	if (rv_zip_open(open(path, O_RDONLY | O_CLOEXEC), path, NULL, &zip, &err) != RV_OK)
		return fail(&err);
	for (size_t i = 0; i < rv_zip_count(zip); i++) {
		RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
		enum rv_source_state state = RV_SOURCE_WAIT;

		if (rv_zip_member(zip, i, &source, &err) != RV_OK)
			return fail(&err);
		while (state != RV_SOURCE_END) {
			size_t n = 0;

			if (source->ops->read(source, buf, piece, -1, &n, &state, &err) != RV_OK)
				return fail(&err);
			*ret_bytes += n;
		}
	}
	return 0;
}

static int inflate_bare(const char *path, uint64_t *ret_bytes)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_zip_free_p) struct rv_zip *zip = NULL;
	RV_CLEANUP(rv_free_p) unsigned char *in = rv_malloc(BARE_BYTES);
	RV_CLEANUP(rv_free_p) unsigned char *out = rv_malloc(BARE_BYTES);
	static struct inflate_state z;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (rv_zip_open(fd, path, NULL, &zip, &err) != RV_OK)
		return fail(&err);
	for (size_t i = 0; i < rv_zip_count(zip); i++) {
		const struct rv_zip_entry *e = rv_zip_entry(zip, i);
		uint64_t at = e->data_offset, left = e->packed_bytes;

		if (e->method != RV_ZIP_DEFLATE)
			continue;
		isal_inflate_init(&z);
		while (z.block_state != ISAL_BLOCK_FINISH) {
			if (z.avail_in == 0) {
				ssize_t n = pread(fd, in, left < BARE_BYTES ? left : BARE_BYTES, (off_t)at);

				if (n <= 0)
					return 1;
				at += (uint64_t)n;
				left -= (uint64_t)n;
				z.next_in = in;
				z.avail_in = (uint32_t)n;
			}
			z.next_out = out;
			z.avail_out = BARE_BYTES;
			if (isal_inflate(&z) < 0)
				return 1;
			*ret_bytes += BARE_BYTES - z.avail_out;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t piece = argc > 2 ? strtoul(argv[2], NULL, 10) : 256 << 10;
	uint64_t bytes = 0, bare_bytes = 0;

	if (argc < 2 || argc > 3 || piece == 0) {
		fprintf(stderr, "usage: zip_read ARCHIVE [PIECE_BYTES]\n");
		return 2;
	}
	double wall = wall_seconds(), self = cpu_seconds(RUSAGE_SELF);

	if (read_members(argv[1], piece, &bytes) != 0)
		return 1;
	wall = wall_seconds() - wall;
	self = cpu_seconds(RUSAGE_SELF) - self;
	double children = cpu_seconds(RUSAGE_CHILDREN), bare = cpu_seconds(RUSAGE_SELF);

	if (inflate_bare(argv[1], &bare_bytes) != 0)
		return 1;
	bare = cpu_seconds(RUSAGE_SELF) - bare;
	printf("%llu bytes: %.3f s (parent %.3f, children %.3f; wall %.3f); ISA-L alone %.3f; ratio %.2f\n",
	       (unsigned long long)bytes, self + children, self, children, wall, bare,
	       (self + children) / bare);
	return bytes == bare_bytes ? 0 : 1;
}
