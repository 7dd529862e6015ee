/* Identifiers for runs, streams and statements. */
#include "base/ulid.h"
#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

void rv_random_bytes(void *p, size_t len)
{
	char *at = p;
	while (len) {
		ssize_t n = getrandom(at, len, 0);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			rv_bug("getrandom: %s", strerror(errno));
		}
		at += n;
		len -= (size_t)n;
	}
}

void rv_ulid_new(int64_t now_ms, char *ret)
{
	unsigned char random[16];
	rv_random_bytes(random, sizeof(random));
	uint64_t t = (uint64_t)now_ms;
	for (int i = 9; i >= 0; i--) {
		ret[i] = digits[t & 31];
		t >>= 5;
	}
	for (int i = 0; i < 16; i++)
		ret[10 + i] = digits[random[i] & 31];
	ret[26] = '\0';
}

bool rv_ulid_valid(const char *s, size_t len)
{
	if (len != 26 || s[0] > '7')
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] == '\0' || !strchr(digits, s[i]))
			return false;
	return true;
}

int64_t rv_ulid_time_ms(const char *ulid)
{
	int64_t t = 0;
	for (int i = 0; i < 10; i++) {
		const char *d = strchr(digits, ulid[i]);
		t = t << 5 | (d ? d - digits : 0);
	}
	return t;
}
