/* weir: an intercepting proxy that records what passes. This file finds the command and runs it. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include "tools/command.h"
#include "tools/launch.h"

/* A command whose status is somebody else's fails with a status of its own. */
static int fail_before_start(const struct command *command, char *const *argv, const struct err *err)
{
    int status = command_fail(err);

    for (; command_id(command) == COMMAND_CAPTURE && *argv != NULL; argv++) {
        if (strcmp(*argv, "--") == 0)
            return LAUNCH_FAILED;
    }
    return status;
}

int main(int argc, char **argv)
{
    const struct command *command;
    struct args args;
    struct err err;
    int status;

    setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of characters: what weir prints is UTF-8 everywhere */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        struct strbuf text = STRBUF_EMPTY;
        help_add_all(&text);
        fputs(strbuf_text(&text), stderr);
        strbuf_clear(&text);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("weir %s\n", WEIR_VERSION);
        return command_finish_stdout(EXIT_DONE);
    }
    command = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ? &commands[COMMAND_HELP]
                                                                           : command_find(argv[1]);
    if (command == NULL) {
        if (argv[1][0] == '-')
            err_set(&err, ERR_USAGE, "unknown option '%s'; options come after the command: weir COMMAND %s",
                    argv[1], argv[1]);
        else
            command_unknown(argv[1], &err);
        return command_fail(&err);
    }
    if (!opt_parse(command_id(command), argv + 2, &args, &err))
        return fail_before_start(command, argv + 2, &err);
    if (args.help) {
        struct strbuf text = STRBUF_EMPTY;
        help_add_command(&text, command);
        fputs(strbuf_text(&text), stdout);
        strbuf_clear(&text);
        status = command_finish_stdout(EXIT_DONE);
    } else if (args.operands.count > command->max_operands) {
        const char *extra = args.operands.items[command->max_operands];
        if (command_id(command) == COMMAND_CAPTURE)
            err_set(&err, ERR_USAGE, "what is '%s'? put '--' before a command to run: weir capture -- %s",
                    extra, extra);
        else
            err_set(&err, ERR_USAGE, "one operand too many: '%s'; usage: weir %s [options] %s", extra,
                    command->name, command->operands);
        status = fail_before_start(command, argv + 2, &err);
    } else {
        status = command->run(&args);
    }
    args_clear(&args);
    return status;
}
