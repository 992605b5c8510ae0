"""How much memory decoding a tile of a picture takes: an upper bound, from the plan and the size of the tile alone."""

from __future__ import annotations

from heapq import nlargest

from ....kernels import contextnet, mixer, picture
from ....kernels.lanes import padded
from ....kernels.predictors import BLOCK, WINDOWS
from . import contexts, scan
from .pipeline import most_begun
from .plan import PLAIN, PicturePlan, Plane
from .scan import Pass
from .tile import columns_of, inputs_of, passes_of, table_sizes

PASS_BYTES = 1 << 11  # of a pass before its first row and after its last
STATE_BYTES = 1 << 17  # of the parts of a pass's state that have the same size in all passes


def memory(plan: PicturePlan, size: tuple[int, int], threads: int) -> int:
    """The most bytes that a tile of this size, (height, width), takes at once, its values included. threads: that decode it."""
    places = size[0] * size[1]
    known: dict[tuple[Pass, int, int], int] = {}
    states: list[int] = []
    for p in plan.planes:
        for q in passes_of(p, size):
            key = q, len(p.references), p.largest.bit_length()
            if key not in known:
                known[key] = state(q, p, size, plan)
            states.append(known[key])
    alive = sum(nlargest(most_begun(threads), states))
    # planes and residuals as 32-bit integers; then, without residuals, indices (with a lattice 32 bits each) and values
    coding = 8 * len(plan.planes) * places + alive + plan.transform.memory(size, plan.model.lines)
    after = 4 * len(plan.planes) + (6 if plan.transform.corrected else 4) * len(plan.sources)
    return max(coding, (after + 16) * places + (1 << 20)) + PASS_BYTES * len(states)


def state(p: Pass, plane: Plane, size: tuple[int, int], plan: PicturePlan) -> int:
    """The most bytes of the state of a pass, see `tile.fresh`. size: (height, width) of the tile."""
    m, taps = plan.model, scan.taps(p, 0, plane.references)
    count = len(contexts.context_taps(m.contexts, taps))
    lines, maps = table_sizes(p, plane, size, m)
    inputs = len(picture.first_weights(count))
    mixing = 4 * mixer.SETS * mixer.SELECTIONS * (inputs + 1) + 8 * maps * mixer.FINE
    slots = 4 * count * lines * mixer.NODES
    regressors, columns = padded(len(scan.predictor_taps(p, len(plane.references))[0])), columns_of(p, size[1])
    squares = 4 * len(WINDOWS[m.least_squares]) * (-(-columns // BLOCK) + 2) * (regressors + 1) * regressors
    plain = 16 * picture.NUMBERS * picture.TABLE if m.coding == PLAIN else 0
    seen, units = inputs_of(taps), max(m.units, 16)
    net = 24 * contextnet.parameters(seen + 4, units + 4) + 4 * contextnet.BATCH * (seen + 4 * units + contextnet.OUTPUTS + 12)
    return mixing + slots + squares + plain + net + 8 * picture.PREDICTORS * (columns + 2) + STATE_BYTES
