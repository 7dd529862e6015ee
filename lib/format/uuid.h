/*
 * UUIDs (RFC 9562): text, and those of version 5, which are made of a name. The digest is river's own, so
 * that an id a row costs no call into a library that has to be opened first.
 */
#ifndef RV_FORMAT_UUID_H
#define RV_FORMAT_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_UUID_BYTES 16
#define RV_UUID_LEN 36 /* of its text */

/* Namespaces of RFC 9562, appendix C. */
extern const uint8_t rv_uuid_dns[RV_UUID_BYTES], rv_uuid_url[RV_UUID_BYTES], rv_uuid_oid[RV_UUID_BYTES],
	rv_uuid_x500[RV_UUID_BYTES];

/* "6ba7b810-9dad-11d1-80b4-00c04fd430c8", in either case, and nothing else. */
bool rv_uuid_parse(const char *s, size_t len, uint8_t ret[RV_UUID_BYTES]);
/* RV_UUID_LEN lower-case characters, without an end. */
void rv_uuid_text(const uint8_t id[RV_UUID_BYTES], char *ret);

void rv_uuid_v5(const uint8_t name_space[RV_UUID_BYTES], const void *name, size_t len,
		uint8_t ret[RV_UUID_BYTES]);
/* Makes a version 4 of 128 random bits: six of them become version and variant. */
void rv_uuid_v4(uint8_t bits[RV_UUID_BYTES]);

#define RV_UUID_SHA1_BYTES 20
/* FIPS 180-4. For ids, not for secrets. */
void rv_uuid_sha1(const void *p, size_t len, uint8_t ret[RV_UUID_SHA1_BYTES]);

#endif
