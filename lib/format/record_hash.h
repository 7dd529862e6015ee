/*
 * The hash of one record: XXH3-64, seed 0. Sums of it (modulo 2^64) are set hashes, equal for equal
 * sets of records in whatever order; they stand in object names and receipts.
 */
#ifndef RV_FORMAT_RECORD_HASH_H
#define RV_FORMAT_RECORD_HASH_H

#include <stddef.h>
#include <stdint.h>

/* `p` is a record without its newline. */
uint64_t rv_record_hash(const void *p, size_t len);
/* Of p[0..keep) and a closing brace: what is left of a record without its stamp (stamp.h). */
uint64_t rv_record_hash_cut(const char *p, size_t keep);

#endif
