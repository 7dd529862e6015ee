# bash completion of river: the words come from `river __complete`.
_river () {
	local cur words cword line
	COMPREPLY=()
	if declare -F _get_comp_words_by_ref >/dev/null
	then
		# "--output=json" is one word, whatever COMP_WORDBREAKS says
		_get_comp_words_by_ref -n =: cur words cword
	else
		cur=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
	fi
	while IFS= read -r line
	do
		case $line in
		:files) compopt -o default ;;
		:folders) compopt -o dirnames ;;
		*) COMPREPLY+=("$line") ;;
		esac
	done < <("${words[0]}" __complete "$cword" "${words[@]:1}" 2>/dev/null)
	if declare -F __ltrim_colon_completions >/dev/null
	then
		__ltrim_colon_completions "$cur"
	fi
	# readline replaces only what stands behind the last =
	if [[ $cur == *=* && $COMP_WORDBREAKS == *=* ]]
	then
		COMPREPLY=("${COMPREPLY[@]#*=}")
	fi
}
complete -F _river river
