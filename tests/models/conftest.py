"""Fixtures of the tests of models: one thread, toy people, a trained toy autoencoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from refbench.models.training.settings import make_config
from refbench.models.training.train import train
from toy_training import settings
from toys import write_cartoon_set


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """PyTorch with one thread: tensors of these tests are too small for more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of four people in train and one in test, two photos each, at 24 pixels."""
    return write_cartoon_set(tmp_path_factory.mktemp("set"), ["train"] * 4 + ["test"]).root


@pytest.fixture(scope="session")
def autoencoder(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an autoencoder trained for 60 steps, in the folder of its run."""
    out = tmp_path_factory.mktemp("autoencoder")
    return train(make_config(settings(people, "autoencoder", steps=60, sheet_every=60)), out).weights
