#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/base/mem.h"
#include "tools/config.h"

static char *default_path(const char *variable, const char *below_home, const char *tail, const char *option,
                          struct err *err)
{
    const char *base = getenv(variable);
    const char *home = getenv("HOME");

    if (base != NULL && base[0] == '/')
        return mem_printf("%s/%s", base, tail);
    if (home == NULL || home[0] != '/') {
        const struct passwd *user = getpwuid(getuid());
        home = user != NULL ? user->pw_dir : NULL;
    }
    if (home == NULL || home[0] != '/') {
        err_set(err, ERR_SYS, "no home directory; set HOME or give %s", option);
        return NULL;
    }
    return mem_printf("%s/%s/%s", home, below_home, tail);
}

char *config_store_path(const char *given, struct err *err)
{
    return given != NULL ? mem_strdup(given)
                         : default_path("XDG_DATA_HOME", ".local/share", "weir/weir.db", "--store", err);
}

char *config_ca_dir(const char *given, struct err *err)
{
    return given != NULL ? mem_strdup(given)
                         : default_path("XDG_CONFIG_HOME", ".config", "weir", "--ca-dir", err);
}
