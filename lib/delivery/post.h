/*
 * Bodies to one address by POST: many in flight, and those of one lane one after the other, each answered
 * before the next one is begun, so their order is the order of arrival whatever has to be sent again.
 *
 * A 2xx is TAKEN. No answer, 408, 425, 429 and 5xx are sent again, with pauses (full jitter, Retry-After
 * obeyed), as long as `retry_for_ms` has not passed since its first failure. 401, 403, 404, 3xx and what an
 * address cannot mean end everything; any other answer is REFUSED: this body alone is wrong.
 *
 * Plain http goes over connections of river's own, which cost a third of libcurl's; https, and http by a
 * proxy, through the client of lib/http. One thread uses a post.
 */
#ifndef RV_DELIVERY_POST_H
#define RV_DELIVERY_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum rv_post_fate { RV_POST_TAKEN, RV_POST_REFUSED };
struct rv_post_result {
	uint64_t tag;
	enum rv_post_fate fate;
	int status;               /* the answer's */
	unsigned attempts;        /* from 1 */
	bool maybe_twice;         /* an attempt may have been carried out that nobody heard the end of */
	int64_t answer_us;        /* of the last attempt: from sending it to its answer */
};
struct rv_post_params {
	const char *url;
	const char *content_type;
	char *const *headers;     /* "Name: value", checked by rv_post_header_valid */
	size_t headers_count;
	unsigned lanes;           /* and connections; 1..RV_POST_LANES_MAX */
	uint64_t max_bytes;       /* of bodies that wait or are in flight; one body goes in any case */
	int64_t retry_for_ms;
	int64_t answer_timeout_ms; /* 0: 60 s */
	const char *ca_file;      /* Optional */
	bool (*should_stop)(void); /* Optional */
	void (*settled)(void *arg, const struct rv_post_result *result);
	void *arg;
};
#define RV_POST_LANES_MAX 1024

struct rv_post;
struct rv_post_ops {
	const char *name; /* "plain", "client", "mem" */
	/* Copies the body. False: there is no room; step first. */
	bool (*add)(struct rv_post *, unsigned lane, uint64_t tag, const char *p, size_t len);
	/* Goes on with what waits, for `timeout_us` at most (-1: until something is settled, or a signal
	 * comes). Fails when nothing will be taken any more: the last body's reason. */
	enum rv_status (*step)(struct rv_post *, int64_t timeout_us, struct rv_error *err);
	void (*free)(struct rv_post *);
};
struct rv_post {
	const struct rv_post_ops *ops;
	uint64_t waiting;         /* bodies that are not settled */
	/* What went wrong since something was settled, and is tried again: for a warning; "": nothing. */
	char trouble[256];
	uint64_t retries;         /* attempts that failed and were not the last */
	uint64_t connects;        /* connections that were opened */
};

/* Opens what fits the address. RV_USAGE: it is none. The name is looked up now, and nothing is sent. */
enum rv_status rv_post_new(const struct rv_post_params *params, struct rv_post **ret,
			   struct rv_error *err) RV_MUST_CHECK;
void rv_post_free(struct rv_post *post);
void rv_post_free_p(struct rv_post **post);
/* Whether `text` can be an address: http or https, no user and password, no fragment. */
bool rv_post_url_valid(const char *text);
/* The address without its query, which may hold a key: for messages. Caller frees. */
char *rv_post_url_shown(const char *url);
/* "Name: value", and not one of those that river sends itself. */
bool rv_post_header_valid(const char *text);

/* In memory, for tests: answers what `answer` says. */
struct rv_post_mem_params {
	void (*settled)(void *settled_arg, const struct rv_post_result *result);
	void *settled_arg;
	/* The status of a body; 0: settle it later, another step asks again; -1: the end of everything. */
	int (*answer)(void *arg, unsigned lane, uint64_t tag, const char *p, size_t len);
	void *arg;
	size_t room;              /* bodies that may wait */
};
struct rv_post *rv_post_mem_new(const struct rv_post_mem_params *params);

#endif
