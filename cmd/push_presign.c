/* A presigned PUT of one file into the stream's landing. */
#include "push_presign.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/ulid.h"
#include "cli/option.h"
#include "flow/landing.h"
#include "format/json_text.h"

/* A single PUT takes at most this (Amazon S3 User Guide, "Uploading objects"); a presigned URL lives
 * at most a week (S3 API Reference, "Authenticating Requests: Using Query Parameters"). */
#define UPLOAD_MAX_BYTES (UINT64_C(5) << 30)
#define EXPIRES_MAX_MS (INT64_C(7) * 24 * 3600 * 1000)

enum rv_status river_presign_check(const struct rv_command_context *cx,
				   const struct river_presign *presign, struct rv_error *err)
{
	if (cx->profile->lake_is_folder) {
		rv_fail(err, RV_USAGE, "a lake in a folder has no URLs");
		rv_hint(err, "put the file into %s/" RV_LANDING_PREFIX "<business>/<stream>/ under a name as "
			     "'river help landing process' tells", cx->profile->lake);
		return err->status;
	}
	if (!presign->file && presign->size == RV_OPT_NOT_GIVEN) {
		rv_fail(err, RV_USAGE, "--presign needs the file, or --size");
		rv_hint(err, "S3 signs an exact length or none: without one the URL would take any amount");
		return err->status;
	}
	if (presign->file && presign->size != RV_OPT_NOT_GIVEN)
		return rv_fail(err, RV_USAGE, "--size is for when the file is not here");
	if (!presign->file && (presign->size == 0 || presign->size > UPLOAD_MAX_BYTES))
		return rv_fail(err, RV_USAGE, "--size is from 1 byte to 5GiB, what S3 takes in one upload");
	if (presign->expires_ms < 1000 || presign->expires_ms > EXPIRES_MAX_MS)
		return rv_fail(err, RV_USAGE, "--expires is from 1s to 7d");
	if (presign->run && strlen(presign->run) > RV_LANDING_RUN_MAX)
		return rv_fail(err, RV_USAGE, "the name of an upload has at most %d characters, not %zu",
			       RV_LANDING_RUN_MAX, strlen(presign->run));
	return RV_OK;
}

/* Length and base64 of the big-endian CRC-32C, as S3 wants it. */
static enum rv_status measure(const char *path, uint64_t *ret_bytes, char ret_crc[16],
			      struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open_waiting(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	if (fd < 0)
		return errno == ENOENT ? rv_fail(err, RV_NOT_FOUND, "no file %s", path)
				       : rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	if (fstat(fd, &st) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	if (!S_ISREG(st.st_mode))
		return rv_fail(err, RV_USAGE, "%s is not a file: nothing can be signed of it", path);
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(1u << 20);
	uint32_t crc = 0;
	uint64_t bytes = 0;
	for (size_t n = 1; n;) {
		if (rv_pread_full(fd, buf, 1u << 20, (off_t)bytes, &n, path, err) != RV_OK)
			return err->status;
		crc = rv_crc32c(crc, buf, n);
		bytes += n;
	}
	if (bytes == 0)
		return rv_fail(err, RV_USAGE, "%s is empty", path);
	if (bytes > UPLOAD_MAX_BYTES) {
		rv_fail(err, RV_USAGE, "%s has more than the 5 GiB that S3 takes in one upload", path);
		rv_hint(err, "split it, or push it from where there are credentials");
		return err->status;
	}
	const unsigned char big_endian[] = { (unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
					     (unsigned char)(crc >> 8), (unsigned char)crc };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_strbuf_base64(&text, big_endian, sizeof(big_endian));
	snprintf(ret_crc, 16, "%s", text.bytes);
	*ret_bytes = bytes;
	return RV_OK;
}

/* 'word' for a shell. */
static void add_quoted(struct rv_strbuf *out, const char *word)
{
	rv_strbuf_putc(out, '\'');
	for (const char *p = word; *p; p++) {
		if (*p == '\'')
			rv_strbuf_puts(out, "'\\''");
		else
			rv_strbuf_putc(out, *p);
	}
	rv_strbuf_putc(out, '\'');
}

/* What curl sends by itself is left out. A file's name may hold what curl takes for a pattern. */
static void say_command(const struct rv_presigned *presigned, const char *file)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	const char *name;
	json_t *value;
	rv_strbuf_puts(&text, "curl --fail-with-body --globoff --upload-file ");
	add_quoted(&text, file ? file : "FILE");
	json_object_foreach(presigned->headers, name, value) {
		if (strcasecmp(name, "Content-Length") == 0)
			continue;
		RV_CLEANUP(rv_free_p)
		char *header = rv_asprintf("%s: %s", name, json_string_value(value));
		rv_strbuf_puts(&text, " -H ");
		add_quoted(&text, header);
	}
	rv_strbuf_putc(&text, ' ');
	add_quoted(&text, presigned->url);
	/* Said as it is: a line break of ours would break it. */
	fprintf(stderr, "%s\n", text.bytes);
}

enum rv_status river_presign(struct rv_command_context *cx, const struct rv_stream *stream,
			     const struct river_presign *presign, struct rv_error *err)
{
	struct rv_landing_name name = { .seq = 1 };
	char object[RV_OBJECT_NAME_MAX], crc[16] = "", ulid[RV_ULID_TEXT], until[RV_TIME_TEXT];
	uint64_t bytes = presign->size;
	if (presign->file && measure(presign->file, &bytes, crc, err) != RV_OK)
		return err->status;
	rv_ulid_new(rv_clock_ms(), ulid);
	snprintf(name.business, sizeof(name.business), "%s", stream->business);
	snprintf(name.stream, sizeof(name.stream), "%s", stream->name);
	snprintf(name.run, sizeof(name.run), "%.40s", presign->run ? presign->run : ulid);
	rv_landing_name_format(&name, object);
	RV_CLEANUP(rv_presigned_release) struct rv_presigned presigned = { .url = NULL };
	int64_t until_ms = rv_clock_ms() + presign->expires_ms;
	if (rv_wire_presign(cx->profile, object, bytes, crc[0] ? crc : NULL, presign->expires_ms / 1000,
			    &presigned, err) != RV_OK)
		return err->status;
	if (presigned.session_ends_ms < until_ms) {
		until_ms = presigned.session_ends_ms;
		rv_warn("the URL ends with the credentials it is signed with, at %s",
			rv_format_time(until_ms, until));
	} else if (presigned.session && presigned.session_ends_ms == INT64_MAX) {
		rv_warn("the URL is signed with temporary credentials and ends with them, which may be "
			"before %s", rv_format_time(until_ms, until));
	}
	rv_format_time(until_ms, until);
	rv_out_json(cx->out, json_pack("{s:s, s:s, s:O, s:s, s:I, s:s}", "url", presigned.url, "method",
				       "PUT", "headers", presigned.headers, "name", object, "bytes",
				       (json_int_t)bytes, "expires", until));
	rv_out_printf(cx->out, "%s\n", presigned.url);
	if (cx->output == RV_OUT_TEXT && (cx->verbose || rv_messages_terminal())) {
		char size[RV_NUMBER_TEXT];
		rv_note("until %s it takes one file of %" PRIu64 " bytes (%s), once:", until, bytes,
			rv_format_size(bytes, size));
		say_command(&presigned, presign->file);
		rv_note("then 'river landing process' publishes it");
	}
	return RV_OK;
}
