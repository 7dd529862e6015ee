/* A delivery in memory that names its objects itself, and fails where a test tells it to. */
#include "delivery/delivery.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"

struct delivery_mem {
	struct rv_delivery base;
	struct rv_delivery_ops ops;
	struct rv_store *lake;
	pthread_mutex_t mutex;
	struct rv_delivery_mem_fault fault;
	uint64_t sends;
	struct rv_strbuf taken;
};

static bool is_set(const uint8_t *bits, uint64_t i)
{
	return bits && bits[i / 8] & 1u << i % 8;
}

static void set(uint8_t *bits, uint64_t i)
{
	if (bits)
		bits[i / 8] = (uint8_t)(bits[i / 8] | 1u << i % 8);
}

static enum rv_status read_body(const struct rv_delivery_batch *batch, struct rv_strbuf *ret,
				struct rv_error *err)
{
	size_t n;
	if (batch->body.fd < 0) {
		rv_strbuf_add(ret, batch->body.bytes, batch->body.len);
		return RV_OK;
	}
	rv_strbuf_reserve(ret, batch->body.len);
	if (rv_pread_full(batch->body.fd, ret->bytes, batch->body.len, 0, &n, batch->name, err) != RV_OK)
		return err->status;
	ret->len = n;
	return RV_OK;
}

static bool is_large(const struct delivery_mem *mem, const struct rv_strbuf *text)
{
	for (const char *p = text->bytes, *end = p + text->len; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		if (mem->ops.max_record_bytes && (uint64_t)(newline + 1 - p) > mem->ops.max_record_bytes)
			return true;
		p = newline + 1;
	}
	return false;
}

static enum rv_status put(struct delivery_mem *mem, const struct rv_delivery_batch *batch,
			  struct rv_delivery_result *ret, struct rv_error *err)
{
	struct rv_store_put conditions = { .if_absent = true };
	char etag[RV_ETAG_TEXT];
	enum rv_status status =
		mem->lake->ops->put(mem->lake, batch->name, &batch->body, &conditions, etag, err);
	if (status != RV_OK && status != RV_CONFLICT)
		return status;
	ret->level = RV_DELIVERED_LANDED;
	return RV_OK;
}

/* Takes up to `limit` records that were not taken before. */
static void take(struct delivery_mem *mem, const struct rv_delivery_batch *batch,
		 const struct rv_strbuf *text, uint64_t limit, bool heard, bool doubted,
		 struct rv_delivery_result *ret)
{
	const char *p = text->bytes, *end = p + text->len;
	for (uint64_t i = 0; p < end && limit; i++) {
		size_t len = (size_t)((const char *)memchr(p, '\n', (size_t)(end - p)) + 1 - p);
		if (!is_set(batch->acknowledged, i)) {
			rv_strbuf_add(&mem->taken, p, len);
			if (heard) {
				set(batch->acknowledged, i);
				ret->record_bytes += len;
				ret->billed_bytes += 5120;
			}
			ret->maybe_twice += doubted;
			limit--;
		}
		p += len;
	}
}

static enum rv_status mem_send(struct rv_delivery *base, const struct rv_delivery_batch *batch,
			       struct rv_delivery_result *ret, struct rv_error *err)
{
	struct delivery_mem *mem = (struct delivery_mem *)base;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	*ret = (struct rv_delivery_result){ .level = RV_DELIVERED_NONE };
	if (read_body(batch, &text, err) != RV_OK)
		return err->status;
	pthread_mutex_lock(&mem->mutex);
	const struct rv_delivery_mem_fault fault = mem->fault;
	uint64_t send = ++mem->sends;
	bool fails = send >= fault.from && send < fault.to;
	bool plain = rv_ends_with(batch->name, ".ndjson");
	ret->requests = 1;
	if (!plain || is_large(mem, &text)) {
		enum rv_status status = put(mem, batch, ret, err);
		pthread_mutex_unlock(&mem->mutex);
		return status;
	}
	take(mem, batch, &text, fails ? fault.taken : UINT64_MAX, !fails || fault.heard, fails && fault.doubted,
	     ret);
	pthread_mutex_unlock(&mem->mutex);
	if (!fails) {
		ret->level = RV_DELIVERED_SENT;
		return RV_OK;
	}
	rv_fail(err, fault.status, "send %" PRIu64 ": failure on purpose", send);
	err->transient = fault.transient;
	return err->status;
}

static void mem_free(struct rv_delivery *base)
{
	struct delivery_mem *mem = (struct delivery_mem *)base;
	rv_strbuf_release(&mem->taken);
	pthread_mutex_destroy(&mem->mutex);
	free(mem);
}

struct rv_delivery *rv_delivery_mem_new(const struct rv_delivery_mem_params *params)
{
	struct delivery_mem *mem = rv_calloc(1, sizeof(*mem));
	mem->ops = (struct rv_delivery_ops){
		.name = "mem",
		.max_record_bytes = params->max_record_bytes,
		.batch_record_bytes = params->batch_record_bytes,
		.plain_bodies = true,
		.send = mem_send,
		.free = mem_free,
	};
	mem->base.ops = &mem->ops;
	mem->lake = params->lake;
	mem->taken = (struct rv_strbuf)RV_STRBUF_INIT;
	pthread_mutex_init(&mem->mutex, NULL);
	return &mem->base;
}

void rv_delivery_mem_fail(struct rv_delivery *base, const struct rv_delivery_mem_fault *fault)
{
	struct delivery_mem *mem = (struct delivery_mem *)base;
	pthread_mutex_lock(&mem->mutex);
	mem->fault = *fault;
	pthread_mutex_unlock(&mem->mutex);
}

char *rv_delivery_mem_taken(struct rv_delivery *base)
{
	struct delivery_mem *mem = (struct delivery_mem *)base;
	pthread_mutex_lock(&mem->mutex);
	char *copy = rv_strndup(mem->taken.bytes, mem->taken.len);
	pthread_mutex_unlock(&mem->mutex);
	return copy;
}

uint64_t rv_delivery_mem_sends(struct rv_delivery *base)
{
	struct delivery_mem *mem = (struct delivery_mem *)base;
	pthread_mutex_lock(&mem->mutex);
	uint64_t sends = mem->sends;
	pthread_mutex_unlock(&mem->mutex);
	return sends;
}
