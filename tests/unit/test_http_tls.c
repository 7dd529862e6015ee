/* TLS against `openssl s_server`: whose certificate is believed, and what is said when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>

#include "http/internal.h"
#include "unit/http_world.h"

static char folder[] = "/tmp/river-tls-XXXXXX";
static bool has_openssl;

/* NAME.crt is a certificate that signs itself; NAME.pem has its key too. */
static void make_certificate(const char *name, const char *alternative_name)
{
	RV_CLEANUP(rv_free_p) char *command = rv_asprintf(
		"cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
		"-keyout %s.key -out %s.crt -days 2 -subj /CN=river -addext subjectAltName=%s "
		"2>/dev/null && cat %s.key %s.crt >%s.pem", folder, name, name, alternative_name,
		name, name, name);

	assert_int_equal(system(command), 0);
}

/* Only `openssl ca` makes certificates whose time is over. */
static void make_expired(void)
{
	static const char config[] =
		"[ca]\ndefault_ca=c\n[c]\ndatabase=db\nnew_certs_dir=.\nrand_serial=yes\n"
		"default_md=sha256\npolicy=p\nx509_extensions=e\n[p]\nCN=supplied\n"
		"[e]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:TRUE\n";
	RV_CLEANUP(rv_free_p) char *command = rv_asprintf(
		"cd %s && : >db && printf '%s' >ca.cnf && openssl req -new -key good.key -subj /CN=river "
		"-out expired.csr 2>/dev/null && openssl ca -batch -notext -selfsign -config ca.cnf "
		"-keyfile good.key -in expired.csr -startdate 20200101000000Z "
		"-enddate 20200102000000Z -out expired.crt 2>/dev/null && "
		"cat good.key expired.crt >expired.pem", folder, config);

	assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
	http_world_setup(state);
	has_openssl = system("command -v openssl >/dev/null") == 0;
	if (!has_openssl)
		return 0;
	if (!mkdtemp(folder))
		return -1;
	make_certificate("good", "IP:127.0.0.1");
	make_certificate("other", "DNS:other.example");
	make_expired();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (has_openssl) {
		RV_CLEANUP(rv_free_p) char *command = rv_asprintf("rm -r %s", folder);
		return system(command);
	}
	return 0;
}

/* s_server prints what it receives and sends what it is given, and says when a session begins. */
struct tls_server {
	pid_t pid;
	int in, out;
	char url[64];
	pthread_t thread;
	struct rv_strbuf seen;
};

static void *answer_all(void *arg)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct tls_server *server = arg;
	size_t from = 0;
	char buf[4096];
	ssize_t n;

	while ((n = read(server->out, buf, sizeof(buf))) > 0) {
		rv_strbuf_add(&server->seen, buf, (size_t)n);
		const char *end;
		while ((end = strstr(server->seen.bytes + from, "\r\n\r\n"))) {
			from = (size_t)(end - server->seen.bytes) + 4;
			if (write(server->in, text, sizeof(text) - 1) < 0)
				return NULL;
		}
	}
	return NULL;
}

static void tls_start(struct tls_server *server, const char *certificate)
{
	RV_CLEANUP(rv_free_p) char *file = rv_asprintf("%s/%s.pem", folder, certificate);
	int in[2], out[2];

	*server = (struct tls_server){ .seen = RV_STRBUF_INIT };
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", file,
		       (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	server->in = in[1];
	server->out = out[0];
	const char *port;
	char buf[4096];
	while (!(port = strstr(server->seen.bytes, "ACCEPT 127.0.0.1:")) || !strchr(port, '\n')) {
		ssize_t n = read(server->out, buf, sizeof(buf));

		assert_true(n > 0);
		rv_strbuf_add(&server->seen, buf, (size_t)n);
	}
	snprintf(server->url, sizeof(server->url), "https://127.0.0.1:%d/", atoi(port + 17));
	assert_int_equal(pthread_create(&server->thread, NULL, answer_all, server), 0);
}

/* `seen` holds afterwards. */
static void tls_stop(struct tls_server *server)
{
	kill(server->pid, SIGKILL);
	assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
	pthread_join(server->thread, NULL);
	close(server->in);
	close(server->out);
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

static const char *ca_variable; /* where the user named the file */

static enum rv_status get(const struct tls_server *server, const char *ca, unsigned times,
			  enum rv_http_outcome *ret_outcome, struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
		RV_HTTP_RESPONSE_INIT;
	struct rv_http_request request = { .method = "GET", .url = server->url,
					   .body = RV_HTTP_NO_BODY };
	RV_CLEANUP(rv_free_p) char *file = ca ? rv_asprintf("%s/%s", folder, ca) : NULL;
	RV_CLEANUP(rv_http_free_p) struct rv_http *http =
		rv_http_new(&(struct rv_http_params){ .ca_file = file,
							  .ca_variable = ca_variable });
	enum rv_status status = RV_OK;

	for (unsigned i = 0; i < times && status == RV_OK; i++)
		status = rv_http_once(http, &request, &response, ret_outcome, err);
	return status;
}

static void test_trusted(void **state)
{
	struct tls_server server;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_http_outcome outcome;
	(void)state;

	if (!has_openssl)
		skip();
	tls_start(&server, "good");
	assert_int_equal(get(&server, "good.crt", 4, &outcome, &err), RV_OK);
	tls_stop(&server);
	/* one connection for all four: TLS's own messages do not make it look dead */
	assert_int_equal(count(server.seen.bytes, "BEGIN SSL SESSION"), 1);
	assert_int_equal(count(server.seen.bytes, "GET / HTTP/1.1\r\n"), 4);
	rv_strbuf_release(&server.seen);
}

static void test_201_not_trusted(void **state)
{
	static const struct {
		const char *certificate, *ca, *says, *hint, *variable;
	} cases[] = {
		{ "good", NULL, "is not trusted: ", "in AWS_CA_BUNDLE" },
		{ "good", NULL, "is not trusted: ", "in REQUESTS_CA_BUNDLE", "REQUESTS_CA_BUNDLE" },
		{ "good", "other.crt", "is not trusted: ", "X or the profile names", "X" },
		{ "good", "other.crt", "is not trusted: ", "--x names", "--x" },
		{ "good", "other.crt", "is not trusted: ", "other.crt" },
		{ "other", "other.crt", "is for another host: ", "check the endpoint" },
		{ "expired", "expired.crt", "has expired", "clock" },
		{ "good", "missing.crt", "cannot use the certificates in ", "PEM" },
		{ "good", "good.key", "cannot use the certificates in ", "PEM" },
	};
	(void)state;

	if (!has_openssl)
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tls_server server;
		struct rv_error err = RV_ERROR_INIT;
		enum rv_http_outcome outcome;

		ca_variable = cases[i].variable;
		tls_start(&server, cases[i].certificate);
		enum rv_status status = get(&server, cases[i].ca, 1, &outcome, &err);
		tls_stop(&server);
		assert_int_equal(status, RV_BAD_CONFIG);
		assert_int_equal(outcome, RV_HTTP_NOT_SENT);
		assert_false(err.transient);
		if (!strstr(err.message, cases[i].says) || !strstr(err.hint, cases[i].hint))
			fail_msg("case %zu: %s; %s", i, err.message, err.hint);
		assert_int_equal(count(server.seen.bytes, "GET "), 0);
		rv_strbuf_release(&server.seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trusted),
		cmocka_unit_test(test_201_not_trusted),
	};
	return cmocka_run_group_tests_name("http TLS", tests, setup, teardown);
}
