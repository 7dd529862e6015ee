/* Taking names apart; the callers compare with the one right spelling at the end. */
#include "flow/name_parts.h"

#include <string.h>

#include "base/number.h"
#include "flow/object_name.h"

#define SEQ_DIGITS_MIN 6
#define HASH_DIGITS 16

bool rv_name_take_folder(const char **p, char *field, size_t size)
{
	const char *end = strchr(*p, '/');
	if (!end || end == *p || (size_t)(end - *p) >= size)
		return false;
	memcpy(field, *p, (size_t)(end - *p));
	field[end - *p] = '\0';
	*p = end + 1;
	return true;
}

bool rv_name_take_hash(const char *p, size_t *len, uint64_t *ret)
{
	size_t tail = HASH_DIGITS + 2;
	if (*len < tail || p[*len - tail] != '-' || p[*len - tail + 1] != 'h' ||
	    !rv_parse_hex64(p + *len - HASH_DIGITS, HASH_DIGITS, ret))
		return false;
	*len -= tail;
	return true;
}

static size_t trailing_digits(const char *p, size_t len)
{
	size_t digits = 0;
	while (digits < len && p[len - 1 - digits] >= '0' && p[len - 1 - digits] <= '9')
		digits++;
	return digits;
}

bool rv_name_take_count(const char *p, size_t *len, char letter, uint64_t *ret)
{
	size_t digits = trailing_digits(p, *len);
	if (*len < digits + 2 || p[*len - digits - 1] != letter || p[*len - digits - 2] != '-' ||
	    !rv_parse_u64(p + *len - digits, digits, ret))
		return false;
	*len -= digits + 2;
	return true;
}

bool rv_name_take_seq(const char *p, size_t *len, uint64_t *ret)
{
	size_t digits = trailing_digits(p, *len);
	if (digits < SEQ_DIGITS_MIN || *len < digits + 2 || p[*len - digits - 1] != '-' ||
	    !rv_parse_u64(p + *len - digits, digits, ret))
		return false;
	*len -= digits + 1;
	return true;
}

bool rv_name_take_run(const char *p, size_t len, char *ret)
{
	if (len == 0 || len > RV_RUN_MAX)
		return false;
	memcpy(ret, p, len);
	ret[len] = '\0';
	return rv_run_name_valid(ret);
}
