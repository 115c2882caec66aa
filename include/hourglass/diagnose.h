/* What is wrong with a model, as sentences that say what to change. */
#ifndef HOURGLASS_DIAGNOSE_H
#define HOURGLASS_DIAGNOSE_H

#include <hourglass/train.h>

#define HG_DIAGNOSIS_TEXT 384
#define HG_MOST_DIAGNOSES 16
typedef struct hg_diagnosis {
    const char *name; /* "dead_units" */
    char        text[HG_DIAGNOSIS_TEXT];
} hg_diagnosis;
typedef struct hg_diagnoses {
    int          count;
    hg_diagnosis found[HG_MOST_DIAGNOSES];
} hg_diagnoses;

/* Looks at a model on up to 1000 of the data's samples, in use and not in training, and at the reports of the epochs that it
   was trained for (0: not known). The checks, each found once at most: "data_range", "collapsed_code", "no_better_than_mean", "dead_units",
   "saturated_units", "sparsity", "identity", "divergence". Nothing found is no failure. */
HG_API hg_status hg_diagnose(hg_model *model, const hg_dataset *data, int64_t epochs, const hg_report reports[],
                             hg_diagnoses *diagnoses);
/* Those that can be told from the declaration and the data alone, before any training: "data_range", "identity". */
HG_API hg_status hg_diagnose_declaration(hg_model *model, const hg_dataset *data, hg_diagnoses *diagnoses);

/* All names in order; NULL past the end. */
HG_API const char *hg_diagnosis_at(size_t index);

#endif
