"""A complete character RNN in plain NumPy, from text to text, written to be read.

    python -m nextchar.reference FILE [rnn|lstm]

Eight steps, top to bottom, one sequence at a time, in float64, with nothing hidden and nothing
fast. V is the number of distinct characters, H of hidden units, T of characters in a sequence.
This file imports nothing from the rest of nextchar; tests compare the engine with it.
"""

import sys
from pathlib import Path

import numpy as np

# 1. Data: characters to integers and back; the target of each character is the next one.


def prepare(text):
    """Return the codes of a text and its distinct characters: "hello" → [1 0 2 2 3], "ehlo"."""
    characters = sorted(set(text))
    code_of = {character: code for code, character in enumerate(characters)}
    return np.array([code_of[character] for character in text]), characters


# 2. Parameters: small random weights, zero biases.


def make_parameters(cell, V, H, rng, scale=0.01):
    """W_ih reads the input, W_hh the previous state, W_out writes the logits.

    The LSTM has four blocks of H columns, for i, f, g and o; its forget bias starts at 1.
    """
    G = {"rnn": 1, "lstm": 4}[cell]
    p = {
        "W_ih": scale * rng.standard_normal((V, G * H)),
        "W_hh": scale * rng.standard_normal((H, G * H)),
        "b": np.zeros(G * H),
        "W_out": scale * rng.standard_normal((H, V)),
        "b_out": np.zeros(V),
    }
    if cell == "lstm":
        p["b"][H : 2 * H] = 1
    return p


# 3. Forward: from each character and the state before it to the state after it.


def sigmoid(x):
    """1 / (1 + e^-x), written so that no exponential can overflow."""
    return (1 + np.tanh(x / 2)) / 2


def forward(cell, p, inputs, state):
    """Return logits (T, V) for the codes (T,), the final state, and a cache for `gradients`.

    state: (h, c), each (H,); the vanilla RNN does not use c.
    """
    h, c = state
    H, steps = len(h), []
    for code in inputs:
        a = p["W_ih"][code] + h @ p["W_hh"] + p["b"]  # row `code` is the one-hot times W_ih
        if cell == "rnn":
            gates, h_new, c_new = None, np.tanh(a), c
        else:
            i, f, o = sigmoid(a[:H]), sigmoid(a[H : 2 * H]), sigmoid(a[3 * H :])
            g = np.tanh(a[2 * H : 3 * H])
            c_new = f * c + i * g
            gates, h_new = (i, f, g, o), o * np.tanh(c_new)
        steps.append((code, gates, h, c, h_new, c_new))
        h, c = h_new, c_new
    hs = np.array([step[4] for step in steps])  # (T, H)
    return hs @ p["W_out"] + p["b_out"], (h, c), (hs, steps)


# 4. Loss: cross-entropy of the softmax, the mean over the sequence, in nats per character.


def softmax(logits):
    """Probabilities over the last axis; subtracting the largest logit prevents overflow."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def loss_of(logits, targets):
    """Mean of -log p(target)."""
    return -np.log(softmax(logits)[np.arange(len(targets)), targets]).mean()


# 5. Gradients: backpropagation through time, step 3 reversed, from the last character on.


def gradients(cell, p, logits, targets, cache):
    """Return the derivative of the loss with respect to every parameter."""
    hs, steps = cache
    T, H = hs.shape
    d = {name: np.zeros_like(value) for name, value in p.items()}
    dlogits = softmax(logits)
    dlogits[np.arange(T), targets] -= 1
    dlogits /= T  # the loss is a mean
    d["W_out"], d["b_out"] = hs.T @ dlogits, dlogits.sum(axis=0)
    dh_next, dc_next = np.zeros(H), np.zeros(H)  # gradients of h and c from later steps
    for t in reversed(range(T)):
        code, gates, h_before, c_before, h, c = steps[t]
        dh = p["W_out"] @ dlogits[t] + dh_next
        if cell == "rnn":
            da = dh * (1 - h**2)
        else:
            i, f, g, o = gates
            tanh_c = np.tanh(c)
            dc = dc_next + dh * o * (1 - tanh_c**2)
            di, df, dg, do = dc * g, dc * c_before, dc * i, dh * tanh_c
            da = np.hstack([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)])
            dc_next = dc * f
        d["W_ih"][code] += da
        d["W_hh"] += np.outer(h_before, da)
        d["b"] += da
        dh_next = p["W_hh"] @ da
    return d


# 6. Update: a small step against the clipped gradient.


def update(p, d, learning_rate=0.1, clip=5.0):
    """Gradient descent, in place."""
    for name in p:
        p[name] -= learning_rate * np.clip(d[name], -clip, clip)


# 7. Loop: sequence after sequence to the end of the text, carrying the state.


def train_steps(cell, p, codes, seq_length=100):
    """Train on the sequences of the text, epoch after epoch; yield the loss of each step."""
    H = len(p["W_hh"])
    while True:
        state = (np.zeros(H), np.zeros(H))
        for start in range(0, len(codes) - 1, seq_length):
            targets = codes[start + 1 : start + 1 + seq_length]
            inputs = codes[start : start + len(targets)]
            logits, state, cache = forward(cell, p, inputs, state)
            update(p, gradients(cell, p, logits, targets, cache))
            yield loss_of(logits, targets)


# 8. Prediction: read the prompt, sample the next character, read it, sample the next …


def predict(cell, p, prompt, length, rng):
    """Return `length` sampled codes that continue the prompt's codes."""
    H = len(p["W_hh"])
    logits, state, _ = forward(cell, p, prompt, (np.zeros(H), np.zeros(H)))
    sampled = []
    for _ in range(length):
        code = rng.choice(len(p["b_out"]), p=softmax(logits[-1]))
        sampled.append(code)
        logits, state, _ = forward(cell, p, [code], state)
    return sampled


def main(path, cell="rnn", steps=2000):
    """Train on a text file; print the loss and a sample every 500 steps."""
    codes, characters = prepare(Path(path).read_text(encoding="utf-8"))
    rng = np.random.default_rng(1)
    p = make_parameters(cell, len(characters), H=100, rng=rng, scale=0.01 if cell == "rnn" else 0.1)
    smooth = np.log(len(characters))  # the loss of a uniform guess
    for step, loss in zip(range(steps + 1), train_steps(cell, p, codes)):  # noqa: B905 - endless
        smooth = 0.99 * smooth + 0.01 * loss
        if step % 500 == 0:
            text = "".join(characters[c] for c in predict(cell, p, codes[:1], 200, rng))
            print(f"--- step {step}: loss {smooth:.3f} nats per character\n{text}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m nextchar.reference FILE [rnn|lstm]")
    main(*sys.argv[1:3])
