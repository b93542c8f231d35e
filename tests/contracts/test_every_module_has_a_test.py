"""Each module has a test file of its own name, or is listed with the file that tests it."""

from __future__ import annotations

from conftest import ROOT

SOURCE, TESTS = ROOT / "src" / "nextchar", ROOT / "tests"

# module → the test file that covers it
TESTED_BY = {
    "api/inputs.py": "api/test_estimator.py",
    "apps/explain/code_labels.py": "apps/explain/render/test_explain_page.py",
    "apps/explain/explain_settings.py": "apps/explain/test_text_analysis.py",
    "apps/explain/explanation.py": "apps/explain/test_text_analysis.py",
    "apps/explain/render/page_embeddings.py": "apps/explain/render/test_explain_page.py",
    "apps/html/bars.py": "apps/report/test_figures.py",
    "apps/html/charts.py": "apps/report/test_figures.py",
    "apps/html/svg.py": "apps/report/test_figures.py",
    "apps/memorisation/training_text.py": "apps/memorisation/test_seen_records.py",
    "apps/report/model_analysis.py": "apps/report/test_report.py",
    "apps/report/summary.py": "apps/report/test_report.py",
    "cli/commands/demo_command.py": "cli/test_main.py",
    "cli/commands/eval_command.py": "cli/test_main.py",
    "cli/commands/info_command.py": "cli/test_main.py",
    "cli/commands/plan_command.py": "contracts/test_document_commands.py",
    "cli/commands/serve_command.py": "server/test_lifecycle.py",
    "cli/commands/train_command.py": "cli/test_main.py",
    "cli/commands/tune_command.py": "tuning/test_sweep.py",
    "cli/interactive/keys.py": "cli/interactive/test_terminal_app.py",
    "cli/output/colours.py": "cli/output/test_copied_passages.py",
    "cli/output/compile_notice.py": "cli/test_main.py",
    "cli/output/explain_summary.py": "cli/commands/test_explain_command.py",
    "cli/output/generated_texts.py": "cli/commands/test_generate_command.py",
    "cli/output/terminal_glyphs.py": "cli/interactive/test_screen.py",
    "cli/output/text_io.py": "cli/test_main.py",
    "distributed/calibrate.py": "distributed/test_cost_model.py",
    "distributed/join.py": "distributed/test_train_command.py",
    "distributed/launcher.py": "distributed/test_train_command.py",
    "distributed/wait.py": "distributed/test_mpi_group.py",
    "errors.py": "contracts/test_errors.py",
    "generation/interactive/symbols.py": "generation/interactive/test_writing_session.py",
    "generation/pattern/alphabet.py": "generation/pattern/test_automaton.py",
    "generation/pattern/assertions.py": "generation/pattern/test_automaton.py",
    "generation/pattern/dfa.py": "generation/pattern/test_automaton.py",
    "generation/pattern/diagnostics.py": "generation/pattern/test_automaton.py",
    "generation/pattern/escapes.py": "generation/pattern/test_parser.py",
    "generation/pattern/nfa.py": "generation/pattern/test_automaton.py",
    "generation/pattern/syntax_tree.py": "generation/pattern/test_parser.py",
    "generation/pattern/utf8.py": "generation/pattern/test_automaton.py",
    "generation/pattern/work_limit.py": "generation/pattern/test_automaton.py",
    "generation/penalties.py": "generation/test_sampling.py",
    "generation/sequence.py": "generation/test_scheduler.py",
    "kernels/aligned.py": "kernels/training/test_step.py",
    "kernels/decoding/automata.py": "kernels/decoding/test_decoder.py",
    "kernels/decoding/constraints.py": "contracts/test_every_kernel_has_a_twin.py",
    "kernels/decoding/decode.py": "kernels/decoding/test_decoder.py",
    "kernels/decoding/lanes.py": "kernels/decoding/test_decoder.py",
    "kernels/decoding/penalties.py": "contracts/test_every_kernel_has_a_twin.py",
    "kernels/decoding/shard.py": "kernels/decoding/test_decoder.py",
    "kernels/gemm/microkernel.py": "kernels/gemm/test_gemm.py",
    "kernels/gemm/packed_weights.py": "contracts/test_every_kernel_has_a_twin.py",
    "kernels/gemm/packing.py": "kernels/gemm/test_gemm.py",
    "kernels/jit.py": "kernels/test_jit_cache.py",
    "kernels/layout.py": "kernels/training/test_step.py",
    "kernels/precision.py": "training/auto/test_throughput.py",
    "kernels/predictor.py": "kernels/test_engine.py",
    "kernels/results.py": "kernels/test_engine.py",
    "kernels/training/backward.py": "kernels/training/test_step.py",
    "kernels/training/dropout.py": "contracts/test_every_kernel_has_a_twin.py",
    "kernels/training/forward.py": "kernels/training/test_step.py",
    "kernels/training/gru.py": "kernels/training/test_step.py",
    "kernels/training/lstm.py": "kernels/training/test_step.py",
    "kernels/training/optimizers.py": "kernels/test_engine.py",
    "kernels/training/rnn.py": "kernels/training/test_step.py",
    "kernels/training/workspace.py": "training/budget/test_memory_estimate.py",
    "kernels/workers.py": "kernels/training/test_buckets.py",
    "model/cells/gru.py": "model/test_cells.py",
    "model/cells/lstm.py": "model/test_cells.py",
    "model/cells/rnn.py": "model/test_cells.py",
    "reference.py": "oracle/test_reference.py",
    "runs/run_files.py": "training/saving/test_run_directory.py",
    "server/app.py": "server/test_routes.py",
    "server/schema.py": "server/http/test_openapi.py",
    "settings/presets.py": "settings/test_config.py",
    "training/evaluation.py": "training/test_trainer.py",
    "training/events.py": "training/test_trainer.py",
    "training/rank_batches.py": "training/test_run.py",
    "training/run_context.py": "training/test_run.py",
    "training/saving/resume.py": "training/test_run.py",
    "training/session.py": "training/test_run.py",
    "tuning/console.py": "tuning/test_result.py",
    "tuning/invocation.py": "tuning/test_sweep.py",
    "tuning/sweep_texts.py": "tuning/test_trial.py",
    "tuning/tune.py": "tuning/test_sweep.py",
}


def modules() -> list[str]:
    """`training/trainer.py` and so on, without packages' own files."""
    paths = (path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
    return sorted(str(path) for path in paths if not path.name.startswith("__"))


def own_test(module: str) -> str:
    """`training/trainer.py` → `training/test_trainer.py`."""
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name}" if folder else f"test_{name}"


def test_a_module_has_a_test_of_its_name_or_is_listed() -> None:
    lacking = [each for each in modules() if not (TESTS / own_test(each)).exists()]
    assert sorted(set(lacking) - set(TESTED_BY)) == []


def test_the_list_names_modules_without_their_own_test_and_files_that_exist() -> None:
    for module, test in TESTED_BY.items():
        assert (SOURCE / module).exists(), module
        assert not (TESTS / own_test(module)).exists(), f"{module} has a test of its name"
        assert (TESTS / test).exists(), test
