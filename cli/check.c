/* hourglass check: proves that an autoencoder computes what it declares. */
#include "cli.h"

#include <stdio.h>

typedef struct options {
    int64_t batch, most, seed;
} options;

static void print_proof(const hg_proof *proof, void *to)
{
    fprintf(to, "%-6s %s: %s\n", proof->holds ? "ok" : "WRONG", proof->name, proof->text);
}

static int check(const hg_autoencoder *declaration, const options *o)
{
    hg_error error = { 0 };
    hg_proof_options given = { .seed = (uint64_t)o->seed, .batch = o->batch, .most = o->most };
    return hg_autoencoder_check(declaration, &given, print_proof, stdout, &error) == HG_OK ? 0 : hg_complain("%s", error.text);
}

static int run(char *const positional[], const void *given)
{
    hg_autoencoder *owned = NULL;
    hg_model *model = NULL;
    const hg_autoencoder *declaration = NULL;
    int status = HG_EXIT_FAILURE;
    if (!hg_is_run(positional[0]))
        declaration = hg_find_declaration(positional[0], &owned);
    else if ((model = hg_open_run(positional[0])) != NULL)
        declaration = hg_model_declaration(model);
    if (declaration != NULL)
        status = check(declaration, given);
    hg_model_free(model);
    hg_autoencoder_free(owned);
    return status;
}

const hg_command hg_check_command = {
    .name = "check",
    .arguments = "MODEL",
    .summary = "proves that an autoencoder computes what it declares",
    .details = "MODEL is a name that `hourglass models` lists, a JSON file, a run directory or a model file: what is proved is its\n"
               "declaration, with parameters of its own. One line for each proof, with what was measured: gradients against\n"
               "differences, penalties that matter, tied weights, corruption, epochs. The exit status is 1 if one fails.\n",
    .positionals = 1,
    .options = (const hg_option[]){
        { "batch", 'b', HG_OPTION_INT, offsetof(options, batch), "[2, 1024]", "N", "samples to prove it on (5)" },
        { "most", 0, HG_OPTION_INT, offsetof(options, most), "[1, inf)", "N", "numbers of each parameter that differences are taken at (6)" },
        { "seed", 's', HG_OPTION_INT, offsetof(options, seed), "[1, inf)", "N", "seed of everything random (1)" },
        { 0 } },
    .size = sizeof(options),
    .run = run,
};
