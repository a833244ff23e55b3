"""The type of one drawn value: what a degradation draws and an LQ set records."""

from __future__ import annotations

from typing import TypeAlias

Scalar: TypeAlias = float | int | str | bool
