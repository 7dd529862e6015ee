/* A socket and a service, with what this profile and stream need and nothing more. */
#include "serve_unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/config.h"

/* systemd.syntax(7): '%' begins a specifier; systemd.service(5): in commands '$' a variable. */
static void add_word(struct rv_strbuf *out, const char *word, bool command)
{
	rv_strbuf_putc(out, '"');
	for (; *word; word++) {
		if (*word == '%' || (command && *word == '$'))
			rv_strbuf_putc(out, *word);
		if (*word == '"' || *word == '\\')
			rv_strbuf_putc(out, '\\');
		rv_strbuf_putc(out, *word);
	}
	rv_strbuf_putc(out, '"');
}

/* "*:8080" is what systemd calls "8080", and it knows no names: river listens on 127.0.0.1 for this one. */
static void add_listen_stream(struct rv_strbuf *out, const char *address)
{
	static const char local[] = "localhost:";
	if (rv_starts_with(address, local))
		rv_strbuf_printf(out, "127.0.0.1:%s", address + strlen(local));
	else
		rv_strbuf_puts(out, address + (address[0] == '*' && address[1] == ':' ? 2 : address[0] == ':'));
}

static void add_service(struct rv_strbuf *out, struct rv_command_context *cx, const char *name,
			const char *stream)
{
	static const char deleted[] = " (deleted)";
	char program[4096] = "/usr/local/bin/river";
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (n > 0)
		program[n] = '\0';
	/* An upgrade took the place of the binary that runs here: the unit begins the new one. */
	if (n > (ssize_t)strlen(deleted) && strcmp(program + n - strlen(deleted), deleted) == 0)
		program[(size_t)n - strlen(deleted)] = '\0';
	const char *file = rv_config_profile_file(cx->config);
	rv_strbuf_printf(out, "# /etc/systemd/system/%s.service\n[Unit]\n"
			 "Description=river collector of %s\nRequires=%s.socket\n"
			 "After=network-online.target\nWants=network-online.target\n\n"
			 "[Service]\nType=notify\nUser=river\n", name, stream, name);
	/* RIVER_CONFIG takes the place of all files, so it has to be the one with the profile. */
	if (file) {
		rv_strbuf_puts(out, "Environment=");
		RV_CLEANUP(rv_free_p) char *variable = rv_asprintf("RIVER_CONFIG=%s", file);
		add_word(out, variable, false);
		rv_strbuf_putc(out, '\n');
	}
	rv_strbuf_puts(out, "ExecStart=");
	add_word(out, program, true);
	rv_strbuf_printf(out, " --profile %s serve --collect %s\n", cx->profile->name, stream);
	rv_strbuf_puts(out, "ExecReload=/bin/kill -HUP $MAINPID\n"
			    "Restart=always\nRestartSec=1\nTimeoutStopSec=30\n"
			    "StateDirectory=river\nStateDirectoryMode=0700\nLimitNOFILE=65536\n"
			    "NoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=read-only\n"
			    "PrivateTmp=yes\nPrivateDevices=yes\nProtectKernelTunables=yes\n"
			    "ProtectControlGroups=yes\nRestrictSUIDSGID=yes\nLockPersonality=yes\n"
			    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n");
	if (cx->profile->lake_is_folder) {
		rv_strbuf_puts(out, "ReadWritePaths=");
		add_word(out, cx->profile->lake, false);
		rv_strbuf_putc(out, '\n');
	}
	rv_strbuf_puts(out, "\n[Install]\nWantedBy=multi-user.target\n");
}

void river_print_unit(struct rv_command_context *cx, const struct rv_stream *stream, const char *listen_on)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char stream_text[RV_STREAM_TEXT];
	rv_stream_text(stream, stream_text);
	RV_CLEANUP(rv_free_p) char *name = rv_asprintf("river-%s-%s", stream->business, stream->name);
	rv_strbuf_printf(&text, "# /etc/systemd/system/%s.socket\n[Unit]\n"
			 "Description=socket of the river collector of %s\n\n"
			 "[Socket]\nListenStream=", name, stream_text);
	add_listen_stream(&text, listen_on);
	rv_strbuf_puts(&text, "\nBacklog=4096\n\n[Install]\nWantedBy=sockets.target\n\n");
	add_service(&text, cx, name, stream_text);
	rv_out_write(cx->out, text.bytes, text.len);
}
