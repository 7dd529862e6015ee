/* Shared by the files of post; nobody else includes this. */
#ifndef RV_DELIVERY_POST_IMPL_H
#define RV_DELIVERY_POST_IMPL_H

#include "base/strbuf.h"
#include "delivery/post.h"

struct rv_post_url {
	bool tls;
	char *host;       /* without brackets */
	char *port;
	char *authority;  /* for the Host header */
	char *target;     /* path and query */
};
bool rv_post_url_parse(const char *text, struct rv_post_url *ret);
void rv_post_url_release(struct rv_post_url *url);

enum rv_post_verdict { RV_POST_OK, RV_POST_AGAIN, RV_POST_WRONG, RV_POST_HOPELESS };
/* HOPELESS fills err. */
enum rv_post_verdict rv_post_judge(const char *url, int status, struct rv_error *err);
/* How long to wait before attempt number `attempts` + 1; -1: the time is over. */
int64_t rv_post_pause_ms(unsigned attempts, int64_t retry_after_ms, int64_t failing_ms,
			 int64_t retry_for_ms);
void rv_post_gave_up(const char *url, const char *trouble, unsigned attempts, struct rv_error *err);

enum rv_status rv_post_plain_new(const struct rv_post_params *params, const struct rv_post_url *url,
				 struct rv_post **ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_post_client_new(const struct rv_post_params *params, struct rv_post **ret,
				  struct rv_error *err) RV_MUST_CHECK;

#endif
