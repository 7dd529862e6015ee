/* A hash table of roots by key, and a line of those that wait. */
#include "delivery/dynamodb_queue.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/memory.h"
#include "http/http.h"

#define FIRST_SLOTS 1024
#define UNIT_BYTES 1024 /* "1 WCU is a write of up to 1 KB" */

void rv_dynamodb_queue_init(struct rv_dynamodb_queue *queue)
{
	*queue = (struct rv_dynamodb_queue){ .slots_count = FIRST_SLOTS };
	queue->slots = rv_calloc(queue->slots_count, sizeof(struct rv_dynamodb_root *));
	queue->last = &queue->first;
}

static void root_free(struct rv_dynamodb_root *root)
{
	free(root->now.item);
	if (root->has_next)
		free(root->next.item);
	free(root);
}

void rv_dynamodb_queue_release(struct rv_dynamodb_queue *queue)
{
	for (size_t i = 0; i < queue->slots_count; i++) {
		struct rv_dynamodb_root *root = queue->slots[i];

		while (root) {
			struct rv_dynamodb_root *after = root->chain;

			root_free(root);
			root = after;
		}
	}
	free(queue->slots);
	*queue = (struct rv_dynamodb_queue){ 0 };
}

/* ---- the table ----------------------------------------------------------------------------------- */

static struct rv_dynamodb_root **find(struct rv_dynamodb_queue *queue, struct rv_str key, uint64_t hash)
{
	struct rv_dynamodb_root **at = &queue->slots[hash & (queue->slots_count - 1)];

	while (*at && ((*at)->hash != hash || !rv_str_eq(key, (struct rv_str){ (*at)->key, (*at)->key_len })))
		at = &(*at)->chain;
	return at;
}

static void grow(struct rv_dynamodb_queue *queue)
{
	size_t count = queue->slots_count * 2;
	struct rv_dynamodb_root **slots = rv_calloc(count, sizeof(struct rv_dynamodb_root *));

	for (size_t i = 0; i < queue->slots_count; i++)
		while (queue->slots[i]) {
			struct rv_dynamodb_root *root = queue->slots[i];

			queue->slots[i] = root->chain;
			root->chain = slots[root->hash & (count - 1)];
			slots[root->hash & (count - 1)] = root;
		}
	free(queue->slots);
	queue->slots = slots;
	queue->slots_count = count;
}

static void line_up(struct rv_dynamodb_queue *queue, struct rv_dynamodb_root *root)
{
	root->queue_next = NULL;
	*queue->last = root;
	queue->last = &root->queue_next;
	queue->waiting++;
}

/* Takes the root that `*at` names out of the line. */
static struct rv_dynamodb_root *leave_line(struct rv_dynamodb_queue *queue, struct rv_dynamodb_root **at)
{
	struct rv_dynamodb_root *root = *at;

	*at = root->queue_next;
	if (!*at)
		queue->last = at;
	queue->waiting--;
	return root;
}

bool rv_dynamodb_queue_put(struct rv_dynamodb_queue *queue, struct rv_str key,
			   const struct rv_dynamodb_pending *pending, struct rv_dynamodb_news *ret_news)
{
	uint64_t hash = XXH3_64bits(key.p, key.len);
	struct rv_dynamodb_root **at = find(queue, key, hash), *root = *at;

	queue->bytes += pending->len;
	if (!root) {
		root = rv_calloc(1, sizeof(*root) + key.len);
		root->hash = hash;
		root->now = *pending;
		root->key_len = key.len;
		memcpy(root->key, key.p, key.len);
		*at = root;
		line_up(queue, root);
		if (++queue->roots > queue->slots_count)
			grow(queue);
		return false;
	}
	if (root->resting) {
		root->resting = false;
		root->now = *pending;
		root->conditional = true;
		root->not_before_ms = root->doubt_until_ms;
		line_up(queue, root);
		queue->roots++;
		return false;
	}
	/* What was sent stays what is sent, until it is settled: nobody knows which of two would arrive last. */
	struct rv_dynamodb_pending *place = root->flying || root->doubted ? &root->next : &root->now;
	if (pending->version < root->now.version)
		place = &root->now;
	if (place == &root->next && !root->has_next) {
		root->next = *pending;
		root->has_next = true;
		return false;
	}
	/* The last one wins, unless it is the older one. */
	bool older = pending->version < place->version;
	struct rv_dynamodb_pending loser = older ? *pending : *place;
	if (!older)
		*place = *pending;
	*ret_news = (struct rv_dynamodb_news){
		.tag = loser.tag,
		.fate = older ? RV_DOCUMENT_SUPERSEDED : RV_DOCUMENT_MERGED,
		.remove = loser.remove,
	};
	queue->bytes -= loser.len;
	free(loser.item);
	return true;
}

/* ---- loads --------------------------------------------------------------------------------------- */

static double units_of(const struct rv_dynamodb_pending *pending)
{
	uint64_t units = (pending->bytes + UNIT_BYTES - 1) / UNIT_BYTES;

	return units ? (double)units : 1;
}

static void add(struct rv_dynamodb_load *load, struct rv_dynamodb_root *root)
{
	root->flying = true;
	load->writes[load->count] = (struct rv_dynamodb_write){
		.item = root->now.item,
		.len = root->now.len,
		.remove = root->now.by_removal,
		.key = { root->key, root->key_len },
		.version = root->now.version,
	};
	load->roots[load->count++] = root;
	load->units += units_of(&root->now);
}

bool rv_dynamodb_queue_claim(struct rv_dynamodb_queue *queue, const struct rv_dynamodb_limits *limits,
			     int64_t now_ms, struct rv_dynamodb_load *load, int64_t *ret_due_ms)
{
	struct rv_dynamodb_root **at = &queue->first;
	size_t bytes = 0;

	load->count = 0;
	load->units = 0;
	load->single = load->versioned = !limits->exclusive;
	*ret_due_ms = INT64_MAX;
	while (*at) {
		struct rv_dynamodb_root *root = *at;
		bool single = root->alone || root->conditional;

		if (root->not_before_ms > now_ms) {
			if (root->not_before_ms < *ret_due_ms)
				*ret_due_ms = root->not_before_ms;
			at = &root->queue_next;
			continue;
		}
		if (single && load->count) {
			at = &root->queue_next;
			continue;
		}
		if (load->count && (bytes + root->now.len > limits->bytes ||
				    load->units + units_of(&root->now) > limits->units))
			break;
		bytes += root->now.len + 64;
		if (single) {
			load->single = true;
			load->versioned = load->versioned || root->conditional;
		}
		add(load, leave_line(queue, at));
		if (load->single || load->count == limits->items || load->count == RV_DYNAMODB_BATCH_ITEMS)
			break;
	}
	return load->count > 0;
}

/* ---- answers ------------------------------------------------------------------------------------- */

/* `now` is settled: the next version comes up, or the root goes. */
static void finish(struct rv_dynamodb_queue *queue, struct rv_dynamodb_root *root, bool conditions,
		   int64_t now_ms)
{
	queue->bytes -= root->now.len;
	free(root->now.item);
	root->now.item = NULL;
	root->refusals = 0;
	root->doubted = root->alone = root->conditional = false;
	if (!root->has_next && !conditions && root->doubt_until_ms > now_ms) {
		root->resting = true;
		queue->roots--;
		return;
	}
	if (!root->has_next) {
		struct rv_dynamodb_root **at = find(queue, (struct rv_str){ root->key, root->key_len }, root->hash);

		*at = root->chain;
		queue->roots--;
		root_free(root);
		return;
	}
	root->now = root->next;
	root->has_next = false;
	/* An attempt at the version before may still arrive. Under conditions it comes too late to do harm;
	 * without them it has to be waited out. */
	root->not_before_ms = 0;
	if (!conditions && root->doubt_until_ms > now_ms) {
		root->not_before_ms = root->doubt_until_ms;
		root->conditional = true;
	}
	line_up(queue, root);
}

static void send_again(struct rv_dynamodb_queue *queue, struct rv_dynamodb_root *root, bool paused,
		       int64_t now_ms)
{
	root->not_before_ms = paused ? now_ms + rv_http_backoff_ms(root->refusals, RV_DYNAMODB_ROOT_PAUSE_BASE_MS,
								   RV_DYNAMODB_ROOT_PAUSE_MAX_MS) : 0;
	line_up(queue, root);
}

size_t rv_dynamodb_queue_settle(struct rv_dynamodb_queue *queue, const struct rv_dynamodb_load *load,
				const enum rv_dynamodb_fate *fates, bool split,
				char **reasons, int64_t doubt_ms, int64_t now_ms,
				struct rv_dynamodb_news *news,
				struct rv_dynamodb_settled *ret)
{
	size_t count = 0, taken = 0;
	bool conditions = load->single && load->versioned;

	*ret = (struct rv_dynamodb_settled){ 0 };
	for (size_t i = 0; i < load->count; i++)
		taken += fates[i] == RV_DYNAMODB_TAKEN;
	for (size_t i = 0; i < load->count; i++) {
		struct rv_dynamodb_root *root = load->roots[i];
		struct rv_dynamodb_news *new = &news[count];

		root->flying = false;
		if (split) {
			root->alone = true;
			send_again(queue, root, false, now_ms);
			continue;
		}
		if (fates[i] == RV_DYNAMODB_LEFT || fates[i] == RV_DYNAMODB_UNKNOWN) {
			ret->again++;
			if (fates[i] == RV_DYNAMODB_UNKNOWN) {
				ret->doubted += !root->doubted;
				root->doubted = true;
				root->doubt_until_ms = now_ms + doubt_ms;
			}
			if (fates[i] == RV_DYNAMODB_LEFT)
				root->refusals++;
			/* the whole call is the pace's business; one of many is the root's own */
			send_again(queue, root, fates[i] == RV_DYNAMODB_LEFT && (taken || load->single), now_ms);
			continue;
		}
		*new = (struct rv_dynamodb_news){ .tag = root->now.tag, .remove = root->now.remove };
		switch (fates[i]) {
		case RV_DYNAMODB_NEWER:
			new->fate = RV_DOCUMENT_SUPERSEDED;
			break;
		case RV_DYNAMODB_FOREIGN:
		case RV_DYNAMODB_REFUSED:
			new->fate = RV_DOCUMENT_REFUSED;
			new->reason = rv_take(reasons[i]);
			break;
		default:
			new->fate = RV_DOCUMENT_WRITTEN;
			ret->taken_bytes += root->now.bytes;
		}
		count++;
		finish(queue, root, conditions, now_ms);
	}
	ret->done = count;
	return count;
}

/* ---- the budget ---------------------------------------------------------------------------------- */

void rv_dynamodb_budget_init(struct rv_dynamodb_budget *budget, double per_second, int64_t now_ms)
{
	*budget = (struct rv_dynamodb_budget){ .per_second = per_second, .units = per_second, .at_ms = now_ms };
}

int64_t rv_dynamodb_budget_due(struct rv_dynamodb_budget *budget, int64_t now_ms)
{
	if (budget->per_second <= 0)
		return now_ms;
	if (now_ms > budget->at_ms)
		budget->units += (double)(now_ms - budget->at_ms) * budget->per_second / 1000;
	if (budget->units > budget->per_second)
		budget->units = budget->per_second;
	budget->at_ms = now_ms;
	if (budget->units > 0)
		return now_ms;
	return now_ms + 1 + (int64_t)(-budget->units * 1000 / budget->per_second);
}

void rv_dynamodb_budget_spend(struct rv_dynamodb_budget *budget, double units)
{
	budget->units -= units;
}
