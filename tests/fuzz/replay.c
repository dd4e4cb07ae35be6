/* What takes libFuzzer's place in the ordinary suite: runs every file of the folders it is given once. A
 * folder that is not there is empty. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Read up to its end, into an allocation of its own: one byte too many is seen. */
static void replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *bytes;
    long len;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0) {
        perror(path);
        abort();
    }
    rewind(file);
    bytes = mem_alloc((size_t)len);
    if (fread(bytes, 1, (size_t)len, file) != (size_t)len) {
        perror(path);
        abort();
    }
    fclose(file);
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, (size_t)len);
    mem_free(bytes);
}

int main(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        const struct dirent *entry;

        while (folder != NULL && (entry = readdir(folder)) != NULL) {
            char *path = mem_printf("%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.') {
                replay(path);
                count++;
            }
            mem_free(path);
        }
        if (folder != NULL)
            closedir(folder);
    }
    printf("%zu inputs\n", count);
    return 0;
}
