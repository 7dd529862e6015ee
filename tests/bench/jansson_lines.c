/*
 * jansson_lines FILE: parses every line of FILE with jansson, and frees what came out. What the
 * validator is measured against. Ends with 1 when a line is no JSON.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct stat st;
	size_t lines = 0, bad = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: jansson_lines FILE\n");
		return 2;
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
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *stop = newline ? newline : end;
		json_error_t error;
		json_t *value = json_loadb(p, (size_t)(stop - p), 0, &error);

		bad += !value;
		json_decref(value);
		p = stop + 1;
	}
	printf("%zu lines, %zu bad\n", lines, bad);
	return bad != 0;
}
