/*
 * checker: did everything arrive, once, and unchanged?
 *
 *	checker EXPECTED... [--allow missing,doubled] [--quiet] --got FILE...
 *
 * EXPECTED files hold the records that were handed in, the ones after --got what came out, in any
 * order; both one record a line, - is standard input (zstd -dcq lake/... | checker in --got -). Lines
 * are compared whole, as multisets:
 *
 *	missing       expected and not there, or there less often
 *	doubled       there more often than expected
 *	altered       not expected as it is, but a record with its event_id is
 *	unexplained   neither the line nor its event_id is expected
 *
 * Prints the counts and some samples; ends with 1 when any count is not zero (but for those in --allow,
 * for what a promise leaves open), 2 when it could not look. A last line without a newline counts as a
 * line; empty lines do not count. Memory is 32 bytes a line, however long the lines are.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line by its fingerprint: 128 bits, so that a million million lines do not meet by chance. */
struct line {
	uint64_t hash[2];
	uint64_t key;    /* of the event_id; 0: none */
	uint64_t number; /* of the line, over all files of its side */
};

struct side {
	struct line *lines;
	size_t count, room;
	struct {
		const char *name;
		uint64_t first;
	} files[4096];
	size_t file_count;
};

enum { SAMPLES = 5 };

static struct side expected, got;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "checker: %s: %s\n", what, why);
	exit(2);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static void hash_line(const char *s, size_t len, uint64_t ret[2])
{
	uint64_t a = 0x8f3b51c7d2e94a6bull ^ len, b = 0x3c6ef372fe94f82aull + len;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = 0;
		memcpy(&word, s + i, len - i < 8 ? len - i : 8);
		a = fold(a ^ word, 0xd6e8feb86659fd93ull);
		a += word;
		b = (b ^ word) * 0xa0761d6478bd642full;
		b ^= b >> 29;
	}
	ret[0] = fold(a ^ (b << 1), 0x9e3779b97f4a7c15ull) ^ a;
	ret[1] = fold(b ^ a, 0xe7037ed1a0b428dbull) ^ b;
}

/* The value of event_id: the first string after that name in JSON, the first cell elsewhere. */
static uint64_t key_of(const char *s, size_t len)
{
	static const char name[] = "\"event_id\"";
	const char *end = s + len, *p, *q;
	uint64_t hash[2];

	if (len && *s == '{') {
		p = memmem(s, len, name, sizeof(name) - 1);
		if (!p)
			return 0;
		p += sizeof(name) - 1;
		while (p < end && (*p == ' ' || *p == ':' || *p == '\t'))
			p++;
		if (p == end || *p++ != '"')
			return 0;
		q = memchr(p, '"', (size_t)(end - p));
	} else {
		p = s;
		q = memchr(s, ',', len);
	}
	if (!q || q == p)
		return 0;
	hash_line(p, (size_t)(q - p), hash);
	return hash[0] | 1;
}

static void add_line(struct side *side, const char *s, size_t len, uint64_t number)
{
	if (!len)
		return;
	if (side->count == side->room) {
		side->room = side->room ? side->room * 2 : 4096;
		side->lines = realloc(side->lines, side->room * sizeof(*side->lines));
		if (!side->lines)
			die("lines", "out of memory");
	}
	struct line *line = &side->lines[side->count++];
	hash_line(s, len, line->hash);
	line->key = key_of(s, len);
	line->number = number;
}

static void read_side(struct side *side, const char *name)
{
	static uint64_t numbers[2];
	uint64_t *number = &numbers[side == &got];
	FILE *f = strcmp(name, "-") ? fopen(name, "re") : stdin;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (!f)
		die(name, strerror(errno));
	if (side->file_count == sizeof(side->files) / sizeof(*side->files))
		die(name, "too many files: join them with cat");
	side->files[side->file_count].name = name;
	side->files[side->file_count++].first = *number;
	errno = 0;
	while ((n = getline(&line, &room, f)) >= 0) {
		if (n && line[n - 1] == '\n')
			n--;
		add_line(side, line, (size_t)n, (*number)++);
	}
	if (ferror(f))
		die(name, strerror(errno));
	free(line);
	if (f != stdin)
		fclose(f);
}

static void show(const struct side *side, const struct line *line, const char *what, uint64_t nth)
{
	size_t i = side->file_count - 1;

	if (nth > SAMPLES)
		return;
	while (i && side->files[i].first > line->number)
		i--;
	printf("# %s: %s line %llu\n", what, side->files[i].name,
	       (unsigned long long)(line->number - side->files[i].first + 1));
}

static int by_hash(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int c = (x->hash[0] > y->hash[0]) - (x->hash[0] < y->hash[0]);

	if (!c)
		c = (x->hash[1] > y->hash[1]) - (x->hash[1] < y->hash[1]);
	return c ? c : (x->number > y->number) - (x->number < y->number);
}

static int by_key(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int c = (x->key > y->key) - (x->key < y->key);

	return c ? c : (x->number > y->number) - (x->number < y->number);
}

static bool same_line(const struct line *a, const struct line *b)
{
	return a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1];
}

/* The first line with that key, or NULL; `lines` are sorted by key. */
static const struct line *find_key(const struct line *lines, size_t count, uint64_t key)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (lines[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && lines[low].key == key ? &lines[low] : NULL;
}

int main(int argc, char **argv)
{
	bool allow_missing = false, allow_doubled = false, quiet = false, after_got = false;
	uint64_t missing = 0, doubled = 0, altered = 0, unexplained = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--got")) {
			after_got = true;
		} else if (!strcmp(argv[i], "--quiet")) {
			quiet = true;
		} else if (!strcmp(argv[i], "--allow") && i + 1 < argc) {
			const char *what = argv[++i];
			bool both = !strcmp(what, "missing,doubled");
			if (!both && strcmp(what, "missing") && strcmp(what, "doubled"))
				die(what, "what can be allowed is missing, doubled, or missing,doubled");
			allow_missing = both || !strcmp(what, "missing");
			allow_doubled = both || !strcmp(what, "doubled");
		} else if (argv[i][0] == '-' && argv[i][1]) {
			die(argv[i], "no such option");
		} else {
			read_side(after_got ? &got : &expected, argv[i]);
		}
	}
	/* No files after --got is an empty lake, not a slip; no --got is one. */
	if (!after_got || !expected.file_count)
		die("usage", "checker EXPECTED... [--allow missing,doubled] [--quiet] --got [FILE...]");

	/* lines that are too many on either side move to the front of their arrays */
	struct line *e = expected.lines, *g = got.lines;
	size_t i = 0, k = 0, lost = 0, extra = 0;
	size_t expected_count = expected.count, got_count = got.count;
	struct line *all_by_key = malloc((expected_count + 1) * sizeof(*e));
	if (!all_by_key)
		die("lines", "out of memory");
	if (expected_count) {
		memcpy(all_by_key, e, expected_count * sizeof(*e));
		qsort(all_by_key, expected_count, sizeof(*e), by_key);
		qsort(e, expected_count, sizeof(*e), by_hash);
	}
	if (got_count)
		qsort(g, got_count, sizeof(*g), by_hash);
	while (i < expected_count || k < got_count) {
		struct line now;
		if (k == got_count)
			now = e[i];
		else if (i == expected_count)
			now = g[k];
		else
			now = by_hash(&e[i], &g[k]) < 0 || same_line(&e[i], &g[k]) ? e[i] : g[k];
		size_t i_end = i, k_end = k;
		while (i_end < expected_count && same_line(&e[i_end], &now))
			i_end++;
		while (k_end < got_count && same_line(&g[k_end], &now))
			k_end++;
		if (i == i_end) {
			for (; k < k_end; k++)
				g[extra++] = g[k];
			continue;
		}
		for (; i < i_end && k < k_end; i++)
			k++;
		for (; i < i_end; i++)
			e[lost++] = e[i];
		for (; k < k_end; k++)
			show(&got, &g[k], "doubled", ++doubled);
	}
	if (lost)
		qsort(e, lost, sizeof(*e), by_key);
	/* an altered record is not missing as well: each takes one with its key off the lost ones */
	uint64_t *taken = calloc(lost + 1, sizeof(*taken));
	if (!taken)
		die("lines", "out of memory");
	for (size_t x = 0; x < extra; x++) {
		if (!g[x].key || !find_key(all_by_key, expected_count, g[x].key)) {
			show(&got, &g[x], "unexplained", ++unexplained);
			continue;
		}
		show(&got, &g[x], "altered", ++altered);
		const struct line *first = find_key(e, lost, g[x].key);
		for (size_t y = first ? (size_t)(first - e) : lost; y < lost && e[y].key == g[x].key; y++) {
			if (!taken[y]) {
				taken[y] = 1;
				break;
			}
		}
	}
	for (size_t y = 0; y < lost; y++)
		if (!taken[y])
			show(&expected, &e[y], "missing", ++missing);

	bool bad = (missing && !allow_missing) || (doubled && !allow_doubled) || altered || unexplained;
	if (!quiet || bad)
		printf("expected %zu got %zu missing %llu doubled %llu altered %llu unexplained %llu\n",
		       expected_count, got_count, (unsigned long long)missing,
		       (unsigned long long)doubled, (unsigned long long)altered,
		       (unsigned long long)unexplained);
	free(taken);
	free(all_by_key);
	free(e);
	free(g);
	if (fflush(stdout))
		die("standard output", strerror(errno));
	return bad;
}
