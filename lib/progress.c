/* Progress of a training, for people. */
#include "config.h"

#include <hourglass/train.h>

#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { BAR = 24 };

/* 1:02:03, or 2:03 */
static void print_time(FILE *to, double seconds)
{
    long long whole = (long long)ceil(seconds);
    if (whole >= 3600)
        fprintf(to, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        fprintf(to, "%lld:%02lld", whole / 60, whole % 60);
}

static void print_bar(FILE *to, double part)
{
    int full = (int)(part * BAR);
    fputs(" [", to);
    for (int i = 0; i < BAR; i++)
        fputc(i < full ? '=' : i == full ? '>' : ' ', to);
    fprintf(to, "] %3.0f%%", 100 * part);
}

static void print_losses(FILE *to, const hg_report *report)
{
    fprintf(to, "  loss %.6g", report->train_loss);
    if (report->train_penalty != 0)
        fprintf(to, " + %.4g", report->train_penalty);
    if (!isnan(report->valid_loss))
        fprintf(to, "  valid %.6g", report->valid_loss);
    fprintf(to, "  %.0f samples/s", report->samples_per_second);
}

void hg_progress_bar(const hg_report *report, void *stream)
{
    FILE *to = stream;
    bool terminal = isatty(fileno(to)) != 0;
    if (!terminal && !report->epoch_done)
        return;
    if (terminal)
        fputs("\r\033[K", to);
    fprintf(to, "epoch %lld/%lld", (long long)report->epoch, (long long)report->epochs);
    if (!report->epoch_done)
        print_bar(to, (double)report->step / (double)report->steps);
    print_losses(to, report);
    if (!report->epoch_done) {
        fputs("  ", to);
        print_time(to, report->seconds_left);
        fputs(" left", to);
    } else {
        fputc('\n', to);
        if (report->ended != NULL)
            fprintf(to, "ended: %s\n", report->ended);
    }
    fflush(to);
}
