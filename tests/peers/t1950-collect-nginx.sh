#!/bin/sh
test_description='the collector reads requests as nginx does, or refuses them, alone and behind it'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

nginx=$(command -v nginx || echo /usr/sbin/nginx)
test -x "$nginx" || test_bug "nginx is missing: make deps-peers installs it"
river init >/dev/null && river stream create web/clicks >/dev/null
test_atexit 'test -z "$nginx_pid" || kill "$nginx_pid" 2>/dev/null'

# nginx in front of the collector, on a port that is free now: $front
start_nginx () {
	front=$(python3 "$RIVER_SOURCE/tests/peers/free-ports.py" 1) && mkdir -p nginx &&
	cat >nginx.conf <<-EOF &&
	worker_processes 1; daemon off; pid nginx.pid; error_log stderr crit;
	events { worker_connections 256; }
	http {
		access_log off; client_header_timeout 3s; client_body_timeout 3s; client_max_body_size 1m;
		client_body_temp_path nginx/b; proxy_temp_path nginx/p; fastcgi_temp_path nginx/f;
		uwsgi_temp_path nginx/u; scgi_temp_path nginx/s;
		upstream river { server 127.0.0.1:$port; keepalive 4; }
		server {
			listen 127.0.0.1:$front;
			location / { proxy_pass http://river; proxy_http_version 1.1; proxy_set_header Connection "";
				proxy_set_header X-Forwarded-For \$remote_addr; }
		}
	}
	EOF
	{ "$nginx" -p "$PWD" -c nginx.conf >nginx.out 2>&1 & } && nginx_pid=$! &&
	test_wait_until 30 test -s nginx.pid
}
# It takes its pid file with it, which must not be that of the next one.
stop_nginx () {
	kill "$nginx_pid" && { wait "$nginx_pid"; nginx_pid=; }
}

# Each case is a line: what is expected, a name, and what printf makes the request of. "same": both take it, or
# both refuse it with 400 and more; "stricter": nginx takes it, and the collector does not, on purpose.
cat >cases <<\EOF
same plain POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
same lower-names POST /collect HTTP/1.1\r\nhost: h\r\ncontent-length: 22\r\n\r\n{"cid":"c","z":"%s"}
same chunked POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n{"cid":"c","z":"%s"}\r\n0\r\n\r\n
same chunk-extension POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n16;a=b\r\n{"cid":"c","z":"%s"}\r\n0\r\n\r\n
same old POST /collect HTTP/1.0\r\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
same pixel GET /collect?cid=c&z=%s HTTP/1.1\r\nHost: h\r\n\r\n
same absolute GET http://h/collect?cid=c&z=%s HTTP/1.1\r\nHost: h\r\n\r\n
same no-host POST /collect HTTP/1.1\r\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
same two-hosts POST /collect HTTP/1.1\r\nHost: h\r\nHost: i\r\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
same two-lengths POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
same both POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n{"cid":"c","z":"%s"}\r\n0\r\n\r\n
same negative POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n{"cid":"c","z":"%s"}
same plus POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: +22\r\n\r\n{"cid":"c","z":"%s"}
same hexadecimal POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 0x16\r\n\r\n{"cid":"c","z":"%s"}
same huge POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n{"cid":"c","z":"%s"}
same list POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 22, 21\r\n\r\n{"cid":"c","z":"%s"}
same gzip-chunked POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n16\r\n{"cid":"c","z":"%s"}\r\n0\r\n\r\n
same chunk-plus POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n+16\r\n{"cid":"c","z":"%s"}\r\n0\r\n\r\n
same chunk-0x POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x16\r\n{"cid":"c","z":"%s"}\r\n0\r\n\r\n
same chunk-short POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n{"cid":"c","z":"%s"}\r\n0\r\n\r\n
same fold POST /collect HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
same blank-colon POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length : 22\r\n\r\n{"cid":"c","z":"%s"}
same nul POST /collect HTTP/1.1\r\nHost: h\r\nX: a\000b\r\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
same no-version POST /collect\r\nHost: h\r\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
same http2 PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%s
same tls \026\003\001\002\000\001\000%s\r\n\r\n
stricter bare-lf POST /collect HTTP/1.1\nHost: h\nContent-Length: 22\n\n{"cid":"c","z":"%s"}
stricter lf-in-head POST /collect HTTP/1.1\r\nHost: h\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
stricter trailer POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n{"cid":"c","z":"%s"}\r\n0\r\nX: 1\r\n\r\n
stricter chunk-lf POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n16\n{"cid":"c","z":"%s"}\n0\n\n
stricter blanks-in-line POST  /collect  HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\n\r\n{"cid":"c","z":"%s"}
same get-with-body GET /collect?cid=c&z=%s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}
EOF

# ask PORT: the status of the first answer; none is 000
ask () {
	"$http_raw" "$1" --answers 1 <request >answer 2>/dev/null
	got=$(head -n 1 answer | strings | sed -n "s/^HTTP\/1.[01] \([0-9]*\).*/\1/p")
	echo "${got:-000}"
}

test_expect_success '184: each request is taken by both, or by none, or by nginx alone where that is meant' '
	test_when_finished end_collector && port= &&
	start_collector && start_nginx &&
	number=100 && : >differ && : >taken &&
	while read -r expected name text
	do
		number=$((number + 1)) &&
		printf "$(printf "%s" "$text" | sed "s/%s/d$number/")" >request && direct=$(ask "$port") &&
		printf "$(printf "%s" "$text" | sed "s/%s/f$number/")" >request && fronted=$(ask "$front") &&
		case $direct,$fronted in 2*,2*) verdict=same; printf "d%s\nf%s\n" $number $number >>taken ;;
		[0145]*,2*) verdict=stricter; echo f$number >>taken ;; 2*,*) verdict=laxer; echo d$number >>taken ;;
		*) verdict=same ;; esac &&
		test "$verdict" = "$expected" || echo "$name: $verdict, not $expected: collector $direct, nginx $fronted" >>differ
	done <cases &&
	test_must_be_empty differ && test_line_count -gt 10 taken &&
	stop_collector && stop_nginx &&
	sort taken >want && collected | sort >got && test_cmp want got
'

test_expect_success '184: nothing that is hidden in a body comes out as a request behind nginx' '
	test_when_finished end_collector && port= &&
	start_collector && start_nginx &&
	hidden="GET /collect?cid=c&z=smuggled HTTP/1.1\r\nHost: h\r\n\r\n" &&
	for fields in "Content-Length: 6\r\nTransfer-Encoding: chunked" "Transfer-Encoding: chunked\r\nContent-Length: 6" \
		"Transfer-Encoding: xchunked\r\nContent-Length: 6" "Transfer-Encoding : chunked\r\nContent-Length: 6" \
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: x" "Transfer-Encoding:\013chunked\r\nContent-Length: 6" \
		"X: x\nTransfer-Encoding: chunked\r\nContent-Length: 6" "Content-Length: 6\r\nContent-Length: 60" \
		" Transfer-Encoding: chunked\r\nContent-Length: 6" "Transfer-Encoding: chunked"
	do
		for where in "$front" "$port"
		do
			printf "POST /collect HTTP/1.1\r\nHost: h\r\n$fields\r\n\r\n0\r\n\r\nX" >request &&
			printf "$hidden" >>request && ask "$where" >>statuses || return 1
		done
	done &&
	stop_collector && stop_nginx &&
	collected >got && test_grep ! smuggled got
'

test_done
