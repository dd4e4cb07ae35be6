/* launch: a command, run with its traffic coming to us.
 *
 * Everything is said by environment variables; nothing of the system is touched. The command gets default
 * signal dispositions, no blocked signal, the descriptor limit that weir was started with, and the
 * descriptors that weir inherited but none that weir opened. It stays in our process group, so a terminal's
 * Ctrl-C reaches it by itself. Main thread. */
#ifndef WEIR_TOOLS_LAUNCH_H
#define WEIR_TOOLS_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "proxy/base/err.h"

/* Exit statuses of `capture -- COMMAND` that are not COMMAND's own, as env(1) and shells have them. */
enum {
    LAUNCH_FAILED = 125,         /* weir failed before COMMAND started */
    LAUNCH_NOT_EXECUTABLE = 126, /* found, but can't be run */
    LAUNCH_NOT_FOUND = 127,
};

struct launch_route {
    const char *proxy;      /* "127.0.0.1:41233", "[::1]:41233": where weir listens */
    const char *proxy_auth; /* "user:password" that it wants; NULL: none */
    const char *pem_path;   /* the system's roots and ours */
    const char *jks_path;   /* the same for Java */
    const char *jks_password;
    char *const *more; /* variables besides, "NAME=value"; ends in NULL. NULL: none */
};

/* The environment base (ends in NULL) with the variables that lead a program's traffic to us; the others as
 * they were. The caller's, to launch_env_free. */
char **launch_env(char *const *base, const struct launch_route *route);
void launch_env_free(char **env);

/* Call it before anything is opened: remembers which descriptors were inherited. */
void launch_note_descriptors(void);

/* Where a command's input and output are. */
#define LAUNCH_ON_TERMINAL (-1) /* with ours */

/* Runs argv (searched in PATH, ends in NULL). output: LAUNCH_ON_TERMINAL, or a file for what it says: then it
 * has no stdin, is a process group of its own, so that a terminal's Ctrl-C is for us alone, and is ended by
 * the kernel when we are killed. On failure *out_status is LAUNCH_NOT_FOUND,
 * LAUNCH_NOT_EXECUTABLE or LAUNCH_FAILED. Nobody else may wait for children meanwhile. */
bool launch_start(char *const *argv, char *const *env, const struct rlimit *descriptors, int output,
                  pid_t *out_pid, int *out_status, struct err *err);

/* The exit status that tells of a wait status: the command's own, or 128 + the signal that ended it. */
int launch_exit_status(int wait_status);

/* Passes a signal that weir got on to the command, unless the terminal has sent it there as well: SIGINT and
 * SIGQUIT reach our process group by themselves. */
void launch_pass_on(pid_t pid, int signal_number);

/* Sends a signal to all processes of a command that is a group of its own. */
void launch_signal_group(pid_t pid, int signal_number);

#endif
