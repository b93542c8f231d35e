"""No kernel on trust: each one is named here with the tests that hold it against its twin."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from conftest import ROOT

KERNELS = ROOT / "src" / "nextchar" / "kernels"
TWINS = {
    "activations.apply_exp": "training/test_activations.py",
    "activations.apply_sigmoid": "training/test_activations.py",
    "activations.apply_tanh": "training/test_activations.py",
    "backward.backward": "test_sizes.py",
    "backward.layer_backward": "test_sizes.py",
    "backward.output_backward": "test_sizes.py",
    "penalties.mask_by_pattern": "decoding/test_decoder.py",
    "penalties.advance_pattern": "decoding/test_decoder.py",
    "penalties.apply_penalties": "decoding/test_decoder.py",
    "penalties.append_to_history": "decoding/test_decoder.py",
    "bfloat16.outer_pairs": "gemm/test_bfloat16.py",
    "bfloat16.pack_pairs": "gemm/test_bfloat16.py",
    "bfloat16.pack_pairs_transposed": "gemm/test_bfloat16.py",
    "bfloat16.round_rows": "gemm/test_bfloat16.py",
    "gemm.place_of": "gemm/test_packing.py",
    "decode.write": "decoding/test_decoder.py",
    "sampling.sample": "decoding/test_sampling.py",
    "dropout.drop": "test_engine.py",
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
    "packing.gemm_tn": "gemm/test_packing.py",
    "packing.pack": "gemm/test_packing.py",
    "packing.pack_transposed": "gemm/test_packing.py",
    "packing.product": "gemm/test_packing.py",
    "rnn.backward": "test_sizes.py",
    "rnn.forward": "test_sizes.py",
    "lookup.add_by_code": "training/test_lookup.py",
    "lookup.cross_entropy": "training/test_lookup.py",
    "lookup.fill_bias": "training/test_lookup.py",
    "lookup.look_up": "training/test_lookup.py",
    "lookup.look_up_plain": "training/test_lookup.py",
    "lookup.sum_block": "training/test_lookup.py",
    "lookup.sum_by_code": "training/test_lookup.py",
    "lookup.sum_rows": "training/test_lookup.py",
    "step.forward_to_loss": "training/test_buckets.py",
    "step.losses": "test_sizes.py",
    "step.backward_bucket": "training/test_buckets.py",
    "step.predict": "test_engine.py",
    "step.step": "test_sizes.py",
    "optimizers.add_shards": "test_engine.py",
    "optimizers.update": "test_engine.py",
    "packed_weights.output_rows": "test_sizes.py",
    "packed_weights.output_transposed_rows": "test_sizes.py",
    "packed_weights.pack_weights": "test_sizes.py",
}


def kernels() -> Iterator[str]:
    """Every public function that is decorated with @kernel."""
    for path in sorted(KERNELS.rglob("*.py")):
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
