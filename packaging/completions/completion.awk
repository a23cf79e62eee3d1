# Makes the completion of a shell out of the table that a program prints:
#	valise-relay --list-commands | awk -v shell=bash|zsh|fish -f completion.awk
# The rows, with tabs between their columns and "-" for what is empty:
#	program  NAME  summary
#	command  WORD  OPERANDS  help		(a program without words has one row with the word -)
#	option   WORD  LONG  LETTER  VALUE  help	(of the word -: for all, and before them)
# How a value or an operand is completed is in its name: FILE and DIR are paths, words with | between them choices.
BEGIN {
	FS = "\t"
}

$1 == "program" {
	program = $2
	name = $2
	gsub(/-/, "_", name)
}

$1 == "command" {
	if ($2 != "-") {
		words[++word_count] = $2
		help_of[$2] = $4
	}
	operands_of[$2] = $3
}

$1 == "option" {
	n = ++option_count
	word_of[n] = $2
	long_of[n] = $3
	letter_of[n] = $4
	value_of[n] = $5
	option_help[n] = $6
}

END {
	if (program == "" || option_count == 0) {
		print "completion.awk: that is no table of a program" > "/dev/stderr"
		exit 1
	}
	if (shell == "bash")
		print_bash()
	else if (shell == "zsh")
		print_zsh()
	else
		print_fish()
}

function is_choice(value)
{
	return value ~ /^[a-z0-9][a-z0-9._-]*(\|[a-z0-9][a-z0-9._-]*)+$/
}

function choices(value)
{
	gsub(/\|/, " ", value)
	return value
}

function takes_files(word)
{
	return operands_of[word] ~ /(^|[^A-Z])(FILE|DIR)([^A-Z]|$)/
}

# For a text between single quotes, where two quotes and a backslash stand for one.
function quoted(text)
{
	gsub(/'/, "'\\''", text)
	return text
}

# ---- bash ----

# What is before it, in a pattern of `case`.
function bash_patterns(n, where)
{
	return where ",--" long_of[n] (letter_of[n] != "-" ? " | " where ",-" letter_of[n] : "")
}

function bash_value(value)
{
	if (value == "FILE")
		return "_" name "_offer -f"
	if (value == "DIR")
		return "_" name "_offer -d"
	if (is_choice(value))
		return "_" name "_offer -W '" choices(value) "'"
	return ":"
}

function bash_options(word,	n, all)
{
	for (n = 1; n <= option_count; n++)
		if (word_of[n] == word || word_of[n] == "-")
			all = all " --" long_of[n]
	return substr(all, 2)
}

function print_bash(	n, i, all)
{
	print "# Completion of " program " in bash, made of its table of options."
	print "_" name "_offer()"
	print "{"
	print "\tcase $1 in -f | -d) compopt -o filenames ;; esac"
	print "\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen \"$@\" -- \"$current\")"
	print "}"
	print ""
	print "_" name "()"
	print "{"
	print "\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i"
	print "\tCOMPREPLY=()"
	print "\tif [ \"$current\" = = ]; then"
	print "\t\tcurrent="
	print "\telif [ \"$before\" = = ]; then"
	print "\t\tbefore=${COMP_WORDS[COMP_CWORD-2]}"
	print "\tfi"
	if (word_count > 0) {
		print "\tfor ((i = 1; i < COMP_CWORD; i++)); do"
		print "\t\tcase ${COMP_WORDS[i]} in"
		for (n = 1; n <= option_count; n++)
			if (word_of[n] == "-" && value_of[n] != "-")
				all = all " | --" long_of[n] (letter_of[n] != "-" ? " | -" letter_of[n] : "")
		if (all != "")
			print "\t\t" substr(all, 4) ") [ \"${COMP_WORDS[i+1]}\" != = ] || ((i++)); ((i++)) ;;"
		print "\t\t-*) ;;"
		print "\t\t*) command=${COMP_WORDS[i]} && break ;;"
		print "\t\tesac"
		print "\tdone"
	}
	print "\tcase $command,$before in"
	for (n = 1; n <= option_count; n++)
		if (value_of[n] != "-")
			print "\t" bash_patterns(n, word_of[n] == "-" ? "*" : word_of[n]) ")\n\t\t" bash_value(value_of[n]) "\n\t\treturn\n\t\t;;"
	print "\tesac"
	print "\tcase $command,$current in"
	for (i = 1; i <= word_count; i++) {
		print "\t" words[i] ",-*) _" name "_offer -W '" bash_options(words[i]) "' ;;"
		if (takes_files(words[i]))
			print "\t" words[i] ",*) _" name "_offer -f ;;"
	}
	print "\t,-*) _" name "_offer -W '" bash_options("-") "' ;;"
	all = ""
	for (i = 1; i <= word_count; i++)
		all = all " " words[i]
	if (word_count > 0)
		print "\t,*) _" name "_offer -W '" substr(all, 2) "' ;;"
	else if (takes_files("-"))
		print "\t,*) _" name "_offer -f ;;"
	print "\tesac"
	print "}"
	print "complete -F _" name " " program
}

# ---- zsh ----

function zsh_text(text)
{
	gsub(/[][\\:]/, "\\\\&", text)
	return quoted(text)
}

function zsh_action(value)
{
	if (value == "FILE")
		return "_files"
	if (value == "DIR")
		return "_files -/"
	if (is_choice(value))
		return "(" choices(value) ")"
	return " "
}

# As an argument of _arguments, behind a line that goes on.
function zsh_option(n,	both, rest)
{
	rest = "[" zsh_text(option_help[n]) "]" (value_of[n] == "-" ? "" : ":" zsh_text(value_of[n]) ":" zsh_action(value_of[n]))
	both = letter_of[n] == "-" ? "" : "(-" letter_of[n] " --" long_of[n] ")"
	print " \\\n\t\t'" both "--" long_of[n] (value_of[n] == "-" ? "" : "=") rest "'"
	if (letter_of[n] != "-")
		print " \\\n\t\t'" both "-" letter_of[n] (value_of[n] == "-" ? "" : "+") rest "'"
}

function zsh_options(word,	n)
{
	for (n = 1; n <= option_count; n++)
		if (word_of[n] == word || word_of[n] == "-")
			zsh_option(n)
}

function print_zsh(	i)
{
	ORS = ""
	print "#compdef " program "\n# Completion of " program " in zsh, made of its table of options.\n_" name "() {\n"
	if (word_count == 0) {
		print "\t_arguments -s -S"
		zsh_options("-")
		if (takes_files("-"))
			print " \\\n\t\t'*:FILE:_files'"
		print "\n}\n"
	} else {
		print "\tlocal curcontext=$curcontext state line\n\tlocal -a commands\n\t_arguments -C -s -S"
		zsh_options("-")
		print " \\\n\t\t'1:command:->command' \\\n\t\t'*::argument:->argument' && return\n"
		print "\tcase $state in\n\tcommand)\n\t\tcommands=(\n"
		for (i = 1; i <= word_count; i++)
			print "\t\t\t'" words[i] ":" quoted(help_of[words[i]]) "'\n"
		print "\t\t)\n\t\t_describe command commands\n\t\t;;\n\targument)\n\t\tcase $words[1] in\n"
		for (i = 1; i <= word_count; i++) {
			print "\t\t" words[i] ")\n\t\t_arguments -s -S"
			zsh_options(words[i])
			if (takes_files(words[i]))
				print " \\\n\t\t'*:FILE:_files'"
			print "\n\t\t;;\n"
		}
		print "\t\tesac\n\t\t;;\n\tesac\n}\n"
	}
	print "_" name " \"$@\"\n"
}

# ---- fish ----

# Between single quotes fish knows \' and \\.
function fish_text(text)
{
	gsub(/[\\']/, "\\\\&", text)
	return "'" text "'"
}

function fish_value(value)
{
	if (value == "-")
		return ""
	if (value == "FILE")
		return " -r -F"
	if (value == "DIR")
		return " -x -a '(__fish_complete_directories)'"
	return " -x" (is_choice(value) ? " -a " fish_text(choices(value)) : "")
}

function print_fish(	n, i, seen)
{
	print "# Completion of " program " in fish, made of its table of options."
	if (word_count > 0 || !takes_files("-"))
		print "complete -c " program " -f"
	for (i = 1; i <= word_count; i++) {
		print "complete -c " program " -n __fish_use_subcommand -a " words[i] " -d " fish_text(help_of[words[i]])
		if (takes_files(words[i]))
			print "complete -c " program " -n '__fish_seen_subcommand_from " words[i] "' -F"
	}
	for (n = 1; n <= option_count; n++) {
		seen = word_of[n] == "-" ? "" : " -n '__fish_seen_subcommand_from " word_of[n] "'"
		print "complete -c " program seen " -l " long_of[n] (letter_of[n] == "-" ? "" : " -s " letter_of[n]) \
		    fish_value(value_of[n]) " -d " fish_text(option_help[n])
	}
}
