/*
 * Any bytes as the row of a data set, and as the second file of a map, a byte 0xff between them: an event is JSON
 * of one line, the same each time, or there is a reason why it is none. The first byte chooses the map.
 */
#include "fuzz.h"

#include <unistd.h>

#include "base/file.h"
#include "flow/pump_event.h"
#include "format/json_scan.h"

static char folder[] = "/dev/shm/river-fuzz-XXXXXX";

static const char *const maps[] = {
	/* as it is */
	"session: a.b\ntime: { column: t, as: ms }\n",
	/* every way there is */
	("session: a\ntime: { column: t, as: rfc3339 }\nkinds: { one: { a: [\"\", x] }, rest: }\nothers: skip\n"
	"fields:\n  id: uuid4\n  at: now\n  n: row\n  one: -1.5e3\n  text: \"<{a}{{|{c}|{b}}}\"\n"
	"  col: { column: c, as: string }\n  raw: { column: c }\n"
	"  num: { column: b, as: number, empty: \"0\", kinds: [rest] }\n"
	"  u: { uuid5: \"{a}{b}\", namespace: fe971b24-9572-4005-b22f-351e9c09274d }\n"
	"  h: { hash: c, with: sha1 }\n  x: { hash: \"{b}-{c}\", with: xxh3 }\n  f: { hash: a, with: crc32c }\n"
	"  p: { pick: [\"q\\\"\", \"\\\\\"], by: a, hash: fnv1a }\n"
	"  s: { switch: a, cases: { x: y }, absent: \"\\u00d7\" }\n  ti: { now: rfc3339 }\n"
	"  \"key \\\" \\\\ {x}\": { column: c.d.1, omit_empty: true }\n"),
	/* values of a second file */
	("time: { column: t, as: s }\nlookup:\n  c: { file: c.csv, key: k, by: a }\n"
	"fields:\n  v: { lookup: c.v, absent: none }\n  w: { lookup: c.w, as: number, empty: \"0\", absent: \"1\" }\n"),
};

static void clean_up(void)
{
	struct rv_error ignored;

	if (rv_remove_tree(folder, &ignored) != RV_OK)
		abort();
}

static void set_up(struct rv_map parsed[3])
{
	struct rv_error err = RV_ERROR_INIT;

	CHECK(mkdtemp(folder) || mkdtemp(memcpy(folder, "/tmp/river-fuzz-XXXXXX", 23)));
	atexit(clean_up);
	for (size_t i = 0; i < 3; i++)
		if (rv_map_parse("map", maps[i], strlen(maps[i]), &parsed[i], &err) != RV_OK) {
			fprintf(stderr, "%s\n", err.message);
			abort();
		}
}

static bool render(struct rv_pump_mapper *mapper, const char *record, size_t len, uint64_t number,
		   struct rv_strbuf *out)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf why = RV_STRBUF_INIT;
	struct rv_pump_row row = { .number = number, .record = record, .len = len };
	enum rv_pump_verdict verdict = rv_pump_cut(mapper, &row, &why);

	if (verdict == RV_PUMP_TAKEN)
		verdict = rv_pump_render(mapper, &row, 1795193931123, out, &why);
	if (verdict != RV_PUMP_TAKEN)
		CHECK(out->len == 0 && (verdict == RV_PUMP_SKIPPED || why.len > 0));
	return verdict == RV_PUMP_TAKEN;
}

static void check_events(struct rv_pump_mapper *mapper, const char *record, size_t len)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf first = RV_STRBUF_INIT, other = RV_STRBUF_INIT,
						       again = RV_STRBUF_INIT;
	struct rv_json_scan scan;
	bool taken = render(mapper, record, len, 7, &first);

	/* another row in between, and the same once more */
	(void)render(mapper, "{\"a\":\"x\",\"b\":[1],\"c\":\"\\u00e9\\\"\"}", 33, 8, &other);
	CHECK(render(mapper, record, len, 7, &again) == taken);
	CHECK(first.len == again.len && memcmp(first.bytes, again.bytes, first.len) == 0);
	if (!taken)
		return;
	CHECK(rv_json_scan_object(first.bytes, first.len, 0, RV_JSON_LINE_MODE, &scan) == RV_JSON_OK);
	CHECK(scan.end == first.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rv_map parsed[3];
	RV_CLEANUP(rv_pump_mapper_free_p) struct rv_pump_mapper *mapper = NULL;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_json_scan scan;

	if (size < 1 || size > 8192)
		return 0;
	if (!parsed[0].file)
		set_up(parsed);
	const uint8_t *stop = memchr(data + 1, 0xff, size - 1);
	size_t len = stop ? (size_t)(stop - data) - 1 : size - 1;
	RV_CLEANUP(rv_free_p) char *record = exact_copy(data + 1, len);

	/* what readers hand out */
	if (rv_json_scan_object(record, len, 64, RV_JSON_LINE_MODE, &scan) != RV_JSON_OK || scan.end != len)
		return 0;
	if (data[0] % 3 == 2) {
		RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, "c.csv");
		FILE *f = fopen(path, "we");
		size_t n = stop ? size - 2 - len : 0;

		CHECK(f && fwrite(data + 2 + len, 1, n, f) == n && fclose(f) == 0);
	}
	const struct rv_pump_mapper_params params = {
		.map = &parsed[data[0] % 3], .folder = folder, .replay_time = data[0] & 4, .seed = { 1, 2 },
	};

	if (rv_pump_mapper_new(&params, &mapper, &err) != RV_OK) {
		CHECK(data[0] % 3 == 2 && err.message[0]);
		CHECK(err.status == RV_BAD_CONFIG || err.status == RV_BAD_DATA);
		return 0;
	}
	check_events(mapper, record, len);
	return 0;
}
