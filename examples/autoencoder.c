/* An autoencoder of one's own: declared, trained, judged, saved and opened again.
   cc -std=c11 autoencoder.c $(pkg-config --cflags --libs hourglass) -o autoencoder && ./autoencoder */
#include <hourglass.h>

#include <stdio.h>

/* A layer is any function of the program: this one keeps the strongest of each pair of units. */
static hg_tensor *strongest_of_pairs(hg_tensor *x)
{
    if (x == NULL)
        return NULL;
    int64_t units = hg_tensor_shape(x)->dim[0];
    return hg_max(hg_reshape(x, HG_SHAPE(units / 2, 2, HG_BATCH)), HG_AXIS(1));
}

static const hg_autoencoder maxout = {
    .name      = "maxout",
    .input     = { 1, 28, 28 },
    .encoder   = { HG_DENSE(128), HG_CUSTOM(strongest_of_pairs), HG_DENSE(16) },
    .decoder   = { HG_DENSE(64, .act = hg_relu), HG_DENSE(784, .act = hg_sigmoid) },
    .loss      = HG_BINARY_CROSS_ENTROPY,
    .penalties = { HG_WEIGHT_DECAY(1e-5) },
};

static hg_status run(hg_model *model, const hg_dataset *train, const hg_dataset *test)
{
    hg_evaluation result;
    hg_status status = hg_train(model, train, &(hg_training){ .epochs = 5, .optimizer = HG_ADAM(.rate = 2e-3),
                                                              .valid = test, .progress = hg_progress_bar,
                                                              .progress_to = stderr });
    if (status == HG_OK)
        status = hg_model_evaluate(model, test, &result);
    if (status == HG_OK)
        status = hg_model_save(model, "maxout.safetensors");
    if (status == HG_OK)
        printf("mean squared error %.4f, of the mean image %.4f\n", result.errors.mean_squared_error,
               result.baselines.mean_image.mean_squared_error);
    return status;
}

int main(void)
{
    hg_dataset *train = hg_dataset_open("digits:count=4000,seed=1", NULL);
    hg_dataset *test = hg_dataset_open("digits:count=500,seed=2", NULL);
    hg_model *model = hg_model_new(&maxout, HG_F32, /* seed */ 1), *again = NULL;
    hg_status status = run(model, train, test);
    if (status == HG_OK) {
        again = hg_model_open("maxout.safetensors", &maxout); /* its layer is a function, so it needs the declaration */
        status = hg_model_status(again);
    }
    if (status != HG_OK)
        fprintf(stderr, "%s\n", again != NULL ? hg_model_error(again) : hg_model_error(model));
    hg_model_free(again);
    hg_model_free(model);
    hg_dataset_free(train);
    hg_dataset_free(test);
    return status != HG_OK;
}
