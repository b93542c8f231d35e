"""Effect of layer normalisation: a GRU with and without it, in PyTorch.

    python -m benchmarks.layer_norm TEXT

The same batches, schedule and initial weights for both: 128 units, one layer, the first 400,000
characters, 1,055 steps of 32 lanes of 64 characters (6 passes), Adam at 0.01 with a warm-up of 100
steps and a cosine, clipped at norm 1. The input and the recurrent part of the pre-activations are
normalised, each with a gain (Ba, Kiros & Hinton, 2016).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nextchar.settings.config import Settings
from nextchar.text.batches import StreamBatches
from nextchar.text.corpus import prepare, text_corpus

H, B, T, STEPS, RATE, WARMUP = 128, 32, 64, 1055, 0.01, 100


class Gru(nn.Module):
    """A GRU over codes with its output projection."""

    def __init__(self, V: int, normalised: bool) -> None:
        super().__init__()
        self.W_ih = nn.Parameter(torch.empty(V, 3 * H).uniform_(-0.1, 0.1))
        self.W_hh = nn.Parameter(torch.empty(H, 3 * H).uniform_(-(H**-0.5), H**-0.5))
        self.b, self.b_hn = (nn.Parameter(torch.zeros(n * H)) for n in (3, 1))
        self.out = nn.Linear(H, V)
        kind = nn.LayerNorm if normalised else nn.Identity
        self.norm_a, self.norm_u = kind(3 * H), kind(3 * H)

    def forward(self, codes: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (T, B, V) and the state (B, H) after them."""
        a = self.norm_a(self.W_ih[codes]) + self.b
        outputs = []
        for t in range(len(codes)):
            u = self.norm_u(h @ self.W_hh)
            r, z = torch.sigmoid(a[t, :, : 2 * H] + u[:, : 2 * H]).chunk(2, dim=1)
            n = torch.tanh(a[t, :, 2 * H :] + r * (u[:, 2 * H :] + self.b_hn))
            h = n + z * (h - n)
            outputs.append(h)
        return self.out(torch.stack(outputs)), h


def main() -> None:
    """Print the validation loss of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path, metavar="TEXT", help="a text file")
    text = parser.parse_args().text.read_text(encoding="utf-8")[:400_000]
    settings = Settings.make("medium")
    prepared = prepare(text_corpus(text, settings.text), settings)
    for normalised in (False, True):
        torch.manual_seed(1)
        model = Gru(len(prepared.vocabulary), normalised)
        train(model, StreamBatches(prepared.train, B, T))
        codes = torch.from_numpy(prepared.validation.astype("int64"))
        lanes = codes[: (len(codes) - 1) // 16 * 16 + 1]
        inputs, targets = lanes[:-1].reshape(16, -1).T, lanes[1:].reshape(16, -1).T
        with torch.no_grad():
            logits, _ = model(inputs, torch.zeros(16, H))
            loss = cross_entropy(logits.flatten(0, 1), targets.flatten()).item()
        print(f"| {'with' if normalised else 'without'} | {loss:.4f} |", flush=True)


def train(model: Gru, batches: StreamBatches) -> None:
    """Train for all steps."""
    optimizer, h = torch.optim.Adam(model.parameters(), lr=RATE), torch.zeros(B, H)
    for step in range(STEPS):
        batch = batches.at(step)
        h = torch.zeros(B, H) if batch.fresh else h.detach()
        rate = min((step + 1) / (WARMUP + 1), 1) * (1 + math.cos(math.pi * step / STEPS)) / 2
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate
        both = (batch.inputs, batch.targets)
        inputs, targets = (torch.from_numpy(each.astype("int64")) for each in both)
        logits, h = model(inputs, h)
        optimizer.zero_grad()
        cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


if __name__ == "__main__":
    main()
