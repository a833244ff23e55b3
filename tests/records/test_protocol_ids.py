"""Protocol ids are taken apart and put together in one place."""

from __future__ import annotations

import pytest
from refbench.errors import RefbenchError
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.protocol import Protocol, ProtocolId

pytestmark = pytest.mark.core


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("psnr/rgb", ("psnr", "rgb", "", False, False)),
        ("lpips/vgg-v0.1+bf16", ("lpips", "vgg-v0.1", "", False, True)),
        ("gain:lpips/alex-v0.1+bf16", ("lpips", "alex-v0.1", "", True, True)),
        ("pyiqa/niqe@0.1.16", ("pyiqa", "niqe", "0.1.16", False, False)),
        ("fd/alexnet-relu5-v1@my-set-0123abcd", ("fd", "alexnet-relu5-v1", "my-set-0123abcd", False, False)),
    ],
)
def test_an_id_is_parsed_and_spelt_again(text: str, parts: tuple[object, ...]) -> None:
    parsed = ProtocolId.parse(text)
    family, variant, qualifier, gain, lower = parts
    assert (parsed.family, parsed.variant, parsed.qualifier) == (family, variant, qualifier)
    assert (parsed.is_gain, parsed.is_lower_precision) == (gain, lower)
    assert str(parsed) == text


def test_parts_of_an_id_can_be_left_out_and_added() -> None:
    parsed = ProtocolId.parse("gain:lpips/alex-v0.1+bf16")
    assert str(parsed.base) == "lpips/alex-v0.1+bf16"
    assert str(parsed.in_precision("float32")) == "gain:lpips/alex-v0.1"
    assert str(ProtocolId("fd", "x", "y").unqualified) == "fd/x"
    assert str(ProtocolId("fd", "x").in_precision("bfloat16")) == "fd/x+bf16"


@pytest.mark.parametrize("text", ["", "psnr", "/rgb", "psnr/", "psnr/rgb@"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(RefbenchError, match="wanted FAMILY/VARIANT"):
        ProtocolId.parse(text)


def test_a_declaration_survives_its_text_and_others_are_refused() -> None:
    for protocol in PROTOCOLS.values():
        assert Protocol.from_json(protocol.to_json()) == protocol
    text = PROTOCOLS["psnr/rgb"].to_json()
    changes = (('"dB"', "3"), ('"hq"', '"moon"'), ("psnr/rgb", "psnr"))
    for wrong in ("{}", "no", *(text.replace(*change) for change in changes)):
        with pytest.raises(RefbenchError, match=r"not the declaration of a protocol|is not a protocol id"):
            Protocol.from_json(wrong)
