"""What people type of a place: tidied, or refused with what to do."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hub.domain.details import Details, coordinates


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        ("name", "  Mission locale  ", "Mission locale"),
        ("postcode", "35 000", "35000"),
        ("phone", "0299123456", "02 99 12 34 56"),
        ("phone", "+33 2 99  12 34 56", "+33 2 99 12 34 56"),
        ("phone", "3949", "3949"),
        ("mail", "Accueil@Example.ORG", "Accueil@example.org"),
        ("website", "www.example.org/a", "https://www.example.org/a"),
        ("website", "http://example.org", "http://example.org"),
        ("siret", "732 829 320 00074", "73282932000074"),
        ("siret", "35600000000048", "35600000000048"),
        ("siret", "35600000009075", "35600000009075"),
        ("uai", "0350001a", "0350001A"),
        ("point", "48.11, -1.67", "48.11,-1.67"),
        ("point", "-17.5 ; -149.5", "-17.5,-149.5"),
        ("hours", "lundi 9h-12h", "lundi 9h-12h"),
        *((name, "", "") for name in ("postcode", "phone", "mail", "website", "siret", "uai", "point", "hours")),
    ],
)
def test_a_field_is_tidied(field: str, typed: str, kept: str):
    assert getattr(Details.model_validate({field: typed}), field) == kept


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("postcode", "3500", "A postcode has five digits"),
        ("phone", "demander Zoé", "This is not a telephone number."),
        ("phone", "12", "This is not a telephone number."),
        ("mail", "accueil", "This is not an e-mail address."),
        ("website", "pas de site", "This is not a web address."),
        ("website", "ftp://example.org", "This is not a web address."),
        ("website", "javascript:alert(1)", "This is not a web address."),
        ("website", "http://[", "This is not a web address."),
        ("siret", "73282932000075", "A SIRET number has 14 digits"),
        ("siret", "7328", "A SIRET number has 14 digits"),
        ("uai", "350001A", "A UAI number has seven digits and a letter"),
        ("point", "Rennes", "Write latitude and longitude in degrees"),
        ("point", "91,0", "Write latitude and longitude in degrees"),
        ("hours", "toujours", "Line 1, “toujours”"),
        ("name", "x" * 251, "String should have at most 250"),
        ("commune", "3523", "String should match pattern"),
    ],
)
def test_a_field_that_cannot_be_right_is_refused(field: str, typed: str, said: str):
    with pytest.raises(ValidationError, match=said):
        Details.model_validate({field: typed})


def test_a_tidied_point_has_two_coordinates():
    assert coordinates("48.11,-1.67") == (48.11, -1.67)
