/*
 * Digests: SHA-256, HMAC-SHA-256 and SHA-1, of OpenSSL's libcrypto.
 *
 * The library is opened at the first use (dlopen): linked, it would cost every start 0.8 ms. All
 * functions fail with RV_NOT_FOUND when it is not installed, and with nothing else except where
 * they read a file. Thread-safe.
 */
#ifndef RV_BASE_CRYPTO_H
#define RV_BASE_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define RV_SHA256_BYTES 32
#define RV_SHA256_HEX 65 /* with its end */
#define RV_SHA1_HEX 41

enum rv_status rv_sha256(const void *p, size_t len, uint8_t ret[RV_SHA256_BYTES],
			 struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_sha256_hex(const void *p, size_t len, char ret[RV_SHA256_HEX],
			     struct rv_error *err) RV_MUST_CHECK;
/* `len` bytes of a file from `offset`, read with pread. RV_LOCAL_IO: it cannot be read, or it ends
 * earlier. */
enum rv_status rv_sha256_fd_hex(int fd, uint64_t offset, uint64_t len, char ret[RV_SHA256_HEX],
				struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_hmac_sha256(const void *key, size_t key_len, const void *p, size_t len,
			      uint8_t ret[RV_SHA256_BYTES], struct rv_error *err) RV_MUST_CHECK;
/* For names that AWS's tools make of it, not for secrets. */
enum rv_status rv_sha1_hex(const void *p, size_t len, char ret[RV_SHA1_HEX],
			   struct rv_error *err) RV_MUST_CHECK;

/* `len` bytes as lower-case hexadecimal; `ret` has 2 * len + 1 bytes. */
void rv_hex(const uint8_t *p, size_t len, char *ret);

#endif
