"""CMS SignedData (RFC 5652) as facts: who signed, with what; nothing is verified here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polymod import limits
from polymod.formats import der

if TYPE_CHECKING:
    from polymod.formats.der import Der, Element

SIGNED_DATA = "1.2.840.113549.1.7.2"
SIGNING_TIME = "1.2.840.113549.1.9.5"
COMMON_NAME = "2.5.4.3"

#: Digest algorithms by OID, with the names that OpenSSL and the kernel use.
DIGESTS = {
    "1.2.840.113549.2.4": "md4",
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "1.3.36.3.2.1": "rmd160",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.8": "sha3-256",
    "2.16.840.1.101.3.4.2.9": "sha3-384",
    "2.16.840.1.101.3.4.2.10": "sha3-512",
    "1.2.156.10197.1.401": "sm3",
    "1.2.643.7.1.1.2.2": "streebog256",
    "1.2.643.7.1.1.2.3": "streebog512",
}


class SignerInfo(NamedTuple):
    """One signer: its certificate by issuer and serial, or by subject key id.

    `issuer` is the issuer's first common name, `serial` and `key_id` lower-case
    hex, `digest` an algorithm name or a dotted OID, `signed_at` RFC 3339 UTC.
    """

    issuer: str | None
    serial: str | None
    key_id: str | None
    digest: str
    signed_at: str | None
    signature: bytes


class SignedData(NamedTuple):
    """The signers of one message, and where in the buffer the last signature starts."""

    signers: tuple[SignerInfo, ...]
    last_signature: int


def signed_data(reader: Der) -> SignedData:
    """The signers of the ContentInfo in the buffer. Raises MalformedModule."""
    if len(reader.data) > limits.SIGNATURE:
        raise reader.damaged(f"has more than {limits.SIGNATURE} bytes", 0)
    outer = reader.expect(reader.element(0, len(reader.data)), der.SEQUENCE, "ContentInfo", 0)
    parts = reader.children(outer)
    content_type = reader.expect(next(parts, None), der.OID, "content type", outer.start)
    if reader.oid(content_type) != SIGNED_DATA:
        raise reader.damaged("is no CMS SignedData", content_type.start)
    wrapper = reader.expect(next(parts, None), der.context(0), "content", outer.start)
    body = reader.element(wrapper.start, wrapper.end)
    reader.expect(body, der.SEQUENCE, "SignedData", wrapper.start)
    *_, last_part = (None, *reader.children(body))
    infos = reader.expect(last_part, der.SET, "signerInfos", body.start)
    signers: list[SignerInfo] = []
    last = 0
    for info in reader.children(infos):
        if len(signers) == limits.NESTING:
            raise reader.damaged(f"has more than {limits.NESTING} signers", info.start)
        signer, last = _signer(reader, reader.expect(info, der.SEQUENCE, "SignerInfo", info.start))
        signers.append(signer)
    return SignedData(tuple(signers), last)


def _signer(reader: Der, info: Element) -> tuple[SignerInfo, int]:
    parts = reader.children(info)
    reader.expect(next(parts, None), der.INTEGER, "version", info.start)
    identity = next(parts, None)
    issuer = serial = key_id = signed_at = None
    if identity is not None and identity.tag == der.context(0, constructed=False):
        key_id = reader.bytes(identity).hex()
    else:
        identity = reader.expect(identity, der.SEQUENCE, "signer identifier", info.start)
        name, number = _pair(reader, identity, "issuer and serial number")
        issuer = common_name(reader, name)
        serial = serial_hex(reader, number)
    algorithm = reader.expect(next(parts, None), der.SEQUENCE, "digest algorithm", info.start)
    digest = reader.oid(reader.element(algorithm.start, algorithm.end))
    following = next(parts, None)
    if following is not None and following.tag == der.context(0):
        signed_at = _signing_time(reader, following)
        following = next(parts, None)
    reader.expect(following, der.SEQUENCE, "signature algorithm", info.start)
    value = reader.expect(next(parts, None), der.OCTET_STRING, "signature value", info.start)
    signer = SignerInfo(
        issuer, serial, key_id, DIGESTS.get(digest, digest), signed_at, reader.bytes(value)
    )
    return signer, value.start


def _pair(reader: Der, parent: Element, what: str) -> tuple[Element, Element]:
    parts = tuple(reader.children(parent))
    if len(parts) != 2:
        raise reader.damaged(f"has no {what}", parent.start)
    return parts[0], parts[1]


def common_name(reader: Der, name: Element) -> str | None:
    """The first common name of a distinguished name (RFC 5280, 4.1.2.4), None without one."""
    for relative in reader.children(name):
        for attribute in reader.children(relative):
            kind, value = _pair(reader, attribute, "attribute value")
            if reader.oid(kind) == COMMON_NAME:
                return reader.text(value)
    return None


def serial_hex(reader: Der, number: Element) -> str:
    """A certificate serial number in hex, without the zero byte that only carries the sign."""
    data = reader.bytes(number)
    return (data.lstrip(b"\0") or data[-1:]).hex()


def _signing_time(reader: Der, attributes: Element) -> str | None:
    for attribute in reader.children(attributes):
        kind, values = _pair(reader, attribute, "attribute value")
        if reader.oid(kind) == SIGNING_TIME and values.end > values.start:
            return _time(reader, reader.element(values.start, values.end))
    return None


def _time(reader: Der, element: Element) -> str | None:
    """RFC 3339 for a UTCTime or GeneralizedTime in Zulu (RFC 5652, 11.3); else None."""
    text = reader.text(element)
    if element.tag == der.UTC_TIME and len(text) == 13:
        text = ("19" if text[:2] >= "50" else "20") + text
    digits = text[:-1]
    if len(text) != 15 or text[-1] != "Z" or not (digits.isascii() and digits.isdigit()):
        return None
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}Z"
