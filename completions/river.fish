# fish completion of river: the words come from `river __complete`.
function __river_complete
	set -l before (commandline -opc)
	set -l current (commandline -ct)
	for line in (command $before[1] __complete (count $before) $before[2..-1] $current 2>/dev/null)
		switch $line
			case :files
				__fish_complete_path $current
			case :folders
				__fish_complete_directories $current
			case '*'
				echo $line
		end
	end
end
complete -c river -f -a '(__river_complete)'
