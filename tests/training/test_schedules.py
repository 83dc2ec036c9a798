"""Schedules: against torch's at every step, and at their ends."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autoenc.settings import ConfigError
from autoenc.training.schedules import SCHEDULES, Constant, Cosine, OneCycle, Schedule

TOTALS = [2, 3, 10, 101, 1000]


def factors(schedule: Schedule, *, total_steps: int) -> list[float]:
    return [schedule.factor(step, total_steps=total_steps) for step in range(total_steps)]


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(scheduler: torch.optim.lr_scheduler.LRScheduler, *, steps: int) -> list[float]:
    """The learning rates that one of torch's schedulers leads through."""
    found = []
    for step in range(steps):
        if step:
            scheduler.optimizer.step()
            scheduler.step()
        found.append(float(scheduler.get_last_lr()[0]))
    return found


@pytest.mark.parametrize("total_steps", [1, *TOTALS])
def test_constant(total_steps: int) -> None:
    assert factors(Constant(), total_steps=total_steps) == [1.0] * total_steps


@pytest.mark.parametrize("final_factor", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("total_steps", TOTALS)
def test_cosine_is_torchs(total_steps: int, final_factor: float) -> None:
    # T_max counts the steps between the first rate and the last.
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer(), T_max=total_steps - 1, eta_min=final_factor)
    ours = factors(Cosine(warmup_steps=0, final_factor=final_factor), total_steps=total_steps)
    assert ours == pytest.approx(rates(scheduler, steps=total_steps), abs=1e-9)
    assert ours[0] == 1
    assert ours[-1] == final_factor


@pytest.mark.parametrize("warmup", [1, 4, 20])
def test_cosine_climbs_as_torchs_linear_schedule_and_then_falls_as_if_it_began_there(warmup: int) -> None:
    ours = factors(Cosine(warmup_steps=warmup, final_factor=0.1), total_steps=100)
    climb = torch.optim.lr_scheduler.LinearLR(optimizer(), start_factor=1 / warmup, total_iters=max(1, warmup - 1))
    assert ours[:warmup] == pytest.approx(rates(climb, steps=warmup))
    assert ours[warmup - 1] == ours[warmup] == 1
    assert ours[warmup:] == factors(Cosine(warmup_steps=0, final_factor=0.1), total_steps=100 - warmup)
    assert ours[-1] == 0.1


def test_a_warm_up_that_is_longer_than_the_training_is_cut_off() -> None:
    assert factors(Cosine(warmup_steps=8, final_factor=0.0), total_steps=4) == [1 / 8, 2 / 8, 3 / 8, 4 / 8]
    assert factors(Cosine(warmup_steps=4, final_factor=0.0), total_steps=4) == [1 / 4, 2 / 4, 3 / 4, 1]
    assert factors(Cosine(warmup_steps=3, final_factor=0.5), total_steps=4) == [1 / 3, 2 / 3, 1, 0.5]


@pytest.mark.parametrize(("initial", "final"), [(25.0, 1e4), (10.0, 2.0), (1.0, 1.0)])
@pytest.mark.parametrize("rise", [0.1, 0.3, 0.5, 0.95])
@pytest.mark.parametrize("total_steps", TOTALS)
def test_one_cycle_is_torchs(total_steps: int, rise: float, initial: float, final: float) -> None:
    # torch's peak is at step pct_start * total - 1; ours is after the share `rise` of the way to the last step.
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer(),
        max_lr=1.0,
        total_steps=total_steps,
        pct_start=(rise * (total_steps - 1) + 1) / total_steps,
        anneal_strategy="cos",
        cycle_momentum=False,
        div_factor=initial,
        final_div_factor=final,
    )
    ours = factors(OneCycle(rise=rise, initial_division=initial, final_division=final), total_steps=total_steps)
    assert ours == pytest.approx(rates(scheduler, steps=total_steps), abs=1e-12)


def test_one_cycle_without_a_rise_starts_at_the_peak() -> None:
    ours = factors(OneCycle(rise=0.0, initial_division=25.0, final_division=1e4), total_steps=5)
    assert ours[0] == 1
    assert ours == sorted(ours, reverse=True)
    assert ours[2] == pytest.approx((1 + 1 / 25e4) / 2)
    assert ours[-1] == pytest.approx(1 / 25e4)


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        (Constant(), 1),
        (Cosine(warmup_steps=0, final_factor=0.25), 0.25),  # the only step is the last
        (Cosine(warmup_steps=1, final_factor=0.25), 1),
        (Cosine(warmup_steps=2, final_factor=0.25), 0.5),
        (OneCycle(rise=0.3, initial_division=4.0, final_division=2.0), 1 / 8),
        (OneCycle(rise=0.0, initial_division=4.0, final_division=2.0), 1 / 8),
    ],
    ids=repr,
)
def test_a_training_of_one_step(schedule: Schedule, factor: float) -> None:
    assert factors(schedule, total_steps=1) == [factor]


@pytest.mark.parametrize(
    "values",
    [
        {"name": "cosine", "warmup_steps": -1, "final_factor": 0},
        {"name": "one_cycle", "rise": 1, "initial_division": 25, "final_division": 1e4},
        {"name": "one_cycle", "initial_division": 0, "rise": 0.3, "final_division": 1e4},
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"^schedule\.{list(values)[1]}="):
        SCHEDULES.parse(values)
