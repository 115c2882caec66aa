/* hourglass models: lists the library's autoencoders. */
#include "cli.h"

#include <stdio.h>

static int run(char *const positional[], const void *options)
{
    const hg_autoencoder *declaration;
    (void)positional;
    (void)options;
    for (size_t i = 0; (declaration = hg_autoencoder_at(i)) != NULL; i++)
        printf("%-26s %s\n", declaration->name, declaration->description);
    return 0;
}

const hg_command hg_models_command = {
    .name = "models",
    .arguments = "",
    .summary = "lists the autoencoders that can be trained by name",
    .options = (const hg_option[]){ { 0 } },
    .run = run,
};
