/* The directory of a ZIP: whatever is not sound is refused, by name, before its data is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/zip_directory.h"
#include "format/zip_name.h"
#define MAKE_ZIP_NO_MAIN
#include "lib/make_zip.c"

/* Bytes in memory; every read has to lie within them. */
static enum rv_status read_bytes(void *arg, void *p, size_t len, uint64_t offset, struct rv_error *err)
{
	const struct bytes *b = arg;

	(void)err;
	assert_true(offset <= b->len && len <= b->len - offset);
	memcpy(p, b->p + offset, len);
	return RV_OK;
}

static enum rv_status read_directory(struct bytes *b, const struct rv_zip_limits *limits,
				     struct rv_zip_directory *ret, struct rv_error *err)
{
	struct rv_zip_input input = { b->len, read_bytes, b };

	return rv_zip_directory_read(&input, "extract.zip", limits, ret, err);
}

static void make(const char *name, struct zip *z)
{
	for (int i = 0; i < ZIP_CASES; i++) {
		if (strcmp(zip_cases[i].name, name) != 0)
			continue;
		zip_cases[i].make(z);
		return;
	}
	fail_msg("no case %s", name);
}

/* ---- every case of the catalogue ---- */

static void one_case(void **state)
{
	const struct zip_case *c = *state;
	struct zip z = { 0 };
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	c->make(&z);
	enum rv_status status = read_directory(&z.out, NULL, &d, &err);

	if (c->says[0] && !c->member) {
		if (status != RV_BAD_DATA || !strstr(err.message, c->says))
			fail_msg("%s: %s", c->name, status == RV_OK ? "taken for sound" : err.message);
		assert_memory_equal(err.message, "extract.zip: ", 13);
		assert_string_equal(err.file, "extract.zip");
	} else if (status != RV_OK) {
		fail_msg("%s: %s", c->name, err.message);
	}
	rv_zip_directory_release(&d);
	free(z.out.p);
}

/* ---- 87 ---- */

static void fault_87_truncated_at_every_byte(void **state)
{
	static const char *const names[] = { "mixed", "plain", "105-all", "106-bare", "107-empty" };

	(void)state;
	for (size_t k = 0; k < 5; k++) {
		struct zip z = { 0 };

		make(names[k], &z);
		for (size_t len = 0; len < z.out.len; len++) {
			/* Exactly these bytes, so that a sanitizer sees a read behind them. */
			struct bytes cut_here = { rv_malloc(len), len, len };
			struct rv_zip_directory d = { 0 };
			struct rv_error err = RV_ERROR_INIT;
			char truncated[64];

			memcpy(cut_here.p, z.out.p, len);
			assert_int_equal(read_directory(&cut_here, NULL, &d, &err), RV_BAD_DATA);
			snprintf(truncated, sizeof(truncated), "truncated at %zu of ", len);
			if (len > 0 && !strstr(err.message, truncated))
				fail_msg("%zu: %s", len, err.message);
			free(cut_here.p);
		}
		free(z.out.p);
	}
}

/* A flipped bit is refused, or it is in one of the few fields that mean nothing: then all that counts is
 * as it was. */
static void every_bit_flipped(void **state)
{
	struct zip z = { 0 };
	struct rv_zip_directory whole = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	size_t refused = 0;

	(void)state;
	make("mixed", &z);
	assert_int_equal(read_directory(&z.out, NULL, &whole, &err), RV_OK);
	for (size_t bit = 0; bit < z.out.len * 8; bit++) {
		struct rv_zip_directory d = { 0 };

		z.out.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
		if (read_directory(&z.out, NULL, &d, &err) != RV_OK) {
			refused++;
			assert_int_equal(err.status, RV_BAD_DATA);
		} else {
			assert_int_equal(d.count, whole.count);
			for (size_t i = 0; i < d.count; i++) {
				assert_string_equal(d.entries[i].name, whole.entries[i].name);
				assert_int_equal(d.entries[i].bytes, whole.entries[i].bytes);
				assert_int_equal(d.entries[i].packed_bytes, whole.entries[i].packed_bytes);
				/* The data may take the signature behind it for its own, and loses as
				 * much at its begin: inflating it shows that. */
				if (d.entries[i].data_offset != whole.entries[i].data_offset + 4)
					assert_int_equal(d.entries[i].data_offset,
							 whole.entries[i].data_offset);
				assert_int_equal(d.entries[i].crc, whole.entries[i].crc);
				assert_int_equal(d.entries[i].method, whole.entries[i].method);
			}
			rv_zip_directory_release(&d);
		}
		z.out.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	assert_true(refused > z.out.len * 2);
	rv_zip_directory_release(&whole);
	free(z.out.p);
}

/* ---- what is read ---- */

static void entries_are_as_they_were_made(void **state)
{
	struct zip z = { 0 };
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	static const char *const names[] = { "tables/a.csv", "b.csv", "c.csv", "empty.csv", "d.csv" };

	(void)state;
	make("mixed", &z);
	assert_int_equal(read_directory(&z.out, NULL, &d, &err), RV_OK);
	assert_int_equal(d.count, 5);
	assert_int_equal(d.folders, 1);
	uint64_t bytes = 0;

	for (size_t i = 0; i < d.count; i++) {
		assert_string_equal(d.entries[i].name, names[i]);
		assert_string_equal(d.entries[i].shown, names[i]);
		/* 2026-10-29 13:16:62, of which the last is no time: then it is unknown */
		assert_int_equal(d.entries[i].modified_s, 0);
		bytes += d.entries[i].bytes;
	}
	assert_int_equal(d.bytes, bytes);
	assert_int_equal(d.entries[1].bytes, sizeof(ABC) - 1);
	assert_int_equal(d.entries[2].method, RV_ZIP_ZSTD);
	assert_string_equal(rv_zip_method_name(d.entries[2].method), "zstd");
	rv_zip_directory_release(&d);
	free(z.out.p);
}

static int64_t time_of(const char *name)
{
	struct zip z = { 0 };
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	make(name, &z);
	assert_int_equal(read_directory(&z.out, NULL, &d, &err), RV_OK);
	int64_t s = d.entries[1].modified_s;

	rv_zip_directory_release(&d);
	free(z.out.p);
	return s;
}

static void fault_110_times(void **state)
{
	(void)state;
	assert_int_equal(time_of("110-time-zero"), 0);
	assert_int_equal(time_of("110-time-last"), 4354819198); /* 2107-12-31 23:59:58 */
	assert_int_equal(time_of("110-time-wrong"), 0);
	assert_int_equal(time_of("110-extra-time"), 0x5c5e4b80);
	assert_int_equal(time_of("110-extra-over"), 0);
}

static void fault_99_names_are_shown_escaped(void **state)
{
	static const struct {
		const char *name, *is, *shown;
	} cases[] = {
		{ "99-cp437", "caf\x82.csv", "caf\\x82.csv" },
		{ "99-cp932", "\x92\x8d\x95\xb6.csv", "\\x92\\x8d\\x95\\xb6.csv" },
		{ "99-not-utf8", "\xff\xfe\xc0\xaf.csv", "\\xff\\xfe\\xc0\\xaf.csv" },
		{ "99-utf8", "\xe6\xb3\xa8\xe6\x96\x87.csv", "\xe6\xb3\xa8\xe6\x96\x87.csv" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct zip z = { 0 };
		struct rv_zip_directory d = { 0 };
		struct rv_error err = RV_ERROR_INIT;

		make(cases[i].name, &z);
		assert_int_equal(read_directory(&z.out, NULL, &d, &err), RV_OK);
		assert_string_equal(d.entries[1].name, cases[i].is);
		assert_string_equal(d.entries[1].shown, cases[i].shown);
		rv_zip_directory_release(&d);
		free(z.out.p);
	}
	struct zip z = { 0 };
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	make("99-unicode-path", &z);
	assert_int_equal(read_directory(&z.out, NULL, &d, &err), RV_OK);
	assert_string_equal(d.entries[0].name, "caf\xc3\xa9.csv");
	rv_zip_directory_release(&d);
	free(z.out.p);
}

/* Fields beside the sizes, one entry each; says NULL: sound, and of that time. */
static void one_entry_of_each_kind(void **state)
{
#define EXTRA(text) .extra = (text), .extra_len = sizeof(text) - 1
#define MEMBER(...) { .name = "a.csv", TEXT(ABC), __VA_ARGS__ }
	static const struct {
		struct member m;
		const char *says;
		int64_t modified_s;
	} cases[] = {
		/* 2026-01-02 03:04:06; day 0; minute 60 */
		{ MEMBER(.date = 0x5c22, .time = 0x1883), NULL, 1767323046 },
		{ MEMBER(.date = 0x5c20, .time = 0x1883), NULL, 0 },
		{ MEMBER(.date = 0x5c22, .time = 0x1f83), NULL, 0 },
		/* an extended time that is too short, or has only that of the last access */
		{ MEMBER(.date = 0x5c22, .time = 0x1883, EXTRA("\x55\x54\1\0\1")), NULL, 1767323046 },
		{ MEMBER(.date = 0x5c22, .time = 0x1883, EXTRA("\x55\x54\5\0\2\1\2\3\4")), NULL, 1767323046 },
		/* Unix's field with no place for a link's name; Unicode's without a name, of another version, with
		 * the same name, with none */
		{ MEMBER(EXTRA("\x0d\0\x0c\0" "123456789012")), NULL, 0 },
		{ MEMBER(EXTRA("\x75\x70\5\0\1\0\0\0\0")), NULL, 0 },
		{ MEMBER(EXTRA("\x75\x70\x0a\0\2\0\0\0\0" "b.csv")), NULL, 0 },
		{ MEMBER(EXTRA("\x75\x70\x0a\0\1\xa8\xfa\x78\xd5" "a.csv")), NULL, 0 },
		{ MEMBER(EXTRA("\x75\x70\x0a\0\1\xa8\xfa\x78\xd5" "\xff.csv")), NULL, 0 },
		{ MEMBER(.method = 99, .packed = "x", .packed_len = 1), "'a.csv' is encrypted", 0 },
		/* the disk stands in the field zip64, and is the first or another one */
		{ MEMBER(.disk = UINT16_MAX, EXTRA("\1\0\4\0\0\0\0\0")), NULL, 0 },
		{ MEMBER(.disk = UINT16_MAX, EXTRA("\1\0\4\0\7\0\0\0")), "'a.csv' begins on disk 8 of several", 0 },
		/* the offset alone */
		{ MEMBER(.offset = UINT32_MAX, EXTRA("\1\0\x8\0\0\0\0\0\0\0\0\0")), NULL, 0 },
		{ MEMBER(.offset = UINT32_MAX, EXTRA("\1\0\x4\0\0\0\0\0")), "a zip64 field that is too short", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct zip z = { 0 };
		struct rv_zip_directory d = { 0 };
		struct rv_error err = RV_ERROR_INIT;

		put(&z, &cases[i].m);
		finish(&z);
		enum rv_status status = read_directory(&z.out, NULL, &d, &err);

		if (cases[i].says ? status == RV_OK || !strstr(err.message, cases[i].says) : status != RV_OK)
			fail_msg("%zu: %s", i, err.message);
		if (status == RV_OK) {
			assert_string_equal(d.entries[0].name, "a.csv");
			assert_int_equal(d.entries[0].modified_s, cases[i].modified_s);
		}
		rv_zip_directory_release(&d);
		free(z.out.p);
	}
}

/* The directory says that an entry is where nothing but a few bytes are. */
static void too_few_bytes_for_an_entry(void **state)
{
	struct zip z = { 0 };
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	PUT(&z, .name = "a.csv", TEXT(ABC));
	add_text(&z.out, "PK\3\4" "567890");
	PUT(&z, .name = "b.csv", TEXT(ABC), .nothing = true, .offset = -10);
	finish(&z);
	assert_int_equal(read_directory(&z.out, NULL, &d, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "'b.csv' is not where the directory says"));
	free(z.out.p);
}

/* Without limits the sizes may not go round either. */
static void sizes_do_not_go_round(void **state)
{
	const struct rv_zip_limits none = { .max_bytes = UINT64_MAX, .max_ratio = UINT64_MAX };
	struct zip z = { 0 };
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	static const char *const names[] = { "a.csv", "b.csv", "c.csv" };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		PUT(&z, .name = names[i], TEXT(ABC), .method = DEFLATE, .zip64 = true, .zip64_central = true,
		    .bytes_all = INT64_MAX - 100);
	finish_as(&z, &(struct ending){ .zip64 = true });
	assert_int_equal(read_directory(&z.out, &none, &d, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "with entry 'c.csv' of"));
	free(z.out.p);
}

/* The end record's disks may be all ones with zip64, both of them; and zip64's own record has to be there. */
static void ends_of_zip64(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct zip z = { 0 };
		struct rv_zip_directory d = { 0 };
		struct rv_error err = RV_ERROR_INIT;

		if (i < 2)
			two(&z);
		finish_as(&z, &(struct ending){ .zip64 = true });
		if (i < 2)
			set_int(&z.out, z.out.len - 18, UINT32_MAX, i == 0 ? 4 : 2);
		else
			memmove(z.out.p, z.out.p + 56, z.out.len -= 56);
		enum rv_status status = read_directory(&z.out, NULL, &d, &err);

		if (i == 0)
			assert_int_equal(status, RV_OK);
		else if (!strstr(err.message, i == 1 ? "one part of an archive in several"
						     : "its zip64 end record is not at byte 0"))
			fail_msg("%d: %s", i, err.message);
		rv_zip_directory_release(&d);
		free(z.out.p);
	}
}

static void limits_are_the_callers(void **state)
{
	static const struct {
		const char *name;
		struct rv_zip_limits limits;
		const char *says;
	} cases[] = {
		{ "plain", { .max_bytes = 20 }, "with entry 'b.csv' of 32 B it holds more than 20 B" },
		{ "plain", { .max_bytes = 48 }, NULL },
		{ "plain", { .max_bytes = 47 }, "it holds more than 47 B" },
		{ "plain", { .max_entries = 1 }, "it has 2 entries, allowed are 1" },
		{ "plain", { .max_name_bytes = 4 }, "has a name of 5 bytes, allowed are 4" },
		{ "102-bomb", { .max_ratio = 1000000 }, NULL },
		{ "large", { .max_ratio = 2 }, "packed more than 2 : 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct zip z = { 0 };
		struct rv_zip_directory d = { 0 };
		struct rv_error err = RV_ERROR_INIT;

		make(cases[i].name, &z);
		enum rv_status status = read_directory(&z.out, &cases[i].limits, &d, &err);

		if (!cases[i].says)
			assert_int_equal(status, RV_OK);
		else if (status != RV_BAD_DATA || !strstr(err.message, cases[i].says))
			fail_msg("%zu: %s", i, err.message);
		rv_zip_directory_release(&d);
		free(z.out.p);
	}
}

/* ---- identity ---- */

static void identity_of(struct zip *z, char ret[RV_ZIP_IDENTITY_TEXT])
{
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	assert_int_equal(read_directory(&z->out, NULL, &d, &err), RV_OK);
	assert_int_equal(rv_zip_directory_identity(&d, ret, &err), RV_OK);
	rv_zip_directory_release(&d);
	free(z->out.p);
}

static void identity_is_of_the_content(void **state)
{
	char a[RV_ZIP_IDENTITY_TEXT], b[RV_ZIP_IDENTITY_TEXT];
	struct zip first = { 0 }, again = { 0 }, other = { 0 }, renamed = { 0 };

	(void)state;
	PUT(&first, .name = "a.csv", TEXT(ABC));
	PUT(&first, .name = "b.csv", TEXT(ABC ABC));
	finish(&first);
	/* Packed otherwise, later, in another order, with a folder: the same extract. */
	PUT(&again, .name = "x/", TEXT(""));
	PUT(&again, .name = "b.csv", TEXT(ABC ABC), .method = DEFLATE, TIME);
	PUT(&again, .name = "a.csv", TEXT(ABC), .descriptor = SIGNED_32, TIME);
	finish_as(&again, &(struct ending){ .zip64 = true, .comment = "again", .comment_len = 5 });
	identity_of(&first, a);
	identity_of(&again, b);
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), 64);
	PUT(&other, .name = "a.csv", TEXT("a,b\n1,one\n2,twO\n"));
	PUT(&other, .name = "b.csv", TEXT(ABC ABC));
	finish(&other);
	identity_of(&other, b);
	assert_string_not_equal(a, b);
	PUT(&renamed, .name = "a.csv", TEXT(ABC));
	PUT(&renamed, .name = "c.csv", TEXT(ABC ABC));
	finish(&renamed);
	identity_of(&renamed, b);
	assert_string_not_equal(a, b);
}

/* ---- 105: larger than memory, by bytes nobody has ---- */

struct sparse {
	uint64_t bytes, tail_offset;
	struct bytes head, tail;
};

static enum rv_status read_sparse(void *arg, void *p, size_t len, uint64_t offset, struct rv_error *err)
{
	const struct sparse *s = arg;
	unsigned char *out = p;

	(void)err;
	assert_true(offset <= s->bytes && len <= s->bytes - offset);
	for (size_t i = 0; i < len; i++, offset++)
		out[i] = offset < s->head.len	      ? s->head.p[offset]
			 : offset >= s->tail_offset ? s->tail.p[offset - s->tail_offset]
						    : 0;
	return RV_OK;
}

static void fault_105_five_gibibytes(void **state)
{
	const uint64_t data = UINT64_C(5) << 30;
	struct zip z = { 0 };
	struct sparse s = { 0 };
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	/* A stored entry of 5 GiB, then one behind it, whose offset needs more than 32 bits too. */
	PUT(&z, .name = "big.csv", .data = "", .len = 0, .zip64 = true, .zip64_central = true,
	    .bytes_all = (int64_t)data, .packed_all = (int64_t)data);
	s.head = z.out;
	z.out = (struct bytes){ 0 };
	s.tail_offset = s.head.len + data;
	PUT(&z, .name = "behind.csv", TEXT(ABC), .zip64_central = true, .offset = (int64_t)s.tail_offset);
	finish_as(&z, &(struct ending){ .zip64 = true, .directory_offset = (int64_t)s.tail_offset });
	/* The locator counts from the file's first byte. */
	set_int(&z.out, z.out.len - 22 - 12, s.tail_offset + z.out.len - 22 - 20 - 56, 8);
	s.tail = z.out;
	s.bytes = s.tail_offset + s.tail.len;
	struct rv_zip_input input = { s.bytes, read_sparse, &s };

	if (rv_zip_directory_read(&input, "big.zip", NULL, &d, &err) != RV_OK)
		fail_msg("%s", err.message);
	assert_int_equal(d.count, 2);
	assert_int_equal(d.entries[0].bytes, data);
	assert_int_equal(d.entries[1].header_offset, s.tail_offset);
	assert_int_equal(d.entries[1].data_offset, s.tail_offset + 30 + 10);
	rv_zip_directory_release(&d);
	free(s.head.p);
	free(s.tail.p);
}

static void directory_of_97_mebibytes(void **state)
{
	struct zip z = { 0 };
	struct sparse s = { .tail_offset = 97u << 20 };
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	(void)state;
	finish_as(&z, &(struct ending){ .directory_bytes = 97 << 20 });
	s.tail = z.out;
	s.bytes = s.tail_offset + s.tail.len;
	struct rv_zip_input input = { s.bytes, read_sparse, &s };

	assert_int_equal(rv_zip_directory_read(&input, "big.zip", NULL, &d, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "its directory takes 101711872 bytes, which is too much for 0"));
	free(z.out.p);
}

/* A file that cannot be read is not a damaged one. */
static enum rv_status read_fails(void *arg, void *p, size_t len, uint64_t offset, struct rv_error *err)
{
	int *countdown = arg;

	(void)p;
	(void)len;
	(void)offset;
	if ((*countdown)-- == 0)
		return rv_fail(err, RV_LOCAL_IO, "read failed");
	return RV_OK;
}

struct failing {
	struct bytes *b;
	int countdown;
};

static enum rv_status read_or_fail(void *arg, void *p, size_t len, uint64_t offset, struct rv_error *err)
{
	struct failing *f = arg;

	if (read_fails(&f->countdown, p, len, offset, err) != RV_OK)
		return err->status;
	return read_bytes(f->b, p, len, offset, err);
}

static void every_read_fails_once(void **state)
{
	static const char long_extra[2000] = "";
	struct zip z = { 0 };
	int reads = 0;

	(void)state;
	/* a header longer than is read at once; a stray entry */
	PUT(&z, .name = "a.csv", TEXT(ABC), .extra = long_extra, .extra_len = sizeof(long_extra));
	PUT(&z, .name = "b.csv", TEXT(ABC), .hidden = true);
	finish(&z);
	for (enum rv_status status = RV_LOCAL_IO; status == RV_LOCAL_IO; reads++) {
		struct failing f = { &z.out, reads };
		struct rv_zip_input input = { z.out.len, read_or_fail, &f };
		struct rv_zip_directory d = { 0 };
		struct rv_error err = RV_ERROR_INIT;

		status = rv_zip_directory_read(&input, "extract.zip", NULL, &d, &err);
		assert_int_equal(status, reads < 5 ? RV_LOCAL_IO : RV_BAD_DATA);
	}
	free(z.out.p);
	z = (struct zip){ 0 };
	reads = 0;
	make("mixed", &z);
	for (;; reads++) {
		struct failing f = { &z.out, reads };
		struct rv_zip_input input = { z.out.len, read_or_fail, &f };
		struct rv_zip_directory d = { 0 };
		struct rv_error err = RV_ERROR_INIT;

		if (rv_zip_directory_read(&input, "extract.zip", NULL, &d, &err) == RV_OK) {
			rv_zip_directory_release(&d);
			break;
		}
		assert_int_equal(err.status, RV_LOCAL_IO);
	}
	assert_true(reads > 8);
	free(z.out.p);
}

/* Also while it is found out why an archive ends too early; its first entry here has a name or has none. */
static void every_read_of_a_cut_one_fails_once(void **state)
{
	(void)state;
	for (int named = 0; named < 2; named++) {
		struct zip z = { 0 };
		struct rv_error err = RV_ERROR_INIT;
		int reads = 0;

		PUT(&z, .name = named ? "a.csv" : "", TEXT(ABC));
		cut(&z, z.out.len - 1);
		do {
			struct failing f = { &z.out, reads++ };
			struct rv_zip_input input = { z.out.len, read_or_fail, &f };
			struct rv_zip_directory d = { 0 };

			err = (struct rv_error)RV_ERROR_INIT;
			assert_int_not_equal(rv_zip_directory_read(&input, "extract.zip", NULL, &d, &err), RV_OK);
		} while (err.status == RV_LOCAL_IO);
		assert_int_equal(reads, named ? 5 : 4);
		assert_non_null(strstr(err.message, named ? ", in entry 'a.csv'" : ": its directory"));
		assert_non_null(strstr(err.message, "is truncated at "));
		free(z.out.p);
	}
}

/* An end record is looked for in the last 64 KiB and a bit; behind it may stand more than that. */
static void what_follows_an_archive_is_not_taken_for_a_cut(void **state)
{
	static const struct {
		const char *name;
		size_t keep; /* bytes of it; 0: all */
		const char *says;
	} cases[] = {
		{ "plain", 0, "70000 bytes follow the end of the archive at byte " },
		{ "107-empty", 0, "70000 bytes follow the end of the archive at byte 22" },
		{ "mixed", 0, "it is truncated, or more than 64 KiB follow its end: no end record is in" },
		{ "plain", 40, "it is truncated, or more than 64 KiB follow its end: no end record is in" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct zip z = { 0 };
		struct rv_zip_directory d = { 0 };
		struct rv_error err = RV_ERROR_INIT;
		const size_t more = 70000;

		make(cases[i].name, &z);
		size_t len = cases[i].keep ? cases[i].keep : z.out.len;
		struct bytes followed = { rv_calloc(1, len + more), len + more, len + more };

		memcpy(followed.p, z.out.p, len);
		assert_int_equal(read_directory(&followed, NULL, &d, &err), RV_BAD_DATA);
		if (!strstr(err.message, cases[i].says))
			fail_msg("%s: %s", cases[i].name, err.message);
		free(followed.p);
		free(z.out.p);
	}
}

static struct bytes followed(const struct zip *z, size_t more)
{
	struct bytes b = { rv_calloc(1, z->out.len + more), z->out.len + more, z->out.len + more };

	memcpy(b.p, z->out.p, z->out.len);
	return b;
}

static void every_read_of_a_followed_one_fails_once(void **state)
{
	struct zip z = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	int reads = 0;

	(void)state;
	PUT(&z, .name = "a.csv", TEXT(ABC));
	finish_as(&z, &(struct ending){ .zip64 = true });
	struct bytes b = followed(&z, 70000);

	do {
		struct failing f = { &b, reads++ };
		struct rv_zip_input input = { b.len, read_or_fail, &f };
		struct rv_zip_directory d = { 0 };

		err = (struct rv_error)RV_ERROR_INIT;
		assert_int_not_equal(rv_zip_directory_read(&input, "extract.zip", NULL, &d, &err), RV_OK);
	} while (err.status == RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "70000 bytes follow the end of the archive at byte "));
	free(b.p);
	free(z.out.p);
}

/* Long enough to be followed, and cut all the same; and a directory that leads beyond the file. */
static void a_large_one_is_cut(void **state)
{
	struct zip z = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_zip_directory d = { 0 };

	(void)state;
	make("plain", &z);
	struct bytes b = followed(&z, 70000);

	memcpy(b.p + 18, "\0\0\1\1", 4);
	assert_int_equal(read_directory(&b, NULL, &d, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "is truncated at 70"));
	free(b.p);
	b = followed(&z, 70000);
	for (size_t i = 0; i + 46 < z.out.len; i++)
		if (memcmp(b.p + i, "PK\1\2", 4) == 0) {
			memcpy(b.p + i + 30, "\377\377", 2);
			break;
		}
	assert_int_equal(read_directory(&b, NULL, &d, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "it is truncated, or more than 64 KiB follow its end"));
	free(b.p);
	free(z.out.p);
}

/* ---- names ---- */

static bool same(const char *a, const char *b)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf x = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf y = RV_STRBUF_INIT;

	rv_zip_name_fold(&x, a, strlen(a));
	rv_zip_name_fold(&y, b, strlen(b));
	return x.len == y.len && memcmp(x.bytes, y.bytes, x.len) == 0;
}

static void fault_96_names_that_are_the_same(void **state)
{
	(void)state;
	assert_true(same("Orders.CSV", "orders.csv"));
	assert_true(same("a/", "A"));
	assert_true(same("\xc3\x89t\xc3\xa9", "e\xcc\x81te\xcc\x81"));          /* Ete with accents */
	assert_true(same("\xe1\xba\xad", "a\xcc\x82\xcc\xa3"));                  /* two marks, either order */
	assert_true(same("\xce\xa3", "\xcf\x82"));                              /* sigma, final sigma */
	assert_true(same("\xef\xac\x83", "FFI"));                               /* a ligature */
	assert_true(same("\xe2\x84\xaa", "k"));                                 /* Kelvin */
	assert_true(same("\xff" "A", "\xff" "a"));
	assert_false(same("orders.csv", "order.csv"));
	assert_false(same("\xc3\xa9", "e"));
	assert_false(same("\xff", "\xfe"));
	assert_true(same("", "/"));
	assert_false(same("", "a"));
	/* more marks than are put in order at once */
	char marks[2][1 + 2 * 40 + 1] = { "e", "E" };

	for (int i = 0; i < 40; i++)
		for (int k = 0; k < 2; k++)
			strcat(marks[k], i % 2 ? "\xcc\x81" : "\xcc\xa3");
	assert_true(same(marks[0], marks[1]));
	marks[1][80] = '\x82';
	assert_false(same(marks[0], marks[1]));
}

static void names_of_two_letters(void **state)
{
	(void)state;
	assert_null(rv_zip_name_fault("ab/c", 4));
	assert_null(rv_zip_name_fault(".b/c", 4));
	assert_string_equal(rv_zip_name_fault("../c", 4), "leads out of the archive");
	assert_string_equal(rv_zip_name_fault("a\x7f", 2), "holds a control character");
}

static size_t encode(uint32_t c, char *p)
{
	if (c < 0x80)
		return p[0] = (char)c, 1;
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		p[i] = (char)(0x80 | (c & 0x3f));
	p[0] = (char)((0xf00u >> n & 0xff) | c);
	return n;
}

/* Perl has tables of its own, perhaps of a later Unicode: so only letters that change here are asked for,
 * each alone, then with marks and others in any order. */
static void fault_96_names_fold_as_perl_folds_them(void **state)
{
	static uint32_t letters[8000];
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf names = RV_STRBUF_INIT, ours = RV_STRBUF_INIT,
						       theirs = RV_STRBUF_INIT;
	char path[] = "/tmp/river-names-XXXXXX", command[200], text[4], buf[4096];
	size_t count = 0, n, begin = 0;
	uint64_t x = 42;

	(void)state;
	for (uint32_t c = 'A'; c < 0x30000; c++) {
		if ((c >= 0xd800 && c < 0xe000) || c == '/')
			continue;
		n = encode(c, text);
		rv_strbuf_clear(&ours);
		rv_zip_name_fold(&ours, text, n);
		if (ours.len == n && memcmp(ours.bytes, text, n) == 0)
			continue;
		/* of the syllables of Hangul, all made by one rule, some */
		if (c >= 0xac00 && c <= 0xd7a3 && c % 97)
			continue;
		letters[count++] = c;
		rv_strbuf_add(&names, text, n);
		rv_strbuf_putc(&names, '\n');
	}
	assert_in_range(count, 3000, 7999);
	for (int i = 0; i < 20000; i++) {
		for (int k = 0; k < 6; k++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			uint32_t r = (uint32_t)(x >> 33);

			rv_strbuf_add(&names, text, encode(r % 3 ? letters[r / 3 % count] : 0x300 + r / 3 % 0x46,
							   text));
		}
		rv_strbuf_putc(&names, '\n');
	}
	rv_strbuf_clear(&ours);
	for (size_t i = 0; i < names.len; i++) {
		if (names.bytes[i] != '\n')
			continue;
		rv_zip_name_fold(&ours, names.bytes + begin, i - begin);
		rv_strbuf_putc(&ours, '\n');
		begin = i + 1;
	}
	int fd = mkstemp(path);

	assert_int_equal(write(fd, names.bytes, names.len), names.len);
	close(fd);
	snprintf(command, sizeof(command), "perl tests/lib/make-name-fold.pl --try <%s", path);
	FILE *perl = popen(command, "r");

	assert_non_null(perl);
	while ((n = fread(buf, 1, sizeof(buf), perl)) > 0)
		rv_strbuf_add(&theirs, buf, n);
	assert_int_equal(pclose(perl), 0);
	unlink(path);
	assert_int_equal(ours.len, theirs.len);
	assert_memory_equal(ours.bytes, theirs.bytes, ours.len);
}

static void names_are_cut_when_shown(void **state)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	(void)state;
	rv_zip_name_show(&sb, "abcdefgh", 8, 4);
	assert_string_equal(sb.bytes, "abcd...");
	rv_strbuf_clear(&sb);
	rv_zip_name_show(&sb, "ab\xc3\xa9", 4, 3); /* not in the middle of a character */
	assert_string_equal(sb.bytes, "ab...");
	rv_strbuf_clear(&sb);
	rv_zip_name_show(&sb, "\xc2\x9b[2J", 5, 100);
	assert_string_equal(sb.bytes, "\\xc2\\x9b[2J");
	rv_strbuf_clear(&sb);
	rv_zip_name_show(&sb, "\xc2\xa9", 2, 100);
	assert_string_equal(sb.bytes, "\xc2\xa9");
	rv_strbuf_clear(&sb);
	rv_zip_name_show(&sb, "x\xc3", 2, 100);
	assert_string_equal(sb.bytes, "x\\xc3");
}

int main(void)
{
	static const struct CMUnitTest more[] = {
		cmocka_unit_test(fault_87_truncated_at_every_byte),
		cmocka_unit_test(what_follows_an_archive_is_not_taken_for_a_cut),
		cmocka_unit_test(every_read_of_a_followed_one_fails_once),
		cmocka_unit_test(a_large_one_is_cut),
		cmocka_unit_test(every_bit_flipped),
		cmocka_unit_test(entries_are_as_they_were_made),
		cmocka_unit_test(fault_96_names_that_are_the_same),
		cmocka_unit_test(fault_96_names_fold_as_perl_folds_them),
		cmocka_unit_test(fault_99_names_are_shown_escaped),
		cmocka_unit_test(fault_105_five_gibibytes),
		cmocka_unit_test(fault_110_times),
		cmocka_unit_test(one_entry_of_each_kind),
		cmocka_unit_test(too_few_bytes_for_an_entry),
		cmocka_unit_test(sizes_do_not_go_round),
		cmocka_unit_test(ends_of_zip64),
		cmocka_unit_test(directory_of_97_mebibytes),
		cmocka_unit_test(limits_are_the_callers),
		cmocka_unit_test(identity_is_of_the_content),
		cmocka_unit_test(every_read_fails_once),
		cmocka_unit_test(every_read_of_a_cut_one_fails_once),
		cmocka_unit_test(names_of_two_letters),
		cmocka_unit_test(names_are_cut_when_shown),
	};
	enum { MORE = sizeof(more) / sizeof(*more) };
	static struct CMUnitTest tests[ZIP_CASES + MORE];
	static char names[ZIP_CASES][64];
	static struct zip_case cases[ZIP_CASES];

	for (int i = 0; i < ZIP_CASES; i++) {
		cases[i] = zip_cases[i];
		snprintf(names[i], sizeof(names[i]), "fault_%s", cases[i].name);
		tests[i] = (struct CMUnitTest){ .name = names[i], .test_func = one_case,
						.initial_state = &cases[i] };
	}
	memcpy(tests + ZIP_CASES, more, sizeof(more));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
