/* See the header. Tables of letters are made from Unicode's by tests/lib/make-name-fold.pl. */
#include "format/zip_name.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "format/text_copy.h"

/* ---- which may be ---- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

const char *rv_zip_name_fault(const char *name, size_t len)
{
	size_t begin = 0;

	if (len == 0)
		return "is empty";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == 0)
			return "holds a NUL";
		if (c < 0x20 || c == 0x7f)
			return "holds a control character";
		if (c == '\\')
			return "holds a backslash";
	}
	if (name[0] == '/')
		return "is absolute";
	if (len >= 2 && is_letter(name[0]) && name[1] == ':')
		return "begins with a drive letter";
	for (size_t i = 0; i <= len; i++) {
		if (i < len && name[i] != '/')
			continue;
		const char *part = name + begin;
		size_t part_len = i - begin;

		/* A folder's name ends in its slash. */
		if (part_len == 0)
			return i == len ? NULL : "has an empty part";
		if (part_len == 2 && part[0] == '.' && part[1] == '.')
			return "leads out of the archive";
		if (part[part_len - 1] == '.')
			return part_len == 1 ? "has a part '.'" : "has a part that ends in a dot";
		if (part[part_len - 1] == ' ')
			return "has a part that ends in a blank";
		begin = i + 1;
	}
	return NULL;
}

/* ---- how they are shown ---- */

bool rv_utf8_valid(const char *p, size_t len)
{
	return rv_utf8_check(p, len) == len;
}

void rv_zip_name_show(struct rv_strbuf *sb, const char *name, size_t len, size_t max)
{
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)name[i];
		size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		bool plain = c >= 0x20 && c != 0x7f && c != '\\' && n <= len - i &&
			     rv_utf8_valid(name + i, n);

		/* U+0080 to U+009F steer terminals too. */
		if (plain && c == 0xc2 && (unsigned char)name[i + 1] < 0xa0)
			plain = false;
		if (i + n > max) {
			rv_strbuf_puts(sb, "...");
			return;
		}
		if (plain) {
			rv_strbuf_add(sb, name + i, n);
			i += n;
		} else {
			rv_strbuf_printf(sb, "\\x%02x", c);
			i++;
		}
	}
}

/* ---- which are the same ---- */

struct fold_run { /* first, first + step, ..., last become themselves plus delta */
	uint32_t first, last;
	int32_t delta;
	uint32_t step;
};
struct fold_word {
	uint32_t from, to[4];
};
struct fold_range {
	uint32_t first, last;
};
#include "format/zip_fold.inc"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MARKS_MAX 32

/* Characters of one name: letters go out at once, marks when the letter's are all there. */
struct folding {
	struct rv_strbuf *out;
	uint32_t marks[MARKS_MAX];
	size_t count;
};

static void put_utf8(struct rv_strbuf *sb, uint32_t c)
{
	if (c < 0x80) {
		rv_strbuf_putc(sb, (char)c);
		return;
	}
	if (c < 0x800) {
		rv_strbuf_putc(sb, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			rv_strbuf_putc(sb, (char)(0xe0 | c >> 12));
		} else {
			rv_strbuf_putc(sb, (char)(0xf0 | c >> 18));
			rv_strbuf_putc(sb, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		rv_strbuf_putc(sb, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	rv_strbuf_putc(sb, (char)(0x80 | (c & 0x3f)));
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void put_marks(struct folding *f)
{
	qsort(f->marks, f->count, sizeof(*f->marks), by_number);
	for (size_t i = 0; i < f->count; i++)
		put_utf8(f->out, f->marks[i]);
	f->count = 0;
}

static int run_holds(const void *key, const void *item)
{
	uint32_t c = *(const uint32_t *)key;
	const struct fold_run *run = item;

	return c < run->first ? -1 : c > run->last;
}

static int word_is(const void *key, const void *item)
{
	uint32_t c = *(const uint32_t *)key;
	const struct fold_word *word = item;

	return c < word->from ? -1 : c > word->from;
}

static int range_holds(const void *key, const void *item)
{
	uint32_t c = *(const uint32_t *)key;
	const struct fold_range *range = item;

	return c < range->first ? -1 : c > range->last;
}

static void put_one(struct folding *f, uint32_t c)
{
	if (c >= 0x300 && bsearch(&c, fold_marks, COUNT(fold_marks), sizeof(*fold_marks), range_holds)) {
		if (f->count == MARKS_MAX)
			put_marks(f);
		f->marks[f->count++] = c;
		return;
	}
	put_marks(f);
	put_utf8(f->out, c);
}

static void put_folded(struct folding *f, uint32_t c)
{
	if (c < 0x80) {
		put_one(f, c >= 'A' && c <= 'Z' ? c + 0x20 : c);
		return;
	}
	if (c >= 0xac00 && c <= 0xd7a3) { /* Hangul syllables: Unicode Standard 3.12 */
		uint32_t s = c - 0xac00;

		put_one(f, 0x1100 + s / 588);
		put_one(f, 0x1161 + s % 588 / 28);
		if (s % 28)
			put_one(f, 0x11a7 + s % 28);
		return;
	}
	const struct fold_word *word =
		bsearch(&c, fold_words, COUNT(fold_words), sizeof(*fold_words), word_is);

	if (word) {
		for (size_t i = 0; i < COUNT(word->to) && word->to[i]; i++)
			put_one(f, word->to[i]);
		return;
	}
	const struct fold_run *run =
		bsearch(&c, fold_runs, COUNT(fold_runs), sizeof(*fold_runs), run_holds);

	if (run && (c - run->first) % run->step == 0)
		c = (uint32_t)((int32_t)c + run->delta);
	put_one(f, c);
}

static uint32_t take_utf8(const char *p, size_t *ret_len)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] < 0x80) {
		*ret_len = 1;
		return u[0];
	}
	*ret_len = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	uint32_t c = u[0] & (0x7fu >> *ret_len);

	for (size_t i = 1; i < *ret_len; i++)
		c = c << 6 | (u[i] & 0x3f);
	return c;
}

void rv_zip_name_fold(struct rv_strbuf *sb, const char *name, size_t len)
{
	struct folding f = { .out = sb };

	if (len && name[len - 1] == '/')
		len--;
	if (!rv_utf8_valid(name, len)) { /* of an encoding nobody knows: only ASCII has case */
		for (size_t i = 0; i < len; i++)
			rv_strbuf_putc(sb, name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 0x20)
									     : name[i]);
		return;
	}
	for (size_t i = 0; i < len;) {
		size_t n = 0;

		put_folded(&f, take_utf8(name + i, &n));
		i += n;
	}
	put_marks(&f);
}
