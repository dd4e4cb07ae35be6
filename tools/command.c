#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "proxy/base/mem.h"
#include "tools/command.h"
#include "tools/config.h"
#include "tools/text.h"

/* For the words that a first operand may be, in help. */
#define WORD_COLUMNS 19

const struct command commands[COMMAND_COUNT] = {
    /* in the order in which people meet them */
    [COMMAND_CAPTURE] = { "capture", cmd_capture, "[-- COMMAND ARG...]", 0, NULL,
                          "start the proxy and record a session",
                          "Starts the proxy and records what passes into a session, until Ctrl-C. With "
                          "COMMAND: runs it with its traffic captured, ends with it and exits with its "
                          "status." },
    [COMMAND_BROWSER] = { "browser", cmd_browser, "[URL] [-- ARG...]", 1, NULL,
                          "record what a browser does, with a profile of its own",
                          "Starts a browser whose traffic is recorded into a session, and ends with it. Its "
                          "profile is new, trusts weir, and is thrown away. Every ARG goes to the browser." },
    [COMMAND_SESSIONS] = { "sessions", cmd_sessions, "[list | rename SESSION NAME | delete SESSION...]",
                           SIZE_MAX, cmd_sessions_word, "the history: list, rename, delete, prune",
                           "Shows the sessions in the store, or changes them. SESSION is an id, a name or "
                           "'latest'." },
    [COMMAND_LIST] = { "list", cmd_list, "[SESSION]", 1, NULL, "a session's exchanges, one a line",
                       "Shows the exchanges of a session, one a line. SESSION is an id, a name or 'latest' "
                       "(the default)." },
    [COMMAND_SHOW] = { "show", cmd_show, "[SESSION/]EXCHANGE", 1, NULL, "one exchange, whole",
                       "Shows one exchange, bodies decoded, and indented on a terminal. EXCHANGE is its "
                       "number in the session, as 'weir list' shows it." },
    [COMMAND_EXPORT] = { "export", cmd_export, "FORMAT [SESSION]", 2, cmd_export_word,
                         "write a session as a collection, cookie jar or HAR",
                         "Writes a session in another tool's format. Secrets do not stand in it: they are "
                         "variables whose values lie in a file beside it, or masks (see --secrets); cookie "
                         "files and the environment have them." },
    [COMMAND_COOKIES] = { "cookies", cmd_cookies, "[SESSION]", 1, NULL, "a session's cookie jar as a table",
                          "Shows the cookies that a browser would hold at the end of the session." },
    [COMMAND_IMPORT] = { "import", cmd_import, "[cookies] FILE", 2, NULL,
                         "make a session of a HAR, mitmproxy's flows or a cookie jar",
                         "Makes a session of another tool's file, or adds it to one: a HAR of a browser or a "
                         "proxy, a flow file of mitmproxy, a cookie jar of newman or Playwright, or "
                         "cookies.txt ('import cookies FILE' takes nothing else). '-' is stdin. What is "
                         "damaged is told, and the rest imported; the exit "
                         "status is then 1." },
    [COMMAND_CA] = { "ca", cmd_ca, "[show | create | renew | trust | untrust]", 1, cmd_ca_word,
                     "show, make, trust or forget the root certificate",
                     "Manages the root certificate that clients have to trust, so that weir can look into "
                     "their HTTPS. It is made at first use." },
    [COMMAND_HELP] = { "help", cmd_help, "[COMMAND]", 1, cmd_help_word, "this list, or the page of a command",
                       "Shows the commands, or the options of one." },
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

bool command_unknown(const char *name, struct err *err)
{
    const char *names[COMMAND_COUNT + 1] = { NULL };
    const char *guess;

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    guess = opt_guess(name, names);
    if (guess != NULL)
        return err_set(err, ERR_USAGE, "no command '%s'; did you mean '%s'?", name, guess);
    return err_set(err, ERR_USAGE, "no command '%s'; 'weir help' lists them", name);
}

enum command_id command_id(const struct command *command)
{
    return (enum command_id)(command - commands);
}

void help_add_all(struct strbuf *out)
{
    strbuf_add_str(
        out, "usage: weir COMMAND [options]\n\n"
             "weir lets the water through and keeps the catch: an HTTP proxy that records sessions.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        strbuf_printf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    strbuf_add_str(out, "\n'weir help COMMAND' shows a command's options, 'man weir' all of it, "
                        "'weir --version' the version.\n"
                        "A first capture: weir capture -- curl https://example.com/ && weir list\n");
}

void help_add_command(struct strbuf *out, const struct command *command)
{
    const char *word, *about;

    strbuf_printf(out, "usage: weir %s [options] %s\n\n", command->name, command->operands);
    text_add_wrapped(out, command->about, 0);
    strbuf_add_char(out, '\n');
    for (size_t i = 0; command->word != NULL && (word = command->word(i, &about)) != NULL; i++) {
        strbuf_printf(out, "  %-*s ", WORD_COLUMNS, word);
        text_add_wrapped(out, about, 2 + WORD_COLUMNS + 1);
    }
    if (command->word != NULL)
        strbuf_add_char(out, '\n');
    opt_add_help(out, command_id(command));
}

int command_fail(const struct err *err)
{
    struct strbuf line = STRBUF_EMPTY;

    strbuf_add_str(&line, "weir: ");
    text_add_shown(&line, span_of(err->text));
    fflush(stdout);
    fprintf(stderr, "%s\n", strbuf_text(&line));
    strbuf_clear(&line);
    switch (err->code) {
    case ERR_USAGE:
        return EXIT_USAGE;
    case ERR_LEAK:
        return EXIT_REFUSED;
    default:
        return EXIT_FAILED;
    }
}

int command_finish_stdout(int status)
{
    bool is_bad = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) == 0 && !is_bad)
        return status;
    if (errno != EPIPE && errno != 0) {
        struct err err;
        err_sys(&err, errno, "writing to stdout");
        return command_fail(&err);
    }
    return status != EXIT_DONE ? status : EXIT_FAILED;
}

bool command_open_store(const struct args *args, enum store_mode mode, struct store **out_store,
                        struct err *err)
{
    char *path = config_store_path(args->store, err);
    bool ok = path != NULL && store_open(path, mode, out_store, err);

    mem_free(path);
    return ok;
}
