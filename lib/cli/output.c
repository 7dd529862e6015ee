/* Standard output: buffered, checked, and shaped as text, tables or JSON lines. */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/stop.h"

#define BUFFER_BYTES 65536
#define DEFAULT_WIDTH 80

struct rv_out {
	int fd;
	enum rv_out_format format;
	bool terminal;
	bool failed;      /* later writes are dropped */
	int failed_errno; /* 0 after a reader that left */
	bool stopped;     /* a stop signal came while the reader was not reading */
	struct rv_strbuf buffer;
	/* the table being built */
	size_t columns;
	bool *right;
	char **cells;     /* header row first */
	size_t cells_count, cells_capacity;
};

struct rv_out *rv_out_new(int fd, enum rv_out_format format)
{
	struct rv_out *out = rv_calloc(1, sizeof(*out));
	out->fd = fd;
	out->format = format;
	out->terminal = isatty(fd);
	out->buffer = (struct rv_strbuf)RV_STRBUF_INIT;
	return out;
}

static void table_release(struct rv_out *out)
{
	for (size_t i = 0; i < out->cells_count; i++)
		free(out->cells[i]);
	free(out->cells);
	free(out->right);
	out->cells = NULL;
	out->right = NULL;
	out->cells_count = out->cells_capacity = out->columns = 0;
}

void rv_out_free(struct rv_out *out)
{
	if (!out)
		return;
	table_release(out);
	rv_strbuf_release(&out->buffer);
	free(out);
}

enum rv_out_format rv_out_format(const struct rv_out *out)
{
	return out->format;
}

bool rv_out_is_terminal(const struct rv_out *out)
{
	return out->terminal;
}

int rv_out_width(const struct rv_out *out)
{
	struct winsize size;
	if (out->terminal && ioctl(out->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return DEFAULT_WIDTH;
}

bool rv_out_failed(const struct rv_out *out)
{
	return out->failed;
}

static void send_bytes(struct rv_out *out, const char *p, size_t len)
{
	while (len > 0 && !out->failed) {
		ssize_t n = write(out->fd, p, len);
		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		}
		/* A write that was interrupted after a part of it says how much, and no EINTR. */
		if (n >= 0 ? len > 0 : errno == EINTR) {
			out->stopped = out->failed = rv_stop_signal() != 0;
		} else if (n < 0) {
			out->failed = true;
			out->failed_errno = errno == EPIPE ? 0 : errno;
		}
	}
}

static void flush_buffer(struct rv_out *out)
{
	send_bytes(out, out->buffer.bytes, out->buffer.len);
	rv_strbuf_clear(&out->buffer);
}

void rv_out_flush(struct rv_out *out)
{
	flush_buffer(out);
}

void rv_out_write(struct rv_out *out, const void *p, size_t len)
{
	if (out->failed)
		return;
	if (out->buffer.len + len > BUFFER_BYTES)
		flush_buffer(out);
	if (len >= BUFFER_BYTES)
		send_bytes(out, p, len);
	else
		rv_strbuf_add(&out->buffer, p, len);
}

void rv_out_printf(struct rv_out *out, const char *fmt, ...)
{
	if (out->format != RV_OUT_TEXT || out->failed)
		return;
	va_list ap;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&out->buffer, fmt, ap);
	va_end(ap);
	if (out->buffer.len > BUFFER_BYTES)
		flush_buffer(out);
}

void rv_out_line(struct rv_out *out, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf clean = RV_STRBUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	rv_text_clean(&clean, text.bytes, text.len);
	rv_out_printf(out, "%s\n", clean.bytes);
}

void rv_out_json(struct rv_out *out, json_t *object)
{
	if (out->format == RV_OUT_JSON && !out->failed) {
		char *text = json_dumps(object, JSON_COMPACT);
		if (!text)
			rv_bug("a result that is no JSON");
		if (text[0] != '{')
			rv_bug("a result that is no JSON object");
		static const char version[] = "{\"v\":1";
		rv_out_write(out, version, sizeof(version) - 1);
		if (text[1] != '}')
			rv_out_write(out, ",", 1);
		rv_out_write(out, text + 1, strlen(text) - 1);
		rv_out_write(out, "\n", 1);
		free(text);
	}
	json_decref(object);
}

json_t *rv_out_text(const char *s)
{
	if (!s)
		return json_null();
	json_t *text = json_string(s);
	if (text)
		return text;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf valid = RV_STRBUF_INIT;
	rv_strbuf_json(&valid, s, strlen(s));
	text = json_loadb(valid.bytes, valid.len, JSON_DECODE_ANY, NULL);
	if (!text)
		rv_bug("a string that is no JSON string");
	return text;
}

/* ---- tables ------------------------------------------------------------------------------- */

static void add_cell(struct rv_out *out, const char *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf clean = RV_STRBUF_INIT;
	rv_text_clean(&clean, text ? text : "", text ? strlen(text) : 0);
	RV_GROW(out->cells, out->cells_count, out->cells_capacity);
	out->cells[out->cells_count++] = rv_strbuf_take(&clean);
}

void rv_out_table_begin(struct rv_out *out, const char *const *headers, const bool *right,
			size_t columns)
{
	table_release(out);
	if (out->format != RV_OUT_TEXT)
		return;
	out->columns = columns;
	out->right = rv_calloc(columns, sizeof(bool));
	if (right)
		memcpy(out->right, right, columns * sizeof(bool));
	rv_out_table_row(out, headers);
}

void rv_out_table_row(struct rv_out *out, const char *const *cells)
{
	for (size_t i = 0; i < out->columns; i++)
		add_cell(out, cells[i]);
}

/* Characters, not bytes; double-width ones are rare in names and numbers. */
static size_t text_width(const char *s)
{
	size_t width = 0;
	for (; *s; s++)
		width += ((unsigned char)*s & 0xC0) != 0x80;
	return width;
}

void rv_out_table_end(struct rv_out *out)
{
	if (out->columns == 0) /* not text */
		return;
	size_t *widths = rv_calloc(out->columns, sizeof(*widths));
	for (size_t i = 0; i < out->cells_count; i++) {
		size_t width = text_width(out->cells[i]);
		if (width > widths[i % out->columns])
			widths[i % out->columns] = width;
	}
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	for (size_t i = 0; i < out->cells_count; i++) {
		size_t column = i % out->columns;
		int pad = (int)(widths[column] - text_width(out->cells[i]));
		if (out->right[column])
			rv_strbuf_printf(&line, "%*s%s  ", pad, "", out->cells[i]);
		else
			rv_strbuf_printf(&line, "%s%*s  ", out->cells[i], pad, "");
		if (column + 1 < out->columns)
			continue;
		while (line.len > 0 && line.bytes[line.len - 1] == ' ')
			rv_strbuf_truncate(&line, line.len - 1);
		rv_strbuf_putc(&line, '\n');
		rv_out_write(out, line.bytes, line.len);
		rv_strbuf_clear(&line);
	}
	free(widths);
	table_release(out);
}

enum rv_status rv_out_to_file(const char *path, const void *p, size_t len, mode_t mode,
			      struct rv_error *err)
{
	struct stat st;
	if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
		return rv_replace_file(path, p, len, mode, err);
	RV_CLEANUP(rv_close_p) int fd = rv_open_waiting(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	return rv_write_all(fd, p, len, path, err);
}

enum rv_status rv_out_finish(struct rv_out *out, struct rv_error *err)
{
	flush_buffer(out);
	if (out->stopped)
		return rv_fail(err, RV_FAILED, "interrupted while writing standard output");
	if (out->failed && out->failed_errno) {
		errno = out->failed_errno;
		return rv_fail_errno(err, RV_LOCAL_IO, "cannot write standard output");
	}
	return RV_OK;
}
