"""The signature appended to a module (linux include/linux/module_signature.h).

A signed file is ELF, signature, a trailer of 12 bytes and a magic of 28. The
trailer's length is big endian on every machine. Packed modules are signed
first and packed afterwards.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from polymod.errors import MalformedModule
from polymod.formats.cms import signed_data
from polymod.formats.der import Der
from polymod.model.files import Signature

if TYPE_CHECKING:
    from polymod.source import ByteSource

MAGIC = b"~Module signature appended~\n"
_TRAILER = struct.Struct(">BBBBB3xI")
_TAIL = _TRAILER.size + len(MAGIC)

ID_PGP, ID_X509, ID_PKCS7 = 0, 1, 2

#: Hash numbers of the trailer before 4.3 (linux include/uapi/linux/hash_info.h).
_HASHES = ("md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224")

# The signatures of one kernel differ in the signature value alone. What stands
# before it decides all else, so it is parsed once for each distinct form.
_parsed: dict[bytes, tuple[Signature, ...]] = {}
_PARSED_MOST = 256
_PARSED_BYTES = 4096


def signatures(source: ByteSource) -> tuple[Signature, ...]:
    """What is appended to the file, in its order; () where it is not signed.

    The signer is the issuer's common name and the key id the certificate's
    serial number, as modinfo shows them (kmod libkmod/libkmod-signature.c); a
    signer named by subject key id has that as its key id, and no name.
    Raises MalformedModule where there is a magic but no sound signature.
    """
    size = source.size
    if size < _TAIL:
        return ()
    tail = source.read(size - _TAIL, _TAIL)
    if not tail.endswith(MAGIC):
        return ()
    _, hash_number, id_type, name_size, key_size, length = _TRAILER.unpack_from(tail)
    start = size - _TAIL - length
    if not length or start < name_size + key_size:
        raise MalformedModule(
            f"the signature claims {length} bytes of a file of {size}",
            path=source.path,
            offset=size - _TAIL + 8,
            field="sig_len",
        )
    if id_type == ID_PKCS7:
        return _pkcs7(source.read(start, length, "signature"), source.path, start)
    if id_type in (ID_PGP, ID_X509):
        head = source.read(start - name_size - key_size, name_size + key_size, "signature")
        return (_legacy(head, name_size, hash_number),)
    raise MalformedModule(
        f"the signature has the unknown type {id_type}",
        path=source.path,
        offset=size - _TAIL + 2,
        field="id_type",
    )


def _pkcs7(data: bytes, path: str, offset: int) -> tuple[Signature, ...]:
    key = data[:-512]  # RSA-4096, the common case; the check below makes it safe for any
    found = _parsed.get(key) if len(data) > 512 else None
    if found is None:
        message = signed_data(Der(data, path, offset))
        found = tuple(
            Signature(
                format="linux-appended",
                signer=signer.issuer,
                issuer=signer.issuer,
                key_id=signer.serial or signer.key_id,
                serial=signer.serial,
                hash_algorithm=signer.digest,
                signed_at=signer.signed_at,
            )
            for signer in message.signers
        )
        fits = len(_parsed) < _PARSED_MOST and len(key) <= _PARSED_BYTES
        if fits and message.last_signature == len(key):
            _parsed[key] = found
    return found


def _legacy(head: bytes, name_size: int, hash_number: int) -> Signature:
    """Kernels before 4.3: signer name and key id stand in plain bytes."""
    known = hash_number < len(_HASHES)
    name = head[:name_size].decode("utf-8", "surrogateescape")
    return Signature(
        format="linux-appended",
        signer=name or None,
        issuer=name or None,
        key_id=head[name_size:].hex() or None,
        hash_algorithm=_HASHES[hash_number] if known else None,
    )
