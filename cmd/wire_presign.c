/* The part of the wiring that signs URLs; see wire.c. */
#include <stdlib.h>

#include "aws/client.h"
#include "aws/s3.h"
#include "base/memory.h"
#include "config/config.h"
#include "context.h"

void rv_presigned_release(struct rv_presigned *presigned)
{
	free(presigned->url);
	json_decref(presigned->headers);
	*presigned = (struct rv_presigned){ .url = NULL };
}

static json_t *headers_json(const struct rv_http_headers *headers)
{
	json_t *o = json_object();
	for (size_t i = 0; i < headers->count; i++)
		json_object_set_new(o, headers->items[i].name, json_string(headers->items[i].value));
	return o;
}

enum rv_status rv_wire_presign(const struct rv_profile *profile, const char *object, uint64_t bytes,
			       const char *crc32c, int64_t expires_s, struct rv_presigned *ret,
			       struct rv_error *err)
{
	struct rv_aws *aws;
	struct rv_s3 *s3;
	struct rv_http_headers headers = { 0 };
	struct rv_aws_credentials credentials = { .expires_ms = INT64_MAX };
	struct rv_presigned presigned = { .url = NULL };
	if (rv_wire_aws(profile, &aws, err) != RV_OK ||
	    rv_s3_new(aws, profile->bucket, &s3, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p)
	char *key = profile->lake_prefix && profile->lake_prefix[0]
			    ? rv_asprintf("%s/%s", profile->lake_prefix, object)
			    : rv_strdup(object);
	/* Asked first: a URL cannot be sent on to the region where the bucket is, nor correct a clock. */
	enum rv_status status = rv_s3_check_bucket(s3, err);
	if (status == RV_OK)
		status = rv_s3_presign_put(s3, key, bytes, crc32c, expires_s, &presigned.url, &headers,
					   err);
	if (status == RV_OK)
		status = rv_aws_chain_get(aws->chain, aws->clock_offset_ms, &credentials, err);
	if (status == RV_OK) {
		presigned.headers = headers_json(&headers);
		presigned.session = credentials.session_token != NULL;
		presigned.session_ends_ms = credentials.expires_ms;
		*ret = presigned;
		presigned = (struct rv_presigned){ .url = NULL };
	}
	rv_aws_credentials_release(&credentials);
	rv_http_headers_release(&headers);
	rv_presigned_release(&presigned);
	rv_s3_free(s3);
	return status;
}
