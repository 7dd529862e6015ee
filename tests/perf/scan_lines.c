/*
 * scan_lines FILE [IMPLEMENTATION]: validates every line of FILE with the record validator, by the
 * implementation push would use or by the one named. Ends with 1 when a line is refused.
 */
#include "format/json_scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const struct rv_json_scanner *list;
	size_t count = rv_json_scanners(&list);
	const struct rv_json_scanner *scanner = &list[count - 1];
	struct stat st;
	size_t lines = 0, bad = 0;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: scan_lines FILE [IMPLEMENTATION]\n");
		return 2;
	}
	if (argc == 3) {
		size_t i = 0;
		while (i < count && strcmp(list[i].name, argv[2]))
			i++;
		if (i == count) {
			fprintf(stderr, "scan_lines: this processor has no %s\n", argv[2]);
			return 2;
		}
		scanner = &list[i];
	}
	int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		perror(argv[1]);
		return 2;
	}
	size_t size = (size_t)st.st_size;
	const char *map = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0) : "";
	if (map == MAP_FAILED) {
		perror(argv[1]);
		return 2;
	}
	for (const char *p = map, *end = map + size; p < end; lines++) {
		struct rv_json_scan scan;
		/* the object says where it ends: no search for the newline before it */
		enum rv_json_fault fault = scanner->scan(p, (size_t)(end - p), 0, RV_JSON_LINE_MODE, &scan);

		if (fault == RV_JSON_OK && (p + scan.end == end || p[scan.end] == '\n')) {
			p += scan.end + 1;
			continue;
		}
		bad++;
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		p = newline ? newline + 1 : end;
	}
	printf("%zu lines, %zu bad, by %s\n", lines, bad, scanner->name);
	return bad != 0;
}
