/*
 * Any bytes for what river remembers of earlier runs beside its journals: the numbers of extracts that are missing,
 * the archives that a host has taken, the ids of events, the log of an embedded warehouse after a power cut. What is
 * damaged is refused or forgotten, what is taken holds together and is the same when it is written and read again.
 * The first byte chooses.
 */
#include "fuzz.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "collect/remembered.h"
#include "flow/extract_sequence.h"
#include "format/xxh3.h"
#include "warehouse/duckdb_log.h"

static char folder[] = "/dev/shm/river-fuzz-XXXXXX";

static void clean_up(void)
{
	struct rv_error ignored;

	if (rv_remove_tree(folder, &ignored) != RV_OK)
		abort();
}

static void set_up(void)
{
	CHECK(mkdtemp(folder) || mkdtemp(memcpy(folder, "/tmp/river-fuzz-XXXXXX", 23)));
	atexit(clean_up);
}

static void write_file(const char *name, const void *p, size_t len)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, name);
	FILE *f = fopen(path, "we");

	CHECK(f && fwrite(p, 1, len, f) == len && fclose(f) == 0);
}

static void read_file(const char *name, struct rv_strbuf *out)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, name);
	struct rv_error err = RV_ERROR_INIT;

	CHECK(rv_read_file(path, 1 << 20, out, &err) == RV_OK);
}

/* ---- numbers of extracts ---- */

static bool is_missing(const struct extract_sequence *s, uint64_t number)
{
	for (size_t i = 0; i < s->missing_count; i++)
		if (number >= s->missing[i].first && number <= s->missing[i].last)
			return true;
	return false;
}

static void check_sequence(const struct extract_sequence *s)
{
	for (size_t i = 0; i < s->missing_count; i++) {
		CHECK(s->missing[i].first <= s->missing[i].last && s->missing[i].last < s->last);
		CHECK(!i || s->missing[i].first > s->missing[i - 1].last);
	}
}

/* The first byte of the text is the number that is taken. */
static void try_sequence(const char *p, size_t len)
{
	static char name[] = "seq";
	static struct rv_job job = { .name = name };
	struct rv_store *lake = rv_store_mem_new();
	const struct rv_extract_params params = { .job = &job, .lake = lake };
	const struct extract_archives none = { 0 };
	struct extract_sequence was, now = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	uint64_t number = len ? (unsigned char)p[0] : 0;

	if (len)
		CHECK(rv_store_put_bytes(lake, "_river/extracts/seq/sequence.json", p + 1, len - 1,
					 &(struct rv_store_put){ .if_absent = true }, &err) == RV_OK);
	if (extract_sequence_read(&params, &none, &was, &err) != RV_OK) {
		CHECK((err.status == RV_DAMAGED || err.status == RV_BAD_CONFIG) && err.message[0]);
	} else {
		check_sequence(&was);
		CHECK(extract_sequence_took(&params, &now, number, &err) == RV_OK);
		check_sequence(&now);
		CHECK(!is_missing(&now, number) && now.last >= number && now.last >= was.last);
		for (uint64_t i = 0; i < 256; i++)
			if (i != number && was.begun)
				CHECK(is_missing(&now, i) ==
				      (is_missing(&was, i) || (i > was.last && i < number)));
		extract_sequence_release(&was);
		CHECK(extract_sequence_read(&params, &none, &was, &err) == RV_OK);
		CHECK(was.begun && was.last == now.last && was.missing_count == now.missing_count);
		extract_sequence_release(&was);
		extract_sequence_release(&now);
	}
	rv_store_free(lake);
}

/* ---- archives that were taken ---- */

#define TAKEN "{\"v\":1,\"status\":\"taken\"}"

static void try_seen(const char *p, size_t len)
{
	static char name[] = "seq";
	static struct rv_job job = { .name = name };
	struct rv_store *lake = rv_store_mem_new();
	const struct rv_extract_params params = { .job = &job, .lake = lake, .state_dir = folder };
	struct extract_archive items[2] = { { .shown = (char[]){ "a" }, .bytes = 1, .modified_ms = 2 },
					    { .shown = (char[]){ "b" }, .bytes = 3, .modified_ms = 4 } };
	struct extract_archives archives = { .items = items, .count = 2 };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *path = NULL;

	/* the file's name has a hash of the lake's, so it is found by looking */
	memset(items[1].identity, 'f', sizeof(items[1].identity) - 1);
	CHECK(extract_forget(&params, &err) == RV_OK && extract_keep(&params, &items[1], &err) == RV_OK);
	CHECK(extract_folder(&params, &path, &err) == RV_OK);
	RV_CLEANUP(rv_free_p) char *seen = rv_asprintf("%s/seen-%016" PRIx64 ".ndjson", path,
						       (uint64_t)XXH3_64bits(lake->url, strlen(lake->url)));
	FILE *f = fopen(seen, "re+");

	/* any bytes in front of a good line, and behind it */
	CHECK(f);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	CHECK(rv_read_file(seen, 1 << 20, &line, &err) == RV_OK && line.len);
	CHECK(fwrite(p, 1, len / 2, f) == len / 2 && fwrite("\n", 1, 1, f) == 1 &&
	      fwrite(line.bytes, 1, line.len, f) == line.len && fwrite(p + len / 2, 1, len - len / 2, f) == len - len / 2 &&
	      fclose(f) == 0);
	/* a lake that knows neither does not take them for taken */
	CHECK(extract_remember(&params, &archives, &err) == RV_OK && !items[0].seen && !items[1].seen);
	RV_CLEANUP(rv_free_p) char *ledger = rv_asprintf("_river/extracts/seq/%s.json", items[1].identity);

	CHECK(rv_store_put_bytes(lake, ledger, p, len, &(struct rv_store_put){ .if_absent = true }, &err) == RV_OK);
	if (extract_remember(&params, &archives, &err) != RV_OK)
		CHECK((err.status == RV_DAMAGED || err.status == RV_BAD_CONFIG) && err.message[0]);
	CHECK(rv_store_put_bytes(lake, ledger, TAKEN, strlen(TAKEN), NULL, &err) == RV_OK);
	items[0].seen = items[1].seen = false;
	CHECK(extract_remember(&params, &archives, &err) == RV_OK && (items[1].seen || memchr(p, '{', len)));
	rv_store_free(lake);
}

/* ---- ids of events ---- */

struct ids {
	struct rv_seen_id items[4096];
	size_t count;
};

static void see_id(void *arg, struct rv_seen_id id)
{
	struct ids *ids = arg;

	CHECK(ids->count < sizeof(ids->items) / sizeof(*ids->items));
	ids->items[ids->count++] = id;
}

static void try_ids(const char *p, size_t len, bool head)
{
	static struct ids was, now;
	struct rv_remembered r;
	struct rv_seen_id added = { 1, 2 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;
	bool damaged = false;

	was.count = now.count = 0;
	if (head)
		rv_strbuf_add(&text, "rvseen1\n01234567", 16);
	rv_strbuf_add(&text, p, len);
	write_file("seen", text.bytes, text.len);
	CHECK(rv_remembered_open(&r, folder, see_id, &was, &damaged, &err) == RV_OK);
	CHECK(!head || (!damaged && was.count <= len / 16));
	CHECK(!damaged || was.count == 0);
	CHECK(rv_remembered_add(&r, &added, 1, 1 << 20, &err) == RV_OK);
	uint64_t seed = r.seed;

	rv_remembered_release(&r);
	CHECK(rv_remembered_open(&r, folder, see_id, &now, &damaged, &err) == RV_OK && !damaged);
	CHECK(now.count == was.count + 1 && r.seed == seed);
	CHECK(memcmp(now.items, was.items, was.count * sizeof(*was.items)) == 0);
	CHECK(now.items[was.count].high == 1 && now.items[was.count].low == 2);
	rv_remembered_release(&r);
}

/* ---- DuckDB's log ---- */

static void try_log(const char *p, size_t len)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, "w.duckdb");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	size_t end = len;

	while (end && !p[end - 1])
		end--;
	write_file("w.duckdb.wal", p, len);
	CHECK(duck_log_cut_zeros(path) == (end < len));
	read_file("w.duckdb.wal", &text);
	CHECK(text.len == end && memcmp(text.bytes, p, end) == 0);
	CHECK(!duck_log_cut_zeros(path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_set_up;

	if (size < 1 || size > 16 << 10)
		return 0;
	if (!is_set_up)
		set_up();
	is_set_up = true;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);

	switch (data[0] & 7) {
	case 0: try_seen(p, size - 1); break;
	case 1: try_ids(p, size - 1, false); break;
	case 2: try_ids(p, size - 1, true); break;
	case 3: try_log(p, size - 1); break;
	default: try_sequence(p, size - 1);
	}
	return 0;
}
