/*
 * Makes ZIP archives of every kind that may come, sound ones and torture: each case has the number of
 * its row in the catalogue of faults, and what a strict reader has to say of it.
 *
 *	make_zip --list              cases: name, and what is to be said ("" when the archive is sound)
 *	make_zip CASE FILE           writes one
 *	make_zip --pack FILE NAME... files into an archive, each deflated, with data descriptors
 *
 * The unit tests include this file. Nothing of river is in it.
 */
#ifndef TESTS_MAKE_ZIP_C
#define TESTS_MAKE_ZIP_C

#include "zip_cases.h"

/* What a strict reader says when it reads the directory, or with `member` when it reads the data. "" when
 * all is well. */
static const struct zip_case {
	const char *name;
	void (*make)(struct zip *);
	const char *says;
	bool member;
} zip_cases[] = {
	{ "plain", good_plain, "", false },
	{ "mixed", good_mixed, "", false },
	{ "large", good_large, "", false },
	{ "methods", good_methods, "", false },
	{ "88-end-missing", cut_end, "truncated at ", false },
	{ "88-cut-in-directory", cut_directory, "truncated at ", false },
	{ "89-cut-after-1", cut_after_first, "truncated at 51 of at least ", false },
	{ "89-cut-after-2", cut_after_second, "truncated at ", false },
	{ "90-crc", bad_crc, "its CRC-32 is ", true },
	{ "90-crc-zstd", bad_crc_zstd, "its CRC-32 is ", true },
	{ "90-crc-stored", bad_crc_stored, "its CRC-32 is ", true },
	{ "91-crc-local", lie_crc_local, "'b.csv' has two values for its CRC-32", false },
	{ "91-crc-central", lie_crc_central, "'b.csv' has two values for its CRC-32", false },
	{ "91-size-local", lie_size_local, "'b.csv' has two values for its size: 33 before its data, 32",
	  false },
	{ "91-size-central", lie_size_central, "'b.csv' has two values for its size: 32", false },
	{ "91-packed-local", lie_packed_local, "'b.csv' has two values for its packed size", false },
	{ "91-packed-central", lie_packed_central, "'b.csv' has two values for its packed size", false },
	{ "91-name", lie_name, "'b.csv' has two names: 'x.csv'", false },
	{ "91-name-longer", lie_name_longer, "'b.csv' has two names: 'b.csv.'", false },
	{ "91-method", lie_method, "two values for its method: 0 before its data, 8 in", false },
	{ "91-flags", lie_flags, "'b.csv' has two values for its flags", false },
	{ "91-flags-encrypted", lie_encrypted, "'b.csv' has two values for its flags", false },
	{ "92-smaller", size_smaller, "it inflates to more than the 29 bytes", true },
	{ "92-larger", size_larger, "it inflates to 32 bytes, 35 are expected", true },
	{ "92-smaller-zstd", size_smaller_zstd, "it inflates to more than the 29 bytes", true },
	{ "92-larger-zstd", size_larger_zstd, "it inflates to 32 bytes, 35 are expected", true },
	{ "92-zero", size_zero, "it inflates to more than the 0 bytes", true },
	{ "92-stored", size_stored, "is stored, but its sizes differ: 29 and 32", false },
	{ "92-packed-smaller", packed_smaller, "bytes at byte ", false },
	{ "92-packed-larger", packed_larger, "'b.csv' at byte 51 and 'c.csv' at byte", false },
	{ "92-packed-tail", packed_tail, "4 packed bytes follow its end", true },
	{ "92-packed-cut", packed_cut, "its packed data ends early", true },
	{ "92-packed-junk", packed_junk, "its packed data is damaged", true },
	{ "92-packed-junk-bzip2", packed_junk_bzip2, "its packed data is damaged", true },
	{ "93-count-more", count_more, "cannot hold the 3 entries its end record says", false },
	{ "93-count-more-room", count_more_room, "holds 2 entries, its end record says 3", false },
	{ "93-count-fewer", count_fewer, "more entries than the 1 its end record says", false },
	{ "93-count-zero", count_zero, "more entries than the 0 its end record says", false },
	{ "93-count-most", count_most, "cannot hold the 60002 entries", false },
	{ "93-count-two", count_two, "two numbers of entries, 1 and 2", false },
	{ "93-count-two-zip64", count_two_zip64, "two numbers of entries, 1 and 2", false },
	{ "93-directory-longer", directory_longer, "does not end before its end record", false },
	{ "93-directory-shorter", directory_shorter, "ends 1 bytes before its end record", false },
	{ "93-directory-later", directory_later, "does not end before its end record", false },
	{ "93-directory-earlier", directory_earlier, "ends 1 bytes before its end record", false },
	{ "93-directory-far", directory_far, "does not end before its end record", false },
	{ "93-directory-huge", directory_huge, "does not end before its end record", false },
	{ "94-hidden", hidden_entry, "an entry that the directory does not have", false },
	{ "94-hidden-first", hidden_first, "an entry that the directory does not have", false },
	{ "94-hidden-last", hidden_last, "an entry that the directory does not have", false },
	{ "94-not-there", no_entry, "'b.csv' is said to be at byte 51, in or behind the dir", false },
	{ "94-no-local-header", no_local, "'a.csv' is not where the directory says, at byte 0", false },
	{ "95-two", two_archives, "its zip64 end record at byte ", false },
	{ "95-junk-before", junk_before, "ends 17 bytes before its end record", false },
	{ "95-junk-before-counted", junk_before_counted, "20 bytes at byte 0 belong to no entry", false },
	{ "95-junk-after", junk_after, "2 bytes follow the end of the archive", false },
	{ "95-junk-between", junk_between, "7 bytes at byte 51 belong to no entry", false },
	{ "95-junk-before-directory", junk_before_directory, "7 bytes at byte ", false },
	{ "95-junk-in-directory", junk_in_directory, "4 bytes of its directory belong to no entry", false },
	{ "96-same", same_name, "two entries are called 'a.csv', at bytes 0 and ", false },
	{ "96-case", same_case, "'orders.csv' and 'ORDERS.CSV', at bytes 0 and ", false },
	{ "96-case-unicode", same_case_unicode, "have the same name to some file systems", false },
	{ "96-composed", same_composed, "have the same name to some file systems", false },
	{ "96-hangul", same_hangul, "have the same name to some file systems", false },
	{ "96-others", other_names, "", false },
	{ "96-folder", same_folder, "'a' and 'A/', at bytes", false },
	{ "97-up", name_up, "the name '../b.csv', which leads out of the archive", false },
	{ "97-up-inside", name_up_inside, "which leads out of the archive", false },
	{ "97-up-end", name_up_end, "which leads out of the archive", false },
	{ "97-absolute", name_absolute, "which is absolute", false },
	{ "97-drive", name_drive, "which begins with a drive letter", false },
	{ "97-backslash", name_backslash, "the name 'x\\x5cb.csv', which holds a backslash", false },
	{ "97-dot-end", name_dot_end, "which has a part that ends in a dot", false },
	{ "97-blank-end", name_blank_end, "which has a part that ends in a blank", false },
	{ "97-dot", name_dot, "which has a part '.'", false },
	{ "97-empty-part", name_part, "which has an empty part", false },
	{ "97-nul", name_nul, "the name 'b.csv\\x00.exe', which holds a NUL", false },
	{ "97-newline", name_newline, "the name 'b\\x0acsv', which holds a control character", false },
	{ "97-escape", name_escape, "the name 'b\\x1b[2J.csv', which holds a control", false },
	{ "97-empty", name_empty, "which is empty", false },
	{ "97-long", name_long, "has a name of 65535 bytes, allowed are 1024", false },
	{ "98-link", link_symbolic, "is a symbolic link, not a regular file", false },
	{ "98-hard-link", link_hard, "is a link or a device, not a regular file", false },
	{ "98-device", kind_device, "is a device, not a regular file", false },
	{ "98-terminal", kind_terminal, "is a device, not a regular file", false },
	{ "98-fifo", kind_fifo, "is a FIFO, not a regular file", false },
	{ "98-socket", kind_socket, "is a socket, not a regular file", false },
	{ "98-folder-by-mode", kind_folder_mode, "is a folder by its mode", false },
	{ "98-folder-by-attribute", kind_folder_dos, "is a folder by its attributes", false },
	{ "98-folder-with-data", folder_data, "folder 'b/' holds 16 bytes", false },
	{ "98-folder-encrypted", folder_encrypted, "'b/' is encrypted", false },
	{ "98-mode-zero", kind_mode_zero, "", false },
	{ "99-cp437", name_437, "", false },
	{ "99-cp932", name_932, "", false },
	{ "99-not-utf8", name_not_utf8, "", false },
	{ "99-utf8", name_utf8, "", false },
	{ "99-utf8-flag", name_utf8_flag, "'caf\\x82.csv' is not the UTF-8 it is said to be", false },
	{ "99-unicode-path", unicode_name, "", false },
	{ "99-unicode-path-stale", unicode_stale, "", false },
	{ "99-unicode-path-lies", unicode_lie, "'a.csv' has another name in its Unicode field", false },
	{ "99-unicode-path-up", unicode_up, "which leads out of the archive", false },
	{ "100-one", encrypted_one, "'b.csv' is encrypted", false },
	{ "100-all", encrypted_all, "'a.csv' is encrypted", false },
	{ "100-aes", encrypted_aes, "'b.csv' is encrypted", false },
	{ "100-aes-flagless", encrypted_aes_flagless, "'b.csv' is encrypted", false },
	{ "100-strong", encrypted_strong, "'b.csv' is encrypted", false },
	{ "100-masked", encrypted_masked, "'b.csv' is encrypted", false },
	{ "101-patch", patched, "'b.csv' holds a patch", false },
	{ "101-implode", method_implode, "'b.csv' is packed by method 6 (implode)", false },
	{ "101-shrink", method_shrink, "'b.csv' is packed by method 1 (shrink)", false },
	{ "101-deflate64", method_deflate64, "'b.csv' is packed by method 9 (deflate64)", false },
	{ "101-old-zstd", method_old_zstd, "'b.csv' is packed by method 20 (old zstd)", false },
	{ "101-unknown", method_unknown, "'b.csv' is packed by method 1234 (unknown)", false },
	{ "102-bomb", bomb, "'bomb.csv' claims to be packed more than 1000 : 1", false },
	{ "102-bomb-hidden", bomb_hidden, "it inflates to more than the 1000 bytes", true },
	{ "102-blanks", blanks, "", false },
	{ "102-claims-much", claims_much, "it holds more than 1.00 TiB", false },
	{ "102-many", too_many, "it has 100001 entries, allowed are 100000", false },
	{ "103-same", overlap_same, "'a.csv' at byte 0 and 'b.csv' at byte 0 overlap", false },
	{ "103-quoted", overlap_quoted, "'a.csv' at byte 0 and 'b.csv' at byte 35 overlap", false },
	{ "103-many", overlap_many, "' at byte 0 overlap", false },
	{ "103-behind", behind_directory, "in or behind the directory", false },
	{ "103-too-long", data_too_long, "goes beyond the beginning of the directory", false },
	{ "104-nested", nested, "", false },
	{ "104-in-gzip", in_gzip, "it is no ZIP archive but a gzip file", false },
	{ "105-all", zip64_all, "", false },
	{ "105-local", zip64_local, "", false },
	{ "105-central", zip64_central, "", false },
	{ "105-spare", zip64_spare, "", false },
	{ "105-full", zip64_full, "", false },
	{ "105-missing", zip64_missing, "'a.csv' has no zip64 field", false },
	{ "105-short", zip64_short, "'a.csv' has a zip64 field that is too short", false },
	{ "105-twice", zip64_twice, "'a.csv' has two zip64 fields", false },
	{ "105-size-huge", zip64_size_huge, "it holds more than", false },
	{ "105-packed-huge", zip64_packed_huge, "overlap", false },
	{ "105-offset-huge", zip64_offset_huge, "an entry that the directory does not have", false },
	{ "105-count-huge", zip64_count_huge, "entries, allowed are", false },
	{ "105-differ", zip64_differ, "its two end records differ: 3 entries", false },
	{ "105-locator", zip64_locator, "zip64 end record at byte ", false },
	{ "105-record", zip64_record, "zip64 end record at byte ", false },
	{ "105-many", many, "", false },
	{ "105-most-without", most_without_zip64, "", false },
	{ "106-signed", descriptor_signed, "", false },
	{ "106-bare", descriptor_bare, "", false },
	{ "106-signed-64", descriptor_signed_64, "", false },
	{ "106-bare-64", descriptor_bare_64, "", false },
	{ "106-64-only-behind", descriptor_64_only, "", false },
	{ "106-stored", descriptor_stored, "", false },
	{ "106-zstd", descriptor_zstd, "", false },
	{ "106-told", descriptor_told, "", false },
	{ "106-missing", descriptor_missing, "0 bytes stand behind the data of entry 'b.csv'", false },
	{ "106-crc", descriptor_crc, "two values for its CRC-32: ", false },
	{ "106-size", descriptor_size, "two values for its sizes: ", false },
	{ "106-told-other", descriptor_told_other, "two values for its size: 33", false },
	{ "106-signature", descriptor_signature, "has no signature", false },
	{ "107-nothing", nothing, "it is empty", false },
	{ "107-empty", empty, "", false },
	{ "107-folder-only", folder_only, "", false },
	{ "107-page", page, "no ZIP archive but a page of HTML", false },
	{ "107-noise", noise, "it is no ZIP archive", false },
	{ "107-start", start_only, "truncated at 2 of at least ", false },
	{ "109-disks", disks, "it is one part of an archive in several", false },
	{ "109-disks-zip64", disks_zip64, "it is one part of an archive in several", false },
	{ "109-disk-of-entry", disk_entry, "'b.csv' begins on disk 4 of several", false },
	{ "109-comment", comment, "", false },
	{ "109-comment-is-end", comment_end, "it has two end records, at bytes ", false },
	{ "109-comment-cut", comment_cut, "bytes, in its comment", false },
	{ "110-extra-short", extra_short, "", false },
	{ "110-extra-over", extra_over, "", false },
	{ "110-extra-zeros", extra_zeros, "", false },
	{ "110-extra-time", extra_time, "", false },
	{ "110-time-zero", time_zero, "", false },
	{ "110-time-last", time_last, "", false },
	{ "110-time-wrong", time_wrong, "", false },
};
enum { ZIP_CASES = sizeof(zip_cases) / sizeof(*zip_cases) };

#ifndef MAKE_ZIP_NO_MAIN
static char *read_whole(const char *path, size_t *ret_len)
{
	struct bytes b = { 0 };
	char space[1 << 16];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		exit(1);
	}
	while ((n = fread(space, 1, sizeof(space), f)) > 0)
		add(&b, space, n);
	fclose(f);
	add(&b, "", 1);
	*ret_len = b.len - 1;
	return (char *)b.p;
}

static int write_out(const struct zip *z, const char *path)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(z->out.p, 1, z->out.len, f) != z->out.len || fclose(f) != 0) {
		perror(path);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct zip z = { 0 };

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (int i = 0; i < ZIP_CASES; i++)
			printf("%s\t%s\n", zip_cases[i].name, zip_cases[i].says);
		return 0;
	}
	if (argc > 3 && strcmp(argv[1], "--pack") == 0) {
		for (int i = 3; i < argc; i++) {
			size_t len;
			char *data = read_whole(argv[i], &len);

			PUT(&z, .name = argv[i], .data = data, .len = len, .method = DEFLATE,
			    .descriptor = SIGNED_32, TIME);
			free(data);
		}
		finish(&z);
		return write_out(&z, argv[2]);
	}
	for (int i = 0; argc == 3 && i < ZIP_CASES; i++) {
		if (strcmp(argv[1], zip_cases[i].name) != 0)
			continue;
		zip_cases[i].make(&z);
		return write_out(&z, argv[2]);
	}
	fprintf(stderr, "usage: make_zip --list | CASE FILE | --pack FILE NAME...\n");
	return 2;
}
#endif

#endif
