/* Numbers and booleans of texts. Times are in cut_time.c. */
#include "format/cut_text.h"

#include <stdio.h>
#include <string.h>

static bool refuse(char *reason, const char *what)
{
	snprintf(reason, RV_CUT_REASON, "%s", what);
	return false;
}

static size_t digits(const char *p, const char *end)
{
	const char *from = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return (size_t)(p - from);
}

static bool read_number(struct rv_str s, struct rv_cut_number *n)
{
	const char *p = s.p, *end = s.p + s.len;

	*n = (struct rv_cut_number){ 0 };
	if (p < end && (*p == '-' || *p == '+'))
		n->negative = *p++ == '-';
	n->whole = p;
	n->whole_len = digits(p, end);
	p += n->whole_len;
	if (!n->whole_len)
		return false;
	if (p < end && *p == '.') {
		n->fraction = ++p;
		n->fraction_len = digits(p, end);
		p += n->fraction_len;
		if (!n->fraction_len)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		bool down = p < end && *p == '-';

		if (p < end && (*p == '-' || *p == '+'))
			p++;
		size_t len = digits(p, end);

		if (!len)
			return false;
		for (size_t i = 0; i < len && n->exponent < 1000000; i++)
			n->exponent = n->exponent * 10 + (p[i] - '0');
		if (down)
			n->exponent = -n->exponent;
		p += len;
	}
	return p == end;
}

bool rv_cut_number(struct rv_str s, struct rv_cut_number *ret, char *reason)
{
	if (s.len > RV_CUT_NUMBER_MAX)
		return refuse(reason, "is too long for a number");
	return read_number(s, ret) ? true : refuse(reason, "is not a number");
}

bool rv_cut_decimal(struct rv_str s, unsigned precision, unsigned scale, __int128 *ret,
		    char *reason)
{
	struct rv_cut_number n;
	unsigned __int128 value = 0;
	unsigned significant = 0;

	if (!rv_cut_number(s, &n, reason))
		return false;
	/* Digit i stands for 10^(position); position `scale` digits behind the point is the last. */
	int64_t last = (int64_t)n.whole_len + n.exponent + scale; /* so many digits are kept */
	int64_t total = (int64_t)(n.whole_len + n.fraction_len);

	for (int64_t i = 0; i < total || (value != 0 && i < last); i++) {
		int digit = 0;

		if (i < (int64_t)n.whole_len)
			digit = n.whole[i] - '0';
		else if (i < total)
			digit = n.fraction[i - (int64_t)n.whole_len] - '0';
		if (i >= last) {
			if (digit)
				return refuse(reason, scale ? "has more decimals than the column"
							    : "is not whole");
			continue;
		}
		if (value == 0 && digit == 0)
			continue;
		if (++significant > precision)
			return refuse(reason, "has more digits than the column");
		value = value * 10 + (unsigned)digit;
	}
	*ret = n.negative ? -(__int128)value : (__int128)value;
	return true;
}

bool rv_cut_integer(struct rv_str s, int64_t *ret, char *reason)
{
	__int128 value;

	if (!rv_cut_decimal(s, 38, 0, &value, reason))
		return false;
	if (value > INT64_MAX || value < INT64_MIN)
		return refuse(reason, "does not fit into 64 bits");
	*ret = (int64_t)value;
	return true;
}

bool rv_cut_boolean(struct rv_str s, bool *ret, char *reason)
{
	static const char *const words[2][4] = { { "false", "False", "FALSE", "0" },
						 { "true", "True", "TRUE", "1" } };

	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < 4; i++) {
			if (!rv_str_is(s, words[k][i]))
				continue;
			*ret = k == 1;
			return true;
		}
	}
	return refuse(reason, "is neither true nor false");
}
