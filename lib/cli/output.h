/*
 * Results on standard output, everything else on standard error. Text for people, one JSON object
 * a line (with "v":1) for programs, csv where a command says so; both from the same values.
 *
 * Standard output is buffered here and checked: rv_out_finish fails with RV_LOCAL_IO when it was
 * full or closed, so exit 0 means the result was delivered. A reader that left (`river ... | head`)
 * is no failure: what it no longer wants is dropped and rv_out_finish is RV_OK. Main thread only.
 */
#ifndef RV_CLI_OUTPUT_H
#define RV_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/strbuf.h"

enum rv_out_format { RV_OUT_TEXT, RV_OUT_JSON, RV_OUT_CSV };

struct rv_out;
struct rv_out *rv_out_new(int fd, enum rv_out_format format);
void rv_out_free(struct rv_out *out); /* does not flush */
enum rv_out_format rv_out_format(const struct rv_out *out);
bool rv_out_is_terminal(const struct rv_out *out);
int rv_out_width(const struct rv_out *out); /* columns of the terminal, else 80 */

/* Text as it is; nothing in other formats. */
void rv_out_printf(struct rv_out *out, const char *fmt, ...) RV_PRINTF(2, 3);
/* One line, its control characters replaced: for what others wrote. */
void rv_out_line(struct rv_out *out, const char *fmt, ...) RV_PRINTF(2, 3);
/* Bytes as they are in any format (query results). Failures are kept for rv_out_finish; *once* it
 * has failed later writes are dropped, rv_out_failed says so. */
void rv_out_write(struct rv_out *out, const void *p, size_t len);
bool rv_out_failed(const struct rv_out *out);
/* Sends what was written so far, for commands that go on for long. */
void rv_out_flush(struct rv_out *out);
/* One JSON object a line with "v":1 first, keys in insertion order; nothing in text. Takes the
 * reference. */
void rv_out_json(struct rv_out *out, json_t *object);
/* `s` as a JSON string for such an object, null for NULL. Paths and what came from outside may not
 * be UTF-8, which json_pack refuses: bytes that are not become U+FFFD. */
json_t *rv_out_text(const char *s);
/* A text table: header, then rows of strings (NULL is empty), columns aligned, numbers right when
 * `right[i]`; printed by rv_out_table_end. Control characters become '?'. Nothing in json. */
void rv_out_table_begin(struct rv_out *out, const char *const *headers, const bool *right,
			size_t columns);
void rv_out_table_row(struct rv_out *out, const char *const *cells);
void rv_out_table_end(struct rv_out *out);
enum rv_status rv_out_finish(struct rv_out *out, struct rv_error *err) RV_MUST_CHECK;
/* A result into the file that a user named, as rv_replace_file; what is no plain file (/dev/stdout,
 * /dev/null, a FIFO, a link) is written to and stays what it is. RV_LOCAL_IO. */
enum rv_status rv_out_to_file(const char *path, const void *p, size_t len, mode_t mode,
			      struct rv_error *err) RV_MUST_CHECK;

/* Standard error. "river: text"; control characters become '?'. rv_note is silent under -q,
 * rv_verbose speaks only with -v, rv_warn always, and rv_ask too, as its answer is waited for. */
void rv_note(const char *fmt, ...) RV_PRINTF(1, 2);
void rv_ask(const char *fmt, ...) RV_PRINTF(1, 2);
void rv_verbose(const char *fmt, ...) RV_PRINTF(1, 2);
void rv_warn(const char *fmt, ...) RV_PRINTF(1, 2);
/* What a flow tells while it works, as the `note` and `warn` of its parameters: notes for who watches, on a
 * terminal, and else with -v. */
void rv_flow_note(void *arg, const char *text);
void rv_flow_warning(void *arg, const char *text);
/* How loud: -1 quiet, 0 normal, 1 and more verbose. With RV_OUT_JSON each message is a JSON object
 * on a line: {"v":1,"note":"..."}. Colour is decided by the caller. */
void rv_messages_init(int loudness, enum rv_out_format format, bool color);
int rv_messages_loudness(void);
bool rv_messages_terminal(void);
/* `s` for a terminal: control characters and bytes that are not UTF-8 become '?'. */
void rv_text_clean(struct rv_strbuf *sb, const char *s, size_t len);
/* The one place an error is printed: text with hint and place, or one JSON object on standard error
 * with code, message, hint, file, line. */
void rv_error_print(const struct rv_error *err);

/*
 * Progress: a line on standard error, only when that is a terminal and not -q, from one second
 * after the start, ten times a second at most, wiped when done. The line shows done/total, rate and
 * time left; total 0 is unknown. `now_ms` is monotonic.
 */
struct rv_progress {
	const char *what;         /* "push web/clicks" */
	int64_t started_ms, shown_ms;
	bool visible;
};
void rv_progress_start(struct rv_progress *progress, const char *what, int64_t now_ms);
void rv_progress_update(struct rv_progress *progress, int64_t now_ms, uint64_t done_bytes,
			uint64_t total_bytes, uint64_t records);
/* For work that is counted: "12 of 40, table RIVER.WEB.CLICKS". */
void rv_progress_steps(struct rv_progress *progress, int64_t now_ms, uint64_t done, uint64_t total,
		       const char *doing);
void rv_progress_end(struct rv_progress *progress); /* wipes the line */

#endif
