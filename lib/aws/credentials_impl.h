/*
 * What the files of the credential chain share: credentials.c (order, cache, refresh) and the
 * sources. Nobody else includes this.
 */
#ifndef RV_AWS_CREDENTIALS_IMPL_H
#define RV_AWS_CREDENTIALS_IMPL_H

#include <pthread.h>

#include "aws/credentials.h"
#include "base/strbuf.h"

/* What a source is asked with. */
struct rv_aws_asking {
	const struct rv_aws_settings *settings;
	struct rv_http *http;
	int64_t now_ms; /* by the service's clock, as far as it is known */
};
/* What it answers. */
struct rv_aws_given {
	bool configured;           /* somebody meant this source to be used */
	bool fixed;                /* asking again gives the same: the environment's */
	struct rv_aws_credentials credentials; /* when configured and RV_OK */
	char *detail;              /* Optional: for people: "profile data: role arn:..." */
};
void rv_aws_given_release(struct rv_aws_given *given);

/* RV_OK and !configured: not this one. A failure is that of a configured source. */
typedef enum rv_status rv_aws_source(const struct rv_aws_asking *asking, struct rv_aws_given *ret,
				     struct rv_error *err);
rv_aws_source rv_aws_from_environment, rv_aws_from_profile, rv_aws_from_web_identity,
	rv_aws_from_container, rv_aws_from_instance;

/* Steps of those. */
#define RV_AWS_PROCESS_TIMEOUT_MS 60000
enum rv_status rv_aws_run_process(const char *profile, const char *command, int64_t timeout_ms,
				  struct rv_aws_credentials *ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_aws_sso(const struct rv_aws_asking *asking, const char *profile,
			  struct rv_aws_credentials *ret, struct rv_error *err) RV_MUST_CHECK;
struct rv_aws_role {
	const char *arn, *session_name, *external_id; /* the last two Optional */
	const char *duration_s;                       /* Optional, as configured */
};
enum rv_status rv_aws_assume_role(const struct rv_aws_asking *asking, const struct rv_aws_role *role,
				  const struct rv_aws_credentials *source,
				  struct rv_aws_credentials *ret, struct rv_error *err) RV_MUST_CHECK;
/* The token file is read anew each time: who issues tokens replaces it. */
enum rv_status rv_aws_assume_role_with_token(const struct rv_aws_asking *asking,
					     const struct rv_aws_role *role, const char *token_file,
					     struct rv_aws_credentials *ret,
					     struct rv_error *err) RV_MUST_CHECK;

/* One request to a source of credentials. */
struct rv_aws_ask {
	const char *what;        /* for messages: "the container's credentials" */
	const char *method, *url;
	const struct rv_http_headers *headers; /* Optional */
	const char *body;        /* Optional */
	int64_t timeout_ms;
	unsigned attempts;
	bool *ret_unheard;       /* Optional: the last attempt was sent, and nothing came back */
};
/* RV_OK for any answer below 500 but 429; otherwise RV_AUTH, transient. */
enum rv_status rv_aws_ask(struct rv_http *http, const struct rv_aws_ask *ask,
			  struct rv_http_response *response, struct rv_error *err) RV_MUST_CHECK;
/* {"AccessKeyId", "SecretAccessKey", `token_key`, "Expiration"}. RV_AUTH when it is not that; a
 * "Code" and "Message" in place of it are told. */
enum rv_status rv_aws_read_credentials(const char *what, const char *text, size_t len,
				       const char *token_key, struct rv_aws_credentials *ret,
				       struct rv_error *err) RV_MUST_CHECK;
/* ISO 8601 as the services write it; also "...UTC". INT64_MAX for NULL or "". */
enum rv_status rv_aws_read_expiration(const char *what, const char *text, int64_t *ret_ms,
				      struct rv_error *err) RV_MUST_CHECK;
/* A small file whole, without line ends behind it. RV_AUTH when it cannot be read. */
enum rv_status rv_aws_read_secret_file(const char *what, const char *path, struct rv_strbuf *ret,
				       struct rv_error *err) RV_MUST_CHECK;

#endif
