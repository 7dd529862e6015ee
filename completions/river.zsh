#compdef river
# zsh completion of river: the words come from `river __complete`.
_river () {
	local line
	local -a found
	for line in "${(@f)$(${words[1]} __complete $((CURRENT - 1)) "${(@)words[2,-1]}" 2>/dev/null)}"
	do
		case $line in
		:files) _files ;;
		:folders) _files -/ ;;
		?*) found+=("$line") ;;
		esac
	done
	(( $#found )) && compadd -- "$found[@]"
}
if [[ $funcstack[1] == _river ]]
then
	_river "$@"
else
	compdef _river river
fi
