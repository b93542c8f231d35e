"""Comparisons of kernels/decoding with generation/ and the readable network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.kernel_twins.gemm import close, random, same
from contracts.kernel_twins.plain import MEMORY, load, run
from model.gradient_check import make_problem
from nextchar.generation import penalties, sampling
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.sequence import rule_values
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Parameters

Array = NDArray[Any]
SAMPLING = "decoding.sampling."
V, HANDFUL = 9, 2

# sampling


def scratch(size: int = V) -> Any:
    return load("decoding.lanes").sampler_scratch(size, np.float64)


def rows() -> list[Array]:
    """Logits with and without ties and bans."""
    ties = np.array([1.0, 3.0, -2.0, 3.0, 3.0, 0.0, 1.0, -5.0, 2.0])
    banned = np.where(np.arange(V) % 3 == 0, -np.inf, ties)
    return [2 * random(1, V)[0], 5 * random(V, 1)[:, 0], ties, banned, np.zeros(V)]


TEMPERATURE = 0.5


def weights_of(z: Array) -> Array:
    return np.asarray(np.exp(z - z.max()))


def argmax() -> None:
    for z in rows():
        assert run(SAMPLING + "_argmax", z) == z.argmax()


def total() -> None:
    for z in rows():
        close(run(SAMPLING + "_total", weights_of(z)), weights_of(z).sum())


def sum_above() -> None:
    for z in rows():
        for value in (*z[:4], -np.inf, 0.5):
            above = z > value
            found = run(SAMPLING + "_sum_above", z, weights_of(z), value)
            close(found, (weights_of(z)[above].sum(), above.sum()))


def sorted_between() -> None:
    for z in rows():
        for low, high in ((-np.inf, np.inf), (0.0, 3.0), (1.0, 1.0), (3.0, 3.0)):
            found, weights = np.full(V, -1), weights_of(z)
            count = run(SAMPLING + "_sorted_between", z, weights, low, high, found)
            inside = [j for j in np.argsort(-z, kind="stable") if low <= z[j] <= high]
            assert found[:count].tolist() == [j for j in inside if weights[j] > 0]


def bracket() -> None:
    """The cut lies between the values, with a handful of codes."""
    for z in (*rows(), np.array([0.0, -700.0, -701.0, -702.0, -703.0])):
        weights = weights_of(z)
        for goal in (0.1, 0.7, 1.0, 1.5, weights.sum() * 0.999):
            if goal > weights.sum():
                continue
            low, high = run(SAMPLING + "_bracket", z, weights, goal, z.max())
            assert weights[z > high].sum() < goal <= weights[z > low].sum()
            codes = ((z > low) & (z <= high)).sum()
            assert codes <= HANDFUL or high - low < 1e-12
        low, _ = run(SAMPLING + "_bracket", z, weights, 99.0, z.max())
        assert low < z[weights > 0].min(), "a goal out of reach keeps all codes"


def kept(name: str, keep: Callable[..., Array], *values: float) -> Callable[[], None]:
    """A rule of sampling, by the weights that it leaves."""

    def compare() -> None:
        for z in rows():
            for value in values:
                weights = weights_of(z / TEMPERATURE)
                wanted = np.where(np.isneginf(keep(z[None] / TEMPERATURE, value))[0], 0, weights)
                run(SAMPLING + name, *arguments(name, z, weights, value))
                same(weights, wanted)

    return compare


def keep_first() -> None:
    """In the order of the logits, it is `top_p`; a goal of 0 keeps one code."""
    kept("_keep_first", sampling.keep_top_p, 1e-9, 0.25, 0.6, 0.95, 0.999)()
    weights = weights_of(rows()[2])
    run(SAMPLING + "_keep_first", rows()[2], 3.0, weights, 0.0, scratch())
    assert weights.tolist() == [0, 1, *[0] * 7]


def arguments(name: str, z: Array, weights: Array, value: float) -> tuple[Any, ...]:
    best = int(z.argmax())
    return {
        "keep_top_k": (z, best, weights, value, scratch()),
        "keep_min_p": (weights, value),
        "keep_typical_p": (z, best, weights, TEMPERATURE, value, scratch()),
        "_keep_first": (z, z.max(), weights, value * weights.sum(), scratch()),
    }[name]


def draw() -> None:
    for z in rows():
        weights = weights_of(z)
        for uniform in (0.0, 0.13, 0.5, 0.87, np.nextafter(1, 0)):
            wanted = sampling.sample(weights[None], np.array([uniform]))[0]
            assert run(SAMPLING + "_draw", weights, uniform, 0) == wanted
    # rounding may leave nothing above the target: then the last code with a weight
    assert run(SAMPLING + "_draw", np.array([1.0, 2.0, 0.0]), 1.0, 0) == 1
    assert run(SAMPLING + "_draw", np.full(3, np.nan), 0.5, 2) == 2


SETTINGS: list[dict[str, Any]] = [
    {}, {"temperature": 0.0}, {"temperature": 0.4}, {"top_k": 3}, {"top_p": 0.7}, {"min_p": 0.3},
    {"typical_p": 0.5}, {"top_k": V}, {"temperature": 2.0, "typical_p": 0.6},
    {"temperature": 0.7, "top_k": 6, "top_p": 0.8, "min_p": 0.02, "typical_p": 0.8},
]  # fmt: skip


def sample() -> None:
    for z in rows():
        for given in SETTINGS:
            settings = GenerationSettings(**given)
            for uniform in (0.03, 0.4, 0.61, 0.97):
                probabilities = sampling.probabilities(z[None], settings)
                wanted = sampling.sample(probabilities, np.array([uniform]))[0]
                values = [getattr(settings, each) for each in
                          ("temperature", "top_k", "top_p", "min_p", "typical_p")]  # fmt: skip
                assert run(SAMPLING + "sample", z, uniform, *values, scratch()) == wanted
    assert (
        run(SAMPLING + "sample", np.full(V, -np.inf), 0.5, 1.0, 0, 1.0, 0.0, 1.0, scratch()) == -1
    )


# penalties: a lane with a history


PI = [3, 1, 4, 1, 5, 3, 1, 4]
HISTORY = np.array([1, 2, 3, 1, 2, 4, 1, 2, 1, 2])


def lane_with(**numbers: Any) -> Any:
    """Two lanes, the second with a history and rules."""
    lanes = load("decoding.lanes").allocate_lanes(2, V, 8, unknown=7, end=8)
    window = numbers.get("last_n", -1)
    recent = sampling.recent_codes(HISTORY, window)
    lanes = lanes._replace(
        rows=lanes.rows.view(np.recarray),
        bias=np.stack([np.full(V, np.nan), random(1, V)[0]]),
        history=np.stack([np.full(20, 5), np.concatenate([HISTORY, np.full(10, 6)])]),
        counts=np.stack([np.full(V, 3), np.bincount(recent, minlength=V)]),
    )
    row = lanes.rows[1]
    row.repetition, row.length = 1.0, len(HISTORY)
    for name, value in numbers.items():
        setattr(row, name, value)
    return lanes


def add_bias() -> None:
    for z in rows():
        bias, out = random(1, V)[0], z.copy()
        run("decoding.penalties._add_bias", out, bias)
        same(out, penalties.with_bias(z[None], bias)[0])


def penalize() -> None:
    counts = np.bincount(HISTORY, minlength=V)
    for z in rows():
        out = z.copy()
        run("decoding.penalties._penalize", out, counts, 1.7, 0.3, 0.2)
        close(out, readable_penalties(z, 1.7, 0.3, 0.2, HISTORY))


def readable_penalties(
    z: Array, repetition: float, presence: float, frequency: float, recent: Array
) -> Array:
    made = penalties.with_repetition_penalty(z[None], [recent], repetition)
    return penalties.with_presence_and_frequency(made, [recent], presence, frequency)[0]


def ban_repeated_ngrams() -> None:
    for n in (1, 2, 3, 4, 11, 12):
        for history in (*(HISTORY[:length] for length in (0, 1, 3, 10)), np.array(PI)):
            z = random(1, V)[0]
            wanted = penalties.without_repeated_ngrams(z[None], [history], n)[0]
            run("decoding.penalties._ban_repeated_ngrams", z, history, n)
            same(z, wanted)


def apply_penalties() -> None:
    given: list[dict[str, Any]] = [
        {}, {"is_biased": 1}, {"repetition": 1.5}, {"presence": 0.5}, {"ngram": 2},
        {"frequency": 0.4, "last_n": 4}, {"least": 3, "drawn": 3}, {"least": 3, "drawn": 2},
    ]  # fmt: skip
    for each in given:
        lanes, z = lane_with(**each), random(1, V)[0]
        row, wanted = lanes.rows[1], z.copy()
        if each.get("is_biased"):
            wanted = penalties.with_bias(wanted[None], lanes.bias[1])[0]
        recent = sampling.recent_codes(HISTORY, each.get("last_n", -1))
        wanted = readable_penalties(wanted, row.repetition, row.presence, row.frequency, recent)
        if row.ngram:
            wanted = penalties.without_repeated_ngrams(wanted[None], [HISTORY], row.ngram)[0]
        wanted[7] = -np.inf  # the unknown code
        if row.drawn < row.least:
            wanted[8] = -np.inf  # the end
        run("decoding.penalties.apply_penalties", z, 1, lanes)
        close(z, wanted)
    lanes, z = lane_with(least=1)._replace(unknown=-1, end=-1), random(1, V)[0]
    wanted = z.copy()
    run("decoding.penalties.apply_penalties", z, 1, lanes)
    same(z, wanted)


def remember() -> None:
    """The counts are those of the last codes, whatever the window."""
    for window in (-1, 0, 1, 3, 20):
        history, counts = np.zeros(12, int), np.zeros(V, int)
        for n, code in enumerate(HISTORY):
            run("decoding.penalties._remember", history, counts, n, window, code)
            same(history[: n + 1], HISTORY[: n + 1])
            recent = sampling.recent_codes(HISTORY[: n + 1], window)
            same(counts, np.bincount(recent, minlength=V))


def append_to_history() -> None:
    for keeps in (0, 1):
        lanes = lane_with(keeps_history=keeps, last_n=4)
        others = lanes.history[0].copy()
        run("decoding.penalties.append_to_history", 1, lanes, 5)
        codes = [*HISTORY, 5] if keeps else HISTORY
        assert lanes.rows[1].length == len(codes)
        same(lanes.history[1, : len(codes)], codes)
        same(lanes.counts[1], np.bincount(codes[-4:], minlength=V))
        same(lanes.history[0], others)


# patterns


class Pattern(NamedTuple):
    """`(01(2|3))+`, of codes below 4."""

    classes: Array = np.array([0, 1, 2, 2, -1, -1, -1, -1, -1], np.int32)
    table: Array = np.array([[1, -1, -1], [-1, 2, -1], [-1, -1, 3], [1, -1, -1]], np.int32)
    accepts: Array = np.array([False, False, False, True])
    distance: Array = np.array([3, 2, 1, 0], np.int32)


class OneCode(NamedTuple):
    """`[01]`."""

    classes: Array = np.array([0, 0, -1, -1, -1, -1, -1, -1, -1], np.int32)
    table: Array = np.array([[1], [-1]], np.int32)
    accepts: Array = np.array([False, True])
    distance: Array = np.array([1, 0], np.int32)


def allowed(pattern: Pattern, state: int, left: int) -> list[bool]:
    """Codes that leave a way to a full match of a pattern."""
    following = [pattern.table[state][c] if c >= 0 else -1 for c in pattern.classes]
    return [n >= 0 and pattern.distance[n] < left for n in following]


def lane_in_pattern(state: int, **numbers: Any) -> Any:
    automata, firsts = load("decoding.automata").stacked([OneCode(), Pattern()], V)
    lanes = lane_with(pattern=1, state=firsts[1] + state, most=10, **numbers)
    return lanes._replace(automata=automata)


def mask_by_pattern() -> None:
    pattern = Pattern()
    for state in range(4):
        for drawn in (0, 7, 8, 9):
            for end in (8, -1):
                lanes = lane_in_pattern(state, drawn=drawn, least=8)._replace(end=end)
                z, banned = random(1, V)[0], np.zeros(V, bool)
                wanted = np.array(allowed(pattern, state, 10 - drawn))
                any_allowed, before = bool(wanted.any()), z.copy()
                may_end = state == 3
                if may_end and end >= 0:
                    wanted[end] = True  # the end code is drawn as any other
                keeps = may_end and end < 0 and drawn >= 8
                found = run("decoding.constraints.mask_by_pattern", z, 1, lanes, banned)
                assert found == any_allowed
                same(banned, ~wanted)
                same(z, before if keeps else np.where(wanted, before, -np.inf))


def advance_pattern() -> None:
    lanes = lane_in_pattern(0)
    for code, state in ((0, 1), (1, 2), (3, 3), (0, 1)):
        assert not run("decoding.constraints.advance_pattern", 1, lanes, code)
        assert lanes.rows[1].state == 2 + state  # behind the two of the first pattern
    lanes.rows[1].pattern = lanes.rows[1].state = 0
    assert run("decoding.constraints.advance_pattern", 1, lanes, 1)


# whole lanes


class Text(NamedTuple):
    """A lane: its prompt, its rules, and how it is scored."""

    prompt: tuple[int, ...] = ()
    given: tuple[tuple[str, Any], ...] = ()
    length: int = 6
    is_scored: bool = False
    top: int = -1
    pattern: bool = False


TEXTS = [
    Text((1, 2, 3), (("top_k", 4), ("presence_penalty", 0.5)), is_scored=True, top=2),
    Text((), (("temperature", 0.0), ("no_repeat_ngram_size", 2)), length=4, top=3),
    Text((5, 6), (("repetition_penalty", 1.4), ("repeat_last_n", 3)), length=9),
    Text((4,), (), length=8, pattern=True),
    Text((1, 2, 3, 4, 5, 6, 1, 2), (), length=1, top=1),
]
UNIFORMS = np.random.default_rng(5).random((len(TEXTS), 12))
UNKNOWN, END, STEPS = 7, 8, 12
RUNNING, STOPPED, FULL = range(3)


class Output(NamedTuple):
    codes: list[int]
    status: int
    logprobs: list[float]
    top: list[list[int]]


def readable(parameters: Parameters, text: Text, uniforms: Array, steps: int, end: int) -> Output:
    """What a lane reads and draws by the readable network and rules."""
    settings = GenerationSettings(**{"length": text.length, **dict(text.given)})
    codes, pattern, state = list[int](), Pattern(), 0
    logprobs, top, status, drawn = list[float](), list[list[int]](), RUNNING, 0
    for step in range(steps):
        logits = logits_after(parameters, codes)
        if step < len(text.prompt):
            code = text.prompt[step]
        elif drawn == text.length:
            status = FULL
            break
        else:
            bias = np.where(np.arange(V) == UNKNOWN, -np.inf, 0.0)
            following = np.full(V, True)
            if text.pattern:
                following = np.array(allowed(pattern, state, text.length - drawn))
                if not following.any():
                    status = STOPPED
                    break
            may_end = text.pattern and pattern.accepts[state]
            mask = following | (may_end & (np.arange(V) == end))
            if may_end and end < 0:  # any code that does not follow is the end
                mask[:] = True
            histories = [np.array(codes, np.int64)]
            chances = sampling.probabilities(logits[None], settings, histories, bias, mask[None])
            code = int(sampling.sample(chances, uniforms[[step - len(text.prompt)]])[0])
            if code in (-1, end) or not following[code]:
                status = STOPPED
                break
            drawn += 1
        codes.append(code)
        scored = text.top >= 0 and (text.is_scored or step >= len(text.prompt))
        row = log_softmax(logits[None])[0]
        logprobs.append(row[code])
        top.append(np.argsort(-row, kind="stable")[: text.top].tolist() if scored else [])
        if drawn and text.pattern:
            state = pattern.table[state][pattern.classes[code]]
        if drawn == text.length:
            status = FULL
    return Output(codes, status, logprobs, top)


def logits_after(parameters: Parameters, codes: list[int]) -> Array:
    if not codes:
        return parameters["b_out"].copy()
    return forward(parameters, np.array(codes)[:, None], parameters.zero_state(1))[0][-1, 0]


def shard_of(parameters: Parameters, texts: list[Text], end: int = END) -> tuple[Any, Any]:
    """A shard with all lanes, fed, and the packed weights."""
    shards, weights = load("decoding.shard"), load("gemm.packed_weights")
    layout = load("layout").layout_of(parameters.architecture, np.float64)
    packed = weights.allocate_packed_weights(layout, np.float64)
    run("gemm.packed_weights.pack_weights", layout, parameters.flat, packed, 0, 1)
    shard = shards.Shard(
        layout, len(texts), STEPS, np.float64, pairs=False, unknown=UNKNOWN, end=end
    )
    shard.lanes = shard.lanes._replace(rows=shard.lanes.rows.view(np.recarray))
    start = shards.Snapshot(
        parameters.zero_state(1)[:, :, 0], parameters["b_out"], np.empty(0, np.int32)
    )
    for text in texts:
        settings = GenerationSettings(**{"length": max(text.length, 1), **dict(text.given)})
        numbers = {**rule_values(settings), "top": text.top, "is_scored": text.is_scored}
        shard.enter(shards.Rules(numbers), start)
    automata, firsts = load("decoding.automata").stacked([OneCode(), Pattern()], V)
    shard.lanes = shard.lanes._replace(automata=automata)
    for lane, text in enumerate(texts):
        row = shard.lanes.rows[lane]
        row.most = text.length  # 0 reads only
        row.given, row.made = len(text.prompt), 0
        shard.lanes.codes[lane, : len(text.prompt)] = text.prompt
        shard.lanes.uniforms[lane] = UNIFORMS[lane]
        if text.pattern:
            row.pattern, row.state = 1, firsts[1]
    return shard, packed


def write_lanes(*, calls: tuple[int, ...] = (STEPS,), cell: str = "lstm", end: int = END) -> None:
    """Lanes side by side, in one call and in several, as each of them alone."""
    parameters = make_problem(cell, layers=2, V=V, seed=2).parameters
    parameters["b_out"][:] *= 2
    shard, packed = shard_of(parameters, TEXTS, end)
    for n in calls:
        call(shard, parameters, packed, n, len(TEXTS))
    for lane, text in enumerate(TEXTS):
        wanted = readable(parameters, text, UNIFORMS[lane], sum(calls), end)
        row, lanes = shard.lanes.rows[lane], shard.lanes
        assert lanes.codes[lane, : row.made].tolist() == wanted.codes
        if len(wanted.codes) < sum(calls):
            assert row.status == wanted.status
        if row.status == RUNNING:
            close(shard.logits(lane), logits_after(parameters, wanted.codes))
        for n, best in enumerate(wanted.top):
            if best:
                close(lanes.logprobs[lane, n], wanted.logprobs[n])
                assert lanes.top_codes[lane, n, : text.top].tolist() == best
                row_of = log_softmax(logits_after(parameters, wanted.codes[:n])[None])[0]
                close(lanes.top_logprobs[lane, n, : text.top], row_of[best])


def call(shard: Any, parameters: Parameters, packed: Any, n: int, patience: int) -> None:
    MEMORY.add((shard.lanes, shard._workspace, packed, parameters.flat))
    with np.errstate(all="ignore"):
        shard.write(parameters.flat, packed, n, patience)


def write() -> None:
    write_lanes()
    write_lanes(calls=(3, 1, 8), cell="gru")
    write_lanes(end=-1, cell="rnn")
    read_only()


def read_only() -> None:
    """Lanes that only read: their logits are computed at the end of a call."""
    parameters = make_problem("rnn", V=V).parameters
    codes = (1, 2, 3, 4)
    shard, packed = shard_of(parameters, [Text(codes, length=0)])
    call(shard, parameters, packed, 3, 1)
    close(shard.logits(0), logits_after(parameters, [1, 2, 3]))
    call(shard, parameters, packed, 3, 1)
    row = shard.lanes.rows[0]
    assert (row.made, row.status) == (4, FULL)
    # one lane ends while the other reads on: the call ends with the logits of both
    shard, packed = shard_of(parameters, [Text(length=1), Text(codes)], end=-1)
    call(shard, parameters, packed, 5, 0)
    for lane in range(2):
        assert shard.lanes.rows[lane].made == 1
        close(shard.logits(lane), logits_after(parameters, [int(shard.lanes.codes[lane, 0])]))


def write_patiently() -> None:
    """A call ends as soon as more lanes have ended than patience allows."""
    write()
    parameters = make_problem("rnn", V=V).parameters
    for patience, ended in ((0, 1), (1, 2)):
        shard, packed = shard_of(parameters, TEXTS)
        call(shard, parameters, packed, STEPS, patience)
        status = shard.lanes.rows.status
        assert ended <= (status != RUNNING).sum() < len(TEXTS)
        for lane in range(len(TEXTS)):
            codes = shard.lanes.codes[lane, : shard.lanes.rows[lane].made].tolist()
            if status[lane] == RUNNING or (status[lane] == FULL and patience == 0):
                close(shard.logits(lane), logits_after(parameters, codes))


def copy_logits() -> None:
    for z in rows():
        raw = np.full(V, np.nan)
        close(run("decoding.decode._copy_logits", z, raw), np.log(np.exp(z).sum()))
        same(raw, z)


def note_top() -> None:
    for z in rows()[:4]:
        for top in (0, 1, 3, V + 2):
            codes, logprobs, raw = np.full(V + 2, -1), np.full(V + 2, np.nan), z.copy()
            run("decoding.decode._note_top", raw, 0.5, top, codes, logprobs)
            order, count = np.argsort(-z, kind="stable"), min(top, int(np.isfinite(z).sum()))
            same(codes[:count], order[:count])
            same(logprobs[:count], z[order[:count]] - 0.5)
            assert np.isnan(logprobs[min(top, V) :]).all()


def needs_logits() -> None:
    for status, made, scored, wanted in (
        (RUNNING, 2, 0, True), (RUNNING, 1, 0, False), (RUNNING, 1, 1, True),
        (STOPPED, 2, 1, False),
    ):  # fmt: skip
        lanes = lane_with(status=status, made=made, given=2, is_scored=scored)
        lanes.rows[0].status = FULL
        assert run("decoding.decode._needs_logits", lanes.rows, 2) == wanted
        assert not run("decoding.decode._needs_logits", lanes.rows, 1)


def carry_states() -> None:
    states = random(1, 10)[0]
    before = states.copy()
    run("decoding.decode._carry_states", states, 4)
    same(states, [*before[4:8], *before[4:]])


TWINS: dict[str, Callable[[], None]] = {
    SAMPLING + "sample": sample,
    SAMPLING + "_argmax": argmax,
    SAMPLING + "_draw": draw,
    SAMPLING + "keep_top_k": kept("keep_top_k", sampling.keep_top_k, 1, 2, 4, 6),
    SAMPLING + "keep_min_p": kept("keep_min_p", sampling.keep_min_p, 1e-4, 0.1, 0.5, 1.0),
    SAMPLING + "_keep_first": keep_first,
    SAMPLING + "keep_typical_p": kept(
        "keep_typical_p", sampling.keep_typical_p, 1e-6, 0.3, 0.6, 0.95
    ),
    SAMPLING + "_bracket": bracket,
    SAMPLING + "_sorted_between": sorted_between,
    SAMPLING + "_sum_above": sum_above,
    SAMPLING + "_total": total,
    "decoding.penalties.apply_penalties": apply_penalties,
    "decoding.penalties._add_bias": add_bias,
    "decoding.penalties._penalize": penalize,
    "decoding.penalties._ban_repeated_ngrams": ban_repeated_ngrams,
    "decoding.penalties.append_to_history": append_to_history,
    "decoding.penalties._remember": remember,
    "decoding.constraints.mask_by_pattern": mask_by_pattern,
    "decoding.constraints._mask": mask_by_pattern,
    "decoding.constraints.advance_pattern": advance_pattern,
    "decoding.decode.write": write_patiently,
    "decoding.decode._advance": write,
    "decoding.decode._record_drawn": write,
    "decoding.decode._draw": write,
    "decoding.decode._step": write,
    "decoding.decode._copy_logits": copy_logits,
    "decoding.decode._note_top": note_top,
    "decoding.decode._needs_logits": needs_logits,
    "decoding.decode._carry_states": carry_states,
}
