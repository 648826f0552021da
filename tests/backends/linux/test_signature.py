"""The appended signature: every damage is told with its place, and never hides the rest."""

from __future__ import annotations

import struct

import pytest

import polymod
from polymod import limits
from polymod.errors import MalformedModule
from polymod.model.files import SignatureStatus
from polymod.source import BytesSource
from polymod_linux import signature
from polymod_linux.signature import MAGIC, signatures
from tests.conftest import SAMPLES
from tests.polymod.elf_builder import module
from tests.polymod.test_der_cms import message, signer, tlv

PGP, X509, PKCS7 = 0, 1, 2


def signed(
    blob: bytes,
    *,
    algorithm: int = 0,
    hash_number: int = 0,
    kind: int = PKCS7,
    name_size: int = 0,
    key_size: int = 0,
    length: int | None = None,
    head: bytes = b"",
) -> bytes:
    """A module with a signature (linux include/linux/module_signature.h)."""
    size = len(blob) if length is None else length
    trailer = struct.pack(">5B3xI", algorithm, hash_number, kind, name_size, key_size, size)
    return module() + head + blob + trailer + MAGIC


def read(data: bytes) -> tuple[polymod.Signature, ...]:
    return signatures(BytesSource(data, "/m.ko"))


@pytest.mark.parametrize("size", [0, 1, 27, 28, 39, 40, 100])
def test_a_file_without_the_magic_is_not_signed(size: int) -> None:
    assert read(b"x" * size) == ()
    assert read(MAGIC[:-1].rjust(size, b"x")) == ()


def test_the_magic_alone_is_no_signature() -> None:
    # Too short for a trailer: such a file is refused by the kernel, and not signed.
    assert read(MAGIC) == ()


def test_the_magic_must_stand_at_the_very_end() -> None:
    assert read(signed(message(signer())) + b"\n") == ()


def test_a_signature_is_read_with_issuer_and_serial() -> None:
    (one,) = read(signed(message(signer())))
    assert one == polymod.Signature(
        format="linux-appended", signer="Test CA", issuer="Test CA", key_id="feed", serial="feed",
        hash_algorithm="sha256", signed_at=None, status=SignatureStatus.UNCHECKED,
    )  # fmt: skip


def test_a_subject_key_id_is_the_key_id_without_a_name() -> None:
    (one,) = read(signed(message(signer(identity=tlv(0x80, b"\xab\xcd")))))
    assert (one.signer, one.serial, one.key_id) == (None, None, "abcd")


def test_several_signers_come_in_the_order_of_the_file() -> None:
    identities = [tlv(0x80, bytes([number])) for number in (3, 1, 2)]
    found = read(signed(message(*(signer(identity) for identity in identities))))
    assert [one.key_id for one in found] == ["03", "01", "02"]


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "md4"), (2, "sha1"), (4, "sha256"), (6, "sha512"), (7, "sha224")]
)
@pytest.mark.parametrize("kind", [PGP, X509])
def test_a_legacy_signature_is_read_from_plain_bytes(kind: int, number: int, expected: str) -> None:
    (one,) = read(
        signed(
            b"value", kind=kind, hash_number=number, head=b"Ke\xe9per\x01\x02", name_size=6,
            key_size=2,
        )
    )  # fmt: skip
    assert (one.signer, one.key_id, one.hash_algorithm) == ("Ke\udce9per", "0102", expected)
    assert one.serial is None


def test_a_legacy_hash_nobody_knows_is_null() -> None:
    (one,) = read(signed(b"value", kind=X509, hash_number=99))
    assert (one.signer, one.key_id, one.hash_algorithm) == (None, None, None)


@pytest.mark.parametrize("kind", [3, 4, 255])
def test_an_unknown_kind_is_told(kind: int) -> None:
    data = signed(message(signer()), kind=kind)
    with pytest.raises(MalformedModule, match=f"unknown type {kind}") as caught:
        read(data)
    assert caught.value.field == "id_type"
    assert data[caught.value.offset or 0] == kind


@pytest.mark.parametrize("length", [0, 1 << 20, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", [PGP, X509, PKCS7])
def test_a_length_that_lies_is_told(kind: int, length: int) -> None:
    data = signed(message(signer()), kind=kind, length=length)
    with pytest.raises(MalformedModule, match=f"claims {length} bytes") as caught:
        read(data)
    at = caught.value.offset or 0
    assert caught.value.field == "sig_len"
    assert data[at : at + 4] == struct.pack(">I", length)


def test_names_that_reach_before_the_file_are_told() -> None:
    blob = b"v"
    data = struct.pack(">5B3xI", 0, 4, X509, 255, 255, len(blob))
    with pytest.raises(MalformedModule):
        read(blob + data + MAGIC)


def test_a_signature_of_a_megabyte_and_more_is_refused_unread() -> None:
    with pytest.raises(MalformedModule):
        read(signed(b"\x30\x00" * (limits.SIGNATURE // 2 + 1)))


@pytest.mark.parametrize("short", [1, 2, 5])
def test_a_length_that_is_too_short_or_too_long_is_told(short: int) -> None:
    blob = message(signer())
    for length in (len(blob) - short, len(blob) + short):
        with pytest.raises(MalformedModule) as caught:
            read(signed(blob, length=length))
        assert caught.value.field == "signature"
        assert caught.value.offset is not None
        assert caught.value.offset >= len(module()) - short


def test_parsed_forms_are_shared_only_by_what_is_the_same() -> None:
    def with_serial(serial: bytes, value: bytes) -> bytes:
        from tests.polymod.test_der_cms import ISSUER, RSA, SHA256, seq

        identity = seq(ISSUER, tlv(0x02, serial))
        info = seq(tlv(0x02, b"\1"), identity, SHA256, RSA, tlv(0x04, value))
        return signed(message(info))

    signature._parsed.clear()
    for _ in range(2):
        for serial in (b"\x01", b"\x02"):
            for value in (bytes(512), b"\xff" * 512, bytes(256), b"\xff" * 256, bytes(513)):
                (one,) = read(with_serial(serial, value))
                assert one.serial == serial.hex()


def test_a_value_of_another_size_behind_a_known_head_is_still_looked_at() -> None:
    # The head of a known form, and rubbish where its signature value should be.
    signature._parsed.clear()
    good = message(signer())
    assert read(signed(good))
    with pytest.raises(MalformedModule):
        read(signed(good[:-600] + b"\xff" * 600 if len(good) > 600 else b"\xff" * len(good)))


@pytest.mark.parametrize("name", ["pm_sig_lies.ko", "pm_sig_garbage.ko"])
def test_a_damaged_signature_does_not_hide_the_rest(name: str) -> None:
    found = polymod.inspect(SAMPLES / "x86_64" / name)
    assert found.signatures is None
    assert found.name == name.removesuffix(".ko")
    assert found.license == "GPL"
    assert "offset" in found.gaps["signatures"].detail


def test_inspection_alone_does_not_call_a_tampered_module_valid() -> None:
    found = polymod.inspect(SAMPLES / "x86_64" / "pm_sig_tampered.ko")
    assert found.signatures is not None
    assert found.signatures[0].status is SignatureStatus.UNCHECKED


def test_the_time_of_signing_is_read_from_the_attributes() -> None:
    found = polymod.inspect(SAMPLES / "x86_64" / "pm_sig_attrs.ko")
    assert found.signatures is not None
    assert found.signatures[0].signed_at is not None
    assert found.signatures[0].signed_at.endswith("Z")


def test_a_packed_module_is_signed_inside() -> None:
    found = polymod.inspect(SAMPLES / "x86_64" / "pm_comp_signed.ko.xz")
    assert found.signatures is not None
    assert found.signatures[0].signer == "polymod test CA"
