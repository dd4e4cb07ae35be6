/* browser: a capture of what one browser does. */
#include "proxy/base/mem.h"
#include "tools/browser.h"
#include "tools/cmd_capture.h"
#include "tools/command.h"

/* The program, the person's own arguments, and the page. */
static char **make_argv(char *program, const struct args *args)
{
    size_t count = 0, next = 0;
    char **argv;

    while (args->command != NULL && args->command[count] != NULL)
        count++;
    argv = mem_array(char *, count + 3);
    argv[next++] = mem_strdup(program);
    for (size_t i = 0; i < count; i++)
        argv[next++] = mem_strdup(args->command[i]);
    /* A new tab's page of its own asks for all kinds of things. */
    argv[next] = mem_strdup(args->operands.count != 0 ? args->operands.items[0] : "about:blank");
    return argv;
}

int cmd_browser(const struct args *args)
{
    struct err err;
    char *program = browser_find(args->browser, &err), **argv;
    int status;

    if (program == NULL)
        return command_fail(&err);
    argv = make_argv(program, args);
    status = capture_run(args, argv);
    browser_argv_free(argv);
    mem_free(program);
    return status;
}
