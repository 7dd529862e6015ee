/*
 * What lib/source/zip.c and the child that inflates for it share: a block of memory with the order, and
 * a ring of slots for the bytes. For the parent all of it is a stranger's: it reads each number once,
 * believes none, and takes only copies.
 *
 * The parent writes the order, then one byte into the channel. The child fills slots one after the other
 * and counts them in `filled`; the parent empties them and counts in `emptied`. Who has to wait says so,
 * looks again, and reads a byte from the channel; who goes on while the other waits writes one. The child
 * writes `ended` last, behind the last slot. It ends when the channel does.
 *
 * Not for use outside lib/source/zip*.c and their tests.
 */
#ifndef RV_SOURCE_ZIP_CHILD_H
#define RV_SOURCE_ZIP_CHILD_H

#include <stdatomic.h>
#include <stdint.h>

#include "source/zip.h"

/* Few, so that they stay in the cache of the processor. */
#define RV_ZIP_SLOTS 4
#define RV_ZIP_SLOT_BYTES (256u << 10)

enum rv_zip_ended {
	RV_ZIP_RUNS,
	RV_ZIP_DONE,    /* so many bytes, and the packed ones used up */
	RV_ZIP_DAMAGED, /* `fault` says why */
	RV_ZIP_UNREADABLE, /* the file, likewise */
	RV_ZIP_NO_LIBRARY, /* libarchive, likewise */
};

struct rv_zip_shared {
	/* the order, and its number: else a late byte in the channel might be taken for one */
	_Atomic uint32_t order;
	uint64_t data_offset, packed_bytes, bytes;
	uint32_t method, flags;
	/* the hand-over */
	_Atomic uint32_t filled, emptied;
	_Atomic uint32_t child_waits, parent_waits;
	_Atomic uint32_t ended;
	char fault[160];
	uint32_t lens[RV_ZIP_SLOTS];
	_Alignas(4096) unsigned char slots[RV_ZIP_SLOTS][RV_ZIP_SLOT_BYTES];
};

static inline bool rv_zip_needs_library(unsigned method)
{
	return method != RV_ZIP_STORED && method != RV_ZIP_DEFLATE && method != RV_ZIP_ZSTD;
}

/* The child's function: takes orders until the channel ends. */
int rv_zip_child_run(void *shared, int file, int channel);
/* Before the fences are up: opens libarchive if the order needs it. */
void rv_zip_child_prepare(void *shared);

/* For tests: another child, and its limits; what is 0 stays as it is. */
struct rv_zip_child_params {
	void (*prepare)(void *shared);
	int (*run)(void *shared, int file, int channel);
	uint64_t memory_bytes, cpu_s;
	int64_t patience_ms;    /* without a byte from the child */
	bool no_seccomp, no_landlock;
};
void rv_zip_set_child(struct rv_zip *zip, const struct rv_zip_child_params *params);

#endif
