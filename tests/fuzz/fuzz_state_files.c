/*
 * Any bytes for the files of the state folder that fuzz_journal does not know: intake files, checkpoints, lists
 * of batches, acknowledged records, journals of a pump. They are refused with a reason, or hold together; what is
 * written behind damage that a cut power leaves is found, and one flipped bit is never taken for what was
 * written. The first byte chooses.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/file.h"
#include "flow/acknowledged.h"
#include "flow/pump_state.h"
#include "spool/checkpoint.h"
#include "spool/intake.h"

static char folder[] = "/dev/shm/river-fuzz-XXXXXX";

static void clean_up(void)
{
	struct rv_error ignored;

	if (rv_remove_tree(folder, &ignored) != RV_OK)
		abort();
}

static void set_up(void)
{
	char below[sizeof(folder) + 16];

	CHECK(mkdtemp(folder) || mkdtemp(memcpy(folder, "/tmp/river-fuzz-XXXXXX", 23)));
	snprintf(below, sizeof(below), "%s/files", folder);
	CHECK(mkdir(below, 0700) == 0);
	snprintf(below, sizeof(below), "%s/pump", folder);
	CHECK(mkdir(below, 0700) == 0);
	atexit(clean_up);
}

static void write_file(const char *name, const void *p, size_t len)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, name);
	FILE *f = fopen(path, "we");

	CHECK(f && fwrite(p, 1, len, f) == len && fclose(f) == 0);
}

/* Lines with their sums put in front, so that what is behind them is reached. */
static void sum_lines(const char *p, size_t len, struct rv_strbuf *out)
{
	for (size_t at = 0; at < len;) {
		const char *end = memchr(p + at, '\n', len - at);
		size_t n = end ? (size_t)(end - p) - at : len - at;

		rv_strbuf_printf(out, "%08x ", rv_crc32c(0, p + at, n));
		rv_strbuf_add(out, p + at, n);
		rv_strbuf_putc(out, '\n');
		at += n + 1;
	}
}

/* ---- intake ---- */

struct frames {
	struct rv_strbuf bytes; /* kind, records and bytes of each, one behind the other */
	size_t count;
};

static enum rv_status see_frame(void *arg, struct rv_intake_frame *frame, struct rv_error *err RV_UNUSED)
{
	struct frames *frames = arg;

	CHECK(frame->kind == RV_INTAKE_RECORDS || frame->kind == RV_INTAKE_REJECT);
	rv_strbuf_printf(&frames->bytes, "%c %llu %zu ", frame->kind, (unsigned long long)frame->records,
			 frame->bytes.len);
	rv_strbuf_add(&frames->bytes, frame->bytes.p, frame->bytes.len);
	frames->count++;
	if (frame->kind == RV_INTAKE_REJECT) {
		RV_CLEANUP(rv_free_p) char *copy = exact_copy(frame->bytes.p, frame->bytes.len);
		const char *code, *reason, *source;
		struct rv_str bytes;

		if (rv_intake_split_reject(copy, frame->bytes.len, &code, &reason, &source, &bytes))
			CHECK(strlen(code) + strlen(reason) + strlen(source) + 3 + bytes.len <= frame->bytes.len);
	}
	return RV_OK;
}

static enum rv_status read_intake(const struct rv_strbuf *file, struct frames *frames)
{
	struct rv_error err = RV_ERROR_INIT;
	int fd = memfd_create("intake", MFD_CLOEXEC);

	CHECK(fd >= 0 && write(fd, file->bytes, file->len) == (ssize_t)file->len);
	enum rv_status status = rv_intake_read(fd, "intake", see_frame, frames, &err);

	close(fd);
	CHECK(status == RV_OK || (status == RV_DAMAGED && err.message[0]));
	return status;
}

/* Frames of what is between bytes 0xff; the first two bytes say where the file is cut and a bit is flipped. */
static void try_intake(const char *p, size_t len)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf file = RV_STRBUF_INIT;
	struct frames whole = { .bytes = RV_STRBUF_INIT }, part = { .bytes = RV_STRBUF_INIT };
	size_t ends[64], count = 0, at = 2, last_round = 0;

	if (len < 2)
		return;
	for (; at < len && count < 64; count++) {
		const char *stop = memchr(p + at, '\xff', len - at);
		struct rv_str bytes = { p + at, stop ? (size_t)(stop - p) - at : len - at };
		char head[RV_INTAKE_HEAD];
		const struct rv_intake_frame frame = { RV_INTAKE_RECORDS, bytes.len, bytes };

		if (bytes.len % 2) {
			rv_intake_add_reject(&file, "code", "reason", "source", bytes);
		} else {
			rv_intake_head(&frame, head);
			rv_strbuf_add(&file, head, sizeof(head));
			rv_strbuf_add(&file, bytes.p, bytes.len);
			last_round = count;
		}
		ends[count] = file.len;
		at += bytes.len + 1;
	}
	CHECK(read_intake(&file, &whole) == RV_OK && whole.count == count);
	size_t cut = (size_t)(unsigned char)p[0] * file.len / 255, fit = 0;

	while (fit < count && ends[fit] <= cut)
		fit++;
	struct rv_strbuf head = { .bytes = file.bytes, .len = cut };

	CHECK(read_intake(&head, &part) == RV_OK && part.count == fit);
	CHECK(part.bytes.len <= whole.bytes.len && memcmp(part.bytes.bytes, whole.bytes.bytes, part.bytes.len) == 0);
	if (file.len) {
		size_t flipped = (size_t)(unsigned char)p[1] * (file.len - 1) / 255;

		rv_strbuf_clear(&part.bytes);
		part.count = fit = 0;
		file.bytes[flipped] ^= 0x10;
		while (ends[fit] <= flipped)
			fit++;
		/* the last round may look torn; a flipped length never makes others of those behind it */
		enum rv_status status = read_intake(&file, &part);

		CHECK(part.count == fit);
		CHECK(status == RV_DAMAGED || (fit >= last_round && memchr(file.bytes, '\0', file.len)));
		CHECK(memcmp(part.bytes.bytes, whole.bytes.bytes, part.bytes.len) == 0);
	}
	rv_strbuf_release(&whole.bytes);
	rv_strbuf_release(&part.bytes);
}

static void try_intake_bytes(const char *p, size_t len)
{
	struct frames frames = { .bytes = RV_STRBUF_INIT };
	struct rv_strbuf file = { .bytes = exact_copy(p, len), .len = len };

	read_intake(&file, &frames);
	free(file.bytes);
	rv_strbuf_release(&frames.bytes);
}

/* ---- checkpoints ---- */

static void try_checkpoint(const struct rv_state *state, const char *p, size_t len, bool sums)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_checkpoint c, again;
	struct rv_error err = RV_ERROR_INIT;
	bool found = false;

	if (sums)
		sum_lines(p, len, &text);
	else
		rv_strbuf_add(&text, p, len);
	write_file("files/k", text.bytes, text.len);
	enum rv_status status = rv_checkpoint_load(state, "k", &c, &found, &err);

	CHECK(found == (status == RV_OK));
	if (status != RV_OK) {
		CHECK((status == RV_DAMAGED || status == RV_BAD_CONFIG) && err.message[0]);
		return;
	}
	CHECK(c.path && c.format && c.compression && c.head_len <= c.offset && c.tail_len <= c.offset);
	json_t *json = rv_checkpoint_json(&c);

	CHECK(json && rv_checkpoint_parse(json, &again));
	CHECK(strcmp(c.key, again.key) == 0 && strcmp(c.path, again.path) == 0 &&
	      strcmp(c.format, again.format) == 0 && strcmp(c.compression, again.compression) == 0);
	CHECK(c.offset == again.offset && c.line == again.line && c.records == again.records &&
	      c.rejected == again.rejected && c.set_hash == again.set_hash &&
	      c.head_hash == again.head_hash && c.tail_hash == again.tail_hash &&
	      c.first_record == again.first_record && c.generation == again.generation);
	CHECK(!c.csv_header == !again.csv_header &&
	      (!c.csv_header || strcmp(c.csv_header, again.csv_header) == 0));
	json_decref(json);
	rv_checkpoint_release(&c);
	rv_checkpoint_release(&again);
}

/* ---- batches of a file ---- */

static enum rv_status see_batch(void *arg, const struct rv_file_batch *batch, struct rv_error *err RV_UNUSED)
{
	size_t *seen = arg;

	CHECK(strlen(batch->name) <= RV_OBJECT_NAME_MAX && strlen(batch->rejects_name) < RV_OBJECT_NAME_MAX);
	*seen += batch->from == 4711 && batch->to == 4712 && batch->by_stamp &&
		 strcmp(batch->name, "data/x") == 0 && strcmp(batch->rejects_name, "-") == 0;
	return RV_OK;
}

static void try_batches(const struct rv_state *state, const char *p, size_t len)
{
	static char name[] = "data/x";
	const struct rv_run run = { .name = "r", .delivery = "firehose" };
	const struct rv_batch_entry entry = { .seq = 1, .name = name };
	const struct rv_extent extent = { .from = 4711, .to = 4712 };
	struct rv_error err = RV_ERROR_INIT;
	size_t before = 0, seen = 0;

	write_file("files/k.batches", p, len);
	CHECK(rv_checkpoint_each_batch(state, "k", see_batch, &before, &err) == RV_OK);
	CHECK(rv_checkpoint_note_batch(state, "k", &run, &entry, &extent, false, &err) == RV_OK);
	CHECK(rv_checkpoint_each_batch(state, "k", see_batch, &seen, &err) == RV_OK);
	/* half a line may be closed by it */
	CHECK(seen == before + 1 || seen == before + 2);
}

/* ---- acknowledged records ---- */

static void try_acknowledged(const char *p, size_t len)
{
	const struct rv_run run = { .folder = folder };
	struct rv_batch_entry entry = { .seq = 7, .records = len * 8, .set_hash = 0x0123456789abcdef };
	RV_CLEANUP(rv_free_p) uint8_t *bits = NULL, *again = NULL, *other = NULL;
	struct rv_error err = RV_ERROR_INIT;
	bool known = true;

	if (!len)
		return;
	write_file("000007.sent", p, len);
	entry.records = (unsigned char)p[0];
	rv_acknowledged_load(&run, &entry, &bits, &known);
	CHECK(!known); /* nobody finds the hash by chance */
	for (size_t i = 0; i < (entry.records + 7) / 8; i++)
		CHECK(bits[i] == 0);
	entry.records = len * 8 - (unsigned char)p[0] % 8;
	CHECK(rv_acknowledged_save(&run, &entry, (const uint8_t *)p, &err) == RV_OK);
	rv_acknowledged_load(&run, &entry, &again, &known);
	CHECK(known && memcmp(again, p, len) == 0);
	entry.set_hash++;
	rv_acknowledged_load(&run, &entry, &other, &known);
	CHECK(!known);
}

/* ---- journals of a pump ---- */

static struct rv_pump_state *open_pump(bool restart, struct rv_error *err)
{
	static char name[] = "rows.ndjson";
	static char *files[] = { name };
	RV_CLEANUP(json_decrefp) json_t *of = json_pack("{s:i}", "map", 1);
	const struct rv_pump_state_params params = {
		.state_dir = folder, .target = "t", .shown = "t", .files = files, .files_count = 1, .of = of,
		.restart = restart, .lock_timeout_ms = 0,
	};
	struct rv_pump_state *state = NULL;

	return rv_pump_state_open(&params, &state, err) == RV_OK ? state : NULL;
}

static void try_pump(const char *p, size_t len)
{
	static const char head[] = "{\"v\":1,\"target\":\"t\",\"of\":{\"map\":1},"
				   "\"seed\":\"000102030405060708090a0b0c0d0e0f\"}";
	static char *journal;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_pump_state *state;
	int64_t time_ms = 0, again_ms = 0;

	if (!len)
		return;
	if (!journal) {
		CHECK((state = open_pump(true, &err)));
		journal = rv_asprintf("pump/%s", rv_pump_state_name(state));
		rv_pump_state_free(state);
	}
	if (p[0] == '+') {
		sum_lines(head, sizeof(head) - 1, &text);
		sum_lines(p + 1, len - 1, &text);
	} else {
		rv_strbuf_add(&text, p, len);
	}
	write_file(journal, text.bytes, text.len);
	if (!(state = open_pump(false, &err))) {
		CHECK(err.message[0] && (err.status == RV_DAMAGED || err.status == RV_CONFLICT ||
					 err.status == RV_BAD_CONFIG));
		return;
	}
	uint64_t done = rv_pump_state_done(state);
	bool ended = rv_pump_state_ended(state), timed = rv_pump_state_time(state, done, &time_ms);
	const struct rv_pump_place *place = rv_pump_state_place(state);
	uint64_t offset = place ? place->offset : 0;

	CHECK(!place || place->row <= done);
	rv_pump_state_free(state);
	/* It was written anew; it says the same. */
	CHECK((state = open_pump(false, &err)));
	CHECK(rv_pump_state_done(state) == done && rv_pump_state_ended(state) == ended);
	CHECK(rv_pump_state_time(state, done, &again_ms) == timed && again_ms == time_ms);
	place = rv_pump_state_place(state);
	CHECK((place ? place->offset : 0) == offset);
	CHECK(rv_pump_state_settled(state, done + 1, false, &err) == RV_OK);
	rv_pump_state_free(state);
	CHECK((state = open_pump(false, &err)) && rv_pump_state_done(state) == (done < INT64_MAX ? done + 1 : 0));
	rv_pump_state_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_state state = { .folder = folder };
	static bool ready;

	if (size < 1 || size > 16 << 10)
		return 0;
	if (!ready)
		set_up();
	ready = true;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);

	switch (data[0] & 7) {
	case 0: try_intake(p, size - 1); break;
	case 1: try_intake_bytes(p, size - 1); break;
	case 2: try_checkpoint(&state, p, size - 1, false); break;
	case 3: try_checkpoint(&state, p, size - 1, true); break;
	case 4: try_batches(&state, p, size - 1); break;
	case 5: try_acknowledged(p, size - 1); break;
	default: try_pump(p, size - 1);
	}
	return 0;
}
