"""The viewer's server: who may ask, for which files, and what is answered."""

from __future__ import annotations

import asyncio
import io
import os
import threading
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from PIL import Image

import inrcodec
from inrcodec import Signal, damage, figures
from inrcodec.costs import costs
from inrcodec.errors import FormatError, InrcodecError, LimitError, Stopped
from inrcodec.limits import Limits
from inrcodec.options import Options
from tests.viewed import make_folder

pytest.importorskip("starlette")
testing = pytest.importorskip("starlette.testclient")

from inrcodec.viewer import about, drawing  # noqa: E402
from inrcodec.viewer.app import Viewer, app  # noqa: E402
from inrcodec.viewer.guard import HEADERS, Access  # noqa: E402
from inrcodec.viewer.held import ChangedError, Files  # noqa: E402
from inrcodec.viewer.library import Library, NotHereError  # noqa: E402
from inrcodec.viewer.samples import REQUESTS, Samples  # noqa: E402
from inrcodec.viewer.store import Store  # noqa: E402

PORT = 4711
BASE = f"http://127.0.0.1:{PORT}"


def client_of(path: Path, access: Access, **more: Any) -> Any:
    viewer = Viewer.of(Library(path), Options(threads=2, **more))
    return testing.TestClient(app(viewer, access), base_url=BASE + access.path, follow_redirects=False)


def let_in(path: Path, **more: Any) -> Any:
    """A client that has the cookie."""
    access = Access.of(PORT)
    client = client_of(path, access, **more)
    assert client.get("/", params={"token": access.token}).status_code == 303
    return client


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Signal]]:
    folder = tmp_path_factory.mktemp("viewer") / "files"
    return folder, make_folder(folder)


@pytest.fixture(scope="module")
def folder(made: tuple[Path, dict[str, Signal]]) -> Path:
    return made[0]


@pytest.fixture(scope="module")
def signals(made: tuple[Path, dict[str, Signal]]) -> dict[str, Signal]:
    return made[1]


@pytest.fixture(scope="module")
def client(folder: Path) -> Any:
    with let_in(folder) as client:
        yield client


def asked(client: Any, what: str, name: str, **more: Any) -> Any:
    answer = client.get(f"/api/{what}", params={"name": name, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def picture(client: Any, name: str, **more: Any) -> npt.NDArray[np.uint8]:
    answer = client.get("/api/picture", params={"name": name, **more})
    assert answer.headers["content-type"] == "image/png", answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


# --- who may ask ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/list", "/api/about?name=photo.linr", "/nothing"])
def test_nothing_is_answered_without_the_token(folder: Path, path: str) -> None:
    client = client_of(folder, Access.of(PORT))
    wrong = {"cookie": f"inrcodec-{PORT}=wrong; other=1"}
    sign = "&" if "?" in path else "?"
    for answer in (
        client.get(path),
        client.get(path, headers=wrong),
        client.get(f"{path}{sign}token=wrong"),
        client.get(f"{path}{sign}token="),
    ):
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
        assert all(answer.headers[name] == value for name, value in HEADERS.items())


def test_the_token_gives_a_cookie_and_leaves_the_address(folder: Path) -> None:
    access = Access.of(PORT)
    client = client_of(folder, access)
    answer = client.get("/", params={"token": access.token})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{access.path}/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert access.token not in answer.headers["set-cookie"]
    answer = client.get("/")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    other = client_of(folder, access)
    assert other.get("/", headers={"cookie": f"inrcodec-{PORT + 1}={access.session}"}).status_code == 403
    assert other.get("/", headers={"cookie": f"a=b; inrcodec-{PORT}={access.session}"}).status_code == 200


def test_tokens_differ_and_those_for_one_visit_are_spent(folder: Path) -> None:
    access, other = Access.of(PORT), Access.of(PORT)
    assert len({access.token, access.session, other.token, other.session}) == 4
    assert len(access.token) >= 40
    once = access.one_visit()
    assert client_of(folder, access).get("/", params={"token": once}).status_code == 303
    assert client_of(folder, access).get("/", params={"token": once}).status_code == 403
    assert client_of(folder, access).get("/", params={"token": access.token}).status_code == 303
    assert client_of(folder, access).get("/", params={"token": access.token}).status_code == 303
    assert client_of(folder, access).get("/", params={"token": other.token}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"localhost.evil:{PORT}", ""]
)
def test_other_hosts_are_refused(folder: Path, host: str) -> None:
    access = Access.of(PORT)
    client = client_of(folder, access)
    assert client.get("/", params={"token": access.token}, headers={"host": host}).status_code == 403
    client.get("/", params={"token": access.token})
    assert client.get("/api/list", headers={"host": host}).status_code == 403
    for own in (f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"):
        assert client.get("/", params={"token": access.token}, headers={"host": own}).status_code in (200, 303)


def test_all_is_below_a_path_that_cannot_be_guessed(folder: Path) -> None:
    """So browsers do not send the cookie to other servers of this machine, nor to this one's port after it has ended."""
    access = Access.of(PORT)
    assert access.path != Access.of(PORT).path
    assert len(access.path) >= 40
    client = client_of(folder, access)
    cookie = client.get("/", params={"token": access.token}).headers["set-cookie"]
    assert f"path={access.path}/" in cookie.lower().replace(access.path.lower(), access.path)
    assert client.get("/api/list").status_code == 200
    above = testing.TestClient(client.app, base_url=BASE, follow_redirects=False)
    headers = {"cookie": f"{access.cookie}={access.session}"}
    for path in ("/", "/api/list", "/static/main.js", access.path, access.path[:-1] + "/", f"{access.path}x/api/list"):
        assert above.get(path, headers=headers).status_code == 403
        assert above.get(path, params={"token": access.token}).status_code == 403
    assert above.get(f"{access.path}/api/list", headers=headers).status_code == 200


def test_only_reading_a_page_spends_its_token(folder: Path) -> None:
    access = Access.of(PORT)
    once = access.one_visit()
    client = client_of(folder, access)
    assert client.head("/", params={"token": once}).status_code == 403
    assert client.get("/", params={"token": once}).status_code == 303


def test_other_origins_are_refused(client: Any) -> None:
    for origin in ("http://evil.example", f"http://127.0.0.1:{PORT + 1}", f"https://127.0.0.1:{PORT}", "null", ""):
        assert client.get("/api/list", headers={"origin": origin}).status_code == 403
    for origin in (BASE, f"http://localhost:{PORT}"):
        assert client.get("/api/list", headers={"origin": origin}).status_code == 200


def test_port_80_is_not_named(folder: Path) -> None:
    access = Access.of(80)
    client = client_of(folder, access)
    for host in ("127.0.0.1", "localhost", "[::1]", "127.0.0.1:80"):
        assert client.get("/", params={"token": access.token}, headers={"host": host}).status_code in (200, 303)
    assert client.get("/", params={"token": access.token}, headers={"host": "evil.example"}).status_code == 403


def test_pages_of_others_are_refused(client: Any) -> None:
    for site in ("cross-site", "same-site"):
        for mode, kind in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")):
            headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": kind}
            assert client.get("/api/list", headers=headers).status_code == 403
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client.get("/", headers=followed).status_code == 200
    assert client.get("/api/list", headers={"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_only_reading_methods(client: Any, method: str) -> None:
    answer = client.request(method, "/api/list")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert client.head("/").status_code == 200


# --- which files ----------------------------------------------------------------------------------------------------

OUT = [
    "../outside.linr", "sub/../../outside.linr", "..", ".", "", "/etc/passwd", "//etc/passwd", "sub/../photo.linr", "./photo.linr", "sub",
    "photo.linr/", "sub//floats.linr", "C:/outside.linr", "C:outside.linr", "..\\outside.linr", "sub\\floats.linr", "photo.linr\0",
    "a\0.linr", "notes.txt", "link.linr", "up/outside.linr", "up", "%2e%2e/outside.linr", "..%2foutside.linr",
]  # fmt: skip


@pytest.mark.parametrize("name", OUT)
def test_names_that_lead_elsewhere_are_unknown(client: Any, folder: Path, name: str) -> None:
    """Those that could be plain names are told to be gone; in no case is there anything of a file."""
    spelled = [quote(name, safe=""), quote(name, safe="/"), quote(quote(name, safe=""), safe="")]
    answers = [client.get(f"/api/{what}?name={text}") for what in ("about", "picture", "sound.wav") for text in spelled]
    for answer in answers:
        assert answer.status_code in (400, 404) or answer.json()["fault"] == "is not there any more"
        assert b"outside" not in answer.content.replace(name.encode(), b"") or answer.status_code == 200
    with pytest.raises((NotHereError, FileNotFoundError)):
        Library(folder).path(name).open("rb")


@pytest.mark.parametrize(
    "path", ["/static/../guard.py", "/static/%2e%2e/guard.py", "/static/..%2fapp.py", "/static//etc/passwd", "/api/nothing"]
)
def test_static_files_are_a_fixed_list(client: Any, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_folder_is_listed(client: Any, folder: Path, signals: dict[str, Signal]) -> None:
    found = client.get("/api/list").json()
    names = [file["name"] for file in found["files"]]
    others = {"damaged.linr", "nonsense.linr", "arrays.linr", "tensors.linr", "network.linr"}
    assert names == sorted({*signals, *others})
    assert (found["single"], found["title"]) == (False, "files")


def test_a_single_file_has_no_neighbours(folder: Path) -> None:
    client = let_in(folder / "photo.linr")
    assert client.get("/api/list").json() == {"title": "photo.linr", "single": True, "files": [{"name": "photo.linr"}]}
    assert client.get("/api/about", params={"name": "photo.linr"}).status_code == 200
    assert client.get("/api/about", params={"name": "deep.linr"}).status_code == 404


def test_a_link_that_stays_inside_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.linr").write_bytes((folder / "deep.linr").read_bytes())
    try:
        os.symlink(tmp_path / "a.linr", tmp_path / "b.linr")
    except (OSError, NotImplementedError):
        pytest.skip("no links here")
    assert asked(let_in(tmp_path), "about", "b.linr")["kind"] == "image"


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_no_text_is_told(folder: Path, tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.linr")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system has no such names")
    (file,) = let_in(tmp_path).get("/api/list").json()["files"]
    assert file["fault"] == "its name is not valid Unicode"


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_single_file_whose_name_is_no_text(folder: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.linr"))
    try:
        path.write_bytes((folder / "photo.linr").read_bytes())
    except OSError:
        pytest.skip("this file system has no such names")
    client = let_in(path)
    (file,) = client.get("/api/list").json()["files"]
    assert asked(client, "about", file["name"])["kind"] == "image"


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_link_to_a_name_that_is_no_text(folder: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.linr"))
    try:
        path.write_bytes((folder / "damaged.linr").read_bytes())
        os.symlink(path, tmp_path / "a.linr")
    except OSError:
        pytest.skip("this file system has no such names")
    assert "damaged" in asked(let_in(tmp_path), "card", "a.linr")["fault"]


@pytest.mark.parametrize("name", ["nosuch.linr", "a" * 5000 + ".linr"])
def test_names_that_nothing_has(client: Any, name: str) -> None:
    answer = client.get("/api/about", params={"name": name})
    assert (answer.status_code, answer.text) == (404, "there is no such file in what is shown")


def test_other_files_are_refused_at_the_start(folder: Path) -> None:
    with pytest.raises(FormatError, match=r"notes.txt: not a .linr file: .*; inrcodec encode makes one"):
        Library(folder / "notes.txt")


# --- what is seen ---------------------------------------------------------------------------------------------------


def pages_of(signal: Signal) -> list[tuple[str, Signal]]:
    """The pages of a signal: parameter page of each, and the page as a signal."""
    if signal.kind == "image" or signal.samples.ndim == 2:
        return [("", signal)]
    kind: Any = "image" if signal.kind == "stack" else "array"
    return [(str(n), Signal(page, kind, signal.bit_depth)) for n, page in enumerate(signal.samples)]


@pytest.mark.parametrize("name", ["photo.linr", "deep.linr", "stack.linr", "sub/floats.linr", "volume.linr", "complex.linr"])
def test_pictures_and_values(client: Any, signals: dict[str, Signal], name: str) -> None:
    signal = signals[name]
    told = asked(client, "about", name)
    assert told["shows"] == "picture"
    for page, known in pages_of(signal):
        height, width = known.samples.shape[:2]
        whole = figures.shown(known)
        given = {"page": page, "version": told["version"]}
        assert (picture(client, name, area=f"0,0,{width},{height}", **given).reshape(whole.shape) == whole).all()
        area = (width // 3, 1, width // 2, height - 3)
        part = whole[area[1] : area[1] + area[3], area[0] : area[0] + area[2]]
        found = picture(client, name, area=",".join(map(str, area)), **given)
        assert (found.reshape(*part.shape[:2], -1) == part).all()  # grey, if there is no NaN in it
        values = asked(client, "values", name, area="2,3,4,5", **given)["values"]
        wanted = known.samples[3:8, 2:6].reshape(5, 4, -1)
        assert values == [[[str(value) for value in pixel] for pixel in row] for row in wanted]
        bits = picture(client, name, mode="bits", plane=1, channel=0, area=f"0,0,{width},{height}", **given)
        assert (bits == figures.bit_plane(known, 1, 0)).all()


def test_a_smaller_picture_has_the_means(client: Any, signals: dict[str, Signal]) -> None:
    samples = signals["photo.linr"].samples.astype(int)
    found = picture(client, "photo.linr", area="0,0,128,96", step=3)
    assert found.shape == (32, 43, 3)
    blocks = samples[:, :126].reshape(32, 3, 42, 3, 3).mean(axis=(1, 3))
    assert np.abs(found[:, :42] - blocks).max() <= 0.5


def test_what_is_black_and_white_is_told(client: Any, signals: dict[str, Signal]) -> None:
    assert asked(client, "span", "photo.linr")["span"] is None
    low, high = asked(client, "span", "volume.linr", page="1")["span"]
    page = signals["volume.linr"].samples[1]
    assert (int(low), int(high)) == (page.min(), page.max())
    for name in ("sound.linr", "line.linr"):
        assert "cannot be shown as a picture" in asked(client, "span", name)["fault"]


def test_the_preview_comes_first_and_thumbnails_are_small(client: Any, signals: dict[str, Signal]) -> None:
    for what in ("preview", "thumbnail"):
        answer = client.get(f"/api/{what}", params={"name": "preview.linr"})
        assert Image.open(io.BytesIO(answer.content)).size == (32, 32)
    assert asked(client, "preview", "deep.linr") == {"none": True}
    for name, sides in (("deep.linr", (128, 96)), ("stack.linr", (40, 32)), ("volume.linr", (20, 16)), ("sub/floats.linr", (30, 20))):
        answer = client.get("/api/thumbnail", params={"name": name})
        assert Image.open(io.BytesIO(answer.content)).size == sides
    assert asked(client, "thumbnail", "tensors.linr") == {"none": True}
    assert len(asked(client, "thumbnail", "sound.linr", columns=50)["wave"]["low"][0]) == 50


def test_costs_are_those_of_the_codec(client: Any, folder: Path) -> None:
    told = asked(client, "about", "photo.linr")
    known = costs((folder / "photo.linr").read_bytes())
    found = asked(client, "values", "photo.linr", mode="cost", area="40,50,30,20")["values"]
    wanted = known.places[50:70, 40:70]
    assert np.abs(np.array(found, float)[..., 0] - wanted).max() < 0.01
    heat = picture(client, "photo.linr", mode="cost", top=4, area="0,0,128,96")
    assert (heat == figures.heat(known.places, 4)[0]).all()
    for number, plane in enumerate(told["planes"]):
        of_plane = dict(known.planes).get(plane, np.zeros((96, 128), np.float32))
        heat = picture(client, "photo.linr", mode="cost", plane=number, top=4, area="0,0,128,96")
        assert (heat == figures.heat(of_plane, 4)[0]).all()
    assert "no coded plane" in asked(client, "picture", "photo.linr", mode="cost", plane=99, area="0,0,9,9")["fault"]


def test_a_network_alone(client: Any, folder: Path) -> None:
    told = asked(client, "about", "network.linr")
    assert told["network"] == ""
    height, width = told["axes"]
    known = inrcodec.render((folder / "network.linr").read_bytes(), network_only=True)
    found = picture(client, "network.linr", mode="network", area=f"0,0,{width},{height}")
    assert (found.reshape(height, width, -1) == figures.shown(known)).all()
    told = asked(client, "values", "network.linr", mode="network", area=f"0,0,{width},{height}")["values"]
    assert (np.array(told, int).reshape(known.samples.shape) == known.samples).all()
    assert "profile hybrid" in asked(client, "about", "photo.linr")["network"]
    assert "fault" in asked(client, "picture", "photo.linr", mode="network", area="0,0,9,9")


def test_bundles_are_tables(client: Any) -> None:
    arrays = asked(client, "about", "arrays.linr")
    assert arrays["shows"] == "table"
    assert [row[:3] for row in arrays["table"]["rows"]] == [["speed", "float64", "30"], ["<b>", "int64", "4"]]
    tensors = asked(client, "about", "tensors.linr")
    assert tensors["table"]["rows"] == [["w", "F32", "3", "exactly"]]
    assert "network" not in tensors
    assert "not a signal" in asked(client, "picture", "arrays.linr", area="0,0,1,1")["fault"]


def test_cards(client: Any, folder: Path) -> None:
    card = asked(client, "card", "photo.linr")
    size = (folder / "photo.linr").stat().st_size
    assert (card["what"], card["size"], card["raw"], card["icon"]) == ("96 × 128 × 3 uint8", size, 96 * 128 * 3, "picture")
    assert [asked(client, "card", name)["icon"] for name in ("sound.linr", "line.linr", "arrays.linr")] == ["sound", "line", "bundle"]


def test_digests_are_compared_when_it_is_asked(client: Any) -> None:
    assert asked(client, "verify", "photo.linr") == {"right": f"{96 * 128 * 3} samples match their digest"}
    assert asked(client, "verify", "arrays.linr") == {"right": "2 arrays match their digest"}
    assert asked(client, "verify", "tensors.linr") == {"right": "1 tensors match their digest"}
    assert "damaged" in asked(client, "verify", "damaged.linr")["fault"]


@pytest.mark.parametrize(
    "asked_for",
    [
        {"area": "0,0,0,0"}, {"area": "0,0,129,96"}, {"area": "-1,0,5,5"}, {"area": "0,0,9"}, {"area": "a,b,c,d"}, {"area": "1e3,0,1,1"},
        {"area": "0,0,9,9", "page": "1"}, {"area": "0,0,9,9", "step": "0"}, {"area": "0,0,9,9", "mode": "cake"},
        {"area": "0,0,9,9", "mode": "bits", "plane": "8"}, {"area": "0,0,9,9", "mode": "bits", "plane": "1", "channel": "3"},
        {"area": "0,0,9,9", "top": "nan", "mode": "cost"}, {"area": "0,0,999999999999,999999999999"}, {"area": "٣,0,1,1"},
    ],
)  # fmt: skip
def test_questions_that_make_no_sense(client: Any, asked_for: dict[str, str]) -> None:
    answer = client.get("/api/picture", params={"name": "photo.linr", **asked_for})
    assert answer.status_code == 400 or "fault" in answer.json()


def test_limits_hold(folder: Path) -> None:
    client = let_in(folder, max_samples=1000)
    assert "max_samples" in asked(client, "picture", "photo.linr", area="0,0,9,9")["fault"]
    assert "max_samples" in asked(client, "waveform", "sound.linr", start=0, stop=100)["fault"]
    client = let_in(folder, max_memory=5000)
    assert "max_memory" in asked(client, "picture", "photo.linr", area="0,0,9,9")["fault"]


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of less than a kilobyte that says 16 million samples."""
    folder = tmp_path_factory.mktemp("bomb")
    (folder / "bomb.linr").write_bytes(inrcodec.encode(Signal(np.full((4000, 4000), 7, np.uint8), "image"), effort=1, threads=2))
    assert (folder / "bomb.linr").stat().st_size < 1000
    return folder


@pytest.mark.parametrize("mode", ["picture", "bits"])
def test_large_parts_are_decoded_tile_by_tile(bomb: Path, mode: str) -> None:
    most = 20_000_000
    client = let_in(bomb, max_memory=most)
    given = {"mode": mode, "plane": 0, "area": "0,0,4000,4000"}
    assert "max_memory" in asked(client, "picture", "bomb.linr", **given)["fault"]
    tracemalloc.start()
    try:
        found = picture(client, "bomb.linr", step=16, **given)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found == (7 if mode == "picture" else 255)).all()
    assert peak < most


def test_maps_of_costs_keep_to_the_limits(bomb: Path, folder: Path) -> None:
    """A place of a map takes more than a sample, and tiles are decoded in two threads at once."""
    client = let_in(bomb, max_memory=20_000_000)
    assert "max_memory" in asked(client, "picture", "bomb.linr", mode="cost", area="0,0,4000,4000", step=16)["fault"]
    assert "max_memory" in asked(client, "values", "bomb.linr", mode="cost", area="0,0,9,9")["fault"]
    whole = let_in(folder, max_memory=1 << 30)
    assert (
        picture(whole, "photo.linr", mode="cost", area="0,0,128,96")
        == picture(let_in(folder), "photo.linr", mode="cost", area="0,0,128,96")
    ).all()


def test_who_asks_for_much_waits_for_others(bomb: Path) -> None:
    """Two fit one after the other, and not together; what never fits is refused."""
    held = Files(Library(bomb), Limits()).get("bomb.linr")
    options = Options(threads=2, max_memory=60_000_000)
    box, going = (slice(0, 9), slice(0, 9)), []

    async def run() -> None:
        samples = Samples(Store(1000, 1), options)

        async def one() -> None:
            async with samples.room(held, box, 30_000_000):
                going.append(1)
                assert len(going) == 1
                await asyncio.sleep(0.01)
                going.pop()

        await asyncio.gather(*(one() for _ in range(4)))
        with pytest.raises(LimitError):
            async with samples.room(held, box, 60_000_000):
                pass
        cancelled = asyncio.create_task(one())
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        going.clear()
        await one()

    asyncio.run(run())


def test_only_so_many_are_worked_on_at_a_time(bomb: Path) -> None:
    held, most, going = Files(Library(bomb), Limits()).get("bomb.linr"), [], []

    async def run() -> None:
        samples = Samples(Store(1000, 1), Options(threads=1))

        async def one() -> None:
            async with samples.room(held, (slice(0, 9), slice(0, 9)), 0):
                going.append(1)
                most.append(len(going))
                await asyncio.sleep(0)
                going.pop()

        await asyncio.gather(*(one() for _ in range(3 * REQUESTS)))

    asyncio.run(run())
    assert max(most) == REQUESTS


def test_a_page_is_measured_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if its tiles are not kept, and if several parts are asked for at once."""
    calls, of = [], figures.span_of

    def counted(signal: Signal, page: int = 0) -> Any:
        calls.append(signal.samples.size if signal.samples.size > 3 else 0)  # one pixel tells how many channels are drawn
        return of(signal, page)

    held = Files(Library(folder), Limits()).get("deep.linr")
    assert not drawing.is_nominal(held)

    async def run() -> None:
        samples = Samples(Store(1, 2), Options(threads=2))
        monkeypatch.setattr(drawing, "is_nominal", lambda held: False)
        monkeypatch.setattr(figures, "span_of", counted)
        given = [drawing.draw(samples, held, drawing.Layer(), (x, 0, 32, 96), 1) for x in (0, 32, 64, 96)]
        await asyncio.gather(*given, drawing.span_of(samples, held, ()))

    asyncio.run(run())
    assert sum(calls) == 96 * 128 * 3


# --- sound ----------------------------------------------------------------------------------------------------------


def test_sound_is_a_wav_file(client: Any, signals: dict[str, Signal]) -> None:
    answer = client.get("/api/sound.wav", params={"name": "sound.linr"})
    assert answer.headers["content-type"] == "audio/wav"
    found, rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    assert rate == signals["sound.linr"].sample_rate
    assert (found == signals["sound.linr"].samples).all()
    assert asked(client, "about", "sound.linr")["changed"] == ""
    head = client.head("/api/sound.wav", params={"name": "sound.linr"})
    assert int(head.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize(
    ("wanted", "part"),
    [("0-", slice(0, None)), ("0-9", slice(0, 10)), ("7-43", slice(7, 44)), ("44-44", slice(44, 45)), ("1001-2002", slice(1001, 2003)),
     ("23000-99999999", slice(23000, None)), ("-10", slice(-10, None)), ("-99999999", slice(0, None))],
)  # fmt: skip
def test_parts_of_sound(client: Any, wanted: str, part: slice) -> None:
    whole = client.get("/api/sound.wav", params={"name": "sound.linr"}).content
    answer = client.get("/api/sound.wav", params={"name": "sound.linr"}, headers={"range": f"bytes={wanted}"})
    first = range(len(whole))[part][0]
    assert answer.status_code == 206
    assert answer.content == whole[part]
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole)}"


@pytest.mark.parametrize("wanted", ["99999999-", "9-3", "-0", "-"])
def test_parts_of_sound_that_are_not_there(client: Any, wanted: str) -> None:
    answer = client.get("/api/sound.wav", params={"name": "sound.linr"}, headers={"range": f"bytes={wanted}"})
    assert answer.status_code == 416


def test_sound_is_changed_for_browsers_and_the_page_says_so(client: Any, signals: dict[str, Signal]) -> None:
    told = asked(client, "about", "wide.linr")
    assert told["plays"]
    assert told["changed"] == "The browser gets samples of 24 bits as floats of 32 bits and the 3 channels mixed to two."
    found, _ = soundfile.read(io.BytesIO(client.get("/api/sound.wav", params={"name": "wide.linr"}).content), dtype="float32")
    assert found.shape == (2000, 2)
    assert np.allclose(found[:, 1], signals["wide.linr"].samples[:, 1] / 2**23)
    slow = asked(client, "about", "slow.linr")
    assert not slow["plays"]
    assert "10 frames per second" in slow["changed"]
    assert "fault" in asked(client, "sound.wav", "slow.linr")
    assert "no sound" in asked(client, "sound.wav", "photo.linr")["fault"]


@pytest.mark.parametrize("columns", [1, 7, 500, 5000])
def test_waveforms(client: Any, signals: dict[str, Signal], columns: int) -> None:
    samples = signals["sound.linr"].samples / 2**15
    found = asked(client, "waveform", "sound.linr", start=100, stop=5100, columns=columns)
    edges = found["edges"]
    assert (edges[0], edges[-1], len(edges)) == (100, 5100, columns + 1)
    for channel in (0, 1):
        wanted = [samples[a:b, channel].min() for a, b in pairwise(edges)]
        assert np.allclose(found["low"][channel], wanted)
        wanted = [samples[a:b, channel].max() for a, b in pairwise(edges)]
        assert np.allclose(found["high"][channel], wanted)


def test_arrays_of_one_axis_are_lines(client: Any, signals: dict[str, Signal]) -> None:
    told = asked(client, "about", "line.linr")
    assert (told["shows"], told.get("plays")) == ("sound", None)
    found = asked(client, "waveform", "line.linr", start=0, stop=500, columns=500)
    assert np.allclose(found["low"][0], signals["line.linr"].samples)
    assert asked(client, "frame", "line.linr", at=7)["values"] == [str(signals["line.linr"].samples[7])]
    assert asked(client, "frame", "sound.linr", at=70)["values"] == [str(v) for v in signals["sound.linr"].samples[70]]


def test_costs_over_time(client: Any, folder: Path) -> None:
    known = costs((folder / "sound.linr").read_bytes())
    found = asked(client, "costs", "sound.linr", start=0, stop=6000, columns=60)
    assert np.allclose(found["bits"], known.places.reshape(60, 100).mean(axis=1), rtol=1e-3)
    (one, other) = (asked(client, "costs", "sound.linr", start=0, stop=6000, columns=6, plane=n)["bits"] for n in (0, 1))
    assert np.allclose(np.add(one, other), known.places.reshape(6, 1000).mean(axis=1), rtol=1e-3)


@pytest.mark.parametrize("part", [(0, 0), (5, 3), (-1, 5), (0, 6001)])
def test_parts_that_do_not_lie_inside(client: Any, part: tuple[int, int]) -> None:
    for what in ("waveform", "costs"):
        assert "fault" in asked(client, what, "sound.linr", start=part[0], stop=part[1])


# --- faults ---------------------------------------------------------------------------------------------------------


def test_what_is_left_of_a_damaged_file_is_shown(client: Any, signals: dict[str, Signal]) -> None:
    assert "damaged" in asked(client, "card", "damaged.linr")["fault"]
    told = asked(client, "about", "damaged.linr")
    assert "damaged" in told["wrong"]["fault"]
    assert "--salvage" in told["wrong"]["hint"]
    answer = client.get("/api/picture", params={"name": "damaged.linr", "area": "0,0,128,96"})
    fault = unquote(answer.headers["x-fault"])
    assert fault.count("is lost") == 1
    found = np.asarray(Image.open(io.BytesIO(answer.content)))
    same = (found == signals["photo.linr"].samples).all(axis=2)
    tiles = [same[y : y + 64, x : x + 64].all() for y in (0, 64) for x in (0, 64)]
    assert tiles.count(True) == 3
    assert f"tile {tiles.index(False) + 1} of 4" in fault
    values = asked(client, "values", "damaged.linr", area="60,60,8,8")["values"]
    assert sum(pixel == ["lost"] for row in values for pixel in row) > 0


def test_of_many_lost_tiles_the_first_are_named(tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(64), np.arange(20 * 64)) // 4
    samples = (ramp + np.random.default_rng(1).integers(0, 9, ramp.shape)).astype(np.uint8)
    data = bytearray(inrcodec.encode(Signal(samples, "image"), effort=1, threads=1, tile=64))
    size = len(data) // 20
    for at in range(size, len(data), size):
        data[at] ^= 1
    (tmp_path / "a.linr").write_bytes(data)
    answer = let_in(tmp_path).get("/api/picture", params={"name": "a.linr", "area": "0,0,1280,64"})
    *lines, last = unquote(answer.headers["x-fault"]).split("; ")
    assert len(lines) == 5
    assert all("of 20 is lost" in line for line in lines)
    assert last in ("and 13 more", "and 14 more", "and 15 more")


def test_inks_have_their_names(tmp_path: Path) -> None:
    inks = Signal(np.zeros((8, 9, 4), np.uint8), "image", metadata={"tiff/photometric": b"5"})
    (tmp_path / "inks.linr").write_bytes(inrcodec.encode(inks, effort=1))
    assert asked(let_in(tmp_path), "about", "inks.linr")["channels"] == ["cyan", "magenta", "yellow", "black"]


def test_the_file_that_is_shown_is_verified(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    for name in ("photo.linr", "arrays.linr"):
        path.write_bytes((folder / name).read_bytes())
        held = Files(Library(tmp_path), Limits()).get("a.linr")
        path.write_bytes((folder / "deep.linr").read_bytes())
        with pytest.raises(ChangedError):
            about.verify(held, Options(threads=1))


def test_faults_of_the_program_are_told(client: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(*given: Any) -> None:
        raise ZeroDivisionError("nothing")

    monkeypatch.setattr(about, "card", fail)
    assert "the terminal says how" in asked(client, "card", "photo.linr")["fault"]
    assert capfd.readouterr().err == "inrcodec: card: ZeroDivisionError('nothing')\n"


def test_what_is_no_file_has_one_line(client: Any) -> None:
    for what in ("about", "card", "picture", "waveform", "sound.wav"):
        found = asked(client, what, "nonsense.linr", area="0,0,1,1")
        assert found["fault"] == "not a .linr file: it begins with other bytes"
        assert found["hint"] == ""


def test_a_damaged_compact_file_has_nothing_to_salvage(tmp_path: Path) -> None:
    data = bytearray(inrcodec.encode(np.arange(90, dtype=np.uint8).reshape(9, 10), kind="image"))
    data[-8] ^= 1
    (tmp_path / "small.linr").write_bytes(data)
    told = asked(let_in(tmp_path), "about", "small.linr")
    assert "damaged" in told["fault"]
    assert told["hint"] == about.WHOLE
    with pytest.raises(FormatError):
        damage.salvage(bytes(data))


def test_names_in_hints_are_quoted(folder: Path, tmp_path: Path) -> None:
    name = "it's a; photo.linr"
    (tmp_path / name).write_bytes((folder / "damaged.linr").read_bytes())
    assert "'it'\\''s a; photo.linr'" in asked(let_in(tmp_path), "about", name)["wrong"]["hint"]


def test_files_that_change_and_go_while_they_are_shown(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    path.write_bytes((folder / "photo.linr").read_bytes())
    client = let_in(tmp_path)
    version = asked(client, "about", "a.linr")["version"]
    path.write_bytes((folder / "deep.linr").read_bytes())
    changed = asked(client, "picture", "a.linr", area="0,0,9,9", version=version)
    assert changed == {"fault": "was changed since it was opened", "hint": "", "changed": True}
    assert picture(client, "a.linr", area="0,0,9,9").shape == (9, 9, 3)
    assert asked(client, "about", "a.linr")["version"] != version
    path.unlink()
    assert asked(client, "picture", "a.linr", area="0,0,9,9")["fault"] == "is not there any more"
    assert asked(client, "about", "a.linr")["fault"] == "is not there any more"
    assert client.get("/api/list").json()["files"] == []


def test_a_file_that_is_replaced_while_a_tile_is_read(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    path.write_bytes((folder / "photo.linr").read_bytes())
    held = Files(Library(tmp_path), Limits()).get("a.linr")
    path.write_bytes((folder / "deep.linr").read_bytes())
    with pytest.raises(ChangedError):
        held.tiled.tile(0)


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InrcodecError, match="cannot be read"):
        Library(tmp_path / "nothing")


# --- work in threads ------------------------------------------------------------------------------------------------


def test_work_is_done_once_for_all_who_wait() -> None:
    calls = []
    store = Store(100, 2)

    async def run() -> list[int]:
        def make(stop: Callable[[], bool]) -> int:
            calls.append(1)
            return 5

        found = list(await asyncio.gather(*(store.get("a", make, lambda found: 1) for _ in range(5))))
        return [*found, await store.get("a", make, lambda found: 1)]

    assert asyncio.run(run()) == [5] * 6
    assert len(calls) == 1
    assert store.close(5)


def test_the_last_ones_used_are_kept_up_to_so_many_bytes() -> None:
    store, made = Store(10, 1), []

    async def get(key: str, size: int) -> None:
        def make(stop: Callable[[], bool]) -> str:
            made.append(key)
            return key

        await store.get(key, make, lambda found: size)

    async def run() -> None:
        for key, size in (("a", 4), ("b", 4), ("a", 4), ("c", 4), ("a", 4), ("b", 4), ("huge", 99), ("huge", 99), ("none", 0), ("none", 0)):
            await get(key, size)

    asyncio.run(run())
    assert made == ["a", "b", "c", "b", "huge", "none", "none"]
    assert store.held == 99
    store.close(5)


def test_work_that_nobody_waits_for_is_stopped_and_can_begin_anew() -> None:
    store, began, stopped = Store(100, 2), threading.Event(), threading.Event()

    def wait(stop: Callable[[], bool]) -> int:
        began.set()
        while not stop():
            threading.Event().wait(0.005)
        stopped.set()
        raise Stopped

    async def run() -> int:
        first, second = (asyncio.create_task(store.get("a", wait, lambda found: 1)) for _ in range(2))
        await asyncio.to_thread(began.wait, 20)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert not stopped.is_set()
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert await asyncio.to_thread(stopped.wait, 20)
        return await store.get("a", lambda stop: 7, lambda found: 1)

    assert asyncio.run(run()) == 7
    assert store.close(5)


def test_work_beside_is_left_when_the_server_ends() -> None:
    """What no stop reaches, as the drawing of a part, does not hold up the end."""
    store, going, end = Store(100, 1), threading.Event(), threading.Event()

    def work() -> None:
        going.set()
        end.wait(60)

    async def run() -> None:
        task = asyncio.create_task(store.run(work))
        while not going.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())  # which would wait for threads of asyncio.to_thread
    assert not store.close(0.01)
    end.set()
    assert store.close(20)


def test_faults_are_not_kept() -> None:
    store = Store(100, 1)

    def fail(stop: Callable[[], bool]) -> int:
        raise FormatError("damaged")

    async def run() -> int:
        with pytest.raises(FormatError):
            await store.get("a", fail, lambda found: 1)
        return await store.get("a", lambda stop: 7, lambda found: 1)

    assert asyncio.run(run()) == 7
    store.close(5)
