/*
 * The archives of make_zip.c, one function each. The number before a section is that of its rows in
 * the catalogue of faults.
 */
#ifndef TESTS_LIB_ZIP_CASES_H
#define TESTS_LIB_ZIP_CASES_H

#include "zip_writer.h"

/* ---- sound ones ---- */

static void two(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC), TIME);
	PUT(z, .name = "b.csv", TEXT(ABC ABC), .method = DEFLATE, TIME);
}

static void good_plain(struct zip *z)
{
	two(z);
	finish(z);
}

static void good_mixed(struct zip *z)
{
	size_t len;
	char *rows = make_rows(60, 1, &len);

	PUT(z, .name = "tables/", TIME, .host = 3, .attributes = 040755u << 16 | 0x10);
	PUT(z, .name = "tables/a.csv", .data = rows, .len = len, .method = DEFLATE, TIME, .host = 3,
	    .attributes = 0100644u << 16);
	PUT(z, .name = "b.csv", TEXT(ABC), TIME, .descriptor = SIGNED_32, .method = DEFLATE);
	PUT(z, .name = "c.csv", TEXT(ABC), TIME, .method = ZSTD_METHOD);
	PUT(z, .name = "empty.csv", TEXT(""), TIME);
	PUT(z, .name = "d.csv", TEXT(ABC), TIME, .zip64 = true, .descriptor = SIGNED_64,
	    .method = DEFLATE);
	finish_as(z, &(struct ending){ .zip64 = true, .comment = "of the night", .comment_len = 12 });
	free(rows);
}

static void good_large(struct zip *z)
{
	size_t len;
	char *rows = make_rows(140000, 2, &len);

	PUT(z, .name = "deflate.csv", .data = rows, .len = len, .method = DEFLATE, TIME);
	PUT(z, .name = "zstd.csv", .data = rows, .len = len, .method = ZSTD_METHOD, TIME);
	PUT(z, .name = "stored.csv", .data = rows, .len = len, TIME);
	finish(z);
	free(rows);
}

/* "a,b" and "N,river" for N from 1 to 40, packed by programs that are not everywhere. */
static const unsigned char bzip2_river[] = {
	66, 90, 104, 57, 49, 65, 89, 38, 83, 89, 66, 152, 113, 171, 0, 0, 76, 217, 128, 0, 16, 0, 4,
	127, 224, 50, 32, 17, 0, 32, 0, 104, 69, 1, 250, 147, 255, 85, 67, 32, 18, 149, 55, 254, 170,
	144, 3, 5, 253, 170, 172, 171, 24, 150, 225, 207, 93, 223, 22, 52, 1, 6, 160, 110, 146, 72, 61,
	250, 127, 215, 93, 44, 141, 29, 172, 131, 50, 8, 0, 2, 13, 185, 171, 45, 170, 203, 138, 178, 85,
	151, 53, 101, 208, 187, 146, 41, 194, 132, 130, 20, 195, 141, 88,
};
static const unsigned char lzma_river[] = {
	26, 2, 5, 0, 93, 0, 16, 0, 0, 0, 48, 139, 8, 64, 166, 116, 211, 70, 170, 2, 195, 254, 19, 40,
	250, 81, 247, 208, 131, 175, 89, 10, 222, 195, 50, 216, 202, 157, 157, 230, 254, 246, 43, 80,
	240, 77, 140, 168, 147, 38, 63, 166, 141, 237, 207, 222, 240, 17, 83, 208, 24, 161, 42, 126,
	121, 0, 78, 93, 140, 65, 66, 216, 142, 143, 224, 180, 144, 61, 207, 52, 103, 218, 253, 75, 167,
	3, 200, 72, 185, 50, 84, 130, 109, 195, 255, 254, 243, 120, 0,
};
static const unsigned char ppmd_river[] = {
	7, 0, 96, 202, 193, 220, 1, 147, 70, 75, 243, 33, 91, 114, 247, 33, 165, 37, 82, 50, 34, 210,
	199, 218, 107, 51, 64, 163, 169, 243, 121, 219, 165, 149, 82, 156, 251, 173, 131, 61, 216, 193,
	125, 50, 192, 176, 254, 224, 138, 68, 195, 222, 72, 56, 212, 103, 139, 75, 84, 198, 13, 163,
	247, 83, 215, 103, 24, 63, 226, 177, 78, 17, 29, 59, 233, 0, 0,
};
static const unsigned char xz_river[] = {
	253, 55, 122, 88, 90, 0, 0, 1, 105, 34, 222, 54, 2, 0, 33, 1, 0, 0, 0, 0, 55, 39, 151, 214, 224,
	1, 98, 0, 84, 93, 0, 48, 139, 8, 64, 166, 116, 211, 70, 170, 2, 195, 254, 19, 40, 250, 81, 247,
	208, 131, 175, 89, 10, 222, 195, 50, 216, 202, 157, 157, 230, 254, 246, 43, 80, 240, 77, 140,
	168, 147, 38, 63, 166, 141, 237, 207, 222, 240, 17, 83, 208, 24, 161, 42, 126, 121, 0, 78, 93,
	140, 65, 66, 216, 142, 143, 224, 180, 144, 61, 207, 52, 103, 218, 253, 75, 167, 3, 200, 72, 185,
	50, 82, 52, 225, 103, 0, 117, 201, 128, 63, 0, 1, 108, 227, 2, 0, 0, 0, 120, 110, 30, 121, 62,
	48, 13, 139, 2, 0, 0, 0, 0, 1, 89, 90,
};

static char *river_rows(size_t *ret_len)
{
	struct bytes b = { 0 };
	char line[32];

	add_text(&b, "a,b\n");
	for (int i = 1; i <= 40; i++) {
		snprintf(line, sizeof(line), "%d,river\n", i);
		add_text(&b, line);
	}
	*ret_len = b.len;
	return (char *)b.p;
}

#define PACKED(array) .packed = (array), .packed_len = sizeof(array)
static void good_methods(struct zip *z)
{
	size_t len;
	char *rows = river_rows(&len);

	PUT(z, .name = "bzip2.csv", .data = rows, .len = len, .method = BZIP2, PACKED(bzip2_river));
	PUT(z, .name = "lzma.csv", .data = rows, .len = len, .method = LZMA, .flags = 2,
	    PACKED(lzma_river));
	PUT(z, .name = "ppmd.csv", .data = rows, .len = len, .method = PPMD, PACKED(ppmd_river));
	PUT(z, .name = "xz.csv", .data = rows, .len = len, .method = XZ, PACKED(xz_river));
	finish(z);
	free(rows);
}

/* ---- 88, 89: cut ---- */

static void cut(struct zip *z, size_t len)
{
	free(z->central.p);
	z->central = (struct bytes){ 0 };
	z->out.len = len;
}

static void cut_end(struct zip *z)
{
	good_plain(z);
	cut(z, z->out.len - 22);
}

static void cut_directory(struct zip *z)
{
	good_plain(z);
	cut(z, z->out.len - 22 - 30);
}

static void cut_after_first(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC));
	size_t len = z->out.len;

	PUT(z, .name = "b.csv", TEXT(ABC));
	cut(z, len);
}

static void cut_after_second(struct zip *z)
{
	two(z);
	cut(z, z->out.len);
}

/* ---- 90 to 92: two values, wrong values ---- */

#define LIE(name_, ...)                                                                            \
	static void name_(struct zip *z)                                                           \
	{                                                                                          \
		PUT(z, .name = "a.csv", TEXT(ABC));                                                \
		PUT(z, .name = "b.csv", TEXT(ABC ABC), __VA_ARGS__);                               \
		PUT(z, .name = "c.csv", TEXT(ABC));                                                \
		finish(z);                                                                         \
	}

static void bad_crc(struct zip *z)
{
	size_t len;
	char *rows = make_rows(140000, 3, &len);

	PUT(z, .name = "a.csv", TEXT(ABC));
	PUT(z, .name = "b.csv", .data = rows, .len = len, .method = DEFLATE, .crc_all = 1);
	finish(z);
	free(rows);
}
LIE(bad_crc_zstd, .method = ZSTD_METHOD, .crc_all = 0x80000000)
LIE(bad_crc_stored, .crc_all = 0x100)
LIE(lie_crc_local, .crc_local = 1)
LIE(lie_crc_central, .crc_central = 1)
LIE(lie_size_local, .bytes_local = 1, .method = DEFLATE)
LIE(lie_size_central, .bytes_central = -1, .method = DEFLATE)
LIE(lie_packed_local, .packed_local = 1, .method = DEFLATE)
LIE(lie_packed_central, .packed_central = 1, .method = DEFLATE)
LIE(lie_name, .name_local = "x.csv")
LIE(lie_name_longer, .name_local = "b.csv.")
LIE(lie_method, .method = DEFLATE, .method_local = -8)
LIE(lie_flags, .flags_local = 8)
LIE(lie_encrypted, .flags_local = 1)
LIE(size_smaller, .bytes_all = -3, .method = DEFLATE)
LIE(size_larger, .bytes_all = 3, .method = DEFLATE)
LIE(size_smaller_zstd, .bytes_all = -3, .method = ZSTD_METHOD)
LIE(size_larger_zstd, .bytes_all = 3, .method = ZSTD_METHOD)
LIE(size_zero, .bytes_all = -(int64_t)(sizeof(ABC ABC) - 1), .method = DEFLATE)
LIE(size_stored, .bytes_all = -3)
LIE(packed_smaller, .packed_all = -1, .method = DEFLATE)
LIE(packed_larger, .packed_all = 1, .method = DEFLATE)

/* Bytes behind the end of the deflated stream, inside of what is said to be the entry's. */
static void packed_tail(struct zip *z)
{
	struct bytes packed = { 0 };

	deflate_into(&packed, ABC, sizeof(ABC) - 1);
	add(&packed, "junk", 4);
	PUT(z, .name = "a.csv", TEXT(ABC), .method = DEFLATE, .packed = packed.p, .packed_len = packed.len);
	finish(z);
	free(packed.p);
}

static void packed_cut(struct zip *z)
{
	struct bytes packed = { 0 };

	deflate_into(&packed, ABC, sizeof(ABC) - 1);
	PUT(z, .name = "a.csv", TEXT(ABC), .method = DEFLATE, .packed = packed.p,
	    .packed_len = packed.len - 3);
	finish(z);
	free(packed.p);
}

static void packed_junk(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC), .method = DEFLATE, .packed = "\xff\xff\xff\xff\xff\xff",
	    .packed_len = 6);
	finish(z);
}

static void packed_junk_bzip2(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC), .method = BZIP2, .packed = "BZh9 no, not that",
	    .packed_len = 17);
	finish(z);
}

/* ---- 93 to 95: counts, hidden entries, several archives ---- */

#define END(name_, ...)                                                                            \
	static void name_(struct zip *z)                                                           \
	{                                                                                          \
		two(z);                                                                            \
		finish_as(z, &(struct ending){ __VA_ARGS__ });                                     \
	}
END(count_more, .count = 1)

static void count_more_room(struct zip *z)
{
	PUT(z, .name = "a_table_with_a_name_as_long_as_this_one.csv", TEXT(ABC));
	PUT(z, .name = "another_table_with_a_name_as_long_as_this.csv", TEXT(ABC));
	finish_as(z, &(struct ending){ .count = 1 });
}
END(count_fewer, .count = -1)
END(count_zero, .count = -2)
END(count_most, .count = 60000)
END(count_two, .count_here = -1)
END(count_two_zip64, .zip64 = true, .count_here = -1)
END(directory_longer, .directory_bytes = 1)
END(directory_shorter, .directory_bytes = -1)
END(directory_later, .directory_offset = 1)
END(directory_earlier, .directory_offset = -1)
END(directory_far, .zip64 = true, .directory_offset = INT64_MAX)
END(directory_huge, .zip64 = true, .directory_bytes = INT64_MAX)

static void hidden_entry(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC));
	PUT(z, .name = "b.csv", TEXT(ABC), .hidden = true);
	PUT(z, .name = "c.csv", TEXT(ABC));
	finish(z);
}

static void hidden_first(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC), .hidden = true);
	PUT(z, .name = "b.csv", TEXT(ABC));
	finish(z);
}

static void hidden_last(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC));
	PUT(z, .name = "b.csv", TEXT(ABC), .hidden = true);
	finish(z);
}

static void no_entry(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC));
	PUT(z, .name = "b.csv", TEXT(ABC), .nothing = true);
	finish(z);
}

static void no_local(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC));
	PUT(z, .name = "b.csv", TEXT(ABC));
	z->out.p[0] = 'Q';
	finish(z);
}

static void two_archives(struct zip *z)
{
	struct zip second = { 0 };

	good_plain(z);
	good_mixed(&second);
	add(&z->out, second.out.p, second.out.len);
	free(second.out.p);
}

static void junk_before(struct zip *z)
{
	struct zip second = { 0 };

	good_plain(&second);
	add_text(&z->out, "#!/bin/sh\nexit 0\n");
	add(&z->out, second.out.p, second.out.len);
	free(second.out.p);
}

/* A program before the archive, whose offsets count from the file's first byte. */
static void junk_before_counted(struct zip *z)
{
	add_text(&z->out, "MZ this is a program");
	good_plain(z);
}

static void junk_after(struct zip *z)
{
	good_plain(z);
	add_text(&z->out, "\n\n");
}

static void junk_between(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC));
	add_text(&z->out, "between");
	PUT(z, .name = "b.csv", TEXT(ABC));
	finish(z);
}

static void junk_before_directory(struct zip *z)
{
	two(z);
	add_text(&z->out, "between");
	finish(z);
}

static void junk_in_directory(struct zip *z)
{
	two(z);
	add_text(&z->central, "PK\5\5");
	finish(z);
}

/* ---- 96 to 99: names and kinds ---- */

#define NAMES(name_, first, second)                                                                \
	static void name_(struct zip *z)                                                           \
	{                                                                                          \
		PUT(z, .name = (first), TEXT(ABC), .flags = 0x800);                                \
		PUT(z, .name = "between.csv", TEXT(ABC));                                          \
		PUT(z, .name = (second), TEXT(ABC), .flags = 0x800);                               \
		finish(z);                                                                         \
	}
NAMES(same_name, "a.csv", "a.csv")
NAMES(same_case, "orders.csv", "ORDERS.CSV")
NAMES(same_case_unicode, "stra\xc3\x9f" "e.csv", "STRASSE.csv")
NAMES(same_composed, "caf\xc3\xa9.csv", "cafe\xcc\x81.csv")
NAMES(same_hangul, "\xea\xb0\x81.csv", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8.csv")
NAMES(other_names, "caf\xc3\xa9.csv", "cafe.csv")

static void same_folder(struct zip *z)
{
	PUT(z, .name = "a", TEXT(ABC));
	PUT(z, .name = "A/", TEXT(""));
	finish(z);
}

#define NAME(name_, ...)                                                                           \
	static void name_(struct zip *z)                                                           \
	{                                                                                          \
		PUT(z, .name = "a.csv", TEXT(ABC));                                                \
		PUT(z, TEXT(ABC), __VA_ARGS__);                                                    \
		finish(z);                                                                         \
	}
NAME(name_up, .name = "../b.csv")
NAME(name_up_inside, .name = "x/../../b.csv")
NAME(name_up_end, .name = "x/..")
NAME(name_absolute, .name = "/etc/b.csv")
NAME(name_drive, .name = "C:b.csv")
NAME(name_backslash, .name = "x\\b.csv")
NAME(name_dot_end, .name = "b.csv.")
NAME(name_blank_end, .name = "b.csv /c")
NAME(name_dot, .name = "./b.csv")
NAME(name_part, .name = "x//b.csv")
NAME(name_nul, .name = "b.csv\0.exe", .name_len = 10)
NAME(name_newline, .name = "b\ncsv")
NAME(name_escape, .name = "b\x1b[2J.csv")
NAME(name_437, .name = "caf\x82.csv")
NAME(name_932, .name = "\x92\x8d\x95\xb6.csv")
NAME(name_not_utf8, .name = "\xff\xfe\xc0\xaf.csv")
NAME(name_utf8_flag, .name = "caf\x82.csv", .flags = 0x800)
NAME(name_utf8, .name = "\xe6\xb3\xa8\xe6\x96\x87.csv", .flags = 0x800)
NAME(link_symbolic, .name = "b.csv", .host = 3, .attributes = 0120777u << 16)
NAME(link_hard, .name = "b.csv", .host = 3, .attributes = 0100644u << 16,
     .extra = "\x0d\0\x11\0" "12345678" "\0\0\0\0" "a.csv", .extra_len = 21)
NAME(kind_device, .name = "b.csv", .host = 3, .attributes = 0060644u << 16)
NAME(kind_terminal, .name = "b.csv", .host = 3, .attributes = 0020644u << 16)
NAME(kind_fifo, .name = "b.csv", .host = 3, .attributes = 0010644u << 16)
NAME(kind_socket, .name = "b.csv", .host = 3, .attributes = 0140644u << 16)
NAME(kind_folder_mode, .name = "b.csv", .host = 3, .attributes = 0040755u << 16)
NAME(kind_folder_dos, .name = "b.csv", .attributes = 0x10)
NAME(folder_data, .name = "b/")
NAME(kind_mode_zero, .name = "b.csv", .host = 3)

static void name_empty(struct zip *z)
{
	PUT(z, .name = "", TEXT(ABC));
	finish(z);
}

static void name_long(struct zip *z)
{
	static char name[65535];

	memset(name, 'n', sizeof(name));
	PUT(z, .name = name, .name_len = sizeof(name), TEXT(ABC));
	finish(z);
}

static void folder_encrypted(struct zip *z)
{
	PUT(z, .name = "b/", TEXT(""), .flags = 1);
	finish(z);
}

/* Info-ZIP's Unicode Path: version, CRC of the name it stands for, UTF-8. */
static void unicode_path(struct zip *z, const char *name, const char *unicode, uint32_t lie)
{
	struct bytes extra = { 0 };

	add_int(&extra, 0x7075, 2);
	add_int(&extra, 5 + strlen(unicode), 2);
	add_int(&extra, 1, 1);
	add_int(&extra, crc32_gzip_refl(0, (const unsigned char *)name, strlen(name)) ^ lie, 4);
	add_text(&extra, unicode);
	PUT(z, .name = name, TEXT(ABC), .extra = (const char *)extra.p, .extra_len = extra.len);
	finish(z);
	free(extra.p);
}

static void unicode_name(struct zip *z)
{
	unicode_path(z, "caf\x82.csv", "caf\xc3\xa9.csv", 0);
}
static void unicode_stale(struct zip *z)
{
	unicode_path(z, "a.csv", "b.csv", 1);
}
static void unicode_lie(struct zip *z)
{
	unicode_path(z, "a.csv", "b.csv", 0);
}
static void unicode_up(struct zip *z)
{
	unicode_path(z, "caf\x82.csv", "../caf\xc3\xa9.csv", 0);
}

/* ---- 100 to 103: encryption, methods, bombs, overlaps ---- */

LIE(encrypted_one, .flags = 1)
LIE(encrypted_aes, .method = 99, .flags = 1, .extra = "\x01\x99\x07\0\2\0AE\3\x08\0", .extra_len = 11)
LIE(encrypted_aes_flagless, .extra = "\x01\x99\x07\0\2\0AE\3\x08\0", .extra_len = 11)
LIE(encrypted_strong, .flags = 0x41)
LIE(encrypted_masked, .flags = 0x2000)
LIE(patched, .flags = 0x20)
LIE(method_implode, .method = 6)
LIE(method_shrink, .method = 1)
LIE(method_deflate64, .method = 9)
LIE(method_old_zstd, .method = 20)
LIE(method_unknown, .method = 1234)

static void encrypted_all(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC), .flags = 1);
	PUT(z, .name = "b.csv", TEXT(ABC), .flags = 1);
	finish(z);
}

static void bomb(struct zip *z)
{
	size_t len = 100u << 20;
	char *zeros = calloc(1, len);

	PUT(z, .name = "bomb.csv", .data = zeros, .len = len, .method = ZSTD_METHOD);
	finish(z);
	free(zeros);
}

/* Says that it is small. */
static void bomb_hidden(struct zip *z)
{
	size_t len = 100u << 20;
	char *zeros = calloc(1, len);

	PUT(z, .name = "bomb.csv", .data = zeros, .len = len, .method = ZSTD_METHOD,
	    .bytes_all = 1000 - (int64_t)len);
	finish(z);
	free(zeros);
}

static void blanks(struct zip *z)
{
	size_t len = 1 << 20;
	char *zeros = calloc(1, len);

	PUT(z, .name = "blank.csv", .data = zeros, .len = len, .method = ZSTD_METHOD);
	finish(z);
	free(zeros);
}

static void claims_much(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC), .method = DEFLATE, .zip64 = true, .zip64_central = true,
	    .bytes_all = INT64_C(1) << 60);
	finish(z);
}

static void overlap_same(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC));
	PUT(z, .name = "b.csv", TEXT(ABC), .nothing = true, .offset = -(int64_t)(30 + 5 + sizeof(ABC) - 1));
	finish(z);
}

/* The second begins inside the data of the first, which quotes it. */
static void overlap_quoted(struct zip *z)
{
	struct zip inner = { 0 };

	PUT(&inner, .name = "b.csv", TEXT(ABC), .hidden = true);
	PUT(z, .name = "a.csv", .data = (const char *)inner.out.p, .len = inner.out.len);
	PUT(z, .name = "b.csv", TEXT(ABC), .nothing = true, .offset = -(int64_t)inner.out.len);
	finish(z);
	free(inner.out.p);
}

static void overlap_many(struct zip *z)
{
	char name[16];

	PUT(z, .name = "0.csv", TEXT(ABC));
	int64_t back = (int64_t)z->out.len;

	for (int i = 1; i < 65535; i++) {
		snprintf(name, sizeof(name), "%d.csv", i);
		PUT(z, .name = name, TEXT(ABC), .nothing = true, .offset = -back);
	}
	finish(z);
}

static void behind_directory(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC));
	PUT(z, .name = "b.csv", TEXT(ABC), .offset = 5000);
	finish(z);
}

static void data_too_long(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC), .packed_all = 5000, .bytes_all = 5000);
	finish(z);
}

/* ---- 104, 105: nested, zip64 ---- */

static void nested(struct zip *z)
{
	struct zip inner = { 0 };

	good_plain(&inner);
	PUT(z, .name = "inner.zip", .data = (const char *)inner.out.p, .len = inner.out.len);
	finish(z);
	free(inner.out.p);
}

static void in_gzip(struct zip *z)
{
	add(&z->out, "\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
	struct zip inner = { 0 };

	good_plain(&inner);
	deflate_into(&z->out, inner.out.p, inner.out.len);
	add_int(&z->out, crc32_gzip_refl(0, inner.out.p, inner.out.len), 4);
	add_int(&z->out, inner.out.len, 4);
	free(inner.out.p);
}

#define ZIP64(name_, ...)                                                                          \
	static void name_(struct zip *z)                                                           \
	{                                                                                          \
		PUT(z, .name = "a.csv", TEXT(ABC), .method = DEFLATE, __VA_ARGS__);                \
		PUT(z, .name = "b.csv", TEXT(ABC));                                                \
		finish_as(z, &(struct ending){ .zip64 = true });                                   \
	}
ZIP64(zip64_all, .zip64 = true, .zip64_central = true)
ZIP64(zip64_local, .zip64 = true)
ZIP64(zip64_central, .zip64_central = true)
/* The field is there, and the sizes are where they always are. */
ZIP64(zip64_spare, .extra = "\1\0\20\0" "12345678" "12345678", .extra_len = 20)
ZIP64(zip64_missing, .bytes_all = (int64_t)UINT32_MAX - (int64_t)(sizeof(ABC) - 1))
ZIP64(zip64_short, .bytes_all = (int64_t)UINT32_MAX - (int64_t)(sizeof(ABC) - 1),
      .extra = "\1\0\4\0" "1234", .extra_len = 8)
ZIP64(zip64_twice, .zip64 = true, .zip64_central = true,
      .extra = "\1\0\20\0" "12345678" "12345678", .extra_len = 20)
ZIP64(zip64_size_huge, .zip64 = true, .zip64_central = true, .bytes_all = INT64_MAX)
ZIP64(zip64_packed_huge, .zip64 = true, .zip64_central = true, .packed_all = INT64_MAX)
ZIP64(zip64_offset_huge, .zip64_central = true, .offset = INT64_MAX)
END(zip64_full, .zip64 = true, .full = true)
END(zip64_count_huge, .zip64 = true, .count = INT64_MAX)

static void zip64_differ(struct zip *z)
{
	two(z);
	finish_as(z, &(struct ending){ .zip64 = true, .full = true });
	set_int(&z->out, z->out.len - 12, 3, 2);
	set_int(&z->out, z->out.len - 14, 3, 2);
}

static void zip64_locator(struct zip *z)
{
	two(z);
	finish_as(z, &(struct ending){ .zip64 = true });
	set_int(&z->out, z->out.len - 22 - 12, z->out.len - 22 - 20 - 57, 8);
}

static void zip64_record(struct zip *z)
{
	two(z);
	finish_as(z, &(struct ending){ .zip64 = true });
	set_int(&z->out, z->out.len - 22 - 20 - 52, 45, 8);
}

static void many(struct zip *z)
{
	char name[16];

	for (int i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "%d.csv", i);
		PUT(z, .name = name, TEXT(""));
	}
	finish_as(z, &(struct ending){ .zip64 = true });
}

static void most_without_zip64(struct zip *z)
{
	char name[16];

	for (int i = 0; i < 65535; i++) {
		snprintf(name, sizeof(name), "%d.csv", i);
		PUT(z, .name = name, TEXT(""));
	}
	finish(z);
}

static void too_many(struct zip *z)
{
	char name[16];

	for (int i = 0; i < 100001; i++) {
		snprintf(name, sizeof(name), "%d.csv", i);
		PUT(z, .name = name, TEXT(""));
	}
	finish_as(z, &(struct ending){ .zip64 = true });
}

/* ---- 106: data descriptors ---- */

LIE(descriptor_signed, .method = DEFLATE, .descriptor = SIGNED_32)
LIE(descriptor_bare, .method = DEFLATE, .descriptor = BARE_32)
LIE(descriptor_signed_64, .method = DEFLATE, .descriptor = SIGNED_64, .zip64 = true)
LIE(descriptor_bare_64, .method = DEFLATE, .descriptor = BARE_64, .zip64 = true)
LIE(descriptor_64_only, .method = DEFLATE, .descriptor = SIGNED_64)
LIE(descriptor_stored, .descriptor = SIGNED_32)
LIE(descriptor_zstd, .method = ZSTD_METHOD, .descriptor = SIGNED_32)
LIE(descriptor_told, .method = DEFLATE, .descriptor = SIGNED_32, .told = true)
LIE(descriptor_missing, .method = DEFLATE, .descriptor = MISSING)
LIE(descriptor_crc, .method = DEFLATE, .descriptor = SIGNED_32, .crc_descriptor = 1)
LIE(descriptor_size, .method = DEFLATE, .descriptor = BARE_64, .bytes_descriptor = 1)
LIE(descriptor_told_other, .method = DEFLATE, .descriptor = SIGNED_32, .told = true, .bytes_local = 1)

static void descriptor_signature(struct zip *z)
{
	PUT(z, .name = "a.csv", TEXT(ABC), .descriptor = SIGNED_32);
	set_int(&z->out, z->out.len - 16, 7, 4);
	finish(z);
}

/* ---- 107, 109, 110: nothing, other things, several disks, comments, times ---- */

static void nothing(struct zip *z)
{
	(void)z;
}

static void empty(struct zip *z)
{
	finish(z);
}

static void folder_only(struct zip *z)
{
	PUT(z, .name = "tables/", TEXT(""));
	finish(z);
}

static void page(struct zip *z)
{
	add_text(&z->out, "<!DOCTYPE html>\n<title>404</title><p>Not found, and a few bytes more.\n");
}

static void noise(struct zip *z)
{
	for (int i = 0; i < 3000; i++)
		add_int(&z->out, (uint64_t)i * 2654435761u >> 7, 1);
}

static void start_only(struct zip *z)
{
	add_text(&z->out, "PK");
}

END(disks, .disk = 1)
END(disks_zip64, .zip64 = true, .disk = 1)
LIE(disk_entry, .disk = 3)

static void comment(struct zip *z)
{
	static char text[65535];

	memset(text, 'c', sizeof(text));
	memcpy(text + 1000, "PK\5\6", 4);
	memcpy(text + 64000, "PK\5\6", 4);
	two(z);
	finish_as(z, &(struct ending){ .comment = text, .comment_len = sizeof(text) });
}

/* The comment is an archive's end itself. */
static void comment_end(struct zip *z)
{
	two(z);
	finish_as(z, &(struct ending){ .comment = "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
				       .comment_len = 22 });
}

static void comment_cut(struct zip *z)
{
	two(z);
	finish_as(z, &(struct ending){ .comment = "0123456789", .comment_len = 10 });
	cut(z, z->out.len - 4);
}

LIE(extra_short, .extra = "\1", .extra_len = 1)
LIE(extra_over, .extra = "\x55\x54\xff\xff\1", .extra_len = 5)
LIE(extra_zeros, .extra = "\0\0\0\0\0\0\0\0", .extra_len = 8)
LIE(extra_time, .extra = "\x55\x54\5\0\1\x80\x4b\x5e\x5c", .extra_len = 9)
LIE(time_zero, .time = 0, .date = 0)
LIE(time_last, .time = 0xbf7d, .date = 0xff9f)
LIE(time_wrong, .time = 0xffff, .date = 0xffff)

#endif
