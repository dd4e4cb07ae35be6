#include "tools/command.h"
#include "tools/complete.h"
#include "tools/opt.h"

/* --- bash ---------------------------------------------------------------------------------------------- */

static void add_words(struct strbuf *out, const struct command *command)
{
    const char *word, *about;

    for (size_t i = 0; command->word != NULL && (word = command->word(i, &about)) != NULL; i++)
        strbuf_printf(out, "%s%s", i != 0 ? " " : "", word);
}

static void add_choices(struct strbuf *out, const char *choices)
{
    for (; *choices != '\0'; choices++)
        strbuf_add_char(out, *choices == '|' ? ' ' : *choices);
}

static void add_bash_command(struct strbuf *out, const struct command *command)
{
    const struct opt *opt;

    strbuf_printf(out, "    %s)\n        words='", command->name);
    add_words(out, command);
    strbuf_add_str(out, "'\n        options='");
    for (size_t i = 0; (opt = opt_next(command_id(command), &i)) != NULL; i++) {
        if (opt->help != NULL)
            strbuf_printf(out, "--%s ", opt->name);
    }
    strbuf_add_str(out, "'\n        case $before in\n");
    for (size_t i = 0; (opt = opt_next(command_id(command), &i)) != NULL; i++) {
        if (opt->help == NULL || opt->kind == OPT_FLAG)
            continue;
        strbuf_add_str(out, "        ");
        if (opt->letter != 0)
            strbuf_printf(out, "-%c|", opt->letter);
        strbuf_printf(out, "--%s) ", opt->name);
        switch (opt->kind) {
        case OPT_CHOICE:
            strbuf_add_str(out, "COMPREPLY=($(compgen -W '");
            add_choices(out, opt->value);
            strbuf_add_str(out, "' -- \"$current\"))");
            break;
        case OPT_FILE:
            strbuf_add_str(
                out,
                "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$current\")");
            break;
        case OPT_FOLDER:
            strbuf_add_str(
                out,
                "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$current\")");
            break;
        default:
            strbuf_add_str(out, ":");
            break;
        }
        strbuf_add_str(out, "; return ;;\n");
    }
    strbuf_add_str(out, "        esac ;;\n");
}

void complete_add_bash(struct strbuf *out)
{
    strbuf_add_str(out, "# Completion of weir for bash, made by weir from its own table of options.\n"
                        "_weir() {\n"
                        "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                        "    local command= words= options= i\n"
                        "    COMPREPLY=()\n"
                        "    # bash cuts --name=value into three words.\n"
                        "    if [[ $current == = ]]; then\n"
                        "        current=\n"
                        "    elif [[ $before == = ]]; then\n"
                        "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
                        "    fi\n"
                        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                        "        case ${COMP_WORDS[i]} in\n"
                        "        --)\n"
                        "            if [[ $command == capture ]]; then\n"
                        "                if declare -F _command_offset >/dev/null; then\n"
                        "                    _command_offset $((i + 1))\n"
                        "                else\n"
                        "                    mapfile -t COMPREPLY < <(compgen -c -- \"$current\")\n"
                        "                fi\n"
                        "                return\n"
                        "            fi ;;\n"
                        "        -*) ;;\n"
                        "        *) [[ -n $command ]] || command=${COMP_WORDS[i]} ;;\n"
                        "        esac\n"
                        "    done\n"
                        "    case $command in\n"
                        "    '')\n        words='");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        strbuf_printf(out, "%s%s", i != 0 ? " " : "", commands[i].name);
    strbuf_add_str(out, "'\n        options='--help --version' ;;\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        add_bash_command(out, &commands[i]);
    strbuf_add_str(out, "    esac\n"
                        "    if [[ $current == -* ]]; then\n"
                        "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
                        "    else\n"
                        "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                        "    fi\n"
                        "}\n"
                        "complete -F _weir weir\n");
}

/* --- zsh ----------------------------------------------------------------------------------------------- */

/* Text inside '...' inside a specification of _arguments, where brackets and colons mean something. */
static void add_zsh_text(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            strbuf_add_str(out, "'\\''");
        else if (strchr("[]:\\", *text) != NULL)
            strbuf_printf(out, "\\%c", *text);
        else
            strbuf_add_char(out, *text);
    }
}

static void add_zsh_option(struct strbuf *out, const struct opt *opt)
{
    strbuf_add_str(out, " \\\n            ");
    if (opt->letter != 0)
        strbuf_printf(out, "{-%c,--%s%s}", opt->letter, opt->name, opt->kind != OPT_FLAG ? "=" : "");
    strbuf_printf(out, "'%s", opt->kind == OPT_LIST || opt->kind == OPT_URLS ? "*" : "");
    if (opt->letter == 0)
        strbuf_printf(out, "--%s%s", opt->name, opt->kind != OPT_FLAG ? "=" : "");
    strbuf_add_char(out, '[');
    add_zsh_text(out, opt->help);
    strbuf_add_char(out, ']');
    if (opt->kind != OPT_FLAG) {
        strbuf_add_char(out, ':');
        add_zsh_text(out, opt->kind == OPT_CHOICE ? opt->name : opt->value);
        strbuf_add_char(out, ':');
    }
    if (opt->kind == OPT_CHOICE) {
        strbuf_add_char(out, '(');
        add_choices(out, opt->value);
        strbuf_add_char(out, ')');
    } else if (opt->kind == OPT_FILE) {
        strbuf_add_str(out, "_files");
    } else if (opt->kind == OPT_FOLDER) {
        strbuf_add_str(out, "_files -/");
    }
    strbuf_add_char(out, '\'');
}

static void add_zsh_command(struct strbuf *out, const struct command *command)
{
    const struct opt *opt;

    strbuf_printf(out, "        %s)\n            _arguments -S", command->name);
    for (size_t i = 0; (opt = opt_next(command_id(command), &i)) != NULL; i++) {
        if (opt->help != NULL)
            add_zsh_option(out, opt);
    }
    if (command->word != NULL) {
        strbuf_add_str(out, " \\\n            '1: :(");
        add_words(out, command);
        strbuf_add_str(out, ")' '*: :'");
    } else {
        strbuf_add_str(out, " \\\n            '*: :'");
    }
    strbuf_add_str(out, " ;;\n");
}

void complete_add_zsh(struct strbuf *out)
{
    strbuf_add_str(out, "#compdef weir\n"
                        "# Completion of weir for zsh, made by weir from its own table of options.\n"
                        "_weir() {\n"
                        "    local curcontext=\"$curcontext\" state line dashes\n"
                        "    local -a commands\n"
                        "    typeset -A opt_args\n"
                        "    commands=(");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        strbuf_printf(out, "\n        '%s:", commands[i].name);
        add_zsh_text(out, commands[i].summary);
        strbuf_add_char(out, '\'');
    }
    strbuf_add_str(out,
                   ")\n"
                   "    _arguments -C '(- *)--help[the list of commands]' '(- *)--version[the version]' \\\n"
                   "        '1: :->command' '*:: :->rest'\n"
                   "    case $state in\n"
                   "    command) _describe -t commands command commands ;;\n"
                   "    rest)\n"
                   "        dashes=${words[(i)--]}\n"
                   "        if [[ $words[1] == capture ]] && (( dashes < CURRENT )); then\n"
                   "            shift $dashes words\n"
                   "            (( CURRENT -= dashes ))\n"
                   "            _normal\n"
                   "            return\n"
                   "        fi\n"
                   "        case $words[1] in\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        add_zsh_command(out, &commands[i]);
    strbuf_add_str(out, "        esac ;;\n"
                        "    esac\n"
                        "}\n"
                        "_weir \"$@\"\n");
}
