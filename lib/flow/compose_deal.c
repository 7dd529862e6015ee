/*
 * Entries dealt into groups. A group is a list of chunks; when memory is used up, a chunk that is
 * full is written to a file without a name, as a piece that says where the one before of its group
 * is. So a group takes the same few bytes however long it gets, and what a killed process leaves
 * behind is nothing.
 *
 * Pieces hold whole entries, so the order in which they are read does not matter.
 */
#include "flow/compose_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/file.h"
#include "base/memory.h"

/* In front of the entries of a piece; the checksum is of all that follows it. */
struct head {
	uint32_t crc;
	uint32_t group;
	uint64_t previous_offset, previous_len;
};

void rv_compose_memory_take(struct rv_compose_memory *memory, uint64_t bytes)
{
	uint64_t used =
		atomic_fetch_add_explicit(&memory->used, bytes, memory_order_relaxed) + bytes;
	uint64_t peak = atomic_load_explicit(&memory->peak, memory_order_relaxed);

	while (used > peak && !atomic_compare_exchange_weak(&memory->peak, &peak, used))
		;
}

void rv_compose_memory_give(struct rv_compose_memory *memory, uint64_t bytes)
{
	atomic_fetch_sub_explicit(&memory->used, bytes, memory_order_relaxed);
}

static uint64_t chunk_memory(size_t capacity)
{
	return sizeof(struct rv_compose_chunk) + capacity + RV_COMPOSE_SLACK;
}

static struct rv_compose_chunk *chunk_new(struct rv_compose_deal *deal, size_t capacity)
{
	struct rv_compose_chunk *chunk = rv_malloc((size_t)chunk_memory(capacity));

	chunk->next = NULL;
	chunk->used = sizeof(struct head);
	chunk->capacity = capacity;
	rv_compose_memory_take(deal->memory, chunk_memory(capacity));
	return chunk;
}

static void chunk_free(struct rv_compose_deal *deal, struct rv_compose_chunk *chunk)
{
	rv_compose_memory_give(deal->memory, chunk_memory(chunk->capacity));
	free(chunk);
}

void rv_compose_deal_init(struct rv_compose_deal *deal, struct rv_compose_memory *memory,
			  const char *folder, unsigned used_bits, unsigned bits, size_t chunk_bytes)
{
	*deal = (struct rv_compose_deal){
		.memory = memory,
		.folder = folder,
		.fd = -1,
		.chunk_bytes = chunk_bytes,
		.used_bits = used_bits,
		.bits = bits,
	};
	pthread_mutex_init(&deal->file_lock, NULL);
	deal->groups = rv_calloc(rv_compose_groups(deal), sizeof(*deal->groups));
	for (size_t i = 0; i < rv_compose_groups(deal); i++)
		pthread_mutex_init(&deal->groups[i].lock, NULL);
}

void rv_compose_deal_drop(struct rv_compose_deal *deal, size_t index)
{
	struct rv_compose_group *group = &deal->groups[index];

	if (group->open)
		chunk_free(deal, group->open);
	while (group->full) {
		struct rv_compose_chunk *chunk = group->full;

		group->full = chunk->next;
		atomic_fetch_sub_explicit(&deal->memory->waiting, chunk_memory(chunk->capacity),
					  memory_order_relaxed);
		chunk_free(deal, chunk);
	}
	group->open = NULL;
	group->last_len = group->file_bytes = 0;
	group->bytes = group->entries = 0;
}

void rv_compose_deal_release(struct rv_compose_deal *deal)
{
	if (!deal->groups)
		return;
	for (size_t i = 0; i < rv_compose_groups(deal); i++) {
		rv_compose_deal_drop(deal, i);
		pthread_mutex_destroy(&deal->groups[i].lock);
	}
	pthread_mutex_destroy(&deal->file_lock);
	rv_close_p(&deal->fd);
	free(deal->groups);
	deal->groups = NULL;
}

/* Where a piece of `len` bytes goes in the file. */
static enum rv_status place(struct rv_compose_deal *deal, size_t len, uint64_t *ret,
			    struct rv_error *err)
{
	enum rv_status status = RV_OK;

	pthread_mutex_lock(&deal->file_lock);
	if (deal->fd < 0)
		status = rv_unnamed_open(deal->folder, &deal->fd, err);
	*ret = deal->file_bytes;
	deal->file_bytes += len;
	pthread_mutex_unlock(&deal->file_lock);
	return status == RV_OK ? RV_OK : rv_context(err, "spill rows of documents");
}

static enum rv_status spill(struct rv_compose_deal *deal, size_t index,
			    struct rv_compose_chunk *chunk, struct rv_error *err)
{
	struct rv_compose_group *group = &deal->groups[index];
	struct head head = {
		.group = (uint32_t)index,
		.previous_offset = group->last_offset,
		.previous_len = group->last_len,
	};
	uint64_t offset;

	if (place(deal, chunk->used, &offset, err) != RV_OK)
		return err->status;
	memcpy(chunk->bytes, &head, sizeof(head));
	head.crc = rv_crc32c(0, chunk->bytes + sizeof(head.crc), chunk->used - sizeof(head.crc));
	memcpy(chunk->bytes, &head.crc, sizeof(head.crc));
	for (size_t done = 0; done < chunk->used;) {
		ssize_t n = pwrite(deal->fd, chunk->bytes + done, chunk->used - done,
				   (off_t)(offset + done));

		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			if (n == 0)
				errno = ENOSPC;
			rv_fail_errno(err, RV_LOCAL_IO, "spill rows of documents to %s",
				      deal->folder);
			rv_hint(err, "make room there, or allow more memory");
			return err->status;
		}
	}
	atomic_fetch_add_explicit(&deal->memory->spilled, chunk->used, memory_order_relaxed);
	group->last_offset = offset;
	group->last_len = chunk->used;
	group->file_bytes += chunk->used;
	return RV_OK;
}

/* The open chunk is full: it waits in memory, or goes to the file. */
static enum rv_status turn_over(struct rv_compose_deal *deal, size_t index, struct rv_error *err)
{
	struct rv_compose_group *group = &deal->groups[index];
	struct rv_compose_chunk *chunk = group->open;
	struct rv_compose_memory *memory = deal->memory;
	uint64_t bytes = chunk_memory(chunk->capacity);

	if (atomic_fetch_add_explicit(&memory->waiting, bytes, memory_order_relaxed) + bytes <=
	    memory->max_bytes / 8 * 3) {
		chunk->next = group->full;
		group->full = chunk;
		group->open = NULL;
		return RV_OK;
	}
	atomic_fetch_sub_explicit(&memory->waiting, bytes, memory_order_relaxed);
	if (spill(deal, index, chunk, err) != RV_OK)
		return err->status;
	if (chunk->capacity == deal->chunk_bytes) {
		chunk->used = sizeof(struct head);
	} else {
		chunk_free(deal, chunk);
		group->open = NULL;
	}
	return RV_OK;
}

enum rv_status rv_compose_deal_open(struct rv_compose_deal *deal, uint64_t hash, size_t len,
				    char **ret_room, struct rv_error *err)
{
	size_t index = rv_compose_group_of(deal, hash);
	struct rv_compose_group *group = &deal->groups[index];
	size_t need = sizeof(struct head) + len;

	if (deal->shared)
		pthread_mutex_lock(&group->lock);
	if (group->open && group->open->capacity - group->open->used < len &&
	    group->open->used > sizeof(struct head) && turn_over(deal, index, err) != RV_OK) {
		rv_compose_deal_close(deal, hash);
		return err->status;
	}
	if (group->open && group->open->capacity < need) {
		chunk_free(deal, group->open);
		group->open = NULL;
	}
	if (!group->open)
		group->open = chunk_new(deal, need > deal->chunk_bytes ? need : deal->chunk_bytes);
	*ret_room = group->open->bytes + group->open->used;
	group->open->used += len;
	group->bytes += len;
	group->entries++;
	return RV_OK;
}

void rv_compose_deal_close(struct rv_compose_deal *deal, uint64_t hash)
{
	if (deal->shared)
		pthread_mutex_unlock(&deal->groups[rv_compose_group_of(deal, hash)].lock);
}

void rv_compose_deal_totals(const struct rv_compose_deal *deal, uint64_t *ret_bytes, uint64_t *ret_entries)
{
	*ret_bytes = *ret_entries = 0;
	for (size_t i = 0; i < rv_compose_groups(deal); i++) {
		*ret_bytes += deal->groups[i].bytes;
		*ret_entries += deal->groups[i].entries;
	}
}

void rv_compose_pieces_of(struct rv_compose_pieces *pieces, struct rv_compose_deal *deal,
			  size_t group)
{
	*pieces = (struct rv_compose_pieces){
		.deal = deal,
		.group = group,
		.offset = deal->groups[group].last_offset,
		.len = deal->groups[group].last_len,
	};
}

/* The open chunk, then the full ones. */
static struct rv_compose_chunk *next_chunk(const struct rv_compose_pieces *pieces)
{
	const struct rv_compose_group *group = &pieces->deal->groups[pieces->group];

	if (!pieces->began)
		return group->open ? group->open : group->full;
	if (!pieces->chunk)
		return NULL;
	return pieces->chunk == group->open ? group->full : pieces->chunk->next;
}

size_t rv_compose_pieces_room(const struct rv_compose_pieces *pieces)
{
	if (next_chunk(pieces) || !pieces->len)
		return 0;
	return (size_t)pieces->len + RV_COMPOSE_SLACK;
}

enum rv_status rv_compose_pieces_next(struct rv_compose_pieces *pieces, char *room,
				      const char **ret_p, size_t *ret_len, struct rv_error *err)
{
	const struct rv_compose_deal *deal = pieces->deal;
	struct head head;
	size_t n;

	pieces->chunk = next_chunk(pieces);
	pieces->began = true;
	if (pieces->chunk) {
		*ret_p = pieces->chunk->bytes + sizeof(head);
		*ret_len = pieces->chunk->used - sizeof(head);
		return RV_OK;
	}
	if (!pieces->len) {
		*ret_p = NULL;
		*ret_len = 0;
		return RV_OK;
	}
	if (rv_pread_full(deal->fd, room, (size_t)pieces->len, pieces->offset, &n, deal->folder,
			  err) != RV_OK)
		return rv_context(err, "read spilled rows of documents");
	if (n == pieces->len)
		memcpy(&head, room, sizeof(head));
	if (n != pieces->len || head.group != pieces->group ||
	    head.crc != rv_crc32c(0, room + sizeof(head.crc), n - sizeof(head.crc))) {
		rv_fail(err, RV_DAMAGED,
			"what was spilled to %s at byte %" PRIu64 " came back damaged: %s",
			deal->folder, pieces->offset,
			n != pieces->len ? "it is cut off" : "its checksum is wrong");
		rv_hint(err, "nothing of it was used; look at that disk, and run it again");
		return err->status;
	}
	pieces->offset = head.previous_offset;
	pieces->len = head.previous_len;
	*ret_p = room + sizeof(head);
	*ret_len = n - sizeof(head);
	return RV_OK;
}
