#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proxy/base/mem.h"
#include "tools/command.h"
#include "tools/complete.h"

/* Runs shell -c line with text in $1's file; what it prints. */
static char *run(const char *shell, const char *line, const struct strbuf *text, int *out_status)
{
    static char output[8192];
    char path[] = "/tmp/weir-test-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w"), *pipe;
    char *command;
    size_t len;

    fwrite(text->ptr, 1, text->len, file);
    fclose(file);
    command = mem_printf("%s -c '%s' x %s 2>&1", shell, line, path);
    pipe = popen(command, "r");
    len = fread(output, 1, sizeof output - 1, pipe);
    output[len] = '\0';
    *out_status = WEXITSTATUS(pclose(pipe));
    mem_free(command);
    unlink(path);
    return output;
}

static void bash_takes_its_script(void **state)
{
    struct strbuf out = STRBUF_EMPTY;
    const char *said;
    int status;

    (void)state;
    complete_add_bash(&out);
    said = run("bash", "bash -n \"$1\"", &out, &status);
    assert_string_equal(said, "");
    assert_int_equal(status, 0);
    strbuf_clear(&out);
}

static void zsh_takes_its_function(void **state)
{
    struct strbuf out = STRBUF_EMPTY;
    const char *said;
    int status;

    (void)state;
    if (system("command -v zsh >/dev/null 2>&1") != 0)
        skip();
    complete_add_zsh(&out);
    said = run("zsh", "zsh -n \"$1\"", &out, &status);
    assert_string_equal(said, "");
    assert_int_equal(status, 0);
    strbuf_clear(&out);
}

/* What bash offers for a command line whose last word is being typed. */
static void offers(const char *words, const char *expected)
{
    struct strbuf out = STRBUF_EMPTY;
    char *line = mem_printf("source \"$1\"; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _weir; "
                            "echo \"${COMPREPLY[*]}\"",
                            words);
    int status;

    complete_add_bash(&out);
    assert_string_equal(run("bash", line, &out, &status), expected);
    assert_int_equal(status, 0);
    mem_free(line);
    strbuf_clear(&out);
}

static void bash_offers_commands_options_and_values(void **state)
{
    (void)state;
    offers("weir ca", "capture ca\n");
    offers("weir --v", "--version\n");
    offers("weir capture --max", "--max-body --max-header-bytes\n");
    offers("weir capture --log-level w", "warn\n");
    offers("weir capture --log-level = de", "debug\n");
    offers("weir capture --log-format = \"\"", "text json\n");
    offers("weir ca re", "renew\n");
    offers("weir list --f", "--filter --follow\n");
    offers("weir help --comp", "\n"); /* hidden */
    offers("weir export har -o /proc/self/statu", "/proc/self/status\n");
}

static void every_option_is_in_both(void **state)
{
    struct strbuf bash = STRBUF_EMPTY, zsh = STRBUF_EMPTY;
    const struct opt *opt;

    (void)state;
    complete_add_bash(&bash);
    complete_add_zsh(&zsh);
    for (int command = 0; command < COMMAND_COUNT; command++) {
        for (size_t i = 0; (opt = opt_next((enum command_id)command, &i)) != NULL; i++) {
            char *name = mem_printf("--%s", opt->name);
            if (opt->help != NULL) {
                assert_non_null(strstr(strbuf_text(&bash), name));
                assert_non_null(strstr(strbuf_text(&zsh), name));
            }
            mem_free(name);
        }
        assert_non_null(strstr(strbuf_text(&zsh), commands[command].name));
    }
    strbuf_clear(&bash);
    strbuf_clear(&zsh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_takes_its_script),
        cmocka_unit_test(zsh_takes_its_function),
        cmocka_unit_test(bash_offers_commands_options_and_values),
        cmocka_unit_test(every_option_is_in_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
