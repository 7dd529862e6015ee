/*
 * Checksums that travel: CRC-32C (Castagnoli; river's journals, S3's x-amz-checksum-crc32c) and
 * CRC-64/NVME (what S3 computes for objects that come without one). `crc` is 0 to start, or what
 * the bytes before gave. Thread-safe.
 */
#ifndef RV_BASE_CRC_H
#define RV_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t rv_crc32c(uint32_t crc, const void *p, size_t len);
uint64_t rv_crc64nvme(uint64_t crc, const void *p, size_t len);

#endif
