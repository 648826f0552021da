"""DER and CMS: facts out of sound messages, an offset out of every damaged one."""

from __future__ import annotations

import pytest

from polymod import limits
from polymod.errors import MalformedModule
from polymod.formats import der
from polymod.formats.cms import SignerInfo, common_name, serial_hex, signed_data
from polymod.formats.der import Der

# -- a tiny DER writer (X.690, 8.1) ------------------------------------------


def tlv(tag: int, *contents: bytes) -> bytes:
    data = b"".join(contents)
    size = len(data)
    if size < 0x80:
        return bytes([tag, size]) + data
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + data


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    out = b""
    for arc in (first * 40 + second, *rest):
        parts = [arc & 0x7F]
        while arc := arc >> 7:
            parts.append(arc & 0x7F | 0x80)
        out += bytes(reversed(parts))
    return tlv(0x06, out)


def seq(*contents: bytes) -> bytes:
    return tlv(0x30, *contents)


def name(*attributes: tuple[str, int, bytes]) -> bytes:
    return seq(*(tlv(0x31, seq(oid(kind), tlv(tag, text))) for kind, tag, text in attributes))


CN, ORGANISATION = "2.5.4.3", "2.5.4.10"
SHA256 = seq(oid("2.16.840.1.101.3.4.2.1"), tlv(0x05))
RSA = seq(oid("1.2.840.113549.1.1.1"), tlv(0x05))
ISSUER = name((ORGANISATION, 0x0C, b"Somebody"), (CN, 0x0C, b"Test CA"))
SIGNATURE = bytes(range(256))


def signer(identity: bytes | None = None, digest: bytes = SHA256, attributes: bytes = b"") -> bytes:
    identity = identity or seq(ISSUER, tlv(0x02, b"\x00\xfe\xed"))
    return seq(tlv(0x02, b"\1"), identity, digest, attributes, RSA, tlv(0x04, SIGNATURE))


def message(*signers: bytes) -> bytes:
    body = seq(
        tlv(0x02, b"\1"),
        tlv(0x31, SHA256),
        seq(oid("1.2.840.113549.1.7.1")),
        tlv(0x31, *signers),
    )
    return seq(oid("1.2.840.113549.1.7.2"), tlv(0xA0, body))


def signed_at(tag: int, text: bytes) -> bytes:
    return tlv(0xA0, seq(oid("1.2.840.113549.1.9.5"), tlv(0x31, tlv(tag, text))))


def read(data: bytes) -> tuple[SignerInfo, ...]:
    return signed_data(Der(data, "/m.ko", 1000)).signers


# -- sound messages -----------------------------------------------------------


def test_a_signer_is_read_with_issuer_and_serial_number() -> None:
    (one,) = read(message(signer()))
    assert one == SignerInfo("Test CA", "feed", None, "sha256", None, SIGNATURE)


def test_a_signer_may_be_named_by_key_id_alone() -> None:
    (one,) = read(message(signer(identity=tlv(0x80, b"\xab\xcd"))))
    assert (one.issuer, one.serial, one.key_id) == (None, None, "abcd")


def test_several_signers_keep_their_order() -> None:
    identities = [tlv(0x80, bytes([number])) for number in range(3)]
    found = read(message(*(signer(identity) for identity in identities)))
    assert [one.key_id for one in found] == ["00", "01", "02"]


def test_the_last_signature_is_where_it_says() -> None:
    data = message(signer())
    found = signed_data(Der(data, None))
    assert data[found.last_signature :] == SIGNATURE


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        pytest.param(0x17, b"240229123456Z", "2024-02-29T12:34:56Z", id="UTCTime of this century"),
        pytest.param(0x17, b"500101000000Z", "1950-01-01T00:00:00Z", id="UTCTime of the last"),
        pytest.param(0x17, b"491231235959Z", "2049-12-31T23:59:59Z", id="the last UTCTime"),
        pytest.param(0x18, b"21240229123456Z", "2124-02-29T12:34:56Z", id="GeneralizedTime"),
        pytest.param(0x17, b"2402291234Z", None, id="without seconds"),
        pytest.param(0x17, b"240229123456+0100", None, id="with a zone"),
        pytest.param(0x17, "24022912345²Z".encode(), None, id="with a digit that is none"),
        pytest.param(0x18, b"", None, id="empty"),
    ],
)
def test_the_signing_time(tag: int, text: bytes, expected: str | None) -> None:
    (one,) = read(message(signer(attributes=signed_at(tag, text))))
    assert one.signed_at == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (b"\x00\xfe", "fe"),
        (b"\x7f", "7f"),
        (b"\x00", "00"),
        (b"\x00\x00\x01", "01"),
        (b"\xff\x01", "ff01"),
        (b"", ""),
    ],
)
def test_serial_numbers_lose_only_the_sign_byte(number: bytes, expected: str) -> None:
    data = tlv(0x02, number)
    assert serial_hex(Der(data, None), Der(data, None).element(0, len(data))) == expected


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        pytest.param(0x0C, "Ä".encode(), "Ä", id="UTF8String"),
        pytest.param(0x13, b"plain", "plain", id="PrintableString"),
        pytest.param(0x1E, "Ä".encode("utf-16-be"), "Ä", id="BMPString"),
        pytest.param(0x1C, "Ä".encode("utf-32-be"), "Ä", id="UniversalString"),
        pytest.param(0x14, b"\xc4", "\udcc4", id="a byte that is no UTF-8"),
        pytest.param(0x1E, b"\x00", "\ufffd", id="half a BMP character"),
    ],
)
def test_common_names(tag: int, text: bytes, expected: str) -> None:
    data = name((ORGANISATION, 0x0C, b"other"), (CN, tag, text), (CN, 0x0C, b"second"))
    reader = Der(data, None)
    assert common_name(reader, reader.element(0, len(data))) == expected


def test_a_name_without_a_common_name_has_none() -> None:
    data = name((ORGANISATION, 0x0C, b"other"))
    reader = Der(data, None)
    assert common_name(reader, reader.element(0, len(data))) is None


@pytest.mark.parametrize(
    "dotted", ["1.2.840.113549.1.7.2", "2.5.4.3", "0.9", "1.39.1", "2.999.3", "2.16.840.1.101"]
)
def test_object_identifiers(dotted: str) -> None:
    example = b"\x06\x03\x88\x37\x03"  # X.690, 8.19.5
    data = example if dotted == "2.999.3" else oid(dotted)
    reader = Der(data, None)
    assert reader.oid(reader.element(0, len(data))) == dotted


def test_an_unknown_digest_keeps_its_number() -> None:
    (one,) = read(message(signer(digest=seq(oid("1.2.3.4")))))
    assert one.digest == "1.2.3.4"


# -- damage -------------------------------------------------------------------

SOUND = message(
    signer(attributes=signed_at(0x17, b"240229123456Z")), signer(identity=tlv(0x80, b"\xab"))
)


def test_a_message_cut_anywhere_is_malformed_with_its_place() -> None:
    for size in range(len(SOUND)):
        with pytest.raises(MalformedModule) as caught:
            read(SOUND[:size])
        assert caught.value.field == "signature"
        assert caught.value.path == "/m.ko"
        assert caught.value.offset is not None
        assert 1000 <= caught.value.offset <= 1000 + size


@pytest.mark.parametrize("value", [0x00, 0x7F, 0x80, 0x84, 0xA0, 0xFF])
def test_any_byte_changed_gives_facts_or_malformed(value: int) -> None:
    for at in range(len(SOUND)):
        damaged = bytearray(SOUND)
        damaged[at] = value
        try:
            found = read(bytes(damaged))
        except MalformedModule:
            continue
        assert all(isinstance(one, SignerInfo) for one in found)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x30\x80" + bytes(20), id="an indefinite length"),
        pytest.param(b"\x30\x85\x00\x00\x00\x00\x01\x00", id="a length of five bytes"),
        pytest.param(b"\x30\x84\xff\xff\xff\xff", id="a length beyond the end"),
        pytest.param(b"\x3f\x02\x00\x00", id="a tag of several bytes"),
        pytest.param(b"\x04\x02\x00\x00", id="no sequence"),
        pytest.param(seq(), id="an empty sequence"),
        pytest.param(seq(oid("1.2.3")), id="another content type"),
        pytest.param(seq(tlv(0x06, b"")), id="an empty content type"),
        pytest.param(seq(oid("1.2.840.113549.1.7.2")), id="no content"),
        pytest.param(seq(oid("1.2.840.113549.1.7.2"), tlv(0xA0)), id="an empty content"),
        pytest.param(message(seq()), id="an empty signer"),
        pytest.param(message(tlv(0x04, b"x")), id="a signer that is no sequence"),
        pytest.param(message(signer(identity=seq(ISSUER))), id="no serial number"),
        pytest.param(message(*[signer()] * (limits.NESTING + 1)), id="too many signers"),
        pytest.param(b"\x30\x00" * (limits.SIGNATURE // 2 + 1), id="a megabyte and more"),
    ],
)
def test_refused_are(data: bytes) -> None:
    with pytest.raises(MalformedModule):
        read(data)


def test_a_message_without_signers_has_none() -> None:
    assert read(message()) == ()


def test_an_endless_object_identifier_is_cut() -> None:
    data = tlv(0x06, b"\xff" * 100_000)
    reader = Der(data, None)
    assert reader.oid(reader.element(0, len(data))) == ""


def test_context_tags() -> None:
    assert (der.context(0), der.context(3), der.context(0, constructed=False)) == (0xA0, 0xA3, 0x80)
