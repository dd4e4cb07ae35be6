#include "certs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "proxy/base/mem.h"

void file_content_clear(struct file_content *content)
{
    if (content->bytes != NULL)
        OPENSSL_cleanse(content->bytes, content->len);
    mem_free(content->bytes);
    *content = (struct file_content){ NULL, 0, 0 };
}

struct span file_content_span(const struct file_content *content)
{
    return span_make(content->bytes, content->len);
}

/* Fills len bytes, or stops early at the end of the file. */
static bool read_fully(int fd, char *bytes, size_t len, size_t *out_len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, bytes + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *out_len = done;
    return true;
}

bool file_read(const char *path, size_t max_bytes, struct file_content *out_content, struct err *err)
{
    struct file_content content = { NULL, 0, 0 };
    struct stat status;
    bool ok = false;
    /* O_NONBLOCK: opening a FIFO that somebody put there must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_set(err, ERR_FOUND, "there is no file '%s'", path);
    if (fd < 0)
        return err_sys(err, errno, "opening '%s'", path);
    if (fstat(fd, &status) != 0) {
        err_sys(err, errno, "looking at '%s'", path);
        goto out;
    }
    if (!S_ISREG(status.st_mode)) {
        err_set(err, ERR_SYS, "'%s' is not a regular file", path);
        goto out;
    }
    if ((uintmax_t)status.st_size > max_bytes) {
        err_set(err, ERR_LIMIT, "'%s' is longer than %zu bytes", path, max_bytes);
        goto out;
    }
    content.mode = status.st_mode & 07777;
    content.bytes = mem_zalloc((size_t)status.st_size + 1);
    if (!read_fully(fd, content.bytes, (size_t)status.st_size, &content.len)) {
        err_sys(err, errno, "reading '%s'", path);
        goto out;
    }
    *out_content = content;
    content.bytes = NULL;
    ok = true;
out:
    file_content_clear(&content);
    close(fd);
    return ok;
}

static bool write_fully(int fd, struct span bytes)
{
    while (bytes.len != 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes = span_from(bytes, (size_t)n);
    }
    return true;
}

/* A rename is only as lasting as the folder's own entry. Some file systems refuse fsync on a folder; the
 * file is in place all the same. */
static void sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? mem_strdup(".")
                                 : mem_spandup(span_make(path, slash == path ? 1 : (size_t)(slash - path)));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    mem_free(folder);
}

bool file_write(const char *path, mode_t mode, struct span bytes, struct err *err)
{
    char *unfinished = mem_printf("%s.tmp", path);
    bool ok = false;
    int fd = -1;

    if (unlink(unfinished) != 0 && errno != ENOENT) { /* what a killed writer left */
        err_sys(err, errno, "removing '%s'", unfinished);
        goto out;
    }
    fd = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_sys(err, errno, "creating '%s'", unfinished);
        goto out;
    }
    /* fchmod after open: the umask must not decide. */
    if (fchmod(fd, mode) != 0 || !write_fully(fd, bytes) || fsync(fd) != 0 || rename(unfinished, path) != 0) {
        err_sys(err, errno, "writing '%s'", path);
        (void)unlink(unfinished); /* best effort: the next writer removes it too */
        goto out;
    }
    sync_folder_of(path);
    ok = true;
out:
    if (fd >= 0)
        close(fd);
    mem_free(unfinished);
    return ok;
}

bool file_make_dirs(const char *path, struct err *err)
{
    char *partial = mem_strdup(path);
    bool ok = false;

    for (char *at = partial; *at != '\0';) {
        char *slash = strchr(at + 1, '/');
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(partial, 0700) != 0 && errno != EEXIST && !file_is_dir(partial)) {
            err_sys(err, errno, "making folder '%s'", partial);
            goto out;
        }
        if (slash == NULL)
            break;
        *slash = '/';
        at = slash;
    }
    ok = file_is_dir(path) || err_set(err, ERR_SYS, "'%s' is not a folder", path);
out:
    mem_free(partial);
    return ok;
}

bool file_exists(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}
