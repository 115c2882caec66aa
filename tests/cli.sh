#!/bin/sh
# The command, as a user types it. Runs in the top of the build; prints TAP.
hourglass=${HOURGLASS:-$PWD/hourglass}
examples=$PWD/examples
tests=$(cd "${top_srcdir:-.}" && pwd)/tests
data=${HG_DATA:-}
. "$tests/report.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# gives NAME STATUS "PATTERN|PATTERN..." COMMAND...: the exit status, and what must be somewhere in the output.
gives() {
    name=$1 status=$2 patterns=$3
    shift 3
    "$@" >out 2>&1 </dev/null
    got=$? wrong=0
    [ "$got" -eq "$status" ] || { wrong=1; echo "exit status $got, not $status" >>out; }
    old=$IFS IFS='|'
    for pattern in $patterns; do
        grep -q -e "$pattern" out || { wrong=1; echo "not said: $pattern" >>out; }
    done
    IFS=$old
    report $wrong "$name"
}

holds() { # holds NAME COMMAND...: it succeeds
    name=$1
    shift
    "$@" >out 2>&1
    report $? "$name"
}

# ---- Help and lists
gives "help lists the commands" 0 'train|check|evaluate|reconstruct|models|show' "$hourglass" --help
for command in train check evaluate reconstruct models show; do
    gives "$command has help" 0 "Usage: hourglass $command|--help" "$hourglass" $command --help
done
gives "version" 0 'hourglass [0-9]|instruction set|BLIS kernels|threads  *[1-9]' "$hourglass" --version
gives "models" 0 'undercomplete  ' "$hourglass" models
gives "show" 0 'encoder 1   dense  *128  *all  *100480  *401920  *200704|total  *209968  *839872  *417792|code 32' \
    "$hourglass" show undercomplete
gives "show receptive fields" 0 'encoder 3   conv2d  *8x3x3  *18x18 step 12x12  *1160|decoder 3 .* 1x28x28  *48x48 step 1x1' \
    "$hourglass" show convolutional
gives "show as JSON" 0 '"name": "undercomplete"|"units": 32' "$hourglass" show undercomplete --json

# ---- Proofs
gives "check" 0 'ok  *gradient of the objective: |ok  *an epoch uses every sample once: 37 of 37' \
    "$hourglass" check undercomplete --most 1
cat >idle.json <<'END'
{"name": "idle", "input": [6], "encoder": [{"kind": "dense", "units": 3, "act": "sigmoid"}], "decoder": "mirror", "tied": true,
 "corrupt": {"kind": "masking", "probability": 0.25}, "penalties": [{"kind": "sparse", "rho": 0.1, "beta": 0}]}
END
gives "check of a penalty that does nothing" 1 \
    'WRONG  *sparse moves the gradient: |ok  *target stays clean: |ok  *decoder has the|"idle" is not what it declares: 1 of' \
    "$hourglass" check idle.json
gives "check of nothing" 1 'neither a model nor a JSON file "nothing"' "$hourglass" check nothing
gives "a penalty out of range" 1 'penalty 1 (sparse): rho is 2, but must be in (0, 1)' \
    sh -c 'sed "s/\"rho\": 0.1/\"rho\": 2/" idle.json >broken.json; exec "$0" check broken.json' "$hourglass"

# ---- Wrong arguments end with status 2, and say which
"$hourglass" show undercomplete --json >own.json
gives "no command" 2 'a command is missing' "$hourglass"
gives "unknown command" 2 '"trian"' "$hourglass" trian
gives "no model" 2 'train: missing: MODEL' "$hourglass" train
gives "two models" 2 'one argument too many: b' "$hourglass" train a b
gives "unknown option" 2 'train: .*--epoc' "$hourglass" train undercomplete --epocs 3
gives "option without its value" 2 'a value is missing after --epochs' "$hourglass" train undercomplete --epochs
gives "option with a value too many" 2 '--json' "$hourglass" evaluate x --json=1
gives "no integer" 2 '--epochs must be an integer, not "3x"' "$hourglass" train undercomplete --epochs 3x
gives "out of range" 2 '--batch is 0, but must be in \[1, inf)' "$hourglass" train undercomplete --batch 0
gives "too many threads" 2 '--threads is 5000' "$hourglass" train undercomplete --threads 5000
gives "no number" 2 '--rate|rate must be a number, not "fast"' "$hourglass" train undercomplete --rate fast
gives "negative rate" 2 'rate is -1, but must be in (0, inf)' "$hourglass" train undercomplete --rate -1
gives "unknown optimiser" 2 '"adma"|adam, adamw, sgd' "$hourglass" train undercomplete --optimizer adma
gives "unknown field" 2 '"speed"|rate, beta1' "$hourglass" train undercomplete --optimizer adam:speed=1
gives "unknown schedule" 2 '"cosin"|constant, step, cosine, plateau' "$hourglass" train undercomplete --schedule cosin
gives "unknown field of a schedule" 2 '"evry"|every, factor' "$hourglass" train undercomplete --schedule step:evry=2
gives "a rate where there is none" 2 'lbfgs has no rate' "$hourglass" train undercomplete --optimizer lbfgs --rate 1
gives "no data to evaluate on" 2 '--data is missing' "$hourglass" evaluate x
gives "no file to write" 2 '--out is missing' "$hourglass" reconstruct x --data digits
gives "unknown kind of file" 2 '.npy or .png|"a.jpg"' "$hourglass" reconstruct x --data digits -o a.jpg

# ---- Wrong input ends with status 1, and names the thing
gives "unknown model" 1 '"undrcomplete"' "$hourglass" train undrcomplete
gives "unknown JSON file" 1 'cannot read none.json: .*No such file' "$hourglass" train none.json
sed 's/"units": 784/"units": 700/' own.json >short.json
gives "a decoder that does not fit" 1 'decoder layer 2 (dense)|700|1x28x28|784' "$hourglass" train short.json
sed 's/"units": 32/"unit": 32/' own.json >field.json
gives "unknown field of a layer" 1 'field.json: encoder layer 2 (dense): "unit"' "$hourglass" show field.json
"$hourglass" show convolutional --json | awk '!done && sub(/"conv_transpose2d",/, "& \"pad\": 1,") { done = 1 } { print }' >padded.json
gives "images that do not fit" 1 'decoder layer 3 (conv_transpose2d)|1x16x16|1x28x28|16x3x3, 8x9x9, 1x16x16' \
    "$hourglass" train padded.json
gives "unknown data" 1 'none.gz' "$hourglass" train undercomplete --data none.gz
printf 'not an IDX file' >noise
gives "data of another kind" 1 'noise' "$hourglass" train undercomplete --data noise
gives "unknown run" 1 'cannot read none' "$hourglass" evaluate none --data digits
mkdir empty
gives "a directory that is no run" 1 'empty/model.safetensors' "$hourglass" evaluate empty --data digits
gives "a directory that cannot be" 1 'noise/run' "$hourglass" train undercomplete --data digits:count=50 --out noise/run

# ---- Training
train() {
    "$hourglass" train undercomplete --data digits:count=300 --epochs 2 --out "$@"
}
gives "train" 0 'epoch 2/2|mean squared error|written to run' train run --valid digits:count=50,seed=9
gives "train with a profile" 0 'profile: .* the mean of 4 runs, .* % of the peak|"input" is filled|of waiting| MB ' \
    train profiled --profile --batch 128
holds "a profile changes no result" cmp run/model.safetensors profiled/model.safetensors
gives "a profile of what has none" 2 '--profile means nothing to PCA' "$hourglass" train pca --profile
for file in model.safetensors metrics.csv reconstructions.png; do
    holds "it leaves $file" test -s run/$file
done
holds "metrics have a header and a line an epoch" test "$(wc -l <run/metrics.csv)" -eq 3
gives "metrics" 0 'epoch,train_loss,train_penalty,valid_loss,rate|^2,[0-9.]*,0,[0-9.]*,0.001$' cat run/metrics.csv
for threads in 1 2 4; do
    train again$threads --threads $threads --valid digits:count=50,seed=9 >/dev/null 2>&1
    holds "the same model with $threads threads" cmp run/model.safetensors again$threads/model.safetensors
    holds "the same metrics with $threads threads" cmp run/metrics.csv again$threads/metrics.csv
done
train other --seed 2 >/dev/null 2>&1
gives "another model with another seed" 1 'differ' cmp run/model.safetensors other/model.safetensors
gives "all options" 0 'epoch 1/1' "$hourglass" train own.json -d digits:count=100 --valid-fraction 0.2 --patience 1 -e 1 -b 30 \
    --optimizer sgd:momentum=0.9,nesterov=true -r 0.05 --clip 5 -s 3 -t 1 -o deep/in/side
gives "a schedule" 0 'epoch 4/4' "$hourglass" train undercomplete -d digits:count=50 -e 4 --schedule step:every=2,factor=0.5 \
    --warm-up 2 -o scheduled
gives "the rate of each epoch" 0 '^1,.*,0.0005$|^2,.*,0.001$|^3,.*,0.0005$|^4,.*,0.0005$' cat scheduled/metrics.csv
gives "L-BFGS" 0 'epoch 3/3' "$hourglass" train undercomplete -d digits:count=100 -e 3 --optimizer lbfgs:memory=5 -o full-batch
gives "L-BFGS has no rate to schedule" 1 'schedule|lbfgs has no rate' "$hourglass" train undercomplete -d digits:count=50 \
    --optimizer lbfgs --schedule cosine -o full-batch
gives "the default directory" 0 'written to runs/undercomplete' "$hourglass" train undercomplete -d digits:count=50 -e 1
cp run/model.safetensors kept
sed 's/"sigmoid"/"linear"/' own.json >linear.json
gives "divergence" 1 'diverged: in epoch 1, step|sgd (rate 1000000)|lower rate' \
    "$hourglass" train linear.json --data digits:count=300 --optimizer sgd --rate 1e6 --out run
holds "divergence keeps the earlier model" cmp run/model.safetensors kept
ln -s /dev/full full.safetensors
mkdir full
ln -s /dev/full full/metrics.csv
gives "a full disk" 1 'full/metrics.csv: No space' train full

# ---- Other ways of training
gives "PCA" 0 '5 components hold [0-9.]*% of|mean squared error 0.0' \
    "$hourglass" train pca --code 5 --data digits:count=300 --out pca
holds "it leaves eigenfaces" test -s pca/eigenfaces.png
gives "PCA beside itself" 0 '^PCA, 5 numbers|those of the training data|angle to PCA: [0-9.]*e-|class mean in code space: [0-9]' \
    "$hourglass" evaluate pca --data digits:count=200,seed=3 --train-data digits:count=300
{ printf '\0\0\010\003\0\0\0\024\0\0\0\101\0\0\0\101'; head -c 84500 "$hourglass"; } >large-idx3-ubyte
echo '{"name": "large", "input": [1, 65, 65], "encoder": [{"kind": "dense", "units": 4}], "decoder": "mirror"}' >large.json
gives "PCA left out" 0 'PCA is left out: .* 4225 .* 4096' "$hourglass" train large.json --data large-idx3-ubyte --epochs 1 --out large
gives "PCA left out beside others" 0 'mean image|PCA is left out: .* 4225 .* 4096' "$hourglass" evaluate large --data large-idx3-ubyte
gives "PCA takes no epochs" 2 '--epochs means nothing to PCA' "$hourglass" train pca --epochs 3
gives "more components than numbers" 1 '1 to 784 components, not 800' \
    "$hourglass" train pca --code 800 --data digits:count=50 --out none/pca
gives "a linear model and PCA" 0 'epoch 2/2|PCA: angle [0-9.]* degrees, excess error' \
    "$hourglass" train linear --data digits:count=300 --epochs 2 --out linear
gives "the curve of it" 0 'rate,principal_angle_degrees,excess_error$|^2,[0-9.]*,0,,[0-9.e-]*,[0-9.]*,[0-9.]*$' cat linear/metrics.csv
gives "predictive sparse" 0 'epoch 2/2  objective|gap' \
    "$hourglass" train predictive-sparse --data digits:count=100 --epochs 2 --sparsity 0.5 --out sparse
gives "its curve" 0 'epoch,objective,reconstruction,magnitude,gap,code,active' cat sparse/metrics.csv
gives "pre-training" 0 'pre-training layer 1 of 2|pre-training layer 2 of 2' \
    "$hourglass" train undercomplete --pretrain on --data digits:count=200 --epochs 1 --out stack
for file in metrics-layer1.csv metrics-layer2.csv metrics.csv; do
    holds "it leaves $file" test -s stack/$file
done
"$hourglass" train undercomplete --pretrain on --data digits:count=200 --epochs 1 --threads 1 --out stack1 >/dev/null 2>&1
for file in model.safetensors metrics-layer1.csv metrics-layer2.csv; do
    holds "the same $file with one thread" cmp stack/$file stack1/$file
done
gives "a stack without it" 0 'epoch 1/1' "$hourglass" train stacked --pretrain off --data digits:count=50 --epochs 1 --out off
holds "no layer is pre-trained then" test ! -e off/metrics-layer1.csv
gives "neither on nor off" 2 '"maybe"|on or off' "$hourglass" train stacked --pretrain maybe --data digits:count=50 --out off
gives "a classifier" 0 'error rate 0\.[0-9]* on the validation data' "$hourglass" train undercomplete --classify \
    --data digits:count=300 --valid digits:count=100,seed=4 --epochs 2 --out classifier
holds "it leaves its head" test -s classifier/head.safetensors
gives "it has no patience" 2 '--patience means nothing to --classify' "$hourglass" train undercomplete --classify --patience 2
layer='[{"kind": "dense", "units": 784}]'
printf '{"name": "copy", "input": [1, 28, 28], "encoder": %s, "decoder": %s}' "$layer" "$layer" >copy.json
gives "a code that can copy" 0 'note: the code has 784 numbers' \
    "$hourglass" train copy.json --data digits:count=50 --epochs 1 --out copy
sed 's/784}/784, "act": "sigmoid", "init": ["normal", 100]}/g' copy.json >stuck.json
gives "layers are diagnosed while they are pre-trained" 0 'pre-training layer 1 of 1|note: the code has 784|784 sigmoid units' \
    "$hourglass" train stuck.json --pretrain on --data digits:count=50 --epochs 1 --out stuck
gives "and encoders of classifiers" 0 'note: .*784 sigmoid units' \
    "$hourglass" train stuck.json --classify --data digits:count=50 --epochs 1 --out stuck
printf '{"name": "dark", "input": [1, 28, 28], "encoder": [{"kind": "dense", "units": 9, "init": ["normal", 1e-9]}],
    "decoder": [{"kind": "dense", "units": 784, "no_bias": true}], "predictive_sparse": {"sparsity": 1e6}}' >dark.json
gives "and predictive sparse decompositions" 0 'epoch 3/3 |note: the reconstructions' \
    "$hourglass" train dark.json --data digits:count=50 --epochs 3 --rate 1e-9 --out dark
gives "its diagnosis as JSON" 0 '"diagnoses": \[|"name": "identity"' "$hourglass" evaluate copy --data digits:count=50 --json

# ---- Using a run
gives "evaluate" 0 '50 samples of 784|undercomplete  *0\.|mean image  *0\.' "$hourglass" evaluate run --data digits:count=50
gives "evaluate a model file" 0 'mean image' "$hourglass" evaluate run/model.safetensors --data digits:count=50
gives "evaluate as JSON" 0 \
    '^  "mean_squared_error": 0\.|^  "squared_error_per_sample": |^  "cross_entropy_per_sample": |^  "baselines": {|^    "mean_image": {|^      "mean_squared_error": 0\.' \
    "$hourglass" evaluate run --data digits:count=50 --json
gives "show a run" 0 'total  *209968' "$hourglass" show run
gives "reconstruct to numbers" 0 '' "$hourglass" reconstruct run --data digits:count=50 -o y.npy
holds "they are 50x1x28x28 of f32" test "$(wc -c <y.npy)" -eq $((128 + 50 * 784 * 4))
gives "reconstruct to a picture" 0 '' "$hourglass" reconstruct run --data digits:count=50 -o y.png --count 7
gives "the picture is a PNG" 0 'PNG' head -c 8 y.png
gives "more samples than there are" 1 '--count is 51|50 samples' "$hourglass" reconstruct run -d digits:count=50 -n 51 -o z.npy
holds "no file is left of it" test ! -e z.npy
ln -s /dev/full full.npy
gives "numbers to a full disk" 1 'full.npy: No space' "$hourglass" reconstruct run -d digits:count=50 -o full.npy
gives "standard output to a full disk" 1 'standard output' sh -c "'$hourglass' models >/dev/full"
head -c 5000 kept >cut.safetensors
gives "a truncated model" 1 'cut.safetensors' "$hourglass" evaluate cut.safetensors --data digits
{ head -c 5000 kept; printf 'flip'; tail -c +5005 kept; } >flipped.safetensors
gives "a flipped model" 1 'flipped.safetensors' "$hourglass" evaluate flipped.safetensors --data digits

# ---- Programs of a user
gives "an autoencoder of one's own" 0 'epoch 5/5|mean squared error 0.0[0-4]|mean image' "$examples/autoencoder"
holds "it leaves its model" test -s maxout.safetensors
gives "which another program cannot open" 1 'maxout.safetensors: encoder layer 2 (custom)|declaration' \
    "$hourglass" show maxout.safetensors
gives "an op of one's own" 0 'double gradient of "W" is right' "$examples/custom_op"

# ---- Real data
images=$data/mnist/t10k-images-idx3-ubyte.gz
if [ -r "$images" ]; then
    gives "MNIST" 0 '10000 samples|mean image  *0\.067' "$hourglass" evaluate run --data "$images"
else
    cases=$((cases + 1))
    echo "ok $cases - MNIST # SKIP not found"
fi
echo "1..$cases"
