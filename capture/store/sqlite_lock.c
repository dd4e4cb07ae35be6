/* STORE.lock: byte n of it belongs to whoever records session n. Open file description locks: they go with
 * the process, whatever ends it, and two handles in one process exclude each other as two processes do. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "capture/store/sqlite.h"
#include "proxy/base/mem.h"

/* Sessions are numbered from 1. */
#define MAKING_BYTE 0

/* -1 with errno set. A reader opens it for reading and never makes it. */
static int lock_file(struct store *store)
{
    char *path;

    if (store->lock_fd >= 0)
        return store->lock_fd;
    path = mem_printf("%s.lock", store->path);
    store->lock_fd = store->mode == STORE_WRITE ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)
                                                : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    mem_free(path);
    return store->lock_fd;
}

static struct flock byte_lock(int64_t session, short type)
{
    return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = session, .l_len = 1 };
}

bool sqlite_lock_making(struct store *store, struct err *err)
{
    struct flock lock = byte_lock(MAKING_BYTE, F_WRLCK);
    int fd = lock_file(store);

    if (fd < 0)
        return err_sys(err, errno, "lock file '%s.lock'", store->path);
    while (fcntl(fd, F_OFD_SETLKW, &lock) != 0)
        if (errno != EINTR)
            return err_sys(err, errno, "lock file '%s.lock' can't be locked", store->path);
    return true;
}

void sqlite_unlock_making(struct store *store)
{
    sqlite_unlock_session(store, MAKING_BYTE);
}

bool sqlite_lock_session(struct store *store, int64_t session, bool *out_taken, struct err *err)
{
    struct flock lock = byte_lock(session, F_WRLCK);
    int fd = lock_file(store);

    if (fd < 0)
        return err_sys(err, errno, "lock file '%s.lock'", store->path);
    *out_taken = fcntl(fd, F_OFD_SETLK, &lock) == 0;
    if (!*out_taken && errno != EAGAIN && errno != EACCES)
        return err_sys(err, errno, "lock file '%s.lock' can't be locked", store->path);
    return true;
}

void sqlite_unlock_session(struct store *store, int64_t session)
{
    struct flock lock = byte_lock(session, F_UNLCK);

    if (store->lock_fd >= 0)
        fcntl(store->lock_fd, F_OFD_SETLK, &lock);
}

bool sqlite_session_is_locked(struct store *store, int64_t session)
{
    struct flock lock = byte_lock(session, F_WRLCK);
    int fd = lock_file(store);

    if (fd < 0)
        return errno != ENOENT;
    return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}
