"""The workloads of `bench` in PyTorch, timed on request. Requests and answers are
JSON, a line each:

    {"do": "open", "kind": ..., "batch": ..., "declaration": ...}
        builds a workload in every way that could be the fastest, and keeps the best eager and compiled one
    {"do": "time", "way": ..., "slice": seconds}
        seconds of one run
    {"do": "version"}
        PyTorch's

A declaration is the library's own JSON. Threads: OMP_NUM_THREADS.
"""
import itertools
import json
import logging
import math
import os
import sys
import time

import torch
import torch._dynamo
import torch.nn.functional as F
from torch import nn

CHECKED_RUNS = 3  # steps of training, after which what was computed is compared
TRIAL = 0.1  # seconds to try a way in
ENCODED, ENCODED_QUICKLY = 10000, 500
INPUT_STREAM = 99

ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "linear": lambda x: x}


def hashed(count, stream):
    """Numbers of [0, 1) by a hash of place and stream: the same in every peer."""
    h = ((torch.arange(count, dtype=torch.int64) + 1 + 1000003 * stream) * 2654435761) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 1597334677) & 0xFFFFFFFF
    return (h ^ (h >> 13)).double() / 2.0**32


def images(count, shape):
    size = math.prod(shape)
    return hashed(count * size, INPUT_STREAM).float().reshape(count, *shape)


# ---- Declarations to modules -------------------------------------------------------------------------------


class Activated(nn.Module):
    """A linear map, then an elementwise function."""

    def __init__(self, linear, act, image):
        super().__init__()
        self.linear, self.name, self.image = linear, act, image

    def forward(self, x):
        return ACTIVATIONS[self.name](self.linear(x if self.image else x.flatten(1)))


class Tied(nn.Module):
    """Its weights are another layer's, transposed."""

    def __init__(self, other, act):
        super().__init__()
        self.other, self.name = [other], act  # in a list: no parameters of this module
        self.bias = nn.Parameter(torch.zeros(other.in_features))

    def forward(self, x):
        return ACTIVATIONS[self.name](F.linear(x, self.other[0].weight.t(), self.bias))


class Variational(nn.Module):
    def __init__(self, features, units):
        super().__init__()
        self.mean, self.log_variance = nn.Linear(features, units), nn.Linear(features, units)

    def forward(self, x):
        mean, log_variance = self.mean(x), self.log_variance(x)
        self.kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum() / x.shape[0]
        return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean) if self.training else mean


def conv_layer(transposed):
    def build(spec, shape):
        size, stride, pad = spec["kernel"], spec.get("stride", 1), spec.get("pad", 0)
        kind = nn.ConvTranspose2d if transposed else nn.Conv2d
        return Activated(kind(shape[0], spec["channels"], size, stride, pad), spec.get("act", "linear"), True)

    return build


LAYERS = {
    "dense": lambda spec, shape: Activated(
        nn.Linear(math.prod(shape), spec["units"]), spec.get("act", "linear"), False),
    "conv2d": conv_layer(False),
    "conv_transpose2d": conv_layer(True),
    "max_pool2d": lambda spec, shape: nn.MaxPool2d(spec["size"], spec.get("stride")),
    "variational": lambda spec, shape: Variational(math.prod(shape), spec["units"]),
}


def stack(specs, shape):
    """Layers one after the other, and the shape that comes out."""
    layers = []
    for spec in specs:
        layers.append(LAYERS[spec["kind"]](spec, shape))
        shape = tuple(layers[-1](torch.zeros(1, *shape)).shape[1:])
    return nn.Sequential(*layers), shape


def mirrored(encoder, shape, last):
    """The dense layers that lead back from `encoder`, each with the activation of the layer before it."""
    sizes = [math.prod(shape)] + [spec["units"] for spec in encoder]
    acts = [last] + [spec.get("act", "linear") for spec in encoder]
    return [{"kind": "dense", "units": sizes[i], "act": acts[i]} for i in reversed(range(len(encoder)))]


class Autoencoder(nn.Module):
    def __init__(self, declaration):
        super().__init__()
        self.shape = tuple(declaration["input"])
        self.cross_entropy = declaration.get("loss", {}).get("kind") == "binary_cross_entropy"
        self.penalties = {p["kind"]: p for p in declaration.get("penalties", [])}
        encoder, decoder = declaration["encoder"], declaration["decoder"]
        if isinstance(decoder, dict):
            decoder = mirrored(encoder, self.shape, "sigmoid" if self.cross_entropy else "linear")
        self.encoder, code = stack(encoder, self.shape)
        if declaration.get("tied"):
            acts = [spec["act"] for spec in decoder]
            pairs = zip(reversed(self.encoder), acts)
            self.decoder = nn.Sequential(*(Tied(layer.linear, act) for layer, act in pairs))
        else:
            self.decoder, _ = stack(decoder, code)
        if self.cross_entropy:  # from the logits, in one pass
            assert self.decoder[-1].name == "sigmoid"
            self.decoder[-1].name = "linear"
        self.fill()

    @torch.no_grad()
    def fill(self):
        for i, p in enumerate(self.parameters()):
            if p.dim() < 2:
                p.zero_()
                continue
            taps = p.numel() // (p.shape[0] * p.shape[1])
            limit = math.sqrt(6.0 / (taps * (p.shape[0] + p.shape[1])))
            p.copy_((limit * (2 * hashed(p.numel(), i) - 1)).float().reshape(p.shape))

    def losses(self, x, jacobian):
        """The loss of the reconstruction, and what penalties add."""
        code = self.encoder(x)
        y = self.decoder(code).reshape(x.shape)
        if self.cross_entropy:
            loss = F.binary_cross_entropy_with_logits(y, x, reduction="sum") / x.shape[0]
        else:
            loss = 0.5 * F.mse_loss(y, x, reduction="sum") / x.shape[0]
        added = torch.zeros(())
        if isinstance(self.encoder[-1], Variational):
            added = added + self.encoder[-1].kl
        if "sparse" in self.penalties:
            rho, beta = self.penalties["sparse"]["rho"], self.penalties["sparse"]["beta"]
            r = code.mean(0)
            divergence = rho * torch.log(rho / r) + (1 - rho) * torch.log((1 - rho) / (1 - r))
            added = added + beta * divergence.sum()
        if "contractive" in self.penalties:
            added = added + self.penalties["contractive"]["gamma"] * jacobian(self, x, code) / x.shape[0]
        return loss, added


# ---- Squares of the Jacobian of the code by the input, summed ----------------------------------------------


def jacobian_closed(model, x, code):
    """Of one logistic layer: sum_j (h_j (1 - h_j))^2 |W_j|^2."""
    return ((code * (1 - code)).square() @ model.encoder[0].linear.weight.square().sum(1)).sum()


def jacobian_vmap(model, x, code):
    """One forward pass, and all rows of the Jacobian in one batched backward pass."""
    _, vjp = torch.func.vjp(model.encoder, x)
    unit = torch.eye(code.shape[1])[:, None, :].expand(-1, code.shape[0], -1)
    return torch.func.vmap(vjp)(unit)[0].square().sum()


def jacobian_double(model, x, code):
    """The same by double backward."""
    x = x.detach().requires_grad_()
    code = model.encoder(x)
    unit = torch.eye(code.shape[1])[:, None, :].expand(-1, code.shape[0], -1)
    (rows,) = torch.autograd.grad(code, x, unit, create_graph=True, is_grads_batched=True)
    return rows.square().sum()


def jacobians(declaration):
    if not any(p["kind"] == "contractive" for p in declaration.get("penalties", [])):
        return {"eager": [None], "compiled": [None]}
    if len(declaration["encoder"]) == 1:
        return {"eager": [jacobian_closed], "compiled": [jacobian_closed]}
    return {"eager": [jacobian_vmap, jacobian_double], "compiled": [jacobian_vmap]}


# ---- Jobs: functions to time -------------------------------------------------------------------------------


class Training:
    """A step: forward, backward, Adam."""

    def __init__(self, request, way, layout, jacobian, optimizer):
        self.model = Autoencoder(request["declaration"]).train().to(memory_format=layout)
        self.x = images(request["batch"], self.model.shape).contiguous(memory_format=layout)
        decay = self.model.penalties.get("weight_decay", {}).get("weight", 0)
        weights = [p for p in self.model.parameters() if p.dim() > 1]
        biases = [p for p in self.model.parameters() if p.dim() == 1]
        groups = [{"params": weights, "weight_decay": decay}, {"params": biases}]
        self.optimizer = torch.optim.Adam(groups, lr=1e-3, eps=1e-8, **optimizer)
        self.losses = lambda x: self.model.losses(x, jacobian)
        if way == "compiled":
            self.losses = torch.compile(self.losses)

    def run(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.loss, added = self.losses(self.x)
        (self.loss + added).backward()
        self.optimizer.step()

    def check(self):
        return float(self.loss.detach())


class Encoding:
    """Images to codes, `at_once` in a pass."""

    def __init__(self, request, way, layout, at_once):
        count = 1 if request["kind"] == "latency" else ENCODED_QUICKLY if request["quick"] else ENCODED
        self.model = Autoencoder(request["declaration"]).eval().to(memory_format=layout)
        self.parts = images(count, self.model.shape).contiguous(memory_format=layout).split(at_once)
        self.encode = self.model.encoder
        if way == "compiled":
            self.encode = torch.compile(self.encode)

    def run(self):
        with torch.inference_mode():
            self.codes = [self.encode(part) for part in self.parts]

    def check(self):
        return float(torch.cat(self.codes).abs().double().mean())


def has_images(declaration):
    return any(spec["kind"] == "conv2d" for spec in declaration["encoder"])


def choices(request, way, eager):
    """All ways to run a request that may be the fastest. Compiled, what eager execution has settled stays."""
    declaration, training = request["declaration"], request["kind"] == "training"
    image = has_images(declaration)
    axes = {"layout": [torch.contiguous_format] + ([torch.channels_last] if image else [])}
    if training:
        axes["jacobian"] = jacobians(declaration)[way]
        axes["optimizer"] = [{"fused": True}, {"foreach": True}]
    else:
        axes["at_once"] = [250, 2000] if request["kind"] == "encoding" else [1]
    if eager is not None:
        axes.update({name: [eager.choice[name]] for name in ("optimizer", "at_once") if name in axes})
    return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]


def repeat(job, runs):
    start = time.perf_counter()
    for _ in range(runs):
        job.run()
    return (time.perf_counter() - start) / runs


class Contestant:
    """The fastest of a way's choices."""

    def __init__(self, request, way, eager):
        best = None
        for choice in choices(request, way, eager):
            self.make(request, way, choice)
            seconds = self.try_out(request["quick"])
            if best is None or seconds < best[0]:
                best = seconds, choice
        self.seconds, choice = best
        if choice is not self.choice:
            self.make(request, way, choice)

    def make(self, request, way, choice):
        torch._dynamo.reset()  # each has its own compiled code
        self.job = (Training if request["kind"] == "training" else Encoding)(request, way, **choice)
        self.choice = choice
        repeat(self.job, CHECKED_RUNS if request["kind"] == "training" else 1)
        self.check = self.job.check()

    def try_out(self, quick):
        once = repeat(self.job, 1)
        if quick or once > TRIAL:
            return once
        return min(repeat(self.job, max(1, int(TRIAL / repeat(self.job, 3)))) for _ in range(3))

    def time(self, seconds):
        self.seconds = repeat(self.job, max(1, int(seconds / self.seconds)))
        return self.seconds


def ways(request):
    """Compiled, training of convolutions was slower for every workload, and compiling took most of the time."""
    return ("eager",) if has_images(request["declaration"]) and request["kind"] == "training" else ("eager", "compiled")


def answer(request, contestants):
    if request["do"] == "open":
        contestants.clear()
        for way in ways(request):
            contestants[way] = Contestant(request, way, contestants.get("eager"))
        return {"ways": {way: contestant.check for way, contestant in contestants.items()}}
    if request["do"] == "version":
        return {"version": torch.__version__}
    return {"seconds": contestants[request["way"]].time(request["slice"])}


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.set_flush_denormal(True)
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it asks for a GPU
    contestants = {}
    for line in sys.stdin:
        try:
            said = answer(json.loads(line), contestants)
        except Exception as problem:  # told to the program, which ends with it
            said = {"error": f"PyTorch: {type(problem).__name__}: {problem}"}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
