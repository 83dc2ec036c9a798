"""Launchers: where the jobs of a sweep run, and how many at once. `hydra/launcher=` picks one."""

from autoenc.registry import Registry
from autoenc.sweeps.launchers.launcher import Launcher, LauncherSettings
from autoenc.sweeps.launchers.local import Basic, Joblib
from autoenc.sweeps.launchers.ray import Ray
from autoenc.sweeps.launchers.slurm import Slurm

LAUNCHERS: Registry[LauncherSettings] = Registry(
    "hydra.launcher",
    {
        "basic": Basic,
        "joblib": Joblib,
        "slurm": Slurm,
        "ray": Ray,
    },
)

__all__ = ["LAUNCHERS", "Launcher", "LauncherSettings"]
