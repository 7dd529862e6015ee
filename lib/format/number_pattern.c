/* Patterns as globs have them: what a * stands for is as short as the rest allows. A number takes all digits at its
 * place, so it is known where it ends, and going back to the last * is enough. */
#include "format/number_pattern.h"

#include <string.h>

#include "base/number.h"

/* Length of "{word}" where it stands; 0: it does not. */
static size_t placeholder(const char *at, const char *word)
{
	size_t len = strlen(word);

	return at[0] == '{' && strncmp(at + 1, word, len) == 0 && at[1 + len] == '}' ? len + 2 : 0;
}

bool rv_number_pattern_is_good(const char *pattern, const char *word)
{
	unsigned found = 0;

	for (const char *c = pattern; *c; c++)
		found += placeholder(c, word) > 0;
	return found == 1;
}

bool rv_number_pattern_match(const char *pattern, const char *word, const char *text, size_t len, uint64_t *ret)
{
	const char *end = text + len, *star = NULL, *first = NULL, *from = NULL, *p = pattern, *t = text;
	uint64_t number = 0;

	for (;;) {
		size_t held = placeholder(p, word), digits = 0;

		if (*p == '*') {
			first = p == star ? first : t;
			star = ++p;
			from = t;
			continue;
		}
		/* A number that is too large is none: not the digits at its end either. */
		bool begins = held && !(p == star && t > first && t[-1] >= '0' && t[-1] <= '9');

		while (begins && t + digits < end && t[digits] >= '0' && t[digits] <= '9')
			digits++;
		if (digits && rv_parse_u64(t, digits, &number)) {
			p += held;
			t += digits;
		} else if (!held && *p && t < end && *p == *t) {
			p++;
			t++;
		} else if (!*p && t == end) {
			*ret = number;
			return true;
		} else if (star && from < end) {
			p = star;
			t = ++from;
		} else {
			return false;
		}
	}
}
