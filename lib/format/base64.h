/*
 * Base64 (RFC 4648, section 4) at the speed of memory: the alphabet with '+' and '/', padded, no
 * line breaks. What is pushed through Firehose goes through here byte by byte.
 *
 * All functions are reentrant, borrow their arguments for the call, never read outside p[0..len)
 * and never write outside out[0..RV_BASE64_LEN(len)).
 */
#ifndef RV_FORMAT_BASE64_H
#define RV_FORMAT_BASE64_H

#include <stddef.h>

/* What `len` bytes become. */
#define RV_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Returns RV_BASE64_LEN(len); there is no NUL behind it. */
size_t rv_base64_encode(const void *p, size_t len, char *out);

/*
 * The implementations this processor can run, slowest (the portable one) first; they agree on
 * every input. rv_base64_encode uses the last. For tests and benches.
 */
struct rv_base64_encoder {
	const char *name;
	size_t (*encode)(const void *p, size_t len, char *out);
};
size_t rv_base64_encoders(const struct rv_base64_encoder **ret_list);

#endif
