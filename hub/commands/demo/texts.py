"""What the demo's people write: invented, credible, and never about a real event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.domain.post import Kind


@dataclass(frozen=True)
class Text:
    """One pattern: `{ville}` is filled by the demo, `{academie}` and `{territoire}` by Relais."""

    kind: Kind
    hour: str
    words: str
    venue: str = ""
    link: str | None = None


LOCAL: Final = (
    Text(Kind.EVENT, "12:00",
         "Portes ouvertes de l'École de la 2e chance de {ville} : viens visiter les ateliers, rencontrer l'équipe et "
         "des jeunes qui ont repris le chemin d'un métier. Entrée libre, de 14 h à 17 h.",
         "École de la 2e chance", "https://demo.example.org/e2c"),
    Text(Kind.OPTION, "18:00",
         "Tu as quitté le lycée sans diplôme ? Le micro-lycée de {ville} prépare au bac en petit groupe, à ton rythme. "
         "Il reste des places pour la rentrée de janvier dans l'académie de {academie}.",
         "Micro-lycée", "https://demo.example.org/micro-lycee"),
    Text(Kind.MEETING, "18:00",
         "Café des parents et des jeunes à {ville} : une heure pour poser toutes tes questions sur l'apprentissage, "
         "avec une conseillère du CIO et un maître d'apprentissage.",
         "Centre d'information et d'orientation"),
    Text(Kind.EVENT, "12:00",
         "Forum de l'alternance à {ville} : 30 entreprises recrutent des apprentis, même sans diplôme. "
         "Apporte ton CV, on t'aide sur place à le terminer.",
         "Salle des fêtes", "https://demo.example.org/forum-alternance"),
    Text(Kind.ADVICE, "18:00",
         "Entre 16 et 18 ans, tu as droit à une solution : formation, service civique, accompagnement. "
         "La mission locale de {ville} te reçoit sans rendez-vous le mercredi après-midi.",
         "Mission locale"),
    Text(Kind.EVENT, "18:00",
         "Atelier « Remets-toi en selle » à {ville} : une matinée pour faire le point, découvrir trois métiers et "
         "repartir avec un contact près de chez toi. Gratuit, sur inscription.",
         "Mission locale", "https://demo.example.org/atelier"),
    Text(Kind.NEWS, "12:00",
         "Nouveau à {ville} : l'école de production accueille dès 15 ans pour apprendre un métier en faisant, "
         "avec de vraies commandes. Visite possible toute la semaine.",
         "École de production"),
    Text(Kind.MEETING, "18:00",
         "Rencontre avec d'anciens décrocheurs à {ville} : ils ont repris, ils racontent comment. "
         "Viens avec un ami, un parent, ou comme tu es.",
         "Maison des jeunes"),
    Text(Kind.OPTION, "18:00",
         "CAP cuisine, maçonnerie, petite enfance : le CFA de {ville} ouvre des places en cours d'année. "
         "Pas besoin d'avoir un patron pour commencer.",
         "CFA", "https://demo.example.org/cfa"),
)  # fmt: skip
"""For the page of an académie."""

NATIONAL: Final = (
    Text(Kind.ADVICE, "12:00",
         "Reprendre, c'est possible à tout âge : chaque académie a un réseau « Formation qualification emploi ». "
         "Trouve le point d'accueil le plus proche de chez toi.",
         link="https://demo.example.org/reprendre"),
    Text(Kind.NEWS, "12:00",
         "Cette semaine, des conseillers répondent à tes questions par tchat, de façon anonyme et gratuite, "
         "du lundi au vendredi de 10 h à 20 h.",
         link="https://demo.example.org/tchat"),
)  # fmt: skip
"""For everybody."""

REGIONAL: Final = (
    Text(Kind.EVENT, "12:00",
         "{territoire} : semaine des portes ouvertes dans les CFA. Choisis un métier, passe une journée en atelier, "
         "décide ensuite.",
         "CFA", "https://demo.example.org/semaine-cfa"),
    Text(Kind.OPTION, "18:00",
         "Service civique : plus de cent missions commencent en janvier. Huit mois, une indemnité, un tuteur, "
         "et un vrai projet pour la suite.",
         link="https://demo.example.org/service-civique"),
)  # fmt: skip
"""For the national page, limited to some académies."""

RETURN_REASON: Final = "Précise l'adresse et l'heure : un jeune doit pouvoir venir sans appeler."
HOLD_REASON: Final = "La page régionale l'a déjà annoncé hier."
