/* The client: what all requests of a process share. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/internal.h"

struct rv_http *rv_http_new(const struct rv_http_params *params)
{
	struct rv_http *http = rv_calloc(1, sizeof(*http));

	if (params->ca_file && *params->ca_file)
		http->ca_file = rv_strdup(params->ca_file);
	http->ca_variable = rv_strdup(params->ca_variable ? params->ca_variable : "AWS_CA_BUNDLE");
	http->should_stop = params->should_stop;
	http->trace = params->trace;
	http->trace_arg = params->trace_arg;
	pthread_mutex_init(&http->mutex, NULL);
	rv_http_budget_init(&http->budget);
	return http;
}

void rv_http_free(struct rv_http *http)
{
	const struct rv_curl_api *api = NULL;
	struct rv_error err = RV_ERROR_INIT;

	if (!http)
		return;
	if (http->idle && rv_curl_api(&api, &err) == RV_OK) {
		while (http->idle) {
			struct rv_http_conn *conn = http->idle;

			http->idle = conn->next;
			api->easy_cleanup(conn->easy);
			free(conn->origin);
			free(conn);
		}
	}
	pthread_mutex_destroy(&http->budget.mutex);
	pthread_mutex_destroy(&http->mutex);
	free(http->ca_file);
	free(http->ca_variable);
	free(http);
}

void rv_http_free_p(struct rv_http **http)
{
	rv_http_free(*http);
	*http = NULL;
}
