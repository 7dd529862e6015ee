/*
 * The order of children. Numbers are compared as what they stand for, digit by digit: a decimal of
 * thirty digits and an integer beyond 2^53 are not rounded. Most comparisons end at a number of 64
 * bits that is made of the first column once, when a row is read.
 */
#include "flow/compose_impl.h"

struct number {
	bool valid, negative;
	const char *digits,
		*end;      /* from the first one that is not 0; there may be a point between */
	int64_t magnitude; /* of the first digit: 12.5 has 2, 0.05 has -1; none: it is 0 */
};

static struct number number_of(const char *p, size_t len)
{
	const char *end = p + len;
	struct number n = { .valid = true };
	bool point = false, any = false;
	int64_t before = 0;

	if (p < end && (*p == '-' || *p == '+'))
		n.negative = *p++ == '-';
	n.digits = NULL;
	for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !point)); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		any = true;
		if (!n.digits && *p != '0')
			n.digits = p;
		if (n.digits && !point)
			before++;
		else if (!n.digits && point)
			before--;
	}
	n.end = p;
	n.magnitude = before;
	if (p < end && any && (*p == 'e' || *p == 'E')) {
		bool down = false;
		int64_t e = 0;

		if (++p < end && (*p == '-' || *p == '+'))
			down = *p++ == '-';
		any = p < end;
		for (; p < end && *p >= '0' && *p <= '9'; p++)
			if (e < 1000000000)
				e = e * 10 + (*p - '0');
		n.magnitude += down ? -e : e;
	}
	n.valid = any && p == end;
	if (!n.digits)
		n.negative = false;
	return n;
}

static int order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int bytes_order(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t least = a_len < b_len ? a_len : b_len;
	int c = least ? memcmp(a, b, least) : 0;

	return c ? (c > 0) - (c < 0) : order((int64_t)a_len, (int64_t)b_len);
}

/* The next digit, 0 behind the last. */
static char digit(const char **p, const char *end)
{
	if (*p < end && **p == '.')
		(*p)++;
	return *p < end ? *(*p)++ : '0';
}

int rv_compose_number_order(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct number x = number_of(a, a_len), y = number_of(b, b_len);
	int c;

	if (!x.valid || !y.valid)
		return x.valid != y.valid ? (x.valid ? -1 : 1) : bytes_order(a, a_len, b, b_len);
	if (!x.digits || !y.digits)
		return !x.digits && !y.digits ? 0
		       : x.digits             ? (x.negative ? -1 : 1)
					      : (y.negative ? 1 : -1);
	if (x.negative != y.negative)
		return x.negative ? -1 : 1;
	c = order(x.magnitude, y.magnitude);
	while (!c && (x.digits < x.end || y.digits < y.end))
		c = order(digit(&x.digits, x.end), digit(&y.digits, y.end));
	return x.negative ? -c : c;
}

/* Monotone, not exact: what is before the point, or the ends of what 62 bits hold. */
static uint64_t number_prefix(const char *p, size_t len)
{
	const int64_t most = INT64_C(1) << 62;
	struct number n = number_of(p, len);
	int64_t v = 0;

	if (!n.valid)
		return UINT64_MAX - 1;
	if (n.digits && n.magnitude > 18) {
		v = most;
	} else if (n.digits) {
		for (int64_t i = 0; i < n.magnitude; i++)
			v = v * 10 + (digit(&n.digits, n.end) - '0');
	}
	return (uint64_t)most + (uint64_t)(n.negative ? -v : v);
}

static uint64_t text_prefix(const char *p, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | (i < len ? (unsigned char)p[i] : 0);
	return v > UINT64_MAX - 2 ? UINT64_MAX - 2 : v;
}

static struct rv_packed_cell cell_at(const char *row, size_t len, size_t column)
{
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
	struct rv_packed_cell cell = { .p = row, .null = true };

	for (size_t i = 0; i <= column; i++)
		if (!rv_packed_next(&cursor, &cell))
			break;
	return cell;
}

uint64_t rv_compose_prefix(const struct rv_compose_by *by, size_t by_count, const char *row,
			   size_t len)
{
	if (!by_count)
		return 0;
	struct rv_packed_cell cell = cell_at(row, len, by[0].column);

	if (cell.null)
		return UINT64_MAX;
	uint64_t v = by[0].number ? number_prefix(cell.p, cell.len) : text_prefix(cell.p, cell.len);

	return by[0].descending ? UINT64_MAX - 1 - v : v;
}

size_t rv_compose_row_len(const char *fragment, size_t len, size_t columns)
{
	struct rv_packed_cursor cursor = rv_packed_cursor_of(fragment, len);
	struct rv_packed_cell cell;

	for (size_t i = 0; i < columns; i++)
		if (!rv_packed_next(&cursor, &cell))
			break;
	return (size_t)(cursor.p - fragment);
}

int rv_compose_row_order(const struct rv_compose_by *by, size_t by_count, const char *a,
			 size_t a_len, const char *b, size_t b_len)
{
	for (size_t i = 0; i < by_count; i++) {
		struct rv_packed_cell x = cell_at(a, a_len, by[i].column);
		struct rv_packed_cell y = cell_at(b, b_len, by[i].column);
		int c;

		if (x.null || y.null) {
			if (x.null != y.null)
				return x.null ? 1 : -1;
			continue;
		}
		c = by[i].number ? rv_compose_number_order(x.p, x.len, y.p, y.len)
				 : bytes_order(x.p, x.len, y.p, y.len);
		if (c)
			return by[i].descending ? -c : c;
	}
	return 0;
}
