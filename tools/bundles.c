#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "certs/bundle.h"
#include "proxy/base/mem.h"
#include "tools/bundles.h"

struct bundles {
    char *dir, *pem_path, *jks_path; /* what is not made yet is NULL */
};

static const char *temporary(void)
{
    const char *base = getenv("TMPDIR");

    return base != NULL && base[0] == '/' ? base : "/tmp";
}

bool bundles_make(const struct ca *ca, const char *base, struct bundles **out_bundles, struct err *err)
{
    struct bundles *bundles = mem_new(struct bundles);
    char *dir = mem_printf("%s/weir-XXXXXX", base != NULL ? base : temporary());

    if (mkdtemp(dir) == NULL) {
        err_sys(err, errno, "making a folder for certificates, '%s'", dir);
        mem_free(dir);
        goto failed;
    }
    bundles->dir = dir;
    bundles->pem_path = mem_printf("%s/ca-bundle.pem", dir);
    bundles->jks_path = mem_printf("%s/ca-bundle.jks", dir);
    if (!bundle_write_pem(bundles->pem_path, ca, err) || !bundle_write_jks(bundles->jks_path, ca, err))
        goto failed;
    *out_bundles = bundles;
    return true;
failed:
    bundles_free(bundles);
    return false;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    remove(path);
    return 0;
}

void bundles_free(struct bundles *bundles)
{
    if (bundles == NULL)
        return;
    if (bundles->dir != NULL) {
        /* Of files that are gone already nothing needs saying. */
        nftw(bundles->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    mem_free(bundles->pem_path);
    mem_free(bundles->jks_path);
    mem_free(bundles->dir);
    mem_free(bundles);
}

const char *bundles_dir(const struct bundles *bundles)
{
    return bundles->dir;
}

const char *bundles_pem_path(const struct bundles *bundles)
{
    return bundles->pem_path;
}

const char *bundles_jks_path(const struct bundles *bundles)
{
    return bundles->jks_path;
}
