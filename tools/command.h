/* command: the table of commands, and what they have in common.
 *
 * A command is one file cmd_X.c and one row here; help and completion come from the rows. Exit statuses are a
 * contract: 0 done, 1 it failed, 2 wrong usage, 3 refused because a secret would have left; `capture` with a
 * COMMAND has its own (see launch.h). */
#ifndef WEIR_TOOLS_COMMAND_H
#define WEIR_TOOLS_COMMAND_H

#include <stdbool.h>

#include "capture/store/store.h"
#include "proxy/base/err.h"
#include "proxy/base/strbuf.h"
#include "tools/opt.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_REFUSED = 3,
};

struct command {
    const char *name;
    int (*run)(const struct args *args); /* the exit status; has said what went wrong */
    const char *operands;                /* as usage shows them */
    size_t max_operands;
    /* What its first operand may be, and what that does; NULL behind the last. NULL: anything. */
    const char *(*word)(size_t i, const char **out_about);
    const char *summary;
    const char *about; /* the paragraph of `weir help COMMAND` */
};

extern const struct command commands[COMMAND_COUNT];

/* By its name; NULL: there is none. */
const struct command *command_find(const char *name);
/* ERR_USAGE: unknown command, with what was meant where that can be guessed; false. */
bool command_unknown(const char *name, struct err *err);
enum command_id command_id(const struct command *command);

int cmd_capture(const struct args *args);
int cmd_browser(const struct args *args);
int cmd_sessions(const struct args *args);
int cmd_list(const struct args *args);
int cmd_show(const struct args *args);
int cmd_export(const struct args *args);
int cmd_cookies(const struct args *args);
int cmd_import(const struct args *args);
int cmd_ca(const struct args *args);
int cmd_help(const struct args *args);

const char *cmd_sessions_word(size_t i, const char **out_about);
const char *cmd_export_word(size_t i, const char **out_about);
const char *cmd_ca_word(size_t i, const char **out_about);
const char *cmd_help_word(size_t i, const char **out_about);

/* The list of all commands, and the page of one, as text. */
void help_add_all(struct strbuf *out);
void help_add_command(struct strbuf *out, const struct command *command);

/* Says "weir: why" on stderr and gives the exit status that belongs to the kind of error. */
int command_fail(const struct err *err);
/* The same for bytes that could not be written to stdout; quiet when the reader of a pipe has gone, as it
 * does when it has seen enough. */
int command_finish_stdout(int status);

/* The store that args mean, opened. */
bool command_open_store(const struct args *args, enum store_mode mode, struct store **out_store,
                        struct err *err);

#endif
