/* What a training goes by: what the caller says, then the declaration, then what is usual. */
#include "models.h"

static bool has_rate(hg_optimizer optimizer)
{
    return optimizer.kind == NULL || hg_field_find(&optimizer.kind->kind, "rate") != NULL;
}

/* Where the first says nothing, the second. An optimiser without a rate takes over no schedule of another's. */
static hg_training_settings either(hg_training_settings a, hg_training_settings b)
{
    const bool scheduled = has_rate(a.optimizer);
    return (hg_training_settings){
        .epochs = a.epochs != 0 ? a.epochs : b.epochs,
        .batch = a.batch != 0 ? a.batch : b.batch,
        .optimizer = a.optimizer.kind != NULL ? a.optimizer : b.optimizer,
        .schedule = a.schedule.kind != NULL || !scheduled ? a.schedule : b.schedule,
        .warm_up = a.warm_up != 0 || !scheduled ? a.warm_up : b.warm_up,
    };
}

static const hg_training_settings usual = { .epochs = 20, .batch = 128, .optimizer = HG_ADAM(.rate = 0.001),
                                            .schedule = HG_CONSTANT };

hg_training_settings hg_settings_for(const hg_autoencoder *declaration, hg_training_settings given)
{
    hg_training_settings settings = either(either(given, declaration->training), usual);
    if (settings.schedule.kind == NULL)
        settings.schedule = usual.schedule;
    if (given.warm_up == 0 && settings.warm_up > (double)settings.epochs)
        settings.warm_up = (double)settings.epochs;
    return settings;
}
