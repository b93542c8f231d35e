"""Event files for TensorBoard, written by tensorboardX: `nextchar train --tensorboard`.

The event file is in the run directory, so that `tensorboard --logdir runs` shows every run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nextchar.errors import MissingExtraError
from nextchar.formatting.units import to_bits
from nextchar.training.events import Evaluated, Event, Finished, Sampled, Started, Stepped

EVERY = 10  # steps between two logged losses of a batch


class TensorBoardWriter:
    """Callback that writes the events of a run to an event file.

    directory: the run directory. Raises MissingExtraError where tensorboardX is not installed.
    """

    def __init__(self, directory: Path) -> None:
        try:
            import tensorboardX  # noqa: F401
        except ImportError:
            raise MissingExtraError("--tensorboard", "tensorboardX", "tensorboard") from None
        self._directory = directory
        self._writer: Any = None

    def __call__(self, event: Event) -> None:
        """Write an event."""
        match event:
            case Started():
                self._open(event.step)
            case Stepped() if event.step % EVERY == 0:
                self._writer.add_scalar("loss/batch", event.loss, event.step)
            case Evaluated():
                self._write_evaluation(event)
            case Sampled():
                text = event.text.replace("\n", "\n    ")  # unchanged as a block of Markdown
                self._writer.add_text("sample", f"    {text}", event.step)
            case Finished():
                self.close()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, step: int) -> None:
        from tensorboardX import SummaryWriter

        # TensorBoard then hides what an interrupted run wrote after the resumed step
        purge = {"purge_step": step + 1} if step else {}
        self._writer = SummaryWriter(logdir=str(self._directory), **purge)

    def _write_evaluation(self, event: Evaluated) -> None:
        scalars = {
            "loss/training": event.train_loss,
            "loss/validation": event.val_loss,
            "bits/validation": None if event.val_loss is None else to_bits(event.val_loss),
            "learning_rate": event.learning_rate,
            "characters_per_second": event.chars_per_second,
            "gradient_norm/before_clipping": event.gradient_norm,
            "gradient_norm/after_clipping": event.gradient_norm_clipped,
            "gradient_norm/largest": event.gradient_norm_max,
        }
        for name, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(name, value, event.step)
        self._writer.flush()
