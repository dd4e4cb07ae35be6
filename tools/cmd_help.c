/* help: the list of commands, the page of one, and the scripts that complete them in a shell. */
#include <stdio.h>

#include "tools/command.h"
#include "tools/complete.h"

const char *cmd_help_word(size_t i, const char **out_about)
{
    if (i >= COMMAND_COUNT)
        return NULL;
    *out_about = commands[i].summary;
    return commands[i].name;
}

int cmd_help(const struct args *args)
{
    struct strbuf out = STRBUF_EMPTY;
    struct err err;

    if (args->completion == 1) {
        complete_add_bash(&out);
    } else if (args->completion == 2) {
        complete_add_zsh(&out);
    } else if (args->operands.count != 0) {
        const struct command *command = command_find(args->operands.items[0]);
        if (command == NULL) {
            command_unknown(args->operands.items[0], &err);
            return command_fail(&err);
        }
        help_add_command(&out, command);
    } else {
        help_add_all(&out);
    }
    fwrite(out.ptr, 1, out.len, stdout);
    strbuf_clear(&out);
    return command_finish_stdout(EXIT_DONE);
}
