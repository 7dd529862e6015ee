/* Frames of intake files, written by one and read by another process. */
#include "spool/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/xxh3.h"

/* Of the head, in front of what it is of. */
#define CRC_TEXT 9
#define KIND_AT (CRC_TEXT + 17)
/* How much is taken ahead: of a small file little. Bounds the longest write that a sync waits for. */
#define ROOM_MIN_BYTES (64u << 10)
#define ROOM_MAX_BYTES (256u << 10)
/* What is looked through at once behind an end that is not whole. */
#define LOOK_BYTES (64u << 10)

/* In front of the rest of a head. */
static void add_crc(char head[RV_INTAKE_HEAD])
{
	char crc[CRC_TEXT + 1];
	snprintf(crc, sizeof(crc), "%08" PRIx32 " ", rv_crc32c(0, head + CRC_TEXT, RV_INTAKE_HEAD - CRC_TEXT));
	memcpy(head, crc, CRC_TEXT);
}

void rv_intake_head(const struct rv_intake_frame *frame, char ret[RV_INTAKE_HEAD])
{
	char text[RV_INTAKE_HEAD + 32];
	int n = snprintf(text, sizeof(text), "%016" PRIx64 " %c %08zx %08" PRIx64 "\n",
			 (uint64_t)XXH3_64bits(frame->bytes.p, frame->bytes.len), frame->kind,
			 frame->bytes.len, frame->records);
	if (n != RV_INTAKE_HEAD - CRC_TEXT)
		rv_bug("the head of a frame has %d bytes", n);
	memcpy(ret + CRC_TEXT, text, (size_t)n);
	add_crc(ret);
}

void rv_intake_begin_with_rejects(char *rejects)
{
	rejects[KIND_AT] = RV_INTAKE_REJECT;
	add_crc(rejects);
}

static uint64_t count_zeros(const char *p, size_t len)
{
	uint64_t n = 0;
	for (const char *end = p + len; (p = memchr(p, '\0', (size_t)(end - p))); p++)
		n++;
	return n;
}

void rv_intake_add_reject(struct rv_strbuf *out, const char *code, const char *reason,
			  const char *source, struct rv_str bytes)
{
	char head[RV_INTAKE_HEAD] = { 0 };
	size_t begin = out->len;
	rv_strbuf_add(out, head, sizeof(head));
	rv_strbuf_printf(out, "%s\n%s\n%s\n", code, reason, source);
	rv_strbuf_add(out, bytes.p, bytes.len);
	const struct rv_intake_frame frame = {
		.kind = RV_INTAKE_REJECT_WITH,
		.records = 1 + count_zeros(bytes.p, bytes.len),
		.bytes = { out->bytes + begin + sizeof(head), out->len - begin - sizeof(head) },
	};
	rv_intake_head(&frame, out->bytes + begin);
}

bool rv_intake_split_reject(char *bytes, size_t len, const char **code, const char **reason,
			    const char **source, struct rv_str *ret)
{
	const char **texts[] = { code, reason, source };
	for (size_t i = 0; i < 3; i++) {
		char *end = memchr(bytes, '\n', len);
		if (!end)
			return false;
		*end = '\0';
		*texts[i] = bytes;
		len -= (size_t)(end + 1 - bytes);
		bytes = end + 1;
	}
	*ret = (struct rv_str){ bytes, len };
	return true;
}

static bool is_kind(char kind)
{
	return kind == RV_INTAKE_RECORDS || kind == RV_INTAKE_REJECT || kind == RV_INTAKE_REJECT_WITH;
}

static bool parse_head(const char *p, struct rv_intake_frame *frame, uint64_t *hash)
{
	uint64_t crc, len;
	if (p[8] != ' ' || !is_kind(p[KIND_AT]) || !rv_parse_hex64(p, 8, &crc) ||
	    crc != rv_crc32c(0, p + CRC_TEXT, RV_INTAKE_HEAD - CRC_TEXT))
		return false;
	p += CRC_TEXT;
	if (!rv_parse_hex64(p, 16, hash) || !rv_parse_hex64(p + 19, 8, &len) ||
	    !rv_parse_hex64(p + 28, 8, &frame->records) || len > RV_INTAKE_FRAME_MAX_BYTES)
		return false;
	frame->kind = p[KIND_AT - CRC_TEXT];
	frame->bytes.len = (size_t)len;
	return true;
}

/* As with a journal's last line: of what was being written when the power went, parts are not there, or zeros.
 * `zeros` are its own; one more in its midst may be damage as well. */
static bool may_be_torn(const char *p, size_t have, size_t wanted, uint64_t zeros)
{
	if (have < wanted)
		return true;
	uint64_t found = count_zeros(p, have);
	return (found > zeros && !p[have - 1]) || (found > zeros + 1 && memmem(p, have, "\0\0", 2));
}

static uint64_t own_zeros(const struct rv_intake_frame *frame)
{
	return frame->kind != RV_INTAKE_RECORDS && frame->records ? frame->records - 1 : 0;
}

static bool begins_round(const char *p)
{
	struct rv_intake_frame frame;
	uint64_t hash;
	return parse_head(p, &frame, &hash) && frame.kind != RV_INTAKE_REJECT_WITH;
}

/* A round is written when the one before it is durable: where one begins behind `at`, what is not whole
 * there was damaged later. */
static enum rv_status find_round_behind(int fd, const char *path, uint64_t at, bool *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	size_t n = LOOK_BYTES;
	*ret = false;
	rv_strbuf_reserve(&bytes, LOOK_BYTES);
	for (at++; n == LOOK_BYTES; at += n - RV_INTAKE_HEAD + 1) {
		if (rv_pread_full(fd, bytes.bytes, LOOK_BYTES, at, &n, path, err) != RV_OK)
			return err->status;
		for (size_t i = 0; i + RV_INTAKE_HEAD <= n && !*ret; i++)
			*ret = begins_round(bytes.bytes + i);
		if (*ret)
			break;
	}
	return RV_OK;
}

static enum rv_status end_or_damage(int fd, const char *path, uint64_t at, bool torn, struct rv_error *err)
{
	bool more = false;
	if (torn && find_round_behind(fd, path, at, &more, err) != RV_OK)
		return err->status;
	if (torn && !more)
		return RV_OK;
	return rv_fail(err, RV_DAMAGED, "%s is damaged from byte %" PRIu64, path, at);
}

enum rv_status rv_intake_read(int fd, const char *path,
			      enum rv_status (*each)(void *arg, struct rv_intake_frame *frame,
						     struct rv_error *err),
			      void *arg, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf bytes = RV_STRBUF_INIT;
	off_t size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "seek in %s", path);
	for (uint64_t at = 0; at < (uint64_t)size;) {
		char head[RV_INTAKE_HEAD];
		struct rv_intake_frame frame = { .kind = 0 };
		uint64_t hash = 0;
		size_t n;
		if (rv_pread_full(fd, head, sizeof(head), at, &n, path, err) != RV_OK)
			return err->status;
		if (n < sizeof(head) || !parse_head(head, &frame, &hash))
			return end_or_damage(fd, path, at, may_be_torn(head, n, sizeof(head), 0), err);
		rv_strbuf_clear(&bytes);
		rv_strbuf_reserve(&bytes, frame.bytes.len);
		if (rv_pread_full(fd, bytes.bytes, frame.bytes.len, at + sizeof(head), &n, path, err) != RV_OK)
			return err->status;
		frame.bytes.p = bytes.bytes;
		if (n < frame.bytes.len || XXH3_64bits(frame.bytes.p, frame.bytes.len) != hash)
			return end_or_damage(fd, path, at,
					     may_be_torn(bytes.bytes, n, frame.bytes.len, own_zeros(&frame)),
					     err);
		if (frame.kind == RV_INTAKE_REJECT_WITH)
			frame.kind = RV_INTAKE_REJECT;
		at += sizeof(head) + frame.bytes.len;
		if (each(arg, &frame, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

void rv_intake_take_room(int fd, uint64_t end, struct rv_intake_room *room)
{
	static char zeros[ROOM_MAX_BYTES]; /* stays so, and takes no memory therefore */
	if (end < room->next)
		return;
	size_t wanted = end < ROOM_MIN_BYTES ? ROOM_MIN_BYTES : end < ROOM_MAX_BYTES ? (size_t)end : ROOM_MAX_BYTES;
	ssize_t n = pwrite(fd, zeros, wanted, (off_t)end);
	room->end = n > 0 ? end + (uint64_t)n : end;
	room->next = n > 0 ? room->end : end + ROOM_MIN_BYTES;
}

char *rv_run_intake_path(const struct rv_run *run, uint64_t seq)
{
	return rv_asprintf("%s/%06" PRIu64 ".intake", run->folder, seq);
}

struct numbers {
	uint64_t *items;
	size_t count, capacity;
};

static enum rv_status add_number(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct numbers *numbers = arg;
	const char *dot = strchr(name, '.');
	uint64_t seq;
	if (!dot || strcmp(dot, ".intake") != 0 || !rv_parse_u64(name, (size_t)(dot - name), &seq))
		return RV_OK;
	RV_GROW(numbers->items, numbers->count, numbers->capacity);
	numbers->items[numbers->count++] = seq;
	return RV_OK;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

enum rv_status rv_run_intakes(const struct rv_run *run, uint64_t **ret, size_t *ret_count,
			      struct rv_error *err)
{
	struct numbers numbers = { .count = 0 };
	if (run->intake && rv_each_entry(run->folder, add_number, &numbers, err) != RV_OK) {
		free(numbers.items);
		return err->status;
	}
	if (numbers.count)
		qsort(numbers.items, numbers.count, sizeof(*numbers.items), by_number);
	*ret = numbers.items;
	*ret_count = numbers.count;
	return RV_OK;
}

static enum rv_status count_frame(void *arg, struct rv_intake_frame *frame, struct rv_error *err RV_UNUSED)
{
	struct rv_intake_totals *totals = arg;
	if (frame->kind == RV_INTAKE_RECORDS)
		totals->records += frame->records;
	else
		totals->rejected++;
	totals->bytes += RV_INTAKE_HEAD + frame->bytes.len;
	return RV_OK;
}

enum rv_status rv_run_intake_add(struct rv_run *run, uint64_t seq, struct rv_intake_totals *totals,
				 struct rv_error *err)
{
	struct rv_batch_entry entry;
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(run, seq);
	RV_CLEANUP(rv_close_p) int fd = -1;
	if (rv_run_entry(run, seq, &entry))
		return RV_OK;
	fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT)
		return RV_OK;
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	uint64_t before = totals->bytes;
	enum rv_status status = rv_intake_read(fd, path, count_frame, totals, err);
	totals->files += status == RV_DAMAGED || totals->bytes > before;
	if (status != RV_DAMAGED)
		return status;
	if (totals->damage.status == RV_OK)
		totals->damage = *err;
	return RV_OK;
}

enum rv_status rv_run_intake_totals(struct rv_run *run, struct rv_intake_totals *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) uint64_t *seqs = NULL;
	size_t count = 0;
	*ret = (struct rv_intake_totals){ .damage = RV_ERROR_INIT };
	if (rv_run_intakes(run, &seqs, &count, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < count; i++)
		if (rv_run_intake_add(run, seqs[i], ret, err) != RV_OK)
			return err->status;
	return RV_OK;
}

void rv_run_totals_with_intake(struct rv_run *run, struct rv_run_totals *ret)
{
	struct rv_intake_totals intake;
	struct rv_error ignored;
	rv_run_totals(run, ret);
	(void)!rv_run_intake_totals(run, &intake, &ignored);
	ret->records += intake.records;
	ret->rejected += intake.rejected;
	ret->waiting += intake.files;
	ret->waiting_records += intake.records;
	ret->waiting_bytes += intake.bytes;
}
