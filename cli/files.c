/* Models, data and run directories by the names that a user gives. */
#include "config.h"

#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool hg_ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

bool hg_is_run(const char *path)
{
    return is_directory(path) || hg_ends_with(path, ".safetensors");
}

char *hg_join(const char *directory, const char *name)
{
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = malloc(size);
    if (path == NULL)
        hg_complain("out of memory");
    else
        snprintf(path, size, "%s/%s", directory, name);
    return path;
}

const hg_autoencoder *hg_find_declaration(const char *name, hg_autoencoder **owned)
{
    hg_error error = { 0 };
    const hg_autoencoder *declaration = hg_autoencoder_find(name);
    *owned = NULL;
    if (declaration != NULL)
        return declaration;
    if (strchr(name, '/') == NULL && !hg_ends_with(name, ".json") && access(name, F_OK) != 0) {
        hg_complain("there is neither a model nor a JSON file \"%s\" (hourglass models lists the models)", name);
        return NULL;
    }
    *owned = hg_autoencoder_open(name, &error);
    if (*owned == NULL)
        hg_complain("%s", error.text);
    return *owned;
}

bool hg_is_pca(const hg_autoencoder *declaration)
{
    return strcmp(declaration->name, "pca") == 0;
}

hg_model *hg_open_run(const char *run)
{
    char *inside = is_directory(run) ? hg_join(run, "model.safetensors") : NULL;
    hg_model *model = hg_model_open(inside != NULL ? inside : run, NULL);
    free(inside);
    if (hg_model_status(model) == HG_OK)
        return model;
    hg_complain("%s", hg_model_error(model));
    hg_model_free(model);
    return NULL;
}

hg_dataset *hg_open_data(const char *spec)
{
    hg_dataset *data = hg_dataset_open(spec, NULL);
    if (hg_dataset_status(data) == HG_OK)
        return data;
    hg_complain("%s", hg_dataset_error(data));
    hg_dataset_free(data);
    return NULL;
}

static bool make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0777) == 0 || errno == EEXIST;
}

bool hg_make_directory(const char *path)
{
    char *copy = strdup(path);
    bool made = copy != NULL && *path != '\0' && make_parents(copy);
    int reason = *path == '\0' ? ENOENT : errno;
    free(copy);
    if (made && is_directory(path) && access(path, W_OK | X_OK) == 0)
        return true;
    if (made)
        reason = is_directory(path) ? EACCES : ENOTDIR;
    hg_complain("cannot write to the directory \"%s\": %s", path, strerror(reason));
    return false;
}
