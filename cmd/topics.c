/* `river help <topic>`: what the tables know, and what no single command can say. */
#include "help.h"

#include <stdlib.h>

#include "base/memory.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "commands.h"
#include "config/keys.h"

static void paragraph(struct rv_strbuf *sb, const char *text)
{
	rv_help_wrap(sb, text, 0, 0);
	rv_strbuf_putc(sb, '\n');
}

static void topic_exit_codes(struct rv_strbuf *sb)
{
	rv_strbuf_puts(sb, "What river's exit codes mean:\n\n");
	rv_help_exit_codes(sb);
	rv_strbuf_putc(sb, '\n');
	rv_help_wrap(sb,
		     "Where several hold, the first of 70, 10, 12, 4, 8, 7 is given. The numbers are "
		     "never used again for something else, so scripts may rely on them.", 0, 0);
	rv_strbuf_putc(sb, '\n');
	rv_help_wrap(sb,
		     "Results that could not be written to standard output (a full disk, a closed "
		     "descriptor) are 10, also when all else went well. A reader that has seen "
		     "enough and left, as in 'river query ... | head -1', is no failure: river "
		     "stops writing and ends with the code it would have ended with.", 0, 0);
	rv_strbuf_putc(sb, '\n');
	rv_help_wrap(sb,
		     "With --output json an error is one JSON object on standard error: error is "
		     "the status by name, code the exit code; message, hint, file and line say the "
		     "rest.", 0, 0);
}

/* ---- environment -------------------------------------------------------------------------- */

static void option_variables(struct rv_strbuf *sb, const struct rv_opt *table, const char *scope)
{
	for (const struct rv_opt *o = table; o && o->type != RV_OPT_END; o++) {
		char name[RV_CLI_ENV_TEXT];
		if (rv_cli_env(o, scope, name))
			rv_help_entry(sb, name, o->help, 36);
	}
}

static void topic_environment(struct rv_strbuf *sb)
{
	paragraph(sb, "Every long option can be given as an environment variable, and every "
		      "configuration key too. What is typed wins over the variable, the variable "
		      "over river.yaml, and that over the default. A variable that is set to "
		      "nothing counts as not set; a value that cannot be read is an error that "
		      "names the variable.");
	rv_help_entry(sb, "RIVER_<OPTION>", "an option of every command: --output is RIVER_OUTPUT",
		      28);
	rv_help_entry(sb, "RIVER_<COMMAND>_<OPTION>",
		      "an option of one command: 'river stream list --long' is "
		      "RIVER_STREAM_LIST_LONG", 28);
	rv_help_entry(sb, "RIVER_<KEY>",
		      "a configuration key: warehouse.path is RIVER_WAREHOUSE_PATH", 28);
	rv_strbuf_putc(sb, '\n');
	paragraph(sb, "Flags take 1, true, yes, on or 0, false, no, off. An option that may be "
		      "repeated takes one item a line, or commas between where it takes commas. "
		      "Secrets are never options; there is no variable that sets one on a command "
		      "line.");
	rv_strbuf_puts(sb, "Options of every command:\n");
	option_variables(sb, river_globals_table, NULL);
	for (const struct rv_command *const *c = river_commands; *c; c++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf lines = RV_STRBUF_INIT;
		option_variables(&lines, (*c)->options, (*c)->name);
		if ((*c)->group != RV_GROUP_HIDDEN && lines.len)
			rv_strbuf_printf(sb, "\nriver %s:\n%s", (*c)->name, lines.bytes);
	}
	rv_strbuf_puts(sb, "\nConfiguration keys of the chosen profile:\n");
	for (size_t i = 0; i < rv_keys_count; i++) {
		if (rv_key_has_star(&rv_keys[i]))
			continue;
		RV_CLEANUP(rv_free_p) char *name = rv_key_env(&rv_keys[i]);
		rv_help_entry(sb, name, rv_keys[i].help, 36);
	}
	rv_strbuf_puts(sb, "\nOthers:\n");
	static const char *const others[][2] = {
		{ "RIVER_CONFIG", "one file that replaces all river.yaml files" },
		{ "RIVER_STATE_DIR", "folder of journals, checkpoints and spool, from /" },
		{ "RIVER_DUCKDB", "the libduckdb.so to open" },
		{ "STATE_DIRECTORY", "as set by systemd: state goes there without RIVER_STATE_DIR" },
		{ "XDG_CONFIG_HOME", "river/config.yaml in it is the user's configuration" },
		{ "XDG_DATA_HOME", "holds the lake of the profile local when nothing is configured" },
		{ "XDG_STATE_HOME", "river in it holds the state of the user's runs" },
		{ "NO_COLOR", "set to anything: no colors, unless --color=always" },
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		rv_help_entry(sb, others[i][0], others[i][1], 36);
	rv_strbuf_putc(sb, '\n');
	rv_help_wrap(sb, "The variables of AWS's and Snowflake's own tools and those of proxies count as well: "
			 "'river help aws', 'river help snowflake'.", 0, 0);
}

/* ---- formats ------------------------------------------------------------------------------ */

static void topic_formats(struct rv_strbuf *sb)
{
	paragraph(sb, "What 'river push' reads. Input may be plain or compressed with gzip, zstd, "
		      "bzip2 or xz; the first bytes decide, not the name.");
	paragraph(sb, "Without --format, files called .csv or .tsv are csv and .txt is text, also "
		      "with what log rotation puts behind (.1, -20261129) and .gz, .zst, .bz2 or .xz; "
		      ".log is text unless it begins as JSON. A .tsv is split at tabs, unless "
		      "--csv-delimiter or the stream's definition has another character. "
		      "All else is JSON: json when it begins with '[' or its first object goes on "
		      "in a later line, and ndjson when any line of the first MiB stands alone as "
		      "objects. A pipe has no name, so csv and text need --format there.");
	rv_help_entry(sb, "ndjson",
		      "A line holds one or more whole objects, also with nothing between them "
		      "({}{}), and never goes on in the next line: a bad line costs only itself.", 10);
	rv_help_entry(sb, "json",
		      "An array of objects, or objects over several lines. Newlines between tokens "
		      "become spaces. After an error reading goes on at the next line with '{' in "
		      "its first column.", 10);
	rv_help_entry(sb, "csv",
		      "RFC 4180: quoted fields may hold line ends, delimiters and doubled quotes; "
		      "CRLF and LF end rows. The first row names the columns unless the stream's "
		      "definition does. A row becomes an object of strings, exactly as they stand, "
		      "keys in the order of the columns. A row with more or fewer fields is a "
		      "reject.", 10);
	rv_help_entry(sb, "text",
		      "A line becomes {\"text\":\"...\"}. A carriage return before the line end is "
		      "dropped.", 10);
	rv_strbuf_putc(sb, '\n');
	paragraph(sb, "A byte order mark is dropped at the beginning of the input. Blank lines are "
		      "skipped and not counted.");
	paragraph(sb, "A record is one JSON object as RFC 8259 has it, in UTF-8. Its bytes are kept "
		      "as they came: the order of keys, spaces, 1.50, 1e400, numbers of any length, "
		      "duplicate keys (the last one counts for columns) and \\u0000 are all kept.");
	rv_strbuf_puts(sb, "Rejected, with file, line, byte offset and reason:\n");
	static const char *const rejected[] = {
		"what is no whole object: arrays, numbers, words, lines that break off",
		"bytes that are not UTF-8, and control characters inside strings",
		"lone surrogate escapes such as \\ud800: one makes a warehouse refuse a whole file",
		"arrays and objects nested deeper than 1024",
		"records over 16 MiB (--max-record changes that, up to 128 MiB)",
		"a top-level key _river, where the stream is stamped with it",
	};
	for (size_t i = 0; i < sizeof(rejected) / sizeof(rejected[0]); i++)
		rv_help_entry(sb, "-", rejected[i], 5);
	rv_strbuf_putc(sb, '\n');
	rv_help_wrap(sb,
		     "push checks the format, never a stream's contract: a record that does not fit "
		     "the declared columns is kept in raw, and the table <stream>_refused says why it "
		     "is not in clean.", 0, 0);
}

/* ---- aws ---------------------------------------------------------------------------------- */

static void topic_aws(struct rv_strbuf *sb)
{
	paragraph(sb, "A profile of river.yaml whose lake is s3://bucket/prefix works on S3, and with "
		      "'delivery: firehose' records travel through Amazon Data Firehose. river makes no "
		      "buckets, roles, queues and no policies; 'river stream create --print-policy' prints "
		      "what they have to be allowed, and 'river doctor' says what is missing.");
	paragraph(sb, "Credentials are looked for in this order; the first place that has some decides, "
		      "and one that is wrong is an error:");
	static const char *const places[][2] = {
		{ "environment", "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. Not looked at "
				 "when river.yaml names aws.profile." },
		{ "AWS profile", "aws.profile, else AWS_PROFILE, else default, in ~/.aws/credentials and "
				 "~/.aws/config: keys, role_arn with source_profile or credential_source, "
				 "SSO, credential_process." },
		{ "web identity", "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN" },
		{ "container", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI" },
		{ "EC2", "instance metadata, version 2; AWS_EC2_METADATA_DISABLED=true leaves it out" },
	};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		rv_help_entry(sb, places[i][0], places[i][1], 16);
	rv_strbuf_putc(sb, '\n');
	paragraph(sb, "Temporary ones are renewed in time, also in the middle of a push.");
	static const char *const others[][2] = {
		{ "region", "aws.region, else AWS_REGION, AWS_DEFAULT_REGION, the AWS profile, EC2" },
		{ "endpoint", "--endpoint-url or aws.endpoint_url, else AWS_ENDPOINT_URL_S3, _FIREHOSE or _STS, "
			      "AWS_ENDPOINT_URL, endpoint_url in AWS's own files" },
		{ "certificates", "AWS_CA_BUNDLE, or ca_bundle of the AWS profile: a PEM file. There is no "
				  "way to switch verification off." },
		{ "proxy", "HTTPS_PROXY, http_proxy, NO_PROXY" },
		{ "files", "AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE instead of those in ~/.aws" },
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		rv_help_entry(sb, others[i][0], others[i][1], 16);
	rv_strbuf_putc(sb, '\n');
	paragraph(sb, "When Firehose or S3 cannot be reached or throttles in the middle of a push, what was "
		      "accepted is kept in the spool, or in its file, and the push ends with 8: do not send "
		      "it again, the next push or 'river spool flush' does. What somebody has to mend is told "
		      "at once: refused or expired credentials end it with 4, a deleted bucket or delivery "
		      "stream with 5, and what was accepted is kept as well.");
	paragraph(sb, "A push that cannot read the stream's definition at its start has accepted nothing, and "
		      "ends with 1, 4 or 5. So behind 4 and 5 a pipe's message tells which it is: 'accepted "
		      "and spooled' is not to be sent again. A program asks for --output json, which prints "
		      "the counts (\"accepted\") when the push had begun and nothing when it had not. A file, "
		      "and a pipe with --run, may be pushed again in every case.");
	paragraph(sb, "When it is not known whether Firehose took a batch, it is sent again under the same "
		      "stamps, and the clean table keeps one of each.");
	paragraph(sb, "Firehose bills each of its records rounded up to 5 KiB. 'delivery.packing: lines' lets "
		      "many lines travel as one; the objects in the lake are the same. Records too large for "
		      "Firehose (1,024,000 bytes with their stamp) go to the lake beside it, and so do those it "
		      "keeps refusing.");
	rv_help_wrap(sb, "See also river.yaml(5), river-stream-create(1), river-push(1).", 0, 0);
}

/* ---- snowflake ---------------------------------------------------------------------------- */

static void topic_snowflake(struct rv_strbuf *sb)
{
	paragraph(sb, "A profile of river.yaml with 'warehouse: { type: snowflake, ... }' has its tables in "
		      "Snowflake. The lake is s3://bucket/prefix: Snowpipe loads its objects. 'river doctor' "
		      "says what is missing.");
	paragraph(sb, "Who signs in, and where, is read as Snowflake's own command line reads it, each value "
		      "from the first place that has it:");
	static const char *const places[][2] = {
		{ "profile", "warehouse.connection, .database, .warehouse and .role of river.yaml" },
		{ "variable", "SNOWFLAKE_CONNECTIONS_<NAME>_<KEY>" },
		{ "file", "[name] in connections.toml, else [connections.name] in config.toml: in "
			  "SNOWFLAKE_HOME, else ~/.snowflake, else ~/.config/snowflake; mode 0600" },
		{ "variable", "SNOWFLAKE_<KEY>: SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, ..." },
	};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		rv_help_entry(sb, places[i][0], places[i][1], 16);
	rv_strbuf_putc(sb, '\n');
	static const char *const keys[][2] = {
		{ "key pair", "authenticator = \"SNOWFLAKE_JWT\", private_key_file; a passphrase in "
			      "PRIVATE_KEY_PASSPHRASE. Snowpipe takes nothing else." },
		{ "token", "authenticator = \"OAUTH\" or \"PROGRAMMATIC_ACCESS_TOKEN\", token or "
			   "token_file_path: for statements" },
		{ "certificates", "REQUESTS_CA_BUNDLE: a PEM file, where something looks into TLS. There is no "
				  "way to switch verification off." },
		{ "proxy", "HTTPS_PROXY, NO_PROXY" },
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		rv_help_entry(sb, keys[i][0], keys[i][1], 16);
	rv_strbuf_puts(sb, "\nWhat the role has to be allowed:\n\n");
	static const char *const grants[][2] = {
		{ "create, apply", "USAGE on the warehouse; CREATE DATABASE, or USAGE and CREATE SCHEMA on the "
				   "database; CREATE INTEGRATION where storage_role_arn is set, else USAGE on "
				   "the integration or on warehouse.stage; unless 'roles: none', CREATE ROLE, and "
				   "USAGE and MONITOR on the warehouse WITH GRANT OPTION; EXECUTE TASK where "
				   "retention.warehouse is set" },
		{ "push, notify", "what grants.push of a definition gives: OPERATE and MONITOR on the pipe, "
				  "the ledger, reading; where columns are masked, grants.admin or the role "
				  "<database>_RW. Snowpipe acts as the user's default role." },
		{ "extract-load", "what create needs, for the schemas of the job; where all is there, the role "
				  "<database>_RW" },
		{ "status, history", "what push needs" },
		{ "query", "what grants.read gives, or the role <database>_RO" },
	};
	for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++)
		rv_help_entry(sb, grants[i][0], grants[i][1], 18);
	rv_strbuf_putc(sb, '\n');
	paragraph(sb, "A pipe takes names of objects and loads them a while later: they are queued, and loaded "
		      "when their rows are there. A pipe with 'pipe: auto' hears of new objects when the bucket "
		      "notifies its queue, which 'river snowpipe status' prints: set notify.arn to it, and create "
		      "the stream again. What Snowpipe forgets after 14 days is kept in river's own table, "
		      "RIVER.LEDGER.");
	paragraph(sb, "raw holds records as VARIANT, which keeps values and not their spelling; the lake keeps every "
		      "byte. Statements start the warehouse, and so do dynamic tables and tasks, at most every "
		      "third of monitor.freshness.");
	rv_help_wrap(sb, "See also river.yaml(5), river-stream(5), river-stream-create(1), "
			 "river-snowpipe-notify(1).", 0, 0);
}

/* ---- concepts ----------------------------------------------------------------------------- */

static void topic_concepts(struct rv_strbuf *sb)
{
	static const char *const words[][2] = {
		{ "record", "One JSON object. Its bytes are kept as they came." },
		{ "stream", "A named flow business/name, defined in the lake's catalog. A plain name "
			    "means main/name." },
		{ "lake", "A folder, or s3://bucket/prefix. Everything lands there first." },
		{ "delivery", "How batches become objects in the lake. direct: river writes them; "
			      "firehose: Amazon Data Firehose does." },
		{ "stamp", "\"_river\":{\"id\":...}, which river adds to each record that goes through "
			   "Firehose, so that one that comes twice is known." },
		{ "landing", "Where whole files are uploaded with a URL of 'river push --presign', until "
			     "'river landing process' publishes them." },
		{ "warehouse", "Where loaded rows are queried. duckdb is embedded: one file; "
			       "snowflake: an account." },
		{ "pipe", "What loads a stream's objects into its raw table. auto: whoever looks "
			  "loads first, and on Snowflake Snowpipe by itself; notify: 'river snowpipe "
			  "notify' does." },
		{ "queued", "Taken by a pipe of Snowflake, and not loaded yet." },
		{ "layer", "raw: every record with its origin. clean: the contract's typed columns, "
			   "de-duplicated. latest: the newest row of each key." },
		{ "refused", "The table of records the contract refuses, with the reason." },
		{ "reject", "Input that is no record: its bytes are kept aside with reason, file, "
			    "line and offset." },
		{ "spool", "The local, durable waiting room of accepted batches." },
		{ "checkpoint", "How far a file has been pushed, so that the same file again sends "
				"only what was added." },
		{ "run", "One push. Its name is part of every object it writes, so the same run "
			 "again writes nothing twice." },
		{ "receipt", "What a run leaves behind in the lake: its counts and hashes." },
		{ "ledger", "Receipts, object names and the warehouse's load records, joined: "
			    "'river status' shows it." },
		{ "profile", "A named choice of lake, delivery and warehouse in river.yaml." },
	};
	paragraph(sb, "The words river uses:");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		rv_help_entry(sb, words[i][0], words[i][1], 14);
	rv_strbuf_puts(sb, "\nThe way of a record, and what must be equal at every hop:\n\n");
	rv_strbuf_puts(sb, "  read   = accepted + rejected\n"
			   "  accepted = spooled + sent + landed\n"
			   "  landed = loaded + load-rejected + pending\n"
			   "  raw    = clean + duplicates + refused\n\n");
	rv_help_wrap(sb, "Each number is counted on its own; 'river status --check' compares them.",
		     0, 0);
}

const struct river_topic river_topics[] = {
	{ "aws", "a lake on S3, Firehose, credentials, endpoints", topic_aws },
	{ "concepts", "the words river uses", topic_concepts },
	{ "environment", "every environment variable", topic_environment },
	{ "exit-codes", "what each exit code means", topic_exit_codes },
	{ "formats", "what 'river push' reads, keeps and rejects", topic_formats },
	{ "snowflake", "tables in Snowflake: signing in, privileges, pipes", topic_snowflake },
	{ NULL }
};
