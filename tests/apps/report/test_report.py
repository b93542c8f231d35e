"""A whole report: of a run that was really trained, of one whose text is gone, of twelve."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from conftest import PROSE
from made_runs import made_records, made_run, trained_run
from nextchar.apps.evaluate import evaluate
from nextchar.apps.report.held_out import LENGTHS
from nextchar.apps.report.report import Report, as_json, make_report
from nextchar.apps.report.report_page import html
from nextchar.apps.report.watch import watch_runs, write_page
from nextchar.errors import RunError
from nextchar.runs.metrics_file import MetricsFile
from nextchar.runs.run_files import CONFIG, METRICS, SAMPLES
from nextchar.text.cache import spooled
from nextchar.training.saving.run_directory import RunDirectory


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "prose.txt").write_text(PROSE * 60)
    trained_run(folder / "run", folder / "prose.txt", hidden_size=48, steps=900)
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    return make_report([folder / "run"])


class WellFormed(HTMLParser):
    """Fails where a tag is closed that is not open; counts what there is."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in {"br", "input", "meta", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> WellFormed:
    parser = WellFormed()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_numbers_are_those_of_the_evaluation(report: Report, folder: Path) -> None:
    run, analysis = report.pairs[0]
    assert run.model is not None
    text = (folder / "prose.txt").read_text()
    validation = text[len(text) - int(len(text) * 0.1) :]
    score, _ = evaluate(run.model, [validation])
    assert analysis.scored == score.characters
    assert analysis.loss == pytest.approx(score.nats_per_char, rel=1e-4)  # lanes are warmed up
    assert analysis.accuracy == pytest.approx(score.accuracy, abs=2e-3)
    assert analysis.parameters == run.model.architecture.size
    assert analysis.baselines["uniform"] == pytest.approx(np.log(len(run.model.vocabulary)))


def test_a_text_that_repeats_is_learnt_by_heart_and_that_is_told(report: Report) -> None:
    analysis = report.analyses[0]
    memory = analysis.memorisation
    assert memory is not None
    # the held-out text is no other than the training text
    assert memory.held_out == [1.0] * 7
    assert not memory.recites
    assert len(memory.longest) > 30
    assert memory.longest in PROSE * 60
    assert any(rung.spans for rung in analysis.ladder)
    assert "<mark>" in html(report)


def test_the_page_is_whole_and_asks_for_nothing(report: Report) -> None:
    page = html(report)
    found = parsed(page)
    assert found.count["svg"] >= 2 * len(report.figures) - 9
    assert found.count["script"] == 1
    for outside in ("http://", "https://", "src=", "@import", "url(h"):
        assert outside not in page
    for told in ("nats per character", "bits", "What was run", "To do it again:", "SHA-256"):
        assert told in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_samples_go_from_noise_to_words(report: Report) -> None:
    run = report.runs[0]
    assert run.samples[0]["step"] == 0
    assert run.samples[-1]["step"] == run.records["step"][-1] == 900
    words = set(PROSE.split())
    known = [sum(word in words for word in each["text"].split()) for each in run.samples]
    assert known[0] < known[-1]


def test_the_same_report_twice_is_the_same_page(report: Report, folder: Path) -> None:
    assert html(make_report([folder / "run"])) == html(report)


def test_figures_for_machines(report: Report) -> None:
    (made,) = json.loads(json.dumps(as_json(report)))["runs"]
    assert made["best_loss"] == pytest.approx(min(report.runs[0].losses))
    *lengths, last = made["context"]  # up to where longer ones tell nothing more
    assert lengths[:3] == ["0", "1", "2"]
    assert set(lengths) <= set(map(str, LENGTHS))
    assert last == "all"
    assert made["memorisation"]["recites"] is False
    assert [kind["kind"] for kind in made["kinds"]] == [
        "letters", "spaces", "line breaks", "punctuation",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: path.unlink(), "The text cannot be read again"),
        (lambda path: path.write_text("another text\n" * 50), "The text has changed since the run"),
    ],
)
def test_where_the_text_is_gone_the_rest_is_shown(
    tmp_path: Path, change: object, told: str
) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    made_run(tmp_path / "run", text)
    change(text)  # type: ignore[operator]
    report = make_report([tmp_path / "run"])
    page = html(report)
    assert told in page
    assert report.analyses[0].loss is report.memory is None
    assert len(report.analyses[0].ladder) == 5
    assert report.curves["step"]
    parsed(page)


def test_a_text_from_standard_input_is_not_looked_for(tmp_path: Path) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    path = made_run(tmp_path / "run", text)
    config = (path / CONFIG).read_text()
    (path / CONFIG).write_text(config.replace(json.dumps(str(text)), '"-"'))
    assert "The text was not read from files" in html(make_report([path]))


def test_without_a_validation_part_that_is_told(tmp_path: Path) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    report = make_report([made_run(tmp_path / "run", text, val_fraction=0.0)])
    assert "no validation part" in html(report)
    assert report.memory is not None
    assert [line.name for line in report.memory.lines] == ["what the model writes"]


@pytest.mark.parametrize(
    "given", [{"alphabet": "bytes"}, {"min_count": 20}, {"embedding_size": 8, "cell": "gru"}]
)
def test_any_alphabet_and_network_has_a_whole_report(
    tmp_path: Path, given: dict[str, object]
) -> None:
    text = tmp_path / "poem.txt"
    text.write_text("床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n" * 20 + PROSE, "utf-8")
    report = make_report([made_run(tmp_path / "run", text, **given)])
    parsed(html(report))
    analysis = report.analyses[0]
    assert analysis.notes == []
    assert analysis.loss is not None
    assert np.isfinite(analysis.loss)
    assert sum(kind.share for kind in analysis.kinds) == pytest.approx(1)
    for rung in analysis.ladder:
        assert all(0 <= a < b <= len(rung.text) for a, b in rung.spans)


def test_a_text_on_disk_gives_the_same_figures(
    folder: Path, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path))
    monkeypatch.setattr(spooled, "IN_MEMORY", 1000)
    assert as_json(make_report([folder / "run"])) == as_json(report)
    assert any(tmp_path.rglob("*.codes"))


def test_a_run_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    path = made_run(tmp_path / "run", text)
    for name in (METRICS, SAMPLES, "best.safetensors"):
        (path / name).unlink()
    page = html(make_report([path]))
    assert "Nothing was evaluated yet" in page
    assert "There is no model yet" in page
    parsed(page)


def test_twelve_runs_stand_side_by_side(tmp_path: Path) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    paths = [
        made_run(tmp_path / f"run {n}", text, 10, seed=n, hidden_size=8 + n % 2) for n in range(12)
    ]
    report = make_report(paths, analyses=False)
    page = html(report)
    parsed(page)
    assert "12 runs side by side" in page
    assert "<th>hidden_size</th>" in page
    assert "<th>seq_length</th>" in page.split("What was run")[1]
    assert "<th>seq_length</th>" not in page.split("What was run")[0]
    assert report.best_run in report.runs


def test_a_hundred_thousand_records_make_a_page_of_less_than_five_megabytes(
    tmp_path: Path,
) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    path = made_run(tmp_path / "run", text)
    (path / METRICS).write_bytes(bytes(MetricsFile(made_records(100_000))))
    report = make_report([path], analyses=False)
    assert len(report.curves["step"][0].lines[0].x) == 100_000
    page = html(report)
    assert len(page.encode()) < 2_500_000
    longest = max(len(points.split()) for points in re.findall(r'points="([^"]*)"', page))
    assert 1000 < longest <= 4 * 1100


def test_a_page_that_cannot_be_written_is_told(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_page(report, tmp_path / "file" / "report.html")


def test_watching_makes_the_page_anew_until_the_run_ends(tmp_path: Path) -> None:
    text = tmp_path / "prose.txt"
    text.write_text(PROSE * 5)
    path, page = made_run(tmp_path / "run", text, 3), tmp_path / "report.html"
    notes: list[str] = []
    pages: list[str] = []
    directory = RunDirectory.open(path)
    begun = (path / CONFIG).read_bytes()
    (path / CONFIG).unlink()  # as while the text is read

    def sleep(seconds: float) -> None:
        if not page.exists() and not (path / CONFIG).exists():
            (path / CONFIG).write_bytes(begun)
            return
        pages.append(page.read_text())
        records = made_records(3 + 2 * min(len(pages), 2))
        (path / METRICS).write_bytes(bytes(MetricsFile(records)))
        if len(pages) == 4:
            directory.close()

    watch_runs([path], page, notes.append, sleep)
    assert len(pages) == 4
    assert pages[0] != pages[1] != pages[2] == pages[3]
    assert all('http-equiv="refresh"' in each and "Training goes on" in each for each in pages)
    assert notes == [f"open {page} in a browser; it reloads itself while the training goes on"]


def test_watching_a_run_that_is_over_ends_at_once(folder: Path, tmp_path: Path) -> None:
    watch_runs([folder / "run"], tmp_path / "report.html", pytest.fail, pytest.fail)
    assert not (tmp_path / "report.html").exists()
