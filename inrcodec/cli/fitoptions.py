"""The options of `inrcodec encode` that are for fits."""

from __future__ import annotations

import click

from ..options import ACTIVATIONS, BODIES, CODING_NAMES, DEVICES, LIMITS, LOSSES, NETWORKS, PRIORS
from ..weights import codings


def _most(name: str) -> int:
    return int(LIMITS[name][1])


def _choice(given: tuple[str, ...]) -> click.Choice:  # type: ignore[type-arg]
    """A choice of what is not the empty string, which stands for the default."""
    return click.Choice([name for name in given if name])


OPTIONS = (
    click.option(
        "--device",
        type=click.Choice(DEVICES),
        default="auto",
        show_default=True,
        help="Where networks are fitted. auto: on a CUDA GPU if there is one, else on the CPU. This option, --seed and --weights are "
        "for all fits, the others for those of profile inr.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random in the fit."),
    click.option(
        "--weights",
        type=click.Choice(CODING_NAMES),
        help=f"How the weights of a network are coded: {', '.join(f'{c.name} ({c.words})' for c in codings.CODINGS)}; "
        "auto tries all and takes the smallest weights + payload. Default: uniform with profile inr and --until exact, and where there are "
        "cells or a rate or PSNR; ternary for bitlinear, but for mdl; lsq for a supernet; else auto.",
    ),
    click.option(
        "--bits",
        type=click.IntRange(2, _most("bits")),
        help="Bits per weight for uniform and lsq. Default: 16 for uniform, 4 for lsq; 8 for both with a rate or PSNR and for a supernet, "
        "and for uniform where there are cells.",
    ),
    click.option(
        "--lsq-gradient-scale",
        is_flag=True,
        default=None,
        help="For lsq: scale the gradient of a layer's step by 1/√(weights · largest integer), as it was published.",
    ),
    click.option(
        "--until",
        help="When a fit ends before its time is over. exact: when the network gives every bit. mdl: when weights + payload have stopped "
        "falling (minimum description length). rate=0.3: the best network of 0.3 bits of weights per pixel. psnr=30: up to four "
        "sizes are tried, and the smallest network is taken that has 30 dB without the payload. iou=0.99, for samples of one bit: the "
        "least weights with which the ones of the network alone have this intersection over union. Default: exact with --profile inr, "
        "but mdl for an occupancy field (a volume of one bit); mdl with auto and with --supernet. The file is lossless either way, unless "
        "--no-payload is given.",
    ),
    click.option(
        "--no-payload",
        "payload",
        flag_value=False,
        type=bool,
        default=None,
        help="With --profile inr: write the network alone, a lossy file, for --until rate, psnr or mdl. decode refuses it without "
        "--network-only.",
    ),
    click.option(
        "--network",
        type=_choice(NETWORKS),
        help="What the network predicts. values: the mean of each sample. heads: the bits, an output for each bit-plane. siren: the bits, "
        "the index of the bit being one more coordinate. bitlinear: the bits, a ternary network with layer normalization for each bit. "
        "Default: values; heads for samples of more than 24 bits, for occupancy fields, and with --loss bce.",
    ),
    click.option(
        "--body",
        type=_choice(BODIES),
        help="What is between coordinates and outputs. mlp: layers. recurrent: the same layer again and again. filters: a multiplicative "
        "filter network. grid: cells of several resolutions and a small mlp. Default: grid for values; mlp for bits, for a supernet, "
        "and with --octaves or --activation sine.",
    ),
    click.option(
        "--activation",
        type=_choice(ACTIVATIONS),
        help="Of hidden layers. Default: gelu with a grid and for bitlinear, gaussian for occupancy fields, else sine.",
    ),
    click.option(
        "--loss",
        type=_choice(LOSSES),
        help="What the fit minimizes. bce: the code length of bits. likelihood: that of samples. mse: the squared error. Default: bce for "
        "bits, likelihood for values, mse for values with --until rate or psnr and with --supernet.",
    ),
    click.option(
        "--supernet",
        metavar="DEPTHSxWIDTHS",
        help="Train networks of these depths and widths together, one inside the other, as 1,2,3,4x16,32,48,64. A file that is cut is then "
        "a smaller network; render --config asks any of them.",
    ),
    click.option(
        "--prior",
        type=_choice(PRIORS),
        help="Begin with a network that comes with the package, for pictures of red, green and blue. meta: weights learned over many "
        "photographs, of which the file holds the difference. modulations: one network for all, of which the file holds a short vector "
        "for each patch of 32 × 32 pixels.",
    ),
    click.option("--colour", is_flag=True, default=None, help="Make the channel one more coordinate, not an output each."),
    click.option("--hidden", type=click.IntRange(1, _most("hidden")), help="Units of a hidden layer. Default: by the size."),
    click.option("--layers", type=click.IntRange(1, _most("layers")), help="Hidden layers. Default: 3; 4 for bitlinear, 1 with a grid."),
    click.option(
        "--octaves",
        type=click.IntRange(1, _most("octaves")),
        help="Sines and cosines of each coordinate that are inputs too (positional encoding). Default: none; for bitlinear by the size.",
    ),
    click.option(
        "--bit-places",
        type=click.IntRange(1, _most("bit_places")),
        help="For siren: places on the axis of the bit. With more places than a sample has bits, render --bit-depth can ask for the bits "
        "below.",
    ),
    click.option(
        "--omega",
        type=click.FloatRange(0, LIMITS["omega"][1], min_open=True),
        help="Frequency of the first sine layer, for activation sine. Default: by the size of the signal.",
    ),
    click.option(
        "--learning-rate",
        type=click.FloatRange(0, LIMITS["learning_rate"][1], min_open=True),
        help="Learning rate of the fit. Default: by the network.",
    ),
    click.option("--steps", type=click.IntRange(1, _most("steps")), help="End the fit after this many steps. Default: by --until."),
    click.option(
        "--seconds",
        type=click.FloatRange(0, LIMITS["seconds"][1], min_open=True),
        help="End the fit after this many seconds; fine-tuning adds to them. Default: by effort; with --steps, no limit.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(1, _most("batch")),
        help="Pixels or frames per step of the fit. Default: all of a small signal, some of a large one.",
    ),
)
