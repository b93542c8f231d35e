"""No kernel on trust: each one is named here with the tests that hold it against its twin."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from conftest import ROOT

KERNELS = ROOT / "src" / "nextchar" / "kernels"
TWINS = {
    "activations.apply_exp": "test_activations.py",
    "activations.apply_sigmoid": "test_activations.py",
    "activations.apply_tanh": "test_activations.py",
    "backward.backward": "test_sizes.py",
    "backward.layer_backward": "test_sizes.py",
    "backward.output_backward": "test_sizes.py",
    "bans.confine": "test_decoder.py",
    "bans.move_on": "test_decoder.py",
    "bans.prepare": "test_decoder.py",
    "bans.remember": "test_decoder.py",
    "bfloat16.outer_pairs": "test_bfloat16.py",
    "bfloat16.pack_pairs": "test_bfloat16.py",
    "bfloat16.pack_pairs_transposed": "test_bfloat16.py",
    "bfloat16.round_rows": "test_bfloat16.py",
    "by_tiles.place_of": "test_product.py",
    "decode.write": "test_decoder.py",
    "draw.choose": "test_draw.py",
    "dropping.drop": "test_engine.py",
    "forward.forward": "test_sizes.py",
    "forward.gates": "test_sizes.py",
    "forward.load_states": "test_sizes.py",
    "forward.output_of": "test_sizes.py",
    "forward.project": "test_sizes.py",
    "forward.states": "test_sizes.py",
    "forward.store_states": "test_sizes.py",
    "gru.backward": "test_sizes.py",
    "gru.forward": "test_sizes.py",
    "lstm.backward": "test_sizes.py",
    "lstm.forward": "test_sizes.py",
    "product.outer": "test_product.py",
    "product.pack": "test_product.py",
    "product.pack_transposed": "test_product.py",
    "product.product": "test_product.py",
    "rnn.backward": "test_sizes.py",
    "rnn.forward": "test_sizes.py",
    "rows.add_by_code": "test_rows.py",
    "rows.cross_entropy": "test_rows.py",
    "rows.fill_bias": "test_rows.py",
    "rows.look_up": "test_rows.py",
    "rows.look_up_plain": "test_rows.py",
    "rows.sum_block": "test_rows.py",
    "rows.sum_by_code": "test_rows.py",
    "rows.sum_rows": "test_rows.py",
    "step.begin": "test_pieces.py",
    "step.losses": "test_sizes.py",
    "step.piece": "test_pieces.py",
    "step.predict": "test_engine.py",
    "step.step": "test_sizes.py",
    "updates.add_shards": "test_engine.py",
    "updates.update": "test_engine.py",
    "weights.output_rows": "test_sizes.py",
    "weights.output_transposed_rows": "test_sizes.py",
    "weights.pack_weights": "test_sizes.py",
}


def kernels() -> Iterator[str]:
    """Every public function that is decorated with @kernel."""
    for path in sorted(KERNELS.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_public = isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
            if is_public and any("kernel" in ast.unparse(each) for each in node.decorator_list):
                yield f"{path.stem}.{node.name}"


def test_every_kernel_is_registered_and_none_that_is_gone() -> None:
    assert sorted(kernels()) == sorted(TWINS)


def test_the_tests_named_speak_of_their_kernel() -> None:
    for kernel, test in TWINS.items():
        module, name = kernel.split(".")
        text = (ROOT / "tests" / "kernels" / test).read_text(encoding="utf-8")
        assert name in text or module in text or "loss_and_gradient" in text, kernel
