/* Standard error: notes, warnings, the one error at the end, and the progress line. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "cli/output.h"

static struct {
	int loudness;
	enum rv_out_format format;
	bool color, terminal;
	bool progress_shown; /* a progress line stands on the terminal's last line */
} messages;

#define RED "\033[1;31m"
#define YELLOW "\033[1;33m"
#define CYAN "\033[36m"
#define PLAIN "\033[0m"
#define WIPE "\r\033[K"

void rv_messages_init(int loudness, enum rv_out_format format, bool color)
{
	messages.loudness = loudness;
	messages.format = format;
	messages.color = color;
	messages.terminal = isatty(STDERR_FILENO);
}

int rv_messages_loudness(void)
{
	return messages.loudness;
}

bool rv_messages_terminal(void)
{
	return messages.terminal;
}

void rv_text_clean(struct rv_strbuf *sb, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;
	while (p < end) {
		size_t n = *p < 0x80 ? 1 : *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : *p >= 0xC2 ? 2 : 0;
		bool good = n > 0 && *p <= 0xF4 && (size_t)(end - p) >= n && *p >= 0x20 && *p != 0x7F;
		for (size_t i = 1; good && i < n; i++)
			good = (p[i] & 0xC0) == 0x80;
		/* C1 controls, too long forms, surrogates, beyond U+10FFFF */
		if (good && n > 1)
			good = !((p[0] == 0xC2 && p[1] < 0xA0) || (p[0] == 0xE0 && p[1] < 0xA0) ||
				 (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
				 (p[0] == 0xF4 && p[1] > 0x8F));
		if (good)
			rv_strbuf_add(sb, p, n);
		else
			rv_strbuf_putc(sb, '?');
		p += good ? n : 1;
	}
}

/* One write for a whole message, so that two processes on one terminal or log do not mix lines.
 * Nothing can be done about a standard error that is gone. */
static void send_message(struct rv_strbuf *text)
{
	if (messages.progress_shown) {
		static const char wipe[] = WIPE;
		if (write(STDERR_FILENO, wipe, sizeof(wipe) - 1) < 0)
			return;
		messages.progress_shown = false;
	}
	const char *p = text->bytes;
	size_t len = text->len;
	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

/* `word` is what stands in front: "", "warning: "; `key` is its name in JSON. */
__attribute__((format(printf, 4, 0)))
static void say(const char *word, const char *key, const char *color, const char *fmt, va_list ap)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf raw = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_strbuf_vprintf(&raw, fmt, ap);
	if (messages.format == RV_OUT_JSON) {
		rv_strbuf_printf(&text, "{\"v\":1,\"%s\":", key);
		rv_strbuf_json(&text, raw.bytes, raw.len);
		rv_strbuf_puts(&text, "}\n");
	} else {
		bool paint = messages.color && *color;
		rv_strbuf_printf(&text, "%sriver: %s%s", paint ? color : "", word,
				 paint ? PLAIN : "");
		rv_text_clean(&text, raw.bytes, raw.len);
		rv_strbuf_putc(&text, '\n');
	}
	send_message(&text);
}

void rv_note(const char *fmt, ...)
{
	if (messages.loudness < 0)
		return;
	va_list ap;
	va_start(ap, fmt);
	say("", "note", "", fmt, ap);
	va_end(ap);
}

void rv_ask(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("", "question", "", fmt, ap);
	va_end(ap);
}

void rv_verbose(const char *fmt, ...)
{
	if (messages.loudness < 1)
		return;
	va_list ap;
	va_start(ap, fmt);
	say("", "note", "", fmt, ap);
	va_end(ap);
}

void rv_warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("warning: ", "warning", YELLOW, fmt, ap);
	va_end(ap);
}

void rv_flow_note(void *arg RV_UNUSED, const char *text)
{
	if (rv_messages_terminal())
		rv_note("%s", text);
	else
		rv_verbose("%s", text);
}

void rv_flow_warning(void *arg RV_UNUSED, const char *text)
{
	rv_warn("%s", text);
}

static void error_json(struct rv_strbuf *text, const struct rv_error *err)
{
	rv_strbuf_printf(text, "{\"v\":1,\"error\":\"%s\",\"code\":%d,\"message\":",
			 rv_status_name(err->status), rv_status_exit_code(err->status));
	rv_strbuf_json(text, err->message, strlen(err->message));
	if (err->hint[0]) {
		rv_strbuf_puts(text, ",\"hint\":");
		rv_strbuf_json(text, err->hint, strlen(err->hint));
	}
	if (err->file[0]) {
		rv_strbuf_puts(text, ",\"file\":");
		rv_strbuf_json(text, err->file, strlen(err->file));
	}
	if (err->line)
		rv_strbuf_printf(text, ",\"line\":%llu", (unsigned long long)err->line);
	if (err->column)
		rv_strbuf_printf(text, ",\"column\":%llu", (unsigned long long)err->column);
	if (err->service_code[0]) {
		rv_strbuf_puts(text, ",\"service_code\":");
		rv_strbuf_json(text, err->service_code, strlen(err->service_code));
	}
	if (err->transient)
		rv_strbuf_puts(text, ",\"transient\":true");
	rv_strbuf_puts(text, "}\n");
}

static void error_text(struct rv_strbuf *text, const struct rv_error *err)
{
	const char *plain = messages.color ? PLAIN : "";
	rv_strbuf_printf(text, "%sriver:%s ", messages.color ? RED : "", plain);
	rv_text_clean(text, err->message, strlen(err->message));
	rv_strbuf_putc(text, '\n');
	/* a file without a line is said once */
	if (err->file[0] && (err->line || !strstr(err->message, err->file))) {
		rv_strbuf_puts(text, "  at ");
		rv_text_clean(text, err->file, strlen(err->file));
		if (err->line)
			rv_strbuf_printf(text, ":%llu", (unsigned long long)err->line);
		if (err->line && err->column)
			rv_strbuf_printf(text, ":%llu", (unsigned long long)err->column);
		rv_strbuf_putc(text, '\n');
	}
	if (err->hint[0]) {
		rv_strbuf_printf(text, "%shint:%s ", messages.color ? CYAN : "", plain);
		rv_text_clean(text, err->hint, strlen(err->hint));
		rv_strbuf_putc(text, '\n');
	}
}

void rv_error_print(const struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	if (messages.format == RV_OUT_JSON)
		error_json(&text, err);
	else
		error_text(&text, err);
	send_message(&text);
}

/* ---- progress ----------------------------------------------------------------------------- */

#define PROGRESS_AFTER_MS 1000
#define PROGRESS_EVERY_MS 100

static size_t terminal_width(void)
{
	struct winsize size;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return size.ws_col;
	return 80;
}

/* How many bytes of `text` are at most `width` characters: a line that wraps could not be wiped. */
static size_t fitting_bytes(const char *text, size_t width)
{
	const char *p = text;
	for (; *p; p++)
		if (((unsigned char)*p & 0xC0) != 0x80 && width-- == 0)
			break;
	return (size_t)(p - text);
}

void rv_progress_start(struct rv_progress *progress, const char *what, int64_t now_ms)
{
	*progress = (struct rv_progress){
		.what = what,
		.started_ms = now_ms,
		.visible = messages.terminal && messages.loudness >= 0 &&
			   messages.format != RV_OUT_JSON,
	};
	progress->shown_ms = now_ms + PROGRESS_AFTER_MS - PROGRESS_EVERY_MS;
}

static void show_line(const struct rv_strbuf *line)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_strbuf_puts(&text, WIPE);
	rv_strbuf_add(&text, line->bytes, fitting_bytes(line->bytes, terminal_width() - 1));
	messages.progress_shown = false; /* wiped here already */
	send_message(&text);
	messages.progress_shown = true;
}

void rv_progress_update(struct rv_progress *progress, int64_t now_ms, uint64_t done_bytes,
			uint64_t total_bytes, uint64_t records)
{
	if (!progress->visible || now_ms - progress->shown_ms < PROGRESS_EVERY_MS)
		return;
	progress->shown_ms = now_ms;

	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	double seconds = (double)(now_ms - progress->started_ms) / 1000;
	double rate = (double)done_bytes / seconds;
	rv_text_clean(&line, progress->what, strlen(progress->what));
	rv_strbuf_printf(&line, ": %s", rv_format_size(done_bytes, a));
	if (total_bytes)
		rv_strbuf_printf(&line, " of %s", rv_format_size(total_bytes, b));
	if (records)
		rv_strbuf_printf(&line, ", %s records", rv_format_count(records, a));
	rv_strbuf_printf(&line, ", %s/s", rv_format_size((uint64_t)rate, a));
	if (total_bytes > done_bytes && rate > 0) {
		double left_ms = (double)(total_bytes - done_bytes) / rate * 1000;
		rv_strbuf_printf(&line, ", %s left", rv_format_duration((int64_t)left_ms, a));
	}
	show_line(&line);
}

void rv_progress_steps(struct rv_progress *progress, int64_t now_ms, uint64_t done, uint64_t total,
		       const char *doing)
{
	if (!progress->visible || now_ms - progress->shown_ms < PROGRESS_EVERY_MS)
		return;
	progress->shown_ms = now_ms;

	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	rv_text_clean(&line, progress->what, strlen(progress->what));
	rv_strbuf_printf(&line, ": %s of %s, ", rv_format_count(done, a), rv_format_count(total, b));
	rv_text_clean(&line, doing, strlen(doing));
	show_line(&line);
}

void rv_progress_end(struct rv_progress *progress)
{
	progress->visible = false;
	if (!messages.progress_shown)
		return;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf nothing = RV_STRBUF_INIT;
	send_message(&nothing);
}
