"""Pictures: decoded, cleaned of everything but what is seen, and kept once by their content."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from hub.domain.errors import Busy, Invalid
from hub.domain.post import Media
from hub.language import _

MOST_BYTES: Final = 10 * 1024 * 1024
MOST_PIXELS: Final = 40_000_000
SLOTS: Final = threading.BoundedSemaphore(2)
"""Pictures decoded at once: a large one takes hundreds of megabytes while it is open."""
WAIT: Final = 10.0
"""Seconds to wait for a slot."""
FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
"""What is decoded: drawings that hold programs (SVG) and exotic files never reach a decoder."""

JPEG_QUALITY: Final = 88

# Pillow's own alarm, at our limit; it rings before anything is decoded, and again in decoders that grow.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Cleaned:
    """A picture made anew from its pixels; `id` is the SHA-256 of its bytes, in hex."""

    id: str
    mime: str
    width: int
    height: int
    data: bytes


def clean(data: bytes) -> Cleaned:
    """The picture decoded and encoded again: upright, without metadata, only its first frame; Invalid if it is none."""
    if len(data) > MOST_BYTES:
        raise _refused(_("The picture is larger than {most} MB. Make it smaller first.", most=MOST_BYTES // 1024**2))
    if not SLOTS.acquire(timeout=WAIT):
        raise Busy(_("Many pictures are being uploaded right now. Try again in a moment."))
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise _too_many_pixels()
            stays_png = opened.format == "PNG" and opened.has_transparency_data
            upright = ImageOps.exif_transpose(opened)
            return _encoded(upright, png=stays_png)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _too_many_pixels() from error
    except UnidentifiedImageError as error:
        raise _refused(
            _("This file is not a picture that Relais takes. Use JPEG, PNG, WebP or GIF, not SVG or HEIC.")
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error) as error:
        raise _refused(_("The picture is damaged or incomplete. Save it again, then upload it anew.")) from error
    finally:
        SLOTS.release()


def keep(session: Session, cleaned: Cleaned, *, at: datetime) -> Media:
    """Keep a cleaned picture; the same content is kept once."""
    known = session.get(Media, cleaned.id)
    if known is not None:
        return known
    media = Media(
        id=cleaned.id,
        mime=cleaned.mime,
        width=cleaned.width,
        height=cleaned.height,
        size=len(cleaned.data),
        data=cleaned.data,
        created_at=at,
    )
    try:
        with session.begin_nested():
            session.add(media)
    except IntegrityError:
        # Somebody uploaded the same picture at the same instant: theirs is as good.
        return session.exec(select(Media).where(Media.id == cleaned.id)).one()
    return media


def _encoded(image: Image.Image, *, png: bool) -> Cleaned:
    """Only pixels go into the new file: encoders would copy comments and colour profiles from `info`."""
    fresh = image.convert("RGBA") if png else _opaque(image)
    fresh.info.clear()
    out = io.BytesIO()
    if png:
        fresh.save(out, "PNG")
    else:
        fresh.save(out, "JPEG", quality=JPEG_QUALITY, progressive=True)
    data = out.getvalue()
    mime = "image/png" if png else "image/jpeg"
    return Cleaned(hashlib.sha256(data).hexdigest(), mime, fresh.width, fresh.height, data)


def _opaque(image: Image.Image) -> Image.Image:
    """The picture in RGB; what is transparent becomes white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    white = Image.new("RGB", seen.size, "white")
    white.paste(seen, mask=seen.getchannel("A"))
    return white


def _too_many_pixels() -> Invalid:
    most = MOST_PIXELS // 1_000_000
    return _refused(_("The picture has more than {most} million pixels. Make it smaller first.", most=most))


def _refused(message: str) -> Invalid:
    return Invalid(message, field="file")
