/*
 * Makes a lake object from NDJSON on standard input, without river, and prints its name:
 *
 *	lakeobject LAKE BUSINESS/STREAM DT/HR RUN SEQ [zst|gz|none] <records.ndjson
 *
 * The name carries record count and set hash as river's own do. gz goes through gzip(1).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zstd.h>

static void make_folders(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, 0777);
		*p = '/';
	}
}

int main(int argc, char **argv)
{
	if (argc < 6) {
		fprintf(stderr, "usage: lakeobject LAKE STREAM DT/HR RUN SEQ [zst|gz|none]\n");
		return 2;
	}
	const char *packing = argc > 6 ? argv[6] : "zst";
	size_t len = 0, capacity = 1 << 20, n;
	char *bytes = malloc(capacity);

	while (bytes && (n = fread(bytes + len, 1, capacity - len, stdin)) > 0) {
		len += n;
		if (len == capacity)
			bytes = realloc(bytes, capacity *= 2);
	}
	uint64_t records = 0, hash = 0;

	for (size_t at = 0; bytes && at < len; records++) {
		const char *end = memchr(bytes + at, '\n', len - at);
		size_t line = end ? (size_t)(end - bytes) - at : len - at;

		hash += XXH3_64bits(bytes + at, line);
		at += line + 1;
	}
	char name[512], path[2048], command[4096];

	snprintf(name, sizeof(name), "data/%s/%s/%s-%06lu-r%" PRIu64 "-h%016" PRIx64 ".ndjson%s%s",
		 argv[2], argv[3], argv[4], strtoul(argv[5], NULL, 10), records, hash,
		 strcmp(packing, "none") ? "." : "", strcmp(packing, "none") ? packing : "");
	snprintf(path, sizeof(path), "%s/%s", argv[1], name);
	make_folders(path);
	FILE *out;

	if (strcmp(packing, "gz") == 0) {
		snprintf(command, sizeof(command), "gzip -c >'%s'", path);
		out = popen(command, "w");
	} else {
		out = fopen(path, "wb");
	}
	if (!out || !bytes) {
		fprintf(stderr, "lakeobject: %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (strcmp(packing, "zst") == 0) {
		size_t bound = ZSTD_compressBound(len);
		char *packed = malloc(bound);

		bound = packed ? ZSTD_compress(packed, bound, bytes, len, 1) : 0;
		fwrite(packed, 1, bound, out);
		free(packed);
	} else {
		fwrite(bytes, 1, len, out);
	}
	free(bytes);
	if (strcmp(packing, "gz") == 0 ? pclose(out) != 0 : fclose(out) != 0) {
		fprintf(stderr, "lakeobject: %s: %s\n", path, strerror(errno));
		return 1;
	}
	puts(name);
	return 0;
}
