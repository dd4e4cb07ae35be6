#include "capture/export/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/export/digest.h"
#include "proxy/base/mem.h"

/* Many exporters write small strings: one system call for each would be most of the time. */
#define WRITE_BUFFER_BYTES (256 * 1024)

/* Linux follows as many. */
#define MAX_LINKS 40

/* A device or a pipe would be replaced by the rename: as root even /dev/null. */
static bool check_replaceable(const char *path, struct err *err)
{
    struct stat stat_of;
    bool is_there = stat(path, &stat_of) == 0;

    if (is_there ? S_ISDIR(stat_of.st_mode) : span_ends(span_of(path), SPAN("/")))
        return err_set(err, ERR_USAGE, "'%s' is a folder: give the name of a file", path);
    return !is_there || S_ISREG(stat_of.st_mode) ||
           err_set(err, ERR_USAGE,
                   "'%s' is not a file that could be replaced; for a pipe write to stdout: -o -", path);
}

/* What the link at path says, from where path is seen; NULL: it is none. */
static char *read_link(const char *path)
{
    char target[PATH_MAX];
    ssize_t len = readlink(path, target, sizeof target);
    const char *slash = strrchr(path, '/');

    if (len < 0 || len == (ssize_t)sizeof target)
        return NULL;
    if (target[0] == '/' || slash == NULL)
        return mem_printf("%.*s", (int)len, target);
    return mem_printf("%.*s%.*s", (int)(slash + 1 - path), path, (int)len, target);
}

/* A link stays, and the file is replaced that it leads to, there or not. What the system does not follow (the
 * link of another user in /tmp) is not followed here. */
static bool find_target(const char *path, char **out_target, struct err *err)
{
    char *target = mem_strdup(path), *next;
    struct stat stat_of;

    if (stat(path, &stat_of) != 0 && (errno == ELOOP || errno == EACCES)) {
        mem_free(target);
        return err_sys(err, errno, "can't write '%s'", path);
    }
    for (unsigned links = 0; links < MAX_LINKS && (next = read_link(target)) != NULL; links++) {
        mem_free(target);
        target = next;
    }
    *out_target = target;
    return true;
}

bool outfile_open(struct outfile *out, const char *path, struct err *err)
{
    int fd = -1;

    *out = (struct outfile){ .file = NULL };
    if (!check_replaceable(path, err) || !find_target(path, &out->path, err))
        return false;
    /* A temporary name that is there belongs to another export, or to one that was killed: take the next. */
    for (unsigned attempt = 0; attempt < 100 && fd < 0; attempt++) {
        mem_free(out->temporary);
        out->temporary = mem_printf("%s.%ld-%u.tmp", out->path, (long)getpid(), attempt);
        fd = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        err_sys(err, errno, "can't write '%s'", path);
        mem_free(out->path);
        mem_free(out->temporary);
        *out = (struct outfile){ .file = NULL };
        return false;
    }
    out->file = fdopen(fd, "w+");
    setvbuf(out->file, NULL, _IOFBF, WRITE_BUFFER_BYTES);
    return true;
}

/* The rename is on disk only when its folder is. Some file systems can't sync a folder: then there is no more
 * to be had, so that is no failure. */
static void sync_folder_of(const char *path)
{
    char *copy = mem_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    mem_free(copy);
}

static bool finish(struct outfile *out, bool is_synced, struct err *err)
{
    bool ok = fflush(out->file) == 0 && !ferror(out->file) && (!is_synced || fsync(fileno(out->file)) == 0);
    int why = errno;

    if (fclose(out->file) != 0 && ok) {
        ok = false;
        why = errno;
    }
    out->file = NULL;
    if (ok && rename(out->temporary, out->path) != 0) {
        ok = false;
        why = errno;
    }
    if (ok) {
        if (is_synced)
            sync_folder_of(out->path);
        mem_free(out->temporary);
        out->temporary = NULL;
    } else {
        err_sys(err, why, "can't write '%s'", out->path);
    }
    outfile_abandon(out);
    return ok;
}

bool outfile_commit(struct outfile *out, struct err *err)
{
    return finish(out, true, err);
}

bool outfile_show(struct outfile *out, struct err *err)
{
    return finish(out, false, err);
}

void outfile_abandon(struct outfile *out)
{
    if (out->file != NULL)
        fclose(out->file);
    if (out->temporary != NULL)
        unlink(out->temporary);
    mem_free(out->temporary);
    mem_free(out->path);
    *out = (struct outfile){ .file = NULL };
}

FILE *files_temporary(struct err *err)
{
    const char *folder = getenv("TMPDIR");
    int fd = open(folder != NULL && *folder == '/' ? folder : "/tmp", O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC,
                  0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w+") : tmpfile(); /* not every file system can do the former */

    if (file == NULL)
        err_sys(err, errno, "can't make a temporary file");
    else
        setvbuf(file, NULL, _IOFBF, WRITE_BUFFER_BYTES);
    return file;
}

/* --- the folder beside --------------------------------------------------------------------------------- */

struct files {
    char *folder;
    bool is_folder_ours; /* made by this export */
    bool is_kept;
    char **added; /* paths that were not there before */
    size_t added_count, added_cap;
    struct outfile current;
    struct digest *digest;
    bool (*check)(void *self, FILE *file, const char *what, struct err *err); /* NULL: none */
    void *check_self;
};

struct files *files_new(const char *path)
{
    static const char *const endings[] = { ".postman_collection.json", ".json", ".http" };
    struct files *files = mem_new(struct files);
    struct span stem = span_of(path);

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (span_ends(stem, span_of(endings[i]))) {
            stem.len -= strlen(endings[i]);
            break;
        }
    }
    files->folder = mem_printf("%.*s.files", SPAN_ARG(stem));
    return files;
}

void files_free(struct files *files)
{
    if (files == NULL)
        return;
    outfile_abandon(&files->current);
    digest_free(files->digest);
    for (size_t i = 0; i < files->added_count; i++) {
        if (!files->is_kept)
            unlink(files->added[i]);
        mem_free(files->added[i]);
    }
    if (files->is_folder_ours && (!files->is_kept || files->added_count == 0))
        rmdir(files->folder);
    mem_free(files->added);
    mem_free(files->folder);
    mem_free(files);
}

void files_keep(struct files *files)
{
    files->is_kept = true;
}

void files_set_check(struct files *files,
                     bool (*check)(void *self, FILE *file, const char *what, struct err *err), void *self)
{
    files->check = check;
    files->check_self = self;
}

const char *files_path(const struct files *files)
{
    return files->folder;
}

bool files_is_empty(const struct files *files)
{
    return files->added_count == 0;
}

bool files_begin(struct files *files, struct err *err)
{
    char *path;
    bool ok;

    if (mkdir(files->folder, 0700) == 0)
        files->is_folder_ours = true;
    else if (errno != EEXIST)
        return err_sys(err, errno, "can't make the folder '%s'", files->folder);
    path = mem_printf("%s/body", files->folder);
    ok = outfile_open(&files->current, path, err);
    mem_free(path);
    if (ok)
        files->digest = digest_new();
    return ok;
}

bool files_write(struct files *files, struct span bytes, struct err *err)
{
    digest_feed(files->digest, bytes);
    if (fwrite(bytes.ptr, 1, bytes.len, files->current.file) != bytes.len)
        return err_sys(err, errno, "can't write '%s'", files->current.temporary);
    return true;
}

static void remember(struct files *files, const char *path)
{
    if (files->added_count == files->added_cap) {
        files->added_cap = files->added_cap != 0 ? files->added_cap * 2 : 16;
        files->added = mem_realloc(files->added, files->added_cap * sizeof(*files->added));
    }
    files->added[files->added_count++] = mem_strdup(path);
}

bool files_end(struct files *files, struct span name, char **out_name, struct err *err)
{
    char hex[DIGEST_HEX_BYTES], harmless[64];
    size_t len = 0;
    bool was_there;

    for (size_t i = 0; i < name.len && len < sizeof(harmless) - 1; i++) {
        char c = name.ptr[i];
        bool is_harmless = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '_' || (c == '.' && len != 0);
        if (is_harmless)
            harmless[len++] = c;
    }
    harmless[len] = '\0';
    if (files->check != NULL && fflush(files->current.file) == 0 &&
        !files->check(files->check_self, files->current.file, "a body beside the export", err))
        return false;
    digest_hex(files->digest, hex);
    digest_free(files->digest);
    files->digest = NULL;

    *out_name = mem_printf("%s-%s", hex, len != 0 ? harmless : "body");
    mem_free(files->current.path);
    files->current.path = mem_printf("%s/%s", files->folder, *out_name);
    was_there = access(files->current.path, F_OK) == 0;
    name = span_of(files->current.path);
    char *path = mem_spandup(name);
    bool ok = outfile_commit(&files->current, err);
    if (ok && !was_there)
        remember(files, path);
    if (!ok) {
        mem_free(*out_name);
        *out_name = NULL;
    }
    mem_free(path);
    return ok;
}

void files_drop(struct files *files, const char *name)
{
    char *path = mem_printf("%s/%s", files->folder, name);

    for (size_t i = 0; i < files->added_count; i++) {
        if (strcmp(files->added[i], path) != 0)
            continue;
        unlink(path);
        mem_free(files->added[i]);
        files->added[i] = files->added[--files->added_count];
        break;
    }
    mem_free(path);
}
