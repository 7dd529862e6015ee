# The sections extract and parquet of run.sh, which reads this file.

# peak_of COMMAND...: MiB that its process and those it starts have had resident, each at its most, together
peak_of () {
	"$@" >"$work/peak.log" 2>&1 &
	peak=$!
	: >"$work/peaks"
	while kill -0 "$peak" 2>/dev/null
	do
		for process in $peak $(cat /proc/$peak/task/*/children 2>/dev/null)
		do
			sed -n "s/^VmHWM:[^0-9]*\([0-9]*\).*/$process \1/p" "/proc/$process/status" 2>/dev/null
		done >>"$work/peaks"
		sleep 0.02
	done
	wait "$peak" || { cat "$work/peak.log" >&2; return 1; }
	awk '$2 > most[$1] { most[$1] = $2 }
		END { for (p in most) { n++; kib += most[p] }; printf "%.1f %d\n", kib / 1024, n }' "$work/peaks"
	rm -f "$work/peaks" "$work/peak.log"
}

# sums_of FUNCTION PATTERN: rows, and sums of two columns, of each table whose files PATTERN (with @ for the table)
# names, as FUNCTION reads them
sums_of () {
	for columns in customers,customer_id,credit addresses,address_id,customer_id \
		products,product_id,product_id orders,order_id,gross order_lines,line_id,amount \
		payments,payment_id,amount shipments,shipment_id,order_id
	do
		table=${columns%%,*} key=${columns#*,}
		"$bare" csv :memory: "SELECT '$table' AS name, count(*) AS n, sum(${key%,*})::BIGINT AS keys,
			sum(${key#*,}::DECIMAL(18, 2))::VARCHAR AS total
			FROM $1('$(echo "$2" | sed "s/@/$table/")')" | sed 1d || return 1
	done
}

# make_extract FOLDER: extract.zip in it, made anew; sets folder, customers, tables and bytes (of text). A customer is
# 1587 bytes in all tables.
make_extract () {
	folder=$1 customers=${BENCH_CUSTOMERS:-$((mb * 630))}
	tables='customers addresses products orders order_lines payments shipments'
	rm -rf "$folder" && mkdir -p "$folder/csv" "$folder/theirs" &&
	"$tools/gen_warehouse" "$folder/csv" "$customers" >"$folder/counts.json" &&
	(cd "$folder/csv" && "$zip" -q -1 ../extract.zip ./*.csv) || return 1
	bytes=$(cd "$folder/csv" && for table in $tables; do cat $table.csv; done | wc -c)
	rm -rf "$folder/csv"
}

# Tables of an extract to NDJSON, to DuckDB reading the members that were unpacked for it, which counts too. The
# rows are the same; river writes numbers as they were written.
bench_extract () {
	need_duckdb || return 0
	zip=$(command -v zip) && unzip=$(command -v unzip) || {
		skip 'there is no zip or unzip'
		return 0
	}
	make_extract "$work/extract" || return 1
	printf 'profiles:\n  local: { lake: ./lake, state: ./state }\n' >"$folder/river.yaml"
	for kind in gzip zstd
	do
		ending=gz
		test $kind = gzip || ending=zst
		{
			sed '/^documents:/,$d; s/^job: .*/job: bench/' "$here/documents.yaml" && echo loads: &&
			for table in $tables
			do
				echo "  $table: { to: lake, compression: $kind }"
			done
		} >"$folder/$kind.yaml" &&
		for table in $tables
		do
			printf "COPY (FROM read_csv('%s')) TO '%s' (FORMAT json, COMPRESSION %s);" \
				"$folder/theirs/$table.csv" "$folder/theirs/$table.json.$ending" $kind
		done >"$folder/$kind.sql" || return 1
	done
	about "$customers customers, $bytes bytes of CSV in seven tables, of a ZIP archive"
	before="rm -rf '$folder/lake' '$folder/state' '$folder/theirs' && mkdir '$folder/theirs'"
	ours="cd '$folder' && exec '$river' extract-load"
	theirs="'$unzip' -qo '$folder/extract.zip' -d '$folder/theirs' && '$bare' sql :memory:"
	for kind in gzip zstd
	do
		ending=gz
		test $kind = gzip || ending=zst
		sh -c "$before" && peak_of sh -c "$ours $kind.yaml extract.zip" >"$folder/$kind.peak" &&
		sh -c "$theirs \"\$(cat '$folder/$kind.sql')\"" >/dev/null &&
		sums_of read_ndjson "$folder/lake/loads/bench/*/@-*.ndjson.$ending" >"$folder/have" &&
		sums_of read_ndjson "$folder/theirs/@.json.$ending" >"$folder/want" && cmp "$folder/have" "$folder/want" &&
		test "$(wc -l <"$folder/have")" -eq 7 || {
			echo "extract: river has other rows than DuckDB, $kind" >&2
			return 1
		}
	done
	measure -n "$rounds" --gb "$(awk -v n="$bytes" 'BEGIN { print n / 1e9 }')" --before "$before" \
		--bar 'gzip, CPU, to DuckDB=cpu 1/2 <= 0.08' --bar 'zstd, CPU, to DuckDB=cpu 3/4 <= 0.28' \
		--bar 'zstd, wall, to DuckDB=wall 3/4 <= 0.4' \
		"river, gzip=$ours gzip.yaml extract.zip" \
		"unzip and DuckDB, gzip=$theirs \"\$(cat '$folder/gzip.sql')\"" \
		"river, zstd=$ours zstd.yaml extract.zip" \
		"unzip and DuckDB, zstd=$theirs \"\$(cat '$folder/zstd.sql')\""
	code=$?
	for kind in gzip zstd
	do
		read -r peak processes <"$folder/$kind.peak"
		test "$processes" -gt 1 || { echo 'extract: no child was seen' >&2; code=1; }
		hold "$kind, resident memory of $processes processes together" "$peak" MiB '<=' 256
	done
	rm -rf "$folder"
	return $code
}

# The same tables to Parquet, to DuckDB reading unpacked members: what both write holds the same rows, and the
# same sums of columns.
bench_parquet () {
	need_duckdb || return 0
	zip=$(command -v zip) && unzip=$(command -v unzip) || {
		skip 'there is no zip or unzip'
		return 0
	}
	make_extract "$work/parquet" || return 1
	printf 'profiles:\n  local: { lake: ./lake, state: ./state }\n' >"$folder/river.yaml"
	{
		sed '/^documents:/,$d; s/^job: .*/job: bench/' "$here/documents.yaml" && echo loads: &&
		for table in $tables
		do
			echo "  $table: { to: lake, format: parquet }"
		done
	} >"$folder/job.yaml" &&
	for table in $tables
	do
		printf "COPY (FROM read_csv('%s')) TO '%s' (FORMAT parquet, COMPRESSION zstd);" \
			"$folder/theirs/$table.csv" "$folder/theirs/$table.parquet"
	done >"$folder/job.sql" || return 1
	about "$customers customers, $bytes bytes of CSV in seven tables, of a ZIP archive"
	before="rm -rf '$folder/lake' '$folder/state' '$folder/theirs' && mkdir '$folder/theirs'"
	ours="cd '$folder' && exec '$river' extract-load job.yaml extract.zip"
	theirs="'$unzip' -qo '$folder/extract.zip' -d '$folder/theirs' && '$bare' sql :memory: \"\$(cat '$folder/job.sql')\""
	sh -c "$before" && peak_of sh -c "$ours" >"$folder/peak" && sh -c "$theirs" >/dev/null &&
	sums_of read_parquet "$folder/lake/loads/bench/*/@-*.parquet" >"$folder/have" &&
	sums_of read_parquet "$folder/theirs/@.parquet" >"$folder/want" && cmp "$folder/have" "$folder/want" &&
	test "$(wc -l <"$folder/have")" -eq 7 || {
		echo 'extract: river has other rows than DuckDB, Parquet' >&2
		return 1
	}
	echo "bytes of Parquet: river $(cat "$folder"/lake/loads/bench/*/*.parquet | wc -c)," \
		"DuckDB $(cat "$folder"/theirs/*.parquet | wc -c)"
	echo
	measure -n "$rounds" --gb "$(awk -v n="$bytes" 'BEGIN { print n / 1e9 }')" --before "$before" \
		--bar 'CPU, to DuckDB=cpu 1/2 <= 0.85' "river=$ours" "unzip and DuckDB=$theirs"
	code=$?
	read -r peak processes <"$folder/peak"
	test "$processes" -gt 1 || { echo 'extract: no child was seen' >&2; code=1; }
	hold "resident memory of $processes processes together" "$peak" MiB '<=' 256
	rm -rf "$folder"
	return $code
}
