"""Record a plain PyTorch loop with sf.Recorder, and forecast where it will end from its first 60 %.

python examples/record_torch.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import scalefit as sf

PEAK, BATCH, EVERY = 0.01, 64, 5


def train(path: Path, steps: int, stop: int) -> None:
    """A small network on a noisy target, cosine schedule over `steps`, stopped at `stop`."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK)
    # The rate that each step is taken with: what sf.schedule gives, step 1 first.
    rates = sf.schedule.cosine(steps, PEAK, PEAK / 10, warmup=steps // 50)
    total = torch.zeros(())
    with sf.Recorder(path) as recorder:
        for step in range(1, stop + 1):
            for group in optimizer.param_groups:
                group["lr"] = float(rates[step - 1])
            x = torch.randn(BATCH, 16)
            y = torch.sin(2 * x[:, :4].sum(1, keepdim=True)) + 0.3 * torch.randn(BATCH, 1)
            loss = torch.nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            # Means of a few steps scatter less than single losses; added up on the device, read once per record.
            total += loss.detach()
            if step % EVERY == 0:
                recorder.log(step=step, loss=total / EVERY, lr=rates[step - 1], tokens=step * BATCH)
                total.zero_()


def main(arguments: list[str] | None = None) -> sf.Forecast:
    """Train as the command line says; the forecast."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2000, help="of the plan (2000)")
    parser.add_argument("--log", type=Path, default=Path("torch.jsonl"), help="of the run (torch.jsonl)")
    options = parser.parse_args(arguments)
    if options.log.exists():
        parser.error(f"{options.log} exists; give another --log")
    train(options.log, options.steps, int(0.6 * options.steps))
    rates = sf.schedule.cosine(options.steps, PEAK, PEAK / 10, warmup=options.steps // 50)
    told = sf.forecast(options.log, rates)
    print(told)
    return told


if __name__ == "__main__":
    main()
