/* Endings of names, in one place: a rotated file has to be read as what it was before. */
#include "format/file_name.h"

#include <string.h>
#include <strings.h>

bool rv_name_ends_with(const char *name, size_t len, const char *ending)
{
	size_t n = strlen(ending);

	return len > n && strncasecmp(name + len - n, ending, n) == 0;
}

size_t rv_name_unpacked(const char *name, size_t len)
{
	static const char *const packed[] = { ".gz", ".zst", ".bz2", ".xz" };

	for (size_t i = 0; i < sizeof(packed) / sizeof(*packed); i++)
		if (rv_name_ends_with(name, len, packed[i]))
			return len - strlen(packed[i]);
	return len;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_separator(char c)
{
	return c == '-' || c == '_' || c == '.';
}

static bool is_of_counter(char c)
{
	return is_digit(c) || is_separator(c) || c == 'T' || c == 'Z';
}

bool rv_name_is_counter(const char *s, size_t len)
{
	bool digits = false;

	for (size_t i = 0; i < len; i++) {
		if (!is_of_counter(s[i]))
			return false;
		digits |= is_digit(s[i]);
	}
	return digits && is_separator(s[0]);
}

size_t rv_name_uncounted(const char *name, size_t len)
{
	size_t from = len;

	while (from > 0 && is_of_counter(name[from - 1]))
		from--;
	/* the last letter of app.TXT.1 might be one of a time */
	while (from < len && !is_separator(name[from]))
		from++;
	return rv_name_is_counter(name + from, len - from) ? from : len;
}
