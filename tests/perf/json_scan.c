/*
 * How fast the JSON validator is: every scanner of this processor and jansson's json_loadb, in
 * turns over the same newline-delimited records held in memory.
 *
 *	json_scan FILE [ROUNDS]
 *
 * Scanners walk the buffer from object to object as push does; jansson gets a line at a time, its
 * length found by memchr. Prints the median of the rounds in GB/s, and the last scanner's lead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/json_scan.h"

#define ROUNDS_MAX 101

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t count_scanned(const struct rv_json_scanner *scanner, const char *p, size_t len)
{
	size_t records = 0;

	for (size_t at = 0; at < len;) {
		struct rv_json_scan scan;

		if (p[at] == '\n') {
			at++;
			continue;
		}
		if (scanner->scan(p + at, len - at, 0, RV_JSON_LINE_MODE, &scan) != RV_JSON_OK) {
			fprintf(stderr, "json_scan: %s at byte %zu\n", rv_json_fault_text(scan.fault),
				at + scan.end);
			exit(1);
		}
		at += scan.end;
		records++;
	}
	return records;
}

static size_t count_loaded(const char *p, size_t len)
{
	size_t records = 0;

	for (size_t at = 0; at < len;) {
		const char *line_end = memchr(p + at, '\n', len - at);
		size_t line = line_end ? (size_t)(line_end - (p + at)) : len - at;
		json_error_t error;
		json_t *tree = json_loadb(p + at, line, JSON_ALLOW_NUL, &error);

		if (!tree) {
			fprintf(stderr, "json_scan: jansson: %s\n", error.text);
			exit(1);
		}
		json_decref(tree);
		at += line + 1;
		records++;
	}
	return records;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;
	const struct rv_json_scanner *list;
	size_t n = rv_json_scanners(&list), records = 0;
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
	double speed[8][ROUNDS_MAX];

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: json_scan FILE [ROUNDS]\n");
		return 2;
	}
	if (rv_read_file(argv[1], (size_t)8 << 30, &text, &err) != RV_OK) {
		fprintf(stderr, "json_scan: %s\n", err.message);
		return 1;
	}
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i <= n; i++) {
			double start = now_s();
			size_t got = i < n ? count_scanned(&list[i], text.bytes, text.len) :
					     count_loaded(text.bytes, text.len);

			speed[i][round] = (double)text.len / (now_s() - start) / 1e9;
			if (records && got != records) {
				fprintf(stderr, "json_scan: %zu records, then %zu\n", records, got);
				return 1;
			}
			records = got;
		}
	}
	printf("%zu records, %zu bytes, median of %d rounds, one core\n", records, text.len, rounds);
	for (size_t i = 0; i <= n; i++) {
		qsort(speed[i], (size_t)rounds, sizeof(speed[i][0]), by_value);
		printf("%-10s %7.3f GB/s\n", i < n ? list[i].name : "jansson", speed[i][rounds / 2]);
	}
	printf("%s / jansson: %.1f times\n", list[n - 1].name,
	       speed[n - 1][rounds / 2] / speed[n][rounds / 2]);
	return 0;
}
