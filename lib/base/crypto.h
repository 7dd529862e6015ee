/*
 * Digests (SHA-256, HMAC-SHA-256 and SHA-1) and signatures with RSA keys, of OpenSSL's libcrypto.
 *
 * The library is opened at the first use (dlopen): linked, it would cost every start 0.8 ms. All
 * functions fail with RV_NOT_FOUND when it is not installed, and with nothing else except where
 * they read a file or a key. Thread-safe.
 */
#ifndef RV_BASE_CRYPTO_H
#define RV_BASE_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

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

/*
 * An RSA key to sign with, from PEM: PKCS#8, plain or encrypted, or PKCS#1 ("RSA PRIVATE KEY").
 * `passphrase` Optional. RV_AUTH, with what to do: it is no such key, of another kind, shorter than
 * 2048 bits, encrypted without a passphrase or with another one, or by a method of old.
 * One key may be used by several threads.
 */
struct rv_rsa_key;
enum rv_status rv_rsa_key_read(const char *pem, size_t len, const char *passphrase,
			       struct rv_rsa_key **ret, struct rv_error *err) RV_MUST_CHECK;
void rv_rsa_key_free(struct rv_rsa_key *key);
void rv_rsa_key_free_p(struct rv_rsa_key **key);
/* The public half as DER, a SubjectPublicKeyInfo; appended to `ret`. */
enum rv_status rv_rsa_key_public(const struct rv_rsa_key *key, struct rv_strbuf *ret,
				 struct rv_error *err) RV_MUST_CHECK;
/* RSASSA-PKCS1-v1_5 with SHA-256, what JWTs call RS256; appended to `ret`. */
enum rv_status rv_rsa_sign(const struct rv_rsa_key *key, const void *p, size_t len,
			   struct rv_strbuf *ret, struct rv_error *err) RV_MUST_CHECK;

/* `len` bytes as lower-case hexadecimal; `ret` has 2 * len + 1 bytes. */
void rv_hex(const uint8_t *p, size_t len, char *ret);

#endif
