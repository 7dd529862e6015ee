/* What targets share: a check that says which it was, and bytes with nothing behind them. */
#ifndef RV_TESTS_FUZZ_H
#define RV_TESTS_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly the bytes that may be read, so that one more is seen. Caller frees. */
static inline char *exact_copy(const void *p, size_t len)
{
	char *copy = rv_malloc(len);

	if (len)
		memcpy(copy, p, len);
	return copy;
}

/* The same with a NUL behind; those inside become dots. */
static inline char *exact_text(const void *p, size_t len)
{
	char *copy = rv_malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		copy[i] = ((const char *)p)[i] ? ((const char *)p)[i] : '.';
	copy[len] = '\0';
	return copy;
}

#endif
