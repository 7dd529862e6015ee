/*
 * read FILE [ndjson|json|csv|text|auto]: takes FILE ('-': standard input) through a reader as push
 * does, decompressing what is compressed, and prints what was in it and what that cost.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "format/reader.h"
#include "source/source.h"

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const struct rv_error *err)
{
	fprintf(stderr, "read: %s\n", err->message);
	return 1;
}

int main(int argc, char **argv)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *rd = NULL;
	struct rv_reader_params params = { .format = RV_FORMAT_AUTO };
	struct rv_reader_limits limits = { .timeout_ms = -1 };
	uint64_t records = 0, rejects = 0, bytes = 0, spans = 0, hash = 0, largest = 0;
	struct rv_span s = { .kind = RV_SPAN_WAIT };

	if (argc < 2 || argc > 3 || (argc == 3 && !rv_format_parse(argv[2], &params.format))) {
		fprintf(stderr, "usage: read FILE [ndjson|json|csv|text|auto]\n");
		return 2;
	}
	if (strcmp(argv[1], "-") == 0) {
		if (rv_source_stdin_new(&source, &err) != RV_OK)
			return fail(&err);
	} else {
		char magic[8] = "";
		int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : pread(fd, magic, sizeof(magic), 0);

		if (n < 0) {
			perror(argv[1]);
			return 1;
		}
		enum rv_compression c = rv_compression_detect(magic, (size_t)n);

		if (rv_source_file_new(fd, argv[1], UINT64_MAX, &source, &err) != RV_OK)
			return fail(&err);
		if (c != RV_COMPRESSION_NONE &&
		    rv_source_decompress_new(rv_take(source), c, NULL, 0, &source, &err) != RV_OK)
			return fail(&err);
		params.name = argv[1];
	}
	if (rv_reader_new(source, &params, &rd, &err) != RV_OK)
		return fail(&err);
	for (int ends = 0; ends < 2;) {
		if (rv_reader_next(rd, &limits, &s, &err) != RV_OK)
			return fail(&err);
		if (s.kind == RV_SPAN_RECORDS) {
			records += s.records;
			hash += s.set_hash;
			bytes += s.record_bytes;
			spans++;
			largest = s.len > largest ? s.len : largest;
		} else if (s.kind == RV_SPAN_REJECT) {
			if (s.first && rejects++ < 5)
				fprintf(stderr, "line %llu, byte %llu: %s\n",
					(unsigned long long)s.line,
					(unsigned long long)s.fault_offset, s.reason);
		} else if (s.kind == RV_SPAN_END) {
			ends++;
			rv_reader_finish(rd);
		}
	}
	double cpu = cpu_seconds(), gb = (double)s.to / 1e9;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("%s: %llu records, %llu rejects, %llu record bytes, hash %016llx, %llu spans up to %llu\n",
	       rv_format_name(rv_reader_format(rd)), (unsigned long long)records,
	       (unsigned long long)rejects, (unsigned long long)bytes, (unsigned long long)hash,
	       (unsigned long long)spans, (unsigned long long)largest);
	printf("%.3f GB, %.3f CPU-s, %.0f MB/s, %.3f CPU-s/GB, %ld KiB resident\n", gb, cpu,
	       gb * 1000 / cpu, cpu / gb, usage.ru_maxrss);
	return 0;
}
