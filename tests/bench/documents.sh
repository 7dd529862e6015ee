# The section documents of run.sh, which reads this file.

# Nested documents of an archive, compressed, to DuckDB's lists of structs of the members unpacked for it, which
# counts too, and which have to fit in memory. First both are compared, byte by byte but for how they write
# moments. A customer is 1587 bytes in the tables that are read.
bench_documents () {
	need_duckdb || return 0
	zip=$(command -v zip) && unzip=$(command -v unzip) || {
		skip 'there is no zip or unzip'
		return 0
	}
	folder=$work/documents customers=${BENCH_CUSTOMERS:-$((mb * 603))}
	rm -rf "$folder" && mkdir -p "$folder" && cp "$here/documents.yaml" "$folder" || return 1
	printf 'profiles:\n  local: { lake: ./lake, state: ./state }\n' >"$folder/river.yaml"
	for size in 5000 $customers
	do
		rm -rf "$folder/csv" && mkdir "$folder/csv" &&
		"$tools/gen_warehouse" "$folder/csv" "$size" >"$folder/counts.json" &&
		bytes=$(cat "$folder"/csv/*.csv | wc -c) &&
		(cd "$folder/csv" && "$zip" -q -1 "../$size.zip" ./*.csv) || return 1
		test "$size" -ne 5000 || bench_documents_same || return 1
	done
	rm -rf "$folder/csv"
	sed "s|@|$folder/theirs|g" "$here/documents.sql" >"$folder/documents.sql" || return 1
	about "$customers customers, $bytes bytes of CSV in eight tables, of a ZIP archive"
	ours="cd '$folder' && exec '$river' extract-load documents.yaml $customers.zip --max-memory"
	theirs="'$unzip' -qo '$folder/$customers.zip' -d '$folder/theirs' && '$bare' sql :memory:"
	before="rm -rf '$folder/lake' '$folder/state' '$folder/theirs' && mkdir '$folder/theirs' && sync"
	sh -c "$before" && peak_of sh -c "$ours 512MiB" >"$folder/peak" &&
	peak_of sh -c "rm -rf '$folder/lake' '$folder/state'; $ours 64MiB" >"$folder/peak-64" || return 1
	measure -n "$rounds" --gb "$(awk -v n="$bytes" 'BEGIN { print n / 1e9 }')" --before "$before" \
		--bar 'CPU, to DuckDB=cpu 1/3 <= 0.07' --bar 'wall, to DuckDB=wall 1/3 <= 0.12' \
		"river, 512MiB=$ours 512MiB" "river, 64MiB=$ours 64MiB" \
		"unzip and DuckDB=$theirs \"\$(cat '$folder/documents.sql')\" \
			\"COPY documents TO '$folder/theirs/documents.zst' (FORMAT json, COMPRESSION zstd)\""
	code=$?
	for kind in '512MiB 512' '64MiB 256'
	do
		read -r peak processes <"$folder/peak$(test "${kind% *}" = 512MiB || echo -64)"
		hold "${kind% *}, resident memory of $processes processes together" "$peak" MiB '<=' "${kind#* }"
	done
	rm -rf "$folder"
	return $code
}

# Of the small archive, with as little memory as there may be: everything is spilled.
bench_documents_same () {
	sh -c "cd '$folder' && '$river' extract-load documents.yaml 5000.zip --max-memory 8MiB" &&
	"$bare" sql :memory: "$(sed "s|@|$folder/csv|g" "$here/documents.sql")" \
		"CREATE TABLE ours AS SELECT regexp_replace(json::VARCHAR,
			'\"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9:]{8})Z\"', '\"\\1 \\2\"', 'g') AS t
			FROM read_ndjson_objects('$folder/lake/loads/documents/*/documents-customer-*.zst')" \
		'CREATE TABLE theirs AS SELECT to_json(d)::VARCHAR AS t FROM documents d' \
		'SELECT (SELECT count(*) FROM ours) - 5000 + (SELECT count(*) FROM (FROM ours EXCEPT ALL FROM theirs)) +
			(SELECT count(*) FROM (FROM theirs EXCEPT ALL FROM ours))' >"$folder/differ" || return 1
	test "$(tail -n 1 "$folder/differ")" = 0 && return 0
	echo "documents: river and DuckDB differ in $(tail -n 1 "$folder/differ")" >&2
	return 1
}
