/* The epochs of a training: printed, kept for metrics.csv, diagnosed. */
#include "train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hg_print_notes(const hg_diagnoses *diagnoses, const char *said[])
{
    for (int i = 0; i < diagnoses->count; i++) {
        int known = 0;
        while (known < HG_MOST_DIAGNOSES && said[known] != NULL && strcmp(said[known], diagnoses->found[i].name) != 0)
            known++;
        if (known == HG_MOST_DIAGNOSES || said[known] != NULL)
            continue;
        said[known] = diagnoses->found[i].name;
        fprintf(stderr, "note: %s\n", diagnoses->found[i].text);
    }
}

void hg_history_free(hg_history *history)
{
    hg_pca_free(history->pca);
    free(history->epoch);
    free(history->angle);
}

int hg_compare_with_pca(hg_history *h)
{
    hg_error error = { 0 };
    const hg_autoencoder *a = hg_model_declaration(h->model);
    hg_scaling scale = hg_model_scaling(h->model);
    bool squared = a->loss.kind == NULL || a->loss.kind == &hg_squared_error_loss;
    if (!squared || !hg_model_is_linear(h->model) || !hg_is_beside_pca(h->model)
        || hg_model_code_size(h->model) >= hg_model_input_size(h->model))
        return 0;
    h->pca = hg_pca_new(h->data, scale.low, scale.high, hg_model_code_size(h->model), &error);
    if (h->pca == NULL || hg_pca_squared_error(h->pca, h->data, &h->pca_error, &error) != HG_OK)
        return hg_complain("%s", error.text);
    return 0;
}

/* ---- An epoch ------------------------------------------------------------------------------------------- */

static bool make_room(hg_history *h)
{
    if (h->count < h->room)
        return true;
    size_t room = h->room == 0 ? 64 : 2 * h->room;
    hg_report *epoch = realloc(h->epoch, room * sizeof *epoch);
    if (epoch != NULL)
        h->epoch = epoch;
    double *angle = realloc(h->angle, room * sizeof *angle);
    if (angle != NULL)
        h->angle = angle;
    h->full = h->full || epoch == NULL || angle == NULL;
    if (!h->full)
        h->room = room;
    return !h->full;
}

/* How much larger the error was, while it learned, than PCA's. */
static double excess(const hg_history *h, const hg_report *report)
{
    return 2 * report->train_loss / h->pca_error - 1; /* the loss is half of the squared error */
}

/* After epochs 1, 2, 4, 8 ... and the last. */
static bool is_time_to_diagnose(const hg_report *report)
{
    return (report->epoch & (report->epoch - 1)) == 0 || report->epoch == report->epochs;
}

static bool is_of_the_encoder(const char *name)
{
    static const char *const names[] = { "divergence", "collapsed_code", "dead_units", "saturated_units" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void diagnose(hg_history *h)
{
    hg_diagnoses all, kept = { 0 };
    if (hg_diagnose(h->model, h->data, (int64_t)h->count, h->epoch, &all) != HG_OK)
        return;
    for (int i = 0; i < all.count; i++)
        if (!h->encoder_alone || is_of_the_encoder(all.found[i].name))
            kept.found[kept.count++] = all.found[i];
    hg_print_notes(&kept, h->said);
}

void hg_record(const hg_report *report, hg_history *h)
{
    if (!make_room(h))
        return;
    h->epoch[h->count] = *report;
    h->angle[h->count] = NAN;
    if (h->pca != NULL && hg_model_pca_angle(h->model, h->pca, &h->angle[h->count]) == HG_OK)
        fprintf(stderr, "  PCA: angle %.3f degrees, excess error %.3f%%\n", h->angle[h->count], 100 * excess(h, report));
    h->count++;
    if (h->model != NULL && is_time_to_diagnose(report))
        diagnose(h);
}

void hg_observe(const hg_report *report, void *history)
{
    hg_progress_bar(report, stderr);
    if (report->epoch_done)
        hg_record(report, history);
}

/* The first epoch from which on a series stays below a bound; 0: it does not. */
static int64_t settled_below(const hg_history *h, double bound, double (*at)(const hg_history *h, size_t i))
{
    size_t i = h->count;
    while (i > 0 && at(h, i - 1) <= bound)
        i--;
    return i < h->count ? h->epoch[i].epoch : 0;
}

static double angle_at(const hg_history *h, size_t i)
{
    return h->angle[i];
}

static double percent_at(const hg_history *h, size_t i)
{
    return 100 * excess(h, &h->epoch[i]);
}

void hg_print_convergence(const hg_history *h)
{
    static const struct {
        const char *what, *unit;
        double      bound;
        double (*at)(const hg_history *h, size_t i);
    } rows[] = { { "largest angle to PCA", "degrees", 10, angle_at },  { "largest angle to PCA", "degrees", 2, angle_at },
                 { "largest angle to PCA", "degrees", 0.5, angle_at }, { "error above PCA's", "%", 10, percent_at },
                 { "error above PCA's", "%", 1, percent_at },          { "error above PCA's", "%", 0.1, percent_at } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows && h->pca != NULL; i++) {
        int64_t epoch = settled_below(h, rows[i].bound, rows[i].at);
        if (epoch > 0)
            printf("%s at most %g %s from epoch %" PRId64 " on\n", rows[i].what, rows[i].bound, rows[i].unit, epoch);
    }
}

/* ---- metrics.csv ---------------------------------------------------------------------------------------- */

static void print_number(hg_file_writer *file, double value)
{
    hg_file_print(file, isnan(value) ? "," : ",%.9g", value);
}

int hg_write_history(const hg_history *h, const char *directory, const char *name)
{
    hg_error error = { 0 };
    char *path = hg_join(directory, name);
    if (path == NULL)
        return HG_EXIT_FAILURE;
    hg_file_writer *file = hg_file_writer_open(path, &error);
    free(path);
    hg_file_print(file, "epoch,train_loss,train_penalty,valid_loss,rate%s\n",
                  h->pca != NULL ? ",principal_angle_degrees,excess_error" : "");
    for (size_t i = 0; i < h->count; i++) {
        const hg_report *e = &h->epoch[i];
        hg_file_print(file, "%" PRId64, e->epoch);
        print_number(file, e->train_loss);
        print_number(file, e->train_penalty);
        print_number(file, e->valid_loss);
        print_number(file, e->rate);
        if (h->pca != NULL) {
            print_number(file, h->angle[i]);
            print_number(file, excess(h, e));
        }
        hg_file_print(file, "\n");
    }
    if (h->full)
        return hg_file_discard(file), hg_complain("out of memory: the history of %zu epochs", h->count);
    return hg_file_commit(file) == HG_OK ? 0 : hg_complain("%s", error.text);
}
