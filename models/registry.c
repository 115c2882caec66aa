/* The library's autoencoders by name. */
#include "models.h"

#include <string.h>

static const hg_autoencoder *const autoencoders[] = {
#define HG_MODEL(name) &hg_##name,
#include "models.def"
#undef HG_MODEL
};

const hg_autoencoder *hg_autoencoder_at(size_t index)
{
    return index < sizeof autoencoders / sizeof *autoencoders ? autoencoders[index] : NULL;
}

const hg_autoencoder *hg_autoencoder_find(const char *name)
{
    for (size_t i = 0; i < sizeof autoencoders / sizeof *autoencoders; i++)
        if (strcmp(autoencoders[i]->name, name) == 0)
            return autoencoders[i];
    return NULL;
}
