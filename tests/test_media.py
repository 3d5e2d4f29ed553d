"""Pictures leave with nothing but what is seen, and dangerous ones never reach a decoder."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from datetime import UTC, datetime

import pytest
from PIL import Image, PngImagePlugin
from sqlmodel import select

from hub import media
from hub.database import reading, writing
from hub.domain.errors import Invalid
from hub.domain.post import Media

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)
RED, BLUE = (200, 0, 0), (0, 0, 200)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(cleaned: media.Cleaned) -> Image.Image:
    return Image.open(io.BytesIO(cleaned.data))


def colour(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    seen = image.convert("RGB").getpixel((x, y))
    assert isinstance(seen, tuple)
    return seen


def two_halves() -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (64, 32), RED)
    image.paste(BLUE, (32, 0, 64, 32))
    return image


def hollow_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_photo_comes_out_upright_and_without_the_place_where_it_was_taken():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it upright
    exif[0x010F] = "Camera of Ana"
    exif.get_ifd(0x8825)[1] = "N"

    cleaned = media.clean(encoded(two_halves(), "JPEG", exif=exif, comment=b"at home"))

    picture = opened(cleaned)
    assert (cleaned.mime, cleaned.width, cleaned.height) == ("image/jpeg", 32, 64)
    assert picture.size == (32, 64)
    assert colour(picture, 16, 8)[0] > 150  # the red half is on top now
    assert colour(picture, 16, 56)[2] > 150
    assert dict(picture.getexif()) == {}
    assert picture.info.get("progressive") == 1
    assert b"Ana" not in cleaned.data
    assert b"at home" not in cleaned.data


def test_a_see_through_png_stays_one_and_loses_its_texts():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Ana")
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 100))

    cleaned = media.clean(encoded(image, "PNG", pnginfo=texts))

    assert cleaned.mime == "image/png"
    assert opened(cleaned).getpixel((4, 4)) == (255, 0, 0, 100)
    assert b"Ana" not in cleaned.data


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "GIF"])
def test_other_pictures_become_jpeg(kind):
    cleaned = media.clean(encoded(two_halves(), kind))

    assert (cleaned.mime, opened(cleaned).format) == ("image/jpeg", "JPEG")


def test_what_is_see_through_turns_white_in_a_jpeg():
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))

    cleaned = media.clean(encoded(image, "WEBP", lossless=True))

    assert min(colour(opened(cleaned), 8, 8)) > 250


def test_only_the_first_picture_of_an_animation_is_kept():
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]

    cleaned = media.clean(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))

    picture = opened(cleaned)
    assert colour(picture, 8, 8)[0] > 150
    assert getattr(picture, "n_frames", 1) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        encoded(two_halves(), "JPEG")[:400],
        encoded(two_halves(), "TIFF"),
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 100,
    ],
)
def test_what_is_no_picture_of_ours_is_refused_in_words(data):
    with pytest.raises(Invalid) as refused:
        media.clean(data)

    [problem] = refused.value.problems
    assert problem.field == "file"
    assert problem.message.endswith(".")


@pytest.mark.parametrize("size", [(7000, 5858), (30_000, 30_000), (2_000_000, 2_000_000)])
def test_too_many_pixels_are_refused_before_they_are_decoded(size):
    with pytest.raises(Invalid) as refused:
        media.clean(hollow_png(*size))

    assert "40 million pixels" in str(refused.value)


def test_too_many_bytes_are_refused():
    with pytest.raises(Invalid) as refused:
        media.clean(b"x" * (media.MOST_BYTES + 1))

    assert "10 MB" in str(refused.value)


def test_a_picture_is_kept_once_by_its_content(engine):
    cleaned = media.clean(encoded(two_halves(), "JPEG"))

    for _time in range(2):
        with writing(engine) as session:
            media.keep(session, cleaned, at=NOON)

    with reading(engine) as session:
        [kept] = session.exec(select(Media)).all()
    assert kept.id == hashlib.sha256(kept.data).hexdigest()
    assert (kept.data, kept.width, kept.height, kept.created_at) == (cleaned.data, 64, 32, NOON)
