/*
 * A store holds objects under names: a folder or a prefix of a bucket. The lake lives in one.
 *
 * Names are relative to the lake's root, '/'-separated, without "." or ".." parts and without a
 * leading slash; rv_store_name_valid checks. An object appears whole or not at all, and is durable
 * when put returns RV_OK.
 *
 * Statuses: RV_NOT_FOUND, RV_CONFLICT (a condition did not hold; on S3 412), RV_AUTH,
 * RV_LOCAL_IO, RV_DAMAGED. One store may be used by several threads at once.
 */
#ifndef RV_STORE_STORE_H
#define RV_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

#define RV_STORE_NAME_MAX 1024
#define RV_ETAG_TEXT 80

struct rv_store_object {
	const char *name;          /* relative to the lake's root; borrowed for the callback */
	uint64_t bytes;
	int64_t modified_ms;       /* since 1970 UTC */
	char etag[RV_ETAG_TEXT];   /* changes whenever the content does; "" when only listed */
};

/* What put sends: bytes in memory, or a file read from its start. */
struct rv_store_body {
	const void *bytes;         /* used when fd < 0 */
	uint64_t len;
	int fd;                    /* -1: memory; else read with pread from 0, `len` bytes */
	/* Optional: the file was made by ops->stage of this store, so it can be moved into place
	 * instead of copied. Set by rv_store_stage_body; the put consumes the staged file. */
	struct rv_store_stage *staged;
};

struct rv_store_put {
	bool if_absent;            /* If-None-Match: * */
	const char *if_etag;       /* Optional: If-Match, an etag that get or head gave; a missing object
				    * is RV_NOT_FOUND */
};

struct rv_store_list {
	const char *prefix;        /* Required, may be ""; plain text prefix of names */
	const char *after;         /* Optional: only names that sort after this one (bytewise) */
	bool folders;              /* stop at the next '/' behind the prefix: names that end in '/'
				    * stand for all below, once each */
	bool names_only;           /* bytes and modified_ms may be left 0: saves a look at each */
};

struct rv_store;
struct rv_store_stage;
struct rv_store_ops {
	const char *name;          /* "file", "mem", "s3" */
	bool conditional_puts;     /* if_absent and if_etag are atomic; see probe */
	/* Whole object into `ret` (emptied first); larger than max_bytes is RV_BAD_DATA. */
	enum rv_status (*get)(struct rv_store *, const char *name, size_t max_bytes,
			      struct rv_strbuf *ret, char ret_etag[RV_ETAG_TEXT],
			      struct rv_error *err);
	/* Stream an object: `sink` is called with pieces in order; its failure ends the get. */
	enum rv_status (*read)(struct rv_store *, const char *name,
			       enum rv_status (*sink)(void *arg, const void *p, size_t len,
						      struct rv_error *err),
			       void *arg, struct rv_error *err);
	enum rv_status (*head)(struct rv_store *, const char *name, struct rv_store_object *ret,
			       struct rv_error *err);
	enum rv_status (*put)(struct rv_store *, const char *name, const struct rv_store_body *,
			      const struct rv_store_put *, char ret_etag[RV_ETAG_TEXT],
			      struct rv_error *err);
	/* Optional (NULL: always so). Makes an object durable that is there but was not put by this
	 * process: whoever put it may have been killed before it was. */
	enum rv_status (*settle)(struct rv_store *, const char *name, struct rv_error *err);
	/* In bytewise name order. `each` returning other than RV_OK ends the list with it.
	 * Temporary files (a folder: whatever starts with a dot) are not listed. A prefix with nothing is an empty list. */
	enum rv_status (*list)(struct rv_store *, const struct rv_store_list *,
			       enum rv_status (*each)(void *arg, const struct rv_store_object *,
						      struct rv_error *err),
			       void *arg, struct rv_error *err);
	/* A missing object is fine unless if_etag is given (RV_NOT_FOUND). */
	enum rv_status (*remove)(struct rv_store *, const char *name, const char *if_etag,
				 struct rv_error *err);
	/* Optional (NULL: none). A writable temporary file on the store's own file system that a put
	 * moves into place. */
	enum rv_status (*stage)(struct rv_store *, const char *folder, struct rv_store_stage **ret,
				int *ret_fd, struct rv_error *err);
	void (*stage_discard)(struct rv_store *, struct rv_store_stage *); /* not yet put: undo */
	/* Optional (NULL: conditional_puts is known). Finds out whether conditions hold, with an object
	 * of this name that is removed again; conditional_puts says it from then on. */
	enum rv_status (*probe)(struct rv_store *, const char *name, struct rv_error *err);
	/* Optional, with probe: what an earlier one found. */
	void (*assume)(struct rv_store *, bool conditional_puts);
	void (*free)(struct rv_store *);
};
struct rv_store {
	const struct rv_store_ops *ops;
	char *url;                 /* as the user would write it: "/data/lake", "s3://b/p" */
};

bool rv_store_name_valid(const char *name);
void rv_store_free(struct rv_store *store);
void rv_store_free_p(struct rv_store **store);
/* get, with a missing object as *ret_found = false instead of an error. */
enum rv_status rv_store_get_optional(struct rv_store *store, const char *name, size_t max_bytes,
				     struct rv_strbuf *ret, char ret_etag[RV_ETAG_TEXT],
				     bool *ret_found, struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_store_put_bytes(struct rv_store *store, const char *name, const void *p,
				  size_t len, const struct rv_store_put *conditions,
				  struct rv_error *err) RV_MUST_CHECK;
/* Puts an object whose name says what it holds, so that one that is there already is this one, put by an
 * attempt whose answer was not heard: RV_OK, and `ret_there` (may be NULL) is true. It is looked at, for a
 * refusal alone keeps nothing: one that is not there is put again, and RV_FAILED and transient when it is
 * said to be there again and again, or is empty. */
enum rv_status rv_store_put_once(struct rv_store *store, const char *name,
				 const struct rv_store_body *body, bool *ret_there,
				 struct rv_error *err) RV_MUST_CHECK;

/* A folder as a store. `root` must be absolute; it is made by the first put. Modes follow the
 * umask and setgid bits (a lake may be shared). Locks for if_etag live in <root>/_river/locks. */
struct rv_store *rv_store_file_new(const char *root);
/* A prefix ("" or without slashes at its ends) of a bucket. `aws` is borrowed and must outlive it. Where
 * the store has no conditions, if_absent and if_etag are a look before and after the put, and
 * conditional_puts is false from the first time that shows. */
struct rv_aws;
enum rv_status rv_store_s3_new(struct rv_aws *aws, const char *bucket, const char *prefix,
			       struct rv_store **ret, struct rv_error *err) RV_MUST_CHECK;
/* For tests: in memory; operation number `fail_at` (from 1; 0 never) fails with `fail_status`,
 * once or, with fail_forever, from then on. RV_FAILED is transient: an outage. */
struct rv_store *rv_store_mem_new(void);
void rv_store_mem_fail(struct rv_store *store, uint64_t fail_at, bool fail_forever,
		       enum rv_status fail_status);

#endif
