"""What somebody types of a place: each field checked and tidied, whatever the source it comes from."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, StringConstraints

from hub.domain import opening
from hub.domain.errors import Invalid
from hub.domain.event import Typed
from hub.language import _

LA_POSTE: Final = "356000000"
"""Its SIRET numbers are made by a rule of their own."""

_PHONE: Final = re.compile(r"\+?[0-9 ().\-/]{3,30}")


def _postcode(text: str) -> str:
    code = text.replace(" ", "")
    if code and not re.fullmatch(r"[0-9]{5}", code):
        raise ValueError(_("A postcode has five digits, such as 35000."))
    return code


def _phone(text: str) -> str:
    """As it is typed; ten digits in pairs, as they are read out in France."""
    digits = re.sub(r"\D", "", text)
    if text and not (_PHONE.fullmatch(text) and 3 <= len(digits) <= 15):
        raise ValueError(_("This is not a telephone number. Write it like 02 99 12 34 56, or 3949."))
    return " ".join(re.findall("..", digits)) if re.fullmatch(r"0\d{9}", digits) else " ".join(text.split())


def _mail(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized if text else ""
    except EmailNotValidError as error:
        raise ValueError(_("This is not an e-mail address. It should look like name@example.org.")) from error


def _website(text: str) -> str:
    """With its scheme, which people leave out."""
    address = text if "://" in text or not text else f"https://{text}"
    try:
        parts = urlsplit(address)
        good = parts.scheme in {"http", "https"} and "." in (parts.hostname or "") and not re.search(r"\s", address)
    except ValueError:
        good = False
    if address and not good:
        raise ValueError(_("This is not a web address. It should look like https://example.org/page."))
    return address


def _hours(text: str) -> str:
    try:
        opening.read(text)
    except Invalid as error:
        raise ValueError(str(error)) from error
    return text


def _siret(text: str) -> str:
    number = re.sub(r"\s", "", text)
    if number and not (re.fullmatch(r"[0-9]{14}", number) and _adds_up(number)):
        raise ValueError(_("A SIRET number has 14 digits that check each other. Look for a mistyped one."))
    return number


def _adds_up(number: str) -> bool:
    """Luhn's sum; the offices of La Poste have a plain sum that five divides, since they are so many."""
    digits = [int(one) for one in number]
    doubled = sum(sum(divmod(2 * one, 10)) if place % 2 else one for place, one in enumerate(reversed(digits)))
    return doubled % 10 == 0 or (number.startswith(LA_POSTE) and sum(digits) % 5 == 0)


def _uai(text: str) -> str:
    number = re.sub(r"\s", "", text).upper()
    if number and not re.fullmatch(r"[0-9]{7}[A-Z]", number):
        raise ValueError(_("A UAI number has seven digits and a letter, such as 0350001A."))
    return number


def _point(text: str) -> str:
    """Latitude and longitude with a full stop each, or nothing."""
    if not text:
        return ""
    numbers = re.fullmatch(r"(-?\d{1,3}(?:\.\d+)?)\s*[,; ]\s*(-?\d{1,3}(?:\.\d+)?)", text)
    if numbers is None or abs(float(numbers[1])) > 90 or abs(float(numbers[2])) > 180:
        raise ValueError(_("Write latitude and longitude in degrees, such as 48.11,-1.67."))
    return f"{float(numbers[1])},{float(numbers[2])}"


def coordinates(point: str) -> tuple[float, float]:
    """The two numbers of a tidied point."""
    lat, lon = point.split(",")
    return float(lat), float(lon)


def _line(most: int, *, least: int = 0) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=least, max_length=most)


class Details(Typed):
    """What is typed of a place; what is not given stays as it is."""

    name: Annotated[str, _line(250, least=1)] = ""
    type: Annotated[str, _line(40, least=1)] = ""
    """Code of the kind of place."""
    address: Annotated[str, _line(250)] = ""
    postcode: Annotated[str, _line(10), AfterValidator(_postcode)] = ""
    commune: Annotated[str, StringConstraints(pattern=r"^[0-9][0-9AB][0-9]{3}$")] = ""
    """INSEE code."""
    point: Annotated[str, _line(60), AfterValidator(_point)] = ""
    """Latitude and longitude, `48.11,-1.67`; empty: that of the commune."""
    phone: Annotated[str, _line(40), AfterValidator(_phone)] = ""
    mail: Annotated[str, _line(254), AfterValidator(_mail)] = ""
    website: Annotated[str, _line(1000), AfterValidator(_website)] = ""
    description: Annotated[str, _line(5000)] = ""
    hours: Annotated[str, _line(3000), AfterValidator(_hours)] = ""
    """A line for each: « lundi-vendredi 9:00-12:00 14:00-17:30 »."""
    accessibility: Annotated[str, _line(500)] = ""
    siret: Annotated[str, _line(30), AfterValidator(_siret)] = ""
    uai: Annotated[str, _line(20), AfterValidator(_uai)] = ""
