/*
 * ULID: 48 bits of milliseconds, 80 random bits, 26 characters of Crockford base 32 in lower
 * case (object names hold no upper case). Sorts by time.
 */
#ifndef RV_BASE_ULID_H
#define RV_BASE_ULID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_ULID_TEXT 27

/* Fresh from the kernel's random numbers; ret has RV_ULID_TEXT bytes. Ends the process when the
 * kernel has none, which Linux promises not to happen. */
void rv_ulid_new(int64_t now_ms, char *ret);
bool rv_ulid_valid(const char *s, size_t len);
int64_t rv_ulid_time_ms(const char *ulid);
void rv_random_bytes(void *p, size_t len);

#endif
