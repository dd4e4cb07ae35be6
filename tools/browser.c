#include "tools/browser.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/file.h"
#include "proxy/base/mem.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "tools/chromium.h"
#include "tools/firefox.h"

/* In the order in which they are looked for. */
static const struct {
    const char *name; /* for --browser */
    enum browser_family family;
    const char *programs[4];
} browsers[] = {
    { "chromium", BROWSER_CHROMIUM, { "chromium", "chromium-browser" } },
    { "chrome",
      BROWSER_CHROMIUM,
      { "google-chrome", "google-chrome-stable", "google-chrome-beta", "chrome" } },
    { "edge", BROWSER_CHROMIUM, { "microsoft-edge", "microsoft-edge-stable" } },
    { "brave", BROWSER_CHROMIUM, { "brave-browser", "brave" } },
    { "vivaldi", BROWSER_CHROMIUM, { "vivaldi", "vivaldi-stable" } },
    { "firefox", BROWSER_FIREFOX, { "firefox", "firefox-esr" } },
};

#define BROWSER_COUNT (sizeof browsers / sizeof browsers[0])
#define PROGRAM_COUNT (sizeof browsers[0].programs / sizeof browsers[0].programs[0])

enum browser_family browser_family(const char *command)
{
    const char *slash = strrchr(command, '/');
    const char *name = slash != NULL ? slash + 1 : command;

    for (size_t i = 0; i < BROWSER_COUNT; i++) {
        for (size_t k = 0; k < PROGRAM_COUNT && browsers[i].programs[k] != NULL; k++) {
            if (strcmp(browsers[i].programs[k], name) == 0)
                return browsers[i].family;
        }
    }
    return BROWSER_NONE;
}

/* --- finding ------------------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Where PATH has the program; for mem_free. NULL: nowhere. */
static char *find_in_path(const char *program)
{
    const char *path = getenv("PATH");
    struct span rest = span_of(path != NULL ? path : "/usr/local/bin:/usr/bin:/bin"), dir;

    while (span_split(&rest, ':', &dir)) {
        char *file = mem_printf("%.*s/%s", SPAN_ARG(dir), program);
        if (dir.len != 0 && is_program(file))
            return file;
        mem_free(file);
    }
    return NULL;
}

/* name NULL: any. */
static char *find_named(const char *name)
{
    for (size_t i = 0; i < BROWSER_COUNT; i++) {
        if (name != NULL && strcmp(browsers[i].name, name) != 0)
            continue;
        for (size_t k = 0; k < PROGRAM_COUNT && browsers[i].programs[k] != NULL; k++) {
            char *file = find_in_path(browsers[i].programs[k]);
            if (file != NULL)
                return file;
        }
    }
    return NULL;
}

static bool is_name(const char *text)
{
    for (size_t i = 0; i < BROWSER_COUNT; i++) {
        if (strcmp(browsers[i].name, text) == 0)
            return true;
    }
    return false;
}

static bool unknown_browser(const char *wanted, struct err *err)
{
    struct strbuf names = STRBUF_EMPTY;

    for (size_t i = 0; i < BROWSER_COUNT; i++)
        strbuf_printf(&names, "%s%s", i == 0 ? "" : i + 1 < BROWSER_COUNT ? ", " : " and ", browsers[i].name);
    err_set(err, ERR_USAGE, "'%s' is no browser that weir knows; it knows %s", wanted, strbuf_text(&names));
    strbuf_clear(&names);
    return false;
}

char *browser_find(const char *wanted, struct err *err)
{
    char *file;

    if (wanted != NULL && !is_name(wanted) && browser_family(wanted) == BROWSER_NONE) {
        unknown_browser(wanted, err);
        return NULL;
    }
    if (wanted == NULL || is_name(wanted))
        file = find_named(wanted);
    else if (strchr(wanted, '/') == NULL)
        file = find_in_path(wanted);
    else
        file = is_program(wanted) ? mem_strdup(wanted) : NULL;
    if (file == NULL && wanted != NULL)
        err_set(err, ERR_FOUND, "there is no browser '%s' here", wanted);
    else if (file == NULL)
        err_set(err, ERR_FOUND,
                "there is no browser in PATH: install chromium or firefox, or name one with "
                "--browser PATH");
    return file;
}

/* --- snaps --------------------------------------------------------------------------------------------- */

/* More than a script that starts a snap has. */
#define SCRIPT_BYTES 4096

static char *snap_name(const char *text)
{
    static const char *const folders[] = { "/snap/bin/", "/snap/" };

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        const char *at = strstr(text, folders[i]);
        if (at != NULL) {
            at += strlen(folders[i]);
            return mem_spandup(span_make(at, strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-")));
        }
    }
    return NULL;
}

/* The snap that a program is: by its place, or because it is a script that starts one, as Ubuntu's
 * /usr/bin/firefox does. NULL: none. */
static char *find_snap(const char *program)
{
    struct file_content file;
    char *name = NULL;
    struct err ignored; /* a program is usually too long to be a script */

    if (strncmp(program, "/snap/", 6) == 0)
        return snap_name(program);
    if (file_read(program, SCRIPT_BYTES, &file, &ignored)) {
        if (span_starts(file_content_span(&file), SPAN("#!")))
            name = snap_name(file.bytes);
        file_content_clear(&file);
    }
    return name;
}

char *browser_base_dir(const char *command)
{
    const char *home = getenv("HOME");
    char *program, *snap, *dir = NULL;

    if (browser_family(command) == BROWSER_NONE || home == NULL)
        return NULL;
    program = strchr(command, '/') != NULL ? mem_strdup(command) : find_in_path(command);
    snap = program != NULL ? find_snap(program) : NULL;
    if (snap != NULL)
        dir = mem_printf("%s/snap/%s/common", home, snap);
    mem_free(snap);
    mem_free(program);
    return dir;
}

/* --- leading ------------------------------------------------------------------------------------------- */

bool browser_argv(char *const *argv, const struct browser_route *route, char ***out_argv, struct err *err)
{
    return browser_family(argv[0]) == BROWSER_FIREFOX ? firefox_argv(argv, route, out_argv, err)
                                                      : chromium_argv(argv, route, out_argv, err);
}

void browser_argv_free(char **argv)
{
    if (argv == NULL)
        return;
    for (char **at = argv; *at != NULL; at++)
        mem_free(*at);
    mem_free(argv);
}

char **browser_env(const char *command, const char *dir)
{
    bool is_firefox = browser_family(command) == BROWSER_FIREFOX;
    size_t count = 0, next = 0;
    char **env;

    while (is_firefox && firefox_env[count] != NULL)
        count++;
    env = mem_array(char *, count + 2);
    env[next++] = mem_printf("TMPDIR=%s", dir);
    for (size_t i = 0; i < count; i++)
        env[next++] = mem_strdup(firefox_env[i]);
    return env;
}
