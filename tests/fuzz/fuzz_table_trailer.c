/*
 * Any bytes as a pattern with a number in it, the rows of a member and its trailer: what matches is what a slow reader
 * by recursion finds, a number is all of the digits that stand there, and a member is whole when its last row says how
 * many there are, and in no other case. The first byte is of the dialect; a line is the pattern, the others are rows.
 */
#include "fuzz.h"

#include "flow/table_trailer.h"
#include "format/number_pattern.h"

#define WORD "count"
#define HELD "{" WORD "}"

static unsigned steps;

/* Shortest stars first. `after`: behind a star that took a digit, where no number begins. */
static bool slowly(const char *p, const char *t, const char *end, bool after, uint64_t *ret)
{
	if (++steps > 100000)
		return false;
	if (*p == '*') {
		for (const char *from = t; from <= end; from++)
			if (slowly(p + 1, from, end, from > t ? from[-1] >= '0' && from[-1] <= '9' : after, ret))
				return true;
		return false;
	}
	if (strncmp(p, HELD, strlen(HELD)) == 0) {
		unsigned __int128 n = 0;
		const char *digits = t;

		while (t < end && *t >= '0' && *t <= '9' && n <= UINT64_MAX)
			n = n * 10 + (unsigned)(*t++ - '0');
		if (after || t == digits || n > UINT64_MAX || !slowly(p + strlen(HELD), t, end, false, ret))
			return false;
		*ret = (uint64_t)n;
		return true;
	}
	if (!*p)
		return t == end;
	return t < end && *p == *t && slowly(p + 1, t + 1, end, false, ret);
}

/* "1*{count}": of digits some are the pattern's, and which of them is not looked for in every way. */
static bool has_digit_before(const char *pattern)
{
	const char *held = strstr(pattern, HELD), *c = held;

	while (c > pattern && c[-1] == '*')
		c--;
	return c < held && c > pattern && c[-1] >= '0' && c[-1] <= '9';
}

/* False: it has taken too long. */
static bool check_match(const char *pattern, const char *row, size_t len, bool *ret_is, uint64_t *ret)
{
	uint64_t number = 7, slow = 7;
	bool is = rv_number_pattern_match(pattern, WORD, row, len, &number);

	steps = 0;
	*ret_is = slowly(pattern, row, row + len, false, &slow);
	*ret = slow;
	if (steps > 100000)
		return false;
	if (has_digit_before(pattern) && !is)
		return false;
	CHECK(is == *ret_is && number == slow);
	return true;
}

static void check_refusal(const struct rv_error *err)
{
	CHECK(err->status == RV_BAD_DATA && err->message[0] && err->hint[0]);
	CHECK(memchr(err->message, '\0', sizeof(err->message)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 1024)
		return 0;
	RV_CLEANUP(rv_free_p) char *text = exact_text(data + 1, size - 1);
	size_t len = strcspn(text, "\n");
	RV_CLEANUP(rv_free_p) char *pattern = rv_strndup(text, len);
	struct rv_job_dialect dialect = { .trailer = pattern, .trailer_counts_all = data[0] & 1, .header = data[0] & 2 };
	struct rv_table_trailer trailer = { .found = false };
	struct rv_error err = RV_ERROR_INIT;
	uint64_t line = 0, rows = 0, said = 0;
	bool found = false;

	/* definitions have such ones alone */
	if (!rv_number_pattern_is_good(pattern, WORD))
		return 0;
	for (const char *at = text + len; *at == '\n'; at += len) {
		RV_CLEANUP(rv_free_p) char *row = exact_copy(at + 1, strcspn(at + 1, "\n"));
		bool is = false, is_slowly;
		uint64_t number;

		len = 1 + strcspn(at + 1, "\n");
		if (!check_match(pattern, row, len - 1, &is_slowly, &number))
			return 0;
		enum rv_status status = rv_table_trailer_row(&trailer, &dialect, "a.csv", ++line, row, len - 1, &is, &err);

		CHECK((status != RV_OK) == found);
		if (status != RV_OK) {
			check_refusal(&err);
			return 0;
		}
		CHECK(is == is_slowly);
		if (is)
			said = number;
		found = is;
		rows += !is;
	}
	uint64_t all = rows + ((data[0] & 1) ? 1 + ((data[0] & 2) != 0) : 0);

	if (rv_table_trailer_end(&trailer, &dialect, "a.csv", rows, &err) == RV_OK)
		CHECK(found && said == all);
	else {
		CHECK(!found || said != all);
		check_refusal(&err);
	}
	return 0;
}
