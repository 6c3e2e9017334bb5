"""Where bytes stand in a folder: as they are, as JSON escapes them, in base64, in UTF-16, packed."""

import base64
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

GZIP = b"\x1f\x8b\x08"
# More than that no packed part of these tests unpacks to.
UNPACKED_MAX = 16 * 1024 * 1024


def forms(secret: str) -> dict[str, bytes]:
    """Every form in which a text may stand in a file."""
    plain = secret.encode()
    escaped = json.dumps(secret)[1:-1]
    found = {
        "plain": plain,
        "JSON-escaped": escaped.encode(),
        "JSON-escaped, large": upper_escapes(escaped).encode(),
        "JSON within JSON": json.dumps(escaped)[1:-1].encode(),
        "UTF-16LE": secret.encode("utf-16-le"),
        "UTF-16BE": secret.encode("utf-16-be"),
    }
    return found | base64_forms(plain) | base64_forms(escaped.encode(), "JSON-escaped ")


def upper_escapes(text: str) -> str:
    """`\\u00fc` as `\\u00FC`."""
    head, *parts = text.split("\\u")
    return head + "".join(f"\\u{part[:4].upper()}{part[4:]}" for part in parts)


def base64_forms(plain: bytes, what: str = "") -> dict[str, bytes]:
    """What base64 makes of bytes, wherever in a group of three they begin: without the characters
    that depend on what stands before and behind."""
    found = {}
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + plain)
        begins = -(-offset * 8 // 6)
        ends = (offset + len(plain)) * 8 // 6
        found[f"{what}base64, offset {offset}"] = whole[begins:ends]
    return found


def unpacked(content: bytes) -> Iterator[bytes]:
    """What gzip members unpack to, wherever they begin, also where their end is missing."""
    at = content.find(GZIP)
    while at >= 0:
        unpacker = zlib.decompressobj(31)
        try:
            yield unpacker.decompress(content[at:], UNPACKED_MAX)
        except zlib.error:
            pass
        at = content.find(GZIP, at + 1)


def found_in(folder: Path, secrets: dict[str, str | bytes]) -> set[tuple[str, str, str]]:
    """File, secret and form of everything that is found; a secret of bytes counts as it is and in
    base64."""
    looked_for = {
        name: {"plain": secret} | base64_forms(secret)
        if isinstance(secret, bytes)
        else forms(secret)
        for name, secret in secrets.items()
    }
    hits = set()
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        content = file.read_bytes()
        for part in (content, *unpacked(content)):
            for name, these in looked_for.items():
                hits |= {
                    (str(file.relative_to(folder)), name, form)
                    for form, wanted in these.items()
                    if wanted in part
                }
    return hits
