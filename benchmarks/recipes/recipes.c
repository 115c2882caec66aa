/* Trains recipes on MNIST and prints what each reaches beside its target.

   Usage: recipes [--list] [--data DIR] [--quick] [--held-out] [--seed N] [--threads N] [--progress] [NAME...]

   All recipes by default, in the order of --list; --quick: those that take a minute or less. The data are
   looked for in DIR/mnist, by default $HG_DATA/mnist. --held-out trains on the first 50000 training images
   and judges by the other 10000 instead of the test images: for choosing settings. The exit status is 0 if
   all targets are met, 1 if one is missed, 2 on an error. */
#include "config.h"

#include "recipes.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const recipe *const recipes[] = { &shallow, &linear,      &denoising,     &stacked_short, &tied,
                                         &contractive, &deep_relu, &deep_logistic, &stacked };
enum { RECIPES = sizeof recipes / sizeof recipes[0], HELD_OUT = 10000 };

typedef struct options {
    const char *directory;
    bool        list, quick, held_out, progress;
    int         threads;
    uint64_t    seed;
} options;

typedef struct images {
    hg_dataset *all, *test_set, *first, *last; /* what was opened, and views of `all` */
    const hg_dataset *train, *test;
} images;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Of all threads: what other programs take from the wall clock is not in it. */
static double processor_time(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* ---- Targets ----------------------------------------------------------------------------------------- */

/* The interval that a target leaves, and its text, "" for all numbers. `value`: of the targets before it. */
static void bound(const target *t, const double value[], double *low, double *high, char text[64])
{
    *low = -INFINITY;
    *high = INFINITY;
    *text = '\0';
    if (t->near != 0) {
        *low = t->near * (1 - t->within);
        *high = t->near * (1 + t->within);
        snprintf(text, 64, "%g within %g %%", t->near, 100 * t->within);
    } else if (t->below != 0) {
        *high = nextafter(t->below * value[t->than], -INFINITY);
        snprintf(text, 64, "below %.4g", t->below * value[t->than]);
    } else if (t->most != 0) {
        *high = t->most;
        snprintf(text, 64, "at most %g", t->most);
    }
}

/* Returns whether it is met. */
static bool print_result(const target *t, const double value[], int index)
{
    double low, high;
    char text[64];
    bound(t, value, &low, &high, text);
    bool met = value[index] >= low && value[index] <= high;
    printf("  %-54s %9.4f", t->what, value[index]);
    if (*text != '\0')
        printf("   %-20s %s", text, met ? "met" : "MISSED");
    putchar('\n');
    return met;
}

/* ---- Recipes ----------------------------------------------------------------------------------------- */

static hg_status judge(const recipe *r, int trial, trial_run *run, double value[], int *missed)
{
    hg_status status = HG_OK;
    for (int i = 0; i < MOST_TARGETS && r->targets[i].what != NULL && status == HG_OK; i++) {
        const target *t = &r->targets[i];
        if (t->trial != trial)
            continue;
        status = t->metric(run, t->epoch, &value[i]);
        if (status == HG_OK)
            *missed += !print_result(t, value, i);
    }
    return status;
}

static hg_status try(const recipe *r, int trial, const images *data, const options *o, double value[],
                     int *missed)
{
    trial_run run = { .trial = &r->trials[trial], .test = data->test, .threads = o->threads,
                      .show = o->progress };
    double started = now(), computed = processor_time();
    int64_t samples = run.trial->samples < hg_dataset_count(data->train) ? run.trial->samples : 0;
    hg_dataset *first = samples > 0 ? hg_dataset_view(data->train, 0, samples) : NULL;
    run.train = samples > 0 ? first : data->train;
    run.model = hg_model_new(run.trial->model, HG_F32, o->seed);
    hg_status status = run_trial(&run);
    if (status == HG_OK) {
        const char *name = run.trial->name != NULL ? run.trial->name : "trained";
        printf("  %-54s %9.1f s   (%.1f s of processors)\n", name, now() - started,
               processor_time() - computed);
        status = judge(r, trial, &run, value, missed);
    }
    if (status != HG_OK)
        fprintf(stderr, "recipes: %s: %s\n", r->name, hg_model_error(run.model));
    fflush(stdout);
    hg_classifier_free(run.classifier);
    hg_model_free(run.model);
    hg_dataset_free(first);
    return status;
}

static hg_status cook(const recipe *r, const images *data, const options *o, int *missed)
{
    double value[MOST_TARGETS] = { 0 };
    hg_status status = HG_OK;
    printf("%s: %s\n", r->name, r->description);
    for (int i = 0; i < MOST_TRIALS && r->trials[i].model != NULL && status == HG_OK; i++)
        status = try(r, i, data, o, value, missed);
    return status;
}

/* ---- Data -------------------------------------------------------------------------------------------- */

static hg_dataset *open_set(const char *directory, const char *set)
{
    char samples[4096], labels[4096];
    snprintf(samples, sizeof samples, "%s/mnist/%s-images-idx3-ubyte.gz", directory, set);
    snprintf(labels, sizeof labels, "%s/mnist/%s-labels-idx1-ubyte.gz", directory, set);
    return hg_dataset_open(samples, &(hg_data_options){ .labels = labels });
}

static bool is_open(const hg_dataset *data)
{
    if (hg_dataset_status(data) != HG_OK)
        fprintf(stderr, "recipes: %s\n", data == NULL ? "out of memory: the data" : hg_dataset_error(data));
    return hg_dataset_status(data) == HG_OK;
}

static bool open_images(const options *o, images *data)
{
    data->train = data->all = open_set(o->directory, "train");
    if (!is_open(data->all))
        return false;
    if (!o->held_out) {
        data->test = data->test_set = open_set(o->directory, "t10k");
        return is_open(data->test);
    }
    int64_t rest = hg_dataset_count(data->all) - HELD_OUT;
    data->train = data->first = hg_dataset_view(data->all, 0, rest);
    data->test = data->last = hg_dataset_view(data->all, rest, HELD_OUT);
    return is_open(data->train) && is_open(data->test);
}

static void free_images(images *data)
{
    hg_dataset_free(data->first);
    hg_dataset_free(data->last);
    hg_dataset_free(data->all);
    hg_dataset_free(data->test_set);
}

/* ---- The command ------------------------------------------------------------------------------------- */

static const recipe *find(const char *name)
{
    for (int i = 0; i < RECIPES; i++)
        if (strcmp(recipes[i]->name, name) == 0)
            return recipes[i];
    return NULL;
}

static bool parse_natural(const char *option, const char *text, double most, double *number)
{
    char *end;
    *number = strtod(text, &end);
    if (end != text && *end == '\0' && *number >= 1 && *number <= most && *number == floor(*number))
        return true;
    fprintf(stderr, "recipes: %s is \"%s\", but must be a natural number up to %g\n", option, text, most);
    return false;
}

/* Returns whether the options are right. */
static bool parse(int argc, char *argv[], options *o)
{
    static const struct option known[] = { { "list", no_argument, NULL, 'l' },
                                           { "data", required_argument, NULL, 'd' },
                                           { "quick", no_argument, NULL, 'q' },
                                           { "held-out", no_argument, NULL, 'h' },
                                           { "seed", required_argument, NULL, 's' },
                                           { "threads", required_argument, NULL, 't' },
                                           { "progress", no_argument, NULL, 'p' },
                                           { 0 } };
    double threads = 0, seed = (double)o->seed;
    bool good = true;
    for (int c; good && (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'l': o->list = true; break;
        case 'd': o->directory = optarg; break;
        case 'q': o->quick = true; break;
        case 'h': o->held_out = true; break;
        case 's': good = parse_natural("--seed", optarg, 9e15, &seed); break;
        case 't': good = parse_natural("--threads", optarg, 1024, &threads); break;
        case 'p': o->progress = true; break;
        default: good = false;
        }
    o->seed = (uint64_t)seed;
    o->threads = (int)threads;
    for (int i = optind; i < argc; i++)
        if (find(argv[i]) == NULL) {
            fprintf(stderr, "recipes: there is no recipe \"%s\"; --list has them all\n", argv[i]);
            good = false;
        }
    return good;
}

static bool is_chosen(const recipe *r, const options *o, int names, char *const name[])
{
    bool named = names == 0;
    for (int i = 0; i < names; i++)
        named = named || strcmp(name[i], r->name) == 0;
    return named && (r->quick || !o->quick);
}

int main(int argc, char *argv[])
{
    const char *data_directory = getenv("HG_DATA");
    options o = { .directory = data_directory != NULL ? data_directory : "../shared/data", .seed = 1 };
    images data = { 0 };
    int missed = 0;
    if (!parse(argc, argv, &o))
        return 2;
    hg_status status = o.list || open_images(&o, &data) ? HG_OK : HG_BAD_DATA;
    for (int i = 0; i < RECIPES && status == HG_OK; i++) {
        if (!is_chosen(recipes[i], &o, argc - optind, argv + optind))
            continue;
        if (o.list)
            printf("%-14s %s%s\n", recipes[i]->name, recipes[i]->description,
                   recipes[i]->quick ? " (quick)" : "");
        else
            status = cook(recipes[i], &data, &o, &missed);
    }
    free_images(&data);
    if (status == HG_OK && !o.list)
        printf("targets missed: %d\n", missed);
    return status != HG_OK ? 2 : missed > 0;
}
