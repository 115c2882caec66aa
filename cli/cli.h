/* What the subcommands share. */
#ifndef HG_CLI_H
#define HG_CLI_H

#include <hourglass.h>

#include <stdbool.h>
#include <stddef.h>

/* ---- Options -------------------------------------------------------------------------------------------- */

typedef enum hg_option_type { HG_OPTION_TEXT, HG_OPTION_INT, HG_OPTION_NUMBER, HG_OPTION_FLAG } hg_option_type;

typedef struct hg_option {
    const char    *name; /* without dashes; NULL ends a table */
    char           letter;
    hg_option_type type;
    size_t         offset;   /* of a const char *, int64_t, double or bool in the command's options */
    const char    *range;    /* as in hg_field */
    const char    *argument; /* what the help calls it */
    const char    *help;
} hg_option;

/* A subcommand. What follows its name is a table, from which its help comes too. */
typedef struct hg_command {
    const char      *name, *arguments, *summary;
    const char      *details; /* more for the help; may be NULL */
    int              positionals;
    const hg_option *options;
    size_t           size;    /* of the struct of options */
    const void      *initial; /* its values at first; NULL: zeros */
    int (*run)(char *const positional[], const void *options); /* returns the exit status */
} hg_command;

extern const hg_command hg_train_command, hg_check_command, hg_evaluate_command, hg_reconstruct_command, hg_models_command,
    hg_show_command;

/* Parses argv[1 ...] of the command and runs it. Returns the exit status: 2 for a mistake in the arguments. */
int hg_command_run(const hg_command *command, int argc, char *argv[]);

int hg_print_version(void);

/* ---- Messages ------------------------------------------------------------------------------------------- */

enum { HG_EXIT_FAILURE = 1, HG_EXIT_USAGE = 2 };

/* Prints "hourglass: text" to standard error and returns HG_EXIT_FAILURE. */
int hg_complain(const char *format, ...) HG_PRINTF(1, 2);

/* ---- Models, data, runs --------------------------------------------------------------------------------- */

/* A declaration by its name or from a JSON file. `owned` is what to free with hg_autoencoder_free, or NULL. Returns NULL
   after a message. */
const hg_autoencoder *hg_find_declaration(const char *name, hg_autoencoder **owned);
/* Whether a model is not trained, but computed. */
bool hg_is_pca(const hg_autoencoder *declaration);
/* The model of a run: its directory or the model file. Returns NULL after a message. */
hg_model *hg_open_run(const char *run);
/* Whether a path is a run: a directory, or a file whose name ends with ".safetensors". */
bool hg_is_run(const char *path);
/* Opens data. Returns NULL after a message. */
hg_dataset *hg_open_data(const char *spec);

/* Prints "note: ..." to standard error for those not in said[HG_MOST_DIAGNOSES] yet. */
void hg_print_notes(const hg_diagnoses *diagnoses, const char *said[]);

/* Numbers in a sample up to which baselines by PCA are worth their time. */
enum { HG_LARGEST_PCA = 4096 };
bool hg_is_beside_pca(const hg_model *model);

/* A model's errors, and what they are judged beside; NaN: not known. */
typedef struct hg_proportions {
    hg_evaluation evaluation;
    int64_t       components; /* of PCA: as many as the code has numbers */
    hg_errors     pca;
    double        angle; /* a linear model's largest to PCA, in degrees */
    double        floor; /* of the cross-entropy per sample: the data's entropy */
} hg_proportions;
/* Of `data`, PCA fitted to `known`; the exit status. */
int hg_put_in_proportion(hg_model *model, const hg_dataset *known, const hg_dataset *data, hg_proportions *proportions);
/* Says so where samples are too large for a baseline by PCA. */
void hg_print_left_out(const hg_model *model);

/* DIRECTORY/NAME, to be freed; NULL after a message. */
char *hg_join(const char *directory, const char *name);
/* Makes a directory and those above it; false after a message. It can be written to, then. */
bool hg_make_directory(const char *path);
bool hg_ends_with(const char *text, const char *end);

/* Originals above reconstructions of the first `count` samples; the exit status. Says why if they are no images. */
int hg_draw_reconstructions(hg_model *model, const hg_dataset *data, int64_t count, const char *path);

#endif
