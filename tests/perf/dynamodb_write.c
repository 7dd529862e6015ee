/*
 * Documents from standard input into a table of DynamoDB, for tests and benches:
 *
 *	dynamodb_write TABLE [--exclusive] [--create KEY] [--ttl ATTRIBUTE:FROM:MONTHS] [--in-flight N]
 *		[--max-wcu N] [--give-up MS] [--list] <LINES
 *
 * A line is "put VERSION JSON" or "remove VERSION JSON", or JSON alone, of version 1. Where DynamoDB is, and the
 * keys for it, come from the environment as for river itself. Prints the counts as JSON, with --list before
 * that a line "NUMBER FATE REASON" as each document is settled. Exits as river would.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "aws/client.h"
#include "base/memory.h"
#include "delivery/documents.h"

static bool list;

static void on_settled(void *arg RV_UNUSED, const struct rv_document_result *result)
{
	static const char *const names[] = { "written", "superseded", "merged", "expired", "refused" };

	if (!list)
		return;
	printf("%" PRIu64 " %s%s%s\n", result->tag, names[result->fate], *result->reason ? " " : "", result->reason);
	fflush(stdout);
}

static int complain(const struct rv_error *err)
{
	fprintf(stderr, "dynamodb_write: %s\n", err->message);
	if (*err->hint)
		fprintf(stderr, "hint: %s\n", err->hint);
	return rv_status_exit_code(err->status);
}

static enum rv_status put_line(struct rv_documents *documents, char *line, size_t len, uint64_t tag,
			       struct rv_error *err)
{
	struct rv_document document = { .json = line, .len = len, .version = 1, .tag = tag,
					.extract_ms = rv_clock_ms() };
	char *json = strchr(line, '{');

	if (json && json != line) {
		document.remove = line[0] == 'r';
		document.version = strtoull(strchr(line, ' ') + 1, NULL, 10);
		document.json = json;
		document.len = len - (size_t)(json - line);
	}
	return documents->ops->put(documents, &document, err);
}

static enum rv_status put_all(struct rv_documents *documents, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *line = NULL;
	enum rv_status status = RV_OK;
	size_t capacity = 0;
	uint64_t tag = 0;
	ssize_t len;

	while (status == RV_OK && (len = getline(&line, &capacity, stdin)) > 0)
		status = put_line(documents, line, (size_t)len, tag++, err);
	/* also after a failure: what is in flight is told */
	struct rv_error flushed = RV_ERROR_INIT;
	if (documents->ops->flush(documents, &flushed) != RV_OK && status == RV_OK) {
		*err = flushed;
		return flushed.status;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct rv_documents_dynamodb_params params = { .settled = on_settled };
	const struct rv_aws_settings_params settings = { 0 };
	const struct rv_http_params http = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_aws_free_p) struct rv_aws *aws = NULL;
	RV_CLEANUP(rv_documents_free_p) struct rv_documents *documents = NULL;
	struct rv_documents_counts counts;

	for (int i = 1; i < argc; i++) {
		char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--exclusive") == 0) {
			params.exclusive = true;
			continue;
		}
		if (strcmp(argv[i], "--list") == 0) {
			list = true;
			continue;
		}
		if (argv[i][0] != '-' && !params.table) {
			params.table = argv[i];
			continue;
		}
		if (value && strcmp(argv[i], "--create") == 0) {
			params.create_hash = value;
		} else if (value && strcmp(argv[i], "--in-flight") == 0) {
			params.in_flight = (unsigned)strtoul(value, NULL, 10);
		} else if (value && strcmp(argv[i], "--max-wcu") == 0) {
			params.max_wcu = strtod(value, NULL);
		} else if (value && strcmp(argv[i], "--give-up") == 0) {
			params.give_up_after_ms = strtoll(value, NULL, 10);
		} else if (value && strcmp(argv[i], "--ttl") == 0 && strchr(value, ':')) {
			char *from = strchr(value, ':'), *months = strrchr(value, ':');

			*from = *months = '\0';
			params.ttl_attribute = value;
			params.ttl_from = from + 1;
			params.ttl_count = (unsigned)strtoul(months + 1, NULL, 10);
			params.ttl_unit = RV_JOB_MONTHS;
		} else {
			fprintf(stderr, "dynamodb_write: what is %s?\n", argv[i]);
			return 2;
		}
		i++;
	}
	if (!params.table) {
		fprintf(stderr, "dynamodb_write: into which table?\n");
		return 2;
	}
	if (rv_aws_new(&settings, &http, &aws, &err) != RV_OK)
		return complain(&err);
	params.aws = aws;
	if (rv_documents_dynamodb_new(&params, &documents, &err) != RV_OK)
		return complain(&err);
	enum rv_status status = put_all(documents, &err);
	documents->ops->counts(documents, &counts);
	printf("{\"written\":%" PRIu64 ",\"removed\":%" PRIu64 ",\"superseded\":%" PRIu64 ",\"merged\":%" PRIu64
	       ",\"expired\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"again\":%" PRIu64
	       ",\"maybe_twice\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"units\":%.0f}\n",
	       counts.written, counts.removed, counts.superseded, counts.merged, counts.expired, counts.refused,
	       counts.requests, counts.again, counts.maybe_twice, counts.bytes, counts.units);
	return status == RV_OK ? 0 : complain(&err);
}
