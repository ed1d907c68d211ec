"""A small GPT that learns to write like Python's own documentation, one character after the other.

python examples/language_model.py [steps]
"""

import pydoc_data.topics
import sys

import numpy as np

import onegraph as og
from onegraph.zoo import gpt

CONTEXT = 64


def text():
    """The pages that `help()` shows: they come with every Python."""
    topics = pydoc_data.topics.topics
    return "\n\n".join(topics[name] for name in sorted(topics))


def batches(numbers, size, steps, seed=0):
    """Pieces of the text, and the same pieces one character later."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        places = rng.integers(0, len(numbers) - CONTEXT - 1, size)[:, None] + np.arange(CONTEXT)
        yield og.tensor(numbers[places]), og.tensor(numbers[places + 1])


def main(steps=300, width=96, layers=3, seed=0):
    """Train, and write a few lines; gives the first and the last loss, in nats a character."""
    og.manual_seed(seed)
    letters = sorted(set(text()))
    numbers = np.array([letters.index(letter) for letter in text()[:200_000]])
    model = gpt(vocabulary=len(letters), width=width, layers=layers, heads=4, context=CONTEXT)
    optimizer = og.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    scheduler = og.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)

    @og.jit
    def train_step(tokens, following):
        loss = og.nn.functional.cross_entropy(model(tokens).flatten(0, 1), following.flatten())
        optimizer.zero_grad()
        loss.backward()
        og.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    losses = []
    for step, (tokens, following) in enumerate(batches(numbers, 16, steps), 1):
        losses.append(train_step(tokens, following).item())
        scheduler.step()
        if step % max(1, steps // 6) == 0:
            print(f"step {step}  loss {np.mean(losses[-20:]):.3f}")
    model.eval()
    start = og.tensor([[letters.index("T")]])
    written = model.generate(start, 200 if steps >= 100 else 20, temperature=0.8)
    print("".join(letters[number] for number in written[0].tolist()))
    return losses[0], losses[-1]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
