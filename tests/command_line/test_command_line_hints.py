"""Words that newcomers and other projects use lead to our key or choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoenc import __version__
from autoenc.command_line import main

HINTS = {
    # keys
    "epochs=5": "did you mean 'training.epochs'?",
    "lr=0.01": "did you mean 'optimizer.learning_rate'?",
    "learning_rate=0.01": "did you mean 'optimizer.learning_rate'?",
    "batch-size=3": "did you mean 'training.batch_size'?",
    "code_size=2": "did you mean 'architecture.code_size'?",
    "latent_dim=2": "did you mean 'architecture.code_size'?",
    "model=conv": "did you mean 'architecture'?",
    "data=mnist": "did you mean 'dataset'?",
    "output_dir=x": "did you mean 'hydra.run.dir'?",
    "early_stopping=3": "did you mean 'training.patience'?",
    "beta=4": "did you mean 'bottleneck.beta'?",
    "probability=0.3": "did you mean 'noise.probability'?",
    "trainer.max_epochs=3": "did you mean 'training.epochs'?",
    "optimizer.lr=0.1": "did you mean 'learning_rate'?",
    "training.lr=0.1": "did you mean 'optimizer.learning_rate'?",
    "architecture.latent_dim=4": "did you mean 'code_size'?",
    "noise.probability=0.3": "noise=none has no settings; choose one of noise=dropout|masking|salt_and_pepper",
    "pretrained=runs/a": "did you mean 'initialize_from'?",
    "warm_start=runs/a": "did you mean 'initialize_from'?",
    "resume_from_checkpoint=runs/a": "did you mean 'resume'?",
    "training.checkpoint=1": "did you mean 'checkpoint_every'?",
    "foo.bar=1": "there is no 'foo'; at the top there are",
    # choices
    "device=gpu": "did you mean 'cuda'?); the choices are auto, cpu, cuda, mps; this machine has ",
    "dataset=MNIST": "did you mean 'mnist'?",
    "dataset=FashionMNIST": "did you mean 'fashion_mnist'?",
    "dataset=cifar": "did you mean 'cifar10'?",
    "bottleneck=vae": "did you mean 'gaussian'?",
    "bottleneck=none": "did you mean 'plain'?",
    "bottleneck=ae": "did you mean 'plain'?",
    "architecture=vae": "did you mean 'bottleneck=gaussian'?",
    "architecture=autoencoder": "did you mean 'fully_connected'?",
    "architecture=mnist": "did you mean 'dataset=mnist'?",
    "noise=salt": "did you mean 'salt_and_pepper'?",
    "loss=l2": "did you mean 'mse'?",
    "loss=mae": "did you mean 'l1'?",
    "optimizer=Adam": "did you mean 'adam'?",
    "optimizer=none": "there is no such choice, and no installed package has the plugin optimizer.none; the choices",
    "variant=sigmoid": "did you mean 'sigmoid_throughout'?",
    "hydra/launcher=slrum": "did you mean 'slurm'?",
    "architecture.output=Sigmoid": "it must be one of identity, sigmoid, tanh (did you mean 'sigmoid'?)",
    # options, and words alone
    "--epochs 3": "--epochs: there is no such option (did you mean 'training.epochs'?); a setting is written key=value",
    "--lr=0.1": "did you mean 'optimizer.learning_rate'?",
    "--dataset mnist": "did you mean 'dataset'?",
    "--multirrun seed=0,1": "did you mean '--multirun'?",
    "--config-dir": "expected one argument; settings are written key=value",
    "help": "did you mean '--help'?",
    "gpu": "did you mean 'device=cuda'?",
    "lr": "did you mean 'optimizer.learning_rate'?",
    "mnist": "did you mean 'dataset=mnist'?",
}


@pytest.mark.parametrize("arguments", HINTS)
def test_a_mistake_leads_to_our_words(arguments: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments.split()) == 2
    printed = capsys.readouterr()
    assert HINTS[arguments] in printed.err
    assert printed.err.count("\n") == 1
    assert list(elsewhere.iterdir()) == []


def test_the_version_is_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith(f"autoenc {__version__} (Hydra ")
