"""Options of the encoder: what they can be, what contradicts itself, and that the command line has all of them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import inrcodec
from inrcodec import UnsupportedError, cli, codec
from inrcodec.cli.fitoptions import OPTIONS as FIT
from inrcodec.options import FIT_OPTIONS, LIMITS, MAX_SIZES, Goal, Options, configurations_of, goal_of

# not for fits of profile inr alone
COMMON = {
    "profile", "effort", "tune", "threads", "tile", "preview", "compact", "verify", "lossy", "progress", "stop",
    "max_samples", "max_memory",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("exact", Goal("exact")),
        ("mdl", Goal("mdl")),
        ("rate=0.3", Goal("rate", 0.3)),
        ("rate=2", Goal("rate", 2)),
        ("rate=.5", Goal("rate", 0.5)),
        ("psnr=30", Goal("psnr", 30)),
        ("psnr=30.", Goal("psnr", 30)),
        ("psnr=999.9", Goal("psnr", 999.9)),
    ],
)
def test_goals(text: str, goal: Goal) -> None:
    assert goal_of(text) == goal
    assert Options(until=text).until == text


@pytest.mark.parametrize(
    "text",
    [
        "none", "exact=", "exact=1", "mdl=", "rate", "rate=", "rate=0", "rate=-1", "rate=1000", "rate=1e2", "rate=nan", "psnr=inf", "psnr",
        "psnr=30 ", " exact", "EXACT", "rate=1=2", "rate=0x1", "rate=1,5", "rate=.",
    ],
)  # fmt: skip
def test_what_is_no_goal(text: str) -> None:
    with pytest.raises(ValueError, match="until is"):
        Options(until=text)
    with pytest.raises(ValueError, match="until is"):
        goal_of(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1x1", ((1,), (1,))),
        ("1,2,3,4x16,32,48,64", ((1, 2, 3, 4), (16, 32, 48, 64))),
        ("3,1,3x64,8", ((1, 3), (8, 64))),  # in any order, and once
        ("32x8192", ((32,), (8192,))),
        (f"{','.join(map(str, range(1, MAX_SIZES + 1)))}x4", (tuple(range(1, MAX_SIZES + 1)), (4,))),
    ],
)
def test_configurations(text: str, found: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    assert configurations_of(text) == found
    assert Options(supernet=text).configurations == found


@pytest.mark.parametrize(
    "text",
    [
        "x", "1x", "x1", "1", "0x1", "1x0", "01x1", "1x1x1", "1,x4", ",1x4", "1x4,", "1 x4", "1×4", "-1x4", "33x4", "1x8193", "1x99999",
        f"1x{','.join(map(str, range(1, MAX_SIZES + 2)))}",
    ],
)  # fmt: skip
def test_what_are_no_configurations(text: str) -> None:
    with pytest.raises(ValueError, match="supernet is"):
        Options(supernet=text)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"body": "grid", "network": "bitlinear"}, "grid"),
        ({"body": "filters", "activation": "gelu"}, "body filters"),
        ({"body": "filters", "activation": "gaussian"}, "body filters"),
        ({"body": "filters", "network": "bitlinear"}, "body filters"),
        ({"loss": "likelihood", "network": "heads"}, "likelihood"),
        ({"loss": "bce", "network": "values"}, "bce"),
        ({"supernet": "1x4", "body": "recurrent"}, "supernet"),
        ({"supernet": "1x4", "body": "filters"}, "supernet"),
        ({"supernet": "1x4", "body": "grid"}, "supernet"),
        ({"supernet": "1x4", "network": "bitlinear"}, "supernet"),
        ({"supernet": "1x4", "weights": "sinr"}, "supernet"),
        ({"supernet": "1x4", "weights": "auto"}, "supernet"),
        ({"supernet": "1x4", "hidden": 4}, "supernet"),
        ({"supernet": "1x4", "until": "rate=1"}, "supernet"),
        ({"supernet": "1x4", "until": "psnr=30"}, "supernet"),
        ({"supernet": ((1, 2), (4, 8))}, "supernet"),
        ({"supernet": "1x4", "layers": 1}, "supernet"),
        ({"bit_places": 9}, "bit_places"),
        ({"bit_places": 9, "network": "heads"}, "bit_places"),
        ({"colour": True, "network": "bitlinear"}, "colour"),
        ({"network": "mlp"}, "network is 'mlp'"),
        ({"body": "siren"}, "body is"),
        ({"activation": "relu"}, "activation is"),
        ({"loss": "l1"}, "loss is"),
        ({"weights": ""}, "weights is"),
        ({"device": "tpu"}, "device is"),
        ({"bits": 1}, "bits is 1"),
        ({"hidden": True}, "whole number"),
        ({"hidden": 1.5}, "whole number"),
        ({"omega": "3"}, "must be a number"),
        ({"omega": float("nan")}, "omega is nan"),
        ({"progress": 1}, "function"),
        ({"stop": "yes"}, "function"),
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        Options(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"body": "filters", "activation": "sine"},
        {"body": "grid", "network": "siren"},
        {"loss": "likelihood"},
        {"loss": "mse", "network": "heads"},
        {"loss": "bce", "network": "siren"},
        {"supernet": "1x4", "network": "siren", "bit_places": 64, "colour": True, "weights": "ternary", "body": "mlp"},
        {"network": "values", "colour": True},
    ],
    ids=str,
)
def test_what_goes_together_is_taken(given: dict[str, Any]) -> None:
    Options(**given)


@pytest.mark.parametrize("name", LIMITS)
def test_numbers_have_limits(name: str) -> None:
    least, most = LIMITS[name]
    kind = type(getattr(Options, name))
    more: dict[str, Any] = {"network": "siren"} if name == "bit_places" else {}
    for number in (least, most):
        Options(**{name: kind(number)}, **more)
    for number in (least - 1, 2 * most + 1):
        with pytest.raises(ValueError, match=f"{name} is"):
            Options(**{name: kind(number)}, **more)


def test_every_option_of_fits_is_known_to_be_one() -> None:
    names = {field.name for field in fields(Options)} - COMMON
    assert set(FIT_OPTIONS["fit"]) == names
    assert set(FIT_OPTIONS["fitting"]) - {"tune"} < names


# --- the command line ---------------------------------------------------------------------------------------------

# an argument for each option, and what it is in Options
GIVEN: dict[str, tuple[list[str], Any]] = {
    "device": (["--device", "cpu"], "cpu"),
    "seed": (["--seed", "7"], 7),
    "weights": (["--weights", "lsq"], "lsq"),
    "bits": (["--bits", "5"], 5),
    "lsq_gradient_scale": (["--lsq-gradient-scale"], True),
    "until": (["--until", "rate=0.5"], "rate=0.5"),
    "payload": (["--no-payload"], False),
    "network": (["--network", "siren"], "siren"),
    "body": (["--body", "recurrent"], "recurrent"),
    "activation": (["--activation", "gaussian"], "gaussian"),
    "loss": (["--loss", "mse"], "mse"),
    "supernet": (["--supernet", "1,2x4,8"], "1,2x4,8"),
    "prior": (["--prior", "meta"], "meta"),
    "colour": (["--colour"], True),
    "hidden": (["--hidden", "9"], 9),
    "layers": (["--layers", "2"], 2),
    "octaves": (["--octaves", "3"], 3),
    "bit_places": (["--bit-places", "9", "--network", "siren"], 9),
    "omega": (["--omega", "2.5"], 2.5),
    "learning_rate": (["--learning-rate", "0.001"], 0.001),
    "steps": (["--steps", "11"], 11),
    "seconds": (["--seconds", "1.5"], 1.5),
    "batch": (["--batch", "64"], 64),
}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(81, dtype=np.uint8).reshape(9, 9)).save(path)
    return path


def test_every_option_of_fits_is_on_the_command_line() -> None:
    assert set(GIVEN) == set(FIT_OPTIONS["fit"])

    @click.command()
    def command() -> None:
        pass

    for option in FIT:
        option(command)
    assert {p.name for p in command.params} == set(FIT_OPTIONS["fit"])
    for p in command.params:
        assert isinstance(p, click.Option)
        assert (p.help or "").endswith(".")


@pytest.mark.parametrize("name", GIVEN)
def test_options_arrive(name: str, picture: Path) -> None:
    arguments, value = GIVEN[name]
    seen: list[Options] = []

    def encode(signal: Any, options: Options) -> bytes:
        seen.append(options)
        raise UnsupportedError("enough")

    with mock.patch.object(codec, "encode", encode):
        result = CliRunner().invoke(cli.main, ["encode", str(picture), "--profile", "inr", *arguments])
    assert result.exit_code == 1, result.output
    assert getattr(seen[0], name) == value
    others = {n for n in FIT_OPTIONS["fit"] if getattr(seen[0], n) != getattr(Options, n)}
    assert others <= {name, "network"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--until", "none"],
        ["--supernet", "4"],
        ["--supernet", "1x4", "--hidden", "9"],
        ["--body", "filters", "--activation", "gelu"],
        ["--network", "bitlinear", "--colour"],
        ["--bit-places", "9"],
        ["--bits", "1"],
        ["--hidden", "0"],
        ["--layers", "33"],
        ["--octaves", "25"],
        ["--omega", "0"],
        ["--network", ""],
        ["--loss", "l1"],
    ],
)
def test_wrong_options_are_wrong_usage(arguments: list[str], picture: Path) -> None:
    result = CliRunner().invoke(cli.main, ["encode", str(picture), *arguments])
    assert result.exit_code == 2
    assert "Error: " in result.output
    assert not picture.with_suffix(".linr").exists()


def test_an_option_that_there_is_not_is_named_with_those_that_there_are() -> None:
    samples = np.zeros((9, 9), np.uint8)
    calls: list[Any] = [
        lambda: inrcodec.encode(samples, quality=3),
        lambda: inrcodec.encode_arrays({"a": samples}, quality=3),
        lambda: inrcodec.imwrite("no/a.linr", samples, quality=3),
        lambda: inrcodec.sound.write("no/a.linr", samples.astype(np.int16)[:, 0], 8000, quality=3),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"^quality: there is no such option of \.linr files; there are activation, .*effort, "):
            call()


@pytest.mark.parametrize("name", [field.name for field in fields(Options) if isinstance(field.default, bool)])
def test_yes_or_no(name: str) -> None:
    values: tuple[Any, ...] = ("x", 3, None)
    for value in values:
        with pytest.raises(ValueError, match=f"^{name} is {value!r}; it can be True, False$"):
            Options(**{name: value})
