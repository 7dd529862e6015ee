/*
 * compose JOB FOLDER OUT [MEMORY [THREADS]]: the first documents of a job file, of the members that lie
 * unpacked in FOLDER, as NDJSON into OUT (or /dev/null), and what reading and composing cost.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/compose_job.h"
#include "flow/table_csv.h"

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const struct rv_error *err)
{
	fprintf(stderr, "compose: %s\n", err->message);
	return 1;
}

struct feed {
	struct rv_compose *compose;
	size_t table;
};

static enum rv_status take_row(void *arg, const char *row, size_t len, struct rv_error *err)
{
	struct feed *feed = arg;

	return rv_compose_row(feed->compose, feed->table, row, len, err);
}

static enum rv_status refuse(void *arg RV_UNUSED, const struct rv_table_reject *reject, struct rv_error *err)
{
	return rv_fail(err, RV_BAD_DATA, "line %" PRIu64 ": %s", reject->line, reject->reason);
}

struct out {
	int fd;
	size_t used;
	char bytes[1 << 20];
};

static enum rv_status flush(struct out *out, struct rv_error *err)
{
	size_t n = out->used;

	out->used = 0;
	return rv_write_all(out->fd, out->bytes, n, "documents", err);
}

static enum rv_status write_document(void *arg, const struct rv_compose_document *document, struct rv_error *err)
{
	struct out *out = arg;

	if (out->used + document->len + 1 > sizeof(out->bytes) && flush(out, err) != RV_OK)
		return err->status;
	if (document->len + 1 > sizeof(out->bytes)) {
		if (rv_write_all(out->fd, document->json, document->len, "documents", err) != RV_OK)
			return err->status;
	} else {
		memcpy(out->bytes + out->used, document->json, document->len);
		out->used += document->len;
	}
	out->bytes[out->used++] = '\n';
	return RV_OK;
}

static enum rv_status read_table(struct rv_compose *compose, const struct rv_job *job, size_t table,
				 const char *folder, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, job->tables[table].member);
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	struct feed feed = { compose, table };
	struct rv_table_sink sink = { .row = take_row, .reject = refuse, .arg = &feed };
	struct rv_table_counts counts;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return rv_fail_errno(err, RV_NOT_FOUND, "%s", path);
	if (rv_source_file_new(fd, path, UINT64_MAX, &source, err) != RV_OK ||
	    rv_table_csv_read(&job->tables[table], job->max_row_bytes, source, &sink, &counts, err) != RV_OK)
		return rv_context(err, "%s", path);
	return RV_OK;
}

int main(int argc, char **argv)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_job job = { 0 };
	struct rv_compose_job plan;
	struct rv_compose *compose;
	struct rv_compose_params params = { .max_memory_bytes = 512 << 20, .threads = 1 };
	static struct out out;

	if (argc < 4 || argc > 6 || (argc > 4 && !rv_parse_size(argv[4], &params.max_memory_bytes))) {
		fprintf(stderr, "usage: compose JOB FOLDER OUT [MEMORY [THREADS]]\n");
		return 2;
	}
	params.threads = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 1;
	params.spill_folder = argv[2];
	if (rv_job_read(argv[1], &job, &err) != RV_OK)
		return fail(&err);
	rv_compose_job_init(&plan, &job, &job.documents[0]);
	if (rv_compose_new(&plan.spec, &params, &compose, &err) != RV_OK)
		return fail(&err);
	out.fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out.fd < 0) {
		perror(argv[3]);
		return 1;
	}
	for (size_t i = 0; i < job.tables_count; i++)
		if (read_table(compose, &job, i, argv[2], &err) != RV_OK)
			return fail(&err);
	double read_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), read_at = seconds(CLOCK_MONOTONIC);

	if (rv_compose_finish(compose, write_document, &out, &err) != RV_OK || flush(&out, &err) != RV_OK)
		return fail(&err);
	const struct rv_compose_totals *totals = rv_compose_totals(compose);
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("%" PRIu64 " rows, %" PRIu64 " documents, %" PRIu64 " bytes, %" PRIu64 " spilled, peak %" PRIu64
	       " of %" PRIu64 ", %ld KiB resident\n",
	       totals->rows, totals->documents, totals->document_bytes, totals->spilled_bytes, totals->peak_bytes,
	       params.max_memory_bytes, usage.ru_maxrss);
	printf("%.3f CPU-s reading and dealing, %.3f CPU-s (%.3f s) composing\n", read_cpu,
	       seconds(CLOCK_PROCESS_CPUTIME_ID) - read_cpu, seconds(CLOCK_MONOTONIC) - read_at);
	for (size_t i = 0; i < totals->nests_count; i++)
		if (totals->nests[i].orphans || totals->nests[i].missing || totals->nests[i].several)
			printf("%s: %" PRIu64 " orphans, %" PRIu64 " missing, %" PRIu64 " several\n",
			       totals->nests[i].path, totals->nests[i].orphans, totals->nests[i].missing,
			       totals->nests[i].several);
	rv_compose_free(compose);
	rv_compose_job_release(&plan);
	rv_job_release(&job);
	return 0;
}
