#include "format/record_hash.h"

#include <string.h>

#include "format/xxh3.h"

uint64_t rv_record_hash(const void *p, size_t len)
{
	return XXH3_64bits(p, len);
}

uint64_t rv_record_hash_cut(const char *p, size_t keep)
{
	char copy[1024];
	if (keep < sizeof(copy)) {
		memcpy(copy, p, keep);
		copy[keep] = '}';
		return XXH3_64bits(copy, keep + 1);
	}
	XXH3_state_t state;
	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, p, keep);
	XXH3_64bits_update(&state, "}", 1);
	return XXH3_64bits_digest(&state);
}
