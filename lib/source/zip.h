/*
 * The members of a ZIP archive as sources. The directory is read and checked whole when the archive
 * is opened (format/zip_directory.h); members are inflated by children that can do nothing else
 * (source/sandbox.h), and handed over through shared memory: nothing is unpacked to disk.
 *
 * What a member gives counts only when it has ended: size and CRC-32 are compared after its last
 * byte. A member that ends with RV_SOURCE_END is whole and right; a wrong one, a damaged one and a
 * child that dies fail with RV_BAD_DATA, naming archive, entry and the child's fate. Commit nothing
 * of an archive before that.
 *
 * Several threads may open members of one archive; each member's source belongs to one thread.
 */
#ifndef RV_SOURCE_ZIP_H
#define RV_SOURCE_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/zip_directory.h"
#include "source/sandbox.h"
#include "source/source.h"

struct rv_zip;

/* Whether these first bytes (4 are enough) are those of a ZIP archive, empty ones included. */
bool rv_zip_detect(const void *p, size_t len);

/* Owns `fd` from now on (also on failure); it must be a regular file open for reading. `limits` may be
 * NULL. RV_BAD_DATA: refused, see format/zip_directory.h; RV_LOCAL_IO: it cannot be read. */
enum rv_status rv_zip_open(int fd, const char *label, const struct rv_zip_limits *limits,
			   struct rv_zip **ret, struct rv_error *err) RV_MUST_CHECK;
/* After all its members' sources. */
void rv_zip_free(struct rv_zip *zip);
void rv_zip_free_p(struct rv_zip **zip);

size_t rv_zip_count(const struct rv_zip *zip);
const struct rv_zip_entry *rv_zip_entry(const struct rv_zip *zip, size_t i);
const struct rv_zip_directory *rv_zip_directory(const struct rv_zip *zip);
const char *rv_zip_label(const struct rv_zip *zip);
enum rv_status rv_zip_identity(const struct rv_zip *zip, char ret[RV_ZIP_IDENTITY_TEXT],
			       struct rv_error *err) RV_MUST_CHECK;

/* Optional: forks so many children now, while little is in memory, for so many members at once. A fork
 * copies the tables of all that is mapped, and what its parent writes to later is copied page by page. */
enum rv_status rv_zip_start_children(struct rv_zip *zip, size_t count,
				     struct rv_error *err) RV_MUST_CHECK;

/* The inflated bytes of entry `i`; its label is "archive.zip: member.csv". What is packed once more,
 * member.csv.gz, stays so (rv_zip_member_unpacked undoes that as well). Memory: 1 MiB, and what the
 * child takes. Freeing it before its end is fine. Reading in large pieces is cheaper. */
enum rv_status rv_zip_member(struct rv_zip *zip, size_t i, struct rv_source **ret,
			     struct rv_error *err) RV_MUST_CHECK;
/* The same, and a member whose name ends in .gz, .zst, .bz2 or .xz is decompressed. Its bytes then have
 * the limits of the archive: at most max_bytes, and max_ratio to the member's packed bytes. */
enum rv_status rv_zip_member_unpacked(struct rv_zip *zip, size_t i, struct rv_source **ret,
				      struct rv_error *err) RV_MUST_CHECK;

/* How the kernel holds the children of this archive; all false before the first member. */
struct rv_sandbox_state rv_zip_sandbox(struct rv_zip *zip);

#endif
