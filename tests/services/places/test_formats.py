"""Real files as their publishers write them: headings, nesting and traps."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from typing import Any

import pytest

from hub.domain.errors import Invalid
from hub.domain.place import ProposalState
from hub.services.places import formats, hours
from hub.services.places.files import normalised

INCLUSION = {
    "source": "dora", "id": "a1", "nom": "Mission locale de Rennes", "date_maj": "2026-05-04T10:00:00",
    "siret": "35600000000048", "commune": "Rennes", "code_postal": "35000", "code_insee": "35238",
    "adresse": "1 rue X", "complement_adresse": "Bât. B", "longitude": -1.68, "latitude": 48.1,
    "telephone": "+33299000001", "courriel": "a@example.org", "site_web": "www.example.org",
    "horaires_accueil": "Mo-Fr 09:00-12:00,14:00-17:30; Sa 9:00-12:00", "accessibilite_lieu": "https://acces.example",
    "reseaux_porteurs": ["mission-locale"], "description": "Accueil",
}  # fmt: skip


def as_csv(rows: list[dict[str, Any]], separator: str = ";") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


# --- data·inclusion -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["json", "csv", "csv-json"])
def test_data_inclusion_is_read_from_json_and_csv(desk, shape):
    networks = {"csv": "mission-locale,autre", "csv-json": '["autre", "mission-locale"]'}
    row = INCLUSION | ({"reseaux_porteurs": networks[shape]} if shape in networks else {})

    brought = desk.bring("data-inclusion", [row] if shape == "json" else as_csv([row], ","))

    assert (brought.added, brought.refused, brought.remarks) == (1, [], [])
    place = desk.place()
    assert (place.source, place.source_id, place.type_code) == ("data-inclusion", "dora:a1", "mission_locale")
    assert (place.address, place.postcode, place.territory_code) == ("1 rue X, Bât. B", "35000", "C-35238")
    assert (place.lat, place.lon, place.point) == (48.1, -1.68, "source")
    assert (place.phone, place.mail, place.website) == ("02 99 00 00 01", "a@example.org", "https://www.example.org")
    assert (place.siret, place.dated_on) == ("35600000000048", date(2026, 5, 4))
    assert place.hours == [
        {"days": [1, 5], "spans": [["09:00", "12:00"], ["14:00", "17:30"]], "note": ""},
        {"days": [6, 6], "spans": [["09:00", "12:00"]], "note": ""},
    ]


@pytest.mark.parametrize(
    ("networks", "name", "kind"),
    [
        (["ecoles-de-la-deuxieme-chance"], "E2C", "e2c"),
        (["epide"], "Épide", "epide"),
        (["reseau-information-jeunesse"], "CIJ", "information_jeunesse"),
        (["chambres-consulaires"], "Chambre d'agriculture de Bretagne", "chambre_agriculture"),
        (["chambres-consulaires"], "Chambre de métiers et de l'artisanat", "cma"),
        (["chambres-consulaires"], "CCI Bretagne", "cci"),
    ],
)
def test_the_network_of_a_structure_tells_its_kind(desk, networks, name, kind):
    desk.bring("data-inclusion", [INCLUSION | {"reseaux_porteurs": networks, "nom": name}])

    assert desk.place().type_code == kind


@pytest.mark.parametrize("networks", [None, [], ["ccas"], "", ["chambres-consulaires"], "[oops"])
def test_structures_of_other_networks_are_left_aside(desk, networks):
    brought = desk.bring("data-inclusion", [INCLUSION | {"reseaux_porteurs": networks, "nom": "Autre"}])

    assert (brought.added, brought.left_aside, brought.refused) == (0, 1, [])


# --- Annuaire de l'éducation ----------------------------------------------------------------------------------

EDUCATION = {
    "Identifiant_de_l_etablissement": "0350001A", "Nom_etablissement": "CIO de Rennes",
    "Type_etablissement": "Information et orientation", "Adresse_1": "1 rue X", "Adresse_2": "", "Adresse_3": "x",
    "Code_postal": "35000", "Code_commune": "35238", "Nom_commune": "Rennes", "Code_departement": "035",
    "Telephone": "0299000001", "Web": "", "Mail": "ce.0350001a@example.org", "latitude": "48.1", "longitude": "-1.68",
    "etat": "OUVERT", "date_maj_ligne": "2026-05-04", "libelle_nature": "CENTRE D INFORMATION ET D ORIENTATION",
}  # fmt: skip


@pytest.mark.parametrize("shape", ["capitals", "small", "json"])
def test_the_annuaire_de_l_education_is_read_with_capitals_or_not(desk, shape):
    row = EDUCATION if shape == "capitals" else {name.lower(): value for name, value in EDUCATION.items()}

    desk.bring("education", [row] if shape == "json" else as_csv([row]))

    place = desk.place()
    assert (place.source, place.source_id, place.uai, place.type_code) == (
        "annuaire-education", "0350001A", "0350001A", "cio",
    )  # fmt: skip
    assert (place.phone, place.lat, place.point) == ("02 99 00 00 01", 48.1, "source")


@pytest.mark.parametrize(
    "changed",
    [
        {"etat": "FERME"},
        {"Type_etablissement": "Lycée", "libelle_nature": "LYCEE"},
    ],
)
def test_schools_and_closed_ones_are_left_aside(desk, changed):
    assert desk.bring("education", as_csv([EDUCATION | changed])).left_aside == 1


def test_an_identifier_that_is_no_uai_is_refused(desk):
    (told,) = desk.bring("education", as_csv([EDUCATION | {"Identifiant_de_l_etablissement": "35A"}])).refused

    assert told == "Line 2: “35A” is not a UAI: seven digits and a letter, such as 0350001A."


# --- Annuaire de l'administration -----------------------------------------------------------------------------

NESTED: dict[str, Any] = {
    "pivot": [{"type_service_local": "mission_locale", "code_insee_commune": ["35238"]}],
    "adresse": [
        {"type_adresse": "Adresse postale", "numero_voie": "BP 1", "code_postal": "35042", "nom_commune": "Rennes"},
        {"type_adresse": "Adresse", "numero_voie": "1 rue X", "complement1": "Bât. B", "code_postal": "35000",
         "nom_commune": "Rennes", "longitude": "-1.68", "latitude": "48.1", "accessibilite": "ACC",
         "note_accessibilite": "Rampe"},
    ],
    "telephone": [{"valeur": "02 99 00 00 01", "description": ""}],
    "adresse_courriel": ["a@example.org"],
    "site_internet": [{"libelle": "", "valeur": "https://example.org"}],
    "plage_ouverture": [
        {"nom_jour_debut": "Lundi", "nom_jour_fin": "Vendredi", "valeur_heure_debut_1": "09:00:00",
         "valeur_heure_fin_1": "12:00:00", "valeur_heure_debut_2": "14:00:00", "valeur_heure_fin_2": "17:30:00",
         "commentaire": "Fermé en août"},
    ],
}  # fmt: skip
DILA = {"id": "u-1", "nom": "Mission locale", "siret": "", "code_insee_commune": "35238",
        "date_modification": "04/05/2026 10:00:00"}  # fmt: skip


@pytest.mark.parametrize("shape", ["archive", "api", "csv"])
def test_the_annuaire_de_l_administration_is_read_in_both_shapes(desk, shape):
    strings = {name: json.dumps(value, ensure_ascii=False) for name, value in NESTED.items()}
    content = {
        "archive": {"service": [DILA | NESTED]},
        "api": [DILA | strings],
        "csv": as_csv([DILA | strings]),
    }[shape]

    brought = desk.bring("dila", content)

    assert (brought.added, brought.refused, brought.remarks) == (1, [], [])
    place = desk.place()
    assert (place.source, place.source_id, place.type_code) == ("annuaire-administration", "u-1", "mission_locale")
    assert (place.address, place.postcode, place.lat) == ("1 rue X, Bât. B", "35000", 48.1)
    assert (place.phone, place.mail, place.website) == ("02 99 00 00 01", "a@example.org", "https://example.org")
    assert place.hours == [{"days": [1, 5], "spans": [["09:00", "12:00"], ["14:00", "17:30"]], "note": "Fermé en août"}]
    assert place.accessibility == "Accessible en fauteuil roulant, Rampe"
    assert place.dated_on == date(2026, 5, 4)


def test_services_of_other_kinds_are_left_aside_and_broken_nesting_is_refused(desk):
    other = DILA | NESTED | {"id": "u-2", "pivot": [{"type_service_local": "mairie"}]}

    brought = desk.bring("dila", [other, DILA | {"pivot": "[{"}, DILA | NESTED | {"id": "u-3", "adresse": ""}])

    assert (brought.left_aside, brought.added) == (1, 1)
    assert brought.refused == ["Entry 2: pivot is not JSON: “[{”."]
    assert desk.place().point == "commune"


# --- Onisep ---------------------------------------------------------------------------------------------------

ONISEP = {
    "code UAI": "0350001A", "n° SIRET": "", "type d'établissement": "centre de formation d'apprentis", "nom": "CFA",
    "sigle": "", "adresse": "1 rue X", "boîte postale": "", "CP": "35042", "commune": "Rennes",
    "commune (COG)": "35238",
    "cedex": "Cedex", "téléphone": "02.99.00.00.01", "département": "35 - Ille-et-Vilaine", "longitude (X)": "-1.68",
    "latitude (Y)": "48.1", "journées portes ouvertes": "le 31/01/2027 de 08h30 à 12h00 | voir URL",
    "URL et ID Onisep": "https://www.onisep.fr/http/redirection/etablissement/slug/ENS.123",
    "date de modification": "04/05/2026",
}  # fmt: skip


@pytest.mark.parametrize("shape", ["csv", "json"])
def test_onisep_is_read_from_csv_and_json(desk, shape):
    row = {normalised(name): value for name, value in ONISEP.items()}
    row["type_detablissement"] = row.pop("type_d_etablissement")

    brought = desk.bring("onisep", as_csv([ONISEP]) if shape == "csv" else [row])

    assert (brought.added, brought.proposals, brought.refused) == (1, 2, [])
    place = desk.place()
    assert (place.source, place.source_id, place.type_code, place.postcode) == ("onisep", "0350001A", "cfa", "35042")
    assert (place.phone, place.dated_on, place.lat) == ("02 99 00 00 01", date(2026, 5, 4), 48.1)
    assert [one.state for one in desk.proposals()] == [ProposalState.PROPOSED, ProposalState.UNREAD]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("micro-lycée", "micro_lycee"),
        ("école de la deuxième chance", "e2c"),
        ("école de production", "ecole_production"),
    ],
)
def test_kinds_of_onisep_are_those_that_take_back_young_people(desk, written, kind):
    desk.bring("onisep", as_csv([ONISEP | {"type d'établissement": written}]))

    assert desk.place().type_code == kind


def test_a_school_of_onisep_without_a_uai_has_the_number_of_its_page(desk):
    desk.bring("onisep", as_csv([ONISEP | {"code UAI": ""}, ONISEP | {"type d'établissement": "collège"}]))

    assert desk.place().source_id == "ENS.123"


# --- Sectors --------------------------------------------------------------------------------------------------

SECTORS = "Code INSEE;Nom Commune;Code ML;Nom Officiel ML;Commune présente sur plusieurs ML;Adresse ML\n"


def lay_missions(desk) -> None:
    desk.own(
        "ML35;mission_locale;Mission locale de Rennes;35238;",
        "x;mission_locale;Mission Locale du Pays de Brest;29019;",
        "y;mission_locale;Mission locale;22278;",
        "z;mission_locale;ML;56121;",
        "c;cio;CIO;35238;",
    )


def test_sectors_link_communes_to_missions_locales_by_number_and_by_name(desk):
    lay_missions(desk)
    rows = (
        "\ufeff"
        + SECTORS
        + "35238;Rennes;ML35;autre;non;\n1001;Abergement;ML35;autre;non;\n29019;Brest;B;ML Pays de Brest;non;\n"
    )

    brought = desk.bring("sectors", rows)

    assert (brought.sectors, brought.refused) == (3, [])
    assert desk.sectors() == {"ML35": {"C-35238", "C-01001"}, "x": {"C-29019"}}
    assert desk.bring("sectors", rows).sectors == 0


def test_unknown_missions_locales_and_communes_are_told_and_other_sectors_stay(desk):
    lay_missions(desk)
    desk.bring("sectors", SECTORS + "35238;Rennes;ML35;;non;\n")

    brought = desk.bring(
        "sectors",
        SECTORS
        + "29019;Brest;B;ML Inconnue;non;\n99999;Nulle part;x;;non;\n;;x;;non;\n22278;S;?;Mission locale;non;\n",
    )

    assert brought.refused == [
        "Line 2: no mission locale here has the number “B” or the name “ML Inconnue”: bring it in first, or give it "
        "that name.",
        "Line 3: unknown commune “99999 Nulle part”: “relais territory find” finds its INSEE code.",
        "Line 4: unknown commune “”: “relais territory find” finds its INSEE code.",
        "Line 5: no mission locale here has the number “?” or the name “Mission locale”: bring it in first, or give it "
        "that name.",
    ]
    assert desk.sectors() == {"ML35": {"C-35238"}}


def test_arrondissements_in_a_list_of_sectors_are_their_city(desk):
    lay_missions(desk)
    desk.bring("sectors", SECTORS + "75111;Paris 11e;ML35;;non;\n75056;Paris;ML35;;non;\n")

    assert desk.sectors() == {"ML35": {"C-75056"}}


# --- Telling formats apart ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", list(formats.FORMATS))
def test_each_format_is_told_by_its_own_columns(wanted):
    found = formats.looks_like(formats.FORMATS[wanted].needs)

    assert found is not None
    assert found.name == wanted


def test_a_file_of_something_else_looks_like_nothing():
    assert formats.looks_like({"id", "nom"}) is None


def test_every_file_is_recognised_where_another_format_is_asked_for(desk):
    with pytest.raises(Invalid, match="use --format onisep"):
        desk.bring("education", as_csv([ONISEP]))
    with pytest.raises(Invalid, match="use --format dila"):
        desk.bring("own", {"service": [DILA | NESTED]})


# --- Opening hours --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("", []),
        ("sur rendez-vous", [{"days": [], "spans": [], "note": "sur rendez-vous"}]),
        ("Mo,We 9:00-12:00", [
            {"days": [1, 1], "spans": [["09:00", "12:00"]], "note": ""},
            {"days": [3, 3], "spans": [["09:00", "12:00"]], "note": ""},
        ]),
        ("Mo-Fr 09:00-12:00; PH off", [{"days": [], "spans": [], "note": "Mo-Fr 09:00-12:00; PH off"}]),
    ],
)  # fmt: skip
def test_hours_written_as_rules_are_told_apart_or_kept_whole(told, expected):
    assert hours.from_rules(told) == expected


def test_hours_of_days_survive_what_is_missing():
    rows = ["?", {}, {"nom_jour_debut": "Mardi", "valeur_heure_debut_1": "9:00", "valeur_heure_fin_1": "12:00"},
            {"commentaire": "Sur rendez-vous"}]  # fmt: skip

    assert hours.from_days(rows) == [
        {"days": [2, 2], "spans": [["09:00", "12:00"]], "note": ""},
        {"days": [], "spans": [], "note": "Sur rendez-vous"},
    ]


def test_a_code_that_is_no_insee_code_is_refused(desk):
    (told,) = desk.bring("data-inclusion", [INCLUSION | {"code_insee": "ABCDE"}]).refused

    assert told == "Entry 1: “ABCDE” is not an INSEE code: it has five signs, such as 35238 or 2A004."


def test_one_nested_object_is_read_as_a_list_of_one(desk):
    desk.bring("dila", [DILA | NESTED | {"adresse": NESTED["adresse"][1]}])

    assert desk.place().address == "1 rue X, Bât. B"
