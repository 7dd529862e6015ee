/* A line that says whose bits they are and what they hash to, then the bits. */
#include "flow/acknowledged.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"

#define HEAD_MAX 160

static size_t bytes_of(const struct rv_batch_entry *entry)
{
	return (size_t)(entry->records + 7) / 8;
}

static void head_of(const struct rv_batch_entry *entry, const uint8_t *bits, char ret[HEAD_MAX])
{
	snprintf(ret, HEAD_MAX, "river-sent 1 %" PRIu64 " %" PRIu64 " %016" PRIx64 " %016" PRIx64 "\n",
		 entry->seq, entry->records, entry->set_hash, XXH3_64bits(bits, bytes_of(entry)));
}

void rv_acknowledged_load(const struct rv_run *run, const struct rv_batch_entry *entry,
			  uint8_t **ret, bool *ret_known)
{
	RV_CLEANUP(rv_free_p) char *path = rv_run_sent_path(run, entry->seq);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_error ignored;
	char head[HEAD_MAX];
	size_t bytes = bytes_of(entry);
	*ret = rv_calloc(bytes + 1, 1);
	*ret_known = false;
	if (rv_read_file(path, bytes + HEAD_MAX, &text, &ignored) != RV_OK || text.len < bytes)
		return;
	size_t head_len = text.len - bytes;
	head_of(entry, (const uint8_t *)text.bytes + head_len, head);
	if (strlen(head) != head_len || memcmp(head, text.bytes, head_len) != 0)
		return;
	memcpy(*ret, text.bytes + head_len, bytes);
	*ret_known = true;
}

uint64_t rv_acknowledged_count(const struct rv_batch_entry *entry, const uint8_t *bits)
{
	uint64_t count = 0;
	for (uint64_t i = 0; i < entry->records; i++)
		count += bits[i / 8] >> (i % 8) & 1;
	return count;
}

enum rv_status rv_acknowledged_save(const struct rv_run *run, const struct rv_batch_entry *entry,
				    const uint8_t *bits, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_run_sent_path(run, entry->seq);
	RV_CLEANUP(rv_close_p)
	int fd = rv_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	char head[HEAD_MAX];
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "create %s", path);
	head_of(entry, bits, head);
	if (rv_write_all(fd, head, strlen(head), path, err) != RV_OK)
		return err->status;
	return rv_write_all(fd, bits, bytes_of(entry), path, err);
}

enum rv_status rv_acknowledged_remove(const struct rv_run *run, uint64_t seq, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_run_sent_path(run, seq);
	return rv_remove_file(path, err);
}
